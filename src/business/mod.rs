//! Businesses: the name they are verified under, and who holds their keys (spec 22 §5, spec 25 §6).
//!
//! A business may run its endpoint itself; then a chat with it is end-to-end encrypted like any other. Or
//! somebody else runs it: a solution provider, or Meta. The messages are encrypted all the same, but to
//! that party, so the user has to be told, before the next message leaves, and again when it changes.
//!
//! | to | use |
//! |---|---|
//! | tell who can read a chat | [`EncryptionStatus`], of an [`Assessment`] of all [`Signal`]s |
//! | keep that for every user, and get an event on every change | [`Device::learn_hosting`](crate::Device::learn_hosting) |
//! | let no message leave without the user's consent | [`HostedPolicy::RequireConsent`](crate::protocol::HostedPolicy), [`Device::consent_to_hosting`](crate::Device::consent_to_hosting) |
//! | read a business profile | [`IdentityInfo`] |
//! | verify and make name certificates | [`VerifiedNameCertificate`], [`VerifiedNameDetails`] |
//! | take over a new name, never an older one | [`VerifiedName::succeed`] |
//!
//! | file | what |
//! |---|---|
//! | `status` | who can read a chat, and what to tell the user when that changes |
//! | `signal` | what says so: bound by cryptography, or asserted by a server |
//! | `assessment` | all signals together, worst wins |
//! | `endpoint` | addresses of hosted devices |
//! | `identity_info` | the business profile's claims |
//! | `verified_name` | the certificate |
//! | `known_name` | the name that is known, and its successors |

mod assessment;
mod endpoint;
mod identity_info;
mod known_name;
mod signal;
mod status;
mod verified_name;

pub use assessment::{Assessment, Evidence};
pub use endpoint::{hosting_name, is_hosted};
pub use identity_info::{ActualActors, HostStorage, IdentityInfo, VerifiedLevel};
pub use known_name::{NameChange, VerifiedName};
pub use signal::{AccountType, AssertedSource, BoundSource, Claim, Signal};
pub use status::{EncryptionStatus, Notice, StatusChange};
pub use verified_name::{Issuer, LocalizedName, VerifiedNameCertificate, VerifiedNameDetails};
