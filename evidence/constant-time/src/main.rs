//! Does a secret reach a branch or an index?
//!
//! Every random byte that the library draws, and every private key that it is given, is marked as undefined;
//! what leaves the device (public keys, messages) is marked as defined again. Memcheck then reports each
//! branch and each index that depends on what is left: on a secret. `run.sh` compares the reports with the
//! list of explained ones.

mod memcheck;

use std::hint::black_box;

use memcheck::{public, secret};
use rand::SeedableRng;
use rand::rngs::StdRng;
use rand_core::{TryCryptoRng, TryRng};
use sandi::group::{Distribution, SenderKeyRecord};
use sandi::keys::{
    IdentityKey, IdentityKeyPair, KemKeyPair, KemPublicKey, KemType, KeyPair, PrivateKey, PublicKey,
};
use sandi::prekey::{KemPreKey, PreKey, PreKeyBundle, SignedPreKey};
use sandi::sealed_sender::{
    ContentHint, MultiRecipientMessage, Sender, SenderCertificate, SentMessage, ServerCertificate,
    UnidentifiedSenderMessageContent, open, seal_v1,
};
use sandi::session::{Addresses, LocalDevice, PreKeys, Session};
use sandi::wire::{
    CiphertextMessageType, PreKeySignalMessage, SenderKeyDistributionMessage, SenderKeyMessage,
    SignalMessage,
};
use sandi::{Address, DeviceId, GroupDialect, Policy, ServiceId, Timestamp};

const NOW: Timestamp = Timestamp(1_790_000_000_000);

/// A generator whose output is secret.
struct Secrets(StdRng);

impl TryRng for Secrets {
    type Error = core::convert::Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Self::Error> {
        let mut bytes = [0; 4];
        self.try_fill_bytes(&mut bytes)?;
        Ok(u32::from_le_bytes(bytes))
    }

    fn try_next_u64(&mut self) -> Result<u64, Self::Error> {
        let mut bytes = [0; 8];
        self.try_fill_bytes(&mut bytes)?;
        Ok(u64::from_le_bytes(bytes))
    }

    fn try_fill_bytes(&mut self, to: &mut [u8]) -> Result<(), Self::Error> {
        self.0.try_fill_bytes(to)?;
        // four bytes are an id, which is sent in the clear; keys and nonces are longer
        if to.len() > 4 {
            secret(to);
        }
        Ok(())
    }
}

impl TryCryptoRng for Secrets {}

fn rng(seed: u64) -> Secrets {
    Secrets(StdRng::seed_from_u64(seed))
}

/// A public key as the world sees it.
fn known(key: &PublicKey) -> PublicKey {
    public(key);
    *key
}

fn key_pair(rng: &mut Secrets) -> KeyPair {
    let pair = KeyPair::generate(rng);
    known(pair.public_key());
    pair
}

fn identity(rng: &mut Secrets) -> IdentityKeyPair {
    let pair = IdentityKeyPair::generate(rng);
    public(pair.identity_key());
    pair
}

/// The end of a plaintext. Its length is known to who sees the message; wiping it takes as long as it is.
fn finish(plaintext: sandi::session::Plaintext) {
    public(&plaintext);
    public(plaintext.as_slice());
}

/// Runs `part` and says how many reports memcheck made.
fn section<T>(name: &str, part: impl FnOnce() -> T) -> T {
    let before = memcheck::errors();
    eprintln!("== {name}");
    let result = part();
    println!("{name}: {} reports", memcheck::errors() - before);
    result
}

struct Device {
    address: Address,
    identity: IdentityKeyPair,
    signed: SignedPreKey,
    one_time: PreKey,
    kem: KemPreKey,
    session: Session,
    rng: Secrets,
}

impl Device {
    fn new(uuid: u8, seed: u64) -> Self {
        let mut rng = rng(seed);
        let identity = identity(&mut rng);
        let signed = SignedPreKey::generate(1, &identity, NOW, &mut rng);
        public(signed.key_pair().public_key());
        public(signed.signature());
        let one_time = PreKey::generate(1, &mut rng);
        public(one_time.key_pair().public_key());
        let kem = KemPreKey::generate(1, &identity, NOW, &mut rng);
        public(kem.signature());
        let name = ServiceId::aci([uuid; 16]).to_string();
        let address = Address::new(name, DeviceId::new(1).unwrap());
        Self { address, identity, signed, one_time, kem, session: Session::new(), rng }
    }

