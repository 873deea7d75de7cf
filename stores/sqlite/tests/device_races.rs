//! Threads and processes work on one device at the same time, each with a handle of its own: they encrypt and decrypt
//! in one session, all of them trying to deliver every message. No message key is used twice, every message that was
//! sent decrypts at the peer, each is delivered once, and nobody waits for ever.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, missing_docs)]
#![allow(clippy::arithmetic_side_effects)]

#[allow(dead_code, unreachable_pub)]
mod world;

use std::cell::Cell;
use std::fs::File;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use chacha20::ChaCha20Rng;
use chacha20::rand_core::Rng;
use sandi::device::{Device, DeviceError};
use sandi::protocol::Recipient;
use sandi::{Changes, CommitError, Error, Record, RecordKey, Store};
use sandi_sqlite::{Durability, SqliteError, SqliteStore};
use tempfile::tempdir;
use world::{
    Appender, SIDES, Sent, World, address, child, complaint, inbox, once, open_device, open_store,
    policy, replenish, rng, start, text,
};

const THREADS: usize = 2;
const PROCESSES: usize = 2;
/// Messages that each worker sends in a round.
const SENDS: u32 = 30;
/// Numbers of one round.
const ROUND: u32 = 1000;
/// Longer than any of it takes, unless somebody waits for ever.
const PATIENCE: Duration = Duration::from_secs(300);

/// Counts the commits that others were faster than.
struct Counting {
    inner: SqliteStore,
    conflicts: Cell<u32>,
}

impl Counting {
    fn count<T, E>(&self, result: Result<T, CommitError<E>>) -> Result<T, CommitError<E>> {
        if matches!(result, Err(CommitError::Conflict)) {
            self.conflicts.set(self.conflicts.get() + 1);
        }
        result
    }
}

impl Store for Counting {
    type Error = SqliteError;

    fn load(&self, key: &RecordKey) -> Result<Option<Record>, SqliteError> {
        self.inner.load(key)
    }

    fn commit(&mut self, changes: &Changes) -> Result<(), CommitError<SqliteError>> {
        let result = self.inner.commit(changes);
        self.count(result)
    }
}

/// One worker of one side in one round.
#[derive(Clone, Debug)]
struct Work {
    directory: PathBuf,
    dialect: String,
    durability: Durability,
    round: u32,
    side: usize,
    worker: usize,
    /// Whatever stands in the world's file beyond this is of the running round.
    limit: usize,
}

impl Work {
    fn to_text(&self) -> String {
        let full = u8::from(self.durability == Durability::Full);
        let Self { dialect, round, side, worker, limit, .. } = self;
        format!("{dialect} {full} {round} {side} {worker} {limit}")
    }

    fn from_text(directory: PathBuf, text: &str) -> Self {
        let words: Vec<&str> = text.split(' ').collect();
        Self {
            directory,
            dialect: words[0].into(),
            durability: if words[1] == "1" { Durability::Full } else { Durability::Off },
            round: words[2].parse().unwrap(),
            side: words[3].parse().unwrap(),
            worker: words[4].parse().unwrap(),
            limit: words[5].parse().unwrap(),
        }
    }

    fn open(&self) -> Device<Counting> {
        let open = || Counting {
            inner: open_store(&self.directory, self.side, self.durability),
            conflicts: Cell::new(0),
        };
        let device = open_device(open, self.side, policy(&self.dialect));
        // Every other one reads its session anew each time.
        if self.worker.is_multiple_of(2) { device } else { device.with_cache(0) }
    }

    fn starting_shot(&self) -> PathBuf {
        self.directory.join(format!("round {}", self.round))
    }

