//! What every [`Store`] must pass, and tools to test what stands on a store.
//!
//! For the author of a store, in a test:
//!
//! ```
//! # use sandi::store::{conformance, MemoryStore};
//! conformance::check(MemoryStore::new);
//! ```
//!
//! and, for a store whose data outlive a handle, [`check_durable`] and [`check_shared`]. What they cannot
//! show is a crash in the middle of a commit: kill the process at random instants, and check
//! afterwards that two records which are always written together still agree.
//!
//! All checks panic with what was wrong.

// A test suite fails by panicking.
#![allow(clippy::panic, clippy::expect_used, clippy::missing_panics_doc)]
#![allow(clippy::arithmetic_side_effects, clippy::indexing_slicing)]

mod fault;
mod model;

use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;
use core::fmt::Debug;

pub use fault::{Fault, FaultError, FaultStore, Operation};
pub use model::Model;

use super::{Changes, CommitError, Expected, Record, RecordKey, Store, Write};
use crate::address::{Address, DeviceId};

/// Checks the contract on one handle. `empty` makes a new, empty store at every call.
pub fn check<S: Store<Error: Debug>>(mut empty: impl FnMut() -> S) {
    finds_nothing_in_an_empty_store(&mut empty());
    keeps_bytes_and_revision(&mut empty());
    tells_every_key_from_every_other(&mut empty());
    creates_only_what_is_absent(&mut empty());
    refuses_a_stale_revision(&mut empty());
    deletes(&mut empty());
    does_not_confuse_a_record_with_its_earlier_life(&mut empty());
    requires_without_writing(&mut empty());
    writes_all_or_nothing(&mut empty());
    takes_many_and_large_records(&mut empty());
    for seed in 0..8 {
        let (mut model, mut store) = (Model::new(), empty());
        model.run(&mut store, seed, 200);
    }
}

/// Checks that what was committed is there for the next handle. Each call of `open` opens the same data,
/// empty at first; the handle before it has been dropped.
pub fn check_durable<S: Store<Error: Debug>>(mut open: impl FnMut() -> S) {
    let mut model = Model::new();
    for seed in 0..8 {
        let mut store = open();
        model.check(&store);
        model.run(&mut store, seed, 25);
    }
    model.check(&open());
}

/// Checks that two handles on the same data, empty at first, see and refuse each other's commits. Each call of
/// `open` gives a further handle.
pub fn check_shared<S: Store<Error: Debug>>(mut open: impl FnMut() -> S) {
    let (mut one, mut two) = (open(), open());
    let key = RecordKey::Local;
    commit(&mut one, &[(&key, Expected::Absent, put(1, b"one"))]);
    expect(&two, &key, 1, b"one");
    commit(&mut two, &[(&key, Expected::Revision(1), put(2, b"two"))]);
    refuse(&mut one, &[(&key, Expected::Revision(1), put(2, b"lost"))]);
    expect(&one, &key, 2, b"two");

    // Each handle follows the other through random commits.
    commit(&mut one, &[(&key, Expected::Revision(2), Write::Delete)]);
    let mut model = Model::new();
    for seed in 0..16 {
        model.run(&mut one, seed, 5);
        model.check(&two);
        model.run(&mut two, seed + 100, 5);
        model.check(&one);
    }
}

/// A key of every kind, and keys that a careless encoding would take for one another.
#[must_use]
pub fn sample_keys() -> Vec<RecordKey> {
    let device = |id| DeviceId::new_v3(id).expect("a device id");
    let address = |name: &str, id| Address::new(name, device(id));
    let names =
        ["", "a", "a\u{1}", "a\u{1}\u{0}", "ab", "alice@example.org", "PNI:x", "\u{e9}\u{301}"];
    let mut keys = vec![RecordKey::Local, RecordKey::PreKeyLedger];
    for id in [0, 1, 256, 0x0100_0000, u32::MAX] {
        keys.extend([RecordKey::PreKey(id), RecordKey::SignedPreKey(id), RecordKey::KemPreKey(id)]);
        keys.extend([(id, 0, 0), (7, id, 0), (id, 1, 255)].map(
            |(kem_pre_key, signed_pre_key, bucket)| RecordKey::KemReplay {
                kem_pre_key,
                signed_pre_key,
                bucket,
            },
        ));
    }
    for name in names {
        keys.push(RecordKey::User(name.into()));
        keys.push(RecordKey::EncryptionStatus(name.into()));
        keys.push(RecordKey::DeviceList(name.into()));
        keys.push(RecordKey::Application(name.as_bytes().into()));
        keys.push(RecordKey::Identity { name: name.into(), device: None });
        for id in [0, 1, 97, 127] {
            let address = address(name, id);
            keys.push(RecordKey::Identity { name: name.into(), device: Some(device(id)) });
            keys.push(RecordKey::Session(address.clone()));
            keys.push(RecordKey::Retry(address.clone()));
            for number in [0, 1, 0x6101_0000] {
                keys.push(RecordKey::SessionArchive { address: address.clone(), slot: number });
                keys.push(RecordKey::SkippedKeys { address: address.clone(), page: number });
            }
            for distribution in [&[][..], b"a", b"ab", &[0xD1; 16], &[b'g'; 200]] {
                let distribution = distribution.into();
                keys.push(RecordKey::SenderKey { distribution, sender: address.clone() });
            }
        }
    }
    keys.extend([RecordKey::Hidden([0; 32]), RecordKey::Hidden([0x61; 32])]);
    keys.push(RecordKey::Application([0x00, 0xFF].into()));
    keys.push(RecordKey::User(String::from_utf8(vec![b'n'; 3_000]).expect("ASCII")));
    keys
}

