//! Operations for which somebody else sleeps.
//!
//! Who is killed before he has woken anybody leaves the sleepers to themselves: they find out within 250 ms (and are given a second here,
//! on a machine that does other things besides).

use std::sync::mpsc;
use std::thread::{JoinHandle, sleep, spawn};
use std::time::{Duration, Instant};

use madang::{Event, Mutex, Operation as Op, Queue, Select, SemaphoreSet};

use super::operation::{BOUND, Check, Checked, Operation, expect, no};
use super::tracer::Act;
use crate::part::{Fault, Harm};

const NAME: &str = "asleep";
/// By then who sleeps has seen what a living one has done.
const SOON: Duration = Duration::from_millis(60);
/// Longer than any check.
const LONG: Duration = Duration::from_secs(8);

/// A thread that waits for something.
struct Sleeper(JoinHandle<madang::Result<()>>);

impl Sleeper {
    /// One that is asleep, unless it had not to wait.
    fn new(wait: impl FnOnce() -> madang::Result<()> + Send + 'static) -> Self {
        let (told, id) = mpsc::channel();
        let thread = spawn(move || {
            // SAFETY: no memory is passed.
            told.send(unsafe { libc::gettid() }).expect("it is awaited");
            wait()
        });
        let id = id.recv().expect("it begins");
        while !thread.is_finished() && madang_tests::state(id) != 'S' {
            std::thread::yield_now();
        }
        Self(thread)
    }

    /// Whether it has what it waits for. That must be so soon if `it_can`, which is asked again and again. (When it has just taken it, it
    /// can't any more, and is done soon.)
    fn has_it(&self, it_can: impl Fn() -> madang::Result<bool>) -> Result<bool, Fault> {
        let begun = Instant::now();
        let mut could = begun;
        while !self.0.is_finished() {
            if it_can().map_err(no("look"))? {
                could = Instant::now();
            } else if could.elapsed() > SOON && !self.0.is_finished() {
                return Ok(false);
            }
            expect(begun.elapsed() < BOUND, Harm::Stuck, || {
                format!("a sleeper can go on, and sleeps after {BOUND:?}")
            })?;
            sleep(Duration::from_micros(200));
        }
        Ok(true)
    }

    /// It has it soon.
    fn gets_it(self) -> Result<(), Fault> {
        self.has_it(|| Ok(true))?;
        self.0.join().expect("no panic").map_err(no("sleep"))
    }
}

fn operation(name: &str, setup: fn(), victim: fn() -> Act, last_stage: usize, peer: fn() -> Check) -> Operation {
    Operation::new(format!("{name}, somebody sleeps"), setup, victim, last_stage, peer)
}

fn keep<T>(value: T) {
    std::mem::forget(value);
}

fn leaked<T>(value: T) -> &'static T {
    Box::leak(Box::new(value))
}

const MOST: u64 = 4;

fn queue() -> &'static Queue {
    leaked(Queue::options().capacity(20_000).max_messages(MOST).open(NAME).expect("the queue opens"))
}

/// What comes to one who sleeps: it was sent, or is sent later.
fn received(length: usize) -> Act {
    let queue = queue();
    let message = vec![1; length];
    Box::new(move || queue.send(1, &message).expect("it is sent"))
}

fn receiver() -> Check {
    let queue = queue();
    let sleeper = Sleeper::new(|| {
        let message = queue.recv_timeout(Select::Any, LONG)?;
        let is_one_of_them = message.data == b"later" || message.data.iter().all(|&byte| byte == 1);
        assert!(is_one_of_them, "nobody sent {message:?}");
        Ok(())
    });
    let work = move || {
        let stage = sleeper.has_it(|| Ok(queue.stat()?.messages > 0))?;
        if !stage {
            queue.send_timeout(2, b"later", BOUND).map_err(no("send"))?;
        }
        sleeper.gets_it()?;
        let left = queue.stat().map_err(no("stat"))?;
        expect(left.messages == 0, Harm::Doubled, || format!("{} messages are left", left.messages))?;
        Ok(stage.into())
    };
    Box::new(work)
}

fn fill() {
    let queue = queue();
    while queue.try_send(1, b"full").is_ok() {}
}

