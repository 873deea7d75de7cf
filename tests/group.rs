//! Sender keys: the conformance scenarios of spec 05, and what is stored.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects
)]

use core::convert::Infallible;

use proptest::prelude::*;
use rand::seq::SliceRandom;
use rand::{SeedableRng, rngs::StdRng};
use sandi::group::{Distribution, SenderKeyRecord};
use sandi::keys::PublicKey;
use sandi::migrate::official::{decode_sender_key, encode_sender_key};
use sandi::rand_core::{TryCryptoRng, TryRng};
use sandi::wire::{
    SenderKeyDistributionMessage, SenderKeyDistributionMessageFields, SenderKeyMessage,
};
use sandi::{
    Address, Changes, DeviceId, Error, GroupDialect, MemoryStore, Secret, Snapshot, Store,
};

const ID: [u8; 16] = *b"\xd1\xd1\xd1\xd1\x70\x00\x11\xeb\xb3\x2a\x33\xb8\xa8\xa4\x87\xa6";
const CHAIN_ID: u32 = 0x0123_4567;
const CHAIN_KEY: &str = "221a4a00cd1f27da0a469f53faaf160b85057bfb8936c185d76b0ab3fc52abc1";
const PRIVATE: &str = "a0ed414e00aa248d26f9e218b54ee739aad2c9e3fb92611286464e65a8abdf6e";
const PUBLIC: &str = "23825108d5af96465d4bca20fbb2b9ba39e2babcc332c0240318f6050213b267";

/// Spec 05 §7.
const DISTRIBUTION: &str = "330a10d1d1d1d1700011ebb32a33b8a8a487a610e78a8d0918002220221a4a00cd1f27da0a46\
    9f53faaf160b85057bfb8936c185d76b0ab3fc52abc12a210523825108d5af96465d4bca20fb\
    b2b9ba39e2babcc332c0240318f6050213b267";
const MESSAGES: [(&str, &str); 3] = [
    (
        "group hello",
        "330a10d1d1d1d1700011ebb32a33b8a8a487a610e78a8d0918002210dbf20f1e775059a334fa\
         aec47034824668e3bd986059031da5b9864157d8df19c0427682f4413b87ab193b8932c08694\
         9fb9e9c9dcdc945ee5924608d49125b6648898d841701cde2bc696426a6be280",
    ),
    (
        "group two",
        "330a10d1d1d1d1700011ebb32a33b8a8a487a610e78a8d0918012210b84f2e94b6c338111bc8\
         cbd3cd2af37913d658edf279eecdd94376364c09f650076e13113386934f35f6a21bedf6be87\
         1d7bfe69d337d3ecceb8c9f1eee70ba355b21bdd0081c69d85cb51e6ac844d82",
    ),
    (
        "group three",
        "330a10d1d1d1d1700011ebb32a33b8a8a487a610e78a8d09180222106befe8b3ca7eb3e2ad3b\
         c544d4cd1630604f508de5207f340f8d287ee0ab380151f05e3b9ca2ea8343596d869f3407bf\
         0ec3337ee8185c98a6b1d96f467c8f0774f15b7b069bae2b46d5de83a4d9af89",
    ),
];

/// Draws zeros: `Z` of spec 05 §7.
struct Zeros;

impl TryRng for Zeros {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        Ok(0)
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        Ok(0)
    }

    fn try_fill_bytes(&mut self, out: &mut [u8]) -> Result<(), Infallible> {
        out.fill(0);
        Ok(())
    }
}

impl TryCryptoRng for Zeros {}

fn bytes(text: &str) -> Vec<u8> {
    hex::decode(text).unwrap()
}

fn rng(seed: u64) -> StdRng {
    StdRng::seed_from_u64(seed)
}

fn distribution() -> Distribution {
    Distribution::Id(ID)
}

fn group() -> Distribution {
    Distribution::Group("120363000000000042@g.us".into())
}

/// The record of spec 05 §7's sender, as it is stored, at `iteration`.
fn stored(iteration: u32) -> Vec<u8> {
    let mut out = vec![1, 7, 0, 0, 0, 3];
    out.extend_from_slice(&CHAIN_ID.to_be_bytes());
    out.extend_from_slice(&iteration.to_be_bytes());
    for part in [CHAIN_KEY, PUBLIC, PRIVATE] {
        out.extend_from_slice(&bytes(part));
    }
    out.extend_from_slice(&[0, 0]);
    out
}

fn sender_at(iteration: u32) -> SenderKeyRecord {
    SenderKeyRecord::decode(&stored(iteration)).unwrap()
}

fn receive(
    record: &mut SenderKeyRecord,
    by: &Distribution,
    message: &[u8],
) -> Result<Vec<u8>, Error> {
    let before = record.encode();
    let message = SenderKeyMessage::parse(by.dialect(), message)?;
    let result = record.decrypt(&message);
    if result.is_err() {
        assert_eq!(record.encode(), before, "a failure leaves no trace");
    }
    result.map(|text| text.to_vec())
}

