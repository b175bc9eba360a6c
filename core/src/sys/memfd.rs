//! Anonymous files and their seals: memfd_create(2), fcntl(2).

use std::ffi::CStr;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

use super::{Errno, check};

/// It can't be executed, nor made executable (from Linux 6.3 on).
pub(crate) const NOEXEC_SEAL: u32 = 8;
/// It may be executed (from Linux 6.3 on; before, all may).
pub(crate) const EXEC: u32 = 16;
/// It lies in huge pages; the logarithm of their size comes [`HUGE_SHIFT`] bits higher, 0 is the machine's default.
pub(crate) const HUGETLB: u32 = libc::MFD_HUGETLB;
pub(crate) const HUGE_SHIFT: u32 = 26;

/// An empty file without a name in any directory, which can be sealed; close-on-exec.
pub(crate) fn create(name: &CStr, flags: u32) -> Result<OwnedFd, Errno> {
    let flags = flags | libc::MFD_CLOEXEC | libc::MFD_ALLOW_SEALING;
    // SAFETY: a C string that outlives the call.
    let fd = check(unsafe { libc::syscall(libc::SYS_memfd_create, name.as_ptr(), flags) })?;
    // SAFETY: the kernel just made this descriptor, and nobody else knows it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd as i32) })
}

/// Its seals (`F_GET_SEALS`); `EINVAL` of a file that can't have any.
pub(crate) fn seals(fd: BorrowedFd) -> Result<u32, Errno> {
    // SAFETY: no memory is passed.
    check(unsafe { libc::fcntl(fd.as_raw_fd(), libc::F_GET_SEALS) }.into()).map(|seals| seals as u32)
}

/// Adds seals (`F_ADD_SEALS`).
pub(crate) fn add_seals(fd: BorrowedFd, seals: u32) -> Result<(), Errno> {
    // SAFETY: no memory is passed.
    check(unsafe { libc::fcntl(fd.as_raw_fd(), libc::F_ADD_SEALS, seals as libc::c_int) }.into()).map(drop)
}
