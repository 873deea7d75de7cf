//! The sparse post-quantum ratchet, SPQR version 1, spec 10.
//!
//! It rides on the messages of a Double Ratchet session. Every message carries up to 37 bytes of it
//! and gets a 32-byte key from it, which the session mixes into its own message key: an attacker has
//! to break both. Underneath, ML-KEM-768 keys and ciphertexts travel in 32-byte chunks, any loss and
//! order being fine, and once per epoch (some 44 round trips) a fresh secret enters the key chains.
//! `docs/spqr.md` explains it with a picture.
//!
//! | file | what | spec |
//! |---|---|---|
//! | `mod` | [`Spqr`]: send, receive, and their two halves prepare and commit | §1, §8 |
//! | `negotiation` | versions, and falling back to none | §8 |
//! | `chain`, `skipped` | the key chains of the epochs, keys of messages that come late | §7 |
//! | `braid/` | the state machine: eleven states in two roles | §3 |
//! | `authenticator` | MACs over header and ciphertext | §6 |
//! | `erasure`, `gf16` | bytes to chunks and back | §5 |
//! | `message` | the wire format | §9 |
//! | `state_encoding` | the official stored state | §10 |
//! | `compact` | sandi's own stored state, of seeds and bytes as they came | |
//! | `skipped_apart` | skipped keys, for a store that keeps them apart from the state | |
//!
//! # Two halves
//!
//! A session learns only after the ratchet step whether a message is genuine, and may then have to
//! take the step back. So a call comes in two halves: `prepare` computes against the unchanged state
//! and gives the key and what would change; `commit` makes the change, and cannot fail. Dropping the
//! prepared value leaves the state as it was. [`send`](Spqr::send) and [`receive`](Spqr::receive) do
//! both at once.
//!
//! ```
//! use sandi::spqr::{Direction, Limits, Spqr, Version};
//! # use rand_core::{TryRng, TryCryptoRng};
//! # struct Rng(u64);
//! # impl TryRng for Rng {
//! #     type Error = core::convert::Infallible;
//! #     fn try_next_u32(&mut self) -> Result<u32, Self::Error> { Ok(self.try_next_u64()? as u32) }
//! #     fn try_next_u64(&mut self) -> Result<u64, Self::Error> {
//! #         self.0 = self.0.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
//! #         Ok(self.0)
//! #     }
//! #     fn try_fill_bytes(&mut self, out: &mut [u8]) -> Result<(), Self::Error> {
//! #         for byte in out { *byte = (self.try_next_u64()? >> 56) as u8; }
//! #         Ok(())
//! #     }
//! # }
//! # impl TryCryptoRng for Rng {}
//! # let mut rng = Rng(7);
//! let auth_key = sandi::Secret::new([7; 32]);
//! let mut alice = Spqr::new(Direction::A2B, Version::V1, &auth_key, Limits::default());
//! let mut bob = Spqr::new(Direction::B2A, Version::V1, &auth_key, Limits::default());
//!
//! let sent = alice.send(&mut rng)?;
//! let key = bob.receive(sent.message())?;
//! assert_eq!(sent.key(), key.as_ref());
//! # Ok::<(), sandi::spqr::SpqrError>(())
//! ```
//!
//! # Memory
//!
//! A state is one allocation of about 1.8 kB, plus at most 4.8 kB for keys or ciphertexts underway,
//! plus at most three epochs' chains of about 150 bytes, plus skipped keys: at most 2 200 entries of 36 bytes per
//! epoch with the default limits. Sending and receiving within a braid state allocate nothing,
//! except to keep the keys of messages that are missing.

mod authenticator;
mod braid;
mod chain;
mod compact;

mod erasure;
mod error;
mod gf16;
mod limits;
mod message;
mod negotiation;
mod skipped;
mod skipped_apart;
mod state_encoding;
#[cfg(test)]
mod vector_tests;

use alloc::boxed::Box;
use core::fmt;

use subtle::ConstantTimeEq;

use crate::secret::Secret;

use braid::Braid;
use chain::{ChainSet, NewEpoch};
pub use error::SpqrError;
pub use limits::{Direction, Limits, Version};
use message::{Message, MessageBytes};
use negotiation::{Negotiation, Verdict};

/// The post-quantum ratchet of one session.
pub struct Spqr(Option<Box<Active>>);

/// The state of version V1. V0 has none.
struct Active {
    /// Counts commits, so that a prepared value is committed only to the state it was prepared from.
    revision: u64,
    keys: Keys,
    braid: Braid,
}

