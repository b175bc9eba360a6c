//! Limits of a process: on descriptors, at each number; on address space, step by step. And how many handles there can be.

use std::time::Duration;

use madang::{Deadline, Error, Mutex, Operation, Queue, Result, Segment, Select, SemaphoreSet};
use madang_tests::{Directory, Name, WATCHDOG, alone, fork, open_descriptors};

use super::holds;

const PAGE: u64 = 4096;

/// Sets the soft limit, up to the hard one; gives back what it was.
fn limit(resource: libc::__rlimit_resource_t, to: u64) -> u64 {
    let mut limits = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: valid places for the limits.
    unsafe {
        assert_eq!(libc::getrlimit(resource, &raw mut limits), 0);
        let before = std::mem::replace(&mut limits.rlim_cur, to.min(limits.rlim_max));
        assert_eq!(libc::setrlimit(resource, &raw const limits), 0);
        before
    }
}

/// All that takes descriptors or memory, one after the other; as far as it comes.
pub(super) fn all_of_it(segment: &str) -> Result<()> {
    let queue = Queue::options().capacity(4 << 20).open("q")?;
    let other = Queue::open("q")?;
    queue.try_send(1, &vec![1; 1 << 20])?;
    other.try_send(2, b"second")?;
    other.recv_fd()?;
    assert_eq!(other.try_recv(Select::Type(2))?.data, b"second");
    assert_eq!(queue.peek(0)?.data.len(), 1 << 20);
    assert_eq!(queue.try_recv(Select::Any)?.data.len(), 1 << 20);
    let set = SemaphoreSet::options().values(&[1]).open("s")?;
    set.try_operate(&[Operation::acquire(0, 1).undo()])?;
    set.fd()?;
    let segment = Segment::options().length(100_000).open(segment)?;
    drop(Mutex::within(&segment, 0)?.try_lock()?);
    drop(Mutex::open("m")?.try_lock()?);
    madang::list().map(drop)
}

/// The same again without a limit, and nothing is left of what came before.
fn goes_on(segment: &str, descriptors: usize) {
    assert_eq!(open_descriptors(), descriptors, "a descriptor is left");
    let queue = Queue::open("q").unwrap();
    while queue.try_recv(Select::Any).is_ok() {}
    assert_eq!(queue.stat().unwrap().participants, 1);
    holds(&queue, &[]);
    drop(queue);
    all_of_it(segment).unwrap();
}

#[test]
fn a_limit_on_descriptors() {
    let (directory, segment) = (Directory::in_memory("files"), Name::new("files"));
    alone(|| {
        directory.becomes_madang_dir();
        all_of_it(&segment).unwrap();
        let open = open_descriptors();
        let done = (0..50).find(|more| {
            let before = limit(libc::RLIMIT_NOFILE, open as u64 - 1 + more);
            let outcome = all_of_it(&segment);
            limit(libc::RLIMIT_NOFILE, before);
            if let Err(error) = &outcome {
                assert_eq!(error.errno(), libc::EMFILE, "{more} more: {error}");
            }
            goes_on(&segment, open);
            outcome.is_ok()
        });
        let done = done.expect("it needs few");
        assert!(done > 5);
    });
}

/// How much address space this process has, in bytes.
fn address_space() -> u64 {
    let pages = std::fs::read_to_string("/proc/self/statm").unwrap();
    // SAFETY: no memory is passed.
    pages.split(' ').next().unwrap().parse::<u64>().unwrap() * unsafe { libc::sysconf(libc::_SC_PAGESIZE) } as u64
}

#[test]
fn a_limit_on_address_space() {
    let (directory, segment) = (Directory::in_memory("space"), Name::new("space"));
    alone(|| {
        directory.becomes_madang_dir();
        all_of_it(&segment).unwrap();
        let descriptors = open_descriptors();
        // At first in steps as small as the smallest mapping, then in larger ones.
        let done = (0..30).chain((30..200).step_by(5)).find(|more| {
            let before = limit(libc::RLIMIT_AS, address_space() + more * more * PAGE);
            let outcome = all_of_it(&segment);
            limit(libc::RLIMIT_AS, before);
            if let Err(error) = &outcome {
                assert_eq!(error.errno(), libc::ENOMEM, "{more} steps more: {error}");
            }
            goes_on(&segment, descriptors);
            outcome.is_ok()
        });
        let done = done.expect("it needs little");
        assert!(done > 5);
    });
}

