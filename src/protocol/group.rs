//! Messages to a group (spec 05), over the one-to-one sessions that carry its keys.

use alloc::vec::Vec;
use core::fmt;

use rand_core::CryptoRng;

use super::{Encrypt, Encrypted, Loaded, Operation, Own, Recipient, companion, hosting};
use crate::address::Address;
use crate::business;
use crate::dialect::GroupDialect;
use crate::error::Error;
use crate::group::{Distribution, GroupSession, Member, SenderKeyRecord};
use crate::keys::IdentityKey;
use crate::session::Plaintext;
use crate::store::{Changes, RecordKey};
use crate::time::Timestamp;
use crate::wire::{SenderKeyDistributionMessage, SenderKeyMessage};

/// Encrypts to a group, and to every member that needs the key first: in one commit.
///
/// The key is replaced where a device that holds it is no longer a member, or has another identity.
#[derive(Clone, Copy)]
pub struct SendToGroup<'a> {
    /// What names this device's key for the group.
    pub distribution: &'a Distribution,
    /// All devices of all members, as the application knows them now; this one is passed over, and
    /// hosted devices are where a group is named by its id (spec 20 §6, spec 22 §5).
    pub members: &'a [Address],
    /// What all members get.
    pub content: &'a [u8],
    /// How a one-to-one message of the application carries a distribution message: its content for the
    /// bytes given. A secret.
    pub wrap: &'a dyn Fn(&[u8]) -> Plaintext,
}

/// What became of a message to a group.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum SentToGroup {
    /// It is ready.
    Message {
        /// The message to all members, a sender-key message.
        bytes: Vec<u8>,
        /// The one-to-one messages that carry the key to those who need it. They go first.
        distributions: Vec<Encrypted>,
        /// The key was replaced.
        rotated: bool,
    },
    /// Something is missing first. Nothing was encrypted, and no key was spent.
    Incomplete {
        /// Members that need the key, and with which a session has to be started.
        need_session: Vec<Address>,
        /// Members whose identity key or hosting waits for the user's answer, whose session cannot be read, or
        /// for which the account does not vouch (see [`CompanionPolicy`](super::CompanionPolicy)): these are
        /// verified, or left out.
        blocked: Vec<(Address, Error)>,
    },
}

impl SendToGroup<'_> {
    /// The group, and who needs its key; `None` as long as something is not loaded.
    fn group(
        &self,
        own: &Own,
        loaded: &Loaded,
    ) -> Result<Option<(GroupSession, Vec<Address>)>, Error> {
        let keys = GroupSession::needs(self.distribution, own.local.address());
        let identities = self.others(own).flat_map(|member| loaded.identity_needs(own, member));
        let hosting = self.hosting_needs(own, loaded);
        if !loaded.snapshot().missing(keys).is_empty()
            || identities.count() > 0
            || !hosting.is_empty()
        {
            return Ok(None);
        }
        let group = GroupSession::load(
            self.distribution.clone(),
            own.local.address().clone(),
            loaded.snapshot(),
        )?;
        let known = self.known(own, loaded)?;
        let needing = group.needing_key(members(&known))?;
        Ok(Some((group, needing)))
    }

    fn others(&self, own: &Own) -> impl Iterator<Item = &Address> {
        // In the WhatsApp family, hosted devices get no sender key.
        let passes_hosted = self.distribution.dialect() == GroupDialect::GroupId;
        self.members.iter().filter(move |member| {
            *member != own.local.address() && !(passes_hosted && business::is_hosted(member))
        })
    }

    fn hosting_needs(&self, own: &Own, loaded: &Loaded) -> Vec<RecordKey> {
        let mut keys = hosting::group_needs(own, loaded, self.distribution);
        keys.extend(self.others(own).flat_map(|member| hosting::needs(own, loaded, member)));
        keys
    }

    fn known(
        &self,
        own: &Own,
        loaded: &Loaded,
    ) -> Result<Vec<(&Address, Option<IdentityKey>)>, Error> {
        self.others(own).map(|member| Ok((member, loaded.known_identity(own, member)?))).collect()
    }
}

