//! Who takes part: real processes that die, fork, exec, close everything, or are stopped.

use std::fs::OpenOptions;
use std::os::unix::fs::FileExt;
use std::sync::Barrier;
use std::thread;
use std::time::{Duration, Instant};

use madang::{Deadline, Queue, Select};
use madang_tests::{Checkpoint, Name, WATCHDOG, fork};

fn participants(queue: &Queue) -> u32 {
    queue.stat().unwrap().participants
}

/// The death of a process shows when its last thread is gone, which may be a moment after it was buried.
fn wait_for_participants(queue: &Queue, count: u32) {
    let begun = Instant::now();
    while participants(queue) != count {
        assert!(begun.elapsed() < WATCHDOG, "{} take part, not {count}", participants(queue));
        thread::sleep(Duration::from_millis(1));
    }
}

#[test]
fn a_killed_process_is_dead_even_as_a_zombie() {
    let name = Name::new("zombie");
    let queue = Queue::open(&name).unwrap();
    let joined = Checkpoint::default();
    let child = fork(|| {
        let _queue = Queue::open(&name).unwrap();
        joined.reach();
        thread::sleep(6 * WATCHDOG);
        1
    });
    joined.wait();
    assert_eq!(participants(&queue), 2);
    child.kill_unburied();
    wait_for_participants(&queue, 1);
}

#[test]
fn a_forked_child_takes_part_from_its_first_use() {
    let name = Name::new("forked");
    let queue = Queue::open(&name).unwrap();
    let (forked, used, go) = (Checkpoint::default(), Checkpoint::default(), Checkpoint::default());
    let child = fork(|| {
        forked.reach();
        go.wait();
        queue.send(1, b"from the child").unwrap();
        used.reach();
        go.wait();
        0
    });
    forked.wait();
    assert_eq!(participants(&queue), 1, "not before");
    go.reach();
    used.wait();
    assert_eq!(participants(&queue), 2);
    go.reach();
    child.succeeds();
    wait_for_participants(&queue, 1);
    assert_eq!(queue.recv(Select::Any).unwrap().data, b"from the child");
}

#[test]
fn a_child_that_outlives_its_parent_keeps_nothing_of_the_parents() {
    let name = Name::new("orphan");
    // The third gets the place that the dead one had.
    let queue = Queue::options().max_participants(2).open(&name).unwrap();
    let (ready, done) = (Checkpoint::default(), Checkpoint::default());
    let middle = fork(|| {
        let inherited = Queue::open(&name).unwrap();
        // Not through `fork`, whose child dies with its parent. It never uses the handle.
        // SAFETY: the child only waits and leaves.
        if unsafe { libc::fork() } == 0 {
            ready.reach();
            done.wait();
            // Nor does it give the parent's place back.
            drop(inherited);
            ready.reach();
            // SAFETY: the end of the child.
            unsafe { libc::_exit(0) };
        }
        thread::sleep(6 * WATCHDOG);
        1
    });
    ready.wait();
    assert_eq!(participants(&queue), 2);
    middle.kill();
    wait_for_participants(&queue, 1);
    let third = Queue::open(&name).unwrap();
    assert_eq!(participants(&queue), 2);
    done.reach();
    ready.wait();
    assert_eq!(participants(&third), 2, "the grandchild's end took nobody's place away");
}

#[test]
fn exec_ends_it() {
    let name = Name::new("exec");
    let queue = Queue::open(&name).unwrap();
    let (joined, execed) = (Checkpoint::default(), Checkpoint::default());
    let child = fork(|| {
        let _queue = Queue::open(&name).unwrap();
        joined.reach();
        let _failed = std::os::unix::process::CommandExt::exec(
            std::process::Command::new("/bin/sh").args(["-c", "echo ; exec sleep 60"]).stdout(execed.writer()),
        );
        1
    });
    joined.wait();
    execed.wait();
    assert_eq!(participants(&queue), 1);
    assert_ne!(child.state(), 'Z', "it runs, as another program");
}

