//! Sealed sender: certificates, messages to one and to many (spec 06).

use serde_json::{Value, json};

use crate::json::{b64, unb64};
use crate::pair::{Pair, Party, Side};

/// When certificates expire.
const EXPIRATION: u64 = 1_900_000_000_000;

/// A service whose certificates are made by one peer.
struct Service {
    root: Value,
    server: Value,
}

impl Service {
    fn new(side: &Side) -> Self {
        let root = side.must("ss.trustRoot", json!({}));
        let fields = json!({"trustRootPrivate": root["privateKey"], "keyId": 7});
        Self { server: side.must("ss.serverCert", fields), root }
    }

    /// A certificate of `sender`, made by `side`.
    fn certify(&self, side: &Side, sender: &Party<'_>, e164: Option<&str>) -> Value {
        let identity = sender.must("party.info", json!({}))["identityKey"].clone();
        let fields = json!({
            "senderUuid": sender.name(), "senderE164": e164, "deviceId": sender.device(),
            "senderKey": identity, "expiration": EXPIRATION,
            "serverCert": self.server["bytes"], "serverPrivate": self.server["serverPrivate"],
        });
        side.must("ss.senderCert", fields)["bytes"].clone()
    }

    fn trust(&self, bytes: &Value) -> Value {
        json!({"bytes": bytes, "trustRoot": self.root["publicKey"], "time": EXPIRATION})
    }
}

fn seal(from: &Party<'_>, to: &Party<'_>, text: &[u8], certificate: &Value) -> Value {
    let fields = json!({
        "peer": to.address(), "plaintext": b64(text), "senderCert": certificate,
        "contentHint": 1, "groupId": b64(b"group"),
    });
    from.must("ss.encrypt", fields)["bytes"].clone()
}

/// Runs `op` on a message in all ways in which one of its bytes can be changed, skipping `step` at a time.
fn damaged(bytes: &Value, step: usize, mut check: impl FnMut(usize, Value)) {
    let good = unb64(bytes).expect("bytes");
    for at in (0..good.len()).step_by(step) {
        let mut bad = good.clone();
        bad[at] ^= 1 << (at % 8);
        check(at, b64(&bad));
    }
}

/// Both certificates are read alike by both sides, and so is every damaged one.
pub fn certificates_are_read_alike(pair: &Pair) {
    let (alice, _) = pair.strangers();
    let service = Service::new(&pair.alice);
    for e164 in [None, Some("+14155550101")] {
        let certificate = service.certify(&pair.alice, &alice, e164);
        for side in [&pair.alice, &pair.bob] {
            let seen = side.must("ss.senderCert.inspect", json!({"bytes": certificate}));
            assert_eq!(seen["senderUuid"], alice.name());
            assert_eq!(seen["senderE164"], json!(e164));
            assert_eq!(seen["deviceId"], alice.device());
            assert_eq!(seen["serverCertificate"]["bytes"], service.server["bytes"]);
            let valid = |time: u64| {
                let mut fields = service.trust(&certificate);
                fields["time"] = time.into();
                side.must("ss.senderCert.validate", fields)["valid"].clone()
            };
            assert_eq!((valid(EXPIRATION), valid(EXPIRATION + 1)), (json!(true), json!(false)));
        }
        damaged(&certificate, 1, |at, bytes| {
            same(pair, "ss.senderCert.inspect", &json!({"bytes": bytes}), at);
            let valid = pair.bob.call("ss.senderCert.validate", service.trust(&bytes));
            assert!(!valid.is_ok_and(|reply| reply["valid"] == true), "byte {at}");
        });
    }
    damaged(&service.server["bytes"], 1, |at, bytes| {
        same(pair, "ss.serverCert.inspect", &json!({"bytes": bytes}), at);
    });
}

