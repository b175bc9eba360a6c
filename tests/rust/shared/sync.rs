//! Locks and their like, with threads and with real processes: by name, and in a segment.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use madang::{
    Barrier, Condition, Create, Error, Event, Mutex, MutexGuard, Queue, RwLock, Segment, Select, SyncOptions,
};
use madang_tests::{Checkpoint, Child, Name, Random, WATCHDOG, fork};

use super::kill::{pause, word};

#[track_caller]
fn fails<T>(outcome: Result<T, Error>, errno: i32, text: &str) {
    let Err(error) = outcome else { panic!("it succeeds") };
    assert_eq!(error.errno(), errno, "{error}");
    assert!(error.to_string().contains(text), "{text:?} is not in {error}");
}

fn segment(name: &Name) -> Segment {
    Segment::options().length(8192).open(name).unwrap()
}

#[test]
fn smoke() {
    let name = Name::new("sync-smoke");
    let mutex = Mutex::open(&name).unwrap();
    let same = Mutex::open(&name).unwrap();
    assert!(mutex.is_new() && !same.is_new() && mutex.name() == &*name);
    let guard = mutex.lock().unwrap();
    assert!(!guard.owner_died());
    fails(same.try_lock(), libc::EAGAIN, "lock");
    fails(same.lock_timeout(Duration::from_millis(20)), libc::ETIMEDOUT, "the time is over");
    drop(guard);
    drop(same.lock().unwrap());
    Mutex::unlink(&name).unwrap();
    fails(Mutex::open_with(&name, SyncOptions::default().create(Create::Never)), libc::ENOENT, "there is none");
    fails(Mutex::unlink(&name), libc::ENOENT, "there is none");
}

#[test]
fn refusals() {
    let name = Name::new("sync-refusals");
    let memory = segment(&name);
    fails(Mutex::within(&memory, 32), libc::EINVAL, "at a multiple of 64");
    fails(Mutex::within(&memory, 8192), libc::EINVAL, "must lie within its 8192");
    fails(Barrier::within(&memory, 8192 - 64), libc::EINVAL, "1024 bytes at 8128");
    fails(Mutex::within(&memory, usize::MAX - 63), libc::EINVAL, "must lie within");
    let read_only = Segment::options().read_only(true).open(&name).unwrap();
    fails(Mutex::within(&read_only, 0), libc::EINVAL, "read-only");
    let event = Event::open(&name).unwrap();
    fails(Event::open_with(&name, SyncOptions::default().create(Create::Only)), libc::EEXIST, "taken");
    let mutex = format!("/dev/shm/madang.mutex.{}", &*name);
    std::fs::hard_link(format!("/dev/shm/madang.event.{}", &*name), &mutex).unwrap();
    fails(Mutex::open(&name), libc::EPROTOTYPE, "it is an event, not a mutex");
    Mutex::unlink(&name).unwrap();
    event.set().unwrap();
    fails(Mutex::open("a/b"), libc::EINVAL, "no '/'");
    let barrier = Barrier::open(&name).unwrap();
    fails(barrier.wait(), libc::EINVAL, "nobody has said how many");
    fails(barrier.set_parties(0), libc::EINVAL, "1 to 120");
    fails(barrier.set_parties(121), libc::EINVAL, "1 to 120");
    barrier.set_parties(2).unwrap();
    fails(barrier.set_parties(3), libc::EINVAL, "made for 2");
    // Locks are laid before the name goes; those that are there stay.
    let there = Mutex::within(&memory, 0).unwrap();
    Segment::unlink(&name).unwrap();
    drop(Mutex::within(&memory, 64).unwrap());
    drop(there.lock().unwrap());
    let other = segment(&name);
    let late = Segment::options().open(&name).unwrap();
    Segment::unlink(&name).unwrap();
    fails(Mutex::within(&late, 0), libc::ENOENT, "its file is opened once more");
    drop(other);
}

