//! timerfd_create(2): a descriptor that becomes readable after a while.

use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::time::Duration;

use super::{Errno, check};

/// A new timer, which isn't running. It never blocks.
pub(crate) fn create() -> Result<OwnedFd, Errno> {
    let flags = libc::TFD_CLOEXEC | libc::TFD_NONBLOCK;
    // SAFETY: no memory is passed.
    let fd = check(unsafe { libc::syscall(libc::SYS_timerfd_create, libc::CLOCK_MONOTONIC, flags) })?;
    // SAFETY: the kernel just made this descriptor, and nobody else knows it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd as i32) })
}

/// Readable no more, and again after a while; never, if that is zero.
pub(crate) fn set(timer: BorrowedFd, after: Duration) -> Result<(), Errno> {
    // SAFETY: all-zero is a valid `itimerspec`.
    let mut time: libc::itimerspec = unsafe { std::mem::zeroed() };
    time.it_value.tv_sec = libc::time_t::try_from(after.as_secs()).unwrap_or(libc::time_t::MAX);
    time.it_value.tv_nsec = after.subsec_nanos().cast_signed().into();
    // Through libc, which nobody wraps here: it knows how long a time is on each architecture.
    // SAFETY: `time` is valid for the call, which is asked for nothing in return.
    check(unsafe { libc::timerfd_settime(timer.as_raw_fd(), 0, &raw const time, std::ptr::null_mut()) }.into())
        .map(drop)
}

/// Whether its time has come. Readable no more.
pub(crate) fn has_come(timer: BorrowedFd) -> bool {
    let mut times = 0u64;
    // SAFETY: the buffer is valid for its length.
    unsafe { libc::syscall(libc::SYS_read, timer.as_raw_fd(), &raw mut times, size_of::<u64>()) > 0 }
}
