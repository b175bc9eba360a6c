//! `madang.kernel.file`.

use std::os::fd::{AsFd, AsRawFd};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, TryLockError};

use madang::file::{self, Lock};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyTuple};

use super::held::Held;
use super::mapping::Mapping;
use crate::buffer::{NewBytes, Readable};
use crate::error::Result;
use crate::options::{self, Size, not_negative};
use crate::timeout::Timeout;

/// An open regular file: to be locked, mapped, and grown.
///
///     with madang.file.File("counter", length=8) as f, f.lock(timeout=5):
///         ...
///
/// path: symbolic links are followed.
/// create: "if-missing", "never" (FileNotFoundError) or "only" (FileExistsError).
/// mode: the permission bits of a new file, exactly, whatever the umask says; None is 0o600. The name of a
///     new file never shows another mode or length.
/// length: at least so many bytes, a number or text such as "4M"; see grow. None takes it as it is, and makes
///     an empty one.
/// read_only: it must exist; it can be locked shared, and its mappings can't be written.
///
/// Any thread may use it. In a forked child it is the child's own: the child has locked nothing. It is
/// closed, and what it has locked unlocked, by close(), at the end of a `with` block, and when it is
/// forgotten. What is used after that raises OSError with EBADF.
///
/// What fails raises OSError with an errno: FileNotFoundError and FileExistsError as `create` says,
/// PermissionError, IsADirectoryError and others as open() does; ENODEV if it is no regular file; ENOSPC and
/// EFBIG for the length; EINVAL for a bad mode or path, or for a read_only one with a length or create="only".
#[pyclass(frozen, module = "madang.kernel.file")]
pub(crate) struct File {
    held: Held<file::File>,
    path: PathBuf,
    is_new: bool,
    read_only: bool,
}

fn lock(shared: bool, start: i64, length: i64) -> PyResult<Lock> {
    let whole = if shared { Lock::shared() } else { Lock::exclusive() };
    Ok(whole.part(not_negative("a start", start)? as u64, not_negative("a length", length)? as u64))
}

#[pymethods]
impl File {
    #[new]
    #[pyo3(signature = (path, *, create="if-missing", mode=None, length=None, read_only=false))]
    fn new(
        py: Python,
        path: PathBuf,
        create: &str,
        mode: Option<&Bound<'_, PyAny>>,
        length: Option<Size>,
        read_only: bool,
    ) -> Result<Self> {
        let options = file::File::options().create(options::create(create)?).mode(mode.map_or(Ok(0), options::mode)?);
        let options = options.length(length.map_or(0, u64::from)).read_only(read_only);
        // Without the GIL, since to take much space takes a while.
        let file = py.detach(|| options.open(&path))?;
        Ok(Self { is_new: file.is_new(), held: Held::new("file", file), path, read_only })
    }

    /// The path by which it was opened.
    #[getter]
    fn path(&self) -> &std::path::Path {
        &self.path
    }

    /// Whether this very open made it.
    #[getter]
    fn is_new(&self) -> bool {
        self.is_new
    }

    /// Whether it was opened only to be read.
    #[getter]
    fn read_only(&self) -> bool {
        self.read_only
    }

    /// How many bytes it has, at the moment.
    #[getter]
    fn length(&self) -> Result<u64> {
        Ok(self.held.share()?.len()?)
    }

    /// Makes it at least so long, a number or text such as "4M"; its length then. What is new is 0, and its space
    /// is taken, so that touching it in a mapping can't fail. It never becomes shorter. Mappings stay as they are:
    /// map it again.
    ///
    /// Raises OSError with ENOSPC, EDQUOT, EFBIG; PermissionError (EACCES) if it was opened read-only.
    fn grow(&self, py: Python, length: Size) -> Result<u64> {
        let file = self.held.share()?;
        Ok(py.detach(|| file.grow(length.into()))?)
    }

    /// Maps so many bytes of it from the offset, which is a multiple of the page size; None is all that follows.
    /// The mapping outlives this object.
    ///
    /// Raises OSError with EINVAL if there are no such bytes, or the offset is no such multiple; ENOMEM.
    #[pyo3(signature = (offset=0, length=None))]
    fn map(&self, offset: i64, length: Option<Size>) -> Result<Mapping> {
        let (file, offset) = (self.held.share()?, not_negative("an offset", offset)? as u64);
        let length = match length {
            Some(length) => length.into(),
            None => file.len()?.saturating_sub(offset),
        };
        Ok(Mapping::new(file.map_part(offset, length)?))
    }

