//! Primitives whose state lies in shared memory.
//!
//! ```text
//! queue, segment, semaphore_set, sync/   the handles that people hold
//! list                what there is
//! left_over           what a death left behind, and its sweeping
//!   object            a named file: found or made, checked, never seen half made
//!   shape             the header of an existing one
//!   attached          a participant of an object: its place in the roster, and who else lives
//!   participant       what people are told of one
//!   wait              waiting for what another will do
//!   bell              the same by a descriptor; watcher: by one for many
//!   patience          how long one looks before one sleeps
//!   mapping           what lies in an object's memory
//!   raw/              what lies in the memory: no names, no files
//! ```

mod attached;
mod bell;
pub(crate) mod left_over;
pub(crate) mod list;
mod mapping;
mod object;
pub(crate) mod participant;
mod patience;
pub(crate) mod queue;
mod raw;
pub(crate) mod segment;
pub(crate) mod semaphore_set;
mod shape;
pub(crate) mod sync;
pub mod sysv;
#[cfg(test)]
mod tests;
mod wait;
pub(crate) mod watcher;

/// Whether opening a name may create the object.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Create {
    /// Opens what exists, else creates it. Two processes that do so at once get the same object.
    #[default]
    IfMissing,
    /// Only opens what exists: otherwise `ENOENT`.
    Never,
    /// Only creates: `EEXIST` if the name is taken.
    Only,
}
