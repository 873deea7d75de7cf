//! Ops on messages: encrypt, decrypt, inspect, build, decryption errors.

use sandi::session::{Addresses, PreKeys};
use sandi::wire::{
    CiphertextMessageType, DecryptionErrorMessage, MAC_LENGTH, PlaintextContent,
    PreKeySignalMessage, SignalMessage, SignalMessageFields,
};
use sandi::{Address, OsRng, Policy, Timestamp};
use sandi_interop::json::{b64, b64_or_null};
use serde_json::{Value, json};

use crate::failure::Failure;
use crate::party::{Direction, Party};
use crate::request::Request;
use crate::{Reply, Server};

pub(crate) const OPS: &[&str] = &[
    "encrypt",
    "decrypt",
    "message.inspect",
    "message.build",
    "dem.create",
    "dem.inspect",
    "dem.extract",
    "plaintextContent.fromDem",
    "plaintextContent.inspect",
];

pub(crate) fn run(server: &mut Server, op: &str, request: &Request<'_>) -> Reply {
    match op {
        "encrypt" => {
            let peer = server.peer(request, "peer")?;
            let (party, rng) = server.party(request.text("party")?)?;
            encrypt(party, rng, &peer, request)
        }
        "decrypt" => {
            let (peer, policy) = (server.peer(request, "peer")?, server.policy);
            let kind = message_type(request)?;
            let bytes = request.bytes("bytes")?;
            let (party, rng) = server.party(request.text("party")?)?;
            let plaintext = decrypt(party, rng, policy, &peer, kind, &bytes)?;
            Ok(json!({"plaintext": b64(&plaintext)}))
        }
        "message.inspect" => {
            let bytes = request.bytes("bytes")?;
            match message_type(request)? {
                CiphertextMessageType::Signal => Ok(inspect_signal(&SignalMessage::parse(&bytes)?)),
                CiphertextMessageType::PreKey => {
                    Ok(inspect_pre_key(&PreKeySignalMessage::parse(&bytes)?))
                }
                _ => Err(Failure::new("NotImplemented", "only session messages are inspected")),
            }
        }
        "message.build" => build(request),
        "dem.create" => {
            let message = DecryptionErrorMessage::for_original(
                &request.bytes("bytes")?,
                message_type(request)?,
                Timestamp(request.long("timestamp")?),
                request.number("deviceId")?,
            )?;
            let mut shown = show_error(&message);
            shown["bytes"] = b64(&message.encode());
            shown["plaintextContent"] = b64(&PlaintextContent::encode(&message));
            Ok(shown)
        }
        "dem.inspect" => Ok(show_error(&DecryptionErrorMessage::parse(&request.bytes("bytes")?)?)),
        "dem.extract" => {
            // the body of a PlaintextContent is what follows its first byte
            let content = [&[0xC0], request.bytes("body")?.as_slice()].concat();
            let message = PlaintextContent::parse(&content)?.decryption_error_message()?;
            let mut shown = show_error(&message);
            shown["bytes"] = b64(&message.encode());
            Ok(shown)
        }
        "plaintextContent.fromDem" => {
            let message = DecryptionErrorMessage::parse(&request.bytes("bytes")?)?;
            Ok(json!({"bytes": b64(&PlaintextContent::encode(&message))}))
        }
        "plaintextContent.inspect" => {
            let bytes = request.bytes("bytes")?;
            let content = PlaintextContent::parse(&bytes)?;
            Ok(json!({"body": b64(content.body()), "reserialized": b64(content.as_bytes())}))
        }
        _ => Err(Failure::bad_request(op)),
    }
}

pub(crate) fn message_type(request: &Request<'_>) -> Result<CiphertextMessageType, Failure> {
    let value = request.value("type");
    let code = match value.as_str() {
        Some("whisper") => 2,
        Some("prekey") => 3,
        Some("senderkey") => 7,
        Some("plaintext") => 8,
        _ => value.as_u64().and_then(|code| u8::try_from(code).ok()).unwrap_or_default(),
    };
    CiphertextMessageType::from_code(code)
        .ok_or_else(|| Failure::bad_request("type is missing or unknown"))
}

