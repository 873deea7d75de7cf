//! Five devices in a group; one leaves, and the next message is unreadable to it.
//!
//! `cargo run --example group`
//!
//! The key of a group travels in one-to-one sessions. Who must receive it and when it is replaced, sandi
//! says; who is a member, the app.
#![allow(clippy::print_stdout)] // a program for people to read

use std::collections::BTreeMap;
use std::time::{SystemTime, UNIX_EPOCH};

use sandi::group::{Distribution, GroupSession, Member, SenderKeyRecord};
use sandi::keys::{IdentityKey, IdentityKeyPair};
use sandi::prekey::{KemPreKey, PreKeyBundle, SignedPreKey};
use sandi::session::{Addresses, CiphertextMessage, LocalDevice, PreKeys, Session};
use sandi::wire::{
    CiphertextMessageType, PreKeySignalMessage, SenderKeyDistributionMessage, SenderKeyMessage,
    SignalMessage,
};
use sandi::{
    Address, Changes, DeviceId, Error, MemoryStore, OsRng, Policy, RecordKey, Snapshot, Store,
    Timestamp,
};

/// A device: its keys, its one-to-one sessions, and a store for the group's keys.
struct Device {
    address: Address,
    identity: IdentityKeyPair,
    signed: SignedPreKey,
    kem: KemPreKey,
    sessions: BTreeMap<Address, Session>,
    store: MemoryStore,
}

impl Device {
    fn new(name: &str, device: u32, rng: &mut OsRng) -> Result<Self, Error> {
        let identity = IdentityKeyPair::generate(rng);
        Ok(Self {
            address: Address::new(name, DeviceId::new(device)?),
            signed: SignedPreKey::generate(1, &identity, now(), rng),
            kem: KemPreKey::generate(1, &identity, now(), rng),
            identity,
            sessions: BTreeMap::new(),
            store: MemoryStore::new(),
        })
    }

    fn bundle(&self) -> PreKeyBundle {
        let identity = *self.identity.identity_key();
        PreKeyBundle::of(1, self.address.device(), identity, &self.signed, None, Some(&self.kem))
    }

    /// Encrypts for one device, which has a session or gives its bundle.
    fn write_to(
        &mut self,
        peer: &Address,
        bundle: &PreKeyBundle,
        text: &[u8],
        rng: &mut OsRng,
    ) -> Result<CiphertextMessage, Error> {
        let session = self.sessions.entry(peer.clone()).or_default();
        let addresses = Addresses { local: &self.address, remote: peer };
        let local = LocalDevice { identity: &self.identity, registration_id: 1 };
        if !session.has_current() {
            let policy = Policy::default();
            session.initiate(addresses, local, bundle, policy, |_| true, now(), rng)?;
        }
        session.encrypt(addresses, text, |_| true, now(), rng)
    }

    /// Decrypts what one device wrote, which here is the sender's key for the group.
    fn learn(
        &mut self,
        peer: &Address,
        message: &CiphertextMessage,
        group: &Distribution,
        rng: &mut OsRng,
    ) -> Result<(), Error> {
        let session = self.sessions.entry(peer.clone()).or_default();
        let addresses = Addresses { local: &self.address, remote: peer };
        let text = if message.message_type == CiphertextMessageType::PreKey {
            let message = PreKeySignalMessage::parse(&message.bytes)?;
            let local = LocalDevice { identity: &self.identity, registration_id: 1 };
            let keys = PreKeys {
                signed: Some(&self.signed),
                kem: Some(&self.kem),
                one_time: None,
                replay_guard: None,
            };
            let policy = Policy::default();
            session.accept(addresses, local, &message, keys, policy, |_| true, rng)?.plaintext
        } else {
            let message = SignalMessage::parse(&message.bytes)?;
            session.decrypt(addresses, &message, |_| true, rng)?
        };
        let told = SenderKeyDistributionMessage::parse(group.dialect(), &text)?;
        let mut key = self.sender_key(group, peer)?;
        key.process_distribution(&told);
        let mut changes = Changes::new();
        key.save(group, peer, &mut changes, rng)?;
        self.commit(&changes);
        Ok(())
    }

    /// Reads a message to the group.
    fn read(
        &mut self,
        group: &Distribution,
        sender: &Address,
        message: &[u8],
        rng: &mut OsRng,
    ) -> Result<String, Error> {
        let message = SenderKeyMessage::parse(group.dialect(), message)?;
        let mut key = self.sender_key(group, sender)?;
        let text = key.decrypt(&message)?;
        let mut changes = Changes::new();
        key.save(group, sender, &mut changes, rng)?;
        self.commit(&changes);
        Ok(String::from_utf8_lossy(&text).into_owned())
    }

