//! Stores of the version-3 family's JavaScript implementation (spec 20), recorded in the middle of a
//! conversation: sandi goes on with it.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects
)]

mod common;
#[path = "common/migration.rs"]
mod migration;

use base64ct::{Base64, Encoding};
use common::{Device, NOW};
use migration::{case, device, go_on, load, message, number, unb64};
use sandi::keys::PublicKey;
use sandi::migrate::{node, official};
use sandi::session::{LocalDevice, Session};
use sandi::wire::{CiphertextMessageType, PreKeySignalMessage};
use sandi::{Error, Policy, Timestamp};
use serde_json::{Value as Json, json};

fn text(json: &Json) -> Vec<u8> {
    json.to_string().into_bytes()
}

/// A device of the file, as its store had it.
fn import(json: &Json, peer: &Json, seed: u64) -> Device {
    let identity = node::decode_identity_key_pair(&text(&json["identity"])).unwrap();
    let mut device = device(json, Policy::V3, seed, identity);
    if !json["record"].is_null() {
        let session = decode(&json["record"], &device).unwrap();
        assert_eq!(session.unreadable, 0);
        let peer = address(peer);
        device.sessions.insert(peer, session.session);
    }
    for key in json["keys"].as_array().into_iter().flatten() {
        let id = number(&key["keyId"]);
        if key["kind"] == "preKey" {
            device.one_time.insert(id, node::decode_pre_key(id, &text(&key["record"])).unwrap());
        } else {
            let key = node::decode_signed_pre_key(&text(&key["record"]), NOW).unwrap();
            assert_eq!(key.id(), id);
            device.signed.insert(id, key);
        }
    }
    device
}

fn address(json: &Json) -> sandi::Address {
    let device = sandi::DeviceId::new_v3(number(&json["deviceId"])).unwrap();
    sandi::Address::new(json["name"].as_str().unwrap(), device)
}

fn decode(record: &Json, device: &Device) -> Result<node::DecodedSession, Error> {
    let local = LocalDevice { identity: &device.identity, registration_id: device.registration_id };
    node::decode_session(&text(record), local)
}

/// Alice's device without sessions, her record, and Bob's address.
fn alice_and_record(case: &Json) -> (Device, Json) {
    let mut alice = import(&case["alice"], &case["bob"], 1);
    alice.sessions.clear();
    (alice, case["alice"]["record"].clone())
}

fn session(record: &Json, device: &Device) -> Session {
    let decoded = decode(record, device).unwrap();
    assert_eq!(decoded.unreadable, 0);
    decoded.session
}

#[test]
fn every_recorded_conversation_goes_on_in_both_directions() {
    let file = load("libsignal_node.json");
    for case in file["cases"].as_array().unwrap() {
        let mut alice = import(&case["alice"], &case["bob"], 1);
        let mut bob = import(&case["bob"], &case["alice"], 2);
        go_on(case, &mut alice, &mut bob);
    }
}

#[test]
fn an_unanswered_session_repeats_its_pre_key_data() {
    let file = load("libsignal_node.json");
    let case = case(&file, "unanswered");
    let (mut alice, mut record) = alice_and_record(case);
    let bob = address(&case["bob"]);
    for one_time in [Some(70), None] {
        let open = record["_sessions"].as_object_mut().unwrap().values_mut().next().unwrap();
        let base_key = PublicKey::decode(&unb64(&open["indexInfo"]["baseKey"])).unwrap();
        if one_time.is_none() {
            open["pendingPreKey"].as_object_mut().unwrap().remove("preKeyId");
        }
        let session = session(&record, &alice);
        assert!(session.is_unacknowledged() && session.session_version() == Some(3));
        assert_eq!(session.base_key(), Some(&base_key));
        assert_eq!(session.local_registration_id(), Some(alice.registration_id));
        assert_eq!(session.remote_registration_id(), Some(number(&case["bob"]["registrationId"])));
        alice.sessions.insert(bob.clone(), session);
        let message = alice.encrypt(&bob, b"third").unwrap();
        assert_eq!(message.message_type, CiphertextMessageType::PreKey);
        let message = PreKeySignalMessage::parse(&message.bytes).unwrap();
        assert_eq!((message.pre_key_id(), message.signed_pre_key_id()), (one_time, 80));
        assert_eq!(message.message().counter(), 2, "two were sent before");
        assert_eq!(*message.base_key(), base_key);
    }
}

