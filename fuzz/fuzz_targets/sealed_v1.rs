//! Any bytes as a sealed message of version 1, as certificates and as content; and as the content of a
//! message that was sealed properly.
#![no_main]

#[path = "../rng.rs"]
mod rng;

use libfuzzer_sys::fuzz_target;
use rng::Rng;
use sandi::keys::IdentityKeyPair;
use sandi::sealed_sender::{
    OwnDevice, SenderCertificate, ServerCertificate, Trust, UnidentifiedSenderMessageContent, open,
    seal_v1,
};
use sandi::{DeviceId, Timestamp};

fuzz_target!(|bytes: &[u8]| {
    let recipient = IdentityKeyPair::generate(&mut Rng(1));
    let roots = [*recipient.identity_key().public_key()];
    let trust = Trust::new(&roots);
    assert!(open(&[&[0x11], bytes].concat(), &recipient).is_err(), "nobody sealed this");
    if let Ok(certificate) = ServerCertificate::parse(bytes) {
        assert_eq!(certificate.as_bytes(), bytes);
        assert!(!certificate.is_valid(&roots[0]), "nobody signed this");
    }
    if let Ok(certificate) = SenderCertificate::parse(bytes) {
        assert_eq!(certificate.as_bytes(), bytes);
        assert_ne!(certificate.validate(&trust, Timestamp(0)), Ok(true), "nobody signed this");
    }
    if let Ok(content) = UnidentifiedSenderMessageContent::parse(bytes.to_vec()) {
        assert_eq!(content.as_bytes(), bytes);
        let inside = |part: &[u8]| part.is_empty() || bytes.windows(part.len()).any(|w| w == part);
        assert!(inside(content.contents()) && content.group_id().is_none_or(inside));
        // sealed by whoever: it opens only for the certified identity, and is never valid
        let sender = IdentityKeyPair::generate(&mut Rng(2));
        let message = seal_v1(&sender, recipient.identity_key(), &content, &mut Rng(3)).unwrap();
        if let Ok(opened) = open(&message, &recipient) {
            assert_eq!(opened.unvalidated(), &content);
            let own = OwnDevice { uuid: "", e164: None, device: DeviceId::new(1).unwrap() };
            assert!(opened.validate(&trust, &own, Timestamp(0)).is_err());
        }
    }
});
