//! The security code over all of a user's devices (spec 25 §1).

use alloc::string::String;
use alloc::vec::Vec;

use super::{ITERATIONS, iterate, numeric};
use crate::address::DeviceId;
use crate::crypto::hash::sha512;
use crate::error::Error;
use crate::keys::{IdentityKey, PublicKey};

/// Length of one key in the sorted list, in bytes.
const KEY: usize = PublicKey::LENGTH;

/// `sortedKeys`: the identity keys of a user's devices, primary and companions, without the hosted
/// ones, 33 bytes each, sorted and joined.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DeviceKeys(Vec<u8>);

impl DeviceKeys {
    /// The device id of a hosted device, which has no part in the code.
    const HOSTED: u8 = 99;

    /// Collects the keys of a user's devices. The hosted device, number 99, is left out: the hosting
    /// is told by the hosted state of the QR code instead. Devices under a hosted address must not be
    /// given either.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidArgument`] when no device is left.
    pub fn new(devices: impl IntoIterator<Item = (DeviceId, IdentityKey)>) -> Result<Self, Error> {
        let mut keys: Vec<[u8; KEY]> = devices
            .into_iter()
            .filter(|(device, _)| device.get() != Self::HOSTED)
            .map(|(_, key)| key.encode())
            .collect();
        if keys.is_empty() {
            return Err(Error::InvalidArgument);
        }
        keys.sort_unstable();
        Ok(Self(keys.concat()))
    }

    /// The sorted keys, joined.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// `hashedPublicKey` (spec 25 §3): 5200 rounds over the keys alone, which keeps the QR code of
    /// many devices small.
    #[must_use]
    pub fn hashed(&self) -> [u8; 64] {
        hash_keys(&self.0)
    }
}

/// `h = sortedKeys`, then 5200 times `h = SHA-512(h || sortedKeys)` (spec 25 §3).
pub(super) fn hash_keys(keys: &[u8]) -> [u8; 64] {
    let mut h = sha512(&[keys, keys]);
    for _ in 1..ITERATIONS {
        h = sha512(&[&h, keys]);
    }
    h
}

/// The 60-digit code of two users.
///
/// Both must know the same device lists, or the codes differ: refresh the lists before showing it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SecurityCode {
    local: String,
    remote: String,
}

impl SecurityCode {
    /// Computes the code. The identifiers are both of phone numbers
    /// ([`pn_identifier`](super::pn_identifier)) or both the user digits of LIDs.
    #[must_use]
    pub fn new(local: (&str, &DeviceKeys), remote: (&str, &DeviceKeys)) -> Self {
        let digits = |(id, keys): (&str, &DeviceKeys)| {
            numeric::digits(&iterate(ITERATIONS, id.as_bytes(), &keys.0))
        };
        Self { local: digits(local), remote: digits(remote) }
    }

    /// The 30 digits of the local user.
    #[must_use]
    pub fn local(&self) -> &str {
        &self.local
    }

    /// The 30 digits of the remote user.
    #[must_use]
    pub fn remote(&self) -> &str {
        &self.remote
    }

    /// The 60 digits that both users see, shown as 12 groups of 5.
    #[must_use]
    pub fn display(&self) -> String {
        numeric::join(self.local.clone(), self.remote.clone())
    }
}
