//! X25519 key agreement, RFC 7748 (spec 01 §2 and §3).
//!
//! The ladder has no vector unit; multiplication on the Edwards form has. Where curve25519-dalek brings a
//! vector backend, a u-coordinate is carried over the birational map of RFC 7748 §4.1, multiplied there by
//! the clamped integer in constant time, and carried back: the same output for every input. A key on the
//! twist has no Edwards image; that is public, and the ladder serves it, as it serves every other target.
//!
//! The conversion of a key is shared by all multiplications with it ([`PeerKey`]), and the inversion at
//! the end by all products of one call ([`multiply`]).

use alloc::vec::Vec;

use curve25519_dalek::traits::Identity;
use curve25519_dalek::{EdwardsPoint, MontgomeryPoint};
use subtle::{Choice, ConstantTimeEq};
use x25519_dalek::{PublicKey, StaticSecret};
use zeroize::{Zeroize, Zeroizing};

use crate::error::Error;
use crate::secret::Secret;

/// Whether multiplication on the Edwards form is the faster one.
const EDWARDS: bool = cfg!(all(target_arch = "x86_64", not(curve25519_dalek_backend = "serial")));

/// Clamps a scalar in place: `k[0] &= 248; k[31] &= 127; k[31] |= 64` (spec 01 §2).
pub(crate) fn clamp(private: &mut Secret<32>) {
    let [first, .., last] = private.expose_mut();
    *first &= 248;
    *last &= 127;
    *last |= 64;
}

/// The public u-coordinate of a clamped private key: `X25519(k, 9)`.
pub(crate) fn public_key(private: &Secret<32>) -> [u8; 32] {
    PublicKey::from(&StaticSecret::from(*private.expose())).to_bytes()
}

/// A peer's public key, made ready for any number of multiplications.
#[derive(Clone, Debug)]
pub(crate) struct PeerKey {
    u: [u8; 32],
    /// The point of sign 0, where it has an Edwards image and that serves.
    edwards: Option<EdwardsPoint>,
}

impl PeerKey {
    /// Bit 255 of `public` is ignored and values not reduced are accepted (spec 01 §3).
    pub(crate) fn new(public: &[u8; 32]) -> Self {
        let edwards = if EDWARDS { MontgomeryPoint(*public).to_edwards(0) } else { None };
        Self { u: *public, edwards }
    }

    /// The u-coordinate as it was given.
    pub(crate) const fn u(&self) -> &[u8; 32] {
        &self.u
    }

    /// The Edwards point with x-coordinate of sign 0, if there is one.
    pub(crate) fn to_edwards(&self) -> Option<EdwardsPoint> {
        self.edwards.or_else(|| MontgomeryPoint(self.u).to_edwards(0))
    }

    /// `k * P`, or the identity in place of a key that the ladder must serve.
    fn multiply(&self, private: &Secret<32>) -> EdwardsPoint {
        self.edwards
            .map_or_else(EdwardsPoint::identity, |point| point.mul_clamped(*private.expose()))
    }

    fn ladder(&self, private: &Secret<32>) -> Secret<32> {
        let shared = StaticSecret::from(*private.expose()).diffie_hellman(&PublicKey::from(self.u));
        Secret::new(shared.to_bytes())
    }
}

/// One multiplication by a clamped private key.
#[derive(Clone, Copy)]
pub(crate) enum Product<'a> {
    /// The key's own public key, `X25519(k, 9)`.
    Public(&'a Secret<32>),
    /// The agreement with a peer's key, `X25519(k, P)`.
    Agreement(&'a Secret<32>, &'a PeerKey),
}

/// `DH(k, P)` (spec 01 §3).
///
/// # Errors
///
/// [`Error::InvalidKeyAgreement`] when the result is all zeros, compared in constant time.
pub(crate) fn agree(private: &Secret<32>, their: &PeerKey) -> Result<Secret<32>, Error> {
    let shared = if their.edwards.is_some() {
        let mut point = their.multiply(private);
        let mut u = point.to_montgomery();
        point.zeroize();
        let shared = Secret::new(u.to_bytes());
        u.zeroize();
        shared
    } else {
        their.ladder(private)
    };
    refuse(is_zero(&shared))?;
    Ok(shared)
}

