//! Who is woken when, and who must not be forgotten.

use std::time::Instant;

use super::*;

fn tries_again(set: &Semaphores, who: Actor, seat: &mut Seat, operations: &[Operation]) -> Outcome {
    set.operate(&who, PID, operations, Some(seat), Deadline::NOW).unwrap()
}

/// What is waited for is what the whole array needs of a semaphore, not what the operation needs that is stuck.
#[test]
fn what_an_array_did_before_counts() {
    let world = World::default();
    let [one, two, three] = [0, 1, 2].map(|slot| world.participant(slot));
    let twice = [op(0, -1), op(0, -1)];
    let back_and_forth = [op(0, 1), op(0, -3)];
    let to_one = [op(0, -1), op(0, 0)];
    let in_vain = [op(0, 1), op(0, 0)];
    let set = set_of(&[0]);
    for value in 0..2 {
        assert_eq!(operate(&set, one, &twice), blocked(0, Need::AtLeast(2)));
        assert_eq!(operate(&set, one, &back_and_forth), blocked(0, Need::AtLeast(2)));
        assert_eq!(operate(&set, one, &[op(0, i32::MIN), op(0, i32::MIN)]), blocked(0, Need::AtLeast(u32::MAX)));
        operate(&set, one, &[op(0, 1)]);
        assert_eq!(values(&set), [value + 1]);
    }
    assert_eq!(operate(&set, one, &to_one), blocked_for_zero(0, 1));
    assert_eq!(operate(&set, one, &in_vain), blocked_for_zero(0, u32::MAX));
    assert_eq!(operate(&set, one, &[op(0, -2), op(0, 0), op(0, 1), op(0, 0)]), blocked_for_zero(0, u32::MAX));
    assert_eq!(operate(&set, one, &[op(0, -2), op(0, 0), op(0, 1), op(0, -2)]), blocked(0, Need::Exactly(u32::MAX)));
    operate(&set, one, &[op(0, -2)]);
    assert_eq!(operate(&set, one, &to_one), blocked(0, Need::Exactly(1)));

    // Who is not served by it isn't in the way of others.
    let set = set_of(&[1]);
    let (first, _) = sit(&set, one, &twice);
    let (second, _) = sit(&set, two, &[op(0, -2)]);
    operate(&set, three, &[op(0, -1)]);
    let (third, _) = sit(&set, three, &[op(0, -1)]);
    operate(&set, three, &[op(0, 1)]);
    assert!(!is_woken(&set, one, &first) && !is_woken(&set, two, &second) && is_woken(&set, three, &third));

    for (waits, starts, becomes) in [(&back_and_forth, 0, 2), (&to_one, 3, 1), (&to_one, 0, 1)] {
        let set = set_of(&[starts]);
        let (mut seat, _) = sit(&set, one, waits);
        let step = if becomes > starts { 1 } else { -1 };
        for value in 1..=becomes.abs_diff(starts) {
            assert!(!is_woken(&set, one, &seat), "{waits:?} at {value}");
            operate(&set, two, &[op(0, step)]);
        }
        assert!(is_woken(&set, one, &seat), "{waits:?}");
        assert_eq!(tries_again(&set, one, &mut seat, waits), Outcome::Done);
    }
}

/// Who needs more of it later isn't woken for the first step.
#[test]
fn who_needs_more_later_leaves_it_to_others() {
    let world = World::default();
    let [one, two, three] = [0, 1, 2].map(|slot| world.participant(slot));
    let waits = [op(0, -1), op(1, -1), op(0, -2)];
    let set = set_of(&[0, 1]);
    let (mut first, _) = sit(&set, one, &waits);
    let (second, _) = sit(&set, two, &[op(0, -1)]);
    operate(&set, three, &[op(0, 1)]);
    assert!(!is_woken(&set, one, &first) && is_woken(&set, two, &second));
    operate(&set, three, &[op(0, 2)]);
    assert_eq!(tries_again(&set, one, &mut first, &waits), Outcome::Done);
}