pub(crate) const fn type_name(message_type: CiphertextMessageType) -> &'static str {
    match message_type {
        CiphertextMessageType::Signal => "whisper",
        CiphertextMessageType::PreKey => "prekey",
        CiphertextMessageType::SenderKey => "senderkey",
        CiphertextMessageType::Plaintext => "plaintext",
    }
}

pub(crate) fn encrypt(
    party: &mut Party,
    rng: &mut OsRng,
    peer: &Address,
    request: &Request<'_>,
) -> Reply {
    let (known, trust) = (party.known(peer), party.trust);
    let mut identity = None;
    let session =
        party.sessions.get_mut(peer).ok_or_else(|| Failure::from(sandi::Error::SessionNotFound))?;
    let message = session.encrypt(
        Addresses { local: &party.address, remote: peer },
        &request.bytes("plaintext")?,
        |key| {
            identity = Some(*key);
            trust.accepts(known, key, Direction::Sending)
        },
        request.now(),
        rng,
    )?;
    if let Some(identity) = identity {
        party.save_identity(peer, identity);
    }
    party.event("saveSession", peer.to_string());
    Ok(json!({
        "type": type_name(message.message_type),
        "typeNumber": message.message_type.code(),
        "bytes": b64(&message.bytes),
    }))
}

pub(crate) fn decrypt(
    party: &mut Party,
    rng: &mut OsRng,
    policy: Policy,
    peer: &Address,
    message_type: CiphertextMessageType,
    bytes: &[u8],
) -> Result<Vec<u8>, Failure> {
    match message_type {
        CiphertextMessageType::Signal => decrypt_signal(party, rng, peer, bytes),
        CiphertextMessageType::PreKey => decrypt_pre_key(party, rng, policy, peer, bytes),
        _ => Err(Failure::new("NotImplemented", "only session messages are decrypted")),
    }
}

fn decrypt_signal(
    party: &mut Party,
    rng: &mut OsRng,
    peer: &Address,
    bytes: &[u8],
) -> Result<Vec<u8>, Failure> {
    let message = SignalMessage::parse(bytes)?;
    let (known, trust) = (party.known(peer), party.trust);
    let mut identity = None;
    let session =
        party.sessions.get_mut(peer).ok_or_else(|| Failure::from(sandi::Error::SessionNotFound))?;
    let plaintext = session.decrypt(
        Addresses { local: &party.address, remote: peer },
        &message,
        |key| {
            identity = Some(*key);
            trust.accepts(known, key, Direction::Receiving)
        },
        rng,
    )?;
    if let Some(identity) = identity {
        party.save_identity(peer, identity);
    }
    party.event("saveSession", peer.to_string());
    Ok(plaintext.to_vec())
}

fn decrypt_pre_key(
    party: &mut Party,
    rng: &mut OsRng,
    policy: Policy,
    peer: &Address,
    bytes: &[u8],
) -> Result<Vec<u8>, Failure> {
    let message = PreKeySignalMessage::parse(bytes)?;
    let trusted =
        party.trust.accepts(party.known(peer), message.identity_key(), Direction::Receiving);
    let kem = message.kyber().and_then(|(id, _)| party.kem_pre_keys.get(&id));
    let reusable = kem.is_some_and(|(_, one_time)| !one_time);
    let keys = PreKeys {
        signed: party.signed_pre_keys.get(&message.signed_pre_key_id()),
        kem: kem.map(|(key, _)| key),
        one_time: message.pre_key_id().and_then(|id| party.pre_keys.get(&id)),
        replay_guard: reusable.then_some(&party.guard),
    };
    let mut session = party.sessions.remove(peer).unwrap_or_default();
    let outcome = session.accept(
        Addresses { local: &party.address, remote: peer },
        party.local(),
        &message,
        keys,
        policy,
        |_| trusted,
        rng,
    );
    if session.has_current() || session.archived_count() > 0 {
        party.sessions.insert(peer.clone(), session);
    }
    let accepted = outcome?;
    party.save_identity(peer, *message.identity_key());
    if let Some(used) = accepted.used {
        if let Some(id) = used.kem {
            if reusable {
                party.guard.record(id, used.signed, &used.base_key)?;
            } else {
                party.kem_pre_keys.remove(&id);
            }
            party.event("markKyberPreKeyUsed", id);
        }
        if let Some(id) = used.one_time {
            party.pre_keys.remove(&id);
            party.event("removePreKey", id);
        }
    }
    party.event("saveSession", peer.to_string());
    Ok(accepted.plaintext.to_vec())
}

