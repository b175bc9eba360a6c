//! `madang_signal_*`: signals for C.

use std::ffi::{CString, c_char, c_int};
use std::os::fd::{AsFd, AsRawFd};
use std::sync::OnceLock;

use madang_core::signal::{self, Descriptor, Info, Process, Set, Signal};

use crate::deadline::limit;
use crate::error::call;
use crate::handle::{Handle, shell};
use crate::pointer::{self, Numbers, Out, Place};

/// A signal that was taken, and who sent it. It is filled but for struct_size.
#[repr(C)]
#[derive(Clone, Copy, Default)]
pub struct madang_signal_info {
    /// sizeof(madang_signal_info), set by the caller
    pub struct_size: u32,
    /// Which
    pub signal: i32,
    /// How it was sent: SI_USER by kill(2), SI_QUEUE with a value, CLD_EXITED and others by the
    /// kernel (sigaction(2))
    pub code: i32,
    /// Who sent it, or, of SIGCHLD, which child; 0 for the kernel
    pub pid: i32,
    /// The real user id of that process
    pub uid: u32,
    /// The value that was sent along; else 0
    pub value: i32,
    /// Of SIGCHLD: the exit status, or the signal that ended the child
    pub status: i32,
}

impl From<Info> for madang_signal_info {
    fn from(Info { signal, code, pid, uid, value, status }: Info) -> Self {
        Self { struct_size: 0, signal: signal.number(), code, pid, uid, value, status }
    }
}

/// A process, by a descriptor that stands for it and never for another one that got its id
/// (pidfd_open(2), Linux 5.3).
///
/// That of a child is right as long as the child wasn't waited for (waitpid(2)).
pub struct madang_signal_process {
    handle: Handle<Process>,
}

shell!(madang_signal_process, Process, b"proc", "process");

/// A descriptor that is readable when one of a set of signals waits (signalfd(2)).
pub struct madang_signal_descriptor {
    handle: Handle<Descriptor>,
}

shell!(madang_signal_descriptor, Descriptor, b"sigd", "descriptor");

fn set(bits: u64) -> Set {
    Set::from_bits(bits)
}

/// A signal as a set of one. Sets are 64 bits, joined with |: bit n - 1 is signal n.
///
/// Returns the bit; 0 if there is no such signal (madang_last_error() tells). Doesn't wait. Any
/// thread may call it at any time.
#[unsafe(no_mangle)]
pub extern "C" fn madang_signal_set(signal: c_int) -> u64 {
    let mut bits = 0;
    call("madang_signal_set", || {
        bits = Set::from(Signal::new(signal)?).bits();
        Ok(0)
    });
    bits
}

/// The signal of that name: "SIGUSR1", "USR1", "SIGRTMIN+3", "SIGRTMAX-1", "10".
///
/// Returns its number; -EINVAL if there is none, -EFAULT if name is NULL. Doesn't wait. Any thread
/// may call it at any time.
#[unsafe(no_mangle)]
pub extern "C" fn madang_signal_number(name: *const c_char) -> c_int {
    call("madang_signal_number", || Ok(pointer::text(name)?.parse::<Signal>()?.number()))
}

/// The signal's name: "SIGUSR1", "SIGRTMIN+3".
///
/// Returns a text that is valid for ever; NULL if there is no such signal. Doesn't wait. Any thread
/// may call it at any time.
#[unsafe(no_mangle)]
pub extern "C" fn madang_signal_name(signal: c_int) -> *const c_char {
    static NAMES: OnceLock<Vec<CString>> = OnceLock::new();
    call("madang_signal_name", || {
        let signal = Signal::new(signal)?;
        let names = NAMES.get_or_init(|| {
            let name = |number| Signal::new(number).map(|signal| signal.to_string()).unwrap_or_default();
            (0..=64).map(|number| CString::new(name(number)).unwrap_or_default()).collect()
        });
        Ok(names[signal.number() as usize].as_ptr())
    })
}

