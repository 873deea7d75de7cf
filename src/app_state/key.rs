//! A key of the account, and the five keys that it gives (spec 26 §1).

use alloc::vec::Vec;

use rand_core::CryptoRng;

use super::{AppStateKeyId, MAX_DEVICE_INDEXES};
use crate::crypto::kdf;
use crate::error::Error;
use crate::secret::Secret;
use crate::wire::reader::{Reader, Value};
use crate::wire::writer::Writer;

/// Which devices of the account a key was made for.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct KeyFingerprint {
    /// `rawId` of the account's device list.
    pub raw_id: u32,
    /// `currentIndex` of that list.
    pub current_index: u32,
    /// The key indexes of the devices.
    pub device_indexes: Vec<u32>,
}

/// One key, known to every device that the account had when it was made. When a device is removed a
/// new one takes over ([`Keyring::next`](super::Keyring::next)).
#[derive(Debug)]
pub struct AppStateKey {
    id: AppStateKeyId,
    data: Secret<32>,
    fingerprint: Option<KeyFingerprint>,
    timestamp: Option<u64>,
    keys: MutationKeys,
}

impl AppStateKey {
    /// Draws a new key, 32 bytes. `timestamp` is in the unit that the account's devices use.
    pub fn generate(
        id: AppStateKeyId,
        fingerprint: KeyFingerprint,
        timestamp: u64,
        rng: &mut impl CryptoRng,
    ) -> Self {
        Self::new(id, Secret::random(rng), Some(fingerprint), Some(timestamp))
    }

    /// A key with given data.
    #[must_use]
    pub fn new(
        id: AppStateKeyId,
        data: Secret<32>,
        fingerprint: Option<KeyFingerprint>,
        timestamp: Option<u64>,
    ) -> Self {
        let keys = MutationKeys::expand(&data);
        Self { id, data, fingerprint, timestamp, keys }
    }

    /// The id.
    #[must_use]
    pub const fn id(&self) -> &AppStateKeyId {
        &self.id
    }

    /// `keyData`, 32 bytes.
    #[must_use]
    pub const fn data(&self) -> &Secret<32> {
        &self.data
    }

    /// The devices that the key was made for, where its maker said so.
    #[must_use]
    pub const fn fingerprint(&self) -> Option<&KeyFingerprint> {
        self.fingerprint.as_ref()
    }

    /// When it was made, where its maker said so.
    #[must_use]
    pub const fn timestamp(&self) -> Option<u64> {
        self.timestamp
    }

    /// The five keys.
    #[must_use]
    pub const fn keys(&self) -> &MutationKeys {
        &self.keys
    }

    /// Writes `AppStateSyncKey{keyId#1 {keyId#1}, keyData#2 {keyData#1, fingerprint#2, timestamp#3}}`.
    pub(super) fn write(&self, w: &mut Writer<'_>) {
        w.message(1, |w| w.bytes(1, self.id.as_bytes()));
        w.message(2, |w| {
            w.bytes(1, self.data.expose());
            if let Some(fingerprint) = &self.fingerprint {
                w.message(2, |w| fingerprint.write(w));
            }
            w.uint_option(3, self.timestamp);
        });
    }

    /// Reads an `AppStateSyncKey`. An entry without data says that the other device has not got the key.
    pub(super) fn read(bytes: &[u8]) -> Result<(AppStateKeyId, Option<Self>), Error> {
        let (mut id, mut data) = (None, None);
        for field in Reader::new(bytes) {
            match field? {
                (1, value) => id = read_id(value.bytes()?)?,
                (2, value) => data = Some(value.bytes()?),
                _ => {}
            }
        }
        let id = id.ok_or(Error::InvalidProtobuf)?;
        let key = match data {
            Some(data) => Self::read_data(id.clone(), data)?,
            None => None,
        };
        Ok((id, key))
    }

