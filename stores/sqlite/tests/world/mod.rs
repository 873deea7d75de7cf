//! Two devices, each on its own SQLite file, and the world between them: an append-only file that holds what has left
//! a device and what a server knows. Everything is written there before anybody acts on it, so it is the truth
//! about what was let out, whenever a process dies.

use std::collections::{BTreeMap, BTreeSet};
use std::env;
use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use chacha20::ChaCha20Rng;
use chacha20::rand_core::SeedableRng;
use sandi::device::{Device, DeviceError, NewDevice};
use sandi::keys::{IdentityKeyPair, KemPublicKey, PublicKey};
use sandi::prekey::{BundleKemPreKey, BundlePreKey, BundleSignedPreKey, PreKeyBundle};
use sandi::protocol::{IdentityScope, Options, PreKeyPlan, ServerStock, TrustPolicy, Upload};
use sandi::session::CiphertextMessage;
use sandi::wire::{CiphertextMessageType, PreKeySignalMessage, SignalMessage};
use sandi::{Address, DeviceId, Policy, Store, Timestamp};
use sandi_sqlite::{Durability, SqliteStore};

/// The two ends.
pub const SIDES: [usize; 2] = [0, 1];

pub fn rng() -> ChaCha20Rng {
    let mut seed = [0; 32];
    getrandom::fill(&mut seed).unwrap();
    ChaCha20Rng::from_seed(seed)
}

pub fn address(side: usize) -> Address {
    let names = ["9d0652a3-dcc3-4d11-975f-74d61598733f", "796abedb-ca4e-4f18-8803-1fde5b921f9f"];
    Address::new(names[side], DeviceId::new(1).unwrap())
}

pub fn policy(name: &str) -> Policy {
    match name {
        "v3" => Policy::V3,
        "v4" => Policy::V4,
        _ => panic!("no dialect {name}"),
    }
}

/// A SQLite store that waits for others as long as it takes.
pub fn open_store(directory: &Path, side: usize, durability: Durability) -> SqliteStore {
    let options =
        sandi_sqlite::Options::new().durability(durability).busy_timeout(Duration::from_secs(60));
    let store = SqliteStore::open_with(directory.join(format!("{side}.sandi")), options).unwrap();
    // The application's own table: nothing keeps a number from being in it twice.
    let sql = "CREATE TABLE IF NOT EXISTS inbox (number INTEGER NOT NULL, text TEXT NOT NULL)";
    store.connection().execute_batch(sql).unwrap();
    store
}

/// Opens the device of `store`, or creates it there.
pub fn open_device<S: Store<Error: std::fmt::Debug>>(
    open: impl Fn() -> S,
    side: usize,
    dialects: Policy,
) -> Device<S> {
    // So few pre-keys that they run out.
    let pre_keys =
        PreKeyPlan { one_time: 5, one_time_kem: 3, refill_below: 3, ..PreKeyPlan::default() };
    let options =
        Options { dialects, trust: TrustPolicy::TrustOnFirstUse, pre_keys, ..Options::default() };
    match Device::open(open(), options) {
        Ok(device) => device,
        Err(DeviceError::NotCreated) => {
            let new = NewDevice {
                address: address(side),
                identity: IdentityKeyPair::generate(&mut rng()),
                registration_id: 1000 + u32::try_from(side).unwrap(),
                scope: IdentityScope::Account,
            };
            Device::create(open(), new, options, &mut rng()).unwrap()
        }
        Err(error) => panic!("{error:?}"),
    }
}

/// What message `number` of a side says.
pub fn text(side: usize, number: u32) -> String {
    format!("{side} {number} {}", "x".repeat(usize::try_from(number * 37 % 200).unwrap()))
}

// -- the world --------------------------------------------------------------------------------------------------

/// A message that has left a device.
#[derive(Clone, Debug)]
pub struct Sent {
    pub number: u32,
    pub message: CiphertextMessage,
}

/// What a server has of a device.
#[derive(Default)]
pub struct Server {
    pub signed: Option<BundleSignedPreKey>,
    pub last_resort: Option<BundleKemPreKey>,
    pub one_time: Vec<BundlePreKey>,
    pub one_time_kem: Vec<BundleKemPreKey>,
    /// Every one-time pre-key that was ever uploaded: kind, id and key.
    seen: BTreeMap<(u8, u32), Vec<u8>>,
}

