//! Waiting for a queue by a descriptor: in poll, select and epoll; who is killed, forked, unlinked, or has no descriptors left.

use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use madang::{Deadline, Queue, Segment, Select, Watcher};
use madang_tests::{Checkpoint, Name, Random, WATCHDOG, fork, origin, payload};

/// Less than the 250 ms in which a timer heals what was missed.
const SOON: Duration = Duration::from_millis(200);

/// Whether it is readable, or becomes so within `timeout`.
fn is_readable(fd: BorrowedFd, timeout: Duration) -> bool {
    poll(fd.as_raw_fd(), timeout) == libc::POLLIN
}

fn poll(fd: RawFd, timeout: Duration) -> i16 {
    let mut poll = libc::pollfd { fd, events: libc::POLLIN, revents: 0 };
    // SAFETY: one valid pollfd.
    assert!(unsafe { libc::poll(&raw mut poll, 1, timeout.as_millis() as i32) } >= 0);
    poll.revents
}

fn is_readable_now(fd: BorrowedFd) -> bool {
    is_readable(fd, Duration::ZERO)
}

/// It is asked until it finds nothing, and then is not readable. (A timer may come in between, on a machine that is busy.)
fn drain(queue: &Queue) -> Vec<Vec<u8>> {
    let mut found = Vec::new();
    loop {
        match queue.try_recv(Select::Any) {
            Ok(message) => found.push(message.data),
            Err(error) => {
                assert_eq!(error.errno(), libc::EAGAIN);
                return found;
            }
        }
    }
}

#[test]
fn smoke() {
    let name = Name::new("fd-smoke");
    let queue = Queue::open(&name).unwrap();
    let fd = queue.recv_fd().unwrap();
    assert!(is_readable_now(fd), "a new one says: try");
    assert!(drain(&queue).is_empty());
    assert!(!is_readable_now(fd));
    for round in 0..3 {
        queue.send(1, b"one").unwrap();
        assert!(is_readable_now(fd), "round {round}");
        queue.send(1, b"two").unwrap();
        assert_eq!(queue.try_recv(Select::Any).unwrap().data, b"one");
        assert!(is_readable_now(fd), "there is more");
        assert_eq!(drain(&queue), [b"two"]);
        assert!(!is_readable_now(fd));
    }
    assert_eq!(queue.recv_fd().unwrap().as_raw_fd(), fd.as_raw_fd(), "it is the handle's");
}

/// What is there when the descriptor is first asked for shows, and so does what came while nobody tried.
#[test]
fn messages_from_before() {
    let name = Name::new("fd-before");
    let (queue, other) = (Queue::open(&name).unwrap(), Queue::open(&name).unwrap());
    queue.send(1, b"before").unwrap();
    let fd = queue.recv_fd().unwrap();
    assert!(is_readable_now(fd));
    assert_eq!(drain(&queue), [b"before"]);
    other.send(1, b"after").unwrap();
    assert!(is_readable_now(fd));
    assert_eq!(queue.recv(Select::Any).unwrap().data, b"after");
}

#[test]
fn room_to_send() {
    let name = Name::new("fd-room");
    let queue = Queue::options().capacity(100).open(&name).unwrap();
    let fd = queue.send_fd().unwrap();
    assert!(is_readable_now(fd));
    queue.try_send(1, &[1; 60]).unwrap();
    assert!(is_readable_now(fd), "nobody was told that there is no room");
    queue.try_send(1, &[2; 30]).unwrap();
    assert_eq!(queue.try_send(1, &[3; 50]).unwrap_err().errno(), libc::EAGAIN);
    assert!(!is_readable_now(fd));
    assert_eq!(queue.recv(Select::Any).unwrap().data, [1; 60]);
    assert!(is_readable_now(fd));
    queue.try_send(1, &[3; 50]).unwrap();
    // A long message, which goes by another way.
    let name = Name::new("fd-room-long");
    let queue = Queue::options().capacity(100_000).open(&name).unwrap();
    let fd = queue.send_fd().unwrap();
    queue.try_send(1, &[1; 60_000]).unwrap();
    assert_eq!(queue.try_send(1, &[2; 60_000]).unwrap_err().errno(), libc::EAGAIN);
    assert!(!is_readable_now(fd));
    assert_eq!(queue.recv(Select::Any).unwrap().data, [1; 60_000]);
    assert!(is_readable_now(fd));
    queue.try_send(1, &[2; 60_000]).unwrap();
}

