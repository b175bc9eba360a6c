//! Several messages with one call, and messages of several pieces.
//!
//! What is sent or received at once, with one lock and one commit, is a *batch*, 64 KiB at most ([`raw::ring::batch`]); a call makes
//! as many of them as it takes, and lets others in between.
//!
//! [`raw::ring::batch`]: super::super::raw::ring::batch

#![forbid(unsafe_code)]

use std::io::IoSlice;
use std::iter::FusedIterator;
use std::mem::MaybeUninit;
use std::slice;

use super::super::raw::ring::batch::{Left, Payload, Pieces, ReceivedMany, SentMany};
use super::recv::Attempt;
use super::*;
use crate::shared::raw::geometry::LONGEST_INLINE;

/// Sending.
impl Queue {
    /// Sends messages, each a type greater than 0 and its bytes, in this order; waits until all of them are sent, and says how many
    /// are. Many small messages cost a fraction of as many sends.
    ///
    /// They need not be received together, nor is all of them being sent one step: others' messages may come in between, and
    /// who is killed on the way has sent the first of them. It returns less than `messages.len()` if what would be an error came up
    /// after some were sent: send the rest again to learn it.
    ///
    /// ```
    /// # let name = format!("send-many-example-{}", std::process::id());
    /// # let name = name.as_str();
    /// use madang::{Batch, Queue, Select};
    ///
    /// let orders = Queue::open(name)?;
    /// orders.send_many(&[(1, b"two teas"), (2, b"one coffee")])?;
    ///
    /// let mut batch = Batch::new(32, 32 << 10);
    /// orders.recv_many(Select::Any, &mut batch)?;
    /// let texts: Vec<_> = batch.iter().map(|(_, data)| data).collect();
    /// assert_eq!(texts, [b"two teas".as_slice(), b"one coffee"]);
    /// # Queue::unlink(name)?;
    /// # Ok::<(), madang::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`send`](Self::send), if none was sent. With an invalid type or length in any of them (`EINVAL`, `EMSGSIZE`; the text
    /// has its index) none is.
    #[doc(alias("sendmmsg", "writev"))]
    pub fn send_many(&self, messages: &[(i64, &[u8])]) -> Result<usize> {
        self.send_many_until(messages, Deadline::NEVER)
    }

    /// As [`send_many`](Self::send_many), but sends only what there is room for now.
    ///
    /// # Errors
    /// As [`send_many`](Self::send_many); `EAGAIN`, `EBUSY` as [`try_send`](Self::try_send).
    pub fn try_send_many(&self, messages: &[(i64, &[u8])]) -> Result<usize> {
        self.send_many_until(messages, Deadline::NOW)
    }

    /// As [`send_many`](Self::send_many), but waits for `timeout` at most, for all of them together.
    ///
    /// # Errors
    /// As [`send_many`](Self::send_many); `ETIMEDOUT`, but with a time-out of zero as [`try_send_many`](Self::try_send_many).
    pub fn send_many_timeout(&self, messages: &[(i64, &[u8])], timeout: Duration) -> Result<usize> {
        let mut sent = 0;
        let outcome =
            in_time(timeout, |deadline| self.send_rest(messages.len(), |index| messages[index], &mut sent, deadline));
        unless_some(sent, outcome)
    }

    /// As [`send_many`](Self::send_many), but waits until `deadline` at most.
    ///
    /// # Errors
    /// As [`send_many`](Self::send_many); `EAGAIN` or `ETIMEDOUT` as the [`Deadline`] says.
    #[inline]
    pub fn send_many_until(&self, messages: &[(i64, &[u8])], deadline: Deadline) -> Result<usize> {
        let mut sent = 0;
        let outcome = self.send_rest(messages.len(), |index| messages[index], &mut sent, deadline);
        unless_some(sent, outcome)
    }

    /// Sends those of `count` messages of which the first `sent` are sent already, and counts on there: for callers who have them in
    /// another form, and who go on after an error. If none is sent yet all are checked first. `message` is called under a lock: it only
    /// looks where they are.
    #[doc(hidden)]
    #[inline]
    pub fn send_rest<'a>(
        &self,
        count: usize,
        message: impl Fn(usize) -> (i64, &'a [u8]),
        sent: &mut usize,
        deadline: Deadline,
    ) -> Result<()> {
        if *sent == 0 {
            for index in 0..count {
                let (mtype, data) = message(index);
                if mtype < 1 || data.len() as u64 > self.capacity() {
                    return self.refuse(index, count, mtype, data.len());
                }
            }
        }
        self.send_all(count, message, sent, deadline)
    }

