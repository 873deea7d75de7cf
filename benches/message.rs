//! The hot path: one message, next to the bare primitives that it cannot do without, in one run.
//!
//! `cargo bench --bench message` ends with a table of ratios.
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
use common::{Device, conversing, criterion};
use criterion::{BatchSize, Criterion};
use hkdf::Hkdf;
use hmac::{Hmac, KeyInit, Mac};
use sandi::{Address, Policy};
use sha2::Sha256;
use x25519_dalek::{PublicKey, StaticSecret};

const SIZES: [(&str, usize); 3] = [("64B", 64), ("1KiB", 1024), ("64KiB", 65536)];
const DIALECTS: [(&str, Policy); 2] = [("v3", Policy::V3), ("v4", Policy::V4)];

/// What the protobuf around the ciphertext comes to, with the identities under the MAC.
const AROUND: usize = 66 + 1 + 35 + 4 + 4;
/// The SPQR message in it.
const SPQR_MESSAGE: usize = 39;

/// Both chain HMACs under one key, the 80-byte HKDF, and in version 4 SPQR's 64-byte HKDF.
fn keys(chain: &[u8; 32], salt: Option<&[u8; 32]>) -> [u8; 80] {
    let hmac = Hmac::<Sha256>::new_from_slice(chain).unwrap();
    let seed = hmac.clone().chain_update([1]).finalize().into_bytes();
    black_box(hmac.chain_update([2]).finalize().into_bytes());
    let mut okm = [0; 80];
    let salt = salt.map(|key| {
        let mut spqr = [0; 64];
        Hkdf::<Sha256>::new(Some(&[0; 32]), key).expand(&[7; 35], &mut spqr).unwrap();
        spqr
    });
    let salt = salt.as_ref().map(|okm| &okm[32..]);
    Hkdf::<Sha256>::new(salt, &seed).expand(b"WhisperMessageKeys", &mut okm).unwrap();
    okm
}

fn mac(okm: &[u8; 80], bytes: &[u8]) {
    let hmac = Hmac::<Sha256>::new_from_slice(&okm[32..64]).unwrap();
    black_box(hmac.chain_update(bytes).finalize().into_bytes());
}

fn floor(c: &mut Criterion) {
    for (dialect, salt) in [("v3", None), ("v4", Some([3; 32]))] {
        for (name, size) in SIZES {
            let (text, chain) = (vec![7; size], [9; 32]);
            let around = AROUND + if salt.is_some() { SPQR_MESSAGE } else { 0 };
            let mut buffer = vec![0; around + size + 16];
            c.bench_function(&format!("floor/{dialect}/encrypt/{name}"), |b| {
                b.iter(|| {
                    let okm = keys(black_box(&chain), salt.as_ref());
                    let cbc =
                        cbc::Encryptor::<Aes256>::new_from_slices(&okm[..32], &okm[64..]).unwrap();
                    cbc.encrypt_padded_b2b::<Pkcs7>(&text, &mut buffer[around..]).unwrap();
                    mac(&okm, &buffer);
                });
            });
            let okm = keys(&chain, salt.as_ref());
            let cbc = cbc::Encryptor::<Aes256>::new_from_slices(&okm[..32], &okm[64..]).unwrap();
            cbc.encrypt_padded_b2b::<Pkcs7>(&text, &mut buffer[around..]).unwrap();
            c.bench_function(&format!("floor/{dialect}/decrypt/{name}"), |b| {
                b.iter_batched_ref(
                    || buffer.clone(),
                    |buffer| {
                        let okm = keys(black_box(&chain), salt.as_ref());
                        mac(&okm, buffer);
                        let cbc = cbc::Decryptor::<Aes256>::new_from_slices(&okm[..32], &okm[64..])
                            .unwrap();
                        cbc.decrypt_padded::<Pkcs7>(&mut buffer[around..]).unwrap();
                    },
                    BatchSize::SmallInput,
                );
            });
        }
    }
    let (secret, public) = (StaticSecret::from([5; 32]), PublicKey::from([9; 32]));
    c.bench_function("floor/ladder", |b| b.iter(|| secret.diffie_hellman(black_box(&public))));
    // two agreements and a new key pair: what one step of the ratchet takes on the plain path
    c.bench_function("floor/step", |b| {
        b.iter(|| {
            let first = secret.diffie_hellman(black_box(&public));
            let fresh = StaticSecret::from([6; 32]);
            let second = fresh.diffie_hellman(black_box(&public));
            (first, second, PublicKey::from(&fresh))
        });
    });
}

