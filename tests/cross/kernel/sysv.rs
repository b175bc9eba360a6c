//! System V objects that one language makes, another uses and a third removes.
//!
//! A step is a program that does one thing with the objects of a key, prints what came of it and ends: `sysv.c`, `sysv.py`, and for
//! Rust a thread of this process. They do the same:
//!
//! ```text
//! send KEY TYPE TEXT           sent
//! recv KEY SELECT              TYPE TEXT
//! remove-queue KEY             removed
//! write KEY OFFSET TEXT        new=1, or new=0: opens the segment of 10,000 bytes, or creates it
//! read KEY OFFSET LENGTH       the text
//! remove-segment KEY           removed
//! set KEY VALUE VALUE          new=1, or new=0: opens the set of two, or creates it with these values
//! take KEY INDEX               taken, after a wait of 30 s at most
//! give KEY INDEX               given
//! values KEY                   VALUE VALUE
//! remove-set KEY               removed
//! any                          error ERRNO
//! ```

use std::process::{Command, Stdio};
use std::thread;

use madang::sysv::{Key, msg::Queue, sem::Set, shm::Segment};
use madang::{Create, Deadline, Select};
use madang_tests::{SysvKey, WATCHDOG, python};

use crate::company::{LANGUAGES, Language, PATIENCE, c_library};

/// Does a step in Rust.
fn in_rust(words: &[String]) -> madang::Result<String> {
    let (key, number) = (Key::from(words[1].parse::<i32>().unwrap()), |at: usize| words[at].parse::<u16>().unwrap());
    let segment = || Segment::options().size(10_000).open(key);
    let old = || Set::options().create(Create::Never).open(key);
    Ok(match words[0].as_str() {
        "send" => Queue::open(key)?.send(number(2).into(), words[3].as_bytes()).map(|()| "sent".to_owned())?,
        "recv" => {
            let select = Select::from_msgtyp(words[2].parse().unwrap());
            let message = Queue::open(key)?.recv_until(select, Deadline::after(PATIENCE))?;
            format!("{} {}", message.mtype, String::from_utf8(message.data).unwrap())
        }
        "remove-queue" => Queue::unlink(key).map(|()| "removed".to_owned())?,
        "write" => {
            let segment = segment()?;
            segment.attach()?.write(number(2).into(), words[3].as_bytes())?;
            format!("new={}", i32::from(segment.is_new()))
        }
        "read" => {
            let mut bytes = vec![0; number(3).into()];
            segment()?.attach()?.read(number(2).into(), &mut bytes)?;
            String::from_utf8(bytes).unwrap()
        }
        "remove-segment" => Segment::unlink(key).map(|()| "removed".to_owned())?,
        "set" => format!("new={}", i32::from(Set::options().values(&[number(2), number(3)]).open(key)?.is_new())),
        "take" => old()?.acquire_until(number(2), Deadline::after(PATIENCE)).map(|()| "taken".to_owned())?,
        "give" => old()?.release(number(2)).map(|()| "given".to_owned())?,
        "values" => old()?.values()?.iter().map(u16::to_string).collect::<Vec<_>>().join(" "),
        "remove-set" => Set::unlink(key).map(|()| "removed".to_owned())?,
        verb => panic!("{verb}?"),
    })
}

/// Begins a step; what is returned waits for its answer.
fn begin(language: Language, step: &str) -> impl FnOnce() -> String + use<> {
    let words: Vec<String> = step.split(' ').map(str::to_owned).collect();
    let here = c_library::top().join("tests/cross/kernel");
    let program = match language {
        Language::C => Some(Command::new(c_program())),
        Language::Python => {
            let mut python = Command::new(python());
            python.arg("-P");
            python.arg(here.join("sysv.py"));
            Some(python)
        }
        Language::Rust => None,
    };
    let child = program.map(|mut program| program.args(&words).stdout(Stdio::piped()).spawn().unwrap());
    let thread = child
        .is_none()
        .then(|| thread::spawn(move || in_rust(&words).unwrap_or_else(|error| format!("error {}", error.errno()))));
    let what = format!("{language:?}: {step}");
    move || match (child, thread) {
        (Some(child), _) => {
            let output = child.wait_with_output().unwrap();
            assert!(output.status.success(), "{what}: {}", output.status);
            String::from_utf8(output.stdout).unwrap().trim_end().to_owned()
        }
        (_, Some(thread)) => thread.join().unwrap_or_else(|_| panic!("{what}")),
        _ => unreachable!(),
    }
}

