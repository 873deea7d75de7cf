//! Messages that do not tell the server who sent them (spec 06).
//!
//! Sending: encrypt as always, wrap the message in an
//! [`UnidentifiedSenderMessageContent`] with this device's certificate, seal that. Receiving: open, then
//! decrypt what is inside, from the address that the certificate names.

use alloc::vec::Vec;

use rand_core::CryptoRng;

use super::{Device, DeviceError};
use crate::address::{Address, ServiceId};
use crate::error::Error;
use crate::sealed_sender::{
    MultiRecipientMessage, OwnDevice, Trust, UnidentifiedSenderMessageContent, open, seal_v1,
};
use crate::store::Store;
use crate::time::Timestamp;

impl<S: Store> Device<S> {
    /// Seals a message for one device, with the identity key known for it.
    ///
    /// # Errors
    ///
    /// [`Error::SessionNotFound`] if none is known; [`Error::InvalidKeyAgreement`]; those of the store.
    pub fn seal(
        &self,
        peer: &Address,
        content: &UnidentifiedSenderMessageContent,
        rng: &mut impl CryptoRng,
    ) -> Result<Vec<u8>, DeviceError<S::Error>> {
        let known = self.identity_of(peer)?.ok_or(Error::SessionNotFound)?;
        Ok(seal_v1(self.own.local.identity(), known.key(), content, rng)?)
    }

    /// Seals one message for many devices, such as a group's. Sort the devices by account. `excluded` are
    /// accounts that are members and do not get it.
    ///
    /// # Errors
    ///
    /// [`Error::SessionNotFound`] for a device whose identity is not known; those of
    /// [`MultiRecipientMessage::add`], [`MultiRecipientMessage::seal`] and the store.
    pub fn seal_for_many(
        &self,
        peers: &[Address],
        excluded: &[ServiceId],
        content: &UnidentifiedSenderMessageContent,
        rng: &mut impl CryptoRng,
    ) -> Result<Vec<u8>, DeviceError<S::Error>> {
        let mut message = MultiRecipientMessage::with_capacity(peers.len());
        for peer in peers {
            let known = self.identity_of(peer)?.ok_or(Error::SessionNotFound)?;
            let id = self.read_session(peer, |session| session.remote_registration_id())?;
            message.add(peer, known.key(), id)?;
        }
        for account in excluded {
            message.exclude(*account);
        }
        Ok(message.seal(self.own.local.identity(), content, rng)?)
    }

    /// Opens a sealed message of either version and validates its sender's certificate. `number` is this
    /// account's phone number in E.164 form, if its own messages are to be recognised by it, too.
    ///
    /// What is inside is decrypted as always: from the address, of the type and with the bytes that the
    /// result names.
    ///
    /// # Errors
    ///
    /// Those of [`open`] and
    /// [`validate`](crate::sealed_sender::Unvalidated::validate).
    pub fn open_sealed(
        &self,
        bytes: &[u8],
        trust: &Trust<'_>,
        number: Option<&str>,
        now: Timestamp,
    ) -> Result<UnidentifiedSenderMessageContent, Error> {
        let address = self.own.local.address();
        let own = OwnDevice { uuid: address.name(), e164: number, device: address.device() };
        open(bytes, self.own.local.identity())?.validate(trust, &own, now)
    }
}
