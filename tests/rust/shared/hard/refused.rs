//! Each operation where each of its system calls fails, and in a file system with each number of pages left: see
//! [`trial`](super::trial).

use std::os::fd::AsRawFd;
use std::sync::Arc;

use madang::shared::sysv::{msg, sem, shm};
use madang::{
    Barrier, Batch, Condition, Create, Deadline, Event, Mutex, Operation, Queue, Result, RwLock, Segment, Select,
    SemaphoreSet, Watcher,
};
use madang_tests::{Directory, Refusals, Refuse, WATCHDOG, alone, fork, slices};

use super::holds;
use super::trial::{MOST_CALLS, with_every_refusal, with_every_refusal_by_names};

/// The messages that a queue of a trial holds.
fn first() -> Vec<(i64, Vec<u8>)> {
    vec![(1, vec![11; 100]), (2, vec![12; 50_000]), (1, vec![13; 3000]), (3, vec![14; 20])]
}

fn unlinked(opened: Result<Queue>) -> Queue {
    Queue::unlink("q").unwrap();
    opened.unwrap()
}

/// A new queue without a name.
fn queue() -> Queue {
    unlinked(Queue::options().capacity(2 << 20).create(Create::Only).open("q"))
}

/// A queue that holds the [`first`].
fn filled() -> Queue {
    let queue = queue();
    first().iter().for_each(|(mtype, data)| queue.try_send(*mtype, data).unwrap());
    queue
}

fn without(index: usize) -> Vec<(i64, Vec<u8>)> {
    let mut left = first();
    left.remove(index);
    left
}

/// Sending `more` by `operate`, which says how many of them it sent.
fn sending(what: &str, more: &[(i64, Vec<u8>)], operate: impl Fn(&Queue, &[(i64, Vec<u8>)]) -> Result<usize> + Sync) {
    with_every_refusal(
        what,
        || (filled(), 0),
        |(queue, sent)| operate(queue, more).map(|count| *sent = count),
        |(queue, sent), is_done| {
            assert_eq!(sent > 0, is_done);
            holds(&queue, &[&first()[..], &more[..sent]].concat());
        },
    );
}

/// Many small messages of type 1, and behind them one of type 2: who wants that moves the others out of its way.
fn long() -> Vec<(i64, Vec<u8>)> {
    let small = (0..400).map(|index| (1, vec![index as u8; 1500]));
    small.chain([(2, vec![2; 10])]).collect()
}

/// Receiving message `index` of [`first`] by `operate`, which gives its bytes.
fn receiving(what: &str, index: usize, operate: impl Fn(&Queue) -> Result<Vec<u8>> + Sync) {
    with_every_refusal(
        what,
        || (filled(), vec![]),
        |(queue, got)| operate(queue).map(|data| *got = data),
        |(queue, got), is_done| {
            if is_done {
                assert!(got == first()[index].1);
            }
            holds(&queue, &if is_done { without(index) } else { first() });
        },
    );
}

#[test]
fn open_and_unlink_a_queue() {
    with_every_refusal(
        "create",
        || None,
        |queue| Queue::open("q").map(|made| *queue = Some(made)),
        |made, _| {
            drop(made);
            holds(&Queue::open("q").unwrap(), &[]);
            Queue::unlink("q").unwrap();
        },
    );
    with_every_refusal(
        "open",
        || (Queue::open("q").unwrap(), None),
        |(_, other)| Queue::options().create(Create::Never).open("q").map(|opened| *other = Some(opened)),
        |(queue, other), is_done| {
            assert_eq!(queue.stat().unwrap().participants, 1 + u32::from(is_done));
            queue.try_send(7, b"seen").unwrap();
            holds(other.as_ref().unwrap_or(&queue), &[(7, b"seen".to_vec())]);
            Queue::unlink("q").unwrap();
        },
    );
    with_every_refusal(
        "an exclusive end",
        || Queue::open("q").unwrap(),
        |_| {
            let alone = Queue::options().exclusive_sender(true).exclusive_receiver(true).open("q")?;
            alone.try_send(1, b"x")?;
            alone.try_recv(Select::Any).map(drop)
        },
        |queue, _| {
            assert_eq!(queue.stat().unwrap().participants, 1);
            while queue.try_recv(Select::Any).is_ok() {}
            holds(&queue, &[]);
            Queue::unlink("q").unwrap();
        },
    );
    with_every_refusal(
        "unlink",
        || drop(Queue::open("q").unwrap()),
        |()| Queue::unlink("q"),
        |(), is_done| assert_eq!(Queue::unlink("q").is_err(), is_done),
    );
}

