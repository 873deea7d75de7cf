//! The messages that carry keys between the account's own devices (spec 26 §1).
//!
//! Whoever can put a key into a device's keyring can write its settings and contacts. So both messages
//! are read only together with the address that the pairwise session gave, and only from own devices.

use alloc::vec::Vec;

use zeroize::Zeroizing;

use super::key::read_id;
use super::{AppStateKey, AppStateKeyId, MAX_KEYS};
use crate::error::Error;
use crate::jid::Jid;
use crate::wire::reader::Reader;
use crate::wire::writer;

/// `appStateSyncKeyShare`: keys from another device of the account.
#[derive(Debug, Default)]
pub struct KeyShare {
    /// The keys.
    pub keys: Vec<AppStateKey>,
    /// Ids of keys that were asked for and that the other device has not got.
    pub unavailable: Vec<AppStateKeyId>,
}

impl KeyShare {
    /// `AppStateSyncKeyShare{keys#1}`, the content of a message to another own device.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidArgument`] for more than [`MAX_KEYS`] keys.
    pub fn encode(keys: &[&AppStateKey]) -> Result<Zeroizing<Vec<u8>>, Error> {
        if keys.len() > MAX_KEYS {
            return Err(Error::InvalidArgument);
        }
        Ok(Zeroizing::new(writer::encode(|w| {
            keys.iter().for_each(|key| w.message(1, |w| key.write(w)));
        })))
    }

    /// Reads a key share that `sender`'s pairwise session delivered. `own` are the account's own addresses
    /// (phone number, LID); their devices do not matter.
    ///
    /// # Errors
    ///
    /// [`Error::NotOwnDevice`] unless `sender` is a device of one of `own`; [`Error::InvalidProtobuf`] when
    /// malformed, or beyond [`MAX_KEYS`].
    pub fn from_own_device(sender: &Jid, own: &[Jid], bytes: &[u8]) -> Result<Self, Error> {
        require_own(sender, own)?;
        Self::decode(bytes)
    }

    pub(super) fn decode(bytes: &[u8]) -> Result<Self, Error> {
        let mut share = Self::default();
        for (count, entry) in repeated(bytes).enumerate() {
            if count >= MAX_KEYS {
                return Err(Error::InvalidProtobuf);
            }
            match AppStateKey::read(entry?)? {
                (_, Some(key)) => share.keys.push(key),
                (id, None) => share.unavailable.push(id),
            }
        }
        Ok(share)
    }
}

/// `appStateSyncKeyRequest`: which keys a device lacks.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct KeyRequest(Vec<AppStateKeyId>);

impl KeyRequest {
    /// Asks for these.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidArgument`] for none or for more than [`MAX_KEYS`].
    pub fn new(ids: impl IntoIterator<Item = AppStateKeyId>) -> Result<Self, Error> {
        let ids: Vec<_> = ids.into_iter().take(MAX_KEYS.saturating_add(1)).collect();
        if ids.is_empty() || ids.len() > MAX_KEYS {
            return Err(Error::InvalidArgument);
        }
        Ok(Self(ids))
    }

    /// The ids.
    #[must_use]
    pub fn ids(&self) -> &[AppStateKeyId] {
        &self.0
    }

    /// `AppStateSyncKeyRequest{keyIds#1 {keyId#1}}`, the content of a message to the other own devices.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        writer::encode(|w| {
            self.0.iter().for_each(|id| w.message(1, |w| w.bytes(1, id.as_bytes())));
        })
    }

    /// Reads a request that `sender`'s pairwise session delivered, as
    /// [`KeyShare::from_own_device`] does: nobody else is answered.
    ///
    /// # Errors
    ///
    /// As there.
    pub fn from_own_device(sender: &Jid, own: &[Jid], bytes: &[u8]) -> Result<Self, Error> {
        require_own(sender, own)?;
        let mut ids = Vec::new();
        for entry in repeated(bytes) {
            if ids.len() >= MAX_KEYS {
                return Err(Error::InvalidProtobuf);
            }
            ids.push(read_id(entry?)?.ok_or(Error::InvalidProtobuf)?);
        }
        Ok(Self(ids))
    }
}

/// The embedded messages of field 1.
fn repeated(bytes: &[u8]) -> impl Iterator<Item = Result<&[u8], Error>> {
    Reader::new(bytes).filter_map(|field| match field {
        Ok((1, value)) => Some(value.bytes()),
        Ok(_) => None,
        Err(error) => Some(Err(error)),
    })
}

fn require_own(sender: &Jid, own: &[Jid]) -> Result<(), Error> {
    // groups, broadcasts and bare servers have no devices
    let is_device = sender.address().is_ok();
    let account = sender.without_device();
    if is_device && own.iter().any(|jid| jid.without_device() == account) {
        Ok(())
    } else {
        Err(Error::NotOwnDevice)
    }
}
