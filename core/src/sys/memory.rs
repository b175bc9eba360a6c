//! Memory mappings. Addresses come and go as raw pointers; `mapping.rs` gives them an owner.

use std::os::fd::{AsRawFd, BorrowedFd};
use std::ptr::NonNull;

use super::{Errno, check};

fn map(
    address: *mut libc::c_void,
    length: usize,
    protection: i32,
    flags: i32,
    fd: i32,
    offset: u64,
) -> Result<NonNull<u8>, Errno> {
    let offset = i64::try_from(offset).map_err(|_| Errno(libc::EOVERFLOW))?;
    // SAFETY: a null address makes a new mapping, which aliases nothing; a fixed one is only passed by
    // `map_file_at`, whose caller owns the range.
    let address = unsafe { libc::mmap64(address, length, protection, flags, fd, offset) };
    if address == libc::MAP_FAILED {
        return Err(Errno::last());
    }
    NonNull::new(address.cast()).ok_or(Errno(libc::ENOMEM))
}

/// Reserves `length` bytes of address space that can't be touched.
pub(crate) fn reserve(length: usize) -> Result<NonNull<u8>, Errno> {
    let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE;
    map(std::ptr::null_mut(), length, libc::PROT_NONE, flags, -1, 0)
}

/// A private page of zeroes.
pub(crate) fn anonymous(length: usize) -> Result<NonNull<u8>, Errno> {
    let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
    map(std::ptr::null_mut(), length, libc::PROT_READ | libc::PROT_WRITE, flags, -1, 0)
}

/// Maps `length` bytes of the file at `offset`, shared.
pub(crate) fn map_file(fd: BorrowedFd, offset: u64, length: usize, write: bool) -> Result<NonNull<u8>, Errno> {
    let protection = libc::PROT_READ | if write { libc::PROT_WRITE } else { 0 };
    map(std::ptr::null_mut(), length, protection, libc::MAP_SHARED, fd.as_raw_fd(), offset)
}

/// Maps `length` bytes of the file at `offset`, privately and only to be read.
pub(crate) fn map_file_privately(fd: BorrowedFd, offset: u64, length: usize) -> Result<NonNull<u8>, Errno> {
    map(std::ptr::null_mut(), length, libc::PROT_READ, libc::MAP_PRIVATE, fd.as_raw_fd(), offset)
}

/// How a file is mapped where a program wants it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wanted {
    /// Where; 0 is anywhere.
    pub(crate) address: usize,
    /// Whether what lies there may be replaced; else that is `EINVAL`.
    pub(crate) replaces: bool,
    pub(crate) write: bool,
    pub(crate) execute: bool,
}

/// Maps `length` bytes of the file at `offset`, shared, where it is wanted.
///
/// # Safety
/// Nothing refers to what lies there, if that may be replaced.
pub(crate) unsafe fn map_wanted(
    fd: BorrowedFd,
    offset: u64,
    length: usize,
    wanted: Wanted,
) -> Result<NonNull<u8>, Errno> {
    let allow = |yes, bit| if yes { bit } else { 0 };
    let protection = libc::PROT_READ | allow(wanted.write, libc::PROT_WRITE) | allow(wanted.execute, libc::PROT_EXEC);
    let place = match wanted.address {
        0 => 0,
        _ if wanted.replaces => libc::MAP_FIXED,
        _ => libc::MAP_FIXED_NOREPLACE,
    };
    let address = std::ptr::without_provenance_mut(wanted.address);
    match map(address, length, protection, libc::MAP_SHARED | place, fd.as_raw_fd(), offset) {
        // A kernel that doesn't know the flag takes the address for a hint.
        Ok(at) if wanted.address != 0 && at.as_ptr() as usize != wanted.address => {
            // SAFETY: just mapped, and nobody knows it.
            unsafe { unmap(at, length) };
            Err(Errno(libc::EINVAL))
        }
        Err(Errno(libc::EEXIST)) => Err(Errno(libc::EINVAL)),
        mapped => mapped,
    }
}

/// Maps a page of the file that can't be touched: it keeps the open file description (and its locks) alive.
pub(crate) fn hold_file(fd: BorrowedFd, length: usize) -> Result<NonNull<u8>, Errno> {
    map(std::ptr::null_mut(), length, libc::PROT_NONE, libc::MAP_SHARED, fd.as_raw_fd(), 0)
}

/// Maps `length` bytes of the file at `offset` over what lies at `address`, for reading and writing.
///
/// # Safety
/// The caller owns `length` bytes of mapping at `address`, and nothing refers to what they held.
pub(crate) unsafe fn map_file_at(
    address: NonNull<u8>,
    fd: BorrowedFd,
    offset: u64,
    length: usize,
) -> Result<(), Errno> {
    let protection = libc::PROT_READ | libc::PROT_WRITE;
    let flags = libc::MAP_SHARED | libc::MAP_FIXED;
    map(address.as_ptr().cast(), length, protection, flags, fd.as_raw_fd(), offset).map(drop)
}

/// Removes a mapping.
///
/// # Safety
/// The caller owns the `length` bytes at `address`, and nothing refers to them any more.
pub(crate) unsafe fn unmap(address: NonNull<u8>, length: usize) {
    // SAFETY: the caller's promise. It can't fail for a range that is a mapping.
    unsafe { libc::munmap(address.as_ptr().cast(), length) };
}

/// Writes what was changed there to the file, and waits until it is written (msync(2)). Of all pages that have to do with the range.
///
/// # Safety
/// The range lies within a mapping.
pub(crate) unsafe fn sync(address: NonNull<u8>, length: usize) -> Result<(), Errno> {
    let into_page = address.as_ptr().addr() % page_size();
    // SAFETY: a page that begins within a mapping lies within it.
    check(unsafe { libc::msync(address.as_ptr().byte_sub(into_page).cast(), length + into_page, libc::MS_SYNC) }.into())
        .map(drop)
}

fn advise(address: NonNull<u8>, length: usize, advice: i32) -> Result<(), Errno> {
    // SAFETY: none of the advices passed below changes what the owner of the mapping reads or writes.
    check(unsafe { libc::madvise(address.as_ptr().cast(), length, advice) }.into()).map(drop)
}

/// A forked child will not have this mapping (`MADV_DONTFORK`).
pub(crate) fn dont_fork(address: NonNull<u8>, length: usize) -> Result<(), Errno> {
    advise(address, length, libc::MADV_DONTFORK)
}

/// A forked child will find zeroes here (`MADV_WIPEONFORK`).
pub(crate) fn wipe_on_fork(address: NonNull<u8>, length: usize) -> Result<(), Errno> {
    advise(address, length, libc::MADV_WIPEONFORK)
}

/// The machine's page size in bytes.
pub(crate) fn page_size() -> usize {
    // SAFETY: no memory is passed; the name exists on every Linux.
    unsafe { libc::sysconf(libc::_SC_PAGESIZE) as usize }
}
