//! Every operation, ended before each of its stores as death would end it; then the living go on, and are held against
//! a plain queue in memory.
//!
//! The participants of a test are plain numbers; who is dead is a set. Sleeping returns at once with `ETIMEDOUT`, so a lock whose
//! owner is dead is inherited at once, and one whose owner lives is [`Fault::Busy`] at the first deadline.

mod layout;
mod lock;
mod ring;
mod roster;

use std::cell::RefCell;
use std::collections::HashSet;
use std::time::Duration;

use super::cell::U32;
use super::host::{Host, Participant};
use crate::sys::Errno;

/// Who takes part in a test, and who of them is dead.
#[derive(Debug, Default)]
struct World {
    dead: RefCell<HashSet<u32>>,
}

impl World {
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

    fn sleep(&self, word: &U32, expected: u32, _: Duration) -> Result<(), Errno> {
        Err(Errno(if word.get() == expected { libc::ETIMEDOUT } else { libc::EAGAIN }))
    }

    fn wake(&self, _: &U32, _: u32) -> u32 {
        0
    }

    fn spins(&self) -> bool {
        false
    }

    fn pass(&self) {}
}
