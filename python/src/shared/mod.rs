//! Primitives whose state lies in shared memory; and what their classes have in common.

mod handle;
pub(crate) mod lease;
pub(crate) mod left_over;
pub(crate) mod list;
mod loan;
pub(crate) mod participant;
pub(crate) mod queue;
pub(crate) mod reservation;
pub(crate) mod segment;
pub(crate) mod semaphore_set;
pub(crate) mod sync;
pub(crate) mod sysv;

use std::fmt::Debug;

/// A struct of numbers, as Python would write it.
pub(crate) fn repr(numbers: &impl Debug) -> String {
    format!("{numbers:?}").replace(" { ", "(").replace(": ", "=").replace(" }", ")")
}
