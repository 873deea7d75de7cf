//! The root key and its step (spec 04 §1).

use super::ChainKey;
use crate::crypto::kdf;
use crate::error::Error;
use crate::keys::{PrivateKey, PublicKey};
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

    /// `RootStep(root, their_pub, our_priv)`: the next root key, and a chain key of index 0.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidKeyAgreement`] when `their` is of low order.
    pub(crate) fn step(
        &self,
        their: &PublicKey,
        ours: &PrivateKey,
    ) -> Result<(Self, ChainKey), Error> {
        // okm = HKDF(salt = root, ikm = DH(our_priv, their_pub), info = "WhisperRatchet", L = 64)
        let agreement = ours.agree(their)?;
        let okm: Secret<64> = kdf::hkdf(Some(self.0.expose()), agreement.expose(), &[LABEL]);
        // new_root = okm[0..32];  chain = okm[32..64] with index 0
        let (root, chain) = kdf::halves(&okm);
        Ok((Self(root), ChainKey::new(chain, 0)))
    }

    /// The 32 bytes, for stored records.
    pub(crate) const fn secret(&self) -> &Secret<32> {
        &self.0
    }
}
