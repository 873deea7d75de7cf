//! Two SPQR parties under a schedule of bytes: sends, losses, reorder, duplicates, moves through both stored forms.
//! Keys agree, each key is given once, and only the documented key errors occur.
#![no_main]

#[path = "../rng.rs"]
mod rng;

use libfuzzer_sys::fuzz_target;
use rng::Rng;
use sandi::Secret;
use sandi::spqr::{Direction, Limits, Spqr, SpqrError, Version};

fuzz_target!(|bytes: &[u8]| {
    let Some((&first, steps)) = bytes.split_first() else { return };
    let mut rng = Rng(u64::from(first) + 1);
    let key = Secret::new([first; 32]);
    let mut parties = [
        Spqr::new(Direction::A2B, Version::V1, &key, Limits::default()),
        Spqr::new(Direction::B2A, Version::V1, &key, Limits::default()),
    ];
    type Sent = (Vec<u8>, [u8; 32], bool);
    let mut inbox: [Vec<Sent>; 2] = [Vec::new(), Vec::new()];
    for step in steps.chunks(2).take(3000) {
        let (op, x) = (step[0], usize::from(*step.get(1).unwrap_or(&0)));
        let who = usize::from(op & 1);
        match (op >> 1) % 8 {
            0..4 => {
                let sent = parties[who].send(&mut rng).unwrap();
                let key = *sent.key().expect("every message has a key").expose();
                inbox[1 - who].push((sent.message().to_vec(), key, false));
            }
            4..6 if !inbox[who].is_empty() => {
                // mostly the oldest, so that epochs advance
                let at = if x < 128 { 0 } else { x % inbox[who].len() };
                let (message, key, done) = inbox[who][at].clone();
                match parties[who].receive(&message) {
                    Ok(got) => {
                        assert!(!done, "a key given twice");
                        assert!(*got.expect("a key").expose() == key);
                        inbox[who][at].2 = true;
                    }
                    Err(
                        SpqrError::KeyAlreadyRequested(_)
                        | SpqrError::KeyTrimmed(_)
                        | SpqrError::EpochOutOfRange(_),
                    ) => {}
                    Err(other) => panic!("{other:?}"),
                }
                if x % 3 != 0 {
                    inbox[who].remove(at);
                }
            }
            6 => {
                let official = parties[who].export_official();
                parties[who] = Spqr::import_official(&official).unwrap();
            }
            7 => {
                let compact = parties[who].encode_compact();
                parties[who] = Spqr::decode_compact(&compact).unwrap();
            }
            _ => {}
        }
        if inbox[who].len() > 64 {
            inbox[who].drain(..32);
        }
    }
});