/// He was woken for one semaphore, and another is missing now.
#[test]
fn who_comes_to_need_another_passes_the_wake_on() {
    let world = World::default();
    let [one, two, three] = [0, 1, 2].map(|slot| world.participant(slot));
    let set = set_of(&[0, 0]);
    let (mut first, _) = sit(&set, one, &[op(0, -1), op(1, -1)]);
    let (second, _) = sit(&set, two, &[op(0, -1)]);
    operate(&set, three, &[op(0, 1)]);
    assert!(!is_woken(&set, two, &second));
    tries_again(&set, one, &mut first, &[op(0, -1), op(1, -1)]);
    assert_eq!((set.waiting(&three, 0), set.waiting(&three, 1)), ((1, 0), (1, 0)));
    assert!(is_woken(&set, two, &second));
}

/// Very many sleepers are called in a moment, in their order, however the semaphores are filled.
#[test]
fn a_crowd_is_called_in_a_moment() {
    let world = World::default();
    let [many, one] = [0, 1].map(|slot| world.participant(slot));
    let (semaphores, sleepers) = (4, 2000);
    let set = set_for(sleepers, &vec![0; semaphores]);
    let seats: Vec<_> = (0..sleepers).map(|n| sit(&set, many, &[op(n % semaphores as u32, -1)]).0).collect();
    let began = Instant::now();
    set.set(&one, PID, 0, &[100, 100, 0, 7], Deadline::NOW).unwrap();
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    let woken = |which: usize| {
        let of_it: Vec<_> = (0..).zip(&seats).filter(|(n, _)| n % semaphores == which).collect();
        let woken = of_it.iter().take_while(|(_, seat)| is_woken(&set, many, seat)).count();
        assert!(of_it[woken..].iter().all(|(_, seat)| !is_woken(&set, many, seat)));
        woken
    };
    assert_eq!([0, 1, 2, 3].map(woken), [100, 100, 0, 7]);
    assert_eq!(world.wakes.get(), 207, "each by a call");
}

/// All who sleep look for the dead together: one of them often enough, not each.
#[test]
fn the_dead_are_looked_for_by_one_for_all() {
    let world = World::default();
    let [one, two, dying] = [0, 1, 2].map(|slot| world.participant(slot));
    let set = set_of(&[1]);
    operate(&set, dying, &[undone(0, -1)]);
    let (seat, _) = sit(&set, one, &[op(0, -1)]);
    let at_ms = |who, ms: u64| set.tidy(&who, (1 << 40) + ms * 1_000_000, Deadline::NOW).unwrap();
    at_ms(one, 0);
    dying.dies();
    at_ms(two, 39);
    assert!(!is_woken(&set, one, &seat));
    at_ms(two, 40);
    assert!(is_woken(&set, one, &seat));
    // Who finds one and doesn't get in leaves it to the next.
    let heir = dying.heir();
    operate(&set, heir, &[undone(0, -1)]);
    heir.dies();
    let inside = world.participant(3);
    assert_eq!(die_after(3, || operate(&set, inside, &[op(0, 1), op(0, -1)])), Err(Died));
    assert_eq!(set.tidy(&two, (1 << 40) + 100_000_000, Deadline::NOW), Err(Fault::Busy));
    inside.dies();
    at_ms(two, 101);
    assert_eq!(values(&set), [1]);
    // Another's clock may be far behind (time namespaces).
    let heir = heir.heir();
    operate(&set, heir, &[undone(0, -1)]);
    heir.dies();
    set.tidy(&one, 5, Deadline::NOW).unwrap();
    assert_eq!(values(&set), [1]);
}

/// The dead's places are free again once somebody has tidied, so who stood can sit.
#[test]
fn the_dead_leave_their_places_to_those_who_stand() {
    let world = World::default();
    let [dying, one] = [0, 1].map(|slot| world.participant(slot));
    let set = set_of(&[0]);
    let _: Vec<_> = (0..8).map(|_| sit(&set, dying, &[op(0, -1)])).collect();
    let (mut seat, _) = sit(&set, one, &[op(0, -1)]);
    assert_eq!(set.waiting(&one, 0), (8, 0));
    dying.dies();
    tidy(&set, one);
    tries_again(&set, one, &mut seat, &[op(0, -1)]);
    assert_eq!(set.waiting(&one, 0), (1, 0));
    operate(&set, one, &[op(0, 1)]);
    assert!(is_woken(&set, one, &seat));
}

