//! Conversations recorded with other implementations, replayed: what they sent decrypts, and what we send is byte for
//! byte what they decrypted. `SANDI_VECTORS` names another folder of the same layout.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::cast_possible_truncation
)]

mod common;

use std::path::PathBuf;

use chacha20::ChaCha20Rng;
use chacha20::rand_core::SeedableRng;
use common::NOW;
use sandi::keys::IdentityKeyPair;
use sandi::migrate::official;
use sandi::session::{Addresses, LocalDevice, PreKeys, Session};
use sandi::wire::{PreKeySignalMessage, SignalMessage};
use sandi::{Address, DeviceId, Policy};
use serde_json::Value as Json;

fn unb64(json: &Json) -> Vec<u8> {
    let mut out = Vec::new();
    let (mut word, mut bits) = (0_u32, 0_u32);
    for byte in json.as_str().unwrap().bytes().filter(|byte| *byte != b'=') {
        let digit = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            other => panic!("{other} is not base64"),
        };
        word = word << 6 | u32::from(digit);
        bits += 6;
        if bits >= 8 {
            bits -= 8;
            out.push((word >> bits) as u8);
            word &= (1 << bits) - 1;
        }
    }
    out
}

fn replay(transcript: &Json) -> (usize, usize) {
    let policy = match (transcript["sessionVersion"].as_u64(), transcript["spqr"].as_bool()) {
        (Some(3), _) => Policy::V3,
        (Some(4), Some(true)) => Policy::V4,
        _ => Policy::V4_WITHOUT_SPQR,
    };
    let seed = u8::try_from(transcript["rngSeed"].as_u64().unwrap()).unwrap();
    let mut rng = ChaCha20Rng::from_seed([seed; 32]);
    let us = &transcript["us"];
    let identity = IdentityKeyPair::decode(&unb64(&us["identityKeyPair"])).unwrap();
    let signed = official::decode_signed_pre_key(&unb64(&us["signedPreKey"])).unwrap();
    let one_time = official::decode_pre_key(&unb64(&us["preKey"])).unwrap();
    let kem = official::decode_kem_pre_key(&unb64(&us["kyberPreKey"])).unwrap();
    let address = |json: &Json| {
        let device = u32::try_from(json["deviceId"].as_u64().unwrap()).unwrap();
        Address::new(json["name"].as_str().unwrap(), DeviceId::new(device).unwrap())
    };
    let (local, remote) = (address(us), address(&transcript["them"]));
    let ends = Addresses { local: &local, remote: &remote };
    let mut session = Session::new();
    let (mut received, mut sent) = (0, 0);
    for step in transcript["steps"].as_array().unwrap() {
        let (bytes, text) = (unb64(&step["bytes"]), unb64(&step["plaintext"]));
        match step["receive"].as_str() {
            Some("prekey") => {
                let message = PreKeySignalMessage::parse(&bytes).unwrap();
                let keys = PreKeys {
                    signed: Some(&signed),
                    kem: Some(&kem),
                    one_time: Some(&one_time),
                    replay_guard: None,
                };
                let registration_id =
                    u32::try_from(us["registrationId"].as_u64().unwrap()).unwrap();
                let device = LocalDevice { identity: &identity, registration_id };
                let accepted =
                    session.accept(ends, device, &message, keys, policy, |_| true, &mut rng);
                assert_eq!(accepted.unwrap().plaintext.as_slice(), text);
                received += 1;
            }
            Some(_) => {
                let message = SignalMessage::parse(&bytes).unwrap();
                let plaintext = session.decrypt(ends, &message, |_| true, &mut rng).unwrap();
                assert_eq!(plaintext.as_slice(), text);
                received += 1;
            }
            None => {
                let message = session.encrypt(ends, &text, |_| true, NOW, &mut rng).unwrap();
                assert_eq!(message.bytes, bytes);
                sent += 1;
            }
        }
    }
    (received, sent)
}

#[test]
fn every_recorded_conversation_replays_in_both_directions() {
    let folder = std::env::var_os("SANDI_VECTORS")
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/vectors"), Into::into)
        .join("transcripts");
    let Ok(files) = std::fs::read_dir(&folder) else {
        // other data may come without transcripts; ours does not
        assert!(std::env::var_os("SANDI_VECTORS").is_some(), "no transcripts in {folder:?}");
        return;
    };
    let mut count = 0;
    for path in files.map(|entry| entry.unwrap().path()) {
        if path.extension().is_some_and(|extension| extension == "json") {
            let text = std::fs::read_to_string(&path).unwrap();
            let (received, sent) = replay(&serde_json::from_str(&text).unwrap());
            println!("{}: {received} received, {sent} sent", path.display());
            assert!(received > 50 && sent > 50);
            count += 1;
        }
    }
    assert!(count > 0);
}
