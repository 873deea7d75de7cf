//! Five devices of three users, a server and a network that does what networks do: random sends, reorder,
//! loss, duplication, crashes, conflicts, reinstallations, devices added and removed.
//!
//! Whatever the order: no message key is used twice, nothing is delivered twice or wrongly, records stay
//! small, and in the end everybody can talk to everybody.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use sandi::keys::IdentityKeyPair;
use sandi::prekey::PreKeyBundle;
use sandi::protocol::{Answered, Asked, ServerStock};
use sandi::sesame::{CorrectDevices, ListedDevice, Sent};
use sandi::session::CiphertextMessage;
use sandi::wire::DecryptionErrorMessage;
use sandi::{Address, Device, DeviceId, Disposition, Policy, RecordKey, Timestamp};

use super::faults::number;
use super::support::*;

const USERS: [&str; 3] = [ALICE, BOB, CAROL];
/// Every device that there can be.
const DEVICES: [(usize, u32); 5] = [(0, 1), (0, 2), (1, 1), (1, 2), (2, 1)];

#[derive(Clone, Debug)]
enum Step {
    /// A device writes to a user, and its user's other devices get a copy.
    Send { from: usize, to: usize },
    /// Delivers a waiting message, or request to send again.
    Deliver(usize),
    /// Delivers a waiting message and keeps it waiting.
    Duplicate(usize),
    /// Reads a waiting message and does not commit.
    Peek(usize),
    /// A waiting message is lost.
    Lose(usize),
    /// A device's process ends.
    Crash(usize),
    /// Another process of the same device archives the session with a peer.
    Archive { device: usize, peer: usize },
    /// A device loses its store, and registers anew with its account's identity.
    Reinstall(usize),
    /// A user starts over with a new identity: its other devices are removed.
    NewIdentity(usize),
    /// A second device is removed from its account, or added again.
    Toggle(usize),
    /// A device looks after its pre-keys, some days later.
    Replenish { device: usize, days: u64 },
}

fn step() -> impl Strategy<Value = Step> {
    let device = 0..DEVICES.len();
    prop_oneof![
        8 => (device.clone(), 0..3_usize).prop_map(|(from, to)| Step::Send { from, to }),
        12 => any::<usize>().prop_map(Step::Deliver),
        2 => any::<usize>().prop_map(Step::Duplicate),
        2 => any::<usize>().prop_map(Step::Peek),
        2 => any::<usize>().prop_map(Step::Lose),
        3 => device.clone().prop_map(Step::Crash),
        1 => (device.clone(), device.clone())
            .prop_map(|(device, peer)| Step::Archive { device, peer }),
        1 => device.clone().prop_map(Step::Reinstall),
        1 => (0..3_usize).prop_map(Step::NewIdentity),
        1 => (0..2_usize).prop_map(Step::Toggle),
        1 => (device, 0..4_u64).prop_map(|(device, days)| Step::Replenish { device, days }),
    ]
}

#[derive(Clone)]
enum Content {
    Message { message: CiphertextMessage, text: String, sent_at: Timestamp },
    Request(DecryptionErrorMessage),
}

#[derive(Clone)]
struct Envelope {
    from: Address,
    to: Address,
    /// Which installation of the recipient it was for: the server forgets the queue of an older one.
    installation: u32,
    content: Content,
}

struct World {
    parties: Vec<Party>,
    /// Counts the installations of each device; its registration id tells them apart.
    installations: Vec<u32>,
    active: BTreeSet<usize>,
    identities: Vec<u64>,
    network: Vec<Envelope>,
    /// What every device has sent, by recipient and timestamp: what an application keeps to send again.
    outbox: BTreeMap<(Address, u32, Address, u64), String>,
    /// Sender, its installation, recipient, ratchet key and counter: the fingerprint of a message key.
    keys: BTreeSet<(Address, u32, Address, Vec<u8>, u32)>,
    /// Recipient, its installation, ciphertext.
    delivered: BTreeSet<(Address, u32, Vec<u8>)>,
    clock: u64,
}

fn identity_of(user: usize, generation: u64) -> IdentityKeyPair {
    let seed = u32::try_from(100 * generation).unwrap() + u32::try_from(user).unwrap();
    IdentityKeyPair::generate(&mut seeded("identity", seed))
}

