use sandi::device::DeviceError;
use sandi::protocol::{Decrypt, Recipient};
use sandi::session::Requirements;
use sandi::store::{Changes, CommitError};
use sandi::wire::CiphertextMessageType;
use sandi::{Device, Error, MemoryStore, Policy, RecordKey, Store};

use super::support::*;

#[test]
fn a_conversation_goes_on_after_every_restart() {
    for policy in POLICIES {
        let (mut alice, mut bob) = conversing(policy);
        for round in 0..20 {
            alice.restart();
            let text = format!("message {round}");
            let message = alice.write(&bob.address(), &text);
            bob.restart();
            assert_eq!(bob.read(&alice.address(), &message), text);
            std::mem::swap(&mut alice, &mut bob);
        }
    }
}

#[test]
fn dropping_what_was_received_makes_redelivery_work_and_committing_makes_it_a_duplicate() {
    for policy in POLICIES {
        let (mut alice, mut bob) = conversing(policy);
        let from = alice.address();
        let message = alice.write(&bob.address(), "once");
        for _ in 0..3 {
            let received = bob.open(&from, &message).unwrap();
            assert_eq!(received.plaintext(), b"once");
            assert_eq!(received.sender(), &from);
        }
        assert_eq!(bob.read(&from, &message), "once");
        assert!(matches!(bob.refused(&from, &message), Error::DuplicatedMessage { .. }));
        bob.restart();
        assert!(matches!(bob.refused(&from, &message), Error::DuplicatedMessage { .. }));
    }
}

#[test]
fn one_time_pre_keys_are_deleted_by_the_commit_of_the_message_that_used_them() {
    let (mut alice, mut bob) = (party(ALICE, 1, Policy::V4), party(BOB, 1, Policy::V4));
    let bundle = bob.bundle();
    let one_time = RecordKey::PreKey(bundle.pre_key.as_ref().unwrap().id);
    let kem = RecordKey::KemPreKey(bundle.kem_pre_key.as_ref().unwrap().id);
    alice.device.start_session(&bob.address(), &bundle, NOW, &mut alice.rng).unwrap();
    let hello = alice.write(&bob.address(), "hello");
    let mut forged = hello.clone();
    *forged.bytes.last_mut().unwrap() ^= 1;
    assert_eq!(bob.refused(&alice.address(), &forged), Error::Rejected);
    drop(bob.open(&alice.address(), &hello).unwrap());
    for key in [&one_time, &kem] {
        assert!(bob.device.store().load(key).unwrap().is_some());
    }
    let received = bob.open(&alice.device.address().clone(), &hello).unwrap().commit().unwrap();
    assert!(received.used_pre_keys.is_some());
    for key in [&one_time, &kem] {
        assert!(bob.device.store().load(key).unwrap().is_none());
    }
    // The next message of the same handshake needs them no more.
    let again = alice.write(&bob.address(), "again");
    assert_eq!(again.message_type, CiphertextMessageType::PreKey);
    assert_eq!(bob.read(&alice.address(), &again), "again");
}

#[test]
fn a_failed_message_writes_nothing() {
    let (mut alice, mut bob) = conversing(Policy::V4);
    let message = alice.write(&bob.address(), "text");
    let before: Vec<_> = records(&bob);
    for at in 0..message.bytes.len() {
        let mut forged = message.clone();
        forged.bytes[at] ^= 0x10;
        bob.open(&alice.address(), &forged).map(drop).unwrap_err();
    }
    assert_eq!(records(&bob), before);
    assert_eq!(bob.read(&alice.address(), &message), "text");
}

fn records(party: &Party) -> Vec<(RecordKey, u64, Vec<u8>)> {
    let store = party.device.store().borrow();
    store.iter().map(|(k, r)| (k.clone(), r.revision(), r.bytes().to_vec())).collect()
}

#[test]
fn many_recipients_are_encrypted_to_in_one_commit_and_one_failure_does_not_hold_up_the_others() {
    let (mut alice, mut bob) = conversing(Policy::V4);
    let mut carol = party(CAROL, 1, Policy::V4);
    alice.start(&mut carol);
    let (to_bob, to_carol, nobody) = (bob.address(), carol.address(), address("nobody", 1));
    let recipients = [
        Recipient { address: &to_bob, plaintext: b"one" },
        Recipient { address: &nobody, plaintext: b"two" },
        Recipient { address: &to_carol, plaintext: b"three" },
        Recipient { address: &to_bob, plaintext: b"four" },
    ];
    let sent = alice.device.encrypt_many(&recipients, NOW, &mut alice.rng).unwrap();
    assert_eq!(sent[1].message, Err(Error::SessionNotFound));
    assert_eq!((sent[0].registration_id, sent[1].registration_id), (1001, 0));
    let message = |at: usize| sent[at].message.clone().unwrap();
    assert_eq!(bob.read(&alice.address(), &message(3)), "four");
    assert_eq!(bob.read(&alice.address(), &message(0)), "one");
    assert_eq!(carol.read(&alice.address(), &message(2)), "three");
}

