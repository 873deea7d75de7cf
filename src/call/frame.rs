//! Encryption of whole media frames, before they are cut into packets (spec 23 §6).
//!
//! `AES-128-GCM(payload) || tag 16 || varint(counter) || varint(key id) || length of the trailer`
//!
//! This is not the format of RFC 9605, though clients call it the same.

use alloc::vec::Vec;
use core::fmt;

use super::CallKey;
use super::packet_index::IndexWindow;
use crate::crypto::aead::{Gcm128, TAG_LENGTH};
use crate::crypto::kdf;
use crate::error::Error;
use crate::jid::Jid;
use crate::secret::Secret;
use crate::wire::reader::Reader;
use crate::wire::writer;

/// The most that encryption adds to a frame, in bytes: tag, two varints, length.
pub const FRAME_OVERHEAD_MAX: usize = TAG_LENGTH + TRAILER_MAX;
/// The longest trailer, its own length byte included.
const TRAILER_MAX: usize = 21;

/// Encrypts one participant's frames. The counter starts at 0, rises by one with every frame, and never
/// comes back.
///
/// There must be one for its keys, ever: [`BoundCallKey::frame_sealer`](super::BoundCallKey::frame_sealer)
/// sees to that. Audio and video share it.
pub struct FrameSealer {
    cipher: Gcm128,
    key_id: u64,
    next: u64,
}

impl FrameSealer {
    pub(super) fn new(key: &CallKey, participant: &Jid, key_id: u64) -> Self {
        Self { cipher: cipher(key, participant), key_id, next: 0 }
    }

    /// Encrypts the first `length` bytes of `frame` in place, appends tag and trailer, and returns the length
    /// of all. `frame` has room for [`FRAME_OVERHEAD_MAX`] more bytes.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidArgument`] when `frame` is too short; [`Error::CallKeyExhausted`] after 2^64 - 1
    /// frames. Nothing has changed then.
    pub fn seal_in_place(&mut self, frame: &mut [u8], length: usize) -> Result<usize, Error> {
        let counter = self.next;
        let next = counter.checked_add(1).ok_or(Error::CallKeyExhausted)?;
        let (payload, rest) = frame.split_at_mut_checked(length).ok_or(Error::InvalidArgument)?;
        let room = rest.get_mut(..FRAME_OVERHEAD_MAX).ok_or(Error::InvalidArgument)?;
        let (trailer, trailer_length) = encode_trailer(counter, self.key_id);
        let tag = self.cipher.seal(&nonce(counter), payload)?;
        self.next = next;
        let end = tag.iter().chain(trailer.iter().take(trailer_length));
        for (to, from) in room.iter_mut().zip(end) {
            *to = *from;
        }
        Ok(length.saturating_add(TAG_LENGTH).saturating_add(trailer_length))
    }

    /// Encrypts `payload` and appends the frame to `out`.
    ///
    /// # Errors
    ///
    /// As [`seal_in_place`](Self::seal_in_place), and [`Error::InvalidArgument`] when no buffer can be that
    /// long. `out` is unchanged then.
    pub fn seal(&mut self, payload: &[u8], out: &mut Vec<u8>) -> Result<(), Error> {
        let start = out.len();
        let most = payload.len().saturating_add(FRAME_OVERHEAD_MAX);
        writer::reserve(out, most)?;
        out.extend_from_slice(payload);
        out.resize(start.saturating_add(most), 0);
        let frame = out.get_mut(start..).unwrap_or_default();
        let sealed = self.seal_in_place(frame, payload.len());
        out.truncate(start.saturating_add(sealed.unwrap_or(0)));
        sealed.map(drop)
    }
}

/// Whether an opener takes a frame twice.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum FrameReplay {
    /// A counter is taken once, and not at all when it is 128 or more behind the highest.
    Refuse,
    /// The layer below sees to it, or frames may come on several ways.
    Allow,
}

/// Decrypts one participant's frames.
pub struct FrameOpener {
    cipher: Gcm128,
    key_id: u64,
    window: Option<IndexWindow>,
}

impl FrameOpener {
    pub(super) fn new(key: &CallKey, participant: &Jid, key_id: u64, replay: FrameReplay) -> Self {
        let window = match replay {
            FrameReplay::Refuse => Some(IndexWindow::default()),
            FrameReplay::Allow => None,
        };
        Self { cipher: cipher(key, participant), key_id, window }
    }

    /// Verifies `frame` and decrypts it in place; its first `length` bytes are the payload then.
    ///
    /// # Errors
    ///
    /// * [`Error::CiphertextTooShort`], [`Error::InvalidMediaPacket`] when the trailer is malformed;
    /// * [`Error::ReplayedMediaPacket`] when the counter was seen or is too old, unless that is allowed;
    /// * [`Error::Rejected`] when the key id is another, or the tag does not fit.
    ///
    /// Nothing has changed then, the bytes of `frame` included.
    pub fn open_in_place(&mut self, frame: &mut [u8]) -> Result<OpenedFrame, Error> {
        let trailer = FrameTrailer::parse(frame)?;
        if trailer.key_id != self.key_id {
            return Err(Error::Rejected);
        }
        if let Some(window) = &self.window {
            window.check(trailer.counter)?;
        }
        let too_short = Error::CiphertextTooShort(frame.len());
        let sealed = frame.len().checked_sub(trailer.length).ok_or(too_short)?;
        let sealed = frame.get_mut(..sealed).ok_or(too_short)?;
        let (payload, tag) = sealed.split_last_chunk_mut::<TAG_LENGTH>().ok_or(too_short)?;
        self.cipher.open(&nonce(trailer.counter), payload, tag)?;
        if let Some(window) = &mut self.window {
            window.record(trailer.counter);
        }
        Ok(OpenedFrame { length: payload.len(), counter: trailer.counter })
    }
}

