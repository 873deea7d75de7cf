//! The Double Ratchet of one session (spec 04 §3 and §4).

use alloc::vec::Vec;

use rand_core::CryptoRng;

use super::receiver_chain::Advance;
use super::{ChainKey, MessageSecret, ReceiverChain, RootKey, SenderChain};
use crate::crypto::x25519::{self, PeerKey, Product};
use crate::dialect::MAX_RECEIVER_CHAINS;
use crate::error::Error;
use crate::keys::{KeyPair, PrivateKey, PublicKey};
use crate::secret::Secret;
use crate::store::pages::{Bookkeeping, Pages};

/// Root key, sending chain and receiving chains.
///
/// `None` stands for a part that a stored record lacks or holds in an unusable form; it is an error
/// when it is needed, not before (spec 08, scenario 9).
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct DoubleRatchet {
    pub(crate) root_key: Option<RootKey>,
    pub(crate) sender: Option<SenderChain>,
    /// Oldest first, at most [`MAX_RECEIVER_CHAINS`].
    pub(crate) receivers: Vec<ReceiverChain>,
    /// Counter of the last message of the previous sending chain, 0 for none (spec 04 §3).
    pub(crate) previous_counter: u32,
    /// What became of receiving chains that are no longer there.
    pub(crate) dropped: Bookkeeping<DroppedChains>,
}

/// For storing: receiving chains that were dropped.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct DroppedChains {
    /// How many, modulo 256: stored keys name their chain by a number that counts dropped ones too.
    pub(crate) count: u8,
    /// The pages of their keys, since the state was stored.
    dirty: Pages,
}

impl DroppedChains {
    /// As a stored record names them: their keys are gone from there too.
    pub(crate) const fn new(count: u8) -> Self {
        Self { count, dirty: Pages::NONE }
    }
}

/// What sending one message takes and changes.
#[derive(Debug)]
pub(crate) struct Outgoing {
    pub(crate) counter: u32,
    pub(crate) seed: Secret<32>,
    next: ChainKey,
}

/// What receiving one message takes and changes, before its MAC has verified.
#[derive(Debug)]
pub(crate) struct Incoming {
    pub(crate) secret: MessageSecret,
    change: Change,
}

#[derive(Debug)]
#[allow(clippy::large_enum_variant)] // one short-lived value, which never lies in a list
enum Change {
    /// The message belongs to a known chain.
    Known { chain: usize, advance: Advance },
    /// The message brings a new ratchet key: the receiving half of a step. The sending half is done
    /// when the message has proved authentic.
    Step { root_key: RootKey, chain: ReceiverChain, their: PeerKey },
}

impl DoubleRatchet {
    /// The initiator's state (spec 03 §4.1): one step with the recipient's signed pre-key, whose
    /// receiving chain starts at `chain0`; `agreement` is `DH(RK_A, SPK_B)`.
    pub(crate) fn initiator(
        root0: &RootKey,
        chain0: ChainKey,
        their_signed_pre_key: PublicKey,
        ratchet_key: KeyPair,
        agreement: &Secret<32>,
    ) -> Self {
        // (root1, sendchain) = RootStep(root0, their = SPK_B, ours = RK_A)
        let (root1, send_chain) = root0.step(agreement);
        let mut receivers = Vec::with_capacity(MAX_RECEIVER_CHAINS);
        receivers.push(ReceiverChain::new(their_signed_pre_key, chain0));
        Self {
            root_key: Some(root1),
            sender: Some(SenderChain { ratchet_key, chain_key: send_chain }),
            receivers,
            previous_counter: 0,
            dropped: Bookkeeping::default(),
        }
    }

    /// The recipient's state (spec 03 §4.2): the signed pre-key is the first ratchet key pair.
    pub(crate) fn recipient(root0: RootKey, chain0: ChainKey, signed_pre_key: KeyPair) -> Self {
        Self {
            root_key: Some(root0),
            sender: Some(SenderChain { ratchet_key: signed_pre_key, chain_key: chain0 }),
            receivers: Vec::with_capacity(MAX_RECEIVER_CHAINS),
            previous_counter: 0,
            dropped: Bookkeeping::default(),
        }
    }

    /// Our current ratchet public key.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidSession`] without a sending chain.
    pub(crate) fn ratchet_key(&self) -> Result<&PublicKey, Error> {
        self.sender
            .as_ref()
            .map(|sender| sender.ratchet_key.public_key())
            .ok_or(Error::InvalidSession)
    }

