//! Where a device's records live: in memory, in SQLite, or wherever the program's callbacks put them.

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::ffi::c_void;

use sandi::store::{Expected, Write};
use sandi::{Changes, CommitError, MemoryStore, Record, RecordKey, Store};
use zeroize::Zeroizing;

use crate::guard;
use crate::input::{self, Output};
use crate::status::SandiStatus;
use crate::sync::{Guard, Lock};
use crate::table::{self, Kind, Object, SandiSink, SandiStore};

/// A callback's success.
pub const SANDI_STORE_OK: i32 = 0;
/// A commit's refusal: a record is not at the expected revision. Nothing was written.
pub const SANDI_STORE_CONFLICT: i32 = 1;

/// Nothing is written; the change only states an expectation.
pub const SANDI_WRITE_KEEP: u32 = 0;
/// The record is replaced, or created.
pub const SANDI_WRITE_PUT: u32 = 1;
/// The record is removed.
pub const SANDI_WRITE_DELETE: u32 = 2;

/// What is expected of a record, and what becomes of it.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct SandiChange {
    /// The record's key.
    pub key: *const u8,
    /// Its length in bytes.
    pub key_len: usize,
    /// The revision that the stored record must have; 0: there must be no record.
    pub expected_revision: u64,
    /// `SANDI_WRITE_KEEP`, `SANDI_WRITE_PUT` or `SANDI_WRITE_DELETE`.
    pub write: u32,
    /// For a put: the revision that the record will have, 1 to 2^63 - 1.
    pub new_revision: u64,
    /// For a put: the record. A secret.
    pub data: *const u8,
    /// Its length in bytes.
    pub len: usize,
}

/// A store of the program. The callbacks are called by one thread at a time, which may be any that uses a
/// device of the store. They must not throw, jump out, or call the library, but for what is said here.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct SandiStoreCallbacks {
    /// Handed to every callback.
    pub context: *mut c_void,
    /// Looks for the record of a key. If there is one, calls `sandi_record_found` once, with the sink that it
    /// was given. Returns `SANDI_STORE_OK` in both cases, or any other number if it failed.
    pub load: Option<
        unsafe extern "C" fn(
            context: *mut c_void,
            key: *const u8,
            key_len: usize,
            sink: SandiSink,
        ) -> i32,
    >,
    /// Compares every expected revision with the stored one, then writes everything, as a whole and durably;
    /// or writes nothing. Returns `SANDI_STORE_OK`, `SANDI_STORE_CONFLICT` if a revision differs, or any
    /// other number if it failed.
    pub commit: Option<
        unsafe extern "C" fn(
            context: *mut c_void,
            changes: *const SandiChange,
            count: usize,
        ) -> i32,
    >,
    /// Called once, when neither a store nor a device needs the context any more. May be null.
    pub free_context: Option<unsafe extern "C" fn(context: *mut c_void)>,
}

/// Why a store failed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum StoreFailure {
    /// A callback's number, or SQLite's code.
    Code(i32),
    Status(SandiStatus),
}

struct Callbacks(SandiStoreCallbacks);

// SAFETY: the context is the program's, which promises that its callbacks may be called from any thread, one
// at a time. One at a time is what the lock around the store makes sure of.
unsafe impl Send for Callbacks {}

impl Drop for Callbacks {
    fn drop(&mut self) {
        if let Some(free) = self.0.free_context {
            // SAFETY: the program's function, called once, with its context.
            guard::callback(|| unsafe { free(self.0.context) });
        }
    }
}

enum Backend {
    Memory(MemoryStore),
    Callbacks(Callbacks),
    #[cfg(feature = "sqlite")]
    Sqlite(sandi_sqlite::SqliteStore),
}

/// A store that several devices, and the handle, hold together.
#[derive(Clone)]
pub(crate) struct SharedStore(Arc<Lock<Backend>>);

impl Object for SharedStore {
    const KIND: Kind = Kind::Store;
}

