//! The three kinds of records: a byte for the version, then what it holds.
//!
//! | record | after the version byte |
//! |---|---|
//! | `Session` | protobuf: 1 the current state, or 2 the bytes of one that is unusable; 3 the pages that exist, a bit each; 4 the numbers of the archive records, a byte each, newest first |
//! | `SessionArchive` | protobuf: 1 a state, or 2 the bytes of one that is unusable; 3 its skipped keys |
//! | `SkippedKeys` | skipped keys of the current state, at least one |
//!
//! There is one way to write a state, and what was not written that way is corrupt: reading writes again
//! what it read, and compares.

use alloc::boxed::Box;
use alloc::vec::Vec;

use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use super::super::Slot;
use super::super::state::State;
use super::skipped::{self, Entries};
use super::state;
use crate::dialect::ARCHIVED_STATES_MAX;
use crate::error::Error;
use crate::store::pages::{PAGES, Pages};
use crate::wire::reader::Reader;
use crate::wire::writer::{self, Writer};

/// The version of these encodings, the first byte of each.
const VERSION: u8 = 1;

/// What the session's own record says of the others.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Directory {
    /// The pages of the current state that exist.
    pub(super) pages: Pages,
    /// The numbers of the archive records, newest first.
    pub(super) archive: Vec<u8>,
}

