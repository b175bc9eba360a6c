//! Every operation, ended before each of its stores as death would end it; then the living go on, and are held against
//! a plain queue in memory.
//!
//! The participants of a test are plain numbers; who is dead is a set. Sleeping returns at once with `ETIMEDOUT`, so a lock whose
//! owner is dead is inherited at once, and one whose owner lives is [`Fault::Busy`] at the first deadline.

mod event;
mod heap;
mod index;
mod layout;
mod lock;
mod ring;
mod roster;

use std::cell::{Cell, RefCell};
use std::collections::HashSet;
use std::time::Duration;

use super::cell::U32;
use super::host::{Host, Participant};
use crate::sys::Errno;

/// Who takes part in a test, who of them is dead, and what was asked of the world.
#[derive(Debug, Default)]
struct World {
    dead: RefCell<HashSet<u32>>,
    /// How many sleep where somebody is woken.
    sleepers: Cell<u32>,
    wakes: Cell<u32>,
    /// How often those were rung who wait by a descriptor.
    rings: Cell<u32>,
    sleeps: Cell<u32>,
    longest_sleep: Cell<Duration>,
    /// Whether a signal ends the next sleep.
    signal: Cell<bool>,
    /// Whether every word changes before one falls asleep on it.
    restless: Cell<bool>,
    /// Whether nobody may keep a lock.
    never_keeps: Cell<bool>,
}

impl World {
    /// One in which a lock is free when nobody is inside.
    fn never_keeping() -> Self {
        Self { never_keeps: Cell::new(true), ..Self::default() }
    }

    fn participant(&self, slot: u32) -> Actor<'_> {
        Actor { world: self, me: Participant::new(slot, 1) }
    }
}

/// One participant of a test.
#[derive(Clone, Copy, Debug)]
struct Actor<'a> {
    world: &'a World,
    me: Participant,
}

impl Actor<'_> {
    fn dies(&self) {
        self.world.dead.borrow_mut().insert(self.me.word());
    }
}

impl Host for Actor<'_> {
    fn me(&self) -> Participant {
        self.me
    }

    fn lives(&self, who: Participant) -> bool {
        !self.world.dead.borrow().contains(&who.word())
    }

    fn sleep(&self, word: &U32, expected: u32, timeout: Duration, _: u32) -> Result<(), Errno> {
        self.world.sleeps.set(self.world.sleeps.get() + 1);
        self.world.longest_sleep.set(self.world.longest_sleep.get().max(timeout));
        if self.world.signal.take() {
            return Err(Errno(libc::EINTR));
        }
        if self.world.restless.get() {
            assert!(self.world.sleeps.get() < 1_000_000, "this has no end");
            return Err(Errno(libc::EAGAIN));
        }
        Err(Errno(if word.get() == expected { libc::ETIMEDOUT } else { libc::EAGAIN }))
    }

    fn wake(&self, _: &U32, count: u32, _: u32) -> u32 {
        self.world.wakes.set(self.world.wakes.get() + 1);
        self.world.sleepers.get().min(count)
    }

    fn ring_watchers(&self) {
        self.world.rings.set(self.world.rings.get() + 1);
    }

    fn spins(&self) -> bool {
        false
    }

    fn pass(&self) {}

    fn barrier(&self) {}

    fn may_keep(&self) -> bool {
        !self.world.never_keeps.get()
    }
}
