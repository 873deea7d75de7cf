//! Verifying that a companion belongs to its account (spec 22 §3, "Verification duty").

use super::{AccountKey, DeviceIdentity, SignedDeviceIdentity};
use crate::error::Error;
use crate::jid::Jid;
use crate::keys::IdentityKey;

/// A companion whose account has vouched for it, and which has vouched for its account.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct VerifiedCompanion {
    identity: IdentityKey,
    account: AccountKey,
    details: DeviceIdentity,
    hosted: bool,
}

impl VerifiedCompanion {
    /// Verifies both signatures of `signed`, which was fetched for `address` or came with a message from it,
    /// for the device whose identity key is `identity`.
    ///
    /// `known_primary` is the known identity of device 0 of the user.
    ///
    /// # Errors
    ///
    /// Those of [`AccountKey::choose`]; [`Error::SignatureValidationFailed`]; [`Error::InvalidProtobuf`].
    pub fn verify(
        address: &Jid,
        identity: &IdentityKey,
        signed: &SignedDeviceIdentity<'_>,
        known_primary: Option<&IdentityKey>,
    ) -> Result<Self, Error> {
        let account = AccountKey::choose(address, signed.account_key(), known_primary)?;
        let details = signed.verify_account_signature(account.key(), identity)?;
        signed.verify_fetched_device_signature(address, account.key(), identity)?;
        Ok(Self { identity: *identity, account, details, hosted: address.is_hosted() })
    }

    /// The companion's identity key.
    #[must_use]
    pub const fn identity(&self) -> &IdentityKey {
        &self.identity
    }

    /// The key that vouches for it.
    #[must_use]
    pub const fn account(&self) -> &AccountKey {
        &self.account
    }

    /// What the account says about it.
    #[must_use]
    pub const fn details(&self) -> &DeviceIdentity {
        &self.details
    }

    /// Whether messages to it are end-to-end encrypted with the user: neither its address nor what was
    /// signed says that somebody else holds keys.
    #[must_use]
    pub const fn is_end_to_end_encrypted(&self) -> bool {
        !self.hosted && self.details.account_type.is_e2ee() && self.details.device_type.is_e2ee()
    }
}
