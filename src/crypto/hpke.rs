//! HPKE, base mode, DHKEM(X25519, HKDF-SHA256), HKDF-SHA256, AES-256-GCM (RFC 9180).

use alloc::vec::Vec;

use ::hpke::aead::AesGcm256;
use ::hpke::kdf::HkdfSha256;
use ::hpke::kem::X25519HkdfSha256;
use ::hpke::{Deserializable, Kem, OpModeR, OpModeS, Serializable};
use rand_core::CryptoRng;
use zeroize::Zeroizing;

use crate::error::Error;
use crate::secret::Secret;

/// Length of the encapsulated key in bytes.
pub(crate) const ENCAPSULATED_LENGTH: usize = 32;

/// Returns the encapsulated key and `ciphertext || tag`. Draws 32 bytes.
///
/// # Errors
///
/// [`Error::InvalidKeyAgreement`] for a public key of low order, or a plaintext beyond the limit of GCM.
pub(crate) fn seal(
    public: &[u8; 32],
    info: &[u8],
    aad: &[u8],
    plaintext: &[u8],
    rng: &mut impl CryptoRng,
) -> Result<([u8; ENCAPSULATED_LENGTH], Vec<u8>), Error> {
    let public = <X25519HkdfSha256 as Kem>::PublicKey::from_bytes(public)
        .map_err(|_| Error::InvalidKeyAgreement)?;
    let (encapsulated, text) = ::hpke::single_shot_seal_with_rng::<
        AesGcm256,
        HkdfSha256,
        X25519HkdfSha256,
    >(&OpModeS::Base, &public, info, plaintext, aad, rng)
    .map_err(|_| Error::InvalidKeyAgreement)?;
    Ok((encapsulated.to_bytes().into(), text))
}

/// Opens `ciphertext || tag`.
///
/// # Errors
///
/// [`Error::Rejected`] when it does not open.
pub(crate) fn open(
    private: &Secret<32>,
    info: &[u8],
    aad: &[u8],
    encapsulated: &[u8; ENCAPSULATED_LENGTH],
    text: &[u8],
) -> Result<Zeroizing<Vec<u8>>, Error> {
    let private = <X25519HkdfSha256 as Kem>::PrivateKey::from_bytes(private.expose())
        .map_err(|_| Error::Rejected)?;
    let encapsulated = <X25519HkdfSha256 as Kem>::EncappedKey::from_bytes(encapsulated)
        .map_err(|_| Error::Rejected)?;
    ::hpke::single_shot_open::<AesGcm256, HkdfSha256, X25519HkdfSha256>(
        &OpModeR::Base,
        &private,
        &encapsulated,
        info,
        text,
        aad,
    )
    .map(Zeroizing::new)
    .map_err(|_| Error::Rejected)
}
