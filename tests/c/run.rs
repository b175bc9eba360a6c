//! Compiles and runs the C test programs, each of which covers one area; plainly, and with the address and
//! undefined-behaviour sanitizers. `check.h` says how they work: each case has a time-out of its own, so they end.

#[path = "../support/c_library.rs"]
mod c_library;

use std::io::{self, Write};
use std::process::Command;

const SANITIZERS: &[&str] = &["-fsanitize=address,undefined", "-fno-sanitize-recover=all"];

/// Compiles and runs `tests/c/AREA.c`.
fn run(area: &str, build: &str, flags: &[&str]) {
    let source = c_library::top().join("tests/c").join(format!("{area}.c"));
    let name = area.replace('/', "-") + build;
    let mut program = Command::new(c_library::compile(&source, &name, flags));
    // The cases leave handles open where that is no matter; that nothing leaks is a case of its own.
    program.env("ASAN_OPTIONS", "detect_leaks=0").env_remove("MADANG_DIR");
    let said = c_library::succeed(&mut program);
    print!("{said}");
    for skipped in said.lines().filter(|line| line.contains(": skipped: ")) {
        // Past cargo, which would keep it to itself.
        let _ = writeln!(io::stderr(), "{area}{build}: {skipped}");
    }
}

#[test]
fn shared_queue() {
    run("shared/queue", "", &[]);
}

#[test]
fn shared_queue_sanitized() {
    run("shared/queue", "-sanitized", SANITIZERS);
}

#[test]
fn shared_queue_batch() {
    run("shared/queue_batch", "", &[]);
}

#[test]
fn shared_queue_batch_sanitized() {
    run("shared/queue_batch", "-sanitized", SANITIZERS);
}

#[test]
fn shared_queue_refusals() {
    run("shared/queue_refusals", "", &[]);
}

#[test]
fn shared_queue_refusals_sanitized() {
    run("shared/queue_refusals", "-sanitized", SANITIZERS);
}

#[test]
fn shared_queue_locks() {
    run("shared/queue_locks", "", &[]);
}

#[test]
fn shared_queue_locks_sanitized() {
    run("shared/queue_locks", "-sanitized", SANITIZERS);
}

#[test]
fn shared_descriptor() {
    run("shared/descriptor", "", &[]);
}

#[test]
fn shared_descriptor_sanitized() {
    run("shared/descriptor", "-sanitized", SANITIZERS);
}

#[test]
fn shared_queue_select() {
    run("shared/queue_select", "", &[]);
}

#[test]
fn shared_queue_select_sanitized() {
    run("shared/queue_select", "-sanitized", SANITIZERS);
}

#[test]
fn shared_lease() {
    run("shared/lease", "", &[]);
}

#[test]
fn shared_lease_sanitized() {
    run("shared/lease", "-sanitized", SANITIZERS);
}

#[test]
fn shared_reservation() {
    run("shared/reservation", "", &[]);
}

#[test]
fn shared_reservation_sanitized() {
    run("shared/reservation", "-sanitized", SANITIZERS);
}

#[test]
fn shared_segment() {
    run("shared/segment", "", &[]);
}

#[test]
fn shared_segment_sanitized() {
    run("shared/segment", "-sanitized", SANITIZERS);
}

#[test]
fn shared_list() {
    run("shared/list", "", &[]);
}

#[test]
fn shared_list_sanitized() {
    run("shared/list", "-sanitized", SANITIZERS);
}
