//! `madang_sysv_sem_*`: System V semaphore sets for C.

use std::ffi::c_int;
use std::time::Duration;

use madang_core::sysv::sem::{self, Limits, Set, SetOptions, Status};

use super::{madang_sysv_change, told};
use crate::deadline::limit;
use crate::error::{Result, call};
use crate::handle::{Handle, shell};
use crate::pointer::{self, Out, Outs, Place};
use crate::shared::create;

/// Flag of an operation: it is -EAGAIN where this one would have to wait (IPC_NOWAIT).
pub const MADANG_SYSV_NO_WAIT: u16 = 0x800;

/// Flag of an operation: it is undone when the process ends, however it ends (SEM_UNDO).
pub const MADANG_SYSV_UNDO: u16 = 0x1000;

/// How a System V semaphore set is opened: struct_size, and what shall not be the default.
#[repr(C)]
#[derive(Clone, Copy, Default)]
pub struct madang_sysv_sem_options {
    /// sizeof(madang_sysv_sem_options)
    pub struct_size: u32,
    /// The permission bits of a new set, exactly: no umask. Default 0600.
    pub mode: u32,
    /// MADANG_CREATE_IF_MISSING, the default; MADANG_CREATE_NEVER; MADANG_CREATE_ONLY
    pub create: u32,
    /// 0
    pub reserved: u32,
    /// How long an open waits for the creator of an existing set to give it its values, before it
    /// takes the creator for dead, in nanoseconds. 0, the default, is a second; negative takes any
    /// set as it is.
    pub patience_ns: i64,
}

impl madang_sysv_sem_options {
    fn to_core(self) -> Result<SetOptions> {
        if self.reserved != 0 {
            return Err(pointer::newer::<Self>());
        }
        let options = Set::options().mode(self.mode).create(create(self.create)?);
        Ok(match u64::try_from(self.patience_ns) {
            Ok(0) => options,
            Ok(nanoseconds) => options.patience(Duration::from_nanos(nanoseconds)),
            Err(_) => options.patience(Duration::ZERO),
        })
    }
}

/// One operation on one semaphore of a set: laid out as struct sembuf (semop(2)). Never grows, so
/// it needs no struct_size.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct madang_sysv_sem_op {
    /// Which semaphore, from 0
    pub index: u16,
    /// Above 0: is added. Below 0: is taken, once there is as much. 0: waits until the value is 0.
    pub delta: i16,
    /// 0, MADANG_SYSV_NO_WAIT, MADANG_SYSV_UNDO, or both with |
    pub flags: u16,
}

/// What there is to tell of a System V semaphore set (struct semid_ds of semctl(2)). Times are in
/// seconds since 1970, 0 is never.
#[repr(C)]
#[derive(Clone, Copy, Default)]
pub struct madang_sysv_sem_status {
    /// sizeof(madang_sysv_sem_status)
    pub struct_size: u32,
    /// The identifier
    pub id: i32,
    /// The key; MADANG_SYSV_PRIVATE if it has none
    pub key: i32,
    /// The permission bits
    pub mode: u32,
    /// The owner
    pub uid: u32,
    /// The owner's group
    pub gid: u32,
    /// Who made it, who has the owner's rights too
    pub creator_uid: u32,
    /// The group of who made it
    pub creator_gid: u32,
    /// How often its place in the kernel's table was given away before
    pub sequence: u32,
    /// 0
    pub reserved: u32,
    /// How many semaphores it has
    pub count: u64,
    /// When an operation was done last
    pub operated_at: i64,
    /// When it was created, or its permissions or, by themselves, values were changed last
    pub changed_at: i64,
}

impl From<Status> for madang_sysv_sem_status {
    fn from(status: Status) -> Self {
        told!(
            Self,
            status.id,
            status.permissions,
            reserved: 0,
            count: status.count,
            operated_at: status.operated_at,
            changed_at: status.changed_at,
        )
    }
}

/// What the system allows of semaphore sets, and how much of it is used.
#[repr(C)]
#[derive(Clone, Copy, Default)]
pub struct madang_sysv_sem_limits {
    /// sizeof(madang_sysv_sem_limits)
    pub struct_size: u32,
    /// 0
    pub reserved: u32,
    /// The most sets (the fourth number of kernel.sem)
    pub max_sets: u64,
    /// The most semaphores of all sets together (the second)
    pub max_semaphores: u64,
    /// The most semaphores in a set (the first)
    pub max_in_a_set: u64,
    /// The most operations in an array (the third)
    pub max_operations: u64,
    /// The highest value: 32767
    pub max_value: u64,
    /// How many sets there are
    pub sets: u64,
    /// How many semaphores they have
    pub semaphores: u64,
}

