//! The symmetric chains: one to send and one to receive per epoch, spec 10 §7.
//!
//! A call is prepared against the shared set and gives a step with the key and the little that
//! changes; applying the step cannot fail.
//!
//! # Memory
//!
//! At most three links (one before the send epoch, the send epoch, one after) of 112 bytes, and per
//! link at most `max(⌊1.1·max_out_of_order⌋, max_out_of_order + 1)` skipped keys of 36 bytes: 2 200
//! entries, 79 kB, with the default limits.

use alloc::boxed::Box;
use alloc::vec::Vec;

use crate::crypto::kdf;
use crate::secret::Secret;
use crate::store::pages::Pages;

use super::error::SpqrError;
use super::limits::{Direction, Limits};
use super::skipped::SkippedKeys;

const START: &[u8] = b"Signal PQ Ratchet V1 Chain  Start";
const NEXT: &[u8] = b"Signal PQ Ratchet V1 Chain Next";
const ADD_EPOCH: &[u8] = b"Signal PQ Ratchet V1 Chain Add Epoch";

/// How many epochs before the send epoch are kept.
const EPOCHS_KEPT: u64 = 1;

/// One KDF chain of one epoch and direction.
pub(super) struct Chain {
    /// Index of the last key; the first key has index 1.
    pub(super) counter: u32,
    /// The chain key, absent once erased.
    pub(super) next: Option<Secret<32>>,
}

impl Chain {
    const fn new(key: Secret<32>) -> Self {
        Self { counter: 0, next: Some(key) }
    }
}

/// The chains of one epoch.
pub(super) struct Link {
    /// For sending.
    pub(super) send: Chain,
    /// For receiving.
    pub(super) receive: Chain,
    /// Keys of received epochs whose messages did not arrive yet.
    pub(super) skipped: SkippedKeys,
}

/// The chains of all epochs held, oldest first.
pub(super) struct ChainSet {
    pub(super) direction: Direction,
    /// The epoch of the last link.
    pub(super) current_epoch: u64,
    /// The epoch last sent in.
    pub(super) send_epoch: u64,
    /// Boxed, so that a link's secrets stay in their place when the list grows.
    #[allow(clippy::vec_box)]
    pub(super) links: Vec<Box<Link>>,
    /// Root of the next epoch.
    pub(super) next_root: Secret<32>,
    pub(super) limits: Limits,
    /// Pages of the skipped keys of links that went, since the state was stored.
    pub(super) dropped: Pages,
}

/// A new epoch's chains, not yet in the set.
pub(super) struct NewEpoch {
    next_root: Secret<32>,
    link: Box<Link>,
}

/// A key to send with, and the chain after it.
pub(super) struct SendStep {
    /// The key epoch.
    epoch: u64,
    /// The key's index, the chain's new counter.
    pub(super) index: u32,
    next: Secret<32>,
}

/// What receiving a key changes.
pub(super) enum ReceiveStep {
    /// The key was stored: its entry goes.
    Stored { link: usize, place: usize },
    /// The chain goes on.
    Advance { link: usize, index: u32, next: Secret<32>, clear: bool, skipped: SkippedKeys },
}

impl ChainSet {
    /// Key epoch 0, from `auth_key` (§7.1).
    pub(super) fn new(direction: Direction, auth_key: &Secret<32>, limits: Limits) -> Self {
        let out = kdf::hkdf::<96>(None, auth_key.expose(), &[START]);
        let NewEpoch { next_root, link } = NewEpoch::split(direction, &out);
        let mut links = Vec::with_capacity(4);
        links.push(link);
        Self {
            direction,
            current_epoch: 0,
            send_epoch: 0,
            links,
            next_root,
            limits,
            dropped: Pages::NONE,
        }
    }

