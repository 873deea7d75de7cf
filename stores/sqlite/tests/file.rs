//! The file: its schema and versions, damage, permissions, what deletion leaves, and the application's own tables.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, missing_docs)]
#![allow(clippy::arithmetic_side_effects)]

use std::fs;
use std::path::Path;
use std::time::Duration;

use chacha20::ChaCha20Rng;
use chacha20::rand_core::SeedableRng;
use rusqlite::Connection;
use sandi::store::{Expected, Write};
use sandi::{Address, Changes, CommitError, DeviceId, RecordKey, SealedStore, Secret, Store};
use sandi_sqlite::{Durability, Options, SqliteError, SqliteStore, rusqlite};
use tempfile::tempdir;

fn rng() -> ChaCha20Rng {
    ChaCha20Rng::from_seed([3; 32])
}

fn bob() -> Address {
    Address::new("bob", DeviceId::new(2).unwrap())
}

/// Writes a record, whatever is there.
fn put(store: &mut SqliteStore, key: &RecordKey, bytes: &[u8]) {
    let loaded = store.load(key).unwrap().map(|record| record.revision());
    let mut changes = Changes::new();
    changes.put(key.clone(), loaded, bytes.to_vec(), &mut rng()).unwrap();
    store.commit(&changes).unwrap();
}

fn filled(path: &Path, records: u32) {
    let mut store = SqliteStore::open(path).unwrap();
    let mut changes = Changes::new();
    for id in 0..records {
        changes.create(RecordKey::PreKey(id), vec![0xA5; 700], &mut rng()).unwrap();
    }
    store.commit(&changes).unwrap();
}

/// `Ok` or a typed error, from opening and from reading everything; never a panic, never wrong bytes.
fn read_all(path: &Path, records: u32) -> Result<(), SqliteError> {
    let store = SqliteStore::open(path)?;
    for id in 0..records {
        if let Some(record) = store.load(&RecordKey::PreKey(id))? {
            assert_eq!(record.bytes().len(), 700);
        }
    }
    store.verify()
}

// -- versions -------------------------------------------------------------------------------------

/// `fixtures/version-1.sandi` was written by the release that introduced schema version 1.
#[test]
fn a_store_of_schema_version_1_opens() {
    let directory = tempdir().unwrap();
    let path = directory.path().join("store");
    let fixture = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/version-1.sandi");
    fs::copy(fixture, &path).unwrap();
    let mut store = SqliteStore::open(&path).unwrap();
    store.verify().unwrap();
    assert_eq!(store.count().unwrap(), 3);
    for (key, revision, bytes) in [
        (RecordKey::Local, 1, &b"local"[..]),
        (RecordKey::Session(bob()), 41, &[0x5A; 5_000]),
        (RecordKey::User("bob".into()), Changes::LAST_REVISION, b""),
    ] {
        let record = store.load(&key).unwrap().unwrap();
        assert_eq!((record.revision(), record.bytes()), (revision, bytes), "{key:?}");
    }
    put(&mut store, &RecordKey::Local, b"goes on");
}

#[test]
fn an_empty_file_becomes_a_store() {
    let directory = tempdir().unwrap();
    let path = directory.path().join("store");
    fs::write(&path, b"").unwrap();
    assert_eq!(SqliteStore::open(&path).unwrap().count().unwrap(), 0);
}

#[test]
fn a_later_schema_version_is_refused_and_left_alone() {
    let directory = tempdir().unwrap();
    let path = directory.path().join("store");
    filled(&path, 3);
    for version in [2, 900, i32::MAX] {
        let connection = Connection::open(&path).unwrap();
        connection.pragma_update(None, "user_version", version).unwrap();
        drop(connection);
        let before = fs::read(&path).unwrap();
        match SqliteStore::open(&path) {
            Err(SqliteError::FutureVersion(met)) => assert_eq!(i64::from(met), i64::from(version)),
            other => panic!("version {version} gave {other:?}"),
        }
        assert!(fs::read(&path).unwrap() == before);
    }
    for impossible in [0, -1] {
        let connection = Connection::open(&path).unwrap();
        connection.pragma_update(None, "user_version", impossible).unwrap();
        assert!(matches!(SqliteStore::open(&path), Err(SqliteError::Corrupt)));
    }
}

