//! A message's fields together with their own bytes, so that what is not understood goes on unchanged.

use alloc::vec::Vec;

use zeroize::Zeroizing;

use crate::error::Error;
use crate::wire::reader::{Reader, Value};

/// `Message.deviceSentMessage` (spec 20 §5).
pub(super) const DEVICE_SENT_MESSAGE: u32 = 31;
/// `Message.messageContextInfo`.
pub(super) const MESSAGE_CONTEXT_INFO: u32 = 35;

/// Iterates over `(number, value, all bytes of the field)`. Ends after the first error.
pub(super) struct Fields<'a> {
    bytes: &'a [u8],
    reader: Reader<'a>,
}

impl<'a> Fields<'a> {
    pub(super) const fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, reader: Reader::new(bytes) }
    }
}

impl<'a> Iterator for Fields<'a> {
    type Item = Result<(u32, Value<'a>, &'a [u8]), Error>;

    fn next(&mut self) -> Option<Self::Item> {
        let before = self.bytes.len().saturating_sub(self.reader.remaining());
        Some(self.reader.next()?.and_then(|(number, value)| {
            let after = self.bytes.len().saturating_sub(self.reader.remaining());
            let raw = self.bytes.get(before..after).ok_or(Error::InvalidProtobuf)?;
            Ok((number, value, raw))
        }))
    }
}

/// The last field of a number, as its length-delimited content.
pub(super) fn last_bytes(message: &[u8], number: u32) -> Result<Option<&[u8]>, Error> {
    let mut found = None;
    for field in Reader::new(message) {
        match field? {
            (met, value) if met == number => found = Some(value.bytes()?),
            _ => {}
        }
    }
    Ok(found)
}

/// The message without some of its fields; the others byte for byte. The buffer does not grow.
pub(super) fn without(
    message: &[u8],
    dropped: impl Fn(u32) -> bool,
) -> Result<Zeroizing<Vec<u8>>, Error> {
    let mut out = Zeroizing::new(Vec::with_capacity(message.len()));
    for field in Fields::new(message) {
        let (number, _, raw) = field?;
        if !dropped(number) {
            out.extend_from_slice(raw);
        }
    }
    Ok(out)
}
