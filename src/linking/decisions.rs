//! The four independent decisions between end-to-end encrypted and hosted, and the prefix of key-index
//! lists (spec 22 §3).
//!
//! Each looks at something else. One flag for all of them fails for a business that uses its phone and a
//! cloud at once, so nothing else in the crate may choose one of these prefixes.

use super::{AccountKey, EncryptionType};
use crate::jid::Jid;

/// Account signature.
const ACCOUNT: [u8; 2] = [6, 0];
/// Device signature.
const DEVICE: [u8; 2] = [6, 1];
/// Key-index list.
const KEY_INDEX_LIST: [u8; 2] = [6, 2];
/// Account signature, hosted. Also what precedes the pairing MAC's input.
const ACCOUNT_HOSTED: [u8; 2] = [6, 5];
/// Device signature, hosted.
const DEVICE_HOSTED: [u8; 2] = [6, 6];
/// Key-index list, hosted.
const KEY_INDEX_LIST_HOSTED: [u8; 2] = [6, 7];

/// Decision 1: what precedes the input of the pairing MAC goes by the account type of the **outer**
/// `ADVSignedDeviceIdentityHMAC`.
pub(super) const fn pairing_mac_prefix(outer_account_type: EncryptionType) -> &'static [u8] {
    if outer_account_type.is_e2ee() { &[] } else { &ACCOUNT_HOSTED }
}

/// Decision 2: the prefix of the account's signature goes by the device type of the **inner**
/// `ADVDeviceIdentity`.
pub(super) const fn account_signature_prefix(inner_device_type: EncryptionType) -> [u8; 2] {
    if inner_device_type.is_e2ee() { ACCOUNT } else { ACCOUNT_HOSTED }
}

/// Decision 3: a companion that makes its own signature always uses the same prefix.
pub(super) const fn own_device_signature_prefix() -> [u8; 2] {
    DEVICE
}

/// Decision 4: the prefix of a device signature that was fetched goes by the **address** for which it was
/// fetched.
pub(super) fn fetched_device_signature_prefix(address: &Jid) -> [u8; 2] {
    if address.is_hosted() { DEVICE_HOSTED } else { DEVICE }
}

/// The prefix of a key-index list goes by who signs it.
pub(super) const fn key_index_list_prefix(signer: &AccountKey) -> [u8; 2] {
    match signer {
        AccountKey::Primary(_) => KEY_INDEX_LIST,
        AccountKey::Hosting(_) => KEY_INDEX_LIST_HOSTED,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::keys::PublicKey;

    const HOSTED_LIKE: [EncryptionType; 3] =
        [EncryptionType::Hosted, EncryptionType::NonE2ee, EncryptionType::Unknown(7)];

    #[test]
    fn the_pairing_mac_goes_by_the_outer_account_type() {
        assert_eq!(pairing_mac_prefix(EncryptionType::E2ee), [0_u8; 0]);
        for hosted in HOSTED_LIKE {
            assert_eq!(pairing_mac_prefix(hosted), [6, 5]);
        }
    }

    #[test]
    fn the_account_signature_goes_by_the_inner_device_type() {
        assert_eq!(account_signature_prefix(EncryptionType::E2ee), [6, 0]);
        for hosted in HOSTED_LIKE {
            assert_eq!(account_signature_prefix(hosted), [6, 5]);
        }
    }

    #[test]
    fn the_own_device_signature_is_always_the_same() {
        assert_eq!(own_device_signature_prefix(), [6, 1]);
    }

    #[test]
    fn the_fetched_device_signature_goes_by_the_address() {
        for (address, prefix) in [
            ("1@s.whatsapp.net", [6, 1]),
            ("1:5@lid", [6, 1]),
            ("1:99@s.whatsapp.net", [6, 6]),
            ("1:99@lid", [6, 6]),
            ("1:99@hosted", [6, 6]),
            ("1:3@hosted.lid", [6, 6]),
        ] {
            let address = Jid::parse(address).unwrap();
            assert_eq!(fetched_device_signature_prefix(&address), prefix, "{address}");
        }
    }

    #[test]
    fn the_key_index_list_goes_by_who_signs() {
        let key = PublicKey::from_raw([9; 32]);
        assert_eq!(key_index_list_prefix(&AccountKey::Primary(key)), [6, 2]);
        assert_eq!(key_index_list_prefix(&AccountKey::Hosting(key)), [6, 7]);
    }
}
