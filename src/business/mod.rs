//! Businesses: the name they are verified under, and who holds their keys (spec 22 §5, spec 25 §6).
//!
//! A business may run its endpoint itself; then a chat with it is end-to-end encrypted like any other. Or
//! somebody else runs it: a solution provider, or Meta. The messages are encrypted all the same, but to
//! that party, so the user has to be told, before the next message leaves, and again when it changes.
//!
//! ```
//! use sandi::business::{EncryptionStatus, Evidence, IdentityInfo, Signal};
//! use sandi::linking::EncryptionType;
//!
//! let mut evidence = Evidence::default();
//! // Signed by the business, at second 1,700,000,000: its account is hosted.
//! evidence.add(Signal::account_type(EncryptionType::Hosted, 1_700_000_000));
//! // The server says that it is not.
//! let profile = IdentityInfo::decode(&[0x28, 0, 0x30, 0])?;
//! evidence.add(Signal::profile(&profile).expect("it speaks of hosting"));
//!
//! let known = evidence.assess();
//! assert_eq!(known.status, EncryptionStatus::HostedUnknown);
//! assert_eq!(known.bound, Some(EncryptionStatus::HostedUnknown));
//! assert_eq!(known.asserted, Some(EncryptionStatus::EndToEnd));
//! assert!(known.is_proven_hosted());
//! # Ok::<(), sandi::Error>(())
//! ```
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
pub use signal::{AssertedSource, BoundSource, Claim, Signal};
pub use status::{EncryptionStatus, Notice, StatusChange};
pub use verified_name::{Issuer, LocalizedName, VerifiedNameCertificate, VerifiedNameDetails};
