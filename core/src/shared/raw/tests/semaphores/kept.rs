//! The same where the lock is kept by who uses it most.

use super::*;

/// The actor, who keeps the lock now.
fn keeper<'a>(set: &Semaphores, world: &'a World, slot: u32) -> Actor<'a> {
    let who = world.participant(slot);
    for _ in 0..4 {
        operate(set, who, &[op(0, 1)]);
        operate(set, who, &[op(0, -1)]);
    }
    assert_eq!(set.keeper_for_test(), Some(who.me));
    who
}

/// A keeper dies at each of its stores: what it does is done or not, and what it took is given back.
#[test]
fn every_death_of_a_keeper_leaves_all_or_nothing() {
    let arrays: &[&[Operation]] =
        &[&[op(0, -1)], &[op(0, -2), op(1, 1)], &[undone(0, -1)], &[undone(0, -2), op(1, 3), undone(1, -4)]];
    for operations in arrays {
        let [mut before, mut after] = [false; 2];
        for stores in 0.. {
            let world = World::default();
            let set = set_of(&[3, 1]);
            let dying = keeper(&set, &world, 0);
            let living = world.participant(1);
            set.grant(0);
            let lived = die_after(stores, || operate(&set, dying, operations)).is_ok();
            dying.dies();
            set.bury(&living, Deadline::NOW).unwrap();
            let now = set.look(&living, Deadline::NOW, values).unwrap();
            let mut done = [3, 1];
            for operation in operations.iter().filter(|operation| !operation.undo) {
                done[operation.index as usize] += operation.delta;
            }
            let done = done.map(|value| value as u32);
            before |= now == [3, 1];
            after |= now == done;
            assert!(now == [3, 1] || now == done, "{now:?} of {operations:?} at store {stores}");
            assert_eq!(set.bury(&living, Deadline::NOW), Ok(false));
            if lived {
                assert_eq!(now, done);
                break;
            }
        }
        assert!(before && after);
    }
}

/// What a keeper gave before it died is found by who sleeps, and by who looks.
#[test]
fn what_a_dead_keeper_gave_is_there() {
    for stores in 0.. {
        let world = World::default();
        let set = set_of(&[0]);
        let [waiting, living] = [1, 2].map(|slot| world.participant(slot));
        let (seat, _) = sit(&set, waiting, &[op(0, -5)]);
        let dying = keeper(&set, &world, 0);
        let died = die_after(stores, || operate(&set, dying, &[op(0, 5)])).is_err();
        dying.dies();
        let there = set.look(&living, Deadline::NOW, values).unwrap()[0];
        assert!(there == 0 || there == 5);
        assert_eq!(is_woken(&set, waiting, &seat), there == 5, "store {stores}");
        if !died {
            assert_eq!(there, 5);
            break;
        }
    }
}

/// Who sets dies at each of its stores, having kept the lock.
#[test]
fn a_keeper_sets_all_or_nothing() {
    for stores in 0.. {
        let world = World::default();
        let set = set_of(&[3, 3]);
        let undoer = world.participant(2);
        operate(&set, undoer, &[undone(0, -1), undone(1, -1)]);
        let dying = keeper(&set, &world, 0);
        let lived = die_after(stores, || set.set(&dying, PID, 0, &[9, 8], Deadline::NOW)).is_ok();
        dying.dies();
        let living = world.participant(1);
        let now = set.look(&living, Deadline::NOW, values).unwrap();
        undoer.dies();
        set.bury(&living, Deadline::NOW).unwrap();
        let later = set.look(&living, Deadline::NOW, values).unwrap();
        let expected = if now == [2, 2] { [3, 3] } else { [9, 8] };
        assert!(now == [2, 2] || now == [9, 8], "{now:?} at store {stores}");
        assert_eq!(later, expected, "store {stores}");
        if lived {
            assert_eq!(now, [9, 8]);
            break;
        }
    }
}

/// Who closes gives back what it kept, and what it took.
#[test]
fn a_keeper_parts() {
    let world = World::default();
    let set = set_of(&[3]);
    let parting = keeper(&set, &world, 0);
    operate(&set, parting, &[undone(0, -2)]);
    set.part(&parting);
    assert_eq!((values(&set), set.keeper_for_test()), (vec![3], None));
    for stores in 0.. {
        let set = set_of(&[3]);
        let parting = keeper(&set, &world, 0);
        operate(&set, parting, &[undone(0, -2)]);
        let died = die_after(stores, || set.part(&parting)) == Err(Died);
        let heir = parting.heir();
        set.settle(&heir, heir.me).unwrap();
        assert_eq!(set.look(&heir, Deadline::NOW, values).unwrap(), [3], "store {stores}");
        if !died {
            break;
        }
    }
}
