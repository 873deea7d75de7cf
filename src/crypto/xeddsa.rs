//! XEdDSA signatures as deployed (spec 01 §4) and the canonical check (spec 01 §1.1).
//!
//! The deployed form differs from the published one in one respect: the signer does not force the
//! sign bit of the Edwards key to zero; the bit travels in the top bit of the last signature byte.

use curve25519_dalek::edwards::EdwardsPoint;
use curve25519_dalek::scalar::Scalar;
use ed25519_dalek::ed25519::signature::MultipartVerifier;
use ed25519_dalek::{Signature, VerifyingKey};
use rand_core::CryptoRng;
use sha2::{Digest, Sha512};
use zeroize::Zeroize;

use super::x25519::PeerKey;
use crate::secret::Secret;

/// Length of a signature, `R (32) || s (32)`.
pub(crate) const SIGNATURE_LENGTH: usize = 64;

/// The little-endian encoding of 2^256 - 2, which separates the nonce hash (spec 01 §4.1).
const NONCE_PREFIX: [u8; 32] = {
    let mut prefix = [0xFF; 32];
    prefix[0] = 0xFE;
    prefix
};

/// Signs the concatenation of `message` with the clamped scalar `private` (spec 01 §4.1).
///
/// Draws the 64 bytes `Z` from `rng` in one request.
pub(crate) fn sign(
    private: &Secret<32>,
    message: &[&[u8]],
    rng: &mut impl CryptoRng,
) -> [u8; SIGNATURE_LENGTH] {
    sign_knowing(private, &edwards_public(private), message, rng)
}

/// As [`sign`], for a caller that has kept `public`, the [`edwards_public`] of `private`: one scalar
/// multiplication instead of two.
pub(crate) fn sign_knowing(
    private: &Secret<32>,
    public: &[u8; 32],
    message: &[&[u8]],
    rng: &mut impl CryptoRng,
) -> [u8; SIGNATURE_LENGTH] {
    let z: Secret<64> = Secret::random(rng);
    let mut a = Scalar::from_bytes_mod_order(*private.expose());
    let signature = sign_with(private, &a, public, message, &z);
    a.zeroize();
    signature
}

/// `A = compress(a*B)`, where `a = LE-integer(k) mod L`: the Edwards form of a private key's public key.
pub(crate) fn edwards_public(private: &Secret<32>) -> [u8; 32] {
    let mut a = Scalar::from_bytes_mod_order(*private.expose());
    let public = EdwardsPoint::mul_base(&a).compress().to_bytes();
    a.zeroize();
    public
}

fn sign_with(
    private: &Secret<32>,
    a: &Scalar,
    public: &[u8; 32],
    message: &[&[u8]],
    z: &Secret<64>,
) -> [u8; SIGNATURE_LENGTH] {
    // r = SHA-512(0xFE || 0xFF*31 || k || M || Z) mod L
    let mut hash = Sha512::new();
    hash.update(NONCE_PREFIX);
    hash.update(private.expose());
    for piece in message {
        hash.update(piece);
    }
    hash.update(z.expose());
    let mut wide: [u8; 64] = hash.finalize().into();
    let mut r = Scalar::from_bytes_mod_order_wide(&wide);
    wide.zeroize();

    // R = compress(r*B);  h = SHA-512(R || A || M) mod L;  s = (h*a + r) mod L
    let big_r = EdwardsPoint::mul_base(&r).compress().to_bytes();
    let h = challenge(&big_r, public, message);
    #[allow(clippy::arithmetic_side_effects)] // scalars modulo L do not overflow
    let mut s = h * a + r;
    r.zeroize();

    // sig = R || s;  sig[63] = (sig[63] & 0x7F) | (A[31] & 0x80)
    let mut s_bytes = s.to_bytes();
    s.zeroize();
    let [.., sign_byte] = public;
    let [.., top] = &mut s_bytes;
    *top = (*top & 0x7F) | (*sign_byte & 0x80);
    join(&big_r, &s_bytes)
}

/// `h = SHA-512(R || A || M) mod L`.
fn challenge(big_r: &[u8; 32], public: &[u8; 32], message: &[&[u8]]) -> Scalar {
    let mut hash = Sha512::new();
    hash.update(big_r);
    hash.update(public);
    for piece in message {
        hash.update(piece);
    }
    Scalar::from_bytes_mod_order_wide(&hash.finalize().into())
}

