//! `include/madang.h` is what cbindgen makes of `capi`; every compiler takes it without a word; and what it says by
//! example is so.
//!
//! `make header` sets `MADANG_UPDATE_HEADER`: then it is written instead of compared.

use std::fs;
use std::process::Command;

use crate::c_library::{WARNINGS, compile, compiler, directory, succeed, top};

fn header() -> String {
    fs::read_to_string(top().join("include/madang.h")).unwrap()
}

#[test]
fn the_committed_header_is_what_cbindgen_makes() {
    let capi = top().join("capi");
    let config = cbindgen::Config::from_file(capi.join("cbindgen.toml")).unwrap();
    let bindings = cbindgen::Builder::new().with_crate(capi).with_config(config).generate().unwrap();
    let mut made = Vec::new();
    bindings.write(&mut made);
    let made = String::from_utf8(made).unwrap();
    if std::env::var_os("MADANG_UPDATE_HEADER").is_some() {
        fs::write(top().join("include/madang.h"), made).unwrap();
    } else if made != header() {
        let differing = made.lines().zip(header().lines().map(str::to_owned).collect::<Vec<_>>()).find(|(a, b)| a != b);
        panic!("include/madang.h is not what cbindgen makes: `make header`. The first difference: {differing:#?}");
    }
}

#[test]
fn no_line_is_long() {
    let header = header();
    let long: Vec<_> = header.lines().filter(|line| line.len() > 100 && !line.starts_with("#define")).collect();
    assert!(long.is_empty(), "longer than 100 characters: {long:#?}");
}

/// Compiles the header alone, twice over, as `standard` has it.
fn compiles(language: &str, standard: &str) {
    let source = directory().join(format!("alone-{standard}.{}", if language == "c" { "c" } else { "cc" }));
    fs::write(&source, "#include <madang.h>\n#include <madang.h>\nint main(void) { return madang_version() == 0; }\n")
        .unwrap();
    let mut compiler = compiler(language);
    compiler.args(WARNINGS).args(["-Wshadow", "-Wconversion", "-Wstrict-aliasing", "-fsyntax-only"]);
    succeed(compiler.arg(format!("-std={standard}")).arg(&source));
}

#[test]
fn it_compiles_as_c() {
    ["c99", "c11", "c17"].iter().for_each(|standard| compiles("c", standard));
}

#[test]
fn it_compiles_as_cpp() {
    ["c++11", "c++17", "c++20"].iter().for_each(|standard| compiles("c++", standard));
}

/// The program in the prologue: the lines from its first `#include` to its last brace.
#[test]
fn its_program_runs() {
    let header = header();
    let lines = header.lines().map(|line| line.strip_prefix(" *     ").unwrap_or_default());
    let mut program: Vec<_> = lines.skip_while(|line| *line != "#include <madang.h>").collect();
    program.truncate(program.iter().position(|line| *line == "}").unwrap() + 1);
    let source = directory().join("example.c");
    fs::write(&source, program.join("\n") + "\n").unwrap();
    let mut example = Command::new(compile(&source, "example", &[]));
    // In a place of its own, for somebody may have a queue called "orders".
    assert_eq!(succeed(example.env("MADANG_DIR", directory())), "two teas\n");
}
