//! Making and retiring the device's own pre-keys (spec 02 §1).

use alloc::vec::Vec;

use rand_core::CryptoRng;

use super::ledger::{
    ALL_IDS, BATCH_MAX, Batch, Batches, LAST_RESORT_IDS, Ledger, ONE_TIME_KEM_IDS, Range, Rotated,
    Rotation,
};
use super::record::Stored;
use super::stored_keys::encode_kem;
use super::used_keys::{REPLAY_BUCKETS, replay_key};
use super::{Loaded, Operation, Own};
use crate::error::Error;
use crate::prekey::{KemPreKey, PreKey, PreKeyId, SignedPreKey};
use crate::store::{Changes, RecordKey};
use crate::time::Timestamp;

/// How many of this device's one-time pre-keys the server still has, as it last said.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct ServerStock {
    /// One-time pre-keys.
    pub one_time: u32,
    /// One-time KEM pre-keys.
    pub one_time_kem: u32,
}

/// Brings the device's pre-keys up to date: makes what is missing or too old, and deletes what nobody
/// can need any more. To be carried out when a device is created, and then about once a day and whenever
/// the server's stock runs low.
///
/// New keys are stored before they are given out: what to upload is then for
/// [`PendingUpload`](super::PendingUpload) to say, now and after any crash, until
/// [`ConfirmUpload`](super::ConfirmUpload).
#[derive(Clone, Copy, Debug)]
pub struct Replenish {
    /// What the server still has.
    pub stock: ServerStock,
}

impl Replenish {
    /// Records of keys that will be deleted.
    fn expired(own: &Own, ledger: &Ledger, now: Timestamp) -> Vec<RecordKey> {
        let plan = &own.options.pre_keys;
        let mut keys = Vec::new();
        let signed = ledger.signed.expired(now, plan);
        let last_resort = ledger.last_resort.expired(now, plan);
        // what an expired key has met, together with any other
        for kem in &ledger.last_resort.keys {
            for other in &ledger.signed.keys {
                if last_resort.contains(&kem.id) || signed.contains(&other.id) {
                    keys.extend((0..REPLAY_BUCKETS).map(|b| replay_key(kem.id, other.id, b)));
                }
            }
        }
        keys.extend(signed.into_iter().map(RecordKey::SignedPreKey));
        keys.extend(last_resort.into_iter().map(RecordKey::KemPreKey));
        for batch in ledger.one_time.batches.iter().take(ledger.one_time.expired(now, plan)) {
            keys.extend(batch.ids().map(RecordKey::PreKey));
        }
        let kem = &ledger.one_time_kem;
        for batch in kem.batches.iter().take(kem.expired(now, plan)) {
            keys.extend(batch.ids().map(RecordKey::KemPreKey));
        }
        keys
    }
}

impl Operation for Replenish {
    type Output = ();

    fn needs(&self, own: &Own, loaded: &Loaded) -> Result<Vec<RecordKey>, Error> {
        let keys = loaded.snapshot().missing([RecordKey::PreKeyLedger]);
        if !keys.is_empty() {
            return Ok(keys);
        }
        let ledger: Ledger = loaded.read(&RecordKey::PreKeyLedger)?.unwrap_or_default();
        // All that can expire at any time: the time is not known yet. And what is on its way to the server.
        let mut all = Self::expired(own, &ledger, Timestamp(u64::MAX));
        all.extend(ledger.one_time.pending_ids().map(RecordKey::PreKey));
        all.extend(ledger.one_time_kem.pending_ids().map(RecordKey::KemPreKey));
        all.sort_unstable();
        all.dedup();
        Ok(loaded.snapshot().missing(all))
    }

