//! Messages as bytes: the conformance scenarios of spec 03 and 04 that end with parsing.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
#![allow(clippy::arithmetic_side_effects)]

use proptest::prelude::*;
use sandi::keys::{IdentityKey, PublicKey};
use sandi::wire::{
    CiphertextMessageType, DecryptionErrorMessage, MAC_LENGTH, PlaintextContent,
    PreKeySignalMessage, PreKeySignalMessageFields, SignalMessage, SignalMessageFields,
    address_binding,
};
use sandi::{Address, DeviceId, Error, Timestamp};

/// Spec 03 §8: "hello v3", a pre-key message of version 3, in pieces.
const PRE_KEY_HEAD: &str = "33080712210523b571a07e5a4021be65001b8c3df6ef34f5e57bb3cba909cc4b80e3823e726a\
     1a2105e95fb6670b10a0ab18bc3e2fc14f03d6c33431e19dd3badf2022cdf9d5da740c2242";
const EMBEDDED: &str = "330a2105e1b1523ddfd3caf6d183af52cf154ffaba2af69a7ba00e7d4c558b0e271cd507\
     100018002210b76e1aa6cdfc81b25ba3cbefcc89c6b0b8268da9be3c3267";
const PRE_KEY_TAIL: &str = "28d2093016";
/// Spec 04 §2.3: "bound", with an address binding.
const BOUND: &str = "330a2105e1b1523ddfd3caf6d183af52cf154ffaba2af69a7ba00e7d4c558b0e271cd507100218002210\
     e8501122a88778983f85a1ee680a72643224009d0652a3dcc34d11975f74d61598733f0100796abedbca4e4f1888031fde\
     5b921f9f027e299af2f8f119b3";

const RATCHET: &str = "e1b1523ddfd3caf6d183af52cf154ffaba2af69a7ba00e7d4c558b0e271cd507";
const BASE: &str = "23b571a07e5a4021be65001b8c3df6ef34f5e57bb3cba909cc4b80e3823e726a";
const IDENTITY: &str = "e95fb6670b10a0ab18bc3e2fc14f03d6c33431e19dd3badf2022cdf9d5da740c";

fn bytes(text: &str) -> Vec<u8> {
    hex::decode(text).unwrap()
}

fn key(text: &str) -> PublicKey {
    PublicKey::from_raw(bytes(text).try_into().unwrap())
}

fn pre_key_vector() -> Vec<u8> {
    bytes(&[PRE_KEY_HEAD, EMBEDDED, PRE_KEY_TAIL].concat())
}

/// One length-delimited field with a number below 16 and a length below 16,384.
fn delimited(number: u8, content: &[u8]) -> Vec<u8> {
    let mut out = vec![number << 3 | 2];
    if content.len() >= 0x80 {
        out.extend([(content.len() & 0x7F) as u8 | 0x80, (content.len() >> 7) as u8]);
    } else {
        out.push(content.len() as u8);
    }
    out.extend_from_slice(content);
    out
}

fn varint_field(number: u8, value: u8) -> Vec<u8> {
    assert!(value < 0x80);
    vec![number << 3, value]
}

/// A pre-key message of `version_byte`, from its fields by number.
fn pre_key_of(version_byte: u8, fields: &[Vec<u8>]) -> Vec<u8> {
    let mut out = vec![version_byte];
    out.extend(fields.concat());
    out
}

fn base_field() -> Vec<u8> {
    delimited(2, &key(BASE).encode())
}

fn identity_field() -> Vec<u8> {
    delimited(3, &key(IDENTITY).encode())
}

fn message_field() -> Vec<u8> {
    delimited(4, &bytes(EMBEDDED))
}

fn signed_id_field() -> Vec<u8> {
    varint_field(6, 22)
}

fn required() -> Vec<Vec<u8>> {
    vec![base_field(), identity_field(), message_field(), signed_id_field()]
}

fn write_signal(fields: &SignalMessageFields<'_>, ciphertext: &[u8], mac: [u8; 8]) -> Vec<u8> {
    let mut out = Vec::new();
    fields
        .write(
            &mut out,
            ciphertext.len(),
            |place| {
                place.copy_from_slice(ciphertext);
                Ok(())
            },
            |_| mac,
        )
        .unwrap();
    out
}

