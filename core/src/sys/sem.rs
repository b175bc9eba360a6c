//! POSIX semaphores, as the C library keeps them in shared memory: sem_overview(7).
//!
//! They are the C library's, since it is with programs that call `sem_wait` and its like that they are shared. One of glibc's is
//! nothing to musl.

use std::cell::UnsafeCell;
use std::sync::OnceLock;

use super::{Errno, check, clock};

/// The greatest value (`SEM_VALUE_MAX`, limits.h).
pub(crate) const MOST: u32 = i32::MAX as u32;

/// Where the clock that counts the time may be set, it is looked at so often whether the monotonic one agrees.
const SLICE_NS: u64 = 1_000_000_000;

/// A semaphore that lies in memory which is shared between processes. They change it at any time, hence the cell; any bytes
/// are one.
#[repr(transparent)]
pub(crate) struct Semaphore(UnsafeCell<libc::sem_t>);

// SAFETY: that is what the C library has them for; each of its functions may be called by all threads.
unsafe impl Sync for Semaphore {}

type ClockWait = unsafe extern "C" fn(*mut libc::sem_t, libc::clockid_t, *const libc::timespec) -> libc::c_int;

/// `sem_clockwait`, which glibc has from 2.30 on, and musl has not.
fn clock_wait() -> Option<ClockWait> {
    static FOUND: OnceLock<Option<ClockWait>> = OnceLock::new();
    *FOUND.get_or_init(|| {
        // SAFETY: a C string; what it finds is the function of that name.
        let found = unsafe { libc::dlsym(libc::RTLD_DEFAULT, c"sem_clockwait".as_ptr()) };
        // SAFETY: a function of this type, by its manual page; null becomes `None`.
        unsafe { std::mem::transmute::<*mut libc::c_void, Option<ClockWait>>(found) }
    })
}

impl Semaphore {
    /// Makes it one that processes share (sem_init(3)).
    pub(crate) fn init(&self, value: u32) -> Result<(), Errno> {
        // SAFETY: the reference is to memory for a `sem_t`.
        check(unsafe { libc::sem_init(self.0.get(), 1, value) }.into()).map(drop)
    }

    /// Adds 1 (sem_post(3)).
    pub(crate) fn post(&self) -> Result<(), Errno> {
        // SAFETY: as in `init`.
        check(unsafe { libc::sem_post(self.0.get()) }.into()).map(drop)
    }

    /// Takes 1, or fails with `EAGAIN` (sem_trywait(3)).
    pub(crate) fn try_wait(&self) -> Result<(), Errno> {
        // SAFETY: as in `init`.
        check(unsafe { libc::sem_trywait(self.0.get()) }.into()).map(drop)
    }

    /// Takes 1, or fails with `ETIMEDOUT` when the monotonic clock shows that time, or with `EINTR` if a signal handler ran. (With
    /// a time-out that is so whatever `SA_RESTART` says, see futex(2); which is why this is all there is.)
    pub(crate) fn wait_until(&self, nanoseconds: u64) -> Result<(), Errno> {
        match clock_wait() {
            Some(wait) => {
                let time = timespec(nanoseconds);
                // SAFETY: as in `init`; the time is valid.
                check(unsafe { wait(self.0.get(), libc::CLOCK_MONOTONIC, &raw const time) }.into()).map(drop)
            }
            None => self.wait_by_the_wall_clock(nanoseconds),
        }
    }

    /// For C libraries that can wait only by the clock that is set: sem_timedwait(3). In slices, so that a clock that is set while it
    /// waits makes it no more than a slice late.
    fn wait_by_the_wall_clock(&self, nanoseconds: u64) -> Result<(), Errno> {
        loop {
            let left = nanoseconds.saturating_sub(clock::monotonic_ns());
            let time = timespec(clock::real_ns().saturating_add(left.min(SLICE_NS)));
            // SAFETY: as in `init`; the time is valid.
            match check(unsafe { libc::sem_timedwait(self.0.get(), &raw const time) }.into()) {
                Err(Errno(libc::ETIMEDOUT)) if clock::monotonic_ns() < nanoseconds => {}
                outcome => return outcome.map(drop),
            }
        }
    }

    /// Its value (sem_getvalue(3)).
    pub(crate) fn value(&self) -> Result<u32, Errno> {
        let mut value = 0;
        // SAFETY: as in `init`; `value` is a valid place for the answer.
        check(unsafe { libc::sem_getvalue(self.0.get(), &raw mut value) }.into())?;
        // POSIX would allow a negative one that counts who waits; Linux has none.
        Ok(u32::try_from(value).unwrap_or(0))
    }
}

fn timespec(nanoseconds: u64) -> libc::timespec {
    libc::timespec {
        tv_sec: (nanoseconds / 1_000_000_000).try_into().unwrap_or(libc::time_t::MAX),
        tv_nsec: (nanoseconds % 1_000_000_000) as _,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn semaphore(value: u32) -> Semaphore {
        // SAFETY: any bytes are one.
        let new: Semaphore = unsafe { std::mem::zeroed() };
        new.init(value).unwrap();
        new
    }

    /// On this machine's C library only one of them is in use; both must do the same.
    #[test]
    fn both_ways_of_waiting() {
        for wait in [Semaphore::wait_until, Semaphore::wait_by_the_wall_clock] {
            let semaphore = semaphore(1);
            let begun = clock::monotonic_ns();
            wait(&semaphore, begun + SLICE_NS).unwrap();
            assert_eq!(wait(&semaphore, 0), Err(Errno(libc::ETIMEDOUT)), "long ago");
            let until = clock::monotonic_ns() + 20_000_000;
            assert_eq!(wait(&semaphore, until), Err(Errno(libc::ETIMEDOUT)));
            assert!(clock::monotonic_ns() >= until);
            std::thread::scope(|scope| {
                scope.spawn(|| semaphore.post().unwrap());
                wait(&semaphore, clock::monotonic_ns() + 10 * SLICE_NS).unwrap();
            });
            assert_eq!(semaphore.value(), Ok(0));
        }
    }
}
