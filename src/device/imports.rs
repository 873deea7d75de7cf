//! State of another implementation, taken over (docs/migration.md).

use rand_core::CryptoRng;

use super::{Device, DeviceError};
use crate::address::Address;
use crate::error::Error;
use crate::keys::IdentityKey;
use crate::protocol::{ImportPeer, ImportPreKeys, Loaded};
use crate::session::Session;
use crate::store::{CommitError, Store};
use crate::time::Timestamp;

impl<S: Store> Device<S> {
    /// Takes over the session with a peer device, and the identity key that was trusted for it.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidArgument`] if a session with it is stored already; those of the store.
    pub fn import_peer(
        &mut self,
        peer: &Address,
        session: Session,
        identity: Option<&IdentityKey>,
        now: Timestamp,
        rng: &mut impl CryptoRng,
    ) -> Result<(), DeviceError<S::Error>> {
        let import = ImportPeer { peer, session, identity };
        let mut loaded = Loaded::new();
        self.cache.take(peer);
        self.load(&mut loaded, &mut false, |own, loaded| import.needs(own, loaded))?;
        let changes = import.run(&self.own, &mut loaded, now, rng)?;
        match self.store.commit(&changes) {
            Ok(()) => {
                self.keep(loaded);
                Ok(())
            }
            // Whoever was faster has stored a session.
            Err(CommitError::Conflict) => Err(Error::InvalidArgument.into()),
            Err(CommitError::Store(error)) => Err(DeviceError::Store(error)),
        }
    }

    /// Takes over pre-keys that the other implementation has uploaded.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidArgument`] if two keys of a kind have one id; [`DeviceError::Contention`] if a
    /// key is stored already; those of the store.
    pub fn import_pre_keys(
        &mut self,
        keys: &ImportPreKeys<'_>,
        now: Timestamp,
        rng: &mut impl CryptoRng,
    ) -> Result<(), DeviceError<S::Error>> {
        self.perform(keys, now, rng)
    }
}
