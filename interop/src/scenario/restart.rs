//! The process of a peer ends without a warning, or its state is copied, between any two operations of
//! a conversation. Whoever goes on from what was stored goes on as if nothing had happened.

use serde_json::json;

use crate::pair::{Message, Pair, Party, Side};

/// A conversation with a pause after every operation.
struct Talk<'p, P> {
    alice: Party<'p>,
    bob: Party<'p>,
    pause: P,
}

/// Who does something.
#[derive(Clone, Copy)]
enum Who {
    Alice,
    Bob,
}

impl<'p, P: FnMut(&mut Party<'p>)> Talk<'p, P> {
    fn pause(&mut self) {
        for party in [&mut self.alice, &mut self.bob] {
            (self.pause)(party);
        }
    }

    /// Whoever it is, and the other.
    const fn both(&self, who: Who) -> (&Party<'p>, &Party<'p>) {
        match who {
            Who::Alice => (&self.alice, &self.bob),
            Who::Bob => (&self.bob, &self.alice),
        }
    }

    /// Starts a session with a fresh bundle of the other's.
    fn start(&mut self, who: Who) {
        let bundle = self.both(who).1.bundle(json!({}));
        self.pause();
        let (party, peer) = self.both(who);
        party.process(peer, &bundle);
        self.pause();
    }

    fn send(&mut self, who: Who, text: &[u8]) -> Message {
        let (party, peer) = self.both(who);
        let message = party.send(peer, text);
        self.pause();
        message
    }

    /// Receives a message of the other's, which is a duplicate from then on.
    fn receive(&mut self, who: Who, message: &Message, text: &[u8]) {
        let (party, peer) = self.both(who);
        party.receive(peer, message, text);
        self.pause();
        let (party, peer) = self.both(who);
        party.refuse_duplicate(peer, message);
    }

    fn tell(&mut self, who: Who, text: &[u8]) {
        let message = self.send(who, text);
        let other = match who {
            Who::Alice => Who::Bob,
            Who::Bob => Who::Alice,
        };
        self.receive(other, &message, text);
    }

    /// Two sessions, each side sending and receiving, with late messages of an open chain, of a chain
    /// before it and of the session before.
    fn all(&mut self) {
        self.start(Who::Alice);
        let first = self.send(Who::Alice, b"first");
        let second = self.send(Who::Alice, b"second");
        self.receive(Who::Bob, &second, b"second");
        self.receive(Who::Bob, &first, b"first");
        self.tell(Who::Bob, b"welcome");
        let late: Vec<_> = (0..3).map(|_| self.send(Who::Alice, b"late")).collect();
        self.receive(Who::Bob, &late[2], b"late");
        self.receive(Who::Bob, &late[0], b"late");
        self.tell(Who::Bob, b"a turn");
        self.tell(Who::Alice, b"and another");
        self.receive(Who::Bob, &late[1], b"late");
        let old = self.send(Who::Bob, b"from the session before");
        self.start(Who::Alice);
        self.tell(Who::Alice, b"a second session");
        self.tell(Who::Bob, b"so be it");
        self.receive(Who::Alice, &old, b"from the session before");
        // libsignal-node's newer session may be broken now, see `moving`
        if !self.both(Who::Bob).0.side().is_node() && !self.both(Who::Alice).0.side().is_node() {
            for _ in 0..2 {
                self.tell(Who::Alice, b"to and");
                self.tell(Who::Bob, b"fro");
            }
        }
    }
}

/// Runs the conversation, with `pause` after every operation.
fn talk<'p>(pair: &'p Pair, pause: impl FnMut(&mut Party<'p>)) {
    let (alice, bob) = pair.strangers();
    Talk { alice, bob, pause }.all();
}

/// How many pauses the conversation has, for each party.
fn pauses(pair: &Pair) -> usize {
    let mut count = 0;
    talk(pair, |_| count += 1);
    count / 2
}

fn kill(side: &Side) {
    if side.is_sandi() {
        side.kill_and_restart();
    }
}

/// After every operation, sandi is killed and started again.
pub fn killed_after_every_operation(pair: &Pair) {
    talk(pair, |party| kill(party.side()));
}

/// After one operation, whichever it is, sandi is killed and started again; before and after, it goes on
/// from what it has in memory.
pub fn killed_once_after_any_operation(pair: &Pair) {
    for at in 0..pauses(pair) {
        let mut count = 0;
        talk(pair, |party| {
            if count / 2 == at {
                kill(party.side());
            }
            count += 1;
        });
    }
}

/// After every operation, a copy of sandi's party takes its place; every third time, in another process.
pub fn copied_after_every_operation(pair: &Pair) {
    let mut count = 0;
    talk(pair, |party| {
        count += 1;
        if party.side().is_sandi() {
            let copy = party.copy("c");
            std::mem::replace(party, copy).delete();
            if count % 3 == 0 {
                kill(party.side());
            }
        }
    });
}

/// What a party is stays as it is: its keys, whom it trusts, what its records are.
pub fn everything_is_found_again(pair: &Pair) {
    let (alice, bob) = pair.acquaintances();
    let party = if alice.side().is_sandi() { &alice } else { &bob };
    assert!(party.side().is_sandi(), "a pair with sandi");
    party.must("preKey.generate", json!({"keyId": 77}));
    party.must("kyberPreKey.generate", json!({"keyId": 78, "oneTime": true}));
    party.must("party.setTrust", json!({"trust": "never"}));
    let peer = if alice.side().is_sandi() { &bob } else { &alice };
    let fields = json!({"peer": peer.address(), "kind": "session", "now": 1_700_000_000_000_u64});
    let ask = || {
        let mut seen = vec![
            party.must("party.info", json!({})),
            party.must("identity.export", json!({})),
            party.must("record.get", json!({"kind": "preKey", "keyId": 77})),
            party.must("record.get", json!({"kind": "kyberPreKey", "keyId": 78})),
            party.must("record.list", json!({"kind": "identity"})),
        ];
        let mut handles = party.side().must("party.list", json!({}));
        seen.push(handles["parties"].take());
        for op in ["session.info", "record.get"] {
            seen.push(party.must(op, fields.clone()));
        }
        // the number of the request
        for reply in &mut seen {
            if let Some(fields) = reply.as_object_mut() {
                fields.remove("id");
            }
        }
        seen
    };
    let before = ask();
    kill(party.side());
    assert_eq!(ask(), before);
    assert_eq!(party.try_send(peer, b"no").expect_err("never").kind, "UntrustedIdentity");
    party.must("party.setTrust", json!({"trust": "tofu"}));
    // what is deleted stays away
    let (copy, other) = (party.copy("for good"), party.copy("for a while"));
    other.delete();
    kill(party.side());
    copy.must("party.info", json!({}));
    party.side().must("reset", json!({}));
    kill(party.side());
    assert_eq!(party.side().must("party.list", json!({}))["parties"], json!([]));
}
