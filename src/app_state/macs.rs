//! The MACs of patch and snapshot (spec 26 §4).

use super::{CollectionName, LtHash, MutationKeys, ValueMac};
use crate::crypto::kdf::{self, HmacKey};

/// `HMAC-SHA-256(snapshotMacKey, state || u64be(version) || collection name)`.
#[must_use]
pub fn snapshot_mac(
    keys: &MutationKeys,
    state: &LtHash,
    version: u64,
    name: CollectionName,
) -> [u8; 32] {
    let parts: [&[u8]; 3] = [&state.to_bytes(), &version.to_be_bytes(), name.as_str().as_bytes()];
    kdf::hmac(keys.snapshot_mac().expose(), &parts).into_bytes()
}

/// `HMAC-SHA-256(patchMacKey, snapshotMac || valueMacs || u64be(version) || collection name)`, the value
/// MACs in the order of the mutations.
#[must_use]
pub fn patch_mac<'a>(
    keys: &MutationKeys,
    snapshot_mac: &[u8; 32],
    value_macs: impl IntoIterator<Item = &'a ValueMac>,
    version: u64,
    name: CollectionName,
) -> [u8; 32] {
    let mut mac = HmacKey::new(keys.patch_mac().expose()).stream();
    mac.update(snapshot_mac);
    value_macs.into_iter().for_each(|value| mac.update(value));
    mac.update(&version.to_be_bytes());
    mac.update(name.as_str().as_bytes());
    mac.finish()
}
