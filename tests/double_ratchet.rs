//! Double Ratchet, messages and session selection: the conformance scenarios of spec 04 (1: beside the code; 7: in
//! `session_establishment.rs`; 10, 26, 27: `wire.rs`; 28: `session_model.rs`) and those of spec 08 on corrupt records.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects
)]

mod common;

use common::{
    ALICE, BOB, CAROL, Device, NOW, POLICIES, Trust, conversing, flipped, introduced, meet, record,
    refused, send,
};
use rand::seq::SliceRandom;
use sandi::migrate::official::{decode_session, encode_session};
use sandi::session::{CiphertextMessage, Requirements};
use sandi::wire::{CiphertextMessageType, PreKeySignalMessage, SignalMessage};
use sandi::{Address, DeviceId, Error, Policy, Timestamp};

#[test]
fn s04_02_ping_pong_and_ten_withheld_messages_after_twenty_later_ones() {
    for policy in POLICIES {
        let (mut alice, mut bob) = conversing(policy);
        for round in 0..12_u8 {
            send(&mut alice, &mut bob, &[round]).unwrap();
            send(&mut bob, &mut alice, &[round]).unwrap();
        }
        let withheld: Vec<_> =
            (0..10_u8).map(|n| alice.encrypt(&bob.address, &[n]).unwrap()).collect();
        for round in 0..20_u8 {
            send(&mut alice, &mut bob, &[round]).unwrap();
        }
        for round in 0..20_u8 {
            send(&mut bob, &mut alice, &[round]).unwrap();
        }
        for (n, message) in withheld.iter().enumerate() {
            assert_eq!(bob.decrypt(&alice.address, message).unwrap()[0] as usize, n);
        }
    }
}

#[test]
fn s04_03_fifty_messages_in_random_order_across_a_direction_change() {
    for policy in POLICIES {
        let (mut alice, mut bob) = conversing(policy);
        let mut messages: Vec<_> =
            (0..50_u8).map(|n| (n, alice.encrypt(&bob.address, &[n]).unwrap())).collect();
        messages.shuffle(&mut bob.rng);
        let (before, after) = messages.split_at(25);
        for (n, message) in before {
            assert_eq!(bob.decrypt(&alice.address, message).unwrap(), [*n]);
        }
        send(&mut bob, &mut alice, b"turn").unwrap();
        send(&mut alice, &mut bob, b"turn").unwrap();
        for (n, message) in after {
            assert_eq!(bob.decrypt(&alice.address, message).unwrap(), [*n]);
        }
    }
}

#[test]
fn s04_04_and_s04_20_a_second_delivery_is_a_duplicate_even_beside_archived_sessions() {
    for policy in POLICIES {
        let (mut alice, mut bob) = conversing(policy);
        meet(&mut alice, &mut bob);
        send(&mut alice, &mut bob, b"second session").unwrap();
        send(&mut bob, &mut alice, b"answered").unwrap();
        let messages: Vec<_> =
            (0..3_u8).map(|n| alice.encrypt(&bob.address, &[n]).unwrap()).collect();
        for at in [2, 0, 1] {
            assert_eq!(bob.decrypt(&alice.address, &messages[at]).unwrap(), [at as u8]);
        }
        for (counter, message) in (0..).zip(&messages) {
            let error = Error::DuplicatedMessage { chain_index: 3, counter };
            refused(&mut bob, &alice, message, error);
        }
    }
}

#[test]
fn s04_05_of_2300_messages_the_oldest_skipped_keys_are_evicted() {
    // the first message of a version-3 chain is number 0
    let (mut alice, mut bob) = introduced(Policy::V3, false);
    let messages: Vec<_> = (0..2300).map(|_| alice.encrypt(&bob.address, b"x").unwrap()).collect();
    bob.decrypt(&alice.address, &messages[1000]).unwrap();
    bob.decrypt(&alice.address, &messages[2299]).unwrap();
    let error = Error::DuplicatedMessage { chain_index: 2300, counter: 5 };
    refused(&mut bob, &alice, &messages[5], error);
    // 999 and 1298 keys were skipped: of 2,298 the oldest 298 are gone
    bob.decrypt(&alice.address, &messages[297]).unwrap_err();
    bob.decrypt(&alice.address, &messages[298]).unwrap();
}

