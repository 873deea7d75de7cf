//! AES-256-CBC with PKCS#7 padding (spec 04 §1).
//!
//! Always authenticated by its caller: a MAC is verified before anything is decrypted, so that the
//! padding check sees authentic bytes only.

use aes::Aes256;
use aes::cipher::block_padding::Pkcs7;
use aes::cipher::{Array, BlockModeDecrypt, BlockModeEncrypt, KeyIvInit};
use subtle::{Choice, ConstantTimeEq, ConstantTimeGreater};

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

/// AES-256-CBC encryption of a stream in whole blocks; padding is the caller's.
pub(crate) struct CbcEncryptor(cbc::Encryptor<Aes256>);

impl CbcEncryptor {
    /// Starts at `iv`.
    pub(crate) fn new(key: &Secret<32>, iv: &[u8; BLOCK]) -> Self {
        Self(cbc::Encryptor::<Aes256>::new(key.expose().into(), iv.into()))
    }

    /// Encrypts whole blocks in place. Bytes behind the last whole block stay as they are.
    pub(crate) fn blocks(&mut self, buffer: &mut [u8]) {
        let (blocks, _) = Array::slice_as_chunks_mut(buffer);
        self.0.encrypt_blocks(blocks);
    }
}

/// AES-256-CBC decryption of a stream in whole blocks; padding is the caller's.
pub(crate) struct CbcDecryptor(cbc::Decryptor<Aes256>);

impl CbcDecryptor {
    /// Starts at `iv`.
    pub(crate) fn new(key: &Secret<32>, iv: &[u8; BLOCK]) -> Self {
        Self(cbc::Decryptor::<Aes256>::new(key.expose().into(), iv.into()))
    }

    /// Decrypts whole blocks in place. Bytes behind the last whole block stay as they are.
    pub(crate) fn blocks(&mut self, buffer: &mut [u8]) {
        let (blocks, _) = Array::slice_as_chunks_mut(buffer);
        self.0.decrypt_blocks(blocks);
    }
}

/// The length of a PKCS#7 padding at the end of `block`, 1 to 16, in constant time; `None` when it is
/// not well formed.
pub(crate) fn pkcs7_len(block: &[u8; BLOCK]) -> Option<usize> {
    let [.., n] = *block;
    let mut bad = Choice::from(0);
    for (i, byte) in (1..=16u8).rev().zip(block) {
        // i counts from the end, 16 for the first byte: a byte belongs to the padding iff i <= n
        let inside = !i.ct_gt(&n);
        bad |= inside & !byte.ct_eq(&n);
    }
    bad |= n.ct_eq(&0) | n.ct_gt(&16);
    if bool::from(bad) { None } else { Some(usize::from(n)) }
}

/// Writes the PKCS#7 padding behind the first `used` bytes of the last block; `used` is below 16.
pub(crate) fn pkcs7_pad(block: &mut [u8; BLOCK], used: usize) {
    let n = BLOCK.saturating_sub(used);
    for byte in block.iter_mut().skip(used) {
        *byte = u8::try_from(n).unwrap_or(0);
    }
}