#[test]
fn a_database_of_another_application_is_refused_and_left_alone() {
    let directory = tempdir().unwrap();
    for (name, id, sql) in [
        ("table", 0, "CREATE TABLE notes (text TEXT);"),
        ("mark", 12345, "PRAGMA application_id = 12345;"),
        ("version", 0, "PRAGMA user_version = 1;"),
        ("log", 0, "PRAGMA journal_mode = WAL; CREATE TABLE record (key, revision, bytes);"),
    ] {
        let path = directory.path().join(name);
        let connection = Connection::open(&path).unwrap();
        connection.execute_batch(sql).unwrap();
        drop(connection);
        let before = fs::read(&path).unwrap();
        match SqliteStore::open(&path) {
            Err(SqliteError::NotAStore(met)) => assert_eq!(met, id, "{name}"),
            other => panic!("{name} gave {other:?}"),
        }
        assert!(fs::read(&path).unwrap() == before, "{name}");
    }
}

#[test]
fn many_threads_may_create_one_file_at_once() {
    for _ in 0..20 {
        let directory = tempdir().unwrap();
        let path = directory.path().join("store");
        std::thread::scope(|scope| {
            for id in 0..8 {
                let path = &path;
                scope.spawn(move || {
                    let mut store = SqliteStore::open(path).unwrap();
                    put(&mut store, &RecordKey::PreKey(id), b"here");
                });
            }
        });
        assert_eq!(SqliteStore::open(&path).unwrap().count().unwrap(), 8);
    }
}

// -- damage ---------------------------------------------------------------------------------------

#[test]
fn a_file_that_is_no_database_is_refused_and_left_alone() {
    let directory = tempdir().unwrap();
    let path = directory.path().join("store");
    for bytes in [vec![b'x'; 100], vec![0xFF; 10_000], b"SQLite format 3\0".repeat(600)] {
        fs::write(&path, &bytes).unwrap();
        match SqliteStore::open(&path) {
            Err(SqliteError::NotADatabase) => {}
            other => panic!("gave {other:?}"),
        }
        assert!(fs::read(&path).unwrap() == bytes, "left alone");
    }
}

#[test]
fn damage_anywhere_gives_a_typed_error_or_the_right_length() {
    let directory = tempdir().unwrap();
    let (good, path) = (directory.path().join("good"), directory.path().join("store"));
    filled(&good, 60);
    let bytes = fs::read(&good).unwrap();
    let mut corrupt = 0;
    let mut damaged = |bytes: &[u8]| {
        for suffix in ["-wal", "-shm"] {
            let _ = fs::remove_file(directory.path().join(format!("store{suffix}")));
        }
        fs::write(&path, bytes).unwrap();
        match read_all(&path, 60) {
            Err(SqliteError::Corrupt | SqliteError::NotADatabase) => corrupt += 1,
            Ok(()) | Err(SqliteError::NotAStore(_) | SqliteError::FutureVersion(_)) => {}
            // What a damaged schema makes of our statements.
            Err(SqliteError::Sqlite(_) | SqliteError::NoWriteAheadLog) => {}
            Err(other) => panic!("{other:?}"),
        }
    };
    // Cut off anywhere; each page overwritten; single bytes changed, mostly where structure lies.
    for length in (1..bytes.len()).step_by(1_531) {
        damaged(&bytes[..length]);
    }
    for page in 0..bytes.len() / 4096 {
        let mut copy = bytes.clone();
        copy[page * 4096..(page + 1) * 4096].fill(0xA7);
        damaged(&copy);
    }
    for at in
        (0..120).chain((4096..bytes.len()).step_by(907)).chain((4096..bytes.len()).step_by(4096))
    {
        let mut copy = bytes.clone();
        copy[at] ^= 0x55;
        damaged(&copy);
    }
    assert!(corrupt > 20, "only {corrupt} of the damaged files were seen to be corrupt");
}

