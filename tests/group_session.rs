//! A group whose members and devices come and go: what follows for the key, and a property over any history.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects
)]

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use rand::seq::SliceRandom;
use rand::{SeedableRng, rngs::StdRng};
use sandi::group::{Distribution, GroupSession, Member, SenderKeyRecord};
use sandi::keys::{IdentityKey, PublicKey};
use sandi::wire::{SenderKeyDistributionMessage, SenderKeyMessage};
use sandi::{Address, Changes, DeviceId, Error, MemoryStore, RecordKey, Snapshot, Store};

fn address(name: &str, device: u32) -> Address {
    Address::new(name, DeviceId::new(device).unwrap())
}

fn identity(number: u8) -> IdentityKey {
    IdentityKey::new(PublicKey::from_raw([number; 32]))
}

fn by() -> Distribution {
    Distribution::Id([0xD1; 16])
}

/// A sender with a store of its own.
struct Sender {
    local: Address,
    store: MemoryStore,
    rng: StdRng,
}

/// What one message to the group caused.
struct Sent {
    message: Vec<u8>,
    told: Vec<(Address, Vec<u8>)>,
    rotated: bool,
    written: Vec<RecordKey>,
}

impl Sender {
    fn new(local: Address, seed: u64) -> Self {
        Self { local, store: MemoryStore::new(), rng: StdRng::seed_from_u64(seed) }
    }

    fn load(&self) -> GroupSession {
        let mut snapshot = Snapshot::new();
        for key in GroupSession::needs(&by(), &self.local) {
            let record = self.store.load(&key).unwrap();
            snapshot.insert(key, record);
        }
        GroupSession::load(by(), self.local.clone(), &snapshot).unwrap()
    }

    fn save(&mut self, group: &mut GroupSession) -> Vec<RecordKey> {
        let mut changes = Changes::new();
        group.save(&mut changes, &mut self.rng).unwrap();
        self.store.commit(&changes).unwrap();
        changes.iter().map(|(key, _)| key.clone()).collect()
    }

    fn change(&mut self, change: impl FnOnce(&mut GroupSession)) {
        let mut group = self.load();
        change(&mut group);
        self.save(&mut group);
    }

    fn send(&mut self, members: &[(Address, IdentityKey)], text: &[u8]) -> Sent {
        let mut group = self.load();
        let members: Vec<_> = members
            .iter()
            .map(|(address, identity)| Member { address, identity: Some(identity) })
            .collect();
        let mut sending = group.prepare(members.iter().copied(), &mut self.rng).unwrap();
        let rotated = sending.is_rotated();
        let mut told = Vec::new();
        for to in sending.recipients().to_vec() {
            let identity = members.iter().find(|member| *member.address == to).unwrap().identity;
            let message = sending.distribute_to(&to, identity.unwrap()).unwrap().to_vec();
            told.push((to, message));
        }
        let message = sending.encrypt(text, &mut self.rng).unwrap();
        let written = self.save(&mut group);
        Sent { message, told, rotated, written }
    }
}

fn told(sent: &Sent) -> Vec<String> {
    sent.told.iter().map(|(to, _)| to.to_string()).collect()
}

fn members(names: &[(&str, u32, u8)]) -> Vec<(Address, IdentityKey)> {
    names.iter().map(|(name, device, key)| (address(name, *device), identity(*key))).collect()
}

#[test]
fn the_key_is_given_once_and_only_the_chain_is_written_afterwards() {
    let mut alice = Sender::new(address("alice", 1), 1);
    let all = members(&[("alice", 1, 1), ("alice", 2, 1), ("bob", 1, 2), ("carol", 1, 3)]);
    let first = alice.send(&all, b"one");
    assert_eq!(told(&first), ["alice.2", "bob.1", "carol.1"]);
    assert!(!first.rotated);
    assert_eq!(first.written, GroupSession::needs(&by(), &alice.local));
    let second = alice.send(&all, b"two");
    assert!(second.told.is_empty() && !second.rotated);
    assert_eq!(second.written, [by().sender_key(&alice.local)]);
    assert_eq!(alice.load().holders().count(), 3);
}

