//! Leases, reservations and typed consumers, with real processes that are stopped, killed or forked.

use std::thread;
use std::time::{Duration, Instant};

use madang::{Deadline, Lease, Queue, Reservation, Select};
use madang_tests::{Checkpoint, Name, WATCHDOG, fork};

fn queue_of(name: &Name, capacity: u64, messages: u64) -> Queue {
    Queue::options().capacity(capacity).max_messages(messages).open(name).unwrap()
}

#[test]
fn whoever_holds_a_lease_and_is_stopped_hinders_nobody() {
    let name = Name::new("stopped-lease");
    let queue = queue_of(&name, 50_000, 100);
    for (mtype, length) in [(1, 10), (2, 9000), (1, 20)] {
        queue.send(mtype, &vec![7; length]).unwrap();
    }
    let leased = Checkpoint::default();
    let child = fork(|| {
        let _long = queue.try_lease(Select::Type(2)).unwrap();
        let _short = queue.try_lease(Select::Any).unwrap();
        let _room = queue.reserve(5000).unwrap();
        leased.reach();
        thread::sleep(6 * WATCHDOG);
        1
    });
    leased.wait();
    child.signal(libc::SIGSTOP);
    let begun = Instant::now();
    assert_eq!(queue.stat().unwrap().leased, 2);
    assert_eq!(queue.try_recv(Select::Any).unwrap().data.len(), 20);
    for round in 0..200 {
        queue.send(3, &vec![round as u8; 100 * round]).unwrap();
        queue.send(4, b"x").unwrap();
        assert_eq!(queue.try_recv(Select::Type(4)).unwrap().data, b"x");
        let lease = queue.try_lease(Select::UpTo(5)).unwrap();
        assert_eq!((lease.mtype(), lease.len()), (3, 100 * round));
        lease.ack().unwrap();
        assert_eq!(queue.try_recv(Select::Any).unwrap_err().errno(), libc::EAGAIN);
    }
    assert!(begun.elapsed() < WATCHDOG);
    assert_eq!(queue.stat().unwrap().leased, 2, "who is stopped lives");
    child.kill();
    // Also for one who doesn't wait, and in the old order.
    let first = queue.try_recv(Select::Any).unwrap();
    let second = queue.try_recv(Select::Any).unwrap();
    assert_eq!((first.sequence, first.redelivered, first.data.len()), (0, 1, 10));
    assert_eq!((second.sequence, second.redelivered, second.data.len()), (1, 1, 9000));
    assert_eq!((queue.len(), queue.stat().unwrap().leased), (0, 0));
}

/// However a receiver sleeps, a lease whose holder is killed comes to it within a second.
#[test]
fn the_leases_of_the_killed_come_back_to_who_sleeps() {
    for (select, is_lease) in [
        (Select::Any, false),
        (Select::Type(2), false),
        (Select::UpTo(3), true),
        (Select::Except(1), true),
        (Select::Type(2), true),
    ] {
        let name = Name::new("come-back");
        let queue = queue_of(&name, 50_000, 100);
        queue.send(2, b"again").unwrap();
        let (leased, received) = (Checkpoint::default(), Checkpoint::default());
        let holder = fork(|| {
            let _lease = queue.try_lease(Select::Any).unwrap();
            leased.reach();
            thread::sleep(6 * WATCHDOG);
            1
        });
        leased.wait();
        let sleeper = fork(|| {
            if is_lease {
                let lease = queue.lease(select).unwrap();
                assert_eq!((lease.to_vec(), lease.redelivered()), (b"again".to_vec(), 1));
                lease.ack().unwrap();
            } else {
                let message = queue.recv(select).unwrap();
                assert_eq!((message.data, message.redelivered), (b"again".to_vec(), 1));
            }
            received.reach();
            0
        });
        sleeper.wait_until_asleep();
        holder.kill();
        assert!(received.wait_for(Duration::from_secs(1)), "{select:?}");
        sleeper.succeeds();
        assert_eq!((queue.len(), queue.stat().unwrap().leased), (0, 0));
    }
}

