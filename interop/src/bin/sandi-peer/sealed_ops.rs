//! Ops on sealed sender: certificates, content, both versions.

use sandi::keys::{PrivateKey, PublicKey};
use sandi::sealed_sender::{
    ContentHint, MultiRecipientMessage, OwnDevice, Sender, SenderCertificate, SentMessage,
    ServerCertificate, Signer, Trust, UnidentifiedSenderMessageContent, open, seal_v1,
};
use sandi::session::Session;
use sandi::wire::{CiphertextMessageType, PlaintextContent};
use sandi::{Error, ServiceId, Timestamp};
use sandi_interop::json::{b64, b64_or_null, unb64};
use serde_json::{Value, json};

use crate::failure::Failure;
use crate::group_ops;
use crate::message_ops::{decrypt, encrypt, message_type, type_name};
use crate::request::{Request, device_id};
use crate::{Reply, Server};

pub(crate) const OPS: &[&str] = &[
    "ss.trustRoot",
    "ss.serverCert",
    "ss.serverCert.inspect",
    "ss.senderCert",
    "ss.senderCert.inspect",
    "ss.senderCert.validate",
    "ss.usmc",
    "ss.usmc.inspect",
    "ss.encrypt",
    "ss.seal",
    "ss.multiEncrypt",
    "ss.multi.parse",
    "ss.multi.single",
    "ss.decryptToUsmc",
    "ss.decrypt",
    "ss.open",
];

pub(crate) fn run(server: &mut Server, op: &str, request: &Request<'_>) -> Reply {
    match op {
        "ss.trustRoot" => {
            let key = PrivateKey::generate(&mut server.rng);
            Ok(json!({
                "privateKey": b64(key.secret().expose()),
                "publicKey": b64(&key.public_key().encode()),
            }))
        }
        "ss.serverCert" => server_certificate(server, request),
        "ss.serverCert.inspect" => {
            Ok(show_server(&ServerCertificate::parse(&request.bytes("bytes")?)?))
        }
        "ss.senderCert" => sender_certificate(server, request),
        "ss.senderCert.inspect" => {
            show_sender(&SenderCertificate::parse(&request.bytes("bytes")?)?)
        }
        "ss.senderCert.validate" => {
            let certificate = SenderCertificate::parse(&request.bytes("bytes")?)?;
            let (roots, time) = (roots(request)?, Timestamp(request.long("time")?));
            Ok(json!({"valid": certificate.validate(&Trust::new(&roots), time)?}))
        }
        "ss.usmc" => {
            let sender = SenderCertificate::parse(&request.bytes("senderCert")?)?;
            let bytes = request.bytes("bytes")?;
            let content = wrap(request, message_type(request)?, &bytes, &sender)?;
            Ok(json!({"bytes": b64(content.as_bytes())}))
        }
        "ss.usmc.inspect" => {
            show_content(&UnidentifiedSenderMessageContent::parse(request.bytes("bytes")?)?)
        }
        "ss.encrypt" => {
            let peer = server.peer(request, "peer")?;
            let sender = SenderCertificate::parse(&request.bytes("senderCert")?)?;
            let (party, rng) = server.party(request.text("party")?)?;
            let inner = encrypt(party, rng, &peer, request)?;
            let bytes = unb64(&inner["bytes"]).ok_or_else(|| Failure::bad_request("bytes"))?;
            let kind = inner["typeNumber"].as_u64().and_then(|code| u8::try_from(code).ok());
            let kind = kind
                .and_then(CiphertextMessageType::from_code)
                .ok_or_else(|| Failure::bad_request("type"))?;
            let content = wrap(request, kind, &bytes, &sender)?;
            let sealed = seal(server, request, &content)?;
            Ok(json!({"bytes": b64(&sealed), "usmc": b64(content.as_bytes()), "inner": inner}))
        }
        "ss.seal" => {
            let content = UnidentifiedSenderMessageContent::parse(request.bytes("usmc")?)?;
            Ok(json!({"bytes": b64(&seal(server, request, &content)?)}))
        }
        "ss.multiEncrypt" => multi_encrypt(server, request),
        "ss.multi.parse" => parse_sent(&request.bytes("bytes")?),
        "ss.multi.single" => {
            let bytes = request.bytes("bytes")?;
            let message = SentMessage::parse(&bytes)?;
            let mut recipients = message.recipients();
            match (recipients.next(), recipients.next()) {
                (Some(only), None) => Ok(json!({"bytes": b64(&message.received(only)?)})),
                _ => Err(Error::InvalidArgument.into()),
            }
        }
        "ss.decryptToUsmc" => {
            let (party, _) = server.party(request.text("party")?)?;
            let opened = open(&request.bytes("bytes")?, party.identity())?;
            let mut shown = show_content(opened.unvalidated())?;
            shown["bytes"] = b64(opened.unvalidated().as_bytes());
            Ok(shown)
        }
        "ss.decrypt" => decrypt_session_message(server, request),
        "ss.open" => open_any(server, request),
        _ => Err(Failure::bad_request(op)),
    }
}

