//! Receiving a plain message, over the current and the archived states (spec 04 §6).

use rand_core::CryptoRng;

use super::state::{Authentic, Plaintext};
use super::{Addresses, At, Session, Slot};
use crate::error::Error;
use crate::keys::IdentityKey;
use crate::wire::SignalMessage;

impl Session {
    /// Decrypts a plain message. One of an archived session makes that session current again. Draws
    /// 32 bytes when the message brings a new ratchet key.
    ///
    /// `trusted` is asked, direction Receiving, once the message has decrypted.
    ///
    /// # Errors
    ///
    /// [`Error::SessionNotFound`] for a record without any session;
    /// [`Error::DuplicatedMessage`]; [`Error::UntrustedIdentity`], which withholds the plaintext;
    /// [`Error::TooFarInFuture`], [`Error::InvalidSession`], [`Error::InvalidState`] or
    /// [`Error::ChainExhausted`] where the current session gave them and no other state decrypts;
    /// [`Error::Rejected`] otherwise. Nothing is changed then.
    pub fn decrypt(
        &mut self,
        addresses: Addresses<'_>,
        message: &SignalMessage<'_>,
        trusted: impl FnOnce(&IdentityKey) -> bool,
        rng: &mut impl CryptoRng,
    ) -> Result<Plaintext, Error> {
        let (at, authentic) = self.authenticate(addresses, message)?;
        let plaintext = authentic.decrypt(message)?;
        self.merge_trusted(at, authentic, trusted, rng)?;
        Ok(plaintext)
    }

    /// As [`decrypt`](Self::decrypt), inside the message's own bytes and, in steady state, without an
    /// allocation. The plaintext returned is a part of `message`.
    ///
    /// # Errors
    ///
    /// As [`decrypt`](Self::decrypt), and those of [`SignalMessage::parse`]. The session is unchanged
    /// then; `message` is too, unless its MAC verified and then its padding or its sender's identity
    /// failed.
    pub fn decrypt_in_place<'m>(
        &mut self,
        addresses: Addresses<'_>,
        message: &'m mut [u8],
        trusted: impl FnOnce(&IdentityKey) -> bool,
        rng: &mut impl CryptoRng,
    ) -> Result<&'m mut [u8], Error> {
        let view = SignalMessage::parse(message)?;
        let body = view.ciphertext_range();
        let (at, authentic) = self.authenticate(addresses, &view)?;
        let body = message.get_mut(body).ok_or(Error::Rejected)?;
        let length = authentic.decrypt_in_place(body)?;
        self.merge_trusted(at, authentic, trusted, rng)?;
        body.get_mut(..length).ok_or(Error::Rejected)
    }

    /// Finds the state in which the message's MAC verifies.
    fn authenticate(
        &self,
        addresses: Addresses<'_>,
        message: &SignalMessage<'_>,
    ) -> Result<(At, Authentic), Error> {
        if self.current.is_none() && self.archived.is_empty() {
            return Err(Error::SessionNotFound);
        }
        let mut noted = Error::Rejected;
        // 1. the current session: a duplicate is final, other errors are noted
        if let Some(slot) = &self.current {
            let tried = slot
                .usable()
                .ok_or(Error::InvalidSession)
                .and_then(|state| state.authenticate(addresses, message));
            match tried {
                Ok(authentic) => return Ok((At::Current, authentic)),
                Err(error @ Error::DuplicatedMessage { .. }) => return Err(error),
                Err(error) => noted = error,
            }
        }
        // 2. archived sessions, newest first; corrupt ones are skipped
        for (index, state) in self
            .archived_slots()
            .enumerate()
            .filter_map(|(index, slot)| Some((index, Slot::usable(slot)?)))
        {
            match state.authenticate(addresses, message) {
                Ok(authentic) => return Ok((At::Archived(index), authentic)),
                Err(error @ Error::DuplicatedMessage { .. }) => return Err(error),
                Err(_) => {}
            }
        }
        // 3. nothing worked
        Err(noted)
    }

    fn merge_trusted(
        &mut self,
        at: At,
        authentic: Authentic,
        trusted: impl FnOnce(&IdentityKey) -> bool,
        rng: &mut impl CryptoRng,
    ) -> Result<(), Error> {
        let state = self.state(at).ok_or(Error::InvalidSession)?;
        if !trusted(&state.remote_identity) {
            return Err(Error::UntrustedIdentity);
        }
        self.merge(at, authentic, rng)
    }

    /// Merges an authentic message into its state, and makes that state current.
    pub(super) fn merge(
        &mut self,
        at: At,
        authentic: Authentic,
        rng: &mut impl CryptoRng,
    ) -> Result<(), Error> {
        let state = self.state_mut(at).ok_or(Error::InvalidSession)?;
        let ran_spqr = state.runs_spqr();
        state.commit(authentic, rng)?;
        // a peer that switched SPQR off took its skipped keys with it
        let switched_off = ran_spqr && !state.runs_spqr();
        self.stored.0.note_change();
        if switched_off {
            self.stored.0.replace_current();
        }
        if let At::Archived(index) = at {
            self.promote_archived(index);
        }
        Ok(())
    }
}
