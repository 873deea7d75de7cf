//! Linking devices to an account, and verifying the devices of others (spec 22, spec 09 §4).
//!
//! In the WhatsApp family every device has its own identity key. The phone, device 0, is the *primary*; it
//! vouches for its *companions*, and each companion vouches for its account. Before encrypting to a companion
//! a sender verifies both signatures ([`VerifiedCompanion`]); which companions there are is a list that the
//! primary signs ([`DeviceList`]). [`Device`](crate::Device) does both when its
//! [`CompanionPolicy`](crate::protocol::CompanionPolicy) says so.
//!
//! | to | use |
//! |---|---|
//! | link a companion, as the primary | [`LinkingQr::parse`] or [`CodePrimary`], then [`Primary::link`] and [`AwaitingCompanion::finish`] |
//! | be linked, as a companion | [`AwaitingPrimary`] and [`LinkingQr`], or [`CodeCompanion`], then [`AwaitingPrimary::accept`] |
//! | link in the Signal family | [`ProvisioningDevice`], [`seal_provision_message`] |
//! | verify a companion, keep a device list | [`VerifiedCompanion`], [`DeviceList`]; over a store, [`Device`](crate::Device) |
//!
//! | file | what |
//! |---|---|
//! | `encryption_type`, `device_identity`, `signed_device_identity`, `signed_device_identity_hmac`, `key_index_list` | the objects, under the names of the specification |
//! | `decisions` | the four decisions between end-to-end encrypted and hosted |
//! | `account_key`, `verify` | who vouches, and whether it holds |
//! | `device_list` | the devices of an account |
//! | `request`, `primary`, `companion`, `qr` | linking by QR code |
//! | `code`, `code_bundle`, `code_primary`, `code_companion` | linking by an 8-character code |
//! | `passkey` | linking with a passkey (feature `passkey-linking`) |
//! | `history` | from whom history is accepted |
//! | `provisioning`, `provision_message` | linking in the Signal family |

mod account_key;
mod code;
mod code_bundle;
mod code_companion;
mod code_primary;
mod companion;
mod decisions;
mod device_identity;
mod device_list;
mod encryption_type;
mod history;
mod key_index_list;
#[cfg(feature = "passkey-linking")]
pub mod passkey;
mod primary;
mod provision_message;
mod provisioning;
mod qr;
mod request;
mod signed_device_identity;
mod signed_device_identity_hmac;
mod verify;

pub use account_key::AccountKey;
pub use code::{LinkingCode, WrappedKey};
pub use code_companion::{ANSWERS_MAX, CODE_LIFETIME, CodeAnswered, CodeCompanion};
pub use code_primary::CodePrimary;
pub use companion::{AwaitingPrimary, LinkedCompanion};
pub use device_identity::DeviceIdentity;
pub use device_list::{
    Companion, DeviceList, DeviceListChange, LIST_LIFETIME, ListedCompanion, OUTDATED_LIST_LIFETIME,
};
pub use encryption_type::EncryptionType;
pub use history::{is_own_device, is_own_primary};
pub use key_index_list::{KEY_INDEXES_MAX, KeyIndexList, SignedKeyIndexList};
pub use primary::{AwaitingCompanion, Linking, LinkingKind, Primary};
pub use provision_message::ProvisionMessage;
pub use provisioning::{
    ProvisioningDevice, ProvisioningUrl, parse_provisioning_address, seal_provision_message,
};
pub use qr::{LinkingQr, QR_URL};
pub use request::LinkingRequest;
pub use signed_device_identity::SignedDeviceIdentity;
pub use signed_device_identity_hmac::SignedDeviceIdentityHmac;
pub use verify::VerifiedCompanion;

use crate::error::Error;

/// A key of 32 raw bytes; empty counts as absent.
fn raw_key(bytes: &[u8]) -> Result<Option<&[u8; 32]>, Error> {
    if bytes.is_empty() {
        return Ok(None);
    }
    bytes.try_into().map(Some).map_err(|_| Error::BadKeyLength(bytes.len()))
}