#[test]
fn a_newcomer_gets_the_key_at_its_iteration() {
    let mut alice = Sender::new(address("alice", 1), 2);
    let mut all = members(&[("bob", 1, 2)]);
    let before = alice.send(&all, b"before");
    all.extend(members(&[("carol", 1, 3), ("bob", 2, 2)]));
    let after = alice.send(&all, b"after");
    assert_eq!(told(&after), ["bob.2", "carol.1"]);
    assert!(!after.rotated);
    let mut carol = SenderKeyRecord::new();
    learn(&mut carol, &after.told[1].1);
    assert!(matches!(read(&mut carol, &before.message), Err(Error::DuplicatedMessage { .. })));
    assert_eq!(read(&mut carol, &after.message).unwrap(), b"after");
}

#[test]
fn the_key_is_replaced_when_a_member_or_a_device_leaves_or_changes_identity() {
    let all = members(&[("bob", 1, 2), ("bob", 2, 2), ("carol", 1, 3)]);
    let without_a_device = members(&[("bob", 1, 2), ("carol", 1, 3)]);
    let without_a_member = members(&[("bob", 1, 2), ("bob", 2, 2)]);
    let with_another_carol = members(&[("bob", 1, 2), ("bob", 2, 2), ("carol", 1, 33)]);
    for then in [without_a_device, without_a_member, with_another_carol] {
        let mut alice = Sender::new(address("alice", 1), 3);
        let before = alice.send(&all, b"before");
        let mut gone = SenderKeyRecord::new();
        learn(&mut gone, &before.told[2].1);
        let after = alice.send(&then, b"after");
        assert!(after.rotated);
        assert_eq!(after.told.len(), then.len());
        assert_eq!(read(&mut gone, &before.message).unwrap(), b"before");
        assert_eq!(read(&mut gone, &after.message), Err(Error::NoSenderKeyState));
        assert!(!alice.send(&then, b"again").rotated);
    }
}

#[test]
fn one_who_never_got_the_key_may_leave() {
    let mut alice = Sender::new(address("alice", 1), 4);
    let all = members(&[("bob", 1, 2), ("carol", 1, 3)]);
    let mut group = alice.load();
    let list: Vec<_> = all.iter().map(|(address, _)| Member { address, identity: None }).collect();
    let mut sending = group.prepare(list.iter().copied(), &mut alice.rng).unwrap();
    // there is no session with Carol yet
    sending.distribute_to(&all[0].0, &all[0].1).unwrap();
    let stranger = address("dave", 1);
    let refused = sending.distribute_to(&stranger, &identity(4)).map(<[u8]>::to_vec);
    assert_eq!(refused, Err(Error::InvalidArgument));
    sending.encrypt(b"text", &mut alice.rng).unwrap();
    assert!(group.holds_key(&all[0].0) && !group.holds_key(&all[1].0));
    alice.save(&mut group);
    let next = alice.send(&all[..1], b"text");
    assert!(!next.rotated && next.told.is_empty());
    // and Carol gets it when she is back
    assert_eq!(told(&alice.send(&all, b"text")), ["carol.1"]);
}

#[test]
fn a_decryption_error_brings_the_key_again_a_few_times() {
    let mut alice = Sender::new(address("alice", 1), 5);
    let all = members(&[("bob", 1, 2), ("carol", 1, 3)]);
    alice.send(&all, b"text");
    for round in 0..7 {
        let mut granted = false;
        alice.change(|group| {
            granted = group.give_again(&all[0].0);
            assert_eq!(group.give_again(&all[0].0), granted);
        });
        assert_eq!(granted, round < 5);
        let sent = alice.send(&all, b"text");
        assert!(!sent.rotated);
        assert_eq!(sent.told.len(), usize::from(granted));
    }
    alice.change(|group| assert!(!group.give_again(&address("mallory", 1))));
    // one that is to receive it again may still know it: it leaves, and the key is replaced
    alice.change(|group| assert!(group.give_again(&all[1].0)));
    assert!(alice.send(&all[..1], b"text").rotated);
    // of the next key everything is granted again
    alice.change(|group| assert!(group.give_again(&all[0].0)));
}