#[test]
fn two_handles_of_one_store_never_use_a_key_twice_and_lose_no_update() {
    for policy in POLICIES {
        let (mut alice, mut bob) = conversing(policy);
        let store = alice.device.store().clone();
        let mut other = Device::open(store, options(policy)).unwrap();
        let to = bob.address();
        let mut sent = Vec::new();
        for round in 0..10 {
            sent.push(alice.write(&to, &format!("first {round}")));
            // This handle's decoded session is behind: its commit is a conflict, and it reads again.
            let text = format!("second {round}");
            sent.push(other.encrypt(&to, text.as_bytes(), NOW, &mut alice.rng).unwrap());
        }
        for (at, message) in sent.iter().enumerate() {
            let who = if at % 2 == 0 { "first" } else { "second" };
            assert_eq!(bob.read(&alice.address(), message), format!("{who} {}", at / 2));
        }
    }
}

#[test]
fn a_message_that_another_handle_has_committed_is_a_duplicate_here() {
    let (mut alice, mut bob) = conversing(Policy::V4);
    let mut other = Device::open(bob.device.store().clone(), options(Policy::V4)).unwrap();
    let (from, now) = (alice.address(), NOW);
    let message = alice.write(&bob.address(), "for one of them");
    let next = alice.write(&bob.address(), "for the other");
    let received = bob.open(&from, &message).unwrap();
    let mut rng = seeded("other", 1);
    let there = other.decrypt(&from, message.message_type, &message.bytes, now, &mut rng).unwrap();
    there.commit().unwrap();
    let error = received.commit().unwrap_err().protocol().unwrap();
    assert!(matches!(error, Error::DuplicatedMessage { .. }));
    // And a message that the other handle knows nothing of is decrypted once more, and committed.
    let received = bob.open(&from, &next).unwrap();
    let reply = other.encrypt(&from, b"meanwhile", now, &mut rng).unwrap();
    assert_eq!(&**received.commit().unwrap().plaintext, b"for the other");
    assert_eq!(alice.read(&bob.address(), &reply), "meanwhile");
}

#[test]
fn what_the_application_adds_is_committed_with_the_message_or_not_at_all() {
    let (mut alice, mut bob) = conversing(Policy::V4);
    let (from, message) = (alice.address(), alice.write(&bob.address(), "note"));
    let key = RecordKey::Application(Box::from(*b"inbox/1"));
    let mut rng = seeded("app", 1);
    let refused = bob.open(&from, &message).unwrap().commit_with(|_, changes| {
        changes.create(key.clone(), b"note".to_vec(), &mut rng)?;
        Err(Error::InvalidArgument)
    });
    assert_eq!(refused.unwrap_err(), DeviceError::Protocol(Error::InvalidArgument));
    assert!(bob.device.store().load(&key).unwrap().is_none());
    let received = bob.open(&from, &message).unwrap();
    let add = |text: &[u8], changes: &mut Changes| {
        changes.create(key.clone(), text.to_vec(), &mut seeded("app", 2)).map(drop)
    };
    received.commit_with(|done, changes| add(&done.plaintext, changes)).unwrap();
    assert_eq!(bob.device.store().load(&key).unwrap().unwrap().bytes(), b"note");
    // a commit of the application's own
    let message = alice.write(&bob.address(), "own");
    let received = bob.open(&from, &message).unwrap();
    let mut seen = 0;
    let committed = received.commit_by(|store, changes, done| {
        seen += done.plaintext.len();
        store.commit(changes)
    });
    committed.unwrap();
    assert_eq!(seen, 3);
    let message = alice.write(&bob.address(), "fails");
    let failed = bob.open(&from, &message).unwrap().commit_by(|_, _, _| Err(CommitError::Conflict));
    // Not committed by anybody, the conflict never ends on its own; the store says so in the end.
    assert_eq!(failed.unwrap_err(), DeviceError::Contention);
}