/// Where message keys come from.
enum Keys {
    /// The version is open: no message of the peer was received yet. The chains start with the first
    /// message that is sent with a key.
    Open(Negotiation, Option<ChainSet>),
    /// The version is settled.
    Settled(ChainSet),
}

/// A prepared send: the message, its key, and what [`Spqr::commit_send`] will change.
#[must_use = "the ratchet does not advance until the send is committed"]
pub struct PendingSend {
    message: MessageBytes,
    key: Option<Secret<32>>,
    change: Option<SendChange>,
}

struct SendChange {
    revision: u64,
    braid: braid::SendStep,
    chains: ChainChange,
    step: Option<chain::SendStep>,
}

/// A prepared receive: the message's key, and what [`Spqr::commit_receive`] will change.
#[must_use = "the ratchet does not advance until the receive is committed"]
pub struct PendingReceive {
    key: Option<Secret<32>>,
    change: ReceiveChange,
}

enum ReceiveChange {
    Nothing,
    SwitchOff {
        revision: u64,
    },
    Step {
        revision: u64,
        braid: braid::ReceiveStep,
        chains: ChainChange,
        step: Option<chain::ReceiveStep>,
    },
}

/// What happens to the chain set before a key is taken from it.
struct ChainChange {
    /// The chain set, if it does not exist yet.
    created: Option<Box<ChainSet>>,
    /// The epoch that the Braid completed.
    epoch: Option<NewEpoch>,
}

/// A sent message and its key.
#[derive(Debug)]
pub struct Sent {
    message: MessageBytes,
    key: Option<Secret<32>>,
}

impl Spqr {
    /// A session of version V1, from `auth_key`, the third block of the handshake's output (§11).
    ///
    /// `min_version` is the lowest version to accept from the peer: [`Version::V1`], as official
    /// clients have it today, gives every message a key; with [`Version::V0`] the peer may switch
    /// the ratchet off with its first message, and there are no keys before that.
    #[must_use]
    pub fn new(
        direction: Direction,
        min_version: Version,
        auth_key: &Secret<32>,
        limits: Limits,
    ) -> Self {
        let auth = auth_key.duplicate();
        Self(Some(Box::new(Active {
            revision: 0,
            keys: Keys::Open(Negotiation { auth_key: auth, direction, min_version, limits }, None),
            braid: Braid::new(direction, auth_key),
        })))
    }

    /// Version V0: messages are empty, there are no keys, and received messages are ignored.
    #[must_use]
    pub const fn off() -> Self {
        Self(None)
    }

    /// Prepares the next message. Draws 64 or 32 random bytes in one request, or none (§3.4).
    ///
    /// # Errors
    ///
    /// [`SpqrError::Exhausted`] after 2^32 - 1 messages in one epoch; others only for a corrupt
    /// stored state.
    pub fn prepare_send(
        &self,
        rng: &mut impl rand_core::CryptoRng,
    ) -> Result<PendingSend, SpqrError> {
        let Some(active) = &self.0 else {
            return Ok(PendingSend { message: MessageBytes::EMPTY, key: None, change: None });
        };
        // Step 2: the Braid
        let epoch = active.braid.epoch;
        let sent = active.braid.prepare_send(rng)?;
        // Step 3: the chain set, if there is one or may be one
        let created = match &active.keys {
            Keys::Open(open, None) if open.min_version > Version::V0 => Some(open.start()),
            _ => None,
        };
        let mut chains = ChainChange { created, epoch: None };
        // Step 4: the emitted secret, the key and its index
        let (step, key) = match chains.created.as_deref().or(active.keys.chains()) {
            None => (None, None),
            Some(set) => {
                chains.epoch = set.prepare_emitted(epoch, sent.secret.as_ref())?;
                let key_epoch = epoch.checked_sub(1).ok_or(SpqrError::StateDecode)?;
                let (step, key) = set.prepare_send(key_epoch)?;
                (Some(step), Some(key))
            }
        };
        let index = step.as_ref().map_or(0, |step| step.index);
        let message = Message { epoch, index, payload: sent.payload }.encode();
        let revision = active.revision;
        let change = Some(SendChange { revision, braid: sent.step, chains, step });
        Ok(PendingSend { message, key, change })
    }

    /// Makes the change of a send that was prepared from this very state.
    ///
    /// A value prepared before another commit is stale and changes nothing.
    pub fn commit_send(&mut self, pending: PendingSend) {
        let (Some(active), Some(change)) = (&mut self.0, pending.change) else { return };
        debug_assert_eq!(active.revision, change.revision, "a stale send was committed");
        if active.revision != change.revision {
            return;
        }
        active.revision = active.revision.wrapping_add(1);
        active.braid.apply_send(change.braid);
        active.apply_chains(change.chains);
        // Step 5: sending never closes the negotiation
        if let (Some(set), Some(step)) = (active.keys.chains_mut(), change.step) {
            set.apply_send(step);
        }
    }