#[test]
fn it_survives_closefrom() {
    let name = Name::new("closefrom");
    let queue = Queue::options().capacity(8 << 20).open(&name).unwrap();
    let closed = Name::new("closefrom-done");
    let back = Queue::open(&closed).unwrap();
    let child = fork(|| {
        let inner = Queue::open(&name).unwrap();
        // SAFETY: a daemon's way; the child uses no descriptor of its own afterwards.
        unsafe { libc::syscall(libc::SYS_close_range, 0, u32::MAX, 0) };
        // Its numbers are something else now.
        // SAFETY: the path is a C string.
        let others: Vec<_> = (0..20).map(|_| unsafe { libc::open(c"/dev/null".as_ptr(), libc::O_RDWR) }).collect();
        back.send(1, b"closed").unwrap();
        // New space must be taken, though the descriptor is gone.
        inner.send(1, &vec![9; 4 << 20]).unwrap();
        if back.recv_timeout(Select::Any, WATCHDOG).is_err() || inner.stat().unwrap().participants != 2 {
            return 1;
        }
        drop(inner);
        // SAFETY: no memory is passed.
        i32::from(!others.iter().all(|&fd| unsafe { libc::fcntl(fd, libc::F_GETFD) } >= 0))
    });
    assert_eq!(back.recv_timeout(Select::Any, WATCHDOG).unwrap().data, b"closed");
    assert_eq!(queue.recv_timeout(Select::Any, WATCHDOG).unwrap().data, vec![9; 4 << 20]);
    assert_eq!(participants(&queue), 2, "its lock needs no descriptor");
    back.send(1, b"go").unwrap();
    child.succeeds();
}

#[test]
fn a_full_roster_is_told_and_the_dead_make_room() {
    let name = Name::new("roster");
    let queue = Queue::options().max_participants(3).open(&name).unwrap();
    let joined = Checkpoint::default();
    let child = fork(|| {
        let _both = [Queue::open(&name).unwrap(), Queue::open(&name).unwrap()];
        joined.reach();
        thread::sleep(6 * WATCHDOG);
        1
    });
    joined.wait();
    let error = Queue::open(&name).unwrap_err();
    assert_eq!(error.errno(), libc::EUSERS, "{error}");
    child.kill_unburied();
    wait_for_participants(&queue, 1);
    let again = [Queue::open(&name).unwrap(), Queue::open(&name).unwrap()];
    assert_eq!(participants(&queue), 3);
    drop(again);
    assert_eq!(participants(&queue), 1);
}

/// All threads of one process open and close at once.
#[test]
fn joining_at_once() {
    let name = Name::new("joining");
    let queue = Queue::options().max_participants(64).open(&name).unwrap();
    let barrier = Barrier::new(8);
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                barrier.wait();
                for _ in 0..200 {
                    let one = Queue::open(&name).unwrap();
                    let two = Queue::open(&name).unwrap();
                    one.send(1, b"x").unwrap();
                    two.recv(Select::Any).unwrap();
                }
            });
        }
    });
    assert_eq!(participants(&queue), 1);
}

/// Whoever makes the name first, all get the same queue, and nobody sees a half-made one.
#[test]
fn creating_at_once() {
    for _ in 0..50 {
        let name = Name::new("creating");
        let start = Checkpoint::default();
        let children: Vec<_> = (0..6)
            .map(|_| {
                fork(|| {
                    start.wait();
                    Queue::open(&name).and_then(|queue| queue.send(1, b"here")).map_or(1, |()| 0)
                })
            })
            .collect();
        children.iter().for_each(|_| start.reach());
        children.into_iter().for_each(madang_tests::Child::succeeds);
        assert_eq!(Queue::open(&name).unwrap().len(), 6);
    }
}

/// Where the senders' lock lies (docs/layout.md).
const SENDERS_LOCK: u64 = 640;
const RECEIVERS_LOCK: u64 = 768;

/// Gives the senders' lock to slot `slot`, in its first generation.
fn give_lock_to(name: &Name, slot: u32) {
    let file = OpenOptions::new().write(true).open(name.queue_path()).unwrap();
    file.write_all_at(&(1u32 << 16 | (slot + 1)).to_ne_bytes(), SENDERS_LOCK).unwrap();
}

/// A child joins, and dies without giving its place back.
fn die_as_a_participant(name: &str) {
    let child = fork(|| {
        Queue::open(name).map_or(1, |queue| {
            std::mem::forget(queue);
            0
        })
    });
    child.succeeds();
}

#[test]
fn a_lock_that_the_living_hold_is_waited_for() {
    let name = Name::new("held");
    let queue = Queue::open(&name).unwrap();
    let _other = Queue::open(&name).unwrap();
    queue.send(1, b"before").unwrap();
    give_lock_to(&name, 1);
    let begun = Instant::now();
    assert_eq!(queue.send_until(1, b"x", Deadline::INSTANT).unwrap_err().errno(), libc::EBUSY);
    assert_eq!(queue.send_timeout(1, b"x", Duration::from_millis(20)).unwrap_err().errno(), libc::ETIMEDOUT);
    assert!(begun.elapsed() < Duration::from_secs(1));
    let begun = Instant::now();
    let error = queue.try_send(1, b"x").unwrap_err();
    assert_eq!(error.errno(), libc::EBUSY, "{error}");
    assert!(begun.elapsed() >= Duration::from_secs(1), "a try waits a second for one small copy");
    assert_eq!(queue.recv(Select::Any).unwrap().data, b"before", "receivers don't need it");
    assert_eq!(queue.stat().unwrap().repairs, 0);
}