/// The real-time signal SIGRTMIN + offset, 0 to 30. They queue, and are for programs to use.
///
/// Returns its number; -EINVAL if there are not so many. Doesn't wait. Any thread may call it at any
/// time.
#[unsafe(no_mangle)]
pub extern "C" fn madang_signal_rt(offset: u32) -> c_int {
    call("madang_signal_rt", || Ok(Signal::rt(offset)?.number()))
}

/// Blocks these signals, besides those that are blocked, in the calling thread, and in threads and
/// processes that it makes (pthread_sigmask(3)). *before becomes the mask that was, for
/// madang_signal_restore(); before may be NULL.
///
/// A signal that is blocked waits until somebody takes it. One to the process goes to any thread
/// that doesn't block it: so block before other threads are made.
///
/// Returns 0; -EINVAL for SIGKILL and SIGSTOP, which can't be blocked, and for an empty set. Doesn't
/// wait. Any thread may call it at any time.
#[unsafe(no_mangle)]
pub extern "C" fn madang_signal_block(set: u64, before: *mut u64) -> c_int {
    call("madang_signal_block", || {
        let blocked = self::set(set).block()?;
        if !before.is_null() {
            Numbers::new(before, 1, "before")?.fill([blocked.before().bits()]);
        }
        // Restoring it is the caller's affair.
        std::mem::forget(blocked);
        Ok(0)
    })
}

/// Makes mask the calling thread's mask: what madang_signal_block() gave.
///
/// Returns 0. Doesn't wait. Any thread may call it at any time.
#[unsafe(no_mangle)]
pub extern "C" fn madang_signal_restore(mask: u64) -> c_int {
    call("madang_signal_restore", || {
        set(mask).replace_mask()?;
        Ok(0)
    })
}

/// The signals that the calling thread blocks.
///
/// Returns 0; -EFAULT if set is NULL. Doesn't wait. Any thread may call it at any time.
#[unsafe(no_mangle)]
pub extern "C" fn madang_signal_blocked(set: *mut u64) -> c_int {
    call("madang_signal_blocked", || {
        let place = Numbers::new(set, 1, "set")?;
        place.fill([signal::blocked()?.bits()]);
        Ok(0)
    })
}

/// The signals that were sent to the thread, or to the process, and wait since they are blocked
/// (sigpending(2)).
///
/// Returns 0; -EFAULT if set is NULL. Doesn't wait. Any thread may call it at any time.
#[unsafe(no_mangle)]
pub extern "C" fn madang_signal_pending(set: *mut u64) -> c_int {
    call("madang_signal_pending", || {
        let place = Numbers::new(set, 1, "set")?;
        place.fill([signal::pending()?.bits()]);
        Ok(0)
    })
}

/// Takes one of these signals, which the calling thread blocks; waits for one (sigtimedwait(2)).
/// info may be NULL. Of several that wait, the lowest is taken first.
///
/// flags and timeout_ns: see "Time"; MADANG_INSTANT is the same as timeout_ns 0.
///
/// Returns the signal's number, or
///   -EAGAIN      none waits, and it was not to wait
///   -ETIMEDOUT   nor came in time
///   -EINTR       the handler of another one ran
///   -EINVAL      one of them isn't blocked (it would be handled, or end the process), or can't be;
///                an empty set; bad flags or struct_size
///
/// Any thread may call it at any time. Each signal goes to one.
#[unsafe(no_mangle)]
pub extern "C" fn madang_signal_wait(set: u64, info: *mut madang_signal_info, flags: u32, timeout_ns: i64) -> c_int {
    call("madang_signal_wait", || {
        let (out, set) = (Out::optional(info)?, self::set(set));
        Ok(taken(out, limit(flags, timeout_ns)?.run(|deadline| set.wait_until(deadline))?))
    })
}

fn taken(out: Option<Out<madang_signal_info>>, info: Info) -> c_int {
    if let Some(out) = out {
        out.fill(&info.into());
    }
    info.signal.number()
}

