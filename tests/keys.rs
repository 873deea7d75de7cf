//! Keys, signatures and addresses: the conformance scenarios of spec 01, by number, and its vectors.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
#![allow(clippy::arithmetic_side_effects)]

use chacha20::ChaCha20Rng;
use curve25519_dalek::constants::EIGHT_TORSION;
use curve25519_dalek::edwards::EdwardsPoint;
use curve25519_dalek::montgomery::MontgomeryPoint;
use curve25519_dalek::scalar::Scalar;
use proptest::prelude::*;
use rand_core::{Rng, SeedableRng};
use sandi::keys::{
    IdentityKey, IdentityKeyPair, KemCiphertext, KemKeyPair, KemPublicKey, KemSecretKey, KemType,
    KeyPair, PrivateKey, PublicKey,
};
use sandi::{DeviceId, Error, Secret, ServiceId, ServiceIdKind};
use sha2::{Digest, Sha512};

fn rng(seed: u64) -> ChaCha20Rng {
    ChaCha20Rng::seed_from_u64(seed)
}

fn bytes<const N: usize>(text: &str) -> [u8; N] {
    hex::decode(text).unwrap().try_into().unwrap()
}

/// The order of the base point, L, little-endian.
fn order() -> [u8; 32] {
    bytes("edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010")
}

/// `a + b` as 256-bit little-endian integers.
fn add(a: &[u8], b: &[u8; 32]) -> [u8; 32] {
    let mut carry = 0;
    let mut out = [0; 32];
    for ((to, a), b) in out.iter_mut().zip(a).zip(b) {
        let sum = u16::from(*a) + u16::from(*b) + carry;
        *to = sum as u8;
        carry = sum >> 8;
    }
    assert_eq!(carry, 0);
    out
}

#[test]
fn s01_public_keys_decode_33_bytes_of_type_5() {
    let encoded = KeyPair::generate(&mut rng(1)).public_key().encode();
    assert_eq!(encoded[0], 5);
    let key = PublicKey::decode(&encoded).unwrap();
    assert_eq!(key.encode(), encoded);
    assert_eq!(key.as_raw()[..], encoded[1..]);
    assert_eq!(PublicKey::from_raw(*key.as_raw()), key);

    let mut other_type = encoded;
    other_type[0] = 1;
    assert_eq!(PublicKey::decode(&other_type), Err(Error::BadKeyType(1)));
    assert_eq!(PublicKey::decode(&[]), Err(Error::NoKeyTypeIdentifier));
    assert_eq!(PublicKey::decode(&encoded[..32]), Err(Error::BadKeyLength(32)));
    assert_eq!(PublicKey::decode(&[5]), Err(Error::BadKeyLength(1)));
    // 32 bytes without a type byte: whatever the first byte is, an error.
    for first in 0..=255 {
        let mut raw = *key.as_raw();
        raw[0] = first;
        let expected = if first == 5 { Error::BadKeyLength(32) } else { Error::BadKeyType(first) };
        assert_eq!(PublicKey::decode(&raw), Err(expected));
    }
    // 34 bytes are accepted and encode to 33.
    let long = [&encoded[..], &[0xAA]].concat();
    assert_eq!(PublicKey::decode(&long).unwrap().encode(), encoded);
    // Verbatim: bit 255 stays, and makes another key.
    let mut high = encoded;
    high[32] ^= 0x80;
    assert_eq!(PublicKey::decode(&high).unwrap().encode(), high);
    assert_ne!(PublicKey::decode(&high).unwrap(), key);
}

