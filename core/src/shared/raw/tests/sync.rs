//! Locks and their like under the trap.

use std::time::Duration;

use super::super::Fault;
use super::super::cell::trap::{Died, die_after, interrupt_after};
use super::super::host::{EVERYBODY, MANY};
use super::super::sync::barrier::{Barrier, Came};
use super::super::sync::condition::Condition;
use super::super::sync::flag::Flag;
use super::super::sync::mutex::Mutex;
use super::super::sync::rwlock::{MOST_READERS, RwLock, Tried};
use super::{Actor, World};
use crate::deadline::Deadline;
use crate::sys::Errno;

/// As it lies in a new segment.
fn zero<T>() -> Box<T> {
    // SAFETY: all of them are structs of atomics, for which all-zero is valid.
    unsafe { Box::new(std::mem::zeroed()) }
}

#[test]
fn a_dead_owners_mutex_is_taken_over_and_told_once() {
    let world = World::default();
    let [one, two] = [0, 1].map(|slot| world.participant(slot));
    let mutex = zero::<Mutex>();
    assert_eq!(mutex.lock(&one, Deadline::NEVER), Ok(false));
    assert_eq!(mutex.lock(&two, Deadline::NOW), Err(Fault::Busy));
    one.dies();
    assert_eq!(mutex.lock(&two, Deadline::NOW), Ok(true));
    assert_eq!(mutex.unlock(&two), Ok(()));
    assert_eq!(mutex.lock(&two, Deadline::NOW), Ok(false));
    assert_eq!(mutex.unlock(&one), Err(Fault::Disowned));
    assert_eq!(mutex.unlock(&two), Ok(()));
}

const NOW: Deadline = Deadline::NOW;

fn read(lock: &RwLock, who: Actor) -> Tried {
    lock.try_read(&who, NOW).unwrap()
}

/// As one who will wait.
fn write(lock: &RwLock, who: Actor, named: &mut bool) -> Tried {
    lock.try_write(&who, named, Deadline::NEVER).unwrap()
}

const WRITES: Tried = Tried::Taken { place: 0, damaged: false };

#[test]
fn one_writes_or_several_read() {
    let world = World::default();
    let [one, two, three] = [0, 1, 2].map(|slot| world.participant(slot));
    let lock = zero::<RwLock>();
    let reads = |place| Tried::Taken { place, damaged: false };
    assert_eq!([read(&lock, one), read(&lock, two), read(&lock, one)], [reads(0), reads(1), reads(2)]);
    // Who waits to write keeps others from coming in, and gets it when the last one leaves.
    let (mut named, mut other) = (false, false);
    assert_eq!((write(&lock, three, &mut named), named), (Tried::Wait, true));
    assert_eq!((write(&lock, two, &mut other), other), (Tried::Wait, false));
    assert_eq!(read(&lock, two), Tried::Wait);
    assert!(!lock.may_read() && !lock.may_write(&three));
    for (who, place) in [(one, 0), (two, 1), (one, 2)] {
        assert_eq!(write(&lock, three, &mut named), Tried::Wait);
        lock.unlock_read(&who, place).unwrap();
    }
    assert!(lock.may_write(&three) && !lock.may_write(&two));
    assert_eq!(write(&lock, three, &mut named), WRITES);
    assert_eq!([read(&lock, one), write(&lock, one, &mut other)], [Tried::Wait; 2]);
    lock.unlock_write(&three).unwrap();
    assert_eq!(lock.unlock_write(&three), Err(Fault::Disowned));
    assert_eq!(read(&lock, one), reads(0));
    // Who gives up lets the others in.
    let mut named = false;
    assert_eq!((write(&lock, three, &mut named), read(&lock, two)), (Tried::Wait, Tried::Wait));
    lock.give_up(&three, named);
    assert_eq!(read(&lock, two), reads(1));
}

/// Who only tries to write, and finds readers, keeps no other reader out meanwhile.
#[test]
fn a_try_to_write_hinders_no_reader() {
    for accesses in 0.. {
        let world = World::default();
        let [one, two, writer] = [0, 1, 2].map(|slot| world.participant(slot));
        let lock = zero::<RwLock>();
        let _ = read(&lock, one);
        let mut reads = Err(Fault::Busy);
        let mut named = false;
        let (tried, came) = interrupt_after(
            accesses,
            || reads = lock.try_read(&two, Deadline::INSTANT),
            || lock.try_write(&writer, &mut named, NOW),
        );
        assert_eq!((tried, named), (Ok(Tried::Wait), false));
        assert_ne!(reads, Ok(Tried::Wait), "at access {accesses}");
        if !came {
            break;
        }
    }
}

