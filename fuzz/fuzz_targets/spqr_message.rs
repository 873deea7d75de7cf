//! Any bytes as an SPQR message, to both parties of a session some way in: no panic, and an error changes
//! nothing.
#![no_main]

#[path = "../rng.rs"]
mod rng;

use libfuzzer_sys::fuzz_target;
use rng::Rng;
use sandi::Secret;
use sandi::spqr::{Direction, Limits, Spqr, Version};

fuzz_target!(|bytes: &[u8]| {
    let Some((&rounds, message)) = bytes.split_first() else { return };
    let mut rng = Rng(7);
    let key = Secret::new([1; 32]);
    let mut a = Spqr::new(Direction::A2B, Version::V1, &key, Limits::default());
    let mut b = Spqr::new(Direction::B2A, Version::V1, &key, Limits::default());
    for _ in 0..rounds % 96 {
        let sent = a.send(&mut rng).unwrap();
        b.receive(sent.message()).unwrap();
        let sent = b.send(&mut rng).unwrap();
        a.receive(sent.message()).unwrap();
    }
    for party in [&mut a, &mut b] {
        let before = party.export_official();
        if party.receive(message).is_err() {
            assert!(party.export_official() == before);
        }
        party.send(&mut rng).unwrap();
    }
});