fn members<'m>(
    known: &'m [(&'m Address, Option<IdentityKey>)],
) -> impl Iterator<Item = Member<'m>> {
    known.iter().map(|(address, identity)| Member { address, identity: identity.as_ref() })
}

impl Operation for SendToGroup<'_> {
    type Output = SentToGroup;

    fn needs(&self, own: &Own, loaded: &Loaded) -> Result<Vec<RecordKey>, Error> {
        let Some((_, needing)) = self.group(own, loaded)? else {
            let keys = GroupSession::needs(self.distribution, own.local.address());
            let mut keys = loaded.snapshot().missing(keys);
            keys.extend(self.others(own).flat_map(|member| loaded.identity_needs(own, member)));
            keys.extend(self.hosting_needs(own, loaded));
            keys.sort_unstable();
            keys.dedup();
            return Ok(keys);
        };
        let recipients: Vec<_> =
            needing.iter().map(|address| Recipient { address, plaintext: &[] }).collect();
        let mut keys = Encrypt { recipients: &recipients }.needs(own, loaded)?;
        keys.extend(self.others(own).flat_map(|member| companion::needs(own, loaded, member)));
        keys.sort_unstable();
        keys.dedup();
        Ok(keys)
    }

    /// # Errors
    ///
    /// [`Error::InvalidSenderKeySession`] where the stored key is corrupt; [`Error::ConsentRequired`] where
    /// the group itself is hosted and the user has not agreed.
    fn run(
        &self,
        own: &Own,
        loaded: &mut Loaded,
        now: Timestamp,
        rng: &mut impl CryptoRng,
    ) -> Result<(SentToGroup, Changes), Error> {
        let (mut group, needing) = self.group(own, loaded)?.ok_or(Error::NotLoaded)?;
        hosting::check_group(own, loaded, self.distribution)?;
        let (mut need_session, mut blocked) = (Vec::new(), Vec::new());
        // Who can read: of all members, also those that hold the key.
        for address in self.others(own) {
            if let Err(error) = hosting::check(own, loaded, address) {
                blocked.push((address.clone(), error));
            }
        }
        let mut changes = Changes::new();
        for (address, _) in &blocked {
            hosting::require(own, loaded, address, &mut changes)?;
        }
        let unasked = blocked.len();
        for address in &needing {
            if blocked.iter().take(unasked).any(|(blocked, _)| blocked == address) {
                continue;
            }
            match Encrypt::check(own, loaded, address, now) {
                Ok(()) => {}
                Err(Error::SessionNotFound) => need_session.push(address.clone()),
                Err(error) => blocked.push((address.clone(), error)),
            }
        }
        let unready = blocked.len();
        // Who has the key already is still one of the devices that may read.
        for (address, identity) in self.known(own, loaded)? {
            if let Some(key) = identity
                && let Err(error) = companion::permits(own, loaded, address, &key, now)
                && !needing.contains(address)
                && !blocked.iter().any(|(blocked, _)| blocked == address)
            {
                blocked.push((address.clone(), error));
            }
        }
        if !(need_session.is_empty() && blocked.is_empty()) {
            // A refusal counts only if what it was found on is what the store has.
            let refused = blocked.iter().map(|(address, _)| address).take(unready).skip(unasked);
            for address in need_session.iter().chain(refused) {
                loaded.require_peer(own, address, &mut changes)?;
                companion::require(own, loaded, address, &mut changes)?;
            }
            for (holder, _) in blocked.iter().skip(unready) {
                loaded.require_identity(own, holder, &mut changes)?;
                companion::require(own, loaded, holder, &mut changes)?;
            }
            return Ok((SentToGroup::Incomplete { need_session, blocked }, changes));
        }
        let known = self.known(own, loaded)?;
        let mut sending = group.prepare(members(&known), rng)?;
        let rotated = sending.is_rotated();
        let mut texts = Vec::with_capacity(needing.len());
        for address in sending.recipients().to_vec() {
            let identity = loaded.sending_key(&address)?;
            let text = (self.wrap)(sending.distribute_to(&address, &identity)?);
            texts.push((address, text));
        }
        let recipients: Vec<_> =
            texts.iter().map(|(address, plaintext)| Recipient { address, plaintext }).collect();
        let bytes = sending.encrypt(self.content, rng)?;
        let (distributions, mut changes) =
            Encrypt { recipients: &recipients }.run(own, loaded, now, rng)?;
        // Checked above; a message without the key would be of no use.
        if let Some(error) = distributions.iter().find_map(|sent| sent.message.as_ref().err()) {
            return Err(*error);
        }
        hosting::require_group(own, loaded, self.distribution, &mut changes)?;
        for member in self.others(own) {
            hosting::require(own, loaded, member, &mut changes)?;
        }
        group.save(&mut changes, rng)?;
        for member in self.others(own) {
            companion::require(own, loaded, member, &mut changes)?;
        }
        Ok((SentToGroup::Message { bytes, distributions, rotated }, changes))
    }
}

