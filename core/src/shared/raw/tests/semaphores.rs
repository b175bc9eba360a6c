//! A set of semaphores under the trap: every operation ended before each of its stores, and whoever repairs it too.

use std::cell::Cell;
use std::os::fd::AsFd;
use std::sync::Arc;
use std::time::Duration;

use super::super::Fault;
use super::super::cell::trap::{Died, die_after};
use super::super::host::Participant;
use super::super::semaphores::{Blocked, Geometry, Need, Operation, Outcome, Seat, Semaphores};
use super::{Actor, World};
use crate::deadline::Deadline;
use crate::mapping::Mapping;
use crate::sys::file;

mod kept;
mod meanwhile;
mod scribbled;
mod story;
mod waiting;

const PID: u32 = 7;

/// A set of `values`, with room for 8 participants.
fn set_of(values: &[u32]) -> Semaphores {
    set_for(8, values)
}

fn set_for(participants: u32, values: &[u32]) -> Semaphores {
    let geometry = Geometry::new(values.len() as u32, 100, participants).unwrap();
    let file = file::create_unnamed(c"/dev/shm").unwrap();
    file::set_size(file.as_fd(), geometry.size()).unwrap();
    let mapping = Mapping::of_file(file.as_fd(), 0, geometry.size(), true).unwrap();
    let set = Arc::new(mapping).semaphores(geometry);
    set.create(values.iter().copied());
    set
}

fn op(index: u32, delta: i32) -> Operation {
    Operation { index, delta, undo: false, no_wait: false }
}

fn undone(index: u32, delta: i32) -> Operation {
    Operation { undo: true, ..op(index, delta) }
}

/// Stuck where a 0 is waited for.
fn blocked_for_zero(index: u32, need: u32) -> Outcome {
    Outcome::Blocked(Blocked { index, need: Need::Exactly(need), for_zero: true, no_wait: false })
}

fn blocked(index: u32, need: Need) -> Outcome {
    Outcome::Blocked(Blocked { index, need, for_zero: false, no_wait: false })
}

thread_local! {
    /// The time of these tests: a second goes by between any two looks for the dead.
    static NOW_NS: Cell<u64> = const { Cell::new(1 << 40) };
}

fn tidy(set: &Semaphores, who: Actor) {
    NOW_NS.set(NOW_NS.get() + 1_000_000_000);
    set.tidy(&who, NOW_NS.get(), Deadline::NOW).unwrap();
}

/// Does them, with all the space that it takes.
fn operate(set: &Semaphores, who: Actor, operations: &[Operation]) -> Outcome {
    loop {
        match set.operate(&who, PID, operations, None, Deadline::NOW).unwrap() {
            Outcome::NeedsSpace(_) => set.grant(who.me.slot()),
            other => return other,
        }
    }
}

fn values(set: &Semaphores) -> Vec<u32> {
    (0..set.geometry().count).map(|index| set.value(index).value).collect()
}

/// Tries, and sits down.
fn sit(set: &Semaphores, who: Actor, operations: &[Operation]) -> (Seat, Outcome) {
    let mut seat = Seat::default();
    let outcome = set.operate(&who, PID, operations, Some(&mut seat), Deadline::NOW).unwrap();
    (seat, outcome)
}

fn is_woken(set: &Semaphores, who: Actor, seat: &Seat) -> bool {
    set.sleep(&who, seat, Duration::ZERO).is_ok()
}

#[test]
fn all_or_nothing() {
    let world = World::default();
    let who = world.participant(0);
    let set = set_of(&[2, 0, 5]);

    assert_eq!(operate(&set, who, &[op(0, -1), op(1, -1)]), blocked(1, Need::AtLeast(1)));
    assert_eq!(operate(&set, who, &[op(0, -3)]), blocked(0, Need::AtLeast(3)));
    assert_eq!(operate(&set, who, &[op(2, 0)]), blocked_for_zero(2, 0));
    assert_eq!(operate(&set, who, &[op(0, 1), op(2, 96)]), Outcome::OutOfRange { index: 2 });
    assert_eq!(values(&set), [2, 0, 5]);
    // In their order: what one gives, the next may take.
    assert_eq!(operate(&set, who, &[op(1, 0), op(1, 3), op(1, -2), op(0, -2), op(0, 0)]), Outcome::Done);
    assert_eq!(values(&set), [0, 1, 5]);
    assert_eq!((set.value(0).pid, set.value(2).pid), (PID, 0));
    let undone = |delta| undone(0, delta);
    assert_eq!(operate(&set, who, &[undone(100), undone(-100), undone(100)]), Outcome::Done);
    assert_eq!(operate(&set, who, &[op(0, -99), undone(1)]), Outcome::Done);
    assert_eq!(operate(&set, who, &[undone(1)]), Outcome::OutOfRange { index: 0 }, "-102 can't be undone");
}

