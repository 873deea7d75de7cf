//! Stored records of other implementations, so that an app can move to sandi, mid-conversation,
//! without losing a session.
//!
//! [`official`] reads and writes the records of the official library (spec 08). Moving a *live* session
//! is safe only if the old copy is never used again.

pub mod official;
