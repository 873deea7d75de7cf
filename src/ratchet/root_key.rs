//! The root key and its step (spec 04 §1).

use super::ChainKey;
use crate::crypto::kdf;
use crate::secret::Secret;

/// HKDF label of the root step.
const LABEL: &[u8] = b"WhisperRatchet";

/// A root key, 32 bytes.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct RootKey(Secret<32>);

impl RootKey {
    pub(crate) const fn new(key: Secret<32>) -> Self {
        Self(key)
    }

    /// `RootStep(root, their_pub, our_priv)`, of which `agreement` is `DH(our_priv, their_pub)`: the next
    /// root key, and a chain key of index 0.
    pub(crate) fn step(&self, agreement: &Secret<32>) -> (Self, ChainKey) {
        // okm = HKDF(salt = root, ikm = DH(our_priv, their_pub), info = "WhisperRatchet", L = 64)
        let okm: Secret<64> = kdf::hkdf(Some(self.0.expose()), agreement.expose(), &[LABEL]);
        // new_root = okm[0..32];  chain = okm[32..64] with index 0
        let (root, chain) = kdf::halves(&okm);
        (Self(root), ChainKey::new(chain, 0))
    }

    /// The 32 bytes, for stored records.
    pub(crate) const fn secret(&self) -> &Secret<32> {
        &self.0
    }
}
