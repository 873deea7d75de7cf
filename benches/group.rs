//! One message to a group, next to the signature or the verification that it cannot do without, in one run.
//!
//! `cargo bench --bench group` ends with a table of ratios.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects
)]

mod common;

use std::hint::black_box;

use aes::Aes256;
use aes::cipher::block_padding::Pkcs7;
use aes::cipher::{BlockModeDecrypt, BlockModeEncrypt, KeyIvInit};
use common::criterion;
use criterion::{BatchSize, Criterion};
use curve25519_dalek::edwards::EdwardsPoint;
use curve25519_dalek::montgomery::MontgomeryPoint;
use curve25519_dalek::scalar::Scalar;
use hkdf::Hkdf;
use hmac::{Hmac, KeyInit, Mac};
use rand::SeedableRng;
use rand::rngs::StdRng;
use sandi::GroupDialect;
use sandi::group::{Distribution, SenderKeyRecord};
use sandi::keys::KeyPair;
use sandi::wire::{SenderKeyDistributionMessage, SenderKeyMessage};
use sha2::{Digest, Sha256, Sha512};

const SIZES: [(&str, usize); 3] = [("64B", 64), ("1KiB", 1024), ("64KiB", 65536)];

/// What the protobuf around the ciphertext comes to, the signature left out.
const AROUND: usize = 1 + 18 + 6 + 2 + 4;

fn by() -> Distribution {
    Distribution::Id([0xD1; 16])
}

/// Both chain HMACs under one key, and the 48-byte HKDF.
fn keys(chain: &[u8; 32]) -> [u8; 48] {
    let hmac = Hmac::<Sha256>::new_from_slice(chain).unwrap();
    let seed = hmac.clone().chain_update([1]).finalize().into_bytes();
    black_box(hmac.chain_update([2]).finalize().into_bytes());
    let mut okm = [0; 48];
    Hkdf::<Sha256>::new(None, &seed).expand(b"WhisperGroup", &mut okm).unwrap();
    okm
}

/// One signature by a key whose Edwards form is at hand: two hashes and one scalar multiplication.
fn sign(a: &Scalar, public: &[u8; 32], message: &[u8]) -> [u8; 32] {
    let r = Sha512::new().chain_update([7; 64]).chain_update(message).chain_update([9; 64]);
    let r = Scalar::from_bytes_mod_order_wide(&r.finalize().into());
    let big_r = EdwardsPoint::mul_base(&r).compress().to_bytes();
    let h = Sha512::new().chain_update(big_r).chain_update(public).chain_update(message);
    (Scalar::from_bytes_mod_order_wide(&h.finalize().into()) * a + r).to_bytes()
}

/// One verification by a decoded key: one hash and one double scalar multiplication.
fn verify(public: &EdwardsPoint, encoded: &[u8; 32], signature: &[u8], message: &[u8]) -> bool {
    let (r, s) = signature.split_at(32);
    let h = Sha512::new().chain_update(r).chain_update(encoded).chain_update(message);
    let h = Scalar::from_bytes_mod_order_wide(&h.finalize().into());
    let mut s: [u8; 32] = s.try_into().unwrap();
    s[31] &= 0x7F;
    let s = Scalar::from_bytes_mod_order(s);
    EdwardsPoint::vartime_double_scalar_mul_basepoint(&-h, public, &s).compress().to_bytes() == r
}

fn floor(c: &mut Criterion) {
    let mut rng = StdRng::seed_from_u64(1);
    let pair = KeyPair::generate(&mut rng);
    let a = Scalar::from_bytes_mod_order(*pair.private_key().secret().expose());
    for (name, size) in SIZES {
        let text = vec![7; size];
        let mut buffer = vec![0; AROUND + size + 16];
        let encoded = EdwardsPoint::mul_base(&a).compress().to_bytes();
        c.bench_function(&format!("floor/group/encrypt/{name}"), |b| {
            b.iter(|| {
                let okm = keys(black_box(&[9; 32]));
                let cbc =
                    cbc::Encryptor::<Aes256>::new_from_slices(&okm[16..], &okm[..16]).unwrap();
                cbc.encrypt_padded_b2b::<Pkcs7>(&text, &mut buffer[AROUND..]).unwrap();
                black_box(sign(&a, &encoded, &buffer));
            });
        });
        let okm = keys(&[9; 32]);
        let cbc = cbc::Encryptor::<Aes256>::new_from_slices(&okm[16..], &okm[..16]).unwrap();
        cbc.encrypt_padded_b2b::<Pkcs7>(&text, &mut buffer[AROUND..]).unwrap();
        let signature = pair.private_key().sign(&buffer, &mut rng);
        let point = MontgomeryPoint(*pair.public_key().as_raw()).to_edwards(signature[63] >> 7);
        let point = point.unwrap();
        c.bench_function(&format!("floor/group/decrypt/{name}"), |b| {
            b.iter_batched_ref(
                || buffer.clone(),
                |buffer| {
                    assert!(verify(&point, &encoded, &signature, buffer));
                    let okm = keys(black_box(&[9; 32]));
                    let cbc =
                        cbc::Decryptor::<Aes256>::new_from_slices(&okm[16..], &okm[..16]).unwrap();
                    black_box(cbc.decrypt_padded::<Pkcs7>(&mut buffer[AROUND..]).unwrap());
                },
                BatchSize::SmallInput,
            );
        });
    }
}

