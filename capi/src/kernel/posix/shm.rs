//! `madang_posix_shm_*`: shared memory objects for C.

use std::ffi::{c_char, c_int};
use std::os::fd::{AsFd, AsRawFd};

use madang_core::posix::shm::{self, Object, ObjectOptions, ObjectStatus};

use super::madang_posix_listed;
use crate::error::{Result, call};
use crate::handle::{Handle, shell};
use crate::kernel::mapping::madang_mapping;
use crate::pointer::{self, Out, Place};
use crate::shared::{MADANG_READ_ONLY, create, option_flags};

/// How a POSIX shared memory object is opened: struct_size, and what shall not be the default.
#[repr(C)]
#[derive(Clone, Copy, Default)]
pub struct madang_posix_shm_options {
    /// sizeof(madang_posix_shm_options)
    pub struct_size: u32,
    /// 0 or MADANG_READ_ONLY
    pub flags: u32,
    /// Bytes: of a new object exactly, and its space is taken at once; of an existing one at least.
    /// Default 0: a new one is empty then.
    pub size: u64,
    /// The permission bits of a new object, exactly: no umask. Default 0600.
    pub mode: u32,
    /// MADANG_CREATE_IF_MISSING, the default; MADANG_CREATE_NEVER; MADANG_CREATE_ONLY
    pub create: u32,
}

impl madang_posix_shm_options {
    fn to_core(self) -> Result<ObjectOptions> {
        let [read_only] = option_flags(self.flags, [(MADANG_READ_ONLY, "MADANG_READ_ONLY")])?;
        Ok(Object::options().size(self.size).mode(self.mode).create(create(self.create)?).read_only(read_only))
    }
}

/// What madang_posix_shm_stat() tells; a snapshot.
#[repr(C)]
#[derive(Clone, Copy, Default)]
pub struct madang_posix_shm_status {
    /// sizeof(madang_posix_shm_status), set by the caller
    pub struct_size: u32,
    /// Permission bits
    pub mode: u32,
    /// The owner's user id
    pub uid: u32,
    /// The owner's group id
    pub gid: u32,
    /// Its size in bytes
    pub size: u64,
    /// Bytes of memory that it takes
    pub allocated: u64,
    /// 1 if it has no name any more, else 0
    pub is_unlinked: u32,
    /// 0
    pub reserved: u32,
}

impl From<ObjectStatus> for madang_posix_shm_status {
    fn from(status: ObjectStatus) -> Self {
        let ObjectStatus { size, allocated, is_unlinked, mode, uid, gid, .. } = status;
        Self { struct_size: 0, mode, uid, gid, size, allocated, is_unlinked: is_unlinked.into(), reserved: 0 }
    }
}

/// An open POSIX shared memory object (shm_overview(7)): what shm_open("/name") gives.
///
/// It is the same object as a madang_segment of that name. Take the segment where it will do: it
/// opens, checks owner and size, and maps in one step. Take this one for what is more: to let it
/// grow or shrink, to map parts of it, to look at it without mapping it, to hand its descriptor on.
///
/// Whoever owns it, it is opened; madang_posix_shm_stat() tells whose it is. Who may write it may
/// truncate it, which is SIGBUS for all who then touch what was cut off: between strangers use a
/// sealed madang_memfd.
pub struct madang_posix_shm {
    handle: Handle<Object>,
}

shell!(madang_posix_shm, Object, b"posh", "object");

