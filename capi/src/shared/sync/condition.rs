//! `madang_condition_*`: conditions for C.

use std::ffi::{c_char, c_int};

use madang_core::Condition;

use super::mutex::madang_mutex;
use crate::deadline::limit;
use crate::error::call;
use crate::handle::{Handle, shell};
use crate::pointer::{self, Place};
use crate::shared::segment::madang_segment;
use crate::shared::sync::madang_sync_options;

/// How many bytes a condition takes in a segment, at an offset that is a multiple of 64.
pub const MADANG_CONDITION_SIZE: usize = 64;

const _: () = assert!(MADANG_CONDITION_SIZE == Condition::SIZE);

/// An open condition, as pthread_cond_t is one: one waits until another tells that something may
/// have changed. It goes with a mutex, which guards that something.
///
/// One waits in a loop, for now and then one is woken though nothing has changed:
///
///     madang_mutex_lock(mutex, 0, -1);
///     while (!*ready)
///         madang_condition_wait(condition, mutex, 0, -1);
///     ...
///     madang_mutex_unlock(mutex);
///
/// A process that is killed before it tells has told nobody. Where that may be, wait with a timeout.
pub struct madang_condition {
    handle: Handle<Condition>,
}

shell!(madang_condition, Condition, b"cond", "condition");

/// Opens the condition called name, or creates it.
///
/// name is 1 to 238 bytes of UTF-8 without '/'. It is the file madang.condition.<name> in /dev/shm,
/// or in the directory whose absolute path the environment variable MADANG_DIR has; in set-user-id
/// programs that is ignored. options may be NULL: all defaults. *condition is written only on
/// success; give it to madang_condition_close() in the end. Until then it keeps one descriptor.
///
/// Returns 0, or what madang_queue_open() returns. Doesn't wait. Any thread may call it at any
/// time. A process may open it several times: each handle takes part by itself.
#[unsafe(no_mangle)]
pub extern "C" fn madang_condition_open(
    name: *const c_char,
    options: *const madang_sync_options,
    condition: *mut *mut madang_condition,
) -> c_int {
    call("madang_condition_open", || {
        let place = Place::new(condition)?;
        let name = pointer::text(name)?;
        let condition = Condition::open_with(name, pointer::options(options)?.to_core()?)?;
        place.put(condition, name);
        Ok(0)
    })
}

/// The condition that lies in segment at offset, a multiple of 64: MADANG_CONDITION_SIZE bytes
/// there are its own, and nobody else writes there. All 0, as in a new segment, is its initial
/// state: nobody waits; there is nothing to initialise.
///
/// *condition is written only on success; give it to madang_condition_close() in the end. It keeps
/// the segment mapped, also when the segment's handle is closed. All that is made with one handle
/// of a segment shares one descriptor.
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
pub extern "C" fn madang_condition_within(
    segment: *mut madang_segment,
    offset: usize,
    condition: *mut *mut madang_condition,
) -> c_int {
    call("madang_condition_within", || {
        let place = Place::new(condition)?;
        let segment = pointer::opened(segment)?;
        let condition = Condition::within(segment, offset)?;
        let name = segment.name();
        place.put(condition, name);
        Ok(0)
    })
}

