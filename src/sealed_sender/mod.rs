//! Sealed sender: messages that do not tell the server who sent them (spec 06).
//!
//! | file | what | specification |
//! |---|---|---|
//! | [`ServerCertificate`] | a server's key, signed by a trust root | 06 §1.1 |
//! | [`SenderCertificate`] | account, device and identity key, signed by a server | 06 §1.2 |
//! | [`Trust`] | trust roots, and certificates known by id | 06 §1.3 |
//! | [`UnidentifiedSenderMessageContent`] | what is sealed: a message of any type, certificate, hint, group | 06 §2 |
//! | [`seal_v1`] | a message to one recipient | 06 §4 |
//! | [`MultiRecipientMessage`] | a message to many, encrypted once | 06 §5 |
//! | [`SentMessage`] | reading and splitting that on a server, without copying | 06 §5.4 |
//! | [`open`], [`Unvalidated`] | the way back, both versions | 06 §4.3, §5.2, §6 |
//!
//! Sealing wraps a message that a session or a group has encrypted; opening gives it back. What is
//! inside is decrypted by the session with [`SenderCertificate::address`], after validation.

mod content;
mod multi_recipient;
mod sender_certificate;
mod sent_message;
mod server_certificate;
mod trust;
mod v1;
mod v2;

use crate::address::DeviceId;
use crate::error::Error;
use crate::keys::IdentityKeyPair;
use crate::time::Timestamp;

pub use content::{ContentHint, UnidentifiedSenderMessageContent};
pub use multi_recipient::MultiRecipientMessage;
pub use sender_certificate::{Sender, SenderCertificate, Signer};
pub use sent_message::{SentMessage, SentRecipient};
pub use server_certificate::ServerCertificate;
pub use trust::{BUILT_IN, KnownServerCertificate, PRODUCTION_ROOT, STAGING_ROOT, Trust};
pub use v1::seal_v1;
pub use v2::RECIPIENT_PART_LENGTH;

/// A sealed message that was opened, but whose certificate nobody has validated yet: who sent it is
/// what the sender says.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Unvalidated(UnidentifiedSenderMessageContent);

/// This device as certificates name it, so that its own messages are recognised (spec 06 §6).
#[derive(Clone, Copy, Debug)]
pub struct OwnDevice<'a> {
    /// The account's UUID, as text; compared exactly.
    pub uuid: &'a str,
    /// The phone number in E.164 form, if it is to be compared.
    pub e164: Option<&'a str>,
    /// The device.
    pub device: DeviceId,
}

/// Opens a sealed message of either version with the recipient's identity.
///
/// # Errors
///
/// [`Error::UnknownSealedSenderVersion`]; [`Error::InvalidSealedSenderMessage`] when empty, not for
/// `recipient`, damaged, or not by the identity that its certificate names;
/// [`Error::InvalidProtobuf`] and errors of keys where it is malformed; [`Error::InvalidKeyAgreement`]
/// when it is made with a key of low order.
pub fn open(bytes: &[u8], recipient: &IdentityKeyPair) -> Result<Unvalidated, Error> {
    let (version, body) = bytes.split_first().ok_or(Error::InvalidSealedSenderMessage)?;
    // the high nibble alone decides
    match version >> 4 {
        0 | 1 => v1::open(body, recipient),
        2 => v2::open(body, recipient),
        other => Err(Error::UnknownSealedSenderVersion(other)),
    }
    .map(Unvalidated)
}

impl Unvalidated {
    /// Validates the sender's certificate, and refuses a message of this very device.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidSealedSenderMessage`] when the certificate is not valid,
    /// [`Error::UnknownSealedSenderServerCertificateId`] when it names an unknown signer,
    /// [`Error::SealedSenderSelfSend`] when the sender is `own`. Messages of one's other devices pass.
    pub fn validate(
        self,
        trust: &Trust<'_>,
        own: &OwnDevice<'_>,
        now: Timestamp,
    ) -> Result<UnidentifiedSenderMessageContent, Error> {
        let sender = self.0.sender();
        // 2. certificate
        if !sender.validate(trust, now)? {
            return Err(Error::InvalidSealedSenderMessage);
        }
        // 3. self-send: (UUIDs equal, or both E.164 present and equal) and devices equal
        let same_number = own.e164.is_some() && own.e164 == sender.e164();
        if (own.uuid == sender.uuid() || same_number) && own.device == sender.device() {
            return Err(Error::SealedSenderSelfSend);
        }
        Ok(self.0)
    }

    /// The content as the sender says it, for an application that validates the certificate itself.
    #[must_use]
    pub const fn unvalidated(&self) -> &UnidentifiedSenderMessageContent {
        &self.0
    }
}
