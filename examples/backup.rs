//! Backs up a database and a device, loses the phone, and restores both from 64 digits.
//!
//! `cargo run --example backup`
#![allow(clippy::print_stdout)] // a program for people to read

use std::error::Error;
use std::fs::{self, File};
use std::path::Path;

use sandi::attachment::transform;
use sandi::backup::{BackupInfo, BackupKey, Crypt15Encryptor, Crypt15Form, decrypt_crypt15};
use sandi::device::{DeviceRestore, NewDevice, random_registration_id};
use sandi::keys::IdentityKeyPair;
use sandi::protocol::{BackupIdentity, IdentityScope, Options, RestoredIdentity, ServerStock};
use sandi::{Address, Changes, Device, DeviceId, MemoryStore, OsRng, RecordKey, Store, Timestamp};

type Outcome<T> = Result<T, Box<dyn Error>>;

fn main() -> Outcome<()> {
    let folder = std::env::temp_dir().join(format!("sandi-backup-{}", std::process::id()));
    fs::create_dir_all(&folder)?;
    let result = story(&folder);
    fs::remove_dir_all(&folder)?;
    result
}

fn story(folder: &Path) -> Outcome<()> {
    let rng = &mut OsRng::default();
    let now = Timestamp(1_790_000_000_000);

    // The old phone: a device, what it knows of a peer, and a record of the application.
    let new = NewDevice {
        address: Address::new("15550100", DeviceId::new(1)?),
        identity: IdentityKeyPair::generate(rng),
        registration_id: random_registration_id(rng),
        scope: IdentityScope::Device,
    };
    let mut device = Device::create(MemoryStore::new(), new, Options::default(), rng)?;
    device.replenish(ServerStock::default(), now, rng)?;
    let peer = Address::new("15550123", DeviceId::new(1)?);
    device.accept_identity(&peer, IdentityKeyPair::generate(rng).identity_key(), now, rng)?;
    let mut changes = Changes::new();
    changes.create(RecordKey::Application(b"chats".as_slice().into()), b"one".to_vec(), rng)?;
    device.store_mut().commit(&changes)?;

    // The user writes the root key down.
    let key = BackupKey::generate(rng);
    let digits = key.digits();
    println!("write this down: {}", digits.expose());

    // The database, compressed by the application, as a crypt15 file.
    let database = b"SQLite format 3\0, so to speak. ".repeat(100_000);
    let compressed = miniz_oxide::deflate::compress_to_vec_zlib(&database, 6);
    let path = folder.join("msgstore.db.crypt15");
    let info = BackupInfo { app_version: Some("1.0".into()), ..BackupInfo::default() };
    let writer = Crypt15Encryptor::new(&key, info, Crypt15Form::SingleFile, rng)?;
    transform(writer, &mut &compressed[..], &mut File::create(&path)?, |_| {})?;
    println!(
        "{} bytes of database are {} in the backup",
        database.len(),
        fs::metadata(&path)?.len()
    );

    // The device itself: no session, no sender key and no pre-key goes along.
    let mut state = Vec::new();
    let mut export = device.export(&key, BackupIdentity::Leave, now, &mut state, rng)?;
    export.peer(&peer, &mut state)?;
    export.application(b"chats", &mut state)?;
    export.finish(&mut state)?;
    fs::write(folder.join("device"), &state)?;
    let old_registration = device.registration_id();
    drop((device, key));

    // The new phone.
    let key = BackupKey::parse(&digits.expose().to_uppercase())?;
    let mut read = Vec::new();
    let report = decrypt_crypt15(&key, &mut File::open(&path)?, &mut read)?;
    let restored =
        miniz_oxide::inflate::decompress_to_vec_zlib(&read).map_err(|e| e.to_string())?;
    if restored != database || report.checksum_fits != Some(true) {
        return Err("the restored database differs".into());
    }
    let mut restore = DeviceRestore::new(MemoryStore::new(), &key)?;
    restore.update(&fs::read(folder.join("device"))?, rng)?;
    let identity = RestoredIdentity::New(IdentityKeyPair::generate(rng));
    let mut device = restore.finish(identity, Options::default(), rng)?;
    if device.identity_of(&peer)?.is_none() || device.registration_id() == old_registration {
        return Err("the restored device is not as it should be".into());
    }
    // Peers see a new installation: its new pre-keys have to be uploaded at once.
    let upload = device.replenish(ServerStock::default(), now, rng)?;
    println!("restored, with {} new one-time pre-keys to upload", upload.one_time.len());
    Ok(())
}
