//! The limit: a bare ring for one sender and one receiver, with nothing that a queue needs beyond it.
//!
//! Records of any length lie one after another, each an 8-byte word that holds its length and then its bytes, 8-byte
//! aligned. `tail` and `head` only grow; each side keeps a copy of the other's and reads the shared one only when the copy
//! says full or empty. A record never wraps: where it would, the word [`SKIP`] sends the receiver back to the start. Both
//! sides poll for ever. No locks, no types, no limits, no sleep, no repair.
//!
//! **Two of them, as this one has two lives.** With short messages and near cores the same program moves either about 60
//! million messages a second or about 290, for a whole round, and nobody chooses which: while the receiver keeps up, every
//! look fetches the very line that the sender is writing; once it has fallen behind, both stream through memory that the
//! other has left. So there is a second ring that never lives the first life: who has caught up with a streaming partner
//! [waits a moment](GATHER) before looking again. It knows a streaming partner by the next record's coming at once, and
//! after such a wait by there being several, so a round trip pays nothing. And where that helps, its receiver [gives up](give_up) the lines
//! that it has read, which its sender else waits for when it comes round again: madang's other trick.
//!
//! **By 32.** Both are there once more as rings that publish their tail, and their head, only after so many messages: the limit for
//! those who send and receive in batches.
//!
//! ```text
//!   line 0  tail (the sender stores it)     line 1  head (the receiver stores it)     from 4096  records
//! ```

use std::hint::{self, black_box};
use std::io;
use std::ptr;
use std::rc::Rc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::{BATCH, Frame, Link, Receiver, Sender, one_pair_only};
use crate::harness::Task;
use crate::shared::Shared;

/// In place of a length: go on at the start.
const SKIP: u64 = u64::MAX;

/// The bytes of the word before each record.
const WORD: u64 = 8;

/// Where the records begin.
const RECORDS: usize = 4096;

/// How many pauses (of 22 ns) a gathering side waits before it looks.
const GATHER: usize = 16;

/// Something new within so many looks is a stream. A reply takes longer: four looks at least.
const STREAM: usize = 2;

/// One of the positions, on a line of its own with the neighbour that the prefetcher fetches along.
#[repr(C, align(128))]
struct Position(AtomicU64);

const _: () = assert!(2 * size_of::<Position>() <= RECORDS);

/// The plain ring, and with `Ring<true>` the one that gathers.
#[derive(Clone)]
pub(crate) struct Ring<const GATHERS: bool> {
    memory: Rc<Shared>,
    /// A power of two.
    capacity: u64,
}

impl<const GATHERS: bool> Ring<GATHERS> {
    fn position(&self, index: usize) -> &AtomicU64 {
        // SAFETY: the mapping begins with two positions, is zeroed (valid atomics), and lives as long as `self`.
        unsafe { &(*self.memory.start().cast::<Position>().add(index)).0 }
    }

    fn tail(&self) -> &AtomicU64 {
        self.position(0)
    }

    fn head(&self) -> &AtomicU64 {
        self.position(1)
    }

    /// Where in memory the position lies.
    fn at(&self, position: u64) -> *mut u8 {
        let offset = (position & (self.capacity - 1)) as usize;
        // SAFETY: the offset is below the capacity, and so many bytes follow RECORDS in the mapping.
        unsafe { self.memory.start().add(RECORDS + offset) }
    }

    /// How many bytes follow the position before the ring's end.
    fn run(&self, position: u64) -> u64 {
        self.capacity - (position & (self.capacity - 1))
    }
}

/// What a record of so many bytes occupies.
fn footprint(length: usize) -> u64 {
    WORD + (length as u64).next_multiple_of(WORD)
}

fn pauses(count: usize) {
    (0..count).for_each(|_| hint::spin_loop());
}

impl<const GATHERS: bool> Link for Ring<GATHERS> {
    type Sender = RingSender<GATHERS>;
    type Receiver = RingReceiver<GATHERS>;

    fn make(task: &Task, _: &str) -> io::Result<Self> {
        one_pair_only(task, "a bare ring has one sender and one receiver")?;
        let capacity = task.capacity.next_power_of_two();
        Ok(Self { memory: Rc::new(Shared::new(RECORDS + capacity)?), capacity: capacity as u64 })
    }

