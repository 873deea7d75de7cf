//! SenderKeyRecord and SenderKeyState (spec 08 §2.1).

use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::vec::Vec;

use zeroize::Zeroizing;

use crate::error::Error;
use crate::group::SenderKeyRecord;
use crate::group::signing_key::SigningKey;
use crate::group::skipped_keys::{SenderMessageKey, SkippedKeys};
use crate::group::state::SenderKeyState;
use crate::keys::{PrivateKey, PublicKey};
use crate::ratchet::ChainKey;
use crate::secret::Secret;
use crate::wire::reader::Reader;
use crate::wire::writer::{self, Writer};

/// Reads a SenderKeyRecord, one's own or another's. It does not say which sender and group it belongs to:
/// the key under which the app stored it does.
///
/// A state whose keys are corrupt is kept without them: using it is
/// [`Error::InvalidSenderKeySession`], and the other states stay usable.
///
/// # Errors
///
/// [`Error::InvalidSenderKeySession`] when it is not a protobuf, or has no state.
pub fn decode_sender_key(bytes: &[u8]) -> Result<SenderKeyRecord, Error> {
    let mut states = VecDeque::new();
    for field in Reader::new(bytes) {
        if let (1, value) = field.map_err(|_| Error::InvalidSenderKeySession)? {
            let state = value.bytes().and_then(read_state);
            states.push_back(Box::new(state.map_err(|_| Error::InvalidSenderKeySession)?));
        }
    }
    if states.is_empty() {
        return Err(Error::InvalidSenderKeySession);
    }
    Ok(SenderKeyRecord::from_states(states))
}

/// Writes a SenderKeyRecord: about 150 bytes a state, and 40 for each skipped key.
#[must_use]
pub fn encode_sender_key(record: &SenderKeyRecord) -> Zeroizing<Vec<u8>> {
    Zeroizing::new(writer::encode(|w| {
        for state in record.states() {
            w.message(1, |w| write_state(w, state));
        }
    }))
}

fn read_state(bytes: &[u8]) -> Result<SenderKeyState, Error> {
    let (mut chain_id, mut message_version) = (0, 0);
    let (mut chain_key, mut signing_key) = (None, None);
    let mut entries = Some(Vec::new());
    for field in Reader::new(bytes) {
        match field? {
            (1, value) => chain_id = value.uint32()?,
            (2, value) => chain_key = read_seed(value.bytes()?)?,
            (3, value) => signing_key = read_signing_key(value.bytes()?)?,
            // one that is corrupt makes all of them so
            (4, value) => {
                entries = entries.zip(read_seed(value.bytes()?)?).map(|(mut entries, key)| {
                    entries.push(key);
                    entries
                });
            }
            (5, value) => message_version = value.uint32()?,
            _ => {}
        }
    }
    let skipped = entries.and_then(SkippedKeys::from_entries);
    // a chain whose skipped keys are corrupt is one whose use is an error
    let chain_key = chain_key.filter(|_| skipped.is_some());
    Ok(SenderKeyState {
        message_version,
        chain_id,
        chain_key: chain_key.map(|key| ChainKey::new(key.seed, key.iteration)),
        signing_key,
        skipped: skipped.unwrap_or_default(),
    })
}

/// A SenderChainKey or a SenderMessageKey: iteration and 32 bytes; `None` for another number of them.
fn read_seed(bytes: &[u8]) -> Result<Option<SenderMessageKey>, Error> {
    let (mut iteration, mut seed): (u32, &[u8]) = (0, &[]);
    for field in Reader::new(bytes) {
        match field? {
            (1, value) => iteration = value.uint32()?,
            (2, value) => seed = value.bytes()?,
            _ => {}
        }
    }
    Ok(Secret::from_slice(seed).map(|seed| SenderMessageKey { iteration, seed }))
}

/// A SenderSigningKey, with the private key only in one's own state.
fn read_signing_key(bytes: &[u8]) -> Result<Option<SigningKey>, Error> {
    let (mut public, mut private): (&[u8], &[u8]) = (&[], &[]);
    for field in Reader::new(bytes) {
        match field? {
            (1, value) => public = value.bytes()?,
            (2, value) => private = value.bytes()?,
            _ => {}
        }
    }
    let Ok(public) = PublicKey::decode(public) else { return Ok(None) };
    if private.is_empty() {
        return Ok(Some(SigningKey::new(public, None)));
    }
    let private = PrivateKey::decode(private).ok();
    Ok(private.map(|private| SigningKey::new(public, Some(private))))
}

fn write_state(w: &mut Writer<'_>, state: &SenderKeyState) {
    w.uint_nonzero(1, state.chain_id);
    if let Some(chain_key) = &state.chain_key {
        write_seed(w, 2, chain_key.index(), chain_key.secret());
    }
    if let Some(signing_key) = &state.signing_key {
        w.message(3, |w| {
            w.bytes(1, &signing_key.public().encode());
            w.bytes_option(2, signing_key.private().map(|key| key.secret().expose().as_slice()));
        });
    }
    for entry in state.skipped.entries() {
        write_seed(w, 4, entry.iteration, &entry.seed);
    }
    w.uint_nonzero(5, state.message_version);
}

fn write_seed(w: &mut Writer<'_>, number: u32, iteration: u32, seed: &Secret<32>) {
    w.message(number, |w| {
        w.uint_nonzero(1, iteration);
        w.bytes(2, seed.expose());
    });
}
