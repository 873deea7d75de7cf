//! Session establishment: the conformance scenarios of spec 03 (1: `handshake_vectors.rs`; 7 to 9: `wire.rs`; 21:
//! `prekeys.rs`).
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects
)]

mod common;

use common::{
    ALICE, BOB, Device, POLICIES, conversing, flipped, introduced, meet, record, refused, send,
};
use curve25519_dalek::constants::EIGHT_TORSION;
use curve25519_dalek::montgomery::MontgomeryPoint;
use sandi::keys::{KeyPair, PublicKey};
use sandi::session::CiphertextMessage;
use sandi::wire::{CiphertextMessageType, PreKeySignalMessage, PreKeySignalMessageFields};
use sandi::{Error, Policy};

/// The fields of a pre-key message, to be written again around the same embedded message.
fn rewritten(
    message: &CiphertextMessage,
    edit: impl FnOnce(&mut PreKeySignalMessageFields<'_>),
) -> CiphertextMessage {
    let view = PreKeySignalMessage::parse(&message.bytes).unwrap();
    let mut fields = PreKeySignalMessageFields {
        version_byte: view.version_byte(),
        registration_id: view.registration_id(),
        pre_key_id: view.pre_key_id(),
        signed_pre_key_id: view.signed_pre_key_id(),
        kyber: view.kyber(),
        base_key: view.base_key(),
        identity_key: view.identity_key(),
    };
    edit(&mut fields);
    let inner = view.message().as_bytes();
    CiphertextMessage {
        message_type: CiphertextMessageType::PreKey,
        bytes: write_around(&fields, inner),
    }
}

/// A pre-key message by hand, around an embedded one that is not made anew.
fn write_around(fields: &PreKeySignalMessageFields<'_>, inner: &[u8]) -> Vec<u8> {
    fn varint(out: &mut Vec<u8>, mut value: u64) {
        while value >= 0x80 {
            out.push(u8::try_from(value & 0x7F).unwrap() | 0x80);
            value >>= 7;
        }
        out.push(u8::try_from(value).unwrap());
    }
    fn uint(out: &mut Vec<u8>, number: u64, value: u32) {
        varint(out, number << 3);
        varint(out, value.into());
    }
    fn bytes(out: &mut Vec<u8>, number: u64, value: &[u8]) {
        varint(out, number << 3 | 2);
        varint(out, value.len() as u64);
        out.extend_from_slice(value);
    }
    let mut out = vec![fields.version_byte];
    if let Some(id) = fields.pre_key_id {
        uint(&mut out, 1, id);
    }
    bytes(&mut out, 2, &fields.base_key.encode());
    bytes(&mut out, 3, &fields.identity_key.encode());
    bytes(&mut out, 4, inner);
    uint(&mut out, 5, fields.registration_id);
    uint(&mut out, 6, fields.signed_pre_key_id);
    if let Some((id, ciphertext)) = fields.kyber {
        uint(&mut out, 7, id);
        bytes(&mut out, 8, ciphertext);
    }
    out
}

#[test]
fn rewriting_without_an_edit_changes_nothing() {
    let (mut alice, bob) = introduced(Policy::V4, true);
    let message = alice.encrypt(&bob.address, b"same").unwrap();
    assert_eq!(rewritten(&message, |_| {}), message);
}

#[test]
fn s03_02_both_sides_agree_with_and_without_one_time_key() {
    for policy in POLICIES {
        for one_time in [true, false] {
            let (mut alice, mut bob) = introduced(policy, one_time);
            send(&mut alice, &mut bob, b"there").unwrap();
            send(&mut bob, &mut alice, b"and back").unwrap();
            send(&mut alice, &mut bob, b"and there").unwrap();
        }
    }
}

#[test]
fn s03_03_and_s04_15_pre_key_messages_until_a_reply_has_been_decrypted() {
    for policy in POLICIES {
        let (mut alice, mut bob) = introduced(policy, true);
        use CiphertextMessageType::{PreKey, Signal};
        assert_eq!(send(&mut alice, &mut bob, b"1"), Ok(PreKey));
        assert_eq!(send(&mut alice, &mut bob, b"2"), Ok(PreKey));
        assert!(alice.session(&bob.address).is_unacknowledged());
        assert_eq!(send(&mut bob, &mut alice, b"3"), Ok(Signal));
        assert!(!alice.session(&bob.address).is_unacknowledged());
        assert_eq!(send(&mut alice, &mut bob, b"4"), Ok(Signal));
        alice.now.0 += 365 * 24 * 3_600_000;
        assert_eq!(send(&mut alice, &mut bob, b"the stale limit is gone"), Ok(Signal));
    }
}

#[test]
fn s03_04_version_and_base_key_are_equal_on_both_sides() {
    for (policy, version) in POLICIES.into_iter().zip([3, 4, 4]) {
        let (mut alice, mut bob) = introduced(policy, true);
        send(&mut alice, &mut bob, b"hello").unwrap();
        let (ours, theirs) = (&alice.sessions[&bob.address], &bob.sessions[&alice.address]);
        assert_eq!(ours.session_version(), Some(version));
        assert_eq!(theirs.session_version(), Some(version));
        assert_eq!(ours.base_key().unwrap().encode().len(), 33);
        assert_eq!(ours.base_key(), theirs.base_key());
        assert_eq!(theirs.remote_registration_id(), ours.local_registration_id());
        assert_eq!(ours.remote_registration_id(), theirs.local_registration_id());
    }
}

#[test]
fn s03_05_a_base_key_that_is_not_canonical_is_refused() {
    for policy in POLICIES {
        let (mut alice, mut bob) = introduced(policy, true);
        let message = alice.encrypt(&bob.address, b"base").unwrap();
        let base = *PreKeySignalMessage::parse(&message.bytes).unwrap().base_key();
        let point = MontgomeryPoint(*base.as_raw()).to_edwards(0).unwrap();
        let mut bad: Vec<[u8; 32]> =
            EIGHT_TORSION[1..].iter().map(|torsion| (point + torsion).to_montgomery().0).collect();
        let mut high = *base.as_raw();
        high[31] |= 0x80;
        bad.push(high);
        // u = 2 lies on the quadratic twist
        let mut twist = [0; 32];
        twist[0] = 2;
        assert!(MontgomeryPoint(twist).to_edwards(0).is_none());
        bad.push(twist);
        bad.push([0; 32]);
        for raw in bad {
            let key = PublicKey::from_raw(raw);
            let forged = rewritten_base(&message, &key);
            refused(&mut bob, &alice, &forged, Error::InvalidBaseKey);
        }
        assert_eq!(bob.decrypt(&alice.address, &message).unwrap(), b"base");
    }
}

fn rewritten_base(message: &CiphertextMessage, key: &PublicKey) -> CiphertextMessage {
    let view = PreKeySignalMessage::parse(&message.bytes).unwrap();
    let fields = PreKeySignalMessageFields {
        version_byte: view.version_byte(),
        registration_id: view.registration_id(),
        pre_key_id: view.pre_key_id(),
        signed_pre_key_id: view.signed_pre_key_id(),
        kyber: view.kyber(),
        base_key: key,
        identity_key: view.identity_key(),
    };
    CiphertextMessage {
        message_type: CiphertextMessageType::PreKey,
        bytes: write_around(&fields, view.message().as_bytes()),
    }
}

#[test]
fn s03_06_a_v4_device_refuses_version_3_with_its_own_error() {
    let (mut alice, mut bob) = introduced(Policy::V4, true);
    let message = alice.encrypt(&bob.address, b"no downgrade").unwrap();
    let downgraded = rewritten(&message, |fields| {
        fields.version_byte = 0x34;
        fields.kyber = None;
    });
    refused(&mut bob, &alice, &downgraded, Error::DialectRefused(3));
    // and a v3 device refuses version 4
    let mut old = Device::new(BOB, 2, Policy::V3, 5);
    old.bundle(true);
    refused(&mut old, &alice, &message, Error::DialectRefused(4));
    assert_eq!(bob.decrypt(&alice.address, &message).unwrap(), b"no downgrade");
}

#[test]
fn s03_10_and_s03_11_a_corrupted_embedded_message_changes_nothing() {
    for policy in POLICIES {
        let (mut alice, mut bob) = introduced(policy, true);
        let message = alice.encrypt(&bob.address, b"sound").unwrap();
        let mac_at = {
            let view = PreKeySignalMessage::parse(&message.bytes).unwrap();
            let mac = *view.message().mac();
            message.bytes.windows(8).rposition(|window| window == mac).unwrap()
        };
        refused(&mut bob, &alice, &flipped(&message, mac_at, 3), Error::Rejected);
        assert!(!bob.sessions[&alice.address].has_current());
        assert!(bob.identities.is_empty());
        assert_eq!(bob.one_time.len(), 1);
        // with the session archived, by base key
        bob.decrypt(&alice.address, &message).unwrap();
        let next = alice.encrypt(&bob.address, b"next").unwrap();
        let bundle = alice.bundle(true);
        bob.process(&alice.address, &bundle).unwrap();
        let mac_at = {
            let view = PreKeySignalMessage::parse(&next.bytes).unwrap();
            let mac = *view.message().mac();
            next.bytes.windows(8).rposition(|window| window == mac).unwrap()
        };
        refused(&mut bob, &alice, &flipped(&next, mac_at, 3), Error::Rejected);
        assert_eq!(bob.decrypt(&alice.address, &next).unwrap(), b"next");
    }
}

#[test]
fn s03_12_an_initiator_whose_session_was_archived_becomes_current_again() {
    for policy in POLICIES {
        let (mut alice, mut bob) = introduced(policy, true);
        send(&mut alice, &mut bob, b"first").unwrap();
        let theirs = *bob.sessions[&alice.address].base_key().unwrap();
        let bundle = alice.bundle(true);
        bob.process(&alice.address, &bundle).unwrap();
        assert_ne!(bob.sessions[&alice.address].base_key(), Some(&theirs));
        assert_eq!(send(&mut alice, &mut bob, b"second"), Ok(CiphertextMessageType::PreKey));
        assert_eq!(bob.sessions[&alice.address].base_key(), Some(&theirs));
        assert_eq!(send(&mut bob, &mut alice, b"reply"), Ok(CiphertextMessageType::Signal));
    }
}

/// Both sides start a session at once. Gives the messages that crossed.
fn crossing(alice: &mut Device, bob: &mut Device) -> (CiphertextMessage, CiphertextMessage) {
    let (to_alice, to_bob) = (alice.bundle(true), bob.bundle(true));
    alice.process(&bob.address, &to_bob).unwrap();
    bob.process(&alice.address, &to_alice).unwrap();
    let from_alice = alice.encrypt(&bob.address, b"from Alice").unwrap();
    let from_bob = bob.encrypt(&alice.address, b"from Bob").unwrap();
    (from_alice, from_bob)
}

#[test]
fn s03_13_simultaneous_initiation_converges_after_one_reply_each_way() {
    for policy in POLICIES {
        let mut alice = Device::new(ALICE, 1, policy, 1);
        let mut bob = Device::new(BOB, 2, policy, 2);
        let (from_alice, from_bob) = crossing(&mut alice, &mut bob);
        assert_eq!(alice.decrypt(&bob.address, &from_bob).unwrap(), b"from Bob");
        assert_eq!(bob.decrypt(&alice.address, &from_alice).unwrap(), b"from Alice");
        let keys = |alice: &Device, bob: &Device| {
            (
                *alice.sessions[&bob.address].base_key().unwrap(),
                *bob.sessions[&alice.address].base_key().unwrap(),
            )
        };
        let (ours, theirs) = keys(&alice, &bob);
        assert_ne!(ours, theirs);
        send(&mut alice, &mut bob, b"a").unwrap();
        send(&mut bob, &mut alice, b"b").unwrap();
        let (ours, theirs) = keys(&alice, &bob);
        assert_eq!(ours, theirs);
        for _ in 0..3 {
            assert_eq!(send(&mut alice, &mut bob, b"c"), Ok(CiphertextMessageType::Signal));
            assert_eq!(send(&mut bob, &mut alice, b"d"), Ok(CiphertextMessageType::Signal));
        }
    }
}

#[test]
fn s03_14_repeated_initiation_with_losses_converges_after_a_quiet_exchange() {
    for policy in POLICIES {
        let mut alice = Device::new(ALICE, 1, policy, 1);
        let mut bob = Device::new(BOB, 2, policy, 2);
        for round in 0..15 {
            let (from_alice, from_bob) = crossing(&mut alice, &mut bob);
            if round % 3 != 0 {
                alice.decrypt(&bob.address, &from_bob).unwrap();
            }
            if round % 4 != 0 {
                bob.decrypt(&alice.address, &from_alice).unwrap();
            }
        }
        for _ in 0..3 {
            send(&mut alice, &mut bob, b"quiet").unwrap();
            send(&mut bob, &mut alice, b"exchange").unwrap();
        }
        let (ours, theirs) = (&alice.sessions[&bob.address], &bob.sessions[&alice.address]);
        assert_eq!(ours.base_key(), theirs.base_key());
        assert!(ours.archived_count() <= 40);
    }
}

#[test]
fn s03_15_a_changed_identity_is_untrusted_until_the_app_accepts_it() {
    for policy in POLICIES {
        let (mut alice, mut bob) = conversing(policy);
        let mut again = Device::new(ALICE, 1, policy, 9);
        meet(&mut again, &mut bob);
        let message = again.encrypt(&bob.address, b"new phone").unwrap();
        refused(&mut bob, &alice, &message, Error::UntrustedIdentity);
        bob.identities.insert(again.address.clone(), *again.identity.identity_key());
        assert_eq!(bob.decrypt(&alice.address, &message).unwrap(), b"new phone");
        // the old identity is the untrusted one now
        let old = alice.encrypt(&bob.address, b"old phone").unwrap();
        refused(&mut bob, &again, &old, Error::UntrustedIdentity);
        alice.sessions.clear();
    }
}

#[test]
fn s03_16_unknown_pre_keys_are_named_in_their_order() {
    for policy in POLICIES {
        let (mut alice, mut bob) = introduced(policy, true);
        let message = alice.encrypt(&bob.address, b"which").unwrap();
        let one_time = bob.one_time.remove(&1).unwrap();
        refused(&mut bob, &alice, &message, Error::InvalidPreKeyId(1));
        let kem = bob.kem.remove(&1);
        if kem.is_some() {
            refused(&mut bob, &alice, &message, Error::InvalidKyberPreKeyId(1));
        }
        let signed = bob.signed.remove(&1).unwrap();
        refused(&mut bob, &alice, &message, Error::InvalidSignedPreKeyId(1));
        bob.signed.insert(1, signed);
        bob.kem.extend(kem.map(|key| (1, key)));
        bob.one_time.insert(1, one_time);
        assert_eq!(bob.decrypt(&alice.address, &message).unwrap(), b"which");
    }
}

#[test]
fn s03_17_a_substituted_base_key_is_rejected() {
    for policy in POLICIES {
        let (mut alice, mut bob) = introduced(policy, true);
        let first = alice.encrypt(&bob.address, b"first").unwrap();
        let second = alice.encrypt(&bob.address, b"second").unwrap();
        let fresh = *KeyPair::generate(&mut bob.rng).public_key();
        refused(&mut bob, &alice, &rewritten_base(&first, &fresh), Error::Rejected);
        bob.decrypt(&alice.address, &first).unwrap();
        let forged = rewritten_base(&second, &fresh);
        // its one-time key is gone by now; without it, another key is derived
        refused(&mut bob, &alice, &forged, Error::InvalidPreKeyId(1));
        let view = PreKeySignalMessage::parse(&forged.bytes).unwrap();
        let fields = PreKeySignalMessageFields {
            version_byte: view.version_byte(),
            registration_id: view.registration_id(),
            pre_key_id: None,
            signed_pre_key_id: view.signed_pre_key_id(),
            kyber: view.kyber(),
            base_key: view.base_key(),
            identity_key: view.identity_key(),
        };
        let bytes = write_around(&fields, view.message().as_bytes());
        let forged = CiphertextMessage { message_type: CiphertextMessageType::PreKey, bytes };
        refused(&mut bob, &alice, &forged, Error::Rejected);
        assert_eq!(bob.decrypt(&alice.address, &second).unwrap(), b"second");
    }
}

#[test]
fn s03_18_and_s04_23_a_peer_without_spqr_is_rejected_in_either_role() {
    let mut alice = Device::new(ALICE, 1, Policy::V4, 1);
    let mut bob = Device::new(BOB, 2, Policy::V4_WITHOUT_SPQR, 2);
    meet(&mut alice, &mut bob);
    let message = alice.encrypt(&bob.address, b"triple").unwrap();
    refused(&mut bob, &alice, &message, Error::Rejected);
    let mut alice = Device::new(ALICE, 1, Policy::V4, 1);
    meet(&mut bob, &mut alice);
    let message = bob.encrypt(&alice.address, b"double").unwrap();
    refused(&mut alice, &bob, &message, Error::Rejected);
}

#[test]
fn s03_19_and_s04_07_a_session_with_oneself_has_no_forward_limit() {
    for policy in POLICIES {
        let phone = Device::new(ALICE, 1, policy, 1);
        let identity = sandi::keys::IdentityKeyPair::decode(phone.identity.encode().expose());
        let mut laptop = Device::with_identity(ALICE, 2, policy, 2, identity.unwrap());
        let mut phone = phone;
        meet(&mut phone, &mut laptop);
        send(&mut phone, &mut laptop, b"hello, me").unwrap();
        for _ in 0..25_002 {
            phone.encrypt(&laptop.address, b"lost").unwrap();
        }
        send(&mut phone, &mut laptop, b"after 25,002 lost ones").unwrap();
        // the same without service ids: the limit holds
        let identity = sandi::keys::IdentityKeyPair::decode(phone.identity.encode().expose());
        let mut one = Device::new("me", 1, policy, 1);
        let mut other = Device::with_identity("me", 2, policy, 2, identity.unwrap());
        one.identity =
            sandi::keys::IdentityKeyPair::decode(other.identity.encode().expose()).unwrap();
        meet(&mut one, &mut other);
        send(&mut one, &mut other, b"hello").unwrap();
        for _ in 0..25_001 {
            one.encrypt(&other.address, b"lost").unwrap();
        }
        let late = one.encrypt(&other.address, b"too late").unwrap();
        refused(&mut other, &one, &late, Error::TooFarInFuture);
    }
}

#[test]
fn s03_20_a_kyber_ciphertext_of_wrong_length_or_type_and_one_with_flipped_bits() {
    for policy in [Policy::V4_WITHOUT_SPQR, Policy::V4] {
        let (mut alice, mut bob) = introduced(policy, true);
        let message = alice.encrypt(&bob.address, b"kyber").unwrap();
        let view = PreKeySignalMessage::parse(&message.bytes).unwrap();
        let (id, ciphertext) = view.kyber().unwrap();
        let mut other_type = ciphertext.to_vec();
        other_type[0] = 0x0A;
        let mut flipped = ciphertext.to_vec();
        flipped[700] ^= 1;
        for (bytes, error) in [
            (&ciphertext[..1568], Error::BadKemCiphertextLength(1568)),
            (&other_type, Error::BadKemKeyType(0x0A)),
            (&flipped, Error::Rejected),
            (&[][..], Error::NoKeyTypeIdentifier),
        ] {
            let forged = rewritten(&message, |fields| {
                // the edit's lifetime is the message's: leak the few bytes of the test
                fields.kyber = Some((id, Vec::leak(bytes.to_vec())));
            });
            refused(&mut bob, &alice, &forged, error);
        }
        assert_eq!(bob.decrypt(&alice.address, &message).unwrap(), b"kyber");
        assert!(!record(&bob, &alice).is_empty());
    }
}
