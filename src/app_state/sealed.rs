//! One change as the server has it (spec 26 §2): the index behind a MAC, the value encrypted and
//! authenticated.

use alloc::vec::Vec;

use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use super::key::read_id;
use super::{
    AppStateKey, AppStateKeyId, IndexMac, MAX_VALUE_LENGTH, Mutation, MutationKeys, Operation,
    ValueMac,
};
use crate::crypto::{cbc, kdf};
use crate::error::Error;
use crate::secret::Secret;
use crate::wire::reader::Reader;
use crate::wire::writer::Writer;

const IV: usize = 16;
const MAC: usize = 32;

/// An encrypted mutation, or a record of a snapshot, which is always a [`Set`](Operation::Set).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SealedMutation {
    operation: Operation,
    index_mac: IndexMac,
    /// `iv || ciphertext`
    ciphertext: Vec<u8>,
    value_mac: ValueMac,
    key_id: AppStateKeyId,
}

impl SealedMutation {
    pub(super) fn seal(
        key: &AppStateKey,
        operation: Operation,
        index: &[u8],
        plain: &[u8],
        iv: &[u8; IV],
    ) -> Result<Self, Error> {
        // ct = iv || AES-256-CBC(valueEncKey, iv, PKCS#7(plain))
        let length = cbc::ciphertext_len(plain.len())
            .and_then(|length| length.checked_add(IV))
            .filter(|&length| length <= MAX_VALUE_LENGTH - MAC)
            .ok_or(Error::InvalidArgument)?;
        let mut ciphertext = alloc::vec![0; length];
        let (to_iv, to) = ciphertext.split_first_chunk_mut::<IV>().ok_or(Error::InvalidArgument)?;
        *to_iv = *iv;
        let keys = key.keys();
        cbc::encrypt(keys.value_encryption(), &Secret::new(*iv), plain, to)?;
        Ok(Self {
            operation,
            index_mac: index_mac(keys, index),
            value_mac: value_mac(keys, operation, key.id(), &ciphertext),
            ciphertext,
            key_id: key.id().clone(),
        })
    }

    /// Verifies and decrypts it. `key` is the one that [`key_id`](Self::key_id) names.
    ///
    /// # Errors
    ///
    /// [`Error::AppStateKeyMissing`] for a key of another id. [`Error::Rejected`] when the value's MAC or its
    /// padding does not fit, or the index within is not the one outside. [`Error::InvalidProtobuf`] for
    /// authentic content that is malformed.
    pub fn open(&self, key: &AppStateKey) -> Result<Mutation, Error> {
        if key.id() != &self.key_id {
            return Err(Error::AppStateKeyMissing);
        }
        let keys = key.keys();
        let expected = value_mac(keys, self.operation, &self.key_id, &self.ciphertext);
        if !bool::from(expected.ct_eq(&self.value_mac)) {
            return Err(Error::Rejected);
        }
        let (iv, ciphertext) = self.ciphertext.split_first_chunk::<IV>().ok_or(Error::Rejected)?;
        let mut plain = Zeroizing::new(ciphertext.to_vec());
        let length = cbc::decrypt_in_place(keys.value_encryption(), &Secret::new(*iv), &mut plain)?;
        let plain = plain.get(..length).ok_or(Error::Rejected)?;
        let mutation = Mutation::read(self.operation, plain)?;
        // recompute the index blob from the decrypted index and compare
        if !bool::from(index_mac(keys, &mutation.index).ct_eq(&self.index_mac)) {
            return Err(Error::Rejected);
        }
        Ok(mutation)
    }

    /// What it does. Covered by the value's MAC.
    #[must_use]
    pub const fn operation(&self) -> Operation {
        self.operation
    }

    /// The index blob.
    #[must_use]
    pub const fn index_mac(&self) -> &IndexMac {
        &self.index_mac
    }

    /// The MAC of the value, the end of the value blob.
    #[must_use]
    pub const fn value_mac(&self) -> &ValueMac {
        &self.value_mac
    }

    /// Which key it is under.
    #[must_use]
    pub const fn key_id(&self) -> &AppStateKeyId {
        &self.key_id
    }

