//! Batches: several messages with one lock and one commit; and messages of several pieces.
//!
//! ```text
//!   tail                                              after the batch
//!   │ first word  record ▒ word  record ▒ word  record ▒ 0
//!   └ 0 until all else is written: its store is the commit
//! ```
//!
//! **Send**, holding P: write the records one after the other, each with its word, but the first's; zero the word that follows
//! the last; *store the first word: the commit of all*; store the tail, once. A batch stays in one ring, and is no more than
//! [`MOST`] bytes unless one message is; where the next message needs more room than is known, or the other ring, it ends, and
//! the next batch begins.
//!
//! **Receive**, holding C: copy one record after the other, as far as there are words, room in the target and [`MOST`] bytes;
//! *store the head, once: the commit of all*. A skip ends the batch; the next one begins by following it.
//!
//! **What the dead leave.** A sender, before the commit: a zero at the tail, and behind it scribble in free space, in which there
//! are whole words now. After the commit, before the tail: all records of the batch, which the next holder of P walks over
//! one by one, each a step of its own; receivers may have taken the first of them, or all, which changes nothing in the ring.
//! A receiver: all of its messages, or none.
//!
//! **Why no stale word is ever met.** Receivers and repair go from a place that is at most the tail over words that are not 0. Whoever
//! commits has written every word from the tail to the one after his last record, which he zeroed; so each walk ends there
//! at the latest. The order of the others among themselves is of no matter, since none is reached before the first is stored.
//!
//! So the tail may be behind the receivers by a whole batch, and who counts without the lock ([`Ring::and_committed`]) walks as repair
//! does: the tail's standing still while it looked proves that nothing it saw was written again.

use std::ptr::NonNull;

use super::super::cell::{copy_in, copy_short};
use super::backlog::Record;
use super::*;

/// The most bytes of records in a batch, unless a single one is longer: what is copied while the lock is held.
const MOST: u64 = if cfg!(test) { 2 << 10 } else { 64 << 10 };

/// A message's bytes, where they are to be copied from.
pub(crate) trait Payload {
    fn length(&self) -> usize;

    /// Copies them.
    ///
    /// # Safety
    /// `to` is valid for writes of [`length`](Self::length) bytes, and no Rust reference covers them.
    unsafe fn copy_to(&self, to: NonNull<u8>);
}

impl Payload for &[u8] {
    #[inline(always)]
    fn length(&self) -> usize {
        self.len()
    }

    #[inline(always)]
    unsafe fn copy_to(&self, to: NonNull<u8>) {
        // SAFETY: the caller's promise; short ones are that short.
        unsafe { if self.len() <= SHORT { copy_short(self, to) } else { copy_in(self, to) } }
    }
}

/// One message of so many pieces, which are asked for one by one.
#[derive(Debug)]
pub(crate) struct Pieces<F> {
    count: usize,
    piece: F,
    /// All together, as they were when they were first asked for.
    length: usize,
}

impl<'a, F: Fn(usize) -> &'a [u8]> Pieces<F> {
    pub(crate) fn new(count: usize, piece: F) -> Self {
        let length = (0..count).fold(0, |length: usize, index| length.saturating_add(piece(index).len()));
        Self { count, piece, length }
    }
}

impl<'a, F: Fn(usize) -> &'a [u8]> Payload for &Pieces<F> {
    fn length(&self) -> usize {
        self.length
    }

    unsafe fn copy_to(&self, mut to: NonNull<u8>) {
        let mut left = self.length;
        for index in 0..self.count {
            let piece = (self.piece)(index);
            // Whoever answers may say something else this time.
            let piece = &piece[..piece.len().min(left)];
            left -= piece.len();
            // SAFETY: the caller's promise: all of them together are no more than `length`.
            unsafe {
                copy_in(piece, to);
                to = to.byte_add(piece.len());
            }
        }
    }
}

/// How the sending of a batch came out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SentMany {
    /// So many are in the queue, at least one.
    Done(usize),
    /// The limits don't admit the first.
    Full,
    /// As [`Sent::NeedsSpace`].
    NeedsSpace(Space),
}

/// How the receiving of a batch came out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ReceivedMany {
    /// So many were taken, at least one.
    Done {
        taken: usize,
        left: Left,
    },
    Empty,
    /// Messages wait in blocks, which are received one by one.
    OneByOne,
    /// The first is this long; it stays.
    TooSmall(u64),
}

/// Why a batch ended where it did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Left {
    /// There is no further message, or it took as many as it was asked for.
    Nothing,
    /// The next batch may go on.
    More,
    /// The target is too small for the next message.
    TooLong,
}

