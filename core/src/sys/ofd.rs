//! Open-file-description locks on single bytes and on ranges (fcntl(2), `F_OFD_*`): they belong to the description, not
//! to the process, so they go exactly when its last descriptor and mapping go, however that comes about.

use std::os::fd::{AsRawFd, BorrowedFd};

use super::{Errno, check};

/// The call that takes a `flock64`. By number: on 32-bit machines libc's `fcntl` takes these commands with the short struct.
#[cfg(target_pointer_width = "64")]
const FCNTL: libc::c_long = libc::SYS_fcntl;
#[cfg(target_pointer_width = "32")]
const FCNTL: libc::c_long = libc::SYS_fcntl64;

fn byte_lock(kind: i32, byte: u64) -> libc::flock64 {
    range_lock(kind, byte, 1)
}

fn range_lock(kind: i32, start: u64, length: u64) -> libc::flock64 {
    // SAFETY: all-zero is a valid `flock64`; OFD locks require `l_pid` to be zero.
    let mut lock: libc::flock64 = unsafe { std::mem::zeroed() };
    lock.l_type = kind as libc::c_short;
    lock.l_whence = libc::SEEK_SET as libc::c_short;
    lock.l_start = start as _;
    lock.l_len = length as _;
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

/// Locks a range, of which a length of 0 is all that follows; waits until it can, or says `EAGAIN`. (A wait goes on after a handler
/// with `SA_RESTART`.)
pub(crate) fn lock_range(fd: BorrowedFd, shared: bool, start: u64, length: u64, wait: bool) -> Result<(), Errno> {
    let lock = range_lock(if shared { libc::F_RDLCK } else { libc::F_WRLCK }, start, length);
    let command = if wait { libc::F_OFD_SETLKW } else { libc::F_OFD_SETLK };
    // SAFETY: `lock` is a valid `flock64` for the call.
    match check(unsafe { libc::syscall(FCNTL, fd.as_raw_fd(), command, &raw const lock) }) {
        Err(Errno(libc::EACCES)) => Err(Errno(libc::EAGAIN)),
        locked => locked.map(drop),
    }
}

/// Gives a range back.
pub(crate) fn unlock_range(fd: BorrowedFd, start: u64, length: u64) -> Result<(), Errno> {
    let lock = range_lock(libc::F_UNLCK, start, length);
    // SAFETY: `lock` is a valid `flock64` for the call.
    check(unsafe { libc::syscall(FCNTL, fd.as_raw_fd(), libc::F_OFD_SETLK, &raw const lock) }).map(drop)
}

/// A lock of somebody else's.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Found {
    pub(crate) shared: bool,
    pub(crate) start: u64,
    /// 0 is all that follows.
    pub(crate) length: u64,
    /// Not positive if it is a description's, as ours are.
    pub(crate) pid: i32,
}

/// A lock that is in the way of that one, if there is any.
pub(crate) fn find_range(fd: BorrowedFd, shared: bool, start: u64, length: u64) -> Result<Option<Found>, Errno> {
    let mut lock = range_lock(if shared { libc::F_RDLCK } else { libc::F_WRLCK }, start, length);
    // SAFETY: `lock` is a valid `flock64` for the call, which writes the answer into it.
    check(unsafe { libc::syscall(FCNTL, fd.as_raw_fd(), libc::F_OFD_GETLK, &raw mut lock) })?;
    let found = Found {
        shared: i32::from(lock.l_type) == libc::F_RDLCK,
        start: lock.l_start as u64,
        length: lock.l_len as u64,
        pid: lock.l_pid,
    };
    Ok((i32::from(lock.l_type) != libc::F_UNLCK).then_some(found))
}

/// One of `count` bytes from `start` on that another description holds for writing, if there is one.
pub(crate) fn one_locked(fd: BorrowedFd, start: u64, count: u64) -> Result<Option<u64>, Errno> {
    let mut lock = byte_lock(libc::F_RDLCK, start);
    lock.l_len = count as _;
    // SAFETY: `lock` is a valid `flock64` for the call, which writes the answer into it.
    check(unsafe { libc::syscall(FCNTL, fd.as_raw_fd(), libc::F_OFD_GETLK, &raw mut lock) })?;
    Ok((i32::from(lock.l_type) != libc::F_UNLCK).then_some(lock.l_start as u64))
}
