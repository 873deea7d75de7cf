//! A store that fails on purpose.

use alloc::collections::BTreeMap;
use core::cell::{Cell, RefCell};
use core::fmt;

use crate::store::{Changes, CommitError, Record, RecordKey, Store};

/// Which of the two operations.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Operation {
    /// [`Store::load`].
    Load,
    /// [`Store::commit`].
    Commit,
}

/// What goes wrong.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fault {
    /// The operation fails and nothing was done; the store goes on afterwards.
    FailBefore,
    /// The operation is done, but reported as failed; the store goes on afterwards.
    FailAfter,
    /// The process dies before the operation is done.
    CrashBefore,
    /// The process dies after the operation was done, before the caller learns of it.
    CrashAfter,
    /// Another handle was faster: a commit is refused with [`CommitError::Conflict`], and nothing was done. For a load the
    /// same as [`FailBefore`](Self::FailBefore).
    Conflict,
}

impl Fault {
    /// Every fault, to be tried at every operation.
    pub const ALL: [Self; 5] =
        [Self::FailBefore, Self::FailAfter, Self::CrashBefore, Self::CrashAfter, Self::Conflict];
}

/// Why an operation of a [`FaultStore`] failed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum FaultError<E> {
    /// On purpose.
    Injected,
    /// On purpose, now or at an earlier operation: to the caller the process is dead. Take the inner store
    /// and start again from there.
    Crashed,
    /// The inner store failed.
    Store(E),
}

impl<E: fmt::Display> fmt::Display for FaultError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Injected => f.write_str("injected failure"),
            Self::Crashed => f.write_str("injected crash"),
            Self::Store(error) => error.fmt(f),
        }
    }
}

impl<E: fmt::Debug + fmt::Display> core::error::Error for FaultError<E> {}

/// Passes everything on to `S`, except at operations where a fault was planned.
///
/// A crash is simulated: the operation gives [`FaultError::Crashed`], and so does every one after it, so that
/// nothing that the caller does afterwards reaches the inner store.
#[derive(Debug)]
pub struct FaultStore<S> {
    inner: S,
    loads: Cell<u64>,
    commits: Cell<u64>,
    plan: RefCell<BTreeMap<(Operation, u64), Fault>>,
    crashed: Cell<bool>,
}

impl<S> FaultStore<S> {
    /// No fault planned yet.
    #[must_use]
    pub const fn new(inner: S) -> Self {
        Self {
            inner,
            loads: Cell::new(0),
            commits: Cell::new(0),
            plan: RefCell::new(BTreeMap::new()),
            crashed: Cell::new(false),
        }
    }

    /// Plans a fault for the `nth` operation of its kind from now on; 0 is the next one.
    pub fn inject(&self, operation: Operation, nth: u64, fault: Fault) {
        let at = self.count(operation).get().saturating_add(nth);
        self.plan.borrow_mut().insert((operation, at), fault);
    }

    /// Forgets all faults that were planned and have not come to pass.
    pub fn clear(&self) {
        self.plan.borrow_mut().clear();
    }

    /// How many loads were asked for.
    #[must_use]
    pub fn loads(&self) -> u64 {
        self.loads.get()
    }

    /// How many commits were asked for.
    #[must_use]
    pub fn commits(&self) -> u64 {
        self.commits.get()
    }

    /// Whether a planned crash has come to pass.
    #[must_use]
    pub fn has_crashed(&self) -> bool {
        self.crashed.get()
    }

    /// The inner store.
    pub const fn inner(&self) -> &S {
        &self.inner
    }

    /// The inner store, past all faults.
    pub const fn inner_mut(&mut self) -> &mut S {
        &mut self.inner
    }

    /// What survives a crash.
    #[must_use]
    pub fn into_inner(self) -> S {
        self.inner
    }

    const fn count(&self, operation: Operation) -> &Cell<u64> {
        match operation {
            Operation::Load => &self.loads,
            Operation::Commit => &self.commits,
        }
    }

    /// Counts an operation, and tells what is planned for it.
    fn next<E>(&self, operation: Operation) -> Result<Option<Fault>, FaultError<E>> {
        if self.crashed.get() {
            return Err(FaultError::Crashed);
        }
        let count = self.count(operation);
        let fault = self.plan.borrow_mut().remove(&(operation, count.get()));
        count.set(count.get().saturating_add(1));
        if let Some(Fault::CrashBefore | Fault::CrashAfter) = fault {
            self.crashed.set(true);
        }
        Ok(fault)
    }
}

impl<S: Store> Store for FaultStore<S> {
    type Error = FaultError<S::Error>;

    fn load(&self, key: &RecordKey) -> Result<Option<Record>, Self::Error> {
        match self.next(Operation::Load)? {
            None => self.inner.load(key).map_err(FaultError::Store),
            // A load changes nothing: before and after are the same.
            Some(Fault::FailBefore | Fault::FailAfter | Fault::Conflict) => {
                Err(FaultError::Injected)
            }
            Some(Fault::CrashBefore | Fault::CrashAfter) => Err(FaultError::Crashed),
        }
    }

    fn commit(&mut self, changes: &Changes) -> Result<(), CommitError<Self::Error>> {
        let fault = self.next(Operation::Commit)?;
        if let None | Some(Fault::FailAfter | Fault::CrashAfter) = fault {
            self.inner.commit(changes).map_err(|error| error.map_store(FaultError::Store))?;
        }
        match fault {
            None => Ok(()),
            Some(Fault::Conflict) => Err(CommitError::Conflict),
            Some(Fault::FailBefore | Fault::FailAfter) => Err(FaultError::Injected.into()),
            Some(Fault::CrashBefore | Fault::CrashAfter) => Err(FaultError::Crashed.into()),
        }
    }
}
