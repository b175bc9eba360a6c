//! `run`: what it refuses, and what the program gets. That calls are served then, the tests of what is installed show (tests/abi).

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::Command;

use madang_tests::{Directory, Name};

use crate::command::{Done, Madang, finish};

/// A library that may be loaded into any program: the C library, which is there already.
fn library() -> String {
    let maps = fs::read_to_string("/proc/self/maps").unwrap();
    let of_c = |line: &&str| {
        line.split('/').next_back().is_some_and(|file| file.starts_with("libc.") || file.starts_with("libc-"))
    };
    let line = maps.lines().find(of_c).expect("a C library");
    line[line.find('/').unwrap()..].to_owned()
}

fn run(arguments: &[&str]) -> Done {
    let mut command = Madang::new().command([&["run"], arguments].concat());
    finish(command.env("MADANG_SYSV_LIBRARY", library()).env_remove("LD_PRELOAD"), b"")
}

#[test]
fn the_program_gets_the_library() {
    let madang = Madang::new();
    assert_eq!(run(&["--", "sh", "-c", "echo \"$LD_PRELOAD\"; exit 7"]).text(), format!("{}\n", library()));
    assert_eq!(run(&["sh", "-c", "exit 7", "--", "--json"]).status, 7);
    assert_eq!(run(&["echo", "-n", "--", "a  b"]).text(), "-- a  b");
    let mut command = madang.command(["run", "sh", "-c", "echo \"$LD_PRELOAD\""]);
    command.env("MADANG_SYSV_LIBRARY", library()).env("LD_PRELOAD", "libm.so.6");
    assert_eq!(finish(&mut command, b"").well().text(), format!("{}:libm.so.6\n", library()));
    // As every command that the shell starts.
    let done = run(&["sh", "-c", "kill -PIPE $$"]);
    assert_eq!(done.status, -libc::SIGPIPE, "{done:?}");
}

#[test]
fn what_cannot_be_run() {
    run(&["no-such-program"]).says(127, "there is no such program (ENOENT)");
    run(&[""]).says(127, "(ENOENT)");
    run(&["./no/such/program"]).says(127, "(ENOENT)");
    run(&["/"]).says(126, "(EACCES)");
    assert_eq!(run(&[]).status, 2);
    let madang = Madang::new();
    let mut command = madang.command(["run", "true"]);
    finish(command.env("MADANG_SYSV_LIBRARY", "/no/such/library"), b"").says(125, "MADANG_SYSV_LIBRARY");
    finish(command.env("MADANG_SYSV_LIBRARY", "/etc/passwd"), b"").says(125, "neither a program nor a library");
    let colon = madang.directory.join("a:b");
    fs::copy(library(), &colon).unwrap();
    finish(command.env("MADANG_SYSV_LIBRARY", colon), b"").says(125, "a colon");
}

/// A file that looks like a program: a real one's first bytes, changed.
fn program(directory: &Directory, name: &str, change: impl Fn(&mut Vec<u8>)) -> String {
    let mut bytes = fs::read("/bin/sh").unwrap();
    change(&mut bytes);
    let path = directory.join(name);
    fs::write(&path, bytes).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    path.to_str().unwrap().to_owned()
}

#[test]
fn what_the_loader_would_not_load_into() {
    let directory = Directory::new("programs");
    // How many program headers there are: none, so none names a loader.
    let fixed = program(&directory, "static", |bytes| {
        let at = if bytes[4] == 2 { 56 } else { 44 };
        bytes[at..at + 2].fill(0);
    });
    run(&[&fixed]).says(126, "is statically linked");
    let foreign = program(&directory, "foreign", |bytes| bytes[18] ^= 1);
    run(&[&foreign]).says(126, "another kind of machine");
    let script = program(&directory, "script", |bytes| *bytes = format!("#! {fixed} -e\n").into_bytes());
    run(&[&script]).says(126, "static\" is statically linked");
    let another = program(&directory, "another", |_| {});
    // Only root can give files away.
    if chown(&another, Some(12_345), None).is_ok() {
        fs::set_permissions(&another, fs::Permissions::from_mode(0o4755)).unwrap();
        run(&[&another]).says(126, "rights by its mode");
    }
}

/// The command where it would be installed: a second name of it, since what is being written can't be run.
fn installed() -> (PathBuf, PathBuf) {
    let prefix = Path::new(env!("CARGO_TARGET_TMPDIR")).join(&*Name::new("prefix"));
    fs::create_dir_all(prefix.join("bin")).unwrap();
    let command = prefix.join("bin/madang");
    fs::hard_link(env!("CARGO_BIN_EXE_madang"), &command).unwrap();
    (prefix, command)
}

#[test]
fn where_it_is_looked_for() {
    let (prefix, command) = installed();
    let removed = madang_tests::Gone(|| drop(fs::remove_dir_all(&prefix)));
    let look = || {
        let mut command = Command::new(&command);
        finish(command.args(["run", "sh", "-c", "echo $LD_PRELOAD"]).env_remove("MADANG_SYSV_LIBRARY"), b"")
    };
    look().says(125, "there is no libmadang-sysv.so in ");
    for place in
        ["bin/libmadang_sysv.so", "bin/libmadang-sysv.so", "lib/triplet/libmadang-sysv.so", "lib/libmadang-sysv.so"]
    {
        let place = prefix.join(place);
        fs::create_dir_all(place.parent().unwrap()).unwrap();
        fs::copy(library(), &place).unwrap();
        assert_eq!(look().well().text(), format!("{}\n", place.canonicalize().unwrap().display()));
    }
    drop(removed);
}
