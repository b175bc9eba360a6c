//! A lease: a message that its receiver reads in place, and that comes back unless it is acknowledged.

use std::fmt;
use std::ops::Deref;
use std::ptr::NonNull;

use super::recv::Attempt;
use super::*;
use crate::shared::raw::ring::Leased;
use crate::shared::raw::view::View;

/// A message that was handed out, but is still the queue's until it is [acknowledged](Self::ack).
///
/// Dropped without that, or if its process is killed, it is received again, in its old place, and [says so](Self::redelivered).
/// So what a lease is done for happens at least once; [`sequence`](Self::sequence) tells repeats. It hinders nobody, however long
/// it is held, but counts as held by the queue. A forked child's copy does nothing, and using it gives `EOWNERDEAD`.
///
/// `Q` is how it holds the queue: a reference, or an `Arc`.
pub struct Lease<Q: Deref<Target = Queue> = std::sync::Arc<Queue>> {
    queue: Q,
    /// Whose it is: a forked child may have a block of its own at the same offset by now.
    owner: Participant,
    offset: u64,
    view: View,
    envelope: Envelope,
    is_done: bool,
}

impl<Q: Deref<Target = Queue>> fmt::Debug for Lease<Q> {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.debug_struct("Lease").field("envelope", &self.envelope).finish_non_exhaustive()
    }
}

impl Queue {
    /// Leases the message that `select` names; waits while there is none.
    ///
    /// One that was handed out as often as the queue's [limit](QueueOptions::dead_letters) says goes to its dead-letter queue
    /// instead, and the next one is leased.
    ///
    /// # Errors
    /// As [`recv`](Self::recv); `ENOSPC` if there is no memory for it outside the ring.
    pub fn lease(&self, select: Select) -> Result<Lease<&Self>> {
        self.lease_until(select, Deadline::NEVER)
    }

    /// As [`lease`](Self::lease), but doesn't wait.
    ///
    /// # Errors
    /// As [`lease`](Self::lease); `EAGAIN` if there is no such message.
    pub fn try_lease(&self, select: Select) -> Result<Lease<&Self>> {
        self.lease_until(select, Deadline::NOW)
    }

    /// As [`lease`](Self::lease), but waits for `timeout` at most.
    ///
    /// # Errors
    /// As [`lease`](Self::lease); `ETIMEDOUT`.
    pub fn lease_timeout(&self, select: Select, timeout: Duration) -> Result<Lease<&Self>> {
        in_time(timeout, |deadline| self.lease_until(select, deadline))
    }

    /// As [`lease`](Self::lease), but waits until `deadline` at most.
    ///
    /// # Errors
    /// As [`lease`](Self::lease); `EAGAIN` or `ETIMEDOUT` as the [`Deadline`] says.
    pub fn lease_until(&self, select: Select, deadline: Deadline) -> Result<Lease<&Self>> {
        Lease::new(self, select, deadline)
    }
}

impl Queue {
    /// Sends a leased message to the dead-letter queue and acknowledges it, if it was handed out too often. Killed in between,
    /// it is there twice.
    #[cold]
    fn bury(&self, offset: u64, envelope: Envelope, view: &View) -> bool {
        let Some((most, name)) = self.ring.dead_letters() else { return false };
        if envelope.deliveries < most {
            return false;
        }
        // Without memory for a copy it is leased all the same, as where that queue can't be had.
        let Some(copy) = view.try_to_vec() else { return false };
        let letters = Self::options().capacity(self.capacity()).open(&name);
        let sent = letters.and_then(|letters| letters.try_send(envelope.mtype, &copy));
        // If it can't be acknowledged it comes back, and is buried again.
        sent.is_ok() && self.enter().is_ok_and(|present| self.ring.acknowledge(&present, offset).is_ok())
    }
}

impl<Q: Deref<Target = Queue>> Lease<Q> {
    /// As [`Queue::lease_until`], with any way to hold the queue.
    ///
    /// # Errors
    /// As [`Queue::lease_until`].
    pub fn new(queue: Q, select: Select, deadline: Deadline) -> Result<Self> {
        let want = select.want()?;
        loop {
            let (owner, offset, envelope) = queue.wait_for_message(want, deadline, "lease", |present, granted| {
                let asked = Asked { want, cuts: false, granted };
                Ok(match queue.ring.lease(present, asked, deadline)? {
                    Leased::Message(offset, envelope) => Attempt::Done((present.me(), offset, envelope)),
                    Leased::Empty => Attempt::Nothing,
                    Leased::NeedsSpace(space) => Attempt::NeedsSpace(space),
                    Leased::NoRoom => Attempt::NoRoom,
                })
            })?;
            let view = queue.ring.view(offset, envelope.length);
            let view = view.map_err(|fault| queue.explain(fault, "lease", deadline))?;
            if envelope.deliveries == 0 || !queue.bury(offset, envelope, &view) {
                return Ok(Self { queue, owner, offset, view, envelope, is_done: false });
            }
        }
    }

