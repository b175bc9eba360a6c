//! Every operation, ended before each of its stores; then the living put things in order.

use super::*;

impl Court {
    /// What the queue may be after a death in the middle of a deed: as before it, or after it; and of what the dead
    /// held, nothing.
    fn may_be_after(&self, who: Actor, deed: &Deed) -> Vec<Model> {
        let before = self.model.after_the_death_of(who);
        let mut all = vec![before.clone()];
        match *deed {
            Deed::Send { mtype, length } if self.admits(length) => {
                let mut after = before;
                after.send(mtype, length, self.model.fill(who), length as u64 > LONGEST_INLINE);
                all.push(after);
            }
            Deed::Receive { want, room, cuts } => {
                if let Some(sequence) = self.model.choose(want) {
                    let message = &self.model.waiting[&sequence];
                    if message.length <= room || cuts {
                        let mut after = before.clone();
                        after.waiting.remove(&sequence);
                        all.push(after);
                    }
                    // Long ones are leased while they are copied.
                    if message.referred || message.length as u64 > LONGEST_INLINE {
                        let mut back = before;
                        back.waiting.get_mut(&sequence).unwrap().deliveries += 1;
                        all.push(back);
                    }
                }
            }
            Deed::Lease { want } => {
                if let Some(sequence) = self.model.choose(want) {
                    let mut back = before;
                    back.waiting.get_mut(&sequence).unwrap().deliveries += 1;
                    all.push(back);
                }
            }
            Deed::Acknowledge(which) => {
                if let Some(offset) = self.model.lease_of(who, which) {
                    let mut after = before;
                    after.waiting.remove(&self.model.leased[&offset].1);
                    all.push(after);
                }
            }
            Deed::Commit { which, mtype, percent } => {
                if let Some((_, length)) = self.model.reservation_of(who, which)
                    && self.admits(length * percent / 100)
                {
                    let mut after = before;
                    after.send(mtype, length * percent / 100, self.model.fill(who), true);
                    all.push(after);
                }
            }
            _ => {}
        }
        all
    }

    /// Does it under the trap. Whether it came to its end or not, its participant is dead then, and another puts things in order.
    pub(super) fn step_and_die(&mut self, who: Actor, stores: u32, deed: &Deed, other: Actor, how: Settled) -> bool {
        let done = die_after(stores, || self.perform(who, deed));
        who.dies();
        let lived = done.is_ok();
        let outcomes = match done {
            Ok(outcome) => {
                self.note(who, deed, &outcome.unwrap()).unwrap();
                vec![self.model.after_the_death_of(who)]
            }
            Err(Died) => self.may_be_after(who, deed),
        };
        self.settle(other, how);
        self.become_one_of(other, outcomes, || format!("{deed:?}, death at store {stores}, settled {how:?}"));
        lived
    }

    fn become_one_of(&mut self, other: Actor, outcomes: Vec<Model>, what: impl Fn() -> String) {
        let differences: Vec<_> = outcomes.iter().map(|model| self.differs_from(other, model)).collect();
        match differences.iter().position(Option::is_none) {
            Some(which) => self.model = outcomes.into_iter().nth(which).unwrap(),
            None => panic!("{}: {differences:#?}", what()),
        }
    }
}

fn receive(want: Want) -> Deed {
    Deed::Receive { want, room: CAPACITY as usize, cuts: false }
}

/// What one dies in.
fn all_deeds() -> Vec<Deed> {
    vec![
        Deed::Send { mtype: 3, length: 24 },
        Deed::Send { mtype: 2, length: 5000 },
        receive(Want::Any),
        receive(Want::Type(2)),
        receive(Want::Type(9)),
        receive(Want::UpTo(2)),
        receive(Want::Except(1)),
        Deed::Receive { want: Want::Any, room: 10, cuts: true },
        Deed::Peek { position: 3, room: CAPACITY as usize, cuts: false },
        Deed::Lease { want: Want::Any },
        Deed::Lease { want: Want::Type(2) },
        Deed::Lease { want: Want::UpTo(9) },
        Deed::Acknowledge(0),
        Deed::Acknowledge(1),
        Deed::GiveBack(0),
        Deed::Reserve { length: 100 },
        Deed::Commit { which: 0, mtype: 1, percent: 50 },
        Deed::Unreserve(0),
        Deed::Reclaim,
    ]
}

pub(super) const STATES: usize = 8;

