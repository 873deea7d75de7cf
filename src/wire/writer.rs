//! An exact-size protobuf writer (spec 01 §0).
//!
//! A message describes its fields once, in ascending order, as a function of a [`Writer`]. The same
//! function runs twice: to count, then to write. So the buffer is reserved exactly before the first
//! byte is written, and never grows: no copy of a secret is left behind by a reallocation.

use alloc::vec::Vec;

use crate::error::Error;

/// Appends the message that `fields` describes to `out`, after reserving exactly its length.
pub(crate) fn append(out: &mut Vec<u8>, fields: impl Fn(&mut Writer<'_>)) {
    out.reserve_exact(encoded_len(&fields));
    fields(&mut Writer::new(out));
}

/// The encoding of the message that `fields` describes: a buffer without spare capacity.
pub(crate) fn encode(fields: impl Fn(&mut Writer<'_>)) -> Vec<u8> {
    let mut out = Vec::new();
    append(&mut out, fields);
    out
}

/// The length in bytes of the message that `fields` describes.
pub(crate) fn encoded_len(fields: impl Fn(&mut Writer<'_>)) -> usize {
    let mut counter = Writer { out: None, length: 0 };
    fields(&mut counter);
    counter.length
}

/// Reserves exactly `length` more bytes in `out`.
///
/// # Errors
///
/// [`Error::InvalidArgument`] when no buffer can be that long.
pub(crate) fn reserve(out: &mut Vec<u8>, length: usize) -> Result<(), Error> {
    if length > (isize::MAX as usize).saturating_sub(out.len()) {
        return Err(Error::InvalidArgument);
    }
    out.reserve_exact(length);
    Ok(())
}

/// Counts or writes the fields of a message.
///
/// The plain methods always write their field (proto2: a field that is set is written, even when it
/// is zero or empty). Those named `_nonzero` and `_nonempty` leave out the default (proto3).
#[derive(Debug)]
pub(crate) struct Writer<'o> {
    out: Option<&'o mut Vec<u8>>,
    length: usize,
}

impl<'o> Writer<'o> {
    /// Writes to the end of `out`. The caller has reserved what will be written.
    pub(crate) const fn new(out: &'o mut Vec<u8>) -> Self {
        Self { out: Some(out), length: 0 }
    }

    /// A `uint32`, `uint64` or `bool` field.
    #[inline]
    pub(crate) fn uint(&mut self, number: u32, value: impl Into<u64>) {
        self.key(number, 0);
        self.varint(value.into());
    }

    /// As [`uint`](Self::uint), left out when zero.
    pub(crate) fn uint_nonzero(&mut self, number: u32, value: impl Into<u64>) {
        match value.into() {
            0 => {}
            value => self.uint(number, value),
        }
    }

    /// As [`uint`](Self::uint), left out when `None`.
    #[inline]
    pub(crate) fn uint_option(&mut self, number: u32, value: Option<impl Into<u64>>) {
        if let Some(value) = value {
            self.uint(number, value);
        }
    }

    /// A `fixed64` field.
    pub(crate) fn fixed64(&mut self, number: u32, value: u64) {
        self.key(number, 1);
        self.raw(&value.to_le_bytes());
    }

    /// A `fixed32` or `sfixed32` field.
    pub(crate) fn fixed32(&mut self, number: u32, value: u32) {
        self.key(number, 5);
        self.raw(&value.to_le_bytes());
    }

    /// A `bytes` or `string` field.
    #[inline]
    pub(crate) fn bytes(&mut self, number: u32, value: &[u8]) {
        self.delimited(number, value.len());
        self.raw(value);
    }

    /// As [`bytes`](Self::bytes), left out when empty.
    #[inline]
    pub(crate) fn bytes_nonempty(&mut self, number: u32, value: &[u8]) {
        if !value.is_empty() {
            self.bytes(number, value);
        }
    }

    /// As [`bytes`](Self::bytes), left out when `None`.
    #[inline]
    pub(crate) fn bytes_option(&mut self, number: u32, value: Option<&[u8]>) {
        if let Some(value) = value {
            self.bytes(number, value);
        }
    }

    /// An embedded message, described as the outer one is.
    pub(crate) fn message(&mut self, number: u32, fields: impl Fn(&mut Writer<'_>)) {
        let length = encoded_len(&fields);
        self.delimited(number, length);
        match &mut self.out {
            Some(out) => {
                self.length = self.length.saturating_add(length);
                fields(&mut Writer::new(out));
            }
            None => self.length = self.length.saturating_add(length),
        }
    }

    /// A packed `repeated uint32` field, left out when empty.
    pub(crate) fn packed(&mut self, number: u32, values: &[u32]) {
        if values.is_empty() {
            return;
        }
        let length = values
            .iter()
            .fold(0_usize, |sum, &value| sum.saturating_add(varint_len(u64::from(value))));
        self.delimited(number, length);
        values.iter().for_each(|&value| self.varint(u64::from(value)));
    }

    /// The key and length of a length-delimited field; `length` bytes of content follow by the
    /// caller's hand.
    #[inline]
    pub(crate) fn delimited(&mut self, number: u32, length: usize) {
        self.key(number, 2);
        self.varint(length as u64);
    }

    /// A length alone, as it stands before a message in a stream.
    pub(crate) fn length(&mut self, length: usize) {
        self.varint(length as u64);
    }

    /// Bytes as they are.
    #[inline]
    pub(crate) fn raw(&mut self, bytes: &[u8]) {
        self.length = self.length.saturating_add(bytes.len());
        if let Some(out) = &mut self.out {
            out.extend_from_slice(bytes);
        }
    }

    #[inline]
    fn key(&mut self, number: u32, wire_type: u32) {
        self.varint(u64::from(number << 3 | wire_type));
    }

    #[inline]
    #[allow(clippy::cast_possible_truncation)] // seven bits at a time
    fn varint(&mut self, mut value: u64) {
        self.length = self.length.saturating_add(varint_len(value));
        if let Some(out) = &mut self.out {
            while value >= 0x80 {
                out.push(value as u8 | 0x80);
                value >>= 7;
            }
            out.push(value as u8);
        }
    }
}

/// Seven bits a byte, at least one byte.
const fn varint_len(value: u64) -> usize {
    (u64::BITS.saturating_sub((value | 1).leading_zeros())).div_ceil(7) as usize
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::super::reader::{Reader, Value};
    use super::*;

    #[test]
    fn what_is_counted_is_what_is_written() {
        for shift in 0..64 {
            for value in [1_u64 << shift, (1_u64 << shift).wrapping_sub(1), u64::MAX >> shift] {
                let bytes = encode(|w| w.uint(1, value));
                assert_eq!(bytes.len(), encoded_len(|w| w.uint(1, value)));
                assert_eq!(bytes.len(), bytes.capacity());
                let field = Reader::new(&bytes).next().unwrap();
                assert_eq!(field, Ok((1, Value::Varint(value))));
            }
        }
        for length in [0, 1, 127, 128, 16383, 16384] {
            let content = alloc::vec![7; length];
            let bytes = encode(|w| w.bytes(16, &content));
            assert_eq!(bytes.len(), encoded_len(|w| w.bytes(16, &content)));
            assert_eq!(bytes.len(), bytes.capacity());
        }
    }

    #[test]
    fn proto2_writes_zeros_and_proto3_leaves_them_out() {
        let proto2 = encode(|w| {
            w.uint(1, 0_u32);
            w.bytes(2, b"");
            w.uint_option(3, Some(0_u32));
            w.uint_option(4, None::<u32>);
            w.bytes_option(5, Some(b""));
            w.bytes_option(6, None);
        });
        assert_eq!(proto2, [0x08, 0, 0x12, 0, 0x18, 0, 0x2A, 0]);
        let proto3 = encode(|w| {
            w.uint_nonzero(1, 0_u32);
            w.bytes_nonempty(2, b"");
            w.uint_nonzero(3, 300_u32);
            w.bytes_nonempty(4, b"x");
        });
        assert_eq!(proto3, [0x18, 0xAC, 0x02, 0x22, 1, b'x']);
    }

    #[test]
    fn embedded_messages_carry_their_length() {
        let mut out = alloc::vec![0xEE];
        append(&mut out, |w| {
            w.message(1, |w| {
                w.message(2, |w| w.uint(3, 1_u32));
                w.fixed64(4, 2);
            });
            w.message(5, |_| {});
        });
        let expected = [0xEE, 0x0A, 13, 0x12, 2, 0x18, 1, 0x21, 2, 0, 0, 0, 0, 0, 0, 0, 0x2A, 0];
        assert_eq!(out, expected);
    }
}
