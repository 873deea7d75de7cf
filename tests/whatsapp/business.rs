//! Verified business names and business profiles (spec 25 §6): `verified_name.json`, and what must not verify.

use prost::Message;
use rand::SeedableRng;
use rand::rngs::StdRng;
use sandi::Error;
use sandi::business::{
    ActualActors, HostStorage, IdentityInfo, Issuer, LocalizedName, VerifiedLevel,
    VerifiedNameCertificate, VerifiedNameDetails,
};
use sandi::keys::{IdentityKey, IdentityKeyPair, PrivateKey};

use super::data::*;

/// The schema, for an encoder that is not ours.
#[derive(Clone, PartialEq, Message)]
struct ProtoCertificate {
    #[prost(bytes = "vec", optional, tag = "1")]
    details: Option<Vec<u8>>,
    #[prost(bytes = "vec", optional, tag = "2")]
    signature: Option<Vec<u8>>,
    #[prost(bytes = "vec", optional, tag = "3")]
    server_signature: Option<Vec<u8>>,
}

#[derive(Clone, PartialEq, Message)]
struct ProtoDetails {
    #[prost(uint64, optional, tag = "1")]
    serial: Option<u64>,
    #[prost(string, optional, tag = "2")]
    issuer: Option<String>,
    #[prost(string, optional, tag = "4")]
    verified_name: Option<String>,
    #[prost(message, repeated, tag = "8")]
    localized_names: Vec<ProtoLocalized>,
    #[prost(uint64, optional, tag = "10")]
    issue_time: Option<u64>,
}

#[derive(Clone, PartialEq, Message)]
struct ProtoLocalized {
    #[prost(string, optional, tag = "1")]
    lg: Option<String>,
    #[prost(string, optional, tag = "2")]
    lc: Option<String>,
    #[prost(string, optional, tag = "3")]
    verified_name: Option<String>,
}

#[derive(Clone, PartialEq, Message)]
struct ProtoIdentityInfo {
    #[prost(int32, optional, tag = "1")]
    vlevel: Option<i32>,
    #[prost(message, optional, tag = "2")]
    vname_cert: Option<ProtoCertificate>,
    #[prost(bool, optional, tag = "3")]
    signed: Option<bool>,
    #[prost(bool, optional, tag = "4")]
    revoked: Option<bool>,
    #[prost(int32, optional, tag = "5")]
    host_storage: Option<i32>,
    #[prost(int32, optional, tag = "6")]
    actual_actors: Option<i32>,
    #[prost(uint64, optional, tag = "7")]
    privacy_mode_ts: Option<u64>,
    #[prost(uint64, optional, tag = "8")]
    feature_controls: Option<u64>,
}

fn identity(private: [u8; 32]) -> IdentityKeyPair {
    IdentityKeyPair::from_private(PrivateKey::decode(&private).unwrap())
}

fn rng() -> StdRng {
    StdRng::seed_from_u64(25)
}

fn details(serial: u64, name: &str) -> VerifiedNameDetails {
    VerifiedNameDetails {
        serial,
        issuer: Issuer::SmallBusiness,
        name: name.into(),
        localized: Vec::new(),
        issue_time: 0,
    }
}

#[test]
fn vectors_verify_decode_and_encode_to_the_same_bytes() {
    let file = whatsapp("verified_name");
    for case in items(&file, "certs") {
        let public = [&[5][..], &hex(case, "identityPub")].concat();
        let key = IdentityKey::decode(&public).unwrap();
        let certificate = VerifiedNameCertificate::decode(&hex(case, "certificate")).unwrap();
        assert_eq!(certificate.details(), hex(case, "details"));
        assert_eq!(certificate.encode(), hex(case, "certificate"));
        let name = certificate.verify(&key).unwrap();
        assert_eq!(name.details().issuer.as_str(), text(case, "issuer"));
        let reference = ProtoDetails::decode(&*hex(case, "details")).unwrap();
        assert_eq!(Some(name.name()), reference.verified_name.as_deref());
        assert_eq!(Some(name.details().serial), reference.serial);
        assert_eq!(name.details().issue_time, reference.issue_time.unwrap_or(0));

        // Made anew, it has the same details and another good signature.
        let pair = identity(array(case, "identityPriv"));
        assert_eq!(pair.identity_key(), &key);
        let made = name.details().sign(&pair, &mut rng()).unwrap();
        assert_eq!(made.details(), hex(case, "details"));
        assert_ne!(made.encode(), hex(case, "certificate"));
        assert_eq!(made.verify(&key).unwrap().details(), name.details());
    }
}

