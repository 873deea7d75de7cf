//! A device in memory: what an app with a store does, in as few lines as a test needs.
#![allow(
    dead_code,
    missing_docs,
    unreachable_pub,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects
)]

use std::collections::BTreeMap;

use rand::SeedableRng;
use rand::rngs::StdRng;
use sandi::keys::{IdentityKey, IdentityKeyPair};
use sandi::prekey::{KemPreKey, PreKey, PreKeyBundle, PreKeyId, ReplayGuard, SignedPreKey};
use sandi::session::{Addresses, CiphertextMessage, LocalDevice, PreKeys, Session};
use sandi::wire::{CiphertextMessageType, PreKeySignalMessage, SignalMessage};
use sandi::{Address, DeviceId, Error, Policy, Timestamp};

/// Service ids for parties of a conversation.
pub const ALICE: &str = "9d0652a3-dcc3-4d11-975f-74d61598733f";
pub const BOB: &str = "796abedb-ca4e-4f18-8803-1fde5b921f9f";
pub const CAROL: &str = "dc249e7a-56ea-49cd-abce-aa3a0d65f6f0";

/// Every dialect that a device can be limited to.
pub const POLICIES: [Policy; 3] = [Policy::V3, Policy::V4_WITHOUT_SPQR, Policy::V4];

/// Some time in 2026.
pub const NOW: Timestamp = Timestamp(1_790_000_000_000);

/// How a device treats identity keys it has not seen or that have changed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Trust {
    FirstUse,
    Never,
}

pub struct Device {
    pub address: Address,
    pub identity: IdentityKeyPair,
    pub registration_id: u32,
    pub policy: Policy,
    pub trust: Trust,
    pub now: Timestamp,
    pub rng: StdRng,
    pub identities: BTreeMap<Address, IdentityKey>,
    pub sessions: BTreeMap<Address, Session>,
    pub one_time: BTreeMap<PreKeyId, PreKey>,
    pub signed: BTreeMap<PreKeyId, SignedPreKey>,
    pub kem: BTreeMap<PreKeyId, KemPreKey>,
    pub one_time_kem: Vec<PreKeyId>,
    pub guard: ReplayGuard,
    next_id: PreKeyId,
}

impl Device {
    pub fn new(name: &str, device: u32, policy: Policy, seed: u64) -> Self {
        let mut rng = StdRng::seed_from_u64(seed);
        let identity = IdentityKeyPair::generate(&mut rng);
        Self::with_identity(name, device, policy, seed, identity)
    }

    pub fn with_identity(
        name: &str,
        device: u32,
        policy: Policy,
        seed: u64,
        identity: IdentityKeyPair,
    ) -> Self {
        Self {
            address: Address::new(name, DeviceId::new(device).unwrap()),
            identity,
            registration_id: 1000 + u32::try_from(seed % 1000).unwrap(),
            policy,
            trust: Trust::FirstUse,
            now: NOW,
            rng: StdRng::seed_from_u64(seed.wrapping_add(0x5eed)),
            identities: BTreeMap::new(),
            sessions: BTreeMap::new(),
            one_time: BTreeMap::new(),
            signed: BTreeMap::new(),
            kem: BTreeMap::new(),
            one_time_kem: Vec::new(),
            guard: ReplayGuard::new(),
            next_id: 1,
        }
    }

    /// A bundle of fresh pre-keys; `one_time` says whether it has a one-time pre-key.
    pub fn bundle(&mut self, one_time: bool) -> PreKeyBundle {
        let id = self.next_id;
        self.next_id += 1;
        let signed = SignedPreKey::generate(id, &self.identity, self.now, &mut self.rng);
        self.signed.insert(id, signed);
        if self.policy != Policy::V3 {
            let kem = KemPreKey::generate(id, &self.identity, self.now, &mut self.rng);
            self.kem.insert(id, kem);
        }
        if one_time {
            self.one_time.insert(id, PreKey::generate(id, &mut self.rng));
        }
        self.bundle_of(id, one_time.then_some(id))
    }

    pub fn bundle_of(&self, signed: PreKeyId, one_time: Option<PreKeyId>) -> PreKeyBundle {
        PreKeyBundle::of(
            self.registration_id,
            self.address.device(),
            *self.identity.identity_key(),
            &self.signed[&signed],
            one_time.map(|id| &self.one_time[&id]),
            self.kem.get(&signed),
        )
    }

    pub fn session(&mut self, peer: &Address) -> &mut Session {
        self.sessions.entry(peer.clone()).or_default()
    }

    pub fn is_trusted(&self, peer: &Address, key: &IdentityKey) -> bool {
        match self.trust {
            Trust::FirstUse => self.identities.get(peer).is_none_or(|known| known == key),
            Trust::Never => false,
        }
    }

    pub fn process(&mut self, peer: &Address, bundle: &PreKeyBundle) -> Result<(), Error> {
        let trusted = self.is_trusted(peer, &bundle.identity_key);
        let session = self.sessions.entry(peer.clone()).or_default();
        session.initiate(
            Addresses { local: &self.address, remote: peer },
            LocalDevice { identity: &self.identity, registration_id: self.registration_id },
            bundle,
            self.policy,
            |_| trusted,
            self.now,
            &mut self.rng,
        )?;
        self.identities.insert(peer.clone(), bundle.identity_key);
        Ok(())
    }

