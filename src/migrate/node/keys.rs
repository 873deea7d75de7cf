//! Key pairs, pre-keys and credentials.

use serde::de::Deserialize;

use super::json::{Bytes, Number, object};
use crate::error::Error;
use crate::keys::{IdentityKey, IdentityKeyPair, KeyPair, PrivateKey};
use crate::prekey::{PreKey, PreKeyId, SignedPreKey};
use crate::time::Timestamp;

/// What a file of credentials holds of a device's keys.
#[derive(Debug)]
pub struct Credentials {
    /// `signedIdentityKey`: the account's identity on this device.
    pub identity: IdentityKeyPair,
    /// `registrationId`: the device's registration id.
    pub registration_id: u32,
    /// `signedPreKey`: the signed pre-key that peers are given.
    pub signed_pre_key: SignedPreKey,
    /// `nextPreKeyId`: the first one-time pre-key id that was never given out.
    pub next_pre_key_id: PreKeyId,
}

/// Reads credentials: an object with `signedIdentityKey`, `signedPreKey`, `registrationId` and
/// `nextPreKeyId`. `now` becomes the signed pre-key's creation time, which they lack: it is rotated a
/// full period from now.
///
/// # Errors
///
/// [`Error::InvalidState`] for anything else, and the errors of the keys.
pub fn decode_credentials(json: &[u8], now: Timestamp) -> Result<Credentials, Error> {
    let json: CredentialsJson = read(json)?;
    Ok(Credentials {
        identity: json.signed_identity_key.identity()?,
        registration_id: json.registration_id.u32().ok_or(Error::InvalidState)?,
        signed_pre_key: json.signed_pre_key.key(now)?,
        next_pre_key_id: json.next_pre_key_id.u32().ok_or(Error::InvalidState)?,
    })
}

/// Reads the identity key pair: an object with the two keys.
///
/// # Errors
///
/// [`Error::InvalidState`] for anything else, or when the two do not belong together, and the errors of
/// the keys.
pub fn decode_identity_key_pair(json: &[u8]) -> Result<IdentityKeyPair, Error> {
    read::<KeyPairJson>(json)?.identity()
}

/// Reads the one-time pre-key `id`: an object with the two keys, to which the store's own key adds the id.
///
/// # Errors
///
/// As [`decode_identity_key_pair`].
pub fn decode_pre_key(id: PreKeyId, json: &[u8]) -> Result<PreKey, Error> {
    Ok(PreKey::from_parts(id, read::<KeyPairJson>(json)?.key_pair()?))
}

/// Reads a signed pre-key: an object with `keyId`, `keyPair` and `signature`, which is not verified.
/// `created` is its creation time, which the object lacks.
///
/// # Errors
///
/// As [`decode_identity_key_pair`]; [`Error::SignatureValidationFailed`] unless the signature has 64 bytes.
pub fn decode_signed_pre_key(json: &[u8], created: Timestamp) -> Result<SignedPreKey, Error> {
    read::<SignedPreKeyJson>(json)?.key(created)
}

fn read<'a, T: Deserialize<'a>>(json: &'a [u8]) -> Result<T, Error> {
    serde_json::from_slice(json).map_err(|_| Error::InvalidState)
}

object! { CredentialsJson {
    signed_identity_key: KeyPairJson = "signedIdentityKey",
    signed_pre_key: SignedPreKeyJson = "signedPreKey",
    registration_id: Number = "registrationId",
    next_pre_key_id: Number = "nextPreKeyId",
} }

object! {
    /// libsignal-node says `pubKey` and `privKey`, the stores around it `public` and `private`.
    KeyPairJson {
        public: Bytes = "public" | "pubKey" | "publicKey",
        private: Bytes = "private" | "privKey" | "privateKey",
    }
}

impl KeyPairJson {
    /// The pair, whose halves must belong together.
    pub(super) fn key_pair(&self) -> Result<KeyPair, Error> {
        let (public, private) = (self.public.public_key()?, self.private.private_key()?);
        if private.public_key() != public {
            return Err(Error::InvalidState);
        }
        Ok(KeyPair::from_parts(public, private))
    }

    fn identity(&self) -> Result<IdentityKeyPair, Error> {
        let pair = self.key_pair()?;
        let private = PrivateKey::decode(pair.private_key().secret().expose())?;
        Ok(IdentityKeyPair::from_parts(IdentityKey::new(*pair.public_key()), private))
    }
}

object! { SignedPreKeyJson {
    key_id: Number = "keyId",
    key_pair: KeyPairJson = "keyPair",
    signature: Bytes = "signature",
} }

impl SignedPreKeyJson {
    fn key(&self, created: Timestamp) -> Result<SignedPreKey, Error> {
        let signature = self.signature.as_slice().try_into();
        Ok(SignedPreKey::from_parts(
            self.key_id.u32().ok_or(Error::InvalidState)?,
            self.key_pair.key_pair()?,
            signature.map_err(|_| Error::SignatureValidationFailed)?,
            created,
        ))
    }
}
