//! What a queue does, with one process and with several.

use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use madang::{Deadline, Queue, Select};
use madang_tests::{Checkpoint, Name, Random, WATCHDOG, fork, origin, payload};

#[test]
fn smoke() {
    let name = Name::new("smoke");
    let queue = Queue::open(&name).unwrap();
    assert!(queue.is_new() && queue.is_empty() && queue.name() == &*name);
    queue.send(3, b"one").unwrap();
    queue.send(i64::MAX, b"").unwrap();
    assert_eq!(queue.len(), 2);
    let message = queue.recv(Select::Any).unwrap();
    assert_eq!((message.mtype, &message.data[..], message.sequence), (3, &b"one"[..], 0));
    let message = queue.recv(Select::Any).unwrap();
    assert_eq!((message.mtype, &message.data[..], message.sequence), (i64::MAX, &b""[..], 1));
    assert_eq!(queue.try_recv(Select::Any).unwrap_err().errno(), libc::EAGAIN);
}

#[test]
fn it_persists_until_it_is_unlinked() {
    let name = Name::new("persist");
    Queue::options().mode(0o640).open(&name).unwrap().send(1, b"kept").unwrap();
    let queue = Queue::open(&name).unwrap();
    assert!(!queue.is_new());
    assert_eq!(queue.stat().unwrap().mode, 0o640, "exactly the mode that was asked for");
    Queue::unlink(&name).unwrap();
    assert_eq!(queue.recv(Select::Any).unwrap().data, b"kept", "who has it open goes on");
    let other = Queue::open(&name).unwrap();
    queue.send(1, b"to the old one").unwrap();
    assert!(other.is_new() && other.is_empty());
}

#[test]
fn capacity_counts_bytes() {
    let name = Name::new("capacity");
    let queue = Queue::options().capacity(1000).open(&name).unwrap();
    queue.try_send(1, &[1; 600]).unwrap();
    queue.try_send(2, &[2; 400]).unwrap();
    queue.try_send(3, b"").unwrap();
    assert_eq!(queue.try_send(4, b"x").unwrap_err().errno(), libc::EAGAIN);
    assert_eq!(queue.recv(Select::Any).unwrap().data, [1; 600]);
    queue.try_send(4, &[4; 600]).unwrap();
    let status = queue.stat().unwrap();
    assert_eq!((status.bytes, status.messages, status.sent, status.received), (1000, 3, 4, 1));
}

#[test]
fn capacity_counts_messages() {
    let name = Name::new("messages");
    let queue = Queue::options().capacity(1 << 20).max_messages(10).open(&name).unwrap();
    (0..10).for_each(|_| queue.try_send(1, b"").unwrap());
    assert_eq!(queue.try_send(1, b"").unwrap_err().errno(), libc::EAGAIN);
    queue.recv(Select::Any).unwrap();
    queue.try_send(1, b"").unwrap();
}

/// As the kernel: 16 KiB take 16,384 messages, if they are empty.
#[test]
fn whatever_the_limits_admit_fits() {
    let name = Name::new("limits");
    let queue = Queue::options().capacity(16 << 10).open(&name).unwrap();
    (0..16_384).for_each(|_| queue.try_send(1, b"").unwrap());
    assert_eq!(queue.try_send(1, b"").unwrap_err().errno(), libc::EAGAIN);
    (0..16_384).for_each(|_| drop(queue.try_recv(Select::Any).unwrap()));
    (0..16_384).for_each(|_| queue.try_send(1, b"x").unwrap());
    assert_eq!(queue.stat().unwrap().bytes, 16_384);
}

/// Limits whose records would fill a power of two exactly, were there not the skips and the zero word: every length wastes
/// seven bytes.
#[test]
fn whatever_the_limits_admit_fits_to_the_last_word() {
    for messages in [2048, 4096, 8192, 32_768] {
        let name = Name::new("last-word");
        let queue = Queue::options().capacity(9 * messages).max_messages(messages).open(&name).unwrap();
        for _ in 0..3 {
            (0..messages).for_each(|_| queue.try_send(1, &[1; 9]).unwrap());
            assert_eq!(queue.try_send(1, b"").unwrap_err().errno(), libc::EAGAIN);
            (0..messages).for_each(|_| drop(queue.try_recv(Select::Any).unwrap()));
        }
    }
}