/// Sends a signal to the process that has this id now (kill(2)); see madang_signal_process. A pid of
/// 0 or less, which means groups or everybody there, is refused.
///
/// Returns 0; -ESRCH if there is none; -EPERM if it is another user's; -EINVAL for a bad pid or
/// signal. Doesn't wait. Any thread may call it at any time.
#[unsafe(no_mangle)]
pub extern "C" fn madang_signal_kill(pid: i32, signal: c_int) -> c_int {
    call("madang_signal_kill", || {
        signal::kill(pid, Signal::new(signal)?)?;
        Ok(0)
    })
}

/// Sends a signal to each process of a group (kill(2)).
///
/// Returns 0; -ESRCH if there is none; -EPERM if all are other users'; -EINVAL for a group below 2,
/// or a bad signal. Doesn't wait. Any thread may call it at any time.
#[unsafe(no_mangle)]
pub extern "C" fn madang_signal_kill_group(group: i32, signal: c_int) -> c_int {
    call("madang_signal_kill_group", || {
        signal::kill_group(group, Signal::new(signal)?)?;
        Ok(0)
    })
}

/// Sends a signal with a value to the process that has this id now (sigqueue(3)).
///
/// Returns 0; -ESRCH, -EPERM and -EINVAL as madang_signal_kill(); -EAGAIN if too many wait for its
/// user already (RLIMIT_SIGPENDING). Doesn't wait. Any thread may call it at any time.
#[unsafe(no_mangle)]
pub extern "C" fn madang_signal_queue(pid: i32, signal: c_int, value: i32) -> c_int {
    call("madang_signal_queue", || {
        signal::queue(pid, Signal::new(signal)?, value)?;
        Ok(0)
    })
}

/// The process that has this id now; give *process to madang_signal_process_close() in the end.
///
/// Returns 0; -ESRCH if there is none; -EINVAL for a pid below 1; -ENOSYS before Linux 5.3; -EMFILE,
/// -ENFILE; -EFAULT if process is NULL. Doesn't wait. Any thread may call it at any time.
#[unsafe(no_mangle)]
pub extern "C" fn madang_signal_process_open(pid: i32, process: *mut *mut madang_signal_process) -> c_int {
    call("madang_signal_process_open", || {
        let place = Place::new(process)?;
        place.put_nameless(Process::open(pid)?);
        Ok(0)
    })
}

/// The process that a pidfd stands for, as madang_socket_peer_pidfd() gives one. It becomes the
/// handle's.
///
/// Returns 0; -EBADF if it isn't open, -EFAULT if process is NULL. Doesn't wait. What is no pidfd
/// fails when it is used.
#[unsafe(no_mangle)]
pub extern "C" fn madang_signal_process_from_fd(fd: c_int, process: *mut *mut madang_signal_process) -> c_int {
    call("madang_signal_process_from_fd", || {
        let place = Place::new(process)?;
        place.put_nameless(pointer::take_over(fd, |fd| Ok(Process::from(fd)))?);
        Ok(0)
    })
}

/// Sends it a signal (pidfd_send_signal(2)).
///
/// Returns 0; -ESRCH if it has ended; -EPERM if it is another user's; -EINVAL for a bad signal;
/// -EBADF if the handle was closed, -EFAULT if it is NULL. Doesn't wait. Any thread may call it at
/// any time.
#[unsafe(no_mangle)]
pub extern "C" fn madang_signal_process_send(process: *mut madang_signal_process, signal: c_int) -> c_int {
    call("madang_signal_process_send", || {
        pointer::opened(process)?.send(Signal::new(signal)?)?;
        Ok(0)
    })
}

/// Sends it a signal with a value.
///
/// Returns 0; as madang_signal_process_send(); -EAGAIN if too many wait already. Doesn't wait. Any
/// thread may call it at any time.
#[unsafe(no_mangle)]
pub extern "C" fn madang_signal_process_queue(process: *mut madang_signal_process, signal: c_int, value: i32) -> c_int {
    call("madang_signal_process_queue", || {
        pointer::opened(process)?.queue(Signal::new(signal)?, value)?;
        Ok(0)
    })
}

