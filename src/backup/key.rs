//! The root key of a backup, and what is derived from it (spec 24 §1, §3).

use rand_core::CryptoRng;

use crate::crypto::kdf;
use crate::secret::Secret;

/// The random 32-byte root key of a backup enrolment. Whoever has it reads every backup made under it.
///
/// Never derived from a password, and never shared with another purpose (spec 24 §6). The user keeps it as
/// 64 digits ([`digits`](Self::digits)), or it is wrapped under a secret that a password gives
/// ([`BackupKeyWrap`](super::BackupKeyWrap)).
#[derive(Debug, PartialEq, Eq)]
pub struct BackupKey(Secret<32>);

impl BackupKey {
    /// Draws 32 bytes.
    pub fn generate(rng: &mut impl CryptoRng) -> Self {
        Self(Secret::random(rng))
    }

    /// Takes the 32 bytes of a key that was made before.
    #[must_use]
    pub const fn new(bytes: Secret<32>) -> Self {
        Self(bytes)
    }

    /// The 32 bytes.
    #[must_use]
    pub const fn secret(&self) -> &Secret<32> {
        &self.0
    }

    /// `backupKey = HKDF(K, 0s, "backup encryption", 32)`: encrypts crypt15 files.
    #[must_use]
    pub fn encryption_key(&self) -> Secret<32> {
        kdf::hkdf(None, self.0.expose(), &[b"backup encryption"])
    }

    /// `metaEncKey = HKDF(K, 0s, "metadata encryption", 32)`.
    #[must_use]
    pub fn metadata_encryption_key(&self) -> Secret<32> {
        kdf::hkdf(None, self.0.expose(), &[b"metadata encryption"])
    }

    /// `metaAuthKey = HKDF(K, 0s, "metadata authentication", 32)`.
    #[must_use]
    pub fn metadata_authentication_key(&self) -> Secret<32> {
        kdf::hkdf(None, self.0.expose(), &[b"metadata authentication"])
    }
}
