//! Sessions of the WhatsApp-family dialect (spec 20 §4): `session_v3.json`, replayed in both roles. What either side
//! writes comes out byte for byte, given the key pairs that it drew. `SANDI_VECTORS` names another folder.
#![allow(missing_docs, clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

use std::collections::VecDeque;
use std::convert::Infallible;
use std::path::PathBuf;

use rand_core::{TryCryptoRng, TryRng};
use sandi::keys::{IdentityKeyPair, KeyPair, PrivateKey};
use sandi::prekey::{PreKey, PreKeyBundle, SignedPreKey};
use sandi::session::{Addresses, LocalDevice, PreKeys, Session};
use sandi::wire::{PreKeySignalMessage, SignalMessage};
use sandi::{Address, DeviceId, Error, Policy, Timestamp};
use serde_json::Value as Json;

const NOW: Timestamp = Timestamp(1_790_000_000_000);

/// Gives the recorded private keys, one a request.
struct Keys(VecDeque<Vec<u8>>);

impl TryRng for Keys {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        panic!("keys are drawn as bytes")
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        panic!("keys are drawn as bytes")
    }

    fn try_fill_bytes(&mut self, out: &mut [u8]) -> Result<(), Infallible> {
        out.copy_from_slice(&self.0.pop_front().unwrap());
        Ok(())
    }
}

impl TryCryptoRng for Keys {}

fn bytes(json: &Json) -> Vec<u8> {
    hex::decode(json.as_str().unwrap()).unwrap()
}

fn number(json: &Json) -> u32 {
    u32::try_from(json.as_u64().unwrap()).unwrap()
}

fn pair(json: &Json) -> KeyPair {
    let pair = KeyPair::from_private(PrivateKey::decode(&bytes(&json["priv"])).unwrap());
    assert_eq!(pair.public_key().as_raw().as_slice(), bytes(&json["pub"]));
    pair
}

struct Side {
    identity: IdentityKeyPair,
    registration_id: u32,
    address: Address,
    session: Session,
    keys: Keys,
}

impl Side {
    fn new(json: &Json, name: &str, by: &str, pairs: &Json) -> Self {
        let private = PrivateKey::decode(&bytes(&json["identityPriv"])).unwrap();
        let pairs = pairs.as_array().unwrap().iter().filter(|pair| pair["by"] == by);
        Self {
            identity: IdentityKeyPair::from_private(private),
            registration_id: number(&json["registrationId"]),
            // device 0: the primary device of this family
            address: Address::new(name, DeviceId::new_v3(0).unwrap()),
            session: Session::new(),
            keys: Keys(pairs.map(|pair| bytes(&pair["priv"])).collect()),
        }
    }

    fn local(&self) -> LocalDevice<'_> {
        LocalDevice { identity: &self.identity, registration_id: self.registration_id }
    }
}

/// The ratchet key and counter of a message.
fn place(step: &Json) -> ([u8; 33], u32) {
    let bytes = bytes(&step["ciphertext"]);
    let place = |message: &SignalMessage<'_>| (message.ratchet_key().encode(), message.counter());
    if step["type"] == "pkmsg" {
        place(PreKeySignalMessage::parse(&bytes).unwrap().message())
    } else {
        place(&SignalMessage::parse(&bytes).unwrap())
    }
}

