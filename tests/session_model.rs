//! Two devices under random schedules, against a simple model (spec 04 scenario 28): send, deliver in any order, lose,
//! duplicate, forge, archive, start again, lose the session, cross, answer a failure with a decryption error.
//!
//! Invariants: what decrypts is what was sent, and only once; a refused message changes nothing, bit for bit; without
//! restarts, whatever lies within the five newest chains decrypts; after a quiet exchange both sides agree.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects
)]

mod common;

use common::{ALICE, BOB, Device, POLICIES, flipped, meet, record, send};
use proptest::prelude::*;
use sandi::session::CiphertextMessage;
use sandi::wire::{
    CiphertextMessageType, DecryptionErrorMessage, PreKeySignalMessage, SignalMessage,
};
use sandi::{Error, Policy};

#[derive(Clone, Debug)]
enum Step {
    Send { from: usize, count: usize },
    Deliver { to: usize, which: usize },
    Lose { to: usize, which: usize },
    Repeat { to: usize, which: usize },
    Forge { to: usize, which: usize, at: usize, bit: u32 },
    Archive { who: usize },
    StartAgain { who: usize },
    LoseSession { who: usize },
    Cross,
}

fn steps(restarts: bool) -> impl Strategy<Value = Vec<Step>> {
    let side = 0..2_usize;
    let calm = prop_oneof![
        6 => (side.clone(), 1..4_usize).prop_map(|(from, count)| Step::Send { from, count }),
        8 => (side.clone(), any::<usize>()).prop_map(|(to, which)| Step::Deliver { to, which }),
        1 => (side.clone(), any::<usize>()).prop_map(|(to, which)| Step::Lose { to, which }),
        2 => (side.clone(), any::<usize>()).prop_map(|(to, which)| Step::Repeat { to, which }),
        2 => (side.clone(), any::<usize>(), any::<usize>(), 0..8_u32)
            .prop_map(|(to, which, at, bit)| Step::Forge { to, which, at, bit }),
    ];
    let all = if restarts {
        prop_oneof![
            12 => calm,
            1 => side.clone().prop_map(|who| Step::Archive { who }),
            1 => side.clone().prop_map(|who| Step::StartAgain { who }),
            1 => side.prop_map(|who| Step::LoseSession { who }),
            1 => Just(Step::Cross),
        ]
        .boxed()
    } else {
        calm.boxed()
    };
    proptest::collection::vec(all, 1..80)
}

struct Sent {
    message: CiphertextMessage,
    text: Vec<u8>,
    done: bool,
    /// Which of the sender's chains it belongs to, counted from 0.
    chain: usize,
}

struct World {
    devices: [Device; 2],
    /// What is on its way to, or was delivered to, each device.
    inbox: [Vec<Sent>; 2],
    /// Ratchet keys of the chains sent to each device, in their order.
    chains: [Vec<[u8; 33]>; 2],
    /// The newest of them that arrived, if any.
    newest: [Option<usize>; 2],
    count: u32,
    errors_heard: u32,
}

impl World {
    fn new(policy: Policy) -> Self {
        let mut alice = Device::new(ALICE, 1, policy, 1);
        let mut bob = Device::new(BOB, 2, policy, 2);
        meet(&mut alice, &mut bob);
        Self {
            devices: [alice, bob],
            inbox: [Vec::new(), Vec::new()],
            chains: [Vec::new(), Vec::new()],
            newest: [None; 2],
            count: 0,
            errors_heard: 0,
        }
    }

    fn both(&mut self, to: usize) -> (&mut Device, &mut Device) {
        let [alice, bob] = &mut self.devices;
        if to == 0 { (alice, bob) } else { (bob, alice) }
    }

