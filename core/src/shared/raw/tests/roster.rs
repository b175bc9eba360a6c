//! Taking a slot of the roster under the trap.

use super::super::cell::trap::die_after;
use super::super::roster::Slot;

#[test]
fn a_slot_is_taken_and_given_back() {
    let slot = Slot::default();
    assert!(slot.is_free());
    let who = slot.take(3, 42, 7, |_| Ok::<_, ()>(())).unwrap();
    assert_eq!((who.slot(), slot.holder(3)), (3, Some(who)));
    assert!(slot.is_held_by(who) && !slot.is_free());
    slot.give_back();
    assert!(slot.is_free() && !slot.is_held_by(who));
    let next = slot.take(3, 42, 7, |_| Ok::<_, ()>(())).unwrap();
    assert_ne!(who, next, "the generation tells them apart");
}

#[test]
fn a_death_while_taking_leaves_a_slot_that_is_settled_again() {
    for stores in 0.. {
        let slot = Slot::default();
        let former = slot.take(0, 1, 1, |_| Ok::<_, ()>(())).unwrap();
        let mut settled = 0;
        let taken = die_after(stores, || slot.take(0, 2, 2, |_| count(&mut settled)));
        assert_eq!(slot.is_held_by(former), stores == 0, "its former owner is gone with the first store");
        assert!(!slot.is_free());
        let who = slot.take(0, 3, 3, |_| count(&mut settled)).unwrap();
        assert!(settled > 0 && slot.is_held_by(who));
        if taken.is_ok() {
            return;
        }
    }
}

/// Whoever asks meanwhile: the heir lives, its predecessor doesn't, and nobody takes part yet.
#[test]
fn an_heir_lives_while_it_settles() {
    let slot = Slot::default();
    let former = slot.take(0, 1, 1, |_| Ok::<_, ()>(())).unwrap();
    let settle = |heir| {
        assert!(slot.is_held_by(heir) && !slot.is_held_by(former) && slot.holder(0).is_none());
        Ok::<_, ()>(())
    };
    let heir = slot.take(0, 2, 2, settle).unwrap();
    assert_eq!(slot.holder(0), Some(heir));
}

#[test]
fn generations_wrap() {
    let slot = Slot::default();
    let mut last = slot.take(0, 1, 1, |_| Ok::<_, ()>(())).unwrap();
    for _ in 0..70_000 {
        let next = slot.take(0, 1, 1, |_| Ok::<_, ()>(())).unwrap();
        assert!(next != last && slot.is_held_by(next) && !slot.is_held_by(last));
        last = next;
    }
}

/// Settles nothing, and counts that it was asked to.
fn count(settled: &mut u32) -> Result<(), ()> {
    *settled += 1;
    Ok(())
}
