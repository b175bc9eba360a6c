//! Reservations and leases: a message whose bytes are somebody's own for a while.
//!
//! **Reserve**: a block, HELD by its sender, who fills it in place. **Commit**, holding P: the block is told its sequence, and is
//! SENT; then *a record that refers to it is stored: the commit*. Killed before: HELD or SENT by the dead, with no record: it is
//! freed (`estate.rs`). Long messages are sent this way too, so that they are copied outside the lock.
//!
//! **Lease**, holding C: the message's block becomes LEASED by the receiver, *then the head passes its record* (a block of the backlog
//! only changes its state): the commit. **Acknowledge**: HELD again, *the commit*, then freed. **Give back**, holding C: QUEUED
//! again, in its old order, once more delivered. What was leased by the dead is given back by whoever finds it; so is what can't
//! be given back at once, since somebody is stopped inside: it is made nobody's ([`Participant::NOBODY`]). (So is an acknowledged
//! block that can't be freed at once.)
//!
//! Neither hinders anybody else, however long it is held.

use super::backlog::{Asked, Moved, Selected, long_look};
use super::*;
use crate::shared::raw::block::State;
use crate::shared::raw::heap::Claim;
use crate::shared::raw::view::View;

/// A block that was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reserved {
    /// At this offset of the heap.
    Block(u64),
    NeedsSpace(Space),
    Full,
}

/// How a lease came out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Leased {
    /// The block at this offset of the heap.
    Message(u64, Envelope),
    Empty,
    NeedsSpace(Space),
    /// There is no room to move messages to.
    NoRoom,
}

/// Reserving.
impl Ring {
    /// A place for a message of `length` bytes, at most [`Geometry::capacity`].
    pub(crate) fn reserve(
        &self,
        host: &impl Host,
        length: u64,
        granted: Option<Space>,
        limit: Deadline,
    ) -> Result<Reserved, Fault> {
        let reserved = self.allocate(host, length, granted, limit)?;
        if let Reserved::Block(offset) = reserved {
            self.heap.block(offset).ok_or(LOST)?.length.set(length);
        }
        Ok(reserved)
    }

    /// The bytes of a block of the caller's.
    pub(crate) fn view(&self, offset: u64, length: u64) -> Result<View, Fault> {
        let bytes = self.heap.bytes(offset, length).ok_or(LOST)?;
        let bytes = NonNull::slice_from_raw_parts(bytes, length as usize);
        // SAFETY: the heap vouches for so many bytes; the owner keeps all of it mapped. No Rust reference covers a heap.
        Ok(unsafe { View::new(bytes, self.owner.clone()) })
    }

    /// Sends what was written to a reserved block, its first `length` bytes, if the limits admit it.
    pub(crate) fn commit(
        &self,
        host: &impl Host,
        offset: u64,
        mtype: i64,
        length: u64,
        limit: Deadline,
    ) -> Result<Sent, Fault> {
        let block = self.heap.block(offset).ok_or(LOST)?;
        self.heap.bytes(offset, length).ok_or(LOST)?;
        let lock = &self.control().senders.end.lock;
        let entered = lock.lock(host, limit)?;
        if entered == Entered::Inherited {
            self.repair_senders_or_unlock(host)?;
        }
        let sent = match block.state() {
            Some((State::Held(owner), _)) if owner == host.me() => self.refer(host, offset, block, mtype, length),
            _ => Err(Fault::NotYours),
        };
        lock.unlock(host, entered)?;
        self.wake_for(host, entered, sent, mtype);
        sent
    }

    fn refer(&self, host: &impl Host, offset: u64, block: &Block, mtype: i64, length: u64) -> Result<Sent, Fault> {
        let end = &self.control().senders.end;
        let place = end.place();
        let passed = end.passed(place);
        let size = record_size(WORD);
        let place = match self.make_room(place, passed, length, size) {
            Ok(place) => place,
            Err(Blocked::Full) => return Ok(Sent::Full),
            Err(Blocked::NeedsSpace(space)) => return Ok(Sent::NeedsSpace(space)),
            Err(Blocked::Damaged(what)) => return Err(Fault::Damaged(what)),
        };
        block.sequence.set(passed.messages);
        block.mtype.set(mtype.cast_unsigned());
        block.length.set(length);
        block.commit(State::Sent(host.me()), 0);
        self.word(place, WORD).set(mtype.cast_unsigned());
        self.word(place, RECORD).set(offset);
        self.word(place, size).set(0);
        self.word(place, 0).set(length << LENGTH | REFERENCE); // the commit
        end.advance(place, size, passed.and(length));
        Ok(Sent::Done)
    }

    /// Gives a reserved block back. Not one that was sent, though its sender was told that he was presumed dead.
    pub(crate) fn unreserve(&self, host: &impl Host, offset: u64) -> Result<(), Fault> {
        match self.heap.block(offset).ok_or(LOST)?.state() {
            Some((State::Held(owner), _)) if owner == host.me() => self.free(host, offset),
            _ => Err(Fault::NotYours),
        }
    }
}

