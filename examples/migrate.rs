//! A device leaves another implementation in the middle of its conversations.
//!
//! `cargo run --example migrate --features migrate-json`
//!
//! The other implementation's stores are the recorded ones of `tests/vectors/migrate/`: libsignal-node's JSON, and the
//! official library's records. Here both ends of a conversation move, so that they can talk to each other; in life
//! one does, and its peers notice nothing. The recipe is `docs/migration.md`.
#![allow(clippy::indexing_slicing, clippy::print_stdout)] // a program for people to read

use std::error::Error;

use base64ct::{Base64, Encoding};
use sandi::device::NewDevice;
use sandi::keys::IdentityKeyPair;
use sandi::migrate::{node, official};
use sandi::prekey::{KemPreKey, PreKey, SignedPreKey};
use sandi::protocol::{IdentityScope, ImportPreKeys, Options};
use sandi::session::{CiphertextMessage, LocalDevice, Session};
use sandi::wire::CiphertextMessageType;
use sandi::{Address, Device, DeviceId, MemoryStore, OsRng, Policy, Timestamp};
use serde_json::Value;

/// What the old store held, read whole before anything is written. An app has many peers; these have one.
#[derive(Default)]
struct Exported {
    session: Option<Session>,
    one_time: Vec<PreKey>,
    signed: Vec<SignedPreKey>,
    last_resort: Vec<KemPreKey>,
}

type Outcome<T> = Result<T, Box<dyn Error>>;

fn main() -> Outcome<()> {
    let node: Value =
        serde_json::from_str(include_str!("../tests/vectors/migrate/libsignal_node.json"))?;
    let official: Value =
        serde_json::from_str(include_str!("../tests/vectors/migrate/official_0.103_v4.json"))?;
    for (whose, file, policy, import) in [
        ("libsignal-node", &node, Policy::V3, from_node as fn(&Value) -> Outcome<_>),
        ("the official library", &official, Policy::V4, from_official),
    ] {
        for case in file["cases"].as_array().ok_or("cases")? {
            println!("{whose}, {}", case["name"]);
            let alice = migrate(&case["alice"], &case["bob"], policy, import)?;
            let bob = migrate(&case["bob"], &case["alice"], policy, import)?;
            go_on(case, alice, bob)?;
        }
    }
    Ok(())
}

/// libsignal-node: the identity's two keys, and a JSON record for each peer device. Of a record that holds
/// several sessions, a corrupt one is left out and counted.
fn from_node(store: &Value) -> Outcome<(IdentityKeyPair, Exported)> {
    let text = |json: &Value| json.to_string().into_bytes();
    let identity = node::decode_identity_key_pair(&text(&store["identity"]))?;
    let mut exported = Exported::default();
    if !store["record"].is_null() {
        let registration_id = number(&store["registrationId"])?;
        let local = LocalDevice { identity: &identity, registration_id };
        let decoded = node::decode_session(&text(&store["record"]), local)?;
        if decoded.unreadable > 0 {
            println!("  {} sessions are corrupt", decoded.unreadable);
        }
        exported.session = Some(decoded.session);
    }
    for key in store["keys"].as_array().into_iter().flatten() {
        let (id, json) = (number(&key["keyId"])?, text(&key["record"]));
        match key["kind"].as_str() {
            Some("preKey") => exported.one_time.push(node::decode_pre_key(id, &json)?),
            _ => exported.signed.push(node::decode_signed_pre_key(&json, NOW)?),
        }
    }
    Ok((identity, exported))
}

/// The official library: an IdentityKeyPair, a SessionRecord for each peer device, and a record for each
/// pre-key.
fn from_official(store: &Value) -> Outcome<(IdentityKeyPair, Exported)> {
    let mut exported = Exported::default();
    if !store["record"].is_null() {
        exported.session = Some(official::decode_session(&bytes(&store["record"])?)?);
    }
    for key in store["keys"].as_array().into_iter().flatten() {
        let record = bytes(&key["record"])?;
        match key["kind"].as_str() {
            Some("preKey") => exported.one_time.push(official::decode_pre_key(&record)?),
            Some("signedPreKey") => exported.signed.push(official::decode_signed_pre_key(&record)?),
            _ => exported.last_resort.push(official::decode_kem_pre_key(&record)?),
        }
    }
    Ok((IdentityKeyPair::decode(&bytes(&store["identity"])?)?, exported))
}