/// What an operation does is there as a whole or not at all, at whichever store its author died, and whoever repairs; and what
/// he had to be undone is given back.
#[test]
fn every_death_leaves_all_or_nothing() {
    let arrays: &[&[Operation]] = &[
        &[op(0, -1)],
        &[op(1, 2)],
        &[op(0, -2), op(1, 1), op(2, 0), op(1, -1)],
        &[undone(0, -1)],
        &[undone(0, -2), op(1, 3), undone(1, 1), undone(1, -4)],
    ];
    for operations in arrays {
        let [mut before, mut after] = [false; 2];
        for stores in 0.. {
            let world = World::default();
            let [dying, repairing, living] = [0, 1, 2].map(|slot| world.participant(slot));
            let set = set_of(&[3, 1, 0]);
            operate(&set, dying, &[undone(0, -1), undone(2, 3)]);
            operate(&set, dying, &[op(2, -3)]);
            let lived = die_after(stores, || operate(&set, dying, operations)).is_ok();
            dying.dies();
            // Each repair dies once at each of its stores.
            for stores in 0..200 {
                let heir = Actor { me: Participant::new(repairing.me.slot(), stores), ..repairing };
                if die_after(stores, || set.bury(&heir, Deadline::NOW).and_then(|_| set.settle(&heir, heir.me))).is_ok()
                {
                    break;
                }
                heir.dies();
            }
            assert_eq!(operate(&set, living, &[op(0, 1)]), Outcome::Done);
            assert_eq!(set.bury(&living, Deadline::NOW), Ok(false), "at store {stores}");
            // With all undone, what is left is what was done without.
            let kept = operations.iter().filter(|operation| !operation.undo);
            let mut done = [4, 1, 0];
            for operation in kept {
                done[operation.index as usize] += operation.delta;
            }
            let now: Vec<_> = values(&set).iter().map(|&value| value as i32).collect();
            // (2 took what is to be taken away once more: it stays 0.)
            before |= now == [4, 1, 0];
            after |= now == done;
            assert!(now == [4, 1, 0] || now == done, "{now:?} of {operations:?} at store {stores}");
            if lived {
                assert_eq!(now, done);
                break;
            }
        }
        assert!(before && after);
    }
}

/// A value that is set is set for all, with what was to be undone, or not at all.
#[test]
fn to_set_is_all_or_nothing() {
    for stores in 0.. {
        let world = World::default();
        let [undoer, dying, living] = [0, 1, 2].map(|slot| world.participant(slot));
        let set = set_of(&[3, 3, 3]);
        operate(&set, undoer, &[undone(0, -1), undone(1, -1), undone(2, -1)]);
        let lived = die_after(stores, || set.set(&dying, PID, 0, &[9, 8, 7], Deadline::NOW)).is_ok();
        dying.dies();
        assert_eq!(operate(&set, living, &[op(0, 0), op(0, 1)]), blocked_for_zero(0, 0));
        let now = values(&set);
        assert!(now == [2, 2, 2] || now == [9, 8, 7], "{now:?} at store {stores}");
        undoer.dies();
        assert_eq!(set.bury(&living, Deadline::NOW), Ok(true));
        assert_eq!(values(&set), if now == [2, 2, 2] { [3, 3, 3] } else { [9, 8, 7] });
        if lived {
            assert_eq!(now, [9, 8, 7]);
            break;
        }
    }
}

