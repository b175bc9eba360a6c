//! A bounded message queue in shared memory, with System V's meaning: what people hold.
//!
//! What happens in the memory stands in [`raw::ring`](super::raw::ring), who takes part in
//! [`attached`](super::attached). Here is what is between: names, tries, errors in words; options are in
//! `queue/options.rs`, batches and pieces in `queue/batch.rs`, waiting in [`wait`](super::wait).

#![forbid(unsafe_code)]

use std::mem::MaybeUninit;
use std::os::fd::AsFd;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use super::attached::{Attached, Present};
use super::mapping::Home;
use super::patience::Patience;
use super::raw::Fault;
use super::raw::cell::Target;
use super::raw::geometry::Geometry;
use super::raw::host::{EVERYBODY, Host, Participant};
use super::raw::index::Want;
use super::raw::ring::{Asked, Envelope, Received as Taken, Ring, Sent, Space, bits_for};
use super::raw::sysv::Block;
use super::wait::Wait;
use super::{object, participant};
use crate::deadline::Deadline;
use crate::error::{Error, Result};
use crate::name::Name;
use crate::sys::{file, process};

pub use batch::{Batch, Messages};
pub use lease::Lease;
pub use options::QueueOptions;
pub use reservation::Reservation;

mod batch;
mod descriptor;
mod lease;
mod options;
mod recv;
mod reservation;
mod send;

/// What a queue is called in its file's name.
pub(crate) const KIND: &str = "queue";

/// What a receive that allocates offers at first.
const FIRST_BUFFER: usize = 256;
/// And at most, before it knows the length.
const LAST_BUFFER: usize = 64 << 10;

/// Which message to receive; the rules of `msgrcv(2)`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Select {
    /// The first message, whatever its type (`msgtyp` 0).
    #[default]
    Any,
    /// The first message of this type (`msgtyp` above 0).
    Type(i64),
    /// Of the lowest type there is, if it is not above this one, the first message (`-msgtyp`).
    UpTo(i64),
    /// The first message that is not of this type (`MSG_EXCEPT`).
    Except(i64),
}

impl Select {
    /// What a number means that is passed as `msgrcv`'s `msgtyp`: 0 any, `t` above 0 that type, `-t` up to it.
    pub fn from_msgtyp(msgtyp: i64) -> Self {
        match msgtyp {
            0 => Self::Any,
            1.. => Self::Type(msgtyp),
            // As the kernel has it: there is no type above the largest.
            i64::MIN => Self::UpTo(i64::MAX),
            _ => Self::UpTo(-msgtyp),
        }
    }

    fn want(self) -> Result<Want> {
        match self {
            Self::Any => Ok(Want::Any),
            Self::Type(mtype @ 1..) => Ok(Want::Type(mtype)),
            Self::UpTo(mtype @ 1..) => Ok(Want::UpTo(mtype)),
            Self::Except(mtype @ 1..) => Ok(Want::Except(mtype)),
            Self::Type(mtype) | Self::UpTo(mtype) | Self::Except(mtype) => {
                Err(Error::new(libc::EINVAL, format!("select: type {mtype}: a message's type is greater than 0")))
            }
        }
    }
}

/// A message that was received.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Message {
    /// Its type, greater than 0 (System V's `mtype`).
    pub mtype: i64,
    /// Its bytes.
    pub data: Vec<u8>,
    /// How many messages were sent to this queue before it.
    pub sequence: u64,
    /// How often it was handed out before by a lease that wasn't acknowledged; mostly 0.
    pub redelivered: u32,
}

/// What is said of a message that was received into a buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Received {
    /// How many bytes of the buffer it filled.
    pub length: usize,
    /// Its type, greater than 0.
    pub mtype: i64,
    /// How many messages were sent to this queue before it.
    pub sequence: u64,
    /// How often it was handed out before by a lease that wasn't acknowledged; mostly 0.
    pub redelivered: u32,
    /// How long the message was. More than `length` only where it was [cut](Queue::recv_cut).
    pub message_length: usize,
}

