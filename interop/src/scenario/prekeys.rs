//! Pre-keys: used up, absent, id 0, replayed.

use serde_json::json;

use crate::pair::{Pair, PairDialect};

/// Spec 02 scenario 7, and scenario 4's counterpart: the one-time key survives a corrupted message
/// and is gone after the intact one.
pub fn one_time_key_is_used_once(pair: &Pair) {
    let (alice, bob) = pair.strangers();
    alice.process(&bob, &bob.bundle(json!({"preKeyId": 77})));
    assert!(bob.has_pre_key(77));
    let message = alice.send(&bob, b"first");
    let mut corrupted = message.clone();
    flip_mac_of_embedded_message(&mut corrupted.bytes);
    assert!(bob.try_receive(&alice, &corrupted).is_err());
    assert!(bob.has_pre_key(77));
    bob.receive(&alice, &message, b"first");
    assert!(!bob.has_pre_key(77));
    // Spec 02 scenario 10: a second message of the same session needs no pre-key.
    alice.tell(&bob, b"second");
}

/// Spec 02 scenario 8: another session that names the same one-time key is refused.
pub fn one_time_key_that_is_gone(pair: &Pair) {
    let (alice, bob) = pair.strangers();
    let bundle = bob.bundle(json!({"preKeyId": 78}));
    alice.process(&bob, &bundle);
    alice.tell(&bob, b"first");
    let carol = pair.alice.party(pair.dialect, &crate::pair::random_uuid(), 1, &[]);
    carol.process(&bob, &bundle);
    let message = carol.send(&bob, b"too late");
    // Older releases say only that the store failed.
    bob.refuse(&carol, &message, &["InvalidPreKeyId", "StoreFailure"]);
    // With a bundle of her own she gets through.
    carol.start(&bob);
    carol.tell(&bob, b"in time");
}

/// Spec 02 scenario 3: 0 is an id like any other.
pub fn one_time_key_zero(pair: &Pair) {
    let (alice, bob) = pair.strangers();
    alice.process(
        &bob,
        &bob.bundle(json!({"preKeyId": 0, "signedPreKeyId": 0, "kyberPreKeyId": 0})),
    );
    assert!(bob.has_pre_key(0));
    alice.tell(&bob, b"zero");
    assert!(!bob.has_pre_key(0));
    bob.tell(&alice, b"null");
}

/// The largest ids that fit.
pub fn large_ids(pair: &Pair) {
    let (alice, bob) = pair.strangers();
    let id = if pair.has_node() { 0xFF_FFFF_u32 } else { u32::MAX };
    alice.process(
        &bob,
        &bob.bundle(json!({"preKeyId": id, "signedPreKeyId": id, "kyberPreKeyId": id})),
    );
    alice.tell(&bob, b"large");
    alice.tell(&bob, b"larger");
    bob.tell(&alice, b"largest");
}

/// Bundles that lie about the signed pre-key, bit by bit (spec 02 scenario 1).
pub fn bad_signature(pair: &Pair) {
    let (alice, bob) = pair.strangers();
    let bundle = bob.bundle(json!({}));
    let fields: &[&str] = if pair.dialect == PairDialect::V3 {
        &["signedPreKeySignature"]
    } else {
        &["signedPreKeySignature", "kyberPreKeySignature"]
    };
    for field in fields {
        let signature = crate::json::unb64(&bundle[field]).expect("a signature");
        for at in 0..signature.len() {
            let mut wrong = signature.clone();
            wrong[at] ^= 1 << (at % 8);
            let mut bundle = bundle.clone();
            bundle[field] = crate::json::b64(&wrong);
            let refusal = alice.try_process(&bob, &bundle).expect_err("a wrong signature");
            assert_eq!(refusal.kind, "SignatureValidationFailed");
        }
    }
    assert_eq!(alice.session_info(&bob)["exists"], false);
    alice.process(&bob, &bundle);
    alice.tell(&bob, b"the true bundle");
}

/// Spec 02 scenario 9: the same pre-key message from another address meets the last-resort guard.
pub fn replay_under_another_address(pair: &Pair) {
    let (alice, bob) = (
        pair.alice.party(pair.dialect, "alice", 1, &[]),
        pair.bob.party(pair.dialect, "bob", 1, &[]),
    );
    alice.process(&bob, &bob.bundle(json!({"preKey": false})));
    let message = alice.send(&bob, b"once");
    bob.receive(&alice, &message, b"once");
    let mallory = alice.disguised("mallory", 1);
    bob.refuse(&mallory, &message, &["KyberReplay"]);
    assert_eq!(bob.session_info(&mallory)["exists"], false);
    alice.tell(&bob, b"and on");
}

/// Flips a bit of the last byte of the embedded message: the end of its MAC. The embedded message is
/// found by the first byte and length of field 4.
fn flip_mac_of_embedded_message(bytes: &mut [u8]) {
    let range = crate::scenario::forgery::embedded_message(bytes).expect("an embedded message");
    bytes[range.end - 1] ^= 0x10;
}
