//! An event, as people know it.

#![forbid(unsafe_code)]

use std::time::Duration;

use super::*;
use crate::shared::raw::sync::flag::{Came, Flag as Raw};

/// An event in shared memory: it is set or not, and one waits until it is.
///
/// ```
/// # let name = format!("event-example-{}", std::process::id());
/// # let name = name.as_str();
/// use madang::Event;
///
/// let ready = Event::open(name)?;
/// assert_eq!(ready.try_wait().unwrap_err().errno(), libc::EAGAIN);
/// ready.set()?;
/// ready.wait()?;
/// assert!(ready.is_set());
/// ready.clear();
/// Event::unlink(name)?;
/// # Ok::<(), madang::Error>(())
/// ```
#[derive(Debug)]
pub struct Event {
    place: Place<Raw>,
}

sync!(Event, Raw, Event, "event", "an event");

/// Since when one waits.
#[doc(hidden)]
#[derive(Clone, Copy, Debug)]
pub struct Since(Came);

impl Event {
    fn placed(place: Place<Raw>) -> Self {
        Self { place }
    }

    /// Whether it is set.
    #[must_use]
    #[inline]
    pub fn is_set(&self) -> bool {
        self.place.home.is_set()
    }

    /// Sets it: all who wait go on, even if it is [cleared](Self::clear) at once; and who comes doesn't wait.
    ///
    /// # Errors
    /// `EOWNERDEAD` if the others presumed this handle dead; in a forked child, at the first use, whatever opening gives.
    pub fn set(&self) -> Result<()> {
        self.place.home.set(&self.place.enter()?);
        Ok(())
    }

    /// Takes it back: who comes waits again.
    pub fn clear(&self) {
        self.place.home.clear();
    }

    /// Waits until it is set.
    ///
    /// # Errors
    /// `EINTR` if a signal handler ran while waiting; else as [`set`](Self::set).
    pub fn wait(&self) -> Result<()> {
        self.wait_until(Deadline::NEVER)
    }

    /// As [`wait`](Self::wait), but doesn't wait.
    ///
    /// # Errors
    /// As [`wait`](Self::wait); `EAGAIN` if it isn't set.
    pub fn try_wait(&self) -> Result<()> {
        self.wait_until(Deadline::NOW)
    }

    /// As [`wait`](Self::wait), but waits for `timeout` at most.
    ///
    /// # Errors
    /// As [`wait`](Self::wait); `ETIMEDOUT`, but with a time-out of zero as [`try_wait`](Self::try_wait).
    pub fn wait_timeout(&self, timeout: Duration) -> Result<()> {
        self.wait_until(Deadline::after(timeout))
    }

    /// As [`wait`](Self::wait), but waits until `deadline` at most.
    ///
    /// # Errors
    /// As [`wait`](Self::wait); `EAGAIN` or `ETIMEDOUT` as the [`Deadline`] says.
    pub fn wait_until(&self, deadline: Deadline) -> Result<()> {
        self.await_from(self.come(), deadline)
    }

    /// The moment from which on no set is missed: for languages that wait in slices.
    #[doc(hidden)]
    #[must_use]
    pub fn come(&self) -> Since {
        Since(self.place.home.come())
    }

    /// As [`wait_until`](Self::wait_until); goes on too if it was set since, and cleared again.
    #[doc(hidden)]
    pub fn await_from(&self, since: Since, deadline: Deadline) -> Result<()> {
        let raw = &*self.place.home;
        let is_set = || raw.was_set_since(since.0);
        let attempt = || Ok(is_set().then_some(()));
        self.place.until_done(deadline, "wait for", raw.event(), || raw.announce(), is_set, attempt)
    }
}
