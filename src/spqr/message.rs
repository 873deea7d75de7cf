//! The wire format V1, spec 10 §9: version, epoch, index, type, and a chunk for most types.

use super::erasure::{CHUNK, Chunk, Row};
use super::error::SpqrError;

/// The version byte of this format.
pub(super) const VERSION_BYTE: u8 = 0x01;

/// Longest message: version, two varints of 10 and 5 bytes, type, a varint of 3 bytes, a chunk.
const MAX_LENGTH: usize = 1 + 10 + 5 + 1 + 3 + CHUNK;

/// What a message carries besides its epoch and index. In brackets the type byte.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Payload {
    /// Nothing (0).
    None,
    /// A chunk of `header || MAC` (1).
    Hdr(Chunk),
    /// A chunk of `ek` (2).
    Ek(Chunk),
    /// A chunk of `ek`, and the news that `ct1` is complete (3).
    EkCt1Ack(Chunk),
    /// The news that `ct1` is complete (4).
    Ct1Ack,
    /// A chunk of `ct1` (5).
    Ct1(Chunk),
    /// A chunk of `ct2 || MAC` (6).
    Ct2(Chunk),
}

/// A parsed message.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Message {
    /// The sender's Braid epoch, at least 1.
    pub(super) epoch: u64,
    /// The index of the message's key in its chain, or 0 for no key.
    pub(super) index: u32,
    /// The rest.
    pub(super) payload: Payload,
}

impl Message {
    /// Reads a message. Bytes after it are ignored.
    ///
    /// # Errors
    ///
    /// [`SpqrError::MessageDecode`].
    pub(super) fn parse(bytes: &[u8]) -> Result<Self, SpqrError> {
        Self::read(&mut Cursor(bytes)).ok_or(SpqrError::MessageDecode)
    }

    fn read(cursor: &mut Cursor<'_>) -> Option<Self> {
        if cursor.byte()? != VERSION_BYTE {
            return None;
        }
        let epoch = cursor.varint()?;
        if epoch == 0 {
            return None;
        }
        let index = u32::try_from(cursor.varint()?).ok()?;
        let payload = match cursor.byte()? {
            0 => Payload::None,
            1 => Payload::Hdr(cursor.chunk()?),
            2 => Payload::Ek(cursor.chunk()?),
            3 => Payload::EkCt1Ack(cursor.chunk()?),
            4 => Payload::Ct1Ack,
            5 => Payload::Ct1(cursor.chunk()?),
            6 => Payload::Ct2(cursor.chunk()?),
            _ => return None,
        };
        Some(Self { epoch, index, payload })
    }

    /// Writes the message.
    pub(super) fn encode(&self) -> MessageBytes {
        let (kind, chunk) = match self.payload {
            Payload::None => (0, None),
            Payload::Hdr(chunk) => (1, Some(chunk)),
            Payload::Ek(chunk) => (2, Some(chunk)),
            Payload::EkCt1Ack(chunk) => (3, Some(chunk)),
            Payload::Ct1Ack => (4, None),
            Payload::Ct1(chunk) => (5, Some(chunk)),
            Payload::Ct2(chunk) => (6, Some(chunk)),
        };
        let mut out = MessageBytes::EMPTY;
        out.push(VERSION_BYTE);
        out.push_varint(self.epoch);
        out.push_varint(u64::from(self.index));
        out.push(kind);
        if let Some(chunk) = chunk {
            out.push_varint(u64::from(chunk.index));
            for byte in chunk.data {
                out.push(byte);
            }
        }
        out
    }
}

/// The bytes of one message, at most 52 of them, without a heap.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct MessageBytes {
    length: u8,
    bytes: [u8; MAX_LENGTH],
}

impl MessageBytes {
    /// The message of V0.
    pub(super) const EMPTY: Self = Self { length: 0, bytes: [0; MAX_LENGTH] };

    /// The bytes written.
    pub(super) fn as_slice(&self) -> &[u8] {
        self.bytes.get(..usize::from(self.length)).unwrap_or_default()
    }

    fn push(&mut self, byte: u8) {
        if let Some(to) = self.bytes.get_mut(usize::from(self.length)) {
            *to = byte;
            self.length = self.length.saturating_add(1);
        }
    }

    /// Little-endian base 128, as short as possible.
    fn push_varint(&mut self, mut value: u64) {
        while value > 0x7f {
            self.push(value.to_le_bytes()[0] | 0x80);
            value >>= 7;
        }
        self.push(value.to_le_bytes()[0]);
    }
}

/// What is left to read.
struct Cursor<'a>(&'a [u8]);

impl Cursor<'_> {
    fn byte(&mut self) -> Option<u8> {
        let (first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*first)
    }

    /// Up to 10 bytes; forms that are not minimal are accepted, and bits beyond 2^64 dropped.
    fn varint(&mut self) -> Option<u64> {
        let mut value = 0_u64;
        for shift in (0..64_u32).step_by(7) {
            let byte = self.byte()?;
            value |= u64::from(byte & 0x7f).wrapping_shl(shift);
            if byte & 0x80 == 0 {
                return Some(value);
            }
        }
        None
    }

    fn chunk(&mut self) -> Option<Chunk> {
        let index = u16::try_from(self.varint()?).ok()?;
        let (data, rest) = self.0.split_first_chunk::<CHUNK>()?;
        self.0 = rest;
        let data: Row = *data;
        Some(Chunk { index, data })
    }
}