impl Received {
    #[inline]
    fn new(envelope: Envelope, capacity: usize) -> Self {
        let Envelope { mtype, length, sequence, deliveries } = envelope;
        let message_length = length as usize;
        Self { length: message_length.min(capacity), mtype, sequence, redelivered: deliveries as u32, message_length }
    }

    /// Whether the buffer was too small, and the rest of the message is lost.
    pub fn is_cut(&self) -> bool {
        self.message_length > self.length
    }
}

/// What [`Queue::stat`] tells; a snapshot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct QueueStatus {
    /// The most bytes that it holds; also the longest message.
    pub capacity: u64,
    /// The most messages that it holds.
    pub max_messages: u64,
    /// How many open handles it has room for.
    pub max_participants: u32,
    /// Bytes held.
    pub bytes: u64,
    /// Messages held.
    pub messages: u64,
    /// Messages ever sent to it.
    pub sent: u64,
    /// Messages that ever left it.
    pub received: u64,
    /// Of the messages held, how many are leased. (What the dead had leased is given back first, unless somebody is inside just then.)
    pub leased: u64,
    /// Open handles in all living processes.
    pub participants: u32,
    /// How often the living repaired what a killed process left half done.
    pub repairs: u64,
    /// Bytes of memory that it takes.
    pub allocated: u64,
    /// Permission bits.
    pub mode: u32,
    /// The owner's user id.
    pub uid: u32,
    /// The owner's group id.
    pub gid: u32,
}

/// A bounded queue of messages in shared memory, for any number of senders and receivers in any processes and languages.
///
/// A message is a type greater than 0 and some bytes. Messages are received in the order in which they were sent. The queue
/// persists until [`unlink`](Self::unlink), with what it holds; dropping a handle only closes it. A handle may be shared by
/// threads, used by a forked child (which then takes part on its own), and there may be several in one process.
///
/// **What is promised.** A process killed at any instruction leaves every other able to go on. A message whose send returned is
/// there; one whose sender was killed in the middle of sending is there wholly or not at all. A receive hands over when it
/// returns: who is killed right after it takes the message along, as with the kernel's queues.
///
/// ```
/// # let name = format!("queue-example-{}", std::process::id());
/// # let name = name.as_str();
/// use madang::{Queue, Select};
/// use std::time::Duration;
///
/// let orders = Queue::options().capacity(4 << 20).open(name)?;
/// orders.send(7, b"two teas")?;
/// let message = orders.recv_timeout(Select::Any, Duration::from_secs(1))?;
/// assert_eq!(message.data, b"two teas");
/// assert_eq!(orders.try_recv(Select::Any).unwrap_err().errno(), libc::EAGAIN);
/// Queue::unlink(name)?;
/// # Ok::<(), madang::Error>(())
/// ```
#[doc(alias("msgget", "msgsnd", "msgrcv", "mq_open"))]
#[derive(Debug)]
pub struct Queue {
    ring: Ring,
    attached: Attached,
    is_new: bool,
    /// What a receive that allocates offers, from what it has seen.
    usual_length: AtomicUsize,
    senders_patience: Patience,
    receivers_patience: Patience,
    /// How many messages had been received when this handle last waited for one.
    last_wait: AtomicU64,
    last_wait_bytes: AtomicU64,
    descriptors: descriptor::Descriptors,
}

impl Queue {
    /// All defaults; change what you need, then [`open`](QueueOptions::open).
    #[must_use]
    pub fn options() -> QueueOptions {
        QueueOptions::default()
    }

    /// Opens the queue `name`, or creates it, with all defaults.
    ///
    /// # Errors
    /// As [`QueueOptions::open`].
    pub fn open(name: &str) -> Result<Self> {
        Self::options().open(name)
    }

