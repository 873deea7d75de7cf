//! Messages to a group by sender key (spec 05). Alice sends, Bob receives.

use serde_json::json;

use crate::group::Group;
use crate::pair::{Pair, Party};
use crate::scenario::random::Dice;

/// Alice and Bob in a group of which Bob has Alice's key.
fn introduced(pair: &Pair) -> (Party<'_>, Party<'_>, Group) {
    let (alice, bob) = pair.strangers();
    let group = Group::new(pair);
    group.introduce(&alice, &bob);
    (alice, bob, group)
}

fn burst(group: &Group, from: &Party<'_>, label: &str, n: usize) -> Vec<(Vec<u8>, Vec<u8>)> {
    let texts: Vec<_> = (0..n).map(|n| format!("{label} {n}").into_bytes()).collect();
    group.send_all(from, &texts).into_iter().zip(texts).collect()
}

/// Both send to one group, messages of every size among them, each decrypts once.
pub fn both_send(pair: &Pair) {
    let (alice, bob, group) = introduced(pair);
    group.introduce(&bob, &alice);
    for size in (0..40).chain([1_000, 65_536]) {
        for (from, to) in [(&alice, &bob), (&bob, &alice)] {
            let text = vec![0x5A; size];
            let message = group.send(from, &text);
            group.receive(to, from, &message, &text);
            group.refuse(to, from, &message, &["DuplicatedMessage"]);
        }
    }
}

/// Spec 05 scenario 6: a hundred in random order; then all of them again.
pub fn reorder_and_replay(pair: &Pair) {
    let (alice, bob, group) = introduced(pair);
    let mut dice = Dice::new(6);
    let mut messages = burst(&group, &alice, "shuffled", 100);
    dice.shuffle(&mut messages);
    for (message, text) in &messages {
        group.receive(&bob, &alice, message, text);
    }
    for (message, _) in &messages {
        group.refuse(&bob, &alice, message, &["DuplicatedMessage"]);
    }
    group.tell(&alice, &bob, b"goes on");
}

/// Some are lost, some late, some come twice, some were changed on their way: what is delivered
/// decrypts once.
pub fn loss_delay_and_forgery(pair: &Pair) {
    let (alice, bob, group) = introduced(pair);
    let mut dice = Dice::new(5);
    let (mut on_the_way, mut delivered) = (Vec::new(), Vec::new());
    for step in 0..600 {
        match dice.below(8) {
            0..4 => {
                let text = format!("message {step}").into_bytes();
                on_the_way.push((group.send(&alice, &text), text));
            }
            4 if !on_the_way.is_empty() => {
                on_the_way.swap_remove(dice.below(on_the_way.len()));
            }
            5 if !delivered.is_empty() => {
                let message: &Vec<u8> = &delivered[dice.below(delivered.len())];
                group.refuse(&bob, &alice, message, &["DuplicatedMessage"]);
            }
            6 if !on_the_way.is_empty() => {
                let mut message = on_the_way[dice.below(on_the_way.len())].0.clone();
                let at = dice.below(message.len());
                message[at] ^= 1 << dice.below(8);
                let accepted = group.try_receive(&bob, &alice, &message).is_ok();
                assert!(!accepted, "accepted a forged message");
            }
            _ if !on_the_way.is_empty() => {
                let (message, text) = on_the_way.swap_remove(dice.below(on_the_way.len()));
                group.receive(&bob, &alice, &message, &text);
                delivered.push(message);
            }
            _ => {}
        }
    }
}

/// Every bit of a message flipped, and every cut of it: refused, and the true message decrypts (spec 05
/// scenario 9).
pub fn forgery(pair: &Pair) {
    let (alice, bob, group) = introduced(pair);
    let late = group.send(&alice, b"late");
    let message = group.send(&alice, b"group hello");
    let mut forged: Vec<_> = (0..message.len()).map(|length| message[..length].to_vec()).collect();
    for at in 0..message.len() * 8 {
        let mut flipped = message.clone();
        flipped[at / 8] ^= 1 << (at % 8);
        forged.push(flipped);
    }
    for (outcome, forged) in group.try_receive_all(&bob, &alice, &forged).iter().zip(&forged) {
        assert!(outcome.is_err(), "accepted a forged message: {forged:02x?}");
    }
    group.receive(&bob, &alice, &message, b"group hello");
    group.receive(&bob, &alice, &late, b"late");
}