/// A time-out is a try that found nothing, too.
#[test]
fn a_timeout_silences() {
    let name = Name::new("fd-timeout");
    let queue = Queue::options().capacity(10).open(&name).unwrap();
    let (receive, send) = (queue.recv_fd().unwrap(), queue.send_fd().unwrap());
    let soon = || Deadline::after(Duration::from_millis(1));
    assert_eq!(queue.recv_until(Select::Any, soon()).unwrap_err().errno(), libc::ETIMEDOUT);
    assert!(!is_readable_now(receive));
    queue.send(1, &[0; 10]).unwrap();
    assert!(is_readable_now(receive));
    assert_eq!(queue.send_until(1, &[0; 10], soon()).unwrap_err().errno(), libc::ETIMEDOUT);
    assert!(!is_readable_now(send));
    queue.recv(Select::Any).unwrap();
    assert!(is_readable_now(send));
}

/// Who wants a type is told of that type.
#[test]
fn types() {
    let name = Name::new("fd-types");
    let queue = Queue::open(&name).unwrap();
    let fd = queue.recv_fd().unwrap();
    assert!(queue.try_recv(Select::Type(2)).is_err());
    queue.send(1, b"one").unwrap();
    assert!(!is_readable_now(fd));
    queue.send(2, b"two").unwrap();
    assert!(is_readable_now(fd));
    assert_eq!(queue.try_recv(Select::Type(2)).unwrap().data, b"two");
    assert!(queue.try_recv(Select::Type(2)).is_err());
    // A lease that is given back.
    let lease = queue.lease(Select::Any).unwrap();
    assert!(queue.try_recv(Select::Any).is_err());
    assert!(!is_readable_now(fd));
    drop(lease);
    assert!(is_readable_now(fd));
}

/// A message that the buffer is too small for is still there.
#[test]
fn too_small_a_buffer() {
    let name = Name::new("fd-small");
    let queue = Queue::open(&name).unwrap();
    let fd = queue.recv_fd().unwrap();
    drain(&queue);
    queue.send(1, &[0; 100]).unwrap();
    for _ in 0..3 {
        let error = queue.recv_into(Select::Any, &mut [0; 10], Deadline::NOW).unwrap_err();
        assert_eq!(error.errno(), libc::E2BIG);
        assert!(is_readable_now(fd));
    }
}

/// Both ends of epoll: level and edge.
#[test]
fn epoll() {
    let name = Name::new("fd-epoll");
    let queue = Queue::open(&name).unwrap();
    let fd = queue.recv_fd().unwrap();
    drain(&queue);
    for edge in [0, libc::EPOLLET] {
        // SAFETY: no memory is passed; the event is valid for the call.
        let epoll = unsafe {
            let epoll = libc::epoll_create1(libc::EPOLL_CLOEXEC);
            let mut event = libc::epoll_event { events: (libc::EPOLLIN | edge) as u32, u64: 7 };
            assert_eq!(libc::epoll_ctl(epoll, libc::EPOLL_CTL_ADD, fd.as_raw_fd(), &raw mut event), 0);
            epoll
        };
        let wait = |milliseconds| {
            let mut event = libc::epoll_event { events: 0, u64: 0 };
            // SAFETY: one event.
            unsafe { libc::epoll_wait(epoll, &raw mut event, 1, milliseconds) }
        };
        for round in 0..100 {
            assert_eq!(wait(0), 0);
            queue.send(1, b"one").unwrap();
            assert_eq!(wait(0), 1, "round {round}");
            queue.send(1, b"two").unwrap();
            assert_eq!(drain(&queue).len(), 2);
        }
        // SAFETY: ours, and nobody uses it any more.
        unsafe { libc::close(epoll) };
    }
}

