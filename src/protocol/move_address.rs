//! Moving what is known of a peer device to another address (spec 20 §2): a phone number whose LID has become known.

use alloc::vec::Vec;

use rand_core::CryptoRng;
use zeroize::Zeroizing;

use super::alias::Alias;
use super::record::Stored;
use super::trust::{self, Identity, Verification};
use super::{IdentityChange, IdentityScope, Loaded, Operation, Own};
use crate::address::Address;
use crate::error::Error;
use crate::group::{Distribution, SenderKeyRecord};
use crate::store::{Changes, RecordKey};
use crate::time::Timestamp;

/// Moves the session with a peer device, its archived states and skipped keys, its identity key, its count of retries and
/// its sender keys from one address to another, in one commit, and remembers the way. A copy would be used twice.
///
/// From then on messages that still name the old address find the records of the new one:
/// [`Encrypt`](super::Encrypt), [`Decrypt`](super::Decrypt), [`StartSession`](super::StartSession),
/// [`DecryptGroup`](super::DecryptGroup) and [`AcceptDistribution`](super::AcceptDistribution) follow by themselves; for
/// everything else, ask [`Device::resolve`](crate::Device::resolve) first.
///
/// Where both addresses have something, the new one's stays in use and the old one's is kept for late messages: its
/// current session and its archived ones come after those of the new address in the archive, of which the 40 newest
/// remain; its sender keys come after the new address's, of which five remain. Of two counts of retries, the new
/// address's stays.
///
/// A second time, or where there is nothing to move, only the way is remembered: so do it as soon as the mapping is
/// known. The list of a user's devices (Sesame) and the lists of who holds our own sender keys are not moved: the next
/// message to a group gives the key to the new address, and makes a new one.
#[derive(Clone, Copy, Debug)]
pub struct MoveAddress<'a> {
    /// The address so far.
    pub from: &'a Address,
    /// The address from now on.
    pub to: &'a Address,
    /// The groups whose sender keys of the device are moved: no store can list them. A key that is not named stays behind
    /// and is asked for again.
    pub groups: &'a [Distribution],
}

/// What was moved.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Moved {
    /// There was a session, current or archived.
    pub session: bool,
    /// The identity key was known under the old address.
    pub identity: bool,
    /// Of how many groups there was a sender key.
    pub sender_keys: usize,
}

