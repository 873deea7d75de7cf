//! Stored records of the official library (spec 08): what can be checked without it.
#![allow(missing_docs, clippy::unwrap_used)]

mod common;

use common::{conversing, introduced, send};
use sandi::migrate::official::{decode_session, encode_session};
use sandi::{Error, Policy};

const POLICIES: [Policy; 3] = [Policy::V3, Policy::V4_WITHOUT_SPQR, Policy::V4];

#[test]
fn s08_3_decode_and_encode_is_byte_identical_at_each_stage() {
    for policy in POLICIES {
        let (mut alice, mut bob) = introduced(policy, true);
        let check = |device: &common::Device, peer: &common::Device| {
            let record = encode_session(&device.sessions[&peer.address]);
            let session = decode_session(&record).unwrap();
            assert_eq!(session, device.sessions[&peer.address]);
            assert_eq!(encode_session(&session), record);
        };
        check(&alice, &bob);
        for round in 0..60_u8 {
            let late = alice.encrypt(&bob.address, b"late").unwrap();
            send(&mut alice, &mut bob, &[round]).unwrap();
            check(&alice, &bob);
            check(&bob, &alice);
            send(&mut bob, &mut alice, &[round; 40]).unwrap();
            check(&bob, &alice);
            if round % 3 == 0 {
                bob.decrypt(&alice.address, &late).unwrap();
            }
        }
    }
}

#[test]
fn s08_1_a_conversation_goes_on_from_records_in_both_roles() {
    for policy in POLICIES {
        let (mut alice, mut bob) = conversing(policy);
        for round in 0..20_u8 {
            send(&mut alice, &mut bob, &[round]).unwrap();
            send(&mut bob, &mut alice, &[round]).unwrap();
            let (to_alice, to_bob) = (alice.address.clone(), bob.address.clone());
            for (device, peer) in [(&mut alice, to_bob), (&mut bob, to_alice)] {
                let record = encode_session(&device.sessions[&peer]);
                device.sessions.insert(peer, decode_session(&record).unwrap());
            }
        }
    }
}

#[test]
fn s08_10_empty_bytes_are_a_record_without_sessions() {
    let session = decode_session(&[]).unwrap();
    assert!(!session.has_current() && session.archived_count() == 0);
    assert!(encode_session(&session).is_empty());
    assert_eq!(decode_session(&[0xFF]), Err(Error::InvalidSession));
}
