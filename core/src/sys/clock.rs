//! The monotonic clock, the one clock that madang waits by; and the time of day, for what is told to people.

/// Nanoseconds on `CLOCK_MONOTONIC` (clock_gettime(2)); through the vDSO, about 20 ns.
pub(crate) fn monotonic_ns() -> u64 {
    let mut now = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `now` is a valid timespec to write to; the clock exists on every Linux.
    unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &mut now) };
    now.tv_sec as u64 * 1_000_000_000 + now.tv_nsec as u64
}

/// Nanoseconds on `CLOCK_REALTIME`, which may be set: only for calls that know no other clock.
pub(crate) fn real_ns() -> u64 {
    let mut now = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: as above.
    unsafe { libc::clock_gettime(libc::CLOCK_REALTIME, &mut now) };
    now.tv_sec as u64 * 1_000_000_000 + now.tv_nsec as u64
}

/// Sleeps; `EINTR` if a signal handler ran (clock_nanosleep(2)).
pub(crate) fn sleep(duration: std::time::Duration) -> Result<(), super::Errno> {
    let time = libc::timespec {
        tv_sec: duration.as_secs().try_into().unwrap_or(libc::time_t::MAX),
        tv_nsec: duration.subsec_nanos().cast_signed().into(),
    };
    // SAFETY: the time is valid; nothing is asked for in return. It returns the errno.
    match unsafe { libc::clock_nanosleep(libc::CLOCK_MONOTONIC, 0, &raw const time, std::ptr::null_mut()) } {
        0 => Ok(()),
        errno => Err(super::Errno(errno)),
    }
}

/// Seconds since 1970, as the last tick of the kernel's saw them: for times that are kept in seconds, through the vDSO, about 5 ns.
pub(crate) fn coarse_s() -> u64 {
    let mut now = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: as above.
    unsafe { libc::clock_gettime(libc::CLOCK_REALTIME_COARSE, &mut now) };
    now.tv_sec as u64
}
