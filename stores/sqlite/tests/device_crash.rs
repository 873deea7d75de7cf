//! Two devices converse over SQLite in one process, which is killed at random instants, over and over.
//!
//! What leaves a device is written to the world's file first and delivered from there, again and again until it is
//! in the recipient's inbox, which is part of the commit that decrypts it. Afterwards no message key was used for two
//! messages, nothing was delivered twice, nothing that had left was lost, and the conversation goes on.
//!
//! `SANDI_CRASHES` sets how often each test kills (default 100).
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, missing_docs)]
#![allow(clippy::arithmetic_side_effects)]

#[allow(dead_code, unreachable_pub)]
mod world;

use std::collections::BTreeSet;
use std::env;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use chacha20::ChaCha20Rng;
use chacha20::rand_core::Rng;
use sandi::device::{Device, DeviceError};
use sandi::protocol::{Encrypt, Encrypted, Recipient, ServerStock};
use sandi::{Error, RecordKey, Store};
use sandi_sqlite::{Durability, SqliteStore};
use tempfile::tempdir;
use world::{
    Appender, SIDES, World, address, child, complaint, inbox, message_bytes, once, open_device,
    open_store, policy, read_message, replenish, rng, start, text,
};

/// Messages on their way to one device beyond which nothing more is sent to it.
const UNDERWAY_MAX: usize = 8;
/// How many younger messages may be delivered before the oldest one: it then lies within the receiving chains that
/// are kept, whatever the order.
const AHEAD_MAX: u32 = 3;

/// Both ends, and all between them.
struct Conversation {
    devices: Vec<Device<SqliteStore>>,
    world: World,
    appender: Appender,
    delivered: [BTreeSet<u32>; 2],
    directory: PathBuf,
    rng: ChaCha20Rng,
}

fn outbox() -> RecordKey {
    RecordKey::Application(b"outbox".as_slice().into())
}

fn note_count() -> RecordKey {
    RecordKey::Application(b"notes".as_slice().into())
}

fn note(number: u32) -> RecordKey {
    RecordKey::Application([&b"note "[..], &number.to_be_bytes()].concat().into())
}

/// How many messages are noted in records of the application.
fn notes(store: &SqliteStore) -> (Option<u64>, u32) {
    store.load(&note_count()).unwrap().map_or((None, 0), |record| {
        (Some(record.revision()), u32::from_le_bytes(record.bytes().try_into().unwrap()))
    })
}

/// All that was delivered to a side: what is in the application's table, and what in its records.
fn delivered(store: &SqliteStore, side: usize) -> BTreeSet<u32> {
    let mut all = inbox(store, side);
    for at in 0..notes(store).1 {
        let record = store.load(&note(at)).unwrap().unwrap();
        let found = std::str::from_utf8(record.bytes()).unwrap();
        let number = found.split(' ').nth(1).unwrap().parse().unwrap();
        assert_eq!(found, text(1 - side, number), "not what was sent");
        all.push(number);
    }
    once(&all)
}

impl Conversation {
    /// What a process does when it starts.
    fn resume(directory: &Path, dialect: &str) -> Self {
        let world = World::read(directory);
        let appender = Appender::open(directory);
        appender.cut(&world);
        let devices: Vec<_> = SIDES
            .iter()
            .map(|&side| {
                let open = || open_store(directory, side, Durability::Off);
                open_device(open, side, policy(dialect))
            })
            .collect();
        let delivered = SIDES.map(|side| delivered(devices[side].store(), side));
        let directory = directory.into();
        let mut this = Self { devices, world, appender, delivered, directory, rng: rng() };
        for side in SIDES {
            // A message that was durable together with its spent key, and had not left.
            if let Some(record) = this.devices[side].store().load(&outbox()).unwrap() {
                let sent = read_message(record.bytes());
                let is_new = sent.number == this.next_number(side);
                if is_new {
                    this.appender.recovered(side);
                }
                // What has left already may leave once more: the same bytes.
                if is_new || this.below(4) == 0 {
                    this.appender.sent(side, sent.number, &sent.message);
                }
            }
            this.catch_up();
            if this.world.servers[side].signed.is_none() {
                this.replenish(side);
            }
        }
        this
    }

