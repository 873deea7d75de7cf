//! Stores of the official library (spec 08), recorded in the middle of a conversation: sandi goes on with it.
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

use common::{Device, NOW};
use migration::{case, device, go_on, load, message, number, unb64};
use prost::Message;
use sandi::keys::IdentityKeyPair;
use sandi::migrate::official;
use sandi::wire::{CiphertextMessageType, PreKeySignalMessage};
use sandi::{Address, DeviceId, Error, Policy, Timestamp};
use serde_json::Value as Json;

const FILES: [(&str, Policy); 3] = [
    ("official_0.23_v3.json", Policy::V3),
    ("official_0.72_v4.json", Policy::V4_WITHOUT_SPQR),
    ("official_0.103_v4.json", Policy::V4),
];

/// A SessionRecord (spec 08 §1).
#[derive(Clone, PartialEq, Message)]
struct Record {
    #[prost(bytes = "vec", optional, tag = "1")]
    current: Option<Vec<u8>>,
    #[prost(bytes = "vec", repeated, tag = "2")]
    archived: Vec<Vec<u8>>,
}

fn address(json: &Json) -> Address {
    let device = DeviceId::new(number(&json["deviceId"])).unwrap();
    Address::new(json["name"].as_str().unwrap(), device)
}

fn import(json: &Json, peer: &Json, policy: Policy, seed: u64) -> Device {
    let identity = IdentityKeyPair::decode(&unb64(&json["identity"])).unwrap();
    let mut device = device(json, policy, seed, identity);
    if !json["record"].is_null() {
        let session = official::decode_session(&unb64(&json["record"])).unwrap();
        device.sessions.insert(address(peer), session);
    }
    for key in json["keys"].as_array().into_iter().flatten() {
        let (id, record) = (number(&key["keyId"]), unb64(&key["record"]));
        match key["kind"].as_str().unwrap() {
            "preKey" => {
                let key = official::decode_pre_key(&record).unwrap();
                assert_eq!(*official::encode_pre_key(&key), record);
                device.one_time.insert(id, key);
            }
            "signedPreKey" => {
                let key = official::decode_signed_pre_key(&record).unwrap();
                assert_eq!(*official::encode_signed_pre_key(&key), record);
                device.signed.insert(id, key);
            }
            _ => {
                let key = official::decode_kem_pre_key(&record).unwrap();
                assert_eq!(*official::encode_kem_pre_key(&key), record);
                device.kem.insert(id, key);
            }
        }
    }
    device
}

#[test]
fn s08_1_every_recorded_conversation_goes_on_in_both_directions() {
    for (name, policy) in FILES {
        let file = load(name);
        for case in file["cases"].as_array().unwrap() {
            let mut alice = import(&case["alice"], &case["bob"], policy, 1);
            let mut bob = import(&case["bob"], &case["alice"], policy, 2);
            // A record of release 0.23 has no creation time: an unanswered session is stale at once
            // (spec 08 §1.3). Another life before 1970 + 30 days:
            if name.contains("0.23") {
                (alice.now, bob.now) = (Timestamp(0), Timestamp(0));
            }
            go_on(case, &mut alice, &mut bob);
        }
    }
}

#[test]
fn s08_3_what_was_recorded_encodes_to_the_same_bytes() {
    for (name, _) in FILES {
        let file = load(name);
        for case in file["cases"].as_array().unwrap() {
            for who in ["alice", "bob"] {
                let json = &case[who];
                let identity = unb64(&json["identity"]);
                let pair = IdentityKeyPair::decode(&identity).unwrap();
                assert_eq!(pair.encode().expose().to_vec(), identity);
                if !json["record"].is_null() {
                    let record = unb64(&json["record"]);
                    let session = official::decode_session(&record).unwrap();
                    assert_eq!(*official::encode_session(&session), record, "{name} {who}");
                }
            }
        }
    }
}

#[test]
fn s08_4_a_corrupt_archived_entry_leaves_the_other_sessions_usable() {
    for (name, policy) in FILES {
        let file = load(name);
        let case = case(&file, "archived session");
        let mut record = Record::decode(unb64(&case["alice"]["record"]).as_slice()).unwrap();
        let sound = record.archived[0].clone();
        record.archived = vec![vec![0xFF; 9], sound[..sound.len() / 2].to_vec(), sound];
        let session = official::decode_session(&record.encode_to_vec()).unwrap();
        assert_eq!(session.archived_count(), 3);
        assert_eq!(*official::encode_session(&session), record.encode_to_vec());
        let mut alice = import(&case["alice"], &case["bob"], policy, 1);
        let mut bob = import(&case["bob"], &case["alice"], policy, 2);
        alice.sessions.insert(bob.address.clone(), session);
        go_on(case, &mut alice, &mut bob);
    }
}

