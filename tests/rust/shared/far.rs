//! Far positions: objects that were used for so long that their counters are about to pass an edge. They are put there through
//! the file, by the layout that docs/layout.md tells; then they do what they always do, across the edge.
//!
//! A queue counts bytes and messages in 64 bits, and its positions are bytes too. 2⁶⁴ of them are 58 years at 10 GB a second:
//! shortly before, it says so instead of sending.

use std::collections::VecDeque;
use std::fs::{File, OpenOptions};
use std::os::fd::AsRawFd;
use std::os::unix::fs::FileExt;
use std::sync::Mutex;
use std::thread;
use std::time::Instant;

use madang::{Barrier, Event, Operation, Queue, Select, SemaphoreSet};
use madang_tests::{Name, Random, WATCHDOG, payload, slices};

/// Where the counters of a queue begin.
#[derive(Clone, Copy, Debug)]
struct Far {
    near: u64,
    deep: u64,
    bytes: u64,
    messages: u64,
}

/// docs/layout.md, "A queue's control lines" and "A queue's areas".
const TAKEN: u64 = 528;
const SENDERS: u64 = 640;
const RECEIVERS: u64 = 768;
const PLACE: u64 = 24;
const MARKS: u64 = 32;
const LEFT: u64 = 64;
const RINGS_END: u64 = (320 + 4096) << 10;

fn open_file(path: &std::path::Path) -> File {
    OpenOptions::new().read(true).write(true).open(path).unwrap()
}

fn put(file: &File, offset: u64, words: &[u64]) {
    for (word, offset) in words.iter().zip((offset..).step_by(8)) {
        file.write_all_at(&word.to_ne_bytes(), offset).unwrap();
    }
}

fn word(file: &File, offset: u64) -> u64 {
    let mut bytes = [0; 8];
    file.read_exact_at(&mut bytes, offset).unwrap();
    u64::from_ne_bytes(bytes)
}

/// An empty queue of 1 MiB that has come so far.
fn far_queue(name: &Name, far: Far) -> File {
    drop(Queue::options().capacity(1 << 20).open(name).unwrap());
    let file = open_file(&name.queue_path());
    // SAFETY: no memory is passed.
    assert_eq!(unsafe { libc::posix_fallocate(file.as_raw_fd(), 0, RINGS_END as i64) }, 0);
    put(&file, TAKEN, &[u64::MAX; 2]);
    for end in [SENDERS, RECEIVERS] {
        put(&file, end + PLACE, &[far.near]);
        put(&file, end + MARKS, &[far.bytes, far.messages]);
        put(&file, end + LEFT, &[far.near, far.deep]);
    }
    file
}

/// What a queue should hold, in order; each message is known by its type and sequence.
struct Model {
    held: VecDeque<(i64, Vec<u8>, u64)>,
    sent: u64,
}

impl Model {
    fn next(&self, random: &mut Random, length: u64) -> (i64, Vec<u8>) {
        (1 + random.below(4) as i64, vec![self.sent as u8; random.below(length) as usize])
    }

    fn note(&mut self, (mtype, data): (i64, Vec<u8>)) {
        self.held.push_back((mtype, data, self.sent));
        self.sent = self.sent.wrapping_add(1);
    }

    fn select(&self, select: Select) -> Option<usize> {
        let mut all = self.held.iter().enumerate();
        match select {
            Select::Type(mtype) => all.find(|(_, held)| held.0 == mtype).map(|(at, _)| at),
            Select::UpTo(most) => {
                all.filter(|(_, held)| held.0 <= most).min_by_key(|(at, held)| (held.0, *at)).map(|(at, _)| at)
            }
            _ => all.next().map(|(at, _)| at),
        }
    }
}

/// One step of somebody who sends and receives at random; `fills` says which he does more often.
fn step(queue: &Queue, model: &mut Model, random: &mut Random, fills: bool) {
    let select = match random.below(4) {
        0 => Select::Type(1 + random.below(4) as i64),
        1 => Select::UpTo(1 + random.below(4) as i64),
        _ => Select::Any,
    };
    match random.below(10) {
        0..6 if fills => {
            let message = model.next(random, 4000);
            let fits = model.held.iter().map(|held| held.1.len()).sum::<usize>() + message.1.len() <= 1 << 20;
            let sent = queue.try_send(message.0, &message.1);
            assert_eq!(sent.is_ok(), fits, "{sent:?} with {} held", model.held.len());
            if fits {
                model.note(message);
            }
        }
        6 if fills => {
            let messages: Vec<_> = (0..5).map(|_| model.next(random, 100)).collect();
            let sent = queue.try_send_many(&slices(&messages)).unwrap_or(0);
            messages.into_iter().take(sent).for_each(|message| model.note(message));
        }
        7 => drop(queue.try_lease(Select::Any)),
        _ => {
            let expected = model.select(select).and_then(|at| model.held.remove(at));
            let received = queue.try_recv(select).ok().map(|message| (message.mtype, message.data, message.sequence));
            assert_eq!(received, expected, "{select:?}");
        }
    }
}

