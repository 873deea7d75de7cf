//! Linking with a passkey (spec 22 §8): the companion commits to its nonce before it sees the primary's, so
//! that nobody in between can look for keys that give the same code.
//!
//! One implementation is known. The specification does not say how the companion's nonce reaches the primary
//! after its answer; here it is an argument.

use alloc::string::String;
use alloc::vec::Vec;

use rand_core::CryptoRng;
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use super::{LinkingCode, LinkingRequest, raw_key};
use crate::crypto::{aead, hash, kdf};
use crate::error::Error;
use crate::keys::{IdentityKey, KeyPair, PublicKey};
use crate::secret::Secret;
use crate::wire::reader::Reader;
use crate::wire::writer;

const REQUEST_INFO: &[u8] = b"Pairing Information Encryption Key";
/// The longest ref, in bytes.
const REFERENCE_MAX: usize = 1024;

/// `CEI`: what the companion says of itself first.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CompanionEphemeralIdentity {
    /// Its ephemeral key.
    pub public_key: PublicKey,
    /// The kind of device, as a number of the server's.
    pub device_type: u32,
    /// What the server calls this attempt.
    pub reference: String,
}

impl CompanionEphemeralIdentity {
    /// The encoding.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        writer::encode(|w| {
            w.bytes(1, self.public_key.as_raw());
            w.uint(2, self.device_type);
            w.bytes(3, self.reference.as_bytes());
        })
    }

    /// Reads the encoding.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidProtobuf`], also for a ref of more than 1,024 bytes; [`Error::BadKeyLength`].
    pub fn decode(bytes: &[u8]) -> Result<Self, Error> {
        let (mut public_key, mut device_type, mut reference) = (None, 0, "");
        for field in Reader::new(bytes) {
            match field? {
                (1, value) => public_key = raw_key(value.bytes()?)?,
                (2, value) => device_type = value.uint32()?,
                (3, value) => reference = value.string()?,
                _ => {}
            }
        }
        if reference.len() > REFERENCE_MAX {
            return Err(Error::InvalidProtobuf);
        }
        let public_key = PublicKey::from_raw(*public_key.ok_or(Error::InvalidProtobuf)?);
        Ok(Self { public_key, device_type, reference: reference.into() })
    }

    /// `salt = "Companion Pairing <deviceType> with ref <ref>"`.
    fn key(&self, shared: &Secret<32>) -> Secret<32> {
        let salt =
            alloc::format!("Companion Pairing {} with ref {}", self.device_type, self.reference);
        kdf::hkdf_parts(Some(salt.as_bytes()), &[shared.expose().as_slice()], REQUEST_INFO)
    }
}

/// `commitment = SHA-256(CEI ‖ companionNonce)`.
fn commitment(identity: &[u8], nonce: &[u8; 32]) -> [u8; 32] {
    hash::sha256(&[identity, nonce])
}

/// `code = base32(primaryNonce[0..5] XOR SHA-256(companionNonce ‖ primaryPub)[0..5])`.
fn code(primary_nonce: &[u8; 32], companion_nonce: &[u8; 32], primary: &PublicKey) -> LinkingCode {
    let hash = hash::sha256(&[companion_nonce, primary.as_raw()]);
    let mut bits = Secret::zero();
    for ((to, a), b) in bits.expose_mut().iter_mut().zip(primary_nonce).zip(&hash) {
        *to = a ^ b;
    }
    LinkingCode::from_bits(&bits)
}

/// A companion that has sent its prologue.
#[derive(Debug)]
pub struct PasskeyCompanion {
    ephemeral: KeyPair,
    identity: CompanionEphemeralIdentity,
    nonce: Secret<32>,
}

/// A companion that has the primary's answer, and whose user compares codes.
#[derive(Debug)]
pub struct PasskeyCompanionReady {
    code: LinkingCode,
    nonce: Secret<32>,
    key: Secret<32>,
}