    /// Chains of epoch `E` from its epoch secret.
    ///
    /// # Errors
    ///
    /// [`SpqrError::EpochOutOfRange`] unless `epoch` follows the current one.
    pub(super) fn prepare_epoch(
        &self,
        epoch: u64,
        secret: &Secret<32>,
    ) -> Result<NewEpoch, SpqrError> {
        if self.current_epoch.checked_add(1) != Some(epoch) {
            return Err(SpqrError::EpochOutOfRange(epoch));
        }
        let out = kdf::hkdf::<96>(Some(self.next_root.expose()), secret.expose(), &[ADD_EPOCH]);
        Ok(NewEpoch::split(self.direction, &out))
    }

    /// Adds a prepared epoch.
    pub(super) fn apply_epoch(&mut self, epoch: NewEpoch) {
        self.current_epoch = self.current_epoch.saturating_add(1);
        self.next_root = epoch.next_root;
        self.links.push(epoch.link);
    }

    /// `send_key(k)`.
    ///
    /// # Errors
    ///
    /// [`SpqrError::SendKeyEpochDecreased`], [`SpqrError::EpochOutOfRange`], [`SpqrError::Exhausted`];
    /// [`SpqrError::StateDecode`] when a stored state lacks the chain key.
    pub(super) fn prepare_send(&self, epoch: u64) -> Result<(SendStep, Secret<32>), SpqrError> {
        if epoch < self.send_epoch {
            let from = self.send_epoch;
            return Err(SpqrError::SendKeyEpochDecreased { from, to: epoch });
        }
        let (_, link) = self.link(epoch)?;
        let index = link.send.counter.checked_add(1).ok_or(SpqrError::Exhausted)?;
        let chain_key = link.send.next.as_ref().ok_or(SpqrError::StateDecode)?;
        let (next, key) = next_key(chain_key, index);
        Ok((SendStep { epoch, index, next }, key))
    }

    /// Applies a prepared send: old links go, and chain keys that cannot be sent with any longer.
    pub(super) fn apply_send(&mut self, step: SendStep) {
        if step.epoch != self.send_epoch {
            self.send_epoch = step.epoch;
            let oldest_kept = step.epoch.saturating_sub(EPOCHS_KEPT);
            let dropped = oldest_kept.saturating_sub(self.first_epoch());
            let dropped = usize::try_from(dropped).unwrap_or(usize::MAX).min(self.links.len());
            for link in self.links.drain(..dropped) {
                self.dropped.insert_all(link.skipped.pages());
            }
            if let Some(before) = self.position(step.epoch) {
                for link in self.links.iter_mut().take(before) {
                    link.send.next = None;
                }
            }
        }
        let position = self.position(step.epoch);
        if let Some(link) = position.and_then(|position| self.links.get_mut(position)) {
            link.send = Chain { counter: step.index, next: Some(step.next) };
        }
    }

    /// `recv_key(k, i)`.
    ///
    /// # Errors
    ///
    /// [`SpqrError::EpochOutOfRange`], [`SpqrError::KeyAlreadyRequested`], [`SpqrError::KeyTrimmed`],
    /// [`SpqrError::KeyJump`]; [`SpqrError::StateDecode`] when a stored state lacks the chain key.
    pub(super) fn prepare_receive(
        &self,
        epoch: u64,
        index: u32,
    ) -> Result<(ReceiveStep, Secret<32>), SpqrError> {
        let (position, link) = self.link(epoch)?;
        let counter = link.receive.counter;
        // Sums in 64 bits: i + max_ooo_keys can pass 2^32.
        let kept = u64::from(self.limits.max_out_of_order());
        let reach = |index: u32| u64::from(index).saturating_add(kept);

        let Some(ahead) = index.checked_sub(counter).filter(|ahead| *ahead > 0) else {
            if index < counter && reach(index) < u64::from(counter) {
                return Err(SpqrError::KeyTrimmed(index));
            }
            if index == counter {
                return Err(SpqrError::KeyAlreadyRequested(index));
            }
            let found = link.skipped.find(index);
            let (place, key) = found.ok_or(SpqrError::KeyAlreadyRequested(index))?;
            return Ok((ReceiveStep::Stored { link: position, place }, key));
        };
        if ahead > self.limits.max_jump() {
            return Err(SpqrError::KeyJump { counter, index });
        }
        // 1. a jump over the whole store empties it
        let clear = u64::from(index) > reach(counter);
        // 2. keys c+1 .. i-1; key j is stored only if j + max_ooo_keys >= i
        let between = ahead.saturating_sub(1).min(self.limits.max_out_of_order());
        let mut skipped = SkippedKeys::with_capacity(between);
        let chain_key = link.receive.next.as_ref().ok_or(SpqrError::StateDecode)?;
        let (mut next, mut key) = next_key(chain_key, counter.saturating_add(1));
        for j in counter.saturating_add(1)..index {
            if reach(j) >= u64::from(index) {
                skipped.push(j, key.expose());
            }
            (next, key) = next_key(&next, j.saturating_add(1));
        }
        // 4. key i; step 3, the collection, is applied with the step
        Ok((ReceiveStep::Advance { link: position, index, next, clear, skipped }, key))
    }

