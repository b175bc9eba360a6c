//! SIGKILL at random points: nothing lost, nothing twice, nobody stuck.
//!
//! Each process that is killed has a number of its own, and a word in a segment, which it raises after each send. All that it told
//! must arrive, once and in order, and at most one message more: the one in whose midst it was killed.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use madang::{Deadline, Queue, Segment, Select};
use madang_tests::{Name, Random, WATCHDOG, fork, origin, payload};

/// One 64-bit word of a segment, for the ledger of a test.
pub(super) fn word(segment: &Segment, index: usize) -> &AtomicU64 {
    assert!((index + 1) * 8 <= segment.len());
    // SAFETY: within the segment, aligned since it is page-aligned, and used by nobody otherwise.
    unsafe { AtomicU64::from_ptr(segment.data().cast::<u64>().as_ptr().add(index)) }
}

/// Pauses for a random while, most often shorter than a send takes to fall asleep.
pub(super) fn pause(random: &mut Random) {
    let begun = Instant::now();
    let most = 1 << (8 + random.below(13));
    let pause = Duration::from_nanos(random.below(most));
    while begun.elapsed() < pause {
        std::hint::spin_loop();
    }
}

const KILLS: u64 = 3000;

/// Senders of messages of all lengths are killed and replaced; one receiver takes everything.
#[test]
fn senders_are_killed() {
    let name = Name::new("kill-senders");
    let queue = Queue::options().capacity(40_000).open(&name).unwrap();
    let ledger_name = Name::new("kill-senders-ledger");
    let ledger = Segment::options().length(8 * (KILLS + 3)).open(&ledger_name).unwrap();
    let begin = |sender: u32| {
        let (queue, ledger) = (&queue, &ledger);
        fork(move || {
            let mut random = Random(sender.into());
            for index in 0.. {
                let most = 1 << random.below(12);
                queue.send(1, &payload(sender, index, 12 + random.below(most) as usize)).unwrap();
                word(ledger, sender as usize).store(index + 1, Ordering::Release);
            }
            0
        })
    };
    let mut arrived = vec![0; KILLS as usize + 3];
    let mut buffer = vec![0; 1 << 13];
    let mut take = |deadline| match queue.recv_into(Select::Any, &mut buffer, deadline) {
        Ok(received) => {
            let (sender, index) = origin(&buffer[..received.length]);
            assert_eq!(index, arrived[sender as usize], "sender {sender}: each message once, in order");
            arrived[sender as usize] += 1;
            true
        }
        Err(_) => false,
    };
    let mut random = Random(7);
    let mut children: Vec<_> = (0..3).map(begin).collect();
    let mut longest = Duration::ZERO;
    for next in 3..KILLS as u32 + 3 {
        pause(&mut random);
        children.swap_remove(random.below(3) as usize).kill();
        children.push(begin(next));
        // The others go on. More is taken than the queue holds, or it would soon be always full.
        for _ in 0..200 {
            let begun = Instant::now();
            assert!(take(Deadline::after(WATCHDOG)), "nobody sends any more");
            longest = longest.max(begun.elapsed());
        }
    }
    drop(children);
    while take(Deadline::NOW) {}
    for (sender, &arrived) in arrived.iter().enumerate() {
        let told = word(&ledger, sender).load(Ordering::Acquire);
        assert!((told..=told + 1).contains(&arrived), "sender {sender} told of {told} messages, {arrived} arrived");
    }
    let status = queue.stat().unwrap();
    println!(
        "{KILLS} kills, {} of them inside the lock; {} messages; the longest wait was {longest:?}",
        status.repairs, status.received
    );
    assert!(status.repairs > 0, "some deaths must have been inside the lock, or this test shows nothing");
}

