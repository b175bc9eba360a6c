//! Receiving: which message, and from where.
//!
//! Messages wait in two places. Those in the rings were never looked at; those of the *backlog* lie in blocks (`block.rs`), since a
//! receiver skipped them, or they were handed out and given back. Each of these is older than any in the rings. The index
//! (`index.rs`) finds them by type.
//!
//! **Selecting**, holding C: what the index has is first. Then the records in the rings, in order: the one that is wanted is
//! taken where it is, and each before it is **moved**: its bytes are copied to a block (a reference's block stays where it is);
//! the block becomes QUEUED; *the head goes past the record: the commit*; the index is told. So a receiver looks at each message
//! once. Of a long queue it moves [`MOVES`] and lets others in. Where there is no space to move to, the message stays.
//!
//! **Taking** a record is one store of the head. Taking a QUEUED block is one store of its state: HELD by the receiver if it
//! was copied out under the lock, LEASED if it is long; then, outside the lock, it is freed.
//!
//! **Long messages** are copied outside the lock, out of a block that is LEASED meanwhile. So a receiver that is killed before its
//! call returns leaves them in the queue; they are received again.
//!
//! A block counts as held by the queue before the head passes its record, so that no sender sees room that there isn't; what he
//! may see for a moment is too little room, so who moved looks for sleeping senders afterwards. Counting is also the last thing
//! that may fail (the heap's lock may be somebody's who is stopped): what follows is two stores, state and head. A block that was
//! left QUEUED before the head by one who lives would come twice.
//!
//! **Deaths.** The index is made anew from the blocks by the next holder of C (`estate.rs`).

use super::estate::Ordered;
use super::*;
use crate::shared::raw::block::State;
use crate::shared::raw::heap::Allocated;
use crate::shared::raw::index::{Index, Want};

/// How many records are moved before others may come in.
const MOVES: u32 = if cfg!(test) { 3 } else { 64 };

const ENDLESS: Fault = Fault::Damaged("the ring has no end");

/// What a receiver asks for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Asked {
    pub(crate) want: Want,
    /// Whether a message that is too long is cut.
    pub(crate) cuts: bool,
    /// The space that the last try needed, and that was taken since.
    pub(crate) granted: Option<Space>,
}

/// A message in a ring.
#[derive(Clone, Copy, Debug)]
pub(super) struct Record {
    pub(super) place: Place,
    /// Bytes in the ring.
    pub(super) size: u64,
    pub(super) mtype: i64,
    pub(super) length: u64,
    /// The block that it refers to.
    pub(super) block: Option<u64>,
}

/// What a receiver found, holding C.
pub(super) enum Selected {
    /// A block of the backlog.
    Queued(u64),
    /// The record at the head.
    Record(Record),
    Empty,
    /// The caller lets others in, and goes on.
    More,
    NeedsSpace(Space),
    NoRoom,
}

/// How a move came out.
pub(super) enum Moved {
    /// To this block.
    Done(u64),
    NeedsSpace(Space),
    NoRoom,
}

/// A message that a receiver has, but not its bytes yet.
enum Taken {
    All(Received),
    /// They are in this block, LEASED by it.
    Long(u64, Envelope),
    /// They are copied; this block, HELD by it, is to be freed.
    Copied(u64, Envelope),
    More,
}

/// Whether a record of that type is what is wanted, if nothing in the backlog is.
pub(super) fn is_wanted(want: Want, mtype: i64) -> bool {
    match want {
        Want::Any => true,
        Want::Type(wanted) => mtype == wanted,
        // The lowest is known only when all were looked at.
        Want::UpTo(_) => false,
        Want::Except(unwanted) => mtype != unwanted,
    }
}

/// For one whose look over a long queue goes on after others came in: who may only try for a moment has no more of it.
#[cold]
pub(super) fn long_look(limit: Deadline) -> Result<(), Fault> {
    if limit == Deadline::INSTANT { Err(Fault::Busy) } else { Ok(()) }
}

/// Receiving.
impl Ring {
    /// Takes the message that is asked for into `target`, if it is there, and wakes a sender who waits for the room.
    pub(crate) fn receive(
        &self,
        host: &impl Host,
        target: &mut Target,
        asked: Asked,
        limit: Deadline,
    ) -> Result<Received, Fault> {
        for is_last in self.turns() {
            match self.at_head(host, limit, || self.take(host, target, asked, is_last, limit))? {
                Taken::All(received) => return Ok(received),
                Taken::More => long_look(limit)?,
                Taken::Long(offset, envelope) => {
                    let read = envelope.length.min(target.length() as u64);
                    self.look_at_lines(offset, read);
                    self.copy_out(offset, read, target)?;
                    self.give_block_up(offset, read);
                    self.free(host, offset)?;
                    return Ok(Received::Message(envelope));
                }
                Taken::Copied(offset, envelope) => {
                    self.free(host, offset)?;
                    return Ok(Received::Message(envelope));
                }
            }
        }
        Ok(Received::Empty)
    }

