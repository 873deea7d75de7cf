//! Ops on messages: encrypt, decrypt, inspect, build, decryption errors.

use sandi::session::Session;
use sandi::wire::{
    CiphertextMessageType, DecryptionErrorMessage, MAC_LENGTH, PlaintextContent,
    PreKeySignalMessage, SignalMessage, SignalMessageFields,
};
use sandi::{Address, Error, OsRng, Timestamp};
use sandi_interop::json::{b64, b64_or_null};
use serde_json::{Value, json};

use crate::failure::Failure;
use crate::party::{Direction, Party, Trust, no_session, now};
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
            let peer = server.peer(request, "peer")?;
            let kind = message_type(request)?;
            let bytes = request.bytes("bytes")?;
            let (party, rng) = server.party(request.text("party")?)?;
            let plaintext = decrypt(party, rng, &peer, kind, &bytes)?;
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
    if party.trust == Trust::Never {
        let current = party.session(peer, Session::has_current)?;
        return Err(match current {
            Some(true) => Error::UntrustedIdentity.into(),
            _ => no_session(),
        });
    }
    let plaintext = request.bytes("plaintext")?;
    let message =
        party.trusting(Direction::Sending).encrypt(peer, &plaintext, request.now(), rng)?;
    let identity = party.session(peer, |session| session.remote_identity().copied())?;
    if let Some(identity) = identity.flatten() {
        party.save_identity(peer, identity, rng)?;
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
    peer: &Address,
    message_type: CiphertextMessageType,
    bytes: &[u8],
) -> Result<Vec<u8>, Failure> {
    match message_type {
        CiphertextMessageType::Signal => {}
        CiphertextMessageType::PreKey => {
            // trust comes first there, last in a plain message (spec 03 §5.3, spec 04 §4)
            PreKeySignalMessage::parse(bytes)?;
            if party.trust == Trust::Never {
                return Err(Error::UntrustedIdentity.into());
            }
        }
        _ => return Err(Failure::new("NotImplemented", "only session messages are decrypted")),
    }
    let trust = party.trust;
    let received =
        party.trusting(Direction::Receiving).decrypt(peer, message_type, bytes, now(), rng)?;
    if trust == Trust::Never {
        // dropped, and as if it had never come
        return Err(Error::UntrustedIdentity.into());
    }
    let done = received.commit()?;
    party.save_identity(peer, done.identity_key, rng)?;
    if let Some(used) = done.used_pre_keys {
        if let Some(id) = used.kem {
            party.event("markKyberPreKeyUsed", id);
        }
        if let Some(id) = used.one_time {
            party.event("removePreKey", id);
        }
    }
    party.event("saveSession", peer.to_string());
    Ok(done.plaintext.to_vec())
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
