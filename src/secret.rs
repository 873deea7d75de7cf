//! Fixed-size secret bytes.
//!
//! Every key, seed and derived secret of this crate is a [`Secret`]: wiped when dropped, opaque in
//! `Debug`, compared in constant time, and read through one greppable method, [`Secret::expose`].

use core::fmt;

use subtle::{Choice, ConstantTimeEq};
use zeroize::{Zeroize, ZeroizeOnDrop};

/// `N` secret bytes: zeroized on drop, without `Clone`, opaque in `Debug`, constant-time equality.
pub struct Secret<const N: usize>([u8; N]);

impl<const N: usize> Secret<N> {
    /// Takes `bytes` as a secret.
    ///
    /// The caller's own copy, if it keeps one, is the caller's to wipe.
    #[must_use]
    pub const fn new(bytes: [u8; N]) -> Self {
        Self(bytes)
    }

    /// A secret of `N` zero bytes, to be filled through [`expose_mut`](Self::expose_mut).
    #[must_use]
    pub const fn zero() -> Self {
        Self([0; N])
    }

    /// Copies a slice of exactly `N` bytes; `None` for any other length.
    #[must_use]
    pub fn from_slice(bytes: &[u8]) -> Option<Self> {
        <&[u8; N]>::try_from(bytes).ok().map(|bytes| Self(*bytes))
    }

    /// Fills a new secret from `rng` in one request of `N` bytes.
    pub fn random(rng: &mut impl rand_core::CryptoRng) -> Self {
        let mut secret = Self::zero();
        rng.fill_bytes(&mut secret.0);
        secret
    }

    /// The secret bytes. The one reader: search for `expose` to find every use of a secret.
    #[must_use]
    pub const fn expose(&self) -> &[u8; N] {
        &self.0
    }

    /// The secret bytes, to be written in place.
    pub const fn expose_mut(&mut self) -> &mut [u8; N] {
        &mut self.0
    }

    /// The bytes themselves, for a secret that is about to be published, as a MAC is.
    #[must_use]
    pub(crate) fn into_bytes(self) -> [u8; N] {
        self.0
    }

    /// A second copy, for the protocol steps that need one. Explicit, so that it can be searched for.
    #[must_use]
    pub(crate) const fn duplicate(&self) -> Self {
        Self(self.0)
    }
}

impl<const N: usize> Drop for Secret<N> {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl<const N: usize> ZeroizeOnDrop for Secret<N> {}

impl<const N: usize> ConstantTimeEq for Secret<N> {
    fn ct_eq(&self, other: &Self) -> Choice {
        self.0.as_slice().ct_eq(other.0.as_slice())
    }
}

impl<const N: usize> PartialEq for Secret<N> {
    fn eq(&self, other: &Self) -> bool {
        self.ct_eq(other).into()
    }
}

impl<const N: usize> Eq for Secret<N> {}

impl<const N: usize> fmt::Debug for Secret<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Secret<{N}>(..)")
    }
}
