//! AES-128 and AES-256 in counter mode with a 128-bit big-endian counter (NIST SP 800-38A §6.5).

#[cfg(feature = "call")]
use aes::Aes128;
use aes::Aes256;
#[cfg(feature = "call")]
use aes::cipher::{InnerIvInit, KeyInit, StreamCipherCore};
use aes::cipher::{KeyIvInit, StreamCipher};

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

/// An expanded AES-128 key in counter mode: AES-CM of SRTP (RFC 3711 §4.1.1). Wiped on drop by its crate.
#[cfg(feature = "call")]
pub(crate) struct Aes128Ctr(Aes128);

#[cfg(feature = "call")]
impl Aes128Ctr {
    /// Expands the key.
    pub(crate) fn new(key: &Secret<16>) -> Self {
        const fn wiped_on_drop<T: zeroize::ZeroizeOnDrop>() {}
        const { wiped_on_drop::<Aes128>() };
        Self(Aes128::new(key.expose().into()))
    }

    /// En- or decrypts `buffer` in place; `counter` is the first counter block.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidArgument`] when the counter would wrap.
    pub(crate) fn apply(&self, counter: &[u8; 16], buffer: &mut [u8]) -> Result<(), Error> {
        ctr::CtrCore::<&Aes128, ctr::flavors::Ctr128BE>::inner_iv_init(&self.0, counter.into())
            .try_apply_keystream_partial(buffer.into())
            .map_err(|_| Error::InvalidArgument)
    }
}
