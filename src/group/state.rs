//! One state of a sender key, and what one message does to it (spec 05 §5.3 and §5.4).

use alloc::vec::Vec;

use rand_core::CryptoRng;

use super::message_keys::SenderMessageKeys;
use super::signing_key::{Decoded, SigningKey};
use super::skipped_keys::{SenderMessageKey, SkippedKeys};
use crate::crypto::cbc;
use crate::dialect::{MAX_FORWARD_JUMPS, MAX_MESSAGE_KEYS};
use crate::error::Error;
use crate::ratchet::ChainKey;
use crate::secret::Secret;
use crate::wire::{SenderKeyMessage, SenderKeyMessageFields};

/// The message version of sender keys: the high nibble of the version byte.
pub(crate) const MESSAGE_VERSION: u32 = 3;
/// The version byte: message version, then the newest version (spec 05 §4).
pub(super) const VERSION_BYTE: u8 = 0x33;

/// One chain of one sender (spec 05 §1).
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct SenderKeyState {
    /// As stored: 0 means 3.
    pub(crate) message_version: u32,
    pub(crate) chain_id: u32,
    /// `None` where a stored record held no usable chain key: an error once it is needed.
    pub(crate) chain_key: Option<ChainKey>,
    /// `None` where a stored record held no usable key: an error once it is needed.
    pub(crate) signing_key: Option<SigningKey>,
    pub(crate) skipped: SkippedKeys,
}

/// What receiving one message does to a state, not yet done.
#[derive(Debug)]
enum Advance {
    /// The message was skipped before: its key leaves the store.
    TakeSkipped { at: usize },
    /// The chain moves past the message; keys in between are kept.
    Forward { skipped: Vec<SenderMessageKey>, next: ChainKey },
}

/// A message whose signature has verified; nothing has changed yet.
#[derive(Debug)]
pub(super) struct Authentic {
    keys: SenderMessageKeys,
    advance: Advance,
    decoded: Option<Decoded>,
}

impl Authentic {
    /// Decrypts the body in place and returns the plaintext's length (spec 05 §5.4 step 7).
    pub(super) fn decrypt_in_place(&self, body: &mut [u8]) -> Result<usize, Error> {
        self.keys.decrypt_in_place(body)
    }
}

impl SenderKeyState {
    /// A new chain of one's own (spec 05 §5.1): random 31-bit chain id, random chain key, iteration 0, fresh
    /// signing key pair. Draws 4, 32 and 32 bytes.
    pub(super) fn generate(rng: &mut impl CryptoRng) -> Self {
        Self {
            message_version: MESSAGE_VERSION,
            chain_id: rng.next_u32() >> 1,
            chain_key: Some(ChainKey::new(Secret::random(rng), 0)),
            signing_key: Some(SigningKey::generate(rng)),
            skipped: SkippedKeys::default(),
        }
    }

    /// Both keys, or [`Error::InvalidSenderKeySession`].
    pub(super) fn keys(&self) -> Result<(&ChainKey, &SigningKey), Error> {
        let keys = self.chain_key.as_ref().zip(self.signing_key.as_ref());
        keys.ok_or(Error::InvalidSenderKeySession)
    }

    fn version(&self) -> u32 {
        if self.message_version == 0 { MESSAGE_VERSION } else { self.message_version }
    }

    /// Spec 05 §5.3 steps 2 and 3: appends the message of the chain's iteration to `out`, and moves on.
    pub(super) fn encrypt(
        &mut self,
        distribution_id: Option<&[u8; 16]>,
        plaintext: &[u8],
        rng: &mut impl CryptoRng,
        out: &mut Vec<u8>,
    ) -> Result<(), Error> {
        // 2. chain key, private signing key, a version that can be written
        if self.version() != MESSAGE_VERSION {
            return Err(Error::InvalidSenderKeySession);
        }
        let keys = self.chain_key.as_mut().zip(self.signing_key.as_mut());
        let (chain_key, signing_key) = keys.ok_or(Error::InvalidSenderKeySession)?;
        let signer = signing_key.signer()?;
        // 4. the last iteration cannot be advanced
        let (seed, next) = chain_key.step()?;
        // 3. derive, encrypt, sign
        let keys = SenderMessageKeys::derive(&seed);
        let ciphertext_len = cbc::ciphertext_len(plaintext.len()).ok_or(Error::InvalidArgument)?;
        SenderKeyMessageFields {
            version_byte: VERSION_BYTE,
            distribution_id,
            chain_id: self.chain_id,
            iteration: chain_key.index(),
        }
        .write(
            out,
            ciphertext_len,
            |body| keys.encrypt(plaintext, body),
            |signed| signer.sign(signed, rng),
        )?;
        *chain_key = next;
        Ok(())
    }

    /// Spec 05 §5.4 steps 4 to 6, without changing anything.
    pub(super) fn authenticate(&self, message: &SenderKeyMessage<'_>) -> Result<Authentic, Error> {
        // 4. the state's version
        if self.version() != u32::from(message.version()) {
            return Err(Error::UnrecognizedMessageVersion(message.version_byte()));
        }
        // 5. the signature, before any movement of the chain
        let (chain_key, signing_key) = self.keys()?;
        let decoded = signing_key.verify(message)?;
        // 6. the iteration
        let (seed, advance) = self.prepare(chain_key, message.iteration())?;
        Ok(Authentic { keys: SenderMessageKeys::derive(&seed), advance, decoded })
    }

    /// The seed of message `n`, and what taking it would change.
    fn prepare(&self, chain_key: &ChainKey, n: u32) -> Result<(Secret<32>, Advance), Error> {
        let i = chain_key.index();
        let Some(ahead) = n.checked_sub(i) else {
            // n < i: a key skipped before, or a duplicate
            let found = self.skipped.find(n);
            let (at, seed) =
                found.ok_or(Error::DuplicatedMessage { chain_index: i, counter: n })?;
            return Ok((seed, Advance::TakeSkipped { at }));
        };
        if ahead > MAX_FORWARD_JUMPS {
            return Err(Error::TooFarInFuture);
        }
        // n >= i: keep the seeds of i .. n-1, of which only the last 2,000 would survive
        let mut skipped = Vec::with_capacity((ahead as usize).min(MAX_MESSAGE_KEYS));
        let (mut seed, mut next) = chain_key.step()?;
        let mut left = ahead;
        while left > 0 {
            if left as usize <= MAX_MESSAGE_KEYS {
                skipped.push(SenderMessageKey { iteration: n.wrapping_sub(left), seed });
            }
            (seed, next) = next.step()?;
            left = left.saturating_sub(1);
        }
        Ok((seed, Advance::Forward { skipped, next }))
    }

    /// Does what an authentic message, once decrypted, does to its state.
    pub(super) fn commit(&mut self, authentic: Authentic) {
        match authentic.advance {
            Advance::TakeSkipped { at } => self.skipped.remove(at),
            Advance::Forward { skipped, next } => {
                self.skipped.append(skipped);
                self.chain_key = Some(next);
            }
        }
        if let Some(signing_key) = &mut self.signing_key {
            signing_key.keep(authentic.decoded);
        }
    }
}