/// The next who takes a dead owner's mutex is told, and only he.
#[test]
fn owner_died() {
    let name = Name::new("sync-died");
    let memory = segment(&name);
    let mutex = Mutex::within(&memory, 128).unwrap();
    let lock = RwLock::within(&memory, 512).unwrap();
    let taken = Checkpoint::default();
    let child = fork(|| {
        let mine = Mutex::within(&memory, 128).unwrap();
        let _guard = mine.lock().unwrap();
        let _writes = lock.write().unwrap();
        taken.reach();
        loop {
            std::thread::park();
        }
    });
    taken.wait();
    fails(mutex.try_lock(), libc::EAGAIN, "would have to wait");
    let (waits, has) = (Checkpoint::default(), Checkpoint::default());
    let waiting = fork(|| {
        waits.reach();
        let guard = mutex.lock().unwrap();
        assert!(guard.owner_died());
        assert!(lock.read().unwrap().owner_died());
        has.reach();
        0
    });
    waits.wait();
    let begun = Instant::now();
    child.kill();
    has.wait();
    println!("taken over {:?} after the death", begun.elapsed());
    waiting.succeeds();
    assert!(!mutex.lock().unwrap().owner_died());
    assert!(lock.write().unwrap().owner_died());
    assert!(!lock.write().unwrap().owner_died());
}

/// A forked child has no part in what its parent holds.
#[test]
fn a_guard_is_not_inherited() {
    let name = Name::new("sync-fork");
    let mutex = Mutex::open(&name).unwrap();
    let guard: *mut MutexGuard = Box::into_raw(Box::new(mutex.lock().unwrap()));
    fork(|| {
        // SAFETY: the child's copy, which is dropped once.
        unsafe { guard.drop_in_place() };
        fails(mutex.try_lock(), libc::EAGAIN, "lock");
        0
    })
    .succeeds();
    fails(Mutex::open(&name).unwrap().try_lock(), libc::EAGAIN, "lock");
    // SAFETY: made above, and this process's copy wasn't dropped yet.
    drop(unsafe { Box::from_raw(guard) });
    drop(mutex.try_lock().unwrap());
}

#[test]
fn interrupted() {
    let name = Name::new("sync-interrupted");
    let mutex = Mutex::open(&name).unwrap();
    let event = Event::open(&name).unwrap();
    let guard = mutex.lock().unwrap();
    for which in 0..2 {
        let child = fork(|| {
            extern "C" fn nothing(_: i32) {}
            // SAFETY: the handler does nothing.
            unsafe { libc::signal(libc::SIGUSR1, nothing as *const () as libc::sighandler_t) };
            match which {
                0 => fails(mutex.lock(), libc::EINTR, "a signal handler ran"),
                _ => fails(event.wait(), libc::EINTR, "a signal handler ran"),
            }
            0
        });
        child.wait_until_asleep();
        let begun = Instant::now();
        let mut waited = Some(child);
        // One that runs just before the sleep is not noticed.
        while begun.elapsed() < WATCHDOG {
            let child = waited.take().unwrap();
            child.signal(libc::SIGUSR1);
            std::thread::sleep(Duration::from_millis(5));
            if child.state() == 'Z' {
                child.succeeds();
                break;
            }
            waited = Some(child);
        }
        assert!(waited.is_none(), "it goes on waiting");
    }
    drop(guard);
}

