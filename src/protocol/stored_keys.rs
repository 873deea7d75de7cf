//! A device's own pre-keys as they are stored (spec 02 §1 and §3).

use alloc::vec::Vec;

use zeroize::Zeroizing;

use super::record::{Stored, frame, required};
use crate::error::Error;
use crate::keys::{
    KemKeyPair, KemPublicKey, KemSecretKey, KeyPair, PrivateKey, PublicKey, Signature,
};
use crate::prekey::{KemPreKey, PreKey, SignedPreKey};
use crate::time::Timestamp;
use crate::wire::reader::Reader;
use crate::wire::writer::Writer;

/// A KEM pre-key as stored: only the store tells one-time from last-resort (spec 02 §1).
#[derive(Debug)]
pub struct StoredKem {
    /// The key.
    pub key: KemPreKey,
    /// Whether it is for one use; a last-resort one otherwise.
    pub one_time: bool,
}

/// The id stands in the record too, so that a record under a wrong name is noticed.
impl Stored for PreKey {
    fn read(fields: Reader<'_>) -> Result<Self, Error> {
        let (mut id, mut public, mut private) = (0, None, None);
        for field in fields {
            match field? {
                (1, value) => id = value.uint32()?,
                (2, value) => public = Some(PublicKey::decode(value.bytes()?)?),
                (3, value) => private = Some(PrivateKey::decode(value.bytes()?)?),
                _ => return Err(Error::InvalidState),
            }
        }
        Ok(Self::from_parts(id, KeyPair::from_parts(required(public)?, required(private)?)))
    }

    fn write(&self, w: &mut Writer<'_>) {
        w.uint_nonzero(1, self.id());
        w.bytes(2, &self.key_pair().public_key().encode());
        w.bytes(3, self.key_pair().private_key().secret().expose());
    }
}

impl Stored for SignedPreKey {
    fn read(fields: Reader<'_>) -> Result<Self, Error> {
        let (mut id, mut public, mut private) = (0, None, None);
        let (mut signature, mut created) = (None, 0);
        for field in fields {
            match field? {
                (1, value) => id = value.uint32()?,
                (2, value) => public = Some(PublicKey::decode(value.bytes()?)?),
                (3, value) => private = Some(PrivateKey::decode(value.bytes()?)?),
                (4, value) => signature = Some(read_signature(value.bytes()?)?),
                (5, value) => created = value.uint64()?,
                _ => return Err(Error::InvalidState),
            }
        }
        let pair = KeyPair::from_parts(required(public)?, required(private)?);
        Ok(Self::from_parts(id, pair, required(signature)?, Timestamp(created)))
    }

    fn write(&self, w: &mut Writer<'_>) {
        w.uint_nonzero(1, self.id());
        w.bytes(2, &self.key_pair().public_key().encode());
        w.bytes(3, self.key_pair().private_key().secret().expose());
        w.bytes(4, self.signature());
        w.uint_nonzero(5, self.created().as_millis());
    }
}

impl Stored for StoredKem {
    fn read(fields: Reader<'_>) -> Result<Self, Error> {
        let (mut id, mut public, mut secret) = (0, None, None);
        let (mut signature, mut created, mut one_time) = (None, 0, 0);
        for field in fields {
            match field? {
                (1, value) => id = value.uint32()?,
                (2, value) => public = Some(KemPublicKey::decode(value.bytes()?)?),
                (3, value) => secret = Some(KemSecretKey::decode(value.bytes()?)?),
                (4, value) => signature = Some(read_signature(value.bytes()?)?),
                (5, value) => created = value.uint64()?,
                (6, value) => one_time = value.uint32()?,
                _ => return Err(Error::InvalidState),
            }
        }
        let pair = KemKeyPair::from_parts(required(public)?, required(secret)?)?;
        let key = KemPreKey::from_parts(id, pair, required(signature)?, Timestamp(created));
        Ok(Self { key, one_time: one_time != 0 })
    }

    fn write(&self, w: &mut Writer<'_>) {
        write_kem(w, &self.key, self.one_time);
    }
}

/// The record of a KEM pre-key.
pub(super) fn encode_kem(key: &KemPreKey, one_time: bool) -> Zeroizing<Vec<u8>> {
    frame(|w| write_kem(w, key, one_time))
}

fn write_kem(w: &mut Writer<'_>, key: &KemPreKey, one_time: bool) {
    let pair = key.key_pair();
    w.uint_nonzero(1, key.id());
    w.bytes(2, &pair.public_key().encode());
    // the type byte, which the secret itself does not hold
    w.delimited(3, KemSecretKey::LENGTH);
    w.raw(&[pair.secret_key().kem_type().byte()]);
    w.raw(pair.secret_key().secret().expose());
    w.bytes(4, key.signature());
    w.uint_nonzero(5, key.created().as_millis());
    w.uint_nonzero(6, u32::from(one_time));
}

fn read_signature(bytes: &[u8]) -> Result<Signature, Error> {
    bytes.try_into().map_err(|_| Error::InvalidState)
}
