//! Several messages with one call, and messages of several pieces.

use std::io::IoSlice;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::{Duration, Instant};

use madang::{Batch, Deadline, Queue, Segment, Select};
use madang_tests::{Checkpoint, Name, Random, WATCHDOG, fork, origin, payload, slices};

use super::kill::{pause, word};

/// What a batch holds.
fn contents(batch: &Batch) -> Vec<(i64, Vec<u8>)> {
    batch.iter().map(|(received, data)| (received.mtype, data.to_vec())).collect()
}

#[test]
fn smoke() {
    let name = Name::new("batch-smoke");
    let queue = Queue::open(&name).unwrap();
    let messages = [(1, b"one".to_vec()), (i64::MAX, vec![]), (3, vec![7; 1000]), (4, b"x".to_vec())];
    assert_eq!(queue.send_many(&slices(&messages)).unwrap(), 4);
    let mut batch = Batch::new(10, 4000);
    assert_eq!(queue.recv_many(Select::Any, &mut batch).unwrap(), 4);
    assert_eq!(contents(&batch), messages);
    assert!(batch.iter().map(|(received, _)| received.sequence).eq(0..4) && !batch.is_full());
    assert_eq!(queue.try_recv_many(Select::Any, &mut batch).unwrap_err().errno(), libc::EAGAIN);
    assert!(batch.is_empty(), "what was in it is gone");

    // What was sent in one way is received in the other.
    queue.send_many(&slices(&[(1, "alone")])).unwrap();
    assert_eq!(queue.recv(Select::Any).unwrap().data, b"alone");
    queue.send(2, b"alone").unwrap();
    queue.recv_many(Select::Any, &mut batch).unwrap();
    assert_eq!(contents(&batch), [(2, b"alone".to_vec())]);
}

#[test]
fn nothing() {
    let name = Name::new("batch-nothing");
    let queue = Queue::open(&name).unwrap();
    assert_eq!(queue.send_many(&[]).unwrap(), 0);
    assert_eq!(queue.recv_many(Select::Any, &mut Batch::new(0, 100)).unwrap(), 0);
    queue.send_vectored(1, &[], Deadline::NOW).unwrap();
    let mut batch = Batch::new(1, 0);
    assert_eq!(queue.recv_many(Select::Any, &mut batch).unwrap(), 1);
    assert_eq!(contents(&batch), [(1, vec![])]);
}

#[test]
fn capacity() {
    let name = Name::new("batch-capacity");
    let queue = Queue::options().capacity(100).max_messages(5).open(&name).unwrap();
    assert_eq!(queue.try_send_many(&slices(&[(1, [0; 30]); 20])).unwrap(), 3);
    assert_eq!(queue.try_send_many(&slices(&[(1, [0; 30]); 20])).unwrap_err().errno(), libc::EAGAIN);
    assert_eq!(queue.try_send_many(&slices(&[(1, ""); 20])).unwrap(), 2);
    let mut batch = Batch::new(2, 1000);
    assert_eq!(queue.recv_many(Select::Any, &mut batch).unwrap(), 2);
    batch.limit(9);
    assert_eq!(queue.recv_many(Select::Any, &mut batch).unwrap(), 3);
    assert!(queue.is_empty());
}

/// A batch that is too small for the first message says what it needs; one that is full says so, and the rest stays.
#[test]
fn what_does_not_fit_stays() {
    let name = Name::new("batch-fit");
    let queue = Queue::open(&name).unwrap();
    queue.send_many(&slices(&[(1, [1; 9]), (2, [2; 9])])).unwrap();
    let mut batch = Batch::new(10, 8);
    let error = queue.recv_many(Select::Any, &mut batch).unwrap_err();
    assert_eq!((error.errno(), error.length()), (libc::E2BIG, 9));
    batch.make_room(error.length() as usize);
    assert_eq!(queue.recv_many(Select::Any, &mut batch).unwrap(), 1);
    assert!(batch.is_full() && queue.len() == 1);
    // The second begins at 16.
    queue.send(3, &[3; 9]).unwrap();
    batch.make_room(24);
    assert_eq!(queue.recv_many(Select::Any, &mut batch).unwrap(), 1);
    queue.send(4, &[4; 9]).unwrap();
    batch.make_room(25);
    assert_eq!(queue.recv_many(Select::Any, &mut batch).unwrap(), 2);
    assert_eq!(contents(&batch), [(3, vec![3; 9]), (4, vec![4; 9])]);
}

