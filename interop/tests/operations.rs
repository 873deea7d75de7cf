//! The same request to sandi and to today's official library: the same fields, or the same kind of error.

mod common;

use common::{current, sandi, start};
use sandi_interop::json::{b64, unb64};
use sandi_interop::pair::{Names, Side};
use sandi_interop::{Message, Pair, PairDialect, Refusal};
use serde_json::{Value, json};

const SERVICE_ID: &str = "9d0652a3-dcc3-4d11-975f-74d61598733f";

/// Ops that give back a decryption error that was read: the official library keeps the bytes that it met,
/// sandi encodes the fields, zeros included. What both make themselves is compared byte by byte elsewhere.
const REENCODING: &[&str] = &["dem.extract", "plaintextContent.fromDem"];

struct Both {
    ours: Side,
    theirs: Side,
}

impl Both {
    fn start() -> Option<Self> {
        Some(Self { theirs: start(current())?, ours: start(sandi(&[]))? })
    }

    /// Asks both many requests at once; the answers must be equal.
    fn same(&self, requests: &[Value]) {
        for requests in requests.chunks(1_000) {
            let ask = |side: &Side| {
                let reply = side.must("batch", json!({"requests": requests}));
                reply["replies"].as_array().expect("replies").clone()
            };
            let (ours, theirs) = (ask(&self.ours), ask(&self.theirs));
            assert_eq!(ours.len(), requests.len());
            for ((request, ours), theirs) in requests.iter().zip(&ours).zip(&theirs) {
                let (mut ours, mut theirs) = (essence(ours), essence(theirs));
                if REENCODING.contains(&request["op"].as_str().unwrap_or_default()) {
                    (ours["bytes"], theirs["bytes"]) = (Value::Null, Value::Null);
                }
                let differing = differing(&ours, &theirs);
                assert!(differing.is_empty(), "ours, theirs: {differing:#?}\nrequest {request}");
            }
        }
    }

    fn same_op(&self, op: &str, fields: impl IntoIterator<Item = Value>) {
        let with_op = |mut fields: Value| {
            fields["op"] = op.into();
            fields
        };
        self.same(&fields.into_iter().map(with_op).collect::<Vec<_>>());
    }
}

/// What must be equal of a reply: the kind of an error, or all fields but `versionByte`, which the
/// official library does not tell. Nor does it tell an SPQR message that is absent from an empty one.
fn essence(reply: &Value) -> Value {
    match Refusal::of(reply) {
        // Its JavaScript layer has no code of its own for a malformed service id, and gives an error about
        // an address the address's name.
        Some(refusal) if refusal.kind == "InvalidServiceId" => json!({"error": "InvalidArgument"}),
        Some(refusal) if refusal.kind == SERVICE_ID => json!({"error": "InvalidProtocolAddress"}),
        Some(refusal) => json!({"error": refusal.kind}),
        None => {
            let mut reply = reply.clone();
            tidy(&mut reply);
            if let Some(inner) = reply.get_mut("inner") {
                tidy(inner);
            }
            reply
        }
    }
}

fn tidy(message: &mut Value) {
    let Some(fields) = message.as_object_mut() else { return };
    fields.remove("versionByte");
    if fields.get("pqRatchet").is_some_and(Value::is_null) {
        fields["pqRatchet"] = "".into();
    }
}

/// The fields that differ, each with both values.
fn differing(ours: &Value, theirs: &Value) -> Vec<(String, Value, Value)> {
    let (Some(a), Some(b)) = (ours.as_object(), theirs.as_object()) else {
        return if ours == theirs {
            vec![]
        } else {
            vec![(String::new(), ours.clone(), theirs.clone())]
        };
    };
    let names: std::collections::BTreeSet<_> = a.keys().chain(b.keys()).collect();
    let mut found = Vec::new();
    for name in names {
        let inner = differing(&ours[name], &theirs[name]);
        found.extend(inner.into_iter().map(|(path, a, b)| (format!("{name}.{path}"), a, b)));
    }
    found
}

/// Every beginning of `bytes`, and `bytes` with one bit of each byte flipped.
fn damaged(bytes: &[u8]) -> Vec<Vec<u8>> {
    let cuts = (0..=bytes.len()).map(|len| bytes[..len].to_vec());
    let flips = (0..bytes.len()).map(|at| {
        let mut bytes = bytes.to_vec();
        bytes[at] ^= 1 << (at % 8);
        bytes
    });
    cuts.chain(flips).chain([[bytes, &[0]].concat()]).collect()
}

fn field<'a>(name: &'a str, values: &'a [Vec<u8>]) -> impl Iterator<Item = Value> + 'a {
    values.iter().map(move |bytes| json!({name: b64(bytes)}))
}

