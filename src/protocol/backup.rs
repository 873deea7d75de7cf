//! A device's own state in a backup, and the rule that nothing restored uses a key again (spec 24 §6). Own
//! design, not WhatsApp's.
//!
//! | in a backup | not in a backup |
//! |---|---|
//! | the device's address and scope | session states and archived ones |
//! | identity keys of peers, and whether they are verified | message keys kept for late messages |
//! | lists of users' devices, and who is hosted | sender keys, one's own and those of others |
//! | records of the application | pre-keys, which a message may have used since |
//! | the identity key pair, if the application says so | what is kept to answer retries, who holds sender keys |
//!
//! A session that is put back as it was would encrypt again under keys that it has used since, and two
//! devices restored from one backup under the same ones. So no session is in a backup; a writer refuses its
//! record, and so does a reader. What was restored is a new installation with the old address: it has another
//! registration id, no sessions, and pre-keys that are made anew, with ids far from those of before.
//!
//! Entries are `length (4 bytes, big-endian) ‖ kind ‖ content`, in a sealed stream: one that says what
//! device it is, the records, and one with their number.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use rand_core::CryptoRng;
use zeroize::Zeroizing;

use super::ledger::{ALL_IDS, LAST_RESORT_IDS, Ledger, ONE_TIME_KEM_IDS, Range};
use super::record::{Stored, required};
use super::{IdentityScope, KnownIdentity, Local};
use crate::address::{Address, DeviceId};
use crate::backup::BackupKey;
use crate::backup::stream::{StreamOpener, StreamSealer};
use crate::error::Error;
use crate::keys::IdentityKeyPair;
use crate::prekey::PreKeyId;
use crate::store::{Changes, Record, RecordKey};
use crate::time::Timestamp;
use crate::wire::reader::Reader;
use crate::wire::writer::Writer;

/// The longest entry: a record with its key, 1 MiB in all.
const ENTRY_MAX: usize = 1 << 20;
const DEVICE: u8 = 1;
const RECORD: u8 = 2;
const END: u8 = 3;

/// Whether the identity key pair goes into the backup.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum BackupIdentity {
    /// It does not: the restored device has a new one, and peers are told so. Who gets hold of the
    /// backup and its key reads what is in it, and cannot write in the user's name.
    #[default]
    Leave,
    /// It does: the restored device may keep it, and peers notice nothing. Who gets hold of the backup and
    /// its key is then able to be the user.
    Include,
}

/// The identity of a restored device.
#[derive(Debug)]
pub enum RestoredIdentity {
    /// A new one, as WhatsApp usually has it (spec 24 §6). Every peer is told that the security code has
    /// changed, and verifications of this device at peers are void.
    New(IdentityKeyPair),
    /// The one in the backup. Peers see no change, which is right only if the device that was backed up
    /// is gone for good: two devices with one identity and one address would take each other's messages.
    Kept,
}

/// Writes a device's backup. [`Device::export`](crate::Device::export) does it over a store; an
/// application whose storage is asynchronous loads the records itself.
pub struct DeviceBackupWriter {
    sealer: StreamSealer,
    records: u64,
}

impl DeviceBackupWriter {
    /// Starts a backup of the device `local`, whose record of [`RecordKey::PreKeyLedger`] is `ledger`. Draws
    /// 32 bytes.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidState`], [`Error::FutureRecord`] for the ledger.
    pub fn new(
        key: &BackupKey,
        local: &Local,
        ledger: Option<&Record>,
        identity: BackupIdentity,
        now: Timestamp,
        output: &mut Vec<u8>,
        rng: &mut impl CryptoRng,
    ) -> Result<Self, Error> {
        let ledger = ledger.map(|record| Ledger::decode(record.bytes())).transpose()?;
        let ledger = ledger.unwrap_or_default();
        let identity = match identity {
            BackupIdentity::Leave => None,
            BackupIdentity::Include => {
                Some(IdentityKeyPair::decode(local.identity().encode().expose())?)
            }
        };
        let device = BackedUpDevice {
            address: local.address().clone(),
            scope: local.scope(),
            registration_id: local.registration_id(),
            exported: now,
            identity,
            next_ids: [
                ledger.signed.next,
                ledger.last_resort.next,
                ledger.one_time.next,
                ledger.one_time_kem.next,
            ],
        };
        let mut writer = Self { sealer: StreamSealer::new(key, rng), records: 0 };
        writer.entry(DEVICE, &[&device.encode()], output)?;
        Ok(writer)
    }

