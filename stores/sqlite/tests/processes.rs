//! Processes that are killed, and processes and threads that race. A test starts itself again as the processes that it
//! kills or races: with `SANDI_SQLITE_CHILD` set to the path of a store it does a child's work.
//!
//! `SANDI_CRASHES` sets how often each test kills (default 100).
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, missing_docs)]
#![allow(clippy::arithmetic_side_effects)]

use std::env;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use chacha20::ChaCha20Rng;
use chacha20::rand_core::{Rng, SeedableRng};
use sandi::{Changes, CommitError, RecordKey, SealedStore, Secret, Store};
use sandi_sqlite::{Durability, Options, SqliteError, SqliteStore};
use tempfile::tempdir;

fn patient(path: &Path, durability: Durability) -> SqliteStore {
    let options = Options::new().durability(durability).busy_timeout(Duration::from_secs(60));
    SqliteStore::open_with(path, options).unwrap()
}

fn sealed(store: SqliteStore) -> SealedStore<SqliteStore, ChaCha20Rng> {
    SealedStore::new(store, &Secret::new([9; 32]), rng())
}

fn rng() -> ChaCha20Rng {
    let mut seed = [0; 32];
    getrandom::fill(&mut seed).unwrap();
    ChaCha20Rng::from_seed(seed)
}

/// The path that a child is given, in a child.
fn child_path() -> Option<PathBuf> {
    env::var_os("SANDI_SQLITE_CHILD").map(PathBuf::from)
}

