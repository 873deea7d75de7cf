//! Files in the Signal format and the incremental MAC: the conformance scenarios of spec 09.

use proptest::prelude::*;
use sandi::Error;
use sandi::attachment::{
    AttachmentDecryptor, AttachmentEncryptor, AttachmentKey, AttachmentVerifier,
    EncryptedAttachment, IncrementalCoverage, IncrementalDigest, IncrementalMac,
    IncrementalMacValidator, Transform, attachment_padded_len, incremental_mac_chunk_size,
};

use crate::data::Fixed;

const KEY: &str = "a83481457efecc69ad1342e21d9c0297f71debbf5c9304b4c1b2e433c1a78f98";
const TEXT: &str = "this is a test input to the incremental mac stream";

fn key() -> Vec<u8> {
    hex::decode(KEY).unwrap()
}

fn digest(data: &[u8], piece: usize) -> IncrementalDigest {
    let mut mac = IncrementalMac::new(&key(), 32).unwrap();
    data.chunks(piece).for_each(|piece| mac.update(piece));
    mac.finish()
}

fn validate(data: &[u8], digest: IncrementalDigest) -> Result<u64, Error> {
    let mut validator = IncrementalMacValidator::new(&key(), digest)?;
    let mut valid = 0;
    for piece in data.chunks(16) {
        valid += validator.update(piece)?;
    }
    Ok(valid + validator.finish()?)
}

#[test]
fn scenario_1_incremental_mac_vectors_at_any_cut() {
    let first = "84892f70600e549fb72879667a9d96a273f144b698ff9ef5a76062a56061a909";
    for (data, second) in [
        (TEXT.to_owned(), "884f6d9f42918a9e476ed518c4ac8f714bd33f045152ae049877fd3d1b0db25a"),
        (
            format!("{TEXT} \u{1F44B}"),
            "ac028f107e1306e1ec8d17c989fa3430d88d7b294d00828a65a2acb3efa31a1f",
        ),
    ] {
        for piece in [1, 7, 32, 1000] {
            let made = digest(data.as_bytes(), piece);
            assert_eq!(hex::encode(&made.entries), [first, second].concat());
        }
    }
}

#[test]
fn scenario_2_entry_counts() {
    for (length, entries) in [(0, 1), (1, 1), (31, 1), (32, 2), (33, 2), (64, 3)] {
        let data = vec![5; length];
        let made = digest(&data, 10);
        assert_eq!(made.entries.len(), entries * 32, "{length}");
        assert_eq!(validate(&data, made), Ok(length as u64));
    }
}

#[test]
fn scenario_3_every_damage_is_refused() {
    let data = TEXT.as_bytes();
    let good = digest(data, 50);
    let with = |entries: Vec<u8>| IncrementalDigest { chunk_size: 32, entries };
    let flipped = |at: usize| {
        let mut entries = good.entries.clone();
        entries[at] ^= 1;
        with(entries)
    };
    assert_eq!(validate(data, good.clone()), Ok(50));
    // a wrong first entry shows at the update, a wrong last one at the end
    let mut validator = IncrementalMacValidator::new(&key(), flipped(0)).unwrap();
    assert_eq!(validator.update(data), Err(Error::Rejected));
    assert_eq!(validator.update(&[]), Err(Error::Rejected), "not used further");
    assert_eq!(validator.finish(), Err(Error::Rejected));
    let mut validator = IncrementalMacValidator::new(&key(), flipped(40)).unwrap();
    assert_eq!(validator.update(data), Ok(32));
    assert_eq!(validator.finish(), Err(Error::Rejected));
    for entries in [
        good.entries[32..].to_vec(),
        good.entries[..32].to_vec(),
        [good.entries.as_slice(), &good.entries[32..]].concat(),
        vec![],
    ] {
        assert_eq!(validate(data, with(entries)), Err(Error::Rejected));
    }
    let mut other = data.to_vec();
    other[45] ^= 1;
    assert_eq!(validate(&other, good.clone()), Err(Error::Rejected));
    assert_eq!(validate(data, with(vec![0; 33])), Err(Error::InvalidArgument));
    let zero = IncrementalDigest { chunk_size: 0, ..good };
    assert_eq!(validate(data, zero), Err(Error::InvalidArgument));
    assert!(IncrementalMac::new(&key(), 0).is_err());
}

#[test]
fn scenario_4_reports_of_valid_bytes() {
    let data = [9; 34];
    let mut validator = IncrementalMacValidator::new(&key(), digest(&data, 34)).unwrap();
    let reports: Vec<_> = data.chunks(16).map(|piece| validator.update(piece).unwrap()).collect();
    assert_eq!(reports, [0, 32, 0]);
    assert_eq!(validator.finish(), Ok(2));
}

