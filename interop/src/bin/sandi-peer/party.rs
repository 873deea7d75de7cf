//! One party: a [`Device`], and what only the protocol of the peers knows of it.

use sandi::device::{DeviceError, NewDevice};
use sandi::group::{Distribution, SenderKeyRecord};
use sandi::keys::{IdentityKey, IdentityKeyPair};
use sandi::prekey::{KemPreKey, PreKey, PreKeyId, SignedPreKey};
use sandi::protocol::{IdentityScope, ImportPreKeys, Options, TrustPolicy};
use sandi::session::{LocalDevice, Session};
use sandi::store::Snapshot;
use sandi::{
    Address, Changes, CommitError, Device, Error, OsRng, Policy, RecordKey, Store, Timestamp,
};
use sandi_interop::json::b64;
use serde_json::{Value, json};

use crate::failure::Failure;
use crate::store::{Home, PartyStore};

/// How a party treats identity keys.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Trust {
    Tofu,
    TofuSending,
    Always,
    Never,
}

/// What an identity is asked to be trusted for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Direction {
    Sending,
    Receiving,
}

pub(crate) struct Party {
    device: Device<PartyStore>,
    pub(crate) trust: Trust,
    pub(crate) events: Vec<Value>,
}

/// What a party is made of.
pub(crate) struct NewParty {
    pub(crate) address: Address,
    pub(crate) registration_id: u32,
    pub(crate) identity: IdentityKeyPair,
    pub(crate) trust: Trust,
}

impl Trust {
    pub(crate) fn parse(text: &str) -> Result<Self, Failure> {
        match text {
            "tofu" => Ok(Self::Tofu),
            "tofu-sending" => Ok(Self::TofuSending),
            "always" => Ok(Self::Always),
            "never" => Ok(Self::Never),
            _ => Err(Failure::bad_request(format!("unknown trust {text}"))),
        }
    }

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Tofu => "tofu",
            Self::TofuSending => "tofu-sending",
            Self::Always => "always",
            Self::Never => "never",
        }
    }

    /// The device's policy. That of `never` lets a message decrypt, so that its own errors come first; the
    /// operation then refuses it before the commit.
    const fn policy(self, direction: Direction) -> TrustPolicy {
        match (self, direction) {
            (Self::Tofu, _) | (Self::TofuSending, Direction::Sending) => {
                TrustPolicy::BlockUntilAccepted
            }
            (Self::TofuSending, Direction::Receiving) | (Self::Always | Self::Never, _) => {
                TrustPolicy::Always
            }
        }
    }
}

/// Where the party's trust is stored, beside the records of its device.
fn trust_key() -> RecordKey {
    RecordKey::Application(b"trust".as_slice().into())
}

impl Party {
    pub(crate) fn create(
        store: PartyStore,
        party: NewParty,
        policy: Policy,
        rng: &mut OsRng,
    ) -> Result<Self, Failure> {
        let NewParty { address, registration_id, identity, trust } = party;
        // a policy of keys for each address, as the official stores have it
        let device = NewDevice { address, identity, registration_id, scope: IdentityScope::Device };
        let options = Options { dialects: policy, ..Options::default() };
        let device = Device::create(store, device, options, rng)?;
        let mut party = Self { device, trust, events: Vec::new() };
        party.set_trust(trust, rng)?;
        Ok(party)
    }

    /// The party that an earlier process has left in a store.
    pub(crate) fn open(store: PartyStore, policy: Policy) -> Result<Self, Failure> {
        let options = Options { dialects: policy, ..Options::default() };
        let device = Device::open(store, options)?;
        let record = device.store().load(&trust_key()).map_err(DeviceError::Store)?;
        let trust = match &record {
            Some(record) => Trust::parse(&String::from_utf8_lossy(record.bytes()))?,
            None => Trust::Tofu,
        };
        Ok(Self { device, trust, events: Vec::new() })
    }

    /// An independent copy, of all that is durable.
    pub(crate) fn copy(&self, home: &Home, to: &str) -> Result<Self, Failure> {
        let store = home.copy(self.device.store(), to).map_err(DeviceError::Store)?;
        Self::open(store, self.device.options().dialects)
    }

    /// The same device with another identity. A device has one for as long as its store lives: this is
    /// another one over the same records.
    pub(crate) fn with_identity(
        mut self,
        identity: IdentityKeyPair,
        rng: &mut OsRng,
    ) -> Result<Self, Failure> {
        let party = NewParty {
            address: self.address().clone(),
            registration_id: self.registration_id(),
            identity,
            trust: self.trust,
        };
        let (policy, events) = (self.device.options().dialects, std::mem::take(&mut self.events));
        self.delete_record(RecordKey::Local)?;
        let party = Self::create(self.device.into_store(), party, policy, rng)?;
        Ok(Self { events, ..party })
    }

