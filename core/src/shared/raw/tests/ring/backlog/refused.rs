//! What is refused: a block that isn't the caller's, and work where somebody is stopped inside.

use super::dying::prepared;
use super::*;

/// Somebody who is stopped inside the heap, and lives.
fn stops_in_the_heap(court: &Court, who: Actor) {
    assert_eq!(die_after(1, || court.reserve(who, 10)), Err(Died));
}

/// Somebody who is stopped holding the receivers' end, and lives.
fn stops_at_the_head(court: &Court, who: Actor) {
    assert_eq!(die_after(1, || court.receive(who, Want::Any, 9000, false)), Err(Died));
}

/// What is acknowledged while somebody is stopped in the heap is done with all the same, also if the one who did it is killed
/// then; it counts until somebody looks.
#[test]
fn what_is_acknowledged_never_comes_back() {
    for dies in [false, true] {
        let world = World::never_keeping();
        let [one, two, three] = [1, 2, 3].map(|slot| world.participant(slot));
        let mut court = prepared(4, one, two);
        stops_in_the_heap(&court, three);
        court.step(one, &Deed::Acknowledge(0));
        // A short one of the backlog that is received likewise.
        let three = Actor { me: Participant::new(3, 1), ..three };
        three.dies();
        if dies {
            one.dies();
            court.model = court.model.after_the_death_of(one);
        }
        court.settle(two, Settled::Reclaiming);
        court.finish(two);
    }
}

/// What is received while somebody is stopped in the heap is received once, though its block stays for a while.
#[test]
fn what_is_received_never_comes_back() {
    for want in [Want::Any, Want::Type(2)] {
        for state in [2, 5] {
            let world = World::never_keeping();
            let [one, two, three] = [1, 2, 3].map(|slot| world.participant(slot));
            let mut court = prepared(state, one, two);
            court.step(two, &Deed::Receive { want: Want::Type(9), room: 0, cuts: false });
            stops_in_the_heap(&court, three);
            court.step(two, &Deed::Receive { want, room: 9000, cuts: false });
            three.dies();
            two.dies();
            one.dies();
            court.model = court.model.after_the_death_of(one).after_the_death_of(two);
            let four = world.participant(4);
            court.settle(four, Settled::Reclaiming);
            court.finish(four);
        }
    }
}

/// What is given back while somebody is stopped waits again as soon as somebody looks.
#[test]
fn what_is_given_back_comes_back() {
    for at_head in [false, true] {
        let world = World::never_keeping();
        let [one, two, three] = [1, 2, 3].map(|slot| world.participant(slot));
        let mut court = prepared(4, one, two);
        if at_head {
            stops_at_the_head(&court, three);
        } else {
            stops_in_the_heap(&court, three);
        }
        court.step(one, &Deed::GiveBack(0));
        three.dies();
        court.settle(two, Settled::Reclaiming);
        court.finish(two);
    }
}

/// Nobody waits for who is stopped longer than he may, whoever has the end, and is told so.
#[test]
fn who_is_stopped_inside_is_busy() {
    let world = World::never_keeping();
    let [one, two, three] = [1, 2, 3].map(|slot| world.participant(slot));
    for state in [2, 3, 4, 5] {
        let mut court = prepared(state, one, two);
        court.step(two, &Deed::Send { mtype: 5, length: 10 });
        stops_in_the_heap(&court, three);
        let deadline = Deadline::after(std::time::Duration::from_millis(2));
        let asked = Asked { want: Want::Type(9), cuts: false, granted: None };
        let received = court.ring().receive(&one, &mut [0; 10].as_mut_slice().into(), asked, deadline);
        assert_eq!(received, Err(Fault::Busy));
        assert_eq!(court.ring().lease(&one, asked, Deadline::INSTANT), Err(Fault::Busy));
        assert_eq!(court.ring().reclaim(&one), Ok(false));
        // What needs no block goes on.
        court.step(one, &Deed::Peek { position: 0, room: 9000, cuts: false });
    }
}

/// Only whose lease or reservation it is can do anything with it.
#[test]
fn only_the_owner_can() {
    let world = World::never_keeping();
    let [one, two, three] = [1, 2, 3].map(|slot| world.participant(slot));
    let court = prepared(4, one, two);
    let lease = court.model.lease_of(one, 0).unwrap();
    let (reservation, _) = court.model.reservation_of(one, 0).unwrap();
    for who in [two, three] {
        assert_eq!(court.ring().acknowledge(&who, lease), Err(Fault::NotYours));
        assert_eq!(court.ring().give_back(&who, lease), Err(Fault::NotYours));
        assert_eq!(court.ring().unreserve(&who, reservation), Err(Fault::NotYours));
        assert_eq!(court.ring().commit(&who, reservation, 1, 1, Deadline::NOW), Err(Fault::NotYours));
    }
    // What was sent is nobody's, whatever its sender was told.
    assert_eq!(court.ring().commit(&one, reservation, 1, 1, Deadline::NOW), Ok(Sent::Done));
    assert_eq!(court.ring().unreserve(&one, reservation), Err(Fault::NotYours));
    assert!(matches!(court.receive(three, Want::Any, 9000, false), Ok(Outcome::Message(..))));
    let court = prepared(4, one, two);
    // Nor can the owner mistake one for the other. (To acknowledge a reservation is to drop it: a lease is HELD on its way, too.)
    assert_eq!(court.ring().commit(&one, lease, 1, 1, Deadline::NOW), Err(Fault::NotYours));
    assert_eq!(court.ring().unreserve(&one, lease), Err(Fault::NotYours));
    court.finish(three);
}
