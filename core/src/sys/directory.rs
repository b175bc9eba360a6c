//! Names in a directory that is open: what happens to them happens there, whatever becomes of the path that led to it.

use std::ffi::CStr;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

use super::{Errno, check};

fn open_at(directory: i32, name: &CStr, flags: i32) -> Result<OwnedFd, Errno> {
    // SAFETY: the name is a C string that outlives the call.
    let fd = check(unsafe { libc::openat(directory, name.as_ptr(), flags | libc::O_CLOEXEC) }.into())?;
    // SAFETY: the kernel just made this descriptor, and nobody else knows it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd as i32) })
}

/// Opens a directory (open(2)).
pub(crate) fn open(path: &CStr) -> Result<OwnedFd, Errno> {
    open_at(libc::AT_FDCWD, path, libc::O_RDONLY | libc::O_DIRECTORY)
}

/// Opens the directory anew: another description, with locks of its own.
pub(crate) fn reopen(directory: BorrowedFd) -> Result<OwnedFd, Errno> {
    open_at(directory.as_raw_fd(), c".", libc::O_RDONLY | libc::O_DIRECTORY)
}

/// A descriptor that only stands for what has the path; a symbolic link in its last part is followed if `follow` (`O_PATH`, open(2)).
pub(crate) fn point_to(directory: Option<BorrowedFd>, path: &CStr, follow: bool) -> Result<OwnedFd, Errno> {
    let directory = directory.map_or(libc::AT_FDCWD, |directory| directory.as_raw_fd());
    open_at(directory, path, libc::O_PATH | if follow { 0 } else { libc::O_NOFOLLOW })
}

/// Locks the directory against others who lock it, if nobody has (flock(2)): `EAGAIN`.
pub(crate) fn try_lock(directory: BorrowedFd) -> Result<(), Errno> {
    // SAFETY: no memory is passed.
    check(unsafe { libc::flock(directory.as_raw_fd(), libc::LOCK_EX | libc::LOCK_NB) }.into()).map(drop)
}

/// Undoes [`try_lock`], also for a child that was forked meanwhile.
pub(crate) fn unlock(directory: BorrowedFd) {
    // SAFETY: no memory is passed. To unlock what is open doesn't fail.
    unsafe { libc::flock(directory.as_raw_fd(), libc::LOCK_UN) };
}

/// Gives what is called `from` the second name `to`, which must be free (linkat(2)).
pub(crate) fn link(directory: BorrowedFd, from: &CStr, to: &CStr) -> Result<(), Errno> {
    let directory = directory.as_raw_fd();
    // SAFETY: both names are C strings that outlive the call.
    check(unsafe { libc::linkat(directory, from.as_ptr(), directory, to.as_ptr(), 0) }.into()).map(drop)
}

/// Calls what is called `from` `to` from now on; what had that name loses it at the same moment (renameat(2)).
pub(crate) fn rename(directory: BorrowedFd, from: &CStr, to: &CStr) -> Result<(), Errno> {
    let directory = directory.as_raw_fd();
    // SAFETY: both names are C strings that outlive the call.
    check(unsafe { libc::renameat(directory, from.as_ptr(), directory, to.as_ptr()) }.into()).map(drop)
}

/// Takes a name away (unlinkat(2)).
pub(crate) fn unlink(directory: BorrowedFd, name: &CStr) -> Result<(), Errno> {
    // SAFETY: the name is a C string that outlives the call.
    check(unsafe { libc::unlinkat(directory.as_raw_fd(), name.as_ptr(), 0) }.into()).map(drop)
}

/// Sets the permission bits exactly (fchmodat(2)).
pub(crate) fn set_mode(directory: BorrowedFd, name: &CStr, mode: u32) -> Result<(), Errno> {
    // SAFETY: the name is a C string that outlives the call.
    check(unsafe { libc::fchmodat(directory.as_raw_fd(), name.as_ptr(), mode, 0) }.into()).map(drop)
}