/// Both sides answer `op` alike, or refuse it for the same reason.
fn same(pair: &Pair, op: &str, fields: &Value, at: usize) {
    let ask = |side: &Side| {
        side.call(op, fields.clone()).map_err(|refusal| refusal.kind).map(|mut reply| {
            // the number of the call, and what only one of them repeats
            for field in ["id", "ok", "bytes"] {
                reply.as_object_mut().expect("an object").remove(field);
            }
            reply
        })
    };
    let (left, right) = (ask(&pair.alice), ask(&pair.bob));
    let excused = |reply: &Result<Value, String>| match reply {
        // a time beyond what a JavaScript number holds
        Err(kind) => kind == "RangeError",
        // older releases do not check the device id
        Ok(reply) => {
            let sender = if reply["sender"].is_object() { &reply["sender"] } else { reply };
            sender["deviceId"].as_u64().is_some_and(|id| !(1..=127).contains(&id))
        }
    };
    if !excused(&left) && !excused(&right) {
        assert_eq!(left, right, "{op}, byte {at}");
    }
}

/// Spec 06 scenarios 8 and 9: pre-key and session messages travel sealed; a certificate that is not
/// valid and a message of one's own stop before the session.
pub fn one_recipient(pair: &Pair) {
    let (alice, bob) = pair.strangers();
    let service = Service::new(&pair.alice);
    alice.start(&bob);
    let certificate = service.certify(&pair.alice, &alice, None);
    let first = seal(&alice, &bob, b"first", &certificate);

    let other = Service::new(&pair.bob);
    let refused = bob.call("ss.decrypt", other.trust(&first)).expect_err("another root");
    assert_eq!(refused.kind, "InvalidSealedSenderMessage");
    let mut late = service.trust(&first);
    late["time"] = (EXPIRATION + 1).into();
    let refused = bob.call("ss.decrypt", late).expect_err("expired");
    assert_eq!(refused.kind, "InvalidSealedSenderMessage");
    assert_eq!(
        alice.call("ss.decrypt", service.trust(&first)).expect_err("not for Alice").kind,
        "InvalidSealedSenderMessage"
    );

    let opened = bob.must("ss.open", service.trust(&first));
    assert_eq!(opened["trusted"], true);
    assert_eq!(unb64(&opened["plaintext"]).expect("plaintext"), b"first");
    let content = &opened["usmc"];
    assert_eq!((&content["type"], &content["contentHint"]), (&json!("prekey"), &json!(1)));
    assert_eq!(content["groupId"], b64(b"group"));
    assert_eq!(content["sender"]["senderUuid"], alice.name());

    // the answer, with a certificate that Bob's side made of Alice's server
    let certificate = service.certify(&pair.bob, &bob, Some("+14155550102"));
    for text in [b"answer".as_slice(), b"", &[7; 3000]] {
        let sealed = seal(&bob, &alice, text, &certificate);
        let opened = alice.must("ss.decrypt", service.trust(&sealed));
        assert_eq!(unb64(&opened["plaintext"]).expect("plaintext"), text);
        assert_eq!((&opened["senderUuid"], &opened["deviceId"]), (&json!(bob.name()), &json!(2)));
        assert_eq!(opened["senderE164"], "+14155550102");
        let twice = alice.call("ss.decrypt", service.trust(&sealed)).expect_err("twice");
        assert_eq!(twice.kind, "DuplicatedMessage");
        let mut own = service.trust(&sealed);
        own["localUuid"] = bob.name().into();
        own["localDeviceId"] = bob.device().into();
        let refused = alice.call("ss.decrypt", own.clone()).expect_err("one's own");
        assert_eq!(refused.kind, "SealedSenderSelfSend");
        own["localUuid"] = "someone".into();
        own["localE164"] = "+14155550102".into();
        let refused = alice.call("ss.decrypt", own).expect_err("one's own number");
        assert_eq!(refused.kind, "SealedSenderSelfSend");
    }
}

