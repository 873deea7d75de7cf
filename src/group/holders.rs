//! Who holds this device's sender key, and how that is stored, under [`RecordKey::Group`].
//!
//! `version (1) ‖ rotation due (1, 0 or 1) ‖ holder ‖ …`, holders in the order of their addresses:
//!
//! | bytes | what |
//! |---|---|
//! | 2 | length of the name, big-endian |
//! | | name |
//! | 1 | device |
//! | 1 | 0, or 1 if the key is to be sent again |
//! | 1 | how often it was asked for again |
//! | 33 | identity key for which the key was encrypted |
//!
//! [`RecordKey::Group`]: crate::store::RecordKey::Group

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use crate::address::{Address, DeviceId};
use crate::error::Error;
use crate::keys::{IdentityKey, PublicKey};

/// The version of this encoding, its first byte.
const VERSION: u8 = 1;

/// How often one device may ask for the same key again. A device that goes on asking is broken, or wants
/// to keep us busy; it gets the next key.
pub(super) const MAX_RESENDS: u8 = 5;

/// A device that may know the current key.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Holder {
    /// The identity key for which the key was encrypted.
    pub(super) identity: IdentityKey,
    /// It did not arrive: to be sent again.
    pub(super) again: bool,
    /// How often it was asked for again.
    pub(super) resends: u8,
}

/// All devices that may know the current key. Never more than were members since it was made.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct Holders {
    /// The key must be replaced before anything is sent.
    pub(super) rotation_due: bool,
    pub(super) devices: BTreeMap<Address, Holder>,
}

impl Holders {
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.devices.len().saturating_mul(80).saturating_add(2));
        out.extend_from_slice(&[VERSION, u8::from(self.rotation_due)]);
        for (address, holder) in &self.devices {
            let name = address.name().as_bytes();
            // checked before a device becomes a holder
            out.extend_from_slice(&u16::try_from(name.len()).unwrap_or(u16::MAX).to_be_bytes());
            out.extend_from_slice(name);
            out.push(address.device().get());
            out.extend_from_slice(&[u8::from(holder.again), holder.resends]);
            out.extend_from_slice(&holder.identity.encode());
        }
        out
    }

    /// # Errors
    ///
    /// [`Error::FutureRecord`] for a later version; [`Error::InvalidState`] for anything but what
    /// [`encode`](Self::encode) writes.
    pub(super) fn decode(bytes: &[u8]) -> Result<Self, Error> {
        match bytes {
            [VERSION, due @ (0 | 1), rest @ ..] => {
                let devices = read_devices(rest).ok_or(Error::InvalidState)?;
                Ok(Self { rotation_due: *due == 1, devices })
            }
            [version, ..] if *version > VERSION => Err(Error::FutureRecord(*version)),
            _ => Err(Error::InvalidState),
        }
    }
}

fn read_devices(mut rest: &[u8]) -> Option<BTreeMap<Address, Holder>> {
    let mut devices = BTreeMap::new();
    while !rest.is_empty() {
        let (length, after) = rest.split_first_chunk::<2>()?;
        let (name, after) = after.split_at_checked(usize::from(u16::from_be_bytes(*length)))?;
        let ([device, again @ (0 | 1), resends], after) = after.split_first_chunk::<3>()? else {
            return None;
        };
        let (identity, after) = after.split_at_checked(PublicKey::LENGTH)?;
        rest = after;
        let name = core::str::from_utf8(name).ok()?;
        let address = Address::new(name, DeviceId::new_v3(u32::from(*device)).ok()?);
        // ascending, so that there is one encoding
        if devices.last_key_value().is_some_and(|(last, _)| *last >= address) {
            return None;
        }
        let identity = IdentityKey::decode(identity).ok()?;
        devices.insert(address, Holder { identity, again: *again == 1, resends: *resends });
    }
    Some(devices)
}
