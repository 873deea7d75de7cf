//! Stores that other implementations left in the middle of a conversation: `tests/vectors/migrate/`.
#![allow(missing_docs, unreachable_pub, dead_code)]

use std::path::PathBuf;

use base64ct::{Base64, Encoding};
use sandi::keys::IdentityKeyPair;
use sandi::session::CiphertextMessage;
use sandi::wire::CiphertextMessageType;
use sandi::{Address, Error, Policy};
use serde_json::Value as Json;

use crate::common::{Device, send};

pub fn unb64(json: &Json) -> Vec<u8> {
    Base64::decode_vec(json.as_str().unwrap()).unwrap()
}

pub fn number(json: &Json) -> u32 {
    u32::try_from(json.as_u64().unwrap()).unwrap()
}

/// A file of the folder, or of the same folder of `SANDI_VECTORS`.
pub fn load(name: &str) -> Json {
    let folder = std::env::var_os("SANDI_VECTORS").map_or_else(
        || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/vectors"),
        Into::into,
    );
    let ours = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/vectors/migrate").join(name);
    let path = Some(folder.join("migrate").join(name)).filter(|path| path.exists()).unwrap_or(ours);
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

pub fn case<'a>(file: &'a Json, name: &str) -> &'a Json {
    let mut cases = file["cases"].as_array().unwrap().iter();
    cases.find(|case| case["name"] == name).unwrap()
}

/// The device of `who` with its identity, and no sessions or pre-keys yet.
pub fn device(json: &Json, policy: Policy, seed: u64, identity: IdentityKeyPair) -> Device {
    let name = json["name"].as_str().unwrap();
    let mut device = Device::with_identity(name, number(&json["deviceId"]), policy, seed, identity);
    device.registration_id = number(&json["registrationId"]);
    device
}

pub fn message(json: &Json) -> CiphertextMessage {
    let message_type = match json["type"].as_str().unwrap() {
        "prekey" => CiphertextMessageType::PreKey,
        "whisper" => CiphertextMessageType::Signal,
        other => panic!("message type {other}"),
    };
    CiphertextMessage { message_type, bytes: unb64(&json["bytes"]) }
}

/// What was on its way arrives, once; then the conversation goes on in both directions.
pub fn go_on(case: &Json, alice: &mut Device, bob: &mut Device) {
    for json in case["onItsWay"].as_array().unwrap() {
        let (to, from): (&mut Device, Address) = match json["to"].as_str().unwrap() {
            "alice" => (alice, bob.address.clone()),
            _ => (bob, alice.address.clone()),
        };
        let (message, text) = (message(json), json["plaintext"].as_str().unwrap());
        assert_eq!(to.decrypt(&from, &message).unwrap(), text.as_bytes(), "{text}");
        assert!(
            matches!(to.decrypt(&from, &message), Err(Error::DuplicatedMessage { .. })),
            "{text} again"
        );
    }
    for round in 0..20_u8 {
        send(alice, bob, &[round]).unwrap();
        send(bob, alice, &[round; 2]).unwrap();
        let late = alice.encrypt(&bob.address, b"late").unwrap();
        send(alice, bob, &[round; 3]).unwrap();
        send(bob, alice, &[round; 4]).unwrap();
        assert_eq!(bob.decrypt(&alice.address, &late).unwrap(), b"late");
    }
}
