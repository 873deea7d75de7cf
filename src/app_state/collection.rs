//! The state machine of one collection (spec 26 §3, §4): from version to version, patch by patch.
//!
//! Nothing here is stored or sent: what an operation changes comes back as one value.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use subtle::ConstantTimeEq;

use super::{
    AppStateKeyId, CollectionName, CollectionSnapshot, IndexMac, Keyring, LtHash, MAX_MUTATIONS,
    Mutation, Operation, Patch, SealedMutation, ValueMac, patch_mac, snapshot_mac,
};
use crate::error::Error;

/// The version of the head's encoding, its first byte.
const VERSION: u8 = 1;

/// The value MACs that a collection has stored, by index.
pub trait ValueMacs {
    /// The MAC of the value that `index` has now, `None` without one.
    ///
    /// # Errors
    ///
    /// [`Error::NotLoaded`], or another that ends the operation.
    fn get(&self, index: &IndexMac) -> Result<Option<ValueMac>, Error>;
}

impl ValueMacs for BTreeMap<IndexMac, ValueMac> {
    fn get(&self, index: &IndexMac) -> Result<Option<ValueMac>, Error> {
        Ok(Self::get(self, index).copied())
    }
}

/// The head of a collection: version and sum. The value MACs, which may be many, are the caller's.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Collection {
    name: CollectionName,
    version: u64,
    lt_hash: LtHash,
}

/// What came out of a patch or a snapshot.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Applied {
    /// The mutations, verified and decrypted, in order: for the app to carry out.
    pub mutations: Vec<Mutation>,
    /// What is odd, but not refused.
    pub warnings: Vec<Warning>,
}

/// Something odd that clients tolerate.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Warning {
    /// A removal of an index that has no value (spec 26 §3). Should the collection lose step later, a
    /// snapshot mends it.
    NothingToRemove {
        /// The index.
        index_mac: IndexMac,
    },
}

/// What an operation changes: to be stored as a whole, together with what the app does with the mutations.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CollectionChanges {
    /// The new head.
    pub collection: Collection,
    /// The value MACs that are new or, `None`, gone.
    pub value_macs: BTreeMap<IndexMac, Option<ValueMac>>,
    /// All value MACs that were stored before go first: a snapshot was taken.
    pub replaces_all: bool,
}

impl CollectionChanges {
    /// Carries the changes out on value MACs that are kept in memory.
    pub fn update(&self, value_macs: &mut BTreeMap<IndexMac, ValueMac>) {
        if self.replaces_all {
            value_macs.clear();
        }
        for (index, value) in &self.value_macs {
            match value {
                Some(value) => value_macs.insert(*index, *value),
                None => value_macs.remove(index),
            };
        }
    }
}

impl Collection {
    /// Length of [`encode`](Self::encode) in bytes.
    pub const ENCODED_LENGTH: usize = 1 + 8 + LtHash::LENGTH;

    /// An empty collection, version 0.
    #[must_use]
    pub const fn new(name: CollectionName) -> Self {
        Self { name, version: 0, lt_hash: LtHash::new() }
    }

    /// Its name.
    #[must_use]
    pub const fn name(&self) -> CollectionName {
        self.name
    }

    /// The version.
    #[must_use]
    pub const fn version(&self) -> u64 {
        self.version
    }

    /// The sum of all its values.
    #[must_use]
    pub const fn lt_hash(&self) -> &LtHash {
        &self.lt_hash
    }

