//! Who can read the chats of this device (spec 22 §5).

use alloc::vec::Vec;

use rand_core::CryptoRng;

use super::{Device, DeviceError};
use crate::business::{EncryptionStatus, Signal, StatusChange};
use crate::protocol::{ConsentToHosting, KnownHosting, LearnHosting, Stored};
use crate::store::{Record, RecordKey, Store};
use crate::time::Timestamp;

impl<S: Store> Device<S> {
    /// What is known of who can read the chat with a user, by
    /// [`hosting_name`](crate::business::hosting_name), or in a group, by its id. End-to-end encrypted
    /// where nothing is known.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidState`](crate::Error::InvalidState),
    /// [`Error::FutureRecord`](crate::Error::FutureRecord); those of the store.
    pub fn encryption_status(&self, name: &str) -> Result<KnownHosting, DeviceError<S::Error>> {
        let record = self.store.load(&RecordKey::EncryptionStatus(name.into()));
        let record = record.map_err(DeviceError::Store)?;
        let known = record.as_ref().map(Record::bytes).map(KnownHosting::decode).transpose()?;
        Ok(known.unwrap_or_default())
    }

    /// Takes over signals of who can read the chat with a user, under all `names` that are known to be the
    /// user's, or in a group. Durable when it returns; show every [`StatusChange`] before the
    /// next message is sent.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidArgument`](crate::Error::InvalidArgument) for no name or more than 16; as
    /// [`encryption_status`](Self::encryption_status).
    pub fn learn_hosting(
        &mut self,
        names: &[&str],
        signals: &[Signal],
        now: Timestamp,
        rng: &mut impl CryptoRng,
    ) -> Result<Vec<StatusChange>, DeviceError<S::Error>> {
        self.perform(&LearnHosting { names, signals }, now, rng)
    }

    /// Records that the user agrees to write to a user or a group although somebody else can read it: to
    /// exactly the `status` that the user has seen, and until that changes.
    ///
    /// # Errors
    ///
    /// [`Error::ConsentRequired`](crate::Error::ConsentRequired) if `status` is not the one of now;
    /// [`Error::InvalidArgument`](crate::Error::InvalidArgument) if it is end-to-end encrypted; as
    /// [`encryption_status`](Self::encryption_status).
    pub fn consent_to_hosting(
        &mut self,
        name: &str,
        status: EncryptionStatus,
        now: Timestamp,
        rng: &mut impl CryptoRng,
    ) -> Result<(), DeviceError<S::Error>> {
        self.perform(&ConsentToHosting { name, status }, now, rng)
    }
}
