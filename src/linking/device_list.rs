//! The devices of one account, as its primary has signed them (spec 22 §4).

use alloc::vec::Vec;

use super::{AccountKey, KeyIndexList, SignedKeyIndexList, VerifiedCompanion};
use crate::address::DeviceId;
use crate::error::Error;
use crate::jid::Jid;
use crate::keys::{IdentityKey, PublicKey};
use crate::time::Timestamp;
use crate::wire::reader::Reader;
use crate::wire::writer::Writer;

/// How old a signed list may be, in seconds: 35 days.
pub const LIST_LIFETIME: u64 = 35 * 24 * 60 * 60;
/// How old it may be once the other side is known to have a newer one, in seconds: 48 hours.
pub const OUTDATED_LIST_LIFETIME: u64 = 48 * 60 * 60;
/// Companions of one account at most: as many as there are ids, hosted ones apart.
const COMPANIONS_MAX: usize = 512;

/// A device as the server lists it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ListedCompanion {
    /// Its id; 0 is the primary.
    pub id: DeviceId,
    /// Its key index; may be absent for a hosted device.
    pub key_index: Option<u32>,
    /// Whether the entry is marked as hosted.
    pub hosted: bool,
}

/// A device of an account other than its primary.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Companion {
    id: DeviceId,
    hosted: bool,
    key_index: Option<u32>,
    verified: Option<IdentityKey>,
    listed: bool,
}

impl Companion {
    /// Its id.
    #[must_use]
    pub const fn id(&self) -> DeviceId {
        self.id
    }

    /// Whether somebody else than the account's owner holds its keys.
    #[must_use]
    pub const fn is_hosted(&self) -> bool {
        self.hosted
    }

    /// Its key index.
    #[must_use]
    pub const fn key_index(&self) -> Option<u32> {
        self.key_index
    }

    /// The identity key for which the account has vouched, once that was verified.
    #[must_use]
    pub const fn verified(&self) -> Option<&IdentityKey> {
        self.verified.as_ref()
    }

    const fn place(&self) -> (bool, DeviceId) {
        (self.hosted, self.id)
    }
}

/// What an update has changed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum DeviceListChange {
    /// The account was registered anew, or its primary has another identity: all that was known of its
    /// companions is forgotten, and their identities are to be treated as changed.
    AccountReset,
    /// A companion is new. It can be sent to once its identity is verified.
    Added(Companion),
    /// A companion is gone, or another one has its id.
    Removed(Companion),
}

/// The devices of one account: the newest signed list, which companions the server says are in it, and which
/// of them have been verified.
///
/// Device 0, the primary, is always one of them and is not listed here.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct DeviceList {
    /// The primary's identity, by which the list is signed.
    account: Option<PublicKey>,
    list: Option<KeyIndexList>,
    /// The greatest timestamp of a list that the other side is known to have, in seconds.
    newer: u64,
    /// In the order of `place`.
    companions: Vec<Companion>,
}

impl DeviceList {
    /// Nothing known: only the primary can be sent to.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The newest signed list.
    #[must_use]
    pub const fn signed(&self) -> Option<&KeyIndexList> {
        self.list.as_ref()
    }

    /// All companions, verified or not.
    #[must_use]
    pub fn companions(&self) -> &[Companion] {
        &self.companions
    }

    /// Takes over what the server gives: the signed key-index list, and the devices.
    ///
    /// `primary` is the known identity of the account's device 0; a key that is embedded in the list is not
    /// looked at. A companion stays if its key index is valid, or greater than the list's current one; a hosted
    /// one stays always, for the phone does not sign for it. After an error nothing has changed.
    ///
    /// # Errors
    ///
    /// [`Error::SignatureValidationFailed`]; [`Error::InvalidProtobuf`], [`Error::BadKeyLength`];
    /// [`Error::OlderDeviceList`] for a list that is older than the one that is kept.
    pub fn update(
        &mut self,
        signed: &[u8],
        devices: &[ListedCompanion],
        primary: &IdentityKey,
    ) -> Result<Vec<DeviceListChange>, Error> {
        // verify(0602 ‖ details) with the stored primary identity
        let account = *primary.public_key();
        let list = SignedKeyIndexList::parse(signed)?.verify(&AccountKey::Primary(account))?;
        let mut changes = Vec::new();
        // An older list never replaces a newer one. A key that the user has accepted since is the one
        // thing that makes the old list void.
        let same_account = self.account.is_none_or(|known| known == account);
        if let Some(known) = self.list.as_ref().filter(|_| same_account)
            && list.timestamp < known.timestamp
        {
            return Err(Error::OlderDeviceList);
        }
        // another rawId: the account was registered anew
        let same_registration = self.list.as_ref().is_none_or(|known| known.raw_id == list.raw_id);
        if !(same_account && same_registration) {
            changes.push(DeviceListChange::AccountReset);
            changes.extend(self.companions.drain(..).map(DeviceListChange::Removed));
            self.newer = 0;
        }
        let kept = |listed: &&ListedCompanion| {
            let primary = listed.id == DeviceId::PRIMARY && !listed.hosted;
            !primary && (listed.hosted || listed.key_index.is_some_and(|index| list.admits(index)))
        };
        let mut companions: Vec<Companion> =
            devices.iter().filter(kept).map(new_companion).collect();
        companions.sort_by_key(Companion::place);
        companions.dedup_by_key(|companion| companion.place());
        companions.truncate(COMPANIONS_MAX);
        // Who is still the same keeps what was verified.
        for companion in &mut companions {
            let known = self.find(companion.hosted, companion.id).copied();
            match known {
                Some(known) if same_companion(&known, companion) => {
                    companion.verified = known.verified;
                    companion.key_index = companion.key_index.or(known.key_index);
                    if !known.listed {
                        changes.push(DeviceListChange::Added(*companion));
                    }
                }
                Some(known) => {
                    changes.push(DeviceListChange::Removed(known));
                    changes.push(DeviceListChange::Added(*companion));
                }
                None => changes.push(DeviceListChange::Added(*companion)),
            }
        }
        for known in &self.companions {
            if companions.binary_search_by_key(&known.place(), Companion::place).is_err() {
                changes.push(DeviceListChange::Removed(*known));
            }
        }
        self.companions = companions;
        self.account = Some(account);
        self.list = Some(list);
        Ok(changes)
    }

