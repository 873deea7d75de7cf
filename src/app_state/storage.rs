//! A collection in a [`Store`](crate::Store): its head, and its value MACs spread over 256 records by the first
//! byte of their index.
//!
//! All are records of the application ([`RecordKey::Application`]) whose names begin with
//! `sandi/app_state/`, so that they can be committed together with the app's own:
//!
//! | record | bytes |
//! |---|---|
//! | `sandi/app_state/NAME` | [`Collection::encode`] |
//! | `sandi/app_state/NAME/b`, `b` one byte | version (1), then `index MAC (32) || value MAC (32)`, indexes ascending |

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;

use rand_core::CryptoRng;
use zeroize::Zeroizing;

use super::{Collection, CollectionChanges, CollectionName, IndexMac, ValueMac, ValueMacs};
use crate::error::Error;
use crate::store::{Changes, Record, RecordKey, Snapshot};

/// The version of a bucket's encoding, its first byte.
const VERSION: u8 = 1;

/// A collection as it was loaded, with those of its value MACs that were loaded.
#[derive(Debug)]
pub struct StoredCollection {
    collection: Collection,
    revision: Option<u64>,
    buckets: BTreeMap<u8, Bucket>,
}

#[derive(Debug, Default)]
struct Bucket {
    revision: Option<u64>,
    value_macs: BTreeMap<IndexMac, ValueMac>,
}

impl StoredCollection {
    /// What a patch with these indexes needs ([`Patch::index_macs`](super::Patch::index_macs)).
    #[must_use]
    pub fn needs<'a>(
        name: CollectionName,
        indexes: impl IntoIterator<Item = &'a IndexMac>,
    ) -> Vec<RecordKey> {
        let buckets: BTreeSet<u8> = indexes.into_iter().map(bucket_of).collect();
        let buckets = buckets.into_iter().map(|bucket| bucket_key(name, bucket));
        core::iter::once(head_key(name)).chain(buckets).collect()
    }

    /// What a snapshot needs: everything.
    #[must_use]
    pub fn needs_all(name: CollectionName) -> Vec<RecordKey> {
        let buckets = (0..=u8::MAX).map(|bucket| bucket_key(name, bucket));
        core::iter::once(head_key(name)).chain(buckets).collect()
    }

    /// Takes what was loaded. A collection that is not in the store is new.
    ///
    /// # Errors
    ///
    /// [`Error::NotLoaded`] without the head; [`Error::FutureRecord`] and [`Error::InvalidState`] for records
    /// that cannot be read. A collection that is corrupt can be had anew: delete its records, fetch a snapshot.
    pub fn load(name: CollectionName, snapshot: &Snapshot) -> Result<Self, Error> {
        let head = snapshot.get(&head_key(name))?;
        let collection = match head {
            Some(record) => Collection::decode(name, record.bytes())?,
            None => Collection::new(name),
        };
        let mut buckets = BTreeMap::new();
        for bucket in 0..=u8::MAX {
            let key = bucket_key(name, bucket);
            if snapshot.contains(&key) {
                buckets.insert(bucket, Bucket::load(bucket, snapshot.get(&key)?)?);
            }
        }
        Ok(Self { collection, revision: head.map(Record::revision), buckets })
    }

    /// The head.
    #[must_use]
    pub const fn collection(&self) -> &Collection {
        &self.collection
    }

    /// Adds `changes`, which an operation on [`collection`](Self::collection) gave, to `out`; draws 8 bytes for
    /// every new record. The app adds its own records and commits. This value is used up: load again.
    ///
    /// Of two that were loaded at the same version only one can be committed; the other is a
    /// [`Conflict`](crate::CommitError::Conflict).
    ///
    /// # Errors
    ///
    /// [`Error::NotLoaded`] when a bucket that changes was not loaded; [`Error::InvalidArgument`] when `out` has
    /// an entry for one of the records already. `out` is unchanged then.
    pub fn save(
        mut self,
        changes: &CollectionChanges,
        out: &mut Changes,
        rng: &mut impl CryptoRng,
    ) -> Result<(), Error> {
        let name = self.collection.name();
        let mut touched: BTreeSet<u8> = changes.value_macs.keys().map(bucket_of).collect();
        if changes.replaces_all {
            touched.extend(0..=u8::MAX);
        }
        let mut mine = Changes::new();
        let head = changes.collection.encode().to_vec();
        mine.put(head_key(name), self.revision, head, rng)?;
        for bucket in &touched {
            let stored = self.buckets.get_mut(bucket).ok_or(Error::NotLoaded)?;
            if changes.replaces_all {
                stored.value_macs.clear();
            }
        }
        for (index, value) in &changes.value_macs {
            let stored = self.buckets.get_mut(&bucket_of(index)).ok_or(Error::NotLoaded)?;
            match value {
                Some(value) => stored.value_macs.insert(*index, *value),
                None => stored.value_macs.remove(index),
            };
        }
        for bucket in touched {
            let stored = self.buckets.get(&bucket).ok_or(Error::NotLoaded)?;
            let key = bucket_key(name, bucket);
            match (stored.value_macs.is_empty(), stored.revision) {
                (true, Some(revision)) => mine.delete(key, revision)?,
                (true, None) => mine.require(key, None)?,
                (false, revision) => {
                    mine.put(key, revision, stored.encode(), rng)?;
                }
            }
        }
        out.merge(mine)
    }
}

