//! What an operation works on: the records that it was given, and what was decoded of them.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use rand_core::CryptoRng;

use super::trust::Identity;
use super::{Own, hosting, record::Stored};
use crate::address::Address;
use crate::error::Error;
use crate::keys::IdentityKey;
use crate::session::Session;
use crate::store::{Changes, Record, RecordKey, Snapshot};

/// The records that were loaded for an operation, and the decoded values that it changes.
///
/// Fill it with what [`Operation::needs`](super::Operation::needs) names. After
/// [`run`](super::Operation::run) it holds the state as the returned [`Changes`] leave it: to be kept
/// only once they are committed, and dropped otherwise.
#[derive(Debug, Default)]
pub struct Loaded {
    snapshot: Snapshot,
    sessions: BTreeMap<Address, Session>,
    identities: BTreeMap<RecordKey, Identity>,
    /// Whether changes were made of it: it is as they leave it then.
    saved: bool,
}

/// What is decoded of one peer device, to be kept between two operations.
#[derive(Debug)]
pub(crate) struct Peer {
    pub(crate) session: Session,
    identity: Option<Identity>,
}

impl Loaded {
    /// Nothing loaded yet.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            snapshot: Snapshot::new(),
            sessions: BTreeMap::new(),
            identities: BTreeMap::new(),
            saved: false,
        }
    }

    /// Adds what the store answered for `key`: the record, or `None` if there is none.
    pub fn insert(&mut self, key: RecordKey, record: Option<Record>) {
        self.snapshot.insert(key, record);
    }

    /// The records that were loaded.
    #[must_use]
    pub const fn snapshot(&self) -> &Snapshot {
        &self.snapshot
    }

    /// How many sessions are decoded.
    pub(crate) fn decoded_count(&self) -> usize {
        self.sessions.len()
    }

    /// The session with `peer`, if it is decoded already.
    pub(crate) fn decoded(&self, peer: &Address) -> Option<&Session> {
        self.sessions.get(peer)
    }

    /// The records of the session with `peer` that are still missing.
    pub(crate) fn session_needs(&self, peer: &Address) -> Result<Vec<RecordKey>, Error> {
        if self.sessions.contains_key(peer) {
            return Ok(Vec::new());
        }
        Session::needs(peer, &self.snapshot)
    }

    /// The identity record of `peer`, if it is still missing.
    pub(crate) fn identity_needs(&self, own: &Own, peer: &Address) -> Vec<RecordKey> {
        let key = own.local.identity_key_of(peer);
        if self.identities.contains_key(&key) {
            return Vec::new();
        }
        self.snapshot.missing([key])
    }

    /// The records of the session and the identity of `peer` that are still missing.
    pub(crate) fn peer_needs(&self, own: &Own, peer: &Address) -> Result<Vec<RecordKey>, Error> {
        let mut keys = self.session_needs(peer)?;
        keys.extend(self.identity_needs(own, peer));
        Ok(keys)
    }

    /// Takes the session with `peer` out, to be changed and given to [`save`](Self::save). What is not
    /// given back is read from its records again.
    pub(crate) fn take_session(&mut self, peer: &Address) -> Result<Session, Error> {
        match self.sessions.remove(peer) {
            Some(session) => Ok(session),
            None => Session::load(peer, &self.snapshot),
        }
    }

    /// Gives a session back that was not changed.
    pub(crate) fn put_back(&mut self, peer: &Address, session: Session) {
        self.sessions.insert(peer.clone(), session);
    }

    /// The identity of `peer`.
    pub(crate) fn identity(&mut self, own: &Own, peer: &Address) -> Result<&mut Identity, Error> {
        let key = own.local.identity_key_of(peer);
        if !self.identities.contains_key(&key) {
            let identity = Identity::load(&self.snapshot, &key)?;
            self.identities.insert(key.clone(), identity);
        }
        self.identities.get_mut(&key).ok_or(Error::NotLoaded)
    }

    /// The identity key known for `peer`, which is decoded or loaded.
    pub(crate) fn known_identity(
        &self,
        own: &Own,
        peer: &Address,
    ) -> Result<Option<IdentityKey>, Error> {
        let key = own.local.identity_key_of(peer);
        let known = match self.identities.get(&key) {
            Some(identity) => identity.known,
            None => Identity::load(&self.snapshot, &key)?.known,
        };
        Ok(known.map(|known| *known.key()))
    }

    /// The identity key to which the session with `peer` sends.
    pub(crate) fn sending_key(&mut self, peer: &Address) -> Result<IdentityKey, Error> {
        let session = self.take_session(peer)?;
        let key = session.remote_identity().copied();
        self.put_back(peer, session);
        key.ok_or(Error::SessionNotFound)
    }

    /// Reads one record.
    pub(crate) fn read<T: Stored>(&self, key: &RecordKey) -> Result<Option<T>, Error> {
        self.snapshot.get(key)?.map(|record| T::decode(record.bytes())).transpose()
    }

    /// Writes one record over what was loaded of it.
    pub(crate) fn write(
        &self,
        key: RecordKey,
        value: &impl Stored,
        changes: &mut Changes,
        rng: &mut impl CryptoRng,
    ) -> Result<(), Error> {
        let revision = self.snapshot.revision(&key)?;
        changes.put(key, revision, value.encode(), rng)?;
        Ok(())
    }

    /// Deletes one record that was loaded; nothing if it does not exist.
    pub(crate) fn delete(&self, key: RecordKey, changes: &mut Changes) -> Result<(), Error> {
        match self.snapshot.revision(&key)? {
            Some(revision) => changes.delete(key, revision),
            None => Ok(()),
        }
    }

    /// What changed in `sessions`, and in the identities that were used.
    pub(crate) fn save(
        &mut self,
        sessions: impl IntoIterator<Item = (Address, Session)>,
        rng: &mut impl CryptoRng,
    ) -> Result<Changes, Error> {
        self.saved = true;
        let mut changes = Changes::new();
        for (address, mut session) in sessions {
            session.save(&address, &mut changes, rng)?;
            self.sessions.insert(address, session);
        }
        for (key, identity) in &mut self.identities {
            if !core::mem::take(&mut identity.used) {
                continue;
            }
            match &identity.known {
                Some(known) if core::mem::take(&mut identity.changed) => {
                    let revision =
                        changes.put(key.clone(), identity.revision, known.encode(), rng)?;
                    identity.revision = Some(revision);
                    identity.written = true;
                }
                _ => changes.require(key.clone(), identity.revision)?,
            }
        }
        Ok(changes)
    }

    /// For a decision about `peer` that changes nothing of it: lets `changes` be committed only if its
    /// session and its identity are still those that were decided upon. Where [`save`](Self::save) has
    /// said so already, nothing is added.
    pub(crate) fn require_peer(
        &self,
        own: &Own,
        peer: &Address,
        changes: &mut Changes,
    ) -> Result<(), Error> {
        self.require_session(peer, changes)?;
        hosting::require(own, self, peer, changes)?;
        self.require_identity(own, peer, changes)
    }

    /// The same for the identity alone.
    pub(crate) fn require_identity(
        &self,
        own: &Own,
        peer: &Address,
        changes: &mut Changes,
    ) -> Result<(), Error> {
        let key = own.local.identity_key_of(peer);
        if changes.get(&key).is_some() {
            return Ok(());
        }
        let revision = match self.identities.get(&key) {
            Some(identity) => identity.revision,
            None => self.snapshot.revision(&key)?,
        };
        changes.require(key, revision)
    }

    /// The same for the session alone.
    pub(crate) fn require_session(
        &self,
        peer: &Address,
        changes: &mut Changes,
    ) -> Result<(), Error> {
        let key = RecordKey::Session(peer.clone());
        if changes.get(&key).is_some() {
            return Ok(());
        }
        match self.sessions.get(peer) {
            Some(session) => session.require(peer, changes),
            None => changes.require(key.clone(), self.snapshot.revision(&key)?),
        }
    }

    /// Adds what is kept of `address` between operations.
    pub(crate) fn insert_peer(&mut self, own: &Own, address: Address, peer: Peer) {
        if let Some(identity) = peer.identity {
            self.identities.entry(own.local.identity_key_of(&address)).or_insert(identity);
        }
        self.sessions.insert(address, peer.session);
    }

    /// The names whose identity the operation has written: what was kept of them is out of date.
    pub(crate) fn written_identities(&self) -> impl Iterator<Item = &str> {
        self.identities.iter().filter(|(_, identity)| identity.written).filter_map(|(key, _)| {
            match key {
                RecordKey::Identity { name, .. } => Some(name.as_str()),
                _ => None,
            }
        })
    }

    /// Whether it is as the store has it, although the operation failed.
    pub(crate) const fn is_unchanged(&self) -> bool {
        !self.saved
    }

    /// What can be kept until the next operation.
    pub(crate) fn into_peers(self, own: &Own) -> impl Iterator<Item = (Address, Peer)> {
        let identities = self.identities;
        self.sessions.into_iter().map(move |(address, session)| {
            let identity = identities.get(&own.local.identity_key_of(&address));
            // what an operation that failed has touched is not as it is stored
            let clean = identity.filter(|identity| !identity.changed && !identity.used);
            let identity = clean.map(|identity| Identity {
                known: identity.known,
                revision: identity.revision,
                changed: false,
                used: false,
                written: false,
            });
            (address, Peer { session, identity })
        })
    }
}
