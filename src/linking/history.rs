//! From whom history, peer messages and keys of the app state may come (spec 22 §9, §10).
//!
//! The sender is the address whose session has decrypted the message, never one that a message names. The
//! content of a history blob is zlib-compressed: the application inflates it, with a cap on its size.

use crate::address::DeviceId;
use crate::jid::{Jid, Server};

/// Whether `sender` is our own primary, from which alone history is accepted: device 0 of one of `own`, the
/// addresses of this account (a phone number and a LID, of any device).
#[must_use]
pub fn is_own_primary(sender: &Jid, own: &[Jid]) -> bool {
    sender.device() == DeviceId::PRIMARY && is_own_device(sender, own)
}

/// Whether `sender` is one of our own devices, hosted ones apart: messages of category `peer` are accepted
/// from these alone.
#[must_use]
pub fn is_own_device(sender: &Jid, own: &[Jid]) -> bool {
    let person = matches!(sender.server(), Server::PhoneNumber | Server::Lid);
    person
        && !sender.is_hosted()
        && own.iter().any(|own| own.user() == sender.user() && own.server() == sender.server())
}