    pub(crate) fn set_trust(&mut self, trust: Trust, rng: &mut OsRng) -> Result<(), Failure> {
        let key = trust_key();
        let stored = self.device.store().load(&key).map_err(DeviceError::Store)?;
        let mut changes = Changes::new();
        let revision = stored.map(|record| record.revision());
        changes.put(key, revision, trust.name().as_bytes().to_vec(), rng)?;
        self.commit(&changes)?;
        self.trust = trust;
        Ok(())
    }

    pub(crate) const fn address(&self) -> &Address {
        self.device.address()
    }

    pub(crate) const fn identity(&self) -> &IdentityKeyPair {
        self.device.identity()
    }

    pub(crate) const fn registration_id(&self) -> u32 {
        self.device.registration_id()
    }

    pub(crate) const fn local(&self) -> LocalDevice<'_> {
        LocalDevice { identity: self.identity(), registration_id: self.registration_id() }
    }

    /// The device, for what asks nobody for trust.
    pub(crate) const fn device(&mut self) -> &mut Device<PartyStore> {
        &mut self.device
    }

    /// The device, with the party's trust in a direction.
    pub(crate) const fn trusting(&mut self, direction: Direction) -> &mut Device<PartyStore> {
        let mut options = *self.device.options();
        options.trust = self.trust.policy(direction);
        self.device.set_options(options);
        &mut self.device
    }

    pub(crate) fn known(&self, peer: &Address) -> Result<Option<IdentityKey>, Failure> {
        Ok(self.device.identity_of(peer)?.map(|known| *known.key()))
    }

    /// A key was met and trusted: from now on it is the known one, as the official stores have it. The
    /// device holds on to the key of the newest session; the two differ where more is trusted than that.
    pub(crate) fn save_identity(
        &mut self,
        peer: &Address,
        key: IdentityKey,
        rng: &mut OsRng,
    ) -> Result<(), Failure> {
        if self.trust != Trust::Tofu && self.known(peer)? != Some(key) {
            self.device.accept_identity(peer, &key, now(), rng)?;
        }
        self.event("saveIdentity", peer.to_string());
        Ok(())
    }

    /// What is read of the sessions with `peer`; `None` without any.
    pub(crate) fn session<T>(
        &mut self,
        peer: &Address,
        read: impl FnOnce(&Session) -> T,
    ) -> Result<Option<T>, Failure> {
        Ok(self.device.read_session(peer, |session| {
            let exists = session.has_current() || session.archived_count() > 0;
            exists.then(|| read(session))
        })?)
    }

    /// Moves a session in, instead of what there was. It brings the peer's identity, unless one is known.
    pub(crate) fn put_session(
        &mut self,
        peer: &Address,
        session: Session,
        rng: &mut OsRng,
    ) -> Result<(), Failure> {
        let identity = match self.known(peer)? {
            Some(_) => None,
            None => session.remote_identity().copied(),
        };
        self.device.delete_session(peer, now(), rng)?;
        Ok(self.device.import_peer(peer, session, identity.as_ref(), now(), rng)?)
    }

    pub(crate) fn put_pre_key(&mut self, key: &PreKey, rng: &mut OsRng) -> Result<(), Failure> {
        let one_time = std::slice::from_ref(key);
        let keys = ImportPreKeys { one_time, ..ImportPreKeys::default() };
        self.put_keys(RecordKey::PreKey(key.id()), &keys, rng)
    }

    pub(crate) fn put_signed_pre_key(
        &mut self,
        key: &SignedPreKey,
        rng: &mut OsRng,
    ) -> Result<(), Failure> {
        let signed = std::slice::from_ref(key);
        let keys = ImportPreKeys { signed, ..ImportPreKeys::default() };
        self.put_keys(RecordKey::SignedPreKey(key.id()), &keys, rng)
    }

    pub(crate) fn put_kem_pre_key(
        &mut self,
        key: &KemPreKey,
        one_time: bool,
        rng: &mut OsRng,
    ) -> Result<(), Failure> {
        let (all, none): (&[KemPreKey], &[KemPreKey]) = (std::slice::from_ref(key), &[]);
        let (one_time_kem, last_resort) = if one_time { (all, none) } else { (none, all) };
        let keys = ImportPreKeys { one_time_kem, last_resort, ..ImportPreKeys::default() };
        self.put_keys(RecordKey::KemPreKey(key.id()), &keys, rng)
    }

    /// Takes keys in; a device never replaces one, the peers' protocol does.
    fn put_keys(
        &mut self,
        replaced: RecordKey,
        keys: &ImportPreKeys<'_>,
        rng: &mut OsRng,
    ) -> Result<(), Failure> {
        self.delete_record(replaced)?;
        Ok(self.device.import_pre_keys(keys, now(), rng)?)
    }

    /// The sender key of `sender`, if it has given one.
    pub(crate) fn sender_key(
        &self,
        by: &Distribution,
        sender: &Address,
    ) -> Result<Option<SenderKeyRecord>, Failure> {
        let (key, mut snapshot) = (by.sender_key(sender), Snapshot::new());
        let Some(record) = self.device.store().load(&key).map_err(DeviceError::Store)? else {
            return Ok(None);
        };
        snapshot.insert(key, Some(record));
        Ok(Some(SenderKeyRecord::load(by, sender, &snapshot)?))
    }

    /// Stores what has become of a sender key.
    pub(crate) fn save_sender_key(
        &mut self,
        by: &Distribution,
        sender: &Address,
        mut record: SenderKeyRecord,
        rng: &mut OsRng,
    ) -> Result<(), Failure> {
        let mut changes = Changes::new();
        record.save(by, sender, &mut changes, rng)?;
        self.commit(&changes)
    }

    /// Deletes one record beside the device; whether there was one.
    pub(crate) fn delete_record(&mut self, key: RecordKey) -> Result<bool, Failure> {
        let record = self.device.store().load(&key).map_err(DeviceError::Store)?;
        let Some(record) = record else { return Ok(false) };
        let mut changes = Changes::new();
        changes.delete(key, record.revision())?;
        self.commit(&changes)?;
        self.device.forget_cached();
        Ok(true)
    }

    fn commit(&mut self, changes: &Changes) -> Result<(), Failure> {
        self.device.store_mut().commit(changes).map_err(|error| match error {
            CommitError::Conflict => Failure::new("StoreFailure", "another process writes"),
            CommitError::Store(error) => DeviceError::Store(error).into(),
        })
    }

    /// The names of the party's records.
    pub(crate) fn keys(&self) -> Result<Vec<RecordKey>, Failure> {
        Ok(self.device.store().keys().map_err(DeviceError::Store)?)
    }

    pub(crate) fn event(&mut self, what: &str, key: impl Into<Value>) {
        self.events.push(json!({"what": what, "key": key.into()}));
    }

    pub(crate) fn info(&self, handle: &str) -> Result<Value, Failure> {
        let keys = self.keys()?;
        Ok(json!({
            "party": handle,
            "name": self.address().name(),
            "deviceId": self.address().device().get(),
            "registrationId": self.registration_id(),
            "identityKey": b64(&self.identity().identity_key().encode()),
            "trust": self.trust.name(),
            "preKeys": ids(&keys, pre_key_id),
            "signedPreKeys": ids(&keys, signed_pre_key_id),
            "kyberPreKeys": ids(&keys, kem_pre_key_id),
            "sessions": session_names(&keys),
            "senderKeys": sender_keys(&keys).map(|(_, sender)| sender.to_string()).collect::<Vec<_>>(),
        }))
    }
}

