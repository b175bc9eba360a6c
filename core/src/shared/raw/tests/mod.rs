//! Every operation, ended before each of its stores as death would end it; then the living go on, and are held against
//! a plain queue in memory.
//!
//! The participants of a test are plain numbers; who is dead is a set. Sleeping returns at once with `ETIMEDOUT`, so a lock whose
//! owner is dead is inherited at once, and one whose owner lives is [`Fault::Busy`] at the first deadline.

mod event;
mod heap;
mod index;
mod keep;
mod layout;
mod lines;
mod lock;
mod orders;
mod ring;
mod roster;
mod semaphores;
mod sync;
mod threads;

use std::cell::{Cell, RefCell};
use std::collections::HashSet;
use std::os::fd::AsFd;
use std::sync::Arc;
use std::time::Duration;

use super::cell::U32;
use super::geometry::Geometry;
use super::host::{Host, Participant};
use super::ring::Ring;
use crate::mapping::Mapping;
use crate::sys::{Errno, file};

/// A queue for so many messages of that length, whose space can be granted without being taken: it is.
fn queue_of(messages: u64, length: u64) -> Ring {
    let geometry = Geometry::new(messages * length, messages, 16).unwrap();
    let file = file::create_unnamed(c"/dev/shm").unwrap();
    let size = geometry.shape().size;
    file::set_size(file.as_fd(), size).unwrap();
    file::allocate(file.as_fd(), 0, size).unwrap();
    let ring = Arc::new(Mapping::of_queue(file.as_fd(), &geometry).unwrap()).ring(geometry);
    ring.create(false);
    ring
}

/// Who takes part in a test, who of them is dead, and what was asked of the world.
#[derive(Debug, Default)]
struct World {
    dead: RefCell<HashSet<u32>>,
    /// How many sleep where somebody is woken.
    sleepers: Cell<u32>,
    /// Who sleeps, by what bits; the last one is woken first.
    asleep: RefCell<Vec<u32>>,
    wakes: Cell<u32>,
    /// How many all wakes together found.
    woken: Cell<u32>,
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
    /// Whose handles several threads have used.
    several: RefCell<HashSet<u32>>,
}

impl World {
    /// One in which a lock is free when nobody is inside.
    fn never_keeping() -> Self {
        Self { never_keeps: Cell::new(true), ..Self::default() }
    }

    fn participant(&self, slot: u32) -> Actor<'_> {
        Actor { world: self, me: Participant::new(slot, 1), is_second_thread: false }
    }
}

/// One participant of a test.
#[derive(Clone, Copy, Debug)]
struct Actor<'a> {
    world: &'a World,
    me: Participant,
    /// Whether another thread used the handle before this one.
    is_second_thread: bool,
}

impl Actor<'_> {
    fn dies(&self) {
        self.world.dead.borrow_mut().insert(self.me.word());
    }

    /// Another thread with the same handle.
    fn second_thread(self) -> Self {
        Self { is_second_thread: true, ..self }
    }

    /// Who has the slot next.
    fn heir(self) -> Self {
        Self { me: Participant::new(self.me.slot(), self.me.generation() + 1), ..self }
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

    fn wake(&self, _: &U32, count: u32, bits: u32) -> u32 {
        self.world.wakes.set(self.world.wakes.get() + 1);
        let mut asleep = self.world.asleep.borrow_mut();
        let mut woken = 0;
        while woken < count
            && let Some(which) = asleep.iter().rposition(|&sleeper| sleeper & bits != 0)
        {
            asleep.remove(which);
            woken += 1;
        }
        woken += self.world.sleepers.get().min(count - woken);
        self.world.woken.set(self.world.woken.get() + woken);
        woken
    }

    fn ring_watchers(&self) {
        self.world.rings.set(self.world.rings.get() + 1);
    }

    fn spins(&self) -> bool {
        false
    }

    fn pass(&self) {}

    fn barrier(&self) {}

    fn may_be_reached(&self) -> bool {
        true
    }

    fn may_keep(&self) -> bool {
        if self.is_second_thread {
            self.world.several.borrow_mut().insert(self.me.word());
        }
        !self.world.never_keeps.get() && !self.world.several.borrow().contains(&self.me.word())
    }

    fn is_keepers_thread(&self) -> bool {
        !self.is_second_thread
    }
}

/// A participant whose store, or another's, the barrier brings to light: until then it waits in a processor's store buffer.
#[derive(Clone, Copy)]
struct Late<'a> {
    actor: Actor<'a>,
    barrier: &'a dyn Fn(),
}

impl Host for Late<'_> {
    fn me(&self) -> Participant {
        self.actor.me()
    }

    fn lives(&self, who: Participant) -> bool {
        self.actor.lives(who)
    }

    fn sleep(&self, word: &U32, expected: u32, timeout: Duration, bits: u32) -> Result<(), Errno> {
        self.actor.sleep(word, expected, timeout, bits)
    }

    fn wake(&self, word: &U32, count: u32, bits: u32) -> u32 {
        self.actor.wake(word, count, bits)
    }

    fn ring_watchers(&self) {
        self.actor.ring_watchers();
    }

    fn spins(&self) -> bool {
        self.actor.spins()
    }

    fn pass(&self) {}

    fn barrier(&self) {
        (self.barrier)();
    }

    fn may_be_reached(&self) -> bool {
        true
    }

    fn may_keep(&self) -> bool {
        self.actor.may_keep()
    }

    fn is_keepers_thread(&self) -> bool {
        self.actor.is_keepers_thread()
    }
}
