//! `madang_semaphore_set_*`: sets of semaphores for C.

use std::ffi::{c_char, c_int};
use std::os::fd::AsRawFd;
use std::ptr;

use madang_core::{Deadline, Operation, SemaphoreSet, SemaphoreSetOptions, SemaphoreSetStatus};

use super::queue::madang_participant;
use super::{MADANG_ANY_OWNER, create, option_flags};
use crate::deadline::{Outcome, limit};
use crate::error::{Failure, Result, call};
use crate::handle::{Handle, shell};
use crate::pointer::{self, Out, Outs, Place};

/// Flag of madang_operation: it is taken back when the handle is closed, or its process ends in any
/// way (SEM_UNDO).
pub const MADANG_UNDO: u32 = 1;

/// Flag of madang_operation: if it can't be done at once, the whole array fails with -EAGAIN
/// (IPC_NOWAIT).
pub const MADANG_NO_WAIT: u32 = 2;

/// One operation on one semaphore of a set, as struct sembuf of semop(2). As madang_item it has no
/// struct_size: it will never grow.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct madang_operation {
    /// The semaphore; the first is 0
    pub index: u32,
    /// What is added to its value, which never goes below 0: it is waited for until it is large
    /// enough. 0 waits until it is 0.
    pub delta: i32,
    /// MADANG_UNDO, MADANG_NO_WAIT, both with |, or 0
    pub flags: u32,
}

const _: () = assert!(size_of::<madang_operation>() == 12);

impl madang_operation {
    #[inline]
    fn to_core(self) -> Result<Operation> {
        let Self { index, delta, flags } = self;
        if flags & !(MADANG_UNDO | MADANG_NO_WAIT) != 0 {
            return Err(unknown_flags(flags));
        }
        Ok(Operation { index, delta, undo: flags & MADANG_UNDO != 0, no_wait: flags & MADANG_NO_WAIT != 0 })
    }
}

#[cold]
fn unknown_flags(flags: u32) -> Failure {
    let what = format!("an operation's flags {flags:#x}: it knows only MADANG_UNDO and MADANG_NO_WAIT");
    Failure::misuse(libc::EINVAL, what)
}

/// How a set of semaphores is opened: struct_size, and what shall not be the default. What a set is
/// like is decided when it is created; of one that exists, semaphores, max_value and
/// max_participants are what it must have at least.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct madang_semaphore_set_options {
    /// sizeof(madang_semaphore_set_options)
    pub struct_size: u32,
    /// 0, or MADANG_ANY_OWNER
    pub flags: u32,
    /// The values with which the semaphores of a new set begin, one for each; NULL is 0 for all.
    /// Nobody ever sees it without them. An existing set keeps its own.
    pub values: *const u32,
    /// How many semaphores it has, 1 to 65,536. Default 1.
    pub semaphores: u32,
    /// The largest value that one may have, 1 to 2^31 - 1. Default that. (semget(2)'s have 32,767.)
    pub max_value: u32,
    /// How many handles of it may be open in all processes together, and how many can wait in order:
    /// 1 to 65,534. Default 1,024.
    pub max_participants: u32,
    /// The permission bits of a new set, exactly: no umask. Default 0600. Who takes part needs to
    /// read and to write.
    pub mode: u32,
    /// MADANG_CREATE_IF_MISSING, the default; MADANG_CREATE_NEVER; MADANG_CREATE_ONLY
    pub create: u32,
    /// 0 in this version
    pub reserved: u32,
}

impl Default for madang_semaphore_set_options {
    fn default() -> Self {
        Self {
            struct_size: 0,
            flags: 0,
            values: ptr::null(),
            semaphores: 0,
            max_value: 0,
            max_participants: 0,
            mode: 0,
            create: 0,
            reserved: 0,
        }
    }
}

