//! A device over a store: load, call, commit.
//!
//! | file | what |
//! |---|---|
//! | `messages` | sessions, encrypting, decrypting |
//! | `received` | a message that has decrypted, and is not durable yet |
//! | `companions` | devices for which their account vouches |
//! | `groups` | messages to groups, and their keys |
//! | `hosting` | who can read a chat |
//! | `sealed` | messages that do not tell who sent them |
//! | `pre_keys` | what to upload |
//! | `identities` | whom to trust |
//! | `retries` | messages that did not decrypt |
//! | `imports` | state of another implementation |
//! | `backup` | the device's own state in a backup |
//! | `cache` | decoded sessions, kept between two operations |
//! | `error` | what can go wrong |

mod backup;
mod cache;
mod companions;
mod error;
mod groups;
mod hosting;
mod identities;
mod imports;
mod messages;
mod pre_keys;
mod received;
mod retries;
mod sealed;

use alloc::vec::Vec;
use core::fmt;

use rand_core::CryptoRng;

pub use backup::{DeviceExport, DeviceRestore};
pub use error::DeviceError;
pub use received::{PausedReceived, Received};

use crate::address::Address;
use crate::error::Error;
use crate::keys::{IdentityKey, IdentityKeyPair};
use crate::protocol::{IdentityScope, Loaded, Local, Operation, Options, Own, Stored};
use crate::store::{Changes, CommitError, RecordKey, Store};
use crate::time::Timestamp;
use cache::Cache;

/// How often an operation is repeated when others commit first.
const ATTEMPTS_MAX: u32 = 100;
/// Decoded sessions that are kept, unless the application says otherwise.
const CACHED_SESSIONS: usize = 1024;

/// One device of one account, with its state in a [`Store`].
///
/// Every operation loads what it needs, computes, and commits all that it changed at once; only then does
/// it return. So whatever the moment of a crash, no key is used twice and no message is lost that can be
/// delivered again.
///
/// Several devices, threads or processes may work on one store, each with a `Device` of its own: when two
/// change the same record, one of them reads again and repeats its operation.
pub struct Device<S> {
    own: Own,
    store: S,
    cache: Cache,
}

/// What a new device is.
#[derive(Debug)]
pub struct NewDevice {
    /// Its own address.
    pub address: Address,
    /// The account's identity: new for a primary device, the account's for a linked one.
    pub identity: IdentityKeyPair,
    /// Different for every installation, see [`random_registration_id`]: by it, peers and servers tell
    /// one from the next.
    pub registration_id: u32,
    /// Whether the devices of an account share one identity key.
    pub scope: IdentityScope,
}

/// A registration id for a new device: 1 to 16,383. Draws 4 bytes.
pub fn random_registration_id(rng: &mut impl CryptoRng) -> u32 {
    // 16,383 divides 2^32 - 4: the bias is below one in 2^30
    rng.next_u32().checked_rem(Local::LAST_REGISTRATION_ID).unwrap_or_default().saturating_add(1)
}

impl<S: Store> Device<S> {
    /// Creates the device in a store that has none. Its pre-keys are made by the first
    /// [`replenish`](Self::replenish).
    ///
    /// # Errors
    ///
    /// [`DeviceError::AlreadyCreated`]; [`DeviceError::Store`].
    pub fn create(
        mut store: S,
        device: NewDevice,
        options: Options,
        rng: &mut impl CryptoRng,
    ) -> Result<Self, DeviceError<S::Error>> {
        let local =
            Local::new(device.address, device.identity, device.registration_id, device.scope);
        match store.commit(&local.create(rng)?) {
            Ok(()) => Ok(Self::new(store, local, options)),
            Err(CommitError::Conflict) => Err(DeviceError::AlreadyCreated),
            Err(CommitError::Store(error)) => Err(DeviceError::Store(error)),
        }
    }

