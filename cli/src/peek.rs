//! `madang peek`.

use crate::args::Peek;
use crate::failure::Result;
use crate::messages::{Output, Shown};
use crate::objects;

pub(crate) fn run(args: &Peek) -> Result<()> {
    let queue = objects::open(&args.name, args.any_owner)?;
    let mut output = Output::new(&args.form)?;
    let count = if args.all { u64::MAX } else { args.count };
    for position in args.position..args.position.saturating_add(count) {
        match queue.peek(position) {
            Ok(message) => output.put(&Shown::from(message)),
            Err(error) if error.errno() == libc::EAGAIN && position > args.position => break,
            Err(error) => return Err(error.into()),
        }
        if output.is_full() {
            output.flush().1?;
        }
    }
    output.flush().1
}