    fn sender_key(&self, group: &Distribution, of: &Address) -> Result<SenderKeyRecord, Error> {
        SenderKeyRecord::load(group, of, &self.load(SenderKeyRecord::needs(group, of)))
    }

    fn load(&self, keys: Vec<RecordKey>) -> Snapshot {
        let mut snapshot = Snapshot::new();
        for key in keys {
            let Ok(record) = self.store.load(&key);
            snapshot.insert(key, record);
        }
        snapshot
    }

    fn commit(&mut self, changes: &Changes) {
        if let Err(error) = self.store.commit(changes) {
            println!("  {error}");
        }
    }
}

/// `sender` writes to all members of `group`; all of `everybody` get what the server has.
fn write(
    group: &Distribution,
    sender: usize,
    members: &[usize],
    everybody: &mut [Device],
    text: &str,
    rng: &mut OsRng,
) -> Result<(), Error> {
    let about: Vec<(Address, IdentityKey, PreKeyBundle)> = everybody
        .iter()
        .map(|device| (device.address.clone(), *device.identity.identity_key(), device.bundle()))
        .collect();
    let Some((own, ..)) = about.get(sender) else { return Err(Error::InvalidArgument) };
    let Some(device) = everybody.get_mut(sender) else { return Err(Error::InvalidArgument) };
    let snapshot = device.load(GroupSession::needs(group, own));
    let mut session = GroupSession::load(group.clone(), own.clone(), &snapshot)?;

    // Who needs the key? The members are the app's to name.
    let list = members.iter().filter_map(|at| about.get(*at));
    let list = list.map(|(address, identity, _)| Member { address, identity: Some(identity) });
    let mut sending = session.prepare(list, rng)?;
    let reason = if sending.is_rotated() { "replaces its key, and " } else { "" };
    println!("  {own} {reason}gives its key to {} devices", sending.recipients().len());
    let mut private = Vec::new();
    for to in sending.recipients().to_vec() {
        let known = about.iter().find(|(address, ..)| *address == to);
        let Some((_, identity, bundle)) = known else { continue };
        let told = sending.distribute_to(&to, identity)?.to_vec();
        private.push((to.clone(), device.write_to(&to, bundle, &told, rng)?));
    }
    let message = sending.encrypt(text.as_bytes(), rng)?;

    // Durable before it leaves.
    let mut changes = Changes::new();
    session.save(&mut changes, rng)?;
    device.commit(&changes);

    println!("  {own} writes {text:?}: {} bytes for all", message.len());
    for reader in everybody.iter_mut().filter(|reader| reader.address != *own) {
        let told = private.iter().find(|(to, _)| *to == reader.address);
        if let Some((_, told)) = told {
            reader.learn(own, told, group, rng)?;
        }
        match reader.read(group, own, &message, rng) {
            Ok(text) => println!("    {} reads {text:?}", reader.address),
            Err(error) => println!("    {} cannot read it: {error}", reader.address),
        }
    }
    Ok(())
}

fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}

fn main() -> Result<(), Error> {
    let rng = &mut OsRng::default();
    let names = [("alice", 1), ("alice", 2), ("bob", 1), ("carol", 1), ("dave", 1)];
    let mut all = Vec::new();
    for (name, device) in names {
        all.push(Device::new(name, device, rng)?);
    }
    let group =
        Distribution::Id(*b"\xd1\xd1\xd1\xd1\x70\x00\x11\xeb\xb3\x2a\x33\xb8\xa8\xa4\x87\xa6");

    println!("Alice writes to the group for the first time:");
    write(&group, 0, &[0, 1, 2, 3, 4], &mut all, "Hello everybody.", rng)?;
    println!("\nOnce all have the key, one ciphertext does:");
    write(&group, 0, &[0, 1, 2, 3, 4], &mut all, "Dave is leaving us.", rng)?;
    println!("\nDave leaves. He still gets what the server has, and what he knew:");
    write(&group, 0, &[0, 1, 2, 3], &mut all, "The surprise for Dave is on Friday.", rng)?;
    println!("\nHe comes back, and reads from now on:");
    write(&group, 0, &[0, 1, 2, 3, 4], &mut all, "Dave! How was your trip?", rng)?;
    Ok(())
}