/// What the killed had leased is told as what waits, also if nobody came since.
#[test]
fn the_leases_of_the_killed_are_not_counted() {
    let name = Name::new("not-counted");
    let queue = queue_of(&name, 50_000, 100);
    queue.send(1, b"again").unwrap();
    let leased = Checkpoint::default();
    let holder = fork(|| {
        let _lease = queue.try_lease(Select::Any).unwrap();
        leased.reach();
        thread::sleep(6 * WATCHDOG);
        1
    });
    leased.wait();
    assert_eq!(queue.stat().unwrap().leased, 1);
    holder.kill();
    let status = queue.stat().unwrap();
    assert_eq!((status.messages, status.leased), (1, 0));
    assert_eq!(queue.try_recv(Select::Any).unwrap().redelivered, 1);
}

/// A message that is given back wakes who waits for its type, and only then.
#[test]
fn what_is_given_back_wakes_a_sleeper() {
    let name = Name::new("given-back");
    let queue = queue_of(&name, 50_000, 100);
    for _ in 0..50 {
        queue.send(2, b"x").unwrap();
        let lease = queue.try_lease(Select::Any).unwrap();
        let child = fork(|| {
            let begun = Instant::now();
            assert_eq!(queue.recv(Select::Type(2)).unwrap().redelivered, 1);
            i32::from(begun.elapsed() > WATCHDOG)
        });
        child.wait_until_asleep();
        lease.release().unwrap();
        child.succeeds();
    }
}

#[test]
fn typed_consumers_get_exactly_their_types() {
    const EACH: u64 = 3000;
    let name = Name::new("typed");
    let queue = queue_of(&name, 100_000, 500);
    let consumers: Vec<_> = (1..=4)
        .map(|mtype| {
            let queue = &queue;
            fork(move || {
                for index in 0..EACH {
                    let message = if index % 3 == 0 {
                        let lease = queue.lease(Select::Type(mtype)).unwrap();
                        let message = (lease.mtype(), lease.to_vec());
                        lease.ack().unwrap();
                        message
                    } else {
                        let message = queue.recv(Select::Type(mtype)).unwrap();
                        (message.mtype, message.data)
                    };
                    assert_eq!(message.0, mtype);
                    assert_eq!(message.1[..8], index.to_le_bytes(), "type {mtype}: each once, in order");
                }
                0
            })
        })
        .collect();
    let senders: Vec<_> = (0..2)
        .map(|half| {
            let queue = &queue;
            fork(move || {
                for index in 0..EACH {
                    for mtype in [1 + half, 3 + half] {
                        let mut data = index.to_le_bytes().to_vec();
                        data.resize(8 + (index * 37 % 5000) as usize, 1);
                        queue.send(mtype, &data).unwrap();
                    }
                }
                0
            })
        })
        .collect();
    senders.into_iter().chain(consumers).for_each(|child| assert_eq!(child.wait_for(6 * WATCHDOG), 0));
    assert_eq!((queue.len(), queue.stat().unwrap().leased), (0, 0));
}

#[test]
fn leases_count_as_held() {
    let name = Name::new("full-of-leases");
    let queue = queue_of(&name, 1000, 3);
    (1..=3).for_each(|mtype| queue.send(mtype, b"x").unwrap());
    let leases: Vec<_> = (0..3).map(|_| queue.try_lease(Select::Any).unwrap()).collect();
    assert_eq!(queue.try_send(1, b"").unwrap_err().errno(), libc::EAGAIN);
    assert_eq!(queue.send_timeout(1, b"", Duration::from_millis(20)).unwrap_err().errno(), libc::ETIMEDOUT);
    assert_eq!(queue.try_recv(Select::Any).unwrap_err().errno(), libc::EAGAIN);
    let mut leases = leases.into_iter();
    leases.next().unwrap().ack().unwrap();
    queue.try_send(4, b"").unwrap();
    // One that is given back is held as before.
    leases.next().unwrap().release().unwrap();
    assert_eq!(queue.try_send(1, b"").unwrap_err().errno(), libc::EAGAIN);
    let child = fork(|| {
        queue.send(5, b"").unwrap();
        0
    });
    child.wait_until_asleep();
    leases.next().unwrap().ack().unwrap();
    child.succeeds();
    let types: Vec<_> = (0..3).map(|_| queue.try_recv(Select::Any).unwrap().mtype).collect();
    assert_eq!(types, [2, 4, 5]);
}

