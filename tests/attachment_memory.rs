//! Files in constant memory: a file of 64 MiB takes no more than one of 1 MiB, but for the short MACs that a
//! side-car or a first pass notes per 64 KiB.
//!
//! One test alone in its program, which has no other thread: the counter sees every thread.
#![allow(clippy::unwrap_used, clippy::arithmetic_side_effects, missing_docs)]

use std::alloc::System;

use rand::SeedableRng;
use rand::rngs::StdRng;
use sandi::attachment::{
    AttachmentDecryptor, AttachmentEncryptor, AttachmentKey, AttachmentVerifier,
    IncrementalCoverage, MediaDecryptor, MediaEncryptor, MediaHashes, MediaKey, MediaKind,
    MediaVerifier, Transform,
};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};

#[global_allocator]
static GLOBAL: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

const MIB: usize = 1024 * 1024;
const PIECE: usize = 64 * 1024;

/// The heap that one transform uses: what it holds between its calls, and at most within one.
#[derive(Default)]
struct Meter {
    /// Below zero once it frees what it was given.
    held: isize,
    peak: isize,
}

impl Meter {
    fn run<R>(&mut self, call: impl FnOnce() -> R) -> R {
        let region = Region::new(GLOBAL);
        let result = call();
        let change = region.change();
        let (taken, freed) = (change.bytes_allocated as isize, change.bytes_deallocated as isize);
        self.peak = self.peak.max(self.held + taken);
        self.held += taken - freed;
        result
    }
}

/// Where a stream's pieces go.
type Sink<'a> = &'a mut dyn FnMut(&[u8]);

/// A file of `length` bytes, piece by piece.
fn file(length: usize, sink: Sink<'_>) {
    let piece = vec![0xA5; PIECE];
    (0..length / PIECE).for_each(|_| sink(&piece));
}

/// Sends `input` through a transform; its peak, and its report.
fn through<T: Transform>(
    make: impl FnOnce() -> T,
    input: impl FnOnce(Sink<'_>),
    sink: Sink<'_>,
) -> (isize, T::Report) {
    let mut meter = Meter::default();
    let mut output = Vec::with_capacity(4 * MIB);
    let mut transform = meter.run(make);
    input(&mut |piece| {
        meter.run(|| transform.update(piece, &mut output)).unwrap();
        sink(&output);
        output.clear();
    });
    while meter.run(|| transform.drain(&mut output)).unwrap() {
        sink(&output);
        output.clear();
    }
    let report = meter.run(|| transform.finish(&mut output)).unwrap();
    sink(&output);
    (meter.peak, report)
}

/// The peaks of everything that the WhatsApp format does with a file of `length` bytes.
fn media(length: usize) -> [(&'static str, isize); 5] {
    let keys = MediaKey::from_bytes(&[7; 32]).unwrap().derive(MediaKind::Video);
    let none: Sink<'_> = &mut |_| {};
    let input = |sink: Sink<'_>| file(length, sink);
    let (encrypt, made) = through(|| MediaEncryptor::new(&keys), input, none);
    let (with_sidecar, streamed) = through(|| MediaEncryptor::with_sidecar(&keys), input, none);
    let blob = |sink: Sink<'_>| {
        through(|| MediaEncryptor::new(&keys), input, sink);
    };
    let hashes = MediaHashes {
        file_sha256: Some(made.file_sha256),
        file_enc_sha256: Some(made.file_enc_sha256),
        file_length: Some(made.file_length),
    };
    let (verify, verified) = through(|| MediaVerifier::new(&keys, &hashes), blob, none);
    let second = || MediaDecryptor::verified(&keys, verified, &hashes);
    let (decrypt, report) = through(second, blob, none);
    assert_eq!(report.file_length, length as u64);
    let streaming = || MediaDecryptor::streaming(&keys, streamed.sidecar.unwrap(), &hashes);
    let (stream, report) = through(streaming, blob, none);
    assert_eq!(report.file_length, length as u64);
    [
        ("encrypt", encrypt),
        ("encrypt with side-car", with_sidecar),
        ("verify", verify),
        ("decrypt", decrypt),
        ("stream", stream),
    ]
}

/// The same of the Signal format.
fn signal(length: usize) -> [(&'static str, isize); 4] {
    let (key, size) = (AttachmentKey::from_bytes(&[7; 64]).unwrap(), length as u64);
    let none: Sink<'_> = &mut |_| {};
    let input = |sink: Sink<'_>| file(length, sink);
    let coverage = IncrementalCoverage::WholeBlob;
    let make = || AttachmentEncryptor::new(&key, &mut StdRng::seed_from_u64(1));
    let incremental = || {
        let rng = &mut StdRng::seed_from_u64(1);
        AttachmentEncryptor::with_incremental_mac(&key, size, coverage, rng).unwrap()
    };
    let (encrypt, made) = through(make, input, none);
    let (_, streamed) = through(incremental, input, none);
    let blob = |sink: Sink<'_>| {
        through(make, input, sink);
    };
    let (verify, verified) =
        through(|| AttachmentVerifier::new(&key, &made.digest).unwrap(), blob, none);
    let second = || AttachmentDecryptor::verified(&key, verified, size).unwrap();
    let (decrypt, report) = through(second, blob, none);
    assert_eq!(report.size, size);
    let streaming = || {
        let digest = streamed.incremental.unwrap();
        AttachmentDecryptor::streaming(&key, &made.digest, digest, coverage, size).unwrap()
    };
    let (stream, report) = through(streaming, blob, none);
    assert_eq!(report.size, size);
    [("encrypt", encrypt), ("verify", verify), ("decrypt", decrypt), ("stream", stream)]
}

/// Without the test harness, whose main thread allocates when it likes.
fn main() {
    files_of_any_size_take_the_same_memory();
    println!("test files_of_any_size_take_the_same_memory ... ok");
}

fn files_of_any_size_take_the_same_memory() {
    for ((what, small), (_, large)) in media(MIB).into_iter().zip(media(64 * MIB)) {
        println!("media {what}: {small} bytes for 1 MiB, {large} for 64 MiB");
        assert!(small < 256 * 1024, "{what}: {small}");
        match what {
            // 10 bytes per 64 KiB, in a vector that doubles
            "encrypt with side-car" | "verify" => assert!(large < small + 64 * 16 * 10 * 4),
            _ => assert_eq!(large, small, "{what}"),
        }
    }
    for ((what, small), (_, large)) in signal(MIB).into_iter().zip(signal(64 * MIB)) {
        println!("signal {what}: {small} bytes for 1 MiB, {large} for 64 MiB");
        assert!(small < 384 * 1024, "{what}: {small}");
        match what {
            // 32 bytes per 64 KiB
            "verify" => assert!(large < small + 64 * 17 * 32 * 4),
            // its chunks grow with the file, up to 2 MiB
            "stream" => assert!(large < small + 4 * 300 * 1024),
            _ => assert_eq!(large, small, "{what}"),
        }
    }
}
