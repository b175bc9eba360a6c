//! `madang.kernel.sysv.shm`.

use madang::sysv::shm::AttachOptions;
use pyo3::prelude::*;

use super::{AnyKey, change};
use crate::error::Result;
use crate::kernel::mapping::Mapping;
use crate::options::{self, Size};
use crate::shared::repr;

/// A System V shared memory segment.
///
///     segment = madang.sysv.shm.Segment(0x6d61, size="1M")
///     with segment.attach() as memory:
///         memoryview(memory)[:5] = b"hello"
///
/// The constructor opens the segment of a key, or creates it, filled with zeros. It attaches nothing, and
/// asks for no permission: attaching does.
///
/// key: a number, perhaps from madang.sysv.ftok(). 0 or None always makes a new one, which others find
///     by its id only.
/// size: in bytes; an int, or text with K, M, G or T (1024 each). A new segment must be given its size; of
///     an existing one it is the least that will do.
/// mode: the permission bits of a new segment, exactly (no umask); 0 is 0o600 too.
/// create: "if-missing"; "never" only opens what exists; "only" only opens what it creates.
/// huge_pages: a new segment lies in huge pages of this size, such as "2M": see
///     /sys/kernel/mm/hugepages.
/// no_reserve: no swap space is set aside: touching it may kill the process when memory is exhausted.
///
/// The segment is the kernel's: it lives until it is removed and nobody has it attached any more, or the
/// machine stops. This object is its identifier, and holds nothing else: there is nothing to close. It may
/// be used in a forked child, and pickled.
///
/// What fails raises OSError with an errno, and the subclass that Python has for it. Here:
/// FileNotFoundError (ENOENT) and FileExistsError (EEXIST), as `create` says, or ENOENT where a size is
/// missing; OSError with EINVAL for a bad mode, a size beyond kernel.shmmax, an existing segment that is
/// smaller, or huge pages that the machine doesn't have; ENOMEM, also where too few huge pages are free;
/// PermissionError (EPERM) for huge pages without CAP_IPC_LOCK; ENOSPC where the system's limits are
/// reached; ENOSYS where the kernel has no System V IPC. After the segment is gone: OSError with EIDRM.
/// ValueError for a key that 32 bits don't hold, and for what is no size.
#[pyclass(frozen, module = "madang.kernel.sysv.shm")]
pub(crate) struct Segment(madang::sysv::shm::Segment);

#[pymethods]
impl Segment {
    #[new]
    #[pyo3(signature = (key, *, size=None, mode=0o600, create="if-missing", huge_pages=None, no_reserve=false))]
    fn new(
        key: AnyKey,
        size: Option<Size>,
        #[pyo3(from_py_with = options::mode)] mode: u32,
        create: &str,
        huge_pages: Option<Size>,
        no_reserve: bool,
    ) -> Result<Self> {
        let options = madang::sysv::shm::Segment::options()
            .size(size.map_or(0, u64::from))
            .mode(mode)
            .create(options::create(create)?)
            .huge_pages(huge_pages.map_or(0, u64::from))
            .no_reserve(no_reserve);
        Ok(Self(options.open(key.into())?))
    }

    /// Attaches it: the memory, as a buffer. There may be several at once; each detaches when it is closed
    /// and the last array or memoryview of it is gone. A forked child inherits them.
    ///
    /// read_only: the memory can't be written; needs permission to read only.
    /// address: where, a multiple of the page size, if nothing lies there; what is mapped already is never
    ///     replaced. For data that holds pointers to itself. None: wherever there is room.
    /// round: rounds the address down to a page.
    /// executable: what lies there may be executed; needs permission for that.
    ///
    /// PermissionError (EACCES): its mode doesn't let this user do that. OSError with EINVAL if the address
    /// is not a multiple of the page size, or not free; EIDRM if the segment is gone; ENOMEM.
    #[pyo3(signature = (*, read_only=false, address=None, round=false, executable=false))]
    fn attach(&self, read_only: bool, address: Option<usize>, round: bool, executable: bool) -> Result<Mapping> {
        let options = AttachOptions::default().read_only(read_only).round(round).executable(executable);
        Ok(Mapping::new(self.0.attach_with(options.address(address.unwrap_or(0)))?))
    }

