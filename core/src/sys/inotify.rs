//! inotify(7): being told that a file was written by a call. (What is stored through a mapping it doesn't tell.)

use std::ffi::CStr;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

use super::{Errno, check};

/// What is told of a watched file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Told {
    /// Which watch; -1 where there was more to tell than the kernel keeps.
    pub(crate) watch: i32,
    /// Whether the watch is gone with this.
    pub(crate) is_last: bool,
}

/// A new instance. It never blocks.
pub(crate) fn create() -> Result<OwnedFd, Errno> {
    // SAFETY: no memory is passed.
    let fd = check(unsafe { libc::syscall(libc::SYS_inotify_init1, libc::IN_CLOEXEC | libc::IN_NONBLOCK) })?;
    // SAFETY: the kernel just made this descriptor, and nobody else knows it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd as i32) })
}

/// Watches the file behind `path` for being written. A file has one watch in an instance, however often this is called.
pub(crate) fn watch(inotify: BorrowedFd, path: &CStr) -> Result<i32, Errno> {
    let call = libc::SYS_inotify_add_watch;
    // SAFETY: the path is a C string that outlives the call.
    let watch = check(unsafe { libc::syscall(call, inotify.as_raw_fd(), path.as_ptr(), libc::IN_MODIFY) })?;
    Ok(watch as i32)
}

/// Watches a directory for names that come into it.
pub(crate) fn watch_names(inotify: BorrowedFd, directory: &CStr) -> Result<i32, Errno> {
    let (call, what) = (libc::SYS_inotify_add_watch, libc::IN_CREATE | libc::IN_MOVED_TO | libc::IN_ONLYDIR);
    // SAFETY: the path is a C string that outlives the call.
    check(unsafe { libc::syscall(call, inotify.as_raw_fd(), directory.as_ptr(), what) }).map(|watch| watch as i32)
}

/// Ends a watch, which is told as the last of it.
pub(crate) fn unwatch(inotify: BorrowedFd, watch: i32) -> Result<(), Errno> {
    // SAFETY: no memory is passed.
    check(unsafe { libc::syscall(libc::SYS_inotify_rm_watch, inotify.as_raw_fd(), watch) }).map(drop)
}

/// Takes all that there is to tell.
pub(crate) fn take(inotify: BorrowedFd, mut tell: impl FnMut(Told)) {
    let mut buffer = [0u8; 4096];
    loop {
        // SAFETY: the buffer is valid for its length.
        let filled = unsafe { libc::syscall(libc::SYS_read, inotify.as_raw_fd(), buffer.as_mut_ptr(), buffer.len()) };
        // Nothing there, which is EAGAIN; whatever else is wrong is no message either.
        let Ok(filled) = usize::try_from(filled) else { return };
        let mut rest = &buffer[..filled];
        while let Some((told, after)) = next_event(rest) {
            tell(told);
            rest = after;
        }
        if filled < buffer.len() / 2 {
            return;
        }
    }
}

/// The first of the events that were read, and the others: watch, mask, cookie and a length, each of four bytes; then a name of
/// that length, which a file's own watch has not.
fn next_event(events: &[u8]) -> Option<(Told, &[u8])> {
    let word = |at: usize| Some(u32::from_ne_bytes(*events.get(at..)?.first_chunk()?));
    let (watch, mask, name) = (word(0)?.cast_signed(), word(4)?, word(12)? as usize);
    let rest = events.get(16usize.checked_add(name)?..)?;
    Some((Told { watch, is_last: mask & libc::IN_IGNORED != 0 }, rest))
}
