//! The clock that every worker reads, in every language: `CLOCK_MONOTONIC` in nanoseconds, comparable between
//! processes.

use std::time::Duration;

/// Now, in nanoseconds.
pub(crate) fn now() -> u64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `time` is ours to write for the length of the call.
    unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &raw mut time) };
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}

/// What one reading of the clock costs in nanoseconds: the mean of a hundred in a row, the median of such means (the clock
/// itself only counts in steps of 10 ns).
///
/// A round trip that is timed one by one holds exactly one reading (24 ns beside a round trip of 110), so it is taken off:
/// otherwise it would flatter the slower of two.
pub(crate) fn cost() -> u64 {
    let mut totals = [0; 101];
    for total in &mut totals {
        let start = now();
        let end = (0..100).fold(start, |_, _| now());
        *total = end - start;
    }
    totals.sort_unstable();
    totals[totals.len() / 2] / 100
}

pub(crate) fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}
