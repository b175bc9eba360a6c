//! `madang_barrier_*`: barriers for C.

use std::ffi::{c_char, c_int};

use madang_core::Barrier;

use crate::deadline::limit;
use crate::error::call;
use crate::handle::{Handle, shell};
use crate::pointer::{self, Place};
use crate::shared::segment::madang_segment;
use crate::shared::sync::madang_sync_options;

/// How many bytes a barrier takes in a segment, at an offset that is a multiple of 64.
pub const MADANG_BARRIER_SIZE: usize = 1024;

const _: () = assert!(MADANG_BARRIER_SIZE == Barrier::SIZE);

/// An open barrier: several wait until all of them are there, again and again.
///
/// Who gives up, or whose process ends, while it waits is not there any more: the others go on
/// waiting for as many as it takes. Threads may share a handle; each counts.
pub struct madang_barrier {
    handle: Handle<Barrier>,
}

shell!(madang_barrier, Barrier, b"barr", "barrier");

/// Opens the barrier called name, or creates it; then madang_barrier_set_parties() says how many
/// wait for each other.
///
/// name is 1 to 240 bytes of UTF-8 without '/'. It is the file madang.barrier.<name> in /dev/shm,
/// or in the directory whose absolute path the environment variable MADANG_DIR has; in set-user-id
/// programs that is ignored. options may be NULL: all defaults. *barrier is written only on
/// success; give it to madang_barrier_close() in the end. Until then it keeps one descriptor.
///
/// Returns 0, or what madang_queue_open() returns. Doesn't wait. Any thread may call it at any
/// time. A process may open it several times: each handle takes part by itself.
#[unsafe(no_mangle)]
pub extern "C" fn madang_barrier_open(
    name: *const c_char,
    options: *const madang_sync_options,
    barrier: *mut *mut madang_barrier,
) -> c_int {
    call("madang_barrier_open", || {
        let place = Place::new(barrier)?;
        let name = pointer::text(name)?;
        let barrier = Barrier::open_with(name, pointer::options(options)?.to_core()?)?;
        place.put(barrier, name);
        Ok(0)
    })
}

/// The barrier that lies in segment at offset, a multiple of 64: MADANG_BARRIER_SIZE bytes there
/// are its own, and nobody else writes there. All 0, as in a new segment, is its initial state:
/// nobody has said yet how many wait for each other; there is nothing to initialise.
///
/// *barrier is written only on success; give it to madang_barrier_close() in the end. It keeps the
/// segment mapped, also when the segment's handle is closed. All that is made with one handle of a
/// segment shares one descriptor.
///
/// Returns 0, or
///   -EINVAL   it would not lie within the segment, offset is no multiple of 64, or the segment was
///             opened with MADANG_READ_ONLY
///   -ENOENT   the segment was unlinked before the first of its locks was made with this handle
///   -EACCES   this process may not open the segment's file any more
///   -EBADF    segment was closed
///   -EFAULT   a pointer is NULL
///   -ENOMEM, -EMFILE, -ENFILE
///             as with open(2) and mmap(2)
///
/// Doesn't wait. Any thread may call it at any time.
#[unsafe(no_mangle)]
pub extern "C" fn madang_barrier_within(
    segment: *mut madang_segment,
    offset: usize,
    barrier: *mut *mut madang_barrier,
) -> c_int {
    call("madang_barrier_within", || {
        let place = Place::new(barrier)?;
        let segment = pointer::opened(segment)?;
        let barrier = Barrier::within(segment, offset)?;
        let name = segment.name();
        place.put(barrier, name);
        Ok(0)
    })
}

/// Says how many wait for each other, 1 to 120. The first who says so decides, for all and for
/// good; so each says it, after it has opened the barrier.
///
/// Returns 0; -EINVAL if parties is out of range, or somebody said another number before; -EBADF if
/// barrier was closed, -EFAULT if it is NULL. Doesn't wait. Any thread may call it at any time.
#[unsafe(no_mangle)]
pub extern "C" fn madang_barrier_set_parties(barrier: *mut madang_barrier, parties: u32) -> c_int {
    call("madang_barrier_set_parties", || {
        pointer::opened(barrier)?.set_parties(parties)?;
        Ok(0)
    })
}