#[test]
fn s04_06_a_jump_of_25000_is_accepted_and_one_of_25001_is_not() {
    for policy in POLICIES {
        let (mut alice, mut bob) = introduced(policy, false);
        send(&mut alice, &mut bob, b"first").unwrap();
        let next = alice.encrypt(&bob.address, b"in range").unwrap();
        for _ in 2..25_000 {
            alice.encrypt(&bob.address, b"lost").unwrap();
        }
        let before_last = alice.encrypt(&bob.address, b"one before").unwrap();
        let last = alice.encrypt(&bob.address, b"at the limit").unwrap();
        let beyond = alice.encrypt(&bob.address, b"beyond").unwrap();
        let counter = |message: &CiphertextMessage| {
            PreKeySignalMessage::parse(&message.bytes).unwrap().message().counter()
        };
        assert_eq!((counter(&last), counter(&beyond)), (25_001, 25_002));
        refused(&mut bob, &alice, &beyond, Error::TooFarInFuture);
        let mut twin = decode_session(&record(&bob, &alice)).unwrap();
        assert_eq!(bob.decrypt(&alice.address, &next).unwrap(), b"in range");
        std::mem::swap(bob.session(&alice.address), &mut twin);
        // The chain's index is 1. SPQR counts from the key used last, and so allows one message less.
        if policy == Policy::V4 {
            refused(&mut bob, &alice, &last, Error::TooFarInFuture);
            assert_eq!(bob.decrypt(&alice.address, &before_last).unwrap(), b"one before");
        } else {
            assert_eq!(bob.decrypt(&alice.address, &last).unwrap(), b"at the limit");
        }
    }
}

#[test]
fn s04_08_a_sixth_receiver_chain_drops_the_oldest() {
    for policy in POLICIES {
        let (mut alice, mut bob) = conversing(policy);
        let mut late = Vec::new();
        for _ in 0..6 {
            late.push(alice.encrypt(&bob.address, b"late").unwrap());
            send(&mut alice, &mut bob, b"in time").unwrap();
            send(&mut bob, &mut alice, b"turn").unwrap();
        }
        refused(&mut bob, &alice, &late[0], Error::Rejected);
        for message in &late[1..] {
            assert_eq!(bob.decrypt(&alice.address, message).unwrap(), b"late");
        }
    }
}

#[test]
fn s04_09_every_flipped_bit_is_refused_and_changes_nothing() {
    for policy in POLICIES {
        let (mut alice, mut bob) = conversing(policy);
        let message = alice.encrypt(&bob.address, b"every bit").unwrap();
        for at in 0..message.bytes.len() {
            for bit in 0..8 {
                let forged = flipped(&message, at, bit);
                let before = record(&bob, &alice);
                let error = bob.decrypt(&alice.address, &forged).unwrap_err();
                assert!(!matches!(error, Error::DuplicatedMessage { .. }) || at < 50, "{error}");
                assert!(record(&bob, &alice) == before);
            }
        }
        assert_eq!(bob.decrypt(&alice.address, &message).unwrap(), b"every bit");
    }
}

#[test]
fn s04_12_and_s04_13_addresses_are_bound_in_pre_key_messages_and_only_there() {
    for policy in POLICIES {
        let (mut alice, mut bob) = introduced(policy, false);
        let message = alice.encrypt(&bob.address, b"bound").unwrap();
        let bound = PreKeySignalMessage::parse(&message.bytes).unwrap().message().addresses();
        assert_eq!(bound.is_some(), policy != Policy::V3);
        if bound.is_some() {
            for (name, device) in [(CAROL, 1), (ALICE, 9), ("alice", 1)] {
                let sender = Address::new(name, DeviceId::new(device).unwrap());
                assert_eq!(bob.decrypt(&sender, &message), Err(Error::Rejected));
            }
            let own = bob.address.clone();
            for (name, device) in [(CAROL, 2), (BOB, 9), ("bob", 2)] {
                bob.address = Address::new(name, DeviceId::new(device).unwrap());
                assert_eq!(bob.decrypt(&alice.address, &message), Err(Error::Rejected));
            }
            bob.address = own;
        }
        assert_eq!(bob.decrypt(&alice.address, &message).unwrap(), b"bound");
        let reply = bob.encrypt(&alice.address, b"free").unwrap();
        assert_eq!(SignalMessage::parse(&reply.bytes).unwrap().addresses(), None);
        alice.decrypt(&bob.address, &reply).unwrap();
        // names that are not service ids bind nothing
        let mut plain = Device::new("plain", 1, policy, 5);
        meet(&mut plain, &mut bob);
        let message = plain.encrypt(&bob.address, b"plain").unwrap();
        let view = PreKeySignalMessage::parse(&message.bytes).unwrap();
        assert_eq!(view.message().addresses(), None);
        bob.decrypt(&plain.address, &message).unwrap();
    }
}

