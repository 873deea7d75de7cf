use sandi::group::Distribution;
use sandi::protocol::{Answered, Asked, SendToGroup, SentToGroup};
use sandi::session::Plaintext;
use sandi::wire::CiphertextMessageType;
use sandi::{Address, Device, Error, Policy};

use super::healing::damage;
use super::support::*;

fn distributions() -> [(Policy, Distribution); 2] {
    [(Policy::V3, Distribution::Group("group@g".into())), (Policy::V4, Distribution::Id([7; 16]))]
}

/// The application's content: one byte says that it is a distribution message.
fn wrap(bytes: &[u8]) -> Plaintext {
    [b"D", bytes].concat().into()
}

struct Group {
    distribution: Distribution,
    parties: Vec<Party>,
}

impl Group {
    fn new(policy: Policy, distribution: Distribution) -> Self {
        let names = [(ALICE, 1), (ALICE, 2), (BOB, 1), (CAROL, 1), ("dave", 1)];
        let identity = || sandi::keys::IdentityKeyPair::generate(&mut seeded("alice", 0));
        let parties = names.map(|(name, device)| match name {
            ALICE => party_of(name, device, policy, identity()),
            _ => party(name, device, policy),
        });
        Self { distribution, parties: parties.into() }
    }

    fn addresses(&self, members: &[usize]) -> Vec<Address> {
        members.iter().map(|&member| self.parties[member].address()).collect()
    }

    /// Sends, after starting what sessions are missing. Returns the message, and who got the key.
    fn send(&mut self, from: usize, members: &[usize], text: &str) -> (Vec<u8>, Vec<usize>) {
        let addresses = self.addresses(members);
        loop {
            let sender = &mut self.parties[from];
            let message = SendToGroup {
                distribution: &self.distribution,
                members: &addresses,
                content: text.as_bytes(),
                wrap: &wrap,
            };
            let sent = sender.device.send_to_group(&message, NOW, &mut sender.rng).unwrap();
            match sent {
                SentToGroup::Incomplete { need_session, blocked } => {
                    assert_eq!(blocked, []);
                    for address in need_session {
                        let at = self.index(&address);
                        let bundle = self.parties[at].bundle();
                        let sender = &mut self.parties[from];
                        sender
                            .device
                            .start_session(&address, &bundle, NOW, &mut sender.rng)
                            .unwrap();
                    }
                }
                SentToGroup::Message { bytes, distributions, .. } => {
                    let sender = self.parties[from].address();
                    let mut got = Vec::new();
                    for sent in distributions {
                        let at = self.index(&sent.address);
                        self.learn(at, &sender, &sent.message.unwrap());
                        got.push(at);
                    }
                    return (bytes, got);
                }
            }
        }
    }

    fn index(&self, address: &Address) -> usize {
        self.parties.iter().position(|party| party.device.address() == address).unwrap()
    }

    fn learn(&mut self, at: usize, from: &Address, message: &sandi::session::CiphertextMessage) {
        let party = &mut self.parties[at];
        let text = party.open(from, message).unwrap().plaintext().to_vec();
        assert_eq!(text[0], b'D');
        // Before the message that carried it is committed: a crash in between loses nothing.
        for _ in 0..2 {
            party
                .device
                .accept_distribution(from, &self.distribution, &text[1..], NOW, &mut party.rng)
                .unwrap();
            party.restart();
        }
        party.open(from, message).unwrap().commit().unwrap();
    }

    fn read(&mut self, at: usize, from: usize, bytes: &[u8]) -> Result<String, Error> {
        let from = self.parties[from].address();
        let party = &mut self.parties[at];
        let received =
            party.device.decrypt_group(&from, &self.distribution, bytes, NOW, &mut party.rng);
        let received = received.map_err(|error| error.protocol().unwrap())?;
        assert_eq!(received.sender(), &from);
        let decrypted = received.commit().map_err(|error| error.protocol().unwrap())?;
        Ok(String::from_utf8(decrypted.plaintext.to_vec()).unwrap())
    }
}

