//! SIGKILL of those who move, lease, reserve, and send and receive long messages, at random points: nothing lost, nothing twice
//! among what was acknowledged, nobody stuck.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use madang::{Deadline, Queue, Reservation, Segment, Select};
use madang_tests::{Child, Name, Random, WATCHDOG, fork, origin, payload};

/// One 64-bit word of a segment, for the ledger of a test.
fn word(segment: &Segment, index: usize) -> &AtomicU64 {
    assert!((index + 1) * 8 <= segment.len());
    // SAFETY: within the segment, aligned since it is page-aligned, and used by nobody otherwise.
    unsafe { AtomicU64::from_ptr(segment.data().cast::<u64>().as_ptr().add(index)) }
}

fn pause(random: &mut Random) {
    let begun = Instant::now();
    let most = 1 << (10 + random.below(12));
    let pause = Duration::from_nanos(random.below(most));
    while begun.elapsed() < pause {
        std::hint::spin_loop();
    }
}

const KILLS: u64 = 600;
const WORKERS: u64 = 3;

fn length(random: &mut Random) -> usize {
    12 + match random.below(4) {
        0 => random.below(9000),
        1 => random.below(3000),
        _ => random.below(100),
    } as usize
}

fn select(random: &mut Random) -> Select {
    match random.below(6) {
        0 | 1 => Select::Any,
        2 => Select::UpTo(1 + random.below(4) as i64),
        3 => Select::Except(1 + random.below(4) as i64),
        _ => Select::Type(1 + random.below(4) as i64),
    }
}

/// Kills workers, and begins others in their stead, while messages are passed on.
fn kill_many(queue: &Queue, seed: u64, begin: impl Fn(u64) -> Child, mut pass: impl FnMut()) -> u64 {
    let mut random = Random(seed);
    let mut children: Vec<_> = (0..WORKERS).map(&begin).collect();
    for next in WORKERS..KILLS + WORKERS {
        pause(&mut random);
        children.swap_remove(random.below(WORKERS) as usize).kill();
        children.push(begin(next));
        let (begun, before) = (Instant::now(), queue.stat().unwrap());
        loop {
            pass();
            let now = queue.stat().unwrap();
            assert!(
                now.messages <= now.max_messages && now.bytes <= now.capacity && now.leased <= now.messages,
                "{now:?}"
            );
            if now.received > before.received && now.sent > before.sent {
                break;
            }
            assert!(begun.elapsed() < WATCHDOG, "nobody gets on: {now:?}");
        }
    }
    KILLS + WORKERS
}

/// Nothing is out any more, and all the room is there again.
fn check_room(queue: &Queue) {
    while queue.try_recv(Select::UpTo(i64::MAX)).is_ok() {}
    let status = queue.stat().unwrap();
    assert_eq!((status.messages, status.bytes, status.leased), (0, 0, 0), "{status:?}");
    for _ in 0..status.max_messages {
        queue.try_send(1, &vec![0; (status.capacity / status.max_messages) as usize]).unwrap();
    }
    assert_eq!(queue.try_send(1, &[0; 1]).unwrap_err().errno(), libc::EAGAIN);
    while queue.try_recv(Select::Type(1)).is_ok() {}
    queue.try_send(1, &vec![0; status.capacity as usize]).unwrap();
    assert_eq!(queue.try_recv(Select::Any).unwrap().data.len() as u64, status.capacity);
    // Few of these deaths are inside a lock: those are the trap's affair.
    println!("{status:?}");
}

/// Each leases, and acknowledges or gives back. Before it acknowledges it says which, and after it that it did.
#[test]
fn lease_holders_are_killed() {
    const MOST: usize = 1 << 22;
    let (name, ledger_name) = (Name::new("kill-leases"), Name::new("kill-leases-ledger"));
    let queue = Queue::options().capacity(60_000).max_messages(40).open(&name).unwrap();
    // One bit a message: whether it was acknowledged. Then a word for each worker: what it is about to acknowledge, and 1.
    let ledger = Segment::options().length((MOST / 8) as u64 + 8 * (KILLS + WORKERS)).open(&ledger_name).unwrap();
    let intent = |worker: u64| word(&ledger, MOST / 64 + worker as usize);
    let bit = |index: u64| (word(&ledger, index as usize / 64), 1 << (index % 64));
    let begin = |worker: u64| {
        let (queue, intent, bit) = (&queue, &intent, &bit);
        fork(move || {
            let mut random = Random(worker);
            loop {
                let Ok(lease) = queue.lease_timeout(select(&mut random), Duration::from_millis(2)) else { continue };
                let (_, index) = origin(&lease.to_vec());
                assert_eq!((lease.sequence(), lease.mtype()), (index, 1 + index as i64 % 4));
                let (word, bit) = bit(index);
                assert_eq!(word.load(Ordering::Acquire) & bit, 0, "message {index} was acknowledged");
                match random.below(4) {
                    0 => drop(lease),
                    1 => lease.release().unwrap(),
                    _ => {
                        intent(worker).store(index + 1, Ordering::Release);
                        lease.ack().unwrap();
                        word.fetch_or(bit, Ordering::AcqRel);
                        intent(worker).store(0, Ordering::Release);
                    }
                }
            }
        })
    };
    let (mut sent, mut random) = (0, Random(77));
    let mut pass = || {
        while queue.try_send(1 + sent as i64 % 4, &payload(0, sent, length(&mut random))).is_ok() {
            sent += 1;
        }
    };
    let workers = kill_many(&queue, 11, begin, &mut pass);
    assert!((sent as usize) < MOST);
    // What the last ones had leased comes back when somebody looks for it.
    queue.trim().unwrap();
    let mut here = vec![];
    while let Ok(message) = queue.try_recv(Select::Any) {
        let (_, index) = origin(&message.data);
        assert!(here.last().is_none_or(|&last| last < index), "in the old order");
        here.push(index);
    }
    let intents: Vec<_> = (0..workers).map(|worker| intent(worker).load(Ordering::Acquire)).collect();
    for index in 0..sent {
        let (word, bit) = bit(index);
        let is_acknowledged = word.load(Ordering::Acquire) & bit != 0;
        let is_here = here.binary_search(&index).is_ok();
        assert!(!(is_acknowledged && is_here), "message {index} was acknowledged, and is here");
        assert!(is_acknowledged || is_here || intents.contains(&(index + 1)), "message {index} of {sent} is lost");
    }
    check_room(&queue);
}

