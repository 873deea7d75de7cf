//! Media packets: AES-128-CM and HMAC-SHA-1 with a truncated tag (RFC 3711 §3.3, §4; spec 23 §3).
//!
//! Everything happens in the packet's own buffer, without allocation. A context covers one participant's
//! streams, up to [`MAX_STREAMS`] of them, each with its own counters.

use core::fmt;

use subtle::ConstantTimeEq;

use super::packet_index::IndexWindow;
use super::rtp::RtpHeader;
use super::{MasterKeys, RtpHeaderRule, SessionKeys};
use crate::crypto::ctr::Aes128Ctr;
use crate::crypto::kdf::HmacSha1Key;
use crate::error::Error;
use crate::secret::Secret;

/// How many streams (SSRCs) a context takes; media and control packets are counted apart.
pub const MAX_STREAMS: usize = 16;
/// The most that is encrypted of one packet: 2^16 blocks (RFC 3711 §4.1.1).
const PAYLOAD_MAX: usize = 1 << 20;

/// How much of HMAC-SHA-1's 20 bytes a media packet carries. Control packets always carry 10.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum RtpTag {
    /// 4 bytes: the WhatsApp profile. A forgery has one chance in 2^32.
    #[default]
    Four,
    /// 10 bytes: the default of RFC 3711.
    Ten,
}

impl RtpTag {
    /// The length in bytes.
    #[must_use]
    pub const fn length(self) -> usize {
        match self {
            Self::Four => 4,
            Self::Ten => 10,
        }
    }
}

/// What both ends agree on. The default is the WhatsApp profile.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct SrtpProfile {
    /// The tag of media packets.
    pub tag: RtpTag,
    /// Where encryption begins in a media packet.
    pub header: RtpHeaderRule,
}

/// Protects one participant's packets. There must be one for its keys, ever: a second one would use the same
/// key stream again. [`BoundCallKey::sender`](super::BoundCallKey::sender) sees to that.
pub struct SrtpSender {
    profile: SrtpProfile,
    rtp: PacketCipher,
    streams: Streams,
    pub(super) rtcp: PacketCipher,
    /// Index of the next control packet.
    pub(super) rtcp_next: u32,
}

impl SrtpSender {
    /// A sender under keys that were agreed on by another way than a call key.
    #[must_use]
    pub fn new(master: &MasterKeys, profile: SrtpProfile) -> Self {
        Self {
            profile,
            rtp: PacketCipher::new(&SessionKeys::rtp(master)),
            streams: Streams::default(),
            rtcp: PacketCipher::new(&SessionKeys::rtcp(master)),
            rtcp_next: 0,
        }
    }

    /// Sets the rollover counter at which the stream `ssrc` begins; without this call it is 0.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidArgument`] when the stream has begun; [`Error::InvalidMediaPacket`] when there are
    /// [`MAX_STREAMS`].
    pub fn start_stream(&mut self, ssrc: u32, roc: u32) -> Result<(), Error> {
        self.streams.start(ssrc, roc)
    }

    /// Protects the first `length` bytes of `packet`, a whole RTP packet, in place, writes the tag behind
    /// them, and returns the length of both. `packet` has room for it: 4 or 10 bytes.
    ///
    /// # Errors
    ///
    /// * [`Error::InvalidArgument`] when `packet` is too short, or longer than 1 MiB;
    /// * [`Error::CiphertextTooShort`], [`Error::InvalidMediaPacket`] for a malformed header, or one stream
    ///   too many;
    /// * [`Error::ReplayedMediaPacket`] when the stream's sequence number was used, or is 128 or more behind;
    /// * [`Error::CallKeyExhausted`] after 2^48 packets.
    ///
    /// Nothing has changed then.
    pub fn protect_rtp(&mut self, packet: &mut [u8], length: usize) -> Result<usize, Error> {
        let (packet, rest) = packet.split_at_mut_checked(length).ok_or(Error::InvalidArgument)?;
        let tag_length = self.profile.tag.length();
        let room = rest.get_mut(..tag_length).ok_or(Error::InvalidArgument)?;
        let header = self.profile.header.parse(packet)?;
        let (slot, mut stream) = self.streams.find(header.ssrc)?;
        // index = 2^16 * ROC + SEQ, which no packet of the stream has used
        let index = stream.window.estimate(header.sequence, stream.roc)?;
        stream.window.check(index)?;
        self.rtp.apply(packet, &header, index)?;
        // M = header || ciphertext || ROC
        let tag = self.rtp.tag(packet, &roc(index));
        for (to, from) in room.iter_mut().zip(tag) {
            *to = from;
        }
        stream.window.record(index);
        self.streams.put(slot, stream);
        Ok(length.saturating_add(tag_length))
    }
}

