//! What an operation changes, as one value.

use alloc::collections::BTreeMap;
use alloc::collections::btree_map::Entry;
use alloc::vec::Vec;
use core::fmt;

use rand_core::CryptoRng;
use zeroize::Zeroizing;

use super::RecordKey;
use crate::error::Error;

/// The revision that a change was made from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Expected {
    /// There is no such record.
    Absent,
    /// The record is at this revision.
    Revision(u64),
}

impl Expected {
    /// Whether a record's stored revision, `None` without a record, is the expected one.
    #[must_use]
    pub fn is_met_by(self, stored: Option<u64>) -> bool {
        match self {
            Self::Absent => stored.is_none(),
            Self::Revision(revision) => stored == Some(revision),
        }
    }
}

impl From<Option<u64>> for Expected {
    fn from(revision: Option<u64>) -> Self {
        revision.map_or(Self::Absent, Self::Revision)
    }
}

/// What becomes of a record once all expectations are met.
pub enum Write {
    /// It is replaced, or created.
    Put {
        /// The revision that the record will have.
        revision: u64,
        /// The bytes that the record will have. Wiped when dropped.
        bytes: Zeroizing<Vec<u8>>,
    },
    /// It is removed.
    Delete,
    /// Nothing: the change only states an expectation.
    Keep,
}

impl fmt::Debug for Write {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Put { revision, bytes } => {
                write!(f, "Put(revision {revision}, {} bytes)", bytes.len())
            }
            Self::Delete => f.write_str("Delete"),
            Self::Keep => f.write_str("Keep"),
        }
    }
}

/// One entry of a [`Changes`]: what is expected of a record, and what becomes of it.
#[derive(Debug)]
pub struct Change {
    expected: Expected,
    write: Write,
}

impl Change {
    /// The revision from which the change was made.
    #[must_use]
    pub const fn expected(&self) -> Expected {
        self.expected
    }

    /// What to do with the record.
    #[must_use]
    pub const fn write(&self) -> &Write {
        &self.write
    }
}

/// A set of changes that a [`Store`](super::Store) commits as a whole or not at all. One entry a record.
///
/// The new revision of every record is known before the commit: an update has the revision it was made
/// from plus one; a new record starts at a random revision below 2^62, so that a record that was
/// deleted and created anew does not meet an older revision again (chance 2^-62).
#[derive(Debug, Default)]
pub struct Changes {
    entries: BTreeMap<RecordKey, Change>,
}

impl Changes {
    /// The greatest revision that a record can have, `i64::MAX`.
    pub const LAST_REVISION: u64 = u64::MAX >> 1;

    /// No changes.
    #[must_use]
    pub const fn new() -> Self {
        Self { entries: BTreeMap::new() }
    }

    /// Creates a record that is expected not to exist. Draws 8 bytes, and returns the new revision.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidArgument`] if there is an entry for `key` already.
    pub fn create(
        &mut self,
        key: RecordKey,
        bytes: impl Into<Zeroizing<Vec<u8>>>,
        rng: &mut impl CryptoRng,
    ) -> Result<u64, Error> {
        // 1 ..= 2^62: zero is no revision, and two to the 62 updates are left.
        let revision = (rng.next_u64() >> 2).saturating_add(1);
        self.insert(key, Expected::Absent, Write::Put { revision, bytes: bytes.into() })?;
        Ok(revision)
    }

    /// Replaces the bytes of a record that is expected at `revision`. Returns the new revision.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidArgument`] if there is an entry for `key` already, or after the last revision.
    pub fn update(
        &mut self,
        key: RecordKey,
        revision: u64,
        bytes: impl Into<Zeroizing<Vec<u8>>>,
    ) -> Result<u64, Error> {
        let next = revision
            .checked_add(1)
            .filter(|&next| next <= Self::LAST_REVISION)
            .ok_or(Error::InvalidArgument)?;
        let write = Write::Put { revision: next, bytes: bytes.into() };
        self.insert(key, Expected::Revision(revision), write)?;
        Ok(next)
    }

    /// [`create`](Self::create) or [`update`](Self::update), as the revision that was loaded says.
    ///
    /// # Errors
    ///
    /// As theirs.
    pub fn put(
        &mut self,
        key: RecordKey,
        loaded: Option<u64>,
        bytes: impl Into<Zeroizing<Vec<u8>>>,
        rng: &mut impl CryptoRng,
    ) -> Result<u64, Error> {
        match loaded {
            None => self.create(key, bytes, rng),
            Some(revision) => self.update(key, revision, bytes),
        }
    }

    /// Removes a record that is expected at `revision`.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidArgument`] if there is an entry for `key` already.
    pub fn delete(&mut self, key: RecordKey, revision: u64) -> Result<(), Error> {
        self.insert(key, Expected::Revision(revision), Write::Delete)
    }

    /// Writes nothing, but lets the commit succeed only if the record is as expected: for what was
    /// read and decided upon.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidArgument`] if there is an entry for `key` already.
    pub fn require(&mut self, key: RecordKey, expected: impl Into<Expected>) -> Result<(), Error> {
        self.insert(key, expected.into(), Write::Keep)
    }

    /// Takes over all entries of `other`, for several operations in one commit.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidArgument`] if a record is in both; `self` is then as before.
    pub fn merge(&mut self, other: Self) -> Result<(), Error> {
        if other.entries.keys().any(|key| self.entries.contains_key(key)) {
            return Err(Error::InvalidArgument);
        }
        self.entries.extend(other.entries);
        Ok(())
    }

    /// The entry of a record.
    #[must_use]
    pub fn get(&self, key: &RecordKey) -> Option<&Change> {
        self.entries.get(key)
    }

    /// All entries, in the order of their keys.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&RecordKey, &Change)> {
        self.entries.iter()
    }

    /// The number of entries.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there are no entries.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The number of bytes in all records that are put.
    #[must_use]
    pub fn bytes_written(&self) -> usize {
        let sizes = self.entries.values().map(|change| match &change.write {
            Write::Put { bytes, .. } => bytes.len(),
            Write::Delete | Write::Keep => 0,
        });
        sizes.fold(0, usize::saturating_add)
    }

    /// Adds an entry as it is: for a store that wraps another, and keeps expectations and revisions.
    /// Operations use the methods above, which choose revisions that are safe.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidArgument`] if there is an entry for `key` already.
    pub fn insert(
        &mut self,
        key: RecordKey,
        expected: Expected,
        write: Write,
    ) -> Result<(), Error> {
        match self.entries.entry(key) {
            Entry::Vacant(place) => {
                place.insert(Change { expected, write });
                Ok(())
            }
            Entry::Occupied(_) => Err(Error::InvalidArgument),
        }
    }
}
