//! Every operation, ended before each of its stores.

use super::*;

/// What the first does and dies in.
const DEEDS: [Step; 9] = [
    Step::Allocate(100),
    Step::Allocate(3000),
    Step::Allocate(2 * PIECE),
    Step::Allocate(7 * PIECE),
    Step::Free(0),
    Step::Free(2),
    Step::Free(usize::MAX),
    Step::Count(1),
    Step::Trim,
];

/// Heaps in which these do something else each time.
fn prepared(state: usize, who: Actor) -> Tested {
    let (mut tested, offsets) = with_runs(who);
    match state {
        // Nothing was ever allocated but one block.
        0 => {
            tested = Tested::new(16);
            tested.allocate(who, 1000).unwrap();
        }
        1 => {}
        2 => tested.trim(who),
        // Hollow runs that begin with space, and short free blocks.
        3 => {
            tested.trim(who);
            tested.allocate(who, 9000).unwrap();
            let offset = tested.allocate(who, 200).unwrap();
            tested.allocate(who, 200).unwrap();
            tested.free(who, offset);
        }
        // Everything in one hollow run, between two blocks that count.
        _ => {
            tested.count(who, offsets[0]);
            tested.count(who, offsets[7]);
            tested.free(who, offsets[2]);
            tested.trim(who);
            tested.free(who, offsets[5]);
        }
    }
    tested
}

const STATES: usize = 5;

#[test]
fn one_may_die_at_every_store() {
    for state in 0..STATES {
        for deed in DEEDS {
            for stores in 0.. {
                let world = World::default();
                let [one, two] = [1, 2].map(|slot| world.participant(slot));
                let mut tested = prepared(state, two);
                let done = tested.step_and_die(one, stores, &deed);
                tested.reclaim(two);
                tested.check();
                tested.finish(two);
                if done {
                    break;
                }
            }
        }
    }
}

/// The first dies at each store of what it does, the second at stores of its repair and of its reclaiming.
#[test]
fn who_repairs_may_die_too() {
    for state in [3, 4] {
        for deed in DEEDS {
            for first in 0.. {
                let mut done = false;
                for second in (0..).step_by(5).map(|second| second + first % 5) {
                    let world = World::default();
                    let [one, two, three] = [1, 2, 3].map(|slot| world.participant(slot));
                    let mut tested = prepared(state, three);
                    done = tested.step_and_die(one, first, &deed);
                    let repaired = die_after(second, || tested.reclaim(two)).is_ok();
                    two.dies();
                    tested.reclaim(three);
                    tested.check();
                    if repaired {
                        break;
                    }
                }
                if done {
                    break;
                }
            }
        }
    }
}

/// The lock of the dead is taken over by whoever comes, or by the heir of the slot; both leave a heap in order.
#[test]
fn the_dead_leave_a_lock_that_is_inherited() {
    for settles in [false, true] {
        for stores in 1.. {
            let world = World::default();
            let [one, two] = [1, 2].map(|slot| world.participant(slot));
            let mut tested = prepared(1, two);
            let done = tested.step_and_die(one, stores, &Step::Free(2));
            if done {
                break;
            }
            assert_eq!(tested.control.lock.held_by(), Some(one.me));
            let heir = Actor { me: Participant::new(1, 2), ..one };
            if settles {
                tested.heap.settle(&two, two.me).unwrap();
                assert_eq!(tested.control.lock.held_by(), Some(one.me), "not his slot");
                tested.heap.settle(&heir, heir.me).unwrap();
            } else {
                tested.heap.allocate(&two, u64::MAX / 2, None, Deadline::NOW).unwrap();
                tested.trim(two);
            }
            assert_eq!((tested.control.lock.held_by(), tested.heap.repairs()), (None, 1));
            tested.check();
            tested.finish(two);
        }
    }
}

/// Claims of the dead are hollow, whether they were punched or not.
#[test]
fn the_claims_of_the_dead_are_hollow() {
    for punched in [false, true] {
        let world = World::default();
        let [one, two] = [1, 2].map(|slot| world.participant(slot));
        let (mut tested, _) = with_runs(two);
        let first = tested.heap.hollow_out(&one, None, Deadline::NOW).unwrap();
        let second = tested.heap.hollow_out(&one, first, Deadline::NOW).unwrap().unwrap();
        if punched {
            tested.punch(first.unwrap());
            tested.punch(second);
        }
        one.dies();
        tested.reclaim(two);
        tested.check();
        tested.finish(two);
    }
}
