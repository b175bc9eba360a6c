//! A bell: a descriptor by which one waits for what another will commit, in `poll`, `select`, `epoll` and all that is built on them.
//!
//! ```text
//!   epoll ──┬── inotify: a private watch on the object's file          rung: whoever raises the event writes the file
//!           └── timer: 250 ms at most after it was silenced            a waker may die between its commit and its ring
//! ```
//!
//! **Readable means "try".** While it is *readable* nothing is promised but that it stays so until a try found nothing. Then it is
//! *silent*: whatever is committed from then on makes it readable. There is no third state, and nothing for its user to arm: a new bell
//! is readable, and the try that finds nothing silences it, as follows.
//!
//! 1. **Silence** it: read what inotify tells, start the timer anew if its time had come.
//! 2. **Announce** oneself in the object (`raw/event.rs`): first as a watcher, then as a sleeper does; fence.
//! 3. **Try again**, the whole operation.
//! 4. If that didn't end in "nothing" after all, make it **readable** again: there may be more, for which nobody will ring.
//!
//! **Why no ring is lost.** What was committed before the announcement the try finds: so it is with sleepers (`raw/event.rs`). Whoever
//! commits after it sees it, and rings; and since the bell was silenced *before* the announcement, that ring is read by nobody before the
//! bell was readable. Should another thread, which came here too, read it in its step 1: then its own announcement and try come
//! after the commit, and it finds the message, or another took it; in the first case it goes on to step 4. (Two threads that want
//! *different* messages should not share a handle's descriptor: the try of one silences it for the other too, for 250 ms at most.)
//!
//! **To ring** is to change the object's file by a call: inotify tells of those, never of stores through a mapping. The call is
//! fallocate(2) of the file's first byte, which has its space long since: it is told as a write is, but changes nothing, and unlike a
//! write minds no limit on file sizes, which would be a SIGXFSZ in an innocent sender. All watchers in all processes hear it, each by
//! an inotify instance of its own; so nobody eats another's ring, and there is nothing that a stranger could plant or steal.
//! Who has once been rung isn't rung again before it says that it found nothing: a waker pays one call a wake, not one a message.
//!
//! **Unlinked files** are watched by way of `/proc/self/fd`. But the kernel ends the watches of a file without links whenever the
//! last user of one of its old names goes, though others have it open still. It tells (`IN_IGNORED`), which makes the bell
//! readable, and step 1 begins a new watch: before the announcement, as with a ring.
//!
//! **What a death leaves.** A dead watcher's announcement costs the next waker one ring. A waker killed between its commit and its ring
//! is healed by the timer, as a sleeper's nap heals it.
//!
//! **Fork.** A child's descriptors are the parent's: what one reads, the other misses. So a child never reads: before its first step 1
//! it puts new ones of its own in their place, under the same numbers.
//!
//! **Whose descriptor is it?** A program may have closed them all (daemons do), and the numbers be something else now. Before anything
//! is read or closed the kernel is asked whether that epoll still has these two members.

#![forbid(unsafe_code)]

use std::os::fd::{AsFd, BorrowedFd, IntoRawFd, OwnedFd};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::attached::Attached;
use super::raw::event::NAP;
use crate::error::{Error, Result};
use crate::sys::inotify::Told;
use crate::sys::{Errno, epoll, file, inotify, process, timer};

/// The shortest time that isn't "never".
const AT_ONCE: Duration = Duration::from_nanos(1);
/// For how long one waits at most until the timer has come; it takes microseconds.
const COMES_WITHIN: Duration = Duration::from_millis(2);

/// See the head of this file.
#[derive(Debug)]
pub(super) struct Bell {
    /// Taken only by `drop`.
    descriptors: Option<Descriptors>,
    /// The epoch in which it was made.
    epoch: AtomicU64,
}

#[derive(Debug)]
struct Descriptors {
    epoll: OwnedFd,
    inotify: OwnedFd,
    timer: OwnedFd,
}

impl Descriptors {
    fn new() -> Result<Self> {
        let during = |errno: Errno, call| errno.during(call);
        let epoll = epoll::create().map_err(|errno| during(errno, "epoll_create1"))?;
        let timer = timer::create().map_err(|errno| during(errno, "timerfd_create"))?;
        let inotify = inotify::create().map_err(cannot_create)?;
        Ok(Self { epoll, inotify, timer })
    }