/// Sending.
impl Ring {
    /// Sends the first of `count` messages, which is one at least, and as many of those after it as one commit takes; wakes a receiver
    /// for each.
    #[inline]
    pub(crate) fn send_many<P: Payload>(
        &self,
        host: &impl Host,
        count: usize,
        message: impl Fn(usize) -> (i64, P),
        limit: Deadline,
    ) -> Result<SentMany, Fault> {
        let lock = &self.control().senders.end.lock;
        let entered = lock.lock(host, limit)?;
        if entered == Entered::Inherited {
            self.repair_senders_or_unlock(host)?;
        }
        let sent = self.push_many(count, message);
        lock.unlock(host, entered)?;
        match sent {
            // What was repaired woke nobody, however many they were.
            _ if entered == Entered::Inherited => self.wake_receivers(host, entered, u32::MAX),
            Ok(SentMany::Done(sent)) => self.wake_receivers(host, entered, sent.try_into().unwrap_or(u32::MAX)),
            _ => {}
        }
        sent
    }

    #[inline(always)]
    fn wake_receivers(&self, host: &impl Host, entered: Entered, count: u32) {
        fence_after_unlock(entered);
        if self.control().receivers_waiting.event.is_awaited() {
            self.wake_sleeping_receivers(*host, count);
        }
    }

    #[cold]
    fn wake_sleeping_receivers(&self, host: impl Host, count: u32) {
        let Control { senders, receivers_waiting, .. } = self.control();
        let seen = receivers_waiting.wanted.get();
        senders.end.lock.give_back(&host);
        if seen & (SAID - 1) != ANYTHING {
            // Somebody is choosy, and who is to be woken depends on their types.
            return self.wake_everybody(&host);
        }
        // The kernel takes the number for a signed one.
        let raised = receivers_waiting.event.raise_to(&host, count.min(MANY), EVERYBODY);
        if raised.found_nobody() && receivers_waiting.forget(seen, ANYTHING) {
            receivers_waiting.event.clear(raised);
        }
    }

    #[inline(always)]
    fn push_many<P: Payload>(&self, count: usize, message: impl Fn(usize) -> (i64, P)) -> Result<SentMany, Fault> {
        let end = &self.control().senders.end;
        let mut place = end.place();
        // A second time when the receivers were looked at.
        for looked in [false, true] {
            let sent = self.append_many(place, count, &message);
            if sent > 0 {
                return Ok(SentMany::Done(sent));
            }
            if looked {
                break;
            }
            let length = message(0).1.length() as u64;
            place = match self.make_room(place, end.passed(place), length, record_size(length)) {
                Ok(place) => place,
                Err(Blocked::Full) => return Ok(SentMany::Full),
                Err(Blocked::NeedsSpace(space)) => return Ok(SentMany::NeedsSpace(space)),
                Err(Blocked::Damaged(what)) => return Err(Fault::Damaged(what)),
            };
        }
        Err(Fault::Damaged("what was known of the room changed under the lock"))
    }

    /// Writes and commits as many messages at `place` as what is known of the receivers admits; says how many.
    #[inline(always)]
    fn append_many<P: Payload>(&self, place: Place, count: usize, message: &impl Fn(usize) -> (i64, P)) -> usize {
        let senders = &self.control().senders;
        let before = senders.end.passed(place);
        let room = senders.room.peek().saturating_sub(place.position().wrapping_add(SPARE));
        let bytes_left = senders.bytes_end.peek().saturating_sub(before.bytes);
        let messages_left = senders.messages_end.peek().saturating_sub(before.messages);
        let count = (count as u64).min(messages_left) as usize;
        // Whatever the words say: a batch lies within the ring.
        let mut most = room.min(self.geometry.ring(place.side()).saturating_sub(SPARE));
        let (mut size, mut bytes, mut first, mut sent) = (0, 0, 0, 0);
        while sent < count {
            let (mtype, data) = message(sent);
            let length = data.length() as u64;
            let end = size + record_size(length);
            // (Long ones come by themselves: those that know better send them in blocks.)
            if end > most || bytes + length > bytes_left || (sent > 0 && length > LONGEST_INLINE) {
                break;
            }
            self.word(place, size + WORD).set(mtype.cast_unsigned());
            // SAFETY: the record ends before `most`, which the ring has room for after any place in it (it is mapped twice); nobody
            // reads there before the first word says so.
            unsafe { data.copy_to(self.byte(place).byte_add((size + RECORD) as usize)) };
            let word = length << LENGTH | INLINE;
            if sent == 0 {
                first = word;
                most = most.min(MOST.max(end));
            } else {
                self.word(place, size).set(word);
            }
            (size, bytes, sent) = (end, bytes + length, sent + 1);
        }
        if sent > 0 {
            self.word(place, size).set(0);
            self.word(place, 0).set(first); // the commit
            let bytes = before.bytes.wrapping_add(bytes);
            senders.end.advance(place, size, Passed { bytes, messages: before.messages.wrapping_add(sent as u64) });
        }
        sent
    }

