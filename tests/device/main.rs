//! `Device` over a store: durable before visible, trust, healing, pre-keys, many devices.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
#![allow(clippy::arithmetic_side_effects, missing_docs, unreachable_pub)]

mod backup;
mod faults;
mod groups;
mod healing;
mod messages;
mod model;
mod pre_keys;
mod sealed;
mod sesame;
mod sharing;
mod support;
mod trust;