    /// Adds a record: the identity of a peer, the devices of a user, who is hosted, or one of the application. Sealed bytes
    /// are appended to `output` as chunks of 64 KiB become full.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidArgument`] for any other record, which must not be restored, and for one above 1 MiB.
    pub fn record(
        &mut self,
        key: &RecordKey,
        bytes: &[u8],
        output: &mut Vec<u8>,
    ) -> Result<(), Error> {
        if !may_be_restored(key) {
            return Err(Error::InvalidArgument);
        }
        let key = key.to_bytes();
        let length = u32::try_from(key.len()).map_err(|_| Error::InvalidArgument)?;
        self.entry(RECORD, &[&length.to_be_bytes(), &key, bytes], output)?;
        self.records = self.records.saturating_add(1);
        Ok(())
    }

    /// Ends the backup and appends its last chunk.
    ///
    /// # Errors
    ///
    /// None that can happen here.
    pub fn finish(mut self, output: &mut Vec<u8>) -> Result<(), Error> {
        let records = self.records.to_be_bytes();
        self.entry(END, &[&records], output)?;
        self.sealer.finish(output)
    }

    fn entry(&mut self, kind: u8, parts: &[&[u8]], output: &mut Vec<u8>) -> Result<(), Error> {
        let length = parts.iter().map(|part| part.len()).fold(1, usize::saturating_add);
        let length = u32::try_from(length).ok().filter(|_| length <= ENTRY_MAX);
        let length = length.ok_or(Error::InvalidArgument)?;
        self.sealer.update(&length.to_be_bytes(), output)?;
        self.sealer.update(&[kind], output)?;
        for part in parts {
            self.sealer.update(part, output)?;
        }
        Ok(())
    }
}

/// The records that a backup may have. None of them can encrypt or decrypt anything.
fn may_be_restored(key: &RecordKey) -> bool {
    matches!(
        key,
        RecordKey::Identity { .. }
            | RecordKey::User(_)
            | RecordKey::DeviceList(_)
            | RecordKey::EncryptionStatus(_)
            | RecordKey::Application(_)
    )
}

/// Reads a device's backup. [`DeviceRestore`](crate::device::DeviceRestore) does it into a store.
pub struct DeviceBackupReader {
    opener: Option<StreamOpener>,
    entries: Entries,
}

/// A record of a backup: authentic, of a kind that may be restored.
pub type BackedUpRecord = (RecordKey, Zeroizing<Vec<u8>>);

/// The stream's plaintext, cut into entries.
struct Entries {
    length: [u8; 4],
    length_len: usize,
    /// Reserved for exactly the entry.
    entry: Zeroizing<Vec<u8>>,
    device: Option<BackedUpDevice>,
    records: u64,
    ended: bool,
}

impl DeviceBackupReader {
    /// Begins at the start of a backup.
    #[must_use]
    pub fn new(key: &BackupKey) -> Self {
        let entries = Entries {
            length: [0; 4],
            length_len: 0,
            entry: Zeroizing::default(),
            device: None,
            records: 0,
            ended: false,
        };
        Self { opener: Some(StreamOpener::new(key)), entries }
    }

    /// Takes the next bytes, and gives the records that they complete to `take`. They are authentic, but
    /// the backup may yet turn out to be cut short: they count only after [`finish`](Self::finish).
    ///
    /// # Errors
    ///
    /// [`Error::Rejected`] for altered bytes or another key; [`Error::FutureRecord`] for a later version;
    /// [`Error::InvalidState`] for what no writer writes; those of `take`. After an error it refuses.
    pub fn update(
        &mut self,
        input: &[u8],
        mut take: impl FnMut(BackedUpRecord) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let Self { opener, entries } = self;
        let stream = opener.as_mut().ok_or(Error::Rejected)?;
        let done = stream.update(input, |chunk| entries.feed(chunk, &mut take));
        if done.is_err() {
            *opener = None;
        }
        done
    }

