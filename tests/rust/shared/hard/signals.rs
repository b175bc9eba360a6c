//! Signals by the thousand, while one waits: each wait that a handler ends says `EINTR`, and nothing was done; nothing is
//! lost or taken twice, and who goes on to the same deadline is done with it in time.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use madang::{
    Barrier, Condition, Deadline, Event, Mutex, Operation, Queue, Result, RwLock, Segment, Select, SemaphoreSet,
};
use madang_tests::{Child, Name, Refusals, Refuse, WATCHDOG, fork, origin, payload};

/// How many signals this process has handled.
static HANDLED: AtomicU32 = AtomicU32::new(0);

extern "C" fn handler(_: libc::c_int) {
    HANDLED.fetch_add(1, Ordering::Relaxed);
}

/// From now on `SIGUSR1` is handled, by a handler that only counts. `SA_RESTART` makes no difference to a wait with a time-out.
fn handle(flags: i32) {
    // SAFETY: all-zero is a valid sigaction; the handler only touches an atomic.
    unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        action.sa_sigaction = handler as *const () as usize;
        action.sa_flags = flags;
        assert_eq!(libc::sigaction(libc::SIGUSR1, &raw const action, std::ptr::null_mut()), 0);
    }
}

/// Waits again after each `EINTR`, and counts those; anything else that isn't done is a failure.
fn again<T>(interrupted: &mut u64, mut wait: impl FnMut() -> Result<T>) -> T {
    loop {
        match wait() {
            Ok(done) => return done,
            Err(error) if error.errno() == libc::EINTR => *interrupted += 1,
            Err(error) => panic!("{error}"),
        }
    }
}

/// Runs `work` in a child, which gets signals all the time until it ends; it is told where to count interruptions.
fn under_fire(flags: i32, work: impl FnOnce(&mut u64)) {
    let ready = madang_tests::Checkpoint::default();
    let child = fork(|| {
        handle(flags);
        ready.reach();
        while HANDLED.load(Ordering::Relaxed) < 3 {
            std::hint::spin_loop();
        }
        work(&mut 0);
        0
    });
    ready.wait();
    fire_at(&[&child]);
    child.succeeds();
}

/// Sends signals, until all of them have ended.
fn fire_at(children: &[&Child]) {
    let begun = Instant::now();
    while children.iter().any(|child| child.state() != 'Z') {
        assert!(begun.elapsed() < 2 * WATCHDOG, "somebody is stuck");
        for child in children {
            child.signal(libc::SIGUSR1);
        }
        std::thread::sleep(Duration::from_micros(50));
    }
}

/// Now and then, so that the other waits most of the time.
fn pause(index: u64) {
    if index.is_multiple_of(8) {
        std::thread::sleep(Duration::from_micros(500));
    }
}

#[test]
fn receiving() {
    const MESSAGES: u64 = 3000;
    for (flags, select) in [(0, Select::Any), (libc::SA_RESTART, Select::Any), (0, Select::Type(1))] {
        let name = Name::new("fire-recv");
        let queue = Queue::open(&name).unwrap();
        let _sender = fork(|| {
            for index in 0..MESSAGES {
                queue.send(1, &payload(0, index, 12 + (index % 300) as usize * 20)).unwrap();
                pause(index);
            }
            0
        });
        under_fire(flags, |interrupted| {
            for index in 0..MESSAGES {
                assert_eq!(origin(&again(interrupted, || queue.recv(select)).data), (0, index));
            }
        });
        assert!(queue.is_empty());
    }
}

#[test]
fn sending() {
    const MESSAGES: u64 = 3000;
    let name = Name::new("fire-send");
    let queue = Queue::options().capacity(30_000).open(&name).unwrap();
    let receiver = fork(|| {
        for index in 0..MESSAGES {
            assert_eq!(origin(&queue.recv_timeout(Select::Any, WATCHDOG).unwrap().data), (0, index));
            pause(index);
        }
        0
    });
    under_fire(0, |interrupted| {
        for index in 0..MESSAGES {
            let message = payload(0, index, 12 + (index % 300) as usize * 20);
            again(interrupted, || queue.send(1, &message));
        }
    });
    receiver.succeeds();
    assert!(queue.is_empty());
}