/// A sender, and a receiver that holds its key.
fn pair(rng: &mut StdRng) -> (SenderKeyRecord, SenderKeyRecord) {
    let (mut sender, mut receiver) = (SenderKeyRecord::new(), SenderKeyRecord::new());
    let told = sender.create_distribution(&by(), rng).unwrap();
    let told = SenderKeyDistributionMessage::parse(GroupDialect::Distribution, &told).unwrap();
    receiver.process_distribution(&told);
    (sender, receiver)
}

fn group(c: &mut Criterion) {
    let mut rng = StdRng::seed_from_u64(2);
    for (name, size) in SIZES {
        let text = vec![7; size];
        let (mut sender, _) = pair(&mut rng);
        let mut out = Vec::with_capacity(size + 256);
        c.bench_function(&format!("group/encrypt/{name}"), |b| {
            b.iter(|| {
                out.clear();
                sender.encrypt_into(&by(), &text, &mut rng, &mut out).unwrap();
            });
        });
        // the receiver starts where the sender is now
        let told = sender.create_distribution(&by(), &mut rng).unwrap();
        let told = SenderKeyDistributionMessage::parse(GroupDialect::Distribution, &told).unwrap();
        let mut receiver = SenderKeyRecord::new();
        receiver.process_distribution(&told);
        c.bench_function(&format!("group/decrypt/{name}"), |b| {
            b.iter_batched_ref(
                || sender.encrypt(&by(), &text, &mut rng).unwrap(),
                |message| {
                    receiver.decrypt_in_place(GroupDialect::Distribution, message).unwrap();
                },
                BatchSize::PerIteration,
            );
        });
    }
}

/// What a store adds: a record is read, used once and written.
fn stored(c: &mut Criterion) {
    let mut rng = StdRng::seed_from_u64(3);
    let (mut sender, mut receiver) = pair(&mut rng);
    c.bench_function("group/stored/encrypt", |b| {
        let mut record = sender.encode();
        b.iter(|| {
            let mut own = SenderKeyRecord::decode(&record).unwrap();
            black_box(own.encrypt(&by(), &[7; 64], &mut rng).unwrap());
            record = own.encode();
        });
    });
    let message = sender.encrypt(&by(), &[7; 64], &mut rng).unwrap();
    let fresh = receiver.encode();
    let view = SenderKeyMessage::parse(GroupDialect::Distribution, &message).unwrap();
    receiver.decrypt(&view).unwrap();
    c.bench_function("group/stored/decrypt", |b| {
        b.iter(|| {
            let mut record = SenderKeyRecord::decode(black_box(&fresh)).unwrap();
            black_box(record.decrypt(&view).unwrap());
            black_box(record.encode());
        });
    });
    // every seed of a jump, once the signature has verified
    let mut far = SenderKeyRecord::decode(&sender.encode()).unwrap();
    for _ in 0..1_999 {
        far.encrypt(&by(), &[], &mut rng).unwrap();
    }
    let message = far.encrypt(&by(), &[7; 64], &mut rng).unwrap();
    let view = SenderKeyMessage::parse(GroupDialect::Distribution, &message).unwrap();
    c.bench_function("group/decrypt/after a gap of 2000", |b| {
        b.iter_batched_ref(
            || SenderKeyRecord::decode(&fresh).unwrap(),
            |record| record.decrypt(&view).unwrap(),
            BatchSize::SmallInput,
        );
    });
    // the whole price of a wrong signature
    let mut forged = message.clone();
    *forged.last_mut().unwrap() ^= 1;
    let view = SenderKeyMessage::parse(GroupDialect::Distribution, &forged).unwrap();
    c.bench_function("group/forged", |b| {
        b.iter(|| receiver.decrypt(black_box(&view)).unwrap_err());
    });
}

fn main() {
    let mut c = criterion();
    floor(&mut c);
    group(&mut c);
    stored(&mut c);
    c.final_summary();
    let mut rows = Vec::new();
    for (name, _) in SIZES {
        for what in ["encrypt", "decrypt"] {
            rows.push((format!("group/{what}/{name}"), format!("floor/group/{what}/{name}")));
        }
    }
    for what in ["encrypt", "decrypt"] {
        rows.push((format!("group/stored/{what}"), format!("floor/group/{what}/64B")));
    }
    rows.push(("group/forged".into(), "floor/group/decrypt/64B".into()));
    let rows: Vec<_> = rows.iter().map(|(id, floor)| (id.as_str(), floor.as_str())).collect();
    common::table("messages to a group", &rows);
}
