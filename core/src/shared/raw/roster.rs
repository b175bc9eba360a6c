//! The roster: who takes part in an object.
//!
//! A slot says who has it; a lock on one byte of the object's file, held for as long as the participant lives, proves that it
//! lives (the handle's affair: `shared/attached.rs`). A slot is
//!
//! ```text
//! FREE ──► SETTLING ──► TAKEN ──► FREE           only by whoever holds the slot's byte
//! ```
//!
//! Taking one raises its generation first: from then on whatever the slot's former owner left behind names a generation
//! that is gone, and so a dead participant. Then its estate is settled: locks it holds are taken over and repaired. Then the
//! slot is TAKEN. A death in between leaves SETTLING and an unlocked byte, and the next taker does it all again.
//!
//! A generation has 14 bits and wraps; since every taker settles before it goes on, nothing of 16,384 takers ago is left.

use super::cell::{U32, U64};
use super::host::{GENERATIONS, Participant};

const STATE: u32 = 3 << 30;
const FREE: u32 = 0;
const SETTLING: u32 = 1 << 30;
const TAKEN: u32 = 2 << 30;

/// One participant's place.
#[derive(Debug, Default)]
#[repr(C)]
pub(crate) struct Slot {
    /// State in the two highest bits, generation in the lowest fourteen.
    pub(super) word: U32,
    /// The process, as its own pid namespace numbers it. For people; nothing relies on it.
    pub(super) pid: U32,
    /// When it joined, on the monotonic clock in nanoseconds. For people.
    pub(super) joined: U64,
    _later: [U64; 2],
}

const _: () = assert!(size_of::<Slot>() == 32);

impl Slot {
    /// Whether nobody claims it.
    pub(crate) fn is_free(&self) -> bool {
        self.word.get() & STATE == FREE
    }

    /// Whether `who` is the one that has it.
    pub(crate) fn is_held_by(&self, who: Participant) -> bool {
        let word = self.word.get();
        word & STATE != FREE && word & GENERATIONS == who.generation()
    }

    /// Who has it, if somebody has.
    pub(crate) fn holder(&self, slot: u32) -> Option<Participant> {
        let word = self.word.get();
        (word & STATE == TAKEN).then(|| Participant::new(slot, word))
    }

    /// What its holder said of himself: his process, and when he joined.
    pub(crate) fn told(&self) -> (u32, u64) {
        (self.pid.get(), self.joined.get())
    }

    /// Takes the slot whose byte the caller holds: raises its generation, lets `settle` see to what
    /// former owners left, and enters the caller.
    pub(crate) fn take<E>(
        &self,
        slot: u32,
        pid: u32,
        now: u64,
        settle: impl FnOnce(Participant) -> Result<(), E>,
    ) -> Result<Participant, E> {
        let generation = self.word.get().wrapping_add(1) & GENERATIONS;
        let heir = Participant::new(slot, generation);
        self.word.set(SETTLING | generation);
        settle(heir)?;
        self.pid.set(pid);
        self.joined.set(now);
        self.word.set(TAKEN | generation);
        Ok(heir)
    }

    /// Gives it back; the caller holds its byte still.
    pub(crate) fn give_back(&self) {
        self.word.set(self.word.get() & GENERATIONS);
    }
}