/// Batches are sent and received in part, and each time it is said how many.
#[test]
fn batches() {
    const MESSAGES: u64 = 10_000;
    let name = Name::new("fire-many");
    let queue = Queue::options().capacity(30_000).open(&name).unwrap();
    let receiver = fork(|| {
        handle(0);
        let (mut next, mut interrupted, mut batch) = (0, 0, madang::Batch::new(100, 10_000));
        while next < MESSAGES {
            again(&mut interrupted, || queue.recv_many_until(Select::Any, &mut batch, Deadline::NEVER));
            for (_, data) in &batch {
                assert_eq!(origin(data), (0, next));
                next += 1;
            }
            pause(next);
        }
        0
    });
    under_fire(0, |interrupted| {
        let messages: Vec<_> = (0..MESSAGES).map(|index| (1, payload(0, index, 40))).collect();
        let messages = madang_tests::slices(&messages);
        let mut sent = 0;
        while sent < messages.len() {
            sent += again(interrupted, || queue.send_many(&messages[sent..]));
        }
    });
    receiver.succeeds();
    assert!(queue.is_empty());
}

#[test]
fn semaphores() {
    const TIMES: u64 = 2000;
    let name = Name::new("fire-set");
    let set = SemaphoreSet::options().values(&[0, 1]).open(&name).unwrap();
    let _other = fork(|| {
        for index in 0..TIMES {
            set.release(0).unwrap();
            pause(index);
        }
        0
    });
    under_fire(0, |interrupted| {
        let both = [Operation::acquire(0, 1), Operation::acquire(1, 1).undo()];
        for _ in 0..TIMES {
            again(interrupted, || set.operate(&both));
            again(interrupted, || set.operate(&[Operation::release(1, 1).undo()]));
        }
    });
    assert_eq!((set.values().unwrap(), set.waiting(0).unwrap().to_grow), (vec![0, 1], 0));
}

/// Two who add to a number, each under fire, by turns: with a mutex, and as writers.
#[test]
fn locks() {
    const TIMES: u64 = 20_000;
    let name = Name::new("fire-lock");
    let segment = Segment::options().length(4096).open(&name).unwrap();
    let (mutex, lock) = (Mutex::within(&segment, 64).unwrap(), RwLock::within(&segment, 1024).unwrap());
    let add = || {
        let mut bytes = [0; 8];
        segment.read(0, &mut bytes).unwrap();
        segment.write(0, &(u64::from_ne_bytes(bytes) + 1).to_ne_bytes()).unwrap();
    };
    let adder = |with_mutex: bool| {
        handle(0);
        let mut interrupted = 0;
        for _ in 0..TIMES {
            if with_mutex {
                let _guard = again(&mut interrupted, || mutex.lock());
                add();
            } else {
                let _guard = again(&mut interrupted, || lock.write());
                add();
            }
        }
        0
    };
    // Signals from the very first moment would end a child that doesn't handle them yet.
    handle(0);
    for (with_mutex, total) in [(true, 2 * TIMES), (false, 4 * TIMES)] {
        let children = [fork(|| adder(with_mutex)), fork(|| adder(with_mutex))];
        fire_at(&[&children[0], &children[1]]);
        children.into_iter().for_each(Child::succeeds);
        let mut bytes = [0; 8];
        segment.read(0, &mut bytes).unwrap();
        assert_eq!(u64::from_ne_bytes(bytes), total);
    }
}

/// To take much space goes on however often a signal interrupts it: the kernel gives back what such a call had taken, so
/// each call takes less.
#[test]
fn taking_space() {
    const LENGTH: usize = 32 << 20;
    let names = [Name::new("fire-space"), Name::new("fire-space-queue")];
    let queue = Queue::options().capacity(LENGTH as u64).open(&names[1]).unwrap();
    let ready = madang_tests::Checkpoint::default();
    let child = fork(|| {
        handle(libc::SA_RESTART);
        ready.reach();
        let segment = Segment::options().length(LENGTH as u64).open(&names[0]).unwrap();
        segment.write(LENGTH - 1, b"x").unwrap();
        queue.try_send(1, &vec![5; LENGTH]).unwrap();
        0
    });
    ready.wait();
    let begun = Instant::now();
    while child.state() != 'Z' {
        assert!(begun.elapsed() < WATCHDOG, "it doesn't get on");
        child.signal(libc::SIGUSR1);
    }
    child.succeeds();
    assert_eq!(queue.try_recv(Select::Any).unwrap().data.len(), LENGTH);
}

