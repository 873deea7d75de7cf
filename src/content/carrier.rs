//! The fields of a message that carry an encrypted add-on (spec 20 §7).

use alloc::vec::Vec;

use super::add_on::SealedAddOn;
use super::secret::UseCase;
use crate::error::Error;
use crate::time::Timestamp;
use crate::wire::reader::Reader;
use crate::wire::writer;

/// `Message.pollUpdateMessage`.
const POLL_UPDATE: u32 = 50;
/// `Message.encReactionMessage`.
const ENC_REACTION: u32 = 56;
/// `Message.encCommentMessage`.
const ENC_COMMENT: u32 = 71;
/// `Message.encEventResponseMessage`.
const ENC_EVENT_RESPONSE: u32 = 76;
/// `Message.secretEncryptedMessage`, for all other use cases.
const SECRET_ENCRYPTED: u32 = 82;

/// An encrypted add-on as it stands in a `Message`. A borrowed view.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct EncryptedAddOn<'a> {
    /// What it is.
    pub use_case: UseCase,
    /// The encoded `MessageKey` of the parent message; the application's.
    pub target_key: &'a [u8],
    /// `encIv`.
    pub iv: &'a [u8],
    /// `encPayload`.
    pub payload: &'a [u8],
    /// `senderTimestampMs` of a poll's vote.
    pub sender_timestamp: Option<Timestamp>,
    /// `remoteKeyId` of a `secretEncryptedMessage`.
    pub remote_key_id: Option<&'a str>,
}

impl<'a> EncryptedAddOn<'a> {
    /// An add-on that was sealed.
    #[must_use]
    pub fn new(use_case: UseCase, target_key: &'a [u8], sealed: &'a SealedAddOn) -> Self {
        let (iv, payload) = (sealed.iv.as_slice(), sealed.payload.as_slice());
        Self { use_case, target_key, iv, payload, sender_timestamp: None, remote_key_id: None }
    }

    /// Finds the add-on in a `Message`; `None` if it has none. The last one counts.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidProtobuf`] when the message is malformed, or the add-on lacks a field or is of a
    /// `secretEncType` that is not known.
    pub fn find(message: &'a [u8]) -> Result<Option<Self>, Error> {
        let mut found = None;
        for field in Reader::new(message) {
            let (number, value) = field?;
            let use_case = match number {
                POLL_UPDATE => Some(UseCase::PollVote),
                ENC_REACTION => Some(UseCase::EncReaction),
                ENC_COMMENT => Some(UseCase::EncComment),
                ENC_EVENT_RESPONSE => Some(UseCase::EventResponse),
                SECRET_ENCRYPTED => None,
                _ => continue,
            };
            let bytes = value.bytes()?;
            found = Some(match use_case {
                Some(UseCase::PollVote) => Self::read_vote(bytes)?,
                use_case => Self::read(use_case, bytes)?,
            });
        }
        Ok(found)
    }

    /// The `Message` with this as its one field. Fields of the application, such as `messageContextInfo`, can be
    /// appended.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidArgument`] for [`UseCase::ReportToken`], which no message carries.
    pub fn to_message(&self) -> Result<Vec<u8>, Error> {
        let number = match self.use_case {
            UseCase::PollVote => POLL_UPDATE,
            UseCase::EncReaction => ENC_REACTION,
            UseCase::EncComment => ENC_COMMENT,
            UseCase::EventResponse => ENC_EVENT_RESPONSE,
            _ => SECRET_ENCRYPTED,
        };
        let kind = secret_type(self.use_case);
        if number == SECRET_ENCRYPTED && kind.is_none() {
            return Err(Error::InvalidArgument);
        }
        Ok(writer::encode(|w| {
            w.message(number, |w| {
                w.bytes(1, self.target_key);
                if self.use_case == UseCase::PollVote {
                    // vote#2 {encPayload#1, encIv#2}, senderTimestampMs#4
                    w.message(2, |w| {
                        w.bytes(1, self.payload);
                        w.bytes(2, self.iv);
                    });
                    w.uint_option(4, self.sender_timestamp.map(Timestamp::as_millis));
                } else {
                    w.bytes(2, self.payload);
                    w.bytes(3, self.iv);
                    w.uint_option(4, kind);
                    if number == SECRET_ENCRYPTED {
                        w.bytes_option(5, self.remote_key_id.map(str::as_bytes));
                    }
                }
            });
        }))
    }

    /// `pollUpdateMessage {pollCreationMessageKey#1, vote#2 {encPayload#1, encIv#2}, senderTimestampMs#4}`.
    fn read_vote(bytes: &'a [u8]) -> Result<Self, Error> {
        let (mut target, mut payload, mut iv, mut timestamp) = (None, None, None, None);
        for field in Reader::new(bytes) {
            match field? {
                (1, value) => target = Some(value.bytes()?),
                (2, value) => {
                    for field in Reader::new(value.bytes()?) {
                        match field? {
                            (1, value) => payload = Some(value.bytes()?),
                            (2, value) => iv = Some(value.bytes()?),
                            _ => {}
                        }
                    }
                }
                (4, value) => timestamp = Some(Timestamp(value.uint64()?)),
                _ => {}
            }
        }
        Ok(Self {
            use_case: UseCase::PollVote,
            target_key: required(target)?,
            iv: required(iv)?,
            payload: required(payload)?,
            sender_timestamp: timestamp,
            remote_key_id: None,
        })
    }

    /// `{targetMessageKey#1, encPayload#2, encIv#3}`, and of a `secretEncryptedMessage` also
    /// `{secretEncType#4, remoteKeyId#5}`.
    fn read(use_case: Option<UseCase>, bytes: &'a [u8]) -> Result<Self, Error> {
        let (mut target, mut payload, mut iv) = (None, None, None);
        let (mut kind, mut remote_key_id) = (0, None);
        for field in Reader::new(bytes) {
            match field? {
                (1, value) => target = Some(value.bytes()?),
                (2, value) => payload = Some(value.bytes()?),
                (3, value) => iv = Some(value.bytes()?),
                (4, value) if use_case.is_none() => kind = value.uint32()?,
                (5, value) if use_case.is_none() => remote_key_id = Some(value.string()?),
                _ => {}
            }
        }
        Ok(Self {
            use_case: required(use_case.or_else(|| of_secret_type(kind)))?,
            target_key: required(target)?,
            iv: required(iv)?,
            payload: required(payload)?,
            sender_timestamp: None,
            remote_key_id,
        })
    }
}

fn required<T>(field: Option<T>) -> Result<T, Error> {
    field.ok_or(Error::InvalidProtobuf)
}

/// `secretEncType`. Type 3, a schedule, has no public use case.
const fn secret_type(use_case: UseCase) -> Option<u32> {
    match use_case {
        UseCase::EventEdit => Some(1),
        UseCase::MessageEdit => Some(2),
        UseCase::PollEdit => Some(4),
        UseCase::PollAddOption => Some(5),
        _ => None,
    }
}

const fn of_secret_type(kind: u32) -> Option<UseCase> {
    match kind {
        1 => Some(UseCase::EventEdit),
        2 => Some(UseCase::MessageEdit),
        4 => Some(UseCase::PollEdit),
        5 => Some(UseCase::PollAddOption),
        _ => None,
    }
}
