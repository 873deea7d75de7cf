//! A device leaves another implementation in the middle of its conversations.
//!
//! `cargo run --example migrate --features migrate-json`
//!
//! The other implementation's stores are the recorded ones of `tests/vectors/migrate/`: libsignal-node's JSON, and the
//! official library's records. Here two devices move, so that they can talk to each other; in life one does, and
//! its peers notice nothing. The recipe is `docs/migration.md`.
#![allow(clippy::indexing_slicing, clippy::print_stdout)] // a program for people to read

use std::error::Error;

use base64ct::{Base64, Encoding};
use sandi::keys::IdentityKeyPair;
use sandi::migrate::{node, official};
use sandi::session::{Addresses, LocalDevice, Session};
use sandi::wire::SignalMessage;
use sandi::{Address, DeviceId, OsRng, Timestamp};
use serde_json::Value;

/// What is taken along of a device that has one peer.
struct Device {
    address: Address,
    identity: IdentityKeyPair,
    registration_id: u32,
    session: Session,
}

fn main() -> Result<(), Box<dyn Error>> {
    let node: Value =
        serde_json::from_str(include_str!("../tests/vectors/migrate/libsignal_node.json"))?;
    let official: Value =
        serde_json::from_str(include_str!("../tests/vectors/migrate/official_0.103_v4.json"))?;
    go_on("libsignal-node", &node, from_node)?;
    go_on("the official library", &official, from_official)
}

/// libsignal-node: the identity's two keys, and a JSON record for each peer device. Of a record that holds
/// several sessions, a corrupt one is left out and counted.
fn from_node(store: &Value) -> Result<Device, Box<dyn Error>> {
    let identity = node::decode_identity_key_pair(store["identity"].to_string().as_bytes())?;
    let registration_id = number(&store["registrationId"])?;
    let local = LocalDevice { identity: &identity, registration_id };
    let decoded = node::decode_session(store["record"].to_string().as_bytes(), local)?;
    println!("  a record with {} unreadable sessions", decoded.unreadable);
    Ok(Device { address: address(store)?, session: decoded.session, identity, registration_id })
}

/// The official library: an IdentityKeyPair, and a SessionRecord for each peer device.
fn from_official(store: &Value) -> Result<Device, Box<dyn Error>> {
    Ok(Device {
        address: address(store)?,
        identity: IdentityKeyPair::decode(&bytes(&store["identity"])?)?,
        registration_id: number(&store["registrationId"])?,
        session: official::decode_session(&bytes(&store["record"])?)?,
    })
}

/// Both devices of the first recorded conversation move; what was on its way arrives; they talk on.
fn go_on(
    whose: &str,
    file: &Value,
    import: fn(&Value) -> Result<Device, Box<dyn Error>>,
) -> Result<(), Box<dyn Error>> {
    println!("from {whose}");
    let case = &file["cases"][0];
    let (mut alice, mut bob) = (import(&case["alice"])?, import(&case["bob"])?);
    for message in case["onItsWay"].as_array().ok_or("onItsWay")? {
        let (to, from) =
            if message["to"] == "alice" { (&mut alice, &bob) } else { (&mut bob, &alice) };
        let text = receive(to, &from.address, &bytes(&message["bytes"])?)?;
        println!("  {} had on its way: {text}", message["to"]);
    }
    for round in 1..=3 {
        let message = send(&mut alice, &bob.address, &format!("hello from the new home, {round}"))?;
        println!("  bob reads: {}", receive(&mut bob, &alice.address, &message)?);
        let message = send(&mut bob, &alice.address, &format!("welcome, {round}"))?;
        println!("  alice reads: {}", receive(&mut alice, &bob.address, &message)?);
    }
    println!("  alice is {:08x}, bob {:08x}", alice.registration_id, bob.registration_id);
    let known = alice.session.remote_identity() == Some(bob.identity.identity_key());
    if known { Ok(()) } else { Err("the session is with another identity".into()) }
}

fn send(from: &mut Device, to: &Address, text: &str) -> Result<Vec<u8>, sandi::Error> {
    let ends = Addresses { local: &from.address, remote: to };
    let message =
        from.session.encrypt(ends, text.as_bytes(), |_| true, NOW, &mut OsRng::default())?;
    Ok(message.bytes)
}

fn receive(to: &mut Device, from: &Address, message: &[u8]) -> Result<String, Box<dyn Error>> {
    let ends = Addresses { local: &to.address, remote: from };
    let message = SignalMessage::parse(message)?;
    let plaintext = to.session.decrypt(ends, &message, |_| true, &mut OsRng::default())?;
    Ok(String::from_utf8(plaintext.to_vec())?)
}

/// The time of the recording.
const NOW: Timestamp = Timestamp(1_790_000_000_000);

fn address(store: &Value) -> Result<Address, Box<dyn Error>> {
    let name = store["name"].as_str().ok_or("name")?;
    Ok(Address::new(name, DeviceId::new(number(&store["deviceId"])?)?))
}

fn number(value: &Value) -> Result<u32, Box<dyn Error>> {
    Ok(u32::try_from(value.as_u64().ok_or("a number")?)?)
}

fn bytes(value: &Value) -> Result<Vec<u8>, Box<dyn Error>> {
    Base64::decode_vec(value.as_str().ok_or("base64")?).map_err(|error| error.to_string().into())
}
