//! SessionRecord and SessionStructure (spec 08 §1).

use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::vec::Vec;

use zeroize::Zeroizing;

use super::chain;
use crate::dialect::{Dialect, MAX_RECEIVER_CHAINS};
use crate::error::Error;
use crate::keys::{IdentityKey, KemCiphertext, PublicKey};
use crate::ratchet::{DoubleRatchet, RootKey};
use crate::secret::Secret;
use crate::session::pending::PendingPreKey;
use crate::session::state::State;
use crate::session::{Session, Slot};
use crate::spqr::Spqr;
use crate::store::pages::Bookkeeping;
use crate::wire::reader::Reader;
use crate::wire::writer::{self, Writer};

/// Reads a SessionRecord. Empty bytes are a record without sessions.
///
/// A session that is corrupt, or of an unknown version, is kept as it is: it matches no message, and the
/// record's other sessions stay usable.
///
/// # Errors
///
/// [`Error::InvalidSession`] when the record itself, or its current session, is not a protobuf.
pub fn decode_session(bytes: &[u8]) -> Result<Session, Error> {
    let (mut current, mut archived) = (None, VecDeque::new());
    for field in Reader::new(bytes) {
        match field.map_err(|_| Error::InvalidSession)? {
            (1, value) => {
                let bytes = value.bytes().map_err(|_| Error::InvalidSession)?;
                if Reader::new(bytes).any(|field| field.is_err()) {
                    return Err(Error::InvalidSession);
                }
                current = Some(read_slot(bytes));
            }
            (2, value) => {
                archived.push_back(read_slot(value.bytes().map_err(|_| Error::InvalidSession)?));
            }
            _ => {}
        }
    }
    Ok(Session::from_slots(current, archived))
}

/// Writes a SessionRecord: about 2.1 kB for a session nobody has answered, 0.5 to 6.5 kB for a running
/// one, 40 bytes a skipped key, and as much again for each archived session.
#[must_use]
pub fn encode_session(session: &Session) -> Zeroizing<Vec<u8>> {
    // Each state is encoded once, into a buffer of its exact size; the record is then joined.
    let encode = |slot: &Slot| match slot {
        Slot::Usable(state) => {
            let spqr = Zeroizing::new(state.spqr.export_official());
            Zeroizing::new(writer::encode(|w| write_state(w, state, &spqr)))
        }
        Slot::Unusable(bytes) => bytes.clone(),
    };
    let current = session.current_slot().map(encode);
    let archived: Vec<_> = session.archived_slots().map(encode).collect();
    Zeroizing::new(writer::encode(|w| {
        w.bytes_option(1, current.as_ref().map(|bytes| bytes.as_slice()));
        for state in &archived {
            w.bytes(2, state);
        }
    }))
}

fn read_slot(bytes: &[u8]) -> Slot {
    match read_state(bytes) {
        Ok(state) => Slot::Usable(Box::new(state)),
        Err(_) => Slot::Unusable(Zeroizing::new(bytes.to_vec())),
    }
}

/// The fields of a SessionStructure; absent ones read as 0 and empty.
#[derive(Default)]
struct Fields<'a> {
    version: u32,
    local_identity: &'a [u8],
    remote_identity: &'a [u8],
    root_key: &'a [u8],
    previous_counter: u32,
    sender: Option<&'a [u8]>,
    receivers: Vec<&'a [u8]>,
    pending: Option<&'a [u8]>,
    remote_registration_id: u32,
    local_registration_id: u32,
    base_key: &'a [u8],
    pending_kem: Option<&'a [u8]>,
    spqr: &'a [u8],
}

impl<'a> Fields<'a> {
    fn read(bytes: &'a [u8]) -> Result<Self, Error> {
        let mut fields = Self::default();
        for field in Reader::new(bytes) {
            match field? {
                (1, value) => fields.version = value.uint32()?,
                (2, value) => fields.local_identity = value.bytes()?,
                (3, value) => fields.remote_identity = value.bytes()?,
                (4, value) => fields.root_key = value.bytes()?,
                (5, value) => fields.previous_counter = value.uint32()?,
                (6, value) => fields.sender = Some(value.bytes()?),
                (7, value) => fields.receivers.push(value.bytes()?),
                (9, value) => fields.pending = Some(value.bytes()?),
                (10, value) => fields.remote_registration_id = value.uint32()?,
                (11, value) => fields.local_registration_id = value.uint32()?,
                (13, value) => fields.base_key = value.bytes()?,
                (14, value) => fields.pending_kem = Some(value.bytes()?),
                (15, value) => fields.spqr = value.bytes()?,
                _ => {}
            }
        }
        Ok(fields)
    }
}

