//! `madang_posix_sem_*`: semaphores of the C library, for C.

use std::ffi::{c_char, c_int};
use std::sync::Arc;

use madang_core::Mapping;
use madang_core::posix::sem::{self, Semaphore, SemaphoreOptions, SemaphoreStatus};

use super::madang_posix_listed;
use crate::deadline::limit;
use crate::error::{Result, call};
use crate::handle::{Handle, shell};
use crate::kernel::mapping::madang_mapping;
use crate::pointer::{self, Kept, Out, Place};
use crate::shared::create;

/// How a named POSIX semaphore is opened: struct_size, and what shall not be the default.
#[repr(C)]
#[derive(Clone, Copy, Default)]
pub struct madang_posix_sem_options {
    /// sizeof(madang_posix_sem_options)
    pub struct_size: u32,
    /// The value of a new semaphore, up to SEM_VALUE_MAX, 2,147,483,647. Default 0. An existing one
    /// is left as it is.
    pub value: u32,
    /// The permission bits of a new semaphore, exactly: no umask. Default 0600. Who is to use it
    /// must be able to read and to write it.
    pub mode: u32,
    /// MADANG_CREATE_IF_MISSING, the default; MADANG_CREATE_NEVER; MADANG_CREATE_ONLY
    pub create: u32,
}

impl madang_posix_sem_options {
    fn to_core(self) -> Result<SemaphoreOptions> {
        Ok(Semaphore::options().value(self.value).mode(self.mode).create(create(self.create)?))
    }
}

/// What madang_posix_sem_stat() tells; a snapshot.
#[repr(C)]
#[derive(Clone, Copy, Default)]
pub struct madang_posix_sem_status {
    /// sizeof(madang_posix_sem_status), set by the caller
    pub struct_size: u32,
    /// Its value
    pub value: u32,
    /// Permission bits
    pub mode: u32,
    /// The owner's user id
    pub uid: u32,
    /// The owner's group id
    pub gid: u32,
    /// 0
    pub reserved: u32,
}

impl From<SemaphoreStatus> for madang_posix_sem_status {
    fn from(status: SemaphoreStatus) -> Self {
        let SemaphoreStatus { value, mode, uid, gid, .. } = status;
        Self { struct_size: 0, value, mode, uid, gid, reserved: 0 }
    }
}

/// An open POSIX semaphore (sem_overview(7)): a counter that processes share.
///
/// A named one is the same as sem_open("/name") gives; an unnamed one, as sem_init(3) makes it,
/// lies in memory that the processes share. Programs that use the C library's functions on them
/// must have the same C library (one of glibc's is nothing to musl) and the same word size.
///
/// Who is killed keeps what he took: nobody notices. Where that matters use a System V semaphore
/// with undo, or a lock on a file, which the kernel takes back from the dead.
///
/// A child of fork(2) may use the handle that it inherited; both close theirs.
pub struct madang_posix_sem {
    handle: Handle<Semaphore>,
}

shell!(madang_posix_sem, Semaphore, b"pose", "semaphore");

/// The memory that a semaphore lies in stays, also when the handle by which C knows it is closed.
impl AsRef<Mapping> for Kept<madang_mapping> {
    fn as_ref(&self) -> &Mapping {
        self
    }
}

/// Opens the POSIX semaphore called name, or creates it.
///
/// name is 1 to 251 bytes of UTF-8 without '/': what is "/turn" for sem_open(3) is "turn" here.
/// options may be NULL. *semaphore is written only on success; give it to madang_posix_sem_close()
/// in the end. It keeps no descriptor. A new one has its value and its mode before it has its name.
///
/// Returns 0, or
///   -EINVAL        a bad name, value, mode or struct_size; or what has the name is no semaphore
///   -ENAMETOOLONG  the name
///   -ENOENT        there is none, and create is MADANG_CREATE_NEVER
///   -EEXIST        there is one, and create is MADANG_CREATE_ONLY
///   -EACCES        its permission bits don't let this process use it
///   -EISDIR, -ELOOP, -ENODEV, -ENXIO
///                  the name is that of something that is no regular file
///   -ENOSPC        /dev/shm is full; a container's often has 64 MB
///   -EBUSY         others keep making and removing it: try again
///   -E2BIG         options sets a field that this version doesn't have
///   -EFAULT        name or semaphore is NULL
///   -ENOMEM, -EMFILE, -ENFILE
///                  as with open(2) and mmap(2)
///
/// Doesn't wait. Any thread may call it at any time.
#[unsafe(no_mangle)]
pub extern "C" fn madang_posix_sem_open(
    name: *const c_char,
    options: *const madang_posix_sem_options,
    semaphore: *mut *mut madang_posix_sem,
) -> c_int {
    call("madang_posix_sem_open", || {
        let place = Place::new(semaphore)?;
        let name = pointer::text(name)?;
        let semaphore = pointer::options(options)?.to_core()?.open(name)?;
        place.put(semaphore, name);
        Ok(0)
    })
}