/// Watchers and sleepers in several processes: each message goes to one of them, and nobody waits for a timer. There is a message under way
/// at any time but the last, so a lost one shows as a wait.
#[test]
fn watchers_and_sleepers() {
    const MESSAGES: u64 = 3000;
    let (there, back) = (Name::new("fd-mixed"), Name::new("fd-mixed-back"));
    let (queue, answers) = (Queue::open(&there).unwrap(), Queue::options().capacity(100).open(&back).unwrap());
    let work = |watches: bool| {
        let (queue, answers) = (&queue, &answers);
        fork(move || {
            let fds = watches.then(|| (queue.recv_fd().unwrap(), answers.send_fd().unwrap()));
            loop {
                let message = loop {
                    if let Some((fd, _)) = fds {
                        assert!(is_readable(fd, WATCHDOG));
                        match queue.try_recv(Select::Any) {
                            Err(error) if error.errno() == libc::EAGAIN => {}
                            message => break message.unwrap(),
                        }
                    } else {
                        break queue.recv(Select::Any).unwrap();
                    }
                };
                if message.data.is_empty() {
                    return 0;
                }
                match fds {
                    None => answers.send(1, &message.data).unwrap(),
                    Some((_, fd)) => {
                        while let Err(error) = answers.try_send(1, &message.data) {
                            assert_eq!(error.errno(), libc::EAGAIN);
                            assert!(is_readable(fd, WATCHDOG));
                        }
                    }
                }
            }
        })
    };
    let children = [false, true, true, false, true].map(work);
    let mut arrived = vec![false; MESSAGES as usize];
    let mut take = |answer: madang::Message| {
        let (_, index) = origin(&answer.data);
        assert!(!std::mem::replace(&mut arrived[index as usize], true), "message {index} twice");
    };
    let mut longest = Duration::ZERO;
    for index in 0..MESSAGES {
        queue.send(1, &payload(0, index, 40)).unwrap();
        if index >= 3 {
            let begun = Instant::now();
            take(answers.recv_timeout(Select::Any, WATCHDOG).unwrap());
            longest = longest.max(begun.elapsed());
        }
    }
    (0..3).for_each(|_| take(answers.recv_timeout(Select::Any, WATCHDOG).unwrap()));
    println!("the longest wait was {longest:?}");
    assert!(arrived.iter().all(|&arrived| arrived));
    children.iter().for_each(|_| queue.send(1, b"").unwrap());
    children.into_iter().for_each(madang_tests::Child::succeeds);
}

/// No wake is lost, nor healed by the timer only: one that is would take a quarter of a second.
#[test]
fn no_ring_is_lost() {
    const ROUNDS: u32 = 5000;
    let (there, back) = (Name::new("fd-ping"), Name::new("fd-pong"));
    let (ping, pong) = (Queue::open(&there).unwrap(), Queue::open(&back).unwrap());
    let recv = |queue: &Queue| {
        let fd = queue.recv_fd().unwrap();
        loop {
            match queue.try_recv(Select::Any) {
                Ok(message) => return message.data,
                Err(_) => assert!(is_readable(fd, WATCHDOG)),
            }
        }
    };
    let child = fork(|| {
        for _ in 0..ROUNDS {
            pong.send(1, &recv(&ping)).unwrap();
        }
        0
    });
    let mut late = 0;
    for round in 0..ROUNDS {
        let begun = Instant::now();
        ping.send(1, &round.to_le_bytes()).unwrap();
        assert_eq!(recv(&pong), round.to_le_bytes());
        late += u32::from(begun.elapsed() > SOON);
    }
    // A busy machine may be late by itself, but seldom.
    assert!(late < 5, "{late} of {ROUNDS} came late");
    child.succeeds();
}