#[test]
fn the_key_is_replaced_on_demand_and_when_its_holders_are_unknown() {
    let mut alice = Sender::new(address("alice", 1), 6);
    let all = members(&[("bob", 1, 2)]);
    alice.send(&all, b"text");
    alice.change(GroupSession::replace_key);
    let sent = alice.send(&all, b"text");
    assert!(sent.rotated && sent.told.len() == 1);
    assert!(!alice.send(&all, b"text").rotated);
    // a key from elsewhere, without a word about who knows it
    let key = by().group();
    let revision = alice.store.load(&key).unwrap().unwrap().revision();
    let mut changes = Changes::new();
    changes.delete(key, revision).unwrap();
    alice.store.commit(&changes).unwrap();
    assert!(alice.send(&all, b"text").rotated);
    // a key that is gone: nobody holds the next one
    let key = by().sender_key(&alice.local);
    let revision = alice.store.load(&key).unwrap().unwrap().revision();
    let mut changes = Changes::new();
    changes.delete(key, revision).unwrap();
    alice.store.commit(&changes).unwrap();
    assert_eq!(alice.load().holders().count(), 0);
    let sent = alice.send(&all, b"text");
    assert_eq!(told(&sent), ["bob.1"]);
    assert!(alice.send(&all, b"text").told.is_empty());
}

#[test]
fn another_address_for_the_same_device() {
    let mut alice = Sender::new(address("alice", 1), 7);
    let all = members(&[("447700900123", 1, 2)]);
    alice.send(&all, b"text");
    let lid = address("98765@lid", 1);
    alice.change(|group| group.rename(&all[0].0, &lid).unwrap());
    let sent = alice.send(&[(lid.clone(), identity(2))], b"text");
    assert!(!sent.rotated && sent.told.is_empty());
    let long = address(&"x".repeat(65_536), 1);
    alice.change(|group| {
        assert_eq!(group.rename(&lid, &long), Err(Error::InvalidProtocolAddress));
    });
    let mut group = alice.load();
    let member = Member { address: &long, identity: None };
    let refused = group.prepare([member], &mut alice.rng).map(|_| ());
    assert_eq!(refused, Err(Error::InvalidProtocolAddress));
    assert!(alice.save(&mut group).is_empty());
}

#[test]
fn stored_holders_have_one_form() {
    let mut alice = Sender::new(address("alice", 1), 8);
    let all = members(&[("bob", 1, 2), ("bob", 2, 2), ("carol", 1, 3)]);
    alice.send(&all, b"text");
    alice.change(|group| assert!(group.give_again(&all[1].0)));
    let key = by().group();
    let sound = alice.store.load(&key).unwrap().unwrap().bytes().to_vec();
    assert_eq!(sound.len(), 2 + 3 * 38 + 3 + 3 + 5);
    let mut decode = |bytes: Vec<u8>| {
        let mut snapshot = Snapshot::new();
        for needed in GroupSession::needs(&by(), &alice.local) {
            let record = alice.store.load(&needed).unwrap();
            snapshot.insert(needed, record);
        }
        snapshot.insert(key.clone(), Some(sandi::Record::new(1, bytes.clone())));
        let mut group = GroupSession::load(by(), alice.local.clone(), &snapshot)?;
        // whatever is read is written again as it was
        let mut changes = Changes::new();
        let somebody = address("somebody", 9);
        let member = Member { address: &somebody, identity: None };
        let mut sending = group.prepare([member], &mut alice.rng)?;
        sending.distribute_to(&somebody, &identity(9))?;
        group.save(&mut changes, &mut alice.rng)?;
        Ok::<_, Error>(())
    };
    decode(sound.clone()).unwrap();
    for length in 0..sound.len() {
        let cut = decode(sound[..length].to_vec());
        let whole = [2, 2 + 41, 2 + 2 * 41].contains(&length);
        assert_eq!(cut.is_ok(), whole, "{length}");
    }
    let mut future = sound.clone();
    future[0] = 2;
    assert_eq!(decode(future), Err(Error::FutureRecord(2)));
    let mut due = sound.clone();
    due[1] = 2;
    assert_eq!(decode(due), Err(Error::InvalidState));
    // not in order, and twice
    let swapped = [&sound[..2], &sound[43..84], &sound[2..43], &sound[84..]].concat();
    assert_eq!(decode(swapped), Err(Error::InvalidState));
    let twice = [&sound[..43], &sound[2..43], &sound[43..]].concat();
    assert_eq!(decode(twice), Err(Error::InvalidState));
}

