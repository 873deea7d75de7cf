//! Record keys, changes, the store in memory, the sealed store and the store that fails on purpose.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
#![allow(clippy::arithmetic_side_effects, missing_docs)]

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::rc::Rc;
use std::sync::{Arc, Mutex};

use proptest::prelude::*;
use rand::SeedableRng;
use rand::rngs::StdRng;
use sandi::store::conformance::{self, Fault, FaultError, FaultStore, Model, Operation};
use sandi::store::{Expected, SealedError, Write};
use sandi::{
    Address, Changes, CommitError, DeviceId, Error, MemoryStore, Record, RecordKey, SealedStore,
    Secret, Store,
};

fn rng(seed: u64) -> StdRng {
    StdRng::seed_from_u64(seed)
}

fn sealed<S: Store>(inner: S) -> SealedStore<S, StdRng> {
    SealedStore::new(inner, &Secret::new([7; 32]), rng(1))
}

fn hidden<S: Store>(inner: S) -> SealedStore<S, StdRng> {
    SealedStore::with_hidden_keys(inner, &Secret::new([7; 32]), rng(1))
}

fn bob() -> Address {
    Address::new("bob", DeviceId::new(2).unwrap())
}

fn copy(write: &Write) -> Write {
    match write {
        Write::Put { revision, bytes } => Write::Put { revision: *revision, bytes: bytes.clone() },
        Write::Delete => Write::Delete,
        Write::Keep => Write::Keep,
    }
}

fn put_one(store: &mut impl Store<Error: std::fmt::Debug>, key: &RecordKey, bytes: &[u8]) -> u64 {
    let loaded = store.load(key).unwrap().map(|record| record.revision());
    let mut changes = Changes::new();
    let revision = changes.put(key.clone(), loaded, bytes.to_vec(), &mut rng(9)).unwrap();
    store.commit(&changes).unwrap();
    revision
}

// -- record keys ----------------------------------------------------------------------------------

#[test]
fn record_keys_read_back_and_no_two_share_their_bytes() {
    let keys = conformance::sample_keys();
    let mut seen = BTreeSet::new();
    for key in &keys {
        let bytes = key.to_bytes();
        assert_eq!(bytes.len(), bytes.capacity(), "one exact buffer for {key:?}");
        assert_eq!(RecordKey::from_bytes(&bytes).as_ref(), Ok(key));
        assert!(seen.insert(bytes), "bytes of {key:?} are those of another key");
    }
}

#[test]
fn record_keys_have_the_bytes_they_always_had() {
    let name = String::from("bob");
    for (key, bytes) in [
        (RecordKey::Local, "01"),
        (RecordKey::PreKeyLedger, "02"),
        (RecordKey::PreKey(0x0001_0203), "0300010203"),
        (RecordKey::SignedPreKey(1), "0400000001"),
        (RecordKey::KemPreKey(u32::MAX), "05ffffffff"),
        (
            RecordKey::KemReplay { kem_pre_key: 1, signed_pre_key: 2, bucket: 3 },
            "06000000010000000203",
        ),
        (RecordKey::Session(bob()), "10626f6202"),
        (RecordKey::SessionArchive { address: bob(), slot: 5 }, "11626f620200000005"),
        (RecordKey::SkippedKeys { address: bob(), page: 6 }, "12626f620200000006"),
        (RecordKey::Retry(bob()), "13626f6202"),
        (RecordKey::Identity { name: name.clone(), device: None }, "20626f62"),
        (RecordKey::Identity { name: name.clone(), device: Some(bob().device()) }, "21626f6202"),
        (RecordKey::User(name.clone()), "22626f62"),
        (RecordKey::EncryptionStatus(name.clone()), "23626f62"),
        (RecordKey::DeviceList(name), "24626f62"),
        (
            RecordKey::SenderKey { distribution: b"gg".as_slice().into(), sender: bob() },
            "30026767626f6202",
        ),
        (RecordKey::Group(b"gg".as_slice().into()), "316767"),
        (RecordKey::Application(b"x".as_slice().into()), "7078"),
    ] {
        assert_eq!(hex::encode(key.to_bytes()), bytes, "{key:?}");
    }
    let long = RecordKey::SenderKey { distribution: vec![1; 300].into(), sender: bob() };
    assert_eq!(hex::encode(&long.to_bytes()[..4]), "30ac0201");
}

