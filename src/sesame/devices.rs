//! Keeping the list of a user's devices: as the server gives it, and as it corrects it.

use alloc::vec::Vec;

use rand_core::CryptoRng;

use super::user::User;
use crate::address::{Address, DeviceId};
use crate::error::Error;
use crate::protocol::{Loaded, Operation, Own};
use crate::session::Session;
use crate::store::{Changes, RecordKey};
use crate::time::Timestamp;

/// A device as a server lists it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ListedDevice {
    /// Its id.
    pub id: DeviceId,
    /// Its registration id, where the server tells.
    pub registration_id: Option<u32>,
}

/// Takes over a server's full list of a user's devices: those that are not in it are removed.
#[derive(Clone, Copy, Debug)]
pub struct UpdateDevices<'a> {
    /// The name of the user's addresses.
    pub user: &'a str,
    /// All of the user's devices, this one included where the user is ourselves.
    pub devices: &'a [ListedDevice],
}

/// A server's answer to a message that was not addressed to the devices that the user has.
#[derive(Clone, Copy, Debug)]
pub struct CorrectDevices<'a> {
    /// The name of the user's addresses.
    pub user: &'a str,
    /// Devices that the message was not for: they are added.
    pub missing: &'a [DeviceId],
    /// Devices that do not exist: they are removed.
    pub extra: &'a [DeviceId],
    /// Devices that were installed anew: their sessions are archived.
    pub stale: &'a [DeviceId],
}

/// What became of a user's devices.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct DevicesChanged {
    /// Devices that are new, or back.
    pub added: Vec<Address>,
    /// Devices to which nothing is sent any more.
    pub removed: Vec<Address>,
    /// Devices that were installed anew: sending to them needs a new session.
    pub reinstalled: Vec<Address>,
}

/// What both operations do.
struct Plan<'a> {
    user: &'a str,
    add: Vec<ListedDevice>,
    remove: Vec<DeviceId>,
    archive: Vec<DeviceId>,
}

impl Plan<'_> {
    fn key(&self) -> RecordKey {
        RecordKey::User(self.user.into())
    }

    fn address(&self, id: DeviceId) -> Address {
        Address::new(self.user, id)
    }

    /// Sessions that may be archived or deleted.
    fn touched<'u>(&'u self, user: &'u User) -> impl Iterator<Item = Address> + 'u {
        let known = user.devices().iter().map(|device| device.id);
        let reinstalled = self.add.iter().filter_map(|listed| {
            let known = user.device(listed.id)?.registration_id?;
            listed.registration_id.filter(|&new| new != known).map(|_| listed.id)
        });
        let expired = known.filter(|&id| {
            user.device(id).is_some_and(|device| device.removed.is_some())
                && !self.add.iter().any(|listed| listed.id == id)
        });
        let ids: Vec<_> = self.archive.iter().copied().chain(reinstalled).chain(expired).collect();
        ids.into_iter().map(|id| self.address(id))
    }

    fn needs(&self, loaded: &Loaded) -> Result<Vec<RecordKey>, Error> {
        let keys = loaded.snapshot().missing([self.key()]);
        if !keys.is_empty() {
            return Ok(keys);
        }
        let user: User = loaded.read(&self.key())?.unwrap_or_default();
        let mut keys = Vec::new();
        for address in self.touched(&user) {
            keys.extend(loaded.session_needs(&address)?);
        }
        keys.sort_unstable();
        keys.dedup();
        Ok(keys)
    }

    fn run(
        &self,
        loaded: &mut Loaded,
        now: Timestamp,
        rng: &mut impl CryptoRng,
    ) -> Result<(DevicesChanged, Changes), Error> {
        let before: Option<User> = loaded.read(&self.key())?;
        let mut user = before.clone().unwrap_or_default();
        let mut done = DevicesChanged::default();
        let mut archive = self.archive.clone();
        for listed in &self.add {
            let was_active = user.device(listed.id).is_some_and(|device| device.removed.is_none());
            if user.add(listed.id, listed.registration_id)? {
                archive.push(listed.id);
            }
            if !was_active {
                done.added.push(self.address(listed.id));
            }
        }
        for &id in &self.remove {
            if user.remove(id, now) {
                done.removed.push(self.address(id));
            }
        }
        archive.sort_unstable();
        archive.dedup();
        // The sessions of removed devices are kept for late messages, and then deleted.
        let mut over = Vec::new();
        for id in user.expired(now) {
            user.forget(id);
            over.push((self.address(id), loaded.take_session(&self.address(id))?));
        }
        let mut sessions = Vec::new();
        for id in archive {
            let address = self.address(id);
            let mut session: Session = loaded.take_session(&address)?;
            session.archive_current();
            sessions.push((address.clone(), session));
            done.reinstalled.push(address);
        }
        let mut changes = loaded.save(sessions, rng)?;
        for (address, session) in over {
            session.delete(&address, &mut changes)?;
        }
        if before.as_ref() != Some(&user) {
            loaded.write(self.key(), &user, &mut changes, rng)?;
        }
        Ok((done, changes))
    }
}

impl UpdateDevices<'_> {
    fn plan(&self, loaded: &Loaded) -> Result<Plan<'_>, Error> {
        let key = RecordKey::User(self.user.into());
        let known: User = match loaded.snapshot().contains(&key) {
            true => loaded.read(&key)?.unwrap_or_default(),
            false => User::default(),
        };
        let listed = |id: &DeviceId| self.devices.iter().any(|device| device.id == *id);
        Ok(Plan {
            user: self.user,
            add: self.devices.to_vec(),
            remove: known.active().map(|device| device.id).filter(|id| !listed(id)).collect(),
            archive: Vec::new(),
        })
    }
}

impl CorrectDevices<'_> {
    fn plan(&self) -> Plan<'_> {
        let added = |&id| ListedDevice { id, registration_id: None };
        Plan {
            user: self.user,
            add: self.missing.iter().map(added).collect(),
            remove: self.extra.to_vec(),
            archive: self.stale.to_vec(),
        }
    }
}

impl Operation for UpdateDevices<'_> {
    type Output = DevicesChanged;

    fn needs(&self, _own: &Own, loaded: &Loaded) -> Result<Vec<RecordKey>, Error> {
        self.plan(loaded)?.needs(loaded)
    }

    /// # Errors
    ///
    /// [`Error::InvalidArgument`] for more than 256 devices, removed ones included.
    fn run(
        &self,
        _own: &Own,
        loaded: &mut Loaded,
        now: Timestamp,
        rng: &mut impl CryptoRng,
    ) -> Result<(DevicesChanged, Changes), Error> {
        self.plan(loaded)?.run(loaded, now, rng)
    }
}

impl Operation for CorrectDevices<'_> {
    type Output = DevicesChanged;

    fn needs(&self, _own: &Own, loaded: &Loaded) -> Result<Vec<RecordKey>, Error> {
        self.plan().needs(loaded)
    }

    /// # Errors
    ///
    /// As [`UpdateDevices`].
    fn run(
        &self,
        _own: &Own,
        loaded: &mut Loaded,
        now: Timestamp,
        rng: &mut impl CryptoRng,
    ) -> Result<(DevicesChanged, Changes), Error> {
        self.plan().run(loaded, now, rng)
    }
}
