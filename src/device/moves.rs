//! Peer devices whose address has changed.

use alloc::borrow::Cow;

use rand_core::CryptoRng;

use super::{Device, DeviceError};
use crate::address::Address;
use crate::group::Distribution;
use crate::protocol::{ALIASES_MAX, Alias, MoveAddress, Moved, Stored};
use crate::store::{RecordKey, Store};
use crate::time::Timestamp;

impl<S: Store> Device<S> {
    /// Moves all that is known of a peer device to another address, and remembers the way: when a phone number's LID
    /// becomes known. See [`MoveAddress`]. Durable, as a whole, when it returns.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidArgument`](crate::Error::InvalidArgument) when the two are one address, or one of them is this device's own;
    /// [`DeviceError::UntrustedIdentity`] when another identity key is known for each of them; those of a stored session
    /// or sender key that cannot be read; those of the store.
    pub fn move_address(
        &mut self,
        from: &Address,
        to: &Address,
        groups: &[Distribution],
        now: Timestamp,
        rng: &mut impl CryptoRng,
    ) -> Result<Moved, DeviceError<S::Error>> {
        // What is kept of either name is out of date afterwards.
        self.cache.drop_named(from.name());
        self.cache.drop_named(to.name());
        self.perform(&MoveAddress { from, to, groups }, now, rng)
    }

    /// The address under which what is known of a peer device is kept: `address`, or the one to which it was moved.
    ///
    /// Encrypting, decrypting, starting sessions and accepting a group's keys follow by themselves. The call to make
    /// before all others that take a peer's address, and before an application takes a lock for it: the lock is of the
    /// resolved address, never of the one that a message names.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidState`](crate::Error::InvalidState), [`Error::FutureRecord`](crate::Error::FutureRecord) for a record that cannot be read; those of the store.
    pub fn resolve(&self, address: &Address) -> Result<Address, DeviceError<S::Error>> {
        let mut at = Cow::Borrowed(address);
        for _ in 0..ALIASES_MAX {
            let key = RecordKey::Alias(at.clone().into_owned());
            let Some(record) = self.store.load(&key).map_err(DeviceError::Store)? else { break };
            let alias = Alias::decode(record.bytes())?;
            at = Cow::Owned(alias.to);
        }
        Ok(at.into_owned())
    }
}
