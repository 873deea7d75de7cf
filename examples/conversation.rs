//! Two devices hold a conversation: set-up, messages out of order, a forgery, a replay. Each device keeps
//! its state in a file, so that the next run goes on where this one ended.
//!
//! `cargo run --example conversation [DIRECTORY]`
//!
//! The server that hands out bundles and carries messages is this program.
#![allow(clippy::indexing_slicing, clippy::arithmetic_side_effects, clippy::print_stdout)] // for people to read

use std::error::Error;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use sandi::device::{DeviceError, NewDevice, random_registration_id};
use sandi::keys::IdentityKeyPair;
use sandi::protocol::{IdentityScope, Options, ServerStock};
use sandi::session::{CiphertextMessage, Requirements};
use sandi::store::Changes;
use sandi::wire::CiphertextMessageType;
use sandi::{Address, Device, DeviceId, OsRng, Record, RecordKey, Store, Timestamp};
use sandi_sqlite::SqliteStore;

type Result<T> = core::result::Result<T, Box<dyn Error>>;

/// A person with one device.
struct Person {
    name: &'static str,
    device: Device<SqliteStore>,
    rng: OsRng,
}

impl Person {
    /// Opens the device's file, or creates a device in it.
    fn new(directory: &Path, name: &'static str, account: &str) -> Result<Self> {
        let mut rng = OsRng::default();
        let path = directory.join(name.to_lowercase()).with_extension("sandi");
        let device = match Device::open(SqliteStore::open(&path)?, Options::default()) {
            Ok(device) => {
                println!("{name} opens {}", path.display());
                device
            }
            Err(DeviceError::NotCreated) => {
                println!("{name} creates {}", path.display());
                let new = NewDevice {
                    address: Address::new(account, DeviceId::new(1)?),
                    identity: IdentityKeyPair::generate(&mut rng),
                    registration_id: random_registration_id(&mut rng),
                    scope: IdentityScope::Account,
                };
                Device::create(SqliteStore::open(&path)?, new, Options::default(), &mut rng)?
            }
            Err(error) => return Err(error.into()),
        };
        Ok(Self { name, device, rng })
    }

    fn address(&self) -> Address {
        self.device.address().clone()
    }

    /// Starts a session with a bundle of the peer's, unless there is one.
    fn meet(&mut self, peer: &mut Self) -> Result<()> {
        if self.device.has_session(&peer.address(), Requirements::default(), now())? {
            println!("{} and {} know each other already.", self.name, peer.name);
            return Ok(());
        }
        let upload = peer.device.replenish(ServerStock::default(), now(), &mut peer.rng)?;
        peer.device.confirm_upload(&upload, now(), &mut peer.rng)?;
        println!(
            "{} uploads {} one-time pre-keys; {} takes a bundle and starts a session.",
            peer.name,
            upload.one_time.len(),
            self.name
        );
        let bundle = upload.bundle(peer.address().device(), 0).ok_or("the server has no bundle")?;
        self.device.start_session(&peer.address(), &bundle, now(), &mut self.rng)?;
        Ok(())
    }

    /// That the message's key is spent is on disk when this returns.
    fn write(&mut self, to: &Address, text: &str) -> Result<CiphertextMessage> {
        let message = self.device.encrypt(to, text.as_bytes(), now(), &mut self.rng)?;
        println!("  {:<5} writes  {text:?}: {}", self.name, describe(&message));
        Ok(message)
    }

    /// Reads a message, and counts it in the same commit.
    fn read(&mut self, from: &Address, message: &CiphertextMessage) -> Result<()> {
        let (kind, bytes) = (message.message_type, &message.bytes);
        let count = self.count()?.map_or((None, 1), |(revision, n)| (Some(revision), n + 1));
        match self.device.decrypt(from, kind, bytes, now(), &mut self.rng) {
            Ok(received) => {
                let read = received.commit_with(|_, changes: &mut Changes| {
                    let bytes = count.1.to_be_bytes().to_vec();
                    changes.put(counter(), count.0, bytes, &mut OsRng::default()).map(drop)
                })?;
                let text = String::from_utf8_lossy(&read.plaintext);
                println!("  {:<5} reads   {text:?}", self.name);
            }
            Err(error) => {
                println!("  {:<5} refuses a message: {error}", self.name);
                println!("        what to do: {:?}", error.disposition());
            }
        }
        Ok(())
    }

    /// How many messages this device has read in all its runs, and the revision of that record.
    fn count(&self) -> Result<Option<(u64, u64)>> {
        let record = self.device.store().load(&counter())?;
        let read = |record: Record| -> Result<(u64, u64)> {
            Ok((record.revision(), u64::from_be_bytes(record.bytes().try_into()?)))
        };
        record.map(read).transpose()
    }
}

fn counter() -> RecordKey {
    RecordKey::Application(Box::from(*b"messages read"))
}

fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}

fn describe(message: &CiphertextMessage) -> String {
    let kind = match message.message_type {
        CiphertextMessageType::PreKey => "pre-key message",
        _ => "message",
    };
    format!("{kind} of {} bytes", message.bytes.len())
}

fn main() -> Result<()> {
    let directory = std::env::args_os().nth(1).map(PathBuf::from);
    let directory = directory.unwrap_or_else(|| std::env::temp_dir().join("sandi-conversation"));
    std::fs::create_dir_all(&directory)?;
    let alice = &mut Person::new(&directory, "Alice", "9d0652a3-dcc3-4d11-975f-74d61598733f")?;
    let bob = &mut Person::new(&directory, "Bob", "796abedb-ca4e-4f18-8803-1fde5b921f9f")?;
    let (to_alice, to_bob) = (alice.address(), bob.address());

    println!();
    alice.meet(bob)?;
    let hello = alice.write(&to_bob, "Hello Bob, are you there?")?;
    bob.read(&to_alice, &hello)?;
    let reply = bob.write(&to_alice, "I am. Who else reads this?")?;
    alice.read(&to_bob, &reply)?;

    println!("\nThree messages arrive in the wrong order:");
    let texts = ["Nobody.", "Each message has its own key,", "and keys are forgotten once used."];
    let sent = texts.map(|text| alice.write(&to_bob, text));
    let sent: Vec<_> = sent.into_iter().collect::<Result<_>>()?;
    for index in [2, 0, 1] {
        bob.read(&to_alice, &sent[index])?;
    }

    println!("\nSomeone changes one bit, then delivers the original twice:");
    let original = alice.write(&to_bob, "Meet me at eight.")?;
    let mut forged = original.clone();
    let middle = forged.bytes.len() / 2;
    forged.bytes[middle] ^= 1;
    bob.read(&to_alice, &forged)?;
    bob.read(&to_alice, &original)?;
    bob.read(&to_alice, &original)?;

    println!("\nAnd the conversation goes on:");
    let last = bob.write(&to_alice, "See you then!")?;
    alice.read(&to_bob, &last)?;

    let version = alice.device.read_session(&to_bob, |session| session.session_version())?;
    let read = alice.count()?.map_or(0, |(_, n)| n) + bob.count()?.map_or(0, |(_, n)| n);
    println!(
        "\nSession version {} (PQXDH, Double Ratchet and SPQR); {read} messages read in all runs. \
         Run it again to go on from here.",
        version.unwrap_or_default()
    );
    Ok(())
}
