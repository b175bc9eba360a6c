//! What is given back when a participant is gone.
//!
//! Each slot has a row of amounts, one for each semaphore: what his operations with undo have added, with the other sign. `undoers` says
//! by slot whose row it is; 0 is that there is nothing in it. A row's place in the file is taken when its slot first needs it.
//!
//! **Giving back** adds the amounts to the values, one semaphore after the other, each by the journal; then the slot is no
//! undoer any more. It is done holding the set's lock: by himself when he closes; by who joins in his slot; and by everybody who
//! finds that he is dead. A death in the middle leaves the rest of the row, and a dead undoer.

use std::ops::Range;

use super::super::cell::U32;
use super::super::host::{Host, Participant};
use super::journal::Entry;
use super::seats::Wakes;
use super::{Operation, Semaphores, Shared, Space, Value};

/// Who has something to be undone, by slot.
#[derive(Debug, Default)]
#[repr(C)]
pub(super) struct Undoer {
    /// The participant; 0 is nobody.
    who: U32,
    /// Whether the slot's row has its place in the file.
    granted: U32,
    /// His process: what is given back counts as done by him.
    pid: U32,
    _unused: U32,
}

const _: () = assert!(size_of::<Undoer>() == 16);

impl Shared for Undoer {}

impl Undoer {
    #[cfg(test)]
    pub(super) fn layout_for_test() -> Vec<(usize, usize, &'static str)> {
        use std::mem::offset_of;
        vec![
            (offset_of!(Self, who), 4, "the participant; 0 is nobody"),
            (offset_of!(Self, granted), 4, "whether the slot's row has its place in the file"),
            (offset_of!(Self, pid), 4, "its process"),
        ]
    }

    pub(super) fn is(&self, who: Participant) -> bool {
        self.who.get() == who.word()
    }

    pub(super) fn is_somebody(&self) -> bool {
        self.who.get() != 0
    }

    /// Whether who has something in `slot`'s row lives no more.
    fn is_dead(&self, host: &impl Host, slot: usize) -> bool {
        let word = self.who.get();
        // A word that names nobody, or somebody in another slot, was scribbled.
        let lives = |who: Participant| who.slot() as usize == slot && (who == host.me() || host.lives(who));
        word != 0 && !Participant::from_word(word).is_some_and(lives)
    }

    /// Whether there may be something in the row.
    fn has_row(&self) -> bool {
        self.who.peek() != 0 && self.granted.peek() != 0
    }
}

impl Semaphores {
    pub(super) fn undoers(&self) -> &[Undoer] {
        self.area(self.geometry.undoers(), self.geometry.slots as usize)
    }

    /// What is to be added to a semaphore when the slot's owner is gone: an `i32`.
    pub(super) fn undo(&self, slot: u32, index: u32) -> &U32 {
        let row = self.geometry.undo() + u64::from(slot) * self.geometry.row();
        &self.area(row, self.geometry.count as usize)[index as usize]
    }

    /// The piece of the file that must be taken before the slot's row is used; none if he has one already.
    pub(super) fn space_for_undo(&self, slot: u32) -> Option<Space> {
        let granted = &self.undoers()[slot as usize].granted;
        let (offset, length) = self.geometry.undo_space(slot);
        (granted.peek() == 0).then_some(Space { offset, length })
    }

    /// The piece that the slot's row lies in was taken.
    pub(crate) fn grant(&self, slot: u32) {
        self.undoers()[slot as usize].granted.set(1);
    }

    /// Whether `operation`, after `earlier` ones, can be undone one day.
    pub(super) fn can_undo(&self, slot: u32, earlier: &[Operation], operation: Operation) -> bool {
        let same = earlier.iter().filter(|other| other.undo && other.index == operation.index);
        let before = i64::from(self.undo(slot, operation.index).peek().cast_signed());
        let undo = same.chain([&operation]).fold(before, |undo, other| undo - i64::from(other.delta));
        let most = i64::from(self.geometry.most);
        (-most - 1..=most).contains(&undo)
    }

    /// Notes that the caller's row may have something in it.
    pub(super) fn become_undoer(&self, me: Participant, pid: u32) {
        let undoer = &self.undoers()[me.slot() as usize];
        if !undoer.is(me) {
            let count = &self.control().front.undoers;
            count.set(count.peek().wrapping_add(1));
            undoer.pid.set(pid);
            undoer.who.set(me.word());
        }
    }

    /// Whether somebody but the caller may have something to be undone.
    pub(super) fn has_other_undoers(&self, me: Participant) -> bool {
        // Before the count: another thread of the caller's handle may be becoming one.
        let mine = u32::from(self.undoers()[me.slot() as usize].is(me));
        self.control().front.undoers.get() > mine
    }

    /// Whether one of them is dead. To be asked without the lock.
    pub(super) fn has_dead_undoer(&self, host: &impl Host) -> bool {
        self.undoers().iter().enumerate().any(|(slot, undoer)| undoer.is_dead(host, slot))
    }

    /// Gives back for all undoers that are dead. Whether there was one.
    pub(super) fn undo_the_dead(&self, host: &impl Host, wakes: &mut Wakes) -> bool {
        let mut found = false;
        for (slot, undoer) in self.undoers().iter().enumerate() {
            if undoer.is_dead(host, slot) {
                self.give_back(host, slot as u32, wakes);
                found = true;
            }
        }
        found
    }

    /// Gives back what the slot's row says, and empties it.
    pub(super) fn give_back(&self, host: &impl Host, slot: u32, wakes: &mut Wakes) {
        let undoer = &self.undoers()[slot as usize];
        let amounts = if undoer.has_row() { self.geometry.count } else { 0 };
        for index in 0..amounts {
            let undo = self.undo(slot, index);
            let amount = undo.peek().cast_signed();
            if amount != 0 {
                let word = self.values()[index as usize].peek();
                let value = Value::of(word).value;
                // What others did meanwhile may have left no room for it: as much as there is (semop(2)).
                let after = (i64::from(value) + i64::from(amount)).clamp(0, i64::from(self.geometry.most));
                self.journal(0).write(Entry { index, has_undo: true, undo: undo.peek(), word });
                self.arm_to_put_back(slot, 1);
                self.values()[index as usize].set(Value { value: after as u32, pid: undoer.pid.peek() }.word());
                undo.set(0);
                self.disarm();
                self.offer(host, index, wakes);
            }
        }
        if undoer.is_somebody() {
            undoer.who.set(0);
            let count = &self.control().front.undoers;
            count.set(count.peek().saturating_sub(1));
        }
    }

    /// Nobody undoes anything on those semaphores any more: they are set.
    pub(super) fn forget_undo(&self, indices: Range<u32>) {
        if self.control().front.undoers.peek() == 0 {
            return;
        }
        for slot in (0..).zip(self.undoers()).filter(|(_, undoer)| undoer.has_row()).map(|(slot, _)| slot) {
            indices.clone().for_each(|index| self.undo(slot, index).set(0));
        }
    }

    pub(super) fn count_undoers(&self) {
        let count = self.undoers().iter().filter(|undoer| undoer.is_somebody()).count();
        self.control().front.undoers.set(count as u32);
    }
}