/// Every damaged message to one recipient is refused by both sides for the same reason.
pub fn damaged_to_one_recipient(pair: &Pair) {
    let (alice, bob) = pair.acquaintances();
    let service = Service::new(&pair.alice);
    let certificate = service.certify(&pair.alice, &alice, None);
    let sealed = seal(&alice, &bob, b"text", &certificate);
    // Bob as he would be in Alice's peer
    let twin = pair.alice.party(pair.dialect, bob.name(), bob.device(), &bob.identity());
    damaged(&sealed, 5, |at, bytes| {
        let ask = |party: &Party<'_>| {
            let reply = party.call("ss.decryptToUsmc", json!({"bytes": bytes}));
            reply.map(|reply| reply["contents"].clone()).map_err(|refusal| refusal.kind)
        };
        let (bobs, twins) = (ask(&bob), ask(&twin));
        assert_eq!(bobs, twins, "byte {at}");
        // the low nibble of the version does not count
        assert!(bobs.is_err() || at == 0, "byte {at}");
    });
    let opened = bob.must("ss.decrypt", service.trust(&sealed));
    assert_eq!(unb64(&opened["plaintext"]).expect("plaintext"), b"text");
}

/// Spec 06 scenarios 20 and 22: a decryption error as plaintext content; the one-call form takes
/// session messages only; unknown types are not parsed.
pub fn plaintext_content(pair: &Pair) {
    let (alice, bob) = pair.acquaintances();
    let service = Service::new(&pair.alice);
    let lost = bob.send(&alice, b"lost");
    let fields = json!({
        "type": lost.kind, "bytes": b64(&lost.bytes), "timestamp": 1_234_567, "deviceId": bob.device(),
    });
    let error = pair.alice.must("dem.create", fields);
    let certificate = service.certify(&pair.alice, &alice, None);
    let content = json!({
        "type": "plaintext", "bytes": error["plaintextContent"], "senderCert": certificate,
    });
    let content = pair.alice.must("ss.usmc", content)["bytes"].clone();
    let sealed = alice.must("ss.seal", json!({"peer": bob.address(), "usmc": content}));
    let opened = bob.must("ss.open", service.trust(&sealed["bytes"]));
    let seen = pair.bob.must("dem.extract", json!({"body": opened["plaintext"]}));
    assert_eq!((&seen["timestamp"], &seen["deviceId"]), (&json!(1_234_567), &json!(2)));
    assert_eq!(seen["ratchetKey"], error["ratchetKey"]);
    let refused = bob.call("ss.decrypt", service.trust(&sealed["bytes"])).expect_err("plaintext");
    assert_eq!(refused.kind, "InvalidMessage");
    for kind in 0..10 {
        let mut bytes = unb64(&content).expect("content");
        bytes[1] = kind;
        same(pair, "ss.usmc.inspect", &json!({"bytes": b64(&bytes)}), kind.into());
    }
    damaged(&content, 3, |at, bytes| {
        same(pair, "ss.usmc.inspect", &json!({"bytes": bytes}), at);
    });
}

/// Alice, her sessions with several devices of Bob's peer, and a content to send.
struct Many<'p> {
    alice: Party<'p>,
    recipients: Vec<Party<'p>>,
    service: Service,
    content: Value,
}

impl<'p> Many<'p> {
    fn new(pair: &'p Pair) -> Self {
        let (alice, bob) = pair.strangers();
        let (_, carol) = pair.strangers();
        let tablet = pair.bob.party(pair.dialect, bob.name(), 3, &bob.identity());
        let recipients = vec![bob, tablet, carol];
        for recipient in &recipients {
            alice.start(recipient);
        }
        let service = Service::new(&pair.alice);
        let certificate = service.certify(&pair.alice, &alice, None);
        // a plaintext content, which any recipient can open
        let fields = json!({
            "type": "plaintext", "bytes": b64(b"\xC0text\x80"), "senderCert": certificate,
            "contentHint": 2, "groupId": b64(b"group"),
        });
        let content = pair.alice.must("ss.usmc", fields)["bytes"].clone();
        Self { alice, recipients, service, content }
    }

    fn request(&self, recipients: &[usize]) -> Value {
        let recipients: Vec<_> = recipients.iter().map(|i| self.recipients[*i].address()).collect();
        json!({"usmc": self.content, "recipients": recipients})
    }
}

