//! `madang_file_*`: files for C: locked, mapped, grown, replaced, followed.

use std::ffi::{c_char, c_int, c_void};
use std::os::fd::{AsFd, AsRawFd};
use std::sync::{Mutex, MutexGuard, TryLockError};

use madang_core::file::{self, File, Follow, Lock, Options};

use super::mapping::madang_mapping;
use crate::deadline::limit;
use crate::error::{Failure, Result, call};
use crate::handle::{Handle, shell};
use crate::pointer::{self, Out, Place};
use crate::shared::{MADANG_READ_ONLY, create, option_flags};

/// Flag of locks: together with others who lock it so. Without it, for oneself alone.
pub const MADANG_LOCK_SHARED: u32 = 1 << 19;

/// Flag of madang_file_replace(): the permission bits stay those of the old file, if there is one.
pub const MADANG_KEEP_MODE: u32 = 1 << 20;

/// Flag of madang_file_follow_open(): begin with what is written from now on.
pub const MADANG_FROM_END: u32 = 1 << 21;

/// How a file is opened: struct_size, and what shall not be the default.
#[repr(C)]
#[derive(Clone, Copy, Default)]
pub struct madang_file_options {
    /// sizeof(madang_file_options)
    pub struct_size: u32,
    /// 0 or MADANG_READ_ONLY: it must exist; it can be locked shared, its mappings only be read
    pub flags: u32,
    /// At least so many bytes, of which those that are new are 0: as madang_file_grow(). Default:
    /// as it is; a new one is empty.
    pub length: u64,
    /// The permission bits of a new file, exactly: no umask. Default 0600.
    pub mode: u32,
    /// MADANG_CREATE_IF_MISSING, the default; MADANG_CREATE_NEVER; MADANG_CREATE_ONLY
    pub create: u32,
}

impl madang_file_options {
    fn to_core(self) -> Result<Options> {
        let [read_only] = option_flags(self.flags, [(MADANG_READ_ONLY, "MADANG_READ_ONLY")])?;
        let options = File::options().mode(self.mode).create(create(self.create)?);
        Ok(options.length(self.length).read_only(read_only))
    }
}

/// Who is in the way of a lock.
#[repr(C)]
#[derive(Clone, Copy, Default)]
pub struct madang_file_holder {
    /// sizeof(madang_file_holder)
    pub struct_size: u32,
    /// 0, or MADANG_LOCK_SHARED if he shares it
    pub flags: u32,
    /// The first byte that he has locked
    pub start: u64,
    /// How many; 0 is all that follow
    pub length: u64,
    /// A process that has it, as far as /proc tells this user; or 0
    pub pid: i32,
    /// 0
    pub reserved: u32,
}

/// An open regular file: to be locked, mapped, and grown.
pub struct madang_file {
    handle: Handle<File>,
}

/// A file that is read while it grows.
pub struct madang_file_follow {
    handle: Handle<Mutex<Follow>>,
}

shell!(madang_file, File, b"file", "file");
shell!(madang_file_follow, Mutex<Follow>, b"foll", "follow");

/// Opens a regular file, or makes it. Symbolic links are followed, as open(2) does.
///
/// options may be NULL. *file is written only on success; give it to madang_file_close() in the
/// end. The name of a new file never shows another mode or length.
///
/// Returns 0, or
///   -ENOENT     there is none, and create is MADANG_CREATE_NEVER, or MADANG_READ_ONLY is set; or
///               there is no directory
///   -EEXIST     there is one, and create is MADANG_CREATE_ONLY
///   -EACCES, -EISDIR, -ENOTDIR, -EROFS, -ELOOP, -ENAMETOOLONG, -EMFILE, -ENFILE
///               as with open(2)
///   -ENODEV, -ENXIO
///               it is no regular file
///   -ENOSPC, -EDQUOT, -EFBIG
///               options.length
///   -EINVAL     a flag, a struct_size, a mode; path can't be a file's; or MADANG_READ_ONLY with a
///               length or MADANG_CREATE_ONLY
///   -E2BIG      options sets a field that this version doesn't have
///   -EBUSY      others keep making and removing it: try again
///   -EFAULT     path or file is NULL
///
/// Doesn't wait. Any thread may call it at any time.
#[unsafe(no_mangle)]
pub extern "C" fn madang_file_open(
    path: *const c_char,
    options: *const madang_file_options,
    file: *mut *mut madang_file,
) -> c_int {
    call("madang_file_open", || {
        let (place, path) = (Place::new(file)?, pointer::path(path)?);
        place.put_nameless(pointer::options(options)?.to_core()?.open(path)?);
        Ok(0)
    })
}

