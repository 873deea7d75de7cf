//! One peer device: the current session and the archived ones (spec 03, spec 04).
//!
//! | file | what |
//! |---|---|
//! | `initiate` | a bundle becomes a session (spec 02 §5) |
//! | `accept` | a pre-key message becomes, or finds, a session (spec 03 §5.3) |
//! | `encrypt` | plaintext to wire (spec 04 §3) |
//! | `decrypt` | wire to plaintext, over current and archived states (spec 04 §4 and §6) |
//! | `state` | one session's state, and what a message does to it |
//! | `pending` | the pre-key data of a session that the peer has not answered yet |
//! | `storage` | records: what is loaded, what is saved |
//!
//! Nothing here reads a store, a clock or a random generator of its own. Every operation that fails
//! leaves the [`Session`] bit for bit as it was.

mod accept;
mod decrypt;
mod encrypt;
mod initiate;
pub(crate) mod pending;
pub(crate) mod state;
mod storage;

use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::vec::Vec;
use core::fmt;

pub use accept::{Accepted, PreKeys, UsedPreKeys};
pub use encrypt::CiphertextMessage;
pub use state::Plaintext;

use crate::address::Address;
use crate::dialect::ARCHIVED_STATES_MAX;
use crate::error::Error;
use crate::keys::{IdentityKey, IdentityKeyPair, PublicKey};
use crate::store::pages::Bookkeeping;
use crate::time::Timestamp;
use crate::wire::PreKeySignalMessage;
use state::State;
use storage::Stored;
use zeroize::Zeroizing;

/// The two ends of a session, as this device names them.
///
/// Names that are service ids take part in the address binding of pre-key messages (spec 04 §2.3) and
/// let a session with one's own account be recognised (spec 03 §4.4).
#[derive(Clone, Copy, Debug)]
pub struct Addresses<'a> {
    /// This device.
    pub local: &'a Address,
    /// The peer device.
    pub remote: &'a Address,
}

/// What a session needs to know of the device it belongs to.
#[derive(Clone, Copy, Debug)]
pub struct LocalDevice<'a> {
    /// The account's identity.
    pub identity: &'a IdentityKeyPair,
    /// The device's registration id.
    pub registration_id: u32,
}

/// What [`Session::is_usable`] asks of a session (spec 04 §7.1).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Requirements {
    /// Answered by the peer, or not older than 30 days.
    pub not_stale: bool,
    /// Established by PQXDH: session version 4.
    pub pqxdh: bool,
    /// SPQR runs beside the Double Ratchet.
    pub spqr: bool,
}

/// A state as a record holds it: usable, or bytes of a stored record that are not.
#[derive(PartialEq, Eq)]
pub(crate) enum Slot {
    Usable(Box<State>),
    /// A corrupt or unknown stored state, kept so that the record's other states stay usable. It may
    /// hold keys: wiped on drop, opaque in `Debug`.
    Unusable(Zeroizing<Vec<u8>>),
}

impl fmt::Debug for Slot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Usable(state) => state.fmt(f),
            Self::Unusable(bytes) => write!(f, "Unusable({} bytes)", bytes.len()),
        }
    }
}

impl Slot {
    pub(crate) fn usable(&self) -> Option<&State> {
        match self {
            Self::Usable(state) => Some(state),
            Self::Unusable(_) => None,
        }
    }

    fn usable_mut(&mut self) -> Option<&mut State> {
        match self {
            Self::Usable(state) => Some(state),
            Self::Unusable(_) => None,
        }
    }
}

/// Which state of a record: the current one, or an archived one by position.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum At {
    Current,
    Archived(usize),
}

/// Everything that one peer device shares with us: at most one current session and up to 40 archived
/// ones, newest first (spec 04 §7). Secrets are zeroized on drop.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Session {
    current: Option<Slot>,
    archived: VecDeque<Archived>,
    stored: Bookkeeping<Stored>,
}

/// An archived state, and the number of the record that holds it, if one does.
#[derive(Debug, PartialEq, Eq)]
struct Archived {
    slot: Slot,
    number: Bookkeeping<Option<u8>>,
}

impl Archived {
    const fn unsaved(slot: Slot) -> Self {
        Self { slot, number: Bookkeeping(None) }
    }
}

impl Session {
    /// A record without any session.
    #[must_use]
    pub const fn new() -> Self {
        Self { current: None, archived: VecDeque::new(), stored: Bookkeeping(Stored::nothing()) }
    }

    /// Joins stored states; archived ones newest first, of which at most 40 are kept.
    pub(crate) fn from_slots(current: Option<Slot>, mut archived: VecDeque<Slot>) -> Self {
        archived.truncate(ARCHIVED_STATES_MAX);
        let mut stored = Stored::nothing();
        stored.replace_current();
        Self {
            current,
            archived: archived.into_iter().map(Archived::unsaved).collect(),
            stored: Bookkeeping(stored),
        }
    }

    pub(crate) const fn current_slot(&self) -> Option<&Slot> {
        self.current.as_ref()
    }

    pub(crate) fn archived_slots(&self) -> impl ExactSizeIterator<Item = &Slot> {
        self.archived.iter().map(|archived| &archived.slot)
    }

    fn state(&self, at: At) -> Option<&State> {
        match at {
            At::Current => self.current.as_ref(),
            At::Archived(index) => self.archived.get(index).map(|archived| &archived.slot),
        }
        .and_then(Slot::usable)
    }

