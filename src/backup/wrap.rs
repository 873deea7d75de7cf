//! The root key under another secret. Own design: how WhatsApp wraps it is not published (spec 24 §5), so
//! this does not interoperate with its vault.

use alloc::vec::Vec;

use rand_core::CryptoRng;

use super::BackupKey;
use crate::crypto::{aead, kdf};
use crate::error::Error;
use crate::secret::Secret;

/// The first byte of a wrapped key.
const VERSION: u8 = 1;
const FOR_OPAQUE: &[u8] = b"sandi backup key under an OPAQUE export key 1";
const FOR_PASSKEY: &[u8] = b"sandi backup key under a passkey 1";

/// A secret that wraps a root key: what OPAQUE exports for a password, or what a passkey's PRF gives.
#[derive(Debug)]
pub struct BackupKeyWrap(Secret<32>);

/// A wrapped root key: `0x01 ‖ nonce12 ‖ ciphertext32 ‖ tag16`. Safe to be stored by a server that does not
/// have the secret.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct WrappedBackupKey([u8; Self::LENGTH]);

impl WrappedBackupKey {
    /// Its length in bytes.
    pub const LENGTH: usize = 1 + aead::NONCE_LENGTH + 32 + aead::TAG_LENGTH;

    /// The bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; Self::LENGTH] {
        &self.0
    }

    /// Takes the bytes back.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidState`] for another length.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, Error> {
        bytes.try_into().map(Self).map_err(|_| Error::InvalidState)
    }
}

impl BackupKeyWrap {
    /// From the export key of an OPAQUE registration or login, as RFC 9807 defines it.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidArgument`] below 32 bytes.
    pub fn from_opaque_export_key(export_key: &[u8]) -> Result<Self, Error> {
        Self::derive(export_key, FOR_OPAQUE)
    }

    /// From the output of the PRF extension of a WebAuthn passkey.
    #[must_use]
    pub fn from_passkey_prf(output: &Secret<32>) -> Self {
        Self(kdf::hkdf(None, output.expose(), &[FOR_PASSKEY]))
    }

    /// `HKDF(secret, 0s, label, 32)`.
    fn derive(secret: &[u8], label: &[u8]) -> Result<Self, Error> {
        if secret.len() < 32 {
            return Err(Error::InvalidArgument);
        }
        Ok(Self(kdf::hkdf(None, secret, &[label])))
    }

    /// Wraps `key` for `account`, without whose name it does not unwrap. Draws 12 bytes.
    ///
    /// # Errors
    ///
    /// None that can happen here.
    pub fn wrap(
        &self,
        key: &BackupKey,
        account: &[u8],
        rng: &mut impl CryptoRng,
    ) -> Result<WrappedBackupKey, Error> {
        let mut nonce = [0; aead::NONCE_LENGTH];
        rng.fill_bytes(&mut nonce);
        let mut text = key.secret().duplicate();
        // AES-256-GCM(wrap key, nonce, aad = version ‖ account)
        let aad = [&[VERSION], account].concat();
        let tag = aead::gcm_seal(&self.0, &nonce, &aad, text.expose_mut())?;
        let bytes = [&[VERSION], &nonce[..], text.expose(), &tag].concat();
        WrappedBackupKey::from_bytes(&bytes)
    }

    /// Unwraps the key of `account`.
    ///
    /// # Errors
    ///
    /// [`Error::Rejected`] for another secret, another account, or altered bytes;
    /// [`Error::FutureRecord`] for a later version.
    pub fn unwrap(&self, wrapped: &WrappedBackupKey, account: &[u8]) -> Result<BackupKey, Error> {
        let [version, rest @ ..] = &wrapped.0;
        match *version {
            VERSION => {}
            0 => return Err(Error::Rejected),
            later => return Err(Error::FutureRecord(later)),
        }
        let (nonce, rest) = rest.split_first_chunk().ok_or(Error::Rejected)?;
        let (text, tag) = rest.split_last_chunk().ok_or(Error::Rejected)?;
        let mut key = Secret::<32>::from_slice(text).ok_or(Error::Rejected)?;
        let aad: Vec<u8> = [&[VERSION], account].concat();
        aead::gcm_open(&self.0, nonce, &aad, key.expose_mut(), tag)?;
        Ok(BackupKey::new(key))
    }
}