#[test]
fn record_keys_that_are_not_canonical_are_refused() {
    for bad in [
        "",
        "00",
        "0100",
        "0200",
        "03",
        "03000000",
        "0300000000ff",
        "0600000001000000",
        "10",
        "10ff02",
        "110000",
        "1200000006",
        "20ff",
        "21",
        "30",
        "3005616203",
        "30800062",
        "3080808080006202",
        "30ffffffff7f",
        "7f00",
        "32",
        "80",
    ] {
        let bytes = hex::decode(bad).unwrap();
        assert_eq!(RecordKey::from_bytes(&bytes), Err(Error::InvalidState), "{bad}");
    }
}

proptest! {
    #[test]
    fn record_keys_from_any_bytes_are_refused_or_canonical(kind: u8, rest: Vec<u8>) {
        let bytes = [&[kind][..], &rest].concat();
        if let Ok(key) = RecordKey::from_bytes(&bytes) {
            prop_assert_eq!(key.to_bytes(), bytes);
        }
    }

    #[test]
    fn record_keys_with_any_names_read_back(name: String, device: u8, number: u32, group: Vec<u8>) {
        let address = Address::new(name.as_str(), DeviceId::new_v3(device.into()).unwrap());
        for key in [
            RecordKey::Session(address.clone()),
            RecordKey::SkippedKeys { address: address.clone(), page: number },
            RecordKey::SenderKey { distribution: group.into(), sender: address.clone() },
            RecordKey::Identity { name: name.clone(), device: Some(address.device()) },
            RecordKey::Identity { name, device: None },
        ] {
            prop_assert_eq!(RecordKey::from_bytes(&key.to_bytes()), Ok(key));
        }
    }
}

// -- changes --------------------------------------------------------------------------------------

#[test]
fn changes_hold_one_entry_a_record() {
    let mut changes = Changes::new();
    let first = changes.create(RecordKey::Local, vec![1], &mut rng(1)).unwrap();
    assert!((1..=1 << 62).contains(&first));
    let refused = Err(Error::InvalidArgument);
    assert_eq!(changes.create(RecordKey::Local, vec![2], &mut rng(1)), refused);
    assert_eq!(changes.update(RecordKey::Local, first, vec![2]), refused);
    assert_eq!(changes.delete(RecordKey::Local, first), Err(Error::InvalidArgument));
    assert_eq!(changes.require(RecordKey::Local, None), Err(Error::InvalidArgument));
    assert_eq!((changes.len(), changes.bytes_written()), (1, 1));
    assert_eq!(changes.get(&RecordKey::Local).unwrap().expected(), Expected::Absent);
}

#[test]
fn an_update_has_the_next_revision_and_none_follows_the_last() {
    let mut changes = Changes::new();
    assert_eq!(changes.update(RecordKey::PreKey(1), 41, vec![]), Ok(42));
    for last in [Changes::LAST_REVISION, u64::MAX] {
        let refused = changes.update(RecordKey::PreKey(2), last, vec![]);
        assert_eq!(refused, Err(Error::InvalidArgument));
    }
    assert_eq!(changes.len(), 1);
}

#[test]
fn a_record_created_anew_starts_another_life() {
    let (mut rng, mut firsts) = (rng(3), BTreeSet::new());
    for _ in 0..1_000 {
        firsts.insert(Changes::new().create(RecordKey::Local, vec![], &mut rng).unwrap());
    }
    assert_eq!(firsts.len(), 1_000);
}

#[test]
fn merged_changes_do_not_overlap() {
    let (mut one, mut two) = (Changes::new(), Changes::new());
    one.update(RecordKey::PreKey(1), 1, vec![1]).unwrap();
    two.update(RecordKey::PreKey(2), 1, vec![2, 2]).unwrap();
    one.merge(two).unwrap();
    assert_eq!((one.len(), one.bytes_written()), (2, 3));

    let mut overlapping = Changes::new();
    overlapping.delete(RecordKey::PreKey(3), 1).unwrap();
    overlapping.delete(RecordKey::PreKey(2), 1).unwrap();
    assert_eq!(one.merge(overlapping), Err(Error::InvalidArgument));
    assert_eq!(one.len(), 2);
}

#[test]
fn debug_shows_no_bytes() {
    let mut changes = Changes::new();
    changes.update(RecordKey::Local, 4, b"s3cr3t".to_vec()).unwrap();
    let mut store = MemoryStore::new();
    put_one(&mut store, &RecordKey::Local, b"s3cr3t");
    let text = format!(
        "{changes:?} {store:?} {:?} {:?}",
        Record::new(3, vec![115]),
        sealed(store.snapshot())
    );
    assert!(!text.contains("115") && !text.contains("s3cr3t"), "{text}");
    assert!(text.contains("revision 5, 6 bytes") && text.contains("Record(revision 3, 1 bytes)"));
}