impl PasskeyCompanion {
    /// Draws an ephemeral key and a nonce, 64 bytes.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidArgument`] for a ref of more than 1,024 bytes.
    pub fn start(
        device_type: u32,
        reference: impl Into<String>,
        rng: &mut impl CryptoRng,
    ) -> Result<Self, Error> {
        let reference = reference.into();
        if reference.len() > REFERENCE_MAX {
            return Err(Error::InvalidArgument);
        }
        let ephemeral = KeyPair::generate(rng);
        let public_key = *ephemeral.public_key();
        let identity = CompanionEphemeralIdentity { public_key, device_type, reference };
        Ok(Self { ephemeral, identity, nonce: Secret::random(rng) })
    }

    /// `prologue = proto{ CEI#1, commitment#2{ hash#1 } }`, for the primary.
    #[must_use]
    pub fn prologue(&self) -> Vec<u8> {
        let identity = self.identity.encode();
        let hash = commitment(&identity, self.nonce.expose());
        writer::encode(|w| {
            w.bytes(1, &identity);
            w.message(2, |w| w.bytes(1, &hash));
        })
    }

    /// Takes the primary's answer.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidProtobuf`], [`Error::BadKeyLength`]; [`Error::InvalidKeyAgreement`].
    pub fn answered(self, answer: &[u8]) -> Result<PasskeyCompanionReady, Error> {
        let (mut public, mut nonce) = (None, None);
        for field in Reader::new(answer) {
            match field? {
                (1, value) => public = raw_key(value.bytes()?)?,
                (2, value) => nonce = Some(value.bytes()?),
                _ => {}
            }
        }
        let public = PublicKey::from_raw(*public.ok_or(Error::InvalidProtobuf)?);
        let nonce: &[u8; 32] =
            nonce.and_then(|nonce| nonce.try_into().ok()).ok_or(Error::InvalidProtobuf)?;
        let shared = self.ephemeral.private_key().agree(&public)?;
        Ok(PasskeyCompanionReady {
            code: code(nonce, self.nonce.expose(), &public),
            key: self.identity.key(&shared),
            nonce: self.nonce,
        })
    }
}

impl PasskeyCompanionReady {
    /// The code to show, to be compared with the primary's.
    #[must_use]
    pub const fn code(&self) -> &LinkingCode {
        &self.code
    }

    /// The nonce to be revealed to the primary, now that it has answered.
    #[must_use]
    pub const fn nonce(&self) -> &[u8; 32] {
        self.nonce.expose()
    }

    /// Seals the request: `proto{ encryptedPayload#1, iv#2 }`. Draws 12 bytes.
    ///
    /// # Errors
    ///
    /// None that can happen here.
    pub fn seal_request(
        self,
        companion_key: &PublicKey,
        identity: &IdentityKey,
        adv_secret: &Secret<32>,
        rng: &mut impl CryptoRng,
    ) -> Result<Vec<u8>, Error> {
        let mut payload = Zeroizing::new(Vec::new());
        payload.reserve_exact(3 * 34 + aead::TAG_LENGTH);
        writer::append(&mut payload, |w| {
            w.bytes(1, companion_key.as_raw());
            w.bytes(2, identity.public_key().as_raw());
            w.bytes(3, adv_secret.expose());
        });
        let mut iv = [0; aead::NONCE_LENGTH];
        rng.fill_bytes(&mut iv);
        let tag = aead::gcm_seal(&self.key, &iv, &[], &mut payload)?;
        payload.extend_from_slice(&tag);
        Ok(writer::encode(|w| {
            w.bytes(1, &payload);
            w.bytes(2, &iv);
        }))
    }
}

/// A primary that has answered a prologue.
#[derive(Debug)]
pub struct PasskeyPrimary {
    ephemeral: KeyPair,
    nonce: Secret<32>,
    identity: Vec<u8>,
    commitment: [u8; 32],
}

/// A primary that knows the companion's nonce, and whose user compares codes.
#[derive(Debug)]
pub struct PasskeyPrimaryReady {
    code: LinkingCode,
    key: Secret<32>,
}

/// What a companion asks for with a passkey.
#[derive(Debug)]
pub struct PasskeyRequest {
    /// The companion's key for the transport.
    pub companion_key: PublicKey,
    /// Its identity and the shared secret, for [`Primary::link`](super::Primary::link).
    pub request: LinkingRequest,
}

