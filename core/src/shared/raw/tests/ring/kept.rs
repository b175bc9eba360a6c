//! Ends that are kept: the lanes of their own that keepers have, under the trap.

use super::*;

/// The sender of all that stands in a prepared ring, and its receiver: both ends are its own after a few more of each.
fn keep_both(tested: &mut Tested, who: Actor) {
    for _ in 0..8 {
        tested.send(who, 24);
        tested.receive(who);
    }
    let (senders, receivers) = tested.ring.ends();
    assert_eq!(senders.lock.held_by(), Some(who.me), "it keeps the senders' end");
    assert_eq!(receivers.lock.held_by(), Some(who.me), "and the receivers'");
}

/// A ring whose both ends a participant keeps, with some messages in it.
fn kept_by(who: Actor) -> Tested {
    let mut tested = Tested::new(near(), near() / 16);
    (0..3).for_each(|_| tested.send(who, 100));
    keep_both(&mut tested, who);
    tested
}

fn send_kept(tested: &Tested, who: Actor, (mtype, data): &(i64, Vec<u8>)) -> bool {
    tested.ring.send_kept(&who, *mtype, data).unwrap()
}

fn receive_kept(tested: &Tested, who: Actor) -> Option<(i64, Vec<u8>)> {
    let mut buffer = vec![0; 200];
    let received = tested.ring.receive_kept(&who, &mut buffer.as_mut_slice().into()).unwrap();
    received.map(|envelope| (envelope.mtype, buffer[..envelope.length as usize].to_vec()))
}

/// Both lanes do what the others do, and nothing where something is in the way.
#[test]
fn a_keepers_lane_is_the_same_queue() {
    let world = World::default();
    let (one, two) = (world.participant(0), world.participant(1));
    let mut tested = kept_by(one);
    for _ in 0..10 {
        let message = tested.next(24);
        assert!(send_kept(&tested, one, &message));
        tested.note_sent(message);
    }
    while let Some(expected) = tested.model.pop_front() {
        assert_eq!(receive_kept(&tested, one), Some(expected));
    }
    assert_eq!(receive_kept(&tested, one), None, "empty");
    assert!(!send_kept(&tested, one, &(1, vec![0; 200])), "not short");
    assert!(!send_kept(&tested, two, &(1, vec![])), "another's");
    tested.send(one, 100);
    assert_eq!(tested.ring.receive_kept(&one, &mut [0; 99].as_mut_slice().into()), Ok(None), "too small a buffer");
    assert_eq!(receive_kept(&tested, two), None, "another's");
    while tested.admits(100) {
        let message = tested.next(100);
        // Where it says no, the slow way finds room.
        if send_kept(&tested, one, &message) {
            tested.note_sent(message);
        } else {
            tested.send(one, 100);
        }
    }
    let message = tested.next(100);
    assert!(!send_kept(&tested, one, &message), "full");
    tested.finish(two);
}

/// A keeper dies at each store of its lane: the message is there wholly or not at all, and the others go on.
#[test]
fn a_keeper_may_die_at_every_store() {
    for stores in 0.. {
        let world = World::default();
        let (one, two) = (world.participant(0), world.participant(1));
        let mut tested = kept_by(one);
        let message = tested.next(24);
        let before = tested.ring.sent().messages;
        let outcome = die_after(stores, || send_kept(&tested, one, &message));
        one.dies();
        if tested.ring.sent().messages > before {
            tested.note_sent(message);
        }
        tested.send(two, 24);
        let repairs = tested.ring.repairs();
        assert!(outcome.is_err() || repairs == 0, "all was in order");
        tested.finish(two);
        if let Ok(sent) = outcome {
            assert!(sent);
            break;
        }
    }
    for stores in 0.. {
        let world = World::default();
        let (one, two) = (world.participant(0), world.participant(1));
        let mut tested = kept_by(one);
        let before = tested.ring.received().messages;
        let outcome = die_after(stores, || receive_kept(&tested, one));
        one.dies();
        if tested.ring.received().messages > before {
            tested.model.pop_front();
        }
        tested.receive(two);
        assert!(outcome.is_err() || tested.ring.repairs() == 0, "all was in order");
        tested.finish(two);
        if let Ok(received) = outcome {
            assert!(received.is_some());
            break;
        }
    }
}

