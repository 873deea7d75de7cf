//! One message through a `Device`: over memory and SQLite, alone and a hundred in one commit, with and without syncs,
//! among few sessions and among many. Ends with tables of what a message writes and what a session takes.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    missing_docs
)]

use std::alloc::System;
use std::cell::Cell;
use std::path::Path;
use std::time::Duration;

use chacha20::ChaCha20Rng;
use chacha20::rand_core::SeedableRng;
use criterion::{BatchSize, BenchmarkId, Criterion, Throughput};
use sandi::device::{Device, NewDevice};
use sandi::keys::IdentityKeyPair;
use sandi::migrate::official::encode_session;
use sandi::protocol::{IdentityScope, Options, PreKeyPlan, Recipient, ServerStock};
use sandi::session::CiphertextMessage;
use sandi::{
    Address, Changes, CommitError, DeviceId, MemoryStore, Policy, Record, RecordKey, Store,
    Timestamp,
};
use sandi_sqlite::{Durability, SqliteStore};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

const NOW: Timestamp = Timestamp(1_790_000_000_000);
const TEXT: [u8; 64] = [7; 64];
const DIALECTS: [(&str, Policy); 2] = [("v3", Policy::V3), ("v4", Policy::V4)];

fn address(name: &str) -> Address {
    Address::new(name, DeviceId::new(1).unwrap())
}

fn peer(number: usize) -> Address {
    address(&format!("peer-{number}"))
}

/// Counts what is written.
struct Counting<S> {
    inner: S,
    bytes: Cell<usize>,
}

impl<S> Counting<S> {
    const fn new(inner: S) -> Self {
        Self { inner, bytes: Cell::new(0) }
    }
}

impl<S: Store> Store for Counting<S> {
    type Error = S::Error;

    fn load(&self, key: &RecordKey) -> Result<Option<Record>, S::Error> {
        self.inner.load(key)
    }

    fn commit(&mut self, changes: &Changes) -> Result<(), CommitError<S::Error>> {
        self.bytes.set(changes.bytes_written());
        self.inner.commit(changes)
    }
}

/// A device and its random generator.
struct Party<S> {
    device: Device<S>,
    rng: ChaCha20Rng,
}

type Boxed = Box<dyn Store<Error = String>>;

/// A store of any kind behind one type.
struct Named<S>(S);

impl<S: Store<Error: std::fmt::Debug>> Store for Named<S> {
    type Error = String;

    fn load(&self, key: &RecordKey) -> Result<Option<Record>, String> {
        self.0.load(key).map_err(|error| format!("{error:?}"))
    }

    fn commit(&mut self, changes: &Changes) -> Result<(), CommitError<String>> {
        self.0.commit(changes).map_err(|error| error.map_store(|error| format!("{error:?}")))
    }
}

impl<S: Store<Error: std::fmt::Debug>> Party<S> {
    fn new(name: &str, policy: Policy, store: S) -> Self {
        let mut rng = ChaCha20Rng::from_seed([u8::try_from(name.len()).unwrap(); 32]);
        let identity = IdentityKeyPair::generate(&mut rng);
        let scope = IdentityScope::Account;
        let new = NewDevice { address: address(name), identity, registration_id: 1, scope };
        let pre_keys = PreKeyPlan { one_time: 1, one_time_kem: 1, ..PreKeyPlan::default() };
        let options = Options { dialects: policy, pre_keys, ..Options::default() };
        let device = Device::create(store, new, options, &mut rng).unwrap();
        Self { device, rng }
    }

    fn write(&mut self, to: &Address) -> CiphertextMessage {
        self.device.encrypt(to, &TEXT, NOW, &mut self.rng).unwrap()
    }

    fn read(&mut self, from: &Address, message: &CiphertextMessage) {
        let (kind, bytes) = (message.message_type, &message.bytes);
        let received = self.device.decrypt(from, kind, bytes, NOW, &mut self.rng).unwrap();
        received.commit().unwrap();
    }
}

