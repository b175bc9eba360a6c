//! Receiving, as people call it.

#![forbid(unsafe_code)]

use super::*;
use crate::shared::patience::receivers_gather;

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
                Ok(Received { length, mtype, sequence, redelivered, .. }) => {
                    data.truncate(length);
                    return Ok(Message { mtype, data, sequence, redelivered });
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
        let mut data = self.room_for(length, "recv")?;
        self.usual_length.fetch_max(data.len().next_power_of_two().min(LAST_BUFFER), Ordering::Relaxed);
        let Received { length, mtype, sequence, redelivered, .. } = self.recv_into(select, &mut data, deadline)?;
        data.truncate(length);
        Ok(Message { mtype, data, sequence, redelivered })
    }

    /// Memory for a message that is known to be so long.
    fn room_for(&self, length: u64, doing: &str) -> Result<Vec<u8>> {
        let length = usize::try_from(length).unwrap_or(usize::MAX);
        let mut data = Vec::new();
        data.try_reserve_exact(length).map_err(|_| {
            let what = format!("{doing} {}: no memory for {length} bytes; the message stays", self.attached.name());
            Error::new(libc::ENOMEM, what)
        })?;
        data.resize(length, 0);
        Ok(data)
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

    /// As [`recv_into_uninit`](Self::recv_into_uninit), but a message that is longer than the buffer is cut (`MSG_NOERROR`): the rest
    /// is lost, and [`Received::is_cut`].
    ///
    /// # Errors
    /// As [`recv_until`](Self::recv_until).
    pub fn recv_cut(&self, select: Select, buffer: &mut [MaybeUninit<u8>], deadline: Deadline) -> Result<Received> {
        self.recv_slow(select, &mut buffer.into(), true, deadline)
    }

    #[inline]
    fn recv_to(&self, select: Select, mut target: Target, deadline: Deadline) -> Result<Received> {
        if select == Select::Any
            && let Some(received) = self.recv_to_at_once(&mut target)
        {
            return Ok(received);
        }
        self.recv_slow(select, &mut target, false, deadline)
    }

    /// The usual case, as [`send_at_once`](Self::send_at_once): receives a message of at most 4 KiB if this handle has used the queue's end
    /// for long and alone, and there is one. Else `None`: nothing was done or checked.
    #[doc(hidden)]
    #[inline(always)]
    pub fn recv_at_once(&self, buffer: &mut [MaybeUninit<u8>]) -> Option<Received> {
        self.recv_to_at_once(&mut buffer.into())
    }

    #[inline(always)]
    fn recv_to_at_once(&self, target: &mut Target) -> Option<Received> {
        let present = self.attached.present()?;
        match self.ring.receive_kept(&present, target) {
            Ok(envelope) => Some(Received::new(envelope?, usize::MAX)),
            Err(_) => {
                self.attached.note_disowned();
                None
            }
        }
    }

    #[inline(never)]
    fn recv_slow(&self, select: Select, target: &mut Target, cuts: bool, deadline: Deadline) -> Result<Received> {
        let want = select.want()?;
        self.wait_for_message(want, deadline, "recv", |present, granted| {
            let capacity = target.length();
            // Who waited for an answer has it sooner by this lane. (At first it was tried already, which costs little beside a wait.)
            if want == Want::Any
                && let Some(envelope) = self.ring.receive_kept(present, target)?
            {
                return Ok(Attempt::Done(Received::new(envelope, capacity)));
            }
            let asked = Asked { want, cuts, granted };
            Ok(match self.ring.receive(present, target, asked, deadline)? {
                Taken::Message(envelope) => Attempt::Done(Received::new(envelope, capacity)),
                Taken::Empty => Attempt::Nothing,
                Taken::TooSmall(length) => Attempt::Failed(Error::too_big(length)),
                Taken::NeedsSpace(space) => Attempt::NeedsSpace(space),
                Taken::NoRoom => Attempt::NoRoom,
            })
        })
    }

    /// Tries until it is done, taking the space that is needed.
    pub(super) fn wait_for_message<T>(
        &self,
        want: Want,
        deadline: Deadline,
        doing: &str,
        mut attempt: impl FnMut(&Present, Option<Space>) -> std::result::Result<Attempt<T>, Fault>,
    ) -> Result<T> {
        let mut attempt = || {
            let (mut granted, mut is_reclaimed) = (None, false);
            loop {
                // Anew each time: a signal handler may have forked, and this be the child.
                let present = self.enter()?;
                match attempt(&present, granted).map_err(|fault| self.explain(fault, doing, deadline))? {
                    Attempt::Done(done) => return Ok(Some(done)),
                    Attempt::Nothing => return Ok(None),
                    Attempt::Failed(error) => return Err(error),
                    // Who looks over a long queue needs more and more; who may only try for a moment, once.
                    Attempt::NeedsSpace(_) if granted.is_some() && deadline == Deadline::INSTANT => {
                        return Err(self.explain(Fault::Busy, doing, deadline));
                    }
                    Attempt::NeedsSpace(space) => {
                        self.take_space(space, doing)?;
                        granted = Some(space);
                    }
                    Attempt::NoRoom if !is_reclaimed => {
                        self.reclaim(&present);
                        is_reclaimed = true;
                    }
                    Attempt::NoRoom => {
                        let name = self.attached.name();
                        let what = format!(
                            "{doing} {name}: no room to set aside the messages before the one that is wanted: \
                             receive some of those, or let leases go"
                        );
                        return Err(Error::new(libc::ENOSPC, what));
                    }
                }
            }
        };
        if let Some(done) = attempt()? {
            return Ok(done);
        }
        let present = self.enter()?;
        // What the dead had leased is to be had, also for one who doesn't wait.
        if self.ring.leases() > 0 {
            self.reclaim(&present);
            if let Some(done) = attempt()? {
                return Ok(done);
            }
        }
        if deadline.is_try() {
            let error = Error::new(libc::EAGAIN, format!("{doing}: there is no message"));
            return self.nothing_to_receive(want, error, attempt);
        }
        let received = self.ring.received();
        let taken = received.messages.wrapping_sub(self.last_wait.swap(received.messages, Ordering::Relaxed));
        let bytes = received.bytes.wrapping_sub(self.last_wait_bytes.swap(received.bytes, Ordering::Relaxed));
        let wait = Wait {
            present: &present,
            deadline,
            doing: &|| format!("{doing} {}", self.attached.name()),
            in_vain: "no message came",
            event: self.ring.receivers_event(),
            patience: &self.receivers_patience,
            gather: receivers_gather(taken, bytes),
            enough: &|| false,
            may: &|| self.ring.may_receive(),
            announce: &|present| self.ring.announce_receiver(present, want),
            bits: bits_for(want),
            before_sleep: &|| {
                if self.ring.leases() > 0 {
                    self.reclaim(&present);
                }
            },
            woken_for_nothing: &|| {},
        };
        let done = match wait.until_done(&mut attempt) {
            Err(error) if error.errno() == libc::ETIMEDOUT => self.nothing_to_receive(want, error, attempt),
            outcome => outcome,
        };
        self.ring.learn_of_partner(received.bytes, taken, self.receivers_patience.is_partner_elsewhere());
        done
    }

    /// The message that so many others come before, which stays (`MSG_COPY`). Leased ones don't count.
    ///
    /// # Errors
    /// `EAGAIN` if there are fewer; as [`try_recv`](Self::try_recv); `ENOMEM`.
    pub fn peek(&self, position: u64) -> Result<Message> {
        let mut data = vec![0; self.usual_length.load(Ordering::Relaxed)];
        loop {
            match self.peek_into(position, &mut data) {
                Ok(Received { length, mtype, sequence, redelivered, .. }) => {
                    data.truncate(length);
                    return Ok(Message { mtype, data, sequence, redelivered });
                }
                Err(error) if error.errno() == libc::E2BIG => data = self.room_for(error.length(), "peek")?,
                Err(error) => return Err(error),
            }
        }
    }

    /// As [`peek`](Self::peek), but into the caller's buffer.
    ///
    /// # Errors
    /// As [`peek`](Self::peek); `E2BIG` if the buffer is too small, and [`Error::length`] says what it needs.
    pub fn peek_into(&self, position: u64, buffer: &mut [u8]) -> Result<Received> {
        self.peek_to(position, buffer.into(), false, Deadline::NOW)
    }

    /// As [`peek_into`](Self::peek_into), into memory that need not be initialised: the first [`Received::length`] bytes are then.
    /// Until `deadline` it waits for another receiver who is inside; for a message it doesn't.
    ///
    /// # Errors
    /// As [`peek_into`](Self::peek_into); `EBUSY` or `ETIMEDOUT` as the [`Deadline`] says.
    pub fn peek_into_uninit(
        &self,
        position: u64,
        buffer: &mut [MaybeUninit<u8>],
        deadline: Deadline,
    ) -> Result<Received> {
        self.peek_to(position, buffer.into(), false, deadline)
    }

    /// As [`peek_into_uninit`](Self::peek_into_uninit), but of a message that is longer than the buffer it shows the beginning, and
    /// [`Received::is_cut`].
    ///
    /// # Errors
    /// As [`peek`](Self::peek).
    pub fn peek_cut(&self, position: u64, buffer: &mut [MaybeUninit<u8>], deadline: Deadline) -> Result<Received> {
        self.peek_to(position, buffer.into(), true, deadline)
    }

    fn peek_to(&self, position: u64, mut target: Target, cuts: bool, deadline: Deadline) -> Result<Received> {
        let capacity = target.length();
        let mut attempt = || match self.ring.peek(&self.enter()?, position, &mut target, cuts, deadline) {
            Ok(Taken::Message(envelope)) => Ok(Some(Received::new(envelope, capacity))),
            Ok(Taken::TooSmall(length)) => Err(Error::too_big(length)),
            Ok(_) => Ok(None),
            Err(fault) => Err(self.explain(fault, "peek", deadline)),
        };
        if let Some(received) = attempt()? {
            return Ok(received);
        }
        let error = Error::new(libc::EAGAIN, format!("peek: there is no message at position {position}"));
        // Where there are fewer than he passes over there may be something to receive all the same.
        if position == 0 { self.nothing_to_receive(Want::Any, error, attempt) } else { Err(error) }
    }
}

/// How a try came out.
pub(super) enum Attempt<T> {
    Done(T),
    /// There is no such message.
    Nothing,
    Failed(Error),
    NeedsSpace(Space),
    NoRoom,
}