    fn catch_up(&mut self) {
        self.world.catch_up(&self.directory, usize::MAX);
    }

    fn below(&mut self, n: u32) -> u32 {
        self.rng.next_u32() % n
    }

    /// The first number that has not left.
    fn next_number(&self, side: usize) -> u32 {
        self.world.sent[side].last().map_or(0, |sent| sent.number + 1)
    }

    fn underway(&self, to: usize) -> Vec<usize> {
        let sent = &self.world.sent[1 - to];
        let delivered = &self.delivered[to];
        let is_underway = |at: &usize| !delivered.contains(&sent[*at].number);
        // All but the youngest few have been delivered.
        let mut found: Vec<_> = (0..sent.len()).rev().take(64).filter(is_underway).collect();
        found.reverse();
        found
    }

    fn replenish(&mut self, side: usize) {
        let (world, appender) = (&mut self.world, &mut self.appender);
        replenish(&mut self.devices[side], side, world, appender, &mut self.rng);
    }

    fn start_session(&mut self, side: usize) {
        let peer = &self.devices[1 - side];
        let Some(bundle) = self.appender.bundle(&mut self.world, 1 - side, peer) else { return };
        let now = self.world.now();
        let started =
            self.devices[side].start_session(&address(1 - side), &bundle, now, &mut self.rng);
        started.unwrap();
    }

    /// Sends one to four messages, in one of three ways.
    fn send(&mut self, side: usize) {
        let (to, now, first) = (address(1 - side), self.world.now(), self.next_number(side));
        let count = if self.below(4) == 0 { 2 + self.below(3) } else { 1 };
        let texts: Vec<String> = (first..first + count).map(|number| text(side, number)).collect();
        let with_outbox = count == 1 && self.below(2) == 0;
        let device = &mut self.devices[side];
        let result: Result<Vec<Encrypted>, _> = if with_outbox {
            // In the commit that spends its key.
            let loaded = device.store().load(&outbox()).unwrap().map(|record| record.revision());
            let recipients = [Recipient { address: &to, plaintext: texts[0].as_bytes() }];
            let mut note_rng = rng();
            let operation = Encrypt { recipients: &recipients };
            device.perform_with(&operation, now, &mut self.rng, |sent, changes| {
                if let Ok(message) = &sent[0].message {
                    let bytes = message_bytes(first, message);
                    changes.put(outbox(), loaded, bytes, &mut note_rng)?;
                }
                Ok(())
            })
        } else {
            let recipients: Vec<_> = texts
                .iter()
                .map(|text| Recipient { address: &to, plaintext: text.as_bytes() })
                .collect();
            device.encrypt_many(&recipients, now, &mut self.rng)
        };
        for (number, sent) in (first..).zip(result.unwrap()) {
            match sent.message {
                Ok(message) => self.appender.sent(side, number, &message),
                Err(Error::SessionNotFound) => {
                    self.start_session(side);
                    break;
                }
                Err(error) => panic!("sending: {error}"),
            }
        }
        self.catch_up();
    }