/// The same where what is made has a name meanwhile, also with a key of System V's.
#[test]
fn make_by_names() {
    with_every_refusal_by_names(
        "create by a name",
        || None,
        |queue| Queue::open("q").map(|made| *queue = Some(made)),
        |made, _| {
            drop(made);
            holds(&Queue::open("q").unwrap(), &[]);
            Queue::unlink("q").unwrap();
        },
    );
    with_every_refusal_by_names(
        "msgget by a name",
        || (),
        |()| msg::msgget(7, libc::IPC_CREAT | 0o600).map(drop),
        |(), _| {
            let id = msg::msgget(7, libc::IPC_CREAT | 0o600).unwrap();
            msg::msgsnd(id, 4, &[5; 600], libc::IPC_NOWAIT).unwrap();
            msg::remove(id).unwrap();
            assert_eq!(msg::list().unwrap().len(), 0, "nothing but what was removed");
        },
    );
}

#[test]
fn send() {
    for length in [0, 100, 4000, 5000, 300_000] {
        let message = [(9, vec![length as u8; length])];
        sending(&format!("send {length} bytes"), &message, |queue, more| queue.try_send(9, &more[0].1).map(|()| 1));
    }
    // The ring grows under them, piece by piece.
    let small = |count| [first(), vec![(4, vec![44; 900]); count]].concat();
    with_every_refusal(
        "send small ones, one after the other",
        || (filled(), 0),
        |(queue, sent)| {
            while *sent < 400 {
                queue.try_send(4, &[44; 900])?;
                *sent += 1;
            }
            Ok(())
        },
        |(queue, sent), _| holds(&queue, &small(sent)),
    );
    let many: Vec<_> = (0..200).map(|index| (1 + index % 3, vec![index as u8; 40 * index as usize])).collect();
    sending("send many", &many, |queue, more| queue.try_send_many(&slices(more)));
    sending("send pieces", &[(9, vec![5; 80_000])], |queue, more| {
        let pieces: Vec<_> = more[0].1.chunks(7000).map(std::io::IoSlice::new).collect();
        queue.send_vectored(9, &pieces, Deadline::NOW).map(|()| 1)
    });
    sending("reserve and commit", &[(9, vec![6; 70_000])], |queue, more| {
        let mut reserved = queue.reserve_until(70_000, Deadline::NOW)?;
        reserved.write(0, &more[0].1)?;
        reserved.commit_until(9, Deadline::NOW).map(|()| 1)
    });
}

