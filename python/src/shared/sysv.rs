//! `madang.shared.sysv`: System V's calls, served from shared memory.

// The constructors that PyO3 makes of a struct's fields.
#![allow(clippy::too_many_arguments, reason = "as many as there is to tell")]

use std::ffi::c_int;
use std::mem::MaybeUninit;
use std::ptr::NonNull;
use std::sync::{Arc, Mutex, PoisonError};

use madang::Deadline;
use madang::shared::sysv::{Change, Permissions, limits::limits, msg, sem, shm};
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::buffer::{self, Mapped, Memory, Readable};
use crate::error::{Error, Result};
use crate::shared::repr;
use crate::shared::semaphore_set::{Asked, Waiting};
use crate::timeout::{self, Timeout};

/// Whose an object is: struct ipc_perm.
#[pyclass(frozen, get_all, eq, hash, module = "madang.shared.sysv")]
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Perm {
    /// Its key; 0 is IPC_PRIVATE.
    key: i32,
    /// Its identifier.
    id: i32,
    /// The owner.
    uid: u32,
    /// The owner's group.
    gid: u32,
    /// Who made it.
    cuid: u32,
    /// His group.
    cgid: u32,
    /// The permission bits.
    mode: u32,
}

#[pymethods]
impl Perm {
    fn __repr__(&self) -> String {
        repr(self)
    }
}

impl From<Permissions> for Perm {
    fn from(told: Permissions) -> Self {
        let Permissions { key, id, uid, gid, creator_uid, creator_gid, mode, .. } = told;
        Self { key, id, uid, gid, cuid: creator_uid, cgid: creator_gid, mode }
    }
}

/// What msgctl's IPC_STAT tells of a queue.
#[pyclass(frozen, get_all, module = "madang.shared.sysv")]
#[derive(Clone, Debug)]
pub(crate) struct QueueStatus {
    /// Whose it is.
    perm: Perm,
    /// When a message was last sent, in seconds since 1970; 0 is never.
    stime: u64,
    /// When one was last received.
    rtime: u64,
    /// When it was made, or changed.
    ctime: u64,
    /// Bytes held.
    cbytes: u64,
    /// Messages held.
    qnum: u64,
    /// The most bytes that it holds.
    qbytes: u64,
    /// The process that sent last; 0 is none.
    lspid: u32,
    /// The process that received last.
    lrpid: u32,
}

#[pymethods]
impl QueueStatus {
    fn __repr__(&self) -> String {
        repr(self)
    }
}

impl From<msg::Status> for QueueStatus {
    fn from(told: msg::Status) -> Self {
        Self {
            perm: told.permissions.into(),
            stime: told.sent,
            rtime: told.received,
            ctime: told.changed,
            cbytes: told.bytes,
            qnum: told.messages,
            qbytes: told.limit,
            lspid: told.sender,
            lrpid: told.receiver,
        }
    }
}

/// What semctl's IPC_STAT tells of a set.
#[pyclass(frozen, get_all, module = "madang.shared.sysv")]
#[derive(Clone, Debug)]
pub(crate) struct SetStatus {
    /// Whose it is.
    perm: Perm,
    /// When it was last operated on, in seconds since 1970; 0 is never.
    otime: u64,
    /// When it was made, or changed.
    ctime: u64,
    /// How many semaphores it has.
    nsems: u32,
}

#[pymethods]
impl SetStatus {
    fn __repr__(&self) -> String {
        repr(self)
    }
}

impl From<sem::Status> for SetStatus {
    fn from(told: sem::Status) -> Self {
        let (otime, ctime, nsems) = (told.operated, told.changed, told.semaphores);
        Self { perm: told.permissions.into(), otime, ctime, nsems }
    }
}

/// What shmctl's IPC_STAT tells of a segment.
#[pyclass(frozen, get_all, module = "madang.shared.sysv")]
#[derive(Clone, Debug)]
pub(crate) struct SegmentStatus {
    /// Whose it is.
    perm: Perm,
    /// Whether it was removed, and goes with its last attachment (SHM_DEST).
    removed: bool,
    /// Whether it was locked (SHM_LOCKED).
    locked: bool,
    /// Its length in bytes.
    segsz: u64,
    /// When it was last attached, in seconds since 1970; 0 is never.
    atime: u64,
    /// When it was last detached.
    dtime: u64,
    /// When it was made, or changed.
    ctime: u64,
    /// The process that made it.
    cpid: u32,
    /// The process that attached or detached it last.
    lpid: u32,
    /// How many attachments there are.
    nattch: u64,
}

