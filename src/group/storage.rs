//! The sender-key record as sandi stores it, under [`RecordKey::SenderKey`].
//!
//! `version (1) ‖ state ‖ …`, one to five states, the most recently added first; numbers big-endian:
//!
//! | bytes | what |
//! |---|---|
//! | 1 | which keys follow: 1 chain key, 2 signing key, 4 private signing key (only with 2) |
//! | 4, 4 | message version as it came, chain id |
//! | 4, 32 | iteration, chain key |
//! | 32 | signing public key |
//! | 32 | signing private key |
//! | 2 | number of skipped keys |
//! | 4, 32 each | iteration, seed; iterations ascend |
//!
//! There is one encoding of every record; anything else is refused.

use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::vec;
use alloc::vec::Vec;

use rand_core::CryptoRng;
use zeroize::Zeroizing;

use super::signing_key::SigningKey;
use super::skipped_keys::{SenderMessageKey, SkippedKeys};
use super::state::SenderKeyState;
use super::{Distribution, SenderKeyRecord};
use crate::address::Address;
use crate::dialect::{MAX_MESSAGE_KEYS, MAX_SENDER_KEY_STATES};
use crate::error::Error;
use crate::keys::{PrivateKey, PublicKey};
use crate::ratchet::ChainKey;
use crate::secret::Secret;
use crate::store::{Changes, Record, RecordKey, Snapshot};

/// The version of this encoding, its first byte.
const VERSION: u8 = 1;

const CHAIN_KEY: u8 = 1;
const SIGNING_KEY: u8 = 2;
const PRIVATE_KEY: u8 = 4;

/// Length of a stored skipped key.
const ENTRY: usize = 4 + 32;

impl SenderKeyRecord {
    /// What [`load`](Self::load) needs.
    #[must_use]
    pub fn needs(distribution: &Distribution, sender: &Address) -> Vec<RecordKey> {
        vec![distribution.sender_key(sender)]
    }

    /// The record of `sender`; without any key if there is none in the store.
    ///
    /// # Errors
    ///
    /// [`Error::NotLoaded`], and those of [`decode`](Self::decode).
    pub fn load(
        distribution: &Distribution,
        sender: &Address,
        snapshot: &Snapshot,
    ) -> Result<Self, Error> {
        let Some(stored) = snapshot.get(&distribution.sender_key(sender))? else {
            return Ok(Self::new());
        };
        let mut record = Self::decode(stored.bytes())?;
        (record.revision, record.changed) = (Some(Record::revision(stored)), false);
        Ok(record)
    }

    /// Adds what has changed since the record was loaded to `changes`; draws 8 bytes for a new record. If
    /// the commit fails, this value is to be dropped and loaded again.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidArgument`] when `changes` has an entry for the record already.
    pub fn save(
        &mut self,
        distribution: &Distribution,
        sender: &Address,
        changes: &mut Changes,
        rng: &mut impl CryptoRng,
    ) -> Result<(), Error> {
        if self.changed {
            let key = distribution.sender_key(sender);
            self.revision = Some(changes.put(key, self.revision, self.encode(), rng)?);
            self.changed = false;
        }
        Ok(())
    }

    /// sandi's own encoding: at most 12 + 5 * 72,111 bytes.
    #[must_use]
    pub fn encode(&self) -> Zeroizing<Vec<u8>> {
        let lengths = self.states.iter().map(|state| state_len(state));
        let length = lengths.fold(1, usize::saturating_add);
        let mut out = Zeroizing::new(Vec::with_capacity(length));
        out.push(VERSION);
        for state in &self.states {
            write_state(&mut out, state);
        }
        out
    }

    /// Reads [`encode`](Self::encode) back. Accepts nothing else.
    ///
    /// # Errors
    ///
    /// [`Error::FutureRecord`] for a later version of the encoding;
    /// [`Error::InvalidSenderKeySession`] for a record without any key; [`Error::InvalidState`] for
    /// anything else.
    pub fn decode(bytes: &[u8]) -> Result<Self, Error> {
        let mut input = match bytes.split_first() {
            Some((&VERSION, rest)) => Input(rest),
            Some((&version, _)) if version > VERSION => return Err(Error::FutureRecord(version)),
            _ => return Err(Error::InvalidState),
        };
        if input.0.is_empty() {
            return Err(Error::InvalidSenderKeySession);
        }
        let mut states = VecDeque::new();
        while !input.0.is_empty() {
            if states.len() >= MAX_SENDER_KEY_STATES {
                return Err(Error::InvalidState);
            }
            states.push_back(Box::new(read_state(&mut input).ok_or(Error::InvalidState)?));
        }
        Ok(Self::from_states(states))
    }
}