/// A member could not decrypt, or did not get the key: it receives the key again with the next message.
/// The output says whether it will (see [`GroupSession::give_again`]).
#[derive(Clone, Copy, Debug)]
pub struct GiveKeyAgain<'a> {
    /// What names this device's key for the group.
    pub distribution: &'a Distribution,
    /// The member's device.
    pub member: &'a Address,
}

impl Operation for GiveKeyAgain<'_> {
    type Output = bool;

    fn needs(&self, own: &Own, loaded: &Loaded) -> Result<Vec<RecordKey>, Error> {
        let keys = GroupSession::needs(self.distribution, own.local.address());
        Ok(loaded.snapshot().missing(keys))
    }

    fn run(
        &self,
        own: &Own,
        loaded: &mut Loaded,
        _now: Timestamp,
        rng: &mut impl CryptoRng,
    ) -> Result<(bool, Changes), Error> {
        let local = own.local.address().clone();
        let mut group = GroupSession::load(self.distribution.clone(), local, loaded.snapshot())?;
        let again = group.give_again(self.member);
        let mut changes = Changes::new();
        group.save(&mut changes, rng)?;
        Ok((again, changes))
    }
}

/// Forgets the key of one device for a group, whatever is stored of it: a peer's that is corrupt, or that
/// has left; or our own, and with it who holds it, so that the next message makes a new one. The output
/// says whether there was one.
#[derive(Clone, Copy, Debug)]
pub struct ForgetSenderKey<'a> {
    /// What names the key for the group.
    pub distribution: &'a Distribution,
    /// The device whose key it is, this one included.
    pub sender: &'a Address,
}

impl ForgetSenderKey<'_> {
    fn keys(&self, own: &Own) -> Vec<RecordKey> {
        if self.sender == own.local.address() {
            GroupSession::needs(self.distribution, self.sender)
        } else {
            SenderKeyRecord::needs(self.distribution, self.sender)
        }
    }
}

impl Operation for ForgetSenderKey<'_> {
    type Output = bool;

    fn needs(&self, own: &Own, loaded: &Loaded) -> Result<Vec<RecordKey>, Error> {
        Ok(loaded.snapshot().missing(self.keys(own)))
    }

    fn run(
        &self,
        own: &Own,
        loaded: &mut Loaded,
        _now: Timestamp,
        _rng: &mut impl CryptoRng,
    ) -> Result<(bool, Changes), Error> {
        let mut changes = Changes::new();
        for key in self.keys(own) {
            loaded.delete(key, &mut changes)?;
        }
        Ok((!changes.is_empty(), changes))
    }
}

