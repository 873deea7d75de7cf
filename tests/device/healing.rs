use sandi::protocol::{Answered, Asked, Repaired};
use sandi::store::{Changes, Expected, Write};
use sandi::wire::{CiphertextMessageType, PlaintextContent};
use sandi::{Disposition, Error, Policy, Timestamp};

use super::support::*;

/// Bob loses his store and starts anew, with the same identity.
fn bob_without_memory(old: &Party) -> Party {
    let identity = sandi::keys::IdentityKeyPair::decode(old.device.identity().encode().expose());
    let mut bob = party_of(BOB, 1, *POLICIES.last().unwrap(), identity.unwrap());
    bob.now = old.now;
    bob
}

#[test]
fn a_message_that_does_not_decrypt_is_asked_for_and_sent_again_in_a_new_session() {
    let (mut alice, bob) = conversing(Policy::V4);
    let mut bob = bob_without_memory(&bob);
    let (from, to) = (alice.address(), bob.address());
    let sent_at = Timestamp(NOW.0 + 5);
    let lost = alice.write(&to, "lost");
    let error = bob.refused(&from, &lost);
    assert_eq!(error, Error::SessionNotFound);
    assert_eq!(error.disposition(), Disposition::StartSession);
    let (bytes, kind) = (&lost.bytes, lost.message_type);
    let asked = bob.device.ask_retry(&from, kind, bytes, sent_at, NOW, &mut bob.rng).unwrap();
    let Asked::Ask { message, attempt: 1 } = asked else { panic!("{asked:?}") };
    // over the wire
    let frame = PlaintextContent::encode(&message);
    let request = PlaintextContent::parse(&frame).unwrap().decryption_error_message().unwrap();
    let answered = alice.device.answer_retry(&to, &request, NOW, &mut alice.rng).unwrap();
    let expected = Answered::Resend {
        timestamp: sent_at,
        session_archived: true,
        is_sender_key: false,
        attempt: 1,
    };
    assert_eq!(answered, expected);
    assert_eq!(alice.try_write(&to, "x").unwrap_err().protocol(), Some(Error::SessionNotFound));
    alice.start(&mut bob);
    let again = alice.write(&to, "lost");
    assert_eq!(bob.read(&from, &again), "lost");
}

#[test]
fn a_request_about_an_older_session_archives_nothing() {
    let (mut alice, mut bob) = conversing(Policy::V4);
    let old = alice.write(&bob.address(), "old");
    // Alice's ratchet moves on.
    let newer = alice.write(&bob.address(), "newer");
    bob.read(&alice.address(), &newer);
    let reply = bob.write(&alice.address(), "reply");
    alice.read(&bob.address(), &reply);
    let (from, kind) = (alice.address(), old.message_type);
    let asked = bob.device.ask_retry(&from, kind, &old.bytes, NOW, NOW, &mut bob.rng).unwrap();
    let Asked::Ask { message, .. } = asked else { panic!("{asked:?}") };
    let answered =
        alice.device.answer_retry(&bob.address(), &message, NOW, &mut alice.rng).unwrap();
    assert!(matches!(answered, Answered::Resend { session_archived: false, .. }));
    alice.write(&bob.address(), "goes on");
}

#[test]
fn requests_for_another_device_or_about_sender_keys_are_recognised() {
    let (mut alice, mut bob) = conversing(Policy::V4);
    let message = alice.write(&bob.address(), "text");
    let second = address(ALICE, 2);
    let ask = |bob: &mut Party, from, kind| {
        let asked = bob.device.ask_retry(from, kind, &message.bytes, NOW, NOW, &mut bob.rng);
        let Asked::Ask { message, .. } = asked.unwrap() else { panic!() };
        message
    };
    let request = ask(&mut bob, &second, message.message_type);
    let to = bob.address();
    let answered = alice.device.answer_retry(&to, &request, NOW, &mut alice.rng).unwrap();
    assert_eq!(answered, Answered::NotOurs);
    let request = ask(&mut bob, &alice.address(), CiphertextMessageType::SenderKey);
    let answered = alice.device.answer_retry(&to, &request, NOW, &mut alice.rng).unwrap();
    assert!(matches!(
        answered,
        Answered::Resend { is_sender_key: true, session_archived: false, .. }
    ));
}

