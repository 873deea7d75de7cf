//! Messages that did not decrypt: asking for them again, and answering (spec 04 §8).
//!
//! Two devices that answer every failure with a new session, and every new session with a resend, can do
//! so for ever. So both sides count: what was asked for, what was answered, when a session was last given
//! up. The counts are one small record per peer device, and what goes over a limit is refused.

use alloc::vec::Vec;

use rand_core::CryptoRng;

use super::record::{Stored, required};
use super::{Loaded, Operation, Own};
use crate::address::Address;
use crate::error::Error;
use crate::store::{Changes, RecordKey};
use crate::time::Timestamp;
use crate::wire::reader::{Reader, Value};
use crate::wire::writer::Writer;
use crate::wire::{CiphertextMessageType, DecryptionErrorMessage};

/// How often one message is asked for, or sent again.
const ATTEMPTS_MAX: u32 = 5;
/// How many messages are remembered, of each direction. The oldest is forgotten first.
const REMEMBERED_MAX: usize = 32;
/// Requests to, or answers for, one peer device within [`WINDOW`].
const WINDOW_MAX: u32 = 64;
/// Milliseconds.
const WINDOW: u64 = 60 * 60 * 1000;

/// The record of [`RecordKey::Retry`].
#[derive(Clone, PartialEq, Eq, Debug, Default)]
struct Attempts {
    asked: Side,
    answered: Side,
}

/// One direction.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
struct Side {
    /// Timestamp of the message, and how often. Oldest first.
    messages: Vec<(u64, u32)>,
    window_start: u64,
    in_window: u32,
}

impl Side {
    /// Counts one more attempt for the message of `timestamp`, and returns its number, from 1; `None`
    /// over a limit: nothing is counted then.
    fn count(&mut self, timestamp: Timestamp, now: Timestamp) -> Option<u32> {
        let now = now.as_millis();
        // A clock that went back starts a new window, too.
        if now.checked_sub(self.window_start).is_none_or(|age| age >= WINDOW) {
            self.window_start = now;
            self.in_window = 0;
        }
        let known = self.messages.iter().position(|&(at, _)| at == timestamp.as_millis());
        let attempts = known.and_then(|at| self.messages.get(at)).map_or(0, |&(_, n)| n);
        if attempts >= ATTEMPTS_MAX || self.in_window >= WINDOW_MAX {
            return None;
        }
        let attempts = attempts.saturating_add(1);
        if let Some(at) = known {
            self.messages.remove(at);
        } else if self.messages.len() >= REMEMBERED_MAX {
            self.messages.remove(0);
        }
        self.messages.push((timestamp.as_millis(), attempts));
        self.in_window = self.in_window.saturating_add(1);
        Some(attempts)
    }
}

/// Makes the request to send a message again, for one that [`Decrypt`](super::Decrypt) has refused with
/// an error whose disposition is [`AskSenderToResend`](crate::Disposition::AskSenderToResend).
#[derive(Clone, Copy, Debug)]
pub struct AskRetry<'a> {
    /// The device that sent the message.
    pub from: &'a Address,
    /// The message's type.
    pub message_type: CiphertextMessageType,
    /// The message.
    pub bytes: &'a [u8],
    /// The message's own timestamp, as its envelope names it: the peer's name for the message.
    pub timestamp: Timestamp,
}

/// What to do about a message that did not decrypt.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Asked {
    /// Send this to the device that sent the message, in
    /// [`PlaintextContent`](crate::wire::PlaintextContent). Attempt 1 to 5.
    Ask {
        /// The request.
        message: DecryptionErrorMessage,
        /// How often it has been made for this message.
        attempt: u32,
    },
    /// It was asked for often enough, or too much was asked of that device within the hour: drop the
    /// message, and show that one is missing.
    GiveUp,
}

impl Operation for AskRetry<'_> {
    type Output = Asked;

    fn needs(&self, _own: &Own, loaded: &Loaded) -> Result<Vec<RecordKey>, Error> {
        Ok(loaded.snapshot().missing([RecordKey::Retry(self.from.clone())]))
    }

    /// # Errors
    ///
    /// Those of [`DecryptionErrorMessage::for_original`]: what does not even parse was not the peer's.
    fn run(
        &self,
        _own: &Own,
        loaded: &mut Loaded,
        now: Timestamp,
        rng: &mut impl CryptoRng,
    ) -> Result<(Asked, Changes), Error> {
        let device = u32::from(self.from.device().get());
        let message = DecryptionErrorMessage::for_original(
            self.bytes,
            self.message_type,
            self.timestamp,
            device,
        )?;
        let key = RecordKey::Retry(self.from.clone());
        let mut attempts: Attempts = loaded.read(&key)?.unwrap_or_default();
        let mut changes = Changes::new();
        let Some(attempt) = attempts.asked.count(self.timestamp, now) else {
            return Ok((Asked::GiveUp, changes));
        };
        loaded.write(key, &attempts, &mut changes, rng)?;
        Ok((Asked::Ask { message, attempt }, changes))
    }
}