/// All of `products`, in order. What each costs beyond its multiplication is paid once.
///
/// # Errors
///
/// [`Error::InvalidKeyAgreement`] when one of the results is all zeros, compared in constant time.
pub(crate) fn multiply(products: &[Product<'_>]) -> Result<Vec<Secret<32>>, Error> {
    let mut results: Vec<Secret<32>> = if EDWARDS {
        let points = products.iter().map(|product| match product {
            Product::Public(private) => EdwardsPoint::mul_base_clamped(*private.expose()),
            Product::Agreement(private, their) => their.multiply(private),
        });
        let points: Zeroizing<Vec<EdwardsPoint>> = Zeroizing::new(points.collect());
        let mut us = EdwardsPoint::to_montgomery_batch(&points);
        let results = us.iter().map(|u| Secret::new(u.to_bytes())).collect();
        us.zeroize();
        results
    } else {
        products.iter().map(|_| Secret::zero()).collect()
    };
    let mut degenerate = Choice::from(0);
    for (result, product) in results.iter_mut().zip(products) {
        match product {
            Product::Public(private) if !EDWARDS => *result = Secret::new(public_key(private)),
            Product::Agreement(private, their) if their.edwards.is_none() => {
                *result = their.ladder(private);
            }
            _ => {}
        }
        degenerate |= is_zero(result);
    }
    refuse(degenerate)?;
    Ok(results)
}

/// [`multiply`] for a number of products known when it is written.
///
/// # Errors
///
/// As [`multiply`].
pub(crate) fn multiply_each<const N: usize>(
    products: [Product<'_>; N],
) -> Result<[Secret<32>; N], Error> {
    multiply(&products)?.try_into().map_err(|_| Error::InvalidArgument)
}

fn is_zero(shared: &Secret<32>) -> Choice {
    shared.expose().ct_eq(&[0; 32])
}

/// The outcome, which the caller learns in any case: the only branch here that a secret decides.
fn refuse(degenerate: Choice) -> Result<(), Error> {
    if degenerate.into() { Err(Error::InvalidKeyAgreement) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use alloc::vec;

    use super::*;

    /// SplitMix64, so that every run meets the same keys.
    struct Keys(u64);

    impl Keys {
        fn next(&mut self) -> Secret<32> {
            let mut bytes = [0; 32];
            for chunk in bytes.chunks_exact_mut(8) {
                self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
                let mut z = self.0;
                z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
                z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
                chunk.copy_from_slice(&(z ^ (z >> 31)).to_le_bytes());
            }
            Secret::new(bytes)
        }
    }

    fn ladder(private: &Secret<32>, u: [u8; 32]) -> Secret<32> {
        StaticSecret::from(*private.expose())
            .diffie_hellman(&PublicKey::from(u))
            .to_bytes()
            .into_secret()
    }

    trait IntoSecret {
        fn into_secret(self) -> Secret<32>;
    }

    impl IntoSecret for [u8; 32] {
        fn into_secret(self) -> Secret<32> {
            Secret::new(self)
        }
    }

    /// Half of all u-coordinates are on the twist, so both ways are met. `SANDI_PAIRS` sets how many.
    #[cfg(feature = "std")]
    #[test]
    fn any_key_agrees_as_by_the_ladder() {
        let pairs = std::env::var("SANDI_PAIRS").ok().and_then(|n| n.parse().ok()).unwrap_or(200);
        let mut keys = Keys(1);
        let mut on_the_twist = 0u32;
        for _ in 0..pairs {
            let (mut private, u) = (keys.next(), *keys.next().expose());
            clamp(&mut private);
            let their = PeerKey::new(&u);
            on_the_twist += u32::from(their.edwards.is_none());
            assert_eq!(agree(&private, &their), Ok(ladder(&private, u)));
        }
        assert!(!EDWARDS || (on_the_twist > pairs / 4 && on_the_twist < pairs / 4 * 3));
    }

    #[test]
    fn products_of_one_call_are_those_of_many() {
        let mut keys = Keys(2);
        let privates: Vec<_> = (0..9)
            .map(|_| {
                let mut private = keys.next();
                clamp(&mut private);
                private
            })
            .collect();
        let peers: Vec<_> = (0..9).map(|_| PeerKey::new(keys.next().expose())).collect();
        let mut products = vec![];
        let mut expected = vec![];
        for (private, their) in privates.iter().zip(&peers) {
            products.extend([Product::Agreement(private, their), Product::Public(private)]);
            expected.push(ladder(private, *their.u()));
            expected.push(Secret::new(public_key(private)));
        }
        assert_eq!(multiply(&products), Ok(expected));
    }

    #[test]
    fn one_product_of_low_order_fails_the_call() {
        let mut private = Keys(3).next();
        clamp(&mut private);
        let good = PeerKey::new(&public_key(&private));
        // 0, 1, and p - 1: of order 2 or 4 on the curve or its twist
        let mut minus_one = [0xFF; 32];
        minus_one[0] = 0xEC;
        minus_one[31] = 0x7F;
        let mut one = [0; 32];
        one[0] = 1;
        for u in [[0; 32], one, minus_one] {
            let bad = PeerKey::new(&u);
            assert_eq!(agree(&private, &bad), Err(Error::InvalidKeyAgreement));
            let products = [&good, &bad, &good].map(|their| Product::Agreement(&private, their));
            assert_eq!(multiply_each(products).err(), Some(Error::InvalidKeyAgreement));
        }
    }
}
