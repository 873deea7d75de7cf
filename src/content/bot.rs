//! Replies of bots inside a chat, `msmsg` (spec 20 §7).

use alloc::vec::Vec;

use rand_core::CryptoRng;
use zeroize::Zeroizing;

use super::add_on::{SealedAddOn, associated_data, open_gcm};
use super::context::{BOT_MESSAGE_SECRET, MESSAGE_SECRET};
use super::fields::{Fields, MESSAGE_CONTEXT_INFO, last_bytes, without};
use super::secret::{MessageSecret, account_text};
use crate::crypto::{aead, kdf};
use crate::error::Error;
use crate::jid::Jid;
use crate::secret::Secret;
use crate::wire::reader::Reader;
use crate::wire::writer::{self, Writer};

/// What a bot that was invoked in a chat gets in place of the message's secret, `botMessageSecret`: with it the bot can
/// answer, and derive none of the chat's other keys.
#[derive(Debug, PartialEq, Eq)]
pub struct BotSecret(Secret<32>);

impl BotSecret {
    /// Derives it from the secret of the message that invoked the bot.
    #[must_use]
    pub fn new(secret: &MessageSecret) -> Self {
        // base = HKDF(messageSecret, 0s, "Bot Message", 32)
        Self(kdf::hkdf(None, secret.secret().expose(), &[b"Bot Message"]))
    }

    /// Takes the bytes that came in a message.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidArgument`] unless they are 32.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, Error> {
        Secret::from_slice(bytes).map(Self).ok_or(Error::InvalidArgument)
    }

    /// The 32 bytes.
    #[must_use]
    pub const fn secret(&self) -> &Secret<32> {
        &self.0
    }
}

/// What a bot's reply is bound to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct BotMessage<'a> {
    /// The id of the bot's message; of a streamed `inner` or `last` edit, the id of the message that it edits.
    pub message_id: &'a str,
    /// The user who asked.
    pub target_sender: &'a Jid,
    /// The bot.
    pub bot: &'a Jid,
}

impl BotMessage<'_> {
    /// `HKDF(base, 0s, messageId ‖ targetSender ‖ botJid, 32)`.
    fn key(&self, secret: &BotSecret) -> Secret<32> {
        let (target, bot) = (account_text(self.target_sender), account_text(self.bot));
        let info = [self.message_id, &target, &bot].map(str::as_bytes);
        kdf::hkdf(None, secret.0.expose(), &info)
    }

    /// Encrypts a reply, as the bot does. Not padded. Draws the 12 bytes of the IV.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidArgument`] beyond the length limit of GCM.
    pub fn seal(
        &self,
        secret: &BotSecret,
        message: &[u8],
        rng: &mut impl CryptoRng,
    ) -> Result<SealedAddOn, Error> {
        let mut iv = [0; aead::NONCE_LENGTH];
        rng.fill_bytes(&mut iv);
        let mut payload = Vec::with_capacity(message.len().saturating_add(aead::TAG_LENGTH));
        payload.extend_from_slice(message);
        let aad = associated_data(self.message_id, self.bot);
        let tag = aead::gcm_seal(&self.key(secret), &iv, &aad, &mut payload)?;
        payload.extend_from_slice(&tag);
        Ok(SealedAddOn { iv, payload })
    }

    /// Decrypts a reply. Not padded.
    ///
    /// # Errors
    ///
    /// [`Error::Rejected`] when the tag does not fit, or the IV has not 12 bytes.
    pub fn open(
        &self,
        secret: &BotSecret,
        message: &MessageSecretMessage<'_>,
    ) -> Result<Zeroizing<Vec<u8>>, Error> {
        // AES-256-GCM-open(key, encIv, aad = messageId ‖ 0x00 ‖ botJid, encPayload)
        let aad = associated_data(self.message_id, self.bot);
        open_gcm(&self.key(secret), message.iv, &aad, message.payload)
    }
}

/// `MessageSecretMessage {version#1 sfixed32, encIv#2, encPayload#3}`, the content of an `msmsg`. A borrowed view.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct MessageSecretMessage<'a> {
    /// The version, if it is there; no value of it is known to mean anything.
    pub version: Option<i32>,
    /// `encIv`.
    pub iv: &'a [u8],
    /// `encPayload`.
    pub payload: &'a [u8],
}

impl<'a> MessageSecretMessage<'a> {
    /// A reply that was sealed.
    #[must_use]
    pub fn new(version: Option<i32>, sealed: &'a SealedAddOn) -> Self {
        Self { version, iv: &sealed.iv, payload: &sealed.payload }
    }

    /// Reads the content of an `msmsg`.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidProtobuf`] when it is malformed, or lacks IV or payload.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, Error> {
        let (mut version, mut iv, mut payload) = (None, None, None);
        for field in Reader::new(bytes) {
            match field? {
                (1, value) => version = Some(value.fixed32()?.cast_signed()),
                (2, value) => iv = Some(value.bytes()?),
                (3, value) => payload = Some(value.bytes()?),
                _ => {}
            }
        }
        let iv = iv.ok_or(Error::InvalidProtobuf)?;
        Ok(Self { version, iv, payload: payload.ok_or(Error::InvalidProtobuf)? })
    }

    /// The encoded message.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        writer::encode(|w| {
            if let Some(version) = self.version {
                w.fixed32(1, version.cast_unsigned());
            }
            w.bytes(2, self.iv);
            w.bytes(3, self.payload);
        })
    }
}

/// The copy of a `Message` that is encrypted for a bot: in its `messageContextInfo` the `messageSecret` is replaced by
/// the `botMessageSecret` that follows from it. All else is kept byte for byte, except that `messageContextInfo` comes
/// last. Encrypted pairwise and padded, like any message.
///
/// # Errors
///
/// [`Error::InvalidProtobuf`] when the message is malformed; [`Error::InvalidArgument`] when it has no `messageSecret`
/// of 32 bytes.
pub fn bot_copy(message: &[u8]) -> Result<Zeroizing<Vec<u8>>, Error> {
    let context = last_bytes(message, MESSAGE_CONTEXT_INFO)?.ok_or(Error::InvalidArgument)?;
    let secret = last_bytes(context, MESSAGE_SECRET)?.ok_or(Error::InvalidArgument)?;
    let secret = BotSecret::new(&MessageSecret::from_bytes(secret)?);
    // what holds the message's secret anywhere is left out
    let mut kept = Zeroizing::new(Vec::with_capacity(context.len()));
    for field in Fields::new(context) {
        let (number, _, raw) = field?;
        if number != MESSAGE_SECRET && number != BOT_MESSAGE_SECRET {
            kept.extend_from_slice(raw);
        }
    }
    let others = without(message, |number| number == MESSAGE_CONTEXT_INFO)?;
    Ok(Zeroizing::new(writer::encode(|w: &mut Writer<'_>| {
        w.raw(&others);
        w.message(MESSAGE_CONTEXT_INFO, |w| {
            w.raw(&kept);
            w.bytes(BOT_MESSAGE_SECRET, secret.0.expose());
        });
    })))
}