#[test]
fn sleepers_are_served_in_their_order() {
    let world = World::default();
    let actors: Vec<_> = (0..5).map(|slot| world.participant(slot)).collect();
    let set = set_of(&[0, 0]);
    let wants = [op(0, -2), op(0, -1), op(0, -1), op(1, -1)];
    let seats: Vec<_> = wants.iter().zip(&actors).map(|(want, &who)| sit(&set, who, &[*want]).0).collect();
    let woken = || seats.iter().zip(&actors).map(|(seat, &who)| is_woken(&set, who, seat)).collect::<Vec<_>>();
    assert_eq!(set.waiting(&actors[4], 0), (3, 0));
    assert_eq!(woken(), [false; 4]);
    // Not enough for the first: the next one is served, and only he.
    operate(&set, actors[4], &[op(0, 1)]);
    assert_eq!(woken(), [false, true, false, false]);
    // 3: the first one's 2, and 1 for the second, who has not come yet.
    operate(&set, actors[4], &[op(0, 2)]);
    assert_eq!(woken(), [true, true, false, false]);
    operate(&set, actors[4], &[op(0, 1), op(1, 1)]);
    assert_eq!(woken(), [true; 4]);
}

#[test]
fn who_waits_for_zero_is_told() {
    let world = World::default();
    let [one, two] = [0, 1].map(|slot| world.participant(slot));
    let set = set_of(&[2]);
    let (mut seat, _) = sit(&set, one, &[op(0, 0), op(0, 1)]);
    assert_eq!(set.waiting(&two, 0), (0, 1));
    operate(&set, two, &[op(0, -1)]);
    assert!(!is_woken(&set, one, &seat));
    operate(&set, two, &[op(0, -1)]);
    assert!(is_woken(&set, one, &seat));
    let done = set.operate(&one, PID, &[op(0, 0), op(0, 1)], Some(&mut seat), Deadline::NOW);
    assert_eq!((done, values(&set)), (Ok(Outcome::Done), vec![1]));
    assert_eq!(set.waiting(&two, 0), (0, 0));
}

/// Who was woken and leaves, or dies, passes on what he didn't take.
#[test]
fn a_wake_that_is_not_used_is_passed_on() {
    for dies in [false, true] {
        let world = World::default();
        let [first, second, third] = [0, 1, 2].map(|slot| world.participant(slot));
        let set = set_of(&[0]);
        let (mut seat, _) = sit(&set, first, &[op(0, -1)]);
        let (next, _) = sit(&set, second, &[op(0, -1)]);
        operate(&set, third, &[op(0, 1)]);
        assert!(is_woken(&set, first, &seat) && !is_woken(&set, second, &next));
        if dies {
            first.dies();
            assert_eq!(set.waiting(&third, 0), (1, 0), "the dead don't count");
            tidy(&set, second);
        } else {
            set.leave(&first, &mut seat, Deadline::NOW).unwrap();
        }
        assert!(is_woken(&set, second, &next), "{dies}");
    }
}

type Deed<'a> = &'a dyn Fn(&Semaphores, Actor);

/// Whoever dies while he sits down, gets up, or wakes others: everybody gets what is there, and no place is lost.
#[test]
fn places_survive_every_death() {
    let waits = [op(0, -1)];
    let sits_down = |set: &Semaphores, who: Actor| {
        sit(set, who, &waits);
    };
    let gets_up = |set: &Semaphores, who: Actor| {
        let (mut seat, _) = sit(set, who, &waits);
        set.leave(&who, &mut seat, Deadline::NOW).unwrap();
    };
    let gives = |set: &Semaphores, who: Actor| _ = operate(set, who, &[op(0, 1)]);
    let gives_several = |set: &Semaphores, who: Actor| _ = operate(set, who, &[op(1, 1), op(0, 1)]);
    let all: [Deed; 4] = [&sits_down, &gets_up, &gives, &gives_several];
    for (which, operation) in all.iter().enumerate() {
        for stores in 0.. {
            let world = World::default();
            let [dying, waiting, living] = [0, 1, 2].map(|slot| world.participant(slot));
            let set = set_of(&[0, 0]);
            let (mut seat, _) = sit(&set, waiting, &waits);
            let died = die_after(stores, || operation(&set, dying)) == Err(Died);
            dying.dies();
            tidy(&set, living);
            assert_eq!(set.waiting(&living, 0), (1, 0));
            let was_given = set.look(&living, Deadline::NOW, values).unwrap()[0];
            assert_eq!(is_woken(&set, waiting, &seat), was_given > 0, "of {which} at store {stores}");
            if was_given == 0 {
                operate(&set, living, &[op(0, 1)]);
                assert!(is_woken(&set, waiting, &seat), "of {which} at store {stores}");
            }
            let done = set.operate(&waiting, PID, &waits, Some(&mut seat), Deadline::NOW);
            assert_eq!(done, Ok(Outcome::Done));
            // All eight places are there.
            let mut seats: Vec<_> = (0..8).map(|_| sit(&set, living, &waits).0).collect();
            assert_eq!(set.waiting(&living, 0), (8, 0), "of {which} at store {stores}");
            seats.iter_mut().for_each(|seat| set.leave(&living, seat, Deadline::NOW).unwrap());
            assert_eq!(set.waiting(&living, 0), (0, 0));
            if !died {
                break;
            }
        }
    }
}

