//! One state without its skipped keys, as a protobuf.
//!
//! | # | what |
//! |---|---|
//! | 1 | dialect: 1 version 3, 2 version 4 without SPQR, 3 version 4 |
//! | 2, 3 | identity keys, ours and theirs (32 bytes) |
//! | 4, 5 | registration ids, ours and theirs |
//! | 6 | base key (32) |
//! | 7 | pending: 1 one-time pre-key id; 2 signed pre-key id; 3 creation time (s); 4 KEM pre-key id; 5 KEM ciphertext (1,569) |
//! | 8 | root key (32) |
//! | 9 | sending chain: 1 ratchet key (32); 2 its private key (32); 3 chain key (32); 4 index |
//! | 10 | receiving chains, oldest first: 1 ratchet key (32); 2 chain key (32); 3 index |
//! | 11 | previous counter |
//! | 12 | number of the first receiving chain, modulo 256 |
//! | 13 | SPQR, compact (`spqr/compact.rs`), without skipped keys |
//!
//! A number of 0 that must be there is left out, as in proto3. Reading does not check the order of fields or
//! what is left over: whoever reads writes again what was read, and compares.

use alloc::vec::Vec;

use super::super::pending::PendingPreKey;
use super::super::state::State;
use crate::dialect::{Dialect, MAX_RECEIVER_CHAINS};
use crate::error::Error;
use crate::keys::{IdentityKey, KemCiphertext, KemType, KeyPair, PrivateKey, PublicKey};
use crate::ratchet::double_ratchet::DroppedChains;
use crate::ratchet::{ChainKey, DoubleRatchet, ReceiverChain, RootKey, SenderChain, SkippedKeys};
use crate::secret::Secret;
use crate::spqr::Spqr;
use crate::store::pages::Bookkeeping;
use crate::wire::reader::{Reader, Value};
use crate::wire::writer::Writer;

pub(super) fn write(w: &mut Writer<'_>, state: &State) {
    w.uint(1, dialect_number(state.dialect));
    w.bytes(2, state.local_identity.public_key().as_raw());
    w.bytes(3, state.remote_identity.public_key().as_raw());
    w.uint_nonzero(4, state.local_registration_id);
    w.uint_nonzero(5, state.remote_registration_id);
    w.bytes(6, state.base_key.as_raw());
    if let Some(pending) = &state.pending {
        w.message(7, |w| write_pending(w, pending));
    }
    let ratchet = &state.ratchet;
    if let Some(root) = &ratchet.root_key {
        w.bytes(8, root.secret().expose());
    }
    if let Some(sender) = &ratchet.sender {
        w.message(9, |w| {
            w.bytes(1, sender.ratchet_key.public_key().as_raw());
            w.bytes(2, sender.ratchet_key.private_key().secret().expose());
            w.bytes(3, sender.chain_key.secret().expose());
            w.uint_nonzero(4, sender.chain_key.index());
        });
    }
    for chain in &ratchet.receivers {
        w.message(10, |w| {
            w.bytes(1, chain.ratchet_key.as_raw());
            if let Some(chain_key) = &chain.chain_key {
                w.bytes(2, chain_key.secret().expose());
                w.uint_nonzero(3, chain_key.index());
            }
        });
    }
    w.uint_nonzero(11, ratchet.previous_counter);
    w.uint_nonzero(12, ratchet.dropped.0.count);
    if !state.spqr.is_off() {
        w.message(13, |w| state.spqr.write_compact(w, false));
    }
}

fn write_pending(w: &mut Writer<'_>, pending: &PendingPreKey) {
    w.uint_option(1, pending.pre_key_id);
    w.uint_nonzero(2, pending.signed_pre_key_id);
    w.uint_nonzero(3, pending.created_secs);
    if let Some((id, ciphertext)) = &pending.kem {
        w.uint_nonzero(4, *id);
        w.bytes(5, &ciphertext.encode());
    }
}

