//! `madang rm`: what has content, or users, only by force; and as `ipcrm`.

use madang::{Barrier, Condition, Event, Kind, Mutex, Queue, RwLock, Segment, SemaphoreSet};

use crate::args::Rm;
use crate::failure::{Failure, Result};
use crate::objects::{Look, each, noun, open_set};
use crate::text;
use crate::{kernel, sysv};

pub(crate) fn run(args: &Rm) -> Result<()> {
    let named = each(&args.names, |name| match sysv::identifier(args.kind, name) {
        _ if kernel::is_name(name) => kernel::Object::named(name)?.remove(name, args.force),
        Some((kind, id)) => {
            check(args, name)?;
            kind.remove(id)
        }
        None => {
            check(args, name)?;
            unlink(args.kind, name)
        }
    });
    named.and(sysv::remove(&args.sysv))
}

fn unlink(kind: Kind, name: &str) -> Result<()> {
    match kind {
        Kind::Segment => Segment::unlink(name)?,
        Kind::SemaphoreSet => SemaphoreSet::unlink(name)?,
        Kind::Queue => Queue::unlink(name)?,
        Kind::Mutex => Mutex::unlink(name)?,
        Kind::RwLock => RwLock::unlink(name)?,
        Kind::Condition => Condition::unlink(name)?,
        Kind::Barrier => Barrier::unlink(name)?,
        Kind::Event => Event::unlink(name)?,
        _ => {
            let what = format!("rm {name:?}: there is no such {}: madang ls lists those that are", noun(kind));
            return Err(Failure::new(libc::ENOENT, what));
        }
    }
    Ok(())
}

/// Whether it can go without regret.
fn check(args: &Rm, name: &str) -> Result<()> {
    let refuse =
        |errno, why: String| Err(Failure::new(errno, format!("rm {name:?}: {why}: --force removes it all the same")));
    let reason = match args.kind {
        _ if args.force => return Ok(()),
        Kind::Queue => queue(name),
        Kind::SemaphoreSet => set(name),
        Kind::Memory => sysv::attached(name),
        // Nobody knows who has it open.
        _ => return Ok(()),
    };
    match reason {
        Ok(None) => Ok(()),
        Ok(Some(why)) => refuse(libc::EBUSY, why),
        Err(error) if error.errno() == libc::ENOENT => Err(error.into()),
        Err(error) => refuse(error.errno(), format!("it can't be looked into ({})", error.message())),
    }
}

/// What would be regretted.
fn queue(name: &str) -> madang::Result<Option<String>> {
    let look = Look::at_queue(name, false)?;
    let holds = Some(look.status.messages).filter(|&messages| messages > 0);
    let holds = holds.map(|messages| format!("it holds {}", text::count(messages, "message")));
    let why: Vec<_> = holds.into_iter().chain(open(&look)).collect();
    Ok((!why.is_empty()).then(|| why.join(", and ")))
}

fn set(name: &str) -> madang::Result<Option<String>> {
    Ok(open(&Look::at_set(&open_set(name, false)?)?))
}

fn open<S>(look: &Look<S>) -> Option<String> {
    let living = Some(look.living()).filter(|&living| living > 0)?;
    Some(format!("there is {} open", text::count(living, "handle")))
}