fn write_pre_key(
    fields: &PreKeySignalMessageFields<'_>,
    inner: &SignalMessageFields<'_>,
    ciphertext: &[u8],
    mac: [u8; 8],
) -> Vec<u8> {
    let mut out = Vec::new();
    let fill = |place: &mut [u8]| {
        place.copy_from_slice(ciphertext);
        Ok(())
    };
    fields.write(inner, &mut out, ciphertext.len(), fill, |_| mac).unwrap();
    out
}

#[test]
fn s03_vector_of_section_8_parses_and_is_written_byte_for_byte() {
    let vector = pre_key_vector();
    let message = PreKeySignalMessage::parse(&vector).unwrap();
    assert_eq!((message.version(), message.version_byte()), (3, 0x33));
    assert_eq!(message.pre_key_id(), Some(7));
    assert_eq!(message.signed_pre_key_id(), 22);
    assert_eq!(message.registration_id(), 1234);
    assert_eq!(message.kyber(), None);
    assert_eq!(message.base_key(), &key(BASE));
    assert_eq!(message.identity_key().public_key(), &key(IDENTITY));
    assert_eq!(message.as_bytes(), vector);

    let inner = message.message();
    let embedded = bytes(EMBEDDED);
    assert_eq!((inner.version(), inner.version_byte()), (3, 0x33));
    assert_eq!(inner.ratchet_key(), &key(RATCHET));
    assert_eq!((inner.counter(), inner.previous_counter()), (0, 0));
    assert_eq!(inner.ciphertext(), bytes("b76e1aa6cdfc81b25ba3cbefcc89c6b0"));
    assert_eq!((inner.pq_ratchet(), inner.addresses()), (None, None));
    assert_eq!(inner.mac().as_slice(), bytes("b8268da9be3c3267"));
    assert_eq!(inner.authenticated(), &embedded[..embedded.len() - 8]);
    assert_eq!(inner.as_bytes(), embedded);

    let inner_fields = SignalMessageFields {
        version_byte: 0x33,
        ratchet_key: inner.ratchet_key(),
        counter: 0,
        previous_counter: 0,
        pq_ratchet: b"",
        addresses: None,
    };
    assert_eq!(write_signal(&inner_fields, inner.ciphertext(), *inner.mac()), embedded);
    let fields = PreKeySignalMessageFields {
        version_byte: 0x33,
        registration_id: 1234,
        pre_key_id: Some(7),
        signed_pre_key_id: 22,
        kyber: None,
        base_key: message.base_key(),
        identity_key: message.identity_key(),
    };
    assert_eq!(write_pre_key(&fields, &inner_fields, inner.ciphertext(), *inner.mac()), vector);
}

#[test]
fn s03_07_version_nibble_2_is_legacy_and_5_is_unrecognized() {
    for (nibble, error) in [
        (0, Error::LegacyCiphertextVersion(0)),
        (2, Error::LegacyCiphertextVersion(2)),
        (5, Error::UnrecognizedCiphertextVersion(5)),
        (15, Error::UnrecognizedCiphertextVersion(15)),
    ] {
        let mut outer = pre_key_vector();
        outer[0] = nibble << 4 | 3;
        assert_eq!(PreKeySignalMessage::parse(&outer), Err(error));
        let mut plain = bytes(EMBEDDED);
        plain[0] = nibble << 4 | 3;
        assert_eq!(SignalMessage::parse(&plain), Err(error));
        // The version is looked at before the protobuf.
        assert_eq!(PreKeySignalMessage::parse(&[nibble << 4, 0xFF]), Err(error));
        assert_eq!(SignalMessage::parse(&[nibble << 4 | 4; 9]), Err(error));
    }
    // The low nibble is not looked at, and kept.
    let mut plain = bytes(EMBEDDED);
    plain[0] = 0x4F;
    assert_eq!(SignalMessage::parse(&plain).unwrap().version_byte(), 0x4F);
}