    fn sender(&self) -> io::Result<RingSender<GATHERS>> {
        Ok(RingSender { ring: self.clone(), tail: 0, head: 0 })
    }

    fn receiver(&self) -> io::Result<RingReceiver<GATHERS>> {
        Ok(RingReceiver {
            ring: self.clone(),
            head: 0,
            tail: 0,
            last: 0,
            streams: false,
            gives_up: GATHERS && can_give_up(),
        })
    }
}

pub(crate) struct RingSender<const GATHERS: bool> {
    ring: Ring<GATHERS>,
    tail: u64,
    /// At least so far the receiver has come.
    head: u64,
}

impl<const GATHERS: bool> RingSender<GATHERS> {
    /// Waits until `need` bytes past the tail are free.
    #[inline]
    fn wait_for(&mut self, need: u64) {
        while self.tail + need - self.head > self.ring.capacity {
            self.head = self.ring.head().load(Ordering::Acquire);
            if self.tail + need - self.head > self.ring.capacity {
                pauses(if GATHERS { GATHER } else { 1 });
            }
        }
    }

    /// Writes a record past the tail.
    #[inline]
    fn write(&mut self, body: &[u8]) {
        let need = footprint(body.len());
        let run = self.ring.run(self.tail);
        if need > run {
            self.skip(run);
        }
        self.wait_for(need);
        let record = self.ring.at(self.tail);
        // SAFETY: `need` bytes from here are free, don't wrap, and are the only sender's until the tail passes them.
        unsafe {
            record.cast::<u64>().write(body.len() as u64);
            ptr::copy_nonoverlapping(body.as_ptr(), record.add(WORD as usize), body.len());
        }
        self.tail += need;
    }

    #[inline]
    fn publish(&self) {
        self.ring.tail().store(self.tail, Ordering::Release);
    }

    #[cold]
    fn skip(&mut self, run: u64) {
        self.wait_for(run);
        // SAFETY: `run` bytes, at least one word as all positions are multiples of it, are free for the only sender.
        unsafe { self.ring.at(self.tail).cast::<u64>().write(SKIP) };
        self.tail += run;
        self.ring.tail().store(self.tail, Ordering::Release);
    }
}

impl<const GATHERS: bool> Sender for RingSender<GATHERS> {
    #[inline]
    fn send(&mut self, frame: &Frame) -> io::Result<()> {
        self.write(frame.body());
        self.publish();
        Ok(())
    }
}

pub(crate) struct RingReceiver<const GATHERS: bool> {
    ring: Ring<GATHERS>,
    head: u64,
    /// At least so far the sender has come.
    tail: u64,
    /// What the last record occupied.
    last: u64,
    /// When it had caught up last, the next record came at once.
    streams: bool,
    /// Whether lines that were read are given up, while it streams.
    gives_up: bool,
}

/// Writes the lines back and takes them out of all caches, but for the one that what follows begins in.
///
/// # Safety
/// They are mapped, and the processor [can](can_give_up).
#[inline]
unsafe fn give_up(record: *mut u8, bytes: usize) {
    let (first, end) = (record.addr() & !63, (record.addr() + bytes) & !63);
    for line in (first..end).step_by(64) {
        #[cfg(target_arch = "x86_64")]
        // SAFETY: the caller's promise; it changes no content.
        unsafe {
            std::arch::asm!("clflushopt [{}]", in(reg) line, options(nostack, preserves_flags));
        };
        #[cfg(not(target_arch = "x86_64"))]
        let _ = line;
    }
}

/// Whether this is a processor of AMD's that has the instruction: on those it helps.
fn can_give_up() -> bool {
    let about = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    about.contains("AuthenticAMD") && about.contains(" clflushopt")
}

impl<const GATHERS: bool> RingReceiver<GATHERS> {
    #[inline]
    fn wait_for_record(&mut self) {
        if self.tail == self.head {
            self.caught_up();
        }
    }

