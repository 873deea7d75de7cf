//! Safety numbers and security codes: the conformance scenarios of spec 07 and `fingerprint.json`.

use crate::data::{Fixed, array, hex, items, text, whatsapp};
use sandi::fingerprint::{
    DeviceKeys, Fingerprint, ITERATIONS, QrParty, QrVersion, ScanResult, ScannableFingerprint,
    SecurityCode, SecurityQr, pn_identifier,
};
use sandi::keys::{IdentityKey, IdentityKeyPair};
use sandi::{DeviceId, Error};
use serde_json::Value;

const KEY_A: &str = "0506863bc66d02b40d27b8d49ca7c09e9239236f9d7d25d6fcca5ce13c7064d868";
const KEY_B: &str = "05f781b6fb32fed9ba1cf2de978d4d5da28dc34046ae814402b5c0dbd96fda907b";
const ID_A: &[u8] = b"+14152222222";
const ID_B: &[u8] = b"+14153333333";
const PRINT_A: &str = "1e301a0353dce3dbe7684cb8336e85136cdc0ee96219494ada305d62a7bd61df\
     d188d25ccecf320f0a09d0ebdc70785d7cc74291e43738c14742f296b281e259";
const PRINT_B: &str = "d62cbf73a11592015b6b9f1682ac306fea3aaf3885b84d12bca631e9d4fb3a4d\
     498c8a488a23d5c55a13c1014556968f8602e56a9e3ca02cf7a03d36e4441a4a";
const DISPLAY: &str = "300354477692869396892869876765458257569162576843440918079131";

fn key(text: &str) -> IdentityKey {
    IdentityKey::decode(&hex::decode(text).unwrap()).unwrap()
}

fn random(seed: u8) -> IdentityKey {
    *IdentityKeyPair::generate(&mut Fixed::new([seed; 32])).identity_key()
}

#[test]
fn scenario_1_public_vectors_in_both_versions_and_views() {
    for version in [1, 2] {
        let a = (ID_A, &key(KEY_A));
        let b = (ID_B, &key(KEY_B));
        let from_a = Fingerprint::new(version, ITERATIONS, a, b).unwrap();
        let from_b = Fingerprint::new(version, ITERATIONS, b, a).unwrap();
        assert_eq!(hex::encode(from_a.local()), PRINT_A);
        assert_eq!(hex::encode(from_a.remote()), PRINT_B);
        assert_eq!(from_a.display(), DISPLAY);
        assert_eq!(from_b.display(), DISPLAY);
        let (half_a, half_b) = (&PRINT_A[..64], &PRINT_B[..64]);
        let code = |l: &str, r: &str| format!("080{version}12220a20{l}1a220a20{r}");
        assert_eq!(hex::encode(from_a.scannable().encode()), code(half_a, half_b));
        assert_eq!(hex::encode(from_b.scannable().encode()), code(half_b, half_a));
        let decoded = ScannableFingerprint::decode(&from_a.scannable().encode()).unwrap();
        assert_eq!(decoded, from_a.scannable());
        assert_eq!(decoded.version(), version);
    }
}

#[test]
fn scenario_2_both_sides_agree_and_a_code_does_not_match_itself() {
    for seed in 0..4 {
        let a = (b"alice".as_slice(), &random(seed));
        let b = (b"bob".as_slice(), &random(seed + 100));
        let from_a = Fingerprint::new(2, 1024, a, b).unwrap();
        let from_b = Fingerprint::new(2, 1024, b, a).unwrap();
        assert_eq!(from_a.display(), from_b.display());
        assert_eq!(from_a.display().len(), 60);
        assert!(from_a.display().bytes().all(|digit| digit.is_ascii_digit()));
        let (code_a, code_b) = (from_a.scannable(), from_b.scannable());
        assert_eq!(code_a.compare(&code_b.encode()), Ok(true));
        assert_eq!(code_b.compare(&code_a.encode()), Ok(true));
        assert_eq!(code_a.compare(&code_a.encode()), Ok(false));
    }
}

#[test]
fn scenario_3_and_4_another_key_or_identifier_does_not_match() {
    let (a, b, mallory) = (random(1), random(2), random(3));
    let from_a = Fingerprint::new(2, 2, (b"a", &a), (b"b", &b)).unwrap();
    for (local, remote) in [
        ((b"b".as_slice(), &b), (b"a".as_slice(), &mallory)),
        ((b"b", &mallory), (b"a", &a)),
        ((b"b", &b), (b"A", &a)),
        ((b"B", &b), (b"a", &a)),
    ] {
        let from_b = Fingerprint::new(2, 2, local, remote).unwrap();
        assert_ne!(from_a.display(), from_b.display());
        assert_eq!(from_a.scannable().compare(&from_b.scannable().encode()), Ok(false));
        assert_eq!(from_b.scannable().compare(&from_a.scannable().encode()), Ok(false));
    }
}