fn c_program() -> &'static std::path::PathBuf {
    static PROGRAM: std::sync::OnceLock<std::path::PathBuf> = std::sync::OnceLock::new();
    let source = || c_library::top().join("tests/cross/kernel/sysv.c");
    PROGRAM.get_or_init(|| c_library::compile(&source(), "cross-sysv", &[]))
}

fn ask(language: Language, step: &str) -> String {
    begin(language, step)()
}

/// Each ordered pair, and the one that is left over, or Rust.
fn companies() -> impl Iterator<Item = (Language, Language, Language)> {
    let third = |one, other| LANGUAGES.into_iter().find(|it| *it != one && *it != other).unwrap_or(Language::Rust);
    LANGUAGES.into_iter().flat_map(move |one| LANGUAGES.into_iter().map(move |other| (one, other, third(one, other))))
}

/// As Python sends, C receives by type, and Rust removes; and so all.
#[test]
fn queues() {
    for (sender, receiver, remover) in companies() {
        let key = SysvKey::default();
        let number = key.number();
        assert_eq!(ask(sender, &format!("send {number} 3 three")), "sent");
        assert_eq!(ask(sender, &format!("send {number} 2 two")), "sent");
        assert_eq!(ask(receiver, &format!("recv {number} 2")), "2 two", "{sender:?} to {receiver:?}");
        assert_eq!(ask(receiver, &format!("recv {number} -9")), "3 three", "{sender:?} to {receiver:?}");
        // Whether it waits already or not.
        let waits = begin(receiver, &format!("recv {number} 0"));
        assert_eq!(ask(sender, &format!("send {number} 1 last")), "sent");
        assert_eq!(waits(), "1 last");
        assert_eq!(ask(remover, &format!("remove-queue {number}")), "removed");
        assert_eq!(ask(remover, &format!("remove-queue {number}")), format!("error {}", libc::ENOENT));
    }
}

#[test]
fn segments() {
    for (writer, reader, remover) in companies() {
        let key = SysvKey::default();
        let number = key.number();
        assert_eq!(ask(writer, &format!("write {number} 9000 hello")), "new=1");
        assert_eq!(ask(reader, &format!("read {number} 9000 5")), "hello", "{writer:?} to {reader:?}");
        assert_eq!(ask(reader, &format!("write {number} 9001 ipp")), "new=0");
        assert_eq!(ask(writer, &format!("read {number} 9000 5")), "hippo", "{reader:?} to {writer:?}");
        assert_eq!(ask(writer, &format!("write {number} 9998 xyz")), format!("error {}", libc::EINVAL));
        assert_eq!(ask(remover, &format!("remove-segment {number}")), "removed");
        assert_eq!(ask(remover, &format!("remove-segment {number}")), format!("error {}", libc::ENOENT));
    }
}

#[test]
fn sets() {
    for (creator, other, remover) in companies() {
        let key = SysvKey::default();
        let number = key.number();
        assert_eq!(ask(creator, &format!("set {number} 1 0")), "new=1");
        assert_eq!(ask(other, &format!("set {number} 7 7")), "new=0");
        assert_eq!(ask(other, &format!("take {number} 0")), "taken");
        assert_eq!(ask(creator, &format!("values {number}")), "0 0");
        // One waits until the other gives.
        let set = Set::open(*key).unwrap();
        let waits = begin(creator, &format!("take {number} 1"));
        until(|| set.waiting_for_increase(1).unwrap() == 1);
        assert_eq!(ask(other, &format!("give {number} 1")), "given");
        assert_eq!(waits(), "taken", "{other:?} to {creator:?}");
        // One waits, another removes: it is told so.
        let waits = begin(other, &format!("take {number} 0"));
        until(|| set.waiting_for_increase(0).unwrap() == 1);
        assert_eq!(ask(remover, &format!("remove-set {number}")), "removed");
        assert_eq!(waits(), format!("error {}", libc::EIDRM), "{remover:?} to {other:?}");
        assert_eq!(ask(remover, &format!("remove-set {number}")), format!("error {}", libc::ENOENT));
    }
}

/// Looks until it is so.
fn until(condition: impl Fn() -> bool) {
    let begun = std::time::Instant::now();
    while !condition() {
        assert!(begun.elapsed() < WATCHDOG, "it doesn't come so far");
        thread::sleep(std::time::Duration::from_millis(1));
    }
}
