//! `madang_sysv_shm_*`: System V shared memory for C.

use std::ffi::c_int;

use madang_core::sysv::shm::{self, AttachOptions, Limits, Segment, SegmentOptions, Status};

use super::{madang_sysv_change, told};
use crate::error::{Result, call};
use crate::handle::{Handle, shell};
use crate::kernel::mapping::madang_mapping;
use crate::pointer::{self, Out, Outs, Place};
use crate::shared::{MADANG_READ_ONLY, create, option_flags};

/// Option flag: no swap space is set aside for a new segment: touching it may kill the process when
/// memory is exhausted (SHM_NORESERVE).
pub const MADANG_NO_RESERVE: u32 = 1 << 16;

/// Flag of attaching: the address is rounded down to a page (SHM_RND).
pub const MADANG_ROUND: u32 = 1 << 17;

/// Flag of attaching: what lies there may be executed; needs permission for that (SHM_EXEC).
pub const MADANG_EXECUTABLE: u32 = 1 << 18;

/// Flag in madang_sysv_shm_status: it was removed, and goes with the last attachment.
pub const MADANG_SYSV_REMOVED: u32 = 1;

/// Flag in madang_sysv_shm_status: it is kept in memory.
pub const MADANG_SYSV_LOCKED: u32 = 2;

/// How a System V segment is opened: struct_size, and what shall not be the default.
#[repr(C)]
#[derive(Clone, Copy, Default)]
pub struct madang_sysv_shm_options {
    /// sizeof(madang_sysv_shm_options)
    pub struct_size: u32,
    /// 0, or MADANG_NO_RESERVE
    pub flags: u32,
    /// The permission bits of a new segment, exactly: no umask. Default 0600.
    pub mode: u32,
    /// MADANG_CREATE_IF_MISSING, the default; MADANG_CREATE_NEVER; MADANG_CREATE_ONLY
    pub create: u32,
    /// Bytes: of a new segment exactly, of an existing one at least. 0, the default, takes one that
    /// exists as it is, and creates none.
    pub size: u64,
    /// A new segment lies in huge pages of so many bytes, such as 2 << 20; 0, the default, is the
    /// usual pages. See /sys/kernel/mm/hugepages.
    pub huge_pages: u64,
}

impl madang_sysv_shm_options {
    fn to_core(self) -> Result<SegmentOptions> {
        let [no_reserve] = option_flags(self.flags, [(MADANG_NO_RESERVE, "MADANG_NO_RESERVE")])?;
        let options = Segment::options().size(self.size).mode(self.mode).create(create(self.create)?);
        Ok(options.huge_pages(self.huge_pages).no_reserve(no_reserve))
    }
}

/// How a System V segment is attached: struct_size, and what shall not be the default.
#[repr(C)]
#[derive(Clone, Copy, Default)]
pub struct madang_sysv_shm_attach_options {
    /// sizeof(madang_sysv_shm_attach_options)
    pub struct_size: u32,
    /// 0, MADANG_READ_ONLY, MADANG_ROUND, MADANG_EXECUTABLE, with |
    pub flags: u32,
    /// Where, a multiple of the page size, if nothing lies there; what is mapped already is never
    /// replaced. For data that holds pointers to itself; 0, the default, is wherever there is room.
    pub address: u64,
}

impl madang_sysv_shm_attach_options {
    fn to_core(self) -> Result<AttachOptions> {
        let known = [
            (MADANG_READ_ONLY, "MADANG_READ_ONLY"),
            (MADANG_ROUND, "MADANG_ROUND"),
            (MADANG_EXECUTABLE, "MADANG_EXECUTABLE"),
        ];
        let [read_only, round, executable] = option_flags(self.flags, known)?;
        // One that no pointer holds is as little free as any other that can't be had.
        let address = usize::try_from(self.address).unwrap_or(usize::MAX);
        Ok(AttachOptions::default().read_only(read_only).round(round).executable(executable).address(address))
    }
}

/// What there is to tell of a System V segment (struct shmid_ds of shmctl(2)). Times are in seconds
/// since 1970, 0 is never; a pid of 0 is none, or one of another pid namespace.
#[repr(C)]
#[derive(Clone, Copy, Default)]
pub struct madang_sysv_shm_status {
    /// sizeof(madang_sysv_shm_status)
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
    /// MADANG_SYSV_REMOVED, MADANG_SYSV_LOCKED
    pub flags: u32,
    /// The process that made it
    pub creator: i32,
    /// The process that attached or detached last
    pub last_user: i32,
    /// Its size in bytes
    pub size: u64,
    /// How many attachments there are, of all processes
    pub attached: u64,
    /// When it was attached last
    pub attached_at: i64,
    /// When it was detached last
    pub detached_at: i64,
    /// When it was created, or its permissions were changed last
    pub changed_at: i64,
}