#[test]
fn an_unanswered_session_is_stale_after_thirty_days() {
    let file = load("libsignal_node.json");
    let (mut alice, mut record) = alice_and_record(case(&file, "unanswered"));
    let bob = address(&case(&file, "unanswered")["bob"]);
    let created = NOW.as_millis() - 31 * 24 * 60 * 60 * 1000;
    for session in record["_sessions"].as_object_mut().unwrap().values_mut() {
        // as some stores write large numbers
        #[allow(clippy::cast_precision_loss)]
        let created = created as f64;
        session["indexInfo"]["created"] = created.into();
    }
    let session = session(&record, &alice);
    alice.sessions.insert(bob.clone(), session);
    assert_eq!(alice.encrypt(&bob, b"too late"), Err(Error::SessionNotFound));
}

#[test]
fn the_open_session_is_current_and_closed_ones_are_archived_newest_first() {
    let file = load("libsignal_node.json");
    let case = case(&file, "archived session");
    let (mut alice, record) = alice_and_record(case);
    let sessions = record["_sessions"].as_object().unwrap();
    let (base_key, open) =
        sessions.iter().find(|(_, session)| session["indexInfo"]["closed"] == -1).unwrap();
    let (_, closed) =
        sessions.iter().find(|(_, session)| session["indexInfo"]["closed"] != -1).unwrap();
    let decoded = session(&record, &alice);
    assert_eq!(decoded.archived_count(), 1);
    assert_eq!(decoded.base_key().unwrap().encode().to_vec(), unb64(&json!(base_key)));

    // 45 closed ones, of which the last closed is the sound one: 40 are kept, and it is among them
    let mut many = json!({"_sessions": {}, "version": "v1"});
    for time in 0..44 {
        let mut session = closed.clone();
        session["currentRatchet"]["rootKey"] = open["currentRatchet"]["rootKey"].clone();
        session["indexInfo"]["closed"] = (1000 + time).into();
        session["_chains"].as_object_mut().unwrap().retain(|_, chain| chain["chainType"] == 1);
        many["_sessions"][format!("{time:02}")] = session;
    }
    many["_sessions"]["99"] = closed.clone();
    let decoded = session(&many, &alice);
    assert!(!decoded.has_current());
    assert_eq!(decoded.archived_count(), 40);
    let bob = address(&case["bob"]);
    alice.sessions.insert(bob.clone(), decoded);
    assert_eq!(alice.encrypt(&bob, b"nothing is open"), Err(Error::SessionNotFound));
    let old = message(&case["onItsWay"][1]);
    assert_eq!(alice.decrypt(&bob, &old).unwrap(), b"of the session before");

    // several that say they are open: the one that was used last is
    let mut both = record.clone();
    for session in both["_sessions"].as_object_mut().unwrap().values_mut() {
        session["indexInfo"]["closed"] = (-1).into();
    }
    let decoded = session(&both, &alice);
    assert_eq!(decoded.archived_count(), 1);
    assert_eq!(decoded.base_key().unwrap().encode().to_vec(), unb64(&json!(base_key)));
}