    /// The message's type, greater than 0.
    pub fn mtype(&self) -> i64 {
        self.envelope.mtype
    }

    /// How many messages were sent to the queue before it: by this repeats are told.
    pub fn sequence(&self) -> u64 {
        self.envelope.sequence
    }

    /// How often it was handed out before; mostly 0.
    pub fn redelivered(&self) -> u32 {
        self.envelope.deliveries as u32
    }

    /// How many bytes it has.
    pub fn len(&self) -> usize {
        self.data().len()
    }

    /// Whether it has none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Where its bytes lie: valid for reads as long as the lease lives.
    ///
    /// They are shared memory: who may write the queue's file could change them, though no madang does.
    pub fn data(&self) -> NonNull<[u8]> {
        self.view.bytes()
    }

    /// A copy of its bytes.
    pub fn to_vec(&self) -> Vec<u8> {
        self.view.to_vec()
    }

    /// Whether it is this process's still: not in a forked child, nor when the others presumed this process dead.
    pub fn is_mine(&self) -> bool {
        let ring = &self.queue.ring;
        // Held is what is acknowledged, but not free yet.
        let is = |present| ring.is_leased(&present, self.offset) || ring.is_held(&present, self.offset);
        let present = self.queue.attached.present().filter(|present| present.me() == self.owner);
        !self.is_done && present.is_some_and(is)
    }

    /// Acknowledges it: the message is done with, and leaves the queue.
    ///
    /// # Errors
    /// `EOWNERDEAD` in a forked child, or if the others presumed this process dead: it will be, or was, received again.
    pub fn ack(mut self) -> Result<()> {
        self.is_done = true;
        let present = self.queue.owner(self.owner, "ack", "lease")?;
        self.queue.ring.acknowledge(&present, self.offset).map_err(|fault| self.explain(fault, "ack", Deadline::NOW))
    }

    /// As [`ack`](Self::ack), but waits until `deadline` at most for others inside, and after an error it can be tried again. To be
    /// called until it succeeds once.
    ///
    /// # Errors
    /// As [`ack`](Self::ack); `EBUSY` or `ETIMEDOUT` as the [`Deadline`] says, and `EINTR`: it is acknowledged, but its memory is not
    /// given back yet.
    pub fn try_ack(&mut self, deadline: Deadline) -> Result<()> {
        self.check_undone("ack")?;
        let present = self.queue.owner(self.owner, "ack", "lease")?;
        let acknowledged = self.queue.ring.acknowledge_until(&present, self.offset, deadline);
        acknowledged.map_err(|fault| self.explain(fault, "ack", deadline))?;
        self.is_done = true;
        Ok(())
    }

    /// Gives it back at once, to be received again; as dropping it, which can't tell of an error.
    ///
    /// # Errors
    /// As [`ack`](Self::ack).
    pub fn release(mut self) -> Result<()> {
        self.is_done = true;
        let present = self.queue.owner(self.owner, "release", "lease")?;
        let released = self.queue.ring.give_back(&present, self.offset);
        released.map_err(|fault| self.explain(fault, "release", Deadline::NOW))
    }

    /// As [`release`](Self::release), but waits until `deadline` at most for others inside, and after an error it can be tried
    /// again. To be called until it succeeds once.
    ///
    /// # Errors
    /// As [`release`](Self::release); `EBUSY` or `ETIMEDOUT` as the [`Deadline`] says, and `EINTR`: it is leased still.
    pub fn try_release(&mut self, deadline: Deadline) -> Result<()> {
        self.check_undone("release")?;
        let present = self.queue.owner(self.owner, "release", "lease")?;
        let released = self.queue.ring.give_back_until(&present, self.offset, deadline);
        released.map_err(|fault| self.explain(fault, "release", deadline))?;
        self.is_done = true;
        Ok(())
    }

    fn check_undone(&self, doing: &str) -> Result<()> {
        let again = || Error::new(libc::EINVAL, format!("{doing}: the lease was acknowledged or released already"));
        if self.is_done { Err(again()) } else { Ok(()) }
    }

    fn explain(&self, fault: Fault, doing: &str, deadline: Deadline) -> Error {
        self.queue.explain(fault, doing, deadline)
    }
}

impl<Q: Deref<Target = Queue>> Drop for Lease<Q> {
    fn drop(&mut self) {
        // Of an inherited one nothing is ours.
        if !self.is_done
            && let Some(present) = self.queue.attached.present()
            && present.me() == self.owner
        {
            let ring = &self.queue.ring;
            // What is acknowledged, but not free yet, doesn't come back. What fails is damaged.
            let _ = match ring.is_held(&present, self.offset) {
                true => ring.acknowledge(&present, self.offset),
                false => ring.give_back(&present, self.offset),
            };
        }
    }
}
