//! `libmadang-sysv.so`: exports System V's twelve calls and nothing else, served from shared memory.
//!
//! ```text
//! LD_PRELOAD=libmadang-sysv.so program      any dynamically linked program, as it is
//! ```
//!
//! What they do stands in `capi/calls`. Nothing here needs a constructor: a call may come before any has run.

use std::ffi::{c_int, c_long, c_void};

use libc::{key_t, msqid_ds, sembuf, shmid_ds, size_t, ssize_t, timespec};
use madang_calls::{msg, sem, shm};

/// Each as the man page of its name says.
macro_rules! exports {
    ($($module:ident: $name:ident($($argument:ident: $type:ty),*) -> $returned:ty;)*) => {$(
        /// # Safety
        /// As its man page says.
        #[unsafe(no_mangle)]
        unsafe extern "C" fn $name($($argument: $type),*) -> $returned {
            #[allow(unused_unsafe, reason = "some can be passed nothing bad")]
            // SAFETY: the caller's promise.
            unsafe { $module::$name($($argument),*) }
        }
    )*};
}

exports! {
    msg: msgget(key: key_t, flags: c_int) -> c_int;
    msg: msgsnd(id: c_int, message: *const c_void, length: size_t, flags: c_int) -> c_int;
    msg: msgrcv(id: c_int, message: *mut c_void, length: size_t, msgtyp: c_long, flags: c_int) -> ssize_t;
    msg: msgctl(id: c_int, command: c_int, buffer: *mut msqid_ds) -> c_int;
    sem: semget(key: key_t, count: c_int, flags: c_int) -> c_int;
    sem: semop(id: c_int, operations: *mut sembuf, count: size_t) -> c_int;
    sem: semtimedop(id: c_int, operations: *mut sembuf, count: size_t, timeout: *const timespec) -> c_int;
    // In C its fourth argument is a `union semun`, if there is one: a number or a pointer. It comes where a fourth argument of this type
    // would, on all architectures that we know.
    sem: semctl(id: c_int, index: c_int, command: c_int, argument: *mut c_void) -> c_int;
    shm: shmget(key: key_t, size: size_t, flags: c_int) -> c_int;
    shm: shmat(id: c_int, address: *const c_void, flags: c_int) -> *mut c_void;
    shm: shmdt(address: *const c_void) -> c_int;
    shm: shmctl(id: c_int, command: c_int, buffer: *mut shmid_ds) -> c_int;
}

/// Called by the loader when the program ends.
#[used]
#[unsafe(link_section = ".fini_array")]
static AT_EXIT: extern "C" fn() = at_exit;

extern "C" fn at_exit() {
    madang_calls::end();
}