#[test]
fn a_corrupt_session_takes_no_other_down() {
    let file = load("libsignal_node.json");
    let case = case(&file, "archived session");
    let (mut alice, record) = alice_and_record(case);
    let bob = address(&case["bob"]);
    let damage: [fn(&mut Json); 9] = [
        |session| *session = Json::Null,
        |session| session["indexInfo"]["baseKey"] = "BQ==".into(),
        |session| session["currentRatchet"]["rootKey"] = "AAAA".into(),
        |session| session["currentRatchet"]["rootKey"] = "not base64!".into(),
        |session| drop(session["currentRatchet"].as_object_mut().unwrap().remove("rootKey")),
        |session| session["currentRatchet"]["ephemeralKeyPair"]["privKey"] = "AAAA".into(),
        |session| session["_chains"] = json!({}),
        |session| session["registrationId"] = 1.5.into(),
        |session| {
            for chain in session["_chains"].as_object_mut().unwrap().values_mut() {
                chain["chainKey"]["counter"] = u64::MAX.into();
            }
        },
    ];
    for (at, damage) in damage.into_iter().enumerate() {
        for broken_is_open in [true, false] {
            let mut record = record.clone();
            for session in record["_sessions"].as_object_mut().unwrap().values_mut() {
                if (session["indexInfo"]["closed"] == -1) == broken_is_open {
                    damage(session);
                }
            }
            let decoded = decode(&record, &alice).unwrap();
            assert_eq!(decoded.unreadable, 1, "damage {at}");
            assert_eq!(decoded.session.has_current(), !broken_is_open);
            alice.sessions.insert(bob.clone(), decoded.session);
            let (next, old) = (message(&case["onItsWay"][0]), message(&case["onItsWay"][1]));
            let text = if broken_is_open {
                alice.decrypt(&bob, &old).unwrap()
            } else {
                alice.decrypt(&bob, &next).unwrap()
            };
            assert_eq!(text, if broken_is_open { &b"of the session before"[..] } else { b"next" });
        }
    }
}

#[test]
fn of_many_chains_those_that_open_something_are_kept() {
    let file = load("libsignal_node.json");
    let case = case(&file, "mid-conversation");
    let (mut alice, mut record) = alice_and_record(case);
    let bob = address(&case["bob"]);
    for session in record["_sessions"].as_object_mut().unwrap().values_mut() {
        for n in 0..30_u8 {
            let mut key = [n; 33];
            key[0] = 5;
            session["_chains"][Base64::encode_string(&key)] =
                json!({"chainKey": {"counter": n}, "chainType": 2, "messageKeys": {}});
        }
    }
    let session = session(&record, &alice);
    alice.sessions.insert(bob.clone(), session);
    for json in case["onItsWay"].as_array().unwrap() {
        if json["to"] == "alice" {
            alice.decrypt(&bob, &message(json)).unwrap();
        }
    }
}

#[test]
fn of_many_skipped_keys_the_newest_two_thousand_are_kept() {
    let file = load("libsignal_node.json");
    let case = case(&file, "mid-conversation");
    let (mut alice, mut record) = alice_and_record(case);
    let bob = address(&case["bob"]);
    let seed = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
    for session in record["_sessions"].as_object_mut().unwrap().values_mut() {
        for chain in session["_chains"].as_object_mut().unwrap().values_mut() {
            if chain["chainType"] == 2 && chain["chainKey"]["key"].is_string() {
                // keys of messages that the chain has not reached are none
                for counter in 100..2200 {
                    chain["messageKeys"][counter.to_string()] = seed.into();
                }
            }
        }
    }
    let session = session(&record, &alice);
    alice.sessions.insert(bob.clone(), session);
    let late = case["onItsWay"].as_array().unwrap().iter();
    for json in late.filter(|json| json["to"] == "alice") {
        alice.decrypt(&bob, &message(json)).unwrap();
    }
}

