//! A session record: several sessions, of which one is open (spec 20 §4).

use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::vec::Vec;

use serde::de::IgnoredAny;
use serde_json::value::RawValue;

use super::json::{Bytes, Entries, Number, object};
use super::keys::KeyPairJson;
use crate::dialect::{Dialect, MAX_MESSAGE_KEYS, MAX_RECEIVER_CHAINS};
use crate::error::Error;
use crate::keys::{IdentityKey, PublicKey};
use crate::ratchet::skipped_keys::Skipped;
use crate::ratchet::{
    ChainKey, DoubleRatchet, MessageSecret, ReceiverChain, RootKey, SenderChain, SkippedKeys,
};
use crate::secret::Secret;
use crate::session::pending::PendingPreKey;
use crate::session::state::State;
use crate::session::{LocalDevice, Session, Slot};
use crate::spqr::Spqr;
use crate::store::pages::Bookkeeping;

/// The one version of records that is read.
const VERSION: &str = r#""v1""#;
/// `chainType` of the chain that sends.
const SENDING: Number = Number::ONE;

/// What [`decode_session`] read.
#[derive(Debug, PartialEq, Eq)]
pub struct DecodedSession {
    /// The open session as the current one, and the closed ones as archived, last closed first.
    pub session: Session,
    /// How many sessions of the record were corrupt and left out.
    pub unreadable: usize,
}

/// Reads the record of one peer device, `{"_sessions": {...}, "version": "v1"}`.
///
/// `local` is the device that the record belongs to: these records do not say. The sessions speak
/// [`Dialect::V3`]. A session that is corrupt is left out and counted, and the others stay usable.
///
/// # Errors
///
/// [`Error::InvalidSession`] when the record itself is not of that form, or not of version `v1`.
pub fn decode_session(json: &[u8], local: LocalDevice<'_>) -> Result<DecodedSession, Error> {
    let fields: Entries<&str, &RawValue> =
        serde_json::from_slice(json).map_err(|_| Error::InvalidSession)?;
    let field =
        |wanted| fields.0.iter().find_map(|(name, json)| (*name == wanted).then(|| json.get()));
    let record = field("_sessions").zip(field("version"));
    let (sessions, version) = record.ok_or(Error::InvalidSession)?;
    let entries: Entries<IgnoredAny, &RawValue> =
        serde_json::from_str(sessions).map_err(|_| Error::InvalidSession)?;
    if version != VERSION {
        return Err(Error::InvalidSession);
    }
    let (mut sessions, mut unreadable) = (Vec::new(), 0_usize);
    for (_, json) in entries.0 {
        match read_session(json, local) {
            Ok(session) => sessions.push(session),
            Err(_) => unreadable = unreadable.saturating_add(1),
        }
    }
    // Open before closed, then the last closed first, then the last used: the order in which sandi tries.
    sessions
        .sort_by_key(|session| core::cmp::Reverse((session.open, session.closed, session.used)));
    let mut slots: VecDeque<Slot> = VecDeque::with_capacity(sessions.len());
    let has_current = sessions.first().is_some_and(|session| session.open);
    slots.extend(sessions.into_iter().map(|session| Slot::Usable(session.state)));
    let current = if has_current { slots.pop_front() } else { None };
    // only the current session offers its pre-key data (spec 04 §7)
    for slot in &mut slots {
        if let Slot::Usable(state) = slot {
            state.pending = None;
        }
    }
    Ok(DecodedSession { session: Session::from_slots(current, slots), unreadable })
}

object! { SessionJson {
    registration_id: Option<Number> = "registrationId",
    current_ratchet: RatchetJson = "currentRatchet",
    index_info: IndexInfoJson = "indexInfo",
    chains: Entries<Bytes, Box<ChainJson>> = "_chains",
    pending_pre_key: Option<PendingJson> = "pendingPreKey",
} }

object! { RatchetJson {
    ephemeral_key_pair: KeyPairJson = "ephemeralKeyPair",
    last_remote_ephemeral_key: Option<Bytes> = "lastRemoteEphemeralKey",
    previous_counter: Option<Number> = "previousCounter",
    root_key: Bytes = "rootKey",
} }

object! {
    /// Which session it is, and when it was made, used and closed (ms since the epoch; -1 for not).
    IndexInfoJson {
        base_key: Bytes = "baseKey",
        closed: Option<Number> = "closed",
        used: Option<Number> = "used",
        created: Option<Number> = "created",
        remote_identity_key: Bytes = "remoteIdentityKey",
    }
}

object! { ChainJson {
    chain_key: ChainKeyJson = "chainKey",
    chain_type: Number = "chainType",
    // message seeds by counter
    message_keys: Entries<u32, Box<Bytes>> = "messageKeys",
} }

object! {
    /// The counter of the last message, -1 for none, and the key of the next; a closed chain has none.
    ChainKeyJson {
        counter: Number = "counter",
        key: Option<Bytes> = "key",
    }
}

object! { PendingJson {
    signed_key_id: Number = "signedKeyId",
    pre_key_id: Option<Number> = "preKeyId",
} }

struct Read {
    open: bool,
    closed: Number,
    used: Number,
    state: Box<State>,
}