fn finds_nothing_in_an_empty_store<S: Store<Error: Debug>>(store: &mut S) {
    for key in sample_keys() {
        expect_absent(store, &key);
    }
    commit(store, &[]);
}

fn keeps_bytes_and_revision<S: Store<Error: Debug>>(store: &mut S) {
    let all: Vec<u8> = (0..=255).collect();
    let contents = [&b""[..], b"\0", b"text", &all, &[0xFF; 5_000]];
    for (id, bytes) in (0..).zip(contents) {
        for (id, revision) in [(id, 1), (id + 100, 1 << 62), (id + 200, Changes::LAST_REVISION)] {
            let key = RecordKey::PreKey(id);
            commit(store, &[(&key, Expected::Absent, put(revision, bytes))]);
            expect(store, &key, revision, bytes);
        }
    }
    // An update replaces: shorter, empty, longer.
    let key = RecordKey::Local;
    commit(store, &[(&key, Expected::Absent, put(7, b"a longer text"))]);
    for (revision, bytes) in [(8, &b"short"[..]), (9, b""), (10, &[1; 10_000])] {
        commit(store, &[(&key, Expected::Revision(revision - 1), put(revision, bytes))]);
        expect(store, &key, revision, bytes);
    }
}

fn tells_every_key_from_every_other<S: Store<Error: Debug>>(store: &mut S) {
    let keys = sample_keys();
    for (revision, key) in (1..).zip(&keys) {
        commit(store, &[(key, Expected::Absent, put(revision, &key.to_bytes()))]);
    }
    for (revision, key) in (1..).zip(&keys) {
        expect(store, key, revision, &key.to_bytes());
    }
}

fn creates_only_what_is_absent<S: Store<Error: Debug>>(store: &mut S) {
    let key = RecordKey::Local;
    refuse(store, &[(&key, Expected::Revision(1), put(2, b"no"))]);
    expect_absent(store, &key);
    commit(store, &[(&key, Expected::Absent, put(5, b"first"))]);
    refuse(store, &[(&key, Expected::Absent, put(6, b"second"))]);
    expect(store, &key, 5, b"first");
}

fn refuses_a_stale_revision<S: Store<Error: Debug>>(store: &mut S) {
    let key = RecordKey::Local;
    commit(store, &[(&key, Expected::Absent, put(5, b"5"))]);
    commit(store, &[(&key, Expected::Revision(5), put(6, b"6"))]);
    for wrong in [0, 1, 4, 5, 7, Changes::LAST_REVISION - 1] {
        refuse(store, &[(&key, Expected::Revision(wrong), put(wrong + 1, b"no"))]);
        refuse(store, &[(&key, Expected::Revision(wrong), Write::Delete)]);
        refuse(store, &[(&key, Expected::Revision(wrong), Write::Keep)]);
    }
    expect(store, &key, 6, b"6");
}

fn deletes<S: Store<Error: Debug>>(store: &mut S) {
    let (key, other) = (RecordKey::PreKey(1), RecordKey::PreKey(2));
    commit(
        store,
        &[(&key, Expected::Absent, put(1, b"1")), (&other, Expected::Absent, put(1, b"2"))],
    );
    commit(store, &[(&key, Expected::Revision(1), Write::Delete)]);
    expect_absent(store, &key);
    expect(store, &other, 1, b"2");
    refuse(store, &[(&key, Expected::Revision(1), Write::Delete)]);
}

fn does_not_confuse_a_record_with_its_earlier_life<S: Store<Error: Debug>>(store: &mut S) {
    let key = RecordKey::PreKey(1);
    commit(store, &[(&key, Expected::Absent, put(10, b"first life"))]);
    commit(store, &[(&key, Expected::Revision(10), Write::Delete)]);
    commit(store, &[(&key, Expected::Absent, put(90, b"second life"))]);
    refuse(store, &[(&key, Expected::Revision(10), put(11, b"no"))]);
    refuse(store, &[(&key, Expected::Revision(10), Write::Delete)]);
    expect(store, &key, 90, b"second life");
}

