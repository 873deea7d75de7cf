//! Scenarios 2 to 7, and 19: certificates and content.

use rand::SeedableRng;
use rand::rngs::StdRng;
use sandi::keys::PrivateKey;
use sandi::sealed_sender::{
    BUILT_IN, ContentHint, KnownServerCertificate, PRODUCTION_ROOT, STAGING_ROOT, Sender,
    SenderCertificate, ServerCertificate, Signer, Trust, UnidentifiedSenderMessageContent,
};
use sandi::wire::CiphertextMessageType;
use sandi::{Error, Timestamp};

use crate::common::{ALICE, BOB};
use crate::service::{EXPIRATION, Service, device, identity};

const NOW: Timestamp = Timestamp(EXPIRATION.0 - 1);

/// A field of wire type 2, shorter than 128 bytes or at most 16383.
fn field(number: u8, content: &[u8]) -> Vec<u8> {
    let length = match u8::try_from(content.len()) {
        Ok(length @ ..0x80) => vec![length],
        _ => vec![(content.len() & 0x7F) as u8 | 0x80, (content.len() >> 7) as u8],
    };
    [&[number << 3 | 2], length.as_slice(), content].concat()
}

/// Signs an inner certificate, whatever it is.
fn signed(inner: &[u8], key: &PrivateKey, service: &mut Service) -> Vec<u8> {
    let signature = key.sign(inner, &mut service.rng);
    [field(1, inner), field(2, &signature)].concat()
}

/// The server's key once more, since keys have no `Clone`.
fn again(key: &PrivateKey) -> PrivateKey {
    PrivateKey::decode(key.secret().expose()).unwrap()
}

#[test]
fn scenario_2_a_server_certificate_is_valid_under_its_root_alone() {
    let service = Service::new(1);
    let other = Service::new(2);
    let certificate = ServerCertificate::parse(service.certificate.as_bytes()).unwrap();
    assert_eq!(certificate, service.certificate);
    assert_eq!(certificate.key_id(), 7);
    assert!(certificate.is_valid(service.root.public_key()));
    assert!(!certificate.is_valid(other.root.public_key()));
    for at in 0..certificate.as_bytes().len() {
        for bit in 0..8 {
            let mut bytes = certificate.as_bytes().to_vec();
            bytes[at] ^= 1 << bit;
            let Ok(damaged) = ServerCertificate::parse(&bytes) else { continue };
            assert!(!damaged.is_valid(service.root.public_key()), "byte {at}, bit {bit}");
        }
    }
}

#[test]
fn scenario_3_a_revoked_id_is_not_valid_whoever_signed() {
    let mut service = Service::new(3);
    let (key, root) = (service.server.public_key(), service.root.private_key());
    let revoked = ServerCertificate::issue(0xDEAD_C357, key, root, &mut service.rng);
    assert!(!revoked.is_valid(service.root.public_key()));
    assert!(service.root.public_key().verify(revoked.certificate(), revoked.signature()));
    // and nothing that it signed is
    let alice = identity(1);
    let sender =
        Sender { uuid: ALICE, e164: None, device: device(1), identity: alice.identity_key() };
    let server = service.server.private_key();
    let certificate =
        SenderCertificate::issue(&sender, EXPIRATION, &revoked, server, &mut service.rng);
    assert_eq!(certificate.validate(&service.trust(), NOW), Ok(false));
}

#[test]
fn scenario_4_a_sender_certificate_with_and_without_a_number() {
    let mut service = Service::new(4);
    let alice = identity(1);
    for e164 in [None, Some("+14155550101")] {
        let sender =
            Sender { uuid: ALICE, e164, device: device(42), identity: alice.identity_key() };
        let certificate = service.certify(&sender);
        let read = SenderCertificate::parse(certificate.as_bytes()).unwrap();
        assert_eq!(read, certificate);
        assert_eq!(
            (read.uuid(), read.e164(), read.device(), read.identity(), read.expiration()),
            (ALICE, e164, device(42), alice.identity_key(), EXPIRATION)
        );
        assert_eq!(read.signer(), &Signer::Embedded(service.certificate.clone()));
        let trust = service.trust();
        assert_eq!(read.validate(&trust, EXPIRATION), Ok(true));
        assert_eq!(read.validate(&trust, Timestamp(EXPIRATION.0 + 1)), Ok(false));
        for at in 0..certificate.as_bytes().len() {
            let mut bytes = certificate.as_bytes().to_vec();
            bytes[at] ^= 1;
            let Ok(damaged) = SenderCertificate::parse(&bytes) else { continue };
            assert_ne!(damaged.validate(&trust, NOW), Ok(true), "byte {at}");
        }
        // several roots: one that fits is enough
        let others = [Service::new(40), Service::new(41)];
        let all = [others[0].roots[0], others[1].roots[0], service.roots[0]];
        assert_eq!(read.validate(&Trust::new(&all), NOW), Ok(true));
        assert_eq!(read.validate(&Trust::new(&all[..2]), NOW), Ok(false));
        assert_eq!(read.validate(&Trust::new(&[]), NOW), Ok(false));
    }
}

