//! A device's own state, exported to a backup and restored from one. See
//! [`DeviceBackupWriter`] for what is in it, and for the rule that no key is used again.

use alloc::vec::Vec;

use rand_core::CryptoRng;

use super::{Device, DeviceError};
use crate::address::Address;
use crate::backup::BackupKey;
use crate::error::Error;
use crate::protocol::{
    BackupIdentity, DeviceBackupReader, DeviceBackupWriter, Options, RestoredIdentity,
};
use crate::store::{Changes, CommitError, RecordKey, Store};
use crate::time::Timestamp;

/// Input that is taken between two commits.
const PIECE: usize = 64 * 1024;

impl<S: Store> Device<S> {
    /// Starts a backup of this device under `key`. A store cannot enumerate its records, so the application
    /// names what goes in, by the methods of what is returned. Sealed bytes are appended to `output` as
    /// they become ready: take them out between two calls, and memory stays bounded. Draws 32 bytes.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidState`], [`Error::FutureRecord`]; those of the store.
    pub fn export(
        &self,
        key: &BackupKey,
        identity: BackupIdentity,
        now: Timestamp,
        output: &mut Vec<u8>,
        rng: &mut impl CryptoRng,
    ) -> Result<DeviceExport<'_, S>, DeviceError<S::Error>> {
        let ledger = self.store.load(&RecordKey::PreKeyLedger).map_err(DeviceError::Store)?;
        let (local, ledger) = (&self.own.local, ledger.as_ref());
        let writer = DeviceBackupWriter::new(key, local, ledger, identity, now, output, rng)?;
        Ok(DeviceExport { device: self, writer })
    }
}

/// A backup that is being written.
pub struct DeviceExport<'a, S> {
    device: &'a Device<S>,
    writer: DeviceBackupWriter,
}

impl<S: Store> DeviceExport<'_, S> {
    /// Adds what is known of a peer's identity, and whether the user has verified it. `false` if nothing is.
    /// Once for each identity: where all devices of an account share one, for one of them.
    ///
    /// # Errors
    ///
    /// Those of the store.
    pub fn peer(
        &mut self,
        peer: &Address,
        output: &mut Vec<u8>,
    ) -> Result<bool, DeviceError<S::Error>> {
        self.record(self.device.own.local.identity_key_of(peer), output)
    }

    /// Adds the list of a user's devices (Sesame). `false` if there is none.
    ///
    /// # Errors
    ///
    /// Those of the store.
    pub fn user(
        &mut self,
        user: &str,
        output: &mut Vec<u8>,
    ) -> Result<bool, DeviceError<S::Error>> {
        self.record(RecordKey::User(user.into()), output)
    }

    /// Adds the verified device list of an account, by its name. `false` if there is none.
    ///
    /// # Errors
    ///
    /// Those of the store.
    pub fn device_list(
        &mut self,
        name: &str,
        output: &mut Vec<u8>,
    ) -> Result<bool, DeviceError<S::Error>> {
        self.record(RecordKey::DeviceList(name.into()), output)
    }

    /// Adds what is known of who can read the chat with an account or group, and what the user has
    /// consented to, by the name of its record. `false` if nothing is.
    ///
    /// # Errors
    ///
    /// Those of the store.
    pub fn hosting(
        &mut self,
        name: &str,
        output: &mut Vec<u8>,
    ) -> Result<bool, DeviceError<S::Error>> {
        self.record(RecordKey::EncryptionStatus(name.into()), output)
    }

    /// Adds a record of the application: messages, members of groups. `false` if there is none.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidArgument`] for one above 1 MiB; those of the store.
    pub fn application(
        &mut self,
        name: &[u8],
        output: &mut Vec<u8>,
    ) -> Result<bool, DeviceError<S::Error>> {
        self.record(RecordKey::Application(name.into()), output)
    }

    /// Ends the backup and appends its last chunk.
    ///
    /// # Errors
    ///
    /// None that can happen here.
    pub fn finish(self, output: &mut Vec<u8>) -> Result<(), DeviceError<S::Error>> {
        Ok(self.writer.finish(output)?)
    }

    fn record(
        &mut self,
        key: RecordKey,
        output: &mut Vec<u8>,
    ) -> Result<bool, DeviceError<S::Error>> {
        let record = self.device.store.load(&key).map_err(DeviceError::Store)?;
        match record {
            None => Ok(false),
            Some(record) => {
                self.writer.record(&key, record.bytes(), output)?;
                Ok(true)
            }
        }
    }
}