/// Leasing.
impl Ring {
    /// Leases the message that is asked for, if it is there.
    pub(crate) fn lease(&self, host: &impl Host, asked: Asked, limit: Deadline) -> Result<Leased, Fault> {
        for is_last in self.turns() {
            let leased = self.at_head(host, limit, || {
                Ok(Some(match self.select(host, asked, is_last, limit)? {
                    Selected::Queued(offset) => self.lease_queued(host, offset, limit)?,
                    Selected::Record(record) => {
                        match self.relocate(host, record, asked.granted, State::Leased(host.me()), limit)? {
                            Moved::Done(offset) => Leased::Message(offset, self.envelope(offset)?.1),
                            Moved::NeedsSpace(space) => Leased::NeedsSpace(space),
                            Moved::NoRoom => Leased::NoRoom,
                        }
                    }
                    Selected::Empty => Leased::Empty,
                    Selected::More => return Ok(None),
                    Selected::NeedsSpace(space) => Leased::NeedsSpace(space),
                    Selected::NoRoom => Leased::NoRoom,
                }))
            })?;
            if let Some(leased) = leased {
                if let Leased::Message(offset, envelope) = leased {
                    self.look_at_lines(offset, envelope.length);
                }
                return Ok(leased);
            }
            long_look(limit)?;
        }
        Ok(Leased::Empty)
    }

    fn lease_queued(&self, host: &impl Host, offset: u64, limit: Deadline) -> Result<Leased, Fault> {
        let (block, envelope) = self.envelope(offset)?;
        if self.is_dead_letter(envelope) {
            // To send it to another queue takes a while too.
            long_look(limit)?;
        }
        self.dequeue(offset)?;
        block.commit(State::Leased(host.me()), envelope.deliveries); // the commit
        Ok(Leased::Message(offset, envelope))
    }

    /// Acknowledges a lease: the message is done with.
    pub(crate) fn acknowledge(&self, host: &impl Host, offset: u64) -> Result<(), Fault> {
        self.finish(host, offset)?;
        self.free(host, offset)
    }

    /// As [`acknowledge`](Self::acknowledge), but waits until `limit` for somebody inside. After [`Fault::Busy`] and
    /// [`Fault::Interrupted`] the message is done with too, but its block isn't free yet: again.
    pub(crate) fn acknowledge_until(&self, host: &impl Host, offset: u64, limit: Deadline) -> Result<(), Fault> {
        self.finish(host, offset)?;
        self.free_until(host, offset, limit)
    }

    /// Makes a leased block HELD, unless it is.
    fn finish(&self, host: &impl Host, offset: u64) -> Result<(), Fault> {
        if !self.is_held(host, offset) {
            let block = self.leased(host, offset)?.0;
            self.give_block_up(offset, block.length.get());
            block.commit(State::Held(host.me()), 0); // the commit
        }
        Ok(())
    }

    /// Whether the block is one that the caller reserved, or a lease that he acknowledged.
    pub(crate) fn is_held(&self, host: &impl Host, offset: u64) -> bool {
        let state = self.heap.block(offset).and_then(Block::state);
        matches!(state, Some((State::Held(owner), _)) if owner == host.me())
    }

    /// Whether the block is one that the caller leased.
    pub(crate) fn is_leased(&self, host: &impl Host, offset: u64) -> bool {
        self.leased(host, offset).is_ok()
    }

    /// Gives a lease back: the message waits again where it was, once more delivered.
    pub(crate) fn give_back(&self, host: &impl Host, offset: u64) -> Result<(), Fault> {
        match self.give_back_until(host, offset, Deadline::NOW) {
            // Somebody is stopped inside.
            Err(Fault::Busy) => self.leave_lease(host, offset),
            given => given,
        }
    }

    /// As [`give_back`](Self::give_back), but waits until `limit` for somebody inside; then it is the caller's still.
    pub(crate) fn give_back_until(&self, host: &impl Host, offset: u64, limit: Deadline) -> Result<(), Fault> {
        let given = self.at_head(host, limit, || {
            let (block, deliveries) = self.leased(host, offset)?;
            block.commit(State::Queued, deliveries + 1); // the commit
            self.enqueue(offset)?;
            Ok(block.mtype.get().cast_signed())
        });
        if given == Err(Fault::Exclusive) {
            // Another handle, or another thread, receives alone.
            return self.leave_lease(host, offset);
        }
        // C may be kept, and then its release is no fence.
        fence(Ordering::SeqCst);
        self.wake_receiver(host, Entered::Clean, given?);
        Ok(())
    }

    /// Makes a lease nobody's: it is given back by whoever looks for what the dead left, as those do who want it.
    #[cold]
    fn leave_lease(&self, host: &impl Host, offset: u64) -> Result<(), Fault> {
        let (block, deliveries) = self.leased(host, offset)?;
        let mtype = block.mtype.get().cast_signed();
        block.commit(State::Leased(Participant::NOBODY), deliveries);
        fence(Ordering::SeqCst);
        self.wake_receiver(host, Entered::Clean, mtype);
        Ok(())
    }

    /// The block of a lease that is the caller's still.
    fn leased(&self, host: &impl Host, offset: u64) -> Result<(&Block, u64), Fault> {
        let block = self.heap.block(offset).ok_or(LOST)?;
        match block.state() {
            Some((State::Leased(owner), deliveries)) if owner == host.me() => Ok((block, deliveries)),
            _ => Err(Fault::NotYours),
        }
    }

    /// The next piece of the file that can be given back, the last one being so; `None` when there is no more.
    pub(crate) fn hollow_out(&self, host: &impl Host, last: Option<Claim>) -> Result<Option<(Claim, u64)>, Fault> {
        let claim = self.telling_of_room(host, || self.heap.hollow_out(host, last, Deadline::NOW))?;
        if last.is_some() {
            // It was missing meanwhile.
            self.wake_waiting_senders(host);
        }
        Ok(claim.map(|claim| (claim, self.geometry.heap_offset() + claim.offset)))
    }
}
