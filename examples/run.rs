//! Runs the examples, each in its three languages, and compares what they print.
//!
//! An example is a folder with a file `expected` in it, and with `NAME.c`, `NAME.py` and `NAME.rs`, where NAME is the folder's. The Rust
//! one is a `[[bin]]` of this package, of the same name. Each runs in an empty directory of its own; line by line it prints what
//! stands in `expected`, and exits with 0.

#[path = "../tests/support/c_library.rs"]
mod c_library;

use std::path::{Path, PathBuf};
use std::process::Command;

use madang_tests::{Directory, python};

/// No example takes longer; some wait for each other.
const SECONDS: &str = "60";

fn examples() -> Vec<PathBuf> {
    let folders = std::fs::read_dir(c_library::top().join("examples")).unwrap();
    let mut found: Vec<_> =
        folders.map(|folder| folder.unwrap().path()).filter(|it| it.join("expected").exists()).collect();
    found.sort();
    found
}

fn name(example: &Path) -> &str {
    example.file_name().and_then(|name| name.to_str()).unwrap()
}

/// Runs each example by what `program` makes of its folder, and says which of them went wrong.
fn run(language: &str, program: impl Fn(&Path) -> Command) {
    let mut wrong = Vec::new();
    for example in examples() {
        let (name, directory) = (name(&example), Directory::new(&format!("example-{language}")));
        let command = program(&example);
        let mut limited = Command::new("timeout");
        limited.arg("--kill-after=5").arg(SECONDS).arg(command.get_program()).args(command.get_args());
        let output = limited.current_dir(&*directory).env_remove("MADANG_DIR").output().unwrap();
        let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        let expected = std::fs::read_to_string(example.join("expected")).unwrap();
        if !output.status.success() || out != expected {
            wrong.push(format!("{name} in {language}: {}\n{out}{err}", output.status));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn in_rust() {
    let here = std::env::current_exe().unwrap();
    let programs = here.parent().and_then(Path::parent).expect("target/PROFILE/deps/run").to_owned();
    run("Rust", |example| Command::new(programs.join(name(example))));
}

#[test]
fn in_c() {
    run("C", |example| {
        let name = name(example);
        Command::new(c_library::compile(&example.join(format!("{name}.c")), &format!("example-{name}"), &[]))
    });
}

#[test]
fn in_python() {
    run("Python", |example| {
        let mut command = Command::new(python());
        command.arg("-P").arg(example.join(format!("{}.py", name(example))));
        command
    });
}
