//! A mutex, a condition and a read-write lock in a segment, which guard words of the book.
//!
//! Nobody comes in while another one is inside who wasn't killed; and who comes in after one who was killed inside, is told.
//! What is counted with the mutex is right, up to the rounds in which somebody was killed. Tickets are given and taken with it,
//! and who has to wait for one waits for the condition. Two words are equal to whoever reads, unless he is told.

use std::sync::atomic::Ordering;

use madang::{Condition, Deadline, Mutex, MutexGuard, RwLock, Segment};

use super::actor::{Me, TIMEOUT, Told, Turns};
use super::book::{Book, Place, Word};
use super::fault;
use crate::part::Fault;

pub(super) const LENGTH: u64 = 4096;
/// Where they lie in the segment.
const MUTEX: usize = 0;
const CONDITION: usize = 64;
const RWLOCK: usize = 512;

/// An actor's turns.
pub(super) struct LockTurns {
    mutex: Mutex,
    condition: Condition,
    rwlock: RwLock,
    /// Of 8 tickets it gives so many, and takes the others.
    gives: u64,
}

impl LockTurns {
    pub(super) fn new(name: &str, gives: u64) -> Self {
        let segment = Segment::options().open(name).expect("the segment");
        Self {
            mutex: Mutex::within(&segment, MUTEX).expect("a mutex"),
            condition: Condition::within(&segment, CONDITION).expect("a condition"),
            rwlock: RwLock::within(&segment, RWLOCK).expect("a lock"),
            gives,
        }
    }

    fn lock(&self, me: &mut Me) -> Told<Option<MutexGuard<'_>>> {
        let guard = me.call("lock", |deadline| self.mutex.lock_until(deadline))?;
        if let Some(guard) = &guard {
            me.enter(Place::Inside, guard.owner_died())?;
        }
        Ok(guard)
    }

    fn count(&self, me: &mut Me) -> Told<()> {
        if let Some(_guard) = self.lock(me)? {
            me.count(Place::Counter);
            me.leave(Place::Inside);
        }
        Ok(())
    }

    fn give(&self, me: &mut Me) -> Told<()> {
        if let Some(_guard) = self.lock(me)? {
            me.change(Place::Tickets, 1, Word::SecondBegun, Word::SecondDone);
            me.leave(Place::Inside);
            self.condition.notify_one().map_err(|error| format!("wrong: notify: {error}"))?;
        }
        Ok(())
    }

    fn take(&self, me: &mut Me) -> Told<()> {
        let Some(mut guard) = self.lock(me)? else { return Ok(()) };
        while me.place(Place::Tickets).load(Ordering::Acquire) == 0 {
            me.leave(Place::Inside);
            let waited = me.wait("wait", |_| self.condition.wait_until(guard, Deadline::after(TIMEOUT)))?;
            let Some(again) = waited else { return Ok(()) };
            guard = again;
            me.enter(Place::Inside, guard.owner_died())?;
        }
        me.change(Place::Tickets, -1, Word::ThirdBegun, Word::ThirdDone);
        me.leave(Place::Inside);
        drop(guard);
        Ok(())
    }

    fn read(&self, me: &mut Me) -> Told<()> {
        let Some(guard) = me.call("read", |deadline| self.rwlock.read_until(deadline))? else { return Ok(()) };
        me.look_inside(Place::Writer, guard.owner_died())?;
        me.compare(guard.owner_died())
    }

    fn write(&self, me: &mut Me) -> Told<()> {
        let Some(guard) = me.call("write", |deadline| self.rwlock.write_until(deadline))? else { return Ok(()) };
        me.enter(Place::Writer, guard.owner_died())?;
        me.compare(guard.owner_died())?;
        let next = me.place(Place::One).load(Ordering::Acquire) + 1;
        me.place(Place::One).store(next, Ordering::Release);
        me.linger();
        me.place(Place::Other).store(next, Ordering::Release);
        me.leave(Place::Writer);
        Ok(())
    }
}

impl Turns for LockTurns {
    fn turn(&mut self, me: &mut Me) -> Told<()> {
        match me.random.below(4) {
            0 => self.count(me),
            1 if me.random.below(8) < self.gives => self.give(me),
            1 => self.take(me),
            2 => self.write(me),
            _ => self.read(me),
        }
    }
}

/// What was counted is right; returns how often.
pub(super) fn account(segment: &Segment, book: &Book, faults: &mut Vec<Fault>) -> u64 {
    let mutex = Mutex::within(segment, MUTEX).and_then(|mutex| mutex.try_lock().map(drop));
    let rwlock = RwLock::within(segment, RWLOCK).and_then(|lock| lock.try_write().map(drop));
    for outcome in [mutex, rwlock] {
        if let Err(error) = outcome {
            faults.push(fault(&format!("stuck: when all have ended: {error}")));
        }
    }
    let given = book.sums(Word::SecondBegun, Word::SecondDone);
    let taken = book.sums(Word::ThirdBegun, Word::ThirdDone);
    let tickets = book.place(Place::Tickets).load(Ordering::Acquire);
    if !(given.1.saturating_sub(taken.0)..=given.0 - taken.1).contains(&tickets) {
        faults.push(fault(&format!("lost: {tickets} tickets are left; given {given:?}, taken {taken:?}")));
    }
    book.counted(Place::Counter, Word::Begun, Word::Done, faults)
}
