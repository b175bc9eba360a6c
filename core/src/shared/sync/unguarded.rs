//! Locks for languages without guards: what was taken by a handle is remembered in the handle.
//!
//! Threads may share a handle. What it holds, any of them gives back; what it doesn't hold, none. All is kept in atomics, so no fork
//! catches a lock in a locked state; and with the word of the participant that took it, so a forked child, which has a copy of all
//! this, knows what is its parent's.

#![forbid(unsafe_code)]

use super::mutex::Mutex;
use super::rwlock::{Held, RwLock};
use super::*;
use crate::shared::raw::sync::rwlock::MOST_READERS;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

/// Nobody: no participant has this word.
const NOBODY: u32 = 0;

/// A [`Mutex`] that remembers whether it is held. Dropped while it is, it is left as a death would leave it.
#[doc(hidden)]
#[derive(Debug)]
pub struct UnguardedMutex {
    mutex: Mutex,
    /// Who took it by this handle. Changed only by who has the mutex.
    holder: AtomicU32,
    owner_died: AtomicBool,
}

impl From<Mutex> for UnguardedMutex {
    fn from(mutex: Mutex) -> Self {
        Self { mutex, holder: AtomicU32::new(NOBODY), owner_died: AtomicBool::new(false) }
    }
}

impl std::ops::Deref for UnguardedMutex {
    type Target = Mutex;

    fn deref(&self) -> &Mutex {
        &self.mutex
    }
}

impl UnguardedMutex {
    /// As [`Mutex::lock_until`]; whether the owner before died.
    #[inline]
    pub fn take_until(&self, deadline: Deadline) -> Result<bool> {
        let (me, owner_died) = self.mutex.take(deadline)?;
        self.owner_died.store(owner_died, Ordering::Relaxed);
        self.holder.store(me, Ordering::Relaxed);
        Ok(owner_died)
    }

    /// Takes it, however many signals come.
    pub fn lock_again(&self) -> Result<bool> {
        loop {
            match self.take_until(Deadline::NEVER) {
                Err(error) if error.errno() == libc::EINTR => {}
                taken => return taken,
            }
        }
    }

    /// Gives it back.
    ///
    /// # Errors
    /// `EPERM` if it isn't held by this handle; `EOWNERDEAD` in a child that was forked when it was.
    #[inline]
    pub fn unlock(&self) -> Result<()> {
        // Before it is free: then another thread may store.
        let me = self.holder.swap(NOBODY, Ordering::Relaxed);
        if me == NOBODY {
            return Err(not_held(self.name()));
        }
        self.mutex.give_back(me)
    }

    /// Whether the owner before had died when this handle took it last.
    #[must_use]
    pub fn owner_died(&self) -> bool {
        self.owner_died.load(Ordering::Relaxed)
    }
}

impl Drop for UnguardedMutex {
    fn drop(&mut self) {
        let me = *self.holder.get_mut();
        if me != NOBODY {
            self.mutex.abandon(me);
        }
    }
}

/// A [`RwLock`] that remembers how it is held. Dropped while it is, it is left as a death would leave it.
#[doc(hidden)]
#[derive(Debug)]
pub struct UnguardedRwLock {
    lock: RwLock,
    writer: AtomicU32,
    /// By place: who took it by this handle.
    readers: [AtomicU32; MOST_READERS],
    /// How often it was taken; raised when the holder is noted.
    taken: AtomicU32,
}

impl From<RwLock> for UnguardedRwLock {
    fn from(lock: RwLock) -> Self {
        let readers = [const { AtomicU32::new(NOBODY) }; MOST_READERS];
        Self { lock, writer: AtomicU32::new(NOBODY), readers, taken: AtomicU32::new(0) }
    }
}

impl std::ops::Deref for UnguardedRwLock {
    type Target = RwLock;

    fn deref(&self) -> &RwLock {
        &self.lock
    }
}

impl UnguardedRwLock {
    /// As [`RwLock::write_until`], or [`RwLock::read_until`]; whether a writer died before.
    pub fn take_until(&self, to_write: bool, deadline: Deadline) -> Result<bool> {
        let held = self.lock.take(to_write, deadline)?;
        let holder = held.reads.map_or(&self.writer, |place| &self.readers[place]);
        holder.store(held.me, Ordering::Release);
        self.taken.fetch_add(1, Ordering::AcqRel);
        Ok(held.owner_died)
    }

    /// Gives back what this handle has: as a writer, or one of its readers.
    ///
    /// # Errors
    /// `EPERM` if it has none; `EOWNERDEAD` in a child that was forked when it had.
    pub fn unlock(&self) -> Result<()> {
        loop {
            let taken = self.taken.load(Ordering::Acquire);
            match self.unlock_any() {
                Some(given) => return given,
                // If nothing was taken meanwhile, another thread can't have got what this one was looking for in exchange for what lies
                // where it had looked before.
                None if self.taken.load(Ordering::Acquire) == taken => return Err(not_held(self.lock.name())),
                None => {}
            }
        }
    }

    /// Gives back the first that it finds; `None` if it finds none.
    fn unlock_any(&self) -> Option<Result<()>> {
        let mut given = None;
        for held in self.held() {
            let is_given = given.insert(self.lock.give_back(held)).is_ok();
            // What is left from before a fork is the parent's: there may be one that isn't.
            if is_given {
                break;
            }
        }
        given
    }

    /// What it holds, each as it is taken out of the handle.
    fn held(&self) -> impl Iterator<Item = Held> {
        let holders = std::iter::once((&self.writer, None));
        let holders = holders.chain(self.readers.iter().zip((0..).map(Some)));
        holders.filter_map(|(holder, reads)| {
            if holder.load(Ordering::Acquire) == NOBODY {
                return None;
            }
            let me = holder.swap(NOBODY, Ordering::AcqRel);
            (me != NOBODY).then_some(Held { me, reads, owner_died: false })
        })
    }
}

impl Drop for UnguardedRwLock {
    fn drop(&mut self) {
        self.held().for_each(|held| self.lock.abandon(held));
    }
}

#[cold]
fn not_held(name: &str) -> Error {
    Error::new(libc::EPERM, format!("unlock {name:?}: this handle doesn't hold it"))
}