    /// Verifies a patch, decrypts it and computes the next version. `value_macs` must know the indexes that
    /// [`Patch::index_macs`] names.
    ///
    /// # Errors
    ///
    /// In this order, each leaving everything as it was:
    ///
    /// * [`Error::NotLoaded`]: its external mutations were not [added](Patch::with_external).
    /// * [`Error::Outdated`]: it leads to the stored version or an earlier one. Drop it.
    /// * [`Error::AppStatePatchMissing`]: it leads further than to the next version.
    /// * [`Error::AppStateKeyMissing`]: one of [`Patch::key_ids`] is not in `keyring`.
    /// * [`Error::Rejected`]: the patch's MAC, a value's MAC or an index does not fit.
    /// * [`Error::InvalidProtobuf`]: an authentic mutation is malformed.
    /// * [`Error::AppStateOutOfStep`]: the patch is authentic, but the state is not its sender's.
    /// * Those of `value_macs`.
    pub fn apply(
        &self,
        patch: &Patch,
        keyring: &Keyring,
        value_macs: &impl ValueMacs,
    ) -> Result<(Applied, CollectionChanges), Error> {
        if patch.external().is_some() {
            return Err(Error::NotLoaded);
        }
        // the version of a patch is the stored one + 1
        if patch.version <= self.version {
            return Err(Error::Outdated);
        }
        if self.version.checked_add(1) != Some(patch.version) {
            return Err(Error::AppStatePatchMissing);
        }
        let keys = require_all(keyring, &patch.key_id, &patch.mutations)?.keys();
        // patchMac = HMAC(patchMacKey, snapshotMac || valueMacs || version || name): a failure is tampering
        let expected =
            patch_mac(keys, &patch.snapshot_mac, patch.value_macs(), patch.version, self.name);
        if !bool::from(expected.ct_eq(&patch.patch_mac)) {
            return Err(Error::Rejected);
        }
        let mutations = open_all(keyring, &patch.mutations)?;
        let (lt_hash, value_macs, warnings) =
            sum(self.lt_hash.clone(), &patch.mutations, value_macs)?;
        // snapshotMac over the state after it: a failure is ours
        let expected = snapshot_mac(keys, &lt_hash, patch.version, self.name);
        if !bool::from(expected.ct_eq(&patch.snapshot_mac)) {
            return Err(Error::AppStateOutOfStep);
        }
        let collection = Self { name: self.name, version: patch.version, lt_hash };
        let changes = CollectionChanges { collection, value_macs, replaces_all: false };
        Ok((Applied { mutations, warnings }, changes))
    }

    /// Verifies a snapshot, decrypts it and starts again from it. Everything that the app has of the
    /// collection and that is not in the snapshot is gone.
    ///
    /// # Errors
    ///
    /// [`Error::Outdated`] for a version before the stored one: the server cannot turn the state back.
    /// [`Error::AppStateKeyMissing`] when one of [`CollectionSnapshot::key_ids`] is not in `keyring`;
    /// [`Error::Rejected`] when a MAC or an index does not fit; [`Error::InvalidProtobuf`] when an authentic
    /// record is malformed.
    pub fn restore(
        &self,
        snapshot: &CollectionSnapshot,
        keyring: &Keyring,
    ) -> Result<(Applied, CollectionChanges), Error> {
        if snapshot.version < self.version {
            return Err(Error::Outdated);
        }
        let keys = require_all(keyring, &snapshot.key_id, &snapshot.records)?.keys();
        // records are all SETs, from a zero state; mac = snapshotMac
        let (lt_hash, value_macs, warnings) =
            sum(LtHash::new(), &snapshot.records, &BTreeMap::new())?;
        let expected = snapshot_mac(keys, &lt_hash, snapshot.version, self.name);
        if !bool::from(expected.ct_eq(&snapshot.mac)) {
            return Err(Error::Rejected);
        }
        let mutations = open_all(keyring, &snapshot.records)?;
        let collection = Self { name: self.name, version: snapshot.version, lt_hash };
        let changes = CollectionChanges { collection, value_macs, replaces_all: true };
        Ok((Applied { mutations, warnings }, changes))
    }

    /// Makes the patch to the next version out of mutations that were [sealed](Mutation::seal), under the
    /// active key of `keyring`. `value_macs` must know their indexes.
    ///
    /// Store the changes when the server has accepted the patch. Where it has a patch of another device
    /// for the same version, drop them, apply that one, and make this anew.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidArgument`] for no mutations or more than [`MAX_MUTATIONS`];
    /// [`Error::AppStateKeyMissing`] without an active key, or when one of the mutations' keys is not in
    /// `keyring`; [`Error::Rejected`] for a mutation that does not open; [`Error::ChainExhausted`] after the
    /// last version; those of `value_macs`.
    pub fn patch(
        &self,
        mutations: Vec<SealedMutation>,
        keyring: &Keyring,
        value_macs: &impl ValueMacs,
    ) -> Result<(Patch, Applied, CollectionChanges), Error> {
        if mutations.is_empty() || mutations.len() > MAX_MUTATIONS {
            return Err(Error::InvalidArgument);
        }
        let version = self.version.checked_add(1).ok_or(Error::ChainExhausted)?;
        let active = keyring.active().ok_or(Error::AppStateKeyMissing)?;
        let keys = require_all(keyring, active.id(), &mutations)?.keys();
        let opened = open_all(keyring, &mutations)?;
        let (lt_hash, value_macs, warnings) = sum(self.lt_hash.clone(), &mutations, value_macs)?;
        let snapshot_mac = snapshot_mac(keys, &lt_hash, version, self.name);
        let macs = mutations.iter().map(SealedMutation::value_mac);
        let patch_mac = patch_mac(keys, &snapshot_mac, macs, version, self.name);
        let patch = Patch {
            version,
            mutations,
            external: None,
            snapshot_mac,
            patch_mac,
            key_id: active.id().clone(),
            device_index: None,
        };
        let collection = Self { name: self.name, version, lt_hash };
        let changes = CollectionChanges { collection, value_macs, replaces_all: false };
        Ok((patch, Applied { mutations: opened, warnings }, changes))
    }

