//! The leaf rooms: fingerprints, files, message content, calls, backups, linking, business, app state. Replays the files
//! under `tests/vectors/whatsapp/` and the conformance scenarios of spec 07, 09 and 20 to 26.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
#![allow(clippy::arithmetic_side_effects, missing_docs, unreachable_pub)]

mod account;
mod app_state;
mod app_state_proto;
mod backup;
mod business;
mod calls;
mod companions;
mod content;
mod data;
mod fingerprint;
mod linking;
mod linking_code;
mod media;
mod signal_attachment;
