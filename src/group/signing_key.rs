//! The signing key of a sender's chain (spec 05 §1).

use core::fmt;

use rand_core::CryptoRng;

use crate::crypto::xeddsa::{self, VerificationKey};
use crate::error::Error;
use crate::keys::{KeyPair, PrivateKey, PublicKey, Signature};
use crate::wire::SenderKeyMessage;

/// The public key, and for the owner the private one. What signing and verifying derive from them is
/// derived once and kept: it is no part of the value.
pub(crate) struct SigningKey {
    public: PublicKey,
    private: Option<PrivateKey>,
    /// The public key decoded for the sign bit under which a signature has verified: a signer's bit never
    /// changes.
    verification: Option<Decoded>,
    /// `A`, the Edwards form of the owner's public key.
    edwards: Option<[u8; 32]>,
}

/// A verification key with the sign bit it was decoded for.
pub(crate) struct Decoded {
    sign: u8,
    key: VerificationKey,
}

impl SigningKey {
    pub(crate) const fn new(public: PublicKey, private: Option<PrivateKey>) -> Self {
        Self { public, private, verification: None, edwards: None }
    }

    /// A fresh key pair.
    pub(super) fn generate(rng: &mut impl CryptoRng) -> Self {
        let pair = KeyPair::generate(rng);
        Self::new(*pair.public_key(), Some(pair.private_key().duplicate()))
    }

    pub(crate) const fn public(&self) -> &PublicKey {
        &self.public
    }

    pub(crate) const fn private(&self) -> Option<&PrivateKey> {
        self.private.as_ref()
    }

    /// Gets ready to sign.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidSenderKeySession`] without a private key: the chain is another's.
    pub(super) fn signer(&mut self) -> Result<Signer<'_>, Error> {
        let private = self.private.as_ref().ok_or(Error::InvalidSenderKeySession)?;
        let edwards = self.edwards.get_or_insert_with(|| xeddsa::edwards_public(private.secret()));
        Ok(Signer { private, edwards })
    }

    /// Verifies the signature of `message`. The key as it was decoded for that comes back if it is not
    /// kept yet, for [`keep`](Self::keep).
    ///
    /// # Errors
    ///
    /// [`Error::SignatureValidationFailed`].
    pub(super) fn verify(&self, message: &SenderKeyMessage<'_>) -> Result<Option<Decoded>, Error> {
        let signature = message.signature();
        let sign = xeddsa::sign_bit(signature);
        let verify = |key: &VerificationKey| {
            let verified = key.verify(&[message.signed()], signature);
            verified.then_some(()).ok_or(Error::SignatureValidationFailed)
        };
        if let Some(known) = self.verification.as_ref().filter(|known| known.sign == sign) {
            return verify(&known.key).map(|()| None);
        }
        let key = VerificationKey::new(&self.public.prepare(), sign)
            .ok_or(Error::SignatureValidationFailed)?;
        verify(&key)?;
        Ok(Some(Decoded { sign, key }))
    }

    /// Keeps a decoded key for the messages to come.
    pub(super) fn keep(&mut self, decoded: Option<Decoded>) {
        if decoded.is_some() {
            self.verification = decoded;
        }
    }
}

/// An owner's signing key, ready to sign.
pub(super) struct Signer<'k> {
    private: &'k PrivateKey,
    edwards: &'k [u8; 32],
}

impl Signer<'_> {
    /// Signs (spec 01 §4.1). Draws 64 bytes.
    pub(super) fn sign(&self, message: &[u8], rng: &mut impl CryptoRng) -> Signature {
        xeddsa::sign_knowing(self.private.secret(), self.edwards, &[message], rng)
    }
}

impl PartialEq for SigningKey {
    fn eq(&self, other: &Self) -> bool {
        self.public == other.public && self.private == other.private
    }
}

impl Eq for SigningKey {}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SigningKey")
            .field("public", &self.public)
            .field("private", &self.private)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Decoded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Decoded(..)")
    }
}