    fn join(&self) -> Result<()> {
        let add = |member: &OwnedFd| epoll::add(self.epoll.as_fd(), member.as_fd());
        add(&self.inotify).and_then(|()| add(&self.timer)).map_err(|errno| errno.during("epoll_ctl"))
    }

    /// Whether these numbers are what they were.
    fn are_ours(&self) -> bool {
        [&self.inotify, &self.timer].iter().all(|member| {
            match epoll::add(self.epoll.as_fd(), member.as_fd()) {
                Err(Errno(libc::EEXIST)) => true,
                Err(_) => false,
                Ok(()) => {
                    // An epoll of the program's: as if nothing had been.
                    let _ = epoll::remove(self.epoll.as_fd(), member.as_fd());
                    false
                }
            }
        })
    }
}

fn cannot_create(errno: Errno) -> Error {
    errno.during(match errno.0 {
        libc::EMFILE => {
            "inotify_init1: the inotify instances of this user are used up (or else this process's descriptors): \
             as root, sysctl fs.inotify.max_user_instances=1024 (it is 128 by default); \
             or wait for all queues by one descriptor, as a Watcher and asyncio do; or close what is not needed"
        }
        _ => "inotify_init1",
    })
}

fn cannot_watch(errno: Errno) -> Error {
    errno.during(match errno.0 {
        libc::ENOSPC => {
            "inotify_add_watch: the inotify watches of this user are used up: \
             as root, raise the sysctl fs.inotify.max_user_watches; or close what is not needed"
        }
        _ => "inotify_add_watch",
    })
}

/// Rings all who watch the object. Who isn't reached looks by himself before long.
#[cold]
pub(super) fn ring(attached: &Attached) {
    if let Ok(fd) = attached.descriptor() {
        let _ = file::allocate(fd.as_fd(), 0, 1);
    }
}

impl Bell {
    /// A new one, which is silent for ever: it watches nothing, and its timer doesn't run.
    pub(super) fn new() -> Result<Self> {
        let descriptors = Descriptors::new()?;
        descriptors.join()?;
        Ok(Self { descriptors: Some(descriptors), epoch: AtomicU64::new(process::epoch()) })
    }

    fn descriptors(&self) -> &Descriptors {
        self.descriptors.as_ref().expect("kept until drop")
    }

    /// Whether it is this process's, and still is what it was.
    pub(super) fn is_ours(&self) -> bool {
        self.is_of_this_process() && self.descriptors().are_ours()
    }

    /// Whether it was not inherited.
    pub(super) fn is_of_this_process(&self) -> bool {
        self.epoch.load(Ordering::Acquire) == process::epoch()
    }

    /// Makes an inherited one this process's own, under the same numbers; `false` if the numbers are something else by now. Only
    /// where no other thread does. It watches nothing after that.
    pub(super) fn renew(&self) -> Result<bool> {
        let ours = self.descriptors();
        if !ours.are_ours() {
            return Ok(false);
        }
        let new = Descriptors::new()?;
        let replace = |old: &OwnedFd, new: &OwnedFd| {
            file::replace(old.as_fd(), new.as_fd()).map_err(|errno| errno.during("dup3"))
        };
        replace(&ours.inotify, &new.inotify)?;
        replace(&ours.timer, &new.timer)?;
        // It is to know the members by the numbers that they keep.
        let members = [&ours.inotify, &ours.timer];
        members
            .iter()
            .try_for_each(|member| epoll::add(new.epoll.as_fd(), member.as_fd()))
            .map_err(|errno| errno.during("epoll_ctl"))?;
        replace(&ours.epoll, &new.epoll)?;
        self.epoch.store(process::epoch(), Ordering::Release);
        Ok(true)
    }

