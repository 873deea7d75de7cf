//! A business's host: messages a second that are received and answered, every step durable before it is visible.
//!
//! `cargo bench -p sandi-sqlite --bench host`
//!
//! One device in one file serves 200 conversations, with one worker or two, each with a handle of its own. A message is
//! decrypted and committed with its plaintext; the answer is encrypted and committed with its ciphertext. Both count
//! as one message. A batch is what one commit holds.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    missing_docs
)]

use std::path::Path;
use std::sync::Barrier;
use std::thread;
use std::time::{Duration, Instant};

use chacha20::ChaCha20Rng;
use chacha20::rand_core::SeedableRng;
use sandi::device::NewDevice;
use sandi::keys::IdentityKeyPair;
use sandi::protocol::{
    Decrypt, Encrypt, IdentityScope, Loaded, Operation, Options, Own, PreKeyPlan, Recipient,
    ServerStock,
};
use sandi::rand_core::CryptoRng;
use sandi::session::CiphertextMessage;
use sandi::{Address, Changes, Device, DeviceId, Error, MemoryStore, Policy, RecordKey, Timestamp};
use sandi_sqlite::{Durability, SqliteStore};

const NOW: Timestamp = Timestamp(1_790_000_000_000);
const TEXT: [u8; 64] = [7; 64];
const CONVERSATIONS: usize = 200;
/// Measured rounds; in each, every customer writes and reads the answer.
const ROUNDS: usize = 3;

/// A message at the host, or an answer to be delivered: whose, and what.
type Letter = (usize, CiphertextMessage);

/// One way of serving.
#[derive(Clone, Copy)]
struct Way {
    durability: Durability,
    workers: usize,
    batch: usize,
}

/// Decrypts a batch and stores the plaintexts, in one commit.
struct Receive<'a> {
    letters: &'a [Letter],
    addresses: &'a [Address],
    round: usize,
}

impl Receive<'_> {
    fn each(&self) -> impl Iterator<Item = (usize, Decrypt<'_>)> {
        self.letters.iter().map(|(number, message)| {
            let (message_type, bytes) = (message.message_type, message.bytes.as_slice());
            (*number, Decrypt { from: &self.addresses[*number], message_type, bytes })
        })
    }
}

impl Operation for Receive<'_> {
    type Output = ();

    fn needs(&self, own: &Own, loaded: &Loaded) -> Result<Vec<RecordKey>, Error> {
        let mut keys = Vec::new();
        for (_, decrypt) in self.each() {
            keys.extend(decrypt.needs(own, loaded)?);
        }
        Ok(keys)
    }

    fn run(
        &self,
        own: &Own,
        loaded: &mut Loaded,
        now: Timestamp,
        rng: &mut impl CryptoRng,
    ) -> Result<((), Changes), Error> {
        let mut changes = Changes::new();
        for (number, decrypt) in self.each() {
            let (decrypted, changed) = decrypt.run(own, loaded, now, rng)?;
            changes.merge(changed)?;
            let plaintext = decrypted.plaintext.to_vec();
            changes.create(record("in", self.round, number), plaintext, rng)?;
        }
        Ok(((), changes))
    }
}

fn record(kind: &str, round: usize, number: usize) -> RecordKey {
    RecordKey::Application(format!("{kind} {round} {number}").into_bytes().into())
}

fn address(number: usize) -> Address {
    Address::new(format!("customer-{number}"), DeviceId::new(1).unwrap())
}

fn host_address() -> Address {
    Address::new("business", DeviceId::new(1).unwrap())
}

fn options(policy: Policy, one_time: u32) -> Options {
    let pre_keys = PreKeyPlan { one_time, one_time_kem: one_time.min(1), ..PreKeyPlan::default() };
    Options { dialects: policy, pre_keys, ..Options::default() }
}

fn new_device(address: Address, rng: &mut ChaCha20Rng) -> NewDevice {
    let identity = IdentityKeyPair::generate(rng);
    NewDevice { address, identity, registration_id: 1, scope: IdentityScope::Device }
}

fn open(path: &Path, durability: Durability) -> SqliteStore {
    SqliteStore::open_with(path, sandi_sqlite::Options::new().durability(durability)).unwrap()
}

/// The customers, each with a session that the host has not met yet.
struct Customers {
    devices: Vec<Device<MemoryStore>>,
    addresses: Vec<Address>,
    rng: ChaCha20Rng,
}

