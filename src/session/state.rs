//! The state of one session, and what one message does to it (spec 04 §3 to §5).

use alloc::vec::Vec;

use rand_core::CryptoRng;
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use super::Addresses;
use super::pending::PendingPreKey;
use crate::crypto::cbc;
use crate::dialect::Dialect;
use crate::error::Error;
use crate::keys::{IdentityKey, PublicKey};
use crate::ratchet::double_ratchet::Incoming;
use crate::ratchet::{DoubleRatchet, MessageKeys};
use crate::secret::Secret;
use crate::spqr::{self, Spqr, SpqrError};
use crate::time::Timestamp;
use crate::wire::{
    CiphertextMessageType, PreKeySignalMessageFields, SignalMessage, SignalMessageFields,
    address_binding,
};

/// A decrypted message body. Wiped on drop.
pub type Plaintext = Zeroizing<Vec<u8>>;

/// One session.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct State {
    pub(crate) dialect: Dialect,
    pub(crate) local_identity: IdentityKey,
    pub(crate) remote_identity: IdentityKey,
    pub(crate) local_registration_id: u32,
    pub(crate) remote_registration_id: u32,
    /// `EK_A`: names the session.
    pub(crate) base_key: PublicKey,
    pub(crate) pending: Option<PendingPreKey>,
    pub(crate) ratchet: DoubleRatchet,
    /// Off in version 3, and where a peer of old talked it down (spec 04 §5).
    pub(crate) spqr: Spqr,
}

/// A message whose MAC has verified; nothing has changed yet.
#[derive(Debug)]
pub(crate) struct Authentic {
    keys: MessageKeys,
    incoming: Incoming,
    spqr: spqr::PendingReceive,
}

impl Authentic {
    /// Decrypts the body in place and returns the plaintext's length (spec 04 §4 step 7).
    pub(crate) fn decrypt_in_place(&self, body: &mut [u8]) -> Result<usize, Error> {
        self.keys.decrypt_in_place(body)
    }

    /// Decrypts the body of `message` into a buffer of its own.
    pub(crate) fn decrypt(&self, message: &SignalMessage<'_>) -> Result<Plaintext, Error> {
        let mut body = Zeroizing::new(message.ciphertext().to_vec());
        let length = self.decrypt_in_place(&mut body)?;
        body.truncate(length);
        Ok(body)
    }
}

impl State {
    pub(crate) const fn version(&self) -> u8 {
        self.dialect.session_version()
    }

    /// Whether an unanswered session is too old to send (spec 04 §3 step 2).
    pub(crate) fn is_stale(&self, now: Timestamp) -> bool {
        self.pending.as_ref().is_some_and(|pending| pending.is_stale(now))
    }

    pub(crate) const fn runs_spqr(&self) -> bool {
        !self.spqr.is_off()
    }

    /// Whether this is a session with one's own account, which lifts the forward-jump limits: equal
    /// identity keys, and equal service ids (spec 01 §8.1).
    fn is_self_session(&self, addresses: Addresses<'_>) -> bool {
        is_same_account(&self.local_identity, &self.remote_identity, addresses)
    }

    /// Steps 3 to 6 of spec 04 §3: appends the message of the next counter to `out`, and moves on.
    /// `trusted` is asked, direction Sending, before anything is written.
    pub(crate) fn encrypt(
        &mut self,
        addresses: Addresses<'_>,
        plaintext: &[u8],
        trusted: impl FnOnce(&IdentityKey) -> bool,
        rng: &mut impl CryptoRng,
        out: &mut Vec<u8>,
    ) -> Result<CiphertextMessageType, Error> {
        let row = self.dialect.row();
        // 3. SPQR: message and key
        let spqr = self.spqr.prepare_send(rng).map_err(from_spqr)?;
        // 4. seed from the current chain; message keys with the SPQR key as salt
        let outgoing = self.ratchet.prepare_send()?;
        let keys = MessageKeys::derive(&outgoing.seed, spqr.key());
        let ciphertext_len = cbc::ciphertext_len(plaintext.len()).ok_or(Error::InvalidArgument)?;
        // 5. trust
        if !trusted(&self.remote_identity) {
            return Err(Error::UntrustedIdentity);
        }
        // only messages wrapped in a pre-key message are bound to their addresses (spec 04 §2.3)
        let binding = if self.pending.is_some() && row.binds_addresses {
            address_binding(addresses.local, addresses.remote)
        } else {
            None
        };
        let message = SignalMessageFields {
            version_byte: row.version_byte,
            ratchet_key: self.ratchet.ratchet_key()?,
            counter: outgoing.counter,
            previous_counter: self.ratchet.previous_counter,
            pq_ratchet: spqr.message(),
            addresses: binding.as_ref(),
        };
        let fill = |body: &mut [u8]| keys.encrypt(plaintext, body);
        let mac = |bytes: &[u8]| keys.mac(&self.local_identity, &self.remote_identity, bytes);
        let message_type = match &self.pending {
            None => {
                message.write(out, ciphertext_len, fill, mac)?;
                CiphertextMessageType::Signal
            }
            Some(pending) => {
                let kem = pending.kem.as_ref().map(|(id, ciphertext)| (*id, ciphertext.encode()));
                PreKeySignalMessageFields {
                    version_byte: row.version_byte,
                    registration_id: self.local_registration_id,
                    pre_key_id: pending.pre_key_id,
                    signed_pre_key_id: pending.signed_pre_key_id,
                    kyber: kem.as_ref().map(|(id, ciphertext)| (*id, ciphertext.as_slice())),
                    base_key: &self.base_key,
                    identity_key: &self.local_identity,
                }
                .write(&message, out, ciphertext_len, fill, mac)?;
                CiphertextMessageType::PreKey
            }
        };
        // 6. advance
        self.ratchet.commit_send(outgoing);
        self.spqr.commit_send(spqr);
        Ok(message_type)
    }

