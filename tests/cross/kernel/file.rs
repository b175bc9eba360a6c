//! Locks, mappings and replacement between the languages: all three count in one file, and each follows what another writes.

use std::path::Path;
use std::process::{Child, Command};

use madang::file::{self, File, Follow, Lock};
use madang::{Deadline, Mapping};
use madang_tests::{Directory, python};

use crate::company::{PATIENCE, c_library};

const TIMES: u64 = 300;

/// A program in C or Python; killed with the test, should it fail.
struct Actor(Child);

impl Drop for Actor {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// `count PATH`, `hold PATH`, `replace PATH`, in C and in Python.
fn actors(task: &str, path: &Path) -> [Actor; 2] {
    let here = c_library::top().join("tests/cross/kernel");
    let c = Command::new(c_library::compile(&here.join("file.c"), &format!("cross-file-{task}"), &[]));
    let mut py = Command::new(python());
    py.arg("-P");
    py.arg(here.join("file.py"));
    [c, py].map(|mut program| Actor(program.arg(task).arg(path).spawn().unwrap()))
}

fn number(mapping: &Mapping) -> u64 {
    let mut bytes = [0; 8];
    mapping.read(0, &mut bytes).unwrap();
    u64::from_ne_bytes(bytes)
}

#[test]
fn all_count_in_one_file() {
    let directory = Directory::new("cross-count");
    let path = directory.join("counter");
    let actors = actors("count", &path);
    let file = File::options().length(8).open(&path).unwrap();
    let mapping = file.map().unwrap();
    for _ in 0..TIMES {
        let _guard = file.lock_until(Lock::exclusive(), Deadline::after(PATIENCE)).unwrap();
        let next = number(&mapping) + 1;
        std::thread::yield_now();
        mapping.write(0, &next.to_ne_bytes()).unwrap();
    }
    for mut actor in actors {
        assert!(actor.0.wait().unwrap().success());
    }
    assert_eq!(number(&mapping), 3 * TIMES);
}

/// Who holds what is seen from another language, and goes with its process.
#[test]
fn held_by_the_others() {
    let directory = Directory::new("cross-hold");
    let path = directory.join("file");
    let file = File::open(&path).unwrap();
    // C locks bytes 0 to 9 shared; Python 10 to 19 exclusively.
    let [c, py] = actors("hold", &path);
    let begun = std::time::Instant::now();
    let holder = |part: Lock| loop {
        assert!(begun.elapsed() < PATIENCE);
        if let Some(holder) = file.holder(part).unwrap() {
            return holder;
        }
        std::thread::sleep(std::time::Duration::from_millis(1));
    };
    let (by_c, by_py) = (holder(Lock::exclusive().part(0, 10)), holder(Lock::shared().part(10, 10)));
    assert_eq!((by_c.shared, by_c.start, by_c.length, by_c.pids), (true, 0, 10, vec![c.0.id()]));
    assert_eq!((by_py.shared, by_py.start, by_py.length, by_py.pids), (false, 10, 10, vec![py.0.id()]));
    drop(file.try_lock(Lock::shared().part(0, 10)).unwrap());
    assert_eq!(file.try_lock(Lock::exclusive().part(9, 2)).unwrap_err().errno(), libc::EAGAIN);
    drop((c, py));
    drop(file.lock_until(Lock::exclusive(), Deadline::after(PATIENCE)).unwrap());
}

/// Both replace the file by what they are called, and Rust follows it.
#[test]
fn replaced_by_the_others_and_followed() {
    let directory = Directory::new("cross-replace");
    let path = directory.join("file");
    file::replace(&path, b"").unwrap();
    let mut follow = Follow::from_end(&path).unwrap();
    let mut seen = Vec::new();
    let actors = actors("replace", &path);
    for _ in 0..actors.len() {
        let mut bytes = [0; 100];
        let length = follow.read_until(&mut bytes, Deadline::after(PATIENCE)).unwrap();
        seen.push(String::from_utf8(bytes[..length].to_vec()).unwrap());
        // What they wait for before they end, each after the other.
        std::fs::write(directory.join("seen"), seen.join(" ")).unwrap();
    }
    for mut actor in actors {
        assert!(actor.0.wait().unwrap().success());
    }
    seen.sort();
    assert_eq!(seen, ["C", "Python"]);
}
