//! What stands around a message's content, between the application's protobuf and the ratchet (spec 20 §5, §7, §8,
//! spec 09 §3).
//!
//! | to | use |
//! |---|---|
//! | pad a body before it is encrypted, and unpad it | [`Padding`] |
//! | tell one's own other devices what was sent | [`wrap_device_sent`], [`unwrap_device_sent`] |
//! | read a message's secret and device-list metadata | [`MessageContext`] |
//! | vote, react, comment, answer an event, edit: bound to the parent message | [`AddOn`], [`open_add_on`], [`EncryptedAddOn`] |
//! | hash a poll's options, and the plaintexts of add-ons | [`poll_option_hash`], [`PollVote`], [`Reaction`], [`EventResponse`] |
//! | talk to a bot inside a chat | [`BotSecret`], [`MessageSecretMessage`], [`bot_copy`] |
//! | let the server check a report | [`report_token`] |
//! | let the server compare device lists | [`participant_hash`], [`group_participant_hash`] |
//! | let the peer compare device lists | [`KeyListHash`], [`DeviceListMetadata`] |
//! | say in a retry receipt what went wrong | [`RetryReason`] |
//!
//! These are functions of bytes: nothing is stored, and nothing here knows a session. A message is the encoded
//! protobuf `Message`, which belongs to the application; fields that are not understood here are kept byte for byte.

mod add_on;
mod bot;
mod carrier;
mod context;
mod device_list;
mod device_sent;
mod fields;
mod padding;
mod participant_hash;
mod poll;
mod reaction;
mod report;
mod retry_reason;
mod secret;

pub use add_on::{AddOn, Author, OpenedAddOn, SealedAddOn, open_add_on};
pub use bot::{BotMessage, BotSecret, MessageSecretMessage, bot_copy};
pub use carrier::EncryptedAddOn;
pub use context::MessageContext;
pub use device_list::{DeviceListMetadata, KeyListHash};
pub use device_sent::{DeviceSent, unwrap_device_sent, wrap_device_sent};
pub use padding::Padding;
pub use participant_hash::{group_participant_hash, participant_hash};
pub use poll::{PollVote, poll_option_hash};
pub use reaction::{EventResponse, Reaction};
pub use report::{REPORT_TOKEN_VERSION, report_token};
pub use retry_reason::RetryReason;
pub use secret::{MessageSecret, UseCase};
