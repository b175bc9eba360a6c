//! A read-write lock, as people know it.

#![forbid(unsafe_code)]

use std::time::Duration;

use super::*;
use crate::shared::raw::host::Host;
use crate::shared::raw::sync::rwlock::{MOST_READERS, RwLock as Raw, Tried};

/// A read-write lock in shared memory, for any processes and threads in any languages: one who writes, or up to 120 who read.
///
/// Who waits to write comes before those who come to read after him. A killed reader's hold goes with him. If a writer's process is killed,
/// whoever takes the lock is told ([`RwLockGuard::owner_died`]), until somebody has had it to write. It is not recursive.
///
/// ```
/// # let name = format!("rwlock-example-{}", std::process::id());
/// # let name = name.as_str();
/// use madang::RwLock;
///
/// let lock = RwLock::open(name)?;
/// {
///     let (_one, _two) = (lock.read()?, lock.read()?);
///     assert_eq!(lock.try_write().unwrap_err().errno(), libc::EAGAIN);
/// }
/// let alone = lock.write()?;
/// assert!(!alone.owner_died());
/// drop(alone);
/// RwLock::unlink(name)?;
/// # Ok::<(), madang::Error>(())
/// ```
#[doc(alias = "pthread_rwlock_t")]
#[derive(Debug)]
pub struct RwLock {
    place: Place<Raw>,
}

sync!(RwLock, Raw, RwLock, "rwlock", "a read-write lock");

/// How a read-write lock is held.
#[doc(hidden)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Held {
    /// Who took it.
    pub me: u32,
    /// A reader's place.
    pub reads: Option<usize>,
    /// Whether a writer was killed before.
    pub owner_died: bool,
}

/// One who wants the lock, and wants it no more when this is dropped.
#[doc(hidden)]
#[derive(Debug)]
pub struct Wish<'a> {
    lock: &'a RwLock,
    to_write: bool,
    /// Whether he is named as the one who writes next.
    named: bool,
}

/// A read-write lock that is held, until this is dropped.
///
/// In a forked child it is not the child's: dropping it does nothing there.
#[must_use = "it is given back when this is dropped"]
#[derive(Debug)]
pub struct RwLockGuard<'a> {
    lock: &'a RwLock,
    held: Held,
}

impl RwLock {
    fn placed(place: Place<Raw>) -> Self {
        Self { place }
    }

