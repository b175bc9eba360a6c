//! `madang_queue_reserve`, `madang_reservation_*`: messages that are written in place, for C.

use std::ffi::{c_int, c_void};

use madang_core::Reservation;

use super::queue::madang_queue;
use crate::deadline::limit;
use crate::error::call;
use crate::handle::{Handle, shell};
use crate::pointer::{self, Kept, Place};

/// A place in a queue for one message, which is written where it will be received.
///
/// madang_reservation_commit() sends it, after all that were sent in the meantime.
/// madang_reservation_drop(), or the death of the process, gives the place back.
///
/// However long it is held, a reservation hinders nobody. It may outlive the queue's handle. A child
/// of fork(2) has only a copy: to commit it is -EOWNERDEAD, and dropping it leaves the parent's
/// alone.
pub struct madang_reservation {
    handle: Handle<Reservation<Kept<madang_queue>>>,
}

shell!(madang_reservation, Reservation<Kept<madang_queue>>, b"rsrv", "reservation");

/// Reserves a place for a message of length bytes, 0 to the queue's capacity.
///
/// flags: 0, MADANG_DEADLINE or MADANG_INSTANT. While there is no room for it in the queue it waits,
/// for timeout_ns nanoseconds at most; 0 doesn't wait, negative waits for ever. *reservation is
/// written only on success; give it to madang_reservation_commit() or madang_reservation_drop() in
/// the end.
///
/// The place doesn't count as held by the queue before it is sent: others may send until the queue
/// is full, and then madang_reservation_commit() has to wait.
///
/// Returns 0, or
///   -EAGAIN      the queue is full, and timeout_ns is 0
///   -EBUSY       timeout_ns is 0, and another participant, who is inside, doesn't get on for a
///                second; with MADANG_INSTANT, for some microseconds
///   -ETIMEDOUT   the time is over
///   -EINTR       a signal handler ran while it waited
///   -EINVAL      an unknown flag
///   -EMSGSIZE    length is more than the queue's capacity
///   -EFAULT      queue or reservation is NULL
///   -ENOSPC, -ENOENT, -EOWNERDEAD, -EUCLEAN, -EBADF
///                as with madang_queue_send()
/// Whatever the error, nothing was reserved.
///
/// Any thread may call it at any time, while others send and receive with the same handle.
#[unsafe(no_mangle)]
pub extern "C" fn madang_queue_reserve(
    queue: *mut madang_queue,
    length: usize,
    flags: u32,
    timeout_ns: i64,
    reservation: *mut *mut madang_reservation,
) -> c_int {
    call("madang_queue_reserve", || {
        let place = Place::new(reservation)?;
        let queue = Kept::new(queue)?;
        let limit = limit(flags, timeout_ns)?;
        let reservation = limit.run(|deadline| Reservation::new(queue.clone(), length, deadline))?;
        place.put_nameless(reservation);
        Ok(0)
    })
}

/// Where the message's first byte is to lie: madang_reservation_length() bytes, aligned to 64, until
/// the reservation ends. What is there at first may be anything. In a child of fork(2) it is not to
/// be written.
///
/// Returns an address, also for a place without bytes; NULL if the reservation has ended or is NULL
/// (madang_last_error() tells). Doesn't wait. Any thread may call it at any time.
#[unsafe(no_mangle)]
pub extern "C" fn madang_reservation_data(reservation: *mut madang_reservation) -> *mut c_void {
    call("madang_reservation_data", || Ok(pointer::opened(reservation)?.data().as_ptr().cast()))
}

/// For how many bytes the place was reserved.
///
/// Returns 0 or more; 0 if the reservation has ended or is NULL (madang_last_error() tells). Doesn't
/// wait. Any thread may call it at any time.
#[unsafe(no_mangle)]
pub extern "C" fn madang_reservation_length(reservation: *const madang_reservation) -> usize {
    call("madang_reservation_length", || Ok(pointer::opened(reservation)?.len()))
}

/// Sends what was written, as a message of a type greater than 0: the first length bytes of it, at
/// most as many as were reserved.
///
/// flags: 0, MADANG_DEADLINE or MADANG_INSTANT. While the queue is full it waits, for timeout_ns
/// nanoseconds at most; 0 doesn't wait, negative waits for ever.
///
/// Returns 0: the message is sent, and the reservation has ended. Using it afterwards is -EBADF,
/// until 1,024 more reservations of the process have ended; then it is undefined. Or
///   -EAGAIN      the queue is full, and timeout_ns is 0
///   -EBUSY       timeout_ns is 0, and another sender, who is inside, doesn't get on for a second;
///                with MADANG_INSTANT, for some microseconds. Or another handle has that
///                end of the queue to itself
///   -ETIMEDOUT   the time is over
///   -EINTR       a signal handler ran while it waited
///   -EINVAL      type is not greater than 0, length is more than was reserved, or an unknown flag
///   -EOWNERDEAD  the reservation is another process's, whose child this is; or the other
///                participants found the handle dead and went on without it. Drop it.
///   -ENOSPC, -ENOENT, -EUCLEAN
///                as with madang_queue_send()
///   -EBADF       the reservation has ended before
///   -EFAULT      reservation is NULL
/// Whatever the error, nothing was sent, and the reservation stays as it is, with what was written:
/// to be committed once more, or dropped.
///
/// No other thread may be inside a call with this reservation, or write what
/// madang_reservation_data() gave. Any thread may call it, also another than the one that reserved.
#[unsafe(no_mangle)]
pub extern "C" fn madang_reservation_commit(
    reservation: *mut madang_reservation,
    r#type: i64,
    length: usize,
    flags: u32,
    timeout_ns: i64,
) -> c_int {
    call("madang_reservation_commit", || {
        pointer::close_if(reservation, |reservation| {
            let limit = limit(flags, timeout_ns)?;
            Ok(limit.run(|deadline| reservation.try_commit(r#type, length, deadline))?)
        })?;
        Ok(0)
    })
}

/// Gives the place back: nothing is sent, and the reservation ends.
///
/// No other thread may be inside a call with this reservation, or use what madang_reservation_data()
/// gave. Using it afterwards is as after madang_reservation_commit().
///
/// Returns 0; -EBADF if it has ended before, -EFAULT if it is NULL. Doesn't wait for messages or
/// room. Any thread may call it.
#[unsafe(no_mangle)]
pub extern "C" fn madang_reservation_drop(reservation: *mut madang_reservation) -> c_int {
    call("madang_reservation_drop", || pointer::close(reservation).map(|()| 0))
}