#[test]
fn s03_08_kyber_fields_are_both_or_neither_and_both_in_version_4() {
    let id = varint_field(7, 9);
    let ciphertext = delimited(8, &[8; 1569]);
    let with = |version_byte, extra: &[&Vec<u8>]| {
        let mut fields = required();
        fields.extend(extra.iter().map(|&field| field.clone()));
        pre_key_of(version_byte, &fields)
    };
    for version_byte in [0x33, 0x34, 0x44] {
        for extra in [&[&id][..], &[&ciphertext]] {
            assert_eq!(
                PreKeySignalMessage::parse(&with(version_byte, extra)),
                Err(Error::IncompleteKyberFields)
            );
        }
        let both = with(version_byte, &[&id, &ciphertext]);
        let message = PreKeySignalMessage::parse(&both).unwrap();
        assert_eq!(message.kyber(), Some((9, &[8; 1569][..])));
    }
    let neither = Error::IncompleteKyberFields;
    assert_eq!(PreKeySignalMessage::parse(&with(0x44, &[])), Err(neither));
    assert_eq!(PreKeySignalMessage::parse(&with(0x34, &[])).unwrap().kyber(), None);
}

#[test]
fn s03_08_the_kem_ciphertext_is_not_looked_at() {
    let mut fields = required();
    fields.extend([varint_field(7, 0), delimited(8, b"")]);
    let empty = pre_key_of(0x44, &fields);
    assert_eq!(PreKeySignalMessage::parse(&empty).unwrap().kyber(), Some((0, &[][..])));
}

#[test]
fn s03_09_a_missing_required_field_is_invalid_protobuf() {
    for missing in 0..4 {
        let mut fields = required();
        fields.remove(missing);
        for version_byte in [0x33, 0x44] {
            let message = pre_key_of(version_byte, &fields);
            assert_eq!(PreKeySignalMessage::parse(&message), Err(Error::InvalidProtobuf));
        }
    }
}

#[test]
fn s03_09_a_missing_registration_id_is_zero() {
    let message = pre_key_of(0x33, &required());
    let message = PreKeySignalMessage::parse(&message).unwrap();
    assert_eq!(message.registration_id(), 0);
    assert_eq!(message.pre_key_id(), None);
}

#[test]
fn s03_21_a_one_time_pre_key_id_of_zero_is_an_id() {
    let mut fields = required();
    fields.insert(0, varint_field(1, 0));
    let message = pre_key_of(0x33, &fields);
    assert_eq!(PreKeySignalMessage::parse(&message).unwrap().pre_key_id(), Some(0));
}

#[test]
fn s03_5_2_errors_come_in_the_order_of_the_specification() {
    let bad_base = delimited(2, &[6; 33]);
    let bad_identity = delimited(3, &[7; 33]);
    let bad_message = delimited(4, &[0x33; 8]);
    let parse = |version_byte, fields: &[Vec<u8>]| {
        PreKeySignalMessage::parse(&pre_key_of(version_byte, fields)).unwrap_err()
    };

    assert_eq!(PreKeySignalMessage::parse(b""), Err(Error::CiphertextTooShort(0)));
    // 3 before 4: a required field is missing, and the base key is bad
    assert_eq!(
        parse(0x44, &[bad_base.clone(), bad_identity.clone(), bad_message.clone()]),
        Error::InvalidProtobuf
    );
    let bad = |base: &Vec<u8>, identity: &Vec<u8>| {
        [base.clone(), identity.clone(), bad_message.clone(), signed_id_field()]
    };
    // 4 before 5
    assert_eq!(parse(0x44, &bad(&bad_base, &bad_identity)), Error::BadKeyType(6));
    // 5 before 6
    assert_eq!(parse(0x44, &bad(&base_field(), &bad_identity)), Error::IncompleteKyberFields);
    // 6: identity before the embedded message
    assert_eq!(parse(0x33, &bad(&base_field(), &bad_identity)), Error::BadKeyType(7));
    assert_eq!(parse(0x33, &bad(&base_field(), &identity_field())), Error::CiphertextTooShort(8));
    // Keys: empty, short, long
    let with_base = |key: &[u8]| {
        pre_key_of(0x33, &[delimited(2, key), identity_field(), message_field(), signed_id_field()])
    };
    assert_eq!(PreKeySignalMessage::parse(&with_base(b"")), Err(Error::NoKeyTypeIdentifier));
    assert_eq!(PreKeySignalMessage::parse(&with_base(&[5; 32])), Err(Error::BadKeyLength(32)));
    assert!(PreKeySignalMessage::parse(&with_base(&[5; 34])).is_ok());
}