/// Far more than one commit takes, through both rings.
#[test]
fn large() {
    let name = Name::new("batch-large");
    let queue = Queue::options().capacity(4 << 20).max_messages(40_000).open(&name).unwrap();
    for length in [0, 64, 100] {
        let messages: Vec<_> = (0..40_000).map(|index| (index + 1, vec![index as u8; length])).collect();
        let mut batch = Batch::new(40_000, 40_000 * length.next_multiple_of(8));
        for _ in 0..3 {
            assert_eq!(queue.try_send_many(&slices(&messages)).unwrap(), 40_000);
            assert_eq!(queue.try_recv_many(Select::Any, &mut batch).unwrap(), 40_000);
            assert!(contents(&batch) == messages);
        }
    }
    // Each longer than a commit takes, if it is one of several.
    let messages: Vec<_> = (0..40).map(|index| (index + 1, vec![index as u8; 100_000])).collect();
    let mut batch = Batch::new(100, 4 << 20);
    assert_eq!(queue.try_send_many(&slices(&messages)).unwrap(), 40);
    assert_eq!(queue.try_recv_many(Select::Any, &mut batch).unwrap(), 40);
    assert!(contents(&batch) == messages);
}

#[test]
fn pieces() {
    let name = Name::new("batch-pieces");
    let queue = Queue::options().capacity(300_000).open(&name).unwrap();
    for length in [0, 1, 7, 100, 5000, 300_000] {
        let data = payload(1, 2, length.max(12));
        let data = &data[..length];
        let pieces: Vec<_> = data.chunks(1.max(length / 7)).map(IoSlice::new).collect();
        queue.send_vectored(9, &pieces, Deadline::NOW).unwrap();
        let message = queue.try_recv(Select::Any).unwrap();
        assert!(message.mtype == 9 && message.data == data);
    }
    let half = vec![0; 150_001];
    let error = queue.send_vectored(9, &[IoSlice::new(&half), IoSlice::new(&half)], Deadline::NOW).unwrap_err();
    assert_eq!(error.errno(), libc::EMSGSIZE);
    assert_eq!(queue.send_vectored(0, &[], Deadline::NOW).unwrap_err().errno(), libc::EINVAL);
    queue.send_vectored(9, &[IoSlice::new(&half)], Deadline::NOW).unwrap();
    let full = |deadline| queue.send_vectored(9, &[IoSlice::new(&half)], deadline).unwrap_err().errno();
    assert_eq!(full(Deadline::NOW), libc::EAGAIN);
    assert_eq!(full(Deadline::after(Duration::from_millis(10))), libc::ETIMEDOUT);
}

/// One that can't be sent refuses all, and is named.
#[test]
fn refusals() {
    let name = Name::new("batch-refusals");
    let queue = Queue::options().capacity(100).open(&name).unwrap();
    let error = queue.send_many(&slices(&[(1, "a"), (2, "b"), (0, "c")])).unwrap_err();
    assert_eq!(error.errno(), libc::EINVAL);
    assert!(error.message().contains("message 2 of 3"), "{error}");
    let error = queue.send_many(&slices(&[(1, vec![]), (2, vec![0; 101]), (3, vec![])])).unwrap_err();
    assert_eq!(error.errno(), libc::EMSGSIZE);
    assert!(error.message().contains("message 1 of 3"), "{error}");
    assert!(queue.is_empty());
}