    fn bundle(&self, policy: Policy) -> PreKeyBundle {
        let mut bundle = PreKeyBundle::of(
            1,
            self.address.device(),
            *self.identity.identity_key(),
            &self.signed,
            Some(&self.one_time),
            (policy != Policy::V3).then_some(&self.kem),
        );
        if let Some(kem) = &mut bundle.kem_pre_key {
            let encoded = kem.key.encode();
            public(encoded.as_slice());
            kem.key = KemPublicKey::decode(&encoded).unwrap();
        }
        bundle
    }

    fn send(&mut self, to: &Address, text: &[u8]) -> (CiphertextMessageType, Vec<u8>) {
        let ends = Addresses { local: &self.address, remote: to };
        let mut out = Vec::new();
        let kind =
            self.session.encrypt_into(ends, text, |_| true, NOW, &mut self.rng, &mut out).unwrap();
        public(out.as_slice());
        (kind, out)
    }

    fn receive(
        &mut self,
        from: &Address,
        kind: CiphertextMessageType,
        bytes: &[u8],
        policy: Policy,
    ) {
        let ends = Addresses { local: &self.address, remote: from };
        if kind == CiphertextMessageType::PreKey {
            let message = PreKeySignalMessage::parse(bytes).unwrap();
            let keys = PreKeys {
                signed: Some(&self.signed),
                kem: Some(&self.kem),
                one_time: Some(&self.one_time),
                replay_guard: None,
            };
            let local = LocalDevice { identity: &self.identity, registration_id: 1 };
            let rng = &mut self.rng;
            let accepted =
                self.session.accept(ends, local, &message, keys, policy, |_| true, rng).unwrap();
            finish(accepted.plaintext);
        } else {
            let message = SignalMessage::parse(bytes).unwrap();
            finish(self.session.decrypt(ends, &message, |_| true, &mut self.rng).unwrap());
        }
    }
}

fn keys() {
    let mut rng = rng(1);
    let ours = section("public key", || key_pair(&mut rng));
    let theirs = key_pair(&mut rng);
    section("agreement", || black_box(ours.private_key().agree(theirs.public_key()).unwrap()));
    // u = 2 is on the twist
    let mut twist = [0; 32];
    twist[0] = 2;
    let twist = PublicKey::from_raw(twist);
    section("agreement with a key on the twist", || {
        black_box(ours.private_key().agree(&twist).unwrap());
    });
    let signature = section("signature", || ours.private_key().sign(b"message", &mut rng));
    public(&signature);
    assert!(ours.public_key().verify(b"message", &signature));
    for kem in [KemType::Kyber1024, KemType::MlKem1024] {
        let pair =
            section(&format!("{kem:?} key generation"), || KemKeyPair::generate(kem, &mut rng));
        let encoded = pair.public_key().encode();
        public(encoded.as_slice());
        let key = KemPublicKey::decode_any(&encoded, &[kem]).unwrap();
        let (ciphertext, _) =
            section(&format!("{kem:?} encapsulation"), || key.encapsulate(&mut rng));
        let encoded = ciphertext.encode();
        public(encoded.as_slice());
        let ciphertext = sandi::keys::KemCiphertext::decode_any(&encoded, &[kem]).unwrap();
        section(&format!("{kem:?} decapsulation"), || {
            black_box(pair.secret_key().decapsulate(&ciphertext).unwrap());
        });
    }
    let _ = PrivateKey::generate(&mut rng);
}

