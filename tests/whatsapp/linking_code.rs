//! Spec 22 §7 and §8, spec 09 §4: linking by an 8-character code, with a passkey, and in the Signal family.
//! `pairing_code.json`, `passkey_pairing.json`.

use aes::Aes256;
use aes::cipher::{BlockCipherEncrypt, KeyInit};
use sandi::keys::{IdentityKeyPair, KeyPair, PrivateKey, PublicKey};
use sandi::linking::*;
use sandi::{Error, Secret, Timestamp};
use serde_json::Value;

use crate::data::{self, Fixed, array, hex, items, number, text};
use crate::linking::{NOW, pair};

fn key(case: &Value, name: &str) -> PublicKey {
    PublicKey::from_raw(array(case, name))
}

fn identity(case: &Value, name: &str) -> IdentityKeyPair {
    IdentityKeyPair::from_private(PrivateKey::decode(&hex(case, name)).unwrap())
}

fn later(seconds: u64) -> Timestamp {
    Timestamp(NOW.as_millis() + seconds * 1000)
}

/// The plaintext of AES-256-GCM with a 12-byte nonce, whose tag is not looked at.
fn gcm_plaintext(key: &[u8], iv: &[u8], ciphertext: &[u8]) -> Vec<u8> {
    let cipher = Aes256::new_from_slice(key).unwrap();
    let mut out = ciphertext.to_vec();
    for (counter, chunk) in (2_u32..).zip(out.chunks_mut(16)) {
        let block: [u8; 16] = [iv, &counter.to_be_bytes()].concat().try_into().unwrap();
        let mut block = block.into();
        cipher.encrypt_block(&mut block);
        chunk.iter_mut().zip(block).for_each(|(byte, stream)| *byte ^= stream);
    }
    out
}

fn hkdf(ikm: &[u8], salt: &[u8], info: &[u8]) -> [u8; 32] {
    let mut out = [0; 32];
    hkdf::Hkdf::<sha2::Sha256>::new(Some(salt), ikm).expand(info, &mut out).unwrap();
    out
}

#[test]
fn pairing_code_vectors_replay_on_both_sides() {
    let vectors = data::whatsapp("pairing_code");
    for case in items(&vectors, "cases") {
        assert_eq!(number(case, "pbkdf2Iterations"), 131_072);
        let code = || LinkingCode::parse(text(case, "code")).unwrap();
        let (companion, primary) =
            (identity(case, "companionIdentityPriv"), identity(case, "primaryIdentityPriv"));
        let (wrapped_companion, wrapped_primary) =
            (hex(case, "wrappedCompanionEphemeralPub"), hex(case, "wrappedPrimaryEphemeralPub"));
        let bundle = hex(case, "wrappedKeyBundle");

        // r, which no API shows: from the bundle itself
        let companion_ephemeral = PrivateKey::decode(&hex(case, "companionEphemeralPriv")).unwrap();
        let s1 = companion_ephemeral.agree(&key(case, "primaryEphemeralPub")).unwrap();
        let info = b"link_code_pairing_key_bundle_encryption_key";
        let bundle_key = hkdf(s1.expose(), &bundle[..32], info);
        let content = gcm_plaintext(&bundle_key, &bundle[32..44], &bundle[44..140]);
        assert_eq!(&content[..32], companion.identity_key().public_key().as_raw());
        assert_eq!(&content[32..64], primary.identity_key().public_key().as_raw());

        // the companion's side, with the draws that were made then
        let draws = [
            hex(case, "companionEphemeralPriv"),
            wrapped_companion[..48].to_vec(),
            content[64..].to_vec(),
            bundle[..44].to_vec(),
        ];
        let mut rng = Fixed::new(draws.concat());
        let mut ours = CodeCompanion::with(code(), NOW, &mut rng).unwrap();
        assert_eq!(ours.wrapped_ephemeral(), wrapped_companion.as_slice());
        let primary_key = key(case, "primaryIdentityPub");
        let answered =
            ours.answer(&companion, &wrapped_primary, &primary_key, NOW, &mut rng).unwrap();
        assert_eq!(answered.bundle, bundle);
        assert_eq!(answered.pending.adv_secret().expose(), &array(case, "advSecret"));
        assert_eq!(answered.pending.primary(), Some(primary.identity_key()));

        // the primary's side
        let draws = [hex(case, "primaryEphemeralPriv"), wrapped_primary[..48].to_vec()];
        let mut rng = Fixed::new(draws.concat());
        let theirs = CodePrimary::start(&code(), &wrapped_companion, &mut rng).unwrap();
        assert_eq!(theirs.wrapped_ephemeral(), wrapped_primary.as_slice());
        let companion_key = key(case, "companionIdentityPub");
        let request = theirs.finish(&primary, &companion_key, &bundle).unwrap();
        assert_eq!(request.adv_secret().expose(), &array(case, "advSecret"));
        assert_eq!(request.identity(), companion.identity_key());
    }
}

