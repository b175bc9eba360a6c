//! Signals: sent with a value, to processes that can't be mistaken, and waited for instead of handled.
//!
//! A signal that is **blocked** doesn't interrupt anything: it waits until somebody takes it. So a program blocks what it wants to wait for,
//! before it makes threads (which inherit the mask), and then takes one after the other, by [`Set::wait`] or by a [`Descriptor`] that can be
//! polled. Nothing here installs a handler.
//!
//! ```
//! use madang::signal::{self, Set, Signal};
//! use madang::Deadline;
//! use std::time::Duration;
//!
//! let set = Set::of([Signal::USR1, Signal::rt(3)?]);
//! let blocked = set.block()?;
//! let me = signal::Process::open(std::process::id() as i32)?;
//! me.queue(Signal::rt(3)?, 42)?;
//! let info = set.wait_until(Deadline::after(Duration::from_secs(5)))?;
//! assert_eq!((info.signal, info.value), (Signal::rt(3)?, 42));
//! assert_eq!(info.pid, std::process::id() as i32);
//! drop(blocked); // the mask is as it was
//! # Ok::<(), madang::Error>(())
//! ```
//!
//! A pid is a number that the kernel gives again when a process has ended: [`kill`] may hit another one. A [`Process`] never does.
//!
//! Of an ordinary signal at most one waits: sent twice, it comes once. Real-time signals ([`Signal::rt`]) queue, lowest number first, up to
//! `RLIMIT_SIGPENDING` of the receiving user's (`EAGAIN`).

#![forbid(unsafe_code)]

use std::fmt;
use std::marker::PhantomData;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::str::FromStr;
use std::time::Duration;

use crate::deadline::Deadline;
use crate::error::{Error, Result};
use crate::kernel::wait::{failed, in_vain, until_ready};
use crate::sys::{self, Errno, poll};

/// A signal, by its number: 1 to 64, without those that the C library keeps to itself.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Signal(i32);

macro_rules! signals {
    ($($name:ident $libc:ident $what:literal;)*) => {
        impl Signal {
            $(#[doc = $what] pub const $name: Self = Self(libc::$libc);)*
        }

        /// The ordinary ones.
        const NAMES: &[(i32, &str)] = &[$((libc::$libc, stringify!($libc)),)*];
    };
}

signals! {
    HUP SIGHUP "The terminal was closed, or: read your configuration again.";
    INT SIGINT "Ctrl-C.";
    QUIT SIGQUIT "Ctrl-\\.";
    ILL SIGILL "An instruction that there is not.";
    TRAP SIGTRAP "A breakpoint.";
    ABRT SIGABRT "abort(3).";
    BUS SIGBUS "Memory behind which there is nothing.";
    FPE SIGFPE "Arithmetic that can't be done.";
    KILL SIGKILL "Ends the process; can't be blocked.";
    USR1 SIGUSR1 "The program's own.";
    SEGV SIGSEGV "Memory that may not be touched.";
    USR2 SIGUSR2 "The program's own.";
    PIPE SIGPIPE "Written to one who is gone.";
    ALRM SIGALRM "alarm(2).";
    TERM SIGTERM "Please end.";
    STKFLT SIGSTKFLT "Unused.";
    CHLD SIGCHLD "A child has ended, was stopped or goes on.";
    CONT SIGCONT "Go on.";
    STOP SIGSTOP "Stops the process; can't be blocked.";
    TSTP SIGTSTP "Ctrl-Z.";
    TTIN SIGTTIN "Read from the terminal in the background.";
    TTOU SIGTTOU "Written to the terminal in the background.";
    URG SIGURG "Urgent data at a socket.";
    XCPU SIGXCPU "The processor time is used up.";
    XFSZ SIGXFSZ "The file would be too large.";
    VTALRM SIGVTALRM "A timer of processor time.";
    PROF SIGPROF "A timer of profilers.";
    WINCH SIGWINCH "The terminal's size has changed.";
    IO SIGIO "A descriptor is ready.";
    PWR SIGPWR "The power fails.";
    SYS SIGSYS "A system call that there is not, or may not be made.";
}

impl Signal {
    /// The signal with that number.
    ///
    /// # Errors
    /// `EINVAL` if there is none.
    pub fn new(number: i32) -> Result<Self> {
        let (first, last) = sys::signal::real_time();
        if (1..=31).contains(&number) || (first..=last).contains(&number) {
            return Ok(Self(number));
        }
        let what = format!("signal {number}: there are 1 to 31, and the real-time ones {first} to {last}");
        Err(Error::new(libc::EINVAL, what))
    }

    /// The real-time signal `SIGRTMIN + offset`, 0 to 30. They queue, and are for programs to use.
    ///
    /// # Errors
    /// `EINVAL` if there are not so many.
    pub fn rt(offset: u32) -> Result<Self> {
        let (first, last) = sys::signal::real_time();
        match i32::try_from(offset) {
            Ok(offset) if offset <= last - first => Ok(Self(first + offset)),
            _ => Err(Error::new(libc::EINVAL, format!("SIGRTMIN+{offset}: they end with SIGRTMIN+{}", last - first))),
        }
    }

    /// Its number, as in `<signal.h>`.
    #[must_use]
    pub fn number(self) -> i32 {
        self.0
    }

    fn bit(self) -> u64 {
        1 << (self.0 - 1)
    }
}

impl fmt::Display for Signal {
    /// `SIGUSR1`, `SIGRTMIN+3`.
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match (NAMES.iter().find(|(number, _)| *number == self.0), self.0 - sys::signal::real_time().0) {
            (Some((_, name)), _) => f.write_str(name),
            (None, 0) => f.write_str("SIGRTMIN"),
            (None, offset) => write!(f, "SIGRTMIN+{offset}"),
        }
    }
}