    #[cold]
    fn refuse(&self, index: usize, count: usize, mtype: i64, length: usize) -> Result<()> {
        self.check_message(mtype, length).map_err(|error| error.during(format!("message {index} of {count}")))
    }

    /// Sends one message that consists of several pieces, without putting them together before: as `writev` does. Waits while the
    /// queue is full, until `deadline` at most.
    ///
    /// ```
    /// # let name = format!("vectored-example-{}", std::process::id());
    /// # let name = name.as_str();
    /// use madang::{Deadline, Queue, Select};
    /// use std::io::IoSlice;
    ///
    /// let orders = Queue::open(name)?;
    /// let pieces = [IoSlice::new(b"two "), IoSlice::new(b"teas")];
    /// orders.send_vectored(7, &pieces, Deadline::NEVER)?;
    /// assert_eq!(orders.recv(Select::Any)?.data, b"two teas");
    /// # Queue::unlink(name)?;
    /// # Ok::<(), madang::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`send_until`](Self::send_until).
    #[doc(alias = "writev")]
    pub fn send_vectored(&self, mtype: i64, pieces: &[IoSlice<'_>], deadline: Deadline) -> Result<()> {
        self.send_pieces(mtype, pieces.len(), |index| &pieces[index], deadline)
    }

    /// As [`send_vectored`](Self::send_vectored), for callers who have the pieces in another form. `piece` is called under a lock: it only
    /// looks where they are.
    #[doc(hidden)]
    pub fn send_pieces<'a>(
        &self,
        mtype: i64,
        count: usize,
        piece: impl Fn(usize) -> &'a [u8],
        deadline: Deadline,
    ) -> Result<()> {
        let pieces = Pieces::new(count, piece);
        self.check_message(mtype, (&pieces).length())?;
        self.send_all(1, |_| (mtype, &pieces), &mut 0, deadline)
    }

    #[inline]
    fn send_all<P: Payload>(
        &self,
        count: usize,
        message: impl Fn(usize) -> (i64, P),
        sent: &mut usize,
        deadline: Deadline,
    ) -> Result<()> {
        while *sent < count {
            let before = *sent;
            let message = |index| message(before + index);
            let (mtype, first) = message(0);
            if first.length() as u64 > LONGEST_INLINE {
                self.send_long(mtype, &first, deadline)?;
                *sent += 1;
                continue;
            }
            let present = self.enter()?;
            *sent += match self.ring.send_many(&present, count - before, message, deadline) {
                Ok(SentMany::Done(sent)) => sent,
                Ok(_) => self.send_many_waiting(count - before, &message, deadline)?,
                Err(fault) => return Err(self.explain(fault, "send", deadline)),
            };
        }
        Ok(())
    }

    /// One batch, with all the space that it needs; `None` if the queue is full.
    fn attempt_send_many<P: Payload>(
        &self,
        count: usize,
        message: &impl Fn(usize) -> (i64, P),
        deadline: Deadline,
    ) -> Result<Option<usize>> {
        loop {
            // Anew each time: a signal handler may have forked, and this be the child.
            let present = self.enter()?;
            match self.ring.send_many(&present, count, message, deadline) {
                Ok(SentMany::Done(sent)) => return Ok(Some(sent)),
                Ok(SentMany::Full) => return Ok(None),
                Ok(SentMany::NeedsSpace(space)) => self.take_space(space, "send")?,
                Err(fault) => return Err(self.explain(fault, "send", deadline)),
            }
        }
    }

    /// Waits for room for the first, and sends what there is room for then.
    #[cold]
    fn send_many_waiting<P: Payload>(
        &self,
        count: usize,
        message: &impl Fn(usize) -> (i64, P),
        deadline: Deadline,
    ) -> Result<usize> {
        let first = message(0).1.length() as u64;
        self.wait_for_room(first, deadline, "send", || self.attempt_send_many(count, message, deadline))
    }

    /// Sends a message that is copied outside the lock.
    #[cold]
    pub(super) fn send_long(&self, mtype: i64, data: &impl Payload, deadline: Deadline) -> Result<()> {
        let mut reservation = self.reserve_until(data.length(), deadline)?;
        reservation.copy_from(data);
        reservation.commit_until(mtype, deadline)
    }
}

