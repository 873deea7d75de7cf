//! A private and a public key: the agreement is the ladder's, whichever way it was worked out.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sandi::Error;
use sandi::keys::{PrivateKey, PublicKey};
use x25519_dalek::StaticSecret;

fuzz_target!(|keys: ([u8; 32], [u8; 32])| {
    let (private, public) = keys;
    let ladder = StaticSecret::from(private).diffie_hellman(&public.into());
    let agreed = PrivateKey::decode(&private).unwrap().agree(&PublicKey::from_raw(public));
    match agreed {
        Ok(shared) => assert_eq!(shared.expose(), ladder.as_bytes()),
        Err(error) => {
            assert_eq!(error, Error::InvalidKeyAgreement);
            assert!(!ladder.was_contributory());
        }
    }
});
