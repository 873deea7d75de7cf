//! Curve25519 keys (spec 01 §1 to §4).

use core::fmt;

use rand_core::CryptoRng;
use subtle::{Choice, ConstantTimeEq};

use crate::crypto::x25519::{self, PeerKey};
use crate::crypto::xeddsa;
use crate::error::Error;
use crate::secret::Secret;

/// An XEdDSA signature, 64 bytes: `R (32) || s (32)`, the Edwards sign bit in the last byte's top bit.
pub type Signature = [u8; xeddsa::SIGNATURE_LENGTH];

/// Type byte of a Curve25519 public key.
const KEY_TYPE: u8 = 0x05;

/// A Curve25519 public key: a 32-byte u-coordinate, kept verbatim (spec 01 §1).
///
/// Not checked to be reduced, on the curve or of prime order: any 32 bytes are a key. Two encodings
/// of one point are different keys. Equality takes constant time.
#[derive(Clone, Copy)]
pub struct PublicKey([u8; 32]);

impl PublicKey {
    /// Length of the encoding with its type byte, in bytes.
    pub const LENGTH: usize = 33;

    /// Takes a raw u-coordinate, without a type byte.
    #[must_use]
    pub const fn from_raw(raw: [u8; 32]) -> Self {
        Self(raw)
    }

    /// Decodes `0x05 || u-coordinate`. Bytes after the 33rd are ignored, as deployed.
    ///
    /// # Errors
    ///
    /// [`Error::NoKeyTypeIdentifier`] when empty, [`Error::BadKeyType`] when the first byte is not
    /// `0x05`, [`Error::BadKeyLength`] when fewer than 33 bytes.
    pub fn decode(bytes: &[u8]) -> Result<Self, Error> {
        let (&key_type, rest) = bytes.split_first().ok_or(Error::NoKeyTypeIdentifier)?;
        if key_type != KEY_TYPE {
            return Err(Error::BadKeyType(key_type));
        }
        let raw = rest.first_chunk::<32>().ok_or(Error::BadKeyLength(bytes.len()))?;
        Ok(Self(*raw))
    }

    /// `ser(P)`: `0x05 || u-coordinate`, 33 bytes.
    #[must_use]
    pub fn encode(&self) -> [u8; Self::LENGTH] {
        let mut out = [KEY_TYPE; Self::LENGTH];
        let [_, raw @ ..] = &mut out;
        *raw = self.0;
        out
    }

    /// `raw(P)`: the 32 bytes without the type byte.
    #[must_use]
    pub const fn as_raw(&self) -> &[u8; 32] {
        &self.0
    }

    /// The key made ready for several agreements and verifications.
    pub(crate) fn prepare(&self) -> PeerKey {
        PeerKey::new(&self.0)
    }

    /// Whether the key passes the canonical check of spec 01 §1.1: reduced, bit 255 clear, and in
    /// the prime-order subgroup.
    #[must_use]
    pub fn is_canonical(&self) -> bool {
        xeddsa::is_canonical(&self.prepare())
    }

    /// Verifies an XEdDSA signature over `message` (spec 01 §4.2). Any length of `signature` is fine.
    #[must_use]
    pub fn verify(&self, message: &[u8], signature: &[u8]) -> bool {
        self.verify_parts(&[message], signature)
    }

    /// Verifies a signature over the concatenation of `parts`.
    #[must_use]
    pub fn verify_parts(&self, parts: &[&[u8]], signature: &[u8]) -> bool {
        xeddsa::verify(&self.0, parts, signature)
    }
}

impl ConstantTimeEq for PublicKey {
    fn ct_eq(&self, other: &Self) -> Choice {
        self.0.ct_eq(&other.0)
    }
}

impl PartialEq for PublicKey {
    fn eq(&self, other: &Self) -> bool {
        self.ct_eq(other).into()
    }
}

