//! What a device remembers about its own pre-keys: which exist, since when, and which of them the server
//! has (spec 02 §1).

use alloc::vec::Vec;

use super::record::{Stored, required};
use crate::error::Error;
use crate::prekey::PreKeyId;
use crate::time::Timestamp;
use crate::wire::reader::{Reader, Value};
use crate::wire::writer::Writer;

/// How many pre-keys to hold, and for how long. All times in milliseconds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PreKeyPlan {
    /// One-time pre-keys that the server should have. At most 1,000.
    pub one_time: u32,
    /// One-time KEM pre-keys that the server should have; 5 kB of storage each. At most 1,000. None are
    /// made where the dialects offered have no KEM.
    pub one_time_kem: u32,
    /// The server's stock is filled up when fewer than this are left.
    pub refill_below: u32,
    /// Age at which the signed and the last-resort pre-key are replaced.
    pub rotate_after: u64,
    /// How long a replaced pre-key still accepts late messages.
    pub keep_retired: u64,
    /// Age at which one-time pre-keys that nobody used are deleted.
    pub keep_one_time: u64,
}

const DAY: u64 = 24 * 60 * 60 * 1000;

impl Default for PreKeyPlan {
    /// 100 of each kind, filled up below 20; rotated after 2 days, kept 30 days more; unused one-time
    /// pre-keys are kept 90 days.
    fn default() -> Self {
        Self {
            one_time: 100,
            one_time_kem: 100,
            refill_below: 20,
            rotate_after: 2 * DAY,
            keep_retired: 30 * DAY,
            keep_one_time: 90 * DAY,
        }
    }
}

/// Generated ids lie in 1 to this: what servers of the WhatsApp family carry (spec 02 §1.1).
pub(super) const LAST_ID: PreKeyId = 0xFF_FFFF;
/// Signed and last-resort pre-keys that are kept at most, the current one included.
pub(super) const ROTATED_MAX: usize = 32;
/// Batches of one-time pre-keys that are kept at most, of each kind.
pub(super) const BATCHES_MAX: usize = 64;
/// More than all keys and batches that can stand in the way of a new id.
const IDS_TRIED_MAX: usize = 16 * (ROTATED_MAX + BATCHES_MAX);
/// One-time pre-keys that are made at most at a time, of each kind.
pub(super) const BATCH_MAX: u32 = 1000;

/// A signed or last-resort pre-key.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Rotated {
    pub(super) id: PreKeyId,
    pub(super) created: Timestamp,
    pub(super) uploaded: bool,
}

/// One-time pre-keys of consecutive ids. Those that were used are gone; the batch does not know.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Batch {
    pub(super) first: PreKeyId,
    /// At least 1.
    pub(super) count: u32,
    pub(super) created: Timestamp,
    pub(super) uploaded: bool,
}

impl Batch {
    pub(super) fn ids(&self) -> impl Iterator<Item = PreKeyId> + use<> {
        self.first..=self.last()
    }

    const fn last(&self) -> PreKeyId {
        self.first.saturating_add(self.count.saturating_sub(1))
    }

    pub(super) const fn contains(&self, id: PreKeyId) -> bool {
        self.overlaps(id, id)
    }

    const fn overlaps(&self, first: PreKeyId, last: PreKeyId) -> bool {
        self.first <= last && first <= self.last()
    }
}

/// The ids of one kind of pre-key that rotates. Oldest first; the last one is current.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct Rotation {
    pub(super) next: PreKeyId,
    pub(super) keys: Vec<Rotated>,
}

/// The ids of one kind of one-time pre-key. Oldest first.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct Batches {
    pub(super) next: PreKeyId,
    pub(super) batches: Vec<Batch>,
}

/// The record of [`RecordKey::PreKeyLedger`](crate::RecordKey::PreKeyLedger).
///
/// KEM pre-keys of both kinds share one id space: the last-resort ones take their ids from the top
/// half of it, the one-time ones from the bottom half.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct Ledger {
    pub(super) signed: Rotation,
    pub(super) last_resort: Rotation,
    pub(super) one_time: Batches,
    pub(super) one_time_kem: Batches,
}