/// What came out of a frame.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct OpenedFrame {
    /// Length of the payload in bytes.
    pub length: usize,
    /// The sender's counter.
    pub counter: u64,
}

/// The end of a frame, by which its reader chooses a [`FrameOpener`].
///
/// The tag does not cover it. A changed counter makes another nonce, so the frame does not verify; a changed
/// key id chooses another key, or none.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct FrameTrailer {
    /// The sender's counter.
    pub counter: u64,
    /// Which key.
    pub key_id: u64,
    /// Length of the trailer in bytes, 3 to 21.
    pub length: usize,
}

impl FrameTrailer {
    /// Reads the trailer of `frame`.
    ///
    /// # Errors
    ///
    /// [`Error::CiphertextTooShort`] when the frame is shorter than tag and trailer;
    /// [`Error::InvalidMediaPacket`] when the trailer is malformed.
    pub fn parse(frame: &[u8]) -> Result<Self, Error> {
        let too_short = Error::CiphertextTooShort(frame.len());
        let length = frame.last().map(|&length| usize::from(length)).ok_or(too_short)?;
        if !(3..=TRAILER_MAX).contains(&length) {
            return Err(Error::InvalidMediaPacket);
        }
        let start = frame.len().checked_sub(length).ok_or(too_short)?;
        if start < TAG_LENGTH {
            return Err(too_short);
        }
        let end = frame.len().saturating_sub(1);
        let mut reader = Reader::new(frame.get(start..end).ok_or(too_short)?);
        let mut varint = || reader.varint().map_err(|_| Error::InvalidMediaPacket);
        let (counter, key_id) = (varint()?, varint()?);
        if reader.remaining() != 0 {
            return Err(Error::InvalidMediaPacket);
        }
        Ok(Self { counter, key_id, length })
    }
}

impl zeroize::ZeroizeOnDrop for FrameSealer {}
impl zeroize::ZeroizeOnDrop for FrameOpener {}

impl fmt::Debug for FrameSealer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FrameSealer").field("next", &self.next).finish_non_exhaustive()
    }
}

impl fmt::Debug for FrameOpener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FrameOpener").field("key_id", &self.key_id).finish_non_exhaustive()
    }
}

/// The expanded key of a participant's frames.
fn cipher(call_key: &CallKey, participant: &Jid) -> Gcm128 {
    // key = HKDF(ikm = callKey[16..32], salt = callKey[0..16], info = "e2e sframe key" || participantId, 32)[0..16]
    let salt = kdf::part::<32, 0, 16>(call_key.secret());
    let ikm = kdf::part::<32, 16, 16>(call_key.secret());
    let info = alloc::format!("e2e sframe key{}", participant.with_device_text());
    let okm: Secret<32> = kdf::hkdf_parts(Some(salt.expose()), &[ikm.expose()], info.as_bytes());
    Gcm128::new(&kdf::part::<32, 0, 16>(&okm))
}

/// Eight zero bytes, then the counter as u64, little-endian.
const fn nonce(counter: u64) -> [u8; 16] {
    ((counter as u128) << 64).to_le_bytes()
}

/// `varint(counter) || varint(key id) || u8 length`, and its length.
fn encode_trailer(counter: u64, key_id: u64) -> ([u8; TRAILER_MAX], usize) {
    let mut trailer = [0; TRAILER_MAX];
    let mut length = 0_u8;
    let mut places = trailer.iter_mut();
    let mut push = |byte| {
        if let Some(place) = places.next() {
            *place = byte;
            length = length.saturating_add(1);
        }
        length
    };
    for mut value in [counter, key_id] {
        while value >= 0x80 {
            #[allow(clippy::cast_possible_truncation)] // seven bits at a time
            push(value as u8 | 0x80);
            value >>= 7;
        }
        #[allow(clippy::cast_possible_truncation)]
        push(value as u8);
    }
    let before = push(0);
    if let Some(last) = trailer.get_mut(usize::from(before).saturating_sub(1)) {
        *last = before;
    }
    (trailer, usize::from(before))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing)]
mod tests {
    use super::*;

    #[test]
    fn trailers_of_every_length_read_back() {
        for counter in [0, 5, 127, 128, 16_383, 16_384, u64::MAX] {
            for key_id in [0, 127, 128, u64::MAX] {
                let (trailer, length) = encode_trailer(counter, key_id);
                let mut frame = alloc::vec![0; TAG_LENGTH];
                frame.extend_from_slice(&trailer[..length]);
                let parsed = FrameTrailer::parse(&frame).unwrap();
                assert_eq!(parsed, FrameTrailer { counter, key_id, length });
            }
        }
        assert_eq!(encode_trailer(u64::MAX, u64::MAX).1, TRAILER_MAX);
        assert_eq!(nonce(5)[..], hex::decode("00000000000000000500000000000000").unwrap());
    }

    #[test]
    fn the_counter_does_not_wrap() {
        let key = CallKey::from_secret(Secret::zero());
        let jid = Jid::parse("1:0@lid").unwrap();
        let mut sealer = FrameSealer::new(&key, &jid, 0);
        sealer.next = u64::MAX - 1;
        let mut out = Vec::new();
        sealer.seal(b"last", &mut out).unwrap();
        let length = out.len();
        assert_eq!(sealer.seal(b"one more", &mut out), Err(Error::CallKeyExhausted));
        assert_eq!(out.len(), length);
    }
}
