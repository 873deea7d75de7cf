//! `docs/spec-map.md` is what it says: its files and names exist, and it has every section that the code cites.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// The rows of the map: section, and the third cell.
fn rows() -> Vec<(String, String)> {
    let map = fs::read_to_string(root().join("docs/spec-map.md")).unwrap();
    map.lines()
        .filter_map(|line| {
            let mut cells = line.strip_prefix("| ")?.strip_suffix(" |")?.split(" | ");
            let (section, _, places) = (cells.next()?, cells.next()?, cells.next()?);
            section.contains('§').then(|| (section.to_owned(), places.to_owned()))
        })
        .collect()
}

/// The source files, with their code.
fn sources(folder: &Path, found: &mut Vec<(PathBuf, String)>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let code = fs::read_to_string(&path).unwrap();
            found.push((path, code));
        }
    }
}

fn defines(code: &str, name: &str) -> bool {
    let keywords = ["fn", "struct", "enum", "const", "trait", "type", "static", "mod"];
    keywords.iter().any(|keyword| {
        code.match_indices(&format!("{keyword} {name}")).any(|(at, found)| {
            let end = at.checked_add(found.len()).and_then(|end| code.get(end..)).unwrap();
            !end.starts_with(|c: char| c.is_alphanumeric() || c == '_')
        })
    })
}

#[test]
fn every_file_and_name_on_the_map_exists() {
    let rows = rows();
    assert!(rows.len() > 100, "{} rows", rows.len());
    for (section, places) in rows {
        for place in places.split("; ") {
            let (file, names) =
                place.split_once(": ").unwrap_or_else(|| panic!("{section}: {place}"));
            let file = file.trim_matches('`');
            let code = fs::read_to_string(root().join(file))
                .unwrap_or_else(|_| panic!("{section}: there is no {file}"));
            for name in names.split(", ").map(|name| name.trim_matches('`')) {
                assert!(defines(&code, name), "{section}: {file} does not define {name}");
            }
        }
    }
}

#[test]
fn every_section_that_the_code_cites_is_on_the_map() {
    let on_the_map: BTreeSet<String> = rows().into_iter().map(|(section, _)| section).collect();
    let mut files = Vec::new();
    sources(&root().join("src"), &mut files);
    let mut missing = BTreeSet::new();
    for (path, code) in &files {
        for cited in code.split("spec ").skip(1) {
            // "04 §2.1": two digits, then sections, up to the first other word
            let Some((number, rest)) = cited.split_once(' ') else { continue };
            if number.len() != 2 || !number.bytes().all(|byte| byte.is_ascii_digit()) {
                continue;
            }
            let sections = rest
                .split([' ', ',', ')', ';', ':', '/'])
                .take_while(|word| word.starts_with('§') || matches!(*word, "and" | "to" | ""))
                .filter(|word| word.starts_with('§'));
            for section in sections {
                let section: String = section
                    .chars()
                    .take_while(|c| *c == '§' || *c == '.' || c.is_ascii_digit())
                    .collect();
                let section = format!("{number} {}", section.trim_end_matches('.'));
                if !on_the_map.contains(&section) {
                    missing.insert(format!("{section} ({})", path.display()));
                }
            }
        }
    }
    assert!(missing.is_empty(), "cited but not on the map: {missing:#?}");
}
