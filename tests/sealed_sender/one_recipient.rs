//! Scenarios 9 to 12: opening sealed messages of both versions.

use rand::SeedableRng;
use rand::rngs::StdRng;
use sandi::keys::{IdentityKeyPair, PublicKey};
use sandi::sealed_sender::{
    MultiRecipientMessage, OwnDevice, Sender, SenderCertificate, SentMessage, open, seal_v1,
};
use sandi::{Address, Error, Timestamp};

use crate::common::{ALICE, BOB, CAROL};
use crate::service::{EXPIRATION, Service, content, device, identity, nobody};

const NOW: Timestamp = Timestamp(EXPIRATION.0 - 1);

/// A message of either version from `sender` to Bob.
fn sealed(version: u8, sender: &IdentityKeyPair, certificate: &SenderCertificate) -> Vec<u8> {
    let (bob, content) = (identity(2), content(certificate));
    let mut rng = StdRng::seed_from_u64(u64::from(version));
    if version == 1 {
        return seal_v1(sender, bob.identity_key(), &content, &mut rng).unwrap();
    }
    let mut message = MultiRecipientMessage::default();
    message.add(&Address::new(BOB, device(1)), bob.identity_key(), Some(1)).unwrap();
    let sent = message.seal(sender, &content, &mut rng).unwrap();
    let view = SentMessage::parse(&sent).unwrap();
    view.received(view.recipients().next().unwrap()).unwrap()
}

#[test]
fn both_versions_open_for_the_recipient_alone() {
    let mut service = Service::new(1);
    let (alice, bob, carol) = (identity(1), identity(2), identity(3));
    let certificate = service.certify_device(ALICE, &alice);
    for version in [1, 2] {
        let message = sealed(version, &alice, &certificate);
        let opened = open(&message, &bob).unwrap();
        assert_eq!(opened.unvalidated(), &content(&certificate));
        let content = opened.validate(&service.trust(), &nobody(), NOW).unwrap();
        assert_eq!(content.sender().uuid(), ALICE);
        let for_another = open(&message, &carol);
        assert_eq!(for_another, Err(Error::InvalidSealedSenderMessage), "version {version}");
    }
}

#[test]
fn scenario_8_wrong_root_or_expired_is_not_valid() {
    let mut service = Service::new(8);
    let (alice, bob) = (identity(1), identity(2));
    let certificate = service.certify_device(ALICE, &alice);
    for version in [1, 2] {
        let open = || open(&sealed(version, &alice, &certificate), &bob).unwrap();
        let error = Err(Error::InvalidSealedSenderMessage);
        let other = Service::new(80);
        assert_eq!(open().validate(&other.trust(), &nobody(), NOW), error);
        let late = Timestamp(EXPIRATION.0 + 1);
        assert_eq!(open().validate(&service.trust(), &nobody(), late), error);
        assert!(open().validate(&service.trust(), &nobody(), EXPIRATION).is_ok());
    }
}

#[test]
fn scenario_9_ones_own_message_is_refused_and_one_of_ones_other_devices_is_not() {
    let mut service = Service::new(9);
    let (alice, bob) = (identity(1), identity(2));
    let number = "+14155550101";
    let certificate = |service: &mut Service, e164| {
        let identity = alice.identity_key();
        service.certify(&Sender { uuid: ALICE, e164, device: device(3), identity })
    };
    let validate = |service: &Service, certificate: &SenderCertificate, own: OwnDevice<'_>| {
        let opened = open(&sealed(1, &alice, certificate), &bob).unwrap();
        opened.validate(&service.trust(), &own, NOW).map(drop)
    };
    let own = |uuid, e164, id| OwnDevice { uuid, e164, device: device(id) };
    let (self_send, loud) = (Err(Error::SealedSenderSelfSend), ALICE.to_uppercase());
    let with = certificate(&mut service, Some(number));
    let without = certificate(&mut service, None);
    assert_eq!(validate(&service, &with, own(ALICE, None, 3)), self_send);
    assert_eq!(validate(&service, &with, own(CAROL, Some(number), 3)), self_send);
    assert_eq!(validate(&service, &with, own(ALICE, None, 4)), Ok(()));
    assert_eq!(validate(&service, &with, own(CAROL, Some(number), 4)), Ok(()));
    assert_eq!(validate(&service, &with, own(CAROL, Some("+14155550102"), 3)), Ok(()));
    // two absent numbers are not equal, and text is compared exactly
    assert_eq!(validate(&service, &without, own(CAROL, None, 3)), Ok(()));
    assert_eq!(validate(&service, &without, own(&loud, None, 3)), Ok(()));
    // a bad certificate is told before that
    let forged = certificate(&mut Service::new(90), None);
    let error = Err(Error::InvalidSealedSenderMessage);
    assert_eq!(validate(&service, &forged, own(ALICE, None, 3)), error);
}

