//! `madang_segment_*`: plain named bytes for C.

use std::ffi::{c_char, c_int, c_void};

use madang_core::{Segment, SegmentOptions};

use super::{MADANG_ANY_OWNER, MADANG_READ_ONLY, create, option_flags};
use crate::error::{Result, call};
use crate::handle::{Handle, shell};
use crate::pointer::{self, Place};

/// How a segment is opened: struct_size, and what shall not be the default.
#[repr(C)]
#[derive(Clone, Copy, Default)]
pub struct madang_segment_options {
    /// sizeof(madang_segment_options)
    pub struct_size: u32,
    /// 0, MADANG_ANY_OWNER, MADANG_READ_ONLY, or both with |
    pub flags: u32,
    /// Bytes: of a new segment exactly, of an existing one at least. 0, the default, takes one that
    /// exists as it is, and creates none.
    pub length: u64,
    /// The permission bits of a new segment, exactly: no umask. Default 0600.
    pub mode: u32,
    /// MADANG_CREATE_IF_MISSING, the default; MADANG_CREATE_NEVER; MADANG_CREATE_ONLY
    pub create: u32,
}

impl madang_segment_options {
    fn to_core(self) -> Result<SegmentOptions> {
        let known = [(MADANG_ANY_OWNER, "MADANG_ANY_OWNER"), (MADANG_READ_ONLY, "MADANG_READ_ONLY")];
        let [any_owner, read_only] = option_flags(self.flags, known)?;
        Ok(Segment::options()
            .length(self.length)
            .mode(self.mode)
            .create(create(self.create)?)
            .read_only(read_only)
            .any_owner(any_owner))
    }
}

/// An open segment.
///
/// Plain named bytes in shared memory, the same object as shm_open("/name") makes (shm_overview(7));
/// whatever maps that can share it. What several processes write there at once they must order among
/// themselves: with a queue, or with atomics. It lives until madang_segment_unlink() or
/// shm_unlink(3), though nobody has it open.
pub struct madang_segment {
    handle: Handle<Segment>,
}

shell!(madang_segment, Segment, b"segm", "segment");

/// Opens the segment called name, or creates it, and maps it into this process. A new one is all 0.
///
/// name is 1 to 255 bytes of UTF-8 without '/', and doesn't begin with "madang.". The segment is the
/// file /dev/shm/<name>. options may be NULL: then it must exist, for a new one needs a length.
/// *segment is written only on success; give it to madang_segment_close() in the end. It keeps no
/// descriptor.
///
/// Returns 0, or
///   -EINVAL        a bad name, flag or struct_size; MADANG_CREATE_ONLY without a length, or with
///                  MADANG_READ_ONLY; or the existing segment is smaller than asked for, or empty
///   -ENAMETOOLONG  the name
///   -ENOENT        there is none, and none can be created: create is MADANG_CREATE_NEVER, length
///                  is 0, or MADANG_READ_ONLY is set
///   -EEXIST        there is one, and create is MADANG_CREATE_ONLY
///   -EACCES        its permission bits don't let this process use it so
///   -EPERM         it belongs to another user, who may have planted it: see MADANG_ANY_OWNER
///   -EISDIR, -ELOOP, -ENODEV, -ENXIO
///                  the name is a directory's, a symbolic link's, or that of some other thing that
///                  is no regular file
///   -ENOSPC        /dev/shm is full; a container's often has 64 MB
///   -EFBIG         length is more than a file may have
///   -EBUSY         others keep making and removing it: try again
///   -E2BIG         options sets a field that this version doesn't have
///   -EFAULT        name or segment is NULL
///   -ENOMEM, -EMFILE, -ENFILE
///                  as with open(2) and mmap(2)
///
/// Doesn't wait. Any thread may call it at any time. A process may open a segment several times.
#[unsafe(no_mangle)]
pub extern "C" fn madang_segment_open(
    name: *const c_char,
    options: *const madang_segment_options,
    segment: *mut *mut madang_segment,
) -> c_int {
    call("madang_segment_open", || {
        let place = Place::new(segment)?;
        let name = pointer::text(name)?;
        let segment = pointer::options(options)?.to_core()?.open(name)?;
        place.put(segment, name);
        Ok(0)
    })
}

/// Where the segment's first byte lies: madang_segment_size() bytes, aligned to a page, until the
/// handle is closed.
///
/// Returns an address; NULL if the handle was closed or is NULL (madang_last_error() tells). Doesn't
/// wait. Any thread may call it at any time.
#[unsafe(no_mangle)]
pub extern "C" fn madang_segment_data(segment: *const madang_segment) -> *mut c_void {
    call("madang_segment_data", || Ok(pointer::opened(segment)?.data().as_ptr().cast()))
}

