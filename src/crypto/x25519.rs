//! X25519 key agreement, RFC 7748 (spec 01 §2 and §3).

use subtle::ConstantTimeEq;
use x25519_dalek::{PublicKey, StaticSecret};

use crate::error::Error;
use crate::secret::Secret;

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

/// `DH(k, P)` (spec 01 §3): bit 255 of `public` is ignored and values not reduced are accepted.
///
/// # Errors
///
/// [`Error::InvalidKeyAgreement`] when the result is all zeros, compared in constant time.
pub(crate) fn agree(private: &Secret<32>, public: &[u8; 32]) -> Result<Secret<32>, Error> {
    let shared = StaticSecret::from(*private.expose()).diffie_hellman(&PublicKey::from(*public));
    if bool::from(shared.as_bytes().ct_eq(&[0; 32])) {
        return Err(Error::InvalidKeyAgreement);
    }
    Ok(Secret::new(shared.to_bytes()))
}
