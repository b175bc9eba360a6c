//! Ends of a queue that one user keeps, and is asked for: bursts long enough to keep, by several who take it from each other all
//! the time, who are killed and stopped, share a handle, fork and go.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use madang::{Deadline, Queue, Segment, Select};
use madang_tests::{Checkpoint, Name, Random, WATCHDOG, fork, origin, payload};

/// Where the locks of the two ends lie, and the bit of a word that is kept (docs/layout.md).
const SENDERS_LOCK: u64 = 640;
const RECEIVERS_LOCK: u64 = 768;
const KEPT: u32 = 1 << 30;

/// So many in a row and somebody keeps the end.
const BURST: u64 = 1500;

fn is_kept(file: &File, lock: u64) -> bool {
    let mut word = [0; 4];
    file.read_exact_at(&mut word, lock).unwrap();
    u32::from_ne_bytes(word) & KEPT != 0
}

/// One 64-bit word of a segment, for the ledger of a test.
fn word(segment: &Segment, index: u64) -> &AtomicU64 {
    assert!((index + 1) * 8 <= segment.len() as u64);
    // SAFETY: within the segment, aligned since it is page-aligned, and used by nobody otherwise.
    unsafe { AtomicU64::from_ptr(segment.data().cast::<u64>().as_ptr().add(index as usize)) }
}

/// So many messages a sender sends at most, so that its part of the ledger has a bit for each.
const MOST: u64 = 1 << 17;
/// So many senders there are at most, the killed and their successors.
const SENDERS: u64 = 400;

/// What was sent and what arrived: a word that senders raise, the end, and a bit a message that receivers set.
#[derive(Clone, Copy)]
struct Ledger<'a>(&'a Segment);

impl Ledger<'_> {
    const LENGTH: u64 = 8 * (SENDERS + 1) + SENDERS * MOST / 8;

    /// How many messages a sender told that it sent.
    fn told(&self, sender: u32) -> &AtomicU64 {
        word(self.0, sender.into())
    }

    /// 1 when senders shall end, 2 when receivers shall.
    fn end(&self) -> &AtomicU64 {
        word(self.0, SENDERS)
    }

    fn bits(&self, sender: u32, index: u64) -> &AtomicU64 {
        assert!(u64::from(sender) < SENDERS && index < MOST);
        word(self.0, SENDERS + 1 + (u64::from(sender) * MOST + index) / 64)
    }

    fn arrived(&self, sender: u32, index: u64) {
        let before = self.bits(sender, index).fetch_or(1 << (index % 64), Ordering::AcqRel);
        assert_eq!(before >> (index % 64) & 1, 0, "message {index} of sender {sender} twice");
    }

    fn count(&self, sender: u32) -> u64 {
        (0..MOST)
            .step_by(64)
            .map(|index| u64::from(self.bits(sender, index).load(Ordering::Acquire).count_ones()))
            .sum()
    }
}

/// Bursts with pauses in between, in which another's burst makes him the keeper.
fn send_in_bursts(queue: &Queue, ledger: Ledger, sender: u32) -> i32 {
    let mut random = Random(sender.into());
    let mut index = 0;
    while ledger.end().load(Ordering::Acquire) == 0 {
        for _ in 0..random.below(3 * BURST) {
            if index < MOST {
                let length = 12 + random.below(30) as usize;
                queue.send(1, &payload(sender, index, length)).unwrap();
                index += 1;
                ledger.told(sender).store(index, Ordering::Release);
            }
        }
        thread::sleep(Duration::from_micros(random.below(500)));
    }
    0
}

fn receive_in_bursts(queue: &Queue, ledger: Ledger, seed: u64) -> i32 {
    let mut random = Random(seed);
    let mut buffer = [0; 100];
    // The next that may come of each sender.
    let mut next = vec![0; SENDERS as usize];
    loop {
        for _ in 0..random.below(3 * BURST) {
            match queue.recv_into(Select::Any, &mut buffer, Deadline::after(Duration::from_millis(20))) {
                Ok(received) => {
                    let (sender, index) = origin(&buffer[..received.length]);
                    assert!(index >= next[sender as usize], "in order");
                    next[sender as usize] = index + 1;
                    ledger.arrived(sender, index);
                }
                Err(error) => {
                    assert_eq!(error.errno(), libc::ETIMEDOUT, "{error}");
                    if ledger.end().load(Ordering::Acquire) == 2 {
                        return 0;
                    }
                }
            }
        }
        thread::sleep(Duration::from_micros(random.below(300)));
    }
}

