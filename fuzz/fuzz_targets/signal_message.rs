//! Any bytes as a SignalMessage: no panic, and what parses is laid out as it says.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sandi::wire::SignalMessage;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(message) = SignalMessage::parse(bytes) {
        assert_eq!(message.as_bytes(), bytes);
        assert_eq!(message.authenticated().len() + message.mac().len(), bytes.len());
        assert_eq!(&bytes[message.ciphertext_range()], message.ciphertext());
        assert!(matches!(message.version(), 3 | 4));
    }
});
