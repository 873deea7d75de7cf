//! Chain, ChainKey and MessageKey of a session record (spec 08 §1.2).

use alloc::vec::Vec;

use crate::error::Error;
use crate::keys::{KeyPair, PrivateKey, PublicKey};
use crate::ratchet::skipped_keys::Skipped;
use crate::ratchet::{
    ChainKey, MessageKeys, MessageSecret, ReceiverChain, SenderChain, SkippedKeys,
};
use crate::secret::Secret;
use crate::wire::reader::Reader;
use crate::wire::writer::Writer;

/// The fields of a Chain.
#[derive(Default)]
struct Fields<'a> {
    ratchet_key: &'a [u8],
    private: &'a [u8],
    chain_key: Option<&'a [u8]>,
    message_keys: Vec<&'a [u8]>,
}

impl<'a> Fields<'a> {
    fn read(bytes: &'a [u8]) -> Result<Self, Error> {
        let mut fields = Self::default();
        for field in Reader::new(bytes) {
            match field? {
                (1, value) => fields.ratchet_key = value.bytes()?,
                (2, value) => fields.private = value.bytes()?,
                (3, value) => fields.chain_key = Some(value.bytes()?),
                (4, value) => fields.message_keys.push(value.bytes()?),
                _ => {}
            }
        }
        Ok(fields)
    }

    /// The chain key, if its 32 bytes are there.
    fn chain_key(&self) -> Result<Option<ChainKey>, Error> {
        let (mut index, mut key): (u32, &[u8]) = (0, &[]);
        for field in Reader::new(self.chain_key.unwrap_or_default()) {
            match field? {
                (1, value) => index = value.uint32()?,
                (2, value) => key = value.bytes()?,
                _ => {}
            }
        }
        Ok(Secret::from_slice(key).map(|key| ChainKey::new(key, index)))
    }
}

/// The sender chain; `None` when a key is unusable, which is an error once it is needed.
pub(super) fn read_sender(bytes: &[u8]) -> Result<Option<SenderChain>, Error> {
    let fields = Fields::read(bytes)?;
    let keys =
        PublicKey::decode(fields.ratchet_key).ok().zip(PrivateKey::decode(fields.private).ok());
    Ok(keys.zip(fields.chain_key()?).map(|((public, private), chain_key)| SenderChain {
        ratchet_key: KeyPair::from_parts(public, private),
        chain_key,
    }))
}

/// A receiver chain; `None` when its ratchet key is undecodable: such a chain is skipped.
pub(super) fn read_receiver(bytes: &[u8]) -> Result<Option<ReceiverChain>, Error> {
    let fields = Fields::read(bytes)?;
    let Ok(ratchet_key) = PublicKey::decode(fields.ratchet_key) else { return Ok(None) };
    let chain_key = fields.chain_key()?;
    // Newest first in the record, oldest first here. A chain whose keys are corrupt is one whose use
    // is an error.
    let mut entries = Vec::with_capacity(fields.message_keys.len());
    for bytes in fields.message_keys.iter().rev() {
        entries.extend(read_message_key(bytes)?);
    }
    Ok(Some(match SkippedKeys::from_entries(entries) {
        Some(skipped) => ReceiverChain { ratchet_key, chain_key, skipped },
        None => ReceiverChain { ratchet_key, chain_key: None, skipped: SkippedKeys::default() },
    }))
}

/// A skipped key: a seed, or the three derived keys of the old form; `None` when neither is whole.
fn read_message_key(bytes: &[u8]) -> Result<Option<Skipped>, Error> {
    let mut counter = 0;
    let (mut cipher, mut mac, mut iv, mut seed): (&[u8], &[u8], &[u8], &[u8]) =
        (&[], &[], &[], &[]);
    for field in Reader::new(bytes) {
        match field? {
            (1, value) => counter = value.uint32()?,
            (2, value) => cipher = value.bytes()?,
            (3, value) => mac = value.bytes()?,
            (4, value) => iv = value.bytes()?,
            (5, value) => seed = value.bytes()?,
            _ => {}
        }
    }
    let secret = if seed.is_empty() {
        let derived = Secret::from_slice(cipher).zip(Secret::from_slice(mac));
        derived.zip(Secret::from_slice(iv)).map(|((cipher, mac), iv)| {
            MessageSecret::Derived(MessageKeys::from_parts(cipher, mac, iv))
        })
    } else {
        Secret::from_slice(seed).map(MessageSecret::Seed)
    };
    Ok(secret.map(|secret| Skipped { counter, secret }))
}

fn write_chain_key(w: &mut Writer<'_>, chain_key: &ChainKey) {
    w.message(3, |w| {
        w.uint_nonzero(1, chain_key.index());
        w.bytes_nonempty(2, chain_key.secret().expose());
    });
}

pub(super) fn write_sender(w: &mut Writer<'_>, chain: &SenderChain) {
    w.bytes(1, &chain.ratchet_key.public_key().encode());
    w.bytes(2, chain.ratchet_key.private_key().secret().expose());
    write_chain_key(w, &chain.chain_key);
}

pub(super) fn write_receiver(w: &mut Writer<'_>, chain: &ReceiverChain) {
    w.bytes(1, &chain.ratchet_key.encode());
    if let Some(chain_key) = &chain.chain_key {
        write_chain_key(w, chain_key);
    }
    for entry in chain.skipped.entries().iter().rev() {
        w.message(4, |w| {
            w.uint_nonzero(1, entry.counter);
            match &entry.secret {
                MessageSecret::Seed(seed) => w.bytes(5, seed.expose()),
                MessageSecret::Derived(keys) => {
                    w.bytes(2, keys.cipher_key().expose());
                    w.bytes(3, keys.mac_key().expose());
                    w.bytes(4, keys.iv().expose());
                }
            }
        });
    }
}