impl From<Limits> for madang_sysv_sem_limits {
    fn from(limits: Limits) -> Self {
        Self {
            struct_size: 0,
            reserved: 0,
            max_sets: limits.max_sets,
            max_semaphores: limits.max_semaphores,
            max_in_a_set: limits.max_in_a_set,
            max_operations: limits.max_operations,
            max_value: limits.max_value,
            sets: limits.sets,
            semaphores: limits.semaphores,
        }
    }
}

/// An open System V semaphore set.
///
/// Any number of semaphores, each a value from 0 to 32767; an array of operations is done as a
/// whole or not at all. It is the kernel's: it lives until it is removed or the machine stops. The
/// handle is the identifier, and holds nothing else.
pub struct madang_sysv_sem {
    handle: Handle<Set>,
}

shell!(madang_sysv_sem, Set, b"svse", "set");

/// Opens the System V semaphore set of this key, or creates it with count semaphores (semget(2)).
/// With MADANG_SYSV_PRIVATE it is always a new one.
///
/// values are those of a new set's semaphores, at most 32767 each; NULL is all 0. An existing set
/// has count semaphores or more, and keeps its values; with count 0 it is taken as it is, and none
/// is created. options may be NULL. *set is written only on success; give it to
/// madang_sysv_sem_close() in the end. Opening asks for no permission: using does.
///
/// Nobody sees a new set without its values: who opens it waits until the creator has given them,
/// as a rule not at all. A creator that was killed before that is found: after patience_ns the set,
/// with which nothing was done yet, is made anew. (Sets of other programs, which give values by
/// SETVAL or SETALL, are taken as they are; so are those for which somebody waits.)
///
/// Returns 0, or
///   -ENOENT     there is none, and none can be created: create is MADANG_CREATE_NEVER, or count is
///               0
///   -EEXIST     there is one, and create is MADANG_CREATE_ONLY
///   -EINVAL     a bad mode, create or struct_size; the existing one has less semaphores; more than
///               the system allows; a new one without a count; MADANG_SYSV_PRIVATE with
///               MADANG_CREATE_NEVER
///   -ERANGE     a value above 32767
///   -ETIMEDOUT  nobody has given it values, and this call may not create
///   -EPERM      nobody has, this call may, but only its owner may remove it
///   -EINTR      a signal handler ran while it waited for that
///   -ENOSPC     there are as many as the system allows (kernel.sem)
///   -EBUSY      others keep making and removing it: try again
///   -E2BIG      options sets a field that this version doesn't have
///   -ENOSYS     the kernel has no System V IPC, or a container's filter forbids it
///   -ENOMEM     no memory
///   -EFAULT     set is NULL
///
/// Any thread may call it at any time.
#[unsafe(no_mangle)]
pub extern "C" fn madang_sysv_sem_open(
    key: i32,
    values: *const u16,
    count: usize,
    options: *const madang_sysv_sem_options,
    set: *mut *mut madang_sysv_sem,
) -> c_int {
    call("madang_sysv_sem_open", || {
        let place = Place::new(set)?;
        let options = pointer::options(options)?.to_core()?;
        let options = match values.is_null() {
            true => options.count(count),
            false => options.values(pointer::numbers(values, count, "values")?),
        };
        place.put_nameless(options.open(key.into())?);
        Ok(0)
    })
}

/// Does count operations at once, in their order, or none of them; waits until that can be done,
/// for timeout_ns nanoseconds at most; 0 doesn't wait, negative waits for ever (semtimedop(2)).
/// flags: 0, MADANG_DEADLINE or MADANG_INSTANT, which is as timeout_ns 0 here.
///
/// Returns 0, or
///   -EAGAIN     it would have to wait, and timeout_ns is 0; or one with MADANG_SYSV_NO_WAIT would
///   -ETIMEDOUT  the time is over
///   -EINTR      a signal handler ran while it waited
///   -EIDRM      the set was removed, perhaps while this waited
///   -EINVAL     an index that the set doesn't have, no operations, or a bad flag
///   -ERANGE     a value would be above 32767
///   -E2BIG      more operations than the system allows (500, as a rule)
///   -EACCES     its mode doesn't let this process write; to wait for 0, read
///   -ENOSPC, -ENOMEM
///               no room for what is to be undone
///   -EBADF      set was closed
///   -EFAULT     set is NULL, or operations is
/// Whatever the error, nothing was done.
///
/// Any thread may call it at any time.
#[unsafe(no_mangle)]
pub extern "C" fn madang_sysv_sem_operate(
    set: *mut madang_sysv_sem,
    operations: *const madang_sysv_sem_op,
    count: usize,
    flags: u32,
    timeout_ns: i64,
) -> c_int {
    call("madang_sysv_sem_operate", || {
        let set = pointer::opened(set)?;
        let operations = pointer::operations(operations, count)?;
        limit(flags, timeout_ns)?.run(|deadline| set.operate_until(operations, deadline))?;
        Ok(0)
    })
}

