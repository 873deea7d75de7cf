//! All keys that a device has (spec 26 §1): which is active, and which comes next.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use rand_core::CryptoRng;
use zeroize::Zeroizing;

use super::{AppStateKey, AppStateKeyId, KeyFingerprint, KeyShare, MAX_KEYS};
use crate::error::Error;
use crate::store::RecordKey;

/// The version of the stored encoding, its first byte.
const VERSION: u8 = 1;

/// The account's keys, as far as this device has them. Old ones stay: mutations live for years.
#[derive(Debug, Default)]
pub struct Keyring {
    keys: BTreeMap<AppStateKeyId, AppStateKey>,
}

impl Keyring {
    /// No keys.
    #[must_use]
    pub const fn new() -> Self {
        Self { keys: BTreeMap::new() }
    }

    /// The number of keys.
    #[must_use]
    pub fn len(&self) -> usize {
        self.keys.len()
    }

    /// Whether there is no key.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// All keys, by id.
    pub fn iter(&self) -> impl Iterator<Item = &AppStateKey> {
        self.keys.values()
    }

    /// The key of that id.
    #[must_use]
    pub fn get(&self, id: &AppStateKeyId) -> Option<&AppStateKey> {
        self.keys.get(id)
    }

    /// As [`get`](Self::get), where a key must be there.
    pub(super) fn require(&self, id: &AppStateKeyId) -> Result<&AppStateKey, Error> {
        self.get(id).ok_or(Error::AppStateKeyMissing)
    }

    /// Those of `ids` that are not here, each once: what to put into a
    /// [`KeyRequest`](super::KeyRequest).
    #[must_use]
    pub fn missing<'a>(
        &self,
        ids: impl IntoIterator<Item = &'a AppStateKeyId>,
    ) -> Vec<AppStateKeyId> {
        let mut missing: Vec<_> =
            ids.into_iter().filter(|id| !self.keys.contains_key(*id)).cloned().collect();
        missing.sort_unstable();
        missing.dedup();
        missing
    }

    /// Adds a key. A key that is here already stays as it is; returns whether it is new.
    ///
    /// # Errors
    ///
    /// [`Error::Rejected`] when another key has that id: an id never changes its key.
    /// [`Error::InvalidArgument`] beyond [`MAX_KEYS`].
    pub fn insert(&mut self, key: AppStateKey) -> Result<bool, Error> {
        self.check(&key, 0)?;
        if self.keys.contains_key(key.id()) {
            return Ok(false);
        }
        self.keys.insert(key.id().clone(), key);
        Ok(true)
    }

    /// Adds all keys of a share, or none.
    ///
    /// # Errors
    ///
    /// As [`insert`](Self::insert). Two keys of one id within the share are refused as well.
    pub fn accept(&mut self, share: KeyShare) -> Result<usize, Error> {
        let mut fresh: BTreeMap<AppStateKeyId, AppStateKey> = BTreeMap::new();
        for key in share.keys {
            self.check(&key, fresh.len())?;
            if self.keys.contains_key(key.id()) {
                continue;
            }
            match fresh.get(key.id()) {
                Some(known) if known.data() != key.data() => return Err(Error::Rejected),
                Some(_) => {}
                None => {
                    fresh.insert(key.id().clone(), key);
                }
            }
        }
        let count = fresh.len();
        self.keys.append(&mut fresh);
        Ok(count)
    }

    fn check(&self, key: &AppStateKey, pending: usize) -> Result<(), Error> {
        match self.keys.get(key.id()) {
            Some(known) if known.data() == key.data() => Ok(()),
            Some(_) => Err(Error::Rejected),
            None if self.keys.len().saturating_add(pending) < MAX_KEYS => Ok(()),
            None => Err(Error::InvalidArgument),
        }
    }

    /// The key to write with: the highest epoch, of equal epochs that of the lowest device. Keys whose id is
    /// not of the usual form are for reading only.
    #[must_use]
    pub fn active(&self) -> Option<&AppStateKey> {
        let rank = |key: &AppStateKey| {
            key.id().device_and_epoch().map(|(device, epoch)| (epoch, u16::MAX.abs_diff(device)))
        };
        self.keys.values().filter(|key| rank(key).is_some()).max_by_key(|key| rank(key))
    }

    /// Makes the next key, of the epoch after the active one's: for the first device of an account, and
    /// whenever a device was removed, which still knows the active key. `device` is one's own id,
    /// `fingerprint` lists the devices that are left.
    ///
    /// Share it with these devices, then [`insert`](Self::insert) it. Draws 2 bytes for a first epoch, and 32
    /// for the key.
    ///
    /// # Errors
    ///
    /// [`Error::ChainExhausted`] after the last epoch.
    pub fn next(
        &self,
        device: u16,
        fingerprint: KeyFingerprint,
        timestamp: u64,
        rng: &mut impl CryptoRng,
    ) -> Result<AppStateKey, Error> {
        let epoch = match self.active().and_then(|key| key.id().device_and_epoch()) {
            Some((_, epoch)) => epoch.checked_add(1).ok_or(Error::ChainExhausted)?,
            // the first epoch is random in 1..65536
            None => {
                let mut bytes = [0; 2];
                rng.fill_bytes(&mut bytes);
                u32::from(u16::from_be_bytes(bytes)).saturating_add(1)
            }
        };
        let id = AppStateKeyId::new(device, epoch);
        Ok(AppStateKey::generate(id, fingerprint, timestamp, rng))
    }

    /// The record under which to store it.
    #[must_use]
    pub fn record_key() -> RecordKey {
        RecordKey::Application(b"sandi/app_state/keys".as_slice().into())
    }

    /// The stored form: a version byte, then all keys as a key share.
    #[must_use]
    pub fn encode(&self) -> Zeroizing<Vec<u8>> {
        let keys: Vec<_> = self.keys.values().collect();
        let share = KeyShare::encode(&keys).unwrap_or_default(); // at most MAX_KEYS
        let mut out = Zeroizing::new(Vec::with_capacity(share.len().saturating_add(1)));
        out.push(VERSION);
        out.extend_from_slice(&share);
        out
    }

    /// Reads [`encode`](Self::encode) back.
    ///
    /// # Errors
    ///
    /// [`Error::FutureRecord`] for a later version of the encoding, [`Error::InvalidState`] for anything else.
    pub fn decode(bytes: &[u8]) -> Result<Self, Error> {
        let share = match bytes.split_first() {
            Some((&VERSION, share)) => share,
            Some((&version, _)) if version > VERSION => return Err(Error::FutureRecord(version)),
            _ => return Err(Error::InvalidState),
        };
        let share = KeyShare::decode(share).map_err(|_| Error::InvalidState)?;
        let mut keyring = Self::new();
        keyring.accept(share).map_err(|_| Error::InvalidState)?;
        Ok(keyring)
    }
}
