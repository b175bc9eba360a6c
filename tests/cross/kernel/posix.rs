//! POSIX queues, shared memory, semaphores and memfds, from each language to each.
//!
//! `posix.c`, `posix.py` and [`rust`] here do the same: one thing, told by arguments; and print what came of it. Each does it in a
//! process of its own, but Rust, which does it in the test's.
//!
//! ```text
//! mq-send NAME PRIORITY TEXT     makes the queue, of 4 messages of 64 bytes and mode 0640
//! mq-recv NAME                   PRIORITY TEXT; waits, but not for ever
//! shm-write NAME TEXT            makes it, of 4096 bytes and mode 0640
//! shm-read NAME                  TEXT
//! shm-size NAME SIZE             the size before
//! sem-make NAME VALUE            makes it, of mode 0640
//! sem-post NAME                  the value then
//! sem-wait NAME                  the value then; waits, but not for ever
//! init NAME OFFSET VALUE         makes an unnamed semaphore in the shared memory NAME
//! post NAME OFFSET               the value then
//! wait NAME OFFSET               the value then; waits, but not for ever
//! KIND-unlink NAME               mq, shm or sem
//! memfd-make TEXT                PID FD of a memfd, sealed with SHRINK, GROW and WRITE; until standard input ends
//! memfd-read                     TEXT of the memfd that is standard input, with these seals; or the errno, if they aren't there
//! ```

use std::io::{BufRead, BufReader, Read};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::thread::JoinHandle;

use madang::memfd::{Memfd, Seals};
use madang::posix::{mq, sem, shm};
use madang::{Deadline, Result};
use madang_tests::{Name, python};

use crate::company::{LANGUAGES, Language, PATIENCE, c_library};

/// Somebody who does one thing.
enum Actor {
    Program(Child),
    Thread(JoinHandle<Result<String>>),
}

/// The program for a language that has one.
fn program(language: Language) -> Command {
    let here = c_library::top().join("tests/cross/kernel");
    match language {
        Language::C => {
            static PROGRAM: std::sync::OnceLock<std::path::PathBuf> = std::sync::OnceLock::new();
            Command::new(PROGRAM.get_or_init(|| c_library::compile(&here.join("posix.c"), "cross-posix", &[])))
        }
        Language::Python => {
            let mut program = Command::new(python());
            program.arg("-P");
            program.arg(here.join("posix.py"));
            program
        }
        Language::Rust => unreachable!("Rust needs none"),
    }
}

impl Actor {
    fn start(language: Language, words: &[&str]) -> Self {
        if language == Language::Rust {
            let words: Vec<_> = words.iter().map(|&word| word.to_owned()).collect();
            return Self::Thread(std::thread::spawn(move || {
                rust(&words.iter().map(String::as_str).collect::<Vec<_>>())
            }));
        }
        Self::Program(program(language).args(words).stdout(Stdio::piped()).spawn().unwrap())
    }

    /// What it printed; it must have succeeded.
    fn finish(self) -> String {
        match self {
            Self::Thread(thread) => thread.join().unwrap().unwrap(),
            Self::Program(program) => {
                let output = program.wait_with_output().unwrap();
                assert!(output.status.success(), "{}", output.status);
                String::from_utf8(output.stdout).unwrap().trim_end().to_owned()
            }
        }
    }
}

fn act(language: Language, words: &[&str]) -> String {
    Actor::start(language, words).finish()
}

fn open_shm(name: &str, size: u64) -> Result<shm::Object> {
    shm::Object::options().size(size).mode(0o640).open(name)
}

fn unnamed(name: &str, offset: &str) -> Result<sem::Semaphore> {
    sem::Semaphore::at(&Arc::new(open_shm(name, 0)?.map(0, 0, true)?), offset.parse().expect("a number"))
}

