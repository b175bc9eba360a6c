//! The calls of System V IPC (sysvipc(7)), through libc: msgget(2), shmget(2), semget(2) and their kin.

#![allow(
    clippy::unnecessary_cast,
    clippy::useless_conversion,
    clippy::cast_lossless,
    reason = "the C library's numbers are of other sizes on other machines"
)]

use std::ffi::{c_int, c_long};
use std::mem::MaybeUninit;
use std::ptr::NonNull;
use std::time::Duration;

use super::{Errno, check};

/// Only of what exists in the tables of every user, since Linux 4.17; libc has no names for all of them.
const MSG_STAT_ANY: c_int = 13;
const SHM_STAT_ANY: c_int = 15;
const SEM_STAT_ANY: c_int = 20;
const MSG_STAT: c_int = 11;
const SHM_STAT: c_int = 13;
const SEM_STAT: c_int = 18;
const MSG_INFO: c_int = 12;
const SHM_INFO: c_int = 14;
const SEM_INFO: c_int = 19;
const IPC_INFO: c_int = 3;

/// Whom [`msg_stat_index`] and its like show.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Whose {
    /// Every object (`…_STAT_ANY`); `EINVAL` before Linux 4.17.
    All,
    /// What the caller may read (`…_STAT`).
    Readable,
}

fn number(returned: c_int) -> Result<i32, Errno> {
    check(returned.into()).map(|value| value as i32)
}

/// All zero, which is valid for each of the kernel's structs here: they are integers.
///
/// # Safety
/// `T` consists of integers.
unsafe fn zeroed<T>() -> T {
    // SAFETY: the caller's promise.
    unsafe { MaybeUninit::zeroed().assume_init() }
}

// Message queues ------------------------------------------------------------------------------------------------------

/// How many bytes of a message are copied on the stack; longer ones on the heap. What `kernel.msgmax` is by default.
pub(crate) const SMALL: usize = 8192;

/// A message as the kernel has it: a `long`, which is the type, and then the bytes.
#[repr(C)]
struct Small {
    mtype: c_long,
    bytes: [MaybeUninit<u8>; SMALL],
}

const HEAD: usize = size_of::<c_long>();
const _: () = assert!(std::mem::offset_of!(Small, bytes) == HEAD);

/// Room for a type and `length` bytes, as long as `work` runs.
#[inline]
fn with_packed<T>(length: usize, work: impl FnOnce(NonNull<c_long>) -> T) -> T {
    let (mut small, mut large);
    let at = if length <= SMALL {
        // Not initialised: to fill it would cost more than most messages.
        small = MaybeUninit::<Small>::uninit();
        NonNull::from(&mut small).cast()
    } else {
        // Of longs, so that it is aligned.
        large = Vec::<MaybeUninit<c_long>>::with_capacity(1 + length.div_ceil(HEAD));
        NonNull::from(large.spare_capacity_mut()).cast()
    };
    // Called in one place, so that the compiler puts it there: a return that follows a system call is mispredicted.
    work(at)
}

/// A message to be sent.
pub(crate) struct Message {
    at: NonNull<c_long>,
    length: usize,
}

/// Puts the type and the bytes one after the other, as the kernel wants them.
#[inline]
pub(crate) fn with_message<T>(mtype: c_long, data: &[u8], work: impl FnOnce(&Message) -> T) -> T {
    with_packed(data.len(), |at| {
        // SAFETY: there is room for the type and so many bytes, which nobody else knows.
        unsafe {
            at.write(mtype);
            at.add(1).cast().copy_from_nonoverlapping(NonNull::from(data).cast::<u8>(), data.len());
        }
        work(&Message { at, length: data.len() })
    })
}

impl Message {
    /// msgsnd(2).
    pub(crate) fn send(&self, id: i32, flags: i32) -> Result<(), Errno> {
        // SAFETY: the type and `length` bytes lie there: `with_message` has put them there, and it still runs.
        number(unsafe { libc::msgsnd(id, self.at.as_ptr().cast(), self.length, flags) }).map(drop)
    }
}