#[test]
fn empty_and_largest() {
    let name = Name::new("largest");
    let queue = Queue::options().capacity(3 << 20).open(&name).unwrap();
    let largest: Vec<u8> = (0..3 << 20).map(|at: u32| (at % 251) as u8).collect();
    for _ in 0..4 {
        queue.send(1, &largest).unwrap();
        assert_eq!(queue.try_send(1, b"x").unwrap_err().errno(), libc::EAGAIN);
        assert!(queue.recv(Select::Any).unwrap().data == largest);
        queue.send(1, b"").unwrap();
        assert_eq!(queue.recv(Select::Any).unwrap().data, b"");
    }
    let mut one_more = largest;
    one_more.push(0);
    assert_eq!(queue.send(1, &one_more).unwrap_err().errno(), libc::EMSGSIZE);
}

#[test]
fn a_small_buffer_is_told_what_it_takes() {
    let name = Name::new("buffer");
    let queue = Queue::open(&name).unwrap();
    queue.send(5, &[7; 100]).unwrap();
    let error = queue.recv_into(Select::Any, &mut [0; 99], Deadline::NOW).unwrap_err();
    assert_eq!((error.errno(), error.length()), (libc::E2BIG, 100));
    assert_eq!(queue.len(), 1, "the message stays");
    let mut buffer = [0; 200];
    let received = queue.recv_into(Select::Any, &mut buffer, Deadline::NOW).unwrap();
    assert_eq!((received.length, received.mtype, buffer[99], buffer[100]), (100, 5, 7, 0));
}

#[test]
fn timeout() {
    let name = Name::new("timeout");
    let queue = Queue::options().capacity(100).open(&name).unwrap();
    let wait = Duration::from_millis(30);
    for deadline in [Deadline::after, |wait| Deadline::at_ns(Deadline::after(wait).as_ns())] {
        let begun = Instant::now();
        let error = queue.recv_until(Select::Any, deadline(wait)).unwrap_err();
        assert_eq!(error.errno(), libc::ETIMEDOUT, "{error}");
        assert!(begun.elapsed() >= wait);
    }
    queue.send(1, &[0; 100]).unwrap();
    let begun = Instant::now();
    assert_eq!(queue.send_timeout(1, b"x", wait).unwrap_err().errno(), libc::ETIMEDOUT);
    assert!(begun.elapsed() >= wait);
    assert_eq!(queue.send_timeout(1, b"x", Duration::ZERO).unwrap_err().errno(), libc::EAGAIN);
    assert_eq!(queue.send_until(1, b"x", Deadline::at_ns(5)).unwrap_err().errno(), libc::ETIMEDOUT);
    assert_eq!(queue.recv_timeout(Select::Any, wait).unwrap().data.len(), 100);
}

/// A receiver who sleeps is woken by a send, and a sender by a receive: long before they would look by themselves.
#[test]
fn sleepers_are_woken() {
    let name = Name::new("wake");
    let queue = Queue::options().capacity(100).open(&name).unwrap();
    let mut waits = Vec::new();
    for _ in 0..20 {
        let receiver = fork(|| queue.recv(Select::Any).map_or(1, |_| 0));
        receiver.wait_until_asleep();
        let begun = Instant::now();
        queue.send(1, b"wake up").unwrap();
        receiver.succeeds();
        waits.push(begun.elapsed());

        queue.send(1, &[0; 100]).unwrap();
        let sender = fork(|| queue.send(1, &[1; 90]).map_or(1, |()| 0));
        sender.wait_until_asleep();
        let begun = Instant::now();
        assert_eq!(queue.recv(Select::Any).unwrap().data, [0; 100]);
        sender.succeeds();
        waits.push(begun.elapsed());
        assert_eq!(queue.recv(Select::Any).unwrap().data, [1; 90]);
    }
    waits.sort_unstable();
    println!("the longest wait for a wake, with the process's end: {:?}", waits.last().unwrap());
    // Who was just asleep would look by himself after 250 ms. That all of forty are so late no load explains.
    assert!(waits[0] < Duration::from_millis(125), "{waits:?}");
}

