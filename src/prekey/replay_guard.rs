//! The replay guard of last-resort KEM pre-keys (spec 02 §6).

use alloc::collections::{BTreeMap, BTreeSet};

use super::PreKeyId;
use crate::error::Error;
use crate::keys::PublicKey;

/// Remembers, for each pair of KEM and signed pre-key, which base keys have established a session.
///
/// A last-resort pre-key is kept after use; without this guard one pre-key message could establish
/// a second session under another address. One entry per session that was established with the
/// pair, 33 bytes each; [`forget_kem`](Self::forget_kem) and [`forget_signed`](Self::forget_signed)
/// drop a pair's history once one of its keys is rotated out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReplayGuard {
    seen: BTreeMap<(PreKeyId, PreKeyId), BTreeSet<[u8; PublicKey::LENGTH]>>,
}

impl ReplayGuard {
    /// A guard that has seen nothing.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Whether the triple is new.
    ///
    /// # Errors
    ///
    /// [`Error::ReusedBaseKey`] when it was recorded before.
    pub fn check(
        &self,
        kem: PreKeyId,
        signed: PreKeyId,
        base_key: &PublicKey,
    ) -> Result<(), Error> {
        let seen =
            self.seen.get(&(kem, signed)).is_some_and(|keys| keys.contains(&base_key.encode()));
        if seen { Err(Error::ReusedBaseKey) } else { Ok(()) }
    }

    /// Records the triple.
    ///
    /// # Errors
    ///
    /// [`Error::ReusedBaseKey`] when it was recorded before; nothing is changed then.
    pub fn record(
        &mut self,
        kem: PreKeyId,
        signed: PreKeyId,
        base_key: &PublicKey,
    ) -> Result<(), Error> {
        let new = self.seen.entry((kem, signed)).or_default().insert(base_key.encode());
        if new { Ok(()) } else { Err(Error::ReusedBaseKey) }
    }

    /// Drops what is known of a KEM pre-key that was rotated out.
    pub fn forget_kem(&mut self, kem: PreKeyId) {
        self.seen.retain(|&(id, _), _| id != kem);
    }

    /// Drops what is known of a signed pre-key that was rotated out.
    pub fn forget_signed(&mut self, signed: PreKeyId) {
        self.seen.retain(|&(_, id), _| id != signed);
    }
}
