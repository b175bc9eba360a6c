//! Ends that one handle has to itself, and messages that are handed out too often.

use std::thread;

use madang::{Queue, Select};
use madang_tests::{Name, fork};

#[test]
fn others_are_refused_while_it_lives() {
    let name = Name::new("exclusive");
    let alone = Queue::options().exclusive_sender(true).open(&name).unwrap();
    let other = Queue::open(&name).unwrap();
    for index in 0..3000u32 {
        alone.send(1, &index.to_ne_bytes()).unwrap();
        assert_eq!(other.try_send(1, b"x").unwrap_err().errno(), libc::EBUSY);
        assert_eq!(other.recv(Select::Any).unwrap().data, index.to_ne_bytes());
    }
    let again = Queue::options().exclusive_sender(true).open(&name);
    assert_eq!(again.unwrap_err().errno(), libc::EBUSY);
    thread::scope(|scope| {
        let refused = scope.spawn(|| alone.try_send(1, b"another thread").unwrap_err().errno());
        assert_eq!(refused.join().unwrap(), libc::EBUSY);
    });
    fork(|| i32::from(alone.try_send(1, b"a child").map_err(|error| error.errno()) != Err(libc::EBUSY))).succeeds();
    drop(alone);
    other.send(1, b"free again").unwrap();
    assert_eq!(other.recv(Select::Any).unwrap().data, b"free again");
    assert_eq!(other.stat().unwrap().repairs, 0);
}

/// Whatever other threads do with the handle: the end that it has to itself stays with the first one.
#[test]
fn other_threads_change_nothing() {
    let name = Name::new("exclusive-threads");
    for receives in [false, true] {
        let options = Queue::options();
        let options = if receives { options.exclusive_receiver(true) } else { options.exclusive_sender(true) };
        let (alone, other) = (options.open(&name).unwrap(), Queue::open(&name).unwrap());
        let refused = |queue: &Queue| match receives {
            true => queue.try_recv(Select::Any).unwrap_err().errno(),
            false => queue.try_send(1, b"x").unwrap_err().errno(),
        };
        let pass = |index: u32, sender: &Queue, receiver: &Queue| {
            sender.send(1, &index.to_ne_bytes()).unwrap();
            assert_eq!(receiver.try_recv(Select::Any).unwrap().data, index.to_ne_bytes());
        };
        let (sender, receiver) = if receives { (&other, &alone) } else { (&alone, &other) };
        pass(0, sender, receiver);
        thread::scope(|scope| {
            let work = scope.spawn(|| {
                assert_eq!(refused(&alone), libc::EBUSY);
                // The other end is anybody's; so often that he keeps it.
                for _ in 0..1500 {
                    let _ = if receives { alone.try_send(1, b"") } else { alone.try_recv(Select::Any).map(drop) };
                }
            });
            work.join().unwrap();
        });
        while receives && receiver.try_recv(Select::Any).is_ok() {}
        for index in 1..100 {
            assert_eq!(refused(&other), libc::EBUSY);
            pass(index, sender, receiver);
        }
    }
}

#[test]
fn the_dead_shut_nobody_out() {
    for receives in [false, true] {
        let name = Name::new("exclusive-dead");
        let other = Queue::open(&name).unwrap();
        let child = fork(|| {
            let options = Queue::options();
            let options = if receives { options.exclusive_receiver(true) } else { options.exclusive_sender(true) };
            let alone = options.open(&name).unwrap();
            if receives {
                drop(alone.try_recv(Select::Any));
            } else {
                alone.send(1, b"from the dead").unwrap();
            }
            std::mem::forget(alone);
            0
        });
        child.succeeds();
        other.send(1, b"x").unwrap();
        let first = other.recv(Select::Any).unwrap().data;
        assert_eq!(first, if receives { &b"x"[..] } else { b"from the dead" });
    }
}

#[test]
fn what_is_leased_too_often_is_a_dead_letter() {
    let (name, letters) = (Name::new("work"), Name::new("letters"));
    let queue = Queue::options().dead_letters(&letters, 2).open(&name).unwrap();
    queue.send(7, b"poison").unwrap();
    queue.send(8, b"good").unwrap();
    for turn in 0..2 {
        let lease = queue.try_lease(Select::Any).unwrap();
        assert_eq!((lease.mtype(), lease.redelivered(), lease.to_vec()), (7, turn, b"poison".to_vec()));
        assert_eq!(queue.stat().unwrap().leased, 1);
    }
    let lease = queue.try_lease(Select::Any).unwrap();
    assert_eq!((lease.mtype(), lease.redelivered()), (8, 0));
    lease.ack().unwrap();
    assert_eq!(queue.stat().unwrap().messages, 0);
    let buried = Queue::open(&letters).unwrap().try_recv(Select::Any).unwrap();
    assert_eq!((buried.mtype, buried.data), (7, b"poison".to_vec()));
}
