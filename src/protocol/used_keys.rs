//! The pre-keys that a pre-key message names, and what becomes of them (spec 02 §6).

use alloc::vec::Vec;

use rand_core::CryptoRng;

use super::Loaded;
use super::record::Stored;
use super::stored_keys::StoredKem;
use crate::error::Error;
use crate::keys::PublicKey;
use crate::prekey::{PreKey, PreKeyId, ReplayGuard, SignedPreKey};
use crate::session::UsedPreKeys;
use crate::store::{Changes, RecordKey, Snapshot};
use crate::wire::PreKeySignalMessage;
use crate::wire::reader::Reader;
use crate::wire::writer::Writer;

/// The pre-keys that a message names, as far as the store has them.
#[derive(Default)]
pub(super) struct Held {
    pub(super) signed: Option<SignedPreKey>,
    pub(super) kem: Option<StoredKem>,
    pub(super) one_time: Option<PreKey>,
    pub(super) replay_guard: Option<SeenBaseKeys>,
}

/// What becomes of the KEM pre-key.
pub(super) enum KemUse {
    /// It is deleted.
    OneTime,
    /// It remembers the base key.
    LastResort(SeenBaseKeys),
}

impl Held {
    /// The records that a pre-key message asks for.
    pub(super) fn keys(message: &PreKeySignalMessage<'_>) -> Vec<RecordKey> {
        let mut keys = Vec::with_capacity(4);
        let signed = message.signed_pre_key_id();
        keys.push(RecordKey::SignedPreKey(signed));
        keys.extend(message.pre_key_id().map(RecordKey::PreKey));
        if let Some((kem, _)) = message.kyber() {
            keys.push(RecordKey::KemPreKey(kem));
            keys.push(replay_key(kem, signed, bucket_of(message.base_key())));
        }
        keys
    }

    pub(super) fn load(
        snapshot: &Snapshot,
        message: &PreKeySignalMessage<'_>,
    ) -> Result<Self, Error> {
        let signed_id = message.signed_pre_key_id();
        let base_key = message.base_key();
        let signed = read(snapshot, &RecordKey::SignedPreKey(signed_id))?;
        let one_time = match message.pre_key_id() {
            Some(id) => read(snapshot, &RecordKey::PreKey(id))?,
            None => None,
        };
        let (mut kem, mut replay_guard) = (None, None);
        if let Some((id, _)) = message.kyber() {
            kem = read::<StoredKem>(snapshot, &RecordKey::KemPreKey(id))?;
            if kem.as_ref().is_some_and(|kem| !kem.one_time) {
                let key = replay_key(id, signed_id, bucket_of(base_key));
                let mut seen = read(snapshot, &key)?
                    .unwrap_or(SeenBaseKeys { keys: Vec::new(), guard: ReplayGuard::new() });
                if seen.keys.len() >= REPLAY_BUCKET_MAX || seen.keys.contains(base_key.as_raw()) {
                    // refused once the message has proved authentic
                    seen.guard.record(id, signed_id, base_key)?;
                }
                replay_guard = Some(seen);
            }
        }
        Ok(Self { signed, kem, one_time, replay_guard })
    }

    pub(super) fn into_use(self, base_key: PublicKey) -> Option<KemUse> {
        let kem = self.kem?;
        if kem.one_time {
            return Some(KemUse::OneTime);
        }
        self.replay_guard.map(|mut seen| {
            seen.keys.push(*base_key.as_raw());
            KemUse::LastResort(seen)
        })
    }
}

fn read<T: Stored>(snapshot: &Snapshot, key: &RecordKey) -> Result<Option<T>, Error> {
    snapshot.get(key)?.map(|record| T::decode(record.bytes())).transpose()
}

/// Spec 02 §6: deletes what was for one use, and notes what is kept.
pub(super) fn consume(
    loaded: &Loaded,
    used: &UsedPreKeys,
    kem: Option<KemUse>,
    changes: &mut Changes,
    rng: &mut impl CryptoRng,
) -> Result<(), Error> {
    if let Some(id) = used.one_time {
        loaded.delete(RecordKey::PreKey(id), changes)?;
    }
    match (used.kem, kem) {
        (Some(id), Some(KemUse::OneTime)) => loaded.delete(RecordKey::KemPreKey(id), changes)?,
        (Some(id), Some(KemUse::LastResort(seen))) => {
            let key = replay_key(id, used.signed, bucket_of(&used.base_key));
            loaded.write(key, &seen, changes, rng)?;
        }
        _ => {}
    }
    Ok(())
}

/// Of the 256 records that a pair of keys can have, this many are used.
pub(super) const REPLAY_BUCKETS: u8 = 16;
/// Base keys in one of them at most. The pair takes no new session with a key of a full one: it is
/// rotated within days, and this many are a flood.
const REPLAY_BUCKET_MAX: usize = 4096;

/// One record of base keys.
pub(super) struct SeenBaseKeys {
    keys: Vec<[u8; 32]>,
    /// The same, for the session to ask.
    pub(super) guard: ReplayGuard,
}

impl Stored for SeenBaseKeys {
    fn read(fields: Reader<'_>) -> Result<Self, Error> {
        let mut keys = Vec::new();
        for field in fields {
            match field? {
                (1, value) => {
                    let (chunks, rest) = value.bytes()?.as_chunks::<32>();
                    if !rest.is_empty() {
                        return Err(Error::InvalidState);
                    }
                    keys = chunks.to_vec();
                }
                _ => return Err(Error::InvalidState),
            }
        }
        Ok(Self { keys, guard: ReplayGuard::new() })
    }

    fn write(&self, w: &mut Writer<'_>) {
        w.bytes(1, self.keys.as_flattened());
    }
}

pub(super) fn replay_key(kem_pre_key: PreKeyId, signed_pre_key: PreKeyId, bucket: u8) -> RecordKey {
    RecordKey::KemReplay { kem_pre_key, signed_pre_key, bucket }
}

fn bucket_of(base_key: &PublicKey) -> u8 {
    let [first, ..] = base_key.as_raw();
    first % REPLAY_BUCKETS
}
