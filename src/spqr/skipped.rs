//! The keys of messages that did not arrive yet, spec 10 §7.2.
//!
//! One entry is 36 bytes. The order of entries is that of the stored state: new ones are appended,
//! and a deletion moves the last entry into the hole.

use alloc::vec::Vec;

use zeroize::Zeroize;

use crate::secret::Secret;

use super::limits::Limits;

/// One key and its index.
#[derive(Clone, Copy)]
struct Entry {
    index: u32,
    key: [u8; 32],
}

/// The store of one receiving chain. Wiped when dropped, when it grows and entry by entry.
pub(super) struct SkippedKeys(Vec<Entry>);

impl SkippedKeys {
    /// An empty store, which holds no memory.
    pub(super) const fn new() -> Self {
        Self(Vec::new())
    }

    /// An empty store with room for `entries`, or for 4 096 if that is less: with limits far above
    /// the default it grows as keys come.
    pub(super) fn with_capacity(entries: u32) -> Self {
        Self(Vec::with_capacity(usize::try_from(entries.min(4096)).unwrap_or(0)))
    }

    /// The entries in the order of the stored state.
    pub(super) fn iter(&self) -> impl Iterator<Item = (u32, &[u8; 32])> {
        self.0.iter().map(|entry| (entry.index, &entry.key))
    }

    /// How many entries there are.
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// Where the key `index` lies, and the key.
    pub(super) fn find(&self, index: u32) -> Option<(usize, Secret<32>)> {
        let place = self.0.iter().position(|entry| entry.index == index)?;
        Some((place, Secret::new(self.0.get(place)?.key)))
    }

    /// Appends a key, growing if there is no room left.
    pub(super) fn push(&mut self, index: u32, key: &[u8; 32]) {
        if self.0.len() == self.0.capacity() {
            // Small steps: in the common case a few keys are missing.
            self.resize(self.0.len().saturating_mul(2).max(8));
        }
        self.0.push(Entry { index, key: *key });
    }

    /// Removes and wipes the entry at `place`; the last one takes its place.
    pub(super) fn remove(&mut self, place: usize) {
        let Some(last) = self.0.len().checked_sub(1) else { return };
        if place <= last {
            self.0.swap(place, last);
            if let Some(entry) = self.0.last_mut() {
                entry.key.zeroize();
            }
            self.0.truncate(last);
        }
    }

    /// Empties and wipes the store, keeping its room.
    pub(super) fn clear(&mut self) {
        for entry in &mut self.0 {
            entry.key.zeroize();
        }
        self.0.clear();
    }

    /// Step 3 of `recv_key` for the key before `i`: when there are too many entries, deletes those
    /// with an index below `previous - max_out_of_order`.
    pub(super) fn collect(&mut self, previous: u32, limits: &Limits) {
        if self.0.len() < limits.collection_threshold() {
            return;
        }
        let oldest_kept = previous.saturating_sub(limits.max_out_of_order());
        let mut place = 0_usize;
        while let Some(entry) = self.0.get(place) {
            if entry.index < oldest_kept {
                // The last entry moved here: the slot is examined again.
                self.remove(place);
            } else {
                place = place.saturating_add(1);
            }
        }
    }

    /// Appends all of `other`.
    pub(super) fn append(&mut self, other: &Self, limits: &Limits) {
        if other.0.is_empty() {
            return;
        }
        let needed = self.0.len().saturating_add(other.0.len());
        if needed > self.0.capacity() {
            // Doubling up to the bound; above it only for the moment until the collection.
            let doubled = self.0.capacity().saturating_mul(2).min(limits.max_stored());
            self.resize(needed.max(doubled));
        }
        self.0.extend_from_slice(&other.0);
    }

    /// Gives back the room above the bound, which a large jump needed for a moment.
    pub(super) fn trim(&mut self, limits: &Limits) {
        if self.0.capacity() > limits.max_stored().max(8) {
            self.resize(self.0.len());
        }
    }

    /// Moves to a buffer of exactly `capacity` and wipes the old one.
    fn resize(&mut self, capacity: usize) {
        let mut fresh = Vec::with_capacity(capacity.max(self.0.len()));
        fresh.extend_from_slice(&self.0);
        self.clear();
        self.0 = fresh;
    }
}

impl Drop for SkippedKeys {
    fn drop(&mut self) {
        self.clear();
    }
}