/// Alice and Bob, each with the other's answer.
fn converse<A, B>(policy: Policy, a: A, b: B) -> (Party<A>, Party<B>)
where
    A: Store<Error: std::fmt::Debug>,
    B: Store<Error: std::fmt::Debug>,
{
    let (mut alice, mut bob) = (Party::new("alice", policy, a), Party::new("bob", policy, b));
    let upload = bob.device.replenish(ServerStock::default(), NOW, &mut bob.rng).unwrap();
    let bundle = upload.bundle(bob.device.address().device(), 0).unwrap();
    let (from, to) = (address("alice"), address("bob"));
    alice.device.start_session(&to, &bundle, NOW, &mut alice.rng).unwrap();
    // SPQR at work, as in a conversation of some age.
    for _ in 0..20 {
        let message = alice.write(&to);
        bob.read(&from, &message);
        let message = bob.write(&from);
        alice.read(&to, &message);
    }
    (alice, bob)
}

fn sqlite(directory: &Path, name: &str, durability: Durability) -> SqliteStore {
    let options = sandi_sqlite::Options::new().durability(durability);
    SqliteStore::open_with(directory.join(format!("{name}.sandi")), options).unwrap()
}

/// Stores the session and the identity of "bob" under `count` other names as well.
fn multiply<S: Store<Error: std::fmt::Debug>>(party: &mut Party<S>, count: usize) {
    let store = party.device.store();
    let session = store.load(&RecordKey::Session(address("bob"))).unwrap().unwrap();
    let identity = RecordKey::Identity { name: "bob".into(), device: None };
    let identity = store.load(&identity).unwrap().unwrap();
    for first in (0..count).step_by(10_000) {
        let mut changes = Changes::new();
        for number in first..count.min(first + 10_000) {
            let to = peer(number);
            let key = RecordKey::Identity { name: to.name().into(), device: None };
            changes.create(key, identity.bytes().to_vec(), &mut party.rng).unwrap();
            let key = RecordKey::Session(to);
            changes.create(key, session.bytes().to_vec(), &mut party.rng).unwrap();
        }
        party.device.store_mut().commit(&changes).unwrap();
    }
}

fn messages(c: &mut Criterion, directory: &Path) {
    for (dialect, policy) in DIALECTS {
        let stores = |name: &str| -> Vec<(&str, Boxed)> {
            let open = |kind: &str, durability| {
                Box::new(Named(sqlite(directory, &format!("{dialect}-{name}-{kind}"), durability)))
            };
            vec![
                ("memory", Box::new(Named(MemoryStore::new()))),
                ("sqlite without syncs", open("off", Durability::Off)),
                ("sqlite", open("full", Durability::Full)),
            ]
        };
        let mut group = c.benchmark_group(format!("device/{dialect}"));
        for (kind, store) in stores("encrypt") {
            let (mut alice, _bob) = converse(policy, store, MemoryStore::new());
            let to = address("bob");
            group.throughput(Throughput::Elements(1));
            group
                .bench_function(BenchmarkId::new("encrypt", kind), |b| b.iter(|| alice.write(&to)));
            multiply(&mut alice, 100);
            let peers: Vec<_> = (0..100).map(peer).collect();
            let recipients: Vec<_> =
                peers.iter().map(|address| Recipient { address, plaintext: &TEXT }).collect();
            group.throughput(Throughput::Elements(100));
            group.bench_function(BenchmarkId::new("encrypt to 100", kind), |b| {
                b.iter(|| alice.device.encrypt_many(&recipients, NOW, &mut alice.rng).unwrap());
            });
        }
        for (kind, store) in stores("decrypt") {
            let (mut alice, mut bob) = converse(policy, MemoryStore::new(), store);
            let (from, to) = (address("alice"), address("bob"));
            group.throughput(Throughput::Elements(1));
            group.bench_function(BenchmarkId::new("decrypt", kind), |b| {
                b.iter_batched(
                    || alice.write(&to),
                    |message| bob.read(&from, &message),
                    BatchSize::PerIteration,
                );
            });
        }
    }
}