/// Room for a message to be received.
pub(crate) struct Room {
    at: NonNull<c_long>,
    capacity: usize,
    /// How many bytes came, if any message did.
    filled: Option<usize>,
}

/// Makes room for a message of at most `capacity` bytes.
#[inline]
pub(crate) fn with_room<T>(capacity: usize, work: impl FnOnce(&mut Room) -> T) -> T {
    with_packed(capacity, |at| work(&mut Room { at, capacity, filled: None }))
}

impl Room {
    /// msgrcv(2).
    pub(crate) fn recv(&mut self, id: i32, msgtyp: c_long, flags: i32) -> Result<(), Errno> {
        // SAFETY: there is room for the type and so many bytes: `with_room` has made it, and it still runs.
        let got = unsafe { libc::msgrcv(id, self.at.as_ptr().cast(), self.capacity, msgtyp, flags) };
        self.filled = Some(check(got as c_long)? as usize);
        Ok(())
    }

    /// The message that was received: its type and its bytes.
    pub(crate) fn message(&self) -> Option<(i64, &[u8])> {
        let length = self.filled?;
        // SAFETY: the kernel has written the type and so many bytes there.
        unsafe {
            let bytes = std::slice::from_raw_parts(self.at.add(1).cast().as_ptr(), length);
            Some((self.at.read() as i64, bytes))
        }
    }
}

/// msgget(2).
pub(crate) fn msg_get(key: i32, flags: i32) -> Result<i32, Errno> {
    // SAFETY: no memory is passed.
    number(unsafe { libc::msgget(key, flags) })
}

/// `IPC_STAT`, `MSG_STAT` and `MSG_STAT_ANY` of msgctl(2).
fn msg_ctl_stat(id: i32, command: c_int) -> Result<(i32, libc::msqid_ds), Errno> {
    // SAFETY: a struct of integers, valid for the call that fills it.
    unsafe {
        let mut stat: libc::msqid_ds = zeroed();
        let returned = number(libc::msgctl(id, command, &raw mut stat))?;
        Ok((returned, stat))
    }
}

pub(crate) fn msg_stat(id: i32) -> Result<libc::msqid_ds, Errno> {
    msg_ctl_stat(id, libc::IPC_STAT).map(|(_, stat)| stat)
}

/// What stands at an index of the kernel's table, and its identifier.
pub(crate) fn msg_stat_index(index: i32, whose: Whose) -> Result<(i32, libc::msqid_ds), Errno> {
    msg_ctl_stat(index, if matches!(whose, Whose::All) { MSG_STAT_ANY } else { MSG_STAT })
}

/// `IPC_SET`: takes uid, gid, mode and msg_qbytes.
pub(crate) fn msg_set(id: i32, mut stat: libc::msqid_ds) -> Result<(), Errno> {
    // SAFETY: a valid struct, which is read.
    number(unsafe { libc::msgctl(id, libc::IPC_SET, &raw mut stat) }).map(drop)
}

pub(crate) fn msg_remove(id: i32) -> Result<(), Errno> {
    // SAFETY: no memory is passed.
    number(unsafe { libc::msgctl(id, libc::IPC_RMID, std::ptr::null_mut()) }).map(drop)
}

/// `struct msginfo` of <sys/msg.h>.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub(crate) struct MsgInfo {
    pub(crate) msgpool: c_int,
    pub(crate) msgmap: c_int,
    pub(crate) msgmax: c_int,
    pub(crate) msgmnb: c_int,
    pub(crate) msgmni: c_int,
    pub(crate) msgssz: c_int,
    pub(crate) msgtql: c_int,
    pub(crate) msgseg: u16,
}

fn msg_info_of(command: c_int) -> Result<(i32, MsgInfo), Errno> {
    // SAFETY: a struct of integers; for these commands the kernel writes a msginfo (msgctl(2)).
    unsafe {
        let mut info: MsgInfo = zeroed();
        let highest = number(libc::msgctl(0, command, (&raw mut info).cast()))?;
        Ok((highest, info))
    }
}

/// The limits (`IPC_INFO`).
pub(crate) fn msg_limits() -> Result<MsgInfo, Errno> {
    msg_info_of(IPC_INFO).map(|(_, info)| info)
}

