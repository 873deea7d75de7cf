//! Ops on sender keys. `distributionId` names a key of today's form, `groupId` one of the older form; a
//! message of neither field is of today's form.

use prost::Message;
use sandi::group::{Distribution, SenderKeyRecord};
use sandi::migrate::official;
use sandi::wire::{SenderKeyDistributionMessage, SenderKeyMessage};
use sandi::{Error, GroupDialect, ServiceId};
use sandi_interop::json::{b64, b64_or_null};
use serde_json::{Value, json};

use crate::failure::Failure;
use crate::party::sender_keys;
use crate::request::Request;
use crate::{Reply, Server};

pub(crate) const OPS: &[&str] = &[
    "group.createDistribution",
    "group.processDistribution",
    "group.inspectDistribution",
    "group.encrypt",
    "group.decrypt",
    "group.inspect",
    "group.verify",
];

/// Whether an op is one on sender keys; those on stored records are told by their kind.
pub(crate) fn takes(op: &str, request: &Request<'_>) -> bool {
    OPS.contains(&op) || op.starts_with("record.") && request.value("kind") == "senderKey"
}

pub(crate) fn run(server: &mut Server, op: &str, request: &Request<'_>) -> Reply {
    match op {
        "group.inspectDistribution" => {
            let bytes = request.bytes("bytes")?;
            return told(&parse_distribution(request, &bytes)?);
        }
        "group.inspect" => {
            let bytes = request.bytes("bytes")?;
            let message = SenderKeyMessage::parse(dialect(request), &bytes)?;
            return Ok(json!({
                "versionByte": message.version_byte(), "version": message.version(),
                "keyId": message.chain_id(), "iteration": message.iteration(),
                "ciphertext": b64(message.ciphertext()), "signature": b64(message.signature()),
            }));
        }
        "group.verify" => {
            let (bytes, key) = (request.bytes("bytes")?, request.public_key("signingKey")?);
            let message = SenderKeyMessage::parse(dialect(request), &bytes)?;
            return Ok(json!({"valid": message.verify(&key)}));
        }
        "record.inspect" => return inspect(&request.bytes("bytes")?),
        _ => {}
    }
    let sender = match op {
        "group.processDistribution" | "group.decrypt" => Some(server.peer(request, "sender")?),
        "record.get" | "record.put" | "record.delete" => {
            let field = if request.value("sender").is_null() { "peer" } else { "sender" };
            Some(server.peer(request, field)?)
        }
        _ => None,
    };
    let (party, rng) = server.party(request.text("party")?)?;
    let sender = sender.unwrap_or_else(|| party.address().clone());
    match op {
        "group.createDistribution" => {
            let by = distribution(request)?;
            let mut record = party.sender_key(&by, &sender)?.unwrap_or_default();
            let bytes = record.create_distribution(&by, rng)?;
            party.save_sender_key(&by, &sender, record, rng)?;
            let mut reply = told(&parse_distribution(request, &bytes)?)?;
            reply["bytes"] = b64(&bytes);
            Ok(reply)
        }
        "group.processDistribution" => {
            let bytes = request.bytes("bytes")?;
            let message = parse_distribution(request, &bytes)?;
            let by = named(request, message.distribution_id())?;
            let mut record = party.sender_key(&by, &sender)?.unwrap_or_default();
            record.process_distribution(&message);
            party.save_sender_key(&by, &sender, record, rng)?;
            told(&message)
        }
        "group.encrypt" => {
            let (by, plaintext) = (distribution(request)?, request.bytes("plaintext")?);
            let record = party.sender_key(&by, &sender)?;
            let mut record = record.ok_or(Error::NoSenderKeyState)?;
            let bytes = record.encrypt(&by, &plaintext, rng).map_err(refusal)?;
            party.save_sender_key(&by, &sender, record, rng)?;
            Ok(json!({"type": "senderkey", "typeNumber": 7, "bytes": b64(&bytes)}))
        }
        "group.decrypt" => {
            let bytes = request.bytes("bytes")?;
            let message = SenderKeyMessage::parse(dialect(request), &bytes)?;
            let by = named(request, message.distribution_id())?;
            let record = party.sender_key(&by, &sender)?;
            let mut record = record.ok_or(Error::NoSenderKeyState)?;
            let plaintext = record.decrypt(&message).map_err(refusal)?;
            party.save_sender_key(&by, &sender, record, rng)?;
            Ok(json!({"plaintext": b64(&plaintext)}))
        }
        "record.get" => {
            let record = party.sender_key(&distribution(request)?, &sender)?;
            let bytes = record.as_ref().map(official::encode_sender_key);
            Ok(json!({"bytes": b64_or_null(bytes.as_ref().map(|bytes| bytes.as_slice()))}))
        }
        "record.put" => {
            let record = official::decode_sender_key(&request.bytes("bytes")?)?;
            // by way of sandi's own stored form
            let record = SenderKeyRecord::decode(&record.encode())?;
            let by = distribution(request)?;
            party.delete_record(by.sender_key(&sender))?;
            party.save_sender_key(&by, &sender, record, rng)?;
            Ok(json!({}))
        }
        "record.delete" => {
            let key = distribution(request)?.sender_key(&sender);
            Ok(json!({"deleted": party.delete_record(key)?}))
        }
        "record.list" => {
            let keys = party.keys()?;
            let names = sender_keys(&keys).map(|(by, sender)| format!("{sender} {by:?}"));
            Ok(json!({"keys": names.collect::<Vec<_>>()}))
        }
        _ => Err(Failure::bad_request(op)),
    }
}

