//! ppoll(2): waiting until a descriptor can be read or written.

use std::os::fd::{AsRawFd, BorrowedFd};
use std::time::Duration;

use super::{Errno, check};

/// Something can be read, or the other side is gone.
pub(crate) const IN: i16 = libc::POLLIN;
/// Something can be written, or the other side is gone.
pub(crate) const OUT: i16 = libc::POLLOUT;

/// The other side is gone; told whether or not one asks for it.
pub(crate) const HUP: i16 = libc::POLLHUP;

/// Which of `events` hold for `fd` at the moment; and [`HUP`] or an error, if that is so.
pub(crate) fn look(fd: BorrowedFd, events: i16) -> Result<i16, Errno> {
    let mut poll = libc::pollfd { fd: fd.as_raw_fd(), events, revents: 0 };
    // SAFETY: one valid pollfd.
    check(unsafe { libc::poll(&raw mut poll, 1, 0) }.into()).map(|_| poll.revents)
}

/// Sleeps until one of `events` holds for `fd`, or an error, at most `timeout`; `None` is for ever. Whether it does; `EINTR` if a signal
/// handler ran, whatever `SA_RESTART` says (signal(7)).
pub(crate) fn wait(fd: BorrowedFd, events: i16, timeout: Option<Duration>) -> Result<bool, Errno> {
    let mut poll = libc::pollfd { fd: fd.as_raw_fd(), events, revents: 0 };
    let time = timeout.map(|timeout| libc::timespec {
        tv_sec: timeout.as_secs().try_into().unwrap_or(libc::time_t::MAX),
        tv_nsec: timeout.subsec_nanos().cast_signed().into(),
    });
    let time = time.as_ref().map_or(std::ptr::null(), std::ptr::from_ref);
    // SAFETY: one valid pollfd; the time is valid or null; no signal mask is passed.
    check(unsafe { libc::ppoll(&raw mut poll, 1, time, std::ptr::null()) }.into()).map(|ready| ready > 0)
}
