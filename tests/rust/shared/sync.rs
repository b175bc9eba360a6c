//! Locks and their like, with threads and with real processes: by name, and in a segment.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use madang::{
    Barrier, Condition, Create, Deadline, Error, Event, Mutex, MutexGuard, Queue, RwLock, Segment, Select, SyncOptions,
    UnguardedMutex, UnguardedRwLock,
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
                // First of all the heir puts it in order: he may be killed as well.
                second.store(a, Ordering::Release);
                first.store(a + 1, Ordering::Release);
                if random.below(8) == 0 {
                    pause(&mut random);
                }
                second.store(a + 1, Ordering::Release);
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

/// Who waits when an event is set goes on, though it is cleared before he can look.
#[test]
fn a_short_event_is_not_missed() {
    let name = Name::new("sync-pulse");
    let event = Event::open(&name).unwrap();
    for _ in 0..20 {
        let child = fork(|| {
            event.wait_timeout(WATCHDOG / 2).unwrap();
            0
        });
        child.wait_until_asleep();
        event.set().unwrap();
        event.clear();
        child.succeeds();
    }
    // In slices, too: it is set and cleared between two.
    let since = event.come();
    fails(event.await_from(since, Deadline::NOW), libc::EAGAIN, "wait for");
    event.set().unwrap();
    event.set().unwrap();
    event.clear();
    event.await_from(since, Deadline::NOW).unwrap();
    fails(event.await_from(event.come(), Deadline::NOW), libc::EAGAIN, "wait for");
}

/// Who waits in slices to write is not passed by readers in between.
#[test]
fn a_writer_keeps_readers_out_between_slices() {
    let name = Name::new("sync-wish");
    let lock = RwLock::open(&name).unwrap();
    let other = RwLock::open(&name).unwrap();
    let reader = other.read().unwrap();
    let mut wish = lock.wish(true);
    for _ in 0..2 {
        fails(wish.wait_until(Deadline::after(Duration::from_millis(1))), libc::ETIMEDOUT, "the time is over");
        fails(other.try_read(), libc::EAGAIN, "read-lock");
    }
    drop(wish);
    drop(other.try_read().unwrap());
    let mut wish = lock.wish(true);
    fails(wish.wait_until(Deadline::NOW), libc::EAGAIN, "write-lock");
    drop(reader);
    let held = wish.wait_until(Deadline::NOW).unwrap();
    drop(wish);
    fails(other.try_read(), libc::EAGAIN, "read-lock");
    lock.give_back(held).unwrap();
    assert!(!other.try_write().unwrap().owner_died());
}

/// A mutex that somebody wrote over is lost; the others in the same segment aren't.
#[test]
fn a_scribbled_mutex_takes_no_other_along() {
    let name = Name::new("sync-scribbled");
    let memory = segment(&name);
    let [scribbled, other] = [0, 64].map(|offset| UnguardedMutex::from(Mutex::within(&memory, offset).unwrap()));
    let third = Mutex::within(&memory, 128).unwrap();
    scribbled.take_until(Deadline::NEVER).unwrap();
    other.take_until(Deadline::NEVER).unwrap();
    memory.write(0, &[0; 64]).unwrap();
    fails(scribbled.unlock(), libc::EOWNERDEAD, "somebody else wrote over it");
    drop(third.lock().unwrap());
    other.unlock().unwrap();
    drop(other.try_lock().unwrap());
    drop(scribbled.try_lock().unwrap());
}