/// Another sends at every access of a keeper's lane, and may die there at each store: what was sent is there once.
#[test]
fn another_sender_may_come_at_every_access() {
    for accesses in 0.. {
        let mut all = true;
        for stores in 0.. {
            let world = World::default();
            let [one, two, three] = [0, 1, 2].map(|slot| world.participant(slot));
            let mut tested = kept_by(one);
            let mine = tested.next(24);
            let other = (mine.0 + 1, vec![0xee; 24]);
            let mut sent = None;
            let come = || {
                let send = || tested.ring.send(&two, other.0, &other.1, Deadline::INSTANT);
                sent = Some(die_after(stores, send));
                two.dies();
            };
            let (sent_mine, came) = interrupt_after(accesses, come, || send_kept(&tested, one, &mine));
            all &= came;
            let received: Vec<_> = std::iter::from_fn(|| receive(&tested, three)).collect();
            let (old, new) = received.split_at(tested.model.len());
            assert_eq!(old, tested.model.make_contiguous(), "what was there");
            let count = |message| new.iter().filter(|&found| found == message).count();
            assert_eq!(count(&mine), usize::from(sent_mine), "access {accesses}, store {stores}");
            match sent {
                Some(Ok(Ok(outcome))) => assert_eq!(count(&other), usize::from(outcome == Sent::Done)),
                Some(Ok(Err(fault))) => assert_eq!((fault, count(&other)), (Fault::Busy, 0)),
                _ => assert!(count(&other) <= 1),
            }
            assert_eq!(new.len(), count(&mine) + count(&other));
            tested.model.clear();
            tested.sent += 2;
            tested.finish(three);
            if !matches!(sent, Some(Err(Died))) {
                break;
            }
        }
        if !all {
            break;
        }
    }
}

/// Another receives at every access of a keeper's lane, and may die there at each store: nothing is received twice, and only who
/// died takes something along.
#[test]
fn another_receiver_may_come_at_every_access() {
    for accesses in 0.. {
        let mut all = true;
        for stores in 0.. {
            let world = World::default();
            let [one, two, three] = [0, 1, 2].map(|slot| world.participant(slot));
            let mut tested = kept_by(one);
            let before = tested.ring.received().messages;
            let mut theirs = None;
            let mut buffer = [0; 200];
            let come = || {
                let receive = || tested.ring.receive(&two, &mut buffer.as_mut_slice().into(), ANY, Deadline::INSTANT);
                theirs = Some(die_after(stores, receive));
                two.dies();
            };
            let (mine, came) = interrupt_after(accesses, come, || receive_kept(&tested, one));
            all &= came;
            let mut found: Vec<_> = mine.into_iter().map(|message| message.0).collect();
            match theirs {
                Some(Ok(Ok(Received::Message(envelope)))) => found.push(envelope.mtype),
                Some(Ok(Ok(other))) => panic!("{other:?}"),
                Some(Ok(Err(fault))) => assert_eq!(fault, Fault::Busy),
                _ => {}
            }
            found.sort_unstable();
            found.dedup();
            let taken = (tested.ring.received().messages - before) as usize;
            let died = matches!(theirs, Some(Err(Died)));
            assert!(taken == found.len() || (died && taken == found.len() + 1), "access {accesses}, store {stores}");
            let first: Vec<_> = tested.model.drain(..taken).map(|message| message.0).collect();
            assert!(found.iter().all(|mtype| first.contains(mtype)), "access {accesses}, store {stores}");
            tested.finish(three);
            if !died {
                break;
            }
        }
        if !all {
            break;
        }
    }
}

/// Whatever of a keeper's send an announcement and a last try fall into: the receiver finds the message or is woken; and who woke
/// him keeps the end no more, so that the next to sleep runs no barrier.
#[test]
fn a_receiver_is_never_forgotten() {
    for accesses in 0.. {
        let world = World::default();
        let (one, two) = (world.participant(0), world.participant(1));
        let mut tested = kept_by(one);
        while !tested.model.is_empty() {
            tested.receive(one);
        }
        let message = tested.next(24);
        let mut found = false;
        let other = || {
            tested.ring.announce_receiver(&two, Want::Any);
            found = receive(&tested, two).is_some();
        };
        let (sent, came) = interrupt_after(accesses, other, || send_kept(&tested, one, &message));
        assert!(sent);
        assert!(!came || found || world.wakes.get() > 0, "access {accesses}");
        if world.wakes.get() > 0 {
            assert_eq!(tested.ring.ends().0.lock.held_by(), None);
            assert_eq!(tested.ring.ends().0.lock.keeper_and_inside().0.get(), 0);
        }
        if !came {
            break;
        }
    }
}

