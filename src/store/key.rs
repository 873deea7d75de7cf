//! The names of a device's records, and their canonical bytes for key-value backends.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;

use crate::address::{Address, DeviceId};
use crate::error::Error;

/// The name of one record of a device.
///
/// What is written for every message (`Session`, a page of `SkippedKeys`) is a record apart from what
/// grows with history (`SessionArchive`), so that the bytes written per message stay few and flat.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[non_exhaustive]
pub enum RecordKey {
    /// The device itself: identity key pair, registration id, own address, dialects.
    Local,
    /// What the device must remember about its own pre-keys: next ids, ages, what to upload next.
    PreKeyLedger,
    /// A one-time elliptic-curve pre-key, by id.
    PreKey(u32),
    /// A signed elliptic-curve pre-key, by id.
    SignedPreKey(u32),
    /// A KEM pre-key, one-time or last-resort, by id.
    KemPreKey(u32),
    /// Base keys that a last-resort KEM pre-key has met (spec 02 §6). Of one pair of pre-keys there can
    /// be many, so they are spread over 256 records; the owner of the list chooses the bucket.
    KemReplay {
        /// Id of the KEM pre-key.
        kem_pre_key: u32,
        /// Id of the signed pre-key used with it.
        signed_pre_key: u32,
        /// Which of the 256 records.
        bucket: u8,
    },
    /// The current session state with a peer's device.
    Session(Address),
    /// An archived session state with a peer's device. The session chooses the slots.
    SessionArchive {
        /// The peer's device.
        address: Address,
        /// Which archived state.
        slot: u32,
    },
    /// A page of message keys kept for late messages. The session chooses the pages.
    SkippedKeys {
        /// The peer's device.
        address: Address,
        /// Which page.
        page: u32,
    },
    /// What is known of a peer's identity key, and how far it is trusted.
    Identity {
        /// The name of the peer's address.
        name: String,
        /// `None` where all devices of an account share one identity (Signal); the device where each
        /// has its own (WhatsApp family).
        device: Option<DeviceId>,
    },
    /// The devices of a user, by the name of their addresses (Sesame).
    User(String),
    /// Who can read the chat with a user or a group, and what this device's user has agreed to
    /// (spec 22 §5): by the name of the user's own devices, or the group's id.
    EncryptionStatus(String),
    /// The devices of an account as its primary has signed them (spec 22 §4), by the name of the primary's
    /// address.
    DeviceList(String),
    /// A sender key (spec 05): of a group or distribution, and the device that sends.
    SenderKey {
        /// The 16 bytes of the distribution id, or the group's id as text where that is what names it.
        distribution: Box<[u8]>,
        /// The sending device.
        sender: Address,
    },
    /// What a device remembers of a group that it sends to: who holds its sender key. By what names the
    /// sender key: the distribution id's 16 bytes or the group's id.
    Group(Box<[u8]>),
    /// What a device keeps to answer requests for re-sending, by the peer's device.
    Retry(Address),
    /// A record of the application, so that it can be committed in one transaction with a message.
    Application(Box<[u8]>),
    /// Another key behind a keyed hash, see [`SealedStore::with_hidden_keys`](super::SealedStore).
    Hidden([u8; 32]),
}

// The first byte of every key. A number is never given to another kind.
const LOCAL: u8 = 0x01;
const PRE_KEY_LEDGER: u8 = 0x02;
const PRE_KEY: u8 = 0x03;
const SIGNED_PRE_KEY: u8 = 0x04;
const KEM_PRE_KEY: u8 = 0x05;
const KEM_REPLAY: u8 = 0x06;
const SESSION: u8 = 0x10;
const SESSION_ARCHIVE: u8 = 0x11;
const SKIPPED_KEYS: u8 = 0x12;
const RETRY: u8 = 0x13;
const IDENTITY_OF_ACCOUNT: u8 = 0x20;
const IDENTITY_OF_DEVICE: u8 = 0x21;
const USER: u8 = 0x22;
const ENCRYPTION_STATUS: u8 = 0x23;
const DEVICE_LIST: u8 = 0x24;
const SENDER_KEY: u8 = 0x30;
const GROUP: u8 = 0x31;
const APPLICATION: u8 = 0x70;
const HIDDEN: u8 = 0x7F;