/// The current state as the session's own record has it.
enum Current<'a> {
    Usable(&'a [u8]),
    Unusable(&'a [u8]),
}

impl Directory {
    /// Reads the directory of the session's own record, and gives the current state's field.
    fn split(record: &[u8]) -> Result<(Self, Option<Current<'_>>), Error> {
        let mut directory = Self::default();
        let mut current = None;
        for field in Reader::new(after_version(record)?) {
            match field.map_err(|_| Error::InvalidSession)? {
                (1, value) => {
                    let bytes = value.bytes().map_err(|_| Error::InvalidSession)?;
                    current = Some(Current::Usable(bytes));
                }
                (2, value) => {
                    let bytes = value.bytes().map_err(|_| Error::InvalidSession)?;
                    current = Some(Current::Unusable(bytes));
                }
                (3, value) => {
                    let bits = value.uint64().map_err(|_| Error::InvalidSession)?;
                    directory.pages = Pages::from_bits(bits);
                }
                (4, value) => {
                    let numbers = value.bytes().map_err(|_| Error::InvalidSession)?;
                    if numbers.len() > ARCHIVED_STATES_MAX {
                        return Err(Error::InvalidSession);
                    }
                    directory.archive = numbers.to_vec();
                }
                _ => return Err(Error::InvalidSession),
            }
        }
        let mut seen = [false; 256];
        for number in &directory.archive {
            if seen.get_mut(usize::from(*number)).is_none_or(|seen| core::mem::replace(seen, true))
            {
                return Err(Error::InvalidSession);
            }
        }
        Ok((directory, current))
    }

    /// The directory of the session's own record. The states are not looked at.
    ///
    /// # Errors
    ///
    /// [`Error::FutureRecord`]; [`Error::InvalidSession`] when it is corrupt.
    pub(super) fn read(record: &[u8]) -> Result<Self, Error> {
        Self::split(record).map(|(directory, _)| directory)
    }
}

/// The session's own record.
pub(super) fn write_session(current: Option<&Slot>, directory: &Directory) -> Zeroizing<Vec<u8>> {
    Zeroizing::new(writer::encode(|w| {
        w.raw(&[VERSION]);
        write_slot(w, current);
        w.uint_nonzero(3, directory.pages.bits());
        w.bytes_nonempty(4, &directory.archive);
    }))
}

/// Reads the session's own record: the current state without its skipped keys, and the directory.
///
/// # Errors
///
/// [`Error::FutureRecord`]; [`Error::InvalidSession`] for anything that [`write_session`] does not write.
pub(super) fn read_session(record: &[u8]) -> Result<(Option<Slot>, Directory), Error> {
    let (directory, current) = Directory::split(record)?;
    let current = match current {
        None => None,
        Some(Current::Usable(bytes)) => {
            Some(Slot::Usable(Box::new(state::read(bytes).map_err(|_| Error::InvalidSession)?)))
        }
        Some(Current::Unusable(bytes)) => Some(Slot::Unusable(Zeroizing::new(bytes.to_vec()))),
    };
    // a record without any session is not written, and only a usable state has skipped keys
    let nothing = current.is_none() && directory.archive.is_empty();
    let misplaced =
        current.as_ref().and_then(Slot::usable).is_none() && !directory.pages.is_empty();
    if nothing || misplaced {
        return Err(Error::InvalidSession);
    }
    same(&write_session(current.as_ref(), &directory), record)?;
    Ok((current, directory))
}

/// The record of an archived state, with its skipped keys.
pub(super) fn write_archived(slot: &Slot) -> Zeroizing<Vec<u8>> {
    let mut length = 0_usize;
    if let Some(state) = slot.usable() {
        skipped::for_each(state, |_, parts| length = length.saturating_add(length_of(parts)));
    }
    Zeroizing::new(writer::encode(|w| {
        w.raw(&[VERSION]);
        write_slot(w, Some(slot));
        if let Some(state) = slot.usable().filter(|_| length > 0) {
            w.delimited(3, length);
            skipped::for_each(state, |_, parts| parts.iter().for_each(|part| w.raw(part)));
        }
    }))
}

/// Reads the record of an archived state. A corrupt one is a slot that cannot be used.
///
/// # Errors
///
/// [`Error::FutureRecord`]: its state may be sound, and must not be thrown away.
pub(super) fn read_archived(record: &[u8]) -> Result<Slot, Error> {
    match read_sound_archived(record) {
        Err(Error::FutureRecord(version)) => Err(Error::FutureRecord(version)),
        Err(_) => Ok(Slot::Unusable(Zeroizing::new(record.to_vec()))),
        Ok(slot) => Ok(slot),
    }
}

fn read_sound_archived(record: &[u8]) -> Result<Slot, Error> {
    let (mut slot, mut keys) = (None, None);
    for field in Reader::new(after_version(record)?) {
        match field? {
            (1, value) => slot = Some(Slot::Usable(Box::new(state::read(value.bytes()?)?))),
            (2, value) => slot = Some(Slot::Unusable(Zeroizing::new(value.bytes()?.to_vec()))),
            (3, value) => keys = Some(value.bytes()?),
            _ => return Err(Error::InvalidSession),
        }
    }
    let mut slot = slot.ok_or(Error::InvalidSession)?;
    if let (Slot::Usable(state), Some(keys)) = (&mut slot, keys) {
        let mut entries = Entries::default();
        skipped::read(state, None, keys, &mut entries)?;
        skipped::restore(state, entries)?;
    }
    same(&write_archived(&slot), record)?;
    Ok(slot)
}

fn write_slot(w: &mut Writer<'_>, slot: Option<&Slot>) {
    match slot {
        None => {}
        Some(Slot::Usable(state)) => w.message(1, |w| state::write(w, state)),
        Some(Slot::Unusable(bytes)) => w.bytes(2, bytes),
    }
}

/// The records of `pages`, in ascending order; without bytes where the page is empty.
pub(super) fn write_pages(state: &State, pages: Pages) -> Vec<(u32, Zeroizing<Vec<u8>>)> {
    // Every key is visited twice: to count, then to write, so that no buffer grows.
    let mut lengths = [0_usize; PAGES as usize];
    skipped::for_each(state, |counter, parts| {
        if let Some(length) = lengths.get_mut(Pages::of(counter) as usize) {
            *length = length.saturating_add(length_of(parts));
        }
    });
    let mut buffers: Vec<Zeroizing<Vec<u8>>> = Vec::with_capacity(PAGES as usize);
    for (page, length) in (0..).zip(lengths) {
        let written = pages.contains(page) && length > 0;
        let mut buffer = Vec::with_capacity(if written { length.saturating_add(1) } else { 0 });
        if written {
            buffer.push(VERSION);
        }
        buffers.push(Zeroizing::new(buffer));
    }
    skipped::for_each(state, |counter, parts| {
        let page = Pages::of(counter);
        if let Some(buffer) = buffers.get_mut(page as usize).filter(|_| pages.contains(page)) {
            parts.iter().for_each(|part| buffer.extend_from_slice(part));
        }
    });
    (0..).zip(buffers).filter(|(page, _)| pages.contains(*page)).collect()
}

/// Reads the record of a page of `state`.
///
/// # Errors
///
/// [`Error::FutureRecord`]; [`Error::InvalidSession`] for anything that [`write_pages`] does not write.
pub(super) fn read_page<'a>(
    state: &State,
    page: u32,
    record: &'a [u8],
    into: &mut Entries<'a>,
) -> Result<(), Error> {
    let entries = after_version(record)?;
    if entries.is_empty() {
        return Err(Error::InvalidSession);
    }
    skipped::read(state, Some(page), entries, into)
}

fn length_of(parts: &[&[u8]]) -> usize {
    parts.iter().fold(0, |sum, part| sum.saturating_add(part.len()))
}

/// What follows the version byte.
fn after_version(record: &[u8]) -> Result<&[u8], Error> {
    match record.split_first() {
        Some((&VERSION, rest)) => Ok(rest),
        Some((&version, _)) if version > VERSION => Err(Error::FutureRecord(version)),
        _ => Err(Error::InvalidSession),
    }
}

fn same(written: &[u8], read: &[u8]) -> Result<(), Error> {
    if bool::from(written.ct_eq(read)) { Ok(()) } else { Err(Error::InvalidSession) }
}
