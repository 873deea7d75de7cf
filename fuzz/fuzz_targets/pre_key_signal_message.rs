//! Any bytes as a PreKeySignalMessage: no panic, and the Kyber rule of spec 03 §5.2 holds.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sandi::wire::PreKeySignalMessage;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(message) = PreKeySignalMessage::parse(bytes) {
        assert!(message.version() == 3 || message.kyber().is_some());
        assert!(message.message().as_bytes().len() < bytes.len());
    }
});
