//! Sending (spec 05 §5.3).

use alloc::vec::Vec;

use rand_core::CryptoRng;

use super::{Distribution, SenderKeyRecord};
use crate::error::Error;

impl SenderKeyRecord {
    /// Encrypts `plaintext` of any length for everybody who holds this device's key. Draws 64 bytes.
    ///
    /// # Errors
    ///
    /// As [`encrypt_into`](Self::encrypt_into).
    pub fn encrypt(
        &mut self,
        distribution: &Distribution,
        plaintext: &[u8],
        rng: &mut impl CryptoRng,
    ) -> Result<Vec<u8>, Error> {
        let mut out = Vec::new();
        self.encrypt_into(distribution, plaintext, rng, &mut out)?;
        Ok(out)
    }

    /// As [`encrypt`](Self::encrypt), appending to `out`: a buffer with enough capacity makes the call free
    /// of allocations.
    ///
    /// # Errors
    ///
    /// [`Error::NoSenderKeyState`] without a key; [`Error::InvalidSenderKeySession`] when the key is another
    /// device's, or corrupt; [`Error::ChainExhausted`] after 2^32 - 1 messages: rotate then. Record and
    /// `out` are as before.
    pub fn encrypt_into(
        &mut self,
        distribution: &Distribution,
        plaintext: &[u8],
        rng: &mut impl CryptoRng,
        out: &mut Vec<u8>,
    ) -> Result<(), Error> {
        // 1. a record, 2. its first state
        let state = self.states.front_mut().ok_or(Error::NoSenderKeyState)?;
        state.encrypt(distribution.wire_id(), plaintext, rng, out)?;
        self.changed = true;
        Ok(())
    }
}
