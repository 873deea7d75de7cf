//! Conversations and malformed states of `tests/vectors/spqr/`, replayed byte for byte: messages, keys
//! and stored states (spec 10 §14).
//!
//! `SANDI_VECTORS` names another folder of the same layout.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::cast_possible_truncation
)]

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::path::PathBuf;

use rand_core::{TryCryptoRng, TryRng};
use sandi::Secret;
use sandi::spqr::{Direction, Limits, Spqr, SpqrError, Version};
use serde_json::Value as Json;
use sha2::{Digest, Sha256};

/// Gives exactly the recorded bytes, each request in full, and panics when asked for more.
struct Recorded(Vec<u8>);

impl TryRng for Recorded {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        panic!("SPQR draws bytes only")
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        panic!("SPQR draws bytes only")
    }

    fn try_fill_bytes(&mut self, out: &mut [u8]) -> Result<(), Infallible> {
        assert!(matches!(out.len(), 32 | 64), "one request of 32 or 64 bytes (spec 10 §3.4)");
        out.copy_from_slice(&self.0[..out.len()]);
        self.0.drain(..out.len());
        Ok(())
    }
}

impl TryCryptoRng for Recorded {}

fn vectors() -> PathBuf {
    std::env::var_os("SANDI_VECTORS")
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/vectors"), Into::into)
        .join("spqr")
}

fn load(path: &std::path::Path) -> Json {
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

fn bytes(json: &Json) -> Vec<u8> {
    json.as_str().map_or_else(Vec::new, |text| hex::decode(text).unwrap())
}

/// Numbers above 2^53 are decimal strings.
fn number(json: &Json) -> u64 {
    json.as_u64().unwrap_or_else(|| json.as_str().unwrap().parse().unwrap())
}

/// The name that the vectors give an error (spec 10 §12), without its arguments.
fn label(error: SpqrError) -> &'static str {
    match error {
        SpqrError::StateDecode => "StateDecode",
        SpqrError::MessageDecode => "MsgDecode",
        SpqrError::EpochOutOfRange(_) => "EpochOutOfRange",
        SpqrError::MacVerifyFailed => "MacVerifyFailed",
        SpqrError::ErroneousData => "ErroneousDataReceived",
        SpqrError::VersionMismatch => "VersionMismatch",
        SpqrError::MinimumVersion => "MinimumVersion",
        SpqrError::KeyJump { .. } => "KeyJump",
        SpqrError::KeyTrimmed(_) => "KeyTrimmed",
        SpqrError::KeyAlreadyRequested(_) => "KeyAlreadyRequested",
        other => panic!("{other:?} is in no vector"),
    }
}

fn version(json: &Json) -> Version {
    if number(json) == 0 { Version::V0 } else { Version::V1 }
}

fn party(conversation: &Json, name: &str) -> Spqr {
    let party = &conversation[name];
    if version(&party["version"]) == Version::V0 {
        return Spqr::off();
    }
    let direction = if name == "a" { Direction::A2B } else { Direction::B2A };
    let key = Secret::from_slice(&bytes(&conversation["auth_key"])).unwrap();
    let limits =
        Limits::new(number(&party["max_jump"]) as u32, number(&party["max_ooo_keys"]) as u32);
    Spqr::new(direction, version(&party["min_version"]), &key, limits)
}

fn check_key(step: &Json, key: Option<&Secret<32>>) {
    let expected = step["key"].as_str().map(|text| hex::decode(text).unwrap());
    assert_eq!(key.map(|key| key.expose().to_vec()), expected, "key of {step}");
}

fn check_state(step: &Json, party: &Spqr) {
    let state = party.export_official();
    assert_eq!(party.state_name(), step["state"].as_str().unwrap(), "state of {step}");
    assert_eq!(state.len() as u64, number(&step["len"]), "length of the state after {step}");
    let digest = hex::encode(Sha256::digest(&state));
    assert_eq!(&digest[..32], step["sha"].as_str().unwrap(), "state after {step}");
    if let Some(dump) = step.get("dump") {
        assert_eq!(state, bytes(dump), "dump of {step}");
    }
}

