//! Companions: devices for which their account must vouch before anything is encrypted to them (spec 22 §3,
//! §4; spec 20 §11.10).

use alloc::vec::Vec;

use rand_core::CryptoRng;

use super::record::Stored;
use super::trust::Seen;
use super::{
    Decrypt, Decrypted, IdentityChange, Loaded, Operation, Own, SessionStarted, StartSession,
};
use crate::address::{Address, DeviceId};
use crate::error::Error;
use crate::jid::Jid;
use crate::keys::IdentityKey;
use crate::linking::{
    DeviceList, DeviceListChange, ListedCompanion, SignedDeviceIdentity, VerifiedCompanion,
};
use crate::prekey::PreKeyBundle;
use crate::store::{Changes, RecordKey};
use crate::time::Timestamp;
use crate::wire::reader::Reader;
use crate::wire::writer::Writer;
use crate::wire::{CiphertextMessageType, PreKeySignalMessage};

/// Whether a device has to be vouched for by its account.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum CompanionPolicy {
    /// No: the devices of an account share its identity (Signal), or the application verifies them itself.
    #[default]
    Any,
    /// Yes, as the WhatsApp family has it: nothing is encrypted to a companion, and no pre-key message of one
    /// is read, unless both signatures of its identity have been verified and, for encrypting, the signed
    /// device list that has it is not too old. Costs a record or two an account.
    Verified,
}

/// A companion for which the policy asks.
struct Asked {
    companion: Jid,
    /// Device 0 of its account.
    primary: Address,
    list: RecordKey,
}

impl Asked {
    fn of(companion: &Jid) -> Result<Self, Error> {
        let primary = companion.primary().address()?;
        let list = RecordKey::DeviceList(primary.name().into());
        Ok(Self { companion: companion.clone(), primary, list })
    }

    /// `None` for a primary, and where the policy does not ask.
    fn by_policy(own: &Own, address: &Address) -> Result<Option<Self>, Error> {
        if own.options.companions == CompanionPolicy::Any {
            return Ok(None);
        }
        let jid = Jid::from_address(address)?;
        if jid.device() == DeviceId::PRIMARY && !jid.is_hosted() {
            return Ok(None);
        }
        Self::of(&jid).map(Some)
    }

    fn is_ours(&self, own: &Own) -> bool {
        self.primary == *own.local.address()
    }

    fn needs(&self, own: &Own, loaded: &Loaded) -> Vec<RecordKey> {
        let mut keys = loaded.snapshot().missing([self.list.clone()]);
        if !self.is_ours(own) {
            keys.extend(loaded.identity_needs(own, &self.primary));
        }
        keys
    }

    fn list(&self, loaded: &Loaded) -> Result<DeviceList, Error> {
        Ok(loaded.read(&self.list)?.unwrap_or_default())
    }

    /// The known identity of the account's primary.
    fn primary_identity(&self, own: &Own, loaded: &Loaded) -> Result<Option<IdentityKey>, Error> {
        if self.is_ours(own) {
            return Ok(Some(*own.local.identity().identity_key()));
        }
        loaded.known_identity(own, &self.primary)
    }

    /// What was decided upon must not change under the operation.
    fn require(&self, own: &Own, loaded: &Loaded, changes: &mut Changes) -> Result<(), Error> {
        if changes.get(&self.list).is_none() {
            changes.require(self.list.clone(), loaded.snapshot().revision(&self.list)?)?;
        }
        if self.is_ours(own) {
            return Ok(());
        }
        loaded.require_identity(own, &self.primary, changes)
    }
}

/// The records that the policy needs to decide about `address`, if they are missing.
pub(super) fn needs(own: &Own, loaded: &Loaded, address: &Address) -> Vec<RecordKey> {
    match Asked::by_policy(own, address) {
        Ok(Some(asked)) => asked.needs(own, loaded),
        // A malformed address is refused when the decision is made.
        _ => Vec::new(),
    }
}