/// Gives the mutex back, waits until somebody tells, and takes the mutex again. mutex is a handle
/// that holds it. Nobody is missed who tells after it was given back.
///
/// flags: 0, MADANG_DEADLINE or MADANG_INSTANT. It waits to be told for timeout_ns nanoseconds at
/// most, and negative for ever; then, whatever came of that, for the mutex for as long as it takes.
///
/// Returns 0: somebody told, or may have; or 1: another owner of the mutex died while it had it, so
/// that what it guards may be half changed, as with madang_mutex_lock(). (Whether somebody told
/// isn't said then: look.) Or
///   -ETIMEDOUT   the time is over
///   -EAGAIN      timeout_ns is 0
///   -EINTR       a signal handler ran while it waited to be told
/// With all of these the mutex is held again. Or, with the mutex as it was before,
///   -EPERM       the handle mutex doesn't hold it
///   -EINVAL      an unknown flag
///   -EBADF       condition or mutex was closed
///   -EFAULT      condition or mutex is NULL
/// Or, with the mutex perhaps not held,
///   -EOWNERDEAD  the other participants found a handle dead and went on without it
///
/// Any thread may call it at any time, while others use the same handles.
#[unsafe(no_mangle)]
pub extern "C" fn madang_condition_wait(
    condition: *mut madang_condition,
    mutex: *mut madang_mutex,
    flags: u32,
    timeout_ns: i64,
) -> c_int {
    call("madang_condition_wait", || {
        let condition = pointer::opened(condition)?;
        let mutex = pointer::opened(mutex)?;
        Ok(condition.wait_unguarded(mutex, limit(flags, timeout_ns)?.deadline())?.into())
    })
}

/// Wakes one who waits, if somebody does. The mutex need not be held.
///
/// Returns 0, or
///   -EOWNERDEAD  the other participants found this handle dead and went on without it: close it,
///                and open it anew; or somebody else wrote over it
///   -EBADF       condition was closed
///   -EFAULT      condition is NULL
///
/// Doesn't wait. Any thread may call it at any time.
#[unsafe(no_mangle)]
pub extern "C" fn madang_condition_notify_one(condition: *mut madang_condition) -> c_int {
    call("madang_condition_notify_one", || {
        pointer::opened(condition)?.notify_one()?;
        Ok(0)
    })
}

/// Wakes all who wait. The mutex need not be held.
///
/// Returns what madang_condition_notify_one() returns. Doesn't wait. Any thread may call it at any
/// time.
#[unsafe(no_mangle)]
pub extern "C" fn madang_condition_notify_all(condition: *mut madang_condition) -> c_int {
    call("madang_condition_notify_all", || {
        pointer::opened(condition)?.notify_all()?;
        Ok(0)
    })
}

/// The name by which the condition was opened, or that of the segment that it lies in.
///
/// Returns a text that is valid until the handle is closed, or NULL if the handle was closed or is
/// NULL (madang_last_error() tells). Doesn't wait. Any thread may call it at any time.
#[unsafe(no_mangle)]
pub extern "C" fn madang_condition_name(condition: *const madang_condition) -> *const c_char {
    call("madang_condition_name", || pointer::name_of(condition))
}

/// Whether this handle's open created the condition. Of one in a segment nobody can say: it is 0.
///
/// Returns 1 or 0; -EBADF if the handle was closed, -EFAULT if it is NULL. So compare it with 1:
/// the errors are true, too. Doesn't wait. Any thread may call it at any time.
#[unsafe(no_mangle)]
pub extern "C" fn madang_condition_is_new(condition: *const madang_condition) -> c_int {
    call("madang_condition_is_new", || Ok(pointer::opened(condition)?.is_new().into()))
}

/// Closes the handle. The condition lives on.
///
/// No other thread may be inside a call with this handle. Using it afterwards is -EBADF, until
/// 1,024 more conditions were closed by the process; then it is undefined.
///
/// Returns 0; -EBADF if it was closed before, -EFAULT if it is NULL. Doesn't wait.
#[unsafe(no_mangle)]
pub extern "C" fn madang_condition_close(condition: *mut madang_condition) -> c_int {
    call("madang_condition_close", || pointer::close(condition).map(|()| 0))
}

/// Takes the name away. Who has the condition open goes on with it. The next open of the name
/// creates a new one. (One in a segment has no name.)
///
/// Returns what madang_queue_unlink() returns. Doesn't wait. Any thread may call it at any time.
#[unsafe(no_mangle)]
pub extern "C" fn madang_condition_unlink(name: *const c_char) -> c_int {
    call("madang_condition_unlink", || {
        Condition::unlink(pointer::text(name)?)?;
        Ok(0)
    })
}
