//! Skipped keys in records: a page of the current state's, or all those of an archived state.
//!
//! One entry after the other, numbers big-endian:
//!
//! ```text
//! 1 ‖ chain ‖ counter (4) ‖ seed (32)                           of a receiving chain
//! 2 ‖ chain ‖ counter (4) ‖ cipher key (32) ‖ MAC key (32) ‖ IV (16)    the same, stored derived
//! 3 ‖ link ‖ index (4) ‖ place (4) ‖ key (32)                   of SPQR
//! ```
//!
//! `chain` is the number of the receiving chain, counted from the session's first modulo 256; `link` the key
//! epoch modulo 256. Entries ascend: those of chains before those of SPQR, older chains first, then by
//! counter, in SPQR by place. So there is one way to write them.

use alloc::vec::Vec;

use super::super::state::State;
use crate::error::Error;
use crate::ratchet::skipped_keys::Skipped;
use crate::ratchet::{MessageKeys, MessageSecret, SkippedKeys};
use crate::secret::Secret;
use crate::store::pages::Pages;

const SEED: u8 = 1;
const DERIVED: u8 = 2;
const SPQR: u8 = 3;

/// Entries as they stand in records, in any order.
#[derive(Default)]
pub(super) struct Entries<'a> {
    of_chains: Vec<ChainEntry<'a>>,
    of_links: Vec<LinkEntry<'a>>,
}

struct ChainEntry<'a> {
    /// Which receiving chain, the oldest is 0.
    position: usize,
    counter: u32,
    secret: StoredSecret<'a>,
}

enum StoredSecret<'a> {
    Seed(&'a [u8; 32]),
    Derived(&'a [u8; 32], &'a [u8; 32], &'a [u8; 16]),
}

struct LinkEntry<'a> {
    /// Which link, the oldest is 0.
    position: usize,
    place: u32,
    index: u32,
    key: &'a [u8; 32],
}

/// Calls `each` with every entry of a state, in order: its counter, and its bytes in parts.
pub(super) fn for_each(state: &State, mut each: impl FnMut(u32, &[&[u8]])) {
    let mut number = state.ratchet.dropped.0.count;
    for chain in &state.ratchet.receivers {
        for entry in chain.skipped.entries() {
            let counter = entry.counter.to_be_bytes();
            match &entry.secret {
                MessageSecret::Seed(seed) => {
                    each(entry.counter, &[&[SEED, number], &counter, seed.expose()]);
                }
                MessageSecret::Derived(keys) => each(
                    entry.counter,
                    &[
                        &[DERIVED, number],
                        &counter,
                        keys.cipher_key().expose(),
                        keys.mac_key().expose(),
                        keys.iv().expose(),
                    ],
                ),
            }
        }
        number = number.wrapping_add(1);
    }
    for skipped in state.spqr.skipped() {
        let (index, place) = (skipped.index.to_be_bytes(), skipped.place.to_be_bytes());
        each(skipped.index, &[&[SPQR, skipped.link], &index, &place, skipped.key]);
    }
}

/// The pages that a state's entries lie in.
pub(super) fn pages(state: &State) -> Pages {
    let mut pages = Pages::NONE;
    for_each(state, |counter, _| pages.insert_counter(counter));
    pages
}

/// Reads entries of `state`, whose chains and links are there but hold no keys yet. With `page`, all of them
/// must belong to it.
///
/// # Errors
///
/// [`Error::InvalidSession`] for anything that [`for_each`] would not give.
pub(super) fn read<'a>(
    state: &State,
    page: Option<u32>,
    bytes: &'a [u8],
    into: &mut Entries<'a>,
) -> Result<(), Error> {
    let mut rest = bytes;
    let mut previous = None;
    while !rest.is_empty() {
        let (counter, rank) = read_entry(state, &mut rest, into).ok_or(Error::InvalidSession)?;
        let ascends = previous.is_none_or(|previous| previous < rank);
        if !ascends || page.is_some_and(|page| page != Pages::of(counter)) {
            return Err(Error::InvalidSession);
        }
        previous = Some(rank);
    }
    Ok(())
}

/// Chains before SPQR, older ones first, then the order within.
type Rank = (bool, usize, u32);

/// Reads one entry: its counter and its rank.
fn read_entry<'a>(
    state: &State,
    rest: &mut &'a [u8],
    into: &mut Entries<'a>,
) -> Option<(u32, Rank)> {
    let &[kind, number] = take(rest)?;
    let counter = u32::from_be_bytes(*take(rest)?);
    if kind == SPQR {
        let position = state.spqr.link_position(number)?;
        let place = u32::from_be_bytes(*take(rest)?);
        into.of_links.push(LinkEntry { position, place, index: counter, key: take(rest)? });
        return Some((counter, (true, position, place)));
    }
    let position = usize::from(number.wrapping_sub(state.ratchet.dropped.0.count));
    if position >= state.ratchet.receivers.len() {
        return None;
    }
    let secret = match kind {
        SEED => StoredSecret::Seed(take(rest)?),
        DERIVED => StoredSecret::Derived(take(rest)?, take(rest)?, take(rest)?),
        _ => return None,
    };
    into.of_chains.push(ChainEntry { position, counter, secret });
    Some((counter, (false, position, counter)))
}

fn take<'a, const N: usize>(rest: &mut &'a [u8]) -> Option<&'a [u8; N]> {
    let (taken, after) = rest.split_first_chunk()?;
    *rest = after;
    Some(taken)
}

/// Gives a state all of its keys.
///
/// # Errors
///
/// [`Error::InvalidSession`] for two keys of one message, a hole in the order of SPQR, or more keys than
/// a chain can have.
pub(super) fn restore(state: &mut State, entries: Entries<'_>) -> Result<(), Error> {
    // Only references move: the keys are copied once, to where they stay.
    let Entries { mut of_chains, mut of_links } = entries;
    of_chains.sort_unstable_by_key(|entry| (entry.position, entry.counter));
    of_links.sort_unstable_by_key(|entry| (entry.position, entry.place));
    for of_one in of_chains.chunk_by(|a, b| a.position == b.position) {
        let position = of_one.first().map_or(0, |entry| entry.position);
        let mut keys = Vec::with_capacity(of_one.len());
        for ChainEntry { counter, secret, .. } in of_one {
            keys.push(Skipped { counter: *counter, secret: secret.copy() });
        }
        let chain = state.ratchet.receivers.get_mut(position).ok_or(Error::InvalidSession)?;
        chain.skipped = SkippedKeys::from_entries(keys).ok_or(Error::InvalidSession)?;
    }
    for of_one in of_links.chunk_by(|a, b| a.position == b.position) {
        let position = of_one.first().map_or(0, |entry| entry.position);
        if !of_one.iter().zip(0..).all(|(entry, place)| entry.place == place) {
            return Err(Error::InvalidSession);
        }
        let keys = of_one.iter().map(|entry| (entry.index, entry.key));
        state.spqr.restore_skipped(position, keys).map_err(|_| Error::InvalidSession)?;
    }
    Ok(())
}

impl StoredSecret<'_> {
    fn copy(&self) -> MessageSecret {
        match *self {
            Self::Seed(seed) => MessageSecret::Seed(Secret::new(*seed)),
            Self::Derived(cipher_key, mac_key, iv) => {
                MessageSecret::Derived(MessageKeys::from_parts(
                    Secret::new(*cipher_key),
                    Secret::new(*mac_key),
                    Secret::new(*iv),
                ))
            }
        }
    }
}
