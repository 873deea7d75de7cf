//! Random commits against a plain map.

use alloc::collections::BTreeMap;
use alloc::vec;
use alloc::vec::Vec;
use core::fmt::Debug;

use super::{expect, expect_absent, put};
use crate::address::{Address, DeviceId};
use crate::store::{Changes, CommitError, Expected, RecordKey, Store, Write};

/// What a store should hold, after commits that were derived from arbitrary bytes: some from the current
/// revisions, some from stale or wrong ones.
#[derive(Debug)]
pub struct Model {
    keys: Vec<RecordKey>,
    records: BTreeMap<RecordKey, (u64, Vec<u8>)>,
    /// Revisions that a key had before.
    past: BTreeMap<RecordKey, Vec<u64>>,
    /// The first revision of the next record that is created.
    next_life: u64,
}

impl Default for Model {
    fn default() -> Self {
        Self::new()
    }
}

impl Model {
    /// The model of an empty store.
    #[must_use]
    pub fn new() -> Self {
        let address = Address::new("bob", DeviceId::new(1).expect("a device id"));
        let mut keys = vec![RecordKey::Local, RecordKey::Session(address.clone())];
        keys.extend((0..3).map(RecordKey::PreKey));
        keys.extend((0..2).map(|page| RecordKey::SkippedKeys { address: address.clone(), page }));
        keys.push(RecordKey::Application([0, 255].into()));
        Self { keys, records: BTreeMap::new(), past: BTreeMap::new(), next_life: 1 }
    }

    /// One commit, of one entry for every three bytes (the key, what to do, how much to write). Checks that
    /// the store takes or refuses it as the model says, and that the records named are then as they should be.
    pub fn step<S: Store<Error: Debug>>(&mut self, store: &mut S, bytes: &[u8]) {
        let mut changes = Changes::new();
        for entry in bytes.chunks_exact(3) {
            let (which, action, amount) = (entry[0], entry[1], entry[2]);
            let key = self.keys[usize::from(which) % self.keys.len()].clone();
            let expected = self.expectation(&key, action);
            let write = self.write(expected, action, which, amount);
            // A key named twice in a step: the first stands.
            let _ = changes.insert(key, expected, write);
        }
        let revision_of = |key| self.records.get(key).map(|(revision, _)| *revision);
        let is_met =
            changes.iter().all(|(key, change)| change.expected().is_met_by(revision_of(key)));

        match (store.commit(&changes), is_met) {
            (Ok(()), true) => self.apply(&changes),
            (Err(CommitError::Conflict), false) => {}
            (result, _) => panic!("{changes:?} gave {result:?}; expectations met: {is_met}"),
        }
        for (key, _) in changes.iter() {
            self.check_record(store, key);
        }
    }

    /// `steps` commits, derived from `seed`.
    pub fn run<S: Store<Error: Debug>>(&mut self, store: &mut S, seed: u64, steps: usize) {
        let mut random = SplitMix(seed);
        for _ in 0..steps {
            let bytes: Vec<u8> = (0..3 * (1 + random.next() % 6)).map(|_| random.byte()).collect();
            self.step(store, &bytes);
        }
        self.check(store);
    }

    /// Checks every record of the model, and that the store has no other under the model's keys.
    pub fn check<S: Store<Error: Debug>>(&self, store: &S) {
        for key in &self.keys {
            self.check_record(store, key);
        }
    }

    fn check_record<S: Store<Error: Debug>>(&self, store: &S, key: &RecordKey) {
        match self.records.get(key) {
            Some((revision, bytes)) => expect(store, key, *revision, bytes),
            None => expect_absent(store, key),
        }
    }

    /// Most often the true revision; else an earlier one, the next one, or absence.
    fn expectation(&self, key: &RecordKey, action: u8) -> Expected {
        let current = self.records.get(key).map(|(revision, _)| *revision);
        match action % 16 {
            0 => Expected::Absent,
            1 => Expected::Revision(current.unwrap_or(0) + 1),
            2 => self
                .past
                .get(key)
                .and_then(|past| past.get(usize::from(action / 16) % past.len().max(1)))
                .map_or(Expected::Revision(0), |&revision| Expected::Revision(revision)),
            _ => current.into(),
        }
    }

    fn write(&mut self, expected: Expected, action: u8, which: u8, amount: u8) -> Write {
        let revision = match expected {
            Expected::Revision(revision) => revision + 1,
            Expected::Absent => {
                self.next_life += 1_000_000;
                self.next_life
            }
        };
        // A few hundred bytes, now and then some ten thousand.
        let length = usize::from(amount) * if amount.is_multiple_of(16) { 90 } else { 1 };
        match action / 16 {
            0..=2 => Write::Delete,
            3 => Write::Keep,
            _ => put(revision, &vec![which ^ amount; length]),
        }
    }

    fn apply(&mut self, changes: &Changes) {
        for (key, change) in changes.iter() {
            if let (Some((revision, _)), Write::Put { .. } | Write::Delete) =
                (self.records.get(key), change.write())
            {
                self.past.entry(key.clone()).or_default().push(*revision);
            }
            match change.write() {
                Write::Put { revision, bytes } => {
                    self.records.insert(key.clone(), (*revision, bytes.to_vec()));
                }
                Write::Delete => {
                    self.records.remove(key);
                }
                Write::Keep => {}
            }
        }
    }
}

/// SplitMix64: spread, not secret.
struct SplitMix(u64);

impl SplitMix {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    fn byte(&mut self) -> u8 {
        self.next().to_le_bytes()[0]
    }
}
