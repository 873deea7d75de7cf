//! Stored sessions that move from one implementation to the other (spec 08).

use crate::pair::Pair;

/// Alice's session moves into Bob's implementation and back, with skipped keys and an archived session
/// in it, and the conversation goes on each time, in both directions.
pub fn moved_mid_conversation(pair: &Pair) {
    let (alice, bob) = pair.acquaintances();
    let old = bob.send(&alice, b"from the session before");
    alice.start(&bob);
    alice.tell(&bob, b"a second session");
    bob.tell(&alice, b"so be it");
    let mut late = bob.send(&alice, b"late");
    bob.tell(&alice, b"in time");

    let mut moved = alice.moved_to(&pair.bob, &bob);
    moved.receive(&bob, &old, b"from the session before");
    for round in 0..3 {
        moved.receive(&bob, &late, b"late");
        moved.refuse(&bob, &late, &["DuplicatedMessage"]);
        for _ in 0..50 {
            moved.tell(&bob, b"from the new home");
            bob.tell(&moved, b"to the new home");
        }
        late = bob.send(&moved, b"late");
        bob.tell(&moved, b"in time");
        let home = if round % 2 == 0 { &pair.alice } else { &pair.bob };
        let next = moved.moved_to(home, &bob);
        moved = next;
    }
    moved.receive(&bob, &late, b"late");
}

/// Alice's session moves while Bob has not heard of it, and again before she hears of him: the pre-key
/// data moves with it.
pub fn moved_before_the_first_reply(pair: &Pair) {
    let (alice, bob) = pair.strangers();
    alice.start(&bob);
    let moved = alice.moved_to(&pair.bob, &bob);
    let first = moved.send(&bob, b"first");
    let back = moved.moved_to(&pair.alice, &bob);
    let second = back.send(&bob, b"second");
    assert_eq!((first.kind.as_str(), second.kind.as_str()), ("prekey", "prekey"));
    bob.receive(&back, &second, b"second");
    bob.receive(&back, &first, b"first");
    bob.tell(&back, b"welcome");
    let reply = back.send(&bob, b"thank you");
    assert_eq!(reply.kind, "whisper");
    bob.receive(&back, &reply, b"thank you");
}
