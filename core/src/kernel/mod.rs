//! Primitives whose state the kernel holds.
//!
//! Each is complete, and alike in Rust, C and Python; and each has what the raw calls never gave: waiting with a [`Deadline`](crate::Deadline),
//! no race at creation, no death by SIGPIPE, descriptors that don't leak into an exec, errors that say what happened. A guide to all
//! of them is `docs/kernel/`.
//!
//! - [`pipe`]: bytes from one end to the other, between relatives
//! - [`fifo`]: pipes with a name, for strangers; and two-way channels
//! - [`socket`]: connections and datagrams, with whole messages, descriptors and the sender's credentials
//! - [`signal`]: sent with a value to processes that can't be mistaken, and waited for instead of handled
//! - [`mod@file`]: locks, mappings, replacement in one step, following what grows
//! - [`memfd`]: memory without a name that can be sealed, to be handed to a stranger
//! - [`sysv`]: System V message queues, shared memory, semaphore sets
//! - [`posix`]: message queues, shared memory and semaphores by mq_overview(7), shm_overview(7) and sem_overview(7)
//!
//! What waits comes as `try_x` (never waits: `EAGAIN`), `x` (waits for ever) and `x_until`, which takes a deadline (`ETIMEDOUT`). A signal
//! handler that runs meanwhile is `EINTR`; nothing was done then, and to the same deadline one can go on.

pub mod fifo;
pub mod file;
pub mod memfd;
mod path;
pub mod pipe;
pub mod posix;
pub mod signal;
pub mod socket;
mod space;
pub mod sysv;
mod wait;
