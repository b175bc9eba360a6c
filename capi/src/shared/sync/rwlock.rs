//! `madang_rwlock_*`: read-write locks for C.

use std::ffi::{c_char, c_int};

use madang_core::{RwLock, UnguardedRwLock};

use crate::deadline::limit;
use crate::error::call;
use crate::handle::{Handle, shell};
use crate::pointer::{self, Place};
use crate::shared::segment::madang_segment;
use crate::shared::sync::madang_sync_options;

/// How many bytes a read-write lock takes in a segment, at an offset that is a multiple of 64.
pub const MADANG_RWLOCK_SIZE: usize = 512;

const _: () = assert!(MADANG_RWLOCK_SIZE == RwLock::SIZE);

/// An open read-write lock.
///
/// One who writes has it alone, or up to 120 who read have it together. Who waits to write comes
/// before those who come to read after it. A killed reader's hold goes with it. If a writer's
/// process ends while it has the lock, or waits for it, whoever takes the lock is told, until
/// somebody has had it to write. It is not recursive.
///
/// The handle remembers what it holds: to write, or how many times to read. So threads may share
/// it, and any of them may unlock what another one has locked. In a child of fork(2) what its
/// parent holds is not the child's.
pub struct madang_rwlock {
    handle: Handle<UnguardedRwLock>,
}

shell!(madang_rwlock, UnguardedRwLock, b"rwlk", "lock");

/// Opens the read-write lock called name, or creates it; a new one is free.
///
/// name is 1 to 241 bytes of UTF-8 without '/'. It is the file madang.rwlock.<name> in /dev/shm, or
/// in the directory whose absolute path the environment variable MADANG_DIR has; in set-user-id
/// programs that is ignored. options may be NULL: all defaults. *lock is written only on success;
/// give it to madang_rwlock_close() in the end. Until then it keeps one descriptor.
///
/// Returns 0, or what madang_queue_open() returns. Doesn't wait. Any thread may call it at any
/// time. A process may open it several times: each handle takes part by itself.
#[unsafe(no_mangle)]
pub extern "C" fn madang_rwlock_open(
    name: *const c_char,
    options: *const madang_sync_options,
    lock: *mut *mut madang_rwlock,
) -> c_int {
    call("madang_rwlock_open", || {
        let place = Place::new(lock)?;
        let name = pointer::text(name)?;
        let lock = RwLock::open_with(name, pointer::options(options)?.to_core()?)?;
        place.put(lock.into(), name);
        Ok(0)
    })
}

/// The read-write lock that lies in segment at offset, a multiple of 64: MADANG_RWLOCK_SIZE bytes
/// there are its own, and nobody else writes there. All 0, as in a new segment, is its initial
/// state: free; there is nothing to initialise.
///
/// *lock is written only on success; give it to madang_rwlock_close() in the end. It keeps the
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
pub extern "C" fn madang_rwlock_within(
    segment: *mut madang_segment,
    offset: usize,
    lock: *mut *mut madang_rwlock,
) -> c_int {
    call("madang_rwlock_within", || {
        let place = Place::new(lock)?;
        let segment = pointer::opened(segment)?;
        let lock = RwLock::within(segment, offset)?;
        let name = segment.name();
        place.put(lock.into(), name);
        Ok(0)
    })
}

/// Takes the lock to read; waits while somebody writes, or waits to write.
///
/// flags: 0, MADANG_DEADLINE or MADANG_INSTANT. It waits for timeout_ns nanoseconds at most; 0
/// doesn't wait, negative waits for ever.
///
/// Returns 0; or 1, if a writer died while it had the lock or waited for it, and nobody has had it
/// to write since: it is the caller's, and what it guards may be half changed. Or
///   -EAGAIN      somebody writes, or waits to, and timeout_ns is 0
///   -EUSERS      120 read already
///   -ETIMEDOUT   the time is over
///   -EINTR       a signal handler ran while it waited
///   -EINVAL      an unknown flag
///   -EOWNERDEAD  the other participants found this handle dead and went on without it: close it,
///                and open it anew; or somebody else wrote over it
///   -EUCLEAN     it is damaged
///   -EBADF       lock was closed
///   -EFAULT      lock is NULL
/// Then it isn't held.
///
/// Any thread may call it at any time, while others use the same handle.
#[unsafe(no_mangle)]
pub extern "C" fn madang_rwlock_lock_read(lock: *mut madang_rwlock, flags: u32, timeout_ns: i64) -> c_int {
    call("madang_rwlock_lock_read", || {
        let lock = pointer::opened(lock)?;
        Ok(limit(flags, timeout_ns)?.run(|deadline| lock.take_until(false, deadline))?.into())
    })
}