fn requires_without_writing<S: Store<Error: Debug>>(store: &mut S) {
    let (read, write) = (RecordKey::User("u".into()), RecordKey::Local);
    let absent = (&read, Expected::Absent, Write::Keep);
    commit(store, &[absent, (&write, Expected::Absent, put(1, b"1"))]);
    expect_absent(store, &read);
    commit(store, &[(&read, Expected::Absent, put(3, b"u"))]);
    let absent = (&read, Expected::Absent, Write::Keep);
    refuse(store, &[absent, (&write, Expected::Revision(1), put(2, b"2"))]);
    let present = (&read, Expected::Revision(3), Write::Keep);
    commit(store, &[present, (&write, Expected::Revision(1), put(2, b"2"))]);
    expect(store, &read, 3, b"u");
    expect(store, &write, 2, b"2");
}

/// One stale entry, wherever it stands, undoes the whole commit.
fn writes_all_or_nothing<S: Store<Error: Debug>>(store: &mut S) {
    let keys: Vec<RecordKey> = (0..9).map(RecordKey::PreKey).collect();
    for key in &keys {
        commit(store, &[(key, Expected::Absent, put(1, b"old"))]);
    }
    for stale in 0..keys.len() {
        let entries: Vec<_> = keys
            .iter()
            .enumerate()
            .map(|(at, key)| {
                let expected = Expected::Revision(if at == stale { 2 } else { 1 });
                let write = if at % 3 == 1 { Write::Delete } else { put(2, b"new") };
                (key, expected, write)
            })
            .collect();
        refuse(store, &entries);
        for key in &keys {
            expect(store, key, 1, b"old");
        }
    }
    // A key that would be new, beside a stale one.
    let fresh = RecordKey::Local;
    let stale = (&keys[8], Expected::Absent, Write::Keep);
    refuse(store, &[(&fresh, Expected::Absent, put(1, b"new")), stale]);
    expect_absent(store, &fresh);
}

fn takes_many_and_large_records<S: Store<Error: Debug>>(store: &mut S) {
    let large: Vec<u8> =
        (0..1_000_003_u32).map(|at| at.to_le_bytes()[usize::from(at % 7 == 0)]).collect();
    commit(store, &[(&RecordKey::Local, Expected::Absent, put(1, &large))]);
    let mut changes = Changes::new();
    for id in 0..2_000_u32 {
        let write = put(u64::from(id) + 1, &id.to_be_bytes());
        changes.insert(RecordKey::PreKey(id), Expected::Absent, write).expect("distinct keys");
    }
    store.commit(&changes).expect("commits");
    for id in 0..2_000_u32 {
        expect(store, &RecordKey::PreKey(id), u64::from(id) + 1, &id.to_be_bytes());
    }
    expect(store, &RecordKey::Local, 1, &large);
}

fn put(revision: u64, bytes: &[u8]) -> Write {
    Write::Put { revision, bytes: bytes.to_vec().into() }
}

fn changes(entries: &[(&RecordKey, Expected, Write)]) -> Changes {
    let mut changes = Changes::new();
    for (key, expected, write) in entries {
        let write = match write {
            Write::Put { revision, bytes } => put(*revision, bytes),
            Write::Delete => Write::Delete,
            Write::Keep => Write::Keep,
        };
        changes.insert((*key).clone(), *expected, write).expect("distinct keys");
    }
    changes
}

fn commit<S: Store<Error: Debug>>(store: &mut S, entries: &[(&RecordKey, Expected, Write)]) {
    if let Err(error) = store.commit(&changes(entries)) {
        panic!("commit of {entries:?} failed: {error:?}");
    }
}

fn refuse<S: Store<Error: Debug>>(store: &mut S, entries: &[(&RecordKey, Expected, Write)]) {
    match store.commit(&changes(entries)) {
        Err(CommitError::Conflict) => {}
        other => panic!("commit of {entries:?} should conflict, gave {other:?}"),
    }
}

fn expect<S: Store<Error: Debug>>(store: &S, key: &RecordKey, revision: u64, bytes: &[u8]) {
    let record = load(store, key).unwrap_or_else(|| panic!("{key:?} is absent"));
    assert_eq!(record.revision(), revision, "revision of {key:?}");
    assert!(record.bytes() == bytes, "bytes of {key:?} are not what was written");
}

fn expect_absent<S: Store<Error: Debug>>(store: &S, key: &RecordKey) {
    assert!(load(store, key).is_none(), "{key:?} should be absent");
}

fn load<S: Store<Error: Debug>>(store: &S, key: &RecordKey) -> Option<Record> {
    match store.load(key) {
        Ok(record) => record,
        Err(error) => panic!("load of {key:?} failed: {error:?}"),
    }
}