    /// The stored form: a version byte, the collection's version (u64 BE), the 128 bytes of the sum. The name
    /// is the record's.
    #[must_use]
    pub fn encode(&self) -> [u8; Self::ENCODED_LENGTH] {
        let mut out = [0; Self::ENCODED_LENGTH];
        let bytes = core::iter::once(VERSION)
            .chain(self.version.to_be_bytes())
            .chain(self.lt_hash.to_bytes());
        out.iter_mut().zip(bytes).for_each(|(to, byte)| *to = byte);
        out
    }

    /// Reads [`encode`](Self::encode) back.
    ///
    /// # Errors
    ///
    /// [`Error::FutureRecord`] for a later version of the encoding, [`Error::InvalidState`] for anything else.
    pub fn decode(name: CollectionName, bytes: &[u8]) -> Result<Self, Error> {
        let rest = match bytes.split_first() {
            Some((&VERSION, rest)) => rest,
            Some((&version, _)) if version > VERSION => return Err(Error::FutureRecord(version)),
            _ => return Err(Error::InvalidState),
        };
        let (version, sum) = rest.split_first_chunk::<8>().ok_or(Error::InvalidState)?;
        let sum: &[u8; LtHash::LENGTH] = sum.try_into().map_err(|_| Error::InvalidState)?;
        Ok(Self { name, version: u64::from_be_bytes(*version), lt_hash: LtHash::from_bytes(sum) })
    }
}

/// The key of the MACs, after checking that every mutation's key is there as well.
fn require_all<'k>(
    keyring: &'k Keyring,
    id: &AppStateKeyId,
    mutations: &[SealedMutation],
) -> Result<&'k super::AppStateKey, Error> {
    let key = keyring.require(id)?;
    for mutation in mutations {
        keyring.require(mutation.key_id())?;
    }
    Ok(key)
}

fn open_all(keyring: &Keyring, mutations: &[SealedMutation]) -> Result<Vec<Mutation>, Error> {
    mutations.iter().map(|mutation| mutation.open(keyring.require(mutation.key_id())?)).collect()
}

/// The sum after `mutations`, the value MACs that they change, and what is odd.
#[allow(clippy::type_complexity)]
fn sum(
    mut lt_hash: LtHash,
    mutations: &[SealedMutation],
    stored: &impl ValueMacs,
) -> Result<(LtHash, BTreeMap<IndexMac, Option<ValueMac>>, Vec<Warning>), Error> {
    let mut changed: BTreeMap<IndexMac, Option<ValueMac>> = BTreeMap::new();
    let mut warnings = Vec::new();
    for mutation in mutations {
        let index = mutation.index_mac();
        // the previous value: an earlier one of the same patch, or the stored one
        let previous = match changed.get(index) {
            Some(previous) => *previous,
            None => stored.get(index)?,
        };
        if let Some(previous) = &previous {
            lt_hash.subtract(previous);
        }
        match mutation.operation() {
            Operation::Set => {
                lt_hash.add(mutation.value_mac());
                changed.insert(*index, Some(*mutation.value_mac()));
            }
            Operation::Remove => {
                if previous.is_none() {
                    warnings.push(Warning::NothingToRemove { index_mac: *index });
                }
                changed.insert(*index, None);
            }
        }
    }
    Ok((lt_hash, changed, warnings))
}
