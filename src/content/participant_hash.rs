//! The participant hash, `phash` version 2: by it the server sees whether the sender knew all devices (spec 20 §5).

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use base64ct::{Base64Unpadded, Encoding};

use crate::crypto::hash::Sha256Stream;
use crate::jid::Jid;

/// Bytes of the hash that are kept.
const LENGTH: usize = 6;
/// Their base64 text.
const TEXT_LENGTH: usize = 8;

/// `2:` and eight characters for a set of devices: all to which a message was encrypted and the one that sends; or all
/// of one account, to check a notification about its devices. The order does not matter, a device counts once.
///
/// For a group or a broadcast list, see [`group_participant_hash`].
pub fn participant_hash<'a>(devices: impl IntoIterator<Item = &'a Jid>) -> String {
    // 1. canonical texts; 2. sorted by bytes; a set has no element twice
    let mut texts: Vec<_> = devices.into_iter().map(canonical_text).collect();
    texts.sort_unstable();
    texts.dedup();
    if texts.is_empty() {
        return String::from("2:");
    }
    // 3. SHA-256 of all without a separator, its first 6 bytes, in base64
    let mut hash = Sha256Stream::new();
    for text in &texts {
        hash.update(text.as_bytes());
    }
    let hash = hash.finish();
    let mut buffer = [0; TEXT_LENGTH];
    let kept = hash.get(..LENGTH).unwrap_or_default();
    // 6 bytes are 8 characters
    let text = Base64Unpadded::encode(kept, &mut buffer).unwrap_or_default();
    // 4. the version
    format!("2:{text}")
}

/// The participant hash of a message to a group, to a broadcast list or to the status: hosted devices are left out, for
/// they get no sender key.
pub fn group_participant_hash<'a>(devices: impl IntoIterator<Item = &'a Jid>) -> String {
    participant_hash(devices.into_iter().filter(|device| !device.is_hosted()))
}

/// `user.0:device@server`, or the server alone.
fn canonical_text(jid: &Jid) -> String {
    let server = jid.server().as_str();
    if jid.user().is_empty() {
        return String::from(server);
    }
    format!("{}.0:{}@{server}", jid.user(), jid.device())
}