/// Takes 1 from a semaphore; waits while it is 0, as madang_sysv_sem_operate().
///
/// Returns 0, or what that returns. Any thread may call it at any time.
#[unsafe(no_mangle)]
pub extern "C" fn madang_sysv_sem_acquire(set: *mut madang_sysv_sem, index: u16, flags: u32, timeout_ns: i64) -> c_int {
    call("madang_sysv_sem_acquire", || {
        let set = pointer::opened(set)?;
        limit(flags, timeout_ns)?.run(|deadline| set.acquire_until(index, deadline))?;
        Ok(0)
    })
}

/// Adds 1 to a semaphore. Doesn't wait.
///
/// Returns 0; -ERANGE above 32767; -EIDRM, -EINVAL, -EACCES, -EBADF, -EFAULT as
/// madang_sysv_sem_operate(). Any thread may call it at any time.
#[unsafe(no_mangle)]
pub extern "C" fn madang_sysv_sem_release(set: *mut madang_sysv_sem, index: u16) -> c_int {
    call("madang_sysv_sem_release", || {
        pointer::opened(set)?.release(index)?;
        Ok(0)
    })
}

/// Waits until a semaphore is 0, as madang_sysv_sem_operate().
///
/// Returns 0, or what that returns. Any thread may call it at any time.
#[unsafe(no_mangle)]
pub extern "C" fn madang_sysv_sem_wait_zero(
    set: *mut madang_sysv_sem,
    index: u16,
    flags: u32,
    timeout_ns: i64,
) -> c_int {
    call("madang_sysv_sem_wait_zero", || {
        let set = pointer::opened(set)?;
        limit(flags, timeout_ns)?.run(|deadline| set.wait_zero_until(index, deadline))?;
        Ok(0)
    })
}

/// A semaphore's value (GETVAL of semctl(2)). It may be another one already.
///
/// Returns 0 to 32767; -EINVAL for an index that the set doesn't have, -EACCES if its mode doesn't
/// let this process read, -EIDRM, -EBADF, -EFAULT. Doesn't wait. Any thread may call it at any
/// time.
#[unsafe(no_mangle)]
pub extern "C" fn madang_sysv_sem_value(set: *const madang_sysv_sem, index: u16) -> c_int {
    call("madang_sysv_sem_value", || Ok(pointer::opened(set)?.value(index)?.into()))
}

/// All values as they were at one moment (GETALL of semctl(2)), into an array with room for
/// capacity of them.
///
/// Returns how many semaphores the set has, of which the first capacity are written: a larger
/// number says that the array is too small. With capacity 0, values may be NULL. Or -EACCES,
/// -EIDRM, -EBADF, -EFAULT as madang_sysv_sem_value(). Doesn't wait. Any thread may call it at any
/// time.
#[unsafe(no_mangle)]
pub extern "C" fn madang_sysv_sem_values(set: *const madang_sysv_sem, values: *mut u16, capacity: usize) -> i64 {
    call("madang_sysv_sem_values", || {
        let found = pointer::opened(set)?.values()?;
        pointer::put_numbers(values, capacity, &found, "values")?;
        Ok(found.len() as i64)
    })
}

/// Sets a semaphore's value (SETVAL of semctl(2)), wakes who can go on, and forgets what processes
/// would undo of it.
///
/// Returns 0; -ERANGE above 32767; -EINVAL for an index that the set doesn't have, -EACCES if its
/// mode doesn't let this process write, -EIDRM, -EBADF, -EFAULT. Doesn't wait. Any thread may call
/// it at any time.
#[unsafe(no_mangle)]
pub extern "C" fn madang_sysv_sem_set_value(set: *mut madang_sysv_sem, index: u16, value: u16) -> c_int {
    call("madang_sysv_sem_set_value", || {
        pointer::opened(set)?.set_value(index, value)?;
        Ok(0)
    })
}

