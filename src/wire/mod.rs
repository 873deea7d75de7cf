//! The messages of the protocol as bytes: borrowed views to read, exact-size writers to send
//! (spec 03 §5, spec 04 §2 and §8, spec 05 §3 and §4).
//!
//! | file | what |
//! |---|---|
//! | `signal_message` | [`SignalMessage`], the ratchet's message, and [`SignalMessageFields`] to write one |
//! | `pre_key_signal_message` | [`PreKeySignalMessage`], which starts a session, and [`PreKeySignalMessageFields`] |
//! | `plaintext_content` | [`PlaintextContent`], a frame for what goes unencrypted |
//! | `decryption_error_message` | [`DecryptionErrorMessage`], the request to send again |
//! | `sender_key_message` | [`SenderKeyMessage`], a message to a group, and [`SenderKeyMessageFields`] |
//! | `sender_key_distribution_message` | [`SenderKeyDistributionMessage`], which lets its reader decrypt them, and [`SenderKeyDistributionMessageFields`] |
//! | `message_type` | [`CiphertextMessageType`], the type codes |
//! | `address_binding` | [`address_binding`], the addresses under a message's MAC |
//! | `version` | the version byte |
//! | `reader`, `writer` | protobuf, by hand: MACs cover exact bytes, and secrets must not sit in growing buffers |
//!
//! A view holds no copy of the message but borrows the received bytes. Nothing here checks a MAC.

mod address_binding;
mod decryption_error_message;
mod message_type;
mod plaintext_content;
mod pre_key_signal_message;
pub(crate) mod reader;
mod sender_key_distribution_message;
mod sender_key_message;
mod signal_message;
pub(crate) mod version;
pub(crate) mod writer;

pub use address_binding::{ADDRESS_BINDING_LENGTH, address_binding};
pub use decryption_error_message::DecryptionErrorMessage;
pub use message_type::CiphertextMessageType;
pub use plaintext_content::PlaintextContent;
pub use pre_key_signal_message::{PreKeySignalMessage, PreKeySignalMessageFields};
pub use sender_key_distribution_message::{
    SenderKeyDistributionMessage, SenderKeyDistributionMessageFields,
};
pub use sender_key_message::{SenderKeyMessage, SenderKeyMessageFields};
pub use signal_message::{MAC_LENGTH, SignalMessage, SignalMessageFields};
