//! The operations of a set of semaphores.

use std::time::Duration;

use madang::{Create, Operation as Op, SemaphoreSet};

use super::names::{Named, names};
use super::operation::{BOUND, Check, Checked, Operation, expect, no};
use super::tracer::Act;
use crate::part::{Fault, Harm};

const NAME: &str = "set";
const BEFORE: [u32; 3] = [5, 0, 7];

fn open() -> SemaphoreSet {
    SemaphoreSet::options().values(&BEFORE).max_participants(8).open(NAME).expect("the set opens")
}

/// An operation on a set of 5, 0 and 7, which leaves the values of one of `stages`.
fn operation(name: &str, stages: &'static [[u32; 3]], prepare: fn(&SemaphoreSet), act: fn(SemaphoreSet)) -> Operation {
    let victim = move || {
        let set = open();
        prepare(&set);
        Box::new(move || act(set)) as Act
    };
    let peer = move || {
        let set = open();
        Box::new(move || holds(&set, stages)) as Check
    };
    Operation::new(name, || drop(open()), victim, stages.len() - 1, peer)
}

/// Finds which stage is there, and uses the set in every way.
fn holds(set: &SemaphoreSet, stages: &[[u32; 3]]) -> Checked {
    let values = set.values().map_err(no("values"))?;
    let Some(stage) = stages.iter().position(|stage| values == stage) else {
        return Err(Fault {
            harm: Harm::Lost,
            what: format!("the values are {values:?}, instead of one of {stages:?}"),
        });
    };
    for index in 0..3 {
        let waiting = set.waiting(index).map_err(no("waiting"))?;
        let counts = (waiting.to_grow, waiting.for_zero);
        expect(counts == (0, 0), Harm::Wrong, || format!("of semaphore {index}, a dead one waits: {counts:?}"))?;
    }
    let take_all: Vec<_> = (0..3)
        .zip(&values)
        .filter(|(_, value)| **value > 0)
        .map(|(index, &value)| Op::acquire(index, value as i32))
        .collect();
    set.operate_timeout(&take_all, BOUND).map_err(no("take all"))?;
    set.operate_timeout(&[Op::zero(0), Op::zero(1), Op::zero(2)], BOUND).map_err(no("wait for 0"))?;
    set.operate_timeout(&[Op::release(0, 2).undo(), Op::release(2, 3)], BOUND).map_err(no("give some"))?;
    set.set_value(1, 9).map_err(no("set_value"))?;
    drop(SemaphoreSet::open(NAME).map_err(no("open it again"))?);
    let values = set.values().map_err(no("values"))?;
    expect(values == [2, 9, 3], Harm::Wrong, || format!("the values are {values:?} instead of [2, 9, 3]"))?;
    Ok(stage)
}

fn keep(set: SemaphoreSet) {
    std::mem::forget(set);
}

fn nothing(_: &SemaphoreSet) {}

fn some_use(set: &SemaphoreSet) {
    set.operate(&[Op::release(1, 2)]).expect("2 are given");
    set.operate(&[Op::acquire(1, 2)]).expect("2 are taken");
}

pub(super) fn operations() -> Vec<Operation> {
    let released: &[[u32; 3]] = &[BEFORE, [5, 1, 7]];
    let array: &[[u32; 3]] = &[BEFORE, [3, 3, 0]];
    let all_set: &[[u32; 3]] = &[BEFORE, [1, 2, 3]];
    let unchanged: &[[u32; 3]] = &[BEFORE];
    let act_array = |set: SemaphoreSet| {
        set.operate(&[Op::acquire(0, 2), Op::release(1, 3), Op::acquire(2, 7)]).expect("it can be done");
        keep(set);
    };
    let act_undo = |set: SemaphoreSet| {
        set.operate(&[Op::acquire(0, 2).undo(), Op::acquire(2, 7).undo()]).expect("it can be done");
        keep(set);
    };
    let take_with_undo = |set: &SemaphoreSet| {
        set.operate(&[Op::acquire(0, 2).undo(), Op::release(1, 4).undo()]).expect("it can be done");
    };
    let mut all = vec![
        operation("release", released, nothing, |set| {
            set.release(1).expect("it can be done");
            keep(set);
        }),
        operation("release, after use", released, some_use, |set| {
            set.release(1).expect("it can be done");
            keep(set);
        }),
        operation("acquire", &[BEFORE, [4, 0, 7]], some_use, |set| {
            set.acquire(0).expect("it can be done");
            keep(set);
        }),
        operation("operate, three at once", array, nothing, act_array),
        operation("operate, three at once, after use", array, some_use, act_array),
        operation("operate with undo", unchanged, nothing, act_undo),
        operation("operate with undo, again", unchanged, take_with_undo, |set| {
            set.operate(&[Op::acquire(0, 3).undo(), Op::acquire(1, 4).undo()]).expect("it can be done");
            keep(set);
        }),
        operation("operate, one with undo, one without", &[BEFORE, [5, 1, 7]], some_use, |set| {
            set.operate(&[Op::acquire(0, 2).undo(), Op::release(1, 1)]).expect("it can be done");
            keep(set);
        }),
        operation("close with undo", unchanged, take_with_undo, drop),
        operation("close", unchanged, some_use, drop),
        operation("set_value", &[BEFORE, [5, 8, 7]], nothing, |set| {
            set.set_value(1, 8).expect("it is set");
            keep(set);
        }),
        operation("set_values", all_set, nothing, |set| {
            set.set_values(&[1, 2, 3]).expect("they are set");
            keep(set);
        }),
        operation("set_values, with undo before", all_set, take_with_undo, |set| {
            set.set_values(&[1, 2, 3]).expect("they are set");
            keep(set);
        }),
        operation("wait in vain", unchanged, nothing, |set| {
            set.operate_timeout(&[Op::acquire(1, 1)], Duration::from_millis(1)).expect_err("there is none");
            keep(set);
        }),
        operation("wait for 0 in vain", unchanged, nothing, |set| {
            set.operate_timeout(&[Op::zero(0)], Duration::from_millis(1)).expect_err("it is 5");
            keep(set);
        }),
        operation("values and stat", unchanged, nothing, |set| {
            set.values().and_then(|_| set.stat()).expect("it tells");
            keep(set);
        }),
    ];
    all.extend(names(Named {
        what: "set",
        make: || keep(open()),
        is_there: || SemaphoreSet::options().create(Create::Never).open(NAME).map(drop),
        unlink: || SemaphoreSet::unlink(NAME),
        holds: || holds(&open(), &[BEFORE]).map(drop),
    }));
    all
}