#[pymethods]
impl SegmentStatus {
    fn __repr__(&self) -> String {
        repr(self).replace("=true", "=True").replace("=false", "=False")
    }
}

impl From<shm::Status> for SegmentStatus {
    fn from(told: shm::Status) -> Self {
        Self {
            perm: told.permissions.into(),
            removed: told.removed,
            locked: told.locked,
            segsz: told.size,
            atime: told.attached,
            dtime: told.detached,
            ctime: told.changed,
            cpid: told.creator,
            lpid: told.last,
            nattch: told.attachments,
        }
    }
}

/// The identifier of the queue of that key, which is made if flags say so (msgget). madang.Queue opens it too, by
/// the name f"sysv.key.{key:08x}".
///
/// key: a number; 0 (IPC_PRIVATE) makes a new one each time.
/// flags: IPC_CREAT, IPC_EXCL and the permission bits, such as IPC_CREAT | 0o600.
///
/// Raises FileNotFoundError, FileExistsError, PermissionError, OSError with ENOSPC; with EBUSY if who is just removing what
/// had the key doesn't get on for a second, for which it waits.
#[pyfunction]
pub(crate) fn msgget(py: Python, key: i32, flags: i32) -> Result<i32> {
    Ok(py.detach(|| msg::msgget(key, flags))?)
}

