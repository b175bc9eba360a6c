//! System calls that fail on purpose: the n-th of those that an operation makes, or all from there on.
//!
//! A thread has the calls that can run out of something (descriptors, space, memory, locks) answered by another thread:
//! seccomp's user notification (seccomp_unotify(2)). That one lets them go on, or says an errno in their place. What is
//! tried knows nothing of it, and needs nothing for it. The children that the thread forks are watched as well, as long as
//! this process lives.
//!
//! Memory that is nobody's file (malloc's) isn't refused here: `RLIMIT_AS` is for that.

use std::io;
use std::mem::offset_of;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, mpsc};
use std::thread;

use libc::{
    BPF_ABS, BPF_JEQ, BPF_JMP, BPF_JSET, BPF_K, BPF_LD, BPF_RET, BPF_W, SECCOMP_FILTER_FLAG_NEW_LISTENER,
    SECCOMP_RET_ALLOW, SECCOMP_RET_USER_NOTIF, SECCOMP_SET_MODE_FILTER, SECCOMP_USER_NOTIF_FLAG_CONTINUE, seccomp_data,
    sock_filter,
};

/// A call, and what it fails with: the likeliest that it can.
const CALLS: [(libc::c_long, i32, &str); 18] = [
    (libc::SYS_openat, libc::EMFILE, "openat"),
    (libc::SYS_fallocate, libc::ENOSPC, "fallocate"),
    (libc::SYS_ftruncate, libc::ENOSPC, "ftruncate"),
    (libc::SYS_mmap, libc::ENOMEM, "mmap"),
    (libc::SYS_madvise, libc::ENOMEM, "madvise"),
    (libc::SYS_fcntl, libc::ENOLCK, "fcntl"),
    (libc::SYS_linkat, libc::ENOSPC, "linkat"),
    (libc::SYS_unlinkat, libc::EROFS, "unlinkat"),
    (libc::SYS_renameat2, libc::ENOSPC, "renameat2"),
    (libc::SYS_fchmod, libc::EROFS, "fchmod"),
    (libc::SYS_pread64, libc::ENOMEM, "pread64"),
    (libc::SYS_getdents64, libc::ENOMEM, "getdents64"),
    (libc::SYS_membarrier, libc::EPERM, "membarrier"),
    (libc::SYS_inotify_init1, libc::EMFILE, "inotify_init1"),
    (libc::SYS_inotify_add_watch, libc::ENOSPC, "inotify_add_watch"),
    (libc::SYS_epoll_create1, libc::EMFILE, "epoll_create1"),
    (libc::SYS_timerfd_create, libc::EMFILE, "timerfd_create"),
    (libc::SYS_getrandom, libc::EINTR, "getrandom"),
];

/// What is refused of an operation's calls, which are counted from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refuse {
    /// That one.
    Only(u64),
    /// That one and all after it.
    From(u64),
    /// None, but each fallocate(2) of more than so many bytes is interrupted, as on kernels before 6.11 by signals that come
    /// often. (Their own undo what was begun.)
    LongAllocations(u64),
}

