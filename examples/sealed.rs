//! Sealed sender: a service certifies Alice, she writes to Bob without the server knowing that it is
//! her, then to Bob's and Carol's devices in one upload, which the server splits.
//!
//! `cargo run --example sealed`
//!
//! What is sealed here stands for a message that a session or a group has encrypted.
#![allow(clippy::print_stdout)] // a program for people to read

use std::time::{SystemTime, UNIX_EPOCH};

use sandi::keys::{IdentityKeyPair, KeyPair};
use sandi::sealed_sender::{
    ContentHint, MultiRecipientMessage, OwnDevice, Sender, SenderCertificate, SentMessage,
    ServerCertificate, Trust, UnidentifiedSenderMessageContent, open, seal_v1,
};
use sandi::wire::CiphertextMessageType;
use sandi::{Address, DeviceId, Error, OsRng, ServiceId, Timestamp};

const ALICE: &str = "9d0652a3-dcc3-4d11-975f-74d61598733f";
const BOB: &str = "796abedb-ca4e-4f18-8803-1fde5b921f9f";
const CAROL: &str = "dc249e7a-56ea-49cd-abce-aa3a0d65f6f0";
const DAVE: &str = "2a3b4c5d-0000-4000-8000-00000000000d";

fn main() -> Result<(), Error> {
    let rng = &mut OsRng::default();
    let (alice, bob) = (IdentityKeyPair::generate(rng), IdentityKeyPair::generate(rng));
    let carol = IdentityKeyPair::generate(rng);
    let (phone, tablet) = (DeviceId::new(1)?, DeviceId::new(2)?);

    // The service: a root that clients know, a server that it certifies, and a certificate of Alice's
    // phone for a day.
    let (root, server) = (KeyPair::generate(rng), KeyPair::generate(rng));
    let certificate = ServerCertificate::issue(1, server.public_key(), root.private_key(), rng);
    let who = Sender { uuid: ALICE, e164: None, device: phone, identity: alice.identity_key() };
    let tomorrow = Timestamp(now().as_millis().saturating_add(86_400_000));
    let certificate =
        SenderCertificate::issue(&who, tomorrow, &certificate, server.private_key(), rng);
    let roots = [*root.public_key()];
    let trust = Trust::new(&roots);

    // To Bob alone.
    let content = UnidentifiedSenderMessageContent::new(
        CiphertextMessageType::Signal,
        b"what Alice's session with Bob encrypted",
        &certificate,
        ContentHint::Resendable,
        None,
    );
    let sealed = seal_v1(&alice, bob.identity_key(), &content, rng)?;
    println!("to Bob: {} bytes, of which the server learns the recipient", sealed.len());
    let own = OwnDevice { uuid: BOB, e164: None, device: phone };
    let opened = open(&sealed, &bob)?.validate(&trust, &own, now())?;
    println!("Bob: {:?} from {}", opened.message_type(), opened.sender().address());
    println!("Carol: {}", open(&sealed, &carol).err().map_or_else(String::new, |e| e.to_string()));

    // To a group: one ciphertext, 48 bytes for every recipient, and Dave is told to be left out.
    let content = UnidentifiedSenderMessageContent::new(
        CiphertextMessageType::SenderKey,
        b"what Alice's sender key encrypted",
        &certificate,
        ContentHint::Resendable,
        Some(b"the group"),
    );
    let mut message = MultiRecipientMessage::default();
    message.add(&Address::new(BOB, phone), bob.identity_key(), Some(4711))?;
    message.add(&Address::new(BOB, tablet), bob.identity_key(), Some(4712))?;
    message.add(&Address::new(CAROL, phone), carol.identity_key(), Some(42))?;
    message.exclude(ServiceId::parse(DAVE)?);
    let sent = message.seal(&alice, &content, rng)?;
    println!("to the group: one upload of {} bytes", sent.len());

    // The server reads it in place and writes each recipient's part from it.
    let view = SentMessage::parse(&sent)?;
    for account in view.excluded() {
        println!("server: not for {account}");
    }
    for recipient in view.recipients() {
        let devices: Vec<_> = recipient.devices().map(|(device, _)| device.get()).collect();
        println!("server: for {} devices {devices:?}", recipient.service_id());
        let received = view.received(recipient)?;
        let identity = if recipient.service_id().to_string() == BOB { &bob } else { &carol };
        let own = OwnDevice { uuid: "another", e164: None, device: phone };
        let opened = open(&received, identity)?.validate(&trust, &own, now())?;
        println!("  {:?} from {}", opened.message_type(), opened.sender().address());
        assert_eq!(opened.contents(), content.contents());
    }

    // A certificate of yesterday.
    let late = Timestamp(tomorrow.as_millis().saturating_add(1));
    let refused = open(&sealed, &bob)?.validate(&trust, &own, late);
    println!("two days later: {}", refused.err().map_or_else(String::new, |e| e.to_string()));
    Ok(())
}

fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}