/// Takes over a sender's key, from the distribution message that a one-to-one message has carried. Done
/// again, it changes nothing: so do it before that message is committed.
#[derive(Clone, Copy)]
pub struct AcceptDistribution<'a> {
    /// The device that sent the one-to-one message.
    pub from: &'a Address,
    /// What names its key for the group.
    pub distribution: &'a Distribution,
    /// The distribution message.
    pub bytes: &'a [u8],
}

impl Operation for AcceptDistribution<'_> {
    type Output = ();

    fn needs(&self, _own: &Own, loaded: &Loaded) -> Result<Vec<RecordKey>, Error> {
        Ok(loaded.snapshot().missing(SenderKeyRecord::needs(self.distribution, self.from)))
    }

    /// # Errors
    ///
    /// Those of [`SenderKeyDistributionMessage::parse`]; [`Error::InvalidArgument`] when it names another
    /// distribution.
    fn run(
        &self,
        _own: &Own,
        loaded: &mut Loaded,
        _now: Timestamp,
        rng: &mut impl CryptoRng,
    ) -> Result<((), Changes), Error> {
        let message = SenderKeyDistributionMessage::parse(self.distribution.dialect(), self.bytes)?;
        if message.distribution_id() != self.distribution.wire_id() {
            return Err(Error::InvalidArgument);
        }
        let mut key = SenderKeyRecord::load(self.distribution, self.from, loaded.snapshot())?;
        key.process_distribution(&message);
        let mut changes = Changes::new();
        key.save(self.distribution, self.from, &mut changes, rng)?;
        Ok(((), changes))
    }
}

/// Decrypts one message to a group.
#[derive(Clone, Copy, Debug)]
pub struct DecryptGroup<'a> {
    /// The device that sent it, as the envelope names it.
    pub from: &'a Address,
    /// What names its key for the group.
    pub distribution: &'a Distribution,
    /// The message.
    pub bytes: &'a [u8],
}

/// A message to a group that decrypted.
pub struct GroupDecrypted {
    /// The plaintext. Wiped on drop.
    pub plaintext: Plaintext,
    /// The device that sent it.
    pub sender: Address,
}

impl Operation for DecryptGroup<'_> {
    type Output = GroupDecrypted;

    fn needs(&self, _own: &Own, loaded: &Loaded) -> Result<Vec<RecordKey>, Error> {
        Ok(loaded.snapshot().missing(SenderKeyRecord::needs(self.distribution, self.from)))
    }

    /// # Errors
    ///
    /// Those of [`SenderKeyMessage::parse`] and [`SenderKeyRecord::decrypt`];
    /// [`Error::InvalidArgument`] when it names another distribution.
    fn run(
        &self,
        _own: &Own,
        loaded: &mut Loaded,
        _now: Timestamp,
        rng: &mut impl CryptoRng,
    ) -> Result<(GroupDecrypted, Changes), Error> {
        let message = SenderKeyMessage::parse(self.distribution.dialect(), self.bytes)?;
        if message.distribution_id() != self.distribution.wire_id() {
            return Err(Error::InvalidArgument);
        }
        let mut key = SenderKeyRecord::load(self.distribution, self.from, loaded.snapshot())?;
        let plaintext = key.decrypt(&message)?;
        let mut changes = Changes::new();
        key.save(self.distribution, self.from, &mut changes, rng)?;
        Ok((GroupDecrypted { plaintext, sender: self.from.clone() }, changes))
    }
}

/// Without the content.
impl fmt::Debug for SendToGroup<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SendToGroup({} members)", self.members.len())
    }
}

/// Without the content.
impl fmt::Debug for GroupDecrypted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "GroupDecrypted({} bytes from {})", self.plaintext.len(), self.sender)
    }
}

/// Without the message: it holds a chain key.
impl fmt::Debug for AcceptDistribution<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AcceptDistribution({} bytes from {})", self.bytes.len(), self.from)
    }
}
