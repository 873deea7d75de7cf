//! Any store, with every record sealed under a key of the application.

use alloc::vec::Vec;
use core::fmt;

use rand_core::CryptoRng;
use zeroize::Zeroizing;

use super::{Changes, CommitError, Record, RecordKey, Store, Write};
use crate::crypto::{aead, kdf};
use crate::error::Error;
use crate::secret::Secret;

/// Seals every record's bytes with AES-256-GCM before they reach the store `S`.
///
/// A sealed record is `0x01 ‖ nonce (12) ‖ ciphertext ‖ tag (16)`, 29 bytes longer than the record. Each record key
/// has an AES key of its own, `HMAC-SHA-256(sealing key, record key)`, and each write a random nonce from `R`. The
/// associated data is `0x01 ‖ record key ‖ revision (8, big-endian)`.
///
/// # What it gives
///
/// Without the application's key, bytes can neither be read nor altered, nor moved to another record,
/// nor given another revision: all of these are [`SealedError::Rejected`]. What it cannot see is a record
/// that was removed, and a record or a whole store put back as it was at an earlier time, revision
/// and all: that needs a counter outside the store.
///
/// Record keys, and with them the names of peers, remain readable, unless the store was made by
/// [`with_hidden_keys`](Self::with_hidden_keys). Sizes, revisions and the time of each write remain visible in any case.
///
/// `R` must not be in the same state in two processes (a fork): a repeated nonce gives records away.
pub struct SealedStore<S, R> {
    inner: S,
    rng: R,
    sealing: kdf::HmacKey,
    hiding: Option<kdf::HmacKey>,
}

/// Why a [`SealedStore`] failed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum SealedError<E> {
    /// The inner store failed.
    Store(E),
    /// The record does not open: another application key, altered bytes, or the bytes of another record
    /// or revision.
    Rejected,
    /// The record was sealed by a later version; the value is its first byte.
    UnrecognizedVersion(u8),
    /// The record is longer than AES-GCM allows.
    TooLong,
}

impl<E: fmt::Display> fmt::Display for SealedError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Store(error) => error.fmt(f),
            Self::Rejected => f.write_str("sealed record does not open"),
            Self::UnrecognizedVersion(v) => write!(f, "sealed record of unknown version {v:#04x}"),
            Self::TooLong => f.write_str("record is too long to seal"),
        }
    }
}

impl<E: core::error::Error + 'static> core::error::Error for SealedError<E> {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match self {
            Self::Store(error) => Some(error),
            _ => None,
        }
    }
}

/// The first byte of a sealed record, and of its associated data.
const VERSION: u8 = 0x01;
const LABEL: &[u8] = b"sandi sealed store 1";

impl<S, R: CryptoRng> SealedStore<S, R> {
    /// What a sealed record is longer than the record, in bytes.
    pub const OVERHEAD: usize = 1 + aead::NONCE_LENGTH + aead::TAG_LENGTH;

    /// Seals the records of `inner` under a uniformly random 32-byte key that the application keeps elsewhere.
    ///
    /// A store must always be opened with the same key, and with the same choice of hidden keys.
    #[must_use]
    pub fn new(inner: S, key: &Secret<32>, rng: R) -> Self {
        let (sealing, _) = Self::keys(key);
        Self { inner, rng, sealing, hiding: None }
    }

    /// The same, and record keys reach the inner store as [`RecordKey::Hidden`]`(HMAC-SHA-256(hiding key, record key))`:
    /// who reads it learns how many records there are, but neither their kinds nor the names of peers.
    #[must_use]
    pub fn with_hidden_keys(inner: S, key: &Secret<32>, rng: R) -> Self {
        let (sealing, hiding) = Self::keys(key);
        Self { inner, rng, sealing, hiding: Some(hiding) }
    }

    /// The inner store.
    pub const fn inner(&self) -> &S {
        &self.inner
    }

    /// The inner store, to be written past the seal.
    pub const fn inner_mut(&mut self) -> &mut S {
        &mut self.inner
    }

    /// Takes the inner store out.
    #[must_use]
    pub fn into_inner(self) -> S {
        self.inner
    }

    /// `sealing key ‖ hiding key = HKDF(no salt, application key, label, 64)`.
    fn keys(key: &Secret<32>) -> (kdf::HmacKey, kdf::HmacKey) {
        let (sealing, hiding) = kdf::halves(&kdf::hkdf::<64>(None, key.expose(), &[LABEL]));
        (kdf::HmacKey::new(sealing.expose()), kdf::HmacKey::new(hiding.expose()))
    }