#[test]
fn s04_14_an_unanswered_session_goes_stale_after_exactly_thirty_days() {
    const THIRTY_DAYS: u64 = 30 * 24 * 3_600_000;
    for policy in POLICIES {
        let (mut alice, bob) = introduced(policy, true);
        let created = NOW.as_millis() / 1000 * 1000;
        let fresh = Requirements { not_stale: true, ..Requirements::default() };
        for (at, usable) in [
            (created, true),
            (created + THIRTY_DAYS, true),
            (created + THIRTY_DAYS + 1, false),
            // a clock that went backwards makes nothing stale
            (0, true),
        ] {
            alice.now = Timestamp(at);
            let session = &alice.sessions[&bob.address];
            assert_eq!(session.is_usable(fresh, alice.now), usable);
            assert!(session.is_usable(Requirements::default(), alice.now));
            let outcome = alice.encrypt(&bob.address, b"?").map(drop);
            assert_eq!(outcome, if usable { Ok(()) } else { Err(Error::SessionNotFound) });
        }
    }
}

#[test]
fn s04_16_and_s04_18_an_archived_session_cannot_send_but_hears_and_is_promoted() {
    for policy in POLICIES {
        let (mut alice, mut bob) = conversing(policy);
        alice.session(&bob.address).archive_current();
        assert_eq!(alice.encrypt(&bob.address, b"?"), Err(Error::SessionNotFound));
        send(&mut bob, &mut alice, b"still there").unwrap();
        assert_eq!(alice.session(&bob.address).archived_count(), 0);
        send(&mut alice, &mut bob, b"back").unwrap();
        // promoted above a current one, which is then first in the archive
        let old = *alice.sessions[&bob.address].base_key().unwrap();
        let message = bob.encrypt(&alice.address, b"old session").unwrap();
        meet(&mut alice, &mut bob);
        let new = *alice.sessions[&bob.address].base_key().unwrap();
        alice.decrypt(&bob.address, &message).unwrap();
        assert_eq!(alice.sessions[&bob.address].base_key(), Some(&old));
        assert_ne!(old, new);
        assert_eq!(alice.session(&bob.address).archived_count(), 1);
    }
}

#[test]
fn s04_17_the_forty_first_archived_session_is_gone() {
    let (mut alice, mut bob) = conversing(Policy::V3);
    let first = bob.encrypt(&alice.address, b"first").unwrap();
    meet(&mut alice, &mut bob);
    send(&mut alice, &mut bob, b"hello").unwrap();
    let second = bob.encrypt(&alice.address, b"second").unwrap();
    for _ in 0..40 {
        meet(&mut alice, &mut bob);
    }
    assert_eq!(alice.session(&bob.address).archived_count(), 40);
    refused(&mut alice, &bob, &first, Error::Rejected);
    assert_eq!(alice.decrypt(&bob.address, &second).unwrap(), b"second");
}

/// The record of a session with `edit` made to its current state's bytes, and the same as an archived one.
fn edited(record: &[u8], archived: bool, edit: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    // field 1, length-delimited: the current session alone
    assert_eq!(record[0], 0x0A);
    let (mut length, mut at, mut shift) = (0_usize, 1, 0);
    loop {
        length |= usize::from(record[at] & 0x7F) << shift;
        shift += 7;
        at += 1;
        if record[at - 1] < 0x80 {
            break;
        }
    }
    let mut state = record[at..at + length].to_vec();
    assert_eq!(at + length, record.len(), "no archived sessions");
    edit(&mut state);
    let mut out = vec![if archived { 0x12 } else { 0x0A }];
    let mut length = state.len();
    while length >= 0x80 {
        out.push((length & 0x7F) as u8 | 0x80);
        length >>= 7;
    }
    out.push(length as u8);
    out.extend(state);
    out
}

