//! Reference implementations with each other: what the scenarios themselves stand on.

mod common;

pair!(current_and_current, V4, current(), current(), strict, records, today, sealed, many);
pair!(v3_and_node, V3, v3(), node());