/// The same where the kernel never lets a call get far.
#[test]
fn taking_space_from_an_old_kernel() {
    let name = Name::new("fire-old");
    let take = || {
        let refusals = Refusals::begin()?;
        let (taken, _) = refusals.during(Refuse::LongAllocations(100_000), || {
            Segment::options().length(5_000_000).open(&name).map(|segment| segment.len())
        });
        Some(taken.unwrap())
    };
    // In a process of its own, since one that never gets on can only be killed.
    let child = fork(|| match std::thread::scope(|scope| scope.spawn(take).join().unwrap()) {
        None => 77,
        taken => i32::from(taken != Some(5_000_000)),
    });
    match child.wait_for(WATCHDOG) {
        77 => println!("no call can be interrupted here; nothing was tested"),
        code => assert_eq!(code, 0),
    }
}

/// Waits until then at most.
type Wait<'a> = &'a dyn Fn(Deadline) -> Result<()>;

/// However often it is interrupted, who goes on to the same deadline is told in time that it is over.
#[test]
fn deadlines() {
    const TIME: Duration = Duration::from_millis(150);
    let names = [Name::new("fire-late"), Name::new("fire-full")];
    let queue = Queue::open(&names[0]).unwrap();
    let full = Queue::options().capacity(100).open(&names[1]).unwrap();
    full.send(1, &[0; 100]).unwrap();
    let set = SemaphoreSet::options().values(&[0]).open(&names[0]).unwrap();
    let (mutex, free) = (Mutex::open(&names[0]).unwrap(), Mutex::open(&names[1]).unwrap());
    let (condition, event) = (Condition::open(&names[0]).unwrap(), Event::open(&names[0]).unwrap());
    let barrier = Barrier::open(&names[0]).unwrap();
    barrier.set_parties(2).unwrap();
    let _held = mutex.lock().unwrap();
    under_fire(0, |interrupted| {
        let waits: [(&str, Wait); 8] = [
            ("recv", &|deadline| queue.recv_until(Select::Any, deadline).map(drop)),
            ("lease", &|deadline| queue.lease_until(Select::Type(3), deadline).map(drop)),
            ("send", &|deadline| full.send_until(1, b"x", deadline)),
            ("acquire", &|deadline| set.operate_until(&[Operation::acquire(0, 1)], deadline)),
            ("lock", &|deadline| mutex.lock_until(deadline).map(drop)),
            ("condition", &|deadline| condition.wait_until(free.lock()?, deadline).map(drop)),
            ("event", &|deadline| event.wait_until(deadline)),
            ("barrier", &|deadline| barrier.wait_until(deadline).map(drop)),
        ];
        for (what, wait) in waits {
            let begun = Instant::now();
            let deadline = Deadline::after(TIME);
            let error = loop {
                match wait(deadline).expect_err("nobody comes") {
                    error if error.errno() == libc::EINTR => *interrupted += 1,
                    error => break error,
                }
            };
            assert_eq!(error.errno(), libc::ETIMEDOUT, "{what}: {error}");
            let waited = begun.elapsed();
            assert!((TIME..TIME + Duration::from_secs(3)).contains(&waited), "{what}: {waited:?}");
        }
        assert!(*interrupted > 10, "{interrupted} interruptions in more than a second");
    });
    assert_eq!((set.waiting(0).unwrap().to_grow, barrier.waiting().unwrap()), (0, 0));
    // What came too late is for the next.
    queue.send(3, b"late").unwrap();
    assert_eq!(queue.try_recv(Select::Any).unwrap().data, b"late");
}
