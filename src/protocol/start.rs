//! Starting a session from a bundle (spec 02 §5).

use alloc::vec::Vec;

use rand_core::CryptoRng;

use super::trust::{self, Seen};
use super::{IdentityChange, Loaded, Operation, Own};
use crate::address::Address;
use crate::error::Error;
use crate::prekey::PreKeyBundle;
use crate::session::Addresses;
use crate::store::{Changes, RecordKey};
use crate::time::Timestamp;

/// Starts a session with the device that published `bundle`. A session that exists is archived: its
/// late messages still decrypt.
#[derive(Clone, Copy, Debug)]
pub struct StartSession<'a> {
    /// The peer's device.
    pub peer: &'a Address,
    /// What the server handed out for it.
    pub bundle: &'a PreKeyBundle,
}

/// A session that was started.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SessionStarted {
    /// The peer's identity key is another one than before.
    pub identity_change: Option<IdentityChange>,
}

impl Operation for StartSession<'_> {
    type Output = SessionStarted;

    fn needs(&self, own: &Own, loaded: &Loaded) -> Result<Vec<RecordKey>, Error> {
        loaded.peer_needs(own, self.peer)
    }

    /// # Errors
    ///
    /// Those of [`Session::initiate`](crate::session::Session::initiate).
    fn run(
        &self,
        own: &Own,
        loaded: &mut Loaded,
        now: Timestamp,
        rng: &mut impl CryptoRng,
    ) -> Result<(SessionStarted, Changes), Error> {
        // 1. trust, direction Sending, before anything else
        let key = &self.bundle.identity_key;
        loaded.identity(own, self.peer)?.permits(own.options.trust, key, Seen::InNewSession)?;
        // 2. to 10.
        let mut session = loaded.take_session(self.peer)?;
        let addresses = Addresses { local: own.local.address(), remote: self.peer };
        let started = session.initiate(
            addresses,
            own.local.for_session(),
            self.bundle,
            own.options.dialects,
            |_| true,
            now,
            rng,
        );
        if let Err(error) = started {
            loaded.put_back(self.peer, session);
            return Err(error);
        }
        let identity_change =
            loaded.identity(own, self.peer)?.observe(self.peer, key, Seen::InNewSession, now);
        let changes = loaded.save([(self.peer.clone(), session)], rng)?;
        Ok((SessionStarted { identity_change }, changes))
    }

    fn identity_change(&self, own: &Own, loaded: &mut Loaded) -> Option<IdentityChange> {
        let known = loaded.identity(own, self.peer).ok()?.known?;
        Some(trust::change(self.peer, &known, &self.bundle.identity_key))
    }
}
