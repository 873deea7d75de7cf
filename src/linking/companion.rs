//! The companion's side of linking (spec 22 §6).

use alloc::vec::Vec;

use rand_core::CryptoRng;

use super::{AccountKey, DeviceIdentity, SignedDeviceIdentity, SignedDeviceIdentityHmac};
use crate::error::Error;
use crate::keys::{IdentityKey, IdentityKeyPair};
use crate::secret::Secret;

/// A companion that waits for its primary's `pair-success`. Used once.
#[derive(Debug)]
pub struct AwaitingPrimary {
    adv_secret: Secret<32>,
    /// The primary's identity, where it was seen before: linking by code.
    primary: Option<IdentityKey>,
}

/// A companion that is linked.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LinkedCompanion {
    /// The full object, to be stored: it goes along with every pre-key message (`device-identity`).
    pub device_identity: Vec<u8>,
    /// The answer to the primary: the same without the account key. Its attribute is the key index.
    pub reply: Vec<u8>,
    /// What the account says about this device.
    pub details: DeviceIdentity,
    /// The key that vouches for this device. If it is the primary's, it is the identity of device 0 and to be
    /// stored as such.
    pub account: AccountKey,
}

impl AwaitingPrimary {
    /// A companion that shows a QR code: draws the 32 bytes of the secret in it.
    pub fn generate(rng: &mut impl CryptoRng) -> Self {
        Self::new(Secret::random(rng), None)
    }

    pub(super) const fn new(adv_secret: Secret<32>, primary: Option<IdentityKey>) -> Self {
        Self { adv_secret, primary }
    }

    /// A companion that has kept its secret across a restart.
    #[must_use]
    pub const fn from_secret(adv_secret: Secret<32>) -> Self {
        Self::new(adv_secret, None)
    }

    /// The secret that only the two devices know: for the QR code.
    #[must_use]
    pub const fn adv_secret(&self) -> &Secret<32> {
        &self.adv_secret
    }

    /// The identity that the primary has shown when it was linked by code.
    #[must_use]
    pub const fn primary(&self) -> Option<&IdentityKey> {
        self.primary.as_ref()
    }

    /// Checks the `container` of `pair-success`, an encoded `ADVSignedDeviceIdentityHMAC`, and signs it. Draws
    /// 64 bytes.
    ///
    /// # Errors
    ///
    /// In the order of the checks: [`Error::InvalidProtobuf`], [`Error::BadKeyLength`];
    /// [`Error::LinkingMacMismatch`], which a server is told as 401 `hmac-mismatch`;
    /// [`Error::NoAccountKey`], [`Error::IdentityMismatch`] if the account key is not the primary that was
    /// seen, [`Error::SignatureValidationFailed`], all three 401 `signature-mismatch`.
    pub fn accept(
        self,
        identity: &IdentityKeyPair,
        container: &[u8],
        rng: &mut impl CryptoRng,
    ) -> Result<LinkedCompanion, Error> {
        // 1. hmac = HMAC(advSecret, [0605 ‖] container.details)
        let container = SignedDeviceIdentityHmac::parse(container)?;
        let signed = SignedDeviceIdentity::parse(container.verify(&self.adv_secret)?)?;
        // 2. the account's signature over our own identity key; by the primary that we have seen
        let account = signed.account_key().ok_or(Error::NoAccountKey)?;
        if self.primary.as_ref().is_some_and(|primary| *primary.public_key() != account) {
            return Err(Error::IdentityMismatch);
        }
        let details = signed.verify_account_signature(&account, identity.identity_key())?;
        // 3. our signature, always 0601
        let signature = signed.sign_as_device(identity, &account, rng);
        let full = signed.with_device_signature(&signature);
        // 4. the answer is the object without the account key
        let hosting = !details.device_type.is_e2ee();
        Ok(LinkedCompanion {
            device_identity: full.encode(),
            reply: full.without_account_key().encode(),
            details,
            account: if hosting {
                AccountKey::Hosting(account)
            } else {
                AccountKey::Primary(account)
            },
        })
    }
}