#[test]
fn s04_10_eight_bytes_are_too_short() {
    let message = bytes(EMBEDDED);
    for length in 0..=8 {
        assert_eq!(
            SignalMessage::parse(&message[..length]),
            Err(Error::CiphertextTooShort(length))
        );
    }
    // Nine bytes are a version byte, an empty protobuf and a MAC.
    assert_eq!(SignalMessage::parse(&message[..9]), Err(Error::InvalidProtobuf));
}

#[test]
fn s04_10_a_garbage_protobuf_is_invalid_protobuf() {
    let mut garbage = vec![0x44];
    garbage.extend([0xFF; 40]);
    assert_eq!(SignalMessage::parse(&garbage), Err(Error::InvalidProtobuf));
    // Known fields of a wrong wire type.
    for field in 1..=6_u8 {
        let mut message = vec![0x44];
        message.extend(delimited(1, &key(RATCHET).encode()));
        message.extend([varint_field(2, 0), delimited(4, &[0; 16])].concat());
        let valid = [&message[..], &[0; MAC_LENGTH]].concat();
        assert!(SignalMessage::parse(&valid).is_ok());
        message.extend(match field {
            2 | 3 => delimited(field, b""),
            _ => varint_field(field, 0),
        });
        message.extend([0; MAC_LENGTH]);
        assert_eq!(SignalMessage::parse(&message), Err(Error::InvalidProtobuf), "field {field}");
    }
}

#[test]
fn s04_10_a_missing_counter_is_invalid_and_a_missing_previous_counter_is_zero() {
    let fields = [delimited(1, &key(RATCHET).encode()), varint_field(2, 3), delimited(4, &[0; 16])];
    let build = |fields: &[Vec<u8>]| {
        let mut message = pre_key_of(0x44, fields);
        message.extend([0; MAC_LENGTH]);
        message
    };
    let message = build(&fields);
    let message = SignalMessage::parse(&message).unwrap();
    assert_eq!((message.counter(), message.previous_counter()), (3, 0));
    for missing in 0..3 {
        let mut rest = fields.to_vec();
        rest.remove(missing);
        assert_eq!(SignalMessage::parse(&build(&rest)), Err(Error::InvalidProtobuf));
    }
}

#[test]
fn s04_11_an_unknown_field_is_skipped_and_stays_under_the_mac() {
    let plain = bytes(EMBEDDED);
    let (before_mac, mac) = plain.split_at(plain.len() - MAC_LENGTH);
    for unknown in [
        &[0x38, 0x05][..],                     // 7: varint
        &[0x3A, 0x02, 0xAA, 0xBB],             // 7: bytes
        &[0x39, 1, 2, 3, 4, 5, 6, 7, 8],       // 7: fixed64
        &[0x3D, 1, 2, 3, 4],                   // 7: fixed32
        &[0x3B, 0x08, 0x01, 0x3C],             // 7: group
        &[0xF8, 0xFF, 0xFF, 0xFF, 0x0F, 0x00], // 2^29 - 1: varint
    ] {
        let message = [before_mac, unknown, mac].concat();
        let parsed = SignalMessage::parse(&message).unwrap();
        assert_eq!(parsed.authenticated(), [before_mac, unknown].concat());
        assert_eq!(parsed.ciphertext(), SignalMessage::parse(&plain).unwrap().ciphertext());
        // In front of the known ones too.
        let message = [&before_mac[..1], unknown, &before_mac[1..], mac].concat();
        assert_eq!(SignalMessage::parse(&message).unwrap().mac(), parsed.mac());
    }
}

