//! What the floor of shared memory asks of the world.

use std::time::Duration;

use super::cell::U32;
use crate::sys::Errno;

/// A participant of an object: its slot in the roster and the slot's generation, in one 31-bit word that is
/// never 0.
///
/// ```text
///   31   30 ........ 16   15 ........ 0
///   0    generation       slot + 1
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Participant(u32);

/// How many participants an object can have at most.
pub(crate) const MOST_SLOTS: u32 = 0xfffe;
/// The bits of a generation; it wraps.
pub(crate) const GENERATIONS: u32 = 0x7fff;

impl Participant {
    pub(crate) fn new(slot: u32, generation: u32) -> Self {
        debug_assert!(slot < MOST_SLOTS);
        Self((generation & GENERATIONS) << 16 | (slot + 1))
    }

    /// What a word in shared memory says; `None` where it names nobody.
    pub(crate) fn from_word(word: u32) -> Option<Self> {
        let word = word & 0x7fff_ffff;
        (word & 0xffff != 0).then_some(Self(word))
    }

    pub(crate) fn word(self) -> u32 {
        self.0
    }

    pub(crate) fn slot(self) -> u32 {
        (self.0 & 0xffff) - 1
    }

    pub(crate) fn generation(self) -> u32 {
        self.0 >> 16
    }
}

/// The world as an operation sees it: the handle that runs it, or a test's.
pub(crate) trait Host {
    /// The participant that runs the operation.
    fn me(&self) -> Participant;

    /// Whether `who` lives. In doubt, yes.
    fn lives(&self, who: Participant) -> bool;

    /// Sleeps while `word` holds `expected`, at most `timeout`: `EAGAIN`, `ETIMEDOUT`, `EINTR` as futex(2).
    fn sleep(&self, word: &U32, expected: u32, timeout: Duration) -> Result<(), Errno>;

    /// Wakes at most `count` who sleep on `word`; says how many.
    fn wake(&self, word: &U32, count: u32) -> u32;

    /// Whether another processor may do something while this one spins.
    fn spins(&self) -> bool;

    /// Lets another thread run.
    fn pass(&self);
}