    /// At the end: gives the last records, and what device it was.
    ///
    /// # Errors
    ///
    /// As [`update`](Self::update); [`Error::Rejected`] when the backup is cut short.
    pub fn finish(
        mut self,
        mut take: impl FnMut(BackedUpRecord) -> Result<(), Error>,
    ) -> Result<BackedUpDevice, Error> {
        let opener = self.opener.take().ok_or(Error::Rejected)?;
        let entries = &mut self.entries;
        opener.finish(|chunk| entries.feed(chunk, &mut take))?;
        let is_whole = entries.ended && entries.length_len == 0;
        entries.device.take().filter(|_| is_whole).ok_or(Error::InvalidState)
    }
}

impl Entries {
    fn feed(
        &mut self,
        mut plain: &[u8],
        take: &mut impl FnMut(BackedUpRecord) -> Result<(), Error>,
    ) -> Result<(), Error> {
        while let Some((&byte, rest)) = plain.split_first() {
            if let Some(place) = self.length.get_mut(self.length_len) {
                *place = byte;
                plain = rest;
                self.length_len = self.length_len.saturating_add(1);
                if self.length_len == self.length.len() {
                    let length = self.wanted();
                    if self.ended || !(1..=ENTRY_MAX).contains(&length) {
                        return Err(Error::InvalidState);
                    }
                    self.entry = Zeroizing::new(Vec::with_capacity(length));
                }
                continue;
            }
            let missing = self.wanted().saturating_sub(self.entry.len());
            let (now, later) = plain.split_at(missing.min(plain.len()));
            self.entry.extend_from_slice(now);
            plain = later;
            if now.len() == missing {
                self.length_len = 0;
                let entry = core::mem::take(&mut self.entry);
                self.complete(&entry, take)?;
            }
        }
        Ok(())
    }

    fn wanted(&self) -> usize {
        usize::try_from(u32::from_be_bytes(self.length)).unwrap_or(usize::MAX)
    }

    fn complete(
        &mut self,
        entry: &[u8],
        take: &mut impl FnMut(BackedUpRecord) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let (&kind, content) = entry.split_first().ok_or(Error::InvalidState)?;
        match (kind, &self.device) {
            (DEVICE, None) => self.device = Some(BackedUpDevice::decode(content)?),
            (RECORD, Some(_)) => {
                let (key, bytes) = split_record(content).ok_or(Error::InvalidState)?;
                let key = RecordKey::from_bytes(key)?;
                if !may_be_restored(&key) {
                    return Err(Error::InvalidState);
                }
                if matches!(key, RecordKey::Identity { .. }) {
                    KnownIdentity::decode(bytes)?;
                }
                take((key, Zeroizing::new(bytes.to_vec())))?;
                self.records = self.records.saturating_add(1);
            }
            (END, Some(_)) if content == self.records.to_be_bytes() => self.ended = true,
            _ => return Err(Error::InvalidState),
        }
        Ok(())
    }
}

fn split_record(content: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = content.split_first_chunk()?;
    rest.split_at_checked(usize::try_from(u32::from_be_bytes(*length)).ok()?)
}

/// The device that a backup is of.
pub struct BackedUpDevice {
    address: Address,
    scope: IdentityScope,
    registration_id: u32,
    exported: Timestamp,
    identity: Option<IdentityKeyPair>,
    /// The next ids of signed, last-resort, one-time and one-time KEM pre-keys; 0 where none was made.
    next_ids: [PreKeyId; 4],
}

impl fmt::Debug for BackedUpDevice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "BackedUpDevice({}, {:?})", self.address, self.exported)
    }
}

impl BackedUpDevice {
    /// Its address.
    #[must_use]
    pub const fn address(&self) -> &Address {
        &self.address
    }

    /// When the backup was made.
    #[must_use]
    pub const fn exported(&self) -> Timestamp {
        self.exported
    }

    /// Whether its identity can be kept.
    #[must_use]
    pub const fn has_identity(&self) -> bool {
        self.identity.is_some()
    }

