//! `ADVSignedDeviceIdentity`: the details of a companion, signed by both sides (spec 22 §2, §3).

use alloc::vec::Vec;

use super::decisions::{
    account_signature_prefix, fetched_device_signature_prefix, own_device_signature_prefix,
};
use super::{DeviceIdentity, EncryptionType, LinkingRequest, raw_key};
use crate::error::Error;
use crate::jid::Jid;
use crate::keys::{IdentityKey, IdentityKeyPair, PublicKey, Signature};
use crate::wire::reader::Reader;
use crate::wire::writer;
use rand_core::CryptoRng;

/// A companion's details with the account's signature and the companion's own, as bytes that were
/// received: signatures cover exactly these bytes.
///
/// A signature that is absent is empty, and does not verify.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SignedDeviceIdentity<'a> {
    details: &'a [u8],
    account_key: Option<&'a [u8; 32]>,
    account_signature: &'a [u8],
    device_signature: &'a [u8],
}

impl<'a> SignedDeviceIdentity<'a> {
    /// Reads the encoding. Nothing is verified.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidProtobuf`]; [`Error::BadKeyLength`] for an account key that is neither empty, which
    /// counts as absent, nor 32 bytes long.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, Error> {
        let mut out =
            Self { details: &[], account_key: None, account_signature: &[], device_signature: &[] };
        for field in Reader::new(bytes) {
            match field? {
                (1, value) => out.details = value.bytes()?,
                (2, value) => out.account_key = raw_key(value.bytes()?)?,
                (3, value) => out.account_signature = value.bytes()?,
                (4, value) => out.device_signature = value.bytes()?,
                _ => {}
            }
        }
        Ok(out)
    }

    /// The encoding, with the details as they were received.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        writer::encode(|w| {
            w.bytes(1, self.details);
            w.bytes_option(2, self.account_key.map(<[u8; 32]>::as_slice));
            w.bytes_nonempty(3, self.account_signature);
            w.bytes_nonempty(4, self.device_signature);
        })
    }

    /// The details, read.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidProtobuf`].
    pub fn details(&self) -> Result<DeviceIdentity, Error> {
        DeviceIdentity::decode(self.details)
    }

    /// The details as they were received.
    #[must_use]
    pub const fn details_bytes(&self) -> &'a [u8] {
        self.details
    }

    /// The account key that is embedded. Servers strip it from what they hand out.
    #[must_use]
    pub fn account_key(&self) -> Option<PublicKey> {
        self.account_key.map(|key| PublicKey::from_raw(*key))
    }

    /// The account's signature; empty if there is none.
    #[must_use]
    pub const fn account_signature(&self) -> &'a [u8] {
        self.account_signature
    }

    /// The companion's signature; empty if there is none.
    #[must_use]
    pub const fn device_signature(&self) -> &'a [u8] {
        self.device_signature
    }

    /// The same without the account key: a companion's answer to its primary (spec 22 §6).
    #[must_use]
    pub const fn without_account_key(mut self) -> Self {
        self.account_key = None;
        self
    }

    /// The same with an account key: what goes along with pre-key messages (spec 22 §6).
    #[must_use]
    pub const fn with_account_key(mut self, key: &'a PublicKey) -> Self {
        self.account_key = Some(key.as_raw());
        self
    }

    /// The object that a primary makes: with its signature, and without the companion's.
    pub(super) const fn by_account(
        details: &'a [u8],
        account: &'a PublicKey,
        signature: &'a Signature,
    ) -> Self {
        Self {
            details,
            account_key: Some(account.as_raw()),
            account_signature: signature,
            device_signature: &[],
        }
    }

    /// The account's signature over `details` and the companion of `request`. Draws 64 bytes.
    pub(super) fn sign_as_account(
        details: &[u8],
        device_type: EncryptionType,
        account: &IdentityKeyPair,
        request: &LinkingRequest,
        rng: &mut impl CryptoRng,
    ) -> Signature {
        let prefix = account_signature_prefix(device_type);
        let device = request.identity().public_key().as_raw();
        account.private_key().sign_parts(&[&prefix, details, device], rng)
    }

    pub(super) const fn with_device_signature(mut self, signature: &'a Signature) -> Self {
        self.device_signature = signature;
        self
    }

    /// Whether `account` has signed these details for `device`: `prefix ‖ details ‖ devicePub`, with the
    /// prefix that the details' own device type calls for (decision 2).
    ///
    /// # Errors
    ///
    /// [`Error::InvalidProtobuf`]; [`Error::SignatureValidationFailed`].
    pub fn verify_account_signature(
        &self,
        account: &PublicKey,
        device: &IdentityKey,
    ) -> Result<DeviceIdentity, Error> {
        let details = self.details()?;
        let prefix = account_signature_prefix(details.device_type);
        let device = device.public_key().as_raw();
        if account.verify_parts(&[&prefix, self.details, device], self.account_signature) {
            Ok(details)
        } else {
            Err(Error::SignatureValidationFailed)
        }
    }

    /// Whether `device`, whose identity was fetched for `address` or came with a message from it, has signed
    /// that it belongs to `account`: `prefix ‖ details ‖ devicePub ‖ accountPub`, with the prefix that the
    /// address calls for (decision 4).
    ///
    /// # Errors
    ///
    /// [`Error::SignatureValidationFailed`].
    pub fn verify_fetched_device_signature(
        &self,
        address: &Jid,
        account: &PublicKey,
        device: &IdentityKey,
    ) -> Result<(), Error> {
        self.verify_device(&fetched_device_signature_prefix(address), account, device)
    }

    /// A primary's check of the companion that it has just linked: the companion made its signature by
    /// decision 3.
    ///
    /// # Errors
    ///
    /// [`Error::SignatureValidationFailed`].
    pub fn verify_linked_device_signature(
        &self,
        account: &PublicKey,
        device: &IdentityKey,
    ) -> Result<(), Error> {
        self.verify_device(&own_device_signature_prefix(), account, device)
    }

    fn verify_device(
        &self,
        prefix: &[u8; 2],
        account: &PublicKey,
        device: &IdentityKey,
    ) -> Result<(), Error> {
        let device = device.public_key();
        let parts: [&[u8]; 4] = [prefix, self.details, device.as_raw(), account.as_raw()];
        if device.verify_parts(&parts, self.device_signature) {
            Ok(())
        } else {
            Err(Error::SignatureValidationFailed)
        }
    }

    /// This device's signature that it belongs to `account` (decision 3). Draws 64 bytes.
    pub(super) fn sign_as_device(
        &self,
        device: &IdentityKeyPair,
        account: &PublicKey,
        rng: &mut impl CryptoRng,
    ) -> Signature {
        let public = device.identity_key().public_key().as_raw();
        let prefix = own_device_signature_prefix();
        let parts: [&[u8]; 4] = [&prefix, self.details, public, account.as_raw()];
        device.private_key().sign_parts(&parts, rng)
    }
}