#[test]
fn s02_private_keys_decode_32_bytes_and_are_clamped() {
    for length in [0, 31, 33, 64] {
        assert_eq!(PrivateKey::decode(&vec![1; length]), Err(Error::BadKeyLength(length)));
    }
    let mut clamped_zero = [0; 32];
    clamped_zero[31] = 0x40;
    let zero = PrivateKey::decode(&[0; 32]).unwrap();
    assert_eq!(zero.secret().expose(), &clamped_zero);
    let mut clamped_ones = [0xFF; 32];
    clamped_ones[0] = 0xF8;
    clamped_ones[31] = 0x7F;
    let ones = PrivateKey::decode(&[0xFF; 32]).unwrap();
    assert_eq!(ones.secret().expose(), &clamped_ones);
    let generated = PrivateKey::generate(&mut rng(2));
    assert_eq!(PrivateKey::decode(generated.secret().expose()).unwrap(), generated);
    // The halves of a pair are not checked to belong together.
    let stranger = PublicKey::from_raw([9; 32]);
    let pair = KeyPair::from_parts(stranger, generated);
    assert_eq!(pair.public_key(), &stranger);
}

#[test]
fn s03_agreement_vector_in_both_directions() {
    let alice = PrivateKey::decode(&bytes::<32>(
        "c806439dc9d2c476ffed8f2580c0888d58ab406bf7ae3698879021b96bb4bf59",
    ))
    .unwrap();
    let alice_public = PublicKey::from_raw(bytes(
        "1bb75966f2e93a3691dfff942bb2a466a1c08b8d78ca3f4d6df8b8bfa2e4ee28",
    ));
    let bob = PrivateKey::decode(&bytes::<32>(
        "b03b34c33a1c44f225b662d2bf4859b8135411fa7b0386d45fb75dc5b91b4466",
    ))
    .unwrap();
    let bob_public = PublicKey::from_raw(bytes(
        "653614993d2b15ee9e5fd3d86ce719ef4ec1daae1886a87b3f5fa9565a27a22f",
    ));
    let shared =
        Secret::new(bytes("325f239328941ced6e673b86ba41017448e99b649a9c3806c1dd7ca4c477e629"));
    assert_eq!(alice.public_key(), alice_public);
    assert_eq!(bob.public_key(), bob_public);
    assert_eq!(alice.agree(&bob_public).unwrap(), shared);
    assert_eq!(bob.agree(&alice_public).unwrap(), shared);
}

#[test]
fn s03_fifty_random_pairs_agree() {
    let mut rng = rng(3);
    for _ in 0..50 {
        let (a, b) = (KeyPair::generate(&mut rng), KeyPair::generate(&mut rng));
        let ab = a.private_key().agree(b.public_key()).unwrap();
        assert_eq!(ab, b.private_key().agree(a.public_key()).unwrap());
        // Bit 255 of the peer's key is ignored.
        let mut raw = *b.public_key().as_raw();
        raw[31] |= 0x80;
        assert_eq!(ab, a.private_key().agree(&PublicKey::from_raw(raw)).unwrap());
    }
}

#[test]
fn s04_agreement_with_low_order_points_is_refused() {
    let private = PrivateKey::generate(&mut rng(4));
    let mut low_order: Vec<[u8; 32]> =
        EIGHT_TORSION.iter().map(|point| point.to_montgomery().to_bytes()).collect();
    let mut one = [0; 32];
    one[0] = 1;
    // u = 0, u = 1, u = -1, p and p + 1, not reduced
    low_order.extend([[0; 32], one]);
    for low in [0xEC, 0xED, 0xEE] {
        let mut raw = [0xFF; 32];
        raw[0] = low;
        raw[31] = 0x7F;
        low_order.push(raw);
    }
    for raw in low_order {
        for top in [0, 0x80] {
            let mut raw = raw;
            raw[31] |= top;
            let result = private.agree(&PublicKey::from_raw(raw));
            assert_eq!(result.unwrap_err(), Error::InvalidKeyAgreement, "{raw:02x?}");
        }
    }
}

