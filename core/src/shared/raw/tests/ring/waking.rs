//! Who sleeps is woken: by the right one, for the right reason, whatever comes in between.

use super::*;

/// Whatever of a send an announcement and a last try fall into: the receiver finds the message or is woken.
#[test]
fn a_receiver_is_never_forgotten() {
    for state in 1..STATES {
        for accesses in 0.. {
            let world = World::default();
            let mut tested = prepared(state, &world);
            let (one, two) = (world.participant(0), world.participant(1));
            while !tested.model.is_empty() {
                tested.receive(one);
            }
            let message = tested.next(24);
            let mut found = false;
            let other = || {
                tested.ring.announce_receiver(&two, Want::Any);
                found = receive(&tested, two).is_some();
            };
            let (sent, came) = interrupt_after(accesses, other, || send(&tested, one, &message));
            assert_eq!(sent, Sent::Done);
            assert!(!came || found || world.wakes.get() > 0, "state {state}, access {accesses}");
            if !came {
                break;
            }
        }
    }
}

/// Whatever of a receive an announcement and a last try fall into: the sender finds room or is woken.
#[test]
fn a_sender_is_never_forgotten() {
    for accesses in 0.. {
        let world = World::default();
        let mut tested = Tested::new(near(), 2);
        let (one, two) = (world.participant(0), world.participant(1));
        (0..2).for_each(|_| tested.send(one, 24));
        let message = tested.next(24);
        let mut sent = false;
        let other = || {
            tested.ring.announce_sender(&two, 24);
            sent = send(&tested, two, &message) == Sent::Done;
        };
        let (_, came) = interrupt_after(accesses, other, || receive(&tested, one));
        assert!(!came || sent || world.wakes.get() > 0, "access {accesses}");
        if !came {
            break;
        }
    }
}

/// Of several who wait the one who wants least decides; and again in the next round, when it was forgotten meanwhile.
#[test]
fn room_for_the_least_is_enough_to_wake() {
    let world = World::never_keeping();
    let who = world.participant(0);
    let mut tested = Tested::new(1000, 100);
    (0..10).for_each(|_| tested.send(who, 100));
    for round in 1..4 {
        tested.ring.announce_sender(&who, 100);
        tested.ring.announce_sender(&who, 1000);
        tested.receive(who);
        assert_eq!(world.wakes.get(), round, "there is room for the smaller");
        assert!(!tested.ring.senders_wait(), "nobody sleeps");
        tested.send(who, 100);
        tested.ring.announce_sender(&who, 1000);
        tested.receive(who);
        assert_eq!(world.wakes.get(), round, "there is no room for the larger");
        tested.send(who, 100);
        tested.ring.senders_event().raise(&who);
        world.wakes.set(round);
    }
    // Where one was found, others may sleep still.
    world.sleepers.set(1);
    tested.ring.announce_sender(&who, 100);
    tested.receive(who);
    assert!(tested.ring.senders_wait());
}

/// A wake that came to one who can't use it goes to all who want less.
#[test]
fn a_wake_is_passed_on_to_who_wants_less() {
    let world = World::default();
    let who = world.participant(0);
    let tested = Tested::new(1000, 100);
    // A new queue doesn't know what is wanted.
    tested.ring.pass_wake_on(&who, 1);
    world.wakes.set(0);
    tested.ring.announce_sender(&who, 100);
    tested.ring.pass_wake_on(&who, 100);
    assert_eq!(world.wakes.get(), 0);
    tested.ring.pass_wake_on(&who, 1000);
    assert_eq!(world.wakes.get(), 1);
    tested.ring.pass_wake_on(&who, 1000);
    assert_eq!(world.wakes.get(), 1, "they say anew what they want");
}

/// Whatever of a receive somebody's announcement falls into who wants more than that receive frees: the next one wakes him.
#[test]
fn who_wants_more_is_not_forgotten() {
    for accesses in 0.. {
        let world = World::default();
        let mut tested = Tested::new(2000, 100);
        let (one, two) = (world.participant(0), world.participant(1));
        (0..2).for_each(|_| tested.send(one, 1000));
        // Somebody who wanted little, and died.
        tested.ring.announce_sender(&one, 10);
        let message = tested.next(2000);
        let mut before = None;
        let other = || {
            tested.ring.announce_sender(&two, 2000);
            assert_eq!(send(&tested, two, &message), Sent::Full);
            before = Some(world.wakes.get());
        };
        let (_, came) = interrupt_after(accesses, other, || receive(&tested, one));
        if !came {
            break;
        }
        receive(&tested, one);
        assert!(world.wakes.get() > before.unwrap(), "access {accesses}");
    }
}