fn learn(record: &mut SenderKeyRecord, by: &Distribution, message: &[u8]) {
    record
        .process_distribution(&SenderKeyDistributionMessage::parse(by.dialect(), message).unwrap());
}

/// A sender, a receiver who holds its key, and the generator they draw from.
fn pair(by: &Distribution, seed: u64) -> (SenderKeyRecord, SenderKeyRecord, StdRng) {
    let mut rng = rng(seed);
    let (mut sender, mut receiver) = (SenderKeyRecord::new(), SenderKeyRecord::new());
    learn(&mut receiver, by, &sender.create_distribution(by, &mut rng).unwrap());
    (sender, receiver, rng)
}

fn both() -> [Distribution; 2] {
    [distribution(), group()]
}

#[test]
fn s05_1_worked_example_decrypts_out_of_order_and_once() {
    let by = distribution();
    let mut receiver = SenderKeyRecord::new();
    learn(&mut receiver, &by, &bytes(DISTRIBUTION));
    for index in [2, 0, 1] {
        let (text, message) = MESSAGES[index];
        assert_eq!(receive(&mut receiver, &by, &bytes(message)).unwrap(), text.as_bytes());
    }
    assert_eq!(
        receive(&mut receiver, &by, &bytes(MESSAGES[0].1)),
        Err(Error::DuplicatedMessage { chain_index: 3, counter: 0 })
    );
}

#[test]
fn s05_7_worked_example_is_written_byte_for_byte() {
    let mut sender = sender_at(0);
    let message = sender.create_distribution(&distribution(), &mut Zeros).unwrap();
    assert_eq!(hex::encode(&message), DISTRIBUTION);
    for (text, message) in MESSAGES {
        let sent = sender.encrypt(&distribution(), text.as_bytes(), &mut Zeros).unwrap();
        assert_eq!(hex::encode(sent), message);
    }
    let view = bytes(MESSAGES[2].1);
    let view = SenderKeyMessage::parse(GroupDialect::Distribution, &view).unwrap();
    assert_eq!((view.version(), view.version_byte()), (3, 0x33));
    assert_eq!((view.chain_id(), view.iteration()), (CHAIN_ID, 2));
    assert_eq!(view.distribution_id(), Some(&ID));
    assert_eq!(&view.as_bytes()[view.ciphertext_range()], view.ciphertext());
    assert!(view.verify(&PublicKey::from_raw(bytes(PUBLIC).try_into().unwrap())));
}

#[test]
fn s05_2_without_a_key() {
    for by in both() {
        let (mut sender, _, mut rng) = pair(&by, 2);
        let mut nobody = SenderKeyRecord::new();
        let refused = nobody.encrypt(&by, b"text", &mut rng);
        assert_eq!(refused, Err(Error::NoSenderKeyState));
        let message = sender.encrypt(&by, b"text", &mut rng).unwrap();
        assert_eq!(receive(&mut nobody, &by, &message), Err(Error::NoSenderKeyState));
        // the key of another chain does not help
        let (_, mut other, _) = pair(&by, 3);
        assert_eq!(receive(&mut other, &by, &message), Err(Error::NoSenderKeyState));
    }
}

#[test]
fn s05_3_a_receivers_record_cannot_encrypt() {
    let (_, mut receiver, mut rng) = pair(&distribution(), 3);
    let before = receiver.encode();
    let refused = receiver.encrypt(&distribution(), b"text", &mut rng);
    assert_eq!(refused, Err(Error::InvalidSenderKeySession));
    assert_eq!(receiver.encode(), before);
}

#[test]
fn s05_4_distributing_creates_nothing_twice() {
    let by = distribution();
    let (mut sender, _, mut rng) = pair(&by, 4);
    let first = sender.create_distribution(&by, &mut rng).unwrap();
    assert_eq!(sender.create_distribution(&by, &mut rng).unwrap(), first);
    sender.encrypt(&by, b"text", &mut rng).unwrap();
    let second = sender.create_distribution(&by, &mut rng).unwrap();
    let parse = |bytes| SenderKeyDistributionMessage::parse(by.dialect(), bytes).unwrap();
    let (first, second) = (parse(&first), parse(&second));
    assert_eq!((first.iteration(), second.iteration()), (0, 1));
    assert_eq!(first.chain_id(), second.chain_id());
    assert_eq!(first.chain_id() >> 31, 0);
    assert_eq!(first.signing_key(), second.signing_key());
    assert_ne!(first.chain_key(), second.chain_key());
    assert_eq!(first.version(), 3);
}

#[test]
fn s05_5_late_join() {
    let by = distribution();
    let (mut sender, mut early, mut rng) = pair(&by, 5);
    let messages: Vec<_> =
        (0..100_u8).map(|n| sender.encrypt(&by, &[n], &mut rng).unwrap()).collect();
    let mut late = SenderKeyRecord::new();
    learn(&mut late, &by, &sender.create_distribution(&by, &mut rng).unwrap());
    let last = sender.encrypt(&by, b"last", &mut rng).unwrap();
    assert_eq!(receive(&mut early, &by, &last).unwrap(), b"last");
    assert_eq!(
        receive(&mut late, &by, &messages[99]),
        Err(Error::DuplicatedMessage { chain_index: 100, counter: 99 })
    );
    assert_eq!(receive(&mut late, &by, &last).unwrap(), b"last");
}