impl SharedStore {
    fn lock(&self) -> Result<Guard<'_, Backend>, StoreFailure> {
        self.0.lock().map_err(|failure| StoreFailure::Status(failure.status))
    }
}

impl Store for SharedStore {
    type Error = StoreFailure;

    fn load(&self, key: &RecordKey) -> Result<Option<Record>, StoreFailure> {
        match &*self.lock()? {
            Backend::Memory(store) => store.load(key).map_err(|never| match never {}),
            Backend::Callbacks(callbacks) => callbacks.load(&key.to_bytes()),
            #[cfg(feature = "sqlite")]
            Backend::Sqlite(store) => store.load(key).map_err(|error| sqlite_failure(&error)),
        }
    }

    fn commit(&mut self, changes: &Changes) -> Result<(), CommitError<StoreFailure>> {
        match &mut *self.lock()? {
            Backend::Memory(store) => {
                store.commit(changes).map_err(|e| e.map_store(|never| match never {}))
            }
            Backend::Callbacks(callbacks) => callbacks.commit(changes),
            #[cfg(feature = "sqlite")]
            Backend::Sqlite(store) => {
                store.commit(changes).map_err(|e| e.map_store(|error| sqlite_failure(&error)))
            }
        }
    }
}

/// What a load's callback has given.
struct Found(Option<Record>);

impl Object for Found {
    const KIND: Kind = Kind::Sink;
}

impl Callbacks {
    fn load(&self, key: &[u8]) -> Result<Option<Record>, StoreFailure> {
        let load = self.0.load.ok_or(StoreFailure::Status(SandiStatus::NullPointer))?;
        let status = |failure: guard::Failure| StoreFailure::Status(failure.status);
        let sink = table::insert(Found(None)).map_err(status)?;
        // SAFETY: the program's function, called as its documentation says; `key` lives for the call.
        let result = guard::callback(|| unsafe {
            load(self.0.context, key.as_ptr(), key.len(), SandiSink { id: sink })
        });
        let found = table::get::<Found>(sink).map_err(status)?;
        table::free(Kind::Sink, sink).map_err(status)?;
        match result {
            SANDI_STORE_OK => Ok(found.lock().map_err(status)?.0.take()),
            code => Err(StoreFailure::Code(code)),
        }
    }

    fn commit(&self, changes: &Changes) -> Result<(), CommitError<StoreFailure>> {
        // What an empty `Changes` gives, without asking.
        if changes.is_empty() {
            return Ok(());
        }
        let commit = self.0.commit.ok_or(StoreFailure::Status(SandiStatus::NullPointer))?;
        let keys: Vec<Vec<u8>> = changes.iter().map(|(key, _)| key.to_bytes()).collect();
        let each: Vec<SandiChange> = changes
            .iter()
            .zip(&keys)
            .map(|((_, change), key)| {
                let (write, new_revision, bytes): (_, _, &[u8]) = match change.write() {
                    Write::Put { revision, bytes } => (SANDI_WRITE_PUT, *revision, bytes),
                    Write::Delete => (SANDI_WRITE_DELETE, 0, &[]),
                    Write::Keep => (SANDI_WRITE_KEEP, 0, &[]),
                };
                SandiChange {
                    key: key.as_ptr(),
                    key_len: key.len(),
                    expected_revision: match change.expected() {
                        Expected::Absent => 0,
                        Expected::Revision(revision) => revision,
                    },
                    write,
                    new_revision,
                    data: bytes.as_ptr(),
                    len: bytes.len(),
                }
            })
            .collect();
        // SAFETY: the program's function, called as its documentation says; keys and records live for the call.
        let result =
            guard::callback(|| unsafe { commit(self.0.context, each.as_ptr(), each.len()) });
        match result {
            SANDI_STORE_OK => Ok(()),
            SANDI_STORE_CONFLICT => Err(CommitError::Conflict),
            code => Err(CommitError::Store(StoreFailure::Code(code))),
        }
    }
}

