//! The schema, its version in the file's header, and the way from each version to the next.

use rusqlite::{Connection, Transaction, TransactionBehavior};

use crate::error::SqliteError;

/// `sand`: the mark of a store in the header of the file (`PRAGMA application_id`).
pub(crate) const APPLICATION_ID: i32 = 0x7361_6E64;

/// What leads from each schema version to the next; the first from an empty file. Released steps are never
/// edited: a change of the schema is a further step.
pub(crate) const STEPS: [&str; 1] = [
    // Version 1. A table with row ids and not a clustered one, because records are of some hundred bytes
    // to some thousand: a clustered tree would spill most of them.
    "CREATE TABLE record (
        key      BLOB    NOT NULL UNIQUE,
        revision INTEGER NOT NULL CHECK (revision > 0),
        bytes    BLOB    NOT NULL
    ) STRICT;",
];

/// Brings the file to the version that `steps` leads to, in one transaction: after a crash it is at the old version
/// or at the new one. Several processes may try at once.
pub(crate) fn migrate(connection: &mut Connection, steps: &[&str]) -> Result<(), SqliteError> {
    if is_current(connection, steps)? {
        return Ok(());
    }
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    // Another process may have been here since.
    let version = version(&transaction, steps)?;
    for step in steps.iter().skip(version) {
        transaction.execute_batch(step)?;
    }
    transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
    let reached = i64::try_from(steps.len()).map_err(|_| SqliteError::Corrupt)?;
    transaction.pragma_update(None, "user_version", reached)?;
    transaction.commit()?;
    Ok(())
}

/// Whether the file is at the version that `steps` leads to. Writes nothing; an error if the file is none of ours, or of
/// a later release.
pub(crate) fn is_current(connection: &Connection, steps: &[&str]) -> Result<bool, SqliteError> {
    // One transaction, because another process may be creating the store between two reads.
    let transaction = connection.unchecked_transaction()?;
    Ok(version(&transaction, steps)? == steps.len())
}

/// The version of the file, at most the one that `steps` leads to; 0 for an empty file.
fn version(transaction: &Transaction<'_>, steps: &[&str]) -> Result<usize, SqliteError> {
    let version = number(transaction, "user_version")?;
    let application = number(transaction, "application_id")?;
    if application != APPLICATION_ID {
        let tables: i64 =
            transaction.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
        let is_new = application == 0 && version == 0 && tables == 0;
        return if is_new { Ok(0) } else { Err(SqliteError::NotAStore(application)) };
    }
    let version = u32::try_from(version).map_err(|_| SqliteError::Corrupt)?;
    match usize::try_from(version) {
        // Our mark and version 0 are never written apart.
        Ok(0) => Err(SqliteError::Corrupt),
        Ok(known) if known <= steps.len() => Ok(known),
        _ => Err(SqliteError::FutureVersion(version)),
    }
}

fn number(connection: &Connection, pragma: &str) -> Result<i32, SqliteError> {
    Ok(connection.pragma_query_value(None, pragma, |row| row.get(0))?)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TWO: [&str; 2] =
        [STEPS[0], "ALTER TABLE record ADD COLUMN written INTEGER NOT NULL DEFAULT 0;"];

    fn version_1() -> Connection {
        let mut connection = Connection::open_in_memory().unwrap();
        migrate(&mut connection, &STEPS).unwrap();
        connection.execute("INSERT INTO record VALUES (x'01', 7, x'AA')", []).unwrap();
        connection
    }

    #[test]
    fn a_step_is_applied_once_and_keeps_what_is_there() {
        let mut connection = version_1();
        for _ in 0..2 {
            migrate(&mut connection, &TWO).unwrap();
        }
        let row = connection
            .query_row("SELECT revision, bytes, written FROM record", [], |row| {
                Ok((row.get::<_, i64>(0)?, row.get::<_, Vec<u8>>(1)?, row.get::<_, i64>(2)?))
            })
            .unwrap();
        assert_eq!(row, (7, vec![0xAA], 0));
        assert_eq!(number(&connection, "user_version").unwrap(), 2);
        // The release before this one does not touch it.
        assert!(matches!(migrate(&mut connection, &STEPS), Err(SqliteError::FutureVersion(2))));
    }

    #[test]
    fn an_empty_file_takes_all_steps() {
        let mut connection = Connection::open_in_memory().unwrap();
        migrate(&mut connection, &TWO).unwrap();
        assert_eq!(number(&connection, "user_version").unwrap(), 2);
        connection.execute("INSERT INTO record VALUES (x'01', 7, x'AA', 1)", []).unwrap();
    }

    #[test]
    fn a_step_that_fails_leaves_the_old_version() {
        let mut connection = version_1();
        let failing = [STEPS[0], TWO[1], "DROP TABLE record; SELECT nonsense;"];
        assert!(migrate(&mut connection, &failing).is_err());
        assert_eq!(number(&connection, "user_version").unwrap(), 1);
        let columns = connection.prepare("SELECT * FROM record").unwrap().column_count();
        assert_eq!(columns, 3);
        migrate(&mut connection, &STEPS).unwrap();
    }
}
