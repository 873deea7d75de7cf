//! AES-256-GCM-SIV (RFC 8452), without associated data.

use aes_gcm_siv::aead::AeadInOut;
use aes_gcm_siv::{Aes256GcmSiv, KeyInit};

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
/// [`Error::InvalidArgument`] beyond the length limit of 2^36 bytes.
pub(crate) fn seal(
    key: &Secret<32>,
    nonce: &[u8; NONCE_LENGTH],
    buffer: &mut [u8],
) -> Result<[u8; TAG_LENGTH], Error> {
    Aes256GcmSiv::new(key.expose().into())
        .encrypt_inout_detached(nonce.into(), &[], buffer.into())
        .map(Into::into)
        .map_err(|_| Error::InvalidArgument)
}

/// Decrypts `buffer` in place and verifies `tag`; on failure the buffer's content is of no use.
///
/// # Errors
///
/// [`Error::Rejected`] when the tag does not fit.
pub(crate) fn open(
    key: &Secret<32>,
    nonce: &[u8; NONCE_LENGTH],
    buffer: &mut [u8],
    tag: &[u8; TAG_LENGTH],
) -> Result<(), Error> {
    Aes256GcmSiv::new(key.expose().into())
        .decrypt_inout_detached(nonce.into(), &[], buffer.into(), tag.into())
        .map_err(|_| Error::Rejected)
}
