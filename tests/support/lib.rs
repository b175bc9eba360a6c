//! What the tests of every primitive share: names that clean up after themselves, processes that can't outlive their test,
//! and checkpoints that order them. Processes are ordered by checkpoints, never by sleeping.

mod python;
mod refusals;
mod sysv;

pub use python::{HOW_TO_GET_IT, python};
pub use refusals::{Refusals, Refuse, Refused};
pub use sysv::{Gone, SysvKey};

use std::io::{self, Read, Write};
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use madang::posix::{mq, sem};
use madang::{Barrier, Condition, Event, Mutex, Queue, RwLock, Segment, SemaphoreSet};

/// After so long a test is stuck: nothing in madang may take it.
pub const WATCHDOG: Duration = Duration::from_secs(10);

/// A name that no other test has; whatever bears it is removed when this goes, also when the test fails.
#[derive(Debug)]
pub struct Name(String);

impl Name {
    /// `what` makes it readable in `/dev/shm`.
    #[must_use]
    pub fn new(what: &str) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        Self(format!("test-{what}-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed)))
    }

    /// Where a queue of this name lies.
    #[must_use]
    pub fn queue_path(&self) -> std::path::PathBuf {
        format!("/dev/shm/madang.queue.{}", self.0).into()
    }

    /// Where a segment of this name lies.
    #[must_use]
    pub fn segment_path(&self) -> std::path::PathBuf {
        format!("/dev/shm/{}", self.0).into()
    }
}

impl std::ops::Deref for Name {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Display for Name {
    fn fmt(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        f.write_str(self)
    }
}

impl Drop for Name {
    fn drop(&mut self) {
        // Most tests made only one of them, if any.
        let _ = Queue::unlink(self);
        let _ = Segment::unlink(self);
        let _ = mq::Queue::unlink(self);
        let _ = sem::Semaphore::unlink(self);
        let _ = SemaphoreSet::unlink(self);
        let _ = (Mutex::unlink(self), RwLock::unlink(self), Condition::unlink(self));
        let _ = (Barrier::unlink(self), Event::unlink(self));
        let _ = std::fs::remove_dir(self.queue_path());
    }
}

/// An empty directory that no other test has; removed with all that is in it when this goes, also when the test fails.
#[derive(Debug)]
pub struct Directory(std::path::PathBuf);

impl Directory {
    /// `what` makes it readable.
    #[must_use]
    pub fn new(what: &str) -> Self {
        Self::below(&std::env::temp_dir(), what)
    }

    /// As [`new`](Self::new), but where objects lie: in memory.
    #[must_use]
    pub fn in_memory(what: &str) -> Self {
        Self::below("/dev/shm".as_ref(), what)
    }

    fn below(parent: &std::path::Path, what: &str) -> Self {
        let path = parent.join(format!("madang-{}", &*Name::new(what)));
        std::fs::create_dir(&path).expect("a new directory");
        Self(path)
    }

    /// From now on queues lie in it: for this process, which must be a forked child with one thread.
    pub fn becomes_madang_dir(&self) {
        let path = std::ffi::CString::new(self.0.to_str().expect("UTF-8")).expect("no NUL");
        // SAFETY: the caller has one thread, so its environment is its own.
        unsafe { libc::setenv(c"MADANG_DIR".as_ptr(), path.as_ptr(), 1) };
    }
}

impl std::ops::Deref for Directory {
    type Target = std::path::Path;