impl Eq for PublicKey {}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PublicKey(")?;
        for byte in self.0 {
            write!(f, "{byte:02x}")?;
        }
        f.write_str(")")
    }
}

/// A Curve25519 private key: a clamped 32-byte scalar (spec 01 §2). Zeroized on drop.
pub struct PrivateKey(Secret<32>);

impl PrivateKey {
    /// Length of the encoding, in bytes.
    pub const LENGTH: usize = 32;

    /// Draws 32 bytes and clamps them.
    pub fn generate(rng: &mut impl CryptoRng) -> Self {
        Self::from_secret(Secret::random(rng))
    }

    /// Decodes exactly 32 bytes, and clamps them: an unclamped input does not round-trip.
    ///
    /// # Errors
    ///
    /// [`Error::BadKeyLength`] for any other length.
    pub fn decode(bytes: &[u8]) -> Result<Self, Error> {
        Secret::from_slice(bytes).map(Self::from_secret).ok_or(Error::BadKeyLength(bytes.len()))
    }

    pub(crate) fn from_secret(mut secret: Secret<32>) -> Self {
        x25519::clamp(&mut secret);
        Self(secret)
    }

    /// The clamped 32 bytes.
    #[must_use]
    pub const fn secret(&self) -> &Secret<32> {
        &self.0
    }

    /// The public key, `X25519(k, 9)`.
    #[must_use]
    pub fn public_key(&self) -> PublicKey {
        PublicKey(x25519::public_key(&self.0))
    }

    /// `DH(k, P)`, 32 bytes (spec 01 §3).
    ///
    /// # Errors
    ///
    /// [`Error::InvalidKeyAgreement`] when the result is all zeros: `their` is of low order.
    pub fn agree(&self, their: &PublicKey) -> Result<Secret<32>, Error> {
        x25519::agree(&self.0, &their.prepare())
    }

    /// Signs `message` (spec 01 §4.1). Draws 64 bytes; two signatures differ.
    pub fn sign(&self, message: &[u8], rng: &mut impl CryptoRng) -> Signature {
        self.sign_parts(&[message], rng)
    }

    /// Signs the concatenation of `parts`.
    pub fn sign_parts(&self, parts: &[&[u8]], rng: &mut impl CryptoRng) -> Signature {
        xeddsa::sign(&self.0, parts, rng)
    }

    /// A second copy, for protocol steps that move a pre-key into a session.
    pub(crate) const fn duplicate(&self) -> Self {
        Self(self.0.duplicate())
    }
}

impl fmt::Debug for PrivateKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PrivateKey(..)")
    }
}

impl PartialEq for PrivateKey {
    fn eq(&self, other: &Self) -> bool {
        self.0 == other.0
    }
}

impl Eq for PrivateKey {}

/// A Curve25519 key pair. The private half is zeroized on drop.
#[derive(Debug, PartialEq, Eq)]
pub struct KeyPair {
    public: PublicKey,
    private: PrivateKey,
}

impl KeyPair {
    /// Draws 32 bytes and makes a key pair of them.
    pub fn generate(rng: &mut impl CryptoRng) -> Self {
        Self::from_private(PrivateKey::generate(rng))
    }

    /// The key pair of a private key.
    #[must_use]
    pub fn from_private(private: PrivateKey) -> Self {
        Self { public: private.public_key(), private }
    }

    /// Joins two halves that were stored apart. They are **not** checked to belong together
    /// (spec 01 §2).
    #[must_use]
    pub const fn from_parts(public: PublicKey, private: PrivateKey) -> Self {
        Self { public, private }
    }

    /// The public key.
    #[must_use]
    pub const fn public_key(&self) -> &PublicKey {
        &self.public
    }

    /// The private key.
    #[must_use]
    pub const fn private_key(&self) -> &PrivateKey {
        &self.private
    }

    pub(crate) const fn duplicate(&self) -> Self {
        Self { public: self.public, private: self.private.duplicate() }
    }
}
