//! The erasure decoder through the state machine: header chunks of any index and content, in any order. The header
//! completes only if it is the true one; corrupted chunks give the MAC error and can be repaired.
#![no_main]

#[path = "../rng.rs"]
mod rng;

use libfuzzer_sys::fuzz_target;
use rng::Rng;
use sandi::Secret;
use sandi::spqr::{Direction, Limits, Spqr, SpqrError, Version};

fuzz_target!(|bytes: &[u8]| {
    let mut rng = Rng(11);
    let key = Secret::new([2; 32]);
    let mut sender = Spqr::new(Direction::A2B, Version::V1, &key, Limits::default());
    let mut receiver = Spqr::new(Direction::B2A, Version::V1, &key, Limits::default());
    for step in bytes.chunks(4).take(300) {
        let [skip, at, flip, _] =
            [0, 1, 2, 3].map(|index| step.get(index).copied().unwrap_or_default());
        let mut message = sender.send(&mut rng).unwrap().message().to_vec();
        for _ in 0..skip % 8 {
            message = sender.send(&mut rng).unwrap().message().to_vec();
        }
        // change data bytes only: what is before them is index and type
        if flip != 0 && message.len() > 32 {
            let place = message.len() - 32 + usize::from(at) % 32;
            message[place] ^= flip;
        }
        match receiver.receive(&message) {
            Ok(_) | Err(SpqrError::MacVerifyFailed) => {}
            Err(other) => panic!("{other:?}"),
        }
    }
});
