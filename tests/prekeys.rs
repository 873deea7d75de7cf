//! Pre-keys and bundles: the conformance scenarios of spec 02.
#![allow(missing_docs, clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

mod common;

use common::{ALICE, BOB, CAROL, Device, NOW, POLICIES, introduced, record, refused, send};
use sandi::keys::{IdentityKeyPair, KemSecretKey};
use sandi::migrate::official;
use sandi::prekey::{KemPreKey, PreKey, SignedPreKey};
use sandi::wire::PreKeySignalMessage;
use sandi::{Error, Policy};

#[test]
fn s02_01_a_signature_by_another_identity_or_with_any_flipped_bit_is_refused() {
    let mut alice = Device::new(ALICE, 1, Policy::V4, 1);
    let mut bob = Device::new(BOB, 2, Policy::V4, 2);
    let good = bob.bundle(true);
    let stranger = IdentityKeyPair::generate(&mut bob.rng);
    let mut foreign = good.clone();
    foreign.signed_pre_key.signature =
        stranger.private_key().sign(&good.signed_pre_key.key.encode(), &mut bob.rng);
    let mut bad = vec![foreign];
    for bit in 0..512 {
        let mut flipped = good.clone();
        flipped.signed_pre_key.signature[bit / 8] ^= 1 << (bit % 8);
        bad.push(flipped);
        let mut flipped = good.clone();
        flipped.kem_pre_key.as_mut().unwrap().signature[bit / 8] ^= 1 << (bit % 8);
        bad.push(flipped);
    }
    for bundle in bad {
        let outcome = alice.process(&bob.address, &bundle);
        assert_eq!(outcome, Err(Error::SignatureValidationFailed));
        assert!(!alice.session(&bob.address).has_current());
        assert!(alice.identities.is_empty());
    }
    alice.process(&bob.address, &good).unwrap();
}

#[test]
fn s02_02_a_kyber_signature_over_the_raw_bytes_is_refused() {
    let mut alice = Device::new(ALICE, 1, Policy::V4, 1);
    let mut bob = Device::new(BOB, 2, Policy::V4, 2);
    let mut bundle = bob.bundle(true);
    let kem = bundle.kem_pre_key.as_mut().unwrap();
    kem.signature = bob.identity.private_key().sign(&kem.key.encode()[1..], &mut bob.rng);
    assert_eq!(alice.process(&bob.address, &bundle), Err(Error::SignatureValidationFailed));
}

#[test]
fn s02_03_and_s03_21_a_one_time_pre_key_of_id_zero_is_used_and_deleted() {
    for policy in POLICIES {
        let mut alice = Device::new(ALICE, 1, policy, 1);
        let mut bob = Device::new(BOB, 2, policy, 2);
        bob.bundle(false);
        bob.one_time.insert(0, PreKey::generate(0, &mut bob.rng));
        let bundle = bob.bundle_of(1, Some(0));
        alice.process(&bob.address, &bundle).unwrap();
        let message = alice.encrypt(&bob.address, b"zero").unwrap();
        assert_eq!(PreKeySignalMessage::parse(&message.bytes).unwrap().pre_key_id(), Some(0));
        bob.decrypt(&alice.address, &message).unwrap();
        assert!(bob.one_time.is_empty());
    }
}

#[test]
fn s02_04_a_bundle_without_one_time_pre_key_works_and_the_message_names_none() {
    for policy in POLICIES {
        let (mut alice, mut bob) = introduced(policy, false);
        let message = alice.encrypt(&bob.address, b"none").unwrap();
        assert_eq!(PreKeySignalMessage::parse(&message.bytes).unwrap().pre_key_id(), None);
        bob.decrypt(&alice.address, &message).unwrap();
        send(&mut bob, &mut alice, b"fine").unwrap();
    }
}

#[test]
fn s02_05_a_changed_identity_is_untrusted_before_any_signature_check() {
    let (mut alice, bob) = introduced(Policy::V4, true);
    let mut stranger = Device::new(BOB, 2, Policy::V4, 7);
    let mut bundle = stranger.bundle(true);
    bundle.signed_pre_key.signature = [0; 64];
    let before = record(&alice, &bob);
    assert_eq!(alice.process(&bob.address, &bundle), Err(Error::UntrustedIdentity));
    assert!(record(&alice, &bob) == before);
}

#[test]
fn s02_06_a_second_bundle_archives_the_session_whose_messages_still_decrypt() {
    for policy in POLICIES {
        let (mut alice, mut bob) = common::conversing(policy);
        let late = bob.encrypt(&alice.address, b"from before").unwrap();
        let bundle = bob.bundle(true);
        alice.process(&bob.address, &bundle).unwrap();
        assert_eq!(alice.session(&bob.address).archived_count(), 1);
        assert!(alice.session(&bob.address).is_unacknowledged());
        assert_eq!(alice.decrypt(&bob.address, &late).unwrap(), b"from before");
    }
}

#[test]
fn s02_07_a_corrupted_pre_key_message_uses_up_nothing() {
    for policy in POLICIES {
        let (mut alice, mut bob) = introduced(policy, true);
        let message = alice.encrypt(&bob.address, b"intact").unwrap();
        let inner = PreKeySignalMessage::parse(&message.bytes).unwrap().message().as_bytes().len();
        let outer = message.bytes.len();
        // the embedded message's MAC ends where field 5 begins; find it from the view's own bytes
        let at = message.bytes.windows(8).rposition(|window| {
            let view = PreKeySignalMessage::parse(&message.bytes).unwrap();
            window == view.message().mac()
        });
        assert!(inner < outer);
        let bad = common::flipped(&message, at.unwrap(), 0);
        refused(&mut bob, &alice, &bad, Error::Rejected);
        assert_eq!(bob.one_time.len(), 1);
        assert!(bob.identities.is_empty(), "no identity is saved (spec 03 scenario 10)");
        assert_eq!(bob.decrypt(&alice.address, &message).unwrap(), b"intact");
        assert!(bob.one_time.is_empty());
    }
}

