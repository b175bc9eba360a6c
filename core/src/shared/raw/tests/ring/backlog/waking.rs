//! Choosy sleepers: who wants a message is woken, and who wants another sleeps on. Here the one who fell asleep last is woken first,
//! so that whoever can eat another's wake does.

use super::super::super::super::event::NAP;
use super::super::super::super::ring::bits_for;
use super::dying::prepared;
use super::*;

impl Court {
    /// Falls asleep as a receiver who wants that, unless it is there, or the event was raised meanwhile. What became of it.
    fn fall_asleep(&self, who: Actor, want: Want) -> Fell {
        let announced = self.ring().announce_receiver(&who, want);
        match self.receive(who, want, CAPACITY as usize, false) {
            Ok(Outcome::Empty) => {}
            // Somebody is inside: on a lock one waits, and tries again.
            Err(Fault::Busy) => return Fell::Busy,
            found => return Fell::Found(found.unwrap()),
        }
        if self.ring().receivers_event().sleep(&who, announced, NAP, bits_for(want)).is_ok() {
            return Fell::Up;
        }
        who.world.asleep.borrow_mut().push(bits_for(want));
        Fell::Asleep
    }

    fn sleep(&self, who: Actor, want: Want) {
        assert_eq!(self.fall_asleep(who, want), Fell::Asleep);
    }
}

#[derive(Clone, Debug, PartialEq)]
enum Fell {
    Asleep,
    /// He tries again.
    Up,
    Busy,
    Found(Outcome),
}

fn asleep(world: &World) -> Vec<u32> {
    world.asleep.borrow().clone()
}

fn send(mtype: i64) -> Deed {
    Deed::Send { mtype, length: 20 }
}

const TWO: u32 = 1 << 2;
const THREE: u32 = 1 << 3;

/// A message wakes those who wait for its type, and nobody else.
#[test]
fn a_type_wakes_its_own() {
    let world = World::never_keeping();
    let who = world.participant(0);
    let mut court = Court::new();
    for want in [Want::Type(2), Want::Type(3), Want::Type(34), Want::Type(3)] {
        court.sleep(who, want);
    }
    court.step(who, &send(5));
    assert_eq!((asleep(&world).len(), world.wakes.get()), (4, 0), "nobody wants it, and no system call finds that out");
    // 34 has the same bit.
    court.step(who, &send(2));
    assert_eq!(asleep(&world), [THREE, THREE]);
    court.step(who, &send(2));
    assert_eq!(asleep(&world), [THREE, THREE]);
    court.step(who, &send(3));
    assert_eq!(asleep(&world), []);
    world.wakes.set(0);
    (0..3).for_each(|_| court.step(who, &send(3)));
    assert!(world.wakes.get() <= 1, "that nobody sleeps is found out once");
}

/// Of those who want anything one is enough, also while others wait for other types.
#[test]
fn one_who_wants_anything_is_enough() {
    let world = World::never_keeping();
    let who = world.participant(0);
    let mut court = Court::new();
    for want in [Want::Any, Want::Any, Want::Any, Want::Type(2)] {
        court.sleep(who, want);
    }
    court.step(who, &send(5));
    assert_eq!(asleep(&world), [!0, !0, TWO]);
    court.step(who, &send(5));
    assert_eq!(asleep(&world), [!0, TWO]);
    // Either may be the one who takes it.
    court.step(who, &send(2));
    assert_eq!(asleep(&world), []);
    // Who was choosy once is forgotten.
    while court.perform(who, &Deed::Receive { want: Want::Any, room: 99, cuts: false }) != Ok(Outcome::Empty) {}
    (0..3).for_each(|_| court.sleep(who, Want::Any));
    court.perform(who, &send(2)).unwrap();
    assert_eq!(asleep(&world), [!0, !0]);
}

/// Who wants what a type doesn't tell is woken by all.
#[test]
fn each_message_may_be_what_the_picky_want() {
    for want in [Want::UpTo(1), Want::Except(5)] {
        let world = World::never_keeping();
        let who = world.participant(0);
        let mut court = Court::new();
        court.sleep(who, Want::Type(2));
        court.sleep(who, want);
        court.sleep(who, want);
        court.step(who, &send(5));
        assert_eq!(asleep(&world), [TWO], "{want:?}");
    }
}