/// What the official library calls the same: the chain's end is an `InvalidState`.
fn refusal(error: Error) -> Failure {
    match error {
        Error::ChainExhausted => Error::InvalidState.into(),
        error => error.into(),
    }
}

fn dialect(request: &Request<'_>) -> GroupDialect {
    if request.value("groupId").is_null() {
        GroupDialect::Distribution
    } else {
        GroupDialect::GroupId
    }
}

/// What a request names.
fn distribution(request: &Request<'_>) -> Result<Distribution, Failure> {
    if dialect(request) == GroupDialect::GroupId {
        return Ok(Distribution::Group(request.text("groupId")?.to_owned()));
    }
    let id = ServiceId::parse(request.text("distributionId")?)?;
    Ok(Distribution::Id(*id.uuid()))
}

/// What a message names, or the request beside it.
fn named(request: &Request<'_>, id: Option<&[u8; 16]>) -> Result<Distribution, Failure> {
    id.map_or_else(|| distribution(request), |id| Ok(Distribution::Id(*id)))
}

fn parse_distribution<'m>(
    request: &Request<'_>,
    bytes: &'m [u8],
) -> Result<SenderKeyDistributionMessage<'m>, Error> {
    SenderKeyDistributionMessage::parse(dialect(request), bytes)
}

/// The fields of a distribution message.
fn told(message: &SenderKeyDistributionMessage<'_>) -> Reply {
    let mut reply = json!({
        "chainId": message.chain_id(), "iteration": message.iteration(),
        "chainKey": b64(message.chain_key().expose()),
    });
    match message.distribution_id() {
        Some(id) => reply["distributionId"] = ServiceId::aci(*id).to_string().into(),
        None => {
            reply["keyId"] = message.chain_id().into();
            reply["signingKey"] = b64(&message.signing_key().encode());
        }
    }
    Ok(reply)
}

/// An official record as its protobuf shows it.
#[derive(Clone, PartialEq, Message)]
struct Record {
    #[prost(message, repeated, tag = "1")]
    states: Vec<State>,
}

#[derive(Clone, PartialEq, Message)]
struct State {
    #[prost(uint32, tag = "1")]
    chain_id: u32,
    #[prost(message, optional, tag = "2")]
    chain_key: Option<Seed>,
    #[prost(message, optional, tag = "3")]
    signing_key: Option<SigningKey>,
    #[prost(message, repeated, tag = "4")]
    skipped: Vec<Seed>,
    #[prost(uint32, tag = "5")]
    message_version: u32,
}

#[derive(Clone, PartialEq, Message)]
struct Seed {
    #[prost(uint32, tag = "1")]
    iteration: u32,
    #[prost(bytes = "vec", tag = "2")]
    seed: Vec<u8>,
}

#[derive(Clone, PartialEq, Message)]
struct SigningKey {
    #[prost(bytes = "vec", tag = "1")]
    public: Vec<u8>,
    #[prost(bytes = "vec", tag = "2")]
    private: Vec<u8>,
}

/// The fields of a stored sender key, and what encoding it again gives.
fn inspect(bytes: &[u8]) -> Reply {
    let again = official::encode_sender_key(&official::decode_sender_key(bytes)?);
    let record = Record::decode(again.as_slice()).map_err(|_| Error::InvalidSenderKeySession)?;
    let show = |state: &State| -> Value {
        let chain_key = state.chain_key.clone().unwrap_or_default();
        let signing_key = state.signing_key.clone().unwrap_or_default();
        json!({
            "messageVersion": state.message_version, "chainId": state.chain_id,
            "iteration": chain_key.iteration, "chainKey": b64(&chain_key.seed),
            "signingPublic": b64(&signing_key.public),
            "hasSigningPrivate": !signing_key.private.is_empty(),
            "skippedKeys": state.skipped.len(),
        })
    };
    let states: Vec<_> = record.states.iter().map(show).collect();
    Ok(json!({"reserialized": b64(&again), "states": states}))
}
