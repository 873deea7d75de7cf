//! What to upload to the server next, and what it has (spec 02 §4).

use alloc::vec::Vec;

use rand_core::CryptoRng;

use super::ledger::{Batch, Ledger, Rotation};
use super::stored_keys::StoredKem;
use super::{Loaded, Operation, Own};
use crate::address::DeviceId;
use crate::error::Error;
use crate::keys::IdentityKey;
use crate::prekey::{
    BundleKemPreKey, BundlePreKey, BundleSignedPreKey, PreKey, PreKeyBundle, PreKeyId, SignedPreKey,
};
use crate::store::{Changes, RecordKey};
use crate::time::Timestamp;

/// What to upload to the server next. What it replaces there: the signed and the last-resort pre-key;
/// what it adds: one-time pre-keys.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Upload {
    /// The device's registration id.
    pub registration_id: u32,
    /// The account's identity key.
    pub identity_key: IdentityKey,
    /// The current signed pre-key, if the server does not have it yet.
    pub signed: Option<BundleSignedPreKey>,
    /// The current last-resort KEM pre-key, if the server does not have it yet.
    pub last_resort: Option<BundleKemPreKey>,
    /// One-time pre-keys.
    pub one_time: Vec<BundlePreKey>,
    /// One-time KEM pre-keys.
    pub one_time_kem: Vec<BundleKemPreKey>,
}

impl Upload {
    /// Whether there is nothing to upload.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.signed.is_none()
            && self.last_resort.is_none()
            && self.one_time.is_empty()
            && self.one_time_kem.is_empty()
    }

    /// The bundle that a server makes of this upload, with the one-time pre-keys at `index` as long as
    /// there are some; `None` without a signed pre-key. For tests, and for peers that meet without a
    /// server.
    #[must_use]
    pub fn bundle(&self, device: DeviceId, index: usize) -> Option<PreKeyBundle> {
        let kem = self.one_time_kem.get(index).or(self.last_resort.as_ref());
        Some(PreKeyBundle {
            registration_id: self.registration_id,
            device_id: device,
            identity_key: self.identity_key,
            signed_pre_key: self.signed.clone()?,
            pre_key: self.one_time.get(index).cloned(),
            kem_pre_key: kem.cloned(),
        })
    }
}

/// What the server does not have yet. Nothing is changed.
#[derive(Clone, Copy, Debug)]
pub struct PendingUpload;

impl PendingUpload {
    fn keys(ledger: &Ledger) -> Vec<RecordKey> {
        let mut keys = Vec::new();
        let fresh = |rotation: &Rotation| rotation.current().filter(|key| !key.uploaded).copied();
        keys.extend(fresh(&ledger.signed).map(|key| RecordKey::SignedPreKey(key.id)));
        keys.extend(fresh(&ledger.last_resort).map(|key| RecordKey::KemPreKey(key.id)));
        for batch in ledger.one_time.batches.iter().filter(|batch| !batch.uploaded) {
            keys.extend(batch.ids().map(RecordKey::PreKey));
        }
        for batch in ledger.one_time_kem.batches.iter().filter(|batch| !batch.uploaded) {
            keys.extend(batch.ids().map(RecordKey::KemPreKey));
        }
        keys
    }
}

impl Operation for PendingUpload {
    type Output = Upload;

    fn needs(&self, _own: &Own, loaded: &Loaded) -> Result<Vec<RecordKey>, Error> {
        let keys = loaded.snapshot().missing([RecordKey::PreKeyLedger]);
        if !keys.is_empty() {
            return Ok(keys);
        }
        let ledger: Ledger = loaded.read(&RecordKey::PreKeyLedger)?.unwrap_or_default();
        Ok(loaded.snapshot().missing(Self::keys(&ledger)))
    }

    fn run(
        &self,
        own: &Own,
        loaded: &mut Loaded,
        _now: Timestamp,
        _rng: &mut impl CryptoRng,
    ) -> Result<(Upload, Changes), Error> {
        let ledger: Ledger = loaded.read(&RecordKey::PreKeyLedger)?.unwrap_or_default();
        let mut upload = Upload {
            registration_id: own.local.registration_id(),
            identity_key: *own.local.identity().identity_key(),
            signed: None,
            last_resort: None,
            one_time: Vec::new(),
            one_time_kem: Vec::new(),
        };
        // A one-time pre-key that was used before the upload was confirmed is not there any more.
        for key in Self::keys(&ledger) {
            match key {
                RecordKey::SignedPreKey(id) => {
                    upload.signed = loaded.read::<SignedPreKey>(&key)?.map(|key| {
                        let public = *key.key_pair().public_key();
                        BundleSignedPreKey { id, key: public, signature: *key.signature() }
                    });
                }
                RecordKey::PreKey(id) => {
                    let key = loaded.read::<PreKey>(&key)?;
                    upload.one_time.extend(
                        key.map(|key| BundlePreKey { id, key: *key.key_pair().public_key() }),
                    );
                }
                RecordKey::KemPreKey(id) => {
                    let Some(StoredKem { key, one_time }) = loaded.read(&key)? else { continue };
                    let public = key.key_pair().public_key().clone();
                    let key = BundleKemPreKey { id, key: public, signature: *key.signature() };
                    if one_time {
                        upload.one_time_kem.push(key);
                    } else {
                        upload.last_resort = Some(key);
                    }
                }
                _ => {}
            }
        }
        Ok((upload, Changes::new()))
    }
}

/// Notes that the server has what `upload` says.
#[derive(Clone, Copy, Debug)]
pub struct ConfirmUpload<'a> {
    /// What was uploaded, as [`PendingUpload`] gave it.
    pub upload: &'a Upload,
}

impl Operation for ConfirmUpload<'_> {
    type Output = ();

    fn needs(&self, _own: &Own, loaded: &Loaded) -> Result<Vec<RecordKey>, Error> {
        Ok(loaded.snapshot().missing([RecordKey::PreKeyLedger]))
    }

    fn run(
        &self,
        _own: &Own,
        loaded: &mut Loaded,
        _now: Timestamp,
        rng: &mut impl CryptoRng,
    ) -> Result<((), Changes), Error> {
        let before: Ledger = loaded.read(&RecordKey::PreKeyLedger)?.unwrap_or_default();
        let mut ledger = before.clone();
        let signed = self.upload.signed.as_ref().map(|key| key.id);
        let last_resort = self.upload.last_resort.as_ref().map(|key| key.id);
        for (rotation, id) in [(&mut ledger.signed, signed), (&mut ledger.last_resort, last_resort)]
        {
            for key in rotation.keys.iter_mut().filter(|key| Some(key.id) == id) {
                key.uploaded = true;
            }
        }
        // An upload holds batches whole, less what was used; batches share no ids.
        let one_time = self.upload.one_time.iter().map(|key| key.id);
        mark(&mut ledger.one_time.batches, one_time);
        let one_time_kem = self.upload.one_time_kem.iter().map(|key| key.id);
        mark(&mut ledger.one_time_kem.batches, one_time_kem);
        let mut changes = Changes::new();
        if ledger != before {
            loaded.write(RecordKey::PreKeyLedger, &ledger, &mut changes, rng)?;
        }
        Ok(((), changes))
    }
}

/// Marks the batches that `ids` belong to as uploaded.
fn mark(batches: &mut [Batch], ids: impl Iterator<Item = PreKeyId>) {
    for id in ids {
        for batch in batches.iter_mut().filter(|batch| batch.contains(id)) {
            batch.uploaded = true;
        }
    }
}