#[test]
fn receive() {
    let any = Deadline::NOW;
    receiving("recv", 0, |queue| Ok(queue.try_recv(Select::Any)?.data));
    receiving("recv a large one", 1, |queue| Ok(queue.try_recv(Select::Type(2))?.data));
    receiving("recv past others", 3, |queue| Ok(queue.try_recv(Select::Type(3))?.data));
    receiving("recv into a buffer", 2, |queue| {
        let mut buffer = vec![0; 4096];
        // The third, by skipping the second.
        let first = queue.try_lease(Select::Type(1))?;
        let length = queue.recv_into(Select::Type(1), &mut buffer, any)?.length;
        drop(first);
        buffer.truncate(length);
        Ok(buffer)
    });
    receiving("lease and acknowledge", 1, |queue| {
        let lease = queue.try_lease(Select::UpTo(2)).and_then(|first| {
            let second = queue.try_lease(Select::Type(2));
            first.release()?;
            second
        })?;
        let data = lease.to_vec();
        lease.ack()?;
        Ok(data)
    });
    let fill = || {
        let queue = queue();
        long().iter().for_each(|(mtype, data)| queue.try_send(*mtype, data).unwrap());
        queue
    };
    let left = |is_done: bool| long().into_iter().filter(move |(mtype, _)| !is_done || *mtype == 1).collect::<Vec<_>>();
    with_every_refusal(
        "recv past many",
        fill,
        |queue| queue.try_recv(Select::Type(2)).map(drop),
        |queue, is_done| holds(&queue, &left(is_done)),
    );
    with_every_refusal(
        "trim",
        || {
            let queue = fill();
            drop(queue.try_lease(Select::Type(2)).unwrap());
            (0..300).for_each(|_| drop(queue.try_recv(Select::Any).unwrap()));
            queue
        },
        |queue| queue.trim().map(drop),
        |queue, _| holds(&queue, &long()[300..]),
    );
    with_every_refusal(
        "recv many",
        || (filled(), Batch::new(10, 100_000)),
        |(queue, batch)| queue.recv_many_until(Select::Any, batch, Deadline::NOW).map(drop),
        |(queue, batch), is_done| {
            assert_eq!(!batch.is_empty(), is_done);
            let taken = batch.len();
            for ((_, data), (_, expected)) in batch.iter().zip(first()) {
                assert!(data == expected);
            }
            holds(&queue, &first()[taken..]);
        },
    );
    with_every_refusal(
        "look",
        filled,
        |queue| {
            queue.peek(1)?;
            queue.peek(3)?;
            queue.stat()?;
            queue.participants()?;
            queue.trim().map(drop)
        },
        |queue, _| holds(&queue, &first()),
    );
}

/// A message that was leased too often is buried, or leased all the same where that can't be: it is in one place.
#[test]
fn dead_letters() {
    with_every_refusal(
        "bury",
        || {
            let queue = Queue::options().dead_letters("d", 1).create(Create::Only).open("q");
            let queue = unlinked(queue);
            queue.try_send(5, &[5; 9000]).unwrap();
            drop(queue.try_lease(Select::Any).unwrap());
            queue
        },
        |queue| match queue.try_lease(Select::Any) {
            Err(error) if error.errno() == libc::EAGAIN => Ok(()),
            leased => leased.map(drop),
        },
        |queue, is_done| {
            assert!(is_done, "who leases is told of nothing else");
            let letters = Queue::open("d").unwrap();
            Queue::unlink("d").unwrap();
            let (has, other) = if queue.is_empty() { (&letters, &queue) } else { (&queue, &letters) };
            assert_eq!(has.try_recv(Select::Any).unwrap().data, [5; 9000]);
            assert_eq!((has.len(), other.len()), (0, 0));
        },
    );
}

/// Who takes the place of a dead one, which has something left, and fails, leaves it to the next.
#[test]
fn estates() {
    with_every_refusal(
        "take a dead one's place",
        || {
            let queue = Queue::options().max_participants(2).capacity(2 << 20).create(Create::Only).open("q").unwrap();
            let set = SemaphoreSet::options().max_participants(2).values(&[5, 0]).create(Create::Only).open("s");
            let set = set.unwrap();
            first().iter().for_each(|(mtype, data)| queue.try_send(*mtype, data).unwrap());
            let dies = || {
                let (queue, set) = (Queue::open("q").unwrap(), SemaphoreSet::open("s").unwrap());
                set.try_operate(&[Operation::acquire(0, 2).undo()]).unwrap();
                std::mem::forget(queue.try_lease(Select::Type(2)).unwrap());
                std::mem::forget(queue.reserve_until(20_000, Deadline::NOW).unwrap());
                std::mem::forget((queue, set));
                0
            };
            fork(dies).succeeds();
            (queue, set, None, None)
        },
        |(_, _, queue, set)| {
            *queue = Some(Queue::open("q")?);
            *set = Some(SemaphoreSet::open("s")?);
            Ok(())
        },
        |(queue, set, heir, other_heir), is_done| {
            assert_eq!(queue.stat().unwrap().participants, 1 + u32::from(heir.is_some()));
            drop((heir, other_heir));
            let (heir, other_heir) = (Queue::open("q").unwrap(), SemaphoreSet::open("s").unwrap());
            assert_eq!(other_heir.values().unwrap(), [5, 0], "{is_done}");
            holds(&heir, &first());
            assert_eq!((queue.stat().unwrap().participants, set.stat().unwrap().participants), (2, 2));
            Queue::unlink("q").and(SemaphoreSet::unlink("s")).unwrap();
        },
    );
}

