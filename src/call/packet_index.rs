//! The index of a packet, and which were seen (RFC 3711 §3.3.1, §3.3.2).
//!
//! An RTP packet carries the low 16 bits of its 48-bit index; the upper 32, the rollover counter (ROC), both
//! ends count. The replay window marks which of the last 128 indexes were used.

use crate::error::Error;

/// How many indexes the window spans.
pub(super) const WINDOW: u64 = 128;

/// The highest index so far, and which of the 128 up to it were used.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct IndexWindow {
    highest: Option<u64>,
    /// Bit `n`: `highest - n` was used.
    seen: u128,
}

impl IndexWindow {
    /// Whether an index was recorded yet.
    pub(super) const fn is_empty(&self) -> bool {
        self.highest.is_none()
    }

    /// The index of a packet with this sequence number; before the first packet, `roc` decides.
    ///
    /// # Errors
    ///
    /// [`Error::ReplayedMediaPacket`] when it lies before the first index;
    /// [`Error::CallKeyExhausted`] when it lies behind the last, 2^48 - 1.
    pub(super) fn estimate(&self, sequence: u16, roc: u32) -> Result<u64, Error> {
        let Some(highest) = self.highest else {
            return Ok(index(roc, sequence));
        };
        // s_l, ROC: the highest sequence number, and its rollover counter
        #[allow(clippy::cast_possible_truncation)] // the low 16 bits, and 32 of 48
        let (s_l, roc) = (highest as u16, (highest >> 16) as u32);
        let v = if s_l < 0x8000 {
            if sequence.checked_sub(s_l).is_some_and(|ahead| ahead > 0x8000) {
                roc.checked_sub(1).ok_or(Error::ReplayedMediaPacket)?
            } else {
                roc
            }
        } else if sequence < s_l.saturating_sub(0x8000) {
            roc.checked_add(1).ok_or(Error::CallKeyExhausted)?
        } else {
            roc
        };
        Ok(index(v, sequence))
    }

    /// Whether `index` is new.
    ///
    /// # Errors
    ///
    /// [`Error::ReplayedMediaPacket`] when it was used, or lies below the window.
    pub(super) fn check(&self, index: u64) -> Result<(), Error> {
        let Some(behind) = self.highest.and_then(|highest| highest.checked_sub(index)) else {
            return Ok(());
        };
        if behind >= WINDOW || self.seen >> behind & 1 != 0 {
            return Err(Error::ReplayedMediaPacket);
        }
        Ok(())
    }

    /// Marks an index that was [checked](Self::check) as used.
    pub(super) fn record(&mut self, index: u64) {
        match self.highest.map(|highest| (highest.checked_sub(index), index.abs_diff(highest))) {
            Some((Some(behind), _)) => self.seen |= bit(behind),
            Some((None, ahead)) => {
                let ahead = u32::try_from(ahead).unwrap_or(u32::MAX);
                self.seen = self.seen.checked_shl(ahead).unwrap_or(0) | 1;
                self.highest = Some(index);
            }
            None => {
                self.seen = 1;
                self.highest = Some(index);
            }
        }
    }
}

/// `2^16 * ROC + SEQ`
fn index(roc: u32, sequence: u16) -> u64 {
    u64::from(roc) << 16 | u64::from(sequence)
}

fn bit(position: u64) -> u128 {
    u32::try_from(position).ok().and_then(|position| 1u128.checked_shl(position)).unwrap_or(0)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn the_index_is_guessed_as_the_rfc_says() {
        let at = |highest| IndexWindow { highest: Some(highest), seen: 1 };
        assert_eq!(IndexWindow::default().estimate(7, 3), Ok(0x3_0007));
        for (highest, sequence, guess) in [
            (0x1_0000, 0xFFFF, 0x0_FFFF),
            (0x1_0000, 0x8000, 0x1_8000),
            (0x1_0000, 0x8001, 0x0_8001),
            (0x1_7FFF, 0xFFFF, 0x1_FFFF),
            (0x1_8000, 0x0000, 0x1_0000),
            (0x1_8001, 0x0000, 0x2_0000),
            (0x1_FFFF, 0x0000, 0x2_0000),
            (0x1_FFFF, 0x7FFE, 0x2_7FFE),
            (0x1_FFFF, 0x7FFF, 0x1_7FFF),
        ] {
            assert_eq!(at(highest).estimate(sequence, 9), Ok(guess), "{highest:x} {sequence:x}");
        }
        assert_eq!(at(0).estimate(0xFFFF, 0), Err(Error::ReplayedMediaPacket));
        let last = 0xFFFF_FFFF_FFFF;
        assert_eq!(at(last).estimate(0, 0), Err(Error::CallKeyExhausted));
        assert_eq!(at(last).estimate(0xFFFE, 0), Ok(last - 1));
    }

    #[test]
    fn an_index_is_new_once_and_within_the_window_only() {
        let mut window = IndexWindow::default();
        window.record(1000);
        assert!(!window.is_empty());
        window.record(1100);
        assert_eq!(window.check(1000), Err(Error::ReplayedMediaPacket));
        assert_eq!(window.check(1001), Ok(()));
        assert_eq!(window.check(1100 - 127), Ok(()));
        assert_eq!(window.check(1100 - 128), Err(Error::ReplayedMediaPacket));
        window.record(1100 - 127);
        assert_eq!(window.check(1100 - 127), Err(Error::ReplayedMediaPacket));
        window.record(u64::MAX);
        assert_eq!(window.check(u64::MAX - 1), Ok(()));
        assert_eq!(window.check(u64::MAX), Err(Error::ReplayedMediaPacket));
        assert_eq!(window.check(1100), Err(Error::ReplayedMediaPacket));
    }
}