/// Whatever of a send somebody's falling asleep comes in between, of whatever kind: he finds his message or is woken; and so is who
/// slept before.
#[test]
fn nobody_eats_anothers_wake() {
    let kinds =
        [Want::Any, Want::Type(2), Want::Type(3), Want::Type(34), Want::UpTo(2), Want::UpTo(1), Want::Except(2)];
    let wanted = |want| matches!(want, Want::Any | Want::Type(2) | Want::UpTo(2));
    for (before, meanwhile) in kinds.into_iter().flat_map(|before| kinds.map(|meanwhile| (before, meanwhile))) {
        for keeps in [false, true] {
            for accesses in 0.. {
                let world = if keeps { World::default() } else { World::never_keeping() };
                let [one, two, three] = [1, 2, 3].map(|slot| world.participant(slot));
                let mut court = Court::new();
                for _ in 0..6 {
                    court.step(one, &send(7));
                    court.step(two, &Deed::Receive { want: Want::Any, room: 99, cuts: false });
                }
                court.sleep(two, before);
                let mut fell = None;
                let other = || fell = Some(court.fall_asleep(three, meanwhile));
                let (sent, came) = interrupt_after(accesses, other, || court.perform(one, &send(2)));
                assert!(matches!(sent, Ok(Outcome::Sent(_))));
                let is_taken = matches!(fell, Some(Fell::Found(_)));
                assert!(!is_taken || wanted(meanwhile));
                // Somebody who can take it is up: he who came meanwhile, or he who slept.
                let up = |want: Want, fell: &Option<Fell>| match fell {
                    Some(Fell::Asleep) => !asleep(&world).contains(&bits_for(want)),
                    other => other.is_some(),
                };
                let is_up_before = !asleep(&world).contains(&bits_for(before))
                    || (bits_for(before) == bits_for(meanwhile)
                        && asleep(&world).len() == 1
                        && fell == Some(Fell::Asleep));
                let is_up_meanwhile = wanted(meanwhile) && up(meanwhile, &fell);
                assert!(
                    is_taken
                        || !(wanted(before) || wanted(meanwhile) && came)
                        || (wanted(before) && is_up_before)
                        || is_up_meanwhile,
                    "{before:?} slept, {meanwhile:?} came before access {accesses}: {fell:?}, {:x?}",
                    asleep(&world)
                );
                if !came {
                    break;
                }
            }
        }
    }
}

/// A message that is given back wakes who wants it, as if it were sent; also if the giver keeps the receivers' end.
#[test]
fn what_is_given_back_wakes() {
    for world in [World::never_keeping(), World::default()] {
        let [one, two] = [1, 2].map(|slot| world.participant(slot));
        let mut court = Court::new();
        court.step(one, &send(2));
        court.step(one, &Deed::Lease { want: Want::Any });
        court.sleep(two, Want::Type(3));
        court.sleep(two, Want::Type(2));
        court.step(one, &Deed::GiveBack(0));
        assert_eq!(asleep(&world), [THREE]);
    }
}

/// Whatever of a give-back somebody's falling asleep comes in between, he finds the message or is woken.
#[test]
fn what_is_given_back_is_not_missed() {
    for want in [Want::Any, Want::Type(2), Want::UpTo(2)] {
        for accesses in 0.. {
            let world = World::never_keeping();
            let [one, two] = [1, 2].map(|slot| world.participant(slot));
            let mut court = Court::new();
            court.step(one, &send(2));
            court.step(one, &Deed::Lease { want: Want::Any });
            let mut fell = None;
            let other = || fell = Some(court.fall_asleep(two, want));
            let (_, came) = interrupt_after(accesses, other, || court.perform(one, &Deed::GiveBack(0)));
            assert!(fell != Some(Fell::Asleep) || asleep(&world).is_empty(), "{want:?} at access {accesses}");
            if !came {
                break;
            }
        }
    }
}

