//! A snapshot: all of a collection at one version (spec 26 §4).

use alloc::vec::Vec;

use super::key::read_id;
use super::patch::{mac, read_version};
use super::{AppStateKeyId, MAX_RECORDS, Operation, SealedMutation};
use crate::error::Error;
use crate::wire::reader::Reader;
use crate::wire::writer;

/// A `SyncdSnapshot`, the content of a blob of the app-state kind; nothing in it is verified before
/// [`Collection::restore`](super::Collection::restore).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CollectionSnapshot {
    pub(super) version: u64,
    pub(super) records: Vec<SealedMutation>,
    pub(super) mac: [u8; 32],
    pub(super) key_id: AppStateKeyId,
}

impl CollectionSnapshot {
    /// Parses `SyncdSnapshot{version#1 {version#1}, records#2, mac#3, keyId#4}`.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidProtobuf`] when malformed, without version, MAC or key id, or beyond [`MAX_RECORDS`].
    pub fn parse(bytes: &[u8]) -> Result<Self, Error> {
        let (mut version, mut records, mut tag, mut key_id) = (None, Vec::new(), None, None);
        for field in Reader::new(bytes) {
            match field? {
                (1, value) => version = read_version(value.bytes()?)?,
                (2, value) => {
                    if records.len() >= MAX_RECORDS {
                        return Err(Error::InvalidProtobuf);
                    }
                    records.push(SealedMutation::read_record(Operation::Set, value.bytes()?)?);
                }
                (3, value) => tag = Some(mac(value.bytes()?)?),
                (4, value) => key_id = read_id(value.bytes()?)?,
                _ => {}
            }
        }
        Ok(Self {
            version: version.ok_or(Error::InvalidProtobuf)?,
            records,
            mac: tag.ok_or(Error::InvalidProtobuf)?,
            key_id: key_id.ok_or(Error::InvalidProtobuf)?,
        })
    }

    /// Writes it.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        writer::encode(|w| {
            w.message(1, |w| w.uint(1, self.version));
            self.records.iter().for_each(|record| w.message(2, |w| record.write_record(w)));
            w.bytes(3, &self.mac);
            w.message(4, |w| w.bytes(1, self.key_id.as_bytes()));
        })
    }

    /// The version.
    #[must_use]
    pub const fn version(&self) -> u64 {
        self.version
    }

    /// The records, all of them values that are set.
    #[must_use]
    pub fn records(&self) -> &[SealedMutation] {
        &self.records
    }

    /// The keys that it takes. An id may come more than once.
    pub fn key_ids(&self) -> impl Iterator<Item = &AppStateKeyId> {
        core::iter::once(&self.key_id).chain(self.records.iter().map(SealedMutation::key_id))
    }
}
