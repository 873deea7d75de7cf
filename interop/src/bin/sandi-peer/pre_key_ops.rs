//! Ops on pre-keys and bundles.

use sandi::keys::{IdentityKey, KemPublicKey, KeyPair, PrivateKey, PublicKey, Signature};
use sandi::migrate::{node, official};
use sandi::prekey::{
    BundleKemPreKey, BundlePreKey, BundleSignedPreKey, KemPreKey, PreKey, PreKeyBundle, PreKeyId,
    SignedPreKey,
};
use sandi::session::Addresses;
use sandi::{OsRng, Policy, Timestamp};
use sandi_interop::json::b64;
use serde_json::{Value, json};

use crate::failure::Failure;
use crate::party::{Direction, Party};
use crate::request::{Request, device_id};
use crate::{Reply, Server};

pub(crate) const OPS: &[&str] = &[
    "preKey.generate",
    "signedPreKey.generate",
    "kyberPreKey.generate",
    "preKey.import",
    "signedPreKey.import",
    "bundle.export",
    "bundle.generate",
    "bundle.check",
    "bundle.process",
];

pub(crate) fn run(server: &mut Server, op: &str, request: &Request<'_>) -> Reply {
    let policy = server.policy;
    if op == "bundle.check" {
        let bundle = read_bundle(request.value("bundle"), policy == Policy::V3)?;
        return Ok(json!({"bundle": write_bundle(&bundle)}));
    }
    if op == "bundle.process" {
        return process(server, request);
    }
    let (party, rng) = server.party(request.text("party")?)?;
    match op {
        "preKey.generate" => {
            let id = request.number("keyId")?;
            let key = match request.bytes_option("privateKey")? {
                Some(private) => {
                    PreKey::from_parts(id, KeyPair::from_private(PrivateKey::decode(&private)?))
                }
                None => PreKey::generate(id, rng),
            };
            let reply = json!({
                "keyId": id,
                "publicKey": b64(&key.key_pair().public_key().encode()),
                "record": b64(&official::encode_pre_key(&key)),
            });
            party.pre_keys.insert(id, key);
            Ok(reply)
        }
        "signedPreKey.generate" => {
            let id = request.number("keyId")?;
            let created = created(request);
            let key = match request.bytes_option("privateKey")? {
                Some(private) => {
                    let pair = KeyPair::from_private(PrivateKey::decode(&private)?);
                    let private = party.identity.private_key();
                    let signature = private.sign(&pair.public_key().encode(), rng);
                    SignedPreKey::from_parts(id, pair, signature, created)
                }
                None => SignedPreKey::generate(id, &party.identity, created, rng),
            };
            let reply = json!({
                "keyId": id,
                "publicKey": b64(&key.key_pair().public_key().encode()),
                "signature": b64(key.signature()),
                "record": b64(&official::encode_signed_pre_key(&key)),
            });
            party.signed_pre_keys.insert(id, key);
            Ok(reply)
        }
        "kyberPreKey.generate" => {
            let id = request.number("keyId")?;
            let key = KemPreKey::generate(id, &party.identity, created(request), rng);
            let reply = json!({
                "keyId": id,
                "publicKey": b64(&key.key_pair().public_key().encode()),
                "signature": b64(key.signature()),
                "record": b64(&official::encode_kem_pre_key(&key)),
            });
            party.kem_pre_keys.insert(id, (key, request.flag("oneTime", false)));
            Ok(reply)
        }
        // as libsignal-node's driver shows them
        "preKey.import" => {
            let id = request.number("keyId")?;
            let key = node::decode_pre_key(id, request.json().to_string().as_bytes())?;
            party.pre_keys.insert(id, key);
            Ok(json!({}))
        }
        "signedPreKey.import" => {
            let id = request.number("keyId")?;
            let shown = json!({
                "keyId": id, "keyPair": request.json(), "signature": request.value("signature"),
            });
            let key = node::decode_signed_pre_key(shown.to_string().as_bytes(), request.now())?;
            party.signed_pre_keys.insert(id, key);
            Ok(json!({}))
        }
        "bundle.export" => {
            let bundle = bundle_of(
                party,
                request.number_option("preKeyId")?,
                request.number("signedPreKeyId")?,
                request.number_option("kyberPreKeyId")?,
            )?;
            Ok(json!({"bundle": write_bundle(&bundle)}))
        }
        "bundle.generate" => generate(party, rng, policy, request),
        _ => Err(Failure::bad_request(op)),
    }
}

fn created(request: &Request<'_>) -> Timestamp {
    request.value("timestamp").as_u64().map_or_else(|| request.now(), Timestamp)
}

/// The first id above those that are taken.
fn next_id<T>(keys: &std::collections::BTreeMap<PreKeyId, T>) -> PreKeyId {
    keys.last_key_value().map_or(1, |(id, _)| id.saturating_add(1))
}

