//! Identity keys of peers: since when they are known, whether the user has verified them, and what a
//! change means (spec 03 §7).

use super::record::{Stored, required};
use super::{Loaded, Operation, Own};
use crate::address::Address;
use crate::error::Error;
use crate::keys::IdentityKey;
use crate::store::{Changes, RecordKey};
use crate::time::Timestamp;
use crate::wire::reader::Reader;
use crate::wire::writer::Writer;
use alloc::vec::Vec;
use rand_core::CryptoRng;

/// What to do when the identity key of a peer is not the one known for it.
///
/// Whatever the policy, a key that was never seen is trusted, and every change is reported as an
/// [`IdentityChange`].
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum TrustPolicy {
    /// A new key replaces the old one, and the change is an event. A session of the old key is no longer
    /// sent in: sending needs a new one.
    #[default]
    TrustOnFirstUse,
    /// A new key is [`Error::UntrustedIdentity`] until the application accepts exactly that key. Nothing
    /// changes before that, so the same message or bundle works afterwards.
    BlockUntilAccepted,
    /// As trust on first use, but sessions of an old key go on as long as the peer uses them.
    Always,
}

/// Whether the user has compared an identity key with its owner (spec 07).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Verification {
    /// Nobody has.
    #[default]
    Unverified,
    /// The user has.
    Verified,
}

/// What is known of a peer's identity.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct KnownIdentity {
    pub(super) key: IdentityKey,
    pub(super) first_seen: Timestamp,
    pub(super) verification: Verification,
}

impl KnownIdentity {
    const fn new(key: IdentityKey, first_seen: Timestamp) -> Self {
        Self { key, first_seen, verification: Verification::Unverified }
    }

    /// The key.
    #[must_use]
    pub const fn key(&self) -> &IdentityKey {
        &self.key
    }

    /// When this key was first seen.
    #[must_use]
    pub const fn first_seen(&self) -> Timestamp {
        self.first_seen
    }

    /// Whether the user has verified this key. A new key is unverified.
    #[must_use]
    pub const fn verification(&self) -> Verification {
        self.verification
    }
}

/// A peer's identity key is another one than before: the peer has a new device or reinstalled, or
/// somebody is in between. The application shows it, and with `was_verified` shows it prominently.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct IdentityChange {
    /// The peer device at which it was noticed.
    pub address: Address,
    /// The key known so far.
    pub old: IdentityKey,
    /// The key it has now.
    pub new: IdentityKey,
    /// Whether the user had verified the old key.
    pub was_verified: bool,
}

/// How an identity key came to be seen.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Seen {
    /// In a bundle, or in a pre-key message that establishes a session: the peer's key of now.
    InNewSession,
    /// In a session that exists, about to send.
    Sending,
    /// In a session that exists, a message of which has arrived.
    Receiving,
}

/// The identity record of one peer, as an operation works on it.
#[derive(Debug)]
pub(crate) struct Identity {
    pub(super) known: Option<KnownIdentity>,
    pub(super) revision: Option<u64>,
    /// To be written.
    pub(super) changed: bool,
    /// Read, and decided upon: it must not change under the operation.
    pub(super) used: bool,
    /// Written by the operation: other copies are out of date.
    pub(super) written: bool,
}

impl Identity {
    pub(super) fn load(loaded: &super::Snapshot, key: &RecordKey) -> Result<Self, Error> {
        let record = loaded.get(key)?;
        Ok(Self {
            known: record.map(|record| KnownIdentity::decode(record.bytes())).transpose()?,
            revision: record.map(super::Record::revision),
            changed: false,
            used: false,
            written: false,
        })
    }

    /// Whether `policy` lets an operation go on with `key`.
    pub(super) fn permits(
        &self,
        policy: TrustPolicy,
        key: &IdentityKey,
        seen: Seen,
    ) -> Result<(), Error> {
        match (&self.known, policy, seen) {
            (None, ..) => Ok(()),
            (Some(known), ..) if known.key == *key => Ok(()),
            (Some(_), TrustPolicy::BlockUntilAccepted, _) => Err(Error::UntrustedIdentity),
            (Some(_), TrustPolicy::TrustOnFirstUse, Seen::Sending) => Err(Error::SessionNotFound),
            (Some(_), ..) => Ok(()),
        }
    }

