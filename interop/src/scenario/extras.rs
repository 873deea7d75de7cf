//! Fingerprints, decryption errors, alternate identities, incremental MACs and HPKE.

use serde_json::{Value, json};

use crate::json::{b64, unb64};
use crate::pair::Pair;

fn key(pair: &Pair) -> Value {
    pair.alice.must("ec.generate", json!({}))
}

/// Spec 07: both sides see the same digits, and their codes match when scanned from each other.
pub fn fingerprints(pair: &Pair) {
    let (ours, theirs) = (key(pair)["publicKey"].clone(), key(pair)["publicKey"].clone());
    let (a, b) = (b64(b"+14155550101"), b64(b"+14155550102"));
    let create = |alice: bool, version: u32| {
        let (side, local, remote) = if alice {
            (&pair.alice, (&a, &ours), (&b, &theirs))
        } else {
            (&pair.bob, (&b, &theirs), (&a, &ours))
        };
        side.must(
            "fingerprint.create",
            json!({
                "localId": local.0, "localKey": local.1, "remoteId": remote.0,
                "remoteKey": remote.1, "version": version, "iterations": 1024,
            }),
        )
    };
    let compare = |ours: &Value, theirs: &Value| {
        let fields = json!({"ours": ours, "theirs": theirs});
        let ask = |side: &crate::pair::Side| {
            let reply = side.call("fingerprint.compare", fields.clone());
            reply.map(|reply| reply["match"] == true).map_err(|refusal| refusal.kind)
        };
        let (left, right) = (ask(&pair.alice), ask(&pair.bob));
        assert_eq!(left, right);
        left
    };
    let (of_alice, of_bob) = (create(true, 2), create(false, 2));
    assert_eq!(of_alice["display"], of_bob["display"]);
    assert_eq!(compare(&of_alice["scannable"], &of_bob["scannable"]), Ok(true));
    assert_eq!(compare(&of_bob["scannable"], &of_alice["scannable"]), Ok(true));
    assert_eq!(compare(&of_alice["scannable"], &of_alice["scannable"]), Ok(false));
    let older = create(false, 1);
    assert_eq!(older["display"], of_bob["display"]);
    let mismatch = Err("FingerprintVersionMismatch".to_owned());
    assert_eq!(compare(&of_alice["scannable"], &older["scannable"]), mismatch);
    let code = unb64(&of_bob["scannable"]).expect("a code");
    for length in 0..code.len() {
        assert!(compare(&of_alice["scannable"], &b64(&code[..length])).is_err());
    }
    for at in 0..code.len() {
        let mut bad = code.clone();
        bad[at] ^= 1;
        assert_ne!(compare(&of_alice["scannable"], &b64(&bad)), Ok(true), "byte {at}");
    }
}

/// Spec 01 §6: a claim that another identity is one's own.
pub fn alternate_identities(pair: &Pair) {
    let (alice, bob) = pair.strangers();
    let identity =
        |party: &crate::pair::Party<'_>| party.must("party.info", json!({}))["identityKey"].clone();
    let own = alice.must("identity.export", json!({}))["identityKeyPair"].clone();
    let fields = json!({"identityKeyPair": own, "other": identity(&bob)});
    let signature = pair.alice.must("altIdentity.sign", fields)["signature"].clone();
    let verify = |identity: &Value, other: &Value| {
        let fields = json!({"identityKey": identity, "other": other, "signature": signature});
        pair.bob.must("altIdentity.verify", fields)["valid"].clone()
    };
    assert_eq!(verify(&identity(&alice), &identity(&bob)), true);
    assert_eq!(verify(&identity(&bob), &identity(&alice)), false);
    assert_eq!(verify(&identity(&alice), &identity(&alice)), false);
}

