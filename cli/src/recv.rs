//! `madang recv`.
//!
//! A message that left the queue and was not written is lost. So nothing is received while nobody reads; what could not be
//! written goes back; and signals are only looked at between two messages.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use madang::{Deadline, Message, Queue, Select};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};

use crate::args::{Recv, deadline};
use crate::failure::{Failure, Result};
use crate::messages::Output;
use crate::objects;
use crate::progress::Progress;

/// So long it may take until it shows that nobody reads any more.
const SLICE: Duration = Duration::from_millis(200);

pub(crate) fn run(args: &Recv) -> Result<()> {
    let stop = Stop::new();
    let queue = open(args)?;
    let mut output = Output::new(&args.form)?;
    let is_bounded = !args.follow && !args.all;
    let total = Some(args.count).filter(|count| is_bounded && *count > 1 && !output.is_terminal());
    let mut progress = Progress::of_messages(total);
    let mut received = 0;
    while !is_bounded || received < args.count {
        match next(args, &queue, &output, &stop) {
            Ok(message) => write_or_put_back(&queue, &mut output, &message)?,
            // How --follow and --all end.
            Err(Failure::Error(error)) if !is_bounded && matches!(error.errno(), libc::EAGAIN | libc::ETIMEDOUT) => {
                return if received > 0 { Ok(()) } else { Err(Failure::EMPTY) };
            }
            Err(failure) => return Err(failure),
        }
        received += 1;
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
fn select(_args: &Recv) -> Select {
    Select::Any
}

fn next(args: &Recv, queue: &Queue, output: &Output, stop: &Stop) -> Result<Message> {
    let deadline = if args.all { Deadline::NOW } else { deadline(args.timeout) };
    loop {
        stop.check()?;
        output.check()?;
        let slice = deadline.min(Deadline::after(SLICE));
        match queue.recv_until(select(args), slice) {
            Ok(message) => return Ok(message),
            Err(error) if error.errno() == libc::EINTR => {}
            Err(error) if error.errno() == libc::ETIMEDOUT && slice < deadline => {}
            Err(error) => return Err(error.into()),
        }
    }
}

fn write_or_put_back(queue: &Queue, output: &mut Output, message: &Message) -> Result<()> {
    let Err(failure) = output.write(message) else { return Ok(()) };
    let Message { mtype, data, sequence, .. } = message;
    if let Err(error) = queue.send_timeout(*mtype, data, Duration::from_secs(1)) {
        failure.say();
        let what = format!("message {sequence} is lost, it could not be put back either: {}", error.message());
        return Err(Failure::new(error.errno(), what));
    }
    Err(failure)
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
