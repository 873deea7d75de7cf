//! Ops on pre-keys and bundles.

use sandi::keys::{IdentityKey, KemPublicKey, KeyPair, PrivateKey, PublicKey, Signature};
use sandi::migrate::{node, official};
use sandi::prekey::{
    BundleKemPreKey, BundlePreKey, BundleSignedPreKey, KemPreKey, PreKey, PreKeyBundle, PreKeyId,
    SignedPreKey,
};
use sandi::{Error, OsRng, Policy, RecordKey, Timestamp};
use sandi_interop::json::b64;
use serde_json::{Value, json};

use crate::failure::Failure;
use crate::party::{Direction, Party, Trust, ids, kem_pre_key_id, pre_key_id, signed_pre_key_id};
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
            party.put_pre_key(&key, rng)?;
            Ok(reply)
        }
        "signedPreKey.generate" => {
            let id = request.number("keyId")?;
            let created = created(request);
            let key = match request.bytes_option("privateKey")? {
                Some(private) => {
                    let pair = KeyPair::from_private(PrivateKey::decode(&private)?);
                    let private = party.identity().private_key();
                    let signature = private.sign(&pair.public_key().encode(), rng);
                    SignedPreKey::from_parts(id, pair, signature, created)
                }
                None => SignedPreKey::generate(id, party.identity(), created, rng),
            };
            let reply = json!({
                "keyId": id,
                "publicKey": b64(&key.key_pair().public_key().encode()),
                "signature": b64(key.signature()),
                "record": b64(&official::encode_signed_pre_key(&key)),
            });
            party.put_signed_pre_key(&key, rng)?;
            Ok(reply)
        }
        "kyberPreKey.generate" => {
            let id = request.number("keyId")?;
            let key = KemPreKey::generate(id, party.identity(), created(request), rng);
            let reply = json!({
                "keyId": id,
                "publicKey": b64(&key.key_pair().public_key().encode()),
                "signature": b64(key.signature()),
                "record": b64(&official::encode_kem_pre_key(&key)),
            });
            party.put_kem_pre_key(&key, request.flag("oneTime", false), rng)?;
            Ok(reply)
        }
        // as libsignal-node's driver shows them
        "preKey.import" => {
            let id = request.number("keyId")?;
            let key = node::decode_pre_key(id, request.json().to_string().as_bytes())?;
            party.put_pre_key(&key, rng)?;
            Ok(json!({}))
        }
        "signedPreKey.import" => {
            let shown = json!({
                "keyId": request.number("keyId")?, "keyPair": request.json(), "signature": request.value("signature"),
            });
            let key = node::decode_signed_pre_key(shown.to_string().as_bytes(), request.now())?;
            party.put_signed_pre_key(&key, rng)?;
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
fn next_id(party: &Party, id: fn(&RecordKey) -> Option<PreKeyId>) -> Result<PreKeyId, Failure> {
    Ok(ids(&party.keys()?, id).last().map_or(1, |id| id.saturating_add(1)))
}

fn generate(party: &mut Party, rng: &mut OsRng, policy: Policy, request: &Request<'_>) -> Reply {
    let now = request.now();
    let signed = match request.number_option("signedPreKeyId")? {
        Some(id) => id,
        None => next_id(party, signed_pre_key_id)?,
    };
    let key = SignedPreKey::generate(signed, party.identity(), now, rng);
    party.put_signed_pre_key(&key, rng)?;
    let one_time = if request.flag("preKey", true) {
        let id = match request.number_option("preKeyId")? {
            Some(id) => id,
            None => next_id(party, pre_key_id)?,
        };
        let key = PreKey::generate(id, rng);
        party.put_pre_key(&key, rng)?;
        Some(id)
    } else {
        None
    };
    let kem = if request.flag("kyber", true) && policy != Policy::V3 {
        let id = match request.number_option("kyberPreKeyId")? {
            Some(id) => id,
            None => next_id(party, kem_pre_key_id)?,
        };
        let key = KemPreKey::generate(id, party.identity(), now, rng);
        party.put_kem_pre_key(&key, request.flag("kyberOneTime", false), rng)?;
        Some(id)
    } else {
        None
    };
    Ok(json!({"bundle": write_bundle(&bundle_of(party, one_time, signed, kem)?)}))
}

fn bundle_of(
    party: &mut Party,
    one_time: Option<PreKeyId>,
    signed: PreKeyId,
    kem: Option<PreKeyId>,
) -> Result<PreKeyBundle, Failure> {
    let unknown = |what: &str| Failure::bad_request(format!("no such {what}"));
    let device = party.device();
    let one_time = match one_time {
        Some(id) => Some(device.pre_key(id)?.ok_or_else(|| unknown("pre-key"))?),
        None => None,
    };
    let kem = match kem {
        Some(id) => Some(device.kem_pre_key(id)?.ok_or_else(|| unknown("Kyber pre-key"))?),
        None => None,
    };
    Ok(PreKeyBundle::of(
        device.registration_id(),
        device.address().device(),
        *device.identity_key(),
        &device.signed_pre_key(signed)?.ok_or_else(|| unknown("signed pre-key"))?,
        one_time.as_ref(),
        kem.as_ref().map(|kem| &kem.key),
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
    let peer = server.peer(request, "peer")?;
    let bundle = read_bundle(request.value("bundle"), server.policy == Policy::V3)?;
    let (party, rng) = server.party(request.text("party")?)?;
    if party.trust == Trust::Never {
        return Err(Error::UntrustedIdentity.into());
    }
    party.trusting(Direction::Sending).start_session(&peer, &bundle, request.now(), rng)?;
    party.save_identity(&peer, bundle.identity_key, rng)?;
    party.event("saveSession", peer.to_string());
    Ok(json!({}))
}
