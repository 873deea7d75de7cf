//! Thousands of messages, long enough for the post-quantum ratchet to pass through several epochs.

use serde_json::json;

use super::random::Dice;
use crate::json::{b64, unb64};
use crate::pair::{Pair, PairDialect};

/// Sixty bursts of up to ninety messages, alternately one-sided and mutual; a fifth of each is lost and
/// the rest arrives in random order. All that arrives decrypts to what was sent.
pub fn thousands_with_loss_and_reorder(pair: &Pair) {
    let (alice, bob) = pair.acquaintances();
    let mut dice = Dice::new(7);
    let mut count = 0_u32;
    for burst in 0..60 {
        let (from, to) = if burst % 2 == 0 { (&alice, &bob) } else { (&bob, &alice) };
        // every fourth burst is long, so that whole keys and ciphertexts cross in one direction
        let length = if burst % 4 < 2 { 10 + dice.below(80) } else { 1 + dice.below(40) };
        let texts: Vec<_> = (0..length)
            .map(|_| {
                count += 1;
                count.to_be_bytes().to_vec()
            })
            .collect();
        let messages = from.send_all(to, &texts);
        let mut under_way: Vec<_> = messages.into_iter().zip(texts).collect();
        // the last one arrives, so that every burst brings the other side's answer
        let last = under_way.pop();
        under_way.retain(|_| dice.below(5) != 0);
        under_way.extend(last);
        dice.shuffle(&mut under_way);
        let (messages, texts): (Vec<_>, Vec<_>) = under_way.into_iter().unzip();
        for (outcome, text) in to.try_receive_all(from, &messages).into_iter().zip(texts) {
            assert_eq!(outcome.expect("delivered"), text);
        }
    }
    assert!(count > 2000, "{count} messages");
    if pair.dialect == PairDialect::V4 {
        for (from, to) in [(&alice, &bob), (&bob, &alice)] {
            let message = from.send(to, b"last");
            let fields = json!({"type": message.kind, "bytes": b64(&message.bytes)});
            let seen = to.side().must("message.inspect", fields);
            // version, then the epoch as a varint of one byte (spec 10 §9)
            let spqr = unb64(&seen["pqRatchet"]).expect("an SPQR message");
            assert!((4..0x80).contains(&spqr[1]), "epoch {}", spqr[1]);
            to.receive(from, &message, b"last");
        }
    }
}
