//! Waiting for what another participant will do; the one home of it above the floor of shared memory.
//!
//! A short spin first, in which a partner on another processor answers, and some yields, for one on this processor
//! ([`patience`](super::patience)), though not after a sleep that nobody ended; then the event count (`raw/event.rs`): announce, the
//! *whole* try again, sleep. The last thing before any error is a try, and a wake that was spent on one who then takes nothing is passed on.

#![forbid(unsafe_code)]

use super::attached::Present;
use super::patience::Patience;
use super::raw::event::{Announced, Event, NAP};
use crate::deadline::Deadline;
use crate::error::{Error, Result};
use crate::sys::Errno;

/// What one waits for, and by what.
pub(super) struct Wait<'a> {
    pub(super) present: &'a Present<'a>,
    /// Not a try: who only tries doesn't come here.
    pub(super) deadline: Deadline,
    /// What is being done, for the text of an error.
    pub(super) doing: &'a dyn Fn() -> String,
    /// What is to be said when the deadline has passed.
    pub(super) in_vain: &'static str,
    pub(super) event: &'a Event,
    pub(super) patience: &'a Patience,
    /// How many pauses to let more gather before it is taken, unless there is `enough`; see [`Patience`].
    pub(super) gather: u32,
    pub(super) enough: &'a dyn Fn() -> bool,
    /// A hint that costs no lock.
    pub(super) may: &'a dyn Fn() -> bool,
    pub(super) announce: &'a dyn Fn(&Present) -> Announced,
    /// By which of them one is woken; see [`Event`].
    pub(super) bits: u32,
    /// What is to be seen to before one sleeps: the dead may hold what one waits for.
    pub(super) before_sleep: &'a dyn Fn(),
    /// A wake was taken, and the try after it failed.
    pub(super) woken_for_nothing: &'a dyn Fn(),
}

impl Wait<'_> {
    /// Tries until it is done, the deadline passes or a signal handler runs.
    pub(super) fn until_done<T>(&self, mut attempt: impl FnMut() -> Result<Option<T>>) -> Result<T> {
        let mut is_idle = false;
        loop {
            if !is_idle
                && self.patience.spin(self.present, self.gather, self.enough, self.may)
                && let Some(done) = attempt()?
            {
                return Ok(done);
            }
            (self.before_sleep)();
            let announced = (self.announce)(self.present);
            // An error may come from a try that a wake was spent on: then the others should try, whoever of them can use it.
            let mut last = || attempt().inspect_err(|_| self.event.raise(self.present));
            if let Some(done) = last()? {
                return Ok(done);
            }
            let slept = self.event.sleep(self.present, announced, self.deadline.left(NAP), self.bits);
            if let Some(done) = last()? {
                return Ok(done);
            }
            match slept {
                Ok(()) => {
                    is_idle = false;
                    (self.woken_for_nothing)();
                }
                Err(Errno(libc::EINTR)) => {
                    return Err(self.error(libc::EINTR, "a signal handler ran while waiting; nothing was done"));
                }
                // Nobody came for long, and who comes wakes.
                Err(_) => is_idle = true,
            }
            if self.deadline.has_passed() {
                return Err(self.error(libc::ETIMEDOUT, self.in_vain));
            }
        }
    }

    #[cold]
    fn error(&self, errno: i32, why: &str) -> Error {
        Error::new(errno, format!("{}: {why}", (self.doing)()))
    }
}
