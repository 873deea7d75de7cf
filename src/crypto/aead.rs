//! AES-256-GCM with a 96-bit nonce, AES-128-GCM with a 128-bit nonce, both with a 128-bit tag (NIST SP 800-38D).

#[cfg(feature = "call")]
use aes_gcm::AesGcm;
use aes_gcm::aead::AeadInOut;
#[cfg(feature = "call")]
use aes_gcm::aead::consts::U16;
#[cfg(feature = "call")]
use aes_gcm::aes::Aes128;
use aes_gcm::{Aes256Gcm, KeyInit};

use crate::error::Error;
use crate::secret::Secret;

/// Length of the nonce in bytes.
pub(crate) const NONCE_LENGTH: usize = 12;
/// Length of the tag in bytes.
pub(crate) const TAG_LENGTH: usize = 16;

/// Encrypts `buffer` in place and returns the tag.
///
/// # Errors
///
/// [`Error::InvalidArgument`] beyond the length limit of GCM (2^36 - 32 bytes).
pub(crate) fn gcm_seal(
    key: &Secret<32>,
    nonce: &[u8; NONCE_LENGTH],
    aad: &[u8],
    buffer: &mut [u8],
) -> Result<[u8; TAG_LENGTH], Error> {
    Aes256Gcm::new(key.expose().into())
        .encrypt_inout_detached(nonce.into(), aad, buffer.into())
        .map(Into::into)
        .map_err(|_| Error::InvalidArgument)
}

/// Verifies `tag` and decrypts `buffer` in place; on failure the buffer still holds the ciphertext.
///
/// # Errors
///
/// [`Error::Rejected`] when the tag does not fit.
pub(crate) fn gcm_open(
    key: &Secret<32>,
    nonce: &[u8; NONCE_LENGTH],
    aad: &[u8],
    buffer: &mut [u8],
    tag: &[u8; TAG_LENGTH],
) -> Result<(), Error> {
    Aes256Gcm::new(key.expose().into())
        .decrypt_inout_detached(nonce.into(), aad, buffer.into(), tag.into())
        .map_err(|_| Error::Rejected)
}

/// An expanded AES-128-GCM key for 16-byte nonces and no associated data: the frame encryption of calls
/// (spec 23 §6). Wiped on drop by its crate.
#[cfg(feature = "call")]
pub(crate) struct Gcm128(AesGcm<Aes128, U16>);

#[cfg(feature = "call")]
impl Gcm128 {
    /// Expands the key.
    pub(crate) fn new(key: &Secret<16>) -> Self {
        const fn wiped_on_drop<T: zeroize::ZeroizeOnDrop>() {}
        const { wiped_on_drop::<AesGcm<Aes128, U16>>() };
        Self(AesGcm::new(key.expose().into()))
    }

    /// Encrypts `buffer` in place and returns the tag.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidArgument`] beyond the length limit of GCM (2^36 - 32 bytes).
    pub(crate) fn seal(
        &self,
        nonce: &[u8; 16],
        buffer: &mut [u8],
    ) -> Result<[u8; TAG_LENGTH], Error> {
        self.0
            .encrypt_inout_detached(nonce.into(), &[], buffer.into())
            .map(Into::into)
            .map_err(|_| Error::InvalidArgument)
    }

    /// Verifies `tag` and decrypts `buffer` in place; on failure the buffer still holds the ciphertext.
    ///
    /// # Errors
    ///
    /// [`Error::Rejected`] when the tag does not fit.
    pub(crate) fn open(
        &self,
        nonce: &[u8; 16],
        buffer: &mut [u8],
        tag: &[u8; TAG_LENGTH],
    ) -> Result<(), Error> {
        self.0
            .decrypt_inout_detached(nonce.into(), &[], buffer.into(), tag.into())
            .map_err(|_| Error::Rejected)
    }
}
