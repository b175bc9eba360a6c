//! The other end goes on at every access: between any two looks of one side, the other may have done anything.

use super::*;

/// All that senders can do between two accesses of a receiver, and the other way round, changes nothing of what arrives.
#[test]
fn the_other_end_may_go_on_at_every_access() {
    for state in 1..STATES {
        for most in [1, usize::MAX] {
            for accesses in 0.. {
                let world = World::default();
                let tested = RefCell::new(prepared(state, &world));
                let (one, two) = (world.participant(0), world.participant(1));
                let ring = std::ptr::from_ref(&*tested.borrow());
                // SAFETY: receiving by `receive` touches the ring and nothing else of it, and the ring is made for that.
                let alone = unsafe { &*ring };
                let expected = alone.model.front().cloned();
                let other = || {
                    let mut tested = tested.borrow_mut();
                    for _ in 0..most.min(2000) {
                        let message = tested.next(24);
                        if send(&tested, two, &message) != Sent::Done {
                            break;
                        }
                        tested.note_sent(message);
                    }
                };
                let (received, came) = interrupt_after(accesses, other, || receive(alone, one));
                let mut tested = tested.into_inner();
                // Where there was none, one that came meanwhile may be found or not.
                if received.is_some() || expected.is_some() {
                    assert_eq!(received, tested.model.pop_front(), "state {state}, access {accesses}");
                }
                tested.finish(two);
                if !came {
                    break;
                }
            }
            for accesses in 0.. {
                let world = World::default();
                let tested = prepared(state, &world);
                let (one, two) = (world.participant(0), world.participant(1));
                let message = tested.next(24);
                let received = RefCell::new(Vec::new());
                let other = || received.borrow_mut().extend((0..most).map_while(|_| receive(&tested, two)));
                let (sent, came) = interrupt_after(accesses, other, || send(&tested, one, &message));
                let mut tested = tested;
                if sent == Sent::Done {
                    tested.note_sent(message);
                }
                for message in received.into_inner() {
                    assert_eq!(Some(message), tested.model.pop_front(), "state {state}, access {accesses}");
                }
                tested.finish(one);
                if !came {
                    break;
                }
            }
        }
    }
}

/// What is held is never less than nothing, whatever passes while one looks.
#[test]
fn a_look_is_one_moment() {
    for accesses in 0.. {
        let world = World::default();
        let tested = RefCell::new(prepared(1, &world));
        let who = world.participant(0);
        // SAFETY: only the ring is looked at, which is made for that.
        let ring = unsafe { &*std::ptr::from_ref(&tested.borrow().ring) };
        let other = || {
            let mut tested = tested.borrow_mut();
            (0..3).for_each(|_| tested.receive(who));
            (0..5).for_each(|_| tested.send(who, 10));
            (0..5).for_each(|_| tested.receive(who));
        };
        let (held, came) = interrupt_after(accesses, other, || ring.held());
        assert!(held.messages <= 8 && held.bytes <= 350, "{held:?} before access {accesses}");
        assert!(
            held.bytes <= 100 * held.messages,
            "bytes and messages of one moment: {held:?} before access {accesses}"
        );
        if !came {
            break;
        }
    }
}

/// A piece that is granted later than a larger one takes nothing back.
#[test]
fn a_late_grant_takes_nothing_back() {
    let world = World::default();
    let who = world.participant(0);
    let tested = Tested::new(1 << 20, 100);
    let ask = |length| match tested.ring.send(&who, 1, &vec![0; length], Deadline::NOW).unwrap() {
        Sent::NeedsSpace(space) => Some(space),
        _ => None,
    };
    let small = ask(70_000).unwrap();
    let large = ask(300_000).unwrap();
    for space in [large, small] {
        file::allocate(tested.file.as_fd(), space.offset, space.length).unwrap();
        tested.ring.grant(space);
    }
    assert_eq!(ask(300_000), None);
}

/// With the sizes that queues really have: every page is taken before it is touched, in both rings.
#[test]
fn space_is_taken_before_it_is_touched() {
    let world = World::default();
    let mut tested = Tested::with(Geometry::new(1 << 20, 1000, 8).unwrap());
    for length in [1000, 4000, 60_000] {
        (0..1000).for_each(|_| tested.send(world.participant(0), length));
        while !tested.model.is_empty() {
            tested.receive(world.participant(0));
        }
    }
}

/// While receivers are in the near ring still, senders stay in the deep one, however little is held.
#[test]
fn nobody_goes_back_to_a_ring_that_is_read() {
    let world = World::default();
    let who = world.participant(0);
    let mut tested = Tested::new(near(), 4 * near() / 16);
    while tested.ring.ends().0.place().side() == Side::Near {
        tested.send(who, 1);
    }
    while tested.model.len() as u64 * 17 > near() / 2 {
        tested.receive(who);
    }
    tested.send(who, (near() / 2 - SPARE - 16) as usize);
    tested.finish(who);
}

/// A head that was scribbled far behind: nothing is sent over what it may still want to read.
#[test]
fn a_ring_that_is_full_by_its_head_is_damaged() {
    let world = World::default();
    let who = world.participant(0);
    let tested = Tested::with(Geometry::new(1000, 1000, 8).unwrap());
    assert_eq!(tested.ring.geometry().ring(Side::Deep), 0);
    let head = &tested.ring.ends().1.place;
    head.set(head.get().wrapping_sub(tested.ring.geometry().ring(Side::Near)));
    let sent = tested.ring.send(&who, 1, b"x", Deadline::NOW);
    assert!(matches!(sent, Err(Fault::Damaged(_))), "{sent:?}");
}

/// One dies on the way to the deep ring, another on the way back, each at every store.
#[test]
fn both_ways_over_may_end_in_death() {
    for first in 0.. {
        let mut one_lived = false;
        for second in 0.. {
            let world = World::default();
            let mut tested = prepared(5, &world);
            one_lived = send_and_die(&mut tested, world.participant(1), 24, first).is_ok();
            tested.go_back_next(world.participant(2));
            let two_lived = send_and_die(&mut tested, world.participant(3), 24, second).is_ok();
            tested.finish(world.participant(4));
            if two_lived {
                break;
            }
        }
        if one_lived {
            break;
        }
    }
}

/// One dies on the way to the deep ring; a receiver follows the next one back, between any two of his stores.
#[test]
fn who_is_followed_back_left_no_old_words() {
    for stores in 0.. {
        let mut lived = false;
        for accesses in 0.. {
            let world = World::default();
            let mut tested = prepared(5, &world);
            lived = send_and_die(&mut tested, world.participant(1), 24, stores).is_ok();
            let (two, three) = (world.participant(2), world.participant(3));
            tested.go_back_next(two);
            let message = tested.next(24);
            let mut received = None;
            let (sent, came) =
                interrupt_after(accesses, || received = receive(&tested, three), || send(&tested, two, &message));
            assert_eq!(sent, Sent::Done);
            tested.note_sent(message);
            if received.is_some() {
                assert_eq!(received, tested.model.pop_front(), "death at store {stores}, access {accesses}");
            }
            tested.finish(two);
            if !came {
                break;
            }
        }
        if lived {
            break;
        }
    }
}