/// Several senders and receivers, some of whom are killed or stopped at random: nothing is lost or comes twice, but for one message
/// that a killed receiver has in hand, and nobody is stuck.
#[test]
fn stress_keepers_are_killed_and_stopped() {
    const EACH: usize = 3;
    let (name, ledger_name) = (Name::new("keep-stress"), Name::new("keep-stress-ledger"));
    let queue = Queue::options().capacity(40_000).open(&name).unwrap();
    let file = File::open(name.queue_path()).unwrap();
    let segment = Segment::options().length(Ledger::LENGTH).open(&ledger_name).unwrap();
    let ledger = Ledger(&segment);
    let begin_sender = |sender: u32| fork(|| send_in_bursts(&queue, ledger, sender));
    let begin_receiver = |seed: u64| fork(|| receive_in_bursts(&queue, ledger, seed));
    let mut senders: Vec<_> = (0..EACH as u32).map(|sender| (sender, begin_sender(sender))).collect();
    let mut receivers: Vec<_> = (0..EACH as u64).map(begin_receiver).collect();
    let mut killed = vec![];
    let (mut random, mut killed_receivers, mut stops, mut kept) = (Random(11), 0, 0, [0, 0]);
    let (begun, mut longest) = (Instant::now(), Duration::ZERO);
    for next in EACH as u32.. {
        if begun.elapsed() > Duration::from_secs(4) || u64::from(next) == SENDERS {
            break;
        }
        thread::sleep(Duration::from_micros(random.below(8000)));
        kept[0] += u32::from(is_kept(&file, SENDERS_LOCK));
        kept[1] += u32::from(is_kept(&file, RECEIVERS_LOCK));
        let victim = random.below(EACH as u64) as usize;
        let is_sender = random.below(2) == 0;
        let stopped = if is_sender { &senders[victim].1 } else { &receivers[victim] };
        if random.below(2) == 0 {
            // As long as others wait before they ask, or a little.
            stopped.signal(libc::SIGSTOP);
            thread::sleep(Duration::from_micros(random.below(15_000)));
            stops += 1;
        }
        match random.below(4) {
            0 if is_sender => {
                let (sender, child) = std::mem::replace(&mut senders[victim], (next, begin_sender(next)));
                child.kill();
                killed.push(sender);
            }
            1 if !is_sender => {
                std::mem::replace(&mut receivers[victim], begin_receiver(next.into())).kill();
                killed_receivers += 1;
            }
            _ => stopped.signal(libc::SIGCONT),
        }
        // Somebody goes on.
        let (waited, before) = (Instant::now(), queue.stat().unwrap());
        let all_told = || senders.iter().all(|(sender, _)| ledger.told(*sender).load(Ordering::Acquire) == MOST);
        while queue.stat().unwrap().received == before.received && !all_told() {
            assert!(waited.elapsed() < WATCHDOG, "nobody gets on: {:?}", queue.stat());
            thread::sleep(Duration::from_micros(50));
        }
        longest = longest.max(waited.elapsed());
    }
    ledger.end().store(1, Ordering::Release);
    let mut all: Vec<_> = killed.iter().map(|&sender| (sender, true)).collect();
    for (sender, child) in senders {
        child.succeeds();
        all.push((sender, false));
    }
    ledger.end().store(2, Ordering::Release);
    receivers.into_iter().for_each(madang_tests::Child::succeeds);
    let (mut arrived, mut missing) = (0, 0);
    for (sender, was_killed) in all {
        let (told, count) = (ledger.told(sender).load(Ordering::Acquire), ledger.count(sender));
        assert!(count <= told + u64::from(was_killed), "sender {sender} sent {told}, {count} arrived");
        arrived += count;
        missing += told.saturating_sub(count);
    }
    let status = queue.stat().unwrap();
    println!(
        "{arrived} messages; {} senders and {killed_receivers} receivers killed, {stops} stopped, {} repairs; {missing} taken along; \
         kept by senders and receivers at {kept:?} of {} looks; the longest standstill was {longest:?}",
        killed.len(),
        status.repairs,
        killed.len() + killed_receivers + stops,
    );
    assert!(missing <= killed_receivers as u64, "{missing} are lost, {killed_receivers} receivers were killed");
    assert_eq!((status.messages, status.bytes), (0, 0));
    assert!(kept[0] > 0 && kept[1] > 0, "somebody must have kept each end, or this test shows nothing");
}

