//! A pipe with each language at its ends: what Rust writes goes through filters in C and Python, which have inherited their
//! standard input and output from madang, and comes back.

use std::process::{Child, Command, Stdio};
use std::time::Duration;

use madang::Deadline;
use madang::pipe::{self, Reader};
use madang_tests::python;

use crate::company::{PATIENCE, c_library};

/// Each adds 1 to every byte on its way.
fn filters() -> [Command; 2] {
    let here = c_library::top().join("tests/cross/kernel");
    let c = Command::new(c_library::compile(&here.join("pipe.c"), "cross-pipe", &[]));
    let mut py = Command::new(python());
    py.arg("-P");
    py.arg(here.join("pipe.py"));
    [c, py]
}

/// Killed with the test, should it fail.
struct Filter(Child);

impl Filter {
    fn start(mut program: Command, input: Reader) -> (Self, Reader) {
        let (output, writer) = pipe::pair().unwrap();
        (Self(program.stdin(Stdio::from(input)).stdout(Stdio::from(writer)).spawn().unwrap()), output)
    }
}

impl Drop for Filter {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Through both, in that order, while Rust writes one end and reads the other.
fn go_through(programs: impl IntoIterator<Item = Command>) {
    let deadline = Deadline::after(PATIENCE);
    let (mut output, writer) = pipe::pair().unwrap();
    let mut filters = Vec::new();
    for program in programs {
        let (filter, next) = Filter::start(program, output);
        filters.push(filter);
        output = next;
    }
    let sent: Vec<u8> = (0..300_000u32).map(|number| (number * 7 % 251) as u8).collect();
    let mut got = vec![0; sent.len()];
    std::thread::scope(|scope| {
        scope.spawn(|| {
            writer.write_all_until(&sent, deadline).unwrap();
            drop(writer);
        });
        assert_eq!(output.read_exact_until(&mut got, deadline).unwrap(), sent.len());
    });
    assert!(sent.iter().zip(&got).all(|(sent, got)| *got == sent + filters.len() as u8));
    assert_eq!(output.read_until(&mut got, deadline).unwrap(), 0);
    for filter in &mut filters {
        assert!(filter.0.wait().unwrap().success());
    }
}

#[test]
fn through_c_and_python() {
    go_through(filters());
}

#[test]
fn through_python_and_c() {
    let [c, py] = filters();
    go_through([py, c]);
}

/// The reader goes; whoever still writes learns of it, and doesn't die.
#[test]
fn a_filter_whose_reader_vanishes() {
    for program in filters() {
        let (input, writer) = pipe::pair().unwrap();
        let (mut filter, output) = Filter::start(program, input);
        drop(output);
        // A test beside this one may fork, and so hold our end for a moment.
        let status = loop {
            match writer.write_until(b"more and more", Deadline::after(PATIENCE)) {
                Ok(_) => {}
                Err(error) => assert_eq!(error.errno(), libc::EPIPE),
            }
            if let Some(status) = filter.0.try_wait().unwrap() {
                break status;
            }
            std::thread::sleep(Duration::from_millis(1));
        };
        assert_eq!(status.code(), Some(32), "it exits with EPIPE");
    }
}