impl fmt::Debug for Signal {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Signal {
    type Err = Error;

    /// `SIGUSR1`, `USR1`, `SIGRTMIN+3`, `SIGRTMAX-1`, or a number.
    fn from_str(text: &str) -> Result<Self> {
        let bad = || Error::new(libc::EINVAL, format!("{text:?} is no signal: SIGUSR1, USR1, SIGRTMIN+3 and 10 are"));
        if let Ok(number) = text.parse() {
            return Self::new(number);
        }
        let name = text.strip_prefix("SIG").unwrap_or(text);
        let (first, last) = sys::signal::real_time();
        let beyond = |rest: &str, sign| match rest {
            "" => Ok(0),
            _ => rest.strip_prefix(sign).and_then(|number| number.parse::<u8>().ok()).map(i32::from).ok_or_else(bad),
        };
        if let Some(rest) = name.strip_prefix("RTMIN") {
            return Some(first + beyond(rest, '+')?).filter(|&it| it <= last).map(Self).ok_or_else(bad);
        }
        if let Some(rest) = name.strip_prefix("RTMAX") {
            return Some(last - beyond(rest, '-')?).filter(|&it| it >= first).map(Self).ok_or_else(bad);
        }
        // Names that some have two of.
        let name = match name {
            "CLD" => "CHLD",
            "POLL" => "IO",
            "IOT" => "ABRT",
            name => name,
        };
        let found = NAMES.iter().find(|(_, it)| it[3..] == *name);
        found.map(|(number, _)| Self(*number)).ok_or_else(bad)
    }
}

/// A set of signals.
///
/// ```
/// use madang::signal::{Set, Signal};
/// let set = Set::of([Signal::USR1, Signal::TERM]);
/// assert!(set.contains(Signal::TERM) && !set.contains(Signal::INT));
/// assert_eq!(set.iter().count(), 2);
/// ```
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Set(u64);

impl Set {
    /// Those.
    #[must_use]
    pub fn of(signals: impl IntoIterator<Item = Signal>) -> Self {
        signals.into_iter().collect()
    }

    /// The set with these bits: bit n - 1 is signal n. Bits that stand for no signal are dropped.
    #[must_use]
    pub fn from_bits(bits: u64) -> Self {
        (1..=64).filter(|number| bits >> (number - 1) & 1 == 1).filter_map(|number| Signal::new(number).ok()).collect()
    }

    /// See [`from_bits`](Self::from_bits).
    #[must_use]
    pub fn bits(self) -> u64 {
        self.0
    }

    /// Adds one.
    pub fn insert(&mut self, signal: Signal) {
        self.0 |= signal.bit();
    }

    /// Takes one away.
    pub fn remove(&mut self, signal: Signal) {
        self.0 &= !signal.bit();
    }