impl World {
    fn new(policy: Policy) -> Self {
        let parties = DEVICES
            .map(|(user, device)| party_of(USERS[user], device, policy, identity_of(user, 0)));
        Self {
            parties: parties.into(),
            installations: vec![0; DEVICES.len()],
            active: (0..DEVICES.len()).collect(),
            identities: vec![0; 3],
            network: Vec::new(),
            outbox: BTreeMap::new(),
            keys: BTreeSet::new(),
            delivered: BTreeSet::new(),
            clock: 0,
        }
    }

    fn index(&self, address: &Address) -> usize {
        self.parties.iter().position(|party| party.device.address() == address).unwrap()
    }

    /// The server's list of a user's devices.
    fn listed(&self, user: usize) -> Vec<ListedDevice> {
        let active = self.active.iter().filter(|&&at| DEVICES[at].0 == user);
        active
            .map(|&at| ListedDevice {
                id: DeviceId::new(DEVICES[at].1).unwrap(),
                registration_id: Some(self.parties[at].device.registration_id()),
            })
            .collect()
    }

    /// The server hands out a bundle, after the device has filled up its stock.
    fn bundle(&mut self, at: usize) -> PreKeyBundle {
        let party = &mut self.parties[at];
        if party.server.one_time.is_empty() {
            let stock = ServerStock { one_time: 0, one_time_kem: 0 };
            let upload = party.device.replenish(stock, party.now, &mut party.rng).unwrap();
            party.device.confirm_upload(&upload, party.now, &mut party.rng).unwrap();
            party.server.signed = upload.signed.or(party.server.signed.take());
            party.server.last_resort = upload.last_resort.or(party.server.last_resort.take());
            party.server.one_time.extend(upload.one_time);
            party.server.one_time_kem.extend(upload.one_time_kem);
        }
        party.bundle()
    }

    fn start(&mut self, from: usize, to: &Address) {
        let bundle = self.bundle(self.index(to));
        let party = &mut self.parties[from];
        party.device.start_session(to, &bundle, party.now, &mut party.rng).unwrap();
    }

    /// A message leaves a device.
    fn post(&mut self, from: usize, to: &Address, message: CiphertextMessage, text: &str, at: u64) {
        let sender = self.parties[from].address();
        let (ratchet_key, counter) = number(&message);
        let installation = self.installations[from];
        let key = (sender.clone(), installation, to.clone(), ratchet_key, counter);
        assert!(self.keys.insert(key), "a message key was used twice");
        self.outbox.insert((sender.clone(), installation, to.clone(), at), text.to_owned());
        self.network.push(Envelope {
            from: sender,
            to: to.clone(),
            installation: self.installations[self.index(to)],
            content: Content::Message { message, text: text.to_owned(), sent_at: Timestamp(at) },
        });
    }

    fn send(&mut self, from: usize, to: usize) {
        self.clock += 1;
        let (text, at) = (format!("message {}", self.clock), NOW.0 + self.clock);
        for _ in 0..12 {
            let party = &mut self.parties[from];
            let sent = party
                .device
                .encrypt_to_users(
                    &[USERS[to]],
                    text.as_bytes(),
                    Some(text.as_bytes()),
                    party.now,
                    &mut party.rng,
                )
                .unwrap();
            let (unknown_users, need_session) = match sent {
                Sent::Messages(messages) => {
                    // The server compares with its own list, and refuses the whole if they differ.
                    let mut users: Vec<_> = vec![to, DEVICES[from].0];
                    users.dedup();
                    if self.correct(from, &users, &messages) {
                        continue;
                    }
                    for sent in messages {
                        self.post(from, &sent.address, sent.message.unwrap(), &text, at);
                    }
                    return;
                }
                Sent::Incomplete { unknown_users, need_session, blocked } => {
                    assert_eq!(blocked, []);
                    (unknown_users, need_session)
                }
            };
            for user in unknown_users {
                let user = USERS.iter().position(|name| *name == user).unwrap();
                let listed = self.listed(user);
                let party = &mut self.parties[from];
                party
                    .device
                    .update_devices(USERS[user], &listed, party.now, &mut party.rng)
                    .unwrap();
            }
            for address in need_session {
                if self.active.contains(&self.index(&address)) {
                    self.start(from, &address);
                } else {
                    // Its bundle cannot be had.
                    let gone = [address.device()];
                    let correct = CorrectDevices {
                        user: address.name(),
                        missing: &[],
                        extra: &gone,
                        stale: &[],
                    };
                    let party = &mut self.parties[from];
                    party.device.perform(&correct, party.now, &mut party.rng).unwrap();
                }
            }
        }
        panic!("a message does not come together");
    }

