//! futex(2) on words that processes share (never `FUTEX_PRIVATE_FLAG`).

use std::sync::atomic::AtomicU32;
use std::time::Duration;

use super::{Errno, check};

/// Sleeps while `word` holds `expected`, at most `timeout`.
///
/// `EAGAIN` if the word holds another value, `ETIMEDOUT`, `EINTR` if a signal handler ran. Never restarted by
/// the kernel: a wait with a time-out returns `EINTR` whatever `SA_RESTART` says.
pub(crate) fn wait(word: &AtomicU32, expected: u32, timeout: Duration) -> Result<(), Errno> {
    // The call's own timespec: two longs, also where libc's has a 64-bit time.
    let seconds = libc::c_long::try_from(timeout.as_secs()).unwrap_or(libc::c_long::MAX);
    let timeout = [seconds, timeout.subsec_nanos().cast_signed().into()];
    // SAFETY: the word is valid for the call, and the kernel only reads it and the time-out.
    check(unsafe { libc::syscall(libc::SYS_futex, word.as_ptr(), libc::FUTEX_WAIT, expected, &raw const timeout) })?;
    Ok(())
}

/// Wakes at most `count` sleepers; says how many it woke.
pub(crate) fn wake(word: &AtomicU32, count: u32) -> u32 {
    // SAFETY: the word is valid for the call; waking has no other effect on memory.
    let woken = unsafe { libc::syscall(libc::SYS_futex, word.as_ptr(), libc::FUTEX_WAKE, count) };
    u32::try_from(woken).unwrap_or(0)
}