/// Verifies and opens one participant's packets. Nothing changes before a packet has verified.
pub struct SrtpReceiver {
    profile: SrtpProfile,
    rtp: PacketCipher,
    streams: Streams,
    pub(super) rtcp: PacketCipher,
    pub(super) rtcp_streams: Streams,
}

impl SrtpReceiver {
    /// A receiver under keys that were agreed on by another way than a call key.
    #[must_use]
    pub fn new(master: &MasterKeys, profile: SrtpProfile) -> Self {
        Self {
            profile,
            rtp: PacketCipher::new(&SessionKeys::rtp(master)),
            streams: Streams::default(),
            rtcp: PacketCipher::new(&SessionKeys::rtcp(master)),
            rtcp_streams: Streams::default(),
        }
    }

    /// Sets the rollover counter that the stream `ssrc` has reached, for who joins late; without this call
    /// it is 0.
    ///
    /// # Errors
    ///
    /// As [`SrtpSender::start_stream`].
    pub fn start_stream(&mut self, ssrc: u32, roc: u32) -> Result<(), Error> {
        self.streams.start(ssrc, roc)
    }

    /// Verifies `packet`, decrypts it in place, and returns the length of the RTP packet, which is `packet`
    /// without its tag.
    ///
    /// # Errors
    ///
    /// * [`Error::CiphertextTooShort`], [`Error::InvalidMediaPacket`] when it is malformed, or of one stream
    ///   too many;
    /// * [`Error::ReplayedMediaPacket`] when it was seen, or is 128 or more packets behind;
    /// * [`Error::Rejected`] when the tag does not fit.
    ///
    /// Nothing has changed then, the bytes of `packet` included.
    pub fn unprotect_rtp(&mut self, packet: &mut [u8]) -> Result<usize, Error> {
        let whole = packet.len();
        let length =
            whole.checked_sub(self.profile.tag.length()).ok_or(Error::CiphertextTooShort(whole))?;
        let (packet, tag) =
            packet.split_at_mut_checked(length).ok_or(Error::CiphertextTooShort(whole))?;
        let header = self.profile.header.parse(packet)?;
        let (slot, mut stream) = self.streams.find(header.ssrc)?;
        let index = self.verify(&stream, &header, packet, tag)?;
        self.rtp.apply(packet, &header, index)?;
        stream.window.record(index);
        self.streams.put(slot, stream);
        Ok(length)
    }

    /// The index under which the tag fits.
    fn verify(
        &self,
        stream: &Stream,
        header: &RtpHeader,
        packet: &[u8],
        tag: &[u8],
    ) -> Result<u64, Error> {
        let index = stream.window.estimate(header.sequence, stream.roc)?;
        stream.window.check(index)?;
        if self.rtp.fits(packet, &roc(index), tag) {
            return Ok(index);
        }
        // Before the first packet the counter is only believed: where the stream began just before its
        // sequence number went round, and those packets were lost, it is one further.
        if stream.window.is_empty() && header.sequence < 0x8000 {
            let next = index.saturating_add(1 << 16);
            if self.rtp.fits(packet, &roc(next), tag) {
                return Ok(next);
            }
        }
        Err(Error::Rejected)
    }
}

impl zeroize::ZeroizeOnDrop for SrtpSender {}
impl zeroize::ZeroizeOnDrop for SrtpReceiver {}

impl fmt::Debug for SrtpSender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SrtpSender").field("profile", &self.profile).finish_non_exhaustive()
    }
}

impl fmt::Debug for SrtpReceiver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SrtpReceiver").field("profile", &self.profile).finish_non_exhaustive()
    }
}

/// Session keys, expanded. Its parts wipe themselves.
pub(super) struct PacketCipher {
    cipher: Aes128Ctr,
    auth: HmacSha1Key,
    salt: Secret<14>,
}

impl PacketCipher {
    fn new(keys: &SessionKeys) -> Self {
        Self {
            cipher: Aes128Ctr::new(keys.cipher_key()),
            auth: HmacSha1Key::new(keys.auth_key().expose()),
            salt: keys.salt().duplicate(),
        }
    }

    /// En- or decrypts what follows the header.
    fn apply(&self, packet: &mut [u8], header: &RtpHeader, index: u64) -> Result<(), Error> {
        let payload = packet.get_mut(header.length..).ok_or(Error::InvalidArgument)?;
        self.apply_at(payload, header.ssrc, index)
    }

