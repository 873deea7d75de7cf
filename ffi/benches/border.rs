//! What the border costs: the same operation called in Rust and through the exported functions.
#![allow(missing_docs, unused_must_use)]
#![allow(
    clippy::unwrap_used,
    clippy::undocumented_unsafe_blocks, // every pointer is to a value of the calling function
    clippy::multiple_unsafe_ops_per_block
)]

use std::hint::black_box;
use std::ptr::null;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use criterion::{BatchSize, Criterion, criterion_group};
use sandi::device::NewDevice;
use sandi::keys::IdentityKeyPair;
use sandi::protocol::{IdentityScope, Options, Recipient, ServerStock};
use sandi::{Address, Device, DeviceId, MemoryStore, OsRng, Timestamp};
use sandi_ffi::*;

const NOW: u64 = 1_700_000_000_000;
const TEXT: [u8; 64] = [7; 64];
const NO_BUFFER: SandiBuffer = SandiBuffer { data: null(), len: 0, id: 0 };

type Store = Arc<Mutex<MemoryStore>>;

fn rust_device(name: &str) -> Device<Store> {
    let rng = &mut OsRng::default();
    let new = NewDevice {
        address: Address::new(name, DeviceId::new(1).unwrap()),
        identity: IdentityKeyPair::generate(rng),
        registration_id: 1,
        scope: IdentityScope::Account,
    };
    Device::create(Store::default(), new, Options::default(), rng).unwrap()
}

/// A sender and a receiver whose session is answered.
fn rust_pair() -> (Device<Store>, Device<Store>) {
    let (mut alice, mut bob) = (rust_device("alice"), rust_device("bob"));
    let (rng, now) = (&mut OsRng::default(), Timestamp(NOW));
    let upload = bob.replenish(ServerStock::default(), now, rng).unwrap();
    let bundle = upload.bundle(DeviceId::new(1).unwrap(), 0).unwrap();
    let (a, b) = (alice.address().clone(), bob.address().clone());
    alice.start_session(&b, &bundle, now, rng).unwrap();
    let first = alice.encrypt(&b, &TEXT, now, rng).unwrap();
    bob.decrypt(&a, first.message_type, &first.bytes, now, rng).unwrap().commit().unwrap();
    let answer = bob.encrypt(&a, &TEXT, now, rng).unwrap();
    alice.decrypt(&b, answer.message_type, &answer.bytes, now, rng).unwrap().commit().unwrap();
    (alice, bob)
}

fn address(name: &str) -> SandiAddress {
    SandiAddress { name: name.as_ptr(), name_len: name.len(), device: 1 }
}

fn device(name: &str) -> SandiDevice {
    let new = SandiNewDevice {
        address: address(name),
        identity: null(),
        identity_len: 0,
        registration_id: 1,
        scope: SANDI_SCOPE_ACCOUNT,
    };
    let (mut store, mut out) = (SandiStore { id: 0 }, SandiDevice { id: 0 });
    unsafe { sandi_store_memory(&mut store) };
    assert_eq!(unsafe { sandi_device_create(store, &new, null(), &mut out) }, SandiStatus::Ok);
    out
}

fn encrypt(from: SandiDevice, to: &SandiAddress) -> SandiSent {
    let mut sent = SandiSent {
        status: SandiStatus::Ok,
        message_type: 0,
        registration_id: 0,
        device: 0,
        bytes: NO_BUFFER,
        name: NO_BUFFER,
    };
    let (data, len) = (TEXT.as_ptr(), TEXT.len());
    let status = unsafe { sandi_device_encrypt(from, to, data, len, NOW, &mut sent) };
    assert_eq!(status, SandiStatus::Ok);
    sent
}

fn decrypt(at: SandiDevice, from: &SandiAddress, mut sent: SandiSent) {
    let (mut received, mut text) = (SandiReceived { id: 0 }, NO_BUFFER);
    let (data, len) = (sent.bytes.data, sent.bytes.len);
    unsafe {
        let kind = sent.message_type;
        let status = sandi_device_decrypt(at, from, kind, data, len, NOW, &mut received);
        assert_eq!(status, SandiStatus::Ok);
        sandi_received_plaintext(received, &mut text);
        sandi_buffer_free(&mut text);
        assert_eq!(sandi_received_commit(received), SandiStatus::Ok);
        sandi_received_free(received);
        sandi_buffer_free(&mut sent.bytes);
    }
}

fn pair() -> (SandiDevice, SandiDevice) {
    let (alice, bob) = (device("alice"), device("bob"));
    let (mut upload, mut bundle) = (SandiUpload { id: 0 }, NO_BUFFER);
    unsafe {
        sandi_device_replenish(bob, 0, 0, NOW, &mut upload);
        sandi_upload_bundle(upload, 1, 0, &mut bundle);
        let to = address("bob");
        sandi_device_start_session(alice, &to, bundle.data, bundle.len, NOW);
    }
    decrypt(bob, &address("alice"), encrypt(alice, &address("bob")));
    decrypt(alice, &address("bob"), encrypt(bob, &address("alice")));
    (alice, bob)
}

fn messages(c: &mut Criterion) {
    let (rng, now) = (&mut OsRng::default(), Timestamp(NOW));
    let (mut alice, mut bob) = rust_pair();
    let (a, b) = (alice.address().clone(), bob.address().clone());
    c.bench_function("encrypt, Rust", |bench| {
        bench.iter(|| {
            let to = [Recipient { address: &b, plaintext: &TEXT }];
            alice.encrypt_many(&to, now, rng).unwrap()
        });
    });
    let (alice_c, bob_c) = pair();
    let (to, from) = (address("bob"), address("alice"));
    c.bench_function("encrypt, C", |bench| {
        bench.iter(|| unsafe { sandi_buffer_free(&mut encrypt(alice_c, &to).bytes) });
    });

    // In order: what was measured above is skipped first.
    let (mut alice, mut bob_2) = rust_pair();
    std::mem::swap(&mut bob, &mut bob_2);
    c.bench_function("decrypt and commit, Rust", |bench| {
        bench.iter_batched(
            || alice.encrypt(&b, &TEXT, now, &mut OsRng::default()).unwrap(),
            |sent| {
                // As the other: read, committed, and freed within the time that is taken.
                let received = bob.decrypt(&a, sent.message_type, &sent.bytes, now, rng).unwrap();
                black_box(received.plaintext().to_vec());
                drop(received.commit().unwrap());
            },
            BatchSize::PerIteration,
        );
    });
    let (alice_c2, bob_c2) = pair();
    c.bench_function("decrypt, read and commit, C", |bench| {
        bench.iter_batched(
            || encrypt(alice_c2, &to),
            |sent| decrypt(bob_c2, &from, sent),
            BatchSize::PerIteration,
        );
    });
    let mut number = 0;
    c.bench_function("a call that does nothing (registration id)", |bench| {
        bench.iter(|| unsafe { sandi_device_registration_id(bob_c, &mut number) });
    });
    let mut key = NO_BUFFER;
    c.bench_function("a buffer of 33 bytes, given and freed", |bench| {
        bench.iter(|| unsafe {
            sandi_device_identity_key(bob_c, &mut key);
            sandi_buffer_free(&mut key)
        });
    });
}

criterion_group! {
    name = border;
    config = Criterion::default()
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(3));
    targets = messages
}

fn main() {
    let start = Instant::now();
    let alice = device("alice");
    println!("first device, store in memory: {:?} after the start of main", start.elapsed());
    unsafe { sandi_device_free(alice) };
    border();
    Criterion::default().configure_from_args().final_summary();
}
