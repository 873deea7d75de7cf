//! Which key vouches for a companion (spec 22 §3).

use crate::error::Error;
use crate::jid::Jid;
use crate::keys::{IdentityKey, PublicKey};

/// The key with which an account vouches for a companion.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum AccountKey {
    /// The identity key of the account's primary device.
    Primary(PublicKey),
    /// The key of whoever hosts the device. The phone does not sign for it: it must **never** be stored as
    /// the user's primary identity.
    Hosting(PublicKey),
}

impl AccountKey {
    /// Chooses the key for a device at `address`: the one that came with its identity, if any, or else the
    /// known identity of the user's primary.
    ///
    /// For a device that is hosted the embedded key is authoritative. For any other, a key that is not the
    /// known one is refused: otherwise a server could vouch for devices of its own with a key that it made
    /// up.
    ///
    /// # Errors
    ///
    /// [`Error::NoAccountKey`] if neither is known, [`Error::IdentityMismatch`] if both are and differ.
    pub fn choose(
        address: &Jid,
        embedded: Option<PublicKey>,
        known_primary: Option<&IdentityKey>,
    ) -> Result<Self, Error> {
        let known = known_primary.map(|key| *key.public_key());
        match (embedded, known) {
            (Some(embedded), _) if address.is_hosted() => Ok(Self::Hosting(embedded)),
            (Some(embedded), Some(known)) if embedded != known => Err(Error::IdentityMismatch),
            (Some(key), _) | (None, Some(key)) => Ok(Self::Primary(key)),
            (None, None) => Err(Error::NoAccountKey),
        }
    }

    /// The key.
    #[must_use]
    pub const fn key(&self) -> &PublicKey {
        match self {
            Self::Primary(key) | Self::Hosting(key) => key,
        }
    }

    /// The identity key of the account's primary device, if that is what it is.
    #[must_use]
    pub const fn primary(&self) -> Option<IdentityKey> {
        match self {
            Self::Primary(key) => Some(IdentityKey::new(*key)),
            Self::Hosting(_) => None,
        }
    }
}