/// Whether this handle's open made the file, and so has to give it its first contents.
///
/// Returns 1 or 0; -EBADF if the handle was closed, -EFAULT if it is NULL. So compare it with 1:
/// the errors are true, too. Doesn't wait. Any thread may call it at any time.
#[unsafe(no_mangle)]
pub extern "C" fn madang_file_is_new(file: *const madang_file) -> c_int {
    call("madang_file_is_new", || Ok(pointer::opened(file)?.is_new().into()))
}

/// The descriptor, for read(2), pwrite(2) and their like. It is the handle's: don't close it.
///
/// Returns it, or -EBADF if the handle was closed, -EFAULT if it is NULL. Doesn't wait. Any thread
/// may call it at any time.
#[unsafe(no_mangle)]
pub extern "C" fn madang_file_fd(file: *const madang_file) -> c_int {
    call("madang_file_fd", || Ok(pointer::opened(file)?.as_fd().as_raw_fd()))
}

/// How many bytes the file has at the moment.
///
/// Returns it, or -EBADF if the handle was closed, -EFAULT if it is NULL. Doesn't wait. Any thread
/// may call it at any time.
#[unsafe(no_mangle)]
pub extern "C" fn madang_file_length(file: *const madang_file) -> i64 {
    call("madang_file_length", || Ok(pointer::opened(file)?.len()?.cast_signed()))
}

/// Makes the file at least so long. What is new is 0, and its space is taken, so that touching it
/// in a mapping can't fail. It never becomes shorter. Mappings stay as they are: map it again.
///
/// Returns its length then, or -ENOSPC, -EDQUOT, -EFBIG; -EACCES if it was opened with
/// MADANG_READ_ONLY; -EBADF if the handle was closed, -EFAULT if it is NULL. Doesn't wait, but for
/// the disk. Any thread may call it at any time. See fallocate(2).
#[unsafe(no_mangle)]
pub extern "C" fn madang_file_grow(file: *mut madang_file, length: u64) -> i64 {
    call("madang_file_grow", || Ok(pointer::opened(file)?.grow(length)?.cast_signed()))
}

/// Maps length bytes of the file from offset, a multiple of the page size; a length of 0 is all
/// that follows.
///
/// *mapping is written only on success; give it to madang_mapping_close() in the end. It outlives
/// the file's handle.
///
/// Returns 0, or -EINVAL if there are no such bytes, or offset is no such multiple; -ENOMEM; -EBADF
/// if the handle was closed, -EFAULT if a pointer is NULL. Doesn't wait. Any thread may call it at
/// any time. See mmap(2).
#[unsafe(no_mangle)]
pub extern "C" fn madang_file_map(
    file: *mut madang_file,
    offset: u64,
    length: u64,
    mapping: *mut *mut madang_mapping,
) -> c_int {
    call("madang_file_map", || {
        let (place, file) = (Place::new(mapping)?, pointer::opened(file)?);
        let length = if length == 0 { file.len()?.saturating_sub(offset) } else { length };
        place.put_nameless(file.map_part(offset, length)?);
        Ok(0)
    })
}

/// Locks length bytes from start, which need not exist; a length of 0 is all that follows, however
/// long the file becomes: 0 and 0 is the whole file.
///
/// flags is 0 or MADANG_LOCK_SHARED, with MADANG_DEADLINE or MADANG_INSTANT, which means the same
/// as a timeout_ns of 0.
///
/// What one handle has locked keeps others out: other handles of the same file, of this process or
/// another, and whoever else uses such locks or those of lockf(3) (not flock(2)). It keeps other
/// threads with the same handle out as well, whether or not both would share it. A thread that
/// locks what it has locked already waits for itself. It is unlocked by madang_file_unlock(), and
/// when the handle is closed or its process dies. A child of fork(2) has locked nothing, and is
/// kept out like any other.
///
/// The locks are advice: who doesn't lock may read and write.
///
/// Returns 0, or
///   -EAGAIN     somebody is in the way, and timeout_ns is 0: see madang_file_holder_of()
///   -ETIMEDOUT  somebody was, until the time was over
///   -EINTR      a signal handler ran while it waited; nothing is locked
///   -EBADF      the handle was closed; or the lock is not shared, and the file MADANG_READ_ONLY
///   -EINVAL     an unknown flag, or a range that no file has
///   -ENOLCK     the system has no more locks
///   -EFAULT     file is NULL
///
/// Waits as timeout_ns says. With an end, it looks again and again, at first every 50 µs, at last
/// every 5 ms; without one, it waits in the kernel, where a handler that was installed with
/// SA_RESTART doesn't end the wait. Any thread may call it at any time. See F_OFD_SETLK in
/// fcntl(2).
#[unsafe(no_mangle)]
pub extern "C" fn madang_file_lock(
    file: *mut madang_file,
    start: u64,
    length: u64,
    flags: u32,
    timeout_ns: i64,
) -> c_int {
    call("madang_file_lock", || {
        let file = pointer::opened(file)?;
        let deadline = limit(flags & !MADANG_LOCK_SHARED, timeout_ns)?.deadline();
        file.acquire(lock(start, length, flags & MADANG_LOCK_SHARED != 0), deadline)?;
        Ok(0)
    })
}