impl From<Status> for madang_sysv_shm_status {
    fn from(status: Status) -> Self {
        let removed = if status.is_removed { MADANG_SYSV_REMOVED } else { 0 };
        let locked = if status.is_locked { MADANG_SYSV_LOCKED } else { 0 };
        told!(
            Self,
            status.id,
            status.permissions,
            flags: removed | locked,
            creator: status.creator,
            last_user: status.last_user,
            size: status.size,
            attached: status.attached,
            attached_at: status.attached_at,
            detached_at: status.detached_at,
            changed_at: status.changed_at,
        )
    }
}

/// What the system allows of shared memory segments, and how much of it is used. Pages are those of
/// the machine: sysconf(_SC_PAGESIZE) bytes.
#[repr(C)]
#[derive(Clone, Copy, Default)]
pub struct madang_sysv_shm_limits {
    /// sizeof(madang_sysv_shm_limits)
    pub struct_size: u32,
    /// 0
    pub reserved: u32,
    /// The most segments (kernel.shmmni)
    pub max_segments: u64,
    /// The largest segment, in bytes (kernel.shmmax)
    pub max_size: u64,
    /// The smallest segment, in bytes: 1
    pub min_size: u64,
    /// The most pages of all segments together (kernel.shmall)
    pub max_pages: u64,
    /// How many segments there are
    pub segments: u64,
    /// How many pages they have
    pub pages: u64,
    /// How many of those are in memory
    pub resident_pages: u64,
    /// How many of those are swapped out
    pub swapped_pages: u64,
}

