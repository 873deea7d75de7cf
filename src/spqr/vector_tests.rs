//! The vectors of what is private: field, erasure code, chain set, authenticator, split ML-KEM, wire
//! format. The files are those of `tests/vectors/spqr`, or of `spqr/` in the folder that the
//! environment variable `SANDI_VECTORS` names.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::cast_possible_truncation
)]

extern crate std;

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use std::path::PathBuf;

use serde_json::Value as Json;
use sha2::{Digest, Sha256};

use super::authenticator::{self, Authenticator};
use super::chain::ChainSet;
use super::erasure::{Chunk, Decoder, Encoder, Row, coefficients, evaluate_coefficients};
use super::error::SpqrError;
use super::gf16::{LANES, invert, invert_lanes, multiply, multiply_lanes};
use super::limits::{Direction, Limits};
use super::message::{Message, Payload};
use super::{braid, state_encoding};
use crate::crypto::kem;
use crate::secret::Secret;
use crate::wire::writer;

fn vectors(name: &str) -> Json {
    let folder = std::env::var_os("SANDI_VECTORS").map_or_else(
        || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/vectors"),
        Into::into,
    );
    let text = std::fs::read_to_string(folder.join("spqr").join(name)).unwrap();
    serde_json::from_str(&text).unwrap()
}

fn bytes(json: &Json) -> Vec<u8> {
    hex::decode(json.as_str().unwrap()).unwrap()
}

fn array<const N: usize>(json: &Json) -> [u8; N] {
    bytes(json).try_into().unwrap()
}

fn secret(json: &Json) -> Secret<32> {
    Secret::new(array(json))
}

/// Numbers above 2^53 are decimal strings.
fn number(json: &Json) -> u64 {
    json.as_u64().unwrap_or_else(|| json.as_str().unwrap().parse().unwrap())
}

fn sha256(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}

// -- gf65536.json ---------------------------------------------------------------------------------

/// `a·b` by the definition: long multiplication, then division by the polynomial.
fn slow_multiply(a: u16, b: u16) -> u16 {
    let mut product = 0_u32;
    for bit in 0..16 {
        if b >> bit & 1 == 1 {
            product ^= u32::from(a) << bit;
        }
    }
    for bit in (16..31).rev() {
        if product >> bit & 1 == 1 {
            product ^= 0x1_100b << (bit - 16);
        }
    }
    product as u16
}

#[test]
fn field_products_and_quotients() {
    let json = vectors("gf65536.json");
    for case in json["mul"].as_array().unwrap() {
        let [a, b, product] = [0, 1, 2].map(|i| number(&case[i]) as u16);
        assert_eq!(multiply(a, b), product);
        assert_eq!(multiply_lanes(&[a; LANES], &[b; LANES]), [product; LANES]);
    }
    for case in json["div"].as_array().unwrap() {
        let [a, b, quotient] = [0, 1, 2].map(|i| number(&case[i]) as u16);
        assert_eq!(multiply(a, invert(b)), quotient);
    }
    for row in json["mul_rows_be16_sha256"].as_array().unwrap() {
        let a = number(&row["a"]) as u16;
        let products: Vec<u8> = (0..=u16::MAX).flat_map(|b| multiply(a, b).to_be_bytes()).collect();
        assert_eq!(sha256(&products), row["sha256"].as_str().unwrap());
    }
    let inverses: Vec<u8> = (1..=u16::MAX).flat_map(|x| invert(x).to_be_bytes()).collect();
    assert_eq!(sha256(&inverses), json["inverse_1_to_65535_be16_sha256"].as_str().unwrap());
}

