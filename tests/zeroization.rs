//! What is left in memory when a conversation is over. Every random byte that the library drew, and the
//! plaintext, are looked for in all of the process's memory, freed or not, through `/proc/self/mem`.
//!
//! What a function leaves on the stack stays there until another call writes over it, and Rust gives a
//! library no way to prevent that. So the thread writes over its stack before it ends: what is found after
//! that lies on the heap, in statics or in the allocator's free lists.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
#![allow(clippy::arithmetic_side_effects)]

use std::collections::HashMap;
use std::convert::Infallible;
use std::fs::File;
use std::io::Read;
use std::os::unix::fs::FileExt;
use std::sync::{Arc, Mutex};

use rand_core::{TryCryptoRng, TryRng};
use sandi::attachment::{AttachmentEncryptor, AttachmentKey, Transform};
use sandi::device::NewDevice;
use sandi::group::{Distribution, SenderKeyRecord};
use sandi::keys::IdentityKeyPair;
use sandi::protocol::{IdentityScope, Options, PreKeyPlan, ServerStock};
use sandi::wire::{CiphertextMessageType, SenderKeyDistributionMessage, SenderKeyMessage};
use sandi::{Address, Device, DeviceId, Error, GroupDialect, MemoryStore, Policy, Timestamp};
use zeroize::Zeroizing;

const NOW: Timestamp = Timestamp(1_790_000_000_000);
/// So that the list of what is looked for is not found itself.
const MASK: u8 = 0xA5;
/// How many bytes must be the same. Clamping changes the first and the last byte of a key.
const LENGTH: usize = 24;

type Secrets = Arc<Mutex<Vec<[u8; LENGTH]>>>;

/// Draws bytes by a hash of a counter, straight into their place, and notes them masked.
struct Recorder {
    counter: u64,
    secrets: Secrets,
}

impl TryRng for Recorder {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        self.try_next_u64().map(|word| word as u32)
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        self.counter = self.counter.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.counter;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        Ok(z ^ (z >> 31))
    }

    fn try_fill_bytes(&mut self, to: &mut [u8]) -> Result<(), Infallible> {
        for byte in to.iter_mut() {
            *byte = self.try_next_u64()?.to_le_bytes()[3];
        }
        // 32 bytes and more are keys and seeds; less are ids, revisions and initialisation vectors
        for key in to.chunks_exact(32) {
            self.secrets.lock().unwrap().push(std::array::from_fn(|i| key[4 + i] ^ MASK));
        }
        Ok(())
    }
}

impl TryCryptoRng for Recorder {}

/// The plaintext of every message: 32 bytes that nothing else holds.
fn plaintext(secrets: &Secrets) -> Zeroizing<Vec<u8>> {
    let mut text = Zeroizing::new(Vec::with_capacity(32));
    text.extend((0..32_u8).map(|i| i.wrapping_mul(151) ^ 0x3C));
    secrets.lock().unwrap().push(std::array::from_fn(|i| text[i] ^ MASK));
    text
}

/// Where in memory one of `secrets` is found, and which.
fn search(secrets: &Secrets) -> Vec<(String, usize)> {
    let secrets = secrets.lock().unwrap();
    let mut by_start: HashMap<u64, Vec<usize>> = HashMap::new();
    for (index, secret) in secrets.iter().enumerate() {
        let start = u64::from_le_bytes(secret[..8].try_into().unwrap());
        by_start.entry(start).or_default().push(index);
    }
    let mut maps = String::new();
    File::open("/proc/self/maps").unwrap().read_to_string(&mut maps).unwrap();
    let memory = File::open("/proc/self/mem").unwrap();
    let mut found = Vec::new();
    // Masked as soon as they are read, so that what was found in one region is not found again in here.
    let mut page = vec![0; 1 << 20];
    for line in maps.lines() {
        let mut fields = line.split_whitespace();
        let (range, access) = (fields.next().unwrap(), fields.next().unwrap());
        if !access.starts_with("rw") {
            continue;
        }
        let (from, to) = range.split_once('-').unwrap();
        let (mut at, to) =
            (u64::from_str_radix(from, 16).unwrap(), u64::from_str_radix(to, 16).unwrap());
        while at < to {
            let wanted = usize::try_from(to - at).unwrap().min(page.len());
            let Ok(read) = memory.read_at(&mut page[..wanted], at) else { break };
            page[..read].iter_mut().for_each(|byte| *byte ^= MASK);
            for offset in 0..read.saturating_sub(LENGTH) {
                let word = u64::from_le_bytes(page[offset..offset + 8].try_into().unwrap());
                // the list itself is masked: in here it is in the clear, so it does not match
                let Some(candidates) = by_start.get(&word) else { continue };
                for &index in candidates {
                    if page[offset..offset + LENGTH] == secrets[index] {
                        found.push((line.to_owned(), index));
                    }
                }
            }
            at += if read == wanted && at + (read as u64) < to {
                (read - LENGTH) as u64
            } else {
                to - at
            };
        }
    }
    found
}