/// How many bytes the segment had when it was opened.
///
/// Returns 1 or more; 0 if the handle was closed or is NULL (madang_last_error() tells). Doesn't
/// wait. Any thread may call it at any time.
#[unsafe(no_mangle)]
pub extern "C" fn madang_segment_size(segment: *const madang_segment) -> usize {
    call("madang_segment_size", || Ok(pointer::opened(segment)?.len()))
}

/// The name by which the segment was opened.
///
/// Returns a text that is valid until the handle is closed, or NULL if the handle was closed or is
/// NULL (madang_last_error() tells). Doesn't wait. Any thread may call it at any time.
#[unsafe(no_mangle)]
pub extern "C" fn madang_segment_name(segment: *const madang_segment) -> *const c_char {
    call("madang_segment_name", || pointer::name_of(segment))
}

/// Whether this handle's open created the segment, and so has to give it its first contents.
///
/// Returns 1 or 0; -EBADF if the handle was closed, -EFAULT if it is NULL. So compare it with 1: the
/// errors are true, too. Doesn't wait. Any thread may call it at any time.
#[unsafe(no_mangle)]
pub extern "C" fn madang_segment_is_new(segment: *const madang_segment) -> c_int {
    call("madang_segment_is_new", || Ok(pointer::opened(segment)?.is_new().into()))
}

/// Whether the segment may be written: it was opened without MADANG_READ_ONLY.
///
/// Returns 1 or 0; -EBADF if the handle was closed, -EFAULT if it is NULL. So compare it with 1: the
/// errors are true, too. Doesn't wait. Any thread may call it at any time.
#[unsafe(no_mangle)]
pub extern "C" fn madang_segment_is_writable(segment: *const madang_segment) -> c_int {
    call("madang_segment_is_writable", || Ok(pointer::opened(segment)?.is_writable().into()))
}

/// Copies length bytes from data to offset in the segment: memcpy(3) that looks where it writes.
/// data must not lie in the segment itself; where length is 0, it may be NULL.
///
/// Returns 0; -EINVAL if they would not lie within, -EACCES if the segment was opened with
/// MADANG_READ_ONLY, -EBADF if the handle was closed, -EFAULT if a pointer is NULL. Then nothing was
/// written. Doesn't wait. Any thread may call it at any time; what several write to one place at
/// once is mixed.
#[unsafe(no_mangle)]
pub extern "C" fn madang_segment_write(
    segment: *mut madang_segment,
    offset: usize,
    data: *const c_void,
    length: usize,
) -> c_int {
    call("madang_segment_write", || {
        let segment = pointer::opened(segment)?;
        segment.write(offset, pointer::bytes(data, length, "data")?)?;
        Ok(0)
    })
}

/// Copies length bytes at offset in the segment to buffer: memcpy(3) that looks what it reads.
/// buffer must not lie in the segment itself; where length is 0, it may be NULL.
///
/// Returns 0; -EINVAL if they don't lie within, -EBADF if the handle was closed, -EFAULT if a
/// pointer is NULL. Then nothing was copied. Doesn't wait. Any thread may call it at any time; what
/// others write there meanwhile may come in parts.
#[unsafe(no_mangle)]
pub extern "C" fn madang_segment_read(
    segment: *const madang_segment,
    offset: usize,
    buffer: *mut c_void,
    length: usize,
) -> c_int {
    call("madang_segment_read", || {
        let segment = pointer::opened(segment)?;
        pointer::copy_out(segment, offset, pointer::bytes_mut(buffer, length, "buffer")?)?;
        Ok(0)
    })
}

/// Closes the handle and unmaps the segment: pointers into it are dead. The segment lives on.
///
/// No other thread may be inside a call with this handle, or use what madang_segment_data() gave.
/// Using the handle afterwards is -EBADF, until 1,024 more segments were closed by the process; then
/// it is undefined.
///
/// Returns 0; -EBADF if it was closed before, -EFAULT if it is NULL. Doesn't wait.
#[unsafe(no_mangle)]
pub extern "C" fn madang_segment_close(segment: *mut madang_segment) -> c_int {
    call("madang_segment_close", || pointer::close(segment).map(|()| 0))
}

/// Takes the name away. Who has the segment open goes on with it; its memory goes with the last of
/// them. The next open of the name creates a new segment.
///
/// Returns 0; -ENOENT if there is none; -EACCES or -EPERM if it is another user's; -EISDIR if it is
/// a directory; -EINVAL or -ENAMETOOLONG for a bad name; -EFAULT if it is NULL. Doesn't wait. Any
/// thread may call it at any time.
#[unsafe(no_mangle)]
pub extern "C" fn madang_segment_unlink(name: *const c_char) -> c_int {
    call("madang_segment_unlink", || {
        Segment::unlink(pointer::text(name)?)?;
        Ok(0)
    })
}
