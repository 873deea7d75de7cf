//! The device's own pre-keys.

use rand_core::CryptoRng;

use super::{Device, DeviceError};
use crate::protocol::{ConfirmUpload, PendingUpload, Replenish, ServerStock, Upload};
use crate::store::Store;
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
}
