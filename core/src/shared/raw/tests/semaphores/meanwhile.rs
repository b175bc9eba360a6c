//! Another comes between any two accesses.

use std::cell::RefCell;

use super::super::super::cell::trap::interrupt_after;
use super::*;

/// Nobody ever sees an array half done: not while it is being done, and not when its author was killed in it.
#[test]
fn a_look_is_one_moment() {
    let arrays: &[&[Operation]] = &[&[op(0, -2), op(1, 2)], &[op(0, 5), op(0, -6), op(1, 1)], &[op(2, 1), op(2, -1)]];
    let look = |set: &Semaphores, who: Actor| set.look(&who, Deadline::NOW, values);
    for array in arrays {
        for stores in 0.. {
            let world = World::default();
            let [dying, living] = [0, 1].map(|slot| world.participant(slot));
            let set = set_of(&[3, 0, 0]);
            let died = die_after(stores, || operate(&set, dying, array)).is_err();
            dying.dies();
            let seen = look(&set, living).unwrap();
            assert_eq!((seen[0] + seen[1], seen[2]), (3, 0), "store {stores} of {array:?}");
            if !died {
                break;
            }
        }
        for accesses in 0.. {
            let world = World::default();
            let [one, other] = [0, 1].map(|slot| world.participant(slot));
            let set = set_of(&[3, 0, 0]);
            let looks = || {
                if let Ok(seen) = look(&set, other) {
                    assert_eq!((seen[0] + seen[1], seen[2]), (3, 0), "access {accesses} of {array:?}");
                }
            };
            let (done, came) = interrupt_after(accesses, looks, || set.operate(&one, PID, array, None, Deadline::NOW));
            assert_eq!(done, Ok(Outcome::Done));
            if !came {
                break;
            }
        }
    }
}

/// A thread finds the dead also where another thread of its handle comes to have something to be undone just then.
#[test]
fn anothers_row_is_not_taken_for_that_of_the_dead() {
    for accesses in 0.. {
        let world = World::never_keeping();
        let [dying, one] = [0, 1].map(|slot| world.participant(slot));
        let set = set_of(&[2, 2]);
        operate(&set, dying, &[undone(0, -1)]);
        dying.dies();
        set.grant(1);
        let becomes_undoer = || _ = set.operate(&one, PID, &[undone(1, -1)], None, Deadline::INSTANT);
        let (buried, came) = interrupt_after(accesses, becomes_undoer, || set.bury(&one, Deadline::NOW));
        assert_eq!((buried, set.value(0).value), (Ok(true), 2), "access {accesses}");
        if !came {
            break;
        }
    }
}

/// One sits down, tries again, or leaves, and between any two accesses another gives, takes, sits down, slips away or dies: who is
/// left and could be served was woken.
#[test]
fn nobody_is_forgotten() {
    let wants = [op(0, -1)];
    let acts: [fn(&Semaphores, Actor, &mut Seat); 4] = [
        |set, who, seat| _ = set.operate(&who, PID, &[op(0, -1)], Some(seat), Deadline::INSTANT),
        |set, who, seat| {
            let _ = set.operate(&who, PID, &[op(0, -1)], Some(seat), Deadline::INSTANT);
            let _ = set.leave(&who, seat, Deadline::INSTANT);
        },
        |set, who, _| _ = set.operate(&who, PID, &[op(0, 1)], None, Deadline::INSTANT),
        |set, who, _| _ = set.operate(&who, PID, &[op(0, 1), op(1, 1)], None, Deadline::INSTANT),
    ];
    for [first, second] in [0, 1, 2, 3].into_iter().flat_map(|first| [0, 1, 2, 3].map(|second| [first, second])) {
        for accesses in 0.. {
            let world = World::default();
            let [one, two, three] = [0, 1, 2].map(|slot| world.participant(slot));
            let set = set_of(&[0, 0]);
            let (waiting, _) = sit(&set, three, &wants);
            let seats = [Seat::default(), Seat::default()].map(RefCell::new);
            let other = || acts[second](&set, two, &mut seats[1].borrow_mut());
            let ((), came) = interrupt_after(accesses, other, || acts[first](&set, one, &mut seats[0].borrow_mut()));
            // All who sit, by the order in which they sat down: as many as there is to be taken were woken.
            let there = set.value(0).value as usize;
            let mut woken = usize::from(is_woken(&set, three, &waiting));
            for (seat, who) in seats.iter().zip([one, two]) {
                let seat = seat.borrow();
                woken += usize::from(seat.is_taken() && is_woken(&set, who, &seat));
            }
            let sitting = 1 + seats.iter().filter(|seat| seat.borrow().is_taken()).count();
            assert!(woken >= there.min(sitting), "{first}, {second}, access {accesses}: {woken} of {there}");
            let (grow, _) = set.waiting(&three, 0);
            assert_eq!(grow as usize, sitting, "{first}, {second}, access {accesses}");
            if !came {
                break;
            }
        }
    }
}

