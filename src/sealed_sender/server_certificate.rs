//! `ServerCertificate` (spec 06 §1.1): the key by which a service signs its users' certificates.

use alloc::vec::Vec;

use rand_core::CryptoRng;

use crate::error::Error;
use crate::keys::{PrivateKey, PublicKey, Signature};
use crate::wire::reader::Reader;
use crate::wire::writer;

/// Ids of certificates that are never valid: one, for tests.
const REVOKED: [u32; 1] = [0xDEAD_C357];

/// A server certificate: an id and a key, signed by a trust root. It does not expire.
///
/// The received bytes are kept: the signature covers them, unknown fields included.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ServerCertificate {
    bytes: Vec<u8>,
    certificate: Vec<u8>,
    signature: Vec<u8>,
    key_id: u32,
    key: PublicKey,
}

impl ServerCertificate {
    /// Issues a certificate for a server's `key`. Draws the 64 bytes of a signature.
    pub fn issue(
        key_id: u32,
        key: &PublicKey,
        trust_root: &PrivateKey,
        rng: &mut impl CryptoRng,
    ) -> Self {
        // inner: id (1), public key (2)
        let certificate = writer::encode(|w| {
            w.uint(1, key_id);
            w.bytes(2, &key.encode());
        });
        let signature: Signature = trust_root.sign(&certificate, rng);
        let bytes = write_signed(&certificate, &signature);
        Self { bytes, certificate, signature: signature.to_vec(), key_id, key: *key }
    }

    /// Reads a certificate. Its signature is not checked.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidProtobuf`], also for a missing field; the errors of [`PublicKey::decode`].
    pub fn parse(bytes: &[u8]) -> Result<Self, Error> {
        let (certificate, signature) = read_signed(bytes)?;
        let (mut key_id, mut key) = (None, None);
        for field in Reader::new(certificate) {
            match field? {
                (1, value) => key_id = Some(value.uint32()?),
                (2, value) => key = Some(value.bytes()?),
                _ => {}
            }
        }
        let (Some(key_id), Some(key)) = (key_id, key) else {
            return Err(Error::InvalidProtobuf);
        };
        Ok(Self {
            key_id,
            key: PublicKey::decode(key)?,
            bytes: bytes.to_vec(),
            certificate: certificate.to_vec(),
            signature: signature.to_vec(),
        })
    }

    /// Whether `trust_root` signed this certificate and its id is not revoked.
    #[must_use]
    pub fn is_valid(&self, trust_root: &PublicKey) -> bool {
        !REVOKED.contains(&self.key_id) && trust_root.verify(&self.certificate, &self.signature)
    }

    /// The id of the server's key.
    #[must_use]
    pub const fn key_id(&self) -> u32 {
        self.key_id
    }

    /// The server's key, which signs sender certificates.
    #[must_use]
    pub const fn key(&self) -> &PublicKey {
        &self.key
    }

    /// The signed bytes.
    #[must_use]
    pub fn certificate(&self) -> &[u8] {
        &self.certificate
    }

    /// The trust root's signature.
    #[must_use]
    pub fn signature(&self) -> &[u8] {
        &self.signature
    }

    /// The encoding, as issued or received.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }
}

/// The outer form of both certificates: signed bytes (1), signature (2).
pub(super) fn write_signed(certificate: &[u8], signature: &[u8]) -> Vec<u8> {
    writer::encode(|w| {
        w.bytes(1, certificate);
        w.bytes(2, signature);
    })
}

/// Reads the outer form of both certificates.
pub(super) fn read_signed(bytes: &[u8]) -> Result<(&[u8], &[u8]), Error> {
    let (mut certificate, mut signature) = (None, None);
    for field in Reader::new(bytes) {
        match field? {
            (1, value) => certificate = Some(value.bytes()?),
            (2, value) => signature = Some(value.bytes()?),
            _ => {}
        }
    }
    certificate.zip(signature).ok_or(Error::InvalidProtobuf)
}