impl ValueMacs for StoredCollection {
    fn get(&self, index: &IndexMac) -> Result<Option<ValueMac>, Error> {
        let bucket = self.buckets.get(&bucket_of(index)).ok_or(Error::NotLoaded)?;
        Ok(bucket.value_macs.get(index).copied())
    }
}

impl Bucket {
    fn load(bucket: u8, record: Option<&Record>) -> Result<Self, Error> {
        let Some(record) = record else { return Ok(Self::default()) };
        let entries = match record.bytes().split_first() {
            Some((&VERSION, entries)) => entries,
            Some((&version, _)) if version > VERSION => return Err(Error::FutureRecord(version)),
            _ => return Err(Error::InvalidState),
        };
        let (entries, []) = entries.as_chunks::<64>() else { return Err(Error::InvalidState) };
        let mut value_macs: BTreeMap<IndexMac, ValueMac> = BTreeMap::new();
        for entry in entries {
            let ([index, value], []) = entry.as_chunks::<32>() else {
                return Err(Error::InvalidState);
            };
            let ascends = value_macs.last_key_value().is_none_or(|(last, _)| last < index);
            if !ascends || bucket_of(index) != bucket {
                return Err(Error::InvalidState);
            }
            value_macs.insert(*index, *value);
        }
        // there is one encoding: an empty bucket has no record
        if value_macs.is_empty() {
            return Err(Error::InvalidState);
        }
        Ok(Self { revision: Some(record.revision()), value_macs })
    }

    fn encode(&self) -> Zeroizing<Vec<u8>> {
        let length = self.value_macs.len().saturating_mul(64).saturating_add(1);
        let mut out = Zeroizing::new(Vec::with_capacity(length));
        out.push(VERSION);
        for (index, value) in &self.value_macs {
            out.extend_from_slice(index);
            out.extend_from_slice(value);
        }
        out
    }
}

const fn bucket_of(index: &IndexMac) -> u8 {
    let [bucket, ..] = *index;
    bucket
}

fn head_key(name: CollectionName) -> RecordKey {
    RecordKey::Application([b"sandi/app_state/", name.as_str().as_bytes()].concat().into())
}

fn bucket_key(name: CollectionName, bucket: u8) -> RecordKey {
    let parts: [&[u8]; 4] = [b"sandi/app_state/", name.as_str().as_bytes(), b"/", &[bucket]];
    RecordKey::Application(parts.concat().into())
}