#[test]
fn descriptors() {
    let recv_fd = |queue: &Queue| queue.recv_fd().map(|fd| fd.as_raw_fd());
    with_every_refusal(
        "a receiver's descriptor",
        queue,
        |queue| recv_fd(queue).map(drop),
        |queue, _| {
            let is_readable = || {
                let mut poll = libc::pollfd { fd: recv_fd(&queue).unwrap(), events: libc::POLLIN, revents: 0 };
                // SAFETY: one valid pollfd.
                unsafe { libc::poll(&raw mut poll, 1, 0) == 1 }
            };
            assert!(is_readable());
            assert_eq!(queue.try_recv(Select::Any).unwrap_err().errno(), libc::EAGAIN);
            queue.try_send(1, b"rings").unwrap();
            assert!(is_readable());
            holds(&queue, &[(1, b"rings".to_vec())]);
        },
    );
    with_every_refusal(
        "a sender's descriptor",
        queue,
        |queue| queue.send_fd().map(drop),
        |queue, _| {
            queue.send_fd().unwrap();
            holds(&queue, &[]);
        },
    );
    with_every_refusal(
        "a watcher",
        || Arc::new(queue()),
        |queue| {
            let mut watcher = Watcher::new()?;
            watcher.add(queue)?;
            watcher.tick(true);
            queue.try_send(1, b"x")?;
            watcher.rung();
            queue.try_recv(Select::Any).map(drop)
        },
        |queue, _| {
            while queue.try_recv(Select::Any).is_ok() {}
            holds(&queue, &[]);
        },
    );
}

/// A set with 5 and 0.
fn set() -> SemaphoreSet {
    let set = SemaphoreSet::options().values(&[5, 0]).create(Create::Only).open("s");
    SemaphoreSet::unlink("s").unwrap();
    set.unwrap()
}

/// Whether a set can do everything.
fn works(set: &SemaphoreSet) {
    set.set_values(&[1, 0]).unwrap();
    set.try_operate(&[Operation::acquire(0, 1).undo(), Operation::release(1, 2).undo()]).unwrap();
    set.try_operate(&[Operation::zero(0), Operation::acquire(1, 1)]).unwrap();
    assert_eq!(set.values().unwrap(), [0, 1]);
}

#[test]
fn semaphores() {
    with_every_refusal(
        "create a set",
        || None,
        |set| SemaphoreSet::options().values(&[5, 0]).open("s").map(|made| *set = Some(made)),
        |made, _| {
            drop(made);
            works(&SemaphoreSet::options().values(&[5, 0]).open("s").unwrap());
            SemaphoreSet::unlink("s").unwrap();
        },
    );
    with_every_refusal(
        "open a set, and undo",
        || SemaphoreSet::options().values(&[5, 0]).create(Create::Only).open("s").unwrap(),
        |_| {
            let other = SemaphoreSet::open("s")?;
            other.try_operate(&[Operation::acquire(0, 2).undo()])
        },
        |set, _| {
            SemaphoreSet::unlink("s").unwrap();
            // Closed it gives back.
            assert_eq!(set.values().unwrap(), [5, 0]);
            works(&set);
        },
    );
    with_every_refusal(
        "operate with undo",
        set,
        |set| set.try_operate(&[Operation::acquire(0, 2).undo(), Operation::release(1, 1).undo()]),
        |set, is_done| {
            assert_eq!(set.values().unwrap(), if is_done { [3, 1] } else { [5, 0] });
            works(&set);
        },
    );
    with_every_refusal(
        "wait for a semaphore",
        set,
        |set| match set.acquire_timeout(1, std::time::Duration::from_millis(2)) {
            Err(error) if error.errno() == libc::ETIMEDOUT => Ok(()),
            other => other,
        },
        |set, _| {
            assert_eq!((set.values().unwrap(), set.waiting(1).unwrap().to_grow), (vec![5, 0], 0));
            works(&set);
        },
    );
}

