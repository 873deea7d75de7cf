//! A message that has decrypted, and is not durable yet.

use core::fmt;

use rand_core::CryptoRng;

use super::{ATTEMPTS_MAX, Device, DeviceError};
use crate::address::Address;
use crate::error::Error;
use crate::keys::IdentityKey;
use crate::protocol::{Decrypt, DecryptGroup, Decrypted, IdentityChange, Loaded, Operation};
use crate::store::{Changes, CommitError, Store};
use crate::time::Timestamp;

/// What a commit gave.
type Committed<S> = Result<(), CommitError<<S as Store>::Error>>;

/// A message that has decrypted. Nothing of it is durable yet: dropped, the message can be delivered
/// again; committed, it is a duplicate from then on.
///
/// So read the plaintext, store it where the application keeps its messages, and commit; or do both in
/// one transaction, with [`commit_with`](Self::commit_with) or [`commit_by`](Self::commit_by).
pub struct Received<'a, S, R, O: Operation = Decrypt<'a>> {
    pub(super) device: &'a mut Device<S>,
    pub(super) rng: &'a mut R,
    pub(super) operation: O,
    pub(super) now: Timestamp,
    pub(super) decrypted: O::Output,
    pub(super) changes: Changes,
    pub(super) loaded: Loaded,
}

impl<S, R, O: Operation<Output = Decrypted>> Received<'_, S, R, O> {
    /// The plaintext.
    #[must_use]
    pub fn plaintext(&self) -> &[u8] {
        &self.decrypted.plaintext
    }

    /// The device that sent it.
    #[must_use]
    pub const fn sender(&self) -> &Address {
        &self.decrypted.sender
    }

    /// The identity key under which it was sent.
    #[must_use]
    pub const fn identity_key(&self) -> &IdentityKey {
        &self.decrypted.identity_key
    }

    /// The peer's identity key is another one than before.
    #[must_use]
    pub const fn identity_change(&self) -> Option<&IdentityChange> {
        self.decrypted.identity_change.as_ref()
    }

    /// Whether the message established a session: pre-keys were used up, look at the server's stock.
    #[must_use]
    pub const fn is_new_session(&self) -> bool {
        self.decrypted.used_pre_keys.is_some()
    }
}

impl<S, R> Received<'_, S, R, DecryptGroup<'_>> {
    /// The plaintext.
    #[must_use]
    pub fn plaintext(&self) -> &[u8] {
        &self.decrypted.plaintext
    }

    /// The device that sent it.
    #[must_use]
    pub const fn sender(&self) -> &Address {
        &self.decrypted.sender
    }
}

/// A [`Received`] that does not hold on to its device: for callers that cannot borrow it meanwhile, such as
/// bindings to other languages. Nothing of it is durable; dropped, it is as if it had never been.
pub struct PausedReceived<T> {
    decrypted: T,
    changes: Changes,
    loaded: Loaded,
}

impl<T> PausedReceived<T> {
    /// What decrypted.
    #[must_use]
    pub const fn decrypted(&self) -> &T {
        &self.decrypted
    }
}

impl<T> fmt::Debug for PausedReceived<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PausedReceived({} changes to commit)", self.changes.len())
    }
}

impl<S, R, O: Operation> Received<'_, S, R, O> {
    /// Lets go of the device. [`Device::resume`] takes it up again, to be committed.
    #[must_use]
    pub fn pause(self) -> PausedReceived<O::Output> {
        PausedReceived { decrypted: self.decrypted, changes: self.changes, loaded: self.loaded }
    }
}

impl<S: Store, R: CryptoRng, O: Operation> Received<'_, S, R, O> {
    /// Makes it durable: the ratchet has moved on, and the pre-keys that it used are gone.
    ///
    /// # Errors
    ///
    /// [`DeviceError::Store`]. When another handle of the same store has changed the session in the
    /// meantime, the message is decrypted again and the commit repeated; if that handle has committed
    /// this very message, the error is [`Error::DuplicatedMessage`].
    pub fn commit(self) -> Result<O::Output, DeviceError<S::Error>> {
        self.commit_by(|store, changes, _| store.commit(changes))
    }

    /// As [`commit`](Self::commit), in one commit with what `also` adds: records of the application.
    /// It may be called several times.
    ///
    /// # Errors
    ///
    /// As [`commit`](Self::commit), and those of `also`.
    pub fn commit_with(
        self,
        mut also: impl FnMut(&O::Output, &mut Changes) -> Result<(), Error>,
    ) -> Result<O::Output, DeviceError<S::Error>> {
        self.commit_in_turn(|store, changes, decrypted| {
            also(decrypted, changes)?;
            Ok(store.commit(changes))
        })
    }

    /// As [`commit`](Self::commit), with a commit of the application's own: for stores that can carry
    /// out a [`Changes`] inside a transaction of the application. It must do so, all or nothing, and say
    /// `Conflict` where the store does. It may be called several times.
    ///
    /// # Errors
    ///
    /// As [`commit`](Self::commit).
    pub fn commit_by(
        self,
        mut commit: impl FnMut(&mut S, &Changes, &O::Output) -> Result<(), CommitError<S::Error>>,
    ) -> Result<O::Output, DeviceError<S::Error>> {
        self.commit_in_turn(|store, changes, decrypted| Ok(commit(store, changes, decrypted)))
    }

    /// Commits, and decrypts once more whenever another handle was faster.
    fn commit_in_turn(
        mut self,
        mut commit: impl FnMut(&mut S, &mut Changes, &O::Output) -> Result<Committed<S>, Error>,
    ) -> Result<O::Output, DeviceError<S::Error>> {
        for _ in 0..ATTEMPTS_MAX {
            match commit(&mut self.device.store, &mut self.changes, &self.decrypted)? {
                Ok(()) => {
                    self.device.keep(self.loaded);
                    return Ok(self.decrypted);
                }
                Err(CommitError::Conflict) => self.again()?,
                Err(CommitError::Store(error)) => return Err(DeviceError::Store(error)),
            }
        }
        Err(DeviceError::Contention)
    }

    /// Decrypts once more, from what is stored now.
    fn again(&mut self) -> Result<(), DeviceError<S::Error>> {
        let (decrypted, changes, loaded) =
            self.device.attempt(&self.operation, self.now, self.rng)?;
        self.decrypted = decrypted;
        self.changes = changes;
        self.loaded = loaded;
        Ok(())
    }
}

impl<S: Store> Device<S> {
    /// Takes up a [`Received`] that was paused, by this very device. `operation` is the one that gave it:
    /// it is carried out again where the device, or another handle of its store, has used the session
    /// in the meantime.
    pub fn resume<'a, O: Operation, R: CryptoRng>(
        &'a mut self,
        operation: O,
        paused: PausedReceived<O::Output>,
        now: Timestamp,
        rng: &'a mut R,
    ) -> Received<'a, S, R, O> {
        let PausedReceived { decrypted, changes, loaded } = paused;
        Received { device: self, rng, operation, now, decrypted, changes, loaded }
    }
}

impl<S, R, O: Operation> fmt::Debug for Received<'_, S, R, O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Received({} changes to commit)", self.changes.len())
    }
}