#[test]
fn linking_by_code_to_the_end_and_with_everything_that_can_be_wrong() {
    let (account, device) = (pair(1), pair(2));
    let (account_key, device_key) =
        (*account.identity_key().public_key(), *device.identity_key().public_key());
    let mut rng = Fixed::new([]);
    let mut companion = CodeCompanion::start(NOW, &mut rng).unwrap();
    // as the user sees it, and types it
    let shown = companion.code().to_text().to_string();
    let code = LinkingCode::parse(&shown.to_lowercase()).unwrap();
    assert_eq!(&code, companion.code());
    assert!(!format!("{companion:?} {code:?}").contains(&shown));

    // drawn from a fixed generator, to have it again below
    let drawn = || Fixed::new([9; 80]);
    let primary = start(&code, &companion, &mut drawn());
    // a mistyped code: nobody notices before the bundle
    let typo = LinkingCode::parse("2222-2222").unwrap();
    let mistyped = start(&typo, &companion, &mut rng);
    let liar = start(&code, &companion, &mut rng);

    let wrapped = *mistyped.wrapped_ephemeral();
    let answered = companion.answer(&device, &wrapped, &account_key, NOW, &mut rng).unwrap();
    let refused = mistyped.finish(&account, &device_key, &answered.bundle).unwrap_err();
    assert_eq!(refused, Error::Rejected);

    // identities that differ from those in the clear
    let wrapped = *liar.wrapped_ephemeral();
    let answered = companion.answer(&device, &wrapped, &account_key, NOW, &mut rng).unwrap();
    let other = *pair(3).identity_key().public_key();
    let refused = liar.finish(&account, &other, &answered.bundle).unwrap_err();
    assert_eq!(refused, Error::IdentityMismatch);

    let wrapped = *primary.wrapped_ephemeral();
    let answered = companion.answer(&device, &wrapped, &account_key, later(180), &mut rng).unwrap();
    let mut bundle = answered.bundle.clone();
    *bundle.last_mut().unwrap() ^= 1;
    for (bundle, error) in [
        (&bundle[..], Error::Rejected),
        (&answered.bundle[..155], Error::CiphertextTooShort(155)),
        (&[][..], Error::CiphertextTooShort(0)),
    ] {
        // a state is used once, so each has its own
        let state = start(&code, &companion, &mut drawn());
        assert_eq!(state.finish(&account, &device_key, bundle).unwrap_err(), error);
    }
    let request = primary.finish(&account, &device_key, &answered.bundle).unwrap();
    let state = Primary::new(3, EncryptionType::E2ee);
    let made = state.link(&account, &request, LinkingKind::default(), NOW, &mut rng).unwrap();

    // the account key must be the primary that was seen in the clear: another account that knows the secret
    // is refused (here the same primary, seen as another one)
    let linked = answered.pending.accept(&device, &made.container, &mut rng).unwrap();
    assert_eq!(made.pending.finish(&linked.reply).unwrap(), linked.device_identity);

    // a fourth answer
    let refused = companion.answer(&device, &wrapped, &account_key, NOW, &mut rng).unwrap_err();
    assert_eq!(refused, Error::TooManyAttempts);
}

fn start(code: &LinkingCode, companion: &CodeCompanion, rng: &mut Fixed) -> CodePrimary {
    CodePrimary::start(code, companion.wrapped_ephemeral(), rng).unwrap()
}