/// The highest index in use, and how much there is (`MSG_INFO`): queues in `msgpool`, messages in `msgmap`, bytes in `msgtql`.
pub(crate) fn msg_info() -> Result<(i32, MsgInfo), Errno> {
    msg_info_of(MSG_INFO)
}

// Shared memory -------------------------------------------------------------------------------------------------------

/// shmget(2).
pub(crate) fn shm_get(key: i32, size: usize, flags: i32) -> Result<i32, Errno> {
    // SAFETY: no memory is passed.
    number(unsafe { libc::shmget(key, size, flags) })
}

/// shmat(2). The address is the caller's wish, 0 is none; without `SHM_REMAP`, which isn't passed on, what is mapped already is
/// never replaced.
pub(crate) fn shm_attach(id: i32, address: usize, flags: i32) -> Result<NonNull<u8>, Errno> {
    // SAFETY: without SHM_REMAP a new mapping is made, which aliases nothing of Rust's.
    let at = unsafe { libc::shmat(id, std::ptr::without_provenance(address), flags & !libc::SHM_REMAP) };
    if at.addr() == usize::MAX { Err(Errno::last()) } else { NonNull::new(at.cast()).ok_or(Errno(libc::ENOMEM)) }
}

/// shmdt(2).
///
/// # Safety
/// The caller owns the attachment that begins at `address`, and nothing refers to it any more.
pub(crate) unsafe fn shm_detach(address: NonNull<u8>) {
    // SAFETY: the caller's promise. It can't fail for what is attached.
    unsafe { libc::shmdt(address.as_ptr().cast()) };
}

fn shm_ctl_stat(id: i32, command: c_int) -> Result<(i32, libc::shmid_ds), Errno> {
    // SAFETY: a struct of integers, valid for the call that fills it.
    unsafe {
        let mut stat: libc::shmid_ds = zeroed();
        let returned = number(libc::shmctl(id, command, &raw mut stat))?;
        Ok((returned, stat))
    }
}

pub(crate) fn shm_stat(id: i32) -> Result<libc::shmid_ds, Errno> {
    shm_ctl_stat(id, libc::IPC_STAT).map(|(_, stat)| stat)
}

/// As [`msg_stat_index`].
pub(crate) fn shm_stat_index(index: i32, whose: Whose) -> Result<(i32, libc::shmid_ds), Errno> {
    shm_ctl_stat(index, if matches!(whose, Whose::All) { SHM_STAT_ANY } else { SHM_STAT })
}

/// `IPC_SET`: takes uid, gid and mode.
pub(crate) fn shm_set(id: i32, mut stat: libc::shmid_ds) -> Result<(), Errno> {
    // SAFETY: a valid struct, which is read.
    number(unsafe { libc::shmctl(id, libc::IPC_SET, &raw mut stat) }).map(drop)
}

/// `SHM_LOCK`, `SHM_UNLOCK`.
pub(crate) fn shm_lock(id: i32, locks: bool) -> Result<(), Errno> {
    let command = if locks { libc::SHM_LOCK } else { libc::SHM_UNLOCK };
    // SAFETY: no memory is passed.
    number(unsafe { libc::shmctl(id, command, std::ptr::null_mut()) }).map(drop)
}

pub(crate) fn shm_remove(id: i32) -> Result<(), Errno> {
    // SAFETY: no memory is passed.
    number(unsafe { libc::shmctl(id, libc::IPC_RMID, std::ptr::null_mut()) }).map(drop)
}

/// `struct shminfo` of <sys/shm.h>.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub(crate) struct ShmLimits {
    pub(crate) shmmax: libc::c_ulong,
    pub(crate) shmmin: libc::c_ulong,
    pub(crate) shmmni: libc::c_ulong,
    pub(crate) shmseg: libc::c_ulong,
    pub(crate) shmall: libc::c_ulong,
    unused: [libc::c_ulong; 4],
}

pub(crate) fn shm_limits() -> Result<ShmLimits, Errno> {
    // SAFETY: a struct of integers; for this command the kernel writes a shminfo (shmctl(2)).
    unsafe {
        let mut limits: ShmLimits = zeroed();
        number(libc::shmctl(0, IPC_INFO, (&raw mut limits).cast()))?;
        Ok(limits)
    }
}

