//! Sender keys: one ciphertext for a whole group (spec 05).
//!
//! | to | use |
//! |---|---|
//! | send to a group whose members come and go | [`GroupSession`] |
//! | receive from one of its senders | [`SenderKeyRecord`]: `process_distribution`, `decrypt` |
//! | send without the bookkeeping | [`SenderKeyRecord`]: `create_distribution`, `encrypt` |
//!
//! | file | what |
//! |---|---|
//! | `distribution` | what names a sender key |
//! | `distribute`, `encrypt`, `decrypt` | the operations of spec 05 §5 on one sender's record |
//! | `state` | one chain, and what a message does to it |
//! | `message_keys`, `skipped_keys`, `signing_key` | its parts |
//! | `storage` | the record as sandi stores it |
//! | `session`, `holders` | who holds one's own key, and what follows when members come and go |
//!
//! A sender key gives each message a key of its own and a signature, but does not heal: whoever copies the
//! chain reads on until it is replaced. That is why a key is replaced when somebody leaves.

mod decrypt;
mod distribute;
mod distribution;
mod encrypt;
mod holders;
mod message_keys;
mod session;
pub(crate) mod signing_key;
pub(crate) mod skipped_keys;
pub(crate) mod state;
mod storage;

use alloc::boxed::Box;
use alloc::collections::VecDeque;

pub use distribution::Distribution;
pub use session::{GroupSession, Member, Sending};

use crate::dialect::MAX_SENDER_KEY_STATES;
use crate::keys::PublicKey;
use state::SenderKeyState;

/// The keys of one sender in one group: up to five states, the most recently added first (spec 05 §1).
/// Secrets are zeroized on drop.
///
/// Every operation that fails leaves the record as it was.
#[derive(Debug, Default)]
pub struct SenderKeyRecord {
    states: VecDeque<Box<SenderKeyState>>,
    /// The revision it was loaded or last saved at.
    revision: Option<u64>,
    /// Whether it has changed since.
    changed: bool,
}

impl SenderKeyRecord {
    /// A record without any key.
    #[must_use]
    pub const fn new() -> Self {
        Self { states: VecDeque::new(), revision: None, changed: false }
    }

    /// Joins stored states, the most recently added first, of which at most five are kept.
    pub(crate) fn from_states(mut states: VecDeque<Box<SenderKeyState>>) -> Self {
        states.truncate(MAX_SENDER_KEY_STATES);
        Self { states, revision: None, changed: true }
    }

    pub(crate) const fn states(&self) -> &VecDeque<Box<SenderKeyState>> {
        &self.states
    }

    /// Whether there is no key at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.states.is_empty()
    }

    /// The chain ids of all states, the most recently added first.
    pub fn chain_ids(&self) -> impl ExactSizeIterator<Item = u32> {
        self.states.iter().map(|state| state.chain_id)
    }

    /// The iteration of the first state: the number of the next message.
    #[must_use]
    pub fn iteration(&self) -> Option<u32> {
        Some(self.states.front()?.chain_key.as_ref()?.index())
    }

    /// The public signing key of the first state.
    #[must_use]
    pub fn signing_key(&self) -> Option<&PublicKey> {
        Some(self.states.front()?.signing_key.as_ref()?.public())
    }

    /// How many seeds of skipped messages all states keep, at most 10,000.
    #[must_use]
    pub fn skipped_count(&self) -> usize {
        let counts = self.states.iter().map(|state| state.skipped.entries().len());
        counts.fold(0, usize::saturating_add)
    }
}

/// Compares the keys, and not where they are stored.
impl PartialEq for SenderKeyRecord {
    fn eq(&self, other: &Self) -> bool {
        self.states == other.states
    }
}

impl Eq for SenderKeyRecord {}
