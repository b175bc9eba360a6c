//! Sets of semaphores.

use std::ffi::c_void;
use std::slice;
use std::time::Duration;

use libc::{c_int, c_ushort, key_t, sembuf, semid_ds, size_t, timespec};
use madang_core::shared::sysv::limits::limits;
use madang_core::shared::sysv::sem;
use madang_core::{Error, Operation, Result};

use crate::{call, change, check, check_mut, highest, invalid, perm};

/// Commands of `semctl` that Linux adds.
const SEM_STAT: c_int = 18;
const SEM_INFO: c_int = 19;
const SEM_STAT_ANY: c_int = 20;

/// What an array on the stack has room for; longer ones are rare.
const FEW: usize = 8;

/// `struct seminfo`.
#[repr(C)]
struct Info {
    map: c_int,
    mni: c_int,
    mns: c_int,
    mnu: c_int,
    msl: c_int,
    opm: c_int,
    ume: c_int,
    usz: c_int,
    vmx: c_int,
    aem: c_int,
}

/// semget(2).
#[inline]
pub fn semget(key: key_t, count: c_int, flags: c_int) -> c_int {
    call(-1, || sem::semget(key, count, flags))
}

/// semop(2).
///
/// # Safety
/// at `operations` lie `count` of them.
#[inline]
pub unsafe fn semop(id: c_int, operations: *mut sembuf, count: size_t) -> c_int {
    // SAFETY: the caller's promise.
    call(-1, || unsafe { operate(id, operations, count, None) })
}

/// semtimedop(2).
///
/// # Safety
/// at `operations` lie `count` of them; `timeout` is null or a time.
#[inline]
pub unsafe fn semtimedop(id: c_int, operations: *mut sembuf, count: size_t, timeout: *const timespec) -> c_int {
    call(-1, || {
        let timeout = if timeout.is_null() {
            None
        } else {
            // SAFETY: the caller's promise.
            let time = unsafe { check(timeout)?.read_unaligned() };
            let bad = || invalid("semtimedop: no time");
            let nanoseconds = u32::try_from(time.tv_nsec).ok().filter(|&ns| ns < 1_000_000_000).ok_or_else(bad)?;
            Some(Duration::new(u64::try_from(time.tv_sec).map_err(|_| bad())?, nanoseconds))
        };
        // SAFETY: the caller's promise.
        unsafe { operate(id, operations, count, timeout) }
    })
}

/// # Safety
/// At `operations` lie `count` of them.
#[inline]
unsafe fn operate(id: c_int, operations: *const sembuf, count: usize, timeout: Option<Duration>) -> Result<c_int> {
    if count == 0 {
        return Err(invalid("semop: no operation"));
    }
    if count as u64 > limits().semopm {
        return Err(Error::new(libc::E2BIG, "semop: more operations than one call may do"));
    }
    // SAFETY: the caller's promise.
    let asked = unsafe { slice::from_raw_parts(check(operations)?, count) };
    let meant = |asked: &sembuf| Operation {
        index: asked.sem_num.into(),
        delta: asked.sem_op.into(),
        undo: c_int::from(asked.sem_flg) & libc::SEM_UNDO != 0,
        no_wait: c_int::from(asked.sem_flg) & libc::IPC_NOWAIT != 0,
    };
    if count <= FEW {
        let mut few = [Operation::zero(0); FEW];
        for (to, asked) in few.iter_mut().zip(asked) {
            *to = meant(asked);
        }
        sem::semop(id, &few[..count], timeout)?;
    } else {
        sem::semop(id, &asked.iter().map(meant).collect::<Vec<_>>(), timeout)?;
    }
    Ok(0)
}

/// semctl(2); `argument` is the `union semun`, a number or a pointer.
///
/// # Safety
/// `argument` is what `command` says.
#[inline]
pub unsafe fn semctl(id: c_int, index: c_int, command: c_int, argument: *mut c_void) -> c_int {
    // SAFETY: the caller's promise.
    call(-1, || unsafe { control(id, index, command, argument) })
}

