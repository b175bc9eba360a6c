//! What the dead leave, and who puts it in order.
//!
//! - **P** was inherited: the tail is brought up to what was committed ([`Ring::repair_senders`]).
//! - **C** was inherited: the head is all there is, but the index may be anything. It is made anew from the blocks.
//! - **The heap's lock** was inherited: the heap does it (`heap.rs`).
//! - **Blocks of the dead**: whoever is about to sleep, finds the heap full, counts or joins, looks for them ([`Ring::reclaim`]).
//!
//! What becomes of a block is decided by its state, by whether its owner lives, and by where head and tail are (`block.rs`). Only
//! with P held is it known where the tail is, so it is taken too where blocks of dead senders are in question. Order: P, C, the
//! heap's.

use super::*;
use crate::shared::raw::block::State;
use crate::shared::raw::heap::Decision;

/// What came of putting the backlog in order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Ordered {
    /// Messages wait that didn't before.
    returned: bool,
    /// There is room that there wasn't before.
    freed: bool,
}

impl Ordered {
    pub(super) fn is_change(self) -> bool {
        self.returned || self.freed
    }
}

/// How many participants are remembered: to ask the world takes a system call.
const ASKED: usize = 8;

/// Who lives, asked once of each, where few own all the blocks.
struct Living<'a, H> {
    host: &'a H,
    asked: [(Participant, bool); ASKED],
    next: usize,
}

impl<'a, H: Host> Living<'a, H> {
    fn new(host: &'a H) -> Self {
        Self { host, asked: [(Participant::NOBODY, false); ASKED], next: 0 }
    }

    fn has(&mut self, who: Participant) -> bool {
        if let Some(&(_, lives)) = self.asked.iter().find(|asked| asked.0 == who) {
            return lives;
        }
        let lives = who == self.host.me() || self.host.lives(who);
        // The first one stays: nobody.
        self.next = self.next % (ASKED - 1) + 1;
        self.asked[self.next] = (who, lives);
        lives
    }
}

/// Whether `sequence` is that of a message before the one whose place is `place`. A distance, since sequences may wrap.
fn is_before(sequence: u64, place: u64) -> bool {
    place.wrapping_sub(sequence).cast_signed() > 0
}

impl Ring {
    /// Puts the backlog in order if the last holder of C may have left it half done.
    #[inline]
    pub(super) fn order_backlog(&self, host: &impl Host, entered: Entered, limit: Deadline) -> Result<Ordered, Fault> {
        if entered == Entered::Inherited {
            self.note_repair();
            self.control().receivers.stale.set(1);
        }
        if self.control().receivers.stale.peek() == 0 {
            return Ok(Ordered::default());
        }
        self.rebuild(host, None, limit)
    }

    /// For one who is about to tell how much there is: a message that a receiver was killed while he moved it may count twice until
    /// the next receiver comes.
    pub(crate) fn put_counts_in_order(&self, host: &impl Host) {
        let receivers = &self.control().receivers;
        if receivers.stale.get() != 0 || receivers.end.lock.is_left(host) {
            // Where that can't be done now, the next receiver does it.
            let _ = self.at_head(host, Deadline::INSTANT, || Ok(()));
        }
    }

    /// Gives back what the dead had leased, and frees what they held. Says whether messages wait that didn't before.
    ///
    /// Not for somebody who holds a lock. Where a living one is inside for long, nothing is done.
    #[cold]
    pub(crate) fn reclaim(&self, host: &impl Host) -> Result<bool, Fault> {
        match self.telling_of_room(host, || self.try_reclaim(host)) {
            Err(Fault::Busy | Fault::Exclusive) => Ok(false),
            reclaimed => reclaimed,
        }
    }

    /// Does what takes the heap's lock. Should its owner be dead, he may have freed a block and told nobody: then senders are woken.
    pub(super) fn telling_of_room<T>(&self, host: &impl Host, work: impl FnOnce() -> T) -> T {
        let repairs = self.heap.repairs();
        let done = work();
        if self.heap.repairs() != repairs {
            self.wake_waiting_senders(host);
        }
        done
    }

    fn try_reclaim(&self, host: &impl Host) -> Result<bool, Fault> {
        // Most often there is nothing, and senders and receivers should not be disturbed for that.
        if !self.has_remains(host)? {
            return Ok(false);
        }
        let end = &self.control().senders.end;
        let entered = match end.lock.lock(host, Deadline::INSTANT) {
            // One who sends alone never lets go. What the senders among the dead held stays for now.
            Err(Fault::Exclusive) => None,
            entered => Some(entered?),
        };
        if entered == Some(Entered::Inherited) {
            self.repair_senders_or_unlock(host)?;
        }
        let tail = entered.map(|_| end.passed(end.place()).messages);
        let ordered = self.at_head(host, Deadline::INSTANT, || self.rebuild(host, tail, Deadline::INSTANT));
        if let Some(entered) = entered {
            end.lock.unlock(host, entered)?;
        }
        let is_change = ordered.is_ok_and(Ordered::is_change);
        if is_change || entered == Some(Entered::Inherited) {
            self.wake_everybody(host);
        }
        if is_change {
            self.wake_waiting_senders(host);
        }
        Ok(ordered?.returned)
    }