#[test]
fn scenario_5_versions_must_be_equal_for_a_scan_but_the_digits_are_the_same() {
    let (a, b) = (random(1), random(2));
    let one = Fingerprint::new(1, 2, (b"a", &a), (b"b", &b)).unwrap();
    let two = Fingerprint::new(2, 2, (b"b", &b), (b"a", &a)).unwrap();
    assert_eq!(one.display(), two.display());
    assert_eq!(
        one.scannable().compare(&two.scannable().encode()),
        Err(Error::FingerprintVersionMismatch { theirs: 2, ours: 1 })
    );
}

#[test]
fn scenario_6_codes_that_cannot_be_read() {
    let (a, b) = (random(1), random(2));
    let code = Fingerprint::new(2, 2, (b"a", &a), (b"b", &b)).unwrap().scannable();
    let bytes = code.encode();
    for garbage in [&bytes[..20], b"\xff\xff", &bytes[..38]] {
        assert_eq!(ScannableFingerprint::decode(garbage), Err(Error::FingerprintParsing));
        assert_eq!(code.compare(garbage), Err(Error::FingerprintParsing));
    }
    let no_version = &bytes[2..];
    assert_eq!(ScannableFingerprint::decode(no_version), Err(Error::FingerprintParsing));
    assert_eq!(
        code.compare(no_version),
        Err(Error::FingerprintVersionMismatch { theirs: 0, ours: 2 })
    );
}

#[test]
fn scenario_7_iteration_counts() {
    let (a, b) = (random(1), random(2));
    let with = |n| Fingerprint::new(2, n, (b"a", &a), (b"b", &b)).map(|_| ());
    for n in [0, 1, 1_000_001] {
        assert_eq!(with(n), Err(Error::InvalidIterationCount(n)));
    }
    assert_eq!(with(2), Ok(()));
    assert_eq!(with(1_000_000), Ok(()));
}

#[test]
fn scenario_8_groups_keep_their_leading_zeros() {
    // the digits of fingerprints until one group of each party was below 10,000
    let found = (0..200u8).any(|seed| {
        let print =
            Fingerprint::new(2, 2, (b"a", &random(seed)), (b"b", &random(seed + 50))).unwrap();
        let display = print.display();
        let expected = |bytes: &[u8; 64]| {
            bytes[..30]
                .chunks(5)
                .map(|c| c.iter().fold(0u64, |n, b| n * 256 + u64::from(*b)) % 100_000)
                .collect::<Vec<_>>()
        };
        let groups = [expected(print.local()), expected(print.remote())].concat();
        let small = groups.iter().any(|group| *group < 10_000);
        for group in groups {
            assert!(display.as_bytes().chunks(5).any(|c| c == format!("{group:05}").as_bytes()));
        }
        small && display.len() == 60
    });
    assert!(found);
}

fn devices(case: &Value, name: &str) -> DeviceKeys {
    let keys = items(case, name);
    // in reverse: the order in which devices are listed must not matter
    DeviceKeys::new(keys.iter().enumerate().rev().map(|(i, text)| {
        (DeviceId::new_v3(u32::try_from(i).unwrap()).unwrap(), key(text.as_str().unwrap()))
    }))
    .unwrap()
}

#[test]
fn security_codes_of_fingerprint_json() {
    for case in items(&whatsapp("fingerprint"), "cases") {
        let (a, b) = (devices(case, "identityKeysA33"), devices(case, "identityKeysB33"));
        assert_eq!(a.as_bytes(), hex(case, "sortedKeysA"));
        assert_eq!(b.as_bytes(), hex(case, "sortedKeysB"));
        assert_eq!(a.hashed(), array::<64>(case, "hashedPublicKeyA"));
        assert_eq!(b.hashed(), array::<64>(case, "hashedPublicKeyB"));
        let (pn_a, pn_b) = (
            pn_identifier(text(case, "userA"), "jid of a"),
            pn_identifier(text(case, "userB"), "jid of b"),
        );
        assert_eq!(pn_a, text(case, "pnIdentifierA"));
        assert_eq!(pn_b, text(case, "pnIdentifierB"));
        let pn = SecurityCode::new((&pn_a, &a), (&pn_b, &b));
        assert_eq!(pn.local(), text(case, "numericA"));
        assert_eq!(pn.remote(), text(case, "numericB"));
        assert_eq!(pn.display(), text(case, "numericCodePn"));
        let (lid_a, lid_b) = (text(case, "lidA"), text(case, "lidB"));
        let lid = SecurityCode::new((lid_b, &b), (lid_a, &a));
        assert_eq!(lid.display(), text(case, "numericCodeLid"));
        // the two QR versions compare with each other: the hash is computed where kinds differ
        for (mine, theirs) in [
            (QrVersion::Keys, QrVersion::Keys),
            (QrVersion::Keys, QrVersion::HashedKeys),
            (QrVersion::HashedKeys, QrVersion::Keys),
            (QrVersion::HashedKeys, QrVersion::HashedKeys),
        ] {
            let show = |version,
                        (local, local_id): (&DeviceKeys, &str),
                        (remote, remote_id): (&DeviceKeys, &str)| {
                SecurityQr::new(
                    version,
                    QrParty::new(version, local, false).with_pn(local_id),
                    QrParty::new(version, remote, false).with_pn(remote_id),
                )
            };
            let from_a = show(mine, (&a, &pn_a), (&b, &pn_b));
            let from_b = show(theirs, (&b, &pn_b), (&a, &pn_a));
            let scanned = SecurityQr::decode(&from_b.encode()).unwrap();
            assert_eq!(scanned, from_b);
            assert_eq!(from_a.compare(&scanned), ScanResult::Match);
        }
    }
}

