//! A block: one message outside the rings, its bytes behind a head of 64 bytes.
//!
//! ```text
//!    0   state       63 ……… 32   31 ……… 16    15 ……… 0
//!                    owner       deliveries   kind          owner: a participant's word; 0 where nobody's
//!    8   size        of the whole block, a multiple of 64; the lowest three bits are the heap's
//!   16   sequence    how many messages were sent before this one
//!   24   type
//!   32   length      of the message
//!   40   left, right, others     the index (`index.rs`) while QUEUED; the heap's lists (`heap.rs`) while FREE
//!   64   the message's bytes
//! ```
//!
//! **The state is the commit of everything that happens to a block.** It is one word:
//!
//! ```text
//!           allocate            refer to it in the ring
//!   FREE ───────────► HELD ─────────────────────────────► SENT
//!     ▲                │  └──────────── skipped ────────► QUEUED ◄──── given back, or its holder died
//!     └── free ◄───────┴── free ◄───────────────────────── │ ▲
//!     ▲                                                    ▼ │
//!     └── free ◄─ HELD ◄───── acknowledged ◄───────────── LEASED
//! ```
//!
//! HELD, SENT and LEASED name an owner. What a state means is decided by what was committed in the rings, so that no death
//! leaves anything open:
//!
//! - HELD by the dead: nobody was told of it, or it is done with; it is free.
//! - SENT with its sequence at or past the tail: its sender died before the record that refers to it; free. Between head and
//!   tail: the ring refers to it. Behind the head: its receiver died after the head had passed it; free.
//! - QUEUED at or past the head: its mover died before the head had passed the record; free, the record is still there.
//!   Behind the head: it waits, and the index is rebuilt from these.
//! - LEASED by the dead: as QUEUED at or past the head; behind it, it is queued again, once more delivered.
//!
//! An owner alone changes the state of what it owns; QUEUED blocks belong to the holder of the receivers' lock, FREE ones to that
//! of the heap's.

use super::cell::U64;
use super::host::Participant;

/// Sizes and offsets of blocks are multiples of this.
pub(super) const GRAIN: u64 = 64;
/// A block's head.
pub(super) const HEAD: u64 = size_of::<Block>() as u64;
/// In the size: the bytes behind the head may have no space in the file yet, or no more.
pub(super) const HOLLOW: u64 = 1;

/// The head of a block; see the head of this file.
#[derive(Debug, Default)]
#[repr(C, align(64))]
pub(super) struct Block {
    pub(super) state: U64,
    pub(super) size: U64,
    pub(super) sequence: U64,
    pub(super) mtype: U64,
    pub(super) length: U64,
    pub(super) left: U64,
    pub(super) right: U64,
    pub(super) others: U64,
}

const _: () = assert!(size_of::<Block>() == 64);

/// What a block is at present.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    Free,
    /// Being filled, or freed, by its owner.
    Held(Participant),
    /// A record in the ring refers to it; the owner is its sender.
    Sent(Participant),
    /// In the backlog.
    Queued,
    /// Handed out to its owner, not acknowledged yet.
    Leased(Participant),
}

const FREE: u64 = 1;
const HELD: u64 = 2;
const SENT: u64 = 3;
const QUEUED: u64 = 4;
const LEASED: u64 = 5;

/// How often a message was handed out before, at most.
pub(super) const MOST_DELIVERIES: u64 = 0xffff;

impl Block {
    /// Its state and how often it was handed out before; `None` if the word can't have been written by madang.
    pub(super) fn state(&self) -> Option<(State, u64)> {
        let word = self.state.get();
        let owner = Participant::from_word((word >> 32) as u32);
        let state = match (word & 0xffff, owner) {
            (FREE, None) => State::Free,
            (HELD, Some(owner)) => State::Held(owner),
            (SENT, Some(owner)) => State::Sent(owner),
            (QUEUED, None) => State::Queued,
            (LEASED, Some(owner)) => State::Leased(owner),
            _ => return None,
        };
        Some((state, word >> 16 & MOST_DELIVERIES))
    }

    /// Changes the state: one commit.
    pub(super) fn commit(&self, state: State, deliveries: u64) {
        let (kind, owner) = match state {
            State::Free => (FREE, 0),
            State::Held(owner) => (HELD, owner.word()),
            State::Sent(owner) => (SENT, owner.word()),
            State::Queued => (QUEUED, 0),
            State::Leased(owner) => (LEASED, owner.word()),
        };
        self.state.set(u64::from(owner) << 32 | deliveries.min(MOST_DELIVERIES) << 16 | kind);
    }
}
