//! The operations of locks and their like, by name and in a segment.

use std::time::Duration;

use madang::{Barrier, Condition, Create, Event, Mutex, MutexGuard, RwLock, Segment, SyncOptions};

use super::names::{Named, names};
use super::operation::{BOUND, Check, Checked, Operation, expect, no};
use super::tracer::Act;
use crate::part::Harm;

const NAME: &str = "lock";

/// For as long as the process lives.
fn leaked<T>(value: T) -> &'static T {
    Box::leak(Box::new(value))
}

fn keep<T>(value: T) {
    std::mem::forget(value);
}

/// A wait that nobody ends.
fn in_vain<T>(waited: madang::Result<T>) {
    assert_eq!(waited.map(drop).map_err(|error| error.errno()), Err(libc::ETIMEDOUT));
}

fn mutex() -> &'static Mutex {
    leaked(Mutex::open(NAME).expect("the mutex opens"))
}

fn rwlock() -> &'static RwLock {
    leaked(RwLock::open(NAME).expect("the lock opens"))
}

fn condition() -> &'static Condition {
    leaked(Condition::open(NAME).expect("the condition opens"))
}

fn event() -> &'static Event {
    leaked(Event::open(NAME).expect("the event opens"))
}

fn barrier() -> &'static Barrier {
    let barrier = leaked(Barrier::open(NAME).expect("the barrier opens"));
    barrier.set_parties(2).expect("it is for two");
    barrier
}

/// A mutex in a segment.
fn inner() -> &'static Mutex {
    let segment = Segment::options().length(4096).open(NAME).expect("the segment opens");
    leaked(Mutex::within(&segment, 128).expect("there is room"))
}

/// Whoever comes gets it, and is told of a dead owner, once; 1 if there was one.
fn owner_died(mutex: &Mutex) -> Checked {
    let died = mutex.lock_timeout(BOUND).map_err(no("lock"))?.owner_died();
    for _ in 0..2 {
        let again = mutex.lock_timeout(BOUND).map_err(no("lock again"))?.owner_died();
        expect(!again, Harm::Doubled, || "a dead owner is told of twice".to_owned())?;
    }
    Ok(died.into())
}

/// The stage of what is held at first, and not any more later.
fn unlocking(checked: Checked) -> Checked {
    checked.map(|died| 1 - died)
}