/// # Safety
/// `argument` is what `command` says.
unsafe fn control(id: c_int, index: c_int, command: c_int, argument: *mut c_void) -> Result<c_int> {
    let at = || u32::try_from(index).map_err(|_| invalid("semctl: a negative index"));
    match command {
        libc::GETVAL => Ok(sem::value(id, at()?)? as c_int),
        libc::GETPID => Ok(sem::last_pid(id, at()?)? as c_int),
        libc::GETNCNT => Ok(sem::waiting(id, at()?)?.to_grow as c_int),
        libc::GETZCNT => Ok(sem::waiting(id, at()?)?.for_zero as c_int),
        // The union's number: its lowest bytes.
        libc::SETVAL => sem::set_value(id, at()?, argument as usize as c_int).map(|()| 0),
        libc::GETALL => {
            let values = sem::values(id)?;
            let to = check_mut(argument.cast::<c_ushort>())?;
            for (place, value) in values.into_iter().enumerate() {
                // SAFETY: the caller's promise.
                unsafe { to.add(place).write_unaligned(value as c_ushort) };
            }
            Ok(0)
        }
        libc::SETALL => {
            let from = check(argument.cast::<c_ushort>())?;
            // SAFETY: the caller's promise.
            let read = |place: u32| unsafe { from.add(place as usize).read_unaligned() };
            let values: Vec<_> = (0..sem::count(id)?).map(read).collect();
            sem::set_values(id, &values).map(|()| 0)
        }
        libc::IPC_STAT => {
            let told = sem::stat(id)?;
            // SAFETY: the caller's promise.
            unsafe { tell(&told, argument.cast()) }.map(|()| 0)
        }
        SEM_STAT | SEM_STAT_ANY => {
            let told = sem::stat_at(id, command == SEM_STAT_ANY)?;
            // SAFETY: the caller's promise.
            unsafe { tell(&told, argument.cast()) }?;
            Ok(told.permissions.id)
        }
        libc::IPC_SET => {
            // SAFETY: the caller's promise.
            let wanted = unsafe { check(argument.cast::<semid_ds>())?.read_unaligned() };
            sem::set(id, &change(&wanted.sem_perm)).map(|()| 0)
        }
        libc::IPC_RMID => sem::remove(id).map(|()| 0),
        libc::IPC_INFO | SEM_INFO => {
            let all = sem::identifiers()?;
            let info = info(command == SEM_INFO, &all);
            // SAFETY: the caller's promise: then a `struct seminfo`.
            unsafe { check_mut(argument.cast::<Info>())?.write_unaligned(info) };
            Ok(highest(&all))
        }
        _ => Err(invalid("semctl: there is no such command")),
    }
}

/// # Safety
/// `buffer` may be written.
unsafe fn tell(told: &sem::Status, buffer: *mut semid_ds) -> Result<()> {
    let buffer = check_mut(buffer)?;
    // SAFETY: integers only, for which 0 is valid.
    let mut filled: semid_ds = unsafe { std::mem::zeroed() };
    filled.sem_perm = perm(&told.permissions);
    filled.sem_otime = told.operated as _;
    filled.sem_ctime = told.changed as _;
    filled.sem_nsems = told.semaphores as _;
    // SAFETY: the caller's promise.
    unsafe { buffer.write_unaligned(filled) };
    Ok(())
}

fn info(counts: bool, all: &[i32]) -> Info {
    let limits = limits();
    let number = |value: u64| c_int::try_from(value).unwrap_or(c_int::MAX);
    let mut info = Info {
        map: number(limits.semmns),
        mni: number(limits.semmni),
        mns: number(limits.semmns),
        mnu: number(limits.semmns),
        msl: number(limits.semmsl),
        opm: number(limits.semopm),
        ume: number(limits.semopm),
        usz: 20,
        vmx: number(limits.semvmx),
        aem: number(limits.semvmx),
    };
    if counts {
        let told: Vec<_> = (0..all.len() as c_int).filter_map(|index| sem::stat_at(index, true).ok()).collect();
        info.usz = number(told.len() as u64);
        info.aem = number(told.iter().map(|told| u64::from(told.semaphores)).sum());
    }
    info
}
