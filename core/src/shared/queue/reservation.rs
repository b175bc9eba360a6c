//! A reservation: a message that its sender writes in place, before it is sent.

use std::fmt;
use std::ops::Deref;
use std::ptr::NonNull;

use super::*;
use crate::shared::raw::ring::Reserved;
use crate::shared::raw::ring::batch::Payload;
use crate::shared::raw::view::View;

/// A place in a queue for one message: written in place, then [sent](Self::commit). Dropped without that, it is given back.
///
/// It hinders nobody, however long it is held: others send meanwhile, and its message comes after theirs. If its process is killed the
/// place is given back. Of a forked child's the parent's is still the parent's: the child's copy does nothing, and using it
/// gives `EOWNERDEAD`.
///
/// `Q` is how it holds the queue: a reference, or an `Arc`.
pub struct Reservation<Q: Deref<Target = Queue> = std::sync::Arc<Queue>> {
    queue: Q,
    /// Whose it is: a forked child may have a block of its own at the same offset by now.
    owner: Participant,
    offset: u64,
    view: View,
    /// Whether it was sent.
    is_done: bool,
}

impl<Q: Deref<Target = Queue>> fmt::Debug for Reservation<Q> {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.debug_struct("Reservation").field("offset", &self.offset).field("length", &self.data().len()).finish()
    }
}

impl Queue {
    /// Reserves a place for a message of `length` bytes; waits while there is no room for it.
    ///
    /// # Errors
    /// As [`send`](Self::send).
    pub fn reserve(&self, length: usize) -> Result<Reservation<&Self>> {
        self.reserve_until(length, Deadline::NEVER)
    }

    /// As [`reserve`](Self::reserve), but waits until `deadline` at most.
    ///
    /// # Errors
    /// As [`send_until`](Self::send_until).
    pub fn reserve_until(&self, length: usize, deadline: Deadline) -> Result<Reservation<&Self>> {
        Reservation::new(self, length, deadline)
    }

    /// One try; `None` if there is no room.
    fn attempt_reserve(&self, length: u64, deadline: Deadline) -> Result<Option<(Participant, u64)>> {
        let mut granted = None;
        loop {
            let present = self.enter()?;
            if !self.ring.admits(length) {
                return Ok(None);
            }
            match self.ring.reserve(&present, length, granted, deadline) {
                Ok(Reserved::Block(offset)) => return Ok(Some((present.me(), offset))),
                Ok(Reserved::Full) => return Ok(None),
                Ok(Reserved::NeedsSpace(space)) => {
                    self.take_space(space, "reserve")?;
                    granted = Some(space);
                }
                Err(fault) => return Err(self.explain(fault, "reserve", deadline)),
            }
        }
    }

    /// One try, with all the space that it needs; `None` if the queue is full.
    fn attempt_commit(
        &self,
        owner: Participant,
        offset: u64,
        mtype: i64,
        length: u64,
        deadline: Deadline,
    ) -> Result<Option<()>> {
        loop {
            let present = self.owner(owner, "commit", "reservation")?;
            match self.ring.commit(&present, offset, mtype, length, deadline) {
                Ok(Sent::Done) => return Ok(Some(())),
                Ok(Sent::Full) => return Ok(None),
                Ok(Sent::NeedsSpace(space)) => self.take_space(space, "commit")?,
                Err(fault) => return Err(self.explain(fault, "commit", deadline)),
            }
        }
    }

    /// Lets the caller act for something that `owner` holds, if that is still who this handle is.
    pub(super) fn owner(&self, owner: Participant, doing: &str, what: &str) -> Result<Present<'_>> {
        let present = self.attached.present().filter(|present| present.me() == owner);
        present.ok_or_else(|| self.not_ours(doing, what))
    }

    /// What somebody holds isn't this process's, or the others presumed it dead.
    #[cold]
    pub(super) fn not_ours(&self, doing: &str, what: &str) -> Error {
        let name = self.attached.name();
        Error::new(
            libc::EOWNERDEAD,
            format!("{doing} {name}: this {what} is not this process's any more (it was forked?)"),
        )
    }
}

