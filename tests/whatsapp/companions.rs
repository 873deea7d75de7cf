//! A device that verifies companions before it writes to them or reads them (spec 20 §11.10, spec 22 §3, §4).

use rand::SeedableRng;
use rand::rngs::StdRng;
use sandi::device::{DeviceError, NewDevice};
use sandi::group::Distribution;
use sandi::keys::IdentityKeyPair;
use sandi::linking::DeviceListChange;
use sandi::prekey::PreKeyBundle;
use sandi::protocol::{
    CompanionPolicy, Encrypt, IdentityScope, Loaded, Local, Operation, Options, Own, Recipient,
    SendToGroup, SentToGroup, ServerStock,
};
use sandi::session::CiphertextMessage;
use sandi::wire::CiphertextMessageType;
use sandi::{Address, Device, Error, Jid, MemoryStore, Policy, Store};

use crate::linking::{Made, NOW, details, jid, list, listed, pair, signed_list};

struct Party {
    jid: Jid,
    device: Device<MemoryStore>,
    rng: StdRng,
}

impl Party {
    fn new(jid_text: &str, identity: IdentityKeyPair, companions: CompanionPolicy) -> Self {
        let jid = jid(jid_text);
        let mut rng = StdRng::seed_from_u64(jid_text.bytes().map(u64::from).sum());
        let new = NewDevice {
            address: jid.address().unwrap(),
            identity,
            registration_id: 77,
            scope: IdentityScope::Device,
        };
        let options = Options { dialects: Policy::V3, companions, ..Options::default() };
        let device = Device::create(MemoryStore::default(), new, options, &mut rng).unwrap();
        Self { jid, device, rng }
    }

    fn address(&self) -> Address {
        self.jid.address().unwrap()
    }

    fn bundle(&mut self) -> PreKeyBundle {
        let stock = ServerStock::default();
        let upload = self.device.replenish(stock, NOW, &mut self.rng).unwrap();
        upload.bundle(self.jid.device(), 0).unwrap()
    }
}

fn error<T>(result: Result<T, DeviceError<core::convert::Infallible>>) -> Error {
    match result {
        Err(DeviceError::Protocol(error)) => error,
        Err(other) => panic!("{other:?}"),
        Ok(_) => panic!("it was let through"),
    }
}

fn device_identity(account: &IdentityKeyPair, device: &IdentityKeyPair, index: u32) -> Vec<u8> {
    Made::new(account, device, &details(index), [[6, 0], [6, 1]]).without_key().encode()
}

fn now_s() -> u64 {
    NOW.as_millis() / 1000
}

