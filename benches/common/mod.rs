//! What the benches share: two devices in memory, and the table of ratios.
#![allow(
    dead_code,
    missing_docs,
    unreachable_pub,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stdout
)]

use std::path::PathBuf;

use criterion::Criterion;
use rand::SeedableRng;
use rand::rngs::StdRng;
use sandi::keys::IdentityKeyPair;
use sandi::prekey::{KemPreKey, PreKey, PreKeyBundle, SignedPreKey};
use sandi::session::{Addresses, LocalDevice, PreKeys, Session};
use sandi::wire::{CiphertextMessageType, PreKeySignalMessage, SignalMessage};
use sandi::{Address, DeviceId, Policy, Timestamp};

pub const NOW: Timestamp = Timestamp(1_790_000_000_000);

pub struct Device {
    pub address: Address,
    pub identity: IdentityKeyPair,
    pub signed: SignedPreKey,
    pub one_time: PreKey,
    pub kem: KemPreKey,
    pub session: Session,
    pub rng: StdRng,
}

impl Device {
    pub fn new(name: &str, seed: u64) -> Self {
        let mut rng = StdRng::seed_from_u64(seed);
        let identity = IdentityKeyPair::generate(&mut rng);
        Self {
            address: Address::new(name, DeviceId::new(1).unwrap()),
            signed: SignedPreKey::generate(1, &identity, NOW, &mut rng),
            one_time: PreKey::generate(1, &mut rng),
            kem: KemPreKey::generate(1, &identity, NOW, &mut rng),
            identity,
            session: Session::new(),
            rng,
        }
    }

    pub fn bundle(&self, policy: Policy) -> PreKeyBundle {
        PreKeyBundle::of(
            1,
            self.address.device(),
            *self.identity.identity_key(),
            &self.signed,
            Some(&self.one_time),
            (policy != Policy::V3).then_some(&self.kem),
        )
    }

    pub fn initiate(&mut self, peer: &Address, bundle: &PreKeyBundle, policy: Policy) {
        let local = LocalDevice { identity: &self.identity, registration_id: 1 };
        let ends = Addresses { local: &self.address, remote: peer };
        self.session.initiate(ends, local, bundle, policy, |_| true, NOW, &mut self.rng).unwrap();
    }

    pub fn encrypt_into(
        &mut self,
        peer: &Address,
        text: &[u8],
        out: &mut Vec<u8>,
    ) -> CiphertextMessageType {
        out.clear();
        let ends = Addresses { local: &self.address, remote: peer };
        self.session.encrypt_into(ends, text, |_| true, NOW, &mut self.rng, out).unwrap()
    }

    pub fn accept(&mut self, peer: &Address, bytes: &[u8], policy: Policy) {
        let message = PreKeySignalMessage::parse(bytes).unwrap();
        let keys = PreKeys {
            signed: Some(&self.signed),
            kem: Some(&self.kem),
            one_time: Some(&self.one_time),
            replay_guard: None,
        };
        let local = LocalDevice { identity: &self.identity, registration_id: 1 };
        let ends = Addresses { local: &self.address, remote: peer };
        self.session.accept(ends, local, &message, keys, policy, |_| true, &mut self.rng).unwrap();
    }

    pub fn decrypt_in_place(&mut self, peer: &Address, bytes: &mut [u8]) {
        let ends = Addresses { local: &self.address, remote: peer };
        self.session.decrypt_in_place(ends, bytes, |_| true, &mut self.rng).unwrap();
    }

    pub fn decrypt(&mut self, peer: &Address, bytes: &[u8]) {
        let ends = Addresses { local: &self.address, remote: peer };
        let message = SignalMessage::parse(bytes).unwrap();
        self.session.decrypt(ends, &message, |_| true, &mut self.rng).unwrap();
    }
}

/// Two devices whose session both have used.
pub fn conversing(policy: Policy) -> (Device, Device) {
    let (mut alice, mut bob) = (Device::new("alice", 1), Device::new("bob", 2));
    let (a, b) = (alice.address.clone(), bob.address.clone());
    alice.initiate(&b, &bob.bundle(policy), policy);
    let mut out = Vec::new();
    alice.encrypt_into(&b, b"hello", &mut out);
    bob.accept(&a, &out, policy);
    bob.encrypt_into(&a, b"hello", &mut out);
    alice.decrypt(&b, &out);
    (alice, bob)
}

/// Where this bench's results lie, so that the table can be made from them.
fn results() -> PathBuf {
    PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("criterion")
}

pub fn criterion() -> Criterion {
    Criterion::default()
        .output_directory(&results())
        .warm_up_time(std::time::Duration::from_millis(500))
        .measurement_time(std::time::Duration::from_secs(2))
        .sample_size(50)
        .configure_from_args()
}

/// The median of a benchmark of this run, in ns.
pub fn median(id: &str) -> Option<f64> {
    let path = results().join(id).join("new/estimates.json");
    let text = std::fs::read_to_string(path).ok()?;
    let estimates: serde_json::Value = serde_json::from_str(&text).ok()?;
    estimates["median"]["point_estimate"].as_f64()
}

/// Prints each row's median, its floor's, and their ratio. A row that was filtered out is left out.
pub fn table(title: &str, rows: &[(&str, &str)]) {
    println!("\n{title}\n{:<44}{:>12}{:>12}{:>8}", "", "µs", "floor µs", "ratio");
    for (id, floor) in rows {
        if let (Some(time), Some(floor)) = (median(id), median(floor)) {
            println!("{id:<44}{:>12.3}{:>12.3}{:>8.2}", time / 1e3, floor / 1e3, time / floor);
        }
    }
}
