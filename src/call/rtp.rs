//! How much of a media packet is header (RFC 3550 §5.1, §5.3.1).

use crate::error::Error;

/// Length of the fixed part of the header, in bytes.
const FIXED_LENGTH: usize = 12;

/// What SRTP needs of a packet's header.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RtpHeader {
    /// The sequence number.
    pub sequence: u16,
    /// The stream.
    pub ssrc: u32,
    /// Length in bytes, contributing sources and extension included. So much stays readable.
    pub length: usize,
}

impl RtpHeader {
    /// Parses the header of `packet`.
    ///
    /// # Errors
    ///
    /// [`Error::CiphertextTooShort`] when the packet ends within its header;
    /// [`Error::InvalidMediaPacket`] when its version is not 2.
    pub fn parse(packet: &[u8]) -> Result<Self, Error> {
        let header = Self::fixed(packet)?;
        let [first, ..] = packet else { return Err(Error::CiphertextTooShort(packet.len())) };
        // CC: four bytes for each contributing source
        let sources = usize::from(first & 0x0F).saturating_mul(4);
        let mut length = header.length.saturating_add(sources);
        // X: two bytes of profile, two of length in words, then so many words
        if first & 0x10 != 0 {
            let extension = packet.get(length..).unwrap_or_default();
            let [_, _, high, low, ..] = extension else {
                return Err(Error::CiphertextTooShort(packet.len()));
            };
            let words = usize::from(u16::from_be_bytes([*high, *low]));
            length = length.saturating_add(4).saturating_add(words.saturating_mul(4));
        }
        if length > packet.len() {
            return Err(Error::CiphertextTooShort(packet.len()));
        }
        Ok(Self { length, ..header })
    }

    /// The fixed 12 bytes alone.
    fn fixed(packet: &[u8]) -> Result<Self, Error> {
        let Some((fixed, _)) = packet.split_first_chunk::<FIXED_LENGTH>() else {
            return Err(Error::CiphertextTooShort(packet.len()));
        };
        let [first, _, s0, s1, _, _, _, _, ssrc @ ..] = *fixed;
        if first >> 6 != 2 {
            return Err(Error::InvalidMediaPacket);
        }
        let sequence = u16::from_be_bytes([s0, s1]);
        Ok(Self { sequence, ssrc: u32::from_be_bytes(ssrc), length: FIXED_LENGTH })
    }
}

/// Where encryption begins.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum RtpHeaderRule {
    /// After the whole header, contributing sources and extension included, as RFC 3711 §3.1 says.
    #[default]
    Whole,
    /// After the fixed 12 bytes, whatever their flags say. The test data of spec 23 §8 is made so: its
    /// packets have the extension flag, and no extension.
    Fixed,
}

impl RtpHeaderRule {
    pub(super) fn parse(self, packet: &[u8]) -> Result<RtpHeader, Error> {
        match self {
            Self::Whole => RtpHeader::parse(packet),
            Self::Fixed => RtpHeader::fixed(packet),
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::arithmetic_side_effects)]
mod tests {
    use alloc::vec;

    use super::*;

    #[test]
    fn sources_and_extension_belong_to_the_header() {
        let mut packet = vec![0; 40];
        packet[..12].copy_from_slice(&[0x80, 96, 1, 2, 0, 0, 0, 0, 9, 8, 7, 6]);
        let plain = RtpHeader::parse(&packet).unwrap();
        assert_eq!(plain, RtpHeader { sequence: 0x0102, ssrc: 0x0908_0706, length: 12 });
        packet[0] = 0x83;
        assert_eq!(RtpHeader::parse(&packet).unwrap().length, 24);
        packet[0] = 0x93;
        packet[26..28].copy_from_slice(&[0, 3]);
        assert_eq!(RtpHeader::parse(&packet).unwrap().length, 40);
        assert_eq!(RtpHeaderRule::Fixed.parse(&packet).unwrap().length, 12);
        packet[27] = 4;
        assert_eq!(RtpHeader::parse(&packet), Err(Error::CiphertextTooShort(40)));
        packet[26..28].copy_from_slice(&[0xFF, 0xFF]);
        assert_eq!(RtpHeader::parse(&packet), Err(Error::CiphertextTooShort(40)));
        for length in 0..28 {
            let short = RtpHeader::parse(&packet[..length]);
            assert_eq!(short, Err(Error::CiphertextTooShort(length)));
        }
        for version in [0x00, 0x40, 0xC0] {
            packet[0] = version;
            assert_eq!(RtpHeader::parse(&packet), Err(Error::InvalidMediaPacket));
        }
    }
}
