//! What an enemy would do to the drop-in: `attack.c`, a case for each test. And that nothing stays behind.

use std::process::Command;
use std::time::Instant;

use crate::c_library::{self, succeed};
use crate::drop_in::{self, Place};

/// The program: it is compiled by whoever comes first.
fn program() -> &'static std::path::Path {
    static PROGRAM: std::sync::OnceLock<std::path::PathBuf> = std::sync::OnceLock::new();
    PROGRAM.get_or_init(|| drop_in::compile("attack.c"))
}

fn attack(place: &Place, case: &str, number: u32) -> Command {
    let mut command = place.command("timeout");
    command.args(["60"]).arg(program()).arg(case).arg(number.to_string());
    command
}

/// Runs a case; nothing may stay.
fn leaves_nothing(case: &str, number: u32) {
    let place = Place::new(case);
    print!("{}", succeed(&mut attack(&place, case, number)));
    assert_eq!(place.files(), Vec::<String>::new(), "left behind");
}

/// Sweeps, as `madang gc` does.
fn gc(place: &Place) {
    let path = std::ffi::CString::new(place.path().to_str().unwrap()).unwrap();
    let sweep = || {
        // SAFETY: a forked child has one thread, so its environment is its own.
        unsafe { libc::setenv(c"MADANG_DIR".as_ptr(), path.as_ptr(), 1) };
        let there_are = madang::left_overs().unwrap().files;
        assert_eq!(madang::gc().unwrap().files, there_are);
        assert_eq!(madang::left_overs().unwrap().files, 0);
        0
    };
    madang_tests::fork(sweep).succeeds();
}

#[test]
fn creators_and_removers() {
    leaves_nothing("races", 2000);
}

#[test]
fn one_identifier_for_a_key() {
    leaves_nothing("one_id", 1000);
}

#[test]
fn killed_while_they_make_and_remove() {
    let place = Place::new("killed");
    succeed(&mut attack(&place, "killed", 400));
    gc(&place);
    assert_eq!(place.files(), Vec::<String>::new(), "left behind after gc");
}

#[test]
fn attached_and_removed() {
    leaves_nothing("attached_races", 500);
}

#[test]
fn forks_at_first_calls() {
    leaves_nothing("forks_at_first_calls", 50);
}

#[test]
fn forks_among_threads() {
    leaves_nothing("forks_among_threads", 100);
}

#[test]
fn few_descriptors() {
    leaves_nothing("few_descriptors", 1000);
}

#[test]
fn no_descriptor() {
    leaves_nothing("no_descriptor", 1);
}

#[test]
fn signals() {
    leaves_nothing("signals", 100);
}

#[test]
fn removed_by_others() {
    leaves_nothing("removed_by_others", 4);
}

#[test]
fn starts_programs() {
    leaves_nothing("starts_programs", 10);
}

#[test]
fn exits_while_used() {
    leaves_nothing("exits_while_used", 30);
}

#[test]
fn attached_while_removed() {
    leaves_nothing("attached_while_removed", 3000);
}

#[test]
fn memory_of_removed() {
    leaves_nothing("memory_of_removed", 20);
}

#[test]
fn removed_at_the_end() {
    leaves_nothing("removed_at_the_end", 5);
}

#[test]
fn the_killed_give_back() {
    leaves_nothing("given_back", 10);
}

/// A library that makes its calls in its constructor, before that of the drop-in: preloaded besides, and loaded late.
#[test]
fn before_constructors_and_late() {
    let plugin = drop_in::directory().join("plugin.so");
    let source = c_library::top().join("tests/parity/plugin.c");
    succeed(c_library::compiler("c").args(["-shared", "-fPIC"]).arg(source).arg("-o").arg(&plugin));
    let place = Place::new("plugin");
    let mut late = attack(&place, "loads_late", 1);
    succeed(late.env("PLUGIN", &plugin));
    let mut early = place.command("true");
    early.env("LD_PRELOAD", format!("{}:{}", plugin.display(), drop_in::library().display()));
    succeed(&mut early);
    assert_eq!(place.files(), Vec::<String>::new(), "left behind");
}

/// The last who was attached is killed: whoever comes next takes the memory back, though he doesn't know of it.
#[test]
fn the_last_attached_is_killed() {
    let place = Place::new("last");
    let mut killed = place.command(program());
    assert!(!killed.args(["leaves_removed", "1"]).status().unwrap().success());
    assert_eq!(place.files().len(), 1, "{:?}", place.files());
    succeed(&mut attack(&place, "starts_programs", 1));
    assert_eq!(place.files(), Vec::<String>::new(), "the next program should have swept it");
}

/// What an object takes, and what an operation costs when there are so many.
#[test]
fn many() {
    let place = Place::new("leaves");
    succeed(&mut attack(&place, "leaves", 100));
    for kind in ["queue", "semaphores", "memory"] {
        let taken = |file: &String| {
            use std::os::unix::fs::MetadataExt;
            std::fs::metadata(place.path().join(file)).unwrap().blocks() * 512
        };
        let by_id = format!("madang.{kind}.sysv.id.");
        let each: Vec<_> = place.files().iter().filter(|file| file.starts_with(&by_id)).map(taken).collect();
        let mean = each.iter().sum::<u64>() / 100;
        println!("{kind}: an unused object takes {mean} bytes");
        assert!(each.len() == 100 && mean < 256 << 10, "{kind}: {mean} bytes each");
    }
    drop(place);
    for number in [10, 1000] {
        let begun = Instant::now();
        leaves_nothing("many", number);
        println!("{number} of each kind: {:?}", begun.elapsed());
    }
}
