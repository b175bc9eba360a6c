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
    let Limits { capacity, max_messages, max_participants, mode } = args.limits;
    let options = Queue::options()
        .capacity(capacity.unwrap_or(0))
        .max_messages(max_messages.unwrap_or(0))
        .max_participants(max_participants.unwrap_or(0))
        .mode(mode.unwrap_or(0))
        .create(if args.no_create { Create::Never } else { Create::IfMissing })
        .any_owner(args.any_owner);
    Ok(options.open(&args.name)?)
}

fn send_arguments(args: &Send, queue: &Queue, sent: &mut u64) -> Result<()> {
    for message in &args.messages {
        send(args, queue, args.r#type, message.as_bytes())?;
        *sent += 1;
    }
    Ok(())
}

fn send_input(args: &Send, queue: &Queue, sent: &mut u64) -> Result<()> {
    if io::stdin().is_terminal() && io::stderr().is_terminal() {
        text::remark("madang: each line that you type is a message; end with Ctrl-D");
    }
    let mut progress = Progress::of_bytes(Input::length());
    let mut input = Input::new(&args.form, args.r#type, queue.capacity());
    while let Some((mtype, data)) = input.next()? {
        send(args, queue, mtype, &data)?;
        *sent += 1;
        progress.reached(input.read);
    }
    Ok(())
}

fn send(args: &Send, queue: &Queue, mtype: i64, data: &[u8]) -> Result<()> {
    let deadline = deadline(args.timeout);
    loop {
        match queue.send_until(mtype, data, deadline) {
            // No handler here has anything to say.
            Err(error) if error.errno() == libc::EINTR => {}
            outcome => return outcome.map_err(Failure::from),
        }
    }
}