/// Receivers of single types, of short and long messages, are killed: each takes one message along at most, and none comes twice.
#[test]
fn movers_and_long_receivers_are_killed() {
    const MOST: usize = 1 << 22;
    let (name, ledger_name) = (Name::new("kill-movers"), Name::new("kill-movers-ledger"));
    let queue = Queue::options().capacity(60_000).max_messages(40).open(&name).unwrap();
    let ledger = Segment::options().length((MOST / 8) as u64).open(&ledger_name).unwrap();
    let note = |index: u64| {
        let before = word(&ledger, index as usize / 64).fetch_or(1 << (index % 64), Ordering::AcqRel);
        assert_eq!(before >> (index % 64) & 1, 0, "message {index} twice");
    };
    let begin = |worker: u64| {
        let (queue, note) = (&queue, &note);
        fork(move || {
            let mut random = Random(worker);
            loop {
                if random.below(8) == 0 {
                    let _ = queue.peek(random.below(40));
                }
                let Ok(message) = queue.recv_timeout(select(&mut random), Duration::from_millis(2)) else { continue };
                let (_, index) = origin(&message.data);
                assert_eq!((message.sequence, message.mtype), (index, 1 + index as i64 % 4));
                note(index);
            }
        })
    };
    let (mut sent, mut random) = (0, Random(78));
    let mut pass = || {
        while queue.try_send(1 + sent as i64 % 4, &payload(0, sent, length(&mut random))).is_ok() {
            sent += 1;
        }
    };
    let workers = kill_many(&queue, 12, begin, &mut pass);
    assert!((sent as usize) < MOST);
    while let Ok(message) = queue.try_recv(Select::Any) {
        note(origin(&message.data).1);
    }
    let seen: u64 = (0..MOST / 64).map(|at| u64::from(word(&ledger, at).load(Ordering::Relaxed).count_ones())).sum();
    assert!(sent - seen <= workers, "{} of {sent} are missing after {workers} deaths", sent - seen);
    check_room(&queue);
}

/// Senders of long messages, and of reservations that are committed or not, are killed.
#[test]
fn reservers_and_long_senders_are_killed() {
    let (name, ledger_name) = (Name::new("kill-reservers"), Name::new("kill-reservers-ledger"));
    let queue = Queue::options().capacity(60_000).max_messages(40).open(&name).unwrap();
    let ledger = Segment::options().length(8 * (KILLS + WORKERS)).open(&ledger_name).unwrap();
    let begin = |sender: u64| {
        let (queue, ledger) = (&queue, &ledger);
        fork(move || {
            let mut random = Random(sender);
            for index in 0.. {
                let data = payload(sender as u32, index, length(&mut random));
                if random.below(2) == 0 {
                    queue.send(1, &data).unwrap();
                } else {
                    let room = data.len() + random.below(500) as usize;
                    drop(Reservation::new(queue, room, Deadline::NOW));
                    let mut reservation = queue.reserve(room).unwrap();
                    reservation.write(0, &data).unwrap();
                    reservation.commit_part(1, data.len(), Deadline::NEVER).unwrap();
                }
                word(ledger, sender as usize).store(index + 1, Ordering::Release);
            }
            0
        })
    };
    let mut arrived = vec![0; (KILLS + WORKERS) as usize];
    let (mut random, mut buffer) = (Random(79), vec![0; 1 << 14]);
    let mut take = |deadline| {
        // Before most of these others are skipped, which there aren't: all stays in order.
        let select = [Select::Any, Select::Type(1), Select::UpTo(3), Select::Except(2)][random.below(4) as usize];
        let Ok(received) = queue.recv_into(select, &mut buffer, deadline) else { return false };
        let (sender, index) = origin(&buffer[..received.length]);
        assert_eq!(index, arrived[sender as usize], "sender {sender}: each message once, in order");
        arrived[sender as usize] += 1;
        true
    };
    // More is taken than the queue holds, or it would soon be always full, and everybody asleep.
    kill_many(&queue, 13, begin, || {
        (0..60).for_each(|_| assert!(take(Deadline::after(WATCHDOG)), "nobody sends any more"));
    });
    while take(Deadline::NOW) {}
    for (sender, &arrived) in arrived.iter().enumerate() {
        let told = word(&ledger, sender).load(Ordering::Acquire);
        assert!((told..=told + 1).contains(&arrived), "sender {sender} told of {told} messages, {arrived} arrived");
    }
    check_room(&queue);
}
