//! Records conversations with the other implementations as JSON, so that plain `cargo test` can replay sandi's side
//! of them without Node. `cargo run -p sandi-interop --bin record-transcripts -- tests/vectors/transcripts`
//!
//! The peer initiates towards our pre-keys. Our random bytes come from ChaCha20 with a seed that is part of the
//! transcript, so that what we send is reproducible byte for byte. The format: `tests/vectors/transcripts/README.md`.

use chacha20::ChaCha20Rng;
use chacha20::rand_core::SeedableRng;
use sandi::keys::IdentityKeyPair;
use sandi::migrate::official;
use sandi::prekey::{KemPreKey, PreKey, PreKeyBundle, SignedPreKey};
use sandi::session::{Addresses, LocalDevice, PreKeys, Session};
use sandi::wire::{CiphertextMessageType, PreKeySignalMessage, SignalMessage};
use sandi::{Address, DeviceId, Policy, Timestamp};
use sandi_interop::json::{b64, unb64};
use sandi_interop::scenario::random::Dice;
use sandi_interop::{Libsignal, Peer};
use serde_json::{Value, json};

const NOW: Timestamp = Timestamp(1_790_000_000_000);
const US: &str = "796abedb-ca4e-4f18-8803-1fde5b921f9f";
const THEM: &str = "9d0652a3-dcc3-4d11-975f-74d61598733f";
const OUR_REGISTRATION_ID: u32 = 2002;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = std::env::args().nth(1).ok_or("usage: record-transcripts FOLDER")?;
    let current = Peer::libsignal(Libsignal::Current)?;
    let legacy = Peer::libsignal(Libsignal::Legacy)?;
    let v3 = Peer::libsignal(Libsignal::V3)?;
    let node = Peer::libsignal_node()?;
    for (name, peer, policy, seed) in [
        ("v4_official_0.103", &current, Policy::V4, 1),
        ("v4_without_spqr_official_0.72", &legacy, Policy::V4_WITHOUT_SPQR, 2),
        ("v3_official_0.72", &legacy, Policy::V3, 3),
        ("v3_official_0.23", &v3, Policy::V3, 4),
        ("v3_libsignal_node", &node, Policy::V3, 5),
    ] {
        let transcript = record(peer, policy, seed)?;
        let path = format!("{folder}/{name}.json");
        std::fs::write(&path, serde_json::to_string_pretty(&transcript)? + "\n")?;
        println!("{path}: {} steps", transcript["steps"].as_array().map_or(0, Vec::len));
    }
    Ok(())
}

