//! An end of the queue: where senders or receivers are, and what has passed there.
//!
//! **Place.** Tail and head are one word each: a position, a multiple of 8; which ring it is in (bit 0); and which of the two
//! marks beside it is in force (bit 1). A mark counts the bytes and messages that ever passed. The one not in force is
//! written first; storing the place puts it in force: one store for place and counts.
//!
//! **The other ring.** `left` says where the end left the ring that it is not in. It is written for the ring that is being
//! left, where it is not in force yet, before the place goes over.
//!
//! Who holds the end's lock changes it; others may look at any time.

use std::hint::spin_loop;

use super::cell::{U32, U64};
use super::geometry::{Side, WORD};
use super::keep::KeptLock;

/// Where a side is; see the head of this file.
///
/// ```text
///   63 ............ 3   2   1      0
///   position / 8        0   mark   ring
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place(pub(super) u64);

impl Place {
    pub(super) fn position(self) -> u64 {
        self.0 & !7
    }

    pub(super) fn side(self) -> Side {
        if self.0 & 1 == 0 { Side::Near } else { Side::Deep }
    }

    pub(super) fn mark(self) -> usize {
        (self.0 >> 1 & 1) as usize
    }

    /// `bytes` further in the same ring, with the other mark in force.
    pub(super) fn after(self, bytes: u64) -> Self {
        Self(self.0.wrapping_add(bytes) ^ 2)
    }

    /// At `position` in the other ring, with the same mark.
    pub(super) fn across(self, position: u64) -> Self {
        Self((position & !7) | (self.0 & 3 ^ 1))
    }
}

/// What passed an end of the queue since it was made.
#[derive(Debug, Default)]
#[repr(C)]
pub(super) struct Mark {
    bytes: U64,
    messages: U64,
}

/// A [`Mark`], read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Passed {
    pub(crate) bytes: u64,
    pub(crate) messages: u64,
}

impl Passed {
    pub(super) fn and(self, bytes: u64) -> Self {
        Self { bytes: self.bytes.wrapping_add(bytes), messages: self.messages.wrapping_add(1) }
    }

    pub(super) fn less(self, other: Self) -> Self {
        Self { bytes: self.bytes.wrapping_sub(other.bytes), messages: self.messages.wrapping_sub(other.messages) }
    }
}

impl Mark {
    pub(super) fn read(&self) -> Passed {
        Passed { bytes: self.bytes.get(), messages: self.messages.get() }
    }

    pub(super) fn write(&self, passed: Passed) {
        self.bytes.set(passed.bytes);
        self.messages.set(passed.messages);
    }
}

/// An end of the queue: where it is, and what has passed there.
#[derive(Debug, Default)]
#[repr(C)]
pub(super) struct End {
    pub(super) lock: KeptLock,
    _unused: U32,
    pub(super) place: U64,
    pub(super) marks: [Mark; 2],
    /// Where this side left each ring; in force for the one that it is not in.
    pub(super) left: [U64; 2],
}

impl End {
    /// Where it is, for the holder of its lock.
    #[inline]
    pub(super) fn place(&self) -> Place {
        Place(self.place.peek())
    }

    /// What had passed at `place`, for the holder of the lock.
    #[inline]
    pub(super) fn passed(&self, place: Place) -> Passed {
        self.marks[place.mark()].read()
    }

    /// Where a skip at `place` leads.
    pub(super) fn beyond(&self, place: Place) -> Place {
        place.across(self.left(place.side().other()).peek())
    }

    pub(super) fn left(&self, side: Side) -> &U64 {
        &self.left[side as usize]
    }

    /// Goes `bytes` on over a record, which counted: one commit.
    #[inline]
    pub(super) fn advance(&self, place: Place, bytes: u64, passed: Passed) {
        self.marks[place.mark() ^ 1].write(passed);
        self.place.set(place.after(bytes).0);
    }

    /// Follows the skip at `place` into the other ring: one commit.
    pub(super) fn cross(&self, place: Place) -> Place {
        self.left(place.side()).set(place.position().wrapping_add(WORD));
        let across = self.beyond(place);
        self.place.set(across.0);
        across
    }

    /// Place and mark as they were at one moment, for those who don't hold the lock.
    pub(super) fn look(&self) -> (Place, Passed) {
        let mut word = self.place.get();
        // Each retry means that a message passed meanwhile. The bound is against scribblers.
        for _ in 0..1 << 20 {
            let passed = self.marks[Place(word).mark()].read();
            let now = self.place.get();
            if now == word {
                return (Place(word), passed);
            }
            word = now;
            spin_loop();
        }
        (Place(word), self.marks[Place(word).mark()].read())
    }

    /// How far this end has come in `side`, for those who don't hold the lock.
    ///
    /// `left` is read before the place, so that one which is not in force yet (its skip is not followed) goes with a place that is
    /// in `side` still; and again after it, since a whole visit may have ended in between.
    pub(super) fn reached(&self, side: Side) -> u64 {
        let mut left = self.left(side).get();
        // Each retry means that the end left `side` meanwhile. The bound is against scribblers.
        for _ in 0..1 << 20 {
            let place = Place(self.place.get());
            if place.side() == side {
                return place.position();
            }
            let now = self.left(side).get();
            if now == left {
                break;
            }
            left = now;
        }
        left & !7
    }
}