    /// The device as it is restored, and the changes that create it where there must be none yet: with
    /// another registration id than before, and with ids for its pre-keys that begin a quarter to three
    /// quarters of the range (4 to 12 million) after those that were next when the backup was made: a message
    /// for a pre-key from before the restoration names none of the new ones.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidArgument`] to keep an identity that is not in the backup.
    pub fn restore(
        self,
        identity: RestoredIdentity,
        rng: &mut impl CryptoRng,
    ) -> Result<(Local, Changes), Error> {
        let identity = match identity {
            RestoredIdentity::New(identity) => identity,
            RestoredIdentity::Kept => self.identity.ok_or(Error::InvalidArgument)?,
        };
        // one of the others: 1 to 16,382, and past the old one
        let others = Local::LAST_REGISTRATION_ID.saturating_sub(1);
        let drawn = rng.next_u32().checked_rem(others).unwrap_or_default().saturating_add(1);
        let registration_id = drawn.saturating_add(u32::from(drawn >= self.registration_id));
        let local = Local::new(self.address, identity, registration_id, self.scope);
        let mut changes = local.create(rng)?;
        let [signed, last_resort, one_time, one_time_kem] = self.next_ids;
        let mut ledger = Ledger::default();
        ledger.signed.next = far_from(signed, ALL_IDS, rng);
        ledger.last_resort.next = far_from(last_resort, LAST_RESORT_IDS, rng);
        ledger.one_time.next = far_from(one_time, ALL_IDS, rng);
        ledger.one_time_kem.next = far_from(one_time_kem, ONE_TIME_KEM_IDS, rng);
        changes.create(RecordKey::PreKeyLedger, ledger.encode(), rng)?;
        Ok((local, changes))
    }
}

/// A random id in the half of the range that is farthest from `next`. Draws 4 bytes.
fn far_from(next: PreKeyId, (low, high): Range, rng: &mut impl CryptoRng) -> PreKeyId {
    let size = high.saturating_sub(low).saturating_add(1);
    let within = rng.next_u32().checked_rem(size >> 1).unwrap_or_default();
    // all below 2^24: no sum overflows
    let offset = next.saturating_sub(low).saturating_add(size >> 2).saturating_add(within);
    low.saturating_add(offset.checked_rem(size).unwrap_or_default())
}

impl Stored for BackedUpDevice {
    fn read(fields: Reader<'_>) -> Result<Self, Error> {
        let (mut name, mut device, mut scope, mut identity) = (None, None, None, None);
        let (mut registration_id, mut exported, mut next_ids) = (0, 0, [0; 4]);
        let [signed, last_resort, one_time, one_time_kem] = &mut next_ids;
        for field in fields {
            match field? {
                (1, value) => name = Some(value.string()?),
                (2, value) => device = Some(value.uint32()?),
                (3, value) => scope = Some(value.uint32()?),
                (4, value) => registration_id = value.uint32()?,
                (5, value) => exported = value.uint64()?,
                (6, value) => identity = Some(IdentityKeyPair::decode(value.bytes()?)?),
                (7, value) => *signed = value.uint32()?,
                (8, value) => *last_resort = value.uint32()?,
                (9, value) => *one_time = value.uint32()?,
                (10, value) => *one_time_kem = value.uint32()?,
                _ => return Err(Error::InvalidState),
            }
        }
        let device = DeviceId::new_v3(required(device)?)?;
        let scope = match required(scope)? {
            1 => IdentityScope::Account,
            2 => IdentityScope::Device,
            _ => return Err(Error::InvalidState),
        };
        let address = Address::new(String::from(required(name)?), device);
        let exported = Timestamp(exported);
        Ok(Self { address, scope, registration_id, exported, identity, next_ids })
    }

    fn write(&self, w: &mut Writer<'_>) {
        let [signed, last_resort, one_time, one_time_kem] = self.next_ids;
        w.bytes(1, self.address.name().as_bytes());
        w.uint(2, self.address.device().get());
        let scope: u32 = match self.scope {
            IdentityScope::Account => 1,
            IdentityScope::Device => 2,
        };
        w.uint(3, scope);
        w.uint_nonzero(4, self.registration_id);
        w.uint_nonzero(5, self.exported.as_millis());
        if let Some(identity) = &self.identity {
            w.bytes(6, identity.encode().expose());
        }
        w.uint_nonzero(7, signed);
        w.uint_nonzero(8, last_resort);
        w.uint_nonzero(9, one_time);
        w.uint_nonzero(10, one_time_kem);
    }
}