/// A message for which there is no memory stays; to look at it, or to bury it, ends nobody.
#[test]
fn a_message_larger_than_what_is_left() {
    const LENGTH: usize = 64 << 20;
    let (name, letters) = (Name::new("large"), Name::new("large-dead"));
    alone(|| {
        let queue = Queue::options().capacity(LENGTH as u64).dead_letters(&letters, 1).open(&name).unwrap();
        queue.try_send(1, &vec![7; LENGTH]).unwrap();
        drop(queue.try_lease(Select::Any).unwrap());
        let before = limit(libc::RLIMIT_AS, address_space() + (LENGTH as u64) / 2);
        for error in [queue.peek(0).unwrap_err(), queue.try_recv(Select::Any).unwrap_err()] {
            assert_eq!(error.errno(), libc::ENOMEM, "{error}");
            assert!(error.message().contains("no memory for 67108864 bytes"), "{error}");
        }
        // It was leased as often as it may be; it can't be buried, so it is leased all the same.
        assert_eq!(queue.try_lease(Select::Any).unwrap().len(), LENGTH);
        limit(libc::RLIMIT_AS, before);
        assert_eq!(queue.try_recv(Select::Any).unwrap().data.len(), LENGTH);
    });
}

/// A limit on the size of files (`ulimit -f`) is one on making objects. Who uses those that there are gets no SIGXFSZ,
/// however they grow.
#[test]
fn a_limit_on_the_size_of_files() {
    let (directory, segment) = (Directory::in_memory("fsize"), Name::new("fsize"));
    alone(|| {
        directory.becomes_madang_dir();
        let _queue = Queue::options().capacity(4 << 20).open("q").unwrap();
        let _set = SemaphoreSet::options().values(&[1]).open("s").unwrap();
        let (_segment, _mutex) =
            (Segment::options().length(100_000).open(&segment).unwrap(), Mutex::open("m").unwrap());
        let before = limit(libc::RLIMIT_FSIZE, 10_000);
        all_of_it(&segment).unwrap();
        // SAFETY: to ignore a signal is always possible.
        unsafe { libc::signal(libc::SIGXFSZ, libc::SIG_IGN) };
        for error in [Queue::open("q2").unwrap_err(), SemaphoreSet::options().values(&[1]).open("s2").unwrap_err()] {
            assert_eq!(error.errno(), libc::EFBIG, "{error}");
        }
        limit(libc::RLIMIT_FSIZE, before);
        assert_eq!(madang::list().unwrap().len(), 3);
    });
}

/// As many handles of one queue as it has room for, all in one process, and one more.
#[test]
fn as_many_participants_as_there_can_be() {
    const MOST: usize = 1024;
    let name = Name::new("handles");
    alone(|| {
        limit(libc::RLIMIT_NOFILE, 4096);
        let handles: Vec<_> = (0..MOST).map(|_| Queue::open(&name).unwrap()).collect();
        let full = |outcome: Result<Queue>| {
            let error = outcome.unwrap_err();
            assert_eq!(error.errno(), libc::EUSERS, "{error}");
            assert!(error.message().contains("all 1024 places"), "{error}");
        };
        full(Queue::open(&name));
        assert_eq!(handles[0].stat().unwrap().participants, MOST as u32);
        // A ring of senders and receivers: each hands on what the one before sent.
        for (index, pair) in handles.windows(2).enumerate() {
            pair[0].try_send(1 + index as i64, &[index as u8; 20]).unwrap();
            assert_eq!(pair[1].try_recv(Select::Any).unwrap().mtype, 1 + index as i64);
        }
        // A child has no place to join, and says so; when one is free it has it.
        let (ready, go) = (madang_tests::Checkpoint::default(), madang_tests::Checkpoint::default());
        let child = fork(|| {
            let refused = handles[0].try_send(9, b"x").map_err(|error| Error::errno(&error));
            ready.reach();
            go.wait();
            i32::from(refused != Err(libc::EUSERS) || handles[0].try_send(9, b"from a child").is_err())
        });
        ready.wait();
        drop(Queue::open(&name).unwrap_err());
        let mut handles = handles;
        drop(handles.pop());
        go.reach();
        assert_eq!(handles[0].recv_timeout(Select::Any, WATCHDOG).unwrap().data, b"from a child");
        child.succeeds();
        assert_eq!(handles[0].stat().unwrap().participants, MOST as u32 - 1);
        handles.truncate(1);
        assert_eq!(handles[0].stat().unwrap().participants, 1);
        holds(&handles[0], &[]);
    });
}