    /// Whether some block is not what a living one will see to. It may be so for a moment in any case.
    fn has_remains(&self, host: &impl Host) -> Result<bool, Fault> {
        let mut living = Living::new(host);
        let mut ends = None;
        self.heap.any(host, Deadline::INSTANT, |block| {
            let sequence = block.sequence.get();
            // Looked at late: who moves needs the heap's lock.
            let (head, tail) = *ends.get_or_insert_with(|| (self.received().messages, self.sent().messages));
            match block.state() {
                Some((State::Held(owner) | State::Leased(owner), _)) => !living.has(owner),
                Some((State::Queued, _)) => !is_before(sequence, head),
                Some((State::Sent(owner), _)) => {
                    is_before(sequence, head) || (!is_before(sequence, tail) && !living.has(owner))
                }
                Some((State::Free, _)) | None => false,
            }
        })
    }

    /// Makes the index anew from the blocks, and decides about those of the dead; holding C. `tail` is how many messages were
    /// sent, if the caller holds P.
    fn rebuild(&self, host: &impl Host, tail: Option<u64>, limit: Deadline) -> Result<Ordered, Fault> {
        let receivers = &self.control().receivers;
        receivers.stale.set(1);
        self.index().clear();
        let head = receivers.end.passed(receivers.end.place()).messages;
        let at_head = self.first_record()?.and_then(|record| record.block);
        let mut living = Living::new(host);
        let (mut ordered, mut queued, mut failed) = (Ordered::default(), 0, Ok(()));
        self.heap.reclaim(host, limit, |offset, block| {
            let Some((state, deliveries)) = block.state() else { return Decision::Keep };
            let is_behind_head = is_before(block.sequence.get(), head);
            let decision = match state {
                State::Free => Decision::Keep,
                State::Held(owner) | State::Leased(owner) if living.has(owner) => Decision::Keep,
                State::Held(_) => Decision::Free,
                State::Queued | State::Leased(_) if !is_behind_head => {
                    // Its record is in the ring still: either it refers to this block, or this is a copy.
                    if at_head == Some(offset) {
                        block.commit(State::Sent(host.me()), 0);
                        Decision::Uncount
                    } else {
                        Decision::Free
                    }
                }
                State::Queued | State::Leased(_) => {
                    if state != State::Queued {
                        block.commit(State::Queued, deliveries + 1); // the commit
                        ordered.returned = true;
                    }
                    failed = failed.and_then(|()| self.index().insert(offset));
                    queued += 1;
                    Decision::Count
                }
                State::Sent(_) if is_behind_head => Decision::Free,
                State::Sent(owner) => match tail {
                    Some(tail) if !is_before(block.sequence.get(), tail) && !living.has(owner) => Decision::Free,
                    // Who died when it counted already left the record to count.
                    _ => Decision::Uncount,
                },
            };
            ordered.freed |= decision == Decision::Free;
            decision
        })?;
        failed?;
        receivers.queued.set(queued);
        receivers.stale.set(0);
        Ok(ordered)
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
            let _ = self.order_backlog(host, entered, Deadline::NOW);
            receivers.end.lock.unlock(host, entered)?;
            self.wake_everybody(host);
            self.wake_waiting_senders(host);
        }
        self.telling_of_room(host, || self.heap.settle(host, heir))?;
        if self.has_blocks() {
            // Before generations wrap, and a block of the dead has a living owner. What can't be done now others will do.
            let _ = self.reclaim(host);
        }
        Ok(())
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
            Entered::Inherited => _ = self.order_backlog(host, entered, Deadline::NOW)?,
            Entered::Clean => {}
            // It may be kept, but not for good yet.
            Entered::Kept => {
                lock.unlock(host, entered)?;
                lock.give_back_for_good(host);
                return self.claim(host, senders);
            }
        }
        let kept = lock.keep_for_good(host, entered);
        if entered == Entered::Inherited {
            // The dead woke nobody, whatever they did last.
            self.wake_everybody(host);
            self.wake_waiting_senders(host);
        }
        kept
    }

    /// Whether blocks were ever used here: if not, the dead hold none.
    pub(crate) fn has_blocks(&self) -> bool {
        self.heap.is_used()
    }
    /// The states of all blocks in use, for tests.
    #[cfg(test)]
    pub(in super::super) fn blocks_for_test(&self, host: &impl Host) -> Vec<State> {
        let mut states = vec![];
        let found = self.heap.any(host, Deadline::NOW, |block| {
            states.extend(block.state().map(|(state, _)| state));
            false
        });
        assert_eq!(found, Ok(false));
        states
    }
    /// Where a block in such a state is.
    #[cfg(test)]
    pub(in super::super) fn offset_for_test(&self, host: &impl Host, is: impl Fn(State) -> bool) -> u64 {
        let mut found = None;
        let kept = self.heap.reclaim(host, Deadline::NOW, |offset, block| {
            found = found.or(block.state().filter(|&(state, _)| is(state)).map(|_| offset));
            Decision::Keep
        });
        assert_eq!(kept, Ok(()));
        found.expect("such a block")
    }

    #[cfg(test)]
    pub(in super::super) fn block_for_test(&self, offset: u64) -> Option<&Block> {
        self.heap.block(offset)
    }

    /// Puts a word into what the receivers keep of the backlog, as scribblers do.
    #[cfg(test)]
    pub(in super::super) fn scribble_index_for_test(&self, which: u64, word: u64) {
        let Receivers { root, queued, stale, .. } = &self.control().receivers;
        [root, queued, stale][which as usize].set(word);
    }
}