/// Processes that hold a mutex are killed at random: what it guards is never changed by two at once, and who comes next is told.
#[test]
fn holders_are_killed() {
    let name = Name::new("sync-kill");
    let memory = segment(&name);
    let mutex = Mutex::within(&memory, 0).unwrap();
    // Both are raised by who holds it, one after the other.
    let (first, second) = (word(&memory, 64), word(&memory, 80));
    let begin = |seed: u64| {
        let (memory, mutex) = (&memory, &mutex);
        fork(move || {
            let (first, second) = (word(memory, 64), word(memory, 80));
            let mut random = Random(seed);
            loop {
                let guard = mutex.lock().unwrap();
                let [a, b] = [first, second].map(|word| word.load(Ordering::Relaxed));
                assert!(a == b || guard.owner_died() && a == b + 1, "{a}, {b}, {}", guard.owner_died());
                first.store(a + 1, Ordering::Relaxed);
                if random.below(8) == 0 {
                    pause(&mut random);
                }
                second.store(a + 1, Ordering::Relaxed);
                drop(guard);
            }
        })
    };
    let mut random = Random(3);
    let mut children: Vec<Child> = (0..3).map(begin).collect();
    for kill in 0..1500 {
        pause(&mut random);
        children.swap_remove(random.below(3) as usize).kill();
        children.push(begin(100 + kill));
        if kill % 50 == 0 {
            let (before, begun) = (second.load(Ordering::Relaxed), Instant::now());
            while second.load(Ordering::Relaxed) == before {
                assert!(begun.elapsed() < WATCHDOG, "nobody gets on");
                std::thread::yield_now();
            }
        }
    }
    for child in &children {
        assert_ne!(child.state(), 'Z', "one of them found it changed by two");
    }
    drop(children);
    let guard = mutex.lock_timeout(WATCHDOG).unwrap();
    let [a, b] = [first, second].map(|word| word.load(Ordering::Relaxed));
    assert!(a == b || guard.owner_died() && a == b + 1);
    assert!(b > 1000, "{b} rounds");
}

/// Readers and writers, killed at random: writers are alone, and nobody is stuck.
#[test]
fn readers_and_writers_are_killed() {
    let name = Name::new("sync-rw-kill");
    let memory = segment(&name);
    let lock = RwLock::within(&memory, 0).unwrap();
    let second = word(&memory, 144);
    let begin = |seed: u64| {
        let (memory, lock) = (&memory, &lock);
        fork(move || {
            let (first, second) = (word(memory, 128), word(memory, 144));
            let mut random = Random(seed);
            loop {
                if random.below(3) > 0 {
                    let guard = lock.read().unwrap();
                    let [a, b] = [first, second].map(|word| word.load(Ordering::Relaxed));
                    assert!(a == b || guard.owner_died(), "{a}, {b}");
                } else {
                    let guard = lock.write().unwrap();
                    let [a, b] = [first, second].map(|word| word.load(Ordering::Relaxed));
                    assert!(a == b || guard.owner_died(), "{a}, {b}");
                    first.store(a + 1, Ordering::Relaxed);
                    second.store(a + 1, Ordering::Relaxed);
                }
            }
        })
    };
    let mut random = Random(4);
    let mut children: Vec<Child> = (0..4).map(begin).collect();
    for kill in 0..1000 {
        pause(&mut random);
        children.swap_remove(random.below(4) as usize).kill();
        children.push(begin(100 + kill));
        if kill % 50 == 0 {
            let (before, begun) = (second.load(Ordering::Relaxed), Instant::now());
            while second.load(Ordering::Relaxed) == before {
                assert!(begun.elapsed() < WATCHDOG, "nobody writes");
                std::thread::yield_now();
            }
        }
    }
    for child in &children {
        assert_ne!(child.state(), 'Z', "a reader saw a writer at work");
    }
    drop(children);
    drop(lock.write_timeout(WATCHDOG).unwrap());
}

/// A bounded buffer of one place, by a mutex and two conditions.
#[test]
fn producers_and_consumers() {
    let name = Name::new("sync-condition");
    let memory = segment(&name);
    let mutex = Mutex::within(&memory, 0).unwrap();
    let [full, empty] = [64, 128].map(|offset| Condition::within(&memory, offset).unwrap());
    let (place, sum) = (word(&memory, 64), word(&memory, 80));
    let produce = || {
        for number in 1..=500 {
            let mut guard = mutex.lock().unwrap();
            while place.load(Ordering::Relaxed) != 0 {
                guard = empty.wait_timeout(guard, WATCHDOG).unwrap();
            }
            place.store(number, Ordering::Relaxed);
            drop(guard);
            full.notify_one().unwrap();
        }
        0
    };
    let consume = || {
        for _ in 0..500 {
            let mut guard = mutex.lock().unwrap();
            while place.load(Ordering::Relaxed) == 0 {
                guard = full.wait_timeout(guard, WATCHDOG).unwrap();
            }
            sum.fetch_add(place.swap(0, Ordering::Relaxed), Ordering::Relaxed);
            drop(guard);
            empty.notify_one().unwrap();
        }
        0
    };
    let children = [fork(produce), fork(consume), fork(produce), fork(consume)];
    children.into_iter().for_each(|child| assert_eq!(child.wait_for(3 * WATCHDOG), 0));
    assert_eq!(sum.load(Ordering::Relaxed), 2 * 500 * 501 / 2);
}

