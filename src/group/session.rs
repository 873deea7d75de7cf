//! Sending to a group whose members come and go (spec 05 §5, spec 20 §6).
//!
//! Who is a member is the app's to say, with every message. What follows from it is decided here: who must
//! receive the key, and when it must be replaced.

use alloc::collections::BTreeMap;
use alloc::vec;
use alloc::vec::Vec;

use rand_core::CryptoRng;
use zeroize::Zeroizing;

use super::holders::{Holder, Holders, MAX_RESENDS};
use super::{Distribution, SenderKeyRecord};
use crate::address::Address;
use crate::error::Error;
use crate::keys::IdentityKey;
use crate::store::{Changes, RecordKey, Snapshot};

/// A device of the group, as the app knows it now.
#[derive(Clone, Copy, Debug)]
pub struct Member<'a> {
    /// The device. A user with three devices is three members.
    pub address: &'a Address,
    /// Its identity key, where one is known: a key that differs from the one for which the sender key was
    /// encrypted is another device.
    pub identity: Option<&'a IdentityKey>,
}

/// This device as a sender to one group: its own key, and who holds it.
///
/// To send, [`prepare`](Self::prepare) with the current members, give the key to those who need it, encrypt,
/// [`save`](Self::save), and commit all of it at once. Nobody reads what was sent after it left or before it
/// joined: a key that a device may know is replaced before the first message after that device left, was
/// removed, or changed its identity; and a newcomer learns the key at its current iteration only.
#[derive(Debug)]
pub struct GroupSession {
    distribution: Distribution,
    local: Address,
    key: SenderKeyRecord,
    holders: Holders,
    /// The revision of the holders' record, and whether they have changed since.
    revision: Option<u64>,
    changed: bool,
}

impl GroupSession {
    /// What [`load`](Self::load) needs: the own sender key, and who holds it.
    #[must_use]
    pub fn needs(distribution: &Distribution, local: &Address) -> Vec<RecordKey> {
        vec![distribution.sender_key(local), distribution.group()]
    }

    /// This device, `local`, as a sender to a group: as it was saved, or without a key.
    ///
    /// # Errors
    ///
    /// [`Error::NotLoaded`]; [`Error::FutureRecord`], [`Error::InvalidState`] and
    /// [`Error::InvalidSenderKeySession`] for a stored record that cannot be read.
    pub fn load(
        distribution: Distribution,
        local: Address,
        snapshot: &Snapshot,
    ) -> Result<Self, Error> {
        let key = SenderKeyRecord::load(&distribution, &local, snapshot)?;
        let stored = snapshot.get(&distribution.group())?;
        let (mut holders, revision) = match stored {
            Some(stored) => (Holders::decode(stored.bytes())?, Some(stored.revision())),
            // who may know a key that came from elsewhere is not known
            None => (Holders { rotation_due: !key.is_empty(), ..Holders::default() }, None),
        };
        // nobody holds a key that is gone
        let changed = key.is_empty() && holders != Holders::default();
        if changed {
            holders = Holders::default();
        }
        Ok(Self { distribution, local, key, holders, revision, changed })
    }

    /// Adds what has changed to `changes`: the own key's record (about 110 bytes) after every message, the
    /// holders' record (about 75 bytes a member) only when they changed. If the commit fails, this value is
    /// to be dropped and loaded again.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidArgument`] when `changes` has an entry for one of the records already.
    pub fn save(&mut self, changes: &mut Changes, rng: &mut impl CryptoRng) -> Result<(), Error> {
        self.key.save(&self.distribution, &self.local, changes, rng)?;
        if self.changed {
            let key = self.distribution.group();
            self.revision = Some(changes.put(key, self.revision, self.holders.encode(), rng)?);
            self.changed = false;
        }
        Ok(())
    }

