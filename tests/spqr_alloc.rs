//! In steady state, sending and receiving do not allocate. One test in its own binary: the counter is
//! the process's.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects
)]

use std::alloc::System;
use std::collections::BTreeMap;

use rand::SeedableRng;
use rand::rngs::StdRng;
use sandi::Secret;
use sandi::spqr::{CurrentVersion, Direction, Limits, Spqr, Version};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};

#[global_allocator]
static GLOBAL: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// Allocations, deallocations and reallocations during `call`.
fn counted<T>(call: impl FnOnce() -> T) -> (usize, T) {
    let region = Region::new(GLOBAL);
    let value = call();
    let change = region.change();
    (change.allocations + change.deallocations + change.reallocations, value)
}

fn is_settled(party: &Spqr) -> bool {
    matches!(party.current_version(), CurrentVersion::NegotiationComplete(_))
}

/// Without the test harness, whose main thread allocates when it likes.
fn main() {
    steady_state_does_not_allocate();
    println!("test steady_state_does_not_allocate ... ok");
}

fn steady_state_does_not_allocate() {
    let new =
        |direction| Spqr::new(direction, Version::V1, &Secret::new([3; 32]), Limits::default());
    let mut rng = StdRng::seed_from_u64(1);
    // The counter counts.
    assert_ne!(counted(|| Box::new(std::hint::black_box(7_u8))).0, 0);

    let (mut alice, mut bob) = (new(Direction::A2B), new(Direction::B2A));
    // How often each kind of call was steady, that is: the state stays what it is, the version is
    // settled, and, for a send, it is not the first of its epoch, which drops the chains of an old one.
    let mut steady: BTreeMap<(&str, &str), u32> = BTreeMap::new();
    let mut boundaries = 0;
    let mut last_sent_in = [0, 0];
    // A burst of six each way, so that encoders leave their systematic part, over several epochs.
    for _ in 0..120 {
        for turn in [0, 1] {
            let (sender, receiver) =
                if turn == 0 { (&mut alice, &mut bob) } else { (&mut bob, &mut alice) };
            for _ in 0..6 {
                let before = sender.state_name();
                let same_epoch = last_sent_in[turn] == sender.epoch();
                last_sent_in[turn] = sender.epoch();
                let settled = is_settled(sender);
                let (count, sent) = counted(|| sender.send(&mut rng).unwrap());
                if settled && same_epoch && sender.state_name() == before {
                    assert_eq!(count, 0, "send in {before}");
                    *steady.entry(("send", before)).or_default() += 1;
                } else {
                    boundaries += 1;
                }

                let before = receiver.state_name();
                let settled = is_settled(receiver);
                let (count, _) = counted(|| receiver.receive(sent.message()).unwrap());
                if settled && receiver.state_name() == before {
                    assert_eq!(count, 0, "receive in {before}");
                    *steady.entry(("receive", before)).or_default() += 1;
                } else {
                    boundaries += 1;
                }
            }
        }
    }
    assert!(alice.epoch() >= 6, "epoch {}", alice.epoch());
    assert!(boundaries > 20 && boundaries < 200, "{boundaries} boundaries");
    // All states in which a party sends again, or receives without moving on.
    for state in
        ["KeysSampled", "HeaderSent", "Ct1Received", "Ct1Sampled", "Ct1Acknowledged", "Ct2Sampled"]
    {
        assert!(steady.contains_key(&("send", state)), "send in {state}: {steady:?}");
    }
    for state in ["NoHeaderReceived", "HeaderSent", "Ct1Sampled", "Ct1Acknowledged"] {
        assert!(steady.contains_key(&("receive", state)), "receive in {state}: {steady:?}");
    }

    // Neither does fetching a late key, nor an error.
    let late = alice.send(&mut rng).unwrap();
    let next = alice.send(&mut rng).unwrap();
    bob.receive(next.message()).unwrap();
    let (count, key) = counted(|| bob.receive(late.message()).unwrap());
    assert_eq!((count, key.as_ref()), (0, late.key()));
    let (count, result) = counted(|| bob.receive(late.message()).is_err());
    assert_eq!((count, result), (0, true));
}