// -- the contract ---------------------------------------------------------------------------------

#[test]
fn memory_store_conforms() {
    conformance::check(MemoryStore::new);
}

#[test]
fn sealed_stores_conform() {
    conformance::check(|| sealed(MemoryStore::new()));
    conformance::check(|| hidden(MemoryStore::new()));
}

#[test]
fn stores_behind_pointers_conform() {
    conformance::check(|| Box::new(MemoryStore::new()));
    conformance::check(|| Rc::new(RefCell::new(MemoryStore::new())));
    conformance::check(|| Arc::new(Mutex::new(MemoryStore::new())));
    conformance::check(|| FaultStore::new(MemoryStore::new()));

    let shared = Rc::new(RefCell::new(MemoryStore::new()));
    conformance::check_shared(|| shared.clone());
    let shared = Arc::new(Mutex::new(MemoryStore::new()));
    conformance::check_shared(|| shared.clone());
    let shared = Arc::new(Mutex::new(MemoryStore::new()));
    conformance::check_shared(|| sealed(shared.clone()));
    let shared = Arc::new(Mutex::new(MemoryStore::new()));
    conformance::check_durable(|| hidden(shared.clone()));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]
    #[test]
    fn stores_do_as_a_plain_map_does(steps in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..24), 0..40)) {
        fn replay(mut store: impl Store<Error: std::fmt::Debug>, steps: &[Vec<u8>]) {
            let mut model = Model::new();
            for step in steps {
                model.step(&mut store, step);
            }
            model.check(&store);
        }
        replay(MemoryStore::new(), &steps);
        replay(sealed(MemoryStore::new()), &steps);
        replay(hidden(MemoryStore::new()), &steps);
    }
}

/// The suite would not pass a store that gets the contract wrong.
#[test]
fn the_conformance_suite_catches_wrong_stores() {
    type Defect =
        fn(&mut MemoryStore, &Changes) -> Result<(), CommitError<std::convert::Infallible>>;
    #[derive(Debug)]
    struct Wrong(MemoryStore, Defect);
    impl Store for Wrong {
        type Error = std::convert::Infallible;
        fn load(&self, key: &RecordKey) -> Result<Option<Record>, Self::Error> {
            self.0.load(key)
        }
        fn commit(&mut self, changes: &Changes) -> Result<(), CommitError<Self::Error>> {
            self.1(&mut self.0, changes)
        }
    }
    type Edit = fn(&MemoryStore, &RecordKey, Expected, Write) -> Option<(Expected, Write)>;
    /// The entries of `changes`, each as `edit` makes it.
    fn edited(changes: &Changes, edit: Edit, store: &MemoryStore) -> Changes {
        let mut out = Changes::new();
        for (key, change) in changes.iter() {
            if let Some((expected, write)) =
                edit(store, key, change.expected(), copy(change.write()))
            {
                out.insert(key.clone(), expected, write).unwrap();
            }
        }
        out
    }
    let defects: [(&str, Defect); 6] = [
        ("overwrites blindly", |store, changes| {
            let blind = edited(
                changes,
                |store, key, _, write| {
                    Some((store.load(key).unwrap().map(|record| record.revision()).into(), write))
                },
                store,
            );
            store.commit(&blind)
        }),
        ("writes entry by entry", |store, changes| {
            for (key, change) in changes.iter() {
                let mut single = Changes::new();
                single.insert(key.clone(), change.expected(), copy(change.write())).unwrap();
                store.commit(&single)?;
            }
            Ok(())
        }),
        ("ignores what is only required", |store, changes| {
            let rest = edited(
                changes,
                |_, _, expected, write| {
                    (!matches!(write, Write::Keep)).then_some((expected, write))
                },
                store,
            );
            store.commit(&rest)
        }),
        ("forgets deletions", |store, changes| {
            let rest = edited(
                changes,
                |_, _, expected, write| {
                    Some((
                        expected,
                        if matches!(write, Write::Delete) { Write::Keep } else { write },
                    ))
                },
                store,
            );
            store.commit(&rest)
        }),
        ("drops empty records", |store, changes| {
            let rest = edited(
                changes,
                |_, _, expected, write| match write {
                    Write::Put { bytes, .. } if bytes.is_empty() => Some((expected, Write::Keep)),
                    write => Some((expected, write)),
                },
                store,
            );
            store.commit(&rest)
        }),
        ("counts revisions itself", |store, changes| {
            let rest = edited(
                changes,
                |_, _, expected, write| match (expected, write) {
                    (Expected::Absent, Write::Put { bytes, .. }) => {
                        Some((expected, Write::Put { revision: 1, bytes }))
                    }
                    (_, write) => Some((expected, write)),
                },
                store,
            );
            store.commit(&rest)
        }),
    ];
    for (name, defect) in defects {
        let caught =
            std::panic::catch_unwind(|| conformance::check(|| Wrong(MemoryStore::new(), defect)));
        assert!(caught.is_err(), "a store that {name} passed");
    }
}

