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
use super::object;
use super::patience::{Patience, SENDERS_GATHER, receivers_gather};
use super::raw::Fault;
use super::raw::cell::Target;
use super::raw::geometry::Geometry;
use super::raw::host::Participant;
use super::raw::ring::{Envelope, Received as Popped, Ring, Sent, Space};
use super::wait::Wait;
use crate::deadline::Deadline;
use crate::error::{Error, Result};
use crate::name::Name;

pub use batch::{Batch, Messages};
pub use options::QueueOptions;

mod batch;
mod options;

/// What a queue is called in its file's name.
const KIND: &str = "queue";

/// What a receive that allocates offers at first.
const FIRST_BUFFER: usize = 256;
/// And at most, before it knows the length.
const LAST_BUFFER: usize = 64 << 10;

/// Which message to receive.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Select {
    /// The first message, whatever its type (as `msgrcv` with `msgtyp` 0).
    #[default]
    Any,
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
}

impl From<Envelope> for Received {
    #[inline]
    fn from(Envelope { mtype, length, sequence }: Envelope) -> Self {
        Self { length: length as usize, mtype, sequence }
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
    /// Messages ever received from it.
    pub received: u64,
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

    /// How many messages it holds; a snapshot.
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
        let received = self.ring.received();
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
            sent: sent.messages.max(received.messages),
            received: received.messages,
            participants: self.attached.participants(&present),
            repairs: self.ring.repairs(),
            allocated: file.allocated,
            mode: file.permissions(),
            uid: file.uid,
            gid: file.gid,
        })
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
        };
        queue.enter()?;
        Ok(queue)
    }

    /// A fault in words. Who waits to a deadline for a lock has waited for the queue.
    #[cold]
    fn explain(&self, fault: Fault, doing: &str, deadline: Deadline) -> Error {
        match fault {
            Fault::Busy if !deadline.is_try() => {
                let name = self.attached.name();
                let what = format!("{doing} {name}: another participant is inside and doesn't get on (is it stopped?)");
                Error::new(libc::ETIMEDOUT, what)
            }
            fault => self.attached.explain(fault, doing),
        }
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

/// Sending.
impl Queue {
    /// Sends a message of type `mtype`, which is greater than 0; waits while the queue is full.
    ///
    /// # Errors
    /// `EINVAL` for a type below 1; `EMSGSIZE` for a message longer than the capacity; `EINTR` if a signal handler ran while
    /// waiting; `EUCLEAN` if the queue is damaged; in a forked child, at the first use, whatever [`QueueOptions::open`] gives;
    /// `ENOSPC` if the memory for it can't be had. Whatever the error, the message was not sent; but for
    /// `EOWNERDEAD`, after which it may have been.
    pub fn send(&self, mtype: i64, data: &[u8]) -> Result<()> {
        self.send_until(mtype, data, Deadline::NEVER)
    }

    /// As [`send`](Self::send), but doesn't wait.
    ///
    /// # Errors
    /// As [`send`](Self::send); `EAGAIN` if the queue is full, `EBUSY` if another sender is stuck inside for a second or two.
    pub fn try_send(&self, mtype: i64, data: &[u8]) -> Result<()> {
        self.send_until(mtype, data, Deadline::NOW)
    }

    /// As [`send`](Self::send), but waits for `timeout` at most.
    ///
    /// # Errors
    /// As [`send`](Self::send); `ETIMEDOUT`, but with a time-out of zero as [`try_send`](Self::try_send).
    pub fn send_timeout(&self, mtype: i64, data: &[u8], timeout: Duration) -> Result<()> {
        in_time(timeout, |deadline| self.send_until(mtype, data, deadline))
    }

    /// As [`send`](Self::send), but waits until `deadline` at most.
    ///
    /// # Errors
    /// As [`send`](Self::send); `EAGAIN` or `ETIMEDOUT` as the [`Deadline`] says.
    #[inline]
    pub fn send_until(&self, mtype: i64, data: &[u8], deadline: Deadline) -> Result<()> {
        if self.send_at_once(mtype, data) { Ok(()) } else { self.send_slow(mtype, data, deadline) }
    }

    /// The usual case, with as few registers as it takes: sends a short message if this handle has used the queue's end for long and
    /// alone, and there is room. Else `false`: nothing was done or checked, and [`send_until`](Self::send_until) says why.
    #[doc(hidden)]
    #[inline(always)]
    pub fn send_at_once(&self, mtype: i64, data: &[u8]) -> bool {
        if let Some(present) = self.attached.present()
            && mtype > 0
        {
            match self.ring.send_kept(&present, mtype, data) {
                Ok(sent) => return sent,
                Err(_) => self.attached.note_disowned(),
            }
        }
        false
    }

    fn check_message(&self, mtype: i64, length: usize) -> Result<()> {
        if mtype < 1 {
            let what = format!("send {}: type {mtype}: a message's type is greater than 0", self.attached.name());
            return Err(Error::new(libc::EINVAL, what));
        }
        if length as u64 > self.capacity() {
            let (name, most) = (self.attached.name(), self.capacity());
            let what = format!("send {name}: a message of {length} bytes: its capacity is {most}");
            return Err(Error::new(libc::EMSGSIZE, what));
        }
        Ok(())
    }

    /// One try, with all the space that it needs; `None` if the queue is full.
    fn attempt_send(&self, mtype: i64, data: &[u8], deadline: Deadline) -> Result<Option<()>> {
        loop {
            // Anew each time: a signal handler may have forked, and this be the child.
            let present = self.enter()?;
            match self.ring.send(&present, mtype, data, deadline) {
                Ok(Sent::Done) => return Ok(Some(())),
                Ok(Sent::Full) => return Ok(None),
                Ok(Sent::NeedsSpace(space)) => self.take_space(space)?,
                Err(fault) => return Err(self.explain(fault, "send", deadline)),
            }
        }
    }

    /// Takes a piece of the file, which the ring needs next.
    fn take_space(&self, space: Space) -> Result<()> {
        object::allocate(self.attached.descriptor()?.as_fd(), space.offset, space.length)
            .map_err(|error| error.during(format!("send {}", self.attached.name())))?;
        self.ring.grant(space);
        Ok(())
    }

    #[inline(never)]
    fn send_slow(&self, mtype: i64, data: &[u8], deadline: Deadline) -> Result<()> {
        self.check_message(mtype, data.len())?;
        let present = self.enter()?;
        match self.ring.send(&present, mtype, data, deadline) {
            Ok(Sent::Done) => Ok(()),
            Ok(_) => self.send_waiting(mtype, data, deadline),
            Err(fault) => Err(self.explain(fault, "send", deadline)),
        }
    }

    #[cold]
    fn send_waiting(&self, mtype: i64, data: &[u8], deadline: Deadline) -> Result<()> {
        let attempt = || self.attempt_send(mtype, data, deadline);
        if let Some(()) = attempt()? {
            return Ok(());
        }
        self.wait_for_room(data.len() as u64, deadline, attempt)
    }

    /// Repeats `attempt`, which found the queue full for a message of `length` bytes.
    fn wait_for_room<T>(
        &self,
        length: u64,
        deadline: Deadline,
        attempt: impl FnMut() -> Result<Option<T>>,
    ) -> Result<T> {
        if deadline.is_try() {
            return Err(Error::new(libc::EAGAIN, "send: the queue is full"));
        }
        let present = self.enter()?;
        let wait = Wait {
            present: &present,
            deadline,
            doing: &|| format!("send {}", self.attached.name()),
            in_vain: "the queue stayed full",
            event: self.ring.senders_event(),
            patience: &self.senders_patience,
            gather: SENDERS_GATHER,
            enough: &|| self.ring.is_half_free(),
            may: &|| self.ring.admits(length),
            announce: &|present| self.ring.announce_sender(present, length),
            woken_for_nothing: &|| self.ring.pass_wake_on(&present, length),
        };
        let done = wait.until_done(attempt)?;
        // The room that woke this sender may be enough for another.
        if self.ring.senders_wait() {
            self.ring.wake_senders(&present);
        }
        Ok(done)
    }
}

/// Receiving.
impl Queue {
    /// Receives the message that `select` names; waits while there is none.
    ///
    /// # Errors
    /// `EINTR` if a signal handler ran while waiting. Whatever the error, nothing was received; but for `EOWNERDEAD`, after which
    /// a message may have been.
    pub fn recv(&self, select: Select) -> Result<Message> {
        self.recv_until(select, Deadline::NEVER)
    }

    /// As [`recv`](Self::recv), but doesn't wait.
    ///
    /// # Errors
    /// `EAGAIN` if there is no such message, `EBUSY` if another receiver is stuck inside for a second or two.
    pub fn try_recv(&self, select: Select) -> Result<Message> {
        self.recv_until(select, Deadline::NOW)
    }

    /// As [`recv`](Self::recv), but waits for `timeout` at most.
    ///
    /// # Errors
    /// As [`recv`](Self::recv); `ETIMEDOUT`, but with a time-out of zero as [`try_recv`](Self::try_recv).
    pub fn recv_timeout(&self, select: Select, timeout: Duration) -> Result<Message> {
        in_time(timeout, |deadline| self.recv_until(select, deadline))
    }

    /// As [`recv`](Self::recv), but waits until `deadline` at most.
    ///
    /// # Errors
    /// As [`recv`](Self::recv); `EAGAIN` or `ETIMEDOUT` as the [`Deadline`] says.
    pub fn recv_until(&self, select: Select, deadline: Deadline) -> Result<Message> {
        loop {
            let mut data = vec![0; self.usual_length.load(Ordering::Relaxed)];
            match self.recv_into(select, &mut data, deadline) {
                Ok(Received { length, mtype, sequence }) => {
                    data.truncate(length);
                    return Ok(Message { mtype, data, sequence });
                }
                // It may be another message next time; whichever it is, the buffer only grows.
                Err(error) if error.errno() == libc::E2BIG => {
                    let message = self.recv_large(select, error.length(), deadline);
                    if !matches!(&message, Err(error) if error.errno() == libc::E2BIG) {
                        return message;
                    }
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Receives with a buffer of `length` bytes, and remembers that such lengths occur.
    #[cold]
    fn recv_large(&self, select: Select, length: u64, deadline: Deadline) -> Result<Message> {
        let length = usize::try_from(length).unwrap_or(usize::MAX);
        self.usual_length.fetch_max(length.next_power_of_two().min(LAST_BUFFER), Ordering::Relaxed);
        let mut data = Vec::new();
        data.try_reserve_exact(length).map_err(|_| {
            let what = format!("recv {}: no memory for {length} bytes; the message stays", self.attached.name());
            Error::new(libc::ENOMEM, what)
        })?;
        data.resize(length, 0);
        let Received { length, mtype, sequence } = self.recv_into(select, &mut data, deadline)?;
        data.truncate(length);
        Ok(Message { mtype, data, sequence })
    }

    /// As [`recv_until`](Self::recv_until), but into the caller's buffer: nothing is allocated.
    ///
    /// # Errors
    /// As [`recv_until`](Self::recv_until); `E2BIG` if the buffer is too small: the message stays, and [`Error::length`] says what
    /// it needs.
    #[inline]
    pub fn recv_into(&self, select: Select, buffer: &mut [u8], deadline: Deadline) -> Result<Received> {
        self.recv_to(select, buffer.into(), deadline)
    }

    /// As [`recv_into`](Self::recv_into), into memory that need not be initialised: the first [`Received::length`] bytes are then.
    ///
    /// # Errors
    /// As [`recv_into`](Self::recv_into).
    #[inline]
    pub fn recv_into_uninit(
        &self,
        select: Select,
        buffer: &mut [MaybeUninit<u8>],
        deadline: Deadline,
    ) -> Result<Received> {
        self.recv_to(select, buffer.into(), deadline)
    }

    #[inline]
    fn recv_to(&self, select: Select, mut target: Target, deadline: Deadline) -> Result<Received> {
        let Select::Any = select;
        if let Some(present) = self.attached.present() {
            match self.ring.receive_kept(&present, &mut target) {
                Ok(Some(envelope)) => return Ok(envelope.into()),
                Ok(None) => {}
                Err(_) => self.attached.note_disowned(),
            }
        }
        self.recv_slow(&mut target, deadline)
    }

    #[inline(never)]
    fn recv_slow(&self, target: &mut Target, deadline: Deadline) -> Result<Received> {
        let present = self.enter()?;
        match self.ring.receive(&present, target, deadline) {
            Ok(Popped::Message(envelope)) => Ok(envelope.into()),
            // Apart from what is hot: passing the outcome on through memory cost a quarter of a receive.
            Ok(Popped::Empty) => self.recv_waiting(target, deadline),
            Ok(Popped::TooSmall(length)) => Err(Error::too_big(length)),
            Err(fault) => Err(self.explain(fault, "recv", deadline)),
        }
    }

    /// One try; `None` if there is no message.
    fn attempt_recv(&self, target: &mut Target, deadline: Deadline) -> Result<Option<Received>> {
        // Anew each time: a signal handler may have forked, and this be the child.
        let present = self.enter()?;
        match self.ring.receive(&present, target, deadline) {
            Ok(Popped::Message(envelope)) => Ok(Some(envelope.into())),
            Ok(Popped::Empty) => Ok(None),
            Ok(Popped::TooSmall(length)) => Err(Error::too_big(length)),
            Err(fault) => Err(self.explain(fault, "recv", deadline)),
        }
    }

    #[cold]
    fn recv_waiting(&self, target: &mut Target, deadline: Deadline) -> Result<Received> {
        self.wait_for_message(deadline, || self.attempt_recv(target, deadline))
    }

    /// Repeats `attempt`, which found no message.
    #[cold]
    fn wait_for_message<T>(&self, deadline: Deadline, attempt: impl FnMut() -> Result<Option<T>>) -> Result<T> {
        if deadline.is_try() {
            return Err(Error::new(libc::EAGAIN, "recv: there is no message"));
        }
        let received = self.ring.received().messages;
        let taken = received.wrapping_sub(self.last_wait.swap(received, Ordering::Relaxed));
        let wait = Wait {
            present: &self.enter()?,
            deadline,
            doing: &|| format!("recv {}", self.attached.name()),
            in_vain: "no message came",
            event: self.ring.receivers_event(),
            patience: &self.receivers_patience,
            gather: receivers_gather(taken),
            enough: &|| false,
            may: &|| self.ring.may_receive(),
            announce: &|present| self.ring.announce_receiver(present),
            woken_for_nothing: &|| {},
        };
        wait.until_done(attempt)
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
