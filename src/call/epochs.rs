//! The keys of a group call, whose members come and go (spec 23 §5).
//!
//! Every change of the members begins a key epoch with a new key, which the one who makes it sends to each
//! remaining participant over their sessions. Epochs are ordered by the transaction id that the server
//! gives the change. What this device sends goes out under the newest epoch that it knows, at once: so who
//! has left cannot read it. A participant's packets are opened under the epoch that it last used; a newer
//! one takes over when its first packet verifies, and the old one stays for packets that are late.

use alloc::vec::Vec;

use rand_core::CryptoRng;

use super::{BoundCallKey, CALL_KEY_MESSAGE_LENGTH, CallKey, CallKeyLedger};
use super::{FrameOpener, FrameReplay, FrameSealer, SrtpProfile, SrtpReceiver, SrtpSender};
use crate::error::Error;
use crate::jid::Jid;
use crate::secret::Secret;

/// How many epochs are kept: the current, one that is ending, and one that is coming.
pub const MAX_EPOCHS: usize = 3;
/// How many devices take part in a call, this one included.
pub const MAX_PARTICIPANTS: usize = 32;

/// The epochs of one group call, as one participant holds them. Wiped on drop, which ends the call.
///
/// Counters begin anew in each epoch, the rollover counter at 0; sequence numbers may go on.
#[derive(Debug)]
pub struct CallEpochs {
    own: Jid,
    profile: SrtpProfile,
    /// In ascending order of their transaction ids; never empty.
    epochs: Vec<Epoch>,
    /// Epochs up to this transaction id are over.
    over: Option<u64>,
}

impl CallEpochs {
    /// A call in its first epoch.
    ///
    /// `participants` are the devices in the call; this one, `own`, may be among them.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidArgument`] when a participant is named twice, or there are more than
    /// [`MAX_PARTICIPANTS`]; [`Error::ReusedCallKey`] when the key's sender was taken.
    pub fn new(
        own: Jid,
        profile: SrtpProfile,
        transaction_id: u64,
        key: BoundCallKey,
        participants: &[Jid],
    ) -> Result<Self, Error> {
        let mut epochs = Vec::with_capacity(MAX_EPOCHS.saturating_add(1));
        epochs.push(Epoch::new(&own, profile, transaction_id, key, participants)?);
        Ok(Self { own, profile, epochs, over: None })
    }

    /// Begins an epoch with a key that this device draws, because a participant came or left.
    /// `participants` are those from now on.
    ///
    /// Returns the message content for each of them: pad it, and encrypt it for every participant's device
    /// over its session, the one who left excepted.
    ///
    /// # Errors
    ///
    /// As [`add_epoch`](Self::add_epoch); besides, [`Error::InvalidArgument`] when `transaction_id` is not
    /// above all others.
    pub fn rotate(
        &mut self,
        transaction_id: u64,
        participants: &[Jid],
        ledger: &mut CallKeyLedger,
        rng: &mut impl CryptoRng,
    ) -> Result<Secret<CALL_KEY_MESSAGE_LENGTH>, Error> {
        let newest = self.newest()?;
        if transaction_id <= newest.transaction_id {
            return Err(Error::InvalidArgument);
        }
        let key = ledger.admit(newest.key.call_id(), CallKey::generate(rng))?;
        let message = key.message();
        self.add_epoch(transaction_id, key, participants)?;
        Ok(message)
    }

    /// Adds an epoch whose key another participant has sent. Where [`MAX_EPOCHS`] are kept, the oldest ends.
    ///
    /// # Errors
    ///
    /// [`Error::ReusedCallKey`] when the epoch is over or known, or the key's sender was taken;
    /// [`Error::InvalidArgument`] when the key is another call's, a participant is named twice, or there are
    /// more than [`MAX_PARTICIPANTS`]. Nothing has changed then.
    pub fn add_epoch(
        &mut self,
        transaction_id: u64,
        key: BoundCallKey,
        participants: &[Jid],
    ) -> Result<(), Error> {
        if key.call_id() != self.newest()?.key.call_id() {
            return Err(Error::InvalidArgument);
        }
        let known = self.epochs.iter().any(|epoch| epoch.transaction_id == transaction_id);
        let full = self.epochs.len() >= MAX_EPOCHS;
        let oldest = self.epochs.first().map(|epoch| epoch.transaction_id);
        let late = full && oldest > Some(transaction_id);
        if known || late || Some(transaction_id) <= self.over {
            return Err(Error::ReusedCallKey);
        }
        let epoch = Epoch::new(&self.own, self.profile, transaction_id, key, participants)?;
        let at = self.epochs.partition_point(|epoch| epoch.transaction_id < transaction_id);
        self.epochs.insert(at, epoch);
        if full {
            self.epochs.remove(0);
            self.over = oldest;
        }
        Ok(())
    }

    /// The transaction id of the epoch under which this device sends.
    #[must_use]
    pub fn transaction_id(&self) -> u64 {
        self.epochs.last().map_or(0, |epoch| epoch.transaction_id)
    }

    /// Whether every participant of the newest epoch has been heard under it: older ones are of no use then.
    #[must_use]
    pub fn all_have_switched(&self) -> bool {
        self.epochs.last().is_some_and(|epoch| epoch.others.iter().all(|other| other.heard))
    }

    /// Ends all epochs but the newest. Do so when [all have switched](Self::all_have_switched), and a few
    /// seconds after a change at the latest: until then, one who has left can still be heard, and can still
    /// forge what others say.
    pub fn retire(&mut self) {
        let last = self.epochs.len().saturating_sub(1);
        let over = self.epochs.drain(..last).map(|epoch| epoch.transaction_id).next_back();
        self.over = over.or(self.over);
    }

