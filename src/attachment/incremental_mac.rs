//! Incremental MAC (spec 09 §1): verifying a long stream while it is being received.

use alloc::vec::Vec;

use subtle::ConstantTimeEq;

use crate::crypto::kdf::{HmacKey, HmacStream};
use crate::error::Error;

/// Length of one entry, an HMAC-SHA-256, in bytes.
pub(super) const ENTRY: usize = 32;

/// The chunk size for `data_size` bytes of data (spec 09 §1): 64 KiB, then as large as keeps the
/// digest at 256 entries, and 2 MiB at most.
#[must_use]
pub const fn incremental_mac_chunk_size(data_size: u64) -> u32 {
    const ENTRIES: u64 = 256;
    const MIN: u32 = 65_536;
    const MAX: u32 = 2 * 1024 * 1024;
    const SMALL: u64 = 16 * 1024 * 1024; // ENTRIES * MIN
    const LARGE: u64 = 512 * 1024 * 1024; // ENTRIES * MAX
    if data_size < SMALL {
        MIN
    } else if data_size < LARGE {
        // below 2 MiB by the condition
        #[allow(clippy::cast_possible_truncation)]
        let size = data_size.div_ceil(ENTRIES) as u32;
        size
    } else {
        MAX
    }
}

/// The digest list of a stream, and the chunk size it belongs to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct IncrementalDigest {
    /// Bytes of data per entry.
    pub chunk_size: u32,
    /// The entries, 32 bytes each.
    pub entries: Vec<u8>,
}

/// Makes the digest of a stream.
pub struct IncrementalMac {
    mac: HmacStream,
    chunk_size: u32,
    filled: usize,
    entries: Vec<u8>,
}

impl IncrementalMac {
    /// Starts a stream under `key`, with an entry for every `chunk_size` bytes.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidArgument`] for a chunk size of 0.
    pub fn new(key: &[u8], chunk_size: u32) -> Result<Self, Error> {
        check_chunk(chunk_size)?;
        let mac = HmacKey::new(key).stream();
        Ok(Self { mac, chunk_size, filled: 0, entries: Vec::new() })
    }

    /// Takes the next bytes.
    pub fn update(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let room = chunk(self.chunk_size).saturating_sub(self.filled);
            let (piece, rest) = bytes.split_at(room.min(bytes.len()));
            bytes = rest;
            self.mac.update(piece);
            self.filled = self.filled.saturating_add(piece.len());
            if self.filled == chunk(self.chunk_size) {
                // the running HMAC of all bytes so far, not reset
                self.entries.extend_from_slice(&self.mac.current());
                self.filled = 0;
            }
        }
    }

    /// The digest; its last entry is the HMAC of the whole stream.
    #[must_use]
    pub fn finish(mut self) -> IncrementalDigest {
        self.entries.extend_from_slice(&self.mac.finish());
        IncrementalDigest { chunk_size: self.chunk_size, entries: self.entries }
    }
}

/// Checks a stream against its digest as it arrives.
///
/// Bytes of an incomplete chunk must be withheld from the application until they are valid.
pub struct IncrementalMacValidator {
    mac: HmacStream,
    chunk_size: u32,
    filled: usize,
    entries: Vec<u8>,
    next: usize,
    failed: bool,
}

impl IncrementalMacValidator {
    /// Starts a stream under `key`.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidArgument`] for a chunk size of 0 or a digest that is not a multiple of 32 bytes.
    pub fn new(key: &[u8], digest: IncrementalDigest) -> Result<Self, Error> {
        check_chunk(digest.chunk_size)?;
        if !digest.entries.len().is_multiple_of(ENTRY) {
            return Err(Error::InvalidArgument);
        }
        Ok(Self {
            mac: HmacKey::new(key).stream(),
            chunk_size: digest.chunk_size,
            filled: 0,
            entries: digest.entries,
            next: 0,
            failed: false,
        })
    }

    /// Takes the next bytes and returns how many became valid: whole chunks.
    ///
    /// # Errors
    ///
    /// [`Error::Rejected`] at a chunk that does not fit or is one too many, and at every call after it.
    pub fn update(&mut self, mut bytes: &[u8]) -> Result<u64, Error> {
        let mut valid: u64 = 0;
        while !bytes.is_empty() && !self.failed {
            let room = chunk(self.chunk_size).saturating_sub(self.filled);
            let (piece, rest) = bytes.split_at(room.min(bytes.len()));
            bytes = rest;
            self.mac.update(piece);
            self.filled = self.filled.saturating_add(piece.len());
            if self.filled == chunk(self.chunk_size) {
                let current = self.mac.current();
                self.failed = !self.expect(&current);
                self.filled = 0;
                valid = valid.saturating_add(u64::from(self.chunk_size));
            }
        }
        if self.failed { Err(Error::Rejected) } else { Ok(valid) }
    }

    /// Ends the stream and returns how many bytes of the last, partial chunk became valid.
    ///
    /// # Errors
    ///
    /// [`Error::Rejected`] unless exactly one entry is left and fits.
    pub fn finish(mut self) -> Result<u64, Error> {
        self.end()
    }

    pub(super) fn end(&mut self) -> Result<u64, Error> {
        let last = self.mac.clone().finish();
        let fits = self.expect(&last);
        if self.failed || !fits || self.next != self.entries.len() / ENTRY {
            return Err(Error::Rejected);
        }
        u64::try_from(self.filled).map_err(|_| Error::Rejected)
    }

    /// Compares the next entry in constant time.
    fn expect(&mut self, current: &[u8; ENTRY]) -> bool {
        let entry = self.entries.as_chunks::<ENTRY>().0.get(self.next);
        self.next = self.next.saturating_add(1);
        entry.is_some_and(|entry| bool::from(entry.ct_eq(current)))
    }
}

fn check_chunk(chunk_size: u32) -> Result<(), Error> {
    if chunk_size == 0 { Err(Error::InvalidArgument) } else { Ok(()) }
}

/// A chunk size as a length; it saturates where `usize` is below 32 bits.
pub(super) fn chunk(chunk_size: u32) -> usize {
    usize::try_from(chunk_size).unwrap_or(usize::MAX)
}