/// Room comes to a sender who sleeps: it was made, or is made later.
fn sender() -> Check {
    let queue = queue();
    let sleeper = Sleeper::new(|| queue.send_timeout(2, b"more", LONG));
    let work = move || {
        let stage = sleeper.has_it(|| Ok(queue.stat()?.messages < MOST))?;
        if !stage {
            queue.recv_timeout(Select::Any, BOUND).map_err(no("receive"))?;
        }
        sleeper.gets_it()?;
        let found = std::iter::from_fn(|| queue.try_recv(Select::Any).ok()).count() as u64;
        expect(found == MOST, Harm::Lost, || format!("{found} messages instead of {MOST}"))?;
        Ok(stage.into())
    };
    Box::new(work)
}

fn set() -> &'static SemaphoreSet {
    leaked(SemaphoreSet::options().values(&[0, 1]).open(NAME).expect("the set opens"))
}

/// Somebody waits for 1 of semaphore `index`.
fn waiter(index: u32) -> (&'static SemaphoreSet, Sleeper) {
    let set = set();
    (set, Sleeper::new(move || set.operate_timeout(&[Op::acquire(index, 1)], LONG)))
}

fn acquirer() -> Check {
    let (set, sleeper) = waiter(0);
    let work = move || {
        let stage = sleeper.has_it(|| Ok(set.value(0)? > 0))?;
        if !stage {
            set.release(0).map_err(no("release"))?;
        }
        sleeper.gets_it()?;
        left(set, [0, 1], stage.into())
    };
    Box::new(work)
}

/// What a dead one had comes back, once.
fn heir() -> Check {
    let (set, sleeper) = waiter(1);
    let work = move || {
        sleeper.gets_it()?;
        left(set, [0, 0], 0)
    };
    Box::new(work)
}

fn left(set: &SemaphoreSet, values: [u32; 2], stage: usize) -> Checked {
    let found = set.values().map_err(no("values"))?;
    expect(found == values, Harm::Doubled, || format!("{found:?} are left instead of {values:?}"))?;
    Ok(stage)
}

fn mutex() -> &'static Mutex {
    leaked(Mutex::open(NAME).expect("the mutex opens"))
}

fn locker() -> Check {
    let mutex = mutex();
    let sleeper = Sleeper::new(|| mutex.lock_timeout(LONG).map(drop));
    let work = move || {
        sleeper.gets_it()?;
        drop(mutex.lock_timeout(BOUND).map_err(no("lock"))?);
        Ok(0)
    };
    Box::new(work)
}

fn event() -> &'static Event {
    leaked(Event::open(NAME).expect("the event opens"))
}

fn awaiter() -> Check {
    let event = event();
    let sleeper = Sleeper::new(|| event.wait_timeout(LONG));
    let work = move || {
        let stage = sleeper.has_it(|| Ok(event.is_set()))?;
        event.set().map_err(no("set"))?;
        sleeper.gets_it()?;
        Ok(stage.into())
    };
    Box::new(work)
}

pub(super) fn operations() -> Vec<Operation> {
    let made: fn() = || {
        keep((queue(), set()));
    };
    vec![
        operation("send", made, || received(10), 1, receiver),
        operation("send 5000 bytes", made, || received(5000), 1, receiver),
        operation("recv from a full one", fill, || Box::new(|| keep(queue().recv(Select::Any))), 1, sender),
        operation(
            "release",
            made,
            || {
                let set = set();
                Box::new(|| set.release(0).expect("it is given"))
            },
            1,
            acquirer,
        ),
        operation(
            "release what was taken with undo",
            made,
            || {
                let set = set();
                set.operate(&[Op::acquire(1, 1).undo()]).expect("it is there");
                Box::new(|| set.operate(&[Op::release(1, 1).undo()]).expect("it is given back"))
            },
            0,
            heir,
        ),
        operation(
            "close with undo",
            made,
            || {
                let set = SemaphoreSet::open(NAME).expect("the set opens");
                set.operate(&[Op::acquire(1, 1).undo()]).expect("it is there");
                Box::new(|| drop(set))
            },
            0,
            heir,
        ),
        operation(
            "unlock a mutex",
            || keep(mutex()),
            || {
                let guard = mutex().lock().expect("it is free");
                Box::new(|| drop(guard))
            },
            0,
            locker,
        ),
        operation(
            "set an event",
            || keep(event()),
            || {
                let event = event();
                Box::new(|| event.set().expect("it can be set"))
            },
            1,
            awaiter,
        ),
    ]
}