#[test]
fn curve_keys() {
    let Some(both) = Both::start() else { return };
    let pair = both.theirs.must("ec.generate", json!({}));
    let (private, public) =
        (unb64(&pair["privateKey"]).unwrap(), unb64(&pair["publicKey"]).unwrap());
    both.same_op("ec.parsePublic", field("publicKey", &damaged(&public)));
    both.same_op("ec.public", field("privateKey", &damaged(&private)));
    both.same_op("ec.public", field("privateKey", &[vec![0; 32], vec![0xFF; 32]]));
    // Any key, low-order ones, and ones on the twist.
    let mut keys = damaged(&public);
    keys.extend([0, 1, 2, 9, 0xFF].map(|low| {
        let mut key = vec![0; 33];
        (key[0], key[1]) = (5, low);
        key
    }));
    let agreements =
        keys.iter().map(|key| json!({"privateKey": b64(&private), "publicKey": b64(key)}));
    both.same_op("ec.agree", agreements);
}

#[test]
fn signatures() {
    let Some(both) = Both::start() else { return };
    for (signer, _) in [(&both.ours, 0), (&both.theirs, 1)] {
        let pair = signer.must("ec.generate", json!({}));
        let message = b64(b"a message");
        let signed =
            signer.must("ec.sign", json!({"privateKey": pair["privateKey"], "message": message}));
        let signatures = damaged(&unb64(&signed["signature"]).unwrap());
        let verify = |signature: &Vec<u8>| {
            json!({
                "publicKey": pair["publicKey"], "message": message, "signature": b64(signature),
            })
        };
        both.same_op("ec.verify", signatures.iter().map(verify));
    }
}

#[test]
fn identities() {
    let Some(both) = Both::start() else { return };
    let make = |side: &Side, name: &str| {
        side.must("party.create", json!({"party": name, "name": name}));
        side.must("identity.export", json!({"party": name}))
    };
    for signer in [&both.ours, &both.theirs] {
        let (aci, pni) = (make(signer, "aci"), make(signer, "pni"));
        both.same_op(
            "identityKeyPair.parse",
            field("bytes", &damaged(&unb64(&aci["identityKeyPair"]).unwrap())),
        );
        let signed = signer.must(
            "altIdentity.sign",
            json!({"identityKeyPair": pni["identityKeyPair"], "other": aci["publicKey"]}),
        );
        let signatures = damaged(&unb64(&signed["signature"]).unwrap());
        let verify = |signature: &Vec<u8>| {
            json!({
                "identityKey": pni["publicKey"], "other": aci["publicKey"], "signature": b64(signature),
            })
        };
        both.same_op("altIdentity.verify", signatures.iter().map(verify));
    }
}

#[test]
fn kem_keys() {
    let Some(both) = Both::start() else { return };
    for maker in [&both.ours, &both.theirs] {
        let pair = maker.must("kem.generate", json!({}));
        for (op, name) in [("kem.parsePublic", "publicKey"), ("kem.parseSecret", "secretKey")] {
            let key = unb64(&pair[name]).unwrap();
            let mut keys =
                vec![key.clone(), Vec::new(), key[..1].to_vec(), [&key[..], &[0]].concat()];
            keys.push(key[..key.len() - 1].to_vec());
            keys.extend([0, 5, 7, 9, 0x0A, 0xFF].map(|kind| [&[kind], &key[1..]].concat()));
            both.same_op(op, field(name, &keys));
        }
    }
}

#[test]
fn hkdf() {
    let Some(both) = Both::start() else { return };
    let lengths = [1, 31, 32, 33, 64, 96, 255];
    both.same_op(
        "hkdf",
        lengths.iter().flat_map(|length| {
            let (ikm, info, salt) = (b64(b"input"), b64(b"info"), b64(&[7; 32]));
            [
                json!({"length": length, "ikm": ikm}),
                json!({"length": length, "ikm": ikm, "info": info}),
                json!({"length": length, "ikm": ikm, "info": info, "salt": salt}),
            ]
        }),
    );
}

#[test]
fn service_ids_and_addresses() {
    let Some(both) = Both::start() else { return };
    let uuid = SERVICE_ID;
    let texts = [
        uuid.to_owned(),
        format!("PNI:{uuid}"),
        uuid.to_uppercase(),
        format!("pni:{uuid}"),
        format!("ACI:{uuid}"),
        format!("{{{uuid}}}"),
        format!("PNI{uuid}"),
        format!("{uuid} "),
        uuid.replace('-', ""),
        uuid.replace('9', "g"),
        String::new(),
        "PNI:".to_owned(),
        "00000000-0000-0000-0000-000000000000".to_owned(),
    ];
    both.same_op("serviceId.parse", texts.map(|text| json!({"string": text})));
    let bytes: Vec<Vec<u8>> = (1..20)
        .map(|len| vec![0x11; len])
        .chain([0, 1, 2].map(|kind| [vec![kind], vec![0x22; 16]].concat()))
        .collect();
    both.same_op("serviceId.parse", field("bytes", &bytes));
    let devices = [1, 2, 127, 0, 128, 255, 256, 1 << 20];
    both.same_op("address.check", devices.map(|id| json!({"name": uuid, "deviceId": id})));
}