#[test]
fn s05_signature_vector_verifies_and_no_flipped_bit_does() {
    let identity = PrivateKey::decode(&bytes::<32>(
        "c097248412e58bf05df487968205132794178e367637f5818f81e0e6ce73e865",
    ))
    .unwrap();
    let public = PublicKey::from_raw(bytes(
        "ab7e717d4a163b7d9a1d8071dfe9dcf8cdcd1cea3339b6356be84d887e322c64",
    ));
    let message: [u8; 33] =
        bytes("05edce9d9c415ca78cb7252e72c2c4a554d3eb29485a0e1d503118d1a82d99fb4a");
    let signature: [u8; 64] = bytes(
        "5de88ca9a89b4a115da79109c67c9c7464a3e4180274f1cb8c63c2984e286dfb\
         ede82deb9dcd9fae0bfbb821569b3d9001bd8130cd11d486cef047bd60b86e88",
    );
    assert_eq!(identity.public_key(), public);
    assert!(public.verify(&message, &signature));
    for at in 0..64 {
        for bit in 0..8 {
            let mut flipped = signature;
            flipped[at] ^= 1 << bit;
            assert!(!public.verify(&message, &flipped), "byte {at} bit {bit}");
        }
    }
    for at in 0..33 {
        let mut flipped = message;
        flipped[at] ^= 1;
        assert!(!public.verify(&flipped, &signature));
    }
}

#[test]
fn s06_a_message_of_one_mebibyte() {
    let mut rng = rng(6);
    let pair = KeyPair::generate(&mut rng);
    let mut message = vec![0; 1 << 20];
    rng.fill_bytes(&mut message);
    let signature = pair.private_key().sign(&message, &mut rng);
    assert!(pair.public_key().verify(&message, &signature));
    message[777_777] ^= 1;
    assert!(!pair.public_key().verify(&message, &signature));
}

#[test]
fn s07_pieces_sign_as_their_concatenation() {
    let mut rng = rng(7);
    let pair = KeyPair::generate(&mut rng);
    let pieces: &[&[u8]] = &[b"one ", b"", b"message", b" in pieces"];
    let whole = pieces.concat();
    let (public, private) = (pair.public_key(), pair.private_key());
    let of_pieces = private.sign_parts(pieces, &mut rng);
    let of_whole = private.sign(&whole, &mut rng);
    for signature in [of_pieces, of_whole] {
        assert!(public.verify(&whole, &signature));
        assert!(public.verify_parts(pieces, &signature));
        assert!(!public.verify_parts(&pieces[1..], &signature));
    }
    assert_ne!(of_pieces, of_whole);
}

#[test]
fn s08_a_signature_of_another_length_is_false() {
    let mut rng = rng(8);
    let pair = KeyPair::generate(&mut rng);
    let signature = pair.private_key().sign(b"m", &mut rng);
    let long = [&signature[..], &[0; 2]].concat();
    for length in [0, 1, 32, 63, 65, 66] {
        assert!(!pair.public_key().verify(b"m", &long[..length]));
    }
    assert!(pair.public_key().verify(b"m", &long[..64]));
}

#[test]
fn s09_s_is_bounded_by_2_to_the_253_only() {
    let mut rng = rng(9);
    for _ in 0..20 {
        let pair = KeyPair::generate(&mut rng);
        let signature = pair.private_key().sign(b"m", &mut rng);
        let sign = signature[63] & 0x80;
        let mut s: [u8; 32] = signature[32..].try_into().unwrap();
        s[31] &= 0x7F;
        let with = |s: [u8; 32]| {
            let mut changed = signature;
            changed[32..].copy_from_slice(&s);
            changed[63] |= sign;
            changed
        };
        // s + L is below 2^253 and accepted; s + 2L is not below it.
        let once = add(&s, &order());
        assert!(once[31] & 0xE0 == 0);
        assert!(pair.public_key().verify(b"m", &with(once)));
        let twice = add(&once, &order());
        assert!(twice[31] & 0xE0 != 0);
        assert!(!pair.public_key().verify(b"m", &with(twice)));
        for bits in [0x20, 0x40, 0x60] {
            let mut high = s;
            high[31] |= bits;
            assert!(!pair.public_key().verify(b"m", &with(high)));
        }
    }
}

