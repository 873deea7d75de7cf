//! Runs scenarios with a pair of implementations, both ways round.

#![allow(dead_code)] // each test program uses a part

use std::io::Write;

use sandi_interop::pair::Side;
use sandi_interop::{Implementation, Libsignal, Pair, PairDialect};

/// Official libsignal 0.103: version 4 with SPQR.
pub fn current() -> Implementation {
    Implementation::Libsignal(Libsignal::Current)
}

/// Official libsignal 0.72: version 4 without SPQR, and version 3.
pub fn legacy() -> Implementation {
    Implementation::Libsignal(Libsignal::Legacy)
}

/// Official libsignal 0.23: version 3.
pub fn v3() -> Implementation {
    Implementation::Libsignal(Libsignal::V3)
}

/// libsignal-node: version 3.
pub fn node() -> Implementation {
    Implementation::LibsignalNode
}

/// sandi with `flags`.
pub fn sandi(flags: &[&str]) -> Implementation {
    let flags = flags.iter().map(ToString::to_string).collect();
    Implementation::Sandi(env!("CARGO_BIN_EXE_sandi-peer").into(), flags)
}

/// Starts a peer. `None`, said on standard error, when it is not installed; a panic when
/// `SANDI_REQUIRE_PEERS=1` demands it.
pub fn start(implementation: Implementation) -> Option<Side> {
    let what = format!("{implementation:?}");
    match Side::start(implementation) {
        Ok(side) => Some(side),
        Err(error) if std::env::var_os("SANDI_REQUIRE_PEERS").is_some_and(|v| v == "1") => {
            panic!("{what}: {error}");
        }
        Err(error) => {
            let test = std::thread::current().name().unwrap_or("?").to_owned();
            // Not `eprintln`: the test runner would hide it.
            let _ = writeln!(std::io::stderr(), "SKIPPED {test}: {what}: {error}");
            None
        }
    }
}

/// Runs `scenario` with Alice in one implementation and Bob in the other.
pub fn run(scenario: fn(&Pair), alice: Implementation, bob: Implementation, dialect: PairDialect) {
    if let Some(alice) = start(alice)
        && let Some(bob) = start(bob)
    {
        scenario(&Pair { alice, bob, dialect });
    }
}

/// One test for each scenario that any two implementations can act.
#[macro_export]
macro_rules! pair {
    ($name:ident, $dialect:expr, $alice:expr, $bob:expr $(, $more:ident)*) => {
        mod $name {
            use super::common::*;
            use sandi_interop::scenario::*;
            #[allow(unused_imports)]
            use sandi_interop::PairDialect::{V3, V4, V4WithoutSpqr};
            $crate::scenarios! {
                ($dialect, $alice, $bob)
                conversation: ping_pong_with_one_time_key, ping_pong_without_one_time_key,
                    ping_pong_with_plain_names, bursts, every_size_of_plaintext, a_hundred_turns;
                delivery: pre_key_messages_in_reverse, reorder, withheld, loss, duplication,
                    a_long_gap, old_chains;
                forgery: every_bit_of_a_plain_message, a_pre_key_message, truncated_and_extended,
                    misdirected;
                identity: plain_names_bind_nothing;
                prekeys: one_time_key_is_used_once, one_time_key_that_is_gone, large_ids;
                random: delivery_against_a_model;
                sessions: crossing_initiations_with_loss, start_again_after_deletion,
                    the_other_starts_again, archived_and_heard_from, several_devices;
            }
            $($crate::$more! { $dialect, $alice, $bob })*
        }
    };
}

/// What libsignal-node cannot act: see `interop/README.md`.
#[macro_export]
macro_rules! strict {
    ($dialect:expr, $alice:expr, $bob:expr) => {
        $crate::scenarios! {
            ($dialect, $alice, $bob)
            delivery: the_largest_gap;
            identity: changed_identity, trust_withdrawn_and_given_back, address_binding;
            long: thousands_with_loss_and_reorder;
            prekeys: one_time_key_zero, bad_signature;
            sessions: crossing_initiations, crossing_initiations_repeated, a_second_bundle,
                archived_and_promoted, archived_and_started_again, bob_starts_before_answering,
                forty_archived_sessions;
        }
    };
}

/// Sessions that move as stored records. Release 0.23.1 is left out: it reads no skipped keys in the form
/// written since 0.67.2, and stores no creation time, so that its unanswered sessions are stale elsewhere
/// (spec 08 §1.2 and §1.3).
#[macro_export]
macro_rules! records {
    ($dialect:expr, $alice:expr, $bob:expr) => {
        $crate::scenarios! {
            ($dialect, $alice, $bob)
            records: moved_mid_conversation, moved_before_the_first_reply;
        }
    };
}

/// Sealed sender to one recipient, fingerprints, decryption errors: what every official release has.
#[macro_export]
macro_rules! sealed {
    ($dialect:expr, $alice:expr, $bob:expr) => {
        $crate::scenarios! {
            ($dialect, $alice, $bob)
            extras: fingerprints, alternate_identities, decryption_errors;
            sealed: certificates_are_read_alike, one_recipient, damaged_to_one_recipient,
                plaintext_content;
        }
    };
}

/// Sealed sender to many recipients, and incremental MACs. Release 0.23.1 is left out: its version 2 is
/// an older one (spec 06 §5.1), and it has no incremental MAC.
#[macro_export]
macro_rules! many {
    ($dialect:expr, $alice:expr, $bob:expr) => {
        $crate::scenarios! {
            ($dialect, $alice, $bob)
            extras: incremental_macs;
            sealed: many_recipients, damaged_to_many, servers_read_alike, unaddressable,
                group_message;
        }
    };
}

/// What only version 4 as it is today has.
#[macro_export]
macro_rules! today {
    ($dialect:expr, $alice:expr, $bob:expr) => {
        $crate::scenarios! {
            ($dialect, $alice, $bob)
            extras: hpke;
            prekeys: replay_under_another_address;
        }
    };
}

/// See [`pair`].
#[macro_export]
macro_rules! scenarios {
    (($dialect:expr, $alice:expr, $bob:expr) $($file:ident: $($scenario:ident),*;)*) => {
        $($(
            #[test]
            fn $scenario() {
                run($file::$scenario, $alice, $bob, $dialect);
            }
        )*)*
    };
}