#[test]
fn a_security_code_of_one_device_is_signals_number_with_this_identifier() {
    let (a, b) = (random(5), random(6));
    let primary = DeviceId::new_v3(0).unwrap();
    let keys = |key| DeviceKeys::new([(primary, key)]).unwrap();
    let code = SecurityCode::new(("44900123", &keys(a)), ("1550123", &keys(b)));
    let signal = Fingerprint::new(0, ITERATIONS, (b"44900123", &a), (b"1550123", &b)).unwrap();
    assert_eq!(code.display(), signal.display());
}

#[test]
fn hosted_devices_have_no_part_in_the_code() {
    let id = |n| DeviceId::new_v3(n).unwrap();
    let with = DeviceKeys::new([(id(0), random(1)), (id(99), random(2))]).unwrap();
    assert_eq!(with, DeviceKeys::new([(id(0), random(1))]).unwrap());
    assert_eq!(DeviceKeys::new([(id(99), random(2))]), Err(Error::InvalidArgument));
}

#[test]
fn identifiers_of_phone_numbers() {
    for (user, identifier) in [
        ("447700900123", "44900123"),
        ("14155550123", "1550123"),
        ("12345", "12345"),           // 1 and four digits
        ("1234", "jid"),              // three are too few
        ("35312345678", "353345678"), // 35 is no code of two digits
        ("201234", "201234"),
        ("20123", "jid"),
        ("3581234", "3581234"),
        ("abc", "jid"),
        ("1415555x123", "jid"),
        ("", "jid"),
        ("é12345678", "jid"),
    ] {
        assert_eq!(pn_identifier(user, "jid"), identifier, "{user}");
    }
}

#[test]
fn every_difference_of_a_scan_is_told_apart() {
    let id = DeviceId::new_v3(0).unwrap();
    let keys = |seed| DeviceKeys::new([(id, random(seed))]).unwrap();
    let party =
        |seed, hosted, pn: &str| QrParty::new(QrVersion::Keys, &keys(seed), hosted).with_pn(pn);
    let mine = SecurityQr::new(QrVersion::Keys, party(1, false, "a"), party(2, false, "b"));
    let theirs = |local, remote| SecurityQr::new(QrVersion::Keys, local, remote);
    for (theirs, expected) in [
        (theirs(party(2, false, "b"), party(1, false, "a")), ScanResult::Match),
        (theirs(party(3, false, "b"), party(1, false, "a")), ScanResult::TheirKeysDiffer),
        (theirs(party(2, false, "b"), party(3, false, "a")), ScanResult::MyKeysDiffer),
        (theirs(party(2, false, "c"), party(1, false, "a")), ScanResult::IdentifiersDiffer),
        (theirs(party(2, true, "b"), party(1, false, "a")), ScanResult::HostedStateDiffers),
        (theirs(party(2, false, "b"), party(1, true, "a")), ScanResult::HostedStateDiffers),
        // no kind of identifier in common
        (
            theirs(
                QrParty::new(QrVersion::Keys, &keys(2), false).with_lid("b"),
                QrParty::new(QrVersion::Keys, &keys(1), false).with_lid("a"),
            ),
            ScanResult::IdentifiersDiffer,
        ),
    ] {
        assert_eq!(mine.compare(&theirs), expected);
    }
    let mut newer = theirs(party(2, false, "b"), party(1, false, "a")).encode();
    newer[1] = 2;
    assert_eq!(mine.compare(&SecurityQr::decode(&newer).unwrap()), ScanResult::VersionTooNew);
    for cut in 0..newer.len() {
        // no prefix of a code panics, and only complete ones have both parties
        let _ = SecurityQr::decode(&newer[..cut]);
    }
}
