//! System V's calls, served from shared memory, in C's own manner: -1 and `errno`. Who exports them gives them their names: `libmadang` as
//! `madang_msgget` and so on, `libmadang-sysv` as the C library does.
//!
//! A function here is one call into the core and one conversion. What the calls mean stands in `core/src/shared/sysv`, what differs from
//! the kernel in `docs/parity.md`. `errno` is left alone by what succeeds.

#![allow(
    clippy::unnecessary_cast,
    clippy::useless_conversion,
    clippy::cast_lossless,
    reason = "the C library's numbers are of other sizes on other machines"
)]

pub mod msg;
pub mod sem;
pub mod shm;

use std::panic::{AssertUnwindSafe, catch_unwind};

use libc::{c_int, c_ushort, ipc_perm};
use madang_core::shared::sysv::{self, Change, Permissions};
use madang_core::{Error, Result};

/// When the program ends: what is to be undone is undone, and what was removed goes with its last attachment, also if nobody detaches.
pub fn end() {
    call((), || {
        sysv::end();
        Ok(())
    });
}

/// Where the calling thread's `errno` is.
fn errno() -> *mut c_int {
    // SAFETY: it can't fail.
    unsafe { libc::__errno_location() }
}

/// Does the work of a call; what fails becomes `failed` and `errno`. Nothing unwinds into the program.
#[inline]
fn call<T>(failed: T, work: impl FnOnce() -> Result<T>) -> T {
    // SAFETY: the thread's own.
    let before = unsafe { errno().read() };
    let done = catch_unwind(AssertUnwindSafe(work));
    let number = match done {
        Ok(Ok(done)) => {
            // SAFETY: as above.
            unsafe { errno().write(before) };
            return done;
        }
        Ok(Err(error)) => error.errno(),
        Err(_) => libc::EIO,
    };
    // SAFETY: as above.
    unsafe { errno().write(number) };
    failed
}

fn invalid(what: &'static str) -> Error {
    Error::new(libc::EINVAL, what)
}

/// What no program can have: the first page, and what lies above every program's memory. (Other bad addresses are only found by the fault that
/// they cause: `docs/parity.md`.)
fn check<T>(at: *const T) -> Result<*const T> {
    let address = at as usize;
    if !(4096..=usize::MAX - (1 << 20)).contains(&address) {
        return Err(Error::new(libc::EFAULT, "an address at which nothing can be"));
    }
    Ok(at)
}

fn check_mut<T>(at: *mut T) -> Result<*mut T> {
    check(at).map(<*const T>::cast_mut)
}

/// `struct ipc_perm` as the kernel fills it.
fn perm(told: &Permissions) -> ipc_perm {
    // SAFETY: integers only, for which 0 is valid.
    let mut perm: ipc_perm = unsafe { std::mem::zeroed() };
    perm.__key = told.key;
    perm.uid = told.uid;
    perm.gid = told.gid;
    perm.cuid = told.creator_uid;
    perm.cgid = told.creator_gid;
    perm.mode = told.mode as _;
    perm.__seq = (told.id >> 15) as c_ushort as _;
    perm
}

/// What `IPC_SET` takes of it.
fn change(perm: &ipc_perm) -> Change {
    Change { uid: perm.uid, gid: perm.gid, mode: perm.mode as u32 }
}

/// The highest index that is used, as `…_INFO` returns it.
fn highest(identifiers: &[i32]) -> c_int {
    (identifiers.len() as c_int - 1).max(0)
}
