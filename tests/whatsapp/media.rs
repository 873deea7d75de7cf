//! Files in the WhatsApp format: `media.json`, a genuine client's video, and every boundary.

use proptest::prelude::*;
use sandi::Error;
use sandi::attachment::{
    EncryptedMedia, MediaDecryptor, MediaEncryptor, MediaHashes, MediaKey, MediaKeys, MediaKind,
    MediaRange, MediaReport, MediaRetryKey, MediaVerifier, RetryPayload, Sidecar, Transform,
};
use serde_json::Value;

use crate::data::{Fixed, array, hex, items, number, text, whatsapp};

fn kind(name: &str) -> MediaKind<'_> {
    match name {
        "image" => MediaKind::Image,
        "sticker" => MediaKind::Sticker,
        "video" | "gif" | "ptv" => MediaKind::Video,
        "audio" => MediaKind::Audio,
        "ptt" => MediaKind::Voice,
        "document" => MediaKind::Document,
        "history" | "md-msg-hist" => MediaKind::History,
        "md-app-state" => MediaKind::AppState,
        "sticker-pack" => MediaKind::StickerPack,
        "thumbnail-sticker-pack" => MediaKind::StickerPackThumbnail,
        "thumbnail-link" => MediaKind::LinkThumbnail,
        "group-history" => MediaKind::GroupHistory,
        other => panic!("kind {other}"),
    }
}

fn keys(case: &Value) -> MediaKeys {
    let key = MediaKey::from_bytes(&hex(case, "mediaKey")).unwrap();
    let kind = kind(text(case, "type"));
    if case.get("info").is_some() {
        assert_eq!(kind.info(), text(case, "info"));
    }
    key.derive(kind)
}

/// Pushes `input` in pieces of the given lengths, again and again.
fn push<T: Transform>(
    mut transform: T,
    input: &[u8],
    cuts: &[usize],
) -> Result<(Vec<u8>, T::Report), Error> {
    let (mut output, mut rest, mut cuts) = (Vec::new(), input, cuts.iter().cycle());
    while !rest.is_empty() {
        let (piece, next) = rest.split_at((*cuts.next().unwrap()).clamp(1, rest.len()));
        transform.update(piece, &mut output)?;
        rest = next;
    }
    while transform.drain(&mut output)? {}
    let report = transform.finish(&mut output)?;
    Ok((output, report))
}

fn encrypt(keys: &MediaKeys, file: &[u8], cuts: &[usize]) -> (Vec<u8>, EncryptedMedia) {
    push(MediaEncryptor::with_sidecar(keys), file, cuts).unwrap()
}

fn hashes(made: &EncryptedMedia) -> MediaHashes {
    MediaHashes {
        file_sha256: Some(made.file_sha256),
        file_enc_sha256: Some(made.file_enc_sha256),
        file_length: Some(made.file_length),
    }
}

/// Both passes, for a message without a side-car.
fn decrypt(
    keys: &MediaKeys,
    blob: &[u8],
    hashes: &MediaHashes,
    cuts: &[usize],
) -> Result<(Vec<u8>, MediaReport), Error> {
    let (nothing, verified) = push(MediaVerifier::new(keys, hashes), blob, cuts)?;
    assert!(nothing.is_empty());
    push(MediaDecryptor::verified(keys, verified, hashes), blob, cuts)
}

fn stream(
    keys: &MediaKeys,
    blob: &[u8],
    sidecar: &Sidecar,
    hashes: &MediaHashes,
    cuts: &[usize],
) -> Result<(Vec<u8>, MediaReport), Error> {
    push(MediaDecryptor::streaming(keys, sidecar.clone(), hashes), blob, cuts)
}

