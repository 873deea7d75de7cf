//! Signal's profile keys, backup keys, and sealing to a key without a session (spec 09 §5, §6, §8).

use hkdf::Hkdf;
use proptest::prelude::*;
use sandi::backup_key::AccountBackupKey;
use sandi::hpke::{OVERHEAD, open, seal};
use sandi::keys::{KeyPair, PublicKey};
use sandi::profile_key::{ProfileKey, group_access_key};
use sandi::{Error, ServiceId};
use sha2::Sha256;

use crate::data::Fixed;

fn profile_key(hex: &str) -> ProfileKey {
    ProfileKey::from_bytes(&hex::decode(hex).unwrap()).unwrap()
}

const ACI: [u8; 16] = [
    0x9d, 0x06, 0x52, 0xa3, 0xdc, 0xc3, 0x4d, 0x11, 0x97, 0x5f, 0x74, 0xd6, 0x15, 0x98, 0x73, 0x3f,
];

#[test]
fn access_keys_and_versions_of_the_specification() {
    let cases = [
        (
            "b95042a2c2d9e5b3bb09300ee408a172facd96e91b504e043a5a023dc4cff359",
            "24fb96d4a5e333e9d4451205b9e2faed",
        ),
        (
            "26197b17e5a2c36d8c9518c35358f123c476000db6da7565c0d41f6674462c4d",
            "e895c30cf780757d22f7a179708b14a1",
        ),
        (
            "16d8c1b16a795a2d2c1013539085ec00c8e81326a9bed081a2d6b3bff4e5cd33",
            "ce251e67ce7384eb5a2098a8892840fc",
        ),
    ];
    let keys = cases.map(|(key, _)| profile_key(key));
    let mut sum = [0; 16];
    for ((_, access), key) in cases.iter().zip(&keys) {
        assert_eq!(hex::encode(key.access_key().expose()), *access);
        sum.iter_mut().zip(hex::decode(access).unwrap()).for_each(|(sum, byte)| *sum ^= byte);
    }
    assert_eq!(group_access_key(&keys).expose(), &sum);
    let version = keys[2].version(&ServiceId::aci(ACI)).unwrap();
    assert_eq!(version, "c2c91fb6eaefc76e49c4bdea603a0efd19e8836bfc7dbdd0b271c77438fcdb1c");
    assert_ne!(keys[1].version(&ServiceId::aci(ACI)).unwrap(), version);
    assert_ne!(keys[2].version(&ServiceId::aci([0; 16])).unwrap(), version);
    assert_eq!(keys[2].version(&ServiceId::pni(ACI)), Err(Error::InvalidServiceId));
    assert_eq!(ProfileKey::from_bytes(&[0; 31]), Err(Error::InvalidArgument));
}

/// Against another implementation of HKDF.
#[test]
fn backup_keys_follow_from_the_entropy_pool() {
    let pool = "dtjs858asj6tv0jzsqrsmj0ubp335pisj98e9ssnss8myoc08drhtcktyawvx45l";
    let derive = |key: &[u8], info: &[&[u8]], length: usize| {
        let mut out = vec![0; length];
        Hkdf::<Sha256>::new(None, key).expand(&info.concat(), &mut out).unwrap();
        out
    };
    let key = AccountBackupKey::from_entropy_pool(pool);
    let expected = derive(pool.as_bytes(), &[b"20240801_SIGNAL_BACKUP_KEY"], 32);
    assert_eq!(key.secret().expose()[..], expected);
    assert_eq!(AccountBackupKey::from_bytes(&expected).unwrap(), key);
    let aci = ServiceId::aci(ACI);
    let id = derive(&expected, &[b"20241024_SIGNAL_BACKUP_ID:", &ACI], 16);
    assert_eq!(key.backup_id(&aci).unwrap()[..], id);
    let private = derive(&expected, &[b"20241024_SIGNAL_BACKUP_ID_KEYPAIR:", &ACI], 32);
    let public = KeyPair::from_private(key.backup_private_key(&aci).unwrap());
    let expected_public = sandi::keys::PrivateKey::decode(&private).unwrap().public_key();
    assert_eq!(public.public_key(), &expected_public);
    let media =
        derive(&expected, &[b"20241007_SIGNAL_BACKUP_MEDIA_ID:", "fotografía".as_bytes()], 15);
    assert_eq!(key.media_id("fotografía")[..], media);
    assert_eq!(key.backup_id(&ServiceId::pni(ACI)), Err(Error::InvalidServiceId));
    assert!(key.backup_private_key(&ServiceId::pni(ACI)).is_err());
    assert_eq!(AccountBackupKey::from_bytes(&[0; 33]), Err(Error::InvalidArgument));
}

#[test]
fn what_is_sealed_to_a_key_opens_with_it_and_nothing_else() {
    let mut rng = Fixed::new([]);
    let (key, other) = (KeyPair::generate(&mut rng), KeyPair::generate(&mut rng));
    for plaintext in [&b""[..], b"text", &[7; 1000]] {
        let sealed = seal(key.public_key(), b"info", b"aad", plaintext, &mut rng).unwrap();
        assert_eq!((sealed.len(), sealed[0]), (plaintext.len() + OVERHEAD, 1));
        assert_eq!(OVERHEAD, 49);
        let try_open = |sealed: &[u8]| open(key.private_key(), b"info", b"aad", sealed);
        assert_eq!(*try_open(&sealed).unwrap(), plaintext);
        let again = seal(key.public_key(), b"info", b"aad", plaintext, &mut rng).unwrap();
        assert_ne!(again[1..33], sealed[1..33], "a key of its own");
        let refused = |private: &KeyPair, info: &[u8], aad: &[u8]| {
            assert_eq!(open(private.private_key(), info, aad, &sealed), Err(Error::Rejected));
        };
        refused(&other, b"info", b"aad");
        refused(&key, b"other", b"aad");
        refused(&key, b"info", b"");
        for at in 1..sealed.len().min(60) {
            let mut sealed = sealed.clone();
            sealed[at] ^= 1;
            assert_eq!(try_open(&sealed), Err(Error::Rejected), "{at}");
        }
        for length in 0..33 {
            assert_eq!(try_open(&sealed[..length]), Err(Error::CiphertextTooShort(length)));
        }
        for length in 33..sealed.len() {
            assert_eq!(try_open(&sealed[..length]), Err(Error::Rejected), "{length}");
        }
        for suite in [0, 2, 255] {
            let sealed = [&[suite], &sealed[1..]].concat();
            assert_eq!(try_open(&sealed), Err(Error::UnrecognizedMessageVersion(suite)));
        }
    }
    let low_order = PublicKey::from_raw([0; 32]);
    assert_eq!(seal(&low_order, b"", b"", b"", &mut rng), Err(Error::InvalidKeyAgreement));
}

proptest! {
    #[test]
    fn any_bytes_are_refused(bytes in prop::collection::vec(any::<u8>(), 0..100)) {
        let key = KeyPair::generate(&mut Fixed::new([1; 32]));
        prop_assert!(open(key.private_key(), b"", b"", &bytes).is_err());
    }
}