    /// Keeps it in memory once it is touched: it is never swapped out.
    ///
    /// PermissionError (EPERM) for who is neither owner nor creator, or may lock nothing. OSError with ENOMEM
    /// if it is larger than this process may lock (RLIMIT_MEMLOCK); EIDRM.
    fn lock(&self) -> Result<()> {
        Ok(self.0.lock()?)
    }

    /// Lets it be swapped out again. Raises PermissionError; OSError with EIDRM.
    fn unlock(&self) -> Result<()> {
        Ok(self.0.unlock()?)
    }

    /// Its size in bytes. Raises as stat() does.
    #[getter]
    fn size(&self) -> Result<u64> {
        Ok(self.0.size()?)
    }

    /// The segment of an identifier, which any process that knows it may use. Raises OSError with EINVAL if
    /// there is none.
    #[staticmethod]
    fn from_id(id: i32) -> Result<Self> {
        Ok(Self(madang::sysv::shm::Segment::from_id(id)?))
    }

    /// Removes the segment of a key, as remove() does. Raises FileNotFoundError if there is none;
    /// PermissionError.
    #[staticmethod]
    fn unlink(key: AnyKey) -> Result<()> {
        Ok(madang::sysv::shm::Segment::unlink(key.into())?)
    }

    /// Removes the segment of an identifier, as remove() does. Raises OSError with EINVAL if there is none;
    /// PermissionError.
    #[staticmethod]
    fn remove_id(id: i32) -> Result<()> {
        Ok(madang::sysv::shm::Segment::remove_id(id)?)
    }

    /// The identifier, as ipcs(1) shows it.
    #[getter]
    fn id(&self) -> i32 {
        self.0.id()
    }

    /// Whether this very object created it.
    #[getter]
    fn is_new(&self) -> bool {
        self.0.is_new()
    }

    /// What there is to tell of it: owner, mode, counts, times. Raises PermissionError if its mode doesn't
    /// let this user read; OSError with EIDRM.
    fn stat(&self) -> Result<Status> {
        Ok(self.0.stat()?.into())
    }

    /// Changes owner, group or permission bits; what is None stays as it was found just before. Raises
    /// PermissionError for who is neither owner nor creator nor root; OSError with EINVAL for a mode above
    /// 0o777, EIDRM.
    #[pyo3(signature = (*, mode=None, uid=None, gid=None))]
    fn change(&self, mode: Option<u32>, uid: Option<u32>, gid: Option<u32>) -> Result<()> {
        Ok(self.0.change(change(mode, uid, gid))?)
    }

    /// Removes it: the key is free at once, the memory goes with the last attachment. Raises
    /// PermissionError for who is neither owner nor creator nor root; OSError with EIDRM if it is gone.
    fn remove(&self) -> Result<()> {
        Ok(self.0.remove()?)
    }

    /// Pickled, it is its identifier: for processes of this machine, as long as it is there.
    fn __reduce__<'py>(slf: &Bound<'py, Self>) -> PyResult<(Bound<'py, PyAny>, (i32,))> {
        Ok((slf.get_type().getattr("from_id")?, (slf.get().0.id(),)))
    }

    fn __repr__(&self) -> String {
        format!("<madang.sysv.shm.Segment {}>", self.0.id())
    }
}