fn inspect_signal(message: &SignalMessage<'_>) -> Value {
    json!({
        "version": message.version(),
        "versionByte": message.version_byte(),
        "ratchetKey": b64(&message.ratchet_key().encode()),
        "counter": message.counter(),
        "previousCounter": message.previous_counter(),
        "body": b64(message.ciphertext()),
        "pqRatchet": b64_or_null(message.pq_ratchet()),
        "addresses": b64_or_null(message.addresses()),
        "mac": b64(message.mac()),
    })
}

fn inspect_pre_key(message: &PreKeySignalMessage<'_>) -> Value {
    let (kyber_id, kyber) = message.kyber().unzip();
    json!({
        "version": message.version(),
        "versionByte": message.version_byte(),
        "registrationId": message.registration_id(),
        "preKeyId": message.pre_key_id(),
        "signedPreKeyId": message.signed_pre_key_id(),
        "kyberPreKeyId": kyber_id,
        "kyberCiphertext": b64_or_null(kyber),
        "baseKey": b64(&message.base_key().encode()),
        "identityKey": b64(&message.identity_key().encode()),
        "message": b64(message.message().as_bytes()),
        "inner": inspect_signal(message.message()),
    })
}

/// A SignalMessage around a given ciphertext, with a right MAC under a given key.
fn build(request: &Request<'_>) -> Reply {
    use hmac::{Hmac, KeyInit, Mac};

    let mac_key = request.bytes("macKey")?;
    let ciphertext = request.bytes("ciphertext")?;
    let sender = request.identity_key("senderIdentity")?;
    let receiver = request.identity_key("receiverIdentity")?;
    let version = request.number("version")?;
    let version = u8::try_from(version)
        .ok()
        .filter(|version| matches!(version, 3 | 4))
        .ok_or_else(|| Failure::bad_request("version is 3 or 4"))?;
    let ratchet_key = request.public_key("ratchetKey")?;
    let pq_ratchet = request.bytes_option("pqRatchet")?.unwrap_or_default();
    let mut out = Vec::new();
    SignalMessageFields {
        version_byte: version << 4 | version,
        ratchet_key: &ratchet_key,
        counter: request.number("counter")?,
        previous_counter: request.number("previousCounter")?,
        pq_ratchet: &pq_ratchet,
        addresses: None,
    }
    .write(
        &mut out,
        ciphertext.len(),
        |body| {
            body.copy_from_slice(&ciphertext);
            Ok(())
        },
        |bytes| {
            let mut mac = Hmac::<sha2::Sha256>::new_from_slice(&mac_key).expect("any key length");
            mac.update(&sender.encode());
            mac.update(&receiver.encode());
            mac.update(bytes);
            let full = mac.finalize().into_bytes();
            let mut short = [0; MAC_LENGTH];
            short.copy_from_slice(&full[..MAC_LENGTH]);
            short
        },
    )?;
    Ok(json!({"bytes": b64(&out)}))
}

fn show_error(message: &DecryptionErrorMessage) -> Value {
    let ratchet_key = message.ratchet_key().map(|key| key.encode());
    json!({
        "timestamp": message.timestamp().as_millis(),
        "deviceId": message.device_id(),
        "ratchetKey": b64_or_null(ratchet_key.as_ref().map(|key| key.as_slice())),
    })
}