#[test]
fn field_agrees_with_the_definition() {
    // Multiplication is linear in each argument: all products of two basis elements settle all
    // products, given that it is linear. That is checked on a walk through the field.
    for i in 0..16 {
        for j in 0..16 {
            assert_eq!(multiply(1 << i, 1 << j), slow_multiply(1 << i, 1 << j));
        }
    }
    let mut x = 1_u16;
    for step in 0..u16::MAX {
        let (a, b, c) = (x, x.rotate_left(7) ^ step, step.wrapping_mul(40503));
        assert_eq!(multiply(a, b), slow_multiply(a, b));
        assert_eq!(multiply(a, b ^ c), multiply(a, b) ^ multiply(a, c));
        assert_eq!(multiply(a, b), multiply(b, a));
        let mut lanes = [0_u16; LANES];
        for (lane, slot) in (0_u16..).zip(&mut lanes) {
            *slot = b.rotate_left(u32::from(lane)) ^ lane;
        }
        let products = multiply_lanes(&[a; LANES], &lanes);
        for (product, lane) in products.iter().zip(lanes) {
            assert_eq!(*product, slow_multiply(a, lane));
        }
        x = multiply(x, 2);
    }
    // Element 2 is primitive: the walk has come back to 1 and met every element.
    assert_eq!(x, 1);
    assert_eq!(invert_lanes(&[0; LANES]), [0; LANES]);
    for x in 1..=u16::MAX {
        assert_eq!(slow_multiply(x, invert(x)), 1);
    }
}

// -- erasure.json ---------------------------------------------------------------------------------

/// Lagrange's formula, lane by lane and term by term.
fn slow_value(points: &[(u16, Row)], x: u16) -> Row {
    let mut row = [0; 32];
    for lane in 0..LANES {
        let mut sum = 0;
        for (i, (xi, data)) in points.iter().enumerate() {
            let mut term = u16::from_be_bytes([data[2 * lane], data[2 * lane + 1]]);
            for (m, (xm, _)) in points.iter().enumerate() {
                if m != i {
                    term = slow_multiply(term, slow_multiply(x ^ xm, invert(xi ^ xm)));
                }
            }
            sum ^= term;
        }
        row[2 * lane..2 * lane + 2].copy_from_slice(&sum.to_be_bytes());
    }
    row
}

fn encoder_pb<const N: usize>(encoder: &Encoder<N>, message: &[Row]) -> Vec<u8> {
    writer::encode(|w| state_encoding::write_encoder(w, encoder, message))
}

fn check_erasure<const N: usize>(case: &Json) {
    let message: [Row; N] = {
        let bytes = bytes(&case["msg"]);
        assert_eq!(bytes.len(), 32 * N);
        bytes.as_chunks().0.try_into().unwrap()
    };
    let at = |idx: u32| Encoder::<N> { idx, coefficient_form: false }.next(&message);
    assert_eq!(encoder_pb(&Encoder::<N>::new(), &message), bytes(&case["encoder_pb_initial"]));
    for chunk in case["chunks"].as_array().unwrap() {
        let index = number(&chunk["i"]) as u16;
        let expected = Chunk { index, data: array(&chunk["d"]) };
        assert_eq!(at(u32::from(index)).0, expected);
    }
    let polynomial = Encoder::<N> { idx: 0, coefficient_form: true };
    assert_eq!(encoder_pb(&polynomial, &message), bytes(&case["encoder_pb_poly_form"]));
    assert_eq!(evaluate_coefficients(&coefficients::<N>(&message)), message);

    for stream in case["streams"].as_array().unwrap() {
        let idx = number(&stream["start_idx"]) as u32;
        let mut encoder = Encoder::<N> { idx, coefficient_form: false };
        for chunk in stream["chunks"].as_array().unwrap() {
            let (made, after) = encoder.next(&message);
            assert_eq!(u64::from(made.index), number(&chunk["i"]));
            assert_eq!(made.data, array(&chunk["d"]));
            encoder = after;
        }
        assert_eq!(u64::from(encoder.idx), number(&stream["final_idx"]));
        assert_eq!(encoder.coefficient_form, stream["final_form"] == "polys");
        let digest = sha256(&encoder_pb(&encoder, &message));
        assert_eq!(digest, stream["final_pb_sha256"].as_str().unwrap());
    }

    for decode in case["decode"].as_array().unwrap() {
        let mut decoder = Decoder::<N>::new();
        for (position, index) in decode["order"].as_array().unwrap().iter().enumerate() {
            let chunk = at(number(index) as u32).0;
            let complete = decoder.complete(&chunk);
            assert_eq!(complete.is_some(), position as u64 == number(&decode["complete_at"]));
            if let Some(rows) = complete {
                assert_eq!(rows, message);
                break;
            }
            decoder.absorb(&chunk);
            if position == 1 {
                let pb = writer::encode(|w| state_encoding::write_decoder(w, &decoder));
                assert_eq!(pb, bytes(&decode["pb_after_two"]));
            }
        }
    }

    // Against the formula: a few chunks, and a message rebuilt from redundant chunks alone.
    let points: Vec<(u16, Row)> = (0..).zip(message).collect();
    for index in [N as u16, 1000, u16::MAX] {
        assert_eq!(at(u32::from(index)).0.data, slow_value(&points, index));
    }
    let mut decoder = Decoder::<N>::new();
    for index in 0..N as u32 {
        let chunk = at(65535 - index * 1777 % 60000).0;
        if let Some(rows) = decoder.complete(&chunk) {
            assert_eq!(rows, message);
            assert_eq!(index + 1, N as u32);
        }
        decoder.absorb(&chunk);
    }
}