#[test]
fn a_condition_times_out_and_gives_the_mutex_back() {
    let name = Name::new("sync-condition-timeout");
    let mutex = Mutex::open(&name).unwrap();
    let condition = Condition::open(&name).unwrap();
    let guard = mutex.lock().unwrap();
    fails(condition.wait_timeout(guard, Duration::from_millis(300)), libc::ETIMEDOUT, "the time is over");
    let guard = mutex.try_lock().unwrap();
    let child = fork(|| {
        let _guard = mutex.lock().unwrap();
        condition.notify_all().unwrap();
        0
    });
    drop(condition.wait_timeout(guard, WATCHDOG).unwrap());
    child.succeeds();
}

#[test]
fn barriers() {
    let name = Name::new("sync-barrier");
    let barrier = Barrier::open(&name).unwrap();
    barrier.set_parties(4).unwrap();
    let ranks = Queue::open(&name).unwrap();
    // One who comes and is killed, and one who comes and gives up, are not there.
    let dead = fork(|| {
        barrier.wait().unwrap();
        0
    });
    dead.wait_until_asleep();
    assert_eq!(barrier.waiting().unwrap(), 1);
    dead.kill();
    assert_eq!(barrier.waiting().unwrap(), 0);
    fails(barrier.wait_timeout(Duration::from_millis(20)), libc::ETIMEDOUT, "the time is over");
    let children: Vec<_> = (0..4)
        .map(|_| {
            fork(|| {
                for round in 1..=50 {
                    let rank = barrier.wait_timeout(WATCHDOG).unwrap();
                    ranks.send(round, &[rank as u8]).unwrap();
                }
                0
            })
        })
        .collect();
    children.into_iter().for_each(|child| assert_eq!(child.wait_for(3 * WATCHDOG), 0));
    for round in 1..=50 {
        let mut came: Vec<_> = (0..4).map(|_| ranks.try_recv(Select::Type(round)).unwrap().data[0]).collect();
        came.sort_unstable();
        assert_eq!(came, [0, 1, 2, 3]);
    }
}

#[test]
fn events() {
    let name = Name::new("sync-event");
    let event = Event::open(&name).unwrap();
    fails(event.try_wait(), libc::EAGAIN, "wait for");
    fails(event.wait_timeout(Duration::from_millis(20)), libc::ETIMEDOUT, "wait for");
    let children: Vec<_> = (0..3)
        .map(|_| {
            let child = fork(|| {
                event.wait_timeout(WATCHDOG).unwrap();
                0
            });
            child.wait_until_asleep();
            child
        })
        .collect();
    event.set().unwrap();
    children.into_iter().for_each(Child::succeeds);
    event.wait().unwrap();
    event.clear();
    assert!(!event.is_set());
}

/// Many locks in one segment take one participant, not a descriptor each.
#[test]
fn locks_in_a_segment_share_what_they_need() {
    let name = Name::new("sync-many");
    let memory = Segment::options().length(64 << 10).open(&name).unwrap();
    let descriptors = || std::fs::read_dir("/proc/self/fd").unwrap().count();
    let before = descriptors();
    let locks: Vec<_> = (0..1000).map(|index| Mutex::within(&memory, 64 * index).unwrap()).collect();
    let guards: Vec<_> = locks.iter().map(|lock| lock.lock().unwrap()).collect();
    assert!(descriptors() <= before + 1 + 8, "other tests come and go meanwhile");
    drop(guards);
    drop(memory);
    drop(locks[999].lock().unwrap());
}