    /// Takes the name away; who has the queue open goes on with it. The next open makes a new one.
    ///
    /// # Errors
    /// `ENOENT`; `EACCES` or `EPERM` if it is another user's; `EINVAL`, `ENAMETOOLONG` for a bad name.
    pub fn unlink(name: &str) -> Result<()> {
        object::unlink(&Name::object(KIND, name)?)
    }

    /// The name by which it was opened.
    #[must_use]
    pub fn name(&self) -> &str {
        self.attached.name().as_str()
    }

    /// Whether this very open created it.
    #[must_use]
    pub fn is_new(&self) -> bool {
        self.is_new
    }

    /// The most bytes that it holds; also the longest message.
    #[must_use]
    pub fn capacity(&self) -> u64 {
        self.ring.geometry().capacity
    }

    /// How many messages it holds; a snapshot. (One that a killed receiver was moving may count twice: [`stat`](Self::stat) sees to that.)
    #[must_use]
    pub fn len(&self) -> u64 {
        self.ring.held().messages
    }

    /// Whether it holds no message; a snapshot.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// What it is and holds.
    ///
    /// # Errors
    /// `EOWNERDEAD`; what joining gives in a forked child.
    pub fn stat(&self) -> Result<QueueStatus> {
        let present = self.enter()?;
        let file = self.attached.stat()?;
        self.ring.put_counts_in_order(&present);
        if self.ring.leases() > 0 && self.attached.has_dead(&present) {
            self.reclaim(&present);
        }
        let gone = self.ring.gone();
        let sent = self.ring.sent();
        let held = self.ring.held();
        let Geometry { capacity, max_messages, slots, .. } = *self.ring.geometry();
        Ok(QueueStatus {
            capacity,
            max_messages,
            max_participants: slots,
            bytes: held.bytes,
            messages: held.messages,
            // A message may be received before its sender has counted it.
            sent: sent.messages.max(gone.messages),
            received: gone.messages,
            leased: self.ring.leases(),
            participants: self.attached.participants(&present),
            repairs: self.ring.repairs(),
            allocated: file.allocated,
            mode: file.permissions(),
            uid: file.uid,
            gid: file.gid,
        })
    }

    /// Gives back memory that the queue took for messages outside its rings (skipped, long, leased, reserved) and needs no more, what
    /// the dead had reserved included. Says how many bytes; what others take meanwhile is subtracted.
    ///
    /// # Errors
    /// `EBUSY` if another participant is stuck inside; what `fallocate(2)` gives.
    pub fn trim(&self) -> Result<u64> {
        let before = self.attached.stat()?.allocated;
        let (mut last, mut done) = (None, Ok(()));
        self.reclaim(&self.enter()?);
        loop {
            let present = self.enter()?;
            let next = self.ring.hollow_out(&present, last);
            match next.map_err(|fault| self.explain(fault, "trim", Deadline::NOW))? {
                // What was claimed is freed by the next step, also after a failure.
                Some((claim, offset)) => {
                    done = done.and_then(|()| self.punch(offset, claim.length));
                    last = Some(claim);
                }
                None => break,
            }
        }
        done?;
        // Of what was punched some may have been given back long ago.
        Ok(before.saturating_sub(self.attached.stat()?.allocated))
    }

    /// Who takes part: every open handle, and those of killed processes whose place nobody has needed since. In no order.
    ///
    /// # Errors
    /// As [`stat`](Self::stat).
    pub fn participants(&self) -> Result<Vec<participant::Participant>> {
        let present = self.enter()?;
        Ok(self.attached.roll(&present))
    }

    /// The process, as its own namespace numbers it.
    #[inline]
    pub(in crate::shared) fn pid(&self) -> u32 {
        self.attached.present().map_or(0, |present| present.pid())
    }

    /// It was made by a System V call; what that keeps of it.
    pub(in crate::shared) fn becomes_sysv(&mut self) -> Home<Block> {
        self.attached.becomes_sysv()
    }