/// What stands in the file.
#[derive(Default)]
pub struct World {
    /// By sender.
    pub sent: [Vec<Sent>; 2],
    pub servers: [Server; 2],
    /// By recipient: numbers whose commit has returned.
    pub acknowledged: [Vec<u32>; 2],
    /// What workers counted.
    pub counts: Vec<[u32; 5]>,
    /// How many messages were durable and had not left when a process died.
    pub recovered: u32,
    pub entries: u64,
    /// The key of every message: ratchet key and counter, and the message's bytes.
    keys: BTreeMap<([u8; 33], u32), Vec<u8>>,
    numbers: [BTreeSet<u32>; 2],
    /// Bytes of whole entries.
    length: usize,
}

const MESSAGE: u8 = 1;
const UPLOADED: u8 = 2;
const HANDED_OUT: u8 = 3;
const ACKNOWLEDGED: u8 = 4;
const COUNTS: u8 = 5;
const RECOVERED: u8 = 6;

const SIGNED: u8 = 0;
const LAST_RESORT: u8 = 1;
const ONE_TIME: u8 = 2;
const ONE_TIME_KEM: u8 = 3;

/// `length (4) ‖ tag ‖ side ‖ parts`.
fn entry(tag: u8, side: usize, parts: &[&[u8]]) -> Vec<u8> {
    let body = parts.concat();
    let length = u32::try_from(body.len() + 2).unwrap().to_le_bytes();
    [&length[..], &[tag, u8::try_from(side).unwrap()], &body].concat()
}

pub fn message_bytes(number: u32, message: &CiphertextMessage) -> Vec<u8> {
    [&number.to_le_bytes()[..], &[message.message_type.code()], &message.bytes].concat()
}

pub fn read_message(bytes: &[u8]) -> Sent {
    let message_type = CiphertextMessageType::from_code(bytes[4]).unwrap();
    let message = CiphertextMessage { message_type, bytes: bytes[5..].to_vec() };
    Sent { number: read_number(bytes), message }
}

fn read_number(bytes: &[u8]) -> u32 {
    u32::from_le_bytes(bytes[..4].try_into().unwrap())
}

impl World {
    /// What `directory` holds of it. An entry that a killed process has written in part does not count.
    pub fn read(directory: &Path) -> Self {
        let mut world = Self::default();
        world.catch_up(directory, usize::MAX);
        world
    }

    /// Reads on, up to `limit` bytes.
    pub fn catch_up(&mut self, directory: &Path, limit: usize) {
        let Ok(mut file) = File::open(directory.join("world")) else { return };
        file.seek(SeekFrom::Start(u64::try_from(self.length).unwrap())).unwrap();
        let mut bytes = Vec::new();
        let most = u64::try_from(limit - self.length).unwrap();
        file.take(most).read_to_end(&mut bytes).unwrap();
        let mut rest = &bytes[..];
        while let Some((head, body)) = rest.split_first_chunk::<4>() {
            let length = usize::try_from(u32::from_le_bytes(*head)).unwrap();
            let Some((body, after)) = body.split_at_checked(length) else { break };
            self.take_in(body);
            rest = after;
            self.length += 4 + length;
            self.entries += 1;
        }
    }

    fn take_in(&mut self, entry: &[u8]) {
        let (tag, side, body) = (entry[0], usize::from(entry[1]), &entry[2..]);
        match tag {
            MESSAGE => {
                let sent = read_message(body);
                self.check_key(&sent.message);
                // The same bytes may leave twice.
                if self.numbers[side].insert(sent.number) {
                    self.sent[side].push(sent);
                }
            }
            UPLOADED => self.servers[side].uploaded(body[0], read_number(&body[1..]), &body[5..]),
            HANDED_OUT => self.servers[side].handed_out(body[0], read_number(&body[1..])),
            ACKNOWLEDGED => self.acknowledged[side].push(read_number(body)),
            COUNTS => {
                let count = |at: usize| read_number(&body[4 * at..]);
                self.counts.push([0, 1, 2, 3, 4].map(count));
            }
            RECOVERED => self.recovered += 1,
            _ => panic!("entry {tag}"),
        }
    }