    /// Sends, and delivers all that was sent in the round before, in an order of its own.
    fn run(&self) {
        let mut world = World::default();
        world.catch_up(&self.directory, self.limit);
        let mut appender = Appender::open(&self.directory);
        let (mut device, mut rng) = (self.open(), rng());
        let peer = address(1 - self.side);
        // All workers of a side deliver the same messages.
        let is_due = |sent: &&Sent| sent.number / ROUND + 1 == self.round;
        let mut inbound: Vec<&Sent> = world.sent[1 - self.side].iter().filter(is_due).collect();
        shuffle(&mut inbound, &mut rng);
        let first = self.round * ROUND + u32::try_from(self.worker).unwrap() * SENDS;
        let mut numbers = (first..first + SENDS).peekable();
        let [mut sent, mut delivered, mut refused, mut starved] = [0; 4];
        std::io::stderr().write_all(b"\n").unwrap();
        while !self.starting_shot().exists() {
            thread::sleep(Duration::from_micros(200));
        }
        while numbers.peek().is_some() || !inbound.is_empty() {
            let send = inbound.is_empty() || rng.next_u32().is_multiple_of(4);
            if send && numbers.peek().is_some() {
                // One, or three in one commit.
                let count = if rng.next_u32().is_multiple_of(4) { 3 } else { 1 };
                let batch: Vec<u32> = numbers.by_ref().take(count).collect();
                let texts: Vec<String> = batch.iter().map(|n| text(self.side, *n)).collect();
                let recipients: Vec<_> = texts
                    .iter()
                    .map(|text| Recipient { address: &peer, plaintext: text.as_bytes() })
                    .collect();
                let messages = loop {
                    match device.encrypt_many(&recipients, world.now(), &mut rng) {
                        Ok(messages) => break messages,
                        Err(DeviceError::Contention) => starved += 1,
                        Err(error) => panic!("sending: {error}"),
                    }
                };
                for (number, message) in batch.iter().zip(messages) {
                    appender.sent(self.side, *number, &message.message.unwrap());
                    sent += 1;
                }
            } else if let Some(message) = inbound.pop() {
                match deliver(&mut device, &peer, message, &world, &mut rng) {
                    Ok(()) => delivered += 1,
                    // Another worker was faster.
                    Err(DeviceError::Protocol(Error::DuplicatedMessage { .. })) => refused += 1,
                    Err(DeviceError::Contention) => {
                        starved += 1;
                        inbound.insert(0, message);
                    }
                    Err(error) => panic!("{} cannot read {}: {error}", self.side, message.number),
                }
            }
        }
        let conflicts = device.store().conflicts.get();
        appender.counts(self.side, [sent, delivered, refused, conflicts, starved]);
    }
}

fn shuffle<T>(items: &mut [T], rng: &mut ChaCha20Rng) {
    for at in (1..items.len()).rev() {
        items.swap(at, usize::try_from(rng.next_u32()).unwrap() % (at + 1));
    }
}

/// Decrypts, and puts the text into the inbox in the same commit.
fn deliver(
    device: &mut Device<Counting>,
    from: &sandi::Address,
    sent: &Sent,
    world: &World,
    rng: &mut ChaCha20Rng,
) -> Result<(), DeviceError<SqliteError>> {
    let Sent { number, message } = sent;
    let received = device.decrypt(from, message.message_type, &message.bytes, world.now(), rng)?;
    let committed = received.commit_by(|store, changes, decrypted| {
        let result = store.inner.commit_with(changes, |transaction| {
            let text = std::str::from_utf8(&decrypted.plaintext).unwrap();
            let sql = "INSERT INTO inbox (number, text) VALUES (?1, ?2)";
            transaction.execute(sql, (number, text)).map(drop)
        });
        store.count(result)
    });
    committed.map(drop)
}

/// A session that both sides have acknowledged.
fn meet(directory: &Path, dialect: &str) {
    let (mut world, mut appender, mut rng) = (World::default(), Appender::open(directory), rng());
    let mut devices: Vec<_> = SIDES
        .iter()
        .map(|&side| {
            let open = || open_store(directory, side, Durability::Off);
            open_device(open, side, policy(dialect))
        })
        .collect();
    replenish(&mut devices[1], 1, &mut world, &mut appender, &mut rng);
    let bundle = appender.bundle(&mut world, 1, &devices[1]).unwrap();
    devices[0].start_session(&address(1), &bundle, world.now(), &mut rng).unwrap();
    for (from, to) in [(0, 1), (1, 0), (0, 1)] {
        let message = devices[from].encrypt(&address(to), b"hello", world.now(), &mut rng).unwrap();
        let (kind, from) = (message.message_type, address(from));
        let received = devices[to].decrypt(&from, kind, &message.bytes, world.now(), &mut rng);
        received.unwrap().commit().unwrap();
    }
}