    /// The server's answer, where the message's devices are not the users'. Returns whether it refused.
    fn correct(
        &mut self,
        from: usize,
        users: &[usize],
        messages: &[sandi::protocol::Encrypted],
    ) -> bool {
        let mut refused = false;
        for &user in users {
            let sent: BTreeMap<_, _> = messages
                .iter()
                .filter(|sent| sent.address.name() == USERS[user])
                .map(|sent| (sent.address.device(), sent.registration_id))
                .collect();
            let mut listed = self.listed(user);
            listed.retain(|device| {
                Address::new(USERS[user], device.id) != self.parties[from].address()
            });
            let ids: BTreeSet<_> = listed.iter().map(|device| device.id).collect();
            let missing: Vec<_> = ids.iter().filter(|id| !sent.contains_key(id)).copied().collect();
            let extra: Vec<_> = sent.keys().filter(|id| !ids.contains(id)).copied().collect();
            let stale: Vec<_> = listed
                .iter()
                .filter(|device| {
                    sent.get(&device.id).is_some_and(|id| Some(*id) != device.registration_id)
                })
                .map(|device| device.id)
                .collect();
            if missing.is_empty() && extra.is_empty() && stale.is_empty() {
                continue;
            }
            refused = true;
            let correct = CorrectDevices {
                user: USERS[user],
                missing: &missing,
                extra: &extra,
                stale: &stale,
            };
            let party = &mut self.parties[from];
            party.device.perform(&correct, party.now, &mut party.rng).unwrap();
        }
        refused
    }

    fn deliver(&mut self, envelope: &Envelope, commit: bool) {
        let at = self.index(&envelope.to);
        if envelope.installation != self.installations[at] || !self.active.contains(&at) {
            return;
        }
        match &envelope.content {
            Content::Message { message, text, sent_at } => {
                self.receive(at, &envelope.from, message, text, *sent_at, commit);
            }
            Content::Request(request) => self.answer(at, &envelope.from, request),
        }
    }

    fn receive(
        &mut self,
        at: usize,
        from: &Address,
        message: &CiphertextMessage,
        text: &str,
        sent_at: Timestamp,
        commit: bool,
    ) {
        let installation = self.installations[at];
        let party = &mut self.parties[at];
        let now = party.now;
        let error = match party.open(from, message) {
            Ok(received) => {
                assert_eq!(received.plaintext(), text.as_bytes());
                if commit {
                    received.commit().unwrap();
                    let id = (party.address(), installation, message.bytes.clone());
                    assert!(self.delivered.insert(id), "delivered twice");
                }
                return;
            }
            Err(error) => error.protocol().unwrap(),
        };
        match error.disposition() {
            Disposition::Drop => {
                let id = (party.address(), installation, message.bytes.clone());
                assert!(self.delivered.contains(&id), "{error} for a message that is new");
            }
            Disposition::AskSenderToResend | Disposition::StartSession => {
                let asked = party
                    .device
                    .ask_retry(
                        from,
                        message.message_type,
                        &message.bytes,
                        sent_at,
                        now,
                        &mut party.rng,
                    )
                    .unwrap();
                let to = party.address();
                if let Asked::Ask { message, .. } = asked {
                    let sender = self.index(from);
                    self.network.push(Envelope {
                        from: to,
                        to: from.clone(),
                        installation: self.installations[sender],
                        content: Content::Request(message),
                    });
                }
            }
            other => panic!("{error}: {other:?}"),
        }
    }

    fn answer(&mut self, at: usize, from: &Address, request: &DecryptionErrorMessage) {
        let party = &mut self.parties[at];
        let answered = party.device.answer_retry(from, request, party.now, &mut party.rng).unwrap();
        let Answered::Resend { timestamp, .. } = answered else { return };
        let sender = party.address();
        let key = (sender, self.installations[at], from.clone(), timestamp.0);
        let Some(text) = self.outbox.get(&key).cloned() else { return };
        if !self.active.contains(&self.index(from)) {
            return;
        }
        let party = &mut self.parties[at];
        if !party.device.has_session(from, Default::default(), party.now).unwrap() {
            self.start(at, from);
        }
        let message = self.parties[at].write(from, &text);
        self.post(at, from, message, &text, timestamp.0);
    }

    /// A device starts with an empty store.
    fn install(&mut self, at: usize) {
        let (user, device) = DEVICES[at];
        let policy = self.parties[at].device.options().dialects;
        self.installations[at] += 1;
        let mut party = party_of_installation(
            USERS[user],
            device,
            policy,
            identity_of(user, self.identities[user]),
            self.installations[at],
        );
        party.now = self.parties[at].now;
        self.parties[at] = party;
    }