impl madang_semaphore_set_options {
    fn to_core(self) -> Result<SemaphoreSetOptions> {
        let [any_owner] = option_flags(self.flags, [(MADANG_ANY_OWNER, "MADANG_ANY_OWNER")])?;
        if self.reserved != 0 {
            return Err(pointer::newer::<Self>());
        }
        let count = if self.values.is_null() { 0 } else { self.semaphores.max(1) };
        Ok(SemaphoreSet::options()
            .semaphores(self.semaphores)
            .values(pointer::array(self.values, count as usize, "values")?)
            .max_value(self.max_value)
            .max_participants(self.max_participants)
            .mode(self.mode)
            .create(create(self.create)?)
            .any_owner(any_owner))
    }
}

/// What a set of semaphores is.
#[repr(C)]
#[derive(Clone, Copy, Default)]
pub struct madang_semaphore_set_status {
    /// sizeof(madang_semaphore_set_status), set by the caller
    pub struct_size: u32,
    /// How many semaphores it has
    pub semaphores: u32,
    /// The largest value that one may have
    pub max_value: u32,
    /// How many handles of it may be open
    pub max_participants: u32,
    /// How often the living repaired what a killed process left half done
    pub repairs: u64,
    /// Bytes of memory that it takes
    pub allocated: u64,
    /// Handles of it that are open in living processes
    pub participants: u32,
    /// Permission bits
    pub mode: u32,
    /// The owner's user id
    pub uid: u32,
    /// The owner's group id
    pub gid: u32,
}

impl From<SemaphoreSetStatus> for madang_semaphore_set_status {
    fn from(status: SemaphoreSetStatus) -> Self {
        Self {
            struct_size: 0,
            semaphores: status.semaphores,
            max_value: status.max_value,
            max_participants: status.max_participants,
            repairs: status.repairs,
            allocated: status.allocated,
            participants: status.participants,
            mode: status.mode,
            uid: status.uid,
            gid: status.gid,
        }
    }
}

/// An open set of semaphores.
///
/// A semaphore is a number in shared memory that is never below 0; processes in any language change
/// it, and wait until it is large enough, or 0. Several are changed together, or none of them, as
/// semop(2) does it. Those who sleep are served in the order in which they came; who comes just then
/// may be quicker. The set lives until madang_semaphore_set_unlink(), though nobody has it open.
///
/// What is done with MADANG_UNDO is taken back when the handle is closed or its process ends, be it
/// by SIGKILL: at once for whoever looks, and within 300 ms for who sleeps.
pub struct madang_semaphore_set {
    handle: Handle<SemaphoreSet>,
}

shell!(madang_semaphore_set, SemaphoreSet, b"sems", "set");

/// Opens the set of semaphores called name, or creates it.
///
/// name is 1 to 237 bytes of UTF-8 without '/'. The set is the file madang.semaphores.<name> in
/// /dev/shm, or in the directory whose absolute path the environment variable MADANG_DIR has; in
/// set-user-id programs that is ignored. options may be NULL: all defaults, one semaphore of value
/// 0. *set is written only on success; give it to madang_semaphore_set_close() in the end. Until
/// then it keeps one descriptor.
///
/// Returns 0, -ERANGE if a value is above the largest; else as madang_queue_open().
///
/// Doesn't wait. Any thread may call it at any time. A process may open a set several times.
#[unsafe(no_mangle)]
pub extern "C" fn madang_semaphore_set_open(
    name: *const c_char,
    options: *const madang_semaphore_set_options,
    set: *mut *mut madang_semaphore_set,
) -> c_int {
    call("madang_semaphore_set_open", || {
        let place = Place::new(set)?;
        let name = pointer::text(name)?;
        let set = pointer::options(options)?.to_core()?.open(name)?;
        place.put(set, name);
        Ok(0)
    })
}