impl Customers {
    fn new(path: &Path, policy: Policy) -> Self {
        let mut rng = ChaCha20Rng::from_seed([3; 32]);
        let store = open(path, Durability::Off);
        let new = new_device(host_address(), &mut rng);
        let plan = options(policy, u32::try_from(CONVERSATIONS).unwrap());
        let mut host = Device::create(store, new, plan, &mut rng).unwrap();
        let upload = host.replenish(ServerStock::default(), NOW, &mut rng).unwrap();
        let addresses: Vec<_> = (0..CONVERSATIONS).map(address).collect();
        let mut devices = Vec::new();
        for (number, address) in addresses.iter().enumerate() {
            let (new, options) = (new_device(address.clone(), &mut rng), options(policy, 0));
            let mut device = Device::create(MemoryStore::new(), new, options, &mut rng).unwrap();
            let bundle = upload.bundle(host_address().device(), number).unwrap();
            device.start_session(&host_address(), &bundle, NOW, &mut rng).unwrap();
            devices.push(device);
        }
        Self { devices, addresses, rng }
    }

    fn write(&mut self) -> Vec<Letter> {
        let mut letters = Vec::new();
        for (number, device) in self.devices.iter_mut().enumerate() {
            let message = device.encrypt(&host_address(), &TEXT, NOW, &mut self.rng).unwrap();
            letters.push((number, message));
        }
        letters
    }

    fn read(&mut self, answers: &[Letter]) {
        for (number, answer) in answers {
            let (kind, bytes, from) = (answer.message_type, &answer.bytes, host_address());
            let device = &mut self.devices[*number];
            let received = device.decrypt(&from, kind, bytes, NOW, &mut self.rng).unwrap();
            assert_eq!(received.commit().unwrap().plaintext[..], TEXT);
        }
    }
}

/// Receives and answers all letters of one worker, and returns the answers.
fn serve(
    host: &mut Device<SqliteStore>,
    letters: &[Letter],
    addresses: &[Address],
    (batch, round): (usize, usize),
    rng: &mut ChaCha20Rng,
) -> Vec<Letter> {
    let mut answers = Vec::with_capacity(letters.len());
    for letters in letters.chunks(batch) {
        host.perform(&Receive { letters, addresses, round }, NOW, rng).unwrap();
        let recipients: Vec<_> = letters
            .iter()
            .map(|(number, _)| Recipient { address: &addresses[*number], plaintext: &TEXT })
            .collect();
        let mut records = ChaCha20Rng::from_rng(rng);
        let sent =
            host.perform_with(&Encrypt { recipients: &recipients }, NOW, rng, |sent, changes| {
                for (sent, (number, _)) in sent.iter().zip(letters) {
                    let bytes = sent.message.as_ref().map_err(|error| *error)?.bytes.clone();
                    changes.create(record("out", round, *number), bytes, &mut records)?;
                }
                Ok(())
            });
        let numbers = letters.iter().map(|(number, _)| *number);
        answers.extend(numbers.zip(sent.unwrap().into_iter().map(|sent| sent.message.unwrap())));
    }
    answers
}

/// Messages a second, received and sent.
fn measure(policy: Policy, way: Way) -> f64 {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("business.sandi");
    let mut customers = Customers::new(&path, policy);
    let mut workers: Vec<_> = (0..way.workers)
        .map(|_| Device::open(open(&path, way.durability), options(policy, 0)).unwrap())
        .collect();
    let mut elapsed = Duration::ZERO;
    // Round 0 establishes the sessions and is not measured.
    for round in 0..=ROUNDS {
        let letters = customers.write();
        let share = letters.len().div_ceil(way.workers);
        let (barrier, addresses) = (&Barrier::new(way.workers + 1), &customers.addresses);
        let mut answers = Vec::new();
        thread::scope(|scope| {
            let mut threads = Vec::new();
            for (at, (host, letters)) in workers.iter_mut().zip(letters.chunks(share)).enumerate() {
                threads.push(scope.spawn(move || {
                    let seed = u8::try_from(100 + at + way.workers * round).unwrap();
                    let mut rng = ChaCha20Rng::from_seed([seed; 32]);
                    // Pre-key messages may name one signed pre-key: one at a time.
                    let batch = if round == 0 { 1 } else { way.batch };
                    barrier.wait();
                    serve(host, letters, addresses, (batch, round), &mut rng)
                }));
            }
            barrier.wait();
            let start = Instant::now();
            for thread in threads {
                answers.extend(thread.join().unwrap());
            }
            if round > 0 {
                elapsed += start.elapsed();
            }
        });
        customers.read(&answers);
    }
    (2 * CONVERSATIONS * ROUNDS) as f64 / elapsed.as_secs_f64()
}

fn main() {
    println!("messages/s, received and answered     1 worker    2 workers");
    for (dialect, policy) in [("version 3", Policy::V3), ("version 4", Policy::V4)] {
        for (syncs, durability) in [("synced", Durability::Full), ("without", Durability::Off)] {
            for batch in [1, 10, 50] {
                let [one, two] =
                    [1, 2].map(|workers| measure(policy, Way { durability, workers, batch }));
                println!(
                    "  {dialect}, {syncs:<8} batch of {batch:>2}       {one:>8.0}     {two:>8.0}"
                );
            }
        }
    }
}
