//! A zero-copy protobuf reader (spec 01 §0).
//!
//! It yields the fields of one message in the order in which they stand. What a field means, which
//! one wins when it is repeated, and which ones are required is the business of the message's file.

use crate::error::Error;

/// How deep unknown groups may nest. Deeper ones are a decode error, so that a few bytes cannot
/// exhaust the stack; the number is the one that common decoders use.
const MAX_GROUP_DEPTH: u32 = 100;

/// The longest encoding of a varint, in bytes.
const MAX_VARINT: usize = 10;

/// One field's value, by wire type.
///
/// A message asks for the kind that it expects; any other kind is [`Error::InvalidProtobuf`]. A field
/// that the message does not know is ignored by not asking.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Value<'a> {
    /// Wire type 0.
    Varint(u64),
    /// Wire type 1.
    Fixed64(u64),
    /// Wire type 2.
    Bytes(&'a [u8]),
    /// Wire types 3 and 4: a group, already skipped. No message of the protocol has one.
    Group,
    /// Wire type 5.
    Fixed32(u32),
}

impl<'a> Value<'a> {
    /// A `bytes` field, or the encoding of an embedded message.
    pub(crate) const fn bytes(self) -> Result<&'a [u8], Error> {
        match self {
            Self::Bytes(bytes) => Ok(bytes),
            _ => Err(Error::InvalidProtobuf),
        }
    }

    /// A `string` field: UTF-8.
    pub(crate) fn string(self) -> Result<&'a str, Error> {
        core::str::from_utf8(self.bytes()?).map_err(|_| Error::InvalidProtobuf)
    }

    /// A `uint64` field.
    pub(crate) const fn uint64(self) -> Result<u64, Error> {
        match self {
            Self::Varint(value) => Ok(value),
            _ => Err(Error::InvalidProtobuf),
        }
    }

    /// A `uint32` field: a wider varint is cut to its low 32 bits (spec 01 §0).
    #[allow(clippy::cast_possible_truncation)] // the rule
    pub(crate) const fn uint32(self) -> Result<u32, Error> {
        match self {
            Self::Varint(value) => Ok(value as u32),
            _ => Err(Error::InvalidProtobuf),
        }
    }

    /// A `fixed32` or `sfixed32` field.
    pub(crate) const fn fixed32(self) -> Result<u32, Error> {
        match self {
            Self::Fixed32(value) => Ok(value),
            _ => Err(Error::InvalidProtobuf),
        }
    }

    /// A `fixed64` field.
    pub(crate) const fn fixed64(self) -> Result<u64, Error> {
        match self {
            Self::Fixed64(value) => Ok(value),
            _ => Err(Error::InvalidProtobuf),
        }
    }
}

/// Iterates over the fields of one encoded message: field number and value.
///
/// Ends after the first error.
#[derive(Clone, Debug)]
pub(crate) struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    /// Reads the message that `bytes` are, all of them.
    pub(crate) const fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    /// How many bytes of the message are still to be read. After a length-delimited field this is what
    /// follows the end of its content.
    pub(crate) const fn remaining(&self) -> usize {
        self.rest.len()
    }

    fn field(&mut self) -> Result<(u32, Value<'a>), Error> {
        let (number, wire_type) = self.key()?;
        Ok((number, self.value(number, wire_type, 0)?))
    }

    /// `key = (field number << 3) | wire type`, below 2^32; field number 0 does not exist.
    fn key(&mut self) -> Result<(u32, u32), Error> {
        let key = u32::try_from(self.varint()?).map_err(|_| Error::InvalidProtobuf)?;
        match key >> 3 {
            0 => Err(Error::InvalidProtobuf),
            number => Ok((number, key & 7)),
        }
    }

    fn value(&mut self, number: u32, wire_type: u32, depth: u32) -> Result<Value<'a>, Error> {
        if depth >= MAX_GROUP_DEPTH {
            return Err(Error::InvalidProtobuf);
        }
        match wire_type {
            0 => self.varint().map(Value::Varint),
            1 => self.array().map(|bytes| Value::Fixed64(u64::from_le_bytes(bytes))),
            2 => {
                let length = usize::try_from(self.varint()?).map_err(|_| Error::InvalidProtobuf)?;
                self.take(length).map(Value::Bytes)
            }
            3 => self.skip_group(number, depth.saturating_add(1)).map(|()| Value::Group),
            5 => self.array().map(|bytes| Value::Fixed32(u32::from_le_bytes(bytes))),
            // 4 ends a group that was not begun; 6 and 7 do not exist.
            _ => Err(Error::InvalidProtobuf),
        }
    }

    /// Skips to the end of a group, whose end carries the number of its beginning.
    fn skip_group(&mut self, number: u32, depth: u32) -> Result<(), Error> {
        loop {
            match self.key()? {
                (end, 4) if end == number => return Ok(()),
                (inner, wire_type) => self.value(inner, wire_type, depth)?,
            };
        }
    }

    /// Seven bits a byte, low ones first; at most ten bytes and 64 bits.
    #[inline]
    pub(crate) fn varint(&mut self) -> Result<u64, Error> {
        if let [byte @ 0..=0x7F, rest @ ..] = self.rest {
            self.rest = rest;
            return Ok(u64::from(*byte));
        }
        self.long_varint()
    }

    fn long_varint(&mut self) -> Result<u64, Error> {
        let mut value = 0;
        for index in 0..MAX_VARINT {
            let (&byte, rest) = self.rest.split_first().ok_or(Error::InvalidProtobuf)?;
            self.rest = rest;
            // The tenth byte has one bit of the 64 left.
            if index == MAX_VARINT - 1 && byte > 1 {
                return Err(Error::InvalidProtobuf);
            }
            #[allow(clippy::arithmetic_side_effects)] // 9 * 7 = 63 at most
            let shift = index * 7;
            value |= u64::from(byte & 0x7F) << shift;
            if byte < 0x80 {
                return Ok(value);
            }
        }
        Err(Error::InvalidProtobuf)
    }

    fn take(&mut self, length: usize) -> Result<&'a [u8], Error> {
        let (taken, rest) = self.rest.split_at_checked(length).ok_or(Error::InvalidProtobuf)?;
        self.rest = rest;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Error> {
        let (taken, rest) = self.rest.split_first_chunk().ok_or(Error::InvalidProtobuf)?;
        self.rest = rest;
        Ok(*taken)
    }
}