    /// Gets ready to send to `members`: replaces the key where that is due, and finds who needs it. This
    /// device itself may be among the members, and is passed over; its user's other devices are members.
    ///
    /// Draws 68 bytes when a key is made.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidSenderKeySession`] when the own key is corrupt:
    /// [`replace_key`](Self::replace_key) helps. [`Error::InvalidProtocolAddress`] for a name of more than
    /// 65,535 bytes. Nothing is changed then.
    pub fn prepare<'m>(
        &mut self,
        members: impl IntoIterator<Item = Member<'m>>,
        rng: &mut impl CryptoRng,
    ) -> Result<Sending<'_>, Error> {
        let current = self.current(members)?;
        let is_due = self.is_rotation_due(&current);
        if is_due {
            self.key.rotate(rng);
            self.holders = Holders::default();
            self.changed = true;
        }
        let message = self.key.create_distribution(&self.distribution, rng)?;
        let recipients = self.recipients(&current, false);
        Ok(Sending { group: self, message, recipients, rotated: is_due })
    }

    /// Who of `members` will need the key, should [`prepare`](Self::prepare) be called now. Changes nothing.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidProtocolAddress`] for a name of more than 65,535 bytes.
    pub fn needing_key<'m>(
        &self,
        members: impl IntoIterator<Item = Member<'m>>,
    ) -> Result<Vec<Address>, Error> {
        let current = self.current(members)?;
        Ok(self.recipients(&current, self.is_rotation_due(&current)))
    }

    fn current<'m>(
        &self,
        members: impl IntoIterator<Item = Member<'m>>,
    ) -> Result<BTreeMap<&'m Address, Option<&'m IdentityKey>>, Error> {
        let mut current = BTreeMap::new();
        for member in members.into_iter().filter(|member| *member.address != self.local) {
            check_name(member.address)?;
            current.insert(member.address, member.identity);
        }
        Ok(current)
    }

    /// A key that somebody knows who must not read on is replaced; so is one at its end.
    fn is_rotation_due(&self, current: &BTreeMap<&Address, Option<&IdentityKey>>) -> bool {
        let must_not_read_on = |(address, holder): (&Address, &Holder)| {
            current
                .get(address)
                .is_none_or(|now| now.is_some_and(|identity| *identity != holder.identity))
        };
        self.holders.rotation_due
            || self.key.iteration() == Some(u32::MAX)
            || self.holders.devices.iter().any(must_not_read_on)
    }

    fn recipients(
        &self,
        current: &BTreeMap<&Address, Option<&IdentityKey>>,
        all: bool,
    ) -> Vec<Address> {
        let needs_it = |address: &&&Address| {
            all || self.holders.devices.get(**address).is_none_or(|holder| holder.again)
        };
        current.keys().filter(needs_it).map(|address| (*address).clone()).collect()
    }

    /// Has the key replaced before the next message, whoever is a member then: after some time, or when a
    /// device that holds it is no longer trusted.
    pub fn replace_key(&mut self) {
        self.changed |= !self.holders.rotation_due;
        self.holders.rotation_due = true;
    }

    /// A device could not decrypt a message, or did not get the key after all: it receives the key again
    /// with the next message. What it missed must be sent again by the app.
    ///
    /// Returns whether it will: not for a device that was never given the key, nor after it has asked for the
    /// same key five times.
    pub fn give_again(&mut self, address: &Address) -> bool {
        let Some(holder) = self.holders.devices.get_mut(address) else { return false };
        if holder.again {
            return true;
        }
        if holder.resends >= MAX_RESENDS {
            return false;
        }
        (holder.again, holder.resends) = (true, holder.resends.saturating_add(1));
        self.changed = true;
        true
    }

    /// A device is known by another address from now on (spec 20 §1).
    ///
    /// # Errors
    ///
    /// [`Error::InvalidProtocolAddress`] for a name of more than 65,535 bytes.
    pub fn rename(&mut self, from: &Address, to: &Address) -> Result<(), Error> {
        check_name(to)?;
        if let Some(holder) = self.holders.devices.remove(from) {
            self.holders.devices.insert(to.clone(), holder);
            self.changed = true;
        }
        Ok(())
    }

    /// Whether a device was given the current key.
    #[must_use]
    pub fn holds_key(&self, address: &Address) -> bool {
        self.holders.devices.contains_key(address)
    }

    /// All devices that were given the current key, in order.
    pub fn holders(&self) -> impl ExactSizeIterator<Item = &Address> {
        self.holders.devices.keys()
    }

    /// What names the key.
    #[must_use]
    pub const fn distribution(&self) -> &Distribution {
        &self.distribution
    }

    /// The own key.
    #[must_use]
    pub const fn key(&self) -> &SenderKeyRecord {
        &self.key
    }
}

/// A group that is ready to send, for the members it was prepared with.
#[derive(Debug)]
pub struct Sending<'g> {
    group: &'g mut GroupSession,
    message: Zeroizing<Vec<u8>>,
    recipients: Vec<Address>,
    rotated: bool,
}

impl Sending<'_> {
    /// The members that need the key before they can read the next message, in order.
    #[must_use]
    pub fn recipients(&self) -> &[Address] {
        &self.recipients
    }

    /// Whether the key was replaced, so that everybody needs it.
    #[must_use]
    pub const fn is_rotated(&self) -> bool {
        self.rotated
    }

    /// The distribution message for one of the [`recipients`](Self::recipients), to be encrypted in the
    /// one-to-one session with it, whose remote identity is `identity`. From now on the device counts as one
    /// that may know the key; if it was not sent after all, say [`GroupSession::give_again`].
    ///
    /// # Errors
    ///
    /// [`Error::InvalidArgument`] for a device that is not a recipient.
    pub fn distribute_to(
        &mut self,
        address: &Address,
        identity: &IdentityKey,
    ) -> Result<&[u8], Error> {
        if self.recipients.binary_search(address).is_err() {
            return Err(Error::InvalidArgument);
        }
        let devices = &mut self.group.holders.devices;
        let resends = devices.get(address).map_or(0, |holder| holder.resends);
        let holder = Holder { identity: *identity, again: false, resends };
        if devices.insert(address.clone(), holder) != Some(holder) {
            self.group.changed = true;
        }
        Ok(&self.message)
    }

    /// Encrypts for everybody who holds the key; recipients who have not been given it yet cannot read it.
    /// Draws 64 bytes.
    ///
    /// # Errors
    ///
    /// As [`SenderKeyRecord::encrypt`].
    pub fn encrypt(
        &mut self,
        plaintext: &[u8],
        rng: &mut impl CryptoRng,
    ) -> Result<Vec<u8>, Error> {
        self.group.key.encrypt(&self.group.distribution, plaintext, rng)
    }
}

/// The length of a name must fit the holders' record.
fn check_name(address: &Address) -> Result<(), Error> {
    let fits = u16::try_from(address.name().len()).is_ok();
    if fits { Ok(()) } else { Err(Error::InvalidProtocolAddress) }
}