#[test]
fn s05_6_a_hundred_shuffled() {
    for by in both() {
        let (mut sender, mut receiver, mut rng) = pair(&by, 6);
        let mut messages: Vec<_> =
            (0..100_u8).map(|n| (n, sender.encrypt(&by, &[n], &mut rng).unwrap())).collect();
        messages.shuffle(&mut rng);
        for (n, message) in &messages {
            assert_eq!(receive(&mut receiver, &by, message).unwrap(), [*n]);
        }
        for (_, message) in &messages {
            let again = receive(&mut receiver, &by, message);
            assert!(matches!(again, Err(Error::DuplicatedMessage { chain_index: 100, .. })));
        }
        assert_eq!(receiver.skipped_count(), 0);
    }
}

#[test]
fn s05_7_at_most_2000_skipped_keys_and_the_oldest_go() {
    let by = distribution();
    let (mut sender, mut receiver, mut rng) = pair(&by, 7);
    let messages: Vec<_> =
        (0..2010_u32).map(|n| sender.encrypt(&by, &n.to_le_bytes(), &mut rng).unwrap()).collect();
    for n in [1000, 2009_u32] {
        let text = receive(&mut receiver, &by, &messages[n as usize]).unwrap();
        assert_eq!(text, n.to_le_bytes());
    }
    assert_eq!(receiver.skipped_count(), 2000);
    let evicted = receive(&mut receiver, &by, &messages[0]);
    assert_eq!(evicted, Err(Error::DuplicatedMessage { chain_index: 2010, counter: 0 }));
    assert!(receive(&mut receiver, &by, &messages[7]).is_err());
    assert_eq!(receive(&mut receiver, &by, &messages[8]).unwrap(), 8_u32.to_le_bytes());
}

#[test]
fn s05_8_the_largest_jump() {
    let by = distribution();
    let message = |iteration| sender_at(iteration).encrypt(&by, b"far", &mut rng(8)).unwrap();
    // the sender's chain key is not the true one of those iterations, so only the order of checks is seen
    let mut receiver = SenderKeyRecord::new();
    learn(&mut receiver, &by, &bytes(DISTRIBUTION));
    assert_eq!(receive(&mut receiver, &by, &message(25_001)), Err(Error::TooFarInFuture));
    assert_eq!(receive(&mut receiver, &by, &message(u32::MAX - 1)), Err(Error::TooFarInFuture));
    // a true one: the chain moved 25,000 on
    let mut sender = sender_at(0);
    for _ in 0..25_000 {
        sender.encrypt(&by, b"", &mut Zeros).unwrap();
    }
    let mut copy = SenderKeyRecord::decode(&sender.encode()).unwrap();
    let far = copy.encrypt(&by, b"far", &mut Zeros).unwrap();
    let farther = copy.encrypt(&by, b"farther", &mut Zeros).unwrap();
    assert_eq!(receive(&mut receiver, &by, &farther), Err(Error::TooFarInFuture));
    assert_eq!(receive(&mut receiver, &by, &far).unwrap(), b"far");
    assert_eq!(receive(&mut receiver, &by, &farther).unwrap(), b"farther");
}

#[test]
fn s05_9_every_bit_flipped_and_every_cut() {
    for by in both() {
        let (mut sender, mut receiver, mut rng) = pair(&by, 9);
        let message = sender.encrypt(&by, b"group hello", &mut rng).unwrap();
        for at in 0..message.len() * 8 {
            let mut forged = message.clone();
            forged[at / 8] ^= 1 << (at % 8);
            let error = receive(&mut receiver, &by, &forged).unwrap_err();
            let is_low_nibble = at < 4;
            let is_signature = at >= (message.len() - 64) * 8;
            if is_low_nibble || is_signature {
                assert_eq!(error, Error::SignatureValidationFailed, "bit {at}");
            }
            let expected = [
                Error::SignatureValidationFailed,
                Error::InvalidProtobuf,
                Error::NoSenderKeyState,
                Error::LegacyCiphertextVersion(message[0] >> 4 ^ 1),
                Error::LegacyCiphertextVersion(1),
                Error::UnrecognizedCiphertextVersion(7),
                Error::UnrecognizedCiphertextVersion(11),
            ];
            assert!(expected.contains(&error), "bit {at}: {error:?}");
        }
        for length in 0..message.len() {
            receive(&mut receiver, &by, &message[..length]).unwrap_err();
        }
        assert_eq!(receive(&mut receiver, &by, &message).unwrap(), b"group hello");
    }
}

