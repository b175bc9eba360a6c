//! Descriptors that Python knows by their numbers.

use std::os::fd::{BorrowedFd, FromRawFd, OwnedFd};

use crate::error::{Error, Result};

/// Gives `work` a descriptor of Python's, for good; if it fails, Python's own stays open.
pub(crate) fn take_over<T>(fd: i32, work: impl FnOnce(OwnedFd) -> madang::Result<T>) -> Result<T> {
    let bad = |errno, name| Error::os(errno, format!("fd {fd}: it can't be duplicated ({name})"));
    if fd < 0 {
        return Err(bad(libc::EBADF, "EBADF"));
    }
    // SAFETY: as with every function of Python's that takes a number: that nobody closes it meanwhile is the caller's affair. If
    // it is not open, it is only asked for.
    let copy =
        unsafe { BorrowedFd::borrow_raw(fd) }.try_clone_to_owned().map_err(|error| match error.raw_os_error() {
            Some(libc::EMFILE) => bad(libc::EMFILE, "EMFILE"),
            _ => bad(libc::EBADF, "EBADF"),
        })?;
    let taken = work(copy)?;
    // SAFETY: it is open, and the caller has given it away.
    drop(unsafe { OwnedFd::from_raw_fd(fd) });
    Ok(taken)
}