    /// No key may ever be seen with two different messages.
    fn check_key(&mut self, message: &CiphertextMessage) {
        let of = |message: &SignalMessage<'_>| (message.ratchet_key().encode(), message.counter());
        let key = match message.message_type {
            CiphertextMessageType::PreKey => {
                of(PreKeySignalMessage::parse(&message.bytes).unwrap().message())
            }
            _ => of(&SignalMessage::parse(&message.bytes).unwrap()),
        };
        let first = self.keys.entry(key).or_insert_with(|| message.bytes.clone());
        assert_eq!(*first, message.bytes, "a message key was used twice, counter {}", key.1);
    }

    /// How many message keys have left a device.
    pub fn keys(&self) -> usize {
        self.keys.len()
    }

    pub const fn length(&self) -> usize {
        self.length
    }

    /// Ten minutes pass with every entry: pre-keys are rotated, and nothing grows stale.
    pub const fn now(&self) -> Timestamp {
        Timestamp(1_790_000_000_000 + self.entries * 10 * 60 * 1000)
    }
}

impl Server {
    fn uploaded(&mut self, kind: u8, id: u32, bytes: &[u8]) {
        let split = bytes.len() - 64;
        let public = |bytes: &[u8]| PublicKey::decode(bytes).unwrap();
        let kem = || {
            let key = KemPublicKey::decode(&bytes[..split]).unwrap();
            BundleKemPreKey { id, key, signature: bytes[split..].try_into().unwrap() }
        };
        if kind >= ONE_TIME
            && let Some(known) = self.seen.insert((kind, id), bytes.to_vec())
        {
            assert_eq!(known, bytes, "two keys under one id");
            return;
        }
        match kind {
            SIGNED => {
                let signature = bytes[split..].try_into().unwrap();
                self.signed =
                    Some(BundleSignedPreKey { id, key: public(&bytes[..split]), signature });
            }
            LAST_RESORT => self.last_resort = Some(kem()),
            ONE_TIME => self.one_time.push(BundlePreKey { id, key: public(&bytes[..33]) }),
            ONE_TIME_KEM => self.one_time_kem.push(kem()),
            _ => panic!("kind {kind}"),
        }
    }

    fn handed_out(&mut self, kind: u8, id: u32) {
        if kind == ONE_TIME {
            self.one_time.retain(|key| key.id != id);
        } else {
            self.one_time_kem.retain(|key| key.id != id);
        }
    }

    pub fn stock(&self) -> ServerStock {
        let count = |count: usize| u32::try_from(count).unwrap();
        ServerStock {
            one_time: count(self.one_time.len()),
            one_time_kem: count(self.one_time_kem.len()),
        }
    }
}

/// The end of the file, to write to.
pub struct Appender {
    file: File,
    directory: PathBuf,
}

impl Appender {
    pub fn open(directory: &Path) -> Self {
        let file = OpenOptions::new().create(true).append(true).open(directory.join("world"));
        Self { file: file.unwrap(), directory: directory.into() }
    }

    /// Takes away an entry that a killed process has written in part. Nobody else may be writing.
    pub fn cut(&self, world: &World) {
        self.file.set_len(u64::try_from(world.length).unwrap()).unwrap();
    }

    /// One call to the system: it is there for all, whatever becomes of the process.
    fn write(&mut self, bytes: &[u8]) {
        let written = self.file.write(bytes).unwrap();
        assert_eq!(written, bytes.len());
    }

    pub fn sent(&mut self, side: usize, number: u32, message: &CiphertextMessage) {
        self.write(&entry(MESSAGE, side, &[&message_bytes(number, message)]));
    }

    pub fn acknowledged(&mut self, side: usize, number: u32) {
        self.write(&entry(ACKNOWLEDGED, side, &[&number.to_le_bytes()]));
    }

    pub fn recovered(&mut self, side: usize) {
        self.write(&entry(RECOVERED, side, &[]));
    }

    pub fn counts(&mut self, side: usize, counts: [u32; 5]) {
        let bytes: Vec<u8> = counts.iter().flat_map(|count| count.to_le_bytes()).collect();
        self.write(&entry(COUNTS, side, &[&bytes]));
    }

