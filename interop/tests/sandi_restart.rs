//! sandi on SQLite: its process is killed, or its party copied, between any two operations of a conversation
//! with another implementation, and the conversation goes on.

mod common;

use common::{current, node, sandi, start, v3};
use sandi_interop::PairDialect::{self, V3, V4};
use sandi_interop::scenario::restart::{
    copied_after_every_operation, everything_is_found_again, killed_after_every_operation,
    killed_once_after_any_operation,
};
use sandi_interop::{Implementation, Pair};

/// With sandi as Alice, and with sandi as Bob.
fn both_ways(
    scenario: fn(&Pair),
    flags: &[&str],
    peer: fn() -> Implementation,
    dialect: PairDialect,
) {
    let folder = tempfile::tempdir().expect("a folder");
    let store = format!("sqlite:{}", folder.path().join("party").display());
    let flags = [flags, &["--store", &store]].concat();
    if let Some(alice) = start(sandi(&flags))
        && let Some(bob) = start(peer())
    {
        let pair = Pair { alice, bob, dialect };
        scenario(&pair);
        scenario(&pair.reversed());
    }
}

macro_rules! restarts {
    ($($name:ident: $flags:expr, $peer:expr, $dialect:expr;)*) => {
        $(mod $name {
            use super::*;

            restarts! {
                ($flags, $peer, $dialect)
                killed_after_every_operation, killed_once_after_any_operation,
                copied_after_every_operation, everything_is_found_again
            }
        })*
    };
    (($flags:expr, $peer:expr, $dialect:expr) $($scenario:ident),*) => {
        $(
            #[test]
            fn $scenario() {
                both_ways(super::$scenario, &$flags, $peer, $dialect);
            }
        )*
    };
}

restarts! {
    version_4_with_the_official_library: [], current, V4;
    version_3_with_the_official_library: ["--v3"], v3, V3;
    version_3_with_libsignal_node: ["--v3"], node, V3;
}
