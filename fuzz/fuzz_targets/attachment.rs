//! Files in the Signal format: what was encrypted decrypts, in any pieces; a changed byte does not.
#![no_main]

#[path = "../rng.rs"]
mod rng;

use libfuzzer_sys::fuzz_target;
use rng::Rng;
use sandi::Error;
use sandi::attachment::{
    AttachmentDecryptor, AttachmentEncryptor, AttachmentKey, AttachmentVerifier,
    IncrementalCoverage, IncrementalDigest, Transform,
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
    key: &AttachmentKey,
    digest: &[u8; 32],
    blob: &[u8],
    size: u64,
    step: usize,
) -> Result<Vec<u8>, Error> {
    let (_, verified) = run(AttachmentVerifier::new(key, digest)?, blob, step)?;
    run(AttachmentDecryptor::verified(key, verified, size)?, blob, step).map(|(plain, _)| plain)
}

fuzz_target!(|bytes: &[u8]| {
    let Some(([step, repeat, at, change], rest)) = bytes.split_first_chunk::<4>() else { return };
    let step = usize::from(*step) * 97 + 1;
    let coverage = match repeat & 0x80 {
        0 => IncrementalCoverage::WholeBlob,
        _ => IncrementalCoverage::WithoutMac,
    };
    let key = AttachmentKey::from_bytes(&[7; 64]).unwrap();
    // any bytes as a blob, and as digests of a chunk size
    assert!(two_passes(&key, &[0; 32], rest, 0, step).is_err(), "nobody encrypted this");
    let chunk_size = u32::from_le_bytes([step as u8, *repeat, *at, *change]);
    let digest = IncrementalDigest { chunk_size, entries: rest.to_vec() };
    if let Ok(decryptor) = AttachmentDecryptor::streaming(&key, &[0; 32], digest, coverage, 0) {
        assert!(run(decryptor, rest, 4096).is_err());
    }
    // a file
    let plain = rest.repeat(1 + usize::from(*repeat % 8) * 40);
    let size = plain.len() as u64;
    let encryptor =
        AttachmentEncryptor::with_incremental_mac(&key, size, coverage, &mut Rng(5)).unwrap();
    let (blob, report) = run(encryptor, &plain, step).unwrap();
    assert_eq!(Some(blob.len() as u64), AttachmentEncryptor::blob_len(size));
    let incremental = report.incremental.unwrap();
    let streaming = |size| {
        AttachmentDecryptor::streaming(&key, &report.digest, incremental.clone(), coverage, size)
            .unwrap()
    };
    assert_eq!(two_passes(&key, &report.digest, &blob, size, step).unwrap(), plain);
    assert_eq!(run(streaming(size), &blob, step).unwrap().0, plain);
    assert!(run(streaming(blob.len() as u64), &blob, step).is_err(), "longer than there is");
    // one byte changed
    if *change != 0 {
        let mut blob = blob;
        let at = usize::from(*at) * blob.len() / 256;
        blob[at] ^= change;
        let refused = two_passes(&key, &report.digest, &blob, size, step);
        assert_eq!(refused, Err(Error::Rejected));
        assert_eq!(run(streaming(size), &blob, step).err(), Some(Error::Rejected));
    }
});
