//! Encrypting to peer devices (spec 04 §3).

use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::fmt;

use rand_core::CryptoRng;

use super::trust::Seen;
use super::{Loaded, Operation, Own, companion, hosting};
use crate::address::Address;
use crate::error::Error;
use crate::keys::IdentityKey;
use crate::session::{Addresses, CiphertextMessage, Requirements, Session};
use crate::store::{Changes, RecordKey};
use crate::time::Timestamp;

/// A peer device, and what to send to it.
#[derive(Clone, Copy)]
pub struct Recipient<'a> {
    /// The peer's device.
    pub address: &'a Address,
    /// The plaintext, of any length.
    pub plaintext: &'a [u8],
}

/// Encrypts to any number of peer devices, in one commit.
///
/// The output has an [`Encrypted`] for every recipient, in their order. One that fails does not hold up
/// the others, and has spent no key.
#[derive(Clone, Copy, Debug)]
pub struct Encrypt<'a> {
    /// To whom, and what. A device may stand there more than once.
    pub recipients: &'a [Recipient<'a>],
}

/// What became of one recipient's message.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Encrypted {
    /// The peer's device.
    pub address: Address,
    /// The peer device's registration id, for servers that ask for it; 0 without a session.
    pub registration_id: u32,
    /// The message; or [`Error::SessionNotFound`] where a session has to be started first,
    /// [`Error::UntrustedIdentity`], [`Error::ConsentRequired`]; [`Error::UnverifiedCompanion`] or
    /// [`Error::DeviceListExpired`] where the [policy](super::CompanionPolicy) asks; or an error of the stored
    /// session.
    pub message: Result<CiphertextMessage, Error>,
}

impl Operation for Encrypt<'_> {
    type Output = Vec<Encrypted>;

    fn needs(&self, own: &Own, loaded: &Loaded) -> Result<Vec<RecordKey>, Error> {
        let mut keys = Vec::new();
        for recipient in self.recipients {
            // A corrupt record is that recipient's error, found again when the message is encrypted.
            let needs = loaded.session_needs(recipient.address).unwrap_or_default();
            keys.extend(needs);
            keys.extend(loaded.identity_needs(own, recipient.address));
            keys.extend(hosting::needs(own, loaded, recipient.address));
            keys.extend(companion::needs(own, loaded, recipient.address));
        }
        keys.sort_unstable();
        keys.dedup();
        Ok(keys)
    }

    fn run(
        &self,
        own: &Own,
        loaded: &mut Loaded,
        now: Timestamp,
        rng: &mut impl CryptoRng,
    ) -> Result<(Vec<Encrypted>, Changes), Error> {
        let mut sent = BTreeMap::new();
        let mut output = Vec::with_capacity(self.recipients.len());
        for &Recipient { address, plaintext } in self.recipients {
            let session = match sent.remove(address) {
                Some(session) => Ok(session),
                None => loaded.take_session(address),
            };
            let (message, registration_id) = match session {
                Err(error) => (Err(error), 0),
                Ok(mut session) => {
                    let message = encrypt(own, loaded, &mut session, address, plaintext, now, rng);
                    let registration_id = session.remote_registration_id().unwrap_or_default();
                    sent.insert(address.clone(), session);
                    (message, registration_id)
                }
            };
            output.push(Encrypted { address: address.clone(), registration_id, message });
        }
        // Saving a session that did not change gives no change.
        let mut changes = loaded.save(sent, rng)?;
        // Who can read it must not change under the message.
        for recipient in self.recipients {
            hosting::require(own, loaded, recipient.address, &mut changes)?;
        }
        // A refusal counts only if what it was found on is what the store has: it may have been kept from
        // before another handle's commit, or be records of two moments.
        for refused in output.iter().filter(|sent| sent.message.is_err()) {
            loaded.require_peer(own, &refused.address, &mut changes)?;
        }
        self.require(own, loaded, &mut changes)?;
        Ok((output, changes))
    }
}

