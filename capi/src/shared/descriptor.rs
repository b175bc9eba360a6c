//! A queue's descriptors to wait on, for C.

use std::ffi::c_int;
use std::os::fd::AsRawFd;

use super::queue::madang_queue;
use crate::error::{Failure, call};
use crate::pointer;

/// which, for madang_queue_fd(): readable when there may be something to receive.
pub const MADANG_FD_RECV: c_int = 0;

/// which, for madang_queue_fd(): readable when there may be room for the message that the last send
/// with this handle found no room for.
pub const MADANG_FD_SEND: c_int = 1;

/// A descriptor to wait on in poll(2), select(2), epoll(7) and what is built on them, for one of
/// MADANG_FD_RECV and MADANG_FD_SEND.
///
/// Always ask whether it is readable (POLLIN), also of MADANG_FD_SEND. Readable means "try", no
/// more: another may have been faster, and now and then it is readable for nothing. It stays so
/// until a call with this handle finds nothing, -EAGAIN or -ETIMEDOUT; from then on a message, or
/// room, makes it readable again. So call with timeout_ns 0 until there is nothing, or poll before
/// each call: both are right, also with edge-triggered epoll. There is nothing to arm.
///
/// It is the handle's: the same at each call, and closed by madang_queue_close(); take it out of an
/// epoll before. Don't read it, and don't close it. A child of fork(2) that waits by it calls this
/// first; the number stays the same unless the child closed it. Threads that wait for different
/// types of messages open a handle each. What waits by it wakes up to four times a second for
/// nothing, since a sender may be killed before it can tell.
///
/// Each of the two takes three descriptors, and one inotify instance (inotify(7)), of which a user
/// has 128 unless the sysctl fs.inotify.max_user_instances says otherwise.
///
/// Returns 0 or more, the descriptor; or
///   -EMFILE      the user's inotify instances, or the process's descriptors, are used up
///   -ENOSPC      the user's inotify watches are used up: fs.inotify.max_user_watches
///   -EINVAL      which is neither
///   -ENFILE, -ENOMEM
///                as with open(2)
///   -EOWNERDEAD, -ENOENT
///                as with madang_queue_send()
///   -EBADF       queue was closed
///   -EFAULT      queue is NULL
///
/// Doesn't wait. Any thread may call it at any time.
#[unsafe(no_mangle)]
pub extern "C" fn madang_queue_fd(queue: *mut madang_queue, which: c_int) -> c_int {
    call("madang_queue_fd", || {
        let queue = pointer::opened(queue)?;
        let fd = match which {
            MADANG_FD_RECV => queue.recv_fd()?,
            MADANG_FD_SEND => queue.send_fd()?,
            _ => {
                let what = format!("which {which}: it is MADANG_FD_RECV or MADANG_FD_SEND");
                return Err(Failure::misuse(libc::EINVAL, what));
            }
        };
        Ok(fd.as_raw_fd())
    })
}