    pub fn uploaded(&mut self, side: usize, upload: &Upload) {
        let mut bytes = Vec::new();
        let mut add = |kind: u8, id: u32, key: &[u8], signature: &[u8]| {
            let parts: [&[u8]; 4] = [&[kind], &id.to_le_bytes(), key, signature];
            bytes.extend(entry(UPLOADED, side, &parts));
        };
        if let Some(key) = &upload.signed {
            add(SIGNED, key.id, &key.key.encode(), &key.signature);
        }
        if let Some(key) = &upload.last_resort {
            add(LAST_RESORT, key.id, &key.key.encode(), &key.signature);
        }
        for key in &upload.one_time {
            add(ONE_TIME, key.id, &key.key.encode(), &[0; 64]);
        }
        for key in &upload.one_time_kem {
            add(ONE_TIME_KEM, key.id, &key.key.encode(), &key.signature);
        }
        if !bytes.is_empty() {
            self.write(&bytes);
        }
    }

    /// What the server hands out of `device`, each one-time pre-key once.
    pub fn bundle<S: Store>(
        &mut self,
        world: &mut World,
        side: usize,
        device: &Device<S>,
    ) -> Option<PreKeyBundle> {
        let server = &world.servers[side];
        let one_time = server.one_time.first().cloned();
        let kem = server.one_time_kem.first().cloned();
        let bundle = PreKeyBundle {
            registration_id: device.registration_id(),
            device_id: device.address().device(),
            identity_key: *device.identity_key(),
            signed_pre_key: server.signed.clone()?,
            pre_key: one_time.clone(),
            kem_pre_key: kem.clone().or_else(|| server.last_resort.clone()),
        };
        if let Some(key) = one_time {
            self.write(&entry(HANDED_OUT, side, &[&[ONE_TIME], &key.id.to_le_bytes()]));
        }
        if let Some(key) = kem {
            self.write(&entry(HANDED_OUT, side, &[&[ONE_TIME_KEM], &key.id.to_le_bytes()]));
        }
        world.catch_up(&self.directory, usize::MAX);
        Some(bundle)
    }
}

/// Uploads what is due.
pub fn replenish<S: Store<Error: std::fmt::Debug>>(
    device: &mut Device<S>,
    side: usize,
    world: &mut World,
    appender: &mut Appender,
    rng: &mut ChaCha20Rng,
) -> Upload {
    let upload = device.replenish(world.servers[side].stock(), world.now(), rng).unwrap();
    appender.uploaded(side, &upload);
    device.confirm_upload(&upload, world.now(), rng).unwrap();
    world.catch_up(&appender.directory, usize::MAX);
    upload
}

/// The numbers in the application's table of a side, in the order of their delivery. Each says what it should.
pub fn inbox(store: &SqliteStore, side: usize) -> Vec<u32> {
    let mut statement = store.connection().prepare("SELECT number, text FROM inbox").unwrap();
    let rows = statement
        .query_map([], |row| Ok((row.get::<_, u32>(0)?, row.get::<_, String>(1)?)))
        .unwrap();
    rows.map(|row| {
        let (number, found) = row.unwrap();
        assert_eq!(found, text(1 - side, number), "not what was sent");
        number
    })
    .collect()
}

/// Asserts that nothing stands there twice.
pub fn once(delivered: &[u32]) -> BTreeSet<u32> {
    let set: BTreeSet<u32> = delivered.iter().copied().collect();
    assert_eq!(set.len(), delivered.len(), "delivered twice");
    set
}

// -- processes --------------------------------------------------------------------------------------------------

/// What a child is given, in a child: the directory and a word.
pub fn child() -> Option<(PathBuf, String)> {
    let directory = PathBuf::from(env::var_os("SANDI_SQLITE_CHILD")?);
    Some((directory, env::var("SANDI_SQLITE_WORK").unwrap()))
}

/// Runs `test` alone in a process of its own.
pub fn start(test: &str, directory: &Path, work: &str) -> Child {
    Command::new(env::current_exe().unwrap())
        .args([test, "--exact", "--nocapture", "--test-threads=1"])
        .env("SANDI_SQLITE_CHILD", directory)
        .env("SANDI_SQLITE_WORK", work)
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

/// What a child that has ended said on standard error.
pub fn complaint(child: &mut Child) -> String {
    let mut said = String::new();
    child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
    said
}
