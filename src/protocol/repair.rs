//! Mending what is stored of a session.

use alloc::vec;
use alloc::vec::Vec;

use rand_core::CryptoRng;

use super::{Loaded, Operation, Own};
use crate::address::Address;
use crate::error::Error;
use crate::session::Session;
use crate::store::{Changes, RecordKey};
use crate::time::Timestamp;

/// Mends the stored session with a peer device, after [`Error::InvalidSession`]: forgets the states that
/// cannot be read, and keeps the others. Where the session's own record cannot be read, all of it is
/// forgotten. Nothing changes where nothing is damaged.
#[derive(Clone, Copy, Debug)]
pub struct RepairSession<'a> {
    /// The peer's device.
    pub peer: &'a Address,
}

/// What was left of a session.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Repaired {
    /// Nothing was damaged.
    Sound,
    /// Damaged states are forgotten; the others are kept.
    Partly,
    /// Nothing could be kept: sending needs a new session.
    Forgotten,
}

impl RepairSession<'_> {
    /// Every record that can be one of the session's, named by its own record or not.
    fn all(&self) -> impl Iterator<Item = RecordKey> {
        let own = RecordKey::Session(self.peer.clone());
        let archive = (0..=u32::from(u8::MAX))
            .map(|slot| RecordKey::SessionArchive { address: self.peer.clone(), slot });
        let pages =
            (0..u64::BITS).map(|page| RecordKey::SkippedKeys { address: self.peer.clone(), page });
        core::iter::once(own).chain(archive).chain(pages)
    }
}

impl Operation for RepairSession<'_> {
    type Output = Repaired;

    /// More than three hundred records: it is for emergencies.
    fn needs(&self, _own: &Own, loaded: &Loaded) -> Result<Vec<RecordKey>, Error> {
        Ok(loaded.snapshot().missing(self.all()))
    }

    /// # Errors
    ///
    /// [`Error::FutureRecord`]: what a later version has written is not damaged.
    fn run(
        &self,
        _own: &Own,
        loaded: &mut Loaded,
        _now: Timestamp,
        rng: &mut impl CryptoRng,
    ) -> Result<(Repaired, Changes), Error> {
        match Session::load(self.peer, loaded.snapshot()) {
            Ok(mut session) => {
                if session.discard_unusable() == 0 {
                    // What no record names is nobody's, and would be in the way of a new session.
                    let none = !session.has_current() && session.archived_count() == 0;
                    if !none {
                        return Ok((Repaired::Sound, Changes::new()));
                    }
                }
                if session.has_current() || session.archived_count() > 0 {
                    let changes = loaded.save(vec![(self.peer.clone(), session)], rng)?;
                    return Ok((Repaired::Partly, changes));
                }
            }
            Err(Error::InvalidSession) => {}
            Err(error) => return Err(error),
        }
        let mut changes = Changes::new();
        for key in self.all() {
            loaded.delete(key, &mut changes)?;
        }
        Ok((Repaired::Forgotten, changes))
    }
}