/// Acts on a peer's request to send a message again (spec 04 §8.3).
#[derive(Clone, Copy, Debug)]
pub struct AnswerRetry<'a> {
    /// The device that could not decrypt.
    pub from: &'a Address,
    /// Its request.
    pub request: &'a DecryptionErrorMessage,
}

/// What to do about a request to send a message again.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Answered {
    /// Send the message of this timestamp again, to that device.
    Resend {
        /// The message, by the timestamp under which it was sent.
        timestamp: Timestamp,
        /// The session in which it was sent was still the current one, and is now archived: fetch a
        /// bundle and start a new session first.
        session_archived: bool,
        /// The request names no session: it is about a sender-key message. Send the distribution
        /// message again, too.
        is_sender_key: bool,
        /// How often the message has been sent again, this time included.
        attempt: u32,
    },
    /// The message was sent by another device of this account.
    NotOurs,
    /// That device has asked too often: do nothing.
    Ignore,
}

impl Operation for AnswerRetry<'_> {
    type Output = Answered;

    fn needs(&self, _own: &Own, loaded: &Loaded) -> Result<Vec<RecordKey>, Error> {
        let mut keys = loaded.session_needs(self.from)?;
        keys.extend(loaded.snapshot().missing([RecordKey::Retry(self.from.clone())]));
        Ok(keys)
    }

    fn run(
        &self,
        own: &Own,
        loaded: &mut Loaded,
        now: Timestamp,
        rng: &mut impl CryptoRng,
    ) -> Result<(Answered, Changes), Error> {
        if self.request.device_id() != u32::from(own.local.address().device().get()) {
            return Ok((Answered::NotOurs, Changes::new()));
        }
        let key = RecordKey::Retry(self.from.clone());
        let mut attempts: Attempts = loaded.read(&key)?.unwrap_or_default();
        let timestamp = self.request.timestamp();
        let Some(attempt) = attempts.answered.count(timestamp, now) else {
            return Ok((Answered::Ignore, Changes::new()));
        };
        let mut session = loaded.take_session(self.from)?;
        let ratchet_key = self.request.ratchet_key();
        let session_archived =
            ratchet_key.is_some_and(|key| session.current_ratchet_key_matches(key));
        if session_archived {
            session.archive_current();
        }
        let mut changes = loaded.save([(self.from.clone(), session)], rng)?;
        loaded.write(key, &attempts, &mut changes, rng)?;
        let is_sender_key = ratchet_key.is_none();
        Ok((Answered::Resend { timestamp, session_archived, is_sender_key, attempt }, changes))
    }
}

impl Stored for Attempts {
    fn read(fields: Reader<'_>) -> Result<Self, Error> {
        let mut attempts = Self::default();
        for field in fields {
            match field? {
                (1, value) => attempts.asked = read_side(value)?,
                (2, value) => attempts.answered = read_side(value)?,
                _ => return Err(Error::InvalidState),
            }
        }
        Ok(attempts)
    }

    fn write(&self, w: &mut Writer<'_>) {
        for (number, side) in [(1, &self.asked), (2, &self.answered)] {
            w.message(number, |w| {
                w.uint_nonzero(1, side.window_start);
                w.uint_nonzero(2, side.in_window);
                for &(timestamp, count) in &side.messages {
                    w.message(3, |w| {
                        w.uint(1, timestamp);
                        w.uint(2, count);
                    });
                }
            });
        }
    }
}

fn read_side(value: Value<'_>) -> Result<Side, Error> {
    let mut side = Side::default();
    for field in Reader::new(value.bytes()?) {
        match field? {
            (1, value) => side.window_start = value.uint64()?,
            (2, value) => side.in_window = value.uint32()?,
            (3, value) => {
                let (mut timestamp, mut count) = (None, None);
                for field in Reader::new(value.bytes()?) {
                    match field? {
                        (1, value) => timestamp = Some(value.uint64()?),
                        (2, value) => count = Some(value.uint32()?),
                        _ => return Err(Error::InvalidState),
                    }
                }
                side.messages.push((required(timestamp)?, required(count)?));
            }
            _ => return Err(Error::InvalidState),
        }
    }
    if side.messages.len() > REMEMBERED_MAX {
        return Err(Error::InvalidState);
    }
    Ok(side)
}