    /// The limits in force, in bytes and messages.
    pub(in crate::shared) fn limits(&self) -> (u64, u64) {
        self.ring.limits()
    }

    /// Puts others in force, at most those that it was made with.
    pub(in crate::shared) fn set_limits(&self, bytes: u64, messages: u64) -> Result<()> {
        let limited = self.ring.limit(&self.enter()?, bytes, messages, Deadline::NOW);
        limited.map_err(|fault| self.explain(fault, "limit", Deadline::NOW))
    }

    /// Wakes all who wait: it was removed.
    pub(in crate::shared) fn wake_all(&self) {
        // For a forked child that has only its parent's place to join. (What it answers is that it was removed.)
        let _ = self.enter();
        if let Some(present) = self.attached.present() {
            self.ring.wake_all(&present);
        }
    }

    /// Makes a handle, and joins.
    fn attach(ring: Ring, attached: Attached, is_new: bool) -> Result<Self> {
        let queue = Self {
            ring,
            attached,
            is_new,
            usual_length: AtomicUsize::new(FIRST_BUFFER),
            senders_patience: Patience::default(),
            receivers_patience: Patience::default(),
            last_wait: AtomicU64::new(0),
            last_wait_bytes: AtomicU64::new(0),
            descriptors: descriptor::Descriptors::default(),
        };
        queue.enter()?;
        Ok(queue)
    }

    #[cold]
    fn explain(&self, fault: Fault, doing: &str, deadline: Deadline) -> Error {
        self.attached.explain_until(fault, doing, deadline)
    }

    #[inline]
    fn enter(&self) -> Result<Present<'_>> {
        self.attached.enter(&|present: &Present, heir: Participant| self.ring.settle(present, heir))
    }
}

impl Drop for Queue {
    fn drop(&mut self) {
        if let Some(present) = self.attached.present() {
            self.ring.leave(&present);
        }
    }
}

/// What operations need of the world.
impl Queue {
    /// Takes an end for this handle alone.
    fn claim(&self, senders: bool) -> Result<()> {
        let present = self.enter()?;
        let lacks =
            |what| Err(Error::new(libc::ENOTSUP, format!("open {}: an end to itself takes {what}", self.name())));
        if process::thread() == 0 {
            return lacks("a thread pointer, which we don't know on this architecture");
        }
        if !present.may_be_reached() {
            return lacks("membarrier(2), which is forbidden here");
        }
        self.ring.claim(&present, senders).map_err(|fault| self.explain(fault, "open", Deadline::NOW))
    }

    /// Takes a piece of the file that the ring asked for.
    #[cold]
    fn take_space(&self, space: Space, doing: &str) -> Result<()> {
        object::allocate(self.attached.descriptor()?.as_fd(), space.offset, space.length)
            .map_err(|error| error.during(format!("{doing} {}", self.attached.name())))?;
        self.ring.grant(space);
        Ok(())
    }

    /// Gives back the space of a piece of the file.
    fn punch(&self, offset: u64, length: u64) -> Result<()> {
        file::punch(self.attached.descriptor()?.as_fd(), offset, length)
            .map_err(|errno| errno.during(format!("trim {}: fallocate", self.attached.name())))
    }

    /// Gives back what the dead held, if there may be something.
    #[cold]
    fn reclaim(&self, present: &Present) {
        if self.ring.has_blocks() {
            // What is damaged will be found by who uses it.
            let _ = self.ring.reclaim(present);
        }
    }
}

/// Tries at once, and only then asks for the time: the clock costs more than a message.
#[inline]
fn in_time<T>(timeout: Duration, mut attempt: impl FnMut(Deadline) -> Result<T>) -> Result<T> {
    match attempt(Deadline::INSTANT) {
        Err(error) if error.errno() == libc::EAGAIN || error.errno() == libc::EBUSY => {
            attempt(Deadline::after(timeout))
        }
        done => done,
    }
}