/// Watchers are killed at any moment; the senders go on, and the last watcher finds everything.
#[test]
fn watchers_are_killed() {
    const KILLS: u32 = 300;
    let (name, ledger_name) = (Name::new("fd-killed"), Name::new("fd-killed-ledger"));
    let queue = Queue::options().capacity(4000).open(&name).unwrap();
    let ledger = Segment::options().length(8).open(&ledger_name).unwrap();
    // SAFETY: the segment's first word, aligned since it is page-aligned, and used by nobody otherwise.
    let taken = unsafe { AtomicU64::from_ptr(ledger.data().cast().as_ptr()) };
    let watch = || {
        fork(|| {
            let fd = queue.recv_fd().unwrap();
            loop {
                assert!(is_readable(fd, WATCHDOG));
                while queue.try_recv(Select::Any).is_ok() {
                    taken.fetch_add(1, Ordering::AcqRel);
                }
            }
        })
    };
    let mut random = Random(11);
    let mut sent = 0;
    for _ in 0..KILLS {
        let child = watch();
        for _ in 0..random.below(50) {
            queue.send_timeout(1, b"a message", WATCHDOG).unwrap();
            sent += 1;
        }
        child.kill();
    }
    let left = drain(&queue).len() as u64;
    let taken = taken.load(Ordering::Acquire);
    assert!(taken + left <= sent && taken + left + u64::from(KILLS) >= sent, "{taken} + {left} of {sent}");
    let fd = queue.recv_fd().unwrap();
    drain(&queue);
    queue.send(1, b"").unwrap();
    assert!(is_readable_now(fd));
}

/// A sender that is killed between commit and ring: the timer makes up for it. Half of those killed here are in the lock, or between.
#[test]
fn senders_are_killed() {
    const KILLS: u32 = 200;
    let (name, ledger_name) = (Name::new("fd-senders"), Name::new("fd-senders-ledger"));
    let queue = Queue::open(&name).unwrap();
    let ledger = Segment::options().length(8).open(&ledger_name).unwrap();
    // SAFETY: as above.
    let told = unsafe { AtomicU64::from_ptr(ledger.data().cast().as_ptr()) };
    let fd = queue.recv_fd().unwrap();
    let mut random = Random(12);
    let mut arrived = 0;
    for _ in 0..KILLS {
        let child = fork(|| {
            loop {
                queue.send(1, b"a message").unwrap();
                told.fetch_add(1, Ordering::AcqRel);
            }
        });
        let begun = Instant::now();
        let pause = Duration::from_micros(random.below(1000));
        while begun.elapsed() < pause {
            if is_readable_now(fd) {
                arrived += u64::from(queue.try_recv(Select::Any).is_ok());
            }
        }
        child.kill();
        // Not always: so that some find it silent, and some full.
        if random.below(2) == 0 {
            arrived += drain(&queue).len() as u64;
        }
    }
    // What is there now was committed; whether it was rung for or not, it is found in time.
    while is_readable(fd, Duration::from_millis(100)) {
        arrived += drain(&queue).len() as u64;
        if queue.is_empty() {
            break;
        }
    }
    let told = told.load(Ordering::Acquire);
    assert!((told..=told + u64::from(KILLS)).contains(&arrived), "{arrived} arrived of {told}");
}