#[test]
fn timeout() {
    let name = Name::new("batch-timeout");
    let queue = Queue::options().capacity(8).open(&name).unwrap();
    let (wait, four) = (Duration::from_millis(40), [(1, "four"); 3]);
    let four = slices(&four);
    let waits = |errno, call: &dyn Fn() -> madang::Result<usize>| {
        let begun = Instant::now();
        assert_eq!(call().map_err(|error| error.errno()), errno);
        assert!(begun.elapsed() >= wait);
    };
    let receive = || queue.recv_many_timeout(Select::Any, &mut Batch::new(9, 99), wait);
    waits(Err(libc::ETIMEDOUT), &receive);
    // Two are sent, and then there is no room for the third.
    waits(Ok(2), &|| queue.send_many_timeout(&four, wait));
    waits(Err(libc::ETIMEDOUT), &|| queue.send_many_timeout(&four, wait));
    waits(Err(libc::ETIMEDOUT), &|| queue.send_many_until(&four, Deadline::after(wait)));
    assert_eq!(queue.send_many_timeout(&four, Duration::ZERO).unwrap_err().errno(), libc::EAGAIN);
    // It waits only for the first.
    assert_eq!(receive().unwrap(), 2);
    waits(Ok(2), &|| queue.send_many_until(&four, Deadline::after(wait)));
}

/// A sender waits until all are sent, whatever the queue holds.
#[test]
fn it_waits_for_all() {
    let name = Name::new("batch-all");
    let queue = Queue::options().capacity(10).open(&name).unwrap();
    let messages: Vec<_> = (0..3000).map(|index| (index + 1, vec![index as u8; index as usize % 11])).collect();
    thread::scope(|scope| {
        let sender = scope.spawn(|| queue.send_many(&slices(&messages)).unwrap());
        let mut batch = Batch::new(4, 100);
        let mut received = Vec::new();
        while received.len() < messages.len() {
            queue.recv_many_timeout(Select::Any, &mut batch, WATCHDOG).unwrap();
            received.extend(contents(&batch));
        }
        assert!(received == messages);
        assert_eq!(sender.join().unwrap(), 3000);
    });
}

/// One batch wakes all who sleep and whom it has something for, at once: who has to look by himself takes 250 ms.
#[test]
fn a_batch_wakes_several_receivers() {
    let name = Name::new("batch-wakes");
    let queue = Queue::open(&name).unwrap();
    let mut times: Vec<_> = (0..5)
        .map(|_| {
            let woken = Checkpoint::default();
            let children: Vec<_> = (0..4)
                .map(|_| {
                    fork(|| {
                        queue.recv(Select::Any).unwrap();
                        woken.reach();
                        0
                    })
                })
                .collect();
            children.iter().for_each(madang_tests::Child::wait_until_asleep);
            let begun = Instant::now();
            queue.send_many(&slices(&[(1, "x"); 4])).unwrap();
            children.iter().for_each(|_| woken.wait());
            children.into_iter().for_each(madang_tests::Child::succeeds);
            begun.elapsed()
        })
        .collect();
    times.sort_unstable();
    assert!(times[2] < Duration::from_millis(125), "they look by themselves: {times:?}");
}

/// The room that a batch makes is enough for several who wait: each who sent wakes the next.
#[test]
fn a_batch_releases_several_senders() {
    let name = Name::new("batch-releases");
    let queue = Queue::options().capacity(400).open(&name).unwrap();
    let mut batch = Batch::new(9, 1000);
    let mut times: Vec<_> = (0..5)
        .map(|_| {
            queue.send_many(&slices(&[(1, [0; 100]); 4])).unwrap();
            let children: Vec<_> = (0..4)
                .map(|_| {
                    fork(|| {
                        queue.send(2, &[0; 100]).unwrap();
                        0
                    })
                })
                .collect();
            children.iter().for_each(madang_tests::Child::wait_until_asleep);
            let begun = Instant::now();
            assert_eq!(queue.recv_many(Select::Any, &mut batch).unwrap(), 4);
            while queue.len() < 4 {
                assert!(begun.elapsed() < WATCHDOG, "nobody is released");
                thread::yield_now();
            }
            let took = begun.elapsed();
            children.into_iter().for_each(madang_tests::Child::succeeds);
            assert_eq!(queue.recv_many(Select::Any, &mut batch).unwrap(), 4);
            took
        })
        .collect();
    times.sort_unstable();
    assert!(times[2] < Duration::from_millis(125), "they look by themselves: {times:?}");
}