#[test]
fn erasure_code() {
    for case in vectors("erasure.json")["cases"].as_array().unwrap() {
        match number(&case["chunks_needed"]) {
            3 => check_erasure::<3>(case),
            5 => check_erasure::<5>(case),
            30 => check_erasure::<30>(case),
            36 => check_erasure::<36>(case),
            other => panic!("{other} rows"),
        }
    }
}

#[test]
fn a_later_chunk_of_the_same_index_replaces_the_earlier() {
    let message: [Row; 5] = core::array::from_fn(|row| [row as u8 + 1; 32]);
    let mut decoder = Decoder::<5>::new();
    for index in 0..4 {
        decoder.absorb(&Chunk { index, data: [0xee; 32] });
    }
    assert_eq!(decoder.complete(&Chunk { index: 3, data: [0; 32] }), None);
    for index in 0..4 {
        decoder.absorb(&Chunk { index, data: message[usize::from(index)] });
        assert_eq!(decoder.len(), 4);
    }
    assert_eq!(decoder.complete(&Chunk { index: 4, data: message[4] }), Some(message));
    // The last chunk needed is not kept.
    decoder.absorb(&Chunk { index: 4, data: message[4] });
    assert_eq!(decoder.len(), 4);
}

// -- chain.json -----------------------------------------------------------------------------------

fn label(error: SpqrError) -> String {
    match error {
        SpqrError::KeyAlreadyRequested(index) => format!("KeyAlreadyRequested({index})"),
        SpqrError::KeyTrimmed(index) => format!("KeyTrimmed({index})"),
        SpqrError::KeyJump { counter, index } => format!("KeyJump({counter}, {index})"),
        SpqrError::EpochOutOfRange(epoch) => format!("EpochOutOfRange({epoch})"),
        SpqrError::SendKeyEpochDecreased { from, to } => {
            format!("SendKeyEpochDecreased({from}, {to})")
        }
        SpqrError::MessageDecode => "MsgDecode".to_string(),
        other => format!("{other:?}"),
    }
}

