//! `ADVSignedDeviceIdentityHMAC`: what a primary sends to a companion that is being linked (spec 22 §2).

use alloc::vec::Vec;

use super::EncryptionType;
use super::decisions::pairing_mac_prefix;
use crate::crypto::kdf;
use crate::error::Error;
use crate::secret::Secret;
use crate::wire::reader::Reader;
use crate::wire::writer;

/// An encoded [`SignedDeviceIdentity`](super::SignedDeviceIdentity) under a MAC with the secret that only
/// the two devices know.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SignedDeviceIdentityHmac<'a> {
    details: &'a [u8],
    hmac: &'a [u8; 32],
    account_type: EncryptionType,
}

impl<'a> SignedDeviceIdentityHmac<'a> {
    /// Reads the encoding. Nothing is verified.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidProtobuf`], also for a MAC that is not 32 bytes long.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, Error> {
        let (mut details, mut hmac): (&[u8], &[u8]) = (&[], &[]);
        let mut account_type = EncryptionType::default();
        for field in Reader::new(bytes) {
            match field? {
                (1, value) => details = value.bytes()?,
                (2, value) => hmac = value.bytes()?,
                (3, value) => account_type = EncryptionType::from_value(value.uint32()?),
                _ => {}
            }
        }
        let hmac = hmac.try_into().map_err(|_| Error::InvalidProtobuf)?;
        Ok(Self { details, hmac, account_type })
    }

    /// Makes the encoding for `details`, an encoded signed device identity.
    pub(super) fn make(
        details: &[u8],
        account_type: EncryptionType,
        adv_secret: &Secret<32>,
    ) -> Vec<u8> {
        let hmac = mac(details, account_type, adv_secret).into_bytes();
        SignedDeviceIdentityHmac { details, hmac: &hmac, account_type }.encode()
    }

    /// The encoding.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        writer::encode(|w| {
            w.bytes(1, self.details);
            w.bytes(2, self.hmac);
            w.uint_nonzero(3, self.account_type.value());
        })
    }

    /// The encoded signed device identity, once its MAC has verified, in constant time.
    ///
    /// # Errors
    ///
    /// [`Error::LinkingMacMismatch`].
    pub fn verify(&self, adv_secret: &Secret<32>) -> Result<&'a [u8], Error> {
        if mac(self.details, self.account_type, adv_secret) == Secret::new(*self.hmac) {
            Ok(self.details)
        } else {
            Err(Error::LinkingMacMismatch)
        }
    }

    /// Who holds the account's keys, as the outer object says: covered by the MAC only in so far as it
    /// chooses the prefix.
    #[must_use]
    pub const fn account_type(&self) -> EncryptionType {
        self.account_type
    }
}

/// `HMAC(advSecret, [0605 ‖] details)`.
fn mac(details: &[u8], account_type: EncryptionType, adv_secret: &Secret<32>) -> Secret<32> {
    kdf::hmac(adv_secret.expose(), &[pairing_mac_prefix(account_type), details])
}