#[test]
fn other_forms_are_refused() {
    let file = load("libsignal_node.json");
    let (alice, record) = alice_and_record(case(&file, "mid-conversation"));
    for version in [Json::Null, "v2".into(), 1.into()] {
        let mut record = record.clone();
        record["version"] = version;
        assert_eq!(decode(&record, &alice), Err(Error::InvalidSession));
    }
    for record in
        [json!({}), json!([]), json!({"version": "v1"}), json!({"_sessions": []}), json!(1)]
    {
        assert_eq!(decode(&record, &alice), Err(Error::InvalidSession));
    }
    let empty = decode(&json!({"_sessions": {}, "version": "v1"}), &alice).unwrap();
    assert_eq!(empty, node::DecodedSession { session: Session::new(), unreadable: 0 });
    // deeper than anything that a record has
    let local = LocalDevice { identity: &alice.identity, registration_id: 1 };
    let deep = format!("{{\"_sessions\":{{\"a\":{}", "[".repeat(100_000));
    assert_eq!(node::decode_session(deep.as_bytes(), local), Err(Error::InvalidSession));
}

#[test]
fn damaged_text_is_an_error_or_a_sound_session_and_never_a_panic() {
    let file = load("libsignal_node.json");
    for name in ["mid-conversation", "archived session", "unanswered"] {
        let (mut alice, record) = alice_and_record(case(&file, name));
        let bob = address(&case(&file, name)["bob"]);
        let text = text(&record);
        for end in 0..text.len() {
            let local =
                LocalDevice { identity: &alice.identity, registration_id: alice.registration_id };
            assert_eq!(node::decode_session(&text[..end], local), Err(Error::InvalidSession));
        }
        for at in 0..text.len() {
            let mut text = text.clone();
            text[at] ^= 1 << (at % 7);
            let local =
                LocalDevice { identity: &alice.identity, registration_id: alice.registration_id };
            let Ok(decoded) = node::decode_session(&text, local) else { continue };
            let encoded = official::encode_session(&decoded.session);
            assert_eq!(official::decode_session(&encoded).as_ref(), Ok(&decoded.session));
            let current = decoded.session.has_current();
            alice.sessions.insert(bob.clone(), decoded.session);
            // what was read can send; a damaged time of creation may be any
            alice.now = Timestamp(0);
            assert_eq!(alice.encrypt(&bob, b"text").is_ok(), current, "byte {at} of {name}");
        }
    }
}

#[test]
fn credentials_and_keys_in_the_forms_of_the_stores() {
    let file = load("baileys_credentials.json");
    let credentials = node::decode_credentials(&text(&file["creds"]), NOW).unwrap();
    assert_eq!(credentials.registration_id, number(&file["creds"]["registrationId"]));
    assert_eq!((credentials.signed_pre_key.id(), credentials.next_pre_key_id), (1, 1));
    assert_eq!(credentials.signed_pre_key.created(), NOW);
    let signed = credentials.signed_pre_key.key_pair().public_key().encode();
    let identity = credentials.identity.identity_key().public_key();
    assert!(identity.verify(&signed, credentials.signed_pre_key.signature()));

    let [pre_key, numbers] = ["pre-key-7", "buffer-as-numbers"]
        .map(|form| node::decode_pre_key(7, &text(&file[form])).unwrap());
    assert_eq!(pre_key.key_pair().public_key(), numbers.key_pair().public_key());

    // halves of two pairs
    let mut twisted = file["pre-key-7"].clone();
    twisted["public"] = file["creds"]["signedIdentityKey"]["public"].clone();
    assert!(matches!(node::decode_pre_key(7, &text(&twisted)), Err(Error::InvalidState)));
    twisted["public"] = "AAAA".into();
    assert!(matches!(node::decode_pre_key(7, &text(&twisted)), Err(Error::BadKeyType(0))));
    twisted["public"] = json!({"type": "Buffer", "data": {"data": []}});
    assert!(matches!(node::decode_pre_key(7, &text(&twisted)), Err(Error::InvalidState)));
    let mut short = file["creds"]["signedPreKey"].clone();
    short["signature"] = "AAAA".into();
    assert!(matches!(
        node::decode_signed_pre_key(&text(&short), NOW),
        Err(Error::SignatureValidationFailed)
    ));
}