/// Who finds that he must wait rings nobody: he may be the one who waits.
#[test]
fn only_a_change_rings() {
    let world = World::default();
    let [one, two] = [0, 1].map(|slot| world.participant(slot));
    let set = set_of(&[1]);
    let rings = |act: &dyn Fn()| {
        set.announce_watcher(&one, &[op(0, 0)]);
        let before = world.rings.get();
        act();
        world.rings.get() - before
    };
    assert_eq!(rings(&|| _ = operate(&set, one, &[op(0, -2)])), 0);
    assert_eq!(rings(&|| _ = operate(&set, one, &[op(0, -1), op(0, -1)])), 0);
    assert_eq!(rings(&|| _ = sit(&set, one, &[op(0, -2)])), 0);
    assert_eq!(rings(&|| _ = set.look(&one, Deadline::NOW, |set| set.value(0)).unwrap()), 0);
    assert_eq!(rings(&|| tidy(&set, one)), 0);
    assert_eq!(rings(&|| _ = operate(&set, one, &[op(0, 1)])), 1);
    assert_eq!(rings(&|| _ = operate(&set, one, &[op(0, 1), op(0, -1)])), 1);
    assert_eq!(rings(&|| set.set(&one, PID, 0, &[5], Deadline::NOW).unwrap()), 1);
    operate(&set, two, &[undone(0, -1)]);
    two.dies();
    assert_eq!(rings(&|| tidy(&set, one)), 1);
    assert_eq!(set.value(0).value, 5);
    // He committed, and rang nobody; who comes next does, though he must wait himself.
    let three = world.participant(2);
    assert_eq!(die_after(2, || operate(&set, three, &[op(0, 1)])), Err(Died));
    assert_eq!(set.value(0).value, 6);
    three.dies();
    assert_eq!(rings(&|| _ = operate(&set, one, &[op(0, 0)])), 1);
    // Also where that one is done, elsewhere.
    let set = set_of(&[0, 0]);
    let dying = world.participant(3);
    set.announce_watcher(&one, &[op(1, -1)]);
    assert_eq!(die_after(2, || operate(&set, dying, &[op(1, 1)])), Err(Died));
    dying.dies();
    let before = world.rings.get();
    operate(&set, one, &[op(0, 1)]);
    assert_eq!((values(&set), world.rings.get()), (vec![1, 1], before + 1));
}

/// Who waits by a descriptor for one semaphore isn't rung for another, and not twice.
#[test]
fn a_change_rings_those_who_want_it() {
    let world = World::default();
    let [one, two] = [0, 1].map(|slot| world.participant(slot));
    let set = set_of(&[0; 40]);
    set.announce_watcher(&one, &[op(3, -1), op(4, -1)]);
    for (index, rings) in [(2, 0), (5, 0), (39, 0), (4, 1), (3, 1), (4, 1)] {
        operate(&set, two, &[op(index, 1)]);
        operate(&set, two, &[op(index, 1), op(index, 0)]);
        assert_eq!(world.rings.get(), rings, "semaphore {index}");
    }
    set.announce_watcher(&one, &[op(3, -1)]);
    set.announce_watcher(&two, &[op(7, -1)]);
    operate(&set, two, &[op(7, 1), op(8, 1)]);
    assert_eq!(world.rings.get(), 2, "all hear it");
}

/// What a dead process gave back counts as its doing, as with the kernel.
#[test]
fn what_is_given_back_was_done_by_the_dead() {
    let world = World::default();
    let [dying, other] = [0, 1].map(|slot| world.participant(slot));
    let set = set_of(&[3, 3]);
    set.grant(0);
    set.operate(&dying, 44, &[undone(0, -1)], None, Deadline::NOW).unwrap();
    set.operate(&other, 55, &[op(0, 1), op(1, 1)], None, Deadline::NOW).unwrap();
    dying.dies();
    set.bury(&other, Deadline::NOW).unwrap();
    assert_eq!([0, 1].map(|index| (set.value(index).value, set.value(index).pid)), [(4, 44), (4, 55)]);
}

