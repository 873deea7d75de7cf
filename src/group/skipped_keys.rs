//! Seeds of messages that were skipped in a sender's chain (spec 05 §5.4 step 6).
//!
//! A chain only moves forward, so entries arrive in ascending order of their iteration and stay so:
//! look-up is a binary search over public iterations. Memory: at most 2,000 entries of 36 bytes.

use alloc::vec::Vec;

use crate::dialect::MAX_MESSAGE_KEYS;
use crate::secret::Secret;

/// The seed of one skipped message.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct SenderMessageKey {
    pub(crate) iteration: u32,
    pub(crate) seed: Secret<32>,
}

/// Skipped keys of one state, oldest first, at most [`MAX_MESSAGE_KEYS`].
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct SkippedKeys(Vec<SenderMessageKey>);

impl SkippedKeys {
    /// Takes entries of a stored record, oldest first. `None` unless their iterations ascend strictly and
    /// there are at most 2,000.
    pub(crate) fn from_entries(entries: Vec<SenderMessageKey>) -> Option<Self> {
        let ascending = entries.is_sorted_by(|a, b| a.iteration < b.iteration);
        (ascending && entries.len() <= MAX_MESSAGE_KEYS).then_some(Self(entries))
    }

    /// The entries, oldest first.
    pub(crate) fn entries(&self) -> &[SenderMessageKey] {
        &self.0
    }

    /// Where the seed of `iteration` is, if it is kept, and a copy of it.
    pub(super) fn find(&self, iteration: u32) -> Option<(usize, Secret<32>)> {
        let at = self.0.binary_search_by_key(&iteration, |entry| entry.iteration).ok()?;
        Some((at, self.0.get(at)?.seed.duplicate()))
    }

    /// Removes the entry at `at`, leaving no copy of it behind.
    pub(super) fn remove(&mut self, at: usize) {
        let Some(tail) = self.0.get_mut(at..) else { return };
        let Some(first) = tail.first_mut() else { return };
        first.seed = Secret::zero();
        tail.rotate_left(1);
        // What is cut off is the zeroed entry: truncating drops it where it lies.
        self.0.truncate(self.0.len().saturating_sub(1));
    }

    /// Appends `newer` entries at the end, evicting the oldest beyond 2,000 from the front.
    pub(super) fn append(&mut self, newer: Vec<SenderMessageKey>) {
        if newer.is_empty() {
            return;
        }
        if self.0.is_empty() {
            self.0 = newer;
            return;
        }
        let total = self.0.len().saturating_add(newer.len());
        let evicted = total.saturating_sub(MAX_MESSAGE_KEYS).min(self.0.len());
        // A vector that grows by itself leaves a copy of its entries behind: move them by hand into one
        // of the right size, and let the old one wipe itself.
        let mut merged = Vec::with_capacity(total.saturating_sub(evicted));
        for SenderMessageKey { iteration, seed } in self.0.iter().skip(evicted).chain(&newer) {
            merged.push(SenderMessageKey { iteration: *iteration, seed: seed.duplicate() });
        }
        self.0 = merged;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entries(range: core::ops::Range<u32>) -> Vec<SenderMessageKey> {
        let entry = |iteration: u32| SenderMessageKey {
            iteration,
            seed: Secret::new([iteration.to_le_bytes()[0]; 32]),
        };
        range.map(entry).collect()
    }

    #[test]
    fn the_oldest_beyond_2000_are_evicted() {
        let mut keys = SkippedKeys::default();
        keys.append(entries(0..1500));
        keys.append(entries(1500..2300));
        assert_eq!(keys.entries().len(), MAX_MESSAGE_KEYS);
        assert!(keys.find(299).is_none());
        assert_eq!(keys.find(300), Some((0, Secret::new([44; 32]))));
        assert_eq!(keys.find(2299).map(|(at, _)| at), Some(1999));
    }

    #[test]
    fn removal_keeps_the_order() {
        let mut keys = SkippedKeys::default();
        keys.append(entries(0..5));
        keys.remove(2);
        let left: Vec<u32> = keys.entries().iter().map(|entry| entry.iteration).collect();
        assert_eq!(left, [0, 1, 3, 4]);
        keys.remove(9);
        assert_eq!(keys.entries().len(), 4);
    }

    #[test]
    fn stored_entries_must_ascend() {
        let mut twisted = entries(0..3);
        twisted.swap(0, 1);
        assert!(SkippedKeys::from_entries(twisted).is_none());
        assert!(SkippedKeys::from_entries(entries(0..2001)).is_none());
        assert!(SkippedKeys::from_entries(entries(0..2000)).is_some());
    }
}