#[test]
fn s05_10_a_known_key_is_neither_rewound_nor_advanced_but_becomes_the_first() {
    let by = distribution();
    let (mut sender, mut receiver, mut rng) = pair(&by, 10);
    let first = sender.create_distribution(&by, &mut rng).unwrap();
    let messages: Vec<_> =
        (0..5_u8).map(|n| sender.encrypt(&by, &[n], &mut rng).unwrap()).collect();
    let later = sender.create_distribution(&by, &mut rng).unwrap();
    receive(&mut receiver, &by, &messages[2]).unwrap();
    let (mut other, _, _) = pair(&by, 11);
    learn(&mut receiver, &by, &other.create_distribution(&by, &mut rng).unwrap());
    let known: Vec<_> = receiver.chain_ids().collect();
    for (message, at) in [(&first, 3), (&later, 3)] {
        learn(&mut receiver, &by, message);
        assert_eq!(receiver.chain_ids().collect::<Vec<_>>(), [known[1], known[0]]);
        assert_eq!(receiver.iteration(), Some(at));
    }
    assert!(receive(&mut receiver, &by, &messages[2]).is_err());
    assert_eq!(receive(&mut receiver, &by, &messages[0]).unwrap(), [0]);
    assert_eq!(receive(&mut receiver, &by, &messages[4]).unwrap(), [4]);
}

/// A distribution message with parts of one's choice.
fn crafted(chain_id: u32, iteration: u32, signing_key: &PublicKey) -> Vec<u8> {
    SenderKeyDistributionMessageFields {
        version_byte: 0x33,
        distribution_id: Some(&ID),
        chain_id,
        iteration,
        chain_key: &Secret::new([7; 32]),
        signing_key,
    }
    .encode()
    .to_vec()
}

#[test]
fn s05_11_same_chain_id_with_another_signing_key_replaces() {
    let by = distribution();
    let mut receiver = SenderKeyRecord::new();
    learn(&mut receiver, &by, &bytes(DISTRIBUTION));
    let message = bytes(MESSAGES[0].1);
    receive(&mut receiver, &by, &message).unwrap();
    learn(&mut receiver, &by, &crafted(CHAIN_ID, 0, &PublicKey::from_raw([9; 32])));
    assert_eq!(receiver.chain_ids().collect::<Vec<_>>(), [CHAIN_ID]);
    let refused = receive(&mut receiver, &by, &bytes(MESSAGES[1].1));
    assert_eq!(refused, Err(Error::SignatureValidationFailed));
}

#[test]
fn s05_12_the_sixth_state_drops_the_first() {
    let by = distribution();
    let mut rng = rng(12);
    let mut receiver = SenderKeyRecord::new();
    let mut senders: Vec<_> = (0..6).map(|_| SenderKeyRecord::new()).collect();
    for sender in &mut senders {
        learn(&mut receiver, &by, &sender.create_distribution(&by, &mut rng).unwrap());
    }
    let newest_first: Vec<_> =
        senders.iter().rev().take(5).flat_map(SenderKeyRecord::chain_ids).collect();
    assert_eq!(receiver.chain_ids().collect::<Vec<_>>(), newest_first);
    for (index, sender) in senders.iter_mut().enumerate() {
        let message = sender.encrypt(&by, b"text", &mut rng).unwrap();
        let result = receive(&mut receiver, &by, &message);
        assert_eq!(result.is_ok(), index > 0);
        assert!(index > 0 || result == Err(Error::NoSenderKeyState));
    }
    // success does not reorder
    assert_eq!(receiver.chain_ids().collect::<Vec<_>>(), newest_first);
}

fn address(name: &str, device: u32) -> Address {
    Address::new(name, DeviceId::new(device).unwrap())
}

fn snapshot(store: &MemoryStore, by: &Distribution, sender: &Address) -> Snapshot {
    let mut snapshot = Snapshot::new();
    for key in SenderKeyRecord::needs(by, sender) {
        let record = store.load(&key).unwrap();
        snapshot.insert(key, record);
    }
    snapshot
}

#[test]
fn s05_13_senders_and_distributions_are_independent() {
    let mut rng = rng(13);
    let mut store = MemoryStore::new();
    let (a, b) = (address("alice", 1), address("alice", 2));
    let other = Distribution::Id([0xD2; 16]);
    let mut senders = Vec::new();
    for (sender, by) in [(&a, distribution()), (&b, distribution()), (&a, other), (&a, group())] {
        let mut own = SenderKeyRecord::new();
        let message = own.create_distribution(&by, &mut rng).unwrap();
        let mut record =
            SenderKeyRecord::load(&by, sender, &snapshot(&store, &by, sender)).unwrap();
        assert!(record.is_empty());
        learn(&mut record, &by, &message);
        let mut changes = Changes::new();
        record.save(&by, sender, &mut changes, &mut rng).unwrap();
        store.commit(&changes).unwrap();
        senders.push((sender, by, own));
    }
    assert_eq!(store.len(), 4);
    for (sender, by, own) in &mut senders {
        let text = format!("{sender} {by:?}");
        let message = own.encrypt(by, text.as_bytes(), &mut rng).unwrap();
        let mut record = SenderKeyRecord::load(by, sender, &snapshot(&store, by, sender)).unwrap();
        assert_eq!(receive(&mut record, by, &message).unwrap(), text.as_bytes());
        let mut changes = Changes::new();
        record.save(by, sender, &mut changes, &mut rng).unwrap();
        assert_eq!(changes.len(), 1);
        store.commit(&changes).unwrap();
        // saved once: there is nothing left to save
        let mut changes = Changes::new();
        record.save(by, sender, &mut changes, &mut rng).unwrap();
        assert!(changes.is_empty());
        let mut record = SenderKeyRecord::load(by, sender, &snapshot(&store, by, sender)).unwrap();
        assert!(matches!(
            receive(&mut record, by, &message),
            Err(Error::DuplicatedMessage { chain_index: 1, counter: 0 })
        ));
    }
}