    /// Whether it is one of them.
    #[must_use]
    pub fn contains(self, signal: Signal) -> bool {
        self.0 & signal.bit() != 0
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Each, the lowest first.
    pub fn iter(self) -> impl Iterator<Item = Signal> {
        (1..=64).map(Signal).filter(move |signal| self.contains(*signal))
    }

    /// What can't be blocked, nor waited for, is refused.
    fn check(self, doing: &str) -> Result<()> {
        let never = [Signal::KILL, Signal::STOP].into_iter().find(|&signal| self.contains(signal));
        let why = match never {
            Some(signal) => format!("{doing}: {signal} can't be blocked, nor waited for (signal(7))"),
            None if self.is_empty() => format!("{doing}: the set is empty"),
            None => return Ok(()),
        };
        Err(Error::new(libc::EINVAL, why))
    }

    /// As [`check`](Self::check); and what isn't blocked can't be waited for either: it would be handled, or end the process.
    fn check_blocked(self, doing: &str) -> Result<()> {
        self.check(doing)?;
        let blocked = blocked()?;
        match self.iter().find(|&signal| !blocked.contains(signal)) {
            None => Ok(()),
            Some(signal) => {
                let what = format!("{doing}: this thread doesn't block {signal}: block the set first");
                Err(Error::new(libc::EINVAL, what))
            }
        }
    }

    /// Blocks these signals, besides those that are blocked, in the calling thread, and in threads and processes that it makes, as long as the
    /// guard lives (pthread_sigmask(3)). Guards are to be dropped in the reverse order.
    ///
    /// A signal to the process goes to any thread that doesn't block it: so block before other threads are made.
    ///
    /// # Errors
    /// `EINVAL` for `SIGKILL` and `SIGSTOP`, which can't be blocked, and for none.
    pub fn block(self) -> Result<Blocked> {
        self.check("block signals")?;
        let before = sys::signal::mask(libc::SIG_BLOCK, self.0).map_err(|errno| failed(errno, "block signals"))?;
        Ok(Blocked { before: Self(before), _this_thread: PhantomData })
    }

    /// Makes this the calling thread's mask, and returns the one before: for other languages, whose guards are their own. See [`block`](Self::block).
    ///
    /// # Errors
    /// As pthread_sigmask(3).
    pub fn replace_mask(self) -> Result<Self> {
        sys::signal::mask(libc::SIG_SETMASK, self.0).map(Self).map_err(|errno| failed(errno, "set the signal mask"))
    }

    /// Takes one of these signals, which the thread blocks; waits for one (sigtimedwait(2)).
    ///
    /// Threads that wait for the same one get it one or the other.
    ///
    /// # Errors
    /// `EINVAL` if one of them isn't blocked, or can't be; `EINTR` when the handler of another one ran.
    pub fn wait(self) -> Result<Info> {
        self.wait_until(Deadline::NEVER)
    }

    /// As [`wait`](Self::wait), but doesn't wait: `EAGAIN`.
    ///
    /// # Errors
    /// As [`wait`](Self::wait).
    pub fn try_wait(self) -> Result<Info> {
        self.wait_until(Deadline::NOW)
    }

    /// As [`wait`](Self::wait), but waits until the deadline: `ETIMEDOUT`.
    ///
    /// # Errors
    /// As [`wait`](Self::wait).
    pub fn wait_until(self, deadline: Deadline) -> Result<Info> {
        let doing = "wait for a signal";
        self.check_blocked(doing)?;
        loop {
            let is_last = deadline.has_passed();
            let left = (deadline != Deadline::NEVER).then(|| deadline.left(Duration::from_secs(1 << 30)));
            match sys::signal::wait(self.0, left) {
                Err(Errno(libc::EAGAIN)) if is_last => return Err(in_vain(deadline, doing)),
                Err(Errno(libc::EAGAIN)) => {}
                Err(errno) => return Err(failed(errno, doing)),
                Ok(info) => return Ok(info.into()),
            }
        }
    }
}

impl From<Signal> for Set {
    fn from(signal: Signal) -> Self {
        Self(signal.bit())
    }
}

impl FromIterator<Signal> for Set {
    fn from_iter<I: IntoIterator<Item = Signal>>(signals: I) -> Self {
        Self(signals.into_iter().fold(0, |bits, signal| bits | signal.bit()))
    }
}

impl fmt::Debug for Set {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.debug_set().entries(self.iter()).finish()
    }
}

/// Signals are blocked in this thread; dropping it restores the mask that was before. See [`Set::block`].
#[derive(Debug)]
#[must_use = "dropping it unblocks them at once"]
pub struct Blocked {
    before: Set,
    /// A mask is a thread's.
    _this_thread: PhantomData<*const ()>,
}

impl Blocked {
    /// The mask that will be restored.
    #[must_use]
    pub fn before(&self) -> Set {
        self.before
    }
}

impl Drop for Blocked {
    fn drop(&mut self) {
        // It can't fail: `how` is right.
        let _ = self.before.replace_mask();
    }
}

/// A signal that was taken, and who sent it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Info {
    /// Which.
    pub signal: Signal,
    /// How it was sent: `SI_USER` by kill, `SI_QUEUE` with a value, `CLD_EXITED` and others by the kernel (sigaction(2)).
    pub code: i32,
    /// Who sent it, or, of `SIGCHLD`, which child; 0 for the kernel.
    pub pid: i32,
    /// The real user id of that process.
    pub uid: u32,
    /// The value that was sent along; else 0.
    pub value: i32,
    /// Of `SIGCHLD`: the exit status, or the signal that ended the child.
    pub status: i32,
}