/// For `SandiStoreCallbacks.load`: the record that was found. The bytes are copied.
///
/// Errors: `NullPointer`, `InvalidLength`; `OutOfRange` for a revision that is not 1 to 2^63 - 1; `WrongState` if
/// one was given already; `StaleHandle` after the callback has returned.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sandi_record_found(
    sink: SandiSink,
    revision: u64,
    data: *const u8,
    len: usize,
) -> SandiStatus {
    guard::run_in_callback(|| {
        // SAFETY: the caller's (see the crate's documentation).
        let bytes = unsafe { input::bytes(data, len) }?;
        if !(1..=Changes::LAST_REVISION).contains(&revision) {
            return Err(SandiStatus::OutOfRange.into());
        }
        let found = table::get::<Found>(sink.id)?;
        let mut found = found.lock()?;
        if found.0.is_some() {
            return Err(SandiStatus::WrongState.into());
        }
        found.0 = Some(Record::new(revision, Zeroizing::new(bytes.to_vec())));
        Ok(())
    })
}

fn open(
    out: *mut SandiStore,
    make: impl FnOnce() -> Result<Backend, guard::Failure>,
) -> SandiStatus {
    guard::run(|| {
        // SAFETY: the caller's (see the crate's documentation).
        let out = unsafe { Output::new(out, SandiStore::NONE) }?;
        let store = SharedStore(Arc::new(Lock::new(make()?)));
        out.set(SandiStore { id: table::insert(store)? });
        Ok(())
    })
}

/// Opens a store in memory: for tests, and for devices that live as long as their process.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sandi_store_memory(out: *mut SandiStore) -> SandiStatus {
    open(out, || Ok(Backend::Memory(MemoryStore::new())))
}

/// Opens a store of the program. The struct is copied.
///
/// Errors: `NullPointer`, also where `load` or `commit` is null; the context is not freed then.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sandi_store_callbacks(
    callbacks: *const SandiStoreCallbacks,
    out: *mut SandiStore,
) -> SandiStatus {
    open(out, || {
        // SAFETY: the caller's (see the crate's documentation).
        let callbacks = unsafe { input::value(callbacks) }?;
        if callbacks.load.is_none() || callbacks.commit.is_none() {
            return Err(SandiStatus::NullPointer.into());
        }
        Ok(Backend::Callbacks(Callbacks(*callbacks)))
    })
}

/// Opens the SQLite database at a path (UTF-8), or creates it. Only in a build with SQLite.
///
/// Errors: `StoreFailed`.
#[cfg(feature = "sqlite")]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sandi_store_sqlite(
    path: *const u8,
    path_len: usize,
    out: *mut SandiStore,
) -> SandiStatus {
    open(out, || {
        // SAFETY: the caller's (see the crate's documentation).
        let path = unsafe { input::text(path, path_len) }?;
        let store = sandi_sqlite::SqliteStore::open(path);
        Ok(Backend::Sqlite(store.map_err(|error| sqlite_failure(&error))?))
    })
}

/// SQLite's own result code where there is one, else a negative number for what the store has found.
#[cfg(feature = "sqlite")]
fn sqlite_failure(error: &sandi_sqlite::SqliteError) -> StoreFailure {
    use sandi_sqlite::SqliteError as E;
    StoreFailure::Code(match error {
        E::Busy => 5,          // SQLITE_BUSY
        E::Corrupt => 11,      // SQLITE_CORRUPT
        E::NotADatabase => 26, // SQLITE_NOTADB
        E::NotAStore(_) => -1,
        E::FutureVersion(_) => -2,
        E::NoWriteAheadLog => -3,
        E::InvalidRevision => -4,
        E::Io(error) => {
            error.raw_os_error().map_or(-5, |code| code.saturating_neg().saturating_sub(1000))
        }
        E::Sqlite(error) => error.sqlite_error().map_or(-6, |error| error.extended_code),
        _ => -7,
    })
}

/// Frees a store's handle. Devices that were made of it go on.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sandi_store_free(store: SandiStore) -> SandiStatus {
    guard::run(|| table::free(Kind::Store, store.id))
}