/// Sends a message (msgsnd).
///
/// type: 1 or more. data: bytes and whatever else has contiguous memory; 8192 at most, unless MSGMAX says otherwise.
/// flags: IPC_NOWAIT: BlockingIOError if the queue is full. Else it waits; other threads go on, and signal handlers
///     run.
///
/// Raises OSError with EINVAL for a bad identifier, type or length; EIDRM if it was removed meanwhile; PermissionError.
#[pyfunction]
#[pyo3(signature = (id, r#type, data, flags=0))]
pub(crate) fn msgsnd(py: Python, id: i32, r#type: i64, data: Readable, flags: i32) -> Result<()> {
    let data = data.as_slice();
    let deadline = if flags & libc::IPC_NOWAIT != 0 { Deadline::NOW } else { Deadline::NEVER };
    timeout::wait(py, deadline, |slice| py.detach(|| Ok(msg::msgsnd_until(id, r#type, data, slice)?)))
}

/// Receives a message, and returns its bytes and its type (msgrcv).
///
/// size: how many bytes it may have.
/// type: 0: the first message; t above 0: the first of that type; -t: the first of the lowest type up to t.
/// flags: IPC_NOWAIT; MSG_EXCEPT: the first of another type; MSG_NOERROR: one that is too long is cut; MSG_COPY, with
///     IPC_NOWAIT: a copy of the one at the position `type`.
///
/// Raises OSError with ENOMSG if there is none and IPC_NOWAIT is set; E2BIG if it is too long, and it stays; EINVAL for a bad
/// identifier, EIDRM if it was removed meanwhile; PermissionError.
#[pyfunction]
#[pyo3(signature = (id, size, r#type=0, flags=0))]
pub(crate) fn msgrcv<'py>(
    py: Python<'py>,
    id: i32,
    size: usize,
    r#type: i64,
    flags: i32,
) -> Result<(Bound<'py, PyBytes>, i64)> {
    let mut room: Vec<MaybeUninit<u8>> = Vec::new();
    room.try_reserve_exact(size).map_err(|_| Error::os(libc::ENOMEM, format!("msgrcv: {size} bytes (ENOMEM)")))?;
    room.resize(size, MaybeUninit::new(0));
    let deadline = if flags & libc::IPC_NOWAIT != 0 { Deadline::NOW } else { Deadline::NEVER };
    let (length, mtype) =
        timeout::wait(py, deadline, |slice| py.detach(|| Ok(msg::msgrcv_until(id, &mut room, r#type, flags, slice)?)))?;
    Ok((buffer::filled(py, &room, length)?, mtype))
}

/// What the queue is and holds (msgctl, IPC_STAT).
#[pyfunction]
pub(crate) fn msgstat(id: i32) -> Result<QueueStatus> {
    Ok(msg::stat(id)?.into())
}

/// What each queue is and holds (msgctl, MSG_STAT_ANY, in a loop over all), by identifier.
///
/// Whoever may read them; but what this process can't open isn't there. Doesn't wait.
///
/// Raises as madang.list() does.
#[pyfunction]
pub(crate) fn msglist(py: Python) -> Result<Vec<QueueStatus>> {
    Ok(py.detach(msg::list)?.into_iter().map(QueueStatus::from).collect())
}

/// The identifiers of all queues, in their order, also of those that this process can't open. Doesn't wait.
///
/// Raises as madang.list() does.
#[pyfunction]
pub(crate) fn msgids() -> Result<Vec<i32>> {
    Ok(msg::identifiers()?)
}

/// Changes owner, mode or the most bytes that the queue holds (msgctl, IPC_SET); None leaves it.
#[pyfunction]
#[pyo3(signature = (id, *, uid=None, gid=None, mode=None, qbytes=None))]
pub(crate) fn msgset(
    id: i32,
    uid: Option<u32>,
    gid: Option<u32>,
    mode: Option<u32>,
    qbytes: Option<u64>,
) -> Result<()> {
    let told = msg::stat(id)?;
    Ok(msg::set(id, &change(&told.permissions, uid, gid, mode), qbytes.unwrap_or(told.limit))?)
}

/// Removes the queue (msgctl, IPC_RMID): who waits gets EIDRM.
#[pyfunction]
pub(crate) fn msgremove(id: i32) -> Result<()> {
    Ok(msg::remove(id)?)
}

fn change(told: &Permissions, uid: Option<u32>, gid: Option<u32>, mode: Option<u32>) -> Change {
    Change { uid: uid.unwrap_or(told.uid), gid: gid.unwrap_or(told.gid), mode: mode.unwrap_or(told.mode) }
}

/// The identifier of the set of that key, which is made of nsems semaphores of value 0 if flags say so (semget).
/// madang.SemaphoreSet opens it too, by the name f"sysv.key.{key:08x}".
#[pyfunction]
pub(crate) fn semget(py: Python, key: i32, nsems: i32, flags: i32) -> Result<i32> {
    Ok(py.detach(|| sem::semget(key, nsems, flags))?)
}

/// Does all operations or none (semop, semtimedop).
///
/// operations: each is a madang.Operation, or a tuple (index, delta).
/// timeout: in seconds; None waits for ever: TimeoutError when it is over. BlockingIOError if it is 0, or the operation
///     that can't be done has no_wait. Other threads go on while it waits, and signal handlers run.
///
/// Raises OSError with EINVAL, EFBIG, E2BIG, ERANGE, EIDRM; PermissionError.
#[pyfunction]
#[pyo3(signature = (id, operations, timeout=None))]
pub(crate) fn semop(py: Python, id: i32, operations: Vec<Asked>, timeout: Option<Timeout>) -> Result<()> {
    let operations: Vec<_> = operations.into_iter().map(|Asked(operation)| operation).collect();
    timeout::wait(py, timeout::deadline(timeout), |slice| py.detach(|| Ok(sem::semop_until(id, &operations, slice)?)))
}

/// The value of one semaphore (semctl, GETVAL).
#[pyfunction]
pub(crate) fn getval(id: i32, index: u32) -> Result<u32> {
    Ok(sem::value(id, index)?)
}

/// The values of all (GETALL).
#[pyfunction]
pub(crate) fn getall(id: i32) -> Result<Vec<u32>> {
    Ok(sem::values(id)?)
}

/// The process that operated on it last (GETPID).
#[pyfunction]
pub(crate) fn getpid(id: i32, index: u32) -> Result<u32> {
    Ok(sem::last_pid(id, index)?)
}

/// How many wait for it to grow, and to become 0 (GETNCNT, GETZCNT).
#[pyfunction]
pub(crate) fn getwaiting(id: i32, index: u32) -> Result<Waiting> {
    Ok(sem::waiting(id, index)?.into())
}

/// Sets the value of one semaphore (SETVAL).
#[pyfunction]
pub(crate) fn setval(id: i32, index: u32, value: i32) -> Result<()> {
    Ok(sem::set_value(id, index, value)?)
}

/// Sets the values of all (SETALL).
#[pyfunction]
pub(crate) fn setall(id: i32, values: Vec<u16>) -> Result<()> {
    Ok(sem::set_values(id, &values)?)
}

/// What the set is (semctl, IPC_STAT).
#[pyfunction]
pub(crate) fn semstat(id: i32) -> Result<SetStatus> {
    Ok(sem::stat(id)?.into())
}

/// What each set is (semctl, SEM_STAT_ANY, in a loop over all), by identifier.
///
/// Whoever may read them; but what this process can't open isn't there. Doesn't wait.
///
/// Raises as madang.list() does.
#[pyfunction]
pub(crate) fn semlist(py: Python) -> Result<Vec<SetStatus>> {
    Ok(py.detach(sem::list)?.into_iter().map(SetStatus::from).collect())
}

/// The identifiers of all sets, in their order, also of those that this process can't open. Doesn't wait.
///
/// Raises as madang.list() does.
#[pyfunction]
pub(crate) fn semids() -> Result<Vec<i32>> {
    Ok(sem::identifiers()?)
}

/// Changes owner or mode (semctl, IPC_SET); None leaves it.
#[pyfunction]
#[pyo3(signature = (id, *, uid=None, gid=None, mode=None))]
pub(crate) fn semset(id: i32, uid: Option<u32>, gid: Option<u32>, mode: Option<u32>) -> Result<()> {
    let told = sem::stat(id)?;
    Ok(sem::set(id, &change(&told.permissions, uid, gid, mode))?)
}

/// Removes the set (semctl, IPC_RMID): who waits gets EIDRM.
#[pyfunction]
pub(crate) fn semremove(id: i32) -> Result<()> {
    Ok(sem::remove(id)?)
}

/// The identifier of the segment of that key, which is made of size bytes if flags say so (shmget).
#[pyfunction]
pub(crate) fn shmget(py: Python, key: i32, size: usize, flags: i32) -> Result<i32> {
    Ok(py.detach(|| shm::shmget(key, size, flags))?)
}

/// What the segment is (shmctl, IPC_STAT).
#[pyfunction]
pub(crate) fn shmstat(id: i32) -> Result<SegmentStatus> {
    Ok(shm::stat(id)?.into())
}

/// What each segment is (shmctl, SHM_STAT_ANY, in a loop over all), by identifier. What was removed is there as long as
/// it is attached.
///
/// Whoever may read them; but what this process can't open isn't there. Doesn't wait.
///
/// Raises as madang.list() does.
#[pyfunction]
pub(crate) fn shmlist(py: Python) -> Result<Vec<SegmentStatus>> {
    Ok(py.detach(shm::list)?.into_iter().map(SegmentStatus::from).collect())
}

/// The identifiers of all segments, in their order, also of those that this process can't open. Doesn't wait.
///
/// Raises as madang.list() does.
#[pyfunction]
pub(crate) fn shmids() -> Result<Vec<i32>> {
    Ok(shm::identifiers()?)
}

/// Changes owner or mode (shmctl, IPC_SET); None leaves it.
#[pyfunction]
#[pyo3(signature = (id, *, uid=None, gid=None, mode=None))]
pub(crate) fn shmset(id: i32, uid: Option<u32>, gid: Option<u32>, mode: Option<u32>) -> Result<()> {
    let told = shm::stat(id)?;
    Ok(shm::set(id, &change(&told.permissions, uid, gid, mode))?)
}

/// Says that the segment is locked (shmctl, SHM_LOCK), or not (SHM_UNLOCK): shmstat tells it, and that is all. Memory in
/// a file system can't be locked for others.
///
/// Raises PermissionError unless the caller is owner, creator or root; OSError with EINVAL for a bad identifier. Doesn't
/// wait.
#[pyfunction]
pub(crate) fn shmlock(id: i32, locked: bool) -> Result<()> {
    Ok(shm::lock(id, locked)?)
}

/// Removes the segment (shmctl, IPC_RMID): it goes with its last attachment.
#[pyfunction]
pub(crate) fn shmremove(id: i32) -> Result<()> {
    Ok(shm::remove(id)?)
}

/// The limits in force, by name: msgmax, msgmnb, msgmni, semmsl, semmns, semopm, semmni, semvmx, shmmax, shmall,
/// shmmni (IPC_INFO).
#[pyfunction(name = "limits")]
pub(crate) fn limits_in_force() -> std::collections::BTreeMap<&'static str, u64> {
    let told = limits();
    [
        ("msgmax", told.msgmax),
        ("msgmnb", told.msgmnb),
        ("msgmni", told.msgmni),
        ("semmsl", told.semmsl),
        ("semmns", told.semmns),
        ("semopm", told.semopm),
        ("semmni", told.semmni),
        ("semvmx", told.semvmx),
        ("shmmax", told.shmmax),
        ("shmall", told.shmall),
        ("shmmni", told.shmmni),
    ]
    .into()
}

/// What shmat attached; detached when the last who uses it lets go.
struct Attached {
    address: usize,
    length: usize,
    is_writable: bool,
}

impl Drop for Attached {
    fn drop(&mut self) {
        // Only a program that detached it by itself, by another way, finds it gone.
        let _ = shm::shmdt(self.address);
    }
}

impl Mapped for Attached {
    fn memory(&self) -> Memory {
        let start = NonNull::new(std::ptr::with_exposed_provenance_mut(self.address)).unwrap_or(NonNull::dangling());
        Memory { bytes: NonNull::slice_from_raw_parts(start, self.length), is_writable: self.is_writable }
    }
}

/// A segment that is attached: a buffer, so whatever takes bytes takes it, without a copy. Arrays and memoryviews made
/// of it keep it attached until the last of them is gone.
#[pyclass(frozen, module = "madang.shared.sysv")]
pub(crate) struct Attachment(Mutex<Option<Arc<Attached>>>);

/// Attaches the segment (shmat).
///
/// address: where; None is anywhere, else as shmat(2) has it.
/// flags: SHM_RDONLY, SHM_RND, SHM_EXEC. (SHM_REMAP is refused: it would replace memory of Python's.)
///
/// Raises OSError with EINVAL, ENOMEM; PermissionError.
#[pyfunction]
#[pyo3(signature = (id, address=None, flags=0))]
pub(crate) fn shmat(id: i32, address: Option<usize>, flags: i32) -> Result<Attachment> {
    if flags & libc::SHM_REMAP != 0 {
        return Err(Error::os(libc::EINVAL, "shmat: SHM_REMAP would replace memory of Python's (EINVAL)".to_owned()));
    }
    let length = shm::stat(id)?.size as usize;
    let address = shm::shmat(id, address.unwrap_or(0), flags)?;
    let attached = Attached { address, length, is_writable: flags & libc::SHM_RDONLY == 0 };
    Ok(Attachment(Mutex::new(Some(Arc::new(attached)))))
}

impl Attachment {
    fn share(&self) -> Result<Arc<Attached>> {
        let attached = self.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        attached.ok_or_else(|| Error::os(libc::EBADF, "the attachment is closed (EBADF)".to_owned()))
    }
}

#[pymethods]
impl Attachment {
    /// Where it is attached.
    #[getter]
    fn address(&self) -> Result<usize> {
        Ok(self.share()?.address)
    }

    /// Whether it is closed.
    #[getter]
    fn closed(&self) -> bool {
        self.share().is_err()
    }

    /// Detaches it (shmdt), when the last view of it is gone. Closing it again does nothing.
    fn close(&self) {
        drop(self.0.lock().unwrap_or_else(PoisonError::into_inner).take());
    }

    fn __len__(&self) -> Result<usize> {
        Ok(self.share()?.length)
    }

    /// `if attachment` asks whether there is one.
    fn __bool__(&self) -> bool {
        true
    }

    fn __enter__(slf: Bound<'_, Self>) -> Result<Bound<'_, Self>> {
        slf.get().share()?;
        Ok(slf)
    }

    #[pyo3(signature = (*_exception))]
    fn __exit__(&self, _exception: &Bound<'_, PyAny>) {
        self.close();
    }

    /// # Safety
    /// As CPython calls it: `view` is null or may be written.
    unsafe fn __getbuffer__(slf: &Bound<'_, Self>, view: *mut ffi::Py_buffer, flags: c_int) -> Result<()> {
        let attached = slf.get().share()?;
        // SAFETY: the caller's promise.
        Ok(unsafe { buffer::lend_mapped(slf.as_any(), attached, view, flags) }?)
    }

    /// # Safety
    /// As CPython calls it: `view` was filled by `__getbuffer__`, and is released once.
    unsafe fn __releasebuffer__(&self, view: *mut ffi::Py_buffer) {
        // SAFETY: the caller's promise.
        unsafe { buffer::take_mapped_back::<Attached>(view) };
    }
}
