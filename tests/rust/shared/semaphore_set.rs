//! Sets of semaphores, with threads and with real processes.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use madang::{Create, Deadline, Error, Operation, Queue, Segment, SemaphoreSet, Turn};
use madang_tests::{Checkpoint, Name, Random, WATCHDOG, fork};

use super::kill::{pause, word};

mod descriptor;
mod model;
mod parity;

fn open(name: &Name, values: &[u32]) -> SemaphoreSet {
    SemaphoreSet::options().values(values).create(Create::Only).open(name).unwrap()
}

#[track_caller]
fn fails<T: std::fmt::Debug>(outcome: Result<T, Error>, errno: i32, text: &str) {
    let error = outcome.unwrap_err();
    assert_eq!(error.errno(), errno, "{error}");
    assert!(error.to_string().contains(text), "{text:?} is not in {error}");
}

#[test]
fn smoke() {
    let name = Name::new("set-smoke");
    let set = open(&name, &[3, 0]);
    assert!(set.is_new());
    let other = SemaphoreSet::open(&name).unwrap();
    assert_eq!((other.is_new(), other.len(), other.name()), (false, 2, &*name));
    other.operate(&[Operation::acquire(0, 2), Operation::release(1, 5)]).unwrap();
    assert_eq!(set.values().unwrap(), [1, 5]);
    assert_eq!(set.last_pid(1).unwrap(), std::process::id());
    set.set_value(0, 7).unwrap();
    assert_eq!(other.value(0).unwrap(), 7);
    set.set_values(&[0, 1]).unwrap();
    other.operate(&[Operation::zero(0), Operation::acquire(1, 1)]).unwrap();
    assert_eq!(set.values().unwrap(), [0, 0]);
    let status = set.stat().unwrap();
    assert_eq!((status.semaphores, status.participants, status.mode), (2, 2, 0o600));
    assert_eq!(set.participants().unwrap().len(), 2);
    SemaphoreSet::unlink(&name).unwrap();
    fails(SemaphoreSet::options().create(Create::Never).open(&name), libc::ENOENT, "there is none");
}

#[test]
fn another_process_sees_and_is_waited_for() {
    let name = Name::new("set-process");
    let set = open(&name, &[0, 0]);
    let child = fork(|| {
        // The inherited handle, and one of its own.
        set.acquire(0).unwrap();
        SemaphoreSet::open(&name).unwrap().release(1).unwrap();
        0
    });
    child.wait_until_asleep();
    assert_eq!(set.waiting(0).unwrap().to_grow, 1);
    set.release(0).unwrap();
    set.acquire_timeout(1, WATCHDOG).unwrap();
    assert_eq!(set.last_pid(0).unwrap(), child.id() as u32);
    child.succeeds();
}

#[test]
fn timeout() {
    let name = Name::new("set-timeout");
    let set = open(&name, &[1]);
    let take = [Operation::acquire(0, 2)];
    let begun = Instant::now();
    fails(set.operate_timeout(&take, Duration::from_millis(30)), libc::ETIMEDOUT, "semaphore 0 is 1, less than 2");
    assert!(begun.elapsed() >= Duration::from_millis(30));
    fails(set.try_operate(&take), libc::EAGAIN, "is 1, less than 2");
    fails(set.try_operate(&[Operation::zero(0)]), libc::EAGAIN, "isn't 0, but 1");
    fails(set.operate(&[take[0].no_wait()]), libc::EAGAIN, "less than 2");
    fails(set.operate_until(&take, Deadline::at_ns(5)), libc::ETIMEDOUT, "less than 2");
    assert_eq!(set.waiting(0).unwrap().to_grow, 0);
}

