//! The key bundle of linking by code, and the secret that both sides derive (spec 22 §7).

use alloc::vec::Vec;

use rand_core::CryptoRng;
use zeroize::Zeroizing;

use crate::crypto::{aead, kdf};
use crate::error::Error;
use crate::keys::PublicKey;
use crate::secret::Secret;

const BUNDLE_INFO: &[u8] = b"link_code_pairing_key_bundle_encryption_key";
const SECRET_INFO: &[u8] = b"adv_secret";
/// `salt (32) ‖ iv (12) ‖ companionIdentity (32) ‖ primaryIdentity (32) ‖ r (32) ‖ tag (16)`.
const LENGTH: usize = 32 + 12 + CONTENT + 16;
const CONTENT: usize = 96;

/// What a bundle holds.
pub(super) struct Bundle {
    pub(super) companion: PublicKey,
    pub(super) primary: PublicKey,
    pub(super) random: Secret<32>,
}

impl Bundle {
    /// Seals it under `s1`, the agreement of the two ephemeral keys. Draws 44 bytes.
    pub(super) fn seal(&self, s1: &Secret<32>, rng: &mut impl CryptoRng) -> Result<Vec<u8>, Error> {
        let mut salt = [0; 32];
        let mut iv = [0; 12];
        rng.fill_bytes(&mut salt);
        rng.fill_bytes(&mut iv);
        let mut content = Zeroizing::new([0; CONTENT]);
        let parts = [self.companion.as_raw(), self.primary.as_raw(), self.random.expose()];
        for (to, from) in content.iter_mut().zip(parts.into_iter().flatten()) {
            *to = *from;
        }
        let tag = aead::gcm_seal(&bundle_key(s1, &salt), &iv, &[], content.as_mut_slice())?;
        let mut out = Vec::with_capacity(LENGTH);
        for part in [&salt[..], &iv, content.as_slice(), &tag] {
            out.extend_from_slice(part);
        }
        Ok(out)
    }

    /// Opens one.
    pub(super) fn open(s1: &Secret<32>, bundle: &[u8]) -> Result<Self, Error> {
        let short = || Error::CiphertextTooShort(bundle.len());
        if bundle.len() > LENGTH {
            return Err(Error::Rejected);
        }
        let (salt, rest) = bundle.split_first_chunk::<32>().ok_or_else(short)?;
        let (iv, rest) = rest.split_first_chunk::<12>().ok_or_else(short)?;
        let (content, tag) = rest.split_last_chunk::<16>().ok_or_else(short)?;
        let content: [u8; CONTENT] = content.try_into().map_err(|_| short())?;
        let mut content = Zeroizing::new(content);
        aead::gcm_open(&bundle_key(s1, salt), iv, &[], content.as_mut_slice(), tag)?;
        let [companion, primary, random] = [0, 1, 2].map(|part| {
            let mut out = Secret::zero();
            let bytes = content.iter().skip(32_usize.saturating_mul(part));
            for (to, from) in out.expose_mut().iter_mut().zip(bytes) {
                *to = *from;
            }
            out
        });
        Ok(Self {
            companion: PublicKey::from_raw(*companion.expose()),
            primary: PublicKey::from_raw(*primary.expose()),
            random,
        })
    }

    /// `advSecret = HKDF(s1 ‖ s2 ‖ r, 0s, "adv_secret", 32)`.
    pub(super) fn adv_secret(&self, s1: &Secret<32>, s2: &Secret<32>) -> Secret<32> {
        kdf::hkdf_parts(
            None,
            &[s1.expose().as_slice(), s2.expose(), self.random.expose()],
            SECRET_INFO,
        )
    }
}

/// `kb = HKDF(s1, salt, "link_code_pairing_key_bundle_encryption_key", 32)`.
fn bundle_key(s1: &Secret<32>, salt: &[u8; 32]) -> Secret<32> {
    kdf::hkdf(Some(salt), s1.expose(), &[BUNDLE_INFO])
}