/// The next message to any of many peers, each session read from the store first.
fn many_sessions(c: &mut Criterion, directory: &Path) {
    let mut group = c.benchmark_group("device/v4/encrypt among sessions");
    for count in [1_000, 100_000] {
        let stores: [(&str, Boxed); 2] = [
            ("memory", Box::new(Named(MemoryStore::new()))),
            (
                "sqlite without syncs",
                Box::new(Named(sqlite(directory, &format!("many-{count}"), Durability::Off))),
            ),
        ];
        for (kind, store) in stores {
            let (mut alice, _bob) = converse(Policy::V4, store, MemoryStore::new());
            multiply(&mut alice, count);
            alice.device.forget_cached();
            let mut alice = Party { device: alice.device.with_cache(0), rng: alice.rng };
            let mut at = 0;
            group.bench_function(BenchmarkId::new(kind, count), |b| {
                b.iter(|| {
                    at = (at + 7919) % count;
                    alice.write(&peer(at))
                });
            });
        }
    }
}

/// What a message writes, beside the official record of the same session, which is written whole every time.
fn bytes_written() {
    println!("\nbytes written for one message     one way    in turn    official record");
    for (dialect, policy) in DIALECTS {
        let stores = || Counting::new(MemoryStore::new());
        let (mut alice, mut bob) = converse(policy, stores(), stores());
        let (from, to) = (address("alice"), address("bob"));
        let mut measure = |in_turn: bool| {
            let (mut sum, mut official, rounds) = ([0, 0], [0, 0], 200);
            for _ in 0..rounds {
                let message = alice.write(&to);
                bob.read(&from, &message);
                sum[0] += alice.device.store().bytes.get();
                sum[1] += bob.device.store().bytes.get();
                official[0] += alice
                    .device
                    .read_session(&to, |session| encode_session(session).len())
                    .unwrap();
                official[1] += bob
                    .device
                    .read_session(&from, |session| encode_session(session).len())
                    .unwrap();
                if in_turn {
                    let message = bob.write(&from);
                    alice.read(&to, &message);
                }
            }
            (sum.map(|sum| sum / rounds), official.map(|sum| sum / rounds))
        };
        let in_turn = measure(true);
        let one_way = measure(false);
        for (at, what) in ["encrypt", "decrypt"].into_iter().enumerate() {
            println!(
                "  {dialect} {what:<28} {:>8}   {:>8}    {:>6} one way, {:>6} in turn",
                one_way.0[at], in_turn.0[at], one_way.1[at], in_turn.1[at]
            );
        }
    }
}

fn kept(region: &Region<'_, System>) -> usize {
    let change = region.change();
    change.bytes_allocated - change.bytes_deallocated
}

/// What a session takes, on disk and in memory.
fn sizes(directory: &Path) {
    const COUNT: usize = 10_000;
    println!(
        "\nbytes of a session        in the cache    in MemoryStore    in SQLite    (a GiB holds)"
    );
    for (dialect, policy) in DIALECTS {
        let path = format!("sizes-{dialect}");
        let store = sqlite(directory, &path, Durability::Off);
        let (mut alice, _bob) = converse(policy, store, MemoryStore::new());
        alice.device.store().truncate_log().unwrap();
        let file = directory.join(format!("{path}.sandi"));
        let before = std::fs::metadata(&file).unwrap().len();
        multiply(&mut alice, COUNT);
        alice.device.store().truncate_log().unwrap();
        let on_disk = usize::try_from(std::fs::metadata(&file).unwrap().len() - before).unwrap();
        // SQLite's own memory is not Rust's.
        let mut alice = Party { device: alice.device.with_cache(COUNT), rng: alice.rng };
        let region = Region::new(ALLOCATOR);
        for number in 0..1_000 {
            alice.write(&peer(number));
        }
        let cached = kept(&region) / 1_000;
        let (mut carol, _bob) = converse(policy, MemoryStore::new(), MemoryStore::new());
        let region = Region::new(ALLOCATOR);
        multiply(&mut carol, COUNT);
        let in_memory = kept(&region) / COUNT;
        let holds = |bytes: usize| (1 << 30) / bytes;
        let on_disk = on_disk / COUNT;
        println!(
            "  {dialect}                    {cached:>8}          {in_memory:>8}     {on_disk:>8}    {} / {} / {}",
            holds(cached),
            holds(in_memory),
            holds(on_disk)
        );
    }
}

fn main() {
    let directory = tempfile::tempdir().unwrap();
    let mut c = Criterion::default()
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_millis(1_200))
        .sample_size(20)
        .configure_from_args();
    messages(&mut c, directory.path());
    many_sessions(&mut c, directory.path());
    c.final_summary();
    bytes_written();
    sizes(directory.path());
}