/// By every way of sending, also by those that never sleep.
#[test]
fn a_lock_that_the_dead_held_is_taken_over() {
    let name = Name::new("inherited");
    let queue = Queue::open(&name).unwrap();
    die_as_a_participant(&name);
    for (repairs, deadline) in
        [Deadline::INSTANT, Deadline::NOW, Deadline::after(WATCHDOG), Deadline::NEVER].into_iter().enumerate()
    {
        give_lock_to(&name, 1);
        queue.send_until(1, b"x", deadline).unwrap();
        assert_eq!(queue.stat().unwrap().repairs, repairs as u64 + 1);
    }
    assert_eq!(queue.len(), 4);
}

/// The number of a closed descriptor may be another queue's now, in which the slot in question lives.
#[test]
fn a_strangers_descriptor_is_not_believed() {
    let (name, other) = (Name::new("closed"), Name::new("reused"));
    let child = fork(|| {
        let queue = Queue::open(&name).unwrap();
        die_as_a_participant(&name);
        // SAFETY: a daemon's way; the child uses no descriptor of its own afterwards.
        unsafe { libc::syscall(libc::SYS_close_range, 0, u32::MAX, 0) };
        let _of_any_number = [(); 100].map(|()| Queue::open(&other).unwrap());
        give_lock_to(&name, 1);
        let sent = queue.send_timeout(1, b"x", Duration::from_secs(2));
        i32::from(sent.is_err() || queue.stat().unwrap().participants != 1)
    });
    child.succeeds();
}

/// A participant whose lock was taken from it while it worked touches nothing more, and says so.
#[test]
fn who_was_presumed_dead_is_told() {
    let name = Name::new("disowned");
    const LENGTH: usize = 32 << 20;
    let queue = Queue::options().capacity(LENGTH as u64).open(&name).unwrap();
    let file = OpenOptions::new().read(true).open(name.queue_path()).unwrap();
    fork(|| Queue::open(&name).map_or(1, |_| 0)).succeeds();
    let inside = || {
        let mut word = [0; 4];
        file.read_exact_at(&mut word, RECEIVERS_LOCK).unwrap();
        u32::from_ne_bytes(word) != 0
    };
    queue.send(1, &vec![1; LENGTH]).unwrap();
    let mut buffer = vec![0; LENGTH];
    // To look at a long message takes long, inside.
    for _ in 0..100 {
        let error = thread::scope(|scope| {
            let looker = scope.spawn(|| queue.peek_into(0, &mut buffer));
            while !inside() && !looker.is_finished() {}
            // As if another had found it dead: the word names somebody else now, who is dead himself.
            if !looker.is_finished() {
                write_at(&open_file(&name), RECEIVERS_LOCK, FIRST + 1);
            }
            looker.join().unwrap().err()
        });
        if let Some(error) = error {
            assert_eq!(error.errno(), libc::EOWNERDEAD, "{error}");
            assert_eq!(queue.try_send(1, b"x").unwrap_err().errno(), libc::EOWNERDEAD, "it does nothing more");
            let again = Queue::open(&name).unwrap();
            assert_eq!(again.recv(Select::Any).unwrap().data.len(), LENGTH, "the others go on");
            return;
        }
        // It was done before the word changed.
        Queue::open(&name).unwrap().peek(1).unwrap_err();
    }
    panic!("it was never caught inside");
}

