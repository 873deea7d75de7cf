//! The root key as a user writes it down: 64 hexadecimal digits in groups of four (spec 24 §2).

use alloc::string::String;
use core::fmt;

use subtle::{Choice, ConstantTimeEq};
use zeroize::Zeroizing;

use super::BackupKey;
use crate::error::Error;
use crate::secret::Secret;

const DIGITS: usize = 64;
const GROUP: usize = 4;

/// The 64 digits in lower case, groups of four with a blank between them: 79 characters. Wiped when
/// dropped, opaque in `Debug`.
pub struct BackupKeyDigits(Zeroizing<String>);

impl BackupKeyDigits {
    /// The text, to be shown to the user.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for BackupKeyDigits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("BackupKeyDigits(..)")
    }
}

impl BackupKey {
    /// The key as 64 digits for the user.
    #[must_use]
    pub fn digits(&self) -> BackupKeyDigits {
        let mut text = Zeroizing::new(String::with_capacity(DIGITS + DIGITS / GROUP));
        for (at, byte) in self.secret().expose().iter().enumerate() {
            if at > 0 && at.is_multiple_of(GROUP / 2) {
                text.push(' ');
            }
            text.push(char::from(digit(byte >> 4)));
            text.push(char::from(digit(byte & 0x0F)));
        }
        BackupKeyDigits(text)
    }

    /// Reads the 64 digits back: blanks of any kind are ignored, upper case is accepted. What a digit is
    /// decides neither a branch nor an index.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidBackupKey`] unless there are exactly 64 hexadecimal digits and nothing else.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let mut key = Secret::zero();
        let mut bad = Choice::from(0);
        let mut digits = text.chars().filter(|c| !c.is_whitespace());
        for byte in key.expose_mut() {
            for _ in 0..2 {
                let c = digits.next().ok_or(Error::InvalidBackupKey)?;
                // beyond ASCII there is no digit: 0xFF is none either
                let (value, is_digit) = value(u8::try_from(c).unwrap_or(0xFF));
                *byte = *byte << 4 | value;
                bad |= !is_digit;
            }
        }
        if digits.next().is_some() || bad.into() {
            return Err(Error::InvalidBackupKey);
        }
        Ok(Self::new(key))
    }
}

/// The lower-case digit of 0 to 15, without a branch or a table.
const fn digit(value: u8) -> u8 {
    // all ones where the value is above 9
    let letter = 9_u8.wrapping_sub(value) >> 7;
    let letter = 0_u8.wrapping_sub(letter);
    value.wrapping_add(b'0').wrapping_add(letter & (b'a' - b'0' - 10))
}

/// The value of a digit in either case, and whether it is one.
fn value(c: u8) -> (u8, Choice) {
    let within = |c: u8, low: u8, high: u8| {
        // both differences are below 2^15 exactly where the character is within
        let low = u16::from(c).wrapping_sub(u16::from(low));
        let high = u16::from(high).wrapping_sub(u16::from(c));
        ((low | high) >> 15).ct_eq(&0)
    };
    let lower = c | 0x20;
    let decimal = within(c, b'0', b'9');
    let letter = within(lower, b'a', b'f');
    let mask = |choice: Choice| 0_u8.wrapping_sub(choice.unwrap_u8());
    let value = mask(decimal) & c.wrapping_sub(b'0')
        | mask(letter) & lower.wrapping_sub(b'a').wrapping_add(10);
    (value, decimal | letter)
}
