//! One party: a device with its keys, sessions and what it trusts, in memory.

use std::collections::BTreeMap;

use sandi::Address;
use sandi::group::{Distribution, SenderKeyRecord};
use sandi::keys::{IdentityKey, IdentityKeyPair};
use sandi::migrate::official;
use sandi::prekey::{KemPreKey, PreKey, PreKeyId, ReplayGuard, SignedPreKey};
use sandi::session::{LocalDevice, Session};
use sandi_interop::json::b64;
use serde_json::{Value, json};

use crate::failure::Failure;

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
    pub(crate) address: Address,
    pub(crate) registration_id: u32,
    pub(crate) identity: IdentityKeyPair,
    pub(crate) trust: Trust,
    pub(crate) identities: BTreeMap<Address, IdentityKey>,
    pub(crate) sessions: BTreeMap<Address, Session>,
    pub(crate) pre_keys: BTreeMap<PreKeyId, PreKey>,
    pub(crate) signed_pre_keys: BTreeMap<PreKeyId, SignedPreKey>,
    /// With whether the key is one-time.
    pub(crate) kem_pre_keys: BTreeMap<PreKeyId, (KemPreKey, bool)>,
    pub(crate) guard: ReplayGuard,
    pub(crate) sender_keys: BTreeMap<(Distribution, Address), SenderKeyRecord>,
    pub(crate) events: Vec<Value>,
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

    /// Whether `key` is trusted where `known` is what is known.
    pub(crate) fn accepts(
        self,
        known: Option<IdentityKey>,
        key: &IdentityKey,
        direction: Direction,
    ) -> bool {
        let first_or_same = known.is_none_or(|known| known == *key);
        match self {
            Self::Always => true,
            Self::Never => false,
            Self::Tofu => first_or_same,
            Self::TofuSending => first_or_same || direction == Direction::Receiving,
        }
    }
}

impl Party {
    pub(crate) fn new(
        address: Address,
        registration_id: u32,
        identity: IdentityKeyPair,
        trust: Trust,
    ) -> Self {
        Self {
            address,
            registration_id,
            identity,
            trust,
            identities: BTreeMap::new(),
            sessions: BTreeMap::new(),
            pre_keys: BTreeMap::new(),
            signed_pre_keys: BTreeMap::new(),
            kem_pre_keys: BTreeMap::new(),
            guard: ReplayGuard::new(),
            sender_keys: BTreeMap::new(),
            events: Vec::new(),
        }
    }

    pub(crate) const fn local(&self) -> LocalDevice<'_> {
        LocalDevice { identity: &self.identity, registration_id: self.registration_id }
    }

    pub(crate) fn known(&self, peer: &Address) -> Option<IdentityKey> {
        self.identities.get(peer).copied()
    }

    pub(crate) fn save_identity(&mut self, peer: &Address, key: IdentityKey) {
        self.identities.insert(peer.clone(), key);
        self.event("saveIdentity", peer.to_string());
    }

    pub(crate) fn event(&mut self, what: &str, key: impl Into<Value>) {
        self.events.push(json!({"what": what, "key": key.into()}));
    }

    pub(crate) fn info(&self, handle: &str) -> Value {
        json!({
            "party": handle,
            "name": self.address.name(),
            "deviceId": self.address.device().get(),
            "registrationId": self.registration_id,
            "identityKey": b64(&self.identity.identity_key().encode()),
            "trust": self.trust.name(),
            "preKeys": self.pre_keys.keys().collect::<Vec<_>>(),
            "signedPreKeys": self.signed_pre_keys.keys().collect::<Vec<_>>(),
            "kyberPreKeys": self.kem_pre_keys.keys().collect::<Vec<_>>(),
            "sessions": self.sessions.keys().map(ToString::to_string).collect::<Vec<_>>(),
            "senderKeys": self.sender_keys.keys().map(|(_, sender)| sender.to_string()).collect::<Vec<_>>(),
        })
    }

    /// An independent copy. Secrets have no `Clone`: it is made through their records.
    pub(crate) fn copy(&self) -> Result<Self, Failure> {
        let identity = IdentityKeyPair::decode(self.identity.encode().expose())?;
        let mut copy = Self::new(self.address.clone(), self.registration_id, identity, self.trust);
        copy.identities.clone_from(&self.identities);
        copy.guard.clone_from(&self.guard);
        for (peer, session) in &self.sessions {
            let session = official::decode_session(&official::encode_session(session))?;
            copy.sessions.insert(peer.clone(), session);
        }
        for (name, record) in &self.sender_keys {
            let record = SenderKeyRecord::decode(&record.encode())?;
            copy.sender_keys.insert(name.clone(), record);
        }
        for (id, key) in &self.pre_keys {
            let key = official::decode_pre_key(&official::encode_pre_key(key))?;
            copy.pre_keys.insert(*id, key);
        }
        for (id, key) in &self.signed_pre_keys {
            let key = official::decode_signed_pre_key(&official::encode_signed_pre_key(key))?;
            copy.signed_pre_keys.insert(*id, key);
        }
        for (id, (key, one_time)) in &self.kem_pre_keys {
            let key = official::decode_kem_pre_key(&official::encode_kem_pre_key(key))?;
            copy.kem_pre_keys.insert(*id, (key, *one_time));
        }
        Ok(copy)
    }
}