    fn send(&mut self, from: usize) {
        self.count += 1;
        let text = [&self.count.to_be_bytes()[..], &vec![7; self.count as usize % 40]].concat();
        let (to_device, device) = self.both(1 - from);
        match device.encrypt(&to_device.address, &text) {
            Ok(message) => {
                let key = ratchet_key(&message);
                let chains = &mut self.chains[1 - from];
                let known = chains.iter().position(|chain| *chain == key);
                let chain = known.unwrap_or_else(|| {
                    chains.push(key);
                    chains.len() - 1
                });
                self.inbox[1 - from].push(Sent { message, text, done: false, chain });
            }
            // never heard of the peer, or archived: an app would fetch a bundle
            Err(Error::SessionNotFound) => {
                meet(device, to_device);
            }
            Err(error) => panic!("{error}"),
        }
    }

    /// Whether the model says that the message must decrypt: no restart, not seen, and its chain is one of
    /// the five newest of the receiver, or the next one.
    fn reachable(&self, to: usize, sent: &Sent) -> bool {
        !sent.done && self.newest[to].is_none_or(|newest| sent.chain + 5 > newest)
    }

    fn deliver(&mut self, to: usize, which: usize, restarts: bool) {
        if self.inbox[to].is_empty() {
            return;
        }
        let which = which % self.inbox[to].len();
        let must = !restarts && self.reachable(to, &self.inbox[to][which]);
        let message = self.inbox[to][which].message.clone();
        let (device, from) = self.both(to);
        let before = record(device, from);
        let outcome = device.decrypt(&from.address, &message);
        match outcome {
            Ok(text) => {
                let sent = &mut self.inbox[to][which];
                assert!(!sent.done, "decrypted twice");
                assert_eq!(text, sent.text);
                sent.done = true;
                let chain = sent.chain;
                self.newest[to] = Some(self.newest[to].map_or(chain, |newest| newest.max(chain)));
            }
            Err(error) => {
                assert!(record(device, from) == before, "a refused message changes nothing");
                assert!(!must, "{error}: within reach");
                if !matches!(error, Error::DuplicatedMessage { .. }) {
                    self.answer_failure(to, &message);
                }
            }
        }
    }

    /// The receiver reports the failure; the sender archives the session it still sends in (spec 04 §8.3).
    fn answer_failure(&mut self, to: usize, message: &CiphertextMessage) {
        let report = DecryptionErrorMessage::for_original(
            &message.bytes,
            message.message_type,
            common::NOW,
            1,
        )
        .unwrap();
        let (device, from) = self.both(to);
        let peer = device.address.clone();
        let session = from.session(&peer);
        if session.current_ratchet_key_matches(report.ratchet_key().unwrap()) {
            session.archive_current();
        }
        self.errors_heard += 1;
    }

    fn forge(&mut self, to: usize, which: usize, at: usize, bit: u32) {
        if self.inbox[to].is_empty() {
            return;
        }
        let which = which % self.inbox[to].len();
        let sent = &self.inbox[to][which];
        let (text, done) = (sent.text.clone(), sent.done);
        let forged = flipped(&sent.message, at % sent.message.bytes.len(), bit);
        let (device, from) = self.both(to);
        let before = record(device, from);
        match device.decrypt(&from.address, &forged) {
            // a field outside the MAC was hit (spec 03 §5.1): then it is the true message
            Ok(got) => {
                assert_eq!(forged.message_type, CiphertextMessageType::PreKey);
                assert!(!done && got == text);
                let sent = &mut self.inbox[to][which];
                sent.done = true;
                let chain = sent.chain;
                self.newest[to] = Some(self.newest[to].map_or(chain, |newest| newest.max(chain)));
            }
            Err(_) => assert!(record(device, from) == before),
        }
    }

