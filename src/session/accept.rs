//! Receiving a pre-key message (spec 03 §5.3).

use rand_core::CryptoRng;

use super::state::{Plaintext, State, initial_spqr, is_same_account};
use super::{Addresses, LocalDevice, Session};
use crate::dialect::Policy;
use crate::error::Error;
use crate::handshake::recipient::{self, Ours, Theirs};
use crate::keys::{IdentityKey, KemCiphertext, PublicKey};
use crate::prekey::{KemPreKey, PreKey, PreKeyId, ReplayGuard, SignedPreKey};
use crate::ratchet::DoubleRatchet;
use crate::spqr::Direction;
use crate::wire::PreKeySignalMessage;

/// Our pre-keys that a pre-key message names, as far as the store has them.
///
/// Needed unless [`Session::has_session_of`] says that the session exists already.
#[derive(Clone, Copy, Debug, Default)]
pub struct PreKeys<'a> {
    /// The signed pre-key.
    pub signed: Option<&'a SignedPreKey>,
    /// The KEM pre-key.
    pub kem: Option<&'a KemPreKey>,
    /// The one-time pre-key.
    pub one_time: Option<&'a PreKey>,
    /// What last-resort KEM pre-keys have met; `None` for a one-time KEM pre-key.
    pub replay_guard: Option<&'a ReplayGuard>,
}

/// A pre-key message that decrypted.
#[derive(Debug)]
pub struct Accepted {
    /// The message's plaintext.
    pub plaintext: Plaintext,
    /// What the message used up, when it established a session; `None` when the session existed.
    pub used: Option<UsedPreKeys>,
}

/// Pre-keys that a new session used. In the same commit as the session: delete the one-time pre-key;
/// delete a one-time KEM pre-key, or record a last-resort one in its [`ReplayGuard`] (spec 02 §6).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct UsedPreKeys {
    /// The one-time pre-key's id.
    pub one_time: Option<PreKeyId>,
    /// The signed pre-key's id.
    pub signed: PreKeyId,
    /// The KEM pre-key's id, in version 4.
    pub kem: Option<PreKeyId>,
    /// The base key of the session.
    pub base_key: PublicKey,
}

impl Session {
    /// Decrypts a pre-key message: in the session with its base key if there is one, else in a new one
    /// that becomes current. Draws 32 bytes when it brings a new ratchet key.
    ///
    /// `trusted` is asked first, direction Receiving, even when the session exists.
    ///
    /// # Errors
    ///
    /// [`Error::UntrustedIdentity`]; [`Error::DialectRefused`]; [`Error::InvalidSignedPreKeyId`],
    /// [`Error::InvalidKyberPreKeyId`], [`Error::InvalidPreKeyId`] (in this order) for pre-keys that
    /// `keys` lacks; [`Error::InvalidBaseKey`]; errors of the KEM ciphertext;
    /// [`Error::InvalidKeyAgreement`]; [`Error::ReusedBaseKey`]; [`Error::DuplicatedMessage`];
    /// [`Error::InvalidSession`] when a corrupt archived session is met;
    /// [`Error::Rejected`] when the message does not decrypt. Nothing is changed then.
    #[allow(clippy::too_many_arguments)] // a pure function: what it reads is an argument
    pub fn accept(
        &mut self,
        addresses: Addresses<'_>,
        local: LocalDevice<'_>,
        message: &PreKeySignalMessage<'_>,
        keys: PreKeys<'_>,
        policy: Policy,
        trusted: impl FnOnce(&IdentityKey) -> bool,
        rng: &mut impl CryptoRng,
    ) -> Result<Accepted, Error> {
        // 2. trust
        if !trusted(message.identity_key()) {
            return Err(Error::UntrustedIdentity);
        }
        // 3. an existing session, current or archived
        if let Some(at) = self.find_session_of(message)? {
            let state = self.state(at).ok_or(Error::InvalidSession)?;
            let authentic = state.authenticate(addresses, message.message())?;
            let plaintext = authentic.decrypt(message.message())?;
            self.merge(at, authentic, rng)?;
            return Ok(Accepted { plaintext, used: None });
        }
        // 4. to 6. a new session
        let (mut state, used) = establish(addresses, local, message, keys, policy)?;
        // 7. the embedded message, in the new session only
        let authentic = state.authenticate(addresses, message.message())?;
        let plaintext = authentic.decrypt(message.message())?;
        if let (Some(guard), Some(kem)) = (keys.replay_guard, used.kem) {
            guard.check(kem, used.signed, &used.base_key)?;
        }
        state.commit(authentic, rng)?;
        self.promote(state);
        Ok(Accepted { plaintext, used: Some(used) })
    }
}

/// Looks the named pre-keys up, runs the handshake, and builds the recipient's state (spec 03 §4.2).
fn establish(
    addresses: Addresses<'_>,
    local: LocalDevice<'_>,
    message: &PreKeySignalMessage<'_>,
    keys: PreKeys<'_>,
    policy: Policy,
) -> Result<(State, UsedPreKeys), Error> {
    let dialect =
        policy.dialect(message.version()).ok_or(Error::DialectRefused(message.version()))?;
    // 5. signed, then KEM, then one-time pre-key
    let signed_id = message.signed_pre_key_id();
    let signed = keys
        .signed
        .filter(|key| key.id() == signed_id)
        .ok_or(Error::InvalidSignedPreKeyId(signed_id))?;
    let (kem, kem_ciphertext) = if dialect.row().kem {
        let (id, ciphertext) = message.kyber().ok_or(Error::IncompleteKyberFields)?;
        let key = keys.kem.filter(|key| key.id() == id).ok_or(Error::InvalidKyberPreKeyId(id))?;
        (Some(key), Some(KemCiphertext::decode(ciphertext)?))
    } else {
        (None, None)
    };
    let one_time = message
        .pre_key_id()
        .map(|id| keys.one_time.filter(|key| key.id() == id).ok_or(Error::InvalidPreKeyId(id)))
        .transpose()?;
    // 6. the handshake
    let derived = recipient::accept(
        dialect,
        &Ours {
            identity: local.identity,
            signed_pre_key: signed.key_pair().private_key(),
            one_time_pre_key: one_time.map(|key| key.key_pair().private_key()),
            kem_pre_key: kem.map(|key| key.key_pair().secret_key()),
        },
        &Theirs {
            identity: message.identity_key(),
            base_key: message.base_key(),
            kem_ciphertext: kem_ciphertext.as_ref(),
        },
    )?;
    let self_session =
        is_same_account(local.identity.identity_key(), message.identity_key(), addresses);
    let state = State {
        dialect,
        local_identity: *local.identity.identity_key(),
        remote_identity: *message.identity_key(),
        local_registration_id: local.registration_id,
        remote_registration_id: message.registration_id(),
        base_key: *message.base_key(),
        pending: None,
        ratchet: DoubleRatchet::recipient(
            derived.root0,
            derived.chain0,
            signed.key_pair().duplicate(),
        ),
        spqr: initial_spqr(derived.pqkey.as_ref(), Direction::B2A, self_session),
    };
    let used = UsedPreKeys {
        one_time: message.pre_key_id(),
        signed: signed_id,
        kem: kem.map(KemPreKey::id),
        base_key: *message.base_key(),
    };
    Ok((state, used))
}