#[test]
fn chain_set() {
    let mut operations = 0;
    for case in vectors("chain.json")["cases"].as_array().unwrap() {
        let direction =
            if number(&case["direction"]) == 0 { Direction::A2B } else { Direction::B2A };
        let limits =
            Limits::new(number(&case["max_jump"]) as u32, number(&case["max_ooo_keys"]) as u32);
        let mut set = ChainSet::new(direction, &secret(&case["initial_key"]), limits);
        let pb = |set: &ChainSet| writer::encode(|w| state_encoding::write_chain_set(w, set, true));
        if let Some(expected) = case.get("initial_pb") {
            assert_eq!(pb(&set), bytes(expected));
        }
        for op in case["ops"].as_array().unwrap() {
            let epoch = number(&op["epoch"]);
            let result = match op["op"].as_str().unwrap() {
                "add_epoch" => set.prepare_epoch(epoch, &secret(&op["secret"])).map(|new| {
                    set.apply_epoch(new);
                    None
                }),
                "send_key" => set.prepare_send(epoch).map(|(step, key)| {
                    assert_eq!(u64::from(step.index), number(&op["index"]));
                    set.apply_send(step);
                    Some(key)
                }),
                "recv_key" => {
                    set.prepare_receive(epoch, number(&op["index"]) as u32).map(|(step, key)| {
                        set.apply_receive(step);
                        Some(key)
                    })
                }
                other => panic!("{other}"),
            };
            match result {
                Ok(key) => {
                    assert!(op.get("err").is_none(), "{op}");
                    assert_eq!(key, op.get("key").map(secret));
                }
                Err(error) => assert_eq!(label(error), op["err"].as_str().unwrap()),
            }
            let pb = pb(&set);
            assert_eq!(&sha256(&pb)[..32], op["sha"].as_str().unwrap(), "{op}");
            if let Some(expected) = op.get("pb") {
                assert_eq!(pb, bytes(expected));
            }
            operations += 1;
        }
    }
    assert!(operations > 500);
}

#[test]
fn a_chain_ends_at_its_last_index() {
    let mut set = ChainSet::new(Direction::A2B, &Secret::zero(), Limits::default());
    set.links[0].send.counter = u32::MAX - 1;
    set.links[0].receive.counter = u32::MAX - 1;
    let (step, _) = set.prepare_send(0).unwrap();
    set.apply_send(step);
    assert_eq!(set.prepare_send(0).err(), Some(SpqrError::Exhausted));
    let (step, _) = set.prepare_receive(0, u32::MAX).unwrap();
    set.apply_receive(step);
    for index in [u32::MAX, u32::MAX - 1] {
        let error = set.prepare_receive(0, index).err();
        assert_eq!(error, Some(SpqrError::KeyAlreadyRequested(index)));
    }
    let old = u32::MAX - 2_001;
    assert_eq!(set.prepare_receive(0, old).err(), Some(SpqrError::KeyTrimmed(old)));
}

// -- authenticator.json ---------------------------------------------------------------------------

#[test]
fn authenticator_keys_and_macs() {
    let json = vectors("authenticator.json");
    for case in json["authenticator"].as_array().unwrap() {
        let start = Authenticator::new(&secret(&case["auth_key"]));
        assert_eq!(start.root_key, secret(&case["root0"]));
        assert_eq!(start.mac_key, secret(&case["mac0"]));
        let epoch = number(&case["epoch"]);
        let mac = start.header_mac(epoch, &array(&case["hdr"]));
        assert_eq!(mac, secret(&case["mac_hdr_before_update"]));
        let next = start.updated(epoch, &secret(&case["epoch_secret"]));
        assert_eq!(next.root_key, secret(&case["root1"]));
        assert_eq!(next.mac_key, secret(&case["mac1"]));
        let ciphertext = bytes(&case["ct"]);
        let (ct1, ct2) = ciphertext.split_at(960);
        let mac = next.ciphertext_mac(epoch, ct1.try_into().unwrap(), ct2.try_into().unwrap());
        let expected = array(&case["mac_ct_after_update"]);
        assert_eq!(authenticator::verify(&mac, &expected), Ok(()));
        let mut wrong = expected;
        wrong[31] ^= 1;
        let refused = Err(SpqrError::MacVerifyFailed);
        assert_eq!(authenticator::verify(&mac, &wrong), refused);
    }
    for case in json["epoch_secret"].as_array().unwrap() {
        let derived = authenticator::epoch_secret(number(&case["epoch"]), &secret(&case["kem_ss"]));
        assert_eq!(derived, secret(&case["epoch_secret"]));
    }
}

// -- mlkem_incremental.json -----------------------------------------------------------------------

