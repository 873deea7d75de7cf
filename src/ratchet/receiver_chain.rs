//! A receiving chain (spec 04 §4 step 3).

use alloc::vec::Vec;

use super::skipped_keys::Skipped;
use super::{ChainKey, MessageSecret, SkippedKeys};
use crate::dialect::{MAX_FORWARD_JUMPS, MAX_MESSAGE_KEYS};
use crate::error::Error;
use crate::keys::PublicKey;

/// The peer's ratchet key, the chain that belongs to it, and the keys it skipped.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct ReceiverChain {
    pub(crate) ratchet_key: PublicKey,
    /// `None` where a stored record held no usable chain key: an error once the chain is needed.
    pub(crate) chain_key: Option<ChainKey>,
    pub(crate) skipped: SkippedKeys,
}

/// What receiving one message does to a chain, not yet done.
#[derive(Debug)]
pub(crate) enum Advance {
    /// The message was skipped before: its key leaves the store.
    TakeSkipped { at: usize },
    /// The chain moves past the message; keys in between are kept.
    Forward { skipped: Vec<Skipped>, next: ChainKey },
}

impl ReceiverChain {
    /// A chain at its start, without skipped keys.
    pub(crate) fn new(ratchet_key: PublicKey, chain_key: ChainKey) -> Self {
        Self { ratchet_key, chain_key: Some(chain_key), skipped: SkippedKeys::default() }
    }

    /// The secret of message `counter`, and what taking it would change.
    ///
    /// # Errors
    ///
    /// [`Error::DuplicatedMessage`], [`Error::TooFarInFuture`] (unless `unlimited`, for a session
    /// with one's own account), [`Error::ChainExhausted`], or [`Error::InvalidSession`] without a
    /// chain key.
    pub(crate) fn prepare(
        &self,
        counter: u32,
        unlimited: bool,
    ) -> Result<(MessageSecret, Advance), Error> {
        let chain = self.chain_key.as_ref().ok_or(Error::InvalidSession)?;
        let Some(ahead) = counter.checked_sub(chain.index()) else {
            // n < i: a key skipped before, or a duplicate
            let at = self.skipped.position(counter);
            let found = at.and_then(|at| Some((self.skipped.get(at)?.duplicate(), at)));
            let (secret, at) =
                found.ok_or(Error::DuplicatedMessage { chain_index: chain.index(), counter })?;
            return Ok((secret, Advance::TakeSkipped { at }));
        };
        if ahead > MAX_FORWARD_JUMPS && !unlimited {
            return Err(Error::TooFarInFuture);
        }
        // n >= i: keep the seeds of i .. n-1, of which only the last 2,000 would survive
        let mut skipped = Vec::with_capacity((ahead as usize).min(MAX_MESSAGE_KEYS));
        let (mut seed, mut next) = chain.step()?;
        let mut left = ahead;
        while left > 0 {
            if left as usize <= MAX_MESSAGE_KEYS {
                let counter = counter.wrapping_sub(left);
                skipped.push(Skipped { counter, secret: MessageSecret::Seed(seed) });
            }
            (seed, next) = next.step()?;
            left = left.saturating_sub(1);
        }
        Ok((MessageSecret::Seed(seed), Advance::Forward { skipped, next }))
    }

    /// Does what [`prepare`](Self::prepare) announced.
    pub(crate) fn commit(&mut self, advance: Advance) {
        match advance {
            Advance::TakeSkipped { at } => self.skipped.remove(at),
            Advance::Forward { skipped, next } => {
                self.skipped.append(skipped);
                self.chain_key = Some(next);
            }
        }
    }
}