#[test]
fn messages_and_receipts() {
    let Some(both) = Both::start() else { return };
    // One message of each kind by each implementation.
    let pair = Pair { alice: both.theirs, bob: both.ours, dialect: PairDialect::V4 };
    let (alice, bob) = pair.parties(Names::ServiceIds);
    alice.start(&bob);
    let mut messages = vec![alice.send(&bob, b"of theirs")];
    bob.receive(&alice, &messages[0], b"of theirs");
    messages.push(bob.send(&alice, b"of ours"));
    alice.receive(&bob, &messages[1], b"of ours");
    messages.push(alice.send(&bob, b"plain, of theirs"));
    let (alice, bob) = pair.parties(Names::ServiceIds);
    bob.start(&alice);
    messages.push(bob.send(&alice, b"first, of ours"));
    let both = Both { ours: pair.bob, theirs: pair.alice };
    for message in &messages {
        let inspect = |bytes: &Vec<u8>| json!({"type": message.kind, "bytes": b64(bytes)});
        both.same_op("message.inspect", damaged(&message.bytes).iter().map(inspect));
        let receipt = |(at, kind): (usize, &str)| {
            json!({
                "type": kind, "bytes": b64(&message.bytes), "timestamp": (1_u64 << 40) + at as u64,
                "deviceId": u32::MAX - at as u32,
            })
        };
        let kinds = [message.kind.as_str(), "senderkey", "plaintext"];
        both.same_op("dem.create", kinds.into_iter().enumerate().map(receipt));
        let made = both.theirs.must("dem.create", receipt((0, &message.kind)));
        let bytes = |field: &str| unb64(&made[field]).expect("bytes");
        both.same_op("dem.inspect", field("bytes", &damaged(&bytes("bytes"))));
        both.same_op("plaintextContent.fromDem", field("bytes", &damaged(&bytes("bytes"))));
        let content = bytes("plaintextContent");
        both.same_op("plaintextContent.inspect", field("bytes", &damaged(&content)));
        both.same_op("dem.extract", field("body", &damaged(&content[1..])));
    }
}

#[test]
fn records_of_keys() {
    let Some(both) = Both::start() else { return };
    for maker in [&both.ours, &both.theirs] {
        maker.must("party.create", json!({"party": "maker", "name": "maker"}));
        for (kind, op) in [
            ("preKey", "preKey.generate"),
            ("signedPreKey", "signedPreKey.generate"),
            ("kyberPreKey", "kyberPreKey.generate"),
        ] {
            for id in [0_u32, 1, u32::MAX] {
                let made = maker.must(op, json!({"party": "maker", "keyId": id}));
                let inspect = json!({"kind": kind, "bytes": made["record"]});
                both.same_op("record.inspect", [inspect]);
            }
        }
    }
}

/// Twins: sandi with the official party's own keys. Every message, whole or damaged in one byte, has the
/// same fate with both: the same plaintext, or the same kind of error.
#[test]
fn damaged_messages_meet_the_same_fate() {
    let Some(both) = Both::start() else { return };
    let Some(sender) = start(current()) else { return };
    let pair = Pair { alice: sender, bob: both.theirs, dialect: PairDialect::V4 };
    let (alice, bob) = pair.strangers();
    let bundle = bob.bundle(json!({}));
    let twin = both.ours.party(PairDialect::V4, bob.name(), bob.device(), &bob.identity());
    for (kind, id) in [
        ("preKey", &bundle["preKeyId"]),
        ("signedPreKey", &bundle["signedPreKeyId"]),
        ("kyberPreKey", &bundle["kyberPreKeyId"]),
    ] {
        let record = bob.must("record.get", json!({"kind": kind, "keyId": id}));
        let put = json!({"kind": kind, "keyId": id, "bytes": record["bytes"]});
        twin.must("record.put", put);
    }
    alice.process(&bob, &bundle);
    let message = alice.send(&bob, b"for both");
    let mut accepted = 0;
    for (at, bytes) in damaged(&message.bytes).into_iter().enumerate() {
        let damaged = Message { kind: message.kind.clone(), bytes };
        // A copy each: some damage does no harm, and then the message is used up.
        let fate = |party: &sandi_interop::Party<'_>| {
            let copy = party.copy(&format!("for {at}"));
            let fate = copy.try_receive(&alice, &damaged).map_err(|refusal| refusal.kind);
            copy.delete();
            fate
        };
        let (theirs, ours) = (fate(&bob), fate(&twin));
        assert_eq!(ours, theirs, "{at}: {:02x?}", damaged.bytes);
        accepted += u32::from(ours.is_ok());
    }
    assert!(accepted > 0, "the whole message is among them");
    bob.receive(&alice, &message, b"for both");
    twin.receive(&alice, &message, b"for both");
}
