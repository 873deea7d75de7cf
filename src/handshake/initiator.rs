//! The initiator's half of the handshake (spec 03 §2 and §4.1).

use rand_core::CryptoRng;

use super::secret_input::{Agreements, Derived, SecretInput};
use crate::dialect::Dialect;
use crate::error::Error;
use crate::keys::{IdentityKey, IdentityKeyPair, KemCiphertext, KemPublicKey, KeyPair, PublicKey};

/// The recipient's keys, as a verified bundle gives them.
pub(crate) struct Recipient<'a> {
    /// `IK_B`.
    pub(crate) identity: &'a IdentityKey,
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
    let base = KeyPair::generate(rng);
    let ratchet_key = KeyPair::generate(rng);
    let ek = base.private_key();
    // DH1 = DH(IK_A, SPK_B), DH2 = DH(EK_A, IK_B), DH3 = DH(EK_A, SPK_B), DH4 = DH(EK_A, OPK_B)
    let dh1 = identity.private_key().agree(their.signed_pre_key)?;
    let dh2 = ek.agree(their.identity.public_key())?;
    let dh3 = ek.agree(their.signed_pre_key)?;
    let dh4 = their.one_time_pre_key.map(|key| ek.agree(key)).transpose()?;
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
        base_key: *base.public_key(),
        ratchet_key,
        kem_ciphertext,
    })
}
