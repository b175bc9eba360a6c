//! signal(7), signalfd(2), pidfd_open(2). Sets are 64 bits, as the kernel has them: bit n - 1 is signal n.

use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::time::Duration;

use super::{Errno, check};

/// What came with a signal (sigaction(2)); what its kind doesn't have is 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Info {
    pub(crate) signal: i32,
    pub(crate) code: i32,
    pub(crate) pid: i32,
    pub(crate) uid: u32,
    pub(crate) value: i32,
    pub(crate) status: i32,
}

impl Info {
    /// Leaves what a signal of this code has; the rest is whatever else lies in the same place.
    fn of(signal: i32, code: i32, (pid, uid): (i32, u32), value: i32, status: i32) -> Self {
        let none = Self { signal, code, ..Self::default() };
        match code {
            libc::SI_QUEUE | libc::SI_MESGQ => Self { pid, uid, value, ..none },
            libc::SI_USER | libc::SI_TKILL => Self { pid, uid, ..none },
            libc::SI_TIMER => Self { value, ..none },
            _ if code > 0 && signal == libc::SIGCHLD => Self { pid, uid, status, ..none },
            _ => none,
        }
    }
}

fn to_libc(set: u64) -> libc::sigset_t {
    // SAFETY: all-zero is a valid place for a set.
    let mut made: libc::sigset_t = unsafe { std::mem::zeroed() };
    // SAFETY: the set is valid for the calls. (What libc keeps to itself, it refuses.)
    unsafe {
        libc::sigemptyset(&raw mut made);
        (1..=64).filter(|signal| set & 1 << (signal - 1) != 0).for_each(|signal| {
            libc::sigaddset(&raw mut made, signal);
        });
    }
    made
}

fn from_libc(set: &libc::sigset_t) -> u64 {
    // SAFETY: the set is valid for the call.
    let has = |signal: i32| unsafe { libc::sigismember(std::ptr::from_ref(set), signal) } == 1;
    (1..=64).filter(|&signal| has(signal)).fold(0, |all, signal| all | 1 << (signal - 1))
}

/// Changes the calling thread's mask as `how` says, and returns the one before (pthread_sigmask(3)).
pub(crate) fn mask(how: i32, set: u64) -> Result<u64, Errno> {
    let (set, mut before) = (to_libc(set), to_libc(0));
    // SAFETY: both sets are valid for the call. It returns the errno.
    match unsafe { libc::pthread_sigmask(how, &raw const set, &raw mut before) } {
        0 => Ok(from_libc(&before)),
        errno => Err(Errno(errno)),
    }
}

/// What waits for the calling thread, or for the process, and is blocked (sigpending(2)).
pub(crate) fn pending() -> Result<u64, Errno> {
    let mut found = to_libc(0);
    // SAFETY: the set is valid for the call.
    check(unsafe { libc::sigpending(&raw mut found) }.into())?;
    Ok(from_libc(&found))
}

/// Sends a signal (kill(2)).
pub(crate) fn kill(pid: i32, signal: i32) -> Result<(), Errno> {
    // SAFETY: no memory is passed.
    check(unsafe { libc::kill(pid, signal) }.into()).map(drop)
}

/// What rt_sigqueueinfo(2) and pidfd_send_signal(2) take: a `siginfo_t` as sigqueue(3) fills it.
#[repr(C)]
struct Queued {
    signal: i32,
    errno: i32,
    code: i32,
    #[cfg(target_pointer_width = "64")]
    padding: i32,
    pid: i32,
    uid: u32,
    /// A `union sigval`, of which the int comes first.
    value: i32,
    rest: [i32; if cfg!(target_pointer_width = "64") { 25 } else { 26 }],
}

const _: () = assert!(size_of::<Queued>() == size_of::<libc::siginfo_t>());

impl Queued {
    fn new(signal: i32, value: i32) -> Self {
        // SAFETY: it is integers.
        let none: Self = unsafe { std::mem::zeroed() };
        // SAFETY: no memory is passed, and the call can't fail.
        let uid = unsafe { libc::getuid() };
        Self { signal, code: libc::SI_QUEUE, pid: std::process::id().cast_signed(), uid, value, ..none }
    }
}

