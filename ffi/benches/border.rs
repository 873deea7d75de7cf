//! What the border costs: the same operation called in Rust and through the exported functions.
#![allow(missing_docs, unused_must_use)]
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::cast_precision_loss,
    clippy::undocumented_unsafe_blocks, // every pointer is to a value of the calling function
    clippy::multiple_unsafe_ops_per_block
)]

use std::collections::VecDeque;
use std::hint::black_box;
use std::ptr::null;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use sandi::device::NewDevice;
use sandi::keys::IdentityKeyPair;
use sandi::protocol::{IdentityScope, Options, ServerStock};
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

/// Messages in a round, of each side.
const ROUND: usize = 500;
const ROUNDS: usize = 200;

/// Nanoseconds for each of a round's steps.
fn time(mut step: impl FnMut()) -> f64 {
    let start = Instant::now();
    for _ in 0..ROUND {
        step();
    }
    start.elapsed().as_nanos() as f64 / ROUND as f64
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// Rust and C take turns, round by round, so that whatever else the machine does meets both.
fn compare(name: &str, mut round: impl FnMut() -> (f64, f64)) {
    round();
    let (rust, c): (Vec<_>, Vec<_>) = (0..ROUNDS).map(|_| round()).unzip();
    let added = median(rust.iter().zip(&c).map(|(rust, c)| c - rust).collect());
    println!("{name}: Rust {:.0} ns, C {:.0} ns, added {added:.0} ns", median(rust), median(c));
}

fn main() {
    let start = Instant::now();
    unsafe { sandi_device_free(device("alice")) };
    println!("first device, store in memory: {:?} after the start of main", start.elapsed());

    let (rng, now) = (&mut OsRng::default(), Timestamp(NOW));
    let (mut alice, mut bob) = rust_pair();
    let (a, b) = (alice.address().clone(), bob.address().clone());
    let (alice_c, bob_c) = pair();
    let (to, from) = (address("bob"), address("alice"));
    let (mut sent, mut sent_c) = (VecDeque::new(), VecDeque::new());
    compare("encrypt", || {
        // What the other comparison needs is not kept.
        sent.clear();
        sent_c.drain(..).for_each(|mut sent: SandiSent| unsafe {
            sandi_buffer_free(&mut sent.bytes);
        });
        let rust = time(|| sent.push_back(alice.encrypt(&b, &TEXT, now, rng).unwrap()));
        (rust, time(|| sent_c.push_back(encrypt(alice_c, &to))))
    });
    compare("encrypt and free", || {
        let rust = time(|| drop(alice.encrypt(&b, &TEXT, now, rng).unwrap()));
        let c = time(|| unsafe {
            sandi_buffer_free(&mut encrypt(alice_c, &to).bytes);
        });
        (rust, c)
    });

    sent.clear();
    sent_c.clear();
    let (mut alice, mut bob_2) = rust_pair();
    std::mem::swap(&mut bob, &mut bob_2);
    let (alice_c, bob_c2) = pair();
    compare("decrypt, read, commit and free", || {
        for _ in 0..ROUND {
            sent.push_back(alice.encrypt(&b, &TEXT, now, rng).unwrap());
            sent_c.push_back(encrypt(alice_c, &to));
        }
        let rust = time(|| {
            let sent = sent.pop_front().unwrap();
            let received = bob.decrypt(&a, sent.message_type, &sent.bytes, now, rng).unwrap();
            black_box(received.plaintext().to_vec());
            drop(received.commit().unwrap());
        });
        (rust, time(|| decrypt(bob_c2, &from, sent_c.pop_front().unwrap())))
    });

    let (mut number, mut key) = (0, NO_BUFFER);
    compare("a call that does nothing (registration id)", || {
        let rust = time(|| {
            black_box(bob.registration_id());
        });
        let c = time(|| unsafe {
            black_box(sandi_device_registration_id(bob_c, &mut number));
        });
        (rust, c)
    });
    compare("a buffer of 33 bytes, given and freed", || {
        let rust = time(|| drop(black_box(bob.identity_key().encode().to_vec())));
        let c = time(|| unsafe {
            sandi_device_identity_key(bob_c, &mut key);
            sandi_buffer_free(&mut key);
        });
        (rust, c)
    });
}
