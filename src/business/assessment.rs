//! All that is known of who can read a chat, and what follows (spec 22 §5).

use alloc::collections::BTreeMap;

use super::{AssertedSource, BoundSource, Claim, EncryptionStatus, Signal};
use crate::error::Error;
use crate::wire::reader::{Reader, Value};
use crate::wire::writer::Writer;

/// The claim that holds of every source. It depends on which signals have been added, and not on their
/// order.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Evidence {
    bound: BTreeMap<BoundSource, Claim>,
    asserted: BTreeMap<AssertedSource, Claim>,
}

/// What the evidence amounts to.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct Assessment {
    /// Who can read: the worst of both parts, end-to-end encrypted if there is neither.
    pub status: EncryptionStatus,
    /// The part that is bound by cryptography: the worst of its sources, `None` without any.
    pub bound: Option<EncryptionStatus>,
    /// The part that the server asserts: the worst of its sources, `None` without any.
    pub asserted: Option<EncryptionStatus>,
}

impl Assessment {
    fn new(bound: Option<EncryptionStatus>, asserted: Option<EncryptionStatus>) -> Self {
        // Worst wins: an asserted end-to-end encryption takes no bound hosting back, and an asserted
        // host names the one that is bound. `None` is less than any.
        Self { status: bound.max(asserted).unwrap_or_default(), bound, asserted }
    }

    /// Whether it is proven that somebody else can read, and not only asserted by the server.
    #[must_use]
    pub fn is_proven_hosted(&self) -> bool {
        self.bound.is_some_and(EncryptionStatus::is_hosted)
    }

    /// The assessment of a device of that user, for whose own address see
    /// [`is_hosted`](super::is_hosted): a hosted address is bound, whatever else is known.
    #[must_use]
    pub fn at_hosted_address(self) -> Self {
        Self::new(self.bound.max(Some(EncryptionStatus::HostedUnknown)), self.asserted)
    }
}

impl Evidence {
    /// Adds a signal. An older claim of the same source is replaced, a newer one stays; of two of the
    /// same moment the worse one holds.
    pub fn add(&mut self, signal: Signal) {
        match signal {
            Signal::Bound(source, claim) => {
                let held = self.bound.entry(source).or_insert(claim);
                *held = claim.max(*held);
            }
            Signal::Asserted(source, claim) => {
                let held = self.asserted.entry(source).or_insert(claim);
                *held = claim.max(*held);
            }
        }
    }

    /// Adds all of another's: for two names that turn out to be one user's.
    pub fn merge(&mut self, other: &Self) {
        other.signals().for_each(|signal| self.add(signal));
    }

    /// The claims that hold, as signals.
    pub fn signals(&self) -> impl Iterator<Item = Signal> {
        let bound = self.bound.iter().map(|(&source, &claim)| Signal::Bound(source, claim));
        let asserted = self.asserted.iter();
        bound.chain(asserted.map(|(&source, &claim)| Signal::Asserted(source, claim)))
    }

    /// What it amounts to.
    #[must_use]
    pub fn assess(&self) -> Assessment {
        let bound = self.bound.values().map(|claim| claim.status).max();
        let asserted = self.asserted.values().map(|claim| claim.status).max();
        Assessment::new(bound, asserted)
    }

    /// Whether nothing is known.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.bound.is_empty() && self.asserted.is_empty()
    }

    /// Writes the claims as fields 1 and 2 of a record.
    pub(crate) fn write(&self, w: &mut Writer<'_>) {
        let bound = self.bound.iter().map(|(source, claim)| (1, source.number(), claim));
        let asserted = self.asserted.iter().map(|(source, claim)| (2, source.number(), claim));
        for (field, source, claim) in bound.chain(asserted) {
            w.message(field, |w| {
                w.uint(1, source);
                w.uint_nonzero(2, claim.status.number());
                w.uint_nonzero(3, claim.at);
            });
        }
    }

    /// Reads one of fields 1 and 2.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidState`] for anything that [`write`](Self::write) does not write.
    pub(crate) fn read(&mut self, field: u32, value: Value<'_>) -> Result<(), Error> {
        let (mut number, mut status, mut at) = (0, 0, 0);
        for field in Reader::new(value.bytes()?) {
            match field? {
                (1, value) => number = value.uint64()?,
                (2, value) => status = value.uint64()?,
                (3, value) => at = value.uint64()?,
                _ => return Err(Error::InvalidState),
            }
        }
        let status = EncryptionStatus::from_number(status).ok_or(Error::InvalidState)?;
        let claim = Claim { at, status };
        let bound = BoundSource::ALL.into_iter().find(|s| u64::from(s.number()) == number);
        let asserted = AssertedSource::ALL.into_iter().find(|s| u64::from(s.number()) == number);
        let doubled = match field {
            1 => self.bound.insert(bound.ok_or(Error::InvalidState)?, claim),
            2 => self.asserted.insert(asserted.ok_or(Error::InvalidState)?, claim),
            _ => return Err(Error::InvalidState),
        };
        if doubled.is_some() { Err(Error::InvalidState) } else { Ok(()) }
    }
}
