//! A store in memory.

use alloc::collections::BTreeMap;
use core::convert::Infallible;

use super::{Changes, CommitError, Record, RecordKey, Store, Write};

/// Records in memory: durable as long as the value lives. Wiped when dropped.
#[derive(Debug, Default)]
pub struct MemoryStore {
    records: BTreeMap<RecordKey, Record>,
}

impl MemoryStore {
    /// An empty store.
    #[must_use]
    pub const fn new() -> Self {
        Self { records: BTreeMap::new() }
    }

    /// A copy of all that is committed. Two copies that both go on use the same keys twice: for tests,
    /// and for backups of which one is ever used.
    #[must_use]
    pub fn snapshot(&self) -> Self {
        let copy =
            |record: &Record| Record::new(record.revision(), alloc::vec::Vec::from(record.bytes()));
        Self {
            records: self.records.iter().map(|(key, record)| (key.clone(), copy(record))).collect(),
        }
    }

    /// All records, in the order of their keys.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&RecordKey, &Record)> {
        self.records.iter()
    }

    /// The number of records.
    #[must_use]
    pub fn len(&self) -> usize {
        self.records.len()
    }

    /// Whether there are no records.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.records.is_empty()
    }
}

impl Store for MemoryStore {
    type Error = Infallible;

    fn load(&self, key: &RecordKey) -> Result<Option<Record>, Self::Error> {
        let copy = |record: &Record| Record::new(record.revision(), record.bytes().to_vec());
        Ok(self.records.get(key).map(copy))
    }

    fn commit(&mut self, changes: &Changes) -> Result<(), CommitError<Self::Error>> {
        // Compare all, then write all: nothing can fail in between.
        let is_met = |(key, change): (&RecordKey, &super::Change)| {
            change.expected().is_met_by(self.records.get(key).map(Record::revision))
        };
        if !changes.iter().all(is_met) {
            return Err(CommitError::Conflict);
        }
        for (key, change) in changes.iter() {
            match change.write() {
                Write::Put { revision, bytes } => {
                    let record = Record::new(*revision, bytes.to_vec());
                    self.records.insert(key.clone(), record);
                }
                Write::Delete => {
                    self.records.remove(key);
                }
                Write::Keep => {}
            }
        }
        Ok(())
    }
}
