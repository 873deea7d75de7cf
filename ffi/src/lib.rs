//! The C ABI of sandi. `include/sandi.h` is made of this crate by cbindgen; `docs/ffi.md` says how to use
//! and package it, and what each way to hold it wrong gives.
//!
//! | file | what |
//! |---|---|
//! | `status` | the error codes |
//! | `guard` | the border: panics and errors become codes |
//! | `table`, `sync` | handles and their objects, each behind a lock |
//! | `input`, `buffer` | what comes in by pointer, what goes out |
//! | `platform` | randomness; without `std`, the allocator and the end of the program |
//! | `store` | where a device's records live |
//! | `options`, `device` | a device |
//! | `bundle`, `pre_keys` | pre-keys, and the encoding of bundles |
//! | `message`, `received` | sessions and messages |
//! | `identity` | trust: identity keys and their changes |
//! | `hosting` | who can read a chat |
//! | `retry` | messages that did not decrypt |
//! | `group` | messages to groups |
//! | `sealed` | sealed sender |
//! | `fingerprint` | safety numbers |
//! | `stream`, `attachment`, `media` | files |
//! | `version` | versions, texts of codes, dispositions |
//!
//! # Safety
//!
//! Every exported function is `unsafe` to call from Rust, for one reason: a pointer that is not null must point
//! to as many readable (or, for output, writable) bytes as the function says, for as long as it runs, and no
//! other thread may write there meanwhile. Null, misaligned and overlong inputs, handles of any value, and
//! numbers out of range are checked and give a status.
#![cfg_attr(not(feature = "std"), no_std)]

extern crate alloc;

mod attachment;
mod buffer;
mod bundle;
mod device;
mod fingerprint;
mod group;
mod guard;
mod hosting;
mod identity;
mod input;
mod media;
mod message;
mod options;
mod platform;
mod pre_keys;
mod received;
mod retry;
mod sealed;
mod status;
mod store;
mod stream;
mod sync;
mod table;
mod version;

pub use attachment::*;
pub use buffer::*;
pub use bundle::*;
pub use device::*;
pub use fingerprint::*;
pub use group::*;
pub use hosting::*;
pub use identity::*;
pub use input::*;
pub use media::*;
pub use message::*;
pub use options::*;
pub use pre_keys::*;
pub use received::*;
pub use retry::*;
pub use sealed::*;
pub use status::*;
pub use store::*;
pub use stream::*;
pub use table::*;
pub use version::*;