/// Opens the POSIX shared memory object called name, or creates it. It isn't mapped by that.
///
/// name is 1 to 255 bytes of UTF-8 without '/', and doesn't begin with "madang.": what is "/frame"
/// for shm_open(3) is "frame" here. options may be NULL. *object is written only on success; give
/// it to madang_posix_shm_close() in the end. Its descriptor is close-on-exec. A new one has its
/// size and its mode before it has its name.
///
/// Returns 0, or
///   -EINVAL        a bad name, flag, mode or struct_size; MADANG_CREATE_ONLY with
///   MADANG_READ_ONLY;
///                  or the existing object is smaller than asked for
///   -ENAMETOOLONG  the name
///   -ENOENT        there is none, and create is MADANG_CREATE_NEVER, or MADANG_READ_ONLY is set
///   -EEXIST        there is one, and create is MADANG_CREATE_ONLY
///   -EACCES        its permission bits don't let this process use it so
///   -EISDIR, -ELOOP, -ENODEV, -ENXIO
///                  the name is a directory's, a symbolic link's, or that of some other thing that
///                  is no regular file
///   -ENOSPC        /dev/shm is full; a container's often has 64 MB
///   -EFBIG         size is more than a file may have
///   -EBUSY         others keep making and removing it: try again
///   -E2BIG         options sets a field that this version doesn't have
///   -EFAULT        name or object is NULL
///   -ENOMEM, -EMFILE, -ENFILE
///                  as with open(2)
///
/// Doesn't wait. Any thread may call it at any time.
#[unsafe(no_mangle)]
pub extern "C" fn madang_posix_shm_open(
    name: *const c_char,
    options: *const madang_posix_shm_options,
    object: *mut *mut madang_posix_shm,
) -> c_int {
    call("madang_posix_shm_open", || {
        let place = Place::new(object)?;
        let name = pointer::text(name)?;
        let object = pointer::options(options)?.to_core()?.open(name)?;
        place.put(object, name);
        Ok(0)
    })
}

/// Takes over a descriptor of shared memory that was inherited or received; or of any regular file.
/// Whoever else can write it can truncate it: from a stranger take a madang_memfd instead.
///
/// fd belongs to the object then, and its number may be another file's; if the call fails, it stays
/// the caller's. *object is written only on success; give it to madang_posix_shm_close() in the
/// end.
///
/// Returns 0; -ENODEV if it is no regular file's; -EBADF if it is no descriptor; -EMFILE; -EFAULT
/// if object is NULL. Doesn't wait. Any thread may call it at any time.
#[unsafe(no_mangle)]
pub extern "C" fn madang_posix_shm_from_fd(fd: c_int, object: *mut *mut madang_posix_shm) -> c_int {
    call("madang_posix_shm_from_fd", || {
        let place = Place::new(object)?;
        place.put_nameless(pointer::take_over(fd, |fd| Ok(Object::try_from(fd)?))?);
        Ok(0)
    })
}

/// Tells what the object is: its size as it is now, its owner, its mode.
///
/// Returns 0; -EINVAL if struct_size is not set, -EBADF if the handle was closed, -EFAULT if a
/// pointer is NULL. Doesn't wait. Any thread may call it at any time.
#[unsafe(no_mangle)]
pub extern "C" fn madang_posix_shm_stat(object: *mut madang_posix_shm, status: *mut madang_posix_shm_status) -> c_int {
    call("madang_posix_shm_stat", || {
        let out = Out::required(status, "status")?;
        out.fill(&pointer::opened(object)?.stat()?.into());
        Ok(0)
    })
}

/// Gives the object another size, in bytes. What is added is 0, and its space is taken at once; if
/// there is none, nothing changes. Who touches what was cut off is killed by SIGBUS.
///
/// Returns 0; -ENOSPC if /dev/shm is full; -EFBIG; -EACCES if it was opened with MADANG_READ_ONLY;
/// -EBADF if the handle was closed, -EFAULT if it is NULL. Doesn't wait. Any thread may call it at
/// any time.
#[unsafe(no_mangle)]
pub extern "C" fn madang_posix_shm_set_size(object: *mut madang_posix_shm, size: u64) -> c_int {
    call("madang_posix_shm_set_size", || {
        pointer::opened(object)?.set_size(size)?;
        Ok(0)
    })
}