/// Does count operations, 1 to 512, in their order: all of them or none.
///
/// flags: 0, MADANG_DEADLINE or MADANG_INSTANT. While they can't be done it waits, for timeout_ns
/// nanoseconds at most; 0 doesn't wait, negative waits for ever.
///
/// Returns 0, or
///   -EAGAIN      they can't be done, and timeout_ns is 0, or the one that can't has MADANG_NO_WAIT
///   -EBUSY       timeout_ns is 0, and another participant, who is inside, doesn't get on for a
///                second; with MADANG_INSTANT, for some microseconds
///   -ETIMEDOUT   the time is over
///   -EINTR       a signal handler ran while it waited
///   -EINVAL      count is 0, or an unknown flag
///   -E2BIG       count is above 512
///   -EFBIG       the set has no semaphore of an index
///   -ERANGE      a value would exceed max_value, or an amount to be undone
///   -ENOSPC      there is no memory in /dev/shm (or MADANG_DIR) for what is to be undone
///   -ENOENT      to take that memory it needs the set's file, but the program closed the handle's
///                descriptor, and the name doesn't lead to that file any more
///   -EOWNERDEAD  the other participants found this handle dead and went on without it: close it,
///                and open it anew
///   -EUCLEAN     the set is damaged
///   -EBADF       set was closed
///   -EFAULT      set is NULL, or operations is
/// Whatever the error, nothing was done; but for -EOWNERDEAD, after which it may have been.
///
/// Any thread may call it at any time, while others use the same handle.
#[unsafe(no_mangle)]
pub extern "C" fn madang_semaphore_set_operate(
    set: *mut madang_semaphore_set,
    operations: *const madang_operation,
    count: usize,
    flags: u32,
    timeout_ns: i64,
) -> c_int {
    call("madang_semaphore_set_operate", || {
        let set = pointer::opened(set)?;
        let operations = pointer::array(operations, count, "operations")?;
        let run = |operations: &[Operation]| -> Result<c_int> {
            limit(flags, timeout_ns)?.run(|deadline| operate(set, operations, deadline))?;
            Ok(0)
        };
        match operations {
            [one] => run(&[one.to_core()?]),
            several => run(&several.iter().map(|one| one.to_core()).collect::<Result<Vec<_>>>()?),
        }
    })
}

fn operate(set: &SemaphoreSet, operations: &[Operation], deadline: Deadline) -> Outcome<()> {
    set.operate_until(operations, deadline)
}

/// A descriptor to wait on in poll(2), select(2), epoll(7) and what is built on them: readable
/// (POLLIN) when what could not be done may be done now.
///
/// Readable means "try", no more: another may have been faster, and now and then, up to four times a
/// second, it is readable for nothing. It stays so until madang_semaphore_set_operate() with this
/// handle returns -EAGAIN or -ETIMEDOUT; from then on a change of a semaphore that was wanted makes
/// it readable again. So operate with timeout_ns 0 until it can't be done, or poll before each call:
/// both are right, also with edge-triggered epoll. There is nothing to arm. Who waits by it has no
/// place in the order of those who sleep.
///
/// It is the handle's: the same at each call, and closed by madang_semaphore_set_close(); take it
/// out of an epoll before. Don't read it, and don't close it. A child of fork(2) that waits by it
/// calls this first; the number stays the same unless the child closed it. Threads that want
/// different things open a handle each.
///
/// It takes three descriptors, and one inotify instance (inotify(7)), of which a user has 128 unless
/// the sysctl fs.inotify.max_user_instances says otherwise.
///
/// Returns 0 or more, the descriptor; or
///   -EMFILE      the user's inotify instances, or the process's descriptors, are used up
///   -ENOSPC      the user's inotify watches are used up: fs.inotify.max_user_watches
///   -ENFILE, -ENOMEM
///                as with open(2)
///   -EOWNERDEAD, -ENOENT
///                as with madang_semaphore_set_operate()
///   -EBADF       set was closed
///   -EFAULT      set is NULL
///
/// Doesn't wait. Any thread may call it at any time.
#[unsafe(no_mangle)]
pub extern "C" fn madang_semaphore_set_fd(set: *mut madang_semaphore_set) -> c_int {
    call("madang_semaphore_set_fd", || Ok(pointer::opened(set)?.fd()?.as_raw_fd()))
}