fn generate(party: &mut Party, rng: &mut OsRng, policy: Policy, request: &Request<'_>) -> Reply {
    let now = request.now();
    let signed = match request.number_option("signedPreKeyId")? {
        Some(id) => id,
        None => next_id(&party.signed_pre_keys),
    };
    let key = SignedPreKey::generate(signed, &party.identity, now, rng);
    party.signed_pre_keys.insert(signed, key);
    let one_time = if request.flag("preKey", true) {
        let id = match request.number_option("preKeyId")? {
            Some(id) => id,
            None => next_id(&party.pre_keys),
        };
        party.pre_keys.insert(id, PreKey::generate(id, rng));
        Some(id)
    } else {
        None
    };
    let kem = if request.flag("kyber", true) && policy != Policy::V3 {
        let id = match request.number_option("kyberPreKeyId")? {
            Some(id) => id,
            None => next_id(&party.kem_pre_keys),
        };
        let key = KemPreKey::generate(id, &party.identity, now, rng);
        party.kem_pre_keys.insert(id, (key, request.flag("kyberOneTime", false)));
        Some(id)
    } else {
        None
    };
    Ok(json!({"bundle": write_bundle(&bundle_of(party, one_time, signed, kem)?)}))
}

fn bundle_of(
    party: &Party,
    one_time: Option<PreKeyId>,
    signed: PreKeyId,
    kem: Option<PreKeyId>,
) -> Result<PreKeyBundle, Failure> {
    let unknown = |what: &str| Failure::bad_request(format!("no such {what}"));
    let one_time =
        one_time.map(|id| party.pre_keys.get(&id).ok_or_else(|| unknown("pre-key"))).transpose()?;
    let kem = kem
        .map(|id| party.kem_pre_keys.get(&id).ok_or_else(|| unknown("Kyber pre-key")))
        .transpose()?;
    Ok(PreKeyBundle::of(
        party.registration_id,
        party.address.device(),
        *party.identity.identity_key(),
        party.signed_pre_keys.get(&signed).ok_or_else(|| unknown("signed pre-key"))?,
        one_time,
        kem.map(|(key, _)| key),
    ))
}

fn write_bundle(bundle: &PreKeyBundle) -> Value {
    let (one_time, kem) = (bundle.pre_key.as_ref(), bundle.kem_pre_key.as_ref());
    let text = |bytes: Option<Vec<u8>>| bytes.map_or(Value::Null, |bytes| b64(&bytes));
    json!({
        "registrationId": bundle.registration_id,
        "deviceId": bundle.device_id.get(),
        "identityKey": b64(&bundle.identity_key.encode()),
        "preKeyId": one_time.map(|key| key.id),
        "preKey": text(one_time.map(|key| key.key.encode().to_vec())),
        "signedPreKeyId": bundle.signed_pre_key.id,
        "signedPreKey": b64(&bundle.signed_pre_key.key.encode()),
        "signedPreKeySignature": b64(&bundle.signed_pre_key.signature),
        "kyberPreKeyId": kem.map(|key| key.id),
        "kyberPreKey": text(kem.map(|key| key.key.encode())),
        "kyberPreKeySignature": text(kem.map(|key| key.signature.to_vec())),
    })
}

fn signature(request: &Request<'_>, field: &str) -> Result<Signature, Failure> {
    let bytes = request.bytes(field)?;
    bytes.try_into().map_err(|_| Failure::new("SignatureValidationFailed", field.to_owned()))
}

fn read_bundle(bundle: &Value, v3: bool) -> Result<PreKeyBundle, Failure> {
    let request = Request::new(bundle);
    let pre_key = match (request.number_option("preKeyId")?, request.bytes_option("preKey")?) {
        (Some(id), Some(key)) => Some(BundlePreKey { id, key: PublicKey::decode(&key)? }),
        _ => None,
    };
    let kem_pre_key = match request.bytes_option("kyberPreKey")? {
        Some(key) => Some(BundleKemPreKey {
            id: request.number("kyberPreKeyId")?,
            key: KemPublicKey::decode(&key)?,
            signature: signature(&request, "kyberPreKeySignature")?,
        }),
        None => None,
    };
    Ok(PreKeyBundle {
        registration_id: request.number("registrationId")?,
        device_id: device_id(request.number("deviceId")?, v3)?,
        identity_key: IdentityKey::new(request.public_key("identityKey")?),
        signed_pre_key: BundleSignedPreKey {
            id: request.number("signedPreKeyId")?,
            key: request.public_key("signedPreKey")?,
            signature: signature(&request, "signedPreKeySignature")?,
        },
        pre_key,
        kem_pre_key,
    })
}

fn process(server: &mut Server, request: &Request<'_>) -> Reply {
    let policy = server.policy;
    let peer = server.peer(request, "peer")?;
    let bundle = read_bundle(request.value("bundle"), policy == Policy::V3)?;
    let (party, rng) = server.party(request.text("party")?)?;
    let trusted = party.trust.accepts(party.known(&peer), &bundle.identity_key, Direction::Sending);
    let mut session = party.sessions.remove(&peer).unwrap_or_default();
    let outcome = session.initiate(
        Addresses { local: &party.address, remote: &peer },
        party.local(),
        &bundle,
        policy,
        |_| trusted,
        request.now(),
        rng,
    );
    if session.has_current() || session.archived_count() > 0 {
        party.sessions.insert(peer.clone(), session);
    }
    outcome?;
    party.save_identity(&peer, bundle.identity_key);
    party.event("saveSession", peer.to_string());
    Ok(json!({}))
}