fn server_certificate(server: &mut Server, request: &Request<'_>) -> Reply {
    let rng = &mut server.rng;
    let root = request.private_key("trustRootPrivate")?;
    let (public, private) = if request.value("serverPublic").is_null() {
        let private = match request.value("serverPrivate") {
            Value::Null => PrivateKey::generate(rng),
            _ => request.private_key("serverPrivate")?,
        };
        (private.public_key(), Some(private))
    } else {
        (request.public_key("serverPublic")?, None)
    };
    let id = request.number_option("keyId")?.unwrap_or(1);
    let mut shown = show_server(&ServerCertificate::issue(id, &public, &root, rng));
    let private = private.as_ref().map(|key| key.secret().expose().as_slice());
    shown["serverPrivate"] = b64_or_null(private);
    Ok(shown)
}

fn sender_certificate(server: &mut Server, request: &Request<'_>) -> Reply {
    let device = request.number_option("deviceId")?.unwrap_or(1);
    let certificate = SenderCertificate::issue(
        &Sender {
            uuid: request.text("senderUuid")?,
            e164: request.value("senderE164").as_str(),
            device: device_id(device, false).map_err(|_| Error::InvalidArgument)?,
            identity: &request.identity_key("senderKey")?,
        },
        Timestamp(request.long("expiration")?),
        &ServerCertificate::parse(&request.bytes("serverCert")?)?,
        &request.private_key("serverPrivate")?,
        &mut server.rng,
    );
    show_sender(&certificate)
}

/// `trustRoots`, or the one `trustRoot`.
fn roots(request: &Request<'_>) -> Result<Vec<PublicKey>, Failure> {
    let Some(roots) = request.value("trustRoots").as_array() else {
        return Ok(vec![request.public_key("trustRoot")?]);
    };
    let root = |value| {
        let bytes = unb64(value).ok_or_else(|| Failure::bad_request("trustRoots is malformed"))?;
        Ok(PublicKey::decode(&bytes)?)
    };
    roots.iter().map(root).collect()
}

fn wrap(
    request: &Request<'_>,
    message_type: CiphertextMessageType,
    bytes: &[u8],
    sender: &SenderCertificate,
) -> Result<UnidentifiedSenderMessageContent, Failure> {
    let hint = ContentHint::from_code(request.number_option("contentHint")?.unwrap_or(0));
    let group = request.bytes_option("groupId")?;
    let group = group.as_deref();
    Ok(UnidentifiedSenderMessageContent::new(message_type, bytes, sender, hint, group))
}

/// Version 1, to the identity that the party's store has for the peer.
fn seal(
    server: &mut Server,
    request: &Request<'_>,
    content: &UnidentifiedSenderMessageContent,
) -> Result<Vec<u8>, Failure> {
    let peer = server.peer(request, "peer")?;
    let (party, rng) = server.party(request.text("party")?)?;
    let recipient = party.known(&peer)?.ok_or(Error::SessionNotFound)?;
    Ok(seal_v1(party.identity(), &recipient, content, rng)?)
}

fn multi_encrypt(server: &mut Server, request: &Request<'_>) -> Reply {
    let content = UnidentifiedSenderMessageContent::parse(request.bytes("usmc")?)?;
    let listed = |field| request.value(field).as_array().map_or(&[][..], Vec::as_slice);
    let mut recipients = Vec::new();
    for value in listed("recipients") {
        let wrapped = json!({"peer": value});
        recipients.push(server.peer(&Request::new(&wrapped), "peer")?);
    }
    let (party, rng) = server.party(request.text("party")?)?;
    let mut message = MultiRecipientMessage::with_capacity(recipients.len());
    for address in &recipients {
        let registration_id = party.session(address, Session::remote_registration_id)?;
        let registration_id = registration_id.ok_or(Error::SessionNotFound)?;
        let identity = party.known(address)?.ok_or(Error::SessionNotFound)?;
        message.add(address, &identity, registration_id)?;
    }
    for value in listed("excluded") {
        let text = value.as_str().ok_or_else(|| Failure::bad_request("excluded is malformed"))?;
        message.exclude(ServiceId::parse(text)?);
    }
    Ok(json!({"bytes": b64(&message.seal(party.identity(), &content, rng)?)}))
}