/// A waker that dies between its commit and its ring is a commit without a ring: the timer.
#[test]
fn without_a_ring_the_timer_heals() {
    let name = Name::new("fd-timer");
    let queue = Queue::open(&name).unwrap();
    let fd = queue.recv_fd().unwrap();
    drain(&queue);
    forget_watchers(&name);
    queue.send(1, b"").unwrap();
    assert!(!is_readable(fd, Duration::from_millis(20)));
    assert!(is_readable(fd, Duration::from_millis(400)));
    assert_eq!(drain(&queue).len(), 1);
    let queue = Arc::new(queue);
    let mut watcher = Watcher::new().unwrap();
    let key = watcher.add(&queue).unwrap();
    watcher.tick(true);
    drain(&queue);
    forget_watchers(&name);
    queue.send(1, b"").unwrap();
    let mut ticks = 0;
    while !watcher.rung().iter().any(|rung| rung.key == key && rung.may_receive) {
        assert!(is_readable(watcher.as_fd(), Duration::from_millis(400)));
        ticks += 1;
    }
    assert!(ticks < 3);
}

/// Clears the words by which both events' sleepers and watchers are known (docs/layout.md): through a mapping, which rings nobody.
fn forget_watchers(name: &Name) {
    let file = std::fs::OpenOptions::new().read(true).write(true).open(name.queue_path()).unwrap();
    let (size, protection) = (4096, libc::PROT_READ | libc::PROT_WRITE);
    // SAFETY: a new mapping of the file's first page; the words are aligned, and atomics to everybody.
    unsafe {
        let base = libc::mmap(std::ptr::null_mut(), size, protection, libc::MAP_SHARED, file.as_raw_fd(), 0);
        assert!(base != libc::MAP_FAILED);
        for event in [896, 1024] {
            AtomicU64::from_ptr(base.byte_add(event).cast()).store(0, Ordering::SeqCst);
        }
        libc::munmap(base, size);
    }
}

/// A forked child has descriptors of its own: neither takes the other's rings.
#[test]
fn fork_with_a_watched_queue() {
    let (name, ready, done) = (Name::new("fd-fork"), Checkpoint::default(), Checkpoint::default());
    let queue = Queue::open(&name).unwrap();
    let fd = queue.recv_fd().unwrap();
    drain(&queue);
    let child = fork(|| {
        let mine = queue.recv_fd().unwrap();
        assert_eq!(mine.as_raw_fd(), fd.as_raw_fd(), "under the same number");
        assert!(is_readable_now(mine));
        drain(&queue);
        assert!(!is_readable_now(mine));
        ready.reach();
        assert!(is_readable(mine, WATCHDOG));
        assert_eq!(queue.try_recv(Select::Any).unwrap().data, b"for the child");
        drain(&queue);
        done.reach();
        0
    });
    ready.wait();
    // The child's tries left ours alone.
    assert!(!is_readable_now(fd) || drain(&queue).is_empty());
    queue.send(1, b"for the child").unwrap();
    done.wait();
    child.succeeds();
    assert!(is_readable_now(fd), "what rang there rang here too");
    assert!(drain(&queue).is_empty());
    queue.send(1, b"for me").unwrap();
    assert!(is_readable_now(fd));
    // Without asking for it, a child that tries makes its own, too.
    drain(&queue);
    fork(|| {
        drain(&queue);
        assert!(poll(fd.as_raw_fd(), Duration::ZERO) == 0);
        queue.send(1, b"of the child").unwrap();
        assert!(is_readable_now(fd));
        assert_eq!(drain(&queue).len(), 1);
        queue.send(1, b"to the parent").unwrap();
        0
    })
    .succeeds();
    assert!(is_readable_now(fd));
    assert_eq!(drain(&queue), [b"to the parent"]);
}

