//! The sizes of a set of semaphores.

use super::super::header::{ALIGNMENT, Kind, Shape, length as header_length, used as header_used};
use super::journal::Record;
use super::seats::Place;
use super::undo::Undoer;

/// The most semaphores of a set.
pub(crate) const MOST_SEMAPHORES: u32 = 1 << 16;
/// The most operations of an array.
pub(crate) const MOST_OPERATIONS: usize = 512;
/// The largest value that a semaphore can be asked to hold.
pub(crate) const MOST_VALUE: u32 = i32::MAX as u32;

/// Areas begin at multiples of this.
const LINE: u64 = 128;
/// Space for undo is taken in pieces of this many bytes at least.
const PIECE: u64 = 4096;

/// The sizes of a set; all follow from its limits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Geometry {
    pub(crate) slots: u32,
    /// How many semaphores it has.
    pub(crate) count: u32,
    /// The largest value that they may have.
    pub(crate) most: u32,
}

impl Geometry {
    /// `None` if a limit is 0 or too large.
    pub(crate) fn new(count: u32, most: u32, slots: u32) -> Option<Self> {
        let good = (1..=MOST_SEMAPHORES).contains(&count) && (1..=MOST_VALUE).contains(&most) && slots > 0;
        good.then_some(Self { slots, count, most })
    }

    pub(crate) fn shape(&self) -> Shape {
        let mut parameters = [0; 8];
        parameters[..2].copy_from_slice(&[self.count.into(), self.most.into()]);
        Shape { kind: Kind::SemaphoreSet, slots: self.slots, size: self.size(), parameters }
    }

    /// The geometry of an existing set; `None` if its sizes contradict each other.
    pub(crate) fn of(shape: &Shape) -> Option<Self> {
        let [count, most, ..] = shape.parameters.map(|parameter| u32::try_from(parameter).ok());
        Self::new(count?, most?, shape.slots).filter(|geometry| geometry.shape() == *shape)
    }

    /// Where each begins.
    #[cfg(test)]
    pub(crate) fn areas_for_test(&self) -> [u64; 6] {
        [self.values(), self.staged(), self.undoers(), self.journal(), self.seats(), self.undo()]
    }

    pub(super) fn values(&self) -> u64 {
        header_length(self.slots)
    }

    pub(super) fn staged(&self) -> u64 {
        (self.values() + 8 * u64::from(self.count)).next_multiple_of(LINE)
    }

    pub(super) fn undoers(&self) -> u64 {
        (self.staged() + 4 * u64::from(self.count)).next_multiple_of(LINE)
    }

    pub(super) fn journal(&self) -> u64 {
        (self.undoers() + u64::from(self.slots) * size_of::<Undoer>() as u64).next_multiple_of(LINE)
    }

    pub(super) fn seats(&self) -> u64 {
        (self.journal() + (MOST_OPERATIONS * size_of::<Record>()) as u64).next_multiple_of(LINE)
    }

    /// How many can wait in order.
    pub(super) fn seats_count(&self) -> u32 {
        self.slots
    }

    pub(super) fn undo(&self) -> u64 {
        (self.seats() + u64::from(self.seats_count()) * size_of::<Place>() as u64).next_multiple_of(PIECE)
    }

    /// The bytes of a slot's row there: an amount for each semaphore.
    pub(super) fn row(&self) -> u64 {
        4 * u64::from(self.count)
    }

    /// The whole file.
    pub(crate) fn size(&self) -> u64 {
        (self.undo() + u64::from(self.slots) * self.row()).next_multiple_of(ALIGNMENT)
    }

    /// What a new set takes of the file, all but what only some need: offsets and lengths.
    pub(crate) fn first_spaces(&self) -> [(u64, u64); 2] {
        [(0, header_used(self.slots)), (self.values(), self.undo() - self.values())]
    }

    /// The piece of the file that a slot's row lies in.
    pub(super) fn undo_space(&self, slot: u32) -> (u64, u64) {
        let start = self.undo() + u64::from(slot) * self.row();
        let (first, end) = (start / PIECE * PIECE, (start + self.row()).next_multiple_of(PIECE));
        (first, end - first)
    }
}