#[test]
fn small_files_of_media_json_both_ways() {
    for case in items(&whatsapp("media"), "cases") {
        let keys = keys(case);
        let okm = [
            keys.iv().expose().as_slice(),
            keys.cipher_key().expose(),
            keys.mac_key().expose(),
            keys.ref_key().expose(),
        ];
        assert_eq!(okm.concat(), hex(case, "expanded112"));
        let (file, blob) = (hex(case, "plaintext"), hex(case, "encrypted"));
        let (made_blob, made) = encrypt(&keys, &file, &[7]);
        assert_eq!(made_blob, blob);
        assert_eq!(made.file_sha256, array(case, "fileSha256"));
        assert_eq!(made.file_enc_sha256, array(case, "fileEncSha256"));
        let sidecar = made.sidecar.clone().unwrap();
        assert_eq!(sidecar.as_bytes(), hex(case, "streamingSidecar"));
        let length = u64::try_from(file.len()).unwrap();
        assert_eq!(MediaKeys::blob_len(length), u64::try_from(blob.len()).ok());
        let (plain, report) = decrypt(&keys, &blob, &hashes(&made), &[5]).unwrap();
        assert_eq!((plain.as_slice(), report.file_length), (file.as_slice(), length));
        assert_eq!(stream(&keys, &blob, &sidecar, &hashes(&made), &[16]).unwrap().0, file);
    }
}

#[test]
fn large_files_of_media_json_both_ways() {
    for case in items(&whatsapp("media"), "large") {
        let keys = keys(case);
        let length = number(case, "plaintextLength");
        let (a, b) = (number(&case["plaintextRule"], "a"), number(&case["plaintextRule"], "b"));
        let file: Vec<u8> = (0..length).map(|i| ((i * a + b) % 256) as u8).collect();
        let (blob, made) = encrypt(&keys, &file, &[65_537, 3]);
        assert_eq!(blob.len() as u64, number(case, "encryptedLength"));
        assert_eq!(made.mac, array(case, "mac10"));
        assert_eq!(made.file_sha256, array(case, "fileSha256"));
        assert_eq!(made.file_enc_sha256, array(case, "fileEncSha256"));
        let sidecar = made.sidecar.clone().unwrap();
        assert_eq!(sidecar.as_bytes(), hex(case, "streamingSidecar"));
        let frame = usize::try_from(number(case, "firstFrameLength")).unwrap();
        assert_eq!(
            Sidecar::first_frame(&keys, &blob, frame).unwrap(),
            array(case, "firstFrameSidecar")
        );
        assert_eq!(decrypt(&keys, &blob, &hashes(&made), &[4096]).unwrap().0, file);
        let given = Sidecar::from_bytes(&hex(case, "streamingSidecar")).unwrap();
        assert_eq!(stream(&keys, &blob, &given, &hashes(&made), &[70_000]).unwrap().0, file);
    }
}

#[test]
fn a_genuine_clients_video_decrypts_with_its_own_side_car() {
    use base64ct::{Base64, Encoding};
    for case in items(&whatsapp("media_real_video"), "cases") {
        let keys = keys(case);
        let blob = Base64::decode_vec(text(case, "encryptedBase64")).unwrap();
        let hashes = MediaHashes::from_fields(
            Some(&hex(case, "fileSha256")),
            Some(&hex(case, "fileEncSha256")),
            Some(number(case, "plaintextLength")),
        )
        .unwrap();
        assert!(hashes.all_present());
        let sidecar = Sidecar::from_bytes(&hex(case, "streamingSidecarObserved")).unwrap();
        let (file, report) = stream(&keys, &blob, &sidecar, &hashes, &[1500]).unwrap();
        assert!(!report.length_differs);
        assert_eq!(file[..16], hex(case, "plaintextFirst16"));
        assert_eq!(file[file.len() - 16..], hex(case, "plaintextLast16"));
        assert_eq!(decrypt(&keys, &blob, &hashes, &[9999]).unwrap().0, file);
        // and encrypts to the same blob and side-car
        let (again, made) = encrypt(&keys, &file, &[1000, 77]);
        assert!(again == blob);
        assert_eq!(made.sidecar.unwrap(), sidecar);
        assert_eq!(made.mac, array(case, "mac10"));
        // the middle of the film, without the rest
        let range = MediaRange::new(200_000..200_100, blob.len() as u64).unwrap();
        let fetch = range.fetch();
        assert_eq!(fetch, 3 * 65_536 - 16..4 * 65_536);
        let bytes = &blob[fetch.start as usize..fetch.end as usize];
        let mut part = Vec::new();
        range.open(&keys, &sidecar, bytes, &mut part).unwrap();
        assert_eq!(part, file[200_000..200_100]);
    }
}

