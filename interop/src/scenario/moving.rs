//! A device that changes its implementation for good, in the middle of its conversations.

use serde_json::{Value, json};

use crate::pair::{PairDialect, Party, Side, random_uuid};

/// Where Alice comes from, where she goes to, and where Bob, who stays, is.
pub struct Move<'s> {
    /// The implementation that Alice leaves.
    pub old: &'s Side,
    /// The one that she moves to.
    pub new: &'s Side,
    /// Bob's.
    pub peer: &'s Side,
    /// What they speak.
    pub dialect: PairDialect,
}

impl<'s> Move<'s> {
    fn strangers(&self) -> (Party<'s>, Party<'s>) {
        (
            self.old.party(self.dialect, &random_uuid(), 1, &[]),
            self.peer.party(self.dialect, &random_uuid(), 2, &[]),
        )
    }

    /// Every scenario.
    pub fn all(&self) {
        for alice_starts in [true, false] {
            self.mid_conversation(alice_starts);
            self.archived(alice_starts);
        }
        self.before_the_first_message();
        self.before_the_first_reply();
        self.keys_handed_out();
    }

    /// After some rounds, with messages skipped in the chain that is open and in one before it, and with
    /// messages on their way in both directions.
    pub fn mid_conversation(&self, alice_starts: bool) {
        let (alice, bob) = self.strangers();
        let (first, second) = if alice_starts { (&alice, &bob) } else { (&bob, &alice) };
        first.start(second);
        first.tell(second, b"hello");
        second.tell(first, b"hello yourself");
        let early: Vec<_> = (0..3).map(|_| bob.send(&alice, b"early")).collect();
        bob.tell(&alice, b"in time");
        for _ in 0..2 {
            alice.tell(&bob, b"a round");
            bob.tell(&alice, b"another");
        }
        let late: Vec<_> = (0..3).map(|_| bob.send(&alice, b"late")).collect();
        bob.tell(&alice, b"in time");
        let on_its_way = [bob.send(&alice, b"on its way"), alice.send(&bob, b"on its way")];

        let moved = alice.moved_to(self.new, &bob);
        // from the old home and from the new one, in the wrong order
        let next = moved.send(&bob, b"from the new home");
        bob.receive(&moved, &next, b"from the new home");
        bob.receive(&moved, &on_its_way[1], b"on its way");
        for message in [&early[1], &late[2], &on_its_way[0]] {
            let text: &[u8] = match message {
                message if early.contains(message) => b"early",
                message if late.contains(message) => b"late",
                _ => b"on its way",
            };
            moved.receive(&bob, message, text);
            moved.refuse_duplicate(&bob, message);
        }
        for _ in 0..20 {
            moved.tell(&bob, b"from the new home");
            bob.tell(&moved, b"to the new home");
        }
    }

    /// With a session before the current one, of which a message is still on its way.
    pub fn archived(&self, alice_starts: bool) {
        let (alice, bob) = self.strangers();
        let (first, second) = if alice_starts { (&alice, &bob) } else { (&bob, &alice) };
        first.start(second);
        first.tell(second, b"hello");
        second.tell(first, b"hello yourself");
        let old = bob.send(&alice, b"from the session before");
        first.start(second);
        first.tell(second, b"a second session");
        second.tell(first, b"so be it");

        let moved = alice.moved_to(self.new, &bob);
        moved.tell(&bob, b"from the new home");
        bob.tell(&moved, b"to the new home");
        moved.receive(&bob, &old, b"from the session before");
        // That made the old session current again (spec 04 §6). libsignal-node, which tries its newest session
        // first, moves that session's ratchet before it looks at the MAC: what Alice would send now would
        // break Bob's newer session, whoever she is.
        let rounds = if self.peer.is_node() { 0 } else { 5 };
        for _ in 0..rounds {
            moved.tell(&bob, b"from the new home");
            bob.tell(&moved, b"to the new home");
        }
    }

    /// Between a bundle and the first message.
    pub fn before_the_first_message(&self) {
        let (alice, bob) = self.strangers();
        alice.start(&bob);
        let moved = alice.moved_to(self.new, &bob);
        self.unanswered(&moved, &bob);
    }

    /// Between the first message and the answer to it: what comes next repeats the pre-key data.
    pub fn before_the_first_reply(&self) {
        let (alice, bob) = self.strangers();
        alice.start(&bob);
        let first = alice.send(&bob, b"first");
        let moved = alice.moved_to(self.new, &bob);
        self.unanswered(&moved, &bob);
        bob.receive(&moved, &first, b"first");
    }

    fn unanswered(&self, moved: &Party<'_>, bob: &Party<'_>) {
        let second = moved.send(bob, b"second");
        assert_eq!(second.kind, "prekey");
        bob.receive(moved, &second, b"second");
        bob.tell(moved, b"welcome");
        let reply = moved.send(bob, b"thank you");
        assert_eq!(reply.kind, "whisper");
        bob.receive(moved, &reply, b"thank you");
    }

    /// Before the answer to a bundle that the old home handed out: the private keys move, and the one-time
    /// pre-key is used up in the new home.
    pub fn keys_handed_out(&self) {
        let (alice, bob) = self.strangers();
        let node = self.old.is_node();
        let mut keys: Vec<(&str, u32, Value)> = Vec::new();
        for (kind, id) in [("preKey", 70), ("signedPreKey", 80), ("kyberPreKey", 90)] {
            if kind != "kyberPreKey" || self.dialect != PairDialect::V3 {
                let made = alice.must(&format!("{kind}.generate"), json!({"keyId": id}));
                keys.push((kind, id, made));
            }
        }
        let ids = json!({
            "preKeyId": 70, "signedPreKeyId": 80,
            "kyberPreKeyId": (self.dialect != PairDialect::V3).then_some(90),
        });
        let bundle = alice.must("bundle.export", ids)["bundle"].clone();
        bob.process(&alice, &bundle);
        let first = bob.send(&alice, b"first");

        let moved = alice.emigrated_to(self.new);
        for (kind, id, made) in keys {
            if node {
                let mut fields = made;
                fields["keyId"] = id.into();
                moved.must(&format!("{kind}.import"), fields);
            } else {
                moved.must(
                    "record.put",
                    json!({"kind": kind, "keyId": id, "bytes": made["record"]}),
                );
            }
        }
        moved.receive(&bob, &first, b"first");
        assert!(!moved.has_pre_key(70));
        for _ in 0..3 {
            moved.tell(&bob, b"from the new home");
            bob.tell(&moved, b"to the new home");
        }
    }
}