    /// Delivers one message that was not delivered, or one that was.
    fn deliver(&mut self, to: usize) {
        let underway = self.underway(to);
        let at = if underway.is_empty() || self.below(6) == 0 {
            let count = self.world.sent[1 - to].len();
            if count == 0 {
                return;
            }
            count - 1 - usize::try_from(self.below(30)).unwrap().min(count - 1)
        } else {
            let sent = &self.world.sent[1 - to];
            let oldest = sent[underway[0]].number;
            let is_near = |at: &&usize| sent[**at].number <= oldest + AHEAD_MAX;
            let near = underway.iter().filter(is_near).count();
            underway[usize::try_from(self.below(u32::try_from(near).unwrap())).unwrap()]
        };
        let sent = self.world.sent[1 - to][at].clone();
        let was_delivered = self.delivered[to].contains(&sent.number);
        let oldest = underway.first().map_or(u32::MAX, |at| self.world.sent[1 - to][*at].number);
        if !was_delivered && sent.number - oldest > AHEAD_MAX {
            return;
        }
        let (from, now) = (address(1 - to), self.world.now());
        let (kind, drop_it) = (self.below(2), self.below(8) == 0);
        let (loaded, count) = notes(self.devices[to].store());
        let mut note_rng = rng();
        let message = &sent.message;
        let received = self.devices[to].decrypt(
            &from,
            message.message_type,
            &message.bytes,
            now,
            &mut self.rng,
        );
        let received = match received {
            Ok(received) => received,
            // A duplicate is refused; which error it is depends on what is left of its session.
            Err(DeviceError::Protocol(_)) if was_delivered => return,
            Err(error) => panic!("{to} cannot read {}: {error}", sent.number),
        };
        assert!(!was_delivered, "{} is about to be delivered twice", sent.number);
        if drop_it {
            return;
        }
        let committed = if kind == 0 {
            received.commit_by(|store, changes, decrypted| {
                store.commit_with(changes, |transaction| {
                    let text = std::str::from_utf8(&decrypted.plaintext).unwrap();
                    let sql = "INSERT INTO inbox (number, text) VALUES (?1, ?2)";
                    transaction.execute(sql, (sent.number, text)).map(drop)
                })
            })
        } else {
            received.commit_with(|decrypted, changes| {
                let next = (count + 1).to_le_bytes().to_vec();
                changes.put(note_count(), loaded, next, &mut note_rng)?;
                changes.create(note(count), decrypted.plaintext.to_vec(), &mut note_rng)?;
                Ok(())
            })
        };
        committed.unwrap();
        self.appender.acknowledged(to, sent.number);
        self.delivered[to].insert(sent.number);
    }

    fn step(&mut self) {
        let side = SIDES[usize::from(self.below(2) == 0)];
        match self.below(100) {
            0..40 if self.underway(1 - side).len() < UNDERWAY_MAX => self.send(side),
            0..88 => self.deliver(side),
            88..93 => {
                self.start_session(side);
                self.send(side);
            }
            93..98 => self.replenish(side),
            _ => self.devices[side].forget_cached(),
        }
    }

    /// Delivers until everything is.
    fn settle(&mut self) {
        for to in SIDES {
            for _ in 0..10_000 {
                if self.underway(to).is_empty() {
                    break;
                }
                self.deliver(to);
            }
        }
    }
}

/// What a child does.
fn converse_forever(directory: &Path, dialect: &str) -> ! {
    let mut conversation = Conversation::resume(directory, dialect);
    std::io::stderr().write_all(b"r").unwrap();
    loop {
        conversation.step();
    }
}

/// What must hold at any moment, with nobody at work.
fn check(directory: &Path) -> World {
    // Reading it looks at every message key.
    let world = World::read(directory);
    for to in SIDES {
        if !directory.join(format!("{to}.sandi")).exists() {
            continue;
        }
        let found = delivered(&open_store(directory, to, Durability::Off), to);
        let sent: BTreeSet<u32> = world.sent[1 - to].iter().map(|sent| sent.number).collect();
        assert!(found.is_subset(&sent), "something was delivered that was not sent");
        let acknowledged = once(&world.acknowledged[to]);
        assert!(acknowledged.is_subset(&found), "a delivery whose commit had returned is gone");
    }
    world
}

