//! Any bytes as a received message of version 2; and a good one with bytes changed.
#![no_main]

#[path = "../rng.rs"]
mod rng;

use std::sync::OnceLock;

use libfuzzer_sys::fuzz_target;
use rng::Rng;
use sandi::keys::{IdentityKeyPair, KeyPair};
use sandi::sealed_sender::{
    ContentHint, MultiRecipientMessage, Sender, SenderCertificate, SentMessage, ServerCertificate,
    UnidentifiedSenderMessageContent, open,
};
use sandi::wire::CiphertextMessageType;
use sandi::{Address, DeviceId, Timestamp};

fn recipient() -> IdentityKeyPair {
    IdentityKeyPair::generate(&mut Rng(1))
}

/// A message that opens.
fn good() -> Vec<u8> {
    let mut rng = Rng(2);
    let (sender, server) = (IdentityKeyPair::generate(&mut rng), KeyPair::generate(&mut rng));
    let (uuid, device) = ("00000000-0000-0000-0000-000000000001", DeviceId::new(1).unwrap());
    let key = server.private_key();
    let certificate = ServerCertificate::issue(1, server.public_key(), key, &mut rng);
    let identity = sender.identity_key();
    let who = Sender { uuid, e164: None, device, identity };
    let certificate = SenderCertificate::issue(&who, Timestamp(1), &certificate, key, &mut rng);
    let kind = CiphertextMessageType::Signal;
    let content = UnidentifiedSenderMessageContent::new(
        kind,
        b"text",
        &certificate,
        ContentHint::Default,
        None,
    );
    let mut message = MultiRecipientMessage::default();
    message.add(&Address::new(uuid, device), recipient().identity_key(), Some(1)).unwrap();
    let sent = message.seal(&sender, &content, &mut rng).unwrap();
    let view = SentMessage::parse(&sent).unwrap();
    view.received(view.recipients().next().unwrap()).unwrap()
}

fuzz_target!(|bytes: &[u8]| {
    static GOOD: OnceLock<Vec<u8>> = OnceLock::new();
    let good = GOOD.get_or_init(good);
    let recipient = recipient();
    assert!(open(&[&[0x22], bytes].concat(), &recipient).is_err(), "nobody sealed this");
    // pairs of position and change
    let mut message = good.clone();
    for change in bytes.chunks_exact(3) {
        let at = usize::from(u16::from_be_bytes([change[0], change[1]])) % message.len();
        message[at] ^= change[2];
    }
    let same = message[1..] == good[1..] && message[0] >> 4 == 2;
    assert_eq!(open(&message, &recipient).is_ok(), same);
});
