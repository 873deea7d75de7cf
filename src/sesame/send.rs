//! One call that encrypts to every device of some users, and to the sender's own other devices.

use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use rand_core::CryptoRng;

use super::user::User;
use crate::address::Address;
use crate::error::Error;
use crate::protocol::{Encrypt, Encrypted, Loaded, Operation, Own, Recipient};
use crate::store::{Changes, RecordKey};
use crate::time::Timestamp;

/// Encrypts to every device of some users, and to this account's other devices, in one commit.
#[derive(Clone, Copy)]
pub struct EncryptToUsers<'a> {
    /// The names of the users' addresses. Our own name stands for our other devices.
    pub users: &'a [&'a str],
    /// What each of their devices gets.
    pub content: &'a [u8],
    /// What each of our own other devices gets, such as a copy that says to whom it went; `None` for
    /// none.
    pub own_content: Option<&'a [u8]>,
}

/// What became of a message to users.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Sent {
    /// One message for every device.
    Messages(Vec<Encrypted>),
    /// Something is missing first. Nothing was encrypted, and no key was spent.
    Incomplete {
        /// Users whose devices are not known: get their lists ([`UpdateDevices`](super::UpdateDevices)).
        unknown_users: Vec<String>,
        /// Devices with which a session has to be started: fetch their bundles. A device whose bundle
        /// cannot be had is removed ([`CorrectDevices`](super::CorrectDevices)).
        need_session: Vec<Address>,
        /// Devices whose identity key or hosting waits for the user's answer, or whose session cannot be
        /// read.
        blocked: Vec<(Address, Error)>,
    },
}

/// The devices of those users whose list is loaded, and the users that have none.
#[derive(Default)]
struct Devices<'a> {
    to: Vec<(Address, &'a [u8])>,
    unknown: Vec<String>,
    /// Lists that are not loaded yet.
    missing: Vec<RecordKey>,
}

impl EncryptToUsers<'_> {
    /// The users, and what each of their devices gets.
    fn contents<'s>(&'s self, own: &'s Own) -> BTreeMap<&'s str, &'s [u8]> {
        let users = self.users.iter().map(|&user| (user, self.content));
        let ours = self.own_content.map(|content| (own.local.address().name(), content));
        users.chain(ours).collect()
    }

    fn devices<'s>(&'s self, own: &'s Own, loaded: &Loaded) -> Result<Devices<'s>, Error> {
        let mut devices = Devices::default();
        for (user, content) in self.contents(own) {
            let key = RecordKey::User(user.into());
            if !loaded.snapshot().contains(&key) {
                devices.missing.push(key);
                continue;
            }
            let Some(known) = loaded.read::<User>(&key)? else {
                devices.unknown.push(user.into());
                continue;
            };
            let addresses = known.active().map(|device| Address::new(user, device.id));
            let others = addresses.filter(|address| address != own.local.address());
            devices.to.extend(others.map(|address| (address, content)));
        }
        Ok(devices)
    }

    /// The lists were decided upon: a device that is added meanwhile must not be left out.
    fn require_lists(
        &self,
        own: &Own,
        loaded: &Loaded,
        changes: &mut Changes,
    ) -> Result<(), Error> {
        for &user in self.contents(own).keys() {
            let key = RecordKey::User(user.into());
            let revision = loaded.snapshot().revision(&key)?;
            changes.require(key, revision)?;
        }
        Ok(())
    }
}

impl Devices<'_> {
    fn recipients(&self) -> Vec<Recipient<'_>> {
        self.to.iter().map(|(address, plaintext)| Recipient { address, plaintext }).collect()
    }
}

impl Operation for EncryptToUsers<'_> {
    type Output = Sent;

    fn needs(&self, own: &Own, loaded: &Loaded) -> Result<Vec<RecordKey>, Error> {
        let devices = self.devices(own, loaded)?;
        if !devices.missing.is_empty() {
            return Ok(devices.missing);
        }
        Encrypt { recipients: &devices.recipients() }.needs(own, loaded)
    }

    fn run(
        &self,
        own: &Own,
        loaded: &mut Loaded,
        now: Timestamp,
        rng: &mut impl CryptoRng,
    ) -> Result<(Sent, Changes), Error> {
        let devices = self.devices(own, loaded)?;
        let (mut need_session, mut blocked) = (Vec::new(), Vec::new());
        for (address, _) in &devices.to {
            match Encrypt::check(own, loaded, address, now) {
                Ok(()) => {}
                Err(Error::SessionNotFound) => need_session.push(address.clone()),
                Err(error) => blocked.push((address.clone(), error)),
            }
        }
        if !(devices.unknown.is_empty() && need_session.is_empty() && blocked.is_empty()) {
            let mut changes = Changes::new();
            for address in need_session.iter().chain(blocked.iter().map(|(address, _)| address)) {
                loaded.require_peer(own, address, &mut changes)?;
            }
            Encrypt { recipients: &devices.recipients() }.require(own, loaded, &mut changes)?;
            self.require_lists(own, loaded, &mut changes)?;
            let unknown_users = devices.unknown;
            let sent = Sent::Incomplete { unknown_users, need_session, blocked };
            return Ok((sent, changes));
        }
        let (messages, mut changes) =
            Encrypt { recipients: &devices.recipients() }.run(own, loaded, now, rng)?;
        self.require_lists(own, loaded, &mut changes)?;
        Ok((Sent::Messages(messages), changes))
    }
}

/// Without the content.
impl fmt::Debug for EncryptToUsers<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "EncryptToUsers({:?}, {} bytes)", self.users, self.content.len())
    }
}
