//! Records what other implementations have stored in the middle of a conversation, so that plain `cargo test` can go
//! on with it without Node. `cargo run -p sandi-interop --bin record-migrations -- tests/vectors/migrate`
//!
//! Both devices of a conversation live in the implementation; both are exported. The format:
//! `tests/vectors/migrate/README.md`.

use sandi_interop::json::b64;
use sandi_interop::pair::{Names, Party, Side};
use sandi_interop::{Implementation, Libsignal, Message, Pair, PairDialect};
use serde_json::{Value, json};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = std::env::args().nth(1).ok_or("usage: record-migrations FOLDER")?;
    let official = Implementation::Libsignal;
    for (name, implementation, dialect) in [
        ("libsignal_node", Implementation::LibsignalNode, PairDialect::V3),
        ("official_0.23_v3", official(Libsignal::V3), PairDialect::V3),
        ("official_0.72_v4", official(Libsignal::Legacy), PairDialect::V4WithoutSpqr),
        ("official_0.103_v4", official(Libsignal::Current), PairDialect::V4),
    ] {
        let pair = Pair {
            alice: Side::start(implementation.clone())?,
            bob: Side::start(implementation)?,
            dialect,
        };
        let cases = [mid_conversation(&pair), archived(&pair), unanswered(&pair)];
        let path = format!("{folder}/{name}.json");
        let file = json!({
            "dialect": match dialect {
                PairDialect::V3 => "v3",
                PairDialect::V4WithoutSpqr => "v4 without SPQR",
                PairDialect::V4 => "v4",
            },
            "cases": cases,
        });
        std::fs::write(&path, serde_json::to_string_pretty(&file)? + "\n")?;
        println!("{path}");
    }
    Ok(())
}

/// Some rounds; skipped messages of the open chain and of one before it; messages on their way both ways.
fn mid_conversation(pair: &Pair) -> Value {
    let (alice, bob) = pair.parties(Names::ServiceIds);
    alice.start(&bob);
    alice.tell(&bob, b"hello");
    bob.tell(&alice, b"hello yourself");
    let early = [bob.send(&alice, b"early 0"), bob.send(&alice, b"early 1")];
    bob.tell(&alice, b"in time");
    for _ in 0..3 {
        alice.tell(&bob, b"a round");
        bob.tell(&alice, b"another");
    }
    let late = [bob.send(&alice, b"late 0"), bob.send(&alice, b"late 1")];
    bob.tell(&alice, b"in time");
    let next = bob.send(&alice, b"next");
    let to_bob = alice.send(&bob, b"to bob");
    let late_to_bob = alice.send(&bob, b"late to bob");
    case(
        "mid-conversation",
        device(&alice, Some(&bob)),
        device(&bob, Some(&alice)),
        &[
            ("alice", &late[1], "late 1"),
            ("bob", &late_to_bob, "late to bob"),
            ("alice", &early[0], "early 0"),
            ("alice", &next, "next"),
            ("alice", &late[0], "late 0"),
            ("bob", &to_bob, "to bob"),
            ("alice", &early[1], "early 1"),
        ],
    )
}

/// A second session, with a message of the first on its way.
fn archived(pair: &Pair) -> Value {
    let (alice, bob) = pair.parties(Names::ServiceIds);
    alice.start(&bob);
    alice.tell(&bob, b"hello");
    bob.tell(&alice, b"hello yourself");
    let old = bob.send(&alice, b"of the session before");
    alice.start(&bob);
    alice.tell(&bob, b"a second session");
    bob.tell(&alice, b"so be it");
    let next = bob.send(&alice, b"next");
    case(
        "archived session",
        device(&alice, Some(&bob)),
        device(&bob, Some(&alice)),
        &[("alice", &next, "next"), ("alice", &old, "of the session before")],
    )
}

/// A session that Bob has not heard of: his pre-keys, and two messages on their way, of which the first is lost.
fn unanswered(pair: &Pair) -> Value {
    let (alice, bob) = pair.parties(Names::ServiceIds);
    let kem = (pair.dialect != PairDialect::V3).then_some(90);
    let mut keys = Vec::new();
    for (kind, id) in [("preKey", 70), ("signedPreKey", 80), ("kyberPreKey", 90)] {
        if kind == "kyberPreKey" && kem.is_none() {
            continue;
        }
        let made = bob.must(&format!("{kind}.generate"), json!({"keyId": id}));
        let record = if !pair.bob.is_node() {
            made["record"].clone()
        } else {
            let keys = json!({"pubKey": made["publicKey"], "privKey": made["privateKey"]});
            if kind == "preKey" {
                keys
            } else {
                json!({"keyId": id, "keyPair": keys, "signature": made["signature"]})
            }
        };
        keys.push(json!({"kind": kind, "keyId": id, "record": record}));
    }
    let ids = json!({"preKeyId": 70, "signedPreKeyId": 80, "kyberPreKeyId": kem});
    let bundle = bob.must("bundle.export", ids)["bundle"].clone();
    alice.process(&bob, &bundle);
    let _lost = alice.send(&bob, b"lost");
    let second = alice.send(&bob, b"second");
    let mut bob_device = device(&bob, None);
    bob_device["keys"] = keys.into();
    case("unanswered", device(&alice, Some(&bob)), bob_device, &[("bob", &second, "second")])
}

fn device(party: &Party<'_>, peer: Option<&Party<'_>>) -> Value {
    let identity = party.must("identity.export", json!({}));
    let record = peer.map_or(Value::Null, |peer| {
        let peer = json!({"name": peer.name(), "deviceId": peer.device()});
        let exported = party.must("session.export", json!({ "peer": peer }));
        if exported["record"].is_object() {
            exported["record"].clone()
        } else {
            exported["bytes"].clone()
        }
    });
    json!({
        "name": party.name(),
        "deviceId": party.device(),
        "registrationId": party.must("party.info", json!({}))["registrationId"],
        "identity": match &identity["identityKeyPair"] {
            Value::Null => json!({"pubKey": identity["publicKey"], "privKey": identity["privateKey"]}),
            pair => pair.clone(),
        },
        "record": record,
    })
}

fn case(name: &str, alice: Value, bob: Value, on_its_way: &[(&str, &Message, &str)]) -> Value {
    let show = |(to, message, text): &(&str, &Message, &str)| json!({"to": to, "type": message.kind, "bytes": b64(&message.bytes), "plaintext": text});
    json!({
        "name": name, "alice": alice, "bob": bob,
        "onItsWay": on_its_way.iter().map(show).collect::<Vec<_>>(),
    })
}