    /// Locks it, or a part of it; waits until nobody is in the way. It is unlocked at the end of a `with` block,
    /// by release(), and when the Guard is forgotten.
    ///
    /// shared: together with others who lock it so; otherwise for oneself alone.
    /// start, length: only so many bytes from there, which need not exist; a length of 0 is all that follows,
    ///     however long the file becomes.
    /// timeout: in seconds; None waits for ever, 0 doesn't wait. It looks again and again, at first every 50
    ///     microseconds, at last every 5 milliseconds.
    ///
    /// What one File has locked keeps others out: other Files, of this process or another, and whoever else
    /// uses such locks or fcntl.lockf (not fcntl.flock). It keeps other threads with the same File out as well,
    /// whether or not both would share it. A thread that locks what it has locked already waits for itself.
    /// The locks are advice: who doesn't lock may read and write.
    ///
    /// Raises TimeoutError; BlockingIOError if somebody is in the way and timeout is 0; OSError with EBADF to
    /// lock a read-only file exclusively; EINVAL for a range that no file has.
    #[pyo3(signature = (*, shared=false, start=0, length=0, timeout=None))]
    fn lock(&self, py: Python, shared: bool, start: i64, length: i64, timeout: Option<Timeout>) -> Result<Guard> {
        let lock = lock(shared, start, length)?;
        let file = self.held.share()?;
        self.held.wait(py, timeout, true, |file, deadline| file.acquire(lock, deadline))?;
        Ok(Guard { file, lock, pid: std::process::id(), held: AtomicBool::new(true) })
    }

    /// Who is in the way of such a lock, or None: at the moment, and only one of them. What this File itself has
    /// locked it doesn't tell.
    #[pyo3(signature = (*, shared=false, start=0, length=0))]
    fn holder(&self, shared: bool, start: i64, length: i64) -> Result<Option<Holder>> {
        Ok(self.held.share()?.holder(lock(shared, start, length)?)?.map(Holder::from))
    }

    /// The descriptor, for os.pread and its like. It is this object's: don't close it.
    fn fileno(&self) -> Result<i32> {
        Ok(self.held.share()?.as_fd().as_raw_fd())
    }

    /// Whether it is closed.
    #[getter]
    fn closed(&self) -> bool {
        self.held.is_closed()
    }

    /// Closes it; closing it again does nothing. Mappings stay, and so do locks until their Guards are released.
    fn close(&self, py: Python) {
        self.held.close(py);
    }

    fn __enter__(slf: Bound<'_, Self>) -> Result<Bound<'_, Self>> {
        slf.get().held.share()?;
        Ok(slf)
    }

    #[pyo3(signature = (*_exception))]
    fn __exit__(&self, py: Python, _exception: &Bound<'_, PyTuple>) {
        self.close(py);
    }

    fn __repr__(&self) -> String {
        let closed = if self.held.is_closed() { ": closed" } else { "" };
        format!("<madang.file.File {:?}{closed}>", self.path)
    }
}

/// Something is locked as long as this is not released. See File.lock. In a forked child it is nothing.
#[pyclass(frozen, module = "madang.kernel.file")]
pub(crate) struct Guard {
    file: Arc<file::File>,
    lock: Lock,
    pid: u32,
    held: AtomicBool,
}

#[pymethods]
impl Guard {
    /// Unlocks it; unlocking it again does nothing.
    fn release(&self) -> Result<()> {
        if self.pid == std::process::id() && self.held.swap(false, Ordering::AcqRel) {
            self.file.release(self.lock)?;
        }
        Ok(())
    }

    /// Whether it is released.
    #[getter]
    fn released(&self) -> bool {
        self.pid != std::process::id() || !self.held.load(Ordering::Acquire)
    }

