//! `ADVKeyIndexList` and its signed form: which companions an account has (spec 22 §2, §4).

use alloc::vec::Vec;

use super::decisions::key_index_list_prefix;
use super::{AccountKey, EncryptionType, raw_key};
use crate::error::Error;
use crate::keys::{PrivateKey, PublicKey, Signature};
use crate::wire::reader::{Reader, Value};
use crate::wire::writer;
use rand_core::CryptoRng;

/// How many valid indexes a list may hold: far above what any account has.
pub const KEY_INDEXES_MAX: usize = 1024;

/// The key indexes of an account's devices.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct KeyIndexList {
    /// Number of the account's registration (rawId): another one means that it was registered anew.
    pub raw_id: u32,
    /// When the list was signed, in seconds since the Unix epoch.
    pub timestamp: u64,
    /// The last index that was given to a companion.
    pub current_index: u32,
    /// The indexes of the companions that are linked; 0 is the primary's own. At most
    /// [`KEY_INDEXES_MAX`].
    pub valid_indexes: Vec<u32>,
    /// Who holds the account's keys.
    pub account_type: EncryptionType,
}

impl KeyIndexList {
    /// Reads the encoding. What is absent is 0 or empty; the indexes may be packed or not.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidProtobuf`], also for more than [`KEY_INDEXES_MAX`] indexes.
    pub fn decode(bytes: &[u8]) -> Result<Self, Error> {
        let mut out = Self::default();
        for field in Reader::new(bytes) {
            match field? {
                (1, value) => out.raw_id = value.uint32()?,
                (2, value) => out.timestamp = value.uint64()?,
                (3, value) => out.current_index = value.uint32()?,
                (4, Value::Bytes(packed)) => {
                    let mut packed = Reader::new(packed);
                    while packed.remaining() > 0 {
                        out.push_index(Value::Varint(packed.varint()?).uint32()?)?;
                    }
                }
                (4, value) => out.push_index(value.uint32()?)?,
                (5, value) => out.account_type = EncryptionType::from_value(value.uint32()?),
                _ => {}
            }
        }
        Ok(out)
    }

    fn push_index(&mut self, index: u32) -> Result<(), Error> {
        if self.valid_indexes.len() >= KEY_INDEXES_MAX {
            return Err(Error::InvalidProtobuf);
        }
        self.valid_indexes.push(index);
        Ok(())
    }

    /// The encoding, which is what is signed: indexes packed, the type left out when it is 0.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        writer::encode(|w| {
            w.uint(1, self.raw_id);
            w.uint(2, self.timestamp);
            w.uint(3, self.current_index);
            w.packed(4, &self.valid_indexes);
            w.uint_nonzero(5, self.account_type.value());
        })
    }

    /// Whether a companion with this index is one of the account's: it is valid, or was given after the
    /// list was signed.
    #[must_use]
    pub fn admits(&self, key_index: u32) -> bool {
        key_index > self.current_index || self.valid_indexes.contains(&key_index)
    }
}

/// `ADVSignedKeyIndexList`, as bytes that were received.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SignedKeyIndexList<'a> {
    details: &'a [u8],
    account_signature: &'a [u8],
    account_key: Option<&'a [u8; 32]>,
}

impl<'a> SignedKeyIndexList<'a> {
    /// Reads the encoding. Nothing is verified.
    ///
    /// # Errors
    ///
    /// As [`SignedDeviceIdentity::parse`](super::SignedDeviceIdentity::parse).
    pub fn parse(bytes: &'a [u8]) -> Result<Self, Error> {
        let mut out = Self { details: &[], account_signature: &[], account_key: None };
        for field in Reader::new(bytes) {
            match field? {
                (1, value) => out.details = value.bytes()?,
                (2, value) => out.account_signature = value.bytes()?,
                (3, value) => out.account_key = raw_key(value.bytes()?)?,
                _ => {}
            }
        }
        Ok(out)
    }

    /// The encoding, with the details as they were received.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        writer::encode(|w| {
            w.bytes(1, self.details);
            w.bytes_nonempty(2, self.account_signature);
            w.bytes_option(3, self.account_key.map(<[u8; 32]>::as_slice));
        })
    }

    /// The details as they were received.
    #[must_use]
    pub const fn details_bytes(&self) -> &'a [u8] {
        self.details
    }

    /// The account key that is embedded: to be used for a hosting account only.
    #[must_use]
    pub fn account_key(&self) -> Option<PublicKey> {
        self.account_key.map(|key| PublicKey::from_raw(*key))
    }

    /// The list, once its signature has verified: `prefix ‖ details`, with 0602 by a primary's identity key
    /// and 0607 by the key of a hosting account.
    ///
    /// # Errors
    ///
    /// [`Error::SignatureValidationFailed`]; [`Error::InvalidProtobuf`].
    pub fn verify(&self, account: &AccountKey) -> Result<KeyIndexList, Error> {
        let prefix = key_index_list_prefix(account);
        if !account.key().verify_parts(&[&prefix, self.details], self.account_signature) {
            return Err(Error::SignatureValidationFailed);
        }
        KeyIndexList::decode(self.details)
    }

    /// Signs `list` as the primary of an account. Draws 64 bytes.
    pub(super) fn sign(
        list: &KeyIndexList,
        account: &AccountKey,
        private: &PrivateKey,
        rng: &mut impl CryptoRng,
    ) -> Vec<u8> {
        let details = list.encode();
        let prefix = key_index_list_prefix(account);
        let signature: Signature = private.sign_parts(&[&prefix, &details], rng);
        let key = account.key().as_raw();
        SignedKeyIndexList {
            details: &details,
            account_signature: &signature,
            account_key: Some(key),
        }
        .encode()
    }
}
