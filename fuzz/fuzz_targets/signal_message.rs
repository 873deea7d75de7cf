//! Any bytes as a SignalMessage: no panic, what parses is laid out as it says, and written again parses
//! to the same.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sandi::wire::{SignalMessage, SignalMessageFields};

fuzz_target!(|bytes: &[u8]| {
    let Ok(message) = SignalMessage::parse(bytes) else { return };
    assert_eq!(message.as_bytes(), bytes);
    assert_eq!(message.authenticated().len() + message.mac().len(), bytes.len());
    assert_eq!(&bytes[message.ciphertext_range()], message.ciphertext());
    assert!(matches!(message.version(), 3 | 4));

    // A sender writes no empty field 5, and a field 6 of 36 bytes only.
    let addresses = message.addresses().and_then(|addresses| addresses.try_into().ok());
    let fields = SignalMessageFields {
        version_byte: message.version_byte(),
        ratchet_key: message.ratchet_key(),
        counter: message.counter(),
        previous_counter: message.previous_counter(),
        pq_ratchet: message.pq_ratchet().unwrap_or_default(),
        addresses,
    };
    let fill = |place: &mut [u8]| {
        place.copy_from_slice(message.ciphertext());
        Ok(())
    };
    let mut out = Vec::new();
    fields.write(&mut out, message.ciphertext().len(), fill, |_| *message.mac()).unwrap();
    assert_eq!(out.len(), fields.encoded_len(message.ciphertext().len()));
    assert_eq!(out.len(), out.capacity());

    let again = SignalMessage::parse(&out).unwrap();
    assert_eq!(again.version_byte(), message.version_byte());
    assert_eq!(again.ratchet_key(), message.ratchet_key());
    assert_eq!(again.counter(), message.counter());
    assert_eq!(again.previous_counter(), message.previous_counter());
    assert_eq!(again.ciphertext(), message.ciphertext());
    assert_eq!(again.pq_ratchet(), message.pq_ratchet().filter(|bytes| !bytes.is_empty()));
    assert_eq!(again.addresses(), addresses.map(<[u8; 36]>::as_slice));
    assert_eq!(again.mac(), message.mac());
});
