//! `madang.kernel.posix.sem`.

use madang::posix::sem;
use pyo3::prelude::*;
use pyo3::types::PyTuple;

use super::Listed;
use crate::error::Result;
use crate::kernel::held::Held;
use crate::kernel::mapping::Mapping;
use crate::options::{self, not_negative};
use crate::shared::segment::Segment;
use crate::timeout::Timeout;

/// A semaphore of the C library's, shared between processes (sem_overview(7)): what sem_open("/NAME") gives.
///
/// A counter: post() adds 1, wait() takes 1 as soon as it is more than 0. Unless somebody waits, neither
/// makes a system call.
///
///     turn = madang.posix.sem.Semaphore("turn", value=1)
///     turn.wait(timeout=1.0)
///     turn.post()
///
/// The constructor opens the semaphore of that name, or creates it. It doesn't wait. Unnamed ones, which
/// lie in memory that the processes share, are made by Semaphore.init_in, and found by Semaphore.at.
///
/// name: 1 to 251 bytes of UTF-8, without "/": what is "/turn" in C is "turn" here.
/// value: of a new semaphore, 0 to MAX_VALUE, 2,147,483,647. An existing one is left as it is.
/// mode: the permission bits of a new semaphore, exactly (no umask); 0 is 0o600 too. Who is to use it must
///     be able to read and to write it.
/// create: "if-missing"; "never" only opens what exists; "only" only opens what it creates.
///
/// Who is killed keeps what he took: nobody notices. Where that matters use a System V semaphore with
/// undo, or a lock on a file, which the kernel takes back from the dead.
///
/// A named one persists until Semaphore.unlink(name), an unnamed one as long as its memory. A handle is
/// closed by close(), at the end of a `with` block (which doesn't wait nor post), and when it is forgotten;
/// what is used after that raises OSError with EBADF. A forked child may use the one that it inherited.
///
/// Raises FileNotFoundError and FileExistsError, as `create` says; PermissionError (EACCES: its mode);
/// OSError with EINVAL for a bad name, value or mode, or where what has the name is no semaphore; ENOSPC;
/// ENAMETOOLONG; IsADirectoryError, ELOOP, ENODEV and ENXIO for what has the name but is no regular file;
/// EMFILE, ENFILE, ENOMEM.
#[pyclass(frozen, module = "madang.kernel.posix.sem")]
pub(crate) struct Semaphore {
    held: Held<sem::Semaphore>,
    name: String,
    is_new: bool,
}