/// A thousand threads wait at one queue, each by a handle of its own for a type of its own, and then at one semaphore. Each
/// gets what is its.
#[test]
fn a_thousand_who_wait() {
    const WAITERS: i64 = 1000;
    let names = [Name::new("waiters"), Name::new("waiters-ready")];
    let child = fork(|| {
        limit(libc::RLIMIT_NOFILE, 4096);
        let queue = Queue::open(&names[0]).unwrap();
        let set = SemaphoreSet::options().values(&[0, 0]).open(&names[0]).unwrap();
        std::thread::scope(|scope| {
            for mtype in 1..=WAITERS {
                let (name, set) = (&*names[0], &set);
                let wait = move || {
                    let mine = Queue::open(name).unwrap();
                    set.release(1).unwrap();
                    let message = mine.recv_timeout(Select::Type(mtype), 3 * WATCHDOG).unwrap();
                    assert_eq!((message.mtype, message.data), (mtype, mtype.to_ne_bytes().to_vec()));
                    set.acquire_timeout(0, 3 * WATCHDOG).unwrap();
                };
                std::thread::Builder::new().stack_size(128 << 10).spawn_scoped(scope, wait).unwrap();
            }
            set.operate_timeout(&[Operation::acquire(1, WAITERS as i32)], 3 * WATCHDOG).unwrap();
            // From the last to the first.
            for mtype in (1..=WAITERS).rev() {
                queue.send_timeout(mtype, &mtype.to_ne_bytes(), WATCHDOG).unwrap();
            }
            for _ in 0..WAITERS / 10 {
                set.operate(&[Operation::release(0, 10)]).unwrap();
            }
        });
        assert_eq!((set.values().unwrap(), set.waiting(0).unwrap().to_grow), (vec![0, 0], 0));
        assert_eq!(queue.stat().unwrap().participants, 1);
        holds(&queue, &[]);
        0
    });
    assert_eq!(child.wait_for(4 * WATCHDOG), 0);
}

/// A thousand queues in one process, each with a message on its way, and a wait at each.
#[test]
fn a_thousand_queues() {
    let directory = Directory::in_memory("thousand");
    alone(|| {
        directory.becomes_madang_dir();
        limit(libc::RLIMIT_NOFILE, 8192);
        let queues: Vec<_> =
            (0..1000).map(|index| Queue::options().capacity(10_000).open(&format!("q{index}")).unwrap()).collect();
        for (index, queue) in queues.iter().enumerate() {
            queue.try_send(1 + index as i64, &vec![index as u8; index]).unwrap();
        }
        let child = fork(|| {
            for (index, queue) in queues.iter().enumerate() {
                let message = queue.recv_timeout(Select::Any, Duration::from_secs(1)).unwrap();
                assert_eq!((message.mtype, message.data), (1 + index as i64, vec![index as u8; index]));
                queue.send_until(2000, b"back", Deadline::NOW).unwrap();
            }
            0
        });
        child.succeeds();
        for queue in &queues {
            assert_eq!(queue.try_recv(Select::Any).unwrap().mtype, 2000);
            assert_eq!(queue.stat().unwrap().participants, 1);
        }
        assert_eq!(madang::list().unwrap().len(), 1000);
    });
}
