//! Any bytes as each record of the official library: a typed error, or a value that encodes to bytes which
//! decode to the same value. The first byte chooses the record.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sandi::keys::IdentityKeyPair;
use sandi::migrate::official;

fuzz_target!(|bytes: &[u8]| {
    let Some((kind, bytes)) = bytes.split_first() else { return };
    match kind % 5 {
        0 => {
            let Ok(session) = official::decode_session(bytes) else { return };
            let encoded = official::encode_session(&session);
            assert!(official::decode_session(&encoded).unwrap() == session);
            assert!(session.archived_count() <= 40);
        }
        1 => {
            let Ok(key) = official::decode_pre_key(bytes) else { return };
            let encoded = official::encode_pre_key(&key);
            assert!(official::encode_pre_key(&official::decode_pre_key(&encoded).unwrap()) == encoded);
        }
        2 => {
            let Ok(key) = official::decode_signed_pre_key(bytes) else { return };
            let encoded = official::encode_signed_pre_key(&key);
            let again = official::decode_signed_pre_key(&encoded).unwrap();
            assert!(official::encode_signed_pre_key(&again) == encoded);
        }
        3 => {
            let Ok(key) = official::decode_kem_pre_key(bytes) else { return };
            let encoded = official::encode_kem_pre_key(&key);
            let again = official::decode_kem_pre_key(&encoded).unwrap();
            assert!(official::encode_kem_pre_key(&again) == encoded);
        }
        _ => {
            let Ok(pair) = IdentityKeyPair::decode(bytes) else { return };
            assert!(IdentityKeyPair::decode(pair.encode().expose()).unwrap() == pair);
        }
    }
});
