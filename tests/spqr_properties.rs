//! SPQR under random schedules (spec 10 §14, scenarios 19 and 20).
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects
)]

use proptest::prelude::*;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use sandi::Secret;
use sandi::spqr::{Direction, Limits, Spqr, SpqrError, Version};

fn pair(limits: Limits) -> [Spqr; 2] {
    let key = Secret::new([9; 32]);
    [
        Spqr::new(Direction::A2B, Version::V1, &key, limits),
        Spqr::new(Direction::B2A, Version::V1, &key, limits),
    ]
}

#[derive(Clone, Debug)]
enum Step {
    Send(usize),
    Deliver(usize, usize, bool),
    Lose(usize, usize),
    ThroughOfficial(usize),
    ThroughCompact(usize),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let side = 0..2_usize;
    let step = prop_oneof![
        8 => side.clone().prop_map(Step::Send),
        8 => (side.clone(), any::<usize>(), any::<bool>())
            .prop_map(|(to, which, keep)| Step::Deliver(to, which, keep)),
        2 => (side.clone(), any::<usize>()).prop_map(|(to, which)| Step::Lose(to, which)),
        1 => side.clone().prop_map(Step::ThroughOfficial),
        1 => side.prop_map(Step::ThroughCompact),
    ];
    proptest::collection::vec(step, 1..600)
}

struct Sent {
    message: Vec<u8>,
    key: [u8; 32],
    used: bool,
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn s10_19_any_schedule_gives_equal_keys_once_and_only_the_documented_errors(
        steps in steps(), seed: u64
    ) {
        let mut rng = StdRng::seed_from_u64(seed);
        let limits = Limits::default();
        let mut parties = pair(limits);
        let mut inbox: [Vec<Sent>; 2] = [Vec::new(), Vec::new()];
        for step in steps {
            match step {
                Step::Send(from) => {
                    let sent = parties[from].send(&mut rng).unwrap();
                    let key = *sent.key().expect("with minimum V1 every message has a key").expose();
                    inbox[1 - from].push(Sent { message: sent.message().to_vec(), key, used: false });
                }
                Step::Deliver(to, which, keep) if !inbox[to].is_empty() => {
                    let at = which % inbox[to].len();
                    let sent = &mut inbox[to][at];
                    let before = parties[to].export_official();
                    match parties[to].receive(&sent.message) {
                        Ok(key) => {
                            prop_assert!(!sent.used, "a key is given once");
                            prop_assert_eq!(*key.unwrap().expose(), sent.key);
                            sent.used = true;
                        }
                        Err(error) => {
                            let documented = matches!(
                                error,
                                SpqrError::KeyAlreadyRequested(_)
                                    | SpqrError::KeyTrimmed(_)
                                    | SpqrError::EpochOutOfRange(_)
                            );
                            prop_assert!(documented, "{:?}", error);
                            prop_assert!(before == parties[to].export_official());
                        }
                    }
                    if !keep {
                        inbox[to].remove(at);
                    }
                }
                Step::Lose(to, which) if !inbox[to].is_empty() => {
                    let at = which % inbox[to].len();
                    inbox[to].remove(at);
                }
                Step::ThroughOfficial(who) => {
                    let bytes = parties[who].export_official();
                    let again = Spqr::import_official(&bytes).unwrap();
                    prop_assert!(again.export_official() == bytes, "export ∘ import is the identity");
                    parties[who] = again;
                }
                Step::ThroughCompact(who) => {
                    let bytes = parties[who].encode_compact();
                    let again = Spqr::decode_compact(&bytes).unwrap();
                    prop_assert!(again.export_official() == parties[who].export_official());
                    prop_assert!(again.encode_compact() == bytes);
                    parties[who] = again;
                }
                Step::Deliver(..) | Step::Lose(..) => {}
            }
            for party in &parties {
                // three epochs of at most 2,200 keys
                prop_assert!(party.skipped_keys() <= 3 * 2_200);
            }
        }
    }

    #[test]
    fn s10_19_every_fair_schedule_reaches_a_given_epoch(seed: u64, loss in 0..50_u32) {
        let mut rng = StdRng::seed_from_u64(seed);
        let mut parties = pair(Limits::default());
        for _ in 0..6_000 {
            let from = rng.random_range(0..2_usize);
            let sent = parties[from].send(&mut rng).unwrap();
            if rng.random_range(0..100) >= loss {
                let key = parties[1 - from].receive(sent.message()).unwrap();
                prop_assert_eq!(key.as_ref(), sent.key());
            }
            if parties.iter().all(|party| party.epoch() >= 4) {
                return Ok(());
            }
        }
        prop_assert!(false, "epochs {} and {}", parties[0].epoch(), parties[1].epoch());
    }
}

#[test]
fn s10_20_a_silent_peer_stalls_the_other_without_growth() {
    for talker in [0, 1] {
        let mut rng = StdRng::seed_from_u64(5);
        let mut parties = pair(Limits::default());
        for _ in 0..20 {
            for from in [0, 1] {
                let sent = parties[from].send(&mut rng).unwrap();
                parties[1 - from].receive(sent.message()).unwrap();
            }
        }
        for _ in 0..200 {
            parties[talker].send(&mut rng).unwrap();
        }
        let (official, compact) =
            (parties[talker].export_official().len(), parties[talker].encode_compact().len());
        let epoch = parties[talker].epoch();
        for _ in 0..20_000 {
            parties[talker].send(&mut rng).unwrap();
        }
        assert_eq!(parties[talker].epoch(), epoch);
        // the encoder's counter and the chain's, as varints
        assert!(parties[talker].export_official().len() <= official + 4);
        assert!(parties[talker].encode_compact().len() <= compact + 4);
    }
}

#[test]
fn a_prepared_step_that_is_dropped_leaves_no_trace() {
    let mut rng = StdRng::seed_from_u64(8);
    let [mut a, mut b] = pair(Limits::default());
    for _ in 0..150 {
        let before = a.export_official();
        drop(a.prepare_send(&mut rng).unwrap());
        assert!(a.export_official() == before);
        let sent = a.send(&mut rng).unwrap();
        let before = b.export_official();
        drop(b.prepare_receive(sent.message()).unwrap());
        assert!(b.export_official() == before);
        b.receive(sent.message()).unwrap();
        let sent = b.send(&mut rng).unwrap();
        a.receive(sent.message()).unwrap();
    }
}