    fn read_data(id: AppStateKeyId, bytes: &[u8]) -> Result<Option<Self>, Error> {
        let (mut data, mut fingerprint, mut timestamp) = (None, None, None);
        for field in Reader::new(bytes) {
            match field? {
                (1, value) => data = Some(value.bytes()?),
                (2, value) => fingerprint = Some(KeyFingerprint::read(value.bytes()?)?),
                (3, value) => timestamp = Some(value.uint64()?),
                _ => {}
            }
        }
        match data {
            None | Some([]) => Ok(None),
            Some(data) => {
                let data = Secret::from_slice(data).ok_or(Error::InvalidProtobuf)?;
                Ok(Some(Self::new(id, data, fingerprint, timestamp)))
            }
        }
    }
}

/// Reads `AppStateSyncKeyId{keyId#1}` or `KeyId{id#1}`.
pub(super) fn read_id(bytes: &[u8]) -> Result<Option<AppStateKeyId>, Error> {
    let mut id = None;
    for field in Reader::new(bytes) {
        if let (1, value) = field? {
            let bytes = value.bytes()?;
            id = Some(AppStateKeyId::from_bytes(bytes).map_err(|_| Error::InvalidProtobuf)?);
        }
    }
    Ok(id)
}

impl KeyFingerprint {
    fn write(&self, w: &mut Writer<'_>) {
        w.uint(1, self.raw_id);
        w.uint(2, self.current_index);
        w.packed(3, &self.device_indexes);
    }

    fn read(bytes: &[u8]) -> Result<Self, Error> {
        let mut fingerprint = Self::default();
        for field in Reader::new(bytes) {
            match field? {
                (1, value) => fingerprint.raw_id = value.uint32()?,
                (2, value) => fingerprint.current_index = value.uint32()?,
                // packed, or one by one
                (3, Value::Bytes(packed)) => {
                    let mut packed = Reader::new(packed);
                    while packed.remaining() > 0 {
                        fingerprint.push(Value::Varint(packed.varint()?))?;
                    }
                }
                (3, value) => fingerprint.push(value)?,
                _ => {}
            }
        }
        Ok(fingerprint)
    }

    fn push(&mut self, value: Value<'_>) -> Result<(), Error> {
        if self.device_indexes.len() >= MAX_DEVICE_INDEXES {
            return Err(Error::InvalidProtobuf);
        }
        self.device_indexes.push(value.uint32()?);
        Ok(())
    }
}

/// What a key gives: `indexKey || valueEncKey || valueMacKey || snapshotMacKey || patchMacKey`.
#[derive(Debug)]
pub struct MutationKeys {
    index: Secret<32>,
    value_encryption: Secret<32>,
    value_mac: Secret<32>,
    snapshot_mac: Secret<32>,
    patch_mac: Secret<32>,
}

impl MutationKeys {
    /// Expands `keyData`.
    #[must_use]
    pub fn expand(data: &Secret<32>) -> Self {
        // x = HKDF(keyData, 0s, "WhatsApp Mutation Keys", 160)
        let info: &[u8] = b"WhatsApp Mutation Keys";
        let x: Secret<160> = kdf::hkdf(None, data.expose(), &[info]);
        Self {
            index: kdf::part::<160, 0, 32>(&x),
            value_encryption: kdf::part::<160, 32, 32>(&x),
            value_mac: kdf::part::<160, 64, 32>(&x),
            snapshot_mac: kdf::part::<160, 96, 32>(&x),
            patch_mac: kdf::part::<160, 128, 32>(&x),
        }
    }

    /// `indexKey`: hides indexes from the server.
    #[must_use]
    pub const fn index(&self) -> &Secret<32> {
        &self.index
    }

    /// `valueEncKey`, AES-256.
    #[must_use]
    pub const fn value_encryption(&self) -> &Secret<32> {
        &self.value_encryption
    }

    /// `valueMacKey`, HMAC-SHA-512.
    #[must_use]
    pub const fn value_mac(&self) -> &Secret<32> {
        &self.value_mac
    }

    /// `snapshotMacKey`.
    #[must_use]
    pub const fn snapshot_mac(&self) -> &Secret<32> {
        &self.snapshot_mac
    }

    /// `patchMacKey`.
    #[must_use]
    pub const fn patch_mac(&self) -> &Secret<32> {
        &self.patch_mac
    }
}
