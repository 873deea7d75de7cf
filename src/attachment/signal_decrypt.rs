//! Verifying and decrypting a file in the Signal format (spec 09 §2).

use alloc::vec::Vec;

use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use super::blocks::Tail;
use super::first_pass::FirstPass;
use super::incremental_mac::chunk;
use super::signal::{BLOB_MIN, MAC_LENGTH};
use super::{
    AttachmentKey, IncrementalCoverage, IncrementalDigest, IncrementalMac, IncrementalMacValidator,
    Transform,
};
use crate::crypto::cbc::{self, BLOCK, CbcDecryptor};
use crate::crypto::hash::Sha256Stream;
use crate::crypto::kdf::{HmacKey, HmacStream};
use crate::error::Error;
use crate::secret::Secret;

/// Chunk size of the notes that a first pass takes, in bytes.
const NOTES_CHUNK: u32 = 65_536;

/// The first of two passes over a blob whose message carries no incremental MAC: checks digest and
/// MAC of the whole, and notes an HMAC per 64 KiB for the second pass.
///
/// As a [`Transform`] it has no output.
pub struct AttachmentVerifier {
    pass: FirstPass<MAC_LENGTH>,
    notes: IncrementalMac,
    digest: [u8; 32],
}

/// A blob that was read once and found authentic: what the second pass needs.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct VerifiedAttachment {
    /// The verifier's own notes, over the whole blob.
    notes: IncrementalDigest,
    /// Length of the blob in bytes.
    pub blob_length: u64,
}

impl AttachmentVerifier {
    /// Starts a pass. `digest` is the SHA-256 of the blob, from the message.
    ///
    /// # Errors
    ///
    /// None at present.
    pub fn new(key: &AttachmentKey, digest: &[u8; 32]) -> Result<Self, Error> {
        let (_, mac_key) = key.halves();
        Ok(Self {
            pass: FirstPass::new(HmacKey::new(mac_key.expose()).stream()),
            notes: IncrementalMac::new(mac_key.expose(), NOTES_CHUNK)?,
            digest: *digest,
        })
    }
}

impl Transform for AttachmentVerifier {
    type Report = VerifiedAttachment;

    fn update(&mut self, input: &[u8], _output: &mut Vec<u8>) -> Result<(), Error> {
        self.pass.update(input, |piece| self.notes.update(piece))
    }

    fn finish(self, _output: &mut Vec<u8>) -> Result<VerifiedAttachment, Error> {
        let found = self.pass.finish()?;
        if found.length < BLOB_MIN || !found.length.is_multiple_of(16) {
            return Err(Error::Rejected);
        }
        let fits = found.computed.ct_eq(&found.mac) & found.hash.ct_eq(&self.digest);
        if !bool::from(fits) {
            return Err(Error::Rejected);
        }
        Ok(VerifiedAttachment { notes: self.notes.finish(), blob_length: found.length })
    }
}

/// Decrypts a blob chunk by chunk, each verified before its plaintext goes out.
///
/// Its memory is two chunks: at most 4 MiB, for chunk sizes as a sender infers them.
pub struct AttachmentDecryptor {
    validator: IncrementalMacValidator,
    coverage: IncrementalCoverage,
    chunk_size: usize,
    /// Bytes of the chunk that is being received.
    received: Vec<u8>,
    /// The MAC at the end, held back before or after validation, as the coverage says.
    tail: Tail<MAC_LENGTH>,
    body: Body,
    whole: Option<Whole>,
    failed: bool,
}

/// MAC and digest of the whole blob, which a sender's incremental MAC does not replace.
struct Whole {
    mac: HmacStream,
    blob: Sha256Stream,
    digest: [u8; 32],
}

/// What is known at the end of a decryption.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct AttachmentReport {
    /// Length of the plaintext in bytes, without the padding.
    pub size: u64,
}

impl AttachmentDecryptor {
    /// The largest chunk size that is accepted, 2 MiB: what a sender infers at most.
    pub const CHUNK_MAX: u32 = 2 * 1024 * 1024;

