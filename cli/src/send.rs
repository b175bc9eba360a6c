//! `madang send`.

use std::io::{self, IsTerminal};
use std::os::unix::ffi::OsStrExt;

use madang::{Create, Queue};

use crate::args::{Limits, Send, deadline};
use crate::failure::{Failure, Result};
use crate::messages::Input;
use crate::progress::Progress;
use crate::text;

pub(crate) fn run(args: &Send) -> Result<()> {
    let queue = open(args)?;
    let mut sent = 0;
    let work = if args.messages.is_empty() { send_input } else { send_arguments };
    let outcome = work(args, &queue, &mut sent);
    outcome.map_err(|failure| {
        let failure = failure.said();
        if sent > 0 {
            text::remark(&format!("madang: {} sent before that", text::count(sent, "message")));
        }
        failure
    })
}

fn open(args: &Send) -> Result<Queue> {
    let Limits { capacity, max_messages, max_participants, mode, dead_letters } = &args.limits;
    let mut options = Queue::options()
        .capacity(capacity.unwrap_or(0))
        .max_messages(max_messages.unwrap_or(0))
        .max_participants(max_participants.unwrap_or(0))
        .mode(mode.unwrap_or(0))
        .create(if args.no_create { Create::Never } else { Create::IfMissing })
        .any_owner(args.any_owner);
    if let Some((name, deliveries)) = dead_letters {
        options = options.dead_letters(name, *deliveries);
    }
    Ok(options.open(&args.name)?)
}

fn send_arguments(args: &Send, queue: &Queue, sent: &mut u64) -> Result<()> {
    let messages: Vec<_> = args.messages.iter().map(|message| (args.r#type, message.as_bytes())).collect();
    send(args, queue, &messages, sent)
}

fn send_input(args: &Send, queue: &Queue, sent: &mut u64) -> Result<()> {
    if io::stdin().is_terminal() && io::stderr().is_terminal() {
        text::remark("madang: each line that you type is a message; end with Ctrl-D");
    }
    let mut progress = Progress::of_bytes(Input::length());
    let mut input = Input::new(&args.form, args.r#type, queue.capacity());
    let mut batch = Vec::new();
    loop {
        let filled = input.fill(&mut batch);
        send(args, queue, &batch, sent)?;
        filled?;
        if batch.is_empty() {
            return Ok(());
        }
        progress.reached(input.read);
    }
}

/// Sends what there is room for together. What there is none for, or is refused, is sent by itself: it has its own time to wait,
/// and the error is its own.
fn send<B: AsRef<[u8]>>(args: &Send, queue: &Queue, messages: &[(i64, B)], sent: &mut u64) -> Result<()> {
    let messages: Vec<_> = messages.iter().map(|(mtype, data)| (*mtype, data.as_ref())).collect();
    let mut rest = &messages[..];
    while let Some(&(mtype, data)) = rest.first() {
        let done = match queue.try_send_many(rest) {
            Ok(done) => done,
            Err(_) => send_one(args, queue, mtype, data).map(|()| 1)?,
        };
        *sent += done as u64;
        rest = &rest[done..];
    }
    Ok(())
}

fn send_one(args: &Send, queue: &Queue, mtype: i64, data: &[u8]) -> Result<()> {
    let deadline = deadline(args.timeout);
    loop {
        match queue.send_until(mtype, data, deadline) {
            // No handler here has anything to say.
            Err(error) if error.errno() == libc::EINTR => {}
            outcome => return outcome.map_err(Failure::from),
        }
    }
}