/// Takes the lock to write; waits until nobody else reads or writes.
///
/// flags: 0, MADANG_DEADLINE or MADANG_INSTANT. It waits for timeout_ns nanoseconds at most; 0
/// doesn't wait, negative waits for ever. While it waits, nobody else comes in to read.
///
/// Returns what madang_rwlock_lock_read() returns, but -EUSERS. After 1, to unlock it says that
/// what it guards is in order again.
///
/// Any thread may call it at any time, while others use the same handle.
#[unsafe(no_mangle)]
pub extern "C" fn madang_rwlock_lock_write(lock: *mut madang_rwlock, flags: u32, timeout_ns: i64) -> c_int {
    call("madang_rwlock_lock_write", || {
        let lock = pointer::opened(lock)?;
        // Not tried apart first: who waits to write keeps readers out from the beginning.
        Ok(lock.take_until(true, limit(flags, timeout_ns)?.deadline())?.into())
    })
}

/// Gives the lock back: what this handle has to write, or one of those that it has to read.
///
/// Returns 0, or
///   -EPERM       this handle doesn't hold it
///   -EOWNERDEAD  in a child of fork(2): its parent holds it; or somebody else wrote over it
///   -EBADF       lock was closed
///   -EFAULT      lock is NULL
///
/// Doesn't wait. Any thread may call it at any time; it need not be the one that locked it.
#[unsafe(no_mangle)]
pub extern "C" fn madang_rwlock_unlock(lock: *mut madang_rwlock) -> c_int {
    call("madang_rwlock_unlock", || {
        pointer::opened(lock)?.unlock()?;
        Ok(0)
    })
}

/// The name by which the read-write lock was opened, or that of the segment that it lies in.
///
/// Returns a text that is valid until the handle is closed, or NULL if the handle was closed or is
/// NULL (madang_last_error() tells). Doesn't wait. Any thread may call it at any time.
#[unsafe(no_mangle)]
pub extern "C" fn madang_rwlock_name(lock: *const madang_rwlock) -> *const c_char {
    call("madang_rwlock_name", || pointer::name_of(lock))
}

/// Whether this handle's open created the read-write lock. Of one in a segment nobody can say: it
/// is 0.
///
/// Returns 1 or 0; -EBADF if the handle was closed, -EFAULT if it is NULL. So compare it with 1:
/// the errors are true, too. Doesn't wait. Any thread may call it at any time.
#[unsafe(no_mangle)]
pub extern "C" fn madang_rwlock_is_new(lock: *const madang_rwlock) -> c_int {
    call("madang_rwlock_is_new", || Ok(pointer::opened(lock)?.is_new().into()))
}

/// Closes the handle. The read-write lock lives on. What this handle holds is left as a death would
/// leave it: if it is held to write, the next who takes it is told.
///
/// No other thread may be inside a call with this handle. Using it afterwards is -EBADF, until
/// 1,024 more read-write locks were closed by the process; then it is undefined.
///
/// Returns 0; -EBADF if it was closed before, -EFAULT if it is NULL. Doesn't wait.
#[unsafe(no_mangle)]
pub extern "C" fn madang_rwlock_close(lock: *mut madang_rwlock) -> c_int {
    call("madang_rwlock_close", || pointer::close(lock).map(|()| 0))
}

/// Takes the name away. Who has the read-write lock open goes on with it. The next open of the name
/// creates a new one. (One in a segment has no name.)
///
/// Returns what madang_queue_unlink() returns. Doesn't wait. Any thread may call it at any time.
#[unsafe(no_mangle)]
pub extern "C" fn madang_rwlock_unlink(name: *const c_char) -> c_int {
    call("madang_rwlock_unlink", || {
        RwLock::unlink(pointer::text(name)?)?;
        Ok(0)
    })
}