/// A device of sandi's with what the old store held, in a store of its own.
fn migrate(
    old: &Value,
    peer: &Value,
    policy: Policy,
    import: fn(&Value) -> Outcome<(IdentityKeyPair, Exported)>,
) -> Outcome<Device<MemoryStore>> {
    let (identity, exported) = import(old)?;
    let rng = &mut OsRng::default();
    let new = NewDevice {
        address: address(old)?,
        identity,
        registration_id: number(&old["registrationId"])?,
        scope: if policy == Policy::V3 { IdentityScope::Device } else { IdentityScope::Account },
    };
    let options = Options { dialects: policy, ..Options::default() };
    let mut device = Device::create(MemoryStore::new(), new, options, rng)?;
    device.import_pre_keys(
        &ImportPreKeys {
            signed: &exported.signed,
            last_resort: &exported.last_resort,
            one_time: &exported.one_time,
            ..ImportPreKeys::default()
        },
        NOW,
        rng,
    )?;
    if let Some(session) = exported.session {
        // what the old store says of the peer's identity; here it has said nothing else than the session
        let identity = session.remote_identity().copied();
        device.import_peer(&address(peer)?, session, identity.as_ref(), NOW, rng)?;
    }
    Ok(device)
}

/// What was on its way arrives, and the two talk on.
fn go_on(
    case: &Value,
    mut alice: Device<MemoryStore>,
    mut bob: Device<MemoryStore>,
) -> Outcome<()> {
    for message in case["onItsWay"].as_array().ok_or("onItsWay")? {
        let (to, from) =
            if message["to"] == "alice" { (&mut alice, &bob) } else { (&mut bob, &alice) };
        let message_type = match message["type"].as_str() {
            Some("prekey") => CiphertextMessageType::PreKey,
            _ => CiphertextMessageType::Signal,
        };
        let sent = CiphertextMessage { message_type, bytes: bytes(&message["bytes"])? };
        let text = receive(to, from.address().clone(), &sent)?;
        println!("  on its way to {}: {text}", message["to"]);
    }
    for _ in 0..2 {
        say(&mut alice, &mut bob, "hello from the new home")?;
        say(&mut bob, &mut alice, "you have moved?")?;
    }
    Ok(())
}

fn say(from: &mut Device<MemoryStore>, to: &mut Device<MemoryStore>, text: &str) -> Outcome<()> {
    let message = from.encrypt(to.address(), text.as_bytes(), NOW, &mut OsRng::default())?;
    println!("  {}", receive(to, from.address().clone(), &message)?);
    Ok(())
}

fn receive(
    to: &mut Device<MemoryStore>,
    from: Address,
    message: &CiphertextMessage,
) -> Outcome<String> {
    let mut rng = OsRng::default();
    let received = to.decrypt(&from, message.message_type, &message.bytes, NOW, &mut rng)?;
    let text = String::from_utf8(received.plaintext().to_vec())?;
    received.commit()?;
    Ok(text)
}

/// A time near the recording's.
const NOW: Timestamp = Timestamp(1_790_000_000_000);

fn address(store: &Value) -> Outcome<Address> {
    let name = store["name"].as_str().ok_or("name")?;
    Ok(Address::new(name, DeviceId::new(number(&store["deviceId"])?)?))
}

fn number(value: &Value) -> Outcome<u32> {
    Ok(u32::try_from(value.as_u64().ok_or("a number")?)?)
}

fn bytes(value: &Value) -> Outcome<Vec<u8>> {
    Base64::decode_vec(value.as_str().ok_or("base64")?).map_err(|error| error.to_string().into())
}