fn read_state(bytes: &[u8]) -> Result<State, Error> {
    let fields = Fields::read(bytes)?;
    let spqr = Spqr::import_official(fields.spqr).map_err(|_| Error::InvalidState)?;
    let dialect = match fields.version {
        3 => Dialect::V3,
        4 if spqr.is_off() => Dialect::V4WithoutSpqr,
        4 => Dialect::V4,
        _ => return Err(Error::InvalidSession),
    };
    let mut receivers = Vec::with_capacity(MAX_RECEIVER_CHAINS);
    // oldest first; of more than five, the newest five
    let excess = fields.receivers.len().saturating_sub(MAX_RECEIVER_CHAINS);
    for bytes in fields.receivers.iter().skip(excess) {
        receivers.extend(chain::read_receiver(bytes)?);
    }
    Ok(State {
        dialect,
        local_identity: IdentityKey::decode(fields.local_identity)?,
        remote_identity: IdentityKey::decode(fields.remote_identity)?,
        local_registration_id: fields.local_registration_id,
        remote_registration_id: fields.remote_registration_id,
        base_key: PublicKey::decode(fields.base_key)?,
        pending: read_pending(fields.pending, fields.pending_kem)?,
        ratchet: DoubleRatchet {
            root_key: Secret::from_slice(fields.root_key).map(RootKey::new),
            sender: fields.sender.map(chain::read_sender).transpose()?.flatten(),
            receivers,
            previous_counter: fields.previous_counter,
            dropped: Bookkeeping::default(),
        },
        spqr,
    })
}

/// PendingPreKey and PendingKyberPreKey (spec 08 §1.3).
fn read_pending(
    pending: Option<&[u8]>,
    pending_kem: Option<&[u8]>,
) -> Result<Option<PendingPreKey>, Error> {
    let Some(pending) = pending else { return Ok(None) };
    let (mut pre_key_id, mut signed_pre_key_id, mut created_secs) = (None, 0, 0);
    for field in Reader::new(pending) {
        match field? {
            (1, value) => pre_key_id = Some(value.uint32()?),
            // an int32 whose bits are those of the id: the low 32 of a sign-extended varint
            (3, value) => signed_pre_key_id = value.uint32()?,
            (4, value) => created_secs = value.uint64()?,
            _ => {}
        }
    }
    let kem = pending_kem.map(read_pending_kem).transpose()?;
    Ok(Some(PendingPreKey { pre_key_id, signed_pre_key_id, created_secs, kem }))
}

fn read_pending_kem(bytes: &[u8]) -> Result<(u32, KemCiphertext), Error> {
    let (mut id, mut ciphertext): (u32, &[u8]) = (0, &[]);
    for field in Reader::new(bytes) {
        match field? {
            (1, value) => id = value.uint32()?,
            (2, value) => ciphertext = value.bytes()?,
            _ => {}
        }
    }
    Ok((id, KemCiphertext::decode(ciphertext)?))
}

fn write_state(w: &mut Writer<'_>, state: &State, spqr: &[u8]) {
    w.uint_nonzero(1, state.version());
    w.bytes(2, &state.local_identity.encode());
    w.bytes(3, &state.remote_identity.encode());
    if let Some(root) = &state.ratchet.root_key {
        w.bytes(4, root.secret().expose());
    }
    w.uint_nonzero(5, state.ratchet.previous_counter);
    if let Some(sender) = &state.ratchet.sender {
        w.message(6, |w| chain::write_sender(w, sender));
    }
    for receiver in &state.ratchet.receivers {
        w.message(7, |w| chain::write_receiver(w, receiver));
    }
    if let Some(pending) = &state.pending {
        w.message(9, |w| {
            w.uint_option(1, pending.pre_key_id);
            w.bytes(2, &state.base_key.encode());
            w.uint_nonzero(3, sign_extend(pending.signed_pre_key_id));
            w.uint_nonzero(4, pending.created_secs);
        });
    }
    w.uint_nonzero(10, state.remote_registration_id);
    w.uint_nonzero(11, state.local_registration_id);
    w.bytes(13, &state.base_key.encode());
    if let Some((id, ciphertext)) = state.pending.as_ref().and_then(|p| p.kem.as_ref()) {
        w.message(14, |w| {
            w.uint_nonzero(1, *id);
            w.bytes(2, &ciphertext.encode());
        });
    }
    w.bytes_nonempty(15, spqr);
}

/// How an `int32` field writes a u32 whose bits it holds.
fn sign_extend(id: u32) -> u64 {
    i64::from(id.cast_signed()).cast_unsigned()
}