fn join(r: &[u8; 32], s: &[u8; 32]) -> [u8; SIGNATURE_LENGTH] {
    let mut signature = [0; SIGNATURE_LENGTH];
    let (left, right) = signature.split_at_mut(32);
    left.copy_from_slice(r);
    right.copy_from_slice(s);
    signature
}

/// Verifies a signature over the concatenation of `message` by the u-coordinate `public` (spec 01 §4.2).
///
/// A wrong length or a key without an Edwards image is `false`, not an error. `s` is bounded by
/// 2^253 only and reduced modulo L, as deployed.
pub(crate) fn verify(public: &[u8; 32], message: &[&[u8]], signature: &[u8]) -> bool {
    verify_prepared(&PeerKey::new(public), message, signature)
}

/// As [`verify`], for a key that serves other signatures or agreements too.
pub(crate) fn verify_prepared(public: &PeerKey, message: &[&[u8]], signature: &[u8]) -> bool {
    let Ok(signature) = <&[u8; SIGNATURE_LENGTH]>::try_from(signature) else {
        return false;
    };
    VerificationKey::new(public, sign_bit(signature))
        .is_some_and(|key| key.verify(message, signature))
}

/// The Edwards sign bit that a signature carries in its last byte's top bit.
pub(crate) const fn sign_bit(signature: &[u8; SIGNATURE_LENGTH]) -> u8 {
    let [.., last] = signature;
    *last >> 7
}

/// A public key decoded to its Edwards form for one sign bit, so that many signatures by one key
/// pay for the conversion once.
pub(crate) struct VerificationKey(VerifyingKey);

impl VerificationKey {
    /// `edwards_from_montgomery(u, sign)`; `None` where `u` has no Edwards image.
    pub(crate) fn new(public: &PeerKey, sign: u8) -> Option<Self> {
        // the points of one u-coordinate are each other's negatives
        let point = public.to_edwards()?;
        #[allow(clippy::arithmetic_side_effects)] // points do not overflow
        let point = if sign == 0 { point } else { -point };
        Some(Self(VerifyingKey::from(point)))
    }

    /// Verifies a signature whose sign bit is the one this key was decoded with.
    pub(crate) fn verify(&self, message: &[&[u8]], signature: &[u8; SIGNATURE_LENGTH]) -> bool {
        let (r, s) = signature.split_at(32);
        let (Ok(r), Ok(mut s)) = (<[u8; 32]>::try_from(r), <[u8; 32]>::try_from(s)) else {
            return false;
        };
        // s[31] &= 0x7F;  s must be below 2^253
        let [.., top] = &mut s;
        *top &= 0x7F;
        if *top & 0xE0 != 0 {
            return false;
        }
        // ed25519-dalek wants s below L; (s mod L)*B = s*B, and s is not hashed.
        let s = Scalar::from_bytes_mod_order(s).to_bytes();
        // R' = compress(s*B - h*P), compared byte for byte with R (cofactorless)
        self.0.multipart_verify(message, &Signature::from_components(r, s)).is_ok()
    }
}

/// The canonical check of spec 01 §1.1: the u-coordinate is reduced, has bit 255 clear, and its
/// Edwards image lies in the prime-order subgroup. Applied to the base key of a pre-key message.
pub(crate) fn is_canonical(public: &PeerKey) -> bool {
    is_reduced(public.u()) && public.to_edwards().is_some_and(|point| point.is_torsion_free())
}

/// Bit 255 is clear and the little-endian integer is below 2^255 - 19. Public data: not constant time.
fn is_reduced(public: &[u8; 32]) -> bool {
    const P: [u8; 32] = {
        let mut p = [0xFF; 32];
        p[0] = 0xED;
        p[31] = 0x7F;
        p
    };
    public.iter().rev().lt(P.iter().rev())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_reduced_compares_against_two_to_the_255_minus_19() {
        let mut key = [0xFF; 32];
        key[31] = 0x7F;
        for low in 0xED..=0xFF {
            key[0] = low;
            assert!(!is_reduced(&key));
        }
        key[0] = 0xEC;
        assert!(is_reduced(&key));
        assert!(is_reduced(&[0; 32]));
        key[31] = 0xFF;
        assert!(!is_reduced(&key));
    }
}