#[test]
fn a_flipped_bit_inside_a_record_is_seen_by_the_seal() {
    let directory = tempdir().unwrap();
    let path = directory.path().join("store");
    let key = Secret::new([7; 32]);
    let open = || SealedStore::new(SqliteStore::open(&path).unwrap(), &key, rng());
    let mut changes = Changes::new();
    changes.create(RecordKey::Local, vec![1; 300], &mut rng()).unwrap();
    open().commit(&changes).unwrap();

    let mut bytes = fs::read(&path).unwrap();
    let sealed = SqliteStore::open(&path).unwrap().load(&RecordKey::Local).unwrap().unwrap();
    let at = bytes.windows(329).position(|part| part == sealed.bytes()).unwrap();
    bytes[at + 200] ^= 1;
    fs::write(&path, bytes).unwrap();
    SqliteStore::open(&path).unwrap().verify().unwrap();
    assert_eq!(
        open().load(&RecordKey::Local).unwrap_err().to_string(),
        "sealed record does not open"
    );
}

#[test]
fn a_row_that_no_release_writes_is_corrupt() {
    let directory = tempdir().unwrap();
    let path = directory.path().join("store");
    filled(&path, 1);
    let connection = Connection::open(&path).unwrap();
    connection
        .execute_batch("PRAGMA ignore_check_constraints = ON; UPDATE record SET revision = -5")
        .unwrap();
    let store = SqliteStore::open(&path).unwrap();
    assert!(matches!(store.load(&RecordKey::PreKey(0)), Err(SqliteError::Corrupt)));
}

// -- errors ---------------------------------------------------------------------------------------

#[test]
fn a_file_held_by_another_is_busy_and_nothing_is_written() {
    let directory = tempdir().unwrap();
    let path = directory.path().join("store");
    filled(&path, 1);
    let options = Options::new().busy_timeout(Duration::from_millis(30));
    let mut store = SqliteStore::open_with(&path, options).unwrap();
    let other = Connection::open(&path).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let mut changes = Changes::new();
    changes.create(RecordKey::Local, vec![1], &mut rng()).unwrap();
    assert!(matches!(store.commit(&changes), Err(CommitError::Store(SqliteError::Busy))));
    // Readers are not held up.
    assert!(store.load(&RecordKey::PreKey(0)).unwrap().is_some());
    assert!(store.load(&RecordKey::Local).unwrap().is_none());
    other.execute_batch("COMMIT").unwrap();
    store.commit(&changes).unwrap();
}

#[test]
fn a_revision_out_of_range_is_refused_whole() {
    let mut store = SqliteStore::open_in_memory().unwrap();
    for revision in [0, Changes::LAST_REVISION + 1, u64::MAX] {
        let mut changes = Changes::new();
        changes.create(RecordKey::Local, vec![1], &mut rng()).unwrap();
        let write = Write::Put { revision, bytes: vec![2].into() };
        changes.insert(RecordKey::PreKey(1), Expected::Absent, write).unwrap();
        assert!(matches!(
            store.commit(&changes),
            Err(CommitError::Store(SqliteError::InvalidRevision))
        ));
        assert_eq!(store.count().unwrap(), 0);
    }
}

#[test]
fn a_full_disk_fails_the_commit_whole() {
    let directory = tempdir().unwrap();
    let mut store = SqliteStore::open(directory.path().join("store")).unwrap();
    put(&mut store, &RecordKey::Local, b"before");
    store.connection().pragma_update(None, "max_page_count", 20).unwrap();
    let mut changes = Changes::new();
    let revision = store.load(&RecordKey::Local).unwrap().unwrap().revision();
    changes.update(RecordKey::Local, revision, b"after".to_vec()).unwrap();
    for id in 0..200 {
        changes.create(RecordKey::PreKey(id), vec![1; 2_000], &mut rng()).unwrap();
    }
    match store.commit(&changes) {
        Err(CommitError::Store(SqliteError::Sqlite(error))) => {
            assert_eq!(error.sqlite_error_code(), Some(rusqlite::ErrorCode::DiskFull));
        }
        other => panic!("gave {other:?}"),
    }
    assert_eq!(store.count().unwrap(), 1);
    assert_eq!(store.load(&RecordKey::Local).unwrap().unwrap().bytes(), b"before");
    put(&mut store, &RecordKey::Local, b"goes on");
}

