//! What the dead leave, and what scribblers do: repaired, settled, or refused.

use super::*;

/// A sender who died inside the lock, before anything was committed.
fn dies_inside(tested: &Tested, dying: Actor) {
    let message = tested.next(24);
    assert_eq!(die_after(1, || send(tested, dying, &message)), Err(Died));
    dying.dies();
}

/// A dead sender's end that can't be repaired is damaged for everybody who comes, and nobody hangs on it.
#[test]
fn an_end_that_cannot_be_repaired_stays_damaged() {
    for word in [5, 8, u64::MAX] {
        let world = World::never_keeping();
        let who = world.participant(2);
        let mut tested = prepared(1, &world);
        dies_inside(&tested, world.participant(1));
        tested.ring.scribble(tested.ring.ends().0.place(), 0, word);
        for _ in 0..3 {
            let sent = tested.ring.send(&who, 1, b"x", Deadline::NOW);
            assert!(matches!(sent, Err(Fault::Damaged(_))), "{sent:?} at {word}");
            assert_eq!(tested.ring.ends().0.lock.held_by(), None);
        }
        (0..3).for_each(|_| tested.receive(who));
    }
}

/// Walks over a ring that is nothing but records, or skips, end.
#[test]
fn a_ring_without_an_end_is_damaged() {
    for word in [1, 3] {
        let world = World::never_keeping();
        let who = world.participant(2);
        let tested = prepared(3, &world);
        dies_inside(&tested, world.participant(1));
        for offset in (0..near()).step_by(8) {
            tested.ring.scribble(Place(0), offset, word);
        }
        for offset in (0..tested.ring.geometry().ring(Side::Deep)).step_by(8) {
            tested.ring.scribble(Place(1), offset, word);
        }
        assert!(matches!(tested.ring.send(&who, 1, b"x", Deadline::NOW), Err(Fault::Damaged(_))));
        let received = tested.ring.receive(&who, &mut [0; 100].as_mut_slice().into(), ANY, Deadline::NOW);
        assert_eq!(matches!(received, Err(Fault::Damaged(_))), word == 3, "{received:?}");
    }
}

/// A length is checked against the limits and the ring before anything is copied.
#[test]
fn a_length_that_cannot_be_is_damage() {
    let world = World::never_keeping();
    let who = world.participant(2);
    let mut buffer = vec![0; 1 << 16];
    for length in [near() + 1, near() - 16, 1 << 20, u64::MAX >> 8] {
        let tested = prepared(1, &world);
        tested.ring.scribble(tested.ring.ends().1.place(), 0, length << 8 | 1);
        let received = tested.ring.receive(&who, &mut buffer.as_mut_slice().into(), ANY, Deadline::NOW);
        assert!(matches!(received, Err(Fault::Damaged(_))), "{received:?} of {length}");
        dies_inside(&tested, Actor { me: Participant::new(1, length as u32 & 0x7fff), ..who });
        tested.ring.scribble(tested.ring.ends().0.place(), 0, length << 8 | 1);
        assert!(matches!(tested.ring.send(&who, 1, b"x", Deadline::NOW), Err(Fault::Damaged(_))));
    }
    // One that the deep ring has room for, but the limits don't admit.
    let mut tested = prepared(3, &world);
    while tested.ring.ends().1.place().side() == Side::Near {
        tested.receive(who);
    }
    tested.ring.scribble(tested.ring.ends().1.place(), 0, (near() + 1) << 8 | 1);
    let received = tested.ring.receive(&who, &mut buffer.as_mut_slice().into(), ANY, Deadline::NOW);
    assert!(matches!(received, Err(Fault::Damaged(_))), "{received:?}");
}

/// Whoever takes a dead one's slot settles what it held: the lock is free, what was committed is counted, and who waits for it
/// is woken.
#[test]
fn an_heir_settles_what_its_slots_former_owner_held() {
    for state in 1..STATES {
        for stores in 0.. {
            let world = World::never_keeping();
            let mut tested = prepared(state, &world);
            let dying = world.participant(1);
            let heir = Actor { me: Participant::new(1, 2), ..dying };
            let message = tested.next(24);
            let before = tested.ring.sent().messages;
            let lived = die_after(stores, || send(&tested, dying, &message)).is_ok();
            dying.dies();
            let inside = tested.ring.ends().0.lock.held_by().is_some();
            if tested.ring.sent().messages > before {
                tested.note_sent(message);
            }
            tested.ring.announce_receiver(&heir, Want::Any);
            tested.ring.settle(&heir, heir.me).unwrap();
            assert_eq!(tested.ring.ends().0.lock.held_by(), None);
            assert_eq!(tested.ring.ends().0.look().1.messages, tested.sent, "what is there is counted");
            assert_eq!(tested.ring.repairs(), u64::from(inside));
            assert!(
                !inside || !tested.ring.receivers_event().is_awaited(),
                "whoever waits for what was committed is woken"
            );
            tested.finish(heir);
            if lived {
                break;
            }
        }
    }
}

#[test]
fn an_heir_settles_the_receivers_end() {
    for stores in 0.. {
        let world = World::never_keeping();
        let mut tested = prepared(3, &world);
        let dying = world.participant(1);
        let heir = Actor { me: Participant::new(1, 2), ..dying };
        let before = tested.ring.received().messages;
        let lived = die_after(stores, || receive(&tested, dying)).is_ok();
        dying.dies();
        let inside = tested.ring.ends().1.lock.held_by().is_some();
        if tested.ring.received().messages > before {
            tested.model.pop_front();
        }
        tested.ring.settle(&heir, heir.me).unwrap();
        assert_eq!(tested.ring.ends().1.lock.held_by(), None);
        assert_eq!(tested.ring.repairs(), u64::from(inside));
        tested.finish(heir);
        if lived {
            break;
        }
    }
}

/// A sender is killed after its commit, and the next finds the queue full: whoever waits for the message is woken all the same.
#[test]
fn a_repaired_message_wakes_its_receiver() {
    for stores in 0.. {
        let world = World::never_keeping();
        let tested = Tested::new(near(), 1);
        let (one, two) = (world.participant(1), world.participant(2));
        let message = tested.next(24);
        tested.ring.announce_receiver(&two, Want::Any);
        let lived = die_after(stores, || send(&tested, one, &message)).is_ok();
        one.dies();
        if tested.ring.sent().messages == 1 && !lived {
            let inside = tested.ring.ends().0.lock.held_by().is_some();
            assert_eq!(send(&tested, two, &message), Sent::Full);
            assert!(!inside || !tested.ring.receivers_event().is_awaited());
            assert_eq!(tested.ring.repairs(), u64::from(inside));
        }
        if lived {
            assert_eq!(world.wakes.get(), 1);
            break;
        }
    }
}

#[test]
fn who_dies_while_receiving_is_counted_too() {
    let world = World::never_keeping();
    let mut tested = prepared(1, &world);
    let dying = world.participant(1);
    assert_eq!(die_after(1, || receive(&tested, dying)), Err(Died));
    dying.dies();
    tested.receive(world.participant(2));
    assert_eq!(tested.ring.repairs(), 1);
}

#[test]
fn a_message_too_large_for_the_buffer_stays() {
    let world = World::never_keeping();
    let who = world.participant(0);
    let mut tested = prepared(1, &world);
    let received = tested.ring.receive(&who, &mut [0; 99].as_mut_slice().into(), ANY, Deadline::NOW).unwrap();
    assert_eq!(received, Received::TooSmall(100));
    tested.receive(who);
    tested.finish(who);
}
