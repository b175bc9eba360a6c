//! System V semaphore sets.

use std::time::{Duration, Instant};

use madang::sysv::sem::{Op, Set};
use madang::sysv::{Change, Key};
use madang::{Create, Deadline};
use madang_tests::{Checkpoint, SysvKey, WATCHDOG, fork};

use super::{as_nobody, asleep, fails, interrupt, let_sigusr1_interrupt, refuse};

fn soon() -> Deadline {
    Deadline::after(Duration::from_millis(20))
}

fn late() -> Deadline {
    Deadline::after(WATCHDOG)
}

/// Another process sees it by the bare calls, and the other way round.
#[test]
fn smoke() {
    let key = SysvKey::default();
    let set = Set::options().values(&[1, 0, 5]).open(*key).unwrap();
    assert!(set.is_new() && set.count().unwrap() == 3);
    assert_eq!(set.values().unwrap(), [1, 0, 5]);
    set.acquire(0).unwrap();
    set.operate(&[Op::add(1, 3), Op::add(2, -5)]).unwrap();
    fork(|| {
        // SAFETY: three semaphores, and one operation.
        unsafe {
            let id = libc::semget(key.number(), 0, 0);
            let mut values = [0u16; 3];
            assert_eq!(libc::semctl(id, 0, libc::GETALL, values.as_mut_ptr()), 0);
            assert_eq!(values, [0, 3, 0]);
            let mut operation = libc::sembuf { sem_num: 2, sem_op: 7, sem_flg: 0 };
            assert_eq!(libc::semop(id, &raw mut operation, 1), 0);
        }
        0
    })
    .succeeds();
    assert_eq!(set.value(2).unwrap(), 7);
    set.set_value(2, 32767).unwrap();
    assert_eq!(set.value(2).unwrap(), 32767);
    set.set_values(&[4, 5, 6]).unwrap();
    assert_eq!(set.values().unwrap(), [4, 5, 6]);
}

/// It never sleeps, not even for a time-out of 0, as semtimedop does: so nothing interrupts it.
#[test]
fn a_try_is_never_interrupted() {
    let key = SysvKey::default();
    let set = Set::options().values(&[0, 0]).open(*key).unwrap();
    let ready = Checkpoint::default();
    let child = fork(|| {
        let_sigusr1_interrupt();
        ready.reach();
        loop {
            for operations in [&[Op::add(0, -1)][..], &[Op::add(0, -1), Op::add(1, -1)]] {
                assert_eq!(set.try_operate(operations).unwrap_err().errno(), libc::EAGAIN);
            }
        }
    });
    ready.wait();
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_millis(300) {
        assert_ne!(child.state(), 'Z', "a try was interrupted");
        assert_eq!((set.waiting_for_increase(0).unwrap(), set.waiting_for_increase(1).unwrap()), (0, 0));
        child.signal(libc::SIGUSR1);
    }
}

/// Bits that mean nothing are refused, as in C.
#[test]
fn unknown_flags() {
    let key = SysvKey::default();
    let set = Set::options().value(1).count(1).open(*key).unwrap();
    fails(set.operate(&[Op { flags: 1, ..Op::add(0, -1) }]), libc::EINVAL, "NO_WAIT and UNDO");
    assert_eq!(set.value(0).unwrap(), 1);
}

#[test]
fn as_a_whole_or_not_at_all() {
    let key = SysvKey::default();
    let set = Set::options().values(&[1, 0]).open(*key).unwrap();
    fails(set.try_operate(&[Op::add(0, -1), Op::add(1, -1)]), libc::EAGAIN, "only to try: -1 on 0, -1 on 1");
    assert_eq!(set.values().unwrap(), [1, 0]);
    // One that may not wait among others that may.
    let begun = Instant::now();
    fails(set.operate_until(&[Op::add(0, -1), Op::add(1, -1).no_wait()], late()), libc::EAGAIN, "only to try");
    assert!(begun.elapsed() < WATCHDOG / 2);
    fails(set.operate(&[Op::add(0, 1), Op::zero(0).no_wait()]), libc::EAGAIN, "zero on 0");
    assert_eq!(set.values().unwrap(), [1, 0]);
    // In their order.
    set.operate(&[Op::add(1, 2), Op::add(1, -2), Op::zero(1)]).unwrap();
    // More than lie on the stack.
    set.operate(&[Op::add(1, 1); 100]).unwrap();
    assert_eq!(set.values().unwrap(), [1, 100]);
}

