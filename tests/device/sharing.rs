//! Several handles on one store: what one of them has read is no ground for an answer once another has changed it.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use sandi::device::Device;
use sandi::protocol::ServerStock;
use sandi::sesame::{EncryptToUsers, ListedDevice, Sent};
use sandi::session::Requirements;
use sandi::{Changes, CommitError, Error, MemoryStore, Policy, Record, RecordKey, Store};

use super::support::*;

/// A second handle on the store of `party`.
fn another(party: &Party) -> Party {
    let device = Device::open(party.device.store().clone(), *party.device.options()).unwrap();
    let rng = seeded("another", 1);
    Party { device, now: party.now, rng, server: party.server.clone() }
}

#[test]
fn a_session_that_another_handle_has_started_is_found() {
    for policy in POLICIES {
        let (mut first, mut bob) = (party(ALICE, 1, policy), party(BOB, 1, policy));
        let mut second = another(&first);
        let error = first.try_write(&bob.address(), "too early").unwrap_err();
        assert_eq!(error.protocol(), Some(Error::SessionNotFound));
        second.start(&mut bob);
        let message = first.write(&bob.address(), "hello");
        assert_eq!(bob.read(&first.address(), &message), "hello");
    }
}

#[test]
fn a_session_that_replaces_an_archived_one_in_another_handle_is_found() {
    let (mut first, mut bob) = conversing(Policy::V4);
    let mut second = another(&first);
    assert!(first.device.archive_session(&bob.address(), NOW, &mut first.rng).unwrap());
    let error = first.try_write(&bob.address(), "archived").unwrap_err();
    assert_eq!(error.protocol(), Some(Error::SessionNotFound));
    second.start(&mut bob);
    let message = first.write(&bob.address(), "hello");
    assert_eq!(bob.read(&first.address(), &message), "hello");
}

#[test]
fn a_session_that_another_handle_has_started_is_archived() {
    let (mut first, mut bob) = (party(ALICE, 1, Policy::V4), party(BOB, 1, Policy::V4));
    let mut second = another(&first);
    assert!(!first.device.archive_session(&bob.address(), NOW, &mut first.rng).unwrap());
    second.start(&mut bob);
    assert!(first.device.archive_session(&bob.address(), NOW, &mut first.rng).unwrap());
}

#[test]
fn devices_whose_session_another_handle_has_started_are_not_missing() {
    let (mut first, mut bob) = (party(ALICE, 1, Policy::V4), party(BOB, 1, Policy::V4));
    let mut second = another(&first);
    let listed = ListedDevice { id: bob.address().device(), registration_id: None };
    first.device.update_devices(BOB, &[listed], NOW, &mut first.rng).unwrap();
    let to_bob = EncryptToUsers { users: &[BOB], content: b"hello", own_content: None };
    let sent = first.device.perform(&to_bob, NOW, &mut first.rng).unwrap();
    assert!(matches!(sent, Sent::Incomplete { .. }), "{sent:?}");
    second.start(&mut bob);
    let sent = first.device.perform(&to_bob, NOW, &mut first.rng).unwrap();
    assert!(matches!(sent, Sent::Messages(_)), "{sent:?}");
}

/// A store in which something happens just before one of the loads.
struct Interrupted {
    inner: Memory,
    loads: Rc<Cell<Option<u32>>>,
    then: Rc<RefCell<dyn FnMut()>>,
}

impl Store for Interrupted {
    type Error = std::convert::Infallible;

    fn load(&self, key: &RecordKey) -> Result<Option<Record>, Self::Error> {
        match self.loads.get() {
            Some(0) => {
                self.loads.set(None);
                (self.then.borrow_mut())();
            }
            left => self.loads.set(left.map(|left| left - 1)),
        }
        self.inner.load(key)
    }

    fn commit(&mut self, changes: &Changes) -> Result<(), CommitError<Self::Error>> {
        self.inner.commit(changes)
    }
}

/// Between any two loads of one handle, another one delivers a late message: the page of its key goes, and what was
/// loaded before fits no more to what is loaded then.
fn interrupt_every_load(act: impl Fn(&mut Party<Interrupted>, &mut Party)) {
    for policy in POLICIES {
        let mut interrupted = 0;
        for nth in 0.. {
            let (mut alice, mut bob) = conversing(policy);
            let late = alice.write(&bob.address(), "late");
            let message = alice.write(&bob.address(), "next");
            bob.read(&alice.address(), &message);
            let mut second = another(&bob);
            let from = alice.address();
            let then = move || assert_eq!(second.read(&from, &late), "late");
            let (loads, inner) = (Rc::new(Cell::new(None)), bob.device.store().clone());
            let store =
                Interrupted { inner, loads: loads.clone(), then: Rc::new(RefCell::new(then)) };
            let device = Device::open(store, *bob.device.options()).unwrap();
            let (now, rng, server) = (bob.now, seeded("first", 1), bob.server.clone());
            let mut first = Party { device, now, rng, server };
            loads.set(Some(nth));
            act(&mut first, &mut alice);
            if loads.get().is_some() {
                break;
            }
            interrupted += 1;
        }
        assert!(interrupted > 2);
    }
}

#[test]
fn encrypting_while_another_handle_decrypts_reports_no_corrupt_session() {
    interrupt_every_load(|bob, alice| {
        let message = bob.write(&alice.address(), "hello");
        assert_eq!(alice.read(&bob.address(), &message), "hello");
    });
}

#[test]
fn looking_at_a_session_while_another_handle_decrypts_reports_no_corrupt_session() {
    interrupt_every_load(|bob, alice| {
        let (now, from) = (bob.now, alice.address());
        assert!(bob.device.has_session(&from, Requirements::default(), now).unwrap());
    });
}

#[test]
fn a_batch_that_was_used_up_before_its_upload_was_confirmed_is_replaced() {
    for policy in POLICIES {
        let mut bob = party(BOB, 1, policy);
        let upload = bob.device.replenish(ServerStock::default(), NOW, &mut bob.rng).unwrap();
        // The server has it, and hands it out; bob's process ends before the upload is confirmed.
        bob.server.one_time.clone_from(&upload.one_time);
        bob.server.one_time_kem.clone_from(&upload.one_time_kem);
        let count = upload.one_time.len().max(upload.one_time_kem.len());
        assert_eq!(count, 4);
        bob.restart();
        for device in 1..=u32::try_from(count).unwrap() {
            let mut alice = party(ALICE, device, policy);
            alice.start(&mut bob);
            let message = alice.write(&bob.address(), "hello");
            bob.read(&alice.address(), &message);
        }
        let upload = bob.device.replenish(ServerStock::default(), NOW, &mut bob.rng).unwrap();
        assert_eq!(upload.one_time.len(), 4, "no pre-keys are made any more");
        assert_eq!(upload.one_time_kem.len(), if policy == Policy::V4 { 2 } else { 0 });
        let store: &MemoryStore = &bob.device.store().borrow();
        assert!(store.iter().any(|(key, _)| matches!(key, RecordKey::PreKey(_))));
    }
}
