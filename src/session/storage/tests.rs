//! What cannot be seen from outside: that there is one way to write a record, and derived keys.

use alloc::string::ToString;
use alloc::vec;
use alloc::vec::Vec;

use rand::SeedableRng;
use rand::rngs::StdRng;

use super::super::{Addresses, LocalDevice, PreKeys, Session, Slot};
use super::*;
use crate::address::DeviceId;
use crate::dialect::Policy;
use crate::keys::IdentityKeyPair;
use crate::prekey::{KemPreKey, PreKeyBundle, SignedPreKey};
use crate::ratchet::skipped_keys::Skipped;
use crate::ratchet::{MessageKeys, MessageSecret, SkippedKeys};
use crate::secret::Secret;
use crate::store::{MemoryStore, Store};
use crate::time::Timestamp;
use crate::wire::{PreKeySignalMessage, SignalMessage};

const NOW: Timestamp = Timestamp(1_790_000_000_000);

fn address(name: &str) -> Address {
    Address::new(name.to_string(), DeviceId::new(1).unwrap())
}

/// A session that has received in several chains, each with a few keys missing.
fn session(policy: Policy) -> Session {
    let mut rng = StdRng::seed_from_u64(6);
    let (ours, theirs) = (address("ours"), address("theirs"));
    let us = IdentityKeyPair::generate(&mut rng);
    let them = IdentityKeyPair::generate(&mut rng);
    let signed = SignedPreKey::generate(1, &us, NOW, &mut rng);
    let kem = KemPreKey::generate(1, &us, NOW, &mut rng);
    let with_kem = (policy != Policy::V3).then_some(&kem);
    let bundle = PreKeyBundle::of(1, ours.device(), *us.identity_key(), &signed, None, with_kem);
    let our_ends = Addresses { local: &ours, remote: &theirs };
    let their_ends = Addresses { local: &theirs, remote: &ours };
    let (mut session, mut peer) = (Session::new(), Session::new());
    let local = LocalDevice { identity: &them, registration_id: 2 };
    peer.initiate(their_ends, local, &bundle, policy, |_| true, NOW, &mut rng).unwrap();
    for round in 0..7 {
        let mut last = Vec::new();
        for _ in 0..35 {
            last = peer.encrypt(their_ends, b"text", |_| true, NOW, &mut rng).unwrap().bytes;
        }
        if round == 0 {
            let local = LocalDevice { identity: &us, registration_id: 1 };
            let keys = PreKeys { signed: Some(&signed), kem: Some(&kem), ..PreKeys::default() };
            let view = PreKeySignalMessage::parse(&last).unwrap();
            session.accept(our_ends, local, &view, keys, policy, |_| true, &mut rng).unwrap();
        } else {
            let view = SignalMessage::parse(&last).unwrap();
            session.decrypt(our_ends, &view, |_| true, &mut rng).unwrap();
        }
        let answer = session.encrypt(our_ends, b"text", |_| true, NOW, &mut rng).unwrap().bytes;
        let view = SignalMessage::parse(&answer).unwrap();
        peer.decrypt(their_ends, &view, |_| true, &mut rng).unwrap();
    }
    session
}

fn state(session: &Session) -> &super::super::state::State {
    session.current_state().unwrap()
}

/// The state of a session without its skipped keys.
fn bare(session: &Session) -> Slot {
    let bytes = records::write_session(session.current_slot(), &Directory::default());
    records::read_session(&bytes).unwrap().0.unwrap()
}

/// Every change of one bit, every truncation, and some additions.
fn damaged(bytes: &[u8]) -> impl Iterator<Item = Vec<u8>> {
    let flips = (0..bytes.len() * 8).map(|at| {
        let mut flipped = bytes.to_vec();
        flipped[at / 8] ^= 1 << (at % 8);
        flipped
    });
    let cuts = (0..bytes.len()).map(|length| bytes[..length].to_vec());
    let more: [&[u8]; 3] = [&[0], &[0x18, 0], &[0x20, 1]];
    flips.chain(cuts).chain(more.into_iter().map(move |more| [bytes, more].concat()))
}

