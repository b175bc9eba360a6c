//! A process that is stopped (SIGSTOP; suspended, in a frozen container, under a debugger) while it waits: the others' wakes
//! go on, and its own deadline passes as everybody's does. What is held up by one who is stopped *inside* an operation is
//! measured by the torture.

use std::time::{Duration, Instant};

use madang::{Condition, Event, Mutex, Queue, Result, Segment, Select, SemaphoreSet};
use madang_tests::{Checkpoint, Child, Name, WATCHDOG, fork};

/// Longer than any nap in the sleep of others.
const LONG: Duration = Duration::from_millis(400);
/// What is at once, on a machine that has much else to do.
const SOON: Duration = Duration::from_secs(3);

fn stop(child: &Child) {
    child.signal(libc::SIGSTOP);
    while child.state() != 'T' {
        std::thread::yield_now();
    }
}

/// What the children of a test wait for, each in its own way.
struct Objects {
    queue: Queue,
    full: Queue,
    set: SemaphoreSet,
    mutex: Mutex,
    condition: Condition,
    event: Event,
    _segment: Segment,
    _names: [Name; 3],
}

impl Objects {
    fn new() -> Self {
        let names = [Name::new("asleep"), Name::new("asleep-full"), Name::new("asleep-segment")];
        let segment = Segment::options().length(4096).open(&names[2]).unwrap();
        let full = Queue::options().capacity(100).open(&names[1]).unwrap();
        full.send(1, &[0; 100]).unwrap();
        Self {
            queue: Queue::open(&names[0]).unwrap(),
            full,
            set: SemaphoreSet::options().values(&[0]).open(&names[0]).unwrap(),
            mutex: Mutex::within(&segment, 0).unwrap(),
            condition: Condition::within(&segment, 1024).unwrap(),
            event: Event::within(&segment, 2048).unwrap(),
            _segment: segment,
            _names: names,
        }
    }
}

/// To wait for something, and to let one have it.
struct Way {
    what: &'static str,
    wait: fn(&Objects, Duration) -> Result<()>,
    give: fn(&Objects),
}

const WAYS: [Way; 5] = [
    Way {
        what: "recv",
        wait: |on, time| on.queue.recv_timeout(Select::Any, time).map(drop),
        give: |on| on.queue.try_send(1, b"x").unwrap(),
    },
    Way {
        what: "recv of a type",
        wait: |on, time| on.queue.recv_timeout(Select::Type(9), time).map(drop),
        give: |on| on.queue.try_send(9, b"x").unwrap(),
    },
    Way {
        what: "send",
        wait: |on, time| on.full.send_timeout(1, &[0; 100], time),
        give: |on| drop(on.full.try_recv(Select::Any).unwrap()),
    },
    Way { what: "acquire", wait: |on, time| on.set.acquire_timeout(0, time), give: |on| on.set.release(0).unwrap() },
    Way {
        what: "condition",
        wait: |on, time| on.condition.wait_timeout(on.mutex.lock()?, time).map(drop),
        give: |on| on.condition.notify_one().unwrap(),
    },
];

/// Of two who wait one is stopped: the other gets what comes, whichever of them is woken first.
#[test]
fn others_are_woken() {
    for way in WAYS {
        for stops_the_first in [true, false] {
            let objects = Objects::new();
            let done = Checkpoint::default();
            let wait = || {
                let child = fork(|| {
                    (way.wait)(&objects, 3 * WATCHDOG).unwrap();
                    done.reach();
                    0
                });
                child.wait_until_asleep();
                child
            };
            let mut children = [wait(), wait()];
            if !stops_the_first {
                children.reverse();
            }
            stop(&children[0]);
            let begun = Instant::now();
            (way.give)(&objects);
            // A notification that went to one who is stopped is his; he wasn't lost but waits: the next is for the other.
            if way.what == "condition" && !done.wait_for(LONG) {
                (way.give)(&objects);
                done.wait();
            } else if way.what != "condition" {
                done.wait();
            }
            assert!(begun.elapsed() < SOON, "{}: after {:?}", way.what, begun.elapsed());
            children[0].signal(libc::SIGCONT);
            (way.give)(&objects);
            let [first, second] = children;
            first.succeeds();
            second.succeeds();
        }
    }
}