/// A protobuf of `bytes` and `uint32` fields.
fn protobuf(fields: &[(u8, Result<u32, &[u8]>)]) -> Vec<u8> {
    let mut out = vec![0x33];
    for (number, value) in fields {
        match value {
            Ok(number_value) => {
                out.push(number << 3);
                let mut value = *number_value;
                while value > 0x7F {
                    out.push(value.to_le_bytes()[0] | 0x80);
                    value >>= 7;
                }
                out.push(value.to_le_bytes()[0]);
            }
            Err(bytes) => {
                out.extend_from_slice(&[number << 3 | 2, u8::try_from(bytes.len()).unwrap()]);
                out.extend_from_slice(bytes);
            }
        }
    }
    out
}

#[test]
fn s05_14_distribution_messages_that_are_refused() {
    let parse = |bytes: &[u8]| {
        SenderKeyDistributionMessage::parse(GroupDialect::Distribution, bytes).map(|_| ())
    };
    let key = [&[5][..], &[9; 33]].concat();
    let build = |id: usize, chain: usize, signing: usize| {
        let (long_id, long_chain) = ([1; 17], [2; 33]);
        protobuf(&[
            (1, Err(&long_id[..id])),
            (2, Ok(7)),
            (3, Ok(0)),
            (4, Err(&long_chain[..chain])),
            (5, Err(&key[..signing])),
        ])
    };
    let good = build(16, 32, 33);
    assert_eq!(parse(&good), Ok(()));
    for (id, chain, signing) in
        [(15, 32, 33), (17, 32, 33), (16, 31, 33), (16, 33, 33), (16, 32, 32), (16, 32, 34)]
    {
        assert_eq!(parse(&build(id, chain, signing)), Err(Error::InvalidProtobuf));
    }
    let versions = [
        (0x23, Error::LegacyCiphertextVersion(2)),
        (0x03, Error::LegacyCiphertextVersion(0)),
        (0x43, Error::UnrecognizedCiphertextVersion(4)),
    ];
    for (byte, error) in versions {
        let mut other = good.clone();
        other[0] = byte;
        assert_eq!(parse(&other), Err(error));
    }
    // the low nibble is not looked at
    let mut other = good.clone();
    other[0] = 0x3F;
    assert_eq!(parse(&other), Ok(()));
    // a signing key of another type
    let mut other = good.clone();
    let at = other.len() - 33;
    other[at] = 6;
    assert_eq!(parse(&other), Err(Error::BadKeyType(6)));
    assert_eq!(parse(&good[..64]), Err(Error::CiphertextTooShort(64)));
    assert_eq!(parse(&[]), Err(Error::CiphertextTooShort(0)));
    // one field missing
    let all: [(u8, Result<u32, &[u8]>); 5] =
        [(1, Err(&[1; 16])), (2, Ok(7)), (3, Ok(0)), (4, Err(&[2; 32])), (5, Err(&key[..33]))];
    for missing in 0..5 {
        let mut fields = all.to_vec();
        let _ = fields.remove(missing);
        let mut bytes = protobuf(&fields);
        // long enough to be looked at
        bytes.extend_from_slice(&[0x7A, 40]);
        bytes.resize(bytes.len() + 40, 0);
        assert_eq!(parse(&bytes), Err(Error::InvalidProtobuf), "field {}", missing + 1);
    }
}

#[test]
fn s05_15_messages_that_are_refused() {
    let parse =
        |bytes: &[u8]| SenderKeyMessage::parse(GroupDialect::Distribution, bytes).map(|_| ());
    assert_eq!(parse(&[0x33; 64]), Err(Error::CiphertextTooShort(64)));
    assert_eq!(parse(&[]), Err(Error::CiphertextTooShort(0)));
    let signed = |fields: &[(u8, Result<u32, &[u8]>)]| [protobuf(fields), vec![0; 64]].concat();
    let all: [(u8, Result<u32, &[u8]>); 4] =
        [(1, Err(&[1; 16])), (2, Ok(7)), (3, Ok(0)), (4, Err(&[2; 16]))];
    assert_eq!(parse(&signed(&all)), Ok(()));
    for missing in 0..4 {
        let mut fields = all.to_vec();
        let _ = fields.remove(missing);
        assert_eq!(parse(&signed(&fields)), Err(Error::InvalidProtobuf));
    }
    let mut fields = all;
    fields[0].1 = Err(&[1; 15]);
    assert_eq!(parse(&signed(&fields)), Err(Error::InvalidProtobuf));
    for (byte, error) in
        [(0x23, Error::LegacyCiphertextVersion(2)), (0x43, Error::UnrecognizedCiphertextVersion(4))]
    {
        let mut other = signed(&all);
        other[0] = byte;
        assert_eq!(parse(&other), Err(error));
    }
}

