use sandi::protocol::{Options, PreKeyPlan, ServerStock};
use sandi::{Error, Policy, RecordKey, Store, Timestamp};

use super::support::*;

const EMPTY: ServerStock = ServerStock { one_time: 0, one_time_kem: 0 };
const FULL: ServerStock = ServerStock { one_time: 4, one_time_kem: 2 };

fn records(party: &Party) -> usize {
    party.device.store().borrow().len()
}

#[test]
fn a_new_device_uploads_everything_and_an_upload_that_was_lost_comes_up_again() {
    let mut alice = party(ALICE, 1, Policy::V4);
    // `party` has confirmed the first upload.
    let first = alice.server.clone();
    assert_eq!((first.one_time.len(), first.one_time_kem.len()), (4, 2));
    assert!(first.signed.is_some() && first.last_resort.is_some());
    first.bundle(alice.device.address().device(), 0).unwrap().verify().unwrap();
    assert!(alice.device.replenish(FULL, NOW, &mut alice.rng).unwrap().is_empty());
    // The stock has run low: new keys, no old ones.
    let low = ServerStock { one_time: 1, one_time_kem: 2 };
    let upload = alice.device.replenish(low, NOW, &mut alice.rng).unwrap();
    assert_eq!((upload.one_time.len(), upload.one_time_kem.len()), (3, 0));
    assert!(upload.signed.is_none() && upload.last_resort.is_none());
    assert!(upload.one_time.iter().all(|new| first.one_time.iter().all(|old| old.id != new.id)));
    // Lost in a crash: the same upload again, and nothing on top of it.
    alice.restart();
    assert_eq!(alice.device.replenish(low, NOW, &mut alice.rng).unwrap(), upload);
    alice.device.confirm_upload(&upload, NOW, &mut alice.rng).unwrap();
    assert!(alice.device.replenish(FULL, NOW, &mut alice.rng).unwrap().is_empty());
}

#[test]
fn a_version_3_device_makes_no_kem_pre_keys() {
    let alice = party(ALICE, 1, Policy::V3);
    assert!(alice.server.last_resort.is_none() && alice.server.one_time_kem.is_empty());
}

#[test]
fn exhausted_one_time_pre_keys_leave_the_last_resort_and_a_replayed_first_message_is_refused() {
    let mut bob = party(BOB, 1, Policy::V4);
    bob.server.one_time.clear();
    bob.server.one_time_kem.clear();
    // Between names that are no service ids, a message is not bound to its addresses.
    let mut alice = party("alice", 1, Policy::V4);
    let bundle = bob.bundle();
    assert!(bundle.pre_key.is_none());
    assert_eq!(bundle.kem_pre_key, bob.server.last_resort);
    alice.device.start_session(&bob.address(), &bundle, NOW, &mut alice.rng).unwrap();
    let hello = alice.write(&bob.address(), "hello");
    assert_eq!(bob.read(&alice.address(), &hello), "hello");
    // The same message under another address: the last-resort pre-key remembers it (spec 02 §6).
    bob.restart();
    assert_eq!(bob.refused(&address("carol", 1), &hello), Error::ReusedBaseKey);
    assert_eq!(Error::ReusedBaseKey.disposition(), sandi::Disposition::AskSenderToResend);
    // Others can still start.
    let mut carol = party(CAROL, 1, Policy::V4);
    carol.start(&mut bob);
    let message = carol.write(&bob.address(), "me too");
    assert_eq!(bob.read(&carol.address(), &message), "me too");
}

#[test]
fn signed_and_last_resort_pre_keys_rotate_and_late_messages_still_find_the_old_ones() {
    let (mut alice, mut bob) = (party(ALICE, 1, Policy::V4), party(BOB, 1, Policy::V4));
    bob.server.one_time.clear();
    bob.server.one_time_kem.clear();
    alice.start(&mut bob);
    let late = alice.write(&bob.address(), "late");
    let older = records(&bob);
    let rotate = |bob: &mut Party, days: u64| {
        let now = Timestamp(NOW.0 + days * DAY);
        let upload = bob.device.replenish(FULL, now, &mut bob.rng).unwrap();
        bob.device.confirm_upload(&upload, now, &mut bob.rng).unwrap();
        upload
    };
    assert!(rotate(&mut bob, 1).is_empty());
    let upload = rotate(&mut bob, 2);
    assert!(upload.signed.is_some() && upload.last_resort.is_some());
    assert!(upload.one_time.is_empty());
    assert_ne!(upload.signed.unwrap().id, bob.server.signed.as_ref().unwrap().id);
    assert_eq!(records(&bob), older + 2);
    // 29 days after it was replaced, the old pair still serves; after 30 it is gone, with its history.
    for days in (4..=30).step_by(2) {
        rotate(&mut bob, days);
    }
    let copy = bob.device.store().borrow().snapshot();
    assert_eq!(bob.read(&alice.address(), &late), "late");
    *bob.device.store().borrow_mut() = copy;
    bob.device.forget_cached();
    rotate(&mut bob, 32);
    let error = bob.refused(&alice.address(), &late);
    assert!(matches!(error, Error::InvalidSignedPreKeyId(_)), "{error}");
    // Bounded: at most 16 of each are kept.
    for days in (34..=200).step_by(2) {
        rotate(&mut bob, days);
    }
    let kept = |kind: fn(&RecordKey) -> bool| {
        bob.device.store().borrow().iter().filter(|(key, _)| kind(key)).count()
    };
    assert_eq!(kept(|key| matches!(key, RecordKey::SignedPreKey(_))), 16);
    assert_eq!(kept(|key| matches!(key, RecordKey::KemReplay { .. })), 0);
}

