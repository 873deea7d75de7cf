use sandi::sesame::{CorrectDevices, DevicesChanged, ListedDevice, Sent};
use sandi::{Device, Error, Policy, RecordKey, Store, Timestamp};

use super::support::*;

fn listed(devices: &[u32]) -> Vec<ListedDevice> {
    let device = |&id| ListedDevice {
        id: sandi::DeviceId::new(id).unwrap(),
        registration_id: Some(1000 + id),
    };
    devices.iter().map(device).collect()
}

/// Alice's first device, her second one, and two of Bob's.
fn family() -> (Party, Party, Party, Party) {
    let identity = || sandi::keys::IdentityKeyPair::generate(&mut seeded("bob", 0));
    let alice = party(ALICE, 1, Policy::V4);
    let bytes = alice.device.identity().encode();
    let same = sandi::keys::IdentityKeyPair::decode(bytes.expose()).unwrap();
    let second = party_of(ALICE, 2, Policy::V4, same);
    (
        alice,
        second,
        party_of(BOB, 1, Policy::V4, identity()),
        party_of(BOB, 2, Policy::V4, identity()),
    )
}

fn update(party: &mut Party, user: &str, devices: &[u32]) -> DevicesChanged {
    let now = party.now;
    party.device.update_devices(user, &listed(devices), now, &mut party.rng).unwrap()
}

fn send(party: &mut Party, text: &str, copy: Option<&[u8]>) -> Sent {
    let now = party.now;
    party.device.encrypt_to_users(&[BOB], text.as_bytes(), copy, now, &mut party.rng).unwrap()
}

#[test]
fn one_call_encrypts_to_every_device_of_the_recipient_and_to_our_own_other_devices() {
    let (mut alice, mut second, mut bob, mut tablet) = family();
    // Nothing is known: the server is asked for lists, and then for bundles.
    let sent = send(&mut alice, "hi", Some(b"to Bob: hi"));
    let Sent::Incomplete { unknown_users, need_session, .. } = sent else { panic!("{sent:?}") };
    assert_eq!((unknown_users, need_session), (vec![BOB.to_owned(), ALICE.to_owned()], vec![]));
    update(&mut alice, BOB, &[1, 2]);
    let changed = update(&mut alice, ALICE, &[1, 2]);
    assert_eq!(changed.added.len(), 2);
    let before = alice.device.store().borrow().snapshot();
    let sent = send(&mut alice, "hi", Some(b"to Bob: hi"));
    let Sent::Incomplete { unknown_users, need_session, blocked } = sent else { panic!() };
    assert_eq!((unknown_users, blocked), (vec![], vec![]));
    assert_eq!(need_session, [address(BOB, 1), address(BOB, 2), address(ALICE, 2)]);
    // Nothing was spent.
    let records = |store: &sandi::MemoryStore| -> Vec<_> {
        store.iter().map(|(key, record)| (key.clone(), record.revision())).collect()
    };
    assert_eq!(records(&before), records(&alice.device.store().borrow()));
    alice.start(&mut bob);
    alice.start(&mut tablet);
    alice.start(&mut second);
    let Sent::Messages(messages) = send(&mut alice, "hi", Some(b"to Bob: hi")) else { panic!() };
    let texts: Vec<_> = [&mut bob, &mut tablet, &mut second]
        .into_iter()
        .zip(&messages)
        .map(|(party, sent)| {
            assert_eq!(
                (sent.address.clone(), sent.registration_id),
                (party.address(), 1000 + u32::from(party.device.address().device().get()))
            );
            party.read(&address(ALICE, 1), sent.message.as_ref().unwrap())
        })
        .collect();
    assert_eq!(texts, ["hi", "hi", "to Bob: hi"]);
    // Without a copy, our own devices get nothing; a message to ourselves is for them alone.
    let Sent::Messages(messages) = send(&mut alice, "hi", None) else { panic!() };
    assert_eq!(messages.len(), 2);
    let note = alice.device.encrypt_to_users(&[ALICE], b"note", None, NOW, &mut alice.rng).unwrap();
    let Sent::Messages(messages) = note else { panic!("{note:?}") };
    assert_eq!(messages.len(), 1);
    assert_eq!(second.read(&address(ALICE, 1), messages[0].message.as_ref().unwrap()), "note");
}

