//! Any bytes as a PreKeySignalMessage: no panic, the Kyber rule of spec 03 §5.2 holds, and what parses,
//! written again, parses to the same.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sandi::wire::{PreKeySignalMessage, PreKeySignalMessageFields, SignalMessageFields};

fuzz_target!(|bytes: &[u8]| {
    let Ok(message) = PreKeySignalMessage::parse(bytes) else { return };
    assert!(message.version() == 3 || message.kyber().is_some());
    assert!(message.message().as_bytes().len() < bytes.len());

    let inner = message.message();
    let inner_fields = SignalMessageFields {
        version_byte: inner.version_byte(),
        ratchet_key: inner.ratchet_key(),
        counter: inner.counter(),
        previous_counter: inner.previous_counter(),
        pq_ratchet: inner.pq_ratchet().unwrap_or_default(),
        addresses: inner.addresses().and_then(|addresses| addresses.try_into().ok()),
    };
    let fields = PreKeySignalMessageFields {
        version_byte: message.version_byte(),
        registration_id: message.registration_id(),
        pre_key_id: message.pre_key_id(),
        signed_pre_key_id: message.signed_pre_key_id(),
        kyber: message.kyber(),
        base_key: message.base_key(),
        identity_key: message.identity_key(),
    };
    let fill = |place: &mut [u8]| {
        place.copy_from_slice(inner.ciphertext());
        Ok(())
    };
    let length = inner.ciphertext().len();
    let mut out = Vec::new();
    fields.write(&inner_fields, &mut out, length, fill, |_| *inner.mac()).unwrap();
    assert_eq!(out.len(), fields.encoded_len(inner_fields.encoded_len(length)));
    assert_eq!(out.len(), out.capacity());

    let again = PreKeySignalMessage::parse(&out).unwrap();
    assert_eq!(again.version_byte(), message.version_byte());
    assert_eq!(again.registration_id(), message.registration_id());
    assert_eq!(again.pre_key_id(), message.pre_key_id());
    assert_eq!(again.signed_pre_key_id(), message.signed_pre_key_id());
    assert_eq!(again.kyber(), message.kyber());
    assert_eq!(again.base_key(), message.base_key());
    assert_eq!(again.identity_key(), message.identity_key());
    assert_eq!(again.message().ratchet_key(), inner.ratchet_key());
    assert_eq!(again.message().counter(), inner.counter());
    assert_eq!(again.message().ciphertext(), inner.ciphertext());
    assert_eq!(again.message().mac(), inner.mac());
});