fn learn(record: &mut SenderKeyRecord, message: &[u8]) {
    let message = SenderKeyDistributionMessage::parse(by().dialect(), message).unwrap();
    record.process_distribution(&message);
}

fn read(record: &mut SenderKeyRecord, message: &[u8]) -> Result<Vec<u8>, Error> {
    let message = SenderKeyMessage::parse(by().dialect(), message)?;
    record.decrypt(&message).map(|text| text.to_vec())
}

// -- any history ----------------------------------------------------------------------------------------

const PLACES: usize = 6;

/// What happens to a group of up to six devices of three users.
#[derive(Clone, Debug)]
enum Step {
    Join(usize),
    Leave(usize),
    /// The device at that address is another from now on; the old one keeps what it knows.
    Reinstall(usize),
    /// A message; the bits say whose distribution message gets lost.
    Send(usize, u8),
    /// Everything on its way arrives, in an order of the seed, at everybody who ever took part.
    Deliver(u64),
    ReplaceKey(usize),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let place = 0..PLACES;
    let step = prop_oneof![
        3 => place.clone().prop_map(Step::Join),
        2 => place.clone().prop_map(Step::Leave),
        1 => place.clone().prop_map(Step::Reinstall),
        8 => (place.clone(), any::<u8>(), any::<u8>())
            .prop_map(|(from, a, b)| Step::Send(from, a & b)),
        3 => any::<u64>().prop_map(Step::Deliver),
        1 => place.prop_map(Step::ReplaceKey),
    ];
    prop::collection::vec(step, 1..80)
}

/// A device that takes part, or took part: the place of its address and its identity.
type Who = (usize, u8);

struct OnItsWay {
    from: Who,
    message: Vec<u8>,
    text: Vec<u8>,
    /// The members when it was sent.
    for_whom: BTreeSet<Who>,
}

struct World {
    senders: BTreeMap<Who, Sender>,
    /// What every device knows of every sender.
    records: BTreeMap<(Who, Who), SenderKeyRecord>,
    members: BTreeSet<Who>,
    generation: [u8; PLACES],
    on_its_way: Vec<OnItsWay>,
    sent: u32,
    read: u32,
}

impl World {
    fn address(place: usize) -> Address {
        address(["alice", "bob", "carol"][place / 2], 1 + u32::try_from(place % 2).unwrap())
    }

    fn identity((place, generation): Who) -> IdentityKey {
        identity(u8::try_from(place).unwrap() * 32 + generation)
    }

    fn now(&self, place: usize) -> Who {
        (place, self.generation[place])
    }

    fn run(&mut self, step: &Step) {
        match *step {
            Step::Join(place) => {
                let who = self.now(place);
                self.members.insert(who);
            }
            Step::Leave(place) => {
                let who = self.now(place);
                self.members.remove(&who);
            }
            Step::Reinstall(place) => {
                let old = self.now(place);
                self.generation[place] += 1;
                if self.members.remove(&old) {
                    self.members.insert(self.now(place));
                }
            }
            Step::Send(place, lost) => self.send(self.now(place), lost),
            Step::Deliver(seed) => self.deliver(seed),
            Step::ReplaceKey(place) => {
                let who = self.now(place);
                if let Some(sender) = self.senders.get_mut(&who) {
                    sender.change(GroupSession::replace_key);
                }
            }
        }
    }

