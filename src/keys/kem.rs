//! KEM keys: Kyber1024, and ML-KEM-1024 behind the same type (spec 01 §7).

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::fmt;

use rand_core::CryptoRng;
use subtle::ConstantTimeEq;

use crate::crypto::kem::{self, CIPHERTEXT_1024, PUBLIC_1024, SECRET_1024, Variant1024};
use crate::error::Error;
use crate::secret::Secret;

/// Which KEM a key or ciphertext belongs to: its leading type byte (spec 01 §7).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
#[non_exhaustive]
pub enum KemType {
    /// Round-3 Kyber1024, type byte `0x08`: the only one deployed.
    Kyber1024,
    /// FIPS 203 ML-KEM-1024, type byte `0x0A`: ready, refused by the default decoders.
    MlKem1024,
}

impl KemType {
    /// The type byte.
    #[must_use]
    pub const fn byte(self) -> u8 {
        match self {
            Self::Kyber1024 => 0x08,
            Self::MlKem1024 => 0x0A,
        }
    }

    const fn variant(self) -> Variant1024 {
        match self {
            Self::Kyber1024 => Variant1024::Kyber,
            Self::MlKem1024 => Variant1024::MlKem,
        }
    }

    /// Reads the type byte of an encoding and requires `enabled`.
    fn check<'a>(bytes: &'a [u8], enabled: &[Self]) -> Result<(Self, &'a [u8]), Error> {
        let (&byte, rest) = bytes.split_first().ok_or(Error::NoKeyTypeIdentifier)?;
        let kem = enabled.iter().copied().find(|kem| kem.byte() == byte);
        Ok((kem.ok_or(Error::BadKemKeyType(byte))?, rest))
    }
}

/// The default profile: Kyber1024 only.
const DEPLOYED: &[KemType] = &[KemType::Kyber1024];

fn encode(kem: KemType, raw: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(raw.len().saturating_add(1));
    out.push(kem.byte());
    out.extend_from_slice(raw);
    out
}

/// A KEM public key: type byte and 1,568 bytes. Equality takes constant time.
#[derive(Clone)]
pub struct KemPublicKey {
    kem: KemType,
    raw: Box<[u8; PUBLIC_1024]>,
}

impl KemPublicKey {
    /// Length of the encoding with its type byte, in bytes.
    pub const LENGTH: usize = PUBLIC_1024 + 1;

    /// Decodes `type byte || key`; Kyber1024 only.
    ///
    /// # Errors
    ///
    /// [`Error::NoKeyTypeIdentifier`] when empty, [`Error::BadKemKeyType`] for a type that is not
    /// enabled, [`Error::BadKemKeyLength`] unless exactly 1,569 bytes.
    pub fn decode(bytes: &[u8]) -> Result<Self, Error> {
        Self::decode_any(bytes, DEPLOYED)
    }

    /// As [`decode`](Self::decode), with the types given by `enabled`.
    ///
    /// # Errors
    ///
    /// As [`decode`](Self::decode).
    pub fn decode_any(bytes: &[u8], enabled: &[KemType]) -> Result<Self, Error> {
        let (kem, raw) = KemType::check(bytes, enabled)?;
        let raw: &[u8; PUBLIC_1024] =
            raw.try_into().map_err(|_| Error::BadKemKeyLength(bytes.len()))?;
        Ok(Self { kem, raw: Box::new(*raw) })
    }

    /// `type byte || key`, 1,569 bytes.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        encode(self.kem, self.raw.as_slice())
    }

    /// Which KEM the key belongs to.
    #[must_use]
    pub const fn kem_type(&self) -> KemType {
        self.kem
    }

    /// Encapsulates: the ciphertext to send and the shared secret. Draws 32 bytes.
    pub fn encapsulate(&self, rng: &mut impl CryptoRng) -> (KemCiphertext, Secret<32>) {
        let (raw, shared) = kem::encapsulate_1024(self.kem.variant(), &self.raw, rng);
        (KemCiphertext { kem: self.kem, raw }, shared)
    }
}

impl PartialEq for KemPublicKey {
    fn eq(&self, other: &Self) -> bool {
        self.kem == other.kem && bool::from(self.raw.as_slice().ct_eq(other.raw.as_slice()))
    }
}

impl Eq for KemPublicKey {}

impl fmt::Debug for KemPublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KemPublicKey({:?}, ..)", self.kem)
    }
}

/// A KEM secret key: type byte and 3,168 bytes. Zeroized on drop.
pub struct KemSecretKey {
    kem: KemType,
    raw: Box<Secret<SECRET_1024>>,
}

impl KemSecretKey {
    /// Length of the encoding with its type byte, in bytes.
    pub const LENGTH: usize = SECRET_1024 + 1;

