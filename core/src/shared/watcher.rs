//! One descriptor for many queues: what event loops wait on, who have thousands of tasks and should need one inotify instance.
//!
//! The states are a [`bell`](super::bell)'s, but divided. What rang is taken ([`Watcher::rung`]) without anybody having tried yet;
//! so whoever takes it owes every task that waits for that queue a try. A try that finds nothing announces itself as long as a watcher
//! has the queue, and then tries again; it silences nothing, so at worst a task is told of what it found already.
//!
//! **Why no ring is lost**: a message that is committed after a task's announcement rings; the watcher's descriptor is readable until
//! that ring is taken; and then the task tries.
//!
//! **The timer** ticks only while somebody waits ([`Watcher::tick`]). At a tick each queue is asked for a hint, without its locks, and
//! told of if there may be something: that is enough to find what a killed process committed and didn't ring for, and costs some ten
//! nanoseconds a queue. Who hears a ring only now and then is not to be kept waiting by another's: rings don't start the timer anew.

#![forbid(unsafe_code)]

use std::collections::BTreeMap;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::{Arc, Weak};

use super::bell::Bell;
use super::queue::Queue;
use crate::error::{Error, Result};

/// One descriptor to wait on for many queues; for event loops.
///
/// For a single queue there is [`Queue::recv_fd`], which is simpler. Here is what an event loop does:
///
/// 1. [`add`](Self::add) the queue, *then* try to receive or to send; if there is nothing (`EAGAIN`), the task waits.
/// 2. When the descriptor is readable, [`rung`](Self::rung) says which queues to try again, whatever is waited for there. Who
///    finds nothing again waits again.
/// 3. [`tick`](Self::tick) while any task waits.
///
/// A forked child makes its own.
///
/// ```
/// # let name = format!("watcher-example-{}", std::process::id());
/// use madang::{Queue, Select, Watcher};
/// use std::sync::Arc;
///
/// let queue = Arc::new(Queue::open(&name)?);
/// let mut watcher = Watcher::new()?;
/// let key = watcher.add(&queue)?;
/// assert!(queue.try_recv(Select::Any).is_err()); // nothing: from now on a message rings
/// queue.send(1, b"tea")?;
/// // … poll(watcher.as_fd()) …
/// let rung = watcher.rung();
/// assert!(rung.len() == 1 && rung[0].key == key && rung[0].may_receive);
/// assert_eq!(queue.try_recv(Select::Any)?.data, b"tea");
/// # Queue::unlink(&name)?;
/// # Ok::<(), madang::Error>(())
/// ```
#[derive(Debug)]
pub struct Watcher {
    bell: Bell,
    ticks: bool,
    next: u64,
    watched: BTreeMap<u64, Watched>,
    /// The keys of who is told of by a watch: a file that is open several times has one watch.
    keys: BTreeMap<i32, Vec<u64>>,
}

/// A queue that is to be tried again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Rung {
    /// What [`Watcher::add`] said.
    pub key: u64,
    /// Whether there may be something to receive.
    pub may_receive: bool,
    /// Whether there may be room to send.
    pub may_send: bool,
}

impl Rung {
    /// For whatever is waited for there.
    fn all(key: u64) -> Self {
        Self { key, may_receive: true, may_send: true }
    }
}

#[derive(Debug)]
struct Watched {
    queue: Weak<Queue>,
    /// -1 is none: then it is looked at with every tick.
    watch: i32,
}

impl Watcher {
    /// A new one, without queues.
    ///
    /// # Errors
    /// As [`Queue::recv_fd`].
    pub fn new() -> Result<Self> {
        crate::sys::process::prepare().map_err(|errno| errno.during("a page that fork wipes"))?;
        let bell = Bell::new().map_err(|error| error.during("a watcher"))?;
        Ok(Self { bell, ticks: false, next: 0, watched: BTreeMap::new(), keys: BTreeMap::new() })
    }

