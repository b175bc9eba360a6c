//! `madang_gc` and `madang_left_overs`: what a death left behind, for C.

use std::ffi::c_int;

use madang_core::LeftOvers;

use crate::error::call;
use crate::pointer::Out;

/// Left-overs of processes that were killed: half-made objects, and removed ones of System V's
/// calls.
#[repr(C)]
#[derive(Clone, Copy, Default)]
pub struct madang_left_over {
    /// sizeof(madang_left_over), set by the caller
    pub struct_size: u32,
    /// 0 in this version
    pub flags: u32,
    /// How many there are, or were
    pub files: u64,
    /// Bytes of memory that they take, or took
    pub bytes: u64,
    /// How many half-made ones there are of other users, which only these or root can judge and
    /// remove
    pub others: u64,
}

impl From<LeftOvers> for madang_left_over {
    fn from(found: LeftOvers) -> Self {
        let LeftOvers { files, bytes, others, .. } = found;
        Self { struct_size: 0, flags: 0, files, bytes, others }
    }
}

/// Removes left-overs of processes that were killed: half-made objects, and removed ones of System
/// V's calls. Half-made ones are rare: where /dev/shm is a tmpfs and /proc is mounted, only System
/// V's calls can leave any. More common are System V segments that were removed while they were
/// attached, and whose last user was killed. Objects that are whole and weren't removed are never
/// touched.
///
/// removed may be NULL; otherwise it is told what was removed.
///
/// Returns 0; -ENOENT, -ENOTDIR or -EACCES if the directory can't be read; -EINVAL if struct_size is
/// not set, or MADANG_DIR is not an absolute path. Doesn't wait. Any thread may call it at any time,
/// while others make objects.
#[unsafe(no_mangle)]
pub extern "C" fn madang_gc(removed: *mut madang_left_over) -> c_int {
    call("madang_gc", || {
        let out = Out::optional(removed)?;
        let found = madang_core::gc()?;
        if let Some(out) = out {
            out.fill(&found.into());
        }
        Ok(0)
    })
}

/// Tells what madang_gc() would remove.
///
/// Returns as madang_gc() does, and -EFAULT if found is NULL. Doesn't wait. Any thread may call it
/// at any time.
#[unsafe(no_mangle)]
pub extern "C" fn madang_left_overs(found: *mut madang_left_over) -> c_int {
    call("madang_left_overs", || {
        let out = Out::required(found, "found")?;
        out.fill(&madang_core::left_overs()?.into());
        Ok(0)
    })
}
