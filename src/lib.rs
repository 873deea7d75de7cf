//! End-to-end encrypted messaging, wire-compatible with today's Signal (session version 4: PQXDH, the
//! Double Ratchet, SPQR) and with the WhatsApp-family dialect (session version 3: X3DH, the Double
//! Ratchet).
//!
//! # What to use for what
//!
//! | to | use |
//! |---|---|
//! | make an identity | [`keys::IdentityKeyPair`] |
//! | publish pre-keys | [`prekey`]: [`PreKey`](prekey::PreKey), [`SignedPreKey`](prekey::SignedPreKey), [`KemPreKey`](prekey::KemPreKey), [`PreKeyBundle`](prekey::PreKeyBundle) |
//! | be a device, over a store: the usual way in | [`Device`] |
//! | write to all devices of a user | [`sesame`] |
//! | do so over an asynchronous store | [`protocol`]: the operations as pure functions |
//! | talk to one peer device, and keep its state yourself | [`session::Session`]: `initiate`, `accept`, `encrypt`, `decrypt` |
//! | talk to a group | [`Device::send_to_group`]; underneath, [`group`] |
//! | choose what to speak and accept | [`Policy`] |
//! | hide the sender from the server, send to many at once | [`sealed_sender`] |
//! | read a message's fields | [`wire`] |
//! | compare safety numbers | [`fingerprint`] |
//! | tell who can read a chat with a business, and by what name it goes | [`business`] |
//! | send and receive files | [`attachment`] |
//! | keep settings and contacts in step with the account's other devices | [`app_state`] |
//! | pad, wrap and bind what messages hold | [`content`] |
//! | seal to a key without a session | [`hpke`] |
//! | derive what a profile key or a backup key gives | [`profile_key`], [`backup_key`] |
//! | link devices, verify those of others | [`linking`] |
//! | write and read encrypted backups | [`backup`] |
//! | place and take calls | `call` (feature `call`) |
//! | keep records | [`store`] |
//! | move from another implementation | [`migrate`] |
//! | the post-quantum ratchet alone | [`spqr`] |
//!
//! # From plaintext to wire
//!
//! `session/encrypt.rs` picks the current state. `session/state.rs` asks SPQR for a message and a key
//! (`spqr/`), the sending chain for a seed (`ratchet/chain_key.rs`), derives cipher key, MAC key and IV
//! from both (`ratchet/message_keys.rs`), and lets `wire/signal_message.rs` lay out the message around
//! the ciphertext, which AES-CBC writes in place. Until the peer has answered,
//! `wire/pre_key_signal_message.rs` lays the handshake around that. Only then do ratchet and SPQR move on.
//!
//! # Rules that hold everywhere
//!
//! * The protocol is a pure function: time and randomness are arguments.
//! * An operation that fails has changed nothing.
//! * Secrets are wiped on drop, opaque in `Debug`, and compared in constant time.
//! * Parsers give a typed error on any bytes.
//!
//! The specification that doc comments cite is numbered 01 (keys), 02 (pre-keys), 03 (handshakes), 04
//! (Double Ratchet, messages, sessions), 05 (sender keys), 06 (sealed sender), 07 (fingerprints), 08
//! (stored records), 09 (attachments and other extras), 10 (SPQR), 20 to 26 (the WhatsApp family).
#![no_std]

extern crate alloc;
#[cfg(feature = "std")]
extern crate std;

/// The README's example, compiled and run as a test.
#[cfg(all(doctest, feature = "getrandom"))]
#[doc = include_str!("../README.md")]
mod readme {}

// Floor 1
mod crypto;
mod dialect;
mod error;
mod secret;
mod time;
// Floor 2
pub mod address;
pub mod app_state;
pub mod attachment;
pub mod backup;
pub mod backup_key;
pub mod business;
#[cfg(feature = "call")]
pub mod call;
pub mod content;
pub mod fingerprint;
pub mod hpke;
pub mod jid;
pub mod keys;
pub mod linking;
pub mod prekey;
pub mod profile_key;
pub mod store;
pub mod wire;
// Floor 3
mod handshake;
mod ratchet;
pub mod spqr;
// Floor 4
pub mod group;
pub mod sealed_sender;
pub mod session;
// Floor 5
pub mod migrate;
pub mod protocol;
// Floor 6
pub mod device;
pub mod sesame;

pub use address::{Address, DeviceId, ServiceId, ServiceIdKind};
pub use device::Device;
pub use dialect::{Dialect, GroupDialect, Policy};
pub use error::{Disposition, Error};
pub use jid::Jid;
pub use secret::Secret;
pub use store::{
    Changes, CommitError, MemoryStore, Record, RecordKey, SealedStore, Snapshot, Store,
};
pub use time::Timestamp;

/// The operating system's random generator. Panics when the system cannot give random bytes, which no
/// protocol step could survive.
#[cfg(feature = "getrandom")]
pub type OsRng = rand_core::UnwrapErr<getrandom::SysRng>;
pub use rand_core;
