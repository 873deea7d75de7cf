//! A store that fails, or dies before or after, at every single load and commit.

use std::collections::BTreeSet;

use sandi::device::{Device, DeviceError};
use sandi::protocol::ServerStock;
use sandi::session::CiphertextMessage;
use sandi::store::conformance::{Fault, FaultStore, Operation};
use sandi::{Error, MemoryStore, Policy};

use super::support::*;

type Faulty = Party<FaultStore<MemoryStore>>;

/// What the world has seen of a conversation.
#[derive(Default)]
struct World {
    /// Ratchet key and counter of every message that has left a device.
    keys: BTreeSet<(Vec<u8>, u32)>,
    delivered: Vec<String>,
}

impl World {
    /// A message leaves a device: its key must be new.
    fn sent(&mut self, message: &CiphertextMessage) {
        let (ratchet_key, counter) = number(message);
        assert!(self.keys.insert((ratchet_key, counter)), "a key was used twice");
    }
}

pub fn number(message: &CiphertextMessage) -> (Vec<u8>, u32) {
    use sandi::wire::{CiphertextMessageType, PreKeySignalMessage, SignalMessage};
    let of =
        |message: &SignalMessage<'_>| (message.ratchet_key().encode().to_vec(), message.counter());
    match message.message_type {
        CiphertextMessageType::PreKey => {
            of(PreKeySignalMessage::parse(&message.bytes).unwrap().message())
        }
        _ => of(&SignalMessage::parse(&message.bytes).unwrap()),
    }
}

fn faulty(name: &str, policy: Policy) -> Faulty {
    let identity = sandi::keys::IdentityKeyPair::generate(&mut seeded(name, 1));
    party_over(FaultStore::new(MemoryStore::new()), name, 1, policy, identity)
}

/// The process ends, if it has crashed; what survives is the inner store.
fn recover(party: &mut Faulty) {
    if !party.device.store().has_crashed() {
        return;
    }
    let options = *party.device.options();
    let spare = FaultStore::new(MemoryStore::new());
    let store = std::mem::replace(party.device.store_mut(), spare).into_inner();
    party.device = Device::open(FaultStore::new(store), options).unwrap();
}

/// Repeats an operation, as an application does, until it succeeds.
fn persist<T>(
    party: &mut Faulty,
    mut operation: impl FnMut(&mut Faulty) -> Result<T, Failure>,
) -> Result<T, Error> {
    for _ in 0..3 {
        match operation(party) {
            Ok(done) => return Ok(done),
            Err(DeviceError::Store(_)) => recover(party),
            Err(error) => return Err(error.protocol().expect("an error of the protocol")),
        }
    }
    panic!("one fault was planned");
}

type Failure = DeviceError<<FaultStore<MemoryStore> as sandi::Store>::Error>;

/// A conversation of which every message is sent until it is committed, and delivered twice. Returns
/// how many loads and commits each device made.
fn converse(policy: Policy, plan: impl Fn(&mut Faulty, &mut Faulty)) -> [(u64, u64); 2] {
    let (mut alice, mut bob) = (faulty(ALICE, policy), faulty(BOB, policy));
    let start = [&alice, &bob].map(|p| (p.device.store().loads(), p.device.store().commits()));
    plan(&mut alice, &mut bob);
    let mut world = World::default();
    let bundle = bob.bundle();
    let to = bob.address();
    persist(&mut alice, |alice| {
        alice.device.start_session(&to, &bundle, NOW, &mut alice.rng).map(drop)
    })
    .unwrap();
    let mut expected = Vec::new();
    for round in 0..6 {
        let to = bob.address();
        let from = alice.address();
        let mut held = Vec::new();
        for n in 0..2 {
            let text = format!("{round}.{n}");
            let message = persist(&mut alice, |alice| alice.try_write(&to, &text)).unwrap();
            world.sent(&message);
            held.push(message);
            expected.push(text);
        }
        // Out of order, and each of them twice.
        for message in held.iter().rev().chain(&held) {
            let read = persist(&mut bob, |bob| bob.try_read(&from, message));
            match read {
                Ok(text) => world.delivered.push(text),
                // Seen before: or committed, before the caller learned of it.
                Err(Error::DuplicatedMessage { .. }) => {}
                Err(error) => panic!("{error}"),
            }
        }
        let stock = ServerStock { one_time: 4, one_time_kem: 2 };
        persist(&mut bob, |bob| bob.device.replenish(stock, bob.now, &mut bob.rng).map(drop))
            .unwrap();
        std::mem::swap(&mut alice, &mut bob);
    }
    let delivered: BTreeSet<_> = world.delivered.iter().collect();
    assert_eq!(delivered.len(), world.delivered.len(), "delivered twice");
    // A message whose commit succeeded without the caller learning of it is one that the application
    // has in the same commit. Here that is not so, so one may be missing; never more than one.
    assert!(expected.len() - delivered.len() <= 1, "lost: {expected:?} {:?}", world.delivered);
    let end = [&alice, &bob].map(|p| (p.device.store().loads(), p.device.store().commits()));
    [0, 1].map(|at| (end[at].0.saturating_sub(start[at].0), end[at].1.saturating_sub(start[at].1)))
}

#[test]
fn a_fault_at_any_load_or_commit_loses_nothing_uses_no_key_twice_and_delivers_nothing_twice() {
    for policy in POLICIES {
        let counts = converse(policy, |_, _| {});
        for (who, (loads, commits)) in counts.into_iter().enumerate() {
            assert!(loads > 10 && commits > 10);
            for (operation, count) in [(Operation::Load, loads), (Operation::Commit, commits)] {
                for nth in 0..count {
                    for fault in Fault::ALL {
                        converse(policy, |alice, bob| {
                            let party = if who == 0 { alice } else { bob };
                            party.device.store().inject(operation, nth, fault);
                        });
                    }
                }
            }
        }
    }
}

#[test]
fn a_message_and_the_applications_note_of_it_survive_any_fault_together() {
    use sandi::{RecordKey, Store};
    for fault in Fault::ALL {
        for nth in 0..2 {
            let (mut alice, mut bob) = (faulty(ALICE, Policy::V4), faulty(BOB, Policy::V4));
            let bundle = bob.bundle();
            let (to, from) = (bob.address(), alice.address());
            alice.device.start_session(&to, &bundle, NOW, &mut alice.rng).unwrap();
            for n in 0..3 {
                let message = alice.write(&to, &format!("{n}"));
                let key = RecordKey::Application(Box::from([n]));
                if n == 1 {
                    bob.device.store().inject(Operation::Commit, nth, fault);
                }
                let read = persist(&mut bob, |bob| {
                    let mut rng = seeded("note", 1);
                    bob.open(&from, &message)?.commit_with(|done, changes| {
                        changes.create(key.clone(), done.plaintext.to_vec(), &mut rng).map(drop)
                    })
                });
                assert!(matches!(read, Ok(_) | Err(Error::DuplicatedMessage { .. })));
                let note = bob.device.store().inner().load(&key).unwrap().unwrap();
                assert_eq!(note.bytes(), format!("{n}").as_bytes());
            }
        }
    }
}
