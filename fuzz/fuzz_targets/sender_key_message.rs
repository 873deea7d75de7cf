//! Any bytes as a message to a group, in both forms, also behind a right signature: no panic, the view fits
//! the bytes, and what is refused changes nothing.
#![no_main]

#[path = "../rng.rs"]
mod rng;

use libfuzzer_sys::fuzz_target;
use rng::Rng;
use sandi::GroupDialect;
use sandi::group::SenderKeyRecord;
use sandi::keys::PrivateKey;
use sandi::wire::SenderKeyMessage;

fuzz_target!(|bytes: &[u8]| {
    for dialect in [GroupDialect::Distribution, GroupDialect::GroupId] {
        if let Ok(message) = SenderKeyMessage::parse(dialect, bytes) {
            assert_eq!(message.as_bytes(), bytes);
            assert_eq!(message.signed().len() + message.signature().len(), bytes.len());
            assert_eq!(&bytes[message.ciphertext_range()], message.ciphertext());
            assert_eq!(message.version(), 3);
        }
        // the same in a signed message, as a member of the group could send it
        let signing_key = PrivateKey::decode(&[0x55; 32]).unwrap();
        let mut signed = bytes.to_vec();
        let signature = signing_key.sign(&signed, &mut Rng(1));
        signed.extend_from_slice(&signature);
        let Ok(message) = SenderKeyMessage::parse(dialect, &signed) else { continue };
        // a record whose first chain is the message's, and that has skipped a key
        let mut stored = vec![1, 3, 0, 0, 0, 3];
        stored.extend_from_slice(&message.chain_id().to_be_bytes());
        stored.extend_from_slice(&10_u32.to_be_bytes());
        stored.extend_from_slice(&[7; 32]);
        stored.extend_from_slice(signing_key.public_key().as_raw());
        stored.extend_from_slice(&[0, 1, 0, 0, 0, 4]);
        stored.extend_from_slice(&[8; 32]);
        let mut record = SenderKeyRecord::decode(&stored).unwrap();
        match record.decrypt(&message) {
            Ok(_) => assert!(record.decrypt(&message).is_err()),
            Err(_) => assert!(*record.encode() == stored),
        }
        assert!(record.skipped_count() <= 2000);
    }
});
