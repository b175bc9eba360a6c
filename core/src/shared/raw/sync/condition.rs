//! A condition: one waits until another tells that something may have changed.
//!
//! It is an [event count](super::super::event), announced before the mutex is given back: whoever changes something after that, and
//! tells, raises it, so nobody is missed. Whom a wake finds dead wakes nobody else; so the others, who see after a while that the event
//! was raised since they came, get up as well. They may find that nothing changed for them: one waits in a loop.

use std::sync::atomic::{Ordering, fence};
use std::time::Duration;

use super::super::event::{Announced, Event};
use super::super::host::{EVERYBODY, Host};
use super::Placed;
use crate::sys::Errno;

/// See the head of this file.
#[derive(Debug, Default)]
#[repr(C, align(64))]
pub(crate) struct Condition {
    pub(in super::super) event: Event,
}

const _: () = assert!(size_of::<Condition>() == 64);

// SAFETY: atomics only.
unsafe impl Placed for Condition {}

impl Condition {
    /// From here on the caller is told. To be called with the mutex.
    pub(crate) fn announce(&self) -> Announced {
        self.event.announce()
    }

    /// Sleeps until it is told, at most `timeout`, at most 250 ms. `Ok`: told. `ETIMEDOUT`, `EINTR` as futex(2).
    pub(crate) fn sleep(&self, host: &impl Host, announced: Announced, timeout: Duration) -> Result<(), Errno> {
        match self.event.sleep(host, announced, timeout, EVERYBODY) {
            Err(Errno(libc::ETIMEDOUT)) if self.event.was_raised_since(announced) => Ok(()),
            slept => slept,
        }
    }

    /// Wakes at most `count` who wait.
    pub(crate) fn tell(&self, host: &impl Host, count: u32) {
        fence(Ordering::SeqCst);
        if count > 0 && self.event.is_awaited() {
            let raised = self.event.raise_to(host, count, EVERYBODY);
            if raised.found_nobody() {
                self.event.clear(raised);
            }
        }
    }
}
