//! Starting a session from a bundle (spec 02 §5).

use rand_core::CryptoRng;

use super::pending::PendingPreKey;
use super::state::{State, initial_spqr, is_same_account};
use super::{Addresses, LocalDevice, Session};
use crate::dialect::{Dialect, Policy};
use crate::error::Error;
use crate::handshake::initiator::{self, Recipient};
use crate::keys::IdentityKey;
use crate::prekey::PreKeyBundle;
use crate::ratchet::DoubleRatchet;
use crate::spqr::Direction;
use crate::time::Timestamp;

impl Session {
    /// Starts a session with the device that published `bundle`, and archives the current one if there
    /// is one. Until the peer answers, every message is a pre-key message.
    ///
    /// The dialect follows `policy`: version 4 where the bundle has a KEM pre-key and the policy offers
    /// it, else version 3 where the policy offers that. `trusted` is asked first, direction Sending.
    /// Draws 64 bytes, and 32 more in version 4.
    ///
    /// # Errors
    ///
    /// [`Error::UntrustedIdentity`]; [`Error::SignatureValidationFailed`]; [`Error::DialectRefused`]
    /// when the policy offers no dialect that the bundle can serve;
    /// [`Error::InvalidKeyAgreement`] when a key of the bundle is of low order. Nothing is changed then.
    #[allow(clippy::too_many_arguments)] // a pure function: what it reads is an argument
    pub fn initiate(
        &mut self,
        addresses: Addresses<'_>,
        local: LocalDevice<'_>,
        bundle: &PreKeyBundle,
        policy: Policy,
        trusted: impl FnOnce(&IdentityKey) -> bool,
        now: Timestamp,
        rng: &mut impl CryptoRng,
    ) -> Result<(), Error> {
        // 1. trust
        if !trusted(&bundle.identity_key) {
            return Err(Error::UntrustedIdentity);
        }
        // 2. and 3. signatures
        let identity = bundle.identity_key.public_key().prepare();
        bundle.verify_prepared(&identity)?;
        let dialect = choose(policy, bundle)?;
        // 5. and 6. fresh base key, key agreement
        let initiated = initiator::initiate(
            dialect,
            local.identity,
            &Recipient {
                identity: &identity,
                signed_pre_key: &bundle.signed_pre_key.key,
                one_time_pre_key: bundle.pre_key.as_ref().map(|pre_key| &pre_key.key),
                kem_pre_key: bundle.kem_pre_key.as_ref().map(|pre_key| &pre_key.key),
            },
            rng,
        )?;
        // spec 03 §4.1: the initial state
        let derived = initiated.derived;
        let ratchet = DoubleRatchet::initiator(
            &derived.root0,
            derived.chain0,
            bundle.signed_pre_key.key,
            initiated.ratchet_key,
            &initiated.ratchet_agreement,
        );
        let self_session =
            is_same_account(local.identity.identity_key(), &bundle.identity_key, addresses);
        let kem_id = bundle.kem_pre_key.as_ref().map(|pre_key| pre_key.id);
        let state = State {
            dialect,
            local_identity: *local.identity.identity_key(),
            remote_identity: bundle.identity_key,
            // 8. registration ids
            local_registration_id: local.registration_id,
            remote_registration_id: bundle.registration_id,
            base_key: initiated.base_key,
            // 7. unacknowledged pre-key message
            pending: Some(PendingPreKey {
                pre_key_id: bundle.pre_key.as_ref().map(|pre_key| pre_key.id),
                signed_pre_key_id: bundle.signed_pre_key.id,
                created_secs: now.as_secs(),
                kem: kem_id.zip(initiated.kem_ciphertext),
            }),
            ratchet,
            spqr: initial_spqr(derived.pqkey.as_ref(), Direction::A2B, self_session),
        };
        // 10. promote
        self.promote(state);
        Ok(())
    }
}

/// The dialect that the policy offers and the bundle can serve.
fn choose(policy: Policy, bundle: &PreKeyBundle) -> Result<Dialect, Error> {
    let v4 = bundle.kem_pre_key.as_ref().and_then(|_| policy.dialect(4));
    v4.or_else(|| policy.dialect(3)).ok_or(Error::DialectRefused(3))
}
