//! The devices of one user, as this device knows them.

use alloc::vec::Vec;

use crate::address::DeviceId;
use crate::error::Error;
use crate::protocol::Stored;
use crate::time::Timestamp;
use crate::wire::reader::{Reader, Value};
use crate::wire::writer::Writer;

/// Devices of one user at most.
pub const DEVICES_MAX: usize = 256;
/// How long the session with a removed device is kept for late messages, in milliseconds: 30 days.
pub const KEEP_REMOVED: u64 = 30 * 24 * 60 * 60 * 1000;

/// One device of a user.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct KnownDevice {
    /// Its id.
    pub id: DeviceId,
    /// Its registration id, if the server has told: another one means that it was installed anew.
    pub registration_id: Option<u32>,
    /// Since when it is no longer one of the user's devices. Nothing is sent to it then; what it sent
    /// before still decrypts, for 30 days.
    pub removed: Option<Timestamp>,
}

/// The record of [`RecordKey::User`](crate::RecordKey::User): at most 256 devices, removed ones
/// included, in the order of their ids.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct User {
    devices: Vec<KnownDevice>,
}

impl User {
    /// All devices, also removed ones.
    #[must_use]
    pub fn devices(&self) -> &[KnownDevice] {
        &self.devices
    }

    /// The devices to which messages are sent.
    pub fn active(&self) -> impl Iterator<Item = &KnownDevice> {
        self.devices.iter().filter(|device| device.removed.is_none())
    }

    /// The device of an id, also a removed one.
    #[must_use]
    pub fn device(&self, id: DeviceId) -> Option<&KnownDevice> {
        self.find(id).ok().and_then(|at| self.devices.get(at))
    }

    fn find(&self, id: DeviceId) -> Result<usize, usize> {
        self.devices.binary_search_by_key(&id, |device| device.id)
    }

    /// Adds a device, or brings it back. Returns whether its registration id is another one than before.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidArgument`] for more than 256 devices.
    pub(super) fn add(
        &mut self,
        id: DeviceId,
        registration_id: Option<u32>,
    ) -> Result<bool, Error> {
        match self.find(id) {
            Ok(at) => {
                let Some(device) = self.devices.get_mut(at) else { return Ok(false) };
                device.removed = None;
                let Some(new) = registration_id else { return Ok(false) };
                Ok(device.registration_id.replace(new).is_some_and(|old| old != new))
            }
            Err(at) => {
                if self.devices.len() >= DEVICES_MAX {
                    return Err(Error::InvalidArgument);
                }
                self.devices.insert(at, KnownDevice { id, registration_id, removed: None });
                Ok(false)
            }
        }
    }

    /// Removes a device from those that are sent to. Returns whether it was one of them.
    pub(super) fn remove(&mut self, id: DeviceId, now: Timestamp) -> bool {
        match self.find(id).ok().and_then(|at| self.devices.get_mut(at)) {
            Some(device) if device.removed.is_none() => {
                device.removed = Some(now);
                true
            }
            _ => false,
        }
    }

    /// Removed devices whose time is over. A clock that went back ends no time.
    pub(super) fn expired(&self, now: Timestamp) -> Vec<DeviceId> {
        let over = |device: &&KnownDevice| {
            device.removed.is_some_and(|since| {
                now.as_millis().saturating_sub(since.as_millis()) >= KEEP_REMOVED
            })
        };
        self.devices.iter().filter(over).map(|device| device.id).collect()
    }

    pub(super) fn forget(&mut self, id: DeviceId) {
        self.devices.retain(|device| device.id != id);
    }
}

impl Stored for User {
    fn read(fields: Reader<'_>) -> Result<Self, Error> {
        let mut user = Self::default();
        for field in fields {
            let device = match field? {
                (1, value) => read_device(value)?,
                _ => return Err(Error::InvalidState),
            };
            let ascends = user.devices.last().is_none_or(|last| last.id < device.id);
            if !ascends || user.devices.len() >= DEVICES_MAX {
                return Err(Error::InvalidState);
            }
            user.devices.push(device);
        }
        Ok(user)
    }

    fn write(&self, w: &mut Writer<'_>) {
        for device in &self.devices {
            w.message(1, |w| {
                w.uint(1, device.id.get());
                w.uint_option(2, device.registration_id);
                w.uint_option(3, device.removed.map(Timestamp::as_millis));
            });
        }
    }
}

fn read_device(value: Value<'_>) -> Result<KnownDevice, Error> {
    let (mut id, mut registration_id, mut removed) = (None, None, None);
    for field in Reader::new(value.bytes()?) {
        match field? {
            (1, value) => id = Some(value.uint32()?),
            (2, value) => registration_id = Some(value.uint32()?),
            (3, value) => removed = Some(Timestamp(value.uint64()?)),
            _ => return Err(Error::InvalidState),
        }
    }
    let id = DeviceId::new_v3(id.ok_or(Error::InvalidState)?)?;
    Ok(KnownDevice { id, registration_id, removed })
}
