//! `madang_queue_lease`, `madang_lease_*`: messages that come back unless they are acknowledged, for C.

use std::ffi::{c_int, c_void};

use madang_core::Lease;

use super::queue::{MADANG_EXCEPT, madang_message, madang_queue, selected};
use crate::deadline::limit;
use crate::error::call;
use crate::handle::{Handle, shell};
use crate::pointer::{self, Kept, Out, Place};

/// A message that was handed out, but is still the queue's.
///
/// madang_lease_ack() says that it is done with: then it leaves the queue. madang_lease_release(),
/// or the death of the process, lets it be received again, in its old place among the others, marked
/// MADANG_REDELIVERED. So what is done before the acknowledgement is done at least once.
///
/// However long it is held, a lease hinders nobody, but the message counts as held by the queue. It
/// may outlive the queue's handle. A child of fork(2) has only a copy: ending that gives
/// -EOWNERDEAD, frees its memory, and leaves the parent's lease alone.
pub struct madang_lease {
    handle: Handle<Lease<Kept<madang_queue>>>,
}

shell!(madang_lease, Lease<Kept<madang_queue>>, b"leas", "lease");

/// Leases a message: it is read where it lies, without a copy, and comes back if this process dies.
///
/// select and flags are as with madang_queue_recv(), but for MADANG_TRUNCATE and MADANG_PEEK, which
/// make no sense here. While there is no such message it waits, for timeout_ns nanoseconds at most;
/// 0 doesn't wait, negative waits for ever. If message is not NULL, what there is to say of the
/// message is written into *message; set message->struct_size before, once.
///
/// *lease is written only on success; give it to madang_lease_ack() or madang_lease_release() in the
/// end. Who ends without either leaves the message to others, when the process is gone.
///
/// Returns the message's length, 0 or more, or
///   -EAGAIN      there is no such message, and timeout_ns is 0
///   -EBUSY       timeout_ns is 0, and another receiver, who is inside, doesn't get on for a second;
///                with MADANG_INSTANT, for some microseconds. Or another handle has that
///                end of the queue to itself
///   -ETIMEDOUT   the time is over
///   -EINTR       a signal handler ran while it waited
///   -EINVAL      an unknown flag; select is not greater than 0 with MADANG_EXCEPT; or
///                message->struct_size is not set
///   -ENOSPC      there is no memory in /dev/shm (or MADANG_DIR) to keep the message, or those
///                before it, outside the ring: receive some, or end leases
///   -ENOENT      to take that memory it needs the queue's file: as with madang_queue_send()
///   -EOWNERDEAD  the other participants found this handle dead and went on without it: close it,
///                and open it anew
///   -EUCLEAN     the queue is damaged
///   -EBADF       queue was closed
///   -EFAULT      queue or lease is NULL
/// Whatever the error, nothing was leased, and *message was not written; but for -EOWNERDEAD, after
/// which a message may come back.
///
/// Any thread may call it at any time, while others send and receive with the same handle. Each
/// message is leased to one at a time.
#[unsafe(no_mangle)]
pub extern "C" fn madang_queue_lease(
    queue: *mut madang_queue,
    select: i64,
    flags: u32,
    message: *mut madang_message,
    timeout_ns: i64,
    lease: *mut *mut madang_lease,
) -> i64 {
    call("madang_queue_lease", || {
        let place = Place::new(lease)?;
        let queue = Kept::new(queue)?;
        let message = Out::optional(message)?;
        let select = selected(select, flags)?;
        let limit = limit(flags & !MADANG_EXCEPT, timeout_ns)?;
        let lease = limit.run(|deadline| Lease::new(queue.clone(), select, deadline))?;
        let length = lease.len();
        if let Some(message) = message {
            message.fill(&madang_message::new(lease.mtype(), length, lease.sequence(), lease.redelivered()));
        }
        place.put_nameless(lease);
        Ok(length as i64)
    })
}

/// Where the message's first byte lies: madang_lease_length() bytes, aligned to 64, until the lease
/// ends. They are shared memory: read them, but don't write there. In a child of fork(2) they may
/// become another message's at any time.
///
/// Returns an address, also for a message without bytes; NULL if the lease has ended or is NULL
/// (madang_last_error() tells). Doesn't wait. Any thread may call it at any time.
#[unsafe(no_mangle)]
pub extern "C" fn madang_lease_data(lease: *const madang_lease) -> *const c_void {
    call("madang_lease_data", || Ok(pointer::opened(lease)?.data().as_ptr().cast::<c_void>().cast_const()))
}

/// How many bytes the message has.
///
/// Returns 0 or more; 0 if the lease has ended or is NULL (madang_last_error() tells). Doesn't wait.
/// Any thread may call it at any time.
#[unsafe(no_mangle)]
pub extern "C" fn madang_lease_length(lease: *const madang_lease) -> usize {
    call("madang_lease_length", || Ok(pointer::opened(lease)?.len()))
}

/// Acknowledges: the message is done with, and leaves the queue. Ends the lease, whatever it
/// returns.
///
/// No other thread may be inside a call with this lease, or read what madang_lease_data() gave.
/// Using it afterwards is -EBADF, until 1,024 more leases of the process have ended; then it is
/// undefined.
///
/// Returns 0, or
///   -EOWNERDEAD  the lease is another process's, whose child this is; or the other participants
///                found the handle dead and went on without it. The message will be, or was,
///                received by others.
///   -EUCLEAN     the queue is damaged
///   -EBADF       the lease has ended before
///   -EFAULT      lease is NULL
///
/// Doesn't wait for messages or room. Any thread may call it, also another than the one that leased.
#[unsafe(no_mangle)]
pub extern "C" fn madang_lease_ack(lease: *mut madang_lease) -> c_int {
    call("madang_lease_ack", || {
        pointer::take(lease)?.ack()?;
        Ok(0)
    })
}

/// Gives the message back: it is received again, in its old place among the others, marked
/// MADANG_REDELIVERED. Ends the lease, whatever it returns.
///
/// Everything else is as with madang_lease_ack(), but that it waits for another receiver who is
/// inside the queue, for as long as he takes (he may be stopped).
#[unsafe(no_mangle)]
pub extern "C" fn madang_lease_release(lease: *mut madang_lease) -> c_int {
    call("madang_lease_release", || {
        pointer::take(lease)?.release()?;
        Ok(0)
    })
}