    /// Opens the device of a store.
    ///
    /// # Errors
    ///
    /// [`DeviceError::NotCreated`]; [`Error::FutureRecord`], [`Error::InvalidState`] where its record
    /// cannot be read; [`DeviceError::Store`].
    pub fn open(store: S, options: Options) -> Result<Self, DeviceError<S::Error>> {
        let record = store.load(&RecordKey::Local).map_err(DeviceError::Store)?;
        let record = record.ok_or(DeviceError::NotCreated)?;
        Ok(Self::new(store, Local::decode(record.bytes())?, options))
    }

    fn new(store: S, local: Local, options: Options) -> Self {
        Self { own: Own { local, options }, store, cache: Cache::new(CACHED_SESSIONS) }
    }

    /// Keeps up to `sessions` decoded sessions, 2 to 5 kB each, instead of 1,024. With 0, every operation
    /// reads its session from the store.
    #[must_use]
    pub fn with_cache(mut self, sessions: usize) -> Self {
        self.cache.set_capacity(sessions);
        self
    }

    /// The device's own address.
    #[must_use]
    pub const fn address(&self) -> &Address {
        self.own.local.address()
    }

    /// The account's identity key.
    #[must_use]
    pub const fn identity_key(&self) -> &IdentityKey {
        self.own.local.identity().identity_key()
    }

    /// The account's identity with its private half: for sealed sender, certificates and linking.
    #[must_use]
    pub const fn identity(&self) -> &IdentityKeyPair {
        self.own.local.identity()
    }

    /// The device's registration id.
    #[must_use]
    pub const fn registration_id(&self) -> u32 {
        self.own.local.registration_id()
    }

    /// The application's decisions.
    #[must_use]
    pub const fn options(&self) -> &Options {
        &self.own.options
    }

    /// Decides anew, from the next operation on.
    pub const fn set_options(&mut self, options: Options) {
        self.own.options = options;
    }

    /// The store.
    #[must_use]
    pub const fn store(&self) -> &S {
        &self.store
    }

    /// The store, for records of the application's own. Records of the device that are changed or
    /// exchanged here need [`forget_cached`](Self::forget_cached) afterwards.
    pub const fn store_mut(&mut self) -> &mut S {
        &mut self.store
    }

    /// Drops all decoded sessions: the next operations read them from the store.
    pub fn forget_cached(&mut self) {
        self.cache.clear();
    }

    /// Gives the store back. All that was committed is in it.
    #[must_use]
    pub fn into_store(self) -> S {
        self.store
    }

    /// Carries out any [`Operation`]: loads, computes, commits, and begins again when another handle of
    /// the store was faster.
    ///
    /// # Errors
    ///
    /// Those of the operation; [`DeviceError::Store`], [`DeviceError::Contention`].
    pub fn perform<O: Operation>(
        &mut self,
        operation: &O,
        now: Timestamp,
        rng: &mut impl CryptoRng,
    ) -> Result<O::Output, DeviceError<S::Error>> {
        self.perform_with(operation, now, rng, |_, _| Ok(()))
    }

    /// As [`perform`](Self::perform), in one commit with what `also` adds: records of the application,
    /// such as a message to be sent. It may be called several times.
    ///
    /// # Errors
    ///
    /// As [`perform`](Self::perform), and those of `also`.
    pub fn perform_with<O: Operation>(
        &mut self,
        operation: &O,
        now: Timestamp,
        rng: &mut impl CryptoRng,
        mut also: impl FnMut(&O::Output, &mut Changes) -> Result<(), Error>,
    ) -> Result<O::Output, DeviceError<S::Error>> {
        for _ in 0..ATTEMPTS_MAX {
            let (output, mut changes, loaded) = self.attempt(operation, now, rng)?;
            also(&output, &mut changes)?;
            match self.store.commit(&changes) {
                Ok(()) => {
                    self.keep(loaded);
                    return Ok(output);
                }
                // The decoded sessions are dropped with `loaded`.
                Err(CommitError::Conflict) => {}
                Err(CommitError::Store(error)) => return Err(DeviceError::Store(error)),
            }
        }
        Err(DeviceError::Contention)
    }

