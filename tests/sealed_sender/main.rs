//! The conformance scenarios of spec 06.
#![allow(
    missing_docs,
    unreachable_pub,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects
)]

#[path = "../common/mod.rs"]
mod common;

mod certificates;
mod conversation;
mod one_recipient;
mod sent;
mod service;
mod worked_example;
