//! A group call of an app that is free to choose: frames in the format of RFC 9605 (SFrame), each sender with
//! a key of its own, given to the others over sandi's sessions. Carol leaves, and cannot open the next frame.
//!
//! `cargo run -p sandi-call-frames`
//!
//! A package of its own, so that what `sframe` needs is built with nothing else.
//!
//! Unlike the WhatsApp family's calls (`sandi::call`), where one common secret gives every participant the
//! keys of all others, nobody here can make a frame that another is taken for the sender of.
#![allow(clippy::print_stdout, clippy::indexing_slicing, clippy::arithmetic_side_effects)] // for people to read

use std::collections::HashMap;
use std::error::Error;
use std::time::{SystemTime, UNIX_EPOCH};

use sandi::device::{NewDevice, random_registration_id};
use sandi::keys::IdentityKeyPair;
use sandi::protocol::{IdentityScope, Options, ServerStock, Upload};
use sandi::session::{CiphertextMessage, Requirements};
use sandi::{Address, Device, DeviceId, MemoryStore, OsRng, Secret, Timestamp};
use sframe::CipherSuite;
use sframe::frame::validation::{ReplayAttackProtectionStore, Tolerance};
use sframe::frame::{EncryptedFrame, MediaFrame, MonotonicCounter};
use sframe::header::KeyId;
use sframe::key::{DecryptionKey, EncryptionKey};

type Result<T> = core::result::Result<T, Box<dyn Error>>;

const SUITE: CipherSuite = CipherSuite::AesGcm256Sha512;

/// A device in the call.
struct Member {
    device: Device<MemoryStore>,
    upload: Upload,
    /// This member's number in the call, the low byte of its key ids; the rest counts its keys.
    number: u64,
    generation: u64,
    own: Option<(EncryptionKey, MonotonicCounter)>,
    others: HashMap<KeyId, DecryptionKey>,
    seen: ReplayAttackProtectionStore,
}

impl Member {
    fn new(name: &str, number: u64, rng: &mut OsRng) -> Result<Self> {
        let new = NewDevice {
            address: Address::new(name, DeviceId::new(1)?),
            identity: IdentityKeyPair::generate(rng),
            registration_id: random_registration_id(rng),
            scope: IdentityScope::Account,
        };
        let mut device = Device::create(MemoryStore::new(), new, Options::default(), rng)?;
        let upload = device.replenish(ServerStock::default(), now(), rng)?;
        device.confirm_upload(&upload, now(), rng)?;
        Ok(Self {
            device,
            upload,
            number,
            generation: 0,
            own: None,
            others: HashMap::new(),
            seen: ReplayAttackProtectionStore::new(Tolerance::new(128)),
        })
    }

    fn address(&self) -> Address {
        self.device.address().clone()
    }

    /// Draws a new key for this member's frames. What is returned goes to every other member of the call.
    fn new_key(&mut self, rng: &mut OsRng) -> Result<[u8; 40]> {
        self.generation += 1;
        let id = self.generation << 8 | self.number;
        let base = Secret::<32>::random(rng);
        // A key id of its own, so that a late frame finds the key before.
        let key = EncryptionKey::derive_from(SUITE, id, base.expose())?;
        self.own = Some((key, MonotonicCounter::default()));
        let mut message = [0; 40];
        message[..8].copy_from_slice(&id.to_be_bytes());
        message[8..].copy_from_slice(base.expose());
        Ok(message)
    }

    /// Takes another member's key, which came over the session with `from`.
    fn learn(
        &mut self,
        from: (&Address, u64),
        message: &CiphertextMessage,
        rng: &mut OsRng,
    ) -> Result<()> {
        let (kind, bytes) = (message.message_type, &message.bytes);
        let read = self.device.decrypt(from.0, kind, bytes, now(), rng)?.commit()?;
        let (id, base) = read.plaintext.split_first_chunk::<8>().ok_or("no key id")?;
        let id = u64::from_be_bytes(*id);
        // The session proves who sent it: a member may set its own keys only.
        if id & 0xFF != from.1 {
            return Err("a key for another member's frames".into());
        }
        self.others.insert(id, DecryptionKey::derive_from(SUITE, id, base)?);
        Ok(())
    }

    fn seal(&mut self, payload: &str) -> Result<Vec<u8>> {
        let (key, counter) = self.own.as_mut().ok_or("no key yet")?;
        let frame = MediaFrame::try_new(counter, payload)?.encrypt(key)?;
        Ok(frame.as_ref().to_vec())
    }

    fn open(&mut self, frame: &[u8]) -> Result<String> {
        let frame = EncryptedFrame::try_new(frame)?;
        let opened = frame.validated_decrypt(&self.others, &mut self.seen)?;
        Ok(String::from_utf8_lossy(opened.payload()).into_owned())
    }
}

/// Everyone of `members` draws a new key and sends it to every other over their session.
fn rotate(members: &mut [Member], rng: &mut OsRng) -> Result<()> {
    for sender in 0..members.len() {
        let key = members[sender].new_key(rng)?;
        let from = (members[sender].address(), members[sender].number);
        for reader in (0..members.len()).filter(|reader| *reader != sender) {
            let to = members[reader].address();
            if !members[sender].device.has_session(&to, Requirements::default(), now())? {
                let bundle = members[reader].upload.bundle(to.device(), 0).ok_or("no bundle")?;
                // the server hands out each one-time pre-key once
                members[reader].upload.one_time.remove(0);
                members[reader].upload.one_time_kem.remove(0);
                members[sender].device.start_session(&to, &bundle, now(), rng)?;
            }
            let message = members[sender].device.encrypt(&to, &key, now(), rng)?;
            members[reader].learn((&from.0, from.1), &message, rng)?;
        }
        println!("  {} has a new key, and the others have it", from.0);
    }
    Ok(())
}

/// The first of `call` sends a frame, which reaches all others and `outside`: returns who could open it.
fn send(text: &str, call: &mut [Member], outside: &mut [Member]) -> Result<Vec<bool>> {
    let frame = call[0].seal(text)?;
    println!("  {} sends a frame of {} bytes", call[0].address(), frame.len());
    let readers = call[1..].iter_mut().chain(outside);
    let could = readers.map(|reader| match reader.open(&frame) {
        Ok(text) => {
            println!("    {} sees {text:?}", reader.address());
            true
        }
        Err(error) => {
            println!("    {} cannot open it: {error}", reader.address());
            false
        }
    });
    Ok(could.collect())
}

fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}

fn main() -> Result<()> {
    let rng = &mut OsRng::default();
    let mut call = Vec::new();
    for (number, name) in ["alice", "bob", "carol"].into_iter().enumerate() {
        call.push(Member::new(name, number as u64, rng)?);
    }
    println!("Three meet:");
    rotate(&mut call, rng)?;
    assert_eq!(send("a picture of a cat", &mut call, &mut [])?, [true, true]);

    println!("\nCarol leaves; the others draw new keys, and still relay everything to her:");
    let mut left = call.split_off(2);
    rotate(&mut call, rng)?;
    assert_eq!(send("Carol's birthday present", &mut call, &mut left)?, [true, false]);
    Ok(())
}