#[test]
fn s01_0_the_last_of_repeated_fields_wins_and_order_is_free() {
    let fields = [
        delimited(6, b"first"),
        delimited(4, &[1; 16]),
        varint_field(2, 1),
        delimited(1, &[9; 40]),
        varint_field(2, 2),
        delimited(5, b""),
        delimited(4, &[2; 16]),
        delimited(1, &key(RATCHET).encode()),
        delimited(6, b""),
    ];
    let mut message = pre_key_of(0x44, &fields);
    message.extend([0; MAC_LENGTH]);
    let message = SignalMessage::parse(&message).unwrap();
    assert_eq!(message.counter(), 2);
    assert_eq!(message.ciphertext(), [2; 16]);
    assert_eq!(message.ratchet_key(), &key(RATCHET));
    // Present but empty is not absent.
    assert_eq!(message.pq_ratchet(), Some(&[][..]));
    assert_eq!(message.addresses(), Some(&[][..]));
}

#[test]
fn s04_2_3_the_bound_vector_parses_and_is_written_byte_for_byte() {
    let device = |id| DeviceId::new(id).unwrap();
    let sender = Address::new("9d0652a3-dcc3-4d11-975f-74d61598733f", device(1));
    let recipient = Address::new("796ABEDB-CA4E-4F18-8803-1FDE5B921F9F", device(2));
    let binding = address_binding(&sender, &recipient).unwrap();

    let vector = bytes(BOUND);
    let message = SignalMessage::parse(&vector).unwrap();
    assert_eq!(message.addresses(), Some(&binding[..]));
    assert_eq!(message.counter(), 2);
    let fields = SignalMessageFields {
        version_byte: 0x33,
        ratchet_key: message.ratchet_key(),
        counter: 2,
        previous_counter: 0,
        pq_ratchet: b"",
        addresses: Some(&binding),
    };
    assert_eq!(write_signal(&fields, message.ciphertext(), *message.mac()), vector);

    // Not symmetric; a PNI has its own mark; other names do not bind.
    assert_ne!(address_binding(&recipient, &sender), Some(binding));
    let pni = Address::new("PNI:9d0652a3-dcc3-4d11-975f-74d61598733f", device(1));
    let marked = address_binding(&pni, &recipient).unwrap();
    assert_eq!((marked[0], &marked[1..]), (1, &binding[1..]));
    let number = Address::new("+14155550101", device(1));
    assert_eq!(address_binding(&number, &recipient), None);
    assert_eq!(address_binding(&sender, &number), None);
}

#[test]
fn a_writer_that_fails_leaves_the_buffer_as_it_was() {
    let (ratchet_key, base_key) = (key(RATCHET), key(BASE));
    let identity_key = IdentityKey::new(key(IDENTITY));
    let inner = SignalMessageFields {
        version_byte: 0x44,
        ratchet_key: &ratchet_key,
        counter: u32::MAX,
        previous_counter: 300,
        pq_ratchet: &[1, 1, 1, 1],
        addresses: Some(&[7; 36]),
    };
    let outer = PreKeySignalMessageFields {
        version_byte: 0x44,
        registration_id: 1,
        pre_key_id: None,
        signed_pre_key_id: 0,
        kyber: Some((1, &[8; 1569])),
        base_key: &base_key,
        identity_key: &identity_key,
    };
    let mut out = b"before".to_vec();
    let mac = |_: &[u8]| panic!("there is nothing to authenticate");
    for length in [0, 16, 5000] {
        let failing = |_: &mut [u8]| Err(Error::Rejected);
        assert_eq!(inner.write(&mut out, length, failing, mac), Err(Error::Rejected));
        assert_eq!(outer.write(&inner, &mut out, length, failing, mac), Err(Error::Rejected));
        assert_eq!(out, b"before");
    }
    // A length that no buffer can have.
    let fill = |_: &mut [u8]| Ok(());
    for length in [usize::MAX, isize::MAX as usize] {
        assert_eq!(inner.write(&mut out, length, fill, mac), Err(Error::InvalidArgument));
        assert_eq!(outer.write(&inner, &mut out, length, fill, mac), Err(Error::InvalidArgument));
        assert_eq!(out, b"before");
    }
}

