//! The robust lock under the trap.

use super::super::Fault;
use super::super::cell::trap::die_after;
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
    assert!(!lock.inherit_from_slot(heir), "nobody holds it");
    assert_eq!(lock.lock(&world.participant(5), Deadline::NOW), Ok(Locked::Clean));
    assert!(!lock.inherit_from_slot(heir), "held by another slot");
    assert_eq!(lock.unlock(&world.participant(5)), Ok(()));
    assert_eq!(lock.lock(&one, Deadline::NOW), Ok(Locked::Clean));
    assert!(lock.inherit_from_slot(heir));
    assert_eq!(lock.held_by(), Some(heir));
    assert!(!lock.inherit_from_slot(heir), "its own now");
}
