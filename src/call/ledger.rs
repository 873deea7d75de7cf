//! A call key serves one call and has one sender (spec 23 §7).
//!
//! A key that served twice would encrypt two different streams with the same key stream: whoever records
//! both has their difference. So a [`CallKey`] derives nothing. A [`CallKeyLedger`] admits it once and
//! turns it into a [`BoundCallKey`], which holds the call's id and gives out one sender and one sealer.

use alloc::collections::VecDeque;
use alloc::string::String;
use core::fmt;

use super::{CallKey, FrameOpener, FrameReplay, FrameSealer, MasterKeys};
use super::{SrtpProfile, SrtpReceiver, SrtpSender};
use crate::crypto::hash;
use crate::error::Error;
use crate::jid::Jid;
use crate::secret::Secret;

/// How many keys a ledger remembers.
const LEDGER_SIZE: usize = 256;
/// The longest id of a call, in bytes.
const CALL_ID_MAX: usize = 256;

/// The keys that this device has admitted, its last 256: each of them once.
///
/// It lives in memory. A key that was received twice across a restart came in two messages, and a session
/// decrypts none of them twice; keys of one's own making are random.
#[derive(Debug, Default)]
pub struct CallKeyLedger {
    /// `SHA-256(key)`, oldest first.
    admitted: VecDeque<[u8; 32]>,
}

impl CallKeyLedger {
    /// An empty ledger. A device has one.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Binds `key` to the call `call_id`. A group call admits the key of every epoch under one id.
    ///
    /// # Errors
    ///
    /// [`Error::ReusedCallKey`] when the key was admitted before, for whichever call;
    /// [`Error::InvalidArgument`] when `call_id` is empty or longer than 256 bytes.
    pub fn admit(&mut self, call_id: &str, key: CallKey) -> Result<BoundCallKey, Error> {
        if call_id.is_empty() || call_id.len() > CALL_ID_MAX {
            return Err(Error::InvalidArgument);
        }
        let hash = hash::sha256(&[key.secret().expose()]);
        if self.admitted.contains(&hash) {
            return Err(Error::ReusedCallKey);
        }
        if self.admitted.len() >= LEDGER_SIZE {
            self.admitted.pop_front();
        }
        self.admitted.push_back(hash);
        Ok(BoundCallKey { call_id: call_id.into(), key, sender_taken: false, sealer_taken: false })
    }
}

/// A call key of one call. Wiped on drop.
pub struct BoundCallKey {
    call_id: String,
    key: CallKey,
    sender_taken: bool,
    sealer_taken: bool,
}

impl BoundCallKey {
    /// The call that the key serves.
    #[must_use]
    pub fn call_id(&self) -> &str {
        &self.call_id
    }

    /// The message content that carries the key, to be sent again to a device that could not decrypt it
    /// (`enc_rekey`, spec 23 §2).
    #[must_use]
    pub fn message(&self) -> Secret<{ super::CALL_KEY_MESSAGE_LENGTH }> {
        self.key.message()
    }

    /// The master keys of the streams that `participant` sends, for a media stack with an SRTP of its own.
    ///
    /// Two senders of the same keys use the same key stream: give one's own to one stack, once.
    #[must_use]
    pub fn master_keys(&self, participant: &Jid) -> MasterKeys {
        MasterKeys::derive(&self.key, participant)
    }

    /// The context that protects what this device, `own`, sends. A key has one.
    ///
    /// # Errors
    ///
    /// [`Error::ReusedCallKey`] when it was taken before.
    pub fn sender(&mut self, own: &Jid, profile: SrtpProfile) -> Result<SrtpSender, Error> {
        if self.sender_taken {
            return Err(Error::ReusedCallKey);
        }
        self.sender_taken = true;
        Ok(SrtpSender::new(&self.master_keys(own), profile))
    }

    /// The context that opens what `participant` sends.
    #[must_use]
    pub fn receiver(&self, participant: &Jid, profile: SrtpProfile) -> SrtpReceiver {
        SrtpReceiver::new(&self.master_keys(participant), profile)
    }

    /// What encrypts this device's frames, under the keys of `participant`. A key has one.
    ///
    /// Accounts differ on whose address that is: the sender's own in the group specification, the peer's in
    /// one implementation of 1:1 calls (spec 23 §6).
    ///
    /// # Errors
    ///
    /// [`Error::ReusedCallKey`] when it was taken before.
    pub fn frame_sealer(&mut self, participant: &Jid, key_id: u64) -> Result<FrameSealer, Error> {
        if self.sealer_taken {
            return Err(Error::ReusedCallKey);
        }
        self.sealer_taken = true;
        Ok(FrameSealer::new(&self.key, participant, key_id))
    }

    /// What decrypts frames that were encrypted under the keys of `participant`.
    #[must_use]
    pub fn frame_opener(&self, participant: &Jid, key_id: u64, replay: FrameReplay) -> FrameOpener {
        FrameOpener::new(&self.key, participant, key_id, replay)
    }
}

impl zeroize::ZeroizeOnDrop for BoundCallKey {}

impl fmt::Debug for BoundCallKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BoundCallKey").field("call_id", &self.call_id).finish_non_exhaustive()
    }
}
