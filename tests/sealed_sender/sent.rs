//! Scenarios 13 to 18: the sent form of version 2.

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use sandi::keys::IdentityKeyPair;
use sandi::sealed_sender::{MultiRecipientMessage, SenderCertificate, SentMessage, open};
use sandi::{Address, Error, ServiceId};

use crate::common::{ALICE, BOB, CAROL};
use crate::service::{Service, content, device, identity};

const DAVE: &str = "PNI:2a3b4c5d-0000-4000-8000-00000000000d";

struct Alice {
    identity: IdentityKeyPair,
    certificate: SenderCertificate,
    rng: StdRng,
}

impl Alice {
    fn new() -> Self {
        let identity = identity(1);
        let certificate = Service::new(1).certify_device(ALICE, &identity);
        Self { identity, certificate, rng: StdRng::seed_from_u64(5) }
    }

    fn seal(&mut self, message: &MultiRecipientMessage) -> Vec<u8> {
        message.seal(&self.identity, &content(&self.certificate), &mut self.rng).unwrap()
    }
}

fn owner(name: &str) -> IdentityKeyPair {
    identity(name.bytes().map(u64::from).sum())
}

fn add(message: &mut MultiRecipientMessage, name: &str, id: u32, registration_id: u32) {
    let address = Address::new(name, device(id));
    message.add(&address, owner(name).identity_key(), Some(registration_id)).unwrap();
}

fn id(name: &str) -> ServiceId {
    ServiceId::parse(name).unwrap()
}

fn devices(message: &SentMessage<'_>, index: usize) -> Vec<(u8, u16)> {
    let recipient = message.recipients().nth(index).unwrap();
    recipient.devices().map(|(device, id)| (device.get(), id)).collect()
}

fn names(message: &SentMessage<'_>) -> Vec<String> {
    message.recipients().map(|recipient| recipient.service_id().to_string()).collect()
}

#[test]
fn scenario_13_three_recipients_with_several_devices() {
    let mut alice = Alice::new();
    let mut message = MultiRecipientMessage::with_capacity(3);
    for (name, id, registration_id) in
        [(BOB, 1, 0x1111), (BOB, 3, 0x2222), (CAROL, 1, 0), (DAVE, 2, 0x3FFF), (DAVE, 127, 1)]
    {
        add(&mut message, name, id, registration_id);
    }
    let sent = alice.seal(&message);
    let view = SentMessage::parse(&sent).unwrap();
    assert_eq!(names(&view), [BOB, CAROL, DAVE]);
    assert_eq!(devices(&view, 0), [(1, 0x1111), (3, 0x2222)]);
    assert_eq!(devices(&view, 1), [(1, 0)]);
    assert_eq!(devices(&view, 2), [(2, 0x3FFF), (127, 1)]);
    assert_eq!(view.excluded().count(), 0);
    for recipient in view.recipients() {
        let received = view.received(recipient).unwrap();
        assert_eq!(received[0], 0x22);
        assert_eq!(received[49..], *view.shared());
        assert_eq!(view.received_parts(recipient).unwrap().concat(), received);
        let owner = owner(&recipient.service_id().to_string());
        let opened = open(&received, &owner).unwrap();
        assert_eq!(opened.unvalidated(), &content(&alice.certificate));
        assert!(open(&received, &alice.identity).is_err());
    }
}

#[test]
fn scenario_14_the_old_sent_form_gives_the_same() {
    let mut alice = Alice::new();
    let mut message = MultiRecipientMessage::default();
    add(&mut message, BOB, 1, 1);
    add(&mut message, BOB, 2, 2);
    message.exclude(id(CAROL));
    let sent = alice.seal(&message);
    // 0x23 02, kind, UUID, two devices, C || AT, kind, UUID, 00
    let (first, second) = (2, 2 + 17 + 6 + 48);
    assert_eq!((sent[first], sent[second]), (0, 0));
    let mut old = sent.clone();
    old[0] = 0x22;
    old.remove(second);
    old.remove(first);
    let (new, old) = (SentMessage::parse(&sent).unwrap(), SentMessage::parse(&old).unwrap());
    assert_eq!(names(&new), names(&old));
    assert_eq!(devices(&new, 0), devices(&old, 0));
    assert_eq!(new.excluded().collect::<Vec<_>>(), old.excluded().collect::<Vec<_>>());
    let fan_out =
        |message: &SentMessage<'_>| message.received(message.recipients().next().unwrap()).unwrap();
    assert_eq!(fan_out(&new), fan_out(&old));
}

