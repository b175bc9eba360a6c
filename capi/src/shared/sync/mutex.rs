//! `madang_mutex_*`: mutexes for C.

use std::ffi::{c_char, c_int};

use madang_core::{Mutex, UnguardedMutex};

use crate::deadline::limit;
use crate::error::call;
use crate::handle::{Handle, shell};
use crate::pointer::{self, Place};
use crate::shared::segment::madang_segment;
use crate::shared::sync::madang_sync_options;

/// How many bytes a mutex takes in a segment, at an offset that is a multiple of 64.
pub const MADANG_MUTEX_SIZE: usize = 64;

const _: () = assert!(MADANG_MUTEX_SIZE == Mutex::SIZE);

/// An open mutex.
///
/// One has it at a time, of all threads of all processes in all languages. If its owner's process
/// ends in any way while it has it, the next who takes it is told, sees what it left, and can go
/// on. Taking a free one costs some nanoseconds and no system call. It is not recursive: who locks
/// it twice waits for itself. Who waits is not served in any order.
///
/// The handle remembers whether it holds the mutex. So threads may share a handle, and any of them
/// may unlock what another one has locked; threads keep each other out by one handle as well as by
/// two. In a child of fork(2) the mutex is not the child's, though its parent holds it.
pub struct madang_mutex {
    handle: Handle<UnguardedMutex>,
}

shell!(madang_mutex, UnguardedMutex, b"mutx", "mutex");

/// Opens the mutex called name, or creates it; a new one is free.
///
/// name is 1 to 242 bytes of UTF-8 without '/'. It is the file madang.mutex.<name> in /dev/shm, or
/// in the directory whose absolute path the environment variable MADANG_DIR has; in set-user-id
/// programs that is ignored. options may be NULL: all defaults. *mutex is written only on success;
/// give it to madang_mutex_close() in the end. Until then it keeps one descriptor.
///
/// Returns 0, or what madang_queue_open() returns. Doesn't wait. Any thread may call it at any
/// time. A process may open it several times: each handle takes part by itself.
#[unsafe(no_mangle)]
pub extern "C" fn madang_mutex_open(
    name: *const c_char,
    options: *const madang_sync_options,
    mutex: *mut *mut madang_mutex,
) -> c_int {
    call("madang_mutex_open", || {
        let place = Place::new(mutex)?;
        let name = pointer::text(name)?;
        let mutex = Mutex::open_with(name, pointer::options(options)?.to_core()?)?;
        place.put(mutex.into(), name);
        Ok(0)
    })
}

/// The mutex that lies in segment at offset, a multiple of 64: MADANG_MUTEX_SIZE bytes there are
/// its own, and nobody else writes there. All 0, as in a new segment, is its initial state: free;
/// there is nothing to initialise.
///
/// *mutex is written only on success; give it to madang_mutex_close() in the end. It keeps the
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
pub extern "C" fn madang_mutex_within(
    segment: *mut madang_segment,
    offset: usize,
    mutex: *mut *mut madang_mutex,
) -> c_int {
    call("madang_mutex_within", || {
        let place = Place::new(mutex)?;
        let segment = pointer::opened(segment)?;
        let mutex = Mutex::within(segment, offset)?;
        let name = segment.name();
        place.put(mutex.into(), name);
        Ok(0)
    })
}

/// Takes the mutex; waits until it can.
///
/// flags: 0, MADANG_DEADLINE or MADANG_INSTANT. It waits for timeout_ns nanoseconds at most; 0
/// doesn't wait, negative waits for ever.
///
/// Returns 0; or 1, if the last owner died while it had the mutex: it is the caller's now, and what
/// it guards may be half changed. That is told once: the next who takes it gets 0. So compare with
/// < 0 for errors. Or
///   -EAGAIN      somebody has it, and timeout_ns is 0
///   -ETIMEDOUT   the time is over
///   -EINTR       a signal handler ran while it waited
///   -EINVAL      an unknown flag
///   -EOWNERDEAD  the other participants found this handle dead and went on without it: close it,
///                and open it anew; or somebody else wrote over it
///   -EUCLEAN     it is damaged
///   -EBADF       mutex was closed
///   -EFAULT      mutex is NULL
/// Then it isn't held.
///
/// Any thread may call it at any time, while others use the same handle.
#[unsafe(no_mangle)]
pub extern "C" fn madang_mutex_lock(mutex: *mut madang_mutex, flags: u32, timeout_ns: i64) -> c_int {
    call("madang_mutex_lock", || {
        let mutex = pointer::opened(mutex)?;
        Ok(limit(flags, timeout_ns)?.run(|deadline| mutex.take_until(deadline))?.into())
    })
}

/// Gives the mutex back, and wakes one who waits for it.
///
/// Returns 0, or
///   -EPERM       this handle doesn't hold it
///   -EOWNERDEAD  in a child of fork(2): its parent holds it; or somebody else wrote over it
///   -EBADF       mutex was closed
///   -EFAULT      mutex is NULL
///
/// Doesn't wait. Any thread may call it at any time; it need not be the one that locked it.
#[unsafe(no_mangle)]
pub extern "C" fn madang_mutex_unlock(mutex: *mut madang_mutex) -> c_int {
    call("madang_mutex_unlock", || {
        pointer::opened(mutex)?.unlock()?;
        Ok(0)
    })
}

/// The name by which the mutex was opened, or that of the segment that it lies in.
///
/// Returns a text that is valid until the handle is closed, or NULL if the handle was closed or is
/// NULL (madang_last_error() tells). Doesn't wait. Any thread may call it at any time.
#[unsafe(no_mangle)]
pub extern "C" fn madang_mutex_name(mutex: *const madang_mutex) -> *const c_char {
    call("madang_mutex_name", || pointer::name_of(mutex))
}

/// Whether this handle's open created the mutex. Of one in a segment nobody can say: it is 0.
///
/// Returns 1 or 0; -EBADF if the handle was closed, -EFAULT if it is NULL. So compare it with 1:
/// the errors are true, too. Doesn't wait. Any thread may call it at any time.
#[unsafe(no_mangle)]
pub extern "C" fn madang_mutex_is_new(mutex: *const madang_mutex) -> c_int {
    call("madang_mutex_is_new", || Ok(pointer::opened(mutex)?.is_new().into()))
}

/// Closes the handle. The mutex lives on. If this handle holds it, it is left as a death would
/// leave it: the next who takes it is told.
///
/// No other thread may be inside a call with this handle. Using it afterwards is -EBADF, until
/// 1,024 more mutexes were closed by the process; then it is undefined.
///
/// Returns 0; -EBADF if it was closed before, -EFAULT if it is NULL. Doesn't wait.
#[unsafe(no_mangle)]
pub extern "C" fn madang_mutex_close(mutex: *mut madang_mutex) -> c_int {
    call("madang_mutex_close", || pointer::close(mutex).map(|()| 0))
}

/// Takes the name away. Who has the mutex open goes on with it. The next open of the name creates a
/// new one. (One in a segment has no name.)
///
/// Returns what madang_queue_unlink() returns. Doesn't wait. Any thread may call it at any time.
#[unsafe(no_mangle)]
pub extern "C" fn madang_mutex_unlink(name: *const c_char) -> c_int {
    call("madang_mutex_unlink", || {
        Mutex::unlink(pointer::text(name)?)?;
        Ok(0)
    })
}
