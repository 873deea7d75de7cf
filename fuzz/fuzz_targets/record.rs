//! Any bytes as an official session record: no panic, encoding is stable, and every accessor and operation
//! gives a typed answer.
#![no_main]

#[path = "../rng.rs"]
mod rng;

use libfuzzer_sys::fuzz_target;
use rng::Rng;
use sandi::migrate::official::{decode_session, encode_session};
use sandi::session::{Addresses, Requirements};
use sandi::wire::SignalMessage;
use sandi::{Address, DeviceId, Timestamp};

fuzz_target!(|bytes: &[u8]| {
    let Ok(mut session) = decode_session(bytes) else { return };
    let encoded = encode_session(&session);
    let again = decode_session(&encoded).expect("what was encoded decodes");
    assert!(encode_session(&again) == encoded, "encoding is stable");
    let device = DeviceId::new(1).unwrap();
    let (ours, theirs) = (Address::new("a", device), Address::new("b", device));
    let addresses = Addresses { local: &ours, remote: &theirs };
    let mut rng = Rng(1);
    let all = Requirements { not_stale: true, pqxdh: true, spqr: true };
    let _ = (session.is_usable(all, Timestamp(1)), session.remote_identity(), session.base_key());
    if let Ok(message) = session.encrypt(addresses, b"text", |_| true, Timestamp(1), &mut rng)
        && let Ok(view) = SignalMessage::parse(&message.bytes)
    {
        // our own message: of some chain that the record may or may not know
        let _ = session.decrypt(addresses, &view, |_| true, &mut rng);
    }
    session.archive_current();
    assert!(session.archived_count() <= 40);
});