#[test]
fn scenario_15_neighbours_share_an_entry_and_repetitions_are_joined_by_the_server() {
    let mut alice = Alice::new();
    let mut message = MultiRecipientMessage::default();
    for (name, device) in [(BOB, 1), (BOB, 2), (CAROL, 1), (BOB, 3)] {
        add(&mut message, name, device, device);
    }
    let sent = alice.seal(&message);
    assert_eq!(sent[..2], [0x23, 3]);
    // bit 15 on the first device only, and one C || AT
    assert_eq!(sent[19..25], [1, 0x80, 1, 2, 0, 2]);
    let (bob, carol) = (2, 2 + 17 + 6 + 48);
    let again = carol + 17 + 3 + 48;
    assert_eq!(sent[bob..bob + 17], id(BOB).to_fixed_width());
    assert_eq!(sent[carol..carol + 17], id(CAROL).to_fixed_width());
    assert_eq!(sent[again..again + 17], id(BOB).to_fixed_width());
    assert_eq!(sent[bob + 23..bob + 71], sent[again + 20..again + 68], "the same values");
    let view = SentMessage::parse(&sent).unwrap();
    assert_eq!(names(&view), [BOB, CAROL]);
    assert_eq!(devices(&view, 0), [(1, 1), (2, 2), (3, 3)]);
    // the first C || AT is kept, equal or not; devices may repeat
    let mut differ = sent.clone();
    differ[again + 17] = 1;
    differ[again + 20] ^= 1;
    let joined = SentMessage::parse(&differ).unwrap();
    assert_eq!(devices(&joined, 0), [(1, 1), (2, 2), (1, 3)]);
    let first = joined.recipients().next().unwrap();
    assert_eq!(joined.received(first).unwrap()[1..49], sent[bob + 23..bob + 71]);
}

#[test]
fn scenario_16_excluded_accounts() {
    let mut alice = Alice::new();
    let build = |alice: &mut Alice, recipients: &[&str], excluded: &[&str]| {
        let mut message = MultiRecipientMessage::default();
        for name in excluded {
            message.exclude(id(name));
        }
        for name in recipients {
            add(&mut message, name, 1, 1);
        }
        alice.seal(&message)
    };
    let sent = build(&mut alice, &[BOB], &[DAVE, CAROL]);
    assert_eq!(sent[..2], [0x23, 3]);
    let after = 2 + 17 + 3 + 48;
    let expected = [&id(DAVE).to_fixed_width()[..], &[0], &id(CAROL).to_fixed_width(), &[0]];
    assert_eq!(sent[after..after + 36], expected.concat());
    let view = SentMessage::parse(&sent).unwrap();
    assert_eq!(names(&view), [BOB]);
    assert_eq!(view.excluded().collect::<Vec<_>>(), [id(DAVE), id(CAROL)]);
    for (recipients, excluded) in
        [(&[BOB, CAROL][..], &[BOB][..]), (&[], &[BOB, BOB]), (&[BOB], &[CAROL, BOB])]
    {
        let sent = build(&mut alice, recipients, excluded);
        let error = SentMessage::parse(&sent).err();
        assert_eq!(error, Some(Error::InvalidSealedSenderMessage));
    }
    for (excluded, length) in [(&[][..], 2), (&[BOB], 20)] {
        let sent = build(&mut alice, &[], excluded);
        let view = SentMessage::parse(&sent).unwrap();
        assert_eq!(view.recipients().count(), 0);
        assert_eq!(view.shared().len(), sent.len() - length);
    }
}

#[test]
fn scenario_17_what_cannot_be_added() {
    let mut message = MultiRecipientMessage::default();
    let identity = owner(BOB);
    let mut add = |name: &str, id: u32, registration_id| {
        let device = sandi::DeviceId::new_v3(id).unwrap();
        message.add(&Address::new(name, device), identity.identity_key(), registration_id)
    };
    assert_eq!(add(BOB, 1, Some(0x3FFF)), Ok(()));
    for id in [0x4000, 0x8000, 0x1_0000, u32::MAX] {
        assert_eq!(add(BOB, 1, Some(id)), Err(Error::InvalidRegistrationId));
    }
    // no current session
    assert_eq!(add(BOB, 1, None), Err(Error::InvalidState));
    assert_eq!(add("bob", 1, Some(1)), Err(Error::InvalidArgument));
    for id in [0, 128] {
        assert_eq!(add(BOB, id, Some(1)), Err(Error::InvalidProtocolAddress));
    }
    let sent = Alice::new().seal(&message);
    assert_eq!(devices(&SentMessage::parse(&sent).unwrap(), 0), [(1, 0x3FFF)]);
}