fn flags(state: &SenderKeyState) -> u8 {
    let signing_key = state.signing_key.as_ref();
    let has = |is: bool, flag| if is { flag } else { 0 };
    has(state.chain_key.is_some(), CHAIN_KEY)
        | has(signing_key.is_some(), SIGNING_KEY)
        | has(signing_key.is_some_and(|key| key.private().is_some()), PRIVATE_KEY)
}

fn state_len(state: &SenderKeyState) -> usize {
    let flags = flags(state);
    let part = |flag: u8, length: usize| if flags & flag == 0 { 0 } else { length };
    let keys = [part(CHAIN_KEY, 36), part(SIGNING_KEY, 32), part(PRIVATE_KEY, 32)];
    let skipped = state.skipped.entries().len().saturating_mul(ENTRY);
    keys.into_iter().fold(skipped.saturating_add(11), usize::saturating_add)
}

fn write_state(out: &mut Vec<u8>, state: &SenderKeyState) {
    out.push(flags(state));
    out.extend_from_slice(&state.message_version.to_be_bytes());
    out.extend_from_slice(&state.chain_id.to_be_bytes());
    if let Some(chain_key) = &state.chain_key {
        out.extend_from_slice(&chain_key.index().to_be_bytes());
        out.extend_from_slice(chain_key.secret().expose());
    }
    if let Some(signing_key) = &state.signing_key {
        out.extend_from_slice(signing_key.public().as_raw());
        if let Some(private) = signing_key.private() {
            out.extend_from_slice(private.secret().expose());
        }
    }
    let entries = state.skipped.entries();
    // at most 2,000
    out.extend_from_slice(&u16::try_from(entries.len()).unwrap_or(u16::MAX).to_be_bytes());
    for entry in entries {
        out.extend_from_slice(&entry.iteration.to_be_bytes());
        out.extend_from_slice(entry.seed.expose());
    }
}

fn read_state(input: &mut Input<'_>) -> Option<SenderKeyState> {
    let [flags] = input.array()?;
    let is_known = flags & !(CHAIN_KEY | SIGNING_KEY | PRIVATE_KEY) == 0;
    if !is_known || flags & (SIGNING_KEY | PRIVATE_KEY) == PRIVATE_KEY {
        return None;
    }
    let message_version = input.number()?;
    let chain_id = input.number()?;
    let chain_key = match flags & CHAIN_KEY {
        0 => None,
        _ => {
            let iteration = input.number()?;
            Some(ChainKey::new(input.secret()?, iteration))
        }
    };
    let signing_key = match flags & SIGNING_KEY {
        0 => None,
        _ => {
            let public = PublicKey::from_raw(input.array()?);
            let private = if flags & PRIVATE_KEY == 0 { None } else { Some(input.private_key()?) };
            Some(SigningKey::new(public, private))
        }
    };
    let count = usize::from(u16::from_be_bytes(input.array()?));
    if count > MAX_MESSAGE_KEYS || count.saturating_mul(ENTRY) > input.0.len() {
        return None;
    }
    let mut entries = Vec::with_capacity(count);
    for _ in 0..count {
        let iteration = input.number()?;
        entries.push(SenderMessageKey { iteration, seed: input.secret()? });
    }
    let skipped = SkippedKeys::from_entries(entries)?;
    Some(SenderKeyState { message_version, chain_id, chain_key, signing_key, skipped })
}

/// What is left to read.
struct Input<'a>(&'a [u8]);

impl Input<'_> {
    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (array, rest) = self.0.split_first_chunk::<N>()?;
        self.0 = rest;
        Some(*array)
    }

    fn number(&mut self) -> Option<u32> {
        self.array().map(u32::from_be_bytes)
    }

    fn secret(&mut self) -> Option<Secret<32>> {
        self.array().map(Secret::new)
    }

    /// A private key is stored clamped.
    fn private_key(&mut self) -> Option<PrivateKey> {
        let stored = self.secret()?;
        let key = PrivateKey::decode(stored.expose()).ok()?;
        (*key.secret() == stored).then_some(key)
    }
}