#[test]
fn s05_16_the_last_iteration_cannot_be_sent() {
    let by = distribution();
    let mut sender = sender_at(u32::MAX - 1);
    let message = sender.encrypt(&by, b"last", &mut rng(16)).unwrap();
    let message = SenderKeyMessage::parse(by.dialect(), &message).unwrap();
    assert_eq!(message.iteration(), u32::MAX - 1);
    let before = sender.encode();
    assert_eq!(sender.encrypt(&by, b"text", &mut rng(16)), Err(Error::ChainExhausted));
    assert_eq!(sender.encode(), before);
    // on the receiving side neither
    let mut receiver = SenderKeyRecord::new();
    let told = sender.create_distribution(&by, &mut rng(16)).unwrap();
    learn(&mut receiver, &by, &told);
    assert_eq!(receiver.iteration(), Some(u32::MAX));
    let private = sandi::keys::PrivateKey::decode(&bytes(PRIVATE)).unwrap();
    let mut forged =
        protobuf(&[(1, Err(&ID)), (2, Ok(CHAIN_ID)), (3, Ok(u32::MAX)), (4, Err(&[2; 16]))]);
    let signature = private.sign(&forged, &mut rng(16));
    forged.extend_from_slice(&signature);
    assert_eq!(receive(&mut receiver, &by, &forged), Err(Error::ChainExhausted));
}

#[test]
fn a_signed_body_that_is_not_padded_is_rejected() {
    let by = distribution();
    let mut receiver = SenderKeyRecord::new();
    learn(&mut receiver, &by, &bytes(DISTRIBUTION));
    let private = sandi::keys::PrivateKey::decode(&bytes(PRIVATE)).unwrap();
    for body in [&[2; 15][..], &[2; 16], &[]] {
        let mut message = protobuf(&[(1, Err(&ID)), (2, Ok(CHAIN_ID)), (3, Ok(5)), (4, Err(body))]);
        let signature = private.sign(&message, &mut rng(1));
        message.extend_from_slice(&signature);
        assert_eq!(receive(&mut receiver, &by, &message), Err(Error::Rejected));
    }
    assert_eq!(receiver.iteration(), Some(0));
}

#[test]
fn s05_17_plaintexts_of_every_size() {
    for by in both() {
        let (mut sender, mut receiver, mut rng) = pair(&by, 17);
        let mut out = Vec::new();
        for size in (0..40).chain([65_536, 1 << 20]) {
            let text = vec![0xA5; size];
            let message = sender.encrypt(&by, &text, &mut rng).unwrap();
            assert_eq!(message.len(), message.capacity());
            assert_eq!(receive(&mut receiver, &by, &message).unwrap(), text);
            // in place, beside what is in the buffer already
            out.truncate(3);
            sender.encrypt_into(&by, &text, &mut rng, &mut out).unwrap();
            let at = out.len().min(3) * usize::from(size > 0);
            let got = receiver.decrypt_in_place(by.dialect(), &mut out[at..]).unwrap();
            assert_eq!(got, text);
        }
    }
}

#[test]
fn s05_18_records_are_written_again_byte_for_byte() {
    let by = distribution();
    let (mut sender, mut receiver, mut rng) = pair(&by, 18);
    for round in 0..8_u8 {
        let skipped = sender.encrypt(&by, b"late", &mut rng).unwrap();
        let message = sender.encrypt(&by, &[round], &mut rng).unwrap();
        receive(&mut receiver, &by, &message).unwrap();
        if round % 3 == 0 {
            receive(&mut receiver, &by, &skipped).unwrap();
        }
        if round % 4 == 3 {
            sender.rotate(&mut rng);
            learn(&mut receiver, &by, &sender.create_distribution(&by, &mut rng).unwrap());
        }
        for record in [&sender, &receiver] {
            let own = record.encode();
            assert_eq!(own.len(), own.capacity());
            let again = SenderKeyRecord::decode(&own).unwrap();
            assert_eq!((&again, again.encode()), (record, own));
            let official = encode_sender_key(record);
            let again = decode_sender_key(&official).unwrap();
            assert_eq!((&again, encode_sender_key(&again)), (record, official));
        }
        // a conversation goes on from what is stored
        sender = decode_sender_key(&encode_sender_key(&sender)).unwrap();
        receiver = SenderKeyRecord::decode(&receiver.encode()).unwrap();
    }
}