impl<'a> Iterator for Reader<'a> {
    type Item = Result<(u32, Value<'a>), Error>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let field = self.field();
        if field.is_err() {
            self.rest = &[];
        }
        Some(field)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::arithmetic_side_effects)]
mod tests {
    use alloc::vec;
    use alloc::vec::Vec;

    use super::*;

    fn read(bytes: &[u8]) -> Result<Vec<(u32, Value<'_>)>, Error> {
        Reader::new(bytes).collect()
    }

    #[test]
    fn yields_every_wire_type_in_order() {
        let bytes = [
            0x10, 0x96, 0x01, // 2: varint 150
            0x0A, 2, b'h', b'i', // 1: bytes
            0x19, 1, 0, 0, 0, 0, 0, 0, 0x80, // 3: fixed64
            0x25, 2, 0, 0, 0x80, // 4: fixed32
            0x2B, 0x08, 1, 0x2C, // 5: group { 1: 1 }
            0x30, 0, // 6: varint 0
        ];
        let fields = read(&bytes).unwrap();
        assert_eq!(
            fields,
            [
                (2, Value::Varint(150)),
                (1, Value::Bytes(b"hi")),
                (3, Value::Fixed64(0x8000_0000_0000_0001)),
                (4, Value::Fixed32(0x8000_0002)),
                (5, Value::Group),
                (6, Value::Varint(0)),
            ]
        );
        assert_eq!(fields[1].1.uint32(), Err(Error::InvalidProtobuf));
        assert_eq!(fields[0].1.bytes(), Err(Error::InvalidProtobuf));
        assert_eq!(fields[0].1.fixed64(), Err(Error::InvalidProtobuf));
        assert_eq!(fields[2].1.fixed64(), Ok(0x8000_0000_0000_0001));
        assert_eq!(fields[4].1.bytes(), Err(Error::InvalidProtobuf));
    }

    #[test]
    fn uint32_is_cut_to_its_low_32_bits() {
        // 2^64 - 1 and 2^32 + 5
        let bytes = [
            0x08, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x01, // 1
            0x10, 0x85, 0x80, 0x80, 0x80, 0x10, // 2
        ];
        let fields = read(&bytes).unwrap();
        assert_eq!(fields[0].1, Value::Varint(u64::MAX));
        assert_eq!(fields[0].1.uint32(), Ok(u32::MAX));
        assert_eq!(fields[1].1.uint32(), Ok(5));
        assert_eq!(fields[1].1.uint64(), Ok((1 << 32) + 5));
    }

    #[test]
    fn a_varint_has_ten_bytes_and_64_bits() {
        let mut long = vec![0x08];
        long.extend([0x80; 9]);
        long.push(0x00);
        assert_eq!(read(&long).unwrap(), [(1, Value::Varint(0))]);
        *long.last_mut().unwrap() = 0x02;
        assert_eq!(read(&long), Err(Error::InvalidProtobuf));
        *long.last_mut().unwrap() = 0x80;
        long.push(0x00);
        assert_eq!(read(&long), Err(Error::InvalidProtobuf));
        assert_eq!(read(&[0x08, 0x80]), Err(Error::InvalidProtobuf));
    }

    #[test]
    fn malformed_input_is_one_error_and_ends_the_iteration() {
        for bytes in [
            &[0x00, 0x00][..],                  // field number 0
            &[0x0E],                            // wire type 6
            &[0x0F],                            // wire type 7
            &[0x0C],                            // an end without a beginning
            &[0x0B],                            // a beginning without an end
            &[0x0B, 0x14],                      // the end of another group
            &[0x0A, 0x01],                      // bytes cut short
            &[0x09, 0, 0, 0, 0, 0, 0, 0],       // fixed64 cut short
            &[0x0D, 0, 0, 0],                   // fixed32 cut short
            &[0x80, 0x80, 0x80, 0x80, 0x10, 0], // key of 2^32
            &[0x0A, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x01], // length 2^64 - 1
        ] {
            let mut reader = Reader::new(bytes);
            assert_eq!(reader.next(), Some(Err(Error::InvalidProtobuf)), "{bytes:02x?}");
            assert_eq!(reader.next(), None);
        }
    }

    #[test]
    fn groups_nest_a_hundred_deep_and_no_deeper() {
        let nested = |depth: usize| {
            let mut bytes = vec![0x0B; depth];
            bytes.extend(vec![0x0C; depth]);
            bytes
        };
        assert_eq!(read(&nested(100)).unwrap(), [(1, Value::Group)]);
        assert_eq!(read(&nested(101)), Err(Error::InvalidProtobuf));
        assert_eq!(read(&vec![0x0B; 1 << 20]), Err(Error::InvalidProtobuf));
    }
}
