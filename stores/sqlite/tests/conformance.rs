//! The contract of `sandi::Store`, in memory and on disk, plain and sealed.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    missing_docs
)]

use std::path::Path;

use chacha20::ChaCha20Rng;
use chacha20::rand_core::SeedableRng;
use proptest::prelude::*;
use sandi::store::conformance::{self, Fault, FaultStore, Model, Operation};
use sandi::{Changes, RecordKey, SealedStore, Secret, Store};
use sandi_sqlite::{Durability, Options, SqliteStore};
use tempfile::TempDir;

/// Without syncs: what is compared here does not depend on them, and the suite commits ten thousand times.
fn open(path: &Path) -> SqliteStore {
    SqliteStore::open_with(path, Options::new().durability(Durability::Off)).unwrap()
}

fn sealed<S>(inner: S) -> SealedStore<S, ChaCha20Rng> {
    SealedStore::new(inner, &Secret::new([7; 32]), fresh_rng())
}

fn hidden<S>(inner: S) -> SealedStore<S, ChaCha20Rng> {
    SealedStore::with_hidden_keys(inner, &Secret::new([7; 32]), fresh_rng())
}

/// A nonce must not come again when a store is opened again.
fn fresh_rng() -> ChaCha20Rng {
    let mut seed = [0; 32];
    getrandom::fill(&mut seed).unwrap();
    ChaCha20Rng::from_seed(seed)
}

/// A new path at every call.
fn paths(directory: &TempDir) -> impl FnMut() -> std::path::PathBuf {
    let mut number = 0;
    move || {
        number += 1;
        directory.path().join(format!("{number}.sandi"))
    }
}

#[test]
fn sqlite_conforms_in_memory() {
    conformance::check(|| SqliteStore::open_in_memory().unwrap());
}

#[test]
fn sqlite_conforms_on_disk() {
    let directory = tempfile::tempdir().unwrap();
    let mut path = paths(&directory);
    conformance::check(|| open(&path()));
    let path = directory.path().join("durable");
    conformance::check_durable(|| open(&path));
    let path = directory.path().join("shared");
    conformance::check_shared(|| open(&path));
}

#[test]
fn sqlite_conforms_with_every_durability() {
    let directory = tempfile::tempdir().unwrap();
    for (name, durability) in
        [("full", Durability::Full), ("normal", Durability::Normal), ("off", Durability::Off)]
    {
        let path = directory.path().join(name);
        let options = Options::new().durability(durability);
        conformance::check_durable(|| SqliteStore::open_with(&path, options).unwrap());
    }
}

#[test]
fn sealed_sqlite_conforms() {
    let directory = tempfile::tempdir().unwrap();
    let mut path = paths(&directory);
    conformance::check(|| sealed(open(&path())));
    conformance::check(|| hidden(open(&path())));
    let path = directory.path().join("durable");
    conformance::check_durable(|| sealed(open(&path)));
    let path = directory.path().join("shared");
    conformance::check_shared(|| hidden(open(&path)));
}

/// Counts in two records to `end`, and opens the file anew after each failure, as one does who does not know
/// whether the commit took effect. A fault comes at the `nth` operation of its kind.
fn count_past_a_fault(path: &Path, end: u8, operation: Operation, nth: u64, fault: Fault) {
    let keys = [RecordKey::Local, RecordKey::User("bob".into())];
    let mut store = FaultStore::new(sealed(open(path)));
    store.inject(operation, nth, fault);
    let mut failures = 0;
    loop {
        let step = (|| -> Result<u8, String> {
            let mut changes = Changes::new();
            let mut numbers = [0; 2];
            for (key, number) in keys.iter().zip(&mut numbers) {
                let record = store.load(key).map_err(|error| error.to_string())?;
                *number = record.as_ref().map_or(0, |record| record.bytes()[0]);
                let revision = record.map(|record| record.revision());
                let bytes = vec![*number + 1];
                changes.put(key.clone(), revision, bytes, &mut fresh_rng()).unwrap();
            }
            assert_eq!(numbers[0], numbers[1], "half a commit");
            if numbers[0] < end {
                store.commit(&changes).map_err(|error| error.to_string())?;
            }
            Ok(numbers[0])
        })();
        match step {
            Ok(number) if number == end => break,
            Ok(_) => {}
            Err(_) => {
                failures += 1;
                drop(store);
                store = FaultStore::new(sealed(open(path)));
            }
        }
    }
    assert_eq!(failures, 1, "{operation:?} {nth} {fault:?}");
    store.inner().inner().verify().unwrap();
}

#[test]
fn a_fault_at_any_operation_is_got_over() {
    let directory = tempfile::tempdir().unwrap();
    let mut path = paths(&directory);
    for fault in Fault::ALL {
        for nth in 0..5 {
            count_past_a_fault(&path(), 5, Operation::Commit, nth, fault);
        }
        for nth in 0..11 {
            count_past_a_fault(&path(), 5, Operation::Load, nth, fault);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]
    /// Each inner list is a commit; an empty one closes the store and opens it again.
    #[test]
    fn sqlite_does_as_a_plain_map_does(
        steps in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..24), 0..40),
    ) {
        fn replay<S: Store<Error: std::fmt::Debug>>(mut open: impl FnMut() -> S, steps: &[Vec<u8>]) {
            let (mut model, mut store) = (Model::new(), open());
            for step in steps {
                if step.is_empty() {
                    drop(store);
                    store = open();
                    model.check(&store);
                } else {
                    model.step(&mut store, step);
                }
            }
            model.check(&store);
        }
        let directory = tempfile::tempdir().unwrap();
        replay(|| open(&directory.path().join("plain")), &steps);
        replay(|| sealed(open(&directory.path().join("sealed"))), &steps);
        replay(|| hidden(open(&directory.path().join("hidden"))), &steps);
    }
}
