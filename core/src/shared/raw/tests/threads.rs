//! Real threads at one object, which sleep and wake as processes do: for ThreadSanitizer and Miri (`tests/torture/sanitizers`),
//! which find what is read while it is written, and what a processor could reorder so that it would be. What the locks and the
//! queue protect here is plain memory, so that they would see if it weren't protected.

use std::cell::UnsafeCell;
use std::sync::atomic::{Ordering, fence};
use std::thread;
use std::time::Duration;

use super::super::cell::U32;
use super::super::event::{Event, NAP};
use super::super::host::{EVERYBODY, Host, Participant};
use super::super::index::Want;
use super::super::keep::{Entered, KeptLock};
use super::super::lock::{Locked, RobustLock};
use super::super::ring::{Asked, Leased, Received, Ring, Sent, bits_for};
use super::queue_of;
use crate::deadline::Deadline;
use crate::sys::{Errno, barrier, futex, process};

/// Miri takes some ten thousand times as long.
const TIMES: u64 = if cfg!(miri) { 20 } else { 3000 };

/// A thread as a participant.
#[derive(Clone, Copy)]
struct Thread {
    me: Participant,
    keeps: bool,
}

impl Thread {
    fn new(slot: u32) -> Self {
        Self { me: Participant::new(slot, 1), keeps: false }
    }
}

impl Host for Thread {
    fn me(&self) -> Participant {
        self.me
    }

    fn lives(&self, _: Participant) -> bool {
        true
    }

    fn sleep(&self, word: &U32, expected: u32, timeout: Duration, bits: u32) -> Result<(), Errno> {
        futex::wait(word.futex(), expected, timeout, bits)
    }

    fn wake(&self, word: &U32, count: u32, bits: u32) -> u32 {
        futex::wake(word.futex(), count, bits)
    }

    fn ring_watchers(&self) {}

    fn spins(&self) -> bool {
        true
    }

    fn pass(&self) {
        process::yield_now();
    }

    fn barrier(&self) {
        barrier::everywhere();
    }

    fn may_be_reached(&self) -> bool {
        self.keeps
    }

    fn may_keep(&self) -> bool {
        self.keeps
    }

    fn is_keepers_thread(&self) -> bool {
        true
    }
}

/// Plain memory that a lock protects.
#[derive(Default)]
struct Plain(UnsafeCell<u64>);

// SAFETY: what is tested here is that only who holds the lock touches it.
unsafe impl Sync for Plain {}

impl Plain {
    fn add_one(&self) {
        // SAFETY: the caller holds the lock.
        unsafe { *self.0.get() += 1 };
    }
}

/// Runs a thread for each number below `count`; what they return. (Joined one by one: how a scope waits for its threads the
/// sanitizer can't see in a std that wasn't built for it.)
fn threads<T: Send>(count: u32, work: impl Fn(u32) -> T + Sync) -> Vec<T> {
    thread::scope(|scope| {
        let work = &work;
        let running: Vec<_> = (0..count).map(|number| scope.spawn(move || work(number))).collect();
        running.into_iter().map(|thread| thread.join().unwrap()).collect()
    })
}

#[test]
fn a_lock_protects_plain_memory() {
    let (lock, plain) = (RobustLock::default(), Plain::default());
    threads(3, |slot| {
        let me = Thread::new(slot);
        for _ in 0..TIMES {
            assert_eq!(lock.lock(&me, Deadline::NEVER), Ok(Locked::Clean));
            plain.add_one();
            lock.unlock(&me).unwrap();
        }
    });
    assert_eq!(plain.0.into_inner(), 3 * TIMES);
}

/// Two of whom each keeps it when the other is away for a while. (Not for Miri, which has no membarrier(2).)
#[test]
#[cfg_attr(miri, ignore)]
fn a_kept_lock_protects_plain_memory() {
    let (lock, plain) = (KeptLock::default(), Plain::default());
    let keeps = barrier::register();
    threads(2, |slot| {
        let me = Thread { keeps, ..Thread::new(slot) };
        for time in 0..TIMES {
            let entered = lock.lock(&me, Deadline::NEVER).unwrap();
            assert_ne!(entered, Entered::Inherited);
            plain.add_one();
            lock.unlock(&me, entered).unwrap();
            if time % 50 == 0 {
                thread::yield_now();
            }
        }
        lock.give_back_for_good(&me);
    });
    assert_eq!(plain.0.into_inner(), 2 * TIMES);
}