#[test]
fn a_path_that_cannot_be_a_file_is_an_error() {
    let directory = tempdir().unwrap();
    assert!(SqliteStore::open(directory.path()).is_err());
    assert!(SqliteStore::open(directory.path().join("no/such/folder")).is_err());
}

#[cfg(unix)]
#[test]
fn only_the_owner_can_read_a_new_store() {
    use std::os::unix::fs::PermissionsExt;
    let directory = tempdir().unwrap();
    let mut store = SqliteStore::open(directory.path().join("store")).unwrap();
    put(&mut store, &RecordKey::Local, b"bytes");
    let mut files = 0;
    for file in fs::read_dir(directory.path()).unwrap() {
        assert_eq!(file.unwrap().metadata().unwrap().permissions().mode() & 0o777, 0o600);
        files += 1;
    }
    assert_eq!(files, 3, "the file, its log and its index");
}

// -- what is written ------------------------------------------------------------------------------

#[test]
fn durability_is_what_the_options_say() {
    let directory = tempdir().unwrap();
    let path = directory.path().join("store");
    let setting = |store: &SqliteStore, name: &str| -> String {
        let value: rusqlite::types::Value =
            store.connection().pragma_query_value(None, name, |row| row.get(0)).unwrap();
        match value {
            rusqlite::types::Value::Integer(number) => number.to_string(),
            rusqlite::types::Value::Text(text) => text,
            other => panic!("{other:?}"),
        }
    };
    // 2: each commit syncs its log. 1: checkpoints only. 0: nothing.
    for (options, synchronous) in [
        (Options::new(), "2"),
        (Options::new().durability(Durability::Full), "2"),
        (Options::new().durability(Durability::Normal), "1"),
        (Options::new().durability(Durability::Off), "0"),
    ] {
        let store = SqliteStore::open_with(&path, options).unwrap();
        assert_eq!(setting(&store, "synchronous"), synchronous, "{options:?}");
        assert_eq!(setting(&store, "journal_mode"), "wal");
        assert_eq!(setting(&store, "secure_delete"), "1");
    }
}

/// What a loss of power can leave of the log: its beginning, and anything after that.
#[test]
fn a_log_that_was_cut_off_or_scrambled_gives_a_whole_number_of_commits() {
    let directory = tempdir().unwrap();
    let path = directory.path().join("store");
    let mut store = SqliteStore::open(&path).unwrap();
    store.truncate_log().unwrap();
    let keys = [RecordKey::Local, RecordKey::User("bob".into())];
    let body = |number: u8| vec![number; 40 * usize::from(number) * usize::from(number)];
    let mut revisions = [None; 2];
    for number in 1..=12 {
        let mut changes = Changes::new();
        for (key, revision) in keys.iter().zip(&mut revisions) {
            let new = changes.put(key.clone(), *revision, body(number), &mut rng());
            *revision = Some(new.unwrap());
        }
        store.commit(&changes).unwrap();
    }
    // Copied while the store is open, so that nothing has been moved from the log into the file.
    let file = fs::read(&path).unwrap();
    let log = fs::read(directory.path().join("store-wal")).unwrap();
    let mut met = [false; 13];
    let lengths = (0..log.len()).step_by(1_499).chain([log.len()]);
    for (length, scrambled) in lengths.flat_map(|at| [(at, false), (at, true)]) {
        let copy = tempdir().unwrap();
        let path = copy.path().join("store");
        let mut left = log[..length].to_vec();
        if scrambled {
            left.resize(log.len(), 0x5A);
        }
        fs::write(&path, &file).unwrap();
        fs::write(copy.path().join("store-wal"), left).unwrap();
        let options = Options::new().durability(Durability::Off);
        let store = SqliteStore::open_with(&path, options).unwrap();
        let [local, user] = keys.clone().map(|key| store.load(&key).unwrap());
        let bytes = local.map_or(Vec::new(), |record| record.bytes().to_vec());
        assert!(user.map_or(Vec::new(), |record| record.bytes().to_vec()) == bytes, "{length}");
        let number = bytes.first().copied().unwrap_or(0);
        assert!(bytes == body(number), "{length}");
        met[usize::from(number)] = true;
        store.verify().unwrap();
    }
    assert_eq!(met, [true; 13], "each number of commits was met");
}

