//! The robust lock under the trap.

use std::time::Duration;

use super::super::Fault;
use super::super::cell::trap::{die_after, interrupt_after};
use super::super::host::Participant;
use super::super::lock::{Locked, RobustLock};
use super::World;
use crate::deadline::Deadline;

/// More than any lock operation stores.
const STORES: u32 = 20;

#[test]
fn a_living_owner_keeps_it() {
    let world = World::default();
    let lock = RobustLock::default();
    let (one, two) = (world.participant(0), world.participant(1));
    assert_eq!(lock.lock(&one, Deadline::NEVER), Ok(Locked::Clean));
    assert_eq!(lock.lock(&two, Deadline::INSTANT), Err(Fault::Busy));
    assert_eq!(lock.lock(&two, Deadline::at_ns(1)), Err(Fault::Busy));
    // The second left the sleepers' bit behind; that is no obstacle.
    assert_eq!(lock.unlock(&one), Ok(()));
    assert_eq!(lock.lock(&two, Deadline::NOW), Ok(Locked::Clean));
    assert_eq!(lock.unlock(&two), Ok(()));
    assert_eq!(lock.held_by(), None);
}

#[test]
fn a_dead_owner_is_inherited_once_at_every_store() {
    for stores in 0..STORES {
        let world = World::default();
        let lock = RobustLock::default();
        let [one, two, three] = [0, 1, 2].map(|slot| world.participant(slot));
        let lived = die_after(stores, || {
            let _ = lock.lock(&one, Deadline::NOW)?;
            lock.unlock(&one)
        });
        one.dies();
        let held = lock.held_by().is_some();
        assert!(lived.is_err() || !held, "who lives leaves it free");
        // The second dies in its takeover, at every store too.
        for stores in 0..STORES {
            if die_after(stores, || lock.lock(&two, Deadline::NOW)).is_ok() {
                break;
            }
        }
        two.dies();
        assert_eq!(lock.lock(&three, Deadline::NOW), Ok(Locked::Inherited));
        assert_eq!(lock.unlock(&three), Ok(()));
        assert_eq!(lock.lock(&three, Deadline::NOW), Ok(Locked::Clean), "inherited once");
    }
}

#[test]
fn who_was_replaced_is_told() {
    let world = World::default();
    let lock = RobustLock::default();
    let (one, two) = (world.participant(0), world.participant(1));
    assert_eq!(lock.lock(&one, Deadline::NOW), Ok(Locked::Clean));
    one.dies();
    assert_eq!(lock.lock(&two, Deadline::NOW), Ok(Locked::Inherited));
    assert_eq!(lock.unlock(&one), Err(Fault::Disowned));
    assert_eq!(lock.held_by(), Some(two.me), "the replaced one touched nothing");
}

#[test]
fn the_heir_of_a_slot_inherits_from_it_alone() {
    let world = World::default();
    let lock = RobustLock::default();
    let (one, heir) = (world.participant(0), Participant::new(0, 2));
    assert_eq!(lock.inherit_from_slot(heir), None, "nobody holds it");
    assert_eq!(lock.lock(&world.participant(5), Deadline::NOW), Ok(Locked::Clean));
    assert_eq!(lock.inherit_from_slot(heir), None, "held by another slot");
    assert_eq!(lock.unlock(&world.participant(5)), Ok(()));
    assert_eq!(lock.lock(&one, Deadline::NOW), Ok(Locked::Clean));
    assert_eq!(lock.inherit_from_slot(heir), Some(Locked::Inherited));
    assert_eq!(lock.held_by(), Some(heir));
    assert_eq!(lock.inherit_from_slot(heir), None, "its own now");
}

/// Whatever of the waiter's way the owner's unlock falls into: it wakes him if he may sleep, and he passes that on.
#[test]
fn who_may_sleep_is_woken() {
    for accesses in 0.. {
        let world = World::default();
        let lock = RobustLock::default();
        let (one, two) = (world.participant(0), world.participant(1));
        assert_eq!(lock.lock(&one, Deadline::NOW), Ok(Locked::Clean));
        let unlock = || {
            let slept = world.sleeps.get() > 0;
            assert_eq!(lock.unlock(&one), Ok(()));
            assert!(world.wakes.get() == 1 || !slept, "he sleeps, and nobody wakes him");
        };
        let (locked, came) = interrupt_after(accesses, unlock, || lock.lock(&two, Deadline::at_ns(2)));
        if !came {
            assert_eq!(locked, Err(Fault::Busy));
            break;
        }
        if locked == Ok(Locked::Clean) {
            let (slept, wakes) = (world.sleeps.get() > 0, world.wakes.get());
            assert_eq!(lock.unlock(&two), Ok(()));
            assert!(world.wakes.get() > wakes || !slept, "others may sleep still");
        }
    }
}

