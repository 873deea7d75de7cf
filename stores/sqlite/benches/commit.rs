//! What a commit and a load cost, with and without syncs, plain and sealed.
#![allow(clippy::unwrap_used, clippy::arithmetic_side_effects, missing_docs)]

use std::hint::black_box;

use chacha20::ChaCha20Rng;
use chacha20::rand_core::SeedableRng;
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use sandi::{Address, Changes, DeviceId, MemoryStore, RecordKey, SealedStore, Secret, Store};
use sandi_sqlite::{Durability, Options, SqliteStore};

/// About what one message of a running session writes.
const RECORD: usize = 1_000;

fn rng() -> ChaCha20Rng {
    ChaCha20Rng::from_seed([1; 32])
}

fn session(peer: u64) -> RecordKey {
    RecordKey::Session(Address::new(format!("peer-{peer}"), DeviceId::new(1).unwrap()))
}

/// A store with `records` sessions, and their revision.
fn fill<S: Store<Error: std::fmt::Debug>>(mut store: S, records: u64) -> (S, Vec<u64>) {
    let mut changes = Changes::new();
    let mut rng = rng();
    let revisions = (0..records)
        .map(|peer| changes.create(session(peer), vec![0x5A; RECORD], &mut rng).unwrap())
        .collect();
    store.commit(&changes).unwrap();
    (store, revisions)
}

/// Updates `batch` of the records in one commit, then the next ones.
fn commits<S: Store<Error: std::fmt::Debug>>(
    c: &mut Criterion,
    name: &str,
    store: S,
    records: u64,
    batch: u64,
) {
    let (mut store, mut revisions) = fill(store, records);
    let mut group = c.benchmark_group(format!("commit of {batch}"));
    group.throughput(Throughput::Elements(batch)).sample_size(20);
    let mut at = 0;
    group.bench_function(BenchmarkId::from_parameter(name), |b| {
        b.iter(|| {
            let mut changes = Changes::new();
            for _ in 0..batch {
                at = (at + 7919) % records;
                let revision = revisions.get_mut(usize::try_from(at).unwrap()).unwrap();
                *revision = changes.update(session(at), *revision, vec![0xA5; RECORD]).unwrap();
            }
            store.commit(&changes).unwrap();
        });
    });
}

fn benches(c: &mut Criterion) {
    let directory = tempfile::tempdir().unwrap();
    let mut number = 0;
    let mut open = |durability| {
        number += 1;
        let path = directory.path().join(format!("{number}.sandi"));
        SqliteStore::open_with(path, Options::new().durability(durability)).unwrap()
    };
    let seal = |inner| SealedStore::new(inner, &Secret::new([7; 32]), rng());
    for batch in [1, 100] {
        commits(c, "memory", MemoryStore::new(), 1_000, batch);
        commits(c, "sqlite, sync full", open(Durability::Full), 1_000, batch);
        commits(c, "sqlite, sync normal", open(Durability::Normal), 1_000, batch);
        commits(c, "sqlite, sync off", open(Durability::Off), 1_000, batch);
        commits(c, "sqlite sealed, sync off", seal(open(Durability::Off)), 1_000, batch);
    }
    commits(c, "sqlite, sync off, 100,000 sessions", open(Durability::Off), 100_000, 1);

    let mut group = c.benchmark_group("load");
    let (store, _) = fill(open(Durability::Off), 1_000);
    let sealed = fill(seal(open(Durability::Off)), 1_000).0;
    let (large, _) = fill(open(Durability::Off), 100_000);
    let mut at = 0;
    let mut next = |records| {
        at = (at + 7919) % records;
        session(at)
    };
    group.bench_function("sqlite", |b| b.iter(|| black_box(store.load(&next(1_000)).unwrap())));
    group.bench_function("sqlite sealed", |b| {
        b.iter(|| black_box(sealed.load(&next(1_000)).unwrap()))
    });
    group.bench_function("sqlite, 100,000 sessions", |b| {
        b.iter(|| black_box(large.load(&next(100_000)).unwrap()));
    });
}

criterion_group!(all, benches);
criterion_main!(all);