impl RecordKey {
    /// The canonical bytes: a byte for the kind, then its fields, numbers big-endian. Two keys are equal
    /// exactly when their bytes are.
    ///
    /// In the bytes an address is its name, then one byte for the device. The name has no length:
    /// what follows it has a fixed width. A sender key's distribution comes first, after its length
    /// as a base-128 number (low group first, high bit: more follow).
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        match self {
            Self::Local => join(LOCAL, &[]),
            Self::PreKeyLedger => join(PRE_KEY_LEDGER, &[]),
            Self::PreKey(id) => join(PRE_KEY, &[&id.to_be_bytes()]),
            Self::SignedPreKey(id) => join(SIGNED_PRE_KEY, &[&id.to_be_bytes()]),
            Self::KemPreKey(id) => join(KEM_PRE_KEY, &[&id.to_be_bytes()]),
            Self::KemReplay { kem_pre_key, signed_pre_key, bucket } => join(
                KEM_REPLAY,
                &[&kem_pre_key.to_be_bytes(), &signed_pre_key.to_be_bytes(), &[*bucket]],
            ),
            Self::Session(address) => with_address(SESSION, &[], address, &[]),
            Self::SessionArchive { address, slot } => {
                with_address(SESSION_ARCHIVE, &[], address, &slot.to_be_bytes())
            }
            Self::SkippedKeys { address, page } => {
                with_address(SKIPPED_KEYS, &[], address, &page.to_be_bytes())
            }
            Self::Identity { name, device: None } => join(IDENTITY_OF_ACCOUNT, &[name.as_bytes()]),
            Self::Identity { name, device: Some(device) } => {
                join(IDENTITY_OF_DEVICE, &[name.as_bytes(), &[device.get()]])
            }
            Self::User(name) => join(USER, &[name.as_bytes()]),
            Self::EncryptionStatus(name) => join(ENCRYPTION_STATUS, &[name.as_bytes()]),
            Self::DeviceList(name) => join(DEVICE_LIST, &[name.as_bytes()]),
            Self::SenderKey { distribution, sender } => {
                let length = base128(distribution.len());
                with_address(SENDER_KEY, &[&length, distribution], sender, &[])
            }
            Self::Group(distribution) => join(GROUP, &[distribution]),
            Self::Retry(address) => with_address(RETRY, &[], address, &[]),
            Self::Application(name) => join(APPLICATION, &[name]),
            Self::Hidden(hash) => join(HIDDEN, &[hash]),
        }
    }

    /// Reads [`to_bytes`](Self::to_bytes) back. Accepts the canonical form only.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidState`] for anything that `to_bytes` does not write.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, Error> {
        Self::read(bytes).ok_or(Error::InvalidState)
    }

    fn read(bytes: &[u8]) -> Option<Self> {
        let (&kind, rest) = bytes.split_first()?;
        Some(match kind {
            LOCAL if rest.is_empty() => Self::Local,
            PRE_KEY_LEDGER if rest.is_empty() => Self::PreKeyLedger,
            PRE_KEY => Self::PreKey(number(rest)?),
            SIGNED_PRE_KEY => Self::SignedPreKey(number(rest)?),
            KEM_PRE_KEY => Self::KemPreKey(number(rest)?),
            KEM_REPLAY => {
                let (kem, rest) = rest.split_first_chunk::<4>()?;
                let (signed, rest) = rest.split_first_chunk::<4>()?;
                let &[bucket] = rest else { return None };
                Self::KemReplay {
                    kem_pre_key: u32::from_be_bytes(*kem),
                    signed_pre_key: u32::from_be_bytes(*signed),
                    bucket,
                }
            }
            SESSION => Self::Session(address(rest)?),
            SESSION_ARCHIVE => {
                let (rest, slot) = rest.split_last_chunk::<4>()?;
                Self::SessionArchive { address: address(rest)?, slot: u32::from_be_bytes(*slot) }
            }
            SKIPPED_KEYS => {
                let (rest, page) = rest.split_last_chunk::<4>()?;
                Self::SkippedKeys { address: address(rest)?, page: u32::from_be_bytes(*page) }
            }
            RETRY => Self::Retry(address(rest)?),
            IDENTITY_OF_ACCOUNT => Self::Identity { name: text(rest)?, device: None },
            IDENTITY_OF_DEVICE => {
                let (&device, rest) = rest.split_last()?;
                Self::Identity { name: text(rest)?, device: Some(device_id(device)?) }
            }
            USER => Self::User(text(rest)?),
            ENCRYPTION_STATUS => Self::EncryptionStatus(text(rest)?),
            DEVICE_LIST => Self::DeviceList(text(rest)?),
            SENDER_KEY => {
                let (length, rest) = read_base128(rest)?;
                let (distribution, rest) = rest.split_at_checked(length)?;
                Self::SenderKey { distribution: distribution.into(), sender: address(rest)? }
            }
            GROUP => Self::Group(rest.into()),
            APPLICATION => Self::Application(rest.into()),
            HIDDEN => Self::Hidden(rest.try_into().ok()?),
            _ => return None,
        })
    }
}