    /// The counter and seed of the next message to send.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidSession`] without a sending chain, [`Error::ChainExhausted`] at its end.
    pub(crate) fn prepare_send(&self) -> Result<Outgoing, Error> {
        let chain = &self.sender.as_ref().ok_or(Error::InvalidSession)?.chain_key;
        let (seed, next) = chain.step()?;
        Ok(Outgoing { counter: chain.index(), seed, next })
    }

    /// Moves the sending chain past the message of `outgoing`.
    pub(crate) fn commit_send(&mut self, outgoing: Outgoing) {
        if let Some(sender) = &mut self.sender {
            sender.chain_key = outgoing.next;
        }
    }

    /// The secret of the message `counter` under the peer's ratchet key `their`.
    ///
    /// # Errors
    ///
    /// As [`ReceiverChain::prepare`]; [`Error::InvalidKeyAgreement`] when `their` is new and of low
    /// order; [`Error::InvalidSession`] when a part is missing.
    pub(crate) fn prepare_receive(
        &self,
        their: &PublicKey,
        counter: u32,
        unlimited: bool,
    ) -> Result<Incoming, Error> {
        // 1. a receiver chain whose ratchet key is the message's, first match
        let known = self.receivers.iter().enumerate().find(|(_, c)| c.ratchet_key == *their);
        if let Some((chain, receiver)) = known {
            let (secret, advance) = receiver.prepare(counter, unlimited)?;
            return Ok(Incoming { secret, change: Change::Known { chain, advance } });
        }
        // 2. none: (r1, recv_chain) = RootStep(root, their key, our current ratchet private)
        let sender = self.sender.as_ref().ok_or(Error::InvalidSession)?;
        let root = self.root_key.as_ref().ok_or(Error::InvalidSession)?;
        let prepared = their.prepare();
        let agreement = x25519::agree(sender.ratchet_key.private_key().secret(), &prepared)?;
        let (root_key, chain_key) = root.step(&agreement);
        let mut chain = ReceiverChain::new(*their, chain_key);
        let (secret, advance) = chain.prepare(counter, unlimited)?;
        chain.commit(advance);
        Ok(Incoming { secret, change: Change::Step { root_key, chain, their: prepared } })
    }

    /// Merges `incoming`, whose message has proved authentic. Draws 32 bytes if it was a step.
    ///
    /// # Errors
    ///
    /// None that a key which passed the first half of the step can cause; nothing is changed then.
    pub(crate) fn commit_receive(
        &mut self,
        incoming: Incoming,
        rng: &mut impl CryptoRng,
    ) -> Result<(), Error> {
        match incoming.change {
            Change::Known { chain, advance } => {
                if let Some(receiver) = self.receivers.get_mut(chain) {
                    receiver.commit(advance);
                }
            }
            Change::Step { root_key, chain, their } => {
                // (r2, send_chain) = RootStep(r1, their key, K.private) with a fresh K
                let fresh = PrivateKey::generate(rng);
                let k = fresh.secret();
                let [public, agreement] =
                    x25519::multiply_each([Product::Public(k), Product::Agreement(k, &their)])?;
                let ratchet_key = KeyPair::from_parts(PublicKey::from_raw(*public.expose()), fresh);
                let (root_key, chain_key) = root_key.step(&agreement);
                // previous counter = max(sending index - 1, 0)
                let index = self.sender.as_ref().map_or(0, |sender| sender.chain_key.index());
                self.previous_counter = index.saturating_sub(1);
                self.root_key = Some(root_key);
                self.sender = Some(SenderChain { ratchet_key, chain_key });
                // append at the end; drop from the front beyond five
                while self.receivers.len() >= MAX_RECEIVER_CHAINS {
                    let oldest = self.receivers.remove(0);
                    self.dropped.0.count = self.dropped.0.count.wrapping_add(1);
                    self.dropped.0.dirty.insert_all(oldest.skipped.pages());
                }
                self.receivers.push(chain);
            }
        }
        Ok(())
    }

    /// Pages of the skipped keys that have come and gone since the last [`clean`](Self::clean).
    pub(crate) fn dirty(&self) -> Pages {
        let mut dirty = self.dropped.0.dirty;
        self.receivers.iter().for_each(|chain| dirty.insert_all(chain.skipped.dirty()));
        dirty
    }

    /// Notes that the skipped keys are stored as they are.
    pub(crate) fn clean(&mut self) {
        self.dropped.0.dirty = Pages::NONE;
        self.receivers.iter_mut().for_each(|chain| chain.skipped.clean());
    }
}