/// `struct shm_info` of <sys/shm.h>; in pages.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub(crate) struct ShmInfo {
    pub(crate) used_ids: c_int,
    pub(crate) shm_tot: libc::c_ulong,
    pub(crate) shm_rss: libc::c_ulong,
    pub(crate) shm_swp: libc::c_ulong,
    swap_attempts: libc::c_ulong,
    swap_successes: libc::c_ulong,
}

/// The highest index in use, and how much there is.
pub(crate) fn shm_info() -> Result<(i32, ShmInfo), Errno> {
    // SAFETY: a struct of integers; for this command the kernel writes a shm_info (shmctl(2)).
    unsafe {
        let mut info: ShmInfo = zeroed();
        let highest = number(libc::shmctl(0, SHM_INFO, (&raw mut info).cast()))?;
        Ok((highest, info))
    }
}

// Semaphores ----------------------------------------------------------------------------------------------------------

/// semget(2).
pub(crate) fn sem_get(key: i32, count: i32, flags: i32) -> Result<i32, Errno> {
    // SAFETY: no memory is passed.
    number(unsafe { libc::semget(key, count, flags) })
}

// Which the libc crate doesn't have; every C library for Linux does.
unsafe extern "C" {
    fn semtimedop(
        id: c_int,
        operations: *mut libc::sembuf,
        count: libc::size_t,
        timeout: *const libc::timespec,
    ) -> c_int;
}

/// One operation on one semaphore of a set: `struct sembuf` (semop(2)).
///
/// ```
/// use madang::sysv::sem::Op;
///
/// let take_two_of_the_first = Op::add(0, -2).undo();
/// let wait_for_zero = Op::zero(1).no_wait();
/// assert_eq!((take_two_of_the_first.delta, wait_for_zero.index), (-2, 1));
/// ```
// The kernel reads it as it stands in the caller's memory.
#[doc(alias = "sembuf")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(C)]
pub struct Op {
    /// Which semaphore, from 0.
    pub index: u16,
    /// Above 0: is added. Below 0: is taken, once there is as much. 0: waits until the value is 0.
    pub delta: i16,
    /// 0, [`NO_WAIT`](Self::NO_WAIT), [`UNDO`](Self::UNDO), or both with `|`.
    pub flags: u16,
}

const _: () = {
    use std::mem::offset_of;
    assert!(size_of::<Op>() == size_of::<libc::sembuf>() && align_of::<Op>() == align_of::<libc::sembuf>());
    assert!(offset_of!(Op, index) == offset_of!(libc::sembuf, sem_num));
    assert!(offset_of!(Op, delta) == offset_of!(libc::sembuf, sem_op));
    assert!(offset_of!(Op, flags) == offset_of!(libc::sembuf, sem_flg));
};

/// semop(2), or with a time-out semtimedop(2).
#[inline]
pub(crate) fn sem_operate(id: i32, operations: &[Op], timeout: Option<Duration>) -> Result<(), Errno> {
    let (at, count) = (operations.as_ptr().cast_mut().cast::<libc::sembuf>(), operations.len());
    let Some(timeout) = timeout else {
        // SAFETY: the operations are valid, laid out as the kernel has them, and only read.
        return number(unsafe { libc::semop(id, at, count) }).map(drop);
    };
    let time = libc::timespec {
        tv_sec: timeout.as_secs().try_into().unwrap_or(libc::time_t::MAX),
        tv_nsec: timeout.subsec_nanos().cast_signed().into(),
    };
    // SAFETY: as above; the time is valid, and only read.
    number(unsafe { semtimedop(id, at, count, &raw const time) }).map(drop)
}

fn sem_ctl_stat(id: i32, command: c_int) -> Result<(i32, libc::semid_ds), Errno> {
    // SAFETY: a struct of integers, valid for the call that fills it.
    unsafe {
        let mut stat: libc::semid_ds = zeroed();
        let returned = number(libc::semctl(id, 0, command, &raw mut stat))?;
        Ok((returned, stat))
    }
}

