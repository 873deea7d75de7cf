//! Sealing to a Curve25519 key without a session (spec 09 §6): HPKE of RFC 9180 in base mode, which does not tell who
//! sealed.

use alloc::vec::Vec;

use rand_core::CryptoRng;
use zeroize::Zeroizing;

use crate::crypto::hpke;
use crate::error::Error;
use crate::keys::{PrivateKey, PublicKey};

/// The type byte: DHKEM(X25519, HKDF-SHA256), HKDF-SHA256, AES-256-GCM.
const SUITE: u8 = 1;

/// How many bytes longer the output is than the plaintext: type byte, encapsulated key, tag.
pub const OVERHEAD: usize = 1 + hpke::ENCAPSULATED_LENGTH + 16;

/// `0x01 || enc (32) || ciphertext || tag (16)`. Every call encapsulates a key of its own; draws 32 bytes.
///
/// # Errors
///
/// [`Error::InvalidKeyAgreement`] for a public key of low order.
pub fn seal(
    public: &PublicKey,
    info: &[u8],
    aad: &[u8],
    plaintext: &[u8],
    rng: &mut impl CryptoRng,
) -> Result<Vec<u8>, Error> {
    let (encapsulated, text) = hpke::seal(public.as_raw(), info, aad, plaintext, rng)?;
    Ok([&[SUITE], encapsulated.as_slice(), &text].concat())
}

/// Opens what was [sealed](seal).
///
/// # Errors
///
/// [`Error::CiphertextTooShort`] when it is empty or ends within the encapsulated key;
/// [`Error::UnrecognizedMessageVersion`] for another type byte; [`Error::Rejected`] for another key, `info` or `aad`, and
/// for bytes that were changed.
pub fn open(
    private: &PrivateKey,
    info: &[u8],
    aad: &[u8],
    sealed: &[u8],
) -> Result<Zeroizing<Vec<u8>>, Error> {
    let too_short = Error::CiphertextTooShort(sealed.len());
    let (&suite, rest) = sealed.split_first().ok_or(too_short)?;
    if suite != SUITE {
        return Err(Error::UnrecognizedMessageVersion(suite));
    }
    let (encapsulated, text) = rest.split_first_chunk().ok_or(too_short)?;
    hpke::open(private.secret(), info, aad, encapsulated, text)
}
