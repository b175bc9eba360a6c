//! Forked children that do what may end them, and who watches over them.

use std::io::{PipeReader, Read};
use std::os::fd::AsRawFd;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use madang_tests::{Child, WATCHDOG, fork};

use super::harness::probe::{Probe, Progress};
use crate::part::{Fault, Harm};

/// As many children as there are at once.
pub(crate) const CREW: usize = 2;
/// A child may take so much more address space than it begins with.
const MOST_MEMORY: u64 = 512 << 20;

/// What parent and children share.
#[derive(Debug, Default)]
#[repr(C)]
pub(crate) struct Page {
    pub(crate) progress: [Progress; CREW],
    /// What the children are to work on; see `meanwhile.rs`.
    pub(crate) round: AtomicU64,
}

/// A page that forked children share.
pub(crate) struct SharedPage(NonNull<Page>);

impl SharedPage {
    pub(crate) fn new() -> Self {
        let (protection, flags) = (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_SHARED | libc::MAP_ANONYMOUS);
        // SAFETY: new memory, wherever the kernel likes.
        let page = unsafe { libc::mmap(std::ptr::null_mut(), size_of::<Page>(), protection, flags, -1, 0) };
        assert_ne!(page, libc::MAP_FAILED, "mmap");
        Self(NonNull::new(page.cast()).expect("not at 0"))
    }
}

impl std::ops::Deref for SharedPage {
    type Target = Page;

    fn deref(&self) -> &Page {
        // SAFETY: mapped as long as this lives, long enough and aligned; it consists of atomics, for which 0 is valid.
        unsafe { self.0.as_ref() }
    }
}

impl Drop for SharedPage {
    fn drop(&mut self) {
        // SAFETY: it was mapped so, and nothing points into it any more.
        unsafe { libc::munmap(self.0.as_ptr().cast(), size_of::<Page>()) };
    }
}

/// One child, and what is known of it.
pub(crate) struct Watched<'a> {
    progress: &'a Progress,
    child: Option<Child>,
    pipe: PipeReader,
    said: Vec<u8>,
    /// How many steps and cases it had done, and since when.
    last: (u64, Instant),
}

impl<'a> Watched<'a> {
    /// Runs `work` in a forked child, which may not take memory without bound.
    pub(crate) fn new(progress: &'a Progress, work: impl FnOnce(&Probe)) -> Self {
        let (reader, writer) = std::io::pipe().expect("a pipe");
        let child = fork(|| {
            limit();
            work(&Probe::new(progress, Some(&writer)));
            0
        });
        drop(writer);
        Self { progress, child: Some(child), pipe: reader, said: Vec::new(), last: (0, Instant::now()) }
    }

    /// Looks after it for `timeout` at most, and adds what it says, or dies of, to the faults, each with its case.
    pub(crate) fn look(&mut self, timeout: Duration, faults: &mut Vec<(u64, Fault)>) -> State {
        let mut poll = libc::pollfd { fd: self.pipe.as_raw_fd(), events: libc::POLLIN, revents: 0 };
        // SAFETY: one valid pollfd.
        let ready = unsafe { libc::poll(&raw mut poll, 1, timeout.as_millis() as i32) };
        let mut buffer = [0; 4096];
        if ready > 0 {
            match self.pipe.read(&mut buffer).expect("what the child says") {
                0 => return self.ended(faults),
                length => self.said.extend_from_slice(&buffer[..length]),
            }
            while let Some(end) = self.said.iter().position(|&byte| byte == b'\n') {
                let line: Vec<u8> = self.said.drain(..=end).collect();
                faults.extend(parsed(String::from_utf8_lossy(&line).trim_end()));
            }
        }
        let done = self.progress.tried.load(Relaxed) + self.progress.steps.load(Relaxed);
        if done != self.last.0 {
            self.last = (done, Instant::now());
        } else if self.last.1.elapsed() > WATCHDOG {
            let what = format!("{} doesn't end", self.progress.step());
            faults.push((self.progress.case.load(Relaxed), Fault { harm: Harm::Stuck, what }));
            self.child = None;
            return State::Died;
        }
        State::Lives
    }

    fn ended(&mut self, faults: &mut Vec<(u64, Fault)>) -> State {
        let status = self.child.take().expect("it ended once").end();
        if libc::WIFEXITED(status) && libc::WEXITSTATUS(status) == 0 {
            return State::Done;
        }
        let how = match libc::WIFSIGNALED(status) {
            true => format!("signal {}", libc::WTERMSIG(status)),
            false => format!("exit code {}", libc::WEXITSTATUS(status)),
        };
        let what = format!("{how} in or after {}", self.progress.step());
        faults.push((self.progress.case.load(Relaxed), Fault { harm: Harm::Wrong, what }));
        State::Died
    }
}

/// What became of a child.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    Lives,
    Done,
    Died,
}

fn parsed(line: &str) -> Option<(u64, Fault)> {
    let mut fields = line.splitn(3, '\t');
    let (case, harm, what) = (fields.next()?.parse().ok()?, fields.next()?, fields.next()?);
    let harm = if harm == "Stuck" { Harm::Stuck } else { Harm::Wrong };
    Some((case, Fault { harm, what: what.to_owned() }))
}

/// How many bytes of address space this process has.
pub(crate) fn address_space() -> u64 {
    let statm = std::fs::read_to_string("/proc/self/statm").expect("/proc");
    statm.split(' ').next().and_then(|pages| pages.parse::<u64>().ok()).expect("a number") * 4096
}

/// No memory without bound, and no core dumps: those are many.
fn limit() {
    for (what, most) in [(libc::RLIMIT_AS, address_space() + MOST_MEMORY), (libc::RLIMIT_CORE, 0)] {
        let limit = libc::rlimit { rlim_cur: most, rlim_max: most };
        // SAFETY: a valid limit.
        assert_eq!(unsafe { libc::setrlimit(what, &raw const limit) }, 0, "setrlimit");
    }
    // (A panic is told by the probe, with its case.)
    std::panic::set_hook(Box::new(|_| {}));
}
