//! Accounts in an SQLite file.

use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, OptionalExtension, Row, TransactionBehavior};
use zeroize::Zeroizing;

use crate::{Account, VaultRecord, VaultStore};

const SCHEMA: &str = "
    CREATE TABLE IF NOT EXISTS setup (id INTEGER PRIMARY KEY CHECK (id = 1), bytes BLOB NOT NULL) STRICT;
    CREATE TABLE IF NOT EXISTS account (
        name TEXT PRIMARY KEY,
        attempts_left INTEGER NOT NULL,
        reopened INTEGER NOT NULL,
        registrations INTEGER NOT NULL,
        credential BLOB NOT NULL,
        opaque BLOB,
        wrapped BLOB
    ) STRICT, WITHOUT ROWID;";

/// Accounts in an SQLite file, which several processes may share. A commit survives a loss of power; what is
/// deleted is overwritten, as far as file system and disk let it be.
pub struct SqliteVaultStore(Connection);

impl SqliteVaultStore {
    /// Opens or creates the file.
    ///
    /// # Errors
    ///
    /// Those of SQLite.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, rusqlite::Error> {
        let connection = Connection::open(path)?;
        connection.busy_timeout(Duration::from_secs(30))?;
        // No write-ahead log: it would keep deleted records until it is overwritten.
        connection.query_row("PRAGMA journal_mode = TRUNCATE", [], |_| Ok(()))?;
        connection.execute_batch("PRAGMA synchronous = EXTRA; PRAGMA secure_delete = ON;")?;
        connection.execute_batch(SCHEMA)?;
        Ok(Self(connection))
    }
}

fn account(row: &Row<'_>) -> Result<Account, rusqlite::Error> {
    let (opaque, wrapped): (Option<Vec<u8>>, Option<Vec<u8>>) = (row.get(4)?, row.get(5)?);
    Ok(Account {
        attempts_left: row.get(0)?,
        reopened: row.get(1)?,
        registrations: row.get(2)?,
        credential: row.get(3)?,
        record: opaque.zip(wrapped).map(|(opaque, wrapped)| VaultRecord { opaque, wrapped }),
    })
}

impl VaultStore for SqliteVaultStore {
    type Error = rusqlite::Error;

    fn setup(
        &mut self,
        new: impl FnOnce() -> Zeroizing<Vec<u8>>,
    ) -> Result<Zeroizing<Vec<u8>>, Self::Error> {
        let transaction = self.0.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let stored: Option<Vec<u8>> =
            transaction.query_row("SELECT bytes FROM setup", [], |row| row.get(0)).optional()?;
        let setup = match stored {
            Some(setup) => Zeroizing::new(setup),
            None => {
                let setup = new();
                transaction.execute("INSERT INTO setup VALUES (1, ?1)", [setup.as_slice()])?;
                setup
            }
        };
        transaction.commit()?;
        Ok(setup)
    }

    fn update<T>(
        &mut self,
        name: &str,
        change: impl FnOnce(&mut Option<Account>) -> T,
    ) -> Result<T, Self::Error> {
        // Immediate: nobody else reads the count before this one is written.
        let transaction = self.0.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let select = "SELECT attempts_left, reopened, registrations, credential, opaque, wrapped
                      FROM account WHERE name = ?1";
        let mut entry = transaction.query_row(select, [name], account).optional()?;
        let result = change(&mut entry);
        if let Some(entry) = entry {
            let (opaque, wrapped) = match entry.record {
                Some(record) => (Some(record.opaque), Some(record.wrapped)),
                None => (None, None),
            };
            transaction.execute(
                "INSERT OR REPLACE INTO account VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
                (
                    name,
                    entry.attempts_left,
                    entry.reopened,
                    entry.registrations,
                    entry.credential,
                    opaque,
                    wrapped,
                ),
            )?;
        }
        transaction.commit()?;
        Ok(result)
    }

    fn delete_exhausted(&mut self) -> Result<(), Self::Error> {
        let delete = "UPDATE account SET opaque = NULL, wrapped = NULL WHERE attempts_left = 0";
        self.0.execute(delete, [])?;
        Ok(())
    }
}