#[test]
fn s10_a_signer_that_forces_the_sign_to_zero_verifies() {
    // XEdDSA as published: the scalar is negated where the Edwards key's sign bit is set.
    let mut rng = rng(10);
    let mut negated = 0;
    for _ in 0..20 {
        let pair = KeyPair::generate(&mut rng);
        let mut a = Scalar::from_bytes_mod_order(*pair.private_key().secret().expose());
        if EdwardsPoint::mul_base(&a).compress().to_bytes()[31] & 0x80 != 0 {
            a = -a;
            negated += 1;
        }
        let big_a = EdwardsPoint::mul_base(&a).compress().to_bytes();
        assert_eq!(big_a[31] & 0x80, 0);
        let mut wide = [0; 64];
        rng.fill_bytes(&mut wide);
        let r = Scalar::from_bytes_mod_order_wide(&wide);
        let big_r = EdwardsPoint::mul_base(&r).compress().to_bytes();
        let hash = Sha512::new().chain_update(big_r).chain_update(big_a).chain_update(b"m");
        let h = Scalar::from_bytes_mod_order_wide(&hash.finalize().into());
        let signature = [big_r, (h * a + r).to_bytes()].concat();
        assert!(pair.public_key().verify(b"m", &signature));
    }
    assert!((1..20).contains(&negated));
}

#[test]
fn s04_1_signing_is_the_formula_of_the_specification() {
    // Spec 03 §8: the signature by IK_B over SPK_B with Z = 00 01 .. 3f.
    struct Counting(u8);
    impl rand_core::TryRng for Counting {
        type Error = core::convert::Infallible;
        fn try_next_u32(&mut self) -> Result<u32, Self::Error> {
            panic!("bytes only")
        }
        fn try_next_u64(&mut self) -> Result<u64, Self::Error> {
            panic!("bytes only")
        }
        fn try_fill_bytes(&mut self, out: &mut [u8]) -> Result<(), Self::Error> {
            for byte in out {
                *byte = self.0;
                self.0 += 1;
            }
            Ok(())
        }
    }
    impl rand_core::TryCryptoRng for Counting {}

    let private = |text| PrivateKey::decode(&bytes::<32>(text)).unwrap();
    let identity = private("6064d2eae1ebb7fb75b5445bebd65f230d2bd452a53861de8e3bd0b5590f8f46");
    let signed = private("a0c7cb0901e0f6936af0b242bc86e991dd5d15410f49f217f0d060f40e394a4e");
    let signature = identity.sign(&signed.public_key().encode(), &mut Counting(0));
    let expected: [u8; 64] = bytes(
        "47c24f1f6636d2fbf006af0d9be7ad3c46abe79725826dde80657850acc0c6c7\
         08134c99e34a274bcdf000f7bb5a50a399e8b501a2285c9cec59594b8330a905",
    );
    assert_eq!(signature, expected);
}

#[test]
fn s11_alternate_identities() {
    let mut rng = rng(11);
    let [aci, pni, stranger] = [(); 3].map(|()| IdentityKeyPair::generate(&mut rng));
    let first = aci.sign_alternate_identity(pni.identity_key(), &mut rng);
    let second = aci.sign_alternate_identity(pni.identity_key(), &mut rng);
    assert_ne!(first, second);
    for signature in [first, second] {
        let claim = |by: &IdentityKeyPair, of: &IdentityKeyPair| {
            by.identity_key().verify_alternate_identity(of.identity_key(), &signature)
        };
        assert!(claim(&aci, &pni));
        assert!(!claim(&pni, &aci));
        assert!(!claim(&aci, &stranger));
        assert!(!claim(&stranger, &pni));
        assert!(!claim(&aci, &aci));
        // The signed bytes are those of spec 01 §6.
        let message =
            [&[0xFF; 32][..], b"Signal_PNI_Signature", &pni.identity_key().encode()].concat();
        assert!(aci.identity_key().public_key().verify(&message, &signature));
    }
}

