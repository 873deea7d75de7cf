//! Two devices hold a conversation: set-up, messages out of order, a forgery, a replay.
//!
//! `cargo run --example conversation`
//!
//! Everything that sandi needs to know is an argument: the bundle that a server would hand out, the
//! time, the random generator. Everything that it changes is in the [`Session`] values.
#![allow(clippy::indexing_slicing, clippy::print_stdout)] // a program for people to read

use std::time::{SystemTime, UNIX_EPOCH};

use sandi::keys::{IdentityKey, IdentityKeyPair};
use sandi::prekey::{KemPreKey, PreKey, PreKeyBundle, SignedPreKey};
use sandi::session::{Addresses, CiphertextMessage, LocalDevice, PreKeys, Session};
use sandi::wire::{CiphertextMessageType, PreKeySignalMessage, SignalMessage};
use sandi::{Address, DeviceId, Error, OsRng, Policy, Timestamp};

/// A device of one user, with its pre-keys and its session with one peer.
struct Device {
    address: Address,
    identity: IdentityKeyPair,
    registration_id: u32,
    signed: SignedPreKey,
    kem: KemPreKey,
    one_time: Option<PreKey>,
    /// The peer's identity key, once seen: trust on first use.
    peer: Option<IdentityKey>,
    session: Session,
}

impl Device {
    fn new(name: &str, device: u32, registration_id: u32, rng: &mut OsRng) -> Result<Self, Error> {
        let identity = IdentityKeyPair::generate(rng);
        Ok(Self {
            address: Address::new(name, DeviceId::new(device)?),
            registration_id,
            signed: SignedPreKey::generate(1, &identity, now(), rng),
            kem: KemPreKey::generate(1, &identity, now(), rng),
            one_time: Some(PreKey::generate(1, rng)),
            identity,
            peer: None,
            session: Session::new(),
        })
    }

    /// What the server hands to those who want to write to this device.
    fn bundle(&self) -> PreKeyBundle {
        PreKeyBundle::of(
            self.registration_id,
            self.address.device(),
            *self.identity.identity_key(),
            &self.signed,
            self.one_time.as_ref(),
            Some(&self.kem),
        )
    }

    fn start(
        &mut self,
        peer: &Address,
        bundle: &PreKeyBundle,
        rng: &mut OsRng,
    ) -> Result<(), Error> {
        let known = self.peer;
        self.session.initiate(
            Addresses { local: &self.address, remote: peer },
            LocalDevice { identity: &self.identity, registration_id: self.registration_id },
            bundle,
            Policy::default(),
            |key| known.is_none_or(|known| known == *key),
            now(),
            rng,
        )?;
        self.peer = Some(bundle.identity_key);
        Ok(())
    }

    fn write(
        &mut self,
        peer: &Address,
        text: &str,
        rng: &mut OsRng,
    ) -> Result<CiphertextMessage, Error> {
        let known = self.peer;
        let message = self.session.encrypt(
            Addresses { local: &self.address, remote: peer },
            text.as_bytes(),
            |key| known == Some(*key),
            now(),
            rng,
        )?;
        println!("  {:<5} writes  {text:?}: {}", short(&self.address), describe(&message));
        Ok(message)
    }

    fn read(
        &mut self,
        peer: &Address,
        message: &CiphertextMessage,
        rng: &mut OsRng,
    ) -> Result<(), Error> {
        let who = short(&self.address).to_owned();
        match self.open(peer, message, rng) {
            Ok(text) => println!("  {who:<5} reads   {text:?}"),
            Err(error) => {
                println!("  {who:<5} refuses a message of {} bytes: {error}", message.bytes.len())
            }
        }
        Ok(())
    }

    fn open(
        &mut self,
        peer: &Address,
        message: &CiphertextMessage,
        rng: &mut OsRng,
    ) -> Result<String, Error> {
        let addresses = Addresses { local: &self.address, remote: peer };
        let known = self.peer;
        let trusted = |key: &IdentityKey| known.is_none_or(|known| known == *key);
        let plaintext = if message.message_type == CiphertextMessageType::PreKey {
            let message = PreKeySignalMessage::parse(&message.bytes)?;
            let accepted = self.session.accept(
                addresses,
                LocalDevice { identity: &self.identity, registration_id: self.registration_id },
                &message,
                PreKeys {
                    signed: Some(&self.signed),
                    kem: Some(&self.kem),
                    one_time: self.one_time.as_ref(),
                    replay_guard: None,
                },
                Policy::default(),
                trusted,
                rng,
            )?;
            self.peer = Some(*message.identity_key());
            // A one-time pre-key serves once; a store deletes it together with storing the session.
            if accepted.used.is_some_and(|used| used.one_time.is_some()) {
                self.one_time = None;
            }
            accepted.plaintext
        } else {
            self.session.decrypt(addresses, &SignalMessage::parse(&message.bytes)?, trusted, rng)?
        };
        Ok(String::from_utf8_lossy(&plaintext).into_owned())
    }
}

fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}

fn short(address: &Address) -> &str {
    if address.name().starts_with('9') { "Alice" } else { "Bob" }
}

fn describe(message: &CiphertextMessage) -> String {
    let kind = match message.message_type {
        CiphertextMessageType::PreKey => "pre-key message",
        _ => "message",
    };
    format!("{kind} of {} bytes", message.bytes.len())
}

fn main() -> Result<(), Error> {
    let rng = &mut OsRng::default();
    let mut alice = Device::new("9d0652a3-dcc3-4d11-975f-74d61598733f", 1, 1001, rng)?;
    let mut bob = Device::new("796abedb-ca4e-4f18-8803-1fde5b921f9f", 1, 2002, rng)?;
    let (to_alice, to_bob) = (alice.address.clone(), bob.address.clone());

    println!("Alice fetches Bob's bundle and writes before he is online (PQXDH):");
    alice.start(&to_bob, &bob.bundle(), rng)?;
    let hello = alice.write(&to_bob, "Hello Bob, are you there?", rng)?;
    bob.read(&to_alice, &hello, rng)?;

    println!("\nBob answers; from here on Alice need not repeat the handshake:");
    let reply = bob.write(&to_alice, "I am. Who else reads this?", rng)?;
    alice.read(&to_bob, &reply, rng)?;

    println!("\nThree messages arrive in the wrong order:");
    let texts = ["Nobody.", "Each message has its own key,", "and keys are forgotten once used."];
    let sent: Vec<_> =
        texts.iter().map(|text| alice.write(&to_bob, text, rng)).collect::<Result<_, _>>()?;
    for index in [2, 0, 1] {
        bob.read(&to_alice, &sent[index], rng)?;
    }

    println!("\nSomeone changes one bit, then delivers the original twice:");
    let original = alice.write(&to_bob, "Meet me at eight.", rng)?;
    let mut forged = original.clone();
    let middle = forged.bytes.len() / 2;
    forged.bytes[middle] ^= 1;
    bob.read(&to_alice, &forged, rng)?;
    bob.read(&to_alice, &original, rng)?;
    bob.read(&to_alice, &original, rng)?;

    println!("\nAnd the conversation goes on:");
    let last = bob.write(&to_alice, "See you then!", rng)?;
    alice.read(&to_bob, &last, rng)?;
    println!(
        "\nSession version {} (PQXDH, Double Ratchet and SPQR) on both sides.",
        alice.session.session_version().unwrap_or_default()
    );
    Ok(())
}
