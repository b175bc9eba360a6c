//! A FIFO that one language writes and another reads; and a channel with two languages at its sides.

use std::path::Path;
use std::process::{Child, Command};

use madang::{Deadline, fifo};
use madang_tests::{Directory, python};

use crate::company::{LANGUAGES, Language, PATIENCE, c_library};

/// Byte number `index` of what is sent.
fn byte(index: usize) -> u8 {
    (index * 7 % 251) as u8
}

const LENGTH: usize = 200_000;

fn send(path: &Path) {
    let deadline = Deadline::after(PATIENCE);
    let writer = fifo::options().writer_until(path, deadline).unwrap();
    writer.write_all_until(&(0..LENGTH).map(byte).collect::<Vec<_>>(), deadline).unwrap();
}

fn recv(path: &Path) {
    let deadline = Deadline::after(PATIENCE);
    let reader = fifo::options().reader_until(path, deadline).unwrap();
    let mut bytes = vec![0; LENGTH + 1];
    assert_eq!(reader.read_exact_until(&mut bytes, deadline).unwrap(), LENGTH, "and then the end");
    assert!(bytes[..LENGTH].iter().enumerate().all(|(index, found)| *found == byte(index)));
}

fn talk(path: &Path) {
    let deadline = Deadline::after(PATIENCE);
    let channel = fifo::options().channel_until(path, deadline).unwrap();
    let (mine, theirs) = if channel.is_first { (b"first", b"other") } else { (b"other", b"first") };
    channel.writer.write_all_until(mine, deadline).unwrap();
    let mut said = [0; 5];
    assert_eq!(channel.reader.read_exact_until(&mut said, deadline).unwrap(), 5);
    assert_eq!(&said, theirs);
}

/// Somebody who does one of the three; killed with the test, should it fail.
enum Somebody {
    Program(Child),
    Fork(Option<madang_tests::Child>),
}

impl Somebody {
    fn begins(language: Language, task: &str, path: &Path) -> Self {
        let here = c_library::top().join("tests/cross/kernel");
        let mut program = match language {
            Language::Rust => {
                let work = match task {
                    "send" => send,
                    "recv" => recv,
                    _ => talk,
                };
                return Self::Fork(Some(madang_tests::fork(|| {
                    work(path);
                    0
                })));
            }
            Language::C => Command::new(c_library::compile(&here.join("fifo.c"), &format!("cross-fifo-{task}"), &[])),
            Language::Python => {
                let mut program = Command::new(python());
                program.arg("-P");
                program.arg(here.join("fifo.py"));
                program
            }
        };
        Self::Program(program.arg(task).arg(path).spawn().unwrap())
    }

    fn succeeds(mut self) {
        match &mut self {
            Self::Program(child) => assert!(child.wait().unwrap().success()),
            Self::Fork(child) => assert_eq!(child.take().unwrap().wait_for(PATIENCE), 0),
        }
    }
}

impl Drop for Somebody {
    fn drop(&mut self) {
        if let Self::Program(child) = self {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// Each pair of languages at its tasks; what they leave in their directory.
fn pairs(one: &str, other: &str, remove: fn(&Path) -> madang::Result<()>) {
    for first in LANGUAGES {
        for second in LANGUAGES {
            let directory = Directory::new("cross-fifo");
            let path = directory.join("fifo");
            let somebody = [Somebody::begins(first, one, &path), Somebody::begins(second, other, &path)];
            somebody.into_iter().for_each(Somebody::succeeds);
            remove(&path).unwrap();
            assert_eq!(std::fs::read_dir(&*directory).unwrap().count(), 0);
        }
    }
}

#[test]
fn written_by_one_and_read_by_the_other() {
    pairs("send", "recv", |path| fifo::remove(path));
}

#[test]
fn a_channel_between_them() {
    pairs("talk", "talk", |path| fifo::remove_channel(path));
}