/// A long gap: fifteen hundred are late; some of them arrive.
pub fn a_long_gap(pair: &Pair) {
    let (alice, bob, group) = introduced(pair);
    // libsignal-node sends with every second iteration, and stores the keys of the others
    let n = if pair.has_node() { 900 } else { 1_500 };
    let messages = burst(&group, &alice, "gap", n + 1);
    for at in [n, 0, 1, n / 2, n - 1] {
        let (message, text) = &messages[at];
        group.receive(&bob, &alice, message, text);
    }
    group.refuse(&bob, &alice, &messages[n].0, &["DuplicatedMessage"]);
    group.tell(&alice, &bob, b"caught up");
}

/// Spec 05 scenarios 7 and 8: 25,000 skipped are fine, 25,001 are not; 2,000 keys are kept.
pub fn the_largest_gap(pair: &Pair) {
    let (alice, bob, group) = introduced(pair);
    let messages = burst(&group, &alice, "", 25_002);
    let receive = |at: usize| group.receive(&bob, &alice, &messages[at].0, &messages[at].1);
    group.refuse(&bob, &alice, &messages[25_001].0, &["InvalidMessage"]);
    receive(25_000);
    receive(23_000);
    group.refuse(&bob, &alice, &messages[22_999].0, &["DuplicatedMessage"]);
    receive(25_001);
    group.tell(&alice, &bob, b"still there");
}

/// Spec 05 scenario 5: a newcomer reads from its distribution message on.
pub fn late_join(pair: &Pair) {
    let (alice, bob) = pair.strangers();
    let group = Group::new(pair);
    let at_the_start = group.distribution(&alice);
    let messages = burst(&group, &alice, "before", 100);
    group.introduce(&alice, &bob);
    for (message, _) in &messages[90..] {
        group.refuse(&bob, &alice, message, &["DuplicatedMessage"]);
    }
    group.tell(&alice, &bob, b"after");
    // one who was there from the start, but learns the key late
    let carol = bob.side().party(pair.dialect, "carol", 3, &[]);
    group.try_learn(&carol, &alice, &at_the_start).expect("the key is learnt");
    for (message, text) in messages.iter().rev() {
        group.receive(&carol, &alice, message, text);
    }
}

/// Spec 05 scenario 4: distributing twice makes nothing new.
pub fn distributing_again(pair: &Pair) {
    let (alice, bob, group) = introduced(pair);
    let before = group.distribution(&alice);
    assert_eq!(group.distribution(&alice), before);
    group.tell(&alice, &bob, b"one");
    assert_ne!(group.distribution(&alice), before, "the chain has moved");
    group.tell(&alice, &bob, b"two");
}

/// Spec 05 scenario 10: a key that is known is neither rewound nor advanced.
pub fn a_known_key_stays_as_it_is(pair: &Pair) {
    let (alice, bob) = pair.strangers();
    let group = Group::new(pair);
    let first = group.distribution(&alice);
    group.try_learn(&bob, &alice, &first).expect("the key is learnt");
    let messages = burst(&group, &alice, "text", 6);
    let later = group.distribution(&alice);
    let receive = |at: usize| group.receive(&bob, &alice, &messages[at].0, &messages[at].1);
    receive(3);
    group.try_learn(&bob, &alice, &first).expect("is processed");
    group.refuse(&bob, &alice, &messages[3].0, &["DuplicatedMessage"]);
    receive(1);
    group.try_learn(&bob, &alice, &later).expect("is processed");
    for at in [0, 2, 5, 4] {
        receive(at);
    }
}