/// For languages without guards the handle remembers what it holds.
#[test]
fn what_is_held_without_a_guard() {
    let name = Name::new("sync-unguarded");
    let memory = segment(&name);
    let open = || UnguardedMutex::from(Mutex::within(&memory, 0).unwrap());
    let [mutex, same] = [open(), open()];
    fails(mutex.unlock(), libc::EPERM, "this handle doesn't hold it");
    assert!(!mutex.take_until(Deadline::NEVER).unwrap());
    // Another handle's, though it is the same participant.
    fails(same.unlock(), libc::EPERM, "this handle doesn't hold it");
    fork(|| {
        fails(mutex.unlock(), libc::EOWNERDEAD, "another process's");
        fails(mutex.take_until(Deadline::NOW), libc::EAGAIN, "lock");
        0
    })
    .succeeds();
    assert!(same.is_locked().unwrap());
    // Closed while it is held: the segment's participant lives on, but this is as a death.
    drop(mutex);
    assert!(!same.is_locked().unwrap());
    assert!(same.take_until(Deadline::NOW).unwrap() && same.owner_died());
    same.unlock().unwrap();
    assert!(!same.take_until(Deadline::NOW).unwrap() && !same.owner_died());
    same.unlock().unwrap();

    let open = || UnguardedRwLock::from(RwLock::within(&memory, 512).unwrap());
    let [lock, other] = [open(), open()];
    fails(lock.unlock(), libc::EPERM, "this handle doesn't hold it");
    for _ in 0..3 {
        assert!(!lock.take_until(false, Deadline::NOW).unwrap());
    }
    fails(other.unlock(), libc::EPERM, "this handle doesn't hold it");
    other.take_until(false, Deadline::NOW).unwrap();
    fork(|| {
        fails(lock.unlock(), libc::EOWNERDEAD, "another process's");
        // What the child has itself it gives back, beside what is its parent's.
        other.take_until(false, Deadline::NOW).unwrap();
        other.unlock().unwrap();
        fails(other.unlock(), libc::EPERM, "this handle doesn't hold it");
        0
    })
    .succeeds();
    (0..2).for_each(|_| lock.unlock().unwrap());
    other.unlock().unwrap();
    fails(other.take_until(true, Deadline::NOW), libc::EAGAIN, "write-lock");
    drop(lock);
    assert!(!other.take_until(true, Deadline::NOW).unwrap(), "a reader leaves nothing half changed");
    drop(other);
    let lock = open();
    assert!(lock.take_until(false, Deadline::NOW).unwrap());
    lock.unlock().unwrap();
    fails(lock.unlock(), libc::EPERM, "this handle doesn't hold it");
}

/// Threads that share a handle keep each other out, and none gives back what another took meanwhile.
#[test]
fn threads_share_a_handle() {
    let name = Name::new("sync-threads");
    let memory = segment(&name);
    let mutex = UnguardedMutex::from(Mutex::within(&memory, 0).unwrap());
    let lock = UnguardedRwLock::from(RwLock::within(&memory, 512).unwrap());
    let counter = word(&memory, 256);
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let (mutex, lock) = (&mutex, &lock);
            scope.spawn(move || {
                for round in 0..2000 {
                    let to_write = (round + thread) % 4 == 0;
                    assert!(!mutex.take_until(Deadline::after(WATCHDOG)).unwrap());
                    counter.store(counter.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
                    mutex.unlock().unwrap();
                    assert!(!lock.take_until(to_write, Deadline::after(WATCHDOG)).unwrap());
                    lock.unlock().unwrap();
                }
            });
        }
    });
    assert_eq!(counter.load(Ordering::Relaxed), 8000);
    // One looks for what it holds while others take it away in exchange for what lies where it has looked.
    std::thread::scope(|scope| {
        for _ in 0..6 {
            let lock = &lock;
            scope.spawn(move || {
                for _ in 0..5000 {
                    assert!(!lock.take_until(false, Deadline::after(WATCHDOG)).unwrap());
                    lock.unlock().unwrap();
                }
            });
        }
    });
    fails(mutex.unlock(), libc::EPERM, "doesn't hold it");
    fails(lock.unlock(), libc::EPERM, "doesn't hold it");
    assert!(!lock.take_until(true, Deadline::NOW).unwrap());
}

/// In languages without guards the mutex is held again, whatever comes of the wait.
#[test]
fn a_condition_without_guards() {
    let name = Name::new("sync-unguarded-condition");
    let mutex = UnguardedMutex::from(Mutex::open(&name).unwrap());
    let condition = Condition::open(&name).unwrap();
    fails(condition.wait_unguarded(&mutex, Deadline::NOW), libc::EPERM, "doesn't hold it");
    mutex.take_until(Deadline::NOW).unwrap();
    fails(condition.wait_unguarded(&mutex, Deadline::NOW), libc::EAGAIN, "wait for");
    let soon = || Deadline::after(Duration::from_millis(5));
    fails(condition.wait_unguarded(&mutex, soon()), libc::ETIMEDOUT, "wait for");
    // The next owner dies while this one waits.
    let child = fork(|| {
        mutex.take_until(Deadline::NEVER).unwrap();
        condition.notify_all().unwrap();
        0
    });
    assert!(condition.wait_unguarded(&mutex, Deadline::after(WATCHDOG)).unwrap());
    child.succeeds();
    mutex.unlock().unwrap();
    fails(mutex.unlock(), libc::EPERM, "doesn't hold it");
}