    /// Notes that a companion was verified, whose identity came with a bundle or a message from `address`.
    ///
    /// # Errors
    ///
    /// [`Error::UnverifiedCompanion`] if its key index was removed, if `address` is a primary's, or if another
    /// companion with that id is listed; [`Error::DeviceListExpired`] if the list that is kept is of another
    /// registration or of another primary: fetch the list first.
    pub fn note_verified(
        &mut self,
        address: &Jid,
        companion: &VerifiedCompanion,
    ) -> Result<(), Error> {
        let (id, hosted) = (address.device(), address.is_hosted());
        if id == DeviceId::PRIMARY && !hosted {
            return Err(Error::UnverifiedCompanion);
        }
        let details = companion.details();
        if !hosted {
            let account = *companion.account().key();
            if self.account.is_some_and(|known| known != account) {
                return Err(Error::DeviceListExpired);
            }
            if let Some(list) = &self.list {
                if list.raw_id != details.raw_id {
                    return Err(Error::DeviceListExpired);
                }
                if !list.admits(details.key_index) {
                    return Err(Error::UnverifiedCompanion);
                }
            }
        }
        let verified = Companion {
            id,
            hosted,
            key_index: (!hosted).then_some(details.key_index),
            verified: Some(*companion.identity()),
            listed: false,
        };
        match self.companions.binary_search_by_key(&(hosted, id), Companion::place) {
            Ok(at) => {
                let Some(known) = self.companions.get_mut(at) else { return Ok(()) };
                // The list says which companion has the id, unless this one is newer than the list.
                let listed = known.listed && same_companion(known, &verified);
                let after = self.list.as_ref().is_some_and(|l| details.key_index > l.current_index);
                if known.listed && !listed && !after {
                    return Err(Error::UnverifiedCompanion);
                }
                let key_index = if hosted { known.key_index } else { verified.key_index };
                *known = Companion { listed, key_index, ..verified };
            }
            Err(_) if self.companions.len() >= COMPANIONS_MAX => {
                return Err(Error::UnverifiedCompanion);
            }
            Err(at) => self.companions.insert(at, verified),
        }
        if !hosted {
            self.account = Some(*companion.account().key());
        }
        Ok(())
    }

    /// Notes that the other side has shown (ICDC) a list of this account with this timestamp, in seconds. If
    /// it is newer than ours, ours is usable for 48 hours only.
    pub fn note_newer(&mut self, timestamp: u64) {
        self.newer = self.newer.max(timestamp);
    }

    /// Whether the list can be used at `now`: it is not older than 35 days, or 48 hours once the other side
    /// is known to have a newer one. If not, only the primary is sent to until it is renewed.
    #[must_use]
    pub fn is_fresh(&self, now: Timestamp) -> bool {
        self.list.as_ref().is_some_and(|list| {
            let outdated = self.newer > list.timestamp;
            let lifetime = if outdated { OUTDATED_LIST_LIFETIME } else { LIST_LIFETIME };
            seconds(now).saturating_sub(list.timestamp) <= lifetime
        })
    }

    /// The companions that may be encrypted to at `now`, besides the primary: listed, and verified.
    pub fn sendable(&self, now: Timestamp) -> impl Iterator<Item = &Companion> {
        let fresh = self.is_fresh(now);
        self.companions
            .iter()
            .filter(move |companion| fresh && companion.listed && companion.verified.is_some())
    }

    /// The companions that are listed and still have to be verified: fetch their bundles.
    pub fn unverified(&self) -> impl Iterator<Item = &Companion> {
        self.companions.iter().filter(|companion| companion.verified.is_none())
    }

