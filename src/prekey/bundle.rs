//! Pre-key bundles (spec 02 §4 and §5).

use super::{KemPreKey, PreKey, PreKeyId, SignedPreKey};
use crate::address::DeviceId;
use crate::crypto::x25519::PeerKey;
use crate::crypto::xeddsa;
use crate::error::Error;
use crate::keys::{IdentityKey, KemPublicKey, PublicKey, Signature};

/// The one-time pre-key of a bundle.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BundlePreKey {
    /// Its id.
    pub id: PreKeyId,
    /// Its public key.
    pub key: PublicKey,
}

/// The signed pre-key of a bundle.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BundleSignedPreKey {
    /// Its id.
    pub id: PreKeyId,
    /// Its public key.
    pub key: PublicKey,
    /// The identity's signature over the key's 33-byte encoding.
    pub signature: Signature,
}

/// The KEM pre-key of a bundle.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BundleKemPreKey {
    /// Its id.
    pub id: PreKeyId,
    /// Its public key.
    pub key: KemPublicKey,
    /// The identity's signature over the key's 1,569-byte encoding.
    pub signature: Signature,
}

/// What a server hands out so that a session with a device can be started while it is offline.
///
/// An in-memory value: how a server writes it down is the app's business.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PreKeyBundle {
    /// The device's registration id.
    pub registration_id: u32,
    /// The device's id; informational: a session belongs to the address the caller names.
    pub device_id: DeviceId,
    /// The account's identity key.
    pub identity_key: IdentityKey,
    /// The signed pre-key.
    pub signed_pre_key: BundleSignedPreKey,
    /// A one-time pre-key, if the server has one left.
    pub pre_key: Option<BundlePreKey>,
    /// The KEM pre-key: needed for version 4, absent in version 3.
    pub kem_pre_key: Option<BundleKemPreKey>,
}

impl PreKeyBundle {
    /// The bundle that a device publishes from its own keys.
    #[must_use]
    pub fn of(
        registration_id: u32,
        device_id: DeviceId,
        identity_key: IdentityKey,
        signed: &SignedPreKey,
        one_time: Option<&PreKey>,
        kem: Option<&KemPreKey>,
    ) -> Self {
        Self {
            registration_id,
            device_id,
            identity_key,
            signed_pre_key: BundleSignedPreKey {
                id: signed.id(),
                key: *signed.key_pair().public_key(),
                signature: *signed.signature(),
            },
            pre_key: one_time
                .map(|key| BundlePreKey { id: key.id(), key: *key.key_pair().public_key() }),
            kem_pre_key: kem.map(|key| BundleKemPreKey {
                id: key.id(),
                key: key.key_pair().public_key().clone(),
                signature: *key.signature(),
            }),
        }
    }

    /// Verifies both signatures with the bundle's identity key: the signed pre-key's, then the KEM
    /// pre-key's, if there is one (spec 02 §5 steps 2 and 3).
    ///
    /// # Errors
    ///
    /// [`Error::SignatureValidationFailed`].
    pub fn verify(&self) -> Result<(), Error> {
        self.verify_prepared(&self.identity_key.public_key().prepare())
    }

    /// As [`verify`](Self::verify), for a caller that goes on with the identity key.
    pub(crate) fn verify_prepared(&self, identity: &PeerKey) -> Result<(), Error> {
        let signed = &self.signed_pre_key;
        if !xeddsa::verify_prepared(identity, &[&signed.key.encode()], &signed.signature) {
            return Err(Error::SignatureValidationFailed);
        }
        if let Some(kem) = &self.kem_pre_key
            && !xeddsa::verify_prepared(identity, &[&kem.key.encode()], &kem.signature)
        {
            return Err(Error::SignatureValidationFailed);
        }
        Ok(())
    }
}