#[test]
fn five_devices_talk_one_leaves_and_reads_no_more() {
    for (policy, distribution) in distributions() {
        let mut group = Group::new(policy, distribution);
        let all = [0, 1, 2, 3, 4];
        let (first, got) = group.send(0, &all, "first");
        assert_eq!(got.len(), 4);
        for at in 1..5 {
            assert_eq!(group.read(at, 0, &first).unwrap(), "first");
            assert!(matches!(group.read(at, 0, &first), Err(Error::DuplicatedMessage { .. })));
        }
        // Everybody has the key: nothing but the one message.
        let (second, got) = group.send(0, &all, "second");
        assert!(got.is_empty());
        assert_eq!(group.read(2, 0, &second).unwrap(), "second");
        // Dave leaves.
        let (third, got) = group.send(0, &[0, 1, 2, 3], "without Dave");
        assert_eq!(got.len(), 3);
        assert_eq!(group.read(4, 0, &third), Err(Error::NoSenderKeyState));
        for at in [1, 2, 3] {
            assert_eq!(group.read(at, 0, &third).unwrap(), "without Dave");
        }
        // He comes back, and reads what comes from then on; late messages of the old key still read.
        let (fourth, got) = group.send(0, &all, "with Dave");
        assert_eq!(got, [4]);
        assert_eq!(group.read(4, 0, &fourth).unwrap(), "with Dave");
        assert!(group.read(4, 0, &third).is_err());
        assert_eq!(group.read(3, 0, &second).unwrap(), "second");
        // The others send with keys of their own.
        let (answer, got) = group.send(3, &all, "answer");
        assert_eq!(got.len(), 4);
        assert_eq!(group.read(0, 3, &answer).unwrap(), "answer");
    }
}

#[test]
fn a_group_message_that_is_dropped_can_be_delivered_again_and_a_forged_one_changes_nothing() {
    let (policy, distribution) = distributions()[1].clone();
    let mut group = Group::new(policy, distribution.clone());
    let (message, _) = group.send(0, &[0, 2], "text");
    let from = group.parties[0].address();
    let mut forged = message.clone();
    *forged.last_mut().unwrap() ^= 1;
    assert_eq!(group.read(2, 0, &forged), Err(Error::SignatureValidationFailed));
    let party = &mut group.parties[2];
    for _ in 0..3 {
        let received =
            party.device.decrypt_group(&from, &distribution, &message, NOW, &mut party.rng);
        assert_eq!(received.unwrap().plaintext(), b"text");
    }
    assert_eq!(group.read(2, 0, &message).unwrap(), "text");
    // Under another name it is another key.
    let other = Distribution::Id([8; 16]);
    let party = &mut group.parties[2];
    let refused = party.device.decrypt_group(&from, &other, &message, NOW, &mut party.rng);
    assert_eq!(refused.unwrap_err().protocol(), Some(Error::InvalidArgument));
}

#[test]
fn two_handles_never_send_under_one_iteration() {
    let (policy, distribution) = distributions()[1].clone();
    let mut group = Group::new(policy, distribution.clone());
    let (first, _) = group.send(0, &[0, 2], "0");
    assert_eq!(group.read(2, 0, &first).unwrap(), "0");
    let store = group.parties[0].device.store().clone();
    let mut other = Device::open(store, options(policy)).unwrap();
    let members = group.addresses(&[0, 2]);
    for round in 1..10 {
        let text = format!("{round}");
        let bytes = if round % 2 == 0 {
            let message = SendToGroup {
                distribution: &distribution,
                members: &members,
                content: text.as_bytes(),
                wrap: &wrap,
            };
            let sent = other.send_to_group(&message, NOW, &mut seeded("other", 1)).unwrap();
            let SentToGroup::Message { bytes, .. } = sent else { panic!() };
            bytes
        } else {
            group.send(0, &[0, 2], &text).0
        };
        assert_eq!(group.read(2, 0, &bytes).unwrap(), text);
    }
}

