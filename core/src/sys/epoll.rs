//! epoll(7): one descriptor that is readable when one of several is.

use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::time::Duration;

use super::{Errno, check};

/// A new instance.
pub(crate) fn create() -> Result<OwnedFd, Errno> {
    // SAFETY: no memory is passed.
    let fd = check(unsafe { libc::syscall(libc::SYS_epoll_create1, libc::EPOLL_CLOEXEC) })?;
    // SAFETY: the kernel just made this descriptor, and nobody else knows it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd as i32) })
}

fn control(epoll: BorrowedFd, operation: libc::c_int, member: BorrowedFd) -> Result<(), Errno> {
    let event = libc::epoll_event { events: libc::EPOLLIN as u32, u64: 0 };
    let (epoll, member) = (epoll.as_raw_fd(), member.as_raw_fd());
    // SAFETY: `event` is valid for the call.
    check(unsafe { libc::syscall(libc::SYS_epoll_ctl, epoll, operation, member, &raw const event) }).map(drop)
}

/// `epoll` becomes readable when `member` is. `EEXIST` if it does already.
pub(crate) fn add(epoll: BorrowedFd, member: BorrowedFd) -> Result<(), Errno> {
    control(epoll, libc::EPOLL_CTL_ADD, member)
}

/// Undoes [`add`].
pub(crate) fn remove(epoll: BorrowedFd, member: BorrowedFd) -> Result<(), Errno> {
    control(epoll, libc::EPOLL_CTL_DEL, member)
}

/// Waits until it is readable, at most `timeout`; it stays so.
pub(crate) fn wait(epoll: BorrowedFd, timeout: Duration) {
    let mut event = libc::epoll_event { events: 0, u64: 0 };
    let (timeout, none, size) = (timeout.as_millis() as libc::c_int, std::ptr::null::<libc::sigset_t>(), 8);
    // SAFETY: there is room for the one event that is asked for; no signal mask is passed.
    unsafe { libc::syscall(libc::SYS_epoll_pwait, epoll.as_raw_fd(), &raw mut event, 1, timeout, none, size) };
}
