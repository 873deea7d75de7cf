//! `PlaintextContent`: what goes unencrypted at this layer, normally inside sealed sender (spec 04 §8.2).
//!
//! `0xC0 || Content protobuf || 0x80`

use alloc::vec::Vec;

use super::decryption_error_message::DecryptionErrorMessage;
use super::reader::Reader;
use super::writer;
use crate::error::Error;

/// The first byte of the frame.
const IDENTIFIER: u8 = 0xC0;
/// The last byte of the frame: padding as Signal's apps pad content, of the shortest form.
const PADDING_BOUNDARY: u8 = 0x80;
/// `Content.decryptionErrorMessage`; the fields below it hold other content.
const DECRYPTION_ERROR_MESSAGE: u32 = 8;

/// A received frame of unencrypted content: a view into its bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PlaintextContent<'a> {
    bytes: &'a [u8],
    body: &'a [u8],
}

impl<'a> PlaintextContent<'a> {
    /// Parses a frame. Nothing but its first byte is looked at.
    ///
    /// # Errors
    ///
    /// [`Error::CiphertextTooShort`] when empty, [`Error::UnrecognizedMessageVersion`] when the first byte
    /// is not `0xC0`.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, Error> {
        match bytes.split_first() {
            None => Err(Error::CiphertextTooShort(0)),
            Some((&IDENTIFIER, body)) => Ok(Self { bytes, body }),
            Some((&other, _)) => Err(Error::UnrecognizedMessageVersion(other)),
        }
    }

    /// Everything after the first byte, the final `0x80` included.
    #[must_use]
    pub const fn body(&self) -> &'a [u8] {
        self.body
    }

    /// The whole frame as received.
    #[must_use]
    pub const fn as_bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// Extracts the decryption error message.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidProtobuf`] when the last byte is not `0x80` or the content is malformed;
    /// [`Error::InvalidArgument`] when the content is something else; the errors of
    /// [`DecryptionErrorMessage::parse`].
    pub fn decryption_error_message(&self) -> Result<DecryptionErrorMessage, Error> {
        let Some((&PADDING_BOUNDARY, content)) = self.body.split_last() else {
            return Err(Error::InvalidProtobuf);
        };
        let mut message = None;
        for field in Reader::new(content) {
            match field? {
                (DECRYPTION_ERROR_MESSAGE, value) => message = Some(value.bytes()?),
                // Fields 1 to 7 are other content, length-delimited: known, so of the right wire type.
                (..DECRYPTION_ERROR_MESSAGE, value) => {
                    value.bytes()?;
                }
                _ => {}
            }
        }
        DecryptionErrorMessage::parse(message.ok_or(Error::InvalidArgument)?)
    }

    /// Frames a decryption error message.
    #[must_use]
    pub fn encode(message: &DecryptionErrorMessage) -> Vec<u8> {
        writer::encode(|w| {
            w.raw(&[IDENTIFIER]);
            w.message(DECRYPTION_ERROR_MESSAGE, |w| message.fields(w));
            w.raw(&[PADDING_BOUNDARY]);
        })
    }
}