#[test]
fn refusals() {
    let name = Name::new("set-refusals");
    let set = SemaphoreSet::options().values(&[1, 2]).max_value(10).open(&name).unwrap();
    fails(set.operate(&[]), libc::EINVAL, "at least one");
    fails(set.operate(&[Operation::release(0, 1); 513]), libc::E2BIG, "512 at most");
    fails(set.operate(&[Operation::release(2, 1)]), libc::EFBIG, "it has 2");
    fails(set.operate(&[Operation::release(1, 9)]), libc::ERANGE, "exceed 10");
    fails(set.value(2), libc::EFBIG, "semaphore 2");
    fails(set.set_value(0, 11), libc::ERANGE, "10 at most");
    fails(set.set_values(&[1]), libc::EINVAL, "1 values for 2 semaphores");
    assert_eq!(set.values().unwrap(), [1, 2]);
    fails(SemaphoreSet::options().semaphores(3).open(&name), libc::EINVAL, "its number of semaphores is 2, 3");
    fails(SemaphoreSet::options().max_value(11).open(&name), libc::EINVAL, "its max_value is 10");
    fails(SemaphoreSet::options().create(Create::Only).open(&name), libc::EEXIST, "taken");
    fails(SemaphoreSet::open("a/b"), libc::EINVAL, "no '/'");
    let other = Name::new("set-refusals-new");
    let options = SemaphoreSet::options().create(Create::Only);
    fails(options.clone().semaphores(65_537).open(&other), libc::EINVAL, "65536 at most");
    fails(options.clone().values(&[1, 2]).semaphores(1).open(&other), libc::EINVAL, "2 values for 1");
    fails(options.clone().values(&[11]).max_value(10).open(&other), libc::ERANGE, "10 at most");
    fails(options.clone().max_value(1 << 31).open(&other), libc::EINVAL, "max_value");
    fails(options.max_participants(65_535).open(&other), libc::EINVAL, "65534 at most");
    fails(SemaphoreSet::unlink(&other), libc::ENOENT, "there is none");
    // What is a set is no queue, and the other way round.
    let queue = format!("/dev/shm/madang.queue.{}", &*other);
    std::fs::hard_link(format!("/dev/shm/madang.semaphores.{}", &*name), &queue).unwrap();
    fails(Queue::open(&other), libc::EPROTOTYPE, "it is a set of semaphores, not a queue");
}

#[test]
fn interrupted() {
    let name = Name::new("set-interrupted");
    let set = open(&name, &[0]);
    let child = fork(|| {
        extern "C" fn nothing(_: i32) {}
        // SAFETY: the handler does nothing.
        unsafe { libc::signal(libc::SIGUSR1, nothing as *const () as libc::sighandler_t) };
        fails(set.acquire(0), libc::EINTR, "a signal handler ran");
        0
    });
    child.wait_until_asleep();
    child.signal(libc::SIGUSR1);
    child.succeeds();
    assert_eq!(set.waiting(0).unwrap().to_grow, 0);
}

/// What a killed process has to be undone is given back: at once to whoever looks, soon to who sleeps.
#[test]
fn owner_died() {
    let name = Name::new("set-died");
    let set = open(&name, &[2, 0]);
    let taken = Checkpoint::default();
    let holder = || {
        fork(|| {
            set.operate(&[Operation::acquire(0, 2).undo(), Operation::release(1, 1)]).unwrap();
            taken.reach();
            loop {
                std::thread::park();
            }
        })
    };
    let child = holder();
    taken.wait();
    fails(set.try_acquire(0), libc::EAGAIN, "is 0");
    child.kill();
    set.try_acquire(0).unwrap();
    set.release(0).unwrap();

    let child = holder();
    taken.wait();
    assert_eq!(set.values().unwrap(), [0, 2]);
    let sleeper = fork(|| {
        set.acquire(0).unwrap();
        0
    });
    sleeper.wait_until_asleep();
    let begun = Instant::now();
    child.kill();
    sleeper.succeeds();
    println!("a sleeper got it {:?} after the death", begun.elapsed());
    assert_eq!(set.values().unwrap(), [1, 2]);
}

