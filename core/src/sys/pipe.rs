//! pipe(7): its two descriptors, what goes through them, and how much it holds.

use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

use super::{Errno, check};

/// pwritev2(2): a reader that is gone is `EPIPE` without SIGPIPE. From Linux 6.18 on; libc doesn't name it yet.
const RWF_NOSIGNAL: libc::c_int = 0x100;

/// What an end's description says of itself (fcntl(2), `F_GETFL`): the way in which it was opened, and its flags.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Flags(i32);

impl Flags {
    pub(crate) fn may_read(self) -> bool {
        matches!(self.0 & libc::O_ACCMODE, libc::O_RDONLY | libc::O_RDWR)
    }

    pub(crate) fn may_write(self) -> bool {
        matches!(self.0 & libc::O_ACCMODE, libc::O_WRONLY | libc::O_RDWR)
    }

    /// Whether what is written there are packets.
    pub(crate) fn packets(self) -> bool {
        self.0 & libc::O_DIRECT != 0
    }

    /// What open(2) takes to get the same.
    pub(crate) fn to_open(self) -> i32 {
        self.0 & (libc::O_ACCMODE | libc::O_DIRECT)
    }
}

/// A new pipe: where it is read, and where it is written. Neither blocks (pipe2(2)).
pub(crate) fn pair(packets: bool) -> Result<(OwnedFd, OwnedFd), Errno> {
    let mut fds = [-1; 2];
    let flags = libc::O_CLOEXEC | libc::O_NONBLOCK | if packets { libc::O_DIRECT } else { 0 };
    // SAFETY: there is room for the two descriptors.
    check(unsafe { libc::pipe2(fds.as_mut_ptr(), flags) }.into())?;
    // SAFETY: the kernel just made these descriptors, and nobody else knows them.
    Ok(unsafe { (OwnedFd::from_raw_fd(fds[0]), OwnedFd::from_raw_fd(fds[1])) })
}

pub(crate) fn flags(fd: BorrowedFd) -> Result<Flags, Errno> {
    // SAFETY: no memory is passed.
    check(unsafe { libc::fcntl(fd.as_raw_fd(), libc::F_GETFL) }.into()).map(|flags| Flags(flags as i32))
}

/// Whether calls on the description block, whoever makes them.
pub(crate) fn set_blocking(fd: BorrowedFd, blocking: bool) -> Result<(), Errno> {
    let Flags(before) = flags(fd)?;
    let after = if blocking { before & !libc::O_NONBLOCK } else { before | libc::O_NONBLOCK };
    // SAFETY: no memory is passed.
    check(unsafe { libc::fcntl(fd.as_raw_fd(), libc::F_SETFL, after) }.into()).map(drop)
}

/// The descriptor survives exec (`FD_CLOEXEC` is off).
pub(crate) fn set_inheritable(fd: BorrowedFd) -> Result<(), Errno> {
    // SAFETY: no memory is passed. There is no other such flag.
    check(unsafe { libc::fcntl(fd.as_raw_fd(), libc::F_SETFD, 0) }.into()).map(drop)
}

/// Reads what is there; 0 is the end of the file (read(2)).
pub(crate) fn read(fd: BorrowedFd, into: &mut [MaybeUninit<u8>]) -> Result<usize, Errno> {
    // SAFETY: the buffer is valid for its length.
    let read = unsafe { libc::read(fd.as_raw_fd(), into.as_mut_ptr().cast(), into.len()) };
    if read == -1 { Err(Errno::last()) } else { Ok(read as usize) }
}

/// The same memory, of which one only ever knows that it may be written.
pub(crate) fn room(bytes: &mut [u8]) -> &mut [MaybeUninit<u8>] {
    let length = bytes.len();
    // SAFETY: the same memory, with the same borrow; here only what the kernel read is ever written to it, which is bytes.
    unsafe { std::slice::from_raw_parts_mut(bytes.as_mut_ptr().cast(), length) }
}

/// Writes what there is room for (write(2)). Where nobody reads any more, SIGPIPE comes, too.
pub(crate) fn write(fd: BorrowedFd, from: &[u8]) -> Result<usize, Errno> {
    // SAFETY: the bytes are valid for their length.
    let written = unsafe { libc::write(fd.as_raw_fd(), from.as_ptr().cast(), from.len()) };
    if written == -1 { Err(Errno::last()) } else { Ok(written as usize) }
}

/// As [`write`], without SIGPIPE. `EOPNOTSUPP`, `EINVAL` or `ENOSYS` where the kernel can't do that: then nothing was written.
pub(crate) fn write_without_signal(fd: BorrowedFd, from: &[u8]) -> Result<usize, Errno> {
    let piece = libc::iovec { iov_base: from.as_ptr().cast_mut().cast(), iov_len: from.len() };
    // The offset, in two halves, is -1: as write does.
    let (call, low, high): (_, libc::c_long, libc::c_long) = (libc::SYS_pwritev2, -1, -1);
    // SAFETY: one valid piece, of which the kernel only reads.
    let written = unsafe { libc::syscall(call, fd.as_raw_fd(), &raw const piece, 1, low, high, RWF_NOSIGNAL) };
    check(written).map(|written| written as usize)
}