impl PasskeyPrimary {
    /// Takes a companion's prologue. Draws 64 bytes.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidProtobuf`], [`Error::BadKeyLength`].
    pub fn start(prologue: &[u8], rng: &mut impl CryptoRng) -> Result<Self, Error> {
        let (mut identity, mut hash) = (None, None);
        for field in Reader::new(prologue) {
            match field? {
                (1, value) => identity = Some(value.bytes()?),
                (2, value) => {
                    for field in Reader::new(value.bytes()?) {
                        if let (1, value) = field? {
                            hash = Some(value.bytes()?);
                        }
                    }
                }
                _ => {}
            }
        }
        let identity = identity.ok_or(Error::InvalidProtobuf)?;
        CompanionEphemeralIdentity::decode(identity)?;
        let commitment =
            hash.and_then(|hash| hash.try_into().ok()).ok_or(Error::InvalidProtobuf)?;
        let ephemeral = KeyPair::generate(rng);
        Ok(Self { ephemeral, nonce: Secret::random(rng), identity: identity.to_vec(), commitment })
    }

    /// The answer for the companion: `proto{ publicKey#1, nonce#2 }`.
    #[must_use]
    pub fn answer(&self) -> Vec<u8> {
        writer::encode(|w| {
            w.bytes(1, self.ephemeral.public_key().as_raw());
            w.bytes(2, self.nonce.expose());
        })
    }

    /// Takes the nonce that the companion reveals, and checks it against the commitment.
    ///
    /// # Errors
    ///
    /// [`Error::LinkingMacMismatch`] if it is not the nonce that was committed to;
    /// [`Error::InvalidKeyAgreement`].
    pub fn revealed(self, companion_nonce: &[u8; 32]) -> Result<PasskeyPrimaryReady, Error> {
        if !bool::from(commitment(&self.identity, companion_nonce).ct_eq(&self.commitment)) {
            return Err(Error::LinkingMacMismatch);
        }
        let identity = CompanionEphemeralIdentity::decode(&self.identity)?;
        let shared = self.ephemeral.private_key().agree(&identity.public_key)?;
        Ok(PasskeyPrimaryReady {
            code: code(self.nonce.expose(), companion_nonce, self.ephemeral.public_key()),
            key: identity.key(&shared),
        })
    }
}

impl PasskeyPrimaryReady {
    /// The code to show, to be compared with the companion's.
    #[must_use]
    pub const fn code(&self) -> &LinkingCode {
        &self.code
    }

    /// Opens the companion's request, once the user has confirmed the code.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidProtobuf`], [`Error::BadKeyLength`]; [`Error::Rejected`].
    pub fn open_request(self, request: &[u8]) -> Result<PasskeyRequest, Error> {
        let (mut payload, mut iv): (&[u8], &[u8]) = (&[], &[]);
        for field in Reader::new(request) {
            match field? {
                (1, value) => payload = value.bytes()?,
                (2, value) => iv = value.bytes()?,
                _ => {}
            }
        }
        let iv = iv.try_into().map_err(|_| Error::InvalidProtobuf)?;
        let (payload, tag) = payload.split_last_chunk().ok_or(Error::InvalidProtobuf)?;
        let mut payload = Zeroizing::new(payload.to_vec());
        aead::gcm_open(&self.key, iv, &[], &mut payload, tag)?;
        let (mut companion_key, mut identity, mut secret) = (None, None, None);
        for field in Reader::new(&payload) {
            match field? {
                (1, value) => companion_key = raw_key(value.bytes()?)?,
                (2, value) => identity = raw_key(value.bytes()?)?,
                (3, value) => secret = Secret::from_slice(value.bytes()?),
                _ => {}
            }
        }
        let key = |key: Option<&[u8; 32]>| {
            key.map(|key| PublicKey::from_raw(*key)).ok_or(Error::InvalidProtobuf)
        };
        let secret = secret.ok_or(Error::InvalidProtobuf)?;
        Ok(PasskeyRequest {
            companion_key: key(companion_key)?,
            request: LinkingRequest::from_parts(key(identity)?, secret),
        })
    }
}
