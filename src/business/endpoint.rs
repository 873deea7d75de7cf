//! Addresses of hosted devices (spec 22 §5), in the form in which stores keep them (spec 20 §2).

use alloc::format;
use alloc::string::String;

use crate::address::Address;
use crate::jid::HOSTED_DEVICE;

/// What marks the names of hosted devices of a phone number, and of a LID.
const HOSTED: &str = "_128";
const HOSTED_LID: &str = "_129";
const LID: &str = "_1";

/// Whether the device at `address` is hosted by somebody else than the account's owner: its name is one
/// of the servers `hosted` and `hosted.lid`, or it is device 99 (spec 22 §5). As
/// [`Jid::is_hosted`](crate::Jid::is_hosted), for the address that a store has.
#[must_use]
pub fn is_hosted(address: &Address) -> bool {
    let name = address.name();
    address.device() == HOSTED_DEVICE || name.ends_with(HOSTED) || name.ends_with(HOSTED_LID)
}

/// The name under which the status of a device's user is kept: the name of the address, as that of the
/// user's own devices where it is a hosted one's. Phone number and LID of a user are two names.
#[must_use]
pub fn hosting_name(address: &Address) -> String {
    let name = address.name();
    match (name.strip_suffix(HOSTED), name.strip_suffix(HOSTED_LID)) {
        (Some(user), _) => user.into(),
        (_, Some(user)) => format!("{user}{LID}"),
        _ => name.into(),
    }
}