/// Goes to the deep ring and comes back, by all kinds of operations, until every counter is past its edge.
fn is_a_queue(far: Far) {
    let name = Name::new("far");
    let file = far_queue(&name, far);
    let queues = [0; 2].map(|_| Queue::open(&name).unwrap());
    let mut model = Model { held: VecDeque::new(), sent: far.messages };
    let mut random = Random(far.near);
    for round in 0..4 {
        for fills in [true, false] {
            let goes_on = |model: &Model| {
                let bytes: usize = model.held.iter().map(|held| held.1.len()).sum();
                if fills { bytes < 600_000 } else { bytes > 0 || !model.held.is_empty() }
            };
            while goes_on(&model) {
                step(&queues[random.below(2) as usize], &mut model, &mut random, fills);
                let bytes: usize = model.held.iter().map(|held| held.1.len()).sum();
                let status = queues[0].stat().unwrap();
                let held = (status.messages, status.bytes, status.sent);
                assert_eq!(held, (model.held.len() as u64, bytes as u64, model.sent), "{far:?}, round {round}");
            }
        }
    }
    for end in [SENDERS, RECEIVERS] {
        let went = |from: u64, to: u64| to.wrapping_sub(from) > 1 << 18;
        assert!(went(far.near, word(&file, end + PLACE)) || went(far.near, word(&file, end + LEFT)));
        assert!(went(far.deep, word(&file, end + PLACE)) || went(far.deep, word(&file, end + LEFT + 8)));
    }
}

/// A stream of small messages to one who sleeps between them, by handles that come to keep their locks.
fn is_a_stream(far: Far) {
    const MESSAGES: u64 = 30_000;
    let name = Name::new("far-stream");
    let _file = far_queue(&name, far);
    let receiver = Queue::open(&name).unwrap();
    let receiver = thread::spawn(move || {
        for index in 0..MESSAGES {
            let message = receiver.recv_timeout(Select::Any, WATCHDOG).unwrap();
            assert_eq!(message.sequence, far.messages.wrapping_add(index));
            assert_eq!(message.data, payload(7, index, 24));
        }
    });
    let sender = Queue::open(&name).unwrap();
    for index in 0..MESSAGES {
        sender.send_timeout(1, &payload(7, index, 24), WATCHDOG).unwrap();
    }
    receiver.join().unwrap();
    assert_eq!(sender.stat().unwrap().messages, 0);
}

const EDGES: [u64; 3] = [1 << 31, 1 << 32, 1 << 63];
/// `LAST` in `core/src/shared/raw/ring.rs`.
const LAST: u64 = u64::MAX - (1 << 42);

#[test]
fn a_queue_goes_on_across_every_edge_of_its_positions() {
    for edge in EDGES {
        let (near, deep) = (edge - (100 << 10), edge - (50 << 10));
        is_a_queue(Far { near, deep, bytes: 0, messages: 0 });
        is_a_stream(Far { near: edge - (1 << 20), deep, bytes: 0, messages: 0 });
    }
}

#[test]
fn a_queue_goes_on_across_every_edge_of_its_sums() {
    for edge in EDGES {
        is_a_queue(Far { near: 0, deep: 0, bytes: edge - (700 << 10), messages: edge - 100 });
        is_a_stream(Far { near: 0, deep: 0, bytes: edge - (500 << 10), messages: edge - 20_000 });
    }
}

/// Nobody waits for room that never comes, and nothing is lost.
#[test]
fn a_queue_that_can_count_no_further_says_so() {
    let begin = (LAST - (100 << 10)) & !7;
    let zero = Far { near: 0, deep: 0, bytes: 0, messages: 0 };
    for far in [
        Far { near: begin, ..zero },
        Far { near: begin, deep: begin, ..zero },
        Far { bytes: begin, ..zero },
        Far { messages: LAST - 100, ..zero },
    ] {
        let name = Name::new("far-last");
        let _file = far_queue(&name, far);
        let queue = Queue::open(&name).unwrap();
        let mut sent = 0;
        let error = loop {
            // Every way to send; the second would wait.
            let message = payload(1, sent, 1000);
            let outcome = match sent % 3 {
                0 => queue.try_send(1, &message),
                1 => queue.send_timeout(1, &message, WATCHDOG),
                _ => queue.try_send_many(&[(1, &message)]).map(drop),
            };
            match outcome {
                Ok(()) => sent += 1,
                Err(error) => break error,
            }
            assert!(sent < 2000, "{far:?}");
            if sent % 7 == 0 && far.deep == 0 {
                queue.try_recv(Select::Any).unwrap();
            }
        };
        assert_eq!(error.errno(), libc::EUCLEAN, "{error}");
        assert!(error.message().contains("2^64"), "{error}");
        assert_eq!(queue.send(1, &[0; 1000]).unwrap_err().errno(), libc::EUCLEAN);
        let reserved = queue.reserve(10).and_then(|reserved| reserved.commit(1));
        assert_eq!(reserved.unwrap_err().errno(), libc::EUCLEAN);
        let first = if far.deep == 0 { sent / 7 } else { 0 };
        for index in first..sent {
            assert_eq!(queue.try_recv(Select::Any).unwrap().data, payload(1, index, 1000), "{far:?}");
        }
        assert_eq!(queue.stat().unwrap().messages, 0);
    }
}