/// A stopped process lives: what it holds is waited for to the deadline, not taken. And when it goes on, nothing is lost.
#[test]
fn a_stopped_participant_is_waited_for() {
    let name = Name::new("stopped");
    let queue = Queue::options().capacity(1 << 16).open(&name).unwrap();
    let child = fork(|| {
        for index in 0.. {
            queue.send(1, &madang_tests::payload(0, index, 12)).unwrap();
        }
        0
    });
    let (mut next, mut blocked, mut longest) = (0, 0, Duration::ZERO);
    for _ in 0..200 {
        child.signal(libc::SIGSTOP);
        while child.state() != 'T' {
            thread::yield_now();
        }
        // It may have been stopped while it held the senders' lock; receivers don't need that.
        while let Ok(message) = queue.try_recv(Select::Any) {
            assert_eq!(madang_tests::origin(&message.data), (0, next));
            next += 1;
        }
        let begun = Instant::now();
        match queue.send_timeout(2, &madang_tests::payload(1, 0, 12), Duration::from_millis(15)) {
            Ok(()) => assert_eq!(queue.recv(Select::Any).unwrap().mtype, 2),
            Err(error) => {
                assert_eq!(error.errno(), libc::ETIMEDOUT, "{error}");
                blocked += 1;
            }
        }
        longest = longest.max(begun.elapsed());
        child.signal(libc::SIGCONT);
        let message = queue.recv_timeout(Select::Any, WATCHDOG).unwrap();
        assert_eq!(madang_tests::origin(&message.data), (0, next));
        next += 1;
    }
    println!(
        "{next} messages; stopped inside the senders' lock {blocked} times of 200; the longest send took {longest:?}"
    );
    assert_eq!(queue.stat().unwrap().repairs, 0, "nothing was taken from the living");
}

/// The word of the first participant: generation 1, slot 0.
const FIRST: u32 = 1 << 16 | 1;
/// A participant that never was.
const NOBODY: u32 = 9 << 16 | 9;

fn write_at(file: &std::fs::File, offset: u64, word: u32) {
    std::os::unix::fs::FileExt::write_all_at(file, &word.to_ne_bytes(), offset).unwrap();
}

fn write_lock(file: &std::fs::File, word: u32) {
    write_at(file, SENDERS_LOCK, word);
}

fn open_file(name: &Name) -> std::fs::File {
    std::fs::File::options().read(true).write(true).open(name.queue_path()).unwrap()
}

/// Who can't ask any more, because the program closed its descriptors and the name is gone or leads elsewhere, believes nobody dead.
#[test]
fn in_doubt_one_lives() {
    for remade in [false, true] {
        let name = Name::new("doubt");
        let _first = Queue::open(&name).unwrap();
        let file = open_file(&name);
        let (joined, go) = (Checkpoint::default(), Checkpoint::default());
        let child = fork(|| {
            let queue = Queue::open(&name).unwrap();
            joined.reach();
            go.wait();
            // SAFETY: a daemon's way; the child uses no descriptor of its own afterwards.
            unsafe { libc::syscall(libc::SYS_close_range, 0, u32::MAX, 0) };
            let error =
                queue.send_timeout(1, b"x", Duration::from_millis(50)).map_or_else(|error| error.errno(), |()| 0);
            i32::from(error != libc::ETIMEDOUT)
        });
        joined.wait();
        Queue::unlink(&name).unwrap();
        if remade {
            drop(Queue::open(&name).unwrap());
        }
        // As if the first were inside.
        write_lock(&file, FIRST);
        go.reach();
        child.succeeds();
    }
}

/// A lock whose word names nobody, or somebody who never was, is taken over.
#[test]
fn a_lock_that_nobody_can_hold_is_taken() {
    let name = Name::new("nobody");
    let queue = Queue::open(&name).unwrap();
    // What somebody kept who isn't inside needs no repair, whoever that was.
    let kept = 1 << 30;
    let words = [(1, NOBODY), (2, 7 << 16), (3, !kept), (4, FIRST + (1 << 16)), (4, u32::MAX), (4, NOBODY | kept)];
    for (repairs, word) in words {
        write_lock(&open_file(&name), word);
        queue.try_send(1, b"x").unwrap();
        assert_eq!(queue.stat().unwrap().repairs, repairs, "{word:#x}");
    }
}

/// A taker settles what the dead owner of its slot held, so that nobody waits until somebody asks.
#[test]
fn who_takes_a_dead_ones_place_frees_its_locks() {
    let name = Name::new("estate");
    let queue = Queue::options().max_participants(2).open(&name).unwrap();
    let child = fork(|| {
        let _queue = Queue::open(&name).unwrap();
        // As if it were killed inside: generation 1, slot 1.
        write_lock(&open_file(&name), 1 << 16 | 2);
        0
    });
    child.succeeds();
    let _heir = Queue::open(&name).unwrap();
    assert_eq!(queue.stat().unwrap().repairs, 1, "before anybody asked for it");
    queue.send_until(1, b"x", madang::Deadline::INSTANT).unwrap();
    assert_eq!(queue.stat().unwrap().repairs, 1);
}