pub(crate) fn sem_stat(id: i32) -> Result<libc::semid_ds, Errno> {
    sem_ctl_stat(id, libc::IPC_STAT).map(|(_, stat)| stat)
}

/// As [`msg_stat_index`].
pub(crate) fn sem_stat_index(index: i32, whose: Whose) -> Result<(i32, libc::semid_ds), Errno> {
    sem_ctl_stat(index, if matches!(whose, Whose::All) { SEM_STAT_ANY } else { SEM_STAT })
}

/// `IPC_SET`: takes uid, gid and mode.
pub(crate) fn sem_set(id: i32, mut stat: libc::semid_ds) -> Result<(), Errno> {
    // SAFETY: a valid struct, which is read.
    number(unsafe { libc::semctl(id, 0, libc::IPC_SET, &raw mut stat) }).map(drop)
}

pub(crate) fn sem_remove(id: i32) -> Result<(), Errno> {
    // SAFETY: no memory is passed.
    number(unsafe { libc::semctl(id, 0, libc::IPC_RMID, 0 as libc::c_ulong) }).map(drop)
}

/// `GETVAL`, `GETPID`, `GETNCNT`, `GETZCNT`.
pub(crate) fn sem_ask(id: i32, index: i32, what: c_int) -> Result<i32, Errno> {
    debug_assert!([libc::GETVAL, libc::GETPID, libc::GETNCNT, libc::GETZCNT].contains(&what));
    // SAFETY: none of these takes memory.
    number(unsafe { libc::semctl(id, index, what, 0 as libc::c_ulong) })
}

pub(crate) fn sem_set_value(id: i32, index: i32, value: i32) -> Result<(), Errno> {
    // SAFETY: no memory is passed; as long as the union that the call takes.
    number(unsafe { libc::semctl(id, index, libc::SETVAL, value as libc::c_ulong) }).map(drop)
}

/// `GETALL`: as many as the set has, which never changes.
pub(crate) fn sem_values(id: i32) -> Result<Vec<u16>, Errno> {
    let mut values = vec![0; sem_stat(id)?.sem_nsems as usize];
    // SAFETY: as long as the set: an identifier is not given to another one before its sequence number has gone round.
    number(unsafe { libc::semctl(id, 0, libc::GETALL, values.as_mut_ptr()) })?;
    Ok(values)
}

/// `SETALL`; `E2BIG` unless there are as many values as the set has semaphores.
pub(crate) fn sem_set_values(id: i32, values: &[u16]) -> Result<(), Errno> {
    if sem_stat(id)?.sem_nsems as usize != values.len() {
        return Err(Errno(libc::E2BIG));
    }
    // SAFETY: as long as the set, as in `sem_values`; they are only read.
    number(unsafe { libc::semctl(id, 0, libc::SETALL, values.as_ptr()) }).map(drop)
}

/// `struct seminfo` of <sys/sem.h>.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub(crate) struct SemInfo {
    semmap: c_int,
    pub(crate) semmni: c_int,
    pub(crate) semmns: c_int,
    semmnu: c_int,
    pub(crate) semmsl: c_int,
    pub(crate) semopm: c_int,
    semume: c_int,
    pub(crate) semusz: c_int,
    pub(crate) semvmx: c_int,
    pub(crate) semaem: c_int,
}

fn sem_info_of(command: c_int) -> Result<(i32, SemInfo), Errno> {
    // SAFETY: a struct of integers; for these commands the kernel writes a seminfo (semctl(2)).
    unsafe {
        let mut info: SemInfo = zeroed();
        let highest = number(libc::semctl(0, 0, command, &raw mut info))?;
        Ok((highest, info))
    }
}

/// The limits (`IPC_INFO`).
pub(crate) fn sem_limits() -> Result<SemInfo, Errno> {
    sem_info_of(IPC_INFO).map(|(_, info)| info)
}

/// The highest index in use, and how much there is (`SEM_INFO`): sets in `semusz`, semaphores in `semaem`.
pub(crate) fn sem_info() -> Result<(i32, SemInfo), Errno> {
    sem_info_of(SEM_INFO)
}
