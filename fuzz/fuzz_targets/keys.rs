//! Any bytes as keys, signatures, service ids and pre-key records.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sandi::ServiceId;
use sandi::keys::{
    IdentityKeyPair, KemCiphertext, KemPublicKey, KemSecretKey, KemType, PrivateKey, PublicKey,
};
use sandi::migrate::official;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(key) = PublicKey::decode(bytes) {
        assert_eq!(key.encode(), bytes[..33]);
        let canonical = key.is_canonical();
        let _ = key.verify(bytes, bytes.get(33..97).unwrap_or_default());
        let agreed = PrivateKey::decode(&[7; 32]).unwrap().agree(&key);
        assert!(agreed.is_ok() || !canonical, "a canonical key is not of low order");
    }
    if let Ok(key) = PrivateKey::decode(bytes) {
        assert_eq!(PrivateKey::decode(key.secret().expose()).unwrap(), key);
    }
    if let Ok(pair) = IdentityKeyPair::decode(bytes) {
        assert_eq!(IdentityKeyPair::decode(pair.encode().expose()).unwrap(), pair);
    }
    let all = [KemType::Kyber1024, KemType::MlKem1024];
    if let Ok(key) = KemPublicKey::decode_any(bytes, &all) {
        assert_eq!(key.encode(), bytes);
    }
    if let Ok(ciphertext) = KemCiphertext::decode_any(bytes, &all) {
        assert_eq!(ciphertext.encode(), bytes);
    }
    let _ = KemSecretKey::decode_any(bytes, &all);
    if let Ok(id) = ServiceId::from_variable_width(bytes) {
        assert_eq!(id.to_variable_width(), bytes);
    }
    if let Ok(id) = ServiceId::from_fixed_width(bytes) {
        assert_eq!(id.to_fixed_width(), bytes);
    }
    if let Some(id) = core::str::from_utf8(bytes).ok().and_then(|text| ServiceId::parse(text).ok()) {
        assert_eq!(ServiceId::parse(&id.to_string()).unwrap(), id);
    }
    let _ = official::decode_pre_key(bytes);
    let _ = official::decode_signed_pre_key(bytes);
    let _ = official::decode_kem_pre_key(bytes);
});
