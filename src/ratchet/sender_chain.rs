//! The sending chain (spec 04 §3).

use super::ChainKey;
use crate::keys::KeyPair;

/// Our ratchet key pair and the chain that belongs to it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct SenderChain {
    pub(crate) ratchet_key: KeyPair,
    pub(crate) chain_key: ChainKey,
}