/// Unlocks what was locked, by the same start and length.
///
/// Returns 0; -EPERM if this handle, in this process, has not locked exactly that; -EBADF if it was
/// closed, -EFAULT if it is NULL. Doesn't wait. Any thread may call it at any time.
#[unsafe(no_mangle)]
pub extern "C" fn madang_file_unlock(file: *mut madang_file, start: u64, length: u64) -> c_int {
    call("madang_file_unlock", || {
        pointer::opened(file)?.release(lock(start, length, false))?;
        Ok(0)
    })
}

/// Tells who is in the way of a lock with that start, length and flags (0 or MADANG_LOCK_SHARED):
/// at the moment, and only one of them. What this handle itself has locked it doesn't tell.
///
/// Returns 1, and fills *holder; 0 if nobody is; -EINVAL for an unknown flag, a range that no file
/// has, or a struct_size; -EBADF if the handle was closed; -EFAULT if a pointer is NULL. Doesn't
/// wait. Any thread may call it at any time. See F_OFD_GETLK in fcntl(2), and proc_pid_fdinfo(5).
#[unsafe(no_mangle)]
pub extern "C" fn madang_file_holder_of(
    file: *const madang_file,
    start: u64,
    length: u64,
    flags: u32,
    holder: *mut madang_file_holder,
) -> c_int {
    call("madang_file_holder_of", || {
        let (file, out) = (pointer::opened(file)?, Out::required(holder, "holder")?);
        let [shared] = option_flags(flags, [(MADANG_LOCK_SHARED, "MADANG_LOCK_SHARED")])?;
        let Some(found) = file.holder(lock(start, length, shared))? else { return Ok(0) };
        out.fill(&madang_file_holder {
            struct_size: 0,
            flags: if found.shared { MADANG_LOCK_SHARED } else { 0 },
            start: found.start,
            length: found.length,
            pid: found.pids.first().map_or(0, |pid| pid.cast_signed()),
            reserved: 0,
        });
        Ok(1)
    })
}

/// Closes the handle: what it has locked is unlocked. Mappings stay. No other thread may be inside
/// a call with it.
///
/// Returns 0; -EBADF if it was closed before, -EFAULT if it is NULL. Doesn't wait.
#[unsafe(no_mangle)]
pub extern "C" fn madang_file_close(file: *mut madang_file) -> c_int {
    call("madang_file_close", || pointer::close(file).map(|()| 0))
}

/// Replaces a file by one with the length bytes at data, or makes it, in one step: whoever opens it
/// finds the old contents or the new ones, also after a power failure. Who has the old one open
/// goes on with that. The new one belongs to this process's user; of a symbolic link, the link is
/// replaced.
///
/// mode is the permission bits, exactly: no umask; 0 is 0600. flags is 0 or MADANG_KEEP_MODE.
///
/// Returns 0, or
///   -ENOENT, -EACCES, -ENOTDIR, -EROFS, -ENAMETOOLONG
///               the directory
///   -EISDIR     the name is a directory's
///   -ENOSPC, -EDQUOT, -EFBIG, -EIO
///               the disk
///   -EINVAL     an unknown flag, a mode, or path can't be a file's
///   -EFAULT     path is NULL, or data is and length is not 0
/// Then the old file is as it was. (Only if the last step fails, to bring the directory to the
/// disk, it is replaced already: madang_last_error() says so.)
///
/// Waits for the disk. Any thread may call it at any time. Who is killed meanwhile may leave a file
/// .madang.new.* in the directory. See rename(2), fsync(2).
#[unsafe(no_mangle)]
pub extern "C" fn madang_file_replace(
    path: *const c_char,
    data: *const c_void,
    length: usize,
    mode: u32,
    flags: u32,
) -> c_int {
    call("madang_file_replace", || {
        let (path, data) = (pointer::path(path)?, pointer::bytes(data, length, "data")?);
        let [keep_mode] = option_flags(flags, [(MADANG_KEEP_MODE, "MADANG_KEEP_MODE")])?;
        file::replacement().mode(mode).keep_mode(keep_mode).write(path, data)?;
        Ok(0)
    })
}