/// Spec 04 §8: what one side asks for, the other reads.
pub fn decryption_errors(pair: &Pair) {
    let (alice, bob) = pair.acquaintances();
    let pre_key = {
        let (_, stranger) = pair.strangers();
        alice.start(&stranger);
        alice.send(&stranger, b"first")
    };
    for original in [alice.send(&bob, b"whisper"), pre_key] {
        let fields = json!({
            "type": original.kind, "bytes": b64(&original.bytes), "timestamp": 99, "deviceId": 1,
        });
        let made = pair.bob.must("dem.create", fields.clone());
        assert_eq!(made["bytes"], pair.alice.must("dem.create", fields)["bytes"]);
        assert!(made["ratchetKey"].is_string());
        let read = pair.alice.must("dem.inspect", json!({"bytes": made["bytes"]}));
        for field in ["timestamp", "deviceId", "ratchetKey"] {
            assert_eq!(read[field], made[field]);
        }
        let framed = pair.alice.must("plaintextContent.fromDem", json!({"bytes": made["bytes"]}));
        assert_eq!(framed["bytes"], made["plaintextContent"]);
    }
}

/// Spec 09 §1: digests of one side are validated by the other.
pub fn incremental_macs(pair: &Pair) {
    let key = b64(&[7; 32]);
    for length in [0, 1, 31, 32, 33, 64, 1000] {
        let data = b64(&vec![9; length]);
        let mut fields = json!({"key": key, "data": data, "chunkSize": 32});
        let made = pair.alice.must("incrementalMac.compute", fields.clone());
        assert_eq!(
            made["digests"],
            pair.bob.must("incrementalMac.compute", fields.clone())["digests"]
        );
        let digests = unb64(&made["digests"]).expect("digests");
        fields["digests"] = made["digests"].clone();
        assert_eq!(pair.bob.must("incrementalMac.validate", fields.clone())["valid"], true);
        let mut damaged = digests.clone();
        damaged[length % digests.len()] ^= 1;
        for bad in
            [&damaged, &digests[32..], &[digests.as_slice(), &[0; 32]].concat(), &digests[1..]]
        {
            fields["digests"] = b64(bad);
            let refused = pair.bob.call("incrementalMac.validate", fields.clone());
            let kind = refused.expect_err("damaged").kind;
            // older releases have several names for it
            assert!(!["BadRequest", "NotImplemented"].contains(&&*kind), "{kind}");
        }
    }
    for size in [0, 1 << 24, (1 << 24) + 1, 100 << 20, (1 << 29) - 1, 1 << 29, u64::from(u32::MAX)]
    {
        let fields = json!({"key": key, "data": b64(b""), "dataSize": size});
        let chunk = |side: &crate::pair::Side| {
            side.must("incrementalMac.compute", fields.clone())["chunkSize"].clone()
        };
        assert_eq!(chunk(&pair.alice), chunk(&pair.bob), "{size}");
    }
}

/// Spec 09 §6: what one side seals to a key, the other opens.
pub fn hpke(pair: &Pair) {
    let key = key(pair);
    for aad in [None, Some(b64(b"aad"))] {
        let seal = json!({
            "publicKey": key["publicKey"], "plaintext": b64(b"text"), "info": b64(b"info"), "aad": aad,
        });
        let sealed = pair.alice.must("hpke.seal", seal)["bytes"].clone();
        let open = json!({
            "privateKey": key["privateKey"], "bytes": sealed, "info": b64(b"info"), "aad": aad,
        });
        let opened = pair.bob.must("hpke.open", open.clone());
        assert_eq!(unb64(&opened["plaintext"]).expect("plaintext"), b"text");
        let bytes = unb64(&sealed).expect("bytes");
        assert_eq!((bytes.len(), bytes[0]), (4 + 49, 1));
        let mut other = open.clone();
        other["info"] = b64(b"other");
        assert!(pair.bob.call("hpke.open", other).is_err());
        for at in [0, 1, 40, 52] {
            let mut damaged = bytes.clone();
            damaged[at] ^= 2;
            let mut other = open.clone();
            other["bytes"] = b64(&damaged);
            assert!(pair.bob.call("hpke.open", other).is_err(), "byte {at}");
        }
        for length in [0, 1, 32, 33, 52] {
            let mut other = open.clone();
            other["bytes"] = b64(&bytes[..length]);
            assert!(pair.bob.call("hpke.open", other).is_err(), "{length} bytes");
        }
    }
}
