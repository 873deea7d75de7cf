//! A peer whose phone number turns into a LID (spec 20 §2, §11.7).

use sandi::business::{EncryptionStatus, Signal};
use sandi::device::{Device, DeviceError, NewDevice};
use sandi::group::Distribution;
use sandi::keys::IdentityKeyPair;
use sandi::linking::EncryptionType;
use sandi::protocol::{
    CompanionPolicy, HostedPolicy, IdentityScope, Moved, Options, SendToGroup, SentToGroup,
    ServerStock, Verification,
};
use sandi::session::Plaintext;
use sandi::store::conformance::{Fault, FaultStore, Operation};
use sandi::{Address, Error, MemoryStore, Policy, RecordKey, Store};

use super::support::*;

fn lid() -> Address {
    address("2200_1", 1)
}

fn phone_number() -> Address {
    address("5522", 1)
}

/// A device of the WhatsApp family: each device has its own identity.
fn device_of<S: Store<Error: std::fmt::Debug>>(store: S, name: &str) -> Party<S> {
    let mut rng = seeded(name, 1);
    let new = NewDevice {
        address: address(name, 1),
        identity: IdentityKeyPair::generate(&mut rng),
        registration_id: 7,
        scope: IdentityScope::Device,
    };
    let mut device = Device::create(store, new, options(Policy::V3), &mut rng).unwrap();
    let server = device.replenish(ServerStock::default(), NOW, &mut rng).unwrap();
    device.confirm_upload(&server, NOW, &mut rng).unwrap();
    Party { device, now: NOW, rng, server }
}

/// Alice, and Bob whom she knows by his phone number, after one message each way.
fn acquainted() -> (Party, Party) {
    let (mut alice, mut bob) =
        (device_of(Memory::default(), "5511"), device_of(Memory::default(), "5522"));
    alice.start(&mut bob);
    let hello = alice.write(&phone_number(), "hello");
    bob.read(&alice.address(), &hello);
    let reply = bob.write(&alice.address(), "reply");
    alice.read(&phone_number(), &reply);
    (alice, bob)
}

fn go(party: &mut Party, from: &Address, to: &Address) -> Moved {
    party.device.move_address(from, to, &[], NOW, &mut party.rng).unwrap()
}

/// The records of which the address is part.
fn records(party: &Party, name: &str) -> Vec<RecordKey> {
    let store = party.device.store().borrow();
    let named = |key: &RecordKey| match key {
        RecordKey::Session(address)
        | RecordKey::SessionArchive { address, .. }
        | RecordKey::SkippedKeys { address, .. }
        | RecordKey::Retry(address)
        | RecordKey::Alias(address)
        | RecordKey::SenderKey { sender: address, .. } => address.name() == name,
        RecordKey::Identity { name: of, .. } => of == name,
        _ => false,
    };
    store.iter().map(|(key, _)| key.clone()).filter(named).collect()
}

fn bytes(party: &Party) -> Vec<(RecordKey, u64, Vec<u8>)> {
    let store = party.device.store().borrow();
    store
        .iter()
        .map(|(key, record)| (key.clone(), record.revision(), record.bytes().to_vec()))
        .collect()
}

