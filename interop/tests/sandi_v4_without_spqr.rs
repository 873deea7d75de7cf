//! sandi without SPQR with the official library of 2025: version 4, PQXDH, each side initiating.

mod common;

pair!(
    sandi_and_legacy,
    V4WithoutSpqr,
    sandi(&["--spqr", "off"]),
    legacy(),
    strict,
    records,
    sealed,
    many
);
pair!(
    legacy_and_sandi,
    V4WithoutSpqr,
    legacy(),
    sandi(&["--spqr", "off"]),
    strict,
    records,
    sealed,
    many
);
