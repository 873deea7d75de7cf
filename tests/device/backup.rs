//! A device's state in a backup: nothing that was restored uses a key again.

use std::collections::BTreeSet;

use proptest::prelude::*;
use sandi::backup::BackupKey;
use sandi::device::{DeviceError, DeviceRestore};
use sandi::group::Distribution;
use sandi::keys::{IdentityKeyPair, PublicKey};
use sandi::protocol::{
    BackupIdentity, DeviceBackupReader, RestoredIdentity, SendToGroup, SentToGroup, ServerStock,
    Verification,
};
use sandi::sesame::ListedDevice;
use sandi::session::CiphertextMessage;
use sandi::wire::{CiphertextMessageType, PreKeySignalMessage, SignalMessage};
use sandi::{Changes, DeviceId, Error, Policy, RecordKey, Store};

use super::support::*;

fn key() -> BackupKey {
    BackupKey::generate(&mut seeded("backup", 0))
}

/// Alice's backup: Bob's identity, her list of his devices, and a record of the application.
fn export(alice: &mut Party, bob: &Party, identity: BackupIdentity) -> Vec<u8> {
    let mut file = Vec::new();
    let mut export = alice.device.export(&key(), identity, NOW, &mut file, &mut alice.rng).unwrap();
    assert!(export.peer(&bob.address(), &mut file).unwrap());
    assert!(!export.peer(&address(CAROL, 1), &mut file).unwrap());
    assert!(export.user(BOB, &mut file).unwrap());
    assert!(export.application(b"messages", &mut file).unwrap());
    assert!(!export.application(b"nothing", &mut file).unwrap());
    export.finish(&mut file).unwrap();
    file
}

fn restore(
    file: &[u8],
    identity: RestoredIdentity,
    policy: Policy,
    installation: u32,
    cut: usize,
) -> Result<Party, DeviceError<std::convert::Infallible>> {
    let mut rng = seeded("restored", installation);
    let mut restore = DeviceRestore::new(Memory::default(), &key())?;
    for piece in file.chunks(cut) {
        restore.update(piece, &mut rng)?;
    }
    let mut device = restore.finish(identity, options(policy), &mut rng)?;
    let kinds = |key: &RecordKey| match key {
        RecordKey::Local | RecordKey::PreKeyLedger => 0,
        RecordKey::Identity { .. } | RecordKey::User(_) | RecordKey::Application(_) => 1,
        other => panic!("{other:?} must not be restored"),
    };
    assert_eq!(device.store().borrow().iter().map(|(key, _)| kinds(key)).sum::<u32>(), 3);
    let server = device.replenish(ServerStock::default(), NOW, &mut rng)?;
    device.confirm_upload(&server, NOW, &mut rng)?;
    Ok(Party { device, now: NOW, rng, server })
}

fn new_identity(installation: u32) -> RestoredIdentity {
    RestoredIdentity::New(IdentityKeyPair::generate(&mut seeded("identity", installation)))
}

/// A conversation with Bob's devices listed and verified, and a record of the application.
fn prepared(policy: Policy) -> (Party, Party) {
    let (mut alice, bob) = conversing(policy);
    let identity = *bob.device.identity_key();
    let verified = Verification::Verified;
    let (peer, rng) = (bob.address(), &mut alice.rng);
    alice.device.set_verification(&peer, &identity, verified, NOW, rng).unwrap();
    let listed = [ListedDevice { id: DeviceId::new(1).unwrap(), registration_id: None }];
    alice.device.update_devices(BOB, &listed, NOW, rng).unwrap();
    let mut changes = Changes::new();
    let name = RecordKey::Application(b"messages".as_slice().into());
    changes.create(name, b"hello".to_vec(), rng).unwrap();
    alice.device.store_mut().commit(&changes).unwrap();
    (alice, bob)
}

/// What must not come twice: ciphertexts, ratchet keys, and public pre-keys of all installations.
#[derive(Default)]
struct Used {
    ciphertexts: BTreeSet<Vec<u8>>,
    ratchet_keys: BTreeSet<(Vec<u8>, u32)>,
    sessions: BTreeSet<Vec<u8>>,
    pre_key_ids: BTreeSet<u32>,
    registration_ids: BTreeSet<u32>,
}

impl Used {
    fn message(&mut self, message: &CiphertextMessage) {
        let signal = match message.message_type {
            CiphertextMessageType::PreKey => {
                *PreKeySignalMessage::parse(&message.bytes).unwrap().message()
            }
            _ => SignalMessage::parse(&message.bytes).unwrap(),
        };
        assert!(self.ciphertexts.insert(signal.ciphertext().to_vec()), "a ciphertext came twice");
        let key = (signal.ratchet_key().encode().to_vec(), signal.counter());
        assert!(self.ratchet_keys.insert(key), "a message key came twice");
    }