/// Spec 05 scenario 12: of six keys the five newest decrypt.
pub fn six_keys(pair: &Pair) {
    let (alice, bob, group) = introduced(pair);
    let mut messages = vec![group.send(&alice, b"text")];
    for _ in 0..5 {
        group.rotate(&alice);
        group.introduce(&alice, &bob);
        messages.push(group.send(&alice, b"text"));
    }
    group.refuse(&bob, &alice, &messages[0], &["NoSenderKeyState"]);
    for message in &messages[1..] {
        group.receive(&bob, &alice, message, b"text");
    }
}

/// Spec 05 scenarios 2 and 3: without a key, and with another's.
pub fn without_a_key(pair: &Pair) {
    let (alice, bob, group) = introduced(pair);
    let message = group.send(&alice, b"text");
    let stranger = bob.side().party(pair.dialect, "stranger", 4, &[]);
    group.refuse(&stranger, &alice, &message, &["NoSenderKeyState"]);
    let refusal = group.try_send(&bob, b"text").expect_err("Bob has no key of his own");
    assert_eq!(refusal.kind, "NoSenderKeyState");
    // Bob's copy of Alice's key is not one to send with
    if !pair.has_node() {
        let thief = bob.side().party(pair.dialect, alice.name(), 1, &[]);
        group.put_record(&thief, &alice, &group.record(&bob, &alice));
        let refusal = group.try_send(&thief, b"text").expect_err("it lacks the private key");
        assert_eq!(refusal.kind, "InvalidSenderKeySession");
    }
    group.receive(&bob, &alice, &message, b"text");
}

/// Spec 05 scenario 13: senders, devices and groups are independent of each other.
pub fn independent(pair: &Pair) {
    let (alice, bob) = pair.strangers();
    let second = alice.side().party(pair.dialect, alice.name(), 5, &[]);
    let (one, other) = (Group::new(pair), Group::new(pair));
    for group in [&one, &other] {
        group.introduce(&alice, &bob);
        group.introduce(&second, &bob);
    }
    for round in 0..5 {
        for (group, from) in [(&one, &alice), (&other, &second), (&one, &second), (&other, &alice)]
        {
            group.tell(from, &bob, format!("round {round}").as_bytes());
        }
    }
    let message = one.send(&alice, b"from the first device");
    let kinds = ["NoSenderKeyState", "SignatureValidationFailed"];
    one.refuse(&bob, &second, &message, &kinds);
    one.receive(&bob, &alice, &message, b"from the first device");
}

/// Spec 08 scenario 11: records move both ways, byte for byte, in the middle of a conversation.
pub fn records_move(pair: &Pair) {
    let (alice, bob, group) = introduced(pair);
    let late = group.send(&alice, b"late");
    group.tell(&alice, &bob, b"in time");
    // Alice moves to Bob's implementation, and Bob to hers
    let moved_alice = bob.side().party(pair.dialect, alice.name(), 1, &[]);
    let moved_bob = alice.side().party(pair.dialect, bob.name(), 2, &[]);
    for (from, to) in [(&alice, &moved_alice), (&bob, &moved_bob)] {
        let record = group.record(from, &alice);
        group.put_record(to, &alice, &record);
        assert_eq!(group.record(to, &alice), record, "another encoding");
        let fields = json!({"kind": "senderKey", "bytes": crate::json::b64(&record)});
        let here = from.side().must("record.inspect", fields.clone());
        let there = to.side().must("record.inspect", fields);
        for field in ["states", "reserialized"] {
            assert_eq!(here[field], there[field], "{field}");
        }
    }
    group.receive(&moved_bob, &alice, &late, b"late");
    group.tell(&moved_alice, &moved_bob, b"from there");
    let lost = group.send(&moved_alice, b"lost");
    group.tell(&moved_alice, &moved_bob, b"on");
    let record = group.record(&moved_bob, &alice);
    let back = bob.side().party(pair.dialect, bob.name(), 2, &[]);
    group.put_record(&back, &alice, &record);
    assert_eq!(group.record(&back, &alice), record, "another encoding");
    group.receive(&back, &alice, &lost, b"lost");
}
