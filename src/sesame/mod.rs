//! One user, many devices (Sesame): which devices a user has, and one call that writes to all of them.
//!
//! The lists come from the application's server; what follows from them is kept here. A user's record
//! holds at most 256 devices, removed ones included. A removed device is not sent to any more; the
//! session with it is kept for late messages, for 30 days, and then deleted.
//!
//! | file | what |
//! |---|---|
//! | `user` | the record of one user's devices |
//! | `devices` | taking over a list, and a server's corrections |
//! | `send` | encrypting to all devices of some users, and to our own |

mod devices;
mod send;
mod user;

use rand_core::CryptoRng;

pub use devices::{CorrectDevices, DevicesChanged, ListedDevice, UpdateDevices};
pub use send::{EncryptToUsers, Sent};
pub use user::{DEVICES_MAX, KEEP_REMOVED, KnownDevice, User};

use crate::device::{Device, DeviceError};
use crate::protocol::Stored;
use crate::store::{Record, RecordKey, Store};
use crate::time::Timestamp;

impl<S: Store> Device<S> {
    /// The devices of a user; `None` if their list was never taken over.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidState`](crate::Error::InvalidState),
    /// [`Error::FutureRecord`](crate::Error::FutureRecord); those of the store.
    pub fn devices_of(&self, user: &str) -> Result<Option<User>, DeviceError<S::Error>> {
        let record = self.store().load(&RecordKey::User(user.into()));
        let record = record.map_err(DeviceError::Store)?;
        Ok(record.as_ref().map(Record::bytes).map(User::decode).transpose()?)
    }

    /// Takes over a server's full list of a user's devices.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidArgument`](crate::Error::InvalidArgument) for more than 256 devices, removed ones
    /// included; those of the store.
    pub fn update_devices(
        &mut self,
        user: &str,
        devices: &[ListedDevice],
        now: Timestamp,
        rng: &mut impl CryptoRng,
    ) -> Result<DevicesChanged, DeviceError<S::Error>> {
        self.perform(&UpdateDevices { user, devices }, now, rng)
    }

    /// Encrypts `content` to every device of `users`, and `own_content` to this account's other devices,
    /// in one commit: for all of them or, if something is missing, for none.
    ///
    /// # Errors
    ///
    /// Those of corrupt lists, and of the store.
    pub fn encrypt_to_users(
        &mut self,
        users: &[&str],
        content: &[u8],
        own_content: Option<&[u8]>,
        now: Timestamp,
        rng: &mut impl CryptoRng,
    ) -> Result<Sent, DeviceError<S::Error>> {
        self.perform(&EncryptToUsers { users, content, own_content }, now, rng)
    }
}