/// He leaves without the lock, since somebody is stuck inside; whoever is inside may be about anything.
#[test]
fn one_slips_away() {
    for which in 0..3 {
        for accesses in 0.. {
            let world = World::never_keeping();
            let [one, inside, third] = [0, 1, 2].map(|slot| world.participant(slot));
            let set = set_of(&[0, 0]);
            let (mut seat, _) = sit(&set, one, &[op(0, -1)]);
            let (waiting, _) = sit(&set, third, &[op(0, -1)]);
            let leaves = || _ = set.leave(&one, &mut seat, Deadline::INSTANT);
            let act = || match which {
                0 => _ = operate(&set, inside, &[op(0, 2)]),
                1 => _ = operate(&set, inside, &[op(1, 1), op(0, 2)]),
                _ => {
                    _ = sit(&set, inside, &[op(1, -1)]);
                    operate(&set, inside, &[op(0, 2)]);
                }
            };
            let ((), came) = interrupt_after(accesses, leaves, act);
            if !came {
                break;
            }
            assert!(is_woken(&set, third, &waiting), "{which}, access {accesses}");
            assert_eq!(set.waiting(&third, 0), (1, 0), "{which}, access {accesses}");
            // Nobody who comes later is lost by a count that is wrong.
            let seats: Vec<_> = (0..6).map(|_| sit(&set, inside, &[op(1, -9)]).0).collect();
            set.set(&one, PID, 1, &[100], Deadline::NOW).unwrap();
            assert!(seats.iter().all(|seat| is_woken(&set, inside, seat)), "{which}, access {accesses}");
        }
    }
}

/// One joins in the place of the dead, and another finds him dead, at every turn of either: what he took is given back once. His
/// generation was the last one before they begin anew.
#[test]
fn the_dead_are_buried_once() {
    for joins_first in [false, true] {
        for accesses in 0.. {
            let world = World::never_keeping();
            let [one, former, waiting] = [0, 1, 2].map(|slot| world.participant(slot));
            let former = Actor { me: Participant::new(former.me.slot(), 0x3fff), ..former };
            let heir = former.heir();
            assert_eq!(heir.me.generation(), 0);
            let set = set_of(&[3, 0]);
            operate(&set, former, &[undone(0, -3), op(1, 1)]);
            let _ = sit(&set, former, &[op(1, -5)]);
            let (seat, _) = sit(&set, waiting, &[op(0, -3)]);
            former.dies();
            let joins = || {
                let settled = set.settle(&heir, heir.me);
                settled.map(|()| _ = operate(&set, heir, &[undone(1, -1)]))
            };
            let buries = || set.bury(&one, Deadline::NOW).map(drop);
            let done = Cell::new(Err(Fault::Busy));
            let (first, came) = if joins_first {
                interrupt_after(accesses, || done.set(buries()), joins)
            } else {
                interrupt_after(accesses, || done.set(joins()), buries)
            };
            // Whom the other was in the way of tries again.
            let joined = if joins_first { first } else { done.get() };
            if joined.is_err() {
                joins().unwrap();
            }
            buries().unwrap();
            assert_eq!(set.look(&one, Deadline::NOW, values).unwrap(), [3, 0], "{joins_first}, access {accesses}");
            assert!(is_woken(&set, waiting, &seat), "{joins_first}, access {accesses}");
            assert_eq!(set.waiting(&one, 1), (0, 0));
            set.part(&heir);
            assert_eq!(values(&set), [3, 1]);
            if !came {
                break;
            }
        }
    }
}

/// One begins to wait by a descriptor at any access of another's change, and the other way round: he finds it done, or is rung, or
/// can't tell, which is as if he were rung.
#[test]
fn no_ring_is_lost() {
    let changes: [fn(&Semaphores, Actor); 4] = [
        |set, who| _ = set.operate(&who, PID, &[op(0, 1)], None, Deadline::NOW),
        |set, who| _ = set.operate(&who, PID, &[op(1, 1), op(0, 1)], None, Deadline::NOW),
        |set, who| _ = set.set(&who, PID, 0, &[1, 1], Deadline::NOW),
        |set, who| _ = set.bury(&who, Deadline::NOW),
    ];
    for (which, change) in changes.iter().enumerate() {
        for (keeps, watches_first) in [(false, false), (false, true), (true, false), (true, true)] {
            for accesses in 0.. {
                let world = if keeps { World::default() } else { World::never_keeping() };
                let [changing, watching, dead] = [0, 1, 2].map(|slot| world.participant(slot));
                let set = set_of(&[1, 0]);
                operate(&set, dead, &[undone(0, -1)]);
                (0..6).for_each(|_| _ = operate(&set, changing, &[op(1, 1), op(1, -1)]));
                assert_eq!(set.keeper_for_test().is_some(), keeps);
                dead.dies();
                let waits_on = Cell::new(false);
                let watches = || {
                    set.announce_watcher(&watching, &[op(0, -1)]);
                    let tried = set.operate(&watching, PID, &[op(0, -1)], None, Deadline::INSTANT);
                    waits_on.set(matches!(tried, Ok(Outcome::Blocked(_))));
                };
                let ((), came) = if watches_first {
                    interrupt_after(accesses, || change(&set, changing), watches)
                } else {
                    interrupt_after(accesses, watches, || change(&set, changing))
                };
                let rings = world.rings.get();
                assert!(!waits_on.get() || rings > 0 || set.value(0).value == 0, "{which}, {keeps}, access {accesses}");
                if !came {
                    break;
                }
            }
        }
    }
}
