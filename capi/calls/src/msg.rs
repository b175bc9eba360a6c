//! Message queues.

use std::ffi::{c_long, c_void};
use std::mem::MaybeUninit;
use std::slice;

use libc::{c_int, c_ushort, key_t, msqid_ds, size_t, ssize_t};
use madang_core::Result;
use madang_core::shared::sysv::limits::limits;
use madang_core::shared::sysv::msg;

use crate::{call, change, check, check_mut, highest, invalid, perm};

/// Commands of `msgctl` that Linux adds.
const MSG_STAT: c_int = 11;
const MSG_INFO: c_int = 12;
const MSG_STAT_ANY: c_int = 13;

/// `struct msginfo`.
#[repr(C)]
struct Info {
    pool: c_int,
    map: c_int,
    max: c_int,
    mnb: c_int,
    mni: c_int,
    ssz: c_int,
    tql: c_int,
    seg: c_ushort,
}

/// msgget(2).
#[inline]
pub fn msgget(key: key_t, flags: c_int) -> c_int {
    call(-1, || msg::msgget(key, flags))
}

/// msgsnd(2).
///
/// # Safety
/// at `message` lie a `long` and `length` bytes.
#[inline]
pub unsafe fn msgsnd(id: c_int, message: *const c_void, length: size_t, flags: c_int) -> c_int {
    call(-1, || {
        let message = check(message.cast::<c_long>())?;
        if length > isize::MAX as usize {
            return Err(invalid("msgsnd: no message is so long"));
        }
        // SAFETY: the caller's promise.
        let (mtype, data) = unsafe { (message.read_unaligned(), slice::from_raw_parts(message.add(1).cast(), length)) };
        msg::msgsnd(id, mtype.into(), data, flags)?;
        Ok(0)
    })
}

/// msgrcv(2).
///
/// # Safety
/// at `message` there is room for a `long` and `length` bytes.
#[inline]
pub unsafe fn msgrcv(id: c_int, message: *mut c_void, length: size_t, msgtyp: c_long, flags: c_int) -> ssize_t {
    call(-1, || {
        let message = check_mut(message.cast::<c_long>())?;
        if length > isize::MAX as usize {
            return Err(invalid("msgrcv: no message is so long"));
        }
        // SAFETY: the caller's promise.
        let buffer = unsafe { slice::from_raw_parts_mut(message.add(1).cast::<MaybeUninit<u8>>(), length) };
        let (length, mtype) = msg::msgrcv(id, buffer, msgtyp.into(), flags)?;
        // SAFETY: the caller's promise.
        unsafe { message.write_unaligned(mtype as c_long) };
        Ok(length as ssize_t)
    })
}

/// msgctl(2).
///
/// # Safety
/// at `buffer` lies what `command` reads or fills.
#[inline]
pub unsafe fn msgctl(id: c_int, command: c_int, buffer: *mut msqid_ds) -> c_int {
    call(-1, || match command {
        libc::IPC_STAT => {
            let told = msg::stat(id)?;
            // SAFETY: the caller's promise.
            unsafe { tell(&told, buffer) }.map(|()| 0)
        }
        MSG_STAT | MSG_STAT_ANY => {
            let told = msg::stat_at(id, command == MSG_STAT_ANY)?;
            // SAFETY: the caller's promise.
            unsafe { tell(&told, buffer) }?;
            Ok(told.permissions.id)
        }
        libc::IPC_SET => {
            // SAFETY: the caller's promise.
            let wanted = unsafe { check(buffer)?.read_unaligned() };
            msg::set(id, &change(&wanted.msg_perm), wanted.msg_qbytes as u64)?;
            Ok(0)
        }
        libc::IPC_RMID => msg::remove(id).map(|()| 0),
        libc::IPC_INFO | MSG_INFO => {
            let all = msg::identifiers()?;
            let info = info(command == MSG_INFO, &all);
            // SAFETY: the caller's promise: then a `struct msginfo`.
            unsafe { check_mut(buffer.cast::<Info>())?.write_unaligned(info) };
            Ok(highest(&all))
        }
        _ => Err(invalid("msgctl: there is no such command")),
    })
}

/// # Safety
/// `buffer` may be written.
unsafe fn tell(told: &msg::Status, buffer: *mut msqid_ds) -> Result<()> {
    let buffer = check_mut(buffer)?;
    // SAFETY: integers only, for which 0 is valid.
    let mut filled: msqid_ds = unsafe { std::mem::zeroed() };
    filled.msg_perm = perm(&told.permissions);
    filled.msg_stime = told.sent as _;
    filled.msg_rtime = told.received as _;
    filled.msg_ctime = told.changed as _;
    filled.__msg_cbytes = told.bytes as _;
    filled.msg_qnum = told.messages as _;
    filled.msg_qbytes = told.limit as _;
    filled.msg_lspid = told.sender as _;
    filled.msg_lrpid = told.receiver as _;
    // SAFETY: the caller's promise.
    unsafe { buffer.write_unaligned(filled) };
    Ok(())
}

fn info(counts: bool, all: &[i32]) -> Info {
    let limits = limits();
    let number = |value: u64| c_int::try_from(value).unwrap_or(c_int::MAX);
    let mut info = Info {
        pool: number(limits.msgmni.saturating_mul(limits.msgmnb) / 1024),
        map: number(limits.msgmnb),
        max: number(limits.msgmax),
        mnb: number(limits.msgmnb),
        mni: number(limits.msgmni),
        ssz: 16,
        tql: number(limits.msgmnb),
        seg: 0xffff,
    };
    if counts {
        let told: Vec<_> = (0..all.len() as c_int).filter_map(|index| msg::stat_at(index, true).ok()).collect();
        info.pool = number(told.len() as u64);
        info.map = number(told.iter().map(|told| told.messages).sum());
        info.tql = number(told.iter().map(|told| told.bytes).sum());
    }
    info
}