#[test]
fn a_snapshot_goes_its_own_way() {
    let mut store = MemoryStore::new();
    assert!(store.is_empty());
    let revision = put_one(&mut store, &RecordKey::Local, b"one");
    let copy = store.snapshot();
    assert_eq!(put_one(&mut store, &RecordKey::Local, b"two"), revision + 1);
    assert_eq!(copy.load(&RecordKey::Local).unwrap().unwrap().bytes(), b"one");
    assert_eq!((copy.len(), copy.iter().count()), (1, 1));
}

// -- sealing --------------------------------------------------------------------------------------

/// Puts `bytes` under `key` in the store below the seal, at the revision given.
fn overwrite(store: &mut MemoryStore, key: &RecordKey, revision: u64, bytes: &[u8]) {
    let mut changes = Changes::new();
    let expected = store.load(key).unwrap().map(|record| record.revision()).into();
    let write = Write::Put { revision, bytes: bytes.to_vec().into() };
    changes.insert(key.clone(), expected, write).unwrap();
    store.commit(&changes).unwrap();
}

#[test]
fn a_sealed_record_shows_nothing_of_its_bytes() {
    let mut store = sealed(MemoryStore::new());
    let secret = [0x55; 64];
    put_one(&mut store, &RecordKey::Local, &secret);
    let one = store.inner().load(&RecordKey::Local).unwrap().unwrap();
    assert_eq!(one.bytes().len(), secret.len() + SealedStore::<MemoryStore, StdRng>::OVERHEAD);
    assert!(!one.bytes().windows(4).any(|part| part == [0x55; 4]));
    // The same bytes again have another nonce and another text.
    put_one(&mut store, &RecordKey::Local, &secret);
    let two = store.inner().load(&RecordKey::Local).unwrap().unwrap();
    assert_ne!(one.bytes()[1..13], two.bytes()[1..13]);
    assert_ne!(one.bytes()[13..29], two.bytes()[13..29]);
}

#[test]
fn a_sealed_record_is_rejected_after_any_change_of_a_byte() {
    let mut store = sealed(MemoryStore::new());
    put_one(&mut store, &RecordKey::Local, b"bytes");
    let record = store.inner().load(&RecordKey::Local).unwrap().unwrap();
    for at in 0..record.bytes().len() {
        let mut bytes = record.bytes().to_vec();
        bytes[at] ^= 0x40;
        overwrite(store.inner_mut(), &RecordKey::Local, record.revision(), &bytes);
        let error =
            if at == 0 { SealedError::UnrecognizedVersion(0x41) } else { SealedError::Rejected };
        assert_eq!(store.load(&RecordKey::Local).unwrap_err(), error, "byte {at}");
    }
    for length in 0..record.bytes().len() {
        let bytes = &record.bytes()[..length];
        overwrite(store.inner_mut(), &RecordKey::Local, record.revision(), bytes);
        assert_eq!(store.load(&RecordKey::Local).unwrap_err(), SealedError::Rejected, "{length}");
    }
    overwrite(store.inner_mut(), &RecordKey::Local, record.revision(), record.bytes());
    assert_eq!(store.load(&RecordKey::Local).unwrap().unwrap().bytes(), b"bytes");
}

#[test]
fn a_sealed_record_is_rejected_under_another_key_or_revision() {
    let mut store = sealed(MemoryStore::new());
    let (alice, bob) = (RecordKey::User("alice".into()), RecordKey::User("bob".into()));
    put_one(&mut store, &alice, b"alice");
    let old = store.inner().load(&alice).unwrap().unwrap();
    put_one(&mut store, &alice, b"new");
    // Another record.
    overwrite(store.inner_mut(), &bob, old.revision(), old.bytes());
    assert_eq!(store.load(&bob).unwrap_err(), SealedError::Rejected);
    // The old bytes at the new revision.
    overwrite(store.inner_mut(), &alice, old.revision() + 1, old.bytes());
    assert_eq!(store.load(&alice).unwrap_err(), SealedError::Rejected);
}

