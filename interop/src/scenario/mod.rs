//! Scenarios: what two devices do, written once for any pair of implementations.
//!
//! Each is a function of a [`Pair`](crate::Pair) that panics where an expectation fails. In all of
//! them Alice starts the conversation; a test runs each both ways round.

pub mod conversation;
pub mod delivery;
pub mod extras;
pub mod forgery;
pub mod group;
pub mod identity;
pub mod long;
pub mod moving;
pub mod prekeys;
pub mod random;
pub mod records;
pub mod restart;
pub mod sealed;
pub mod sessions;
