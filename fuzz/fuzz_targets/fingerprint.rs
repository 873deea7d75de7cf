//! Any bytes as a scanned code: Signal's fingerprint, and the WhatsApp family's security code.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sandi::Error;
use sandi::fingerprint::{ScannableFingerprint, SecurityQr};

fuzz_target!(|bytes: &[u8]| {
    match ScannableFingerprint::decode(bytes) {
        Ok(code) => {
            let again = ScannableFingerprint::decode(&code.encode()).unwrap();
            assert_eq!(again, code);
            assert!(code.compare(&code.encode()).is_ok());
            let _ = code.compare(bytes);
        }
        Err(error) => assert_eq!(error, Error::FingerprintParsing),
    }
    match SecurityQr::decode(bytes) {
        Ok(code) => {
            assert_eq!(SecurityQr::decode(&code.encode()).unwrap(), code);
            let _ = code.compare(&code);
        }
        Err(error) => assert_eq!(error, Error::FingerprintParsing),
    }
});
