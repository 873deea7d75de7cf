//! A random conversation against a model of what must decrypt.

use std::collections::{BTreeSet, VecDeque};

use crate::json::unb64;
use crate::pair::{Message, Pair, Party};

/// A small deterministic random generator (xorshift64*), so that a failure can be run again.
pub struct Dice(u64);

impl Dice {
    /// Dice that always fall the same way for one `seed`.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    /// A number below `n`.
    pub const fn below(&mut self, n: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        ((self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33) as usize) % n
    }

    /// Brings `items` into random order.
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for at in (1..items.len()).rev() {
            items.swap(at, self.below(at + 1));
        }
    }
}

/// What is on its way to one party, and what that party can still decrypt.
#[derive(Default)]
struct Inbox {
    on_the_way: Vec<(Message, Vec<u8>)>,
    delivered: Vec<Message>,
    /// Ratchet keys of the receiver chains, oldest first: five at most (spec 04 §4).
    chains: VecDeque<Vec<u8>>,
    /// Ratchet keys of all chains that there have been.
    met: BTreeSet<Vec<u8>>,
}

/// Six hundred random steps: send, deliver out of order, drop, duplicate. Every message that is
/// delivered decrypts exactly once to what was sent, unless its chain is no longer one of the five
/// newest; then it is refused.
pub fn delivery_against_a_model(pair: &Pair) {
    for seed in 1..=3 {
        run(pair, seed);
    }
}

fn run(pair: &Pair, seed: u64) {
    // How many messages of one direction may be under way at once.
    let window = if pair.has_node() { 4 } else { 40 };
    let mut dice = Dice::new(seed);
    let (alice, bob) = pair.strangers();
    alice.start(&bob);
    let parties = [alice, bob];
    let mut inboxes = [Inbox::default(), Inbox::default()];
    // Alice has a chain under Bob's signed pre-key that no message of his uses (spec 03 §4.1).
    inboxes[0].chains.push_back(b"signed pre-key".to_vec());
    // Each hears from the other once: both can send.
    for to in [1, 0] {
        let (receiver, sender) = (&parties[to], &parties[1 - to]);
        let message = sender.send(receiver, b"hello");
        inboxes[to].deliver(receiver, sender, message, b"hello");
    }
    for step in 0..600 {
        let to = dice.below(2);
        let (receiver, sender) = (&parties[to], &parties[1 - to]);
        let inbox = &mut inboxes[to];
        match dice.below(20) {
            0..9 => {
                let text = format!("seed {seed} step {step}").into_bytes();
                inbox.on_the_way.push((sender.send(receiver, &text), text));
                if inbox.on_the_way.len() > window {
                    inbox.on_the_way.remove(0); // lost
                }
            }
            9..17 if !inbox.on_the_way.is_empty() => {
                let at = dice.below(inbox.on_the_way.len());
                let (message, text) = inbox.on_the_way.remove(at);
                inbox.deliver(receiver, sender, message, &text);
            }
            17 if !inbox.on_the_way.is_empty() => {
                let at = dice.below(inbox.on_the_way.len());
                inbox.on_the_way.remove(at); // lost
            }
            18.. if !inbox.delivered.is_empty() => {
                let at = dice.below(inbox.delivered.len());
                assert!(receiver.try_receive(sender, &inbox.delivered[at]).is_err());
            }
            _ => {}
        }
    }
    let [alice, bob] = &parties;
    alice.tell(bob, b"in the end");
    bob.tell(alice, b"they understand each other");
}

impl Inbox {
    fn deliver(&mut self, to: &Party<'_>, from: &Party<'_>, message: Message, text: &[u8]) {
        let key = ratchet_key(from, &message);
        let dropped = self.met.contains(&key) && !self.chains.contains(&key);
        match to.try_receive(from, &message) {
            Ok(got) => {
                assert!(got == text, "wrong plaintext");
                if self.met.insert(key.clone()) {
                    self.chains.push_back(key);
                }
                if self.chains.len() > 5 {
                    self.chains.pop_front();
                }
                self.delivered.push(message);
            }
            // Only a chain that was dropped excuses it.
            Err(refusal) => assert!(dropped, "{refusal}"),
        }
    }
}

fn ratchet_key(of: &Party<'_>, message: &Message) -> Vec<u8> {
    let fields =
        serde_json::json!({"type": message.kind, "bytes": crate::json::b64(&message.bytes)});
    let seen = of.side().must("message.inspect", fields);
    let key =
        if message.kind == "prekey" { &seen["inner"]["ratchetKey"] } else { &seen["ratchetKey"] };
    unb64(key).expect("a ratchet key")
}
