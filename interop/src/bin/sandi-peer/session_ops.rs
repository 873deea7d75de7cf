//! Ops on sessions and stored records.

use prost::Message;
use sandi::keys::{IdentityKey, KeyPair};
use sandi::migrate::{node, official};
use sandi::session::{Requirements, Session};
use sandi::{Address, OsRng, Policy, RecordKey};
use sandi_interop::json::{b64, b64_or_null};
use serde_json::{Value, json};

use crate::failure::Failure;
use crate::party::{
    Party, identity_names, ids, kem_pre_key_id, no_session, pre_key_id, session_names,
    signed_pre_key_id,
};
use crate::request::Request;
use crate::{Reply, Server};

pub(crate) const OPS: &[&str] = &[
    "session.info",
    "session.ratchetKeyMatches",
    "session.archive",
    "session.delete",
    "session.export",
    "session.import",
    "record.get",
    "record.put",
    "record.delete",
    "record.list",
    "record.inspect",
];

impl Server {
    /// The address that `field` names.
    pub(crate) fn peer(&self, request: &Request<'_>, field: &str) -> Result<Address, Failure> {
        let v3 = self.policy == Policy::V3;
        request.address(field, v3, |handle| {
            self.parties.get(handle).map(|party| party.address().clone())
        })
    }
}

pub(crate) fn run(server: &mut Server, op: &str, request: &Request<'_>) -> Reply {
    if let Some(op) = op.strip_prefix("record.") {
        return record(server, op, request);
    }
    let peer = server.peer(request, "peer")?;
    let (party, rng) = server.party(request.text("party")?)?;
    match op {
        "session.info" => {
            let info = party.session(&peer, |session| info(session, request))?;
            Ok(info.unwrap_or_else(|| json!({"exists": false, "hasCurrentState": false})))
        }
        "session.ratchetKeyMatches" => {
            let key = request.public_key("publicKey")?;
            let matches = party.session(&peer, |session| session.current_ratchet_key_matches(&key));
            Ok(json!({ "matches": matches? == Some(true) }))
        }
        "session.archive" => {
            party.session(&peer, |_| ())?.ok_or_else(no_session)?;
            party.device().archive_session(&peer, request.now(), rng)?;
            Ok(json!({}))
        }
        "session.delete" => {
            let deleted = party.device().delete_session(&peer, request.now(), rng)?;
            Ok(json!({ "deleted": deleted }))
        }
        "session.export" => {
            let record = party.session(&peer, official::encode_session)?;
            Ok(json!({"bytes": b64_or_null(record.as_ref().map(|bytes| bytes.as_slice()))}))
        }
        "session.import" => {
            let session = match request.value("record") {
                Value::Null => official::decode_session(&request.bytes("bytes")?)?,
                json => decode_node(json, party)?,
            };
            party.put_session(&peer, session, rng)?;
            Ok(json!({}))
        }
        _ => Err(Failure::bad_request(op)),
    }
}

/// A record of libsignal-node, all of which must be readable.
fn decode_node(json: &Value, party: &Party) -> Result<Session, Failure> {
    let decoded = node::decode_session(json.to_string().as_bytes(), party.local())?;
    if decoded.unreadable > 0 {
        return Err(Failure::new("InvalidSession", "a session of the record is corrupt"));
    }
    Ok(decoded.session)
}

fn record(server: &mut Server, op: &str, request: &Request<'_>) -> Reply {
    let kind = request.text("kind")?;
    if op == "inspect" {
        return inspect(kind, &request.bytes("bytes")?);
    }
    let peer = match (op, kind) {
        ("list", _) => None,
        (_, "session" | "identity") => Some(server.peer(request, "peer")?),
        _ => None,
    };
    let (party, rng) = server.party(request.text("party")?)?;
    if op == "list" {
        let keys = party.keys()?;
        return Ok(match kind {
            "preKey" => json!({"keys": ids(&keys, pre_key_id)}),
            "signedPreKey" => json!({"keys": ids(&keys, signed_pre_key_id)}),
            "kyberPreKey" => json!({"keys": ids(&keys, kem_pre_key_id)}),
            "session" => json!({"keys": session_names(&keys)}),
            "identity" => json!({"keys": identity_names(&keys)}),
            _ => return Err(Failure::new("NotImplemented", format!("no records of kind {kind}"))),
        });
    }
    if let Some(peer) = peer {
        return record_of_peer(party, rng, op, kind, &peer, request);
    }
    let id = request.number("keyId")?;
    let device = party.device();
    let bytes = match (op, kind) {
        ("get", "preKey") => device.pre_key(id)?.as_ref().map(official::encode_pre_key),
        ("get", "signedPreKey") => {
            device.signed_pre_key(id)?.as_ref().map(official::encode_signed_pre_key)
        }
        ("get", "kyberPreKey") => {
            device.kem_pre_key(id)?.map(|kem| official::encode_kem_pre_key(&kem.key))
        }
        ("put", "preKey" | "signedPreKey" | "kyberPreKey") => {
            return put_pre_key(party, rng, kind, id, request);
        }
        ("delete", "preKey") => return deleted(party, RecordKey::PreKey(id)),
        ("delete", "signedPreKey") => return deleted(party, RecordKey::SignedPreKey(id)),
        ("delete", "kyberPreKey") => return deleted(party, RecordKey::KemPreKey(id)),
        _ => return Err(Failure::new("NotImplemented", format!("record.{op} of kind {kind}"))),
    };
    Ok(json!({"bytes": b64_or_null(bytes.as_ref().map(|bytes| bytes.as_slice()))}))
}

