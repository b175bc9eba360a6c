//! Files and names: what an object is before it is memory.

use std::ffi::{CStr, CString};
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

use super::{Errno, check};

/// What `statx` tells of a file, as far as madang asks.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stat {
    /// Device and inode: the file's identity, whatever its name.
    pub(crate) identity: Identity,
    pub(crate) size: u64,
    /// Bytes that are really taken (`st_blocks` × 512).
    pub(crate) allocated: u64,
    pub(crate) uid: u32,
    pub(crate) gid: u32,
    /// How many names it has.
    pub(crate) links: u32,
    /// Type and permission bits.
    mode: u16,
}

/// A file's device (major, minor) and inode.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Identity(u32, u32, u64);

impl Stat {
    pub(crate) fn is_regular(&self) -> bool {
        u32::from(self.mode) & libc::S_IFMT == libc::S_IFREG
    }

    /// A pipe, with a name or without.
    pub(crate) fn is_fifo(&self) -> bool {
        u32::from(self.mode) & libc::S_IFMT == libc::S_IFIFO
    }

    pub(crate) fn is_link(&self) -> bool {
        u32::from(self.mode) & libc::S_IFMT == libc::S_IFLNK
    }

    pub(crate) fn is_socket(&self) -> bool {
        u32::from(self.mode) & libc::S_IFMT == libc::S_IFSOCK
    }

    pub(crate) fn permissions(&self) -> u32 {
        u32::from(self.mode) & 0o7777
    }
}

/// How an existing object is opened: no link is followed, nothing hangs, nothing leaks into an exec.
const EXISTING: i32 = libc::O_CLOEXEC | libc::O_NOFOLLOW | libc::O_NONBLOCK | libc::O_NOCTTY;

fn open_at(path: &CStr, flags: i32, mode: u32) -> Result<OwnedFd, Errno> {
    // SAFETY: the path is a C string that outlives the call.
    let fd = check(unsafe { libc::syscall(libc::SYS_openat, libc::AT_FDCWD, path.as_ptr(), flags, mode) })?;
    // SAFETY: the kernel just made this descriptor, and nobody else knows it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd as i32) })
}

/// Opens what exists, to read and write or only to read.
pub(crate) fn open(path: &CStr, write: bool) -> Result<OwnedFd, Errno> {
    open_at(path, EXISTING | if write { libc::O_RDWR } else { libc::O_RDONLY }, 0)
}

/// Opens what exists, to read and write or only to read; follows links.
pub(crate) fn open_followed(path: &CStr, write: bool) -> Result<OwnedFd, Errno> {
    let flags = EXISTING & !libc::O_NOFOLLOW;
    open_at(path, flags | if write { libc::O_RDWR } else { libc::O_RDONLY }, 0)
}

/// Opens what exists, with these flags besides.
pub(crate) fn open_as(path: &CStr, flags: i32) -> Result<OwnedFd, Errno> {
    open_at(path, EXISTING | flags, 0)
}

/// Opens the file behind `fd` anew, to read and write: another description, with locks of its own.
pub(crate) fn reopen(fd: BorrowedFd) -> Result<OwnedFd, Errno> {
    open_at(&descriptor_path(fd)?, libc::O_RDWR | libc::O_CLOEXEC | libc::O_NONBLOCK | libc::O_NOCTTY, 0)
}

/// Opens whatever is behind `fd` anew with these flags: another description, which doesn't block. Not without `/proc`.
pub(crate) fn reopen_as(fd: BorrowedFd, flags: i32) -> Result<OwnedFd, Errno> {
    open_at(&descriptor_path(fd)?, flags | libc::O_CLOEXEC | libc::O_NONBLOCK | libc::O_NOCTTY, 0)
}

/// A path to whatever is open there, be it unlinked. Not without `/proc`.
pub(crate) fn descriptor_path(fd: BorrowedFd) -> Result<CString, Errno> {
    CString::new(format!("/proc/self/fd/{}", fd.as_raw_fd())).map_err(|_| Errno(libc::EINVAL))
}

/// Lets the number of `old` stand for what `new` is, instead of what it was (dup3(2)).
pub(crate) fn replace(old: BorrowedFd, new: BorrowedFd) -> Result<(), Errno> {
    let (old, new) = (old.as_raw_fd(), new.as_raw_fd());
    // SAFETY: no memory is passed.
    check(unsafe { libc::syscall(libc::SYS_dup3, new, old, libc::O_CLOEXEC) }).map(drop)
}

