//! In-chat device consistency: by it each side sees that the other knew another list of devices (spec 20 §5).

use alloc::vec::Vec;

use crate::crypto::hash::Sha256Stream;
use crate::error::Error;
use crate::keys::IdentityKey;
use crate::wire::reader::{Reader, Value};
use crate::wire::writer;

/// Indexes listed at most. An account has far fewer devices.
const INDEXES_MAX: usize = 1024;

/// The hash over the identity keys of all of a user's devices.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct KeyListHash([u8; 32]);

impl KeyListHash {
    /// Length in bytes that servers configure.
    pub const LENGTH: usize = 10;
    /// The least length in bytes that says anything.
    pub const LENGTH_MIN: usize = 8;

    /// `SHA-256` of the raw 32-byte keys, sorted bytewise and concatenated.
    pub fn new<'a>(keys: impl IntoIterator<Item = &'a IdentityKey>) -> Self {
        let mut keys: Vec<_> = keys.into_iter().map(|key| *key.public_key().as_raw()).collect();
        keys.sort_unstable();
        let mut hash = Sha256Stream::new();
        for key in &keys {
            hash.update(key);
        }
        Self(hash.finish())
    }

    /// Its first `length` bytes, 8 to 32, as they are sent: [`LENGTH`](Self::LENGTH) unless the server says otherwise.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidArgument`] for any other length.
    pub fn truncated(&self, length: usize) -> Result<&[u8], Error> {
        if length < Self::LENGTH_MIN {
            return Err(Error::InvalidArgument);
        }
        self.0.get(..length).ok_or(Error::InvalidArgument)
    }

    /// Whether a hash that was received is of the same keys. One of fewer than 8 bytes never is.
    #[must_use]
    pub fn matches(&self, received: &[u8]) -> bool {
        self.truncated(received.len()) == Ok(received)
    }
}

/// `deviceListMetadata`: which devices of both sides the sender knew. Timestamps are those of the signed key-index
/// lists.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct DeviceListMetadata {
    /// `senderKeyHash`: a [`KeyListHash`] of the sender's devices; present when it has companions.
    pub sender_key_hash: Option<Vec<u8>>,
    /// `senderTimestamp`.
    pub sender_timestamp: Option<u64>,
    /// `senderKeyIndexes`: listed only if the key of some device is missing.
    pub sender_key_indexes: Vec<u32>,
    /// `senderAccountType`, an [`EncryptionType`](crate::linking::EncryptionType) (spec 22 §2): what
    /// [`Signal::message`](crate::business::Signal::message) takes.
    pub sender_account_type: Option<u32>,
    /// `receiverAccountType`, likewise.
    pub receiver_account_type: Option<u32>,
    /// `recipientKeyHash`.
    pub recipient_key_hash: Option<Vec<u8>>,
    /// `recipientTimestamp`.
    pub recipient_timestamp: Option<u64>,
    /// `recipientKeyIndexes`.
    pub recipient_key_indexes: Vec<u32>,
}

impl DeviceListMetadata {
    /// `deviceListMetadataVersion`, which stands beside it.
    pub const VERSION: u32 = 2;

    /// Reads an encoded `DeviceListMetadata`.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidProtobuf`] when it is malformed, or lists more than 1,024 indexes.
    pub fn parse(bytes: &[u8]) -> Result<Self, Error> {
        let mut metadata = Self::default();
        for field in Reader::new(bytes) {
            match field? {
                (1, value) => metadata.sender_key_hash = Some(value.bytes()?.to_vec()),
                (2, value) => metadata.sender_timestamp = Some(value.uint64()?),
                (3, value) => read_indexes(&mut metadata.sender_key_indexes, value)?,
                (4, value) => metadata.sender_account_type = Some(value.uint32()?),
                (5, value) => metadata.receiver_account_type = Some(value.uint32()?),
                (8, value) => metadata.recipient_key_hash = Some(value.bytes()?.to_vec()),
                (9, value) => metadata.recipient_timestamp = Some(value.uint64()?),
                (10, value) => read_indexes(&mut metadata.recipient_key_indexes, value)?,
                _ => {}
            }
        }
        Ok(metadata)
    }

    /// The encoding, for `messageContextInfo.deviceListMetadata#1`.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        writer::encode(|w| {
            w.bytes_option(1, self.sender_key_hash.as_deref());
            w.uint_option(2, self.sender_timestamp);
            w.packed(3, &self.sender_key_indexes);
            w.uint_option(4, self.sender_account_type);
            w.uint_option(5, self.receiver_account_type);
            w.bytes_option(8, self.recipient_key_hash.as_deref());
            w.uint_option(9, self.recipient_timestamp);
            w.packed(10, &self.recipient_key_indexes);
        })
    }

    /// Whether the sender knew a newer list of our devices than we do, or we have none: time to fetch it anew, for
    /// what is encrypted to the old list may miss a device, or reach one that is gone.
    #[must_use]
    pub fn is_newer_than(&self, ours: Option<u64>) -> bool {
        self.recipient_timestamp.is_some_and(|theirs| ours.is_none_or(|ours| theirs > ours))
    }
}

/// A repeated `uint32`, packed or not.
fn read_indexes(indexes: &mut Vec<u32>, value: Value<'_>) -> Result<(), Error> {
    let mut push = |index: u32| {
        if indexes.len() >= INDEXES_MAX {
            return Err(Error::InvalidProtobuf);
        }
        indexes.push(index);
        Ok(())
    };
    let Value::Bytes(packed) = value else { return push(value.uint32()?) };
    let mut reader = Reader::new(packed);
    while reader.remaining() > 0 {
        push(Value::Varint(reader.varint()?).uint32()?)?;
    }
    Ok(())
}