/// How many wait for each other.
///
/// Returns 1 to 120, or 0 if nobody has said it yet; -EBADF if barrier was closed, -EFAULT if it is
/// NULL. Doesn't wait. Any thread may call it at any time.
#[unsafe(no_mangle)]
pub extern "C" fn madang_barrier_parties(barrier: *const madang_barrier) -> i64 {
    call("madang_barrier_parties", || Ok(pointer::opened(barrier)?.parties().into()))
}

/// How many living wait now.
///
/// Returns 0 to 119; else as madang_barrier_wait(). Doesn't wait. Any thread may call it at any
/// time.
#[unsafe(no_mangle)]
pub extern "C" fn madang_barrier_waiting(barrier: *mut madang_barrier) -> i64 {
    call("madang_barrier_waiting", || Ok(pointer::opened(barrier)?.waiting()?.into()))
}

/// Waits until all are there.
///
/// flags: 0, MADANG_DEADLINE or MADANG_INSTANT. It waits for timeout_ns nanoseconds at most; 0
/// doesn't wait, negative waits for ever.
///
/// Returns as which of them the caller came: 0 is the first, parties - 1 the last, who has
/// something to do for all, if somebody has to. Or
///   -EINVAL      nobody has said how many wait for each other; or an unknown flag
///   -EAGAIN      not all are there, and timeout_ns is 0
///   -ETIMEDOUT   the time is over
///   -EINTR       a signal handler ran while it waited
///   -EOWNERDEAD  the other participants found this handle dead and went on without it: close it,
///                and open it anew; or somebody else wrote over it
///   -EUCLEAN     it is damaged
///   -EBADF       barrier was closed
///   -EFAULT      barrier is NULL
/// Then the caller isn't there: to wait again is to come again.
///
/// Any thread may call it at any time, while others use the same handle.
#[unsafe(no_mangle)]
pub extern "C" fn madang_barrier_wait(barrier: *mut madang_barrier, flags: u32, timeout_ns: i64) -> i64 {
    call("madang_barrier_wait", || {
        let barrier = pointer::opened(barrier)?;
        Ok(barrier.wait_until(limit(flags, timeout_ns)?.deadline())?.into())
    })
}

/// The name by which the barrier was opened, or that of the segment that it lies in.
///
/// Returns a text that is valid until the handle is closed, or NULL if the handle was closed or is
/// NULL (madang_last_error() tells). Doesn't wait. Any thread may call it at any time.
#[unsafe(no_mangle)]
pub extern "C" fn madang_barrier_name(barrier: *const madang_barrier) -> *const c_char {
    call("madang_barrier_name", || pointer::name_of(barrier))
}

/// Whether this handle's open created the barrier. Of one in a segment nobody can say: it is 0.
///
/// Returns 1 or 0; -EBADF if the handle was closed, -EFAULT if it is NULL. So compare it with 1:
/// the errors are true, too. Doesn't wait. Any thread may call it at any time.
#[unsafe(no_mangle)]
pub extern "C" fn madang_barrier_is_new(barrier: *const madang_barrier) -> c_int {
    call("madang_barrier_is_new", || Ok(pointer::opened(barrier)?.is_new().into()))
}

/// Closes the handle. The barrier lives on.
///
/// No other thread may be inside a call with this handle. Using it afterwards is -EBADF, until
/// 1,024 more barriers were closed by the process; then it is undefined.
///
/// Returns 0; -EBADF if it was closed before, -EFAULT if it is NULL. Doesn't wait.
#[unsafe(no_mangle)]
pub extern "C" fn madang_barrier_close(barrier: *mut madang_barrier) -> c_int {
    call("madang_barrier_close", || pointer::close(barrier).map(|()| 0))
}

/// Takes the name away. Who has the barrier open goes on with it. The next open of the name creates
/// a new one. (One in a segment has no name.)
///
/// Returns what madang_queue_unlink() returns. Doesn't wait. Any thread may call it at any time.
#[unsafe(no_mangle)]
pub extern "C" fn madang_barrier_unlink(name: *const c_char) -> c_int {
    call("madang_barrier_unlink", || {
        Barrier::unlink(pointer::text(name)?)?;
        Ok(0)
    })
}
