//! PreKeyRecord, SignedPreKeyRecord and KyberPreKeyRecord (spec 02 §3, spec 08 §2).

use alloc::vec::Vec;

use zeroize::Zeroizing;

use crate::error::Error;
use crate::keys::{
    KemKeyPair, KemPublicKey, KemSecretKey, KeyPair, PrivateKey, PublicKey, Signature,
};
use crate::prekey::{KemPreKey, PreKey, SignedPreKey};
use crate::time::Timestamp;
use crate::wire::reader::Reader;
use crate::wire::writer;

/// The fields that the three records share; absent ones read as 0 and empty.
#[derive(Default)]
struct Fields<'a> {
    id: u32,
    public: &'a [u8],
    private: &'a [u8],
    signature: &'a [u8],
    timestamp: u64,
}

impl<'a> Fields<'a> {
    fn read(bytes: &'a [u8]) -> Result<Self, Error> {
        let mut fields = Self::default();
        for field in Reader::new(bytes) {
            match field? {
                (1, value) => fields.id = value.uint32()?,
                (2, value) => fields.public = value.bytes()?,
                (3, value) => fields.private = value.bytes()?,
                (4, value) => fields.signature = value.bytes()?,
                (5, value) => fields.timestamp = value.fixed64()?,
                _ => {}
            }
        }
        Ok(fields)
    }

    fn write(&self, signed: bool) -> Zeroizing<Vec<u8>> {
        Zeroizing::new(writer::encode(|w| {
            w.uint_nonzero(1, self.id);
            w.bytes_nonempty(2, self.public);
            w.bytes_nonempty(3, self.private);
            if signed {
                w.bytes_nonempty(4, self.signature);
                if self.timestamp != 0 {
                    w.fixed64(5, self.timestamp);
                }
            }
        }))
    }

    fn signature(&self) -> Result<Signature, Error> {
        self.signature.try_into().map_err(|_| Error::SignatureValidationFailed)
    }

    fn key_pair(&self) -> Result<KeyPair, Error> {
        Ok(KeyPair::from_parts(PublicKey::decode(self.public)?, PrivateKey::decode(self.private)?))
    }
}

/// Reads a PreKeyRecord.
///
/// # Errors
///
/// [`Error::InvalidProtobuf`]; the errors of [`PublicKey::decode`] and [`PrivateKey::decode`].
pub fn decode_pre_key(bytes: &[u8]) -> Result<PreKey, Error> {
    let fields = Fields::read(bytes)?;
    Ok(PreKey::from_parts(fields.id, fields.key_pair()?))
}

/// Writes a PreKeyRecord: at most 75 bytes.
#[must_use]
pub fn encode_pre_key(key: &PreKey) -> Zeroizing<Vec<u8>> {
    Fields {
        id: key.id(),
        public: &key.key_pair().public_key().encode(),
        private: key.key_pair().private_key().secret().expose(),
        ..Fields::default()
    }
    .write(false)
}

/// Reads a SignedPreKeyRecord. The signature is not verified.
///
/// # Errors
///
/// [`Error::InvalidProtobuf`]; the errors of the keys; [`Error::SignatureValidationFailed`] unless the
/// signature has 64 bytes.
pub fn decode_signed_pre_key(bytes: &[u8]) -> Result<SignedPreKey, Error> {
    let fields = Fields::read(bytes)?;
    let created = Timestamp(fields.timestamp);
    Ok(SignedPreKey::from_parts(fields.id, fields.key_pair()?, fields.signature()?, created))
}

/// Writes a SignedPreKeyRecord: at most 150 bytes.
#[must_use]
pub fn encode_signed_pre_key(key: &SignedPreKey) -> Zeroizing<Vec<u8>> {
    Fields {
        id: key.id(),
        public: &key.key_pair().public_key().encode(),
        private: key.key_pair().private_key().secret().expose(),
        signature: key.signature(),
        timestamp: key.created().as_millis(),
    }
    .write(true)
}

/// Reads a KyberPreKeyRecord. The signature is not verified.
///
/// # Errors
///
/// As [`decode_signed_pre_key`], with the errors of [`KemPublicKey::decode`] and
/// [`KemSecretKey::decode`].
pub fn decode_kem_pre_key(bytes: &[u8]) -> Result<KemPreKey, Error> {
    let fields = Fields::read(bytes)?;
    let pair = KemKeyPair::from_parts(
        KemPublicKey::decode(fields.public)?,
        KemSecretKey::decode(fields.private)?,
    )?;
    let created = Timestamp(fields.timestamp);
    Ok(KemPreKey::from_parts(fields.id, pair, fields.signature()?, created))
}

/// Writes a KyberPreKeyRecord: 1,569 + 3,169 bytes of keys and at most 90 more.
#[must_use]
pub fn encode_kem_pre_key(key: &KemPreKey) -> Zeroizing<Vec<u8>> {
    let secret = key.key_pair().secret_key();
    let mut private = Zeroizing::new(Vec::with_capacity(KemSecretKey::LENGTH));
    private.push(secret.kem_type().byte());
    private.extend_from_slice(secret.secret().expose());
    Fields {
        id: key.id(),
        public: &key.key_pair().public_key().encode(),
        private: &private,
        signature: key.signature(),
        timestamp: key.created().as_millis(),
    }
    .write(true)
}
