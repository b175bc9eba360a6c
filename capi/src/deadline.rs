//! Until when a call may wait, as C says it: `int64_t timeout_ns` and two flags.

use std::time::Duration;

use madang_core::{Deadline, Error};

use crate::error::{Failure, Result};

/// Flag of calls that wait: timeout_ns is not a duration but a time on CLOCK_MONOTONIC, as
/// clock_gettime(2) gives it, in nanoseconds. One that has passed means one last try, then
/// -ETIMEDOUT. Negative still waits for ever.
pub const MADANG_DEADLINE: u32 = 1;

/// Flag of calls that wait: don't wait, and don't sleep even for another participant who is inside
/// the same end of the queue for its one small copy: -EBUSY after some microseconds. timeout_ns must
/// be 0. For callers who hold a lock of their own meanwhile.
pub const MADANG_INSTANT: u32 = 2;

/// What comes of a call into the core.
pub(crate) type Outcome<T> = madang_core::Result<T>;

/// For how long a call may wait.
pub(crate) enum Limit {
    Until(Deadline),
    /// From when it has found that it must wait: the clock costs more than a message.
    For(Duration),
}

impl Limit {
    /// Until when, counted from now: for what is not to be tried apart.
    pub(crate) fn deadline(self) -> Deadline {
        match self {
            Self::Until(deadline) => deadline,
            Self::For(timeout) => Deadline::after(timeout),
        }
    }

    /// Does what may wait, until then. What may wait for some time is tried at once first.
    #[inline]
    pub(crate) fn run<T>(self, mut attempt: impl FnMut(Deadline) -> Outcome<T>) -> Outcome<T> {
        let (mut deadline, mut timeout) = match self {
            Self::Until(deadline) => (deadline, None),
            Self::For(timeout) => (Deadline::INSTANT, Some(timeout)),
        };
        // A loop, so that there is one place where it is attempted: the compiler puts the work itself there.
        loop {
            match (attempt(deadline), timeout.take()) {
                (Err(error), Some(timeout)) if must_wait(&error) => deadline = Deadline::after(timeout),
                (outcome, _) => return outcome,
            }
        }
    }
}

#[cold]
fn must_wait(error: &Error) -> bool {
    matches!(error.errno(), libc::EAGAIN | libc::EBUSY)
}

/// What a call's `timeout_ns` means, and its `flags` but for those that the call has of its own.
#[inline]
pub(crate) fn limit(flags: u32, timeout_ns: i64) -> Result<Limit> {
    match (flags, u64::try_from(timeout_ns)) {
        (0, Ok(0)) => Ok(Limit::Until(Deadline::NOW)),
        (0, Ok(timeout)) => Ok(Limit::For(Duration::from_nanos(timeout))),
        (MADANG_DEADLINE, Ok(time)) => Ok(Limit::Until(Deadline::at_ns(time))),
        (0 | MADANG_DEADLINE, Err(_)) => Ok(Limit::Until(Deadline::NEVER)),
        (MADANG_INSTANT, Ok(0)) => Ok(Limit::Until(Deadline::INSTANT)),
        _ => Err(bad(flags)),
    }
}

#[cold]
#[inline(never)]
fn bad(flags: u32) -> Failure {
    let what = match flags {
        MADANG_INSTANT => "MADANG_INSTANT doesn't wait: timeout_ns must be 0 with it".into(),
        _ if flags == MADANG_DEADLINE | MADANG_INSTANT => "either MADANG_DEADLINE or MADANG_INSTANT, not both".into(),
        _ => format!("flags {:#x}: this function has no such flags", flags & !(MADANG_DEADLINE | MADANG_INSTANT)),
    };
    Failure::misuse(libc::EINVAL, what)
}
