//! Regular files: locked in whole or in part, mapped, grown, replaced in one step, and followed while they grow.
//!
//! **Who holds a lock** is the open file description (`F_OFD_SETLK`, fcntl(2)), not the process as with the old locks, which are lost
//! when the process closes any descriptor of the file, and which its threads don't keep each other out by. A [`File`] has a
//! description of its own; locks by two of them exclude each other, in one process too. What one `File` has locked is also written
//! down in it, so its threads exclude each other; and after a fork the child opens the file anew before it locks anything, so
//! that it does not share the parent's locks.

#![forbid(unsafe_code)]

mod follow;
mod replace;

pub use follow::Follow;
pub use replace::{Replacement, replace, replacement};

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::path::{c_path, rename_to_free, temporary_beside};
use super::wait::{failed, polling};
use crate::Create;
use crate::deadline::Deadline;
use crate::error::{Error, Result};
use crate::mapping::Mapping;
use crate::sys::{Errno, file, ofd, process};

/// How often a name may vanish or appear between two looks before that is an error.
const RACES: u32 = 100;

/// The permission bits of a new file, unless others are asked for.
const MODE: u32 = 0o600;

/// Space is taken in pieces of this many bytes at most: each is done before the next signal comes.
const MOST_AT_ONCE: u64 = 4 << 20;

/// The longest file: what 63 bits hold.
const LONGEST: u64 = i64::MAX as u64;

/// How a file is opened; made by [`File::options`].
#[derive(Clone, Copy, Debug)]
pub struct Options {
    create: Create,
    mode: u32,
    length: u64,
    read_only: bool,
}

impl Options {
    /// Whether it may be made; by default if it is missing.
    #[must_use]
    pub fn create(mut self, create: Create) -> Self {
        self.create = create;
        self
    }

    /// The permission bits of a new file, exactly (no umask); by default, and for 0, `0o600`.
    #[must_use]
    pub fn mode(mut self, mode: u32) -> Self {
        self.mode = if mode == 0 { MODE } else { mode };
        self
    }

    /// At least so many bytes, of which those that are new are 0: as [`File::grow`]. By default as it is; a new one is empty.
    #[must_use]
    pub fn length(mut self, bytes: u64) -> Self {
        self.length = bytes;
        self
    }

    /// Opens it only to be read: it must exist; it can be locked shared, and its mappings can't be written.
    #[must_use]
    pub fn read_only(mut self, yes: bool) -> Self {
        self.read_only = yes;
        self
    }

    /// Opens the file, or makes it. Doesn't block. Symbolic links are followed, as open(2) does.
    ///
    /// # Errors
    /// `ENOENT`, `EEXIST` as [`create`](Self::create) says; `EACCES`, `EISDIR`, `ENOTDIR`, `EROFS` as open(2); `ENODEV` if it is no regular
    /// file; `ENOSPC`, `EFBIG` for the length; `EINVAL` for a bad mode or path, or for a new or longer file that is read-only.
    pub fn open(&self, path: impl AsRef<Path>) -> Result<File> {
        let path = path.as_ref();
        let c_path = c_path(path)?;
        let create = if self.read_only && self.create == Create::IfMissing { Create::Never } else { self.create };
        if self.mode & !0o7777 != 0 {
            let what = format!("open {path:?}: mode 0{:o} has more than permission bits", self.mode);
            return Err(Error::new(libc::EINVAL, what));
        }
        if self.read_only && (create == Create::Only || self.length > 0) {
            let what = format!("open {path:?}: what is opened read-only can be neither made nor grown");
            return Err(Error::new(libc::EINVAL, what));
        }
        process::prepare().map_err(|errno| errno.during("get ready for forks"))?;
        for _ in 0..RACES {
            if create != Create::Only {
                match file::open_followed(&c_path, !self.read_only) {
                    Err(Errno(libc::ENOENT)) if create == Create::IfMissing => {}
                    Err(errno) => return Err(cannot_open(path, errno)),
                    Ok(fd) => return self.opened(path, fd, false),
                }
            }
            match self.make(path, &c_path) {
                Err(error) if error.errno() == libc::EEXIST && create == Create::IfMissing => {}
                made => return made,
            }
        }
        Err(Error::new(libc::EBUSY, format!("open {path:?}: others keep making and removing it: try again")))
    }

