//! The store: where a device's state lives between two operations.
//!
//! A [`Store`] holds [`Record`]s by [`RecordKey`] and does two things: it loads one record, and it commits
//! a [`Changes`] as a whole or not at all. Every entry of a `Changes` says which revision of its record
//! it was made from; if any of them is no longer the stored one, the commit is refused with
//! [`CommitError::Conflict`] and nothing has changed. Two threads or processes may therefore share a
//! store without locks of their own: one wins, the other loads again and retries.
//!
//! | what | for |
//! |---|---|
//! | [`MemoryStore`] | tests, and devices that live as long as their process |
//! | `sandi-sqlite` | the embedded default on disk |
//! | [`SealedStore`] | any store, with every record sealed under a key of the application |
//! | `conformance` | what every store must pass (feature `store-conformance`) |

mod changes;
#[cfg(feature = "store-conformance")]
pub mod conformance;
mod key;
mod memory;
pub(crate) mod pages;
mod record;
mod sealed;
mod snapshot;

use core::fmt;

pub use changes::{Change, Changes, Expected, Write};
pub use key::RecordKey;
pub use memory::MemoryStore;
pub use record::Record;
pub use sealed::{SealedError, SealedStore};
pub use snapshot::Snapshot;

/// Durable records, committed all or nothing.
///
/// # What an author must guarantee
///
/// 1. **Compare, then write.** A commit first compares every entry's [`Change::expected`] with the stored
///    revision of its record, then carries out every [`Change::write`]. Between the first comparison and
///    the last write no other commit may take effect, of this handle or of any other on the same data.
///    If any comparison fails the answer is [`CommitError::Conflict`], and nothing was written.
/// 2. **All or nothing.** Whatever happens, including a crash of the process and, for a store on disk, a
///    loss of power, either every write of a commit has taken effect or none.
/// 3. **Durable before it returns.** Once `commit` has returned `Ok`, the writes survive everything that
///    the store promises to survive. A store that promises less than a loss of power says so.
/// 4. **Exact.** `load` gives the bytes and the revision of the last [`Write::Put`] that took effect,
///    unchanged, and `None` if there was none or the last write was a [`Write::Delete`]. A record of zero
///    bytes is a record. It sees every commit that had returned before it was called.
/// 5. **Revisions are not the store's.** A `Put` names the revision that its record will have. The store
///    keeps it and invents none. It is between 1 and [`Changes::LAST_REVISION`], so it fits a signed 64-bit
///    column.
///
/// When `commit` returns [`CommitError::Store`], the commit is all or nothing as ever, but which of the two
/// may be unknown (a disk can fail after the fact). The caller then holds on to nothing that it derived
/// from those records, and loads them again.
///
/// Loads are not a snapshot: between two loads another handle may commit. A reader that acts on several
/// records names them all in its commit, those that it only read with [`Changes::require`].
///
/// An implementation is tested by the `conformance` module (feature `store-conformance`).
pub trait Store {
    /// What can go wrong besides a conflict.
    type Error;

    /// The record of `key`, or `None` if there is none.
    ///
    /// # Errors
    ///
    /// The store's own.
    fn load(&self, key: &RecordKey) -> Result<Option<Record>, Self::Error>;

    /// Carries out `changes` as a whole, and makes them durable before it returns. An empty `changes`
    /// succeeds and does nothing.
    ///
    /// # Errors
    ///
    /// [`CommitError::Conflict`] when an expected revision differs: nothing was written.
    /// [`CommitError::Store`] for the store's own: all was written or nothing, load again to know.
    fn commit(&mut self, changes: &Changes) -> Result<(), CommitError<Self::Error>>;
}

/// Why a commit failed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum CommitError<E> {
    /// A record is no longer at the expected revision. Nothing was written: load again and retry.
    Conflict,
    /// The store failed. The writes took effect as a whole or not at all: load again to know.
    Store(E),
}

impl<E> CommitError<E> {
    /// The same with the store's error mapped.
    pub fn map_store<F>(self, map: impl FnOnce(E) -> F) -> CommitError<F> {
        match self {
            Self::Conflict => CommitError::Conflict,
            Self::Store(error) => CommitError::Store(map(error)),
        }
    }
}

impl<E> From<E> for CommitError<E> {
    fn from(error: E) -> Self {
        Self::Store(error)
    }
}

impl<E: fmt::Display> fmt::Display for CommitError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Conflict => f.write_str("record is no longer at the expected revision"),
            Self::Store(error) => error.fmt(f),
        }
    }
}

impl<E: core::error::Error + 'static> core::error::Error for CommitError<E> {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match self {
            Self::Conflict => None,
            Self::Store(error) => Some(error),
        }
    }
}

impl<S: Store + ?Sized> Store for &mut S {
    type Error = S::Error;

    fn load(&self, key: &RecordKey) -> Result<Option<Record>, Self::Error> {
        (**self).load(key)
    }

    fn commit(&mut self, changes: &Changes) -> Result<(), CommitError<Self::Error>> {
        (**self).commit(changes)
    }
}

impl<S: Store + ?Sized> Store for alloc::boxed::Box<S> {
    type Error = S::Error;

    fn load(&self, key: &RecordKey) -> Result<Option<Record>, Self::Error> {
        (**self).load(key)
    }

    fn commit(&mut self, changes: &Changes) -> Result<(), CommitError<Self::Error>> {
        (**self).commit(changes)
    }
}

/// One store for several devices of one thread.
impl<S: Store> Store for alloc::rc::Rc<core::cell::RefCell<S>> {
    type Error = S::Error;

    fn load(&self, key: &RecordKey) -> Result<Option<Record>, Self::Error> {
        self.borrow().load(key)
    }

    fn commit(&mut self, changes: &Changes) -> Result<(), CommitError<Self::Error>> {
        self.borrow_mut().commit(changes)
    }
}

/// One store for several threads. A thread that panicked in a commit does not spoil it for the others:
/// a commit is all or nothing.
#[cfg(feature = "std")]
impl<S: Store> Store for std::sync::Arc<std::sync::Mutex<S>> {
    type Error = S::Error;

    fn load(&self, key: &RecordKey) -> Result<Option<Record>, Self::Error> {
        self.lock().unwrap_or_else(std::sync::PoisonError::into_inner).load(key)
    }

    fn commit(&mut self, changes: &Changes) -> Result<(), CommitError<Self::Error>> {
        self.lock().unwrap_or_else(std::sync::PoisonError::into_inner).commit(changes)
    }
}