/// What a killed one held back, its copies and its reservations, is there for a sender who only tries.
#[test]
fn a_sender_who_only_tries_gets_what_the_dead_held() {
    let name = Name::new("only-tries");
    let queue = queue_of(&name, 100_000, 3);
    let reserved = Checkpoint::default();
    let child = fork(|| {
        let mut all = vec![];
        while let Ok(reservation) = Reservation::new(&queue, 90_000, Deadline::NOW) {
            all.push(reservation);
        }
        assert!(!all.is_empty());
        reserved.reach();
        thread::sleep(6 * WATCHDOG);
        1
    });
    reserved.wait();
    assert_eq!(queue.try_send(1, &[1; 90_000]).unwrap_err().errno(), libc::EAGAIN);
    child.kill();
    queue.try_send(1, &[1; 90_000]).unwrap();
    assert_eq!(queue.try_recv(Select::Type(1)).unwrap().data, [1; 90_000]);
}

/// A guard that a child inherited does nothing, though the child has a block of its own just there.
#[test]
fn an_inherited_guard_is_inert() {
    let name = Name::new("inert");
    let queue = queue_of(&name, 50_000, 100);
    (0..3).for_each(|index| queue.send(1, &[index; 100]).unwrap());
    let lease = Lease::new(&queue, Select::Any, Deadline::NOW).unwrap();
    let reservation = Reservation::new(&queue, 6000, Deadline::NOW).unwrap();
    let (forked, freed) = (Checkpoint::default(), Checkpoint::default());
    let mut guards = Some((lease, reservation));
    let child = fork(|| {
        let (lease, mut reservation) = guards.take().unwrap();
        forked.reach();
        freed.wait();
        // Both where the parent's were.
        let mine = queue.try_lease(Select::Any).unwrap();
        let mut room = queue.reserve(6000).unwrap();
        assert_eq!((mine.data(), room.data()), (lease.data(), reservation.data()), "or this test shows nothing");
        assert_eq!(reservation.try_commit(1, 10, Deadline::NOW).unwrap_err().errno(), libc::EOWNERDEAD);
        assert_eq!(lease.ack().unwrap_err().errno(), libc::EOWNERDEAD);
        drop(reservation);
        assert_eq!(mine.to_vec(), [1; 100]);
        assert_eq!(queue.stat().unwrap().leased, 1, "it is mine still");
        room.write(0, &[9; 6000]).unwrap();
        room.commit(2).unwrap();
        mine.ack().unwrap();
        0
    });
    forked.wait();
    let (lease, reservation) = guards.take().unwrap();
    drop(reservation);
    lease.ack().unwrap();
    freed.reach();
    child.succeeds();
    assert_eq!(queue.try_recv(Select::Any).unwrap().data, [2; 100]);
    assert_eq!(queue.try_recv(Select::Type(2)).unwrap().data, [9; 6000]);
    assert_eq!(queue.try_recv(Select::Any).unwrap_err().errno(), libc::EAGAIN);
}

/// Whatever the limits admit fits, also if it was reserved and then left empty.
#[test]
fn empty_reservations_fit() {
    for messages in [2800, 5600] {
        let name = Name::new("empty");
        let queue = queue_of(&name, 1000, messages);
        for _ in 0..messages {
            Reservation::new(&queue, 0, Deadline::NOW).unwrap().commit(1).unwrap();
        }
        assert_eq!(queue.try_send(1, b"").unwrap_err().errno(), libc::EAGAIN);
        for sequence in 0..messages {
            assert_eq!(queue.try_recv(Select::Any).unwrap().sequence, sequence);
        }
    }
}
