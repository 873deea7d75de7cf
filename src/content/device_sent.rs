//! The wrapper in which the sender's own other devices get what was sent (spec 20 §5).

use alloc::string::ToString;
use alloc::vec::Vec;
use core::fmt;

use zeroize::Zeroizing;

use super::fields::{DEVICE_SENT_MESSAGE, Fields, MESSAGE_CONTEXT_INFO, last_bytes, without};
use crate::error::Error;
use crate::jid::Jid;
use crate::wire::reader::Reader;
use crate::wire::writer;

/// Wraps a `Message` for the sender's own other devices: `{deviceSentMessage#31 {destinationJid#1, message#2, phash#3},
/// messageContextInfo#35}`. The message's own `messageContextInfo` moves to the outer level; its other fields are kept
/// byte for byte.
///
/// `destination` is the chat; `phash` the [participant hash](super::participant_hash) of a message to a group.
///
/// # Errors
///
/// [`Error::InvalidProtobuf`] when the message is malformed; [`Error::InvalidArgument`] when it is such a wrapper
/// already.
pub fn wrap_device_sent(
    destination: &Jid,
    message: &[u8],
    phash: Option<&str>,
) -> Result<Zeroizing<Vec<u8>>, Error> {
    if last_bytes(message, DEVICE_SENT_MESSAGE)?.is_some() {
        return Err(Error::InvalidArgument);
    }
    let inner = without(message, |number| number == MESSAGE_CONTEXT_INFO)?;
    let context = without(message, |number| number != MESSAGE_CONTEXT_INFO)?;
    let destination = destination.to_string();
    Ok(Zeroizing::new(writer::encode(|w| {
        w.message(DEVICE_SENT_MESSAGE, |w| {
            w.bytes(1, destination.as_bytes());
            w.bytes(2, &inner);
            w.bytes_option(3, phash.map(str::as_bytes));
        });
        w.raw(&context);
    })))
}

/// What another device of one's own account has sent. A borrowed view.
#[derive(Clone, PartialEq, Eq)]
pub struct DeviceSent<'a> {
    /// The chat to which it was sent.
    pub destination: Jid,
    /// The encoded `Message`, as it came.
    pub message: &'a [u8],
    /// The encoded `MessageContextInfo`: the outer one, or else the message's own. Read it with
    /// [`MessageContext::parse`](super::MessageContext::parse).
    pub context: Option<&'a [u8]>,
    /// The participant hash of a message to a group.
    pub phash: Option<&'a str>,
}

/// Reads a wrapped `Message`, from the device `sender`; `None` if it is not wrapped.
///
/// `sender` is the device in whose session the message decrypted; `own` are the addresses of one's own account, phone
/// number and LID. Somebody else's wrapper would put words into one's mouth.
///
/// # Errors
///
/// [`Error::NotOwnDevice`] when it is wrapped and `sender` is not a device of one's own account: drop it.
/// [`Error::InvalidProtobuf`] when it is malformed, lacks destination or message, or holds a second wrapper.
pub fn unwrap_device_sent<'a>(
    message: &'a [u8],
    sender: &Jid,
    own: &[Jid],
) -> Result<Option<DeviceSent<'a>>, Error> {
    let (mut wrapper, mut outer) = (None, None);
    for field in Fields::new(message) {
        match field? {
            (DEVICE_SENT_MESSAGE, value, _) => wrapper = Some(value.bytes()?),
            (MESSAGE_CONTEXT_INFO, value, _) => outer = Some(value.bytes()?),
            _ => {}
        }
    }
    let Some(wrapper) = wrapper else { return Ok(None) };
    if !own.iter().any(|own| own.is_same_account(sender)) {
        return Err(Error::NotOwnDevice);
    }
    let (mut destination, mut inner, mut phash) = (None, None, None);
    for field in Reader::new(wrapper) {
        match field? {
            (1, value) => destination = Some(value.string()?),
            (2, value) => inner = Some(value.bytes()?),
            (3, value) => phash = Some(value.string()?),
            _ => {}
        }
    }
    let destination = destination.ok_or(Error::InvalidProtobuf)?;
    let destination = Jid::parse(destination).map_err(|_| Error::InvalidProtobuf)?;
    let inner = inner.ok_or(Error::InvalidProtobuf)?;
    if last_bytes(inner, DEVICE_SENT_MESSAGE)?.is_some() {
        return Err(Error::InvalidProtobuf);
    }
    // the outer one, or else the inner one
    let context = match outer {
        Some(context) => Some(context),
        None => last_bytes(inner, MESSAGE_CONTEXT_INFO)?,
    };
    Ok(Some(DeviceSent { destination, message: inner, context, phash }))
}

/// Without the message.
impl fmt::Debug for DeviceSent<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DeviceSent({} bytes to {})", self.message.len(), self.destination)
    }
}
