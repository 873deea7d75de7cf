//! `PreKeySignalMessage`: a message that starts a session (spec 03 §5).
//!
//! `version byte (1) || protobuf`, without a MAC of its own: only the embedded message is authenticated.
//!
//! | # | type | meaning |
//! |---|---|---|
//! | 1 | uint32 | one-time EC pre-key id; presence says that one was used |
//! | 2 | bytes | base key, 33 bytes |
//! | 3 | bytes | identity key, 33 bytes |
//! | 4 | bytes | the embedded `SignalMessage`, version byte to MAC |
//! | 5 | uint32 | sender's registration id |
//! | 6 | uint32 | signed EC pre-key id |
//! | 7 | uint32 | Kyber pre-key id |
//! | 8 | bytes | KEM ciphertext with type byte |

use alloc::vec::Vec;

use super::reader::Reader;
use super::signal_message::{MAC_LENGTH, SignalMessage, SignalMessageFields};
use super::version::session_version;
use super::writer::{self, Writer};
use crate::error::Error;
use crate::keys::{IdentityKey, PublicKey};

/// The session version from which Kyber fields are required.
const PQXDH: u8 = 4;

/// A received message that starts a session: a view into its bytes. Nothing is authenticated yet.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PreKeySignalMessage<'a> {
    bytes: &'a [u8],
    version_byte: u8,
    registration_id: u32,
    pre_key_id: Option<u32>,
    signed_pre_key_id: u32,
    kyber: Option<(u32, &'a [u8])>,
    base_key: PublicKey,
    identity_key: IdentityKey,
    message: SignalMessage<'a>,
}

impl<'a> PreKeySignalMessage<'a> {
    /// Parses a message and the one embedded in it (spec 03 §5.2). The KEM ciphertext is not looked at.
    ///
    /// # Errors
    ///
    /// In this order: [`Error::CiphertextTooShort`] when empty; [`Error::LegacyCiphertextVersion`] and
    /// [`Error::UnrecognizedCiphertextVersion`] for a session version other than 3 and 4;
    /// [`Error::InvalidProtobuf`] when the protobuf is malformed or lacks field 2, 3, 4 or 6; the errors
    /// of [`PublicKey::decode`] for the base key; [`Error::IncompleteKyberFields`] when version 4 lacks
    /// the Kyber fields, or any version has one of the two; the errors of [`IdentityKey::decode`]; those
    /// of [`SignalMessage::parse`] for the embedded message.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, Error> {
        // 1. and 2. version byte || protobuf
        let (&version_byte, protobuf) = bytes.split_first().ok_or(Error::CiphertextTooShort(0))?;
        let version = session_version(version_byte)?;

        // 3. fields 2, 3, 4 and 6 are required
        let (mut pre_key_id, mut registration_id, mut signed_pre_key_id) = (None, 0, None);
        let (mut base_key, mut identity_key, mut message) = (None, None, None);
        let (mut kyber_id, mut kyber_ciphertext) = (None, None);
        for field in Reader::new(protobuf) {
            match field? {
                (1, value) => pre_key_id = Some(value.uint32()?),
                (2, value) => base_key = Some(value.bytes()?),
                (3, value) => identity_key = Some(value.bytes()?),
                (4, value) => message = Some(value.bytes()?),
                (5, value) => registration_id = value.uint32()?,
                (6, value) => signed_pre_key_id = Some(value.uint32()?),
                (7, value) => kyber_id = Some(value.uint32()?),
                (8, value) => kyber_ciphertext = Some(value.bytes()?),
                _ => {}
            }
        }
        let (Some(base_key), Some(identity_key), Some(message), Some(signed_pre_key_id)) =
            (base_key, identity_key, message, signed_pre_key_id)
        else {
            return Err(Error::InvalidProtobuf);
        };