#[test]
fn a_sealed_store_is_rejected_under_another_application_key() {
    let mut store = sealed(MemoryStore::new());
    put_one(&mut store, &RecordKey::Local, b"bytes");
    let other = SealedStore::new(store.into_inner(), &Secret::new([8; 32]), rng(1));
    assert_eq!(other.load(&RecordKey::Local).unwrap_err(), SealedError::Rejected);
}

#[test]
fn hidden_keys_name_no_peer() {
    let mut store = hidden(MemoryStore::new());
    for name in ["alice", "bob"] {
        put_one(&mut store, &RecordKey::User(name.into()), name.as_bytes());
    }
    let inner: Vec<_> = store.inner().iter().map(|(key, _)| key.clone()).collect();
    assert_eq!(inner.len(), 2);
    assert!(inner.iter().all(|key| matches!(key, RecordKey::Hidden(_))));
    // Two records that changed places are rejected.
    let [one, two] = [&inner[0], &inner[1]].map(|key| store.inner().load(key).unwrap().unwrap());
    overwrite(store.inner_mut(), &inner[0], two.revision(), two.bytes());
    overwrite(store.inner_mut(), &inner[1], one.revision(), one.bytes());
    for name in ["alice", "bob"] {
        assert_eq!(store.load(&RecordKey::User(name.into())).unwrap_err(), SealedError::Rejected);
    }
}

#[test]
fn a_sealed_store_passes_errors_on() {
    let mut store = sealed(FaultStore::new(MemoryStore::new()));
    store.inner().inject(Operation::Load, 0, Fault::FailBefore);
    let injected = SealedError::Store(FaultError::Injected);
    assert_eq!(store.load(&RecordKey::Local).unwrap_err(), injected);
    store.inner().inject(Operation::Commit, 0, Fault::FailBefore);
    let mut changes = Changes::new();
    changes.create(RecordKey::Local, vec![1], &mut rng(1)).unwrap();
    assert_eq!(store.commit(&changes), Err(CommitError::Store(injected)));
    assert_eq!(store.commit(&changes), Ok(()));
    assert_eq!(store.commit(&changes), Err(CommitError::Conflict));
}

// -- faults ---------------------------------------------------------------------------------------

#[test]
fn faults_come_at_the_operation_they_were_planned_for() {
    let mut store = FaultStore::new(MemoryStore::new());
    let key = RecordKey::Local;
    put_one(&mut store, &key, b"1");
    store.inject(Operation::Load, 1, Fault::FailAfter);
    assert!(store.load(&key).is_ok());
    assert_eq!(store.load(&key).unwrap_err(), FaultError::Injected);
    assert!(store.load(&key).is_ok());
    assert_eq!((store.loads(), store.commits()), (4, 1));

    store.inject(Operation::Load, 0, Fault::CrashBefore);
    store.clear();
    assert!(store.load(&key).is_ok());
}

#[test]
fn a_fault_before_a_commit_leaves_no_trace_and_one_after_leaves_it_done() {
    for fault in Fault::ALL {
        let mut store = FaultStore::new(MemoryStore::new());
        let mut changes = Changes::new();
        changes.create(RecordKey::Local, vec![1], &mut rng(1)).unwrap();
        store.inject(Operation::Commit, 0, fault);
        let is_crash = matches!(fault, Fault::CrashBefore | Fault::CrashAfter);
        let expected = match fault {
            Fault::Conflict => CommitError::Conflict,
            _ if is_crash => CommitError::Store(FaultError::Crashed),
            _ => CommitError::Store(FaultError::Injected),
        };
        assert_eq!(store.commit(&changes), Err(expected), "{fault:?}");
        assert_eq!(store.has_crashed(), is_crash);
        if is_crash {
            assert_eq!(store.load(&RecordKey::Local).unwrap_err(), FaultError::Crashed);
            assert_eq!(store.commit(&changes), Err(CommitError::Store(FaultError::Crashed)));
        }
        let is_done = matches!(fault, Fault::FailAfter | Fault::CrashAfter);
        assert_eq!(
            store.into_inner().load(&RecordKey::Local).unwrap().is_some(),
            is_done,
            "{fault:?}"
        );
    }
}