/// Children forked at any moment of another thread's joining keep nothing of it.
#[test]
fn a_fork_while_another_thread_joins_keeps_no_place() {
    let name = Name::new("fork-join");
    let queue = Queue::options().max_participants(2).open(&name).unwrap();
    let stop = std::sync::atomic::AtomicBool::new(false);
    thread::scope(|scope| {
        let joins = scope.spawn(|| {
            let mut joins = 0;
            while !stop.load(std::sync::atomic::Ordering::Relaxed) {
                Queue::open(&name)?;
                joins += 1;
            }
            Ok::<_, madang::Error>(joins)
        });
        let children: Vec<_> = (0..300)
            .map(|_| {
                fork(|| {
                    thread::sleep(6 * WATCHDOG);
                    1
                })
            })
            .collect();
        stop.store(true, std::sync::atomic::Ordering::Relaxed);
        let joins = joins.join().unwrap().expect("the only place is free whenever it was given back");
        println!("{joins} joins during {} forks", children.len());
    });
    assert_eq!(participants(&queue), 1);
}

/// A slot changes hands at once and under contention: nobody loses the place that he just took.
#[test]
fn one_place_for_many() {
    let name = Name::new("one-place");
    let _queue = Queue::options().max_participants(2).open(&name).unwrap();
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let mut had = 0;
                while had < 1000 {
                    match Queue::open(&name) {
                        Ok(mine) => {
                            (0..5).for_each(|_| assert_eq!(participants(&mine), 2, "the other and I"));
                            had += 1;
                        }
                        Err(error) => assert_eq!(error.errno(), libc::EUSERS, "{error}"),
                    }
                }
            });
        }
    });
}

extern "C" fn fork_past_the_handlers(_: libc::c_int) {
    // SAFETY: the child, which has copies of everything, only waits for its parent's death.
    unsafe {
        if libc::syscall(libc::SYS_clone, libc::SIGCHLD, 0, 0, 0, 0) == 0 {
            libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL);
            loop {
                libc::pause();
            }
        }
    }
}

/// A signal handler that forks, at any moment of the thread's own joining: the child keeps nothing of it.
#[test]
fn a_signal_handler_that_forks_keeps_no_place() {
    let name = Name::new("fork-signal");
    let _queue = Queue::options().max_participants(2).open(&name).unwrap();
    let ready = Checkpoint::default();
    let child = fork(|| {
        // SAFETY: all-zero is a valid sigaction; the handler only makes system calls.
        unsafe {
            let mut action: libc::sigaction = std::mem::zeroed();
            action.sa_sigaction = fork_past_the_handlers as *const () as usize;
            action.sa_flags = libc::SA_RESTART;
            libc::sigaction(libc::SIGUSR1, &raw const action, std::ptr::null_mut());
        }
        ready.reach();
        for _ in 0..2000 {
            if Queue::open(&name).is_err() {
                return 1;
            }
        }
        0
    });
    ready.wait();
    for _ in 0..100 {
        child.signal(libc::SIGUSR1);
        thread::sleep(Duration::from_micros(300));
    }
    child.succeeds();
}

#[test]
fn who_takes_part_is_told() {
    let name = Name::new("roll");
    let before = Deadline::after(Duration::from_nanos(1)).as_ns();
    let queue = Queue::options().max_participants(3).open(&name).unwrap();
    let joined = Checkpoint::default();
    let child = fork(|| {
        let _queue = Queue::open(&name).unwrap();
        joined.reach();
        thread::sleep(6 * WATCHDOG);
        1
    });
    joined.wait();
    let find = |pid: u32| queue.participants().unwrap().into_iter().find(|who| who.pid == pid).unwrap();
    let (me, other) = (std::process::id(), child.id() as u32);
    assert_eq!(queue.participants().unwrap().len(), 2);
    assert!(find(me).is_me && find(me).lives && !find(other).is_me && find(other).lives);
    let now = Deadline::after(Duration::from_nanos(1)).as_ns();
    assert!(
        before <= find(me).joined_ns && find(me).joined_ns <= find(other).joined_ns && find(other).joined_ns <= now
    );
    child.kill();
    wait_for_participants(&queue, 1);
    assert!(!find(other).lives, "the dead are told until somebody has their place");
    let handles = [(); 2].map(|()| Queue::open(&name).unwrap());
    assert!(queue.participants().unwrap().iter().all(|who| who.pid == me && who.lives));
    assert_eq!(queue.participants().unwrap().iter().filter(|who| who.is_me).count(), 1);
    drop(handles);
    assert_eq!(queue.participants().unwrap().len(), 1);
}