    /// Is rung from now on by who commits something in that object. Says by which number that is told.
    pub(super) fn watch(&self, attached: &Attached) -> Result<i32> {
        let inotify = self.descriptors().inotify.as_fd();
        let object = attached.descriptor()?;
        let path = file::descriptor_path(object.as_fd()).map_err(cannot_watch)?;
        match inotify::watch(inotify, &path) {
            // No /proc: then by its name, if that still is its.
            Err(errno @ Errno(libc::ENOENT | libc::ENOTDIR | libc::EACCES)) => {
                let watch = inotify::watch(inotify, attached.name().path()).map_err(|_| cannot_watch(errno))?;
                attached.by_name().map_err(|_| cannot_watch(errno))?;
                Ok(watch)
            }
            watch => watch.map_err(cannot_watch),
        }
    }

    /// Undoes [`watch`](Self::watch).
    pub(super) fn unwatch(&self, watch: i32) {
        let _ = inotify::unwatch(self.descriptors().inotify.as_fd(), watch);
    }

    /// Step 1, for a bell that watches that one object; [`is_ours`](Self::is_ours) is asked before.
    pub(super) fn silence(&self, attached: &Attached) {
        // One that runs still comes soon enough; to set it costs more than all the rest.
        if self.has_ticked() {
            self.start(true);
        }
        let mut is_watched = true;
        self.take(|told| is_watched &= !told.is_last);
        if !is_watched {
            // If that fails the timer has to do.
            let _ = self.watch(attached);
        }
    }

    /// Takes all that inotify tells.
    pub(super) fn take(&self, tell: impl FnMut(Told)) {
        inotify::take(self.descriptors().inotify.as_fd(), tell);
    }

    /// Makes it readable, and returns when it is.
    pub(super) fn make_readable(&self) {
        let Descriptors { epoll, timer, .. } = self.descriptors();
        let _ = timer::set(timer.as_fd(), AT_ONCE);
        epoll::wait(epoll.as_fd(), COMES_WITHIN);
    }

    /// Starts the timer, or stops it.
    pub(super) fn start(&self, ticks: bool) {
        let _ = timer::set(self.descriptors().timer.as_fd(), if ticks { NAP } else { Duration::ZERO });
    }

    /// Whether the timer's time has come.
    pub(super) fn has_ticked(&self) -> bool {
        timer::has_come(self.descriptors().timer.as_fd())
    }
}

impl AsFd for Bell {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.descriptors().epoll.as_fd()
    }
}

impl Drop for Bell {
    fn drop(&mut self) {
        // What the program closed, and is something else now, isn't ours to close.
        if !self.descriptors().are_ours()
            && let Some(Descriptors { epoll, inotify, timer }) = self.descriptors.take()
        {
            [epoll, inotify, timer].into_iter().for_each(|fd| _ = fd.into_raw_fd());
        }
    }
}

/// The bell of one side of a handle: the last of these. There is another one only if the program closed those before.
#[derive(Debug, Default)]
pub(super) struct Bells(OnceLock<Box<(Bell, Bells)>>);

impl Bells {
    fn last(&self) -> Option<&Bell> {
        let mut last = self.0.get()?;
        while let Some(next) = last.1.0.get() {
            last = next;
        }
        Some(&last.0)
    }

    /// Only where no other thread does.
    fn push(&self, bell: Bell) -> &Bell {
        let mut end = self;
        while let Some(next) = end.0.get() {
            end = &next.1;
        }
        &end.0.get_or_init(|| Box::new((bell, Self::default()))).0
    }

    /// A bell that is this process's: the one there is, or a new one, which is readable.
    pub(super) fn open(&self, attached: &Attached) -> Result<&Bell> {
        if let Some(bell) = self.last().filter(|bell| bell.is_ours()) {
            return Ok(bell);
        }
        // No child shall find it half made, and one thread is enough.
        process::without_fork(|| match self.last() {
            Some(bell) if bell.is_ours() => Ok(bell),
            Some(bell) if !bell.is_of_this_process() && bell.renew()? => {
                bell.watch(attached)?;
                bell.make_readable();
                Ok(bell)
            }
            _ => {
                let bell = Bell::new()?;
                bell.watch(attached)?;
                bell.make_readable();
                Ok(self.push(bell))
            }
        })
    }

    /// The bell that is to be silenced, if anybody asked for one; in a forked child its own.
    pub(super) fn in_use(&self, attached: &Attached) -> Option<&Bell> {
        let bell = self.last()?;
        if bell.is_of_this_process() { Some(bell) } else { self.open(attached).ok() }.filter(|bell| bell.is_ours())
    }
}