/// Spec 06 scenarios 13, 15 and 16: one message to three devices of two accounts, one account excluded;
/// both sides split it alike, and every device opens its part.
pub fn many_recipients(pair: &Pair) {
    let many = Many::new(pair);
    let excluded = crate::pair::random_uuid();
    let mut request = many.request(&[0, 1, 2]);
    request["excluded"] = json!([excluded, format!("PNI:{excluded}")]);
    let sent = many.alice.must("ss.multiEncrypt", request)["bytes"].clone();
    same(pair, "ss.multi.parse", &json!({"bytes": sent}), 0);
    let parsed = pair.bob.must("ss.multi.parse", json!({"bytes": sent}));
    assert_eq!(parsed["excluded"], json!([excluded, format!("PNI:{excluded}")]));
    assert_eq!(parsed["recipients"].as_object().map(serde_json::Map::len), Some(2));
    let of = |recipient: &Party<'_>| parsed["recipients"][recipient.name()].clone();
    assert_eq!(of(&many.recipients[0])["deviceIds"], json!([2, 3]));
    for recipient in &many.recipients {
        let received = of(recipient)["received"].clone();
        let opened = recipient.must("ss.open", many.service.trust(&received));
        assert_eq!(unb64(&opened["plaintext"]).expect("plaintext"), b"text\x80");
        assert_eq!(opened["usmc"]["sender"]["senderUuid"], many.alice.name());
        assert_eq!(opened["usmc"]["contentHint"], 2);
    }
    let (bob, carol) = (&many.recipients[0], &many.recipients[2]);
    let misdirected = carol.call("ss.open", many.service.trust(&of(bob)["received"]));
    assert_eq!(misdirected.expect_err("not for Carol").kind, "InvalidSealedSenderMessage");
    // devices of one account that do not follow each other
    let sent = many.alice.must("ss.multiEncrypt", many.request(&[0, 2, 1]))["bytes"].clone();
    same(pair, "ss.multi.parse", &json!({"bytes": sent}), 0);
    let parsed = pair.bob.must("ss.multi.parse", json!({"bytes": sent}));
    assert_eq!(parsed["recipients"][bob.name()]["deviceIds"], json!([2, 3]));
    // the form for exactly one
    let sent = many.alice.must("ss.multiEncrypt", many.request(&[2]))["bytes"].clone();
    let single = pair.bob.must("ss.multi.single", json!({"bytes": sent}))["bytes"].clone();
    assert_eq!(carol.must("ss.open", many.service.trust(&single))["trusted"], true);
    // and for nobody
    let sent = many.alice.must("ss.multiEncrypt", many.request(&[]))["bytes"].clone();
    same(pair, "ss.multi.parse", &json!({"bytes": sent}), 0);
    assert!(pair.bob.call("ss.multi.single", json!({"bytes": sent})).is_err());
}

/// Spec 06 scenario 12: every damaged received message is refused by both sides for the same reason.
pub fn damaged_to_many(pair: &Pair) {
    let many = Many::new(pair);
    let carol = &many.recipients[2];
    let sent = many.alice.must("ss.multiEncrypt", many.request(&[2]))["bytes"].clone();
    let received = pair.bob.must("ss.multi.single", json!({"bytes": sent}))["bytes"].clone();
    let twin = pair.alice.party(pair.dialect, carol.name(), carol.device(), &carol.identity());
    damaged(&received, 5, |at, bytes| {
        let ask = |party: &Party<'_>| {
            let reply = party.call("ss.decryptToUsmc", json!({"bytes": bytes}));
            reply.map(|reply| reply["contents"].clone()).map_err(|refusal| refusal.kind)
        };
        let (carols, twins) = (ask(carol), ask(&twin));
        assert_eq!(carols, twins, "byte {at}");
        assert!(carols.is_err() || at == 0, "byte {at}");
    });
}