/// Sends a signal with a value (rt_sigqueueinfo(2)).
pub(crate) fn queue(pid: i32, signal: i32, value: i32) -> Result<(), Errno> {
    let info = Queued::new(signal, value);
    // SAFETY: the info is valid for the call.
    check(unsafe { libc::syscall(libc::SYS_rt_sigqueueinfo, pid, signal, &raw const info) }).map(drop)
}

/// Takes one of the set that waits, or waits for one (sigtimedwait(2)): `EAGAIN` if there is none in time; `None` is for ever.
pub(crate) fn wait(set: u64, timeout: Option<Duration>) -> Result<Info, Errno> {
    let set = to_libc(set);
    let time = timeout.map(|timeout| libc::timespec {
        tv_sec: timeout.as_secs().try_into().unwrap_or(libc::time_t::MAX),
        tv_nsec: timeout.subsec_nanos().cast_signed().into(),
    });
    let time = time.as_ref().map_or(std::ptr::null(), std::ptr::from_ref);
    // SAFETY: all-zero is a valid siginfo.
    let mut info: libc::siginfo_t = unsafe { std::mem::zeroed() };
    // SAFETY: the set is valid, the time is valid or null, `info` is a valid place for the answer.
    check(unsafe { libc::sigtimedwait(&raw const set, &raw mut info, time) }.into())?;
    // SAFETY: the fields lie within, whatever the kernel filled; `of` leaves those that it did.
    let (sender, value, status) =
        unsafe { ((info.si_pid(), info.si_uid()), info.si_value().sival_ptr as usize, info.si_status()) };
    Ok(Info::of(info.si_signo, info.si_code, sender, int(value), status))
}

/// The int in a `union sigval`, of which it comes first.
fn int(pointer: usize) -> i32 {
    let bytes = pointer.to_ne_bytes();
    i32::from_ne_bytes([bytes[0], bytes[1], bytes[2], bytes[3]])
}

/// A descriptor from which the signals of the set are read (signalfd(2)).
pub(crate) fn descriptor(set: u64) -> Result<OwnedFd, Errno> {
    let set = to_libc(set);
    // SAFETY: the set is valid for the call.
    let fd = check(unsafe { libc::signalfd(-1, &raw const set, libc::SFD_CLOEXEC | libc::SFD_NONBLOCK) }.into())?;
    // SAFETY: the kernel just made this descriptor, and nobody else knows it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd as i32) })
}

/// Reads one from such a descriptor: `EAGAIN` if there is none.
pub(crate) fn read(fd: BorrowedFd) -> Result<Info, Errno> {
    // SAFETY: all-zero is valid: it is integers.
    let mut info: libc::signalfd_siginfo = unsafe { std::mem::zeroed() };
    // SAFETY: `info` is valid for its length.
    let length =
        check(unsafe { libc::read(fd.as_raw_fd(), (&raw mut info).cast(), size_of_val(&info)) as libc::c_long })?;
    if length as usize != size_of_val(&info) {
        return Err(Errno(libc::EIO));
    }
    let sender = (info.ssi_pid.cast_signed(), info.ssi_uid);
    Ok(Info::of(info.ssi_signo.cast_signed(), info.ssi_code, sender, info.ssi_int, info.ssi_status))
}

/// A descriptor that stands for a process (pidfd_open(2), Linux 5.3).
pub(crate) fn open_process(pid: i32) -> Result<OwnedFd, Errno> {
    // SAFETY: no memory is passed.
    let fd = check(unsafe { libc::syscall(libc::SYS_pidfd_open, pid, 0) })?;
    // SAFETY: the kernel just made this descriptor (close-on-exec), and nobody else knows it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd as i32) })
}

/// Sends a signal to the process that a descriptor stands for, with a value if there is one (pidfd_send_signal(2)). Signal 0 only asks.
pub(crate) fn send(process: BorrowedFd, signal: i32, value: Option<i32>) -> Result<(), Errno> {
    let info = value.map(|value| Queued::new(signal, value));
    let info = info.as_ref().map_or(std::ptr::null(), std::ptr::from_ref);
    // SAFETY: the info is valid for the call, or null.
    check(unsafe { libc::syscall(libc::SYS_pidfd_send_signal, process.as_raw_fd(), signal, info, 0) }).map(drop)
}

/// The signals that programs share among themselves: the first and the last one (signal(7)).
pub(crate) fn real_time() -> (i32, i32) {
    (libc::SIGRTMIN(), libc::SIGRTMAX())
}
