//! Conversations in which everything arrives.

use serde_json::json;

use crate::pair::{Names, Pair, PairDialect, Party};

/// Ten rounds in turn, after a bundle with a one-time pre-key.
pub fn ping_pong_with_one_time_key(pair: &Pair) {
    let (alice, bob) = pair.strangers();
    alice.process(&bob, &bob.bundle(json!({})));
    ping_pong(&alice, &bob, pair.dialect);
}

/// Ten rounds in turn, after a bundle without a one-time pre-key.
pub fn ping_pong_without_one_time_key(pair: &Pair) {
    let (alice, bob) = pair.strangers();
    alice.process(&bob, &bob.bundle(json!({"preKey": false})));
    ping_pong(&alice, &bob, pair.dialect);
}

/// Ten rounds in turn between parties whose names are not service ids.
pub fn ping_pong_with_plain_names(pair: &Pair) {
    let (alice, bob) = pair.parties(Names::Plain);
    alice.start(&bob);
    ping_pong(&alice, &bob, pair.dialect);
}

fn ping_pong(alice: &Party<'_>, bob: &Party<'_>, dialect: PairDialect) {
    for round in 0..10 {
        let question = format!("question {round}");
        let message = alice.send(bob, question.as_bytes());
        // Spec 03 scenario 3: pre-key messages until a reply was decrypted, plain ones afterwards.
        assert_eq!(message.kind, if round == 0 { "prekey" } else { "whisper" });
        bob.receive(alice, &message, question.as_bytes());
        let answer = format!("answer {round}");
        let message = bob.send(alice, answer.as_bytes());
        assert_eq!(message.kind, "whisper");
        alice.receive(bob, &message, answer.as_bytes());
    }
    // Spec 03 scenario 4: both sides report the version that they speak.
    let version = if dialect == PairDialect::V3 { 3 } else { 4 };
    assert_eq!(alice.session_info(bob)["sessionVersion"], version);
    assert_eq!(bob.session_info(alice)["sessionVersion"], version);
}

/// Ten in a row from each side in turn, the first ten of them pre-key messages.
pub fn bursts(pair: &Pair) {
    let (alice, bob) = pair.strangers();
    alice.start(&bob);
    for round in 0..4 {
        for (from, to) in [(&alice, &bob), (&bob, &alice)] {
            for n in 0..10 {
                from.tell(to, format!("{round} {n}").as_bytes());
            }
        }
    }
}

/// Plaintexts of every length around the cipher's blocks, the empty one, and one of 1 MiB, in a
/// pre-key message and in a plain one.
pub fn every_size_of_plaintext(pair: &Pair) {
    let mut sizes: Vec<usize> = (0..=49).collect();
    sizes.extend([127, 128, 129, 4_095, 4_096, 65_535, 1 << 20]);
    for size in sizes {
        let text: Vec<u8> = (0..size).map(|at| (at * 31 + size) as u8).collect();
        if size % 16 == 0 {
            // A session of its own, so that this size travels in a pre-key message as well.
            let (alice, bob) = pair.strangers();
            alice.start(&bob);
            alice.tell(&bob, &text);
            bob.tell(&alice, &text);
            alice.tell(&bob, &text);
        }
    }
    let (alice, bob) = pair.acquaintances();
    for size in 0..=49_usize {
        let text = vec![size as u8; size];
        alice.tell(&bob, &text);
        bob.tell(&alice, &text);
    }
}

/// A hundred turns, so that whatever changes over many ratchet steps changes several times.
pub fn a_hundred_turns(pair: &Pair) {
    let (alice, bob) = pair.acquaintances();
    for turn in 0..100 {
        let text = format!("turn {turn}");
        alice.tell(&bob, text.as_bytes());
        bob.tell(&alice, text.as_bytes());
    }
}
