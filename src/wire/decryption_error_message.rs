//! `DecryptionErrorMessage`: "this message did not decrypt, send it again" (spec 04 §8.1).
//!
//! | # | type | meaning |
//! |---|---|---|
//! | 1 | bytes | ratchet public key of the failed message, 33 bytes |
//! | 2 | uint64 | timestamp of the failed message, ms |
//! | 3 | uint32 | device id of the sender of the failed message |

use alloc::vec::Vec;

use super::message_type::CiphertextMessageType;
use super::pre_key_signal_message::PreKeySignalMessage;
use super::reader::Reader;
use super::signal_message::SignalMessage;
use super::writer::{self, Writer};
use crate::error::Error;
use crate::keys::PublicKey;
use crate::time::Timestamp;

/// Tells a sender which of its messages did not decrypt.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct DecryptionErrorMessage {
    ratchet_key: Option<PublicKey>,
    timestamp: Timestamp,
    device_id: u32,
}

impl DecryptionErrorMessage {
    /// About a message that did not decrypt: its bytes and type, its timestamp, and the device that
    /// sent it. The bytes of a sender-key message are not parsed.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidArgument`] for a [`CiphertextMessageType::Plaintext`], which was not encrypted; the
    /// parse errors of [`SignalMessage`] and [`PreKeySignalMessage`].
    pub fn for_original(
        bytes: &[u8],
        message_type: CiphertextMessageType,
        timestamp: Timestamp,
        sender_device_id: u32,
    ) -> Result<Self, Error> {
        let ratchet_key = match message_type {
            CiphertextMessageType::Signal => Some(*SignalMessage::parse(bytes)?.ratchet_key()),
            CiphertextMessageType::PreKey => {
                Some(*PreKeySignalMessage::parse(bytes)?.message().ratchet_key())
            }
            CiphertextMessageType::SenderKey => None,
            CiphertextMessageType::Plaintext => return Err(Error::InvalidArgument),
        };
        Ok(Self { ratchet_key, timestamp, device_id: sender_device_id })
    }

    /// Decodes the protobuf.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidProtobuf`] when it is malformed or lacks the timestamp; the errors of
    /// [`PublicKey::decode`] for a ratchet key that is present.
    pub fn parse(bytes: &[u8]) -> Result<Self, Error> {
        let (mut ratchet_key, mut timestamp, mut device_id) = (None, None, 0);
        for field in Reader::new(bytes) {
            match field? {
                (1, value) => ratchet_key = Some(value.bytes()?),
                (2, value) => timestamp = Some(value.uint64()?),
                (3, value) => device_id = value.uint32()?,
                _ => {}
            }
        }
        Ok(Self {
            timestamp: timestamp.map(Timestamp).ok_or(Error::InvalidProtobuf)?,
            ratchet_key: ratchet_key.map(PublicKey::decode).transpose()?,
            device_id,
        })
    }

    /// The protobuf.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        writer::encode(|w| self.fields(w))
    }

    /// The ratchet key of the failed message; `None` for a sender-key message.
    #[must_use]
    pub const fn ratchet_key(&self) -> Option<&PublicKey> {
        self.ratchet_key.as_ref()
    }

    /// The timestamp of the failed message.
    #[must_use]
    pub const fn timestamp(&self) -> Timestamp {
        self.timestamp
    }

    /// The device that sent the failed message; 0 when absent. Not checked to be a valid device id.
    #[must_use]
    pub const fn device_id(&self) -> u32 {
        self.device_id
    }

    pub(super) fn fields(&self, w: &mut Writer<'_>) {
        let ratchet_key = self.ratchet_key.as_ref().map(PublicKey::encode);
        w.bytes_option(1, ratchet_key.as_ref().map(<[u8; PublicKey::LENGTH]>::as_slice));
        w.uint(2, self.timestamp.as_millis());
        w.uint(3, self.device_id);
    }
}