fn device(name: &str, policy: Policy, rng: &mut Recorder) -> Device<MemoryStore> {
    let new = NewDevice {
        address: Address::new(name, DeviceId::new(1).unwrap()),
        identity: IdentityKeyPair::generate(rng),
        registration_id: 7,
        scope: IdentityScope::Account,
    };
    let pre_keys = PreKeyPlan { one_time: 3, one_time_kem: 2, ..PreKeyPlan::default() };
    let options = Options { dialects: policy, pre_keys, ..Options::default() };
    Device::create(MemoryStore::new(), new, options, rng).unwrap()
}

/// Pre-keys, a session, messages in turn, late ones, a forged one, an archived session.
#[inline(never)] // so that its frame is written over, too
fn converse(policy: Policy, rng: &mut Recorder) {
    let text = plaintext(&rng.secrets);
    let (mut alice, mut bob) = (device("alice", policy, rng), device("bob", policy, rng));
    let upload = bob.replenish(ServerStock::default(), NOW, rng).unwrap();
    bob.confirm_upload(&upload, NOW, rng).unwrap();
    let (a, b) = (alice.address().clone(), bob.address().clone());
    for session in 0..2 {
        let bundle = upload.bundle(b.device(), session).unwrap();
        alice.start_session(&b, &bundle, NOW, rng).unwrap();
        for _ in 0..20 {
            let late = alice.encrypt(&b, &text, NOW, rng).unwrap();
            let mut forged = alice.encrypt(&b, &text, NOW, rng).unwrap();
            let message = alice.encrypt(&b, &text, NOW, rng).unwrap();
            for message in [&message, &late] {
                let received =
                    bob.decrypt(&a, message.message_type, &message.bytes, NOW, rng).unwrap();
                assert_eq!(received.plaintext(), &text[..]);
                received.commit().unwrap();
            }
            if forged.message_type == CiphertextMessageType::Signal {
                *forged.bytes.last_mut().unwrap() ^= 1;
                assert!(bob.decrypt(&a, forged.message_type, &forged.bytes, NOW, rng).is_err());
            }
            let answer = bob.encrypt(&a, &text, NOW, rng).unwrap();
            let received = alice.decrypt(&b, answer.message_type, &answer.bytes, NOW, rng).unwrap();
            received.commit().unwrap();
        }
    }
}

#[inline(never)]
fn speak_to_a_group(rng: &mut Recorder) {
    let text = plaintext(&rng.secrets);
    let (mut alice, mut bob) = (SenderKeyRecord::new(), SenderKeyRecord::new());
    let by = Distribution::Id([1; 16]);
    let distribution = alice.create_distribution(&by, rng).unwrap();
    let dialect = GroupDialect::Distribution;
    bob.process_distribution(&SenderKeyDistributionMessage::parse(dialect, &distribution).unwrap());
    let messages: Vec<_> = (0..3).map(|_| alice.encrypt(&by, &text, rng).unwrap()).collect();
    for at in [2, 0] {
        let message = SenderKeyMessage::parse(dialect, &messages[at]).unwrap();
        assert_eq!(&bob.decrypt(&message).unwrap()[..], &text[..]);
    }
    let message = SenderKeyMessage::parse(dialect, &messages[0]).unwrap();
    assert!(matches!(bob.decrypt(&message), Err(Error::DuplicatedMessage { .. })));
}

#[inline(never)]
fn send_a_file(rng: &mut Recorder) {
    let key = AttachmentKey::generate(rng);
    let mut out = Vec::new();
    let mut encryptor = AttachmentEncryptor::new(&key, rng);
    encryptor.update(&[7; 100_000], &mut out).unwrap();
    encryptor.finish(&mut out).unwrap();
}

/// The search finds what is there.
#[inline(never)]
fn a_key_that_lives(rng: &mut Recorder) -> usize {
    let alive = IdentityKeyPair::generate(rng);
    let found = search(&rng.secrets).len();
    drop(alive);
    found
}

#[inline(never)]
fn write_over_the_stack() {
    std::hint::black_box([0_u8; 1 << 18]);
}

#[test]
fn nothing_secret_is_left_in_memory_when_a_conversation_is_over() {
    let secrets = Secrets::default();
    let noted = Arc::clone(&secrets);
    let within = std::thread::spawn(move || {
        let mut rng = Recorder { counter: 1, secrets: noted };
        let found = a_key_that_lives(&mut rng);
        for policy in [Policy::V3, Policy::V4] {
            converse(policy, &mut rng);
        }
        speak_to_a_group(&mut rng);
        send_a_file(&mut rng);
        write_over_the_stack();
        found
    });
    assert!(within.join().unwrap() > 0, "the search does not see a key that is in use");
    assert!(secrets.lock().unwrap().len() > 200);
    let found = search(&secrets);
    assert!(
        found.is_empty(),
        "{} secrets are left: {:#?}",
        found.len(),
        &found[..found.len().min(9)]
    );
}