/// What the dead left is given back before it makes an error, or is taken for a 0.
#[test]
fn what_the_dead_left_is_not_believed() {
    let name = Name::new("set-left");
    let set = SemaphoreSet::options().values(&[1, 1]).max_value(10).open(&name).unwrap();
    let dies_after = |operation: Operation| {
        let done = Checkpoint::default();
        let child = fork(|| {
            set.operate(&[operation.undo()]).unwrap();
            done.reach();
            loop {
                std::thread::park();
            }
        });
        done.wait();
        let id = child.id() as u32;
        child.kill();
        id
    };
    dies_after(Operation::release(0, 9));
    set.operate(&[Operation::release(0, 9)]).unwrap();
    assert_eq!(set.value(0).unwrap(), 10);
    dies_after(Operation::acquire(1, 1));
    fails(set.try_operate(&[Operation::zero(1)]), libc::EAGAIN, "isn't 0, but 1");
    let dead = dies_after(Operation::acquire(1, 1));
    assert_eq!((set.value(1).unwrap(), set.last_pid(1).unwrap()), (1, dead), "given back, as if he had done it");
}

/// All values at one moment: what moves from one to another is never missing, nor there twice.
#[test]
fn values_are_of_one_moment() {
    let name = Name::new("set-moment");
    let set = open(&name, &[1000, 0, 0]);
    let child = fork(|| {
        let set = SemaphoreSet::open(&name).unwrap();
        for turn in 0..30_000 {
            let (from, to) = (turn % 3, (turn + 1) % 3);
            let there_and_back = [Operation::release(to, 1), Operation::acquire(to, 1)];
            let moves = [Operation::acquire(from, 500), Operation::release(to, 500)];
            set.operate(&[moves, there_and_back].concat()).unwrap();
        }
        0
    });
    while madang_tests::state(child.id()) != 'Z' {
        let values = set.values().unwrap();
        assert_eq!(values.iter().sum::<u32>(), 1000, "{values:?}");
    }
    child.succeeds();
}

/// A handle that is closed gives back too; a forked child has nothing to be undone.
#[test]
fn undo_is_the_handles_own() {
    let name = Name::new("set-undo");
    let set = open(&name, &[5]);
    let mine = SemaphoreSet::open(&name).unwrap();
    mine.operate(&[Operation::acquire(0, 3).undo()]).unwrap();
    fork(|| {
        assert_eq!(mine.value(0).unwrap(), 2);
        mine.operate(&[Operation::acquire(0, 1).undo()]).unwrap();
        assert_eq!(mine.value(0).unwrap(), 1);
        0
    })
    .succeeds();
    assert_eq!(set.value(0).unwrap(), 2);
    mine.operate(&[Operation::release(0, 1).undo()]).unwrap();
    drop(mine);
    assert_eq!(set.value(0).unwrap(), 5);
    // Who sets a value is not undone.
    let mine = SemaphoreSet::open(&name).unwrap();
    mine.operate(&[Operation::acquire(0, 3).undo()]).unwrap();
    set.set_value(0, 9).unwrap();
    drop(mine);
    assert_eq!(set.value(0).unwrap(), 9);
}

/// Those who sleep are served in the order in which they came, each by as much as he wants.
#[test]
fn sleepers_come_in_their_order() {
    let name = Name::new("set-order");
    let set = open(&name, &[0, 0]);
    let order = Queue::options().create(Create::Only).open(&name).unwrap();
    let sleeper = |who: i64, amount: i32| {
        let child = fork(|| {
            set.operate(&[Operation::acquire(0, amount)]).unwrap();
            order.send(who, b"").unwrap();
            set.release(1).unwrap();
            0
        });
        child.wait_until_asleep();
        child
    };
    let children = [sleeper(1, 2), sleeper(2, 1), sleeper(3, 1), sleeper(4, 3)];
    for amount in [1, 2, 1, 3] {
        set.operate(&[Operation::release(0, amount)]).unwrap();
        set.acquire_timeout(1, WATCHDOG).unwrap();
    }
    children.into_iter().for_each(madang_tests::Child::succeeds);
    let came: Vec<_> = (0..4).map(|_| order.try_recv(madang::Select::Any).unwrap().mtype).collect();
    assert_eq!(came, [2, 1, 3, 4]);
}