impl From<sys::signal::Info> for Info {
    fn from(info: sys::signal::Info) -> Self {
        let sys::signal::Info { signal, code, pid, uid, value, status } = info;
        Self { signal: Signal(signal), code, pid, uid, value, status }
    }
}

/// The signals that the calling thread blocks.
///
/// # Errors
/// As pthread_sigmask(3).
pub fn blocked() -> Result<Set> {
    sys::signal::mask(libc::SIG_BLOCK, 0).map(Set).map_err(|errno| failed(errno, "get the signal mask"))
}

/// The signals that were sent to the thread, or to the process, and wait since they are blocked (sigpending(2)).
///
/// # Errors
/// As sigpending(2).
pub fn pending() -> Result<Set> {
    sys::signal::pending().map(Set).map_err(|errno| failed(errno, "look at pending signals"))
}

/// What sending failed with.
#[cold]
fn cannot(errno: Errno, doing: &str) -> Error {
    errno.during(match errno.0 {
        libc::ESRCH => format!("{doing}: there is no such process"),
        libc::EPERM => format!("{doing}: it belongs to another user"),
        libc::EAGAIN => format!("{doing}: too many signals wait for its user already (RLIMIT_SIGPENDING)"),
        _ => doing.to_owned(),
    })
}

/// A pid of one process: 0 and negative ones mean groups, or everybody (kill(2)), which is rarely meant.
fn check_pid(pid: i32, doing: &str) -> Result<()> {
    if pid > 0 {
        return Ok(());
    }
    Err(Error::new(libc::EINVAL, format!("{doing}: a process's id is greater than 0 (a group: kill_group)")))
}

/// Sends a signal to the process that has this id now (kill(2)). See [`Process`].
///
/// # Errors
/// `ESRCH` if there is none; `EPERM` if it is another user's; `EINVAL` for a pid below 1.
pub fn kill(pid: i32, signal: Signal) -> Result<()> {
    let doing = || format!("send {signal} to process {pid}");
    check_pid(pid, &doing())?;
    sys::signal::kill(pid, signal.0).map_err(|errno| cannot(errno, &doing()))
}

/// Sends a signal to each process of a group (kill(2)).
///
/// # Errors
/// `ESRCH` if there is none; `EPERM` if all are other users'; `EINVAL` for an id below 2.
pub fn kill_group(group: i32, signal: Signal) -> Result<()> {
    let doing = || format!("send {signal} to process group {group}");
    if group < 2 {
        return Err(Error::new(libc::EINVAL, format!("{}: a group's id is greater than 1", doing())));
    }
    sys::signal::kill(-group, signal.0).map_err(|errno| cannot(errno, &doing()))
}

/// Sends a signal with a value to the process that has this id now (sigqueue(3)). See [`Process`].
///
/// # Errors
/// As [`kill`]; `EAGAIN` if too many wait already.
pub fn queue(pid: i32, signal: Signal, value: i32) -> Result<()> {
    let doing = || format!("send {signal} with {value} to process {pid}");
    check_pid(pid, &doing())?;
    sys::signal::queue(pid, signal.0, value).map_err(|errno| cannot(errno, &doing()))
}

/// A process, by a descriptor that stands for it and never for another one that got its id (pidfd_open(2), Linux 5.3).
///
/// That of a child is right as long as the child isn't waited for. That of another process may be another's already when it is opened:
/// a parent, or [`Stream::peer_pidfd`](crate::socket::Stream::peer_pidfd), knows better.
///
/// ```
/// use madang::signal::{Process, Signal};
/// let mut child = std::process::Command::new("sleep").arg("60").spawn().unwrap();
/// let process = Process::open(child.id() as i32)?;
/// process.send(Signal::TERM)?;
/// process.wait()?;
/// child.wait().unwrap();
/// assert_eq!(process.send(Signal::TERM).unwrap_err().errno(), libc::ESRCH);
/// # Ok::<(), madang::Error>(())
/// ```
#[derive(Debug)]
pub struct Process(OwnedFd);

