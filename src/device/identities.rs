//! The identity keys of peers.

use rand_core::CryptoRng;

use super::{Device, DeviceError};
use crate::address::Address;
use crate::keys::IdentityKey;
use crate::protocol::{
    AcceptIdentity, IdentityChange, KnownIdentity, SetVerification, Stored, Verification,
};
use crate::store::{Record, Store};
use crate::time::Timestamp;

impl<S: Store> Device<S> {
    /// What is known of a peer's identity; `None` if nothing is.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidState`](crate::Error::InvalidState),
    /// [`Error::FutureRecord`](crate::Error::FutureRecord); those of the store.
    pub fn identity_of(
        &self,
        peer: &Address,
    ) -> Result<Option<KnownIdentity>, DeviceError<S::Error>> {
        let key = self.own.local.identity_key_of(peer);
        let record = self.store.load(&key).map_err(DeviceError::Store)?;
        Ok(record.as_ref().map(Record::bytes).map(KnownIdentity::decode).transpose()?)
    }

    /// Accepts exactly this identity key for a peer, whatever was known before.
    ///
    /// # Errors
    ///
    /// As [`identity_of`](Self::identity_of).
    pub fn accept_identity(
        &mut self,
        peer: &Address,
        key: &IdentityKey,
        now: Timestamp,
        rng: &mut impl CryptoRng,
    ) -> Result<Option<IdentityChange>, DeviceError<S::Error>> {
        self.perform(&AcceptIdentity { peer, key }, now, rng)
    }

    /// Notes that the user has verified exactly this key of a peer, or no longer does.
    ///
    /// # Errors
    ///
    /// [`Error::UntrustedIdentity`](crate::Error::UntrustedIdentity) if it is not the known one; as
    /// [`identity_of`](Self::identity_of).
    pub fn set_verification(
        &mut self,
        peer: &Address,
        key: &IdentityKey,
        verification: Verification,
        now: Timestamp,
        rng: &mut impl CryptoRng,
    ) -> Result<(), DeviceError<S::Error>> {
        self.perform(&SetVerification { peer, key, verification }, now, rng)
    }
}
