//! Decrypting a message of a peer device (spec 03 §5.3, spec 04 §4 and §6).

use alloc::vec::Vec;
use core::fmt;

use rand_core::CryptoRng;

use super::trust::{self, Seen};
use super::used_keys::{Held, KemUse, consume};
use super::{IdentityChange, Loaded, Operation, Own, companion};
use crate::address::Address;
use crate::error::Error;
use crate::keys::IdentityKey;
use crate::session::{Addresses, Plaintext, PreKeys, Session, UsedPreKeys};
use crate::store::{Changes, RecordKey};
use crate::time::Timestamp;
use crate::wire::{CiphertextMessageType, PreKeySignalMessage, SignalMessage};

/// Decrypts one message of a peer device.
///
/// A pre-key message may establish a session: in the same changes the one-time pre-keys that it used are
/// deleted, and a last-resort pre-key remembers it. So a pre-key is never gone before the message that
/// used it is durable.
#[derive(Clone, Copy, Debug)]
pub struct Decrypt<'a> {
    /// The peer's device, as the envelope names it.
    pub from: &'a Address,
    /// The message's type, as the envelope names it.
    pub message_type: CiphertextMessageType,
    /// The message.
    pub bytes: &'a [u8],
}

/// A message that decrypted.
pub struct Decrypted {
    /// The plaintext. Wiped on drop.
    pub plaintext: Plaintext,
    /// The device that sent it.
    pub sender: Address,
    /// The identity key under which it was sent.
    pub identity_key: IdentityKey,
    /// The peer's identity key is another one than before.
    pub identity_change: Option<IdentityChange>,
    /// Pre-keys that the message used up, if it established a session: time to look at the stock.
    pub used_pre_keys: Option<UsedPreKeys>,
}

