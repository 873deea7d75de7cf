//! AES-128 and AES-256 in counter mode with a 128-bit big-endian counter (NIST SP 800-38A §6.5).

use aes::cipher::{KeyIvInit, StreamCipher};
use aes::{Aes128, Aes256};

use crate::error::Error;
use crate::secret::Secret;

/// En- or decrypts `buffer` in place; `counter` is the first counter block.
///
/// # Errors
///
/// [`Error::InvalidArgument`] when the counter would wrap.
pub(crate) fn apply(key: &Secret<32>, counter: &[u8; 16], buffer: &mut [u8]) -> Result<(), Error> {
    ctr::Ctr128BE::<Aes256>::new(key.expose().into(), counter.into())
        .try_apply_keystream(buffer)
        .map_err(|_| Error::InvalidArgument)
}

/// En- or decrypts `buffer` in place with AES-128: AES-CM of SRTP (RFC 3711 §4.1.1).
///
/// # Errors
///
/// [`Error::InvalidArgument`] when the counter would wrap.
#[allow(dead_code)] // for `call`
pub(crate) fn apply_128(
    key: &Secret<16>,
    counter: &[u8; 16],
    buffer: &mut [u8],
) -> Result<(), Error> {
    ctr::Ctr128BE::<Aes128>::new(key.expose().into(), counter.into())
        .try_apply_keystream(buffer)
        .map_err(|_| Error::InvalidArgument)
}
