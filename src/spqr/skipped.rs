//! The keys of messages that did not arrive yet, spec 10 §7.2.
//!
//! One entry is 36 bytes. The order of entries is that of the stored state: new ones are appended,
//! and a deletion moves the last entry into the hole.

use alloc::vec::Vec;

use zeroize::Zeroize;

use crate::secret::Secret;
use crate::store::pages::Pages;

use super::limits::Limits;

/// One key and its index.
#[derive(Clone, Copy)]
struct Entry {
    index: u32,
    key: [u8; 32],
}

/// The store of one receiving chain. Wiped when dropped, when it grows and entry by entry.
pub(super) struct SkippedKeys {
    entries: Vec<Entry>,
    /// Pages of the keys that have come, gone or changed places since the state was stored.
    dirty: Pages,
}

impl SkippedKeys {
    /// An empty store, which holds no memory.
    pub(super) const fn new() -> Self {
        Self { entries: Vec::new(), dirty: Pages::NONE }
    }

    /// An empty store with room for `entries`, or for 4 096 if that is less: with limits far above
    /// the default it grows as keys come.
    pub(super) fn with_capacity(entries: u32) -> Self {
        let entries = Vec::with_capacity(usize::try_from(entries.min(4096)).unwrap_or(0));
        Self { entries, dirty: Pages::NONE }
    }

    /// The entries in the order of the stored state.
    pub(super) fn iter(&self) -> impl Iterator<Item = (u32, &[u8; 32])> {
        self.entries.iter().map(|entry| (entry.index, &entry.key))
    }

    /// How many entries there are.
    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    /// Where the key `index` lies, and the key.
    pub(super) fn find(&self, index: u32) -> Option<(usize, Secret<32>)> {
        let place = self.entries.iter().position(|entry| entry.index == index)?;
        Some((place, Secret::new(self.entries.get(place)?.key)))
    }

    /// Appends a key, growing if there is no room left.
    pub(super) fn push(&mut self, index: u32, key: &[u8; 32]) {
        if self.entries.len() == self.entries.capacity() {
            // Small steps: in the common case a few keys are missing.
            self.resize(self.entries.len().saturating_mul(2).max(8));
        }
        self.entries.push(Entry { index, key: *key });
    }

    /// Removes and wipes the entry at `place`; the last one takes its place.
    pub(super) fn remove(&mut self, place: usize) {
        let Some(last) = self.entries.len().checked_sub(1) else { return };
        if place <= last {
            for moved in [place, last] {
                if let Some(entry) = self.entries.get(moved) {
                    self.dirty.insert_counter(entry.index);
                }
            }
            self.entries.swap(place, last);
            if let Some(entry) = self.entries.last_mut() {
                entry.key.zeroize();
            }
            self.entries.truncate(last);
        }
    }

    /// Empties and wipes the store, keeping its room.
    pub(super) fn clear(&mut self) {
        self.dirty = self.pages();
        self.wipe();
    }

    /// Pages of the keys that have come, gone or changed places since the last [`clean`](Self::clean).
    pub(super) const fn dirty(&self) -> Pages {
        self.dirty
    }

    /// Notes that the keys are stored as they are.
    pub(super) const fn clean(&mut self) {
        self.dirty = Pages::NONE;
    }

    /// The pages of all keys, and those noted as changed.
    pub(super) fn pages(&self) -> Pages {
        let mut pages = self.dirty;
        self.entries.iter().for_each(|entry| pages.insert_counter(entry.index));
        pages
    }

    fn wipe(&mut self) {
        for entry in &mut self.entries {
            entry.key.zeroize();
        }
        self.entries.clear();
    }

    /// Step 3 of `recv_key` for the key before `i`: when there are too many entries, deletes those
    /// with an index below `previous - max_out_of_order`.
    pub(super) fn collect(&mut self, previous: u32, limits: &Limits) {
        if self.entries.len() < limits.collection_threshold() {
            return;
        }
        let oldest_kept = previous.saturating_sub(limits.max_out_of_order());
        let mut place = 0_usize;
        while let Some(entry) = self.entries.get(place) {
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
        if other.entries.is_empty() {
            return;
        }
        let needed = self.entries.len().saturating_add(other.entries.len());
        if needed > self.entries.capacity() {
            // Doubling up to the bound; above it only for the moment until the collection.
            let doubled = self.entries.capacity().saturating_mul(2).min(limits.max_stored());
            self.resize(needed.max(doubled));
        }
        other.entries.iter().for_each(|entry| self.dirty.insert_counter(entry.index));
        self.entries.extend_from_slice(&other.entries);
    }

    /// Gives back the room above the bound, which a large jump needed for a moment.
    pub(super) fn trim(&mut self, limits: &Limits) {
        if self.entries.capacity() > limits.max_stored().max(8) {
            self.resize(self.entries.len());
        }
    }

    /// Moves to a buffer of exactly `capacity` and wipes the old one.
    fn resize(&mut self, capacity: usize) {
        let mut fresh = Vec::with_capacity(capacity.max(self.entries.len()));
        fresh.extend_from_slice(&self.entries);
        self.wipe();
        self.entries = fresh;
    }
}

impl Drop for SkippedKeys {
    fn drop(&mut self) {
        self.wipe();
    }
}