/// More wait than there are places: the others stand, and still get what is there.
#[test]
fn who_finds_no_place_tries_again() {
    let world = World::default();
    let [many, one] = [0, 1].map(|slot| world.participant(slot));
    let set = set_of(&[0]);
    let seats: Vec<_> = (0..8).map(|_| sit(&set, many, &[op(0, -1)]).0).collect();
    let (mut standing, outcome) = sit(&set, one, &[op(0, -1)]);
    assert!(matches!(outcome, Outcome::Blocked(_)));
    world.longest_sleep.set(Duration::ZERO);
    let _ = set.sleep(&one, &standing, Duration::from_secs(1));
    assert!(world.longest_sleep.get() <= Duration::from_millis(5));
    operate(&set, many, &[op(0, 1)]);
    let done = set.operate(&one, PID, &[op(0, -1)], Some(&mut standing), Deadline::NOW);
    assert_eq!(done, Ok(Outcome::Done));
    drop(seats);
}

/// A dead participant's place in the roster is taken by another before anybody looked.
#[test]
fn an_heir_gives_back_what_its_slots_former_owner_took() {
    let world = World::default();
    let [dying, waiting] = [0, 1].map(|slot| world.participant(slot));
    let set = set_of(&[1]);
    operate(&set, dying, &[Operation { undo: true, ..op(0, -1) }]);
    let (seat, _) = sit(&set, waiting, &[op(0, -1)]);
    let (_, _) = sit(&set, dying, &[op(0, -9)]);
    dying.dies();
    let heir = dying.heir();
    set.settle(&heir, heir.me).unwrap();
    assert_eq!(values(&set), [1]);
    assert!(is_woken(&set, waiting, &seat));
    assert_eq!(set.waiting(&heir, 0), (1, 0));
    // He has nothing to be undone himself.
    set.part(&heir);
    assert_eq!(values(&set), [1]);
}

#[test]
fn who_parts_gives_back() {
    let world = World::default();
    let [parting, other] = [0, 1].map(|slot| world.participant(slot));
    let set = set_of(&[5]);
    let undone = |delta| undone(0, delta);
    operate(&set, parting, &[undone(-3)]);
    operate(&set, parting, &[undone(1)]);
    set.part(&parting);
    assert_eq!(values(&set), [5]);
    assert_eq!(set.bury(&other, Deadline::NOW), Ok(false));
    // What can't be taken back any more is taken as far as it goes.
    operate(&set, parting, &[undone(10)]);
    operate(&set, other, &[op(0, -12)]);
    set.part(&parting);
    assert_eq!(values(&set), [0]);
}

#[test]
fn a_living_owner_of_the_lock_is_waited_for() {
    let world = World::never_keeping();
    let [inside, other] = [0, 1].map(|slot| world.participant(slot));
    let set = set_of(&[1]);
    assert_eq!(die_after(3, || operate(&set, inside, &[op(0, -1), op(0, 1)])), Err(Died));
    assert_eq!(set.operate(&other, PID, &[op(0, 1)], None, Deadline::NOW), Err(Fault::Busy));
    inside.dies();
    assert_eq!(set.operate(&other, PID, &[op(0, 1)], None, Deadline::NOW), Ok(Outcome::Done));
    assert_eq!((values(&set), set.repairs()), (vec![2], 1));
}
