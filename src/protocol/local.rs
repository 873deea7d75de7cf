//! The device itself, as it is stored.

use alloc::string::String;

use rand_core::CryptoRng;

use super::record::{Stored, required};
use crate::address::{Address, DeviceId};
use crate::error::Error;
use crate::keys::IdentityKeyPair;
use crate::session::LocalDevice;
use crate::store::{Changes, RecordKey, Snapshot};
use crate::wire::reader::Reader;
use crate::wire::writer::Writer;

/// Whether the devices of an account share one identity key.
///
/// Decides under which name the identity key of a peer is kept: fixed when the device is created.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum IdentityScope {
    /// One identity for all devices of an account, as Signal has it.
    Account,
    /// An identity for each device, as the WhatsApp family has it.
    Device,
}

/// What a device is, for as long as its store lives: written once, when it is created.
///
/// A device that registers anew, with another identity or registration id, starts with an empty store.
#[derive(Debug, PartialEq, Eq)]
pub struct Local {
    address: Address,
    identity: IdentityKeyPair,
    registration_id: u32,
    scope: IdentityScope,
}

impl Local {
    /// The greatest registration id that [`random_registration_id`](crate::device::random_registration_id)
    /// gives. Servers and sealed sender (spec 06 §5) carry 14 bits; what another implementation has chosen
    /// is kept, whatever it is.
    pub const LAST_REGISTRATION_ID: u32 = 0x3FFF;

    /// A device of its parts.
    #[must_use]
    pub const fn new(
        address: Address,
        identity: IdentityKeyPair,
        registration_id: u32,
        scope: IdentityScope,
    ) -> Self {
        Self { address, identity, registration_id, scope }
    }

    /// The changes that create the device: its record, where there must be none yet. Draws 8 bytes.
    ///
    /// # Errors
    ///
    /// None that can happen here.
    pub fn create(&self, rng: &mut impl CryptoRng) -> Result<Changes, Error> {
        let mut changes = Changes::new();
        changes.create(RecordKey::Local, self.encode(), rng)?;
        Ok(changes)
    }

    /// Reads the device's record; `None` if there is none: the device was never created.
    ///
    /// # Errors
    ///
    /// [`Error::NotLoaded`] unless [`RecordKey::Local`] is in `snapshot`; [`Error::FutureRecord`],
    /// [`Error::InvalidState`].
    pub fn load(snapshot: &Snapshot) -> Result<Option<Self>, Error> {
        snapshot.get(&RecordKey::Local)?.map(|record| Self::decode(record.bytes())).transpose()
    }

    /// The device's own address.
    #[must_use]
    pub const fn address(&self) -> &Address {
        &self.address
    }

    /// The account's identity.
    #[must_use]
    pub const fn identity(&self) -> &IdentityKeyPair {
        &self.identity
    }

    /// The device's registration id.
    #[must_use]
    pub const fn registration_id(&self) -> u32 {
        self.registration_id
    }

    /// Whether the devices of an account share one identity key.
    #[must_use]
    pub const fn scope(&self) -> IdentityScope {
        self.scope
    }

    /// Where the identity key of `peer` is kept.
    #[must_use]
    pub fn identity_key_of(&self, peer: &Address) -> RecordKey {
        let device = match self.scope {
            IdentityScope::Account => None,
            IdentityScope::Device => Some(peer.device()),
        };
        RecordKey::Identity { name: peer.name().into(), device }
    }

    pub(super) const fn for_session(&self) -> LocalDevice<'_> {
        LocalDevice { identity: &self.identity, registration_id: self.registration_id }
    }
}

impl Stored for Local {
    fn read(fields: Reader<'_>) -> Result<Self, Error> {
        let (mut name, mut device, mut identity) = (None, None, None);
        let (mut registration_id, mut scope) = (0, None);
        for field in fields {
            match field? {
                (1, value) => name = Some(value.bytes()?),
                (2, value) => device = Some(value.uint32()?),
                (3, value) => identity = Some(value.bytes()?),
                (4, value) => registration_id = value.uint32()?,
                (5, value) => scope = Some(value.uint32()?),
                _ => return Err(Error::InvalidState),
            }
        }
        let name = core::str::from_utf8(required(name)?).map_err(|_| Error::InvalidState)?;
        let address = Address::new(String::from(name), DeviceId::new_v3(required(device)?)?);
        let scope = match required(scope)? {
            1 => IdentityScope::Account,
            2 => IdentityScope::Device,
            _ => return Err(Error::InvalidState),
        };
        let identity = IdentityKeyPair::decode(required(identity)?)?;
        Ok(Self::new(address, identity, registration_id, scope))
    }

    fn write(&self, w: &mut Writer<'_>) {
        w.bytes(1, self.address.name().as_bytes());
        w.uint(2, self.address.device().get());
        w.bytes(3, self.identity.encode().expose());
        w.uint(4, self.registration_id);
        let scope: u32 = match self.scope {
            IdentityScope::Account => 1,
            IdentityScope::Device => 2,
        };
        w.uint(5, scope);
    }
}
