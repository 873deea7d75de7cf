//! The older sender-key form against vectors of other implementations, read and written. `SANDI_VECTORS`
//! names another folder.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

use std::path::PathBuf;

use rand::{SeedableRng, rngs::StdRng};
use sandi::group::{Distribution, SenderKeyRecord};
use sandi::wire::{SenderKeyDistributionMessage, SenderKeyMessage};
use sandi::{Error, GroupDialect};
use serde_json::Value;

fn groups() -> Vec<Value> {
    let folder = std::env::var_os("SANDI_VECTORS").map_or_else(
        || PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/vectors")),
        PathBuf::from,
    );
    let path = folder.join("whatsapp/sender_key.json");
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path:?}: {error}"));
    let file: Value = serde_json::from_str(&text).unwrap();
    let groups = file["groups"].as_array().unwrap().clone();
    assert!(!groups.is_empty());
    groups
}

fn bytes(value: &Value) -> Vec<u8> {
    hex::decode(value.as_str().unwrap()).unwrap()
}

fn distribution(group: &Value) -> Distribution {
    Distribution::Group(group["groupId"].as_str().unwrap().into())
}

#[test]
fn every_message_decrypts_in_its_order_once() {
    for group in groups() {
        let mut receiver = SenderKeyRecord::new();
        let told = bytes(&group["skdm"]);
        let told = SenderKeyDistributionMessage::parse(GroupDialect::GroupId, &told).unwrap();
        assert_eq!(told.chain_key().expose().as_slice(), bytes(&group["chainKey0"]));
        assert_eq!(told.signing_key().as_raw().as_slice(), bytes(&group["signingPub"]));
        receiver.process_distribution(&told);
        let messages = group["messages"].as_array().unwrap();
        let order = group["deliverInOrder"].as_array().unwrap();
        assert_eq!(order.len(), messages.len());
        for index in order {
            let message = &messages[usize::try_from(index.as_u64().unwrap()).unwrap()];
            let skmsg = bytes(&message["skmsg"]);
            let view = SenderKeyMessage::parse(GroupDialect::GroupId, &skmsg).unwrap();
            assert_eq!(u64::from(view.iteration()), message["iteration"].as_u64().unwrap());
            assert_eq!(view.chain_id(), told.chain_id());
            assert_eq!(view.version_byte(), 0x33);
            let text = receiver.decrypt(&view).unwrap();
            assert_eq!(*text, bytes(&message["paddedPlaintext"]));
        }
        for message in messages {
            let skmsg = bytes(&message["skmsg"]);
            let view = SenderKeyMessage::parse(GroupDialect::GroupId, &skmsg).unwrap();
            let refused = receiver.decrypt(&view);
            assert!(matches!(refused, Err(Error::DuplicatedMessage { .. })));
            // spec 05 scenario 19
            assert_eq!(
                SenderKeyMessage::parse(GroupDialect::Distribution, &skmsg).map(|_| ()),
                Err(Error::InvalidProtobuf)
            );
        }
    }
}

#[test]
fn every_message_is_written_byte_for_byte_but_for_its_random_signature() {
    for group in groups() {
        let by = distribution(&group);
        let mut rng = StdRng::seed_from_u64(5);
        let told = bytes(&group["skdm"]);
        let parsed = SenderKeyDistributionMessage::parse(GroupDialect::GroupId, &told).unwrap();
        // the sender's record as it is stored: see `group/storage.rs`
        let mut stored = vec![1, 7, 0, 0, 0, 3];
        stored.extend_from_slice(&parsed.chain_id().to_be_bytes());
        stored.extend_from_slice(&parsed.iteration().to_be_bytes());
        for part in ["chainKey0", "signingPub", "signingPriv"] {
            stored.extend_from_slice(&bytes(&group[part]));
        }
        stored.extend_from_slice(&[0, 0]);
        let mut sender = SenderKeyRecord::decode(&stored).unwrap();
        assert_eq!(*sender.create_distribution(&by, &mut rng).unwrap(), told);
        for message in group["messages"].as_array().unwrap() {
            let theirs = bytes(&message["skmsg"]);
            let text = bytes(&message["paddedPlaintext"]);
            let ours = sender.encrypt(&by, &text, &mut rng).unwrap();
            let signed = ours.len() - 64;
            assert_eq!(ours[..signed], theirs[..signed]);
            for skmsg in [&ours, &theirs] {
                let view = SenderKeyMessage::parse(GroupDialect::GroupId, skmsg).unwrap();
                assert!(view.verify(parsed.signing_key()));
            }
        }
    }
}