/// Replays the steps of a conversation. With `import`, a party's state goes through its encoding at
/// every step that has a dump; with `compact`, through sandi's own encoding at every step.
fn replay(conversation: &Json, import: bool, compact: bool) -> usize {
    let mut parties: BTreeMap<&str, Spqr> =
        ["a", "b"].into_iter().map(|name| (name, party(conversation, name))).collect();
    for (name, party) in &parties {
        assert_eq!(party.export_official(), bytes(&conversation[name]["initial_state"]));
    }
    let mut messages: BTreeMap<u64, Vec<u8>> = BTreeMap::new();
    let steps = conversation["steps"].as_array().unwrap();
    for step in steps {
        let who = parties.get_mut(step["who"].as_str().unwrap()).unwrap();
        match step["op"].as_str().unwrap() {
            "send" => {
                let mut rng = Recorded(bytes(&step["rng"]));
                let sent = who.send(&mut rng).unwrap();
                assert!(rng.0.is_empty(), "all recorded bytes are drawn: {step}");
                assert_eq!(sent.message(), bytes(&step["msg"]), "message of {step}");
                check_key(step, sent.key());
                check_state(step, who);
                messages.insert(number(&step["id"]), sent.message().to_vec());
            }
            "send_discard" => {
                let mut rng = Recorded(bytes(&step["rng"]));
                for left in (0..number(&step["count"])).rev() {
                    let sent = who.send(&mut rng).unwrap();
                    if left == 0 {
                        assert_eq!(sent.message(), bytes(&step["last_msg"]));
                        assert_eq!(
                            sent.key().map(|key| key.expose().to_vec()),
                            Some(bytes(&step["last_key"]))
                        );
                    }
                }
                assert!(rng.0.is_empty());
                check_state(step, who);
            }
            "recv" => {
                let message = match step.get("msg") {
                    Some(raw) => bytes(raw),
                    None => messages[&number(&step["id"])].clone(),
                };
                let before = who.export_official();
                match who.receive(&message) {
                    Ok(key) => {
                        assert!(step.get("err").is_none(), "an error was expected: {step}");
                        check_key(step, key.as_ref());
                        check_state(step, who);
                    }
                    Err(error) => {
                        let expected = step["err"].as_str().expect("no error was expected");
                        assert!(expected.starts_with(label(error)), "{error:?}, not {expected}");
                        assert_eq!(who.export_official(), before, "an error changes nothing");
                    }
                }
            }
            "set_state" => *who = Spqr::import_official(&bytes(&step["dump"])).unwrap(),
            other => panic!("{other}"),
        }
        if import && step.get("dump").is_some() {
            *who = Spqr::import_official(&who.export_official()).unwrap();
        }
        if compact {
            let official = who.export_official();
            *who = Spqr::decode_compact(&who.encode_compact()).unwrap();
            assert_eq!(who.export_official(), official, "the compact state holds everything");
        }
    }
    steps.len()
}

fn conversations() -> Vec<(String, Json)> {
    let mut all: Vec<_> = std::fs::read_dir(vectors())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.file_name().unwrap().to_string_lossy().starts_with("conv_"))
        .map(|path| (path.file_name().unwrap().to_string_lossy().into_owned(), load(&path)))
        .collect();
    all.sort_by(|one, other| one.0.cmp(&other.0));
    assert!(!all.is_empty());
    all
}

#[test]
fn s10_1_to_14_every_conversation_is_byte_identical() {
    for (name, conversation) in conversations() {
        println!("{name}: {} steps", replay(&conversation, false, false));
    }
}

#[test]
fn s10_15_a_conversation_goes_on_from_every_dumped_state() {
    for (name, conversation) in conversations() {
        println!("{name}: {} steps", replay(&conversation, true, false));
    }
}

#[test]
fn s10_15_a_conversation_goes_on_from_the_compact_state_of_every_step() {
    for (name, conversation) in conversations() {
        println!("{name}: {} steps", replay(&conversation, false, true));
        println!("{name}: {} steps, imported", replay(&conversation, true, true));
    }
}

#[test]
fn compact_states_that_are_cut_changed_or_of_a_later_version_never_panic() {
    let mut rng = Recorded(vec![7; 64]);
    let key = Secret::new([1; 32]);
    let mut party = Spqr::new(Direction::A2B, Version::V1, &key, Limits::default());
    party.send(&mut rng).unwrap();
    let state = party.encode_compact();
    for length in 1..state.len() {
        assert!(Spqr::decode_compact(&state[..length]).is_err(), "cut to {length} bytes");
    }
    let mut later = state.clone();
    later[0] = 2;
    assert_eq!(Spqr::decode_compact(&later).err(), Some(SpqrError::StateDecode));
    for at in 0..state.len() {
        for bit in 0..8 {
            let mut changed = state.clone();
            changed[at] ^= 1 << bit;
            if let Ok(party) = Spqr::decode_compact(&changed) {
                let _ = party.prepare_send(&mut Recorded(vec![7; 64]));
            }
        }
    }
    assert!(Spqr::decode_compact(&[]).unwrap().is_off());
}

#[test]
fn s10_16_malformed_states_give_errors_and_never_panic() {
    let file = load(&vectors().join("bad_states.json"));
    let cases = file["cases"].as_array().unwrap();
    assert!(!cases.is_empty());
    for case in cases {
        let imported = Spqr::import_official(&bytes(&case["state"]));
        let send = imported
            .as_ref()
            .map_err(|error| *error)
            .and_then(|state| state.prepare_send(&mut Recorded(vec![7; 64])).map(|_| ()));
        let receive = imported
            .as_ref()
            .map_err(|error| *error)
            .and_then(|state| state.prepare_receive(&bytes(&case["recv_msg"])).map(|_| ()));
        // Importing checks everything at once: where either call of the reference fails, so may both
        // of ours. Where neither fails, neither may fail here.
        let sound = |label: &Json| label.as_str() == Some("ok");
        if sound(&case["send"]) && sound(&case["recv"]) {
            assert!(send.is_ok() && receive.is_ok(), "{case}");
        }
        if !sound(&case["send"]) {
            assert!(send.is_err(), "{case}");
        }
        if !sound(&case["recv"]) {
            assert!(receive.is_err(), "{case}");
        }
    }
}