fn read_session(json: &RawValue, local: LocalDevice<'_>) -> Result<Read, Error> {
    let json: SessionJson = serde_json::from_str(json.get()).map_err(|_| Error::InvalidSession)?;
    let (ratchet, index) = (json.current_ratchet, json.index_info);
    let id = |number: Number| number.u32().ok_or(Error::InvalidSession);
    let registration_id = json.registration_id.unwrap_or(Number::ZERO);
    let created = index.created.unwrap_or(Number::ZERO);
    let pending = match json.pending_pre_key {
        Some(pending) => Some(PendingPreKey {
            pre_key_id: pending.pre_key_id.map(id).transpose()?,
            signed_pre_key_id: id(pending.signed_key_id)?,
            created_secs: created.saturating_u64() / 1000,
            kem: None,
        }),
        None => None,
    };
    let newest = ratchet.last_remote_ephemeral_key.map(|key| key.public_key()).transpose()?;
    let ratchet_key = ratchet.ephemeral_key_pair.key_pair()?;
    let (mut sender, mut receivers) = (None, Vec::with_capacity(json.chains.0.len()));
    for (key, chain) in json.chains.0 {
        let key = key.public_key()?;
        if chain.chain_type != SENDING {
            receivers.push(read_receiver(key, &chain)?);
        } else if key == *ratchet_key.public_key() {
            sender = Some(chain);
        }
    }
    let sender = sender.ok_or(Error::InvalidSession)?;
    let chain_key = read_chain_key(&sender.chain_key)?.ok_or(Error::InvalidSession)?;
    let closed = index.closed.unwrap_or(Number::MINUS_ONE);
    let state = State {
        dialect: Dialect::V3,
        local_identity: *local.identity.identity_key(),
        remote_identity: IdentityKey::new(index.remote_identity_key.public_key()?),
        local_registration_id: local.registration_id,
        remote_registration_id: id(registration_id)?,
        base_key: index.base_key.public_key()?,
        pending,
        ratchet: DoubleRatchet {
            root_key: Some(RootKey::new(ratchet.root_key.secret().ok_or(Error::InvalidSession)?)),
            sender: Some(SenderChain { ratchet_key, chain_key }),
            receivers: newest_receivers(receivers, newest),
            // -1 where the chain before had sent nothing
            previous_counter: ratchet.previous_counter.and_then(Number::u32).unwrap_or(0),
            dropped: Bookkeeping::default(),
        },
        spqr: Spqr::off(),
    };
    Ok(Read {
        open: closed == Number::MINUS_ONE,
        closed,
        used: index.used.unwrap_or(Number::ZERO),
        state: Box::new(state),
    })
}

/// The chain key of the next message; `None` for a closed chain.
fn read_chain_key(json: &ChainKeyJson) -> Result<Option<ChainKey>, Error> {
    let index = json.counter.next_u32().ok_or(Error::InvalidSession)?;
    let Some(key) = &json.key else { return Ok(None) };
    let key = key.secret().ok_or(Error::InvalidSession)?;
    Ok(Some(ChainKey::new(key, index)))
}

fn read_receiver(ratchet_key: PublicKey, json: &ChainJson) -> Result<ReceiverChain, Error> {
    // A closed chain has no key any more, only those of messages that were skipped. To sandi that is a
    // chain at its last index: an earlier message has a key, or was seen before (spec 04 §4 step 3).
    let chain_key =
        read_chain_key(&json.chain_key)?.unwrap_or_else(|| ChainKey::new(Secret::zero(), u32::MAX));
    let mut entries: Vec<_> = json.message_keys.0.iter().collect();
    entries.retain(|(counter, _)| *counter < chain_key.index());
    entries.sort_by_key(|(counter, _)| *counter);
    entries.dedup_by_key(|(counter, _)| *counter);
    let excess = entries.len().saturating_sub(MAX_MESSAGE_KEYS);
    let mut skipped = Vec::with_capacity(entries.len().saturating_sub(excess));
    for (counter, seed) in entries.into_iter().skip(excess) {
        let seed = seed.secret().ok_or(Error::InvalidSession)?;
        skipped.push(Skipped { counter: *counter, secret: MessageSecret::Seed(seed) });
    }
    let skipped = SkippedKeys::from_entries(skipped).ok_or(Error::InvalidSession)?;
    Ok(ReceiverChain { ratchet_key, chain_key: Some(chain_key), skipped })
}

/// The chains to keep, oldest first: of more than five those go that open no message any more, and then
/// the oldest. The chain of the peer's `newest` ratchet key is last, also where a store has sorted them.
fn newest_receivers(
    mut receivers: Vec<ReceiverChain>,
    newest: Option<PublicKey>,
) -> Vec<ReceiverChain> {
    let is_newest = |chain: &ReceiverChain| newest.as_ref() == Some(&chain.ratchet_key);
    receivers.sort_by_key(is_newest);
    let mut excess = receivers.len().saturating_sub(MAX_RECEIVER_CHAINS);
    for only_closed in [true, false] {
        receivers.retain(|chain| {
            let closed = chain.chain_key.as_ref().is_some_and(|key| key.index() == u32::MAX);
            let goes = excess > 0 && (!only_closed || closed && chain.skipped.entries().is_empty());
            excess = excess.saturating_sub(usize::from(goes));
            !goes
        });
    }
    let mut kept = Vec::with_capacity(MAX_RECEIVER_CHAINS);
    kept.extend(receivers);
    kept
}