/// Follows a file while it grows, as tail -F does: also when it is truncated, or another file takes
/// its name.
///
/// flags is 0, to begin with what is in the file already, or MADANG_FROM_END. *follow is written
/// only on success; give it to madang_file_follow_close() in the end.
///
/// Returns 0; -ENOENT, -EACCES and others as open(2); -ENODEV if it is no regular file; -EINVAL for
/// an unknown flag, or a path that can't be a file's; -EFAULT if a pointer is NULL. Doesn't wait.
/// Any thread may call it at any time.
#[unsafe(no_mangle)]
pub extern "C" fn madang_file_follow_open(
    path: *const c_char,
    flags: u32,
    follow: *mut *mut madang_file_follow,
) -> c_int {
    call("madang_file_follow_open", || {
        let (place, path) = (Place::new(follow)?, pointer::path(path)?);
        let [from_end] = option_flags(flags, [(MADANG_FROM_END, "MADANG_FROM_END")])?;
        let follow = if from_end { Follow::from_end(path)? } else { Follow::from_start(path)? };
        place.put_nameless(Mutex::new(follow));
        Ok(0)
    })
}

/// Waits until there is something new in the file, and reads it into the capacity bytes at buffer.
///
/// Where the file was truncated, it is read from its start. Where another file took its name, the
/// old one is read to its end first. Bytes of two files never come by one call. A file that is
/// truncated and grows past what was read before anybody looks is not found out.
///
/// Returns how many bytes it read: 1 or more, unless capacity is 0; or
///   -EAGAIN     nothing is new, and timeout_ns is 0
///   -ETIMEDOUT  nothing was written in time
///   -EINTR      a signal handler ran while it waited; nothing was read
///   -EBUSY      another thread is inside
///   -EBADF      the handle was closed
///   -EFAULT     follow is NULL, or buffer is and capacity is not 0
///   -EINVAL     an unknown flag
/// or what opening the file that took the name fails with.
///
/// Waits as timeout_ns says; for what inotify(7) tells, and looks four times a second anyway. One
/// thread at a time may call it.
#[unsafe(no_mangle)]
pub extern "C" fn madang_file_follow_read(
    follow: *mut madang_file_follow,
    buffer: *mut c_void,
    capacity: usize,
    flags: u32,
    timeout_ns: i64,
) -> i64 {
    call("madang_file_follow_read", || {
        let mut follow = alone(pointer::opened(follow)?)?;
        let buffer = pointer::bytes_mut(buffer, capacity, "buffer")?;
        Ok(limit(flags, timeout_ns)?.run(|deadline| follow.read_uninit(buffer, deadline))? as i64)
    })
}

/// How often it began at a start again: the file was truncated, or replaced. What was read last is
/// of the present one.
///
/// Returns it; -EBUSY if another thread is inside a read; -EBADF if the handle was closed, -EFAULT
/// if it is NULL. Doesn't wait.
#[unsafe(no_mangle)]
pub extern "C" fn madang_file_follow_restarts(follow: *const madang_file_follow) -> i64 {
    call("madang_file_follow_restarts", || Ok(alone(pointer::opened(follow)?)?.restarts().cast_signed()))
}

/// Closes the handle. No other thread may be inside a call with it.
///
/// Returns 0; -EBADF if it was closed before, -EFAULT if it is NULL. Doesn't wait.
#[unsafe(no_mangle)]
pub extern "C" fn madang_file_follow_close(follow: *mut madang_file_follow) -> c_int {
    call("madang_file_follow_close", || pointer::close(follow).map(|()| 0))
}

fn lock(start: u64, length: u64, shared: bool) -> Lock {
    let whole = if shared { Lock::shared() } else { Lock::exclusive() };
    whole.part(start, length)
}

fn alone(follow: &Mutex<Follow>) -> Result<MutexGuard<'_, Follow>> {
    match follow.try_lock() {
        Ok(follow) => Ok(follow),
        Err(TryLockError::Poisoned(follow)) => Ok(follow.into_inner()),
        Err(TryLockError::WouldBlock) => {
            Err(Failure::misuse(libc::EBUSY, "another thread follows with this handle: open one for each"))
        }
    }
}