/// Long values are given as `sha256:` and their digest in later cases.
fn assert_value(actual: &[u8], expected: &Json) {
    match expected.as_str().unwrap().strip_prefix("sha256:") {
        Some(digest) => assert_eq!(sha256(actual), digest),
        None => assert_eq!(hex::encode(actual), expected.as_str().unwrap()),
    }
}

#[test]
fn split_ml_kem_768() {
    for case in vectors("mlkem_incremental.json")["cases"].as_array().unwrap() {
        let keys = braid::ek::KeyPair::from_seed(Secret::new(array(&case["d_z"])));
        let header = keys.header();
        assert_value(&header, &case["hdr"]);
        assert_value(keys.ek_rows().as_flattened(), &case["ek"]);
        assert_value(keys.dk.expose(), &case["dk"]);
        let ek: &[u8; 1152] = keys.ek_rows().as_flattened().try_into().unwrap();
        assert!(kem::split_validate(&header, ek));

        let m = secret(&case["m"]);
        let (sampled, shared) = braid::ct::Encapsulation::new(&header, &m).unwrap();
        assert_value(&sampled.ct1[..], &case["ct1"]);
        assert_value(sampled.es.expose(), &case["es"]);
        assert_eq!(shared, secret(&case["ss"]));
        assert_eq!(sampled.m(), m);
        let ct2 = kem::split_encapsulate2(&sampled.es, ek);
        assert_value(&ct2, &case["ct2"]);

        // The byte order that older libraries wrote.
        assert!(braid::ct::swapped(&sampled.es).is_none());
        let mut big_endian = sampled.es.duplicate();
        for word in big_endian.expose_mut()[..2048].as_chunks_mut::<2>().0 {
            word.reverse();
        }
        assert_eq!(braid::ct::swapped(&big_endian), Some(sampled.es.duplicate().into()));

        let decapsulate = |ct1: &[u8; 960], ct2| kem::split_decapsulate(&keys.dk, ct1, ct2);
        assert_eq!(decapsulate(&sampled.ct1, &ct2), shared);
        // Implicit rejection.
        let mut wrong = ct2;
        wrong[7] ^= 1;
        assert_eq!(decapsulate(&sampled.ct1, &wrong), secret(&case["ss_ct2_byte7_xor1"]));
        let mut wrong = sampled.ct1.clone();
        wrong[700] ^= 0x80;
        assert_eq!(decapsulate(&wrong, &ct2), secret(&case["ss_ct1_byte700_xor80"]));

        if let Some(header) = case.get("noncanonical_ek_hdr") {
            let ek = array(&case["noncanonical_ek"]);
            assert!(!kem::split_validate(&array(header), &ek));
        }
    }
}

// -- messages.json --------------------------------------------------------------------------------

/// The message of a JSON object.
fn message(json: &Json) -> Message {
    let chunk = || Chunk { index: number(&json["chunk"]) as u16, data: array(&json["data"]) };
    let payload = match number(&json["type"]) {
        0 => Payload::None,
        1 => Payload::Hdr(chunk()),
        2 => Payload::Ek(chunk()),
        3 => Payload::EkCt1Ack(chunk()),
        4 => Payload::Ct1Ack,
        5 => Payload::Ct1(chunk()),
        6 => Payload::Ct2(chunk()),
        other => panic!("type {other}"),
    };
    Message { epoch: number(&json["epoch"]), index: number(&json["index"]) as u32, payload }
}

#[test]
fn wire_format() {
    let json = vectors("messages.json");
    for case in json["encode"].as_array().unwrap() {
        let message = message(case);
        assert_eq!(message.encode().as_slice(), bytes(&case["bytes"]));
        assert_eq!(Message::parse(&bytes(&case["bytes"])), Ok(message));
    }
    for case in json["decode"].as_array().unwrap() {
        let parsed = Message::parse(&bytes(&case["bytes"]));
        match case.get("ok") {
            Some(ok) => assert_eq!(parsed, Ok(message(ok)), "{case}"),
            None => assert_eq!(parsed.map_err(label), Err("MsgDecode".to_string()), "{case}"),
        }
    }
}
