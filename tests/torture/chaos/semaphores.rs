//! A set of semaphores: the first is a mutex, the others hold tokens, which actors take and give back, and move.
//!
//! What is taken is to be undone, so whoever is killed gives it back: **in the end** the mutex is free, and there are as many
//! tokens as at first. Never are there more. Nobody comes in while another one is inside who wasn't killed.

use madang::shared::sysv::sem;
use madang::{Deadline, Operation, Result, SemaphoreSet};

use super::actor::{Me, Told, Turns};
use super::book::{Book, Place, Word};
use super::fault;
use crate::part::{Fault, Harm};

pub(super) const VALUES: [u32; 4] = [1, 20, 20, 20];

/// An actor's turns; it holds what does operations.
pub(super) struct SemaphoreTurns<F>(F);

impl SemaphoreTurns<()> {
    pub(super) fn new(name: &str) -> SemaphoreTurns<impl Fn(&[Operation], Deadline) -> Result<()>> {
        let set = SemaphoreSet::open(name).expect("the set");
        SemaphoreTurns(move |operations: &[Operation], deadline| set.operate_until(operations, deadline))
    }

    /// By System V's call.
    pub(super) fn of_sysv(id: i32) -> SemaphoreTurns<impl Fn(&[Operation], Deadline) -> Result<()>> {
        SemaphoreTurns(move |operations: &[Operation], deadline| sem::semop_until(id, operations, deadline))
    }
}

impl<F: Fn(&[Operation], Deadline) -> Result<()>> SemaphoreTurns<F> {
    fn operate(&self, me: &mut Me, operations: &[Operation]) -> Told<bool> {
        Ok(me.call("operate", |deadline| (self.0)(operations, deadline))?.is_some())
    }

    /// What can be done, though somebody who is stopped may hold it up.
    fn give(&self, me: &mut Me, operations: &[Operation]) -> Told<()> {
        while !self.operate(me, operations)? {}
        Ok(())
    }

    fn count_alone(&self, me: &mut Me) -> Told<()> {
        if !self.operate(me, &[change(0, -1).undo()])? {
            return Ok(());
        }
        me.enter(Place::Inside, true)?;
        me.count(Place::Counter);
        me.leave(Place::Inside);
        self.give(me, &[change(0, 1).undo()])
    }

    fn hold(&self, me: &mut Me, amounts: &[(u32, i32)]) -> Told<()> {
        let taken: Vec<_> = amounts.iter().map(|&(index, amount)| change(index, -amount).undo()).collect();
        let given: Vec<_> = amounts.iter().map(|&(index, amount)| change(index, amount).undo()).collect();
        if !self.operate(me, &taken)? {
            return Ok(());
        }
        me.pause();
        // (Who ends now leaves it to the undoing.)
        if me.is_over() { Ok(()) } else { self.give(me, &given) }
    }
}

fn change(index: u32, delta: i32) -> Operation {
    Operation::release(index, delta)
}

impl<F: Fn(&[Operation], Deadline) -> Result<()>> Turns for SemaphoreTurns<F> {
    fn turn(&mut self, me: &mut Me) -> Told<()> {
        let [one, more] = [me.random.below(3) as u32, me.random.below(2) as u32];
        let (one, other) = (1 + one, 1 + (one + 1 + more) % 3);
        let amount = 1 + me.random.below(3) as i32;
        match me.random.below(4) {
            0 => self.count_alone(me),
            1 => self.hold(me, &[(one, amount)]),
            2 => self.hold(me, &[(one, amount), (other, 1)]),
            _ => self.operate(me, &[change(one, -amount), change(other, amount)]).map(drop),
        }
    }
}

/// At no time there is more than at first.
pub(super) fn look(set: &SemaphoreSet) -> Told<()> {
    let values = set.values().map_err(|error| format!("wrong: values: {error}"))?;
    let is_within = values[0] <= VALUES[0] && values[1..].iter().sum::<u32>() <= VALUES[1..].iter().sum();
    if is_within { Ok(()) } else { Err(format!("doubled: there is more than at first: {values:?}")) }
}

/// All is there again; returns how often somebody was alone.
pub(super) fn account(set: &SemaphoreSet, book: &Book, faults: &mut Vec<Fault>) -> u64 {
    match set.values() {
        Ok(values) => {
            if values[0] != VALUES[0] || values[1..].iter().sum::<u32>() != VALUES[1..].iter().sum() {
                faults.push(Fault { harm: Harm::Lost, what: format!("in the end there is {values:?}") });
            }
        }
        Err(error) => faults.push(fault(&format!("wrong: values: {error}"))),
    }
    match set.stat() {
        Ok(status) if status.participants == 1 => {}
        other => faults.push(fault(&format!("wrong: all but one have gone: {other:?}"))),
    }
    book.counted(Place::Counter, Word::Begun, Word::Done, faults)
}