/// Whether the policy lets a message be encrypted to `address`, whose session is with `key`.
pub(super) fn permits(
    own: &Own,
    loaded: &Loaded,
    address: &Address,
    key: &IdentityKey,
    now: Timestamp,
) -> Result<(), Error> {
    let Some(asked) = Asked::by_policy(own, address)? else { return Ok(()) };
    let primary = asked.primary_identity(own, loaded)?;
    asked.list(loaded)?.permits(&asked.companion, key, primary.as_ref(), now)
}

/// Whether the policy lets a pre-key message of `address` under `key` be read.
pub(super) fn admits(
    own: &Own,
    loaded: &Loaded,
    address: &Address,
    key: &IdentityKey,
) -> Result<(), Error> {
    let Some(asked) = Asked::by_policy(own, address)? else { return Ok(()) };
    let known = asked.list(loaded)?.knows(&asked.companion, key);
    if known { Ok(()) } else { Err(Error::UnverifiedCompanion) }
}

/// Lets `changes` be committed only if what the policy has decided upon is still the same.
pub(super) fn require(
    own: &Own,
    loaded: &Loaded,
    address: &Address,
    changes: &mut Changes,
) -> Result<(), Error> {
    match Asked::by_policy(own, address) {
        Ok(Some(asked)) => asked.require(own, loaded, changes),
        _ => Ok(()),
    }
}

/// A companion that has just been verified, and what is to be written of it.
struct Vouched {
    asked: Asked,
    verified: VerifiedCompanion,
    before: DeviceList,
    after: DeviceList,
    /// The primary's identity was not known: it is the embedded one from now on.
    first_seen: Option<IdentityKey>,
}

impl Vouched {
    fn verify(
        own: &Own,
        loaded: &Loaded,
        companion: &Jid,
        identity: &IdentityKey,
        device_identity: &[u8],
    ) -> Result<Self, Error> {
        let asked = Asked::of(companion)?;
        let signed = SignedDeviceIdentity::parse(device_identity)?;
        let known = asked.primary_identity(own, loaded)?;
        let verified = VerifiedCompanion::verify(companion, identity, &signed, known.as_ref())?;
        let before = asked.list(loaded)?;
        let mut after = before.clone();
        after.note_verified(companion, &verified)?;
        // A hosting account's key is never stored as the user's identity.
        let first_seen = verified.account().primary().filter(|_| known.is_none());
        Ok(Self { asked, verified, before, after, first_seen })
    }

    /// Carries out `operation` for the companion, and adds what was verified to its changes.
    fn with<T>(
        &self,
        own: &Own,
        loaded: &mut Loaded,
        now: Timestamp,
        rng: &mut impl CryptoRng,
        operation: impl FnOnce(&mut Loaded) -> Result<(T, Changes), Error>,
    ) -> Result<(T, Changes), Error> {
        let (output, mut changes) = operation(loaded)?;
        if let Some(key) = &self.first_seen {
            let primary = &self.asked.primary;
            // Nothing is known of it, so the operation has not touched it either.
            loaded.identity(own, primary)?.observe(primary, key, Seen::InNewSession, now);
            changes.merge(loaded.save([], rng)?)?;
        }
        if self.before != self.after {
            loaded.write(self.asked.list.clone(), &self.after, &mut changes, rng)?;
        }
        self.asked.require(own, loaded, &mut changes)?;
        Ok((output, changes))
    }
}

/// Verifies the identity of a companion, and notes it: it can be encrypted to then, once there is a session
/// and a list that has it.
#[derive(Clone, Copy, Debug)]
pub struct VerifyCompanion<'a> {
    /// The companion.
    pub companion: &'a Jid,
    /// Its identity key, from its bundle.
    pub identity: &'a IdentityKey,
    /// The encoded `ADVSignedDeviceIdentity` that came with the bundle.
    pub device_identity: &'a [u8],
}

