//! The sizes of a queue: how its limits become areas of a file.
//!
//! ```text
//!   header, roster │ near ring │ deep ring │ heap
//! ```
//!
//! Whatever the limits admit fits: the deep ring has room for as many messages as may be held, each with its head and its
//! padding. All of it is sparse: a page is taken when it is first used.

use super::block::{GRAIN, HEAD};
use super::header::{ALIGNMENT, Kind, Shape, length as header_length, used as header_used};
use super::heap::MOST_AREA;

/// The most bytes that a queue can be asked to hold: 1 TiB.
pub(crate) const MOST_BYTES: u64 = 1 << 40;
/// The most messages that a queue can be asked to hold.
pub(crate) const MOST_MESSAGES: u64 = 1 << 32;

/// Space is taken from the file in pieces of this many bytes; a new queue has the first one.
pub(crate) const PIECE: u64 = ALIGNMENT;
/// A lean one has so many at first.
pub(super) const LEAN: u64 = 4096;
/// The near ring's size where the queue is large enough to have both.
const NEAR: u64 = 256 << 10;
/// Longer messages lie in blocks, and are copied outside the locks.
pub(crate) const LONGEST_INLINE: u64 = 4096;
/// Bytes before a record's payload: its word and the message's type.
pub(super) const RECORD: u64 = 16;
/// Room that every check includes: the zero word after a record; or a skip there instead, and when the ring is entered
/// again behind it, another skip and the zero word after that.
pub(super) const SPARE: u64 = 24;
/// A record's size is a multiple of this.
pub(super) const WORD: u64 = 8;

/// The sizes of a queue; all follow from its limits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Geometry {
    pub(crate) slots: u32,
    /// The most bytes that the queue holds; also the longest message.
    pub(crate) capacity: u64,
    pub(crate) max_messages: u64,
    /// Powers of two. A small queue has no deep ring: 0.
    pub(super) near: u64,
    pub(super) deep: u64,
    /// Blocks for twice as many bytes as the limits admit, with their heads: what lies scattered leaves gaps.
    heap: u64,
}

impl Geometry {
    /// `None` if a limit is 0 or too large.
    pub(crate) fn new(capacity: u64, max_messages: u64, slots: u32) -> Option<Self> {
        if !(1..=MOST_BYTES).contains(&capacity) || !(1..=MOST_MESSAGES).contains(&max_messages) || slots == 0 {
            return None;
        }
        let all = all(capacity, max_messages);
        let near = (2 * capacity).next_power_of_two().clamp(ALIGNMENT, NEAR);
        let deep = if all <= near { 0 } else { all.next_power_of_two() };
        let heap = (2 * (capacity + max_messages * (HEAD + GRAIN))).next_multiple_of(ALIGNMENT).min(MOST_AREA);
        Some(Self { slots, capacity, max_messages, near, deep, heap })
    }

    /// The same with another near ring (and a deep one for all that the limits admit): smaller ones show more in a test.
    #[cfg(test)]
    pub(crate) fn with_near(self, near: u64) -> Self {
        let all = all(self.capacity, self.max_messages);
        Self { near, deep: all.next_power_of_two().max(near), ..self }
    }

    pub(crate) fn shape(&self) -> Shape {
        let mut parameters = [0; 8];
        parameters[..5].copy_from_slice(&[self.capacity, self.max_messages, self.near, self.deep, self.heap]);
        Shape { kind: Kind::Queue, slots: self.slots, size: self.size(), parameters }
    }

    /// The geometry of an existing queue; `None` if its sizes contradict each other.
    pub(crate) fn of(shape: &Shape) -> Option<Self> {
        let [capacity, max_messages, ..] = shape.parameters;
        Self::new(capacity, max_messages, shape.slots).filter(|geometry| geometry.shape() == *shape)
    }

    /// The file: header and roster, near ring, deep ring, heap.
    fn size(&self) -> u64 {
        self.heap_offset() + self.heap
    }

    /// How much of the file a new queue takes: all that can be touched before a first message.
    #[cfg(test)]
    pub(crate) fn first_space(&self) -> u64 {
        self.header_length() + PIECE.min(self.near)
    }

    /// What a new queue takes of the file, all that can be touched before a first message; if it is to be lean, no page that isn't
    /// needed. Offsets and lengths.
    pub(crate) fn first_spaces(&self, is_lean: bool) -> [(u64, u64); 2] {
        if is_lean {
            [(0, header_used(self.slots)), (self.offset(Side::Near), LEAN)]
        } else {
            [(0, self.header_length()), (self.offset(Side::Near), PIECE.min(self.near))]
        }
    }

    pub(crate) fn header_length(&self) -> u64 {
        header_length(self.slots)
    }

    /// Where a ring lies in the file.
    pub(crate) fn offset(&self, side: Side) -> u64 {
        match side {
            Side::Near => self.header_length(),
            Side::Deep => self.header_length() + self.near,
        }
    }

    /// Where the heap lies in the file.
    pub(crate) fn heap_offset(&self) -> u64 {
        self.offset(Side::Deep) + self.deep
    }

    /// The heap's size in bytes.
    pub(crate) fn heap(&self) -> u64 {
        self.heap
    }

    /// A ring's size in bytes.
    pub(crate) fn ring(&self, side: Side) -> u64 {
        match side {
            Side::Near => self.near,
            Side::Deep => self.deep,
        }
    }

    /// Whether a record of `size` bytes can lie in that ring at all.
    pub(super) fn fits(&self, side: Side, size: u64) -> bool {
        size + SPARE <= self.ring(side)
    }
}

/// What the limits admit takes so many bytes of a ring: every record wastes at most its head and seven bytes, or refers to an empty
/// message in a word; some skips may lie among them.
fn all(capacity: u64, max_messages: u64) -> u64 {
    capacity + max_messages * (RECORD + WORD) + 4 * SPARE
}

/// One of the two rings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    Near,
    Deep,
}

impl Side {
    pub(super) fn other(self) -> Self {
        match self {
            Self::Near => Self::Deep,
            Self::Deep => Self::Near,
        }
    }
}

/// How many bytes of a ring a message takes.
#[inline]
pub(super) fn record_size(length: u64) -> u64 {
    RECORD + length.next_multiple_of(WORD)
}
