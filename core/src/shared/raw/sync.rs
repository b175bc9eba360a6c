//! Locks and their like that lie in shared memory: in an object of their own, or wherever in a segment a program wants them.
//!
//! Each is a struct of atomics whose all-zero state is the initial one. So there is nothing to initialise in a new segment, and no race about
//! it. Who holds something is named by his [`Participant`](super::host::Participant); so what the dead hold is found by asking whether
//! they live.

pub(crate) mod barrier;
pub(crate) mod condition;
pub(crate) mod flag;
pub(crate) mod mutex;
pub(crate) mod rwlock;

/// A struct that may lie anywhere in shared memory, at a multiple of [`ALIGNMENT`].
///
/// # Safety
/// It consists of atomics, for which every content is valid, and is aligned to [`ALIGNMENT`] at most.
pub(crate) unsafe trait Placed {}

/// Where such a struct may lie: a line of the cache.
pub(crate) const ALIGNMENT: usize = 64;