    fn deref(&self) -> &std::path::Path {
        &self.0
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A pipe by which a process says how far it is.
#[derive(Debug)]
pub struct Checkpoint {
    reader: io::PipeReader,
    writer: io::PipeWriter,
}

impl Default for Checkpoint {
    fn default() -> Self {
        let (reader, writer) = io::pipe().expect("a pipe");
        Self { reader, writer }
    }
}

impl Checkpoint {
    /// Says that the caller has come here.
    pub fn reach(&self) {
        (&self.writer).write_all(b".").expect("somebody waits");
    }

    /// Waits until another process, or thread, has come there; fails after [`WATCHDOG`].
    pub fn wait(&self) {
        assert!(self.wait_for(WATCHDOG), "nobody reached the checkpoint in {WATCHDOG:?}");
    }

    /// Whether somebody comes there within `timeout`.
    #[must_use]
    pub fn wait_for(&self, timeout: Duration) -> bool {
        use std::os::fd::AsRawFd;
        let mut poll = libc::pollfd { fd: self.reader.as_raw_fd(), events: libc::POLLIN, revents: 0 };
        // SAFETY: one valid pollfd.
        let ready = unsafe { libc::poll(&raw mut poll, 1, timeout.as_millis() as i32) };
        ready == 1 && (&self.reader).read_exact(&mut [0]).is_ok()
    }

    /// The writing end, for what takes a descriptor.
    #[must_use]
    pub fn writer(&self) -> OwnedFd {
        self.writer.try_clone().expect("a descriptor").into()
    }
}

/// A forked child; killed and buried when this goes.
#[derive(Debug)]
pub struct Child(libc::pid_t);

/// Runs `work` in a forked child, which exits with what it returns, or with 101 if it panics.
///
/// The child has only the thread that forked; std's locks that another held at that moment stay held, so `work` does little
/// but use madang, and prints nothing unless it fails.
pub fn fork(work: impl FnOnce() -> i32) -> Child {
    // SAFETY: the child runs `work` and leaves by `_exit`; see above for what it must not do.
    match unsafe { libc::fork() } {
        -1 => panic!("fork: {}", io::Error::last_os_error()),
        0 => {
            // SAFETY: no memory is passed. Who dies by accident must not linger when the test is gone.
            unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL) };
            let code = std::panic::catch_unwind(std::panic::AssertUnwindSafe(work)).unwrap_or(101);
            // SAFETY: the child ends here, without running what belongs to the parent.
            unsafe { libc::_exit(code) }
        }
        pid => Child(pid),
    }
}

impl Child {
    /// Its process id.
    #[must_use]
    pub fn id(&self) -> i32 {
        self.0
    }

    /// Sends a signal.
    pub fn signal(&self, signal: i32) {
        // SAFETY: no memory is passed, and the child was not waited for yet.
        assert_eq!(unsafe { libc::kill(self.0, signal) }, 0, "kill: {}", io::Error::last_os_error());
    }

    /// Kills it with SIGKILL, and buries it.
    pub fn kill(self) {
        // Dropping does it.
    }

    /// Kills it, but leaves the zombie until this is dropped.
    pub fn kill_unburied(&self) {
        self.signal(libc::SIGKILL);
        // SAFETY: all-zero is a valid siginfo, which the call fills.
        unsafe {
            let mut info: libc::siginfo_t = std::mem::zeroed();
            libc::waitid(libc::P_PID, self.0 as libc::id_t, &raw mut info, libc::WEXITED | libc::WNOWAIT);
        }
    }

