//! The Double Ratchet (spec 04 §1 to §4), one file per concept.
//!
//! | file | concept |
//! |---|---|
//! | [`root_key`] | root key and root step |
//! | [`chain_key`] | chain key, chain step, message seed |
//! | [`message_keys`] | cipher key, MAC key and IV of one message |
//! | [`skipped_keys`] | seeds of messages that were skipped |
//! | [`receiver_chain`], [`sender_chain`] | one chain of either direction |
//! | [`double_ratchet`] | root, chains, and the step between them |
//!
//! Nothing here changes before it is committed: sending and receiving first make a candidate, and
//! the session merges it once the MAC has verified.

pub(crate) mod chain_key;
pub(crate) mod double_ratchet;
pub(crate) mod message_keys;
pub(crate) mod receiver_chain;
pub(crate) mod root_key;
pub(crate) mod sender_chain;
pub(crate) mod skipped_keys;

pub(crate) use chain_key::ChainKey;
pub(crate) use double_ratchet::DoubleRatchet;
pub(crate) use message_keys::{MessageKeys, MessageSecret};
pub(crate) use receiver_chain::ReceiverChain;
pub(crate) use root_key::RootKey;
pub(crate) use sender_chain::SenderChain;
pub(crate) use skipped_keys::SkippedKeys;