#[test]
fn readers_are_limited_and_the_dead_make_room() {
    let world = World::default();
    let [one, two] = [0, 1].map(|slot| world.participant(slot));
    let lock = zero::<RwLock>();
    (0..MOST_READERS).for_each(|place| assert_eq!(read(&lock, one), Tried::Taken { place, damaged: false }));
    assert_eq!(read(&lock, two), Tried::TooMany);
    one.dies();
    assert_eq!(read(&lock, two), Tried::Taken { place: 0, damaged: false });
}

/// What one does with a lock.
type Operation<'a> = &'a dyn Fn(&RwLock, Actor);

/// A dead reader hinders nobody. After a writer's death everybody is told, until somebody has written.
#[test]
fn every_death_frees_a_read_write_lock() {
    let reads = |lock: &RwLock, who: Actor| {
        let Tried::Taken { place, .. } = read(lock, who) else { panic!("nobody has it") };
        lock.unlock_read(&who, place).unwrap();
    };
    let writes = |lock: &RwLock, who: Actor| {
        let mut named = false;
        assert_eq!(write(lock, who, &mut named), WRITES);
        lock.unlock_write(&who).unwrap();
    };
    let gives_up = |lock: &RwLock, who: Actor| {
        let mut named = false;
        let _ = write(lock, who, &mut named);
        lock.give_up(&who, named);
    };
    let all: [Operation; 3] = [&reads, &writes, &gives_up];
    for (which, operation) in all.iter().enumerate() {
        for stores in 0.. {
            let world = World::default();
            let [dying, one, two] = [0, 1, 2].map(|slot| world.participant(slot));
            let lock = zero::<RwLock>();
            let died = die_after(stores, || operation(&lock, dying)) == Err(Died);
            dying.dies();
            // Who comes next dies in the middle, too, as a reader.
            let _ = die_after(stores % 5, || read(&lock, one));
            one.dies();
            let mut named = false;
            let Tried::Taken { damaged, .. } = write(&lock, two, &mut named) else {
                panic!("not taken, after {which} died at store {stores}")
            };
            assert!(!(damaged && which == 0), "a reader damages nothing");
            lock.unlock_write(&two).unwrap();
            assert_eq!(read(&lock, two), Tried::Taken { place: 0, damaged: false });
            if !died {
                break;
            }
        }
    }
    let world = World::default();
    let [dying, two, three] = [0, 1, 2].map(|slot| world.participant(slot));
    let lock = zero::<RwLock>();
    let mut named = false;
    assert_eq!(write(&lock, dying, &mut named), WRITES);
    dying.dies();
    assert_eq!(read(&lock, two), Tried::Taken { place: 0, damaged: true });
    assert_eq!(read(&lock, three), Tried::Taken { place: 1, damaged: true });
    lock.unlock_read(&two, 0).unwrap();
    lock.unlock_read(&three, 1).unwrap();
    let mut named = false;
    assert_eq!(write(&lock, two, &mut named), Tried::Taken { place: 0, damaged: true });
    lock.unlock_write(&two).unwrap();
    assert_eq!(read(&lock, two), Tried::Taken { place: 0, damaged: false });
}

/// Whatever a reader does between two accesses of a writer's, and the other way round, no two are in who shouldn't be.
#[test]
fn a_reader_and_a_writer_are_never_in_together() {
    for accesses in 0.. {
        let world = World::default();
        let [reader, writer] = [0, 1].map(|slot| world.participant(slot));
        let lock = zero::<RwLock>();
        let mut reads = None;
        let mut named = false;
        let (writes, came) = interrupt_after(
            accesses,
            || reads = lock.try_read(&reader, Deadline::INSTANT).ok(),
            || lock.try_write(&writer, &mut named, Deadline::INSTANT),
        );
        let is_in = |tried: Option<Tried>| matches!(tried, Some(Tried::Taken { .. }));
        assert!(!(is_in(reads) && is_in(writes.ok())), "at access {accesses}");
        if !came {
            break;
        }
    }
}

#[test]
fn a_barrier_opens_when_all_who_live_are_there() {
    let world = World::default();
    let [one, two, three] = [0, 1, 2].map(|slot| world.participant(slot));
    let barrier = zero::<Barrier>();
    assert_eq!((barrier.agree(3), barrier.agree(2)), (3, 3));
    let waits = |place, round, rank| Ok(Came::Waits { place, round, rank });
    assert_eq!(barrier.come(&one, NOW), waits(0, 0, 0));
    assert_eq!(barrier.come(&two, NOW), waits(1, 0, 1));
    assert_eq!(barrier.waiting(&three), 2);
    assert_eq!(barrier.go(&one, 0, 0, NOW), Ok(true));
    assert_eq!(barrier.come(&three, NOW), waits(0, 0, 1));
    three.dies();
    assert_eq!(barrier.come(&one, NOW), waits(0, 0, 1), "the dead are not there");
    assert!(!barrier.is_over(0));
    assert_eq!(barrier.come(&one, NOW), Ok(Came::Last), "another thread of the same handle");
    assert!(barrier.is_over(0));
    assert_eq!(barrier.go(&one, 0, 0, NOW), Ok(false));
    assert_eq!((barrier.waiting(&one), barrier.come(&one, NOW)), (0, waits(0, 1, 0)));
}