/// Who comes to a barrier is killed at random, and another comes in his place: rounds go on, and nobody goes on alone.
#[test]
fn who_waits_at_a_barrier_is_killed() {
    let name = Name::new("sync-barrier-kill");
    let memory = segment(&name);
    let barrier = Barrier::within(&memory, 0).unwrap();
    barrier.set_parties(3).unwrap();
    // How often somebody came, and how often somebody went on.
    let (came, went) = (word(&memory, 256), word(&memory, 272));
    let begin = |seed: u64| {
        let barrier = &barrier;
        fork(move || {
            let mut random = Random(seed);
            loop {
                came.fetch_add(1, Ordering::Relaxed);
                match barrier.wait_timeout(Duration::from_millis(1 + random.below(50))) {
                    Ok(rank) => {
                        assert!(rank < 3);
                        went.fetch_add(1, Ordering::Relaxed);
                    }
                    Err(error) => assert_eq!(error.errno(), libc::ETIMEDOUT, "{error}"),
                }
            }
        })
    };
    let mut random = Random(5);
    let mut children: Vec<Child> = (0..3).map(begin).collect();
    for kill in 0..500 {
        pause(&mut random);
        children.swap_remove(random.below(3) as usize).kill();
        children.push(begin(100 + kill));
        if kill % 50 == 0 {
            let (before, begun) = (went.load(Ordering::Relaxed), Instant::now());
            while went.load(Ordering::Relaxed) < before + 3 {
                assert!(begun.elapsed() < WATCHDOG, "it doesn't open any more");
                std::thread::yield_now();
            }
        }
    }
    for child in &children {
        assert_ne!(child.state(), 'Z', "one of them failed");
    }
    drop(children);
    assert!(went.load(Ordering::Relaxed) <= came.load(Ordering::Relaxed));
    assert_eq!(barrier.waiting().unwrap(), 0);
}

/// A token goes round by a condition; who waits for it, and who has it, is killed at random. Who tells nobody because he is dead is made up for
/// by the time-out of who waits.
#[test]
fn who_waits_at_a_condition_is_killed() {
    let name = Name::new("sync-condition-kill");
    let memory = segment(&name);
    let (mutex, changed) = (Mutex::within(&memory, 0).unwrap(), Condition::within(&memory, 64).unwrap());
    let token = word(&memory, 256);
    let begin = |place: u64| {
        let (mutex, changed) = (&mutex, &changed);
        fork(move || {
            loop {
                let mut guard = mutex.lock().unwrap();
                while token.load(Ordering::Relaxed) % 3 != place {
                    guard = match changed.wait_timeout(guard, Duration::from_millis(300)) {
                        Ok(guard) => guard,
                        Err(error) if error.errno() == libc::ETIMEDOUT => mutex.lock().unwrap(),
                        Err(error) => panic!("{error}"),
                    };
                }
                token.fetch_add(1, Ordering::Relaxed);
                drop(guard);
                changed.notify_all().unwrap();
            }
        })
    };
    let mut random = Random(6);
    let mut children: Vec<Child> = (0..3).map(begin).collect();
    for kill in 0..300 {
        pause(&mut random);
        let place = random.below(3);
        children.push(begin(place));
        children.swap_remove(place as usize).kill();
        if kill % 30 == 0 {
            let (before, begun) = (token.load(Ordering::Relaxed), Instant::now());
            while token.load(Ordering::Relaxed) < before + 6 {
                assert!(begun.elapsed() < WATCHDOG, "the token doesn't go round any more");
                std::thread::yield_now();
            }
        }
    }
    for child in &children {
        assert_ne!(child.state(), 'Z', "one of them failed");
    }
}

/// An answer to each set of an event: none is missed, though it is cleared by who saw it.
#[test]
fn events_to_and_fro() {
    let name = Name::new("sync-ping-pong");
    let memory = segment(&name);
    let [ping, pong] = [0, 64].map(|offset| Event::within(&memory, offset).unwrap());
    let answers = fork(|| {
        for _ in 0..2000 {
            ping.wait_timeout(WATCHDOG).unwrap();
            ping.clear();
            pong.set().unwrap();
        }
        0
    });
    let begun = Instant::now();
    for _ in 0..2000 {
        ping.set().unwrap();
        pong.wait_timeout(WATCHDOG).unwrap();
        pong.clear();
    }
    println!("{:?} to and fro", begun.elapsed() / 2000);
    answers.succeeds();
    assert!(begun.elapsed() < WATCHDOG, "they sleep to the end of a nap");
}