    fn opened(&self, path: &Path, fd: OwnedFd, is_new: bool) -> Result<File> {
        let stat = file::stat(fd.as_fd()).map_err(|errno| cannot_open(path, errno))?;
        if !stat.is_regular() {
            return Err(Error::new(libc::ENODEV, format!("open {path:?}: it is not a regular file")));
        }
        let held = Mutex::new(Held { epoch: process::epoch(), ranges: Vec::new() });
        let file = File { fd: fd.into(), path: path.to_owned(), read_only: self.read_only, is_new, held };
        if stat.size < self.length {
            file.grow(self.length)?;
        }
        Ok(file)
    }

    /// Under a private name first: the name never shows another mode or length.
    fn make(&self, path: &Path, c_path: &std::ffi::CStr) -> Result<File> {
        let doing = |errno: Errno, call: &str| errno.during(format!("make {path:?}: {call}"));
        // Of a link that leads nowhere, too.
        if file::exists(c_path) {
            return Err(Error::new(libc::EEXIST, format!("make {path:?}: the name is taken")));
        }
        let temporary = temporary_beside(path)?;
        let fd = file::create_new(&temporary).map_err(|errno| doing(errno, "open in its directory"))?;
        let made = file::set_mode(fd.as_fd(), self.mode)
            .map_err(|errno| doing(errno, "fchmod"))
            .and_then(|()| self.opened(path, fd, true))
            .and_then(|file| {
                rename_to_free(&temporary, c_path).map_err(|errno| doing(errno, "rename to it"))?;
                Ok(file)
            });
        if made.is_err() {
            let _ = file::unlink(&temporary);
        }
        made
    }
}

#[cold]
fn cannot_open(path: &Path, errno: Errno) -> Error {
    errno.during(match errno.0 {
        libc::ENOENT => format!("open {path:?}: there is none, and the call does not make it"),
        libc::EACCES => format!("open {path:?}: it, or a directory on the way, does not permit this user to use it"),
        _ => format!("open {path:?}"),
    })
}

/// What is to be locked, and how: exclusively, or shared with others who lock it shared.
///
/// ```
/// use madang::file::Lock;
/// let record = Lock::exclusive().part(128, 64); // bytes 128 to 191
/// let rest = Lock::shared().part(4096, 0); // all from byte 4096 on, however long it becomes
/// # _ = (record, rest);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lock {
    shared: bool,
    start: u64,
    length: u64,
}

impl Lock {
    /// The whole file, for oneself alone.
    #[must_use]
    pub fn exclusive() -> Self {
        Self { shared: false, start: 0, length: 0 }
    }

    /// The whole file, together with others who lock it so.
    #[must_use]
    pub fn shared() -> Self {
        Self { shared: true, start: 0, length: 0 }
    }

    /// Only `length` bytes from `start`, which need not exist; a length of 0 is all that follows, however long the file becomes.
    #[must_use]
    pub fn part(self, start: u64, length: u64) -> Self {
        Self { start, length, ..self }
    }

    /// The first byte that doesn't belong to it.
    fn end(self) -> u64 {
        if self.length == 0 { u64::MAX } else { self.start.saturating_add(self.length) }
    }

    fn overlaps(self, other: Self) -> bool {
        self.start < other.end() && other.start < self.end()
    }

    fn check(self) -> Result<()> {
        if self.start.checked_add(self.length).is_none_or(|end| end > LONGEST) {
            let what = format!("lock {} bytes at {}: no file is so long", self.length, self.start);
            return Err(Error::new(libc::EINVAL, what));
        }
        Ok(())
    }
}

/// Who is in the way of a lock: [`File::holder`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holder {
    /// Whether he shares it.
    pub shared: bool,
    /// The first byte that he has locked.
    pub start: u64,
    /// How many; 0 is all that follow.
    pub length: u64,
    /// The processes that have it: of a lock such as ours, those that have its open file description, as far as `/proc` tells this
    /// user. Perhaps none.
    pub pids: Vec<u32>,
}

/// What this handle has locked, in this process.
#[derive(Debug)]
struct Held {
    epoch: u64,
    ranges: Vec<Lock>,
}