    /// En- or decrypts `payload`.
    pub(super) fn apply_at(&self, payload: &mut [u8], ssrc: u32, index: u64) -> Result<(), Error> {
        if payload.len() > PAYLOAD_MAX {
            return Err(Error::InvalidArgument);
        }
        self.cipher.apply(&self.iv(ssrc, index), payload)
    }

    /// `IV = (salt || 00 00) XOR (SSRC at bytes 4..8) XOR (index at bytes 8..14)` (RFC 3711 §4.1.1).
    fn iv(&self, ssrc: u32, index: u64) -> [u8; 16] {
        let [s0, s1, s2, s3] = ssrc.to_be_bytes();
        let [_, _, i0, i1, i2, i3, i4, i5] = index.to_be_bytes();
        let mut iv = [0, 0, 0, 0, s0, s1, s2, s3, i0, i1, i2, i3, i4, i5, 0, 0];
        for (to, salt) in iv.iter_mut().zip(self.salt.expose()) {
            *to ^= salt;
        }
        iv
    }

    /// `HMAC-SHA-1(auth key, packet || suffix)`, to be truncated.
    pub(super) fn tag(&self, packet: &[u8], suffix: &[u8]) -> [u8; 20] {
        self.auth.mac(&[packet, suffix])
    }

    /// Whether `tag` is the beginning of the packet's, in constant time.
    pub(super) fn fits(&self, packet: &[u8], suffix: &[u8], tag: &[u8]) -> bool {
        let expected = self.tag(packet, suffix);
        expected.get(..tag.len()).is_some_and(|expected| expected.ct_eq(tag).into())
    }
}

/// The rollover counter of an index, as the tag covers it.
#[allow(clippy::cast_possible_truncation)] // 32 of 48 bits
const fn roc(index: u64) -> [u8; 4] {
    ((index >> 16) as u32).to_be_bytes()
}

/// The counters of one stream.
#[derive(Clone, Copy, Default)]
pub(super) struct Stream {
    ssrc: u32,
    /// The rollover counter before the first packet.
    roc: u32,
    pub(super) window: IndexWindow,
}

/// The streams of a context, first come, first served.
#[derive(Default)]
pub(super) struct Streams([Option<Stream>; MAX_STREAMS]);

impl Streams {
    /// The stream `ssrc`, or a new one, and its place.
    pub(super) fn find(&self, ssrc: u32) -> Result<(usize, Stream), Error> {
        for (slot, stream) in self.0.iter().enumerate() {
            match stream {
                Some(stream) if stream.ssrc == ssrc => return Ok((slot, *stream)),
                Some(_) => {}
                None => return Ok((slot, Stream { ssrc, ..Stream::default() })),
            }
        }
        Err(Error::InvalidMediaPacket)
    }

    /// Puts a stream back in the place where it was found.
    pub(super) fn put(&mut self, slot: usize, stream: Stream) {
        if let Some(place) = self.0.get_mut(slot) {
            *place = Some(stream);
        }
    }

    fn start(&mut self, ssrc: u32, roc: u32) -> Result<(), Error> {
        let (slot, stream) = self.find(ssrc)?;
        if !stream.window.is_empty() {
            return Err(Error::InvalidArgument);
        }
        self.put(slot, Stream { roc, ..stream });
        Ok(())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use alloc::vec;

    use super::*;

    /// RFC 3711 appendix B.2: the key stream of AES-CM, counters 0, 1, 2 and 65,279 to 65,281.
    #[test]
    fn key_stream_test_vectors_of_the_rfc() {
        let bytes = |text| hex::decode(text).unwrap();
        let cipher = PacketCipher {
            cipher: Aes128Ctr::new(
                &Secret::from_slice(&bytes("2b7e151628aed2a6abf7158809cf4f3c")).unwrap(),
            ),
            auth: HmacSha1Key::new(&[]),
            salt: Secret::from_slice(&bytes("f0f1f2f3f4f5f6f7f8f9fafbfcfd")).unwrap(),
        };
        let mut stream = vec![0; 0xFF02 * 16];
        cipher.apply_at(&mut stream, 0, 0).unwrap();
        let first = "e03ead0935c95e80e166b16dd92b4eb4d23513162b02d0f72a43a2fe4a5f97ab\
                     41e95b3bb0a2e8dd477901e4fca894c0";
        let last = "ec8cdf7398607cb0f2d21675ea9ea1e4362b7c3c6773516318a077d7fc5073ae\
                    6a2cc3787889374fbeb4c81b17ba6c44";
        assert!(stream.starts_with(&bytes(first)));
        assert!(stream.ends_with(&bytes(last)));
        assert_eq!(
            cipher.apply_at(&mut vec![0; PAYLOAD_MAX + 1], 0, 0),
            Err(Error::InvalidArgument)
        );
    }
}
