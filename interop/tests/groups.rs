//! Sender keys between sandi and the other implementations, each side sending, and the operations compared
//! with the official library.

mod common;

use common::{current, sandi, start};
use sandi_interop::Refusal;
use sandi_interop::json::{b64, unb64};
use sandi_interop::pair::{Side, random_uuid};
use serde_json::{Value, json};

macro_rules! groups {
    ($name:ident, $dialect:ident, $alice:expr, $bob:expr $(, $more:ident)*) => {
        mod $name {
            use super::common::*;
            use sandi_interop::scenario::*;
            use sandi_interop::PairDialect::$dialect;
            $crate::scenarios! {
                ($dialect, $alice, $bob)
                group: both_send, reorder_and_replay, loss_delay_and_forgery, forgery, a_long_gap, late_join,
                    distributing_again, without_a_key, independent;
            }
            $(super::$more! { $dialect, $alice, $bob })*
        }
    };
}

/// What libsignal-node does otherwise: it jumps 2,000 messages at most, and takes a known key anew.
macro_rules! strict_groups {
    ($dialect:ident, $alice:expr, $bob:expr) => {
        $crate::scenarios! {
            ($dialect, $alice, $bob)
            group: the_largest_gap, a_known_key_stays_as_it_is, six_keys, records_move;
        }
    };
}
use strict_groups;

groups!(sandi_and_current, V4, sandi(&[]), current(), strict_groups);
groups!(current_and_sandi, V4, current(), sandi(&[]), strict_groups);
groups!(sandi_and_legacy, V3, sandi(&["--v3"]), legacy(), strict_groups);
groups!(legacy_and_sandi, V3, legacy(), sandi(&["--v3"]), strict_groups);
groups!(sandi_and_v3, V3, sandi(&["--v3"]), v3(), strict_groups);
groups!(v3_and_sandi, V3, v3(), sandi(&["--v3"]), strict_groups);
groups!(sandi_and_node, V3, sandi(&["--v3"]), node());
groups!(node_and_sandi, V3, node(), sandi(&["--v3"]));
groups!(sandi_and_sandi, V4, sandi(&[]), sandi(&[]), strict_groups);
groups!(current_and_current, V4, current(), current(), strict_groups);