impl Encrypt<'_> {
    /// What the policy has decided upon must not change under the operation.
    pub(crate) fn require(
        &self,
        own: &Own,
        loaded: &Loaded,
        changes: &mut Changes,
    ) -> Result<(), Error> {
        self.recipients
            .iter()
            .try_for_each(|to| companion::require(own, loaded, to.address, changes))
    }

    /// Whether a message to one device could be encrypted. Spends nothing.
    pub(crate) fn check(
        own: &Own,
        loaded: &mut Loaded,
        address: &Address,
        now: Timestamp,
    ) -> Result<(), Error> {
        hosting::check(own, loaded, address)?;
        let session = loaded.take_session(address)?;
        let usable = session.is_usable(Requirements { not_stale: true, ..Default::default() }, now);
        let checked = sending_key(&session).and_then(|key| {
            loaded.identity(own, address)?.permits(own.options.trust, &key, Seen::Sending)?;
            companion::permits(own, loaded, address, &key, now)
        });
        loaded.put_back(address, session);
        checked?;
        if usable { Ok(()) } else { Err(Error::SessionNotFound) }
    }
}

/// The identity key to which the current session sends.
fn sending_key(session: &Session) -> Result<IdentityKey, Error> {
    match session.remote_identity() {
        Some(key) => Ok(*key),
        None if session.has_current() => Err(Error::InvalidSession),
        None => Err(Error::SessionNotFound),
    }
}

/// Encrypts to one device. After an error, session and identity are as before.
fn encrypt(
    own: &Own,
    loaded: &mut Loaded,
    session: &mut Session,
    address: &Address,
    plaintext: &[u8],
    now: Timestamp,
    rng: &mut impl CryptoRng,
) -> Result<CiphertextMessage, Error> {
    // who can read it, before anything else
    hosting::check(own, loaded, address)?;
    let key = sending_key(session)?;
    // a companion's account has vouched for it (spec 22 §3)
    companion::permits(own, loaded, address, &key, now)?;
    let identity = loaded.identity(own, address)?;
    // 5. trust, direction Sending; asked first, for a refusal must cost nothing
    identity.permits(own.options.trust, &key, Seen::Sending)?;
    let addresses = Addresses { local: own.local.address(), remote: address };
    let message = session.encrypt(addresses, plaintext, |_| true, now, rng)?;
    // A session that was imported may belong to an identity that was never seen.
    let seen = if identity.known.is_none() { Seen::InNewSession } else { Seen::Sending };
    identity.observe(address, &key, seen, now);
    Ok(message)
}

/// Archives the current session with a peer device (spec 04 §7): sending needs a new one, messages of
/// the old one still decrypt. The output says whether there was one.
#[derive(Clone, Copy, Debug)]
pub struct ArchiveSession<'a> {
    /// The peer's device.
    pub peer: &'a Address,
}

impl Operation for ArchiveSession<'_> {
    type Output = bool;

    fn needs(&self, _own: &Own, loaded: &Loaded) -> Result<Vec<RecordKey>, Error> {
        loaded.session_needs(self.peer)
    }

    fn run(
        &self,
        _own: &Own,
        loaded: &mut Loaded,
        _now: Timestamp,
        rng: &mut impl CryptoRng,
    ) -> Result<(bool, Changes), Error> {
        let mut session = loaded.take_session(self.peer)?;
        let had = session.has_current();
        session.archive_current();
        let mut changes = loaded.save([(self.peer.clone(), session)], rng)?;
        // That there is none is an answer, too.
        loaded.require_session(self.peer, &mut changes)?;
        Ok((had, changes))
    }
}

/// Deletes the session with a peer device, archived states and skipped keys included: late messages of
/// it do not decrypt any more. The output says whether there was one.
///
/// Archive it instead unless the peer is gone for good.
#[derive(Clone, Copy, Debug)]
pub struct DeleteSession<'a> {
    /// The peer's device.
    pub peer: &'a Address,
}

impl Operation for DeleteSession<'_> {
    type Output = bool;

    fn needs(&self, _own: &Own, loaded: &Loaded) -> Result<Vec<RecordKey>, Error> {
        loaded.session_needs(self.peer)
    }

    fn run(
        &self,
        _own: &Own,
        loaded: &mut Loaded,
        _now: Timestamp,
        _rng: &mut impl CryptoRng,
    ) -> Result<(bool, Changes), Error> {
        let session = loaded.take_session(self.peer)?;
        let had = session.has_current() || session.archived_count() > 0;
        let (mut none, mut changes) = (Changes::new(), Changes::new());
        session.require(self.peer, &mut none)?;
        session.delete(self.peer, &mut changes)?;
        // That there is none is an answer, too.
        Ok((had, if changes.is_empty() { none } else { changes }))
    }
}

/// Without the content.
impl fmt::Debug for Recipient<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Recipient({}, {} bytes)", self.address, self.plaintext.len())
    }
}
