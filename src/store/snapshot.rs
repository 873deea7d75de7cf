//! The records that an operation has been given.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use super::{Record, RecordKey};
use crate::error::Error;

/// What was loaded for an operation: some records, and of some others that there are none.
///
/// A record that was never loaded is told apart from one that does not exist.
#[derive(Debug, Default)]
pub struct Snapshot {
    records: BTreeMap<RecordKey, Option<Record>>,
}

impl Snapshot {
    /// Nothing loaded yet.
    #[must_use]
    pub const fn new() -> Self {
        Self { records: BTreeMap::new() }
    }

    /// Adds what the store answered for `key`: the record, or `None` if there is none.
    pub fn insert(&mut self, key: RecordKey, record: Option<Record>) {
        self.records.insert(key, record);
    }

    /// The record of `key`, or `None` if the store has none.
    ///
    /// # Errors
    ///
    /// [`Error::NotLoaded`] if `key` was never asked of the store.
    pub fn get(&self, key: &RecordKey) -> Result<Option<&Record>, Error> {
        self.records.get(key).map(Option::as_ref).ok_or(Error::NotLoaded)
    }

    /// The stored revision of `key`, or `None` if the store has no such record.
    ///
    /// # Errors
    ///
    /// [`Error::NotLoaded`] if `key` was never asked of the store.
    pub fn revision(&self, key: &RecordKey) -> Result<Option<u64>, Error> {
        self.get(key).map(|record| record.map(Record::revision))
    }

    /// Every key that was asked of the store, and the revision found, `None` without a record.
    pub fn iter(&self) -> impl Iterator<Item = (&RecordKey, Option<u64>)> {
        self.records.iter().map(|(key, record)| (key, record.as_ref().map(Record::revision)))
    }

    /// Whether nothing was asked of the store.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    /// Whether `key` was asked of the store.
    #[must_use]
    pub fn contains(&self, key: &RecordKey) -> bool {
        self.records.contains_key(key)
    }

    /// Those of `keys` that were not asked of the store yet.
    pub fn missing(&self, keys: impl IntoIterator<Item = RecordKey>) -> Vec<RecordKey> {
        keys.into_iter().filter(|key| !self.contains(key)).collect()
    }
}
