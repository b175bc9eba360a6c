//! A queue's descriptors to wait on: one for something to receive, one for room to send. How they work: [`bell`](super::super::bell).
//!
//! The try that finds nothing is the one place where they are armed, so there is nothing for their users to forget.

#![forbid(unsafe_code)]

use std::os::fd::BorrowedFd;
use std::sync::atomic::AtomicBool;

use super::*;
use crate::shared::bell::Bells;

/// By what people wait for this handle's queue besides sleeping.
#[derive(Debug, Default)]
pub(super) struct Descriptors {
    receive: Bells,
    send: Bells,
    /// Whether a [`Watcher`](crate::Watcher) has it, or had.
    has_watcher: AtomicBool,
    /// Whether it ever found the queue full: only then somebody may wait for room.
    found_full: AtomicBool,
}

impl Queue {
    /// A descriptor that is readable when there may be something to receive: for `poll`, `select`, `epoll` and all that is built on
    /// them. It is the handle's, the same at each call, and closed with it.
    ///
    /// Readable means "try", no more: another may have been faster, and now and then it is readable for nothing. It stays so until a
    /// [`try_recv`](Self::try_recv) or its like finds nothing, `EAGAIN`; from then on a message makes it readable again. So
    /// receive until there is nothing, or poll before each receive: both are right, also with edge-triggered epoll.
    ///
    /// Don't read it, and don't close it. A forked child that waits by it calls this first; it need not be another
    /// number. Threads that want different messages ([`Select`]) open a handle each.
    ///
    /// It takes three descriptors, and one of the inotify instances of which a user has 128 by default. For many queues there is
    /// [`Watcher`](crate::Watcher).
    ///
    /// # Errors
    /// `EMFILE` if the user's inotify instances, or the process's descriptors, are used up, `ENOSPC` if the user's inotify watches
    /// are: the text says which sysctl. `ENFILE`, `ENOMEM`; `EOWNERDEAD`; what joining gives in a forked child.
    #[doc(alias("fd", "fileno", "eventfd"))]
    pub fn recv_fd(&self) -> Result<BorrowedFd<'_>> {
        self.open_bell(&self.descriptors.receive, "recv_fd")
    }

    /// A descriptor that is readable when there may be room to send; all else is as with [`recv_fd`](Self::recv_fd).
    ///
    /// Room for what? For the message that [`try_send`](Self::try_send) or its like last found no room for.
    ///
    /// # Errors
    /// As [`recv_fd`](Self::recv_fd).
    pub fn send_fd(&self) -> Result<BorrowedFd<'_>> {
        self.open_bell(&self.descriptors.send, "send_fd")
    }

    fn open_bell<'a>(&self, bells: &'a Bells, doing: &str) -> Result<BorrowedFd<'a>> {
        self.enter()?;
        let bell =
            bells.open(&self.attached).map_err(|error| error.during(format!("{doing} {}", self.attached.name())))?;
        Ok(bell.as_fd())
    }

    /// A receive that found nothing ends: who waits by a descriptor is told of the next message from now on.
    #[inline]
    pub(super) fn nothing_to_receive<T>(
        &self,
        want: Want,
        error: Error,
        attempt: impl FnMut() -> Result<Option<T>>,
    ) -> Result<T> {
        let announce = |present: &Present| self.ring.announce_watching_receiver(present, want);
        self.arm(&self.descriptors.receive, announce, error, attempt)
    }

    /// A send of `length` bytes that found no room ends.
    #[inline]
    pub(super) fn no_room_to_send<T>(
        &self,
        length: u64,
        error: Error,
        attempt: impl FnMut() -> Result<Option<T>>,
    ) -> Result<T> {
        let announce = |present: &Present| {
            self.descriptors.found_full.store(true, Ordering::Relaxed);
            self.reclaim(present);
            self.ring.announce_watching_sender(present, length);
        };
        self.arm(&self.descriptors.send, announce, error, attempt)
    }

    /// Silences, announces, tries again.
    fn arm<T>(
        &self,
        bells: &Bells,
        announce: impl FnOnce(&Present),
        error: Error,
        mut attempt: impl FnMut() -> Result<Option<T>>,
    ) -> Result<T> {
        let bell = bells.in_use(&self.attached);
        if bell.is_none() && !self.descriptors.has_watcher.load(Ordering::Relaxed) {
            return Err(error);
        }
        let present = self.enter()?;
        if let Some(bell) = bell {
            bell.silence(&self.attached);
        }
        announce(&present);
        match attempt() {
            Ok(None) => Err(error),
            done => {
                if let Some(bell) = bell {
                    bell.make_readable();
                }
                done.transpose().unwrap_or(Err(error))
            }
        }
    }
}

/// For [`Watcher`](crate::Watcher).
impl Queue {
    /// From now on a try that finds nothing announces itself.
    pub(in crate::shared) fn has_watcher(&self) -> Result<()> {
        self.enter()?;
        self.descriptors.has_watcher.store(true, Ordering::Relaxed);
        Ok(())
    }

    pub(in crate::shared) fn attached(&self) -> &Attached {
        &self.attached
    }

    /// Whether a receive may find something, and a send room: hints, also of what a death left.
    pub(in crate::shared) fn hints(&self) -> (bool, bool) {
        let may_send = self.descriptors.found_full.load(Ordering::Relaxed) && self.ring.admits(0);
        (self.ring.may_be_received(), may_send)
    }
}