#[test]
fn session_v3_replays_byte_for_byte_in_both_roles() {
    let folder = std::env::var_os("SANDI_VECTORS").map_or_else(
        || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/vectors"),
        Into::into,
    );
    let text = std::fs::read_to_string(folder.join("whatsapp/session_v3.json")).unwrap();
    let file: Json = serde_json::from_str(&text).unwrap();
    for session in file["sessions"].as_array().unwrap() {
        let pairs = &session["generatedKeyPairsInOrder"];
        let mut alice = Side::new(&session["alice"], "alice", "A", pairs);
        let mut bob = Side::new(&session["bob"], "bob", "B", pairs);
        let signed = &session["bob"]["signedPreKey"];
        let signature = bytes(&signed["signature"]).try_into().unwrap();
        let signed = SignedPreKey::from_parts(number(&signed["id"]), pair(signed), signature, NOW);
        let one_time = &session["bob"]["oneTimePreKey"];
        let one_time = (!one_time.is_null())
            .then(|| PreKey::from_parts(number(&one_time["id"]), pair(one_time)));
        let bundle = PreKeyBundle::of(
            bob.registration_id,
            bob.address.device(),
            *bob.identity.identity_key(),
            &signed,
            one_time.as_ref(),
            None,
        );
        bundle.verify().unwrap();
        let (a, b) = (alice.address.clone(), bob.address.clone());
        let Side { identity, registration_id, session: ours, keys, .. } = &mut alice;
        ours.initiate(
            Addresses { local: &a, remote: &b },
            LocalDevice { identity, registration_id: *registration_id },
            &bundle,
            Policy::V3,
            |_| true,
            NOW,
            keys,
        )
        .unwrap();

        let steps = session["transcriptInDeliveryOrder"].as_array().unwrap();
        let mut written: Vec<usize> = Vec::new();
        for (at, step) in steps.iter().enumerate() {
            let from_alice = step["from"] == "A";
            let (from, to) =
                if from_alice { (&mut alice, &mut bob) } else { (&mut bob, &mut alice) };
            // The sender wrote everything of this chain up to this counter; do so as well.
            let (chain, counter) = place(step);
            for wanted in 0..=counter {
                let found = steps.iter().enumerate().find(|(_, other)| {
                    other["from"] == step["from"] && place(other) == (chain, wanted)
                });
                let (index, other) = found.unwrap_or_else(|| panic!("no message {wanted}"));
                if written.contains(&index) {
                    continue;
                }
                let (local, remote) = (from.address.clone(), to.address.clone());
                let ends = Addresses { local: &local, remote: &remote };
                let text = bytes(&other["paddedPlaintext"]);
                let Side { session, keys, .. } = &mut *from;
                let message = session.encrypt(ends, &text, |_| true, NOW, keys).unwrap();
                assert_eq!(message.bytes, bytes(&other["ciphertext"]), "message {index}");
                written.push(index);
            }
            let ciphertext = bytes(&step["ciphertext"]);
            let (local, remote) = (to.address.clone(), from.address.clone());
            let ends = Addresses { local: &local, remote: &remote };
            let deliver = |to: &mut Side| {
                if step["type"] == "pkmsg" {
                    let message = PreKeySignalMessage::parse(&ciphertext)?;
                    assert_eq!(ciphertext[0], 0x33);
                    let keys = PreKeys {
                        signed: Some(&signed),
                        one_time: one_time.as_ref(),
                        ..PreKeys::default()
                    };
                    let mut session = std::mem::take(&mut to.session);
                    let (ours, policy) = (to.local(), Policy::V3);
                    // the key pairs are the side's own: taken out while it is borrowed
                    let mut rng = Keys(to.keys.0.clone());
                    let outcome =
                        session.accept(ends, ours, &message, keys, policy, |_| true, &mut rng);
                    to.keys = rng;
                    to.session = session;
                    Ok::<_, Error>(outcome?.plaintext)
                } else {
                    let message = SignalMessage::parse(&ciphertext)?;
                    to.session.decrypt(ends, &message, |_| true, &mut to.keys)
                }
            };
            assert_eq!(
                deliver(to).unwrap().as_slice(),
                bytes(&step["paddedPlaintext"]),
                "message {at}"
            );
            assert!(matches!(deliver(to), Err(Error::DuplicatedMessage { .. })));
        }
        assert!(alice.keys.0.is_empty() && bob.keys.0.is_empty(), "every key pair was drawn");
    }
}
