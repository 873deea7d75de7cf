//! The companion's side of linking by an 8-character code (spec 22 §7).

use alloc::vec::Vec;
use core::fmt;

use rand_core::CryptoRng;

use super::code_bundle::Bundle;
use super::{AwaitingPrimary, LinkingCode, WrappedKey};
use crate::error::Error;
use crate::keys::{IdentityKey, IdentityKeyPair, KeyPair, PublicKey};
use crate::secret::Secret;
use crate::time::Timestamp;

/// How many answers of a primary one code takes: each is a guess at its 40 bits.
pub const ANSWERS_MAX: u32 = 3;
/// How long a code takes answers, in milliseconds: 180 seconds.
pub const CODE_LIFETIME: u64 = 180 * 1000;

/// A companion that shows a code and waits for the primary on which it is typed.
pub struct CodeCompanion {
    code: LinkingCode,
    ephemeral: KeyPair,
    wrapped: WrappedKey,
    since: Timestamp,
    answers: u32,
}

/// The companion's answer to a primary, and what waits for its `pair-success`.
#[derive(Debug)]
pub struct CodeAnswered {
    /// The encrypted key bundle, to be sent with our identity key and the server's ref.
    pub bundle: Vec<u8>,
    /// Waits for the account's signature by this primary, and by no other.
    pub pending: AwaitingPrimary,
}

impl CodeCompanion {
    /// Makes a code and an ephemeral key. Draws 85 bytes.
    ///
    /// # Errors
    ///
    /// None that can happen here.
    pub fn start(now: Timestamp, rng: &mut impl CryptoRng) -> Result<Self, Error> {
        Self::with(LinkingCode::generate(rng), now, rng)
    }

    /// As [`start`](Self::start), with a code that the user has chosen. Draws 80 bytes.
    ///
    /// # Errors
    ///
    /// None that can happen here.
    pub fn with(
        code: LinkingCode,
        now: Timestamp,
        rng: &mut impl CryptoRng,
    ) -> Result<Self, Error> {
        let ephemeral = KeyPair::generate(rng);
        let wrapped = code.wrap(ephemeral.public_key(), rng)?;
        Ok(Self { code, ephemeral, wrapped, since: now, answers: 0 })
    }

    /// The code to show.
    #[must_use]
    pub const fn code(&self) -> &LinkingCode {
        &self.code
    }

    /// The wrapped ephemeral key for the primary, 80 bytes.
    #[must_use]
    pub const fn wrapped_ephemeral(&self) -> &WrappedKey {
        &self.wrapped
    }

    /// Takes a primary's answer: its wrapped ephemeral key, and its identity key as 32 raw bytes. Draws 76
    /// bytes.
    ///
    /// Every answer counts, also one that fails: this is the one state that an error changes.
    ///
    /// # Errors
    ///
    /// [`Error::TooManyAttempts`] after [`ANSWERS_MAX`] answers or [`CODE_LIFETIME`]: show a new code.
    /// [`Error::CiphertextTooShort`] unless the wrapped key has 80 bytes; [`Error::InvalidKeyAgreement`].
    pub fn answer(
        &mut self,
        identity: &IdentityKeyPair,
        wrapped_primary: &[u8],
        primary_identity: &PublicKey,
        now: Timestamp,
        rng: &mut impl CryptoRng,
    ) -> Result<CodeAnswered, Error> {
        let age = now.as_millis().saturating_sub(self.since.as_millis());
        if self.answers >= ANSWERS_MAX || age > CODE_LIFETIME {
            return Err(Error::TooManyAttempts);
        }
        self.answers = self.answers.saturating_add(1);
        let primary_ephemeral = self.code.unwrap_key(wrapped_primary)?;
        // s1 = X25519(companionEph, primaryEph);  s2 = X25519(companionIdentity, primaryIdentity)
        let s1 = self.ephemeral.private_key().agree(&primary_ephemeral)?;
        let s2 = identity.private_key().agree(primary_identity)?;
        let bundle = Bundle {
            companion: *identity.identity_key().public_key(),
            primary: *primary_identity,
            random: Secret::random(rng),
        };
        let primary = Some(IdentityKey::new(*primary_identity));
        let pending = AwaitingPrimary::new(bundle.adv_secret(&s1, &s2), primary);
        Ok(CodeAnswered { bundle: bundle.seal(&s1, rng)?, pending })
    }
}

/// Without the code.
impl fmt::Debug for CodeCompanion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CodeCompanion({} answers)", self.answers)
    }
}