/// Who is stopped inside keeps nobody at a barrier who wants to go: he would be waited with though he isn't there.
#[test]
fn one_goes_though_somebody_is_stuck_inside() {
    let world = World::default();
    let [goes, stuck, other] = [0, 1, 2].map(|slot| world.participant(slot));
    let barrier = zero::<Barrier>();
    barrier.agree(2);
    assert_eq!(barrier.come(&goes, NOW), Ok(Came::Waits { place: 0, round: 0, rank: 0 }));
    let _ = barrier.gate.lock(&stuck, NOW).unwrap();
    assert_eq!(barrier.go(&goes, 0, 0, NOW), Ok(true));
    barrier.gate.unlock(&stuck).unwrap();
    assert_eq!((barrier.waiting(&other), barrier.is_over(0)), (0, false));
    assert_eq!(barrier.come(&other, NOW), Ok(Came::Waits { place: 0, round: 0, rank: 0 }));
}

#[test]
fn every_death_leaves_a_barrier_that_opens() {
    for stores in 0.. {
        let world = World::default();
        let [dying, one, two] = [0, 1, 2].map(|slot| world.participant(slot));
        let barrier = zero::<Barrier>();
        barrier.agree(2);
        let died = die_after(stores, || {
            let _ = barrier.come(&dying, NOW);
            barrier.go(&dying, 0, 0, NOW)
        });
        dying.dies();
        assert_eq!(barrier.come(&one, NOW), Ok(Came::Waits { place: 0, round: 0, rank: 0 }));
        assert_eq!(barrier.come(&two, NOW), Ok(Came::Last), "at store {stores}");
        if died.is_ok() {
            break;
        }
    }
    // The last who comes may die when he has opened it.
    for stores in 0.. {
        let world = World::default();
        let [dying, one, two] = [0, 1, 2].map(|slot| world.participant(slot));
        let barrier = zero::<Barrier>();
        barrier.agree(2);
        let _ = barrier.come(&one, NOW);
        let died = die_after(stores, || barrier.come(&dying, NOW));
        dying.dies();
        if !barrier.is_over(0) {
            assert_eq!(barrier.come(&two, NOW), Ok(Came::Last), "at store {stores}");
        }
        assert!(barrier.is_over(0));
        if died.is_ok() {
            break;
        }
    }
}

#[test]
fn what_was_told_after_the_announcement_is_not_missed() {
    let world = World::default();
    let [waits, tells] = [0, 1].map(|slot| world.participant(slot));
    let condition = zero::<Condition>();
    let announced = condition.announce();
    let over = Err(Errno(libc::ETIMEDOUT));
    assert_eq!(condition.sleep(&waits, announced, Duration::ZERO), over);
    condition.tell(&tells, 1);
    assert_eq!(condition.sleep(&waits, announced, Duration::ZERO), Ok(()));
    let announced = condition.announce();
    assert_eq!(condition.sleep(&waits, announced, Duration::ZERO), over);
    condition.tell(&tells, MANY);
    assert_eq!(condition.sleep(&waits, announced, Duration::ZERO), Ok(()));
    let wakes = world.wakes.get();
    condition.tell(&tells, MANY);
    condition.tell(&tells, MANY);
    assert!(world.wakes.get() <= wakes + 1, "where nobody waits it costs no call");
}

#[test]
fn an_event_is_told_to_all() {
    let world = World::default();
    let who = world.participant(0);
    let flag = zero::<Flag>();
    assert!(!flag.is_set());
    let _ = flag.announce();
    flag.set(&who);
    assert!(flag.is_set() && world.wakes.get() == 1);
    flag.clear();
    assert!(!flag.is_set());
}

