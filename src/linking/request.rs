//! What a primary knows of a companion that asks to be linked (spec 22 §6 to §8).

use crate::keys::{IdentityKey, PublicKey};
use crate::secret::Secret;

/// A companion that asks to be linked: from a QR code, an 8-character code or a passkey.
#[derive(Debug)]
pub struct LinkingRequest {
    identity: IdentityKey,
    adv_secret: Secret<32>,
}

impl LinkingRequest {
    pub(super) const fn new(identity: IdentityKey, adv_secret: Secret<32>) -> Self {
        Self { identity, adv_secret }
    }

    /// A request of its parts: the companion's identity key as 32 raw bytes, and the secret that only the two
    /// devices know.
    #[must_use]
    pub const fn from_parts(identity: PublicKey, adv_secret: Secret<32>) -> Self {
        Self::new(IdentityKey::new(identity), adv_secret)
    }

    /// The companion's identity key.
    #[must_use]
    pub const fn identity(&self) -> &IdentityKey {
        &self.identity
    }

    /// The secret that only the two devices know.
    #[must_use]
    pub const fn adv_secret(&self) -> &Secret<32> {
        &self.adv_secret
    }
}
