//! Five devices in a group; one leaves, and the next message is unreadable to it.
//!
//! `cargo run --example group`
//!
//! The key of a group travels in one-to-one sessions. Who must receive it and when it is replaced, sandi
//! says; who is a member, the app.
#![allow(clippy::print_stdout, clippy::indexing_slicing)] // a program for people to read

use std::error::Error;
use std::time::{SystemTime, UNIX_EPOCH};

use sandi::device::{NewDevice, random_registration_id};
use sandi::group::Distribution;
use sandi::keys::IdentityKeyPair;
use sandi::prekey::PreKeyBundle;
use sandi::protocol::{
    Encrypted, IdentityScope, Options, SendToGroup, SentToGroup, ServerStock, Upload,
};
use sandi::{Address, Device, DeviceId, MemoryStore, OsRng, Timestamp};

type Result<T> = core::result::Result<T, Box<dyn Error>>;

/// A device, and what the server has of it.
struct Member {
    device: Device<MemoryStore>,
    upload: Upload,
}

impl Member {
    fn new(name: &str, device: u32, rng: &mut OsRng) -> Result<Self> {
        let new = NewDevice {
            address: Address::new(name, DeviceId::new(device)?),
            identity: IdentityKeyPair::generate(rng),
            registration_id: random_registration_id(rng),
            scope: IdentityScope::Device,
        };
        let mut device = Device::create(MemoryStore::new(), new, Options::default(), rng)?;
        let upload = device.replenish(ServerStock::default(), now(), rng)?;
        device.confirm_upload(&upload, now(), rng)?;
        Ok(Self { device, upload })
    }

    fn address(&self) -> Address {
        self.device.address().clone()
    }

    /// What the server hands out: each one-time pre-key once.
    fn bundle(&mut self) -> Result<PreKeyBundle> {
        let bundle = self.upload.bundle(self.address().device(), 0).ok_or("no bundle")?;
        self.upload.one_time.remove(0);
        self.upload.one_time_kem.remove(0);
        Ok(bundle)
    }

    /// Decrypts what one device wrote to this one, which here is the sender's key for the group.
    fn learn(
        &mut self,
        from: &Address,
        told: &Encrypted,
        group: &Distribution,
        rng: &mut OsRng,
    ) -> Result<()> {
        let message = told.message.as_ref().map_err(|error| *error)?;
        let (kind, bytes) = (message.message_type, &message.bytes);
        let text = self.device.decrypt(from, kind, bytes, now(), rng)?.plaintext().to_vec();
        // Take the key over before committing the message that carried it: after a crash in between, the
        // message is delivered again, and nothing is lost.
        self.device.accept_distribution(from, group, &text, now(), rng)?;
        self.device.decrypt(from, kind, bytes, now(), rng)?.commit()?;
        Ok(())
    }

    /// Reads a message to the group.
    fn read(
        &mut self,
        group: &Distribution,
        from: &Address,
        message: &[u8],
        rng: &mut OsRng,
    ) -> Result<String> {
        let read = self.device.decrypt_group(from, group, message, now(), rng)?.commit()?;
        Ok(String::from_utf8_lossy(&read.plaintext).into_owned())
    }
}

/// The first of `everybody` writes to `members`; all of `everybody` get what the server has.
fn write(
    group: &Distribution,
    members: &[usize],
    everybody: &mut [Member],
    text: &str,
    rng: &mut OsRng,
) -> Result<()> {
    let own = everybody[0].address();
    let members: Vec<_> = members.iter().map(|&at| everybody[at].address()).collect();
    let message = SendToGroup {
        distribution: group,
        members: &members,
        content: text.as_bytes(),
        // An app says in its own format that this is a distribution message.
        wrap: &|distribution| distribution.to_vec().into(),
    };
    let (bytes, told, rotated) = loop {
        match everybody[0].device.send_to_group(&message, now(), rng)? {
            SentToGroup::Message { bytes, distributions, rotated } => {
                break (bytes, distributions, rotated);
            }
            SentToGroup::Incomplete { need_session, blocked } => {
                if let Some((address, error)) = blocked.first() {
                    return Err(format!("{address}: {error}").into());
                }
                for address in need_session {
                    let peer = everybody.iter_mut().find(|peer| peer.address() == address);
                    let bundle = peer.ok_or("unknown member")?.bundle()?;
                    everybody[0].device.start_session(&address, &bundle, now(), rng)?;
                }
            }
        }
    };
    let reason = if rotated { "replaces its key, and " } else { "" };
    println!("  {own} {reason}gives its key to {} devices", told.len());
    println!("  {own} writes {text:?}: {} bytes for all", bytes.len());
    for reader in &mut everybody[1..] {
        let address = reader.address();
        if let Some(told) = told.iter().find(|told| told.address == address) {
            reader.learn(&own, told, group, rng)?;
        }
        match reader.read(group, &own, &bytes, rng) {
            Ok(text) => println!("    {address} reads {text:?}"),
            Err(error) => println!("    {address} cannot read it: {error}"),
        }
    }
    Ok(())
}

fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}

fn main() -> Result<()> {
    let rng = &mut OsRng::default();
    let names = [("alice", 1), ("alice", 2), ("bob", 1), ("carol", 1), ("dave", 1)];
    let all = names.map(|(name, device)| Member::new(name, device, rng));
    let mut all: Vec<_> = all.into_iter().collect::<Result<_>>()?;
    let group =
        Distribution::Id(*b"\xd1\xd1\xd1\xd1\x70\x00\x11\xeb\xb3\x2a\x33\xb8\xa8\xa4\x87\xa6");

    println!("Alice writes to the group for the first time:");
    write(&group, &[0, 1, 2, 3, 4], &mut all, "Hello everybody.", rng)?;
    println!("\nOnce all have the key, one ciphertext does:");
    write(&group, &[0, 1, 2, 3, 4], &mut all, "Dave is leaving us.", rng)?;
    println!("\nDave leaves. He still gets what the server has, and what he knew:");
    write(&group, &[0, 1, 2, 3], &mut all, "The surprise for Dave is on Friday.", rng)?;
    println!("\nHe comes back, and reads from now on:");
    write(&group, &[0, 1, 2, 3, 4], &mut all, "Dave! How was your trip?", rng)?;
    Ok(())
}