#[test]
fn encrypt_refuses_companions_whose_adv_identity_was_not_verified() {
    let account = pair(1);
    let mut alice = Party::new("1@s.whatsapp.net", pair(50), CompanionPolicy::Verified);
    let mut phone = Party::new("2@s.whatsapp.net", pair(1), CompanionPolicy::Any);
    let mut laptop = Party::new("2:4@s.whatsapp.net", pair(2), CompanionPolicy::Any);
    let (phone_at, laptop_at) = (phone.address(), laptop.address());
    let laptop_jid = laptop.jid.clone();
    let genuine = device_identity(&account, &pair(2), 1);
    let signed = signed_list(&account, &list(now_s(), 1, &[0, 1]), [6, 2]);

    // The primary needs no one to vouch for it; nobody vouches before it is known.
    let bundle = laptop.bundle();
    let refused =
        alice.device.start_companion_session(&laptop_jid, &bundle, &genuine, NOW, &mut alice.rng);
    assert_eq!(error(refused), Error::NoAccountKey);
    let refused = alice.device.update_device_list(&phone.jid, &signed, &[], NOW, &mut alice.rng);
    assert_eq!(error(refused), Error::NoAccountKey);
    alice.device.start_session(&phone_at, &phone.bundle(), NOW, &mut alice.rng).unwrap();
    alice.device.encrypt(&phone_at, b"hello", NOW, &mut alice.rng).unwrap();

    // A session alone does not do.
    alice.device.start_session(&laptop_at, &bundle, NOW, &mut alice.rng).unwrap();
    let session = sandi::RecordKey::Session(laptop_at.clone());
    let revision =
        |store: &MemoryStore| store.load(&session).unwrap().map(|record| record.revision());
    let before = revision(alice.device.store());
    let refused = alice.device.encrypt(&laptop_at, b"hello", NOW, &mut alice.rng);
    assert_eq!(error(refused), Error::UnverifiedCompanion);
    let many = [
        Recipient { address: &phone_at, plaintext: b"a" },
        Recipient { address: &laptop_at, plaintext: b"a" },
    ];
    let sent = alice.device.encrypt_many(&many, NOW, &mut alice.rng).unwrap();
    assert!(sent[0].message.is_ok());
    assert_eq!(sent[1].message, Err(Error::UnverifiedCompanion));
    assert_eq!(before, revision(alice.device.store()));

    // Forged identities: another account, another device, another prefix.
    let hosted = Made::new(&account, &pair(2), &details(1), [[6, 0], [6, 6]]).encode();
    for (forged, expected) in [
        (device_identity(&pair(9), &pair(2), 1), Error::SignatureValidationFailed),
        (device_identity(&account, &pair(9), 1), Error::SignatureValidationFailed),
        (
            Made::new(&pair(9), &pair(2), &details(1), [[6, 0], [6, 1]]).encode(),
            Error::IdentityMismatch,
        ),
        (hosted, Error::SignatureValidationFailed),
        (vec![0xFF], Error::InvalidProtobuf),
    ] {
        let refused = alice.device.start_companion_session(
            &laptop_jid,
            &bundle,
            &forged,
            NOW,
            &mut alice.rng,
        );
        assert_eq!(error(refused), expected);
        let refused = alice.device.encrypt(&laptop_at, b"hello", NOW, &mut alice.rng);
        assert_eq!(error(refused), Error::UnverifiedCompanion);
    }

    // Verified, but in no list yet; then in one.
    alice
        .device
        .start_companion_session(&laptop_jid, &bundle, &genuine, NOW, &mut alice.rng)
        .unwrap();
    let refused = alice.device.encrypt(&laptop_at, b"hello", NOW, &mut alice.rng);
    assert_eq!(error(refused), Error::UnverifiedCompanion);
    let changes = alice
        .device
        .update_device_list(&laptop_jid, &signed, &[listed(4, 1)], NOW, &mut alice.rng)
        .unwrap();
    assert!(matches!(changes[..], [DeviceListChange::Added(_)]));
    let message = alice.device.encrypt(&laptop_at, b"hello", NOW, &mut alice.rng).unwrap();
    let received = laptop
        .device
        .decrypt(
            &alice.jid.address().unwrap(),
            message.message_type,
            &message.bytes,
            NOW,
            &mut laptop.rng,
        )
        .map(|received| received.plaintext().to_vec());
    assert_eq!(received.unwrap(), b"hello");

    // 35 days later; with a renewed list; after the index was removed.
    let late = sandi::Timestamp(NOW.as_millis() + 35 * 24 * 60 * 60 * 1000 + 1000);
    let refused = alice.device.encrypt(&laptop_at, b"late", late, &mut alice.rng);
    assert_eq!(error(refused), Error::DeviceListExpired);
    assert_eq!(Error::DeviceListExpired.disposition(), sandi::Disposition::VerifyDevices);
    alice.device.note_newer_device_list(&phone.jid, now_s() + 1, NOW, &mut alice.rng).unwrap();
    let soon = sandi::Timestamp(NOW.as_millis() + 49 * 60 * 60 * 1000);
    let refused = alice.device.encrypt(&laptop_at, b"soon", soon, &mut alice.rng);
    assert_eq!(error(refused), Error::DeviceListExpired);
    let renewed = signed_list(&account, &list(now_s() + 9, 1, &[0, 1]), [6, 2]);
    alice
        .device
        .update_device_list(&phone.jid, &renewed, &[listed(4, 1)], soon, &mut alice.rng)
        .unwrap();
    alice.device.encrypt(&laptop_at, b"soon", soon, &mut alice.rng).unwrap();
    let list_of = alice.device.device_list(&laptop_jid).unwrap();
    assert_eq!(list_of.sendable(soon).count(), 1);
    let removed = signed_list(&account, &list(now_s() + 10, 2, &[0, 2]), [6, 2]);
    alice
        .device
        .update_device_list(&phone.jid, &removed, &[listed(4, 1)], soon, &mut alice.rng)
        .unwrap();
    let refused = alice.device.encrypt(&laptop_at, b"gone", soon, &mut alice.rng);
    assert_eq!(error(refused), Error::UnverifiedCompanion);

    // Another primary, accepted by the user: its old companions are no longer vouched for.
    let again = signed_list(&account, &list(now_s() + 11, 2, &[0, 1]), [6, 2]);
    alice
        .device
        .update_device_list(&phone.jid, &again, &[listed(4, 1)], soon, &mut alice.rng)
        .unwrap();
    alice
        .device
        .verify_companion(&laptop_jid, pair(2).identity_key(), &genuine, soon, &mut alice.rng)
        .unwrap();
    alice.device.encrypt(&laptop_at, b"back", soon, &mut alice.rng).unwrap();
    alice.device.accept_identity(&phone_at, pair(90).identity_key(), soon, &mut alice.rng).unwrap();
    let refused = alice.device.encrypt(&laptop_at, b"void", soon, &mut alice.rng);
    assert_eq!(error(refused), Error::UnverifiedCompanion);
}