/// Receivers are killed: each takes at most one message along, the rest arrive once.
#[test]
fn receivers_are_killed() {
    const RECEIVERS: usize = 3;
    let name = Name::new("kill-receivers");
    let queue = Queue::options().capacity(40_000).open(&name).unwrap();
    let ledger_name = Name::new("kill-receivers-ledger");
    // One bit a message: whether somebody has it in hand.
    const MOST: usize = 1 << 26;
    let ledger = Segment::options().length((MOST / 8) as u64).open(&ledger_name).unwrap();
    let sender = fork(|| {
        for index in 0.. {
            queue.send(1, &payload(0, index, 12 + (index % 300) as usize)).unwrap();
        }
        0
    });
    let begin = || {
        fork(|| {
            let mut buffer = [0; 400];
            loop {
                let received = queue.recv_into(Select::Any, &mut buffer, Deadline::NEVER).unwrap();
                let (_, index) = origin(&buffer[..received.length]);
                assert_eq!(received.sequence, index);
                let before = word(&ledger, index as usize / 64).fetch_or(1 << (index % 64), Ordering::AcqRel);
                assert_eq!(before >> (index % 64) & 1, 0, "message {index} twice");
            }
        })
    };
    let mut random = Random(8);
    let mut children: Vec<_> = (0..RECEIVERS).map(|_| begin()).collect();
    let (mut kills, mut longest) = (0, Duration::ZERO);
    while kills < KILLS {
        pause(&mut random);
        let victim = random.below(RECEIVERS as u64) as usize;
        children.swap_remove(victim).kill();
        kills += 1;
        // The others go on.
        let (begun, before) = (Instant::now(), queue.stat().unwrap().received);
        while queue.stat().unwrap().received == before {
            assert!(begun.elapsed() < WATCHDOG, "nobody receives any more");
            std::hint::spin_loop();
        }
        longest = longest.max(begun.elapsed());
        children.push(begin());
        if queue.stat().unwrap().sent > MOST as u64 - 10_000_000 {
            break;
        }
    }
    sender.kill();
    while let Ok(received) = queue.try_recv(Select::Any) {
        let (_, index) = origin(&received.data);
        word(&ledger, index as usize / 64).fetch_or(1 << (index % 64), Ordering::AcqRel);
    }
    drop(children);
    let status = queue.stat().unwrap();
    assert_eq!((status.messages, status.bytes), (0, 0));
    let in_hand: u64 = (0..MOST / 64).map(|at| u64::from(word(&ledger, at).load(Ordering::Relaxed).count_ones())).sum();
    let gone = status.received - in_hand;
    println!(
        "{kills} kills, {} of them inside a lock; {} messages, {gone} taken along by the killed; the longest recovery took {longest:?}",
        status.repairs, status.received
    );
    assert!(gone <= kills + RECEIVERS as u64, "{gone} messages are missing after {kills} kills");
    assert!(status.repairs > 0, "some deaths must have been inside the lock, or this test shows nothing");
}

/// Processes are killed while they open, join and close.
#[test]
fn openers_are_killed() {
    let name = Name::new("kill-openers");
    let queue = Queue::options().max_participants(8).open(&name).unwrap();
    let mut random = Random(9);
    for _ in 0..KILLS / 3 {
        let child = fork(|| {
            loop {
                let mine = Queue::open(&name).unwrap();
                mine.send(1, b"x").unwrap();
                mine.recv(Select::Any).unwrap();
            }
        });
        pause(&mut random);
        child.kill();
    }
    // Nobody who is dead keeps a place.
    let all: Vec<_> = (0..7).map(|_| Queue::open(&name).unwrap()).collect();
    assert_eq!(queue.stat().unwrap().participants, 8);
    drop(all);
    // A message whose receiver was killed before it received stays.
    assert!(queue.len() <= KILLS);
}

/// Processes are killed while they make and unlink the queue: the name never shows a half-made one.
#[test]
fn makers_are_killed() {
    let name = Name::new("kill-makers");
    let mut random = Random(10);
    for _ in 0..KILLS / 3 {
        let child = fork(|| {
            loop {
                drop(Queue::open(&name).unwrap());
                let _ = Queue::unlink(&name);
            }
        });
        pause(&mut random);
        match Queue::options().create(madang::Create::Never).open(&name) {
            Ok(queue) => queue.send(1, b"whole").unwrap(),
            Err(error) => assert_eq!(error.errno(), libc::ENOENT, "{error}"),
        }
        child.kill();
        Queue::open(&name).unwrap().send(1, b"whole").unwrap();
    }
}
