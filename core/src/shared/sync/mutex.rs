//! A mutex, as people know it.

#![forbid(unsafe_code)]

use std::time::Duration;

use super::*;
use crate::shared::raw::host::Host;
use crate::shared::raw::sync::mutex::Mutex as Raw;

/// A mutex in shared memory, for any processes and threads in any languages.
///
/// One has it at a time. If its owner's process is killed, the next who takes it is told ([`MutexGuard::owner_died`]), sees what it left, and
/// can go on. Taking a free one costs some nanoseconds and no system call. It is not recursive: who locks it twice waits for himself.
/// Who waits is not served in any order.
///
/// ```
/// # let name = format!("mutex-example-{}", std::process::id());
/// # let name = name.as_str();
/// use madang::{Mutex, Segment};
///
/// let segment = Segment::options().length(4096).open(name)?;
/// let mutex = Mutex::within(&segment, 0)?; // or Mutex::open("a name of its own")
/// let guard = mutex.lock()?;
/// if guard.owner_died() {
///     // Put right what the mutex guards.
/// }
/// segment.write(64, b"mine alone")?;
/// drop(guard);
/// Segment::unlink(name)?;
/// # Ok::<(), madang::Error>(())
/// ```
#[doc(alias("pthread_mutex_t", "lock"))]
#[derive(Debug)]
pub struct Mutex {
    place: Place<Raw>,
}

sync!(Mutex, Raw, Mutex, "mutex", "a mutex");

/// A mutex that is held, until this is dropped.
///
/// In a forked child it is not the child's: dropping it does nothing there.
#[must_use = "it is given back when this is dropped"]
#[derive(Debug)]
pub struct MutexGuard<'a> {
    mutex: &'a Mutex,
    me: u32,
    owner_died: bool,
}

impl Mutex {
    fn placed(place: Place<Raw>) -> Self {
        Self { place }
    }

    /// Takes it; waits until it can.
    ///
    /// # Errors
    /// `EINTR` if a signal handler ran while waiting; `EOWNERDEAD` if the others presumed this handle dead; in a forked child, at the
    /// first use, whatever opening gives. Then it isn't held.
    pub fn lock(&self) -> Result<MutexGuard<'_>> {
        self.lock_until(Deadline::NEVER)
    }

    /// As [`lock`](Self::lock), but doesn't wait.
    ///
    /// # Errors
    /// As [`lock`](Self::lock); `EAGAIN` if somebody has it.
    pub fn try_lock(&self) -> Result<MutexGuard<'_>> {
        self.lock_until(Deadline::NOW)
    }

    /// As [`lock`](Self::lock), but waits for `timeout` at most.
    ///
    /// # Errors
    /// As [`lock`](Self::lock); `ETIMEDOUT`, but with a time-out of zero as [`try_lock`](Self::try_lock).
    pub fn lock_timeout(&self, timeout: Duration) -> Result<MutexGuard<'_>> {
        self.lock_until(Deadline::after(timeout))
    }

    /// As [`lock`](Self::lock), but waits until `deadline` at most.
    ///
    /// # Errors
    /// As [`lock`](Self::lock); `EAGAIN` or `ETIMEDOUT` as the [`Deadline`] says.
    pub fn lock_until(&self, deadline: Deadline) -> Result<MutexGuard<'_>> {
        let (me, owner_died) = self.take(deadline)?;
        Ok(MutexGuard { mutex: self, me, owner_died })
    }

    /// Takes it without a guard: for languages that have none. Who, and whether the owner before died.
    #[doc(hidden)]
    #[inline]
    pub fn take(&self, deadline: Deadline) -> Result<(u32, bool)> {
        let present = self.place.enter()?;
        let taken = self.place.home.lock(&present, deadline);
        let owner_died = taken.map_err(|fault| self.place.explain(fault, "lock", deadline))?;
        Ok((present.me().word(), owner_died))
    }

    /// Gives back what `me` took.
    #[doc(hidden)]
    #[inline]
    pub fn give_back(&self, me: u32) -> Result<()> {
        let Some(present) = self.place.as_before(me) else {
            let what = format!("unlock {:?}: it is another process's, whose child this is", self.name());
            return Err(Error::new(libc::EOWNERDEAD, what));
        };
        self.place.home.unlock(&present).map_err(|fault| self.place.explain(fault, "unlock", Deadline::NEVER))
    }

    /// Leaves what `me` took as a death would: whoever takes it next is told.
    #[doc(hidden)]
    pub fn abandon(&self, me: u32) {
        if let Some(present) = self.place.as_before(me) {
            self.place.home.abandon(&present);
        }
    }

    /// Whether somebody has it, at some moment during the call.
    #[doc(hidden)]
    pub fn is_locked(&self) -> Result<bool> {
        Ok(self.place.home.is_locked(&self.place.enter()?))
    }
}

impl<'a> MutexGuard<'a> {
    /// Whether the last owner was killed while he had it: what the mutex guards may be half changed. The next who takes it isn't told
    /// any more.
    #[must_use]
    pub fn owner_died(&self) -> bool {
        self.owner_died
    }

    pub(super) fn mutex(&self) -> &'a Mutex {
        self.mutex
    }

    /// Gives it back; it is taken again by [`taken`](Self::taken).
    pub(super) fn give_back(self) -> Result<()> {
        let (mutex, me) = (self.mutex, self.me);
        std::mem::forget(self);
        mutex.give_back(me)
    }
}

impl Drop for MutexGuard<'_> {
    fn drop(&mut self) {
        // Presumed dead, or a forked child: it isn't its any more.
        let _ = self.mutex.give_back(self.me);
    }
}
