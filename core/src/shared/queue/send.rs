//! Sending, as people call it.

#![forbid(unsafe_code)]

use super::*;
use crate::shared::patience::SENDERS_GATHER;
use crate::shared::raw::geometry::LONGEST_INLINE;

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

    pub(super) fn check_message(&self, mtype: i64, length: usize) -> Result<()> {
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
                Ok(Sent::NeedsSpace(space)) => self.take_space(space, "send")?,
                Err(fault) => return Err(self.explain(fault, "send", deadline)),
            }
        }
    }

    #[inline(never)]
    fn send_slow(&self, mtype: i64, data: &[u8], deadline: Deadline) -> Result<()> {
        self.check_message(mtype, data.len())?;
        if data.len() as u64 > LONGEST_INLINE {
            return self.send_long(mtype, &data, deadline);
        }
        let present = self.enter()?;
        match self.ring.send(&present, mtype, data, deadline) {
            Ok(Sent::Done) => Ok(()),
            Ok(_) => self.send_waiting(mtype, data, deadline),
            Err(fault) => Err(self.explain(fault, "send", deadline)),
        }
    }

    #[cold]
    fn send_waiting(&self, mtype: i64, data: &[u8], deadline: Deadline) -> Result<()> {
        self.wait_for_room(data.len() as u64, deadline, "send", || self.attempt_send(mtype, data, deadline))
    }

    /// Tries until it is done; `attempt` gives `None` while there is no room for `length` bytes.
    pub(super) fn wait_for_room<T>(
        &self,
        length: u64,
        deadline: Deadline,
        doing: &str,
        mut attempt: impl FnMut() -> Result<Option<T>>,
    ) -> Result<T> {
        if let Some(done) = attempt()? {
            return Ok(done);
        }
        let present = self.enter()?;
        if deadline.is_try() {
            // The dead may hold what is missing, if not all that is held waits, or the limits admit it.
            if self.ring.leases() > 0 || self.ring.admits(length) {
                self.reclaim(&present);
                if let Some(done) = attempt()? {
                    return Ok(done);
                }
            }
            let error = Error::new(libc::EAGAIN, format!("{doing}: the queue is full"));
            return self.no_room_to_send(length, error, attempt);
        }
        let wait = Wait {
            present: &present,
            deadline,
            doing: &|| format!("{doing} {}", self.attached.name()),
            in_vain: "the queue stayed full",
            event: self.ring.senders_event(),
            patience: &self.senders_patience,
            gather: SENDERS_GATHER,
            enough: &|| self.ring.is_half_free(),
            may: &|| self.ring.admits(length),
            announce: &|present| self.ring.announce_sender(present, length),
            bits: EVERYBODY,
            before_sleep: &|| self.reclaim(&present),
            woken_for_nothing: &|| self.ring.pass_wake_on(&present, length),
        };
        let done = match wait.until_done(&mut attempt) {
            Err(error) if error.errno() == libc::ETIMEDOUT => self.no_room_to_send(length, error, attempt)?,
            outcome => outcome?,
        };
        // The room that woke this sender may be enough for another.
        if self.ring.senders_wait() {
            self.ring.wake_senders(&present);
        }
        Ok(done)
    }
}
