//! SHA-256 and SHA-512 (FIPS 180-4), and MD5 as the transfer check of a backup file (spec 24 §4).

use md5::Md5;
use sha2::{Digest, Sha256, Sha512};

/// `SHA-256(parts)`, where the parts are concatenated.
pub(crate) fn sha256(parts: &[&[u8]]) -> [u8; 32] {
    let mut hash = Sha256Stream::new();
    for part in parts {
        hash.update(part);
    }
    hash.finish()
}

/// `SHA-512(parts)`, where the parts are concatenated.
pub(crate) fn sha512(parts: &[&[u8]]) -> [u8; 64] {
    let mut hash = Sha512::new();
    for part in parts {
        hash.update(part);
    }
    hash.finalize().into()
}

/// SHA-256 over a stream.
#[derive(Clone)]
pub(crate) struct Sha256Stream(Sha256);

impl Sha256Stream {
    /// The hash of nothing yet.
    pub(crate) fn new() -> Self {
        Self(Sha256::new())
    }

    /// Absorbs `bytes`.
    pub(crate) fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// The hash of all that was absorbed.
    pub(crate) fn finish(self) -> [u8; 32] {
        self.0.finalize().into()
    }
}

/// MD5 over a stream. A checksum against damage in transfer, never a security check.
pub(crate) struct Md5Stream(Md5);

impl Md5Stream {
    /// The hash of nothing yet.
    pub(crate) fn new() -> Self {
        Self(Md5::new())
    }

    /// Absorbs `bytes`.
    pub(crate) fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// The hash of all that was absorbed.
    pub(crate) fn finish(self) -> [u8; 16] {
        self.0.finalize().into()
    }
}
