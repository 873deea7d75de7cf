//! The store.

use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags, OptionalExtension, Transaction, TransactionBehavior};
use sandi::store::{Change, Expected, Write};
use sandi::{Changes, CommitError, Record, RecordKey, Store};
use zeroize::Zeroizing;

use crate::error::SqliteError;
use crate::schema;

/// What a commit that has returned survives. A crash of the process it always survives.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[non_exhaustive]
pub enum Durability {
    /// A loss of power. The log is synced to disk in every commit (`synchronous = FULL`).
    #[default]
    Full,
    /// A loss of power may undo the last commits; what is left is whole. Message keys that these commits
    /// had spent are then **used again** for other messages: only for those who can rule that out
    /// (`synchronous = NORMAL`).
    Normal,
    /// A loss of power may undo the last commits or damage the file. For tests, and for data
    /// that can be made again (`synchronous = OFF`).
    Off,
}

/// How to open a store.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    durability: Durability,
    busy_timeout: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self { durability: Durability::Full, busy_timeout: Duration::from_secs(10) }
    }
}

impl Options {
    /// [`Durability::Full`] and a busy timeout of 10 seconds.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// What a commit survives.
    #[must_use]
    pub const fn durability(mut self, durability: Durability) -> Self {
        self.durability = durability;
        self
    }

    /// How long to wait for other handles before [`SqliteError::Busy`]. Readers do not wait for writers; opening and
    /// committing wait for the commits of others, one after the other and without a queue, so allow many times the
    /// longest commit.
    #[must_use]
    pub const fn busy_timeout(mut self, timeout: Duration) -> Self {
        self.busy_timeout = timeout;
        self
    }
}

/// A [`Store`] in one SQLite file (and, beside it, its `-wal` and `-shm`).
///
/// Threads and processes share a file by opening it once each; a handle can move between threads. It must
/// not be carried over a `fork`. Copy the file of an open store only with SQLite's own means, and never go on
/// from two copies, nor from an old one (a backup that was put back): both would use message keys twice.
///
/// Damage that SQLite can see is [`SqliteError::Corrupt`]. A flipped bit inside a record it cannot see:
/// [`SealedStore`](sandi::SealedStore) does.
#[derive(Debug)]
pub struct SqliteStore {
    connection: Connection,
}

