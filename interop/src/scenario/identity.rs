//! Who may talk: changed identity keys, and addresses bound into messages.

use serde_json::json;

use crate::pair::{Names, Pair, PairDialect, random_uuid};

/// A peer that comes back with another identity key is not trusted until the user says so, when
/// sending and when receiving.
pub fn changed_identity(pair: &Pair) {
    let (alice, bob) = pair.acquaintances();
    let new_bob = pair.bob.party(pair.dialect, bob.name(), bob.device(), &[]);
    // Spec 02 scenario 5: the bundle is refused.
    let bundle = new_bob.bundle(json!({}));
    assert_eq!(
        alice.try_process(&new_bob, &bundle).expect_err("a new key").kind,
        "UntrustedIdentity"
    );
    alice.tell(&bob, b"still the old Bob");
    // Spec 03 scenario 15: his pre-key message is refused, and decrypts once trusted.
    new_bob.start(&alice);
    let message = new_bob.send(&alice, b"it is me");
    alice.refuse(&new_bob, &message, &["UntrustedIdentity"]);
    alice.must("party.setTrust", json!({"trust": "always"}));
    alice.receive(&new_bob, &message, b"it is me");
    alice.must("party.setTrust", json!({"trust": "tofu"}));
    alice.tell(&new_bob, b"so I see");
    new_bob.tell(&alice, b"good");
}

/// Spec 04 scenarios 24 and 25: an untrusted identity stops sending and receiving; nothing is lost.
pub fn trust_withdrawn_and_given_back(pair: &Pair) {
    let (alice, bob) = pair.acquaintances();
    alice.must("party.setTrust", json!({"trust": "never"}));
    assert_eq!(alice.try_send(&bob, b"no").expect_err("never").kind, "UntrustedIdentity");
    let message = bob.send(&alice, b"are you there?");
    alice.refuse(&bob, &message, &["UntrustedIdentity"]);
    alice.must("party.setTrust", json!({"trust": "tofu"}));
    alice.receive(&bob, &message, b"are you there?");
    let answer = alice.send(&bob, b"I am");
    let fields = json!({"type": answer.kind, "bytes": crate::json::b64(&answer.bytes)});
    assert_eq!(pair.alice.must("message.inspect", fields)["counter"], 0);
    bob.receive(&alice, &answer, b"I am");
}

/// Spec 04 scenarios 12 and 13: pre-key messages between service ids bind both addresses; they do
/// not decrypt under any other address, nor do they change anything there.
pub fn address_binding(pair: &Pair) {
    let (alice, bob) = pair.parties(Names::ServiceIds);
    alice.start(&bob);
    let message = alice.send(&bob, b"bound");
    let fields = json!({"type": message.kind, "bytes": crate::json::b64(&message.bytes)});
    let seen = pair.bob.must("message.inspect", fields);
    let bound = pair.dialect != PairDialect::V3 && pair.alice.binds_addresses();
    assert_eq!(seen["inner"]["addresses"].is_string(), bound);
    if bound && pair.bob.binds_addresses() {
        let copy = bob.copy("under other addresses");
        for (name, device) in [(random_uuid(), alice.device()), (alice.name().to_owned(), 9)] {
            copy.refuse(&alice.disguised(&name, device), &message, &["InvalidMessage"]);
        }
        copy.delete();
    }
    bob.receive(&alice, &message, b"bound");
    // The case of the UUID's letters does not matter.
    let message = alice.send(&bob, b"bound as well");
    let copy = bob.copy("upper case");
    if bound {
        let loud = alice.disguised(&alice.name().to_uppercase(), alice.device());
        // Another name is another session: the message builds one there, without a one-time key.
        let _ = copy.try_receive(&loud, &message);
    }
    copy.delete();
    bob.receive(&alice, &message, b"bound as well");
    let reply = bob.send(&alice, b"plain");
    let fields = json!({"type": reply.kind, "bytes": crate::json::b64(&reply.bytes)});
    assert!(pair.alice.must("message.inspect", fields)["addresses"].is_null());
    alice.receive(&bob, &reply, b"plain");
}

/// Names that are not service ids bind nothing, and need nothing bound.
pub fn plain_names_bind_nothing(pair: &Pair) {
    let (alice, bob) = pair.parties(Names::Plain);
    alice.start(&bob);
    let message = alice.send(&bob, b"free");
    let fields = json!({"type": message.kind, "bytes": crate::json::b64(&message.bytes)});
    assert!(pair.bob.must("message.inspect", fields)["inner"]["addresses"].is_null());
    bob.receive(&alice, &message, b"free");
    bob.tell(&alice, b"as the wind");
}
