//! The peers: what is measured, each behind the same three verbs.
//!
//! A [`Link`] goes one way and is made before the workers are forked; each worker takes its end of it. The four jobs
//! (send, receive, ping, pong) are written once, below, and compiled for each peer by itself, so that no peer pays for a
//! call that another one doesn't make. C and Python do the same jobs in `c/worker.c` and `python/worker.py`.

pub(crate) mod calls;
pub(crate) mod foreign;
pub(crate) mod futex;
pub(crate) mod madang;
pub(crate) mod mq;
pub(crate) mod pair;
pub(crate) mod pipe;
pub(crate) mod ring;
pub(crate) mod socket;
pub(crate) mod sysv;

use std::hint::black_box;
use std::io;
use std::marker::PhantomData;
use std::thread;

use crate::clock::{self, nanoseconds, now};
use crate::harness::{Cell, Cue, Kind, PAUSE, Scenario, Task, Worker, conduct, unsupported};
use crate::histogram::Histogram;

/// A message and, before it, room for the type that System V wants there: so nobody has to copy it once more.
pub(crate) struct Frame(Vec<u8>);

/// The bytes before the message.
const TYPE: usize = 8;

impl Frame {
    pub(crate) fn new(size: usize) -> Self {
        let mut bytes = vec![0x5a; TYPE + size];
        bytes[..TYPE].copy_from_slice(&1i64.to_ne_bytes());
        Self(bytes)
    }

    pub(crate) fn body(&self) -> &[u8] {
        &self.0[TYPE..]
    }

    pub(crate) fn body_mut(&mut self) -> &mut [u8] {
        &mut self.0[TYPE..]
    }

    /// The message with its type before it, as `struct msgbuf`.
    pub(crate) fn with_type(&self) -> &[u8] {
        &self.0
    }

    pub(crate) fn with_type_mut(&mut self) -> &mut [u8] {
        &mut self.0
    }

    fn mark(&mut self, kind: Kind) {
        self.0[TYPE] = kind as u8;
    }

    fn kind(&self) -> u8 {
        self.0[TYPE]
    }
}

pub(crate) trait Sender {
    /// Waits until there is room.
    fn send(&mut self, frame: &Frame) -> io::Result<()>;

    /// Sends it so many times: who sends in batches does so here, and only here.
    fn send_times(&mut self, frame: &Frame, times: usize) -> io::Result<()> {
        for _ in 0..times {
            self.send(black_box(frame))?;
        }
        Ok(())
    }
}

pub(crate) trait Receiver {
    /// Waits as this peer waits: most of them sleep. Returns the message's length.
    fn recv(&mut self, frame: &mut Frame) -> io::Result<usize>;

    /// Receives one message, or who receives in batches several, and shows each one's bytes.
    fn recv_some(&mut self, frame: &mut Frame, see: &mut impl FnMut(&[u8])) -> io::Result<()> {
        let length = self.recv(frame)?;
        see(&black_box(&*frame).body()[..length]);
        Ok(())
    }

    /// Waits without ever sleeping, if this peer can.
    fn poll(&mut self, frame: &mut Frame) -> io::Result<usize> {
        self.recv(frame)
    }
}

/// One direction, from any sender to any receiver.
pub(crate) trait Link: Sized + 'static {
    type Sender: Sender;
    type Receiver: Receiver;
    /// In the harness, before the workers are forked. Two links of one measurement have different names.
    fn make(task: &Task, name: &str) -> io::Result<Self>;
    fn sender(&self) -> io::Result<Self::Sender>;
    fn receiver(&self) -> io::Result<Self::Receiver>;
}

/// One row of the table.
pub(crate) trait Peer {
    /// Short, for `--only` and for JSON.
    fn id(&self) -> &'static str;
    /// What the table says.
    fn label(&self) -> &'static str;
    /// Whether the row belongs into this cell at all.
    fn belongs(&self, cell: Cell) -> bool {
        cell.scenario.is_common()
    }
    /// Measures once; what the workers reported.
    fn measure(&mut self, task: &Task) -> io::Result<Vec<String>>;
    /// Lets one receiver wait for nothing; `None` for peers of which that isn't asked. It has said `ready`.
    fn idler(&mut self, _: &Task) -> io::Result<Option<Idler>> {
        Ok(None)
    }
}

/// A receiver that waits in vain, until it is told to stop by a message.
pub(crate) struct Idler {
    pub(crate) worker: Worker,
    pub(crate) stop: Box<dyn FnOnce() -> io::Result<()>>,
}

/// A peer whose workers are forked from the harness.
pub(crate) struct Forked<L> {
    id: &'static str,
    label: &'static str,
    /// Instead of the cell's own.
    capacity: Option<usize>,
    belongs: fn(Cell) -> bool,
    link: PhantomData<L>,
}