#[test]
fn a_pre_key_message_of_a_companion_is_read_only_once_its_account_vouches() {
    let account = pair(1);
    let mut alice = Party::new("1@lid", pair(50), CompanionPolicy::Verified);
    let mut laptop = Party::new("2:4@lid", pair(2), CompanionPolicy::Any);
    let (alice_at, laptop_at) = (alice.address(), laptop.address());
    let bundle = alice.bundle();
    laptop.device.start_session(&alice_at, &bundle, NOW, &mut laptop.rng).unwrap();
    let message: CiphertextMessage =
        laptop.device.encrypt(&alice_at, b"hi", NOW, &mut laptop.rng).unwrap();
    assert_eq!(message.message_type, CiphertextMessageType::PreKey);
    let laptop_jid = laptop.jid.clone();
    let bytes = message.bytes.as_slice();
    let pre_key = CiphertextMessageType::PreKey;

    let refused = alice.device.decrypt(&laptop_at, pre_key, bytes, NOW, &mut alice.rng).map(|_| ());
    assert_eq!(error(refused), Error::UnverifiedCompanion);
    // The first contact: nobody but the embedded key is there to vouch, and it is kept as the primary's.
    let with_key = Made::new(&account, &pair(2), &details(1), [[6, 0], [6, 1]]).encode();
    for (identity, expected) in [
        (device_identity(&account, &pair(2), 1), Error::NoAccountKey),
        (
            Made::new(&account, &pair(3), &details(1), [[6, 0], [6, 1]]).encode(),
            Error::SignatureValidationFailed,
        ),
        (Vec::new(), Error::NoAccountKey),
        (vec![0x07], Error::InvalidProtobuf),
    ] {
        let refused = alice
            .device
            .decrypt_from_companion(
                &laptop_jid,
                &laptop_at,
                pre_key,
                bytes,
                &identity,
                NOW,
                &mut alice.rng,
            )
            .map(|_| ());
        assert_eq!(error(refused), expected);
    }
    // dropped: nothing is durable, the primary's identity neither
    let received = alice
        .device
        .decrypt_from_companion(
            &laptop_jid,
            &laptop_at,
            pre_key,
            bytes,
            &with_key,
            NOW,
            &mut alice.rng,
        )
        .unwrap();
    assert_eq!(received.plaintext(), b"hi");
    drop(received);
    let primary = laptop_jid.primary().address().unwrap();
    assert_eq!(alice.device.identity_of(&primary).unwrap(), None);
    let received = alice
        .device
        .decrypt_from_companion(
            &laptop_jid,
            &laptop_at,
            pre_key,
            bytes,
            &with_key,
            NOW,
            &mut alice.rng,
        )
        .unwrap();
    assert_eq!(received.commit().unwrap().plaintext.as_slice(), b"hi");
    let known = alice.device.identity_of(&primary).unwrap().unwrap();
    assert_eq!(known.key(), account.identity_key());

    // The next pre-key message of the same key is read without it, and another account's word is not taken.
    let second = laptop.device.encrypt(&alice_at, b"more", NOW, &mut laptop.rng).unwrap();
    let other = Made::new(&pair(9), &pair(2), &details(1), [[6, 0], [6, 1]]).encode();
    let refused = alice
        .device
        .decrypt_from_companion(
            &laptop_jid,
            &laptop_at,
            pre_key,
            &second.bytes,
            &other,
            NOW,
            &mut alice.rng,
        )
        .map(|_| ());
    assert_eq!(error(refused), Error::IdentityMismatch);
    let received =
        alice.device.decrypt(&laptop_at, pre_key, &second.bytes, NOW, &mut alice.rng).unwrap();
    assert_eq!(received.plaintext(), b"more");
    received.commit().unwrap();

    // An answer needs the list, too.
    let refused = alice.device.encrypt(&laptop_at, b"yes", NOW, &mut alice.rng);
    assert_eq!(error(refused), Error::UnverifiedCompanion);
    let signed = signed_list(&account, &list(now_s(), 1, &[0, 1]), [6, 2]);
    alice
        .device
        .update_device_list(&laptop_jid, &signed, &[listed(4, 1)], NOW, &mut alice.rng)
        .unwrap();
    alice.device.encrypt(&laptop_at, b"yes", NOW, &mut alice.rng).unwrap();
}

