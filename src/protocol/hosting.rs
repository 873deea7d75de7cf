//! Who holds a user's keys, what the application's user has agreed to, and what must not be sent before
//! (spec 22 §5).

use alloc::string::String;
use alloc::vec::Vec;

use rand_core::CryptoRng;

use super::record::Stored;
use super::{Loaded, Operation, Own};
use crate::address::Address;
use crate::business::{
    Assessment, EncryptionStatus, Evidence, Signal, StatusChange, hosting_name, is_hosted,
};
use crate::error::Error;
use crate::group::Distribution;
use crate::store::{Changes, RecordKey};
use crate::time::Timestamp;
use crate::wire::reader::Reader;
use crate::wire::writer::Writer;

/// Names of one user at most.
const NAMES_MAX: usize = 16;

/// What to do about recipients whose keys somebody else holds.
///
/// Whatever the policy, every change of a status is an event ([`StatusChange`]).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum HostedPolicy {
    /// Send. The application tells its user. No record is loaded for it.
    #[default]
    Inform,
    /// Refuse with [`Error::ConsentRequired`] until the application has recorded the user's consent to
    /// exactly the status of now ([`ConsentToHosting`]). Decided on a record of the recipient's, which
    /// the commit expects unchanged: no message is encrypted while its status changes.
    RequireConsent,
}

/// What is known of who can read a user's or a group's chat, and what this device's user has agreed to. The
/// record of [`RecordKey::EncryptionStatus`].
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct KnownHosting {
    evidence: Evidence,
    consent: Option<EncryptionStatus>,
}

impl KnownHosting {
    /// What the evidence amounts to.
    #[must_use]
    pub fn assessment(&self) -> Assessment {
        self.evidence.assess()
    }

    /// Who can read.
    #[must_use]
    pub fn status(&self) -> EncryptionStatus {
        self.assessment().status
    }

    /// What it rests on.
    #[must_use]
    pub const fn evidence(&self) -> &Evidence {
        &self.evidence
    }

    /// The status to which the user has consented. A change of the status ends it.
    #[must_use]
    pub const fn consent(&self) -> Option<EncryptionStatus> {
        self.consent
    }

    /// Whether the user has been asked what has to be asked before a message is sent.
    #[must_use]
    pub fn permits(&self) -> bool {
        self.permits_status(self.status())
    }

    /// The same for one device of the user, whose address alone may say that it is hosted.
    #[must_use]
    pub fn permits_device(&self, address: &Address) -> bool {
        let known = self.assessment();
        let known = if is_hosted(address) { known.at_hosted_address() } else { known };
        self.permits_status(known.status)
    }

    fn permits_status(&self, status: EncryptionStatus) -> bool {
        !status.is_hosted() || self.consent == Some(status)
    }

    /// Whether the user can consent to `status`: it is the one of now; or nothing is known but a hosted
    /// address, which says no more than that somebody hosts it.
    fn can_consent(&self, status: EncryptionStatus) -> bool {
        let known = self.status();
        let by_address = EncryptionStatus::HostedUnknown;
        status.is_hosted() && (status == known || !known.is_hosted() && status == by_address)
    }

    fn is_group(&self) -> bool {
        self.evidence.signals().any(|signal| signal.is_about_a_group())
    }
}

/// The record that decides about a device.
fn key_of(address: &Address) -> RecordKey {
    RecordKey::EncryptionStatus(hosting_name(address))
}

/// The record that decides about a group; none where nothing names the group.
fn key_of_group(distribution: &Distribution) -> Option<RecordKey> {
    match distribution {
        Distribution::Group(group) => Some(RecordKey::EncryptionStatus(group.clone())),
        Distribution::Id(_) => None,
    }
}

const fn asks(own: &Own) -> bool {
    matches!(own.options.hosted, HostedPolicy::RequireConsent)
}

/// The record that decides whether to encrypt to `address`, if one does and it is still missing.
pub(super) fn needs(own: &Own, loaded: &Loaded, address: &Address) -> Vec<RecordKey> {
    if asks(own) { loaded.snapshot().missing([key_of(address)]) } else { Vec::new() }
}

