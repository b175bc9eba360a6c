//! Until when an operation may wait: one absolute time on the monotonic clock, so that a caller who
//! is interrupted goes on to the same moment without drift.

#![forbid(unsafe_code)]

use std::time::Duration;

use crate::sys::clock;

/// The moment until which an operation may wait.
///
/// An absolute time on `CLOCK_MONOTONIC`, in nanoseconds; or one of [`NOW`](Self::NOW),
/// [`INSTANT`](Self::INSTANT) and [`NEVER`](Self::NEVER).
///
/// ```
/// use madang::Deadline;
/// use std::time::Duration;
/// let soon = Deadline::after(Duration::from_millis(20));
/// assert!(!soon.has_passed() && !soon.is_try());
/// assert!(Deadline::NOW.is_try() && Deadline::NOW.has_passed());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Deadline(u64);

impl Deadline {
    /// Does not wait for a message or for room: `EAGAIN`. If another participant is inside the same
    /// end of the queue, it is waited for (it is there for one small copy) for at most a second: `EBUSY`.
    pub const NOW: Self = Self(1);

    /// As [`NOW`](Self::NOW), but never sleeps: another participant inside is `EBUSY` after a short spin, and so is a
    /// queue that is long to look over for a type. For callers who hold a lock of their own, as Python's GIL.
    pub const INSTANT: Self = Self(0);

    /// Waits for ever.
    pub const NEVER: Self = Self(u64::MAX);

    /// `timeout` from now; one too long to count is [`NEVER`](Self::NEVER).
    #[must_use]
    pub fn after(timeout: Duration) -> Self {
        if timeout.is_zero() {
            return Self::NOW;
        }
        let nanoseconds = u64::try_from(timeout.as_nanos()).unwrap_or(u64::MAX);
        Self(clock::monotonic_ns().saturating_add(nanoseconds))
    }

    /// The absolute time `nanoseconds` on `CLOCK_MONOTONIC`; one that has passed means a last try,
    /// after which the error is `ETIMEDOUT`.
    #[must_use]
    pub fn at_ns(nanoseconds: u64) -> Self {
        Self(nanoseconds.max(2))
    }

    /// The absolute time in nanoseconds on `CLOCK_MONOTONIC`; `u64::MAX` is never.
    #[must_use]
    pub fn as_ns(self) -> u64 {
        self.0
    }

    /// Whether this is [`NOW`](Self::NOW) or [`INSTANT`](Self::INSTANT): what cannot be done at once is `EAGAIN`.
    #[must_use]
    pub fn is_try(self) -> bool {
        self <= Self::NOW
    }

    /// Whether the moment lies in the past.
    #[must_use]
    pub fn has_passed(self) -> bool {
        self.is_try() || (self != Self::NEVER && clock::monotonic_ns() >= self.0)
    }

    /// How long is left, at most `limit`.
    pub(crate) fn left(self, limit: Duration) -> Duration {
        if self == Self::NEVER {
            return limit;
        }
        Duration::from_nanos(self.0.saturating_sub(clock::monotonic_ns())).min(limit)
    }
}