/// Makes a file without a name in `directory` (`O_TMPFILE`, open(2)).
pub(crate) fn create_unnamed(directory: &CStr) -> Result<OwnedFd, Errno> {
    open_at(directory, libc::O_TMPFILE | libc::O_RDWR | libc::O_CLOEXEC, 0o600)
}

/// Makes a file under a name that must be free.
pub(crate) fn create_new(path: &CStr) -> Result<OwnedFd, Errno> {
    open_at(path, EXISTING | libc::O_CREAT | libc::O_EXCL | libc::O_RDWR, 0o600)
}

/// What `fd` is (statx(2): one layout on every architecture).
pub(crate) fn stat(fd: BorrowedFd) -> Result<Stat, Errno> {
    stat_at(fd.as_raw_fd(), c"", libc::AT_EMPTY_PATH)
}

fn stat_at(directory: i32, path: &CStr, flags: i32) -> Result<Stat, Errno> {
    // SAFETY: all-zero is a valid `statx`.
    let mut found: libc::statx = unsafe { std::mem::zeroed() };
    let wanted = libc::STATX_BASIC_STATS;
    // SAFETY: the path is a C string, `found` a valid place for the answer.
    check(unsafe { libc::syscall(libc::SYS_statx, directory, path.as_ptr(), flags, wanted, &raw mut found) })?;
    Ok(Stat {
        identity: Identity(found.stx_dev_major, found.stx_dev_minor, found.stx_ino),
        size: found.stx_size,
        allocated: found.stx_blocks * 512,
        uid: found.stx_uid,
        gid: found.stx_gid,
        links: found.stx_nlink,
        mode: found.stx_mode,
    })
}

/// Sets the permission bits exactly: no umask has a say (fchmod(2)).
pub(crate) fn set_mode(fd: BorrowedFd, mode: u32) -> Result<(), Errno> {
    // SAFETY: no memory is passed.
    check(unsafe { libc::syscall(libc::SYS_fchmod, fd.as_raw_fd(), mode) }).map(drop)
}

/// Sets the size; what is added is a hole (ftruncate(2)).
pub(crate) fn set_size(fd: BorrowedFd, size: u64) -> Result<(), Errno> {
    let size = i64::try_from(size).map_err(|_| Errno(libc::EFBIG))?;
    // SAFETY: no memory is passed.
    check(unsafe { libc::ftruncate64(fd.as_raw_fd(), size) }.into()).map(drop)
}

/// What [`allocate`] takes at once at least: some microseconds.
const LEAST_AT_ONCE: i64 = 64 << 10;

/// Takes the space of `length` bytes at `offset`, so that touching them can't fail any more (fallocate(2)). Not for more than a
/// few MiB at once. Some kernels undo a call that a signal interrupts: it begins again here with half as much, so that it
/// is done before the next one comes.
pub(crate) fn allocate(fd: BorrowedFd, offset: u64, length: u64) -> Result<(), Errno> {
    let too_large = |_| Errno(libc::EFBIG);
    let (offset, length) = (i64::try_from(offset).map_err(too_large)?, i64::try_from(length).map_err(too_large)?);
    let end = offset.checked_add(length).ok_or(Errno(libc::EFBIG))?;
    let (mut at, mut piece) = (offset, length);
    loop {
        piece = piece.min(end - at);
        // SAFETY: no memory is passed.
        match check(unsafe { libc::fallocate64(fd.as_raw_fd(), 0, at, piece) }.into()) {
            Ok(_) if at + piece == end => return Ok(()),
            Ok(_) => at += piece,
            Err(Errno(libc::EINTR)) if piece > LEAST_AT_ONCE => piece = (piece / 2).max(LEAST_AT_ONCE),
            Err(Errno(libc::EINTR)) => {}
            Err(errno) => return Err(errno),
        }
    }
}

