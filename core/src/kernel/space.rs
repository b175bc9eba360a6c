//! The size of a file that is mapped, and its space: both change together, so that touching what one has can't fail for want of it.

#![forbid(unsafe_code)]

use std::os::fd::BorrowedFd;

use crate::sys::{Errno, file};

/// Space is taken in pieces of this many bytes at most: each is done before the next signal comes.
const MOST_AT_ONCE: u64 = 4 << 20;

/// Lets a file of `from` bytes have `to`. If it can't have as much, it stays as it is.
pub(super) fn resize(fd: BorrowedFd, from: u64, to: u64) -> Result<(), Errno> {
    if i64::try_from(to).is_err() {
        return Err(Errno(libc::EFBIG));
    }
    // What certainly doesn't fit isn't begun: others would starve meanwhile.
    let more = to.saturating_sub(from);
    if more > MOST_AT_ONCE && file::free_space(fd).is_some_and(|free| more > free) {
        return Err(Errno(libc::ENOSPC));
    }
    file::set_size(fd, to)?;
    let taken = take(fd, from, to);
    if taken.is_err() {
        // Should that fail, it is too long, and what was added has no space; more can't be done.
        let _ = file::set_size(fd, from);
    }
    taken
}

fn take(fd: BorrowedFd, from: u64, to: u64) -> Result<(), Errno> {
    let mut done = from;
    while done < to {
        let piece = (to - done).min(MOST_AT_ONCE);
        file::allocate(fd, done, piece)?;
        done += piece;
    }
    Ok(())
}