#[test]
fn s04_19_and_s08_4_a_corrupt_archived_entry_is_skipped() {
    let (mut alice, mut bob) = conversing(Policy::V4);
    let message = alice.encrypt(&bob.address, b"to the archive").unwrap();
    let good = record(&bob, &alice);
    let mut corrupt = vec![0x12, 3, 0xFF, 0xFF, 0xFF];
    corrupt.extend(edited(&good, true, |_| {}));
    bob.sessions.insert(alice.address.clone(), decode_session(&corrupt).unwrap());
    assert_eq!(bob.session(&alice.address).archived_count(), 2);
    assert_eq!(bob.decrypt(&alice.address, &message).unwrap(), b"to the archive");
    // but a pre-key message that searches for its session meets it
    let mut carol = Device::new(CAROL, 1, Policy::V4, 3);
    meet(&mut carol, &mut bob);
    let first = carol.encrypt(&bob.address, b"first").unwrap();
    let view = PreKeySignalMessage::parse(&first.bytes).unwrap();
    assert_eq!(bob.session(&alice.address).has_session_of(&view), Err(Error::InvalidSession));
    let kept = record(&bob, &alice);
    assert_eq!(decode_session(&kept).unwrap(), *bob.session(&alice.address));
}

#[test]
fn s08_5_a_session_of_unknown_version_matches_no_message() {
    let (mut alice, mut bob) = conversing(Policy::V3);
    let message = alice.encrypt(&bob.address, b"?").unwrap();
    for version in [0, 2, 5] {
        let bytes = edited(&record(&bob, &alice), false, |state| {
            assert_eq!(state[..2], [0x08, 3]);
            state[1] = version;
        });
        let mut session = decode_session(&bytes).unwrap();
        assert_eq!(*encode_session(&session), bytes);
        std::mem::swap(bob.session(&alice.address), &mut session);
        assert_eq!(bob.decrypt(&alice.address, &message), Err(Error::InvalidSession));
        assert_eq!(bob.encrypt(&alice.address, b"?"), Err(Error::InvalidSession));
        std::mem::swap(bob.session(&alice.address), &mut session);
    }
    assert_eq!(bob.decrypt(&alice.address, &message).unwrap(), b"?");
}

#[test]
fn s08_6_old_form_skipped_keys_decrypt_a_delayed_message() {
    use hkdf::Hkdf;
    use sha2::Sha256;
    let (mut alice, mut bob) = conversing(Policy::V3);
    let late = alice.encrypt(&bob.address, b"late").unwrap();
    send(&mut alice, &mut bob, b"in time").unwrap();
    let bytes = record(&bob, &alice);
    // MessageKey { seed#5 } with counter 0 becomes { cipher#2, mac#3, iv#4 }: 34 bytes become 86
    let at = bytes.windows(4).position(|w| w == [0x22, 34, 0x2A, 32]).unwrap();
    let mut keys = [0; 80];
    Hkdf::<Sha256>::new(None, &bytes[at + 4..at + 36])
        .expand(b"WhisperMessageKeys", &mut keys)
        .unwrap();
    let entry = [
        &[0x22, 86, 0x12, 32][..],
        &keys[..32],
        &[0x1A, 32],
        &keys[32..64],
        &[0x22, 16],
        &keys[64..],
    ]
    .concat();
    // the chain that holds it, field 7 of the state, grows by 52 bytes
    let chain_at = bytes[..at].windows(3).rposition(|w| w[0] == 0x3A && w[2] == 0x0A).unwrap();
    let length = bytes[chain_at + 1];
    assert!(length < 0x80);
    let grown = usize::from(length) + 52;
    let bytes = edited(&bytes, false, |state| {
        let base = bytes.len() - state.len();
        let (chain, at) = (chain_at - base, at - base);
        state.splice(at..at + 36, entry);
        state.splice(chain + 1..chain + 2, [(grown & 0x7F) as u8 | 0x80, (grown >> 7) as u8]);
    });
    let session = decode_session(&bytes).unwrap();
    assert_eq!(*encode_session(&session), bytes);
    bob.sessions.insert(alice.address.clone(), session);
    assert_eq!(bob.decrypt(&alice.address, &late).unwrap(), b"late");
}

