//! Waiting for what the kernel will do; the one home of it above the kernel's primitives.
//!
//! What has a descriptor is waited for by poll(2): [`until_ready`]. What has none, and no time-out of its own, is asked again and
//! again, at first often: [`polling`].

#![forbid(unsafe_code)]

use std::os::fd::BorrowedFd;
use std::time::Duration;

use crate::deadline::Deadline;
use crate::error::{Error, Result};
use crate::sys::{Errno, clock, poll};

/// Longer than anybody waits, but a length that can be added to a time.
const AGES: Duration = Duration::from_secs(1 << 30);

/// How long [`polling`] sleeps between the first tries, and between the last.
const SHORTEST: Duration = Duration::from_micros(50);
const LONGEST: Duration = Duration::from_millis(5);

/// Tries until it is done: `attempt` doesn't block, and fails with `EAGAIN` as long as `fd` isn't ready for `events`.
///
/// `EAGAIN`, `ETIMEDOUT` and `EINTR` begin with what `doing` says.
pub(super) fn until_ready<T>(
    fd: BorrowedFd,
    events: i16,
    deadline: Deadline,
    doing: impl Fn() -> String,
    mut attempt: impl FnMut() -> std::result::Result<T, Errno>,
) -> Result<T> {
    loop {
        // Looked at before the last try, so that no deadline passes without one after it.
        let is_last = deadline.has_passed();
        match attempt() {
            Err(Errno(libc::EAGAIN)) if is_last => return Err(in_vain(deadline, &doing())),
            Err(Errno(libc::EAGAIN)) => {}
            Err(errno) => return Err(failed(errno, &doing())),
            Ok(done) => return Ok(done),
        }
        let left = (deadline != Deadline::NEVER).then(|| deadline.left(AGES));
        poll::wait(fd, events, left).map_err(|errno| failed(errno, &doing()))?;
    }
}

/// Tries until it is done, with sleeps between that grow from 50 µs to 5 ms: for what the kernel offers no wait with an end.
/// `attempt` doesn't block, and fails with `EAGAIN` (or what `again` says) as long as it has to be tried again.
///
/// `EAGAIN`, `ETIMEDOUT` and `EINTR` begin with what `doing` says. Of a handler that runs between two tries nothing is
/// noticed but during the sleep, which is nearly all of the time.
pub(super) fn polling<T>(
    deadline: Deadline,
    again: i32,
    doing: impl Fn() -> String,
    mut attempt: impl FnMut() -> std::result::Result<T, Errno>,
) -> Result<T> {
    let mut nap = SHORTEST;
    loop {
        let is_last = deadline.has_passed();
        match attempt() {
            Err(Errno(errno)) if errno == again && is_last => return Err(in_vain(deadline, &doing())),
            Err(Errno(errno)) if errno == again => {}
            Err(errno) => return Err(failed(errno, &doing())),
            Ok(done) => return Ok(done),
        }
        clock::sleep(deadline.left(nap)).map_err(|errno| failed(errno, &doing()))?;
        nap = (nap * 2).min(LONGEST);
    }
}

/// The deadline passed, or it was only a try.
#[cold]
pub(super) fn in_vain(deadline: Deadline, doing: &str) -> Error {
    if deadline.is_try() {
        Error::new(libc::EAGAIN, format!("{doing}: it would have to wait, and was only to try"))
    } else {
        Error::new(libc::ETIMEDOUT, format!("{doing}: the time is over"))
    }
}

#[cold]
pub(super) fn failed(errno: Errno, doing: &str) -> Error {
    match errno {
        Errno(libc::EINTR) => errno.during(format!("{doing}: a signal handler ran while waiting; nothing was done")),
        errno => errno.during(doing.to_owned()),
    }
}