#[test]
fn timeout() {
    let key = SysvKey::default();
    let set = Set::options().values(&[0, 1]).open(*key).unwrap();
    fails(set.try_acquire(0), libc::EAGAIN, "it would have to wait");
    let begun = Instant::now();
    fails(set.acquire_until(0, soon()), libc::ETIMEDOUT, "the time is over: -1 on 0");
    assert!(begun.elapsed() >= Duration::from_millis(20));
    fails(set.acquire_until(0, Deadline::at_ns(5)), libc::ETIMEDOUT, "");
    fails(set.try_wait_zero(1), libc::EAGAIN, "");
    fails(set.wait_zero_until(1, soon()), libc::ETIMEDOUT, "zero on 1");
    set.try_wait_zero(0).unwrap();
    set.wait_zero(0).unwrap();
    let child = asleep(|| i32::from(set.acquire_until(0, late()).is_err()));
    set.release(0).unwrap();
    child.succeeds();
    let child = asleep(|| i32::from(set.wait_zero_until(1, late()).is_err()));
    set.acquire(1).unwrap();
    child.succeeds();
}

#[test]
fn who_waits() {
    let key = SysvKey::default();
    let set = Set::options().values(&[0, 1]).open(*key).unwrap();
    assert_eq!((set.waiting_for_increase(0).unwrap(), set.waiting_for_zero(1).unwrap()), (0, 0));
    let children = [asleep(|| i32::from(set.acquire(0).is_err())), asleep(|| i32::from(set.wait_zero(1).is_err()))];
    assert_eq!((set.waiting_for_increase(0).unwrap(), set.waiting_for_zero(0).unwrap()), (1, 0));
    assert_eq!((set.waiting_for_increase(1).unwrap(), set.waiting_for_zero(1).unwrap()), (0, 1));
    set.release(0).unwrap();
    set.set_value(1, 0).unwrap();
    let taker = children[0].id();
    children.into_iter().for_each(madang_tests::Child::succeeds);
    assert_eq!(set.pid(0).unwrap(), taker);
}

/// What a process has taken comes back when it is killed, if it said so.
#[test]
fn undo() {
    let key = SysvKey::default();
    let set = Set::options().values(&[1, 1]).open(*key).unwrap();
    let taken = Checkpoint::default();
    let child = fork(|| {
        set.operate(&[Op::add(0, -1).undo(), Op::add(1, -1)]).unwrap();
        taken.reach();
        loop {
            // SAFETY: no memory is passed.
            unsafe { libc::pause() };
        }
    });
    taken.wait();
    assert_eq!(set.values().unwrap(), [0, 0]);
    child.kill();
    assert_eq!(set.values().unwrap(), [1, 0]);
}

#[test]
fn removed_while_waiting() {
    for timed in [false, true] {
        let key = SysvKey::default();
        let set = Set::options().count(1).open(*key).unwrap();
        let child = asleep(|| {
            let outcome = if timed { set.acquire_until(0, late()) } else { set.acquire(0) };
            fails(outcome, libc::EIDRM, "it was removed");
            0
        });
        set.remove().unwrap();
        child.succeeds();
        fails(set.release(0), libc::EIDRM, "it was removed");
        fails(set.value(0), libc::EIDRM, "it was removed");
        fails(set.values(), libc::EIDRM, "it was removed");
        fails(set.set_values(&[1]), libc::EIDRM, "it was removed");
    }
}

#[test]
fn interrupted() {
    let key = SysvKey::default();
    let set = Set::options().count(1).open(*key).unwrap();
    for timed in [false, true] {
        let begun = Checkpoint::default();
        let child = fork(|| {
            let_sigusr1_interrupt();
            begun.reach();
            let outcome = if timed { set.acquire_until(0, late()) } else { set.acquire(0) };
            fails(outcome, libc::EINTR, "a signal handler ran while waiting");
            0
        });
        begun.wait();
        interrupt(child);
    }
}

#[test]
fn bad_input() {
    let key = SysvKey::default();
    fails(Set::open(*key), libc::ENOENT, "to create it, give it a count");
    fails(Set::options().create(Create::Only).open(*key), libc::EINVAL, "give the new set a count");
    fails(Set::open(Key::PRIVATE), libc::EINVAL, "give the new set a count");
    fails(Set::options().count(1 << 30).open(*key), libc::EINVAL, "see kernel.sem");
    fails(Set::options().count(2).value(32768).open(*key), libc::ERANGE, "at most 32767");
    let set = Set::options().count(2).open(*key).unwrap();
    fails(Set::options().count(3).open(*key), libc::EINVAL, "less than the 3 semaphores");
    fails(set.acquire(2), libc::EINVAL, "no semaphore 2 in its 2");
    fails(set.value(2), libc::EINVAL, "no semaphore 2 in its 2");
    fails(set.set_value(7, 0), libc::EINVAL, "no semaphore 7 in its 2");
    fails(set.pid(2), libc::EINVAL, "no semaphore 2");
    fails(set.set_value(0, 32768), libc::ERANGE, "at most 32767");
    fails(set.set_values(&[1]), libc::EINVAL, "1 values for its 2 semaphores");
    fails(set.set_values(&[1, 2, 3]), libc::EINVAL, "3 values for its 2 semaphores");
    fails(set.operate(&[]), libc::EINVAL, "no operations");
    fails(set.operate(&[Op::zero(0); 501]), libc::E2BIG, "501 operations");
    set.set_value(0, 32767).unwrap();
    fails(set.release(0), libc::ERANGE, "above 32767");
    assert_eq!(set.value(0).unwrap(), 32767);
}

