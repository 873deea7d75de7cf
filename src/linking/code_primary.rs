//! The primary's side of linking by an 8-character code (spec 22 §7).

use rand_core::CryptoRng;
use subtle::ConstantTimeEq;

use super::code_bundle::Bundle;
use super::{LinkingCode, LinkingRequest, WrappedKey};
use crate::error::Error;
use crate::keys::{IdentityKey, IdentityKeyPair, KeyPair, PublicKey};
use crate::secret::Secret;

/// A primary on which the code was typed, and which waits for the companion's key bundle. Used once.
#[derive(Debug)]
pub struct CodePrimary {
    s1: Secret<32>,
    wrapped: WrappedKey,
}

impl CodePrimary {
    /// Answers a companion's wrapped ephemeral key with our own, under a fresh salt. Draws 80 bytes.
    ///
    /// # Errors
    ///
    /// [`Error::CiphertextTooShort`] unless 80 bytes; [`Error::InvalidKeyAgreement`].
    pub fn start(
        code: &LinkingCode,
        wrapped_companion: &[u8],
        rng: &mut impl CryptoRng,
    ) -> Result<Self, Error> {
        let companion = code.unwrap_key(wrapped_companion)?;
        let ephemeral = KeyPair::generate(rng);
        // s1 = X25519(primaryEph, companionEph)
        let s1 = ephemeral.private_key().agree(&companion)?;
        Ok(Self { s1, wrapped: code.wrap(ephemeral.public_key(), rng)? })
    }

    /// The wrapped ephemeral key for the companion, 80 bytes, to be sent with our identity key.
    #[must_use]
    pub const fn wrapped_ephemeral(&self) -> &WrappedKey {
        &self.wrapped
    }

    /// Opens the companion's bundle, and checks that both identities in it are those seen in the clear.
    ///
    /// # Errors
    ///
    /// [`Error::CiphertextTooShort`]; [`Error::Rejected`]: another code was typed, or somebody stands in
    /// between; [`Error::IdentityMismatch`]; [`Error::InvalidKeyAgreement`].
    pub fn finish(
        self,
        identity: &IdentityKeyPair,
        companion_identity: &PublicKey,
        bundle: &[u8],
    ) -> Result<LinkingRequest, Error> {
        let bundle = Bundle::open(&self.s1, bundle)?;
        let own = identity.identity_key().public_key();
        let same = bundle.companion.ct_eq(companion_identity) & bundle.primary.ct_eq(own);
        if !bool::from(same) {
            return Err(Error::IdentityMismatch);
        }
        // s2 = X25519(primaryIdentity, companionIdentity)
        let s2 = identity.private_key().agree(companion_identity)?;
        let adv_secret = bundle.adv_secret(&self.s1, &s2);
        Ok(LinkingRequest::new(IdentityKey::new(*companion_identity), adv_secret))
    }
}