#[test]
fn s05_18_a_stored_message_version_of_0_is_3() {
    let by = distribution();
    let mut zero = stored(0);
    zero[5] = 0;
    let mut sender = SenderKeyRecord::decode(&zero).unwrap();
    assert_eq!(*sender.encode(), zero);
    let official = encode_sender_key(&sender);
    assert_ne!(official, encode_sender_key(&sender_at(0)));
    assert_eq!(encode_sender_key(&decode_sender_key(&official).unwrap()), official);
    assert_eq!(
        hex::encode(sender.encrypt(&by, b"group hello", &mut Zeros).unwrap()),
        MESSAGES[0].1
    );
    // a receiver with such a state
    let mut receiver = SenderKeyRecord::decode(&zero).unwrap();
    assert_eq!(receive(&mut receiver, &by, &bytes(MESSAGES[0].1)).unwrap(), b"group hello");
    // another version is another's
    let mut four = stored(0);
    four[5] = 4;
    let mut record = SenderKeyRecord::decode(&four).unwrap();
    let refused = receive(&mut record, &by, &bytes(MESSAGES[0].1));
    assert_eq!(refused, Err(Error::UnrecognizedMessageVersion(0x33)));
    assert_eq!(record.encrypt(&by, b"", &mut Zeros), Err(Error::InvalidSenderKeySession));
}

#[test]
fn s05_19_each_dialect_refuses_the_other() {
    let (mut today, _, mut rng) = pair(&distribution(), 19);
    let (mut older, _, _) = pair(&group(), 20);
    let both = [(&mut today, distribution(), group()), (&mut older, group(), distribution())];
    for (sender, ours, theirs) in both {
        let told = sender.create_distribution(&ours, &mut rng).unwrap();
        let message = sender.encrypt(&ours, b"text", &mut rng).unwrap();
        assert!(SenderKeyDistributionMessage::parse(ours.dialect(), &told).is_ok());
        assert!(SenderKeyMessage::parse(ours.dialect(), &message).is_ok());
        assert_eq!(
            SenderKeyDistributionMessage::parse(theirs.dialect(), &told).map(|_| ()),
            Err(Error::InvalidProtobuf)
        );
        assert_eq!(
            SenderKeyMessage::parse(theirs.dialect(), &message).map(|_| ()),
            Err(Error::InvalidProtobuf)
        );
    }
}

#[test]
fn the_older_form_is_the_same_without_field_1() {
    let mut sender = sender_at(0);
    let told = sender.create_distribution(&group(), &mut Zeros).unwrap();
    let ours = sender.encrypt(&group(), b"group hello", &mut Zeros).unwrap();
    let parsed = SenderKeyMessage::parse(GroupDialect::GroupId, &ours).unwrap();
    assert_eq!(parsed.distribution_id(), None);
    let theirs = bytes(MESSAGES[0].1);
    let theirs = SenderKeyMessage::parse(GroupDialect::Distribution, &theirs).unwrap();
    assert_eq!(parsed.ciphertext(), theirs.ciphertext());
    assert_eq!(parsed.chain_id(), theirs.chain_id());
    assert_eq!(ours.len() + 18, theirs.as_bytes().len());
    assert_eq!(hex::encode(&ours[..8]), "3308e78a8d091000");
    assert_eq!(hex::encode(&told[..10]), "3308e78a8d0910001a20");
    let mut receiver = SenderKeyRecord::new();
    learn(&mut receiver, &group(), &told);
    assert_eq!(receive(&mut receiver, &group(), &ours).unwrap(), b"group hello");
}

#[test]
fn s08_11_official_records_keep_order_and_owner() {
    let by = distribution();
    let (mut sender, mut receiver, mut rng) = pair(&by, 21);
    let text = sender.encrypt(&by, b"text", &mut rng).unwrap();
    sender.encrypt(&by, b"lost", &mut rng).unwrap();
    receive(&mut receiver, &by, &text).unwrap();
    let (mut other, _, _) = pair(&by, 22);
    learn(&mut receiver, &by, &other.create_distribution(&by, &mut rng).unwrap());
    let order: Vec<_> = receiver.chain_ids().collect();
    let mut read = decode_sender_key(&encode_sender_key(&receiver)).unwrap();
    assert_eq!(read.chain_ids().collect::<Vec<_>>(), order);
    assert_eq!(read.encrypt(&by, b"", &mut rng), Err(Error::InvalidSenderKeySession));
    let mut own = decode_sender_key(&encode_sender_key(&sender)).unwrap();
    let message = own.encrypt(&by, b"mine", &mut rng).unwrap();
    assert_eq!(receive(&mut read, &by, &message).unwrap(), b"mine");
}

#[test]
fn official_records_that_are_corrupt() {
    for bad in [&[][..], &[0xFF], &[0x08, 1], &[0x0A, 2, 0xFF, 0xFF]] {
        assert_eq!(decode_sender_key(bad).map(|_| ()), Err(Error::InvalidSenderKeySession));
    }
    let by = distribution();
    let sound = encode_sender_key(&sender_at(0));
    // the chain key's length: field 2 of the state
    let at = sound.windows(2).position(|pair| pair == [0x12, 0x20]).unwrap();
    let mut short = sound.to_vec();
    short[at + 1] = 0x1F;
    short.remove(at + 2);
    for at in [1, at - 1] {
        short[at] -= 1;
    }
    let mut record = decode_sender_key(&short).unwrap();
    let refused = record.encrypt(&by, b"", &mut Zeros);
    assert_eq!(refused, Err(Error::InvalidSenderKeySession));
    let refused = record.create_distribution(&by, &mut Zeros);
    assert_eq!(refused, Err(Error::InvalidSenderKeySession));
    let refused = receive(&mut record, &by, &bytes(MESSAGES[0].1));
    assert_eq!(refused, Err(Error::InvalidSenderKeySession));
}