#[test]
fn what_reads_as_a_session_or_an_archived_one_writes_the_same_bytes() {
    for policy in [Policy::V3, Policy::V4] {
        let session = session(policy);
        let directory = Directory { pages: Pages::NONE, archive: vec![3, 0, 255] };
        let own = records::write_session(session.current_slot(), &directory);
        assert_eq!(records::read_session(&own).unwrap().1, directory);
        let mut accepted = 0;
        for bytes in damaged(&own).step_by(if policy == Policy::V4 { 5 } else { 1 }) {
            if let Ok((slot, directory)) = records::read_session(&bytes) {
                accepted += 1;
                assert!(*records::write_session(slot.as_ref(), &directory) == bytes);
            }
        }
        // the bits of keys and numbers
        assert!(accepted > 500);
    }
    let session = session(Policy::V3);
    let slot = session.current_slot().unwrap();
    let archived = records::write_archived(slot);
    assert!(records::read_archived(&archived).unwrap() == *slot);
    for bytes in damaged(&archived).step_by(5) {
        match records::read_archived(&bytes) {
            Ok(Slot::Unusable(kept)) => {
                let wrapped = bytes.get(1) == Some(&0x12);
                assert!(*kept == bytes || wrapped, "a corrupt record is kept as it is");
            }
            Ok(slot) => assert!(*records::write_archived(&slot) == bytes),
            Err(error) => assert_eq!(error, Error::FutureRecord(bytes[0])),
        }
    }
}

#[test]
fn what_reads_as_a_page_writes_the_same_bytes() {
    for policy in [Policy::V3, Policy::V4] {
        let session = session(policy);
        let all = skipped::pages(state(&session));
        assert!(all.iter().count() >= 2);
        let pages = records::write_pages(state(&session), all);
        // one page is damaged, the others are whole
        let read = |instead: &[u8]| {
            let Slot::Usable(mut state) = bare(&session) else { panic!() };
            let mut entries = skipped::Entries::default();
            for (at, (page, record)) in pages.iter().enumerate() {
                let record = if at == 0 { instead } else { record };
                records::read_page(&state, *page, record, &mut entries)?;
            }
            skipped::restore(&mut state, entries)?;
            Ok::<_, Error>(state)
        };
        assert!(*read(&pages[0].1).unwrap() == *state(&session));
        let mut accepted = 0;
        for bytes in damaged(&pages[0].1).step_by(3) {
            if let Ok(state) = read(&bytes) {
                accepted += 1;
                let again = records::write_pages(&state, all);
                assert!(*again[0].1 == bytes && again[1..] == pages[1..]);
            }
        }
        // the bits of keys
        assert!(accepted > 100, "{accepted}");
    }
}

#[test]
fn keys_stored_derived_survive_in_pages_and_in_the_archive() {
    let mut session = session(Policy::V3);
    let Some(Slot::Usable(current)) = &mut session.current else { panic!() };
    let derived = |byte| {
        let keys = MessageKeys::derive(&Secret::new([byte; 32]), None);
        MessageSecret::Derived(keys)
    };
    let chain = current.ratchet.receivers.last_mut().unwrap();
    chain.skipped = SkippedKeys::from_entries(vec![
        Skipped { counter: 3, secret: derived(1) },
        Skipped { counter: 4, secret: MessageSecret::Seed(Secret::new([2; 32])) },
        Skipped { counter: 70, secret: derived(3) },
    ])
    .unwrap();
    session.stored.0.replace_current();
    let peer = address("theirs");
    let (mut store, mut rng) = (MemoryStore::new(), StdRng::seed_from_u64(1));
    for _ in 0..2 {
        let mut changes = Changes::new();
        session.save(&peer, &mut changes, &mut rng).unwrap();
        store.commit(&changes).unwrap();
        let mut snapshot = Snapshot::new();
        loop {
            let needs = Session::needs(&peer, &snapshot).unwrap();
            if needs.is_empty() {
                break;
            }
            for key in needs {
                let record = store.load(&key).unwrap();
                snapshot.insert(key, record);
            }
        }
        assert!(Session::load(&peer, &snapshot).unwrap() == session);
        session.archive_current();
    }
}

#[test]
fn numbers_of_chains_and_epochs_wrap_around() {
    let mut session = session(Policy::V3);
    let Some(Slot::Usable(current)) = &mut session.current else { panic!() };
    current.ratchet.dropped.0.count = 253;
    let all = skipped::pages(current);
    let pages = records::write_pages(current, all);
    let Slot::Usable(mut state) = bare(&session) else { panic!() };
    let mut entries = skipped::Entries::default();
    for (page, record) in &pages {
        records::read_page(&state, *page, record, &mut entries).unwrap();
    }
    skipped::restore(&mut state, entries).unwrap();
    assert!(*state == *super::tests::state(&session));
}

#[test]
fn a_number_is_not_given_away_while_its_record_is_being_deleted() {
    let stored = Stored { archive: vec![(0, Some(5)), (2, None)], ..Stored::nothing() };
    assert_eq!(stored.free_numbers(3), [1, 3, 4]);
}