fn test_keys() -> MediaKeys {
    MediaKey::from_bytes(&[0x42; 32]).unwrap().derive(MediaKind::Video)
}

fn file(length: usize) -> Vec<u8> {
    (0..length).map(|i| (i ^ (i >> 8) ^ (i >> 16)) as u8).collect()
}

/// The lengths around every block and window boundary.
const LENGTHS: [usize; 17] = [
    0,
    1,
    15,
    16,
    17,
    65_503,
    65_504,
    65_519,
    65_520,
    65_521,
    65_535,
    65_536,
    65_537,
    131_071,
    131_072,
    196_608,
    3 * 1024 * 1024 + 5,
];

#[test]
fn every_boundary_both_ways_and_by_range() {
    let keys = test_keys();
    for length in LENGTHS {
        let file = file(length);
        let (blob, made) = encrypt(&keys, &file, &[65_536]);
        let sidecar = made.sidecar.clone().unwrap();
        // T = |blob| + 16 bytes, an entry for every 64 KiB begun
        assert_eq!(sidecar.windows(), (blob.len() + 16).div_ceil(65_536));
        for cuts in [&[65_536][..], &[65_535, 1, 2], &[1_000_000_000]] {
            assert!(decrypt(&keys, &blob, &hashes(&made), cuts).unwrap().0 == file);
            assert!(stream(&keys, &blob, &sidecar, &hashes(&made), cuts).unwrap().0 == file);
        }
        for range in [0..length, 0..1, 15..17, 65_500..65_560, 65_536..65_537, length..length + 9] {
            check_range(&keys, &blob, &sidecar, &file, range.start as u64..range.end as u64);
        }
    }
}

fn check_range(
    keys: &MediaKeys,
    blob: &[u8],
    sidecar: &Sidecar,
    file: &[u8],
    wanted: core::ops::Range<u64>,
) {
    let range = MediaRange::new(wanted.clone(), blob.len() as u64).unwrap();
    let fetch = range.fetch();
    let mut part = Vec::new();
    let bytes = &blob[fetch.start as usize..fetch.end as usize];
    range.open(keys, sidecar, bytes, &mut part).unwrap();
    let end = (wanted.end as usize).min(file.len());
    let start = (wanted.start as usize).min(end);
    assert!(part == file[start..end], "{wanted:?} of {}", file.len());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn any_cut_gives_the_same_bytes(
        length in 0usize..300_000,
        cuts in proptest::collection::vec(1usize..100_000, 1..8),
    ) {
        let (keys, file) = (test_keys(), file(length));
        let (blob, made) = encrypt(&keys, &file, &cuts);
        let (whole, same) = encrypt(&keys, &file, &[usize::MAX]);
        prop_assert!(blob == whole);
        prop_assert_eq!(&made, &same);
        prop_assert!(decrypt(&keys, &blob, &hashes(&made), &cuts).unwrap().0 == file);
        let sidecar = made.sidecar.clone().unwrap();
        prop_assert!(stream(&keys, &blob, &sidecar, &hashes(&made), &cuts).unwrap().0 == file);
    }

    #[test]
    fn any_range_is_read_without_the_rest(
        length in 0usize..300_000, start in 0u64..310_000, more in 0u64..200_000,
    ) {
        let (keys, file) = (test_keys(), file(length));
        let (blob, made) = encrypt(&keys, &file, &[65_536]);
        check_range(&keys, &blob, &made.sidecar.unwrap(), &file, start..start + more);
    }

    #[test]
    fn a_flipped_bit_is_refused_and_nothing_behind_it_comes_out(
        length in 0usize..200_000, at in any::<prop::sample::Index>(), bit in 0u8..8,
    ) {
        let (keys, file) = (test_keys(), file(length));
        let (mut blob, made) = encrypt(&keys, &file, &[65_536]);
        let at = at.index(blob.len());
        blob[at] ^= 1 << bit;
        prop_assert_eq!(decrypt(&keys, &blob, &hashes(&made), &[4096]).unwrap_err(), Error::Rejected);
        let sidecar = made.sidecar.unwrap();
        let mut decryptor = MediaDecryptor::streaming(&keys, sidecar, &MediaHashes::default());
        let mut output = Vec::new();
        let mut refused = false;
        for piece in blob.chunks(1000) {
            refused |= decryptor.update(piece, &mut output).is_err();
        }
        refused |= decryptor.finish(&mut output).is_err();
        prop_assert!(refused);
        // windows before the flipped byte may have come out; none that holds it has
        prop_assert!(output.len() <= at / 65_536 * 65_536);
        prop_assert!(file.starts_with(&output));
    }
}

