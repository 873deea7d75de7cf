//! What the store holds of a session: beside the session in memory, and no part of it.

use alloc::vec::Vec;

use crate::dialect::ARCHIVED_STATES_MAX;

/// Which records there are, at which revisions, and what of the session differs from them.
#[derive(Debug, Default)]
pub(crate) struct Stored {
    /// The revision of the session's own record.
    pub(super) session: Option<u64>,
    /// The archived states that have a record, by number, and its revision. `None`: the directory names
    /// it, and it is not there.
    pub(super) archive: Vec<(u8, Option<u64>)>,
    /// The pages of the current state's skipped keys that exist, by number, and their revisions.
    pub(super) pages: Vec<(u32, u64)>,
    /// Whether anything changed.
    pub(super) changed: bool,
    /// Whether the current state is another one than the store's: all its pages are out of date.
    pub(super) replaced: bool,
}

impl Stored {
    /// Nothing is stored, and nothing is there to store.
    pub(crate) const fn nothing() -> Self {
        Self {
            session: None,
            archive: Vec::new(),
            pages: Vec::new(),
            changed: false,
            replaced: false,
        }
    }

    /// The current state has changed; it has noted itself which of its skipped keys did.
    pub(crate) const fn note_change(&mut self) {
        self.changed = true;
    }

    /// Another state is current, or none.
    pub(crate) const fn replace_current(&mut self) {
        self.changed = true;
        self.replaced = true;
    }

    /// The revision of a page, if it exists.
    pub(super) fn page(&self, page: u32) -> Option<u64> {
        self.pages.iter().find(|(number, _)| *number == page).map(|(_, revision)| *revision)
    }

    /// `count` numbers for new archive records: the lowest that no record has, nor had until now. A
    /// record whose state has just gone is deleted by the same commit, and its number is free afterwards.
    pub(super) fn free_numbers(&self, count: usize) -> Vec<u8> {
        debug_assert!(count <= ARCHIVED_STATES_MAX, "more new states than the archive holds");
        (0..=u8::MAX)
            .filter(|number| !self.archive.iter().any(|(taken, _)| taken == number))
            .take(count)
            .collect()
    }
}
