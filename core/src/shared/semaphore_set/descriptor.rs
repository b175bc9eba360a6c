//! A set's descriptor to wait on. How it works: [`bell`](super::super::bell).
//!
//! The operations that can't be done are the one place where it is armed, so there is nothing for its users to forget.

#![forbid(unsafe_code)]

use std::os::fd::BorrowedFd;

use super::*;

impl SemaphoreSet {
    /// A descriptor that is readable when what could not be done may be done now: for `poll`, `select`, `epoll` and all that is built
    /// on them. It is the handle's, the same at each call, and closed with it.
    ///
    /// Readable means "try", no more: another may have been faster, and now and then it is readable for nothing. It stays so until a
    /// [`try_operate`](Self::try_operate) or its like fails with `EAGAIN` or `ETIMEDOUT`; from then on a change of one of the semaphores
    /// that were wanted makes it readable again. (What a dead process had to be undone: within a quarter of a second.) So try until
    /// it can't be done, or poll before each try: both are right, also with edge-triggered epoll.
    ///
    /// Don't read it, and don't close it. A forked child that waits by it calls this first; it need not be another
    /// number. Threads that want different things open a handle each. Who waits by it has no place in the order of those who sleep.
    ///
    /// It takes three descriptors, and one of the inotify instances of which a user has 128 by default.
    ///
    /// # Errors
    /// `EMFILE` if the user's inotify instances, or the process's descriptors, are used up, `ENOSPC` if the user's inotify watches
    /// are: the text says which sysctl. `ENFILE`, `ENOMEM`; `EOWNERDEAD`; what joining gives in a forked child.
    #[doc(alias("fileno", "eventfd"))]
    pub fn fd(&self) -> Result<BorrowedFd<'_>> {
        self.enter()?;
        let bell = self.bells.open(&self.attached);
        bell.map(AsFd::as_fd).map_err(|error| error.during(format!("fd {}", self.attached.name())))
    }

    /// Operations end with `error`. If they could not be done, who waits by the descriptor is told of the next change from now on.
    pub(super) fn done_in_vain(&self, operations: &[Operation], deadline: Deadline, error: Error) -> Result<()> {
        if !matches!(error.errno(), libc::EAGAIN | libc::ETIMEDOUT) {
            return Err(error);
        }
        let Some(bell) = self.bells.in_use(&self.attached) else { return Err(error) };
        let present = self.enter()?;
        bell.silence(&self.attached);
        self.semaphores.announce_watcher(&present, operations);
        let deadline = if deadline == Deadline::INSTANT { deadline } else { Deadline::NOW };
        match self.semaphores.operate(&present, present.pid(), operations, None, deadline) {
            Ok(Outcome::Blocked(_)) => Err(error),
            other => {
                // It isn't known, or is over.
                bell.make_readable();
                match other {
                    Ok(Outcome::Done) => Ok(()),
                    Ok(_) | Err(Fault::Busy | Fault::Interrupted) => Err(error),
                    Err(fault) => Err(self.explain(fault, "operate", deadline)),
                }
            }
        }
    }
}