/// Makes an unnamed semaphore in memory that is shared: sizeof(sem_t) bytes at offset, which is a
/// multiple of what a sem_t is aligned to (sem_init(3)). Once, before anybody uses it: to make it
/// anew while others wait for it leaves them waiting.
///
/// *semaphore is written only on success; give it to madang_posix_sem_close() in the end. The
/// memory stays mapped until then, also if the mapping is closed before.
///
/// Returns 0; -EINVAL if it doesn't lie within, or for a bad offset or value; -EACCES if the memory
/// is read-only; -EBADF if the mapping was closed; -EFAULT if a pointer is NULL. Doesn't wait. Any
/// thread may call it at any time.
#[unsafe(no_mangle)]
pub extern "C" fn madang_posix_sem_init(
    mapping: *mut madang_mapping,
    offset: usize,
    value: u32,
    semaphore: *mut *mut madang_posix_sem,
) -> c_int {
    call("madang_posix_sem_init", || {
        let place = Place::new(semaphore)?;
        let memory = Arc::new(Kept::new(mapping)?);
        place.put_nameless(Semaphore::init_in(&memory, offset, value)?);
        Ok(0)
    })
}

/// Opens the unnamed semaphore that was made in that memory, at that offset, by whatever process or
/// language; also by sem_init(3) with pshared. Whether there is one can't be seen: of other bytes
/// it makes one with some value. Else as madang_posix_sem_init().
#[unsafe(no_mangle)]
pub extern "C" fn madang_posix_sem_at(
    mapping: *mut madang_mapping,
    offset: usize,
    semaphore: *mut *mut madang_posix_sem,
) -> c_int {
    call("madang_posix_sem_at", || {
        let place = Place::new(semaphore)?;
        let memory = Arc::new(Kept::new(mapping)?);
        place.put_nameless(Semaphore::at(&memory, offset)?);
        Ok(0)
    })
}

/// Adds 1 to the semaphore, and wakes one who waits, if somebody does (sem_post(3)).
///
/// Returns 0; -EOVERFLOW if its value is SEM_VALUE_MAX; -EBADF if the handle was closed, -EFAULT if
/// it is NULL. Doesn't wait. Any thread may call it at any time.
#[unsafe(no_mangle)]
pub extern "C" fn madang_posix_sem_post(semaphore: *mut madang_posix_sem) -> c_int {
    call("madang_posix_sem_post", || {
        pointer::opened(semaphore)?.post()?;
        Ok(0)
    })
}

/// Takes 1 from the semaphore as soon as its value is more than 0 (sem_clockwait(3)).
///
/// flags: 0, MADANG_DEADLINE or MADANG_INSTANT (here the same as no time). Waits for timeout_ns
/// nanoseconds, negative is for ever; by the monotonic clock, where the C library can (glibc from
/// 2.30 on), else by the one that is set, looking each second whether the two agree.
///
/// Returns 0, or
///   -EAGAIN     its value is 0, and the call was not to wait
///   -ETIMEDOUT  the time is over
///   -EINTR      a signal handler ran while it waited; nothing was taken
///   -EINVAL     a bad flag
///   -EBADF      the handle was closed
///   -EFAULT     it is NULL
///
/// Any thread may call it at any time.
#[unsafe(no_mangle)]
pub extern "C" fn madang_posix_sem_wait(semaphore: *mut madang_posix_sem, flags: u32, timeout_ns: i64) -> c_int {
    call("madang_posix_sem_wait", || {
        let semaphore = pointer::opened(semaphore)?;
        limit(flags, timeout_ns)?.run(|deadline| semaphore.wait_until(deadline))?;
        Ok(0)
    })
}