fn conversation(name: &str, policy: Policy) {
    let (mut alice, mut bob) =
        section(&format!("{name}: pre-keys"), || (Device::new(0xA1, 2), Device::new(0xB0, 3)));
    let (a, b) = (alice.address.clone(), bob.address.clone());
    let bundle = bob.bundle(policy);
    section(&format!("{name}: process a bundle"), || {
        let local = LocalDevice { identity: &alice.identity, registration_id: 1 };
        let ends = Addresses { local: &alice.address, remote: &b };
        let rng = &mut alice.rng;
        alice.session.initiate(ends, local, &bundle, policy, |_| true, NOW, rng).unwrap();
    });
    let (kind, first) =
        section(&format!("{name}: first message, sent"), || alice.send(&b, b"hello"));
    section(&format!("{name}: first message, received"), || bob.receive(&a, kind, &first, policy));
    section(&format!("{name}: 60 messages in turn, some out of order"), || {
        for turn in 0..30_u8 {
            let (kind, early) = bob.send(&a, &[turn; 40]);
            let (_, late) = bob.send(&a, &[turn; 64]);
            alice.receive(&b, kind, &late, policy);
            alice.receive(&b, kind, &early, policy);
            let (kind, answer) = alice.send(&b, &[turn; 15]);
            bob.receive(&a, kind, &answer, policy);
        }
    });
    section(&format!("{name}: a forged message"), || {
        let (_, mut forged) = alice.send(&b, b"forged");
        let last = forged.len() - 1;
        forged[last] ^= 1;
        let message = SignalMessage::parse(&forged).unwrap();
        let ends = Addresses { local: &bob.address, remote: &a };
        assert!(bob.session.decrypt(ends, &message, |_| true, &mut bob.rng).is_err());
    });
}

fn group() {
    let mut rng = rng(4);
    let (mut alice, mut bob) = (SenderKeyRecord::new(), SenderKeyRecord::new());
    let by = Distribution::Id([1; 16]);
    let distribution = section("group: distribution", || {
        let bytes = alice.create_distribution(&by, &mut rng).unwrap();
        // its ids and its public key are public; the chain key is not, but travels in the clear inside a session
        public(bytes.as_slice());
        bytes
    });
    let message =
        SenderKeyDistributionMessage::parse(GroupDialect::Distribution, &distribution).unwrap();
    bob.process_distribution(&message);
    for turn in 0..2 {
        let sent = section(&format!("group: message {turn}, sent"), || {
            let bytes = alice.encrypt(&by, b"hello, group", &mut rng).unwrap();
            public(bytes.as_slice());
            bytes
        });
        section(&format!("group: message {turn}, received"), || {
            let message = SenderKeyMessage::parse(GroupDialect::Distribution, &sent).unwrap();
            finish(bob.decrypt(&message).unwrap());
        });
    }
}

fn sealed() {
    let mut rng = rng(5);
    let (sender, recipient) = (identity(&mut rng), identity(&mut rng));
    let (root, server) = (key_pair(&mut rng), key_pair(&mut rng));
    let certificate =
        ServerCertificate::issue(1, server.public_key(), root.private_key(), &mut rng);
    public(certificate.as_bytes());
    let certificate = ServerCertificate::parse(certificate.as_bytes()).unwrap();
    let device = DeviceId::new(1).unwrap();
    let uuid = ServiceId::aci([0xA1; 16]).to_string();
    let who = Sender { uuid: &uuid, e164: None, device, identity: sender.identity_key() };
    let certificate =
        SenderCertificate::issue(&who, NOW, &certificate, server.private_key(), &mut rng);
    public(certificate.as_bytes());
    let certificate = SenderCertificate::parse(certificate.as_bytes()).unwrap();
    let content = UnidentifiedSenderMessageContent::new(
        CiphertextMessageType::Signal,
        &[7; 100],
        &certificate,
        ContentHint::Resendable,
        None,
    );
    let identity: &IdentityKey = recipient.identity_key();
    let v1 = section("sealed sender 1: seal", || {
        let bytes = seal_v1(&sender, identity, &content, &mut rng).unwrap();
        public(bytes.as_slice());
        bytes
    });
    // (forgotten, not dropped: how long the wiping takes depends on the length of what was decrypted)
    section("sealed sender 1: open", || std::mem::forget(open(&v1, &recipient).unwrap()));
    let mut message = MultiRecipientMessage::default();
    let address = Address::new(ServiceId::aci([0xB0; 16]).to_string(), device);
    message.add(&address, identity, Some(1)).unwrap();
    let sent = section("sealed sender 2: seal", || {
        let bytes = message.seal(&sender, &content, &mut rng).unwrap();
        public(bytes.as_slice());
        bytes
    });
    let view = SentMessage::parse(&sent).unwrap();
    let received = view.received(view.recipients().next().unwrap()).unwrap();
    section("sealed sender 2: open", || std::mem::forget(open(&received, &recipient).unwrap()));
}

fn main() {
    if !memcheck::runs() {
        eprintln!("not under valgrind: nothing is checked");
    }
    keys();
    conversation("version 3", Policy::V3);
    conversation("version 4", Policy::V4);
    group();
    sealed();
}