/// Rounds in which both sides send, and deliver what the other one sent in the round before.
fn race(test: &str, dialect: &str, durability: Durability, rounds: u32) {
    if let Some((directory, work)) = child() {
        Work::from_text(directory, &work).run();
        return;
    }
    let directory = tempdir().unwrap();
    let path = directory.path();
    meet(path, dialect);
    let mut elapsed = 0.0;
    for round in 0..=rounds {
        let limit = World::read(path).length();
        let (mut threads, mut processes) = (0, Vec::new());
        let (finished, finishes) = mpsc::channel();
        for side in SIDES {
            for worker in 0..THREADS + PROCESSES {
                let (directory, dialect) = (path.to_owned(), dialect.into());
                let work = Work { directory, dialect, durability, round, side, worker, limit };
                if worker < THREADS {
                    let finished = finished.clone();
                    threads += 1;
                    thread::spawn(move || {
                        work.run();
                        finished.send(()).unwrap();
                    });
                } else {
                    processes.push(start(test, path, &work.to_text()));
                }
            }
        }
        drop(finished);
        for process in &mut processes {
            process.stderr.as_mut().unwrap().read_exact(&mut [0]).unwrap();
        }
        let start_time = Instant::now();
        File::create(path.join(format!("round {round}"))).unwrap();
        for _ in 0..threads {
            // An error: it has panicked, or hangs.
            finishes.recv_timeout(PATIENCE).unwrap();
        }
        for process in &mut processes {
            let deadline = Instant::now() + PATIENCE;
            let status = loop {
                match process.try_wait().unwrap() {
                    Some(status) => break status,
                    None if Instant::now() > deadline => panic!("a process hangs"),
                    None => thread::sleep(Duration::from_millis(2)),
                }
            };
            assert!(status.success(), "{status}: {}", complaint(process));
        }
        elapsed += start_time.elapsed().as_secs_f64();
    }

    // One worker alone delivers what the last round has sent. Reading the world looks at every key.
    let world = World::read(path);
    let workers = THREADS + PROCESSES;
    let total = usize::try_from((rounds + 1) * SENDS).unwrap() * workers;
    let [sent, delivered, refused, conflicts, starved] =
        [0, 1, 2, 3, 4].map(|at| world.counts.iter().map(|counts| counts[at]).sum::<u32>());
    File::create(path.join(format!("round {}", rounds + 1))).unwrap();
    for side in SIDES {
        assert_eq!(world.sent[side].len(), total);
        let (directory, dialect) = (path.to_owned(), dialect.into());
        let (round, limit) = (rounds + 1, usize::MAX);
        Work { directory, dialect, durability, round, side, worker: 0, limit }.run();
    }
    assert_eq!(world.keys(), 2 * total, "a key was used twice");
    for side in SIDES {
        let found = once(&inbox(&open_store(path, side, durability), side));
        assert!(world.sent[1 - side].iter().all(|sent| found.contains(&sent.number)), "lost");
    }
    println!(
        "{test}: {workers} workers on each of two files; {sent} messages sent, {delivered} delivered and {refused} refused \
         as duplicates in {elapsed:.2} s, {:.0} operations a second; {conflicts} conflicts, {starved} operations gave up \
         and were repeated",
        f64::from(sent + delivered + refused) / elapsed
    );
    assert!(conflicts > 0, "nobody raced");
}

#[test]
fn racing_in_one_session_of_version_3_loses_and_repeats_nothing() {
    let test = "racing_in_one_session_of_version_3_loses_and_repeats_nothing";
    race(test, "v3", Durability::Off, 4);
}

#[test]
fn racing_in_one_session_of_version_4_loses_and_repeats_nothing() {
    let test = "racing_in_one_session_of_version_4_loses_and_repeats_nothing";
    race(test, "v4", Durability::Off, 4);
}

#[test]
fn racing_with_syncs_loses_and_repeats_nothing() {
    let test = "racing_with_syncs_loses_and_repeats_nothing";
    race(test, "v4", Durability::Full, 1);
}
