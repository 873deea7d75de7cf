//! SPQR alone: steady state, the messages at an epoch's boundary, decoding with loss, jumps; and the size of the
//! stored state in every state, official and compact.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::arithmetic_side_effects
)]

mod common;

use std::collections::BTreeMap;
use std::hint::black_box;

use common::criterion;
use criterion::{BatchSize, Criterion};
use rand::SeedableRng;
use rand::rngs::StdRng;
use sandi::Secret;
use sandi::spqr::{Direction, Limits, Spqr, Version};
use sha2::{Digest, Sha256};

fn pair() -> (Spqr, Spqr) {
    let key = Secret::new([1; 32]);
    (
        Spqr::new(Direction::A2B, Version::V1, &key, Limits::default()),
        Spqr::new(Direction::B2A, Version::V1, &key, Limits::default()),
    )
}

/// A copy, through the stored form.
fn copy(party: &Spqr) -> Spqr {
    Spqr::import_official(&party.export_official()).unwrap()
}

/// Alternates until `who` (0 or 1) is in the state of that name.
fn until(name: &str, who: usize, rng: &mut StdRng) -> (Spqr, Spqr) {
    let (mut a, mut b) = pair();
    loop {
        if [&a, &b][who].state_name() == name {
            return (a, b);
        }
        let sent = a.send(rng).unwrap();
        b.receive(sent.message()).unwrap();
        if [&a, &b][who].state_name() == name {
            return (a, b);
        }
        let sent = b.send(rng).unwrap();
        a.receive(sent.message()).unwrap();
    }
}

fn steady(c: &mut Criterion, rng: &mut StdRng) {
    c.bench_function("spqr/sha256-block", |b| b.iter(|| Sha256::digest(black_box([7; 32]))));
    for (name, who) in [("HeaderSent", 0), ("Ct1Sampled", 1), ("EkSentCt1Received", 0)] {
        let (a, b) = until(name, who, rng);
        let mut party = if who == 0 { a } else { b };
        c.bench_function(&format!("spqr/send/{name}"), |bench| {
            bench.iter(|| party.send(&mut StdRng::seed_from_u64(1)).unwrap());
        });
    }
    for (name, who) in [("HeaderSent", 0), ("Ct1Sampled", 1), ("NoHeaderReceived", 0)] {
        let (a, b) = until(name, who, rng);
        let (mut to, mut from) = if who == 0 { (a, b) } else { (b, a) };
        // chunks of an encoder that has gone far: the receiver absorbs none beyond what it needs, so
        // messages of another type are taken, which every state accepts
        c.bench_function(&format!("spqr/receive/{name}"), |bench| {
            bench.iter_batched(
                || from.send(&mut StdRng::seed_from_u64(1)).unwrap().message().to_vec(),
                |message| to.receive(&message).unwrap(),
                BatchSize::PerIteration,
            );
        });
    }
}

fn boundary(c: &mut Criterion, rng: &mut StdRng) {
    let (a, b) = pair();
    c.bench_function("spqr/boundary/send-keygen", |bench| {
        bench.iter_batched_ref(
            || copy(&a),
            |a| a.send(&mut StdRng::seed_from_u64(1)).unwrap(),
            BatchSize::SmallInput,
        );
    });
    let _ = b;
    let (_, b) = until("HeaderReceived", 1, rng);
    c.bench_function("spqr/boundary/send-encaps1", |bench| {
        bench.iter_batched_ref(
            || copy(&b),
            |b| b.send(&mut StdRng::seed_from_u64(1)).unwrap(),
            BatchSize::SmallInput,
        );
    });
    // the message that completes ct2: decapsulation
    let (mut a, mut b) = until("EkSentCt1Received", 0, rng);
    let (last, before) = loop {
        let message = b.send(rng).unwrap().message().to_vec();
        let before = copy(&a);
        a.receive(&message).unwrap();
        if a.state_name() != "EkSentCt1Received" {
            break (message, before);
        }
        let sent = a.send(rng).unwrap();
        b.receive(sent.message()).unwrap();
    };
    c.bench_function("spqr/boundary/receive-decaps", |bench| {
        bench.iter_batched_ref(
            || copy(&before),
            |a| a.receive(&last).unwrap(),
            BatchSize::SmallInput,
        );
    });
    // ct1 from chunks beyond the systematic ones only: every row is interpolated
    let (mut a, mut b) = until("KeysSampled", 0, rng);
    let mut ct1 = Vec::new();
    while a.state_name() == "KeysSampled" {
        let sent = a.send(rng).unwrap();
        b.receive(sent.message()).unwrap();
        if b.state_name() == "Ct1Sampled" {
            break;
        }
        let sent = b.send(rng).unwrap();
        a.receive(sent.message()).unwrap();
    }
    for _ in 0..61 {
        ct1.push(b.send(rng).unwrap().message().to_vec());
    }
    // one chunk, the first, has come already: twenty-nine of the others complete the message
    let beyond = ct1.split_off(ct1.len() - 29);
    let (completing, others) = beyond.split_last().unwrap();
    for message in others {
        a.receive(message).unwrap();
    }
    c.bench_function("spqr/boundary/receive-ct1-all-lost", |bench| {
        bench.iter_batched_ref(
            || copy(&a),
            |a| a.receive(completing).unwrap(),
            BatchSize::SmallInput,
        );
    });
}

fn out_of_order(c: &mut Criterion, rng: &mut StdRng) {
    let (mut a, b) = pair();
    let mut last = Vec::new();
    for _ in 0..2000 {
        last = a.send(rng).unwrap().message().to_vec();
    }
    c.bench_function("spqr/receive-jump-2000", |bench| {
        bench.iter_batched_ref(|| copy(&b), |b| b.receive(&last).unwrap(), BatchSize::SmallInput);
    });
}

fn sizes(rng: &mut StdRng) {
    let mut largest: BTreeMap<&str, (usize, usize)> = BTreeMap::new();
    let (mut a, mut b) = pair();
    for _ in 0..200 {
        for party in [&a, &b] {
            let sizes = (party.export_official().len(), party.encode_compact().len());
            let entry = largest.entry(party.state_name()).or_default();
            *entry = (*entry).max(sizes);
        }
        let sent = a.send(rng).unwrap();
        b.receive(sent.message()).unwrap();
        let sent = b.send(rng).unwrap();
        a.receive(sent.message()).unwrap();
    }
    println!(
        "\nStored bytes, no loss, alternating (largest)\n{:<24}{:>10}{:>10}{:>8}",
        "", "official", "compact", "ratio"
    );
    for (name, (official, compact)) in largest {
        println!("{name:<24}{official:>10}{compact:>10}{:>8.2}", compact as f64 / official as f64);
    }
}

fn main() {
    let mut c = criterion();
    let mut rng = StdRng::seed_from_u64(3);
    steady(&mut c, &mut rng);
    boundary(&mut c, &mut rng);
    out_of_order(&mut c, &mut rng);
    c.final_summary();
    sizes(&mut rng);
}