#[test]
fn a_writer_reserves_exactly_and_authenticates_what_it_wrote() {
    let ratchet_key = key(RATCHET);
    let fields = SignalMessageFields {
        version_byte: 0x44,
        ratchet_key: &ratchet_key,
        counter: 128,
        previous_counter: 127,
        pq_ratchet: &[3; 200],
        addresses: None,
    };
    let mut out = Vec::new();
    let mut authenticated = Vec::new();
    let mac = |covered: &[u8]| {
        authenticated = covered.to_vec();
        *b"8 bytes."
    };
    fields.write(&mut out, 160, |_| Ok(()), mac).unwrap();
    assert_eq!(out.len(), fields.encoded_len(160));
    assert_eq!(out.capacity(), out.len());
    let parsed = SignalMessage::parse(&out).unwrap();
    assert_eq!(parsed.authenticated(), authenticated);
    assert_eq!(parsed.mac(), b"8 bytes.");

    // A buffer that is used again does not allocate.
    let place = out.as_ptr();
    out.clear();
    fields.write(&mut out, 160, |_| Ok(()), |_| [0; 8]).unwrap();
    assert_eq!(out.as_ptr(), place);
}

#[test]
fn s04_26_decryption_error_messages_name_the_ratchet_key() {
    let time = Timestamp(0x0123_4567_89AB_CDEF);
    let device = 0x8000_0001;
    let about =
        |bytes: &[u8], kind| DecryptionErrorMessage::for_original(bytes, kind, time, device);
    let signal = about(&bytes(EMBEDDED), CiphertextMessageType::Signal).unwrap();
    let pre_key = about(&pre_key_vector(), CiphertextMessageType::PreKey).unwrap();
    // The bytes of a sender-key message are not even parsed.
    let sender_key = about(b"", CiphertextMessageType::SenderKey).unwrap();
    assert_eq!(signal.ratchet_key(), Some(&key(RATCHET)));
    assert_eq!(pre_key.ratchet_key(), Some(&key(RATCHET)));
    assert_eq!(sender_key.ratchet_key(), None);
    assert_eq!(about(b"\xC0\x80", CiphertextMessageType::Plaintext), Err(Error::InvalidArgument));

    // Originals that do not parse: their error.
    assert_eq!(about(b"", CiphertextMessageType::Signal), Err(Error::CiphertextTooShort(0)));
    assert_eq!(about(&bytes(EMBEDDED), CiphertextMessageType::PreKey), Err(Error::InvalidProtobuf));

    // A timestamp above 32 bits and a device id above 31 bits survive.
    for message in [signal, pre_key, sender_key] {
        let parsed = DecryptionErrorMessage::parse(&message.encode()).unwrap();
        assert_eq!(parsed, message);
        assert_eq!((parsed.timestamp(), parsed.device_id()), (time, device));
    }
    assert_eq!(sender_key.encode(), bytes("10ef9bafcdf8acd19101188180808008"));
}

#[test]
fn s04_26_decryption_error_messages_need_a_timestamp_and_a_sound_key() {
    assert_eq!(DecryptionErrorMessage::parse(b""), Err(Error::InvalidProtobuf));
    assert_eq!(DecryptionErrorMessage::parse(&[0x18, 1]), Err(Error::InvalidProtobuf));
    let least = DecryptionErrorMessage::parse(&[0x10, 5]).unwrap();
    assert_eq!((least.timestamp(), least.device_id()), (Timestamp(5), 0));
    assert_eq!(least.ratchet_key(), None);
    assert_eq!(DecryptionErrorMessage::parse(&[0x10, 5, 0x0A, 0]), Err(Error::NoKeyTypeIdentifier));
    assert_eq!(DecryptionErrorMessage::parse(&[0x10, 5, 0x0A, 1, 5]), Err(Error::BadKeyLength(1)));
}

