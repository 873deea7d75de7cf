//! sandi with today's official library: version 4, PQXDH and SPQR, each side initiating.

mod common;

pair!(sandi_and_official, V4, sandi(&[]), current(), strict, records, today, sealed, many);
pair!(official_and_sandi, V4, current(), sandi(&[]), strict, records, today, sealed, many);
pair!(sandi_and_sandi, V4, sandi(&[]), sandi(&[]), strict, records, today, sealed, many);
