//! What System V limits. The numbers are the kernel's, as `/proc/sys/kernel` says them, or its defaults; an environment variable of the
//! same name with `MADANG_` before it, in capitals, is stronger: `MADANG_MSGMNB=1048576`. Nobody need be root for that.
//!
//! How many objects there may be is not limited, nor how much memory they take together, but by the file system.

#![forbid(unsafe_code)]

use std::ffi::{CStr, CString};
use std::sync::OnceLock;

use crate::sys::{file, process};

/// All of them; see sysvipc(7) and proc(5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// The longest message, in bytes.
    pub msgmax: u64,
    /// How many bytes a new queue may hold.
    pub msgmnb: u64,
    /// How many queues there may be; told, and not kept.
    pub msgmni: u64,
    /// How many semaphores a set may have.
    pub semmsl: u64,
    /// How many semaphores there may be; told, and not kept.
    pub semmns: u64,
    /// How many operations one call may do.
    pub semopm: u64,
    /// How many sets there may be; told, and not kept.
    pub semmni: u64,
    /// The largest value of a semaphore.
    pub semvmx: u64,
    /// The largest segment, in bytes.
    pub shmmax: u64,
    /// How many pages all segments may have; told, and not kept.
    pub shmall: u64,
    /// How many segments there may be; told, and not kept.
    pub shmmni: u64,
}

static LIMITS: OnceLock<Limits> = OnceLock::new();

/// The limits in force in this process.
#[must_use]
#[inline]
pub fn limits() -> &'static Limits {
    LIMITS.get().unwrap_or_else(|| learn())
}

#[cold]
fn learn() -> &'static Limits {
    let [semmsl, semmns, semopm, semmni] = [0, 1, 2, 3].map(|at| (c"/proc/sys/kernel/sem", at));
    let largest = u64::MAX - (1 << 24);
    let learnt = Limits {
        msgmax: limit(c"MADANG_MSGMAX", (c"/proc/sys/kernel/msgmax", 0), 8192),
        msgmnb: limit(c"MADANG_MSGMNB", (c"/proc/sys/kernel/msgmnb", 0), 16384),
        msgmni: limit(c"MADANG_MSGMNI", (c"/proc/sys/kernel/msgmni", 0), 32000),
        semmsl: limit(c"MADANG_SEMMSL", semmsl, 32000),
        semmns: limit(c"MADANG_SEMMNS", semmns, 1_024_000_000),
        semopm: limit(c"MADANG_SEMOPM", semopm, 500),
        semmni: limit(c"MADANG_SEMMNI", semmni, 32000),
        semvmx: 32767,
        shmmax: limit(c"MADANG_SHMMAX", (c"/proc/sys/kernel/shmmax", 0), largest),
        shmall: limit(c"MADANG_SHMALL", (c"/proc/sys/kernel/shmall", 0), largest),
        shmmni: limit(c"MADANG_SHMMNI", (c"/proc/sys/kernel/shmmni", 0), 4096),
    };
    // A child that was forked meanwhile would wait for this thread, which it hasn't got. (Where that can't be excluded, nothing else works.)
    let _ = process::prepare();
    process::without_fork(|| LIMITS.get_or_init(|| learnt))
}

/// What the environment says, else the kernel, else its default.
fn limit(variable: &CStr, (path, at): (&CStr, usize), default: u64) -> u64 {
    let said = process::variable(variable).map(CStr::to_owned).as_ref().and_then(number);
    let known = || file::read_small(path)?.split_whitespace().nth(at)?.parse().ok();
    said.or_else(known).unwrap_or(default)
}

fn number(text: &CString) -> Option<u64> {
    text.to_str().ok()?.parse().ok()
}