/// Reads a state, whose skipped keys are elsewhere.
///
/// # Errors
///
/// Any, for a state that [`write`] did not write.
pub(super) fn read(bytes: &[u8]) -> Result<State, Error> {
    let mut fields = [None; 13];
    let mut receivers = Vec::with_capacity(MAX_RECEIVER_CHAINS);
    for field in Reader::new(bytes) {
        let (number, value) = field?;
        if number == 10 {
            if receivers.len() == MAX_RECEIVER_CHAINS {
                return Err(Error::InvalidSession);
            }
            receivers.push(read_receiver(value.bytes()?)?);
        } else {
            put(&mut fields, number, value)?;
        }
    }
    let [
        dialect,
        local_identity,
        remote_identity,
        local_registration_id,
        remote_registration_id,
        base_key,
        pending,
        root_key,
        sender,
        _,
        previous_counter,
        dropped,
        spqr,
    ] = fields;
    let count = u8::try_from(uint32(dropped)?).map_err(|_| Error::InvalidSession)?;
    let spqr = spqr.map_or(Ok(Spqr::off()), |value| {
        Spqr::read_compact(value.bytes()?).map_err(|_| Error::InvalidSession)
    })?;
    Ok(State {
        dialect: read_dialect(uint32(dialect)?)?,
        local_identity: IdentityKey::new(public_key(local_identity)?),
        remote_identity: IdentityKey::new(public_key(remote_identity)?),
        local_registration_id: uint32(local_registration_id)?,
        remote_registration_id: uint32(remote_registration_id)?,
        base_key: public_key(base_key)?,
        pending: pending.map(|value| read_pending(value.bytes()?)).transpose()?,
        ratchet: DoubleRatchet {
            root_key: root_key.map(|value| secret(Some(value)).map(RootKey::new)).transpose()?,
            sender: sender.map(|value| read_sender(value.bytes()?)).transpose()?,
            receivers,
            previous_counter: uint32(previous_counter)?,
            dropped: Bookkeeping(DroppedChains::new(count)),
        },
        spqr,
    })
}

fn read_sender(bytes: &[u8]) -> Result<SenderChain, Error> {
    let [public, private, chain_key, index] = fields(bytes)?;
    let private = private.ok_or(Error::InvalidSession)?.bytes()?;
    Ok(SenderChain {
        ratchet_key: KeyPair::from_parts(public_key(public)?, PrivateKey::decode(private)?),
        chain_key: ChainKey::new(secret(chain_key)?, uint32(index)?),
    })
}

fn read_receiver(bytes: &[u8]) -> Result<ReceiverChain, Error> {
    let [ratchet_key, chain_key, index] = fields(bytes)?;
    let index = uint32(index)?;
    let chain_key = chain_key.map(|value| Ok(ChainKey::new(secret(Some(value))?, index)));
    Ok(ReceiverChain {
        ratchet_key: public_key(ratchet_key)?,
        chain_key: chain_key.transpose()?,
        skipped: SkippedKeys::default(),
    })
}

fn read_pending(bytes: &[u8]) -> Result<PendingPreKey, Error> {
    let [pre_key_id, signed_pre_key_id, created_secs, kem_id, ciphertext] = fields(bytes)?;
    let enabled = [KemType::Kyber1024, KemType::MlKem1024];
    let kem = ciphertext
        .map(|value| Ok((uint32(kem_id)?, KemCiphertext::decode_any(value.bytes()?, &enabled)?)));
    Ok(PendingPreKey {
        pre_key_id: pre_key_id.map(|value| uint32(Some(value))).transpose()?,
        signed_pre_key_id: uint32(signed_pre_key_id)?,
        created_secs: created_secs.map_or(Ok(0), Value::uint64)?,
        kem: kem.transpose()?,
    })
}

const fn dialect_number(dialect: Dialect) -> u32 {
    match dialect {
        Dialect::V3 => 1,
        Dialect::V4WithoutSpqr => 2,
        Dialect::V4 => 3,
    }
}

const fn read_dialect(number: u32) -> Result<Dialect, Error> {
    match number {
        1 => Ok(Dialect::V3),
        2 => Ok(Dialect::V4WithoutSpqr),
        3 => Ok(Dialect::V4),
        _ => Err(Error::InvalidSession),
    }
}

/// The fields 1 to `N` of a message.
fn fields<const N: usize>(bytes: &[u8]) -> Result<[Option<Value<'_>>; N], Error> {
    let mut fields = [None; N];
    for field in Reader::new(bytes) {
        let (number, value) = field?;
        put(&mut fields, number, value)?;
    }
    Ok(fields)
}

fn put<'a>(fields: &mut [Option<Value<'a>>], number: u32, value: Value<'a>) -> Result<(), Error> {
    let at = usize::try_from(number).ok().and_then(|number| number.checked_sub(1));
    *at.and_then(|at| fields.get_mut(at)).ok_or(Error::InvalidSession)? = Some(value);
    Ok(())
}

fn uint32(value: Option<Value<'_>>) -> Result<u32, Error> {
    value.map_or(Ok(0), Value::uint32)
}

fn secret(value: Option<Value<'_>>) -> Result<Secret<32>, Error> {
    let bytes = value.ok_or(Error::InvalidSession)?.bytes()?;
    Secret::from_slice(bytes).ok_or(Error::InvalidSession)
}

fn public_key(value: Option<Value<'_>>) -> Result<PublicKey, Error> {
    let bytes = value.ok_or(Error::InvalidSession)?.bytes()?;
    bytes.try_into().map(PublicKey::from_raw).map_err(|_| Error::InvalidSession)
}
