//! The keys of one message (spec 04 §1) and what they do to its body (spec 04 §2.1).

use subtle::ConstantTimeEq;

use crate::crypto::{cbc, kdf};
use crate::error::Error;
use crate::keys::IdentityKey;
use crate::secret::Secret;
use crate::wire::MAC_LENGTH;

/// HKDF label of the message keys.
const LABEL: &[u8] = b"WhisperMessageKeys";

/// Cipher key (32 bytes), MAC key (32) and IV (16) of one message.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct MessageKeys {
    cipher_key: Secret<32>,
    mac_key: Secret<32>,
    iv: Secret<16>,
}

impl MessageKeys {
    /// `HKDF(salt = S, ikm = seed, info = "WhisperMessageKeys", L = 80)`, where `S` is the SPQR
    /// message key, or none.
    pub(crate) fn derive(seed: &Secret<32>, spqr_key: Option<&Secret<32>>) -> Self {
        let okm: Secret<80> = kdf::hkdf(spqr_key.map(Secret::expose), seed.expose(), &[LABEL]);
        // cipher_key = okm[0..32]; mac_key = okm[32..64]; iv = okm[64..80]
        Self {
            cipher_key: kdf::part::<80, 0, 32>(&okm),
            mac_key: kdf::part::<80, 32, 32>(&okm),
            iv: kdf::part::<80, 64, 16>(&okm),
        }
    }

    /// Joins keys that an old record stored derived (spec 08 §1.2).
    pub(crate) const fn from_parts(
        cipher_key: Secret<32>,
        mac_key: Secret<32>,
        iv: Secret<16>,
    ) -> Self {
        Self { cipher_key, mac_key, iv }
    }

    pub(crate) const fn cipher_key(&self) -> &Secret<32> {
        &self.cipher_key
    }

    pub(crate) const fn mac_key(&self) -> &Secret<32> {
        &self.mac_key
    }

    pub(crate) const fn iv(&self) -> &Secret<16> {
        &self.iv
    }

    fn duplicate(&self) -> Self {
        Self {
            cipher_key: self.cipher_key.duplicate(),
            mac_key: self.mac_key.duplicate(),
            iv: self.iv.duplicate(),
        }
    }

    /// AES-256-CBC with PKCS#7; `out` is exactly [`cbc::ciphertext_len`] bytes.
    pub(crate) fn encrypt(&self, plaintext: &[u8], out: &mut [u8]) -> Result<(), Error> {
        cbc::encrypt(&self.cipher_key, &self.iv, plaintext, out)
    }

    /// Decrypts in place and returns the plaintext's length.
    pub(crate) fn decrypt_in_place(&self, body: &mut [u8]) -> Result<usize, Error> {
        cbc::decrypt_in_place(&self.cipher_key, &self.iv, body)
    }

    /// `HMAC(mac_key, ser(sender) || ser(receiver) || version byte || protobuf)[0..8]`.
    pub(crate) fn mac(
        &self,
        sender: &IdentityKey,
        receiver: &IdentityKey,
        authenticated: &[u8],
    ) -> [u8; MAC_LENGTH] {
        let mac = kdf::hmac(
            self.mac_key.expose(),
            &[&sender.encode(), &receiver.encode(), authenticated],
        );
        kdf::part::<32, 0, MAC_LENGTH>(&mac).into_bytes()
    }

    /// Compares the MAC of a received message in constant time.
    ///
    /// # Errors
    ///
    /// [`Error::Rejected`] when it differs.
    pub(crate) fn verify_mac(
        &self,
        sender: &IdentityKey,
        receiver: &IdentityKey,
        authenticated: &[u8],
        mac: &[u8; MAC_LENGTH],
    ) -> Result<(), Error> {
        if bool::from(self.mac(sender, receiver, authenticated).ct_eq(mac)) {
            Ok(())
        } else {
            Err(Error::Rejected)
        }
    }
}

/// What a chain keeps for one message: a seed, from which the keys follow once SPQR has spoken, or
/// the keys themselves in records of releases before 0.67.2 (spec 08 §1.2).
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum MessageSecret {
    /// The seed, 32 bytes.
    Seed(Secret<32>),
    /// Keys stored derived; usable only where SPQR yields no key.
    Derived(MessageKeys),
}

impl MessageSecret {
    /// The message keys for the SPQR key of the same message.
    ///
    /// # Errors
    ///
    /// [`Error::Rejected`] for derived keys where SPQR yields a key (spec 04 §4 step 5).
    pub(crate) fn keys(&self, spqr_key: Option<&Secret<32>>) -> Result<MessageKeys, Error> {
        match (self, spqr_key) {
            (Self::Seed(seed), key) => Ok(MessageKeys::derive(seed, key)),
            (Self::Derived(keys), None) => Ok(keys.duplicate()),
            (Self::Derived(_), Some(_)) => Err(Error::Rejected),
        }
    }

    pub(crate) fn duplicate(&self) -> Self {
        match self {
            Self::Seed(seed) => Self::Seed(seed.duplicate()),
            Self::Derived(keys) => Self::Derived(keys.duplicate()),
        }
    }

    /// A secret of zeros, to stand where a real one was taken from.
    pub(crate) const fn zero() -> Self {
        Self::Seed(Secret::zero())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Spec 04 §1, vector with an SPQR key as salt.
    #[test]
    fn spqr_key_is_the_salt() {
        let bytes = |text| Secret::from_slice(&hex::decode(text).unwrap()).unwrap();
        let seed = bytes("9c6c6ae1b90ab2e217b73857bcaa02d74545d653a25654afe8a3735ffcd8230c");
        let key = bytes("966cdc63a866d35ff41a46a10c7ea01211187ea7547c147ca8849f09189b1e38");
        let keys = MessageKeys::derive(&seed, Some(&key));
        assert_eq!(
            hex::encode(keys.cipher_key.expose()),
            "1633cc03f273c37deb6038bb4d0e4bb19bcb9d1d99eba777234220d6f470c8fb"
        );
        assert_eq!(
            hex::encode(keys.mac_key.expose()),
            "31ef0618b1608e2e11ea12f4110c77f76e0b299183e66580badbd759a03c642a"
        );
        assert_eq!(hex::encode(keys.iv.expose()), "69a5e45949134c91e26a0800d6f7528c");
    }

    #[test]
    fn derived_keys_are_refused_beside_an_spqr_key() {
        let derived = MessageSecret::Derived(MessageKeys::derive(&Secret::zero(), None));
        assert!(derived.keys(None).is_ok());
        assert_eq!(derived.keys(Some(&Secret::zero())).unwrap_err(), Error::Rejected);
    }
}