/// Senders and receivers of batches of all sizes share one queue.
#[test]
fn stress_mpmc() {
    const EACH: u64 = 20_000;
    let name = Name::new("batch-mpmc");
    let queue = Queue::options().capacity(3000).open(&name).unwrap();
    let send = |sender: u32| {
        let mut random = Random(sender.into());
        let mut next = 0;
        while next < EACH {
            let count = (1 + random.below(40)).min(EACH - next);
            let messages: Vec<_> = (next..next + count).map(|index| (1, payload(sender, index, 12))).collect();
            assert_eq!(queue.send_many(&slices(&messages)).unwrap() as u64, count);
            next += count;
        }
    };
    let receive = |most| {
        let mut batch = Batch::new(most, 1000);
        let (mut last, mut count) = ([None; 3], 0);
        loop {
            match queue.recv_many_timeout(Select::Any, &mut batch, WATCHDOG) {
                Ok(_) => {}
                Err(error) => panic!("{error}"),
            }
            for (received, data) in &batch {
                if received.mtype == 2 {
                    // The others' ends that came along.
                    let ends = batch.iter().filter(|(received, _)| received.mtype == 2).count();
                    (1..ends).for_each(|_| queue.send(2, b"").unwrap());
                    return count;
                }
                let (sender, index) = origin(data);
                assert!(last[sender as usize].is_none_or(|last| index > last), "each sender's in order");
                last[sender as usize] = Some(index);
                count += 1;
            }
        }
    };
    let total: u64 = thread::scope(|scope| {
        let receivers: Vec<_> = [1, 7, 100].map(|most| scope.spawn(move || receive(most))).into();
        let senders: Vec<_> = (0..3).map(|sender| scope.spawn(move || send(sender))).collect();
        senders.into_iter().for_each(|sender| sender.join().unwrap());
        receivers.iter().for_each(|_| queue.send(2, b"").unwrap());
        receivers.into_iter().map(|receiver| receiver.join().unwrap()).sum()
    });
    assert_eq!(total, 3 * EACH);
    assert!(queue.is_empty());
}

const KILLS: u64 = 1000;
const BATCH: u64 = 40;

/// A message that takes no time to make, or those who are killed would nearly always be making one: who sent it, which it is,
/// and some more bytes.
#[derive(Clone, Copy)]
struct Quick {
    bytes: [u8; 100],
    length: usize,
}

impl Quick {
    fn new(sender: u32, index: u64) -> Self {
        let mut bytes = [0x5a; 100];
        bytes[..4].copy_from_slice(&sender.to_le_bytes());
        bytes[4..12].copy_from_slice(&index.to_le_bytes());
        Self { bytes, length: 12 + (index * 7 % 89) as usize }
    }

    /// Who sent it, and which it is; fails if a byte of it is wrong.
    fn origin(data: &[u8]) -> (u32, u64) {
        let sender = u32::from_le_bytes(data[..4].try_into().unwrap());
        let index = u64::from_le_bytes(data[4..12].try_into().unwrap());
        assert_eq!(data, Self::new(sender, index).as_ref(), "message {index} of sender {sender} is garbled");
        (sender, index)
    }
}

impl AsRef<[u8]> for Quick {
    fn as_ref(&self) -> &[u8] {
        &self.bytes[..self.length]
    }
}

