//! The 8-character linking code, and the ephemeral keys that travel under it (spec 22 §7).

use alloc::string::String;
use core::fmt;

use rand_core::CryptoRng;
use subtle::{ConditionallySelectable, ConstantTimeEq};
use zeroize::Zeroizing;

use crate::crypto::{ctr, kdf};
use crate::error::Error;
use crate::keys::PublicKey;
use crate::secret::Secret;

/// The 32 characters of a code: no 0, I, O, U.
const ALPHABET: &[u8; 32] = b"123456789ABCDEFGHJKLMNPQRSTVWXYZ";
/// Iterations of PBKDF2-HMAC-SHA-256.
const ITERATIONS: u32 = 131_072;

/// A wrapped ephemeral key: `salt (32) ‖ iv (16) ‖ AES-256-CTR(key) (32)`.
pub type WrappedKey = [u8; 80];

/// A code of 8 characters that a user types: 40 bits.
#[derive(PartialEq, Eq)]
pub struct LinkingCode(Secret<8>);

impl LinkingCode {
    /// A random code. Draws 5 bytes.
    pub fn generate(rng: &mut impl CryptoRng) -> Self {
        Self::from_bits(&Secret::random(rng))
    }

    /// The code of 40 bits: 5 at a time, the most significant first.
    pub(super) fn from_bits(bits: &Secret<5>) -> Self {
        let [a, b, c, d, e] = *bits.expose();
        let mut left = u64::from_be_bytes([0, 0, 0, a, b, c, d, e]);
        let mut out = Secret::zero();
        for character in out.expose_mut().iter_mut().rev() {
            let [low, ..] = left.to_le_bytes();
            *character = symbol(low & 31);
            left >>= 5;
        }
        Self(out)
    }

    /// Reads what a user typed: upper or lower case, with or without dashes and blanks.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidArgument`] unless 8 characters of the alphabet.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let mut out = Secret::zero();
        let mut typed = text.bytes().filter(|byte| !matches!(byte, b'-' | b' '));
        for place in out.expose_mut() {
            let byte = typed.next().ok_or(Error::InvalidArgument)?.to_ascii_uppercase();
            if !ALPHABET.contains(&byte) {
                return Err(Error::InvalidArgument);
            }
            *place = byte;
        }
        if typed.next().is_some() {
            return Err(Error::InvalidArgument);
        }
        Ok(Self(out))
    }

    /// The code as it is shown, `XXXX-XXXX`.
    #[must_use]
    pub fn to_text(&self) -> Zeroizing<String> {
        let mut out = String::with_capacity(9);
        for (at, byte) in self.0.expose().iter().enumerate() {
            if at == 4 {
                out.push('-');
            }
            out.push(char::from(*byte));
        }
        Zeroizing::new(out)
    }

    /// `K = PBKDF2-HMAC-SHA256(code, salt, 131072, 32)`.
    fn key(&self, salt: &[u8]) -> Secret<32> {
        kdf::pbkdf2(self.0.expose(), salt, ITERATIONS)
    }

    /// Wraps an ephemeral key under the code. Draws 48 bytes; slow on purpose.
    ///
    /// # Errors
    ///
    /// None that can happen here.
    pub(super) fn wrap(
        &self,
        ephemeral: &PublicKey,
        rng: &mut impl CryptoRng,
    ) -> Result<WrappedKey, Error> {
        let mut out = [0; 80];
        let (head, key) = out.split_at_mut(48);
        rng.fill_bytes(head);
        let (salt, iv) = head.split_at(32);
        key.copy_from_slice(ephemeral.as_raw());
        let iv = iv.try_into().map_err(|_| Error::InvalidArgument)?;
        ctr::apply(&self.key(salt), iv, key)?;
        Ok(out)
    }

    /// Unwraps an ephemeral key. Under another code it is some other key: that shows later. Slow on purpose.
    ///
    /// # Errors
    ///
    /// [`Error::CiphertextTooShort`] unless 80 bytes.
    pub(super) fn unwrap_key(&self, wrapped: &[u8]) -> Result<PublicKey, Error> {
        let wrapped: &WrappedKey =
            wrapped.try_into().map_err(|_| Error::CiphertextTooShort(wrapped.len()))?;
        let (salt, rest) = wrapped.split_first_chunk::<32>().ok_or(Error::InvalidArgument)?;
        let (iv, key) = rest.split_first_chunk::<16>().ok_or(Error::InvalidArgument)?;
        let mut key: [u8; 32] = key.try_into().map_err(|_| Error::InvalidArgument)?;
        ctr::apply(&self.key(salt), iv, &mut key)?;
        Ok(PublicKey::from_raw(key))
    }
}

/// The character of five bits, in constant time.
fn symbol(bits: u8) -> u8 {
    let mut out = 0;
    for (index, character) in (0_u8..).zip(ALPHABET) {
        out = u8::conditional_select(&out, character, index.ct_eq(&bits));
    }
    out
}

/// Without the code.
impl fmt::Debug for LinkingCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LinkingCode(..)")
    }
}