/// Receives so many messages and looks that those of each sender are there once and in order.
fn receive_all(queue: &Queue, counts: &[u64]) {
    let mut next = vec![0; counts.len()];
    for _ in 0..counts.iter().sum() {
        let message = queue.recv_timeout(Select::Any, WATCHDOG).expect("nobody is stuck");
        let (sender, index) = origin(&message.data);
        assert_eq!(index, next[sender as usize], "sender {sender}: each once and in order");
        next[sender as usize] += 1;
    }
    assert_eq!(next, counts);
    assert!(queue.is_empty());
}

fn send_all(queue: &Queue, sender: u32, indices: std::ops::Range<u64>) {
    for index in indices {
        queue.send_timeout(1, &payload(sender, index, 16), WATCHDOG).expect("nobody is stuck");
    }
}

/// One thread keeps the senders' end; then another comes to use the same handle, and both go on, with a third who has his own.
#[test]
fn a_handle_that_is_kept_is_shared_by_threads() {
    for _ in 0..30 {
        let name = Name::new("keep-threads");
        let queue = Queue::options().capacity(40_000).open(&name).unwrap();
        let (file, other) = (File::open(name.queue_path()).unwrap(), Queue::open(&name).unwrap());
        let second_may_come = AtomicBool::new(false);
        thread::scope(|scope| {
            scope.spawn(|| {
                send_all(&queue, 0, 0..BURST);
                assert!(is_kept(&file, SENDERS_LOCK));
                second_may_come.store(true, Ordering::Release);
                send_all(&queue, 0, BURST..4 * BURST);
            });
            scope.spawn(|| {
                while !second_may_come.load(Ordering::Acquire) {
                    std::hint::spin_loop();
                }
                send_all(&queue, 1, 0..BURST);
                send_all(&other, 2, 0..2 * BURST);
            });
            scope.spawn(|| {
                while !second_may_come.load(Ordering::Acquire) {
                    std::hint::spin_loop();
                }
                receive_all(&Queue::open(&name).unwrap(), &[4 * BURST, BURST, 2 * BURST]);
            });
        });
    }
}

/// The same for the receivers' end.
#[test]
fn a_receiver_that_keeps_is_shared_by_threads() {
    for _ in 0..30 {
        const ALL: u64 = 6 * BURST;
        let name = Name::new("keep-receivers");
        let queue = Queue::options().capacity(40_000).open(&name).unwrap();
        let other = Queue::open(&name).unwrap();
        let second_may_come = AtomicBool::new(false);
        let seen: Vec<_> = (0..ALL).map(|_| AtomicBool::new(false)).collect();
        let receive = |queue: &Queue| {
            let message = queue.recv_timeout(Select::Any, WATCHDOG).expect("nobody is stuck");
            let (sender, index) = origin(&message.data);
            if sender == 0 {
                assert!(!seen[index as usize].swap(true, Ordering::AcqRel), "message {index} twice");
            }
            sender == 0
        };
        thread::scope(|scope| {
            scope.spawn(|| send_all(&Queue::open(&name).unwrap(), 0, 0..ALL));
            scope.spawn(|| {
                (0..BURST).for_each(|_| assert!(receive(&queue)));
                // It is kept unless the sender fell asleep since.
                second_may_come.store(true, Ordering::Release);
                while receive(&queue) {}
                queue.send(1, &payload(1, 0, 16)).unwrap();
            });
            scope.spawn(|| {
                while !second_may_come.load(Ordering::Acquire) {
                    std::hint::spin_loop();
                }
                let mut turn = 0;
                while receive(if (turn / BURST).is_multiple_of(2) { &queue } else { &other }) {
                    turn += 1;
                }
                queue.send(1, &payload(1, 0, 16)).unwrap();
            });
            scope.spawn(|| {
                let begun = Instant::now();
                while !seen.iter().all(|seen| seen.load(Ordering::Acquire)) {
                    assert!(begun.elapsed() < WATCHDOG, "some are lost");
                    thread::sleep(Duration::from_millis(1));
                }
                // Each of the two passes it on, and the last to the queue.
                queue.send(1, &payload(1, 0, 16)).unwrap();
            });
        });
        assert!(seen.iter().all(|seen| seen.load(Ordering::Acquire)));
        assert_eq!(queue.len(), 1);
    }
}

