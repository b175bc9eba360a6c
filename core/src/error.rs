//! The one error type: an errno, and a sentence that reads like strace and says what to do next.

#![forbid(unsafe_code)]

use std::borrow::Cow;
use std::io;

/// `std::result::Result` with madang's [`Error`].
pub type Result<T> = std::result::Result<T, Error>;

/// What went wrong: an errno, and what was being done in words.
///
/// The number is the same in every language: C functions return `-errno`, Python raises `OSError` with it.
///
/// | errno | meaning |
/// |---|---|
/// | `EAGAIN` | a try found that it would have to wait: it is full, or empty, or somebody has it |
/// | `EBUSY` | a try found another participant inside for longer than it may wait; or somebody else has it |
/// | `ETIMEDOUT` | the deadline passed |
/// | `EINTR` | a signal handler ran while waiting; nothing was done |
/// | `EINVAL` | an argument is not in its range, or an existing object is smaller than asked for |
/// | `ENAMETOOLONG`, `ENOENT`, `EEXIST`, `EACCES`, `EPERM` | the name: too long, absent, taken, not permitted, another user's |
/// | `EISDIR`, `ELOOP`, `ENODEV`, `ENXIO` | the name is a directory, a symbolic link, or no regular file |
/// | `EMSGSIZE` | the message can never fit there |
/// | `E2BIG` | the buffer is too small; the message stays, [`Error::length`] says what it needs (of System V's, 0) |
/// | `ENOTSUP` | not offered by this version |
/// | `EPROTOTYPE` | an object of another kind |
/// | `EPROTO` | an object of another layout version |
/// | `EUCLEAN` | the object is damaged |
/// | `ENOSPC` | `/dev/shm` (or `MADANG_DIR`) is full |
/// | `EUSERS` | no free place among the participants, or among those who read |
/// | `EOWNERDEAD` | this handle was presumed dead by the others and may not go on; or what it holds is another process's |
/// | `EADDRINUSE`, `EADDRNOTAVAIL`, `EAFNOSUPPORT` | a socket's address: somebody listens there, it isn't this machine's, there is no such family |
/// | `ECONNREFUSED`, `EHOSTUNREACH`, `ENETUNREACH` | nobody listens there, or there is no way there |
/// | `EPIPE`, `ECONNRESET`, `ENOTCONN`, `EDESTADDRREQ` | the other end is gone, gone with what was sent to it, or was never there |
/// | `ENOTSOCK`, `ETOOMANYREFS` | a descriptor: it is no socket's; too many are on the way |
/// | `ENODATA` | the connection has come to its end (C) |
/// | `ESRCH` | there is no such process |
/// | `EIDRM` | the System V object was removed, perhaps while this waited |
/// | `ERANGE`, `EOVERFLOW` | a semaphore's value would get too large |
/// | `ENOSYS` | this kernel, or the container's filter, does not offer the call |
/// | `EMFILE`, `ENFILE` | too many open descriptors; `EMFILE`: or more than a user's POSIX message queues may hold |
/// | `EBADF`, `EFAULT` | a closed handle, a null pointer (C, Python) |
#[derive(Debug, thiserror::Error)]
#[error("{what}{} ({})", needed(*.length), name(*.errno))]
pub struct Error {
    errno: i32,
    what: Cow<'static, str>,
    length: u64,
    transferred: usize,
}

impl Error {
    /// An error with this errno; `what` was being done, and what can be done about it. For layers above, such as the
    /// C library, whose own failures shall read alike.
    pub fn new(errno: i32, what: impl Into<Cow<'static, str>>) -> Self {
        Self { errno, what: what.into(), length: 0, transferred: 0 }
    }

    /// The message needs a buffer of `length` bytes.
    pub(crate) fn too_big(length: u64) -> Self {
        Self {
            errno: libc::E2BIG,
            what: "recv: the buffer is too small for the message, which stays: receive again with a larger one".into(),
            length,
            transferred: 0,
        }
    }

    /// The errno, as in `<errno.h>`.
    #[must_use]
    pub fn errno(&self) -> i32 {
        self.errno
    }

    /// On `E2BIG`, the length of the message in bytes; otherwise 0.
    #[must_use]
    pub fn length(&self) -> u64 {
        self.length
    }

    /// Where what transfers all of some bytes stopped on its way: how many of them had been transferred; otherwise 0.
    #[must_use]
    pub fn transferred(&self) -> usize {
        self.transferred
    }

    /// So many bytes had been transferred before.
    pub(crate) fn after(self, transferred: usize) -> Self {
        Self { transferred, ..self }
    }

    /// What was being done and what to do, without the errno's own text.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.what
    }

    /// Puts what was being done before the text.
    pub(crate) fn during(self, doing: impl std::fmt::Display) -> Self {
        Self { what: format!("{doing}: {}", self.what).into(), ..self }
    }
}

impl From<Error> for io::Error {
    fn from(error: Error) -> Self {
        // The kind follows from the errno, the text stays ours.
        let kind = io::Error::from_raw_os_error(error.errno).kind();
        Self::new(kind, error)
    }
}

/// The errno's symbolic name, as strace prints it.
fn name(errno: i32) -> Cow<'static, str> {
    macro_rules! names {
        ($($name:ident)*) => {
            match errno { $(libc::$name => stringify!($name).into(),)* other => format!("errno {other}").into() }
        };
    }
    names! {
        EAGAIN EBUSY ETIMEDOUT EINTR EINVAL ENAMETOOLONG ENOENT EEXIST EACCES EPERM EISDIR ENOTDIR ELOOP ENODEV
        EMSGSIZE E2BIG ENOTSUP EPROTOTYPE EPROTO EUCLEAN ENOSPC EUSERS EOWNERDEAD EBADF EFAULT ENOMEM EMFILE ENFILE
        EIDRM ERANGE EOVERFLOW ENOSYS EROFS EIO ENXIO EFBIG EDQUOT ENOLCK EADDRINUSE EADDRNOTAVAIL EAFNOSUPPORT ECONNREFUSED
        ECONNRESET EDESTADDRREQ EHOSTUNREACH ENETUNREACH ENOTCONN ENOTSOCK EPIPE ETOOMANYREFS ENODATA ESRCH
        EISCONN ENOBUFS ENETDOWN EHOSTDOWN
    }
}

/// What a message needs, where that is known.
fn needed(length: u64) -> String {
    if length == 0 { String::new() } else { format!(", for {length} bytes") }
}