    /// Prepares the receipt of `message`.
    ///
    /// # Errors
    ///
    /// Any [`SpqrError`] but [`StateDecode`](SpqrError::StateDecode), which is for a corrupt stored
    /// state only.
    pub fn prepare_receive(&self, message: &[u8]) -> Result<PendingReceive, SpqrError> {
        let nothing = PendingReceive { key: None, change: ReceiveChange::Nothing };
        // Step 4: in V0, nothing whatever the message
        let Some(active) = &self.0 else { return Ok(nothing) };
        // Steps 1 to 3: the version
        let revision = active.revision;
        match negotiation::judge(message, active.keys.negotiation())? {
            Verdict::Ignore => return Ok(nothing),
            Verdict::SwitchOff => {
                let change = ReceiveChange::SwitchOff { revision };
                return Ok(PendingReceive { key: None, change });
            }
            Verdict::Proceed => {}
        }
        // Step 5: parse, Braid, chain set, key
        let message = Message::parse(message)?;
        let (braid, secret) = active.braid.prepare_receive(message.epoch, &message.payload)?;
        let mut chains = ChainChange { created: None, epoch: None };
        let set = match &active.keys {
            Keys::Settled(set) | Keys::Open(_, Some(set)) => set,
            Keys::Open(open, None) => chains.created.insert(open.start()),
        };
        let emitted = set.prepare_emitted(active.braid.epoch, secret.as_ref())?;
        let (step, key) = if message.epoch == 1 && message.index == 0 {
            (None, None)
        } else {
            let key_epoch = message.epoch.checked_sub(1).ok_or(SpqrError::MessageDecode)?;
            let (step, key) = set.prepare_receive(key_epoch, message.index)?;
            (Some(step), Some(key))
        };
        chains.epoch = emitted;
        let change = ReceiveChange::Step { revision, braid, chains, step };
        Ok(PendingReceive { key, change })
    }

    /// Makes the change of a receive that was prepared from this very state.
    ///
    /// A value prepared before another commit is stale and changes nothing.
    pub fn commit_receive(&mut self, pending: PendingReceive) {
        let Some(active) = &mut self.0 else { return };
        match pending.change {
            ReceiveChange::Nothing => {}
            ReceiveChange::SwitchOff { revision } => {
                debug_assert_eq!(active.revision, revision, "a stale receive was committed");
                if active.revision == revision {
                    self.0 = None;
                }
            }
            ReceiveChange::Step { revision, braid, chains, step } => {
                debug_assert_eq!(active.revision, revision, "a stale receive was committed");
                if active.revision != revision {
                    return;
                }
                active.revision = active.revision.wrapping_add(1);
                active.braid.apply_receive(braid);
                active.apply_chains(chains);
                if let (Some(set), Some(step)) = (active.keys.chains_mut(), step) {
                    set.apply_receive(step);
                }
                // Step 6: success closes the negotiation
                active.keys.settle();
            }
        }
    }

    /// Prepares and commits a send.
    ///
    /// # Errors
    ///
    /// Those of [`prepare_send`](Self::prepare_send).
    pub fn send(&mut self, rng: &mut impl rand_core::CryptoRng) -> Result<Sent, SpqrError> {
        let mut pending = self.prepare_send(rng)?;
        let sent = Sent { message: pending.message, key: pending.key.take() };
        self.commit_send(pending);
        Ok(sent)
    }

    /// Prepares and commits a receive: the message's key, if it has one.
    ///
    /// # Errors
    ///
    /// Those of [`prepare_receive`](Self::prepare_receive).
    pub fn receive(&mut self, message: &[u8]) -> Result<Option<Secret<32>>, SpqrError> {
        let mut pending = self.prepare_receive(message)?;
        let key = pending.key.take();
        self.commit_receive(pending);
        Ok(key)
    }

    /// Whether the ratchet is off (V0).
    #[must_use]
    pub const fn is_off(&self) -> bool {
        self.0.is_none()
    }

    /// The version in use, and whether the peer may still lower it.
    #[must_use]
    pub fn current_version(&self) -> CurrentVersion {
        let version = if self.is_off() { Version::V0 } else { Version::V1 };
        match self.0.as_ref().and_then(|active| active.keys.negotiation()) {
            Some(open) => {
                CurrentVersion::StillNegotiating { version, min_version: open.min_version }
            }
            None => CurrentVersion::NegotiationComplete(version),
        }
    }

