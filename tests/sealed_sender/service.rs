//! A service that certifies its users, and what tests seal.

use rand::SeedableRng;
use rand::rngs::StdRng;
use sandi::keys::{IdentityKeyPair, KeyPair, PublicKey};
use sandi::sealed_sender::{
    ContentHint, OwnDevice, Sender, SenderCertificate, ServerCertificate, Trust,
    UnidentifiedSenderMessageContent,
};
use sandi::wire::CiphertextMessageType;
use sandi::{DeviceId, Timestamp};

pub const EXPIRATION: Timestamp = Timestamp(1_800_000_000_000);
pub const GROUP: &[u8] = b"a group";

pub struct Service {
    pub root: KeyPair,
    pub roots: [PublicKey; 1],
    pub server: KeyPair,
    pub certificate: ServerCertificate,
    pub rng: StdRng,
}

impl Service {
    pub fn new(seed: u64) -> Self {
        let mut rng = StdRng::seed_from_u64(seed);
        let root = KeyPair::generate(&mut rng);
        let server = KeyPair::generate(&mut rng);
        let certificate =
            ServerCertificate::issue(7, server.public_key(), root.private_key(), &mut rng);
        Self { roots: [*root.public_key()], root, server, certificate, rng }
    }

    pub fn trust(&self) -> Trust<'_> {
        Trust::new(&self.roots)
    }

    pub fn certify(&mut self, sender: &Sender<'_>) -> SenderCertificate {
        let key = self.server.private_key();
        SenderCertificate::issue(sender, EXPIRATION, &self.certificate, key, &mut self.rng)
    }

    /// A certificate of device 1 of `uuid`.
    pub fn certify_device(&mut self, uuid: &str, identity: &IdentityKeyPair) -> SenderCertificate {
        let identity = identity.identity_key();
        self.certify(&Sender { uuid, e164: None, device: device(1), identity })
    }
}

pub fn device(id: u32) -> DeviceId {
    DeviceId::new(id).unwrap()
}

pub fn identity(seed: u64) -> IdentityKeyPair {
    IdentityKeyPair::generate(&mut StdRng::seed_from_u64(seed))
}

/// A device that is nobody's.
pub fn nobody() -> OwnDevice<'static> {
    OwnDevice { uuid: "", e164: None, device: device(127) }
}

pub fn content(sender: &SenderCertificate) -> UnidentifiedSenderMessageContent {
    UnidentifiedSenderMessageContent::new(
        CiphertextMessageType::Signal,
        b"what a session encrypted",
        sender,
        ContentHint::Resendable,
        Some(GROUP),
    )
}
