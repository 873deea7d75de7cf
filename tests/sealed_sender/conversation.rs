//! Scenarios 8, 9, 21 and 22: sessions, groups and decryption errors inside sealed messages.

use sandi::group::{Distribution, SenderKeyRecord};
use sandi::sealed_sender::{
    ContentHint, MultiRecipientMessage, OwnDevice, Sender, SenderCertificate, SentMessage,
    UnidentifiedSenderMessageContent, open, seal_v1,
};
use sandi::session::CiphertextMessage;
use sandi::wire::{
    CiphertextMessageType, DecryptionErrorMessage, PlaintextContent, SenderKeyDistributionMessage,
    SenderKeyMessage,
};
use sandi::{Error, Policy};

use crate::common::{Device, NOW, conversing, introduced, record};
use crate::service::Service;

fn certify(service: &mut Service, of: &Device) -> SenderCertificate {
    let identity = of.identity.identity_key();
    let device = of.address.device();
    service.certify(&Sender { uuid: of.address.name(), e164: None, device, identity })
}

fn own(device: &Device) -> OwnDevice<'_> {
    OwnDevice { uuid: device.address.name(), e164: None, device: device.address.device() }
}

/// Encrypts in the session and seals.
fn seal(from: &mut Device, to: &Device, text: &[u8], certificate: &SenderCertificate) -> Vec<u8> {
    let inner = from.encrypt(&to.address, text).unwrap();
    let content = UnidentifiedSenderMessageContent::new(
        inner.message_type,
        &inner.bytes,
        certificate,
        ContentHint::Default,
        None,
    );
    seal_v1(&from.identity, to.identity.identity_key(), &content, &mut from.rng).unwrap()
}

/// Opens, validates, and decrypts in the session.
fn receive(to: &mut Device, service: &Service, bytes: &[u8]) -> Result<Vec<u8>, Error> {
    let content = open(bytes, &to.identity)?.validate(&service.trust(), &own(to), NOW)?;
    let message = CiphertextMessage {
        message_type: content.message_type(),
        bytes: content.contents().to_vec(),
    };
    to.decrypt(&content.sender().address(), &message)
}

#[test]
fn scenario_8_pre_key_and_session_messages_travel_sealed() {
    for policy in [Policy::V3, Policy::V4] {
        let mut service = Service::new(8);
        let (mut alice, mut bob) = introduced(policy, true);
        let certificate = certify(&mut service, &alice);
        let first = seal(&mut alice, &bob, b"first", &certificate);
        assert_eq!(receive(&mut bob, &service, &first).unwrap(), b"first");
        let certificate = certify(&mut service, &bob);
        let answer = seal(&mut bob, &alice, b"answer", &certificate);
        let opened = open(&answer, &alice.identity).unwrap();
        assert_eq!(opened.unvalidated().message_type(), CiphertextMessageType::Signal);
        assert_eq!(receive(&mut alice, &service, &answer).unwrap(), b"answer");
        assert!(receive(&mut alice, &service, &answer).is_err(), "delivered twice");
    }
}

#[test]
fn scenario_8_a_bad_certificate_advances_no_session() {
    let mut service = Service::new(8);
    let (mut alice, mut bob) = conversing(Policy::V4);
    let certificate = certify(&mut service, &alice);
    let message = seal(&mut alice, &bob, b"text", &certificate);
    let before = record(&bob, &alice);
    let other = Service::new(9);
    let refused = receive(&mut bob, &other, &message);
    assert_eq!(refused, Err(Error::InvalidSealedSenderMessage));
    assert!(record(&bob, &alice) == before);
    assert_eq!(receive(&mut bob, &service, &message).unwrap(), b"text");
}

#[test]
fn scenario_9_ones_own_message_does_not_reach_the_session() {
    let mut service = Service::new(9);
    let (mut alice, _) = conversing(Policy::V4);
    let certificate = certify(&mut service, &alice);
    let content = UnidentifiedSenderMessageContent::new(
        CiphertextMessageType::Signal,
        b"to myself",
        &certificate,
        ContentHint::Implicit,
        None,
    );
    let to = *alice.identity.identity_key();
    let message = seal_v1(&alice.identity, &to, &content, &mut alice.rng).unwrap();
    assert_eq!(receive(&mut alice, &service, &message), Err(Error::SealedSenderSelfSend));
}

#[test]
fn scenario_22_a_decryption_error_comes_back_sealed() {
    let mut service = Service::new(22);
    let (mut alice, mut bob) = conversing(Policy::V4);
    let lost = alice.encrypt(&bob.address, b"lost").unwrap();
    let error = DecryptionErrorMessage::for_original(
        &lost.bytes,
        lost.message_type,
        NOW,
        u32::from(alice.address.device().get()),
    )
    .unwrap();
    let certificate = certify(&mut service, &bob);
    let content = UnidentifiedSenderMessageContent::new(
        CiphertextMessageType::Plaintext,
        &PlaintextContent::encode(&error),
        &certificate,
        ContentHint::Implicit,
        None,
    );
    let to = alice.identity.identity_key();
    let message = seal_v1(&bob.identity, to, &content, &mut bob.rng).unwrap();
    let opened = open(&message, &alice.identity).unwrap();
    let content = opened.validate(&service.trust(), &own(&alice), NOW).unwrap();
    assert_eq!(content.message_type(), CiphertextMessageType::Plaintext);
    let plain = PlaintextContent::parse(content.contents()).unwrap();
    let got = plain.decryption_error_message().unwrap();
    assert_eq!((got.timestamp(), got.device_id()), (NOW, 1));
    let session = &alice.sessions[&bob.address];
    assert!(session.current_ratchet_key_matches(got.ratchet_key().unwrap()));
}

#[test]
fn scenario_21_a_group_message_travels_sealed_in_both_versions() {
    let mut service = Service::new(21);
    let (mut alice, bob) = conversing(Policy::V4);
    let certificate = certify(&mut service, &alice);
    let group = Distribution::Id([9; 16]);
    let (mut ours, mut theirs) = (SenderKeyRecord::new(), SenderKeyRecord::new());
    let key = ours.create_distribution(&group, &mut alice.rng).unwrap();
    theirs
        .process_distribution(&SenderKeyDistributionMessage::parse(group.dialect(), &key).unwrap());
    for version in [1, 2] {
        let message = ours.encrypt(&group, b"to the group", &mut alice.rng).unwrap();
        let content = UnidentifiedSenderMessageContent::new(
            CiphertextMessageType::SenderKey,
            &message,
            &certificate,
            ContentHint::Resendable,
            Some(b"group"),
        );
        let identity = bob.identity.identity_key();
        let sealed = if version == 1 {
            seal_v1(&alice.identity, identity, &content, &mut alice.rng).unwrap()
        } else {
            let mut many = MultiRecipientMessage::default();
            let session = &alice.sessions[&bob.address];
            many.add(&bob.address, identity, session.remote_registration_id()).unwrap();
            let sent = many.seal(&alice.identity, &content, &mut alice.rng).unwrap();
            let view = SentMessage::parse(&sent).unwrap();
            view.received(view.recipients().next().unwrap()).unwrap()
        };
        let opened = open(&sealed, &bob.identity).unwrap();
        let content = opened.validate(&service.trust(), &own(&bob), NOW).unwrap();
        assert_eq!(content.message_type(), CiphertextMessageType::SenderKey);
        assert_eq!(content.sender().address(), alice.address);
        let message = SenderKeyMessage::parse(group.dialect(), content.contents()).unwrap();
        assert_eq!(*theirs.decrypt(&message).unwrap(), b"to the group");
    }
}
