//! The device's own pre-keys.

use rand_core::CryptoRng;

use super::{Device, DeviceError};
use crate::prekey::{PreKey, PreKeyId, SignedPreKey};
use crate::protocol::{
    ConfirmUpload, PendingUpload, Replenish, ServerStock, Stored, StoredKem, Upload,
};
use crate::store::{RecordKey, Store};
use crate::time::Timestamp;

impl<S: Store> Device<S> {
    /// Brings the pre-keys up to date and says what to upload: when the device is new, about once a day,
    /// and whenever the server's stock runs low. The new keys are durable when it returns; an upload
    /// that fails or is lost in a crash comes up again.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidState`](crate::Error::InvalidState) where what is stored of them is corrupt; those
    /// of the store.
    pub fn replenish(
        &mut self,
        stock: ServerStock,
        now: Timestamp,
        rng: &mut impl CryptoRng,
    ) -> Result<Upload, DeviceError<S::Error>> {
        self.perform(&Replenish { stock }, now, rng)?;
        self.perform(&PendingUpload, now, rng)
    }

    /// Notes that the server has `upload`.
    ///
    /// # Errors
    ///
    /// As [`replenish`](Self::replenish).
    pub fn confirm_upload(
        &mut self,
        upload: &Upload,
        now: Timestamp,
        rng: &mut impl CryptoRng,
    ) -> Result<(), DeviceError<S::Error>> {
        self.perform(&ConfirmUpload { upload }, now, rng)
    }

    /// A one-time pre-key that the device holds: to compare with what a server says it has, or to move to
    /// another implementation (`migrate::official`). `None` if there is none, or it was used.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidState`](crate::Error::InvalidState),
    /// [`Error::FutureRecord`](crate::Error::FutureRecord) for a record that cannot be read; those of
    /// the store.
    pub fn pre_key(&self, id: PreKeyId) -> Result<Option<PreKey>, DeviceError<S::Error>> {
        self.read_stored(&RecordKey::PreKey(id))
    }

    /// A signed pre-key that the device holds, current or retired. See [`pre_key`](Self::pre_key).
    ///
    /// # Errors
    ///
    /// As [`pre_key`](Self::pre_key).
    pub fn signed_pre_key(
        &self,
        id: PreKeyId,
    ) -> Result<Option<SignedPreKey>, DeviceError<S::Error>> {
        self.read_stored(&RecordKey::SignedPreKey(id))
    }

    /// A KEM pre-key that the device holds. See [`pre_key`](Self::pre_key).
    ///
    /// # Errors
    ///
    /// As [`pre_key`](Self::pre_key).
    pub fn kem_pre_key(&self, id: PreKeyId) -> Result<Option<StoredKem>, DeviceError<S::Error>> {
        self.read_stored(&RecordKey::KemPreKey(id))
    }

    fn read_stored<T: Stored>(&self, key: &RecordKey) -> Result<Option<T>, DeviceError<S::Error>> {
        let record = self.store.load(key).map_err(DeviceError::Store)?;
        Ok(record.map(|record| T::decode(record.bytes())).transpose()?)
    }
}