/// The same messages and records, whole, cut and changed, to sandi and to today's official library: the same
/// fields, or the same kind of error.
#[test]
fn operations_answer_as_the_official_library_does() {
    let (Some(theirs), Some(ours)) = (start(current()), start(sandi(&[]))) else { return };
    let party = json!({"party": "alice", "name": random_uuid(), "deviceId": 1});
    let id = random_uuid();
    for side in [&ours, &theirs] {
        side.must("party.create", party.clone());
    }
    let own = json!({"party": "alice", "distributionId": id});
    let with = |fields: Value| {
        let mut all = own.clone();
        for (name, value) in fields.as_object().expect("an object") {
            all[name] = value.clone();
        }
        all
    };
    let told = theirs.must("group.createDistribution", own.clone());
    let message =
        theirs.must("group.encrypt", with(json!({"plaintext": b64(b"text")})))["bytes"].clone();
    let sender = json!({"kind": "senderKey", "sender": "alice"});
    let record = theirs.must("record.get", with(sender.clone()))["bytes"].clone();

    let mut requests = Vec::new();
    let mut ask = |op: &str, mut fields: Value| {
        fields["op"] = op.into();
        requests.push(fields);
    };
    for (op, bytes) in [("group.inspectDistribution", &told["bytes"]), ("group.verify", &message)] {
        let key = theirs.must("ec.generate", json!({}))["publicKey"].clone();
        for bytes in variants(&unb64(bytes).expect("bytes")) {
            ask(op, json!({"bytes": b64(&bytes), "signingKey": key}));
        }
    }
    // the sender's record at both, then messages and records that were changed
    for side in [&ours, &theirs] {
        let mut fields = with(sender.clone());
        fields["bytes"] = record.clone();
        side.must("record.put", fields);
    }
    for bytes in variants(&unb64(&message).expect("bytes")) {
        ask("group.decrypt", json!({"party": "alice", "sender": "alice", "bytes": b64(&bytes)}));
    }
    // the last iteration
    let mut last = unb64(&record).expect("bytes");
    let at = last.windows(2).position(|pair| pair == [0x08, 0x01]).expect("iteration 1");
    let long = [0x08, 0xFF, 0xFF, 0xFF, 0xFF, 0x0F];
    last.splice(at..at + 2, long);
    // the lengths of the record's state and of its chain key
    last[1] += 4;
    last[at - 1] += 4;
    let id = random_uuid();
    let fields = json!({
        "party": "alice", "distributionId": id, "kind": "senderKey", "sender": "alice",
        "bytes": b64(&last), "plaintext": b64(b"text"),
    });
    for op in ["record.inspect", "record.put", "group.encrypt", "group.encrypt", "record.get"] {
        ask(op, fields.clone());
    }

    for (request, (ours, theirs)) in requests.iter().zip(answers(&ours, &theirs, &requests)) {
        assert_eq!(kind(&ours), kind(&theirs), "request {request}\nours {ours}\ntheirs {theirs}");
        if kind(&ours).is_none() {
            assert_eq!(ours, theirs, "request {request}");
        }
    }

    // records that were cut and changed: the official library looks at them when it uses them, sandi when it
    // reads them, so what they say to both steps together is compared
    let mut requests = Vec::new();
    let record = unb64(&record).expect("bytes");
    let mut changed = variants(&record);
    // every bit: where a field lies depends on how long the chain id is
    changed.extend((0..record.len() * 8).map(|bit| {
        let mut flipped = record.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        flipped
    }));
    for bytes in changed {
        let mut fields = with(sender.clone());
        (fields["distributionId"], fields["bytes"]) = (random_uuid().into(), b64(&bytes));
        for op in ["record.put", "group.createDistribution"] {
            fields["op"] = op.into();
            requests.push(fields.clone());
        }
    }
    let mut used = 0;
    let answers = answers(&ours, &theirs, &requests);
    for (request, answers) in requests.chunks(2).zip(answers.chunks(2)) {
        let [(our_put, their_put), (our_message, their_message)] = answers else { continue };
        let ours = kind(our_put).or(kind(our_message));
        let theirs = kind(their_put).or(kind(their_message));
        if ours.is_none() && theirs.is_none() {
            used += 1;
            // the stored message version: the official library goes on writing whatever it finds there
            let stored = unb64(&request[0]["bytes"]).expect("bytes").last().copied();
            if stored == record.last().copied() {
                assert_eq!(our_message, their_message, "request {}", request[0]);
            } else {
                let body = |message: &Value| unb64(&message["bytes"]).expect("bytes")[1..].to_vec();
                assert_eq!(body(our_message), body(their_message), "request {}", request[0]);
            }
        } else if their_message["chainKey"] == "" {
            // A chain without its key: the official library distributes an empty one, which nobody can use.
            assert_eq!(ours.as_deref(), Some("InvalidSenderKeySession"), "request {}", request[0]);
        } else {
            assert_eq!(ours.is_some(), theirs.is_some(), "request {}: {answers:#?}", request[0]);
        }
    }
    assert!(used > 50, "{used}");
}

fn kind(reply: &Value) -> Option<String> {
    // the driver has no kind of its own for this one
    let message = reply["error"]["message"].as_str().unwrap_or_default();
    if message.starts_with("invalid state") {
        return Some("InvalidState".into());
    }
    Refusal::of(reply).map(|refusal| refusal.kind)
}

/// What both answer to each request.
fn answers(ours: &Side, theirs: &Side, requests: &[Value]) -> Vec<(Value, Value)> {
    let ask = |side: &Side| {
        let replies = requests.chunks(1_000).flat_map(|chunk| {
            let reply = side.must("batch", json!({"requests": chunk}));
            reply["replies"].as_array().expect("replies").clone()
        });
        replies.collect::<Vec<_>>()
    };
    ask(ours).into_iter().zip(ask(theirs)).collect()
}

/// The whole, every cut, a bit of every byte flipped, and some more.
fn variants(bytes: &[u8]) -> Vec<Vec<u8>> {
    let mut all = vec![bytes.to_vec()];
    all.extend((0..bytes.len()).map(|length| bytes[..length].to_vec()));
    for at in 0..bytes.len() {
        let mut flipped = bytes.to_vec();
        flipped[at] ^= 1 << (at % 8);
        all.push(flipped);
    }
    for byte in [0x00, 0x23, 0x34, 0x43, 0xF3] {
        all.push([&[byte], &bytes[1..]].concat());
    }
    all
}
