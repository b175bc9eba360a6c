//! `madang_msgget` and the other calls of System V, served from shared memory: one call each into `capi/calls`.

#![allow(clippy::not_unsafe_ptr_arg_deref, reason = "nobody calls them but C")]

use std::ffi::{c_int, c_long, c_void};

use libc::{msqid_ds, sembuf, shmid_ds, size_t, ssize_t, timespec};
use madang_calls::{msg, sem, shm};

/// msgget(2), served from shared memory: what it makes is a queue, the file
/// madang.queue.sysv.id.<id> and, with a key, madang.queue.sysv.key.<key> in /dev/shm (both in
/// hexadecimal), which madang_queue_open() opens by the name "sysv.key.<key>".
///
/// Returns an identifier, or -1 and errno as the man page says; EBUSY if who is just removing what
/// had the key doesn't get on for a second, for which it waits. Any thread may call it at any time.
#[unsafe(no_mangle)]
pub extern "C" fn madang_msgget(key: c_int, msgflg: c_int) -> c_int {
    msg::msgget(key, msgflg)
}

/// msgsnd(2), served from shared memory. Waits while the queue is full, unless msgflg has
/// IPC_NOWAIT; a signal handler ends that with EINTR.
///
/// Returns 0, or -1 and errno. Any thread may call it at any time.
#[unsafe(no_mangle)]
pub extern "C" fn madang_msgsnd(msqid: c_int, msgp: *const c_void, msgsz: size_t, msgflg: c_int) -> c_int {
    // SAFETY: by the contract, as the man page says.
    unsafe { msg::msgsnd(msqid, msgp, msgsz, msgflg) }
}

/// msgrcv(2), served from shared memory. Waits while there is no such message, unless msgflg has
/// IPC_NOWAIT; a signal handler ends that with EINTR.
///
/// Returns the length, or -1 and errno. Any thread may call it at any time.
#[unsafe(no_mangle)]
pub extern "C" fn madang_msgrcv(
    msqid: c_int,
    msgp: *mut c_void,
    msgsz: size_t,
    msgtyp: c_long,
    msgflg: c_int,
) -> ssize_t {
    // SAFETY: as above.
    unsafe { msg::msgrcv(msqid, msgp, msgsz, msgtyp, msgflg) }
}

/// msgctl(2), served from shared memory: IPC_STAT, IPC_SET, IPC_RMID, IPC_INFO, MSG_INFO, MSG_STAT,
/// MSG_STAT_ANY. Returns what the man page says, or -1 and errno. Doesn't wait. Any thread may call
/// it at any time.
#[unsafe(no_mangle)]
pub extern "C" fn madang_msgctl(msqid: c_int, cmd: c_int, buf: *mut msqid_ds) -> c_int {
    // SAFETY: as above.
    unsafe { msg::msgctl(msqid, cmd, buf) }
}

/// semget(2), served from shared memory: what it makes is a set, the file
/// madang.semaphores.sysv.id.<id> and, with a key, madang.semaphores.sysv.key.<key>, which
/// madang_semaphore_set_open() opens by the name "sysv.key.<key>".
///
/// Returns an identifier, or -1 and errno as the man page says; EBUSY if who is just removing what
/// had the key doesn't get on for a second, for which it waits. Any thread may call it at any time.
#[unsafe(no_mangle)]
pub extern "C" fn madang_semget(key: c_int, nsems: c_int, semflg: c_int) -> c_int {
    sem::semget(key, nsems, semflg)
}

/// semop(2), served from shared memory. Returns 0, or -1 and errno. Waits as the man page says; a
/// signal handler ends that with EINTR. Any thread may call it at any time.
#[unsafe(no_mangle)]
pub extern "C" fn madang_semop(semid: c_int, sops: *mut sembuf, nsops: size_t) -> c_int {
    // SAFETY: as above.
    unsafe { sem::semop(semid, sops, nsops) }
}

/// semtimedop(2), served from shared memory: as madang_semop(), but it waits no longer than timeout
/// says, if that isn't NULL; then -1 and EAGAIN.
#[unsafe(no_mangle)]
pub extern "C" fn madang_semtimedop(semid: c_int, sops: *mut sembuf, nsops: size_t, timeout: *const timespec) -> c_int {
    // SAFETY: as above.
    unsafe { sem::semtimedop(semid, sops, nsops, timeout) }
}

/// semctl(2), served from shared memory. arg is the union semun of the man page: the number, as
/// (void *)(intptr_t)val, or the pointer; NULL where none is needed. Returns what the man page says,
/// or -1 and errno. Doesn't wait. Any thread may call it at any time.
#[unsafe(no_mangle)]
pub extern "C" fn madang_semctl(semid: c_int, semnum: c_int, cmd: c_int, arg: *mut c_void) -> c_int {
    // SAFETY: as above.
    unsafe { sem::semctl(semid, semnum, cmd, arg) }
}

/// shmget(2), served from shared memory: what it makes is the file madang.memory.sysv.id.<id> and,
/// with a key, madang.memory.sysv.key.<key>, in which the memory begins at 64 KiB.
///
/// Returns an identifier, or -1 and errno as the man page says; EBUSY if who is just removing what
/// had the key doesn't get on for a second, for which it waits. Any thread may call it at any time.
#[unsafe(no_mangle)]
pub extern "C" fn madang_shmget(key: c_int, size: size_t, shmflg: c_int) -> c_int {
    shm::shmget(key, size, shmflg)
}

/// shmat(2), served from shared memory. Returns an address, or (void *)-1 and errno. Doesn't wait.
/// Any thread may call it at any time.
#[unsafe(no_mangle)]
pub extern "C" fn madang_shmat(shmid: c_int, shmaddr: *const c_void, shmflg: c_int) -> *mut c_void {
    shm::shmat(shmid, shmaddr, shmflg)
}

/// shmdt(2), for what madang_shmat() attached. Returns 0, or -1 and errno. Doesn't wait. Any thread
/// may call it at any time.
#[unsafe(no_mangle)]
pub extern "C" fn madang_shmdt(shmaddr: *const c_void) -> c_int {
    shm::shmdt(shmaddr)
}

/// shmctl(2), served from shared memory: IPC_STAT, IPC_SET, IPC_RMID, IPC_INFO, SHM_INFO, SHM_STAT,
/// SHM_STAT_ANY, SHM_LOCK, SHM_UNLOCK.
///
/// Returns what the man page says, or -1 and errno. Doesn't wait. Any thread may call it at any
/// time.
#[unsafe(no_mangle)]
pub extern "C" fn madang_shmctl(shmid: c_int, cmd: c_int, buf: *mut shmid_ds) -> c_int {
    // SAFETY: as above.
    unsafe { shm::shmctl(shmid, cmd, buf) }
}
