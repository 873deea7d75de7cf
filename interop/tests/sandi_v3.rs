//! sandi in the version-3 dialect with two releases of the official library and with libsignal-node,
//! each side initiating.

mod common;

use common::{current, legacy, sandi, start};
use sandi_interop::{Pair, PairDialect};

pair!(sandi_and_v3, V3, sandi(&["--v3"]), v3(), strict, sealed);
pair!(v3_and_sandi, V3, v3(), sandi(&["--v3"]), strict, sealed);
pair!(sandi_and_legacy, V3, sandi(&["--v3"]), legacy(), strict, records, sealed, many);
pair!(legacy_and_sandi, V3, legacy(), sandi(&["--v3"]), strict, records, sealed, many);
pair!(sandi_and_node, V3, sandi(&["--v3"]), node());
pair!(node_and_sandi, V3, node(), sandi(&["--v3"]));

/// The current release starts no version-3 session, but goes on with one that it finds in its store.
#[test]
fn the_current_release_continues_a_version_3_session() {
    let sides = (start(legacy()), start(sandi(&["--v3"])), start(current()));
    let (Some(old), Some(ours), Some(new)) = sides else { return };
    let pair = Pair { alice: old, bob: ours, dialect: PairDialect::V3 };
    let (alice, bob) = pair.acquaintances();
    let late = bob.send(&alice, b"late");
    let moved = alice.moved_to(&new, &bob);
    for _ in 0..50 {
        moved.tell(&bob, b"from the new release");
        bob.tell(&moved, b"to the new release");
        if let Ok(text) = moved.try_receive(&bob, &late) {
            assert_eq!(text, b"late");
        }
    }
    moved.refuse(&bob, &late, &["InvalidMessage"]);
}