impl From<DeviceError<sandi_sqlite::SqliteError>> for Failure {
    fn from(error: DeviceError<sandi_sqlite::SqliteError>) -> Self {
        match error.protocol() {
            Some(error) => error.into(),
            None => Self::new("StoreFailure", error.to_string()),
        }
    }
}

/// The ids of one kind of pre-keys, in their order.
pub(crate) fn ids(keys: &[RecordKey], id: fn(&RecordKey) -> Option<PreKeyId>) -> Vec<PreKeyId> {
    keys.iter().filter_map(id).collect()
}

pub(crate) const fn pre_key_id(key: &RecordKey) -> Option<PreKeyId> {
    if let RecordKey::PreKey(id) = key { Some(*id) } else { None }
}

pub(crate) const fn signed_pre_key_id(key: &RecordKey) -> Option<PreKeyId> {
    if let RecordKey::SignedPreKey(id) = key { Some(*id) } else { None }
}

pub(crate) const fn kem_pre_key_id(key: &RecordKey) -> Option<PreKeyId> {
    if let RecordKey::KemPreKey(id) = key { Some(*id) } else { None }
}

/// The addresses that there are sessions with.
pub(crate) fn session_names(keys: &[RecordKey]) -> Vec<String> {
    let name = |key: &RecordKey| match key {
        RecordKey::Session(address) => Some(address.to_string()),
        _ => None,
    };
    keys.iter().filter_map(name).collect()
}

/// The addresses whose identity is known.
pub(crate) fn identity_names(keys: &[RecordKey]) -> Vec<String> {
    let name = |key: &RecordKey| match key {
        RecordKey::Identity { name, device: Some(device) } => {
            Some(Address::new(name.clone(), *device).to_string())
        }
        _ => None,
    };
    keys.iter().filter_map(name).collect()
}

/// The sender keys, by what names them.
pub(crate) fn sender_keys(keys: &[RecordKey]) -> impl Iterator<Item = (Distribution, &Address)> {
    keys.iter().filter_map(|key| match key {
        RecordKey::SenderKey { distribution, sender } => {
            let by = match <[u8; 16]>::try_from(&**distribution) {
                Ok(id) => Distribution::Id(id),
                Err(_) => Distribution::Group(String::from_utf8_lossy(distribution).into_owned()),
            };
            Some((by, sender))
        }
        _ => None,
    })
}

/// The system's time.
pub(crate) fn now() -> Timestamp {
    let since =
        std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    Timestamp(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}

/// The error of an op that needs a session where there is none.
pub(crate) fn no_session() -> Failure {
    Error::SessionNotFound.into()
}
