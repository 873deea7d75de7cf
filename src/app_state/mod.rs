//! Settings, contacts and chat flags of a WhatsApp account, shared among its own devices by encrypted
//! mutations that the server keeps ("syncd", spec 26).
//!
//! | file | what | specification |
//! |---|---|---|
//! | [`AppStateKeyId`] | which key: creating device and epoch | 26 §1 |
//! | [`AppStateKey`], [`MutationKeys`] | a key of the account and the five keys it gives | 26 §1 |
//! | [`KeyShare`], [`KeyRequest`] | the messages that carry keys between own devices | 26 §1 |
//! | [`Keyring`] | all keys that a device has, the active one, the next one | 26 §1 |
//! | [`Mutation`], [`SealedMutation`] | one change, in the clear and as the server has it | 26 §2 |
//! | [`LtHash`] | the sum over all values of a collection | 26 §3 |
//! | [`Patch`], [`CollectionSnapshot`], [`ExternalBlob`] | what the server sends | 26 §4 |
//! | [`CollectionName`], [`Collection`] | the state machine: one collection, one version after the other | 26 §3, §4 |
//! | [`StoredCollection`] | a collection in a [`Store`](crate::Store) | |
//!
//! # Receiving
//!
//! ```text
//! patch    = Patch::parse(bytes)                 with an external blob: download, patch.with_external(..)
//! keyring.missing(patch.key_ids())               ask own devices for these, keep the patch
//! stored   = StoredCollection::load(..)          the head, and the buckets of patch.index_macs()
//! (applied, changes) = stored.collection().apply(&patch, &keyring, &stored)
//! stored.save(&changes, ..); the app's rows      one commit
//! ```
//!
//! [`Collection::apply`] is a pure function; what it changes comes back as one value. State and
//! mutations belong into **one** commit: a state that is stored before its mutations, or two patches
//! applied at the same time, lose step with the other devices for good (spec 26 §5). A commit of
//! [`StoredCollection::save`] that lost such a race is a conflict.
//!
//! # What an error means
//!
//! | error | what to do |
//! |---|---|
//! | [`AppStateKeyMissing`](crate::Error::AppStateKeyMissing) | keep the patch, ask own devices for the keys, apply again |
//! | [`Outdated`](crate::Error::Outdated) | drop the patch |
//! | [`AppStatePatchMissing`](crate::Error::AppStatePatchMissing) | fetch the patches in between, or a snapshot |
//! | [`AppStateOutOfStep`](crate::Error::AppStateOutOfStep) | the patch is authentic, the own state is not what its sender had: fetch a snapshot |
//! | [`Rejected`](crate::Error::Rejected) | tampering: no device of the account made this |

mod collection;
mod external;
mod key;
mod key_id;
mod key_share;
mod keyring;
mod lt_hash;
mod macs;
mod mutation;
mod name;
mod patch;
mod sealed;
mod snapshot;
mod storage;

pub use collection::{Applied, Collection, CollectionChanges, ValueMacs, Warning};
pub use external::ExternalBlob;
pub use key::{AppStateKey, KeyFingerprint, MutationKeys};
pub use key_id::AppStateKeyId;
pub use key_share::{KeyRequest, KeyShare};
pub use keyring::Keyring;
pub use lt_hash::LtHash;
pub use macs::{patch_mac, snapshot_mac};
pub use mutation::{Mutation, Operation, index_json};
pub use name::CollectionName;
pub use patch::Patch;
pub use sealed::SealedMutation;
pub use snapshot::CollectionSnapshot;
pub use storage::StoredCollection;

/// The index of a mutation as the server sees it: `HMAC-SHA-256(indexKey, indexJSON)`.
pub type IndexMac = [u8; 32];
/// The MAC at the end of a mutation's value, which stands for the value in the [`LtHash`].
pub type ValueMac = [u8; 32];

/// The most mutations in one patch, inline or external.
pub const MAX_MUTATIONS: usize = 65_536;
/// The most records in one snapshot.
pub const MAX_RECORDS: usize = 1_048_576;
/// The longest index, in bytes of JSON.
pub const MAX_INDEX_LENGTH: usize = 16 * 1024;
/// The longest value blob, `iv || ciphertext || MAC`, in bytes.
pub const MAX_VALUE_LENGTH: usize = 1024 * 1024;
/// The most keys that one message carries or asks for, and the most of a [`Keyring`].
pub const MAX_KEYS: usize = 4096;
/// The most device indexes in a key's fingerprint.
pub const MAX_DEVICE_INDEXES: usize = 1024;