#[test]
fn s04_27_plaintext_content_round_trips() {
    let message = DecryptionErrorMessage::for_original(
        &bytes(EMBEDDED),
        CiphertextMessageType::Signal,
        Timestamp(1_700_000_000_000),
        2,
    )
    .unwrap();
    let frame = PlaintextContent::encode(&message);
    assert_eq!(frame.capacity(), frame.len());
    let content = PlaintextContent::parse(&frame).unwrap();
    assert_eq!(content.body(), &frame[1..]);
    assert_eq!(content.body().last(), Some(&0x80));
    assert_eq!(content.as_bytes(), frame);
    assert_eq!(content.decryption_error_message(), Ok(message));
    let expected = [&[0xC0][..], &delimited(8, &message.encode()), &[0x80]].concat();
    assert_eq!(frame, expected);
}

#[test]
fn s04_27_plaintext_content_with_a_wrong_first_byte_or_end() {
    assert_eq!(PlaintextContent::parse(b""), Err(Error::CiphertextTooShort(0)));
    for byte in [0x00, 0x33, 0x44, 0xC1] {
        assert_eq!(
            PlaintextContent::parse(&[byte, 0x80]),
            Err(Error::UnrecognizedMessageVersion(byte))
        );
    }
    let extract = |bytes: &[u8]| PlaintextContent::parse(bytes).unwrap().decryption_error_message();
    let inner = delimited(8, &[0x10, 5]);
    let frame = |fields: &[u8], end: &[u8]| [&[0xC0][..], fields, end].concat();
    assert!(extract(&frame(&inner, &[0x80])).is_ok());
    // Without the trailing 0x80, or with zeros after it: parsed as a frame, refused by the extractor.
    assert_eq!(extract(&frame(&inner, &[])), Err(Error::InvalidProtobuf));
    assert_eq!(extract(&frame(&inner, &[0x80, 0])), Err(Error::InvalidProtobuf));
    assert_eq!(extract(&[0xC0]), Err(Error::InvalidProtobuf));
    // Other content.
    assert_eq!(extract(&frame(&[], &[0x80])), Err(Error::InvalidArgument));
    assert_eq!(extract(&frame(&delimited(1, b"data"), &[0x80])), Err(Error::InvalidArgument));
    assert_eq!(extract(&frame(&varint_field(1, 0), &[0x80])), Err(Error::InvalidProtobuf));
    assert_eq!(extract(&frame(&delimited(8, b""), &[0x80])), Err(Error::InvalidProtobuf));
}

#[test]
fn s04_9_type_codes() {
    use CiphertextMessageType as Type;
    for (kind, code, sealed) in [
        (Type::Signal, 2, 2),
        (Type::PreKey, 3, 1),
        (Type::SenderKey, 7, 7),
        (Type::Plaintext, 8, 8),
    ] {
        assert_eq!((kind.code(), kind.sealed_sender_code()), (code, sealed));
        assert_eq!(Type::from_code(code), Some(kind));
        assert_eq!(Type::from_sealed_sender_code(sealed), Some(kind));
    }
    let known = |from: fn(u8) -> Option<Type>| (0..=255).filter(|&c| from(c).is_some()).count();
    assert_eq!((known(Type::from_code), known(Type::from_sealed_sender_code)), (4, 4));
    assert_eq!(Type::from_sealed_sender_code(3), None);
}

fn option_bytes() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![Just(vec![]), prop::collection::vec(any::<u8>(), 1..300)]
}

/// Every parser on the same bytes: whatever comes out, nothing panics.
fn parse_all(bytes: &[u8]) {
    let _ = SignalMessage::parse(bytes);
    let _ = PreKeySignalMessage::parse(bytes);
    let _ = DecryptionErrorMessage::parse(bytes);
    let _ = PlaintextContent::parse(bytes).map(|content| content.decryption_error_message());
}

