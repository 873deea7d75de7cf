//! Digits of a fingerprint (spec 07 §2, spec 25 §1).

use alloc::string::String;
use core::fmt::Write;

/// 30 digits: the first 30 bytes as six 40-bit big-endian numbers, each modulo 100,000.
pub(super) fn digits(fingerprint: &[u8; 64]) -> String {
    let mut text = String::with_capacity(30);
    for group in fingerprint.as_chunks::<5>().0.iter().take(6) {
        let number = group.iter().fold(0u64, |number, byte| number << 8 | u64::from(*byte));
        // writing to a String does not fail
        let _ = write!(text, "{:05}", number % 100_000);
    }
    text
}

/// Both parties' digits, the smaller first.
pub(super) fn join(a: String, b: String) -> String {
    let (mut first, second) = if a <= b { (a, b) } else { (b, a) };
    first.push_str(&second);
    first
}