    /// Decrypts while the blob is being received, with the incremental MAC from the message. Digest
    /// and MAC of the whole are checked at the end as well. `size` is the true plaintext length.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidArgument`] for a chunk size of 0 or above [`CHUNK_MAX`](Self::CHUNK_MAX), or a
    /// digest list that is not a multiple of 32 bytes.
    pub fn streaming(
        key: &AttachmentKey,
        digest: &[u8; 32],
        incremental: IncrementalDigest,
        coverage: IncrementalCoverage,
        size: u64,
    ) -> Result<Self, Error> {
        if incremental.chunk_size > Self::CHUNK_MAX {
            return Err(Error::InvalidArgument);
        }
        let (_, mac_key) = key.halves();
        let whole = Whole {
            mac: HmacKey::new(mac_key.expose()).stream(),
            blob: Sha256Stream::new(),
            digest: *digest,
        };
        Self::start(key, incremental, coverage, size, Some(whole))
    }

    /// The second pass over a blob that an [`AttachmentVerifier`] has read.
    ///
    /// # Errors
    ///
    /// None at present.
    pub fn verified(
        key: &AttachmentKey,
        verified: VerifiedAttachment,
        size: u64,
    ) -> Result<Self, Error> {
        Self::start(key, verified.notes, IncrementalCoverage::WholeBlob, size, None)
    }

    fn start(
        key: &AttachmentKey,
        digest: IncrementalDigest,
        coverage: IncrementalCoverage,
        size: u64,
        whole: Option<Whole>,
    ) -> Result<Self, Error> {
        let (cipher_key, mac_key) = key.halves();
        let chunk_size = chunk(digest.chunk_size);
        Ok(Self {
            validator: IncrementalMacValidator::new(mac_key.expose(), digest)?,
            coverage,
            chunk_size,
            received: Vec::new(),
            tail: Tail::new(),
            body: Body::new(cipher_key, size),
            whole,
            failed: false,
        })
    }

    /// Collects validated chunks.
    fn receive(&mut self, mut input: &[u8], output: &mut Vec<u8>) -> Result<(), Error> {
        while !input.is_empty() {
            let room = self.chunk_size.saturating_sub(self.received.len());
            let (piece, rest) = input.split_at(room.min(input.len()));
            input = rest;
            self.received.extend_from_slice(piece);
            if self.received.len() == self.chunk_size {
                self.validator.update(&self.received)?;
                self.release(output)?;
            }
        }
        Ok(())
    }

    /// Decrypts what `received` holds; it is valid.
    fn release(&mut self, output: &mut Vec<u8>) -> Result<(), Error> {
        let (body, whole) = (&mut self.body, &mut self.whole);
        let mut result = Ok(());
        let mut take = |bytes: &[u8]| {
            if let Some(whole) = whole.as_mut() {
                whole.mac.update(bytes);
            }
            if result.is_ok() {
                result = body.update(bytes, output);
            }
        };
        match self.coverage {
            IncrementalCoverage::WholeBlob => self.tail.push(&self.received, take),
            IncrementalCoverage::WithoutMac => take(&self.received),
        }
        self.received.clear();
        result
    }

    fn take(&mut self, input: &[u8], output: &mut Vec<u8>) -> Result<(), Error> {
        if let Some(whole) = &mut self.whole {
            whole.blob.update(input);
        }
        match self.coverage {
            IncrementalCoverage::WholeBlob => self.receive(input, output),
            IncrementalCoverage::WithoutMac => {
                let mut body = Vec::with_capacity(input.len().saturating_add(MAC_LENGTH));
                self.tail.push(input, |bytes| body.extend_from_slice(bytes));
                self.receive(&body, output)
            }
        }
    }
}

impl Transform for AttachmentDecryptor {
    type Report = AttachmentReport;

    fn update(&mut self, input: &[u8], output: &mut Vec<u8>) -> Result<(), Error> {
        if self.failed {
            return Err(Error::Rejected);
        }
        let start = output.len();
        let result = self.take(input, output);
        if result.is_err() {
            self.failed = true;
            output.truncate(start);
        }
        result
    }

    fn finish(mut self, output: &mut Vec<u8>) -> Result<AttachmentReport, Error> {
        if self.failed {
            return Err(Error::Rejected);
        }
        let start = output.len();
        let result = self.end(output);
        if result.is_err() {
            output.truncate(start);
        }
        result
    }
}