    fn inner_key(&self, key: &RecordKey, key_bytes: &[u8]) -> RecordKey {
        match &self.hiding {
            None => key.clone(),
            Some(hiding) => RecordKey::Hidden(*hiding.mac(&[key_bytes]).expose()),
        }
    }

    /// `0x01 ‖ nonce ‖ ciphertext ‖ tag`, in one buffer of exactly that size.
    fn seal(&mut self, key_bytes: &[u8], revision: u64, bytes: &[u8]) -> Result<Vec<u8>, Error> {
        let mut nonce = [0; aead::NONCE_LENGTH];
        self.rng.fill_bytes(&mut nonce);
        let mut sealed = Vec::with_capacity(bytes.len().saturating_add(Self::OVERHEAD));
        sealed.push(VERSION);
        sealed.extend_from_slice(&nonce);
        let start = sealed.len();
        sealed.extend_from_slice(bytes);
        let text = sealed.get_mut(start..).unwrap_or_default();
        let key = self.sealing.mac(&[key_bytes]);
        let tag = aead::gcm_seal(&key, &nonce, &associated_data(key_bytes, revision), text)?;
        sealed.extend_from_slice(&tag);
        Ok(sealed)
    }

    fn open<E>(&self, key_bytes: &[u8], sealed: &Record) -> Result<Record, SealedError<E>> {
        let (&version, rest) = sealed.bytes().split_first().ok_or(SealedError::Rejected)?;
        if version != VERSION {
            return Err(SealedError::UnrecognizedVersion(version));
        }
        let (nonce, rest) = rest.split_first_chunk().ok_or(SealedError::Rejected)?;
        let (text, tag) = rest.split_last_chunk().ok_or(SealedError::Rejected)?;
        let mut text = Zeroizing::new(text.to_vec());
        let aad = associated_data(key_bytes, sealed.revision());
        aead::gcm_open(&self.sealing.mac(&[key_bytes]), nonce, &aad, &mut text, tag)
            .map_err(|_| SealedError::Rejected)?;
        Ok(Record::new(sealed.revision(), text))
    }
}

/// `0x01 ‖ record key ‖ revision`: the revision has a fixed width, so the parts cannot be confused.
fn associated_data(key_bytes: &[u8], revision: u64) -> Vec<u8> {
    [&[VERSION], key_bytes, &revision.to_be_bytes()].concat()
}

impl<S: Store, R: CryptoRng> Store for SealedStore<S, R> {
    type Error = SealedError<S::Error>;

    fn load(&self, key: &RecordKey) -> Result<Option<Record>, Self::Error> {
        let key_bytes = key.to_bytes();
        let inner_key = self.inner_key(key, &key_bytes);
        match self.inner.load(&inner_key).map_err(SealedError::Store)? {
            None => Ok(None),
            Some(sealed) => self.open(&key_bytes, &sealed).map(Some),
        }
    }

    fn commit(&mut self, changes: &Changes) -> Result<(), CommitError<Self::Error>> {
        let sealed = self.seal_changes(changes)?;
        self.inner.commit(&sealed).map_err(|error| error.map_store(SealedError::Store))
    }
}

impl<S: Store, R: CryptoRng> SealedStore<S, R> {
    /// `changes` as they reach the inner store: for one that can commit more than changes at once. Each call
    /// seals under new nonces.
    ///
    /// # Errors
    ///
    /// [`SealedError::TooLong`] for a record that AES-GCM cannot take.
    pub fn seal_changes(&mut self, changes: &Changes) -> Result<Changes, SealedError<S::Error>> {
        let mut sealed = Changes::new();
        for (key, change) in changes.iter() {
            let key_bytes = key.to_bytes();
            let write = match change.write() {
                Write::Put { revision, bytes } => Write::Put {
                    revision: *revision,
                    bytes: self
                        .seal(&key_bytes, *revision, bytes)
                        .map_err(|_| SealedError::TooLong)?
                        .into(),
                },
                Write::Delete => Write::Delete,
                Write::Keep => Write::Keep,
            };
            // Distinct keys stay distinct: the hash is a MAC of their canonical bytes.
            let inner_key = self.inner_key(key, &key_bytes);
            sealed
                .insert(inner_key, change.expected(), write)
                .map_err(|_| SealedError::Rejected)?;
        }
        Ok(sealed)
    }
}

impl<S: fmt::Debug, R> fmt::Debug for SealedStore<S, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SealedStore").field("inner", &self.inner).finish_non_exhaustive()
    }
}