#[test]
fn a_server_that_names_missing_extra_and_stale_devices_is_followed() {
    let (mut alice, _, mut bob, mut tablet) = family();
    update(&mut alice, BOB, &[1, 3]);
    alice.start(&mut bob);
    let identity = sandi::keys::IdentityKeyPair::generate(&mut seeded("bob", 0));
    let mut gone = party_of(BOB, 3, Policy::V4, identity);
    alice.start(&mut gone);
    let Sent::Messages(messages) = send(&mut alice, "one", None) else { panic!() };
    assert_eq!(messages.len(), 2);
    let id = |id| sandi::DeviceId::new(id).unwrap();
    let correct = CorrectDevices { user: BOB, missing: &[id(2)], extra: &[id(3)], stale: &[id(1)] };
    let changed = alice.device.perform(&correct, NOW, &mut alice.rng).unwrap();
    assert_eq!(changed.added, [address(BOB, 2)]);
    assert_eq!(changed.removed, [address(BOB, 3)]);
    assert_eq!(changed.reinstalled, [address(BOB, 1)]);
    let Sent::Incomplete { need_session, .. } = send(&mut alice, "two", None) else { panic!() };
    assert_eq!(need_session, [address(BOB, 1), address(BOB, 2)]);
    alice.start(&mut bob);
    alice.start(&mut tablet);
    let Sent::Messages(messages) = send(&mut alice, "two", None) else { panic!() };
    for (party, sent) in [&mut bob, &mut tablet].into_iter().zip(&messages) {
        assert_eq!(party.read(&address(ALICE, 1), sent.message.as_ref().unwrap()), "two");
    }
}

#[test]
fn another_registration_id_means_that_the_device_was_installed_anew() {
    let (mut alice, _, mut bob, _) = family();
    update(&mut alice, BOB, &[1]);
    alice.start(&mut bob);
    let anew = [ListedDevice { id: sandi::DeviceId::new(1).unwrap(), registration_id: Some(77) }];
    let changed = alice.device.update_devices(BOB, &anew, NOW, &mut alice.rng).unwrap();
    assert_eq!(changed.reinstalled, [address(BOB, 1)]);
    let Sent::Incomplete { need_session, .. } = send(&mut alice, "x", None) else { panic!() };
    assert_eq!(need_session, [address(BOB, 1)]);
}

#[test]
fn a_removed_device_gets_nothing_its_late_messages_read_and_its_session_goes_after_thirty_days() {
    let (mut alice, _, mut bob, mut tablet) = family();
    update(&mut alice, BOB, &[1, 2]);
    alice.start(&mut bob);
    alice.start(&mut tablet);
    let Sent::Messages(messages) = send(&mut alice, "one", None) else { panic!() };
    tablet.read(&address(ALICE, 1), messages[1].message.as_ref().unwrap());
    let late = tablet.write(&alice.address(), "late");
    let later = tablet.write(&alice.address(), "later");
    let changed = update(&mut alice, BOB, &[1]);
    assert_eq!(changed.removed, [address(BOB, 2)]);
    let Sent::Messages(messages) = send(&mut alice, "two", None) else { panic!() };
    assert_eq!(messages.len(), 1);
    assert_eq!(alice.read(&tablet.address(), &late), "late");
    alice.now = Timestamp(NOW.0 + 30 * DAY);
    update(&mut alice, BOB, &[1]);
    assert_eq!(alice.refused(&tablet.address(), &later), Error::SessionNotFound);
    let key = RecordKey::Session(tablet.address());
    assert!(alice.device.store().load(&key).unwrap().is_none());
    assert_eq!(alice.device.devices_of(BOB).unwrap().unwrap().devices().len(), 1);
}

#[test]
fn a_device_that_comes_back_keeps_its_session() {
    let (mut alice, _, mut bob, _) = family();
    update(&mut alice, BOB, &[1]);
    alice.start(&mut bob);
    update(&mut alice, BOB, &[]);
    let Sent::Messages(messages) = send(&mut alice, "nobody", None) else { panic!() };
    assert!(messages.is_empty());
    update(&mut alice, BOB, &[1]);
    assert!(
        matches!(send(&mut alice, "back", None), Sent::Messages(messages) if messages.len() == 1)
    );
}

#[test]
fn a_list_that_changes_under_a_message_makes_it_go_to_the_new_list() {
    let (mut alice, _, mut bob, mut tablet) = family();
    update(&mut alice, BOB, &[1]);
    alice.start(&mut bob);
    alice.start(&mut tablet);
    let mut other = Device::open(alice.device.store().clone(), options(Policy::V4)).unwrap();
    let users = [BOB];
    let operation =
        sandi::sesame::EncryptToUsers { users: &users, content: b"all", own_content: None };
    let mut first = true;
    let mut rng = seeded("other", 5);
    // The other handle adds a device between load and commit.
    let sent = alice.device.perform_with(&operation, NOW, &mut alice.rng, |_, _| {
        if std::mem::take(&mut first) {
            other.update_devices(BOB, &listed(&[1, 2]), NOW, &mut rng).unwrap();
        }
        Ok(())
    });
    let Sent::Messages(messages) = sent.unwrap() else { panic!() };
    assert_eq!(messages.len(), 2);
}

#[test]
fn a_user_has_at_most_256_devices() {
    let mut alice = party(ALICE, 1, Policy::V3);
    let all: Vec<_> = (0..=255)
        .map(|id| ListedDevice { id: sandi::DeviceId::new_v3(id).unwrap(), registration_id: None })
        .collect();
    alice.device.update_devices(BOB, &all, NOW, &mut alice.rng).unwrap();
    let record = alice.device.store().load(&RecordKey::User(BOB.into())).unwrap().unwrap();
    assert!(record.bytes().len() < 2_000);
}
