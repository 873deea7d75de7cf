//! Stored records of other implementations, so that an app can move to sandi, mid-conversation,
//! without losing a session.
//!
//! [`official`] reads and writes the records of the official library (spec 08); `node` (feature
//! `migrate-json`) reads those of the version-3 family's JavaScript stores (spec 20). Moving a *live*
//! session is safe only if the old copy is never used again: `docs/migration.md` is the recipe.

#[cfg(feature = "migrate-json")]
pub mod node;
pub mod official;