    /// The turns of one who looks over the rings, each in its own hold of C: whether it is the last. By then all was moved that was
    /// there when he began; he doesn't run after senders who are faster.
    pub(super) fn turns(&self) -> impl Iterator<Item = bool> + use<> {
        let most = self.geometry.max_messages / u64::from(MOVES) + 1;
        (0..=most).map(move |turn| turn == most)
    }

    /// Does `work` holding C, with the index in order, and wakes senders if there may be more room then.
    pub(super) fn at_head<T>(
        &self,
        host: &impl Host,
        limit: Deadline,
        work: impl FnOnce() -> Result<T, Fault>,
    ) -> Result<T, Fault> {
        let Control { receivers, senders_waiting, .. } = self.control();
        let lock = &receivers.end.lock;
        let entered = lock.lock(host, limit)?;
        let before = receivers.end.place();
        let ordered = self.order_backlog(host, entered, limit);
        let done = ordered.and_then(|_| work());
        if let Err(Fault::Damaged(_)) = done {
            receivers.stale.set(1);
        }
        let moved = receivers.end.place() != before;
        lock.unlock(host, entered)?;
        // The dead woke nobody, whatever they did last.
        let is_new = entered == Entered::Inherited || ordered.is_ok_and(Ordered::is_change);
        if is_new {
            self.wake_everybody(host);
        }
        if moved || is_new {
            fence_after_unlock(entered);
            if senders_waiting.event.is_awaited() {
                self.wake_sleeping_senders(*host);
            }
        }
        done
    }

    fn take(
        &self,
        host: &impl Host,
        target: &mut Target,
        asked: Asked,
        is_last: bool,
        limit: Deadline,
    ) -> Result<Taken, Fault> {
        match self.select(host, asked, is_last, limit)? {
            Selected::Queued(offset) => self.take_queued(host, offset, target, asked.cuts),
            Selected::Record(record) => self.take_record(host, record, target, asked.cuts, limit),
            Selected::Empty => Ok(Taken::All(Received::Empty)),
            Selected::More => Ok(Taken::More),
            Selected::NeedsSpace(space) => Ok(Taken::All(Received::NeedsSpace(space))),
            Selected::NoRoom => Ok(Taken::All(Received::NoRoom)),
        }
    }

    /// Finds the message that is asked for; see the head of this file.
    pub(super) fn select(
        &self,
        host: &impl Host,
        asked: Asked,
        is_last: bool,
        limit: Deadline,
    ) -> Result<Selected, Fault> {
        let looks_over = matches!(asked.want, Want::UpTo(_));
        if !looks_over && let Some(offset) = self.find(asked.want)? {
            return Ok(Selected::Queued(offset));
        }
        let mut saw_all = is_last;
        for _ in 0..MOVES {
            let Some(record) = self.first_record()? else {
                saw_all = true;
                break;
            };
            if is_wanted(asked.want, record.mtype) {
                return Ok(Selected::Record(record));
            }
            match self.relocate(host, record, asked.granted, State::Queued, limit)? {
                Moved::Done(offset) => self.enqueue(offset)?,
                Moved::NeedsSpace(space) => return Ok(Selected::NeedsSpace(space)),
                Moved::NoRoom => return Ok(Selected::NoRoom),
            }
        }
        if !saw_all {
            return Ok(Selected::More);
        }
        let found = if looks_over { self.find(asked.want)? } else { None };
        Ok(found.map_or(Selected::Empty, Selected::Queued))
    }

    /// The message in the backlog that is wanted.
    fn find(&self, want: Want) -> Result<Option<u64>, Fault> {
        if self.control().receivers.root.peek() == 0 { Ok(None) } else { self.index().find(want) }
    }