#[test]
fn a_commit_writes_as_little_however_many_records_there_are() {
    /// Bytes of log that an update of one record writes, in a store of `records` records of 1,000 bytes.
    fn log_of_an_update(records: u32) -> u64 {
        let directory = tempdir().unwrap();
        let path = directory.path().join("store");
        let options = Options::new().durability(Durability::Off);
        let mut store = SqliteStore::open_with(&path, options).unwrap();
        let mut changes = Changes::new();
        for id in 0..records {
            changes.create(RecordKey::PreKey(id), vec![0xA5; 1_000], &mut rng()).unwrap();
        }
        store.commit(&changes).unwrap();
        store.truncate_log().unwrap();
        put(&mut store, &RecordKey::PreKey(records / 2), &[0x5A; 1_000]);
        fs::metadata(directory.path().join("store-wal")).unwrap().len()
    }
    // A header of 32 bytes, and one page of 4,096 after its own header of 24.
    assert_eq!(log_of_an_update(100), 32 + 24 + 4_096);
    assert_eq!(log_of_an_update(100_000), 32 + 24 + 4_096);
}

#[test]
fn a_handle_can_move_to_another_thread() {
    let mut store = SqliteStore::open_in_memory().unwrap();
    put(&mut store, &RecordKey::Local, b"here");
    let store = std::thread::spawn(move || {
        put(&mut store, &RecordKey::Local, b"there");
        store
    });
    assert_eq!(store.join().unwrap().load(&RecordKey::Local).unwrap().unwrap().bytes(), b"there");
}

// -- what stays -----------------------------------------------------------------------------------

#[test]
fn nothing_of_a_deleted_or_replaced_record_stays_once_the_log_is_cut_off() {
    let directory = tempdir().unwrap();
    let mut store = SqliteStore::open(directory.path().join("store")).unwrap();
    let everything = || -> Vec<u8> {
        let files = fs::read_dir(directory.path()).unwrap();
        files.flat_map(|file| fs::read(file.unwrap().path()).unwrap()).collect()
    };
    let holds = |needle: &[u8]| everything().windows(needle.len()).any(|part| part == needle);
    for length in [40, 9_000] {
        let (old, gone) =
            (b"0123456789abcdef".repeat(length / 16), b"fedcba9876543210".repeat(length / 16));
        put(&mut store, &RecordKey::Local, &old);
        put(&mut store, &RecordKey::PreKey(1), &gone);
        store.truncate_log().unwrap();
        assert!(holds(b"0123456789abcdef") && holds(b"fedcba9876543210"));
        put(&mut store, &RecordKey::Local, b"short");
        let revision = store.load(&RecordKey::PreKey(1)).unwrap().unwrap().revision();
        let mut changes = Changes::new();
        changes.delete(RecordKey::PreKey(1), revision).unwrap();
        store.commit(&changes).unwrap();
        store.truncate_log().unwrap();
        assert!(!holds(b"0123456789abcdef") && !holds(b"fedcba9876543210"), "{length} bytes");
    }
}

#[test]
fn a_sealed_file_shows_neither_records_nor_the_names_of_peers() {
    /// Whether a store's files show a record's bytes, and the name in its key.
    fn shows<S: Store<Error: std::fmt::Debug>>(seal: impl Fn(SqliteStore) -> S) -> [bool; 2] {
        let directory = tempdir().unwrap();
        let mut store = seal(SqliteStore::open(directory.path().join("store")).unwrap());
        let key = RecordKey::User("somebody@example.org".into());
        let text = b"attack at dawn".repeat(400);
        let mut changes = Changes::new();
        changes.create(key.clone(), text.clone(), &mut rng()).unwrap();
        store.commit(&changes).unwrap();
        assert_eq!(store.load(&key).unwrap().unwrap().bytes(), text);
        let mut shown = [false; 2];
        for file in fs::read_dir(directory.path()).unwrap() {
            let bytes = fs::read(file.unwrap().path()).unwrap();
            let holds = |needle: &[u8]| bytes.windows(needle.len()).any(|part| part == needle);
            shown[0] |= holds(b"attack");
            shown[1] |= holds(b"somebody");
        }
        shown
    }
    let key = Secret::new([7; 32]);
    assert_eq!(shows(|store| store), [true, true]);
    assert_eq!(shows(|store| SealedStore::new(store, &key, rng())), [false, true]);
    assert_eq!(shows(|store| SealedStore::with_hidden_keys(store, &key, rng())), [false, false]);
}