#[test]
fn every_changed_byte_and_every_other_key_is_refused() {
    let file = whatsapp("verified_name");
    let other = identity([0x42; 32]);
    for case in items(&file, "certs") {
        let key = identity(array(case, "identityPriv"));
        let good = hex(case, "certificate");
        let certificate = VerifiedNameCertificate::decode(&good).unwrap();
        let refused = certificate.verify(other.identity_key());
        assert_eq!(refused.unwrap_err(), Error::SignatureValidationFailed);
        for at in 0..good.len() {
            let mut changed = good.clone();
            changed[at] ^= 0x10;
            // Not a certificate any more, or one that does not verify.
            if let Ok(certificate) = VerifiedNameCertificate::decode(&changed) {
                assert!(certificate.verify(key.identity_key()).is_err(), "byte {at}");
            }
        }
    }
}

#[test]
fn what_another_encoder_writes_is_verified_over_its_own_bytes() {
    let pair = identity([7; 32]);
    let reference = ProtoDetails {
        serial: Some(9),
        issuer: Some("ent:wa".into()),
        verified_name: Some("Warung Sandi".into()),
        localized_names: vec![
            ProtoLocalized {
                lg: Some("id".into()),
                lc: Some("ID".into()),
                verified_name: Some("Warung Sandi (ID)".into()),
            },
            ProtoLocalized { lg: Some("en".into()), lc: None, verified_name: Some("Stall".into()) },
        ],
        issue_time: Some(1_700_000_000),
    };
    let mut bytes = reference.encode_to_vec();
    // A field of a later schema, which is signed, too; and fields in another order.
    bytes.extend([0x9A, 0x06, 0x02, b'h', b'i']);
    let signature = pair.private_key().sign(&bytes, &mut rng()).to_vec();
    let certificate = ProtoCertificate {
        details: Some(bytes.clone()),
        signature: Some(signature),
        server_signature: Some(vec![1; 64]),
    };
    let read = VerifiedNameCertificate::decode(&certificate.encode_to_vec()).unwrap();
    assert_eq!(read.server_signature(), Some(&[1; 64][..]));
    assert_eq!(read.encode(), certificate.encode_to_vec());
    let name = read.verify(pair.identity_key()).unwrap();
    assert_eq!(name.details().issuer, Issuer::Enterprise);
    assert_eq!(name.details().name_in("id", "ID"), "Warung Sandi (ID)");
    assert_eq!(name.details().name_in("en", "US"), "Stall");
    assert_eq!(name.details().name_in("fr", "FR"), "Warung Sandi");
    // What we write, the other decoder reads.
    let ours = name.details().sign(&pair, &mut rng()).unwrap();
    assert_eq!(ProtoDetails::decode(ours.details()).unwrap(), reference);
}

#[test]
fn a_certificate_without_its_parts_is_refused() {
    let pair = identity([7; 32]);
    assert_eq!(VerifiedNameCertificate::decode(&[]).unwrap_err(), Error::InvalidProtobuf);
    let lacks = [
        ProtoDetails { serial: None, ..full() },
        ProtoDetails { issuer: None, ..full() },
        ProtoDetails { verified_name: None, ..full() },
        ProtoDetails { localized_names: vec![ProtoLocalized::default(); 257], ..full() },
    ];
    for details in lacks.map(|details| details.encode_to_vec()) {
        let signature = pair.private_key().sign(&details, &mut rng()).to_vec();
        let certificate = ProtoCertificate {
            details: Some(details),
            signature: Some(signature),
            server_signature: None,
        };
        let read = VerifiedNameCertificate::decode(&certificate.encode_to_vec()).unwrap();
        assert_eq!(read.verify(pair.identity_key()).unwrap_err(), Error::InvalidProtobuf);
    }
    let unnamed = LocalizedName { language: "x".into(), country: "".into(), name: "x".into() };
    let many = VerifiedNameDetails { localized: vec![unnamed; 257], ..details(1, "x") };
    assert_eq!(many.sign(&pair, &mut rng()).unwrap_err(), Error::InvalidArgument);
}