    /// Steps 1 to 6 of spec 04 §4: finds the message's key and verifies its MAC and address binding.
    /// Changes nothing.
    ///
    /// # Errors
    ///
    /// [`Error::DuplicatedMessage`], [`Error::TooFarInFuture`], [`Error::ChainExhausted`],
    /// [`Error::InvalidSession`], [`Error::InvalidState`]; [`Error::Rejected`] for everything else.
    pub(crate) fn authenticate(
        &self,
        addresses: Addresses<'_>,
        message: &SignalMessage<'_>,
    ) -> Result<Authentic, Error> {
        if message.version() != self.version() {
            return Err(Error::Rejected);
        }
        // 1. to 3. the Double Ratchet
        let incoming = self
            .ratchet
            .prepare_receive(
                message.ratchet_key(),
                message.counter(),
                self.is_self_session(addresses),
            )
            .map_err(|error| match error {
                Error::InvalidKeyAgreement => Error::Rejected,
                other => other,
            })?;
        // 4. SPQR; an absent field 5 is an empty message, which is version 0
        let spqr = self
            .spqr
            .prepare_receive(message.pq_ratchet().unwrap_or_default())
            .map_err(from_spqr)?;
        // 5. message keys from the seed, with the SPQR key as salt
        let keys = incoming.secret.keys(spqr.key())?;
        // 6. MAC, then address binding
        keys.verify_mac(
            &self.remote_identity,
            &self.local_identity,
            message.authenticated(),
            message.mac(),
        )?;
        verify_binding(addresses, message)?;
        Ok(Authentic { keys, incoming, spqr })
    }

    /// Step 8 of spec 04 §4: merges what an authentic message changes. Draws 32 bytes when it brought
    /// a new ratchet key.
    pub(crate) fn commit(
        &mut self,
        authentic: Authentic,
        rng: &mut impl CryptoRng,
    ) -> Result<(), Error> {
        self.ratchet.commit_receive(authentic.incoming, rng)?;
        self.spqr.commit_receive(authentic.spqr);
        self.pending = None;
        Ok(())
    }
}

/// A message that SPQR refuses is one that does not decrypt; corrupt state is told apart (spec 04 §4).
const fn from_spqr(error: SpqrError) -> Error {
    match error {
        SpqrError::StateDecode => Error::InvalidState,
        SpqrError::Exhausted => Error::ChainExhausted,
        SpqrError::KeyJump { .. } => Error::TooFarInFuture,
        _ => Error::Rejected,
    }
}

/// The SPQR state of a new session (spec 03 §4.3): version 1 and nothing less, where the dialect runs
/// it. A session with one's own account may jump ahead without limit.
pub(crate) fn initial_spqr(
    pqkey: Option<&Secret<32>>,
    direction: spqr::Direction,
    self_session: bool,
) -> Spqr {
    let Some(pqkey) = pqkey else { return Spqr::off() };
    let limits = if self_session { spqr::Limits::self_session() } else { spqr::Limits::default() };
    Spqr::new(direction, spqr::Version::V1, pqkey, limits)
}

/// The same-account test (spec 01 §8.1): identity keys equal, and both names the same service id.
pub(crate) fn is_same_account(
    local: &IdentityKey,
    remote: &IdentityKey,
    addresses: Addresses<'_>,
) -> bool {
    local == remote
        && addresses
            .local
            .service_id()
            .is_some_and(|ours| addresses.remote.service_id().is_some_and(|theirs| ours == theirs))
}

/// The receiver's half of the address binding (spec 04 §2.3): absent is accepted, present must be the
/// 36 bytes expected.
fn verify_binding(addresses: Addresses<'_>, message: &SignalMessage<'_>) -> Result<(), Error> {
    let Some(received) = message.addresses() else { return Ok(()) };
    let expected = address_binding(addresses.remote, addresses.local).ok_or(Error::Rejected)?;
    if bool::from(expected.as_slice().ct_eq(received)) { Ok(()) } else { Err(Error::Rejected) }
}