    /// Watches a queue too, which it doesn't keep open. Says by which key it tells of it; the same one if it has it already.
    ///
    /// # Errors
    /// As [`Queue::recv_fd`]. `EOWNERDEAD` in a forked child, which makes a watcher of its own.
    pub fn add(&mut self, queue: &Arc<Queue>) -> Result<u64> {
        if !self.is_of_this_process() {
            return Err(Error::new(libc::EOWNERDEAD, "this watcher was inherited by fork: make another one"));
        }
        let weak = Arc::downgrade(queue);
        if let Some((key, _)) = self.watched.iter().find(|(_, watched)| watched.queue.ptr_eq(&weak)) {
            return Ok(*key);
        }
        queue.has_watcher()?;
        let watch =
            self.bell.watch(queue.attached()).map_err(|error| error.during(format!("watch {}", queue.name())))?;
        let key = self.next;
        self.next += 1;
        self.watched.insert(key, Watched { queue: weak, watch });
        self.keys.entry(watch).or_default().push(key);
        Ok(key)
    }

    /// Watches a queue no more.
    pub fn remove(&mut self, key: u64) {
        let Some(Watched { watch, .. }) = self.watched.remove(&key) else { return };
        let Some(keys) = self.keys.get_mut(&watch) else { return };
        keys.retain(|&other| other != key);
        if keys.is_empty() {
            self.keys.remove(&watch);
            // An inherited one shares it with the parent, who goes on with it.
            if watch >= 0 && self.is_of_this_process() {
                self.bell.unwatch(watch);
            }
        }
    }

    /// Whether to look at all queues four times a second: while anybody waits, since a sender may be killed before it can ring.
    pub fn tick(&mut self, yes: bool) {
        if self.ticks != yes && self.is_of_this_process() {
            self.ticks = yes;
            self.bell.start(yes);
        }
    }

    /// The queues that are to be tried again, since something was sent there or room was made; perhaps some for nothing. The
    /// descriptor isn't readable any more. A queue that was closed is told of too, and watched no more.
    pub fn rung(&mut self) -> Vec<Rung> {
        if !self.is_of_this_process() {
            return Vec::new();
        }
        let (mut rung, mut ended, mut overflowed) = (BTreeMap::new(), Vec::new(), false);
        let keys = &self.keys;
        self.bell.take(|told| {
            rung.extend(keys.get(&told.watch).into_iter().flatten().map(|&key| (key, Rung::all(key))));
            overflowed |= told.watch < 0;
            if told.is_last {
                ended.push(told.watch);
            }
        });
        for watch in ended {
            self.watch_anew(watch);
        }
        if overflowed {
            rung.extend(self.watched.keys().map(|&key| (key, Rung::all(key))));
        }
        if self.ticks && self.bell.has_ticked() {
            self.bell.start(true);
            for (&key, watched) in &self.watched {
                let hinted = watched.look(key);
                if hinted.may_receive || hinted.may_send {
                    rung.entry(key).or_insert(hinted);
                }
            }
        }
        for key in rung.keys() {
            if self.watched.get(key).is_some_and(|watched| watched.queue.strong_count() == 0) {
                self.remove(*key);
            }
        }
        rung.into_values().collect()
    }

    /// The kernel ended a watch: see [`bell`](super::bell).
    fn watch_anew(&mut self, ended: i32) {
        for key in self.keys.remove(&ended).unwrap_or_default() {
            let Some(watched) = self.watched.get_mut(&key) else { continue };
            let queue = watched.queue.upgrade();
            watched.watch = queue.and_then(|queue| self.bell.watch(queue.attached()).ok()).unwrap_or(-1);
            self.keys.entry(watched.watch).or_default().push(key);
        }
    }

    /// Whether it is not one that this process inherited by fork, which is good for nothing but to be dropped.
    #[must_use]
    pub fn is_of_this_process(&self) -> bool {
        self.bell.is_of_this_process()
    }
}

impl Watched {
    /// What can be told of it without its locks.
    fn look(&self, key: u64) -> Rung {
        match self.queue.upgrade() {
            Some(queue) if self.watch >= 0 => {
                let (may_receive, may_send) = queue.hints();
                Rung { key, may_receive, may_send }
            }
            _ => Rung::all(key),
        }
    }
}

impl AsFd for Watcher {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.bell.as_fd()
    }
}