#[test]
fn locks() {
    let name = madang_tests::Name::new("refused");
    let name = &*name;
    /// Each kind is opened by its name, and in a segment, and used.
    macro_rules! trial {
        ($kind:ident, $use:expr) => {
            with_every_refusal(
                stringify!($kind),
                || (),
                |()| {
                    let one = $kind::open("k")?;
                    let other = $kind::open("k")?;
                    $use(&one)?;
                    $use(&other)
                },
                |(), _| {
                    $use(&$kind::open("k").unwrap()).unwrap();
                    $kind::unlink("k").unwrap();
                },
            );
            with_every_refusal(
                concat!(stringify!($kind), " in a segment"),
                || (),
                |()| $use(&$kind::within(&Segment::options().length(4096).open(name)?, 128)?),
                |(), _| {
                    let segment = Segment::options().length(4096).open(name).unwrap();
                    $use(&$kind::within(&segment, 128).unwrap()).unwrap();
                    Segment::unlink(name).unwrap();
                },
            );
        };
    }
    trial!(Mutex, |mutex: &Mutex| mutex.try_lock().map(drop));
    trial!(RwLock, |lock: &RwLock| {
        drop(lock.try_read()?);
        lock.try_write().map(drop)
    });
    trial!(Condition, |condition: &Condition| condition.notify_all());
    trial!(Barrier, |barrier: &Barrier| barrier.set_parties(1).and_then(|()| barrier.wait()).map(drop));
    trial!(Event, |event: &Event| event.set().and_then(|()| event.try_wait()));
}

#[test]
fn segments_and_lists() {
    let name = madang_tests::Name::new("refused");
    let name = &*name;
    with_every_refusal(
        "create a segment",
        || (),
        |()| Segment::options().length(100_000).open(name).and_then(|segment| segment.write(99_000, &[1; 1000])),
        |(), _| {
            let segment = Segment::options().length(100_000).open(name).unwrap();
            segment.write(0, &[1; 100_000]).unwrap();
            Segment::unlink(name).unwrap();
        },
    );
    with_every_refusal(
        "list and sweep",
        || Queue::open("q").unwrap(),
        |_| {
            madang::list()?;
            madang::left_overs()?;
            madang::gc().map(drop)
        },
        |queue, _| {
            holds(&queue, &[]);
            Queue::unlink("q").unwrap();
        },
    );
}