    fn run(
        &self,
        own: &Own,
        loaded: &mut Loaded,
        now: Timestamp,
        rng: &mut impl CryptoRng,
    ) -> Result<((), Changes), Error> {
        let plan = &own.options.pre_keys;
        let before: Ledger = loaded.read(&RecordKey::PreKeyLedger)?.unwrap_or_default();
        let mut ledger = before.clone();
        let mut changes = Changes::new();
        let identity = own.local.identity();
        for key in Self::expired(own, &ledger, now) {
            loaded.delete(key, &mut changes)?;
        }
        let forget = |rotation: &mut Rotation| {
            let expired = rotation.expired(now, plan);
            rotation.keys.retain(|key| !expired.contains(&key.id));
        };
        forget(&mut ledger.signed);
        forget(&mut ledger.last_resort);
        let forget = |batches: &mut Batches| {
            let expired = batches.expired(now, plan);
            batches.batches.drain(..expired.min(batches.batches.len()));
        };
        forget(&mut ledger.one_time);
        forget(&mut ledger.one_time_kem);

        let kem = own.options.dialects.offers_kem();
        if ledger.signed.is_due(now, plan) {
            let id = ledger.signed.take_id(ALL_IDS, &[]);
            let key = SignedPreKey::generate(id, identity, now, rng);
            changes.create(RecordKey::SignedPreKey(id), key.encode(), rng)?;
            ledger.signed.keys.push(Rotated { id, created: now, uploaded: false });
        }
        if kem && ledger.last_resort.is_due(now, plan) {
            let id = ledger.last_resort.take_id(LAST_RESORT_IDS, &ledger.one_time_kem.batches);
            let key = KemPreKey::generate(id, identity, now, rng);
            changes.create(RecordKey::KemPreKey(id), encode_kem(&key, false), rng)?;
            ledger.last_resort.keys.push(Rotated { id, created: now, uploaded: false });
        }
        let pending = pending(&mut ledger.one_time, loaded, RecordKey::PreKey)?;
        let missing = missing(pending, self.stock.one_time, plan.one_time, plan.refill_below);
        if let Some(batch) = new_batch(&mut ledger.one_time, missing, ALL_IDS, &[], now) {
            for id in batch.ids() {
                changes.create(RecordKey::PreKey(id), PreKey::generate(id, rng).encode(), rng)?;
            }
        }
        let stock = self.stock.one_time_kem;
        let wanted = if kem { plan.one_time_kem } else { 0 };
        let last_resort = &ledger.last_resort.keys;
        let pending = self::pending(&mut ledger.one_time_kem, loaded, RecordKey::KemPreKey)?;
        let missing = self::missing(pending, stock, wanted, plan.refill_below);
        if let Some(batch) =
            new_batch(&mut ledger.one_time_kem, missing, ONE_TIME_KEM_IDS, last_resort, now)
        {
            for id in batch.ids() {
                let key = KemPreKey::generate(id, identity, now, rng);
                changes.create(RecordKey::KemPreKey(id), encode_kem(&key, true), rng)?;
            }
        }
        if ledger != before {
            loaded.write(RecordKey::PreKeyLedger, &ledger, &mut changes, rng)?;
        }
        Ok(((), changes))
    }
}

/// How many one-time pre-keys are on their way to the server: those of batches that it is not known to
/// have. It may have them all the same, and have handed them out: what was used is gone, and a batch of
/// which nothing is left is on its way no more.
fn pending(
    batches: &mut Batches,
    loaded: &Loaded,
    key: fn(PreKeyId) -> RecordKey,
) -> Result<u32, Error> {
    let mut pending = 0_u32;
    for batch in batches.batches.iter_mut().filter(|batch| !batch.uploaded) {
        batch.uploaded = true;
        for id in batch.ids() {
            if loaded.snapshot().revision(&key(id))?.is_some() {
                batch.uploaded = false;
                pending = pending.saturating_add(1);
            }
        }
    }
    Ok(pending)
}

/// How many one-time pre-keys to make: none while enough are at the server or on their way.
fn missing(pending: u32, stock: u32, wanted: u32, refill_below: u32) -> u32 {
    let have = stock.saturating_add(pending);
    let wanted = wanted.min(BATCH_MAX);
    if have >= refill_below.min(wanted) { 0 } else { wanted.saturating_sub(have) }
}

fn new_batch(
    batches: &mut Batches,
    count: u32,
    range: Range,
    others: &[Rotated],
    now: Timestamp,
) -> Option<Batch> {
    if count == 0 {
        return None;
    }
    let first = batches.take_ids(count, range, others);
    let batch = Batch { first, count, created: now, uploaded: false };
    batches.batches.push(batch);
    Some(batch)
}
