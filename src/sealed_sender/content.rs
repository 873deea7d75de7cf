//! `UnidentifiedSenderMessageContent` (spec 06 §2): what a sealed message holds.

use alloc::vec::Vec;
use core::ops::Range;

use super::SenderCertificate;
use crate::error::Error;
use crate::wire::CiphertextMessageType;
use crate::wire::reader::Reader;
use crate::wire::writer;

/// What a receiver should do when the message inside cannot be decrypted (spec 06 §2).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum ContentHint {
    /// The sender does not send again: show the failure at once.
    #[default]
    Default,
    /// The sender is likely to send again: wait before showing the failure.
    Resendable,
    /// The message has no value to the user, as a typing indicator: never show the failure.
    Implicit,
    /// Another value; treat it as [`Default`](Self::Default).
    Unknown(u32),
}

impl ContentHint {
    /// The hint of a code.
    #[must_use]
    pub const fn from_code(code: u32) -> Self {
        match code {
            0 => Self::Default,
            1 => Self::Resendable,
            2 => Self::Implicit,
            other => Self::Unknown(other),
        }
    }

    /// The code.
    #[must_use]
    pub const fn code(self) -> u32 {
        match self {
            Self::Default => 0,
            Self::Resendable => 1,
            Self::Implicit => 2,
            Self::Unknown(code) => code,
        }
    }
}

/// An encrypted message of any type, with its sender's certificate, a hint and a group.
///
/// Received bytes are kept and used again.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct UnidentifiedSenderMessageContent {
    bytes: Vec<u8>,
    message_type: CiphertextMessageType,
    sender: SenderCertificate,
    contents: Range<usize>,
    hint: ContentHint,
    group_id: Option<Range<usize>>,
}

impl UnidentifiedSenderMessageContent {
    /// Wraps the bytes of a message. An empty group id is none.
    #[must_use]
    pub fn new(
        message_type: CiphertextMessageType,
        contents: &[u8],
        sender: &SenderCertificate,
        hint: ContentHint,
        group_id: Option<&[u8]>,
    ) -> Self {
        let group_id = group_id.filter(|id| !id.is_empty());
        let bytes = writer::encode(|w| {
            w.uint(1, message_type.sealed_sender_code());
            w.bytes(2, sender.as_bytes());
            w.bytes(3, contents);
            w.uint_nonzero(4, hint.code());
            w.bytes_option(5, group_id);
        });
        // what was just written lies where counting from the end says
        let tail = writer::encoded_len(|w| {
            w.uint_nonzero(4, hint.code());
            w.bytes_option(5, group_id);
        });
        let contents = before(&bytes, tail, contents.len());
        let group_id = group_id.map(|id| before(&bytes, 0, id.len()));
        Self { bytes, message_type, sender: sender.clone(), contents, hint, group_id }
    }

    /// Reads the content of a sealed message. Its certificate is **not** validated.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidProtobuf`], also for a missing field or an unknown type; the errors of
    /// [`SenderCertificate::parse`].
    pub fn parse(bytes: Vec<u8>) -> Result<Self, Error> {
        let (mut message_type, mut sender, mut contents, mut group_id) = (None, None, None, None);
        let mut hint = ContentHint::Default;
        let mut reader = Reader::new(&bytes);
        while let Some(field) = reader.next() {
            match field? {
                (1, value) => message_type = Some(value.uint32()?),
                (2, value) => sender = Some(value.bytes()?),
                (3, value) => {
                    contents = Some(before(&bytes, reader.remaining(), value.bytes()?.len()));
                }
                (4, value) => hint = ContentHint::from_code(value.uint32()?),
                (5, value) => {
                    group_id = Some(before(&bytes, reader.remaining(), value.bytes()?.len()));
                }
                _ => {}
            }
        }
        // 1 is a pre-key message here, and 3 is nothing
        let message_type = message_type
            .and_then(|code| u8::try_from(code).ok())
            .and_then(CiphertextMessageType::from_sealed_sender_code)
            .ok_or(Error::InvalidProtobuf)?;
        let sender = SenderCertificate::parse(sender.ok_or(Error::InvalidProtobuf)?)?;
        let contents = contents.ok_or(Error::InvalidProtobuf)?;
        Ok(Self { bytes, message_type, sender, contents, hint, group_id })
    }

    /// The type of the message inside.
    #[must_use]
    pub const fn message_type(&self) -> CiphertextMessageType {
        self.message_type
    }

    /// The sender's certificate.
    #[must_use]
    pub const fn sender(&self) -> &SenderCertificate {
        &self.sender
    }

    /// The bytes of the message inside.
    #[must_use]
    pub fn contents(&self) -> &[u8] {
        self.bytes.get(self.contents.clone()).unwrap_or_default()
    }

    /// The hint.
    #[must_use]
    pub const fn hint(&self) -> ContentHint {
        self.hint
    }

    /// The group, where the message belongs to one.
    #[must_use]
    pub fn group_id(&self) -> Option<&[u8]> {
        self.group_id.clone().and_then(|range| self.bytes.get(range))
    }

    /// The encoding, as made or received.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }
}

/// Where `length` bytes lie that end `remaining` bytes before the end.
fn before(bytes: &[u8], remaining: usize, length: usize) -> Range<usize> {
    let end = bytes.len().saturating_sub(remaining);
    end.saturating_sub(length)..end
}