    pub(super) fn index<'a>(&'a self) -> Index<'a, impl Fn(u64) -> Option<&'a Block>> {
        let most = self.geometry.max_messages;
        Index { root: &self.control().receivers.root, block: |offset| self.heap.block(offset), most }
    }

    /// Tells the index of a QUEUED block.
    pub(super) fn enqueue(&self, offset: u64) -> Result<(), Fault> {
        let queued = &self.control().receivers.queued;
        self.index().insert(offset)?;
        queued.set(queued.peek().wrapping_add(1));
        Ok(())
    }

    /// Takes a QUEUED block out of the index, before its state is changed.
    pub(super) fn dequeue(&self, offset: u64) -> Result<(), Fault> {
        let queued = &self.control().receivers.queued;
        self.index().remove(offset)?;
        queued.set(queued.peek().wrapping_sub(1));
        Ok(())
    }

    /// The record at the head, if there is one, behind the skips there.
    pub(super) fn first_record(&self) -> Result<Option<Record>, Fault> {
        let end = &self.control().receivers.end;
        let mut place = end.place();
        let mut word = self.word(place, 0).get();
        let mut skips = 0;
        while word & KIND == SKIP && self.geometry.deep != 0 && skips < MOST_SKIPS {
            place = end.cross(place);
            word = self.word(place, 0).get();
            skips += 1;
        }
        if word == 0 { Ok(None) } else { self.record(place, word).map(Some) }
    }

    /// The record whose word is given, if it can be one.
    pub(super) fn record(&self, place: Place, word: u64) -> Result<Record, Fault> {
        let mtype = self.word(place, WORD).peek().cast_signed();
        if word & KIND != REFERENCE {
            let length = self.checked_length(place, word)?;
            return Ok(Record { place, size: record_size(length), mtype, length, block: None });
        }
        let length = word >> LENGTH;
        if word & ((1 << LENGTH) - 1) != REFERENCE || length > self.geometry.capacity {
            return Err(Fault::Damaged("a record's word makes no sense"));
        }
        // What the block is, is for those to see who hold the receivers' lock: behind the head it may be gone.
        let offset = self.word(place, RECORD).peek();
        Ok(Record { place, size: record_size(WORD), mtype, length, block: Some(offset) })
    }

    /// Moves the record at the head to a block in `state`, QUEUED or LEASED by the caller.
    pub(super) fn relocate(
        &self,
        host: &impl Host,
        record: Record,
        granted: Option<Space>,
        state: State,
        limit: Deadline,
    ) -> Result<Moved, Fault> {
        let end = &self.control().receivers.end;
        let passed = end.passed(record.place);
        let (offset, block) = match record.block {
            Some(offset) => {
                let block = self.referred(offset, record, passed.messages)?;
                self.heap.count(host, offset, limit)?;
                (offset, block)
            }
            None => match self.copy_to_block(host, record, passed.messages, granted, limit)? {
                Moved::Done(offset) => (offset, self.heap.block(offset).ok_or(LOST)?),
                other => return Ok(other),
            },
        };
        // Nothing fails any more.
        block.commit(state, 0);
        end.advance(record.place, record.size, passed.and(record.length)); // the commit
        Ok(Moved::Done(offset))
    }

    /// The block that the record at the head refers to, if it is what the record says.
    fn referred(&self, offset: u64, record: Record, sequence: u64) -> Result<&Block, Fault> {
        let block = self.heap.block(offset).ok_or(LOST)?;
        let is_it = matches!(block.state(), Some((State::Sent(_), _)))
            && block.sequence.get() == sequence
            && block.mtype.get() == record.mtype.cast_unsigned()
            && block.length.get() == record.length
            && self.heap.bytes(offset, record.length).is_some();
        is_it.then_some(block).ok_or(Fault::Damaged("a record refers to what is no message"))
    }

    /// Copies an inline record to a block of its own, HELD by the caller, which counts.
    fn copy_to_block(
        &self,
        host: &impl Host,
        record: Record,
        sequence: u64,
        granted: Option<Space>,
        limit: Deadline,
    ) -> Result<Moved, Fault> {
        let granted = granted.and_then(Space::of_heap);
        let offset = match self.heap.allocate_counted(host, record.length, granted, limit)? {
            Allocated::Block(offset) => offset,
            Allocated::NeedsSpace(space) => return Ok(Moved::NeedsSpace(self.heap_space(space))),
            Allocated::Full => return Ok(Moved::NoRoom),
        };
        let block = self.heap.block(offset).ok_or(LOST)?;
        let bytes = self.heap.bytes(offset, record.length).ok_or(LOST)?;
        block.sequence.set(sequence);
        block.mtype.set(record.mtype.cast_unsigned());
        // SAFETY: the record lies in its ring, mapped for that many bytes after any place in it; the block is HELD by this
        // participant, and has room for them. No Rust reference covers either.
        unsafe {
            let from = self.byte(record.place).byte_add(RECORD as usize);
            from.copy_to_nonoverlapping(bytes, record.length as usize);
        }
        Ok(Moved::Done(offset))
    }

    fn take_record(
        &self,
        host: &impl Host,
        record: Record,
        target: &mut Target,
        cuts: bool,
        limit: Deadline,
    ) -> Result<Taken, Fault> {
        let Record { place, size, mtype, length, block } = record;
        if length > target.length() as u64 && !cuts {
            return Ok(Taken::All(Received::TooSmall(length)));
        }
        let end = &self.control().receivers.end;
        let passed = end.passed(place);
        let envelope = Envelope { mtype, length, sequence: passed.messages, deliveries: 0 };
        let Some(offset) = block else {
            let copied = length.min(target.length() as u64) as usize;
            // SAFETY: as in `pop`.
            unsafe { target.fill(self.byte(place).byte_add(RECORD as usize), copied) };
            end.advance(place, size, passed.and(length)); // the commit
            if self.lines.are_given_up(passed.bytes) {
                self.give_up(place, record_size(copied as u64));
            }
            return Ok(Taken::All(Received::Message(envelope)));
        };
        self.relocate(host, record, None, State::Leased(host.me()), limit)?;
        Ok(Taken::Long(offset, envelope))
    }

    fn take_queued(&self, host: &impl Host, offset: u64, target: &mut Target, cuts: bool) -> Result<Taken, Fault> {
        let (block, envelope) = self.envelope(offset)?;
        if envelope.length > target.length() as u64 && !cuts {
            return Ok(Taken::All(Received::TooSmall(envelope.length)));
        }
        if envelope.length > LONGEST_INLINE {
            self.dequeue(offset)?;
            block.commit(State::Leased(host.me()), envelope.deliveries); // the commit
            return Ok(Taken::Long(offset, envelope));
        }
        self.copy_out(offset, envelope.length, target)?;
        self.dequeue(offset)?;
        block.commit(State::Held(host.me()), 0); // the commit
        Ok(Taken::Copied(offset, envelope))
    }

    /// What the head of a message's block says.
    pub(super) fn envelope(&self, offset: u64) -> Result<(&Block, Envelope), Fault> {
        let block = self.heap.block(offset).ok_or(LOST)?;
        let (_, deliveries) = block.state().ok_or(LOST)?;
        let length = block.length.get();
        self.heap.bytes(offset, length).ok_or(LOST)?;
        let mtype = block.mtype.get().cast_signed();
        Ok((block, Envelope { mtype, length, sequence: block.sequence.get(), deliveries }))
    }

    /// Copies as many of a block's `length` bytes as the target takes; the block is the caller's, or he holds C.
    fn copy_out(&self, offset: u64, length: u64, target: &mut Target) -> Result<(), Fault> {
        let copied = length.min(target.length() as u64);
        let bytes = self.heap.bytes(offset, copied).ok_or(LOST)?;
        // SAFETY: valid for so many bytes, which nobody changes while the block is in the state that it is in; no Rust
        // reference covers a heap but a lease's, which only reads.
        unsafe { target.fill(bytes, copied as usize) };
        Ok(())
    }

    /// Looks where the lines of a long message are, of which so many bytes are about to be read.
    pub(super) fn look_at_lines(&self, offset: u64, read: u64) {
        let middle = (read / 2) & !(WORD - 1);
        if read > LONGEST_INLINE
            && let Some(bytes) = self.heap.bytes(offset, read)
        {
            // SAFETY: the block has at least the bytes asked for, of which these are eight, aligned since a block is; an atomic may hold
            // anything.
            self.lines.look(unsafe { bytes.byte_add(middle as usize).cast().as_ref() });
        }
    }

    /// Gives up the lines of a message of which so many bytes were read, before its block is freed.
    pub(super) fn give_block_up(&self, offset: u64, read: u64) {
        if self.lines.of_long_are_given_up(read)
            && let Some(bytes) = self.heap.bytes(offset, read)
        {
            // SAFETY: the lines said so; the block has so many bytes, and the area is mapped.
            unsafe { lines::give_up(bytes, read as usize) };
        }
    }

    /// The message at a position in the queue, 0 being the first, which stays.
    pub(crate) fn peek(
        &self,
        host: &impl Host,
        position: u64,
        target: &mut Target,
        cuts: bool,
        limit: Deadline,
    ) -> Result<Received, Fault> {
        self.at_head(host, limit, || {
            let queued = self.control().receivers.queued.peek();
            if position < queued {
                let Some(offset) = self.index().nth(position)? else { return Ok(Received::Empty) };
                let (_, envelope) = self.envelope(offset)?;
                return self.show(envelope, target, cuts, |target| self.copy_out(offset, envelope.length, target));
            }
            self.peek_ring(position - queued, target, cuts)
        })
    }

    fn peek_ring(&self, position: u64, target: &mut Target, cuts: bool) -> Result<Received, Fault> {
        let Some(first) = self.first_record()? else { return Ok(Received::Empty) };
        let end = &self.control().receivers.end;
        let sequence = end.passed(first.place).messages.wrapping_add(position);
        let mut left = [Side::Near, Side::Deep].map(|side| end.left(side).peek());
        let (mut place, mut before) = (first.place, position);
        let mut rest = self.geometry.near + self.geometry.deep;
        loop {
            let word = self.word(place, 0).get();
            if word == 0 {
                break;
            }
            let is_skip = word & KIND == SKIP && self.geometry.deep != 0;
            let record = if is_skip { None } else { Some(self.record(place, word)?) };
            rest = rest.checked_sub(record.map_or(WORD, |record| record.size)).ok_or(ENDLESS)?;
            let Some(Record { size, mtype, length, block, .. }) = record else {
                left[place.side() as usize] = place.position().wrapping_add(WORD);
                place = place.across(left[place.side().other() as usize]);
                continue;
            };
            if before == 0 {
                let envelope = Envelope { mtype, length, sequence, deliveries: 0 };
                return self.show(envelope, target, cuts, |target| match block {
                    Some(offset) => self.copy_out(offset, length, target),
                    None => {
                        let copied = length.min(target.length() as u64) as usize;
                        // SAFETY: as in `pop`.
                        unsafe { target.fill(self.byte(place).byte_add(RECORD as usize), copied) };
                        Ok(())
                    }
                });
            }
            before -= 1;
            place = place.after(size);
        }
        Ok(Received::Empty)
    }

    fn show(
        &self,
        envelope: Envelope,
        target: &mut Target,
        cuts: bool,
        copy: impl FnOnce(&mut Target) -> Result<(), Fault>,
    ) -> Result<Received, Fault> {
        if envelope.length > target.length() as u64 && !cuts {
            return Ok(Received::TooSmall(envelope.length));
        }
        copy(target)?;
        Ok(Received::Message(envelope))
    }
}