/// Sets all values at once (SETALL of semctl(2)), as madang_sysv_sem_set_value() does.
///
/// Returns 0; -EINVAL if count is not the number of the set's semaphores; else as that. Doesn't
/// wait. Any thread may call it at any time.
#[unsafe(no_mangle)]
pub extern "C" fn madang_sysv_sem_set_values(set: *mut madang_sysv_sem, values: *const u16, count: usize) -> c_int {
    call("madang_sysv_sem_set_values", || {
        pointer::opened(set)?.set_values(pointer::numbers(values, count, "values")?)?;
        Ok(0)
    })
}

/// The process that did something with a semaphore last (GETPID of semctl(2)).
///
/// Returns its pid, 0 for none or one of another pid namespace; or an error as
/// madang_sysv_sem_value(). Doesn't wait. Any thread may call it at any time.
#[unsafe(no_mangle)]
pub extern "C" fn madang_sysv_sem_pid(set: *const madang_sysv_sem, index: u16) -> c_int {
    call("madang_sysv_sem_pid", || Ok(pointer::opened(set)?.pid(index)?))
}

/// How many wait for a semaphore to have more (GETNCNT of semctl(2)).
///
/// Returns 0 or more; or an error as madang_sysv_sem_value(). Doesn't wait. Any thread may call it
/// at any time.
#[unsafe(no_mangle)]
pub extern "C" fn madang_sysv_sem_waiting_for_increase(set: *const madang_sysv_sem, index: u16) -> c_int {
    call("madang_sysv_sem_waiting_for_increase", || {
        Ok(pointer::opened(set)?.waiting_for_increase(index)?.cast_signed())
    })
}

/// How many wait for a semaphore to be 0 (GETZCNT of semctl(2)).
///
/// Returns 0 or more; or an error as madang_sysv_sem_value(). Doesn't wait. Any thread may call it
/// at any time.
#[unsafe(no_mangle)]
pub extern "C" fn madang_sysv_sem_waiting_for_zero(set: *const madang_sysv_sem, index: u16) -> c_int {
    call("madang_sysv_sem_waiting_for_zero", || Ok(pointer::opened(set)?.waiting_for_zero(index)?.cast_signed()))
}

/// The semaphore set of an identifier, as madang_sysv_sem_id() and ipcs(1) give it.
///
/// *set is written only on success; give it to madang_sysv_sem_close() in the end.
///
/// Returns 0, -EINVAL if there is none of this identifier, -ENOSYS, or -EFAULT if set is NULL.
/// Doesn't wait. Any thread may call it at any time.
#[unsafe(no_mangle)]
pub extern "C" fn madang_sysv_sem_from_id(id: i32, set: *mut *mut madang_sysv_sem) -> c_int {
    call("madang_sysv_sem_from_id", || {
        let place = Place::new(set)?;
        place.put_nameless(Set::from_id(id)?);
        Ok(0)
    })
}

/// The identifier: any process that knows it may use the semaphore set too.
///
/// Returns 0 or more; -EBADF if the handle was closed, -EFAULT if it is NULL. Doesn't wait. Any
/// thread may call it at any time.
#[unsafe(no_mangle)]
pub extern "C" fn madang_sysv_sem_id(set: *const madang_sysv_sem) -> c_int {
    call("madang_sysv_sem_id", || Ok(pointer::opened(set)?.id()))
}

/// Whether this handle's open created the semaphore set.
///
/// Returns 1 or 0; -EBADF if the handle was closed, -EFAULT if it is NULL. So compare it with 1:
/// the errors are true, too. Doesn't wait. Any thread may call it at any time.
#[unsafe(no_mangle)]
pub extern "C" fn madang_sysv_sem_is_new(set: *const madang_sysv_sem) -> c_int {
    call("madang_sysv_sem_is_new", || Ok(pointer::opened(set)?.is_new().into()))
}

/// Tells what there is to tell of it, into *status (IPC_STAT of semctl(2)). Set status->struct_size
/// before.
///
/// Returns 0; -EACCES if its mode doesn't let this process read it, -EIDRM if it was removed,
/// -EINVAL if struct_size is not set, -EBADF if the handle was closed, -EFAULT if a pointer is
/// NULL. Doesn't wait. Any thread may call it at any time.
#[unsafe(no_mangle)]
pub extern "C" fn madang_sysv_sem_stat(set: *const madang_sysv_sem, status: *mut madang_sysv_sem_status) -> c_int {
    call("madang_sysv_sem_stat", || {
        let out = Out::required(status, "status")?;
        out.fill(&pointer::opened(set)?.stat()?.into());
        Ok(0)
    })
}