impl From<Limits> for madang_sysv_shm_limits {
    fn from(limits: Limits) -> Self {
        Self {
            struct_size: 0,
            reserved: 0,
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

/// An open System V shared memory segment.
///
/// It is the kernel's: it lives until it is removed and nobody has it attached any more, or the
/// machine stops. The handle is the identifier, and holds nothing else; what is attached is a
/// madang_mapping, which outlives the handle.
pub struct madang_sysv_shm {
    handle: Handle<Segment>,
}

shell!(madang_sysv_shm, Segment, b"svsm", "segment");

/// Opens the System V segment of this key, or creates it, filled with zeros (shmget(2)). Attaches
/// nothing. With MADANG_SYSV_PRIVATE it is always a new one.
///
/// options may be NULL: then it must exist, for a new one needs a size. *segment is written only on
/// success; give it to madang_sysv_shm_close() in the end. Opening asks for no permission:
/// attaching does.
///
/// Returns 0, or
///   -ENOENT  there is none, and none can be created: create is MADANG_CREATE_NEVER, or size is 0
///   -EEXIST  there is one, and create is MADANG_CREATE_ONLY
///   -EINVAL  a bad flag, mode, create or struct_size; the existing one is smaller than asked for;
///            a size beyond kernel.shmmax; a new one without a size; huge pages of a size that the
///            machine doesn't have; MADANG_SYSV_PRIVATE with MADANG_CREATE_NEVER
///   -ENOMEM  no memory, or too few free huge pages
///   -EPERM   huge pages without CAP_IPC_LOCK or the group vm.hugetlb_shm_group
///   -ENOSPC  there are as many as the system allows (kernel.shmmni, kernel.shmall)
///   -EBUSY   others keep making and removing it: try again
///   -E2BIG   options sets a field that this version doesn't have
///   -ENOSYS  the kernel has no System V IPC, or a container's filter forbids it
///   -EFAULT  segment is NULL
///
/// Doesn't wait. Any thread may call it at any time.
#[unsafe(no_mangle)]
pub extern "C" fn madang_sysv_shm_open(
    key: i32,
    options: *const madang_sysv_shm_options,
    segment: *mut *mut madang_sysv_shm,
) -> c_int {
    call("madang_sysv_shm_open", || {
        let place = Place::new(segment)?;
        place.put_nameless(pointer::options(options)?.to_core()?.open(key.into())?);
        Ok(0)
    })
}

/// Attaches the segment (shmat(2)), with several attachments at once as you like. options may be
/// NULL: for reading and writing, wherever there is room.
///
/// *mapping is written only on success; madang_mapping_close() detaches it. Its size is the
/// segment's. A child of fork(2) inherits it.
///
/// Returns 0, or
///   -EACCES  its mode doesn't let this process do that
///   -EINVAL  the address is not a multiple of the page size, or not free; a bad flag or
///            struct_size
///   -EIDRM   the segment was removed, and nobody has it attached any more
///   -ENOMEM  no memory, or no room in the process
///   -E2BIG   options sets a field that this version doesn't have
///   -EBADF   segment was closed
///   -EFAULT  segment or mapping is NULL
///
/// Doesn't wait. Any thread may call it at any time.
#[unsafe(no_mangle)]
pub extern "C" fn madang_sysv_shm_attach(
    segment: *const madang_sysv_shm,
    options: *const madang_sysv_shm_attach_options,
    mapping: *mut *mut madang_mapping,
) -> c_int {
    call("madang_sysv_shm_attach", || {
        let segment = pointer::opened(segment)?;
        let place = Place::new(mapping)?;
        place.put_nameless(segment.attach_with(pointer::options(options)?.to_core()?)?);
        Ok(0)
    })
}

/// Keeps the segment in memory once it is touched: it is never swapped out (SHM_LOCK of shmctl(2)).
///
/// Returns 0; -EPERM if this process's user is neither owner nor creator, or may lock nothing;
/// -ENOMEM if the segment is larger than it may lock (RLIMIT_MEMLOCK); -EIDRM, -EBADF, -EFAULT.
/// Doesn't wait. Any thread may call it at any time.
#[unsafe(no_mangle)]
pub extern "C" fn madang_sysv_shm_lock(segment: *mut madang_sysv_shm) -> c_int {
    call("madang_sysv_shm_lock", || {
        pointer::opened(segment)?.lock()?;
        Ok(0)
    })
}

/// Lets the segment be swapped out again (SHM_UNLOCK of shmctl(2)).
///
/// Returns 0; -EPERM, -EIDRM, -EBADF, -EFAULT as madang_sysv_shm_lock(). Doesn't wait. Any thread
/// may call it at any time.
#[unsafe(no_mangle)]
pub extern "C" fn madang_sysv_shm_unlock(segment: *mut madang_sysv_shm) -> c_int {
    call("madang_sysv_shm_unlock", || {
        pointer::opened(segment)?.unlock()?;
        Ok(0)
    })
}

/// The segment of an identifier, as madang_sysv_shm_id() and ipcs(1) give it.
///
/// *segment is written only on success; give it to madang_sysv_shm_close() in the end.
///
/// Returns 0, -EINVAL if there is none of this identifier, -ENOSYS, or -EFAULT if segment is NULL.
/// Doesn't wait. Any thread may call it at any time.
#[unsafe(no_mangle)]
pub extern "C" fn madang_sysv_shm_from_id(id: i32, segment: *mut *mut madang_sysv_shm) -> c_int {
    call("madang_sysv_shm_from_id", || {
        let place = Place::new(segment)?;
        place.put_nameless(Segment::from_id(id)?);
        Ok(0)
    })
}

/// The identifier: any process that knows it may use the segment too.
///
/// Returns 0 or more; -EBADF if the handle was closed, -EFAULT if it is NULL. Doesn't wait. Any
/// thread may call it at any time.
#[unsafe(no_mangle)]
pub extern "C" fn madang_sysv_shm_id(segment: *const madang_sysv_shm) -> c_int {
    call("madang_sysv_shm_id", || Ok(pointer::opened(segment)?.id()))
}

/// Whether this handle's open created the segment.
///
/// Returns 1 or 0; -EBADF if the handle was closed, -EFAULT if it is NULL. So compare it with 1:
/// the errors are true, too. Doesn't wait. Any thread may call it at any time.
#[unsafe(no_mangle)]
pub extern "C" fn madang_sysv_shm_is_new(segment: *const madang_sysv_shm) -> c_int {
    call("madang_sysv_shm_is_new", || Ok(pointer::opened(segment)?.is_new().into()))
}

/// Tells what there is to tell of it, into *status (IPC_STAT of shmctl(2)). Set status->struct_size
/// before.
///
/// Returns 0; -EACCES if its mode doesn't let this process read it, -EIDRM if it was removed,
/// -EINVAL if struct_size is not set, -EBADF if the handle was closed, -EFAULT if a pointer is
/// NULL. Doesn't wait. Any thread may call it at any time.
#[unsafe(no_mangle)]
pub extern "C" fn madang_sysv_shm_stat(segment: *const madang_sysv_shm, status: *mut madang_sysv_shm_status) -> c_int {
    call("madang_sysv_shm_stat", || {
        let out = Out::required(status, "status")?;
        out.fill(&pointer::opened(segment)?.stat()?.into());
        Ok(0)
    })
}

/// Changes owner, group or permission bits (IPC_SET of shmctl(2)). What it leaves is what was found
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
pub extern "C" fn madang_sysv_shm_change(segment: *mut madang_sysv_shm, change: *const madang_sysv_change) -> c_int {
    call("madang_sysv_shm_change", || {
        pointer::opened(segment)?.change(super::change(change)?)?;
        Ok(0)
    })
}

/// Removes it (IPC_RMID of shmctl(2)): the key is free at once, the memory goes
/// with the last attachment.
/// The handle still has to be closed.
///
/// Returns 0; -EPERM if this process's user is neither owner nor creator nor root, -EIDRM if it was
/// removed before, -EBADF if the handle was closed, -EFAULT if it is NULL. Doesn't wait. Any thread
/// may call it at any time.
#[unsafe(no_mangle)]
pub extern "C" fn madang_sysv_shm_remove(segment: *mut madang_sysv_shm) -> c_int {
    call("madang_sysv_shm_remove", || {
        pointer::opened(segment)?.remove()?;
        Ok(0)
    })
}

/// Removes the segment of this identifier, as madang_sysv_shm_remove() does.
///
/// Returns 0; -EINVAL if there is none, -EPERM, -ENOSYS. Doesn't wait. Any thread may call it at
/// any time.
#[unsafe(no_mangle)]
pub extern "C" fn madang_sysv_shm_remove_id(id: i32) -> c_int {
    call("madang_sysv_shm_remove_id", || {
        Segment::remove_id(id)?;
        Ok(0)
    })
}

/// Removes the segment of this key, as madang_sysv_shm_remove() does.
///
/// Returns 0; -ENOENT if there is none, -EINVAL for MADANG_SYSV_PRIVATE, -EPERM, -ENOSYS. Doesn't
/// wait. Any thread may call it at any time.
#[unsafe(no_mangle)]
pub extern "C" fn madang_sysv_shm_unlink(key: i32) -> c_int {
    call("madang_sysv_shm_unlink", || {
        Segment::unlink(key.into())?;
        Ok(0)
    })
}

/// Lists all segments of this IPC namespace, as ipcs(1) does; before Linux 4.17, those that this
/// process may read. statuses is an array of capacity structs, of which only the first one's
/// struct_size need be set.
///
/// Returns how many there are, of which the first capacity are written: as with snprintf(3), a
/// larger number says that the array is too small. With capacity 0, statuses may be NULL. Or
/// -ENOSYS; -EINVAL if struct_size is not set; -EFAULT. Doesn't wait. Any thread may call it at any
/// time; others make and remove some meanwhile.
#[unsafe(no_mangle)]
pub extern "C" fn madang_sysv_shm_list(statuses: *mut madang_sysv_shm_status, capacity: usize) -> i64 {
    call("madang_sysv_shm_list", || {
        let outs = Outs::new(statuses, capacity, "statuses")?;
        Ok(outs.fill_all(shm::list()?.into_iter().map(madang_sysv_shm_status::from)))
    })
}

/// Tells what the system allows, and how much of it is used, into *limits. Set limits->struct_size
/// before.
///
/// Returns 0; -ENOSYS; -EINVAL if struct_size is not set; -EFAULT if limits is NULL. Doesn't wait.
/// Any thread may call it at any time.
#[unsafe(no_mangle)]
pub extern "C" fn madang_sysv_shm_get_limits(limits: *mut madang_sysv_shm_limits) -> c_int {
    call("madang_sysv_shm_get_limits", || {
        let out = Out::required(limits, "limits")?;
        out.fill(&shm::limits()?.into());
        Ok(0)
    })
}

/// Closes the handle; the segment lives on. No other thread may be inside a call with it.
///
/// Returns 0; -EBADF if it was closed before, -EFAULT if it is NULL. Doesn't wait.
#[unsafe(no_mangle)]
pub extern "C" fn madang_sysv_shm_close(segment: *mut madang_sysv_shm) -> c_int {
    call("madang_sysv_shm_close", || pointer::close(segment).map(|()| 0))
}