    /// Takes notice of `key`, which [`permits`](Self::permits) has let through, and tells whether it
    /// is another one than before. A session that exists says nothing about the peer's key of now.
    pub(super) fn observe(
        &mut self,
        address: &Address,
        key: &IdentityKey,
        seen: Seen,
        now: Timestamp,
    ) -> Option<IdentityChange> {
        self.used = true;
        match &self.known {
            Some(known) if known.key == *key || seen != Seen::InNewSession => None,
            known => {
                let change = known.as_ref().map(|known| change(address, known, key));
                self.known = Some(KnownIdentity::new(*key, now));
                self.changed = true;
                change
            }
        }
    }
}

pub(super) fn change(address: &Address, old: &KnownIdentity, new: &IdentityKey) -> IdentityChange {
    IdentityChange {
        address: address.clone(),
        old: old.key,
        new: *new,
        was_verified: old.verification == Verification::Verified,
    }
}

/// Accepts a peer's identity key, the user's answer to [`Error::UntrustedIdentity`]. The key that is
/// accepted is named, so that it cannot be another one than the user has seen.
///
/// The change that it made is the output; `None` if the key was known already, or the first.
#[derive(Clone, Copy, Debug)]
pub struct AcceptIdentity<'a> {
    /// The peer's device.
    pub peer: &'a Address,
    /// The key to accept.
    pub key: &'a IdentityKey,
}

impl Operation for AcceptIdentity<'_> {
    type Output = Option<IdentityChange>;

    fn needs(&self, own: &Own, loaded: &Loaded) -> Result<Vec<RecordKey>, Error> {
        Ok(loaded.identity_needs(own, self.peer))
    }

    fn run(
        &self,
        own: &Own,
        loaded: &mut Loaded,
        now: Timestamp,
        rng: &mut impl CryptoRng,
    ) -> Result<(Self::Output, Changes), Error> {
        let identity = loaded.identity(own, self.peer)?;
        let change = identity.observe(self.peer, self.key, Seen::InNewSession, now);
        Ok((change, loaded.save([], rng)?))
    }
}

/// Notes that the user has verified a peer's identity key, or no longer holds it for verified.
#[derive(Clone, Copy, Debug)]
pub struct SetVerification<'a> {
    /// The peer's device.
    pub peer: &'a Address,
    /// The key that was verified.
    pub key: &'a IdentityKey,
    /// What is to be noted.
    pub verification: Verification,
}

impl Operation for SetVerification<'_> {
    type Output = ();

    fn needs(&self, own: &Own, loaded: &Loaded) -> Result<Vec<RecordKey>, Error> {
        Ok(loaded.identity_needs(own, self.peer))
    }

    /// # Errors
    ///
    /// [`Error::UntrustedIdentity`] if `key` is not the one known for the peer.
    fn run(
        &self,
        own: &Own,
        loaded: &mut Loaded,
        _now: Timestamp,
        rng: &mut impl CryptoRng,
    ) -> Result<((), Changes), Error> {
        let identity = loaded.identity(own, self.peer)?;
        match &mut identity.known {
            Some(known) if known.key == *self.key => {
                identity.used = true;
                identity.changed = known.verification != self.verification;
                known.verification = self.verification;
            }
            _ => return Err(Error::UntrustedIdentity),
        }
        Ok(((), loaded.save([], rng)?))
    }
}

impl Stored for KnownIdentity {
    fn read(fields: Reader<'_>) -> Result<Self, Error> {
        let (mut key, mut first_seen, mut verification) = (None, 0, 0);
        for field in fields {
            match field? {
                (1, value) => key = Some(IdentityKey::decode(value.bytes()?)?),
                (2, value) => first_seen = value.uint64()?,
                (3, value) => verification = value.uint32()?,
                _ => return Err(Error::InvalidState),
            }
        }
        Ok(Self {
            key: required(key)?,
            first_seen: Timestamp(first_seen),
            verification: match verification {
                0 => Verification::Unverified,
                1 => Verification::Verified,
                _ => return Err(Error::InvalidState),
            },
        })
    }

    fn write(&self, w: &mut Writer<'_>) {
        w.bytes(1, &self.key.encode());
        w.uint_nonzero(2, self.first_seen.as_millis());
        w.uint_nonzero(3, u32::from(self.verification == Verification::Verified));
    }
}
