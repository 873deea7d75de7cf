//! One stored record.

use alloc::vec::Vec;
use core::fmt;

use zeroize::Zeroizing;

/// What a store holds under one key: bytes that only their owner understands, and a revision.
///
/// The bytes are wiped when the record is dropped, and `Debug` shows their number only.
pub struct Record {
    revision: u64,
    bytes: Zeroizing<Vec<u8>>,
}

impl Record {
    /// A record as a store read it back.
    #[must_use]
    pub fn new(revision: u64, bytes: impl Into<Zeroizing<Vec<u8>>>) -> Self {
        Self { revision, bytes: bytes.into() }
    }

    /// Which write made it. Never the same for two contents of one key.
    #[must_use]
    pub const fn revision(&self) -> u64 {
        self.revision
    }

    /// The bytes.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The bytes, still wiped when dropped.
    #[must_use]
    pub fn into_bytes(self) -> Zeroizing<Vec<u8>> {
        self.bytes
    }
}

impl fmt::Debug for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Record(revision {}, {} bytes)", self.revision, self.bytes.len())
    }
}