    /// Takes it to read; waits while somebody writes, or waits to.
    ///
    /// # Errors
    /// `EUSERS` if 120 read already; `EINTR` if a signal handler ran while waiting; `EOWNERDEAD` if the others presumed this handle
    /// dead; in a forked child, at the first use, whatever opening gives. Then it isn't held.
    pub fn read(&self) -> Result<RwLockGuard<'_>> {
        self.read_until(Deadline::NEVER)
    }

    /// As [`read`](Self::read), but doesn't wait.
    ///
    /// # Errors
    /// As [`read`](Self::read); `EAGAIN` if somebody writes, or waits to.
    pub fn try_read(&self) -> Result<RwLockGuard<'_>> {
        self.read_until(Deadline::NOW)
    }

    /// As [`read`](Self::read), but waits for `timeout` at most.
    ///
    /// # Errors
    /// As [`read`](Self::read); `ETIMEDOUT`, but with a time-out of zero as [`try_read`](Self::try_read).
    pub fn read_timeout(&self, timeout: Duration) -> Result<RwLockGuard<'_>> {
        self.read_until(Deadline::after(timeout))
    }

    /// As [`read`](Self::read), but waits until `deadline` at most.
    ///
    /// # Errors
    /// As [`read`](Self::read); `EAGAIN` or `ETIMEDOUT` as the [`Deadline`] says.
    pub fn read_until(&self, deadline: Deadline) -> Result<RwLockGuard<'_>> {
        Ok(RwLockGuard { lock: self, held: self.take(false, deadline)? })
    }

    /// Takes it to write; waits until nobody reads or writes.
    ///
    /// # Errors
    /// As [`read`](Self::read), but `EUSERS`.
    pub fn write(&self) -> Result<RwLockGuard<'_>> {
        self.write_until(Deadline::NEVER)
    }

    /// As [`write`](Self::write), but doesn't wait.
    ///
    /// # Errors
    /// As [`write`](Self::write); `EAGAIN` if somebody has it.
    pub fn try_write(&self) -> Result<RwLockGuard<'_>> {
        self.write_until(Deadline::NOW)
    }

    /// As [`write`](Self::write), but waits for `timeout` at most.
    ///
    /// # Errors
    /// As [`write`](Self::write); `ETIMEDOUT`, but with a time-out of zero as [`try_write`](Self::try_write).
    pub fn write_timeout(&self, timeout: Duration) -> Result<RwLockGuard<'_>> {
        self.write_until(Deadline::after(timeout))
    }

    /// As [`write`](Self::write), but waits until `deadline` at most.
    ///
    /// # Errors
    /// As [`write`](Self::write); `EAGAIN` or `ETIMEDOUT` as the [`Deadline`] says.
    pub fn write_until(&self, deadline: Deadline) -> Result<RwLockGuard<'_>> {
        Ok(RwLockGuard { lock: self, held: self.take(true, deadline)? })
    }

    /// Takes it without a guard: for languages that have none.
    #[doc(hidden)]
    pub fn take(&self, to_write: bool, deadline: Deadline) -> Result<Held> {
        self.wish(to_write).wait_until(deadline)
    }

    /// Wants it, without waiting for it yet: for languages that wait in slices.
    #[doc(hidden)]
    #[must_use]
    pub fn wish(&self, to_write: bool) -> Wish<'_> {
        Wish { lock: self, to_write, named: false }
    }

    /// Gives back what was taken.
    #[doc(hidden)]
    pub fn give_back(&self, held: Held) -> Result<()> {
        let Some(present) = self.place.as_before(held.me) else {
            let what = format!("unlock {:?}: it is another process's, whose child this is", self.name());
            return Err(Error::new(libc::EOWNERDEAD, what));
        };
        let given = match held.reads {
            Some(place) => self.place.home.unlock_read(&present, place),
            None => self.place.home.unlock_write(&present),
        };
        given.map_err(|fault| self.place.explain(fault, "unlock", Deadline::NEVER))
    }

    /// Leaves what was taken as a death would: if it was to write, whoever takes it next is told.
    #[doc(hidden)]
    pub fn abandon(&self, held: Held) {
        match (self.place.as_before(held.me), held.reads) {
            (Some(present), None) => self.place.home.abandon_write(&present),
            (Some(_), Some(_)) => drop(self.give_back(held)),
            (None, _) => {}
        }
    }
}

impl Wish<'_> {
    /// Takes it. May be called again after `ETIMEDOUT` or `EINTR`: meanwhile a writer goes on keeping readers out.
    pub fn wait_until(&mut self, deadline: Deadline) -> Result<Held> {
        let Self { lock: RwLock { place }, to_write, ref mut named } = *self;
        let raw = &*place.home;
        let doing = if to_write { "write-lock" } else { "read-lock" };
        let attempt = || {
            let present = place.enter()?;
            let tried =
                if to_write { raw.try_write(&present, named, deadline) } else { raw.try_read(&present, deadline) };
            match tried.map_err(|fault| place.explain(fault, doing, deadline))? {
                Tried::Taken { place, damaged } => {
                    let reads = (!to_write).then_some(place);
                    Ok(Some(Held { me: present.me().word(), reads, owner_died: damaged }))
                }
                Tried::Wait => Ok(None),
                Tried::TooMany => {
                    let what =
                        format!("{doing} {:?}: {MOST_READERS} read already: one may not read more", place.name());
                    Err(Error::new(libc::EUSERS, what))
                }
            }
        };
        let me = place.enter()?;
        let may = || if to_write { raw.may_write(&me) } else { raw.may_read() };
        let held = place.until_done(deadline, doing, raw.event(), || raw.announce(), may, attempt)?;
        // What it has now is not to be given up.
        *named = false;
        Ok(held)
    }
}

impl Drop for Wish<'_> {
    fn drop(&mut self) {
        let Place { attached, home, .. } = &self.lock.place;
        if let Some(present) = attached.present().filter(|_| self.named) {
            home.give_up(&present, true);
        }
    }
}

impl RwLockGuard<'_> {
    /// Whether a writer was killed while he had it, or waited for it, and nobody has written since: what the lock guards may be half
    /// changed.
    #[must_use]
    pub fn owner_died(&self) -> bool {
        self.held.owner_died
    }
}

impl Drop for RwLockGuard<'_> {
    fn drop(&mut self) {
        // Presumed dead, or a forked child: it isn't its any more.
        let _ = self.lock.give_back(self.held);
    }
}