/// A keeper forks, and both go on with what was one handle; the child of another thread than the keeper's too.
#[test]
fn a_keeper_forks() {
    for round in 0..30 {
        let name = Name::new("keep-fork");
        let queue = Queue::options().capacity(40_000).open(&name).unwrap();
        let file = File::open(name.queue_path()).unwrap();
        send_all(&queue, 0, 0..BURST);
        assert!(is_kept(&file, SENDERS_LOCK));
        // Not before: a keeper gives the end back when it finds a receiver asleep.
        let receiver = fork(|| {
            receive_all(&queue, &[4 * BURST, 3 * BURST]);
            0
        });
        let begin = || {
            fork(|| {
                send_all(&queue, 1, 0..3 * BURST);
                0
            })
        };
        thread::scope(|scope| {
            let mut child = None;
            if round % 2 == 0 {
                child = Some(begin());
            } else {
                scope.spawn(|| begin().succeeds());
            }
            send_all(&queue, 0, BURST..4 * BURST);
            child.into_iter().for_each(madang_tests::Child::succeeds);
        });
        receiver.succeeds();
    }
}

/// A child that was forked from a keeper can keep too, whichever thread forked it.
#[test]
fn a_forked_child_keeps() {
    let name = Name::new("keep-child");
    let queue = Queue::open(&name).unwrap();
    send_all(&queue, 0, 0..BURST);
    let (asked, go) = (Checkpoint::default(), Checkpoint::default());
    let fork_and_wait = || {
        let child = fork(|| {
            send_all(&queue, 1, 0..1);
            asked.reach();
            go.wait();
            send_all(&queue, 1, 1..BURST);
            i32::from(!is_kept(&File::open(name.queue_path()).unwrap(), SENDERS_LOCK))
        });
        child.succeeds();
    };
    thread::scope(|scope| {
        scope.spawn(fork_and_wait);
        asked.wait();
        // Before the keeper knows that it was asked nobody else can keep.
        send_all(&queue, 0, BURST..BURST + 1);
        go.reach();
    });
    receive_all(&queue, &[BURST + 1, BURST]);
}

/// Keepers go while others ask, in all their ways: closed, moved to another thread, killed.
#[test]
fn keepers_go() {
    let name = Name::new("keep-go");
    let queue = Queue::options().capacity(40_000).open(&name).unwrap();
    const ROUNDS: u32 = 40;
    thread::scope(|scope| {
        for sender in 0..2 {
            let name = &name;
            scope.spawn(move || {
                let mut handle = Queue::open(name).unwrap();
                for round in 0..ROUNDS {
                    let burst = |first: u64| first * BURST..(first + 1) * BURST;
                    let first = 2 * u64::from(round);
                    send_all(&handle, sender, burst(first));
                    handle = thread::spawn(move || {
                        send_all(&handle, sender, burst(first + 1));
                        handle
                    })
                    .join()
                    .unwrap();
                    if round % 2 == 0 {
                        handle = Queue::open(name).unwrap();
                    }
                }
            });
        }
        scope.spawn(|| receive_all(&queue, &[u64::from(2 * ROUNDS) * BURST; 2]));
    });
    for sender in 0..20 {
        let child = fork(|| {
            let handle = Queue::open(&name).unwrap();
            send_all(&handle, 0, 0..BURST);
            // It goes without giving back what it keeps.
            std::mem::forget(handle);
            0
        });
        child.succeeds();
        if sender % 2 == 0 {
            // Its place, and its end, go to the next.
            drop(Queue::open(&name).unwrap());
        }
        receive_all(&queue, &[BURST]);
        queue.send_until(1, &payload(0, 0, 12), Deadline::INSTANT).unwrap();
        receive_all(&queue, &[1]);
    }
    assert_eq!(queue.stat().unwrap().repairs, 0, "nobody died inside");
}