    /// The value blob: `iv || ciphertext || MAC`.
    #[must_use]
    pub fn value_blob(&self) -> Vec<u8> {
        [self.ciphertext.as_slice(), &self.value_mac].concat()
    }

    /// Writes `SyncdMutation{operation#1, record#2}`.
    pub(super) fn write(&self, w: &mut Writer<'_>) {
        w.uint(1, self.operation.number());
        w.message(2, |w| self.write_record(w));
    }

    /// Writes `SyncdRecord{index#1 {blob#1}, value#2 {blob#1}, keyId#3 {id#1}}`.
    pub(super) fn write_record(&self, w: &mut Writer<'_>) {
        w.message(1, |w| w.bytes(1, &self.index_mac));
        w.message(2, |w| {
            w.delimited(1, self.ciphertext.len().saturating_add(MAC));
            w.raw(&self.ciphertext);
            w.raw(&self.value_mac);
        });
        w.message(3, |w| w.bytes(1, self.key_id.as_bytes()));
    }

    /// Reads a `SyncdMutation`. An absent operation is the enum's first, a `Set`.
    pub(super) fn read(bytes: &[u8]) -> Result<Self, Error> {
        let (mut operation, mut record) = (Operation::Set, None);
        for field in Reader::new(bytes) {
            match field? {
                (1, value) => operation = Operation::from_number(value.uint64()?)?,
                (2, value) => record = Some(value.bytes()?),
                _ => {}
            }
        }
        Self::read_record(operation, record.ok_or(Error::InvalidProtobuf)?)
    }

    /// Reads a `SyncdRecord`.
    pub(super) fn read_record(operation: Operation, bytes: &[u8]) -> Result<Self, Error> {
        let (mut index, mut value, mut key_id) = (None, None, None);
        for field in Reader::new(bytes) {
            match field? {
                (1, field) => index = blob(field.bytes()?)?,
                (2, field) => value = blob(field.bytes()?)?,
                (3, field) => key_id = read_id(field.bytes()?)?,
                _ => {}
            }
        }
        let index_mac = index.and_then(|index| index.try_into().ok());
        let value = value.filter(|value| value.len() <= MAX_VALUE_LENGTH);
        let (ciphertext, value_mac) = value
            .and_then(<[u8]>::split_last_chunk::<MAC>)
            .filter(|(ciphertext, _)| ciphertext.len() > IV && ciphertext.len().is_multiple_of(16))
            .ok_or(Error::InvalidProtobuf)?;
        Ok(Self {
            operation,
            index_mac: index_mac.ok_or(Error::InvalidProtobuf)?,
            ciphertext: ciphertext.to_vec(),
            value_mac: *value_mac,
            key_id: key_id.ok_or(Error::InvalidProtobuf)?,
        })
    }
}

/// Reads `SyncdIndex{blob#1}` or `SyncdValue{blob#1}`.
fn blob(bytes: &[u8]) -> Result<Option<&[u8]>, Error> {
    let mut blob = None;
    for field in Reader::new(bytes) {
        if let (1, value) = field? {
            blob = Some(value.bytes()?);
        }
    }
    Ok(blob)
}

/// `HMAC-SHA-256(indexKey, indexJSON)`.
fn index_mac(keys: &MutationKeys, index: &[u8]) -> IndexMac {
    kdf::hmac(keys.index().expose(), &[index]).into_bytes()
}

/// `HMAC-SHA-512(valueMacKey, aad || ct || u64be(|aad|))[0..32]`, `aad = op || keyId`.
fn value_mac(
    keys: &MutationKeys,
    operation: Operation,
    key_id: &AppStateKeyId,
    ciphertext: &[u8],
) -> ValueMac {
    let key_id = key_id.as_bytes();
    // the length of aad, not of ct; at most 33
    let length = (key_id.len() as u64).saturating_add(1).to_be_bytes();
    let parts: [&[u8]; 4] = [&[operation.byte()], key_id, ciphertext, &length];
    let mac = kdf::hmac_sha512(keys.value_mac().expose(), &parts);
    let mut truncated = [0; MAC];
    for (to, from) in truncated.iter_mut().zip(mac) {
        *to = from;
    }
    truncated
}