    fn receive<'a, O: Operation, R: CryptoRng>(
        &'a mut self,
        operation: O,
        now: Timestamp,
        rng: &'a mut R,
    ) -> Result<Received<'a, S, R, O>, DeviceError<S::Error>> {
        let (decrypted, changes, loaded) = self.attempt(&operation, now, rng)?;
        Ok(Received { device: self, rng, operation, now, decrypted, changes, loaded })
    }

    /// Loads and computes. The decoded sessions move from the cache into what is returned, and come
    /// back by [`keep`](Self::keep) once the changes are committed.
    ///
    /// What succeeds is compared with the store by its commit. What fails has no commit: it counts only if
    /// it fails on records that are all of one moment, and those of now.
    fn attempt<O: Operation>(
        &mut self,
        operation: &O,
        now: Timestamp,
        rng: &mut impl CryptoRng,
    ) -> Result<(O::Output, Changes, Loaded), DeviceError<S::Error>> {
        for _ in 0..ATTEMPTS_MAX {
            let mut loaded = Loaded::new();
            let mut cached = false;
            let done = self
                .load(&mut loaded, &mut cached, |own, loaded| operation.needs(own, loaded))
                .and_then(|()| Ok(operation.run(&self.own, &mut loaded, now, rng)?));
            let error = match done {
                Ok((output, changes)) => return Ok((output, changes, loaded)),
                Err(DeviceError::Store(error)) => return Err(DeviceError::Store(error)),
                Err(error) => error,
            };
            // What was kept may be behind the store: it is dropped, and the next attempt reads.
            if !cached && self.is_current(&loaded)? {
                let change = match error {
                    DeviceError::Protocol(Error::UntrustedIdentity) => {
                        operation.identity_change(&self.own, &mut loaded)
                    }
                    _ => None,
                };
                if loaded.is_unchanged() {
                    self.keep(loaded);
                }
                return Err(match change {
                    Some(change) => DeviceError::UntrustedIdentity(change.into()),
                    None => error,
                });
            }
        }
        Err(DeviceError::Contention)
    }

    /// Whether the store still has everything at the revisions that were loaded.
    fn is_current(&self, loaded: &Loaded) -> Result<bool, DeviceError<S::Error>> {
        for (key, revision) in loaded.snapshot().iter() {
            let record = self.store.load(key).map_err(DeviceError::Store)?;
            if record.map(|record| record.revision()) != revision {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Loads what `needs` names, until it names nothing more. A session that is decoded already is taken
    /// out of the cache instead, and `cached` is set.
    fn load(
        &mut self,
        loaded: &mut Loaded,
        cached: &mut bool,
        needs: impl Fn(&Own, &Loaded) -> Result<Vec<RecordKey>, Error>,
    ) -> Result<(), DeviceError<S::Error>> {
        loop {
            let keys = needs(&self.own, loaded)?;
            if keys.is_empty() {
                return Ok(());
            }
            let before = loaded.decoded_count();
            for key in &keys {
                if let RecordKey::Session(address) = key
                    && let Some(peer) = self.cache.take(address)
                {
                    loaded.insert_peer(&self.own, address.clone(), peer);
                }
            }
            if loaded.decoded_count() > before {
                // With it, other records are decoded that need not be loaded either.
                *cached = true;
                continue;
            }
            self.load_stored(loaded, keys)?;
        }
    }

    fn load_stored(
        &self,
        loaded: &mut Loaded,
        keys: Vec<RecordKey>,
    ) -> Result<(), DeviceError<S::Error>> {
        for key in keys {
            let record = self.store.load(&key).map_err(DeviceError::Store)?;
            loaded.insert(key, record);
        }
        Ok(())
    }

    /// Keeps what is decoded for the next operation: it is what the store has.
    fn keep(&mut self, loaded: Loaded) {
        for name in loaded.written_identities() {
            self.cache.drop_named(name);
        }
        for (address, peer) in loaded.into_peers(&self.own) {
            self.cache.put(address, peer);
        }
    }
}

impl<S> fmt::Debug for Device<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Device({})", self.own.local.address())
    }
}
