//! Keys, packets and frames of calls in the WhatsApp family's format (spec 23).
//!
//! | file | what | specification |
//! |---|---|---|
//! | `key` | [`CallKey`], the 32-byte secret of a call, and the message that carries it | 23 §1, §2 |
//! | `ledger` | [`CallKeyLedger`], which admits every key once; [`BoundCallKey`], a key bound to its call | 23 §7 |
//! | `media_keys` | [`MasterKeys`] of a participant's streams; [`ssrc`] | 23 §3 |
//! | `srtp_kdf` | the session keys of SRTP and SRTCP | RFC 3711 §4.3 |
//! | `rtp` | how much of a packet is header | RFC 3550 §5.1 |
//! | `packet_index` | rollover counter and replay window | RFC 3711 §3.3.1, §3.3.2 |
//! | `srtp` | [`SrtpSender`], [`SrtpReceiver`]: media packets in place | RFC 3711 §3.3 |
//! | `srtcp` | their control packets | RFC 3711 §3.4 |
//! | `epochs` | [`CallEpochs`]: the keys of a group call, whose members come and go | 23 §5 |
//! | `frame` | [`FrameSealer`], [`FrameOpener`]: encryption of whole frames | 23 §6 |
//! | `hop` | [`HopSeed`]: the layer between client and relay | 23 §4 |
//!
//! # How a call begins
//!
//! The caller draws a [`CallKey`] and encrypts its [message](CallKey::message), padded as every message
//! content of the family, for each device of the callee: the same key for all. Both sides
//! [admit](CallKeyLedger::admit) it for the call's id and take their contexts from the [`BoundCallKey`]:
//! one [sender](BoundCallKey::sender) under the own address, a [receiver](BoundCallKey::receiver) under the
//! peer's. Drop everything when the call ends: whatever holds keys wipes them when dropped.
//!
//! Before a key is encrypted for a companion device, or accepted from one, that device must be shown to
//! belong to the account (spec 22 §3). That is the caller's step, as is the session that carries the key.
//!
//! # What it does not give
//!
//! * **Short tags.** The profile's packets carry 4 bytes of tag ([`RtpTag::Four`]): one forgery in about
//!   4 billion is taken for genuine. Only the frame layer has 16 bytes. Where both ends are yours, take
//!   [`RtpTag::Ten`].
//! * **No proof of the sender among participants.** All keys come from one common secret: every participant
//!   of a call can compute every other's keys, and with the relay's help forge another's media. An
//!   app that is free to choose its own profile should give each sender a key of its own, as RFC 9605 does;
//!   `examples/call-frames` shows that over sandi's sessions.
//! * **No healing within an epoch.** Who learns a key reads all that is sent under it, before and after.
//!   [`CallEpochs::rotate`] on every change of the members. Media under the old key that still arrives is
//!   accepted until [`CallEpochs::retire`], even from one who has left: retire soon.
//! * **A companion device that was added after the offer does not get the key.** It travels as an ordinary
//!   message, encrypted for the devices known at that time. It cannot take the call.
//! * **Other devices must forget.** A callee's devices that did not answer, and a caller whom nobody
//!   answered, drop the key; nothing here does it for them.
//!
//! Most of the format is reverse-engineered and may change with the peer's next version; so this module is
//! behind the feature `call`.
//!
//! Any error about a packet or frame that was received means: drop it. Nothing has changed then, neither
//! the context nor the bytes.

mod epochs;
mod frame;
mod hop;
mod key;
mod ledger;
mod media_keys;
mod packet_index;
mod rtp;
mod srtcp;
mod srtp;
mod srtp_kdf;

pub use epochs::{CallEpochs, MAX_EPOCHS, MAX_PARTICIPANTS, Opened};
pub use frame::{
    FRAME_OVERHEAD_MAX, FrameOpener, FrameReplay, FrameSealer, FrameTrailer, OpenedFrame,
};
pub use hop::{HopLabel, HopSeed};
pub use key::{CALL_KEY_MESSAGE_LENGTH, CallKey};
pub use ledger::{BoundCallKey, CallKeyLedger};
pub use media_keys::{MasterKeys, ssrc};
pub use rtp::{RtpHeader, RtpHeaderRule};
pub use srtcp::SRTCP_OVERHEAD;
pub use srtp::{MAX_STREAMS, RtpTag, SrtpProfile, SrtpReceiver, SrtpSender};
pub use srtp_kdf::SessionKeys;
