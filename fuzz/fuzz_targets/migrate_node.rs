//! Any text as a record of the version-3 family's JSON stores: a typed error, or a session that is bounded,
//! survives the official encoding, and answers every operation.
#![no_main]

#[path = "../rng.rs"]
mod rng;

use libfuzzer_sys::fuzz_target;
use rng::Rng;
use sandi::keys::{IdentityKeyPair, PrivateKey};
use sandi::migrate::{node, official};
use sandi::session::{Addresses, LocalDevice};
use sandi::wire::SignalMessage;
use sandi::{Address, DeviceId, Timestamp};

fuzz_target!(|json: &[u8]| {
    let now = Timestamp(1_790_000_000_000);
    let _ = node::decode_credentials(json, now);
    let _ = node::decode_pre_key(1, json);
    let _ = node::decode_signed_pre_key(json, now);
    let identity = IdentityKeyPair::from_private(PrivateKey::decode(&[7; 32]).unwrap());
    let local = LocalDevice { identity: &identity, registration_id: 1 };
    let Ok(decoded) = node::decode_session(json, local) else { return };
    let mut session = decoded.session;
    assert!(session.archived_count() <= 40 && decoded.unreadable <= json.len());
    let encoded = official::encode_session(&session);
    assert!(official::decode_session(&encoded).unwrap() == session);
    let device = DeviceId::new_v3(0).unwrap();
    let (ours, theirs) = (Address::new("a", device), Address::new("b", device));
    let ends = Addresses { local: &ours, remote: &theirs };
    let mut rng = Rng(1);
    if let Ok(message) = session.encrypt(ends, b"text", |_| true, now, &mut rng)
        && let Ok(view) = SignalMessage::parse(&message.bytes)
    {
        let _ = session.decrypt(ends, &view, |_| true, &mut rng);
    }
});