#[test]
fn permissions() {
    let key = SysvKey::default();
    let set = Set::options().count(1).value(1).mode(0o604).open(*key).unwrap();
    as_nobody(|| {
        let set = Set::open(*key).unwrap();
        fails(set.try_acquire(0), libc::EACCES, "operate on semaphore set");
        fails(set.set_value(0, 1), libc::EACCES, "its mode does not permit it");
        assert_eq!(set.value(0).unwrap(), 1);
        fails(set.try_wait_zero(0), libc::EAGAIN, "");
    });
    set.change(Change::default().mode(0o600)).unwrap();
    as_nobody(|| {
        fails(Set::open(*key).unwrap().value(0), libc::EACCES, "its mode does not permit it");
    });
    // Without a right that its creator needs to give values.
    as_nobody(|| {
        let set = Set::options().values(&[3]).mode(0o400).open(Key::PRIVATE).unwrap();
        let values = (set.value(0).unwrap(), set.stat().unwrap().permissions.mode);
        set.remove().unwrap();
        assert_eq!(values, (3, 0o400));
    });
}

#[test]
fn stat() {
    let key = SysvKey::default();
    let set = Set::options().count(40).open(*key).unwrap();
    let told = set.stat().unwrap();
    assert_eq!((told.id, told.count), (set.id(), 40));
    assert!(told.operated_at != 0 && told.changed_at != 0, "others know by that that it was initialised");
    let big = Set::options().count(5000).value(2).open(Key::PRIVATE).unwrap();
    let values = big.values().unwrap();
    big.remove().unwrap();
    assert!(values.len() == 5000 && values.iter().all(|&value| value == 2), "more than operations at once");
}

/// Whoever opens takes and gives at once: a set that was seen without its value would fail, or be given it twice.
#[test]
fn nobody_sees_it_half_made() {
    for _ in 0..100 {
        let key = SysvKey::default();
        let go = Checkpoint::default();
        let children: Vec<_> = (0..4)
            .map(|_| {
                fork(|| {
                    go.wait();
                    let set = Set::options().count(1).value(4).open(*key).unwrap();
                    set.try_acquire(0).unwrap();
                    0
                })
            })
            .collect();
        children.iter().for_each(|_| go.reach());
        children.into_iter().for_each(madang_tests::Child::succeeds);
        assert_eq!(Set::open(*key).unwrap().value(0).unwrap(), 0);
    }
}

/// A creator that is killed between the call that makes the set and the one that gives it values; and between that and the one
/// that tells other programs.
#[test]
fn killed_creator() {
    for (dies_in, whole) in [(libc::SYS_semctl, false), (libc::SYS_semop, true), (libc::SYS_semtimedop, true)] {
        let key = SysvKey::default();
        let options = Set::options().values(&[2, 3]).patience(Duration::from_millis(30));
        let child = fork(|| {
            refuse(&[dies_in], 0);
            options.open(*key).unwrap();
            0
        });
        let mut status = 0;
        // SAFETY: `status` is a valid place for the answer.
        unsafe { libc::waitpid(child.id(), &raw mut status, 0) };
        std::mem::forget(child);
        if libc::WIFEXITED(status) {
            // It is by the other of the two that this C library does it.
            assert_ne!(dies_in, libc::SYS_semctl);
            continue;
        }
        assert_eq!(libc::WTERMSIG(status), libc::SIGSYS);
        let half = Set::options().patience(Duration::ZERO).open(*key).unwrap();
        if whole {
            assert_eq!(half.values().unwrap(), [2, 3]);
            let begun = Instant::now();
            assert!(!Set::options().open(*key).unwrap().is_new() && begun.elapsed() < Duration::from_millis(500));
            continue;
        }
        assert_eq!(half.values().unwrap(), [0, 0]);
        // Who can't create it says what is wrong.
        let begun = Instant::now();
        let only_opens = Set::options().patience(Duration::from_millis(30)).open(*key);
        fails(only_opens, libc::ETIMEDOUT, "its creator was killed");
        assert!(begun.elapsed() >= Duration::from_millis(30));
        as_nobody(|| {
            // Whom its mode lets look, but who may not remove it.
            half.change(Change::default().mode(0o666)).unwrap_err();
        });
        half.change(Change::default().mode(0o666)).unwrap();
        as_nobody(|| {
            fails(options.open(*key), libc::EPERM, "only its owner or root may remove it");
        });
        // Of many who come then, one makes it anew, and none sees the old one.
        let go = Checkpoint::default();
        let children: Vec<_> = (0..4)
            .map(|_| {
                fork(|| {
                    go.wait();
                    let set = options.open(*key).unwrap();
                    assert_ne!(set.id(), half.id());
                    assert_eq!(set.values().unwrap(), [2, 3]);
                    i32::from(set.is_new())
                })
            })
            .collect();
        children.iter().for_each(|_| go.reach());
        assert_eq!(children.into_iter().map(|child| child.wait_for(WATCHDOG)).sum::<i32>(), 1);
        fails(half.stat(), libc::EIDRM, "it was removed");
    }
}