/// Room for many wakes many, one after the other: long before they would look by themselves.
#[test]
fn room_for_many_wakes_many() {
    let name = Name::new("many");
    let queue = Queue::options().capacity(1000).open(&name).unwrap();
    let mut shortest = Duration::MAX;
    for _ in 0..10 {
        queue.send(1, &[0; 1000]).unwrap();
        let senders: Vec<_> = (0..5).map(|_| fork(|| queue.send(2, &[2; 100]).map_or(1, |()| 0))).collect();
        senders.iter().for_each(madang_tests::Child::wait_until_asleep);
        let begun = Instant::now();
        assert_eq!(queue.recv(Select::Any).unwrap().mtype, 1);
        // One receive woke one of them, he the next.
        senders.into_iter().for_each(madang_tests::Child::succeeds);
        shortest = shortest.min(begun.elapsed());
        (0..5).for_each(|_| assert_eq!(queue.recv(Select::Any).unwrap().mtype, 2));
    }
    // As above.
    assert!(shortest < Duration::from_millis(125), "{shortest:?} at best");
}

/// Sleepers who want little are not kept waiting by those who want much.
#[test]
fn room_for_a_small_message_wakes_a_small_sender() {
    let name = Name::new("room");
    let queue = Queue::options().capacity(1000).open(&name).unwrap();
    (0..10).for_each(|_| queue.send(1, &[0; 100]).unwrap());
    let large: Vec<_> = (0..3).map(|_| fork(|| queue.send(2, &[2; 1000]).map_or(1, |()| 0))).collect();
    large.iter().for_each(madang_tests::Child::wait_until_asleep);
    let small = fork(|| queue.send(3, &[3; 100]).map_or(1, |()| 0));
    small.wait_until_asleep();
    assert_eq!(queue.recv(Select::Any).unwrap().mtype, 1);
    small.succeeds();
    let mut types: Vec<_> = (0..13).map(|_| queue.recv_timeout(Select::Any, WATCHDOG).unwrap().mtype).collect();
    large.into_iter().for_each(madang_tests::Child::succeeds);
    types.sort_unstable();
    assert_eq!(types, [[1; 9].as_slice(), &[2; 3], &[3]].concat());
}

extern "C" fn ignore(_: libc::c_int) {
    SIGNALS.fetch_add(1, Ordering::Relaxed);
}

static SIGNALS: AtomicU32 = AtomicU32::new(0);

/// A signal handler that runs while one sleeps is `EINTR`, whatever `SA_RESTART` says; the same deadline goes on.
#[test]
fn interrupted() {
    let name = Name::new("interrupted");
    let queue = Queue::open(&name).unwrap();
    let interrupted = Checkpoint::default();
    let child = fork(|| {
        // SAFETY: all-zero is a valid sigaction; the handler only touches an atomic.
        unsafe {
            let mut action: libc::sigaction = std::mem::zeroed();
            action.sa_sigaction = ignore as *const () as usize;
            action.sa_flags = libc::SA_RESTART;
            libc::sigaction(libc::SIGUSR1, &raw const action, std::ptr::null_mut());
        }
        let deadline = Deadline::after(WATCHDOG);
        loop {
            match queue.recv_until(Select::Any, deadline) {
                Err(error) if error.errno() == libc::EINTR => interrupted.reach(),
                Ok(message) => return i32::from(message.data != b"at last"),
                Err(_) => return 2,
            }
        }
    });
    for _ in 0..5 {
        child.wait_until_asleep();
        child.signal(libc::SIGUSR1);
        interrupted.wait();
    }
    queue.send(1, b"at last").unwrap();
    child.succeeds();
}

/// Signals by the thousand: nothing is lost and the deadline holds.
#[test]
fn interrupted_all_the_time() {
    let name = Name::new("signals");
    let queue = Queue::options().capacity(1000).open(&name).unwrap();
    const COUNT: u64 = 20_000;
    let child = fork(|| {
        // SAFETY: the handler only touches an atomic; all-zero is a valid timer, then filled.
        unsafe {
            libc::signal(libc::SIGALRM, ignore as *const () as usize);
            let every = libc::timeval { tv_sec: 0, tv_usec: 50 };
            let timer = libc::itimerval { it_interval: every, it_value: every };
            libc::setitimer(libc::ITIMER_REAL, &raw const timer, std::ptr::null_mut());
        }
        for index in 0..COUNT {
            while let Err(error) = queue.send(1, &payload(0, index, 20)) {
                if error.errno() != libc::EINTR {
                    return 1;
                }
            }
        }
        0
    });
    for index in 0..COUNT {
        let message = queue.recv_timeout(Select::Any, WATCHDOG).unwrap();
        assert_eq!(origin(&message.data), (0, index));
    }
    child.succeeds();
}

