//! In steady state, messages to a group do not touch the heap in the in-place variants.
//!
//! One test alone in its program, which has no other thread: the counter sees every thread.
#![allow(missing_docs, clippy::unwrap_used, clippy::arithmetic_side_effects)]

use std::alloc::System;

use rand::SeedableRng;
use rand::rngs::StdRng;
use sandi::group::{Distribution, SenderKeyRecord};
use sandi::wire::SenderKeyDistributionMessage;
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};

#[global_allocator]
static GLOBAL: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// Without the test harness, whose main thread allocates when it likes.
fn main() {
    messages_to_a_group_do_not_allocate_in_place();
    println!("test messages_to_a_group_do_not_allocate_in_place ... ok");
}

fn messages_to_a_group_do_not_allocate_in_place() {
    let mut rng = StdRng::seed_from_u64(1);
    for by in [Distribution::Id([7; 16]), Distribution::Group("group".into())] {
        let (mut sender, mut receiver) = (SenderKeyRecord::new(), SenderKeyRecord::new());
        let told = sender.create_distribution(&by, &mut rng).unwrap();
        receiver.process_distribution(
            &SenderKeyDistributionMessage::parse(by.dialect(), &told).unwrap(),
        );
        let mut out = Vec::with_capacity(4096);
        for _ in 0..20 {
            out.clear();
            let region = Region::new(GLOBAL);
            sender.encrypt_into(&by, &[7; 1000], &mut rng, &mut out).unwrap();
            let text = receiver.decrypt_in_place(by.dialect(), &mut out).unwrap();
            let change = region.change();
            assert_eq!(text.len(), 1000);
            assert_eq!(change.allocations + change.reallocations, 0, "{change:?}");
        }
    }
}
