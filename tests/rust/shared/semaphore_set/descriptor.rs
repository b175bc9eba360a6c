//! Waiting for a set by a descriptor.

use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::time::{Duration, Instant};

use madang::{Deadline, Operation, SemaphoreSet};
use madang_tests::{Checkpoint, Name, WATCHDOG, fork};

use super::{fails, open};

/// Less than the 250 ms in which a timer heals what was missed.
const SOON: Duration = Duration::from_millis(200);

fn is_readable(fd: BorrowedFd, timeout: Duration) -> bool {
    let mut poll = libc::pollfd { fd: fd.as_raw_fd(), events: libc::POLLIN, revents: 0 };
    // SAFETY: one valid pollfd.
    assert!(unsafe { libc::poll(&raw mut poll, 1, timeout.as_millis() as i32) } >= 0);
    poll.revents == libc::POLLIN
}

fn is_readable_now(fd: BorrowedFd) -> bool {
    is_readable(fd, Duration::ZERO)
}

#[track_caller]
fn is_refused(set: &SemaphoreSet, operation: Operation) {
    fails(set.try_operate(&[operation]), libc::EAGAIN, "semaphore");
}

#[test]
fn smoke() {
    let name = Name::new("set-fd");
    let (set, other) = (open(&name, &[0, 0]), SemaphoreSet::open(&name).unwrap());
    let fd = set.fd().unwrap();
    assert!(is_readable_now(fd), "a new one says: try");
    for round in 0..3 {
        is_refused(&set, Operation::acquire(0, 1));
        assert!(!is_readable_now(fd), "round {round}");
        other.release(1).unwrap();
        assert!(!is_readable_now(fd), "another semaphore");
        other.release(0).unwrap();
        assert!(is_readable_now(fd), "round {round}");
        set.try_acquire(0).unwrap();
        assert!(is_readable_now(fd), "until it can't be done");
    }
    assert_eq!(set.fd().unwrap().as_raw_fd(), fd.as_raw_fd(), "it is the handle's");
}

/// All that changes a value rings: arrays, with undo, values that are set, what who closes gives back; and a wait that was in vain arms.
#[test]
fn whatever_changes_a_value() {
    let name = Name::new("set-fd-changes");
    let (set, other) = (open(&name, &[1, 5]), SemaphoreSet::open(&name).unwrap());
    let fd = set.fd().unwrap();
    let mut third = None;
    let mut changes: [(&str, &mut dyn FnMut()); 6] = [
        ("array", &mut || other.operate(&[Operation::release(0, 1), Operation::release(1, 1)]).unwrap()),
        ("undo", &mut || other.operate(&[Operation::release(0, 1).undo()]).unwrap()),
        ("value", &mut || other.set_value(0, 1).unwrap()),
        ("values", &mut || other.set_values(&[1, 2]).unwrap()),
        ("opening", &mut || {
            let set = SemaphoreSet::open(&name).unwrap();
            set.operate(&[Operation::acquire(0, 1).undo()]).unwrap();
            third = Some(set);
        }),
        ("own", &mut || set.release(0).unwrap()),
    ];
    for (what, change) in &mut changes {
        fails(
            set.operate_timeout(&[Operation::acquire(0, 9)], Duration::from_millis(1)),
            libc::ETIMEDOUT,
            "less than 9",
        );
        assert!(!is_readable_now(fd), "{what}");
        change();
        assert!(is_readable_now(fd), "{what}");
    }
    fails(set.operate(&[Operation::acquire(0, 9).no_wait()]), libc::EAGAIN, "less than 9");
    assert!(!is_readable_now(fd));
    drop(third);
    assert!(is_readable_now(fd), "who closed gave back");
    // What doesn't change anything rings nobody.
    is_refused(&set, Operation::acquire(0, 9));
    is_refused(&other, Operation::acquire(0, 9));
    other.values().unwrap();
    fails(
        other.operate_until(&[Operation::acquire(0, 9)], Deadline::after(Duration::from_millis(1))),
        libc::ETIMEDOUT,
        "",
    );
    assert!(!is_readable_now(fd));
}

/// What a killed process took is there soon, and who polls finds it.
#[test]
fn owner_died() {
    let name = Name::new("set-fd-died");
    let set = open(&name, &[1]);
    let fd = set.fd().unwrap();
    let taken = Checkpoint::default();
    let child = fork(|| {
        set.operate(&[Operation::acquire(0, 1).undo()]).unwrap();
        taken.reach();
        loop {
            std::thread::park();
        }
    });
    taken.wait();
    is_refused(&set, Operation::acquire(0, 1));
    let begun = Instant::now();
    child.kill();
    while set.try_acquire(0).is_err() {
        assert!(begun.elapsed() < WATCHDOG);
        is_readable(fd, WATCHDOG);
    }
    println!("it took {:?}", begun.elapsed());
}

/// Two processes hand something to and fro, each by poll: nobody waits for a timer.
#[test]
fn to_and_fro() {
    const TURNS: usize = 2000;
    let name = Name::new("set-fd-turns");
    let set = open(&name, &[0, 0]);
    let take = |index: u32| {
        let fd = set.fd().unwrap();
        while set.try_acquire(index).is_err() {
            let begun = Instant::now();
            assert!(is_readable(fd, WATCHDOG), "it is told");
            assert!(begun.elapsed() < SOON, "a ring was lost: {:?}", begun.elapsed());
        }
    };
    let child = fork(|| {
        for _ in 0..TURNS {
            take(0);
            set.release(1).unwrap();
        }
        0
    });
    for _ in 0..TURNS {
        set.release(0).unwrap();
        take(1);
    }
    child.succeeds();
    assert_eq!(set.values().unwrap(), [0, 0]);
}

/// A child has a bell of its own, also by a descriptor that it inherited; and what is unlinked is watched still.
#[test]
fn forked_and_unlinked() {
    let name = Name::new("set-fd-fork");
    let set = open(&name, &[0, 0]);
    let fd = set.fd().unwrap();
    is_refused(&set, Operation::acquire(0, 1));
    SemaphoreSet::unlink(&name).unwrap();
    let ready = Checkpoint::default();
    let child = fork(|| {
        let fd = set.fd().unwrap();
        is_refused(&set, Operation::acquire(1, 1));
        assert!(!is_readable_now(fd));
        ready.reach();
        while set.try_acquire(1).is_err() {
            assert!(is_readable(fd, WATCHDOG));
        }
        0
    });
    ready.wait();
    set.release(1).unwrap();
    child.succeeds();
    is_refused(&set, Operation::acquire(0, 1));
    assert!(!is_readable_now(fd));
    set.release(0).unwrap();
    assert!(is_readable_now(fd));
}

/// Closed with the handle, and nothing is left of it.
#[test]
fn nothing_leaks() {
    let name = Name::new("set-fd-leak");
    let child = fork(|| {
        let count = || std::fs::read_dir("/proc/self/fd").unwrap().count();
        let before = count();
        for _ in 0..50 {
            let set = SemaphoreSet::open(&name).unwrap();
            assert!(is_readable_now(set.fd().unwrap().as_fd()));
        }
        assert_eq!(count(), before);
        0
    });
    child.succeeds();
}
