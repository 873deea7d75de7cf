//! The sum over all values of a collection (spec 26 §3): adding and removing in any order.

use core::fmt;

use super::ValueMac;
use crate::crypto::kdf;
use crate::secret::Secret;

/// 64 numbers of 16 bits; in bytes little-endian. Starts at zero.
///
/// Two devices with the same values have the same sum, whatever the order of their changes.
#[derive(Clone, PartialEq, Eq)]
pub struct LtHash([u16; 64]);

impl LtHash {
    /// Length of the encoding in bytes.
    pub const LENGTH: usize = 128;

    /// The sum of nothing.
    #[must_use]
    pub const fn new() -> Self {
        Self([0; 64])
    }

    /// Reads the 128 bytes.
    #[must_use]
    pub fn from_bytes(bytes: &[u8; Self::LENGTH]) -> Self {
        let mut sum = [0; 64];
        for (to, pair) in sum.iter_mut().zip(bytes.as_chunks::<2>().0) {
            *to = u16::from_le_bytes(*pair);
        }
        Self(sum)
    }

    /// The 128 bytes.
    #[must_use]
    pub fn to_bytes(&self) -> [u8; Self::LENGTH] {
        let mut bytes = [0; Self::LENGTH];
        for (pair, number) in bytes.as_chunks_mut::<2>().0.iter_mut().zip(self.0) {
            *pair = number.to_le_bytes();
        }
        bytes
    }

    /// Adds a value. state\[i\] = state\[i\] + e\[i\] mod 65536.
    pub fn add(&mut self, value: &ValueMac) {
        self.zip(value, u16::wrapping_add);
    }

    /// Takes a value away. state\[i\] = state\[i\] - e\[i\] mod 65536.
    pub fn subtract(&mut self, value: &ValueMac) {
        self.zip(value, u16::wrapping_sub);
    }

    fn zip(&mut self, value: &ValueMac, with: fn(u16, u16) -> u16) {
        // expand(m) = HKDF(m, 0s, "WhatsApp Patch Integrity", 128)
        let info: &[u8] = b"WhatsApp Patch Integrity";
        let e: Secret<{ Self::LENGTH }> = kdf::hkdf(None, value, &[info]);
        for (number, other) in self.0.iter_mut().zip(Self::from_bytes(e.expose()).0) {
            *number = with(*number, other);
        }
    }
}

impl Default for LtHash {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for LtHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LtHash(")?;
        self.to_bytes().iter().take(8).try_for_each(|byte| write!(f, "{byte:02x}"))?;
        f.write_str("..)")
    }
}
