//! AES-256-CBC with PKCS#7 padding (spec 04 §1).
//!
//! Always authenticated by its caller: a MAC is verified before anything is decrypted, so that the
//! padding check sees authentic bytes only.

use aes::Aes256;
use aes::cipher::block_padding::Pkcs7;
use aes::cipher::{BlockModeDecrypt, BlockModeEncrypt, KeyIvInit};

use crate::error::Error;
use crate::secret::Secret;

/// AES block length in bytes.
pub(crate) const BLOCK: usize = 16;

/// Length of the ciphertext of `plaintext_len` bytes: the next multiple of 16 above it.
///
/// `None` when that exceeds `usize`.
pub(crate) const fn ciphertext_len(plaintext_len: usize) -> Option<usize> {
    match plaintext_len.checked_add(BLOCK) {
        Some(n) => Some(n & !(BLOCK - 1)),
        None => None,
    }
}

/// Encrypts `plaintext` into `out`, which is exactly [`ciphertext_len`] bytes long.
///
/// # Errors
///
/// [`Error::InvalidArgument`] when `out` is too short.
pub(crate) fn encrypt(
    key: &Secret<32>,
    iv: &Secret<16>,
    plaintext: &[u8],
    out: &mut [u8],
) -> Result<(), Error> {
    cbc::Encryptor::<Aes256>::new(key.expose().into(), iv.expose().into())
        .encrypt_padded_b2b::<Pkcs7>(plaintext, out)
        .map(|_| ())
        .map_err(|_| Error::InvalidArgument)
}

/// Decrypts `buffer` in place and returns the length of the plaintext at its start.
///
/// # Errors
///
/// [`Error::Rejected`] when the length is not a positive multiple of 16 or the padding is wrong.
/// The buffer's contents are unspecified then.
pub(crate) fn decrypt_in_place(
    key: &Secret<32>,
    iv: &Secret<16>,
    buffer: &mut [u8],
) -> Result<usize, Error> {
    cbc::Decryptor::<Aes256>::new(key.expose().into(), iv.expose().into())
        .decrypt_padded::<Pkcs7>(buffer)
        .map(<[u8]>::len)
        .map_err(|_| Error::Rejected)
}
