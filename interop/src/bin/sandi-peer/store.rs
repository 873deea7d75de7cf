//! Where parties live: in memory, or each in a SQLite file of its own.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use sandi::{Changes, CommitError, MemoryStore, Record, RecordKey, Store};
use sandi_sqlite::{SqliteError, SqliteStore};

/// What `--store` says.
pub(crate) enum Home {
    /// Parties end with the process.
    Memory,
    /// `sqlite:PATH`: a party lives in `PATH-<handle>.db` until it is deleted, whatever becomes of the
    /// process.
    Sqlite(PathBuf),
}

/// The store of one party.
pub(crate) enum PartyStore {
    Memory(MemoryStore),
    Sqlite(SqliteStore),
}

const SUFFIX: &str = ".db";

impl Home {
    /// Reads `sqlite:PATH`.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let path = text.strip_prefix("sqlite:")?;
        (!path.is_empty()).then(|| Self::Sqlite(path.into()))
    }

    /// An empty store for a party. What a party of that handle had before is gone.
    pub(crate) fn fresh(&self, handle: &str) -> Result<PartyStore, SqliteError> {
        self.remove(handle)?;
        Ok(match self {
            Self::Memory => PartyStore::Memory(MemoryStore::new()),
            Self::Sqlite(path) => PartyStore::Sqlite(SqliteStore::open(file(path, handle))?),
        })
    }

    /// A copy of all that `store` has committed, for a party of the handle `to`.
    pub(crate) fn copy(&self, store: &PartyStore, to: &str) -> Result<PartyStore, SqliteError> {
        match (self, store) {
            (Self::Sqlite(path), PartyStore::Sqlite(store)) => {
                self.remove(to)?;
                let target = file(path, to);
                // SQLite's own means; it reads the log too
                let name = target.to_str().ok_or_else(|| io::Error::other("a path in UTF-8"));
                store.connection().execute("VACUUM INTO ?1", [name.map_err(SqliteError::Io)?])?;
                Ok(PartyStore::Sqlite(SqliteStore::open(target)?))
            }
            (_, PartyStore::Memory(store)) => Ok(PartyStore::Memory(store.snapshot())),
            (Self::Memory, PartyStore::Sqlite(_)) => {
                Err(SqliteError::Io(io::Error::other("a party outside of its home")))
            }
        }
    }

    /// Removes what there is of a party, whose store is closed.
    pub(crate) fn remove(&self, handle: &str) -> Result<(), SqliteError> {
        let Self::Sqlite(path) = self else { return Ok(()) };
        for part in ["", "-wal", "-shm"] {
            let mut name = file(path, handle).into_os_string();
            name.push(part);
            match fs::remove_file(name) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    return Err(SqliteError::Io(error));
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// The parties that an earlier process has left, by their handles.
    pub(crate) fn residents(&self) -> Result<Vec<(String, PartyStore)>, SqliteError> {
        let Self::Sqlite(path) = self else { return Ok(Vec::new()) };
        let folder = path.parent().filter(|folder| *folder != Path::new(""));
        let mut found = Vec::new();
        for entry in fs::read_dir(folder.unwrap_or(Path::new("."))).map_err(SqliteError::Io)? {
            let name = entry.map_err(SqliteError::Io)?.file_name();
            let prefix = path.file_name().unwrap_or_default().to_string_lossy();
            let handle = name
                .to_str()
                .and_then(|name| name.strip_prefix(&*prefix)?.strip_prefix('-'))
                .and_then(|name| unescape(name.strip_suffix(SUFFIX)?));
            if let Some(handle) = handle {
                let store = SqliteStore::open(file(path, &handle))?;
                found.push((handle, PartyStore::Sqlite(store)));
            }
        }
        Ok(found)
    }
}

/// `PATH-<handle>.db`.
fn file(path: &Path, handle: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(format!("-{}{SUFFIX}", escape(handle)));
    name.into()
}

/// A handle as part of a file's name: every byte but letters, digits, `-`, `_` and `.` as `%XX`.
fn escape(handle: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    let show = |byte| if plain(byte) { char::from(byte).into() } else { format!("%{byte:02X}") };
    handle.bytes().map(show).collect()
}

fn unescape(name: &str) -> Option<String> {
    let mut parts = name.split('%');
    let mut bytes = parts.next()?.as_bytes().to_vec();
    for part in parts {
        bytes.push(u8::from_str_radix(part.get(..2)?, 16).ok()?);
        bytes.extend_from_slice(part.get(2..)?.as_bytes());
    }
    String::from_utf8(bytes).ok()
}

impl PartyStore {
    /// The names of all records, in their order.
    pub(crate) fn keys(&self) -> Result<Vec<RecordKey>, SqliteError> {
        let store = match self {
            Self::Memory(store) => return Ok(store.iter().map(|(key, _)| key.clone()).collect()),
            Self::Sqlite(store) => store,
        };
        let mut statement = store.connection().prepare_cached("SELECT key FROM record")?;
        let mut rows = statement.query([])?;
        let mut keys = Vec::new();
        while let Some(row) = rows.next()? {
            let bytes: Vec<u8> = row.get(0)?;
            keys.push(RecordKey::from_bytes(&bytes).map_err(|_| SqliteError::Corrupt)?);
        }
        keys.sort_unstable();
        Ok(keys)
    }
}

impl Store for PartyStore {
    type Error = SqliteError;

    fn load(&self, key: &RecordKey) -> Result<Option<Record>, SqliteError> {
        match self {
            Self::Memory(store) => store.load(key).map_err(|never| match never {}),
            Self::Sqlite(store) => store.load(key),
        }
    }

    fn commit(&mut self, changes: &Changes) -> Result<(), CommitError<SqliteError>> {
        match self {
            Self::Memory(store) => store.commit(changes).map_err(|error| match error {
                CommitError::Store(never) => match never {},
                CommitError::Conflict => CommitError::Conflict,
            }),
            Self::Sqlite(store) => store.commit(changes),
        }
    }
}
