//! Who takes part in an object, as people want to know it.

#![forbid(unsafe_code)]

/// An open handle of an object, or what a dead one left in its place: see [`Queue::participants`](crate::Queue::participants).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Participant {
    /// The process that opened it, as its own pid namespace numbers it: in another container that number may be another
    /// process's, or nobody's.
    pub pid: u32,
    /// When it joined, on `CLOCK_MONOTONIC` in nanoseconds.
    pub joined_ns: u64,
    /// Whether it lives. A dead one's place goes to whoever needs it, who first settles what is left.
    pub lives: bool,
    /// Whether it is the very handle that was asked.
    pub is_me: bool,
}
