//! Conversations in which messages arrive late, twice, in another order or never.

use crate::pair::{Message, Pair, PairDialect, Party};
use crate::scenario::random::Dice;

fn burst(from: &Party<'_>, to: &Party<'_>, label: &str, n: usize) -> Vec<(Message, Vec<u8>)> {
    let one = |n| {
        let text = format!("{label} {n}").into_bytes();
        (from.send(to, &text), text)
    };
    (0..n).map(one).collect()
}

fn deliver(to: &Party<'_>, from: &Party<'_>, messages: &[(Message, Vec<u8>)]) {
    for (message, text) in messages {
        to.receive(from, message, text);
    }
}

/// The first messages of a session, all of them pre-key messages, arrive in reverse.
pub fn pre_key_messages_in_reverse(pair: &Pair) {
    let (alice, bob) = pair.strangers();
    alice.start(&bob);
    let mut messages = burst(&alice, &bob, "first", 10);
    assert!(messages.iter().all(|(message, _)| message.kind == "prekey"));
    messages.reverse();
    deliver(&bob, &alice, &messages);
    bob.tell(&alice, b"got them all");
    alice.tell(&bob, b"good");
}

/// Spec 04 scenario 3: fifty in random order, half before and half after the direction changed.
pub fn reorder(pair: &Pair) {
    let (alice, bob) = pair.acquaintances();
    let mut dice = Dice::new(3);
    for (from, to) in [(&alice, &bob), (&bob, &alice)] {
        let mut messages = burst(from, to, "shuffled", 50);
        dice.shuffle(&mut messages);
        let (early, late) = messages.split_at(25);
        deliver(to, from, early);
        to.tell(from, b"a change of direction");
        from.tell(to, b"and another");
        deliver(to, from, late);
    }
}

/// Spec 04 scenario 2: ten withheld in each direction, delivered after twenty later ones.
pub fn withheld(pair: &Pair) {
    let (alice, bob) = pair.acquaintances();
    let from_alice = burst(&alice, &bob, "withheld by Alice's network", 10);
    let from_bob = burst(&bob, &alice, "withheld by Bob's network", 10);
    for n in 0..10 {
        let text = format!("later {n}");
        alice.tell(&bob, text.as_bytes());
        alice.tell(&bob, text.as_bytes());
    }
    for n in 0..20 {
        bob.tell(&alice, format!("later {n}").as_bytes());
    }
    deliver(&bob, &alice, &from_alice);
    deliver(&alice, &bob, &from_bob);
    alice.tell(&bob, b"all there");
    bob.tell(&alice, b"here as well");
}

/// Two of three messages are lost, over many turns, also among the first pre-key messages.
pub fn loss(pair: &Pair) {
    let (alice, bob) = pair.strangers();
    alice.start(&bob);
    for round in 0..12 {
        for (from, to) in [(&alice, &bob), (&bob, &alice)] {
            let messages = burst(from, to, &format!("lossy {round}"), 6);
            deliver(to, from, &messages[2..3]);
            deliver(to, from, &messages[5..]);
        }
    }
}

/// Every message arrives three times: the second and third are refused, and change nothing.
pub fn duplication(pair: &Pair) {
    let (alice, bob) = pair.strangers();
    alice.start(&bob);
    for round in 0..4 {
        for (from, to) in [(&alice, &bob), (&bob, &alice)] {
            let messages = burst(from, to, &format!("twice {round}"), 5);
            for (message, text) in &messages {
                to.receive(from, message, text);
                to.refuse_duplicate(from, message);
            }
            for (message, _) in messages.iter().rev() {
                to.refuse_duplicate(from, message);
            }
        }
    }
}

/// 1,500 messages are lost or late, and the late ones decrypt.
pub fn a_long_gap(pair: &Pair) {
    let (alice, bob) = pair.acquaintances();
    let messages = burst(&alice, &bob, "gap", 1_501);
    deliver(&bob, &alice, &messages[1_500..]);
    deliver(&bob, &alice, &messages[..3]);
    deliver(&bob, &alice, &messages[700..703]);
    bob.tell(&alice, b"caught up");
    deliver(&bob, &alice, &messages[1_490..1_500]);
    bob.refuse_duplicate(&alice, &messages[1_500].0);
}

/// Spec 04 scenario 6: 25,000 skipped are fine, 25,001 are not, and refusing them changes nothing.
pub fn the_largest_gap(pair: &Pair) {
    let (alice, bob) = pair.acquaintances();
    // SPQR counts through ratchet steps, so its own limit is met one message earlier here.
    let largest = if pair.dialect == PairDialect::V4 { 24_999 } else { 25_000 };
    let texts: Vec<Vec<u8>> = (0..largest + 2).map(|n| format!("{n}").into_bytes()).collect();
    let messages = alice.send_all(&bob, &texts);
    bob.refuse(&alice, &messages[largest + 1], &["InvalidMessage"]);
    bob.receive(&alice, &messages[largest], &texts[largest]);
    // The newest 2,000 skipped keys are kept, the older ones are gone (spec 04 scenario 5).
    bob.receive(&alice, &messages[largest - 2_000], &texts[largest - 2_000]);
    bob.refuse(&alice, &messages[largest - 2_001], &["DuplicatedMessage"]);
    bob.receive(&alice, &messages[largest + 1], &texts[largest + 1]);
    bob.tell(&alice, b"still there");
}

/// Spec 04 scenario 8: a late message decrypts while its chain is one of the five newest.
pub fn old_chains(pair: &Pair) {
    let (alice, bob) = pair.acquaintances();
    let late: Vec<_> = (0..6)
        .map(|turn| {
            let mut pair = burst(&alice, &bob, &format!("chain {turn}"), 2);
            let (message, text) = pair.remove(1);
            bob.receive(&alice, &message, &text);
            bob.tell(&alice, b"turn");
            pair.remove(0)
        })
        .collect();
    if !pair.has_node() {
        bob.refuse(&alice, &late[0].0, &["InvalidMessage"]);
    }
    deliver(&bob, &alice, if pair.has_node() { &late[3..] } else { &late[1..] });
    alice.tell(&bob, b"done");
}
