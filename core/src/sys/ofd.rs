//! Open-file-description locks on single bytes (fcntl(2), `F_OFD_*`): they belong to the description, not
//! to the process, so they go exactly when its last descriptor and mapping go, however that comes about.

use std::os::fd::{AsRawFd, BorrowedFd};

use super::{Errno, check};

/// The call that takes a `flock64`. By number: on 32-bit machines libc's `fcntl` takes these commands with the short struct.
#[cfg(target_pointer_width = "64")]
const FCNTL: libc::c_long = libc::SYS_fcntl;
#[cfg(target_pointer_width = "32")]
const FCNTL: libc::c_long = libc::SYS_fcntl64;

fn byte_lock(kind: i32, byte: u64) -> libc::flock64 {
    // SAFETY: all-zero is a valid `flock64`; OFD locks require `l_pid` to be zero.
    let mut lock: libc::flock64 = unsafe { std::mem::zeroed() };
    lock.l_type = kind as libc::c_short;
    lock.l_whence = libc::SEEK_SET as libc::c_short;
    lock.l_start = byte as _;
    lock.l_len = 1;
    lock
}

/// Locks `byte` for writing if nobody holds it; says whether it did.
pub(crate) fn try_lock(fd: BorrowedFd, byte: u64) -> Result<bool, Errno> {
    let lock = byte_lock(libc::F_WRLCK, byte);
    // SAFETY: `lock` is a valid `flock64` for the call.
    match check(unsafe { libc::syscall(FCNTL, fd.as_raw_fd(), libc::F_OFD_SETLK, &raw const lock) }) {
        Ok(_) => Ok(true),
        Err(Errno(libc::EAGAIN | libc::EACCES)) => Ok(false),
        Err(errno) => Err(errno),
    }
}

/// Gives `byte` back.
pub(crate) fn unlock(fd: BorrowedFd, byte: u64) -> Result<(), Errno> {
    let lock = byte_lock(libc::F_UNLCK, byte);
    // SAFETY: `lock` is a valid `flock64` for the call.
    check(unsafe { libc::syscall(FCNTL, fd.as_raw_fd(), libc::F_OFD_SETLK, &raw const lock) }).map(drop)
}

/// Whether another description holds `byte` for writing. Asked as a reader, so that one who may only read
/// can neither fake life nor miss it.
pub(crate) fn is_locked(fd: BorrowedFd, byte: u64) -> Result<bool, Errno> {
    let mut lock = byte_lock(libc::F_RDLCK, byte);
    // SAFETY: `lock` is a valid `flock64` for the call, which writes the answer into it.
    check(unsafe { libc::syscall(FCNTL, fd.as_raw_fd(), libc::F_OFD_GETLK, &raw mut lock) })?;
    Ok(i32::from(lock.l_type) != libc::F_UNLCK)
}

/// One of `count` bytes from `start` on that another description holds for writing, if there is one.
pub(crate) fn one_locked(fd: BorrowedFd, start: u64, count: u64) -> Result<Option<u64>, Errno> {
    let mut lock = byte_lock(libc::F_RDLCK, start);
    lock.l_len = count as _;
    // SAFETY: `lock` is a valid `flock64` for the call, which writes the answer into it.
    check(unsafe { libc::syscall(FCNTL, fd.as_raw_fd(), libc::F_OFD_GETLK, &raw mut lock) })?;
    Ok((i32::from(lock.l_type) != libc::F_UNLCK).then_some(lock.l_start as u64))
}
