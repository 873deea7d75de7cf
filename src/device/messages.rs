//! Sessions with peer devices, and messages in them.

use alloc::vec::Vec;

use rand_core::CryptoRng;

use super::{ATTEMPTS_MAX, Device, DeviceError, Received};
use crate::address::Address;
use crate::error::Error;
use crate::prekey::PreKeyBundle;
use crate::protocol::{
    ArchiveSession, Decrypt, DeleteSession, Encrypt, Encrypted, Loaded, Recipient, SessionStarted,
    StartSession,
};
use crate::session::{CiphertextMessage, Requirements, Session};
use crate::store::Store;
use crate::time::Timestamp;
use crate::wire::CiphertextMessageType;

impl<S: Store> Device<S> {
    /// Starts a session with the device that published `bundle`. Durable when it returns.
    ///
    /// # Errors
    ///
    /// Those of [`Session::initiate`]; [`DeviceError::UntrustedIdentity`].
    pub fn start_session(
        &mut self,
        peer: &Address,
        bundle: &PreKeyBundle,
        now: Timestamp,
        rng: &mut impl CryptoRng,
    ) -> Result<SessionStarted, DeviceError<S::Error>> {
        self.perform(&StartSession { peer, bundle }, now, rng)
    }

    /// Encrypts to one device. That its key is spent is durable when it returns.
    ///
    /// # Errors
    ///
    /// [`Error::SessionNotFound`]: start a session first. [`Error::UntrustedIdentity`], and the others of
    /// [`Session::encrypt`].
    pub fn encrypt(
        &mut self,
        peer: &Address,
        plaintext: &[u8],
        now: Timestamp,
        rng: &mut impl CryptoRng,
    ) -> Result<CiphertextMessage, DeviceError<S::Error>> {
        let recipients = [Recipient { address: peer, plaintext }];
        let sent = self.encrypt_many(&recipients, now, rng)?;
        let first = sent.into_iter().next().ok_or(Error::InvalidArgument)?;
        Ok(first.message?)
    }

    /// Encrypts to many devices in one commit. One that fails does not hold up the others.
    ///
    /// # Errors
    ///
    /// Those of the store. What became of each recipient stands in the output, in their order.
    pub fn encrypt_many(
        &mut self,
        recipients: &[Recipient<'_>],
        now: Timestamp,
        rng: &mut impl CryptoRng,
    ) -> Result<Vec<Encrypted>, DeviceError<S::Error>> {
        self.perform(&Encrypt { recipients }, now, rng)
    }

    /// Decrypts a message of a peer device. Nothing is durable before [`Received::commit`].
    ///
    /// # Errors
    ///
    /// Those of [`Session::accept`] and [`Session::decrypt`]; [`DeviceError::UntrustedIdentity`].
    /// [`Error::disposition`] says what to do.
    pub fn decrypt<'a, R: CryptoRng>(
        &'a mut self,
        from: &'a Address,
        message_type: CiphertextMessageType,
        bytes: &'a [u8],
        now: Timestamp,
        rng: &'a mut R,
    ) -> Result<Received<'a, S, R>, DeviceError<S::Error>> {
        self.receive(Decrypt { from, message_type, bytes }, now, rng)
    }

    /// Archives the session with a device: sending needs a new one, late messages still decrypt. Returns
    /// whether there was one.
    ///
    /// # Errors
    ///
    /// Those of the store.
    pub fn archive_session(
        &mut self,
        peer: &Address,
        now: Timestamp,
        rng: &mut impl CryptoRng,
    ) -> Result<bool, DeviceError<S::Error>> {
        self.perform(&ArchiveSession { peer }, now, rng)
    }

    /// Deletes the session with a device, archived states included: its late messages do not decrypt any
    /// more, so [`archive_session`](Self::archive_session) is what most mean. Returns whether there was
    /// one.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidSession`], [`Error::FutureRecord`] for a session that cannot be read; those of
    /// the store.
    pub fn delete_session(
        &mut self,
        peer: &Address,
        now: Timestamp,
        rng: &mut impl CryptoRng,
    ) -> Result<bool, DeviceError<S::Error>> {
        self.perform(&DeleteSession { peer }, now, rng)
    }

    /// Whether a message can be sent to a device without a bundle (spec 04 §7.1): there is a session,
    /// not stale and of the known identity, that meets `requirements`.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidSession`], [`Error::FutureRecord`] for a session that cannot be read; those of
    /// the store.
    pub fn has_session(
        &self,
        peer: &Address,
        requirements: Requirements,
        now: Timestamp,
    ) -> Result<bool, DeviceError<S::Error>> {
        let known = self.identity_of(peer)?;
        self.read_session(peer, |session| {
            let same = known.is_none_or(|known| session.remote_identity() == Some(known.key()));
            same && session.is_usable(Requirements { not_stale: true, ..requirements }, now)
        })
    }

    /// Looks at the session with a device; an empty one if there is none.
    ///
    /// # Errors
    ///
    /// As [`has_session`](Self::has_session).
    pub fn read_session<T>(
        &self,
        peer: &Address,
        read: impl FnOnce(&Session) -> T,
    ) -> Result<T, DeviceError<S::Error>> {
        for _ in 0..ATTEMPTS_MAX {
            let mut loaded = Loaded::new();
            let session = self.load_session(&mut loaded, peer);
            match session {
                Ok(session) => return Ok(read(&session)),
                Err(DeviceError::Store(error)) => return Err(DeviceError::Store(error)),
                // Corrupt; or of two moments, while another handle commits.
                Err(error) if self.is_current(&loaded)? => return Err(error),
                Err(_) => {}
            }
        }
        Err(DeviceError::Contention)
    }

    fn load_session(
        &self,
        loaded: &mut Loaded,
        peer: &Address,
    ) -> Result<Session, DeviceError<S::Error>> {
        loop {
            let keys = loaded.session_needs(peer)?;
            if keys.is_empty() {
                return Ok(loaded.take_session(peer)?);
            }
            self.load_stored(loaded, keys)?;
        }
    }
}
