//! What is being changed, for those who find its author dead.
//!
//! ```text
//!   63 62   61 ........... 32   31 ........ 0
//!   state   how many records    whose: a slot, or the first semaphore
//! ```
//!
//! One store arms it, one disarms it. Armed to *put back*, the records say what was there before the whole array (of a semaphore that it
//! changes twice they say the same). Armed to *set*, the new values are staged. Either is done again from the start
//! by the next who finds it half done.

use super::super::cell::{U32, U64};
use super::super::host::Host;
use super::seats::Wakes;
use super::{MOST_OPERATIONS, Semaphores, Shared, Value};

const PUT_BACK: u64 = 1;
const SET: u64 = 2;

/// See the head of this file. All-zero is disarmed.
#[derive(Debug, Default)]
#[repr(C)]
pub(super) struct Journal {
    word: U64,
    /// Who sets.
    pid: U32,
    _unused: U32,
}

/// What one operation changes, as it was before.
#[derive(Debug, Default)]
#[repr(C)]
pub(super) struct Record {
    index: U32,
    /// Whether the amount to be undone is changed too.
    has_undo: U32,
    undo: U32,
    _unused: U32,
    word: U64,
    _later: U64,
}

const _: () = assert!(size_of::<Record>() == 32);

impl Shared for Record {}

/// A [`Record`], read.
#[derive(Clone, Copy, Debug)]
pub(super) struct Entry {
    pub(super) index: u32,
    pub(super) has_undo: bool,
    pub(super) undo: u32,
    pub(super) word: u64,
}

impl Record {
    #[cfg(test)]
    pub(super) fn layout_for_test() -> Vec<(usize, usize, &'static str)> {
        use std::mem::offset_of;
        vec![
            (offset_of!(Self, index), 4, "the semaphore"),
            (offset_of!(Self, has_undo), 4, "whether the amount to be undone is changed too"),
            (offset_of!(Self, undo), 4, "that amount, as it was"),
            (offset_of!(Self, word), 8, "value and process, as they were"),
        ]
    }

    pub(super) fn write(&self, entry: Entry) {
        self.index.set(entry.index);
        self.has_undo.set(entry.has_undo.into());
        self.undo.set(entry.undo);
        self.word.set(entry.word);
    }

    fn read(&self) -> Entry {
        Entry {
            index: self.index.get(),
            has_undo: self.has_undo.get() != 0,
            undo: self.undo.get(),
            word: self.word.get(),
        }
    }
}

impl Semaphores {
    pub(super) fn journal(&self, at: usize) -> &Record {
        &self.area(self.geometry.journal(), MOST_OPERATIONS)[at]
    }

    /// From here on, a death of the caller's means that the first `count` records are put back.
    pub(super) fn arm_to_put_back(&self, slot: u32, count: usize) {
        self.control().front.journal.word.set(PUT_BACK << 62 | (count as u64) << 32 | u64::from(slot));
    }

    /// From here on, `count` values from `first` on are what is staged.
    pub(super) fn arm_to_set(&self, pid: u32, first: u32, count: usize) {
        let journal = &self.control().front.journal;
        journal.pid.set(pid);
        journal.word.set(SET << 62 | (count as u64) << 32 | u64::from(first));
    }

    pub(super) fn disarm(&self) {
        self.control().front.journal.word.set(0);
    }

    /// Puts right what its author left half done. What was scribbled there changes no more than the set's own words.
    pub(super) fn recover(&self, host: &impl Host, wakes: &mut Wakes) {
        let word = self.control().front.journal.word.get();
        match word >> 62 {
            PUT_BACK => {
                let count = (word >> 32 & 0x3fff_ffff) as usize;
                self.put_back(word as u32, count.min(MOST_OPERATIONS));
                self.disarm();
            }
            SET => self.go_on_setting(host, wakes),
            _ => self.disarm(),
        }
    }

    fn put_back(&self, slot: u32, count: usize) {
        for at in 0..count {
            let entry = self.journal(at).read();
            let Some(word) = self.values().get(entry.index as usize) else { continue };
            word.set(entry.word);
            if entry.has_undo && slot < self.geometry.slots {
                self.undo(slot, entry.index).set(entry.undo);
            }
        }
    }

    /// Sets what is staged, and takes back what was to be undone there.
    pub(super) fn go_on_setting(&self, host: &impl Host, wakes: &mut Wakes) {
        let journal = &self.control().front.journal;
        let (word, pid) = (journal.word.get(), journal.pid.get());
        let (first, count) = (word as u32, (word >> 32 & 0x3fff_ffff) as u32);
        let end = first.saturating_add(count).min(self.geometry.count);
        self.forget_undo(first..end);
        for index in first..end {
            let value = self.staged()[index as usize].get();
            self.values()[index as usize].set(Value { value, pid }.word());
        }
        self.disarm();
        self.offer_all(host, wakes);
    }
}