#[test]
fn s12_is_canonical() {
    let mut rng = rng(12);
    let mut torsion_met = 0;
    for _ in 0..10 {
        let pair = KeyPair::generate(&mut rng);
        assert!(pair.public_key().is_canonical());

        // An honest key plus any non-trivial 8-torsion point.
        let honest = MontgomeryPoint(*pair.public_key().as_raw()).to_edwards(0).unwrap();
        for torsion in &EIGHT_TORSION[1..] {
            let raw = (honest + torsion).to_montgomery().to_bytes();
            assert!(!PublicKey::from_raw(raw).is_canonical());
            torsion_met += 1;
        }
        // Bit 255.
        let mut raw = *pair.public_key().as_raw();
        raw[31] |= 0x80;
        assert!(!PublicKey::from_raw(raw).is_canonical());
        // A point of the quadratic twist has no Edwards image.
        let twist = loop {
            let mut raw = [0; 32];
            rng.fill_bytes(&mut raw);
            raw[31] &= 0x7F;
            if MontgomeryPoint(raw).to_edwards(0).is_none() {
                break raw;
            }
        };
        assert!(!PublicKey::from_raw(twist).is_canonical());
    }
    assert_eq!(torsion_met, 70);
    // 2^255 - 1 down to 2^255 - 19 are not reduced; 2^255 - 20 is, but is u = -1.
    for low in 0xEC..=0xFF {
        let mut raw = [0xFF; 32];
        raw[0] = low;
        raw[31] = 0x7F;
        assert!(!PublicKey::from_raw(raw).is_canonical(), "{low:02x}");
    }
    // 0 is reduced, and of order 2; 9 is the base point, and 9 + p the same point not reduced.
    assert!(!PublicKey::from_raw([0; 32]).is_canonical());
    let mut nine = [0; 32];
    nine[0] = 9;
    assert!(PublicKey::from_raw(nine).is_canonical());
    let mut nine_plus_p = [0xFF; 32];
    nine_plus_p[0] = 0xF6;
    nine_plus_p[31] = 0x7F;
    assert!(!PublicKey::from_raw(nine_plus_p).is_canonical());
}

#[test]
fn s13_kem_encodings_are_exact_and_typed() {
    let mut rng = rng(13);
    let pair = KemKeyPair::generate(KemType::Kyber1024, &mut rng);
    let public = pair.public_key().encode();
    let (ciphertext, _) = pair.public_key().encapsulate(&mut rng);
    let ciphertext = ciphertext.encode();
    let secret = [&[0x08][..], pair.secret_key().secret().expose()].concat();
    assert_eq!((public.len(), secret.len(), ciphertext.len()), (1569, 3169, 1569));
    assert_eq!((public[0], ciphertext[0]), (0x08, 0x08));
    assert_eq!(&KemPublicKey::decode(&public).unwrap(), pair.public_key());
    assert_eq!(KemCiphertext::decode(&ciphertext).unwrap().encode(), ciphertext);
    let decoded = KemSecretKey::decode(&secret).unwrap();
    assert!(decoded.secret() == pair.secret_key().secret());

    // A byte too many or missing.
    let long = |bytes: &[u8]| [bytes, &[0]].concat();
    for (bytes, length) in [(&public[..1568], 1568), (&long(&public), 1570), (&public[..1], 1)] {
        assert_eq!(KemPublicKey::decode(bytes).unwrap_err(), Error::BadKemKeyLength(length));
    }
    for (bytes, length) in [(&secret[..3168], 3168), (&long(&secret), 3170)] {
        assert_eq!(KemSecretKey::decode(bytes).unwrap_err(), Error::BadKemKeyLength(length));
    }
    for (bytes, length) in [(&ciphertext[..1568], 1568), (&long(&ciphertext), 1570)] {
        let error = KemCiphertext::decode(bytes).unwrap_err();
        assert_eq!(error, Error::BadKemCiphertextLength(length));
    }
    // Empty, and types that are not enabled.
    assert_eq!(KemPublicKey::decode(&[]).unwrap_err(), Error::NoKeyTypeIdentifier);
    assert_eq!(KemSecretKey::decode(&[]).unwrap_err(), Error::NoKeyTypeIdentifier);
    assert_eq!(KemCiphertext::decode(&[]).unwrap_err(), Error::NoKeyTypeIdentifier);
    for kem in [0x00, 0x05, 0x07, 0x0A, 0xFF] {
        let typed = |bytes: &[u8]| [&[kem], &bytes[1..]].concat();
        let error = Error::BadKemKeyType(kem);
        assert_eq!(KemPublicKey::decode(&typed(&public)).unwrap_err(), error);
        assert_eq!(KemSecretKey::decode(&typed(&secret)).unwrap_err(), error);
        assert_eq!(KemCiphertext::decode(&typed(&ciphertext)).unwrap_err(), error);
    }
}