/// The message, parsed.
enum Parsed<'a> {
    PreKey(PreKeySignalMessage<'a>),
    Signal(SignalMessage<'a>),
}

impl<'a> Decrypt<'a> {
    fn parse(&self) -> Result<Parsed<'a>, Error> {
        match self.message_type {
            CiphertextMessageType::PreKey => {
                PreKeySignalMessage::parse(self.bytes).map(Parsed::PreKey)
            }
            CiphertextMessageType::Signal => SignalMessage::parse(self.bytes).map(Parsed::Signal),
            CiphertextMessageType::SenderKey | CiphertextMessageType::Plaintext => {
                Err(Error::InvalidArgument)
            }
        }
    }

    fn addresses(&self, own: &'a Own) -> Addresses<'a> {
        Addresses { local: own.local.address(), remote: self.from }
    }

    /// Spec 03 §5.3: in an existing session, or in a new one. Returns what the caller has to save.
    fn accept(
        &self,
        own: &Own,
        loaded: &mut Loaded,
        session: &mut Session,
        message: &PreKeySignalMessage<'_>,
        now: Timestamp,
        rng: &mut impl CryptoRng,
    ) -> Result<(Decrypted, Option<KemUse>), Error> {
        let exists = session.has_session_of(message)?;
        let key = *message.identity_key();
        // 2. trust, direction Receiving, before anything else
        let seen = if exists { Seen::Receiving } else { Seen::InNewSession };
        loaded.identity(own, self.from)?.permits(own.options.trust, &key, seen)?;
        // 5. signed, then KEM, then one-time pre-key
        let held = if exists { Held::default() } else { Held::load(loaded.snapshot(), message)? };
        let accepted = session.accept(
            self.addresses(own),
            own.local.for_session(),
            message,
            PreKeys {
                signed: held.signed.as_ref(),
                kem: held.kem.as_ref().map(|kem| &kem.key),
                one_time: held.one_time.as_ref(),
                replay_guard: held.replay_guard.as_ref().map(|seen| &seen.guard),
            },
            own.options.dialects,
            |_| true,
            rng,
        )?;
        let identity_change = loaded.identity(own, self.from)?.observe(self.from, &key, seen, now);
        let decrypted = Decrypted {
            plaintext: accepted.plaintext,
            sender: self.from.clone(),
            identity_key: key,
            identity_change,
            used_pre_keys: accepted.used,
        };
        Ok((decrypted, accepted.used.and_then(|used| held.into_use(used.base_key))))
    }

    fn decrypt(
        &self,
        own: &Own,
        loaded: &mut Loaded,
        session: &mut Session,
        message: &SignalMessage<'_>,
        now: Timestamp,
        rng: &mut impl CryptoRng,
    ) -> Result<Decrypted, Error> {
        let policy = own.options.trust;
        let identity = loaded.identity(own, self.from)?;
        // trust, direction Receiving, once the message has decrypted
        let mut met = None;
        let trusted = |key: &IdentityKey| {
            met = Some(*key);
            identity.permits(policy, key, Seen::Receiving).is_ok()
        };
        let plaintext = session.decrypt(self.addresses(own), message, trusted, rng)?;
        let key = met.ok_or(Error::InvalidSession)?;
        // A session that was imported may belong to an identity that was never seen.
        let seen = if identity.known.is_none() { Seen::InNewSession } else { Seen::Receiving };
        let identity_change = identity.observe(self.from, &key, seen, now);
        Ok(Decrypted {
            plaintext,
            sender: self.from.clone(),
            identity_key: key,
            identity_change,
            used_pre_keys: None,
        })
    }
}

impl Operation for Decrypt<'_> {
    type Output = Decrypted;

    fn needs(&self, own: &Own, loaded: &Loaded) -> Result<Vec<RecordKey>, Error> {
        let parsed = self.parse()?;
        let mut keys = loaded.peer_needs(own, self.from)?;
        if let Parsed::PreKey(message) = parsed {
            keys.extend(companion::needs(own, loaded, self.from));
            let exists = match loaded.decoded(self.from) {
                Some(session) => session.has_session_of(&message)?,
                None => false,
            };
            if !exists {
                keys.extend(loaded.snapshot().missing(Held::keys(&message)));
            }
        }
        Ok(keys)
    }

    /// # Errors
    ///
    /// Those of [`Session::accept`] and [`Session::decrypt`]; [`Error::InvalidArgument`] for a message
    /// of another type than those two take.
    fn run(
        &self,
        own: &Own,
        loaded: &mut Loaded,
        now: Timestamp,
        rng: &mut impl CryptoRng,
    ) -> Result<(Decrypted, Changes), Error> {
        self.carry_out(own, loaded, false, now, rng)
    }

    fn identity_change(&self, own: &Own, loaded: &mut Loaded) -> Option<IdentityChange> {
        let key = match self.parse().ok()? {
            Parsed::PreKey(message) => *message.identity_key(),
            // A plain message does not name its key; its session does.
            Parsed::Signal(_) => *loaded.decoded(self.from)?.remote_identity()?,
        };
        let known = loaded.identity(own, self.from).ok()?.known?;
        (known.key != key).then(|| trust::change(self.from, &known, &key))
    }
}

impl Decrypt<'_> {
    /// Decrypts. `vouched` says that the account of a companion vouches for the identity key in the message.
    pub(super) fn carry_out(
        &self,
        own: &Own,
        loaded: &mut Loaded,
        vouched: bool,
        now: Timestamp,
        rng: &mut impl CryptoRng,
    ) -> Result<(Decrypted, Changes), Error> {
        let parsed = self.parse()?;
        if let Parsed::PreKey(message) = &parsed
            && !vouched
        {
            companion::admits(own, loaded, self.from, message.identity_key())?;
        }
        let mut session = loaded.take_session(self.from)?;
        let done = match &parsed {
            Parsed::PreKey(message) => self.accept(own, loaded, &mut session, message, now, rng),
            Parsed::Signal(message) => {
                self.decrypt(own, loaded, &mut session, message, now, rng).map(|done| (done, None))
            }
        };
        let (decrypted, kem) = match done {
            Ok(done) => done,
            Err(error) => {
                loaded.put_back(self.from, session);
                return Err(error);
            }
        };
        let mut changes = loaded.save([(self.from.clone(), session)], rng)?;
        if let Some(used) = &decrypted.used_pre_keys {
            consume(loaded, used, kem, &mut changes, rng)?;
        }
        if matches!(parsed, Parsed::PreKey(_)) && !vouched {
            companion::require(own, loaded, self.from, &mut changes)?;
        }
        Ok((decrypted, changes))
    }
}

/// Without the content.
impl fmt::Debug for Decrypted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Decrypted({} bytes from {})", self.plaintext.len(), self.sender)
    }
}
