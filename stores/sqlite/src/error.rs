//! What can go wrong.

use std::fmt;

use rusqlite::ErrorCode;

/// Why an operation on a [`SqliteStore`](crate::SqliteStore) failed. None holds bytes or keys of records.
#[derive(Debug)]
#[non_exhaustive]
pub enum SqliteError {
    /// The file is no SQLite database.
    NotADatabase,
    /// The file is a database, but of another application; the value is its `application_id`, 0 for none.
    NotAStore(i32),
    /// The file was written by a later release of this crate; the value is its schema version.
    FutureVersion(u32),
    /// The database, or a row of it, is damaged.
    Corrupt,
    /// Another handle held the file for longer than [`Options::busy_timeout`](crate::Options::busy_timeout). Nothing was
    /// written; try again.
    Busy,
    /// The write-ahead log cannot be used here: the path names no plain file, or lies on a file system without
    /// shared memory (some network file systems).
    NoWriteAheadLog,
    /// A change puts a record at a revision that is 0 or above
    /// [`Changes::LAST_REVISION`](sandi::Changes::LAST_REVISION).
    InvalidRevision,
    /// The path cannot be read, or the new file's permissions cannot be set.
    Io(std::io::Error),
    /// Anything else that SQLite reports: a full disk, a read-only file, a failing device.
    Sqlite(rusqlite::Error),
}

impl From<rusqlite::Error> for SqliteError {
    fn from(error: rusqlite::Error) -> Self {
        use rusqlite::Error as E;
        match error.sqlite_error_code() {
            Some(ErrorCode::NotADatabase) => return Self::NotADatabase,
            Some(ErrorCode::DatabaseCorrupt) => return Self::Corrupt,
            Some(
                ErrorCode::DatabaseBusy
                | ErrorCode::DatabaseLocked
                // What a reader of the log gets after long contention.
                | ErrorCode::FileLockingProtocolFailed,
            ) => return Self::Busy,
            _ => {}
        }
        match error {
            // A row that the schema does not allow.
            E::FromSqlConversionFailure(..)
            | E::IntegralValueOutOfRange(..)
            | E::InvalidColumnType(..)
            | E::Utf8Error(..) => Self::Corrupt,
            other => Self::Sqlite(other),
        }
    }
}

impl fmt::Display for SqliteError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotADatabase => f.write_str("the file is no SQLite database"),
            Self::NotAStore(0) => f.write_str(
                "the database belongs to another application (without an application id)",
            ),
            Self::NotAStore(id) => {
                write!(f, "the database belongs to another application (application id {id:#010x})")
            }
            Self::FutureVersion(version) => {
                write!(f, "schema version {version} is of a later release of sandi-sqlite")
            }
            Self::Corrupt => f.write_str("the database is damaged"),
            Self::Busy => {
                f.write_str("another handle held the database for longer than the timeout")
            }
            Self::NoWriteAheadLog => {
                f.write_str("no write-ahead log can be used at this path: store it on a local disk")
            }
            Self::InvalidRevision => f.write_str("a record's new revision is 0 or out of range"),
            Self::Io(error) => error.fmt(f),
            Self::Sqlite(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for SqliteError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Io(error) => Some(error),
            Self::Sqlite(error) => Some(error),
            _ => None,
        }
    }
}