#[test]
fn scenario_18_versions_truncation_and_ranges() {
    let mut alice = Alice::new();
    let mut message = MultiRecipientMessage::default();
    add(&mut message, BOB, 1, 1);
    add(&mut message, BOB, 2, 2);
    add(&mut message, CAROL, 5, 3);
    message.exclude(id(DAVE));
    let sent = alice.seal(&message);
    let error = |bytes: &[u8]| SentMessage::parse(bytes).err();
    assert_eq!(error(&[]), Some(Error::InvalidSealedSenderMessage));
    for version in [0x11, 0x21, 0x2F, 0x77] {
        let mut bytes = sent.clone();
        bytes[0] = version;
        assert_eq!(error(&bytes), Some(Error::UnknownSealedSenderVersion(version)));
    }
    let end_of_e = sent.len() - content(&alice.certificate).as_bytes().len() - 16;
    for length in 1..end_of_e {
        assert_eq!(error(&sent[..length]), Some(Error::InvalidProtobuf), "{length} bytes");
    }
    for length in end_of_e..sent.len() {
        let view = SentMessage::parse(&sent[..length]).unwrap();
        let received = view.received(view.recipients().next().unwrap()).unwrap();
        let opened = open(&received, &owner(BOB));
        assert_eq!(opened.err(), Some(Error::InvalidSealedSenderMessage));
    }
    let (device, registration_id) = (19, 20);
    let with = |at: usize, value: u8| {
        let mut bytes = sent.clone();
        bytes[at] = value;
        bytes
    };
    // bit 14 is ignored
    let view = with(registration_id, 0xC0);
    assert_eq!(devices(&SentMessage::parse(&view).unwrap(), 0), [(1, 1), (2, 2)]);
    for value in [128, 255] {
        assert_eq!(error(&with(device, value)), Some(Error::InvalidProtobuf));
        assert_eq!(error(&with(device + 3, value)), Some(Error::InvalidProtobuf));
    }
    // 0 after another device
    assert_eq!(error(&with(device + 3, 0)), Some(Error::InvalidProtobuf));
    // neither ACI nor PNI
    assert_eq!(error(&with(2, 2)), Some(Error::InvalidProtobuf));
    // a count that is longer than it needs to be
    let long = [&[0x23, 0x84, 0x00], &sent[2..]].concat();
    assert_eq!(error(&long), Some(Error::InvalidProtobuf));
    // a count that the bytes cannot hold, and ones beyond 32 bits
    assert_eq!(error(&with(1, 0x7F)), Some(Error::InvalidProtobuf));
    for count in [&[0xFF, 0xFF, 0xFF, 0xFF, 0x0F][..], &[0xFF, 0xFF, 0xFF, 0xFF, 0x1F], &[0xFF; 12]]
    {
        let bytes = [&[0x23], count, &sent[2..]].concat();
        assert_eq!(error(&bytes), Some(Error::InvalidProtobuf));
    }
}

#[test]
fn scenario_18_any_bytes_are_parsed_or_refused() {
    let mut rng = StdRng::seed_from_u64(18);
    let mut bytes = vec![0; 512];
    for round in 0..20_000_u32 {
        rng.fill_bytes(&mut bytes);
        bytes[0] = if round % 2 == 0 { 0x22 } else { 0x23 };
        bytes[1] &= 7;
        // device bytes that make longer parses likely
        for at in (2..bytes.len()).step_by(3) {
            bytes[at] &= 3;
        }
        if let Ok(view) = SentMessage::parse(&bytes) {
            for recipient in view.recipients() {
                assert!(recipient.devices().count() > 0);
                assert!(open(&view.received(recipient).unwrap(), &owner(BOB)).is_err());
            }
        }
    }
}

#[test]
fn thousands_of_recipients() {
    let mut alice = Alice::new();
    let bob = owner(BOB);
    let mut message = MultiRecipientMessage::with_capacity(1000);
    for index in 0..1000_u16 {
        let mut uuid = [7; 16];
        // not in order
        uuid[..2].copy_from_slice(&index.wrapping_mul(7919).to_be_bytes());
        let name = ServiceId::aci(uuid).to_string();
        message
            .add(&Address::new(name, device(1)), bob.identity_key(), Some(u32::from(index)))
            .unwrap();
    }
    let sent = alice.seal(&message);
    assert_eq!(sent[1..3], [0xE8, 0x07], "1000 as a varint");
    let view = SentMessage::parse(&sent).unwrap();
    assert_eq!(view.recipients().count(), 1000);
    for (index, recipient) in view.recipients().enumerate() {
        assert_eq!(usize::from(recipient.devices().next().unwrap().1), index);
        if index % 97 == 0 {
            assert!(open(&view.received(recipient).unwrap(), &bob).is_ok());
        }
    }
}