    /// No session of an installation begins with a ratchet key of another one.
    fn installation(&mut self, party: &Party, first: &CiphertextMessage) {
        assert!(self.registration_ids.insert(party.device.registration_id()));
        for key in &party.server.one_time {
            assert!(self.pre_key_ids.insert(key.id), "an id of a pre-key came twice");
        }
        let first = PreKeySignalMessage::parse(&first.bytes).unwrap();
        let base: &PublicKey = first.base_key();
        assert!(self.sessions.insert(base.encode().to_vec()));
    }
}

fn converse(alice: &mut Party, bob: &mut Party, turns: &[bool], used: &mut Used) {
    for (at, from_alice) in turns.iter().enumerate() {
        let (from, to) =
            if *from_alice { (&mut *alice, &mut *bob) } else { (&mut *bob, &mut *alice) };
        // the same text each time: only the keys differ
        let message = from.write(&to.address(), "same text");
        used.message(&message);
        assert_eq!(to.read(&from.address(), &message), "same text", "{at}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(6))]

    #[test]
    fn restored_devices_use_no_key_again_whatever_was_said_before_and_after(
        v4 in any::<bool>(),
        keep in any::<bool>(),
        cut in prop_oneof![1_usize..200, Just(usize::MAX)],
        before in proptest::collection::vec(any::<bool>(), 0..6),
        between in proptest::collection::vec(any::<bool>(), 1..6),
        after in proptest::collection::vec(any::<bool>(), 1..6),
    ) {
        let policy = POLICIES[usize::from(v4)];
        let (mut alice, mut bob) = prepared(policy);
        let mut used = Used::default();
        used.registration_ids.insert(alice.device.registration_id());
        used.pre_key_ids.extend(1..=8);
        converse(&mut alice, &mut bob, &before, &mut used);
        let file = export(&mut alice, &bob, BackupIdentity::Include);
        converse(&mut alice, &mut bob, &between, &mut used);
        // under way while alice loses her device
        let late = bob.write(&alice.address(), "late");
        used.message(&late);

        // two restorations of one backup, one after the other
        for installation in 1..=2 {
            let identity = if keep { RestoredIdentity::Kept } else { new_identity(installation) };
            let mut restored = restore(&file, identity, policy, installation, cut).unwrap();
            let kept = restored.device.identity_key() == alice.device.identity_key();
            prop_assert_eq!(kept, keep);
            prop_assert_eq!(restored.device.address(), alice.device.address());
            // what was known is known
            let known = restored.device.identity_of(&bob.address()).unwrap().unwrap();
            prop_assert_eq!(known.key(), bob.device.identity_key());
            prop_assert_eq!(known.verification(), Verification::Verified);
            prop_assert!(restored.device.devices_of(BOB).unwrap().is_some());
            // no session: nothing can be written or read in the one of before
            let error = restored.try_write(&bob.address(), "x").unwrap_err().protocol();
            prop_assert_eq!(error, Some(Error::SessionNotFound));
            prop_assert_eq!(restored.refused(&bob.address(), &late), Error::SessionNotFound);
            // a new one
            restored.start(&mut bob);
            let first = restored.write(&bob.address(), "same text");
            used.message(&first);
            used.installation(&restored, &first);
            prop_assert_eq!(bob.read(&restored.address(), &first), "same text");
            converse(&mut restored, &mut bob, &after, &mut used);
        }
    }
}

#[test]
fn a_restored_device_gives_groups_a_new_sender_key() {
    let distribution = Distribution::Group("group@g".into());
    let (mut alice, mut bob) = prepared(Policy::V3);
    let members = [bob.address()];
    let send = |party: &mut Party| {
        let wrap = |bytes: &[u8]| bytes.to_vec().into();
        let content = b"same text";
        let message =
            SendToGroup { distribution: &distribution, members: &members, content, wrap: &wrap };
        party.device.send_to_group(&message, NOW, &mut party.rng).unwrap()
    };
    let SentToGroup::Message { bytes: old, .. } = send(&mut alice) else { panic!() };
    let file = export(&mut alice, &bob, BackupIdentity::Include);
    let mut restored = restore(&file, RestoredIdentity::Kept, Policy::V3, 1, 1000).unwrap();
    assert!(matches!(send(&mut restored), SentToGroup::Incomplete { .. }), "no session");
    restored.start(&mut bob);
    let SentToGroup::Message { bytes: new, distributions, .. } = send(&mut restored) else {
        panic!()
    };
    assert_eq!(distributions.len(), 1, "bob gets the new key");
    assert_ne!(old, new);
}

#[test]
fn only_records_that_can_encrypt_nothing_are_exported() {
    let (mut alice, bob) = prepared(Policy::V4);
    let mut file = Vec::new();
    let local = sandi::protocol::Local::new(
        alice.address(),
        IdentityKeyPair::generate(&mut alice.rng),
        7,
        sandi::protocol::IdentityScope::Account,
    );
    let mut writer = sandi::protocol::DeviceBackupWriter::new(
        &key(),
        &local,
        None,
        BackupIdentity::Leave,
        NOW,
        &mut file,
        &mut alice.rng,
    )
    .unwrap();
    let records: Vec<RecordKey> =
        alice.device.store().borrow().iter().map(|(key, _)| key.clone()).collect();
    assert!(records.contains(&RecordKey::Session(bob.address())));
    for key in records {
        let record = alice.device.store().load(&key).unwrap().unwrap();
        let exported = writer.record(&key, record.bytes(), &mut file);
        let may = matches!(
            key,
            RecordKey::Identity { .. } | RecordKey::User(_) | RecordKey::Application(_)
        );
        assert_eq!(exported, if may { Ok(()) } else { Err(Error::InvalidArgument) }, "{key:?}");
    }
    let long = RecordKey::Application([0].into());
    let refused = writer.record(&long, &vec![0; 1 << 20], &mut file);
    assert_eq!(refused, Err(Error::InvalidArgument));
    writer.finish(&mut file).unwrap();
    // an identity that was left out cannot be kept
    let refused = restore(&file, RestoredIdentity::Kept, Policy::V4, 1, 100).err().unwrap();
    assert_eq!(refused.protocol(), Some(Error::InvalidArgument));
    restore(&file, new_identity(1), Policy::V4, 1, 100).unwrap();
}

#[test]
fn an_altered_or_truncated_backup_creates_no_device() {
    let (mut alice, bob) = prepared(Policy::V3);
    let file = export(&mut alice, &bob, BackupIdentity::Include);
    let read = |bytes: &[u8], key: &BackupKey| {
        let mut reader = DeviceBackupReader::new(key);
        reader.update(bytes, |_| Ok(()))?;
        reader.finish(|_| Ok(())).map(|device| device.address().clone())
    };
    assert_eq!(read(&file, &key()), Ok(alice.address()));
    for bit in 0..file.len() * 8 {
        let mut altered = file.clone();
        altered[bit / 8] ^= 1 << (bit % 8);
        assert!(read(&altered, &key()).is_err(), "bit {bit}");
    }
    for length in 0..file.len() {
        assert!(read(&file[..length], &key()).is_err(), "length {length}");
    }
    let other = BackupKey::generate(&mut seeded("other", 0));
    assert_eq!(read(&file, &other), Err(Error::Rejected));

    let store = Memory::default();
    let mut rng = seeded("restored", 1);
    let mut cut = DeviceRestore::new(store.clone(), &key()).unwrap();
    cut.update(&file[..file.len() - 1], &mut rng).unwrap();
    assert!(cut.finish(RestoredIdentity::Kept, options(Policy::V3), &mut rng).is_err());
    assert!(store.load(&RecordKey::Local).unwrap().is_none());
    let taken = DeviceRestore::new(alice.device.store().clone(), &key()).err();
    assert_eq!(taken, Some(DeviceError::AlreadyCreated));
}

#[test]
fn a_large_backup_is_a_stream_in_bounded_memory() {
    let (mut alice, _) = conversing(Policy::V3);
    for number in 0..40_u8 {
        let mut changes = Changes::new();
        let name = RecordKey::Application([number].into());
        changes.create(name, vec![number; 50_000 + usize::from(number)], &mut alice.rng).unwrap();
        alice.device.store_mut().commit(&changes).unwrap();
    }
    let (mut file, mut ready) = (Vec::new(), Vec::new());
    let mut export = alice
        .device
        .export(&key(), BackupIdentity::Leave, NOW, &mut ready, &mut alice.rng)
        .unwrap();
    for number in 0..40_u8 {
        assert!(export.application(&[number], &mut ready).unwrap());
        assert!(ready.len() <= 2 * 65_552, "taken out between two calls");
        file.append(&mut ready);
    }
    export.finish(&mut file).unwrap();
    assert!(file.len() > 2_000_000);
    for cut in [65_552, 65_535, usize::MAX] {
        let mut rng = seeded("restored", 1);
        let mut restore = DeviceRestore::new(Memory::default(), &key()).unwrap();
        for piece in file.chunks(cut) {
            restore.update(piece, &mut rng).unwrap();
        }
        let device = restore.finish(new_identity(1), options(Policy::V3), &mut rng).unwrap();
        for number in 0..40_u8 {
            let record = device.store().load(&RecordKey::Application([number].into())).unwrap();
            assert_eq!(record.unwrap().bytes(), vec![number; 50_000 + usize::from(number)]);
        }
    }
}