fn rust(words: &[&str]) -> Result<String> {
    let deadline = Deadline::after(PATIENCE);
    let open_mq = |name| mq::Queue::options().max_messages(4).max_message_size(64).mode(0o640).open(name);
    let number = |text: &str| text.parse().expect("a number");
    Ok(match *words {
        ["mq-send", name, priority, text] => {
            open_mq(name)?.send_until(number(priority), text.as_bytes(), deadline)?;
            String::new()
        }
        ["mq-recv", name] => {
            let message = open_mq(name)?.recv_until(deadline)?;
            format!("{} {}", message.priority, String::from_utf8_lossy(&message.data))
        }
        ["mq-unlink", name] => mq::Queue::unlink(name).map(|()| String::new())?,
        ["shm-write", name, text] => {
            open_shm(name, 4096)?.map(0, 0, true)?.write(0, text.as_bytes())?;
            String::new()
        }
        ["shm-read", name] => {
            let mut bytes = [0; 64];
            shm::Object::options().read_only(true).open(name)?.map(0, 0, false)?.read(0, &mut bytes)?;
            text_of(&bytes)
        }
        ["shm-size", name, size] => {
            let object = open_shm(name, 0)?;
            let before = object.size()?;
            object.set_size(number(size).into())?;
            before.to_string()
        }
        ["shm-unlink", name] => shm::Object::unlink(name).map(|()| String::new())?,
        ["sem-make", name, value] => {
            sem::Semaphore::options().value(number(value)).mode(0o640).open(name)?;
            String::new()
        }
        ["sem-post", name] => post(&sem::Semaphore::options().open(name)?)?,
        ["sem-wait", name] => wait(&sem::Semaphore::options().open(name)?, deadline)?,
        ["sem-unlink", name] => sem::Semaphore::unlink(name).map(|()| String::new())?,
        ["init", name, offset, value] => {
            let memory = Arc::new(open_shm(name, 4096)?.map(0, 0, true)?);
            sem::Semaphore::init_in(&memory, number(offset) as usize, number(value))?;
            String::new()
        }
        ["post", name, offset] => post(&unnamed(name, offset)?)?,
        ["wait", name, offset] => wait(&unnamed(name, offset)?, deadline)?,
        _ => panic!("what is {words:?}?"),
    })
}

fn post(semaphore: &sem::Semaphore) -> Result<String> {
    semaphore.post()?;
    Ok(semaphore.value()?.to_string())
}

fn wait(semaphore: &sem::Semaphore, deadline: Deadline) -> Result<String> {
    semaphore.wait_until(deadline)?;
    Ok(semaphore.value()?.to_string())
}

/// Up to the first zero.
fn text_of(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes.split(|&byte| byte == 0).next().expect("a first one")).into_owned()
}

fn pairs(scenario: impl Fn(Language, Language)) {
    for one in LANGUAGES {
        for other in LANGUAGES {
            println!("{one:?} → {other:?}");
            scenario(one, other);
        }
    }
}

#[test]
fn messages_by_priority() {
    pairs(|sender, receiver| {
        let name = Name::new("cross-mq");
        for (priority, text) in [("1", "low"), ("32767", "high"), ("1", "low, later")] {
            act(sender, &["mq-send", &name, priority, text]);
        }
        let status = mq::Queue::open(&name).unwrap().stat().unwrap();
        assert_eq!((status.max_messages, status.max_message_size, status.mode), (4, 64, 0o640));
        let got: Vec<_> = (0..3).map(|_| act(receiver, &["mq-recv", &name])).collect();
        assert_eq!(got, ["32767 high", "1 low", "1 low, later"]);
        act(receiver, &["mq-unlink", &name]);
        mq::Queue::unlink(&name).unwrap_err();
    });
}

/// The receiver comes first, most of the time, and waits.
#[test]
fn a_receiver_waits() {
    pairs(|sender, receiver| {
        let name = Name::new("cross-mq-wait");
        let waiting = Actor::start(receiver, &["mq-recv", &name]);
        act(sender, &["mq-send", &name, "7", "at last"]);
        assert_eq!(waiting.finish(), "7 at last");
    });
}