/// A creator that is stopped there for longer than others are patient, and goes on when they have made the set anew.
#[test]
fn stopped_creator() {
    let key = SysvKey::default();
    let options = Set::options().values(&[2, 3]).patience(Duration::from_millis(30));
    let child = fork(|| {
        // SAFETY: no memory is passed.
        unsafe {
            assert_eq!(libc::ptrace(libc::PTRACE_TRACEME, 0, 0, 0), 0);
            libc::raise(libc::SIGSTOP);
        }
        let set = options.open(*key).unwrap();
        assert!(!set.is_new());
        set.acquire(0).unwrap();
        0
    });
    stop_before(&child, libc::SYS_semctl);
    let half = Set::options().patience(Duration::ZERO).open(*key).unwrap();
    let whole = options.open(*key).unwrap();
    assert!(whole.is_new() && whole.id() != half.id());
    assert_eq!(whole.values().unwrap(), [2, 3]);
    // SAFETY: the child is stopped and traced by this thread.
    assert_eq!(unsafe { libc::ptrace(libc::PTRACE_DETACH, child.id(), 0, 0) }, 0);
    child.succeeds();
    assert_eq!(whole.values().unwrap(), [1, 3], "given once, and taken from once");
}

/// Lets a child that is traced run until it is about to make this call, where it stays.
fn stop_before(child: &madang_tests::Child, call: libc::c_long) {
    let mut status = 0;
    // SAFETY: the child is this thread's to trace, `status` and `info` are valid places for the answers.
    unsafe {
        assert_eq!(libc::waitpid(child.id(), &raw mut status, 0), child.id());
        assert_eq!(libc::ptrace(libc::PTRACE_SETOPTIONS, child.id(), 0, libc::PTRACE_O_TRACESYSGOOD), 0);
        loop {
            assert!(libc::WIFSTOPPED(status), "it ended without the call: {status:#x}");
            let mut info: libc::ptrace_syscall_info = std::mem::zeroed();
            let size = size_of_val(&info);
            assert!(libc::ptrace(libc::PTRACE_GET_SYSCALL_INFO, child.id(), size, &raw mut info) >= 0);
            if info.op == libc::PTRACE_SYSCALL_INFO_ENTRY && info.u.entry.nr == call as u64 {
                return;
            }
            assert_eq!(libc::ptrace(libc::PTRACE_SYSCALL, child.id(), 0, 0), 0);
            assert_eq!(libc::waitpid(child.id(), &raw mut status, 0), child.id());
        }
    }
}

/// Sets of other programs, which give values by SETVAL, or use the zeros that there are, are taken as they are.
#[test]
fn foreign_sets() {
    // SAFETY: no memory is passed.
    let made = |key: Key| unsafe { libc::semget(key.number(), 2, 0o600 | libc::IPC_CREAT | libc::IPC_EXCL) };
    let begun = Instant::now();
    let opened = |key: Key, id: i32| {
        let set = Set::options().values(&[9, 9]).open(key).unwrap();
        assert!(set.id() == id && !set.is_new());
        set.values().unwrap()
    };
    let key = SysvKey::default();
    let id = made(*key);
    // SAFETY: no memory is passed.
    assert_eq!(unsafe { libc::semctl(id, 1, libc::SETVAL, 0) }, 0);
    assert_eq!(opened(*key, id), [0, 0], "it has the mark of who gave it a value, though it be 0");

    let key = SysvKey::default();
    let id = made(*key);
    let child = asleep(|| {
        let mut operation = libc::sembuf { sem_num: 1, sem_op: -1, sem_flg: 0 };
        // SAFETY: one operation.
        unsafe { libc::semop(id, &raw mut operation, 1) }
    });
    assert_eq!(opened(*key, id), [0, 0], "somebody waits for it");
    Set::from_id(id).unwrap().release(1).unwrap();
    child.succeeds();
    assert!(begun.elapsed() < Duration::from_millis(900), "nobody had to be patient");
}