impl AttachmentDecryptor {
    fn end(&mut self, output: &mut Vec<u8>) -> Result<AttachmentReport, Error> {
        // exactly one entry is left and fits
        self.validator.update(&self.received)?;
        self.validator.end()?;
        self.release(output)?;
        let mac = self.tail.get().ok_or(Error::Rejected)?;
        if let Some(whole) = self.whole.take() {
            let fits = whole.mac.finish().ct_eq(mac) & whole.blob.finish().ct_eq(&whole.digest);
            if !bool::from(fits) {
                return Err(Error::Rejected);
            }
        }
        self.body.finish(output)
    }
}

/// `IV || ct` on its way to the first `size` bytes of plaintext.
struct Body {
    key: Secret<32>,
    cipher: Option<CbcDecryptor>,
    /// Bytes that are not a whole block yet.
    pending: Vec<u8>,
    /// The last block: padding, if the stream ends here.
    held: Option<Secret<BLOCK>>,
    /// Plaintext bytes still to give out.
    missing: u64,
    size: u64,
}

impl Body {
    fn new(key: Secret<32>, size: u64) -> Self {
        let pending = Vec::with_capacity(BLOCK);
        Self { key, cipher: None, pending, held: None, missing: size, size }
    }

    fn update(&mut self, mut bytes: &[u8], output: &mut Vec<u8>) -> Result<(), Error> {
        if self.pending.len() < BLOCK && !self.pending.is_empty() || self.cipher.is_none() {
            let room = BLOCK.saturating_sub(self.pending.len());
            let (piece, rest) = bytes.split_at(room.min(bytes.len()));
            self.pending.extend_from_slice(piece);
            bytes = rest;
            let Some(block) = self.pending.first_chunk::<BLOCK>().copied() else {
                return Ok(());
            };
            self.pending.clear();
            if self.cipher.is_none() {
                // the blob begins with the IV
                self.cipher = Some(CbcDecryptor::new(&self.key, &block));
                return self.update(bytes, output);
            }
            self.blocks(&block, output)?;
        }
        let (blocks, rest) = bytes.as_chunks::<BLOCK>();
        self.blocks(blocks.as_flattened(), output)?;
        self.pending.extend_from_slice(rest);
        Ok(())
    }

    /// Decrypts whole blocks, keeping the last one back.
    fn blocks(&mut self, ciphertext: &[u8], output: &mut Vec<u8>) -> Result<(), Error> {
        if ciphertext.is_empty() {
            return Ok(());
        }
        let cipher = self.cipher.as_mut().ok_or(Error::Rejected)?;
        let start = output.len();
        output.reserve(ciphertext.len().saturating_add(BLOCK));
        if let Some(held) = self.held.take() {
            output.extend_from_slice(held.expose());
        }
        let fresh = output.len();
        output.extend_from_slice(ciphertext);
        if let Some(fresh) = output.get_mut(fresh..) {
            cipher.blocks(fresh);
        }
        let keep = output.len().saturating_sub(BLOCK);
        self.held = output.get(keep..).and_then(Secret::from_slice);
        output.truncate(keep);
        self.cut(start, output);
        Ok(())
    }

    /// Cuts the zero padding off what was appended since `start`.
    fn cut(&mut self, start: usize, output: &mut Vec<u8>) {
        let fresh = output.len().saturating_sub(start);
        let keep = usize::try_from(self.missing).unwrap_or(usize::MAX).min(fresh);
        output.truncate(start.saturating_add(keep));
        self.missing = self.missing.saturating_sub(u64::try_from(keep).unwrap_or(u64::MAX));
    }

    fn finish(&mut self, output: &mut Vec<u8>) -> Result<AttachmentReport, Error> {
        if !self.pending.is_empty() {
            return Err(Error::Rejected);
        }
        let held = self.held.take().ok_or(Error::Rejected)?;
        let padding = cbc::pkcs7_len(held.expose()).ok_or(Error::Rejected)?;
        let last = Zeroizing::new(*held.expose());
        let start = output.len();
        output.extend(last.iter().take(BLOCK.saturating_sub(padding)));
        self.cut(start, output);
        // the plaintext must be at least as long as the message says
        if self.missing > 0 {
            return Err(Error::Rejected);
        }
        Ok(AttachmentReport { size: self.size })
    }
}
