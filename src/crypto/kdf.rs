//! HMAC-SHA-256 (RFC 2104) and HKDF-SHA-256 (RFC 5869), spec 01 §0.

use hkdf::{Hkdf, HkdfExtract};
use hmac::{Hmac, KeyInit, Mac};
#[cfg(feature = "call")]
use sha1::Sha1;
use sha2::{Sha256, Sha512};
use zeroize::Zeroize;

use crate::secret::Secret;

/// `HMAC(key, parts)`, where the parts are concatenated.
pub(crate) fn hmac(key: &[u8], parts: &[&[u8]]) -> Secret<32> {
    HmacKey::new(key).mac(parts)
}

/// An HMAC key whose two key-schedule blocks are already absorbed: for keys that are used twice.
pub(crate) struct HmacKey(Hmac<Sha256>);

impl HmacKey {
    /// Absorbs a key of any length.
    #[allow(clippy::expect_used)] // HMAC takes keys of any length (RFC 2104 §2)
    pub(crate) fn new(key: &[u8]) -> Self {
        Self(Hmac::new_from_slice(key).expect("HMAC takes any key length"))
    }

    /// An HMAC over a stream.
    pub(crate) fn stream(&self) -> HmacStream {
        HmacStream(self.0.clone())
    }

    /// `HMAC(key, parts)`, where the parts are concatenated.
    pub(crate) fn mac(&self, parts: &[&[u8]]) -> Secret<32> {
        let mut state = self.0.clone();
        for part in parts {
            state.update(part);
        }
        let mut out = Secret::zero();
        out.expose_mut().copy_from_slice(&state.finalize().into_bytes());
        out
    }
}

/// HMAC-SHA-256 over a stream.
#[derive(Clone)]
pub(crate) struct HmacStream(Hmac<Sha256>);

impl HmacStream {
    /// Absorbs `bytes`.
    pub(crate) fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// The MAC of all that was absorbed so far; the stream goes on.
    pub(crate) fn current(&self) -> [u8; 32] {
        self.0.clone().finalize().into_bytes().into()
    }

    /// The MAC of all that was absorbed.
    pub(crate) fn finish(self) -> [u8; 32] {
        self.0.finalize().into_bytes().into()
    }
}

/// `HMAC-SHA-512(key, parts)`, where the parts are concatenated.
#[allow(clippy::expect_used)] // HMAC takes keys of any length (RFC 2104 §2)
pub(crate) fn hmac_sha512(key: &[u8], parts: &[&[u8]]) -> [u8; 64] {
    let mut state: Hmac<Sha512> = Hmac::new_from_slice(key).expect("HMAC takes any key length");
    for part in parts {
        state.update(part);
    }
    state.finalize().into_bytes().into()
}

/// An absorbed HMAC-SHA-1 key, the authentication of SRTP (RFC 3711 §4.2.1). Its state is wiped on drop.
#[cfg(feature = "call")]
pub(crate) struct HmacSha1Key(Hmac<Sha1>);

#[cfg(feature = "call")]
impl HmacSha1Key {
    /// Absorbs a key of any length.
    #[allow(clippy::expect_used)] // HMAC takes keys of any length (RFC 2104 §2)
    pub(crate) fn new(key: &[u8]) -> Self {
        const fn wiped_on_drop<T: zeroize::ZeroizeOnDrop>() {}
        const { wiped_on_drop::<Sha1>() };
        Self(Hmac::new_from_slice(key).expect("HMAC takes any key length"))
    }

    /// `HMAC-SHA-1(key, parts)`, where the parts are concatenated.
    pub(crate) fn mac(&self, parts: &[&[u8]]) -> [u8; 20] {
        let mut state = self.0.clone();
        for part in parts {
            state.update(part);
        }
        state.finalize().into_bytes().into()
    }
}

/// `PBKDF2-HMAC-SHA-256(password, salt, iterations, 32)` (RFC 8018).
pub(crate) fn pbkdf2(password: &[u8], salt: &[u8], iterations: u32) -> Secret<32> {
    let mut out = Secret::zero();
    pbkdf2::pbkdf2_hmac::<Sha256>(password, salt, iterations, out.expose_mut());
    out
}

/// `HKDF(salt, ikm, info, N)`; `None` is the RFC default salt of 32 zero bytes. `info` is concatenated.
pub(crate) fn hkdf<const N: usize>(
    salt: Option<&[u8; 32]>,
    ikm: &[u8],
    info: &[&[u8]],
) -> Secret<N> {
    const { assert!(N <= 255 * 32, "HKDF-SHA-256 yields at most 255 blocks") };
    let mut okm = Secret::zero();
    let prk = Hkdf::<Sha256>::new(salt.map(<[u8; 32]>::as_slice), ikm);
    // The one error is a length above 255 blocks, which the assertion above rules out.
    let _ = prk.expand_multi_info(info, okm.expose_mut());
    okm
}

/// `HKDF(salt, ikm, info, N)` with a salt of any length and an `ikm` in parts, which are concatenated.
pub(crate) fn hkdf_parts<const N: usize>(
    salt: Option<&[u8]>,
    ikm: &[&[u8]],
    info: &[u8],
) -> Secret<N> {
    const { assert!(N <= 255 * 32, "HKDF-SHA-256 yields at most 255 blocks") };
    let mut extract = HkdfExtract::<Sha256>::new(salt);
    for part in ikm {
        extract.input_ikm(part);
    }
    let (mut prk, hkdf) = extract.finalize();
    prk.zeroize();
    let mut okm = Secret::zero();
    // The one error is a length above 255 blocks, which the assertion above rules out.
    let _ = hkdf.expand(info, okm.expose_mut());
    okm
}

/// Splits 64 derived bytes into two secrets.
pub(crate) fn halves(okm: &Secret<64>) -> (Secret<32>, Secret<32>) {
    (part::<64, 0, 32>(okm), part::<64, 32, 32>(okm))
}

/// The `L` bytes at offset `AT` of `N` derived bytes.
pub(crate) fn part<const N: usize, const AT: usize, const L: usize>(okm: &Secret<N>) -> Secret<L> {
    const { assert!(AT + L <= N, "the part lies within the derived bytes") };
    let mut out = Secret::zero();
    for (to, from) in out.expose_mut().iter_mut().zip(okm.expose().iter().skip(AT)) {
        *to = *from;
    }
    out
}