    fn send(&mut self, from: Who, lost: u8) {
        if !self.members.contains(&from) {
            return;
        }
        let list: Vec<_> =
            self.members.iter().map(|who| (Self::address(who.0), Self::identity(*who))).collect();
        let sender = self.senders.entry(from).or_insert_with(|| {
            Sender::new(Self::address(from.0), u64::from(from.1) * 64 + from.0 as u64)
        });
        let text = format!("message {}", self.sent).into_bytes();
        self.sent += 1;
        let sent = sender.send(&list, &text);
        for (to, message) in &sent.told {
            let place = (0..PLACES).find(|place| Self::address(*place) == *to).unwrap();
            if lost & 1 << place == 0 {
                let to = self.now(place);
                learn(self.records.entry((to, from)).or_default(), message);
            }
        }
        let for_whom = self.members.clone();
        self.on_its_way.push(OnItsWay { from, message: sent.message, text, for_whom });
    }

    fn deliver(&mut self, seed: u64) {
        let mut arriving = std::mem::take(&mut self.on_its_way);
        arriving.shuffle(&mut StdRng::seed_from_u64(seed));
        let everybody: BTreeSet<Who> = (0..PLACES)
            .flat_map(|place| {
                (0..=self.generation[place]).map(move |generation| (place, generation))
            })
            .collect();
        for OnItsWay { from, message, text, for_whom } in arriving {
            let chain_id = SenderKeyMessage::parse(by().dialect(), &message).unwrap().chain_id();
            for who in &everybody {
                if *who == from {
                    continue;
                }
                let record = self.records.entry((*who, from)).or_default();
                let knows = record.chain_ids().any(|known| known == chain_id);
                match read(record, &message) {
                    Ok(got) => {
                        assert_eq!(got, text);
                        assert!(
                            for_whom.contains(who),
                            "{who:?} reads what {from:?} sent before it joined or after it left"
                        );
                        self.read += 1;
                        assert!(read(record, &message).is_err(), "twice");
                    }
                    Err(error) => {
                        // who is a member and did not get the key, or lost it, asks for it
                        if for_whom.contains(who) && self.members.contains(who) {
                            // only a key that arrived too late knows the chain, and not the message
                            let late = matches!(error, Error::DuplicatedMessage { .. });
                            assert_eq!(knows, late, "{error:?}");
                            if let Some(sender) = self.senders.get_mut(&from) {
                                sender.change(|group| {
                                    group.give_again(&Self::address(who.0));
                                });
                            }
                        }
                    }
                }
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    /// Nobody reads what was sent after they left or before they joined, whatever the order of arrival,
    /// and members who got the key read everything.
    #[test]
    fn nobody_reads_what_was_not_for_them(steps in steps()) {
        let mut world = World {
            senders: BTreeMap::new(),
            records: BTreeMap::new(),
            members: (0..4).map(|place| (place, 0)).collect(),
            generation: [0; PLACES],
            on_its_way: Vec::new(),
            sent: 0,
            read: 0,
        };
        for step in &steps {
            world.run(step);
        }
        world.deliver(1);
        // with a new key that nobody loses, every member reads
        if let Some(&from) = world.members.iter().next() {
            world.send(from, 0);
            world.deliver(2);
            world.run(&Step::ReplaceKey(from.0));
            let read = world.read;
            world.send(from, 0);
            world.deliver(3);
            let others = world.members.len() - 1;
            prop_assert_eq!(usize::try_from(world.read - read).unwrap(), others);
            prop_assert_eq!(world.senders[&from].load().holders().count(), others);
        }
    }
}
