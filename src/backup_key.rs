//! What follows from an account's entropy pool (spec 09 §8).

use crate::address::{ServiceId, ServiceIdKind};
use crate::crypto::kdf;
use crate::error::Error;
use crate::keys::PrivateKey;
use crate::secret::Secret;

/// The key from which a Signal account's backup keys are derived, 32 bytes.
#[derive(Debug, PartialEq, Eq)]
pub struct AccountBackupKey(Secret<32>);

impl AccountBackupKey {
    /// The key of an account entropy pool, given as its text.
    #[must_use]
    pub fn from_entropy_pool(pool: &str) -> Self {
        Self(kdf::hkdf(None, pool.as_bytes(), &[b"20240801_SIGNAL_BACKUP_KEY"]))
    }

    /// Takes a key that was kept.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidArgument`] unless it has 32 bytes.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, Error> {
        Secret::from_slice(bytes).map(Self).ok_or(Error::InvalidArgument)
    }

    /// The 32 bytes.
    #[must_use]
    pub const fn secret(&self) -> &Secret<32> {
        &self.0
    }

    /// The backup id, 16 bytes: what names the account's backup at the server.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidServiceId`] unless `account` is an ACI.
    pub fn backup_id(&self, account: &ServiceId) -> Result<[u8; 16], Error> {
        let info: [&[u8]; 2] = [b"20241024_SIGNAL_BACKUP_ID:", aci(account)?];
        Ok(kdf::hkdf(None, self.0.expose(), &info).into_bytes())
    }

    /// The private key with which requests about the backup are signed.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidServiceId`] unless `account` is an ACI.
    pub fn backup_private_key(&self, account: &ServiceId) -> Result<PrivateKey, Error> {
        let info: [&[u8]; 2] = [b"20241024_SIGNAL_BACKUP_ID_KEYPAIR:", aci(account)?];
        PrivateKey::decode(kdf::hkdf::<32>(None, self.0.expose(), &info).expose())
    }

    /// The id of a file in the backup, 15 bytes, from its name.
    #[must_use]
    pub fn media_id(&self, name: &str) -> [u8; 15] {
        let info: [&[u8]; 2] = [b"20241007_SIGNAL_BACKUP_MEDIA_ID:", name.as_bytes()];
        kdf::hkdf(None, self.0.expose(), &info).into_bytes()
    }
}

fn aci(account: &ServiceId) -> Result<&[u8; 16], Error> {
    match account.kind() {
        ServiceIdKind::Aci => Ok(account.uuid()),
        ServiceIdKind::Pni => Err(Error::InvalidServiceId),
    }
}