/// Who waits in slices keeps his place between them; who ends his turn leaves what he was woken for to the next.
#[test]
fn a_turn_is_kept() {
    let name = Name::new("set-turn");
    let set = open(&name, &[0]);
    let take = [Operation::acquire(0, 1)];
    let mut turn = Turn::default();
    let mut slice = || {
        fails(
            set.operate_in_turn(&mut turn, &take, Deadline::after(Duration::from_millis(2))),
            libc::ETIMEDOUT,
            "is 0",
        );
        assert!(set.waiting(0).unwrap().to_grow >= 1, "he sits");
    };
    let sleeper = || {
        let child = fork(|| {
            set.acquire(0).unwrap();
            0
        });
        child.wait_until_asleep();
        child
    };
    slice();
    let child = sleeper();
    slice();
    set.release(0).unwrap();
    set.operate_in_turn(&mut turn, &take, Deadline::NOW).unwrap();
    assert_eq!(set.waiting(0).unwrap().to_grow, 1, "the other sleeps still");
    set.release(0).unwrap();
    child.succeeds();

    let mut turn = Turn::default();
    fails(set.operate_in_turn(&mut turn, &take, Deadline::NOW), libc::EAGAIN, "is 0");
    let slice = Deadline::after(Duration::from_millis(2));
    fails(set.operate_in_turn(&mut turn, &take, slice), libc::ETIMEDOUT, "is 0");
    let child = sleeper();
    set.release(0).unwrap();
    set.end_turn(&mut turn);
    child.succeeds();
    set.end_turn(&mut turn);
    assert_eq!((set.value(0).unwrap(), set.waiting(0).unwrap().to_grow), (0, 0));
}

/// One who is stopped while he sleeps, or is killed, holds up nobody behind him for long.
#[test]
fn a_stopped_sleeper_is_passed_by() {
    let name = Name::new("set-stopped");
    let set = open(&name, &[0]);
    let sleeper = || {
        let child = fork(|| {
            set.acquire(0).unwrap();
            0
        });
        child.wait_until_asleep();
        child
    };
    let [stopped, killed, other, last] = [sleeper(), sleeper(), sleeper(), sleeper()];
    stopped.signal(libc::SIGSTOP);
    killed.kill_unburied();
    let begun = Instant::now();
    set.operate(&[Operation::release(0, 2)]).unwrap();
    other.succeeds();
    last.succeeds();
    println!("they got on after {:?}", begun.elapsed());
    assert_eq!(set.values().unwrap(), [0]);
    stopped.signal(libc::SIGCONT);
    assert_eq!(set.waiting(0).unwrap().to_grow, 1, "he waits on");
    set.release(0).unwrap();
    stopped.succeeds();
}