    fn __enter__(slf: Bound<'_, Self>) -> Bound<'_, Self> {
        slf
    }

    #[pyo3(signature = (*_exception))]
    fn __exit__(&self, _exception: &Bound<'_, PyTuple>) -> Result<()> {
        self.release()
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        let _ = self.release();
    }
}

/// Who is in the way of a lock: what File.holder tells.
#[pyclass(frozen, get_all, module = "madang.kernel.file")]
#[derive(Debug)]
pub(crate) struct Holder {
    /// Whether he shares it.
    shared: bool,
    /// The first byte that he has locked.
    start: u64,
    /// How many; 0 is all that follow.
    length: u64,
    /// The processes that have it, as far as /proc tells this user. Perhaps none.
    pids: Vec<u32>,
}

#[pymethods]
impl Holder {
    fn __repr__(&self) -> String {
        let shared = if self.shared { "True" } else { "False" };
        format!("Holder(shared={shared}, start={}, length={}, pids={:?})", self.start, self.length, self.pids)
    }
}

impl From<file::Holder> for Holder {
    fn from(found: file::Holder) -> Self {
        let file::Holder { shared, start, length, pids, .. } = found;
        Self { shared, start, length, pids }
    }
}

/// Replaces a file by one with that data (bytes, a bytearray, an array, …), or makes it, in one step: whoever
/// opens it finds the old contents or the new ones, also after a power failure.
///
/// mode: the permission bits, exactly; None is 0o600.
/// keep_mode: they stay those of the old file, if there is one.
///
/// Who has the old one open goes on with that. The new one belongs to this process's user; of a symbolic
/// link, the link is replaced. Who is killed meanwhile may leave a file .madang.new.* in the directory.
///
/// Raises FileNotFoundError, PermissionError, NotADirectoryError for the directory; IsADirectoryError; OSError
/// with ENOSPC, EDQUOT, EFBIG, EIO; EINVAL for a bad mode or path. Then the old file is as it was. (Only if the
/// last step fails, to bring the directory to the disk, it is replaced already; the text says so.)
#[pyfunction]
#[pyo3(signature = (path, data, *, mode=None, keep_mode=false))]
pub(crate) fn replace(
    py: Python,
    path: PathBuf,
    data: Readable,
    mode: Option<&Bound<'_, PyAny>>,
    keep_mode: bool,
) -> Result<()> {
    let replacement = file::replacement().mode(mode.map_or(Ok(0), options::mode)?).keep_mode(keep_mode);
    let data = data.as_slice();
    Ok(py.detach(|| replacement.write(path, data))?)
}

/// Follows a file while it grows, as tail -F does: also when it is truncated, or another file takes its name.
///
///     with madang.file.Follow("log", from_end=True) as follow:
///         while True:
///             print(follow.read().decode(), end="")
///
/// from_end: begins with what is written from now on, not with what is in the file already.
///
/// One thread at a time may use it. It is closed by close(), at the end of a `with` block, and when it is
/// forgotten. What is used after that raises OSError with EBADF.
///
/// Raises FileNotFoundError, PermissionError and others as open() does; OSError with ENODEV if it is no regular
/// file.
#[pyclass(frozen, module = "madang.kernel.file")]
pub(crate) struct Follow {
    held: Held<Mutex<file::Follow>>,
    path: PathBuf,
}

#[pymethods]
impl Follow {
    #[new]
    #[pyo3(signature = (path, *, from_end=false))]
    fn new(path: PathBuf, from_end: bool) -> Result<Self> {
        let follow = if from_end { file::Follow::from_end(&path)? } else { file::Follow::from_start(&path)? };
        Ok(Self { held: Held::new("follow", Mutex::new(follow)), path })
    }

    /// Waits until there is something new in the file, and reads it: at most `length` bytes, and never b"", unless
    /// that is 0. Bytes of two files, or of before and after a truncation, never come by one call.
    ///
    /// timeout: in seconds; None waits for ever, 0 doesn't wait.
    ///
    /// A file that is truncated and grows past what was read before anybody looks is not found out.
    ///
    /// Raises TimeoutError; BlockingIOError if nothing is new and timeout is 0; OSError with EBUSY if another thread
    /// is inside; what opening the file that took the name fails with.
    #[pyo3(signature = (length=65536, *, timeout=None))]
    fn read<'py>(&self, py: Python<'py>, length: i64, timeout: Option<Timeout>) -> Result<Bound<'py, PyBytes>> {
        let mut bytes = NewBytes::new(py, not_negative("a length", length)? as u64)?;
        let mut room = bytes.room();
        self.held.wait(py, timeout, false, |follow, deadline| room.follow(&mut *alone(follow)?, deadline))?;
        Ok(bytes.received()?)
    }

    /// How often it began at a start again: the file was truncated, or replaced. What was read last is of the
    /// present one.
    #[getter]
    fn restarts(&self) -> Result<u64> {
        Ok(alone(&*self.held.share()?)?.restarts())
    }

    /// Whether it is closed.
    #[getter]
    fn closed(&self) -> bool {
        self.held.is_closed()
    }

    /// Closes it; closing it again does nothing.
    fn close(&self, py: Python) {
        self.held.close(py);
    }

    fn __enter__(slf: Bound<'_, Self>) -> Result<Bound<'_, Self>> {
        slf.get().held.share()?;
        Ok(slf)
    }

    #[pyo3(signature = (*_exception))]
    fn __exit__(&self, py: Python, _exception: &Bound<'_, PyTuple>) {
        self.close(py);
    }

    fn __repr__(&self) -> String {
        let closed = if self.held.is_closed() { ": closed" } else { "" };
        format!("<madang.file.Follow {:?}{closed}>", self.path)
    }
}

fn alone(follow: &Mutex<file::Follow>) -> madang::Result<std::sync::MutexGuard<'_, file::Follow>> {
    match follow.try_lock() {
        Ok(follow) => Ok(follow),
        Err(TryLockError::Poisoned(follow)) => Ok(follow.into_inner()),
        Err(TryLockError::WouldBlock) => {
            Err(madang::Error::new(libc::EBUSY, "follow: another thread is inside: make one for each"))
        }
    }
}