/// Senders of batches of messages of all lengths are killed and replaced; one receiver, who takes batches himself, gets everything
/// that they told of, once, in order and without gaps, and at most one call's messages more.
#[test]
fn senders_are_killed() {
    let name = Name::new("batch-kill-senders");
    let queue = Queue::options().capacity(40_000).open(&name).unwrap();
    let ledger_name = Name::new("batch-kill-ledger");
    let ledger = Segment::options().length(8 * (KILLS + 3)).open(&ledger_name).unwrap();
    let begin = |sender: u32| {
        let (queue, ledger) = (&queue, &ledger);
        fork(move || {
            let mut random = Random(sender.into());
            let mut next = 0;
            loop {
                let count = 1 + random.below(BATCH);
                let messages: Vec<_> = (next..next + count).map(|index| (1, Quick::new(sender, index))).collect();
                queue.send_many(&slices(&messages)).unwrap();
                next += count;
                word(ledger, sender as usize).store(next, Ordering::Release);
            }
        })
    };
    let mut arrived = vec![0; KILLS as usize + 3];
    let mut batch = Batch::new(30, 30 * 104);
    let mut take = |deadline| {
        let taken = queue.recv_many_until(Select::Any, &mut batch, deadline).unwrap_or(0);
        for (_, data) in &batch {
            let (sender, index) = Quick::origin(data);
            assert_eq!(index, arrived[sender as usize], "sender {sender}: each message once, in order, without gaps");
            arrived[sender as usize] += 1;
        }
        taken
    };
    let mut random = Random(11);
    let mut children: Vec<_> = (0..3).map(begin).collect();
    for next in 3..KILLS as u32 + 3 {
        pause(&mut random);
        children.swap_remove(random.below(3) as usize).kill();
        children.push(begin(next));
        // The others go on. More is taken than the queue holds, or it would soon be always full.
        for _ in 0..20 {
            assert!(take(Deadline::after(WATCHDOG)) > 0, "nobody sends any more");
        }
    }
    drop(children);
    while take(Deadline::NOW) > 0 {}
    for (sender, &arrived) in arrived.iter().enumerate() {
        let told = word(&ledger, sender).load(Ordering::Acquire);
        assert!((told..=told + BATCH).contains(&arrived), "sender {sender} told of {told}, {arrived} arrived");
    }
    let status = queue.stat().unwrap();
    println!("{KILLS} kills, {} of them inside the lock; {} messages", status.repairs, status.received);
    assert_eq!((status.messages, status.bytes, status.sent), (0, 0, status.received));
    assert!(status.repairs > 0, "some deaths must have been inside the lock, or this test shows nothing");
}

/// Receivers of batches are killed: each takes one batch along at most, the rest arrive once.
#[test]
fn receivers_are_killed() {
    const MOST: usize = 1 << 25;
    let name = Name::new("batch-kill-receivers");
    let queue = Queue::options().capacity(40_000).open(&name).unwrap();
    let ledger_name = Name::new("batch-kill-bits");
    // One bit a message: whether somebody has it in hand.
    let ledger = Segment::options().length((MOST / 8) as u64).open(&ledger_name).unwrap();
    let note = |index: u64| {
        let before = word(&ledger, index as usize / 64).fetch_or(1 << (index % 64), Ordering::AcqRel);
        assert_eq!(before >> (index % 64) & 1, 0, "message {index} twice");
    };
    let sender = fork(|| {
        for first in (0..).step_by(25) {
            let messages: Vec<_> = (first..first + 25).map(|index| (1, Quick::new(0, index))).collect();
            queue.send_many(&slices(&messages)).unwrap();
        }
        0
    });
    let begin = || {
        fork(|| {
            let mut batch = Batch::new(BATCH as usize, 20_000);
            loop {
                queue.recv_many(Select::Any, &mut batch).unwrap();
                for (received, data) in &batch {
                    assert_eq!(Quick::origin(data), (0, received.sequence));
                    note(received.sequence);
                }
            }
        })
    };
    let mut random = Random(12);
    let mut children: Vec<_> = (0..3).map(|_| begin()).collect();
    let mut kills = 0;
    while kills < KILLS && queue.stat().unwrap().sent < MOST as u64 - 1_000_000 {
        pause(&mut random);
        children.swap_remove(random.below(3) as usize).kill();
        kills += 1;
        // The others go on.
        let (begun, before) = (Instant::now(), queue.stat().unwrap().received);
        while queue.stat().unwrap().received == before {
            assert!(begun.elapsed() < WATCHDOG, "nobody receives any more");
            std::hint::spin_loop();
        }
        children.push(begin());
    }
    sender.kill();
    drop(children);
    while let Ok(received) = queue.try_recv(Select::Any) {
        note(received.sequence);
    }
    let status = queue.stat().unwrap();
    assert_eq!((status.messages, status.bytes), (0, 0));
    let in_hand: u64 = (0..MOST / 64).map(|at| u64::from(word(&ledger, at).load(Ordering::Relaxed).count_ones())).sum();
    let gone = status.received - in_hand;
    println!("{kills} kills, {} inside a lock; {} messages, {gone} taken along", status.repairs, status.received);
    assert!(gone <= (kills + 3) * BATCH, "{gone} messages are missing after {kills} kills");
    assert!(status.repairs > 0, "some deaths must have been inside the lock, or this test shows nothing");
}