    fn caught_up(&mut self) {
        if GATHERS && self.streams {
            pauses(GATHER);
        }
        let mut looks = 0;
        loop {
            self.tail = self.ring.tail().load(Ordering::Acquire);
            if self.tail != self.head {
                break;
            }
            hint::spin_loop();
            looks += 1;
        }
        let several = self.tail - self.head > self.last;
        self.streams = if self.streams { several } else { looks <= STREAM };
    }

    /// The length of the record at the head.
    #[inline]
    fn length(&mut self) -> u64 {
        loop {
            self.wait_for_record();
            // SAFETY: the head is below the tail, so a word lies here that the sender wrote before it stored the tail.
            let length = unsafe { self.ring.at(self.head).cast::<u64>().read() };
            if length != SKIP {
                return length;
            }
            self.head += self.ring.run(self.head);
            self.ring.head().store(self.head, Ordering::Release);
        }
    }
}

impl<const GATHERS: bool> RingReceiver<GATHERS> {
    /// Copies the record at the head, and goes on behind it.
    #[inline]
    fn read(&mut self, frame: &mut Frame) -> io::Result<usize> {
        let length = self.length() as usize;
        let body = frame.body_mut();
        if length > body.len() {
            return Err(io::Error::other("the message is longer than the buffer"));
        }
        // SAFETY: the record's bytes follow its word, below the tail; the buffer was found to be long enough.
        unsafe { ptr::copy_nonoverlapping(self.ring.at(self.head).add(WORD as usize), body.as_mut_ptr(), length) };
        self.last = footprint(length);
        if GATHERS && self.gives_up && self.streams {
            // SAFETY: the record lies in the mapping; the processor was asked.
            unsafe { give_up(self.ring.at(self.head), self.last as usize) };
        }
        self.head += self.last;
        Ok(length)
    }

    #[inline]
    fn publish(&self) {
        self.ring.head().store(self.head, Ordering::Release);
    }
}

impl<const GATHERS: bool> Receiver for RingReceiver<GATHERS> {
    #[inline]
    fn recv(&mut self, frame: &mut Frame) -> io::Result<usize> {
        let length = self.read(frame)?;
        self.publish();
        Ok(length)
    }
}

/// The ring that publishes every [`BATCH`] messages.
pub(crate) struct RingBy32<const GATHERS: bool>(Ring<GATHERS>);

impl<const GATHERS: bool> Link for RingBy32<GATHERS> {
    type Sender = SenderBy32<GATHERS>;
    type Receiver = ReceiverBy32<GATHERS>;

    fn make(task: &Task, name: &str) -> io::Result<Self> {
        Ring::make(task, name).map(Self)
    }

    fn sender(&self) -> io::Result<SenderBy32<GATHERS>> {
        self.0.sender().map(SenderBy32)
    }

    fn receiver(&self) -> io::Result<ReceiverBy32<GATHERS>> {
        self.0.receiver().map(ReceiverBy32)
    }
}

pub(crate) struct SenderBy32<const GATHERS: bool>(RingSender<GATHERS>);

impl<const GATHERS: bool> Sender for SenderBy32<GATHERS> {
    fn send(&mut self, frame: &Frame) -> io::Result<()> {
        self.0.send(frame)
    }

    fn send_times(&mut self, frame: &Frame, times: usize) -> io::Result<()> {
        for done in (0..times).step_by(BATCH) {
            for _ in done..times.min(done + BATCH) {
                self.0.write(black_box(frame).body());
            }
            self.0.publish();
        }
        Ok(())
    }
}

pub(crate) struct ReceiverBy32<const GATHERS: bool>(RingReceiver<GATHERS>);

impl<const GATHERS: bool> Receiver for ReceiverBy32<GATHERS> {
    fn recv(&mut self, frame: &mut Frame) -> io::Result<usize> {
        self.0.recv(frame)
    }

    fn recv_some(&mut self, frame: &mut Frame, see: &mut impl FnMut(&[u8])) -> io::Result<()> {
        for taken in 0..BATCH {
            if taken > 0 && self.0.tail == self.0.head {
                break;
            }
            let length = self.0.read(frame)?;
            see(&black_box(&*frame).body()[..length]);
        }
        self.0.publish();
        Ok(())
    }
}