impl<L: Link> Forked<L> {
    pub(crate) fn new(id: &'static str, label: &'static str) -> Self {
        Self { id, label, capacity: None, belongs: |_| true, link: PhantomData }
    }

    /// The row of a small queue, which is asked for in one cell only.
    pub(crate) fn with_capacity(self, capacity: usize) -> Self {
        Self { capacity: Some(capacity), belongs: is_small_queue_cell, ..self }
    }

    pub(crate) fn only_where(self, belongs: fn(Cell) -> bool) -> Self {
        Self { belongs, ..self }
    }
}

/// How many messages a batch has, in the rows that send and receive in batches.
pub(crate) const BATCH: usize = 32;

/// Where those rows stand.
pub(crate) fn is_batch_cell(cell: Cell) -> bool {
    cell.scenario == Scenario::Flow(1) && cell.size <= 1 << 10
}

/// Where a queue of 16 KiB stands beside one of 1 MiB.
pub(crate) fn is_small_queue_cell(cell: Cell) -> bool {
    cell == Cell { scenario: Scenario::Flow(1), size: 64 }
}

impl<L: Link> Peer for Forked<L> {
    fn id(&self) -> &'static str {
        self.id
    }

    fn label(&self) -> &'static str {
        self.label
    }

    fn belongs(&self, cell: Cell) -> bool {
        cell.scenario.is_common() && (self.belongs)(cell)
    }

    fn measure(&mut self, task: &Task) -> io::Result<Vec<String>> {
        let task = Task { capacity: self.capacity.unwrap_or(task.capacity), ..task.clone() };
        match task.cell.scenario {
            Scenario::Flow(pairs) => flow::<L>(&task, pairs),
            Scenario::Awake | Scenario::Asleep => round_trip::<L>(&task),
            Scenario::Solo => alone::<L>(&task),
            _ => Err(unsupported("it has no such job")),
        }
    }

    fn idler(&mut self, task: &Task) -> io::Result<Option<Idler>> {
        let link = L::make(task, &format!("{}-idle", task.name))?;
        let receiver = Worker::fork(task.cpus[1], |cue| idle(&mut link.receiver()?, task, cue))?;
        let size = task.cell.size;
        let stop = move || link.sender()?.send(&Frame::new(size));
        Ok(Some(Idler { worker: receiver, stop: Box::new(stop) }))
    }
}

fn flow<L: Link>(task: &Task, pairs: usize) -> io::Result<Vec<String>> {
    let link = L::make(task, &task.name)?;
    let mut workers = Vec::new();
    for index in 0..pairs {
        workers.push(Worker::fork(task.receiver_cpu(index), |cue| receive_all(&mut link.receiver()?, task, cue))?);
        workers.push(Worker::fork(task.sender_cpu(index), |cue| send_all(&mut link.sender()?, task, cue))?);
    }
    conduct(workers, task)
}

fn round_trip<L: Link>(task: &Task) -> io::Result<Vec<String>> {
    let there = L::make(task, &format!("{}-there", task.name))?;
    let back = L::make(task, &format!("{}-back", task.name))?;
    let pong = Worker::fork(task.cpus[1], |cue| pong(&mut there.receiver()?, &mut back.sender()?, task, cue))?;
    let ping = Worker::fork(task.cpus[0], |cue| ping(&mut there.sender()?, &mut back.receiver()?, task, cue))?;
    conduct(vec![pong, ping], task)
}

fn alone<L: Link>(task: &Task) -> io::Result<Vec<String>> {
    let link = L::make(task, &task.name)?;
    let both = Worker::fork(task.cpus[0], |cue| solo(&mut link.sender()?, &mut link.receiver()?, task, cue))?;
    conduct(vec![both], task)
}

fn send_all(sender: &mut impl Sender, task: &Task, cue: &mut Cue) -> io::Result<String> {
    let mut frame = Frame::new(task.cell.size);
    cue.ready()?;
    frame.mark(Kind::WarmUp);
    send_until(sender, &frame, now() + nanoseconds(task.warm_up()), task.warm_up_messages(), task.stride())?;
    frame.mark(Kind::Counted);
    let start = now();
    let count = send_until(sender, &frame, start + nanoseconds(task.run), 0, task.stride())?;
    let end = now();
    frame.mark(Kind::Last);
    sender.send(&frame)?;
    Ok(format!("sent {count} {start} {end}"))
}

/// Sends until then, and at least so many; looks at the clock every `stride` messages.
fn send_until(sender: &mut impl Sender, frame: &Frame, until: u64, least: usize, stride: usize) -> io::Result<u64> {
    let mut count = 0;
    while now() < until || count < least as u64 {
        sender.send_times(frame, stride)?;
        count += stride as u64;
    }
    Ok(count)
}

