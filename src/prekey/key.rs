//! The three kinds of pre-key (spec 02 §1 and §2).

use rand_core::CryptoRng;

use crate::keys::{IdentityKeyPair, KemKeyPair, KemType, KeyPair, Signature};
use crate::time::Timestamp;

/// Id of a pre-key. The three kinds have independent id spaces.
///
/// Any `u32` works on the wire, 0 included. WhatsApp-family servers carry three bytes: generated ids
/// should lie in 1 to 0xFFFFFF.
pub type PreKeyId = u32;

/// A one-time Curve25519 pre-key: used once, deleted with the first message that names it.
#[derive(Debug, PartialEq, Eq)]
pub struct PreKey {
    id: PreKeyId,
    pair: KeyPair,
}

impl PreKey {
    /// A fresh pre-key. Draws 32 bytes.
    pub fn generate(id: PreKeyId, rng: &mut impl CryptoRng) -> Self {
        Self::from_parts(id, KeyPair::generate(rng))
    }

    /// A pre-key of stored parts.
    #[must_use]
    pub const fn from_parts(id: PreKeyId, pair: KeyPair) -> Self {
        Self { id, pair }
    }

    /// The id.
    #[must_use]
    pub const fn id(&self) -> PreKeyId {
        self.id
    }

    /// The key pair.
    #[must_use]
    pub const fn key_pair(&self) -> &KeyPair {
        &self.pair
    }
}

/// A signed Curve25519 pre-key: rotated by the app, kept for late messages.
#[derive(Debug, PartialEq, Eq)]
pub struct SignedPreKey {
    id: PreKeyId,
    pair: KeyPair,
    signature: Signature,
    created: Timestamp,
}

impl SignedPreKey {
    /// A fresh pre-key, signed by `identity` over its 33-byte encoding. Draws 32, then 64 bytes.
    pub fn generate(
        id: PreKeyId,
        identity: &IdentityKeyPair,
        created: Timestamp,
        rng: &mut impl CryptoRng,
    ) -> Self {
        let pair = KeyPair::generate(rng);
        let signature = identity.private_key().sign(&pair.public_key().encode(), rng);
        Self::from_parts(id, pair, signature, created)
    }

    /// A pre-key of stored parts. The signature is not checked.
    #[must_use]
    pub const fn from_parts(
        id: PreKeyId,
        pair: KeyPair,
        signature: Signature,
        created: Timestamp,
    ) -> Self {
        Self { id, pair, signature, created }
    }

    /// The id.
    #[must_use]
    pub const fn id(&self) -> PreKeyId {
        self.id
    }

    /// The key pair.
    #[must_use]
    pub const fn key_pair(&self) -> &KeyPair {
        &self.pair
    }

    /// The identity's signature, 64 bytes.
    #[must_use]
    pub const fn signature(&self) -> &Signature {
        &self.signature
    }

    /// When it was made.
    #[must_use]
    pub const fn created(&self) -> Timestamp {
        self.created
    }
}

/// A KEM pre-key, signed. One-time or last-resort is a matter of how it is stored (spec 02 §1): the
/// wire does not tell.
#[derive(Debug)]
pub struct KemPreKey {
    id: PreKeyId,
    pair: KemKeyPair,
    signature: Signature,
    created: Timestamp,
}

impl KemPreKey {
    /// A fresh Kyber1024 pre-key, signed by `identity` over its 1,569-byte encoding. Draws 64, then
    /// 64 bytes.
    pub fn generate(
        id: PreKeyId,
        identity: &IdentityKeyPair,
        created: Timestamp,
        rng: &mut impl CryptoRng,
    ) -> Self {
        let pair = KemKeyPair::generate(KemType::Kyber1024, rng);
        let signature = identity.private_key().sign(&pair.public_key().encode(), rng);
        Self { id, pair, signature, created }
    }

    /// A pre-key of stored parts. The signature is not checked.
    #[must_use]
    pub const fn from_parts(
        id: PreKeyId,
        pair: KemKeyPair,
        signature: Signature,
        created: Timestamp,
    ) -> Self {
        Self { id, pair, signature, created }
    }

    /// The id.
    #[must_use]
    pub const fn id(&self) -> PreKeyId {
        self.id
    }

    /// The key pair.
    #[must_use]
    pub const fn key_pair(&self) -> &KemKeyPair {
        &self.pair
    }

    /// The identity's signature, 64 bytes.
    #[must_use]
    pub const fn signature(&self) -> &Signature {
        &self.signature
    }

    /// When it was made.
    #[must_use]
    pub const fn created(&self) -> Timestamp {
        self.created
    }
}