    /// [`SrtpSender::protect_rtp`] under the newest epoch.
    ///
    /// # Errors
    ///
    /// As there.
    pub fn protect_rtp(&mut self, packet: &mut [u8], length: usize) -> Result<usize, Error> {
        self.newest_mut()?.sender.protect_rtp(packet, length)
    }

    /// [`SrtpSender::protect_rtcp`] under the newest epoch.
    ///
    /// # Errors
    ///
    /// As there.
    pub fn protect_rtcp(&mut self, packet: &mut [u8], length: usize) -> Result<usize, Error> {
        self.newest_mut()?.sender.protect_rtcp(packet, length)
    }

    /// [`SrtpReceiver::unprotect_rtp`] for a packet from `participant`.
    ///
    /// # Errors
    ///
    /// As there, for the epoch that the participant last used; [`Error::InvalidArgument`] when it is in no
    /// epoch.
    pub fn unprotect_rtp(&mut self, participant: &Jid, packet: &mut [u8]) -> Result<Opened, Error> {
        self.open(participant, |receiver| receiver.unprotect_rtp(packet))
    }

    /// [`SrtpReceiver::unprotect_rtcp`] for a packet from `participant`.
    ///
    /// # Errors
    ///
    /// As [`unprotect_rtp`](Self::unprotect_rtp).
    pub fn unprotect_rtcp(
        &mut self,
        participant: &Jid,
        packet: &mut [u8],
    ) -> Result<Opened, Error> {
        self.open(participant, |receiver| receiver.unprotect_rtcp(packet))
    }

    /// What encrypts this device's frames under the newest epoch, where the call encrypts frames. Each epoch
    /// has one.
    ///
    /// # Errors
    ///
    /// [`Error::ReusedCallKey`] when it was taken before.
    pub fn frame_sealer(&mut self, key_id: u64) -> Result<FrameSealer, Error> {
        let own = self.own.clone();
        self.newest_mut()?.key.frame_sealer(&own, key_id)
    }

    /// What decrypts `participant`'s frames of one epoch.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidArgument`] when the epoch is not kept, or the participant is not in it.
    pub fn frame_opener(
        &self,
        transaction_id: u64,
        participant: &Jid,
        key_id: u64,
        replay: FrameReplay,
    ) -> Result<FrameOpener, Error> {
        let epoch = self.epochs.iter().find(|epoch| epoch.transaction_id == transaction_id);
        let epoch = epoch.filter(|epoch| epoch.others.iter().any(|one| one.jid == *participant));
        let epoch = epoch.ok_or(Error::InvalidArgument)?;
        Ok(epoch.key.frame_opener(participant, key_id, replay))
    }

    /// Tries the participant's epochs: the one it last used, newer ones, older ones.
    fn open(
        &mut self,
        participant: &Jid,
        mut open: impl FnMut(&mut SrtpReceiver) -> Result<usize, Error>,
    ) -> Result<Opened, Error> {
        let heard = |epoch: &Epoch| epoch.others.iter().any(|o| o.heard && o.jid == *participant);
        let current = self.epochs.iter().rposition(heard).unwrap_or(0);
        let order = (current..self.epochs.len()).chain((0..current).rev());
        let mut refused = None;
        for at in order {
            let Some(epoch) = self.epochs.get_mut(at) else { continue };
            let other = epoch.others.iter_mut().find(|other| other.jid == *participant);
            let Some(other) = other else { continue };
            match open(&mut other.receiver) {
                Ok(length) => {
                    let switched = !other.heard;
                    other.heard = true;
                    return Ok(Opened { length, transaction_id: epoch.transaction_id, switched });
                }
                Err(error) => refused = refused.or(Some(error)),
            }
        }
        Err(refused.unwrap_or(Error::InvalidArgument))
    }

    fn newest(&self) -> Result<&Epoch, Error> {
        self.epochs.last().ok_or(Error::InvalidArgument)
    }

    fn newest_mut(&mut self) -> Result<&mut Epoch, Error> {
        self.epochs.last_mut().ok_or(Error::InvalidArgument)
    }
}

impl zeroize::ZeroizeOnDrop for CallEpochs {}

/// A packet that verified.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Opened {
    /// Length of the packet in bytes, without what protection had added.
    pub length: usize,
    /// The epoch under which it verified.
    pub transaction_id: u64,
    /// It is the participant's first under that epoch.
    pub switched: bool,
}

/// One key epoch.
#[derive(Debug)]
struct Epoch {
    transaction_id: u64,
    key: BoundCallKey,
    sender: SrtpSender,
    others: Vec<Participant>,
}

impl Epoch {
    fn new(
        own: &Jid,
        profile: SrtpProfile,
        transaction_id: u64,
        mut key: BoundCallKey,
        participants: &[Jid],
    ) -> Result<Self, Error> {
        let others = || participants.iter().filter(|jid| *jid != own);
        let twice = others().any(|jid| others().filter(|other| *other == jid).count() > 1);
        if twice || others().count() >= MAX_PARTICIPANTS {
            return Err(Error::InvalidArgument);
        }
        let sender = key.sender(own, profile)?;
        let others = others()
            .map(|jid| Participant {
                jid: jid.clone(),
                receiver: key.receiver(jid, profile),
                heard: false,
            })
            .collect();
        Ok(Self { transaction_id, key, sender, others })
    }
}

/// Another device in an epoch.
#[derive(Debug)]
struct Participant {
    jid: Jid,
    receiver: SrtpReceiver,
    /// A packet of its has verified in this epoch.
    heard: bool,
}
