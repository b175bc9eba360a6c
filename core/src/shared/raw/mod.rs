//! What lies in shared memory, and how it is changed.
//!
//! This floor knows no names and no files: it is given addresses, whose owner it only keeps alive, and a
//! [`Host`](host::Host), which says who lives, and sleeps and wakes. The handles are one host; the tests are another, on memory
//! of their own, with a trap that ends an operation before its n-th store as death would, or lets another in before its n-th access.
//!
//! Rules that every file here keeps: an operation takes effect by exactly one store; every store that repair reads
//! is a Release, in the order that repair relies on; a length is read once and checked before it is used; every walk
//! is bounded; all-zero is the valid initial state.

mod block;
pub(crate) mod cell;
mod end;
pub(crate) mod event;
pub(crate) mod geometry;
pub(crate) mod header;
pub(crate) mod heap;
pub(crate) mod host;
pub(crate) mod index;
mod keep;
mod lines;
pub(crate) mod lock;
pub(crate) mod ring;
pub(crate) mod roster;
pub(crate) mod semaphores;
pub(crate) mod sync;
pub(crate) mod sysv;
pub(crate) mod view;

#[cfg(test)]
mod tests;

/// What an operation found instead of being done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// A living participant held the lock for as long as the caller may wait for it.
    Busy,
    /// A signal handler ran while the caller slept on the lock. Nothing was done.
    Interrupted,
    /// The others presumed this participant dead, took its lock over and repaired: it must touch nothing more.
    Disowned,
    /// This end belongs to a living participant alone.
    Exclusive,
    /// The block that the caller means isn't his: he inherited the handle that knows of it, or was presumed dead.
    NotYours,
    /// What lies there can't have been written by madang.
    Damaged(&'static str),
}
