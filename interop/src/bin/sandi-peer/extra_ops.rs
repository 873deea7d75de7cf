//! Ops on fingerprints, incremental MACs and HPKE.

use hpke::aead::AesGcm256;
use hpke::kdf::HkdfSha256;
use hpke::kem::X25519HkdfSha256;
use hpke::{Deserializable, Kem, OpModeR, OpModeS, Serializable};
use sandi::attachment::{
    IncrementalDigest, IncrementalMac, IncrementalMacValidator, incremental_mac_chunk_size,
};
use sandi::fingerprint::{Fingerprint, ITERATIONS, ScannableFingerprint};
use sandi_interop::json::b64;
use serde_json::json;

use crate::failure::Failure;
use crate::request::Request;
use crate::{Reply, Server};

pub(crate) const OPS: &[&str] = &[
    "fingerprint.create",
    "fingerprint.compare",
    "incrementalMac.compute",
    "incrementalMac.validate",
    "hpke.seal",
    "hpke.open",
];

pub(crate) fn run(server: &mut Server, op: &str, request: &Request<'_>) -> Reply {
    match op {
        "fingerprint.create" => {
            let fingerprint = Fingerprint::new(
                request.number_option("version")?.unwrap_or(2),
                request.number_option("iterations")?.unwrap_or(ITERATIONS),
                (&request.bytes("localId")?, &request.identity_key("localKey")?),
                (&request.bytes("remoteId")?, &request.identity_key("remoteKey")?),
            )?;
            let scannable = b64(&fingerprint.scannable().encode());
            Ok(json!({"display": fingerprint.display(), "scannable": scannable}))
        }
        "fingerprint.compare" => {
            let ours = ScannableFingerprint::decode(&request.bytes("ours")?)?;
            Ok(json!({"match": ours.compare(&request.bytes("theirs")?)?}))
        }
        "incrementalMac.compute" => {
            let chunk_size = chunk_size(request)?;
            let mut mac = IncrementalMac::new(&request.bytes("key")?, chunk_size)?;
            mac.update(&request.bytes("data")?);
            Ok(json!({"digests": b64(&mac.finish().entries), "chunkSize": chunk_size}))
        }
        "incrementalMac.validate" => {
            let digest = IncrementalDigest {
                chunk_size: chunk_size(request)?,
                entries: request.bytes("digests")?,
            };
            let failed = |error: sandi::Error| {
                Failure::new("IncrementalMacVerificationFailed", error.to_string())
            };
            let mut validator =
                IncrementalMacValidator::new(&request.bytes("key")?, digest).map_err(failed)?;
            validator.update(&request.bytes("data")?).map_err(failed)?;
            validator.finish().map_err(failed)?;
            Ok(json!({"valid": true}))
        }
        "hpke.seal" => hpke_seal(server, request),
        "hpke.open" => hpke_open(request),
        _ => Err(Failure::bad_request(op)),
    }
}

fn chunk_size(request: &Request<'_>) -> Result<u32, Failure> {
    match request.number_option("chunkSize")? {
        Some(size) => Ok(size),
        None => Ok(incremental_mac_chunk_size(request.long("dataSize")?)),
    }
}

/// The suite that the official library names by the byte 1: X25519, HKDF-SHA-256, AES-256-GCM.
const SUITE: u8 = 1;
/// Length of the encapsulated key in bytes.
const ENCAPSULATED: usize = 32;

/// `0x01 || enc || ciphertext || tag` (spec 09 §6).
fn hpke_seal(server: &mut Server, request: &Request<'_>) -> Reply {
    let key = request.public_key("publicKey")?;
    let key =
        <X25519HkdfSha256 as Kem>::PublicKey::from_bytes(key.as_raw()).map_err(hpke_failure)?;
    let aad = request.bytes_option("aad")?.unwrap_or_default();
    let (encapsulated, text) =
        hpke::single_shot_seal_with_rng::<AesGcm256, HkdfSha256, X25519HkdfSha256>(
            &OpModeS::Base,
            &key,
            &request.bytes("info")?,
            &request.bytes("plaintext")?,
            &aad,
            &mut server.rng,
        )
        .map_err(hpke_failure)?;
    let bytes = [&[SUITE], encapsulated.to_bytes().as_slice(), &text].concat();
    Ok(json!({"bytes": b64(&bytes)}))
}

fn hpke_open(request: &Request<'_>) -> Reply {
    let key = request.private_key("privateKey")?;
    let key = <X25519HkdfSha256 as Kem>::PrivateKey::from_bytes(key.secret().expose())
        .map_err(hpke_failure)?;
    let bytes = request.bytes("bytes")?;
    let (suite, rest) = bytes.split_first().ok_or_else(too_short)?;
    if *suite != SUITE {
        return Err(Failure::new("UnknownHpkeSuite", format!("suite {suite}")));
    }
    let (encapsulated, text) = rest.split_at_checked(ENCAPSULATED).ok_or_else(too_short)?;
    let encapsulated =
        <X25519HkdfSha256 as Kem>::EncappedKey::from_bytes(encapsulated).map_err(hpke_failure)?;
    let aad = request.bytes_option("aad")?.unwrap_or_default();
    let plaintext = hpke::single_shot_open::<AesGcm256, HkdfSha256, X25519HkdfSha256>(
        &OpModeR::Base,
        &key,
        &encapsulated,
        &request.bytes("info")?,
        text,
        &aad,
    )
    .map_err(hpke_failure)?;
    Ok(json!({"plaintext": b64(&plaintext)}))
}

fn too_short() -> Failure {
    Failure::new("InvalidArgument", "HPKE ciphertext is too short")
}

fn hpke_failure(error: hpke::HpkeError) -> Failure {
    Failure::new("HpkeError", error.to_string())
}