    fn step(&mut self, step: &Step) {
        let waiting = |at: usize, world: &Self| at.checked_rem(world.network.len());
        match *step {
            Step::Send { from, to } if self.active.contains(&from) => self.send(from, to),
            Step::Send { .. } => {}
            Step::Deliver(at) => {
                if let Some(at) = waiting(at, self) {
                    let envelope = self.network.remove(at);
                    self.deliver(&envelope, true);
                }
            }
            Step::Duplicate(at) | Step::Peek(at) => {
                if let Some(at) = waiting(at, self) {
                    let envelope = self.network[at].clone();
                    self.deliver(&envelope, matches!(step, Step::Duplicate(_)));
                }
            }
            Step::Lose(at) => {
                if let Some(at) = waiting(at, self) {
                    self.network.remove(at);
                }
            }
            Step::Crash(at) => self.parties[at].restart(),
            Step::Archive { device, peer } => {
                let peer = self.parties[peer].address();
                let party = &mut self.parties[device];
                let store = party.device.store().clone();
                let mut other = Device::open(store, *party.device.options()).unwrap();
                other.archive_session(&peer, party.now, &mut party.rng).unwrap();
            }
            Step::Reinstall(at) => self.install(at),
            Step::NewIdentity(user) => {
                self.identities[user] += 1;
                for at in (0..DEVICES.len()).filter(|&at| DEVICES[at].0 == user) {
                    self.install(at);
                }
            }
            Step::Toggle(user) => {
                let at = DEVICES.iter().position(|device| *device == (user, 2)).unwrap();
                if !self.active.remove(&at) {
                    self.install(at);
                    self.active.insert(at);
                }
            }
            Step::Replenish { device, days } => {
                let party = &mut self.parties[device];
                party.now = Timestamp(party.now.0 + days * DAY);
                let stock = ServerStock {
                    one_time: u32::try_from(party.server.one_time.len()).unwrap(),
                    one_time_kem: u32::try_from(party.server.one_time_kem.len()).unwrap(),
                };
                let upload = party.device.replenish(stock, party.now, &mut party.rng).unwrap();
                party.device.confirm_upload(&upload, party.now, &mut party.rng).unwrap();
                party.server.signed = upload.signed.or(party.server.signed.take());
                party.server.last_resort = upload.last_resort.or(party.server.last_resort.take());
                party.server.one_time.extend(upload.one_time);
                party.server.one_time_kem.extend(upload.one_time_kem);
            }
        }
        // What is recovered in another handle must be what a process finds that starts now.
        for party in &self.parties {
            for (key, record) in party.device.store().borrow().iter() {
                let most = match key {
                    RecordKey::Session(_) | RecordKey::SessionArchive { .. } => 8_000,
                    RecordKey::SkippedKeys { .. } => 12_000,
                    RecordKey::KemPreKey(_) => 5_000,
                    RecordKey::PreKeyLedger => 4_000,
                    RecordKey::Retry(_) => 1_500,
                    _ => 500,
                };
                assert!(record.bytes().len() <= most, "{key:?}: {} bytes", record.bytes().len());
            }
        }
    }

    /// The network is quiet and delivers everything, in order.
    fn settle(&mut self) {
        for _ in 0..500 {
            if self.network.is_empty() {
                return;
            }
            let envelope = self.network.remove(0);
            self.deliver(&envelope, true);
        }
        panic!("the devices keep each other busy");
    }
}

fn run(policy: Policy, steps: &[Step]) {
    let mut world = World::new(policy);
    for step in steps {
        world.step(step);
    }
    world.settle();
    // In the end everybody talks to everybody, and every message arrives at every device.
    let active: Vec<_> = world.active.iter().copied().collect();
    for _ in 0..2 {
        for &from in &active {
            for to in 0..3 {
                world.send(from, to);
                world.settle();
            }
        }
    }
    let before = world.delivered.len();
    let mut expected = 0;
    for &from in &active {
        for to in 0..3 {
            world.send(from, to);
            expected += world.network.len();
            world.settle();
        }
    }
    assert_eq!(world.delivered.len() - before, expected, "not every message arrived");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn five_devices_of_three_users_survive_anything_in_version_3(
        steps in proptest::collection::vec(step(), 1..120)
    ) {
        run(Policy::V3, &steps);
    }

    #[test]
    fn five_devices_of_three_users_survive_anything_in_version_4(
        steps in proptest::collection::vec(step(), 1..80)
    ) {
        run(Policy::V4, &steps);
    }
}
