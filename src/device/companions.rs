//! Companions, and the device lists of their accounts (spec 22 §3, §4).

use rand_core::CryptoRng;

use alloc::vec::Vec;

use super::{Device, DeviceError, Received};
use crate::address::Address;
use crate::jid::Jid;
use crate::keys::IdentityKey;
use crate::linking::{DeviceList, DeviceListChange, ListedCompanion, VerifiedCompanion};
use crate::prekey::PreKeyBundle;
use crate::protocol::{
    Decrypt, DecryptFromCompanion, NoteNewerDeviceList, SessionStarted, StartCompanionSession,
    Stored, UpdateDeviceList, VerifyCompanion,
};
use crate::store::{Record, RecordKey, Store};
use crate::time::Timestamp;
use crate::wire::CiphertextMessageType;

impl<S: Store> Device<S> {
    /// What is known of an account's devices; empty if nothing is.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidProtocolAddress`](crate::Error::InvalidProtocolAddress);
    /// [`Error::InvalidState`](crate::Error::InvalidState),
    /// [`Error::FutureRecord`](crate::Error::FutureRecord); those of the store.
    pub fn device_list(&self, account: &Jid) -> Result<DeviceList, DeviceError<S::Error>> {
        let key = RecordKey::DeviceList(account.primary().address()?.name().into());
        let record = self.store.load(&key).map_err(DeviceError::Store)?;
        let list: Option<DeviceList> =
            record.as_ref().map(Record::bytes).map(Stored::decode).transpose()?;
        Ok(list.unwrap_or_default())
    }

    /// Takes over a signed device list: the encoded `ADVSignedKeyIndexList`, and the devices that the server
    /// lists. The identity of the account's primary has to be known, from a bundle or a message of it.
    ///
    /// # Errors
    ///
    /// [`Error::NoAccountKey`](crate::Error::NoAccountKey); those of [`DeviceList::update`] and
    /// [`device_list`](Self::device_list).
    pub fn update_device_list(
        &mut self,
        account: &Jid,
        signed: &[u8],
        devices: &[ListedCompanion],
        now: Timestamp,
        rng: &mut impl CryptoRng,
    ) -> Result<Vec<DeviceListChange>, DeviceError<S::Error>> {
        self.perform(&UpdateDeviceList { account, signed, devices }, now, rng)
    }

    /// Notes that another device knows a list of the account with this timestamp, in seconds: an older one is
    /// usable for 48 hours only.
    ///
    /// # Errors
    ///
    /// Those of [`device_list`](Self::device_list).
    pub fn note_newer_device_list(
        &mut self,
        account: &Jid,
        timestamp: u64,
        now: Timestamp,
        rng: &mut impl CryptoRng,
    ) -> Result<(), DeviceError<S::Error>> {
        self.perform(&NoteNewerDeviceList { account, timestamp }, now, rng)
    }

    /// Verifies the identity of a companion: `device_identity` is the encoded `ADVSignedDeviceIdentity` that
    /// came with its identity key.
    ///
    /// # Errors
    ///
    /// Those of [`VerifiedCompanion::verify`] and [`DeviceList::note_verified`].
    pub fn verify_companion(
        &mut self,
        companion: &Jid,
        identity: &IdentityKey,
        device_identity: &[u8],
        now: Timestamp,
        rng: &mut impl CryptoRng,
    ) -> Result<VerifiedCompanion, DeviceError<S::Error>> {
        self.perform(&VerifyCompanion { companion, identity, device_identity }, now, rng)
    }

    /// Verifies the identity of a companion, and starts a session with it. Durable when it returns.
    ///
    /// # Errors
    ///
    /// Those of [`verify_companion`](Self::verify_companion) and [`start_session`](Self::start_session).
    pub fn start_companion_session(
        &mut self,
        companion: &Jid,
        bundle: &PreKeyBundle,
        device_identity: &[u8],
        now: Timestamp,
        rng: &mut impl CryptoRng,
    ) -> Result<SessionStarted, DeviceError<S::Error>> {
        self.perform(&StartCompanionSession { companion, bundle, device_identity }, now, rng)
    }

    /// Decrypts a message of a companion that came with its `device-identity`: a pre-key message is read only
    /// if the account vouches for the identity key in it. `from` is [`Jid::address`] of `companion`.
    ///
    /// # Errors
    ///
    /// Those of [`verify_companion`](Self::verify_companion) and [`decrypt`](Self::decrypt).
    #[allow(clippy::too_many_arguments)]
    pub fn decrypt_from_companion<'a, R: CryptoRng>(
        &'a mut self,
        companion: &'a Jid,
        from: &'a Address,
        message_type: CiphertextMessageType,
        bytes: &'a [u8],
        device_identity: &'a [u8],
        now: Timestamp,
        rng: &'a mut R,
    ) -> Result<Received<'a, S, R, DecryptFromCompanion<'a>>, DeviceError<S::Error>> {
        let message = Decrypt { from, message_type, bytes };
        self.receive(DecryptFromCompanion { companion, message, device_identity }, now, rng)
    }
}
