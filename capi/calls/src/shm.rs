//! Shared memory.

use std::ffi::{c_ulong, c_void};

use libc::{c_int, c_ushort, key_t, shmid_ds, size_t};
use madang_core::Result;
use madang_core::shared::sysv::limits::limits;
use madang_core::shared::sysv::shm;

use crate::{call, change, check, check_mut, highest, invalid, perm};

/// Commands of `shmctl` that Linux adds.
const SHM_LOCK: c_int = 11;
const SHM_UNLOCK: c_int = 12;
const SHM_STAT: c_int = 13;
const SHM_INFO: c_int = 14;
const SHM_STAT_ANY: c_int = 15;

/// A bit of `shm_perm.mode`: it was removed, and goes with its last attachment.
const SHM_DEST: c_ushort = 0o1000;
/// Another: it is locked.
const SHM_LOCKED: c_ushort = 0o2000;

/// `struct shminfo`.
#[repr(C)]
struct Limits {
    max: c_ulong,
    min: c_ulong,
    mni: c_ulong,
    seg: c_ulong,
    all: c_ulong,
    _unused: [c_ulong; 4],
}

/// `struct shm_info`.
#[repr(C)]
struct Used {
    ids: c_int,
    total: c_ulong,
    resident: c_ulong,
    swapped: c_ulong,
    attempts: c_ulong,
    successes: c_ulong,
}

/// shmget(2).
#[inline]
pub fn shmget(key: key_t, size: size_t, flags: c_int) -> c_int {
    call(-1, || shm::shmget(key, size, flags))
}

/// shmat(2).
#[inline]
pub fn shmat(id: c_int, address: *const c_void, flags: c_int) -> *mut c_void {
    let failed = usize::MAX as *mut c_void;
    call(failed, || Ok(shm::shmat(id, address as usize, flags)? as *mut c_void))
}

/// shmdt(2).
#[inline]
pub fn shmdt(address: *const c_void) -> c_int {
    call(-1, || shm::shmdt(address as usize).map(|()| 0))
}

/// shmctl(2).
///
/// # Safety
/// at `buffer` lies what `command` reads or fills.
#[inline]
pub unsafe fn shmctl(id: c_int, command: c_int, buffer: *mut shmid_ds) -> c_int {
    call(-1, || match command {
        libc::IPC_STAT => {
            let told = shm::stat(id)?;
            // SAFETY: the caller's promise.
            unsafe { tell(&told, buffer) }.map(|()| 0)
        }
        SHM_STAT | SHM_STAT_ANY => {
            let told = shm::stat_at(id, command == SHM_STAT_ANY)?;
            // SAFETY: the caller's promise.
            unsafe { tell(&told, buffer) }?;
            Ok(told.permissions.id)
        }
        libc::IPC_SET => {
            // SAFETY: the caller's promise.
            let wanted = unsafe { check(buffer)?.read_unaligned() };
            shm::set(id, &change(&wanted.shm_perm)).map(|()| 0)
        }
        libc::IPC_RMID => shm::remove(id).map(|()| 0),
        SHM_LOCK | SHM_UNLOCK => shm::lock(id, command == SHM_LOCK).map(|()| 0),
        libc::IPC_INFO => {
            let limits = limits();
            let number = |value: u64| c_ulong::try_from(value).unwrap_or(c_ulong::MAX);
            let (max, mni, all) = (number(limits.shmmax), number(limits.shmmni), number(limits.shmall));
            let info = Limits { max, min: 1, mni, seg: mni, all, _unused: [0; 4] };
            // SAFETY: the caller's promise: then a `struct shminfo`.
            unsafe { check_mut(buffer.cast::<Limits>())?.write_unaligned(info) };
            Ok(highest(&shm::identifiers()?))
        }
        SHM_INFO => {
            let all = shm::identifiers()?;
            let told: Vec<_> = (0..all.len() as c_int).filter_map(|index| shm::stat_at(index, true).ok()).collect();
            let page = page_size();
            let pages = |bytes: u64| bytes.div_ceil(page) as c_ulong;
            let used = Used {
                ids: told.len() as c_int,
                total: told.iter().map(|told| pages(told.size)).sum(),
                resident: told.iter().map(|told| pages(told.allocated)).sum(),
                swapped: 0,
                attempts: 0,
                successes: 0,
            };
            // SAFETY: the caller's promise: then a `struct shm_info`.
            unsafe { check_mut(buffer.cast::<Used>())?.write_unaligned(used) };
            Ok(highest(&all))
        }
        _ => Err(invalid("shmctl: there is no such command")),
    })
}

fn page_size() -> u64 {
    // SAFETY: no memory is passed; the name exists on every Linux.
    unsafe { libc::sysconf(libc::_SC_PAGESIZE) as u64 }
}

/// # Safety
/// `buffer` may be written.
unsafe fn tell(told: &shm::Status, buffer: *mut shmid_ds) -> Result<()> {
    let buffer = check_mut(buffer)?;
    // SAFETY: integers only, for which 0 is valid.
    let mut filled: shmid_ds = unsafe { std::mem::zeroed() };
    filled.shm_perm = perm(&told.permissions);
    for (set, bit) in [(told.removed, SHM_DEST), (told.locked, SHM_LOCKED)] {
        filled.shm_perm.mode |= if set { bit } else { 0 };
    }
    filled.shm_segsz = told.size as _;
    filled.shm_atime = told.attached as _;
    filled.shm_dtime = told.detached as _;
    filled.shm_ctime = told.changed as _;
    filled.shm_cpid = told.creator as _;
    filled.shm_lpid = told.last as _;
    filled.shm_nattch = told.attachments as _;
    // SAFETY: the caller's promise.
    unsafe { buffer.write_unaligned(filled) };
    Ok(())
}