/// Spec 06 scenario 18: servers of both kinds read every damaged or truncated sent message alike.
pub fn servers_read_alike(pair: &Pair) {
    let many = Many::new(pair);
    let mut request = many.request(&[0, 1, 2]);
    request["excluded"] = json!([crate::pair::random_uuid()]);
    let sent = many.alice.must("ss.multiEncrypt", request)["bytes"].clone();
    let good = unb64(&sent).expect("bytes");
    let head = 2 + (17 + 6 + 48) + (17 + 3 + 48) + 18 + 32;
    for at in 0..head + 2 {
        same(pair, "ss.multi.parse", &json!({"bytes": b64(&good[..at])}), at);
    }
    for at in 0..head {
        for bit in 0..8 {
            // a count that is longer than it needs to be: the official parser loses its place
            if (at, bit) == (1, 7) {
                continue;
            }
            let mut bad = good.clone();
            bad[at] ^= 1 << bit;
            same(pair, "ss.multi.parse", &json!({"bytes": b64(&bad)}), at);
        }
    }
    // the old form, with bare UUIDs
    let mut old = good.clone();
    old[0] = 0x22;
    for kind in [2 + 71 + 68, 2 + 71, 2] {
        assert_eq!(old.remove(kind), 0, "an ACI");
    }
    same(pair, "ss.multi.parse", &json!({"bytes": b64(&old)}), 0);
}

/// Spec 06 scenario 17: what cannot be addressed.
pub fn unaddressable(pair: &Pair) {
    let many = Many::new(pair);
    let refused = |recipient: &Party<'_>| {
        let request = json!({"usmc": many.content, "recipients": [recipient.address()]});
        many.alice.call("ss.multiEncrypt", request).expect_err("unaddressable").kind
    };
    let (_, stranger) = pair.strangers();
    let no_session = refused(&stranger);
    assert!(["SessionNotFound", "NoSession"].contains(&no_session.as_str()), "{no_session}");
    let mut bundle = stranger.bundle(json!({}));
    bundle["registrationId"] = 0x4000.into();
    many.alice.process(&stranger, &bundle);
    assert_eq!(refused(&stranger), "InvalidRegistrationId");
    let carol = &many.recipients[2];
    many.alice.archive(carol);
    // the driver has no kind for the official text
    let archived = refused(carol);
    assert!(["InvalidState", "LibSignalError"].contains(&archived.as_str()), "{archived}");
}

/// Spec 06 scenario 21: a message to a group, sealed to one and to many.
pub fn group_message(pair: &Pair) {
    let many = Many::new(pair);
    // a UUID with a version: older releases' drivers take no other
    let group = "d1d1d1d1-7000-41eb-b32a-33b8a8a487a6";
    let key = many.alice.must("group.createDistribution", json!({"distributionId": group}));
    for recipient in &many.recipients {
        let fields = json!({"sender": many.alice.address(), "bytes": key["bytes"]});
        recipient.must("group.processDistribution", fields);
    }
    let certificate = many.service.certify(&pair.alice, &many.alice, None);
    let content = |text: &[u8]| {
        let fields = json!({"distributionId": group, "plaintext": b64(text)});
        let message = many.alice.must("group.encrypt", fields);
        let fields = json!({
            "type": message["type"], "bytes": message["bytes"], "senderCert": certificate,
            "contentHint": 1, "groupId": b64(b"group"),
        });
        pair.alice.must("ss.usmc", fields)["bytes"].clone()
    };
    let check = |recipient: &Party<'_>, bytes: &Value, text: &[u8]| {
        let opened = recipient.must("ss.open", many.service.trust(bytes));
        assert_eq!(opened["usmc"]["type"], "senderkey");
        assert_eq!(unb64(&opened["plaintext"]).expect("plaintext"), text);
        let twice = recipient.call("ss.open", many.service.trust(bytes)).expect_err("twice");
        assert_eq!(twice.kind, "DuplicatedMessage");
        let refused = recipient.call("ss.decrypt", many.service.trust(bytes));
        assert_eq!(refused.expect_err("not a session's").kind, "InvalidMessage");
    };
    let mut request = many.request(&[0, 1, 2]);
    request["usmc"] = content(b"to many");
    let sent = many.alice.must("ss.multiEncrypt", request)["bytes"].clone();
    let parsed = pair.bob.must("ss.multi.parse", json!({"bytes": sent}));
    for recipient in &many.recipients {
        check(recipient, &parsed["recipients"][recipient.name()]["received"], b"to many");
    }
    let (carol, content) = (&many.recipients[2], content(b"to one"));
    let sealed = many.alice.must("ss.seal", json!({"peer": carol.address(), "usmc": content}));
    check(carol, &sealed["bytes"], b"to one");
}
