//! What `libmadang.so` exports is what `include/madang.h` declares: no more, no less.

use std::collections::BTreeSet;
use std::fs;
use std::process::Command;

use crate::c_library::{directory, succeed, top};

/// The functions that the header declares: in what is neither comment nor directive, the names before a parenthesis.
fn declared() -> BTreeSet<String> {
    let header = fs::read_to_string(top().join("include/madang.h")).unwrap();
    let code: Vec<_> = header
        .lines()
        .filter(|line| !["//", "*", "/*", "#"].iter().any(|start| line.trim_start().starts_with(start)))
        .collect();
    let code = code.join("\n");
    let words = code.split('(').filter_map(|before| before.rsplit(|c: char| !c.is_alphanumeric() && c != '_').next());
    words.filter(|word| word.starts_with("madang_")).map(str::to_owned).collect()
}

/// The symbols that a program can link to.
fn exported() -> BTreeSet<String> {
    let mut nm = Command::new("nm");
    let table =
        succeed(nm.args(["--dynamic", "--defined-only", "--format=posix"]).arg(directory().join("libmadang.so")));
    table.lines().filter_map(|line| line.split(' ').next()).map(str::to_owned).collect()
}

#[test]
fn the_library_exports_what_the_header_declares() {
    let (declared, exported) = (declared(), exported());
    assert!(declared.len() > 20, "the header wasn't understood: {declared:?}");
    assert_eq!(declared, exported);
}

#[test]
fn it_asks_for_version_0_of_itself() {
    let mut readelf = Command::new("readelf");
    let dynamic = succeed(readelf.arg("--dynamic").arg(directory().join("libmadang.so")));
    assert!(dynamic.contains("soname: [libmadang.so.0]"), "{dynamic}");
}
