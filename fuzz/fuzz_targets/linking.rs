//! Any bytes as what links and verifies devices: every parser and every check of spec 22 and spec 09 §4.
#![no_main]

#[path = "../rng.rs"]
mod rng;

use libfuzzer_sys::fuzz_target;
use rng::Rng;
use sandi::keys::{IdentityKeyPair, PrivateKey};
use sandi::linking::passkey::{CompanionEphemeralIdentity, PasskeyCompanion, PasskeyPrimary};
use sandi::linking::*;
use sandi::{DeviceId, Error, Jid, Secret};

fn pair(seed: u8) -> IdentityKeyPair {
    IdentityKeyPair::from_private(PrivateKey::decode(&[seed; 32]).unwrap())
}

fuzz_target!(|bytes: &[u8]| {
    let Some((&choice, bytes)) = bytes.split_first() else { return };
    let mut rng = Rng(1);
    let (account, device) = (pair(1), pair(2));
    let address = if choice & 0x80 == 0 { "1:5@lid" } else { "1:99@hosted" };
    let address = Jid::parse(address).unwrap();
    match choice % 10 {
        0 => {
            let Ok(signed) = SignedDeviceIdentity::parse(bytes) else { return };
            assert_eq!(SignedDeviceIdentity::parse(&signed.encode()).unwrap(), signed);
            let known = Some(account.identity_key());
            let verified =
                VerifiedCompanion::verify(&address, device.identity_key(), &signed, known);
            // nobody has signed it with our keys; a hosting account may have any key
            assert!(verified.is_err() || address.is_hosted());
        }
        1 => {
            let container = SignedDeviceIdentityHmac::parse(bytes);
            if let Ok(container) = container {
                assert_eq!(SignedDeviceIdentityHmac::parse(&container.encode()), Ok(container));
            }
            let pending = AwaitingPrimary::from_secret(Secret::new([3; 32]));
            assert!(pending.accept(&device, bytes, &mut rng).is_err());
        }
        2 => {
            if let Ok(list) = KeyIndexList::decode(bytes) {
                assert_eq!(KeyIndexList::decode(&list.encode()), Ok(list));
            }
            let mut devices = DeviceList::new();
            let id = DeviceId::new_v3(5).unwrap();
            let listed = [ListedCompanion { id, key_index: Some(1), hosted: false }];
            assert!(devices.update(bytes, &listed, account.identity_key()).is_err());
            assert_eq!(devices, DeviceList::new());
        }
        3 => {
            if let Ok(primary) = Primary::decode(bytes) {
                assert_eq!(primary.encode(), bytes);
            }
        }
        4 => {
            let Ok(text) = core::str::from_utf8(bytes) else { return };
            if let Ok(qr) = LinkingQr::parse(text) {
                let again = LinkingQr::parse(&qr.encode()).unwrap();
                assert_eq!(again.adv_secret, qr.adv_secret);
                assert_eq!(again.reference, qr.reference);
            }
            if let Ok(code) = LinkingCode::parse(text) {
                assert_eq!(LinkingCode::parse(&code.to_text()).unwrap(), code);
            }
        }
        5 => {
            let Ok(text) = core::str::from_utf8(bytes) else { return };
            if let Ok(url) = ProvisioningUrl::parse(text) {
                assert_eq!(ProvisioningUrl::parse(&url.encode()), Ok(url));
            }
        }
        6 => {
            let _ = parse_provisioning_address(bytes);
            let new = ProvisioningDevice::generate(&mut rng);
            assert!(new.open(bytes).is_err());
            if let Ok(message) = ProvisionMessage::decode(bytes) {
                assert_eq!(ProvisionMessage::decode(&message.encode()).unwrap(), message);
                let to = new.url("a").public_key;
                let sealed = seal_provision_message(&message, &to, &mut rng).unwrap();
                assert_eq!(new.open(&sealed).unwrap(), message);
            }
        }
        7 => {
            if let Ok(identity) = CompanionEphemeralIdentity::decode(bytes) {
                assert_eq!(CompanionEphemeralIdentity::decode(&identity.encode()), Ok(identity));
            }
            let _ = PasskeyPrimary::start(bytes, &mut rng);
        }
        8 => {
            let companion = PasskeyCompanion::start(1, "ref", &mut rng).unwrap();
            let prologue = companion.prologue();
            let primary = PasskeyPrimary::start(&prologue, &mut rng).unwrap();
            let ready = companion.answered(&primary.answer()).unwrap();
            let theirs = primary.revealed(ready.nonce()).unwrap();
            assert_eq!(theirs.code(), ready.code());
            assert!(theirs.open_request(bytes).is_err());
        }
        _ => {
            let made = Primary::new(1, EncryptionType::E2ee).link(
                &account,
                &LinkingRequest::from_parts(
                    *device.identity_key().public_key(),
                    Secret::new([3; 32]),
                ),
                LinkingKind::default(),
                sandi::Timestamp(0),
                &mut rng,
            );
            let error = made.unwrap().pending.finish(bytes).unwrap_err();
            assert!(!matches!(error, Error::SignatureValidationFailed) || !bytes.is_empty());
        }
    }
});
