//! sandi against other implementations.
//!
//! A [`Peer`] is a child process that answers one JSON object a line: the official libsignal in one
//! of three versions, libsignal-node, or sandi itself through the binary `sandi-peer`. All of them
//! answer the same operations (`peers/libsignal/README.md` lists them), so one [`scenario`] can be
//! pointed at any [`Pair`] of them.
//!
//! Nothing of the peers is linked or committed: `install-peers.sh` installs them outside the tree.

pub mod group;
pub mod json;
pub mod pair;
pub mod peer;
pub mod scenario;

pub use group::Group;
pub use pair::{Implementation, Message, Pair, PairDialect, Party};
pub use peer::{CallError, Libsignal, Peer, Refusal};