/// The same for a group.
pub(super) fn group_needs(
    own: &Own,
    loaded: &Loaded,
    distribution: &Distribution,
) -> Vec<RecordKey> {
    let key = key_of_group(distribution).filter(|_| asks(own));
    loaded.snapshot().missing(key)
}

/// Whether a message may be encrypted to `address`.
pub(super) fn check(own: &Own, loaded: &Loaded, address: &Address) -> Result<(), Error> {
    if !asks(own) {
        return Ok(());
    }
    let known = loaded.read::<KnownHosting>(&key_of(address))?.unwrap_or_default();
    if known.permits_device(address) { Ok(()) } else { Err(Error::ConsentRequired) }
}

/// Whether a message may be encrypted to a group, as far as the group's own status goes.
pub(super) fn check_group(
    own: &Own,
    loaded: &Loaded,
    distribution: &Distribution,
) -> Result<(), Error> {
    let Some(key) = key_of_group(distribution).filter(|_| asks(own)) else { return Ok(()) };
    let known = loaded.read::<KnownHosting>(&key)?.unwrap_or_default();
    if known.permits() { Ok(()) } else { Err(Error::ConsentRequired) }
}

/// Lets `changes` be committed only if what was decided about `address` still stands.
pub(super) fn require(
    own: &Own,
    loaded: &Loaded,
    address: &Address,
    changes: &mut Changes,
) -> Result<(), Error> {
    if asks(own) { require_key(loaded, key_of(address), changes) } else { Ok(()) }
}

/// The same for a group.
pub(super) fn require_group(
    own: &Own,
    loaded: &Loaded,
    distribution: &Distribution,
    changes: &mut Changes,
) -> Result<(), Error> {
    match key_of_group(distribution).filter(|_| asks(own)) {
        Some(key) => require_key(loaded, key, changes),
        None => Ok(()),
    }
}

fn require_key(loaded: &Loaded, key: RecordKey, changes: &mut Changes) -> Result<(), Error> {
    if changes.get(&key).is_some() {
        return Ok(());
    }
    let revision = loaded.snapshot().revision(&key)?;
    changes.require(key, revision)
}

/// Takes over signals of who can read a user's or a group's chat (spec 22 §5). The output is a
/// [`StatusChange`] for every name whose status is another one now.
///
/// What a source says replaces what it said before, unless that was newer; what several sources say is
/// joined, worst wins. Signals may come in any order, and more than once.
#[derive(Clone, Copy, Debug)]
pub struct LearnHosting<'a> {
    /// The names of one user, as [`hosting_name`] gives them, 1 to 16: those that the application knows to
    /// be the same user, such as phone number and LID. What is known of one is known of all afterwards. Or
    /// the id of one group.
    pub names: &'a [&'a str],
    /// What is new; may be empty, to join names.
    pub signals: &'a [Signal],
}

impl LearnHosting<'_> {
    fn keys(&self) -> Result<Vec<RecordKey>, Error> {
        if self.names.is_empty() || self.names.len() > NAMES_MAX {
            return Err(Error::InvalidArgument);
        }
        let names = self.names.iter().map(|&name| RecordKey::EncryptionStatus(name.into()));
        let mut keys: Vec<_> = names.collect();
        keys.sort_unstable();
        keys.dedup();
        Ok(keys)
    }
}