/// The semaphore's value, which may be another one by now (sem_getvalue(3)).
///
/// Returns 0 or more; -EBADF if the handle was closed, -EFAULT if it is NULL. Doesn't wait. Any
/// thread may call it at any time.
#[unsafe(no_mangle)]
pub extern "C" fn madang_posix_sem_value(semaphore: *const madang_posix_sem) -> c_int {
    call("madang_posix_sem_value", || Ok(pointer::opened(semaphore)?.value()?.cast_signed()))
}

/// Tells what the semaphore called name is.
///
/// Returns 0; -ENOENT if there is none; -EINVAL if struct_size is not set; -EFAULT if a pointer is
/// NULL; else as madang_posix_sem_open(). Doesn't wait. Any thread may call it at any time.
#[unsafe(no_mangle)]
pub extern "C" fn madang_posix_sem_stat(name: *const c_char, status: *mut madang_posix_sem_status) -> c_int {
    call("madang_posix_sem_stat", || {
        let out = Out::required(status, "status")?;
        out.fill(&Semaphore::stat(pointer::text(name)?)?.into());
        Ok(0)
    })
}

/// The name by which the semaphore was opened; empty for an unnamed one.
///
/// Returns a text that is valid until the handle is closed, or NULL if the handle was closed or is
/// NULL (madang_last_error() tells). Doesn't wait. Any thread may call it at any time.
#[unsafe(no_mangle)]
pub extern "C" fn madang_posix_sem_name(semaphore: *const madang_posix_sem) -> *const c_char {
    call("madang_posix_sem_name", || pointer::name_of(semaphore))
}

/// Whether the call that made this handle made the semaphore.
///
/// Returns 1 or 0; -EBADF if the handle was closed, -EFAULT if it is NULL. So compare it with 1:
/// the errors are true, too. Doesn't wait. Any thread may call it at any time.
#[unsafe(no_mangle)]
pub extern "C" fn madang_posix_sem_is_new(semaphore: *const madang_posix_sem) -> c_int {
    call("madang_posix_sem_is_new", || Ok(pointer::opened(semaphore)?.is_new().into()))
}

/// Closes the handle, which does nothing to the semaphore. No other thread may be inside a call
/// with it.
///
/// Returns 0; -EBADF if it was closed before, -EFAULT if it is NULL. Doesn't wait.
#[unsafe(no_mangle)]
pub extern "C" fn madang_posix_sem_close(semaphore: *mut madang_posix_sem) -> c_int {
    call("madang_posix_sem_close", || pointer::close(semaphore).map(|()| 0))
}

/// Takes the semaphore's name away; who has it open goes on with it (sem_unlink(3)).
///
/// Returns 0; -ENOENT if there is none; -EPERM or -EACCES if it is another user's; -EINVAL or
/// -ENAMETOOLONG for a bad name; -EFAULT if it is NULL. Doesn't wait. Any thread may call it at any
/// time.
#[unsafe(no_mangle)]
pub extern "C" fn madang_posix_sem_unlink(name: *const c_char) -> c_int {
    call("madang_posix_sem_unlink", || {
        Semaphore::unlink(pointer::text(name)?)?;
        Ok(0)
    })
}

/// Lists the named POSIX semaphores that exist, in the order of their names. (With musl none, for
/// nothing tells them from shared memory there.)
///
/// objects is an array of capacity structs, of which only the first one's struct_size need be set.
///
/// Returns how many there are, of which the first capacity are written; with capacity 0, objects
/// may be NULL. Or -ENOENT or -EACCES if /dev/shm can't be read; -EINVAL if struct_size is not set;
/// -EFAULT if objects is NULL; -EMFILE, -ENFILE. Doesn't wait. Any thread may call it at any time.
#[unsafe(no_mangle)]
pub extern "C" fn madang_posix_sem_list(objects: *mut madang_posix_listed, capacity: usize) -> i64 {
    call("madang_posix_sem_list", || super::list(objects, capacity, sem::list))
}
