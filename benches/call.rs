//! Protecting and opening the packets of a call, against AES-128-CTR and HMAC-SHA-1 over the same bytes with
//! keys that are expanded already.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects
)]

mod common;

use std::hint::black_box;

use aes::Aes128;
use aes::cipher::{InnerIvInit, StreamCipherCore};
use common::criterion;
use criterion::{BatchSize, Throughput};
use hmac::{Hmac, KeyInit, Mac};
use rand::SeedableRng;
use rand::rngs::StdRng;
use sandi::Jid;
use sandi::call::{CallKey, CallKeyLedger, SrtpProfile};
use sha1::Sha1;

/// Opus at 20 ms, and video.
const LENGTHS: [usize; 2] = [160, 1200];

fn packet(length: usize, sequence: u16) -> [u8; 1216] {
    let mut packet = [7; 1216];
    packet[..2].copy_from_slice(&[0x80, 0x78]);
    packet[2..4].copy_from_slice(&sequence.to_be_bytes());
    packet[length..].fill(0);
    packet
}

fn main() {
    let mut c = criterion();
    let mut group = c.benchmark_group("call");
    let own = Jid::parse("111111111111111:0@lid").unwrap();
    for length in LENGTHS {
        group.throughput(Throughput::Bytes(length as u64));
        let (cipher, mac) = (
            Aes128::new(&[1; 16].into()),
            <Hmac<Sha1> as KeyInit>::new_from_slice(&[2; 20]).unwrap(),
        );
        let mut buffer = packet(length, 0);
        group.bench_function(format!("floor/{length}"), |b| {
            b.iter(|| {
                let payload = black_box(&mut buffer[12..length]);
                ctr::CtrCore::<&Aes128, ctr::flavors::Ctr128BE>::inner_iv_init(
                    &cipher,
                    &[3; 16].into(),
                )
                .apply_keystream_partial(payload.into());
                let mut mac = mac.clone();
                mac.update(&buffer[..length]);
                mac.update(&[0; 4]);
                mac.finalize()
            });
        });
        let key = CallKey::generate(&mut StdRng::seed_from_u64(1));
        let mut key = CallKeyLedger::new().admit("bench", key).unwrap();
        let mut sender = key.sender(&own, SrtpProfile::default()).unwrap();
        let mut sequence = 0_u16;
        group.bench_function(format!("protect/{length}"), |b| {
            b.iter(|| {
                buffer[2..4].copy_from_slice(&sequence.to_be_bytes());
                sequence = sequence.wrapping_add(1);
                sender.protect_rtp(black_box(&mut buffer), length).unwrap()
            });
        });
        // The same packet verifies in a new context only; that is set up outside the measurement.
        let key = CallKey::generate(&mut StdRng::seed_from_u64(2));
        let mut key = CallKeyLedger::new().admit("bench", key).unwrap();
        let mut protected = packet(length, 1);
        let mut sender = key.sender(&own, SrtpProfile::default()).unwrap();
        let whole = sender.protect_rtp(&mut protected, length).unwrap();
        group.bench_function(format!("unprotect/{length}"), |b| {
            b.iter_batched_ref(
                || (key.receiver(&own, SrtpProfile::default()), protected),
                |(receiver, packet)| receiver.unprotect_rtp(black_box(&mut packet[..whole])),
                BatchSize::SmallInput,
            );
        });
    }
    group.finish();
    c.final_summary();
    common::table(
        "Media packets, against AES-128-CTR and HMAC-SHA-1",
        &[
            ("call/protect/160", "call/floor/160"),
            ("call/unprotect/160", "call/floor/160"),
            ("call/protect/1200", "call/floor/1200"),
            ("call/unprotect/1200", "call/floor/1200"),
        ],
    );
}
