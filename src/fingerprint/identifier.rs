//! The phone-number identifier of a security code (spec 25 §2).

use alloc::string::{String, ToString};

/// The identifier of a phone number: its country code and its last digits, at most six.
///
/// `user` is the user part of the JID, `jid` its full text, which is the identifier where the user
/// is not a number of sufficient length. For a LID the identifier is the user part itself.
#[must_use]
pub fn pn_identifier(user: &str, jid: &str) -> String {
    // ^(country code)\d*?(\d{4,6})$
    let Some((country, rest)) = country_code(user) else {
        return jid.to_string();
    };
    if rest.len() < 4 || !user.bytes().all(|byte| byte.is_ascii_digit()) {
        return jid.to_string();
    }
    let subscriber = rest.get(rest.len().saturating_sub(6)..).unwrap_or(rest);
    let mut identifier = String::with_capacity(country.len().saturating_add(subscriber.len()));
    identifier.push_str(country);
    identifier.push_str(subscriber);
    identifier
}

/// `[17]|2[07]|3[0123469]|4[013456789]|5[12345678]|6[0123456]|8[1246]|9[0123458]|\d{3}`
fn country_code(user: &str) -> Option<(&str, &str)> {
    let length = match user.as_bytes() {
        [b'1' | b'7', ..] => 1,
        [b'2', b'0' | b'7', ..]
        | [b'3', b'0' | b'1' | b'2' | b'3' | b'4' | b'6' | b'9', ..]
        | [b'4', b'0' | b'1' | b'3'..=b'9', ..]
        | [b'5', b'1'..=b'8', ..]
        | [b'6', b'0'..=b'6', ..]
        | [b'8', b'1' | b'2' | b'4' | b'6', ..]
        | [b'9', b'0'..=b'5' | b'8', ..] => 2,
        _ => 3,
    };
    user.split_at_checked(length)
}