fn mutexes() -> Vec<Operation> {
    let mut all = Vec::new();
    for (place, open) in [("", mutex as fn() -> &'static Mutex), (" in a segment", inner)] {
        let make = if place.is_empty() { || keep(mutex()) } else { || keep(inner()) };
        all.extend([
            Operation::new(
                format!("lock a mutex{place}"),
                make,
                move || {
                    let mutex = open();
                    Box::new(|| keep(mutex.lock().expect("it is free")))
                },
                1,
                move || {
                    let mutex = open();
                    Box::new(|| owner_died(mutex))
                },
            ),
            Operation::new(
                format!("unlock a mutex{place}"),
                make,
                move || {
                    let guard: MutexGuard<'static> = open().lock().expect("it is free");
                    Box::new(|| drop(guard))
                },
                1,
                move || {
                    let mutex = open();
                    Box::new(|| unlocking(owner_died(mutex)))
                },
            ),
        ]);
    }
    all
}

/// Whoever comes gets it to write, and to read; 1 if a writer had died.
fn writer_died(lock: &RwLock) -> Checked {
    let died = lock.write_timeout(BOUND).map_err(no("lock to write"))?.owner_died();
    let reader = lock.read_timeout(BOUND).map_err(no("lock to read"))?;
    let another = lock.read_timeout(BOUND).map_err(no("lock to read, too"))?;
    expect(!reader.owner_died() && !another.owner_died(), Harm::Doubled, || {
        "a dead writer is told of twice".to_owned()
    })?;
    drop((reader, another));
    drop(lock.write_timeout(BOUND).map_err(no("lock to write again"))?);
    Ok(died.into())
}

fn rwlocks() -> Vec<Operation> {
    let check = || {
        let lock = rwlock();
        Box::new(|| writer_died(lock)) as Check
    };
    let check_unlock = || {
        let lock = rwlock();
        Box::new(|| unlocking(writer_died(lock))) as Check
    };
    let make = || keep(rwlock());
    let reading = || {
        let lock = rwlock();
        Box::new(|| keep(lock.read().expect("it is free"))) as Act
    };
    let writing = || {
        let lock = rwlock();
        Box::new(|| keep(lock.write().expect("it is free"))) as Act
    };
    let read_over = || {
        let guard = rwlock().read().expect("it is free");
        Box::new(|| drop(guard)) as Act
    };
    let written_over = || {
        let guard = rwlock().write().expect("it is free");
        Box::new(|| drop(guard)) as Act
    };
    vec![
        Operation::new("lock to read", make, reading, 0, check),
        Operation::new("unlock a reader", make, read_over, 0, check),
        Operation::new("lock to write", make, writing, 1, check),
        Operation::new("unlock a writer", make, written_over, 1, check_unlock),
    ]
}

/// Somebody who sleeps, and gets up as soon as he is told, or 250 ms after he could have been.
fn conditions() -> Vec<Operation> {
    let make = || {
        keep(mutex());
        keep(condition());
    };
    let check = || {
        let (mutex, condition) = (mutex(), condition());
        let work = move || {
            owner_died(mutex)?;
            let woken = std::thread::spawn(move || -> madang::Result<()> {
                let mut guard = mutex.lock()?;
                for _ in 0..2 {
                    guard = condition.wait_timeout(guard, BOUND)?;
                }
                drop(guard);
                Ok(())
            });
            while !woken.is_finished() {
                drop(mutex.lock_timeout(BOUND).map_err(no("lock"))?);
                condition.notify_all().map_err(no("notify"))?;
                std::thread::sleep(Duration::from_millis(1));
            }
            woken.join().expect("no panic").map_err(no("wait for a condition"))?;
            Ok(0usize)
        };
        Box::new(work) as Check
    };
    let notify = |all: bool| {
        move || {
            let condition = condition();
            Box::new(move || if all { condition.notify_all() } else { condition.notify_one() }.expect("it can be told"))
                as Act
        }
    };
    let wait = || {
        let (guard, condition) = (mutex().lock().expect("it is free"), condition());
        Box::new(move || {
            in_vain(condition.wait_timeout(guard, Duration::from_millis(1)));
        }) as Act
    };
    vec![
        Operation::new("notify one", make, notify(false), 0, check),
        Operation::new("notify all", make, notify(true), 0, check),
        Operation::new("wait for a condition in vain", make, wait, 0, check),
    ]
}

fn events() -> Vec<Operation> {
    let is_set = || {
        let event = event();
        let work = move || {
            let stage = event.is_set();
            if stage {
                event.wait_timeout(BOUND).map_err(no("wait"))?;
            }
            event.clear();
            let errno = event.wait_timeout(Duration::from_millis(1)).map_err(|error| error.errno());
            expect(errno == Err(libc::ETIMEDOUT), Harm::Wrong, || format!("what is clear says {errno:?}"))?;
            event.set().map_err(no("set"))?;
            event.wait_timeout(BOUND).map_err(no("wait"))?;
            Ok(stage.into())
        };
        Box::new(work) as Check
    };
    let is_clear = move || {
        let check = is_set();
        Box::new(|| unlocking(check())) as Check
    };
    let make = || keep(event());
    vec![
        Operation::new(
            "set an event",
            make,
            || {
                let event = event();
                Box::new(|| event.set().expect("it can be set"))
            },
            1,
            is_set,
        ),
        Operation::new(
            "clear an event",
            || event().set().expect("it can be set"),
            || {
                let event = event();
                Box::new(|| event.clear())
            },
            1,
            is_clear,
        ),
        Operation::new(
            "wait for an event in vain",
            make,
            || {
                let event = event();
                Box::new(|| in_vain(event.wait_timeout(Duration::from_millis(1))))
            },
            0,
            is_set,
        ),
    ]
}

/// Who comes and dies leaves its place: the two who come then meet.
fn barriers() -> Vec<Operation> {
    let check = || {
        let barrier = barrier();
        let work = move || {
            for _ in 0..2 {
                let other = std::thread::spawn(|| barrier.wait_timeout(BOUND).map(drop));
                barrier.wait_timeout(BOUND).map_err(no("wait for the other"))?;
                other.join().expect("no panic").map_err(no("wait for the one"))?;
            }
            let waiting = barrier.waiting().map_err(no("waiting"))?;
            expect(waiting == 0, Harm::Wrong, || format!("{waiting} wait where nobody does"))?;
            Ok(0usize)
        };
        Box::new(work) as Check
    };
    vec![Operation::new(
        "wait at a barrier in vain",
        || keep(barrier()),
        || {
            let barrier = barrier();
            Box::new(|| in_vain(barrier.wait_timeout(Duration::from_millis(1))))
        },
        0,
        check,
    )]
}

pub(super) fn operations() -> Vec<Operation> {
    let mut all = mutexes();
    all.extend(rwlocks());
    all.extend(conditions());
    all.extend(events());
    all.extend(barriers());
    all.extend(names(Named {
        what: "mutex",
        make: || keep(mutex()),
        is_there: || Mutex::open_with(NAME, SyncOptions::default().create(Create::Never)).map(drop),
        unlink: || Mutex::unlink(NAME),
        holds: || owner_died(mutex()).map(drop),
    }));
    all
}
