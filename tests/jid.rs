//! The WhatsApp family's addresses (spec 20 §2).
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use proptest::prelude::*;
use sandi::jid::{HOSTED_DEVICE, Server};
use sandi::{Address, DeviceId, Error, Jid};

fn jid(text: &str) -> Jid {
    Jid::parse(text).unwrap()
}

#[test]
fn the_text_of_a_device_comes_back_and_its_parts_are_read() {
    for text in [
        "447700900123@s.whatsapp.net",
        "111111111111111:3@lid",
        "555@g.us",
        "status@broadcast",
        "g.us",
    ] {
        assert_eq!(jid(text).to_string(), text);
    }
    let device = jid("447700900123_1:7@s.whatsapp.net");
    assert_eq!(
        (device.user(), device.device().get(), device.server()),
        ("447700900123", 7, Server::PhoneNumber)
    );
    assert_eq!(device.to_string(), "447700900123:7@s.whatsapp.net");
    assert_eq!(device.without_device().to_string(), "447700900123@s.whatsapp.net");
}

#[test]
fn the_legacy_server_is_the_phone_number_server() {
    assert_eq!(jid("447700900123@c.us"), jid("447700900123@s.whatsapp.net"));
    assert_eq!(jid("447700900123:0@c.us").to_string(), "447700900123@s.whatsapp.net");
}

#[test]
fn a_participant_is_named_with_its_device_always_written() {
    assert_eq!(jid("111111111111111@lid").with_device_text(), "111111111111111:0@lid");
}

#[test]
fn phone_number_lid_and_hosted_have_distinct_names_in_stores_and_come_back() {
    let texts = [
        ("12025550111:2@s.whatsapp.net", "12025550111"),
        ("12025550111:2@lid", "12025550111_1"),
        ("12025550111:99@hosted", "12025550111_128"),
        ("12025550111:99@hosted.lid", "12025550111_129"),
    ];
    for (text, name) in texts {
        let address = jid(text).address().unwrap();
        assert_eq!(address.name(), name);
        assert_eq!(Jid::from_address(&address), Ok(jid(text)));
    }
    for text in ["555@g.us", "status@broadcast", "s.whatsapp.net"] {
        assert_eq!(jid(text).address(), Err(Error::InvalidProtocolAddress));
    }
    let odd = Address::new("12025550111_2", DeviceId::new_v3(0).unwrap());
    assert_eq!(Jid::from_address(&odd), Err(Error::InvalidProtocolAddress));
}

#[test]
fn hosted_servers_and_device_99_are_hosted() {
    for text in ["1@hosted", "1:4@hosted.lid", "1:99@s.whatsapp.net", "1:99@lid"] {
        assert!(jid(text).is_hosted(), "{text}");
    }
    for text in ["1@s.whatsapp.net", "1:98@lid", "1:99@bot", "1@g.us"] {
        assert!(!jid(text).is_hosted(), "{text}");
    }
    assert_eq!(HOSTED_DEVICE.get(), 99);
}

#[test]
fn malformed_texts_are_refused() {
    let long = format!("{}@lid", "1".repeat(300));
    for text in [
        "",
        "a@",
        "a@nowhere",
        "a:256@lid",
        "a:@lid",
        "a:-1@lid",
        "a:+1@lid",
        "a_x@lid",
        "a_@lid",
        "a:1:2@lid",
        "a_1_2@lid",
        "a@b@lid",
        &long,
    ] {
        assert_eq!(Jid::parse(text), Err(Error::InvalidProtocolAddress), "{text}");
    }
}

proptest! {
    #[test]
    fn what_is_parsed_is_written_and_parsed_alike(text in "[0-9a-z@:_.]{0,24}") {
        if let Ok(jid) = Jid::parse(&text) {
            prop_assert_eq!(Jid::parse(&jid.to_string()), Ok(jid));
        }
    }
}
