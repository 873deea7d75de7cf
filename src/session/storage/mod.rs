//! How a session is stored: what is loaded, and what is saved.
//!
//! | file | what |
//! |---|---|
//! | `mod` | needs, load, save, delete |
//! | `records` | the three kinds of records |
//! | `state` | one state without its skipped keys |
//! | `skipped` | skipped keys, in pages of the current state or beside an archived one |
//! | `stored` | which records the store has, and what differs from them |
//!
//! Every message rewrites the session's own record: the current state and a directory of the other records.
//! A late message rewrites the page that its key was in as well, so that a used key is nowhere any more. An
//! archived state is written once, when it is archived, and deleted when it is forgotten or current again.
//! `docs/storage.md` has the layout, byte by byte.

mod records;
mod skipped;
mod state;
mod stored;
#[cfg(test)]
#[allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects
)]
mod tests;

use alloc::collections::VecDeque;
use alloc::vec;
use alloc::vec::Vec;

use rand_core::CryptoRng;
use zeroize::Zeroizing;

use super::{Archived, Session, Slot};
use crate::address::Address;
use crate::error::Error;
use crate::store::pages::{Bookkeeping, Pages};
use crate::store::{Changes, Record, RecordKey, Snapshot};
use records::Directory;
pub(super) use stored::Stored;

impl Session {
    /// The records to load before [`load`](Self::load), of those that `snapshot` was not given yet: first the
    /// session's own; once that is there, the archived states and pages of skipped keys that it names. Empty
    /// when all are there.
    ///
    /// The records fit together if they are of one moment. A caller whose store can change between two loads
    /// loads the session's own record once more at the end: if its revision is still the same, so were all the
    /// others; else it begins again. (Every commit that writes one of the others writes the session's own.)
    ///
    /// # Errors
    ///
    /// [`Error::FutureRecord`]; [`Error::InvalidSession`] when the session's own record is corrupt.
    pub fn needs(address: &Address, snapshot: &Snapshot) -> Result<Vec<RecordKey>, Error> {
        let own = RecordKey::Session(address.clone());
        if !snapshot.contains(&own) {
            return Ok(vec![own]);
        }
        let Some(record) = snapshot.get(&own)? else { return Ok(Vec::new()) };
        let directory = Directory::read(record.bytes())?;
        let archive = directory.archive.iter().map(|number| archive_key(address, *number));
        let pages = directory.pages.iter().map(|page| page_key(address, page));
        Ok(snapshot.missing(archive.chain(pages)))
    }

    /// The session with `address` as `snapshot` has it. An empty one when there is no record.
    ///
    /// An archived state whose record is corrupt or missing is kept as one that cannot be used: it matches no
    /// message, and the others stay usable.
    ///
    /// # Errors
    ///
    /// [`Error::NotLoaded`] unless all that [`needs`](Self::needs) names was loaded;
    /// [`Error::FutureRecord`] when a record was written by a later version;
    /// [`Error::InvalidSession`] when the session's own record or a page of skipped keys is corrupt or missing.
    pub fn load(address: &Address, snapshot: &Snapshot) -> Result<Self, Error> {
        let Some(record) = snapshot.get(&RecordKey::Session(address.clone()))? else {
            return Ok(Self::new());
        };
        let (mut current, directory) = records::read_session(record.bytes())?;
        let mut stored = Stored { session: Some(record.revision()), ..Stored::nothing() };
        // the current state's skipped keys, from their pages
        if let Some(Slot::Usable(state)) = &mut current {
            let mut entries = skipped::Entries::default();
            for page in directory.pages.iter() {
                let record =
                    snapshot.get(&page_key(address, page))?.ok_or(Error::InvalidSession)?;
                records::read_page(state, page, record.bytes(), &mut entries)?;
                stored.pages.push((page, record.revision()));
            }
            skipped::restore(state, entries)?;
        }
        // the archived states, newest first
        let mut archived = VecDeque::with_capacity(directory.archive.len());
        for number in directory.archive {
            let record = snapshot.get(&archive_key(address, number))?;
            stored.archive.push((number, record.map(Record::revision)));
            let slot = match record {
                Some(record) => records::read_archived(record.bytes())?,
                None => Slot::Unusable(Zeroizing::new(Vec::new())),
            };
            archived.push_back(Archived { slot, number: Bookkeeping(Some(number)) });
        }
        Ok(Self { current, archived, stored: Bookkeeping(stored) })
    }

