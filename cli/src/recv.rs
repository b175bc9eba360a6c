//! `madang recv`.
//!
//! A message is leased, and acknowledged when it was written: what can't be written, or was in the hands of one who was killed, is
//! received again, in its old place. A system call for each would take most of the time, so they go in groups of those that are there:
//! leased one by one, written together, acknowledged. Signals, and whether anybody reads, are looked at between two groups.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use madang::{Deadline, Lease, Message, Queue, Select};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};

use crate::args::{Recv, deadline};
use crate::failure::{Failure, Result};
use crate::messages::{Output, Shown};
use crate::objects;
use crate::progress::Progress;

/// So long it may take until it shows that nobody reads any more.
const SLICE: Duration = Duration::from_millis(200);

/// The most messages that are leased at once; mostly they are as many as the output takes in one piece.
const GROUP: u64 = 256;

pub(crate) fn run(args: &Recv) -> Result<()> {
    let stop = Stop::new();
    let queue = open(args)?;
    let mut output = Output::new(&args.form)?;
    let is_bounded = !args.follow && !args.all;
    let total = Some(args.count).filter(|count| is_bounded && *count > 1 && !output.is_terminal());
    let mut progress = Progress::of_messages(total);
    let mut received = 0;
    while !is_bounded || received < args.count {
        let most = if is_bounded { GROUP.min(args.count - received) } else { GROUP };
        match gather(args, &queue, &mut output, &stop, most) {
            Ok(group) => received += write(&queue, &mut output, group)?,
            // How --follow and --all end.
            Err(Failure::Error(error)) if !is_bounded && matches!(error.errno(), libc::EAGAIN | libc::ETIMEDOUT) => {
                return if received > 0 { Ok(()) } else { Err(Failure::EMPTY) };
            }
            Err(failure) => return Err(failure),
        }
        progress.reached(received);
    }
    Ok(())
}

fn open(args: &Recv) -> Result<Queue> {
    if args.create {
        return Ok(Queue::options().any_owner(args.any_owner).open(&args.name)?);
    }
    objects::open(&args.name, args.any_owner).map_err(|error| match error.errno() {
        libc::ENOENT => Failure::new(libc::ENOENT, format!("{}, --create creates it", error.message())),
        _ => error.into(),
    })
}

/// Which messages.
fn select(args: &Recv) -> Select {
    args.except.map_or(Select::from_msgtyp(args.r#type), Select::Except)
}

/// A message that left the queue's order, and is not done with.
enum Taken<'q> {
    Leased(Lease<&'q Queue>),
    /// There was no memory for a lease: a full /dev/shm is just what somebody may want to empty.
    Received(Message),
}

impl Taken<'_> {
    fn done(self) -> Result<()> {
        match self {
            Self::Leased(lease) => Ok(lease.ack()?),
            Self::Received(_) => Ok(()),
        }
    }

    /// Gives it back: to its place, or at least behind the others.
    fn give_back(self, queue: &Queue) -> Result<()> {
        match self {
            Self::Leased(lease) => Ok(lease.release()?),
            Self::Received(Message { mtype, data, sequence, .. }) => {
                queue.send_timeout(mtype, &data, Duration::from_secs(1)).map_err(|error| {
                    let what =
                        format!("message {sequence} is lost, it could not be put back either: {}", error.message());
                    Failure::new(error.errno(), what)
                })
            }
        }
    }
}

/// The next message, for which it waits, and those behind it that are there: all put into the output, and not written.
fn gather<'q>(args: &Recv, queue: &'q Queue, output: &mut Output, stop: &Stop, most: u64) -> Result<Vec<Taken<'q>>> {
    let first = next(args, queue, output, stop)?;
    output.put(&match &first {
        Taken::Leased(lease) => Shown::from(lease),
        Taken::Received(message) => Shown::from(message.clone()),
    });
    let mut group = vec![first];
    while (group.len() as u64) < most && !output.is_full() {
        // What comes in the way, the next group meets too.
        let Ok(lease) = queue.lease_until(select(args), Deadline::INSTANT) else { break };
        output.put(&Shown::from(&lease));
        group.push(Taken::Leased(lease));
    }
    Ok(group)
}

fn next<'q>(args: &Recv, queue: &'q Queue, output: &Output, stop: &Stop) -> Result<Taken<'q>> {
    let deadline = if args.all { Deadline::NOW } else { deadline(args.timeout) };
    loop {
        stop.check()?;
        output.check()?;
        let slice = deadline.min(Deadline::after(SLICE));
        let taken = match queue.lease_until(select(args), slice) {
            Err(error) if error.errno() == libc::ENOSPC => queue.recv_until(select(args), slice).map(Taken::Received),
            leased => leased.map(Taken::Leased),
        };
        match taken {
            Ok(taken) => return Ok(taken),
            Err(error) if error.errno() == libc::EINTR => {}
            Err(error) if error.errno() == libc::ETIMEDOUT && slice < deadline => {}
            Err(error) => return Err(error.into()),
        }
    }
}

/// Writes a group, and says how many messages it was. What was written is done with, what was not goes back.
fn write(queue: &Queue, output: &mut Output, mut group: Vec<Taken>) -> Result<u64> {
    let (written, outcome) = output.flush();
    let unwritten = group.split_off(written);
    let acknowledged = group.into_iter().map(Taken::done).fold(Ok(()), Result::and);
    let given_back = unwritten.into_iter().map(|taken| taken.give_back(queue)).fold(Ok(()), Result::and);
    match outcome.and(acknowledged) {
        Err(failure) if given_back.is_err() => {
            failure.say();
            given_back.map(|()| 0)
        }
        outcome => outcome.map(|()| written as u64),
    }
}

/// The signals that whoever started it let it ignore, as nohup(1) does: they stay ignored.
fn ignored() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0)
}

/// Whether somebody asked it to end: the first time it does so between two messages, the second time at once.
struct Stop(Arc<AtomicUsize>);

impl Stop {
    fn new() -> Self {
        let (asked, twice) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicBool::new(false)));
        let ignored = ignored();
        for signal in [SIGINT, SIGTERM, SIGHUP].into_iter().filter(|signal| ignored >> (signal - 1) & 1 == 0) {
            // They fail only for signals that can't be handled. The first sees what the last did the time before.
            let _ = signal_hook::flag::register_conditional_default(signal, twice.clone());
            let _ = signal_hook::flag::register(signal, twice.clone());
            let _ = signal_hook::flag::register_usize(signal, asked.clone(), signal as usize);
        }
        Self(asked)
    }

    fn check(&self) -> Result<()> {
        match self.0.load(Ordering::Relaxed) {
            0 => Ok(()),
            signal => Err(Failure::Signal(signal as i32)),
        }
    }
}