/// The value of one semaphore at some moment during the call (GETVAL). What the dead had to be
/// undone is given back before.
///
/// Returns 0 to max_value; -EFBIG if there is no semaphore of that index; -EBUSY, -EUCLEAN,
/// -EOWNERDEAD, -EBADF and -EFAULT as madang_semaphore_set_operate(). Doesn't wait. Any thread may
/// call it at any time.
#[unsafe(no_mangle)]
pub extern "C" fn madang_semaphore_set_value(set: *mut madang_semaphore_set, index: u32) -> i64 {
    call("madang_semaphore_set_value", || Ok(pointer::opened(set)?.value(index)?.into()))
}

/// The values of all semaphores at one moment (GETALL). The first count of them are written to
/// values.
///
/// Returns how many the set has; with count 0, values may be NULL. Or what
/// madang_semaphore_set_value() returns. Doesn't wait. Any thread may call it at any time.
#[unsafe(no_mangle)]
pub extern "C" fn madang_semaphore_set_values(set: *mut madang_semaphore_set, values: *mut u32, count: usize) -> i64 {
    call("madang_semaphore_set_values", || {
        let set = pointer::opened(set)?;
        let room = pointer::array_mut(values, count, "values")?;
        let found = set.values()?;
        for (to, value) in room.iter_mut().zip(&found) {
            to.write(*value);
        }
        Ok(found.len() as i64)
    })
}

/// Sets the value of one semaphore (SETVAL). Nobody undoes anything on it any more.
///
/// Returns 0; -ERANGE if value is above max_value; else as madang_semaphore_set_value(). Doesn't
/// wait. Any thread may call it at any time.
#[unsafe(no_mangle)]
pub extern "C" fn madang_semaphore_set_set_value(set: *mut madang_semaphore_set, index: u32, value: u32) -> c_int {
    call("madang_semaphore_set_set_value", || {
        pointer::opened(set)?.set_value(index, value)?;
        Ok(0)
    })
}

/// Sets the values of all semaphores at once (SETALL); count is how many the set has. Nobody undoes
/// anything on them any more.
///
/// Returns 0; -EINVAL if count is another number; else as madang_semaphore_set_set_value(). Doesn't
/// wait. Any thread may call it at any time.
#[unsafe(no_mangle)]
pub extern "C" fn madang_semaphore_set_set_values(
    set: *mut madang_semaphore_set,
    values: *const u32,
    count: usize,
) -> c_int {
    call("madang_semaphore_set_set_values", || {
        let set = pointer::opened(set)?;
        set.set_values(pointer::array(values, count, "values")?)?;
        Ok(0)
    })
}

/// The process that changed the semaphore last, or found it 0, as its own pid namespace numbers it
/// (GETPID).
///
/// Returns its number, 0 if there was none; or what madang_semaphore_set_value() returns. Doesn't
/// wait. Any thread may call it at any time.
#[unsafe(no_mangle)]
pub extern "C" fn madang_semaphore_set_last_pid(set: *mut madang_semaphore_set, index: u32) -> i64 {
    call("madang_semaphore_set_last_pid", || Ok(pointer::opened(set)?.last_pid(index)?.into()))
}

/// How many living threads wait for the semaphore to grow (GETNCNT), and how many for it to become
/// 0 (GETZCNT). One that waits for several semaphores is counted where it is stuck. Either pointer
/// may be NULL.
///
/// Returns 0, or what madang_semaphore_set_value() returns. Doesn't wait. Any thread may call it at
/// any time.
#[unsafe(no_mangle)]
pub extern "C" fn madang_semaphore_set_waiting(
    set: *mut madang_semaphore_set,
    index: u32,
    to_grow: *mut u32,
    for_zero: *mut u32,
) -> c_int {
    call("madang_semaphore_set_waiting", || {
        let waiting = pointer::opened(set)?.waiting(index)?;
        pointer::put_number(to_grow, waiting.to_grow);
        pointer::put_number(for_zero, waiting.for_zero);
        Ok(0)
    })
}