    /// Decodes `type byte || key`; Kyber1024 only.
    ///
    /// # Errors
    ///
    /// As [`KemPublicKey::decode`], for exactly 3,169 bytes.
    pub fn decode(bytes: &[u8]) -> Result<Self, Error> {
        Self::decode_any(bytes, DEPLOYED)
    }

    /// As [`decode`](Self::decode), with the types given by `enabled`.
    ///
    /// # Errors
    ///
    /// As [`decode`](Self::decode).
    pub fn decode_any(bytes: &[u8], enabled: &[KemType]) -> Result<Self, Error> {
        let (kem, raw) = KemType::check(bytes, enabled)?;
        if raw.len() != SECRET_1024 {
            return Err(Error::BadKemKeyLength(bytes.len()));
        }
        let mut secret = Box::new(Secret::zero());
        secret.expose_mut().copy_from_slice(raw);
        Ok(Self { kem, raw: secret })
    }

    /// The 3,168 secret bytes, without the type byte.
    #[must_use]
    pub fn secret(&self) -> &Secret<SECRET_1024> {
        &self.raw
    }

    /// Which KEM the key belongs to.
    #[must_use]
    pub const fn kem_type(&self) -> KemType {
        self.kem
    }

    /// Decapsulates. A ciphertext that was not made for this key gives a pseudo-random secret.
    ///
    /// # Errors
    ///
    /// [`Error::WrongKemKeyType`] when the ciphertext is of another type.
    pub fn decapsulate(&self, ciphertext: &KemCiphertext) -> Result<Secret<32>, Error> {
        if ciphertext.kem != self.kem {
            return Err(Error::WrongKemKeyType {
                got: ciphertext.kem.byte(),
                expected: self.kem.byte(),
            });
        }
        Ok(kem::decapsulate_1024(self.kem.variant(), &self.raw, &ciphertext.raw))
    }
}

impl fmt::Debug for KemSecretKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KemSecretKey({:?}, ..)", self.kem)
    }
}

/// A KEM key pair. The secret half is zeroized on drop.
#[derive(Debug)]
pub struct KemKeyPair {
    public: KemPublicKey,
    secret: KemSecretKey,
}

impl KemKeyPair {
    /// Draws 64 bytes and makes a key pair of them.
    pub fn generate(kem: KemType, rng: &mut impl CryptoRng) -> Self {
        let (public, secret) = kem::generate_1024(kem.variant(), rng);
        Self {
            public: KemPublicKey { kem, raw: public },
            secret: KemSecretKey { kem, raw: secret },
        }
    }

    /// Joins two halves that were stored apart; they are not checked to belong together.
    ///
    /// # Errors
    ///
    /// [`Error::WrongKemKeyType`] when their types differ.
    pub fn from_parts(public: KemPublicKey, secret: KemSecretKey) -> Result<Self, Error> {
        if public.kem != secret.kem {
            return Err(Error::WrongKemKeyType {
                got: public.kem.byte(),
                expected: secret.kem.byte(),
            });
        }
        Ok(Self { public, secret })
    }

    /// The public key.
    #[must_use]
    pub const fn public_key(&self) -> &KemPublicKey {
        &self.public
    }

    /// The secret key.
    #[must_use]
    pub const fn secret_key(&self) -> &KemSecretKey {
        &self.secret
    }
}

/// A KEM ciphertext: type byte and 1,568 bytes.
#[derive(Clone, PartialEq, Eq)]
pub struct KemCiphertext {
    kem: KemType,
    raw: Box<[u8; CIPHERTEXT_1024]>,
}

impl KemCiphertext {
    /// Length of the encoding with its type byte, in bytes.
    pub const LENGTH: usize = CIPHERTEXT_1024 + 1;

    /// Decodes `type byte || ciphertext`; Kyber1024 only.
    ///
    /// # Errors
    ///
    /// [`Error::NoKeyTypeIdentifier`] when empty, [`Error::BadKemKeyType`] for a type that is not
    /// enabled, [`Error::BadKemCiphertextLength`] unless exactly 1,569 bytes.
    pub fn decode(bytes: &[u8]) -> Result<Self, Error> {
        Self::decode_any(bytes, DEPLOYED)
    }

    /// As [`decode`](Self::decode), with the types given by `enabled`.
    ///
    /// # Errors
    ///
    /// As [`decode`](Self::decode).
    pub fn decode_any(bytes: &[u8], enabled: &[KemType]) -> Result<Self, Error> {
        let (kem, raw) = KemType::check(bytes, enabled)?;
        let raw: &[u8; CIPHERTEXT_1024] =
            raw.try_into().map_err(|_| Error::BadKemCiphertextLength(bytes.len()))?;
        Ok(Self { kem, raw: Box::new(*raw) })
    }

    /// `type byte || ciphertext`, 1,569 bytes.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        encode(self.kem, self.raw.as_slice())
    }
}

impl fmt::Debug for KemCiphertext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KemCiphertext({:?}, ..)", self.kem)
    }
}
