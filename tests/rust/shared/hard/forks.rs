//! All ways to make a process: what the child may do, and that nobody takes parent or child for dead or alive wrongly.

use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use madang::{Mutex, Operation, Queue, Select, SemaphoreSet};
use madang_tests::{Checkpoint, Name, WATCHDOG, fork};

use super::holds;

/// The death of a process shows when its last thread is gone, which may be a moment after it was buried.
#[track_caller]
fn wait_for_participants(queue: &Queue, count: u32) {
    let begun = Instant::now();
    while queue.stat().unwrap().participants != count {
        assert!(begun.elapsed() < WATCHDOG, "{} take part, not {count}", queue.stat().unwrap().participants);
        thread::sleep(Duration::from_millis(1));
    }
}

/// A program that runs for long, and ends when its input does: with whoever holds the other end.
fn cat() -> Command {
    let mut command = Command::new("cat");
    command.stdin(Stdio::piped()).stdout(Stdio::null());
    command
}

/// A program that is being started has copies of all descriptors until it begins; also of one that was just about to be closed.
fn open_soon(name: &Name) -> Queue {
    let begun = Instant::now();
    loop {
        match Queue::open(name) {
            Err(error) if error.errno() == libc::EUSERS && begun.elapsed() < WATCHDOG => thread::yield_now(),
            opened => return opened.unwrap(),
        }
    }
}

/// Programs started at every moment of another thread's joining: by `posix_spawn`, and by fork and exec. They keep nothing
/// of it, though they outlive who started them.
#[test]
fn programs_that_are_started_meanwhile() {
    for with_fork in [false, true] {
        let name = Name::new("spawn");
        let queue = Queue::options().max_participants(2).open(&name).unwrap();
        let (ready, done) = (Checkpoint::default(), Checkpoint::default());
        let parent = fork(|| {
            let stop = AtomicBool::new(false);
            let mut programs = thread::scope(|scope| {
                let joins = scope.spawn(|| {
                    while !stop.load(Ordering::Relaxed) {
                        // There is one place. It is free again when what was started meanwhile has begun.
                        drop(open_soon(&name));
                    }
                });
                let start = |_| {
                    let mut command = cat();
                    if with_fork {
                        // SAFETY: it does nothing, but is done between fork and exec.
                        unsafe { command.pre_exec(|| Ok(())) };
                    }
                    command.spawn().unwrap()
                };
                let programs: Vec<_> = (0..100).map(start).collect();
                stop.store(true, Ordering::Relaxed);
                joins.join().unwrap();
                programs
            });
            // One of its own, in which it is killed, while the programs live.
            std::mem::forget(open_soon(&name));
            ready.reach();
            done.wait();
            programs.iter_mut().for_each(|program| drop(program.kill()));
            1
        });
        ready.wait();
        assert_eq!(queue.stat().unwrap().participants, 2);
        parent.kill();
        wait_for_participants(&queue, 1);
        holds(&queue, &[]);
    }
}

/// A daemon as they are made: forked twice, in a session of its own, all descriptors closed; of its parents none is left. It
/// goes on with what it was forked with.
#[test]
fn a_daemon() {
    let names = [Name::new("daemon"), Name::new("daemon-back")];
    let [queue, back] = [0, 1].map(|index| Queue::open(&names[index]).unwrap());
    let set = SemaphoreSet::options().values(&[1]).open(&names[0]).unwrap();
    let mutex = Mutex::open(&names[0]).unwrap();
    let middle = fork(|| {
        // SAFETY: as daemons do; the second child uses nothing but madang, and leaves by `_exit`.
        unsafe {
            libc::setsid();
            if libc::fork() != 0 {
                libc::_exit(0);
            }
            libc::syscall(libc::SYS_close_range, 0, u32::MAX, 0);
            libc::chdir(c"/".as_ptr());
        }
        let works = || -> madang::Result<std::convert::Infallible> {
            set.operate(&[Operation::acquire(0, 1).undo()])?;
            std::mem::forget(mutex.lock()?);
            back.send(1, &std::process::id().to_ne_bytes())?;
            loop {
                let message = queue.recv_timeout(Select::Any, WATCHDOG)?;
                back.send(message.mtype, &message.data)?;
            }
        };
        let Err(failed) = works();
        // SAFETY: the end of the daemon, if nobody killed it before.
        unsafe { libc::_exit(failed.errno()) }
    });
    let pid = back.recv_timeout(Select::Any, WATCHDOG).unwrap().data;
    let pid = i32::from_ne_bytes(pid.try_into().unwrap());
    middle.succeeds();
    for length in [1, 1000, 100_000] {
        queue.send(7, &vec![7; length]).unwrap();
        assert_eq!(back.recv_timeout(Select::Any, WATCHDOG).unwrap().data, vec![7; length]);
    }
    assert_eq!((queue.stat().unwrap().participants, set.stat().unwrap().participants), (2, 2));
    assert_eq!(set.try_acquire(0).unwrap_err().errno(), libc::EAGAIN);
    assert_eq!(mutex.try_lock().unwrap_err().errno(), libc::EAGAIN);
    // SAFETY: no memory is passed; it is the daemon's number, which lives.
    assert_eq!(unsafe { libc::kill(pid, libc::SIGKILL) }, 0);
    set.acquire_timeout(0, WATCHDOG).unwrap();
    assert!(mutex.lock_timeout(WATCHDOG).unwrap().owner_died());
    wait_for_participants(&queue, 1);
    holds(&queue, &[]);
}