#[test]
fn scenario_10_the_high_nibble_decides() {
    let mut service = Service::new(10);
    let (alice, bob) = (identity(1), identity(2));
    let certificate = service.certify_device(ALICE, &alice);
    assert_eq!(open(&[], &bob), Err(Error::InvalidSealedSenderMessage));
    for (version, first, others) in
        [(1, 0x11, [0x00, 0x01, 0x0F, 0x10, 0x1F]), (2, 0x22, [0x20, 0x21, 0x23, 0x2E, 0x2F])]
    {
        let mut message = sealed(version, &alice, &certificate);
        assert_eq!(message[0], first);
        for other in others {
            message[0] = other;
            assert!(open(&message, &bob).is_ok(), "{other:#04x}");
        }
        for nibble in 3..16 {
            message[0] = nibble << 4 | 1;
            assert_eq!(open(&message, &bob), Err(Error::UnknownSealedSenderVersion(nibble)));
        }
    }
}

#[test]
fn scenario_11_and_12_the_sealing_identity_is_the_certified_one() {
    let mut service = Service::new(11);
    let (alice, mallory, bob) = (identity(1), identity(4), identity(2));
    let certificate = service.certify_device(ALICE, &alice);
    for version in [1, 2] {
        let message = sealed(version, &mallory, &certificate);
        let error = Err(Error::InvalidSealedSenderMessage);
        assert_eq!(open(&message, &bob), error, "version {version}");
    }
}

#[test]
fn scenario_12_every_damaged_byte_is_noticed() {
    let mut service = Service::new(12);
    let (alice, bob) = (identity(1), identity(2));
    let certificate = service.certify_device(ALICE, &alice);
    let good = sealed(2, &alice, &certificate);
    for at in 1..good.len() {
        let mut message = good.clone();
        message[at] ^= 0x40;
        assert_eq!(open(&message, &bob), Err(Error::InvalidSealedSenderMessage), "byte {at}");
    }
    for length in 1..good.len() {
        let expected = match length {
            ..81 => Error::InvalidProtobuf,
            _ => Error::InvalidSealedSenderMessage,
        };
        assert_eq!(open(&good[..length], &bob), Err(expected), "{length} bytes");
    }
    let good = sealed(1, &alice, &certificate);
    for at in 1..good.len() {
        let mut message = good.clone();
        message[at] ^= 0x40;
        assert!(open(&message, &bob).is_err(), "byte {at}");
        assert!(open(&good[..at], &bob).is_err(), "{at} bytes");
    }
}

#[test]
fn keys_of_low_order_are_an_error() {
    let mut service = Service::new(13);
    let alice = identity(1);
    let certificate = service.certify_device(ALICE, &alice);
    let low = sandi::keys::IdentityKey::new(PublicKey::from_raw([0; 32]));
    let error = Some(Error::InvalidKeyAgreement);
    let content = content(&certificate);
    assert_eq!(seal_v1(&alice, &low, &content, &mut service.rng).err(), error);
    let mut message = MultiRecipientMessage::default();
    message.add(&Address::new(BOB, device(1)), &low, Some(1)).unwrap();
    assert_eq!(message.seal(&alice, &content, &mut service.rng).err(), error);
    for version in [1, 2] {
        let mut message = sealed(version, &alice, &certificate);
        let at = if version == 1 { 4 } else { 49 };
        message[at..at + 32].fill(0);
        assert_eq!(open(&message, &identity(2)), Err(Error::InvalidKeyAgreement));
    }
}
