//! A device leaves another implementation for sandi in the middle of its conversations.

mod common;

use common::{current, legacy, node, sandi, start, v3};
use sandi_interop::Implementation;
use sandi_interop::PairDialect::{self, V3, V4, V4WithoutSpqr};
use sandi_interop::scenario::moving::Move;

fn moves(
    old: Implementation,
    flags: &'static [&'static str],
    peer: Implementation,
    dialect: PairDialect,
) {
    if let Some(old) = start(old)
        && let Some(new) = start(sandi(flags))
        && let Some(peer) = start(peer)
    {
        Move { old: &old, new: &new, peer: &peer, dialect }.all();
    }
}

#[test]
fn from_libsignal_node_talking_to_libsignal_node() {
    moves(node(), &["--v3"], node(), V3);
}

#[test]
fn from_libsignal_node_talking_to_the_official_library() {
    moves(node(), &["--v3"], v3(), V3);
}

#[test]
fn from_libsignal_node_talking_to_sandi() {
    moves(node(), &["--v3"], sandi(&["--v3"]), V3);
}

#[test]
fn from_the_current_release_talking_to_itself() {
    moves(current(), &[], current(), V4);
}

#[test]
fn from_the_release_before_spqr_talking_to_itself() {
    moves(legacy(), &["--spqr", "off"], legacy(), V4WithoutSpqr);
}

#[test]
fn from_version_3_of_the_official_library_talking_to_it() {
    moves(legacy(), &["--v3"], v3(), V3);
}