/// Copies a byte from one pipe to another, and takes none (tee(2)): `EAGAIN` if there is none but somebody to write one; 0 if there is
/// nobody. Where there is room, and neither blocks.
pub(crate) fn tee(from: BorrowedFd, to: BorrowedFd) -> Result<usize, Errno> {
    // SAFETY: no memory is passed.
    let copied = unsafe { libc::tee(from.as_raw_fd(), to.as_raw_fd(), 1, libc::SPLICE_F_NONBLOCK) };
    if copied == -1 { Err(Errno::last()) } else { Ok(copied as usize) }
}

/// While it lives, SIGPIPE is blocked in this thread.
pub(crate) struct SigpipeBlocked {
    before: libc::sigset_t,
    sigpipe: libc::sigset_t,
    /// One that came from elsewhere, and is not ours to take.
    was_pending: bool,
}

impl SigpipeBlocked {
    pub(crate) fn new() -> Self {
        // SAFETY: all-zero is a valid set.
        let (mut sigpipe, mut before, mut pending): (libc::sigset_t, libc::sigset_t, libc::sigset_t) =
            unsafe { (std::mem::zeroed(), std::mem::zeroed(), std::mem::zeroed()) };
        // SAFETY: the sets are valid for the calls, which fail only for a bad `how` or signal.
        let was_pending = unsafe {
            libc::sigemptyset(&raw mut sigpipe);
            libc::sigaddset(&raw mut sigpipe, libc::SIGPIPE);
            libc::pthread_sigmask(libc::SIG_BLOCK, &raw const sigpipe, &raw mut before);
            libc::sigpending(&raw mut pending);
            libc::sigismember(&raw const pending, libc::SIGPIPE) == 1
        };
        Self { before, sigpipe, was_pending }
    }

    /// Takes the signal that a write of this thread raised, if it did: sigtimedwait(2), without waiting.
    pub(crate) fn take_ours(&self) {
        if self.was_pending {
            return;
        }
        let at_once = libc::timespec { tv_sec: 0, tv_nsec: 0 };
        // SAFETY: set and time are valid; nothing is asked for in return.
        let take = || unsafe { libc::sigtimedwait(&raw const self.sigpipe, std::ptr::null_mut(), &raw const at_once) };
        while take() == -1 && Errno::last() == Errno(libc::EINTR) {}
    }
}

impl Drop for SigpipeBlocked {
    fn drop(&mut self) {
        // SAFETY: the set was filled by `new`.
        unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, &raw const self.before, std::ptr::null_mut()) };
    }
}

/// How many bytes wait to be read (ioctl_tty(2), `FIONREAD`).
pub(crate) fn waiting(fd: BorrowedFd) -> Result<usize, Errno> {
    let mut bytes: libc::c_int = 0;
    // SAFETY: the call fills an int.
    check(unsafe { libc::ioctl(fd.as_raw_fd(), libc::FIONREAD as _, &raw mut bytes) }.into())?;
    Ok(usize::try_from(bytes).unwrap_or(0))
}

/// How many bytes it can hold (fcntl(2), `F_GETPIPE_SZ`).
pub(crate) fn capacity(fd: BorrowedFd) -> Result<usize, Errno> {
    // SAFETY: no memory is passed.
    check(unsafe { libc::fcntl(fd.as_raw_fd(), libc::F_GETPIPE_SZ) }.into()).map(|bytes| bytes as usize)
}

/// Lets it hold so many bytes or more; how many that are (fcntl(2), `F_SETPIPE_SZ`).
pub(crate) fn set_capacity(fd: BorrowedFd, bytes: usize) -> Result<usize, Errno> {
    let bytes = libc::c_int::try_from(bytes).map_err(|_| Errno(libc::EINVAL))?;
    // SAFETY: no memory is passed.
    check(unsafe { libc::fcntl(fd.as_raw_fd(), libc::F_SETPIPE_SZ, bytes) }.into()).map(|bytes| bytes as usize)
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsFd;

    use super::*;

    /// The steps of a write on kernels that can't leave the signal away, in a process that SIGPIPE kills.
    fn write_to_nobody(fd: BorrowedFd, take: bool) -> Result<usize, Errno> {
        let blocked = SigpipeBlocked::new();
        let written = write(fd, b"x");
        if take {
            blocked.take_ours();
        }
        written
    }

    /// How a child ends that does so.
    fn fate(take: bool) -> i32 {
        let (reader, writer) = pair(false).unwrap();
        drop(reader);
        // SAFETY: the child calls nothing that another thread could hold, and leaves by `_exit`.
        let child = unsafe { libc::fork() };
        if child == 0 {
            // SAFETY: no memory is passed.
            unsafe { libc::signal(libc::SIGPIPE, libc::SIG_DFL) };
            let spared = write_to_nobody(writer.as_fd(), take) == Err(Errno(libc::EPIPE));
            // SAFETY: the child ends here.
            unsafe { libc::_exit(i32::from(!spared)) };
        }
        let mut status = -1;
        // SAFETY: `status` is a valid place for the answer.
        assert_eq!(unsafe { libc::waitpid(child, &raw mut status, 0) }, child);
        status
    }

    #[test]
    fn a_signal_of_our_own_is_taken() {
        assert_eq!(fate(true), 0);
        let left = fate(false);
        assert!(libc::WIFSIGNALED(left) && libc::WTERMSIG(left) == libc::SIGPIPE, "else it was never raised");
    }
}
