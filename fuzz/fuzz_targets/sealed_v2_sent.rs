//! Any bytes as a sent message of version 2, as a server reads it.
#![no_main]

use std::collections::BTreeSet;

use libfuzzer_sys::fuzz_target;
use sandi::sealed_sender::SentMessage;

fuzz_target!(|bytes: &[u8]| {
    let Ok(message) = SentMessage::parse(bytes) else { return };
    assert!(bytes.ends_with(message.shared()) && message.shared().len() >= 32);
    let mut accounts = BTreeSet::new();
    let mut devices = 0;
    for recipient in message.recipients() {
        assert!(accounts.insert(*recipient.service_id()), "an account appears once");
        for (device, registration_id) in recipient.devices() {
            assert!((1..=127).contains(&device.get()) && registration_id <= 0x3FFF);
            devices += 1;
        }
        assert!(recipient.devices().count() > 0);
        let received = message.received(recipient).unwrap();
        assert_eq!(received.len(), 1 + 48 + message.shared().len());
        assert_eq!(message.received_parts(recipient).unwrap().concat(), received);
    }
    for account in message.excluded() {
        assert!(accounts.insert(account), "an account appears once");
    }
    assert!(accounts.len() * 16 + devices * 3 <= bytes.len());
});