#[test]
fn s13_a_ciphertext_of_another_type_than_the_key_is_refused() {
    let mut rng = rng(130);
    let kyber = KemKeyPair::generate(KemType::Kyber1024, &mut rng);
    let ml_kem = KemKeyPair::generate(KemType::MlKem1024, &mut rng);
    let (ciphertext, _) = ml_kem.public_key().encapsulate(&mut rng);
    let error = Error::WrongKemKeyType { got: 0x0A, expected: 0x08 };
    assert_eq!(kyber.secret_key().decapsulate(&ciphertext).unwrap_err(), error);
    let secret = [&[0x08][..], kyber.secret_key().secret().expose()].concat();
    let secret = KemSecretKey::decode(&secret).unwrap();
    let mixed = KemKeyPair::from_parts(ml_kem.public_key().clone(), secret);
    assert_eq!(mixed.unwrap_err(), error);
    // Where the type is enabled, it decodes.
    let enabled = &[KemType::MlKem1024][..];
    let encoded = ml_kem.public_key().encode();
    assert_eq!(&KemPublicKey::decode_any(&encoded, enabled).unwrap(), ml_kem.public_key());
}

#[test]
fn s14_kem_agreement_and_implicit_rejection() {
    let mut rng = rng(14);
    for kem in [KemType::Kyber1024, KemType::MlKem1024] {
        let pair = KemKeyPair::generate(kem, &mut rng);
        let (ciphertext, shared) = pair.public_key().encapsulate(&mut rng);
        assert_eq!(pair.secret_key().decapsulate(&ciphertext).unwrap(), shared);
        for at in [1, 700, 1568] {
            let mut corrupted = ciphertext.encode();
            corrupted[at] ^= 1;
            let corrupted = KemCiphertext::decode_any(&corrupted, &[kem]).unwrap();
            let other = pair.secret_key().decapsulate(&corrupted).unwrap();
            assert_ne!(other, shared);
            // Pseudo-random, not random.
            assert_eq!(pair.secret_key().decapsulate(&corrupted).unwrap(), other);
        }
    }
}

#[test]
fn s15_identity_key_pairs_encode_to_69_bytes() {
    let pair = IdentityKeyPair::generate(&mut rng(15));
    let encoded = pair.encode();
    let encoded = encoded.expose();
    let public = pair.identity_key().encode();
    let private = pair.private_key().secret().expose();
    let expected = [&[0x0A, 0x21][..], &public, &[0x12, 0x20], private].concat();
    assert_eq!(encoded.len(), 69);
    assert_eq!(&encoded[..], expected);
    assert_eq!(IdentityKeyPair::decode(encoded).unwrap(), pair);
    assert_eq!(IdentityKey::decode(&public).unwrap(), *pair.identity_key());

    // In the other order, too; the errors are those of the keys.
    let turned = [&encoded[35..], &encoded[..35]].concat();
    assert_eq!(IdentityKeyPair::decode(&turned).unwrap(), pair);
    let decode = |bytes: &[u8]| IdentityKeyPair::decode(bytes).unwrap_err();
    assert_eq!(decode(&encoded[..68]), Error::InvalidProtobuf);
    assert_eq!(decode(&[]), Error::NoKeyTypeIdentifier);
    assert_eq!(decode(&encoded[35..]), Error::NoKeyTypeIdentifier);
    assert_eq!(decode(&encoded[..35]), Error::BadKeyLength(0));
    let mut other_type = *encoded;
    other_type[2] = 6;
    assert_eq!(decode(&other_type), Error::BadKeyType(6));
}