    /// The current Braid epoch, from 1; 0 when off.
    #[must_use]
    pub fn epoch(&self) -> u64 {
        self.0.as_ref().map_or(0, |active| active.braid.epoch)
    }

    /// The Braid state's name in spec 10 §3, `"V0"` when off. For diagnostics.
    #[must_use]
    pub fn state_name(&self) -> &'static str {
        self.0.as_ref().map_or("V0", |active| active.braid.state_name())
    }

    /// How many keys of messages that did not arrive are held, in all epochs.
    #[must_use]
    pub fn skipped_keys(&self) -> usize {
        let chains = self.0.as_ref().and_then(|active| active.keys.chains());
        chains.map_or(0, |set| set.links.iter().map(|link| link.skipped.len()).sum())
    }
}

/// What [`Spqr::current_version`] says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum CurrentVersion {
    /// No message of the peer was received yet.
    StillNegotiating {
        /// The version in use.
        version: Version,
        /// The lowest version that the peer may lower it to.
        min_version: Version,
    },
    /// The version is settled.
    NegotiationComplete(Version),
}

impl Negotiation {
    /// The chain set that both sides start with.
    fn start(&self) -> Box<ChainSet> {
        Box::new(ChainSet::new(self.direction, &self.auth_key, self.limits))
    }
}

impl ChainSet {
    /// The chains of the epoch whose secret the Braid emitted, if it did.
    fn prepare_emitted(
        &self,
        epoch: u64,
        secret: Option<&Secret<32>>,
    ) -> Result<Option<NewEpoch>, SpqrError> {
        secret.map(|secret| self.prepare_epoch(epoch, secret)).transpose()
    }
}

impl Active {
    fn apply_chains(&mut self, change: ChainChange) {
        if let (Keys::Open(_, chains @ None), Some(created)) = (&mut self.keys, change.created) {
            *chains = Some(*created);
        }
        if let (Some(set), Some(epoch)) = (self.keys.chains_mut(), change.epoch) {
            set.apply_epoch(epoch);
        }
    }
}

impl Keys {
    const fn negotiation(&self) -> Option<&Negotiation> {
        match self {
            Self::Open(open, _) => Some(open),
            Self::Settled(_) => None,
        }
    }

    const fn chains(&self) -> Option<&ChainSet> {
        match self {
            Self::Open(_, chains) => chains.as_ref(),
            Self::Settled(set) => Some(set),
        }
    }

    const fn chains_mut(&mut self) -> Option<&mut ChainSet> {
        match self {
            Self::Open(_, chains) => chains.as_mut(),
            Self::Settled(set) => Some(set),
        }
    }

    /// Open → settled.
    fn settle(&mut self) {
        if let Self::Open(_, chains) = self
            && let Some(set) = chains.take()
        {
            *self = Self::Settled(set);
        }
    }
}

impl PendingSend {
    /// The message: empty in V0, else 4 to 52 bytes.
    #[must_use]
    pub fn message(&self) -> &[u8] {
        self.message.as_slice()
    }

    /// The message's key, if it has one.
    #[must_use]
    pub const fn key(&self) -> Option<&Secret<32>> {
        self.key.as_ref()
    }
}

impl PendingReceive {
    /// The message's key, if it has one.
    #[must_use]
    pub const fn key(&self) -> Option<&Secret<32>> {
        self.key.as_ref()
    }
}

impl Sent {
    /// The message: empty in V0, else 4 to 52 bytes.
    #[must_use]
    pub fn message(&self) -> &[u8] {
        self.message.as_slice()
    }

    /// The message's key, if it has one.
    #[must_use]
    pub const fn key(&self) -> Option<&Secret<32>> {
        self.key.as_ref()
    }
}

impl fmt::Debug for Spqr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Spqr")
            .field("state", &self.state_name())
            .field("epoch", &self.epoch())
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for PendingSend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PendingSend").field("message", &self.message()).finish_non_exhaustive()
    }
}

impl fmt::Debug for PendingReceive {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PendingReceive").finish_non_exhaustive()
    }
}

/// Equality of the stored states; their secrets are compared in constant time.
impl PartialEq for Spqr {
    fn eq(&self, other: &Self) -> bool {
        let (one, other) = (self.export_official(), other.export_official());
        let (one, other) = (zeroize::Zeroizing::new(one), zeroize::Zeroizing::new(other));
        one.as_slice().ct_eq(other.as_slice()).into()
    }
}

impl Eq for Spqr {}
