//! Messages to groups, and their keys.

use rand_core::CryptoRng;

use super::{Device, DeviceError, Received};
use crate::address::Address;
use crate::group::Distribution;
use crate::protocol::{
    AcceptDistribution, DecryptGroup, ForgetSenderKey, GiveKeyAgain, SendToGroup, SentToGroup,
};
use crate::store::Store;
use crate::time::Timestamp;

impl<S: Store> Device<S> {
    /// Encrypts to a group, and its key to every member that needs it first, in one commit: for all of
    /// them or, if something is missing, for none.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidSenderKeySession`](crate::Error::InvalidSenderKeySession) where the stored key is
    /// corrupt; those of the store.
    pub fn send_to_group(
        &mut self,
        message: &SendToGroup<'_>,
        now: Timestamp,
        rng: &mut impl CryptoRng,
    ) -> Result<SentToGroup, DeviceError<S::Error>> {
        self.perform(message, now, rng)
    }

    /// Gives this device's key to a member again, with the next message. Returns whether it will: not for
    /// a device that never had it, nor more than five times.
    ///
    /// # Errors
    ///
    /// As [`send_to_group`](Self::send_to_group).
    pub fn give_key_again(
        &mut self,
        distribution: &Distribution,
        member: &Address,
        now: Timestamp,
        rng: &mut impl CryptoRng,
    ) -> Result<bool, DeviceError<S::Error>> {
        self.perform(&GiveKeyAgain { distribution, member }, now, rng)
    }

    /// Forgets the key of one device for a group, whatever is stored of it: after
    /// [`Error::InvalidSenderKeySession`](crate::Error::InvalidSenderKeySession), or when a member is
    /// gone. Of this device: the next message makes a new key, and gives it to everybody.
    ///
    /// # Errors
    ///
    /// Those of the store.
    pub fn forget_sender_key(
        &mut self,
        distribution: &Distribution,
        sender: &Address,
        now: Timestamp,
        rng: &mut impl CryptoRng,
    ) -> Result<bool, DeviceError<S::Error>> {
        self.perform(&ForgetSenderKey { distribution, sender }, now, rng)
    }

    /// Takes over a sender's key from a distribution message that a one-to-one message has carried.
    /// Before that message is committed: then a crash in between loses nothing.
    ///
    /// # Errors
    ///
    /// Those of [`AcceptDistribution`], and of the store.
    pub fn accept_distribution(
        &mut self,
        from: &Address,
        distribution: &Distribution,
        bytes: &[u8],
        now: Timestamp,
        rng: &mut impl CryptoRng,
    ) -> Result<(), DeviceError<S::Error>> {
        self.perform(&AcceptDistribution { from, distribution, bytes }, now, rng)
    }

    /// Decrypts a message to a group. Nothing is durable before [`Received::commit`].
    ///
    /// # Errors
    ///
    /// Those of [`DecryptGroup`]; [`Error::NoSenderKeyState`](crate::Error::NoSenderKeyState) asks the
    /// sender for its key. Those of the store.
    pub fn decrypt_group<'a, R: CryptoRng>(
        &'a mut self,
        from: &'a Address,
        distribution: &'a Distribution,
        bytes: &'a [u8],
        now: Timestamp,
        rng: &'a mut R,
    ) -> Result<Received<'a, S, R, DecryptGroup<'a>>, DeviceError<S::Error>> {
        self.receive(DecryptGroup { from, distribution, bytes }, now, rng)
    }
}