const UUID: [u8; 16] = [
    0x9d, 0x06, 0x52, 0xa3, 0xdc, 0xc3, 0x4d, 0x11, 0x97, 0x5f, 0x74, 0xd6, 0x15, 0x98, 0x73, 0x3f,
];
const TEXT: &str = "9d0652a3-dcc3-4d11-975f-74d61598733f";

#[test]
fn s16_service_ids_round_trip_in_three_forms() {
    for (id, kind, mark, variable, text) in [
        (ServiceId::aci(UUID), ServiceIdKind::Aci, 0, UUID.to_vec(), TEXT.to_owned()),
        (
            ServiceId::pni(UUID),
            ServiceIdKind::Pni,
            1,
            [&[1][..], &UUID].concat(),
            format!("PNI:{TEXT}"),
        ),
    ] {
        assert_eq!((id.kind(), id.uuid()), (kind, &UUID));
        assert_eq!(id.to_fixed_width()[..], [&[mark][..], &UUID].concat());
        assert_eq!(ServiceId::from_fixed_width(&id.to_fixed_width()), Ok(id));
        assert_eq!(id.to_variable_width(), variable);
        assert_eq!(ServiceId::from_variable_width(&variable), Ok(id));
        assert_eq!(id.to_string(), text);
        assert_eq!(ServiceId::parse(&text), Ok(id));
    }
    let upper = TEXT.to_uppercase();
    assert_eq!(ServiceId::parse(&upper), Ok(ServiceId::aci(UUID)));
    assert_eq!(ServiceId::parse(&format!("PNI:{upper}")), Ok(ServiceId::pni(UUID)));
    // Any UUID is acceptable.
    let nil = "00000000-0000-0000-0000-000000000000";
    assert_eq!(ServiceId::parse(nil), Ok(ServiceId::aci([0; 16])));
}

#[test]
fn s16_a_marked_aci_is_of_the_fixed_width_form_only() {
    let marked = [&[0][..], &UUID].concat();
    assert_eq!(ServiceId::from_variable_width(&marked), Err(Error::InvalidServiceId));
    assert_eq!(ServiceId::from_fixed_width(&marked), Ok(ServiceId::aci(UUID)));
    let unknown = [&[2][..], &UUID].concat();
    assert_eq!(ServiceId::from_variable_width(&unknown), Err(Error::InvalidServiceId));
    assert_eq!(ServiceId::from_fixed_width(&unknown), Err(Error::InvalidServiceId));
}

#[test]
fn s16_other_service_ids_are_refused() {
    let bare = TEXT.replace('-', "");
    for text in [
        "",
        "PNI:",
        &bare,
        &format!("PNI:{bare}"),
        &format!("{{{TEXT}}}"),
        &format!("urn:uuid:{TEXT}"),
        &format!("ACI:{TEXT}"),
        &format!("aci:{TEXT}"),
        &format!("pni:{TEXT}"),
        &format!("PNI{TEXT}"),
        &format!("PNI:PNI:{TEXT}"),
        &format!("PNI: {TEXT}"),
        &format!("{TEXT} "),
        &format!(" {TEXT}"),
        &format!("{TEXT}\n"),
        &TEXT[..35],
        &format!("{TEXT}0"),
        &TEXT.replace('9', "g"),
        &TEXT.replacen("9d", "+9", 1),
        "9d0652a-3dcc3-4d11-975f-74d61598733f",
        "9d0652a3-dcc3-4d11-975f-74d6159873-f",
        "9d0652a3_dcc3_4d11_975f_74d61598733f",
        // 36 bytes with a character that takes two.
        "9d0652a3-dcc3-4d11-975f-74d61598733é",
        "9d0652a3-dcc3-4d11-975f-74d6159873é",
    ] {
        assert_eq!(ServiceId::parse(text), Err(Error::InvalidServiceId), "{text:?}");
    }
    for length in [0, 1, 15, 18] {
        let bytes = vec![1; length];
        assert_eq!(ServiceId::from_variable_width(&bytes), Err(Error::InvalidServiceId));
        assert_eq!(ServiceId::from_fixed_width(&bytes), Err(Error::InvalidServiceId));
    }
    assert_eq!(ServiceId::from_fixed_width(&[1; 16]), Err(Error::InvalidServiceId));
}