/// Of those who wait for a lock (until it is 0, and add 1) one is woken at a time, and all who only wait until it is 0; and before
/// whoever wants what an earlier one will take.
#[test]
fn a_change_is_played_through_with_all_who_wait() {
    let world = World::default();
    let actors: Vec<_> = (0..6).map(|slot| world.participant(slot)).collect();
    let woken = |set: &Semaphores, seats: &[(Seat, Outcome)]| -> Vec<usize> {
        let is_woken = |which: &usize| is_woken(set, actors[*which], &seats[*which].0);
        (0..seats.len()).filter(is_woken).collect()
    };
    let lock = [op(0, 0), op(0, 1)];
    let set = set_of(&[1]);
    let arrays: [&[Operation]; 5] = [&lock, &[op(0, 0)], &lock, &[op(0, 0)], &[op(0, -2)]];
    let mut seats: Vec<_> = arrays.iter().zip(&actors).map(|(array, &who)| sit(&set, who, array)).collect();
    operate(&set, actors[5], &[op(0, -1)]);
    assert_eq!(woken(&set, &seats), [0, 1, 3]);
    for which in [1, 3, 0] {
        assert_eq!(tries_again(&set, actors[which], &mut seats[which].0, arrays[which]), Outcome::Done);
    }
    operate(&set, actors[5], &[op(0, -1)]);
    assert!(is_woken(&set, actors[2], &seats[2].0), "the next one");
    // Who gives more than he takes is through before the others are asked.
    let set = set_of(&[0]);
    let arrays: [&[Operation]; 4] = [&[op(0, -3)], &[op(0, -2), op(0, 3)], &[op(0, -3)], &[op(0, -2), op(0, 1)]];
    let mut seats: Vec<_> = arrays.iter().zip(&actors).map(|(array, &who)| sit(&set, who, array)).collect();
    operate(&set, actors[5], &[op(0, 2)]);
    assert_eq!(woken(&set, &seats), [1]);
    assert_eq!(tries_again(&set, actors[1], &mut seats[1].0, arrays[1]), Outcome::Done);
    assert_eq!(woken(&set, &seats), [0], "3 - 3, and nothing is left");
    assert_eq!(tries_again(&set, actors[0], &mut seats[0].0, arrays[0]), Outcome::Done);
    // Who gives a part back takes only the rest.
    operate(&set, actors[5], &[op(0, 3)]);
    assert_eq!(woken(&set, &seats), [2]);
    set.leave(&actors[2], &mut seats[2].0, Deadline::NOW).unwrap();
    assert_eq!(woken(&set, &seats), [3]);
}

/// Who waits only to see a 0 has seen it, though others are quicker to add to it again.
#[test]
fn a_zero_is_seen_however_short_it_was() {
    let world = World::default();
    let [one, two, both, other] = [0, 1, 2, 3].map(|slot| world.participant(slot));
    let set = set_of(&[1, 1]);
    let (mut looks, _) = sit(&set, one, &[op(0, 0)]);
    let (mut locks, _) = sit(&set, two, &[op(0, 0), op(0, 1)]);
    // Both semaphores must be 0 at one time.
    let (mut sees_both, _) = sit(&set, both, &[op(0, 0), op(1, 0)]);
    operate(&set, other, &[op(0, -1)]);
    operate(&set, other, &[op(0, 1)]);
    assert!(is_woken(&set, one, &looks) && is_woken(&set, both, &sees_both));
    assert_eq!(tries_again(&set, two, &mut locks, &[op(0, 0), op(0, 1)]), blocked_for_zero(0, 0));
    assert_eq!(tries_again(&set, both, &mut sees_both, &[op(0, 0), op(1, 0)]), blocked_for_zero(0, 0));
    assert_eq!(tries_again(&set, one, &mut looks, &[op(0, 0)]), Outcome::Done);
    // It is once: the next time he waits anew.
    let (again, outcome) = sit(&set, one, &[op(0, 0)]);
    assert!(outcome == blocked_for_zero(0, 0) && !is_woken(&set, one, &again));
}

/// Runs tell who takes a semaphore again and again from those who take turns; a try in vain ends none.
#[test]
fn runs_are_counted() {
    let world = World::default();
    let [one, two] = [0, 1].map(|slot| world.participant(slot));
    let set = set_of(&[1, 1]);
    for _ in 0..3 {
        operate(&set, one, &[op(0, -1)]);
        assert_eq!(operate(&set, two, &[op(0, -1)]), blocked(0, Need::AtLeast(1)));
        operate(&set, one, &[op(0, 1), op(1, 0).no_wait()]);
        operate(&set, one, &[op(0, 1)]);
    }
    assert_eq!(set.runs(), (6, 0));
    operate(&set, two, &[op(0, -1), op(1, -1)]);
    assert_eq!(set.runs(), (1, 6));
    operate(&set, one, &[op(1, 1)]);
    assert_eq!(set.runs(), (1, 1));
}
