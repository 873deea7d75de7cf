//! The keys of one message to a group (spec 05 §2).

use crate::crypto::{cbc, kdf};
use crate::error::Error;
use crate::secret::Secret;

/// HKDF label of the message keys.
const LABEL: &[u8] = b"WhisperGroup";

/// IV (16 bytes) and cipher key (32) of one message. There is no MAC: the signature stands for it.
#[derive(Debug)]
pub(super) struct SenderMessageKeys {
    iv: Secret<16>,
    cipher_key: Secret<32>,
}

impl SenderMessageKeys {
    /// `HKDF(salt = none, ikm = seed, info = "WhisperGroup", L = 48)`.
    pub(super) fn derive(seed: &Secret<32>) -> Self {
        let okm: Secret<48> = kdf::hkdf(None, seed.expose(), &[LABEL]);
        // iv = okm[0..16]; key = okm[16..48]
        Self { iv: kdf::part::<48, 0, 16>(&okm), cipher_key: kdf::part::<48, 16, 32>(&okm) }
    }

    /// AES-256-CBC with PKCS#7; `out` is exactly [`cbc::ciphertext_len`] bytes.
    pub(super) fn encrypt(&self, plaintext: &[u8], out: &mut [u8]) -> Result<(), Error> {
        cbc::encrypt(&self.cipher_key, &self.iv, plaintext, out)
    }

    /// Decrypts in place and returns the plaintext's length.
    pub(super) fn decrypt_in_place(&self, body: &mut [u8]) -> Result<usize, Error> {
        cbc::decrypt_in_place(&self.cipher_key, &self.iv, body)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    /// Spec 05 §7.
    #[test]
    fn the_iv_comes_first() {
        let seed = "fc37ee97a3cd7f7cb88e4dff2e2af54d3fb724cd443d4a7eaaf57e65ef4d1cac";
        let seed = Secret::from_slice(&hex::decode(seed).unwrap()).unwrap();
        let keys = SenderMessageKeys::derive(&seed);
        assert_eq!(hex::encode(keys.iv.expose()), "1f1059101d10981748a9cae6126c4cf5");
        assert_eq!(
            hex::encode(keys.cipher_key.expose()),
            "1795a7354aa7e5d558ba360acfa06a40a4625a9d21a44c1587f0f879328d9e30"
        );
    }
}