/// An open regular file. Any thread may use it. Closed, and all that it has locked unlocked, when it is dropped.
///
/// ```
/// use madang::file::{File, Lock};
/// # let path = std::env::temp_dir().join(format!("file-example-{}", std::process::id()));
///
/// let file = File::options().length(4096).open(&path)?; // opens it, or makes it with mode 0600
/// let counter = file.map()?;
/// {
///     let _guard = file.lock(Lock::exclusive())?; // until the end of the block
///     let mut value = [0; 8];
///     counter.read(0, &mut value)?;
///     counter.write(0, &(u64::from_ne_bytes(value) + 1).to_ne_bytes())?;
/// }
/// counter.sync()?; // safe from a power failure
/// # std::fs::remove_file(&path).unwrap();
/// # Ok::<(), madang::Error>(())
/// ```
#[derive(Debug)]
pub struct File {
    fd: std::fs::File,
    path: PathBuf,
    read_only: bool,
    is_new: bool,
    held: Mutex<Held>,
}

impl File {
    /// All defaults; change what you need, then [`open`](Options::open).
    #[must_use]
    pub fn options() -> Options {
        Options { create: Create::IfMissing, mode: MODE, length: 0, read_only: false }
    }

    /// Opens the file, or makes it, with all defaults.
    ///
    /// # Errors
    /// As [`Options::open`].
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        Self::options().open(path)
    }

    /// Whether this very open made it.
    #[must_use]
    pub fn is_new(&self) -> bool {
        self.is_new
    }

    /// Whether it may only be read.
    #[must_use]
    pub fn is_read_only(&self) -> bool {
        self.read_only
    }

    /// The same file, for reading and writing by std's means.
    #[must_use]
    pub fn as_std(&self) -> &std::fs::File {
        &self.fd
    }

    /// Its length in bytes, at the moment.
    ///
    /// # Errors
    /// None that would be known.
    #[expect(clippy::len_without_is_empty, reason = "it is asked of the kernel, each time")]
    pub fn len(&self) -> Result<u64> {
        Ok(file::stat(self.as_fd())
            .map_err(|errno| errno.during(format!("ask for the length of {:?}", self.path)))?
            .size)
    }

    /// Makes it at least so long; its length then. What is new is 0, and its space is taken: a mapping of it can't fail for want of
    /// space, which would be SIGBUS. Shorter it never becomes. Mappings stay as they are: [`map`](Self::map) it again.
    ///
    /// # Errors
    /// `ENOSPC`, `EDQUOT`; `EFBIG`; `EACCES` if it was opened read-only.
    #[doc(alias = "fallocate")]
    pub fn grow(&self, length: u64) -> Result<u64> {
        let doing = |errno: Errno| errno.during(format!("let {:?} have {length} bytes", self.path));
        if self.read_only {
            return Err(Error::new(libc::EACCES, format!("let {:?} grow: it was opened read-only", self.path)));
        }
        if length > LONGEST {
            return Err(doing(Errno(libc::EFBIG)));
        }
        let mut has = self.len()?;
        while has < length {
            let piece = (length - has).min(MOST_AT_ONCE);
            match file::allocate(self.as_fd(), has, piece) {
                // A file system that knows no such thing: the space is taken when it is touched.
                Err(Errno(libc::EOPNOTSUPP)) => file::set_size(self.as_fd(), has + piece),
                taken => taken,
            }
            .map_err(doing)?;
            has = self.len()?;
        }
        Ok(has)
    }

    /// Maps all of it, as long as it is now.
    ///
    /// # Errors
    /// As [`map_part`](Self::map_part).
    #[doc(alias = "mmap")]
    pub fn map(&self) -> Result<Mapping> {
        self.map_part(0, self.len()?)
    }

    /// Maps `length` bytes of it from `offset`, a multiple of the page size. The mapping outlives this handle. See mmap(2).
    ///
    /// # Errors
    /// `EINVAL` if there are none, the offset is no multiple, or they don't lie within the file; `ENOMEM`.
    pub fn map_part(&self, offset: u64, length: u64) -> Result<Mapping> {
        let has = self.len()?;
        let bad =
            |what: &str| Error::new(libc::EINVAL, format!("map {length} bytes at {offset} of {:?}: {what}", self.path));
        if length == 0 {
            return Err(bad("there is nothing to map: let it grow first"));
        }
        if offset.checked_add(length).is_none_or(|end| end > has) {
            return Err(bad(&format!("they don't lie within its {has}: to touch the others would be SIGBUS")));
        }
        Mapping::of_file(self.as_fd(), offset, length, !self.read_only).map_err(|errno| match errno {
            Errno(libc::EINVAL) => bad("the offset must be a multiple of the page size"),
            errno => errno.during(format!("map {length} bytes of {:?}: mmap", self.path)),
        })
    }

    /// Locks if nobody is in the way.
    ///
    /// # Errors
    /// `EAGAIN` if somebody is; otherwise as [`lock_until`](Self::lock_until).
    pub fn try_lock(&self, lock: Lock) -> Result<Guard<'_>> {
        self.lock_until(lock, Deadline::NOW)
    }

    /// Waits until nobody is in the way, and locks. It waits in the kernel, where a handler that was installed with `SA_RESTART` doesn't
    /// end the wait.
    ///
    /// # Errors
    /// As [`lock_until`](Self::lock_until).
    #[doc(alias = "flock")]
    #[doc(alias = "F_OFD_SETLKW")]
    pub fn lock(&self, lock: Lock) -> Result<Guard<'_>> {
        self.lock_until(lock, Deadline::NEVER)
    }

    /// As [`lock`](Self::lock), and waits until then at most. The kernel has no such wait, so it looks again and again, at first every
    /// 50 µs, at last every 5 ms.
    ///
    /// What one `File` has locked keeps others out: other `File`s of the same file, of this process or another, and whoever else uses
    /// such locks or the old ones of `lockf(3)` (not flock(2)). It keeps other threads with the same `File` out as well, whether or not
    /// both would share it. A thread that locks what it has locked already waits for itself.
    ///
    /// The locks are advice: who doesn't lock may read and write.
    ///
    /// # Errors
    /// `ETIMEDOUT`, `EAGAIN`, `EINTR`; `EBADF` for an exclusive lock of a read-only file; `EINVAL` for a range that no file has; `ENOLCK`.
    #[doc(alias = "F_OFD_SETLK")]
    pub fn lock_until(&self, lock: Lock, deadline: Deadline) -> Result<Guard<'_>> {
        self.acquire(lock, deadline)?;
        Ok(Guard { file: self, lock })
    }

    /// [`lock_until`](Self::lock_until) without a guard, for layers above: it stays locked until [`release`](Self::release).
    ///
    /// # Errors
    /// As [`lock_until`](Self::lock_until).
    pub fn acquire(&self, lock: Lock, deadline: Deadline) -> Result<()> {
        lock.check()?;
        if self.read_only && !lock.shared {
            let what = format!("lock {:?} exclusively: it was opened read-only: open it to write", self.path);
            return Err(Error::new(libc::EBADF, what));
        }
        let doing = || format!("lock {:?}", self.path);
        let waits = deadline == Deadline::NEVER;
        // What other threads of ours have, the kernel doesn't see.
        polling(deadline, libc::EAGAIN, doing, || {
            self.reserve(lock)?;
            if waits {
                return Ok(());
            }
            ofd::lock_range(self.as_fd(), lock.shared, lock.start, lock.length, false)
                .inspect_err(|_| self.forget(lock))
        })?;
        if waits {
            ofd::lock_range(self.as_fd(), lock.shared, lock.start, lock.length, true).map_err(|errno| {
                self.forget(lock);
                failed(errno, &doing())
            })?;
        }
        Ok(())
    }

    /// Gives back what was [acquired](Self::acquire): exactly that part, in whichever way it is locked.
    ///
    /// # Errors
    /// `EPERM` if this handle, in this process, has not locked that.
    pub fn release(&self, lock: Lock) -> Result<()> {
        let doing = || format!("unlock {:?}", self.path);
        let mut held = self.held().map_err(|errno| errno.during(doing()))?;
        let is_it = |range: &Lock| (range.start, range.length) == (lock.start, lock.length);
        let Some(at) = held.ranges.iter().position(is_it) else {
            let what = format!("{}: this handle has not locked that, or exactly that", doing());
            return Err(Error::new(libc::EPERM, what));
        };
        held.ranges.swap_remove(at);
        ofd::unlock_range(self.as_fd(), lock.start, lock.length).map_err(|errno| errno.during(doing()))
    }

    /// Who is in the way of a lock, if anybody is: at the moment, and only one of them. Doesn't block. What this handle itself has
    /// locked it doesn't tell.
    ///
    /// # Errors
    /// `EINVAL` for a range that no file has.
    #[doc(alias = "F_OFD_GETLK")]
    pub fn holder(&self, lock: Lock) -> Result<Option<Holder>> {
        lock.check()?;
        let doing = |errno: Errno| errno.during(format!("ask who has locked {:?}", self.path));
        // A child's is not its parent's.
        drop(self.held().map_err(doing)?);
        let found = ofd::find_range(self.as_fd(), lock.shared, lock.start, lock.length).map_err(doing)?;
        Ok(found.map(|found| Holder {
            shared: found.shared,
            start: found.start,
            length: found.length,
            pids: u32::try_from(found.pid).map_or_else(|_| self.who_has(&found), |pid| vec![pid]),
        }))
    }

    /// The processes that have a description with such a lock, as `/proc/PID/fdinfo` tells: `lock: 1: OFDLCK  ADVISORY  WRITE -1
    /// 08:01:1234 0 EOF`.
    fn who_has(&self, found: &ofd::Found) -> Vec<u32> {
        use std::os::unix::fs::MetadataExt;
        let Ok(inode) = self.fd.metadata().map(|file| file.ino()) else { return Vec::new() };
        let last = match found.length {
            0 => "EOF".to_owned(),
            length => (found.start + length - 1).to_string(),
        };
        let end = format!(":{inode} {} {last}", found.start);
        let is_it = |line: &str| line.starts_with("lock:") && line.contains("OFDLCK") && line.ends_with(&end);
        let entries = |path: &Path| std::fs::read_dir(path).into_iter().flatten().flatten();
        let has_it = |process: &Path| {
            entries(&process.join("fdinfo"))
                .any(|fd| std::fs::read_to_string(fd.path()).is_ok_and(|text| text.lines().any(is_it)))
        };
        let mut pids: Vec<u32> = entries(Path::new("/proc"))
            .filter_map(|entry| Some((entry.file_name().to_str()?.parse().ok()?, entry.path())))
            .filter(|(_, process)| has_it(process))
            .map(|(pid, _)| pid)
            .collect();
        pids.sort_unstable();
        pids
    }

    /// Notes that this thread will have it, unless another one of this process's has some of it: `EAGAIN`.
    fn reserve(&self, lock: Lock) -> std::result::Result<(), Errno> {
        let mut held = self.held()?;
        if held.ranges.iter().any(|range| range.overlaps(lock)) {
            return Err(Errno(libc::EAGAIN));
        }
        held.ranges.push(lock);
        Ok(())
    }

    fn forget(&self, lock: Lock) {
        if let Ok(mut held) = self.held()
            && let Some(at) = held.ranges.iter().position(|range| *range == lock)
        {
            held.ranges.swap_remove(at);
        }
    }

    /// What this process has locked. A forked child has nothing, and gets a description of its own first.
    fn held(&self) -> std::result::Result<MutexGuard<'_, Held>, Errno> {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        if held.epoch != process::epoch() {
            file::replace(self.as_fd(), self.anew()?.as_fd())?;
            held.epoch = process::epoch();
            held.ranges.clear();
        }
        Ok(held)
    }

    /// The same file once more.
    fn anew(&self) -> std::result::Result<OwnedFd, Errno> {
        if self.read_only { file::reopen_as(self.as_fd(), libc::O_RDONLY) } else { file::reopen(self.as_fd()) }
    }
}

impl AsFd for File {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

impl From<File> for OwnedFd {
    fn from(file: File) -> Self {
        file.fd.into()
    }
}

/// Something is locked as long as this lives. In a forked child it is nothing.
#[derive(Debug)]
#[must_use = "it is unlocked when this is dropped"]
pub struct Guard<'a> {
    file: &'a File,
    lock: Lock,
}

impl Guard<'_> {
    /// Unlocks it, as dropping does.
    pub fn unlock(self) {}
}

impl Drop for Guard<'_> {
    fn drop(&mut self) {
        // It is held, so this can't fail; but in a forked child, which holds nothing.
        let _ = self.file.release(self.lock);
    }
}