/// Processes that are killed at random while they hold a semaphore with undo: never two are in, and nobody is stuck.
#[test]
fn holders_are_killed() {
    let name = Name::new("set-kill");
    let set = open(&name, &[2]);
    let ledger_name = Name::new("set-kill-ledger");
    let ledger = Segment::options().length(4096).open(&ledger_name).unwrap();
    let rounds = word(&ledger, 0);
    let begin = |seed: u64| {
        let (set, ledger) = (&set, &ledger);
        fork(move || {
            let mut random = Random(seed);
            loop {
                set.operate(&[Operation::acquire(0, 1).undo()]).unwrap();
                word(ledger, 0).fetch_add(1, Ordering::Relaxed);
                if random.below(4) == 0 {
                    pause(&mut random);
                }
                set.operate(&[Operation::release(0, 1).undo()]).unwrap();
            }
        })
    };
    let mut random = Random(1);
    let mut children: Vec<_> = (0..4).map(|seed| (begin(seed), 0)).collect();
    let mut longest = Duration::ZERO;
    for kill in 0..2000 {
        pause(&mut random);
        let which = random.below(4) as usize;
        children.swap_remove(which).0.kill();
        children.push((begin(100 + kill), 0));
        if kill % 50 == 0 {
            let (before, begun) = (rounds.load(Ordering::Relaxed), Instant::now());
            while rounds.load(Ordering::Relaxed) == before {
                assert!(begun.elapsed() < WATCHDOG, "nobody gets on");
                std::thread::yield_now();
            }
            longest = longest.max(begun.elapsed());
        }
    }
    children.into_iter().for_each(|(child, _)| child.kill());
    println!("{} rounds; nobody got on for {longest:?} at most", rounds.load(Ordering::Relaxed));
    assert_eq!(set.value(0).unwrap(), 2);
    assert_eq!(set.waiting(0).unwrap().to_grow, 0);
}

/// Arrays that move an amount between semaphores keep the sum, whoever is killed.
#[test]
fn movers_are_killed() {
    let name = Name::new("set-move");
    let set = open(&name, &[10; 5]);
    let begin = |seed: u64| {
        let set = &set;
        fork(move || {
            let mut random = Random(seed);
            loop {
                let [from, to] = [random.below(5) as u32, random.below(5) as u32];
                let amount = random.below(5) as i32;
                set.operate(&[Operation::acquire(from, amount + 1), Operation::release(to, amount + 1)]).unwrap();
            }
        })
    };
    let mut random = Random(2);
    let mut children: Vec<_> = (0..3).map(begin).collect();
    for kill in 0..2000 {
        pause(&mut random);
        children.swap_remove(random.below(3) as usize).kill();
        children.push(begin(100 + kill));
    }
    drop(children);
    assert_eq!(set.values().unwrap().iter().sum::<u32>(), 50);
    let repairs = set.stat().unwrap().repairs;
    assert!(repairs > 0, "some deaths must have been inside the lock");
}

#[test]
fn mpmc() {
    let name = Name::new("set-mpmc");
    let set = open(&name, &[0, 8]);
    let count = AtomicU32::new(0);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..5000 {
                    set.operate(&[Operation::acquire(1, 1), Operation::release(0, 1)]).unwrap();
                }
            });
            scope.spawn(|| {
                for _ in 0..5000 {
                    set.acquire(0).unwrap();
                    count.fetch_add(1, Ordering::Relaxed);
                    set.release(1).unwrap();
                }
            });
        }
    });
    assert_eq!((count.into_inner(), set.values().unwrap()), (20_000, vec![0, 8]));
}

#[test]
fn capacity() {
    let name = Name::new("set-capacity");
    let set = SemaphoreSet::options().semaphores(65_536).create(Create::Only).open(&name).unwrap();
    set.operate(&[Operation::release(65_535, 3).undo()]).unwrap();
    assert_eq!(set.value(65_535).unwrap(), 3);
    set.operate(&[Operation::release(65_535, i32::MAX - 3)]).unwrap();
    fails(set.release(65_535), libc::ERANGE, "exceed 2147483647");
    let values: Vec<_> = (0..65_536).collect();
    set.set_values(&values).unwrap();
    assert_eq!(set.values().unwrap(), values);
}

#[test]
fn sixty_four_processes() {
    let name = Name::new("set-64");
    let set = open(&name, &[1, 0]);
    let children: Vec<_> = (0..64)
        .map(|_| {
            fork(|| {
                for _ in 0..50 {
                    set.acquire(0).unwrap();
                    set.release(0).unwrap();
                }
                set.release(1).unwrap();
                0
            })
        })
        .collect();
    children.into_iter().for_each(|child| assert_eq!(child.wait_for(6 * WATCHDOG), 0));
    assert_eq!(set.values().unwrap(), [1, 64]);
}
