//! The header is what cbindgen makes of the sources.
#![allow(missing_docs, clippy::unwrap_used)]

use std::path::Path;

#[test]
fn the_committed_header_is_fresh() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let config = cbindgen::Config::from_file(root.join("cbindgen.toml")).unwrap();
    let mut made = Vec::new();
    cbindgen::Builder::new()
        .with_crate(root)
        .with_config(config)
        .generate()
        .unwrap()
        .write(&mut made);
    let header = root.join("include/sandi.h");
    if std::env::var_os("SANDI_WRITE_HEADER").is_some() {
        std::fs::write(&header, &made).unwrap();
    }
    let committed = std::fs::read(header).unwrap();
    assert!(made == committed, "stale: SANDI_WRITE_HEADER=1 cargo test -p sandi-ffi --test header");
}

#[test]
fn every_error_of_the_library_has_a_code() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let errors = std::fs::read_to_string(root.join("../src/error.rs")).unwrap();
    let codes = std::fs::read_to_string(root.join("src/status.rs")).unwrap();
    let (_, errors) = errors.split_once("pub enum Error {").unwrap();
    let (errors, _) = errors.split_once("\n}").unwrap();
    let variants: Vec<_> = errors
        .lines()
        .filter_map(|line| line.strip_prefix("    "))
        .filter(|line| line.starts_with(|c: char| c.is_ascii_uppercase()))
        .filter_map(|line| line.split(|c: char| !c.is_alphanumeric()).next())
        .collect();
    assert!(variants.len() > 40);
    for variant in variants {
        let known = format!("Error::{variant} ");
        let with_fields = format!("Error::{variant}(");
        assert!(
            codes.contains(&known) || codes.contains(&with_fields),
            "Error::{variant} has no code in ffi/src/status.rs"
        );
    }
}