#[test]
fn a_file_that_changes_between_the_passes_is_refused() {
    let (keys, file) = (test_keys(), file(200_000));
    let (mut blob, made) = encrypt(&keys, &file, &[65_536]);
    let (_, verified) = push(MediaVerifier::new(&keys, &hashes(&made)), &blob, &[65_536]).unwrap();
    blob[150_000] ^= 1;
    let second = MediaDecryptor::verified(&keys, verified, &hashes(&made));
    assert_eq!(push(second, &blob, &[65_536]).unwrap_err(), Error::Rejected);
}

#[test]
fn short_blobs_wrong_kinds_and_wrong_hashes_are_refused() {
    let (keys, file) = (test_keys(), file(1000));
    let (blob, made) = encrypt(&keys, &file, &[65_536]);
    let none = MediaHashes::default();
    for cut in [0, 1, 9, 10, 25, 26, 42, blob.len() - 1, blob.len() - 16] {
        assert_eq!(decrypt(&keys, &blob[..cut], &none, &[99]).unwrap_err(), Error::Rejected);
        let sidecar = made.sidecar.clone().unwrap();
        assert_eq!(
            stream(&keys, &blob[..cut], &sidecar, &none, &[99]).unwrap_err(),
            Error::Rejected
        );
    }
    let document = MediaKey::from_bytes(&[0x42; 32]).unwrap().derive(MediaKind::Document);
    assert_eq!(decrypt(&document, &blob, &none, &[99]).unwrap_err(), Error::Rejected);
    let wrong = MediaHashes { file_enc_sha256: Some([0; 32]), ..none };
    assert_eq!(decrypt(&keys, &blob, &wrong, &[99]).unwrap_err(), Error::Rejected);
    let wrong = MediaHashes { file_sha256: Some([0; 32]), ..none };
    assert_eq!(decrypt(&keys, &blob, &wrong, &[99]).unwrap_err(), Error::Rejected);
    // a wrong length is a remark only; missing hashes show in strict mode
    let wrong = MediaHashes { file_length: Some(999), ..none };
    assert!(decrypt(&keys, &blob, &wrong, &[99]).unwrap().1.length_differs);
    assert!(!none.all_present());
    assert!(MediaHashes::from_fields(Some(&[1; 31]), None, None).is_err());
}

#[test]
fn side_cars_of_either_count_are_accepted_where_the_specification_is_open() {
    // |ct| = 65,520: only bytes that window 0 covers lie beyond 64 KiB of S
    let (keys, file) = (test_keys(), file(65_519));
    let (blob, made) = encrypt(&keys, &file, &[65_536]);
    let sidecar = made.sidecar.clone().unwrap();
    assert_eq!(sidecar.windows(), 2);
    let one = Sidecar::from_bytes(&sidecar.as_bytes()[..10]).unwrap();
    for sidecar in [&sidecar, &one] {
        assert!(stream(&keys, &blob, sidecar, &hashes(&made), &[999]).unwrap().0 == file);
        check_range(&keys, &blob, sidecar, &file, 65_000..66_000);
    }
    let mut wrong = sidecar.as_bytes().to_vec();
    wrong[19] ^= 1;
    let wrong = Sidecar::from_bytes(&wrong).unwrap();
    assert!(stream(&keys, &blob, &wrong, &hashes(&made), &[999]).is_err());
    let long = Sidecar::from_bytes(&[sidecar.as_bytes(), &[0; 10]].concat()).unwrap();
    assert!(stream(&keys, &blob, &long, &hashes(&made), &[999]).is_err());
    assert!(Sidecar::from_bytes(&[0; 11]).is_err());
}