fn record(peer: &Peer, policy: Policy, seed: u8) -> Result<Value, Box<dyn std::error::Error>> {
    let mut keys_rng = ChaCha20Rng::from_seed([seed.wrapping_add(100); 32]);
    let mut rng = ChaCha20Rng::from_seed([seed; 32]);
    let identity = IdentityKeyPair::generate(&mut keys_rng);
    let signed = SignedPreKey::generate(22, &identity, NOW, &mut keys_rng);
    let one_time = PreKey::generate(7, &mut keys_rng);
    let kem = KemPreKey::generate(33, &identity, NOW, &mut keys_rng);
    let version = if policy == Policy::V3 { 3 } else { 4 };
    let (us, them) = (Address::new(US, DeviceId::new(2)?), Address::new(THEM, DeviceId::new(1)?));
    let bundle = PreKeyBundle::of(
        OUR_REGISTRATION_ID,
        us.device(),
        *identity.identity_key(),
        &signed,
        Some(&one_time),
        (version == 4).then_some(&kem),
    );
    let handle = format!("transcript-{seed}");
    let call = |op: &str, mut fields: Value| {
        fields["party"] = handle.clone().into();
        peer.call(op, fields).map_err(|error| format!("{op}: {error}"))
    };
    let our_address = json!({"name": US, "deviceId": 2});
    call("party.create", json!({"name": THEM, "deviceId": 1}))?;
    call("bundle.process", json!({"peer": our_address, "bundle": show(&bundle)}))?;

    let mut session = Session::new();
    let ends = Addresses { local: &us, remote: &them };
    let mut dice = Dice::new(seed.into());
    let mut steps = Vec::new();
    let mut count = 0_u32;
    for turn in 0..60 {
        // theirs, in random order, a few of them lost
        let mut theirs = Vec::new();
        for _ in 0..=dice.below(3) {
            count += 1;
            let text = format!("theirs {count}").into_bytes();
            let reply = call("encrypt", json!({"peer": our_address, "plaintext": b64(&text)}))?;
            theirs.push((reply["type"].clone(), unb64(&reply["bytes"]).ok_or("bytes")?, text));
        }
        dice.shuffle(&mut theirs);
        if theirs.len() > 2 && turn > 0 {
            theirs.pop();
        }
        for (kind, bytes, text) in theirs {
            let plaintext = if kind == "prekey" {
                let message = PreKeySignalMessage::parse(&bytes)?;
                let keys = PreKeys {
                    signed: Some(&signed),
                    kem: Some(&kem),
                    one_time: Some(&one_time),
                    replay_guard: None,
                };
                let local =
                    LocalDevice { identity: &identity, registration_id: OUR_REGISTRATION_ID };
                session.accept(ends, local, &message, keys, policy, |_| true, &mut rng)?.plaintext
            } else {
                session.decrypt(ends, &SignalMessage::parse(&bytes)?, |_| true, &mut rng)?
            };
            assert_eq!(plaintext.as_slice(), text);
            steps.push(json!({"receive": kind, "bytes": b64(&bytes), "plaintext": b64(&text)}));
        }
        // ours
        for _ in 0..=dice.below(2) {
            count += 1;
            let text = format!("ours {count}").into_bytes();
            let message = session.encrypt(ends, &text, |_| true, NOW, &mut rng)?;
            assert_eq!(message.message_type, CiphertextMessageType::Signal);
            let bytes = b64(&message.bytes);
            let fields = json!({"peer": our_address, "type": "whisper", "bytes": bytes});
            assert_eq!(call("decrypt", fields)?["plaintext"], b64(&text));
            steps.push(json!({"send": "whisper", "bytes": bytes, "plaintext": b64(&text)}));
        }
    }
    Ok(json!({
        "sessionVersion": version,
        "spqr": policy == Policy::V4,
        "rngSeed": seed,
        "us": {
            "name": US, "deviceId": 2, "registrationId": OUR_REGISTRATION_ID,
            "identityKeyPair": b64(identity.encode().expose()),
            "signedPreKey": b64(&official::encode_signed_pre_key(&signed)),
            "preKey": b64(&official::encode_pre_key(&one_time)),
            "kyberPreKey": b64(&official::encode_kem_pre_key(&kem)),
        },
        "them": {"name": THEM, "deviceId": 1},
        "steps": steps,
    }))
}

fn show(bundle: &PreKeyBundle) -> Value {
    let (one_time, kem) = (bundle.pre_key.as_ref(), bundle.kem_pre_key.as_ref());
    let text = |bytes: Option<Vec<u8>>| bytes.map_or(Value::Null, |bytes| b64(&bytes));
    json!({
        "registrationId": bundle.registration_id,
        "deviceId": bundle.device_id.get(),
        "identityKey": b64(&bundle.identity_key.encode()),
        "preKeyId": one_time.map(|key| key.id),
        "preKey": text(one_time.map(|key| key.key.encode().to_vec())),
        "signedPreKeyId": bundle.signed_pre_key.id,
        "signedPreKey": b64(&bundle.signed_pre_key.key.encode()),
        "signedPreKeySignature": b64(&bundle.signed_pre_key.signature),
        "kyberPreKeyId": kem.map(|key| key.id),
        "kyberPreKey": text(kem.map(|key| key.key.encode())),
        "kyberPreKeySignature": text(kem.map(|key| key.signature.to_vec())),
    })
}
