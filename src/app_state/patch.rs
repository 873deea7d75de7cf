//! A patch: the mutations that lead from one version of a collection to the next (spec 26 §4).

use alloc::vec::Vec;

use super::key::read_id;
use super::{AppStateKeyId, ExternalBlob, IndexMac, MAX_MUTATIONS, SealedMutation, ValueMac};
use crate::error::Error;
use crate::wire::reader::Reader;
use crate::wire::writer::{self, Writer};

/// A `SyncdPatch`, parsed; nothing in it is verified before [`Collection::apply`](super::Collection::apply).
#[derive(PartialEq, Eq, Debug)]
pub struct Patch {
    pub(super) version: u64,
    pub(super) mutations: Vec<SealedMutation>,
    pub(super) external: Option<ExternalBlob>,
    pub(super) snapshot_mac: [u8; 32],
    pub(super) patch_mac: [u8; 32],
    pub(super) key_id: AppStateKeyId,
    pub(super) device_index: Option<u32>,
}

impl Patch {
    /// Parses `SyncdPatch{version#1 {version#1}, mutations#2, externalMutations#3, snapshotMac#4, patchMac#5,
    /// keyId#6, deviceIndex#8}`.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidProtobuf`] when malformed, without version, snapshot MAC, patch MAC or key id, beyond
    /// [`MAX_MUTATIONS`], or with inline and external mutations at once.
    pub fn parse(bytes: &[u8]) -> Result<Self, Error> {
        let (mut version, mut mutations, mut external) = (None, Vec::new(), None);
        let (mut snapshot_mac, mut patch_mac, mut key_id) = (None, None, None);
        let mut device_index = None;
        for field in Reader::new(bytes) {
            match field? {
                (1, value) => version = read_version(value.bytes()?)?,
                (2, value) => push(&mut mutations, value.bytes()?)?,
                (3, value) => external = Some(ExternalBlob::parse(value.bytes()?)?),
                (4, value) => snapshot_mac = Some(mac(value.bytes()?)?),
                (5, value) => patch_mac = Some(mac(value.bytes()?)?),
                (6, value) => key_id = read_id(value.bytes()?)?,
                (8, value) => device_index = Some(value.uint32()?),
                _ => {}
            }
        }
        if external.is_some() && !mutations.is_empty() {
            return Err(Error::InvalidProtobuf);
        }
        Ok(Self {
            version: version.ok_or(Error::InvalidProtobuf)?,
            mutations,
            external,
            snapshot_mac: snapshot_mac.ok_or(Error::InvalidProtobuf)?,
            patch_mac: patch_mac.ok_or(Error::InvalidProtobuf)?,
            key_id: key_id.ok_or(Error::InvalidProtobuf)?,
            device_index,
        })
    }

    /// The patch with its external mutations: `mutations` is the decrypted blob that
    /// [`external`](Self::external) names, `SyncdMutations{mutations#1}`.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidProtobuf`] when malformed or beyond [`MAX_MUTATIONS`]; [`Error::InvalidArgument`] for a
    /// patch without external mutations.
    pub fn with_external(mut self, mutations: &[u8]) -> Result<Self, Error> {
        if self.external.is_none() {
            return Err(Error::InvalidArgument);
        }
        let mut list = Vec::new();
        for field in Reader::new(mutations) {
            if let (1, value) = field? {
                push(&mut list, value.bytes()?)?;
            }
        }
        self.mutations = list;
        self.external = None;
        Ok(self)
    }

    /// The mutations as `SyncdMutations{mutations#1}`, to be encrypted and uploaded where they are too many for
    /// the patch itself; [`make_external`](Self::make_external) then puts the reference in their place.
    #[must_use]
    pub fn mutations_blob(&self) -> Vec<u8> {
        writer::encode(|w| {
            self.mutations.iter().for_each(|mutation| w.message(1, |w| mutation.write(w)));
        })
    }

    /// Puts a reference in the place of the mutations.
    #[must_use]
    pub fn make_external(mut self, blob: ExternalBlob) -> Self {
        self.mutations = Vec::new();
        self.external = Some(blob);
        self
    }

    /// The patch with its version, as the server hands it on and [`parse`](Self::parse) reads it.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        writer::encode(|w| {
            w.message(1, |w| w.uint(1, self.version));
            self.write(w);
        })
    }

    /// The patch as a device uploads it: without the version, which the server gives it. (The MACs cover
    /// the one it must get.)
    #[must_use]
    pub fn encode_for_upload(&self) -> Vec<u8> {
        writer::encode(|w| self.write(w))
    }

    fn write(&self, w: &mut Writer<'_>) {
        self.mutations.iter().for_each(|mutation| w.message(2, |w| mutation.write(w)));
        w.bytes_option(3, self.external.as_ref().map(ExternalBlob::encode).as_deref());
        w.bytes(4, &self.snapshot_mac);
        w.bytes(5, &self.patch_mac);
        w.message(6, |w| w.bytes(1, self.key_id.as_bytes()));
        w.uint_option(8, self.device_index);
    }

    /// The version that it leads to.
    #[must_use]
    pub const fn version(&self) -> u64 {
        self.version
    }

    /// The mutations, in order. Empty while they are external.
    #[must_use]
    pub fn mutations(&self) -> &[SealedMutation] {
        &self.mutations
    }

    /// Where the mutations are, when they are not in the patch.
    #[must_use]
    pub const fn external(&self) -> Option<&ExternalBlob> {
        self.external.as_ref()
    }

    /// The MAC over the state that its sender had after it.
    #[must_use]
    pub const fn snapshot_mac(&self) -> &[u8; 32] {
        &self.snapshot_mac
    }

    /// The MAC over the patch.
    #[must_use]
    pub const fn patch_mac(&self) -> &[u8; 32] {
        &self.patch_mac
    }

    /// The key of the two MACs. Mutations may be under other keys.
    #[must_use]
    pub const fn key_id(&self) -> &AppStateKeyId {
        &self.key_id
    }

    /// The index of the device that made it. No MAC covers it.
    #[must_use]
    pub const fn device_index(&self) -> Option<u32> {
        self.device_index
    }

    /// The keys that applying it takes: its own, and those of the mutations. An id may come more than once.
    pub fn key_ids(&self) -> impl Iterator<Item = &AppStateKeyId> {
        core::iter::once(&self.key_id).chain(self.mutations.iter().map(SealedMutation::key_id))
    }

    /// The indexes whose stored value MACs applying it takes.
    pub fn index_macs(&self) -> impl Iterator<Item = &IndexMac> {
        self.mutations.iter().map(SealedMutation::index_mac)
    }

    pub(super) fn value_macs(&self) -> impl Iterator<Item = &ValueMac> {
        self.mutations.iter().map(SealedMutation::value_mac)
    }
}

fn push(mutations: &mut Vec<SealedMutation>, bytes: &[u8]) -> Result<(), Error> {
    if mutations.len() >= MAX_MUTATIONS {
        return Err(Error::InvalidProtobuf);
    }
    mutations.push(SealedMutation::read(bytes)?);
    Ok(())
}

/// Reads `SyncdVersion{version#1}`; an empty one is version 0.
pub(super) fn read_version(bytes: &[u8]) -> Result<Option<u64>, Error> {
    let mut version = 0;
    for field in Reader::new(bytes) {
        if let (1, value) = field? {
            version = value.uint64()?;
        }
    }
    Ok(Some(version))
}

pub(super) fn mac(bytes: &[u8]) -> Result<[u8; 32], Error> {
    bytes.try_into().map_err(|_| Error::InvalidProtobuf)
}