#[test]
fn shared_memory() {
    pairs(|writer, reader| {
        let name = Name::new("cross-shm");
        act(writer, &["shm-write", &name, "a greeting"]);
        assert_eq!(shm::Object::options().open(&name).unwrap().stat().unwrap().mode, 0o640);
        assert_eq!(act(reader, &["shm-read", &name]), "a greeting");
        assert_eq!(act(reader, &["shm-size", &name, "10000"]), "4096");
        assert_eq!(act(writer, &["shm-size", &name, "100"]), "10000");
        act(reader, &["shm-unlink", &name]);
        shm::Object::unlink(&name).unwrap_err();
    });
}

#[test]
fn named_semaphores() {
    pairs(|one, other| {
        let name = Name::new("cross-sem");
        act(one, &["sem-make", &name, "2"]);
        assert_eq!(sem::Semaphore::stat(&name).unwrap().mode, 0o640);
        assert_eq!(act(other, &["sem-post", &name]), "3");
        let left: Vec<_> = (0..3).map(|_| act(other, &["sem-wait", &name])).collect();
        assert_eq!(left, ["2", "1", "0"]);
        let waiting = Actor::start(other, &["sem-wait", &name]);
        act(one, &["sem-post", &name]);
        assert_eq!(waiting.finish(), "0");
        act(one, &["sem-unlink", &name]);
        sem::Semaphore::unlink(&name).unwrap_err();
    });
}

#[test]
fn unnamed_semaphores() {
    pairs(|one, other| {
        let name = Name::new("cross-unnamed");
        act(one, &["init", &name, "64", "1"]);
        act(one, &["init", &name, "4064", "0"]);
        assert_eq!(act(other, &["post", &name, "64"]), "2");
        assert_eq!(act(other, &["wait", &name, "64"]), "1");
        let waiting = Actor::start(other, &["wait", &name, "4064"]);
        act(one, &["post", &name, "4064"]);
        assert_eq!(waiting.finish(), "0");
    });
}

/// A memfd that somebody made; who, and what lets it go.
fn made(language: Language, text: &str) -> (OwnedFd, Option<Child>) {
    if language == Language::Rust {
        let memory = Memfd::options().size(4096).create("cross").unwrap();
        memory.map(0, 0, true).unwrap().write(0, text.as_bytes()).unwrap();
        memory.seal(Seals::SHRINK | Seals::GROW | Seals::WRITE).unwrap();
        return (memory.into(), None);
    }
    let mut command = program(language);
    let mut maker = command.args(["memfd-make", text]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(maker.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let (pid, fd) = line.trim().split_once(' ').expect("PID FD");
    let file = std::fs::File::options().read(true).write(true).open(format!("/proc/{pid}/fd/{fd}")).unwrap();
    (file.into(), Some(maker))
}

fn read(language: Language, fd: OwnedFd) -> String {
    if language == Language::Rust {
        return match Memfd::from_fd(fd, Seals::GROW | Seals::WRITE) {
            Err(error) => error.errno().to_string(),
            Ok(memory) => {
                let mut bytes = [0; 64];
                memory.map(0, 0, false).unwrap().read(0, &mut bytes).unwrap();
                text_of(&bytes)
            }
        };
    }
    let mut reader = program(language).arg("memfd-read").stdin(fd).stdout(Stdio::piped()).spawn().unwrap();
    let mut text = String::new();
    reader.stdout.take().unwrap().read_to_string(&mut text).unwrap();
    assert!(reader.wait().unwrap().success());
    text.trim_end().to_owned()
}

#[test]
fn sealed_memory() {
    pairs(|maker, reader| {
        let (fd, process) = made(maker, "for a stranger");
        assert_eq!(read(reader, fd.try_clone().unwrap()), "for a stranger");
        // SAFETY: the buffer is valid for its length.
        assert_eq!(unsafe { libc::write(fd.as_fd().as_raw_fd(), c"x".as_ptr().cast(), 1) }, -1, "it is sealed");
        if let Some(mut process) = process {
            drop(process.stdin.take());
            assert!(process.wait().unwrap().success());
        }
        let unsealed = Memfd::options().size(4096).create("unsealed").unwrap();
        assert_eq!(read(reader, unsealed.into()), libc::EPERM.to_string());
    });
}
