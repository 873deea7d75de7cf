//! Distribution messages (spec 05 §5.1 and §5.2).

use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::vec::Vec;

use rand_core::CryptoRng;
use zeroize::Zeroizing;

use super::signing_key::SigningKey;
use super::skipped_keys::SkippedKeys;
use super::state::{SenderKeyState, VERSION_BYTE};
use super::{Distribution, SenderKeyRecord};
use crate::dialect::MAX_SENDER_KEY_STATES;
use crate::error::Error;
use crate::ratchet::ChainKey;
use crate::wire::{SenderKeyDistributionMessage, SenderKeyDistributionMessageFields};

impl SenderKeyRecord {
    /// A message that lets its reader decrypt this device's messages from now on (spec 05 §5.1). Where the
    /// record has a key, that key at its current iteration is told: earlier messages stay unreadable.
    /// Where it has none, one is made, and 68 bytes are drawn.
    ///
    /// The message holds a secret: it travels inside a one-to-one message only.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidSenderKeySession`] when the first state is corrupt.
    pub fn create_distribution(
        &mut self,
        distribution: &Distribution,
        rng: &mut impl CryptoRng,
    ) -> Result<Zeroizing<Vec<u8>>, Error> {
        if self.is_empty() {
            self.rotate(rng);
        }
        let state = self.states.front().ok_or(Error::InvalidSenderKeySession)?;
        let (chain_key, signing_key) = state.keys()?;
        Ok(SenderKeyDistributionMessageFields {
            version_byte: VERSION_BYTE,
            distribution_id: distribution.wire_id(),
            chain_id: state.chain_id,
            iteration: chain_key.index(),
            chain_key: chain_key.secret(),
            signing_key: signing_key.public(),
        }
        .encode())
    }

    /// Replaces this device's own key by a new one: nobody can read what is sent next until it is
    /// distributed. Draws 68 bytes.
    pub fn rotate(&mut self, rng: &mut impl CryptoRng) {
        self.states = VecDeque::from([Box::new(SenderKeyState::generate(rng))]);
        self.changed = true;
    }

    /// Learns the key of a distribution message, which came from this record's sender in a one-to-one
    /// message (spec 05 §5.2).
    ///
    /// A key that is known already is not touched: neither its chain nor its iteration, so that a repeated
    /// message cannot rewind it. It becomes the first.
    pub fn process_distribution(&mut self, message: &SenderKeyDistributionMessage<'_>) {
        self.changed = true;
        let chain_id = message.chain_id();
        // 1. same chain id and same signing key: keep the state, to the front
        let known = self.states.iter().position(|state| {
            let public = state.signing_key.as_ref().map(SigningKey::public);
            state.chain_id == chain_id && public == Some(message.signing_key())
        });
        if let Some(state) = known.and_then(|at| self.states.remove(at)) {
            self.states.push_front(state);
            return;
        }
        // 2. otherwise every state of that chain id goes, and a new one comes
        self.states.retain(|state| state.chain_id != chain_id);
        // 3. room for one
        self.states.truncate(MAX_SENDER_KEY_STATES.saturating_sub(1));
        self.states.push_front(Box::new(SenderKeyState {
            message_version: u32::from(message.version()),
            chain_id,
            chain_key: Some(ChainKey::new(message.chain_key(), message.iteration())),
            signing_key: Some(SigningKey::new(*message.signing_key(), None)),
            skipped: SkippedKeys::default(),
        }));
    }
}