fn same_chain(c: &mut Criterion) {
    for (dialect, policy) in DIALECTS {
        for (name, size) in SIZES {
            let text = vec![7; size];
            let (mut alice, bob) = conversing(policy);
            let mut out = Vec::with_capacity(size + 4096);
            c.bench_function(&format!("message/{dialect}/encrypt/{name}"), |b| {
                b.iter(|| alice.encrypt_into(&bob.address, black_box(&text), &mut out));
            });
            let (mut alice, mut bob) = conversing(policy);
            let (a, to) = (alice.address.clone(), bob.address.clone());
            c.bench_function(&format!("message/{dialect}/decrypt/{name}"), |b| {
                b.iter_batched_ref(
                    || {
                        let mut out = Vec::with_capacity(size + 4096);
                        alice.encrypt_into(&to, &text, &mut out);
                        out
                    },
                    |message| bob.decrypt_in_place(&a, message),
                    BatchSize::SmallInput,
                );
            });
        }
    }
}

/// One message each way: a step of the ratchet at both ends.
fn ping_pong(c: &mut Criterion) {
    for (dialect, policy) in DIALECTS {
        let (mut alice, mut bob) = conversing(policy);
        let (a, b) = (alice.address.clone(), bob.address.clone());
        let mut out = Vec::with_capacity(4096);
        let turn =
            |from: &mut Device, to: &mut Device, ends: (&Address, &Address), out: &mut Vec<u8>| {
                from.encrypt_into(ends.1, &[7; 64], out);
                to.decrypt_in_place(ends.0, out);
            };
        let mut flip = false;
        c.bench_function(&format!("message/{dialect}/ping-pong"), |bench| {
            bench.iter(|| {
                flip = !flip;
                if flip {
                    turn(&mut alice, &mut bob, (&a, &b), &mut out);
                } else {
                    turn(&mut bob, &mut alice, (&b, &a), &mut out);
                }
            });
        });
    }
}

/// A thousand messages in reverse: the time of all of them.
fn reverse(c: &mut Criterion) {
    for (dialect, policy) in DIALECTS {
        let (mut alice, mut bob) = conversing(policy);
        let (a, to) = (alice.address.clone(), bob.address.clone());
        c.bench_function(&format!("message/{dialect}/1000-in-reverse"), |bench| {
            bench.iter_batched(
                || {
                    let mut all = Vec::new();
                    for _ in 0..1000 {
                        let mut out = Vec::with_capacity(256);
                        alice.encrypt_into(&to, &[7; 64], &mut out);
                        all.push(out);
                    }
                    all
                },
                |all| {
                    for mut message in all.into_iter().rev() {
                        bob.decrypt_in_place(&a, &mut message);
                    }
                },
                BatchSize::PerIteration,
            );
        });
    }
}

fn main() {
    let mut c = criterion();
    floor(&mut c);
    same_chain(&mut c);
    ping_pong(&mut c);
    reverse(&mut c);
    c.final_summary();
    let mut rows = Vec::new();
    for (dialect, _) in DIALECTS {
        for (name, _) in SIZES {
            for what in ["encrypt", "decrypt"] {
                rows.push((
                    format!("message/{dialect}/{what}/{name}"),
                    format!("floor/{dialect}/{what}/{name}"),
                ));
            }
        }
        rows.push((format!("message/{dialect}/ping-pong"), "floor/step".to_owned()));
    }
    let rows: Vec<_> = rows.iter().map(|(id, floor)| (id.as_str(), floor.as_str())).collect();
    common::table("One message against the bare primitives", &rows);
    for (dialect, _) in DIALECTS {
        let reverse = common::median(&format!("message/{dialect}/1000-in-reverse"));
        let in_order = common::median(&format!("message/{dialect}/decrypt/64B"));
        if let (Some(reverse), Some(in_order)) = (reverse, in_order) {
            let each = reverse / 1000.0;
            println!(
                "{dialect}: 1000 in reverse, each {:.2} µs, {:.2} × in order",
                each / 1e3,
                each / in_order
            );
        }
    }
}