#[test]
fn two_handles_in_one_process() {
    let name = Name::new("two");
    let one = Queue::open(&name).unwrap();
    let two = Queue::open(&name).unwrap();
    assert_eq!(one.stat().unwrap().participants, 2);
    one.send(1, b"from one").unwrap();
    assert_eq!(two.recv(Select::Any).unwrap().data, b"from one");
    two.send(1, b"from two").unwrap();
    drop(two);
    assert_eq!(one.recv(Select::Any).unwrap().data, b"from two");
    assert_eq!(one.stat().unwrap().participants, 1);
}

/// Many send and receive at once: everything arrives once, and each receiver sees each sender's messages in order.
fn stress(queue: &Queue, senders: u32, receivers: u32, each: u64, length: usize) {
    let total = AtomicU64::new(0);
    thread::scope(|scope| {
        for sender in 0..senders {
            scope.spawn(move || (0..each).for_each(|index| queue.send(1, &payload(sender, index, length)).unwrap()));
        }
        let all: Vec<_> = (0..receivers)
            .map(|_| {
                scope.spawn(|| {
                    let mut next = vec![0; senders as usize];
                    let mut seen = Vec::new();
                    while total.fetch_add(1, Ordering::Relaxed) < u64::from(senders) * each {
                        let message = queue.recv_timeout(Select::Any, WATCHDOG).unwrap();
                        let (sender, index) = origin(&message.data);
                        assert!(index >= next[sender as usize], "out of order");
                        next[sender as usize] = index + 1;
                        seen.push((sender, index));
                    }
                    seen
                })
            })
            .collect();
        let mut seen: Vec<_> = all.into_iter().flat_map(|receiver| receiver.join().unwrap()).collect();
        seen.sort_unstable();
        let expected: Vec<_> = (0..senders).flat_map(|sender| (0..each).map(move |index| (sender, index))).collect();
        assert!(seen == expected, "everything once");
    });
    assert!(queue.is_empty());
}

#[test]
fn threads_share_a_handle() {
    for (capacity, length) in [(1 << 20, 12), (1 << 14, 100), (300, 100), (1 << 20, 70_000)] {
        let name = Name::new("threads");
        let queue = Queue::options().capacity(capacity).open(&name).unwrap();
        stress(&queue, 4, 4, if length > 1000 { 500 } else { 5000 }, length);
    }
}

#[test]
fn sixty_four_processes_on_one_queue() {
    let name = Name::new("processes");
    let queue = Queue::options().capacity(64 << 10).open(&name).unwrap();
    const EACH: u64 = 500;
    let ledger = Name::new("processes-back");
    let back = Queue::open(&ledger).unwrap();
    let mut children = Vec::new();
    for sender in 0..32 {
        let queue = &queue;
        children.push(fork(move || {
            let queue = if sender % 2 == 0 { queue } else { &Queue::open(queue.name()).unwrap() };
            (0..EACH).for_each(|index| queue.send(1, &payload(sender, index, 40)).unwrap());
            0
        }));
        children.push(fork(|| {
            for _ in 0..EACH {
                let (sender, index) = origin(&queue.recv_timeout(Select::Any, WATCHDOG).unwrap().data);
                back.send(i64::from(sender) + 1, &index.to_le_bytes()).unwrap();
            }
            0
        }));
    }
    let mut seen: Vec<_> = (0..32 * EACH)
        .map(|_| {
            let message = back.recv_timeout(Select::Any, WATCHDOG).unwrap();
            (message.mtype, u64::from_le_bytes(message.data.try_into().unwrap()))
        })
        .collect();
    children.into_iter().for_each(madang_tests::Child::succeeds);
    seen.sort_unstable();
    assert!(seen == (1..=32).flat_map(|sender| (0..EACH).map(move |index| (sender, index))).collect::<Vec<_>>());
    assert_eq!(queue.stat().unwrap().participants, 1, "all others have gone");
}