impl Operation for LearnHosting<'_> {
    type Output = Vec<StatusChange>;

    fn needs(&self, _own: &Own, loaded: &Loaded) -> Result<Vec<RecordKey>, Error> {
        Ok(loaded.snapshot().missing(self.keys()?))
    }

    /// # Errors
    ///
    /// [`Error::InvalidArgument`] for no name or more than 16; those of corrupt records.
    fn run(
        &self,
        _own: &Own,
        loaded: &mut Loaded,
        _now: Timestamp,
        rng: &mut impl CryptoRng,
    ) -> Result<(Vec<StatusChange>, Changes), Error> {
        let mut known = Vec::with_capacity(self.names.len());
        for key in self.keys()? {
            let old: Option<KnownHosting> = loaded.read(&key)?;
            known.push((key, old));
        }
        // One user: what is known under any of the names, and what is new.
        let mut evidence = Evidence::default();
        known.iter().flat_map(|(_, old)| old).for_each(|old| evidence.merge(&old.evidence));
        self.signals.iter().for_each(|signal| evidence.add(*signal));
        let assessment = evidence.assess();
        let to = assessment.status;
        // Consent is to one status, and ends with it. What was agreed to under one name holds for all.
        let agreed = known.iter().flat_map(|(_, old)| old).any(|old| old.consent == Some(to));
        let consent = |old: &Option<KnownHosting>| match old {
            _ if agreed => Some(to),
            // to a hosted address, while nothing else says so
            Some(old) if old.status() == to => old.consent,
            _ => None,
        };

        let (mut events, mut changes) = (Vec::new(), Changes::new());
        for (key, old) in known {
            let from = old.as_ref().map(KnownHosting::status);
            let new = KnownHosting { consent: consent(&old), evidence: evidence.clone() };
            if from.unwrap_or_default() != to
                && let RecordKey::EncryptionStatus(name) = &key
            {
                let (name, group) = (name.clone(), new.is_group());
                events.push(StatusChange { name, from, to, assessment, group });
            }
            if old.as_ref() == Some(&new) || old.is_none() && new == KnownHosting::default() {
                // That nothing is new is an answer, too.
                require_key(loaded, key, &mut changes)?;
            } else {
                loaded.write(key, &new, &mut changes, rng)?;
            }
        }
        Ok((events, changes))
    }
}

/// Records that this device's user agrees to write to a user or a group whose chat somebody else can read.
/// The status that is agreed to is named, so that it cannot be another one than the user has seen.
#[derive(Clone, Copy, Debug)]
pub struct ConsentToHosting<'a> {
    /// The user's name, as [`hosting_name`] gives it, or the group's id.
    pub name: &'a str,
    /// What the user has agreed to. Where only a device's address says that it is hosted,
    /// [`EncryptionStatus::HostedUnknown`].
    pub status: EncryptionStatus,
}

impl ConsentToHosting<'_> {
    fn key(&self) -> RecordKey {
        RecordKey::EncryptionStatus(String::from(self.name))
    }
}

impl Operation for ConsentToHosting<'_> {
    type Output = ();

    fn needs(&self, _own: &Own, loaded: &Loaded) -> Result<Vec<RecordKey>, Error> {
        Ok(loaded.snapshot().missing([self.key()]))
    }

    /// # Errors
    ///
    /// [`Error::InvalidArgument`] for end-to-end encryption, which needs no consent;
    /// [`Error::ConsentRequired`] if `status` is not the one of now: ask again. Those of a corrupt record.
    fn run(
        &self,
        _own: &Own,
        loaded: &mut Loaded,
        _now: Timestamp,
        rng: &mut impl CryptoRng,
    ) -> Result<((), Changes), Error> {
        let key = self.key();
        let mut known = loaded.read::<KnownHosting>(&key)?.unwrap_or_default();
        if !self.status.is_hosted() {
            return Err(Error::InvalidArgument);
        }
        if !known.can_consent(self.status) {
            return Err(Error::ConsentRequired);
        }
        let mut changes = Changes::new();
        if known.consent.replace(self.status) == Some(self.status) {
            require_key(loaded, key, &mut changes)?;
        } else {
            loaded.write(key, &known, &mut changes, rng)?;
        }
        Ok(((), changes))
    }
}

impl Stored for KnownHosting {
    fn read(fields: Reader<'_>) -> Result<Self, Error> {
        let mut known = Self::default();
        for field in fields {
            match field? {
                (field @ (1 | 2), value) => known.evidence.read(field, value)?,
                (3, value) => {
                    let status = EncryptionStatus::from_number(value.uint64()?);
                    known.consent = Some(status.ok_or(Error::InvalidState)?);
                }
                _ => return Err(Error::InvalidState),
            }
        }
        Ok(known)
    }

    fn write(&self, w: &mut Writer<'_>) {
        self.evidence.write(w);
        w.uint_option(3, self.consent.map(EncryptionStatus::number));
    }
}