fn receive_all(receiver: &mut impl Receiver, task: &Task, cue: &mut Cue) -> io::Result<String> {
    let mut frame = Frame::new(task.cell.size);
    cue.ready()?;
    let (mut count, mut last, mut other) = (0u64, false, None);
    while !last {
        receiver.recv_some(&mut frame, &mut |body| {
            if body.len() != task.cell.size {
                other = Some(body.len());
            }
            let kind = body.first().copied();
            count += u64::from(kind == Some(Kind::Counted as u8));
            last |= kind == Some(Kind::Last as u8);
        })?;
        if let Some(length) = other {
            return Err(io::Error::other(format!("received {length} bytes instead of {}", task.cell.size)));
        }
    }
    Ok(format!("received {count} {}", now()))
}

fn ping(there: &mut impl Sender, back: &mut impl Receiver, task: &Task, cue: &mut Cue) -> io::Result<String> {
    let mut frame = Frame::new(task.cell.size);
    let mut trips = Histogram::new();
    let cost = clock::cost();
    frame.mark(Kind::Counted);
    let mut trip = || -> io::Result<u64> {
        if task.cell.scenario == Scenario::Asleep {
            thread::sleep(PAUSE);
        }
        let start = now();
        there.send(&frame)?;
        wait(back, &mut frame, task)?;
        Ok((now() - start).saturating_sub(cost))
    };
    cue.ready()?;
    let warm = now() + nanoseconds(task.warm_up());
    let mut least = task.warm_up_messages();
    while now() < warm || least > 0 {
        trip()?;
        least = least.saturating_sub(1);
    }
    let until = now() + nanoseconds(task.run);
    while now() < until {
        trips.add(trip()?);
    }
    frame.mark(Kind::Last);
    there.send(&frame)?;
    Ok(format!("trips {}", trips.to_line()))
}

fn pong(there: &mut impl Receiver, back: &mut impl Sender, task: &Task, cue: &mut Cue) -> io::Result<String> {
    let mut frame = Frame::new(task.cell.size);
    cue.ready()?;
    loop {
        wait(there, &mut frame, task)?;
        if frame.kind() == Kind::Last as u8 {
            return Ok("done".into());
        }
        back.send(&frame)?;
    }
}

/// The partner of an awake round trip is busy: it polls.
fn wait(receiver: &mut impl Receiver, frame: &mut Frame, task: &Task) -> io::Result<usize> {
    if task.cell.scenario == Scenario::Awake { receiver.poll(frame) } else { receiver.recv(frame) }
}

fn solo(sender: &mut impl Sender, receiver: &mut impl Receiver, task: &Task, cue: &mut Cue) -> io::Result<String> {
    let mut frame = Frame::new(task.cell.size);
    cue.ready()?;
    let mut pair = |until: u64, least: usize| -> io::Result<u64> {
        let mut count = 0;
        while now() < until || count < least as u64 {
            for _ in 0..task.stride() {
                sender.send(black_box(&frame))?;
                receiver.recv(&mut frame)?;
            }
            count += task.stride() as u64;
        }
        Ok(count)
    };
    pair(now() + nanoseconds(task.warm_up()), task.warm_up_messages())?;
    let start = now();
    let count = pair(start + nanoseconds(task.run), 0)?;
    Ok(format!("solo {count} {}", now() - start))
}

fn idle(receiver: &mut impl Receiver, task: &Task, cue: &mut Cue) -> io::Result<String> {
    let mut frame = Frame::new(task.cell.size);
    cue.ready()?;
    let (cpu, start) = (cpu_time(), now());
    receiver.recv(&mut frame)?;
    Ok(format!("idle {} {}", cpu_time() - cpu, now() - start))
}

/// The processor time that this process has used, in nanoseconds.
fn cpu_time() -> u64 {
    // SAFETY: a zeroed rusage is a valid one, and the call writes no more than it.
    let usage = unsafe {
        let mut usage: libc::rusage = std::mem::zeroed();
        libc::getrusage(libc::RUSAGE_SELF, &raw mut usage);
        usage
    };
    let nanoseconds = |time: libc::timeval| time.tv_sec as u64 * 1_000_000_000 + time.tv_usec as u64 * 1_000;
    nanoseconds(usage.ru_utime) + nanoseconds(usage.ru_stime)
}

/// For peers that have one end on each side only.
fn one_pair_only(task: &Task, why: &str) -> io::Result<()> {
    match task.cell.scenario {
        Scenario::Flow(pairs) if pairs > 1 => Err(unsupported(why)),
        _ => Ok(()),
    }
}