/// Queues in which these do something else each time. `one` will die, or be interrupted.
pub(super) fn prepared(state: usize, one: Actor, other: Actor) -> Court {
    let mut court = Court::new();
    let inline = |mtype| Deed::Send { mtype, length: 100 };
    let long = |mtype| Deed::Send { mtype, length: 4500 };
    let mut steps = |steps: &[(Actor, Deed)]| court.steps(steps);
    match state {
        // Nothing was ever sent.
        0 => {}
        // All in the ring.
        1 => steps(&[(other, inline(1)), (other, inline(2)), (other, inline(1)), (other, inline(3))]),
        // All in the backlog, and the next in the ring.
        2 => steps(&[
            (other, inline(1)),
            (other, inline(2)),
            (other, inline(1)),
            (other, long(2)),
            (other, receive(Want::Type(9))),
            (other, inline(2)),
        ]),
        // Long ones in the ring, and a short reference.
        3 => steps(&[
            (one, Deed::Reserve { length: 200 }),
            (other, long(1)),
            (one, Deed::Commit { which: 0, mtype: 1, percent: 10 }),
            (other, long(2)),
            (other, inline(2)),
        ]),
        // Leases and reservations of both, and some that were given back.
        4 | 5 => {
            steps(&[
                (other, inline(1)),
                (other, long(2)),
                (other, inline(1)),
                (other, inline(2)),
                (one, Deed::Lease { want: Want::Any }),
                (one, Deed::Lease { want: Want::Type(2) }),
                (other, Deed::Lease { want: Want::Type(2) }),
                (other, Deed::Lease { want: Want::Any }),
                (one, Deed::Reserve { length: 300 }),
                (other, Deed::Reserve { length: 5000 }),
            ]);
            if state == 5 {
                court.step(one, &Deed::GiveBack(1));
                court.step(one, &inline(2));
                court.step(other, &Deed::GiveBack(0));
            }
        }
        // Over both rings: the near one is full, the head is about to follow.
        6 => {
            for _ in 0..5 {
                court.step(other, &Deed::Send { mtype: 1, length: 900 });
            }
            for _ in 0..3 {
                court.step(other, &receive(Want::Any));
            }
            court.steps(&[(other, inline(2)), (other, long(3)), (other, inline(1))]);
        }
        // Full by the number of messages.
        _ => {
            for index in 0..MOST as i64 {
                court.step(other, &inline(1 + index % 3));
            }
            court.step(other, &Deed::Lease { want: Want::Type(3) });
        }
    }
    court
}

const HOW: [Settled; 3] = [Settled::ComingBy, Settled::Inheriting, Settled::Reclaiming];

fn worlds() -> [World; 2] {
    [World::never_keeping(), World::default()]
}

/// Whatever one dies in, at each store, the queue is as before or as after it; and of what he had nothing is left.
#[test]
fn one_may_die_at_every_store() {
    for (state, how) in (0..STATES).flat_map(|state| HOW.map(|how| (state, how))) {
        for (number, deed) in all_deeds().iter().enumerate() {
            for stores in 0.. {
                let [never, keeping] = worlds();
                let world = if (number + stores as usize).is_multiple_of(2) { never } else { keeping };
                let [one, two] = [1, 2].map(|slot| world.participant(slot));
                let mut court = prepared(state, one, two);
                let lived = court.step_and_die(one, stores, deed, two, how);
                court.finish(two);
                if lived {
                    break;
                }
            }
        }
    }
}

/// What is told of a queue after a death is what is there, but for what the dead one had in hand.
#[test]
fn the_counts_are_right_after_a_death() {
    for (state, deed) in
        [1, 2, 3, 6].into_iter().flat_map(|state| all_deeds().into_iter().map(move |deed| (state, deed)))
    {
        for stores in 0.. {
            let world = World::never_keeping();
            let [one, two] = [1, 2].map(|slot| world.participant(slot));
            let court = prepared(state, one, two);
            let lived = die_after(stores, || court.perform(one, &deed)).is_ok();
            one.dies();
            let inside = court.tested.ring.ends().1.lock.held_by().is_some();
            court.ring().put_counts_in_order(&two);
            // Outside the lock, what is taken may not have been put away yet.
            let in_hand = if inside { 0 } else { court.ring().leases() };
            let told = court.ring().held().messages;
            court.settle(two, Settled::ComingBy);
            let there = court.ring().held().messages;
            let right = told - in_hand..=told;
            assert!(
                right.contains(&there),
                "{right:?} were told of {there}: state {state}, {deed:?}, death at {stores}"
            );
            if lived {
                break;
            }
        }
    }
}

/// The first dies in a deed, the second while he puts that in order; the third finds what is right.
#[test]
fn who_repairs_may_die_too() {
    for state in [2, 3, 5, 6] {
        for deed in all_deeds() {
            for first in (0..).step_by(3) {
                let mut lived = false;
                for second in (0..).step_by(7).map(|second| second + first % 7) {
                    let world = World::never_keeping();
                    let [one, two, three] = [1, 2, 3].map(|slot| world.participant(slot));
                    let mut court = prepared(state, one, three);
                    let done = die_after(first, || court.perform(one, &deed));
                    one.dies();
                    lived = done.is_ok();
                    let outcomes = match done {
                        Ok(outcome) => {
                            court.note(one, &deed, &outcome.unwrap()).unwrap();
                            vec![court.model.after_the_death_of(one)]
                        }
                        Err(Died) => court.may_be_after(one, &deed),
                    };
                    let how = HOW[(first + second) as usize % 3];
                    let repaired = die_after(second, || court.settle(two, how)).is_ok();
                    two.dies();
                    court.heirs.borrow().iter().for_each(|&me| Actor { me, ..two }.dies());
                    court.settle(three, HOW[second as usize % 3]);
                    let what = || format!("state {state}, {deed:?}, deaths at {first} and {second}, settled {how:?}");
                    court.become_one_of(three, outcomes, what);
                    if repaired {
                        break;
                    }
                }
                if lived {
                    break;
                }
            }
        }
    }
}