#[test]
fn the_account_key_must_be_the_primary_that_was_seen() {
    let (account, impostor, device) = (pair(1), pair(9), pair(2));
    let mut rng = Fixed::new([]);
    let mut companion = CodeCompanion::start(NOW, &mut rng).unwrap();
    let primary =
        CodePrimary::start(companion.code(), companion.wrapped_ephemeral(), &mut rng).unwrap();
    let wrapped = *primary.wrapped_ephemeral();
    let account_key = *account.identity_key().public_key();
    let answered = companion.answer(&device, &wrapped, &account_key, NOW, &mut rng).unwrap();
    let device_key = device.identity_key().public_key();
    let request = primary.finish(&account, device_key, &answered.bundle).unwrap();
    let made = Primary::new(3, EncryptionType::E2ee)
        .link(&impostor, &request, LinkingKind::default(), NOW, &mut rng)
        .unwrap();
    let refused = answered.pending.accept(&device, &made.container, &mut rng);
    assert_eq!(refused, Err(Error::IdentityMismatch));
}

#[test]
fn a_code_takes_three_answers_in_180_seconds() {
    let (account, device) = (pair(1), pair(2));
    let account_key = *account.identity_key().public_key();
    let mut rng = Fixed::new([]);
    let mut companion = CodeCompanion::start(NOW, &mut rng).unwrap();
    let primary =
        CodePrimary::start(companion.code(), companion.wrapped_ephemeral(), &mut rng).unwrap();
    let wrapped = *primary.wrapped_ephemeral();
    // too late costs no attempt; a malformed answer does
    let late = companion.answer(&device, &wrapped, &account_key, later(181), &mut rng);
    assert_eq!(late.unwrap_err(), Error::TooManyAttempts);
    let short = companion.answer(&device, &wrapped[..79], &account_key, NOW, &mut rng);
    assert_eq!(short.unwrap_err(), Error::CiphertextTooShort(79));
    // an identity key of low order
    let low = PublicKey::from_raw([0; 32]);
    let refused = companion.answer(&device, &wrapped, &low, NOW, &mut rng);
    assert_eq!(refused.unwrap_err(), Error::InvalidKeyAgreement);
    companion.answer(&device, &wrapped, &account_key, NOW, &mut rng).unwrap();
    let fourth = companion.answer(&device, &wrapped, &account_key, NOW, &mut rng);
    assert_eq!(fourth.unwrap_err(), Error::TooManyAttempts);
}

#[test]
fn all_zero_agreements_are_refused() {
    // An ephemeral key of low order under the right code: XOR turns a known wrap of any key into one.
    let mut rng = Fixed::new([]);
    let companion = CodeCompanion::start(NOW, &mut rng).unwrap();
    let mut wrapped = *companion.wrapped_ephemeral();
    // the key stream: what the wrap of a known key is, XOR that key
    let draws = [[7_u8; 32].to_vec(), vec![1; 48]].concat();
    let known = KeyPair::from_private(PrivateKey::decode(&[7; 32]).unwrap());
    let code = || LinkingCode::parse("1234ABCD").unwrap();
    let made = CodeCompanion::with(code(), NOW, &mut Fixed::new(draws)).unwrap();
    wrapped.copy_from_slice(made.wrapped_ephemeral());
    for (byte, key) in wrapped[48..].iter_mut().zip(known.public_key().as_raw()) {
        *byte ^= key;
    }
    let refused = CodePrimary::start(&code(), &wrapped, &mut rng);
    assert_eq!(refused.unwrap_err(), Error::InvalidKeyAgreement);
}

#[test]
fn codes_use_the_alphabet_evenly_and_nothing_else() {
    let alphabet = "123456789ABCDEFGHJKLMNPQRSTVWXYZ";
    let mut rng = Fixed::new([]);
    let mut counts = [0; 32];
    for _ in 0..2000 {
        let text = LinkingCode::generate(&mut rng).to_text().to_string();
        assert_eq!(text.len(), 9);
        assert_eq!(text.as_bytes()[4], b'-');
        for character in text.chars().filter(|&c| c != '-') {
            counts[alphabet.find(character).unwrap()] += 1;
        }
    }
    // 500 expected each, standard deviation 22
    assert!(counts.iter().all(|&count| (380..620).contains(&count)), "{counts:?}");
    let of = |bits: [u8; 5]| LinkingCode::generate(&mut Fixed::new(bits)).to_text().to_string();
    assert_eq!(of([0; 5]), "1111-1111");
    assert_eq!(of([0xFF; 5]), "ZZZZ-ZZZZ");
    assert_eq!(of([0x00, 0x44, 0x32, 0x14, 0xC7]), "1234-5678");
    for bad in ["", "1234ABC", "1234ABCDE", "1234ABC0", "1234ABCI", "1234ABCO", "1234ABCU", "é"] {
        assert_eq!(LinkingCode::parse(bad).unwrap_err(), Error::InvalidArgument, "{bad}");
    }
    let same = LinkingCode::parse("1234ABCD").unwrap();
    for good in ["1234-ABCD", "1234 abcd", " 1-2-3-4-a-b-c-d"] {
        assert_eq!(LinkingCode::parse(good).unwrap(), same);
    }
}

