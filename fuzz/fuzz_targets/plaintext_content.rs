//! Any bytes as a PlaintextContent and as a DecryptionErrorMessage; what parses survives a round trip.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sandi::Timestamp;
use sandi::wire::{CiphertextMessageType, DecryptionErrorMessage, PlaintextContent};

fuzz_target!(|bytes: &[u8]| {
    if let Ok(content) = PlaintextContent::parse(bytes)
        && let Ok(message) = content.decryption_error_message()
    {
        let again = PlaintextContent::encode(&message);
        let again = PlaintextContent::parse(&again).unwrap().decryption_error_message().unwrap();
        assert_eq!(again, message);
    }
    if let Ok(message) = DecryptionErrorMessage::parse(bytes) {
        assert_eq!(DecryptionErrorMessage::parse(&message.encode()).unwrap(), message);
    }
    for code in [2, 3, 7, 8] {
        let message_type = CiphertextMessageType::from_code(code).unwrap();
        let _ = DecryptionErrorMessage::for_original(bytes, message_type, Timestamp(1), 2);
    }
});
