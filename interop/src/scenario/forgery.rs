//! Messages that were changed on their way.

use std::ops::Range;

use crate::pair::{Message, Pair, Party};

/// Every single bit of a plain message, flipped: refused each time, and the true message decrypts
/// afterwards (spec 04 scenario 9).
pub fn every_bit_of_a_plain_message(pair: &Pair) {
    let (alice, bob) = pair.acquaintances();
    // Held back, so that the chain has skipped keys as well.
    let skipped = alice.send(&bob, b"skipped");
    for text in [b"same chain" as &[u8], b"the same chain again"] {
        let message = alice.send(&bob, text);
        refuse_every_flip(&bob, &alice, &message);
        bob.receive(&alice, &message, text);
    }
    refuse_every_flip(&bob, &alice, &skipped);
    bob.receive(&alice, &skipped, b"skipped");
    // And one that steps the ratchet.
    let message = bob.send(&alice, b"a new chain");
    refuse_every_flip(&alice, &bob, &message);
    alice.receive(&bob, &message, b"a new chain");
    alice.tell(&bob, b"unharmed");
}

/// Every single bit of the message within a pre-key message, and one bit of each byte around it. What
/// is not authenticated (spec 03 §5.1: the outer fields have no MAC) may be changed without harm;
/// then the plaintext is the true one. Anything else is refused, and changes nothing.
pub fn a_pre_key_message(pair: &Pair) {
    let (alice, bob) = pair.strangers();
    alice.start(&bob);
    let message = alice.send(&bob, b"untouched");
    let inner = embedded_message(&message.bytes).expect("an embedded message");
    // Every flip within the embedded message is refused.
    let forged: Vec<_> = bits(&bob, inner).map(|(at, bit)| flipped(&message, at, bit)).collect();
    for (outcome, forged) in bob.try_receive_all(&alice, &forged).iter().zip(&forged) {
        assert!(outcome.is_err(), "accepted a forged message: {:02x?}", forged.bytes);
    }
    // Around it: by a copy of Bob each, since some flips do no harm.
    for at in 0..message.bytes.len() {
        let copy = bob.copy(&format!("flip {at}"));
        if let Ok(got) = copy.try_receive(&alice, &flipped(&message, at, at % 8)) {
            assert_eq!(got, b"untouched");
        }
        copy.delete();
    }
    bob.receive(&alice, &message, b"untouched");
    bob.tell(&alice, b"unharmed");
}

/// Every beginning of a message, and messages with bytes after their end, are refused.
pub fn truncated_and_extended(pair: &Pair) {
    let (alice, bob) = pair.strangers();
    alice.start(&bob);
    let message = alice.send(&bob, b"whole");
    bob.receive(&alice, &message, b"whole");
    let first = alice.send(&bob, b"a pre-key message");
    let copy = bob.copy("for the cut messages");
    refuse_every_cut(&copy, &alice, &first);
    copy.delete();
    bob.receive(&alice, &first, b"a pre-key message");
    let plain = bob.send(&alice, b"a plain message");
    refuse_every_cut(&alice, &bob, &plain);
    let mut extended = plain.clone();
    extended.bytes.extend([0; 8]);
    assert!(alice.try_receive(&bob, &extended).is_err());
    alice.receive(&bob, &plain, b"a plain message");
}

/// A message of one session given out as another's, and one of Bob's to Carol given to Alice.
pub fn misdirected(pair: &Pair) {
    let (alice, bob) = pair.acquaintances();
    let carol = pair.alice.party(pair.dialect, &crate::pair::random_uuid(), 1, &[]);
    carol.start(&bob);
    carol.tell(&bob, b"hello");
    bob.tell(&carol, b"hello Carol");
    let to_carol = bob.send(&carol, b"for Carol");
    let from_carol = carol.send(&bob, b"from Carol");
    assert!(alice.try_receive(&bob, &to_carol).is_err());
    assert!(bob.try_receive(&alice, &from_carol).is_err());
    assert!(bob.try_receive(&bob, &to_carol).is_err());
    carol.receive(&bob, &to_carol, b"for Carol");
    bob.receive(&carol, &from_carol, b"from Carol");
    alice.tell(&bob, b"unharmed");
}

fn flipped(message: &Message, at: usize, bit: usize) -> Message {
    let mut message = message.clone();
    message.bytes[at] ^= 1 << bit;
    message
}

/// Every bit of `range`, a whole message; but libsignal-node computes the MAC over 0x33 whatever
/// version byte arrived, and does not refuse every other one.
fn bits(to: &Party<'_>, range: Range<usize>) -> impl Iterator<Item = (usize, usize)> {
    let (node, version) = (to.side().is_node(), range.start);
    let all = range.flat_map(|at| (0..8).map(move |bit| (at, bit)));
    all.filter(move |&(at, _)| !(node && at == version))
}

fn refuse_every_flip(to: &Party<'_>, from: &Party<'_>, message: &Message) {
    let flips = bits(to, 0..message.bytes.len());
    let forged: Vec<_> = flips.map(|(at, bit)| flipped(message, at, bit)).collect();
    for (outcome, forged) in to.try_receive_all(from, &forged).iter().zip(&forged) {
        assert!(outcome.is_err(), "accepted a forged message: {:02x?}", forged.bytes);
    }
}

fn refuse_every_cut(to: &Party<'_>, from: &Party<'_>, message: &Message) {
    let cut = |len| Message { kind: message.kind.clone(), bytes: message.bytes[..len].to_vec() };
    let inner_end = embedded_message(&message.bytes).map_or(usize::MAX, |inner| inner.end);
    let cuts: Vec<_> = (0..message.bytes.len()).map(cut).collect();
    for (len, outcome) in to.try_receive_all(from, &cuts).iter().enumerate() {
        // libsignal-node goes by the base key and needs no signed pre-key id for a session it has.
        let complete = to.side().is_node() && message.kind == "prekey" && len >= inner_end;
        assert!(outcome.is_err() || complete, "accepted the first {len} bytes");
    }
}

/// Where field 4, the embedded message, lies in a pre-key message.
#[must_use]
pub fn embedded_message(bytes: &[u8]) -> Option<Range<usize>> {
    let mut at = 1;
    let varint = |at: &mut usize| {
        let mut value = 0_usize;
        for shift in (0..63).step_by(7) {
            let byte = *bytes.get(*at)?;
            *at += 1;
            value |= usize::from(byte & 0x7F) << shift;
            if byte < 0x80 {
                return Some(value);
            }
        }
        None
    };
    while at < bytes.len() {
        let tag = varint(&mut at)?;
        let value = varint(&mut at)?;
        if tag & 7 == 2 {
            if tag >> 3 == 4 {
                return Some(at..at.checked_add(value)?);
            }
            at = at.checked_add(value)?;
        }
    }
    None
}