#[test]
fn a_hosting_accounts_key_never_becomes_the_users_identity() {
    let (phone, hosting, cloud) = (pair(1), pair(20), pair(21));
    let mut alice = Party::new("1@s.whatsapp.net", pair(50), CompanionPolicy::Verified);
    let mut endpoint = Party::new("2:99@hosted", pair(21), CompanionPolicy::Any);
    let endpoint_jid = endpoint.jid.clone();
    let hosted = sandi::linking::DeviceIdentity {
        device_type: sandi::linking::EncryptionType::Hosted,
        ..details(0)
    };
    let identity = Made::new(&hosting, &cloud, &hosted, [[6, 5], [6, 6]]).encode();
    let bundle = endpoint.bundle();
    alice
        .device
        .start_companion_session(&endpoint_jid, &bundle, &identity, NOW, &mut alice.rng)
        .unwrap();
    let primary = endpoint_jid.primary().address().unwrap();
    assert_eq!(alice.device.identity_of(&primary).unwrap(), None);
    // The phone's list has it, marked as hosted, whatever its key index.
    alice.device.accept_identity(&primary, phone.identity_key(), NOW, &mut alice.rng).unwrap();
    let signed = signed_list(&phone, &list(now_s(), 1, &[0]), [6, 2]);
    let entry = sandi::linking::ListedCompanion { key_index: None, hosted: true, ..listed(99, 0) };
    alice.device.update_device_list(&endpoint_jid, &signed, &[entry], NOW, &mut alice.rng).unwrap();
    alice.device.encrypt(&endpoint.address(), b"hello", NOW, &mut alice.rng).unwrap();
    assert_eq!(
        alice.device.identity_of(&primary).unwrap().map(|known| *known.key()),
        Some(*phone.identity_key())
    );
}

#[test]
fn a_group_message_waits_for_a_companion_that_is_no_longer_vouched_for() {
    let account = pair(1);
    let mut alice = Party::new("1@s.whatsapp.net", pair(50), CompanionPolicy::Verified);
    let mut laptop = Party::new("2:4@s.whatsapp.net", pair(2), CompanionPolicy::Any);
    let (laptop_at, laptop_jid) = (laptop.address(), laptop.jid.clone());
    let with_key = Made::new(&account, &pair(2), &details(1), [[6, 0], [6, 1]]).encode();
    let bundle = laptop.bundle();
    alice
        .device
        .start_companion_session(&laptop_jid, &bundle, &with_key, NOW, &mut alice.rng)
        .unwrap();
    let distribution = Distribution::Group("123@g.us".into());
    let members = [laptop_at.clone()];
    let message = SendToGroup {
        distribution: &distribution,
        members: &members,
        content: b"all",
        wrap: &|bytes| bytes.to_vec().into(),
    };
    let send = |alice: &mut Party| match alice
        .device
        .send_to_group(&message, NOW, &mut alice.rng)
        .unwrap()
    {
        SentToGroup::Message { distributions, .. } => Ok(distributions.len()),
        SentToGroup::Incomplete { need_session, blocked } => {
            assert!(need_session.is_empty());
            Err(blocked)
        }
    };
    let blocked = Err(vec![(laptop_at.clone(), Error::UnverifiedCompanion)]);
    assert_eq!(send(&mut alice), blocked);
    let update = |alice: &mut Party, timestamp: u64, valid: &[u32]| {
        let signed = signed_list(&account, &list(timestamp, 1, valid), [6, 2]);
        let devices = [listed(4, 1)];
        let rng = &mut alice.rng;
        alice.device.update_device_list(&laptop_jid, &signed, &devices, NOW, rng).unwrap();
    };
    update(&mut alice, now_s(), &[0, 1]);
    assert_eq!(send(&mut alice), Ok(1));
    // it has the key now, and would read on
    assert_eq!(send(&mut alice), Ok(0));
    update(&mut alice, now_s() + 1, &[0]);
    assert_eq!(send(&mut alice), blocked);
}

#[test]
fn without_the_policy_nothing_is_asked_or_loaded() {
    let mut alice = Party::new("1@s.whatsapp.net", pair(50), CompanionPolicy::Any);
    let mut laptop = Party::new("2:4@s.whatsapp.net", pair(2), CompanionPolicy::Any);
    let bundle = laptop.bundle();
    alice.device.start_session(&laptop.address(), &bundle, NOW, &mut alice.rng).unwrap();
    alice.device.encrypt(&laptop.address(), b"hello", NOW, &mut alice.rng).unwrap();
    for (companions, asked) in [(CompanionPolicy::Any, 0), (CompanionPolicy::Verified, 1)] {
        let options = Options { companions, ..Options::default() };
        let local = Local::new(alice.address(), pair(50), 77, IdentityScope::Device);
        let address = laptop.address();
        let recipients = [Recipient { address: &address, plaintext: b"" }];
        let needs = Encrypt { recipients: &recipients }
            .needs(&Own { local, options }, &Loaded::new())
            .unwrap();
        let lists = needs.iter().filter(|key| matches!(key, sandi::RecordKey::DeviceList(_)));
        assert_eq!(lists.count(), asked);
    }
}