/// What must hold once everything has been delivered, and that it goes on.
fn check_end(directory: &Path, dialect: &str) {
    let mut conversation = Conversation::resume(directory, dialect);
    conversation.settle();
    for side in SIDES {
        let sent = &conversation.world.sent[side];
        // Numbers have no gaps: what was lost before it left has been encrypted again.
        assert!((0..).zip(sent).all(|(number, sent)| number == sent.number));
        assert_eq!(conversation.delivered[1 - side].len(), sent.len(), "lost");
    }
    for round in 0..6 {
        let sent = conversation.world.sent.each_ref().map(Vec::len);
        conversation.send(round % 2);
        conversation.send(round % 2);
        assert!(conversation.world.sent[round % 2].len() > sent[round % 2], "cannot send");
        conversation.settle();
    }
    // Whatever was lost on the way to the server, there are pre-keys again.
    for side in SIDES {
        let now = conversation.world.now();
        let device = &mut conversation.devices[side];
        let upload = device.replenish(ServerStock::default(), now, &mut conversation.rng).unwrap();
        assert!(upload.one_time.len() >= 3, "no one-time pre-keys are made any more");
        assert!(dialect == "v3" || upload.one_time_kem.len() >= 3, "no KEM pre-keys");
    }
    drop(conversation);
    let world = check(directory);
    for to in SIDES {
        open_store(directory, to, Durability::Off).verify().unwrap();
        let found = delivered(&open_store(directory, to, Durability::Off), to);
        assert_eq!(found.len(), world.sent[1 - to].len());
    }
}

fn kill_at_random(test: &str, dialect: &str) {
    if let Some((directory, dialect)) = child() {
        converse_forever(&directory, &dialect);
    }
    let kills: u32 = env::var("SANDI_CRASHES").map_or(100, |text| text.parse().unwrap());
    let (mut random, start_time) = (rng(), Instant::now());
    let (mut messages, mut keys, mut recovered, mut unacknowledged) = (0, 0, 0, 0);
    let mut directory = tempdir().unwrap();
    for kill in 0..kills {
        if kill % 100 == 0 {
            directory = tempdir().unwrap();
        }
        let mut child = start(test, directory.path(), dialect);
        // One in five while it starts; the others at work.
        let longest = if kill % 5 == 0 {
            60_000
        } else {
            let mut ready = [0];
            let read = child.stderr.as_mut().unwrap().read_exact(&mut ready);
            assert!(read.is_ok() && ready == *b"r", "{}", complaint(&mut child));
            40_000
        };
        thread::sleep(Duration::from_micros(u64::from(random.next_u32()) % longest));
        child.kill().unwrap();
        let status = child.wait().unwrap();
        assert!(status.code().is_none(), "{status} before the kill: {}", complaint(&mut child));
        let is_last = kill % 100 == 99 || kill + 1 == kills;
        if is_last {
            check_end(directory.path(), dialect);
        }
        if is_last || kill % 10 == 0 {
            let world = check(directory.path());
            if is_last {
                messages += world.sent[0].len() + world.sent[1].len();
                keys += world.keys();
                recovered += world.recovered;
                let acknowledged = world.acknowledged[0].len() + world.acknowledged[1].len();
                unacknowledged += world.sent[0].len() + world.sent[1].len() - acknowledged;
            }
        }
    }
    println!(
        "{test}: {kills} kills in {:.1} s; {messages} messages under {keys} keys; {recovered} kills fell between a \
         commit and its message's leaving, {unacknowledged} between a delivery's commit and its return",
        start_time.elapsed().as_secs_f64()
    );
    assert!(messages > usize::try_from(kills).unwrap(), "the processes never got to work");
}

#[test]
fn a_conversation_of_version_3_survives_being_killed_at_any_instant() {
    let test = "a_conversation_of_version_3_survives_being_killed_at_any_instant";
    kill_at_random(test, "v3");
}

#[test]
fn a_conversation_of_version_4_survives_being_killed_at_any_instant() {
    let test = "a_conversation_of_version_4_survives_being_killed_at_any_instant";
    kill_at_random(test, "v4");
}