/// docs/layout.md: a set's next place in the order; and of a lock with a name, which lies at 512, a barrier's round and event,
/// and an event's word and event.
const TICKET: u64 = 544;
const ROUND: u64 = 512 + 8;
const ROUNDS_EVENT: u64 = 512 + 16;
const SETS: u64 = 512;
const SETS_EVENT: u64 = 512 + 8;
/// An event of which all that is counted is about to wrap.
const WRAPPING: u32 = u32::MAX << 20 | 0xfff0;

fn object(kind: &str, name: &Name) -> File {
    open_file(format!("/dev/shm/madang.{kind}.{name}").as_ref())
}

fn put_short(file: &File, offset: u64, word: u32) {
    file.write_all_at(&word.to_ne_bytes(), offset).unwrap();
}

fn wait_until(done: impl Fn() -> bool) {
    let begun = Instant::now();
    while !done() {
        assert!(begun.elapsed() < WATCHDOG, "stuck");
        thread::yield_now();
    }
}

/// Who sits down gets a number, which is his place in the order.
#[test]
fn semaphores_serve_in_order_across_every_edge() {
    for edge in EDGES {
        let name = Name::new("far-set");
        let set = SemaphoreSet::open(&name).unwrap();
        put(&object("semaphores", &name), TICKET, &[edge - 2]);
        let served = Mutex::new(Vec::new());
        thread::scope(|scope| {
            for number in 0..5 {
                let (served, name) = (&served, &name);
                scope.spawn(move || {
                    // The first takes 1, the next 2: what is given for one is not enough for any after him.
                    let operation = Operation::acquire(0, number + 1);
                    SemaphoreSet::open(name).unwrap().operate_timeout(&[operation], WATCHDOG).unwrap();
                    served.lock().unwrap().push(number);
                });
                wait_until(|| set.waiting(0).unwrap().to_grow as i32 == number + 1);
            }
            for number in 0..5 {
                set.operate(&[Operation::release(0, number + 1)]).unwrap();
                wait_until(|| served.lock().unwrap().len() == number as usize + 1);
            }
        });
        assert_eq!(*served.lock().unwrap(), [0, 1, 2, 3, 4], "{edge:#x}");
    }
}

/// The rounds of a barrier, the sets of an event, and the raises by which they wake, have fewer bits: they wrap.
#[test]
fn rounds_and_raises_wrap() {
    for round in [1 << 31, 0_u32] {
        let name = Name::new("far-barrier");
        let barrier = Barrier::open(&name).unwrap();
        barrier.set_parties(2).unwrap();
        let file = object("barrier", &name);
        put_short(&file, ROUND, round.wrapping_sub(50));
        put_short(&file, ROUNDS_EVENT, WRAPPING);
        let rounds = || {
            let barrier = Barrier::open(&name).unwrap();
            (0..100).for_each(|_| _ = barrier.wait_timeout(WATCHDOG).unwrap());
        };
        thread::scope(|scope| {
            scope.spawn(rounds);
            rounds();
        });
    }
}

/// There and back, a hundred times.
#[test]
fn sets_wrap() {
    for sets in [1 << 31, 0_u32] {
        let names = [Name::new("far-event"), Name::new("far-event")];
        for name in &names {
            drop(Event::open(name).unwrap());
            put_short(&object("event", name), SETS, sets.wrapping_sub(100) & !1);
            put_short(&object("event", name), SETS_EVENT, WRAPPING);
        }
        let [there, back] = names.each_ref().map(|name| Event::open(name).unwrap());
        let awaited = |event: &Event| {
            event.wait_timeout(WATCHDOG).unwrap();
            event.clear();
        };
        thread::scope(|scope| {
            scope.spawn(|| {
                for _ in 0..100 {
                    awaited(&there);
                    back.set().unwrap();
                }
            });
            for _ in 0..100 {
                there.set().unwrap();
                awaited(&back);
            }
        });
    }
}
