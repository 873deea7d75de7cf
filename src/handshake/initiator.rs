//! The initiator's half of the handshake (spec 03 §2 and §4.1).

use rand_core::CryptoRng;

use super::secret_input::{Agreements, Derived, SecretInput};
use crate::crypto::x25519::{self, PeerKey, Product};
use crate::dialect::Dialect;
use crate::error::Error;
use crate::keys::{IdentityKeyPair, KemCiphertext, KemPublicKey, KeyPair, PrivateKey, PublicKey};
use crate::secret::Secret;

/// The recipient's keys, as a verified bundle gives them.
pub(crate) struct Recipient<'a> {
    /// `IK_B`.
    pub(crate) identity: &'a PeerKey,
    /// `SPK_B`.
    pub(crate) signed_pre_key: &'a PublicKey,
    /// `OPK_B`.
    pub(crate) one_time_pre_key: Option<&'a PublicKey>,
    /// `KPK_B`.
    pub(crate) kem_pre_key: Option<&'a KemPublicKey>,
}

/// What the initiator ends up with.
pub(crate) struct Initiated {
    pub(crate) derived: Derived,
    /// `EK_A`'s public half, which names the session.
    pub(crate) base_key: PublicKey,
    /// `RK_A`, independent of `EK_A`.
    pub(crate) ratchet_key: KeyPair,
    /// `DH(RK_A, SPK_B)`, for the first ratchet step.
    pub(crate) ratchet_agreement: Secret<32>,
    /// The KEM ciphertext to send, in version 4.
    pub(crate) kem_ciphertext: Option<KemCiphertext>,
}

/// Runs X3DH or PQXDH as the initiator. Draws 32 bytes for `EK_A`, 32 for `RK_A` and, in version 4,
/// 32 for the KEM, in this order.
///
/// # Errors
///
/// [`Error::InvalidKeyAgreement`] when a key of the bundle is of low order,
/// [`Error::InvalidArgument`] when version 4 lacks the KEM pre-key.
pub(crate) fn initiate(
    dialect: Dialect,
    identity: &IdentityKeyPair,
    their: &Recipient<'_>,
    rng: &mut impl CryptoRng,
) -> Result<Initiated, Error> {
    let base = PrivateKey::generate(rng);
    let ratchet = PrivateKey::generate(rng);
    let (ik, ek, rk) = (identity.private_key().secret(), base.secret(), ratchet.secret());
    // DH1 = DH(IK_A, SPK_B), DH2 = DH(EK_A, IK_B), DH3 = DH(EK_A, SPK_B), DH4 = DH(EK_A, OPK_B)
    let signed_pre_key = their.signed_pre_key.prepare();
    let [base_key, ratchet_key, ratchet_agreement, dh1, dh2, dh3] = x25519::multiply_each([
        Product::Public(ek),
        Product::Public(rk),
        Product::Agreement(rk, &signed_pre_key),
        Product::Agreement(ik, &signed_pre_key),
        Product::Agreement(ek, their.identity),
        Product::Agreement(ek, &signed_pre_key),
    ])?;
    let dh4 = their.one_time_pre_key.map(|key| base.agree(key)).transpose()?;
    // SS = encapsulate to KPK_B
    let (kem_ciphertext, ss) = if dialect.row().kem {
        let key = their.kem_pre_key.ok_or(Error::InvalidArgument)?;
        let (ciphertext, ss) = key.encapsulate(rng);
        (Some(ciphertext), Some(ss))
    } else {
        (None, None)
    };
    let input = SecretInput::new(&Agreements { dh1, dh2, dh3, dh4, ss });
    Ok(Initiated {
        derived: input.derive(dialect),
        base_key: PublicKey::from_raw(*base_key.expose()),
        ratchet_key: KeyPair::from_parts(PublicKey::from_raw(*ratchet_key.expose()), ratchet),
        ratchet_agreement,
        kem_ciphertext,
    })
}