#[test]
fn an_unanswered_session_repeats_its_pre_key_data_for_thirty_days() {
    for (name, policy) in FILES {
        let file = load(name);
        let case = case(&file, "unanswered");
        let mut alice = import(&case["alice"], &case["bob"], policy, 1);
        let bob = address(&case["bob"]);
        if name.contains("0.23") {
            assert_eq!(alice.encrypt(&bob, b"stale"), Err(Error::SessionNotFound));
            continue;
        }
        let sent = alice.encrypt(&bob, b"third").unwrap();
        assert_eq!(sent.message_type, CiphertextMessageType::PreKey);
        let view = PreKeySignalMessage::parse(&sent.bytes).unwrap();
        assert_eq!((view.pre_key_id(), view.signed_pre_key_id()), (Some(70), 80));
        assert_eq!(view.kyber().map(|(id, _)| id), Some(90));
        assert_eq!(view.message().counter(), 2, "two were sent before");
        let before = message(&case["onItsWay"][0]);
        let before = PreKeySignalMessage::parse(&before.bytes).unwrap();
        assert_eq!(view.kyber(), before.kyber());
        assert_eq!(view.base_key(), before.base_key());
        alice.now = Timestamp(NOW.as_millis() + 366 * 24 * 60 * 60 * 1000);
        assert_eq!(alice.encrypt(&bob, b"a year later"), Err(Error::SessionNotFound));
    }
}

/// `bytes` with one bit flipped in each byte, and each of its beginnings.
fn damaged(bytes: &[u8]) -> impl Iterator<Item = Vec<u8>> + '_ {
    let flipped = (0..bytes.len()).map(|at| {
        let mut bytes = bytes.to_vec();
        bytes[at] ^= 1 << (at % 8);
        bytes
    });
    flipped.chain((0..bytes.len()).map(|end| bytes[..end].to_vec()))
}

#[test]
fn damaged_records_are_errors_or_encode_to_what_decodes_to_the_same() {
    for (name, _) in FILES {
        let file = load(name);
        let case = case(&file, "unanswered");
        let mid = &file["cases"][0];
        for record in [&case["alice"]["record"], &mid["bob"]["record"]].map(unb64) {
            for bytes in damaged(&record) {
                match official::decode_session(&bytes) {
                    Err(error) => assert_eq!(error, Error::InvalidSession),
                    Ok(session) => {
                        let encoded = official::encode_session(&session);
                        assert_eq!(official::decode_session(&encoded), Ok(session));
                    }
                }
            }
        }
        for key in case["bob"]["keys"].as_array().unwrap() {
            // A KEM pre-key is long: one that is cut, and one flipped bit in each of its ends.
            let record = unb64(&key["record"]);
            let ends = [0..record.len().min(40), record.len() - 40..record.len()];
            for at in ends.into_iter().flatten() {
                let mut flipped = record.clone();
                flipped[at] ^= 1 << (at % 8);
                for bytes in [&flipped, &record[..at]] {
                    match key["kind"].as_str().unwrap() {
                        "preKey" => {
                            if let Ok(key) = official::decode_pre_key(bytes) {
                                let encoded = official::encode_pre_key(&key);
                                let again = official::decode_pre_key(&encoded).unwrap();
                                assert_eq!(official::encode_pre_key(&again), encoded);
                            }
                        }
                        "signedPreKey" => {
                            if let Ok(key) = official::decode_signed_pre_key(bytes) {
                                let encoded = official::encode_signed_pre_key(&key);
                                let again = official::decode_signed_pre_key(&encoded).unwrap();
                                assert_eq!(official::encode_signed_pre_key(&again), encoded);
                            }
                        }
                        _ => {
                            if let Ok(key) = official::decode_kem_pre_key(bytes) {
                                let encoded = official::encode_kem_pre_key(&key);
                                let again = official::decode_kem_pre_key(&encoded).unwrap();
                                assert_eq!(official::encode_kem_pre_key(&again), encoded);
                            }
                        }
                    }
                }
            }
        }
    }
}