impl Operation for VerifyCompanion<'_> {
    type Output = VerifiedCompanion;

    fn needs(&self, own: &Own, loaded: &Loaded) -> Result<Vec<RecordKey>, Error> {
        Ok(Asked::of(self.companion)?.needs(own, loaded))
    }

    /// # Errors
    ///
    /// Those of [`SignedDeviceIdentity::parse`], [`VerifiedCompanion::verify`] and
    /// [`DeviceList::note_verified`].
    fn run(
        &self,
        own: &Own,
        loaded: &mut Loaded,
        now: Timestamp,
        rng: &mut impl CryptoRng,
    ) -> Result<(VerifiedCompanion, Changes), Error> {
        let Self { companion, identity, device_identity } = *self;
        let vouched = Vouched::verify(own, loaded, companion, identity, device_identity)?;
        let verified = vouched.verified;
        vouched.with(own, loaded, now, rng, |_| Ok((verified, Changes::new())))
    }
}

/// Verifies the identity of a companion and starts a session with it, in one commit.
#[derive(Clone, Copy, Debug)]
pub struct StartCompanionSession<'a> {
    /// The companion.
    pub companion: &'a Jid,
    /// What the server handed out for it.
    pub bundle: &'a PreKeyBundle,
    /// The encoded `ADVSignedDeviceIdentity` that came with the bundle.
    pub device_identity: &'a [u8],
}

impl Operation for StartCompanionSession<'_> {
    type Output = SessionStarted;

    fn needs(&self, own: &Own, loaded: &Loaded) -> Result<Vec<RecordKey>, Error> {
        let peer = self.companion.address()?;
        let mut keys = StartSession { peer: &peer, bundle: self.bundle }.needs(own, loaded)?;
        keys.extend(Asked::of(self.companion)?.needs(own, loaded));
        Ok(keys)
    }

    /// # Errors
    ///
    /// Those of [`VerifyCompanion`] and [`StartSession`].
    fn run(
        &self,
        own: &Own,
        loaded: &mut Loaded,
        now: Timestamp,
        rng: &mut impl CryptoRng,
    ) -> Result<(SessionStarted, Changes), Error> {
        let Self { companion, bundle, device_identity } = *self;
        let peer = companion.address()?;
        let identity = &bundle.identity_key;
        let vouched = Vouched::verify(own, loaded, companion, identity, device_identity)?;
        let started = StartSession { peer: &peer, bundle }.run(own, loaded, now, rng)?;
        vouched.with(own, loaded, now, rng, |_| Ok(started))
    }

    fn identity_change(&self, own: &Own, loaded: &mut Loaded) -> Option<IdentityChange> {
        let peer = self.companion.address().ok()?;
        StartSession { peer: &peer, bundle: self.bundle }.identity_change(own, loaded)
    }
}

/// Decrypts a message of a companion that came with its `device-identity`: a pre-key message only once both
/// signatures have been verified for the identity key in it.
#[derive(Clone, Copy, Debug)]
pub struct DecryptFromCompanion<'a> {
    /// The companion, as the envelope names it.
    pub companion: &'a Jid,
    /// The message; [`Decrypt::from`] is the companion's [`Jid::address`].
    pub message: Decrypt<'a>,
    /// The encoded `ADVSignedDeviceIdentity` that came with the message.
    pub device_identity: &'a [u8],
}

impl DecryptFromCompanion<'_> {
    fn is_pre_key(&self) -> bool {
        self.message.message_type == CiphertextMessageType::PreKey
    }
}