#[test]
fn a_moved_conversation_goes_on_under_both_names() {
    let (mut alice, mut bob) = acquainted();
    let to = alice.address();
    // An archived session, a message of it on its way; a late one of the current session; a count of retries.
    let archived = bob.write(&to, "of the archived session");
    alice.start(&mut bob);
    let second = alice.write(&phone_number(), "second");
    bob.read(&to, &second);
    let [first, late, next] = ["first", "late", "next"].map(|text| bob.write(&to, text));
    alice.read(&phone_number(), &first);
    alice.read(&phone_number(), &next);
    let mut lost = bob.write(&to, "lost");
    *lost.bytes.last_mut().unwrap() ^= 1;
    assert_eq!(alice.refused(&phone_number(), &lost), Error::Rejected);
    let asked = alice.device.ask_retry(
        &phone_number(),
        lost.message_type,
        &lost.bytes,
        NOW,
        NOW,
        &mut alice.rng,
    );
    asked.unwrap();
    let key = *bob.device.identity_key();
    alice
        .device
        .set_verification(&phone_number(), &key, Verification::Verified, NOW, &mut alice.rng)
        .unwrap();
    let before = records(&alice, "5522");
    assert!(before.iter().any(|key| matches!(key, RecordKey::SkippedKeys { .. })));
    assert!(before.iter().any(|key| matches!(key, RecordKey::SessionArchive { .. })));

    let moved = go(&mut alice, &phone_number(), &lid());
    assert_eq!(moved, Moved { session: true, identity: true, sender_keys: 0 });
    // Moved, not copied: nothing but the way there is left.
    assert_eq!(records(&alice, "5522"), [RecordKey::Alias(phone_number())]);
    assert_eq!(records(&alice, "2200_1").len(), before.len());
    let known = alice.device.identity_of(&lid()).unwrap().unwrap();
    assert_eq!((known.key(), known.verification()), (&key, Verification::Verified));
    for _ in 0..2 {
        assert_eq!(alice.device.resolve(&phone_number()).unwrap(), lid());
        assert_eq!(alice.device.resolve(&lid()).unwrap(), lid());
        assert_eq!(alice.device.resolve(&to).unwrap(), to);
        alice.restart();
    }
    // Messages that still name the number: the answer names the LID.
    for (message, text) in [(late, "late"), (archived, "of the archived session")] {
        let received =
            alice.device.decrypt(&PN, message.message_type, &message.bytes, NOW, &mut alice.rng);
        let decrypted = received.unwrap().commit().unwrap();
        assert_eq!((&decrypted.sender, &**decrypted.plaintext), (&lid(), text.as_bytes()));
        assert!(matches!(alice.refused(&lid(), &message), Error::DuplicatedMessage { .. }));
        assert!(matches!(
            alice.refused(&phone_number(), &message),
            Error::DuplicatedMessage { .. }
        ));
    }
    // One session: no counter twice, whichever name is used.
    let mut seen = std::collections::BTreeSet::new();
    for name in [lid(), phone_number(), phone_number(), lid()] {
        let message = alice.write(&name, "text");
        assert!(seen.insert(super::faults::number(&message)));
        assert_eq!(bob.read(&to, &message), "text");
        let answer = bob.write(&to, "answer");
        assert_eq!(alice.read(&name, &answer), "answer");
    }
    // Both names in one commit.
    let sent = {
        let (lid, number) = (lid(), phone_number());
        let recipients =
            [&lid, &number].map(|address| sandi::protocol::Recipient { address, plaintext: b"x" });
        alice.device.encrypt_many(&recipients, NOW, &mut alice.rng).unwrap()
    };
    for sent in sent {
        assert_eq!(bob.read(&to, &sent.message.unwrap()), "x");
    }
    assert_eq!(records(&alice, "5522"), [RecordKey::Alias(phone_number())]);
    // Again: nothing changes.
    let before = bytes(&alice);
    assert_eq!(go(&mut alice, &phone_number(), &lid()), Moved::default());
    assert_eq!(bytes(&alice), before);
}

static PN: std::sync::LazyLock<Address> = std::sync::LazyLock::new(phone_number);

#[test]
fn a_session_that_starts_after_the_move_starts_at_the_new_address() {
    let (mut alice, mut bob) =
        (device_of(Memory::default(), "5511"), device_of(Memory::default(), "5522"));
    assert_eq!(go(&mut alice, &phone_number(), &lid()), Moved::default());
    // by a bundle
    alice.start(&mut bob);
    let hello = alice.write(&phone_number(), "hello");
    assert_eq!(bob.read(&alice.address(), &hello), "hello");
    assert_eq!(records(&alice, "5522"), [RecordKey::Alias(phone_number())]);
    assert!(records(&alice, "2200_1").contains(&RecordKey::Session(lid())));
    // by a message of the peer
    assert_eq!(
        go(&mut bob, &alice.address(), &address("1100_1", 1)),
        Moved { session: true, identity: true, sender_keys: 0 }
    );
    let mut carol = device_of(Memory::default(), "5533");
    go(&mut carol, &alice.address(), &address("1100_1", 1));
    alice.start(&mut carol);
    let hello = alice.write(&carol.address(), "hello");
    assert_eq!(carol.read(&alice.address(), &hello), "hello");
    assert_eq!(records(&carol, "5511"), [RecordKey::Alias(alice.address())]);
    let answer = carol.write(&alice.address(), "answer");
    assert_eq!(alice.read(&carol.address(), &answer), "answer");
}

#[test]
fn where_both_have_a_session_the_new_one_stays_current_and_late_messages_of_the_old_one_decrypt() {
    let (mut alice, mut bob) = acquainted();
    let to = alice.address();
    let [late, later] = ["late", "later"].map(|text| bob.write(&to, text));
    let bundle = bob.bundle();
    alice.device.start_session(&lid(), &bundle, NOW, &mut alice.rng).unwrap();
    let second = alice.write(&lid(), "second");
    assert_eq!(bob.read(&to, &second), "second");
    let base_key = |party: &Party, at: &Address| {
        party.device.read_session(at, |session| session.base_key().copied()).unwrap()
    };
    let (old, new) = (base_key(&alice, &phone_number()), base_key(&alice, &lid()));
    assert_ne!(old, new);
    assert!(go(&mut alice, &phone_number(), &lid()).session);
    assert_eq!(base_key(&alice, &lid()), new);
    assert_eq!(
        alice.device.read_session(&lid(), sandi::session::Session::archived_count).unwrap(),
        1
    );
    alice.restart();
    assert_eq!(alice.read(&phone_number(), &late), "late");
    alice.restart();
    assert_eq!(alice.read(&lid(), &later), "later");
    assert_eq!(records(&alice, "5522"), [RecordKey::Alias(phone_number())]);
}