/// `kind ‖ parts`, in a buffer of exactly that size.
fn join(kind: u8, parts: &[&[u8]]) -> Vec<u8> {
    let length = parts.iter().fold(1_usize, |sum, part| sum.saturating_add(part.len()));
    let mut out = Vec::with_capacity(length);
    out.push(kind);
    for part in parts {
        out.extend_from_slice(part);
    }
    out
}

/// `kind ‖ head ‖ name ‖ device ‖ tail`.
fn with_address(kind: u8, head: &[&[u8]], address: &Address, tail: &[u8]) -> Vec<u8> {
    let device = [address.device().get()];
    let address: [&[u8]; 3] = [address.name().as_bytes(), &device, tail];
    match head {
        [] => join(kind, &address),
        head => join(kind, &[head, &address].concat()),
    }
}

fn address(bytes: &[u8]) -> Option<Address> {
    let (&device, name) = bytes.split_last()?;
    Some(Address::new(text(name)?, device_id(device)?))
}

fn device_id(byte: u8) -> Option<DeviceId> {
    DeviceId::new_v3(u32::from(byte)).ok()
}

fn text(bytes: &[u8]) -> Option<String> {
    core::str::from_utf8(bytes).ok().map(String::from)
}

fn number(bytes: &[u8]) -> Option<u32> {
    Some(u32::from_be_bytes(bytes.try_into().ok()?))
}

/// Seven bits a byte, low group first, the high bit says that more follow.
fn base128(length: usize) -> Vec<u8> {
    let mut out = Vec::with_capacity(2);
    let mut left = length;
    loop {
        let [low, ..] = left.to_le_bytes();
        left >>= 7;
        if left == 0 {
            out.push(low & 0x7F);
            return out;
        }
        out.push(low | 0x80);
    }
}

/// Reads a number of at most four groups, in its shortest form, and what follows it.
fn read_base128(bytes: &[u8]) -> Option<(usize, &[u8])> {
    let mut value = 0_usize;
    for (at, shift) in [0_u32, 7, 14, 21].into_iter().enumerate() {
        let (&byte, rest) = bytes.get(at..)?.split_first()?;
        value |= usize::from(byte & 0x7F) << shift;
        if byte & 0x80 == 0 {
            // A last group of zero is not the shortest form.
            return (byte != 0 || at == 0).then_some((value, rest));
        }
    }
    None
}