    /// Whether a message may be encrypted to the device at `address`, whose session is with `identity`.
    ///
    /// `primary` is the known identity of the account's device 0: a list and companions of another are void.
    ///
    /// # Errors
    ///
    /// [`Error::UnverifiedCompanion`], [`Error::DeviceListExpired`]. Never for a primary.
    pub fn permits(
        &self,
        address: &Jid,
        identity: &IdentityKey,
        primary: Option<&IdentityKey>,
        now: Timestamp,
    ) -> Result<(), Error> {
        let (id, hosted) = (address.device(), address.is_hosted());
        if id == DeviceId::PRIMARY && !hosted {
            return Ok(());
        }
        let found = self.find(hosted, id).filter(|found| found.listed);
        let known = found.and_then(Companion::verified).ok_or(Error::UnverifiedCompanion)?;
        if known != identity {
            return Err(Error::UnverifiedCompanion);
        }
        if self.account.as_ref() != primary.map(IdentityKey::public_key) {
            return Err(Error::UnverifiedCompanion);
        }
        if self.is_fresh(now) { Ok(()) } else { Err(Error::DeviceListExpired) }
    }

    /// Whether the device at `address` was verified with exactly this identity key: enough to read its
    /// messages.
    #[must_use]
    pub fn knows(&self, address: &Jid, identity: &IdentityKey) -> bool {
        let found = self.find(address.is_hosted(), address.device());
        found.and_then(Companion::verified) == Some(identity)
    }

    fn find(&self, hosted: bool, id: DeviceId) -> Option<&Companion> {
        let at = self.companions.binary_search_by_key(&(hosted, id), Companion::place).ok()?;
        self.companions.get(at)
    }

    /// Writes the fields of the stored record.
    pub(crate) fn write(&self, w: &mut Writer<'_>) {
        w.bytes_option(1, self.account.as_ref().map(|key| key.as_raw().as_slice()));
        if let Some(list) = &self.list {
            w.bytes(2, &list.encode());
        }
        w.uint_nonzero(3, self.newer);
        for companion in &self.companions {
            w.message(4, |w| {
                w.uint(1, companion.id.get());
                w.uint_nonzero(2, u32::from(companion.hosted));
                w.uint_option(3, companion.key_index);
                let key = companion.verified.as_ref().map(|key| key.public_key().as_raw());
                w.bytes_option(4, key.map(<[u8; 32]>::as_slice));
                w.uint_nonzero(5, u32::from(companion.listed));
            });
        }
    }

    /// Reads the fields that [`write`](Self::write) writes.
    pub(crate) fn read(fields: Reader<'_>) -> Result<Self, Error> {
        let mut out = Self::default();
        for field in fields {
            match field? {
                (1, value) => out.account = Some(stored_key(value.bytes()?)?),
                (2, value) => out.list = Some(KeyIndexList::decode(value.bytes()?)?),
                (3, value) => out.newer = value.uint64()?,
                (4, value) => {
                    let companion = read_companion(value.bytes()?)?;
                    let last = out.companions.last();
                    let ascends = last.is_none_or(|last| last.place() < companion.place());
                    if !ascends || out.companions.len() >= COMPANIONS_MAX {
                        return Err(Error::InvalidState);
                    }
                    out.companions.push(companion);
                }
                _ => return Err(Error::InvalidState),
            }
        }
        Ok(out)
    }
}

fn new_companion(listed: &ListedCompanion) -> Companion {
    let ListedCompanion { id, key_index, hosted } = *listed;
    Companion { id, hosted, key_index, verified: None, listed: true }
}

/// Whether two entries of one id are the same companion: of the same key index, where both have one.
fn same_companion(known: &Companion, new: &Companion) -> bool {
    match (known.key_index, new.key_index) {
        (Some(known), Some(new)) => known == new,
        _ => known.hosted,
    }
}

fn read_companion(bytes: &[u8]) -> Result<Companion, Error> {
    let (mut id, mut hosted, mut key_index) = (None, false, None);
    let (mut verified, mut listed) = (None, false);
    for field in Reader::new(bytes) {
        match field? {
            (1, value) => id = Some(DeviceId::new_v3(value.uint32()?)?),
            (2, value) => hosted = value.uint64()? == 1,
            (3, value) => key_index = Some(value.uint32()?),
            (4, value) => verified = Some(IdentityKey::new(stored_key(value.bytes()?)?)),
            (5, value) => listed = value.uint64()? == 1,
            _ => return Err(Error::InvalidState),
        }
    }
    Ok(Companion { id: id.ok_or(Error::InvalidState)?, hosted, key_index, verified, listed })
}

fn stored_key(bytes: &[u8]) -> Result<PublicKey, Error> {
    bytes.try_into().map(PublicKey::from_raw).map_err(|_| Error::InvalidState)
}

/// Whole seconds since the Unix epoch.
pub(super) const fn seconds(now: Timestamp) -> u64 {
    now.as_millis() / 1000
}
