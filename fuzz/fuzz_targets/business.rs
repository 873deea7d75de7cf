//! Any bytes as a business's certificate, as its profile, and as the stored record of who can read its chat.
#![no_main]

#[path = "../rng.rs"]
mod rng;

use libfuzzer_sys::fuzz_target;
use rng::Rng;
use sandi::business::{IdentityInfo, Signal, VerifiedNameCertificate};
use sandi::device::NewDevice;
use sandi::keys::{IdentityKeyPair, PrivateKey};
use sandi::protocol::{HostedPolicy, IdentityScope, Options};
use sandi::{Address, Changes, Device, DeviceId, Error, MemoryStore, RecordKey, Store, Timestamp};

const NOW: Timestamp = Timestamp(1_790_000_000_000);

fn pair() -> IdentityKeyPair {
    IdentityKeyPair::from_private(PrivateKey::decode(&[7; 32]).unwrap())
}

fn certificate(bytes: &[u8]) {
    let Ok(certificate) = VerifiedNameCertificate::decode(bytes) else { return };
    assert_eq!(VerifiedNameCertificate::decode(&certificate.encode()).unwrap(), certificate);
    // Nobody has signed it.
    let refused = certificate.verify(pair().identity_key());
    assert_eq!(refused.unwrap_err(), Error::SignatureValidationFailed);
}

/// The bytes as details that are signed.
fn details(bytes: &[u8]) {
    let signature = pair().private_key().sign(bytes, &mut Rng(3));
    let mut signed = vec![0x0A];
    let mut length = bytes.len();
    while length >= 0x80 {
        signed.push(length as u8 | 0x80);
        length >>= 7;
    }
    signed.push(length as u8);
    signed.extend(bytes);
    signed.extend([0x12, 0x40]);
    signed.extend(&signature[..]);
    let certificate = VerifiedNameCertificate::decode(&signed).unwrap();
    assert_eq!(certificate.details(), bytes);
    match certificate.verify(pair().identity_key()) {
        Ok(mut name) => {
            let again = name.details().sign(&pair(), &mut Rng(4)).unwrap();
            let again = again.verify(pair().identity_key()).unwrap();
            assert_eq!(again.details(), name.details());
            let _ = name.details().name_in("id", "ID");
            let _ = name.succeed(again);
        }
        Err(error) => assert_eq!(error, Error::InvalidProtobuf),
    }
}

fn profile(bytes: &[u8]) {
    let Ok(info) = IdentityInfo::decode(bytes) else { return };
    assert_eq!(IdentityInfo::decode(&info.encode()).unwrap(), info);
    if let Some(signal) = Signal::profile(&info) {
        assert!(!signal.is_bound());
        assert_eq!(signal.claim().at, info.privacy_mode_time);
    }
}

fn record(bytes: &[u8]) {
    let rng = &mut Rng(5);
    let new = NewDevice {
        address: Address::new("us", DeviceId::new(1).unwrap()),
        identity: pair(),
        registration_id: 1,
        scope: IdentityScope::Device,
    };
    let options = Options { hosted: HostedPolicy::RequireConsent, ..Options::default() };
    let mut device = Device::create(MemoryStore::new(), new, options, rng).unwrap();
    let key = RecordKey::EncryptionStatus("shop".into());
    let mut changes = Changes::new();
    changes.create(key.clone(), bytes.to_vec(), rng).unwrap();
    device.store_mut().commit(&changes).unwrap();
    let to = Address::new("shop", DeviceId::new(1).unwrap());
    let answer = device.encrypt(&to, b"text", NOW, rng).unwrap_err().protocol().unwrap();
    match device.encryption_status("shop") {
        Ok(known) => {
            let expected =
                if known.permits() { Error::SessionNotFound } else { Error::ConsentRequired };
            assert_eq!(answer, expected);
            // Learning nothing writes nothing: there is one encoding.
            assert_eq!(device.learn_hosting(&["shop"], &[], NOW, rng).unwrap(), []);
            assert_eq!(device.store().load(&key).unwrap().unwrap().bytes(), bytes);
            if !known.permits() {
                device.consent_to_hosting("shop", known.status(), NOW, rng).unwrap();
                assert!(device.encryption_status("shop").unwrap().permits());
            }
        }
        Err(error) => {
            assert_eq!(answer, error.protocol().unwrap());
            assert!(matches!(answer, Error::InvalidState | Error::FutureRecord(_)));
            assert!(device.learn_hosting(&["shop"], &[], NOW, rng).is_err());
        }
    }
}

fuzz_target!(|bytes: &[u8]| {
    let Some((which, rest)) = bytes.split_first() else { return };
    match which % 4 {
        0 => certificate(rest),
        1 => details(rest),
        2 => profile(rest),
        _ => record(rest),
    }
});
