//! Messages that did not decrypt, here or at a peer; and sessions that cannot be read.

use rand_core::CryptoRng;

use super::{Device, DeviceError};
use crate::address::Address;
use crate::protocol::{AnswerRetry, Answered, AskRetry, Asked, RepairSession, Repaired};
use crate::store::Store;
use crate::time::Timestamp;
use crate::wire::{CiphertextMessageType, DecryptionErrorMessage};

impl<S: Store> Device<S> {
    /// What to do about a message that did not decrypt: ask its sender for it, or give up. `timestamp`
    /// is the message's own, from its envelope.
    ///
    /// # Errors
    ///
    /// Those of [`DecryptionErrorMessage::for_original`]; those of the store.
    pub fn ask_retry(
        &mut self,
        from: &Address,
        message_type: CiphertextMessageType,
        bytes: &[u8],
        timestamp: Timestamp,
        now: Timestamp,
        rng: &mut impl CryptoRng,
    ) -> Result<Asked, DeviceError<S::Error>> {
        self.perform(&AskRetry { from, message_type, bytes, timestamp }, now, rng)
    }

    /// What to do about a peer's request to send a message again.
    ///
    /// # Errors
    ///
    /// Those of the stored session, and of the store.
    pub fn answer_retry(
        &mut self,
        from: &Address,
        request: &DecryptionErrorMessage,
        now: Timestamp,
        rng: &mut impl CryptoRng,
    ) -> Result<Answered, DeviceError<S::Error>> {
        self.perform(&AnswerRetry { from, request }, now, rng)
    }

    /// Mends the stored session with a peer device, after [`Error::InvalidSession`](crate::Error): states
    /// that cannot be read are forgotten.
    ///
    /// # Errors
    ///
    /// [`Error::FutureRecord`](crate::Error::FutureRecord); those of the store.
    pub fn repair_session(
        &mut self,
        peer: &Address,
        now: Timestamp,
        rng: &mut impl CryptoRng,
    ) -> Result<Repaired, DeviceError<S::Error>> {
        self.cache.take(peer);
        self.perform(&RepairSession { peer }, now, rng)
    }
}
