//! Sessions that cross, end, start again, or are archived.

use serde_json::json;

use crate::pair::{Names, Pair, Party};

fn base_key(of: &Party<'_>, with: &Party<'_>) -> String {
    let info = of.session_info(with);
    let key = if of.side().is_node() {
        &info["current"]["baseKey"]
    } else {
        &info["current"]["aliceBaseKey"]
    };
    key.as_str().expect("a base key").to_owned()
}

fn quiet_exchange(alice: &Party<'_>, bob: &Party<'_>) {
    for n in 0..3 {
        let text = format!("quiet {n}");
        alice.tell(bob, text.as_bytes());
        bob.tell(alice, text.as_bytes());
    }
}

/// Spec 03 scenario 13: both start a session at the same time; both first messages decrypt, and
/// after a quiet exchange both use one session.
pub fn crossing_initiations(pair: &Pair) {
    let (alice, bob) = pair.strangers();
    alice.start(&bob);
    bob.start(&alice);
    let (from_alice, from_bob) = (alice.send(&bob, b"mine"), bob.send(&alice, b"no, mine"));
    assert_eq!((from_alice.kind.as_str(), from_bob.kind.as_str()), ("prekey", "prekey"));
    bob.receive(&alice, &from_alice, b"mine");
    alice.receive(&bob, &from_bob, b"no, mine");
    quiet_exchange(&alice, &bob);
    assert_eq!(base_key(&alice, &bob), base_key(&bob, &alice));
    assert_eq!(alice.send(&bob, b"-").kind, "whisper");
    assert_eq!(bob.send(&alice, b"-").kind, "whisper");
}

/// Spec 03 scenario 14: one of the two crossing messages is lost.
pub fn crossing_initiations_with_loss(pair: &Pair) {
    let (alice, bob) = pair.strangers();
    alice.start(&bob);
    bob.start(&alice);
    let _lost = alice.send(&bob, b"lost");
    let from_bob = bob.send(&alice, b"arrives");
    alice.receive(&bob, &from_bob, b"arrives");
    quiet_exchange(&alice, &bob);
    assert_eq!(base_key(&alice, &bob), base_key(&bob, &alice));
}

/// Spec 03 scenario 14: fifteen rounds of crossing initiations, then a quiet exchange.
pub fn crossing_initiations_repeated(pair: &Pair) {
    let (alice, bob) = pair.strangers();
    for round in 0..15 {
        alice.start(&bob);
        bob.start(&alice);
        let text = format!("round {round}").into_bytes();
        let (from_alice, from_bob) = (alice.send(&bob, &text), bob.send(&alice, &text));
        if round % 3 != 1 {
            bob.receive(&alice, &from_alice, &text);
        }
        if round % 4 != 2 {
            alice.receive(&bob, &from_bob, &text);
        }
    }
    quiet_exchange(&alice, &bob);
    assert_eq!(base_key(&alice, &bob), base_key(&bob, &alice));
}

/// Spec 02 scenario 6: a second bundle makes a second session; messages of the first, sent before
/// and after, still decrypt.
pub fn a_second_bundle(pair: &Pair) {
    let (alice, bob) = pair.acquaintances();
    let early = alice.send(&bob, b"in the first session");
    let from_bob = bob.send(&alice, b"Bob's, in the first session");
    alice.start(&bob);
    let late = alice.send(&bob, b"in the second session");
    assert_eq!(late.kind, "prekey");
    bob.receive(&alice, &late, b"in the second session");
    bob.receive(&alice, &early, b"in the first session");
    alice.receive(&bob, &from_bob, b"Bob's, in the first session");
    quiet_exchange(&alice, &bob);
}