/// One fills plain memory and says so, the other empties it and says so.
#[test]
fn an_event_hands_plain_memory_over() {
    let (events, turn, plain) = (<[Event; 2]>::default(), U32::default(), Plain::default());
    threads(2, |slot| {
        let me = Thread::new(slot);
        let [mine, his] = [slot, 1 - slot].map(|which| &events[which as usize]);
        for _ in 0..TIMES {
            while turn.get() != slot {
                let announced = mine.announce();
                if turn.get() != slot {
                    let _ = mine.sleep(&me, announced, NAP, EVERYBODY);
                }
            }
            plain.add_one();
            turn.set(1 - slot);
            fence(Ordering::SeqCst);
            if his.is_awaited() {
                his.raise(&me);
            }
        }
    });
    assert_eq!(plain.0.into_inner(), 2 * TIMES);
}

fn send(ring: &Ring, me: &Thread, mtype: i64, data: &[u8]) {
    loop {
        match ring.send(me, mtype, data, Deadline::NEVER).unwrap() {
            Sent::Done => return,
            Sent::NeedsSpace(space) => ring.grant(space),
            Sent::Full => {
                let announced = ring.announce_sender(me, data.len() as u64);
                if !ring.admits(data.len() as u64) {
                    let _ = ring.senders_event().sleep(me, announced, NAP, EVERYBODY);
                }
            }
        }
    }
}

/// The next message that he wants: by copying it, or by leasing it.
fn receive(ring: &Ring, me: &Thread, want: Want, leases: bool) -> Option<Vec<u8>> {
    let mut granted = None;
    loop {
        let asked = Asked { want, cuts: false, granted };
        if leases {
            match ring.lease(me, asked, Deadline::NEVER).unwrap() {
                Leased::Message(offset, envelope) => {
                    let data = ring.view(offset, envelope.length).unwrap().to_vec();
                    ring.acknowledge(me, offset).unwrap();
                    return Some(data);
                }
                Leased::NeedsSpace(space) => granted = Some(space),
                Leased::Empty => return None,
                Leased::NoRoom => panic!("no room"),
            }
        } else {
            let mut buffer = vec![0; 300];
            match ring.receive(me, &mut buffer.as_mut_slice().into(), asked, Deadline::NEVER).unwrap() {
                Received::Message(envelope) => return Some(buffer[..envelope.length as usize].to_vec()),
                Received::NeedsSpace(space) => granted = Some(space),
                Received::Empty => return None,
                other => panic!("{other:?}"),
            }
        }
    }
}

/// Two send, and come to keep the senders' end; two receive, each his type, one of whom leases.
#[test]
#[cfg_attr(miri, ignore)]
fn a_queue_hands_bytes_over() {
    let ring = queue_of(100, 300);
    let keeps = barrier::register();
    let sends = |me: &Thread| {
        for number in 0..TIMES {
            let mut data = vec![number as u8; 16 + (number % 200) as usize];
            data[..8].copy_from_slice(&number.to_le_bytes());
            send(&ring, me, 1 + (number % 2) as i64, &data);
        }
    };
    let receives = |me: &Thread, want: Want| {
        let one = || loop {
            let announced = ring.announce_receiver(me, want);
            match receive(&ring, me, want, want == Want::Type(1)) {
                Some(data) => return data,
                None => _ = ring.receivers_event().sleep(me, announced, NAP, bits_for(want)),
            }
        };
        let number = |data: Vec<u8>| {
            let number = u64::from_le_bytes(data[..8].try_into().unwrap());
            assert!(data[8..].iter().all(|&byte| byte == number as u8), "garbled: {number}");
            number
        };
        (0..TIMES).map(|_| number(one())).collect()
    };
    let received: Vec<Vec<u64>> = threads(4, |slot| {
        let me = Thread { keeps, ..Thread::new(slot) };
        let received = match slot {
            0 | 1 => {
                sends(&me);
                Vec::new()
            }
            _ => receives(&me, Want::Type(i64::from(slot) - 1)),
        };
        ring.leave(&me);
        received
    });
    let mut received = received.concat();
    received.sort_unstable();
    assert!(received.iter().copied().eq((0..TIMES).flat_map(|number| [number; 2])));
}
