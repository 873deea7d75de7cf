//! `messageContextInfo`: what stands beside a message's content (spec 20 §5, §7).

use super::device_list::DeviceListMetadata;
use super::fields::{MESSAGE_CONTEXT_INFO, last_bytes};
use super::secret::MessageSecret;
use crate::error::Error;
use crate::wire::reader::Reader;

/// `deviceListMetadata`.
pub(super) const DEVICE_LIST_METADATA: u32 = 1;
/// `messageSecret`.
pub(super) const MESSAGE_SECRET: u32 = 3;
/// `botMessageSecret`.
pub(super) const BOT_MESSAGE_SECRET: u32 = 6;

/// The fields of `messageContextInfo` that matter here. A borrowed view.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub struct MessageContext<'a> {
    device_list_metadata: Option<&'a [u8]>,
    device_list_metadata_version: Option<u32>,
    message_secret: Option<&'a [u8]>,
    bot_message_secret: Option<&'a [u8]>,
}

impl<'a> MessageContext<'a> {
    /// Reads the `messageContextInfo` of a `Message`; an empty one if it has none.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidProtobuf`].
    pub fn of(message: &'a [u8]) -> Result<Self, Error> {
        last_bytes(message, MESSAGE_CONTEXT_INFO)?.map_or(Ok(Self::default()), Self::parse)
    }

    /// Reads an encoded `MessageContextInfo`.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidProtobuf`].
    pub fn parse(bytes: &'a [u8]) -> Result<Self, Error> {
        let mut context = Self::default();
        for field in Reader::new(bytes) {
            match field? {
                (DEVICE_LIST_METADATA, value) => {
                    context.device_list_metadata = Some(value.bytes()?)
                }
                (2, value) => context.device_list_metadata_version = Some(value.uint32()?),
                (MESSAGE_SECRET, value) => context.message_secret = Some(value.bytes()?),
                (BOT_MESSAGE_SECRET, value) => context.bot_message_secret = Some(value.bytes()?),
                _ => {}
            }
        }
        Ok(context)
    }

    /// `messageSecret`.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidProtobuf`] unless it has 32 bytes.
    pub fn message_secret(&self) -> Result<Option<MessageSecret>, Error> {
        let secret = self.message_secret.map(MessageSecret::from_bytes).transpose();
        secret.map_err(|_| Error::InvalidProtobuf)
    }

    /// `botMessageSecret`, which a bot gets in place of the message's secret.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidProtobuf`] unless it has 32 bytes.
    pub fn bot_secret(&self) -> Result<Option<super::BotSecret>, Error> {
        let secret = self.bot_message_secret.map(super::BotSecret::from_bytes).transpose();
        secret.map_err(|_| Error::InvalidProtobuf)
    }

    /// `deviceListMetadata`, if it is of version 2.
    ///
    /// # Errors
    ///
    /// Those of [`DeviceListMetadata::parse`].
    pub fn device_list_metadata(&self) -> Result<Option<DeviceListMetadata>, Error> {
        match (self.device_list_metadata, self.device_list_metadata_version) {
            (Some(bytes), Some(DeviceListMetadata::VERSION)) => {
                DeviceListMetadata::parse(bytes).map(Some)
            }
            _ => Ok(None),
        }
    }
}

/// Without the secrets.
impl core::fmt::Debug for MessageContext<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("MessageContext")
            .field("has_device_list_metadata", &self.device_list_metadata.is_some())
            .field("has_message_secret", &self.message_secret.is_some())
            .field("has_bot_message_secret", &self.bot_message_secret.is_some())
            .finish()
    }
}
