//! Keys of messages that were skipped in a receiver chain (spec 04 §4 step 3).
//!
//! A chain only moves forward, so entries arrive in ascending order of their counter and stay so:
//! look-up is a binary search over public counters. Memory: at most 2,000 entries.

use alloc::vec::Vec;

use super::MessageSecret;
use crate::dialect::MAX_MESSAGE_KEYS;
use crate::store::pages::{Bookkeeping, Pages};

#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Skipped {
    pub(crate) counter: u32,
    pub(crate) secret: MessageSecret,
}

/// Skipped keys of one receiver chain, oldest first, at most [`MAX_MESSAGE_KEYS`].
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct SkippedKeys {
    entries: Vec<Skipped>,
    /// Pages of the keys that have come and gone since the state was stored.
    dirty: Bookkeeping<Pages>,
}

impl SkippedKeys {
    /// Takes entries of a stored record, oldest first. `None` unless their counters ascend strictly
    /// and there are at most 2,000.
    pub(crate) fn from_entries(entries: Vec<Skipped>) -> Option<Self> {
        let ascending = entries.is_sorted_by(|a, b| a.counter < b.counter);
        let dirty = Bookkeeping::default();
        (ascending && entries.len() <= MAX_MESSAGE_KEYS).then_some(Self { entries, dirty })
    }

    /// The entries, oldest first.
    pub(crate) fn entries(&self) -> &[Skipped] {
        &self.entries
    }

    /// Pages of the keys that have come and gone since the last [`clean`](Self::clean).
    pub(crate) const fn dirty(&self) -> Pages {
        self.dirty.0
    }

    /// Notes that the keys are stored as they are.
    pub(crate) const fn clean(&mut self) {
        self.dirty = Bookkeeping(Pages::NONE);
    }

    /// The pages of all keys, and those noted as changed.
    pub(crate) fn pages(&self) -> Pages {
        let mut pages = self.dirty();
        self.entries.iter().for_each(|entry| pages.insert_counter(entry.counter));
        pages
    }

    /// Where the key of `counter` is, if it is kept.
    pub(crate) fn position(&self, counter: u32) -> Option<usize> {
        self.entries.binary_search_by_key(&counter, |entry| entry.counter).ok()
    }

    pub(crate) fn get(&self, at: usize) -> Option<&MessageSecret> {
        self.entries.get(at).map(|entry| &entry.secret)
    }

    /// Removes the entry at `at`, leaving no copy of it behind.
    pub(crate) fn remove(&mut self, at: usize) {
        let Some(tail) = self.entries.get_mut(at..) else { return };
        let Some(first) = tail.first_mut() else { return };
        self.dirty.0.insert_counter(first.counter);
        first.secret = MessageSecret::zero();
        tail.rotate_left(1);
        // What is cut off is the zeroed entry: truncating drops it where it lies.
        self.entries.truncate(self.entries.len().saturating_sub(1));
    }

    /// Appends `newer` entries, evicting the oldest beyond 2,000.
    pub(crate) fn append(&mut self, newer: Vec<Skipped>) {
        if newer.is_empty() {
            return;
        }
        newer.iter().for_each(|entry| self.dirty.0.insert_counter(entry.counter));
        if self.entries.is_empty() {
            self.entries = newer;
            return;
        }
        let total = self.entries.len().saturating_add(newer.len());
        let evicted = total.saturating_sub(MAX_MESSAGE_KEYS).min(self.entries.len());
        // A vector that grows by itself leaves a copy of its entries behind: move them by hand into
        // one of the right size, and let the old one wipe itself.
        let mut merged = Vec::with_capacity(total.saturating_sub(evicted));
        for old in self.entries.iter().take(evicted) {
            self.dirty.0.insert_counter(old.counter);
        }
        for old in self.entries.iter().skip(evicted).chain(newer.iter()) {
            merged.push(Skipped { counter: old.counter, secret: old.secret.duplicate() });
        }
        self.entries = merged;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secret::Secret;

    fn entries(range: core::ops::Range<u32>) -> Vec<Skipped> {
        range
            .map(|counter| Skipped {
                counter,
                secret: MessageSecret::Seed(Secret::new([counter.to_le_bytes()[0]; 32])),
            })
            .collect()
    }

    #[test]
    fn the_oldest_beyond_2000_are_evicted() {
        let mut keys = SkippedKeys::default();
        keys.append(entries(0..1500));
        keys.append(entries(1500..2300));
        assert_eq!(keys.entries().len(), MAX_MESSAGE_KEYS);
        assert_eq!(keys.position(299), None);
        assert_eq!(keys.position(300), Some(0));
        assert_eq!(keys.position(2299), Some(1999));
    }

    #[test]
    fn removal_keeps_the_order() {
        let mut keys = SkippedKeys::default();
        keys.append(entries(0..5));
        keys.remove(2);
        let left: Vec<u32> = keys.entries().iter().map(|entry| entry.counter).collect();
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