// -- the application's own tables -----------------------------------------------------------------

#[test]
fn rows_of_the_application_are_committed_with_the_changes_or_not_at_all() {
    let directory = tempdir().unwrap();
    let mut store = SqliteStore::open(directory.path().join("store")).unwrap();
    store.connection().execute_batch("CREATE TABLE message (text TEXT NOT NULL)").unwrap();
    let mut changes = Changes::new();
    changes.create(RecordKey::Local, vec![1], &mut rng()).unwrap();
    let count = |store: &SqliteStore| -> u32 {
        store.connection().query_row("SELECT count(*) FROM message", [], |row| row.get(0)).unwrap()
    };

    // The application fails: neither.
    let failed = store.commit_with(&changes, |transaction| {
        transaction.execute("INSERT INTO message VALUES ('hello')", [])?;
        transaction.execute("INSERT INTO message VALUES (NULL)", [])
    });
    assert!(matches!(failed, Err(CommitError::Store(SqliteError::Sqlite(_)))));
    assert_eq!((store.count().unwrap(), count(&store)), (0, 0));

    // Both.
    let insert = |transaction: &rusqlite::Transaction<'_>| {
        transaction.execute("INSERT INTO message VALUES ('hello')", [])
    };
    assert_eq!(store.commit_with(&changes, insert).unwrap(), 1);
    assert_eq!((store.count().unwrap(), count(&store)), (1, 1));

    // A conflict: neither.
    assert!(matches!(store.commit_with(&changes, insert), Err(CommitError::Conflict)));
    assert_eq!((store.count().unwrap(), count(&store)), (1, 1));
}

#[test]
fn rows_of_the_application_are_committed_with_sealed_changes() {
    let inner = SqliteStore::open_in_memory().unwrap();
    inner.connection().execute_batch("CREATE TABLE message (text TEXT NOT NULL)").unwrap();
    let mut store = SealedStore::with_hidden_keys(inner, &Secret::new([7; 32]), rng());
    let mut changes = Changes::new();
    changes.create(RecordKey::Local, vec![1], &mut rng()).unwrap();
    let sealed = store.seal_changes(&changes).unwrap();
    store
        .inner_mut()
        .commit_with(&sealed, |transaction| {
            transaction.execute("INSERT INTO message VALUES ('hello')", [])
        })
        .unwrap();
    assert_eq!(store.load(&RecordKey::Local).unwrap().unwrap().bytes(), [1]);
    assert!(matches!(store.commit(&changes), Err(CommitError::Conflict)));
}

#[test]
fn an_application_that_panics_in_a_commit_leaves_nothing_and_no_lock() {
    let directory = tempdir().unwrap();
    let path = directory.path().join("store");
    let mut store = SqliteStore::open(&path).unwrap();
    let mut changes = Changes::new();
    changes.create(RecordKey::Local, vec![1], &mut rng()).unwrap();
    let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        let _ = store.commit_with(&changes, |_| -> rusqlite::Result<()> { panic!("on purpose") });
    }));
    assert!(panicked.is_err());
    assert_eq!(store.count().unwrap(), 0);
    let impatient = Options::new().busy_timeout(Duration::ZERO);
    let mut other = SqliteStore::open_with(&path, impatient).unwrap();
    put(&mut other, &RecordKey::Local, b"other");
    assert!(matches!(store.commit(&changes), Err(CommitError::Conflict)));
}
