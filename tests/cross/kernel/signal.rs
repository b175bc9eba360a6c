//! What one language sends, with a value and by pidfd, another one takes, and knows who sent it.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use madang::Deadline;
use madang::signal::{self, Process, Set, Signal};
use madang_tests::{fork, python};

use crate::company::{PATIENCE, c_library};

const C: &str = "C";
const PYTHON: &str = "Python";

/// Compiled once: while it is written it can't be run.
fn c_program() -> &'static Path {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    let source = c_library::top().join("tests/cross/kernel/signal.c");
    PROGRAM.get_or_init(|| c_library::compile(&source, "cross-signal", &[]))
}

fn program(language: &str) -> Command {
    let here = c_library::top().join("tests/cross/kernel");
    if language == C {
        return Command::new(c_program());
    }
    let mut python = Command::new(python());
    python.arg("-P");
    python.arg("-P").arg(here.join("signal.py"));
    python
}

fn rt() -> Signal {
    Signal::rt(5).unwrap()
}

/// Sends the three signals by this program, or from here, and returns the sender's pid.
fn send(program: Option<Command>, pid: i32) -> u32 {
    if let Some(mut program) = program {
        let mut sender = program.arg("send").arg(pid.to_string()).spawn().unwrap();
        assert!(sender.wait().unwrap().success());
        return sender.id();
    }
    let process = Process::open(pid).unwrap();
    process.queue(rt(), 42).unwrap();
    signal::queue(pid, rt(), -1).unwrap();
    process.send(Signal::USR1).unwrap();
    std::process::id()
}

#[test]
fn to_c_and_python() {
    for receiver in [C, PYTHON] {
        for sender in [None, Some(C), Some(PYTHON)] {
            let mut child = program(receiver).arg("wait").stdout(Stdio::piped()).spawn().unwrap();
            let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
            assert_eq!(lines.next().as_deref(), Some("ready"));
            let pid = send(sender.map(program), child.id() as i32);
            let got: Vec<_> = lines.collect();
            let right = [format!("SIGRTMIN+5 42 {pid}"), format!("SIGRTMIN+5 -1 {pid}"), format!("SIGUSR1 0 {pid}")];
            assert_eq!(got, right, "from {sender:?} to {receiver}");
            assert!(child.wait().unwrap().success());
        }
    }
}

#[test]
fn to_rust() {
    for sender in [C, PYTHON] {
        // Made before the fork: the child has what others of this test run have open, whom a compilation may wait for.
        let program = program(sender);
        let set = Set::of([rt(), Signal::USR1]);
        let (told, mut tell) = std::io::pipe().unwrap();
        // A forked child inherits the mask, so nothing comes too early.
        let blocked = set.block().unwrap();
        let child = fork(move || {
            for signal in [rt(), rt(), Signal::USR1] {
                let info = Set::from(signal).wait_until(Deadline::after(PATIENCE)).unwrap();
                writeln!(tell, "{} {} {}", info.signal, info.value, info.pid).unwrap();
            }
            0
        });
        drop(blocked);
        let pid = send(Some(program), child.id());
        child.succeeds();
        let got: Vec<_> = BufReader::new(told).lines().map(Result::unwrap).collect();
        assert_eq!(got, [format!("SIGRTMIN+5 42 {pid}"), format!("SIGRTMIN+5 -1 {pid}"), format!("SIGUSR1 0 {pid}")]);
    }
}
