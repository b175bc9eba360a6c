//! A mutex: a [robust lock](super::super::lock) that people hold for as long as they like.
//!
//! A dead owner's mutex goes to the next who comes, who is told. There is nothing to repair here: what the mutex guards is his affair.

use super::super::Fault;
use super::super::host::Host;
use super::super::lock::{Locked, RobustLock};
use super::Placed;
use crate::deadline::Deadline;

/// See the head of this file.
#[derive(Debug, Default)]
#[repr(C, align(64))]
pub(crate) struct Mutex {
    pub(in super::super) lock: RobustLock,
}

const _: () = assert!(size_of::<Mutex>() == 64);

// SAFETY: one atomic.
unsafe impl Placed for Mutex {}

impl Mutex {
    /// Takes it; whether it is from the dead. A try doesn't wait, but for a look whether its owner lives.
    #[inline]
    pub(crate) fn lock(&self, host: &impl Host, deadline: Deadline) -> Result<bool, Fault> {
        let deadline = if deadline.is_try() { Deadline::INSTANT } else { deadline };
        // Nobody keeps a mutex (`keep.rs`): who finds that somebody does finds scribble, and tells of it.
        Ok(self.lock.lock(host, deadline)? != Locked::Clean)
    }

    /// Whether somebody who lives has it.
    pub(crate) fn is_locked(&self, host: &impl Host) -> bool {
        self.lock.held_by().is_some_and(|owner| owner == host.me() || host.lives(owner))
    }

    /// Leaves it as a death would.
    pub(crate) fn abandon(&self, host: &impl Host) {
        self.lock.abandon(host);
    }

    /// Gives it back. [`Fault::Disowned`] if it isn't the caller's any more.
    #[inline]
    pub(crate) fn unlock(&self, host: &impl Host) -> Result<(), Fault> {
        self.lock.unlock(host)
    }
}