impl<Q: Deref<Target = Queue>> Reservation<Q> {
    /// As [`Queue::reserve_until`], with any way to hold the queue.
    ///
    /// # Errors
    /// As [`Queue::reserve_until`].
    pub fn new(queue: Q, length: usize, deadline: Deadline) -> Result<Self> {
        queue.check_message(1, length)?;
        let length = length as u64;
        let (owner, offset) =
            queue.wait_for_room(length, deadline, "reserve", || queue.attempt_reserve(length, deadline))?;
        let view = queue.ring.view(offset, length).map_err(|fault| queue.explain(fault, "reserve", deadline))?;
        Ok(Self { queue, owner, offset, view, is_done: false })
    }

    /// Where its bytes lie: valid for reads and writes as long as it lives; what they hold at first is anything.
    ///
    /// They are shared memory: who may write the queue's file could write there, though no madang does.
    pub fn data(&self) -> NonNull<[u8]> {
        self.view.bytes()
    }

    /// How many bytes it has.
    pub fn len(&self) -> usize {
        self.data().len()
    }

    /// Whether it has none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether it is this process's still: not in a forked child, nor when the others presumed this process dead.
    pub fn is_mine(&self) -> bool {
        let present = self.queue.attached.present().filter(|present| present.me() == self.owner);
        !self.is_done && present.is_some_and(|present| self.queue.ring.is_held(&present, self.offset))
    }

    /// Copies a whole message, as long as this.
    pub(super) fn copy_from(&mut self, message: &impl Payload) {
        self.view.copy_from(message);
    }

    /// Writes `from` at `offset`.
    ///
    /// # Errors
    /// `EINVAL` if that is not within.
    pub fn write(&mut self, offset: usize, from: &[u8]) -> Result<()> {
        if self.view.write(offset, from) {
            return Ok(());
        }
        let (length, has) = (from.len(), self.len());
        Err(Error::new(libc::EINVAL, format!("{length} bytes at {offset} don't lie within its {has}")))
    }

    /// Sends it as a message of type `mtype`; waits while the queue is full.
    ///
    /// # Errors
    /// As [`Queue::send`]; then it is given back, and nothing was sent. `EOWNERDEAD` in a forked child.
    pub fn commit(self, mtype: i64) -> Result<()> {
        self.commit_until(mtype, Deadline::NEVER)
    }

    /// As [`commit`](Self::commit), but waits until `deadline` at most.
    ///
    /// # Errors
    /// As [`commit`](Self::commit); `EAGAIN` or `ETIMEDOUT` as the [`Deadline`] says.
    pub fn commit_until(self, mtype: i64, deadline: Deadline) -> Result<()> {
        let length = self.len();
        self.commit_part(mtype, length, deadline)
    }

    /// As [`commit_until`](Self::commit_until), but only its first `length` bytes are the message.
    ///
    /// # Errors
    /// As [`commit_until`](Self::commit_until); `EINVAL` if it is not so long.
    pub fn commit_part(mut self, mtype: i64, length: usize, deadline: Deadline) -> Result<()> {
        self.try_commit(mtype, length, deadline)
    }

    /// As [`commit_part`](Self::commit_part), but after an error it can be tried again. To be called until it succeeds once.
    ///
    /// # Errors
    /// As [`commit_part`](Self::commit_part).
    pub fn try_commit(&mut self, mtype: i64, length: usize, deadline: Deadline) -> Result<()> {
        if length > self.len() || self.is_done {
            let has = self.len();
            return Err(Error::new(libc::EINVAL, format!("commit: {length} bytes of {has}, or it was sent already")));
        }
        self.queue.check_message(mtype, length)?;
        let (queue, owner, offset, length) = (&self.queue, self.owner, self.offset, length as u64);
        queue.wait_for_room(length, deadline, "commit", || {
            queue.attempt_commit(owner, offset, mtype, length, deadline)
        })?;
        self.is_done = true;
        Ok(())
    }
}

impl<Q: Deref<Target = Queue>> Drop for Reservation<Q> {
    fn drop(&mut self) {
        // Of an inherited one nothing is ours.
        if !self.is_done
            && let Some(present) = self.queue.attached.present()
            && present.me() == self.owner
        {
            // If it isn't ours any more, it was freed.
            let _ = self.queue.ring.unreserve(&present, self.offset);
        }
    }
}