/// Receiving.
impl Queue {
    /// Receives the messages that `select` names, as many as there are and the batch has room for; waits while there is none.
    /// Whatever was in the batch is gone. Says how many it has now: at least one, unless it has no room for any.
    ///
    /// They are as many single receives would give: each is received once, in order. Who is killed after it returned takes all of
    /// them along.
    ///
    /// # Errors
    /// As [`recv_into`](Self::recv_into): `E2BIG` if already the first doesn't fit; it stays, and [`Error::length`] says for how much to
    /// make [room](Batch::make_room). Whatever the error, the batch is empty.
    #[doc(alias("recvmmsg", "readv"))]
    pub fn recv_many(&self, select: Select, batch: &mut Batch) -> Result<usize> {
        self.recv_many_until(select, batch, Deadline::NEVER)
    }

    /// As [`recv_many`](Self::recv_many), but doesn't wait.
    ///
    /// # Errors
    /// As [`recv_many`](Self::recv_many); `EAGAIN`, `EBUSY` as [`try_recv`](Self::try_recv).
    pub fn try_recv_many(&self, select: Select, batch: &mut Batch) -> Result<usize> {
        self.recv_many_until(select, batch, Deadline::NOW)
    }

    /// As [`recv_many`](Self::recv_many), but waits for `timeout` at most.
    ///
    /// # Errors
    /// As [`recv_many`](Self::recv_many); `ETIMEDOUT`, but with a time-out of zero as [`try_recv_many`](Self::try_recv_many).
    pub fn recv_many_timeout(&self, select: Select, batch: &mut Batch, timeout: Duration) -> Result<usize> {
        in_time(timeout, |deadline| self.recv_many_until(select, batch, deadline))
    }

    /// As [`recv_many`](Self::recv_many), but waits until `deadline` at most.
    ///
    /// # Errors
    /// As [`recv_many`](Self::recv_many); `EAGAIN` or `ETIMEDOUT` as the [`Deadline`] says.
    #[inline]
    pub fn recv_many_until(&self, select: Select, batch: &mut Batch, deadline: Deadline) -> Result<usize> {
        let Batch { bytes, messages, most, .. } = batch;
        messages.clear();
        let received = self.recv_each(select, bytes.as_mut_slice().into(), *most, |one| messages.push(one), deadline);
        let (taken, left) = match &received {
            Ok((taken, left)) => (*taken, *left),
            Err(_) => (0, Left::Nothing),
        };
        // Those that were noted by one who then found out that the others presume him dead are nobody's.
        batch.messages.truncate(taken);
        batch.is_full = left == Left::TooLong;
        received.map(|(taken, _)| taken)
    }

    /// As [`recv_many_until`](Self::recv_many_until), for callers who keep what they receive in another form: `note` is told of each message,
    /// of which each begins at the next multiple of 8 bytes behind the one before; those that count are as many as it returns. It is
    /// called under a lock, and only writes down what it is told.
    #[doc(hidden)]
    #[inline]
    pub fn recv_many_into_uninit(
        &self,
        select: Select,
        buffer: &mut [MaybeUninit<u8>],
        most: usize,
        note: impl FnMut(Received),
        deadline: Deadline,
    ) -> Result<usize> {
        self.recv_each(select, buffer.into(), most, note, deadline).map(|(taken, _)| taken)
    }

    #[inline]
    fn recv_each(
        &self,
        select: Select,
        mut target: Target,
        most: usize,
        mut note: impl FnMut(Received),
        deadline: Deadline,
    ) -> Result<(usize, Left)> {
        let want = select.want()?;
        if most == 0 {
            return Ok((0, Left::Nothing));
        }
        let mut attempt = |present: &Present, granted, most, deadline| {
            let asked = Asked { want, cuts: false, granted };
            self.attempt_recv_many(present, asked, &mut target, most, &mut note, deadline)
        };
        let first = attempt(&self.enter()?, None, most, deadline);
        let (mut taken, mut left) = match first.map_err(|fault| self.explain(fault, "recv", deadline))? {
            Attempt::Done(done) => done,
            _ => self.wait_for_message(want, deadline, "recv", |present, granted| {
                attempt(present, granted, most, deadline)
            })?,
        };
        // Not longer than a moment for who is inside; but who is choosy looks over a long queue for the next.
        let moment = if want == Want::Any { Deadline::INSTANT } else { Deadline::at_ns(0) };
        let mut granted = None;
        while left == Left::More && taken < most {
            // Whatever comes in the way, these are good; the next call finds it too.
            (taken, left) = match attempt(&self.enter()?, granted.take(), most - taken, moment) {
                Ok(Attempt::Done((next, left))) => (taken + next, left),
                Ok(Attempt::Failed(_)) => (taken, Left::TooLong),
                Ok(Attempt::NeedsSpace(space)) if self.take_space(space, "recv").is_ok() => {
                    granted = Some(space);
                    (taken, left)
                }
                _ => (taken, Left::Nothing),
            };
        }
        Ok((taken, left))
    }