    /// What was sent when the tail was at `place`, where `counted` had passed: with all that was committed there and is not
    /// counted yet, if the tail is there still.
    pub(super) fn and_committed(&self, mut place: Place, mut counted: Passed) -> Passed {
        let mut left = self.geometry.ring(place.side());
        while let word = self.word(place, 0).get()
            && word != 0
            && let Ok(Record { size, length, .. }) = self.record(place, word)
        {
            // Only scribblers leave so much.
            let Some(less) = left.checked_sub(size) else { break };
            left = less;
            counted = counted.and(length);
            place = Place(place.0.wrapping_add(size));
        }
        counted
    }
}

/// Receiving.
impl Ring {
    /// Takes the first message into `target`, and as many of those after it as fit there and one commit takes, `most` of them at
    /// most: each begins at a multiple of 8 bytes, and the target goes on behind the last. `note` is told of each, before they
    /// are taken. Wakes a sender who waits for the room.
    #[inline]
    pub(crate) fn receive_many(
        &self,
        host: &impl Host,
        target: &mut Target,
        most: usize,
        note: impl FnMut(Envelope),
        limit: Deadline,
    ) -> Result<ReceivedMany, Fault> {
        self.at_head(host, limit, || {
            let is_in_ring = self.control().receivers.root.peek() == 0;
            if is_in_ring { self.pop_many(target, most, note) } else { Ok(ReceivedMany::OneByOne) }
        })
    }

    #[inline(always)]
    fn pop_many(
        &self,
        target: &mut Target,
        most: usize,
        mut note: impl FnMut(Envelope),
    ) -> Result<ReceivedMany, Fault> {
        let end = &self.control().receivers.end;
        let (place, mut word) = self.first_word();
        if word == 0 {
            return Ok(ReceivedMany::Empty);
        }
        if word & KIND == REFERENCE {
            return Ok(ReceivedMany::OneByOne);
        }
        let before = end.passed(place);
        let (mut size, mut bytes, mut filled, mut taken) = (0, 0, 0, 0);
        let room = target.length();
        // Whatever the words say: a batch lies within the ring.
        let ring = self.geometry.ring(place.side()).saturating_sub(SPARE);
        let mut most_size = ring;
        // Found once: each word's place hangs on the word before, and that chain is what a message costs.
        let start = self.byte(place);
        let gives_up = self.lines.are_given_up(before.bytes);
        let left = loop {
            let (length, kind) = (word >> LENGTH, word & ((1 << LENGTH) - 1));
            let ends = size + record_size(length);
            if kind != INLINE || length > self.geometry.capacity || ends > most_size {
                if taken == 0 {
                    return Err(Fault::Damaged(NO_RECORD));
                }
                // It is long enough; or a skip. (Or damage: what was found before it is good.)
                break Left::More;
            }
            if length > (room - filled) as u64 {
                if taken == 0 {
                    return Ok(ReceivedMany::TooSmall(length));
                }
                break Left::TooLong;
            }
            if !gives_up {
                prefetch(self.byte(Place(place.0.wrapping_add(size + AHEAD))));
            }
            // SAFETY: the record ends before `ring`, and the ring is mapped for its size after any place in it; senders don't write
            // there before the head has moved on. No Rust reference covers a ring; an atomic may hold anything.
            let mtype = unsafe {
                let record = start.byte_add(size as usize);
                target.fill_at(filled, record.byte_add(RECORD as usize), length as usize);
                record.byte_add(WORD as usize).cast::<U64>().as_ref().peek().cast_signed()
            };
            note(Envelope { mtype, length, sequence: before.messages.wrapping_add(taken as u64), deliveries: 0 });
            filled = (filled + length as usize).next_multiple_of(8).min(room);
            (size, bytes, taken) = (ends, bytes + length, taken + 1);
            most_size = ring.min(MOST);
            if taken >= most {
                break Left::Nothing;
            }
            // SAFETY: as above; behind the record there is room for a word still.
            word = unsafe { start.byte_add(size as usize).cast::<U64>().as_ref() }.get();
            if word == 0 {
                break Left::Nothing;
            }
        };
        target.skip(filled);
        let passed =
            Passed { bytes: before.bytes.wrapping_add(bytes), messages: before.messages.wrapping_add(taken as u64) };
        end.advance(place, size, passed); // the commit
        if gives_up {
            self.give_up(place, size);
        }
        Ok(ReceivedMany::Done { taken, left })
    }

    /// The head's place, where skips led, and the word there.
    #[inline]
    fn first_word(&self) -> (Place, u64) {
        let end = &self.control().receivers.end;
        let mut place = end.place();
        let mut word = self.word(place, 0).get();
        let mut skips = 0;
        while word & KIND == SKIP && self.geometry.deep != 0 && skips < MOST_SKIPS {
            place = end.cross(place);
            word = self.word(place, 0).get();
            skips += 1;
        }
        (place, word)
    }

    /// Says that there is room without end, as scribblers do.
    #[cfg(test)]
    pub(in super::super) fn scribble_room(&self) {
        let Senders { room, bytes_end, messages_end, .. } = &self.control().senders;
        [room, bytes_end, messages_end].iter().for_each(|word| word.set(u64::MAX));
    }
}
