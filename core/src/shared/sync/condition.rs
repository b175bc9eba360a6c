//! A condition, as people know it.

#![forbid(unsafe_code)]

use std::time::Duration;

use super::mutex::MutexGuard;
use super::unguarded::UnguardedMutex;
use super::*;
use crate::shared::raw::event::NAP;
use crate::shared::raw::host::MANY;
use crate::shared::raw::sync::condition::Condition as Raw;
use crate::sys::Errno;

/// A condition in shared memory: one waits until another tells that something may have changed. It goes with a
/// [`Mutex`](crate::Mutex), which guards that something.
///
/// One waits in a loop: now and then one is woken though nothing changed.
///
/// ```
/// # let name = format!("condition-example-{}", std::process::id());
/// # let name = name.as_str();
/// use madang::{Condition, Mutex, Segment};
/// use std::time::Duration;
///
/// let segment = Segment::options().length(4096).open(name)?;
/// let (mutex, changed) = (Mutex::within(&segment, 0)?, Condition::within(&segment, 64)?);
/// let mut guard = mutex.lock()?;
/// changed.notify_all()?; // the other side does so, when it has set the byte
/// # segment.write(128, &[1])?;
/// let mut ready = [0];
/// loop {
///     segment.read(128, &mut ready)?;
///     if ready[0] == 1 {
///         break;
///     }
///     guard = changed.wait_timeout(guard, Duration::from_secs(1))?;
/// }
/// # drop(guard);
/// Segment::unlink(name)?;
/// # Ok::<(), madang::Error>(())
/// ```
#[doc(alias("pthread_cond_t", "Condvar"))]
#[derive(Debug)]
pub struct Condition {
    place: Place<Raw>,
}

sync!(Condition, Raw, Condition, "condition", "a condition");

/// Who is to be told from when on.
#[doc(hidden)]
#[derive(Clone, Copy, Debug)]
pub struct Announcement(Announced);

impl Condition {
    fn placed(place: Place<Raw>) -> Self {
        Self { place }
    }

    /// Gives the mutex back, waits until somebody tells, and takes it again.
    ///
    /// # Errors
    /// `EINTR` if a signal handler ran while waiting; `EOWNERDEAD` if the others presumed a handle dead. Whatever the error, the
    /// mutex isn't held then.
    pub fn wait<'a>(&self, guard: MutexGuard<'a>) -> Result<MutexGuard<'a>> {
        self.wait_until(guard, Deadline::NEVER)
    }

    /// As [`wait`](Self::wait), but waits for `timeout` at most, besides what it takes to get the mutex again.
    ///
    /// # Errors
    /// As [`wait`](Self::wait); `ETIMEDOUT`.
    pub fn wait_timeout<'a>(&self, guard: MutexGuard<'a>, timeout: Duration) -> Result<MutexGuard<'a>> {
        self.wait_until(guard, Deadline::after(timeout))
    }

    /// As [`wait`](Self::wait), but waits until `deadline` at most, besides what it takes to get the mutex again.
    ///
    /// # Errors
    /// As [`wait`](Self::wait); `EAGAIN` or `ETIMEDOUT` as the [`Deadline`] says.
    pub fn wait_until<'a>(&self, guard: MutexGuard<'a>, deadline: Deadline) -> Result<MutexGuard<'a>> {
        let mutex = guard.mutex();
        let announcement = self.announce()?;
        guard.give_back()?;
        self.sleep(announcement, deadline)?;
        // Who was told, and can't go on, passes it on.
        mutex.lock().inspect_err(|_| drop(self.notify_one()))
    }

    /// As [`wait_until`](Self::wait_until), for languages without guards: whatever comes of it, the mutex is taken again, but if that is
    /// `EOWNERDEAD`, or it wasn't held. Whether the mutex's owner before died; that comes before an error of the wait.
    #[doc(hidden)]
    pub fn wait_unguarded(&self, mutex: &UnguardedMutex, deadline: Deadline) -> Result<bool> {
        let announcement = self.announce()?;
        mutex.unlock()?;
        let slept = self.sleep(announcement, deadline);
        if mutex.lock_again()? {
            return Ok(true);
        }
        slept.map(|()| false)
    }

    /// From here on the caller is told, whatever happens before he [sleeps](Self::sleep). To be called with the mutex, which is given back
    /// after it: for languages without guards.
    #[doc(hidden)]
    pub fn announce(&self) -> Result<Announcement> {
        self.place.enter()?;
        Ok(Announcement(self.place.home.announce()))
    }

    /// Waits until somebody tells. May be called again with the same announcement, after `ETIMEDOUT` or `EINTR`: nothing is missed.
    #[doc(hidden)]
    pub fn sleep(&self, announcement: Announcement, deadline: Deadline) -> Result<()> {
        loop {
            let present = self.place.enter()?;
            match self.place.home.sleep(&present, announcement.0, deadline.left(NAP)) {
                Ok(()) => return Ok(()),
                Err(Errno(libc::EINTR)) => {
                    let what = format!("wait for {:?}: a signal handler ran while waiting", self.name());
                    return Err(Error::new(libc::EINTR, what));
                }
                Err(_) if deadline.is_try() => return Err(self.place.in_vain("wait for", libc::EAGAIN)),
                Err(_) if deadline.has_passed() => return Err(self.place.in_vain("wait for", libc::ETIMEDOUT)),
                Err(_) => {}
            }
        }
    }

    /// Wakes one who waits, if somebody does. The mutex need not be held.
    ///
    /// # Errors
    /// `EOWNERDEAD` if the others presumed this handle dead; in a forked child, at the first use, whatever opening gives.
    pub fn notify_one(&self) -> Result<()> {
        self.notify(1)
    }

    /// Wakes so many of those who wait.
    #[doc(hidden)]
    pub fn notify(&self, count: u32) -> Result<()> {
        self.place.home.tell(&self.place.enter()?, count);
        Ok(())
    }

    /// Wakes all who wait. The mutex need not be held.
    ///
    /// # Errors
    /// As [`notify_one`](Self::notify_one).
    pub fn notify_all(&self) -> Result<()> {
        self.notify(MANY)
    }
}