fn parse_sent(bytes: &[u8]) -> Reply {
    let message = SentMessage::parse(bytes)?;
    let mut recipients = serde_json::Map::new();
    for recipient in message.recipients() {
        let (devices, ids): (Vec<_>, Vec<_>) =
            recipient.devices().map(|(device, id)| (device.get(), id)).unzip();
        let received = b64(&message.received(recipient)?);
        recipients.insert(
            recipient.service_id().to_string(),
            json!({"deviceIds": devices, "registrationIds": ids, "received": received}),
        );
    }
    let excluded: Vec<_> = message.excluded().map(|id| id.to_string()).collect();
    Ok(json!({"recipients": recipients, "excluded": excluded}))
}

/// The one-call form of spec 06 §6: session messages only.
fn decrypt_session_message(server: &mut Server, request: &Request<'_>) -> Reply {
    let roots = roots(request)?;
    let (party, rng) = server.party(request.text("party")?)?;
    let opened = open(&request.bytes("bytes")?, party.identity())?;
    let device = match request.number_option("localDeviceId")? {
        Some(id) => device_id(id, false)?,
        None => party.address().device(),
    };
    let own = OwnDevice {
        uuid: request.value("localUuid").as_str().unwrap_or_else(|| party.address().name()),
        e164: request.value("localE164").as_str(),
        device,
    };
    let time = Timestamp(request.long("time")?);
    let content = opened.validate(&Trust::new(&roots), &own, time)?;
    let kind = content.message_type();
    if !matches!(kind, CiphertextMessageType::Signal | CiphertextMessageType::PreKey) {
        return Err(Failure::new("InvalidMessage", format!("unexpected type {}", type_name(kind))));
    }
    let sender = content.sender();
    let plaintext = decrypt(party, rng, &sender.address(), kind, content.contents())?;
    Ok(json!({
        "plaintext": b64(&plaintext),
        "senderUuid": sender.uuid(),
        "senderE164": sender.e164(),
        "deviceId": sender.device().get(),
    }))
}

/// What an app does: open, validate the certificate, decrypt a message of any type.
fn open_any(server: &mut Server, request: &Request<'_>) -> Reply {
    let roots = roots(request)?;
    let (party, rng) = server.party(request.text("party")?)?;
    let opened = open(&request.bytes("bytes")?, party.identity())?;
    let content = opened.unvalidated();
    let time = Timestamp(request.long("time")?);
    let trusted = content.sender().validate(&Trust::new(&roots), time)?;
    let shown = show_content(content)?;
    if !trusted {
        return Ok(json!({"trusted": false, "usmc": shown}));
    }
    let sender = content.sender().address();
    let plaintext = match content.message_type() {
        CiphertextMessageType::Plaintext => {
            b64(PlaintextContent::parse(content.contents())?.body())
        }
        CiphertextMessageType::SenderKey => {
            let fields = json!({
                "party": request.text("party")?, "bytes": b64(content.contents()),
                "sender": {"name": sender.name(), "deviceId": sender.device().get()},
            });
            let reply = group_ops::run(server, "group.decrypt", &Request::new(&fields))?;
            reply["plaintext"].clone()
        }
        kind => b64(&decrypt(party, rng, &sender, kind, content.contents())?),
    };
    Ok(json!({"trusted": true, "plaintext": plaintext, "usmc": shown}))
}

fn show_server(certificate: &ServerCertificate) -> Value {
    json!({
        "bytes": b64(certificate.as_bytes()),
        "keyId": certificate.key_id(),
        "key": b64(&certificate.key().encode()),
        "certificate": b64(certificate.certificate()),
        "signature": b64(certificate.signature()),
    })
}

fn show_sender(certificate: &SenderCertificate) -> Reply {
    let server = match certificate.signer() {
        Signer::Embedded(server) => server.clone(),
        Signer::Known(id) => Trust::new(&[]).resolve(*id)?,
    };
    Ok(json!({
        "bytes": b64(certificate.as_bytes()),
        "senderUuid": certificate.uuid(),
        "senderE164": certificate.e164(),
        "deviceId": certificate.device().get(),
        "key": b64(&certificate.identity().encode()),
        "expiration": certificate.expiration().as_millis(),
        "certificate": b64(certificate.certificate()),
        "signature": b64(certificate.signature()),
        "serverCertificate": {
            "keyId": server.key_id(),
            "key": b64(&server.key().encode()),
            "bytes": b64(server.as_bytes()),
        },
    }))
}

fn show_content(content: &UnidentifiedSenderMessageContent) -> Reply {
    let mut sender = show_sender(content.sender())?;
    if let Some(fields) = sender.as_object_mut() {
        fields.remove("bytes");
    }
    Ok(json!({
        "type": type_name(content.message_type()),
        "typeNumber": content.message_type().code(),
        "contents": b64(content.contents()),
        "contentHint": content.hint().code(),
        "groupId": b64_or_null(content.group_id()),
        "senderCert": b64(content.sender().as_bytes()),
        "sender": sender,
    }))
}