/// A daemon whose objects were unlinked before it first used them has no way to join them, and says so.
#[test]
fn a_daemon_that_comes_too_late() {
    let name = Name::new("daemon-late");
    let queue = Queue::open(&name).unwrap();
    let set = SemaphoreSet::options().values(&[1]).open(&name).unwrap();
    let mutex = Mutex::open(&name).unwrap();
    Queue::unlink(&name).and(SemaphoreSet::unlink(&name)).and(Mutex::unlink(&name)).unwrap();
    let child = fork(|| {
        // SAFETY: a daemon's way.
        unsafe { libc::syscall(libc::SYS_close_range, 0, u32::MAX, 0) };
        let told = [
            queue.try_send(1, b"x").err(),
            queue.try_recv(Select::Any).err(),
            set.try_acquire(0).err(),
            mutex.try_lock().map(drop).err(),
        ];
        i32::from(!told.iter().flatten().all(|error| error.errno() == libc::ENOENT) || told.iter().any(Option::is_none))
    });
    child.succeeds();
    assert_eq!((queue.stat().unwrap().participants, set.values().unwrap()), (1, vec![1]));
    holds(&queue, &[]);
}

/// A child forked at any moment of other threads' work uses all that they work with; nobody waits for what a thread of the
/// parent's held.
#[test]
fn forked_in_the_middle_of_everything() {
    const CHILDREN: u64 = 100;
    let names = [Name::new("middle"), Name::new("middle-other")];
    let [queue, other] = [0, 1].map(|index| Queue::options().capacity(100_000).open(&names[index]).unwrap());
    let set = SemaphoreSet::options().values(&[2]).open(&names[0]).unwrap();
    let mutex = Mutex::open(&names[0]).unwrap();
    let stop = AtomicBool::new(false);
    let work: [&(dyn Fn() + Sync); 4] = [
        &|| {
            other.try_send(1, &[1; 5000]).unwrap();
            drop(other.try_lease(Select::Type(1)).unwrap());
            assert_eq!(other.try_recv(Select::Type(1)).unwrap().data.len(), 5000);
        },
        &|| {
            set.acquire_timeout(0, WATCHDOG).unwrap();
            set.release(0).unwrap();
        },
        &|| drop(mutex.lock_timeout(WATCHDOG).unwrap()),
        &|| {
            Queue::open(&names[1]).unwrap().recv_fd().unwrap();
        },
    ];
    thread::scope(|scope| {
        for work in work {
            let stop = &stop;
            scope.spawn(move || {
                while !stop.load(Ordering::Relaxed) {
                    work();
                }
            });
        }
        for index in 0..CHILDREN {
            let child = fork(|| {
                other.try_send(2, b"from a child").unwrap();
                set.operate_timeout(&[Operation::acquire(0, 1).undo()], WATCHDOG).unwrap();
                // A thread of the parent's may have it, and is no thread of the child's.
                drop(mutex.lock_timeout(WATCHDOG).unwrap());
                queue.recv_fd().unwrap();
                queue.try_send(1, &index.to_ne_bytes()).unwrap();
                0
            });
            child.succeeds();
        }
        stop.store(true, Ordering::Relaxed);
    });
    for index in 0..CHILDREN {
        assert_eq!(queue.try_recv(Select::Any).unwrap().data, index.to_ne_bytes());
        assert_eq!(other.try_recv(Select::Type(2)).unwrap().data, b"from a child");
    }
    assert_eq!(set.values().unwrap(), [2]);
    assert!(!mutex.try_lock().unwrap().owner_died());
    for queue in [&queue, &other] {
        assert_eq!(queue.stat().unwrap().participants, 1);
        holds(queue, &[]);
    }
}