impl SqliteStore {
    /// Opens a file with the default [`Options`], or creates it, readable by its owner only where the system has
    /// such a notion.
    ///
    /// # Errors
    ///
    /// [`SqliteError`]: not a store, of a later release, corrupt, or no access.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, SqliteError> {
        Self::open_with(path, Options::new())
    }

    /// The same with other options.
    ///
    /// # Errors
    ///
    /// As [`open`](Self::open).
    pub fn open_with(path: impl AsRef<Path>, options: Options) -> Result<Self, SqliteError> {
        let path = path.as_ref();
        let is_new = !path.try_exists().map_err(SqliteError::Io)?;
        // Neither URIs nor a lock of SQLite's own: a handle is used by one thread at a time.
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
            | OpenFlags::SQLITE_OPEN_CREATE
            | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(path, flags)?;
        if is_new {
            restrict(path).map_err(SqliteError::Io)?;
        }
        connection.busy_timeout(options.busy_timeout)?;
        // Before anything is written: a file of another application, or of a later release, stays as it is.
        schema::is_current(&connection, &schema::STEPS)?;
        start_log(&connection, options.busy_timeout)?;
        Self::set_up(connection, options)
    }

    /// An empty store in memory, which lives as long as the handle.
    ///
    /// # Errors
    ///
    /// SQLite's own.
    pub fn open_in_memory() -> Result<Self, SqliteError> {
        Self::set_up(Connection::open_in_memory()?, Options::new())
    }

    fn set_up(mut connection: Connection, options: Options) -> Result<Self, SqliteError> {
        let synchronous = match options.durability {
            Durability::Full => "FULL",
            Durability::Normal => "NORMAL",
            Durability::Off => "OFF",
        };
        connection.pragma_update(None, "synchronous", synchronous)?;
        // Only macOS heeds this: there, fsync alone leaves data in the drive's cache.
        connection.pragma_update(None, "fullfsync", options.durability == Durability::Full)?;
        // A log that a large commit has stretched is cut to 4 MiB when it is next begun anew.
        connection.pragma_update(None, "journal_size_limit", 4 << 20)?;
        // Overwrite what is deleted, keep sorters out of temporary files, distrust the file.
        connection.pragma_update(None, "secure_delete", true)?;
        connection.pragma_update(None, "temp_store", "MEMORY")?;
        connection.pragma_update(None, "trusted_schema", false)?;
        connection.pragma_update(None, "cell_size_check", true)?;
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true)?;
        schema::migrate(&mut connection, &schema::STEPS)?;
        Ok(Self { connection })
    }

    /// Commits `changes` and, in the same transaction, whatever `work` does to the application's own tables: a
    /// message and the ratchet that decrypted it become durable together. `work` runs after the changes were
    /// found to be free of conflict. It must leave the table `record` alone, and must not end the transaction. While it
    /// runs, every other writer waits.
    ///
    /// Under a [`SealedStore`](sandi::SealedStore), give its [`seal_changes`](sandi::SealedStore::seal_changes) to the
    /// `commit_with` of its [`inner_mut`](sandi::SealedStore::inner_mut).
    ///
    /// # Errors
    ///
    /// As [`Store::commit`], and the error of `work`, as [`SqliteError`]; nothing is written then.
    pub fn commit_with<T>(
        &mut self,
        changes: &Changes,
        work: impl FnOnce(&Transaction<'_>) -> rusqlite::Result<T>,
    ) -> Result<T, CommitError<SqliteError>> {
        // IMMEDIATE takes the write lock first, so that what is compared cannot change before it is written.
        // Dropped without a commit, a transaction is rolled back.
        let transaction = self
            .connection
            .transaction_with_behavior(TransactionBehavior::Immediate)
            .map_err(SqliteError::from)?;
        for (key, change) in changes.iter() {
            if !apply(&transaction, key, change)? {
                return Err(CommitError::Conflict);
            }
        }
        let value = work(&transaction).map_err(SqliteError::from)?;
        transaction.commit().map_err(SqliteError::from)?;
        Ok(value)
    }

    /// The connection, for the application's own tables in the same file. Their schema, and its versions, are the
    /// application's: `user_version` and `application_id` are taken. Settings that weaken
    /// durability weaken the store's.
    pub const fn connection(&self) -> &Connection {
        &self.connection
    }

    /// Moves the log into the file and cuts it off, so that earlier versions of records do not stay in it. Costs a
    /// few syncs.
    ///
    /// # Errors
    ///
    /// [`SqliteError::Busy`] while another handle reads or writes; or SQLite's own.
    pub fn truncate_log(&self) -> Result<(), SqliteError> {
        let is_busy: bool =
            self.connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0))?;
        if is_busy { Err(SqliteError::Busy) } else { Ok(()) }
    }

    /// Reads the whole file and checks its structure.
    ///
    /// # Errors
    ///
    /// [`SqliteError::Corrupt`] if anything is wrong; or SQLite's own.
    pub fn verify(&self) -> Result<(), SqliteError> {
        let verdict: String =
            self.connection.query_row("PRAGMA integrity_check(1)", [], |row| row.get(0))?;
        if verdict == "ok" { Ok(()) } else { Err(SqliteError::Corrupt) }
    }

    /// The number of records.
    ///
    /// # Errors
    ///
    /// SQLite's own.
    pub fn count(&self) -> Result<u64, SqliteError> {
        let count: i64 =
            self.connection.query_row("SELECT count(*) FROM record", [], |row| row.get(0))?;
        u64::try_from(count).map_err(|_| SqliteError::Corrupt)
    }
}

impl Store for SqliteStore {
    type Error = SqliteError;

    fn load(&self, key: &RecordKey) -> Result<Option<Record>, SqliteError> {
        let mut statement = self.connection.prepare_cached(LOAD)?;
        let row = statement
            .query_row((key.to_bytes(),), |row| {
                let revision: i64 = row.get(0)?;
                // Copied once, into a buffer that is wiped.
                let bytes =
                    row.get_ref(1)?.as_blob().map(|bytes| Zeroizing::new(bytes.to_vec()))?;
                Ok((revision, bytes))
            })
            .optional()?;
        match row {
            None => Ok(None),
            Some((revision, bytes)) => {
                let revision = u64::try_from(revision).map_err(|_| SqliteError::Corrupt)?;
                Ok(Some(Record::new(revision, bytes)))
            }
        }
    }