#[test]
fn system_v() {
    let (make, only) = (libc::IPC_CREAT | 0o600, libc::IPC_CREAT | libc::IPC_EXCL | 0o600);
    with_every_refusal(
        "msgget, msgsnd, msgrcv",
        || (),
        |()| {
            let id = msg::msgget(7, make)?;
            msg::msgsnd(id, 3, &[5; 6000], libc::IPC_NOWAIT)?;
            let mut buffer = [std::mem::MaybeUninit::uninit(); 8192];
            assert_eq!(msg::msgrcv(id, &mut buffer, 3, libc::IPC_NOWAIT)?, (6000, 3));
            Ok(())
        },
        |(), _| {
            let id = msg::msgget(7, make).unwrap();
            msg::msgsnd(id, 4, &[5; 6000], libc::IPC_NOWAIT).unwrap();
            let mut buffer = [std::mem::MaybeUninit::uninit(); 8192];
            assert_eq!(msg::msgrcv(id, &mut buffer, 4, libc::IPC_NOWAIT).unwrap(), (6000, 4));
            msg::remove(id).unwrap();
            assert_eq!(msg::list().unwrap().len(), 0, "nothing but what was removed");
        },
    );
    with_every_refusal(
        "semget, semop",
        || (),
        |()| {
            let id = sem::semget(7, 2, make)?;
            sem::set_value(id, 0, 3)?;
            sem::semop(id, &[Operation::acquire(0, 1).undo(), Operation::release(1, 1)], None)
        },
        |(), _| {
            let id = sem::semget(7, 2, make).unwrap();
            sem::set_values(id, &[3, 0]).unwrap();
            sem::semop(id, &[Operation::acquire(0, 1).undo(), Operation::release(1, 1)], None).unwrap();
            assert_eq!(sem::values(id).unwrap(), [2, 1]);
            sem::remove(id).unwrap();
            assert_eq!(sem::list().unwrap().len(), 0, "nothing but what was removed");
        },
    );
    with_every_refusal(
        "shmget, shmat, shmdt",
        || (),
        |()| {
            let id = shm::shmget(7, 100_000, make)?;
            // It is sparse: to touch it where there is no page left would be SIGBUS (docs/parity.md).
            shm::shmdt(shm::shmat(id, 0, 0)?)
        },
        |(), _| {
            let id = shm::shmget(7, 100_000, make).unwrap();
            assert_eq!(shm::stat(id).unwrap().attachments, 0);
            let address = shm::shmat(id, 0, 0).unwrap();
            // SAFETY: just attached, and of that size.
            unsafe { (address as *mut u8).write_bytes(2, 100_000) };
            shm::shmdt(address).unwrap();
            shm::remove(id).unwrap();
        },
    );
    with_every_refusal(
        "remove",
        || [msg::msgget(8, only).unwrap(), sem::semget(8, 1, only).unwrap(), shm::shmget(8, 4096, only).unwrap()],
        |ids| {
            msg::remove(ids[0])?;
            sem::remove(ids[1])?;
            shm::remove(ids[2])
        },
        |ids, _| {
            let _ = (msg::remove(ids[0]), sem::remove(ids[1]), shm::remove(ids[2]));
            let left = (msg::list().unwrap().len(), sem::list().unwrap().len(), shm::list().unwrap().len());
            assert_eq!(left, (0, 0, 0));
            // The keys are free.
            let ids =
                [msg::msgget(8, only).unwrap(), sem::semget(8, 1, only).unwrap(), shm::shmget(8, 4096, only).unwrap()];
            msg::remove(ids[0]).and(sem::remove(ids[1])).and(shm::remove(ids[2])).unwrap();
        },
    );
}

/// A forked child joins at its first use: refused at each call it says so, and can do it the next time.
#[test]
fn join_after_fork() {
    const NOTHING_REFUSED: i32 = 7;
    let directory = Directory::in_memory("refused-fork");
    alone(|| {
        directory.becomes_madang_dir();
        let queue = queue();
        let count = (1..MOST_CALLS).find(|&count| {
            let in_child = || {
                let Some(refusals) = Refusals::begin() else { return NOTHING_REFUSED };
                let (sent, refused) = refusals.during(Refuse::Only(count), || queue.try_send(1, b"from a child"));
                if sent.is_err() {
                    queue.try_send(1, b"from a child").unwrap();
                }
                if refused.is_empty() { NOTHING_REFUSED } else { 0 }
            };
            fork(in_child).wait_for(WATCHDOG) == NOTHING_REFUSED
        });
        // Each has sent it once, also the last; but for one that was not permitted to try.
        let sent = vec![(1, b"from a child".to_vec()); count.expect("it ends") as usize];
        let tried = usize::try_from(queue.len()).unwrap();
        assert!(tried == 0 || tried == sent.len(), "{tried} of {} children", sent.len());
        holds(&queue, &sent[..tried]);
        assert_eq!(queue.stat().unwrap().participants, 1);
    });
}