impl MoveAddress<'_> {
    fn identity_of(own: &Own, loaded: &Loaded, peer: &Address) -> Result<Identity, Error> {
        Identity::load(loaded.snapshot(), &own.local.identity_key_of(peer))
    }

    /// Both are known, and differ.
    fn conflict(&self, own: &Own, loaded: &Loaded) -> Result<Option<IdentityChange>, Error> {
        let from = Self::identity_of(own, loaded, self.from)?.known;
        let to = Self::identity_of(own, loaded, self.to)?.known;
        Ok(match (from, to) {
            (Some(from), Some(to)) if from.key() != to.key() => {
                Some(trust::change(self.to, &to, from.key()))
            }
            _ => None,
        })
    }

    /// The identity key; where both have it, verified if one is.
    fn move_identity(
        &self,
        own: &Own,
        loaded: &Loaded,
        changes: &mut Changes,
        rng: &mut impl CryptoRng,
    ) -> Result<bool, Error> {
        let [from_key, to_key] = [self.from, self.to].map(|peer| own.local.identity_key_of(peer));
        if from_key == to_key {
            return Ok(false);
        }
        let Some(from) = Self::identity_of(own, loaded, self.from)?.known else { return Ok(false) };
        let known = match Self::identity_of(own, loaded, self.to)?.known {
            None => from,
            Some(mut to) => {
                if from.verification() == Verification::Verified {
                    to.verification = Verification::Verified;
                }
                to
            }
        };
        changes.put(to_key.clone(), loaded.snapshot().revision(&to_key)?, known.encode(), rng)?;
        // An account's other devices may not have moved yet.
        if own.local.scope() == IdentityScope::Device {
            loaded.delete(from_key, changes)?;
        }
        Ok(true)
    }

    fn move_session(
        &self,
        loaded: &mut Loaded,
        changes: &mut Changes,
        rng: &mut impl CryptoRng,
    ) -> Result<bool, Error> {
        let mut from = loaded.take_session(self.from)?;
        let mut to = loaded.take_session(self.to)?;
        if !from.has_current() && from.archived_count() == 0 {
            // That there is none is an answer, too: a session that is started meanwhile must be moved.
            from.require(self.from, changes)?;
            return Ok(false);
        }
        to.absorb(&mut from);
        to.save(self.to, changes, rng)?;
        from.delete(self.from, changes)?;
        Ok(true)
    }

    fn move_retries(
        &self,
        loaded: &Loaded,
        changes: &mut Changes,
        rng: &mut impl CryptoRng,
    ) -> Result<(), Error> {
        let [from, to] = [self.from, self.to].map(|peer| RecordKey::Retry(peer.clone()));
        if let Some(record) = loaded.snapshot().get(&from)? {
            if loaded.snapshot().get(&to)?.is_none() {
                changes.create(to, Zeroizing::new(record.bytes().to_vec()), rng)?;
            }
            changes.delete(from, record.revision())?;
        }
        Ok(())
    }

    fn move_sender_keys(
        &self,
        loaded: &Loaded,
        changes: &mut Changes,
        rng: &mut impl CryptoRng,
    ) -> Result<usize, Error> {
        let mut moved = 0_usize;
        for group in self.groups {
            let from_key = group.sender_key(self.from);
            let from = SenderKeyRecord::load(group, self.from, loaded.snapshot())?;
            // a group may be named twice
            if from.is_empty() || changes.get(&from_key).is_some() {
                continue;
            }
            let mut to = SenderKeyRecord::load(group, self.to, loaded.snapshot())?;
            to.absorb(from);
            to.save(group, self.to, changes, rng)?;
            loaded.delete(from_key, changes)?;
            moved = moved.saturating_add(1);
        }
        Ok(moved)
    }

    /// Remembers the way there, and forgets one that led away from there.
    fn note_way(
        &self,
        loaded: &Loaded,
        changes: &mut Changes,
        rng: &mut impl CryptoRng,
    ) -> Result<(), Error> {
        let [there, away] = [self.from, self.to].map(|peer| RecordKey::Alias(peer.clone()));
        let alias = Alias { to: self.to.clone() };
        if loaded.read::<Alias>(&there)?.as_ref() != Some(&alias) {
            loaded.write(there, &alias, changes, rng)?;
        }
        loaded.delete(away, changes)
    }
}

impl Operation for MoveAddress<'_> {
    type Output = Moved;

    fn needs(&self, own: &Own, loaded: &Loaded) -> Result<Vec<RecordKey>, Error> {
        let mut keys = loaded.session_needs(self.from)?;
        keys.extend(loaded.session_needs(self.to)?);
        let mut others = Vec::new();
        for peer in [self.from, self.to] {
            others.push(own.local.identity_key_of(peer));
            others.push(RecordKey::Retry(peer.clone()));
            others.push(RecordKey::Alias(peer.clone()));
            others.extend(self.groups.iter().map(|group| group.sender_key(peer)));
        }
        keys.extend(loaded.snapshot().missing(others));
        keys.sort_unstable();
        keys.dedup();
        Ok(keys)
    }

    /// # Errors
    ///
    /// [`Error::InvalidArgument`] when the two are one address, or one of them is this device's own;
    /// [`Error::UntrustedIdentity`] when another identity key is known for each of them: accept one of the keys for the
    /// other address first. Those of a stored session or sender key that cannot be read.
    fn run(
        &self,
        own: &Own,
        loaded: &mut Loaded,
        _now: Timestamp,
        rng: &mut impl CryptoRng,
    ) -> Result<(Moved, Changes), Error> {
        if self.from == self.to || [self.from, self.to].contains(&own.local.address()) {
            return Err(Error::InvalidArgument);
        }
        if self.conflict(own, loaded)?.is_some() {
            return Err(Error::UntrustedIdentity);
        }
        let mut changes = Changes::new();
        let moved = Moved {
            session: self.move_session(loaded, &mut changes, rng)?,
            identity: self.move_identity(own, loaded, &mut changes, rng)?,
            sender_keys: self.move_sender_keys(loaded, &mut changes, rng)?,
        };
        self.move_retries(loaded, &mut changes, rng)?;
        self.note_way(loaded, &mut changes, rng)?;
        Ok((moved, changes))
    }

    fn identity_change(&self, own: &Own, loaded: &mut Loaded) -> Option<IdentityChange> {
        self.conflict(own, loaded).ok()?
    }
}