/// All who wait for an event go on but the stopped one, who does when he is continued.
#[test]
fn an_event_is_for_all() {
    let objects = Objects::new();
    let children = [(); 3].map(|()| {
        let child = fork(|| i32::from(objects.event.wait_timeout(WATCHDOG).is_err()));
        child.wait_until_asleep();
        child
    });
    stop(&children[1]);
    objects.event.set().unwrap();
    let [first, stopped, third] = children;
    first.succeeds();
    third.succeeds();
    objects.event.clear();
    stopped.signal(libc::SIGCONT);
    stopped.succeeds();
}

/// The deadline of one who was stopped past it: he is told so as soon as he goes on; but what came meanwhile he gets all the
/// same.
#[test]
fn the_deadline_of_the_stopped() {
    for way in WAYS {
        for comes in [false, true] {
            let objects = Objects::new();
            let child = fork(|| match (way.wait)(&objects, LONG / 2) {
                Ok(()) => 1,
                Err(error) if error.errno() == libc::ETIMEDOUT => 2,
                Err(error) => panic!("{}: {error}", way.what),
            });
            child.wait_until_asleep();
            stop(&child);
            std::thread::sleep(LONG);
            if comes {
                (way.give)(&objects);
            }
            child.signal(libc::SIGCONT);
            let begun = Instant::now();
            let told = child.wait_for(WATCHDOG);
            assert!(begun.elapsed() < SOON, "{}: told after {:?}", way.what, begun.elapsed());
            // (A wake that came after its time is not taken as one by who waited for a condition.)
            if way.what != "condition" {
                assert_eq!(told, if comes { 1 } else { 2 }, "{}", way.what);
            }
        }
    }
}

/// Stopped and continued all the time, it gets all that is for it, once.
#[test]
fn again_and_again() {
    const MESSAGES: u64 = 2000;
    let objects = Objects::new();
    let child = fork(|| {
        for index in 0..MESSAGES {
            let message = objects.queue.recv_timeout(Select::Any, WATCHDOG).unwrap();
            assert_eq!(madang_tests::origin(&message.data), (0, index));
            objects.set.acquire_timeout(0, WATCHDOG).unwrap();
        }
        0
    });
    let _sender = fork(|| {
        for index in 0..MESSAGES {
            objects.queue.send_timeout(1, &madang_tests::payload(0, index, 100), WATCHDOG).unwrap();
            objects.set.release(0).unwrap();
            if index % 16 == 0 {
                std::thread::sleep(Duration::from_millis(1));
            }
        }
        0
    });
    while child.state() != 'Z' {
        child.signal(libc::SIGSTOP);
        std::thread::sleep(Duration::from_micros(300));
        child.signal(libc::SIGCONT);
        std::thread::sleep(Duration::from_micros(300));
    }
    child.succeeds();
    assert!(objects.queue.is_empty());
    assert_eq!(objects.set.values().unwrap(), [0]);
    assert_eq!(objects.queue.stat().unwrap().repairs, 0, "nothing was taken from the living");
}

/// The byte that who removes a System V object keeps locked (`core/src/shared/sysv.rs`).
const REMOVING: i64 = (1 << 62) - 2;

/// Who is stopped in the middle of removing a System V queue keeps its key: others are told so, in a while, and have it as
/// soon as he is done.
#[test]
fn a_remover_who_is_stopped() {
    use madang::shared::sysv::msg;
    let directory = madang_tests::Directory::in_memory("remover");
    let child = fork(|| {
        directory.becomes_madang_dir();
        let (make, key) = (libc::IPC_CREAT | 0o600, 7);
        let id = msg::msgget(key, make).unwrap();
        let file = std::fs::File::options().write(true).open(directory.join("madang.queue.sysv.key.00000007")).unwrap();
        // As if another held it who is stopped.
        madang_tests::lock_byte(&file, REMOVING);
        msg::remove(id).unwrap();
        assert_eq!(msg::msgsnd(id, 1, b"x", libc::IPC_NOWAIT).unwrap_err().errno(), libc::EINVAL, "it is removed");
        let begun = Instant::now();
        let error = msg::msgget(key, make).unwrap_err();
        assert_eq!(error.errno(), libc::EBUSY, "{error}");
        assert!(error.message().contains("is it stopped?"), "{error}");
        assert!((Duration::from_secs(1)..SOON).contains(&begun.elapsed()), "after {:?}", begun.elapsed());
        drop(file);
        let next = msg::msgget(key, make).unwrap();
        assert_ne!(next, id);
        msg::msgsnd(next, 1, b"x", libc::IPC_NOWAIT).unwrap();
        msg::remove(next).unwrap();
        0
    });
    child.succeeds();
}