/// Unlinked while it is watched, also where the watcher opened it by name and where it made it; and made anew meanwhile.
#[test]
fn unlinked() {
    let name = Name::new("fd-unlinked");
    let maker = Queue::open(&name).unwrap();
    let opener = Queue::open(&name).unwrap();
    for queue in [&maker, &opener] {
        queue.recv_fd().unwrap();
        drain(queue);
    }
    Queue::unlink(&name).unwrap();
    let other = Queue::open(&name).unwrap();
    for queue in [&maker, &opener, &maker, &opener] {
        // The kernel may have told of the file's end.
        drain(queue);
        other.send(1, b"another queue's").unwrap();
        for sender in [&maker, &opener] {
            sender.send(1, b"still here").unwrap();
            assert!(is_readable_now(queue.recv_fd().unwrap()));
            assert_eq!(drain(queue).len(), 1);
            assert!(!is_readable_now(queue.recv_fd().unwrap()));
        }
    }
    // The last of those who have it by its name goes, and with it the kernel's watches.
    drain(&maker);
    drop(opener);
    let fd = maker.recv_fd().unwrap();
    drain(&maker);
    maker.send(1, b"alone").unwrap();
    assert!(is_readable_now(fd));
    assert_eq!(drain(&maker).len(), 1);
}

/// A program may close all its descriptors, as daemons do: the queue goes on, and gives new ones.
#[test]
fn closed_by_the_program() {
    let name = Name::new("fd-closed");
    let queue = Queue::open(&name).unwrap();
    fork(|| {
        queue.recv_fd().unwrap();
        // SAFETY: what is closed here belongs to the child.
        unsafe { libc::syscall(libc::SYS_close_range, 3, u32::MAX, 0) };
        drain(&queue);
        let (mut reader, writer) = std::io::pipe().unwrap();
        let mine: Vec<_> = (0..4).map(|_| std::fs::File::open("/dev/zero").unwrap()).collect();
        std::io::Write::write_all(&mut &writer, b"not the queue's").unwrap();
        drain(&queue);
        let fd = queue.recv_fd().unwrap();
        assert!(mine.iter().all(|file| file.as_raw_fd() != fd.as_raw_fd()));
        drain(&queue);
        queue.send(1, b"").unwrap();
        assert!(is_readable_now(fd));
        drop(writer);
        let mut text = String::new();
        std::io::Read::read_to_string(&mut reader, &mut text).unwrap();
        assert_eq!(text, "not the queue's");
        assert!(mine.iter().all(|file| file.metadata().is_ok()));
        0
    })
    .succeeds();
}

/// The process's descriptors are used up; a user's inotify instances are. Both say so, and are no matter when there are some again.
#[test]
fn no_descriptors() {
    let name = Name::new("fd-emfile");
    let queue = Queue::open(&name).unwrap();
    fork(|| {
        queue.stat().unwrap();
        let before = libc::rlimit { rlim_cur: 1024, rlim_max: 1024 };
        let limit = |rlim_cur| {
            // SAFETY: a valid struct.
            unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &libc::rlimit { rlim_cur, ..before }) };
        };
        // SAFETY: no memory is passed.
        let next = unsafe { libc::dup(0) } as u64;
        for more in 1..4 {
            limit(next + more);
            assert_eq!(queue.recv_fd().unwrap_err().errno(), libc::EMFILE, "{more}");
            assert_eq!(queue.try_recv(Select::Any).unwrap_err().errno(), libc::EAGAIN);
        }
        limit(1024);
        queue.recv_fd().unwrap();
        0
    })
    .succeeds();
    let status = fork(|| {
        // A user namespace has limits of its own.
        // SAFETY: no memory is passed.
        if unsafe { libc::unshare(libc::CLONE_NEWUSER) } != 0
            || std::fs::write("/proc/sys/user/max_inotify_instances", "2").is_err()
        {
            return 77;
        }
        let handles: Vec<_> = (0..3).map(|_| Queue::options().any_owner(true).open(&name).unwrap()).collect();
        assert!(handles[0].recv_fd().is_ok() && handles[1].recv_fd().is_ok());
        let error = handles[2].recv_fd().unwrap_err();
        assert_eq!(error.errno(), libc::EMFILE);
        assert!(error.to_string().contains("fs.inotify.max_user_instances"), "{error}");
        assert!(std::fs::write("/proc/sys/user/max_inotify_instances", "9").is_ok());
        handles[2].recv_fd().unwrap();
        std::fs::write("/proc/sys/user/max_inotify_watches", "0").unwrap();
        let error = handles[2].send_fd().unwrap_err();
        assert!(error.errno() == libc::ENOSPC && error.to_string().contains("max_user_watches"), "{error}");
        assert!(Watcher::new().unwrap().add(&Arc::new(Queue::options().any_owner(true).open(&name).unwrap())).is_err());
        0
    })
    .wait_for(WATCHDOG);
    assert!(status == 0 || status == 77);
    if status == 77 {
        println!("skipped: no user namespace with limits of its own");
    }
}