/// Runs `test` alone in a process of its own, on the store at `path`. What it has to say goes to standard error: the
/// test runner writes nothing there, and nothing buffers it.
fn start(test: &str, path: &Path) -> Child {
    Command::new(env::current_exe().unwrap())
        .args([test, "--exact", "--nocapture", "--test-threads=1"])
        .env("SANDI_SQLITE_CHILD", path)
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

fn say(number: u64) {
    std::io::stderr().write_all(&number.to_le_bytes()).unwrap();
}

/// The greatest number that a process said before it ended.
fn heard(child: &mut Child) -> u64 {
    let mut bytes = Vec::new();
    child.stderr.take().unwrap().read_to_end(&mut bytes).unwrap();
    // A last number may be cut off.
    bytes.chunks_exact(8).map(|n| u64::from_le_bytes(n.try_into().unwrap())).max().unwrap_or(0)
}

// -- crashes --------------------------------------------------------------------------------------

/// Two records that always hold the same number, the pre-keys `n - 3 ..= n`, and padding whose size depends on `n`.
fn body(number: u64) -> Vec<u8> {
    let length = usize::try_from(number % 17 * 613).unwrap();
    [&number.to_le_bytes()[..], &vec![number.to_le_bytes()[0]; length]].concat()
}

fn number_of(store: &impl Store<Error: std::fmt::Debug>, key: &RecordKey) -> (Option<u64>, u64) {
    match store.load(key).unwrap() {
        None => (None, 0),
        Some(record) => {
            let number = u64::from_le_bytes(record.bytes()[..8].try_into().unwrap());
            assert_eq!(record.bytes(), body(number), "torn record {key:?}");
            (Some(record.revision()), number)
        }
    }
}

fn pre_key(number: u64) -> RecordKey {
    RecordKey::PreKey(u32::try_from(number).unwrap())
}

/// Moves every record on, over and over, and says so on standard output once a commit has returned.
fn commit_forever(mut store: impl Store<Error: std::fmt::Debug>) -> ! {
    let mut rng = rng();
    let other = RecordKey::User("other".into());
    loop {
        let (revision, number) = number_of(&store, &RecordKey::Local);
        let (other_revision, _) = number_of(&store, &other);
        let next = number + 1;
        let mut changes = Changes::new();
        changes.put(RecordKey::Local, revision, body(next), &mut rng).unwrap();
        changes.put(other.clone(), other_revision, body(next), &mut rng).unwrap();
        changes.create(pre_key(next), body(next), &mut rng).unwrap();
        if next > 4 {
            let Some(oldest) = store.load(&pre_key(next - 4)).unwrap() else { continue };
            changes.delete(pre_key(next - 4), oldest.revision()).unwrap();
        }
        match store.commit(&changes) {
            Ok(()) => say(next),
            // The other process was faster.
            Err(CommitError::Conflict) => {}
            Err(error) => panic!("{error:?}"),
        }
    }
}

/// Kills processes of `test`, which commit for ever on what `open` opens, and checks after every kill what is there.
fn kill_at_random<S: Store<Error: std::fmt::Debug>>(
    test: &str,
    processes: u64,
    open: impl Fn(&Path) -> S,
) {
    let kills: u32 = env::var("SANDI_CRASHES").map_or(100, |text| text.parse().unwrap());
    let (mut random, start_time) = (rng(), Instant::now());
    let (mut commits, mut unacknowledged, mut before_the_first) = (0, 0, 0);
    let mut directory = tempdir().unwrap();
    let mut known = 0;
    for kill in 0..kills {
        if kill % 10 == 0 {
            directory = tempdir().unwrap();
            known = 0;
        }
        let path = directory.path().join("store");
        let mut children: Vec<Child> = (0..processes).map(|_| start(test, &path)).collect();
        // Now and then so early that the file is being created.
        let longest = if kill % 5 == 0 { 6_000 } else { 60_000 };
        thread::sleep(Duration::from_micros(u64::from(random.next_u32()) % longest));
        for child in &mut children {
            child.kill().unwrap();
        }
        let mut latest = known;
        for child in &mut children {
            let status = child.wait().unwrap();
            assert!(status.code().is_none(), "a process failed before it was killed: {status}");
            latest = latest.max(heard(child));
        }
        // No lock of the dead is in the way.
        let found = check_whole(&open(&path));
        // Nothing acknowledged is lost; at most one commit of each process was not yet acknowledged.
        assert!(found >= latest, "lost: {latest} acknowledged, {found} found");
        assert!(found <= latest + processes, "{latest} acknowledged, {found} found");
        commits += found - known;
        unacknowledged += u32::from(found > latest);
        before_the_first += u32::from(found == 0);
        known = found;
        if kill % 10 == 9 {
            SqliteStore::open(&path).unwrap().verify().unwrap();
        }
    }
    println!(
        "{test}: {kills} kills in {:.1} s, {commits} commits; {unacknowledged} kills fell between a commit and its \
         acknowledgement, {before_the_first} before the first commit",
        start_time.elapsed().as_secs_f64()
    );
    assert!(commits > 0, "the processes never got to work");
}

/// What is found after a crash is opened without waiting for anybody.
fn impatient(path: &Path) -> SqliteStore {
    SqliteStore::open_with(path, Options::new().busy_timeout(Duration::ZERO)).unwrap()
}

#[test]
fn a_commit_of_a_killed_process_is_there_as_a_whole_or_not_at_all() {
    if let Some(path) = child_path() {
        commit_forever(patient(&path, Durability::Full));
    }
    let test = "a_commit_of_a_killed_process_is_there_as_a_whole_or_not_at_all";
    kill_at_random(test, 1, impatient);
}

#[test]
fn commits_of_two_killed_processes_are_there_as_a_whole_or_not_at_all() {
    if let Some(path) = child_path() {
        commit_forever(patient(&path, Durability::Full));
    }
    kill_at_random(
        "commits_of_two_killed_processes_are_there_as_a_whole_or_not_at_all",
        2,
        impatient,
    );
}

#[test]
fn a_sealed_commit_of_a_killed_process_is_there_as_a_whole_or_not_at_all() {
    if let Some(path) = child_path() {
        commit_forever(sealed(patient(&path, Durability::Full)));
    }
    kill_at_random(
        "a_sealed_commit_of_a_killed_process_is_there_as_a_whole_or_not_at_all",
        1,
        |path| sealed(impatient(path)),
    );
}

#[test]
fn a_process_killed_inside_a_commit_leaves_neither_lock_nor_trace() {
    let mut changes = Changes::new();
    changes.create(RecordKey::Local, b"half".to_vec(), &mut rng()).unwrap();
    if let Some(path) = child_path() {
        // The records are written and the lock is held when the process is killed.
        let mut store = patient(&path, Durability::Full);
        let _: Result<(), _> = store.commit_with(&changes, |_| {
            say(1);
            loop {
                thread::park();
            }
        });
    }
    let directory = tempdir().unwrap();
    let path = directory.path().join("store");
    let mut store = impatient(&path);
    let test = "a_process_killed_inside_a_commit_leaves_neither_lock_nor_trace";
    let mut child = start(test, &path);
    let mut said = [0; 8];
    child.stderr.as_mut().unwrap().read_exact(&mut said).unwrap();
    // While it lives: no reader waits, a writer is told.
    assert!(store.load(&RecordKey::Local).unwrap().is_none());
    assert!(matches!(store.commit(&changes), Err(CommitError::Store(SqliteError::Busy))));
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(store.load(&RecordKey::Local).unwrap().is_none());
    store.commit(&changes).unwrap();
    store.verify().unwrap();
}

fn check_whole(store: &impl Store<Error: std::fmt::Debug>) -> u64 {
    let (_, number) = number_of(store, &RecordKey::Local);
    let (_, other) = number_of(store, &RecordKey::User("other".into()));
    assert_eq!(number, other, "two records of one commit differ");
    for id in 1..=number + 2 {
        let is_there = number_of(store, &pre_key(id)) != (None, 0);
        assert_eq!(is_there, id <= number && id + 4 > number, "pre-key {id} of {number}");
    }
    number
}

// -- races ----------------------------------------------------------------------------------------

const INCREMENTS: u64 = 150;

fn increment(store: &mut impl Store<Error: std::fmt::Debug>, times: u64) -> u64 {
    let (mut rng, mut conflicts) = (rng(), 0);
    for _ in 0..times {
        loop {
            let record = store.load(&RecordKey::Local).unwrap();
            let number =
                record.as_ref().map_or(0, |r| u64::from_le_bytes(r.bytes().try_into().unwrap()));
            let loaded = record.map(|record| record.revision());
            let mut changes = Changes::new();
            let bytes = (number + 1).to_le_bytes().to_vec();
            changes.put(RecordKey::Local, loaded, bytes, &mut rng).unwrap();
            // What a device computes between a load and a commit.
            thread::sleep(Duration::from_micros(100));
            match store.commit(&changes) {
                Ok(()) => break,
                Err(CommitError::Conflict) => conflicts += 1,
                Err(error) => panic!("{error:?}"),
            }
        }
    }
    conflicts
}

/// Four threads and four processes of `test`, each with a handle of its own.
fn race<S: Store<Error: std::fmt::Debug>>(test: &str, open: impl Fn(&Path) -> S + Sync) {
    if let Some(path) = child_path() {
        say(increment(&mut open(&path), INCREMENTS));
        return;
    }
    let directory = tempdir().unwrap();
    let path = directory.path().join("store");
    let start_time = Instant::now();
    let mut children: Vec<Child> = (0..4).map(|_| start(test, &path)).collect();
    let mut conflicts: u64 = thread::scope(|scope| {
        let work = || increment(&mut open(&path), INCREMENTS);
        let threads: Vec<_> = (0..4).map(|_| scope.spawn(work)).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).sum()
    });
    let deadline = start_time + Duration::from_secs(300);
    for child in &mut children {
        let status = loop {
            match child.try_wait().unwrap() {
                Some(status) => break status,
                None if Instant::now() > deadline => panic!("deadlock: a process hangs"),
                None => thread::sleep(Duration::from_millis(5)),
            }
        };
        assert!(status.success(), "{status}");
        conflicts += heard(child);
    }
    let elapsed = start_time.elapsed().as_secs_f64();
    let total = 8 * INCREMENTS;
    let record = open(&path).load(&RecordKey::Local).unwrap().unwrap();
    assert_eq!(record.bytes(), total.to_le_bytes(), "lost updates");
    assert!(conflicts > 0, "nobody raced");
    println!(
        "{test}: {total} commits in {elapsed:.2} s, {:.0} a second, {conflicts} conflicts",
        total as f64 / elapsed
    );
}

#[test]
fn racing_threads_and_processes_lose_no_update() {
    race("racing_threads_and_processes_lose_no_update", |path| patient(path, Durability::Full));
}

#[test]
fn racing_without_syncs_loses_no_update() {
    race("racing_without_syncs_loses_no_update", |path| patient(path, Durability::Off));
}

#[test]
fn racing_with_sealed_records_loses_no_update() {
    race("racing_with_sealed_records_loses_no_update", |path| {
        sealed(patient(path, Durability::Full))
    });
}
