//! In steady state the in-place variants do not touch the heap. (SPQR alone: `spqr_alloc.rs`.)
//!
//! One test alone in its program, which has no other thread: the counter sees every thread.
#![allow(missing_docs, clippy::unwrap_used, clippy::indexing_slicing)]
#![allow(clippy::arithmetic_side_effects)]

mod common;

use std::alloc::System;

use common::{NOW, POLICIES, conversing};
use sandi::session::Addresses;
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};

#[global_allocator]
static GLOBAL: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// Without the test harness, whose main thread allocates when it likes.
fn main() {
    encrypting_and_decrypting_in_place_do_not_allocate_in_steady_state();
    println!("test encrypting_and_decrypting_in_place_do_not_allocate_in_steady_state ... ok");
}

fn encrypting_and_decrypting_in_place_do_not_allocate_in_steady_state() {
    for policy in POLICIES {
        let (mut alice, mut bob) = conversing(policy);
        let (to, from) = (bob.address.clone(), alice.address.clone());
        let mut sender = alice.sessions.remove(&to).unwrap();
        let mut receiver = bob.sessions.remove(&from).unwrap();
        let mut out = Vec::with_capacity(4096);
        let mut measured = 0;
        for round in 0..200 {
            out.clear();
            let region = Region::new(GLOBAL);
            let ends = Addresses { local: &from, remote: &to };
            sender.encrypt_into(ends, &[7; 1000], |_| true, NOW, &mut alice.rng, &mut out).unwrap();
            let encrypt = region.change();
            let region = Region::new(GLOBAL);
            let ends = Addresses { local: &to, remote: &from };
            let text = receiver.decrypt_in_place(ends, &mut out, |_| true, &mut bob.rng).unwrap();
            let decrypt = region.change();
            assert_eq!(text.len(), 1000);
            // the first message of a chain steps the ratchet, and SPQR changes its state now and then
            if round > 0 && encrypt.allocations == 0 && decrypt.allocations == 0 {
                measured += 1;
            }
            assert!(round == 0 || policy.eq(&sandi::Policy::V4) || measured == round);
        }
        // one-sided traffic moves SPQR through its states only while it can: all but a few rounds are steady
        assert!(measured >= 190, "{measured} of 200 rounds without an allocation");
    }
}