/// A pre-key comes in under the id that the request names, as into any store.
fn put_pre_key(
    party: &mut Party,
    rng: &mut OsRng,
    kind: &str,
    id: u32,
    request: &Request<'_>,
) -> Reply {
    let bytes = request.bytes("bytes")?;
    let misnamed = |own: u32| {
        let message = format!("the record is of key {own}, not of {id}");
        if own == id { Ok(()) } else { Err(Failure::bad_request(message)) }
    };
    match kind {
        "preKey" => {
            let key = official::decode_pre_key(&bytes)?;
            misnamed(key.id())?;
            party.put_pre_key(&key, rng)?;
        }
        "signedPreKey" => {
            let key = official::decode_signed_pre_key(&bytes)?;
            misnamed(key.id())?;
            party.put_signed_pre_key(&key, rng)?;
        }
        _ => {
            let key = official::decode_kem_pre_key(&bytes)?;
            misnamed(key.id())?;
            party.put_kem_pre_key(&key, request.flag("oneTime", false), rng)?;
        }
    }
    Ok(json!({}))
}

fn deleted(party: &mut Party, key: RecordKey) -> Reply {
    Ok(json!({"deleted": party.delete_record(key)?}))
}

fn record_of_peer(
    party: &mut Party,
    rng: &mut OsRng,
    op: &str,
    kind: &str,
    peer: &Address,
    request: &Request<'_>,
) -> Reply {
    match (op, kind) {
        ("get", "session") => {
            let record = party.session(peer, official::encode_session)?;
            Ok(json!({"bytes": b64_or_null(record.as_ref().map(|bytes| bytes.as_slice()))}))
        }
        ("put", "session") => {
            let session = official::decode_session(&request.bytes("bytes")?)?;
            party.put_session(peer, session, rng)?;
            Ok(json!({}))
        }
        ("delete", "session") => {
            let deleted = party.device().delete_session(peer, request.now(), rng)?;
            Ok(json!({ "deleted": deleted }))
        }
        ("get", "identity") => {
            let key = party.known(peer)?.map(|key| key.encode());
            Ok(json!({"bytes": b64_or_null(key.as_ref().map(|key| key.as_slice()))}))
        }
        ("put", "identity") => {
            let key = IdentityKey::decode(&request.bytes("bytes")?)?;
            party.device().accept_identity(peer, &key, request.now(), rng)?;
            Ok(json!({}))
        }
        ("delete", "identity") => {
            let (name, device) = (peer.name().to_owned(), Some(peer.device()));
            deleted(party, RecordKey::Identity { name, device })
        }
        _ => Err(Failure::bad_request(op)),
    }
}

/// The fields of a record of a key, and what encoding it again gives.
fn inspect(kind: &str, bytes: &[u8]) -> Reply {
    let show_pair = |pair: &KeyPair, id: u32, reserialized: &[u8]| {
        json!({
            "reserialized": b64(reserialized),
            "keyId": id,
            "publicKey": b64(&pair.public_key().encode()),
            "privateKey": b64(pair.private_key().secret().expose()),
        })
    };
    let mut shown;
    let (signature, created) = match kind {
        "preKey" => {
            let key = official::decode_pre_key(bytes)?;
            return Ok(show_pair(key.key_pair(), key.id(), &official::encode_pre_key(&key)));
        }
        "signedPreKey" => {
            let key = official::decode_signed_pre_key(bytes)?;
            shown = show_pair(key.key_pair(), key.id(), &official::encode_signed_pre_key(&key));
            (*key.signature(), key.created())
        }
        "kyberPreKey" => {
            let key = official::decode_kem_pre_key(bytes)?;
            let secret = key.key_pair().secret_key();
            let secret =
                [&[secret.kem_type().byte()], secret.secret().expose().as_slice()].concat();
            shown = json!({
                "reserialized": b64(&official::encode_kem_pre_key(&key)),
                "keyId": key.id(),
                "publicKey": b64(&key.key_pair().public_key().encode()),
                "secretKey": b64(&secret),
            });
            (*key.signature(), key.created())
        }
        _ => {
            return Err(Failure::new("NotImplemented", format!("record.inspect of kind {kind}")));
        }
    };
    shown["signature"] = b64(&signature);
    shown["timestamp"] = created.as_millis().into();
    Ok(shown)
}