/// A device that is being restored into an empty store.
///
/// What is restored is a new installation: no sessions, another registration id, no pre-keys. So afterwards:
///
/// 1. [`replenish`](Device::replenish) and upload the new pre-keys at once; until then peers may still fetch
///    those of before, whose messages the device cannot read.
/// 2. Write to peers by new sessions, from their bundles.
/// 3. What arrives in a session of before fails with [`Error::SessionNotFound`] or names a pre-key that is
///    not there: ask its sender to send it again ([`ask_retry`](Device::ask_retry)).
/// 4. Give groups a new sender key: the first message to each distributes one.
///
/// The records are committed as they arrive, the device itself last: a restoration that is interrupted
/// leaves a store without a device, to be thrown away.
pub struct DeviceRestore<S> {
    store: S,
    reader: DeviceBackupReader,
}

impl<S: Store> DeviceRestore<S> {
    /// Restores a backup under `key` into `store`, which has no records yet.
    ///
    /// # Errors
    ///
    /// [`DeviceError::AlreadyCreated`] if there is a device in it; those of the store.
    pub fn new(store: S, key: &BackupKey) -> Result<Self, DeviceError<S::Error>> {
        if store.load(&RecordKey::Local).map_err(DeviceError::Store)?.is_some() {
            return Err(DeviceError::AlreadyCreated);
        }
        Ok(Self { store, reader: DeviceBackupReader::new(key) })
    }

    /// Takes the next bytes of the backup and commits the records that they complete.
    ///
    /// # Errors
    ///
    /// [`Error::Rejected`] for altered bytes or another key; [`Error::FutureRecord`], [`Error::InvalidState`];
    /// [`DeviceError::AlreadyCreated`] if a record is in the store already; those of the store.
    pub fn update(
        &mut self,
        input: &[u8],
        rng: &mut impl CryptoRng,
    ) -> Result<(), DeviceError<S::Error>> {
        for piece in input.chunks(PIECE) {
            let mut changes = Changes::new();
            self.reader.update(piece, |(key, bytes)| {
                changes.create(key, bytes, rng).map_err(|_| Error::InvalidState).map(|_| ())
            })?;
            commit(&mut self.store, &changes)?;
        }
        Ok(())
    }

    /// At the end of the backup: creates the device and opens it.
    ///
    /// # Errors
    ///
    /// As [`update`](Self::update); [`Error::Rejected`] if the backup is cut short;
    /// [`Error::InvalidArgument`] to keep an identity that is not in it.
    pub fn finish(
        mut self,
        identity: RestoredIdentity,
        options: Options,
        rng: &mut impl CryptoRng,
    ) -> Result<Device<S>, DeviceError<S::Error>> {
        let mut records = Changes::new();
        let device = self.reader.finish(|(key, bytes)| {
            records.create(key, bytes, rng).map_err(|_| Error::InvalidState).map(|_| ())
        })?;
        let (local, mut changes) = device.restore(identity, rng)?;
        changes.merge(records)?;
        commit(&mut self.store, &changes)?;
        Ok(Device::new(self.store, local, options))
    }
}

fn commit<S: Store>(store: &mut S, changes: &Changes) -> Result<(), DeviceError<S::Error>> {
    store.commit(changes).map_err(|error| match error {
        CommitError::Conflict => DeviceError::AlreadyCreated,
        CommitError::Store(error) => DeviceError::Store(error),
    })
}
