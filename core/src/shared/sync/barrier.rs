//! A barrier, as people know it.

#![forbid(unsafe_code)]

use std::time::Duration;

use super::*;
use crate::shared::raw::sync::barrier::{Barrier as Raw, Came, MOST_PARTIES};

/// A barrier in shared memory: several wait until all of them are there, again and again.
///
/// Who gives up, or is killed, while he waits is not there any more: the others go on waiting for as many as it takes.
///
/// ```
/// # let name = format!("barrier-example-{}", std::process::id());
/// # let name = name.as_str();
/// use madang::Barrier;
///
/// let barrier = Barrier::open(name)?;
/// barrier.set_parties(2)?;
/// std::thread::scope(|scope| {
///     scope.spawn(|| barrier.wait().unwrap());
///     barrier.wait().unwrap();
/// });
/// Barrier::unlink(name)?;
/// # Ok::<(), madang::Error>(())
/// ```
#[doc(alias = "pthread_barrier_t")]
#[derive(Debug)]
pub struct Barrier {
    place: Place<Raw>,
}

sync!(Barrier, Raw, Barrier, "barrier", "a barrier");

impl Barrier {
    fn placed(place: Place<Raw>) -> Self {
        Self { place }
    }

    /// How many can wait for each other at most.
    #[doc(hidden)]
    pub const MOST_PARTIES: u32 = MOST_PARTIES as u32;

    /// Says how many wait for each other, 1 to 120. The first who says so decides, for all and for good.
    ///
    /// # Errors
    /// `EINVAL` for a number out of range, or if another number was said before.
    pub fn set_parties(&self, parties: u32) -> Result<()> {
        if !(1..=Self::MOST_PARTIES).contains(&parties) {
            let what = format!("barrier {:?}: {parties} parties: they are 1 to {MOST_PARTIES}", self.name());
            return Err(Error::new(libc::EINVAL, what));
        }
        let agreed = self.place.home.agree(parties);
        if agreed == parties {
            return Ok(());
        }
        let what = format!("barrier {:?}: {parties} parties: it was made for {agreed}", self.name());
        Err(Error::new(libc::EINVAL, what))
    }

    /// How many wait for each other; 0 if nobody has [said](Self::set_parties) yet.
    #[must_use]
    pub fn parties(&self) -> u32 {
        self.place.home.parties()
    }

    /// How many wait now.
    ///
    /// # Errors
    /// As [`wait`](Self::wait).
    pub fn waiting(&self) -> Result<u32> {
        Ok(self.place.home.waiting(&self.place.enter()?))
    }

    /// Waits until all are there. Says as which of them the caller came: 0 is the first, `parties() - 1` the last.
    ///
    /// # Errors
    /// `EINVAL` if nobody has said how many wait for each other; `EINTR` if a signal handler ran while waiting; `EOWNERDEAD` if the
    /// others presumed this handle dead; in a forked child, at the first use, whatever opening gives. Then one isn't there.
    pub fn wait(&self) -> Result<u32> {
        self.wait_until(Deadline::NEVER)
    }

    /// As [`wait`](Self::wait), but waits for `timeout` at most.
    ///
    /// # Errors
    /// As [`wait`](Self::wait); `ETIMEDOUT`, or `EAGAIN` with a time-out of zero.
    pub fn wait_timeout(&self, timeout: Duration) -> Result<u32> {
        self.wait_until(Deadline::after(timeout))
    }

    /// As [`wait`](Self::wait), but waits until `deadline` at most.
    ///
    /// # Errors
    /// As [`wait`](Self::wait); `EAGAIN` or `ETIMEDOUT` as the [`Deadline`] says.
    pub fn wait_until(&self, deadline: Deadline) -> Result<u32> {
        let attendance = self.come(deadline)?;
        attendance.wait_until(deadline).or_else(|error| attendance.go().ok_or(error))
    }

    /// Comes, without waiting for the others yet: for languages that wait in slices.
    #[doc(hidden)]
    pub fn come(&self, deadline: Deadline) -> Result<Attendance<'_>> {
        let raw = &*self.place.home;
        if raw.parties() == 0 {
            let what = format!("wait at {:?}: nobody has said how many wait for each other", self.name());
            return Err(Error::new(libc::EINVAL, what));
        }
        let came = raw.come(&self.place.enter()?, deadline);
        let came = came.map_err(|fault| self.place.explain(fault, "wait at", deadline))?;
        Ok(Attendance { barrier: self, came })
    }
}

/// One who came to a barrier, and [goes](Self::go) if he doesn't wait to the end.
#[doc(hidden)]
#[derive(Debug)]
pub struct Attendance<'a> {
    barrier: &'a Barrier,
    came: Came,
}

impl Attendance<'_> {
    /// Waits until all are there, and says as which of them this one came. May be called again after `ETIMEDOUT` or `EINTR`.
    pub fn wait_until(&self, deadline: Deadline) -> Result<u32> {
        let Barrier { place } = self.barrier;
        let raw = &*place.home;
        let Came::Waits { round, rank, .. } = self.came else { return Ok(raw.parties() - 1) };
        let over = || raw.is_over(round);
        place.until_done(deadline, "wait at", raw.event(), || raw.announce(), over, || Ok(over().then_some(rank)))
    }

    /// Waits no longer; whether all are there after all, and then as which this one came.
    pub fn go(self) -> Option<u32> {
        let Came::Waits { place, round, rank } = self.came else { return None };
        let raw = &*self.barrier.place.home;
        let present = self.barrier.place.attached.present()?;
        // Somebody stuck inside, or presumed dead: the others find out.
        let gone = raw.go(&present, place, round, Deadline::NOW).unwrap_or(true);
        (!gone).then_some(rank)
    }
}