#[test]
fn scenario_5_an_unknown_field_is_signed_as_received() {
    let mut service = Service::new(5);
    let inner = [service.certificate.certificate(), &field(9, b"news")].concat();
    let root = again(service.root.private_key());
    let bytes = signed(&inner, &root, &mut service);
    let certificate = ServerCertificate::parse(&bytes).unwrap();
    assert_eq!(certificate.as_bytes(), bytes);
    assert!(certificate.is_valid(service.root.public_key()));

    let issued = service.certify_device(ALICE, &identity(1));
    let inner = [issued.certificate(), &field(9, b"news")].concat();
    let server = again(service.server.private_key());
    let bytes = signed(&inner, &server, &mut service);
    let certificate = SenderCertificate::parse(&bytes).unwrap();
    assert_eq!(certificate.as_bytes(), bytes);
    assert_eq!(certificate.validate(&service.trust(), NOW), Ok(true));
}

#[test]
fn scenario_6_the_short_form() {
    let mut service = Service::new(6);
    let alice = identity(1);
    let sender =
        Sender { uuid: ALICE, e164: None, device: device(1), identity: alice.identity_key() };
    // signed by the server whose keys everyone knows, under the root of 32 zero bytes
    let server = PrivateKey::decode(&[0xFF; 32]).unwrap();
    let roots = [PrivateKey::decode(&[0; 32]).unwrap().public_key()];
    let rng = &mut StdRng::seed_from_u64(66);
    let short =
        SenderCertificate::issue_short(&sender, EXPIRATION, 0x7357_C357, &server, rng).unwrap();
    let read = SenderCertificate::parse(short.as_bytes()).unwrap();
    assert_eq!(read, short);
    assert_eq!(read.uuid(), ALICE);
    assert_eq!(read.signer(), &Signer::Known(0x7357_C357));
    assert_eq!(read.validate(&Trust::new(&roots), NOW), Ok(true));
    assert_eq!(read.validate(&service.trust(), NOW), Ok(false), "the table is a lookup only");

    let unknown = SenderCertificate::issue_short(&sender, EXPIRATION, 9, &server, rng).unwrap();
    let error = Error::UnknownSealedSenderServerCertificateId(9);
    assert_eq!(unknown.validate(&Trust::new(&roots), NOW), Err(error));
    // an application's own table
    let known = [KnownServerCertificate { id: 9, bytes: service.certificate.as_bytes() }];
    let trust = Trust { roots: &service.roots, known: &known };
    let key = service.server.private_key();
    let ours =
        SenderCertificate::issue_short(&sender, EXPIRATION, 9, key, &mut service.rng).unwrap();
    assert_eq!(ours.validate(&trust, NOW), Ok(true));
    assert_eq!(unknown.validate(&trust, NOW), Ok(false), "signed by another key");

    for uuid in ["not a UUID", &ALICE.to_uppercase(), &format!("PNI:{ALICE}")] {
        let sender = Sender { uuid, ..sender };
        let refused =
            SenderCertificate::issue_short(&sender, EXPIRATION, 9, &server, &mut service.rng);
        assert_eq!(refused, Err(Error::InvalidServiceId), "{uuid}");
    }
}

/// The fields of an inner certificate, to be put together at will.
fn parts(service: &Service) -> [Vec<u8>; 5] {
    [
        vec![0x10, 1],
        [&[0x19], EXPIRATION.0.to_le_bytes().as_slice()].concat(),
        field(4, &identity(1).identity_key().encode()),
        field(5, service.certificate.as_bytes()),
        field(6, ALICE.as_bytes()),
    ]
}

fn parse(service: &mut Service, inner: &[Vec<u8>]) -> Result<SenderCertificate, Error> {
    let server = again(service.server.private_key());
    let bytes = signed(&inner.concat(), &server, service);
    SenderCertificate::parse(&bytes)
}

