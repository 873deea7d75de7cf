//! The plaintexts of encrypted reactions and of answers to events (spec 20 §7).

use alloc::vec::Vec;

use zeroize::Zeroizing;

use crate::error::Error;
use crate::time::Timestamp;
use crate::wire::reader::Reader;
use crate::wire::writer;

/// `ReactionMessage {text#2, senderTimestampMs#4}`, its key left out: the carrier names the parent. A borrowed view.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Reaction<'a> {
    /// The emoji; empty takes an earlier reaction back.
    pub text: &'a str,
    /// When it was sent.
    pub sender_timestamp: Option<Timestamp>,
}

impl<'a> Reaction<'a> {
    /// Reads the plaintext of a [`UseCase::EncReaction`](super::UseCase::EncReaction).
    ///
    /// # Errors
    ///
    /// [`Error::InvalidProtobuf`].
    pub fn parse(bytes: &'a [u8]) -> Result<Self, Error> {
        let mut reaction = Self::default();
        for field in Reader::new(bytes) {
            match field? {
                (2, value) => reaction.text = value.string()?,
                (4, value) => reaction.sender_timestamp = Some(Timestamp(value.uint64()?)),
                _ => {}
            }
        }
        Ok(reaction)
    }

    /// The plaintext to seal.
    #[must_use]
    pub fn encode(&self) -> Zeroizing<Vec<u8>> {
        Zeroizing::new(writer::encode(|w| {
            w.bytes(2, self.text.as_bytes());
            w.uint_option(4, self.sender_timestamp.map(Timestamp::as_millis));
        }))
    }
}

/// `EventResponseMessage {response#1, timestampMs#2, extraGuestCount#3}`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct EventResponse {
    /// The answer, by its number in the application's schema.
    pub response: Option<u32>,
    /// When it was given.
    pub timestamp: Option<Timestamp>,
    /// How many guests come along.
    pub extra_guests: Option<u32>,
}

impl EventResponse {
    /// Reads the plaintext of a [`UseCase::EventResponse`](super::UseCase::EventResponse).
    ///
    /// # Errors
    ///
    /// [`Error::InvalidProtobuf`].
    pub fn parse(bytes: &[u8]) -> Result<Self, Error> {
        let mut response = Self::default();
        for field in Reader::new(bytes) {
            match field? {
                (1, value) => response.response = Some(value.uint32()?),
                (2, value) => response.timestamp = Some(Timestamp(value.uint64()?)),
                (3, value) => response.extra_guests = Some(value.uint32()?),
                _ => {}
            }
        }
        Ok(response)
    }

    /// The plaintext to seal.
    #[must_use]
    pub fn encode(&self) -> Zeroizing<Vec<u8>> {
        Zeroizing::new(writer::encode(|w| {
            w.uint_option(1, self.response);
            w.uint_option(2, self.timestamp.map(Timestamp::as_millis));
            w.uint_option(3, self.extra_guests);
        }))
    }
}
