//! Receiving (spec 05 §5.4).

use alloc::vec::Vec;

use zeroize::Zeroizing;

use super::SenderKeyRecord;
use super::state::Authentic;
use crate::dialect::GroupDialect;
use crate::error::Error;
use crate::wire::SenderKeyMessage;

impl SenderKeyRecord {
    /// Decrypts a message of this record's sender.
    ///
    /// # Errors
    ///
    /// In this order: [`Error::NoSenderKeyState`] when no state has the message's chain id;
    /// [`Error::UnrecognizedMessageVersion`] when that state is of another version;
    /// [`Error::InvalidSenderKeySession`] when it is corrupt; [`Error::SignatureValidationFailed`];
    /// [`Error::DuplicatedMessage`]; [`Error::TooFarInFuture`]; [`Error::ChainExhausted`] for iteration
    /// 2^32 - 1; [`Error::Rejected`] when the body does not decrypt. Nothing is changed then.
    pub fn decrypt(&mut self, message: &SenderKeyMessage<'_>) -> Result<Zeroizing<Vec<u8>>, Error> {
        let (at, authentic) = self.authenticate(message)?;
        // 7. into a buffer of its own
        let mut body = Zeroizing::new(message.ciphertext().to_vec());
        let length = authentic.decrypt_in_place(&mut body)?;
        body.truncate(length);
        self.commit(at, authentic);
        Ok(body)
    }

    /// As [`decrypt`](Self::decrypt), inside the message's own bytes. The plaintext returned is a part of
    /// `message`; in steady state nothing is allocated.
    ///
    /// # Errors
    ///
    /// As [`decrypt`](Self::decrypt), and those of [`SenderKeyMessage::parse`]. The record is unchanged
    /// then; `message` is too, unless its signature verified and then its padding failed.
    pub fn decrypt_in_place<'m>(
        &mut self,
        dialect: GroupDialect,
        message: &'m mut [u8],
    ) -> Result<&'m mut [u8], Error> {
        // 1. parse
        let view = SenderKeyMessage::parse(dialect, message)?;
        let body = view.ciphertext_range();
        let (at, authentic) = self.authenticate(&view)?;
        // 7. in place
        let body = message.get_mut(body).ok_or(Error::Rejected)?;
        let length = authentic.decrypt_in_place(body)?;
        self.commit(at, authentic);
        body.get_mut(..length).ok_or(Error::Rejected)
    }

    /// Steps 3 to 6: the first state of the message's chain id, and what it makes of the message.
    fn authenticate(&self, message: &SenderKeyMessage<'_>) -> Result<(usize, Authentic), Error> {
        let mut states = self.states.iter().enumerate();
        let (at, state) = states
            .find(|(_, state)| state.chain_id == message.chain_id())
            .ok_or(Error::NoSenderKeyState)?;
        Ok((at, state.authenticate(message)?))
    }

    /// Merges an authentic message that has decrypted. The order of states stays.
    fn commit(&mut self, at: usize, authentic: Authentic) {
        if let Some(state) = self.states.get_mut(at) {
            state.commit(authentic);
            self.changed = true;
        }
    }
}
