//! Sending (spec 04 §3).

use alloc::vec::Vec;

use rand_core::CryptoRng;

use super::{Addresses, At, Session};
use crate::error::Error;
use crate::keys::IdentityKey;
use crate::time::Timestamp;
use crate::wire::CiphertextMessageType;

/// A message to send: its type, which travels outside the bytes, and the bytes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CiphertextMessage {
    /// [`Signal`](CiphertextMessageType::Signal), or [`PreKey`](CiphertextMessageType::PreKey) until
    /// the peer has answered.
    pub message_type: CiphertextMessageType,
    /// The complete message.
    pub bytes: Vec<u8>,
}

impl Session {
    /// Encrypts `plaintext` of any length in the current session.
    ///
    /// # Errors
    ///
    /// As [`encrypt_into`](Self::encrypt_into).
    pub fn encrypt(
        &mut self,
        addresses: Addresses<'_>,
        plaintext: &[u8],
        trusted: impl FnOnce(&IdentityKey) -> bool,
        now: Timestamp,
        rng: &mut impl CryptoRng,
    ) -> Result<CiphertextMessage, Error> {
        let mut bytes = Vec::new();
        let message_type =
            self.encrypt_into(addresses, plaintext, trusted, now, rng, &mut bytes)?;
        Ok(CiphertextMessage { message_type, bytes })
    }

    /// As [`encrypt`](Self::encrypt), appending to `out`: a buffer with enough capacity makes the call
    /// free of allocations. `trusted` is asked, direction Sending.
    ///
    /// # Errors
    ///
    /// [`Error::SessionNotFound`] without a current session, or when the peer has not answered for over
    /// 30 days; [`Error::InvalidSession`] when the state lacks what sending needs;
    /// [`Error::UntrustedIdentity`]; [`Error::ChainExhausted`] after 2^32 - 1 messages in one chain.
    /// Session and `out` are as before then, and the number of the failed message is used again.
    pub fn encrypt_into(
        &mut self,
        addresses: Addresses<'_>,
        plaintext: &[u8],
        trusted: impl FnOnce(&IdentityKey) -> bool,
        now: Timestamp,
        rng: &mut impl CryptoRng,
        out: &mut Vec<u8>,
    ) -> Result<CiphertextMessageType, Error> {
        // 1. a current session
        if self.current.is_none() {
            return Err(Error::SessionNotFound);
        }
        let state = self.state_mut(At::Current).ok_or(Error::InvalidSession)?;
        // 2. not stale
        if state.is_stale(now) {
            return Err(Error::SessionNotFound);
        }
        let message_type = state.encrypt(addresses, plaintext, trusted, rng, out)?;
        self.stored.0.note_change();
        Ok(message_type)
    }
}