#[test]
fn stored_records_have_one_form() {
    let by = distribution();
    let (mut sender, mut receiver, mut rng) = pair(&by, 23);
    sender.encrypt(&by, b"lost", &mut rng).unwrap();
    sender.encrypt(&by, b"lost", &mut rng).unwrap();
    let message = sender.encrypt(&by, b"text", &mut rng).unwrap();
    receive(&mut receiver, &by, &message).unwrap();
    for record in [sender.encode(), receiver.encode()] {
        for length in 0..record.len() {
            assert!(SenderKeyRecord::decode(&record[..length]).is_err());
        }
        let mut future = record.to_vec();
        future[0] = 2;
        assert_eq!(SenderKeyRecord::decode(&future), Err(Error::FutureRecord(2)));
        for at in 0..record.len() * 8 {
            let mut other = record.to_vec();
            other[at / 8] ^= 1 << (at % 8);
            if let Ok(read) = SenderKeyRecord::decode(&other) {
                assert_eq!(*read.encode(), other);
            }
        }
        // five states at most
        let mut many = vec![1];
        for count in 1..=6 {
            many.extend_from_slice(&record[1..]);
            assert_eq!(SenderKeyRecord::decode(&many).is_ok(), count <= 5);
        }
    }
    assert_eq!(SenderKeyRecord::decode(&[1]), Err(Error::InvalidSenderKeySession));
    assert_eq!(SenderKeyRecord::decode(&[]), Err(Error::InvalidState));
    assert_eq!(SenderKeyRecord::decode(&[0]), Err(Error::InvalidState));
    // a private key that is not clamped would not be written again
    let mut unclamped = stored(0);
    unclamped[1 + 1 + 8 + 36 + 32] |= 1;
    assert_eq!(SenderKeyRecord::decode(&unclamped), Err(Error::InvalidState));
}

#[test]
fn nothing_secret_is_shown() {
    let (_, receiver, _) = pair(&distribution(), 24);
    let told = bytes(DISTRIBUTION);
    let told = SenderKeyDistributionMessage::parse(GroupDialect::Distribution, &told).unwrap();
    let shown = format!("{:?} {told:?} {receiver:?}", sender_at(0));
    for secret in [CHAIN_KEY, PRIVATE] {
        assert!(!shown.contains(&secret[..8]));
        let first = bytes(secret);
        assert!(!shown.contains(&format!("{}, {}, {}", first[0], first[1], first[2])));
    }
}

proptest! {
    /// What reads as a record is written as it was, whatever was done to it on disk.
    #[test]
    fn stored_records_that_were_changed(
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
        cut: prop::sample::Index,
        whole: bool,
    ) {
        let (mut sender, mut receiver, mut rng) = pair(&distribution(), 25);
        sender.encrypt(&distribution(), b"lost", &mut rng).unwrap();
        let message = sender.encrypt(&distribution(), b"text", &mut rng).unwrap();
        receive(&mut receiver, &distribution(), &message).unwrap();
        let (mut other, _, _) = pair(&distribution(), 26);
        let told = other.create_distribution(&distribution(), &mut rng).unwrap();
        learn(&mut receiver, &distribution(), &told);
        for record in [receiver.encode(), sender.encode()] {
            let mut bytes = record.to_vec();
            for (at, byte) in &changes {
                let at = at.index(bytes.len());
                bytes[at] = *byte;
            }
            if !whole {
                bytes.truncate(cut.index(bytes.len()));
            }
            if let Ok(mut read) = SenderKeyRecord::decode(&bytes) {
                prop_assert_eq!(&*read.encode(), &bytes);
                let _ = receive(&mut read, &distribution(), &message);
                let _ = read.create_distribution(&distribution(), &mut rng);
                let _ = read.encrypt(&distribution(), b"text", &mut rng);
            }
        }
        for record in [encode_sender_key(&receiver), encode_sender_key(&sender)] {
            let mut bytes = record.to_vec();
            for (at, byte) in &changes {
                let at = at.index(bytes.len());
                bytes[at] = *byte;
            }
            if !whole {
                bytes.truncate(cut.index(bytes.len()));
            }
            if let Ok(mut read) = decode_sender_key(&bytes) {
                let again = encode_sender_key(&read);
                prop_assert_eq!(encode_sender_key(&decode_sender_key(&again).unwrap()), again);
                prop_assert_eq!(&SenderKeyRecord::decode(&read.encode()).unwrap(), &read);
                let _ = receive(&mut read, &distribution(), &message);
                let _ = read.encrypt(&distribution(), b"text", &mut rng);
            }
        }
    }
}