#[test]
fn a_sender_is_never_forgotten() {
    for accesses in 0.. {
        let world = World::default();
        let (one, two) = (world.participant(0), world.participant(1));
        let mut tested = Tested::new(near(), 2);
        keep_both(&mut tested, one);
        (0..2).for_each(|_| tested.send(one, 24));
        let message = tested.next(24);
        let mut sent = false;
        let other = || {
            tested.ring.announce_sender(&two, 24);
            sent = tested.ring.send(&two, message.0, &message.1, Deadline::INSTANT) == Ok(Sent::Done);
        };
        let (received, came) = interrupt_after(accesses, other, || receive_kept(&tested, one));
        assert!(received.is_some());
        assert!(!came || sent || world.wakes.get() > 0, "access {accesses}");
        if world.wakes.get() > 0 {
            assert_eq!(tested.ring.ends().1.lock.held_by(), None);
        }
        if !came {
            break;
        }
    }
}

/// And whoever waits by a descriptor finds what he waits for, or is rung; and who rang keeps the end no more.
#[test]
fn a_watcher_is_never_missed() {
    for (receives, accesses) in [false, true].into_iter().flat_map(|receives| (0..100).map(move |at| (receives, at))) {
        let world = World::default();
        let (one, two) = (world.participant(0), world.participant(1));
        let mut tested = Tested::new(near(), if receives { 2 } else { 100 });
        keep_both(&mut tested, one);
        (0..2 * usize::from(receives)).for_each(|_| tested.send(one, 24));
        let message = tested.next(24);
        let mut found = false;
        let other = || {
            if receives {
                tested.ring.announce_watching_sender(&two, 24);
                found = tested.ring.send(&two, message.0, &message.1, Deadline::INSTANT) == Ok(Sent::Done);
            } else {
                tested.ring.announce_watching_receiver(&two, Want::Any);
                found = receive(&tested, two).is_some();
            }
        };
        let act = || if receives { receive_kept(&tested, one).is_some() } else { send_kept(&tested, one, &message) };
        let (done, came) = interrupt_after(accesses, other, act);
        assert!(done && (!came || found || world.rings.get() > 0), "access {accesses}, receives: {receives}");
        if world.rings.get() > 0 {
            let (senders, receivers) = tested.ring.ends();
            let lock = if receives { &receivers.lock } else { &senders.lock };
            assert_eq!(lock.held_by(), None);
        }
        assert!(!came || accesses < 99, "all were tried");
    }
}

/// A keeper looked for sleepers before its commit left its processor's store buffer, and found none: the barrier of whoever then
/// falls asleep brings it to light.
#[test]
fn a_late_commit_is_found_by_who_falls_asleep() {
    a_late_commit_is_found(
        |ring, who| _ = ring.announce_receiver(&who, Want::Any),
        |ring, who| _ = ring.announce_sender(&who, 24),
    );
}

/// Or waits by a descriptor.
#[test]
fn a_late_commit_is_found_by_who_watches() {
    a_late_commit_is_found(
        |ring, who| ring.announce_watching_receiver(&who, Want::Any),
        |ring, who| ring.announce_watching_sender(&who, 24),
    );
}

fn a_late_commit_is_found(receiver: impl Fn(&Ring, Late), sender: impl Fn(&Ring, Late)) {
    let world = World::default();
    let (one, two) = (world.participant(0), world.participant(1));
    let mut tested = kept_by(one);
    while !tested.model.is_empty() {
        tested.receive(one);
    }
    let (message, place) = (tested.next(24), tested.ring.ends().0.place());
    assert!(send_kept(&tested, one, &message));
    // As the length of the record says.
    let word = 24 << 8 | 1;
    // Nobody keeps the end that is the sleeper's own.
    tested.ring.ends().1.lock.give_back_for_good(&one);
    world.wakes.set(0);
    tested.ring.scribble(place, 0, 0);
    let barrier = || tested.ring.scribble(place, 0, word);
    receiver(&tested.ring, Late { actor: two, barrier: &barrier });
    assert_eq!(receive(&tested, two), Some(message));
    assert_eq!(world.wakes.get(), 0);

    let mut tested = Tested::new(near(), 2);
    keep_both(&mut tested, one);
    (0..2).for_each(|_| tested.send(one, 24));
    tested.ring.ends().0.lock.give_back_for_good(&one);
    let head = &tested.ring.ends().1.place;
    let before = head.get();
    assert!(receive_kept(&tested, one).is_some());
    let after = head.get();
    head.set(before);
    let message = tested.next(24);
    assert_eq!(tested.ring.send(&two, message.0, &message.1, Deadline::NOW), Ok(Sent::Full));
    let barrier = || head.set(after);
    sender(&tested.ring, Late { actor: two, barrier: &barrier });
    assert_eq!(tested.ring.send(&two, message.0, &message.1, Deadline::NOW), Ok(Sent::Done));
}

