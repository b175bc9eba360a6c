//! Waiting, with the real futex: what another does at any access of one who waits, he finds at once.

use std::thread;
use std::time::{Duration, Instant};

use super::queue::{Batch, Queue, Select};
use super::raw::cell::trap::{die_after, interrupt_after};

/// Longer than any try, shorter than a nap: who finds it only by his deadline has missed it.
const DEADLINE: Duration = Duration::from_millis(120);

/// What came of one run.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Outcome {
    Found,
    Missed,
    /// What the other did came after the sleep: there is no such access before it.
    Late,
}

/// Interrupts `wait` at each access until one comes after its sleep; what `other` does there must be found at once. A busy
/// machine may keep one from finding it in time; not five times at the same access.
fn is_never_missed(what: &str, prepare: impl Fn(&Queue), wait: impl Fn(&Queue) -> bool, other: impl Fn(&Queue)) {
    let name = format!("test-{what}-{}", std::process::id());
    let run = |accesses| {
        // Anew each time: a handle learns how long to spin, and each run shall make the same accesses.
        let open = || Queue::options().capacity(100).max_participants(2).open(&name).unwrap();
        let (one, two) = (open(), open());
        Queue::unlink(&name).unwrap();
        prepare(&two);
        let mut done = None;
        let begun = Instant::now();
        let meanwhile = || {
            other(&two);
            done = Some(Instant::now());
        };
        let (found, came) = interrupt_after(accesses, meanwhile, || wait(&one));
        assert!(found || !came, "the last thing before an error is a try");
        match done {
            Some(done) if done - begun < DEADLINE / 2 => {
                if done.elapsed() < DEADLINE / 2 {
                    Outcome::Found
                } else {
                    Outcome::Missed
                }
            }
            _ => Outcome::Late,
        }
    };
    for accesses in 0.. {
        let outcome = (0..5).map(|_| run(accesses)).find(|&outcome| outcome != Outcome::Missed);
        match outcome {
            Some(Outcome::Late) => return,
            Some(_) => {}
            None => panic!("it is missed at access {accesses}"),
        }
    }
}

#[test]
fn a_message_sent_at_any_access_is_found() {
    is_never_missed(
        "found",
        |_| {},
        |one| one.recv_timeout(Select::Any, DEADLINE).is_ok(),
        |two| two.send(1, b"x").unwrap(),
    );
}

#[test]
fn room_made_at_any_access_is_found() {
    is_never_missed(
        "room",
        |two| two.send(1, &[0; 100]).unwrap(),
        |one| one.send_timeout(1, &[1; 90], DEADLINE).is_ok(),
        |two| drop(two.recv(Select::Any).unwrap()),
    );
}

#[test]
fn a_batch_sent_at_any_access_is_found() {
    is_never_missed(
        "found-batch",
        |_| {},
        |one| one.recv_many_timeout(Select::Any, &mut Batch::new(3, 100), DEADLINE).is_ok(),
        |two| assert_eq!(two.send_many(&[(1, b"x"), (2, b"y")]).unwrap(), 2),
    );
}

#[test]
fn room_that_a_batch_made_at_any_access_is_found() {
    is_never_missed(
        "room-batch",
        |two| assert_eq!(two.send_many(&[(1, &[0; 50][..]); 2]).unwrap(), 2),
        |one| one.send_many_timeout(&[(1, &[1; 45][..]); 2], DEADLINE).is_ok_and(|sent| sent == 2),
        |two| assert_eq!(two.recv_many(Select::Any, &mut Batch::new(2, 200)).unwrap(), 2),
    );
}

/// A sender dies between its commit and its wake: who waits finds the message by himself, at his deadline at the latest.
#[test]
fn a_message_that_woke_nobody_is_found_at_the_deadline() {
    let name = format!("test-unwoken-{}", std::process::id());
    for stores in 0.. {
        let open = || Queue::options().max_participants(2).open(&name).unwrap();
        let (one, two) = (open(), open());
        Queue::unlink(&name).unwrap();
        let (received, lived) = thread::scope(|scope| {
            let sender = scope.spawn(|| {
                thread::sleep(DEADLINE / 3);
                die_after(stores, || two.send(1, b"x").unwrap()).is_ok()
            });
            (one.recv_timeout(Select::Any, DEADLINE), sender.join().unwrap())
        });
        assert!(received.is_ok() || two.is_empty(), "death at store {stores}");
        if lived {
            return;
        }
    }
}

/// One leaves while another comes: a place that changed hands is the newcomer's.
#[test]
fn nobody_gives_back_anothers_place() {
    let name = format!("test-place-{}", std::process::id());
    for accesses in 0.. {
        let open = || Queue::options().max_participants(2).open(&name);
        let (_stays, leaves) = (open().unwrap(), open().unwrap());
        let mut third = None;
        let ((), came) = interrupt_after(accesses, || third = open().ok(), || drop(leaves));
        let third = third.unwrap_or_else(|| open().unwrap());
        assert_eq!(third.stat().unwrap().participants, 2, "access {accesses}");
        Queue::unlink(&name).unwrap();
        if !came {
            return;
        }
    }
}