#[test]
fn scenario_5_chunk_sizes() {
    const KIB: u64 = 1024;
    const MIB: u64 = 1024 * KIB;
    for (size, chunk) in [
        (0, 64 * KIB),
        (10 * MIB, 64 * KIB),
        (16 * MIB - 1, 64 * KIB),
        (16 * MIB, 64 * KIB),
        (16 * MIB + 1, 64 * KIB + 1),
        (20 * MIB, 80 * KIB),
        (100 * MIB, 400 * KIB),
        (256 * MIB, MIB),
        (512 * MIB - 1, 2 * MIB),
        (512 * MIB, 2 * MIB),
        (2048 * MIB, 2 * MIB),
        (u64::MAX, 2 * MIB),
    ] {
        assert_eq!(u64::from(incremental_mac_chunk_size(size)), chunk, "{size}");
    }
}

#[test]
fn scenario_6_padding_buckets() {
    for (size, padded) in
        [(0, 541), (541, 541), (542, 568), (1000, 1020), (65536, 67789), (1_000_000, 1_041_743)]
    {
        assert_eq!(attachment_padded_len(size), padded, "{size}");
    }
    let mut size = 1;
    while size < u64::MAX / 3 {
        for size in [size - 1, size, size + 1] {
            let padded = attachment_padded_len(size);
            assert!(padded >= size.max(541) && padded as f64 <= (size as f64 * 1.0501).max(541.0));
        }
        size = size * 3 + 1;
    }
}

fn push<T: Transform>(
    mut transform: T,
    input: &[u8],
    piece: usize,
) -> Result<(Vec<u8>, T::Report), Error> {
    let mut output = Vec::new();
    for piece in input.chunks(piece) {
        transform.update(piece, &mut output)?;
    }
    while transform.drain(&mut output)? {}
    let report = transform.finish(&mut output)?;
    Ok((output, report))
}

fn attachment_key() -> AttachmentKey {
    AttachmentKey::from_bytes(&[0x24; 64]).unwrap()
}

fn encrypt(
    file: &[u8],
    coverage: IncrementalCoverage,
    piece: usize,
) -> (Vec<u8>, EncryptedAttachment) {
    let size = file.len() as u64;
    let rng = &mut Fixed::new([0x99; 16]);
    let encryptor =
        AttachmentEncryptor::with_incremental_mac(&attachment_key(), size, coverage, rng).unwrap();
    let (blob, made) = push(encryptor, file, piece).unwrap();
    assert_eq!(AttachmentEncryptor::blob_len(size), Some(blob.len() as u64));
    (blob, made)
}

fn decrypt(blob: &[u8], made: &EncryptedAttachment, piece: usize) -> Result<Vec<u8>, Error> {
    let key = attachment_key();
    let verifier = AttachmentVerifier::new(&key, &made.digest)?;
    let (_, verified) = push(verifier, blob, piece)?;
    assert_eq!(verified.blob_length, blob.len() as u64);
    Ok(push(AttachmentDecryptor::verified(&key, verified, made.size)?, blob, piece)?.0)
}

fn stream(
    blob: &[u8],
    made: &EncryptedAttachment,
    coverage: IncrementalCoverage,
    piece: usize,
) -> Result<Vec<u8>, Error> {
    let incremental = made.incremental.clone().unwrap();
    let decryptor = AttachmentDecryptor::streaming(
        &attachment_key(),
        &made.digest,
        incremental,
        coverage,
        made.size,
    )?;
    Ok(push(decryptor, blob, piece)?.0)
}

fn file(length: usize) -> Vec<u8> {
    (0..length).map(|i| (i ^ (i >> 8) ^ (i >> 16)) as u8).collect()
}

const COVERAGES: [IncrementalCoverage; 2] =
    [IncrementalCoverage::WholeBlob, IncrementalCoverage::WithoutMac];

#[test]
fn the_blob_is_what_the_specification_says_by_bare_primitives() {
    use aes::cipher::block_padding::Pkcs7;
    use aes::cipher::{BlockModeEncrypt, KeyIvInit};
    use hmac::{Hmac, KeyInit, Mac};
    use sha2::{Digest, Sha256};

    let file = file(1000);
    let (blob, made) = encrypt(&file, IncrementalCoverage::WholeBlob, 100);
    let mut padded = file.clone();
    padded.resize(1020, 0);
    let ciphertext = cbc::Encryptor::<aes::Aes256>::new(&[0x24; 32].into(), &[0x99; 16].into())
        .encrypt_padded_vec::<Pkcs7>(&padded);
    let mut expected = [&[0x99; 16], ciphertext.as_slice()].concat();
    let mac = Hmac::<Sha256>::new_from_slice(&[0x24; 32]).unwrap().chain_update(&expected);
    expected.extend_from_slice(&mac.finalize().into_bytes());
    assert_eq!(blob, expected);
    assert_eq!(made.digest, <[u8; 32]>::from(Sha256::digest(&expected)));
    assert_eq!(made.size, 1000);
}