        // 4. base key
        let base_key = PublicKey::decode(base_key)?;
        // 5. Kyber fields: both or neither, and both for version 4
        let kyber = match (kyber_id, kyber_ciphertext) {
            (Some(id), Some(ciphertext)) => Some((id, ciphertext)),
            (None, None) if version < PQXDH => None,
            _ => return Err(Error::IncompleteKyberFields),
        };
        // 6. identity key, then the embedded message
        let identity_key = IdentityKey::decode(identity_key)?;
        let message = SignalMessage::parse(message)?;
        Ok(Self {
            bytes,
            version_byte,
            registration_id,
            pre_key_id,
            signed_pre_key_id,
            kyber,
            base_key,
            identity_key,
            message,
        })
    }

    /// The session version, 3 or 4: the high nibble of the version byte. That of the embedded message is
    /// not compared with it.
    #[must_use]
    pub const fn version(&self) -> u8 {
        self.version_byte >> 4
    }

    /// The version byte as received.
    #[must_use]
    pub const fn version_byte(&self) -> u8 {
        self.version_byte
    }

    /// The sender's registration id; 0 when absent.
    #[must_use]
    pub const fn registration_id(&self) -> u32 {
        self.registration_id
    }

    /// The id of the one-time EC pre-key, where one was used. 0 is an id.
    #[must_use]
    pub const fn pre_key_id(&self) -> Option<u32> {
        self.pre_key_id
    }

    /// The id of the signed EC pre-key.
    #[must_use]
    pub const fn signed_pre_key_id(&self) -> u32 {
        self.signed_pre_key_id
    }

    /// The id of the Kyber pre-key and the KEM ciphertext, type byte included. Never `None` in version 4.
    #[must_use]
    pub const fn kyber(&self) -> Option<(u32, &'a [u8])> {
        self.kyber
    }

    /// The sender's base key. Not checked to be canonical here.
    #[must_use]
    pub const fn base_key(&self) -> &PublicKey {
        &self.base_key
    }

    /// The sender's identity key.
    #[must_use]
    pub const fn identity_key(&self) -> &IdentityKey {
        &self.identity_key
    }

    /// The embedded message.
    #[must_use]
    pub const fn message(&self) -> &SignalMessage<'a> {
        &self.message
    }

    /// The whole message as received.
    #[must_use]
    pub const fn as_bytes(&self) -> &'a [u8] {
        self.bytes
    }
}

/// What a sender puts into a [`PreKeySignalMessage`], but for the embedded message.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PreKeySignalMessageFields<'a> {
    /// The version byte (spec 03 §5.1).
    pub version_byte: u8,
    /// The sender's registration id.
    pub registration_id: u32,
    /// The id of the one-time EC pre-key, where one was used.
    pub pre_key_id: Option<u32>,
    /// The id of the signed EC pre-key.
    pub signed_pre_key_id: u32,
    /// The id of the Kyber pre-key and the KEM ciphertext, type byte included.
    pub kyber: Option<(u32, &'a [u8])>,
    /// The sender's base key.
    pub base_key: &'a PublicKey,
    /// The sender's identity key.
    pub identity_key: &'a IdentityKey,
}

impl PreKeySignalMessageFields<'_> {
    /// Length in bytes of the whole message around an embedded one of `message_len` bytes.
    #[must_use]
    pub fn encoded_len(&self, message_len: usize) -> usize {
        writer::encoded_len(|w| {
            self.before_message(w, message_len);
            self.after_message(w);
        })
        .saturating_add(message_len)
    }

    /// Appends the message, with `message` written in place inside it, to `out`, after reserving exactly
    /// its length. `ciphertext_len`, `fill` and `mac` are those of [`SignalMessageFields::write`].
    ///
    /// # Errors
    ///
    /// As [`SignalMessageFields::write`]; `out` is as before then.
    pub fn write(
        &self,
        message: &SignalMessageFields<'_>,
        out: &mut Vec<u8>,
        ciphertext_len: usize,
        fill: impl FnOnce(&mut [u8]) -> Result<(), Error>,
        mac: impl FnOnce(&[u8]) -> [u8; MAC_LENGTH],
    ) -> Result<(), Error> {
        let start = out.len();
        let message_len = message.encoded_len(ciphertext_len);
        writer::reserve(out, self.encoded_len(message_len))?;
        self.before_message(&mut Writer::new(out), message_len);
        if let Err(error) = message.write(out, ciphertext_len, fill, mac) {
            out.truncate(start);
            return Err(error);
        }
        self.after_message(&mut Writer::new(out));
        Ok(())
    }

    /// Version byte, fields 1 to 3 and the head of field 4.
    fn before_message(&self, w: &mut Writer<'_>, message_len: usize) {
        w.raw(&[self.version_byte]);
        w.uint_option(1, self.pre_key_id);
        w.bytes(2, &self.base_key.encode());
        w.bytes(3, &self.identity_key.encode());
        w.delimited(4, message_len);
    }

    /// Fields 5 to 8.
    fn after_message(&self, w: &mut Writer<'_>) {
        w.uint(5, self.registration_id);
        w.uint(6, self.signed_pre_key_id);
        if let Some((id, ciphertext)) = self.kyber {
            w.uint(7, id);
            w.bytes(8, ciphertext);
        }
    }
}