#[test]
fn scenario_6_fields_that_are_missing_repeated_or_out_of_range() {
    let mut service = Service::new(60);
    let all = parts(&service);
    assert!(parse(&mut service, &all).unwrap().validate(&service.trust(), NOW).unwrap());
    for missing in 0..all.len() {
        let mut some = all.to_vec();
        some.remove(missing);
        assert_eq!(parse(&mut service, &some), Err(Error::InvalidProtobuf), "{missing}");
    }
    for id in [vec![0x10, 0], vec![0x10, 0x80, 1]] {
        let mut all = all.clone();
        all[0] = id;
        assert_eq!(parse(&mut service, &all), Err(Error::InvalidProtobuf));
    }
    for length in [0, 15, 17] {
        let mut all = all.clone();
        all[4] = field(7, &vec![7; length]);
        assert_eq!(parse(&mut service, &all), Err(Error::InvalidProtobuf), "{length} bytes");
    }
    // of two forms the later counts
    let uuid_bytes = field(7, &[0x11; 16]);
    let later = [all.to_vec(), vec![uuid_bytes.clone()]].concat();
    let uuid = "11111111-1111-1111-1111-111111111111";
    assert_eq!(parse(&mut service, &later).unwrap().uuid(), uuid);
    let earlier = [vec![uuid_bytes], all.to_vec()].concat();
    assert_eq!(parse(&mut service, &earlier).unwrap().uuid(), ALICE);
    let later = [all.to_vec(), vec![vec![0x40, 3]]].concat();
    assert_eq!(parse(&mut service, &later).unwrap().signer(), &Signer::Known(3));
    // text is kept as it is
    let mut odd = all.clone();
    odd[4] = field(6, "Ünlike a UUID".as_bytes());
    assert_eq!(parse(&mut service, &odd).unwrap().uuid(), "Ünlike a UUID");
    odd[4] = field(6, &[0xFF]);
    assert_eq!(parse(&mut service, &odd), Err(Error::InvalidProtobuf));
    // bad keys
    odd = all;
    odd[2] = field(4, &[6; 33]);
    assert_eq!(parse(&mut service, &odd), Err(Error::BadKeyType(6)));
}

#[test]
fn scenario_7_built_in_certificates_are_valid_under_their_roots() {
    let test_root = PrivateKey::decode(&[0; 32]).unwrap().public_key();
    let roots = [STAGING_ROOT, PRODUCTION_ROOT, test_root];
    assert_eq!(BUILT_IN.len(), roots.len());
    for (index, known) in BUILT_IN.iter().enumerate() {
        let certificate = ServerCertificate::parse(known.bytes).unwrap();
        assert_eq!(certificate.key_id(), known.id);
        for (other, root) in roots.iter().enumerate() {
            assert_eq!(certificate.is_valid(root), index == other);
        }
    }
}

#[test]
fn scenario_19_hints_and_groups() {
    let mut service = Service::new(19);
    let sender = service.certify_device(BOB, &identity(2));
    let make = |hint, group: Option<&[u8]>| {
        let kind = CiphertextMessageType::SenderKey;
        UnidentifiedSenderMessageContent::new(kind, b"text", &sender, hint, group)
    };
    let plain = make(ContentHint::Default, None);
    let base = [vec![0x08, 7], field(2, sender.as_bytes()), field(3, b"text")].concat();
    assert_eq!(plain.as_bytes(), base);
    for (code, hint) in [
        (0, ContentHint::Default),
        (1, ContentHint::Resendable),
        (2, ContentHint::Implicit),
        (7, ContentHint::Unknown(7)),
    ] {
        let bytes = [base.as_slice(), &[0x20, code]].concat();
        let read = UnidentifiedSenderMessageContent::parse(bytes.clone()).unwrap();
        assert_eq!(read.hint(), hint);
        assert_eq!(read.as_bytes(), bytes, "received bytes are kept");
        assert_eq!(hint.code(), u32::from(code));
        let made = make(hint, None);
        assert_eq!(made.hint(), hint);
        assert_eq!(made.as_bytes(), if code == 0 { &base } else { &bytes });
    }
    assert_eq!(make(ContentHint::Default, Some(b"")), plain);
    let grouped = make(ContentHint::Implicit, Some(b"group"));
    let read = UnidentifiedSenderMessageContent::parse(grouped.as_bytes().to_vec()).unwrap();
    assert_eq!(read, grouped);
    assert_eq!((read.group_id(), read.contents()), (Some(b"group".as_slice()), b"text".as_slice()));
    // the message inside may be empty, and may stand last
    let kind = CiphertextMessageType::Plaintext;
    let empty =
        UnidentifiedSenderMessageContent::new(kind, b"", &sender, ContentHint::Default, None);
    let read = UnidentifiedSenderMessageContent::parse(empty.as_bytes().to_vec()).unwrap();
    assert_eq!(read.contents(), b"");
}

#[test]
fn scenario_20_types_inside_are_1_2_7_and_8() {
    let mut service = Service::new(20);
    let sender = service.certify_device(BOB, &identity(2));
    for code in 0..=9 {
        let bytes = [vec![0x08, code], field(2, sender.as_bytes()), field(3, b"text")].concat();
        let expected = match code {
            1 => Ok(CiphertextMessageType::PreKey),
            2 => Ok(CiphertextMessageType::Signal),
            7 => Ok(CiphertextMessageType::SenderKey),
            8 => Ok(CiphertextMessageType::Plaintext),
            _ => Err(Error::InvalidProtobuf),
        };
        let read = UnidentifiedSenderMessageContent::parse(bytes);
        assert_eq!(read.map(|content| content.message_type()), expected, "type {code}");
    }
    for missing in 0..3 {
        let mut fields = vec![vec![0x08, 2], field(2, sender.as_bytes()), field(3, b"text")];
        fields.remove(missing);
        let read = UnidentifiedSenderMessageContent::parse(fields.concat());
        assert_eq!(read, Err(Error::InvalidProtobuf));
    }
}