#[test]
fn every_boundary_both_ways() {
    let lengths =
        [0, 1, 15, 16, 17, 540, 541, 542, 65_520, 65_535, 65_536, 65_537, 131_072, 3 << 20];
    for length in lengths {
        let file = file(length);
        for coverage in COVERAGES {
            let (blob, made) = encrypt(&file, coverage, 50_000);
            for piece in [999, 65_536, 1 << 30] {
                assert!(decrypt(&blob, &made, piece).unwrap() == file);
                assert!(stream(&blob, &made, coverage, piece).unwrap() == file);
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    #[test]
    fn any_cut_gives_the_same_bytes(length in 0usize..200_000, piece in 1usize..70_000) {
        let file = file(length);
        for coverage in COVERAGES {
            let (blob, made) = encrypt(&file, coverage, piece);
            let whole = encrypt(&file, coverage, 1 << 30);
            prop_assert!((&blob, &made) == (&whole.0, &whole.1));
            prop_assert!(decrypt(&blob, &made, piece).unwrap() == file);
            prop_assert!(stream(&blob, &made, coverage, piece).unwrap() == file);
        }
    }

    #[test]
    fn scenario_7_a_flipped_bit_is_refused_and_nothing_of_its_chunk_comes_out(
        length in 0usize..200_000, at in any::<prop::sample::Index>(), bit in 0u8..8,
    ) {
        let file = file(length);
        for coverage in COVERAGES {
            let (mut blob, made) = encrypt(&file, coverage, 1 << 30);
            let at = at.index(blob.len());
            blob[at] ^= 1 << bit;
            prop_assert_eq!(decrypt(&blob, &made, 4096), Err(Error::Rejected));
            let mut decryptor = AttachmentDecryptor::streaming(
                &attachment_key(), &made.digest, made.incremental.clone().unwrap(), coverage, made.size,
            ).unwrap();
            let mut output = Vec::new();
            let mut refused = false;
            for piece in blob.chunks(1000) {
                refused |= decryptor.update(piece, &mut output).is_err();
            }
            refused |= decryptor.finish(&mut output).is_err();
            prop_assert!(refused);
            prop_assert!(output.len() <= at / 65_536 * 65_536);
            prop_assert!(file.starts_with(&output));
        }
    }
}

#[test]
fn scenario_7_short_blobs_wrong_digests_and_wrong_sizes_are_refused() {
    let file = file(700);
    let (blob, made) = encrypt(&file, IncrementalCoverage::WholeBlob, 100);
    for cut in [0, 16, 63, 64, blob.len() - 16, blob.len() - 1] {
        assert_eq!(decrypt(&blob[..cut], &made, 100), Err(Error::Rejected));
        let coverage = IncrementalCoverage::WholeBlob;
        assert_eq!(stream(&blob[..cut], &made, coverage, 100), Err(Error::Rejected));
    }
    let wrong = EncryptedAttachment { digest: [0; 32], ..made.clone() };
    assert_eq!(decrypt(&blob, &wrong, 100), Err(Error::Rejected));
    assert_eq!(stream(&blob, &wrong, IncrementalCoverage::WholeBlob, 100), Err(Error::Rejected));
    // more than the plaintext holds is refused; less is cut
    let long = EncryptedAttachment { size: attachment_padded_len(700) + 1, ..made.clone() };
    assert_eq!(decrypt(&blob, &long, 100), Err(Error::Rejected));
    let short = EncryptedAttachment { size: 600, ..made.clone() };
    assert_eq!(decrypt(&blob, &short, 100).unwrap(), file[..600]);
    // the coverage is part of the agreement
    assert!(stream(&blob, &made, IncrementalCoverage::WithoutMac, 100).is_err());
    // chunks larger than any sender makes would cost memory
    let huge = IncrementalDigest { chunk_size: u32::MAX, entries: vec![0; 32] };
    let coverage = IncrementalCoverage::WholeBlob;
    let key = attachment_key();
    assert!(AttachmentDecryptor::streaming(&key, &made.digest, huge, coverage, 1).is_err());
}

#[test]
fn a_promised_size_is_kept() {
    let coverage = IncrementalCoverage::WholeBlob;
    let new = || {
        let rng = &mut Fixed::new([1; 16]);
        AttachmentEncryptor::with_incremental_mac(&attachment_key(), 10, coverage, rng).unwrap()
    };
    assert_eq!(push(new(), &[0; 11], 4).unwrap_err(), Error::InvalidArgument);
    assert_eq!(push(new(), &[0; 9], 4).unwrap_err(), Error::InvalidArgument);
    assert!(push(new(), &[0; 10], 4).is_ok());
    // without a promise any size goes, and there is no incremental MAC
    let encryptor = AttachmentEncryptor::new(&attachment_key(), &mut Fixed::new([1; 16]));
    let (blob, made) = push(encryptor, &[7; 11], 4).unwrap();
    assert_eq!((made.size, made.incremental.is_none()), (11, true));
    assert_eq!(decrypt(&blob, &made, 5).unwrap(), [7; 11]);
}