/// What the dead leave wakes those who wait for it: a lease, a message whose sender woke nobody, one that was given back, or moved.
#[test]
fn what_the_dead_leave_wakes() {
    let receive = |want| Deed::Receive { want, room: 99, cuts: false };
    // By which deed of his it is there, and by which of another it is found.
    let deaths: [(&[Deed], Deed, Deed); 4] = [
        (&[send(2)], Deed::Lease { want: Want::Any }, Deed::Reclaim),
        (&[send(2), Deed::Lease { want: Want::Any }], Deed::GiveBack(0), receive(Want::Type(9))),
        (&[], send(2), send(5)),
        (&[], send(2), Deed::Reclaim),
    ];
    for (before, deed, found_by) in deaths {
        for stores in 0.. {
            let world = World::never_keeping();
            let [one, two, three] = [1, 2, 3].map(|slot| world.participant(slot));
            let mut court = Court::new();
            // So that there is a block to look for.
            court.step(three, &Deed::Reserve { length: 5 });
            before.iter().for_each(|deed| court.step(one, deed));
            if before.is_empty() || before.len() == 2 {
                court.sleep(two, Want::Type(2));
            }
            let lived = die_after(stores, || court.perform(one, &deed)).is_ok();
            one.dies();
            if before.len() == 1 && lived {
                court.sleep(two, Want::Type(2));
            }
            court.perform(three, &found_by).unwrap();
            court.ring().reclaim(&three).unwrap();
            let is_asleep = !asleep(&world).is_empty();
            let is_there = matches!(court.receive(three, Want::Type(2), 99, false), Ok(Outcome::Message(..)));
            // A sender who lets the lock go and dies is found out by nobody: a nap.
            let is_silent = matches!(deed, Deed::Send { .. } | Deed::GiveBack(_)) && court.ring().repairs() == 0;
            assert!(!is_there || !is_asleep || is_silent, "{deed:?}, death at store {stores}, then {found_by:?}");
            if lived {
                break;
            }
        }
    }
}

/// Whatever of an operation that moves, frees or gives up a sender's falling asleep comes in between: he finds room or is woken, if
/// there is room in the end.
#[test]
fn room_is_never_missed() {
    let deeds = [
        Deed::Receive { want: Want::Any, room: 9000, cuts: false },
        Deed::Receive { want: Want::Type(3), room: 9000, cuts: false },
        Deed::Receive { want: Want::Type(2), room: 9000, cuts: false },
        Deed::Receive { want: Want::Type(9), room: 9000, cuts: false },
        Deed::Lease { want: Want::Any },
        Deed::Acknowledge(0),
        Deed::Reclaim,
    ];
    for keeps in [false, true] {
        for deed in &deeds {
            for (state, accesses) in [2, 3, 4, 7].into_iter().flat_map(|state| (0..300).map(move |at| (state, at))) {
                let world = if keeps { World::default() } else { World::never_keeping() };
                let [one, two, three] = [1, 2, 3].map(|slot| world.participant(slot));
                let mut court = prepared(state, one, two);
                // One less than the limit, or full.
                while (court.model.messages().count() as u64) < MOST - u64::from(accesses % 2 == 0) {
                    court.step(two, &Deed::Send { mtype: 3, length: 1 });
                }
                let (mut is_asleep, mut is_sent) = (false, false);
                let other = || {
                    let announced = court.ring().announce_sender(&three, 1);
                    match court.send(three, 1, 1) {
                        Ok(Outcome::Full) => {
                            let slept = court.ring().senders_event().sleep(&three, announced, NAP, !0);
                            is_asleep = slept.is_err();
                        }
                        sent => is_sent = sent.is_ok(),
                    }
                    if is_asleep {
                        world.asleep.borrow_mut().push(!0);
                    }
                };
                let (_, came) = interrupt_after(accesses, other, || court.perform(one, deed).unwrap());
                if is_asleep && !asleep(&world).is_empty() {
                    assert!(!court.ring().admits(1), "state {state}, {deed:?}, access {accesses}, keeps {keeps}");
                }
                assert!(!is_sent || court.ring().held().messages <= MOST);
                if !came {
                    continue;
                }
            }
        }
    }
}

/// Blocks of the dead that are freed make room for a sender who sleeps since there was none in the heap.
#[test]
fn room_in_the_heap_wakes_a_sender() {
    let world = World::never_keeping();
    let [one, two, three] = [1, 2, 3].map(|slot| world.participant(slot));
    let mut court = Court::new();
    while let Ok(Some(offset)) = court.reserve(one, 20_000) {
        court.model.reserved.insert(offset, (one.me.word(), 20_000));
    }
    let _announced = court.ring().announce_sender(&two, 20_000);
    assert_eq!(court.reserve(two, 20_000), Ok(None));
    world.asleep.borrow_mut().push(!0);
    court.step(one, &Deed::Unreserve(0));
    assert_eq!(asleep(&world), []);
    court.step(one, &Deed::Reserve { length: 20_000 });
    let _announced = court.ring().announce_sender(&two, 20_000);
    world.asleep.borrow_mut().push(!0);
    one.dies();
    court.ring().reclaim(&three).unwrap();
    assert_eq!(asleep(&world), []);
    court.model = court.model.after_the_death_of(one);
    court.finish(three);
}
