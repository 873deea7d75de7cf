//! sandi in the version-3 dialect with two releases of the official library and with libsignal-node,
//! each side initiating.

mod common;

pair!(sandi_and_v3, V3, sandi(&["--v3"]), v3(), strict);
pair!(v3_and_sandi, V3, v3(), sandi(&["--v3"]), strict);
pair!(sandi_and_legacy, V3, sandi(&["--v3"]), legacy(), strict, records);
pair!(legacy_and_sandi, V3, legacy(), sandi(&["--v3"]), strict, records);
pair!(sandi_and_node, V3, sandi(&["--v3"]), node());
pair!(node_and_sandi, V3, node(), sandi(&["--v3"]));