/// Waits until it has ended. Whose child it is still has to wait for it (waitpid(2)).
///
/// Returns 0; -EAGAIN, -ETIMEDOUT, -EINTR; -EINVAL for bad flags; -EBADF if the handle was closed,
/// -EFAULT if it is NULL. Any thread may call it at any time.
#[unsafe(no_mangle)]
pub extern "C" fn madang_signal_process_wait(
    process: *mut madang_signal_process,
    flags: u32,
    timeout_ns: i64,
) -> c_int {
    call("madang_signal_process_wait", || {
        let process = pointer::opened(process)?;
        limit(flags, timeout_ns)?.run(|deadline| process.wait_until(deadline))?;
        Ok(0)
    })
}

/// Its descriptor, to poll: readable when the process has ended. It is the handle's.
///
/// Returns 0 or more; -EBADF if it was closed, -EFAULT if it is NULL. Doesn't wait. Any thread may
/// call it at any time.
#[unsafe(no_mangle)]
pub extern "C" fn madang_signal_process_fd(process: *const madang_signal_process) -> c_int {
    call("madang_signal_process_fd", || Ok(pointer::opened(process)?.as_fd().as_raw_fd()))
}

/// Closes the handle; the process goes on. No other thread may be inside a call with it.
///
/// Returns 0; -EBADF if it was closed before, -EFAULT if it is NULL. Doesn't wait.
#[unsafe(no_mangle)]
pub extern "C" fn madang_signal_process_close(process: *mut madang_signal_process) -> c_int {
    call("madang_signal_process_close", || pointer::close(process).map(|()| 0))
}

/// A descriptor of these signals, which the calling thread blocks; give *descriptor to
/// madang_signal_descriptor_close() in the end. It doesn't unblock anything then.
///
/// Returns 0; -EINVAL if one of them isn't blocked, or can't be, or for an empty set; -EMFILE,
/// -ENFILE; -EFAULT if descriptor is NULL. Doesn't wait. Any thread may call it at any time.
#[unsafe(no_mangle)]
pub extern "C" fn madang_signal_descriptor_open(set: u64, descriptor: *mut *mut madang_signal_descriptor) -> c_int {
    call("madang_signal_descriptor_open", || {
        let place = Place::new(descriptor)?;
        place.put_nameless(Descriptor::new(self::set(set))?);
        Ok(0)
    })
}

/// Takes one of its signals that waits for the process, or for the calling thread; info may be NULL.
///
/// Returns the signal's number; -EAGAIN, -ETIMEDOUT, -EINTR as madang_signal_wait(); -EINVAL for bad
/// flags or struct_size; -EBADF if the handle was closed, -EFAULT if it is NULL. Any thread may call
/// it at any time.
#[unsafe(no_mangle)]
pub extern "C" fn madang_signal_descriptor_read(
    descriptor: *mut madang_signal_descriptor,
    info: *mut madang_signal_info,
    flags: u32,
    timeout_ns: i64,
) -> c_int {
    call("madang_signal_descriptor_read", || {
        let (out, descriptor) = (Out::optional(info)?, pointer::opened(descriptor)?);
        Ok(taken(out, limit(flags, timeout_ns)?.run(|deadline| descriptor.read_until(deadline))?))
    })
}

/// Its descriptor, to poll: readable when one of its signals waits. It is the handle's.
///
/// Returns 0 or more; -EBADF if it was closed, -EFAULT if it is NULL. Doesn't wait. Any thread may
/// call it at any time.
#[unsafe(no_mangle)]
pub extern "C" fn madang_signal_descriptor_fd(descriptor: *const madang_signal_descriptor) -> c_int {
    call("madang_signal_descriptor_fd", || Ok(pointer::opened(descriptor)?.as_fd().as_raw_fd()))
}

/// Closes it. No other thread may be inside a call with it.
///
/// Returns 0; -EBADF if it was closed before, -EFAULT if it is NULL. Doesn't wait.
#[unsafe(no_mangle)]
pub extern "C" fn madang_signal_descriptor_close(descriptor: *mut madang_signal_descriptor) -> c_int {
    call("madang_signal_descriptor_close", || pointer::close(descriptor).map(|()| 0))
}