#[test]
fn passkey_vectors_replay_on_both_sides() {
    use sandi::linking::passkey::{CompanionEphemeralIdentity, PasskeyCompanion, PasskeyPrimary};
    for case in items(&data::whatsapp("passkey_pairing"), "cases") {
        let device_type = u32::try_from(number(case, "deviceType")).unwrap();
        let identity = CompanionEphemeralIdentity {
            public_key: key(case, "companionPub"),
            device_type,
            reference: text(case, "ref").into(),
        };
        assert_eq!(identity.encode(), hex(case, "companionEphemeralIdentity"));
        assert_eq!(CompanionEphemeralIdentity::decode(&identity.encode()), Ok(identity.clone()));
        let start = || {
            let draws = [hex(case, "companionPriv"), hex(case, "companionNonce")].concat();
            PasskeyCompanion::start(device_type, text(case, "ref"), &mut Fixed::new(draws)).unwrap()
        };
        let companion = start();
        let prologue = companion.prologue();
        let expected = [
            &[0x0A, u8::try_from(identity.encode().len()).unwrap()][..],
            &identity.encode(),
            &[0x12, 34, 0x0A, 32],
            &hex(case, "commitment"),
        ];
        assert_eq!(prologue, expected.concat());
        let answer_of = |prologue: &[u8]| {
            let draws = [hex(case, "primaryPriv"), hex(case, "primaryNonce")].concat();
            PasskeyPrimary::start(prologue, &mut Fixed::new(draws)).unwrap()
        };
        let primary = answer_of(&prologue);
        let answer = primary.answer();
        let expected = [
            &[0x0A, 32][..],
            &array::<32>(case, "primaryPub"),
            &[0x12, 32],
            &array::<32>(case, "primaryNonce"),
        ];
        assert_eq!(answer, expected.concat());
        let ready = companion.answered(&answer).unwrap();
        let code = LinkingCode::parse(text(case, "verificationCode")).unwrap();
        assert_eq!(ready.code(), &code);
        assert_eq!(ready.nonce(), &array(case, "companionNonce"));
        let mut wrong = *ready.nonce();
        wrong[31] ^= 1;
        let refused = answer_of(&prologue).revealed(&wrong).unwrap_err();
        assert_eq!(refused, Error::LinkingMacMismatch);
        let theirs = primary.revealed(ready.nonce()).unwrap();
        assert_eq!(theirs.code(), &code);

        // The request, and that it is sealed under the vector's key.
        let (transport, device) = (PublicKey::from_raw([8; 32]), pair(4));
        let secret = Secret::new([6; 32]);
        let request = ready
            .seal_request(&transport, device.identity_key(), &secret, &mut Fixed::new([2; 12]))
            .unwrap();
        let plaintext =
            gcm_plaintext(&hex(case, "encryptionKey"), &[2; 12], &request[2..2 + 3 * 34]);
        assert_eq!(&plaintext[..34], [&[0x0A, 32][..], &[8; 32]].concat());
        assert_eq!(&plaintext[68..], [&[0x1A, 32][..], &[6; 32]].concat());
        for at in [5, 110, request.len() - 1] {
            let mut bad = request.clone();
            bad[at] ^= 1;
            let again = answer_of(&prologue).revealed(&array(case, "companionNonce")).unwrap();
            assert_eq!(again.open_request(&bad).unwrap_err(), Error::Rejected, "{at}");
        }
        let opened = theirs.open_request(&request).unwrap();
        assert_eq!(opened.companion_key, transport);
        assert_eq!(opened.request.identity(), device.identity_key());
        assert_eq!(opened.request.adv_secret(), &secret);
        // a primary's key of low order
        let low = [&[0x0A, 32][..], &[0; 32], &[0x12, 32], &[1; 32]].concat();
        assert_eq!(start().answered(&low).unwrap_err(), Error::InvalidKeyAgreement);
    }
}