#[test]
fn a_clock_that_goes_back_rotates_and_deletes_nothing() {
    let mut bob = party(BOB, 1, Policy::V4);
    let before = records(&bob);
    for back in [1, 365, 20_000] {
        let now = Timestamp(NOW.0.saturating_sub(back * DAY));
        assert!(bob.device.replenish(FULL, now, &mut bob.rng).unwrap().is_empty());
    }
    assert_eq!(records(&bob), before);
}

#[test]
fn unused_one_time_pre_keys_are_deleted_after_ninety_days() {
    let mut bob = party(BOB, 1, Policy::V3);
    let now = Timestamp(NOW.0 + 90 * DAY);
    let upload = bob.device.replenish(EMPTY, now, &mut bob.rng).unwrap();
    assert_eq!(upload.one_time.len(), 4);
    for old in &bob.server.one_time {
        assert!(bob.device.store().load(&RecordKey::PreKey(old.id)).unwrap().is_none());
    }
    for new in &upload.one_time {
        assert!(bob.device.store().load(&RecordKey::PreKey(new.id)).unwrap().is_some());
    }
}

#[test]
fn ids_start_again_after_the_last_one_and_never_meet_a_key_that_is_kept() {
    let mut bob = party(BOB, 1, Policy::V3);
    // As from another implementation: one-time pre-keys at the very end of the ids, and one at the start.
    let keys: Vec<_> = [3, 0xFF_FFFD, 0xFF_FFFE]
        .map(|id| sandi::prekey::PreKey::generate(id, &mut bob.rng))
        .into();
    let fresh = Memory::default();
    let identity = sandi::keys::IdentityKeyPair::generate(&mut bob.rng);
    let new = sandi::device::NewDevice {
        address: address(BOB, 1),
        identity,
        registration_id: 5,
        scope: sandi::protocol::IdentityScope::Device,
    };
    let mut device = sandi::Device::create(fresh, new, options(Policy::V3), &mut bob.rng).unwrap();
    let imported = sandi::protocol::ImportPreKeys { one_time: &keys, ..Default::default() };
    device.import_pre_keys(&imported, NOW, &mut bob.rng).unwrap();
    let mut seen: std::collections::BTreeSet<u32> = keys.iter().map(|key| key.id()).collect();
    for round in 0..20 {
        let upload = device.replenish(EMPTY, NOW, &mut bob.rng).unwrap();
        assert_eq!(upload.one_time.len(), 4, "round {round}");
        for key in &upload.one_time {
            assert!((1..=0xFF_FFFF).contains(&key.id));
            assert!(seen.insert(key.id), "id {} twice", key.id);
        }
        device.confirm_upload(&upload, NOW, &mut bob.rng).unwrap();
    }
    assert!(seen.contains(&4) || seen.contains(&1), "{seen:?}");
}

#[test]
fn batches_are_bounded_however_often_the_server_asks() {
    let mut bob = party(BOB, 1, Policy::V3);
    for _ in 0..200 {
        let upload = bob.device.replenish(EMPTY, NOW, &mut bob.rng).unwrap();
        bob.device.confirm_upload(&upload, NOW, &mut bob.rng).unwrap();
    }
    assert!(records(&bob) < 4 * 66 + 10, "{}", records(&bob));
    let ledger = bob.device.store().load(&RecordKey::PreKeyLedger).unwrap().unwrap();
    assert!(ledger.bytes().len() < 2_000, "{}", ledger.bytes().len());
}

#[test]
fn a_plan_is_cut_to_what_a_server_takes() {
    let mut bob = party(BOB, 1, Policy::V3);
    let plan = PreKeyPlan { one_time: 5_000, refill_below: 5_000, ..PreKeyPlan::default() };
    let options = Options { pre_keys: plan, ..options(Policy::V3) };
    bob.device.set_options(options);
    let upload = bob.device.replenish(EMPTY, NOW, &mut bob.rng).unwrap();
    assert_eq!(upload.one_time.len(), 1_000);
}

#[test]
fn a_device_shows_the_pre_keys_that_it_holds() {
    let mut alice = party(ALICE, 1, Policy::V4);
    alice.restart();
    let (device, upload) = (&alice.device, &alice.server);
    let signed = upload.signed.as_ref().unwrap();
    let held = device.signed_pre_key(signed.id).unwrap().unwrap();
    assert_eq!((held.key_pair().public_key(), held.signature()), (&signed.key, &signed.signature));
    for one_time in &upload.one_time {
        let held = device.pre_key(one_time.id).unwrap().unwrap();
        assert_eq!(held.key_pair().public_key(), &one_time.key);
    }
    for (key, one_time) in upload
        .one_time_kem
        .iter()
        .map(|key| (key, true))
        .chain(upload.last_resort.iter().map(|key| (key, false)))
    {
        let held = device.kem_pre_key(key.id).unwrap().unwrap();
        assert_eq!((held.key.key_pair().public_key(), held.one_time), (&key.key, one_time));
    }
    assert!(device.pre_key(0).unwrap().is_none());
    assert!(device.signed_pre_key(0).unwrap().is_none());
    assert!(device.kem_pre_key(0).unwrap().is_none());
}
