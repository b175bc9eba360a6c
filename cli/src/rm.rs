//! `madang rm`: queues that have content, or users, only by force.

use madang::{Barrier, Condition, Event, Kind, Mutex, Queue, RwLock, Segment, SemaphoreSet};

use crate::args::Rm;
use crate::failure::{Failure, Result};
use crate::kernel;
use crate::objects::{Look, each};
use crate::text;

pub(crate) fn run(args: &Rm) -> Result<()> {
    each(&args.names, |name| match args.kind {
        _ if kernel::is_name(name) => kernel::Object::named(name)?.remove(name, args.force),
        Kind::Segment => Ok(Segment::unlink(name)?),
        Kind::SemaphoreSet => Ok(SemaphoreSet::unlink(name)?),
        Kind::Mutex => Ok(Mutex::unlink(name)?),
        Kind::RwLock => Ok(RwLock::unlink(name)?),
        Kind::Condition => Ok(Condition::unlink(name)?),
        Kind::Barrier => Ok(Barrier::unlink(name)?),
        Kind::Event => Ok(Event::unlink(name)?),
        _ => {
            if !args.force {
                check(name)?;
            }
            Ok(Queue::unlink(name)?)
        }
    })
}

/// Whether it can go without regret.
fn check(name: &str) -> Result<()> {
    let refuse =
        |errno, why: String| Failure::new(errno, format!("rm {name:?}: {why}: --force removes it all the same"));
    match Look::at(name, false) {
        Ok(look) if look.is_unused() => Ok(()),
        Ok(look) => {
            let holds = Some(look.status.messages).filter(|&messages| messages > 0);
            let holds = holds.map(|messages| format!("it holds {}", text::count(messages, "message")));
            let open = Some(look.living()).filter(|&living| living > 0);
            let open = open.map(|living| format!("{} open", text::count(living, "handle")));
            let why: Vec<_> = holds.into_iter().chain(open.map(|open| format!("there is {open}"))).collect();
            Err(refuse(libc::EBUSY, why.join(", and ")))
        }
        Err(error) if error.errno() == libc::ENOENT => Err(error.into()),
        Err(error) => Err(refuse(error.errno(), format!("it can't be looked into ({})", error.message()))),
    }
}
