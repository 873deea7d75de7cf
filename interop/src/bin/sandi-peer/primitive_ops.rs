//! Ops on keys, signatures, service ids and addresses.

use hkdf::Hkdf;
use sandi::ServiceId;
use sandi::keys::{IdentityKeyPair, KemKeyPair, KemPublicKey, KemSecretKey, KemType, PrivateKey};
use sandi_interop::json::b64;
use serde_json::{Value, json};

use crate::failure::Failure;
use crate::request::{Request, device_id};
use crate::{Reply, Server};

pub(crate) const OPS: &[&str] = &[
    "ec.generate",
    "ec.public",
    "ec.parsePublic",
    "ec.agree",
    "ec.sign",
    "ec.verify",
    "identityKeyPair.parse",
    "altIdentity.sign",
    "altIdentity.verify",
    "kem.generate",
    "kem.parsePublic",
    "kem.parseSecret",
    "hkdf",
    "serviceId.parse",
    "address.check",
];

pub(crate) fn run(server: &mut Server, op: &str, request: &Request<'_>) -> Reply {
    let rng = &mut server.rng;
    match op {
        "ec.generate" => Ok(show_pair(&PrivateKey::generate(rng))),
        "ec.public" => Ok(show_pair(&request.private_key("privateKey")?)),
        "ec.parsePublic" => {
            let key = request.public_key("publicKey")?;
            Ok(json!({"publicKey": b64(&key.encode()), "raw": b64(key.as_raw())}))
        }
        "ec.agree" => {
            let private = request.private_key("privateKey")?;
            let secret = private.agree(&request.public_key("publicKey")?)?;
            Ok(json!({"secret": b64(secret.expose())}))
        }
        "ec.sign" => {
            let private = request.private_key("privateKey")?;
            Ok(json!({"signature": b64(&private.sign(&request.bytes("message")?, rng))}))
        }
        "ec.verify" => {
            let public = request.public_key("publicKey")?;
            let (message, signature) = (request.bytes("message")?, request.bytes("signature")?);
            Ok(json!({"valid": public.verify(&message, &signature)}))
        }
        "identityKeyPair.parse" => {
            let pair = IdentityKeyPair::decode(&request.bytes("bytes")?)?;
            Ok(json!({
                "publicKey": b64(&pair.identity_key().encode()),
                "privateKey": b64(pair.private_key().secret().expose()),
                "reserialized": b64(pair.encode().expose()),
            }))
        }
        "altIdentity.sign" => {
            let pair = IdentityKeyPair::decode(&request.bytes("identityKeyPair")?)?;
            let signature = pair.sign_alternate_identity(&request.identity_key("other")?, rng);
            Ok(json!({"signature": b64(&signature)}))
        }
        "altIdentity.verify" => {
            let identity = request.identity_key("identityKey")?;
            let (other, signature) = (request.identity_key("other")?, request.bytes("signature")?);
            Ok(json!({"valid": identity.verify_alternate_identity(&other, &signature)}))
        }
        "kem.generate" => {
            let pair = KemKeyPair::generate(KemType::Kyber1024, rng);
            Ok(json!({
                "publicKey": b64(&pair.public_key().encode()),
                "secretKey": b64(&encode_secret(pair.secret_key())),
            }))
        }
        "kem.parsePublic" => {
            let key = KemPublicKey::decode(&request.bytes("publicKey")?)?;
            Ok(json!({"publicKey": b64(&key.encode())}))
        }
        "kem.parseSecret" => {
            let key = KemSecretKey::decode(&request.bytes("secretKey")?)?;
            Ok(json!({"secretKey": b64(&encode_secret(&key))}))
        }
        "hkdf" => {
            let length = request.number("length")? as usize;
            let (ikm, salt) = (request.bytes("ikm")?, request.bytes_option("salt")?);
            let info = request.bytes_option("info")?.unwrap_or_default();
            let mut out = vec![0; length.min(255 * 32 + 1)];
            Hkdf::<sha2::Sha256>::new(salt.as_deref(), &ikm)
                .expand(&info, &mut out)
                .map_err(|error| Failure::new("InvalidArgument", error.to_string()))?;
            Ok(json!({"bytes": b64(&out)}))
        }
        "serviceId.parse" => {
            let id = match request.value("string").as_str() {
                Some(text) => ServiceId::parse(text)?,
                None => ServiceId::from_variable_width(&request.bytes("bytes")?)?,
            };
            Ok(show_service_id(&id))
        }
        "address.check" => {
            let device = device_id(request.number("deviceId")?, false)?;
            Ok(json!({"name": request.text("name")?, "deviceId": device.get()}))
        }
        _ => Err(Failure::bad_request(op)),
    }
}

fn encode_secret(key: &KemSecretKey) -> Vec<u8> {
    [&[key.kem_type().byte()], key.secret().expose().as_slice()].concat()
}

fn show_pair(private: &PrivateKey) -> Value {
    json!({
        "privateKey": b64(private.secret().expose()),
        "publicKey": b64(&private.public_key().encode()),
    })
}

fn show_service_id(id: &ServiceId) -> Value {
    let text = id.to_string();
    json!({
        "kind": if text.starts_with("PNI:") { "pni" } else { "aci" },
        "string": text,
        "uuid": text.trim_start_matches("PNI:"),
        "binary": b64(&id.to_variable_width()),
        "fixedWidth": b64(&id.to_fixed_width()),
    })
}
