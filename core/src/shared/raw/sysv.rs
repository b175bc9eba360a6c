//! What System V keeps of an object besides: whose it is, who used it last. It lies at [`SYSV`] in the file of every object that a System V
//! call made; in all others it is 0.
//!
//! ```text
//!   MAKING ──► READY ──► REMOVED        one store each, and each a commit
//! ```
//!
//! MAKING is what bears an identifier but not yet its key; REMOVED is gone for everybody, though its names may still be there. Who finds either
//! finishes it, or sweeps it (`shared/sysv.rs`).

use super::cell::{U32, U64};
use super::header::ROSTER;
use super::sync::Placed;

/// Where it lies: the last 512 bytes before the roster.
pub(crate) const SYSV: usize = ROSTER as usize - 512;

const MAKING: u32 = 1;
const READY: u32 = 2;
const REMOVED: u32 = 3;

/// See the head of this file. Numbers as `struct ipc_perm` and its kin have them.
#[derive(Debug, Default)]
#[repr(C, align(64))]
pub(crate) struct Block {
    state: U32,
    pub(crate) id: U32,
    pub(crate) key: U32,
    pub(crate) uid: U32,
    pub(crate) gid: U32,
    pub(crate) creator_uid: U32,
    pub(crate) creator_gid: U32,
    pub(crate) mode: U32,
    /// When it was made or changed, in seconds since 1970.
    pub(crate) changed: U64,
    /// Raised when owner or mode change.
    pub(crate) version: U32,
    _unused: U32,
    _later: [U64; 10],
    /// Who sent last; of a set, only when it was operated on; of a segment, who used it last, and when it was attached.
    pub(crate) first: Use,
    /// Who received last; of a segment, who made it, and when it was detached.
    pub(crate) second: Use,
}

/// The last who used it in one way. A line of its own: senders and receivers don't wait for each other.
#[derive(Debug, Default)]
#[repr(C)]
pub(crate) struct Use {
    pid: U32,
    _unused: U32,
    time: U64,
    _later: [U64; 14],
}

const _: () = assert!(size_of::<Block>() == 3 * 128 && SYSV + size_of::<Block>() <= ROSTER as usize);

// SAFETY: atomics only.
unsafe impl Placed for Block {}

/// A [`Block`]'s identity, in numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Identity {
    pub(crate) id: u32,
    pub(crate) key: u32,
    pub(crate) uid: u32,
    pub(crate) gid: u32,
    pub(crate) mode: u32,
    pub(crate) now: u64,
}

impl Block {
    /// Describes a new object, which nobody else can see yet; one with a key isn't ready before that is linked.
    pub(crate) fn begin(&self, identity: &Identity) {
        let Identity { id, key, uid, gid, mode, now } = *identity;
        self.id.set(id);
        self.key.set(key);
        for (word, value) in [(&self.uid, uid), (&self.gid, gid), (&self.creator_uid, uid), (&self.creator_gid, gid)] {
            word.set(value);
        }
        self.mode.set(mode);
        self.changed.set(now);
        self.state.set(if key == 0 { READY } else { MAKING });
    }

    /// It bears its key, whoever says so first. Whether it is there for everybody.
    pub(crate) fn is_complete(&self) -> bool {
        self.state.swap_if(MAKING, READY).is_ok() || self.is_ready()
    }

    pub(crate) fn is_being_made(&self) -> bool {
        self.state.get() == MAKING
    }

    /// Removes it if it still is being made.
    pub(crate) fn give_up(&self) {
        let _ = self.state.swap_if(MAKING, REMOVED);
    }

    /// Whether it is there for everybody.
    #[inline]
    pub(crate) fn is_ready(&self) -> bool {
        self.state.get() == READY
    }

    pub(crate) fn is_removed(&self) -> bool {
        self.state.get() == REMOVED
    }

    /// Whether a System V call made it at all.
    pub(crate) fn is_there(&self) -> bool {
        (MAKING..=REMOVED).contains(&self.state.get())
    }

    /// Removes it; `false` if it isn't there (any more).
    pub(crate) fn remove(&self) -> bool {
        [READY, MAKING].iter().any(|&before| self.state.swap_if(before, REMOVED).is_ok())
    }
}

impl Use {
    /// Notes who and when. Mostly both are what they were.
    #[inline]
    pub(crate) fn note(&self, pid: u32, now: u64) {
        self.note_time(now);
        self.note_pid(pid);
    }

    #[inline]
    pub(crate) fn note_time(&self, now: u64) {
        if self.time.peek() != now {
            self.time.set(now);
        }
    }

    #[inline]
    pub(crate) fn note_pid(&self, pid: u32) {
        if self.pid.peek() != pid {
            self.pid.set(pid);
        }
    }

    pub(crate) fn get(&self) -> (u32, u64) {
        (self.pid.get(), self.time.get())
    }
}
