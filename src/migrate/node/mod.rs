//! Records of the version-3 family's JavaScript stores (spec 20): libsignal-node's session records as
//! JSON, and the key pairs and credentials that clients around it keep.
//!
//! Reading only. What was seen of these stores, field by field:
//!
//! | field | is |
//! |---|---|
//! | `_sessions` | one object for each session, by its base key |
//! | `indexInfo.closed` | when it was archived, -1 for the one that is open |
//! | `currentRatchet` | root key, our ratchet key pair, the peer's newest ratchet key |
//! | `_chains` | by ratchet key: `chainType` 1 sends, 2 receives |
//! | `chainKey.counter` | the last message's counter, -1 for none |
//! | `chainKey.key` | absent once the peer has moved on and all skipped keys are derived |
//! | `messageKeys` | the seeds of skipped messages by counter |
//! | `pendingPreKey` | until the peer has answered |
//!
//! Public keys come with or without their type byte, bytes as base64 or as a serialized `Buffer`.
//! The text holds private keys: wiping it is its owner's part. Decoded keys wipe themselves.

mod json;
mod keys;
mod session;

pub use keys::{
    Credentials, decode_credentials, decode_identity_key_pair, decode_pre_key,
    decode_signed_pre_key,
};
pub use session::{DecodedSession, decode_session};