#[test]
fn two_identity_keys_are_for_the_user_to_decide() {
    let (mut alice, bob) = acquainted();
    let other = *device_of(Memory::default(), "somebody").device.identity_key();
    alice.device.accept_identity(&lid(), &other, NOW, &mut alice.rng).unwrap();
    let before = bytes(&alice);
    let refused = alice.device.move_address(&phone_number(), &lid(), &[], NOW, &mut alice.rng);
    let Err(DeviceError::UntrustedIdentity(change)) = refused else { panic!("{refused:?}") };
    let key = *bob.device.identity_key();
    assert_eq!((&change.address, change.old, change.new), (&lid(), other, key));
    assert_eq!(bytes(&alice), before);
    alice.device.accept_identity(&lid(), &key, NOW, &mut alice.rng).unwrap();
    assert!(go(&mut alice, &phone_number(), &lid()).session);
    alice.write(&phone_number(), "text");
}

#[test]
fn a_device_moves_back_and_on_and_never_onto_itself() {
    let (mut alice, mut bob) = acquainted();
    let (own, third) = (alice.address(), address("3300_1", 1));
    for (from, to) in [(lid(), lid()), (own.clone(), lid()), (lid(), own.clone())] {
        let refused = alice.device.move_address(&from, &to, &[], NOW, &mut alice.rng);
        assert_eq!(refused.unwrap_err().protocol(), Some(Error::InvalidArgument));
    }
    for (from, to) in [
        (phone_number(), lid()),
        (lid(), phone_number()),
        (phone_number(), lid()),
        (lid(), third.clone()),
    ] {
        assert!(go(&mut alice, &from, &to).session);
        for name in [&from, &to] {
            assert_eq!(alice.device.resolve(name).unwrap(), to);
            let message = alice.write(name, "text");
            assert_eq!(bob.read(&own, &message), "text");
        }
    }
    // two steps
    assert_eq!(alice.device.resolve(&phone_number()).unwrap(), third);
    let message = bob.write(&own, "text");
    assert_eq!(alice.read(&phone_number(), &message), "text");
}

#[test]
fn the_sender_keys_that_are_named_move_and_others_are_asked_for_again() {
    let (mut alice, mut bob) = acquainted();
    let (to, groups) =
        (alice.address(), ["1@g.us", "2@g.us", "3@g.us"].map(|id| Distribution::Group(id.into())));
    let mut send = |alice: &mut Party, group: &Distribution, from: &Address, text: &str| {
        let members = [to.clone()];
        let wrap = |bytes: &[u8]| -> Plaintext { bytes.to_vec().into() };
        let message = SendToGroup {
            distribution: group,
            members: &members,
            content: text.as_bytes(),
            wrap: &wrap,
        };
        let sent = bob.device.send_to_group(&message, NOW, &mut bob.rng).unwrap();
        let SentToGroup::Message { bytes, distributions, .. } = sent else { panic!("{sent:?}") };
        for sent in distributions {
            let message = sent.message.unwrap();
            let text = alice.open(from, &message).unwrap().commit().unwrap().plaintext;
            alice.device.accept_distribution(from, group, &text, NOW, &mut alice.rng).unwrap();
        }
        bytes
    };
    let open = |alice: &mut Party, group: &Distribution, from: &Address, bytes: &[u8]| {
        let received = alice.device.decrypt_group(from, group, bytes, NOW, &mut alice.rng)?;
        let decrypted = received.commit()?;
        assert_eq!(decrypted.sender, lid());
        Ok::<_, DeviceError<<Memory as Store>::Error>>(
            String::from_utf8(decrypted.plaintext.to_vec()).unwrap(),
        )
    };
    let messages = groups.each_ref().map(|group| send(&mut alice, group, &PN, "text"));
    // the first one twice
    let named = [groups[0].clone(), groups[1].clone(), groups[0].clone()];
    let moved = alice.device.move_address(&PN, &lid(), &named, NOW, &mut alice.rng).unwrap();
    assert_eq!(moved, Moved { session: true, identity: true, sender_keys: 2 });
    let left = records(&alice, "5522");
    assert_eq!(left, [groups[2].sender_key(&PN), RecordKey::Alias(phone_number())]);
    assert_eq!(open(&mut alice, &groups[0], &PN, &messages[0]).unwrap(), "text");
    assert_eq!(open(&mut alice, &groups[1], &lid(), &messages[1]).unwrap(), "text");
    let error = open(&mut alice, &groups[2], &lid(), &messages[2]).unwrap_err();
    assert_eq!(error.protocol(), Some(Error::NoSenderKeyState));
    // A key that arrives under the old name is kept under the new one.
    let fourth = Distribution::Group("4@g.us".into());
    let message = send(&mut alice, &fourth, &PN, "new");
    assert!(records(&alice, "2200_1").contains(&fourth.sender_key(&lid())));
    assert_eq!(open(&mut alice, &fourth, &lid(), &message).unwrap(), "new");
    // Moved later, it joins what is there.
    alice.device.move_address(&PN, &lid(), &groups, NOW, &mut alice.rng).unwrap();
    assert_eq!(records(&alice, "5522"), [RecordKey::Alias(phone_number())]);
    assert_eq!(open(&mut alice, &groups[2], &lid(), &messages[2]).unwrap(), "text");
}