/// However short it was set, and whenever while one waits.
#[test]
fn a_set_is_not_missed() {
    for accesses in 0.. {
        let world = World::default();
        let [waits, sets] = [0, 1].map(|slot| world.participant(slot));
        let flag = zero::<Flag>();
        let came = flag.come();
        let pulse = || {
            flag.set(&sets);
            flag.clear();
        };
        let wait = || {
            let at_once = flag.was_set_since(came);
            let announced = flag.announce();
            let last = flag.was_set_since(came);
            let slept = flag.event().sleep(&waits, announced, Duration::ZERO, EVERYBODY);
            (at_once, last, slept, flag.was_set_since(came))
        };
        let ((at_once, last, slept, after), was_set) = interrupt_after(accesses, pulse, wait);
        assert_eq!(was_set, after, "at access {accesses}");
        assert!(!at_once || last);
        // It was set before he fell asleep, or he was woken: he didn't sleep to the end of a nap.
        assert!(last || !was_set || slept.is_ok() || world.wakes.get() == 1, "at access {accesses}");
        if !was_set {
            break;
        }
    }
    // It counts round the end of the word.
    let world = World::default();
    let who = world.participant(0);
    let flag = zero::<Flag>();
    flag.word.set(u32::MAX - 1);
    let came = flag.come();
    flag.set(&who);
    assert!(flag.is_set() && flag.was_set_since(came));
    flag.clear();
    assert!(!flag.is_set() && flag.was_set_since(came));
}

/// Who leaves a lock without giving it back leaves it as the dead do, though he lives.
#[test]
fn what_is_abandoned_is_told() {
    let world = World::default();
    let [one, two] = [0, 1].map(|slot| world.participant(slot));
    let mutex = zero::<Mutex>();
    assert_eq!(mutex.lock(&one, NOW), Ok(false));
    assert!(mutex.is_locked(&two) && mutex.is_locked(&one));
    mutex.abandon(&two);
    assert!(mutex.is_locked(&two), "it isn't his");
    mutex.abandon(&one);
    assert!(!mutex.is_locked(&two));
    assert_eq!((mutex.lock(&two, NOW), mutex.unlock(&two), mutex.lock(&one, NOW)), (Ok(true), Ok(()), Ok(false)));
    one.dies();
    assert!(!mutex.is_locked(&two));
    let lock = zero::<RwLock>();
    let mut named = false;
    assert_eq!(write(&lock, two, &mut named), WRITES);
    lock.abandon_write(&one);
    assert_eq!(read(&lock, two), Tried::Wait, "it isn't his");
    lock.abandon_write(&two);
    assert_eq!(read(&lock, two), Tried::Taken { place: 0, damaged: true });
}

/// Whoever falls asleep on it meanwhile.
#[test]
fn what_is_abandoned_is_free_for_who_comes_just_then() {
    for accesses in 0.. {
        let world = World::default();
        let [one, two, three] = [0, 1, 2].map(|slot| world.participant(slot));
        let mutex = zero::<Mutex>();
        assert_eq!(mutex.lock(&one, NOW), Ok(false));
        // As one who sleeps, not only tries.
        let soon = Deadline::after(Duration::from_nanos(1));
        let mut came_first = false;
        let sleep = || came_first = mutex.lock(&two, soon).is_ok();
        let ((), came) = interrupt_after(accesses, sleep, || mutex.abandon(&one));
        assert_eq!(
            mutex.lock(&three, NOW),
            if came_first { Err(Fault::Busy) } else { Ok(true) },
            "at access {accesses}"
        );
        if !came {
            break;
        }
    }
}

/// Whatever was scribbled there, nothing hangs, and nobody reaches beyond it.
#[test]
fn scribbles() {
    use madang_random::Random;
    for seed in 0..2000 {
        let mut random = Random(seed);
        let world = World::default();
        let [one, two] = [0, 1].map(|slot| world.participant(slot));
        one.dies();
        let (lock, barrier) = (zero::<RwLock>(), zero::<Barrier>());
        scribble(&*lock, &mut random);
        scribble(&*barrier, &mut random);
        let mut named = false;
        let _ = lock.try_read(&two, NOW);
        let _ = lock.try_write(&two, &mut named, NOW);
        lock.give_up(&two, named);
        let _ = lock.unlock_write(&two);
        if let Ok(Came::Waits { place, round, .. }) = barrier.come(&two, NOW) {
            let _ = barrier.go(&two, place, round, NOW);
        }
        let _ = barrier.waiting(&two);
    }
}

mod madang_random {
    /// SplitMix64.
    pub(super) struct Random(pub(super) u64);

    impl Random {
        pub(super) fn draw(&mut self) -> u64 {
            self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mut z = self.0;
            z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            z ^ (z >> 31)
        }
    }
}

fn scribble<T>(thing: &T, random: &mut madang_random::Random) {
    use std::sync::atomic::{AtomicU32, Ordering};
    let words = size_of::<T>() / 4;
    for _ in 0..1 + random.draw() % 8 {
        let at = random.draw() as usize % words;
        let value = match random.draw() % 3 {
            0 => u32::MAX,
            1 => random.draw() as u32,
            _ => random.draw() as u32 & 0x0003_0007,
        };
        // SAFETY: within the struct, which consists of atomics.
        let word = unsafe { AtomicU32::from_ptr(std::ptr::from_ref(thing).cast_mut().cast::<u32>().add(at)) };
        word.store(value, Ordering::Relaxed);
    }
}
