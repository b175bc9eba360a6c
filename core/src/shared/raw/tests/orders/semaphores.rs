//! A set of semaphores: an array of operations is done as a whole or not at all, what the dead had to be undone is given back
//! once, and nobody sleeps while there is enough for him.

use std::cell::Cell;
use std::os::fd::AsFd;
use std::sync::Arc;

use super::super::super::event::NAP;
use super::super::super::semaphores::{Geometry, Operation, Outcome, Seat, Semaphores};
use super::*;
use crate::deadline::Deadline;
use crate::mapping::Mapping;
use crate::sys::file;

fn set_of(values: &[u32]) -> Semaphores {
    let geometry = Geometry::new(values.len() as u32, 100, 4).unwrap();
    let file = file::create_unnamed(c"/dev/shm").unwrap();
    file::set_size(file.as_fd(), geometry.size()).unwrap();
    let set = Arc::new(Mapping::of_file(file.as_fd(), 0, geometry.size(), true).unwrap()).semaphores(geometry);
    set.create(values.iter().copied());
    (0..4).for_each(|slot| set.grant(slot));
    set
}

fn op(index: u32, delta: i32, undo: bool) -> Operation {
    Operation { index, delta, undo, no_wait: false }
}

/// As a handle operates; whether it was done before so many sleeps ended by time.
fn operate(set: &Semaphores, player: &Player, operations: &[Operation], now_ns: &Cell<u64>) -> bool {
    let mut seat = Seat::default();
    for _ in 0..20 {
        match set.operate(player, 7, operations, Some(&mut seat), Deadline::NEVER).expect("sound") {
            Outcome::Done => return true,
            Outcome::Blocked(_) => {}
            other => panic!("{other:?}"),
        }
        if set.sleep(player, &seat, NAP).is_err() {
            now_ns.set(now_ns.get() + 1_000_000_000);
            set.tidy(player, now_ns.get(), Deadline::NEVER).expect("sound");
        }
    }
    panic!("it waits in vain")
}

/// All take one from the first and put one to the second, and back, with undo: at the end all is as it was.
fn explore_set(what: &str, limits: Limits, work: &[&[Operation]]) {
    let set = set_of(&[1, 0]);
    try_all(what, limits, &set, |orders, set| {
        let now_ns = Cell::new(1 << 40);
        let back = |operations: &[Operation]| -> Vec<_> {
            operations.iter().map(|done| Operation { delta: -done.delta, ..*done }).collect()
        };
        let works: Vec<_> = work
            .iter()
            .map(|operations| {
                let back = back(operations);
                let now_ns = &now_ns;
                move |player: Player| {
                    operate(set, &player, operations, now_ns);
                    operate(set, &player, &back, now_ns);
                }
            })
            .collect();
        let works: Vec<&dyn Fn(Player)> = works.iter().map(|work| work as _).collect();
        let Some(ended) = orders.run(&works) else { return };
        assert!(ended.has_deaths() || ended.needed_time == 0, "a wake was lost");
        let last = orders.player(3);
        set.bury(&last, Deadline::INSTANT).expect("sound");
        // (Who takes the lock from the dead puts back what is half done.)
        let values = set.look(&last, Deadline::INSTANT, |set| [0, 1].map(|index| set.value(index).value));
        assert_eq!(values, Ok([1, 0]), "{ended:?}");
    });
}

#[test]
fn two_take_what_is_enough_for_one() {
    let take = [op(0, -1, true), op(1, 1, true)];
    for deaths in 0..2 {
        let preemptions = Some(if is_full() { 3 } else { 2 });
        let limits = Limits { deaths, mortals: 2, preemptions, ..Limits::default() };
        explore_set("semaphores, 2 take both", limits, &[&take, &take]);
    }
}

#[test]
fn three_take_what_is_enough_for_one() {
    let (both, one) = ([op(0, -1, true), op(1, 1, true)], [op(0, -1, true)]);
    let preemptions = Some(if is_full() { 2 } else { 1 });
    let limits = Limits { deaths: 1, mortals: 3, preemptions, ..Limits::default() };
    explore_set("semaphores, 3 take", limits, &[&both, &one, &both]);
}
