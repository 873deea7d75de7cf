//! The hand-written protobuf reader and writer against prost, through the public message types.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
#![allow(clippy::arithmetic_side_effects, missing_docs, unreachable_pub)]

use proptest::prelude::*;
use prost::Message;
use sandi::keys::{IdentityKey, PublicKey};
use sandi::wire::{
    DecryptionErrorMessage, PlaintextContent, PreKeySignalMessage, PreKeySignalMessageFields,
    SenderKeyDistributionMessage, SenderKeyDistributionMessageFields, SenderKeyMessage,
    SenderKeyMessageFields, SignalMessage, SignalMessageFields,
};
use sandi::{Error, GroupDialect, Secret, Timestamp};

/// The messages of spec 03 §5.1, spec 04 §2.1 and §8, as proto2: every field with presence.
mod proto {
    #[derive(Clone, PartialEq, prost::Message)]
    pub struct SignalMessage {
        #[prost(bytes = "vec", optional, tag = "1")]
        pub ratchet_key: Option<Vec<u8>>,
        #[prost(uint32, optional, tag = "2")]
        pub counter: Option<u32>,
        #[prost(uint32, optional, tag = "3")]
        pub previous_counter: Option<u32>,
        #[prost(bytes = "vec", optional, tag = "4")]
        pub ciphertext: Option<Vec<u8>>,
        #[prost(bytes = "vec", optional, tag = "5")]
        pub pq_ratchet: Option<Vec<u8>>,
        #[prost(bytes = "vec", optional, tag = "6")]
        pub addresses: Option<Vec<u8>>,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    pub struct PreKeySignalMessage {
        #[prost(uint32, optional, tag = "1")]
        pub pre_key_id: Option<u32>,
        #[prost(bytes = "vec", optional, tag = "2")]
        pub base_key: Option<Vec<u8>>,
        #[prost(bytes = "vec", optional, tag = "3")]
        pub identity_key: Option<Vec<u8>>,
        #[prost(bytes = "vec", optional, tag = "4")]
        pub message: Option<Vec<u8>>,
        #[prost(uint32, optional, tag = "5")]
        pub registration_id: Option<u32>,
        #[prost(uint32, optional, tag = "6")]
        pub signed_pre_key_id: Option<u32>,
        #[prost(uint32, optional, tag = "7")]
        pub kyber_pre_key_id: Option<u32>,
        #[prost(bytes = "vec", optional, tag = "8")]
        pub kyber_ciphertext: Option<Vec<u8>>,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    pub struct DecryptionErrorMessage {
        #[prost(bytes = "vec", optional, tag = "1")]
        pub ratchet_key: Option<Vec<u8>>,
        #[prost(uint64, optional, tag = "2")]
        pub timestamp: Option<u64>,
        #[prost(uint32, optional, tag = "3")]
        pub device_id: Option<u32>,
    }

    /// Spec 05 §3 and §4: a distribution message has fields 4 and 5, a message 4 alone.
    #[derive(Clone, PartialEq, prost::Message)]
    pub struct SenderKey {
        #[prost(bytes = "vec", optional, tag = "1")]
        pub distribution_id: Option<Vec<u8>>,
        #[prost(uint32, optional, tag = "2")]
        pub chain_id: Option<u32>,
        #[prost(uint32, optional, tag = "3")]
        pub iteration: Option<u32>,
        #[prost(bytes = "vec", optional, tag = "4")]
        pub content: Option<Vec<u8>>,
        #[prost(bytes = "vec", optional, tag = "5")]
        pub signing_key: Option<Vec<u8>>,
    }

    /// The same in the older form (spec 05 §6).
    #[derive(Clone, PartialEq, prost::Message)]
    pub struct OlderSenderKey {
        #[prost(uint32, optional, tag = "1")]
        pub chain_id: Option<u32>,
        #[prost(uint32, optional, tag = "2")]
        pub iteration: Option<u32>,
        #[prost(bytes = "vec", optional, tag = "3")]
        pub content: Option<Vec<u8>>,
        #[prost(bytes = "vec", optional, tag = "4")]
        pub signing_key: Option<Vec<u8>>,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    pub struct Content {
        #[prost(bytes = "vec", optional, tag = "1")]
        pub data: Option<Vec<u8>>,
        #[prost(bytes = "vec", optional, tag = "8")]
        pub decryption_error_message: Option<Vec<u8>>,
    }
}

/// What prost makes of a `SignalMessage`, by the rules of spec 04 §2.2.
fn signal_by_prost(bytes: &[u8]) -> Result<proto::SignalMessage, Error> {
    let protobuf = &bytes[1..bytes.len() - 8];
    let message = proto::SignalMessage::decode(protobuf).map_err(|_| Error::InvalidProtobuf)?;
    if message.counter.is_none() || message.ciphertext.is_none() {
        return Err(Error::InvalidProtobuf);
    }
    PublicKey::decode(message.ratchet_key.as_deref().ok_or(Error::InvalidProtobuf)?)?;
    Ok(message)
}

fn signal_by_sandi(bytes: &[u8]) -> Result<proto::SignalMessage, Error> {
    SignalMessage::parse(bytes).map(|message| proto::SignalMessage {
        ratchet_key: Some(message.ratchet_key().encode().to_vec()),
        counter: Some(message.counter()),
        previous_counter: Some(message.previous_counter()),
        ciphertext: Some(message.ciphertext().to_vec()),
        pq_ratchet: message.pq_ratchet().map(<[u8]>::to_vec),
        addresses: message.addresses().map(<[u8]>::to_vec),
    })
}

/// Default values and long keys as a receiver reads them, so that the two compare.
fn signal_as_received(mut message: proto::SignalMessage) -> proto::SignalMessage {
    message.previous_counter.get_or_insert_default();
    if let Some(key) = &mut message.ratchet_key {
        key.truncate(33);
    }
    message
}

fn assert_signal_agrees(bytes: &[u8]) {
    let expected = signal_by_prost(bytes).map(signal_as_received);
    assert_eq!(signal_by_sandi(bytes), expected, "{}", hex::encode(bytes));
}

/// What prost makes of a `PreKeySignalMessage`, by the rules of spec 03 §5.2.
fn pre_key_by_prost(bytes: &[u8]) -> Result<proto::PreKeySignalMessage, Error> {
    let message =
        proto::PreKeySignalMessage::decode(&bytes[1..]).map_err(|_| Error::InvalidProtobuf)?;
    let missing = Error::InvalidProtobuf;
    let base_key = message.base_key.as_ref().ok_or(missing)?;
    let identity_key = message.identity_key.as_ref().ok_or(missing)?;
    let inner = message.message.as_ref().ok_or(missing)?;
    message.signed_pre_key_id.ok_or(missing)?;
    PublicKey::decode(base_key)?;
    let kyber = (message.kyber_pre_key_id.is_some(), message.kyber_ciphertext.is_some());
    if kyber.0 != kyber.1 || (!kyber.0 && bytes[0] >> 4 == 4) {
        return Err(Error::IncompleteKyberFields);
    }
    IdentityKey::decode(identity_key)?;
    SignalMessage::parse(inner)?;
    Ok(message)
}

fn assert_pre_key_agrees(bytes: &[u8]) {
    let expected = pre_key_by_prost(bytes).map(|mut message| {
        message.registration_id.get_or_insert_default();
        for key in [&mut message.base_key, &mut message.identity_key] {
            key.as_mut().unwrap().truncate(33);
        }
        message
    });
    let parsed = PreKeySignalMessage::parse(bytes).map(|message| proto::PreKeySignalMessage {
        pre_key_id: message.pre_key_id(),
        base_key: Some(message.base_key().encode().to_vec()),
        identity_key: Some(message.identity_key().encode().to_vec()),
        message: Some(message.message().as_bytes().to_vec()),
        registration_id: Some(message.registration_id()),
        signed_pre_key_id: Some(message.signed_pre_key_id()),
        kyber_pre_key_id: message.kyber().map(|(id, _)| id),
        kyber_ciphertext: message.kyber().map(|(_, ciphertext)| ciphertext.to_vec()),
    });
    assert_eq!(parsed, expected, "{}", hex::encode(bytes));
}

fn assert_decryption_error_agrees(bytes: &[u8]) {
    let expected = proto::DecryptionErrorMessage::decode(bytes)
        .map_err(|_| Error::InvalidProtobuf)
        .and_then(|message| {
            let timestamp = message.timestamp.ok_or(Error::InvalidProtobuf)?;
            let key = message.ratchet_key.as_deref().map(PublicKey::decode).transpose()?;
            Ok((key, Timestamp(timestamp), message.device_id.unwrap_or_default()))
        });
    let parsed = DecryptionErrorMessage::parse(bytes)
        .map(|message| (message.ratchet_key().copied(), message.timestamp(), message.device_id()));
    assert_eq!(parsed, expected, "{}", hex::encode(bytes));
}

/// The encoding of a key as it is, one byte longer, or spoiled.
fn key_bytes() -> impl Strategy<Value = Vec<u8>> {
    let sound =
        prop::collection::vec(any::<u8>(), 32..36).prop_map(|raw| [&[5], &raw[..]].concat());
    prop_oneof![8 => sound, 1 => prop::collection::vec(any::<u8>(), 0..40)]
}

fn blob() -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(any::<u8>(), 0..150)
}

fn varint(mut value: u64) -> Vec<u8> {
    let mut out = Vec::new();
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
    out
}

/// One field as a peer, or an attacker, might encode it: any number, any wire type, any length.
fn any_field() -> impl Strategy<Value = Vec<u8>> {
    let number =
        prop_oneof![8 => 1..=9_u64, 1 => 0..=20_u64, 1 => any::<u32>().prop_map(u64::from)];
    let content = prop_oneof![
        4 => any::<u64>().prop_map(|value| (0, varint(value))),
        2 => (0..300_u64).prop_map(|value| (0, varint(value))),
        6 => prop_oneof![key_bytes(), blob()].prop_map(|b| (2, [varint(b.len() as u64), b].concat())),
        1 => any::<[u8; 8]>().prop_map(|bytes| (1, bytes.to_vec())),
        1 => any::<[u8; 4]>().prop_map(|bytes| (5, bytes.to_vec())),
        // Anything: ends, groups, wire types that do not exist, non-minimal and endless varints.
        1 => (0..8_u64, prop::collection::vec(prop_oneof![any::<u8>(), Just(0x80), Just(0x0B), Just(0x0C)], 0..14)),
    ];
    (number, content, any::<bool>()).prop_map(|(number, (wire_type, bytes), in_group)| {
        let field = [varint(number << 3 | wire_type), bytes].concat();
        match in_group && number % 4 == 1 {
            true => [varint(number << 3 | 3), field, varint(number << 3 | 4)].concat(),
            false => field,
        }
    })
}

/// A sound message's fields, in any order, with others between them.
fn around(sound: Vec<Vec<u8>>) -> impl Strategy<Value = Vec<u8>> {
    let others = prop::collection::vec(any_field(), 0..4);
    (Just(sound), others).prop_flat_map(|(sound, others)| {
        Just([sound, others].concat()).prop_shuffle().prop_map(|fields| fields.concat())
    })
}

fn field_bytes(number: u64, bytes: &[u8]) -> Vec<u8> {
    [varint(number << 3 | 2), varint(bytes.len() as u64), bytes.to_vec()].concat()
}

fn field_uint(number: u64, value: u64) -> Vec<u8> {
    [varint(number << 3), varint(value)].concat()
}

fn signal_fields() -> impl Strategy<Value = Vec<u8>> {
    (key_bytes(), any::<u64>(), blob()).prop_flat_map(|(key, counter, ciphertext)| {
        around(vec![field_bytes(1, &key), field_uint(2, counter), field_bytes(4, &ciphertext)])
    })
}

fn pre_key_fields() -> impl Strategy<Value = Vec<u8>> {
    (key_bytes(), key_bytes(), any::<u64>(), any::<bool>()).prop_flat_map(
        |(base, identity, id, with_kyber)| {
            let inner = [
                &[0x44][..],
                &field_bytes(1, &[5; 33]),
                &field_uint(2, 0),
                &field_bytes(4, &[0; 16]),
                &[0; 8],
            ]
            .concat();
            let mut fields = vec![
                field_bytes(2, &base),
                field_bytes(3, &identity),
                field_bytes(4, &inner),
                field_uint(6, id),
            ];
            if with_kyber {
                fields.extend([field_uint(7, id), field_bytes(8, &[8; 33])]);
            }
            around(fields)
        },
    )
}

#[test]
fn groups_are_skipped_as_deep_as_prost_skips_them() {
    let sound = [field_bytes(1, &[5; 33]), field_uint(2, 0), field_bytes(4, b"")].concat();
    for depth in 95..105 {
        for inner in [&[][..], &[0x38, 0x00]] {
            let message =
                [&[0x44][..], &sound, &vec![0x3B; depth], inner, &vec![0x3C; depth], &[0; 8]]
                    .concat();
            assert_signal_agrees(&message);
        }
    }
}

#[test]
fn the_generators_reach_sound_and_unsound_messages() {
    use proptest::strategy::ValueTree;
    use proptest::test_runner::TestRunner;

    let mut runner = TestRunner::deterministic();
    let mut sound = [0; 2];
    for _ in 0..400 {
        let signal = signal_fields().new_tree(&mut runner).unwrap().current();
        sound[0] +=
            usize::from(SignalMessage::parse(&[&[0x44], &signal[..], &[0; 8]].concat()).is_ok());
        let pre_key = pre_key_fields().new_tree(&mut runner).unwrap().current();
        sound[1] +=
            usize::from(PreKeySignalMessage::parse(&[&[0x34], &pre_key[..]].concat()).is_ok());
    }
    assert!(sound.iter().all(|count| (40..360).contains(count)), "{sound:?}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn signal_messages_parse_as_prost_parses_them(protobuf in signal_fields(), mac in any::<[u8; 8]>()) {
        assert_signal_agrees(&[&[0x44], &protobuf[..], &mac].concat());
    }

    #[test]
    fn spoiled_signal_messages_parse_as_prost_parses_them(
        protobuf in signal_fields(),
        at in any::<prop::sample::Index>(),
        value in any::<u8>(),
        cut in 0..3_usize,
    ) {
        let mut protobuf = protobuf;
        let at = at.index(protobuf.len());
        protobuf[at] = value;
        protobuf.truncate(protobuf.len() - cut.min(protobuf.len()));
        assert_signal_agrees(&[&[0x34], &protobuf[..], &[0; 8]].concat());
    }

    #[test]
    fn any_protobuf_parses_as_prost_parses_it(fields in prop::collection::vec(any_field(), 0..6), noise in blob()) {
        for protobuf in [fields.concat(), noise] {
            assert_signal_agrees(&[&[0x44], &protobuf[..], &[0; 8]].concat());
            assert_pre_key_agrees(&[&[0x33], &protobuf[..]].concat());
            assert_decryption_error_agrees(&protobuf);
        }
    }

    #[test]
    fn pre_key_messages_parse_as_prost_parses_them(protobuf in pre_key_fields(), old in any::<bool>()) {
        assert_pre_key_agrees(&[&[if old { 0x33 } else { 0x44 }], &protobuf[..]].concat());
    }

    #[test]
    fn decryption_errors_parse_as_prost_parses_them(
        key in key_bytes(), time in any::<u64>(), device in any::<u64>(), others in prop::collection::vec(any_field(), 0..3),
    ) {
        let sound = [field_bytes(1, &key), field_uint(2, time), field_uint(3, device)].concat();
        assert_decryption_error_agrees(&sound);
        assert_decryption_error_agrees(&[sound, others.concat()].concat());
    }

    #[test]
    fn what_is_written_is_what_prost_writes(
        (ratchet_key, base_key, identity_key) in any::<([u8; 32], [u8; 32], [u8; 32])>(),
        (counter, previous_counter, registration_id, signed_pre_key_id) in any::<(u32, u32, u32, u32)>(),
        (pre_key_id, kyber_pre_key_id) in any::<(Option<u32>, Option<u32>)>(),
        (ciphertext, pq_ratchet, kyber_ciphertext) in (blob(), blob(), blob()),
        binding in any::<Option<[u8; 18]>>(),
        (time, device) in any::<(u64, u32)>(),
    ) {
        let ratchet_key = PublicKey::from_raw(ratchet_key);
        let binding: Option<[u8; 36]> = binding.map(|half| [half, half].concat().try_into().unwrap());
        let inner = SignalMessageFields {
            version_byte: 0x34,
            ratchet_key: &ratchet_key,
            counter,
            previous_counter,
            pq_ratchet: &pq_ratchet,
            addresses: binding.as_ref(),
        };
        let fill = |place: &mut [u8]| {
            place.copy_from_slice(&ciphertext);
            Ok(())
        };
        let mut written = Vec::new();
        inner.write(&mut written, ciphertext.len(), fill, |_| *b"mac8mac8").unwrap();
        let proto = proto::SignalMessage {
            ratchet_key: Some(ratchet_key.encode().to_vec()),
            counter: Some(counter),
            previous_counter: Some(previous_counter),
            ciphertext: Some(ciphertext.clone()),
            pq_ratchet: (!pq_ratchet.is_empty()).then_some(pq_ratchet.clone()),
            addresses: binding.map(|binding| binding.to_vec()),
        };
        let expected = [&[0x34], &proto.encode_to_vec()[..], b"mac8mac8"].concat();
        prop_assert_eq!(&written, &expected);

        let base_key = PublicKey::from_raw(base_key);
        let identity_key = IdentityKey::new(PublicKey::from_raw(identity_key));
        let outer = PreKeySignalMessageFields {
            version_byte: 0x34,
            registration_id,
            pre_key_id,
            signed_pre_key_id,
            kyber: kyber_pre_key_id.map(|id| (id, &kyber_ciphertext[..])),
            base_key: &base_key,
            identity_key: &identity_key,
        };
        let mut wrapped = Vec::new();
        outer.write(&inner, &mut wrapped, ciphertext.len(), fill, |_| *b"mac8mac8").unwrap();
        let proto = proto::PreKeySignalMessage {
            pre_key_id,
            base_key: Some(base_key.encode().to_vec()),
            identity_key: Some(identity_key.encode().to_vec()),
            message: Some(written.clone()),
            registration_id: Some(registration_id),
            signed_pre_key_id: Some(signed_pre_key_id),
            kyber_pre_key_id,
            kyber_ciphertext: kyber_pre_key_id.map(|_| kyber_ciphertext.clone()),
        };
        prop_assert_eq!(wrapped, [&[0x34], &proto.encode_to_vec()[..]].concat());

        let error = DecryptionErrorMessage::for_original(
            &written, sandi::wire::CiphertextMessageType::Signal, Timestamp(time), device,
        ).unwrap();
        let proto = proto::DecryptionErrorMessage {
            ratchet_key: Some(ratchet_key.encode().to_vec()),
            timestamp: Some(time),
            device_id: Some(device),
        };
        prop_assert_eq!(error.encode(), proto.encode_to_vec());
        let content = proto::Content {
            data: None,
            decryption_error_message: Some(proto.encode_to_vec()),
        };
        let frame = [&[0xC0], &content.encode_to_vec()[..], &[0x80]].concat();
        prop_assert_eq!(PlaintextContent::encode(&error), frame);
    }
}

/// A message to a group as each form writes it: with the distribution id, or without.
fn sender_key_by_prost(id: Option<&[u8; 16]>, fields: &proto::SenderKey) -> Vec<u8> {
    let proto::SenderKey { chain_id, iteration, content, signing_key, .. } = fields.clone();
    let protobuf = match id {
        Some(id) => {
            let distribution_id = Some(id.to_vec());
            proto::SenderKey { distribution_id, chain_id, iteration, content, signing_key }
                .encode_to_vec()
        }
        None => proto::OlderSenderKey { chain_id, iteration, content, signing_key }.encode_to_vec(),
    };
    [&[0x33][..], &protobuf].concat()
}

proptest! {
    #[test]
    fn sender_key_messages_agree_with_prost(
        id: Option<[u8; 16]>,
        chain_id: u32,
        iteration: u32,
        ciphertext in prop::collection::vec(any::<u8>(), 0..300),
        unknown: u32,
    ) {
        let theirs = sender_key_by_prost(id.as_ref(), &proto::SenderKey {
            chain_id: Some(chain_id),
            iteration: Some(iteration),
            content: Some(ciphertext.clone()),
            ..Default::default()
        });
        let fields = SenderKeyMessageFields {
            version_byte: 0x33,
            distribution_id: id.as_ref(),
            chain_id,
            iteration,
        };
        let mut ours = Vec::new();
        let fill = |body: &mut [u8]| {
            body.copy_from_slice(&ciphertext);
            Ok(())
        };
        fields.write(&mut ours, ciphertext.len(), fill, |_| [9; 64]).unwrap();
        prop_assert_eq!(&ours[..ours.len() - 64], &theirs[..]);
        prop_assert_eq!(ours.len(), fields.encoded_len(ciphertext.len()));
        // fields that nobody knows are passed over
        let dialect = if id.is_some() { GroupDialect::Distribution } else { GroupDialect::GroupId };
        let more = proto::DecryptionErrorMessage { device_id: Some(unknown), ..Default::default() };
        let shift = |bytes: Vec<u8>| [&[bytes[0] | 0x78], &bytes[1..]].concat();
        let longer = [&theirs[..], &shift(more.encode_to_vec()), &[9; 64]].concat();
        for bytes in [&ours, &longer] {
            let message = SenderKeyMessage::parse(dialect, bytes).unwrap();
            prop_assert_eq!(message.distribution_id(), id.as_ref());
            prop_assert_eq!((message.chain_id(), message.iteration()), (chain_id, iteration));
            prop_assert_eq!(message.ciphertext(), &ciphertext[..]);
            prop_assert_eq!(message.signed(), &bytes[..bytes.len() - 64]);
        }
    }

    #[test]
    fn distribution_messages_agree_with_prost(
        id: Option<[u8; 16]>,
        chain_id: u32,
        iteration: u32,
        chain_key: [u8; 32],
        raw: [u8; 32],
    ) {
        let signing_key = PublicKey::from_raw(raw);
        let theirs = sender_key_by_prost(id.as_ref(), &proto::SenderKey {
            chain_id: Some(chain_id),
            iteration: Some(iteration),
            content: Some(chain_key.to_vec()),
            signing_key: Some(signing_key.encode().to_vec()),
            ..Default::default()
        });
        let ours = SenderKeyDistributionMessageFields {
            version_byte: 0x33,
            distribution_id: id.as_ref(),
            chain_id,
            iteration,
            chain_key: &Secret::new(chain_key),
            signing_key: &signing_key,
        }
        .encode();
        prop_assert_eq!(&*ours, &theirs);
        let dialect = if id.is_some() { GroupDialect::Distribution } else { GroupDialect::GroupId };
        let message = SenderKeyDistributionMessage::parse(dialect, &ours).unwrap();
        prop_assert_eq!(message.distribution_id(), id.as_ref());
        prop_assert_eq!((message.chain_id(), message.iteration()), (chain_id, iteration));
        let told = message.chain_key();
        prop_assert_eq!(told.expose(), &chain_key);
        prop_assert_eq!(message.signing_key(), &signing_key);
    }

    #[test]
    fn any_bytes_as_sender_key_messages_are_refused_or_read(mut bytes: Vec<u8>, fixed: bool) {
        if let (true, Some(first)) = (fixed, bytes.first_mut()) {
            *first = 0x33;
        }
        for dialect in [GroupDialect::Distribution, GroupDialect::GroupId] {
            let _ = SenderKeyMessage::parse(dialect, &bytes);
            let _ = SenderKeyDistributionMessage::parse(dialect, &bytes);
        }
    }
}