/// A store that fails, or whose process ends, at every load and at the commit of the move.
#[test]
fn a_move_that_fails_has_moved_nothing_and_one_that_crashed_is_done_or_not() {
    for fault in [Fault::FailBefore, Fault::FailAfter, Fault::CrashBefore, Fault::CrashAfter] {
        for at in 0.. {
            let mut alice = device_of(FaultStore::new(MemoryStore::new()), "5511");
            let mut bob = device_of(Memory::default(), "5522");
            alice.start(&mut bob);
            let hello = alice.write(&phone_number(), "hello");
            bob.read(&alice.address(), &hello);
            let reply = bob.write(&alice.address(), "reply");
            // the one commit of the move, then its loads
            let (operation, nth) = match at {
                0 => (Operation::Commit, 0),
                at => (Operation::Load, at - 1),
            };
            let loads = alice.device.store().loads();
            alice.device.store().inject(operation, nth, fault);
            let moved = alice.device.move_address(&PN, &lid(), &[], NOW, &mut alice.rng);
            if at > 0 && alice.device.store().loads() - loads < at {
                assert!(moved.unwrap().session, "all loads were tried");
                assert!(at > 5);
                break;
            }
            assert!(moved.is_err(), "{fault:?} {at}");
            let spare = FaultStore::new(MemoryStore::new());
            let store = std::mem::replace(alice.device.store_mut(), spare).into_inner();
            let has = |key: RecordKey| store.load(&key).unwrap().is_some();
            let moved = has(RecordKey::Session(lid()));
            assert_ne!(has(RecordKey::Session(phone_number())), moved, "never both, never none");
            assert_eq!(has(RecordKey::Alias(phone_number())), moved);
            assert_eq!(moved, at == 0 && matches!(fault, Fault::FailAfter | Fault::CrashAfter));
            alice.device = Device::open(FaultStore::new(store), options(Policy::V3)).unwrap();
            alice.device.move_address(&PN, &lid(), &[], NOW, &mut alice.rng).unwrap();
            assert_eq!(alice.read(&PN, &reply), "reply");
        }
    }
}

fn error_of(party: &mut Party, to: &Address) -> Option<Error> {
    party.try_write(to, "text").err().map(|error| error.protocol().unwrap())
}

#[test]
fn consent_is_asked_under_either_name() {
    for hosted in [lid(), phone_number()] {
        let (mut alice, _bob) = acquainted();
        let hosted_policy = HostedPolicy::RequireConsent;
        alice.device.set_options(Options { hosted: hosted_policy, ..*alice.device.options() });
        go(&mut alice, &phone_number(), &lid());
        let signal = Signal::account_type(EncryptionType::Hosted, 1);
        alice.device.learn_hosting(&[hosted.name()], &[signal], NOW, &mut alice.rng).unwrap();
        assert_eq!(error_of(&mut alice, &phone_number()), Some(Error::ConsentRequired));
        let own_name = (hosted == lid()).then_some(Error::ConsentRequired);
        assert_eq!(error_of(&mut alice, &lid()), own_name);
        let status = EncryptionStatus::HostedUnknown;
        alice.device.consent_to_hosting(hosted.name(), status, NOW, &mut alice.rng).unwrap();
        assert_eq!(error_of(&mut alice, &phone_number()), None);
        assert_eq!(error_of(&mut alice, &lid()), None);
    }
}

#[test]
fn a_companion_is_vouched_for_under_the_address_where_its_records_are() {
    let (mut alice, _bob) = acquainted();
    let companions = CompanionPolicy::Verified;
    alice.device.set_options(Options { companions, ..*alice.device.options() });
    go(&mut alice, &phone_number(), &lid());
    // nobody has vouched for the device, whatever it is called
    for name in [phone_number(), lid()] {
        assert_eq!(error_of(&mut alice, &name), Some(Error::UnverifiedCompanion));
    }
}
