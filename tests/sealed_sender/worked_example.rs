//! Scenario 1: the worked example of spec 06 §7, byte for byte.

use core::convert::Infallible;

use rand::rand_core::{TryCryptoRng, TryRng};
use sandi::keys::{IdentityKeyPair, PrivateKey, PublicKey};
use sandi::sealed_sender::{
    ContentHint, MultiRecipientMessage, Sender, SenderCertificate, SentMessage, ServerCertificate,
    Trust, UnidentifiedSenderMessageContent, open, seal_v1,
};
use sandi::wire::{CiphertextMessageType, PlaintextContent};
use sandi::{Address, ServiceId, Timestamp};
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::service::{device, nobody};

/// Gives fixed bytes, then zeros.
struct Fixed(Vec<u8>);

impl TryRng for Fixed {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        unreachable!("only bytes are drawn")
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        unreachable!("only bytes are drawn")
    }

    fn try_fill_bytes(&mut self, out: &mut [u8]) -> Result<(), Infallible> {
        for byte in out {
            *byte = if self.0.is_empty() { 0 } else { self.0.remove(0) };
        }
        Ok(())
    }
}

impl TryCryptoRng for Fixed {}

struct Example(Value);

impl Example {
    fn read() -> Self {
        let folder = std::env::var_os("SANDI_VECTORS").map_or_else(
            || std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors"),
            Into::into,
        );
        let text = std::fs::read_to_string(folder.join("sealed_sender.json")).unwrap();
        Self(serde_json::from_str(&text).unwrap())
    }

    fn hex(&self, name: &str) -> Vec<u8> {
        hex::decode(self.0[name].as_str().unwrap()).unwrap()
    }

    fn private(&self, name: &str) -> PrivateKey {
        PrivateKey::decode(&self.hex(name)).unwrap()
    }

    fn identity(&self, name: &str) -> IdentityKeyPair {
        IdentityKeyPair::from_private(self.private(name))
    }

    fn content(&self) -> UnidentifiedSenderMessageContent {
        UnidentifiedSenderMessageContent::parse(self.hex("content")).unwrap()
    }
}

const RECIPIENT: &str = "796abedb-ca4e-4f18-8803-1fde5b921f9f";
const EXCLUDED: &str = "PNI:9d0652a3-dcc3-4d11-975f-74d61598733f";

#[test]
fn scenario_1_certificates_and_content_are_reproduced() {
    let example = Example::read();
    let root = example.private("trust_root");
    let server = example.private("server");
    let rng = &mut Fixed(Vec::new());
    let id = u32::try_from(example.0["server_key_id"].as_u64().unwrap()).unwrap();
    let certificate = ServerCertificate::issue(id, &server.public_key(), &root, rng);
    assert_eq!(certificate.as_bytes(), example.hex("server_certificate"));
    let alice = example.identity("sender");
    let sender = Sender {
        uuid: example.0["sender_uuid"].as_str().unwrap(),
        e164: None,
        device: device(23),
        identity: alice.identity_key(),
    };
    let expiration = Timestamp(example.0["expiration"].as_u64().unwrap());
    let certificate = SenderCertificate::issue(&sender, expiration, &certificate, &server, rng);
    let content = UnidentifiedSenderMessageContent::new(
        CiphertextMessageType::Plaintext,
        b"\xC0payload\x80",
        &certificate,
        ContentHint::Resendable,
        Some(b"GROUP"),
    );
    assert_eq!(content.as_bytes(), example.hex("content"));
    assert_eq!(content, example.content(), "made and read are the same");
}

#[test]
fn scenario_1_content_says_what_it_says() {
    let example = Example::read();
    let content = example.content();
    assert_eq!(content.message_type(), CiphertextMessageType::Plaintext);
    assert_eq!(content.contents(), b"\xC0payload\x80");
    assert_eq!(PlaintextContent::parse(content.contents()).unwrap().body(), b"payload\x80");
    assert_eq!(content.hint(), ContentHint::Resendable);
    assert_eq!(content.group_id(), Some(b"GROUP".as_slice()));
    let sender = content.sender();
    assert_eq!(sender.address().to_string(), "9d0652a3-dcc3-4d11-975f-74d61598733f.23");
    assert_eq!(sender.e164(), None);
    // valid at the last millisecond, and not after it
    let roots = [example.private("trust_root").public_key()];
    let trust = Trust::new(&roots);
    assert_eq!(sender.validate(&trust, Timestamp(1_700_000_000_000)), Ok(true));
    assert_eq!(sender.validate(&trust, Timestamp(1_700_000_000_001)), Ok(false));
}

#[test]
fn scenario_1_version_1_is_reproduced_and_opens() {
    let example = Example::read();
    let (sender, recipient) = (example.identity("sender"), example.identity("recipient"));
    let rng = &mut Fixed(example.hex("v1_ephemeral_private"));
    let sealed = seal_v1(&sender, recipient.identity_key(), &example.content(), rng).unwrap();
    let encrypted_static = example.hex("encrypted_static");
    assert!(sealed.windows(encrypted_static.len()).any(|part| part == encrypted_static));
    assert_eq!(hex::encode(&sealed), hex::encode(example.hex("v1_message")));
    assert_eq!(open(&sealed, &recipient).unwrap().unvalidated(), &example.content());
}

#[test]
fn scenario_1_version_2_is_reproduced_in_both_forms_and_opens() {
    let example = Example::read();
    let (sender, recipient) = (example.identity("sender"), example.identity("recipient"));
    let mut message = MultiRecipientMessage::default();
    for (id, registration_id) in [(1, 0x11AA), (42, 0x11BB)] {
        let address = Address::new(RECIPIENT, device(id));
        message.add(&address, recipient.identity_key(), Some(registration_id)).unwrap();
    }
    message.exclude(ServiceId::parse(EXCLUDED).unwrap());
    let rng = &mut Fixed(example.hex("m"));
    let sent = message.seal(&sender, &example.content(), rng).unwrap();

    let (header, rest) = sent.split_at(example.hex("upload_header").len());
    assert_eq!(header, example.hex("upload_header"));
    assert_eq!(rest[..32], example.hex("c"));
    assert_eq!(rest[32..48], example.hex("at"));
    assert_eq!(rest[48..66], example.hex("upload_excluded"));
    assert_eq!(rest[66..98], example.hex("ephemeral"));
    assert_eq!(hex::encode(Sha256::digest(&sent)), example.0["upload_sha256"].as_str().unwrap());

    let view = SentMessage::parse(&sent).unwrap();
    let only = view.recipients().next().unwrap();
    let received = view.received(only).unwrap();
    assert_eq!(hex::encode(&received), hex::encode(example.hex("v2_message")));
    let roots = [example.private("trust_root").public_key()];
    let opened = open(&received, &recipient).unwrap();
    let content =
        opened.validate(&Trust::new(&roots), &nobody(), Timestamp(1_700_000_000_000)).unwrap();
    assert_eq!(content, example.content());
}

#[test]
fn the_test_keys_of_the_table_are_the_known_ones() {
    let root = PrivateKey::decode(&[0; 32]).unwrap().public_key();
    let trust = Trust::new(core::slice::from_ref(&root));
    let certificate = trust.resolve(0x7357_C357).unwrap();
    assert!(certificate.is_valid(&root));
    assert_eq!(*certificate.key(), PrivateKey::decode(&[0xFF; 32]).unwrap().public_key());
    let listed = hex::decode("052fe57da347cd62431528daac5fbb290730fff684afc4cfc2ed90995f58cb3b74");
    assert_eq!(root, PublicKey::decode(&listed.unwrap()).unwrap());
}