    fn run(&mut self, step: &Step, restarts: bool) {
        match *step {
            Step::Send { from, count } => (0..count).for_each(|_| self.send(from)),
            Step::Deliver { to, which } | Step::Repeat { to, which } => {
                self.deliver(to, which, restarts);
            }
            Step::Lose { to, which } => {
                if !self.inbox[to].is_empty() {
                    let which = which % self.inbox[to].len();
                    self.inbox[to].remove(which);
                }
            }
            Step::Forge { to, which, at, bit } => self.forge(to, which, at, bit),
            Step::Archive { who } => {
                let (device, peer) = self.both(who);
                let peer = peer.address.clone();
                device.session(&peer).archive_current();
            }
            Step::StartAgain { who } => {
                let (device, peer) = self.both(who);
                meet(device, peer);
            }
            Step::LoseSession { who } => {
                let (device, peer) = self.both(who);
                device.sessions.remove(&peer.address);
            }
            Step::Cross => {
                let [alice, bob] = &mut self.devices;
                meet(alice, bob);
                meet(bob, alice);
                self.send(0);
                self.send(1);
            }
        }
    }

    /// Both sides talk in turn, and answer failures, until they agree.
    fn converge(&mut self) {
        self.inbox = [Vec::new(), Vec::new()];
        for _ in 0..4 {
            for from in [0, 1] {
                let mut left = 4;
                loop {
                    let (to, device) = self.both(1 - from);
                    match send(device, to, b"quiet") {
                        Ok(_) => break,
                        Err(_) => meet(device, to),
                    }
                    left -= 1;
                    assert!(left > 0, "a fresh bundle always helps");
                }
            }
        }
        let [alice, bob] = &mut self.devices;
        let ours = alice.sessions[&bob.address].base_key();
        assert_eq!(ours, bob.sessions[&alice.address].base_key());
        assert_eq!(send(alice, bob, b"agreed"), Ok(CiphertextMessageType::Signal));
        assert_eq!(send(bob, alice, b"agreed"), Ok(CiphertextMessageType::Signal));
    }
}

fn ratchet_key(message: &CiphertextMessage) -> [u8; 33] {
    match message.message_type {
        CiphertextMessageType::PreKey => {
            PreKeySignalMessage::parse(&message.bytes).unwrap().message().ratchet_key().encode()
        }
        _ => SignalMessage::parse(&message.bytes).unwrap().ratchet_key().encode(),
    }
}

fn play(policy: Policy, steps: &[Step], restarts: bool) {
    let mut world = World::new(policy);
    for step in steps {
        world.run(step, restarts);
    }
    world.converge();
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

    #[test]
    fn s04_28_without_restarts_everything_within_reach_decrypts_once(
        steps in steps(false), policy in 0..3_usize
    ) {
        play(POLICIES[policy], &steps, false);
    }

    #[test]
    fn s04_28_with_restarts_nothing_is_wrong_or_twice_and_both_sides_converge(
        steps in steps(true), policy in 0..3_usize
    ) {
        play(POLICIES[policy], &steps, true);
    }
}

#[test]
fn the_model_reaches_every_kind_of_outcome() {
    // a fixed long run, so that the invariants above are not vacuous
    let mut world = World::new(Policy::V4);
    let mut seed = 1_u64;
    let mut next = |n: usize| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (seed >> 33) as usize % n
    };
    for _ in 0..3000 {
        let step = match next(20) {
            0..6 => Step::Send { from: next(2), count: 1 + next(3) },
            6..15 => Step::Deliver { to: next(2), which: next(1000) },
            15..17 => Step::Forge { to: next(2), which: next(1000), at: next(5000), bit: 3 },
            17 => Step::Lose { to: next(2), which: next(1000) },
            18 => Step::StartAgain { who: next(2) },
            _ => Step::LoseSession { who: next(2) },
        };
        world.run(&step, true);
        if world.inbox[0].len() > 40 {
            world.inbox[0].drain(..20);
        }
        if world.inbox[1].len() > 40 {
            world.inbox[1].drain(..20);
        }
    }
    assert!(world.errors_heard > 10, "failures were answered");
    assert!(world.devices.iter().all(|device| !device.sessions.is_empty()));
    world.converge();
}