/// What stat() and list() tell of a segment; a snapshot. Times are in seconds since 1970, 0 is
/// never; a process of 0 is none, or one of another pid namespace. A value: compared and hashed.
#[pyclass(frozen, get_all, eq, hash, module = "madang.kernel.sysv.shm")]
#[derive(Debug, PartialEq, Eq, Hash)]
pub(crate) struct Status {
    /// The identifier.
    id: i32,
    /// The key; 0 if it has none.
    key: i32,
    /// The permission bits.
    mode: u32,
    /// The owner.
    uid: u32,
    /// The owner's group.
    gid: u32,
    /// Who made it, who has the owner's rights too.
    creator_uid: u32,
    /// The group of who made it.
    creator_gid: u32,
    /// How often its place in the kernel's table was given away before.
    sequence: u32,
    /// Its size in bytes.
    size: u64,
    /// How many attachments there are, of all processes.
    attached: u64,
    /// The process that made it.
    creator: i32,
    /// The process that attached or detached last.
    last_user: i32,
    /// When it was attached last.
    attached_at: i64,
    /// When it was detached last.
    detached_at: i64,
    /// When it was created, or its permissions were changed last.
    changed_at: i64,
    /// It goes with the last attachment.
    is_removed: bool,
    /// It is kept in memory: see lock().
    is_locked: bool,
}

#[pymethods]
impl Status {
    fn __repr__(&self) -> String {
        repr(self).replace("true", "True").replace("false", "False")
    }
}

impl From<madang::sysv::shm::Status> for Status {
    fn from(status: madang::sysv::shm::Status) -> Self {
        let permissions = status.permissions;
        Self {
            id: status.id,
            key: permissions.key.number(),
            mode: permissions.mode,
            uid: permissions.uid,
            gid: permissions.gid,
            creator_uid: permissions.creator_uid,
            creator_gid: permissions.creator_gid,
            sequence: permissions.sequence,
            size: status.size,
            attached: status.attached,
            creator: status.creator,
            last_user: status.last_user,
            attached_at: status.attached_at,
            detached_at: status.detached_at,
            changed_at: status.changed_at,
            is_removed: status.is_removed,
            is_locked: status.is_locked,
        }
    }
}

/// What limits() tells. A value: compared and hashed.
#[pyclass(frozen, get_all, eq, hash, module = "madang.kernel.sysv.shm")]
#[derive(Debug, PartialEq, Eq, Hash)]
pub(crate) struct Limits {
    /// The most segments (kernel.shmmni).
    max_segments: u64,
    /// The largest segment, in bytes (kernel.shmmax).
    max_size: u64,
    /// The smallest segment, in bytes: 1.
    min_size: u64,
    /// The most pages of all segments together (kernel.shmall).
    max_pages: u64,
    /// How many segments there are.
    segments: u64,
    /// How many pages they have.
    pages: u64,
    /// How many of those are in memory.
    resident_pages: u64,
    /// How many of those are swapped out.
    swapped_pages: u64,
}

#[pymethods]
impl Limits {
    fn __repr__(&self) -> String {
        repr(self)
    }
}

impl From<madang::sysv::shm::Limits> for Limits {
    fn from(limits: madang::sysv::shm::Limits) -> Self {
        Self {
            max_segments: limits.max_segments,
            max_size: limits.max_size,
            min_size: limits.min_size,
            max_pages: limits.max_pages,
            segments: limits.segments,
            pages: limits.pages,
            resident_pages: limits.resident_pages,
            swapped_pages: limits.swapped_pages,
        }
    }
}

/// All segments of this IPC namespace, as ipcs(1) shows them; before Linux 4.17, those that this user
/// may read. A snapshot. Raises OSError with ENOSYS where the kernel has no System V IPC.
#[pyfunction]
pub(crate) fn list() -> Result<Vec<Status>> {
    Ok(madang::sysv::shm::list()?.into_iter().map(Status::from).collect())
}

/// What the system allows of segments, and how much of it is used. Raises OSError with ENOSYS where the
/// kernel has no System V IPC.
#[pyfunction]
pub(crate) fn limits() -> Result<Limits> {
    Ok(madang::sysv::shm::limits()?.into())
}