fn full() -> ProtoDetails {
    ProtoDetails {
        serial: Some(1),
        issuer: Some("smb:wa".into()),
        verified_name: Some("x".into()),
        ..ProtoDetails::default()
    }
}

#[test]
fn serials_rise_and_a_new_name_is_an_event() {
    let pair = identity([7; 32]);
    let verified = |details: VerifiedNameDetails, pair: &IdentityKeyPair| {
        details.sign(pair, &mut rng()).unwrap().verify(pair.identity_key()).unwrap()
    };
    let mut known = verified(details(5, "Toko"), &pair);
    // The same again, under another signature: nothing.
    assert_eq!(known.succeed(verified(details(5, "Toko"), &pair)), Ok(None));
    // Older, or of the same serial with other content: refused, and the name stays.
    for (serial, name) in [(5, "Other"), (4, "Toko"), (4, "Other"), (0, "Toko")] {
        let refused = known.succeed(verified(details(serial, name), &pair));
        assert_eq!(refused, Err(Error::Outdated));
        assert_eq!((known.name(), known.details().serial), ("Toko", 5));
    }
    // A newer serial of the same name: taken over without an event.
    assert_eq!(known.succeed(verified(details(6, "Toko"), &pair)), Ok(None));
    assert_eq!(known.details().serial, 6);
    let change = known.succeed(verified(details(u64::MAX, "Kedai"), &pair)).unwrap().unwrap();
    assert_eq!((&*change.old, &*change.new, change.identity_changed), ("Toko", "Kedai", false));
    // A new identity starts anew, and is said, even if the name stays.
    let moved = identity([8; 32]);
    let change = known.succeed(verified(details(1, "Kedai"), &moved)).unwrap().unwrap();
    assert_eq!((&*change.old, &*change.new, change.identity_changed), ("Kedai", "Kedai", true));
    assert_eq!(known.identity(), moved.identity_key());
    assert_eq!(Error::Outdated.disposition(), sandi::Disposition::Drop);
}

#[test]
fn a_profile_is_read_as_another_encoder_writes_it() {
    let pair = identity([7; 32]);
    let certificate = details(3, "Toko").sign(&pair, &mut rng()).unwrap();
    let reference = ProtoIdentityInfo {
        vlevel: Some(2),
        vname_cert: Some(ProtoCertificate::decode(&*certificate.encode()).unwrap()),
        signed: Some(true),
        revoked: Some(false),
        host_storage: Some(1),
        actual_actors: Some(0),
        privacy_mode_ts: Some(1_700_000_001),
        feature_controls: Some(5),
    };
    let bytes = reference.encode_to_vec();
    let info = IdentityInfo::decode(&bytes).unwrap();
    assert_eq!(info.level, VerifiedLevel::High);
    assert!(info.signed && !info.revoked);
    assert_eq!(info.host_storage, Some(HostStorage::Meta));
    assert_eq!(info.actual_actors, Some(ActualActors::Itself));
    assert_eq!((info.privacy_mode_time, info.feature_controls), (1_700_000_001, 5));
    let read = VerifiedNameCertificate::decode(info.certificate.unwrap()).unwrap();
    assert_eq!(read.verify(pair.identity_key()).unwrap().name(), "Toko");
    let again = info.encode();
    assert_eq!(IdentityInfo::decode(&again).unwrap(), info);
    let reread = ProtoIdentityInfo::decode(&*again).unwrap();
    assert_eq!(ProtoIdentityInfo { revoked: Some(false), ..reread }, reference);
    // Numbers of a later schema are kept apart from those that are known.
    let later = ProtoIdentityInfo { vlevel: Some(9), host_storage: Some(2), ..Default::default() };
    let later = later.encode_to_vec();
    let info = IdentityInfo::decode(&later).unwrap();
    assert_eq!(info.level, VerifiedLevel::Unknown);
    assert_eq!(info.host_storage, Some(HostStorage::Other(2)));
    assert_eq!(info.actual_actors, None);
    assert_eq!(IdentityInfo::decode(&[0x0A]), Err(Error::InvalidProtobuf));
    assert_eq!(IdentityInfo::decode(&[0x0A, 0]), Err(Error::InvalidProtobuf));
}
