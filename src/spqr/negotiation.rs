//! Version negotiation: what a party keeps until the first message of the peer, spec 10 §8.

use crate::secret::Secret;

use super::error::SpqrError;
use super::limits::{Direction, Limits, Version};
use super::message::VERSION_BYTE;

/// What is kept while the version is open: enough to start the chains, or to fall back.
#[derive(PartialEq, Eq, Debug)]
pub(super) struct Negotiation {
    pub(super) auth_key: Secret<32>,
    pub(super) direction: Direction,
    /// The lowest version to fall back to.
    pub(super) min_version: Version,
    pub(super) limits: Limits,
}

/// What to do with a message, by its version alone.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Verdict {
    /// A version above ours: success without a key, nothing changes. The peer will come down to us.
    Ignore,
    /// Our version.
    Proceed,
    /// A lower version that is acceptable: off from now on.
    SwitchOff,
}

/// The version of a message: empty → V0; else the first byte; `None` for versions above V1.
const fn version_of(message: &[u8]) -> Option<Version> {
    match message {
        [] | [0, ..] => Some(Version::V0),
        [VERSION_BYTE, ..] => Some(Version::V1),
        _ => None,
    }
}

/// Steps 1 to 3 of §8.2 in a state of version V1.
///
/// # Errors
///
/// [`SpqrError::VersionMismatch`] when the version was settled before, [`SpqrError::MinimumVersion`]
/// when the message's version is below the lowest acceptable one.
pub(super) fn judge(
    message: &[u8],
    negotiation: Option<&Negotiation>,
) -> Result<Verdict, SpqrError> {
    match (version_of(message), negotiation) {
        (None, _) => Ok(Verdict::Ignore),
        (Some(Version::V1), _) => Ok(Verdict::Proceed),
        (Some(Version::V0), None) => Err(SpqrError::VersionMismatch),
        (Some(Version::V0), Some(negotiation)) => match negotiation.min_version {
            Version::V0 => Ok(Verdict::SwitchOff),
            Version::V1 => Err(SpqrError::MinimumVersion),
        },
    }
}