#[test]
fn s08_7_and_s08_8_pending_ids_keep_all_their_bits_and_their_presence() {
    for one_time in [None, Some(0)] {
        let mut alice = Device::new(ALICE, 1, Policy::V3, 1);
        let mut bob = Device::new(BOB, 2, Policy::V3, 2);
        bob.bundle(true);
        let mut bundle = bob.bundle_of(1, Some(1));
        bundle.signed_pre_key.id = u32::MAX;
        match one_time {
            None => bundle.pre_key = None,
            Some(id) => bundle.pre_key.as_mut().unwrap().id = id,
        }
        alice.process(&bob.address, &bundle).unwrap();
        let session = decode_session(&record(&alice, &bob)).unwrap();
        assert_eq!(*encode_session(&session), record(&alice, &bob));
        alice.sessions.insert(bob.address.clone(), session);
        let message = alice.encrypt(&bob.address, b"ids").unwrap();
        let view = PreKeySignalMessage::parse(&message.bytes).unwrap();
        assert_eq!(view.signed_pre_key_id(), 4_294_967_295);
        assert_eq!(view.pre_key_id(), one_time);
    }
}

#[test]
fn s08_9_a_wrong_length_root_key_is_an_error_on_use_not_on_load() {
    let (mut alice, mut bob) = conversing(Policy::V3);
    send(&mut alice, &mut bob, b"a chain to go on with").unwrap();
    let bytes = edited(&record(&bob, &alice), false, |state| {
        // field 4, 32 bytes: cut to 31
        let at = state.windows(2).position(|w| w == [0x22, 32]).unwrap();
        state[at + 1] = 31;
        state.remove(at + 2);
    });
    bob.sessions.insert(alice.address.clone(), decode_session(&bytes).unwrap());
    // the known chain needs no root key, and neither does sending
    send(&mut alice, &mut bob, b"known chain").unwrap();
    send(&mut bob, &mut alice, b"answer").unwrap();
    let step = alice.encrypt(&bob.address, b"a step").unwrap();
    refused(&mut bob, &alice, &step, Error::InvalidSession);
}

#[test]
fn s04_21_and_s04_22_requirements_tell_the_dialects_apart() {
    for (policy, pqxdh, spqr) in [
        (Policy::V3, false, false),
        (Policy::V4_WITHOUT_SPQR, true, false),
        (Policy::V4, true, true),
    ] {
        let (mut alice, mut bob) = conversing(policy);
        for (device, peer) in [(&alice, &bob), (&bob, &alice)] {
            let session = &device.sessions[&peer.address];
            let ask = |requirements| session.is_usable(requirements, NOW);
            let none = Requirements::default();
            assert!(ask(none));
            assert_eq!(ask(Requirements { pqxdh: true, ..none }), pqxdh);
            assert_eq!(ask(Requirements { spqr: true, ..none }), spqr);
        }
        for _ in 0..3 {
            for message in [
                alice.encrypt(&bob.address, b"a").unwrap(),
                bob.encrypt(&alice.address, b"b").unwrap(),
            ] {
                let view = SignalMessage::parse(&message.bytes).unwrap();
                assert_eq!(view.pq_ratchet().is_some_and(|bytes| !bytes.is_empty()), spqr);
            }
        }
    }
}

#[test]
fn s04_24_an_untrusted_identity_while_encrypting_uses_up_no_counter() {
    for policy in POLICIES {
        let (mut alice, mut bob) = conversing(policy);
        alice.trust = Trust::Never;
        let before = record(&alice, &bob);
        assert_eq!(alice.encrypt(&bob.address, b"no"), Err(Error::UntrustedIdentity));
        assert!(record(&alice, &bob) == before);
        alice.trust = Trust::FirstUse;
        let message = alice.encrypt(&bob.address, b"yes").unwrap();
        assert_eq!(SignalMessage::parse(&message.bytes).unwrap().counter(), 0);
        bob.decrypt(&alice.address, &message).unwrap();
    }
}