#[test]
fn s02_08_a_second_session_on_a_deleted_one_time_key_names_it_in_its_error() {
    for policy in POLICIES {
        let (mut alice, mut bob) = introduced(policy, true);
        let bundle = bob.bundle_of(1, Some(1));
        send(&mut alice, &mut bob, b"first").unwrap();
        let mut carol = Device::new(CAROL, 1, policy, 3);
        carol.process(&bob.address, &bundle).unwrap();
        let message = carol.encrypt(&bob.address, b"second").unwrap();
        refused(&mut bob, &carol, &message, Error::InvalidPreKeyId(1));
    }
}

#[test]
fn s02_09_a_replay_under_another_address_meets_the_replay_guard() {
    for policy in [Policy::V4_WITHOUT_SPQR, Policy::V4] {
        let (mut alice, mut bob) = introduced(policy, false);
        // names that are not service ids: else the address binding refuses it first
        alice.address = sandi::Address::new("alice", alice.address.device());
        let message = alice.encrypt(&bob.address, b"once").unwrap();
        bob.decrypt(&alice.address, &message).unwrap();
        let mallory = Device::new("mallory", 1, policy, 4);
        refused(&mut bob, &mallory, &message, Error::ReusedBaseKey);
        assert!(!bob.identities.contains_key(&mallory.address));
        bob.guard.forget_signed(1);
        assert_eq!(bob.decrypt(&mallory.address, &message).unwrap(), b"once");
    }
}

#[test]
fn s02_10_a_second_message_of_a_session_touches_no_pre_keys() {
    for policy in POLICIES {
        let (mut alice, mut bob) = introduced(policy, true);
        let first = alice.encrypt(&bob.address, b"first").unwrap();
        let second = alice.encrypt(&bob.address, b"second").unwrap();
        bob.decrypt(&alice.address, &first).unwrap();
        bob.signed.clear();
        bob.kem.clear();
        assert_eq!(bob.decrypt(&alice.address, &second).unwrap(), b"second");
    }
}

#[test]
fn s02_11_records_round_trip_with_millisecond_timestamps() {
    let mut rng = Device::new(ALICE, 1, Policy::V4, 1).rng;
    let identity = IdentityKeyPair::generate(&mut rng);
    let one_time = PreKey::generate(5, &mut rng);
    let bytes = official::encode_pre_key(&one_time);
    assert_eq!(official::decode_pre_key(&bytes).unwrap(), one_time);
    let signed = SignedPreKey::generate(6, &identity, NOW, &mut rng);
    let bytes = official::encode_signed_pre_key(&signed);
    assert_eq!(official::decode_signed_pre_key(&bytes).unwrap(), signed);
    let kem = KemPreKey::generate(7, &identity, NOW, &mut rng);
    let bytes = official::encode_kem_pre_key(&kem);
    assert!(bytes.len() > 1569 + 3169 + 64);
    // fixed64: key 0x29, then the milliseconds, little-endian
    let mut timestamp = vec![0x29];
    timestamp.extend(NOW.as_millis().to_le_bytes());
    assert!(bytes.ends_with(&timestamp));
    let again = official::decode_kem_pre_key(&bytes).unwrap();
    assert_eq!(official::encode_kem_pre_key(&again), bytes);
    assert_eq!(again.created(), NOW);
}

#[test]
fn s02_12_records_that_are_malformed_give_typed_errors() {
    assert_eq!(official::decode_pre_key(&[0xFF]), Err(Error::InvalidProtobuf));
    assert_eq!(official::decode_pre_key(&[]), Err(Error::NoKeyTypeIdentifier));
    let mut rng = Device::new(ALICE, 1, Policy::V4, 1).rng;
    let bytes = official::encode_pre_key(&PreKey::generate(5, &mut rng));
    // a record whose public key lost its last byte: id, then the key of 32 bytes
    let mut cut = bytes[..bytes.len() - 34 - 1].to_vec();
    cut[3] = 32;
    assert_eq!(official::decode_pre_key(&cut), Err(Error::BadKeyLength(32)));
    assert_eq!(KemSecretKey::decode(&[8; 3168]).unwrap_err(), Error::BadKemKeyLength(3168));
}

#[test]
fn s02_13_a_bundle_without_kyber_part_is_refused_by_v4_and_accepted_by_v3() {
    let mut bob = Device::new(BOB, 2, Policy::V3, 2);
    let bundle = bob.bundle(true);
    assert!(bundle.kem_pre_key.is_none());
    for (policy, outcome) in [
        (Policy::V4, Err(Error::DialectRefused(3))),
        (Policy::V4_WITHOUT_SPQR, Err(Error::DialectRefused(3))),
        (Policy::V3, Ok(())),
        (Policy::V3_OR_V4, Ok(())),
    ] {
        let mut alice = Device::new(ALICE, 1, policy, 1);
        assert_eq!(alice.process(&bob.address, &bundle), outcome);
        let version = alice.session(&bob.address).session_version();
        assert_eq!(version, outcome.is_ok().then_some(3));
    }
}