    /// Waits for its exit; fails after `timeout`, or if it was killed.
    pub fn wait_for(self, timeout: Duration) -> i32 {
        let begun = Instant::now();
        loop {
            let mut status = 0;
            // SAFETY: `status` is a valid place for the answer.
            let found = unsafe { libc::waitpid(self.0, &raw mut status, libc::WNOHANG) };
            if found == self.0 {
                std::mem::forget(self);
                assert!(libc::WIFEXITED(status), "the child was ended by signal {}", libc::WTERMSIG(status));
                return libc::WEXITSTATUS(status);
            }
            assert!(begun.elapsed() < timeout, "the child is stuck after {timeout:?}");
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    /// Waits for its end, however it comes; returns the status as `waitpid(2)` has it.
    #[must_use]
    pub fn end(self) -> i32 {
        let mut status = 0;
        // SAFETY: `status` is a valid place for the answer.
        assert_eq!(unsafe { libc::waitpid(self.0, &raw mut status, 0) }, self.0, "waitpid");
        std::mem::forget(self);
        status
    }

    /// Waits for its exit; fails after [`WATCHDOG`], or unless it exits with 0.
    pub fn succeeds(self) {
        assert_eq!(self.wait_for(WATCHDOG), 0, "the child failed");
    }

    /// Whether it sleeps (in a futex, most likely) or is stopped: see [`state`].
    #[must_use]
    pub fn state(&self) -> char {
        state(self.0)
    }

    /// Waits until it sleeps.
    pub fn wait_until_asleep(&self) {
        let begun = Instant::now();
        while self.state() != 'S' {
            assert!(begun.elapsed() < WATCHDOG, "the child doesn't fall asleep");
            std::thread::sleep(Duration::from_millis(1));
        }
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        // SAFETY: the child was not waited for yet, so the pid is its; no status is asked for.
        unsafe {
            libc::kill(self.0, libc::SIGKILL);
            libc::waitpid(self.0, std::ptr::null_mut(), 0);
        }
    }
}

/// In a process in which no other test forks: a child of another one's would have our descriptors open, and so what we close would
/// not be gone.
pub fn alone(work: impl FnOnce()) {
    let succeed = || {
        work();
        0
    };
    fork(succeed).succeeds();
}

/// What a forked child of root's can be: nobody in particular.
pub fn become_nobody() {
    // By number: libc's functions want the parent's other threads to follow, which a child hasn't.
    for call in [libc::SYS_setgid, libc::SYS_setuid] {
        // SAFETY: no memory is passed.
        assert_eq!(unsafe { libc::syscall(call, 65534) }, 0, "only root can become another user");
    }
}

/// How many descriptors this process has open. (That of the folder that is read for it is among them, each time.) For a forked
/// child, in which no other thread opens and closes.
#[must_use]
pub fn open_descriptors() -> usize {
    std::fs::read_dir("/proc/self/fd").expect("/proc").count()
}

/// Locks one byte of a file, for as long as that is open, as those do who make, join or remove an object.
pub fn lock_byte(file: &std::fs::File, byte: i64) {
    use std::os::fd::AsRawFd;
    // SAFETY: all-zero is a valid `flock64`.
    let mut lock: libc::flock64 = unsafe { std::mem::zeroed() };
    (lock.l_type, lock.l_start, lock.l_len) = (libc::F_WRLCK as i16, byte, 1);
    // SAFETY: a valid `flock64` for the call.
    assert_eq!(unsafe { libc::fcntl(file.as_raw_fd(), libc::F_OFD_SETLK, &raw const lock) }, 0);
}

/// What a process does: its state in proc(5), `S` if it sleeps, `T` if it is stopped.
#[must_use]
pub fn state(pid: i32) -> char {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit(')').next().and_then(|rest| rest.trim().chars().next()).unwrap_or('?')
}

/// The message number `index` of sender `sender`: its bytes tell both, and every byte is checked.
#[must_use]
pub fn payload(sender: u32, index: u64, length: usize) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(length.max(12));
    bytes.extend_from_slice(&sender.to_le_bytes());
    bytes.extend_from_slice(&index.to_le_bytes());
    bytes.extend((12..length).map(|at| (at as u64).wrapping_mul(31).wrapping_add(index) as u8));
    bytes
}

/// Who sent a message, and which it is; fails if a byte of it is wrong.
#[must_use]
pub fn origin(bytes: &[u8]) -> (u32, u64) {
    let (sender, rest) = bytes.split_first_chunk().expect("at least 12 bytes");
    let (index, _) = rest.split_first_chunk().expect("at least 12 bytes");
    let (sender, index) = (u32::from_le_bytes(*sender), u64::from_le_bytes(*index));
    assert!(bytes == payload(sender, index, bytes.len()), "message {index} of sender {sender} is garbled");
    (sender, index)
}

/// Messages as `send_many` takes them.
pub fn slices<B: AsRef<[u8]>>(messages: &[(i64, B)]) -> Vec<(i64, &[u8])> {
    messages.iter().map(|(mtype, data)| (*mtype, data.as_ref())).collect()
}

/// A small random generator (SplitMix64), so that a test can be run again.
#[derive(Clone, Debug)]
pub struct Random(pub u64);

impl Random {
    /// The next number.
    pub fn draw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `end`.
    pub fn below(&mut self, end: u64) -> u64 {
        self.draw() % end
    }
}