#[test]
fn s04_25_an_untrusted_identity_while_decrypting_withholds_the_plaintext() {
    for policy in POLICIES {
        let (mut alice, mut bob) = conversing(policy);
        let message = bob.encrypt(&alice.address, b"secret").unwrap();
        alice.trust = Trust::Never;
        refused(&mut alice, &bob, &message, Error::UntrustedIdentity);
        alice.trust = Trust::FirstUse;
        assert_eq!(alice.decrypt(&bob.address, &message).unwrap(), b"secret");
    }
}

#[test]
fn s04_26_a_decryption_error_names_the_ratchet_key_that_the_sender_recognises() {
    use sandi::wire::DecryptionErrorMessage;
    for policy in POLICIES {
        let (mut alice, mut bob) = conversing(policy);
        let message = alice.encrypt(&bob.address, b"lost on the way").unwrap();
        let error =
            DecryptionErrorMessage::for_original(&message.bytes, message.message_type, NOW, 1);
        let error = error.unwrap();
        let key = error.ratchet_key().unwrap();
        assert!(alice.session(&bob.address).current_ratchet_key_matches(key));
        assert!(!bob.session(&alice.address).current_ratchet_key_matches(key));
        // spec 04 §8.3: archive, start again, resend
        alice.session(&bob.address).archive_current();
        meet(&mut alice, &mut bob);
        send(&mut alice, &mut bob, b"lost on the way").unwrap();
        assert!(!alice.session(&bob.address).current_ratchet_key_matches(key));
    }
}

#[test]
fn s04_29_plaintexts_of_every_length_up_to_some_blocks_and_of_1_mib() {
    for policy in POLICIES {
        let (mut alice, mut bob) = conversing(policy);
        for length in (0..70).chain([1 << 20]) {
            send(&mut alice, &mut bob, &vec![0xA5; length]).unwrap();
        }
    }
}

#[test]
fn decrypting_in_place_gives_the_same_and_leaves_a_forgery_as_it_came() {
    use sandi::session::Addresses;
    for policy in POLICIES {
        let (mut alice, mut bob) = conversing(policy);
        for length in [0, 1, 15, 16, 17, 1000] {
            let text = vec![7; length];
            let message = alice.encrypt(&bob.address, &text).unwrap();
            assert_eq!(message.message_type, CiphertextMessageType::Signal);
            let (to, from) = (bob.address.clone(), alice.address.clone());
            let addresses = Addresses { local: &to, remote: &from };
            let mut forged = flipped(&message, message.bytes.len() - 1, 0).bytes;
            let came = forged.clone();
            let session = bob.sessions.get_mut(&from).unwrap();
            let outcome = session.decrypt_in_place(addresses, &mut forged, |_| true, &mut bob.rng);
            assert_eq!(outcome, Err(Error::Rejected));
            assert_eq!(forged, came);
            let mut bytes = message.bytes;
            let got = session.decrypt_in_place(addresses, &mut bytes, |_| true, &mut bob.rng);
            assert_eq!(got.unwrap(), text);
        }
    }
}

#[test]
fn debug_shows_no_secret_of_a_session_sound_or_corrupt() {
    let (alice, bob) = conversing(Policy::V4);
    let bytes = record(&bob, &alice);
    let corrupt = edited(&bytes, false, |state| state[1] = 5);
    for bytes in [bytes, corrupt] {
        let shown = format!("{:?}", decode_session(&bytes).unwrap());
        // three bytes in a row as a list or as hex: the root key, field 4
        let at = bytes.windows(2).position(|w| w == [0x22, 32]).unwrap() + 2;
        let [a, b, c] = bytes[at..at + 3] else { panic!() };
        assert!(!shown.contains(&format!("{a}, {b}, {c}")), "{shown}");
        assert!(!shown.contains(&format!("{a:02x}{b:02x}{c:02x}")), "{shown}");
    }
}