    /// Adds to `changes` what has changed since the session was loaded or last saved: nothing if nothing has.
    /// From then on the new revisions count as the loaded ones. Draws 8 bytes for every new record.
    ///
    /// If `changes` is then not committed, or the commit fails, the session must be dropped and loaded again: it
    /// has moved on, and the store has not.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidArgument`] if `changes` has one of the session's records already. Session and
    /// `changes` are as before then.
    pub fn save(
        &mut self,
        address: &Address,
        changes: &mut Changes,
        rng: &mut impl CryptoRng,
    ) -> Result<(), Error> {
        // A record without any session is not written; and once there is one, some state always stays.
        let empty = self.current.is_none() && self.archived.is_empty();
        if !self.stored.0.changed || empty {
            return Ok(());
        }
        // Built aside, so that an error leaves no trace.
        let mut own_changes = Changes::new();
        let pages = self.save_pages(address, &mut own_changes, rng)?;
        let archive = self.save_archive(address, &mut own_changes, rng)?;
        let directory = Directory {
            pages: pages.iter().fold(Pages::NONE, |all, (page, _)| all.with(*page)),
            archive: archive.iter().map(|(number, _)| *number).collect(),
        };
        let bytes = records::write_session(self.current.as_ref(), &directory);
        let own = RecordKey::Session(address.clone());
        let revision = own_changes.put(own, self.stored.0.session, bytes, rng)?;
        changes.merge(own_changes)?;
        // From here on nothing fails.
        for (archived, (number, _)) in self.archived.iter_mut().zip(&archive) {
            archived.number = Bookkeeping(Some(*number));
        }
        if let Some(Slot::Usable(state)) = &mut self.current {
            state.ratchet.clean();
            state.spqr.clean();
        }
        self.stored.0 =
            Stored { session: Some(revision), archive, pages, changed: false, replaced: false };
        Ok(())
    }

    /// Lets `changes` be committed only if the session's own record is as it was when the session was loaded
    /// or last saved: for a decision that was taken upon it. Not beside [`save`](Self::save), which says as much.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidArgument`] if `changes` has an entry for the record already.
    pub fn require(&self, address: &Address, changes: &mut Changes) -> Result<(), Error> {
        changes.require(RecordKey::Session(address.clone()), self.stored.0.session)
    }

    /// Adds to `changes` that all records of the session are deleted. One of them alone must never be: what it
    /// named would be left over, and in the way of a new session.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidArgument`] if `changes` has one of the session's records already; it is as before then.
    pub fn delete(self, address: &Address, changes: &mut Changes) -> Result<(), Error> {
        let stored = &self.stored.0;
        let mut own_changes = Changes::new();
        for (page, revision) in &stored.pages {
            own_changes.delete(page_key(address, *page), *revision)?;
        }
        for (number, revision) in &stored.archive {
            if let Some(revision) = revision {
                own_changes.delete(archive_key(address, *number), *revision)?;
            }
        }
        if let Some(revision) = stored.session {
            own_changes.delete(RecordKey::Session(address.clone()), revision)?;
        }
        changes.merge(own_changes)
    }

    /// Writes or deletes the pages that are out of date. Gives all pages that exist then, and their revisions.
    fn save_pages(
        &self,
        address: &Address,
        changes: &mut Changes,
        rng: &mut impl CryptoRng,
    ) -> Result<Vec<(u32, u64)>, Error> {
        let stored = &self.stored.0;
        let state = self.current_state();
        let mut dirty = state.map_or(Pages::NONE, |state| {
            if stored.replaced {
                return skipped::pages(state);
            }
            let mut dirty = state.ratchet.dirty();
            dirty.insert_all(state.spqr.dirty());
            dirty
        });
        if stored.replaced {
            dirty = stored.pages.iter().fold(dirty, |all, (page, _)| all.with(*page));
        }
        if dirty.is_empty() {
            return Ok(stored.pages.clone());
        }
        let mut kept: Vec<_> =
            stored.pages.iter().filter(|(page, _)| !dirty.contains(*page)).copied().collect();
        let written = state.map(|state| records::write_pages(state, dirty)).unwrap_or_default();
        for (page, bytes) in written.into_iter().filter(|(_, bytes)| !bytes.is_empty()) {
            let key = page_key(address, page);
            kept.push((page, changes.put(key, stored.page(page), bytes, rng)?));
        }
        for (page, revision) in &stored.pages {
            if !kept.iter().any(|(kept, _)| kept == page) {
                changes.delete(page_key(address, *page), *revision)?;
            }
        }
        Ok(kept)
    }

    /// Writes the archived states that are new and deletes those that are gone. Gives the numbers and
    /// revisions of all, newest first.
    fn save_archive(
        &self,
        address: &Address,
        changes: &mut Changes,
        rng: &mut impl CryptoRng,
    ) -> Result<Vec<(u8, Option<u64>)>, Error> {
        let stored = &self.stored.0;
        let new = self.archived.iter().filter(|archived| archived.number.0.is_none()).count();
        let mut free = stored.free_numbers(new).into_iter();
        let mut archive = Vec::with_capacity(self.archived.len());
        for Archived { slot, number } in &self.archived {
            archive.push(if let Some(number) = number.0 {
                let known = stored.archive.iter().find(|(known, _)| *known == number);
                (number, known.and_then(|(_, revision)| *revision))
            } else {
                let number = free.next().ok_or(Error::InvalidState)?;
                let bytes = records::write_archived(slot);
                let revision = changes.create(archive_key(address, number), bytes, rng)?;
                (number, Some(revision))
            });
        }
        for (number, revision) in &stored.archive {
            if let Some(revision) = revision
                && !archive.iter().any(|(kept, _)| kept == number)
            {
                changes.delete(archive_key(address, *number), *revision)?;
            }
        }
        Ok(archive)
    }
}

fn archive_key(address: &Address, number: u8) -> RecordKey {
    RecordKey::SessionArchive { address: address.clone(), slot: u32::from(number) }
}

fn page_key(address: &Address, page: u32) -> RecordKey {
    RecordKey::SkippedKeys { address: address.clone(), page }
}
