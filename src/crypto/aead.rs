//! AES-256-GCM with a 96-bit nonce, AES-128-GCM with a 128-bit nonce, both with a 128-bit tag (NIST SP 800-38D).

use aes_gcm::aead::AeadInOut;
use aes_gcm::aead::consts::U16;
use aes_gcm::aes::Aes128;
use aes_gcm::{Aes256Gcm, AesGcm, KeyInit};

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

/// AES-128-GCM with a 16-byte nonce and no associated data: the frame encryption of calls (spec 23 §6).
#[allow(dead_code)] // for `call`
type Gcm128 = AesGcm<Aes128, U16>;

/// Encrypts `buffer` in place with AES-128-GCM under a 16-byte nonce and returns the tag.
///
/// # Errors
///
/// [`Error::InvalidArgument`] beyond the length limit of GCM (2^36 - 32 bytes).
#[allow(dead_code)] // for `call`
pub(crate) fn gcm128_seal(
    key: &Secret<16>,
    nonce: &[u8; 16],
    buffer: &mut [u8],
) -> Result<[u8; TAG_LENGTH], Error> {
    Gcm128::new(key.expose().into())
        .encrypt_inout_detached(nonce.into(), &[], buffer.into())
        .map(Into::into)
        .map_err(|_| Error::InvalidArgument)
}

/// Verifies `tag` and decrypts `buffer` in place; on failure the buffer still holds the ciphertext.
///
/// # Errors
///
/// [`Error::Rejected`] when the tag does not fit.
#[allow(dead_code)] // for `call`
pub(crate) fn gcm128_open(
    key: &Secret<16>,
    nonce: &[u8; 16],
    buffer: &mut [u8],
    tag: &[u8; TAG_LENGTH],
) -> Result<(), Error> {
    Gcm128::new(key.expose().into())
        .decrypt_inout_detached(nonce.into(), &[], buffer.into(), tag.into())
        .map_err(|_| Error::Rejected)
}