#[test]
fn a_device_is_created_once_and_opened_afterwards() {
    let missing = Device::open(MemoryStore::new(), options(Policy::V4)).unwrap_err();
    assert_eq!(missing, DeviceError::NotCreated);
    let alice = party(ALICE, 1, Policy::V4);
    let store = alice.device.store().clone();
    let new = sandi::device::NewDevice {
        address: address(ALICE, 2),
        identity: sandi::keys::IdentityKeyPair::generate(&mut seeded("again", 1)),
        registration_id: 7,
        scope: sandi::protocol::IdentityScope::Account,
    };
    let again = Device::create(store, new, options(Policy::V4), &mut seeded("x", 1)).unwrap_err();
    assert_eq!(again, DeviceError::AlreadyCreated);
    let mut rng = seeded("id", 1);
    for _ in 0..1000 {
        let id = sandi::device::random_registration_id(&mut rng);
        assert!((1..=0x3FFF).contains(&id));
    }
}

#[test]
fn an_unanswered_session_can_be_sent_in_for_thirty_days_and_a_clock_that_goes_back_ends_nothing() {
    let (mut alice, mut bob) = (party(ALICE, 1, Policy::V4), party(BOB, 1, Policy::V4));
    alice.start(&mut bob);
    let to = bob.address();
    let usable = |alice: &mut Party| {
        let now = alice.now;
        alice.device.has_session(&to, Requirements::default(), now).unwrap()
    };
    let last = sandi::Timestamp(NOW.0 + 30 * DAY);
    alice.now = last;
    assert!(usable(&mut alice));
    alice.write(&to, "just in time");
    alice.now = sandi::Timestamp(last.0 + 1);
    assert!(!usable(&mut alice));
    let error = alice.try_write(&to, "too late").unwrap_err().protocol();
    assert_eq!(error, Some(Error::SessionNotFound));
    // The clock is set back, even before the session was made: it can be sent in again.
    alice.now = sandi::Timestamp(NOW.0 - 365 * DAY);
    assert!(usable(&mut alice));
    let message = alice.write(&to, "the clock was wrong");
    assert_eq!(bob.read(&alice.address(), &message), "the clock was wrong");
}

#[test]
fn the_forty_first_archived_session_pushes_out_the_oldest_and_its_record() {
    let (mut alice, mut bob) = (party(ALICE, 1, Policy::V3), party(BOB, 1, Policy::V3));
    let mut first_messages = Vec::new();
    let archived = |party: &Party| {
        let store = party.device.store().borrow();
        store.iter().filter(|(key, _)| matches!(key, RecordKey::SessionArchive { .. })).count()
    };
    // One current session and 41 before it.
    for round in 0..42 {
        if bob.server.one_time.is_empty() {
            let stock = sandi::protocol::ServerStock::default();
            let upload = bob.device.replenish(stock, NOW, &mut bob.rng).unwrap();
            bob.device.confirm_upload(&upload, NOW, &mut bob.rng).unwrap();
            bob.server.one_time = upload.one_time;
        }
        alice.start(&mut bob);
        let message = alice.write(&bob.address(), &format!("first of {round}"));
        first_messages.push(alice.write(&bob.address(), &format!("second of {round}")));
        assert_eq!(bob.read(&alice.address(), &message), format!("first of {round}"));
    }
    assert_eq!(archived(&bob), 40);
    bob.restart();
    // The second oldest still reads, and is current then. The oldest is gone: its message, still a
    // pre-key message, names a one-time pre-key that is gone, too.
    assert_eq!(bob.read(&alice.address(), &first_messages[1]), "second of 1");
    assert_eq!(archived(&bob), 40);
    let error = bob.refused(&alice.address(), &first_messages[0]);
    assert!(matches!(error, Error::InvalidPreKeyId(_)), "{error}");
}

#[test]
fn decoded_sessions_are_kept_up_to_the_capacity_and_zero_is_one_too() {
    for capacity in [0, 1, 2, 100] {
        let mut alice = party(ALICE, 1, Policy::V3);
        let store = alice.device.store().clone();
        alice.device = Device::open(store, options(Policy::V3)).unwrap().with_cache(capacity);
        let mut peers: Vec<_> =
            (1..=5).map(|n| party(&format!("peer {n}"), 1, Policy::V3)).collect();
        for peer in &mut peers {
            alice.start(peer);
        }
        for round in 0..3 {
            for peer in &mut peers {
                let text = format!("{round}");
                let message = alice.write(&peer.address(), &text);
                assert_eq!(peer.read(&alice.address(), &message), text);
            }
        }
    }
}