/// A sender dies after its commit; its message is received, its block freed and used again, before anybody repairs the tail.
#[test]
fn a_tail_is_repaired_though_the_message_is_gone() {
    for stores in 0.. {
        let world = World::never_keeping();
        let [one, two] = [1, 2].map(|slot| world.participant(slot));
        let mut court = Court::new();
        court.step(two, &Deed::Reserve { length: 4000 });
        court.step(one, &Deed::Reserve { length: 3000 });
        let deed = Deed::Commit { which: 0, mtype: 1, percent: 100 };
        let lived = die_after(stores, || court.perform(one, &deed)).is_ok();
        one.dies();
        if court.ring().sent().messages == 1 {
            court.model.reserved.retain(|_, reserved| reserved.0 == two.me.word());
            let fill = court.model.fill(one);
            court.model.send(1, 3000, fill, true);
            court.step(two, &receive(Want::Any));
            // What was its head holds a message's bytes now.
            court.step(two, &Deed::Unreserve(0));
            court.step(two, &Deed::Reserve { length: 9000 });
            let (offset, _) = court.model.reservation_of(two, 0).unwrap();
            court.ring().view(offset, 9000).unwrap().write(0, &[0xff; 9000]);
            assert_eq!((court.ring().sent().bytes, court.ring().held().messages), (3000, 0));
        } else {
            court.model = court.model.after_the_death_of(one);
        }
        court.settle(two, Settled::Reclaiming);
        court.step(two, &Deed::Send { mtype: 2, length: 10 });
        court.finish(two);
        if lived {
            break;
        }
    }
}

/// A sender dies just before its commit, and another sends what has that number then. The block is freed when that was received.
#[test]
fn a_block_that_was_never_sent_is_freed_in_the_end() {
    let world = World::never_keeping();
    let [one, two] = [1, 2].map(|slot| world.participant(slot));
    for stores in 0.. {
        let mut court = Court::new();
        court.step(one, &Deed::Reserve { length: 3000 });
        let one = Actor { me: one.me, ..one };
        world.dead.borrow_mut().clear();
        let lived =
            die_after(stores, || court.perform(one, &Deed::Commit { which: 0, mtype: 1, percent: 100 })).is_ok();
        one.dies();
        court.model = court.model.after_the_death_of(one);
        if lived || court.ring().sent().messages == 1 {
            break;
        }
        court.step(two, &Deed::Send { mtype: 2, length: 10 });
        court.ring().reclaim(&two).unwrap();
        court.step(two, &receive(Want::Any));
        court.settle(two, Settled::Reclaiming);
        court.finish(two);
    }
}

/// Nobody who moves leaves a copy when he can't get the heap's lock: it is interrupted, or somebody is stopped inside.
#[test]
fn a_move_that_fails_leaves_nothing() {
    for is_signal in [true, false] {
        for deed in [Deed::Lease { want: Want::Any }, receive(Want::Type(9)), receive(Want::Any)] {
            for state in [1, 3] {
                let world = World::never_keeping();
                let [one, two, three] = [1, 2, 3].map(|slot| world.participant(slot));
                let mut court = prepared(state, one, two);
                let before = court.ring().blocks_for_test(&two).len();
                // A block of three's, who is stopped in the heap.
                assert_eq!(die_after(1, || court.reserve(three, 10)), Err(Died));
                world.signal.set(is_signal);
                let limit = if is_signal { Deadline::NEVER } else { Deadline::NOW };
                let failed = match deed {
                    Deed::Lease { want } => {
                        court.ring().lease(&one, Asked { want, cuts: false, granted: None }, limit).map(drop)
                    }
                    Deed::Receive { want, .. } => {
                        let asked = Asked { want, cuts: false, granted: None };
                        court.ring().receive(&one, &mut [0; 9000].as_mut_slice().into(), asked, limit).map(drop)
                    }
                    _ => unreachable!(),
                };
                let is_inline = state == 1 && matches!(deed, Deed::Receive { want: Want::Any, .. });
                let expected = if is_signal { Fault::Interrupted } else { Fault::Busy };
                if is_inline {
                    assert_eq!(failed, Ok(()));
                    court.model.waiting.pop_first();
                } else {
                    assert_eq!(failed, Err(expected), "state {state}, {deed:?}");
                }
                world.signal.set(false);
                three.dies();
                assert_eq!(court.ring().blocks_for_test(&two).len(), before, "nothing is left");
                court.check(two);
                // What a later rebuild finds is each message once.
                one.dies();
                court.settle(two, Settled::Reclaiming);
                court.model = court.model.after_the_death_of(one);
                court.finish(two);
            }
        }
    }
}