fn provision_message() -> ProvisionMessage {
    ProvisionMessage {
        number: Some("+15550100".into()),
        provisioning_code: Some(String::from("123-456").into()),
        user_agent: Some("OWA".into()),
        profile_key: Some(Secret::new([6; 32])),
        read_receipts: Some(true),
        aci: Some("9d0652a3-dcc3-4d11-975f-74d61598733f".into()),
        provisioning_version: Some(1),
        pni: Some("796abedb-ca4e-4f18-8803-1fde5b921f9f".into()),
        pni_identity: Some(pair(2)),
        master_key: Some(Secret::new([13; 32])),
        ..ProvisionMessage::new(pair(1))
    }
}

#[test]
fn provisioning_round_trip_wrong_version_and_flipped_mac() {
    let mut rng = Fixed::new([]);
    let device = ProvisioningDevice::generate(&mut rng);
    let url = device.url("a b/c+d=&é");
    let text = url.encode();
    assert!(text.starts_with("sgnl://linkdevice?uuid=a%20b%2Fc%2Bd%3D%26%C3%A9&pub_key="));
    assert_eq!(ProvisioningUrl::parse(&text).unwrap(), url);
    let unpadded = text.trim_end_matches("%3D");
    assert_eq!(ProvisioningUrl::parse(unpadded).unwrap(), url);
    assert_eq!(ProvisioningUrl::parse(&format!("{text}&capabilities=x")).unwrap(), url);
    for bad in [
        "",
        "sgnl://linkdevice?",
        "sgnl://linkdevice?uuid=a",
        "sgnl://linkdevice?pub_key=BQ",
        "sgnl://linkdevice?uuid=a%&pub_key=BQ",
        "sgnl://linkdevice?uuid=%FF&pub_key=BQ",
        "https://linkdevice?uuid=a&pub_key=BQ",
    ] {
        assert_eq!(ProvisioningUrl::parse(bad).unwrap_err(), Error::InvalidArgument, "{bad}");
    }
    assert_eq!(parse_provisioning_address(b"\x0a\x03abc"), Ok("abc"));
    assert_eq!(parse_provisioning_address(b""), Err(Error::InvalidProtobuf));

    let message = provision_message();
    let encoded = message.encode();
    assert_eq!(encoded.len(), encoded.capacity());
    assert_eq!(&encoded[..3], [0x0A, 33, 5]);
    assert_eq!(ProvisionMessage::decode(&encoded).unwrap(), message);
    let sealed = seal_provision_message(&message, &url.public_key, &mut rng).unwrap();
    assert_eq!(device.open(&sealed).unwrap(), message);
    let least = ProvisionMessage::new(pair(3));
    let sealed_least = seal_provision_message(&least, &url.public_key, &mut rng).unwrap();
    assert_eq!(device.open(&sealed_least).unwrap(), least);

    // 0a 21 <33>, 12 <length, 2 bytes> <version>
    let version = 2 + 33 + 3;
    assert_eq!(sealed[version], 1);
    for wrong in [0, 2, 255] {
        let mut bad = sealed.clone();
        bad[version] = wrong;
        let refused = device.open(&bad).unwrap_err();
        assert_eq!(refused, Error::UnrecognizedMessageVersion(wrong));
    }
    for at in (version + 1)..sealed.len() {
        let mut bad = sealed.clone();
        bad[at] ^= 0x10;
        assert_eq!(device.open(&bad).unwrap_err(), Error::Rejected, "{at}");
    }
    let other = ProvisioningDevice::generate(&mut rng);
    assert_eq!(other.open(&sealed).unwrap_err(), Error::Rejected);
    let low = PublicKey::from_raw([0; 32]);
    let refused = seal_provision_message(&message, &low, &mut rng).unwrap_err();
    assert_eq!(refused, Error::InvalidKeyAgreement);
    for length in 0..sealed.len() {
        assert!(device.open(&sealed[..length]).is_err());
    }
    // halves that do not belong together
    let mut mixed = encoded.to_vec();
    mixed[5] ^= 1;
    assert_eq!(ProvisionMessage::decode(&mixed).unwrap_err(), Error::IdentityMismatch);
    assert!(!format!("{message:?}").contains("123-456"));
}
