//! futex(2) on words that processes share (never `FUTEX_PRIVATE_FLAG`).

use std::sync::atomic::AtomicU32;
use std::time::Duration;

use super::{Errno, check, clock};

/// Sleeps while `word` holds `expected`, at most `timeout`, until one is woken whom one of `bits` names.
///
/// `EAGAIN` if the word holds another value, `ETIMEDOUT`, `EINTR` if a signal handler ran. Never restarted by
/// the kernel: a wait with a time-out returns `EINTR` whatever `SA_RESTART` says.
pub(crate) fn wait(word: &AtomicU32, expected: u32, timeout: Duration, bits: u32) -> Result<(), Errno> {
    // With bits the time-out is a time of the monotonic clock.
    let end = Duration::from_nanos(clock::monotonic_ns()).saturating_add(timeout);
    // The call's own timespec: two longs, also where libc's has a 64-bit time.
    let seconds = libc::c_long::try_from(end.as_secs()).unwrap_or(libc::c_long::MAX);
    let end: [libc::c_long; 2] = [seconds, end.subsec_nanos().cast_signed().into()];
    let (none, operation) = (std::ptr::null::<u32>(), libc::FUTEX_WAIT_BITSET);
    // SAFETY: the word is valid for the call, and the kernel only reads it and the time.
    check(unsafe { libc::syscall(libc::SYS_futex, word.as_ptr(), operation, expected, &raw const end, none, bits) })?;
    Ok(())
}

/// Wakes at most `count` sleepers whom one of `bits` names; says how many it woke.
pub(crate) fn wake(word: &AtomicU32, count: u32, bits: u32) -> u32 {
    let (none, operation) = (std::ptr::null::<u32>(), libc::FUTEX_WAKE_BITSET);
    // SAFETY: the word is valid for the call; waking has no other effect on memory.
    let woken = unsafe { libc::syscall(libc::SYS_futex, word.as_ptr(), operation, count, none, none, bits) };
    u32::try_from(woken).unwrap_or(0)
}