/// Which calls were refused, and with which errno; of the same calls one.
pub type Refused = Vec<(&'static str, i32)>;

/// See the head of this file. For the thread that made it, as long as that lives.
#[derive(Debug)]
pub struct Refusals(Arc<State>);

/// What both threads know. The answering one never allocates: the other may be in malloc, holding its lock.
#[derive(Debug)]
struct State {
    seen: AtomicU64,
    /// The first call that is refused, and the first that isn't any more; both 0 while nothing is asked for.
    first: AtomicU64,
    end: AtomicU64,
    /// The longest allocation that isn't interrupted.
    longest: AtomicU64,
    /// Whether there are no unnamed files; nonzero is yes.
    only_named: AtomicU64,
    /// A bit for each of [`CALLS`].
    refused: AtomicU64,
}

impl Refusals {
    /// From now on this thread's calls are watched. `None` where that isn't permitted.
    #[must_use]
    pub fn begin() -> Option<Self> {
        let state = Arc::new(State {
            seen: AtomicU64::new(0),
            first: AtomicU64::new(0),
            end: AtomicU64::new(0),
            longest: AtomicU64::new(u64::MAX),
            only_named: AtomicU64::new(0),
            refused: AtomicU64::new(0),
        });
        let (tell, told) = mpsc::channel::<OwnedFd>();
        let answers = state.clone();
        // Made before the filter, which a new thread would inherit.
        thread::spawn(move || {
            if let Ok(listener) = told.recv() {
                while answers.answer(&listener) {}
            }
        });
        let listener = install(&filter()).ok()?;
        tell.send(listener).ok()?;
        Some(Self(state))
    }

    /// From now on it is as on a file system without unnamed files (`O_TMPFILE`).
    pub fn without_unnamed_files(&self) {
        self.0.only_named.store(1, Ordering::SeqCst);
    }

    /// Runs `operation` with that refused.
    pub fn during<T>(&self, refuse: Refuse, operation: impl FnOnce() -> T) -> (T, Refused) {
        let Self(state) = self;
        let (first, end, longest) = match refuse {
            Refuse::Only(first) => (first, first + 1, u64::MAX),
            Refuse::From(first) => (first, u64::MAX, u64::MAX),
            Refuse::LongAllocations(longest) => (u64::MAX, u64::MAX, longest),
        };
        state.seen.store(0, Ordering::SeqCst);
        state.refused.store(0, Ordering::SeqCst);
        state.end.store(end, Ordering::SeqCst);
        state.longest.store(longest, Ordering::SeqCst);
        state.first.store(first, Ordering::SeqCst);
        let done = operation();
        state.first.store(0, Ordering::SeqCst);
        let refused = state.refused.load(Ordering::SeqCst);
        let was_refused = |index: usize| refused >> index & 1 == 1;
        let refused = CALLS.iter().enumerate().filter(|(index, _)| was_refused(*index));
        (done, refused.map(|(_, &(_, errno, name))| (name, errno)).collect())
    }
}

impl State {
    /// Answers the next call; `false` when nobody is left who could make one.
    fn answer(&self, listener: &OwnedFd) -> bool {
        let mut poll = libc::pollfd { fd: listener.as_raw_fd(), events: libc::POLLIN, revents: 0 };
        // SAFETY: one valid pollfd.
        let ready = unsafe { libc::poll(&raw mut poll, 1, -1) };
        if ready == 1 && poll.revents & libc::POLLIN == 0 {
            return false;
        }
        // SAFETY: all-zero is valid for both, and the kernel wants the first so.
        let (mut call, mut answer): (libc::seccomp_notif, libc::seccomp_notif_resp) = unsafe { std::mem::zeroed() };
        // SAFETY: a valid place for the notification.
        if unsafe { libc::ioctl(listener.as_raw_fd(), libc::SECCOMP_IOCTL_NOTIF_RECV, &raw mut call) } != 0 {
            // Who made it was killed, or a signal came.
            return true;
        }
        answer.id = call.id;
        match self.refuse(&call.data) {
            Some(errno) => answer.error = -errno,
            None => answer.flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE as u32,
        }
        // SAFETY: a valid answer. It fails if who made the call was killed meanwhile.
        unsafe { libc::ioctl(listener.as_raw_fd(), libc::SECCOMP_IOCTL_NOTIF_SEND, &raw mut answer) };
        true
    }

    fn refuse(&self, call: &seccomp_data) -> Option<i32> {
        let first = self.first.load(Ordering::SeqCst);
        let number = libc::c_long::from(call.nr);
        let index = CALLS.iter().position(|known| known.0 == number)?;
        let is_unnamed = number == libc::SYS_openat && call.args[2] as i32 & libc::O_TMPFILE == libc::O_TMPFILE;
        if is_unnamed && self.only_named.load(Ordering::SeqCst) != 0 {
            return Some(libc::EOPNOTSUPP);
        }
        if first == 0 {
            return None;
        }
        if number == libc::SYS_fallocate && call.args[3] > self.longest.load(Ordering::SeqCst) {
            return Some(libc::EINTR);
        }
        let count = self.seen.fetch_add(1, Ordering::SeqCst) + 1;
        if !(first..self.end.load(Ordering::SeqCst)).contains(&count) {
            return None;
        }
        self.refused.fetch_or(1 << index, Ordering::SeqCst);
        Some(CALLS[index].1)
    }
}

fn statement(code: u32, operand: u32) -> sock_filter {
    sock_filter { code: code as u16, jt: 0, jf: 0, k: operand }
}

fn jump(test: u32, operand: u32, if_true: u8, if_false: u8) -> sock_filter {
    sock_filter { code: (BPF_JMP | test | BPF_K) as u16, jt: if_true, jf: if_false, k: operand }
}

/// Asks about the calls of [`CALLS`]; of mmap(2) only where a file is mapped.
fn filter() -> Vec<sock_filter> {
    let load = |offset: usize| statement(BPF_LD | BPF_W | BPF_ABS, offset as u32);
    let say = |action| statement(BPF_RET | BPF_K, action);
    // The half of its flags that has them, on a little-endian machine.
    let mmap_flags = offset_of!(seccomp_data, args) + 3 * size_of::<u64>();
    let mut filter = vec![load(offset_of!(seccomp_data, nr))];
    for (number, ..) in CALLS {
        if number == libc::SYS_mmap {
            filter.extend([
                jump(BPF_JEQ, number as u32, 0, 4),
                load(mmap_flags),
                jump(BPF_JSET, libc::MAP_ANONYMOUS as u32, 0, 1),
                say(SECCOMP_RET_ALLOW),
                say(SECCOMP_RET_USER_NOTIF),
            ]);
        } else {
            filter.extend([jump(BPF_JEQ, number as u32, 0, 1), say(SECCOMP_RET_USER_NOTIF)]);
        }
    }
    filter.push(say(SECCOMP_RET_ALLOW));
    filter
}

/// Puts the filter before the calls of this thread.
fn install(filter: &[sock_filter]) -> io::Result<OwnedFd> {
    let program = libc::sock_fprog { len: filter.len() as u16, filter: filter.as_ptr().cast_mut() };
    // SAFETY: the program is valid for the call, which copies it; who may gain no privileges may install one.
    let listener = unsafe {
        libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
        let (mode, flags) = (SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER);
        libc::syscall(libc::SYS_seccomp, mode, flags, &raw const program)
    };
    if listener < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the kernel just made this descriptor, and nobody else knows it.
    Ok(unsafe { OwnedFd::from_raw_fd(listener as i32) })
}