/// What a semaphore can lie in.
#[derive(FromPyObject)]
pub(crate) enum Memory<'py> {
    Mapping(Bound<'py, Mapping>),
    Segment(Bound<'py, Segment>),
}

impl Semaphore {
    fn open(semaphore: sem::Semaphore) -> Self {
        let (name, is_new) = (semaphore.name().to_owned(), semaphore.is_new());
        Self { held: Held::new("posix semaphore", semaphore), name, is_new }
    }
}

fn value(value: i64) -> PyResult<u32> {
    u32::try_from(value).map_err(|_| options::bad_value(format!("a value of {value}: it is 0 to {}", sem::MAX_VALUE)))
}

#[pymethods]
impl Semaphore {
    #[new]
    #[pyo3(signature = (name, *, value=0, mode=0o600, create="if-missing"))]
    fn new(name: &str, value: i64, #[pyo3(from_py_with = options::mode)] mode: u32, create: &str) -> Result<Self> {
        let options = sem::Semaphore::options().value(self::value(value)?).mode(mode).create(options::create(create)?);
        Ok(Self::open(options.open(name)?))
    }

    /// Makes an unnamed one in memory that is shared (sem_init(3)), once, before anybody uses it: to make it anew
    /// while others wait for it leaves them waiting.
    ///
    /// memory: a madang.kernel.Mapping or a madang.Segment. It stays mapped as long as the semaphore's handle
    ///     lives.
    /// offset: where it lies there, in bytes: SIZE bytes at a multiple of ALIGNMENT.
    /// value: 0 to MAX_VALUE.
    ///
    /// Raises OSError with EINVAL if it doesn't lie within, or for a bad offset or value; PermissionError
    /// (EACCES) if the memory is read-only; EBADF if it is closed.
    #[staticmethod]
    #[pyo3(signature = (memory, offset, value=0))]
    fn init_in(memory: Memory, offset: i64, value: i64) -> Result<Self> {
        let (offset, value) = (not_negative("an offset", offset)?, self::value(value)?);
        Ok(Self::open(match memory {
            Memory::Mapping(mapping) => sem::Semaphore::init_in(&mapping.get().share()?, offset, value)?,
            Memory::Segment(segment) => sem::Semaphore::init_in(&segment.get().share()?, offset, value)?,
        }))
    }

    /// The unnamed one that was made in that memory, at that offset, by whatever process or language. Whether
    /// there is one can't be seen: of other bytes it makes one with some value.
    ///
    /// Raises as init_in does.
    #[staticmethod]
    fn at(memory: Memory, offset: i64) -> Result<Self> {
        let offset = not_negative("an offset", offset)?;
        Ok(Self::open(match memory {
            Memory::Mapping(mapping) => sem::Semaphore::at(&mapping.get().share()?, offset)?,
            Memory::Segment(segment) => sem::Semaphore::at(&segment.get().share()?, offset)?,
        }))
    }

    /// Adds 1, and wakes one who waits, if somebody does. Doesn't wait.
    ///
    /// Raises OSError with EOVERFLOW if its value is MAX_VALUE.
    fn post(&self) -> Result<()> {
        Ok(self.held.share()?.post()?)
    }

    /// Takes 1 as soon as its value is more than 0.
    ///
    /// timeout: in seconds, by the monotonic clock where the C library can (glibc from 2.30 on); None waits for
    ///     ever, 0 doesn't wait.
    ///
    /// Raises TimeoutError; BlockingIOError if its value is 0 and timeout is 0. Then nothing was taken.
    #[pyo3(signature = (*, timeout=None))]
    fn wait(&self, py: Python, timeout: Option<Timeout>) -> Result<()> {
        self.held.wait(py, timeout, true, sem::Semaphore::wait_until)
    }

    /// Its value, which may be another one by now.
    #[getter]
    fn value(&self) -> Result<u32> {
        Ok(self.held.share()?.value()?)
    }

    /// What the semaphore of that name is.
    ///
    /// Raises FileNotFoundError if there is none; else as the constructor.
    #[staticmethod]
    fn stat(name: &str) -> Result<SemaphoreStatus> {
        Ok(sem::Semaphore::stat(name)?.into())
    }

    /// The name by which it was opened; "" for an unnamed one.
    #[getter]
    fn name(&self) -> &str {
        &self.name
    }

    /// Whether the very call that made this handle made it.
    #[getter]
    fn is_new(&self) -> bool {
        self.is_new
    }

    /// Takes the name away; who has the semaphore open goes on with it. The next open makes a new one.
    ///
    /// Raises FileNotFoundError; PermissionError if it is another user's; OSError with EINVAL or ENAMETOOLONG
    /// for a bad name.
    #[staticmethod]
    fn unlink(name: &str) -> Result<()> {
        Ok(sem::Semaphore::unlink(name)?)
    }

    /// Whether this handle is closed.
    #[getter]
    fn closed(&self) -> bool {
        self.held.is_closed()
    }

    /// Closes the handle, which does nothing to the semaphore. Closing it again does nothing.
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
        let state = match self.held.get().map(|semaphore| (semaphore.offset(), semaphore.value().ok())) {
            None => "closed".to_owned(),
            Some((offset, value)) if self.name.is_empty() => format!("at {offset}, value {}", value.unwrap_or(0)),
            Some((_, value)) => format!("value {}", value.unwrap_or(0)),
        };
        format!("<madang.posix.sem.Semaphore {:?}: {state}>", self.name)
    }
}

/// What Semaphore.stat(name) tells; a snapshot. A value: compared and hashed.
#[pyclass(frozen, get_all, eq, hash, module = "madang.kernel.posix.sem")]
#[derive(PartialEq, Eq, Hash)]
pub(crate) struct SemaphoreStatus {
    /// Its value.
    value: u32,
    /// Permission bits.
    mode: u32,
    /// The owner's user id.
    uid: u32,
    /// The owner's group id.
    gid: u32,
}

#[pymethods]
impl SemaphoreStatus {
    fn __repr__(&self) -> String {
        let Self { value, mode, uid, gid } = self;
        format!("SemaphoreStatus(value={value}, mode=0o{mode:o}, uid={uid}, gid={gid})")
    }
}

impl From<sem::SemaphoreStatus> for SemaphoreStatus {
    fn from(status: sem::SemaphoreStatus) -> Self {
        let sem::SemaphoreStatus { value, mode, uid, gid, .. } = status;
        Self { value, mode, uid, gid }
    }
}

/// The named semaphores that exist, in the order of their names; a snapshot. (With musl none, for nothing
/// tells them from shared memory there.)
///
/// Raises FileNotFoundError or PermissionError if /dev/shm can't be read; OSError with EMFILE and ENFILE.
#[pyfunction]
pub(crate) fn list() -> Result<Vec<Listed>> {
    Ok(sem::list()?.into_iter().map(Listed::from).collect())
}
