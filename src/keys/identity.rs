//! Identity keys and alternate-identity signatures (spec 01 §5 and §6).

use rand_core::CryptoRng;

use super::{KeyPair, PrivateKey, PublicKey, Signature};
use crate::error::Error;
use crate::secret::Secret;
use crate::wire::reader::Reader;

/// What precedes the other identity's key in an alternate-identity signature: 32 bytes `0xFF`, so
/// that no pre-key encoding can begin like it, then the label (spec 01 §6).
const ALTERNATE_IDENTITY_PREFIX: [u8; 32] = [0xFF; 32];
const ALTERNATE_IDENTITY_LABEL: &[u8] = b"Signal_PNI_Signature";

/// The long-term public key of a device's account.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct IdentityKey(PublicKey);

impl IdentityKey {
    /// Takes a public key as an identity key.
    #[must_use]
    pub const fn new(key: PublicKey) -> Self {
        Self(key)
    }

    /// Decodes the 33-byte form.
    ///
    /// # Errors
    ///
    /// As [`PublicKey::decode`].
    pub fn decode(bytes: &[u8]) -> Result<Self, Error> {
        PublicKey::decode(bytes).map(Self)
    }

    /// The 33-byte form, `ser(P)`.
    #[must_use]
    pub fn encode(&self) -> [u8; PublicKey::LENGTH] {
        self.0.encode()
    }

    /// The Curve25519 key.
    #[must_use]
    pub const fn public_key(&self) -> &PublicKey {
        &self.0
    }

    /// Verifies the claim, signed by this identity, that `other` belongs to the same user
    /// (spec 01 §6). Not symmetric.
    #[must_use]
    pub fn verify_alternate_identity(&self, other: &Self, signature: &[u8]) -> bool {
        self.0.verify_parts(
            &[&ALTERNATE_IDENTITY_PREFIX, ALTERNATE_IDENTITY_LABEL, &other.encode()],
            signature,
        )
    }
}

/// An identity key with its private half. Zeroized on drop.
#[derive(Debug, PartialEq, Eq)]
pub struct IdentityKeyPair {
    identity: IdentityKey,
    private: PrivateKey,
}

impl IdentityKeyPair {
    /// Length of the encoding, in bytes.
    pub const LENGTH: usize = PublicKey::LENGTH + PrivateKey::LENGTH + 4;

    /// Draws 32 bytes and makes an identity of them.
    pub fn generate(rng: &mut impl CryptoRng) -> Self {
        Self::from_private(PrivateKey::generate(rng))
    }

    /// The identity of a private key.
    #[must_use]
    pub fn from_private(private: PrivateKey) -> Self {
        Self { identity: IdentityKey(private.public_key()), private }
    }

    /// Joins two halves that were stored apart; they are not checked to belong together.
    #[must_use]
    pub const fn from_parts(identity: IdentityKey, private: PrivateKey) -> Self {
        Self { identity, private }
    }

    /// Decodes the protobuf of spec 01 §5: public key (1), private key (2). The halves are not checked
    /// to belong together.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidProtobuf`]; then the errors of [`IdentityKey::decode`] and
    /// [`PrivateKey::decode`], where an absent field reads as empty.
    pub fn decode(bytes: &[u8]) -> Result<Self, Error> {
        let (mut public, mut private): (&[u8], &[u8]) = (&[], &[]);
        for field in Reader::new(bytes) {
            match field? {
                (1, value) => public = value.bytes()?,
                (2, value) => private = value.bytes()?,
                _ => {}
            }
        }
        Ok(Self { identity: IdentityKey::decode(public)?, private: PrivateKey::decode(private)? })
    }

    /// The protobuf of spec 01 §5, always 69 bytes: `0a 21 public key, 12 20 private key`.
    #[must_use]
    pub fn encode(&self) -> Secret<{ Self::LENGTH }> {
        let mut out = Secret::zero();
        let (head, private) = out.expose_mut().split_at_mut(PublicKey::LENGTH + 4);
        let public = self.identity.encode();
        let head_bytes = [0x0A, 0x21].iter().chain(&public).chain(&[0x12, 0x20]);
        for (to, from) in head.iter_mut().zip(head_bytes) {
            *to = *from;
        }
        private.copy_from_slice(self.private.secret().expose());
        out
    }

    /// The public half.
    #[must_use]
    pub const fn identity_key(&self) -> &IdentityKey {
        &self.identity
    }

    /// The private half.
    #[must_use]
    pub const fn private_key(&self) -> &PrivateKey {
        &self.private
    }

    /// Signs the claim that `other` belongs to the same user (spec 01 §6). Draws 64 bytes.
    pub fn sign_alternate_identity(
        &self,
        other: &IdentityKey,
        rng: &mut impl CryptoRng,
    ) -> Signature {
        self.private.sign_parts(
            &[&ALTERNATE_IDENTITY_PREFIX, ALTERNATE_IDENTITY_LABEL, &other.encode()],
            rng,
        )
    }
}

impl From<KeyPair> for IdentityKeyPair {
    fn from(pair: KeyPair) -> Self {
        Self { identity: IdentityKey(*pair.public_key()), private: pair.private_key().duplicate() }
    }
}
