//! Primitives whose state lies in shared memory, for C; and what their options have in common.

pub mod descriptor;
pub mod lease;
pub mod left_over;
pub mod list;
pub mod queue;
pub mod reservation;
pub mod segment;
pub mod semaphore_set;
pub mod sync;
pub mod sysv;

use madang_core::Create;

use crate::error::{Failure, Result};

/// create: opens what exists, else creates it. Two processes that do so at once get the same object.
/// The default.
pub const MADANG_CREATE_IF_MISSING: u32 = 0;

/// create: only opens what exists, otherwise -ENOENT.
pub const MADANG_CREATE_NEVER: u32 = 1;

/// create: only creates, -EEXIST if the name is taken.
pub const MADANG_CREATE_ONLY: u32 = 2;

/// Option flag: opens it although it belongs to another user than this process's or root. That user
/// can do with it what he likes: read it, damage it, or truncate it, which kills this process with
/// SIGBUS. For users who trust each other.
pub const MADANG_ANY_OWNER: u32 = 1 << 8;

/// Option flag of segments and of POSIX shared memory: opens it only to be read. It must exist. And
/// a flag of what maps memory: only to be read. Writing to it then kills the process with SIGSEGV.
pub const MADANG_READ_ONLY: u32 = 1 << 9;

/// Option flag of queues: this handle alone sends, as long as it is open; other senders, and whoever
/// asks for the same, get -EBUSY. Sending costs least then. It is bound to the first thread that
/// uses it, and to this process: a forked child sends as others do. -ENOTSUP where membarrier(2) is
/// forbidden.
pub const MADANG_EXCLUSIVE_SENDER: u32 = 1 << 11;

/// Option flag of queues: as MADANG_EXCLUSIVE_SENDER, for receiving.
pub const MADANG_EXCLUSIVE_RECEIVER: u32 = 1 << 12;

/// Flag of madang_list(): segments too, that is every regular file in /dev/shm that isn't madang's,
/// whoever made it, by whatever means.
pub const MADANG_SEGMENTS: u32 = 1 << 10;

pub(crate) fn create(word: u32) -> Result<Create> {
    match word {
        MADANG_CREATE_IF_MISSING => Ok(Create::IfMissing),
        MADANG_CREATE_NEVER => Ok(Create::Never),
        MADANG_CREATE_ONLY => Ok(Create::Only),
        _ => Err(Failure::misuse(
            libc::EINVAL,
            format!("create {word}: it is one of MADANG_CREATE_IF_MISSING, _NEVER, _ONLY"),
        )),
    }
}

/// Whether each flag of `known` is set in `flags`.
pub(crate) fn option_flags<const N: usize>(flags: u32, known: [(u32, &str); N]) -> Result<[bool; N]> {
    let all = known.iter().fold(0, |all, (flag, _)| all | flag);
    if flags & !all != 0 {
        let names = known.map(|(_, name)| name).join(" and ");
        return Err(Failure::misuse(libc::EINVAL, format!("option flags {flags:#x}: it knows only {names}")));
    }
    Ok(known.map(|(flag, _)| flags & flag != 0))
}
