//! Under which address the records of a peer device are kept, after it was moved (spec 20 §2).

use alloc::borrow::Cow;
use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;

use super::record::{Stored, required};
use super::{Loaded, Own};
use crate::address::{Address, DeviceId};
use crate::error::Error;
use crate::group::Distribution;
use crate::session::Session;
use crate::store::RecordKey;
use crate::wire::reader::Reader;
use crate::wire::writer::Writer;

/// How many aliases are followed, one after the other.
pub(crate) const ALIASES_MAX: usize = 4;

/// The record of [`RecordKey::Alias`]: where the records of the address went.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Alias {
    pub(crate) to: Address,
}

/// The search for a record that may have been moved.
enum Found<'p> {
    At(Cow<'p, Address>),
    /// Not known before this is loaded.
    Needs(RecordKey),
}

impl Loaded {
    /// Follows aliases from `peer` to the address that has a record named by `record`. What has one under its own address
    /// is not moved, so that no alias is read for it: only what is not found costs more. Where there is none at all, the
    /// last address.
    fn find<'p>(
        &self,
        peer: &'p Address,
        record: impl Fn(&Address) -> RecordKey,
        is_decoded: impl Fn(&Address) -> bool,
    ) -> Result<Found<'p>, Error> {
        let mut at = Cow::Borrowed(peer);
        for _ in 0..ALIASES_MAX {
            if is_decoded(&at) {
                return Ok(Found::At(at));
            }
            let key = record(&at);
            match self.snapshot().get(&key) {
                Ok(None) => {}
                Ok(Some(_)) => return Ok(Found::At(at)),
                Err(_) => return Ok(Found::Needs(key)),
            }
            let key = RecordKey::Alias(at.clone().into_owned());
            if !self.snapshot().contains(&key) {
                return Ok(Found::Needs(key));
            }
            match self.read::<Alias>(&key)? {
                Some(alias) => at = Cow::Owned(alias.to),
                None => return Ok(Found::At(at)),
            }
        }
        Ok(Found::At(at))
    }

    /// Whether a session is decoded that has a record: that there was none may be out of date.
    fn has_decoded(&self, at: &Address) -> bool {
        self.decoded(at).is_some_and(Session::is_stored)
    }

    fn find_session<'p>(&self, peer: &'p Address) -> Result<Found<'p>, Error> {
        let is_decoded = |at: &Address| self.has_decoded(at);
        self.find(peer, |at| RecordKey::Session(at.clone()), is_decoded)
    }

    /// The address under which the session with `peer` is kept.
    ///
    /// # Errors
    ///
    /// [`Error::NotLoaded`], and [`Error::InvalidState`] for an alias that cannot be read.
    pub(crate) fn resolve<'p>(&self, peer: &'p Address) -> Result<Cow<'p, Address>, Error> {
        match self.find_session(peer)? {
            Found::At(at) => Ok(at),
            Found::Needs(_) => Err(Error::NotLoaded),
        }
    }

    /// As [`resolve`](Self::resolve), where some sessions were taken out already.
    pub(crate) fn resolve_among<'p>(
        &self,
        taken: &BTreeMap<Address, Session>,
        peer: &'p Address,
    ) -> Result<Cow<'p, Address>, Error> {
        if taken.contains_key(peer) {
            return Ok(Cow::Borrowed(peer));
        }
        let is_decoded = |at: &Address| taken.contains_key(at) || self.has_decoded(at);
        match self.find(peer, |at| RecordKey::Session(at.clone()), is_decoded)? {
            Found::At(at) => Ok(at),
            Found::Needs(_) => Err(Error::NotLoaded),
        }
    }

    /// The address under which the session with `peer` is kept, as far as it is known, and what is still missing of that
    /// session, its identity, and the way there.
    pub(crate) fn resolved_needs<'p>(
        &self,
        own: &Own,
        peer: &'p Address,
    ) -> Result<(Cow<'p, Address>, Vec<RecordKey>), Error> {
        let (at, missing) = match self.find_session(peer)? {
            Found::At(at) => (at, None),
            Found::Needs(key) => (Cow::Borrowed(peer), Some(key)),
        };
        let mut keys = self.peer_needs(own, &at)?;
        keys.extend(missing);
        keys.sort_unstable();
        keys.dedup();
        Ok((at, keys))
    }

    /// The address under which the key of `sender` is kept; `Err` of what is missing to know it.
    pub(crate) fn find_sender_key<'p>(
        &self,
        distribution: &Distribution,
        sender: &'p Address,
    ) -> Result<Result<Cow<'p, Address>, RecordKey>, Error> {
        Ok(match self.find(sender, |at| distribution.sender_key(at), |_| false)? {
            Found::At(at) => Ok(at),
            Found::Needs(key) => Err(key),
        })
    }
}

impl Stored for Alias {
    fn read(fields: Reader<'_>) -> Result<Self, Error> {
        let (mut name, mut device) = (None, None);
        for field in fields {
            match field? {
                (1, value) => name = Some(value.string()?),
                (2, value) => device = Some(value.uint32()?),
                _ => return Err(Error::InvalidState),
            }
        }
        let device = DeviceId::new_v3(required(device)?)?;
        Ok(Self { to: Address::new(String::from(required(name)?), device) })
    }

    fn write(&self, w: &mut Writer<'_>) {
        w.bytes(1, self.to.name().as_bytes());
        w.uint(2, self.to.device().get());
    }
}
