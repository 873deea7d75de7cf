//! Control packets: `header 8 || ciphertext || E flag and 31-bit index || tag 10` (RFC 3711 §3.4).

use super::{SrtpReceiver, SrtpSender};
use crate::error::Error;

/// What protection adds to a control packet, in bytes.
pub const SRTCP_OVERHEAD: usize = INDEX_LENGTH + TAG_LENGTH;

/// Version, count, type, length and SSRC, which stay readable.
const HEADER_LENGTH: usize = 8;
const INDEX_LENGTH: usize = 4;
const TAG_LENGTH: usize = 10;
/// The E flag: the packet is encrypted.
const ENCRYPTED: u32 = 1 << 31;

impl SrtpSender {
    /// Protects the first `length` bytes of `packet`, a whole (compound) RTCP packet, in place, appends index
    /// and tag, and returns the length of all. `packet` has room for [`SRTCP_OVERHEAD`] more bytes.
    ///
    /// # Errors
    ///
    /// * [`Error::InvalidArgument`] when `packet` is too short, or longer than 1 MiB;
    /// * [`Error::CiphertextTooShort`], [`Error::InvalidMediaPacket`] for a malformed header;
    /// * [`Error::CallKeyExhausted`] after 2^31 packets: the index must not wrap.
    ///
    /// Nothing has changed then.
    pub fn protect_rtcp(&mut self, packet: &mut [u8], length: usize) -> Result<usize, Error> {
        let index = self.rtcp_next;
        if index >= ENCRYPTED {
            return Err(Error::CallKeyExhausted);
        }
        let (packet, rest) = packet.split_at_mut_checked(length).ok_or(Error::InvalidArgument)?;
        let room = rest.get_mut(..SRTCP_OVERHEAD).ok_or(Error::InvalidArgument)?;
        let ssrc = ssrc(packet)?;
        let payload = packet.get_mut(HEADER_LENGTH..).unwrap_or_default();
        self.rtcp.apply_at(payload, ssrc, u64::from(index))?;
        // M = header || ciphertext || E || index
        let trailer = (ENCRYPTED | index).to_be_bytes();
        let tag = self.rtcp.tag(packet, &trailer);
        for (to, from) in room.iter_mut().zip(trailer.iter().chain(&tag)) {
            *to = *from;
        }
        self.rtcp_next = index.saturating_add(1);
        Ok(length.saturating_add(SRTCP_OVERHEAD))
    }
}

impl SrtpReceiver {
    /// Verifies `packet`, decrypts it in place, and returns the length of the RTCP packet, which is `packet`
    /// without index and tag.
    ///
    /// # Errors
    ///
    /// * [`Error::CiphertextTooShort`], [`Error::InvalidMediaPacket`] when it is malformed, says that it is
    ///   not encrypted, or is of one stream too many;
    /// * [`Error::ReplayedMediaPacket`] when it was seen, or is 128 or more packets behind;
    /// * [`Error::Rejected`] when the tag does not fit.
    ///
    /// Nothing has changed then, the bytes of `packet` included.
    pub fn unprotect_rtcp(&mut self, packet: &mut [u8]) -> Result<usize, Error> {
        let whole = packet.len();
        let too_short = Error::CiphertextTooShort(whole);
        let length = whole.checked_sub(SRTCP_OVERHEAD).ok_or(too_short)?;
        let (packet, rest) = packet.split_at_mut_checked(length).ok_or(too_short)?;
        let (trailer, tag) = rest.split_first_chunk::<INDEX_LENGTH>().ok_or(too_short)?;
        let ssrc = ssrc(packet)?;
        let word = u32::from_be_bytes(*trailer);
        if word & ENCRYPTED == 0 {
            return Err(Error::InvalidMediaPacket);
        }
        let index = u64::from(word ^ ENCRYPTED);
        let (slot, mut stream) = self.rtcp_streams.find(ssrc)?;
        stream.window.check(index)?;
        if !self.rtcp.fits(packet, trailer, tag) {
            return Err(Error::Rejected);
        }
        let payload = packet.get_mut(HEADER_LENGTH..).unwrap_or_default();
        self.rtcp.apply_at(payload, ssrc, index)?;
        stream.window.record(index);
        self.rtcp_streams.put(slot, stream);
        Ok(length)
    }
}

/// The stream that a control packet's sender names.
fn ssrc(packet: &[u8]) -> Result<u32, Error> {
    let Some((header, _)) = packet.split_first_chunk::<HEADER_LENGTH>() else {
        return Err(Error::CiphertextTooShort(packet.len()));
    };
    let [first, _, _, _, ssrc @ ..] = *header;
    if first >> 6 != 2 {
        return Err(Error::InvalidMediaPacket);
    }
    Ok(u32::from_be_bytes(ssrc))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::super::{MasterKeys, SrtpProfile};
    use super::*;
    use crate::secret::Secret;

    #[test]
    fn the_index_does_not_wrap() {
        let master = MasterKeys::new(Secret::zero(), Secret::zero());
        let mut sender = SrtpSender::new(&master, SrtpProfile::default());
        let mut receiver = SrtpReceiver::new(&master, SrtpProfile::default());
        sender.rtcp_next = ENCRYPTED - 1;
        let mut packet = [0x80; HEADER_LENGTH + SRTCP_OVERHEAD];
        assert_eq!(sender.protect_rtcp(&mut packet, HEADER_LENGTH), Ok(packet.len()));
        assert_eq!(receiver.unprotect_rtcp(&mut packet), Ok(HEADER_LENGTH));
        let before = packet;
        for _ in 0..2 {
            let refused = sender.protect_rtcp(&mut packet, HEADER_LENGTH);
            assert_eq!(refused, Err(Error::CallKeyExhausted));
        }
        assert_eq!(packet, before);
    }
}
