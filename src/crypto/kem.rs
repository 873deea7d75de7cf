//! Key encapsulation: Kyber1024 (round 3), ML-KEM-1024 and split ML-KEM-768 (spec 01 §7, spec 10 §4).

use alloc::boxed::Box;

use libcrux_ml_kem::mlkem768::incremental;
use libcrux_ml_kem::{kyber1024, mlkem1024};
use rand_core::CryptoRng;
use zeroize::Zeroize;

use crate::error::Error;
use crate::secret::Secret;

/// Length of a Kyber1024 or ML-KEM-1024 public key, without the type byte.
pub(crate) const PUBLIC_1024: usize = 1568;
/// Length of a Kyber1024 or ML-KEM-1024 secret key, without the type byte.
pub(crate) const SECRET_1024: usize = 3168;
/// Length of a Kyber1024 or ML-KEM-1024 ciphertext, without the type byte.
pub(crate) const CIPHERTEXT_1024: usize = 1568;

/// Which hashing the 1024 parameter set uses (spec 01 §7).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Variant1024 {
    /// Round-3 Kyber1024, as deployed.
    Kyber,
    /// FIPS 203 ML-KEM-1024.
    MlKem,
}

/// A key pair of the 1024 set: public key, then secret key. Draws 64 bytes.
#[inline(never)] // its large frame belongs to no caller
pub(crate) fn generate_1024(
    variant: Variant1024,
    rng: &mut impl CryptoRng,
) -> (Box<[u8; PUBLIC_1024]>, Box<Secret<SECRET_1024>>) {
    let seed: Secret<64> = Secret::random(rng);
    let pair = match variant {
        Variant1024::Kyber => kyber1024::generate_key_pair(*seed.expose()),
        Variant1024::MlKem => mlkem1024::generate_key_pair(*seed.expose()),
    };
    let public = Box::new(*pair.pk());
    let mut secret = Box::new(Secret::zero());
    secret.expose_mut().copy_from_slice(pair.sk());
    let (mut private, _) = pair.into_parts();
    private[0..].zeroize();
    (public, secret)
}

/// Encapsulates to a public key. Draws 32 bytes. Coefficients are reduced while decoding.
#[inline(never)] // its large frame belongs to no caller
pub(crate) fn encapsulate_1024(
    variant: Variant1024,
    public: &[u8; PUBLIC_1024],
    rng: &mut impl CryptoRng,
) -> (Box<[u8; CIPHERTEXT_1024]>, Secret<32>) {
    let m: Secret<32> = Secret::random(rng);
    let (ciphertext, mut shared) = match variant {
        Variant1024::Kyber => kyber1024::encapsulate(&public.into(), *m.expose()),
        Variant1024::MlKem => mlkem1024::encapsulate(&public.into(), *m.expose()),
    };
    let secret = Secret::new(shared);
    shared.zeroize();
    (Box::new(*ciphertext.as_slice()), secret)
}

/// Decapsulates; never fails: a wrong ciphertext gives a pseudo-random secret (implicit rejection).
#[inline(never)] // its large frame belongs to no caller
pub(crate) fn decapsulate_1024(
    variant: Variant1024,
    secret: &Secret<SECRET_1024>,
    ciphertext: &[u8; CIPHERTEXT_1024],
) -> Secret<32> {
    let mut private: libcrux_ml_kem::MlKemPrivateKey<SECRET_1024> = secret.expose().into();
    let mut shared = match variant {
        Variant1024::Kyber => kyber1024::decapsulate(&private, &ciphertext.into()),
        Variant1024::MlKem => mlkem1024::decapsulate(&private, &ciphertext.into()),
    };
    private[0..].zeroize();
    let out = Secret::new(shared);
    shared.zeroize();
    out
}

/// Lengths of the pieces of split ML-KEM-768 (spec 10 §4), in bytes.
pub(crate) mod split768 {
    /// `rho (32) || H(ek) (32)`: what the peer needs to make `ct1`.
    pub(crate) const HEADER: usize = 64;
    /// The encapsulation key vector, `ByteEncode12(t)`.
    pub(crate) const EK: usize = 1152;
    /// The FIPS 203 expanded decapsulation key. It holds `ek` at [`EK_AT`] and `header` at [`HEADER_AT`].
    pub(crate) const DK: usize = 2400;
    /// Offset of `ek` within `dk`.
    pub(crate) const EK_AT: usize = 1152;
    /// Offset of `header` within `dk`.
    pub(crate) const HEADER_AT: usize = 2304;
    /// FIPS `c1`.
    pub(crate) const CT1: usize = 960;
    /// FIPS `c2`.
    pub(crate) const CT2: usize = 128;
    /// The encapsulation state between the two halves.
    pub(crate) const ES: usize = 2080;
}
use split768::{CT1, CT2, DK, EK, ES, HEADER};

/// ML-KEM-768 key generation from `d (32) || z (32)`: the decapsulation key.
#[inline(never)] // its large frame belongs to no caller
pub(crate) fn split_generate(seed: &Secret<64>) -> Box<Secret<DK>> {
    let mut dk = Box::new(Secret::zero());
    incremental::generate_key_pair_compressed(*seed.expose(), dk.expose_mut());
    dk
}

/// `encaps1(header, m)`: `ct1`, the encapsulation state, and the shared secret, already final.
///
/// # Errors
///
/// None for these lengths; the library's own check is passed on as [`Error::InvalidState`].
#[allow(clippy::type_complexity)]
#[inline(never)] // its large frame belongs to no caller
pub(crate) fn split_encapsulate1(
    header: &[u8; HEADER],
    m: &Secret<32>,
) -> Result<(Box<[u8; CT1]>, Box<Secret<ES>>, Secret<32>), Error> {
    let mut es = Box::new(Secret::zero());
    let mut shared = Secret::zero();
    let ct1 = incremental::encapsulate1(
        header,
        *m.expose(),
        es.expose_mut().as_mut_slice(),
        shared.expose_mut().as_mut_slice(),
    )
    .map_err(|_| Error::InvalidState)?;
    Ok((Box::new(ct1.value), es, shared))
}

/// `encaps2(ek, es)`: `ct2`.
#[inline(never)] // its large frame belongs to no caller
pub(crate) fn split_encapsulate2(es: &Secret<ES>, ek: &[u8; EK]) -> [u8; CT2] {
    incremental::encapsulate2(es.expose(), ek).value
}

/// FIPS 203 decapsulation of `ct1 || ct2`, with implicit rejection.
#[inline(never)] // its large frame belongs to no caller
pub(crate) fn split_decapsulate(dk: &Secret<DK>, ct1: &[u8; CT1], ct2: &[u8; CT2]) -> Secret<32> {
    let ct1 = incremental::Ciphertext1 { value: *ct1 };
    let ct2 = incremental::Ciphertext2 { value: *ct2 };
    let mut shared = incremental::decapsulate_compressed_key(dk.expose(), &ct1, &ct2);
    let out = Secret::new(shared);
    shared.zeroize();
    out
}

/// The key check of spec 10 §4: the hash in the header fits and every coefficient is reduced.
#[inline(never)] // its large frame belongs to no caller
pub(crate) fn split_validate(header: &[u8; HEADER], ek: &[u8; EK]) -> bool {
    incremental::validate_pk_bytes(header, ek).is_ok()
}
