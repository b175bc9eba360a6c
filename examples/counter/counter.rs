//! Several processes count in a segment, under a mutex that lies beside the number. One of them is killed while it has the mutex: the next
//! who takes it is told, and puts right what was half done.
//!
//! The number stands there twice. Who counts raises the first, then the second; so if they differ, somebody was killed in between.

use std::os::unix::process::ExitStatusExt;
use std::process::Command;

use madang::{Mutex, MutexGuard, Result, Segment};

const WORKERS: usize = 3;
const TIMES: u64 = 1000;

/// Where it lies in the segment: a mutex takes `Mutex::SIZE` bytes, at a multiple of 64.
const MUTEX: usize = 0;
const FIRST: usize = 64;
const SECOND: usize = 72;
const PUT_RIGHT: usize = 80;

struct Counter {
    segment: Segment,
    mutex: Mutex,
}

impl Counter {
    /// A new segment is all 0, and so is a free mutex: there is nothing to initialise.
    fn open(name: &str) -> Result<Self> {
        let segment = Segment::options().length(4096).open(name)?;
        let mutex = Mutex::within(&segment, MUTEX)?;
        Ok(Self { segment, mutex })
    }

    fn get(&self, offset: usize) -> Result<u64> {
        let mut bytes = [0; 8];
        self.segment.read(offset, &mut bytes)?;
        Ok(u64::from_ne_bytes(bytes))
    }

    fn set(&self, offset: usize, number: u64) -> Result<()> {
        self.segment.write(offset, &number.to_ne_bytes())
    }

    /// Takes the mutex, and puts right what a dead owner left.
    fn lock(&self) -> Result<MutexGuard<'_>> {
        let guard = self.mutex.lock()?;
        if guard.owner_died() && self.get(FIRST)? != self.get(SECOND)? {
            self.set(FIRST, self.get(SECOND)?)?;
            self.set(PUT_RIGHT, self.get(PUT_RIGHT)? + 1)?;
        }
        Ok(guard)
    }

    fn count(&self) -> Result<()> {
        let _guard = self.lock()?;
        self.set(FIRST, self.get(FIRST)? + 1)?;
        self.set(SECOND, self.get(SECOND)? + 1)
    }

    /// Dies in the middle of it.
    fn count_and_be_killed(&self) -> Result<()> {
        let _guard = self.lock()?;
        self.set(FIRST, self.get(FIRST)? + 1)?;
        // SAFETY: this process ends here.
        unsafe { libc::kill(libc::getpid(), libc::SIGKILL) };
        Ok(())
    }
}

fn main() -> Result<()> {
    let arguments: Vec<_> = std::env::args().collect();
    match &arguments[1..] {
        [role, name] if role == "victim" => Counter::open(name)?.count_and_be_killed(),
        [_, name] => {
            let counter = Counter::open(name)?;
            (0..TIMES).try_for_each(|_| counter.count())
        }
        _ => start_all(&arguments[0]),
    }
}

fn start_all(program: &str) -> Result<()> {
    let name = format!("counter-example-{}", std::process::id());
    let start = |role: &str| Command::new(program).args([role, name.as_str()]).spawn().expect("a process");
    let workers: Vec<_> = (0..WORKERS).map(|_| start("worker")).collect();
    let status = start("victim").wait().expect("its status");
    assert_eq!(status.signal(), Some(libc::SIGKILL));
    for mut worker in workers {
        assert!(worker.wait().expect("its status").success());
    }
    let counter = Counter::open(&name)?;
    // If the victim came last, it is this one that is told.
    drop(counter.lock()?);
    println!("{WORKERS} processes counted to {}", counter.get(FIRST)?);
    println!("one was killed in the middle of it, and was put right {} time", counter.get(PUT_RIGHT)?);
    Segment::unlink(&name)
}
