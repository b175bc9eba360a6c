//! What the floor of shared memory asks of the world.

use std::time::Duration;

use super::cell::U32;
use crate::sys::Errno;

/// A participant of an object: its slot in the roster and the slot's generation, in one 30-bit word that is
/// never 0.
///
/// ```text
///   31 30   29 ........ 16   15 ........ 0
///   0       generation       slot + 1
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Participant(u32);

/// How many participants an object can have at most.
pub(crate) const MOST_SLOTS: u32 = 0xfffe;
/// The bits of a generation; it wraps.
pub(crate) const GENERATIONS: u32 = 0x3fff;

impl Participant {
    /// Who never lives: what is his is the next one's to put in order who looks for what the dead left.
    pub(crate) const NOBODY: Self = Self(MOST_SLOTS + 1);

    pub(crate) fn new(slot: u32, generation: u32) -> Self {
        debug_assert!(slot < MOST_SLOTS);
        Self((generation & GENERATIONS) << 16 | (slot + 1))
    }

    /// What a word in shared memory says; `None` where it names nobody.
    pub(crate) fn from_word(word: u32) -> Option<Self> {
        let word = word & 0x3fff_ffff;
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

/// All who sleep on a word.
pub(crate) const EVERYBODY: u32 = u32::MAX;
/// However many they are.
pub(crate) const MANY: u32 = u32::MAX >> 1;

/// The world as an operation sees it: the handle that runs it, or a test's.
///
/// `Copy`, so that what is seldom called can take it by value: a reference would keep it in memory where it is hot.
pub(crate) trait Host: Copy {
    /// The participant that runs the operation.
    fn me(&self) -> Participant;

    /// Whether `who` lives. In doubt, yes.
    fn lives(&self, who: Participant) -> bool;

    /// Sleeps while `word` holds `expected`, at most `timeout`, as one of those whom `bits` name: `EAGAIN`, `ETIMEDOUT`, `EINTR` as
    /// futex(2).
    fn sleep(&self, word: &U32, expected: u32, timeout: Duration, bits: u32) -> Result<(), Errno>;

    /// Wakes at most `count` who sleep on `word` and whom one of `bits` names; says how many.
    fn wake(&self, word: &U32, count: u32, bits: u32) -> u32;

    /// Tells all who wait for the object by a descriptor.
    fn ring_watchers(&self);

    /// Whether another processor may do something while this one spins.
    fn spins(&self) -> bool;

    /// Lets another thread run.
    fn pass(&self);

    /// A full memory barrier on every processor that runs a participant who may keep a lock.
    fn barrier(&self);

    /// Whether barriers reach the caller.
    fn may_be_reached(&self) -> bool;

    /// Whether the caller may keep a lock (`keep.rs`): barriers reach it, and no other thread uses its handle.
    fn may_keep(&self) -> bool;

    /// Whether the calling thread is the one that may have kept a lock, though by now others use the handle too.
    fn is_keepers_thread(&self) -> bool;
}