#[test]
fn s17_service_ids_are_ordered_as_their_fixed_width_form() {
    let uuids = [[0; 16], UUID, [0xFF; 16], [0x7F; 16]];
    let mut ids: Vec<_> =
        uuids.into_iter().flat_map(|uuid| [ServiceId::pni(uuid), ServiceId::aci(uuid)]).collect();
    ids.sort();
    let fixed: Vec<_> = ids.iter().map(ServiceId::to_fixed_width).collect();
    assert!(fixed.is_sorted());
    assert!(ids[..4].iter().all(|id| id.kind() == ServiceIdKind::Aci));
}

#[test]
fn s18_device_ids_are_1_to_127() {
    for id in [1, 2, 126, 127] {
        assert_eq!(u32::from(DeviceId::new(id).unwrap().get()), id);
    }
    for id in [0, 128, 255, 256, 257, u32::MAX] {
        assert_eq!(DeviceId::new(id), Err(Error::InvalidProtocolAddress));
    }
    // The older dialect's range.
    assert_eq!(DeviceId::new_v3(0).unwrap().get(), 0);
    assert_eq!(DeviceId::new_v3(255).unwrap().get(), 255);
    assert_eq!(DeviceId::new_v3(256), Err(Error::InvalidProtocolAddress));
}

proptest! {
    #[test]
    fn any_bytes_never_panic_in_a_key_decoder(bytes in prop::collection::vec(any::<u8>(), 0..80)) {
        let _ = (PublicKey::decode(&bytes), PrivateKey::decode(&bytes), IdentityKeyPair::decode(&bytes));
        let _ = (KemPublicKey::decode(&bytes), KemSecretKey::decode(&bytes), KemCiphertext::decode(&bytes));
        let _ = (ServiceId::from_fixed_width(&bytes), ServiceId::from_variable_width(&bytes));
        let _ = ServiceId::parse(&String::from_utf8_lossy(&bytes));
        if let Some(raw) = bytes.first_chunk() {
            let key = PublicKey::from_raw(*raw);
            let _ = (key.is_canonical(), key.verify(&bytes, &bytes[16..]));
        }
    }

    #[test]
    fn service_ids_parse_what_they_print(uuid in any::<[u8; 16]>(), pni in any::<bool>()) {
        let id = if pni { ServiceId::pni(uuid) } else { ServiceId::aci(uuid) };
        prop_assert_eq!(ServiceId::parse(&id.to_string()), Ok(id));
        prop_assert_eq!(ServiceId::from_variable_width(&id.to_variable_width()), Ok(id));
    }

    #[test]
    fn signatures_verify_and_only_for_their_key_and_message(seed in any::<u64>(), message in prop::collection::vec(any::<u8>(), 0..200)) {
        let mut rng = rng(seed);
        let (pair, other) = (KeyPair::generate(&mut rng), KeyPair::generate(&mut rng));
        let signature = pair.private_key().sign(&message, &mut rng);
        prop_assert!(pair.public_key().verify(&message, &signature));
        prop_assert!(!other.public_key().verify(&message, &signature));
        prop_assert!(!pair.public_key().verify(&[&message[..], &[0]].concat(), &signature));
    }
}
