//! The robust lock, and one that is kept: nobody is in beside another, the dead are inherited from once, and who waits gets in.

use super::super::super::cell::U32;
use super::super::super::keep::{Entered, KeptLock};
use super::super::super::lock::{Locked, RobustLock};
use super::*;
use crate::deadline::Deadline;

/// What a lock protects: who is inside, and how often somebody was.
#[derive(Default)]
struct Inside {
    who: U32,
    times: U32,
}

impl Inside {
    /// Comes in and goes out; says so where another is. Whoever inherited puts it in order first.
    fn pass(&self, number: usize, is_inherited: bool) {
        if is_inherited {
            self.who.set(0);
        }
        assert_eq!(self.who.get(), 0, "somebody is inside, or died there and nobody was told");
        self.who.set(number as u32 + 1);
        self.times.add(1);
        self.who.set(0);
    }
}

fn once(lock: &RobustLock, inside: &Inside, player: Player, number: usize) {
    let how = lock.lock(&player, Deadline::NEVER).expect("a lock that is waited for");
    inside.pass(number, how == Locked::Inherited);
    lock.unlock(&player).expect("nobody was presumed dead");
}

/// Whoever comes last finds it free.
fn check(orders: &Orders, (lock, inside): &(RobustLock, Inside), ended: &Ended, passes: u32) {
    let last = orders.player(9);
    let how = lock.lock(&last, Deadline::INSTANT).expect("it is free, or its owner is dead");
    assert!(how == Locked::Clean || ended.has_deaths(), "{how:?}");
    assert_eq!(lock.unlock(&last), Ok(()));
    if !ended.has_deaths() {
        assert_eq!(inside.times.get(), passes);
        assert_eq!(ended.needed_time, 0, "a wake was lost");
    }
}

#[test]
fn two_share_a_lock_again_and_again() {
    for deaths in 0..2 {
        let preemptions = if is_full() { None } else { Some(4) };
        let limits = Limits { deaths, mortals: 2, early: 1, preemptions, ..Limits::default() };
        try_all("lock, two, twice", limits, &<(RobustLock, Inside)>::default(), |orders, thing| {
            let twice = |number| move |player: Player| (0..2).for_each(|_| once(&thing.0, &thing.1, player, number));
            let Some(ended) = orders.run(&[&twice(0), &twice(1)]) else { return };
            check(orders, thing, &ended, 4);
        });
    }
}

#[test]
fn three_share_a_lock() {
    for deaths in 0..if is_full() { 3 } else { 2 } {
        let preemptions = if is_full() { None } else { Some(3) };
        let limits = Limits { deaths, mortals: 3, preemptions, ..Limits::default() };
        try_all("lock, three", limits, &<(RobustLock, Inside)>::default(), |orders, thing| {
            let work = |number| move |player: Player| once(&thing.0, &thing.1, player, number);
            let Some(ended) = orders.run(&[&work(0), &work(1), &work(2)]) else { return };
            check(orders, thing, &ended, 3);
        });
    }
}

/// The first keeps the lock; the second asks for it. Whoever is inside says so in `Inside` all the same.
#[test]
fn a_kept_lock_is_asked_for() {
    let thing = <(KeptLock, Inside)>::default();
    for (deaths, mortals) in [(0, 0), (1, 2)] {
        let preemptions = if is_full() { None } else { Some(4) };
        let limits = Limits { deaths, mortals, preemptions, keeps: true, ..Limits::default() };
        try_all("kept lock, two", limits, &thing, |orders, (lock, inside)| {
            let pass = |player: &Player, number| {
                let entered = lock.lock(player, Deadline::NEVER).expect("a lock that is waited for");
                inside.pass(number, entered == Entered::Inherited);
                lock.unlock(player, entered).expect("nobody was presumed dead");
                entered
            };
            // Alone, so often in a row that he keeps it.
            while pass(&orders.player(0), 0) != Entered::Kept {}
            let twice = |player: Player| (0..2).for_each(|_| _ = pass(&player, 0));
            let once = |player: Player| _ = pass(&player, 1);
            let Some(ended) = orders.run(&[&twice, &once]) else { return };
            assert!(ended.needed_time == 0 || ended.has_deaths(), "a wake was lost");
            let _ = pass(&orders.player(9), 9);
        });
    }
}

/// All of three, two of whom may come to keep it on the way.
#[test]
fn who_keeps_a_lock_changes() {
    let thing = <(KeptLock, Inside)>::default();
    let preemptions = Some(if is_full() { 2 } else { 1 });
    let limits = Limits { deaths: 1, mortals: 2, preemptions, keeps: true, ..Limits::default() };
    try_all("kept lock, changing", limits, &thing, |orders, (lock, inside)| {
        let pass = |player: &Player, number| {
            let entered = lock.lock(player, Deadline::NEVER).expect("a lock that is waited for");
            inside.pass(number, entered == Entered::Inherited);
            lock.unlock(player, entered).expect("nobody was presumed dead");
        };
        let often = |number| move |player: Player| (0..6).for_each(|_| pass(&player, number));
        let once = |player: Player| pass(&player, 2);
        let Some(ended) = orders.run(&[&often(0), &often(1), &once]) else { return };
        assert!(ended.needed_time == 0 || ended.has_deaths(), "a wake was lost");
        pass(&orders.player(9), 9);
    });
}