#[test]
fn a_deleted_session_leaves_no_record_behind_and_a_new_one_takes_its_place() {
    for policy in POLICIES {
        let (mut alice, mut bob) = conversing(policy);
        let (from, to) = (bob.address(), alice.address());
        // Skipped keys, and an archived session.
        let late = bob.write(&to, "late");
        let next = bob.write(&to, "next");
        assert_eq!(alice.read(&from, &next), "next");
        alice.start(&mut bob);
        let records = |alice: &Party| {
            let store = alice.device.store().borrow();
            let of_session = |key: &RecordKey| {
                matches!(
                    key,
                    RecordKey::Session(_)
                        | RecordKey::SessionArchive { .. }
                        | RecordKey::SkippedKeys { .. }
                )
            };
            store.iter().filter(|(key, _)| of_session(key)).count()
        };
        assert!(records(&alice) >= 2);
        assert!(alice.device.delete_session(&from, NOW, &mut alice.rng).unwrap());
        assert_eq!(records(&alice), 0);
        assert!(!alice.device.delete_session(&from, NOW, &mut alice.rng).unwrap());
        assert_eq!(alice.refused(&from, &late), Error::SessionNotFound);
        let refused = alice.try_write(&from, "nobody").unwrap_err();
        assert_eq!(refused.protocol(), Some(Error::SessionNotFound));
        alice.start(&mut bob);
        let hello = alice.write(&from, "hello again");
        assert_eq!(bob.read(&to, &hello), "hello again");
    }
}

#[test]
fn debug_shows_no_plaintext_and_no_key() {
    use sandi::protocol::{AcceptDistribution, Encrypt};
    use sandi::sesame::EncryptToUsers;
    let (mut alice, mut bob) = conversing(Policy::V4);
    let message = alice.write(&bob.address(), "secret");
    let decrypted = bob.open(&alice.address(), &message).unwrap().commit().unwrap();
    let to = bob.address();
    let recipients = [Recipient { address: &to, plaintext: b"secret" }];
    let distribution = sandi::group::Distribution::Id([7; 16]);
    let shown = [
        format!("{decrypted:?}"),
        format!("{:?}", Encrypt { recipients: &recipients }),
        format!("{:?}", EncryptToUsers { users: &[BOB], content: b"secret", own_content: None }),
        format!(
            "{:?}",
            AcceptDistribution { from: &to, distribution: &distribution, bytes: b"secret" }
        ),
        format!("{:?}", alice.device),
    ];
    for text in shown {
        assert!(!text.contains("secret") && !text.contains("115, 101, 99"), "{text}");
    }
}

#[test]
fn a_paused_message_is_committed_later_whatever_the_session_has_done_meanwhile() {
    for policy in POLICIES {
        let (mut alice, mut bob) = conversing(policy);
        let (from, to) = (alice.address(), bob.address());
        let first = alice.write(&to, "first");
        let second = alice.write(&to, "second");
        let paused = bob.open(&from, &first).unwrap().pause();
        assert_eq!(&**paused.decrypted().plaintext, b"first");
        // Another message of the session, both ways.
        assert_eq!(bob.read(&from, &second), "second");
        let answer = bob.write(&from, "answer");
        assert_eq!(alice.read(&to, &answer), "answer");
        let operation =
            Decrypt { from: &from, message_type: first.message_type, bytes: &first.bytes };
        let now = bob.now;
        let done = bob.device.resume(operation, paused, now, &mut bob.rng).commit().unwrap();
        assert_eq!(&**done.plaintext, b"first");
        assert!(matches!(bob.refused(&from, &first), Error::DuplicatedMessage { .. }));
        // Dropped, it is as if it had never been; twice, the second is a duplicate.
        let third = alice.write(&to, "third");
        drop(bob.open(&from, &third).unwrap().pause());
        let [one, two] = [0; 2].map(|_| bob.open(&from, &third).unwrap().pause());
        let operation =
            Decrypt { from: &from, message_type: third.message_type, bytes: &third.bytes };
        bob.device.resume(operation, one, now, &mut bob.rng).commit().unwrap();
        let refused = bob.device.resume(operation, two, now, &mut bob.rng).commit();
        assert!(matches!(refused.unwrap_err().protocol(), Some(Error::DuplicatedMessage { .. })));
        assert_eq!(alice.address(), from);
        let last = alice.write(&to, "last");
        assert_eq!(bob.read(&from, &last), "last");
    }
}