impl Operation for DecryptFromCompanion<'_> {
    type Output = Decrypted;

    fn needs(&self, own: &Own, loaded: &Loaded) -> Result<Vec<RecordKey>, Error> {
        let mut keys = self.message.needs(own, loaded)?;
        if self.is_pre_key() {
            keys.extend(Asked::of(self.companion)?.needs(own, loaded));
        }
        keys.sort_unstable();
        keys.dedup();
        Ok(keys)
    }

    /// # Errors
    ///
    /// Those of [`VerifyCompanion`] and [`Decrypt`]; [`Error::InvalidArgument`] if the message is not from
    /// that companion.
    fn run(
        &self,
        own: &Own,
        loaded: &mut Loaded,
        now: Timestamp,
        rng: &mut impl CryptoRng,
    ) -> Result<(Decrypted, Changes), Error> {
        let Self { companion, message, device_identity } = *self;
        if companion.address()? != *message.from {
            return Err(Error::InvalidArgument);
        }
        if !self.is_pre_key() {
            return message.run(own, loaded, now, rng);
        }
        // identityKey in the message is the devicePub of the signatures
        let identity = *PreKeySignalMessage::parse(message.bytes)?.identity_key();
        let vouched = Vouched::verify(own, loaded, companion, &identity, device_identity)?;
        let decrypted = message.carry_out(own, loaded, true, now, rng)?;
        vouched.with(own, loaded, now, rng, |_| Ok(decrypted))
    }

    fn identity_change(&self, own: &Own, loaded: &mut Loaded) -> Option<IdentityChange> {
        self.message.identity_change(own, loaded)
    }
}

/// Takes over a signed device list of an account, see [`DeviceList::update`].
#[derive(Clone, Copy, Debug)]
pub struct UpdateDeviceList<'a> {
    /// The account: any of its addresses.
    pub account: &'a Jid,
    /// The encoded `ADVSignedKeyIndexList`.
    pub signed: &'a [u8],
    /// The devices that the server lists.
    pub devices: &'a [ListedCompanion],
}

impl Operation for UpdateDeviceList<'_> {
    type Output = Vec<DeviceListChange>;

    fn needs(&self, own: &Own, loaded: &Loaded) -> Result<Vec<RecordKey>, Error> {
        Ok(Asked::of(self.account)?.needs(own, loaded))
    }

    /// # Errors
    ///
    /// [`Error::NoAccountKey`] if the identity of the account's primary is not known; those of
    /// [`DeviceList::update`].
    fn run(
        &self,
        own: &Own,
        loaded: &mut Loaded,
        _now: Timestamp,
        rng: &mut impl CryptoRng,
    ) -> Result<(Self::Output, Changes), Error> {
        let asked = Asked::of(self.account)?;
        let primary = asked.primary_identity(own, loaded)?.ok_or(Error::NoAccountKey)?;
        let before = asked.list(loaded)?;
        let mut after = before.clone();
        let output = after.update(self.signed, self.devices, &primary)?;
        let mut changes = Changes::new();
        if before != after {
            loaded.write(asked.list.clone(), &after, &mut changes, rng)?;
        }
        asked.require(own, loaded, &mut changes)?;
        Ok((output, changes))
    }
}

/// Notes that another device knows a newer list of an account, see [`DeviceList::note_newer`].
#[derive(Clone, Copy, Debug)]
pub struct NoteNewerDeviceList<'a> {
    /// The account: any of its addresses.
    pub account: &'a Jid,
    /// The timestamp of that list, in seconds since the Unix epoch.
    pub timestamp: u64,
}

impl Operation for NoteNewerDeviceList<'_> {
    type Output = ();

    fn needs(&self, _own: &Own, loaded: &Loaded) -> Result<Vec<RecordKey>, Error> {
        Ok(loaded.snapshot().missing([Asked::of(self.account)?.list]))
    }

    fn run(
        &self,
        _own: &Own,
        loaded: &mut Loaded,
        _now: Timestamp,
        rng: &mut impl CryptoRng,
    ) -> Result<((), Changes), Error> {
        let asked = Asked::of(self.account)?;
        let before = asked.list(loaded)?;
        let mut after = before.clone();
        after.note_newer(self.timestamp);
        let mut changes = Changes::new();
        if before != after {
            loaded.write(asked.list, &after, &mut changes, rng)?;
        }
        Ok(((), changes))
    }
}

impl Stored for DeviceList {
    fn read(fields: Reader<'_>) -> Result<Self, Error> {
        Self::read(fields)
    }

    fn write(&self, w: &mut Writer<'_>) {
        self.write(w);
    }
}
