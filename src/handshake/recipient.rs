//! The recipient's half of the handshake (spec 03 §2 and §4.2).

use super::secret_input::{Agreements, Derived, SecretInput};
use crate::crypto::x25519::{self, Product};
use crate::crypto::xeddsa;
use crate::dialect::Dialect;
use crate::error::Error;
use crate::keys::{
    IdentityKey, IdentityKeyPair, KemCiphertext, KemSecretKey, PrivateKey, PublicKey,
};

/// Our keys that the message names.
pub(crate) struct Ours<'a> {
    /// `IK_B`.
    pub(crate) identity: &'a IdentityKeyPair,
    /// `SPK_B`.
    pub(crate) signed_pre_key: &'a PrivateKey,
    /// `OPK_B`.
    pub(crate) one_time_pre_key: Option<&'a PrivateKey>,
    /// `KPK_B`.
    pub(crate) kem_pre_key: Option<&'a KemSecretKey>,
}

/// The initiator's keys, as the message carries them.
pub(crate) struct Theirs<'a> {
    /// `IK_A`.
    pub(crate) identity: &'a IdentityKey,
    /// `EK_A`.
    pub(crate) base_key: &'a PublicKey,
    /// The KEM ciphertext, in version 4.
    pub(crate) kem_ciphertext: Option<&'a KemCiphertext>,
}

/// Runs X3DH or PQXDH as the recipient.
///
/// # Errors
///
/// [`Error::InvalidBaseKey`] when the base key is not canonical, checked before any agreement;
/// [`Error::InvalidKeyAgreement`] when a key is of low order; [`Error::IncompleteKyberFields`] when
/// version 4 lacks the KEM pre-key or ciphertext; [`Error::WrongKemKeyType`].
pub(crate) fn accept(
    dialect: Dialect,
    ours: &Ours<'_>,
    theirs: &Theirs<'_>,
) -> Result<Derived, Error> {
    let base_key = theirs.base_key.prepare();
    if !xeddsa::is_canonical(&base_key) {
        return Err(Error::InvalidBaseKey);
    }
    // DH1 = DH(SPK_B, IK_A), DH2 = DH(IK_B, EK_A), DH3 = DH(SPK_B, EK_A), DH4 = DH(OPK_B, EK_A)
    let identity = theirs.identity.public_key().prepare();
    let (ik, spk) = (ours.identity.private_key().secret(), ours.signed_pre_key.secret());
    let [dh1, dh2, dh3] = x25519::multiply_each([
        Product::Agreement(spk, &identity),
        Product::Agreement(ik, &base_key),
        Product::Agreement(spk, &base_key),
    ])?;
    let dh4 =
        ours.one_time_pre_key.map(|key| x25519::agree(key.secret(), &base_key)).transpose()?;
    // SS = decapsulate
    let ss = if dialect.row().kem {
        let key = ours.kem_pre_key.ok_or(Error::IncompleteKyberFields)?;
        let ciphertext = theirs.kem_ciphertext.ok_or(Error::IncompleteKyberFields)?;
        Some(key.decapsulate(ciphertext)?)
    } else {
        None
    };
    Ok(SecretInput::new(&Agreements { dh1, dh2, dh3, dh4, ss }).derive(dialect))
}