/// The ids of a kind, lowest and highest.
pub(super) type Range = (PreKeyId, PreKeyId);
pub(super) const ALL_IDS: Range = (1, LAST_ID);
pub(super) const ONE_TIME_KEM_IDS: Range = (1, LAST_ID / 2);
pub(super) const LAST_RESORT_IDS: Range = (LAST_ID / 2 + 1, LAST_ID);

impl Rotation {
    pub(super) fn current(&self) -> Option<&Rotated> {
        self.keys.last()
    }

    /// Whether the current key is missing or too old. A clock that went back makes no key old.
    pub(super) fn is_due(&self, now: Timestamp, plan: &PreKeyPlan) -> bool {
        self.current().is_none_or(|key| age(key.created, now) >= plan.rotate_after)
    }

    /// Keys that are no longer needed: retired long enough ago, by the age of what replaced them, or
    /// beyond the greatest number. The current one is never among them.
    pub(super) fn expired(&self, now: Timestamp, plan: &PreKeyPlan) -> Vec<PreKeyId> {
        let replaced_by = self.keys.iter().skip(1);
        let old = self
            .keys
            .iter()
            .zip(replaced_by)
            .take_while(|(_, next)| age(next.created, now) >= plan.keep_retired)
            .count();
        let many = self.keys.len().saturating_sub(ROTATED_MAX);
        self.keys.iter().take(old.max(many)).map(|key| key.id).collect()
    }

    /// Takes the next id that neither a kept key nor one of `others`, of the same id space, has.
    pub(super) fn take_id(&mut self, range: Range, others: &[Batch]) -> PreKeyId {
        let mut id = within(self.next, range);
        // Every step goes past one of the kept keys or batches, or back to the start once.
        for _ in 0..IDS_TRIED_MAX {
            match others.iter().find(|batch| batch.contains(id)) {
                Some(batch) => id = after(batch.last(), range),
                None if self.keys.iter().any(|key| key.id == id) => id = after(id, range),
                None => break,
            }
        }
        self.next = after(id, range);
        id
    }
}

impl Batches {
    /// Those that the server is not known to have, used ones included.
    pub(super) fn pending_ids(&self) -> impl Iterator<Item = PreKeyId> {
        self.batches.iter().filter(|batch| !batch.uploaded).flat_map(Batch::ids)
    }

    /// Takes in keys that the server has from another implementation. Ids that lie close together become
    /// one batch: those between them are of keys that are gone.
    pub(super) fn adopt(&mut self, mut ids: Vec<PreKeyId>, now: Timestamp) {
        ids.sort_unstable();
        let mut batch: Option<Batch> = None;
        for id in ids {
            let count = batch
                .map(|batch| id.saturating_sub(batch.first).saturating_add(1))
                .filter(|&count| count <= BATCH_MAX);
            match (&mut batch, count) {
                (Some(batch), Some(count)) => batch.count = count,
                (batch, _) => {
                    let next = Batch { first: id, count: 1, created: now, uploaded: true };
                    self.batches.extend(batch.replace(next));
                }
            }
            self.next = id.saturating_add(1);
        }
        self.batches.extend(batch);
    }

    /// How many batches, from the front, are no longer needed.
    pub(super) fn expired(&self, now: Timestamp, plan: &PreKeyPlan) -> usize {
        let old = self
            .batches
            .iter()
            .take_while(|batch| age(batch.created, now) >= plan.keep_one_time)
            .count();
        old.max(self.batches.len().saturating_sub(BATCHES_MAX))
    }