    pub fn encrypt(&mut self, peer: &Address, text: &[u8]) -> Result<CiphertextMessage, Error> {
        let trust = self.trust;
        let known = self.identities.get(peer).copied();
        let session = self.sessions.entry(peer.clone()).or_default();
        session.encrypt(
            Addresses { local: &self.address, remote: peer },
            text,
            |key| trust == Trust::FirstUse && known.is_none_or(|known| known == *key),
            self.now,
            &mut self.rng,
        )
    }

    pub fn decrypt(
        &mut self,
        peer: &Address,
        message: &CiphertextMessage,
    ) -> Result<Vec<u8>, Error> {
        match message.message_type {
            CiphertextMessageType::Signal => self.decrypt_signal(peer, &message.bytes),
            CiphertextMessageType::PreKey => self.decrypt_pre_key(peer, &message.bytes),
            other => panic!("{other:?} is not a session message"),
        }
    }

    pub fn decrypt_signal(&mut self, peer: &Address, bytes: &[u8]) -> Result<Vec<u8>, Error> {
        let trust = self.trust;
        let known = self.identities.get(peer).copied();
        let session = self.sessions.entry(peer.clone()).or_default();
        let mut identity = None;
        let plaintext = session.decrypt(
            Addresses { local: &self.address, remote: peer },
            &SignalMessage::parse(bytes)?,
            |key| {
                identity = Some(*key);
                trust == Trust::FirstUse && known.is_none_or(|known| known == *key)
            },
            &mut self.rng,
        )?;
        self.identities.insert(peer.clone(), identity.unwrap());
        Ok(plaintext.to_vec())
    }

    pub fn decrypt_pre_key(&mut self, peer: &Address, bytes: &[u8]) -> Result<Vec<u8>, Error> {
        let message = PreKeySignalMessage::parse(bytes)?;
        let trusted = self.is_trusted(peer, message.identity_key());
        let kem = message.kyber().and_then(|(id, _)| self.kem.get(&id));
        let reusable = kem.is_some_and(|key| !self.one_time_kem.contains(&key.id()));
        let keys = PreKeys {
            signed: self.signed.get(&message.signed_pre_key_id()),
            kem,
            one_time: message.pre_key_id().and_then(|id| self.one_time.get(&id)),
            replay_guard: reusable.then_some(&self.guard),
        };
        let session = self.sessions.entry(peer.clone()).or_default();
        let accepted = session.accept(
            Addresses { local: &self.address, remote: peer },
            LocalDevice { identity: &self.identity, registration_id: self.registration_id },
            &message,
            keys,
            self.policy,
            |_| trusted,
            &mut self.rng,
        )?;
        self.identities.insert(peer.clone(), *message.identity_key());
        if let Some(used) = accepted.used {
            if let Some(id) = used.one_time {
                self.one_time.remove(&id);
            }
            match used.kem {
                Some(id) if reusable => {
                    self.guard.record(id, used.signed, &used.base_key).unwrap();
                }
                Some(id) => {
                    self.kem.remove(&id);
                }
                None => {}
            }
        }
        Ok(accepted.plaintext.to_vec())
    }
}

/// Alice and Bob of one policy, with a session that Alice started and Bob has not heard of yet.
pub fn introduced(policy: Policy, one_time: bool) -> (Device, Device) {
    let mut alice = Device::new(ALICE, 1, policy, 1);
    let mut bob = Device::new(BOB, 2, policy, 2);
    let bundle = bob.bundle(one_time);
    let to = bob.address.clone();
    alice.process(&to, &bundle).unwrap();
    (alice, bob)
}

/// `from` starts a session with `to` from a fresh bundle with a one-time pre-key.
pub fn meet(from: &mut Device, to: &mut Device) {
    let bundle = to.bundle(true);
    from.process(&to.address, &bundle).unwrap();
}

/// Alice and Bob in a session that both sides have used.
pub fn conversing(policy: Policy) -> (Device, Device) {
    let (mut alice, mut bob) = introduced(policy, true);
    send(&mut alice, &mut bob, b"hello").unwrap();
    send(&mut bob, &mut alice, b"hello yourself").unwrap();
    (alice, bob)
}

/// Encrypts at one side and decrypts at the other, checking that the plaintext arrives.
pub fn send(
    from: &mut Device,
    to: &mut Device,
    text: &[u8],
) -> Result<CiphertextMessageType, Error> {
    let message = from.encrypt(&to.address, text)?;
    assert_eq!(to.decrypt(&from.address, &message)?, text);
    Ok(message.message_type)
}

/// The stored form of a device's session with `peer`: two equal ones are the same session, bit for bit.
pub fn record(device: &Device, peer: &Device) -> Vec<u8> {
    device
        .sessions
        .get(&peer.address)
        .map(|session| sandi::migrate::official::encode_session(session).to_vec())
        .unwrap_or_default()
}

/// Delivers `message` to `to`, which must refuse it with `error` and keep its session as it was.
pub fn refused(to: &mut Device, from: &Device, message: &CiphertextMessage, error: Error) {
    let before = record(to, from);
    assert_eq!(to.decrypt(&from.address, message), Err(error));
    assert!(record(to, from) == before, "a refused message changes nothing");
}

/// `message` with one bit changed.
pub fn flipped(message: &CiphertextMessage, at: usize, bit: u32) -> CiphertextMessage {
    let mut message = message.clone();
    message.bytes[at] ^= 1 << bit;
    message
}