// What `session.info` shows of a session, read from its official record (spec 08 §1).

#[derive(Clone, PartialEq, Message)]
struct RecordFields {
    #[prost(message, optional, tag = "1")]
    current: Option<StateFields>,
    #[prost(message, repeated, tag = "2")]
    archived: Vec<StateFields>,
}

#[derive(Clone, PartialEq, Message)]
struct StateFields {
    #[prost(uint32, tag = "1")]
    version: u32,
    #[prost(uint32, tag = "5")]
    previous_counter: u32,
    #[prost(message, optional, tag = "6")]
    sender: Option<ChainFields>,
    #[prost(message, repeated, tag = "7")]
    receivers: Vec<ChainFields>,
    #[prost(message, optional, tag = "9")]
    pending: Option<PendingFields>,
    #[prost(bytes = "vec", tag = "13")]
    base_key: Vec<u8>,
    #[prost(bytes = "vec", tag = "15")]
    spqr: Vec<u8>,
}

#[derive(Clone, PartialEq, Message)]
struct ChainFields {
    #[prost(bytes = "vec", tag = "1")]
    ratchet_key: Vec<u8>,
    #[prost(message, optional, tag = "3")]
    chain_key: Option<ChainKeyFields>,
    #[prost(message, repeated, tag = "4")]
    skipped: Vec<SkippedFields>,
}

#[derive(Clone, PartialEq, Message)]
struct ChainKeyFields {
    #[prost(uint32, tag = "1")]
    index: u32,
}

#[derive(Clone, PartialEq, Message)]
struct SkippedFields {
    #[prost(uint32, tag = "1")]
    counter: u32,
}

#[derive(Clone, PartialEq, Message)]
struct PendingFields {
    #[prost(uint32, optional, tag = "1")]
    pre_key_id: Option<u32>,
    #[prost(int32, tag = "3")]
    signed_pre_key_id: i32,
    #[prost(uint64, tag = "4")]
    created: u64,
}

fn info(session: &Session, request: &Request<'_>) -> Value {
    let record = official::encode_session(session);
    let fields = RecordFields::decode(record.as_slice()).unwrap_or_default();
    // The official query asks for all three since 0.100 (spec 04 §7.1); that of a party without SPQR
    // or without PQXDH asks for what its sessions can have.
    let usable = session
        .is_usable(Requirements { not_stale: true, ..Requirements::default() }, request.now());
    json!({
        "exists": true,
        "hasCurrentState": usable,
        "sessionVersion": session.session_version(),
        "remoteRegistrationId": session.remote_registration_id(),
        "localRegistrationId": session.local_registration_id(),
        "current": fields.current.as_ref().map(show_state),
        "previousSessions": fields.archived.iter().map(show_state).collect::<Vec<_>>(),
        "recordLength": record.len(),
    })
}

fn show_state(state: &StateFields) -> Value {
    let chain = |chain: &ChainFields| {
        json!({
            "ratchetKey": b64(&chain.ratchet_key),
            "index": chain.chain_key.as_ref().map_or(0, |key| key.index),
            "skipped": chain.skipped.iter().map(|key| key.counter).collect::<Vec<_>>(),
        })
    };
    json!({
        "sessionVersion": state.version,
        "previousCounter": state.previous_counter,
        "senderChain": state.sender.as_ref().map(chain),
        "receiverChains": state.receivers.iter().map(chain).collect::<Vec<_>>(),
        "pendingPreKey": state.pending.as_ref().map(|pending| json!({
            "preKeyId": pending.pre_key_id,
            "signedPreKeyId": pending.signed_pre_key_id,
            "timestamp": pending.created,
        })),
        "baseKey": b64(&state.base_key),
        "aliceBaseKey": b64(&state.base_key),
        "pqRatchetStateLength": state.spqr.len(),
    })
}
