//! The name under which a business is known, and what may replace it (spec 25 §6).

use alloc::string::String;

use super::{VerifiedNameCertificate, VerifiedNameDetails};
use crate::error::Error;
use crate::keys::IdentityKey;

/// A name whose signature has verified. To keep it, store the encoded
/// [`certificate`](Self::certificate) and verify it again.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct VerifiedName {
    identity: IdentityKey,
    details: VerifiedNameDetails,
    certificate: VerifiedNameCertificate,
}

/// A business is called otherwise than before: the application tells the user.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NameChange {
    /// The name so far.
    pub old: String,
    /// The name now.
    pub new: String,
    /// Whether another identity key has signed the new name: the business has a new primary device, or
    /// its endpoint is hosted by somebody else now.
    pub identity_changed: bool,
}

impl VerifiedName {
    pub(super) const fn new(
        identity: IdentityKey,
        details: VerifiedNameDetails,
        certificate: VerifiedNameCertificate,
    ) -> Self {
        Self { identity, details, certificate }
    }

    /// The identity key that has signed.
    #[must_use]
    pub const fn identity(&self) -> &IdentityKey {
        &self.identity
    }

    /// What it has signed.
    #[must_use]
    pub const fn details(&self) -> &VerifiedNameDetails {
        &self.details
    }

    /// The certificate.
    #[must_use]
    pub const fn certificate(&self) -> &VerifiedNameCertificate {
        &self.certificate
    }

    /// The name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.details.name
    }

    /// Replaces this name by a newer one, and says whether the business is called otherwise now or signs
    /// with another key. The same certificate again changes nothing.
    ///
    /// Serials rise as long as the identity key stays. Another identity key is an event of its own
    /// ([`IdentityChange`](crate::protocol::IdentityChange)), and starts anew.
    ///
    /// # Errors
    ///
    /// [`Error::Outdated`] for a lower serial, or other details under the same one. This name stays.
    pub fn succeed(&mut self, newer: Self) -> Result<Option<NameChange>, Error> {
        let identity_changed = self.identity != newer.identity;
        if !identity_changed {
            if newer.certificate.details == self.certificate.details {
                return Ok(None);
            }
            if newer.details.serial <= self.details.serial {
                return Err(Error::Outdated);
            }
        }
        let old = core::mem::replace(self, newer);
        let renamed = old.details.name != self.details.name
            || old.details.localized != self.details.localized;
        Ok((renamed || identity_changed).then(|| NameChange {
            old: old.details.name,
            new: self.details.name.clone(),
            identity_changed,
        }))
    }
}
