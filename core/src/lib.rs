//! # madang: inter-process communication for Linux
//!
//! Queues and segments in shared memory that processes in Rust, C and Python open by the same name,
//! with the same meaning and the same errors. A process killed at any instruction leaves every other
//! one able to go on, and every message that was sent is received once.
//!
//! ```
//! # let name = format!("lib-example-{}", std::process::id());
//! # let name = name.as_str();
//! use madang::{Queue, Select};
//!
//! let queue = Queue::open(name)?; // opens it, or creates it with mode 0600
//! queue.send(3, b"an order")?;
//! let message = queue.recv(Select::Any)?;
//! assert_eq!((message.mtype, &message.data[..]), (3, &b"an order"[..]));
//! Queue::unlink(name)?; // a queue persists until it is unlinked
//! # Ok::<(), madang::Error>(())
//! ```
//!
//! What waits comes in threes: `try_x` (never waits), `x` (waits), `x_timeout`; and `x_until` takes a
//! [`Deadline`]. Every failure is an [`Error`] that carries an errno and says what to do.
//!
//! Nothing here is async-signal-safe.

mod deadline;
mod error;
pub mod kernel;
mod mapping;
mod name;
pub mod shared;
mod sys;

pub use deadline::Deadline;
pub use error::{Error, Result};
pub use kernel::{fifo, file, memfd, pipe, posix, signal, socket, sysv};
pub use mapping::Mapping;
pub use shared::Create;
pub use shared::left_over::{LeftOvers, gc, left_overs};
pub use shared::list::{Kind, ListOptions, Listed, list};
pub use shared::participant::Participant;
pub use shared::queue::{
    Batch, Lease, Message, Messages, Queue, QueueOptions, QueueStatus, Received, Reservation, Select,
};
pub use shared::segment::{Segment, SegmentOptions};
#[doc(hidden)]
pub use shared::semaphore_set::Turn;
pub use shared::semaphore_set::{Operation, SemaphoreSet, SemaphoreSetOptions, SemaphoreSetStatus, Waiting};
pub use shared::sync::SyncOptions;
pub use shared::sync::barrier::Barrier;
pub use shared::sync::condition::Condition;
pub use shared::sync::event::Event;
pub use shared::sync::mutex::{Mutex, MutexGuard};
pub use shared::sync::rwlock::{RwLock, RwLockGuard};
#[doc(hidden)]
pub use shared::sync::{
    rwlock::Held,
    unguarded::{UnguardedMutex, UnguardedRwLock},
};
pub use shared::watcher::{Rung, Watcher};