#[test]
fn who_inherits_passes_the_wake_on() {
    let world = World::default();
    let lock = RobustLock::default();
    let (one, two) = (world.participant(0), world.participant(1));
    assert_eq!(lock.lock(&one, Deadline::NOW), Ok(Locked::Clean));
    one.dies();
    assert_eq!(lock.lock(&two, Deadline::NOW), Ok(Locked::Inherited));
    assert_eq!(lock.unlock(&two), Ok(()));
    assert_eq!(world.wakes.get(), 1, "others may sleep still");
    assert_eq!(lock.lock(&two, Deadline::NOW), Ok(Locked::Clean));
    two.dies();
    let heir = super::Actor { me: Participant::new(1, 2), ..two };
    assert_eq!(lock.inherit_from_slot(heir.me), Some(Locked::Inherited));
    assert_eq!(lock.unlock(&heir), Ok(()));
    assert_eq!(world.wakes.get(), 2);
}

/// Two find the owner dead; whoever is later must not take it from the other.
#[test]
fn one_alone_inherits() {
    for accesses in 0.. {
        let world = World::default();
        let lock = RobustLock::default();
        let [one, two, three] = [0, 1, 2].map(|slot| world.participant(slot));
        assert_eq!(lock.lock(&one, Deadline::NOW), Ok(Locked::Clean));
        one.dies();
        let mut third = None;
        let (second, came) = interrupt_after(
            accesses,
            || third = Some(lock.lock(&three, Deadline::at_ns(2))),
            || lock.lock(&two, Deadline::at_ns(2)),
        );
        if !came {
            break;
        }
        let both = (second, third.unwrap());
        let one_of_them = [(Ok(Locked::Inherited), Err(Fault::Busy)), (Err(Fault::Busy), Ok(Locked::Inherited))];
        assert!(one_of_them.contains(&both), "{both:?} before access {accesses}");
    }
}

/// Threads that share a handle are one participant: nobody presumes himself dead.
#[test]
fn ones_own_thread_is_waited_for() {
    let world = World::default();
    let lock = RobustLock::default();
    let one = world.participant(0);
    assert_eq!(lock.lock(&one, Deadline::NOW), Ok(Locked::Clean));
    one.dies();
    assert_eq!(lock.lock(&one, Deadline::at_ns(2)), Err(Fault::Busy));
}

#[test]
fn a_signal_ends_the_sleep_and_an_instant_never_sleeps() {
    let world = World::default();
    let lock = RobustLock::default();
    let (one, two) = (world.participant(0), world.participant(1));
    assert_eq!(lock.lock(&one, Deadline::NOW), Ok(Locked::Clean));
    assert_eq!(lock.lock(&two, Deadline::INSTANT), Err(Fault::Busy));
    assert_eq!(world.sleeps.get(), 0);
    world.signal.set(true);
    assert_eq!(lock.lock(&two, Deadline::at_ns(2)), Err(Fault::Interrupted));
    let _ = lock.lock(&two, Deadline::after(Duration::from_millis(1)));
    one.dies();
    assert_eq!(lock.lock(&two, Deadline::NEVER), Ok(Locked::Inherited));
    assert!(world.longest_sleep.get() <= Duration::from_millis(100), "the owner's death shows soon");
}

/// A word that changes all the time, by others who come and go: the deadline holds.
#[test]
fn a_restless_lock_is_not_waited_for_past_the_deadline() {
    let world = World::default();
    let lock = RobustLock::default();
    let (one, two) = (world.participant(0), world.participant(1));
    assert_eq!(lock.lock(&one, Deadline::NOW), Ok(Locked::Clean));
    world.restless.set(true);
    assert_eq!(lock.lock(&two, Deadline::at_ns(2)), Err(Fault::Busy));
}