#[test]
fn a_member_that_lost_the_key_asks_and_gets_it_with_the_next_message() {
    let (policy, distribution) = distributions()[1].clone();
    let mut group = Group::new(policy, distribution.clone());
    let (first, _) = group.send(0, &[0, 2], "first");
    group.read(2, 0, &first).unwrap();
    // Bob loses the key alone.
    let (sender, member) = (group.parties[0].address(), group.parties[2].address());
    {
        use sandi::Store;
        let store = group.parties[2].device.store_mut();
        let key = distribution.sender_key(&sender);
        let revision = store.load(&key).unwrap().unwrap().revision();
        let mut changes = sandi::Changes::new();
        changes.delete(key, revision).unwrap();
        store.commit(&changes).unwrap();
    }
    let (lost, got) = group.send(0, &[0, 2], "lost");
    assert!(got.is_empty());
    let error = group.read(2, 0, &lost).unwrap_err();
    assert_eq!(error.disposition(), sandi::Disposition::AskSenderToResend);
    let bob = &mut group.parties[2];
    let kind = CiphertextMessageType::SenderKey;
    let asked = bob.device.ask_retry(&sender, kind, &lost, NOW, NOW, &mut bob.rng).unwrap();
    let Asked::Ask { message, .. } = asked else { panic!() };
    let alice = &mut group.parties[0];
    let answered = alice.device.answer_retry(&member, &message, NOW, &mut alice.rng).unwrap();
    assert!(matches!(answered, Answered::Resend { is_sender_key: true, .. }));
    let again = alice.device.give_key_again(&distribution, &member, NOW, &mut alice.rng).unwrap();
    assert!(again);
    let (next, got) = group.send(0, &[0, 2], "lost, again");
    assert_eq!(got, [2]);
    assert_eq!(group.read(2, 0, &next).unwrap(), "lost, again");
}

#[test]
fn a_member_with_another_identity_makes_the_key_be_replaced() {
    let (policy, distribution) = distributions()[1].clone();
    let mut group = Group::new(policy, distribution);
    let (first, _) = group.send(0, &[0, 2, 3], "first");
    group.read(3, 0, &first).unwrap();
    // Bob starts over with another identity, and Alice learns of it.
    let identity = sandi::keys::IdentityKeyPair::generate(&mut seeded("new bob", 9));
    group.parties[2] = party_of(BOB, 1, policy, identity);
    let [alice, _, bob, ..] = &mut group.parties[..] else { panic!() };
    bob.start(alice);
    let message = bob.write(&alice.address(), "new phone");
    alice.read(&bob.address(), &message);
    let (second, got) = group.send(0, &[0, 2, 3], "second");
    assert_eq!(got.len(), 2, "both get the new key");
    assert_eq!(group.read(2, 0, &second).unwrap(), "second");
    assert_eq!(group.read(3, 0, &second).unwrap(), "second");
}

#[test]
fn a_damaged_sender_key_is_forgotten_and_the_group_goes_on() {
    use sandi::Store;
    let (policy, distribution) = distributions()[1].clone();
    let mut group = Group::new(policy, distribution.clone());
    let (first, _) = group.send(0, &[0, 2], "first");
    group.read(2, 0, &first).unwrap();
    let (alice, bob) = (group.parties[0].address(), group.parties[2].address());
    // Alice's own key: she cannot send, until she makes a new one.
    damage(&mut group.parties[0], &distribution.sender_key(&alice));
    let members = [bob];
    let message =
        SendToGroup { distribution: &distribution, members: &members, content: b"x", wrap: &wrap };
    let party = &mut group.parties[0];
    let error = party.device.send_to_group(&message, NOW, &mut party.rng).unwrap_err();
    assert_eq!(error.disposition(), Some(sandi::Disposition::Repair), "{error}");
    let forget = |party: &mut Party| {
        party.device.forget_sender_key(&distribution, &alice, NOW, &mut party.rng).unwrap()
    };
    assert!(forget(&mut group.parties[0]));
    assert!(!forget(&mut group.parties[0]));
    let (second, got) = group.send(0, &[0, 2], "second");
    assert_eq!(got, [2]);
    assert_eq!(group.read(2, 0, &second).unwrap(), "second");
    // Alice's key at Bob's.
    damage(&mut group.parties[2], &distribution.sender_key(&alice));
    let (third, _) = group.send(0, &[0, 2], "third");
    let error = group.read(2, 0, &third).unwrap_err();
    assert_eq!(error.disposition(), sandi::Disposition::Repair, "{error}");
    assert!(forget(&mut group.parties[2]));
    assert_eq!(group.read(2, 0, &third), Err(Error::NoSenderKeyState));
    assert!(group.parties[0].device.store().load(&distribution.group()).unwrap().is_some());
}