proptest! {
    #[test]
    fn any_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..300), head in 0..5_usize) {
        let mut bytes = bytes;
        if let (Some(first), Some(version)) = (bytes.first_mut(), [0x33, 0x44, 0xC0, 0x34].get(head)) {
            *first = *version;
        }
        parse_all(&bytes);
    }

    #[test]
    fn a_changed_byte_never_panics(at in any::<prop::sample::Index>(), value in any::<u8>(), cut in any::<prop::sample::Index>()) {
        for mut bytes in [pre_key_vector(), bytes(BOUND)] {
            let at = at.index(bytes.len());
            bytes[at] = value;
            parse_all(&bytes);
            bytes.truncate(cut.index(bytes.len()));
            parse_all(&bytes);
        }
    }

    #[test]
    fn what_is_written_is_parsed(
        version_byte in prop::sample::select(vec![0x33_u8, 0x34, 0x44]),
        (ratchet_key, base_key, identity_key) in any::<([u8; 32], [u8; 32], [u8; 32])>(),
        (counter, previous_counter) in any::<(u32, u32)>(),
        ciphertext in prop::collection::vec(any::<u8>(), 0..400),
        pq_ratchet in option_bytes(),
        binding in any::<Option<[u8; 18]>>(),
        mac in any::<[u8; 8]>(),
        (registration_id, pre_key_id, signed_pre_key_id, kyber_id) in any::<(u32, Option<u32>, u32, u32)>(),
        kyber_ciphertext in option_bytes(),
        with_kyber in any::<bool>(),
    ) {
        let ratchet_key = PublicKey::from_raw(ratchet_key);
        let binding: Option<[u8; 36]> = binding.map(|half| [half, half].concat().try_into().unwrap());
        let fields = SignalMessageFields {
            version_byte,
            ratchet_key: &ratchet_key,
            counter,
            previous_counter,
            pq_ratchet: &pq_ratchet,
            addresses: binding.as_ref(),
        };
        let written = write_signal(&fields, &ciphertext, mac);
        prop_assert_eq!(written.len(), fields.encoded_len(ciphertext.len()));
        prop_assert_eq!(written.len(), written.capacity());
        let parsed = SignalMessage::parse(&written).unwrap();
        prop_assert_eq!(parsed.version_byte(), version_byte);
        prop_assert_eq!(parsed.ratchet_key(), &ratchet_key);
        prop_assert_eq!(parsed.counter(), counter);
        prop_assert_eq!(parsed.previous_counter(), previous_counter);
        prop_assert_eq!(parsed.ciphertext(), &ciphertext[..]);
        prop_assert_eq!(parsed.pq_ratchet().unwrap_or_default(), &pq_ratchet[..]);
        prop_assert_eq!(parsed.pq_ratchet().is_some(), !pq_ratchet.is_empty());
        prop_assert_eq!(parsed.addresses(), binding.as_ref().map(|b| &b[..]));
        prop_assert_eq!(parsed.mac(), &mac);

        let (base_key, identity_key) = (PublicKey::from_raw(base_key), IdentityKey::new(PublicKey::from_raw(identity_key)));
        let kyber = (with_kyber || version_byte == 0x44).then_some((kyber_id, &kyber_ciphertext[..]));
        let outer = PreKeySignalMessageFields {
            version_byte,
            registration_id,
            pre_key_id,
            signed_pre_key_id,
            kyber,
            base_key: &base_key,
            identity_key: &identity_key,
        };
        let wrapped = write_pre_key(&outer, &fields, &ciphertext, mac);
        prop_assert_eq!(wrapped.len(), outer.encoded_len(written.len()));
        prop_assert_eq!(wrapped.len(), wrapped.capacity());
        let parsed = PreKeySignalMessage::parse(&wrapped).unwrap();
        prop_assert_eq!(parsed.version_byte(), version_byte);
        prop_assert_eq!(parsed.registration_id(), registration_id);
        prop_assert_eq!(parsed.pre_key_id(), pre_key_id);
        prop_assert_eq!(parsed.signed_pre_key_id(), signed_pre_key_id);
        prop_assert_eq!(parsed.kyber(), kyber);
        prop_assert_eq!(parsed.base_key(), &base_key);
        prop_assert_eq!(parsed.identity_key(), &identity_key);
        prop_assert_eq!(parsed.message().as_bytes(), &written[..]);
    }
}