/// Where nobody keeps the other end, who falls asleep runs no barrier.
#[test]
fn who_falls_asleep_pays_only_for_keepers() {
    let world = World::default();
    let one = world.participant(0);
    let tested = prepared(1, &world);
    (0..3).for_each(|_| drop(receive(&tested, world.participant(1))));
    tested.ring.leave(&one);
    let barrier = || panic!("a barrier for nobody");
    let late = Late { actor: one, barrier: &barrier };
    tested.ring.announce_receiver(&late, Want::Any);
    tested.ring.announce_sender(&late, 1);
}

/// A keeper that died outside left nothing half done: its slot's heir frees the end, and counts no repair.
#[test]
fn an_heir_repairs_nothing_that_was_whole() {
    let world = World::default();
    let (one, two) = (world.participant(0), world.participant(1));
    let tested = kept_by(one);
    one.dies();
    let heir = one.heir();
    tested.ring.settle(&heir, heir.me).unwrap();
    let (senders, receivers) = tested.ring.ends();
    assert_eq!((senders.lock.held_by(), receivers.lock.held_by()), (None, None));
    assert_eq!(tested.ring.repairs(), 0);
    tested.finish(two);
}

/// And one that died inside did: at each store it is settled as any owner's death.
#[test]
fn an_heir_settles_what_a_keeper_left() {
    for stores in 0.. {
        let world = World::default();
        let (one, two) = (world.participant(0), world.participant(1));
        let heir = one.heir();
        let mut tested = kept_by(one);
        let message = tested.next(24);
        let before = tested.ring.sent().messages;
        let lived = die_after(stores, || send_kept(&tested, one, &message)).is_ok();
        one.dies();
        if tested.ring.sent().messages > before {
            tested.note_sent(message);
        }
        let inside = tested.ring.ends().0.lock.keeper_and_inside().1.get() != 0;
        tested.ring.announce_receiver(&heir, Want::Any);
        tested.ring.settle(&heir, heir.me).unwrap();
        assert_eq!(tested.ring.repairs(), u64::from(inside), "store {stores}");
        assert_eq!(tested.ring.ends().0.look().1.messages, tested.sent, "what is there is counted");
        assert!(!inside || !tested.ring.receivers_event().is_awaited(), "whoever waits for it is woken");
        tested.finish(two);
        if lived {
            break;
        }
    }
}

/// Who goes gives both ends back, also when another thread of his used the handle meanwhile.
#[test]
fn who_goes_keeps_nothing() {
    let world = World::default();
    let one = world.participant(0);
    for who in [one, one.second_thread()] {
        world.several.borrow_mut().clear();
        let tested = kept_by(one);
        tested.ring.leave(&who);
        for end in [tested.ring.ends().0, tested.ring.ends().1] {
            assert_eq!(end.lock.held_by(), None);
            assert_eq!(end.lock.keeper_and_inside().0.get(), 0);
        }
    }
}

/// Who was presumed dead in its lane is told, and takes no message for one that it may hand over.
#[test]
fn a_keeper_that_was_replaced_is_told() {
    let world = World::default();
    let (one, two) = (world.participant(0), world.participant(1));
    let replace = |tested: &Tested| {
        one.dies();
        assert_eq!(send(tested, two, &(7, vec![])), Sent::Done);
        assert!(receive(tested, two).is_some());
        world.dead.borrow_mut().clear();
    };
    let mut buffer = [0; 200];
    let mut target = buffer.as_mut_slice().into();
    let tested = kept_by(one);
    let received = interrupt_after(3, || replace(&tested), || tested.ring.receive_kept(&one, &mut target));
    assert_eq!(received, (Err(Fault::Disowned), true));
    let tested = kept_by(one);
    let sent = interrupt_after(3, || replace(&tested), || tested.ring.send_kept(&one, 1, b"x"));
    assert_eq!(sent, (Err(Fault::Disowned), true));
}