/// Of an operation into which a watcher comes: whether that receives, and whether he tries once more.
#[derive(Clone, Copy, Debug)]
struct Coming {
    receives: bool,
    tries: bool,
}

/// Runs an operation into which a watcher comes at its access of that number; says whether he found what he wanted, or `None` if there is no
/// such access. Somebody had announced himself before, and died.
fn a_watcher_comes(tested: &mut Tested, world: &World, coming: Coming, accesses: u32) -> Option<bool> {
    let (one, two) = (world.participant(0), world.participant(1));
    let message = tested.next(24);
    let act = |tested: &Tested, who, receives| {
        if receives { receive(tested, who).is_some() } else { send(tested, who, &message) == Sent::Done }
    };
    if coming.receives {
        (0..3).for_each(|_| tested.send(one, 24));
        tested.ring.announce_sender(&two, 8);
    } else {
        tested.ring.announce_receiver(&two, Want::Type(1));
    }
    let tested = &*tested;
    let mut found = false;
    let other = || {
        if coming.receives {
            tested.ring.announce_watching_sender(&two, 24);
        } else {
            tested.ring.announce_watching_receiver(&two, Want::Any);
        }
        found = coming.tries && act(tested, two, !coming.receives);
    };
    let (done, came) = interrupt_after(accesses, other, || act(tested, one, coming.receives));
    assert!(done, "{coming:?}, access {accesses}");
    came.then_some(found)
}

/// Whatever of an operation an announcement and a last try fall into: the watcher finds what he wants or is rung.
#[test]
fn a_watcher_is_never_missed() {
    for receives in [false, true] {
        for accesses in 0.. {
            let world = World::default();
            let mut tested = Tested::new(near(), 3);
            let coming = Coming { receives, tries: true };
            let Some(found) = a_watcher_comes(&mut tested, &world, coming, accesses) else { break };
            assert!(found || world.rings.get() > 0, "{coming:?}, access {accesses}");
        }
    }
}

/// Whatever of an operation an announcement falls into: it, or the next one, rings.
#[test]
fn a_watcher_is_never_forgotten() {
    for receives in [false, true] {
        for accesses in 0.. {
            let world = World::default();
            let mut tested = Tested::new(near(), 3);
            let coming = Coming { receives, tries: false };
            if a_watcher_comes(&mut tested, &world, coming, accesses).is_none() {
                break;
            }
            if world.rings.get() == 0 {
                let one = world.participant(0);
                if receives {
                    assert!(receive(&tested, one).is_some());
                } else {
                    assert_eq!(send(&tested, one, &tested.next(24)), Sent::Done);
                }
                assert!(world.rings.get() > 0, "{coming:?}, access {accesses}");
            }
        }
    }
}

/// A watcher who wants one type is rung by that, and by messages that come back; the others don't cost a call.
#[test]
fn a_watcher_is_rung_for_his_type() {
    let world = World::default();
    let mut tested = Tested::new(near(), 100);
    let who = world.participant(0);
    tested.ring.announce_watching_receiver(&who, Want::Type(5));
    (1..5).for_each(|_| tested.send(who, 24));
    assert_eq!((world.rings.get(), world.wakes.get()), (0, 0));
    tested.send(who, 24);
    assert_eq!(world.rings.get(), 1, "type 5");
    (0..100).for_each(|_| tested.ring.announce_watching_receiver(&who, Want::Any));
    tested.send(who, 24);
    assert_eq!(world.rings.get(), 2, "once for all of them");
}

/// Whatever of an announcement an operation falls into whose effect somebody else takes: the next one rings.
#[test]
fn a_watcher_may_be_interrupted() {
    for receives in [false, true] {
        for accesses in 0.. {
            let world = World::default();
            let mut tested = Tested::new(near(), 1);
            let (one, two) = (world.participant(0), world.participant(1));
            if receives {
                tested.send(one, 24);
            }
            let message = tested.next(24);
            let take = || assert!(receive(&tested, one).is_some());
            let put = || assert_eq!(send(&tested, one, &message), Sent::Done);
            let act: &dyn Fn() = if receives { &take } else { &put };
            let undo: &dyn Fn() = if receives { &put } else { &take };
            let announce = || {
                if receives {
                    tested.ring.announce_watching_sender(&two, 24);
                } else {
                    tested.ring.announce_watching_receiver(&two, Want::Any);
                }
            };
            let ((), came) = interrupt_after(accesses, act, announce);
            if !came {
                break;
            }
            undo();
            act();
            assert!(world.rings.get() > 0, "receives: {receives}, access {accesses}");
        }
    }
}