#[test]
fn two_devices_that_answer_every_failure_come_to_an_end() {
    let (mut alice, mut bob) = conversing(Policy::V4);
    let (from, to) = (alice.address(), bob.address());
    // Nothing that Alice sends ever decrypts at Bob's: something between them corrupts it.
    let mut exchanges = 0;
    let mut queue = vec![NOW];
    while let Some(sent_at) = queue.pop() {
        exchanges += 1;
        assert!(exchanges < 100, "a loop");
        if !alice.device.has_session(&to, Default::default(), NOW).unwrap() {
            let bundle = bob.server.bundle(bob.device.address().device(), 99).unwrap();
            alice.device.start_session(&to, &bundle, NOW, &mut alice.rng).unwrap();
        }
        let mut message = alice.write(&to, "text");
        *message.bytes.last_mut().unwrap() ^= 1;
        assert_eq!(bob.refused(&from, &message), Error::Rejected);
        let (bytes, kind) = (&message.bytes, message.message_type);
        let asked = bob.device.ask_retry(&from, kind, bytes, sent_at, NOW, &mut bob.rng).unwrap();
        let Asked::Ask { message, .. } = asked else { continue };
        let answer = alice.device.answer_retry(&to, &message, NOW, &mut alice.rng).unwrap();
        if let Answered::Resend { timestamp, .. } = answer {
            queue.push(timestamp);
        }
    }
    assert_eq!(exchanges, 6);
    alice.restart();
    bob.restart();
    // Counted across a restart; and one device that fails cannot keep another one busy either.
    let message = alice.write(&to, "text");
    let mut asked = 0;
    for n in 0..200 {
        let sent_at = Timestamp(NOW.0 + 1000 + n);
        let (bytes, kind) = (&message.bytes, message.message_type);
        let ask = bob.device.ask_retry(&from, kind, bytes, sent_at, NOW, &mut bob.rng).unwrap();
        asked += usize::from(ask != Asked::GiveUp);
    }
    assert_eq!(asked, 64 - 5);
    // An hour later, or after the clock was set back, it may ask again.
    for now in [Timestamp(NOW.0 + DAY / 24), Timestamp(NOW.0 - DAY)] {
        let (bytes, kind) = (&message.bytes, message.message_type);
        let ask = bob.device.ask_retry(&from, kind, bytes, now, now, &mut bob.rng).unwrap();
        assert_ne!(ask, Asked::GiveUp);
    }
    let record = sandi::RecordKey::Retry(from);
    let size = sandi::Store::load(bob.device.store(), &record).unwrap().unwrap().bytes().len();
    assert!(size < 600, "{size}");
}

#[test]
fn every_error_says_what_to_do() {
    let cases = [
        (Error::DuplicatedMessage { chain_index: 1, counter: 0 }, Disposition::Drop),
        (Error::Rejected, Disposition::AskSenderToResend),
        (Error::InvalidPreKeyId(1), Disposition::AskSenderToResend),
        (Error::SessionNotFound, Disposition::StartSession),
        (Error::UntrustedIdentity, Disposition::AskUser),
        (Error::InvalidSession, Disposition::Repair),
        (Error::FutureRecord(2), Disposition::Update),
        (Error::UnrecognizedCiphertextVersion(5), Disposition::Update),
        (Error::InvalidProtobuf, Disposition::Drop),
        (Error::InvalidArgument, Disposition::FixCaller),
    ];
    for (error, disposition) in cases {
        assert_eq!(error.disposition(), disposition, "{error}");
    }
}

/// Writes other bytes over one of a party's records, behind the back of its device.
pub fn damage(party: &mut Party, key: &sandi::RecordKey) {
    use sandi::Store;
    let record = party.device.store().load(key).unwrap().unwrap();
    let revision = record.revision();
    let mut changes = Changes::new();
    let write = Write::Put { revision: revision + 1, bytes: vec![1, 2, 3].into() };
    changes.insert(key.clone(), Expected::Revision(revision), write).unwrap();
    party.device.store_mut().commit(&changes).unwrap();
    party.device.forget_cached();
}

#[test]
fn a_damaged_session_is_mended_and_the_conversation_goes_on() {
    use sandi::{RecordKey, Store};
    for policy in POLICIES {
        let (mut alice, mut bob) = conversing(policy);
        // A second session, so that the first is archived; and keys of late messages.
        bob.start(&mut alice);
        let message = bob.write(&alice.address(), "second");
        alice.read(&bob.address(), &message);
        let reply = alice.write(&bob.address(), "reply");
        bob.read(&alice.address(), &reply);
        let (late, next) =
            (bob.write(&alice.address(), "late"), bob.write(&alice.address(), "next"));
        alice.read(&bob.address(), &next);
        let from = bob.address();
        let repair = |alice: &mut Party| {
            alice.device.repair_session(&from, alice.now, &mut alice.rng).unwrap()
        };
        assert_eq!(repair(&mut alice), Repaired::Sound);
        // An archived state: the peer's next new session would be refused because of it.
        let keys: Vec<RecordKey> =
            alice.device.store().borrow().iter().map(|(key, _)| key.clone()).collect();
        let archived = |key: &&RecordKey| matches!(key, RecordKey::SessionArchive { .. });
        let archive = keys.iter().find(archived).unwrap();
        damage(&mut alice, archive);
        bob.start(&mut alice);
        let third = bob.write(&alice.address(), "third");
        let error = alice.refused(&from, &third);
        assert_eq!((error, error.disposition()), (Error::InvalidSession, Disposition::Repair));
        assert_eq!(repair(&mut alice), Repaired::Partly);
        assert!(alice.device.store().load(archive).unwrap().is_none());
        assert_eq!(alice.read(&from, &late), "late");
        assert_eq!(alice.read(&from, &third), "third");
        // The session's own record: nothing is left, not even what it named.
        damage(&mut alice, &RecordKey::Session(from.clone()));
        let message = bob.write(&alice.address(), "lost");
        assert_eq!(alice.refused(&from, &message), Error::InvalidSession);
        assert_eq!(repair(&mut alice), Repaired::Forgotten);
        assert_eq!(repair(&mut alice), Repaired::Forgotten);
        for (key, _) in alice.device.store().borrow().iter() {
            assert!(!matches!(
                key,
                RecordKey::Session(_)
                    | RecordKey::SessionArchive { .. }
                    | RecordKey::SkippedKeys { .. }
            ));
        }
        alice.start(&mut bob);
        let message = alice.write(&from, "a new start");
        assert_eq!(bob.read(&alice.address(), &message), "a new start");
    }
}