/// Blocks.
impl Ring {
    /// A block for `length` bytes, HELD by the caller.
    pub(super) fn allocate(
        &self,
        host: &impl Host,
        length: u64,
        granted: Option<Space>,
        limit: Deadline,
    ) -> Result<Reserved, Fault> {
        let allocate = || self.heap.allocate(host, length, granted.and_then(Space::of_heap), limit);
        Ok(match self.telling_of_room(host, allocate)? {
            Allocated::Block(offset) => Reserved::Block(offset),
            Allocated::Full => Reserved::Full,
            Allocated::NeedsSpace(space) => Reserved::NeedsSpace(self.heap_space(space)),
        })
    }

    fn heap_space(&self, space: heap::Space) -> Space {
        let offset = self.geometry.heap_offset() + space.offset;
        Space { of: Of::Heap(space), offset, length: space.length }
    }

    /// Frees a block of the caller's, who holds no lock, and wakes a sender who waits for the room.
    pub(super) fn free(&self, host: &impl Host, offset: u64) -> Result<(), Fault> {
        match self.free_until(host, offset, Deadline::NOW) {
            // Somebody is stopped inside. Nobody's is freed by whoever looks for what the dead left.
            Err(Fault::Busy) => self.heap.block(offset).ok_or(LOST)?.commit(State::Held(Participant::NOBODY), 0),
            done => done?,
        }
        Ok(())
    }

    /// As [`free`](Self::free), but waits until `limit` for somebody inside; then the block is the caller's still.
    pub(super) fn free_until(&self, host: &impl Host, offset: u64, limit: Deadline) -> Result<(), Fault> {
        self.heap.free(host, offset, limit)?;
        self.wake_waiting_senders(host);
        Ok(())
    }

    /// Wakes a sender if there may be more room than when he fell asleep.
    pub(super) fn wake_waiting_senders(&self, host: &impl Host) {
        fence(Ordering::SeqCst);
        if self.senders_wait() {
            self.wake_senders(host);
        }
    }
}
