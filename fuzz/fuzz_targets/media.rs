//! Files in the WhatsApp format: what was encrypted decrypts, in any pieces; a changed byte does not.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sandi::Error;
use sandi::attachment::{
    MediaDecryptor, MediaEncryptor, MediaHashes, MediaKey, MediaKeys, MediaKind, MediaRange,
    MediaVerifier, Sidecar, Transform,
};

/// Pushes `bytes` through, `step` at a time.
fn run<T: Transform>(
    mut transform: T,
    bytes: &[u8],
    step: usize,
) -> Result<(Vec<u8>, T::Report), Error> {
    let mut out = Vec::new();
    for piece in bytes.chunks(step.max(1)) {
        transform.update(piece, &mut out)?;
    }
    while transform.drain(&mut out)? {}
    let report = transform.finish(&mut out)?;
    Ok((out, report))
}

fn two_passes(
    keys: &MediaKeys,
    blob: &[u8],
    hashes: &MediaHashes,
    step: usize,
) -> Result<Vec<u8>, Error> {
    let (_, verified) = run(MediaVerifier::new(keys, hashes), blob, step)?;
    run(MediaDecryptor::verified(keys, verified, hashes), blob, step).map(|(plain, _)| plain)
}

fuzz_target!(|bytes: &[u8]| {
    let Some(([step, repeat, at, change], rest)) = bytes.split_first_chunk::<4>() else { return };
    let step = usize::from(*step) * 97 + 1;
    let keys = MediaKey::from_bytes(&[7; 32]).unwrap().derive(MediaKind::Video);
    // any bytes as a blob
    let none = MediaHashes::default();
    assert!(two_passes(&keys, rest, &none, step).is_err(), "nobody encrypted this");
    if let Ok(sidecar) = Sidecar::from_bytes(rest) {
        assert!(run(MediaDecryptor::streaming(&keys, sidecar, &none), rest, step).is_err());
    }
    // a file, longer than a window where `repeat` says so
    let plain = rest.repeat(1 + usize::from(*repeat % 8) * 40);
    let (blob, report) = run(MediaEncryptor::with_sidecar(&keys), &plain, step).unwrap();
    let hashes = MediaHashes {
        file_sha256: Some(report.file_sha256),
        file_enc_sha256: Some(report.file_enc_sha256),
        file_length: Some(report.file_length),
    };
    let sidecar = report.sidecar.unwrap();
    assert_eq!(two_passes(&keys, &blob, &hashes, step).unwrap(), plain);
    let streaming = MediaDecryptor::streaming(&keys, sidecar.clone(), &hashes);
    assert_eq!(run(streaming, &blob, step).unwrap().0, plain);
    let from = u64::from(*at) * plain.len() as u64 / 256;
    let to = from + u64::from(*change) * 300;
    let range = MediaRange::new(from..to, blob.len() as u64).unwrap();
    let fetch = range.fetch();
    let mut out = Vec::new();
    range.open(&keys, &sidecar, &blob[fetch.start as usize..fetch.end as usize], &mut out).unwrap();
    assert_eq!(out, plain[from as usize..(to as usize).min(plain.len())]);
    // one byte changed
    if *change != 0 {
        let mut blob = blob;
        let at = usize::from(*at) * blob.len() / 256;
        blob[at] ^= change;
        assert_eq!(two_passes(&keys, &blob, &none, step), Err(Error::Rejected));
        let streaming = MediaDecryptor::streaming(&keys, sidecar, &none);
        assert_eq!(run(streaming, &blob, step).err(), Some(Error::Rejected));
    }
});
