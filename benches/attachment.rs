//! Encrypting and decrypting files, against AES-256-CBC and HMAC-SHA-256 over the same bytes, and the
//! hashes that the formats want besides. AES-256-GCM stands beside them: what a format could be that wants
//! neither.
#![allow(missing_docs, clippy::unwrap_used)]

mod common;

use std::hint::black_box;

use aes_gcm::Aes256Gcm;
use aes_gcm::aead::AeadInOut;
use cbc::cipher::block_padding::Pkcs7;
use cbc::cipher::{BlockModeDecrypt, BlockModeEncrypt, KeyIvInit};
use common::criterion;
use criterion::Throughput;
use hmac::{Hmac, KeyInit, Mac};
use rand::SeedableRng;
use rand::rngs::StdRng;
use sandi::attachment::{
    AttachmentDecryptor, AttachmentEncryptor, AttachmentKey, IncrementalCoverage, MediaDecryptor,
    MediaEncryptor, MediaHashes, MediaKey, MediaKind, Transform,
};
use sha2::{Digest, Sha256};

const LENGTH: usize = 4 << 20;
const PIECE: usize = 64 << 10;

fn run<T: Transform>(mut transform: T, bytes: &[u8], out: &mut Vec<u8>) -> T::Report {
    let mut piece_out = Vec::with_capacity(2 * PIECE);
    out.clear();
    for piece in bytes.chunks(PIECE) {
        transform.update(piece, &mut piece_out).unwrap();
        out.extend_from_slice(&piece_out);
        piece_out.clear();
    }
    while transform.drain(out).unwrap() {}
    transform.finish(out).unwrap()
}

fn main() {
    let mut c = criterion();
    let mut group = c.benchmark_group("attachment");
    group.throughput(Throughput::Bytes(LENGTH as u64)).sample_size(10);
    let plain = vec![7; LENGTH];
    let (mut out, rng) = (Vec::with_capacity(2 * LENGTH), &mut StdRng::seed_from_u64(1));

    let cbc_and_hmac = |out: &mut Vec<u8>| {
        out.clear();
        out.extend_from_slice(&plain);
        out.resize(LENGTH + 16, 0);
        let cipher = cbc::Encryptor::<aes::Aes256>::new(&[1; 32].into(), &[2; 16].into());
        cipher.encrypt_padded::<Pkcs7>(out, LENGTH).unwrap();
        let mut mac = Hmac::<Sha256>::new_from_slice(&[3; 32]).unwrap();
        mac.update(out);
        mac.finalize()
    };
    group.bench_function("floor", |b| b.iter(|| cbc_and_hmac(&mut out)));
    group.bench_function("floor-gcm", |b| {
        let cipher = <Aes256Gcm as aes_gcm::KeyInit>::new(&[1; 32].into());
        b.iter(|| {
            out.clear();
            out.extend_from_slice(&plain);
            cipher.encrypt_inout_detached(&[2; 12].into(), &[], out.as_mut_slice().into()).unwrap()
        });
    });
    // the WhatsApp format hashes plaintext and blob, and has a side-car: three passes of SHA-256 more
    group.bench_function("floor-media", |b| {
        b.iter(|| {
            let mac = cbc_and_hmac(&mut out);
            (mac, Sha256::digest(&plain), Sha256::digest(&out), Sha256::digest(&out))
        });
    });
    // decryption runs blocks side by side: its floor is another
    let cbc_backwards = |out: &mut Vec<u8>| {
        let mut mac = Hmac::<Sha256>::new_from_slice(&[3; 32]).unwrap();
        mac.update(&plain);
        out.clear();
        out.extend_from_slice(&plain);
        let cipher = cbc::Decryptor::<aes::Aes256>::new(&[1; 32].into(), &[2; 16].into());
        let (blocks, _) = aes::cipher::Array::slice_as_chunks_mut(out);
        { cipher }.decrypt_blocks(blocks);
        mac.finalize()
    };
    group.bench_function("floor-media-decrypt", |b| {
        b.iter(|| {
            let mac = cbc_backwards(&mut out);
            (mac, Sha256::digest(&plain), Sha256::digest(&out), Sha256::digest(&out))
        });
    });
    group.bench_function("floor-signal-decrypt", |b| {
        b.iter(|| (cbc_backwards(&mut out), Sha256::digest(&out), Sha256::digest(&out)));
    });
    // Signal's hashes the blob, and has an incremental MAC
    group.bench_function("floor-signal", |b| {
        b.iter(|| (cbc_and_hmac(&mut out), Sha256::digest(&out), Sha256::digest(&out)));
    });

    let keys = MediaKey::from_bytes(&[7; 32]).unwrap().derive(MediaKind::Video);
    group.bench_function("media/encrypt", |b| {
        b.iter(|| run(MediaEncryptor::with_sidecar(&keys), black_box(&plain), &mut out));
    });
    let report = run(MediaEncryptor::with_sidecar(&keys), &plain, &mut out);
    let (blob, sidecar) = (out.clone(), report.sidecar.unwrap());
    let hashes = MediaHashes {
        file_sha256: Some(report.file_sha256),
        file_enc_sha256: Some(report.file_enc_sha256),
        file_length: Some(report.file_length),
    };
    group.bench_function("media/decrypt", |b| {
        b.iter(|| {
            let decryptor = MediaDecryptor::streaming(&keys, sidecar.clone(), &hashes);
            run(decryptor, black_box(&blob), &mut out)
        });
    });

    let (key, coverage) = (AttachmentKey::generate(rng), IncrementalCoverage::WholeBlob);
    let size = LENGTH as u64;
    let mut encryptor =
        || AttachmentEncryptor::with_incremental_mac(&key, size, coverage, rng).unwrap();
    group.bench_function("signal/encrypt", |b| {
        b.iter(|| run(encryptor(), black_box(&plain), &mut out));
    });
    let report = run(encryptor(), &plain, &mut out);
    let (blob, incremental) = (out.clone(), report.incremental.unwrap());
    group.bench_function("signal/decrypt", |b| {
        b.iter(|| {
            let digest = incremental.clone();
            let decryptor =
                AttachmentDecryptor::streaming(&key, &report.digest, digest, coverage, size);
            run(decryptor.unwrap(), black_box(&blob), &mut out)
        });
    });
    group.finish();
    c.final_summary();
    common::table(
        "Files of 4 MiB, against the primitives that their format cannot do without",
        &[
            ("attachment/media/encrypt", "attachment/floor-media"),
            ("attachment/media/decrypt", "attachment/floor-media-decrypt"),
            ("attachment/signal/encrypt", "attachment/floor-signal"),
            ("attachment/signal/decrypt", "attachment/floor-signal-decrypt"),
        ],
    );
}