/// Maps length bytes of the object at offset, which is a multiple of the page size; length 0 means
/// up to its end. flags: 0 or MADANG_READ_ONLY. *mapping is written only on success; it stays
/// whatever becomes of the object's handle, until madang_mapping_close().
///
/// Returns 0; -EINVAL if they don't lie within it, if it is empty, or for the offset or a flag;
/// -EACCES to write what was opened with MADANG_READ_ONLY; -ENOMEM; -EBADF if the handle was
/// closed, -EFAULT if a pointer is NULL. Doesn't wait. Any thread may call it at any time.
#[unsafe(no_mangle)]
pub extern "C" fn madang_posix_shm_map(
    object: *mut madang_posix_shm,
    offset: u64,
    length: u64,
    flags: u32,
    mapping: *mut *mut madang_mapping,
) -> c_int {
    call("madang_posix_shm_map", || {
        let place = Place::new(mapping)?;
        let [read_only] = option_flags(flags, [(MADANG_READ_ONLY, "MADANG_READ_ONLY")])?;
        place.put_nameless(pointer::opened(object)?.map(offset, length, !read_only)?);
        Ok(0)
    })
}

/// The object's descriptor, for mmap(2), sendmsg(2) and their like. It is the handle's, and must
/// not be closed.
///
/// Returns 0 or more; -EBADF if the handle was closed, -EFAULT if it is NULL. Doesn't wait. Any
/// thread may call it at any time.
#[unsafe(no_mangle)]
pub extern "C" fn madang_posix_shm_fd(object: *const madang_posix_shm) -> c_int {
    call("madang_posix_shm_fd", || Ok(pointer::opened(object)?.as_fd().as_raw_fd()))
}

/// The name by which the object was opened; empty if it was made of a descriptor.
///
/// Returns a text that is valid until the handle is closed, or NULL if the handle was closed or is
/// NULL (madang_last_error() tells). Doesn't wait. Any thread may call it at any time.
#[unsafe(no_mangle)]
pub extern "C" fn madang_posix_shm_name(object: *const madang_posix_shm) -> *const c_char {
    call("madang_posix_shm_name", || pointer::name_of(object))
}

/// Whether this handle's open created the object.
///
/// Returns 1 or 0; -EBADF if the handle was closed, -EFAULT if it is NULL. So compare it with 1:
/// the errors are true, too. Doesn't wait. Any thread may call it at any time.
#[unsafe(no_mangle)]
pub extern "C" fn madang_posix_shm_is_new(object: *const madang_posix_shm) -> c_int {
    call("madang_posix_shm_is_new", || Ok(pointer::opened(object)?.is_new().into()))
}

/// Closes the handle; what was mapped by it stays. No other thread may be inside a call with it.
///
/// Returns 0; -EBADF if it was closed before, -EFAULT if it is NULL. Doesn't wait.
#[unsafe(no_mangle)]
pub extern "C" fn madang_posix_shm_close(object: *mut madang_posix_shm) -> c_int {
    call("madang_posix_shm_close", || pointer::close(object).map(|()| 0))
}

/// Takes the object's name away; who has it open or mapped goes on with it (shm_unlink(3)).
///
/// Returns 0; -ENOENT if there is none; -EPERM or -EACCES if it is another user's; -EISDIR; -EINVAL
/// or -ENAMETOOLONG for a bad name; -EFAULT if it is NULL. Doesn't wait. Any thread may call it at
/// any time.
#[unsafe(no_mangle)]
pub extern "C" fn madang_posix_shm_unlink(name: *const c_char) -> c_int {
    call("madang_posix_shm_unlink", || {
        Object::unlink(pointer::text(name)?)?;
        Ok(0)
    })
}

/// Lists the POSIX shared memory objects that exist, in the order of their names: all regular files
/// in /dev/shm but madang's own and semaphores.
///
/// objects is an array of capacity structs, of which only the first one's struct_size need be set.
///
/// Returns how many there are, of which the first capacity are written; with capacity 0, objects
/// may be NULL. Or -ENOENT or -EACCES if /dev/shm can't be read; -EINVAL if struct_size is not set;
/// -EFAULT if objects is NULL; -EMFILE, -ENFILE. Doesn't wait. Any thread may call it at any time.
#[unsafe(no_mangle)]
pub extern "C" fn madang_posix_shm_list(objects: *mut madang_posix_listed, capacity: usize) -> i64 {
    call("madang_posix_shm_list", || super::list(objects, capacity, shm::list))
}