    /// One batch, or one message where they aren't to be had together: how many, and why no more.
    #[inline]
    fn attempt_recv_many(
        &self,
        present: &Present,
        asked: Asked,
        target: &mut Target,
        most: usize,
        note: &mut impl FnMut(Received),
        deadline: Deadline,
    ) -> std::result::Result<Attempt<(usize, Left)>, Fault> {
        if asked.want == Want::Any {
            let note = |envelope| note(Received::new(envelope, usize::MAX));
            match self.ring.receive_many(present, target, most, note, deadline)? {
                ReceivedMany::Done { taken, left } => return Ok(Attempt::Done((taken, left))),
                ReceivedMany::Empty => return Ok(Attempt::Nothing),
                ReceivedMany::TooSmall(length) => return Ok(Attempt::Failed(Error::too_big(length))),
                ReceivedMany::OneByOne => {}
            }
        }
        Ok(match self.ring.receive(present, target, asked, deadline)? {
            Taken::Message(envelope) => {
                target.skip((envelope.length as usize).next_multiple_of(8).min(target.length()));
                note(Received::new(envelope, usize::MAX));
                Attempt::Done((1, Left::More))
            }
            Taken::Empty => Attempt::Nothing,
            Taken::TooSmall(length) => Attempt::Failed(Error::too_big(length)),
            Taken::NeedsSpace(space) => Attempt::NeedsSpace(space),
            Taken::NoRoom => Attempt::NoRoom,
        })
    }
}

/// Room for messages that [`Queue::recv_many`] receives, to be used again and again: it allocates when it is made or enlarged.
///
/// Each message takes its length, rounded up to a multiple of 8, from the batch's bytes.
#[derive(Clone, Debug)]
pub struct Batch {
    bytes: Vec<u8>,
    messages: Vec<Received>,
    most: usize,
    is_full: bool,
}

impl Batch {
    /// For so many messages at most, of so many bytes together.
    #[must_use]
    pub fn new(messages: usize, bytes: usize) -> Self {
        Self { bytes: vec![0; bytes], messages: Vec::with_capacity(messages), most: messages, is_full: false }
    }

    /// Makes room for so many bytes at least, together; what is in the batch stays.
    pub fn make_room(&mut self, bytes: usize) {
        self.bytes.resize(bytes.max(self.bytes.len()), 0);
    }

    /// From now on it is for so many messages at most.
    pub fn limit(&mut self, messages: usize) {
        self.most = messages;
        // Now, since they are noted under a lock, where nobody allocates.
        self.messages.reserve(messages.saturating_sub(self.messages.len()));
    }

    /// Whether the bytes are what ended the last receive: there was a message that had no room behind the others.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.is_full
    }

    /// How many messages are in it.
    #[must_use]
    pub fn len(&self) -> usize {
        self.messages.len()
    }

    /// Whether no message is in it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.messages.is_empty()
    }

    /// The messages that were received last, in order: what is said of each, and its bytes.
    #[must_use]
    pub fn iter(&self) -> Messages<'_> {
        Messages { bytes: &self.bytes, messages: self.messages.iter() }
    }
}

impl<'a> IntoIterator for &'a Batch {
    type Item = (&'a Received, &'a [u8]);
    type IntoIter = Messages<'a>;

    fn into_iter(self) -> Messages<'a> {
        self.iter()
    }
}

/// The messages of a [`Batch`].
#[derive(Clone, Debug)]
pub struct Messages<'a> {
    bytes: &'a [u8],
    messages: slice::Iter<'a, Received>,
}

impl<'a> Iterator for Messages<'a> {
    type Item = (&'a Received, &'a [u8]);

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        let received = self.messages.next()?;
        let data = &self.bytes[..received.length];
        // The last may end where the bytes do.
        self.bytes = self.bytes.get(received.length.next_multiple_of(8)..).unwrap_or_default();
        Some((received, data))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.messages.size_hint()
    }
}

impl ExactSizeIterator for Messages<'_> {}
impl FusedIterator for Messages<'_> {}

/// How many were sent; what came in the way only counts if that is none.
#[inline]
fn unless_some(sent: usize, outcome: Result<()>) -> Result<usize> {
    match outcome {
        Err(error) if sent == 0 => Err(error),
        _ => Ok(sent),
    }
}
