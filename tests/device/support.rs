//! A device and its server, in as few lines as a test needs.

use std::cell::RefCell;
use std::rc::Rc;

use rand::SeedableRng;
use rand::rngs::StdRng;
use sandi::device::{Device, DeviceError, NewDevice, Received};
use sandi::keys::IdentityKeyPair;
use sandi::prekey::PreKeyBundle;
use sandi::protocol::{IdentityScope, Options, PreKeyPlan, ServerStock, TrustPolicy, Upload};
use sandi::session::CiphertextMessage;
use sandi::{Address, DeviceId, Error, MemoryStore, Policy, Store, Timestamp};

pub const ALICE: &str = "9d0652a3-dcc3-4d11-975f-74d61598733f";
pub const BOB: &str = "796abedb-ca4e-4f18-8803-1fde5b921f9f";
pub const CAROL: &str = "dc249e7a-56ea-49cd-abce-aa3a0d65f6f0";

pub const POLICIES: [Policy; 2] = [Policy::V3, Policy::V4];
pub const NOW: Timestamp = Timestamp(1_790_000_000_000);
pub const DAY: u64 = 24 * 60 * 60 * 1000;

pub type Memory = Rc<RefCell<MemoryStore>>;

pub fn address(name: &str, device: u32) -> Address {
    Address::new(name, DeviceId::new(device).unwrap())
}

pub fn options(dialects: Policy) -> Options {
    let pre_keys =
        PreKeyPlan { one_time: 4, one_time_kem: 2, refill_below: 2, ..PreKeyPlan::default() };
    Options { dialects, trust: TrustPolicy::TrustOnFirstUse, pre_keys, ..Options::default() }
}

/// A device, its clock and its random generator, and what its server has of it.
pub struct Party<S: Store = Memory> {
    pub device: Device<S>,
    pub now: Timestamp,
    pub rng: StdRng,
    pub server: Upload,
}

pub fn party(name: &str, device: u32, policy: Policy) -> Party {
    party_of(name, device, policy, IdentityKeyPair::generate(&mut seeded(name, device)))
}

pub fn party_of(name: &str, device: u32, policy: Policy, identity: IdentityKeyPair) -> Party {
    party_over(Memory::default(), name, device, policy, identity)
}

pub fn party_over<S: Store<Error: std::fmt::Debug>>(
    store: S,
    name: &str,
    device: u32,
    policy: Policy,
    identity: IdentityKeyPair,
) -> Party<S> {
    install(store, name, device, policy, identity, 0)
}

/// The same device after it was installed anew, for the `installation`th time.
pub fn party_of_installation(
    name: &str,
    device: u32,
    policy: Policy,
    identity: IdentityKeyPair,
    installation: u32,
) -> Party {
    install(Memory::default(), name, device, policy, identity, installation)
}

fn install<S: Store<Error: std::fmt::Debug>>(
    store: S,
    name: &str,
    device: u32,
    policy: Policy,
    identity: IdentityKeyPair,
    installation: u32,
) -> Party<S> {
    let mut rng = seeded(name, device + 1000 * installation);
    let new = NewDevice {
        address: address(name, device),
        identity,
        registration_id: 1000 + device + 10 * installation,
        scope: IdentityScope::Account,
    };
    let mut device = Device::create(store, new, options(policy), &mut rng).unwrap();
    let server = device.replenish(ServerStock::default(), NOW, &mut rng).unwrap();
    device.confirm_upload(&server, NOW, &mut rng).unwrap();
    Party { device, now: NOW, rng, server }
}

pub fn seeded(name: &str, device: u32) -> StdRng {
    let seed =
        name.bytes().fold(u64::from(device), |seed, byte| seed * 31 % 65_521 + u64::from(byte));
    StdRng::seed_from_u64(seed)
}

impl<S: Store<Error: std::fmt::Debug + PartialEq>> Party<S> {
    pub fn address(&self) -> Address {
        self.device.address().clone()
    }

    /// What the server hands out: each one-time pre-key once.
    pub fn bundle(&mut self) -> PreKeyBundle {
        let id = self.device.address().device();
        let bundle = self.server.bundle(id, 0).unwrap();
        if !self.server.one_time.is_empty() {
            self.server.one_time.remove(0);
        }
        if !self.server.one_time_kem.is_empty() {
            self.server.one_time_kem.remove(0);
        }
        bundle
    }

    pub fn start<T: Store<Error: std::fmt::Debug + PartialEq>>(&mut self, peer: &mut Party<T>) {
        let bundle = peer.bundle();
        self.device.start_session(&peer.address(), &bundle, self.now, &mut self.rng).unwrap();
    }

    pub fn write(&mut self, to: &Address, text: &str) -> CiphertextMessage {
        self.try_write(to, text).unwrap()
    }

    pub fn try_write(
        &mut self,
        to: &Address,
        text: &str,
    ) -> Result<CiphertextMessage, DeviceError<S::Error>> {
        self.device.encrypt(to, text.as_bytes(), self.now, &mut self.rng)
    }

    pub fn open<'a>(
        &'a mut self,
        from: &'a Address,
        message: &'a CiphertextMessage,
    ) -> Result<Received<'a, S, StdRng>, DeviceError<S::Error>> {
        self.device.decrypt(from, message.message_type, &message.bytes, self.now, &mut self.rng)
    }

    /// Decrypts and commits.
    pub fn try_read(
        &mut self,
        from: &Address,
        message: &CiphertextMessage,
    ) -> Result<String, DeviceError<S::Error>> {
        let decrypted = self.open(from, message)?.commit()?;
        Ok(String::from_utf8(decrypted.plaintext.to_vec()).unwrap())
    }

    pub fn read(&mut self, from: &Address, message: &CiphertextMessage) -> String {
        self.try_read(from, message).unwrap()
    }

    pub fn refused(&mut self, from: &Address, message: &CiphertextMessage) -> Error {
        self.try_read(from, message).unwrap_err().protocol().unwrap()
    }
}

impl Party {
    /// The same device after its process has ended: nothing but the store is left.
    pub fn restart(&mut self) {
        let options = *self.device.options();
        let store = self.device.store().clone();
        self.device = Device::open(store, options).unwrap();
    }
}

/// Alice and Bob after one message each way.
pub fn conversing(policy: Policy) -> (Party, Party) {
    let (mut alice, mut bob) = (party(ALICE, 1, policy), party(BOB, 1, policy));
    alice.start(&mut bob);
    let hello = alice.write(&bob.address(), "hello");
    assert_eq!(bob.read(&alice.address(), &hello), "hello");
    let reply = bob.write(&alice.address(), "reply");
    assert_eq!(alice.read(&bob.address(), &reply), "reply");
    (alice, bob)
}
