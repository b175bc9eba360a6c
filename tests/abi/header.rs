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

/// The indented blocks in the prologue's section of this heading, as they would stand in a program.
fn examples(heading: &str) -> Vec<String> {
    let header = header();
    let underlined = format!(" * {heading}\n * {}\n", "-".repeat(heading.len()));
    let section = header.split(&underlined).nth(1).unwrap_or_else(|| panic!("there is no section {heading}"));
    let section = section.split(" * ---").next().unwrap();
    let mut blocks = vec![String::new()];
    for line in section.lines() {
        let last = blocks.last_mut().unwrap();
        match (line.strip_prefix(" *     "), line) {
            (Some(code), _) => *last += &(code.to_owned() + "\n"),
            // An empty line may lie within.
            (None, " *") if !last.is_empty() => *last += "\n",
            _ if !last.is_empty() => blocks.push(String::new()),
            _ => {}
        }
    }
    blocks.retain(|block| !block.is_empty());
    blocks
}

#[test]
fn its_program_runs() {
    let [program, build] = &examples("A program")[..] else { panic!("a program, and how it is built") };
    assert!(build.starts_with("cc program.c "), "{build}");
    let source = directory().join("example.c");
    fs::write(&source, program).unwrap();
    let mut example = Command::new(compile(&source, "example", &[]));
    // In a place of its own, for somebody may have a queue called "orders".
    assert_eq!(succeed(example.env("MADANG_DIR", directory())), "two teas\n");
}

/// Compiles an example as the body of a function, in which `declared` stands before and `used` after it.
fn body_compiles(name: &str, (language, standard): (&str, &str), declared: &str, body: &str, used: &str) {
    let source = directory().join(format!("{name}.{}", if language == "c" { "c" } else { "cc" }));
    let function = format!("{declared}\n{body}\n{used}\n}}\n");
    fs::write(&source, format!("#include <errno.h>\n#include <madang.h>\n#include <time.h>\n{function}")).unwrap();
    let mut compiler = compiler(language);
    compiler.args(WARNINGS).args(["-D_POSIX_C_SOURCE=200809L", "-fsyntax-only"]);
    succeed(compiler.arg(format!("-std={standard}")).arg(&source));
}

#[test]
fn its_example_of_batches_runs() {
    let [batch] = &examples("Batches")[..] else { panic!("one example of batches") };
    let source = directory().join("batches.c");
    let open =
        "madang_queue *orders; char text[4096]; if (madang_queue_open(\"batches\", NULL, &orders) < 0) return 1;";
    let end = "return sent != 2 || count != 2 || madang_queue_unlink(\"batches\") < 0;";
    let program = format!("#include <madang.h>\n#include <stdio.h>\nint main(void) {{\n{open}\n{batch}\n{end}\n}}\n");
    fs::write(&source, program).unwrap();
    let mut example = Command::new(compile(&source, "batches", &[]));
    assert_eq!(succeed(example.env("MADANG_DIR", directory())), "two teas\none coffee\n");
}

#[test]
fn its_examples_compile() {
    let [time] = &examples("Time")[..] else { panic!("one example of time") };
    let declared = "extern madang_queue *orders;\nint main(void) {\nchar text[4096];";
    body_compiles("time", ("c", "c11"), declared, time, "return length < 0;");
    let [lease, reserve] = &examples("Leases and reservations")[..] else { panic!("one example of each") };
    let declared = "extern madang_queue *orders;\nextern void look_whether_it_is_done(uint64_t), \
                    brew(const void *, int64_t);\nint main(void) {";
    body_compiles("lease", ("c", "c11"), declared, lease, "return length < 0;");
    let declared = "extern madang_queue *orders;\nextern size_t write_order(char *, size_t);\nint main(void) {";
    body_compiles("reserve", ("c", "c11"), declared, reserve, "return 0;");
    let [lock] = &examples("Locks")[..] else { panic!("one example of locks") };
    body_compiles("lock", ("c", "c11"), "int main(void) {", lock, "return 0;");
    let [c, cpp] = &examples("Structs")[..] else { panic!("an example in C and one in C++") };
    let [poll] = &examples("Waiting for several things at once")[..] else { panic!("one example of poll") };
    let declared = "#include <poll.h>\nextern madang_queue *orders;\nextern int listener;\nextern void serve(const char *, int64_t);\n\
                    extern void welcome(int);\nint main(void) {\nchar text[4096];\nint64_t length;";
    body_compiles("poll", ("c", "c11"), declared, poll, "return 0;");
    let used = "return options.capacity != 4 << 20;";
    body_compiles("struct", ("c", "c11"), "int main(void) {", c, used);
    body_compiles("struct", ("c++", "c++11"), "int main() {", cpp, used);
}

/// `structs.c` says at which offset each field lies, and the header has no field that it leaves out.
#[test]
fn no_field_moves() {
    let source = top().join("tests/abi/structs.c");
    succeed(compiler("c").args(WARNINGS).args(["-std=c11", "-fsyntax-only"]).arg(&source));
    let said = fs::read_to_string(source).unwrap();
    let header = header();
    let structs = header.split("typedef struct {\n").skip(1).map(|rest| rest.split_once(";\n\n").unwrap().0);
    let mut fields = 0;
    for (body, name) in structs.map(|text| text.split_once("\n} ").unwrap()) {
        for line in body.lines().filter(|line| !line.trim_start().starts_with("//")) {
            let field = line.trim_end_matches(';').rsplit([' ', '*']).next().unwrap().split('[').next().unwrap();
            assert!(
                said.contains(&format!("AT({name}, {field}, ")),
                "structs.c does not say where {name}.{field} lies"
            );
            fields += 1;
        }
    }
    assert!(fields > 25, "the header wasn't understood: {fields} fields");
}
