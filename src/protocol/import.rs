//! State that another implementation has kept (`migrate` reads it), as records of this device.

use alloc::vec::Vec;

use rand_core::CryptoRng;

use super::ledger::{Ledger, Rotated};
use super::record::Stored;
use super::stored_keys::encode_kem;
use super::trust::Seen;
use super::{Loaded, Operation, Own};
use crate::address::Address;
use crate::error::Error;
use crate::keys::IdentityKey;
use crate::prekey::{KemPreKey, PreKey, PreKeyId, SignedPreKey};
use crate::session::Session;
use crate::store::{Changes, RecordKey};
use crate::time::Timestamp;

/// Takes over the session with one peer device, and the identity key known for it. Not an
/// [`Operation`]: it runs once, for it consumes the session.
///
/// Never while the other implementation goes on: two that send in one session use keys twice.
#[derive(Debug)]
pub struct ImportPeer<'a> {
    /// The peer's device.
    pub peer: &'a Address,
    /// The session.
    pub session: Session,
    /// The identity key that the other implementation trusted.
    pub identity: Option<&'a IdentityKey>,
}

impl ImportPeer<'_> {
    /// As [`Operation::needs`].
    ///
    /// # Errors
    ///
    /// Those of a corrupt stored session.
    pub fn needs(&self, own: &Own, loaded: &Loaded) -> Result<Vec<RecordKey>, Error> {
        loaded.peer_needs(own, self.peer)
    }

    /// As [`Operation::run`].
    ///
    /// # Errors
    ///
    /// [`Error::InvalidArgument`] if a session with the peer's device is stored already.
    pub fn run(
        self,
        own: &Own,
        loaded: &mut Loaded,
        now: Timestamp,
        rng: &mut impl CryptoRng,
    ) -> Result<Changes, Error> {
        let stored = loaded.take_session(self.peer)?;
        if stored.has_current() || stored.archived_count() > 0 {
            loaded.put_back(self.peer, stored);
            return Err(Error::InvalidArgument);
        }
        if let Some(key) = self.identity {
            loaded.identity(own, self.peer)?.observe(self.peer, key, Seen::InNewSession, now);
        }
        loaded.save([(self.peer.clone(), self.session)], rng)
    }
}

/// Takes over pre-keys that the other implementation has uploaded, so that messages which name them
/// still decrypt. The last of each kind that rotates is the current one.
#[derive(Clone, Copy, Debug, Default)]
pub struct ImportPreKeys<'a> {
    /// Signed pre-keys, oldest first.
    pub signed: &'a [SignedPreKey],
    /// Last-resort KEM pre-keys, oldest first. Where the other implementation did not tell the two
    /// kinds apart, all belong here.
    pub last_resort: &'a [KemPreKey],
    /// One-time pre-keys.
    pub one_time: &'a [PreKey],
    /// One-time KEM pre-keys.
    pub one_time_kem: &'a [KemPreKey],
    /// The id that the next one-time pre-key was to have, where the other implementation says so: peers
    /// may still hold bundles with ids below it.
    pub next_one_time: Option<PreKeyId>,
}

impl Operation for ImportPreKeys<'_> {
    type Output = ();

    fn needs(&self, _own: &Own, loaded: &Loaded) -> Result<Vec<RecordKey>, Error> {
        Ok(loaded.snapshot().missing([RecordKey::PreKeyLedger]))
    }

    /// # Errors
    ///
    /// [`Error::InvalidArgument`] if two keys of a kind have one id. A key that is stored already makes
    /// the commit a conflict.
    fn run(
        &self,
        _own: &Own,
        loaded: &mut Loaded,
        now: Timestamp,
        rng: &mut impl CryptoRng,
    ) -> Result<((), Changes), Error> {
        let mut ledger: Ledger = loaded.read(&RecordKey::PreKeyLedger)?.unwrap_or_default();
        let mut changes = Changes::new();
        for key in self.signed {
            let (id, created) = (key.id(), key.created());
            changes.create(RecordKey::SignedPreKey(id), key.encode(), rng)?;
            ledger.signed.keys.push(Rotated { id, created, uploaded: true });
            ledger.signed.next = id.saturating_add(1);
        }
        for key in self.last_resort {
            let (id, created) = (key.id(), key.created());
            changes.create(RecordKey::KemPreKey(id), encode_kem(key, false), rng)?;
            ledger.last_resort.keys.push(Rotated { id, created, uploaded: true });
            ledger.last_resort.next = id.saturating_add(1);
        }
        for key in self.one_time {
            changes.create(RecordKey::PreKey(key.id()), key.encode(), rng)?;
        }
        for key in self.one_time_kem {
            changes.create(RecordKey::KemPreKey(key.id()), encode_kem(key, true), rng)?;
        }
        ledger.one_time.adopt(self.one_time.iter().map(PreKey::id).collect(), now);
        if let Some(next) = self.next_one_time {
            ledger.one_time.next = next;
        }
        ledger.one_time_kem.adopt(self.one_time_kem.iter().map(KemPreKey::id).collect(), now);
        loaded.write(RecordKey::PreKeyLedger, &ledger, &mut changes, rng)?;
        Ok(((), changes))
    }
}