/// Changes owner, group or permission bits (IPC_SET of semctl(2)). What it leaves is what was found
/// just before: of two who change at once, the later wins.
///
/// Returns 0, or
///   -EPERM   this process's user is neither owner nor creator nor root
///   -EACCES  its mode doesn't let this process read what is to stay
///   -EINVAL  a mode above 0777, an unknown flag, or a bad struct_size
///   -EIDRM   it was removed
///   -EBADF   the handle was closed
///   -EFAULT  a pointer is NULL
///
/// Doesn't wait. Any thread may call it at any time.
#[unsafe(no_mangle)]
pub extern "C" fn madang_sysv_sem_change(set: *mut madang_sysv_sem, change: *const madang_sysv_change) -> c_int {
    call("madang_sysv_sem_change", || {
        pointer::opened(set)?.change(super::change(change)?)?;
        Ok(0)
    })
}

/// Removes it (IPC_RMID of semctl(2)): at once; who waits gets -EIDRM. The key is
/// free.
/// The handle still has to be closed.
///
/// Returns 0; -EPERM if this process's user is neither owner nor creator nor root, -EIDRM if it was
/// removed before, -EBADF if the handle was closed, -EFAULT if it is NULL. Doesn't wait. Any thread
/// may call it at any time.
#[unsafe(no_mangle)]
pub extern "C" fn madang_sysv_sem_remove(set: *mut madang_sysv_sem) -> c_int {
    call("madang_sysv_sem_remove", || {
        pointer::opened(set)?.remove()?;
        Ok(0)
    })
}

/// Removes the semaphore set of this identifier, as madang_sysv_sem_remove() does.
///
/// Returns 0; -EINVAL if there is none, -EPERM, -ENOSYS. Doesn't wait. Any thread may call it at
/// any time.
#[unsafe(no_mangle)]
pub extern "C" fn madang_sysv_sem_remove_id(id: i32) -> c_int {
    call("madang_sysv_sem_remove_id", || {
        Set::remove_id(id)?;
        Ok(0)
    })
}

/// Removes the semaphore set of this key, as madang_sysv_sem_remove() does.
///
/// Returns 0; -ENOENT if there is none, -EINVAL for MADANG_SYSV_PRIVATE, -EPERM, -ENOSYS. Doesn't
/// wait. Any thread may call it at any time.
#[unsafe(no_mangle)]
pub extern "C" fn madang_sysv_sem_unlink(key: i32) -> c_int {
    call("madang_sysv_sem_unlink", || {
        Set::unlink(key.into())?;
        Ok(0)
    })
}

/// Lists all semaphore sets of this IPC namespace, as ipcs(1) does; before Linux 4.17, those that
/// this process may read. statuses is an array of capacity structs, of which only the first one's
/// struct_size need be set.
///
/// Returns how many there are, of which the first capacity are written: as with snprintf(3), a
/// larger number says that the array is too small. With capacity 0, statuses may be NULL. Or
/// -ENOSYS; -EINVAL if struct_size is not set; -EFAULT. Doesn't wait. Any thread may call it at any
/// time; others make and remove some meanwhile.
#[unsafe(no_mangle)]
pub extern "C" fn madang_sysv_sem_list(statuses: *mut madang_sysv_sem_status, capacity: usize) -> i64 {
    call("madang_sysv_sem_list", || {
        let outs = Outs::new(statuses, capacity, "statuses")?;
        Ok(outs.fill_all(sem::list()?.into_iter().map(madang_sysv_sem_status::from)))
    })
}

/// Tells what the system allows, and how much of it is used, into *limits. Set limits->struct_size
/// before.
///
/// Returns 0; -ENOSYS; -EINVAL if struct_size is not set; -EFAULT if limits is NULL. Doesn't wait.
/// Any thread may call it at any time.
#[unsafe(no_mangle)]
pub extern "C" fn madang_sysv_sem_get_limits(limits: *mut madang_sysv_sem_limits) -> c_int {
    call("madang_sysv_sem_get_limits", || {
        let out = Out::required(limits, "limits")?;
        out.fill(&sem::limits()?.into());
        Ok(0)
    })
}

/// Closes the handle; the semaphore set lives on. No other thread may be inside a call with it.
///
/// Returns 0; -EBADF if it was closed before, -EFAULT if it is NULL. Doesn't wait.
#[unsafe(no_mangle)]
pub extern "C" fn madang_sysv_sem_close(set: *mut madang_sysv_sem) -> c_int {
    call("madang_sysv_sem_close", || pointer::close(set).map(|()| 0))
}