    fn commit(&mut self, changes: &Changes) -> Result<(), CommitError<SqliteError>> {
        if changes.is_empty() {
            return Ok(());
        }
        self.commit_with(changes, |_| Ok(()))
    }
}

const LOAD: &str = "SELECT revision, bytes FROM record WHERE key = ?1";
const REVISION: &str = "SELECT revision FROM record WHERE key = ?1";
const CREATE: &str = "INSERT INTO record VALUES (?1, ?2, ?3) ON CONFLICT (key) DO NOTHING";
const UPDATE: &str = "UPDATE record SET revision = ?2, bytes = ?3 WHERE key = ?1 AND revision = ?4";
const DELETE: &str = "DELETE FROM record WHERE key = ?1 AND revision = ?2";

/// Compares and writes one entry in one statement; `false` if the expectation is not met.
fn apply(
    transaction: &Transaction<'_>,
    key: &RecordKey,
    change: &Change,
) -> Result<bool, SqliteError> {
    let key = key.to_bytes();
    let expected = match change.expected() {
        Expected::Absent => None,
        Expected::Revision(revision) => match i64::try_from(revision) {
            Ok(revision) => Some(revision),
            // No record has such a revision.
            Err(_) => return Ok(false),
        },
    };
    let rows =
        match (expected, change.write()) {
            (None, Write::Put { revision, bytes }) => transaction
                .prepare_cached(CREATE)?
                .execute((key, column(*revision)?, bytes.as_slice()))?,
            (Some(expected), Write::Put { revision, bytes }) => transaction
                .prepare_cached(UPDATE)?
                .execute((key, column(*revision)?, bytes.as_slice(), expected))?,
            (Some(expected), Write::Delete) => {
                transaction.prepare_cached(DELETE)?.execute((key, expected))?
            }
            // A deletion of what is expected to be absent has nothing to do.
            (expected, Write::Keep | Write::Delete) => {
                let stored: Option<i64> = transaction
                    .prepare_cached(REVISION)?
                    .query_row((key,), |row| row.get(0))
                    .optional()?;
                usize::from(stored == expected)
            }
        };
    Ok(rows == 1)
}

/// A revision as a column holds it: 1 to 2^63 - 1.
fn column(revision: u64) -> Result<i64, SqliteError> {
    match i64::try_from(revision) {
        Ok(revision) if revision > 0 => Ok(revision),
        _ => Err(SqliteError::InvalidRevision),
    }
}

/// Lets only the owner read the file, while it is still empty; SQLite gives its log the same permissions. By name:
/// opening and closing the file here would drop the locks that this process has on it.
#[cfg(unix)]
fn restrict(path: &Path) -> std::io::Result<()> {
    let permissions = std::os::unix::fs::PermissionsExt::from_mode(0o600);
    std::fs::set_permissions(path, permissions)
}

#[cfg(not(unix))]
const fn restrict(_path: &Path) -> std::io::Result<()> {
    Ok(())
}

/// Turns the write-ahead log on. While another handle does the same, SQLite does not always wait by itself.
fn start_log(connection: &Connection, timeout: Duration) -> Result<(), SqliteError> {
    let start = Instant::now();
    loop {
        let mode = connection
            .pragma_update_and_check(None, "journal_mode", "WAL", |row| row.get::<_, String>(0))
            .map_err(SqliteError::from);
        match mode {
            Ok(mode) if mode.eq_ignore_ascii_case("wal") => return Ok(()),
            Ok(_) => return Err(SqliteError::NoWriteAheadLog),
            Err(SqliteError::Busy) if start.elapsed() < timeout => {
                thread::sleep(Duration::from_millis(2));
            }
            Err(error) => return Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What one load or one entry of a commit costs must not depend on how many records there are.
    #[test]
    fn every_statement_finds_its_record_by_the_index() {
        let store = SqliteStore::open_in_memory().unwrap();
        for statement in [LOAD, REVISION, UPDATE, DELETE] {
            let mut plan =
                store.connection.prepare(&format!("EXPLAIN QUERY PLAN {statement}")).unwrap();
            let mut rows = plan.raw_query();
            let row = rows.next().unwrap().unwrap();
            let detail: String = row.get("detail").unwrap();
            assert_eq!(detail, "SEARCH record USING INDEX sqlite_autoindex_record_1 (key=?)");
            assert!(rows.next().unwrap().is_none(), "{statement}");
        }
    }
}