/// Tells what the set is. Set status->struct_size before.
///
/// Returns 0, or -EINVAL if struct_size is not set, -EBADF if set was closed, -EFAULT if a pointer
/// is NULL, -EOWNERDEAD and -ENOENT as madang_semaphore_set_operate(). *status is written only on
/// success. Doesn't wait. Any thread may call it at any time.
#[unsafe(no_mangle)]
pub extern "C" fn madang_semaphore_set_stat(
    set: *mut madang_semaphore_set,
    status: *mut madang_semaphore_set_status,
) -> c_int {
    call("madang_semaphore_set_stat", || {
        let set = pointer::opened(set)?;
        let out = Out::required(status, "status")?;
        out.fill(&set.stat()?.into());
        Ok(0)
    })
}

/// Tells who takes part, as madang_queue_participants() does.
#[unsafe(no_mangle)]
pub extern "C" fn madang_semaphore_set_participants(
    set: *mut madang_semaphore_set,
    participants: *mut madang_participant,
    capacity: usize,
) -> i64 {
    call("madang_semaphore_set_participants", || {
        let set = pointer::opened(set)?;
        let outs = Outs::new(participants, capacity, "participants")?;
        Ok(outs.fill_all(set.participants()?.into_iter().map(madang_participant::from)))
    })
}

/// How many semaphores the set has.
///
/// Returns 1 to 65,536; -EBADF if the handle was closed, -EFAULT if it is NULL. Doesn't wait. Any
/// thread may call it at any time.
#[unsafe(no_mangle)]
pub extern "C" fn madang_semaphore_set_count(set: *const madang_semaphore_set) -> i64 {
    call("madang_semaphore_set_count", || Ok(pointer::opened(set)?.len().into()))
}

/// The name by which the set was opened.
///
/// Returns a text that is valid until the handle is closed, or NULL if the handle was closed or is
/// NULL (madang_last_error() tells). Doesn't wait. Any thread may call it at any time.
#[unsafe(no_mangle)]
pub extern "C" fn madang_semaphore_set_name(set: *const madang_semaphore_set) -> *const c_char {
    call("madang_semaphore_set_name", || pointer::name_of(set))
}

/// Whether this handle's open created the set.
///
/// Returns 1 or 0; -EBADF if the handle was closed, -EFAULT if it is NULL. So compare it with 1: the
/// errors are true, too. Doesn't wait. Any thread may call it at any time.
#[unsafe(no_mangle)]
pub extern "C" fn madang_semaphore_set_is_new(set: *const madang_semaphore_set) -> c_int {
    call("madang_semaphore_set_is_new", || Ok(pointer::opened(set)?.is_new().into()))
}

/// Closes the handle, and takes back what was done by it with MADANG_UNDO. The set lives on.
///
/// No other thread may be inside a call with this handle. Using it afterwards is -EBADF, until 1,024
/// more sets were closed by the process; then it is undefined.
///
/// Returns 0; -EBADF if it was closed before, -EFAULT if it is NULL. Doesn't wait.
#[unsafe(no_mangle)]
pub extern "C" fn madang_semaphore_set_close(set: *mut madang_semaphore_set) -> c_int {
    call("madang_semaphore_set_close", || pointer::close(set).map(|()| 0))
}

/// Takes the name away. Who has the set open goes on with it; its memory goes with the last of them.
/// The next open of the name creates a new set.
///
/// Returns what madang_queue_unlink() returns. Doesn't wait. Any thread may call it at any time.
#[unsafe(no_mangle)]
pub extern "C" fn madang_semaphore_set_unlink(name: *const c_char) -> c_int {
    call("madang_semaphore_set_unlink", || {
        SemaphoreSet::unlink(pointer::text(name)?)?;
        Ok(0)
    })
}