/// Small messages, large ones, and pauses in which the queue runs full or empty: every way from one ring to the other.
#[test]
fn mixed_lengths_between_processes() {
    let name = Name::new("mixed");
    let queue = Queue::options().capacity(1 << 20).open(&name).unwrap();
    const COUNT: u64 = 60_000;
    let length = |random: &mut Random| match random.below(100) {
        0 => 12 + random.below(1 << 18) as usize,
        1..=9 => 12 + random.below(4000) as usize,
        _ => 12 + random.below(100) as usize,
    };
    let sender = fork(|| {
        let mut random = Random(1);
        for index in 0..COUNT {
            queue.send(1, &payload(0, index, length(&mut random))).unwrap();
            if random.below(1000) == 0 {
                thread::sleep(Duration::from_micros(random.below(2000)));
            }
        }
        0
    });
    let (mut lengths, mut pauses) = (Random(1), Random(2));
    for index in 0..COUNT {
        let message = queue.recv_timeout(Select::Any, WATCHDOG).unwrap();
        assert_eq!((origin(&message.data), message.data.len()), ((0, index), length(&mut lengths)));
        if lengths.below(1000) == 0 {
            // The sender drew the same number; here the pause is another.
            lengths.below(2000);
        }
        if pauses.below(1000) == 0 {
            thread::sleep(Duration::from_micros(pauses.below(3000)));
        }
    }
    sender.wait_for(3 * WATCHDOG);
}

/// A queue that is kept up with stays in a small part of its memory, whatever its capacity; one that was full uses it again.
#[test]
fn locality() {
    let name = Name::new("locality");
    let queue = Queue::options().capacity(64 << 20).open(&name).unwrap();
    let mut buffer = vec![0; 1 << 16];
    let mut stream = |bytes: usize, length: usize| {
        for _ in 0..bytes / length {
            queue.send(1, &vec![1; length]).unwrap();
            queue.recv_into(Select::Any, &mut buffer, Deadline::NOW).unwrap();
        }
        queue.stat().unwrap().allocated
    };
    assert!(stream(16 << 20, 1000) <= 320 << 10, "the header and the near ring");
    assert!(stream(16 << 20, 60_000) <= 448 << 10, "and one block");
    (0..500).for_each(|_| queue.send(1, &[2; 50_000]).unwrap());
    (0..500).for_each(|_| drop(queue.recv(Select::Any).unwrap()));
    let deep = queue.stat().unwrap().allocated;
    assert!(deep >= 500 * 50_000);
    assert_eq!(stream(16 << 20, 1000), deep, "back in the near ring");
}

/// A child forked in the midst of sends and receives by other threads takes part on its own.
#[test]
fn fork_while_another_thread_sends() {
    let name = Name::new("fork");
    let queue = Queue::options().capacity(64 << 10).open(&name).unwrap();
    const FORKS: u32 = 100;
    let (stop, all_sent) = (AtomicBool::new(false), AtomicBool::new(false));
    let sent = AtomicU64::new(0);
    thread::scope(|scope| {
        let sender = scope.spawn(|| {
            while !stop.load(Ordering::Relaxed) {
                queue.send(1, &payload(0, sent.load(Ordering::Relaxed), 30)).unwrap();
                sent.fetch_add(1, Ordering::Relaxed);
            }
        });
        let receiver = scope.spawn(|| {
            let (mut next, mut children) = (0, 0);
            while !(all_sent.load(Ordering::Relaxed) && queue.is_empty()) {
                match queue.recv_timeout(Select::Any, Duration::from_millis(10)) {
                    Ok(message) if message.mtype == 2 => children += 1,
                    Ok(message) => {
                        assert_eq!(origin(&message.data), (0, next));
                        next += 1;
                    }
                    Err(error) => assert_eq!(error.errno(), libc::ETIMEDOUT),
                }
            }
            (next, children)
        });
        for index in 0..FORKS {
            fork(|| queue.send(2, &payload(1 + index, 0, 20)).map_or(1, |()| 0)).succeeds();
        }
        stop.store(true, Ordering::Relaxed);
        sender.join().unwrap();
        all_sent.store(true, Ordering::Relaxed);
        let (received, children) = receiver.join().unwrap();
        assert_eq!((received, children), (sent.load(Ordering::Relaxed), FORKS));
    });
    let status = queue.stat().unwrap();
    assert_eq!((status.participants, status.messages), (1, 0));
}