#[test]
fn media_retry_of_media_json_both_ways() {
    for case in items(&whatsapp("media"), "mediaRetry") {
        let key = MediaKey::from_bytes(&hex(case, "mediaKey")).unwrap();
        let retry = MediaRetryKey::new(&key);
        let id = text(case, "stanzaId");
        let plaintext = hex(case, "serverErrorReceiptPlaintext");
        let sealed = retry.seal(id, &plaintext, &mut Fixed::new(hex(case, "iv"))).unwrap();
        assert_eq!(sealed.iv, array(case, "iv"));
        assert_eq!(sealed.ciphertext, hex(case, "ciphertext"));
        assert_eq!(retry.open(id, &sealed).unwrap(), plaintext);
        assert_eq!(retry.open("another", &sealed), Err(Error::Rejected));
        let short = RetryPayload { ciphertext: vec![0; 15], ..sealed };
        assert_eq!(retry.open(id, &short), Err(Error::Rejected));
    }
}

#[cfg(feature = "std")]
#[test]
fn readers_and_writers_carry_the_same_bytes() {
    use std::io::{Cursor, Read, Seek, SeekFrom, Write};

    use sandi::attachment::{MediaReader, TransformReader, TransformWriter, transform};

    let file = file(150_001);
    let (blob, made) = encrypt(&test_keys(), &file, &[65_536]);
    let mut writer = TransformWriter::new(Vec::new(), MediaEncryptor::new(&test_keys()));
    writer.write_all(&file).unwrap();
    let (written, report) = writer.finish().unwrap();
    assert!(written == blob);
    assert_eq!(report.file_enc_sha256, made.file_enc_sha256);
    let mut copied = Vec::new();
    let mut seen = 0;
    let encryptor = MediaEncryptor::new(&test_keys());
    transform(encryptor, &mut file.as_slice(), &mut copied, |done| seen = done).unwrap();
    assert!(copied == blob && seen == 150_001);

    let sidecar = made.sidecar.clone().unwrap();
    let decryptor = MediaDecryptor::streaming(&test_keys(), sidecar.clone(), &hashes(&made));
    let mut reader = TransformReader::new(blob.as_slice(), decryptor);
    let mut read = Vec::new();
    reader.read_to_end(&mut read).unwrap();
    assert!(read == file);
    assert_eq!(reader.report().unwrap().file_length, 150_001);

    let mut seeking = MediaReader::new(Cursor::new(&blob), test_keys(), sidecar.clone()).unwrap();
    assert_eq!(seeking.seek(SeekFrom::End(-3)).unwrap(), 149_998);
    let mut end = Vec::new();
    seeking.read_to_end(&mut end).unwrap();
    assert_eq!(end, file[149_998..]);
    seeking.seek(SeekFrom::Start(65_530)).unwrap();
    let mut part = [0; 20];
    seeking.read_exact(&mut part).unwrap();
    assert_eq!(part, file[65_530..65_550]);

    let mut bad = blob;
    bad[140_000] ^= 1;
    let decryptor = MediaDecryptor::streaming(&test_keys(), sidecar.clone(), &hashes(&made));
    let mut reader = TransformReader::new(bad.as_slice(), decryptor);
    let mut read = Vec::new();
    assert!(reader.read_to_end(&mut read).is_err());
    assert!(read.len() <= 131_072 && reader.report().is_none());
    assert!(reader.read(&mut [0; 1]).is_err(), "the error stays");
    let mut seeking = MediaReader::new(Cursor::new(&bad), test_keys(), sidecar).unwrap();
    seeking.seek(SeekFrom::Start(131_072)).unwrap();
    assert!(seeking.read(&mut [0; 1]).is_err());
}