/// A sender whose files may have no size rings all the same, and is not killed by SIGXFSZ.
#[test]
fn a_sender_under_a_limit_on_file_sizes() {
    let name = Name::new("fd-fsize");
    let queue = Queue::open(&name).unwrap();
    let fd = queue.recv_fd().unwrap();
    drain(&queue);
    fork(|| {
        // SAFETY: a valid struct.
        unsafe { libc::setrlimit(libc::RLIMIT_FSIZE, &libc::rlimit { rlim_cur: 0, rlim_max: 0 }) };
        queue.send(1, b"rung").unwrap();
        0
    })
    .succeeds();
    assert!(is_readable_now(fd));
}

/// One descriptor for many queues, some of which are one file's.
#[test]
fn a_watcher() {
    let names: Vec<_> = (0..20).map(|_| Name::new("fd-watcher")).collect();
    let mut queues: Vec<_> =
        names.iter().map(|name| Arc::new(Queue::options().capacity(100).open(name).unwrap())).collect();
    queues.push(Arc::new(Queue::open(&names[0]).unwrap()));
    let mut watcher = Watcher::new().unwrap();
    let keys: Vec<_> = queues.iter().map(|queue| watcher.add(queue).unwrap()).collect();
    assert_eq!(keys[3], watcher.add(&queues[3]).unwrap());
    queues.iter().for_each(|queue| assert!(drain(queue).is_empty()));
    assert!(!is_readable_now(watcher.as_fd()) && watcher.rung().is_empty());
    let mut rung = || -> Vec<_> { watcher.rung().iter().map(|rung| rung.key).collect() };
    queues[5].send(1, b"").unwrap();
    queues[7].send(1, b"").unwrap();
    queues[5].send(1, b"").unwrap();
    assert_eq!(rung(), [keys[5], keys[7]]);
    assert_eq!(rung(), []);
    queues[0].send(1, b"").unwrap();
    assert_eq!(rung(), [keys[0], keys[20]], "two handles of one file");
    assert_eq!(drain(&queues[20]).len(), 1);
    // Room.
    queues[9].send(1, &[0; 100]).unwrap();
    assert!(queues[9].try_send(1, b"more").is_err());
    rung();
    queues[9].recv(Select::Any).unwrap();
    assert_eq!(rung(), [keys[9]]);
    // Unlinked, which the kernel may tell; and closed.
    Queue::unlink(&names[3]).unwrap();
    watcher.rung();
    drain(&queues[3]);
    queues[3].send(1, b"").unwrap();
    assert!(watcher.rung().iter().any(|rung| rung.key == keys[3]));
    drop(queues.remove(4));
    watcher.tick(true);
    assert!(is_readable(watcher.as_fd(), WATCHDOG));
    assert!(watcher.rung().iter().any(|rung| rung.key == keys[4] && rung.may_receive && rung.may_send));
    watcher.remove(keys[5]);
    drain(&queues[4]);
    queues[4].send(1, b"").unwrap();
    watcher.tick(false);
    assert!(watcher.rung().iter().all(|rung| rung.key != keys[5]));
    fork(move || {
        assert!(!watcher.is_of_this_process() && watcher.rung().is_empty());
        assert_eq!(watcher.add(&queues[0]).unwrap_err().errno(), libc::EOWNERDEAD);
        drop(watcher);
        0
    })
    .succeeds();
}