    /// Applies a prepared receive.
    pub(super) fn apply_receive(&mut self, step: ReceiveStep) {
        match step {
            ReceiveStep::Stored { link, place } => {
                if let Some(link) = self.links.get_mut(link) {
                    link.skipped.remove(place);
                }
            }
            ReceiveStep::Advance { link, index, next, clear, skipped } => {
                if let Some(link) = self.links.get_mut(link) {
                    if clear {
                        link.skipped.clear();
                    }
                    link.skipped.append(&skipped, &self.limits);
                    // 3. garbage collection
                    link.skipped.collect(index.saturating_sub(1), &self.limits);
                    link.skipped.trim(&self.limits);
                    link.receive = Chain { counter: index, next: Some(next) };
                }
            }
        }
    }

    /// Whether a stored set can be: at least one link, and the send epoch among them.
    ///
    /// # Errors
    ///
    /// [`SpqrError::StateDecode`].
    pub(super) fn check(&self) -> Result<(), SpqrError> {
        let count = u64::try_from(self.links.len()).map_err(|_| SpqrError::StateDecode)?;
        let enough = self.current_epoch.checked_add(1).is_some_and(|epochs| epochs >= count);
        if enough && self.position(self.send_epoch).is_some() {
            Ok(())
        } else {
            Err(SpqrError::StateDecode)
        }
    }

    /// The key epoch of the oldest link.
    pub(super) fn first_epoch(&self) -> u64 {
        let count = u64::try_from(self.links.len()).unwrap_or(u64::MAX);
        self.current_epoch.saturating_add(1).saturating_sub(count)
    }

    /// Where the link of a key epoch is.
    fn position(&self, epoch: u64) -> Option<usize> {
        let position = usize::try_from(epoch.checked_sub(self.first_epoch())?).ok()?;
        (position < self.links.len()).then_some(position)
    }

    fn link(&self, epoch: u64) -> Result<(usize, &Link), SpqrError> {
        let position = self.position(epoch).ok_or(SpqrError::EpochOutOfRange(epoch))?;
        let link = self.links.get(position).ok_or(SpqrError::EpochOutOfRange(epoch))?;
        Ok((position, link))
    }
}

impl NewEpoch {
    /// `next_root || chain key A→B || chain key B→A`.
    fn split(direction: Direction, out: &Secret<96>) -> Self {
        let next_root = kdf::part::<96, 0, 32>(out);
        let a2b = kdf::part::<96, 32, 32>(out);
        let b2a = kdf::part::<96, 64, 32>(out);
        let (send, receive) = match direction {
            Direction::A2B => (a2b, b2a),
            Direction::B2A => (b2a, a2b),
        };
        let skipped = SkippedKeys::new();
        let link = Link { send: Chain::new(send), receive: Chain::new(receive), skipped };
        Self { next_root, link: Box::new(link) }
    }
}

/// The chain key after, and the message key of, the key with index `counter`.
fn next_key(chain_key: &Secret<32>, counter: u32) -> (Secret<32>, Secret<32>) {
    // HKDF(Z32, chain_key, BE32(ctr) || label, 64): the counter comes first here.
    let out = kdf::hkdf::<64>(None, chain_key.expose(), &[&counter.to_be_bytes(), NEXT]);
    kdf::halves(&out)
}