/// Alice's sessions are deleted; she starts again.
pub fn start_again_after_deletion(pair: &Pair) {
    let (alice, bob) = pair.acquaintances();
    alice.forget(&bob);
    let refusal = alice.try_send(&bob, b"cannot").expect_err("no session");
    assert_eq!(refusal.kind, "SessionNotFound");
    let lost = bob.send(&alice, b"for a session that is gone");
    alice.refuse(&bob, &lost, &["SessionNotFound"]);
    alice.start(&bob);
    quiet_exchange(&alice, &bob);
}

/// Bob's sessions are deleted; he starts again while Alice still has hers.
pub fn the_other_starts_again(pair: &Pair) {
    let (alice, bob) = pair.acquaintances();
    bob.forget(&alice);
    bob.start(&alice);
    quiet_exchange(&bob, &alice);
}

/// Spec 04 scenario 16: after archiving, encrypting fails and messages still decrypt.
pub fn archived_and_heard_from(pair: &Pair) {
    let (alice, bob) = pair.acquaintances();
    alice.archive(&bob);
    let refusal = alice.try_send(&bob, b"cannot").expect_err("archived");
    assert!(["SessionNotFound", "NoOpenSession"].contains(&refusal.kind.as_str()));
    bob.tell(&alice, b"wake up");
    bob.tell(&alice, b"please");
}

/// Spec 04 scenario 16: a message for an archived session promotes it.
pub fn archived_and_promoted(pair: &Pair) {
    let (alice, bob) = pair.acquaintances();
    alice.archive(&bob);
    bob.tell(&alice, b"wake up");
    alice.tell(&bob, b"awake");
    bob.tell(&alice, b"good morning");
}

/// Alice archives and starts again; Bob's messages from before still decrypt.
pub fn archived_and_started_again(pair: &Pair) {
    let (alice, bob) = pair.acquaintances();
    for n in 0..5 {
        let late = bob.send(&alice, b"late");
        alice.archive(&bob);
        alice.start(&bob);
        alice.tell(&bob, format!("session {n}").as_bytes());
        alice.receive(&bob, &late, b"late");
        quiet_exchange(&alice, &bob);
    }
}

/// Spec 03 scenario 12: Bob starts a session of his own while Alice's is unacknowledged; her second
/// message brings her session back.
pub fn bob_starts_before_answering(pair: &Pair) {
    let (alice, bob) = pair.strangers();
    alice.start(&bob);
    alice.tell(&bob, b"first");
    bob.start(&alice);
    alice.tell(&bob, b"second");
    assert_eq!(base_key(&alice, &bob), base_key(&bob, &alice));
    quiet_exchange(&bob, &alice);
}

/// Spec 04 scenarios 17 and 18: forty sessions are kept; a message of the oldest of them decrypts.
pub fn forty_archived_sessions(pair: &Pair) {
    let (alice, bob) = pair.strangers();
    let mut messages = Vec::new();
    for n in 0..42_u32 {
        alice.process(&bob, &bob.bundle(json!({"preKey": false})));
        let text = format!("session {n}").into_bytes();
        alice.tell(&bob, &text);
        messages.push((alice.send(&bob, &text), text));
    }
    // 42 sessions at Bob's: one current, forty archived, and the first of all is gone. As a plain
    // message it would fail; as a pre-key message it builds a session anew, without its counter 0.
    let info = bob.session_info(&alice);
    if let Some(archived) = info["previousSessions"].as_array() {
        assert_eq!(archived.len(), 40);
    }
    let (message, text) = &messages[1];
    bob.receive(&alice, message, text);
    bob.tell(&alice, b"in the session that was promoted");
}

/// Several devices of Bob's with one identity, each with sessions of its own.
pub fn several_devices(pair: &Pair) {
    let (alice, bob) = pair.parties(Names::ServiceIds);
    let identity = bob.identity();
    let more: Vec<_> =
        [3, 4].map(|device| pair.bob.party(pair.dialect, bob.name(), device, &identity)).into();
    for device in [&bob].into_iter().chain(&more) {
        alice.start(device);
        quiet_exchange(&alice, device);
    }
}