impl Process {
    /// The process that has this id now.
    ///
    /// # Errors
    /// `ESRCH` if there is none; `EINVAL` for a pid below 1, or that of a thread that isn't its process's first; `ENOSYS` before Linux 5.3;
    /// `EMFILE`.
    pub fn open(pid: i32) -> Result<Self> {
        let doing = || format!("open process {pid}");
        check_pid(pid, &doing())?;
        sys::signal::open_process(pid).map(Self).map_err(|errno| cannot(errno, &doing()))
    }

    /// Sends it a signal (pidfd_send_signal(2)).
    ///
    /// # Errors
    /// `ESRCH` if it has ended; `EPERM` if it is another user's.
    pub fn send(&self, signal: Signal) -> Result<()> {
        let doing = || format!("send {signal} to a process");
        sys::signal::send(self.0.as_fd(), signal.0, None).map_err(|errno| cannot(errno, &doing()))
    }

    /// Sends it a signal with a value.
    ///
    /// # Errors
    /// As [`send`](Self::send); `EAGAIN` if too many wait already.
    pub fn queue(&self, signal: Signal, value: i32) -> Result<()> {
        let doing = || format!("send {signal} with {value} to a process");
        sys::signal::send(self.0.as_fd(), signal.0, Some(value)).map_err(|errno| cannot(errno, &doing()))
    }

    /// Waits until it has ended. Whose child it is still has to wait for it (waitpid(2)).
    ///
    /// # Errors
    /// `EINTR`.
    pub fn wait(&self) -> Result<()> {
        self.wait_until(Deadline::NEVER)
    }

    /// As [`wait`](Self::wait), but doesn't wait: `EAGAIN`.
    ///
    /// # Errors
    /// As [`wait`](Self::wait).
    pub fn try_wait(&self) -> Result<()> {
        self.wait_until(Deadline::NOW)
    }

    /// As [`wait`](Self::wait), but waits until the deadline: `ETIMEDOUT`.
    ///
    /// # Errors
    /// As [`wait`](Self::wait).
    pub fn wait_until(&self, deadline: Deadline) -> Result<()> {
        let doing = || "wait for the end of a process".to_owned();
        until_ready(self.0.as_fd(), poll::IN, deadline, doing, || {
            match poll::wait(self.0.as_fd(), poll::IN, Some(Duration::ZERO))? {
                true => Ok(()),
                false => Err(Errno(libc::EAGAIN)),
            }
        })
    }
}

impl AsFd for Process {
    /// To poll: readable when it has ended.
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl From<OwnedFd> for Process {
    /// A pidfd that something else has made.
    fn from(pidfd: OwnedFd) -> Self {
        Self(pidfd)
    }
}

impl From<Process> for OwnedFd {
    fn from(process: Process) -> Self {
        process.0
    }
}

/// A descriptor that is readable when one of a set of signals waits, for poll(2) and event loops (signalfd(2)).
///
/// It takes what waits for the process, or for the thread that reads. The signals stay blocked by whoever blocked them.
#[derive(Debug)]
pub struct Descriptor {
    fd: OwnedFd,
    set: Set,
}

impl Descriptor {
    /// For these signals, which the calling thread blocks.
    ///
    /// # Errors
    /// `EINVAL` if one of them isn't blocked, or can't be; `EMFILE`.
    pub fn new(set: Set) -> Result<Self> {
        let doing = "make a descriptor of signals";
        set.check_blocked(doing)?;
        let fd = sys::signal::descriptor(set.0).map_err(|errno| failed(errno, doing))?;
        Ok(Self { fd, set })
    }

    /// Which signals.
    #[must_use]
    pub fn set(&self) -> Set {
        self.set
    }

    /// Takes one; waits for one.
    ///
    /// # Errors
    /// `EINTR` when the handler of another one ran.
    pub fn read(&self) -> Result<Info> {
        self.read_until(Deadline::NEVER)
    }

    /// As [`read`](Self::read), but doesn't wait: `EAGAIN`.
    ///
    /// # Errors
    /// As [`read`](Self::read).
    pub fn try_read(&self) -> Result<Info> {
        self.read_until(Deadline::NOW)
    }

    /// As [`read`](Self::read), but waits until the deadline: `ETIMEDOUT`.
    ///
    /// # Errors
    /// As [`read`](Self::read).
    pub fn read_until(&self, deadline: Deadline) -> Result<Info> {
        let doing = || "read a signal".to_owned();
        let info = until_ready(self.fd.as_fd(), poll::IN, deadline, doing, || sys::signal::read(self.fd.as_fd()))?;
        Ok(info.into())
    }
}

impl AsFd for Descriptor {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}