    /// Takes the next `count` consecutive ids that neither a kept batch nor one of `others`, of the same
    /// id space, has. After the last id come the first ones again.
    pub(super) fn take_ids(&mut self, count: u32, range: Range, others: &[Rotated]) -> PreKeyId {
        let mut first = within(self.next, range);
        let last = |first: PreKeyId| first.saturating_add(count).saturating_sub(1);
        for _ in 0..IDS_TRIED_MAX {
            if last(first) > range.1 {
                first = range.0;
            }
            let ids = first..=last(first);
            let batch = self.batches.iter().find(|batch| batch.overlaps(first, last(first)));
            let taken = batch.map(Batch::last);
            match taken.or_else(|| others.iter().map(|key| key.id).find(|id| ids.contains(id))) {
                Some(taken) => first = after(taken, range),
                None => break,
            }
        }
        self.next = after(last(first), range);
        first
    }
}

fn within(id: PreKeyId, (low, high): Range) -> PreKeyId {
    if (low..=high).contains(&id) { id } else { low }
}

fn after(id: PreKeyId, range: Range) -> PreKeyId {
    within(id.saturating_add(1), range)
}

const fn age(created: Timestamp, now: Timestamp) -> u64 {
    now.as_millis().saturating_sub(created.as_millis())
}

impl Stored for Ledger {
    fn read(fields: Reader<'_>) -> Result<Self, Error> {
        let mut ledger = Self::default();
        for field in fields {
            match field? {
                (1, value) => ledger.signed.next = value.uint32()?,
                (2, value) => ledger.signed.keys.push(read_rotated(value)?),
                (3, value) => ledger.last_resort.next = value.uint32()?,
                (4, value) => ledger.last_resort.keys.push(read_rotated(value)?),
                (5, value) => ledger.one_time.next = value.uint32()?,
                (6, value) => ledger.one_time.batches.push(read_batch(value)?),
                (7, value) => ledger.one_time_kem.next = value.uint32()?,
                (8, value) => ledger.one_time_kem.batches.push(read_batch(value)?),
                _ => return Err(Error::InvalidState),
            }
        }
        Ok(ledger)
    }

    fn write(&self, w: &mut Writer<'_>) {
        let rotation = |w: &mut Writer<'_>, number: u32, rotation: &Rotation| {
            w.uint_nonzero(number, rotation.next);
            for key in &rotation.keys {
                w.message(number.saturating_add(1), |w| {
                    w.uint(1, key.id);
                    w.uint(2, key.created.as_millis());
                    w.uint(3, u32::from(key.uploaded));
                });
            }
        };
        let batches = |w: &mut Writer<'_>, number: u32, batches: &Batches| {
            w.uint_nonzero(number, batches.next);
            for batch in &batches.batches {
                w.message(number.saturating_add(1), |w| {
                    w.uint(1, batch.first);
                    w.uint(2, batch.created.as_millis());
                    w.uint(3, u32::from(batch.uploaded));
                    w.uint(4, batch.count);
                });
            }
        };
        rotation(w, 1, &self.signed);
        rotation(w, 3, &self.last_resort);
        batches(w, 5, &self.one_time);
        batches(w, 7, &self.one_time_kem);
    }
}

/// Id, creation time, uploaded, and the count of a batch.
fn read_entry(value: Value<'_>) -> Result<(PreKeyId, Timestamp, bool, Option<u32>), Error> {
    let (mut id, mut created, mut uploaded, mut count) = (None, None, None, None);
    for field in Reader::new(value.bytes()?) {
        match field? {
            (1, value) => id = Some(value.uint32()?),
            (2, value) => created = Some(value.uint64()?),
            (3, value) => uploaded = Some(value.uint32()? != 0),
            (4, value) => count = Some(value.uint32()?),
            _ => return Err(Error::InvalidState),
        }
    }
    Ok((required(id)?, Timestamp(required(created)?), required(uploaded)?, count))
}

fn read_rotated(value: Value<'_>) -> Result<Rotated, Error> {
    let (id, created, uploaded, _) = read_entry(value)?;
    Ok(Rotated { id, created, uploaded })
}

fn read_batch(value: Value<'_>) -> Result<Batch, Error> {
    let (first, created, uploaded, count) = read_entry(value)?;
    let count = count.filter(|count| (1..=BATCH_MAX).contains(count));
    Ok(Batch { first, count: required(count)?, created, uploaded })
}