    fn state_mut(&mut self, at: At) -> Option<&mut State> {
        match at {
            At::Current => self.current.as_mut(),
            At::Archived(index) => self.archived.get_mut(index).map(|archived| &mut archived.slot),
        }
        .and_then(Slot::usable_mut)
    }

    fn current_state(&self) -> Option<&State> {
        self.state(At::Current)
    }

    /// Whether there is a current session.
    #[must_use]
    pub const fn has_current(&self) -> bool {
        self.current.is_some()
    }

    /// How many archived sessions there are, at most 40.
    #[must_use]
    pub fn archived_count(&self) -> usize {
        self.archived.len()
    }

    /// The current session's version, 3 or 4.
    #[must_use]
    pub fn session_version(&self) -> Option<u8> {
        self.current_state().map(State::version)
    }

    /// The current session's base key: its practical identifier, equal on both sides (spec 03 §6).
    #[must_use]
    pub fn base_key(&self) -> Option<&PublicKey> {
        self.current_state().map(|state| &state.base_key)
    }

    /// The peer's identity key in the current session.
    #[must_use]
    pub fn remote_identity(&self) -> Option<&IdentityKey> {
        self.current_state().map(|state| &state.remote_identity)
    }

    /// The peer's registration id in the current session.
    #[must_use]
    pub fn remote_registration_id(&self) -> Option<u32> {
        self.current_state().map(|state| state.remote_registration_id)
    }

    /// Our registration id in the current session.
    #[must_use]
    pub fn local_registration_id(&self) -> Option<u32> {
        self.current_state().map(|state| state.local_registration_id)
    }

    /// Whether the peer has not answered the current session yet: it sends pre-key messages.
    #[must_use]
    pub fn is_unacknowledged(&self) -> bool {
        self.current_state().is_some_and(|state| state.pending.is_some())
    }

    /// Whether the current session can send and meets `requirements` at `now` (spec 04 §7.1). Without
    /// requirements staleness is ignored; encrypting enforces it regardless.
    #[must_use]
    pub fn is_usable(&self, requirements: Requirements, now: Timestamp) -> bool {
        self.current_state().is_some_and(|state| {
            state.ratchet.sender.is_some()
                && (!requirements.not_stale || !state.is_stale(now))
                && (!requirements.pqxdh || state.version() > 3)
                && (!requirements.spqr || state.runs_spqr())
        })
    }

    /// Whether `key` is the current session's own **sending** ratchet key (spec 04 §7.1): what a
    /// decryption error names.
    #[must_use]
    pub fn current_ratchet_key_matches(&self, key: &PublicKey) -> bool {
        self.current_state()
            .and_then(|state| state.ratchet.ratchet_key().ok())
            .is_some_and(|ours| ours == key)
    }

    /// Archives the current session (spec 04 §7): its pending pre-key data is dropped, and beyond 40
    /// the oldest archived session as well. Without a current session, nothing happens.
    ///
    /// Encrypting then fails with [`Error::SessionNotFound`]; messages of archived sessions still
    /// decrypt.
    pub fn archive_current(&mut self) {
        let Some(mut slot) = self.current.take() else { return };
        if let Some(state) = slot.usable_mut() {
            state.pending = None;
        }
        self.archived.truncate(ARCHIVED_STATES_MAX.saturating_sub(1));
        self.archived.push_front(Archived::unsaved(slot));
        self.stored.0.replace_current();
    }

    /// Forgets the sessions that cannot be read, current or archived, and returns how many: they match no
    /// message, and an archived one stands in the way of new pre-key messages (spec 03 §5.3 step 3).
    pub fn discard_unusable(&mut self) -> usize {
        let before = self.archived.len();
        self.archived.retain(|archived| archived.slot.usable().is_some());
        let mut discarded = before.saturating_sub(self.archived.len());
        if self.current.as_ref().is_some_and(|slot| slot.usable().is_none()) {
            self.current = None;
            self.stored.0.replace_current();
            discarded = discarded.saturating_add(1);
        }
        if discarded > 0 {
            self.stored.0.note_change();
        }
        discarded
    }

    /// Makes `state` current and archives what was (spec 04 §7).
    fn promote(&mut self, state: State) {
        self.archive_current();
        self.current = Some(Slot::Usable(Box::new(state)));
        self.stored.0.replace_current();
    }

    /// Makes the archived session at `index` current and archives what was.
    fn promote_archived(&mut self, index: usize) {
        if let Some(archived) = self.archived.remove(index) {
            self.archive_current();
            self.current = Some(archived.slot);
            self.stored.0.replace_current();
        }
    }

    /// Whether a pre-key message belongs to a session that exists: then it needs no pre-keys
    /// (spec 03 §5.3 step 3).
    ///
    /// # Errors
    ///
    /// [`Error::InvalidSession`] when a corrupt archived session is met before a match.
    pub fn has_session_of(&self, message: &PreKeySignalMessage<'_>) -> Result<bool, Error> {
        self.find_session_of(message).map(|found| found.is_some())
    }

    fn find_session_of(&self, message: &PreKeySignalMessage<'_>) -> Result<Option<At>, Error> {
        // same version as the outer nibble, and a base key byte-equal to the message's
        let matches = |state: &State| {
            state.version() == message.version() && state.base_key == *message.base_key()
        };
        if self.current_state().is_some_and(matches) {
            return Ok(Some(At::Current));
        }
        for (index, slot) in self.archived_slots().enumerate() {
            if matches(slot.usable().ok_or(Error::InvalidSession)?) {
                return Ok(Some(At::Archived(index)));
            }
        }
        Ok(None)
    }
}