/// Gives the space of `length` bytes at `offset` back; they read as 0 from then on (`FALLOC_FL_PUNCH_HOLE`).
pub(crate) fn punch(fd: BorrowedFd, offset: u64, length: u64) -> Result<(), Errno> {
    let too_large = |_| Errno(libc::EFBIG);
    let (offset, length) = (i64::try_from(offset).map_err(too_large)?, i64::try_from(length).map_err(too_large)?);
    let mode = libc::FALLOC_FL_PUNCH_HOLE | libc::FALLOC_FL_KEEP_SIZE;
    // SAFETY: no memory is passed.
    check(unsafe { libc::fallocate64(fd.as_raw_fd(), mode, offset, length) }.into()).map(drop)
}

/// Reads what lies at `offset`; 0 is the end of the file (pread(2)).
pub(crate) fn read_at(fd: BorrowedFd, into: &mut [MaybeUninit<u8>], offset: u64) -> Result<usize, Errno> {
    let offset = i64::try_from(offset).map_err(|_| Errno(libc::EFBIG))?;
    // SAFETY: the buffer is valid for its length.
    let read = unsafe { libc::pread64(fd.as_raw_fd(), into.as_mut_ptr().cast(), into.len(), offset) };
    if read == -1 { Err(Errno::last()) } else { Ok(read as usize) }
}

/// As [`read_at`], into bytes.
pub(crate) fn read_bytes_at(fd: BorrowedFd, into: &mut [u8], offset: u64) -> Result<usize, Errno> {
    // SAFETY: the same memory; what is written there by a read is bytes.
    let into = unsafe { std::slice::from_raw_parts_mut(into.as_mut_ptr().cast(), into.len()) };
    read_at(fd, into, offset)
}

/// Whether the description was opened to be read, and to be written (`F_GETFL`).
pub(crate) fn access(fd: BorrowedFd) -> Result<(bool, bool), Errno> {
    // SAFETY: no memory is passed.
    let flags = check(unsafe { libc::fcntl(fd.as_raw_fd(), libc::F_GETFL) }.into())?;
    Ok(match flags as i32 & libc::O_ACCMODE {
        libc::O_RDONLY => (true, false),
        libc::O_WRONLY => (false, true),
        _ => (true, true),
    })
}

/// How many bytes are free in the file's file system (fstatfs(2)); `None` where it has no limit of its own.
pub(crate) fn free_space(fd: BorrowedFd) -> Option<u64> {
    // SAFETY: all-zero is a valid `statfs64`.
    let mut found: libc::statfs64 = unsafe { std::mem::zeroed() };
    // SAFETY: `found` is a valid place for the answer.
    check(unsafe { libc::fstatfs64(fd.as_raw_fd(), &raw mut found) }.into()).ok()?;
    (found.f_blocks > 0).then(|| found.f_bavail.saturating_mul(found.f_bsize as u64))
}

/// Whether anything bears the name, be it a link that leads nowhere.
pub(crate) fn exists(path: &CStr) -> bool {
    look(path).is_ok()
}

/// What bears the name, whether or not one may open it; of a symbolic link, the link.
pub(crate) fn look(path: &CStr) -> Result<Stat, Errno> {
    stat_at(libc::AT_FDCWD, path, libc::AT_SYMLINK_NOFOLLOW)
}

/// The beginning of a small file, as those in `/proc/sys`.
pub(crate) fn read_small(path: &CStr) -> Option<String> {
    let fd = open_at(path, libc::O_RDONLY | libc::O_CLOEXEC, 0).ok()?;
    let mut buffer = [0u8; 256];
    // SAFETY: the buffer is valid for its length.
    let read = unsafe { libc::syscall(libc::SYS_read, fd.as_raw_fd(), buffer.as_mut_ptr(), buffer.len()) };
    let text = buffer.get(..usize::try_from(read).ok()?)?;
    String::from_utf8(text.to_vec()).ok()
}

/// Gives the file to another owner; `u32::MAX` leaves it (fchown(2)).
pub(crate) fn set_owner(fd: BorrowedFd, uid: u32, gid: u32) -> Result<(), Errno> {
    // SAFETY: no memory is passed.
    check(unsafe { libc::syscall(libc::SYS_fchown, fd.as_raw_fd(), uid, gid) }).map(drop)
}

