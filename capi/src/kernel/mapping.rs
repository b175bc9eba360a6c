//! `madang_mapping_*`: memory that the kernel's primitives give.

use std::ffi::{c_int, c_void};

use madang_core::Mapping;

use crate::error::call;
use crate::handle::{Handle, shell};
use crate::pointer;

/// Memory that this process shares with others: what one gets by mapping System V or POSIX shared
/// memory, a file, or a memfd. It stays mapped until madang_mapping_close(), whatever becomes of
/// the handle that it was made with.
///
/// What several processes write there at once they must order among themselves: with semaphores, or
/// with atomics. Who may truncate the file behind it may kill with SIGBUS whoever then touches what
/// was cut off (mmap(2)).
pub struct madang_mapping {
    handle: Handle<Mapping>,
}

shell!(madang_mapping, Mapping, b"mapp", "mapping");

/// Where its first byte lies: madang_mapping_size() bytes, aligned to a page, until it is closed.
///
/// Returns an address; NULL if it was closed or is NULL (madang_last_error() tells). Doesn't wait.
/// Any thread may call it at any time.
#[unsafe(no_mangle)]
pub extern "C" fn madang_mapping_data(mapping: *const madang_mapping) -> *mut c_void {
    call("madang_mapping_data", || Ok(pointer::opened(mapping)?.data().as_ptr().cast()))
}

/// How many bytes are mapped.
///
/// Returns 1 or more; 0 if it was closed or is NULL (madang_last_error() tells). Doesn't wait. Any
/// thread may call it at any time.
#[unsafe(no_mangle)]
pub extern "C" fn madang_mapping_size(mapping: *const madang_mapping) -> usize {
    call("madang_mapping_size", || Ok(pointer::opened(mapping)?.len()))
}

/// Whether it may be written.
///
/// Returns 1 or 0; -EBADF if it was closed, -EFAULT if it is NULL. So compare it with 1: the errors
/// are true, too. Doesn't wait. Any thread may call it at any time.
#[unsafe(no_mangle)]
pub extern "C" fn madang_mapping_is_writable(mapping: *const madang_mapping) -> c_int {
    call("madang_mapping_is_writable", || Ok(pointer::opened(mapping)?.is_writable().into()))
}

/// Writes length bytes at offset that were changed to the file that is mapped, if it is one, and
/// waits until they are there: they are safe then from a power failure. Other processes see changes
/// anyway, at once. It goes by pages; a length of 0 is all that follows.
///
/// Returns 0; -EINVAL if they don't lie within, -EIO if they can't be written, -EBADF if it was
/// closed, -EFAULT if it is NULL. Waits for the disk. Any thread may call it at any time. See
/// msync(2).
#[unsafe(no_mangle)]
pub extern "C" fn madang_mapping_sync(mapping: *mut madang_mapping, offset: usize, length: usize) -> c_int {
    call("madang_mapping_sync", || {
        let mapping = pointer::opened(mapping)?;
        let length = if length == 0 { mapping.len().saturating_sub(offset) } else { length };
        mapping.sync_part(offset, length)?;
        Ok(0)
    })
}

/// Unmaps it: pointers into it are dead. No other thread may be inside a call with it.
///
/// Returns 0; -EBADF if it was closed before, -EFAULT if it is NULL. Doesn't wait.
#[unsafe(no_mangle)]
pub extern "C" fn madang_mapping_close(mapping: *mut madang_mapping) -> c_int {
    call("madang_mapping_close", || pointer::close(mapping).map(|()| 0))
}
