//! The fence: the only code in madang that makes system calls. One function per call, no policy.
//!
//! What the shared-memory primitives need is called by number, not through libc's wrappers: programs
//! interpose those (fakeroot wraps `fstat` and sends System V messages from inside), and a library that
//! serves such calls must not land in them again. Calls that take 64-bit offsets go through libc's `…64`
//! functions, which nobody wraps and which know how each architecture passes the two halves; a few that nobody
//! wraps and that can't fail go through libc as well.
//!
//! Failures are a bare [`Errno`]; whoever called knows what was being done and says so in an `Error`.

pub(crate) mod barrier;
pub(crate) mod clock;
pub(crate) mod directory;
pub(crate) mod epoll;
pub(crate) mod file;
pub(crate) mod futex;
pub(crate) mod inotify;
pub(crate) mod memfd;
pub(crate) mod memory;
pub(crate) mod mq;
pub(crate) mod ofd;
pub(crate) mod pipe;
pub(crate) mod poll;
pub(crate) mod process;
pub(crate) mod sem;
pub(crate) mod signal;
pub(crate) mod socket;
pub(crate) mod sysv;
pub(crate) mod timer;

use crate::error::Error;

/// What a system call failed with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Errno(pub(crate) i32);

impl Errno {
    /// What the calling thread's last failed call left in `errno`.
    fn last() -> Self {
        Self(std::io::Error::last_os_error().raw_os_error().unwrap_or(libc::EIO))
    }

    /// An `Error` that says what was being done.
    pub(crate) fn during(self, doing: impl Into<std::borrow::Cow<'static, str>>) -> Error {
        Error::new(self.0, doing)
    }
}

/// Turns a system call's return value into a result: -1 means that `errno` says why.
fn check(returned: libc::c_long) -> Result<libc::c_long, Errno> {
    if returned == -1 { Err(Errno::last()) } else { Ok(returned) }
}