/// The names in a directory, in no order, without `.` and `..` (getdents64(2)).
pub(crate) fn names_in(directory: &CStr) -> Result<Vec<CString>, Errno> {
    let fd = open_at(directory, libc::O_RDONLY | libc::O_DIRECTORY | libc::O_CLOEXEC, 0)?;
    let mut names = Vec::new();
    let mut buffer = [0u8; 32 << 10];
    loop {
        // SAFETY: the buffer is valid for its length.
        let filled =
            check(unsafe { libc::syscall(libc::SYS_getdents64, fd.as_raw_fd(), buffer.as_mut_ptr(), buffer.len()) })?;
        if filled == 0 {
            return Ok(names);
        }
        let mut rest = &buffer[..filled as usize];
        while let Some((name, after)) = next_entry(rest) {
            if !matches!(name.to_bytes(), b"." | b"..") {
                names.push(name.to_owned());
            }
            rest = after;
        }
    }
}

/// The first of the entries that getdents64 gave, and the others: 16 bytes that don't matter here, the entry's length in two, its type,
/// its name.
fn next_entry(entries: &[u8]) -> Option<(&CStr, &[u8])> {
    let length = u16::from_ne_bytes(*entries.get(16..)?.first_chunk()?);
    let (entry, rest) = entries.split_at_checked(length.into())?;
    Some((CStr::from_bytes_until_nul(entry.get(19..)?).ok()?, rest))
}

/// Gives the file behind `fd` the name `path`, which must be free (linkat(2) by way of `/proc/self/fd`).
pub(crate) fn link_descriptor(fd: BorrowedFd, path: &CStr) -> Result<(), Errno> {
    link_at(&descriptor_path(fd)?, path, libc::AT_SYMLINK_FOLLOW)
}

/// Gives the file named `from` the second name `path`, which must be free.
pub(crate) fn link(from: &CStr, path: &CStr) -> Result<(), Errno> {
    link_at(from, path, 0)
}

fn link_at(from: &CStr, path: &CStr, flags: i32) -> Result<(), Errno> {
    let here = libc::AT_FDCWD;
    // SAFETY: both paths are C strings that outlive the call.
    check(unsafe { libc::syscall(libc::SYS_linkat, here, from.as_ptr(), here, path.as_ptr(), flags) }).map(drop)
}

/// Takes the name away; the file lives on while somebody has it open or mapped.
pub(crate) fn unlink(path: &CStr) -> Result<(), Errno> {
    // SAFETY: the path is a C string that outlives the call.
    check(unsafe { libc::syscall(libc::SYS_unlinkat, libc::AT_FDCWD, path.as_ptr(), 0) }).map(drop)
}

/// Makes a FIFO under a name that must be free; of the mode the umask takes its part (mknodat(2)).
pub(crate) fn make_fifo(path: &CStr, mode: u32) -> Result<(), Errno> {
    let (call, here, mode) = (libc::SYS_mknodat, libc::AT_FDCWD, libc::S_IFIFO | mode);
    // SAFETY: the path is a C string that outlives the call.
    check(unsafe { libc::syscall(call, here, path.as_ptr(), mode, 0) }).map(drop)
}

/// Renames it to `path`, over what bears that name (renameat2(2)).
pub(crate) fn rename(from: &CStr, path: &CStr) -> Result<(), Errno> {
    rename_at(from, path, 0)
}

/// Renames it to `path`, which must be free. `EINVAL` where the file system can't tell.
pub(crate) fn rename_to_free(from: &CStr, path: &CStr) -> Result<(), Errno> {
    rename_at(from, path, libc::RENAME_NOREPLACE)
}

fn rename_at(from: &CStr, path: &CStr, flags: u32) -> Result<(), Errno> {
    let here = libc::AT_FDCWD;
    // SAFETY: both paths are C strings that outlive the call.
    check(unsafe { libc::syscall(libc::SYS_renameat2, here, from.as_ptr(), here, path.as_ptr(), flags) }).map(drop)
}

/// Locks the description for itself alone, if no other has it; whether it did (flock(2)).
pub(crate) fn try_flock(fd: BorrowedFd) -> Result<bool, Errno> {
    // SAFETY: no memory is passed.
    match check(unsafe { libc::flock(fd.as_raw_fd(), libc::LOCK_EX | libc::LOCK_NB) }.into()) {
        Ok(_) => Ok(true),
        Err(Errno(libc::EWOULDBLOCK)) => Ok(false),
        Err(errno) => Err(errno),
    }
}
