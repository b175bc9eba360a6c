//! What the dead leave, and who puts it in order.
//!
//! - **P** was inherited: the tail is brought up to what was committed ([`Ring::repair_senders`]).
//! - **C** was inherited: the head is all there is, but the index may be anything. It is made anew from the blocks.
//! - **The heap's lock** was inherited: the heap does it (`heap.rs`).
//! - **Blocks of the dead**: whoever is about to sleep, or finds the heap full, looks for them ([`Ring::reclaim`]).
//!
//! What becomes of a block is decided by its state, by whether its owner lives, and by where head and tail are (`block.rs`). Only
//! with P held is it known where the tail is, so it is taken too where blocks of dead senders are in question. Order: P, C, the
//! heap's.

use super::*;
use crate::shared::raw::block::State;
use crate::shared::raw::heap::Decision;

impl Ring {
    /// Puts the backlog in order if the last holder of C may have left it half done.
    #[inline]
    pub(super) fn order_backlog(&self, host: &impl Host, entered: Entered) -> Result<(), Fault> {
        if entered == Entered::Inherited {
            self.note_repair();
            self.control().receivers.stale.set(1);
        }
        if self.control().receivers.stale.peek() == 0 { Ok(()) } else { self.rebuild(host, None).map(drop) }
    }

    /// Gives back what the dead had leased, and frees what they held. Says whether messages wait that didn't before.
    ///
    /// Not for somebody who holds a lock. Where a living one is inside for long, nothing is done.
    #[cold]
    pub(crate) fn reclaim(&self, host: &impl Host) -> Result<bool, Fault> {
        let end = &self.control().senders.end;
        let entered = match end.lock.lock(host, Deadline::INSTANT) {
            // What the senders among the dead held stays for now.
            Err(Fault::Busy | Fault::Exclusive) => None,
            entered => Some(entered?),
        };
        if entered == Some(Entered::Inherited) {
            self.repair_senders_or_unlock(host)?;
        }
        let tail = entered.map(|_| end.passed(end.place()).messages);
        let found = self.at_head(host, Deadline::INSTANT, || self.rebuild(host, tail));
        if let Some(entered) = entered {
            end.lock.unlock(host, entered)?;
        }
        let found = match found {
            Err(Fault::Busy | Fault::Exclusive) => return Ok(false),
            found => found?,
        };
        if found {
            self.wake_everybody(host);
        }
        Ok(found)
    }

    /// Makes the index anew from the blocks, and decides about those of the dead; holding C. `tail` is how many messages were
    /// sent, if the caller holds P.
    fn rebuild(&self, host: &impl Host, tail: Option<u64>) -> Result<bool, Fault> {
        let receivers = &self.control().receivers;
        receivers.stale.set(1);
        self.index().clear();
        receivers.queued.set(0);
        let head = receivers.end.passed(receivers.end.place()).messages;
        let at_head = self.first_record()?.and_then(|record| record.block);
        let mut asked_last = (host.me(), true);
        let mut lives = |owner| {
            if asked_last.0 != owner {
                asked_last = (owner, host.lives(owner));
            }
            asked_last.1
        };
        let (mut returned, mut failed) = (false, Ok(()));
        self.heap.reclaim(host, Deadline::NEVER, |offset, block| {
            let Some((state, deliveries)) = block.state() else { return Decision::Keep };
            // Distances, since sequences may wrap.
            let is_behind_head = head.wrapping_sub(block.sequence.get()).cast_signed() > 0;
            match state {
                State::Free => Decision::Keep,
                State::Held(owner) if lives(owner) => Decision::Keep,
                State::Held(_) => Decision::Free,
                State::Leased(owner) if lives(owner) => Decision::Keep,
                State::Queued | State::Leased(_) if !is_behind_head => {
                    // Its record is in the ring still: either it refers to this block, or this is a copy.
                    if at_head != Some(offset) {
                        return Decision::Free;
                    }
                    block.commit(State::Sent(host.me()), 0);
                    Decision::Uncount
                }
                State::Queued | State::Leased(_) => {
                    if state != State::Queued {
                        block.commit(State::Queued, deliveries + 1); // the commit
                        returned = true;
                    }
                    failed = failed.and_then(|()| self.enqueue(offset));
                    Decision::Count
                }
                State::Sent(_) if is_behind_head => Decision::Free,
                State::Sent(owner) => match tail {
                    Some(tail) if tail.wrapping_sub(block.sequence.get()).cast_signed() <= 0 && !lives(owner) => {
                        Decision::Free
                    }
                    _ => Decision::Keep,
                },
            }
        })?;
        failed?;
        receivers.stale.set(0);
        Ok(returned)
    }

    /// Takes over the locks that former owners of the heir's slot hold, and repairs. An end that can't be repaired is damaged for
    /// whoever uses it; that is no reason not to join.
    pub(crate) fn settle(&self, host: &impl Host, heir: Participant) -> Result<(), Fault> {
        let Control { senders, receivers, .. } = self.control();
        match senders.end.lock.inherit_from_slot(host, heir) {
            Some(Entered::Inherited) if self.repair_senders_or_unlock(host).is_ok() => {
                senders.end.lock.unlock(host, Entered::Inherited)?;
                self.wake_everybody(host);
            }
            None | Some(Entered::Inherited) => {}
            Some(entered) => senders.end.lock.unlock(host, entered)?,
        }
        if let Some(entered) = receivers.end.lock.inherit_from_slot(host, heir) {
            // What fails is stale still.
            let _ = self.order_backlog(host, entered);
            receivers.end.lock.unlock(host, entered)?;
        }
        self.heap.settle(host, heir)
    }

    /// Repairs the senders' end, whose lock was inherited. If that can't be done the lock is given back, so that nobody hangs.
    #[cold]
    pub(super) fn repair_senders_or_unlock(&self, host: &impl Host) -> Result<(), Fault> {
        self.note_repair();
        self.repair_senders().or_else(|fault| {
            self.control().senders.end.lock.unlock(host, Entered::Inherited)?;
            Err(fault)
        })
    }

    #[cold]
    pub(super) fn note_repair(&self) {
        self.control().settings.repairs.add(1);
    }

    /// Takes an end for the caller alone, for as long as it lives or until it [leaves](Self::leave).
    pub(crate) fn claim(&self, host: &impl Host, senders: bool) -> Result<(), Fault> {
        let Control { senders: s, receivers: r, .. } = self.control();
        let lock = if senders { &s.end.lock } else { &r.end.lock };
        let entered = lock.lock(host, Deadline::NOW)?;
        match entered {
            Entered::Inherited if senders => self.repair_senders_or_unlock(host)?,
            Entered::Inherited => self.order_backlog(host, entered)?,
            Entered::Clean => {}
            // It may be kept, but not for good yet.
            Entered::Kept => {
                lock.unlock(host, entered)?;
                lock.give_back_for_good(host);
                return self.claim(host, senders);
            }
        }
        lock.keep_for_good(host, entered)
    }

    /// Whether blocks were ever used here: if not, the dead hold none.
    pub(crate) fn has_blocks(&self) -> bool {
        self.heap.is_used()
    }
}
